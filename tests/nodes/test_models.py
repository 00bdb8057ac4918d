"""The model files behind a node: which texts name one, which file is meant, and what nodes opened."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gen5pack.gen5core.graph.sampler_pass import SamplerPass
from gen5pack.nodes import host
from gen5pack.nodes.models import behind, index, opened
from gen5pack.nodes.models.behind import files_behind, mark_incomplete_loras
from gen5pack.nodes.models.index import FolderIndex, ModelIndex
from gen5pack.nodes.models.kinds import folders_of, has_model_suffix, kind_of
from gen5pack.nodes.models.mentions import mentions_of, nodes_above
from gen5pack.nodes.models.opened import OpenedFiles, embedding_file, sign_node

FILES = {
    "loras": ("a.safetensors", "b.pt", "sub/c.safetensors", "same.safetensors"),
    "checkpoints": ("sd.safetensors", "same.safetensors"),
    "embeddings": ("charm.pt", "sub/style.safetensors"),
    "ultralytics": ("bbox/face.pt", "notes.txt"),
    "custom_nodes": ("evil.pt",),
}


def graph(**inputs: Any) -> dict[str, Any]:
    """Return a prompt whose node 2, a save, is below node 1, a loader with these inputs."""
    return {
        "1": {"class_type": "Loader", "inputs": inputs},
        "2": {"class_type": "Save", "inputs": {"images": ["1", 0], "prefix": "b.pt"}},
    }


def found_in(**inputs: Any) -> list[tuple[str, str, bool]]:
    """Return form, text and state of what a node's inputs mention, except plain words."""
    return [
        (found.form, found.text, found.is_off)
        for found in mentions_of(graph(**inputs), "1")
        if found.form != "value" or "." in found.text
    ]


class TestMentions:
    """Texts that may name a model."""

    @pytest.mark.parametrize(
        ("inputs", "is_off"),
        [
            ({"lora_name": "a.pt"}, False),
            ({"lora_name": "a.pt", "strength_model": 0.5, "strength_clip": 0}, False),
            ({"lora_name": "a.pt", "strength_model": 0, "strength_clip": 0.0}, True),
            ({"lora_name": "a.pt", "strength_model": ["2", 0]}, False),
            ({"lora_name": "a.pt", "lora_model_strength": 0, "lora_clip_strength": 0}, True),
            ({"lora_name_1": "a.pt", "model_str_1": 0, "clip_str_1": 0, "model_str_2": 1}, True),
            ({"lora_name_1": "a.pt", "model_str_1": 1, "model_str_2": 0}, False),
            ({"lora_01": "a.pt", "strength_01": 0.0}, True),
            ({"lora_1_name": "a.pt", "lora_1_strength": 0}, True),
            ({"lora_name_1": "a.pt", "switch_1": "Off", "lora_weight_1": 1}, True),
            ({"lora_name_1": "a.pt", "switch_2": "Off", "lora_weight_1": 1}, False),
            ({"lora_1_name": "a.pt", "toggle": False}, True),
            ({"lora_name": "a.pt", "tonality": False}, False),
            ({"lora_name": "a.pt", "strength": 10**400}, False),
            ({"lora_name": "a.pt", "strength": float("nan")}, False),
        ],
    )
    def test_widgets_of_a_loader(self, inputs: dict[str, Any], is_off: bool) -> None:
        """Strengths and switches with the same number belong to a name."""
        assert found_in(**inputs) == [("value", "a.pt", is_off)]

    @pytest.mark.parametrize(
        ("row", "is_off"),
        [
            ({"on": True, "lora": "a.pt", "strength": 1, "strengthTwo": None}, False),
            ({"on": False, "lora": "a.pt", "strength": 1}, True),
            ({"on": True, "lora": "a.pt", "strength": 0, "strengthTwo": None}, True),
            ({"on": True, "lora": "a.pt", "strength": 0, "strengthTwo": 1}, False),
            ({"active": False, "file": {"name": "a.pt"}}, True),
            ({"file": "a.pt", "strength": "0.0"}, True),
            (["a.pt", 0.0, 0], True),
            (["a.pt", 0.0, 1], False),
        ],
    )
    @pytest.mark.parametrize("wrap", [lambda row: row, lambda row: {"rows": [row]}])
    def test_rows(self, row: Any, is_off: bool, wrap: Callable[[Any], Any]) -> None:
        """A row of a stack has its own switch and strengths."""
        assert [found for found in found_in(rows=[wrap(row)]) if found[1] == "a.pt"] == [
            ("row", "a.pt", is_off)
        ]

    def test_row_in_a_json_text(self) -> None:
        """Rows in a JSON text are rows; a name without suffix beside a strength is a LoRA's."""
        text = '[{"name": "a", "strength": "0.8", "active": true}, {"name": "b", "strength": "0", "active": true}]'
        named = [one for one in found_in(rows=text) if one[0] == "lora"]
        assert sorted(named) == [("lora", "a", False), ("lora", "b", True)]

    def test_tags(self) -> None:
        """Tags in a text name LoRAs and embeddings."""
        text = r"a <lora:x y:0.8>, <LORA:sub\z:0:0>, <lyco:w>, (embedding:charm:1.2), "
        text += r"embedding:sub/e\(1\), [embedding:q]"
        assert [one for one in found_in(text=text) if one[0] != "value"] == [
            ("lora", "x y", False),
            ("lora", "sub\\z", True),
            ("lora", "w", False),
            ("embedding", "charm:1.2", False),
            ("embedding", "sub/e(1)", False),
            ("embedding", "q", False),
        ]

    @pytest.mark.parametrize(
        "value",
        [
            {f"lora_{n}": f"{n}.pt" for n in range(20_000)},
            "[" * 100_000,
            '{"a":' * 3000,
            "<lora:" * 200_000,
            "embedding:" * 100_000,
            "x.pt" * 10**6,
            [[[]]] * 9,
        ],
    )
    def test_hostile_values(self, value: Any) -> None:
        """Nesting and length cost no more than a moment."""
        start = time.monotonic()
        list(mentions_of(graph(value=value), "1"))
        assert time.monotonic() - start < 2

    def test_deep_nesting(self) -> None:
        """An input nested deeply is read without recursion, and not to its end."""
        value: Any = "a.pt"
        for _ in range(5000):
            value = [value]
        assert found_in(value=value) == []

    def test_nodes_above(self) -> None:
        """Every node above is visited once, in a circle too; a link that was not followed leads nowhere."""
        prompt = {
            "1": {"inputs": {"a": ["2", 0], "b": ["3", 0]}},
            "2": {"inputs": {"a": ["4", 0], "text": ["9", 0]}},
            "3": {"inputs": {"a": ["5", 0]}},
            "4": {"inputs": {"a": ["1", 0]}},
            "5": {},
            "6": {"inputs": {"a": ["1", 0]}},
        }
        assert nodes_above(prompt, "1", lambda *_: True) == ["2", "3", "4", "5"]
        assert nodes_above(prompt, "1", lambda owner, name: name != "b") == ["2", "4"]


class TestIndex:
    """Names in model folders."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a.safetensors", "a.safetensors"),
            ("A.SAFETENSORS", "a.safetensors"),
            ("sub\\c.safetensors", "sub/c.safetensors"),
            ("/models/loras/sub/c.safetensors", "sub/c.safetensors"),
            ("/models/loras/../checkpoints/sd.safetensors", None),
            ("../loras/a.safetensors", None),
            ("/etc/a.safetensors", None),
            ("c.safetensors", None),
            ("a", None),
            ("", None),
        ],
    )
    def test_find(self, text: str, expected: str | None) -> None:
        """A whole name is found whatever its separators and case; nothing outside the folder is."""
        assert FolderIndex("loras", ["/models/loras"], FILES["loras"]).find(text) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a", "a.safetensors"),
            ("B.PT", "b.pt"),
            ("sub/c", "sub/c.safetensors"),
            ("c", "sub/c.safetensors"),
            ("d", None),
        ],
    )
    def test_find_stem(self, text: str, expected: str | None) -> None:
        """A tag needs neither suffix nor subfolder."""
        assert FolderIndex("loras", [], FILES["loras"]).find_stem(text) == expected

    def test_dots_in_names(self) -> None:
        """Only the suffix of a model is left out, not a version number."""
        assert FolderIndex("loras", [], ["x_v1.5.safetensors"]).find_stem("x_v1.5") == "x_v1.5.safetensors"

    def test_thousands_of_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """5 000 names are indexed once; while the lists stay the same, a refresh is far quicker."""
        names = [f"folder{number % 40}/model_{number}.safetensors" for number in range(5000)]
        monkeypatch.setattr(host, "model_names", lambda folder: list(names))
        models = ModelIndex()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            models.refresh({"loras": ["/loras"]})
            assert models.find("folder7/model_47.safetensors")
            assert models.find_stem("model_4999", ["loras"])
            times.append(time.perf_counter() - start)
        assert min(times[1:]) < 0.02

    def test_kinds(self) -> None:
        """Known folders have a kind of their own, a pack's folder gives its name; folders without models have none."""
        assert [kind_of(name) for name in ("unet", "clip", "upscale_models", "sams")] == [
            "model",
            "text_encoder",
            "upscale_model",
            "sams",
        ]
        assert [tuple(folders_of(kind)) for kind in ("controlnet", "sams", "custom_nodes")] == [
            ("controlnet",),
            ("sams",),
            (),
        ]
        assert [has_model_suffix(name) for name in ("a.GGUF", ".pt", "a", "a.txt")] == [
            True,
            False,
            False,
            False,
        ]


class TestSignature:
    """A node's signature stands for everything that its output depends on."""

    PROMPT: Mapping[str, Any] = {
        "1": {"class_type": "A", "inputs": {"x": ["2", 0], "y": 1}},
        "2": {"class_type": "B", "inputs": {"name": "a.pt"}},
        "7": {"class_type": "A", "inputs": {"y": 1, "x": ["8", 0]}},
        "8": {"class_type": "B", "inputs": {"name": "a.pt"}},
    }

    def sign(self, node_id: str, prompt: Mapping[str, Any]) -> str:
        return sign_node(prompt.get, node_id, {})

    def test_ids_do_not_matter(self) -> None:
        """Equal nodes have equal signatures, whatever their ids."""
        assert self.sign("1", self.PROMPT) == self.sign("7", self.PROMPT)

    @pytest.mark.parametrize(
        "change",
        [{"class_type": "C", "inputs": {"name": "a.pt"}}, {"class_type": "B", "inputs": {"name": "b.pt"}}],
    )
    def test_nodes_above_matter(self, change: Any) -> None:
        """Another value far above gives another signature."""
        assert self.sign("1", {**self.PROMPT, "2": change}) != self.sign("1", self.PROMPT)

    def test_long_chains_and_circles(self) -> None:
        """Neither a chain of thousands of nodes nor a circle is too much."""
        chain = {str(n): {"class_type": "A", "inputs": {"x": [str(n + 1), 0]}} for n in range(5000)}
        assert self.sign("0", chain)
        assert self.sign("0", {**chain, "5000": {"class_type": "A", "inputs": {"x": ["0", 0]}}})


@pytest.fixture
def models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Model folders with FILES, and a prompt that runs node by node; see ``Running``."""
    for kind, names in FILES.items():
        for name in names:
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{kind} {name}".encode())

    def model_file(kinds: Any, name: str) -> Path | None:
        paths = (folder / kind / name for kind in kinds)
        return next((path for path in paths if path.is_file()), None)

    monkeypatch.setattr(host, "model_folders", lambda: {kind: [str(folder / kind)] for kind in FILES})
    monkeypatch.setattr(host, "model_names", lambda kind: list(FILES[kind]))
    monkeypatch.setattr(host, "model_file", model_file)
    monkeypatch.setattr(index, "_index", ModelIndex())
    monkeypatch.setattr(behind, "opened", OpenedFiles())
    return folder


class Running:
    """A prompt that runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.prompt: dict[str, Any] = {}
        self.prompt_id = "p0"
        self.node_id: str | None = None
        monkeypatch.setattr(host, "running_prompt_id", lambda: self.prompt_id)
        monkeypatch.setattr(host, "running_node", lambda node_id: self.prompt.get(node_id))
        monkeypatch.setattr(host, "executing", lambda: (self.prompt_id, self.node_id))

    def queue(self, prompt: dict[str, Any]) -> None:
        """Begin another prompt."""
        self.prompt, self.prompt_id = prompt, f"{self.prompt_id}'"

    def run(self, node_id: str, *paths: Path, asked: tuple[str, ...] = (), start: bool = True) -> None:
        """Run a node that opens files and asks for lazy inputs."""
        notes, self.node_id = behind.opened, node_id
        if start:
            notes.note_start(node_id)
        for name in asked:
            notes.note_request(node_id, name)
        for path in paths:
            notes.note_file(str(path))
        self.node_id = None

    def files(self) -> list[tuple[str, str, str]]:
        """Return kind, name and state of the files behind the save."""
        return [(file.kind, file.name, file.state) for file in files_behind(self.prompt, "2")]


@pytest.fixture
def running(models: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    return Running(monkeypatch)


class TestBehind:
    """Named and opened files together."""

    @pytest.mark.parametrize(
        ("inputs", "expected"),
        [
            ({"lora_name": "a.safetensors"}, [("lora", "a.safetensors", "named")]),
            ({"lora_name": "a.safetensors", "strength": 0}, [("lora", "a.safetensors", "off")]),
            ({"ckpt_name": "sd.safetensors", "strength": 0}, [("model", "sd.safetensors", "named")]),
            (
                {"text": "<lora:c:1> embedding:charm, embedding:style."},
                [
                    ("lora", "sub/c.safetensors", "named"),
                    ("embedding", "charm.pt", "named"),
                    ("embedding", "sub/style.safetensors", "named"),
                ],
            ),
            ({"text": "(embedding:charm:1.2)"}, [("embedding", "charm.pt", "named")]),
            ({"model": "bbox/face.pt"}, [("ultralytics", "bbox/face.pt", "named")]),
            ({"x": "notes.txt", "y": "evil.pt", "z": "None", "w": "gone.pt"}, []),
        ],
    )
    def test_named(self, running: Running, inputs: dict[str, Any], expected: Any) -> None:
        """A file that is only named is so, with its kind; a folder without models has none."""
        running.queue(graph(**inputs))
        assert running.files() == expected

    def test_loaded_and_cached(self, running: Running, models: Path) -> None:
        """A file that its node opened is loaded, from the cache too; not if the node has another value."""
        running.queue(graph(lora_name="a.safetensors"))
        running.run("1", models / "loras" / "a.safetensors")
        assert running.files() == [("lora", "a.safetensors", "loaded")]
        running.queue(graph(lora_name="a.safetensors"))
        assert running.files() == [("lora", "a.safetensors", "loaded")]
        running.queue(graph(lora_name="b.pt"))
        assert running.files() == [("lora", "b.pt", "named")]

    def test_not_named(self, running: Running, models: Path) -> None:
        """A file that a node opened although nothing names it is loaded; one outside the model folders is nothing."""
        other = models / "secret.pt"
        other.write_bytes(b"1")
        running.queue(graph())
        running.run("1", models / "loras" / "b.pt", other)
        assert running.files() == [("lora", "b.pt", "loaded")]

    def test_a_later_run_counts(self, running: Running, models: Path) -> None:
        """What an equal node opened in an earlier prompt is forgotten once it opens something else."""
        running.queue(graph())
        running.run("1", models / "loras" / "b.pt")
        running.queue(graph())
        running.run("1", models / "loras" / "a.safetensors")
        assert running.files() == [("lora", "a.safetensors", "loaded")]

    def test_checks_do_not_count(self, running: Running, models: Path) -> None:
        """A file that IS_CHANGED opened, of a node that does not run, is only named."""
        running.queue(graph(lora_name="a.safetensors"))
        running.run("1", models / "loras" / "a.safetensors", start=False)
        assert running.files() == [("lora", "a.safetensors", "named")]

    @pytest.mark.parametrize(("folder_name", "kind"), [("loras", "lora"), ("checkpoints", "model")])
    def test_name_in_two_folders(self, running: Running, models: Path, folder_name: str, kind: str) -> None:
        """Of two files of one name the one that was opened is meant."""
        running.queue(graph(x="same.safetensors"))
        running.run("1", models / folder_name / "same.safetensors")
        assert running.files() == [(kind, "same.safetensors", "loaded")]

    def test_list_that_offers_the_name(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        """Failing that, the folder whose files the input lists; then the input's name; then the likeliest."""
        running.queue(graph(x="same.safetensors"))
        assert running.files() == [("model", "same.safetensors", "named")]
        running.queue(graph(my_lora="same.safetensors"))
        assert running.files() == [("lora", "same.safetensors", "named")]
        monkeypatch.setattr(host, "declared_options", lambda *_: ["None", *FILES["loras"]])
        running.queue(graph(x="same.safetensors"))
        assert running.files() == [("lora", "same.safetensors", "named")]

    def test_name_through_a_link(self, running: Running, models: Path) -> None:
        """A file is loaded if another node opened it than the one that has its name."""
        prompt = graph(name=["3", 0])
        prompt["3"] = {"class_type": "Text", "inputs": {"value": "a.safetensors"}}
        running.queue(prompt)
        running.run("1", models / "loras" / "a.safetensors")
        assert running.files() == [("lora", "a.safetensors", "loaded")]

    def test_stronger_state(self, running: Running) -> None:
        """A file that is on in one row and off in another is on."""
        rows = [{"on": on, "lora": "a.safetensors"} for on in (False, True, False)]
        running.queue(graph(rows=rows))
        assert running.files() == [("lora", "a.safetensors", "named")]

    @pytest.mark.parametrize("complete", [True, False])
    def test_lazy_input(self, running: Running, monkeypatch: pytest.MonkeyPatch, complete: bool) -> None:
        """What is behind a lazy input that its node did not ask for is left out; if that is not known, it stays."""
        monkeypatch.setattr(host, "is_lazy", lambda class_type, name: name in ("yes", "no"))
        monkeypatch.setattr(host, "asks_for_cached_inputs", lambda: complete)
        prompt = graph(yes=["3", 0], no=["4", 0])
        for node_id, name in (("3", "a.safetensors"), ("4", "b.pt")):
            prompt[node_id] = {"class_type": "Loader", "inputs": {"lora_name": name}}
        running.queue(prompt)
        both = [("lora", "a.safetensors", "named"), ("lora", "b.pt", "named")]
        assert sorted(running.files()) == both
        running.run("1", asked=("yes",))
        assert running.files() == both[:1]
        running.run("4")
        assert sorted(running.files()) == (both[:1] if complete else both)

    def test_a_fault_costs_no_picture(
        self, running: Running, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        """If anything fails, no file is listed, and the log says so."""
        monkeypatch.setattr(host, "model_names", lambda kind: 1 / 0)
        running.queue(graph(lora_name="a.safetensors"))
        assert running.files() == []
        assert "the model files behind node 2 could not be listed" in caplog.text

    def test_a_thousand_nodes(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        """The time grows with the prompt."""
        prompt = graph(model=["10", 0])
        for number in range(10, 1010):
            above = {} if number == 1009 else {"model": [str(number + 1), 0]}
            prompt[str(number)] = {
                "class_type": "Loader",
                "inputs": {**above, "name": "a.safetensors", "x": "y" * 50},
            }
        running.queue(prompt)
        start = time.perf_counter()
        assert running.files() == [("lora", "a.safetensors", "named")]
        assert time.perf_counter() - start < 1


class TestIncompleteLoras:
    """A LoRA that no pass has makes the passes below it incomplete."""

    PROMPT: Mapping[str, Any] = {
        "1": {"class_type": "Loader", "inputs": {"lora_name": "sub/c.safetensors"}},
        "2": {"class_type": "Save", "inputs": {"images": ["3", 0], "more": ["4", 0]}},
        "3": {"class_type": "KSampler", "inputs": {"model": ["1", 0]}},
        "4": {"class_type": "KSampler", "inputs": {}},
    }

    @pytest.mark.parametrize(
        ("loras", "expected"), [((), ("seed", "loras")), ((("sub\\c.safetensors", 1.0),), ("seed",))]
    )
    def test_pass_below(self, running: Running, loras: Any, expected: tuple[str, ...]) -> None:
        """Only a pass below the LoRA's loader, and only if no pass has the LoRA."""
        running.queue(dict(self.PROMPT))
        passes = [
            SamplerPass("3", "KSampler", loras=loras, unresolved=("seed",)),
            SamplerPass("4", "KSampler", unresolved=("seed",)),
        ]
        marked = mark_incomplete_loras(self.PROMPT, passes, files_behind(self.PROMPT, "2"))
        assert [found.unresolved for found in marked] == [expected, ("seed",)]


class TestWatch:
    """Functions that are watched do what they did."""

    @pytest.fixture
    def module(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        """A module with a function that is watched by a function that fails."""

        def divide(one: float, *, by: float = 2) -> float:
            """Divide."""
            return one / by

        module = SimpleNamespace(divide=divide)
        monkeypatch.setattr(host, "is_present", lambda: True)
        monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: object())
        monkeypatch.setattr(host, "_module", lambda name: module)
        return module

    def test_result_and_errors_stay(self, module: SimpleNamespace) -> None:
        """Result, errors, name and text are those of the function; a failing watcher changes nothing."""
        original, seen = module.divide, []

        def called(result: float, *args: Any, **kwargs: Any) -> None:
            seen.append((result, args, kwargs))
            raise RuntimeError("a fault of ours")

        assert host.watch("folder_paths", "divide", called)
        assert module.divide(6, by=3) == 2
        with pytest.raises(ZeroDivisionError):
            module.divide(1, by=0)
        assert seen == [(2, (6,), {"by": 3})]
        assert (module.divide.__name__, module.divide.__doc__) == ("divide", "Divide.")
        assert module.divide.__wrapped__ is original

    def test_no_such_function(self, module: SimpleNamespace) -> None:
        """A function that this version of ComfyUI does not have is not watched."""
        assert not host.watch("folder_paths", "Nothing.here", print)
        assert vars(module).keys() == {"divide"}


def test_embedding_file(tmp_path: Path) -> None:
    """An embedding is found as ComfyUI finds it: with its suffix or without, in the first folder that has it."""
    for name in ("b/x.pt", "a/y.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    found = [embedding_file(name, folders) for name in ("x", "y.safetensors", "z")]
    assert found == [os.path.join(folders[1], "x.pt"), os.path.join(folders[0], "y.safetensors"), None]
    assert embedding_file("x", folders[1]) == os.path.join(folders[1], "x.pt")


def test_notes_are_bounded(monkeypatch: pytest.MonkeyPatch, running: Running, models: Path) -> None:
    """The nodes that were noted longest ago are forgotten, and of one node only so many files are kept."""
    monkeypatch.setattr(opened, "_MAX_NODES", 3)
    monkeypatch.setattr(opened, "_MAX_FILES", 2)
    for name in "abcde":
        running.queue(graph(name=name))
        running.run("1", *(models / f"{number}.pt" for number in range(5)))
        assert len(behind.opened.files_of("1")) == 2
    running.queue(graph(name="a"))
    assert behind.opened.files_of("1") == frozenset()

"""Files described for the browser: every field of the contract, seeds as text, no value of an unexpected type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import forge
import pytest
from gen5pack import gen5core
from gen5pack.gen5core.container import strict_json
from gen5pack.gen5core.environment.model_digests import DigestCache
from gen5pack.gen5core.errors import MalformedChunkError
from gen5pack.nodes import host
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.server.file_json import describe, describe_here, graphs
from gen5pack.nodes.server.truncate import Budget
from gen5pack.nodes.stored import drift
from gen5pack.nodes.stored.file import StoredFile
from runs import hires, images, randn, txt2img

CORPUS = Path(__file__).parents[1] / "corpus" / "valid"
GOLDEN = sorted(CORPUS.glob("*.gen5"))
MOST = 2**64 - 1


def saved(prompt: dict[str, Any], **inputs: Any) -> StoredFile:
    """Save through the node; return the GEN5 output."""
    given = {
        "images": images(2),
        "latent": {"samples": randn(2, 4, 4, 8)},
        "prompt": prompt,
        "unique_id": "9",
    }
    file: StoredFile = Gen5Save().save("x", **{**given, **inputs})["result"][1]
    return file


def stored(folder: Path, **facts: Any) -> Path:
    """Write a file with the core alone."""
    return gen5core.save(folder / "input" / "a.gen5", **{"environment": None, "hardware": None, **facts})


def facts_of(path: Path) -> dict[str, Any]:
    """Return the facts of a file after a round trip through JSON."""
    with gen5core.open(path) as file:
        facts: dict[str, Any] = json.loads(strict_json.dumps(describe(file), "facts"))
    return facts


class TestDescribe:
    """Header and META."""

    def test_a_saved_file(self, folder: Path) -> None:
        """Settings, noise, pass, latents and images of a txt2img have the contract's names."""
        file = saved(
            txt2img(seed=MOST, batch_size=2), tags="cat, neon", extra_pnginfo={"workflow": {"nodes": []}}
        )
        facts = facts_of(file.path)
        expected = {
            **{"root": file.root, "version": "1.1", "sealed": True, "size_bytes": file.path.stat().st_size},
            **{"seed": str(MOST), "steps": 20, "cfg": 7.5, "sampler": "euler", "scheduler": "karras"},
            **{"denoise": 1.0, "width": 64, "height": 32, "batch_size": 2, "prompt": "a cat, 猫"},
            **{"negative": "blurry", "model_name": "sd.safetensors", "tags": ["cat", "neon"]},
            **{"noise_source": "derived", "reason": None, "comfyui_version": None, "has_workflow": True},
        }
        assert {name: facts[name] for name in expected} == expected
        size = {"dtype": "float32", "orig_dtype": "float32", "part": None, "shape": [2, 4, 4, 8]}
        assert facts["latents"] == [
            {"name": "initial_noise", **size, "size_bytes": 1024},
            {"name": "final_latent", **size, "size_bytes": 1024},
        ]
        assert [(image["width"], image["height"]) for image in facts["images"]] == [(6, 4), (6, 4)]
        assert [image["size_bytes"] > 50 for image in facts["images"]] == [True, True]
        assert facts["date"] >= "2026"
        assert "drifts" not in facts

    def test_passes(self, folder: Path) -> None:
        """Each pass has its settings, the seed as text."""
        first, second = facts_of(saved(hires(seed=MOST)).path)["passes"]
        assert tuple(
            first[name]
            for name in (
                *("index", "node_id", "class_type", "seed", "sampler_name"),
                *("add_noise", "recorded", "step_noise"),
            )
        ) == (0, "3", "KSampler", "5", "euler", True, False, False)
        assert (1, "13", str(MOST), 0.5, "a cat, 猫", "blurry", "sd.safetensors") == tuple(
            second[name]
            for name in ("index", "node_id", "seed", "denoise", "positive", "negative", "model_name")
        )
        assert (second["loras"], second["options"], second["step_noise_reason"]) == ([], {}, None)

    def test_step_noise(self, folder: Path) -> None:
        """Step noise counts as stored if the latent that the pass names exists; otherwise there is a reason."""
        passes = [
            {"step_noise": "step_noise"},
            {"step_noise": "step_noise.1"},
            {"step_noise_reason": "it takes more than 64 MiB"},
        ]
        path = stored(
            folder,
            latents={"step_noise": randn(3, 1, 4, 2, 2)},
            capture={"noise_source": "recorded", "passes": passes},
        )
        found = [(row["step_noise"], row["step_noise_reason"]) for row in facts_of(path)["passes"]]
        assert found == [(True, None), (False, None), (False, "it takes more than 64 MiB")]

    def test_nested_latent(self, folder: Path) -> None:
        """Each part of a nested latent has a row."""
        path = stored(folder, latents={"initial_noise": [randn(1, 4, 2), randn(1, 3)]})
        rows = [(row["name"], row["part"], row["shape"]) for row in facts_of(path)["latents"]]
        assert rows == [("initial_noise", 0, [1, 4, 2]), ("initial_noise", 1, [1, 3])]

    def test_widened_dtype(self, folder: Path) -> None:
        """A bfloat16 latent has its stored dtype and its original one."""
        path = stored(folder, latents={"a": randn(2).bfloat16()})
        [row] = facts_of(path)["latents"]
        assert (row["dtype"], row["orig_dtype"], row["size_bytes"]) == ("float32", "bfloat16", 8)

    def test_an_empty_file(self, folder: Path) -> None:
        """What a file does not have is null, an empty list or an empty text."""
        facts = facts_of(stored(folder))
        names = ("seed", "steps", "cfg", "sampler", "noise_source", "reason", "comfyui_version", "width")
        assert [facts[name] for name in names] == [None] * len(names)
        lists = ("tags", "passes", "latents", "images", "environment", "resources")
        assert [facts[name] for name in lists] == [[]] * len(lists)
        assert tuple(
            facts[name] for name in ("prompt", "negative", "model_name", "hardware", "has_workflow")
        ) == ("", "", "", {}, False)

    @pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
    def test_golden_files_give_strict_json(self, path: Path) -> None:
        """Every golden file of both versions is described in JSON without NaN or infinity."""
        with gen5core.open(path) as file:
            text = strict_json.dumps(describe_here(file), "facts")
        facts = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in the answer"))
        assert isinstance(facts["seed"], str | None)
        assert isinstance(facts["drifts"], list)

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            *[("seed", 2**70, str(2**70)), ("steps", 3, 3), ("cfg_scale", 2, 2)],
            *[
                ("seed", "5", "5"),
                ("seed", True, None),
                ("seed", 1.5, "1.5"),
                ("seed", [1, -2], "1, -2"),
                ("steps", [1], None),
            ],
            *[
                ("cfg_scale", float("nan"), None),
                ("cfg_scale", 10**400, None),
                ("steps", 2**60, None),
                ("sampler", {"a": 1}, None),
            ],
            *[("sampler", "", None), ("width", False, None), ("scheduler", 3, None)],
        ],
    )
    def test_settings_of_other_types(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: Any, expected: Any
    ) -> None:
        """A setting of a type that the page does not expect is left out."""
        with gen5core.open(CORPUS / "gen5-0.1.0_raw_float32.gen5") as file:
            monkeypatch.setattr(type(file), "settings", {name: value})
            facts = describe(file)
        assert facts["cfg" if name == "cfg_scale" else name] == expected

    def test_passes_of_other_types(self, folder: Path) -> None:
        """A pass's values of types that the page does not expect are left out."""
        odd = {
            **{"node_id": 3, "sampler_name": ["x"], "recorded_sampler": "heun", "steps": "20"},
            **{"cfg": 10**400, "denoise": [1], "start_step": True, "positive": {}, "negative": ""},
            **{"loras": [["a", 1], ["b", "x"], ["c"], "d", 5], "clip_names": "abc", "unresolved": [1, "cfg"]},
            **{"options": [1], "seed": "5", "step_noise": 3, "step_noise_reason": 1},
        }
        [row] = facts_of(stored(folder, capture={"passes": [odd]}))["passes"]
        expected = {
            **{"node_id": None, "sampler_name": "heun", "steps": None, "cfg": None, "denoise": None},
            **{"start_step": None, "positive": None, "negative": "", "loras": [["a", 1], ["b", None]]},
            **{"clip_names": [], "unresolved": ["cfg"], "options": {}, "seed": "5", "step_noise": False},
            "step_noise_reason": None,
        }
        assert {name: row[name] for name in expected} == expected

    def test_resources_of_other_types(self, folder: Path) -> None:
        """An entry of resources that is not an object is left out, from the drifts too."""
        path = folder / "input" / "a.gen5"
        resources = [1, None, {"name": "m"}]
        path.write_bytes(forge.build([], edit=lambda document: document.update(resources=resources)))
        with gen5core.open(path) as file:
            facts = describe_here(file)
        assert (facts["resources"], facts["drifts"]) == ([{"name": "m"}], [])

    def test_long_lists_and_texts_are_cut(self, folder: Path) -> None:
        """A huge META is cut to some hundred kilobytes, with the number of omitted items."""
        entry = {
            **{"positive": "p" * 10_000, "options": {"o": "x" * 5000}, "loras": [["l" * 3000, 1.0]]},
            **{"clip_names": ["c"] * 300, "seed": 2**64 - 1},
        }
        meta = {
            **{"prompt": "a" * 10**6, "model_name": "m" * 10**6, "tags": ["t" * 3000] * 300},
            "resources": [{"name": f"{number}", "note": "n" * 3000} for number in range(1000)],
            "capture": {"noise_source": "none", "reason": "r" * 10**6, "passes": [entry] * 300},
        }
        facts = facts_of(stored(folder, **meta))
        assert len(json.dumps(facts)) < 3 * 10**6
        assert facts["prompt"] == f"{'a' * 20_000}… 980000 more"
        assert [
            facts["model_name"],
            facts["reason"],
        ] == ["m" * 2000 + "… 998000 more", "r" * 2000 + "… 998000 more"]
        assert facts["counts"] == {"tags": 300, "passes": 300, "resources": 1000}
        assert [len(facts[name]) for name in ("tags", "passes", "resources")] == [200] * 3
        first = facts["passes"][0]
        assert (f"{'p' * 1000}… 9000 more", str(2**64 - 1)) == (first["positive"], first["seed"])
        assert first["clip_names"][-3:] == ["c", "c", "… 100 more"]

    def test_values_of_any_shape(self) -> None:
        """Values without a fixed shape are cut too, however deeply they are nested and whatever they contain."""
        nested: Any = "end"
        for _ in range(50):
            nested = [nested]
        assert "end" not in str(Budget().take(nested))
        assert Budget().take({"a": "h" * 10**6}) == {"a": "h" * 2000 + "… 998000 more"}
        assert Budget().take(["f"] * 300) == [*["f"] * 200, "… 100 more"]
        assert Budget().take({str(number): number for number in range(300)})["…"] == "100 more"
        assert Budget(characters=3).take(["ab", "cd"]) == ["ab", "c… 1 more"]
        assert Budget(values=5).take([[0] * 2] * 4) == [[0, 0], ["… 2 more"], "… 2 more"]
        same = {"cpu": {"model": "x", "cores": 8, "flags": [True, None, 1.5]}}
        assert same == Budget().take(same)

    def test_few_passes_are_complete(self, folder: Path) -> None:
        """What real files have is complete: long prompts of a few passes, and every model."""
        passes = [{"positive": f"{number}" * 20_000} for number in range(9)]
        resources = [{"name": f"{number}", "sha256": "0" * 64} for number in range(60)]
        facts = facts_of(stored(folder, capture={"passes": passes}, resources=resources, prompt="a" * 20_000))
        assert [entry["positive"] for entry in passes] == [row["positive"] for row in facts["passes"]]
        assert (facts["resources"], facts["prompt"]) == (resources, "a" * 20_000)

    def test_broken_capture_is_an_error(self, folder: Path) -> None:
        """Passes that are not a list of objects are reported as an error in the file."""
        path = stored(folder, capture={"passes": [1]})
        with pytest.raises(MalformedChunkError, match=r"capture's passes are \[1\], not a list of objects"):
            facts_of(path)


class TestDescribeHere:
    """What the complete file and this machine add."""

    def test_environment_and_drifts(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The components of the chunk and of META are included; drifts appear once something differs."""
        path = saved(txt2img()).path
        with gen5core.open(path) as file:
            facts = describe_here(file)
        values = {row["component"]: row["value"] for row in facts["environment"]}
        assert {"torch", "numpy", "python", "os", "torch_build"} <= values.keys()
        assert values["numpy"].startswith("name=numpy;version=")
        assert facts["drifts"] == []
        monkeypatch.setattr(host, "attention_backend", lambda: "attention_sage")
        monkeypatch.setattr(host, "description", lambda: "ComfyUI 0.33.0")
        path = saved(txt2img()).path
        monkeypatch.setattr(host, "description", lambda: "ComfyUI 0.34.0")
        with gen5core.open(path) as file:
            facts = describe_here(file)
        assert facts["drifts"] == [
            {
                "component": "host",
                "stored": "name=host;version=ComfyUI 0.33.0",
                "current": "name=host;version=ComfyUI 0.34.0",
                "kind": "differs",
            }
        ]

    def test_models_are_read_quickly(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full digest is compared only if it is cached: no model is read completely for a page."""
        model = folder / "tiny.safetensors"
        model.write_bytes(b"weights")
        resource = {
            "kind": "model",
            "name": model.name,
            "size_bytes": 7,
            "digest": "0" * 64,
            "digest_kind": "sha256",
        }
        path = stored(folder, resources=[resource])
        monkeypatch.setattr(host, "is_present", lambda: True)
        monkeypatch.setattr(host, "model_file", lambda kinds, name: model)
        monkeypatch.setattr(host, "user_folder", lambda: folder / "user")
        monkeypatch.setattr(host, "description", lambda: None)
        monkeypatch.setattr(host, "progress", lambda total: pytest.fail("the node's bar is not the page's"))
        with gen5core.open(path) as file:
            assert describe_here(file)["drifts"] == []
            cache = DigestCache(folder / "user" / "gen5" / "fingerprints.sqlite3")
            digest = cache.digest(model, "full")
            [found] = describe_here(file)["drifts"]
        assert (found["component"], found["current"]) == ("model tiny.safetensors", f"{digest} 7")

    def test_the_first_models_are_compared(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a very long list of models only the first few hundred are compared."""
        asked = []
        monkeypatch.setattr(drift, "describe_resource", lambda stored, quick: asked.append(stored["name"]))
        resources = [{"name": f"{number}", "size_bytes": 1} for number in range(1000)]
        with gen5core.open(stored(folder, resources=resources)) as file:
            facts = describe_here(file)
        assert [f"{number}" for number in range(200)] == asked
        assert (facts["drifts"], facts["counts"]["drifts"], facts["counts"]["resources"]) == ([], 0, 1000)


class TestGraphs:
    """The workflow and the prompt."""

    def test_both(self, folder: Path) -> None:
        """They are returned as they were saved."""
        workflow = {"nodes": [{"id": 1}], "version": 0.4}
        file = saved(txt2img(), extra_pnginfo={"workflow": workflow})
        with gen5core.open(file.path) as opened:
            assert {"workflow": workflow, "prompt": txt2img()} == graphs(opened)

    @pytest.mark.parametrize("comfyui", [None, {"workflow": [], "prompt": "x"}])
    def test_none(self, folder: Path, comfyui: Any) -> None:
        """A file without them, or with other types in their place, has none."""
        with gen5core.open(stored(folder, comfyui=comfyui)) as file:
            assert graphs(file) == {"workflow": None, "prompt": None}

"""What run and picture add to the passes of a save, where each setting is from, and which values a run may have."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gen5pack.nodes import host
from gen5pack.nodes.saving.capture import Captured
from gen5pack.nodes.saving.complete import complete_passes
from gen5pack.nodes.saving.inputs import SaveInputs, read_inputs
from gen5pack.nodes.saving.observed import Decoded, Observed
from runs import hires, txt2img

RUN = {"recorded": True, "node_id": "3"}
"""What the entry of every recorded pass has here."""


def inputs_of(prompt: dict[str, Any], observed: Observed | None = None) -> SaveInputs:
    return read_inputs(prompt, "9", None, None, None, observed)


def completed(
    entry: dict[str, Any], inputs: SaveInputs | None = None, size: tuple[int, int] | None = None
) -> Any:
    """Return the completed entry of a single pass."""
    captured = Captured("recorded", passes=[entry])
    [found] = complete_passes(captured, inputs or inputs_of(txt2img()), size).passes
    return found


def decoded_from(*shape: int, between: tuple[str, ...] = ()) -> Observed:
    """Return what is observed of a picture decoded from a latent of this shape."""
    return Observed({}, [Decoded(("3", 0), between, [{"samples": torch.zeros(shape)}])])


@pytest.mark.parametrize(
    ("count", "entry", "steps"),
    [
        (21, {}, 20),
        (21, {"steps": 20}, 20),
        (21, {"steps": 30}, 20),
        (11, {"steps": 20, "start_step": 10}, 20),
        (11, {"steps": 20, "end_step": 10}, 20),
        (21, {"steps": 20, "start_step": 0, "end_step": 10_000}, 20),
        (11, {"start_step": 10}, 20),
        (11, {"start_step": 10, "end_step": 10_000}, 20),
        (11, {"end_step": 10}, None),
        (11, {"end_step": 10, "start_step": 0}, None),
        (11, {"unresolved": ["end_step"]}, None),
        (11, {"steps": 20, "unresolved": ["start_step"]}, 20),
        (32, {"steps": 30, "scheduler": "ddim_uniform"}, 30),
        (1, {}, None),
        (0, {}, None),
    ],
)
def test_steps(count: int, entry: dict[str, Any], steps: int | None) -> None:
    """The sigmas give the steps that the graph lacks, or correct it; a part of a schedule does not tell the rest."""
    found = completed({**RUN, "sigmas": [float(count - index) for index in range(count)], **entry})
    assert found.get("steps") == steps


def test_a_pass_without_a_run_keeps_what_the_graph_says() -> None:
    """Nothing is added to a pass of which no run was recorded; its settings are the graph's."""
    entry = {"node_id": "3", "recorded": False, "steps": 20, "cfg": 7.5, "unresolved": ["width"]}
    assert completed(entry) == {**entry, "sources": {"steps": "graph", "cfg": "graph"}}


def test_sources() -> None:
    """What the workflow says is the graph's; what only the run had, or did otherwise, was observed."""
    entry = {
        **RUN,
        "seed": 5,
        "cfg": 4.0,
        "steps": 20,
        "sigmas": [2.0, 1.0, 0.0],
        "unresolved": ["cfg", "vae_name"],
    }
    found = completed(entry)
    assert found["sources"] == {"seed": "graph", "cfg": "observed", "steps": "observed"}
    assert (found["steps"], found["unresolved"]) == (2, ["vae_name"])


@pytest.mark.parametrize("node_id", ["3", "8.0.0.3", "3.0.0.1"])
def test_sources_of_nodes_made_at_run_time(node_id: str) -> None:
    """A copy of a node, and a node that it expanded into, have its settings from the graph."""
    assert completed({"node_id": node_id, "seed": 5})["sources"] == {"seed": "graph"}


@pytest.mark.parametrize(
    ("recorded", "given", "expected"),
    [
        ("heun", "euler", "heun"),
        ("heun", None, "heun"),
        ("rk_beta", "res_2m", "res_2m"),
        ("rk_beta", None, None),
        ("heun", "res_2m", "res_2m"),
        ("rk", "heun", "heun"),
        ("rk", None, "rk"),
    ],
)
def test_sampler_name(
    monkeypatch: pytest.MonkeyPatch, recorded: str, given: str | None, expected: str | None
) -> None:
    """The recorded name counts only where both are names of ComfyUI's samplers, as packs share one function."""
    monkeypatch.setattr(host, "sampler_names", lambda: ["euler", "heun", "rk"])
    monkeypatch.setattr(host, "core_sampler", {"euler": 1, "heun": 1}.get)
    entry = {**RUN, "recorded_sampler": recorded, **({"sampler_name": given} if given else {})}
    assert completed(entry).get("sampler_name") == expected


def test_batch_size_is_that_of_the_latent() -> None:
    """A batch that was put together anew after the graph's empty latent."""
    found = completed({**RUN, "batch_size": 4, "shapes": [[2, 4, 8, 8]]})
    assert (found["batch_size"], found["sources"]["batch_size"]) == (2, "observed")


@pytest.mark.parametrize(
    ("latent", "shape", "between", "size", "expected"),
    [
        ((1, 4, 8, 12), [1, 4, 8, 12], (), (64, 96), (96, 64)),
        ((1, 4, 16, 24), [1, 4, 8, 12], (), (128, 192), (96, 64)),
        ((1, 16, 2, 8, 12), [1, 16, 2, 8, 12], (), (128, 192), (192, 128)),
        ((1, 4, 8, 12), [1, 4, 8, 12], ("ImageScaleBy",), (64, 96), (None, None)),
        ((1, 4, 8, 12), [1, 16, 8, 12], (), (64, 96), (None, None)),
        ((1, 4, 8, 12), [1, 4, 8, 12], (), (60, 96), (None, None)),
        ((1, 4, 8, 12), [1, 4, 8, 12], (), (64, 192), (None, None)),
        ((1, 64, 100), [1, 64, 100], (), (64, 96), (None, None)),
        ((1, 4, 8, 12), None, (), (64, 96), (None, None)),
        ((1, 4, 8, 12), [1, 4, 8, 12], (), None, (None, None)),
    ],
)
def test_size(
    latent: tuple[int, ...],
    shape: list[int] | None,
    between: tuple[str, ...],
    size: tuple[int, int] | None,
    expected: tuple[int | None, int | None],
) -> None:
    """The size of a pass is its latent's, by the pixels of a cell: only of a picture straight from its decoder."""
    inputs = inputs_of(txt2img(), decoded_from(*latent, between=between))
    entry = {**RUN, "unresolved": ["width", "height"], **({"shapes": [shape]} if shape else {})}
    found = completed(entry, inputs, size)
    assert (found.get("width"), found.get("height")) == expected
    assert ("unresolved" in found) == (expected == (None, None))
    assert found.get("sources", {}).get("width") == (None if expected[0] is None else "picture")


def test_a_size_that_the_graph_has_right_stays_the_graphs() -> None:
    """The picture is named as the source only where it says more than the graph."""
    entry = {**RUN, "width": 64, "height": 16, "shapes": [[1, 4, 4, 8]]}
    found = completed(entry, inputs_of(txt2img(), decoded_from(1, 4, 4, 8)), (32, 64))
    assert (found["width"], found["height"]) == (64, 32)
    assert (found["sources"]["width"], found["sources"]["height"]) == ("graph", "picture")


def test_one_of_several_runs_of_a_node() -> None:
    """A tile's size and a refiner's steps are not those of the pass; a run that the graph does not show has its own."""
    sigmas = [3.0, 2.0, 1.0, 0.0]
    first = {**RUN, "steps": 20, "width": 64, "batch_size": 2, "sigmas": sigmas, "shapes": [[1, 4, 2, 4]]}
    second = {**RUN, "sigmas": sigmas, "shapes": [[1, 4, 2, 4]]}
    inputs = inputs_of(txt2img(), decoded_from(1, 4, 4, 8))
    found = complete_passes(Captured("recorded", passes=[first, second]), inputs, (32, 64)).passes
    kept = [tuple(entry.get(name) for name in ("steps", "width", "height", "batch_size")) for entry in found]
    assert kept == [(20, 64, None, 2), (3, None, None, 1)]


def test_a_fault_costs_nothing() -> None:
    """An odd value leaves the passes as they were."""
    assert completed({**RUN, "shapes": 5}) == {**RUN, "shapes": 5}


class TestAsRan:
    """Which of the observed values may describe a run."""

    @pytest.fixture(autouse=True)
    def running(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(host, "executing", lambda: ("now", "9"))

    def seed_and_text(self, seen: str, ran: str, node_id: str = "3") -> tuple[Any, Any]:
        """Return seed and text of a run, if its seed's node ran in the prompt in which the values were seen."""
        prompt = {
            **txt2img(seed=["20", 0]),
            "20": {"class_type": "X", "inputs": {}},
            "21": {"class_type": "Y"},
        }
        prompt["6"]["inputs"]["text"] = ["21", 0]
        values = {("20", 0): [7], ("21", 0): ["a dog"]}
        inputs = inputs_of(prompt, Observed(values, prompt_id=seen, visited=frozenset(("20",))))
        [found] = inputs.passes
        assert (found.seed, found.positive) == (7, "a dog")
        run: Any = type("Run", (), {"prompt_id": ran, "node_id": node_id})()
        known = inputs.as_ran(found, run)
        return known.seed, known.positive

    def test_run_of_the_same_prompt(self) -> None:
        """Values that were seen in the prompt of the run are its own, be that this prompt or an earlier one."""
        assert self.seed_and_text("now", "now") == (7, "a dog")
        assert self.seed_and_text("p1", "p1") == (7, "a dog")

    def test_run_of_an_earlier_prompt(self) -> None:
        """A value whose node ran anew is not that of a cached run; one from the cache is."""
        assert self.seed_and_text("now", "p1") == (None, "a dog")
        assert self.seed_and_text("p2", "p1") == (None, "a dog")

    def test_run_of_a_later_prompt(self) -> None:
        """Values from the cache say nothing about a run of now: what it got may have been computed anew."""
        assert self.seed_and_text("p1", "now") == (None, None)

    def test_copy_of_the_node(self) -> None:
        """A copy that a loop made has values of its own."""
        assert self.seed_and_text("now", "now", "8.0.0.3") == (None, None)
        assert self.seed_and_text("now", "now", "3.0.0.1") == (7, "a dog")


def test_a_copy_of_the_save_has_no_values() -> None:
    """A Save Gen5 that a loop copied is not in the prompt; what was seen belongs to the original."""
    observed = Observed({("20", 0): [7]})
    assert read_inputs(txt2img(), "4.0.0.9", None, None, None, observed).observed is None


def test_values_do_not_change_which_passes_there_are() -> None:
    """A known switch leaves one branch; a value that is no number leaves the field open."""
    prompt = hires(seed=["20", 0])
    prompt["20"] = {"class_type": "X", "inputs": {}}
    known = [inputs_of(prompt, Observed({("20", 0): [value]})).passes[-1] for value in (7, "seven", None)]
    assert [found.seed for found in known] == [7, None, None]
    assert [found.unresolved for found in known] == [(), ("seed",), ("seed",)]

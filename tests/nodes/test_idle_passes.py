"""Sampler nodes that sample nothing: what is stored about them, and about the passes that did the work.

Source: comfy/samplers.py, KSampler.sample: without a step the latent is handed on as it came.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.graph.passes import sampler_passes
from gen5pack.nodes import host
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.saving.inputs import SaveInputs
from gen5pack.nodes.saving.match_runs import match_runs
from runs import SIGMAS, hires, randn, run, txt2img

SHAPE, LARGER = (1, 4, 4, 8), (1, 4, 8, 16)
NOISE = randn(*SHAPE, seed=42)
STEPS: dict[str, dict[str, Any]] = {
    "denoise 0": {"class_type": "KSampler", "denoise": 0.0},
    "from its end on": {"class_type": "KSamplerAdvanced", "start_at_step": 20, "end_at_step": 10_000},
    "to before its start": {"class_type": "KSamplerAdvanced", "start_at_step": 9, "end_at_step": 7},
}
IDLE = pytest.mark.parametrize("idle", STEPS.values(), ids=STEPS)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Which prompt and node are running, as the host reports them."""
    running = SimpleNamespace(prompt_id="p1", node_id="3")
    monkeypatch.setattr(host, "executing", lambda: (running.prompt_id, running.node_id))
    return running


def graph_of(*idle: dict[str, Any], is_upscaled: bool = False) -> dict[str, Any]:
    """Return a prompt of sampler 3 followed by one idle sampler for each of idle, the first of them 13."""
    graph, latent = hires(), ["12", 0] if is_upscaled else ["3", 0]
    plain = graph["13"]["inputs"]
    for number, changes in enumerate(idle, 13):
        further = {"add_noise": "enable", "noise_seed": 6} | changes
        graph[str(number)] = {
            "class_type": further.pop("class_type"),
            "inputs": {**plain, "denoise": 1.0, **further, "latent_image": latent},
        }
        latent = [str(number), 0]
    graph["8"]["inputs"]["samples"] = graph["9"]["inputs"]["latent"] = latent
    return graph


def save(prompt: dict[str, Any], **inputs: Any) -> tuple[Any, Any]:
    """Save; return the opened file, whose facts stay readable after it is closed, and its latents."""
    path = Gen5Save().save("x", prompt=prompt, unique_id="9", **inputs)["result"][1].path
    with gen5core.open(path) as file:
        return file, {name: latent.torch() for name, latent in file.latents.items()}


# The noise is derived


@IDLE
def test_derived_noise_is_that_of_the_pass_that_sampled(idle: dict[str, Any]) -> None:
    """If the last pass is idle, the noise of the one before is drawn and stored as that pass's."""
    file, latents = save(graph_of(idle), latent={"samples": randn(*SHAPE)})
    first, last = file.capture["passes"]
    assert file.capture["noise_source"] == "derived"
    assert set(latents) == {"initial_noise", "final_latent"}
    assert latents["initial_noise"].equal(torch.randn(SHAPE, generator=torch.Generator().manual_seed(5)))
    assert (first["noise"], first["add_noise"], "reason" in file.capture) == ("initial_noise", True, False)
    assert (last["node_id"], last["add_noise"], "noise" in last) == ("13", False, False)


def test_two_idle_passes() -> None:
    """However many idle passes there are, the noise is that of the pass before them."""
    file, latents = save(graph_of(*STEPS.values()), latent={"samples": randn(*SHAPE)})
    assert [entry["add_noise"] for entry in file.capture["passes"]] == [True, False, False, False]
    assert latents["initial_noise"].equal(torch.randn(SHAPE, generator=torch.Generator().manual_seed(5)))


def test_nothing_but_an_idle_pass() -> None:
    """If no pass samples there is no noise, and the reason says so."""
    file, latents = save(txt2img(denoise=0.0), latent={"samples": randn(*SHAPE)})
    assert (file.capture["noise_source"], list(latents)) == ("none", ["final_latent"])
    assert "samples nothing" in file.capture["reason"]


@IDLE
def test_idle_pass_of_another_size(idle: dict[str, Any]) -> None:
    """If the latent was upscaled before an idle pass, the shape of the earlier pass's noise is unknown."""
    file, latents = save(graph_of(idle, is_upscaled=True), latent={"samples": randn(*LARGER)})
    assert (file.capture["noise_source"], list(latents)) == ("none", ["final_latent"])
    assert ["noise" in entry for entry in file.capture["passes"]] == [False, False]
    for figure in ("3", "13", "shape"):
        assert figure in file.capture["reason"]


def test_pass_without_noise_of_another_size() -> None:
    """The same is true if the last pass samples but adds no noise."""
    refiner = {"class_type": "KSamplerAdvanced", "add_noise": "disable", "start_at_step": 5}
    file, latents = save(graph_of(refiner, is_upscaled=True), latent={"samples": randn(*LARGER)})
    assert (file.capture["noise_source"], list(latents)) == ("none", ["final_latent"])


# The noise is provided


@IDLE
def test_provided_noise_is_that_of_the_pass_that_samples(idle: dict[str, Any]) -> None:
    """Noise on the socket belongs to the first pass that adds noise; an idle one does not."""
    graph = graph_of(idle)
    graph["3"], graph["13"] = graph["13"], graph["3"]
    graph["3"]["inputs"]["latent_image"], graph["13"]["inputs"]["latent_image"] = ["5", 0], ["3", 0]
    file, latents = save(graph, latent={"samples": randn(*SHAPE)}, noise={"samples": NOISE})
    assert [(entry["node_id"], entry.get("noise")) for entry in file.capture["passes"]] == [
        ("3", None),
        ("13", "initial_noise.1"),
    ]
    assert NOISE.equal(latents["initial_noise.1"])


# The run is recorded


def sampled(now: SimpleNamespace, recording: Recording, node_id: str = "3") -> torch.Tensor:
    now.node_id = node_id
    return run([SamplingRecorder(recording)], NOISE, seed=5)[0]


@IDLE
def test_recorded_run_is_that_of_the_pass_that_sampled(now: SimpleNamespace, idle: dict[str, Any]) -> None:
    """The run goes to the first pass; the idle one is stored without a run, and not reported as missing."""
    recording = Recording()
    result = sampled(now, recording)
    file, latents = save(graph_of(idle), latent={"samples": result}, recording=recording)
    first, last = file.capture["passes"]
    assert (file.capture["noise_source"], "reason" in file.capture) == ("recorded", False)
    assert (first["node_id"], first["recorded"], first["sigmas"]) == ("3", True, SIGMAS.tolist())
    assert (last["node_id"], last["recorded"], last["add_noise"]) == ("13", False, False)
    assert set(last) & {"noise", "sigmas", "shapes", "start_latent"} == set()
    assert NOISE.equal(latents["initial_noise"])
    assert set(latents) == {"initial_noise", "final_latent"}


@IDLE
def test_no_run_is_of_an_idle_pass(now: SimpleNamespace, idle: dict[str, Any]) -> None:
    """A run of an earlier prompt by the node that is idle now is not assigned to it."""
    recording = Recording()
    now.node_id = "13"
    kept = run([SamplingRecorder(recording)], randn(*SHAPE, seed=6), seed=6)[0]
    now.prompt_id = "p2"
    result = sampled(now, recording)
    prompt = graph_of(idle)
    inputs = SaveInputs(prompt, "9", sampler_passes(prompt, "9"), [result], None, None, None, recording)
    [first, last] = match_runs(inputs, recording).matches
    assert recording.find_by_result([kept]) is recording.runs[0]
    assert first.run is recording.runs[1]
    assert last.run is None


def test_idle_pass_between_two(now: SimpleNamespace) -> None:
    """The run before an idle pass is found by what the run after it started from."""
    graph = graph_of(STEPS["denoise 0"])
    graph["14"] = {"class_type": "KSampler", "inputs": {**graph["13"]["inputs"], "denoise": 0.5, "seed": 7}}
    graph["14"]["inputs"]["latent_image"] = ["13", 0]
    graph["8"]["inputs"]["samples"] = graph["9"]["inputs"]["latent"] = ["14", 0]
    recording = Recording()
    base = sampled(now, recording)
    now.node_id = "14"
    result = run([SamplingRecorder(recording)], randn(*SHAPE, seed=7), base, seed=7)[0]
    file, latents = save(graph, latent={"samples": result}, recording=recording)
    assert [
        (entry["node_id"], entry["recorded"], entry.get("noise")) for entry in file.capture["passes"]
    ] == [
        ("3", True, "initial_noise"),
        ("13", False, None),
        ("14", True, "initial_noise.2"),
    ]
    assert base.equal(latents["start_latent.2"])
    assert "reason" not in file.capture


@IDLE
def test_images_alone(now: SimpleNamespace, idle: dict[str, Any]) -> None:
    """Without the latent, the run is also looked for in the pass before the idle one."""
    recording = Recording()
    sampled(now, recording)
    file, _ = save(graph_of(idle), images=torch.zeros(1, 4, 6, 3), recording=recording)
    assert [entry["recorded"] for entry in file.capture["passes"]] == [True, False]


def test_settings_are_those_of_the_last_pass() -> None:
    """``generation_settings`` are those of the pass nearest the image, even an idle one: its denoise shows it."""
    file, _ = save(graph_of(STEPS["denoise 0"]), latent={"samples": randn(*SHAPE)})
    assert (file.settings["seed"], file.settings["denoise"]) == (6, 0.0)
    assert (file.settings["steps"], file.prompt) == (20, "a cat, 猫")

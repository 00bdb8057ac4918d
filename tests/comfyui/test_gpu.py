"""On a GPU: recorded and replayed bit for bit; and a file of the CPU, whose noise is the same there at every step.

Each test runs on a server that was started with ``--cpu`` too, so that all but the GPU itself is tried anywhere.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import img2img, sampler_custom_advanced, txt2img
from .launcher import Install
from .results import add_probe, digests, probe, sample
from .roundtrip import Saved, replay_straight, replay_wired, save
from .server import Server

KINDS = ("eps", "flow")
SAMPLERS = ("euler", "euler_ancestral", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def sees_cuda(install: Install) -> bool:
    """Return whether a ComfyUI's torch can use a GPU."""
    line = [str(install.python), "-c", "import torch; print(torch.cuda.is_available())"]
    output = subprocess.run(line, capture_output=True, text=True, check=False).stdout
    return output.strip().endswith("True")


@pytest.fixture(scope="module", params=DEVICES)
def device(request: pytest.FixtureRequest, install: Install) -> str:
    """The device of the target."""
    name: str = request.param
    if name == "cuda" and not sees_cuda(install):
        pytest.skip(f"the torch of ComfyUI {install.version} sees no CUDA")
    return name


@pytest.fixture(scope="module")
def target(
    device: str, install: Install, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A ComfyUI that samples on the device; on the CPU it is the one that the other tests use."""
    if device == "cpu":
        yield server
        return
    with Server(install, tmp_path_factory.mktemp(f"gpu-{install.version}"), cpu=False) as running:
        yield running


def probed(settings: Settings) -> tuple[Graph, list[Any]]:
    """Return txt2img with a probe around its sampler, and the link to the probe's output."""
    graph = txt2img(settings)
    return graph, add_probe(graph)


def save_capture(saved: Saved) -> dict[str, Any]:
    """Return the last pass of a saved file."""
    with gen5core.open(saved.path) as file:
        return dict((file.capture or {})["passes"][-1])


@pytest.mark.parametrize("sampler_name", SAMPLERS)
@pytest.mark.parametrize("kind", KINDS)
def test_recorded_and_replayed(target: Server, device: str, kind: str, sampler_name: str) -> None:
    """Saved and sampled again under another seed on one device: equal bits with both methods, noise recorded there."""
    graph, notes = probed(Settings(kind=kind, sampler_name=sampler_name, batch_size=2, seed=2**40 + 1))
    [saved] = save(target, graph)
    assert saved.digests == digests(sample(target, replay_wired(saved)))
    assert saved.digests == digests(sample(target, replay_straight(saved)))
    assert device == probe(target, graph, notes)["device"]


def test_after_a_restart(target: Server) -> None:
    """Image to image after a restart: the first run of a server, whose sigmas the CPU computes, and the next."""
    [saved] = save(target, img2img(Settings(sampler_name="euler_ancestral", steps=20)))
    target.restart(*target.arguments)
    graph = replay_wired(saved)
    for seed in (1, 2):  # different seeds, so that nothing comes from the cache
        graph.reseed(seed)
        assert saved.digests == digests(sample(target, graph))


@pytest.mark.parametrize("sampler_name", SAMPLERS)
@pytest.mark.parametrize("kind", KINDS)
def test_file_of_the_cpu_starts_from_the_same_noise_at_every_step(
    server: Server, target: Server, device: str, kind: str, sampler_name: str
) -> None:
    """The sampler on the device receives the CPU's noise bit for bit, at the start and at each step."""
    graph, notes = probed(Settings(kind=kind, sampler_name=sampler_name, steps=8, seed=7))
    expected = probe(server, graph, notes)
    [saved] = save(server, graph)
    shutil.copy(saved.path, target.input / "of-the-cpu.gen5")
    again = replay_wired(dataclasses.replace(saved, annotated="of-the-cpu.gen5"))
    for node in again.nodes.values():
        if node["class_type"] == "Gen5Load":
            node["inputs"]["on_drift"] = "ignore"
    actual = probe(target, again, notes)
    assert (expected.pop("device"), actual.pop("device")) == ("cpu", device)
    assert actual == expected
    assert bool(actual["steps"]) == (sampler_name != "euler")


def test_derived_noise(target: Server) -> None:
    """Noise drawn from the seed on the CPU, as ComfyUI draws it, is what the sampler on the device received."""
    graph = sampler_custom_advanced(Settings(kind="flow", batch_size=2))
    [recorded], [derived] = save(target, graph), save(target, graph, record=False)
    with gen5core.open(recorded.path) as one, gen5core.open(derived.path) as other:
        assert (other.capture or {})["noise_source"] == "derived"
        expected = one.latents["initial_noise"].array().tobytes()
        assert other.latents["initial_noise"].array().tobytes() == expected


def test_deterministic_sampling(target: Server) -> None:
    """With Deterministic Sampling two runs are equal, and the file records the torch settings."""
    results = []
    for _ in range(2):
        graph = txt2img(Settings(sampler_name="dpmpp_2m_sde", seed=3))
        node = graph.add("Gen5Determinism", model=graph.model)
        graph.set(graph.samplers[0], model=[node, 0])
        [saved] = save(target, graph)
        results.append(saved.digests)
        settings = save_capture(saved)["torch_settings"]
        assert "enabled=True" in settings["deterministic_algorithms"]
    assert results[0] == results[1]


def test_environment_names_the_device(target: Server, device: str) -> None:
    """A file made on a GPU names it, its driver and its version of cuDNN."""
    [saved] = save(target, txt2img(Settings()))
    with gen5core.open(saved.path) as file:
        assert file.environment is not None
        components = {part.component_id: part.canonical for part in file.environment.components}
        assert {"torch", "numpy", "python", "cuda", "os"} <= components.keys()
        if device == "cuda":
            assert components["gpu"].startswith("name=gpu;model=")
            assert "cudnn" in file.environment.further
            assert file.hardware["gpu"]

"""What the nodes say about a result: equal or not, another model, seeded noise, deterministic sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gen5core
from gen5core.environment.model_digests import digest_file

from .graph import Graph, Settings
from .graphs import sampler_custom_advanced, txt2img
from .results import digests, load, sample
from .roundtrip import GEN5, Saved, replay_wired, save
from .server import GraphError, Server


def compare(server: Server, saved: Saved, graph: Graph, **inputs: Any) -> dict[str, Any]:
    """Run graph with a Compare With Stored on its result and its picture; return its verdict."""
    run = graph.copy()
    file = run.add("Gen5Load", file=saved.annotated, on_drift="error")
    sockets = {"latent": run.result, "images": run.decode(), **inputs}
    node = run.add("Gen5Compare", gen5=[file, GEN5], **sockets)
    [summary] = server.run(run.nodes)[node]["gen5"]
    return dict(summary)


@pytest.mark.parametrize("sampler_name", ["euler", "euler_ancestral"])
def test_unchanged_replay_is_bit_exact(server: Server, sampler_name: str) -> None:
    """A replay under another seed with nothing changed is bit-exact, latent and picture."""
    [saved] = save(server, txt2img(Settings(sampler_name=sampler_name)))
    assert compare(server, saved, replay_wired(saved)) == {
        "identical": True,
        "max_difference": 0.0,
        "psnr": None,
        "report": "latent: bit-exact\nimages: bit-exact",
        "tolerance": 0.0,
        "verdict": "bit-exact",
    }


def test_one_step_fewer(server: Server) -> None:
    """A replay with one step less is different."""
    [saved] = save(server, txt2img(Settings()))
    graph = replay_wired(saved)
    graph.set(graph.samplers[0], steps=3)
    check_different(compare(server, saved, graph))


def test_another_cfg(server: Server) -> None:
    """A replay with another cfg is different."""
    [saved] = save(server, txt2img(Settings()))
    graph = replay_wired(saved)
    graph.set(graph.samplers[0], cfg=5.25)
    check_different(compare(server, saved, graph))


def test_one_bit_of_a_weight(server: Server) -> None:
    """A replay with one bit of the model flipped is different, by very little."""
    [saved] = save(server, txt2img(Settings()))
    graph = replay_wired(saved)
    graph.set(saved.graph.model[0], flip_bit=True)
    summary = compare(server, saved, graph)
    check_different(summary)
    assert summary["max_difference"] < 1e-3
    within = compare(server, saved, graph, tolerance=0.001)
    assert within["report"].startswith("latent: within tolerance, L∞ ")
    assert not within["identical"]


def check_different(summary: dict[str, Any]) -> None:
    """Check that the verdict is DIFFERENT, with figures."""
    assert not summary["identical"]
    assert summary["max_difference"] > 0
    assert summary["psnr"] is not None
    assert summary["report"].startswith("latent: DIFFERENT, L∞ ")


def test_comparing_another_size_says_both(server: Server) -> None:
    """A result of another size is an error that names both shapes."""
    [saved] = save(server, txt2img(Settings()))
    with pytest.raises(GraphError) as caught:
        compare(server, saved, txt2img(Settings(width=128)))
    assert "[[1, 4, 8, 8]]; given: [[1, 4, 8, 16]]. Shapes must be equal" in caught.value.node_message


def test_difference_picture(server: Server) -> None:
    """The difference picture of another cfg is black except for what differs, whose largest value is white."""
    [saved] = save(server, txt2img(Settings()))
    graph = replay_wired(saved)
    graph.set(graph.samplers[0], cfg=9.0)
    file = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    node = graph.add("Gen5Compare", gen5=[file, GEN5], images=graph.decode())
    digest = graph.digest(image=[node, 4])
    [record] = server.run(graph.nodes)[digest]["digest"]
    picture = load(server.output, record["image"])
    assert picture.shape == (1, 64, 64, 3)
    assert (picture.min(), picture.max()) == (0.0, 1.0)


def test_lora_of_other_bytes(server: Server) -> None:
    """A LoRA of the same name and size with other bytes: the drift names it and both digests."""
    path = server.folder / "models" / "loras" / "drifting.safetensors"
    _write_lora(path, 1.0)
    graph = txt2img(Settings())
    lora = graph.add("LoraLoaderModelOnly", model=graph.model, lora_name=path.name, strength_model=0.5)
    graph.set(graph.samplers[0], model=[lora, 0])
    [saved] = save(server, graph, record=False)
    assert _drifts(server, saved) == []
    stored = digest_file(path, "sampled")
    _write_lora(path, 2.0)
    size = path.stat().st_size
    assert _drifts(server, saved) == [
        {
            "component": "lora drifting.safetensors",
            "kind": "differs",
            "stored": f"{stored} {size}",
            "current": f"{digest_file(path, 'sampled')} {size}",
        }
    ]
    path.unlink()
    [gone] = _drifts(server, saved)
    assert (gone["kind"], gone["current"]) == ("missing here", None)


def _write_lora(path: Path, value: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"some.weight": np.full(64, value, np.float32)}, path)


def _drifts(server: Server, saved: Saved) -> list[dict[str, Any]]:
    graph = Graph(Settings())
    file = graph.add("Gen5Load", file=saved.annotated, on_drift="ignore")
    node = graph.add("Gen5Environment", gen5=[file, GEN5])
    [summary] = server.run(graph.nodes)[node]["gen5"]
    return list(summary["drifts"])


@pytest.mark.parametrize("sampler_name", ["euler", "dpmpp_2m_sde"])
def test_deterministic_sampling_gives_the_same_bits(server: Server, sampler_name: str) -> None:
    """Two runs with Deterministic Sampling are equal, and on a CPU equal to one without it."""
    plain = txt2img(Settings(sampler_name=sampler_name, seed=3))
    results = [digests(sample(server, plain))]
    for _ in range(2):
        graph = txt2img(Settings(sampler_name=sampler_name, seed=3))
        node = graph.add("Gen5Determinism", model=graph.model)
        graph.set(graph.samplers[0], model=[node, 0])
        results.append(digests(sample(server, graph)))
    assert results[0] == results[1] == results[2]


def test_deterministic_sampling_replays(server: Server) -> None:
    """Record and Replay with Deterministic Sampling give the same bits."""
    graph = txt2img(Settings(sampler_name="euler_ancestral"))
    node = graph.add("Gen5Determinism", model=graph.model)
    graph.set(graph.samplers[0], model=[node, 0])
    [saved] = save(server, graph)
    assert saved.digests == digests(sample(server, replay_wired(saved)))


def _seeded(server: Server) -> tuple[Graph, str]:
    """Return a SamplerCustomAdvanced of four images that starts from Seeded Noise 0-3, and that node's id."""
    graph = sampler_custom_advanced(Settings(batch_size=4))
    noise = graph.add("Gen5Noise", latent=graph.start, seeds="0-3", convention="per_image")
    graph.set(graph.samplers[0], noise=[noise, 1])
    return graph, noise


def test_seeded_noise_is_what_is_sampled_and_stored(server: Server) -> None:
    """Seeds 0-3 use one generator per image: recorded when used as NOISE, provided when used as LATENT."""
    torch = pytest.importorskip("torch")
    expected = gen5core.per_image_noise((4, 4, 8, 8), range(4), dtype=torch.float32).numpy().tobytes()
    graph, noise = _seeded(server)
    [recorded] = save(server, graph)
    provided = graph.copy()
    node = provided.add("Gen5Save", filename_prefix="seeded/x", latent=provided.result, noise=[noise, 0])
    outputs = server.run(provided.nodes, {"gen5": {"auto_record": False}})
    [summary] = outputs[node]["gen5"]
    for path, source in (
        (recorded.path, "recorded"),
        (server.output / summary["subfolder"] / summary["filename"], "provided"),
    ):
        with gen5core.open(path) as file:
            assert file.latents["initial_noise"].array().tobytes() == expected
            assert (file.capture or {})["noise_source"] == source


def test_one_image_of_seeded_noise_by_its_seed(server: Server) -> None:
    """The third image of seeds 0-3 is the image of seed 2 alone."""
    graph, _ = _seeded(server)
    [record] = sample(server, graph)
    third = load(server.output, record["samples"])[2:3]
    alone = sampler_custom_advanced(Settings(batch_size=1))
    noise = alone.add("Gen5Noise", latent=alone.start, seeds="2", convention="per_image")
    alone.set(alone.samplers[0], noise=[noise, 1])
    [single] = sample(server, alone)
    assert third.tobytes() == load(server.output, single["samples"]).tobytes()


def test_comfyui_convention_is_random_noise(server: Server) -> None:
    """The convention comfyui gives what RandomNoise gives for the same seed."""
    graph = sampler_custom_advanced(Settings(batch_size=2, seed=2**64 - 1))
    expected = digests(sample(server, graph))
    noise = graph.add("Gen5Noise", latent=graph.start, seeds=str(2**64 - 1), convention="comfyui")
    graph.set(graph.samplers[0], noise=[noise, 1])
    assert digests(sample(server, graph)) == expected


def test_other_count_of_seeds_says_what_fits(server: Server) -> None:
    """Four seeds for one image are an error that says how many fit."""
    graph = sampler_custom_advanced(Settings())
    noise = graph.add("Gen5Noise", latent=graph.start, seeds="0-3", convention="per_image")
    graph.set(graph.samplers[0], noise=[noise, 1])
    with pytest.raises(GraphError) as caught:
        sample(server, graph)
    assert "4 seeds for a batch of 1: give 1" in caught.value.node_message

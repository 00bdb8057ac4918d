"""Seeded Noise in a real server: it fits the latent that the sampler uses, and draws as this ComfyUI does."""

from __future__ import annotations

import pytest

import gen5core

from .graph import CHANNELS, Graph, Settings
from .graphs import EMPTY_LATENTS, base, sampler_custom_advanced
from .results import digests, sample
from .roundtrip import save
from .server import GraphError, Server


def seeded(settings: Settings, seeds: str, convention: str) -> Graph:
    """Return a SamplerCustomAdvanced that starts from Seeded Noise of its empty latent."""
    graph = sampler_custom_advanced(settings)
    noise = graph.add("Gen5Noise", latent=graph.start, seeds=seeds, convention=convention)
    graph.set(graph.samplers[0], noise=[noise, 1])
    return graph


def with_small_latent(graph: Graph) -> Graph:
    """Give a graph ComfyUI's plain empty latent, of four channels, which samplers fit to their model."""
    settings = graph.settings
    size = {"width": settings.width, "height": settings.height, "batch_size": settings.batch_size}
    node = graph.add("EmptyLatentImage", **size)
    graph.rewire(graph.start, [node, 0])
    graph.start = [node, 0]
    return graph


@pytest.mark.parametrize(("seeds", "convention"), [("9", "comfyui"), ("9,3", "per_image")])
def test_empty_latent_of_other_channels(server: Server, seeds: str, convention: str) -> None:
    """An empty latent of 4 channels before a model of 16 gets noise of 16, as with RandomNoise."""
    settings = Settings(kind="flow", batch_size=2, seed=9)
    assert (EMPTY_LATENTS["flow"], CHANNELS["flow"]) == ("EmptySD3LatentImage", 16)
    fitting = seeded(settings, seeds, convention)
    small = with_small_latent(seeded(settings, seeds, convention))
    assert digests(sample(server, fitting)) == digests(sample(server, small))
    if convention == "comfyui":
        plain = with_small_latent(sampler_custom_advanced(settings))
        assert digests(sample(server, plain)) == digests(sample(server, small))


def test_recorded_with_the_channels_that_were_sampled(server: Server) -> None:
    """What is stored is the noise that the sampler received, not that of the small latent."""
    torch = pytest.importorskip("torch")
    graph = with_small_latent(seeded(Settings(kind="flow", batch_size=2), "9,3", "per_image"))
    [saved] = save(server, graph, record=None)
    expected = gen5core.per_image_noise((2, 16, 8, 8), [9, 3], dtype=torch.float32).numpy().tobytes()
    with gen5core.open(saved.path) as file:
        assert file.latents["initial_noise"].array().tobytes() == expected


@pytest.mark.parametrize("batch_index", [None, "3,1"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_comfyui_convention_is_this_comfyuis(server: Server, dtype: str, batch_index: str | None) -> None:
    """In each dtype of a latent the noise is what this version's own prepare_noise draws."""
    graph = base(Settings())
    latent = [graph.add("TestLatent", shape="2,4,8,8", dtype=dtype, seed=-1), 0]
    if batch_index is not None:
        latent = [graph.add("TestBatchIndex", latent=latent, batch_index=batch_index), 0]
    theirs = graph.add("TestPrepareNoise", latent=latent, seed=42)
    ours = graph.add("Gen5Noise", latent=latent, seeds="42", convention="comfyui")
    [expected] = sample(server, graph, [theirs, 0])
    [output] = sample(server, graph, [ours, 0])
    assert output["samples"] == expected["samples"]
    assert output["samples"]["dtype"] == dtype


@pytest.mark.parametrize(
    ("seeds", "batch_size", "parts"),
    [
        ("0-3", 1, ("4 seeds for a batch of 1", "give 1")),
        ("7", 4, ("1 seed for a batch of 4", "give 4", "7-10")),
    ],
)
def test_other_count_of_seeds_says_what_fits(
    server: Server, seeds: str, batch_size: int, parts: tuple[str, ...]
) -> None:
    """If the number of seeds is not that of the batch, the error says which numbers fit."""
    with pytest.raises(GraphError) as caught:
        sample(server, seeded(Settings(batch_size=batch_size), seeds, "per_image"))
    assert [part for part in parts if part not in caught.value.node_message] == []


def test_filled_latent_of_other_channels_fails_in_comfyui(server: Server) -> None:
    """A latent with content and other channels than the model's fails as it does with RandomNoise."""
    errors = []
    for graph in (
        sampler_custom_advanced(Settings(kind="flow")),
        seeded(Settings(kind="flow"), "1", "comfyui"),
    ):
        node = graph.add("TestLatent", shape="1,4,8,8", dtype="float32", seed=3)
        graph.rewire(graph.start, [node, 0])
        with pytest.raises(GraphError) as caught:
            sample(server, graph)
        errors.append((caught.value.details["node_type"], caught.value.node_message))
    assert errors[0] == errors[1]

"""``gen5core.comfy_noise`` against the noise that a real ComfyUI draws, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gen5core.tensors.noise import comfy_noise

from .graph import Graph, Settings
from .results import load, parts
from .server import Server

torch = pytest.importorskip("torch")

SHAPES = {
    "4-D": (2, 4, 8, 8),
    "5-D": (1, 16, 3, 6, 5),
    "few values": (1, 1, 3, 3),
    "large": (1, 16, 128, 96),
}
DTYPES = ("float32", "float16", "bfloat16")
SEEDS = (0, 7, 2**32, 2**63 + 5, 2**64 - 1)
BATCH_INDEXES = ([0, 1, 2], [2], [3, 1, 3], [1, 1, 0])
NESTED_SHAPES = [(1, 16, 2, 4, 4), (1, 8, 4, 16)]


def real_noise(server: Server, seed: int, node: str, **inputs: Any) -> list[dict[str, Any]]:
    """Return what ComfyUI draws for the LATENT of a node, described part by part."""
    graph = Graph(Settings())
    latent = [graph.add(node, **inputs), 0]
    return _drawn(server, graph, latent, seed)


def _drawn(server: Server, graph: Graph, latent: list[Any], seed: int) -> list[dict[str, Any]]:
    noise = graph.add("TestPrepareNoise", latent=latent, seed=seed)
    digest = graph.digest([noise, 0])
    [record] = server.run(graph.nodes)[digest]["digest"]
    return parts(record["samples"])


def bits(noise: Any) -> np.ndarray:
    """Return noise as the test pack stores it: bfloat16 as int16 of the same bits."""
    return (noise.view(torch.int16) if noise.dtype == torch.bfloat16 else noise).numpy()


def skip_if_drawn_in(server: Server, dtype: str) -> None:
    """Skip if this ComfyUI draws in half precision; later versions draw float32 and cast, as we do."""
    if dtype == "float32":
        return
    drawn, full = (
        real_noise(server, 0, "TestLatent", shape="1,4,8,8", dtype=name)[0] for name in (dtype, "float32")
    )
    cast = torch.from_numpy(load(server.output, full)).to(getattr(torch, dtype))
    if not np.array_equal(bits(cast), load(server.output, drawn)):
        pytest.skip(f"ComfyUI {server.version} draws {dtype} as such, which depends on torch's version")


def text(shape: tuple[int, ...] | list[int]) -> str:
    """Return a shape in the form that the test pack's nodes accept."""
    return ",".join(map(str, shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_noise_equals_comfyuis(server: Server, shape: tuple[int, ...], dtype: str) -> None:
    """Noise of a picture and of a video is ComfyUI's, in each dtype of a latent."""
    skip_if_drawn_in(server, dtype)
    [drawn] = real_noise(server, 42, "TestLatent", shape=text(shape), dtype=dtype)
    expected = comfy_noise(shape, 42, dtype=getattr(torch, dtype))
    assert (list(shape), dtype) == (drawn["shape"], drawn["dtype"])
    np.testing.assert_array_equal(bits(expected), load(server.output, drawn), strict=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_of_every_seed_equals_comfyuis(server: Server, seed: int) -> None:
    """Every seed of the widget's range, which is unsigned, draws as ComfyUI does."""
    [drawn] = real_noise(server, seed, "TestLatent", shape="1,4,8,8", dtype="float32")
    expected = comfy_noise((1, 4, 8, 8), seed, dtype=torch.float32)
    np.testing.assert_array_equal(bits(expected), load(server.output, drawn), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_index", BATCH_INDEXES, ids=text)
def test_noise_of_a_batch_index_equals_comfyuis(server: Server, batch_index: list[int], dtype: str) -> None:
    """Single images, repeats and any order of batch_index draw as ComfyUI does."""
    skip_if_drawn_in(server, dtype)
    graph = Graph(Settings())
    shape = (len(batch_index), 4, 8, 8)
    plain = [graph.add("TestLatent", shape=text(shape), dtype=dtype), 0]
    indexed = [graph.add("TestBatchIndex", latent=plain, batch_index=text(batch_index)), 0]
    [drawn] = _drawn(server, graph, indexed, 42)
    expected = comfy_noise(shape, 42, dtype=getattr(torch, dtype), batch_index=batch_index)
    np.testing.assert_array_equal(bits(expected), load(server.output, drawn), strict=True)


def test_noise_of_a_nested_latent_equals_comfyuis(server: Server) -> None:
    """The parts of a nested latent are drawn one after the other from one generator, as ComfyUI does."""
    if "TestNested" not in server.object_info():
        pytest.skip(f"ComfyUI {server.version} has no nested latents")
    drawn = real_noise(server, 42, "TestNested", shapes=";".join(map(text, NESTED_SHAPES)))
    expected = comfy_noise(NESTED_SHAPES, 42, dtype=torch.float32)
    assert len(NESTED_SHAPES) == len(drawn)
    for part, actual in zip(expected, drawn, strict=True):
        np.testing.assert_array_equal(bits(part), load(server.output, actual), strict=True)

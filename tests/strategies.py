"""Hypothesis strategies for everything that goes into a GEN5 file, for our tests and for those of other projects.

Most property tests need ``files()``: keyword arguments of ``gen5core.save``.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gen5core.environment.components import COMPONENT_IDS, Component, Environment

if TYPE_CHECKING:
    import torch

_FLOATS = ("float32", "float16")
_TORCH_FLOATS = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
_SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustom")


def names() -> st.SearchStrategy[str]:
    """Names of latents: those of the format, and any string that is not empty."""
    known = ("initial_noise", "final_latent", "start_latent", "noise_mask", "step_noise", "step_noise.1")
    return st.sampled_from(known) | st.text(min_size=1, max_size=12)


def shapes(*, max_dims: int = 6, max_side: int = 6) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of any rank, including 0-D and empty ones."""
    return hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=max_side).filter(
        lambda shape: int(np.prod(shape)) <= 4096
    )


@st.composite
def latents(
    draw: st.DrawFn,
    dtypes: tuple[str, ...] = _FLOATS,
    shape: st.SearchStrategy[tuple[int, ...]] | None = None,
) -> npt.NDArray[Any]:
    """Arrays with any bits (NaNs, infinities and subnormals included), byte order and memory layout."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    sides = draw(shapes() if shape is None else shape)
    bits = np.frombuffer(_bits(draw, int(np.prod(sides)) * dtype.itemsize), dtype).reshape(sides)
    array = np.array(bits, order=draw(st.sampled_from(("C", "F"))))
    if draw(st.booleans()):
        array = array.byteswap().view(dtype.newbyteorder(">"))
    if array.ndim and draw(st.booleans()):
        array = array[::-1]
    return array


@st.composite
def torch_latents(draw: st.DrawFn) -> torch.Tensor:
    """CPU tensors of every dtype that a file holds, with any bits and rank, contiguous or not."""
    torch = loaded_torch()
    dtype = getattr(torch, draw(st.sampled_from(_TORCH_FLOATS)))
    sides = draw(shapes(max_dims=4, max_side=4))
    raw = bytearray(_bits(draw, int(np.prod(sides)) * dtype.itemsize))
    if not raw:
        return torch.empty(sides, dtype=dtype)
    tensor = torch.frombuffer(raw, dtype=torch.uint8).view(dtype).reshape(sides)
    return tensor.transpose(0, -1) if tensor.ndim > 1 and draw(st.booleans()) else tensor


@st.composite
def pixels(draw: st.DrawFn, max_side: int = 5) -> npt.NDArray[np.uint8]:
    """uint8 images: (H, W), (H, W, C) or (B, H, W, C), C 1, 3 or 4."""
    channels = draw(st.sampled_from((1, 3, 4)))
    side = st.integers(1, max_side)
    height, width = draw(side), draw(side)
    shape = draw(st.sampled_from(((height, width), (height, width, channels), (2, height, width, channels))))
    return np.frombuffer(_bits(draw, int(np.prod(shape))), np.uint8).reshape(shape)


def json_values(*, max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Values of strict JSON, of the sizes and depths that people write."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8)
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=max_leaves,
    )


def settings() -> st.SearchStrategy[dict[str, Any]]:
    """``generation_settings``: documented ones that keep their rules, and others of any kind."""
    amount = st.floats(0, 100)
    documented = st.fixed_dictionaries(
        {"seed": st.integers(0, 2**64 - 1), "steps": st.integers(1, 10_000), "sampler": st.text(max_size=8)},
        optional={
            "cfg_scale": amount,
            "scheduler": st.text(max_size=8),
            "eta": amount,
            "guidance": st.text(max_size=8),
            "precision": st.sampled_from(("fp16", "bf16", "fp32")),
            "deterministic": st.booleans(),
        },
    )
    others = st.dictionaries(st.text(max_size=6).map("x_".__add__), json_values(max_leaves=4), max_size=2)
    return st.builds(lambda known, further: {**further, **known}, documented, others)


@st.composite
def prompt_graphs(draw: st.DrawFn) -> dict[str, Any]:
    """ComfyUI prompts in API format: a chain of samplers after a loader."""
    graph: dict[str, Any] = {"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.ckpt"}}}
    link: list[Any] = ["1", 0]
    for number in range(2, 2 + draw(st.integers(0, 3))):
        inputs = {
            "model": ["1", 0],
            "latent_image": link,
            "seed": draw(st.integers(0, 2**64 - 1)),
            "steps": draw(st.integers(1, 100)),
            "cfg": draw(st.floats(0, 30)),
        }
        graph[str(number)] = {"class_type": draw(st.sampled_from(_SAMPLERS)), "inputs": inputs}
        link = [str(number), 0]
    return graph


def environments() -> st.SearchStrategy[Environment]:
    """Environments with some of the documented components and further facts."""
    text = st.text(max_size=12).filter(_is_utf8)
    components = st.lists(st.sampled_from(COMPONENT_IDS), unique=True, max_size=3)
    return st.builds(
        lambda ids, value, further: Environment(
            tuple(Component(name, f"name={name};version={value}") for name in COMPONENT_IDS if name in ids),
            further,
        ),
        components,
        text,
        st.dictionaries(st.sampled_from(("host", "attention", "gpu1")), text, max_size=2),
    )


def files() -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments of ``gen5core.save``: anything that a file may hold, in small sizes."""
    return st.fixed_dictionaries(
        {
            "latents": st.dictionaries(
                names(), latents() | st.lists(latents(), min_size=2, max_size=2), max_size=3
            ),
            "images": st.lists(pixels(), max_size=2),
            "compression": st.sampled_from(("auto", "none", "zstd")),
            "environment": st.none() | environments(),
            "hardware": st.none() | st.just({"os": "Linux 6.8.0"}),
        },
        optional={
            "settings": settings(),
            "prompt": st.text(max_size=20),
            "model_name": st.text(max_size=8),
            "tags": st.lists(st.text(max_size=5), max_size=2),
            "comfyui": st.fixed_dictionaries({"prompt": prompt_graphs()}),
            "capture": st.fixed_dictionaries({"noise_source": st.just("recorded")}),
            "resources": st.lists(st.fixed_dictionaries({"name": st.text(max_size=5)}), max_size=2),
        },
    )


def loaded_torch() -> Any:
    """Return torch, imported without the warning that it gives if the retired package pynvml is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import torch
    return torch


def _bits(draw: st.DrawFn, size_bytes: int) -> bytes:
    """Return size_bytes of random bytes, repeating the drawn ones if they are fewer."""
    seed = draw(st.binary(min_size=1, max_size=64))
    return (seed * (size_bytes // len(seed) + 1))[:size_bytes]


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

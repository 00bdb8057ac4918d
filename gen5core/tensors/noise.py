"""The two documented noise conventions: the starting noise of a seed, drawn again bit for bit.

Both draw on the CPU, where a seed gives the same numbers on every machine with the same torch version, and neither
uses torch's global generator.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from ..errors import EncodeError

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

Shape = Sequence[int]
MAX_SEED = 2**64 - 1
"""The largest seed that a ComfyUI widget accepts."""


@overload
def comfy_noise(
    shape: Shape, seed: int, *, dtype: torch.dtype, batch_index: Sequence[int] | None = None
) -> torch.Tensor: ...


@overload
def comfy_noise(
    shape: Sequence[Shape], seed: int, *, dtype: torch.dtype, batch_index: Sequence[int] | None = None
) -> list[torch.Tensor]: ...


def comfy_noise(
    shape: Shape | Sequence[Shape],
    seed: int,
    *,
    dtype: torch.dtype,
    batch_index: Sequence[int] | None = None,
) -> torch.Tensor | list[torch.Tensor]:
    """Return the noise that ComfyUI's samplers start from.

    It is drawn as float32 on the CPU from one generator, then cast.

    Parameters
    ----------
    shape : of the latent, e.g. (B, C, H, W) or (B, C, T, H, W); for a nested latent the shapes of its
        parts, drawn one after the other
    seed : 0 to 2⁶⁴−1
    dtype : of the latent
    batch_index : for each image the number of its noise among those of the seed; noises are drawn one at a
        time up to the largest number, and the others discarded

    Returns
    -------
    tensor of shape and dtype, on the CPU; a list of tensors for a nested latent

    Raises
    ------
    EncodeError
        if a seed or batch_index is out of range or not an integer.

    Source: ComfyUI, ``comfy.sample.prepare_noise``. Versions up to at least 0.8 draw half precision in that
    dtype, which can give different numbers.
    """
    import torch

    generator = torch.Generator("cpu").manual_seed(_checked_seed(seed))
    batch_index = None if batch_index is None else [_as_int(number, "batch_index") for number in batch_index]
    if shape and isinstance(shape[0], Sequence):
        shapes: Sequence[Shape] = shape  # type: ignore[assignment]
        return [_draw(part, generator, dtype, batch_index) for part in shapes]
    return _draw(shape, generator, dtype, batch_index)  # type: ignore[arg-type]


def per_image_noise(
    shape: Shape, seeds: Sequence[int] | npt.NDArray[Any] | torch.Tensor, *, dtype: torch.dtype
) -> torch.Tensor:
    """Return noise drawn with one generator per image, as Diffusers draws it with a list of generators.

    The noise of an image then does not depend on its position in the batch.

    Parameters
    ----------
    shape : (B, …), B being the number of seeds
    seeds : one per image, 0 to 2⁶⁴−1; a list, an array or a tensor of integers
    dtype : of the draw itself, which can give other numbers than a cast (torch 2.13: if the size of an image
        is not a multiple of 16)

    Returns
    -------
    tensor of shape and dtype, on the CPU

    Raises
    ------
    EncodeError
        if the number of seeds is not that of images, a seed is out of range or not an integer, or shape is empty.

    Source: Diffusers, ``diffusers.utils.torch_utils.randn_tensor``; guide "Reproducible pipelines".
    """
    import torch

    if not shape:
        raise EncodeError("shape is empty; its first size must be the batch size")
    if len(seeds) != shape[0]:
        raise EncodeError(f"{len(seeds)} seeds for a batch of {shape[0]}: give {shape[0]}, one per image")
    drawn = [
        torch.randn(
            (1, *shape[1:]), generator=torch.Generator("cpu").manual_seed(_checked_seed(seed)), dtype=dtype
        )
        for seed in seeds
    ]
    return torch.cat(drawn) if drawn else torch.empty(tuple(shape), dtype=dtype)


def _draw(
    shape: Shape, generator: torch.Generator, dtype: torch.dtype, batch_index: Sequence[int] | None
) -> torch.Tensor:
    import torch

    if batch_index is None:
        return torch.randn(tuple(shape), dtype=torch.float32, generator=generator).to(dtype)
    if not batch_index or min(batch_index) < 0:
        raise EncodeError(f"batch_index is {batch_index}; it must be one number per image, counted from 0")
    drawn = {}
    for number in range(max(batch_index) + 1):
        noise = torch.randn((1, *shape[1:]), dtype=torch.float32, generator=generator)
        if number in batch_index:
            drawn[number] = noise.to(dtype)
    return torch.cat([drawn[number] for number in batch_index])


def _checked_seed(seed: Any) -> int:
    number = _as_int(seed, "seed")
    if not 0 <= number <= MAX_SEED:
        raise EncodeError(f"seed is {number}; it must be from 0 to {MAX_SEED}")
    return number


def _as_int(value: Any, what: str) -> int:
    """Return an integer of any library (numpy, torch) as an int."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise EncodeError(f"{what} is {value!r:.80}, not an integer; give an int") from error

"""The documented noise conventions: the starting noise of a seed, drawn again, bit for bit.

Both draw on the CPU, where a seed gives the same numbers on every machine of a torch version, and neither
touches torch's global generator.
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
"""The last seed that a ComfyUI widget gives."""


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

    Drawn as float32 on the CPU from one generator, then cast.

    Parameters
    ----------
    shape : the latent's, e.g. (B, C, H, W) or (B, C, T, H, W); for a nested latent the shapes of its
        parts, drawn one after the other
    seed : 0 to 2⁶⁴−1
    dtype : the latent's
    batch_index : for each image the number of its noise within the seed; as many are drawn as it takes,
        one image at a time, and those wanted are kept

    Returns
    -------
    tensor of shape and dtype on the CPU; a list of them for a nested latent

    Raises
    ------
    EncodeError
        for a seed or batch_index that is out of range or no whole number.

    Source: ComfyUI, ``comfy.sample.prepare_noise``. Versions up to 0.8 at least draw half precision in its
    own dtype, which can give other numbers.
    """
    import torch

    generator = torch.Generator("cpu").manual_seed(_checked(seed))
    batch_index = None if batch_index is None else [_whole(number, "batch_index") for number in batch_index]
    if shape and isinstance(shape[0], Sequence):
        shapes: Sequence[Shape] = shape  # type: ignore[assignment]
        return [_draw(part, generator, dtype, batch_index) for part in shapes]
    return _draw(shape, generator, dtype, batch_index)  # type: ignore[arg-type]


def per_image_noise(
    shape: Shape, seeds: Sequence[int] | npt.NDArray[Any] | torch.Tensor, *, dtype: torch.dtype
) -> torch.Tensor:
    """Return noise drawn by one generator an image, as a list of generators draws it in Diffusers.

    An image's noise then does not depend on its place in the batch.

    Parameters
    ----------
    shape : (B, …), B being the number of seeds
    seeds : one an image, 0 to 2⁶⁴−1; a list, an array or a tensor of whole numbers
    dtype : drawn in this dtype, which can give other numbers than a cast (torch 2.13: for an image whose
        size 16 does not divide)

    Returns
    -------
    tensor of shape and dtype on the CPU

    Raises
    ------
    EncodeError
        if there are more or fewer seeds than images, a seed is out of range or no whole number, or shape is
        empty.

    Source: Diffusers, ``diffusers.utils.torch_utils.randn_tensor``; guide "Reproducible pipelines".
    """
    import torch

    if not shape:
        raise EncodeError("shape is empty; its first size is the batch")
    if len(seeds) != shape[0]:
        raise EncodeError(f"{len(seeds)} seeds for a batch of {shape[0]}: give {shape[0]}, one an image")
    drawn = [
        torch.randn(
            (1, *shape[1:]), generator=torch.Generator("cpu").manual_seed(_checked(seed)), dtype=dtype
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
        raise EncodeError(f"batch_index is {batch_index}; it names noises from 0 on, one an image")
    drawn = {}
    for number in range(max(batch_index) + 1):
        noise = torch.randn((1, *shape[1:]), dtype=torch.float32, generator=generator)
        if number in batch_index:
            drawn[number] = noise.to(dtype)
    return torch.cat([drawn[number] for number in batch_index])


def _checked(seed: Any) -> int:
    number = _whole(seed, "seed")
    if not 0 <= number <= MAX_SEED:
        raise EncodeError(f"seed is {number}; it goes from 0 to {MAX_SEED}")
    return number


def _whole(value: Any, what: str) -> int:
    """Return a whole number of any library (numpy, torch) as Python's own."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise EncodeError(f"{what} is {value!r:.80}, not a whole number; give an int") from error

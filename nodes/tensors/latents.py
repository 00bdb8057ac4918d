"""ComfyUI's LATENT dict and its tensors: nested or not, single images of a batch, packed for samplers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...gen5core.errors import EncodeError
from ...gen5core.tensors.noise import comfy_noise
from .. import host

Parts = list[torch.Tensor]
_UNCOUNTED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


def parts_of(samples: Any) -> Parts:
    """Return a latent's tensors: one, or those of a nested latent in order."""
    return list(samples.unbind()) if getattr(samples, "is_nested", False) else [samples]


def joined(parts: Sequence[torch.Tensor]) -> Any:
    """Return parts as one tensor or as a NestedTensor, the form in which a LATENT holds them."""
    return parts[0] if len(parts) == 1 else host.nested(parts)


def storable(parts: Sequence[torch.Tensor]) -> torch.Tensor | Parts:
    """Return parts as a tensor, or as a list for a nested latent: the form that ``gen5core.save`` takes."""
    return parts[0] if len(parts) == 1 else list(parts)


def pack(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return parts in the form that a sampler gets: a nested latent becomes one tensor of shape (B, 1, N).

    Source: ``comfy.utils.pack_latents``.
    """
    if len(parts) == 1:
        return parts[0]
    return torch.cat([part.reshape(part.shape[0], 1, -1) for part in parts], dim=-1)


def unpack(packed: torch.Tensor, shapes: Sequence[Sequence[int]] | None) -> Parts:
    """Undo ``pack``, given the shapes of the parts; a single shape, or None, means a single part."""
    if shapes is None or len(shapes) < 2:
        return [packed]
    sizes = [torch.Size(shape[1:]).numel() for shape in shapes]
    pieces = torch.split(packed, sizes, dim=-1)
    return [piece.reshape([packed.shape[0], *shape[1:]]) for piece, shape in zip(pieces, shapes, strict=True)]


def take(parts: Sequence[torch.Tensor], batch_index: int, what: str) -> Parts:
    """Return one image of a batch, or the whole batch for −1.

    Raises
    ------
    EncodeError
        if the batch has no such image.
    """
    if batch_index < 0:
        return list(parts)
    for part in parts:
        if not has_image([part], batch_index):
            raise EncodeError(
                f"batch_index is {batch_index}, the {what} holds {part.shape[0]} "
                f"(0 to {part.shape[0] - 1}); −1 takes all"
            )
    return [part[batch_index : batch_index + 1].clone() for part in parts]


def has_image(parts: Sequence[torch.Tensor], batch_index: int) -> bool:
    """Return whether ``take`` finds this image."""
    return all(batch_index < part.shape[0] for part in parts)


def take_mask(parts: Sequence[torch.Tensor], batch_index: int) -> Parts:
    """Return the mask of one image, or all for −1; masks fewer than images are repeated, as ComfyUI does."""
    if batch_index < 0:
        return list(parts)
    return [part[batch_index % part.shape[0]][None].clone() for part in parts]


def shapes_of(parts: Sequence[torch.Tensor]) -> list[list[int]]:
    """Return the shape of each part."""
    return [list(part.shape) for part in parts]


def digest(parts: Sequence[torch.Tensor]) -> str:
    """Return SHA-256 (hex) over dtype, shape and bits of parts."""
    total = hashlib.sha256()
    for part in parts:
        plain = part.detach().cpu().resolve_conj().resolve_neg().contiguous()
        total.update(f"{plain.dtype} {tuple(plain.shape)}".encode())
        total.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def draw_noise(latent: Sequence[torch.Tensor], seed: int, batch_index: Sequence[int] | None) -> Parts:
    """Return the noise of a seed for a latent as this ComfyUI draws it; without ComfyUI, as the latest version does."""
    drawn = host.prepare_noise(joined(latent), seed, batch_index)
    if drawn is not None:
        return parts_of(drawn)
    shapes = [tuple(part.shape) for part in latent]
    return comfy_noise(shapes, seed, dtype=latent[0].dtype, batch_index=batch_index)


def compact(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor; if it is all zeros, a view of a single zero, which takes no memory."""
    return tensor.new_zeros(()).expand(tensor.shape) if is_zero([tensor]) else tensor


def is_zero(parts: Sequence[torch.Tensor]) -> bool:
    """Return whether every value is zero, as in an empty latent, or as the noise if none is added."""
    return all(not torch.count_nonzero(_countable(part)) for part in parts)


def _countable(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor with the same zeros: torch counts neither 8-bit floats nor wide unsigned integers."""
    if tensor.is_floating_point() and tensor.element_size() == 1:
        return tensor.float()
    if tensor.dtype in _UNCOUNTED:
        return tensor.view(_UNCOUNTED[tensor.dtype])
    return tensor


def samples_of(latent: Mapping[str, Any], socket: str) -> Parts:
    """Return the tensors of a LATENT.

    Raises
    ------
    EncodeError
        if it is not a LATENT.
    """
    check_latent(latent, socket)
    return parts_of(latent["samples"])


def check_latent(latent: object, socket: str) -> None:
    """Raise EncodeError unless a socket's value is a LATENT."""
    if not isinstance(latent, Mapping) or "samples" not in latent:
        raise EncodeError(f"{socket} is not a LATENT: it has no `samples`; connect a sampler's LATENT output")

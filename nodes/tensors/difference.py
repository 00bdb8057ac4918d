"""Compare two images or latents: identical or not, largest difference (L∞), PSNR, and where they differ.

Source: PSNR, ISO/IEC 29170-1:2017 annex A (peak 1 for images, the stored range for latents).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between a stored tensor and a current one of equal shape."""

    what: str
    identical: bool
    max_difference: float
    """L∞, in units of the values; inf if only one side has a NaN or infinity somewhere."""
    psnr: float
    """dB; inf if nothing differs."""
    differing: int
    """Number of values that differ."""
    total: int


def compare_tensors(what: str, stored: torch.Tensor, current: torch.Tensor, peak: float) -> Comparison:
    """Return how two tensors of equal shape differ, compared bit by bit and in float64.

    Parameters
    ----------
    peak : the range of the values, for PSNR
    """
    one, other = stored.detach().cpu(), current.detach().cpu()
    unequal, difference = _differences(one, other)
    largest = float(difference.max()) if difference.numel() else 0.0
    mean_square = float(difference.square().mean()) if difference.numel() else 0.0
    return Comparison(
        what=what,
        identical=one.dtype == other.dtype and _bits(one).equal(_bits(other)),
        max_difference=largest,
        psnr=_psnr(mean_square, peak),
        differing=int(unequal.sum()),
        total=unequal.numel(),
    )


def max_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the largest difference, L∞, of two tensors of equal shape and any dtype; inf where only one is NaN."""
    _, difference = _differences(one.detach().cpu(), other.detach().cpu())
    return float(difference.max()) if difference.numel() else 0.0


def nearest(candidates: Sequence[Sequence[torch.Tensor]], wanted: Sequence[torch.Tensor]) -> int:
    """Return the index of the candidate, each of equal shapes, that is identical to wanted, or else the nearest."""

    def distance(parts: Sequence[torch.Tensor]) -> tuple[bool, float]:
        found = [compare_tensors("", one, other, peak=1.0) for one, other in zip(parts, wanted, strict=True)]
        return not all(one.identical for one in found), -min(one.psnr for one in found)

    distances = [distance(parts) for parts in candidates]
    return distances.index(min(distances))


def value_range(tensor: torch.Tensor) -> float:
    """Return the difference between the largest and the smallest finite value; 1 if there is none."""
    wide = _wide(tensor.detach().cpu(), tensor.dtype)
    real = torch.view_as_real(wide) if wide.is_complex() else wide
    finite = real[real.isfinite()]
    return float(finite.max() - finite.min()) or 1.0 if finite.numel() else 1.0


def _differences(one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which values differ, and by how much, as float64."""
    a, b = _wide(one, other.dtype), _wide(other, one.dtype)
    unequal = ~((a == b) | (a.isnan() & b.isnan()))
    if not (one.is_floating_point() or one.is_complex()) and one.dtype == other.dtype:
        unequal = one != other  # float64 rounds 64-bit integers
    size = (a - b).abs()
    return unequal, torch.where(unequal, size.nan_to_num(nan=math.inf, posinf=math.inf), 0.0)


def _wide(tensor: torch.Tensor, other: torch.dtype) -> torch.Tensor:
    """Return values as float64, as complex128 if they or those of the other dtype are complex."""
    is_complex = tensor.is_complex() or other.is_complex
    return tensor.to(torch.complex128) if is_complex else tensor.double()


def difference_picture(stored: torch.Tensor, current: torch.Tensor) -> torch.Tensor:
    """Return a picture of the difference of two images, scaled so that the largest difference is white.

    Parameters
    ----------
    stored, current : float, shape (B, H, W, C), 0..1

    Returns
    -------
    float32, shape (B, H, W, 3); black where nothing differs
    """
    difference = (stored[..., :3].double() - current[..., :3].double()).abs().nan_to_num(nan=1.0)
    largest = difference.max() if difference.numel() else difference.new_zeros(())
    scaled = difference / largest if largest > 0 else difference
    if scaled.shape[-1] == 1:
        scaled = scaled.expand(*scaled.shape[:-1], 3)
    return scaled.float().contiguous()


def _psnr(mean_square: float, peak: float) -> float:
    if mean_square == 0:
        return math.inf
    return -math.inf if math.isinf(mean_square) else 10 * math.log10(peak**2 / mean_square)


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)

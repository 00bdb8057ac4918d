"""Compare two images or latents: identical or not, largest difference (L∞), PSNR, and where they differ.

Source: PSNR, ISO/IEC 29170-1:2017 annex A (peak 1 for images, the stored range for latents).
"""

from __future__ import annotations

import math
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
    a, b = one.double(), other.double()
    unequal = ~((a == b) | (a.isnan() & b.isnan()))
    difference = torch.where(unequal, (a - b).abs().nan_to_num(nan=math.inf, posinf=math.inf), 0.0)
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
    return tensor.contiguous().reshape(-1).view(torch.uint8)

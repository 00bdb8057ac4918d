"""Compare two results: the largest difference, and a picture of both and of their difference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import gen5core

PNG_LEVEL = 6
GAP = 8
"""White pixels between two pictures."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing two arrays of equal shape."""

    largest: float
    """L∞, the largest absolute difference."""
    identical: bool
    """Whether every bit is equal, including the signs of zeros."""

    def __str__(self) -> str:
        return f"L∞ {self.largest:.3g}, {'bit-exact' if self.identical else 'DIFFERENT'}"


def compare(first: npt.NDArray[np.float32], again: npt.NDArray[np.float32]) -> Comparison:
    """Compare two results of equal shape."""
    difference = np.abs(first.astype(np.float64) - again.astype(np.float64))
    return Comparison(float(difference.max()), first.tobytes() == again.tobytes())


def side_by_side(first: npt.NDArray[np.uint8], again: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return first, again and their absolute difference in a row; each of shape (H, W, 3)."""
    difference = np.abs(first.astype(np.int16) - again.astype(np.int16)).astype(np.uint8)
    gap = np.full((first.shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([first, gap, again, gap, difference], axis=1)


def write_picture(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write pixels of shape (H, W, 3) as a PNG."""
    path.write_bytes(gen5core.encode_image(pixels, level=PNG_LEVEL))

"""The dtypes that a file holds without loss: how each is stored, and how its bits are converted.

float32 and float16 are stored as they are. bfloat16 and float8 are widened to the smaller of the two that
holds all of their values, and narrowed again on reading.

Source: FORMAT.md, "Tensors".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Layout:
    """The width of a dtype, and how a file stores it."""

    item_bytes: int
    stored_as: str
    """The smaller of ``float32`` and ``float16`` that holds all of its values."""
    is_upper_half: bool = False
    """Its bits are the upper half of the stored ones and are shifted: converting by value changes NaN payloads."""

    @property
    def bits(self) -> str:
        """numpy's name for the unsigned integer of this width."""
        return f"u{self.item_bytes}"


LAYOUTS: Final[Mapping[str, Layout]] = {
    "float32": Layout(4, "float32"),
    "float16": Layout(2, "float16"),
    "bfloat16": Layout(2, "float32", is_upper_half=True),
    "float8_e4m3fn": Layout(1, "float16"),
    "float8_e4m3fnuz": Layout(1, "float16"),
    "float8_e5m2": Layout(1, "float16", is_upper_half=True),
    "float8_e5m2fnuz": Layout(1, "float16"),
    "float8_e8m0fnu": Layout(1, "float32"),
}
"""By torch's name for the dtype."""


def widen(bits: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Return values of dtype, given by their bits, in the dtype that they are stored as.

    Parameters
    ----------
    bits : unsigned integers of dtype's width, of any shape; for float32 and float16 the result shares their memory

    Raises
    ------
    ImportError, AttributeError
        if torch, which converts every float8 but ``float8_e5m2``, is not installed or does not know dtype.
    """
    layout = LAYOUTS[dtype]
    if layout.stored_as == dtype:
        return bits.view(dtype)
    if layout.is_upper_half:
        wide, shift = _wide(layout)
        return np.asarray(bits.astype(wide) << shift).view(layout.stored_as)
    import torch

    # torch warns about memory that is read-only, so such bits are copied.
    values = torch.from_numpy(np.require(bits, requirements="W")).view(getattr(torch, dtype))
    widened: npt.NDArray[Any] = values.to(getattr(torch, layout.stored_as)).numpy()
    return widened


def narrow(array: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Return the bits in dtype of stored values; the inverse of ``widen``.

    Raises
    ------
    ImportError, AttributeError
        as ``widen``.
    """
    layout = LAYOUTS[dtype]
    if layout.stored_as == dtype:
        return array.view(layout.bits)
    if layout.is_upper_half:
        wide, shift = _wide(layout)
        return np.asarray(array.view(wide) >> shift).astype(layout.bits)
    import torch

    values = torch.from_numpy(array).to(getattr(torch, dtype))
    narrowed: npt.NDArray[Any] = values.view(torch.uint8).numpy()
    return narrowed


def little_endian(array: npt.NDArray[Any]) -> memoryview:
    """Return the bytes of array in C order, little-endian; not copied if they are stored like that already."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def _wide(layout: Layout) -> tuple[np.dtype[Any], np.unsignedinteger[Any]]:
    """Return the unsigned dtype of twice the width, and the shift to its upper half as a scalar of that dtype."""
    wide = np.dtype(f"u{2 * layout.item_bytes}")
    return wide, wide.type(8 * layout.item_bytes)

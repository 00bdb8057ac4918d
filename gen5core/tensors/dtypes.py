"""The dtypes that a file holds without loss: how each is stored, and how its bits are converted.

float32 and float16 are stored as they are. bfloat16 and float8 are widened to the smaller of the two that
holds all of their values, and narrowed again on reading. The dtypes of NATIVE, which numpy has too, are stored by
value or cut into words, since older readers open no LATN that is neither float32 nor float16.

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


@dataclass(frozen=True, slots=True)
class Native:
    """How a file stores a dtype of numpy as float32 or float16."""

    stored_as: str
    words: int = 0
    """Stored values for each value, on one more axis at the end: its bits, cut up; 0 if each is stored by value."""


NATIVE: Final[Mapping[str, Native]] = {
    "bool": Native("float16"),
    "int8": Native("float16"),
    "uint8": Native("float16"),
    "int16": Native("float32"),
    "uint16": Native("float32"),
    "int32": Native("float32", words=1),
    "uint32": Native("float32", words=1),
    "int64": Native("float32", words=2),
    "uint64": Native("float32", words=2),
    "float64": Native("float32", words=2),
    "complex64": Native("float32", words=2),
    "complex128": Native("float32", words=4),
}
"""By the name that numpy and torch share."""
KNOWN: Final = (*LAYOUTS, *NATIVE)
"""Every dtype that a file holds without loss."""


def stored_as(dtype: str) -> str:
    """Return the dtype, float32 or float16, of a LATN that holds values of dtype."""
    return NATIVE[dtype].stored_as if dtype in NATIVE else LAYOUTS[dtype].stored_as


def stored_shape(shape: tuple[int, ...], dtype: str) -> tuple[int, ...]:
    """Return the shape of a LATN that holds an array of dtype and shape."""
    words = NATIVE[dtype].words if dtype in NATIVE else 0
    return (*shape, words) if words else shape


def to_stored(array: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Return an array of a dtype of NATIVE as a LATN stores it, little-endian."""
    native = NATIVE[dtype]
    if not native.words:
        return array.astype(native.stored_as)
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view("<f4").reshape(stored_shape(array.shape, dtype))


def from_stored(array: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Return the values of a dtype of NATIVE; the inverse of ``to_stored``.

    Raises
    ------
    ValueError
        if dtype does not have one of the values.
    """
    if NATIVE[dtype].words:
        little = np.ascontiguousarray(array, "<f4").reshape(-1).view(np.dtype(dtype).newbyteorder("<"))
        return little.reshape(array.shape[:-1]).astype(dtype, copy=False)
    with np.errstate(invalid="ignore"):
        values = array.astype(dtype)
    if not np.array_equal(values.astype(array.dtype), array):
        raise ValueError(f"holds values that {dtype} does not have")
    return values


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

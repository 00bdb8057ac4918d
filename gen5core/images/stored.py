"""An image in an open file: its size and format are known from META, its bytes and pixels are read on access."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..container import spec
from ..container.payloads import ReadPayload
from ..container.records import ChunkRow
from ..errors import naming_file
from .codec import decode_image, decode_reduced

if TYPE_CHECKING:
    from PIL import Image


class StoredImage:
    """One encoded image; ``bytes`` and ``array()`` read and check it."""

    def __init__(self, row: ChunkRow, read: ReadPayload, limits: spec.Limits, path: str) -> None:
        self._row, self._read, self._limits, self._path = row, read, limits, path

    @property
    def size_bytes(self) -> int:
        """Size of the encoded image."""
        return self._row.uncompressed_size

    @property
    def facts(self) -> Mapping[str, Any]:
        """index, width, height and format; empty in a file of version 1.0."""
        return self._row.extra

    @property
    def bytes(self) -> bytes:
        """The encoded image (PNG, JPEG or WebP), as it was saved."""
        return self._read(self._row).tobytes()

    def array(self) -> npt.NDArray[np.uint8]:
        """Return the pixels: uint8, shape (H, W, C) with C 1, 3 or 4.

        Raises
        ------
        FormatError
            in one of its kinds, if the bytes do not match or are not an image; LimitError before decoding.
        """
        data, row = self.bytes, self._row
        with naming_file(self._path):
            return decode_image(data, chunk=str(row), offset=row.offset, limits=self._limits)

    def reduced(self, size: int, max_pixels: int) -> Image.Image:
        """Return the image with a longer side of at most size, of mode L, RGB or RGBA.

        Parameters
        ----------
        max_pixels : how many pixels the stored image may have; its header tells before anything is decoded

        Raises
        ------
        FormatError
            as ``array``.
        """
        data, row = self.bytes, self._row
        limits = replace(self._limits, image_pixels=min(max_pixels, self._limits.image_pixels))
        with naming_file(self._path):
            return decode_reduced(data, size, chunk=str(row), offset=row.offset, limits=limits)

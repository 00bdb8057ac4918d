"""Pixels -> PNG bytes.

In a .gen5 zstd does the compressing, so the PNG's pixel stream is only filtered and stored, which any PNG reader
opens. A PNG on its own is deflated.

Source: PNG third edition, sections 5, 7, 9.2 and 10; RFC 1950, RFC 1951.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import EncodeError, UnsupportedDtypeError
from ..tensors import codec as tensor_codec
from .deflate import deflate, store
from .png_chunks import PngChunk, complete_chunks, encode_text, join_chunks, replace_stream

_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}
"""Channels -> PNG colour type: grey, RGB, RGBA."""
_UP_FILTER = 2


def split_batch(images: Any) -> list[Any]:
    """Return the images one by one, as bytes or as arrays (H, W, C); a batch (B, H, W, C) becomes B views of it.

    Parameters
    ----------
    images : bytes, an array (uint8; HW, HWC or BHWC), or a sequence of those

    Raises
    ------
    EncodeError, UnsupportedDtypeError
        if an item is not an image.
    """
    if isinstance(images, (bytes, bytearray, memoryview)):
        return [bytes(images)]
    if not (isinstance(images, np.ndarray) or tensor_codec.is_torch_tensor(images)):
        if isinstance(images, str) or not isinstance(images, Iterable):
            raise UnsupportedDtypeError(
                f"an image is a {type(images).__name__}; give encoded bytes, or pixels as a uint8 array"
            )
        return [item for image in images for item in split_batch(image)]
    array = _pixel_array(images) if tensor_codec.is_torch_tensor(images) else images
    if array.ndim == 4:
        return [check_pixels(image) for image in array]
    return [check_pixels(array)]


def _pixel_array(pixels: Any) -> npt.NDArray[Any]:
    if str(pixels.dtype) != "torch.uint8":
        raise _unsupported(str(pixels.dtype))
    array: npt.NDArray[Any] = pixels.detach().cpu().numpy()
    return array


def check_pixels(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return pixels as (H, W, C); raise EncodeError if an 8-bit PNG cannot hold them."""
    if pixels.dtype != np.uint8:
        raise _unsupported(str(pixels.dtype))
    image = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if image.ndim != 3 or image.shape[2] not in _COLOUR_TYPE or 0 in image.shape:
        raise EncodeError(
            f"image shape is {pixels.shape}; it must be (H, W), (H, W, C) or (B, H, W, C), C 1, 3 or 4, no size 0"
        )
    return image


def _unsupported(dtype: str) -> UnsupportedDtypeError:
    return UnsupportedDtypeError(
        f"image pixels are {dtype}, they must be uint8: "
        "scale floats from 0..1 with (255 * x).clip(0, 255).astype(np.uint8)"
    )


def encode_image(
    pixels: npt.NDArray[np.uint8],
    *,
    text: Mapping[str, str] | None = None,
    level: int = 0,
) -> bytes:
    """Return pixels as a PNG.

    Parameters
    ----------
    pixels : uint8, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), sRGB
    text : keyword -> text, stored in tEXt (Latin-1) or iTXt chunks before the pixels
    level : deflate level, 0 (stored) to 9; level 1 runs in parallel

    Raises
    ------
    EncodeError, UnsupportedDtypeError
        if the array has another dtype or shape, or a keyword is not 1 to 79 Latin-1 characters.

    Source: PNG third edition, sections 9.2, 10.1, 11.2 and 11.3.3.
    """
    lines = filtered_up(check_pixels(pixels))
    stream = {0: store, 1: deflate}.get(level, partial(zlib.compress, level=level))(lines)
    return join_chunks([*head_chunks(pixels, text or {}), (b"IDAT", stream), (b"IEND", b"")])


def head_chunks(pixels: npt.NDArray[np.uint8], text: Mapping[str, str]) -> list[PngChunk]:
    """Return the chunks before the pixels, IHDR and texts; arguments and errors are those of ``encode_image``."""
    height, width, channels = check_pixels(pixels).shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    return [(b"IHDR", header), *(encode_text(keyword, value) for keyword, value in text.items())]


def deflate_png(png: bytes, level: int = 6) -> bytes:
    """Return the same PNG with its pixel stream deflated again, and every other chunk unchanged.

    png is returned as it is if that saves nothing, or if it is not an intact PNG or has more pixels than the limits
    allow.
    """
    chunks = complete_chunks(png)
    if chunks is None:
        return png
    try:
        smaller = join_chunks(replace_stream(chunks, partial(zlib.compress, level=level)))
    except EncodeError:
        return png
    return smaller if len(smaller) < len(png) else png


def filtered_up(pixels: npt.NDArray[np.uint8]) -> memoryview:
    """Return the scanlines with the Up filter: each a filter byte, then the differences from the row above."""
    height = pixels.shape[0]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    lines = np.empty((height, rows.shape[1] + 1), np.uint8)
    lines[:, 0] = _UP_FILTER
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    return lines.reshape(-1).data

"""Pixels <-> PNG bytes, fast into a container, small onto a disk.

Inside a container zstd does the compressing, so the PNG's own deflate is left out: the Up filter in
numpy, stored blocks, and any PNG reader still opens it. On its own a PNG is deflated.

Source: PNG third edition, sections 5, 7, 9.2 and 10; RFC 1950, RFC 1951.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import spec, tensors
from .deflate import deflate, store
from .errors import EncodeError, LimitError, MalformedChunkError, UnsupportedDtypeError

if TYPE_CHECKING:
    from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}
"""Channels -> PNG colour type: grey, RGB, RGBA."""
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_DEPTH_OFFSET = 24
"""Where IHDR, the first chunk, has the bits a channel."""
_HEADER_BYTES = 13
"""What IHDR holds."""
_UP_FILTER = 2
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    IndexError,
    KeyError,
    TypeError,
)
"""What Pillow's parsers are known to raise on damaged bytes, beyond its own classes."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an encoded image says of itself in its header."""

    format: str
    width: int
    height: int
    mode: str


def split_batch(images: Any) -> list[Any]:
    """Return images, one array or bytes each: (B, H, W, C) becomes B items of (H, W, C), views.

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
    if not (isinstance(images, np.ndarray) or tensors.is_torch_tensor(images)):
        if isinstance(images, str) or not isinstance(images, Iterable):
            raise UnsupportedDtypeError(
                f"an image is a {type(images).__name__}; give encoded bytes, or pixels as uint8 array"
            )
        return [item for image in images for item in split_batch(image)]
    array = _pixel_array(images) if tensors.is_torch_tensor(images) else images
    if array.ndim == 4:
        return [check_pixels(image) for image in array]
    return [check_pixels(array)]


def _pixel_array(pixels: Any) -> npt.NDArray[Any]:
    if str(pixels.dtype) != "torch.uint8":
        raise _unsupported(str(pixels.dtype))
    array: npt.NDArray[Any] = pixels.detach().cpu().numpy()
    return array


def check_pixels(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return pixels as (H, W, C), or raise EncodeError for what no 8-bit PNG holds."""
    if pixels.dtype != np.uint8:
        raise _unsupported(str(pixels.dtype))
    image = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if image.ndim != 3 or image.shape[2] not in _COLOUR_TYPE or 0 in image.shape:
        raise EncodeError(
            f"image shape is {pixels.shape}; it is (H, W), (H, W, C) or (B, H, W, C), C 1, 3 or 4, none 0"
        )
    return image


def _unsupported(dtype: str) -> UnsupportedDtypeError:
    return UnsupportedDtypeError(
        f"image pixels are {dtype}, a PNG here holds uint8: "
        "scale floats from 0..1 with (255 * x).clip(0, 255).astype(np.uint8)"
    )


def encode_image(
    pixels: npt.NDArray[np.uint8],
    *,
    text: Mapping[str, str] | None = None,
    level: int = 0,
) -> bytes:
    """Return pixels as one PNG.

    Parameters
    ----------
    pixels : uint8, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), sRGB
    text : keyword -> text, stored in tEXt (Latin-1) or iTXt chunks before the pixels
    level : deflate level, 0 (stored), 1 (in pieces side by side) to 9

    Raises
    ------
    EncodeError, UnsupportedDtypeError
        if the array has another dtype or shape, or a keyword is not 1 to 79 Latin-1 characters.

    Source: PNG third edition, sections 9.2, 10.1, 11.2 and 11.3.3.
    """
    lines = filtered_up(check_pixels(pixels))
    stream = {0: store, 1: deflate}.get(level, partial(zlib.compress, level=level))(lines)
    return b"".join([encode_head(pixels, text or {}), *png_chunk(b"IDAT", stream), *png_chunk(b"IEND", b"")])


def encode_head(pixels: npt.NDArray[np.uint8], text: Mapping[str, str]) -> bytes:
    """Return what stands before the pixels in the PNG of pixels; the rest and the errors as ``encode_image``."""
    height, width, channels = check_pixels(pixels).shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    parts = [PNG_SIGNATURE, *png_chunk(b"IHDR", header)]
    for keyword, value in text.items():
        parts += _text_chunk(keyword, value)
    return b"".join(parts)


def deflate_png(png: bytes, level: int = 6) -> bytes:
    """Return the same PNG with its pixel stream deflated again; every other chunk is kept, byte for byte.

    png itself comes back where that saves nothing, and where png is no PNG, not a whole one, or of more pixels
    than the limits allow.
    """
    chunks = list(_iter_png_chunks(png))
    kinds = [kind for kind, _ in chunks]
    if b"IDAT" not in kinds or kinds[0] != b"IHDR" or kinds[-1] != b"IEND":
        return png
    stream = b"".join(whole[8:-4] for kind, whole in chunks if kind == b"IDAT")
    pixels = inflate_pixels(chunks[0][1][8:-4], stream)
    if pixels is None:
        return png
    first = kinds.index(b"IDAT")
    parts = [PNG_SIGNATURE, *(whole for _, whole in chunks[:first])]
    parts += png_chunk(b"IDAT", zlib.compress(pixels, level))
    parts += [whole for kind, whole in chunks[first:] if kind != b"IDAT"]
    smaller = b"".join(parts)
    return smaller if len(smaller) < len(png) else png


def image_info(data: bytes, limits: spec.Limits | None = None) -> ImageInfo:
    """Return format and size of an encoded image, from its header only.

    Parameters
    ----------
    limits : None for no limit of pixels

    Raises
    ------
    EncodeError
        if it is not a PNG, JPEG or WebP.
    LimitError
        if it has more pixels than the limits allow.
    """
    from PIL import Image

    try:
        with _open_image(data) as image:
            info = ImageInfo(str(image.format), image.width, image.height, image.mode)
    except DECODE_ERRORS as error:
        raise EncodeError(
            f"image starts with {bytes(data[:8])!r} and is not read as a PNG, JPEG or WebP ({error}); "
            "give one of these, or pixels"
        ) from error
    except Image.DecompressionBombError as error:
        raise LimitError(f"image has more pixels than Pillow takes ({error})") from error
    if limits is not None:
        _check_pixel_count(info, limits)
    return info


def decode_image(data: bytes, *, chunk: str, offset: int, limits: spec.Limits) -> npt.NDArray[np.uint8]:
    """Return the pixels of an encoded image: uint8, shape (H, W, C) with C 1, 3 or 4.

    Raises
    ------
    LimitError
        before decoding, if it has more pixels than the limits allow.
    MalformedChunkError
        if it cannot be decoded, or 8 bits do not hold it.
    """
    try:
        info = image_info(data, limits)
    except EncodeError as error:
        raise MalformedChunkError(str(error), chunk=chunk, offset=offset) from error
    except LimitError as error:
        error.chunk, error.offset = chunk, offset
        raise
    if info.format == "PNG" and data[_DEPTH_OFFSET] > 8:
        raise MalformedChunkError(
            f"its pixels take {data[_DEPTH_OFFSET]} bits a channel, which 8 bits do not hold; "
            "take the encoded image (`.bytes`)",
            chunk=chunk,
            offset=offset,
        )
    try:
        with _open_image(data) as image:
            pixels = np.array(image.convert(_target_mode(image, chunk, offset)))
    except MalformedChunkError:
        raise
    except DECODE_ERRORS as error:
        raise MalformedChunkError(
            f"its {info.format} cannot be decoded ({error})", chunk=chunk, offset=offset
        ) from error
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _open_image(data: bytes) -> Image.Image:
    """Return data as a Pillow image, its header read; not by ``Image.open``, whose bound is not ours."""
    from PIL import JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

    if data.startswith(PNG_SIGNATURE):
        return PngImagePlugin.PngImageFile(io.BytesIO(data))
    if data.startswith(_JPEG_SIGNATURE):
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    if data.startswith(b"RIFF") and WebPImagePlugin.SUPPORTED:
        return WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    raise UnidentifiedImageError("it is of another kind")


def _target_mode(image: Any, chunk: str, offset: int) -> str:
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        return "RGBA"
    if image.mode in ("1", "L", "RGB", "P", "CMYK", "YCbCr"):
        return "L" if image.mode in ("1", "L") else "RGB"
    raise MalformedChunkError(
        f"its pixels are of mode {image.mode}, which 8 bits do not hold; take the encoded image (`.bytes`)",
        chunk=chunk,
        offset=offset,
    )


def _check_pixel_count(info: ImageInfo, limits: spec.Limits) -> None:
    if info.width * info.height > limits.image_pixels:
        raise LimitError(
            f"image of {info.width} x {info.height} pixels, the limit is {limits.image_pixels}; "
            "if you trust the file, pass larger Limits"
        )


def filtered_up(pixels: npt.NDArray[np.uint8]) -> memoryview:
    """Return the scanlines, each led by its filter type, as differences from the row above."""
    height = pixels.shape[0]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    lines = np.empty((height, rows.shape[1] + 1), np.uint8)
    lines[:, 0] = _UP_FILTER
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    return lines.reshape(-1).data


def png_chunk(kind: bytes, data: bytes) -> list[bytes]:
    """Return a PNG chunk in pieces: length, type, data, CRC."""
    crc = zlib.crc32(data, zlib.crc32(kind))
    return [struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)]


def _text_chunk(keyword: str, value: str) -> list[bytes]:
    try:
        key = keyword.encode("latin-1")
    except UnicodeEncodeError as error:
        raise EncodeError(f"PNG keyword {keyword!r} is not Latin-1") from error
    if not 1 <= len(key) <= 79 or b"\0" in key:
        raise EncodeError(f"PNG keyword {keyword!r} is not 1 to 79 characters")
    try:
        return png_chunk(b"tEXt", key + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        return png_chunk(b"iTXt", key + b"\0\0\0\0\0" + value.encode("utf-8", "replace"))


def _iter_png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the whole of each chunk; nothing of a PNG that is cut or followed by more."""
    position, found = len(PNG_SIGNATURE), []
    while png.startswith(PNG_SIGNATURE) and position + 12 <= len(png):
        (size,) = struct.unpack_from(">I", png, position)
        found.append((png[position + 4 : position + 8], png[position : position + 12 + size]))
        position += 12 + size
    if position == len(png):
        yield from found


def inflate_pixels(header: bytes, stream: bytes) -> bytes | None:
    """Return the scanlines of a PNG, None where stream is damaged or longer than IHDR, header, allows."""
    if len(header) != _HEADER_BYTES:
        return None
    width, height = struct.unpack_from(">II", header)
    if width * height > spec.Limits().image_pixels:
        return None
    # 16-bit RGBA takes eight bytes a pixel; Adam7 has less than two lines a row, each with its filter type.
    most_bytes = min(8 * width * height + 4 * height + 64, spec.MAX_INFLATED_BYTES)
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(stream, most_bytes)
    except zlib.error:
        return None
    return pixels if inflater.eof else None

"""Encoded images: what their headers and rows say, and decoding them to pixels within limits.

PNG, JPEG and WebP are recognised by their first bytes and read by Pillow.

Source: FORMAT.md, "Images"; PNG third edition, 11.2 (IHDR).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..container import spec
from ..container.chunks import Buffer, Payload
from ..errors import EncodeError, LimitError, MalformedChunkError
from .png_chunks import PNG_SIGNATURE, without_large_texts

if TYPE_CHECKING:
    from PIL import Image

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_DEPTH_OFFSET = 24
"""Offset in a PNG of its bits per channel, which IHDR, the first chunk, gives."""
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Number of channels -> Pillow's mode."""
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
"""What Pillow's parsers are known to raise on damaged bytes."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the header of an encoded image says."""

    format: str
    width: int
    height: int
    mode: str

    def extra(self, index: int) -> dict[str, Any]:
        """Return ``extra`` of the image's row; index is its position among the images of the file."""
        return {"index": index, "width": self.width, "height": self.height, "format": self.format}


def image_payload(data: Buffer, extra: Mapping[str, Any]) -> Payload:
    """Return an encoded image as a payload, not copied.

    Parameters
    ----------
    extra : what ``ImageInfo.extra`` returns
    """
    return Payload(spec.DATA, spec.NO_FLAGS, memoryview(data), extra)


def pixels_info(pixels: npt.NDArray[np.uint8]) -> ImageInfo:
    """Return what ``image_info`` will return for the PNG of these pixels, of shape (H, W, C) with C 1, 3 or 4."""
    height, width, channels = pixels.shape
    return ImageInfo("PNG", width, height, _MODES[channels])


def image_info(data: bytes, limits: spec.Limits | None = None) -> ImageInfo:
    """Return format, size and mode of an encoded image; only its header is read.

    Parameters
    ----------
    limits : None for no limit on the number of pixels

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
            f"image starts with {bytes(data[:8])!r} and cannot be read as a PNG, JPEG or WebP ({error}); "
            "give one of these, or pixels"
        ) from error
    except Image.DecompressionBombError as error:
        raise LimitError(f"image has more pixels than Pillow accepts ({error})") from error
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
        if it cannot be decoded, or has more than 8 bits per channel.
    """
    with _decodable(data, chunk, offset, limits) as image:
        pixels = np.array(image.convert(_target_mode(image, chunk, offset)))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def decode_reduced(data: bytes, size: int, *, chunk: str, offset: int, limits: spec.Limits) -> Image.Image:
    """Return an encoded image whose longer side is at most size, of mode L, RGB or RGBA, without its metadata.

    Takes 4 bytes per pixel of the encoded image, 8 if it has a palette or a transparent colour.

    Raises
    ------
    LimitError, MalformedChunkError
        as ``decode_image``.
    """
    from PIL import Image

    with _decodable(data, chunk, offset, limits) as image:
        mode = _target_mode(image, chunk, offset)
        # Colours of a palette cannot be averaged; all else is converted once it is small.
        whole = image.convert(mode) if mode == "RGBA" or image.mode in ("1", "P") else image
        whole.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
        small = whole.convert(mode)
    small.info.clear()
    return small


@contextmanager
def _decodable(data: bytes, chunk: str, offset: int, limits: spec.Limits) -> Iterator[Image.Image]:
    """Yield an image whose header allows decoding; what Pillow raises in the block becomes a MalformedChunkError."""
    info = _check_decodable(data, chunk, offset, limits)
    try:
        with _open_image(data) as image:
            yield image
    except MalformedChunkError:
        raise
    except DECODE_ERRORS as error:
        raise MalformedChunkError(
            f"its {info.format} cannot be decoded ({error})", chunk=chunk, offset=offset
        ) from error


def _check_decodable(data: bytes, chunk: str, offset: int, limits: spec.Limits) -> ImageInfo:
    """Return what the header says, if its size and depth allow decoding.

    Raises
    ------
    LimitError, MalformedChunkError
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
            f"has {data[_DEPTH_OFFSET]} bits per channel, which an array of 8 bits cannot hold; "
            "use the encoded image (`.bytes`)",
            chunk=chunk,
            offset=offset,
        )
    return info


def _open_image(data: bytes) -> Image.Image:
    """Return data as a Pillow image of which only the header is read.

    ``Image.open`` is avoided: it warns about, or refuses, images that are within this package's own limit.
    """
    from PIL import JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

    if data.startswith(PNG_SIGNATURE):
        return PngImagePlugin.PngImageFile(io.BytesIO(without_large_texts(data)))
    if data.startswith(_JPEG_SIGNATURE):
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    if data.startswith(b"RIFF") and WebPImagePlugin.SUPPORTED:
        return WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    raise UnidentifiedImageError("unknown signature")


def _target_mode(image: Any, chunk: str, offset: int) -> str:
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        return "RGBA"
    if image.mode in ("1", "L", "RGB", "P", "CMYK", "YCbCr"):
        return "L" if image.mode in ("1", "L") else "RGB"
    raise MalformedChunkError(
        f"has pixels of mode {image.mode}, which an array of 8 bits cannot hold; use the encoded image (`.bytes`)",
        chunk=chunk,
        offset=offset,
    )


def _check_pixel_count(info: ImageInfo, limits: spec.Limits) -> None:
    if info.width * info.height > limits.image_pixels:
        raise LimitError(
            f"image has {info.width} x {info.height} pixels, the limit is {limits.image_pixels}",
            raisable=True,
        )

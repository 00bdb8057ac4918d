"""Pixels <-> PNG bytes, fast into a container, small onto a disk.

Inside a container zstd does the compressing, so the PNG's own deflate is left out: the Up filter in
numpy, stored blocks, and any PNG reader still opens it. On its own a PNG is deflated.

Source: PNG third edition, sections 5, 7, 9.2 and 10; RFC 1950, RFC 1951.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..container import spec
from ..container.chunks import Buffer, Payload
from ..errors import EncodeError, LimitError, MalformedChunkError
from .png_chunks import PNG_SIGNATURE

if TYPE_CHECKING:
    from PIL import Image

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_DEPTH_OFFSET = 24
"""Where IHDR, the first chunk, has the bits a channel."""
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Channels -> Pillow's mode of a PNG that has them."""
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

    def extra(self, index: int) -> dict[str, Any]:
        """Return what the row of an image says of it, the one at index among those of its file."""
        return {"index": index, "width": self.width, "height": self.height, "format": self.format}


def image_payload(data: Buffer, extra: Mapping[str, Any]) -> Payload:
    """Return an encoded image as a payload, not copied.

    Parameters
    ----------
    extra : of ``ImageInfo.extra``
    """
    return Payload(spec.DATA, spec.NO_FLAGS, memoryview(data), extra)


def pixels_info(pixels: npt.NDArray[np.uint8]) -> ImageInfo:
    """Return what ``image_info`` says of the PNG that pixels of shape (H, W, C) become, C 1, 3 or 4."""
    height, width, channels = pixels.shape
    return ImageInfo("PNG", width, height, _MODES[channels])


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
            f"image of {info.width} x {info.height} pixels, the limit is {limits.image_pixels}",
            raisable=True,
        )

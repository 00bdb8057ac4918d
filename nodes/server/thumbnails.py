"""Thumbnails of a file's images, and its latents as pictures."""

from __future__ import annotations

import io
import math
import threading
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import features

from ...gen5core.errors import ChunkNotFoundError, EncodeError, LimitError, MalformedChunkError
from ...gen5core.images.codec import image_info
from ...gen5core.images.png_encode import encode_image
from ...gen5core.images.stored import StoredImage
from ...gen5core.tensors.stored import StoredTensor

NOISE_RANGE = 3.0
"""Values of ±3 become white and black: three standard deviations of a sampler's noise."""
MAX_LATENT_BYTES = 2**27
"""Bytes of a latent, which is read completely even if only a part is shown; a compressed one takes twice as many."""
_STORED_BYTES = 4
"""Bytes of a stored value, to which smaller ones may be widened."""
MAX_PIXELS = 2**25
"""An image with more pixels has no thumbnail: decoded it takes four bytes per pixel, or eight, and its own bytes."""
LARGE_PIXELS = 2**22
"""Images with more pixels are decoded one at a time."""
_LARGE = threading.Lock()
_WEBP_QUALITY = 80
_CONTENT_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


def picture_type(data: bytes) -> str:
    """Return the content type of a stored image, detected from its bytes.

    Raises
    ------
    MalformedChunkError
        if it is not a PNG, JPEG or WebP.
    """
    try:
        return _CONTENT_TYPES[image_info(data).format]
    except (EncodeError, LimitError) as error:
        raise MalformedChunkError(str(error)) from error


def image_thumbnail(image: StoredImage, size: int) -> tuple[bytes, str]:
    """Return an image whose longer side is at most size, and its content type: WebP if Pillow has it, else PNG.

    Raises
    ------
    FormatError
        (or a subclass) if the stored bytes do not match their digest or are not an image; LimitError from the
        header alone if it has more than ``MAX_PIXELS``.
    """
    with _LARGE if _is_large(image.bytes) else nullcontext():
        small = image.reduced(size, MAX_PIXELS)
    buffer = io.BytesIO()
    kind, options = ("WEBP", {"quality": _WEBP_QUALITY}) if features.check("webp") else ("PNG", {})
    small.save(buffer, kind, **options)
    return buffer.getvalue(), _CONTENT_TYPES[kind]


def _is_large(data: bytes) -> bool:
    """Return whether an image is large, from its bytes, since META may claim any size."""
    try:
        info = image_info(data)
    except (EncodeError, LimitError):  # decoding it raises the error that is reported
        return False
    return info.width * info.height > LARGE_PIXELS


def noise_thumbnail(latent: StoredTensor, index: int, size: int) -> bytes:
    """Return one image of a latent as a PNG whose longer side is size, with three channels as colours from −3 to 3.

    The first part of a nested latent, the first frame of a video, and the first draw of step noise are shown.

    Raises
    ------
    ChunkNotFoundError
        if the latent has no such image.
    FormatError
        (or a subclass) if the stored bytes do not match their digest, or are more than ``MAX_LATENT_BYTES``.
    """
    part = latent.parts[0]
    size_bytes = math.prod(part.shape) * max(part.dtype.itemsize, _STORED_BYTES)
    if size_bytes > MAX_LATENT_BYTES:
        raise LimitError(
            f"latent {latent.name!r:.80} takes {size_bytes} bytes, the limit is {MAX_LATENT_BYTES}"
        )
    planes = _sampled(_planes(part.array(), latent.name, index), size)
    grey = np.nan_to_num(planes.astype(np.float32), nan=0.0) / NOISE_RANGE
    pixels = ((grey.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)
    return encode_image(pixels, level=1)


def _planes(array: npt.NDArray[Any], name: str, index: int) -> npt.NDArray[Any]:
    """Return one image of a latent, shape (H, W, C) with C 1 or 3.

    A mask is (B, H, W) and audio (B, C, L); anything with three axes or fewer is shown as one grey plane.
    """
    if name.split(".")[0] == "step_noise" and array.ndim > 1:
        array = _at(array, 0, name)
    if array.ndim > 2 or index:
        array = _at(np.atleast_1d(array), index, name)
    while array.ndim > 3:  # (C, T, H, W): the first frame
        array = _at(array.swapaxes(0, 1), 0, name)
    if array.ndim < 3:
        array = np.atleast_2d(array)[None]
    channels = array[:3] if array.shape[0] >= 3 else array[:1]
    if not channels.size:
        raise ChunkNotFoundError(f"latent {name!r:.80} has no values to show")
    return np.moveaxis(channels, 0, -1)


def _at(array: npt.NDArray[Any], index: int, name: str) -> npt.NDArray[Any]:
    if index >= array.shape[0]:
        raise ChunkNotFoundError(f"latent {name!r:.80} has no number {index}; it has {array.shape[0]}")
    item: npt.NDArray[Any] = array[index]
    return item


def _sampled(planes: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return planes resized to a longer side of size by picking values, without interpolation.

    Picking comes before any computation, which would take several times the memory of a large latent.
    """
    height, width = planes.shape[:2]
    rows, columns = (
        np.arange(target) * side // target
        for side in (height, width)
        for target in [max(round(side * size / max(height, width)), 1)]
    )
    sampled: npt.NDArray[Any] = planes[rows[:, None], columns]
    return sampled

"""Images as the browser shows them: 8-bit pixels, PNGs, previews in temp/."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from ...gen5core.errors import EncodeError
from ...gen5core.images.png_encode import encode_image
from .. import host
from .odd import keep

PNG_LEVEL = 1
"""Deflate level: the fastest, as the Up filter already makes images compress well."""
_CHANNELS: Final = (1, 2, 3, 4)
Pixels = npt.NDArray[np.uint8]


def batches_of(images: Any) -> list[torch.Tensor]:
    """Return an IMAGE as tensors of shape (B, H, W, C) with values that scale to 0..1, C being 1, 3 or 4.

    Packs return more than ComfyUI's (B, H, W, C): lists of images of any size, a single image, grey ones without
    channels, grey ones with alpha, numpy arrays and whole bytes.

    Raises
    ------
    EncodeError
        if a picture of it cannot be shown as one.
    """
    if isinstance(images, (list, tuple)):
        return [batch for each in images for batch in batches_of(each)]
    try:
        plain = keep(torch.from_numpy(images) if isinstance(images, np.ndarray) else images).cpu()
    except (EncodeError, TypeError) as error:
        raise EncodeError(f"images cannot be saved: {error}; connect an IMAGE") from error
    if plain.is_complex():
        raise EncodeError(f"images cannot be saved: their values are {plain.dtype}; connect an IMAGE")
    if plain.is_floating_point() and plain.element_size() == 1:
        plain = plain.float()  # torch calculates nothing in 8-bit floats
    if plain.dtype == torch.uint8:
        plain = plain.float() / 255.0
    return [_with_channels(plain)]


def _with_channels(images: torch.Tensor) -> torch.Tensor:
    """Return images as (B, H, W, C); grey with alpha becomes RGBA."""
    shape = tuple(images.shape)
    if images.ndim == 2 or (images.ndim == 3 and shape[-1] not in _CHANNELS):
        images = images[..., None]
    if images.ndim == 3:
        images = images[None]
    if images.ndim < 4 or images.shape[-1] not in _CHANNELS:
        raise EncodeError(
            f"images of shape {' × '.join(map(str, shape))} cannot be saved: a picture has 1 to 4 channels, which come "
            "last; take those that are meant, or save them as a latent"
        )
    batch = images.reshape(-1, *images.shape[-3:])
    return batch if batch.shape[-1] != 2 else batch[..., [0, 0, 0, 1]]


def to_pixels(images: Any) -> list[Pixels]:
    """Return an IMAGE as pixels, one array per picture, rounded as Save Image does; NaN becomes black.

    Raises
    ------
    EncodeError
        as ``batches_of``.
    """
    return [picture for batch in batches_of(images) for picture in _round(batch)]


def _round(batch: torch.Tensor) -> list[Pixels]:
    scaled = 255.0 * batch
    known = scaled.float() if scaled.dtype == torch.bfloat16 else scaled  # numpy has no bfloat16
    array = np.nan_to_num(known.numpy(), nan=0.0).clip(0, 255).astype(np.uint8)
    return list(array)


def encode_pngs(pixels: Sequence[Pixels], text: Mapping[str, str]) -> list[bytes]:
    """Return images as PNGs with text chunks, as Save Image writes them."""
    return [encode_image(image, text=text, level=PNG_LEVEL) for image in pixels]


def write_previews(pixels: Sequence[Pixels]) -> list[dict[str, str]]:
    """Write previews into temp/ and return their entries for ``ui.images``."""
    folder = host.folder("temp")
    shown = []
    for number, image in enumerate(pixels):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"gen5_{secrets.token_hex(6)}_{number}.png"
        (folder / name).write_bytes(encode_image(image, level=PNG_LEVEL))
        shown.append({"filename": name, "subfolder": "", "type": "temp"})
    return shown

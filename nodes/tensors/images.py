"""Images as the browser shows them: 8-bit pixels, PNGs, previews in temp/."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from ...gen5core.images.png_encode import encode_image
from .. import host

PNG_LEVEL = 1
"""Deflate level: the fastest, as the Up filter already makes images compress well."""
Pixels = npt.NDArray[np.uint8]


def to_pixels(images: torch.Tensor) -> list[Pixels]:
    """Return images of shape (B, H, W, C), 0..1, as pixels, rounded as Save Image does."""
    scaled = 255.0 * images.detach().cpu()
    known = scaled.float() if scaled.dtype == torch.bfloat16 else scaled  # numpy has no bfloat16
    array = known.numpy().clip(0, 255).astype(np.uint8)
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

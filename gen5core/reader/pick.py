"""Which of a file's latents, images and graphs a command means when it names none."""

from __future__ import annotations

import json
from typing import Final

from ..container import spec
from ..errors import ChunkNotFoundError
from ..images.stored import StoredImage
from ..tensors.stored import StoredTensor
from .file import Gen5File

GRAPHS: Final = ("prompt", "workflow")
"""Texts that are JSON, under the names that ComfyUI gives them in its own files."""


def pick_latent(file: Gen5File, name: str | None) -> StoredTensor:
    """Return the latent of that name; without one, ``initial_noise``, or the only latent.

    Raises
    ------
    ChunkNotFoundError
        naming those that are there.
    """
    if name is not None or spec.INITIAL_NOISE in file.latents:
        return file.latents[name if name is not None else spec.INITIAL_NOISE]
    if len(file.latents) != 1:
        raise ChunkNotFoundError(
            f"{file.path} has {len(file.latents)} latents ({', '.join(file.latents) or 'none'}): name one"
        )
    return next(iter(file.latents.values()))


def pick_image(file: Gen5File, index: int) -> StoredImage:
    """Return the image of that number, counted from 0.

    Raises
    ------
    ChunkNotFoundError
        naming how many there are.
    """
    if not 0 <= index < len(file.images):
        raise ChunkNotFoundError(f"{file.path} has no image {index}; it has {len(file.images)}")
    return file.images[index]


def graph_texts(file: Gen5File) -> dict[str, str]:
    """Return prompt and workflow as JSON texts, under the keywords that ComfyUI gives them in a PNG."""
    comfyui = file.comfyui or {}
    return {name: json.dumps(comfyui[name]) for name in GRAPHS if comfyui.get(name) is not None}

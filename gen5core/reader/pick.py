"""Select a latent or image of a file by name or index, with defaults, and get its graphs as text."""

from __future__ import annotations

import json
from typing import Final

from ..container import spec
from ..errors import ChunkNotFoundError
from ..images.stored import StoredImage
from ..tensors.stored import StoredTensor
from .file import Gen5File

GRAPHS: Final = ("prompt", "workflow")
"""The texts that hold JSON graphs, by ComfyUI's own names for them."""


def pick_latent(file: Gen5File, name: str | None) -> StoredTensor:
    """Return the latent with this name; without a name ``initial_noise``, or else the only latent.

    Raises
    ------
    ChunkNotFoundError
        if there is none, or more than one; lists the names in the file.
    """
    if name is not None or spec.INITIAL_NOISE in file.latents:
        return file.latents[name if name is not None else spec.INITIAL_NOISE]
    if len(file.latents) != 1:
        raise ChunkNotFoundError(
            f"{file.path} has {len(file.latents)} latents ({', '.join(file.latents) or 'none'}): name one"
        )
    return next(iter(file.latents.values()))


def pick_image(file: Gen5File, index: int) -> StoredImage:
    """Return the image at an index, counted from 0.

    Raises
    ------
    ChunkNotFoundError
        if there is none at that index; says how many images there are.
    """
    if not 0 <= index < len(file.images):
        raise ChunkNotFoundError(f"{file.path} has no image {index}; it has {len(file.images)}")
    return file.images[index]


def graph_texts(file: Gen5File) -> dict[str, str]:
    """Return prompt and workflow as JSON text, under the keywords that ComfyUI uses in a PNG."""
    comfyui = file.comfyui or {}
    return {name: json.dumps(comfyui[name]) for name in GRAPHS if comfyui.get(name) is not None}

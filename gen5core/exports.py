"""What a GEN5 file holds -> the bytes of other kinds of files.

Source: ComfyUI nodes.py, SaveLatent and SaveImage; FORMAT.md, "META".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from . import images, png_text, spec
from .errors import ChunkNotFoundError
from .raw_latents import raw_tensor, raw_tensors
from .reader import Gen5File
from .safetensors_file import RawTensor, encode_tensors
from .stored import StoredImage, StoredTensor

GRAPHS: Final = ("prompt", "workflow")
"""Texts that are JSON, under the names that ComfyUI gives them in its own files."""
LATENT_TENSOR: Final = "latent_tensor"
LATENT_VERSION: Final = "latent_format_version_0"
"""An empty tensor whose presence says that the latent is not scaled."""


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


def _export_latent(file: Gen5File, name: str | None, index: int) -> list[bytes | memoryview]:
    stored = pick_latent(file, name)
    tensor = raw_tensor(stored, LATENT_TENSOR)
    version = RawTensor(LATENT_VERSION, "float32", (0,), b"")
    return encode_tensors([tensor, version], _metadata(file))


def _export_safetensors(file: Gen5File, name: str | None, index: int) -> list[bytes | memoryview]:
    chosen = list(file.latents.values()) if name is None else [file.latents[name]]
    if not chosen:
        raise ChunkNotFoundError(f"{file.path} has no latent to export")
    return encode_tensors([raw for stored in chosen for raw in raw_tensors(stored)], _metadata(file))


def _export_png(file: Gen5File, name: str | None, index: int) -> list[bytes | memoryview]:
    image = pick_image(file, index)
    data = image.bytes
    texts = graph_texts(file)
    if images.image_info(data, spec.Limits()).format != "PNG":
        return [images.encode_image(image.array(), text=texts, level=6)]
    return [png_text.add_texts(images.deflate_png(data), texts)]


def graph_texts(file: Gen5File) -> dict[str, str]:
    """Return prompt and workflow as JSON texts, under the keywords that ComfyUI gives them in a PNG."""
    comfyui = file.comfyui or {}
    return {name: json.dumps(comfyui[name]) for name in GRAPHS if comfyui.get(name) is not None}


def _metadata(file: Gen5File) -> dict[str, str]:
    """Return the strings that go with an exported latent: the graphs, and what an import brought."""
    imported = (file.capture or {}).get("imported")
    metadata = imported.get("metadata") if isinstance(imported, Mapping) else None
    kept = metadata if isinstance(metadata, Mapping) else {}
    texts = {name: text for name, text in kept.items() if isinstance(text, str)}
    return {**texts, **graph_texts(file)}


Exporter = Callable[[Gen5File, str | None, int], list[bytes | memoryview]]
EXPORTERS: Final[Mapping[str, Exporter]] = {
    "latent": _export_latent,
    "safetensors": _export_safetensors,
    "png": _export_png,
}

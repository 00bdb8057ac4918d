"""GEN5 files -> .latent, safetensors and PNG.

Source: ComfyUI nodes.py, SaveLatent and SaveImage; FORMAT.md, "META".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..carrier.traces import without_marker
from ..container import spec
from ..errors import ChunkNotFoundError, EncodeError
from ..files.atomic import atomic_file, write_all
from ..images import codec as image_codec
from ..images import png_chunks, png_encode
from ..reader import file as reader
from ..reader.file import Gen5File
from ..reader.pick import graph_texts, pick_image, pick_latent
from ..rewrite.carry import carry_file, uncarry_file
from .safetensors import RawTensor, encode_tensors, raw_tensor, raw_tensors

LATENT_TENSOR: Final = "latent_tensor"
LATENT_VERSION: Final = "latent_format_version_0"
"""An empty tensor whose presence tells LoadLatent not to scale the latent."""


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
    data = without_marker(image.bytes)
    texts = graph_texts(file)
    if image_codec.image_info(data, spec.Limits()).format != "PNG":
        return [png_encode.encode_image(image.array(), text=texts, level=6)]
    return [png_chunks.add_texts(png_encode.deflate_png(data), texts)]


def _metadata(file: Gen5File) -> dict[str, str]:
    """Return the texts stored with an exported latent: the graphs, and the texts that an import kept."""
    imported = (file.capture or {}).get("imported")
    metadata = imported.get("metadata") if isinstance(imported, Mapping) else None
    imported_texts = metadata if isinstance(metadata, Mapping) else {}
    texts = {name: text for name, text in imported_texts.items() if isinstance(text, str)}
    return {**texts, **graph_texts(file)}


Exporter = Callable[[Gen5File, str | None, int], list[bytes | memoryview]]
EXPORTERS: Final[Mapping[str, Exporter]] = {
    "latent": _export_latent,
    "safetensors": _export_safetensors,
    "png": _export_png,
}
GEN5: Final = "gen5"
KINDS: Final = (*EXPORTERS, GEN5)
"""The kinds that ``export_file`` writes."""
_KIND_OF_SUFFIX: Final = {  # more kinds than are written, to refuse a PNG named x.jpg
    **{f".{kind}": kind for kind in KINDS},
    ".sft": "safetensors",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".npy": "npy",
}


def export_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    kind: str,
    *,
    name: str | None = None,
    index: int = 0,
    carry: bool = False,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Export a GEN5 file to another kind of file.

    Parameters
    ----------
    out : a file other than path, without the suffix of another kind (a PNG cannot be ``x.jpg``)
    kind : ``latent`` (one latent), ``safetensors`` (all latents), ``png`` (one image, with prompt and
        workflow as texts), ``gen5`` (the record that a PNG carries)
    name : name of the latent; None for ``initial_noise``, or else the only latent
    index : index of the image
    carry : make a PNG that carries the whole record
    overwrite : replace an existing file; otherwise FileExistsError is raised

    Returns
    -------
    notes for the user, one line each; usually none

    Raises
    ------
    FormatError, ChunkNotFoundError, EncodeError
        if the file does not have what is to be exported, or out cannot be used.
    ImportError
        if a latent is float8 and torch, which converts it, is not installed.
    OSError
        from the file system.

    Source: ComfyUI nodes.py, SaveLatent and SaveImage.
    """
    if kind not in KINDS:
        raise EncodeError(f"cannot export to {kind!r}; choose one of {', '.join(KINDS)}")
    if carry and kind != "png":
        raise EncodeError(f"a {kind} file cannot carry a record: export to png, or leave carry out")
    check_not_same_file(path, out)
    if carry:
        return carry_file(path, out, index=index, overwrite=overwrite)
    if kind == GEN5:
        return uncarry_file(path, out, overwrite=overwrite)
    _check_suffix(Path(out), kind)
    with reader.open(path) as file:
        buffers = EXPORTERS[kind](file, name, index)
    with atomic_file(Path(out), overwrite=overwrite) as fd:
        write_all(fd, buffers)
    return ()


def check_not_same_file(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Raise EncodeError if out is the same file as path, under any name: writing it would lose the record."""
    with suppress(OSError):  # either may be missing, which opening it reports
        if os.path.samefile(path, out):
            raise EncodeError(
                f"{os.fspath(out)}: is the input file itself, whose record would be lost; choose another output"
            )


def _check_suffix(out: Path, kind: str) -> None:
    if _KIND_OF_SUFFIX.get(out.suffix.lower(), kind) != kind:
        raise EncodeError(f"{out}: the output is a {kind} file; name it {out.stem}.{kind}")

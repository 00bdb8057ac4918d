"""ComfyUI's .latent, safetensors and PNG -> GEN5, every tensor bit for bit.

``IMPORTERS`` lists the kinds. The texts of a file (prompt graph, workflow, other metadata) are kept, and an
export writes them again.

Source: ComfyUI nodes.py, SaveLatent, LoadLatent and SaveImage; FORMAT.md, "META".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..carrier.find import is_carrier
from ..container import spec
from ..container.chunks import Payload
from ..container.source import FileSource
from ..errors import EncodeError, UnsupportedDtypeError, naming_file
from ..images import codec as image_codec
from ..images import png_chunks
from ..reader.pick import GRAPHS
from ..rewrite.carry import uncarry_file
from ..tensors.codec import encode_tensor
from ..writer.assemble import build_further, check_suffix, write_payloads
from ..writer.model_info import build_model_info
from ..writer.save import save
from .exporters import LATENT_TENSOR, LATENT_VERSION, check_not_same_file
from .safetensors import encode_raw, load_tensors, stored_values

SD1_SCALE: Final = 1.0 / 0.18215
"""LoadLatent's factor for files without ``latent_format_version_0``: the latent scale of Stable Diffusion 1."""
FINAL_LATENT: Final = "final_latent"


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of a file: graphs parsed as JSON, the others unchanged, and notes for the user."""

    comfyui: dict[str, Any]
    others: dict[str, str]
    notes: tuple[str, ...]


def import_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Convert a .latent, .safetensors or .png to a GEN5 file. A PNG that carries a record gives the whole record.

    Parameters
    ----------
    path : its suffix gives the kind
    out : ends in ``.gen5``; a file other than path
    name : name of the latent, if the file has one tensor; a .latent is called ``final_latent`` by default
    overwrite : replace an existing file; otherwise FileExistsError is raised

    Returns
    -------
    notes for the user, one line each; usually none

    Raises
    ------
    EncodeError, UnsupportedDtypeError, LimitError
        if the file cannot be imported; nothing was written.
    OSError
        from the file system.

    Source: ComfyUI nodes.py, SaveLatent and LoadLatent.
    """
    target = Path(out)
    check_suffix(target)
    check_not_same_file(path, target)
    importer = IMPORTERS.get(Path(path).suffix.lower())
    if importer is None:
        raise EncodeError(f"{path} is not one of {', '.join(IMPORTERS)}; convert it to one of them first")
    with _errors_naming(path):
        return importer(Path(path), target, name, overwrite)


def _import_latent(path: Path, out: Path, name: str | None, overwrite: bool) -> tuple[str, ...]:
    tensors, metadata = load_tensors(path)
    by_name = {tensor.name: tensor for tensor in tensors}
    if LATENT_TENSOR not in by_name:
        raise EncodeError(
            f"has no tensor {LATENT_TENSOR!r}, so ComfyUI's Save Latent did not write it: "
            "rename it to .safetensors to import every tensor"
        )
    if extra := by_name.keys() - {LATENT_TENSOR, LATENT_VERSION}:
        raise EncodeError(
            f"has tensors that do not belong in a .latent ({', '.join(sorted(extra))}): "
            "rename it to .safetensors to import every tensor"
        )
    raw = replace(by_name[LATENT_TENSOR], name=name or FINAL_LATENT)
    if LATENT_VERSION in by_name:
        return _write_tensors(path, out, [encode_raw(raw)], metadata, overwrite)
    if raw.dtype.startswith("complex"):
        raise UnsupportedDtypeError(
            f"has complex values and no {LATENT_VERSION}: Load Latent would drop a half"
        )
    scaled = encode_tensor(raw.name, stored_values(raw).astype(np.float32) * np.float32(SD1_SCALE))
    note = f"has no {LATENT_VERSION}: multiplied by 1/0.18215, as ComfyUI's Load Latent does"
    return (note, *_write_tensors(path, out, [scaled], metadata, overwrite))


def _import_safetensors(path: Path, out: Path, name: str | None, overwrite: bool) -> tuple[str, ...]:
    tensors, metadata = load_tensors(path)
    if name is not None and len(tensors) != 1:
        raise EncodeError(f"has {len(tensors)} tensors, and a name is for a single one: leave the name out")
    if any(not tensor.name for tensor in tensors) and name is None:
        raise EncodeError("has a tensor whose name is empty: rename it")
    payloads = [encode_raw(replace(tensor, name=name or tensor.name)) for tensor in tensors]
    return _write_tensors(path, out, payloads, metadata, overwrite)


def _import_png(path: Path, out: Path, name: str | None, overwrite: bool) -> tuple[str, ...]:
    if name is not None:
        raise EncodeError(f"is an image and has no latent to name {name!r}: leave the name out")
    if is_carrier(path):
        return uncarry_file(path, out, overwrite=overwrite)
    png = _read_bytes(path)
    found = png_chunks.read_texts(png)
    image_codec.image_info(png, spec.Limits())
    texts = _parse_texts({key: text for key, text in found.items() if key in GRAPHS})
    save(
        out,
        images=png,
        prompt=found.get("parameters", ""),
        comfyui=texts.comfyui,
        capture=_capture(path, ()),
        environment=None,
        hardware=None,
        overwrite=overwrite,
    )
    return texts.notes


def _write_tensors(
    path: Path, out: Path, payloads: list[Payload], metadata: Mapping[str, str], overwrite: bool
) -> tuple[str, ...]:
    texts = _parse_texts(metadata)
    capture = _capture(path, [str(payload.extra["key"]) for payload in payloads])
    if texts.others:
        capture["imported"]["metadata"] = texts.others
    write_payloads(
        out,
        [partial(_identity, payload) for payload in payloads],
        model_info=build_model_info(
            model_name="", model_version="", prompt="", tags=(), settings=None, hardware=None
        ),
        further=build_further(comfyui=texts.comfyui, capture=capture),
        overwrite=overwrite,
    )
    return texts.notes


@contextmanager
def _errors_naming(path: object) -> Iterator[None]:
    """Add the path of the imported file to every error raised in the block."""
    try:
        with naming_file(path):
            yield
    except EncodeError as error:
        raise type(error)(f"{path}: {error}") from error


def _identity(payload: Payload) -> Payload:
    return payload


def _capture(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return META's ``capture``: noise in an imported file counts as provided by the caller."""
    source = "provided" if spec.INITIAL_NOISE in names else "none"
    return {"noise_source": source, "imported": {"from": path.suffix.lower().lstrip(".")}}


def _parse_texts(texts: Mapping[str, str]) -> _Texts:
    comfyui: dict[str, Any] = {}
    others: dict[str, str] = {}
    notes = []
    for name, text in texts.items():
        graph = _parse_graph(text) if name in GRAPHS else None
        if graph is not None:
            comfyui[name] = graph
        elif name not in GRAPHS or text:
            others[name] = text
        if name in GRAPHS and text and graph is None:
            notes.append(f"its {name} is not a JSON object and was kept as text")
    return _Texts(comfyui, others, tuple(notes))


def _parse_graph(text: str) -> dict[str, Any] | None:
    """Return a graph without ComfyUI's cache keys, which may be NaN and say nothing about the image."""
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(graph, dict):
        return None
    for node in graph.values():
        if isinstance(node, dict):
            node.pop("is_changed", None)
    return graph


def _read_bytes(path: Path) -> bytes:
    source = FileSource(path)
    try:
        if source.size_bytes > spec.MAX_FILE_BYTES:
            raise EncodeError(f"has {source.size_bytes} bytes, more than a GEN5 file holds")
        return source.read(0, source.size_bytes, chunk="PNG")
    finally:
        source.close()


Importer = Callable[[Path, Path, str | None, bool], tuple[str, ...]]
IMPORTERS: Final[Mapping[str, Importer]] = {
    ".latent": _import_latent,
    ".safetensors": _import_safetensors,
    ".sft": _import_safetensors,
    ".png": _import_png,
}

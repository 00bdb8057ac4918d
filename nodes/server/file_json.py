"""The content of an open file as JSON for the browser: seeds as text, no value of an unexpected type.

JavaScript is exact for integers up to 2^53 only, and seeds go up to 2^64 − 1. Very long lists and texts are cut, and
the number of omitted items or characters is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ... import gen5core
from ...gen5core.images.png_chunks import FRAME_BYTES
from ...gen5core.images.stored import StoredImage
from ...gen5core.tensors.stored import StoredTensor
from ..stored.drift import stored_drifts
from ..stored.passes import batch_position, captured_passes
from ..stored.settings import as_integer, as_number, as_seed_text, as_string, as_text, describe_settings
from ..stored.signatures import describe_trust
from .truncate import MAX_PROMPT, MAX_ROWS, MAX_TEXT, Budget, first_rows, shorten

_PASS_TEXTS = (
    "node_id",
    "class_type",
    "scheduler",
    "model_name",
    "vae_name",
    "positive",
    "negative",
    "step_noise_reason",
)
_PASS_INTEGERS = ("steps", "start_step", "end_step", "width", "height", "batch_size")
_PASS_NUMBERS = ("cfg", "denoise", "guidance")
_PASS_LISTS = ("clip_names", "unresolved")
_PASSES_TEXT = 200_000
"""Characters that one text field, such as ``positive``, may take in all passes together."""


def describe(file: gen5core.Gen5File) -> dict[str, Any]:
    """Return the facts in header and META; nothing else is read.

    Raises
    ------
    FormatError
        (or a subclass) if META breaks a rule.
    """
    capture, comfyui = file.capture or {}, file.comfyui or {}
    position, passes, tags = batch_position(file), captured_passes(file), file.tags
    resources = [stored for stored in file.resources if isinstance(stored, dict)]
    budget = Budget()
    facts = {
        "size_bytes": _size_bytes(file),
        "root": file.root,
        "version": str(file.version),
        "sealed": file.sealed,
        "carrier": file.carrier is not None,
        "trust": describe_trust(file.signatures),
        "date": file.date or None,
        **describe_settings(file),
        "tags": [shorten(tag) for tag in first_rows(tags)],
        "noise_source": as_text(capture.get("noise_source")),
        "reason": as_text(capture.get("reason")),
        "passes": _passes(first_rows(passes), file),
        "latents": [row for latent in file.latents.values() for row in _latent(latent)],
        "images": [_image(image) for image in file.images],
        "image_of_batch": None if position is None else asdict(position),
        "environment": _components(file.metadata.get("environment")),
        "hardware": Budget().take(file.hardware),
        "resources": [budget.take(stored) for stored in first_rows(resources)],
        "counts": {"tags": len(tags), "passes": len(passes), "resources": len(resources)},
        "comfyui_version": as_text(comfyui.get("version")),
        "has_workflow": isinstance(comfyui.get("workflow"), dict),
    }
    prompts = {name: shorten(facts[name], MAX_PROMPT) for name in ("prompt", "negative")}
    return {**_shortened(facts), **prompts}


def describe_here(file: gen5core.Gen5File) -> dict[str, Any]:
    """Return what ``describe`` does, the complete environment, and how this machine differs from the file.

    Raises
    ------
    FormatError
        also if the environment's chunk is damaged.
    """
    environment = file.environment
    components = {row.component_id: row.canonical for row in environment.components} if environment else {}
    further = dict(environment.further) if environment else {}
    drifts = stored_drifts(file, quick=True, max_models=MAX_ROWS)
    facts = describe(file)
    return {
        **facts,
        "environment": _components(components | further),
        "drifts": [_shortened(asdict(drift)) for drift in first_rows(drifts)],
        "counts": {**facts["counts"], "environment": len(components | further), "drifts": len(drifts)},
    }


def graphs(file: gen5core.Gen5File) -> dict[str, Any]:
    """Return the workflow and the prompt, each None if the file does not have it."""
    comfyui = file.comfyui or {}
    found = {name: comfyui.get(name) for name in ("workflow", "prompt")}
    return {name: graph if isinstance(graph, dict) else None for name, graph in found.items()}


def _size_bytes(file: gen5core.Gen5File) -> int:
    """Return the size of a file, or of the PNG that carries it as it was written.

    The PNG itself may not be available: the browser sends only the record's header and META.
    """
    png_bytes = 0 if file.carrier is None else file.carrier.png_bytes + FRAME_BYTES
    return file.header.file_size + png_bytes


def _shortened(facts: Mapping[str, Any], most: int = MAX_TEXT) -> dict[str, Any]:
    return {name: shorten(value, most) if isinstance(value, str) else value for name, value in facts.items()}


def _passes(entries: Sequence[Mapping[str, Any]], file: gen5core.Gen5File) -> list[dict[str, Any]]:
    budget, most = Budget(), min(_PASSES_TEXT // max(len(entries), 1), MAX_PROMPT)
    rows = [_shortened(_pass(index, entry, file), most) for index, entry in enumerate(entries)]
    return [
        {**row, **{name: budget.take(row[name]) for name in (*_PASS_LISTS, "loras", "options")}}
        for row in rows
    ]


def _pass(index: int, entry: Mapping[str, Any], file: gen5core.Gen5File) -> dict[str, Any]:
    return {
        "index": index,
        "seed": as_seed_text(entry.get("seed")),
        "sampler_name": as_text(entry.get("sampler_name")) or as_text(entry.get("recorded_sampler")),
        "add_noise": bool(entry.get("add_noise", True)),
        "recorded": bool(entry.get("recorded")),
        "step_noise": isinstance(name := entry.get("step_noise"), str) and name in file.latents,
        **{name: as_string(entry.get(name)) for name in _PASS_TEXTS},
        **{name: as_integer(entry.get(name)) for name in _PASS_INTEGERS},
        **{name: as_number(entry.get(name)) for name in _PASS_NUMBERS},
        **{name: [item for item in _items(entry, name) if isinstance(item, str)] for name in _PASS_LISTS},
        "loras": [
            [item[0], as_number(item[1])]
            for item in _items(entry, "loras")
            if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str)
        ],
        "options": options if isinstance(options := entry.get("options"), dict) else {},
    }


def _items(entry: Mapping[str, Any], name: str) -> list[Any]:
    value = entry.get(name)
    return value if isinstance(value, list) else []


def _latent(latent: StoredTensor) -> Iterator[dict[str, Any]]:
    """Yield one row per part of a latent; only a nested one has several."""
    for number, part in enumerate(latent.parts):
        yield {
            "name": latent.name,
            "part": number if len(latent.parts) > 1 else None,
            "shape": list(part.shape),
            "dtype": part.dtype.name,
            "orig_dtype": part.orig_dtype,
            "size_bytes": part.size_bytes,
        }


def _image(image: StoredImage) -> dict[str, Any]:
    size = {name: as_integer(image.facts.get(name)) for name in ("width", "height")}
    return {**size, "size_bytes": image.size_bytes}


def _components(values: Any) -> list[dict[str, str]]:
    rows = values.items() if isinstance(values, Mapping) else ()
    texts = [(name, value) for name, value in rows if isinstance(value, str)]
    return [{"component": shorten(name), "value": shorten(value)} for name, value in first_rows(texts)]

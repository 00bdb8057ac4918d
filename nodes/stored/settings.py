"""The sampler settings of a stored file or pass, as widget values and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ... import gen5core
from ...gen5core.errors import EncodeError
from .passes import captured_passes

MAX_EXACT = 2**53
"""JavaScript loses precision above this integer."""


def describe_settings(file: gen5core.Gen5File) -> dict[str, Any]:
    """Return the settings of the last pass, the prompt and the model, under the JSON names of the HTTP API."""
    found = stored_settings(file)
    return {
        "seed": as_seed_text(found.get("seed")),
        "steps": as_integer(found.get("steps")),
        "cfg": as_number(found.get("cfg")),
        "sampler": as_text(found.get("sampler_name")),
        "scheduler": as_text(found.get("scheduler")),
        "denoise": as_number(found.get("denoise")),
        "width": as_integer(found.get("width")),
        "height": as_integer(found.get("height")),
        "batch_size": as_integer(found.get("batch_size")),
        "prompt": file.prompt,
        "negative": as_text(found.get("negative")) or "",
        "model_name": file.model_name,
    }


def as_seed_text(value: Any) -> str | None:
    """Return a seed, or whatever else a run was told, as a text; JavaScript's numbers are too short for a seed."""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value if type(item) in (int, float, str)) or None
    return str(value) or None if type(value) in (int, float, str) else None


def as_integer(value: Any) -> int | None:
    return value if type(value) is int and abs(value) <= MAX_EXACT else None


def as_number(value: Any) -> float | None:
    return value if type(value) is float and math.isfinite(value) else as_integer(value)


def as_string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def as_text(value: Any) -> str | None:
    return as_string(value) or None


def stored_settings(file: gen5core.Gen5File, pass_index: int = -1) -> dict[str, Any]:
    """Return the settings of one pass under Gen5 Settings' output names, and the other values of its capture.

    Raises
    ------
    EncodeError
        if there is no such pass.
    """
    passes = captured_passes(file) or [{}]
    if not -len(passes) <= pass_index < len(passes):
        raise EncodeError(
            f"pass_index is {pass_index}, but the file has {len(passes)} passes; −1 takes the last"
        )
    chosen = passes[pass_index]
    known = _from_generation_settings(file) if chosen is passes[-1] else {}
    known.setdefault("sampler_name", chosen.get("recorded_sampler"))
    return {**known, **{name: value for name, value in chosen.items() if value is not None}}


def _from_generation_settings(file: gen5core.Gen5File) -> dict[str, Any]:
    """Return the settings of the last pass from ``generation_settings``, which every writer stores."""
    stored: Mapping[str, Any] = file.settings
    named = {"cfg": "cfg_scale", "sampler_name": "sampler"}
    names = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise", "negative", "width", "height")
    found = {name: stored.get(named.get(name, name)) for name in names}
    return {**found, "positive": file.prompt or None, "model_name": file.model_name or None}

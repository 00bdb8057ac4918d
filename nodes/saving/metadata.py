"""What a saved file tells of its making: graph, settings, machine, environment; private parts left out if asked."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from ... import gen5core
from ...gen5core.rewrite.scrub import scrub_facts
from ...gen5core.writer.model_info import fits_rule
from .. import host
from .capture import Captured

MACHINE_NAME_SETTING = "Gen5.Privacy.MachineName"
SCRUB_SETTING = "Gen5.Privacy.Scrub"


def without_private(facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what is about to be saved as the person's settings let it out, and one line for each thing left out."""
    return scrub_facts(facts) if host.setting(SCRUB_SETTING, False) else (dict(facts), [])


def describe_graph(
    graph: Mapping[str, Any], extra_pnginfo: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return META's ``comfyui``: prompt, workflow, what else the browser adds, and the version; None without them."""
    embedded = {**({"prompt": dict(graph)} if graph else {}), **(extra_pnginfo or {})}
    return {**embedded, "version": host.description()} if embedded else None


def embedded_texts(comfyui: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what of META's ``comfyui`` goes into PNGs too."""
    return {name: value for name, value in (comfyui or {}).items() if name != "version"}


def describe_machine() -> dict[str, Any]:
    """Return environment and hardware, the machine under its own name only where the person has chosen that."""
    environment = gen5core.Environment.capture(host=host.description(), attention=host.attention_backend())
    name = platform.node() if host.setting(MACHINE_NAME_SETTING, False) else ""
    told = {"machine_name": name.encode("utf-8", "replace").decode()} if name else {}
    return {"environment": environment, "hardware": {**environment.hardware, **told}}


def describe_capture(captured: Captured, batch_index: Sequence[int] | None) -> dict[str, Any]:
    """Return META's ``capture``."""
    return {**captured.as_meta(), **({"batch_index": list(batch_index)} if batch_index else {})}


def describe_last_pass(passes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return settings, prompt and model of the pass nearest the image; what META's rules refuse is left out.

    Prompt and model are the nearest that are told: a run that the graph does not have tells of none.
    """
    last = passes[-1] if passes else {}
    named_last = next(
        (entry for entry in reversed(passes) if "positive" in entry or "model_name" in entry), last
    )
    named = {
        "seed": last.get("seed"),
        "steps": last.get("steps"),
        "sampler": last.get("sampler_name") or last.get("recorded_sampler"),
        "cfg_scale": last.get("cfg"),
        "scheduler": last.get("scheduler"),
        "denoise": last.get("denoise"),
        "negative": last.get("negative"),
        "width": last.get("width"),
        "height": last.get("height"),
    }
    settings = {name: value for name, value in named.items() if value is not None and fits_rule(name, value)}
    return {
        "settings": settings or None,
        "prompt": named_last.get("positive") or "",
        "model_name": named_last.get("model_name") or "",
    }

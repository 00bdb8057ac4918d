"""Whether samplers are recorded without any wiring: the user's setting, the environment, and each request's own wish.

A request's wish is kept with its Save Gen5 nodes, outside of what runs, of ComfyUI's cache and of what is stored.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from .. import host
from .edit import MarkedNode, Prompt, class_of, is_marked_off

SAVE: Final = "Gen5Save"
AUTO_RECORD_VARIABLE = "GEN5_AUTO_RECORD"
"""If this is 0 when ComfyUI starts, a save records only what is wired to it."""
AUTO_RECORD_SETTING = "Gen5.Recording.Automatic"
"""If the user turns this setting off, the same applies from the next run on."""


def is_enabled() -> bool:
    """Return whether the user wants samplers to be recorded without any wiring."""
    return os.environ.get(AUTO_RECORD_VARIABLE) != "0" and host.setting(
        AUTO_RECORD_SETTING, True, strict=False
    )


def is_refused(json_data: Mapping[str, Any]) -> bool:
    """Return whether a request turns recording off: ``extra_data: {"gen5": {"auto_record": false}}``."""
    extra_data = json_data.get("extra_data")
    options = extra_data.get("gen5") if isinstance(extra_data, dict) else None
    return isinstance(options, dict) and options.get("auto_record") is False


def refuse(prompt: Prompt) -> Prompt:
    """Return prompt with every Save Gen5 marked, so that it ignores what was recorded without wiring."""
    return _mark_saves(prompt, is_off=True)


def explain(prompt: Prompt, unwatched: str) -> Prompt:
    """Return prompt with every Save Gen5 marked, so that it says why its values were not watched."""
    return _mark_saves(prompt, unwatched=unwatched)


def _mark_saves(prompt: Prompt, *, is_off: bool = False, unwatched: str | None = None) -> Prompt:
    return {
        node_id: MarkedNode(node, is_off=is_off, unwatched=unwatched) if class_of(node) == SAVE else node
        for node_id, node in prompt.items()
    }


def is_on_for(prompt: Mapping[str, Any], save: str | None) -> bool:
    """Return whether a Save Gen5 uses what was recorded without wiring."""
    return is_enabled() and not (save is not None and is_marked_off(prompt.get(save)))

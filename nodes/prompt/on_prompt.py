"""Edits every queued prompt before ComfyUI validates it."""

from __future__ import annotations

import os
from typing import Any

from .. import host
from .insert_records import insert_records
from .insert_replays import insert_replays

AUTO_RECORD_VARIABLE = "GEN5_AUTO_RECORD"
"""If this is 0 when ComfyUI starts, a save records only what is wired to it."""
AUTO_RECORD_SETTING = "Gen5.Recording.Automatic"
"""If the user turns this setting off, the same applies from the next prompt on."""


def register() -> bool:
    """Register the handler with the server; return whether there is one."""
    return host.add_prompt_handler(handle_prompt)


def handle_prompt(json_data: Any) -> Any:
    """Return a queued request with Replay Sampling and Record Sampling inserted into its prompt.

    ``extra_data: {"gen5": {"auto_record": false}}`` in the request turns recording off for it.
    """
    prompt = json_data.get("prompt") if isinstance(json_data, dict) else None
    if not isinstance(prompt, dict):
        return json_data
    changed = insert_replays(prompt)
    if _auto_record_enabled(json_data):
        changed = insert_records(changed)
    return {**json_data, "prompt": changed}


def _auto_record_enabled(json_data: dict[str, Any]) -> bool:
    if os.environ.get(AUTO_RECORD_VARIABLE) == "0" or not host.setting(AUTO_RECORD_SETTING, True):
        return False
    extra_data = json_data.get("extra_data")
    options = extra_data.get("gen5") if isinstance(extra_data, dict) else None
    return not (isinstance(options, dict) and options.get("auto_record") is False)

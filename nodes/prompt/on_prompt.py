"""Edits every queued prompt before ComfyUI validates it."""

from __future__ import annotations

from typing import Any

from .. import host
from .auto_record import is_enabled, is_refused, refuse
from .insert_replays import insert_replays
from .insert_values import insert_values


def register() -> bool:
    """Register the handler with the server; return whether there is one."""
    return host.add_prompt_handler(handle_prompt)


def handle_prompt(json_data: Any) -> Any:
    """Return a queued request with Replay Sampling inserted where its prompt starts from Load Gen5's noise.

    ``extra_data: {"gen5": {"auto_record": false}}`` in the request turns recording off for it.
    """
    prompt = json_data.get("prompt") if isinstance(json_data, dict) else None
    if not isinstance(prompt, dict):
        return json_data
    changed = insert_replays(prompt)
    if is_refused(json_data):
        changed = refuse(changed)
    elif is_enabled():
        changed = insert_values(changed)
    return {**json_data, "prompt": changed}

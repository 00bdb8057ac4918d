"""Edits every queued prompt before ComfyUI validates it."""

from __future__ import annotations

from typing import Any

from .. import host
from .auto_record import explain, is_enabled, is_refused, refuse
from .budget import OverBudgetError, check_size
from .edit import Prompt
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
    return {**json_data, "prompt": _edit(prompt, is_refused(json_data))}


def _edit(prompt: Prompt, is_off: bool) -> Prompt:
    try:
        check_size(prompt)
    except OverBudgetError as error:
        # Load Gen5's noise is used all the same: sampling.straight starts samplers from it
        return refuse(prompt) if is_off else explain(prompt, str(error))
    changed = insert_replays(prompt)
    if is_off:
        return refuse(changed)
    return insert_values(changed) if is_enabled() else changed

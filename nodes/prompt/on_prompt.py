"""What happens to a prompt between the browser (or the HTTP API) and ComfyUI's validation."""

from __future__ import annotations

import os
from typing import Any

from .. import host
from .insert_records import insert_records
from .insert_replays import insert_replays

AUTO_RECORD_VARIABLE = "GEN5_AUTO_RECORD"
"""Set to 0 before ComfyUI is started, saves record only what is wired to them."""
AUTO_RECORD_SETTING = "Gen5.Recording.Automatic"
"""Turned off by the person, the same from the next prompt on."""


def register() -> bool:
    """Let every queued prompt pass through here; tell whether there is a server for that."""
    return host.add_prompt_handler(handle_prompt)


def handle_prompt(json_data: Any) -> Any:
    """Return the request, its samplers started from files where Load Gen5's noise is wired into them, and recorded.

    ``extra_data: {"gen5": {"auto_record": false}}`` in a request leaves the recording out of it.
    """
    prompt = json_data.get("prompt") if isinstance(json_data, dict) else None
    if not isinstance(prompt, dict):
        return json_data
    changed = insert_replays(prompt)
    if _records_by_itself(json_data):
        changed = insert_records(changed)
    return {**json_data, "prompt": changed}


def _records_by_itself(json_data: dict[str, Any]) -> bool:
    if os.environ.get(AUTO_RECORD_VARIABLE) == "0" or not host.setting(AUTO_RECORD_SETTING, True):
        return False
    extra_data = json_data.get("extra_data")
    asked = extra_data.get("gen5") if isinstance(extra_data, dict) else None
    return not (isinstance(asked, dict) and asked.get("auto_record") is False)

"""What happens to a prompt between the browser (or the HTTP API) and ComfyUI's validation."""

from __future__ import annotations

import logging
from typing import Any

from . import host
from .splice import splice_replays

logger = logging.getLogger(__name__)


def register() -> bool:
    """Let every queued prompt pass through here; tell whether there is a server for that."""
    return host.add_prompt_handler(handle_prompt)


def handle_prompt(json_data: Any) -> Any:
    """Return the request with samplers started from files where Load Gen5's noise is wired into them."""
    prompt = json_data.get("prompt") if isinstance(json_data, dict) else None
    if not isinstance(prompt, dict):
        return json_data
    return {**json_data, "prompt": splice_replays(prompt)}

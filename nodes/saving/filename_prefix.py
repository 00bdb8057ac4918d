"""Tokens of filename_prefix that ComfyUI's browser replaces for its own save nodes only.

``%date:yyyy-MM-dd%`` is the time now; ``%Node.widget%`` is a node's value, the node named by its title or class.
The server's own tokens (``%year%``, ``%width%`` …) are left to the server.

Source: ComfyUI frontend, "Save Image" node, "Special formatting of output names".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...gen5core.files import windows

_TOKEN = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile(r"yyyy|yy|MM|M|dd|d|hh|h|mm|m|ss|s")
_UNFIT = re.compile(r'[/\\?%*:|"<>\x00-\x1f]')
"""What a file system may refuse in a name."""


def expand_prefix(prefix: str, prompt: Mapping[str, Any], now: datetime) -> str:
    """Return prefix with dates and nodes' values in place; a token that nothing answers stays as it is.

    Raises
    ------
    ValueError
        on Windows, where the result has a part that is no name there.
    """

    def answer(match: re.Match[str]) -> str:
        token = match[1]
        if token.startswith("date:"):
            return _format_date(token.removeprefix("date:"), now)
        node, dot, widget = token.partition(".")
        value = _widget_value(prompt, node, widget) if dot else None
        return match[0] if value is None else _UNFIT.sub("_", value)

    expanded = _TOKEN.sub(answer, prefix)
    if windows.IS_WINDOWS:
        windows.check_parts(f"{expanded}_")  # what a number follows
    return expanded


def _format_date(form: str, now: datetime) -> str:
    parts = {
        "yyyy": f"{now.year:04}",
        "yy": f"{now.year % 100:02}",
        "MM": f"{now.month:02}",
        "M": str(now.month),
        "dd": f"{now.day:02}",
        "d": str(now.day),
        "hh": f"{now.hour:02}",
        "h": str(now.hour),
        "mm": f"{now.minute:02}",
        "m": str(now.minute),
        "ss": f"{now.second:02}",
        "s": str(now.second),
    }
    return _DATE_PART.sub(lambda match: parts[match[0]], form)


def _widget_value(prompt: Mapping[str, Any], name: str, widget: str) -> str | None:
    """Return the value of a widget of the only node of that title or class; None where that is not one value."""
    nodes = [node for node in prompt.values() if isinstance(node, Mapping) and name in _names(node)]
    inputs = nodes[0].get("inputs") if len(nodes) == 1 else None
    value = inputs.get(widget) if isinstance(inputs, Mapping) else None
    return str(value) if isinstance(value, (str, int, float)) else None


def _names(node: Mapping[str, Any]) -> tuple[Any, Any]:
    meta = node.get("_meta")
    return node.get("class_type"), meta.get("title") if isinstance(meta, Mapping) else None

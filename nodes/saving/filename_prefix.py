"""Tokens of filename_prefix that ComfyUI's browser replaces for its own save nodes only.

``%date:yyyy-MM-dd%`` is the current time; ``%Node.widget%`` is the value of a widget, the node given by title or
class. The server's own tokens (``%year%``, ``%width%`` …) are left to the server.

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
_FORBIDDEN = re.compile(r'[/\\?%*:|"<>\x00-\x1f]')
"""What a file system may not allow in a name."""


def expand_prefix(prefix: str, prompt: Mapping[str, Any], now: datetime) -> str:
    """Return prefix with dates and widget values filled in; unknown tokens stay as they are.

    Raises
    ------
    ValueError
        on Windows, if a part of the result is not a valid file name.
    """

    def replacement(match: re.Match[str]) -> str:
        token = match[1]
        if token.startswith("date:"):
            return _format_date(token.removeprefix("date:"), now)
        node, dot, widget = token.partition(".")
        value = _widget_value(prompt, node, widget) if dot else None
        return match[0] if value is None else _FORBIDDEN.sub("_", value)

    expanded = _TOKEN.sub(replacement, prefix)
    if windows.IS_WINDOWS:
        windows.check_parts(f"{expanded}_")  # as in the file name, where _ and a number follow
    return expanded


def _format_date(pattern: str, now: datetime) -> str:
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
    return _DATE_PART.sub(lambda match: parts[match[0]], pattern)


def _widget_value(prompt: Mapping[str, Any], name: str, widget: str) -> str | None:
    """Return the widget's value in the only node with that title or class; None if there is no such single value."""
    nodes = [node for node in prompt.values() if isinstance(node, Mapping) and _is_named(node, name)]
    inputs = nodes[0].get("inputs") if len(nodes) == 1 else None
    value = inputs.get(widget) if isinstance(inputs, Mapping) else None
    return str(value) if isinstance(value, (str, int, float)) else None


def _is_named(node: Mapping[str, Any], name: str) -> bool:
    meta = node.get("_meta")
    return name in (node.get("class_type"), meta.get("title") if isinstance(meta, Mapping) else None)

"""Values of a file -> text that a terminal shows and never obeys."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final

_UNITS: Final = ("kB", "MB", "GB")
_ROUNDS_UP: Final = 1 / 0.99995
"""999.95 kB would be shown as 1000.0 kB."""
MAX_PRINTED: Final = 2000
"""Characters of one value; `extract --metadata` has all of them."""


def printable(text: str, *, lines: bool = False) -> str:
    """Return text with every character that is not printable as its escape.

    That covers terminal escapes, carriage returns, text direction overrides and lone surrogates.

    Parameters
    ----------
    lines : keep line feeds
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or (lines and character == "\n") else _escaped(character)
        for character in text
    )


def printable_value(value: Any, *, lines: bool = False) -> str:
    """Return a JSON value as short text: a string as it is, the rest as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MAX_PRINTED:
        text = f"{text[:MAX_PRINTED]}… ({len(text)} characters, `extract --metadata` has all)"
    return printable(text, lines=lines)


def format_size(size_bytes: int) -> str:
    """Return a size in decimal units, e.g. ``65.7 kB``."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    power = min(len(_UNITS), int(math.log10(size_bytes * _ROUNDS_UP) // 3))
    return f"{size_bytes / 1000**power:.1f} {_UNITS[power - 1]}"


def format_shape(shape: Iterable[int]) -> str:
    """Return a shape, e.g. ``1 × 4 × 64 × 64``; one without axes is a ``scalar``."""
    return " × ".join(map(str, shape)) or "scalar"


def plural(count: int, noun: str) -> str:
    """Return count and noun, e.g. ``1 file`` or ``2 files``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

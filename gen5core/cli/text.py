"""Values from a file -> text that is safe to print on a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final

_UNITS: Final = ("kB", "MB", "GB")
_ROUNDS_UP: Final = 1 / 0.99995
"""Sizes from 999.95 kB on go to the next unit; they would be printed as 1000.0 kB."""
MAX_PRINTED: Final = 2000
"""Maximum characters of one value; `extract --metadata` writes all of them."""


def printable(text: str, *, lines: bool = False) -> str:
    """Return text with every unprintable character escaped.

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
    """Return a JSON value as short text: strings without quotes, everything else as JSON."""
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
    """Return a shape as text, e.g. ``1 × 4 × 64 × 64``, or ``scalar`` if it has no axes."""
    return " × ".join(map(str, shape)) or "scalar"


def plural(count: int, noun: str) -> str:
    """Return count and noun, e.g. ``1 file`` or ``2 files``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

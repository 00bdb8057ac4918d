"""The parameters of a route's query: file names, integers and switches, each checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from ...gen5core.errors import EncodeError
from ..stored.error_kinds import kind_of
from ..stored.paths import resolve_file
from .errors import HttpError

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file's name as Load Gen5's widget has it, e.g. ``a.gen5 [output]``, and its path."""

    name: str
    path: Path


def read_file_name(query: Query) -> NamedFile:
    """Return the file that ``name`` refers to, confined to its folder; it may not exist.

    Raises
    ------
    HttpError
    """
    name = query.get("name", "")
    if not name or "\0" in name:
        raise _malformed("name", name, "the name of a file, e.g. cat.gen5 or cat.gen5 [output]")
    try:
        return NamedFile(name, resolve_file(name))
    except EncodeError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, kind_of(error), str(error)) from error


def read_integer(query: Query, key: str, default: int, lowest: int, highest: int) -> int:
    """Return an integer from lowest to highest, or default if it is missing.

    Raises
    ------
    HttpError
    """
    text = query.get(key, str(default))
    is_plain = text.isascii() and text.isdigit() and len(text) < 20
    if not is_plain or not lowest <= int(text) <= highest:
        raise _malformed(key, text, f"an integer from {lowest} to {highest}")
    return int(text)


def read_switch(query: Query, key: str) -> bool:
    """Return whether a switch is 1; it is off if it is 0 or missing.

    Raises
    ------
    HttpError
    """
    text = query.get(key, "0")
    if text not in ("0", "1"):
        raise _malformed(key, text, "0 or 1")
    return text == "1"


def _malformed(key: str, text: str, expected: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, "bad_query", f"{key} is {text!r:.80}; give {expected}")

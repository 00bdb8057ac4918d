"""The fields of a stored JSON object, each checked as it is taken.

A file may come from anyone, so no parser uses a value before its kind is known. Whatever is wrong is one
error that names the chunk, the path of the value within its JSON, what stands there and what must.
"""

from __future__ import annotations

import base64
import re
import reprlib
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from ..errors import FormatError, MalformedChunkError
from .records import ChunkRow

Kind = TypeVar("Kind")
_KIND_NAMES: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    bool: "true or false",
}
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_SHOWN: Final = 120
_SHORT: Final = reprlib.Repr()  # repr itself shows all of a value, and none that is nested too deeply
_SHORT.maxlevel = 3
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = _MAX_SHOWN


class Fields:
    """A JSON object whose fields are checked as they are taken: a bool is no integer, null is a value.

    Parameters
    ----------
    value : what must be the object
    name : its path in the JSON; empty for the outermost one
    chunk, offset : what an error names

    Attributes
    ----------
    values : the object as it was parsed

    Raises
    ------
    MalformedChunkError
        here and from every method, if a value is not what it must be.
    """

    __slots__ = ("_chunk", "_name", "_offset", "values")

    def __init__(self, value: Any, name: str, *, chunk: str | ChunkRow, offset: int | None) -> None:
        self._name, self._chunk, self._offset = name, chunk, offset
        if type(value) is not dict:
            raise self._fault(name or "its JSON", value, _KIND_NAMES[dict])
        self.values: dict[str, Any] = value

    def get(self, key: str, kind: type[Kind], default: Kind | None = None) -> Kind:
        """Return a field that is exactly of kind; one that is missing is an error unless it has a default."""
        value = self.values.get(key, default)
        if type(value) is not kind:
            raise self.fault(key, _KIND_NAMES[kind])
        return value

    def optional(self, key: str, kind: type[Kind]) -> Kind | None:
        """Return a field that is exactly of kind; None where it is missing or null."""
        return None if self.values.get(key) is None else self.get(key, kind)

    def number(self, key: str, most: int, *, least: int = 0) -> int:
        """Return an integer from least to most."""
        value = self.values.get(key)
        if type(value) is not int or not least <= value <= most:
            raise self.fault(key, f"an integer from {least} to {most}")
        return value

    def text(self, key: str) -> str:
        """Return a string that UTF-8 can carry; JSON also spells ones that it cannot."""
        value = self.get(key, str)
        if not is_utf8(value):
            raise self.fault(key, "a string that UTF-8 can carry")
        return value

    def digest(self, key: str) -> str:
        """Return a SHA-256 in hex, in small letters."""
        value = self.values.get(key)
        if type(value) is not str or not _DIGEST.fullmatch(value):
            raise self.fault(key, "a SHA-256 in hex")
        return value

    def base64(self, key: str) -> bytes:
        """Return the bytes of a string in base64."""
        text = self.get(key, str)
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise self.fault(key, "base64") from error

    def object(self, key: str, default: dict[str, Any] | None = None) -> Fields:
        """Return the fields of an object."""
        value = self.values.get(key, default)
        return Fields(value, self._path(key), chunk=self._chunk, offset=self._offset)

    def objects(self, key: str) -> Iterator[Fields]:
        """Return the fields of each object in a list, which is checked at once, each object in its turn."""
        path, values = self._path(key), self.get(key, list)
        return (
            Fields(value, f"{path}[{index}]", chunk=self._chunk, offset=self._offset)
            for index, value in enumerate(values)
        )

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        """Return a list of strings."""
        values = self.get(key, list, default)
        for index, value in enumerate(values):
            if type(value) is not str:
                raise self._fault(f"{self._path(key)}[{index}]", value, _KIND_NAMES[str])
        return values

    def numbers(self, key: str, most: int, *, least: int = 0) -> list[int]:
        """Return a list of integers from least to most."""
        values = self.get(key, list)
        for index, value in enumerate(values):
            if type(value) is not int or not least <= value <= most:
                rule = f"an integer from {least} to {most}"
                raise self._fault(f"{self._path(key)}[{index}]", value, rule)
        return values

    def fault(self, key: str, rule: str) -> FormatError:
        """Return the error that a field is not what rule says."""
        return self._fault(self._path(key), self.values.get(key), rule)

    def error(self, message: str, kind: type[FormatError] = MalformedChunkError) -> FormatError:
        """Return an error that names chunk and offset."""
        return kind(message, chunk=str(self._chunk), offset=self._offset)

    def _fault(self, path: str, value: Any, rule: str) -> FormatError:
        return self.error(f"{path} is {shorten(value)}, not {rule}")

    def _path(self, key: str) -> str:
        if len(key) > _MAX_SHOWN or not key.isidentifier():
            return f"{self._name}[{shorten(key)}]"
        return f"{self._name}.{key}" if self._name else key


def shorten(value: Any) -> str:
    """Return a value as an error may show it, whatever its size or depth."""
    return _SHORT.repr(value)[:_MAX_SHOWN]


def is_utf8(text: str) -> bool:
    """Tell whether UTF-8 can carry text; it cannot carry half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

"""Access to the fields of a stored JSON object, with type checks.

A file may come from anyone, so no parser uses a value before its type is checked. Every mismatch is one kind
of error, which names the chunk, the path of the value in the JSON, the value, and what was expected.
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
_MAX_LENGTH: Final = 120
_SHORT: Final = reprlib.Repr()  # repr() has no length limit, and fails on deeply nested values
_SHORT.maxlevel = 3
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = _MAX_LENGTH


class Fields:
    """A JSON object whose fields are checked on access; a bool is not an integer, and null is not a missing field.

    Parameters
    ----------
    value : the parsed JSON, which must be an object
    name : its path in the JSON; empty for the outermost object
    chunk, offset : location that errors name

    Attributes
    ----------
    values : the object, unchecked

    Raises
    ------
    MalformedChunkError
        from here and from every method, if a value is not what is expected.
    """

    __slots__ = ("_chunk", "_name", "_offset", "values")

    def __init__(self, value: Any, name: str, *, chunk: str | ChunkRow, offset: int | None) -> None:
        self._name, self._chunk, self._offset = name, chunk, offset
        if type(value) is not dict:
            raise self._invalid(name or "its JSON", value, _KIND_NAMES[dict])
        self.values: dict[str, Any] = value

    def get(self, key: str, kind: type[Kind], default: Kind | None = None) -> Kind:
        """Return a field of exactly this type; a missing field is an error unless there is a default."""
        value = self.values.get(key, default)
        if type(value) is not kind:
            raise self.invalid(key, _KIND_NAMES[kind])
        return value

    def optional(self, key: str, kind: type[Kind]) -> Kind | None:
        """Return a field of exactly this type, or None if it is missing or null."""
        return None if self.values.get(key) is None else self.get(key, kind)

    def number(self, key: str, maximum: int, *, minimum: int = 0) -> int:
        """Return an integer from minimum to maximum, both included."""
        value = self.values.get(key)
        if type(value) is not int or not minimum <= value <= maximum:
            raise self.invalid(key, f"an integer from {minimum} to {maximum}")
        return value

    def text(self, key: str) -> str:
        """Return a string that UTF-8 can encode; JSON escapes can also produce lone surrogates."""
        value = self.get(key, str)
        if not is_utf8(value):
            raise self.invalid(key, "a string that UTF-8 can encode")
        return value

    def digest(self, key: str) -> str:
        """Return a SHA-256 in lower-case hex."""
        value = self.values.get(key)
        if type(value) is not str or not _DIGEST.fullmatch(value):
            raise self.invalid(key, "a SHA-256 in hex")
        return value

    def base64(self, key: str) -> bytes:
        """Return the decoded bytes of a base64 string."""
        text = self.get(key, str)
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise self.invalid(key, "base64") from error

    def object(self, key: str, default: dict[str, Any] | None = None) -> Fields:
        """Return the fields of a nested object."""
        value = self.values.get(key, default)
        return Fields(value, self._path(key), chunk=self._chunk, offset=self._offset)

    def objects(self, key: str) -> Iterator[Fields]:
        """Yield the fields of each object in a list; the list is checked at once, each object when it is yielded."""
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
                raise self._invalid(f"{self._path(key)}[{index}]", value, _KIND_NAMES[str])
        return values

    def numbers(self, key: str, maximum: int, *, minimum: int = 0) -> list[int]:
        """Return a list of integers from minimum to maximum, both included."""
        values = self.get(key, list)
        for index, value in enumerate(values):
            if type(value) is not int or not minimum <= value <= maximum:
                expected = f"an integer from {minimum} to {maximum}"
                raise self._invalid(f"{self._path(key)}[{index}]", value, expected)
        return values

    def invalid(self, key: str, expected: str) -> FormatError:
        """Return the error for a field that is not what was expected, e.g. ``"a string"``."""
        return self._invalid(self._path(key), self.values.get(key), expected)

    def error(self, message: str, kind: type[FormatError] = MalformedChunkError) -> FormatError:
        """Return an error that names the chunk and its offset."""
        return kind(message, chunk=str(self._chunk), offset=self._offset)

    def _invalid(self, path: str, value: Any, expected: str) -> FormatError:
        return self.error(f"{path} is {shorten(value)}, not {expected}")

    def _path(self, key: str) -> str:
        # A key comes from the file: quote it, so that it cannot pass for a part of the message.
        if len(key) > _MAX_LENGTH or not key.isidentifier():
            return f"{self._name}[{shorten(key)}]"
        return f"{self._name}.{key}" if self._name else key


def shorten(value: Any) -> str:
    """Return a short representation of a value for error messages, whatever its size or depth."""
    return _SHORT.repr(value)[:_MAX_LENGTH]


def is_utf8(text: str) -> bool:
    """Return whether UTF-8 can encode text; it cannot encode a lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

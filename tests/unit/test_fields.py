"""Fields of a JSON object: which values are accepted, which are rejected, and the error messages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from gen5core import ChecksumError, MalformedChunkError
from gen5core.container.fields import Fields, shorten
from gen5core.container.records import ChunkRow

DIGEST = "0123456789abcdef" * 4


def fields_of(**values: Any) -> Fields:
    return Fields(values, "a", chunk="META", offset=32)


def test_valid_fields() -> None:
    """Fields of every type are returned unchanged, nested ones too."""
    fields = fields_of(
        size=5, on=True, digest=DIGEST, name="ü", data="AAE=", inner={"x": 1}, rows=[{"y": 2}, {"y": 3}]
    )
    assert fields.get("on", bool) is True
    assert (fields.number("size", 5), fields.number("size", 9, minimum=5)) == (5, 5)
    assert (fields.digest("digest"), fields.text("name"), fields.base64("data")) == (DIGEST, "ü", b"\0\1")
    assert fields.object("inner").get("x", int) == 1
    assert [row.get("y", int) for row in fields.objects("rows")] == [2, 3]
    assert fields_of(tags=["a", "b"]).texts("tags") == ["a", "b"]
    assert fields_of(shape=[1, 7]).numbers("shape", 7, minimum=1) == [1, 7]


def test_missing_fields() -> None:
    """A missing field gives the default or None; null gives None only through ``optional``."""
    fields = fields_of(null=None)
    assert (fields.get("x", int, 3), fields.optional("x", int), fields.optional("null", int)) == (
        3,
        None,
        None,
    )
    assert (fields.object("x", {}).values, fields.texts("x", [])) == ({}, [])
    with pytest.raises(MalformedChunkError, match=r"a\.null is None, not an integer$"):
        fields.get("null", int, 3)


INVALID_FIELDS: dict[str, tuple[Callable[[Fields], Any], Any, str]] = {
    "bool for an integer": (lambda fields: fields.get("x", int), True, "a.x is True, not an integer"),
    "float for an integer": (lambda fields: fields.get("x", int), 1.0, "a.x is 1.0, not an integer"),
    "integer for a bool": (lambda fields: fields.get("x", bool), 1, "a.x is 1, not true or false"),
    "optional": (lambda fields: fields.optional("x", str), 1, "a.x is 1, not a string"),
    "too large": (lambda fields: fields.number("x", 4), 5, "a.x is 5, not an integer from 0 to 4"),
    "too small": (lambda fields: fields.number("x", 4, minimum=2), 1, "a.x is 1, not an integer from 2 to 4"),
    "true as a number": (lambda fields: fields.number("x", 4), True, "a.x is True, not an integer from 0"),
    "short digest": (lambda fields: fields.digest("x"), "0", "a.x is '0', not a SHA-256 in hex"),
    "digest and a line feed": (
        lambda fields: fields.digest("x"),
        f"{DIGEST}\n",
        rf"a.x is '{DIGEST}\n', not",
    ),
    "capital digest": (lambda fields: fields.digest("x"), "A" * 64, f"a.x is '{'A' * 64}', not a SHA-256"),
    "number for a digest": (lambda fields: fields.digest("x"), 5, "a.x is 5, not a SHA-256 in hex"),
    "half a surrogate": (
        lambda fields: fields.text("x"),
        "\ud800",
        r"a.x is '\ud800', not a string that UTF-8",
    ),
    "invalid base64": (lambda fields: fields.base64("x"), "A", "a.x is 'A', not base64"),
    "number for base64": (lambda fields: fields.base64("x"), 5, "a.x is 5, not a string"),
    "not an object": (lambda fields: fields.object("x"), [], "a.x is [], not an object"),
    "one of the objects": (lambda fields: list(fields.objects("x")), [{}, 1], "a.x[1] is 1, not an object"),
    "one of the texts": (lambda fields: fields.texts("x"), ["a", None], "a.x[1] is None, not a string"),
    "one of the numbers": (
        lambda fields: fields.numbers("x", 9),
        [1, 10],
        "a.x[1] is 10, not an integer from 0 to 9",
    ),
    "within an object": (
        lambda fields: fields.object("x").get("y", int),
        {},
        "a.x.y is None, not an integer",
    ),
    "within a list": (
        lambda fields: [row.get("y", int) for row in fields.objects("x")],
        [{"y": 1}, {"y": ""}],
        "a.x[1].y is '', not an integer",
    ),
}


@pytest.mark.parametrize("name", INVALID_FIELDS)
def test_invalid_fields_are_rejected(name: str) -> None:
    """The error names chunk, offset, path, the value and what was expected."""
    access, value, message = INVALID_FIELDS[name]
    with pytest.raises(MalformedChunkError, match=rf"^META at offset 32: {re.escape(message)}"):
        access(fields_of(x=value))


def test_the_outermost_object_has_no_path() -> None:
    """An error names the outermost object as ``its JSON``, and its fields by key alone."""
    with pytest.raises(MalformedChunkError, match=r"^META: its JSON is 'x', not an object$"):
        Fields("x", "", chunk="META", offset=None)
    assert str(Fields({}, "", chunk="META", offset=None).invalid("x", "y")) == "META: x is None, not y"


def test_keys_from_the_file_are_quoted() -> None:
    """A key that comes from the file cannot be mistaken for part of the message."""
    for key, quoted in (("a b", "a['a b']"), ("\n", r"a['\n']"), ("x" * 1000, f"a['{'x' * 50}")):
        message = str(fields_of(**{key: 1}).invalid(key, "2"))
        assert message.startswith(f"META at offset 32: {quoted}")
        assert len(message) < 300


def test_errors_name_the_row() -> None:
    """A row is named by its chunk, and the caller may choose the class of the error."""
    row = ChunkRow(3, "LATN", "F32", 32, 12, 0, DIGEST, False, {"key": "noise"})
    error = Fields({}, "extra", chunk=row, offset=32).error("is wrong", ChecksumError)
    assert (type(error), str(error)) == (ChecksumError, "chunk 3 (LATN 'noise') at offset 32: is wrong")


@given(strategies.json_values() | st.recursive(st.none(), lambda inner: st.lists(inner, min_size=1)))
def test_shorten_any_json_value(value: Any) -> None:
    """Every JSON value has a short representation."""
    assert 1 <= len(shorten(value)) <= 120


def test_shorten_huge_values() -> None:
    """Very deep and very long values are shortened too."""
    deep = json.loads("[" * 900 + "]" * 900)
    for value in (deep, {"x": deep}, "x" * 10**6, [["y" * 1000] * 1000] * 1000, 10**4000):
        assert len(shorten(value)) <= 120
    assert shorten(DIGEST) == repr(DIGEST)

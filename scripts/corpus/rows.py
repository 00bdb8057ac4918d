"""The chunk table, field by field. The changed row is the first one, initial_noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import forge

from .cases import DROP, INTACT, MALFORMED, NOISE, PACKED, Case, edited, meta_of_runs

_KINDS: dict[str, tuple[str, Any]] = {
    "index": ("an integer", True),
    "type": ("a string", 5),
    "flags": ("a string", None),
    "offset": ("an integer", 32.0),
    "compressed_size": ("an integer", "28"),
    "uncompressed_size": ("an integer", False),
    "hash": ("a SHA-256 in hex", [0]),
    "compressed": ("true or false", 0),
    "extra": ("an object", []),
}
"""Field -> the required type in the reader's words, and a value of another type."""


def row_cases() -> Iterator[Case]:
    """Yield cases of fields that are missing or of the wrong type, then of wrong values."""

    def case(why: str, message: str, name: str, value: Any) -> Case:
        return Case(MALFORMED, f"row_{why}", message, _row(**{name: value}))

    for name, (kind, value) in _KINDS.items():
        text = repr(value).replace("[", r"\[").replace("]", r"\]")
        yield case(f"{name}_kind", rf"chunks\[0\]\.{name} is {text}, not {kind}", name, value)
        if name != "extra":
            yield case(f"{name}_missing", rf"chunks\[0\]\.{name} is None, not {kind}", name, DROP)
    yield Case(
        MALFORMED,
        "row_not_object",
        r"chunks\[0\] is 'x', not an object",
        edited("x", "gen5_metadata", "chunks", 0),
    )
    yield case("index_wrong", r"chunks\[0\]\.index is 1, not 0", "index", 1)
    yield case("type_short", r"chunks\[0\]\.type is 'LAT', not four ASCII", "type", "LAT")
    yield case("type_long", r"chunks\[0\]\.type is 'LATNX', not four ASCII", "type", "LATNX")
    yield case("type_not_ascii", r"chunks\[0\]\.type is 'LATÑ', not four ASCII", "type", "LATÑ")
    yield case("flags_long", r"chunks\[0\]\.flags is 'F3200', not at most four ASCII", "flags", "F3200")
    yield case("hash_short", r"chunks\[0\]\.hash is '0+', not a SHA-256", "hash", "0" * 63)
    yield case("hash_newline", r"chunks\[0\]\.hash is '0+\\n', not a SHA-256 in hex", "hash", "0" * 64 + "\n")
    yield case("hash_capitals", r"chunks\[0\]\.hash is 'A+', not a SHA-256", "hash", "A" * 64)
    yield case(
        "size_negative",
        r"chunks\[0\]\.uncompressed_size is -1, not an integer from 0 to 4294967283",
        "uncompressed_size",
        -1,
    )
    yield case(
        "stored_size_negative",
        r"chunks\[0\]\.compressed_size is -1, not an integer from 0 to",
        "compressed_size",
        -1,
    )
    yield case(
        "size_4_gib",
        r"uncompressed_size is 4294967284, not an integer from 0 to 4294967283",
        "uncompressed_size",
        2**32 - 12,
    )
    yield case(
        "raw_size_differs",
        r"compressed_size is 28, not 27, the stored size of 15 raw bytes",
        "uncompressed_size",
        15,
    )
    yield case("offset_in_header", r"chunks\[0\]\.offset is 31, not an integer from 32 to", "offset", 31)
    yield case("offset_negative", r"chunks\[0\]\.offset is -1, not", "offset", -1)
    yield case(
        "offset_in_meta", rf"offset is {len(INTACT)}, not an integer from 32 to \d+", "offset", len(INTACT)
    )
    yield case("offset_of_4300_digits", r"chunks\[0\]\.offset is 9{40}", "offset", 10**4300 - 1)
    yield Case(MALFORMED, "row_end_of_4301_digits", r"chunks\[0\]\.offset is 9{40}", _endless_row())


def _row(**fields: Any) -> bytes:
    def edit(document: dict[str, Any]) -> None:
        row = document["gen5_metadata"]["chunks"][0]
        row.update(fields)
        for name in [name for name, value in fields.items() if value is DROP]:
            del row[name]

    return forge.build([NOISE, PACKED], edit=edit)


def _endless_row() -> bytes:
    """Return a file whose row ends at an offset of more digits than Python prints."""
    row = NOISE.table_row(0, 32) | {"offset": "#", "compressed_size": "#"}
    head, between, tail = forge.dump({"gen5_metadata": {"chunks": [row]}}).split(b'"#"')
    parts = ((head, 1), (b"9", 4300), (between, 1), (b"9", 4300), (tail, 1))
    return forge.build([NOISE], meta=meta_of_runs(*parts))

"""META's text: invalid JSON, and JSON without a chunk table."""

from __future__ import annotations

from collections.abc import Iterator

import forge

from .cases import LIMIT, MALFORMED, Case, Run, meta_of_runs

DEEP = 100_000


def meta_text_cases() -> Iterator[Case]:
    """Yield cases that fail at the start, then those that are valid JSON up to a late position."""

    def case(why: str, message: str, text: bytes) -> Case:
        return Case(MALFORMED, f"meta_{why}", message, forge.build([], text=text))

    def late(why: str, message: str, *further: Run) -> Case:
        return Case(MALFORMED, f"meta_{why}", message, _core(*further))

    yield case("text_empty", r"not strict JSON", b"")
    yield case("text_not_utf8", r"its text is not UTF-8", b'{"gen5_metadata":"\xff"}')
    yield case("text_utf16", r"its text is not", '{"gen5_metadata":{}}'.encode("utf-16"))
    yield case("text_byte_order_mark", r"not strict JSON", b'\xef\xbb\xbf{"gen5_metadata":{"chunks":[]}}')
    yield case("not_json", r"not strict JSON", b"{'gen5_metadata': {}}")
    yield case("json_cut", r"not strict JSON", b'{"gen5_metadata":{"chunks":[]}')
    yield case("nan", r"NaN is not JSON", b'{"gen5_metadata":{"chunks":[],"x":NaN}}')
    yield case("list", r"its JSON is \[\], not an object", b"[]")
    yield case("null", r"its JSON is None, not an object", b"null")
    yield case("without_core", r"gen5_metadata is None, not an object", b'{"comfyui":{}}')
    yield case("core_list", r"gen5_metadata is \[\], not an object", b'{"gen5_metadata":[]}')
    yield case("chunks_missing", r"chunks is None, not a list", b'{"gen5_metadata":{}}')
    yield case("chunks_object", r"chunks is \{\}, not a list", b'{"gen5_metadata":{"chunks":{}}}')
    yield late("json_twice", r"not strict JSON \(Extra data", (b"}{}", 1))
    yield late("infinity_at_the_end", r"-Infinity is not JSON", (b',"capture":{"sigma":-Infinity}}', 1))
    yield late("core_twice", r"has gen5_metadata twice", (b',"gen5_metadata":{"chunks":[]}}', 1))
    yield late("string_with_control", r"not strict JSON", (b',"x":"\0"}', 1))
    yield late("integer_endless", r"not strict JSON", (b',"x":', 1), (b"9", DEEP), (b"}", 1))
    many, values = 2**18 + 1, r"its JSON may hold \d+ values, the limit is 262144"
    yield Case(LIMIT, "meta_values", values, _core((b',"x":[', 1), (b",", many), (b"]}", 1)))
    too_deep = r"its JSON is nested too deeply"
    yield late("nested_at_the_end", too_deep, (b',"x":', 1), (b"[", DEEP), (b"]", DEEP), (b"}", 1))
    for why, closing in (("lists", b"]"), ("list_openings", b" ")):
        data = _runs((b'{"gen5_metadata":', 1), (b"[", DEEP), (closing, DEEP), (b"}", 1))
        yield Case(MALFORMED, f"meta_nested_{why}", too_deep, data)


def _core(*further: Run) -> bytes:
    """Return a file without chunks, valid except for the runs of text after ``gen5_metadata``."""
    info = '{"magic":"GEN5","version_major":1,"version_minor":1,"file_size":%d,"chunk_count":0}'
    size, data = -1, b""
    while len(data) != size:
        size = len(data)
        core = ('{"gen5_metadata":{"file_info":' + info % size + ',"chunks":[]}').encode()
        data = _runs((core, 1), *further)
    return data


def _runs(*parts: Run) -> bytes:
    """Return a file without chunks whose META has the concatenated runs as its text."""
    return forge.build([], meta=meta_of_runs(*parts))

"""Headers that are cut, of an unknown version, unsealed, or give a wrong position of META."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import forge

from .cases import CHECKSUM, INTACT, LIMIT, MALFORMED, NOISE, NOT_GEN5, OLD, TRUNCATED, UNSUPPORTED, Case

_HEADER = forge.header_of(INTACT)


def header_cases() -> Iterator[Case]:
    """Yield the cases in the order of the header's fields."""
    yield from _starts()
    yield from _versions()
    yield from _seals()
    yield from _positions()


def _starts() -> Iterator[Case]:
    yield Case(NOT_GEN5, "empty_file", r"starts with b'', a GEN5 file starts with b'GEN5'", b"")
    yield Case(NOT_GEN5, "png", r"is a plain PNG, without the gfVE chunk", forge.png(2, 2, b"abcd"))
    yield Case(NOT_GEN5, "magic_small_letters", r"starts with b'gen5'", b"gen5" + INTACT[4:])
    yield Case(TRUNCATED, "magic_alone", r"header takes 32 bytes, the file has 4", b"GEN5")
    yield Case(TRUNCATED, "header_31_bytes", r"header takes 32 bytes, the file has 31", INTACT[:31])
    yield Case(TRUNCATED, "header_alone", rf"header says {len(INTACT)} bytes, the file has 32", INTACT[:32])
    yield Case(TRUNCATED, "last_byte_missing", rf"the file has {len(INTACT) - 1}", INTACT[:-1])
    yield Case(MALFORMED, "byte_after_end", r"1 bytes follow the end", INTACT + b"\0")


def _versions() -> Iterator[Case]:
    yield Case(UNSUPPORTED, "version_2", r"version 2\.1, this reader knows 1\.x", _header(major=2))
    yield Case(UNSUPPORTED, "version_0", r"version 0\.1, this reader knows 1\.x", _header(major=0))
    yield Case(UNSUPPORTED, "unknown_flag", r"uses flags 0x0004", _header(flags=0x0005))
    yield Case(
        MALFORMED,
        "unsealed_1.1",
        r"version 1\.1 must be sealed and is not",
        forge.with_header(INTACT, flags=0, reserved=0),
    )
    yield Case(
        MALFORMED,
        "unsealed_1.7",
        r"version 1\.7 must be sealed and is not",
        forge.with_header(INTACT, minor=7, flags=0, reserved=0),
    )
    yield Case(
        MALFORMED,
        "version_1.0_with_reserved",
        r"version 1\.0 has flags 0x0000 and reserved 0x1, both must be 0",
        forge.with_header(OLD, reserved=1),
    )
    yield Case(
        MALFORMED,
        "version_1.0_with_flags",
        r"version 1\.0 has flags 0x0001 and reserved",
        forge.with_header(OLD, flags=1, seal=True),
    )


def _seals() -> Iterator[Case]:
    yield Case(
        CHECKSUM,
        "seal_wrong",
        rf"the seal is {_HEADER.reserved ^ 1:016x}, header and META give {_HEADER.reserved:016x}",
        forge.with_header(INTACT, reserved=_HEADER.reserved ^ 1),
    )
    yield Case(CHECKSUM, "seal_zero", r"the seal is 0{16}", forge.with_header(INTACT, reserved=0))
    yield Case(
        CHECKSUM,
        "meta_changed_under_seal",
        r"header and META give",
        INTACT.replace(b'"model_name":"model"', b'"model_name":"other"'),
    )
    yield Case(
        CHECKSUM, "header_changed_under_seal", r"header and META give", forge.with_header(INTACT, minor=2)
    )


def _positions() -> Iterator[Case]:
    yield Case(MALFORMED, "meta_inside_header", r"META lies at 31 to", _header(meta_offset=31))
    yield Case(MALFORMED, "meta_outside_file", r"META lies at 4294967295 to", _header(meta_offset=2**32 - 1))
    yield Case(
        MALFORMED,
        "meta_ends_before_file",
        r"it must follow the header and end the file",
        _header(meta_size=_HEADER.meta_size - 1),
    )
    yield Case(MALFORMED, "meta_of_no_bytes", r"is not a zstd frame", forge.build([NOISE], meta=b""))
    yield Case(MALFORMED, "chunk_count_differs", r"lists 4 chunks, the header counts 3", _count(3))
    yield Case(LIMIT, "chunk_count_endless", r"lists 4294967295 chunks, the limit is 1000", _count(2**32 - 1))


def _header(**fields: Any) -> bytes:
    return forge.with_header(INTACT, seal=True, **fields)


def _count(count: int) -> bytes:
    return forge.with_header(INTACT, seal=True, chunk_count=count)

"""Bytes after META that are not valid trailers."""

from __future__ import annotations

from collections.abc import Iterator

import forge

from .cases import MALFORMED, NOISE, Case


def trailer_cases() -> Iterator[Case]:
    """Yield cases about the frames of trailers, whatever their content."""

    def build(trailer: bytes) -> bytes:
        return forge.build([NOISE], trailer=trailer)

    yield Case(
        MALFORMED,
        "trailer_flag_without_trailer",
        r"it must follow the header and come before the trailer",
        forge.build([NOISE], before={"flags": 3}),
    )
    yield Case(
        MALFORMED,
        "trailer_too_short",
        r"11 bytes after META are too few for a frame",
        build(b"SIGN0000\1\0\0"),
    )
    yield Case(
        MALFORMED,
        "trailer_longer_than_file",
        r"claims 5 bytes, 4 are left",
        build(forge.frame("SIGN", "0000", b"abcd", size=5)),
    )
    yield Case(
        MALFORMED,
        "trailer_endless",
        r"claims 4294967295 bytes, 4 are left",
        build(forge.frame("SIGN", "0000", b"abcd", size=2**32 - 1)),
    )
    yield Case(
        MALFORMED,
        "trailer_with_bytes_left_over",
        r"1 bytes after META are too few for a frame",
        build(forge.frame("SIGN", "0000", b"abcd") + b"\0"),
    )
    yield Case(
        MALFORMED,
        "trailer_without_flag",
        r"it must follow the header and end the file",
        forge.build([NOISE], trailer=forge.frame("SIGN", "0000", b""), before={"flags": 1}),
    )

"""Images that are too large, cut, or of a kind that the format does not allow."""

from __future__ import annotations

from collections.abc import Iterator

import forge
from forge import Chunk

from .cases import LIMIT, MALFORMED, Case


def image_cases() -> Iterator[Case]:
    """Yield cases about the size, then about bytes that cannot be decoded."""

    def case(error: str, why: str, message: str, data: bytes) -> Case:
        return Case(error, f"image_{why}", message, forge.build([Chunk("DATA", "0000", data)]))

    intact = forge.png(4, 4, bytes(range(16)))
    yield case(
        LIMIT,
        "bomb",
        r"chunk 0 \(DATA\).*image has 60000 x 60000 pixels, the limit is 268435456",
        forge.png(60000, 60000, b"\0"),
    )
    yield case(LIMIT, "by_a_row", r"image has 16384 x 16385 pixels", forge.png(16384, 16385, b"\0"))
    yield case(MALFORMED, "empty", r"image starts with b''", b"")
    yield case(MALFORMED, "text", r"image starts with b'not a pi'", b"not a picture")
    yield case(MALFORMED, "cut", r"its PNG cannot be decoded", intact[:-30])
    yield case(MALFORMED, "header_cut", r"image starts with b'\\x89PNG", intact[:20])
    yield case(
        MALFORMED,
        "checksum",
        r"image starts with b'\\x89PNG|its PNG cannot be decoded",
        forge.flipped(intact, 29, 1),
    )
    yield case(MALFORMED, "without_pixels", r"its PNG cannot be decoded", forge.png(4, 4))
    yield case(
        MALFORMED,
        "16_bits",
        r"has 16 bits per channel, which an array of 8 bits cannot hold",
        forge.png(4, 2, bytes(16), depth=16),
    )
    yield case(
        MALFORMED,
        "gif",
        r"image starts with b'GIF89a",
        b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
    )

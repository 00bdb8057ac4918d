"""Copying a file: its bytes in blocks, and its header resealed for a new trailer.

Source: FORMAT.md, "Seal" and "Trailer".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from . import spec
from .header import encode_header, seal_header
from .records import Header
from .source import Source

BLOCK_BYTES: Final = 2**20
"""Bytes copied at a time: a file may be larger than memory."""


def iter_blocks(source: Source, start: int, end: int, *, chunk: str) -> Iterator[bytes]:
    """Yield the bytes of source from offset start up to offset end, reading one block at a time.

    Parameters
    ----------
    chunk : how errors name these bytes

    Raises
    ------
    TruncatedError
        if source ends too early.
    """
    for offset in range(start, end, BLOCK_BYTES):
        yield source.read(offset, min(BLOCK_BYTES, end - offset), chunk=chunk)


def seal_with_trailer(header: Header, stored_meta: bytes, file_size: int) -> bytes:
    """Return the 32 bytes of the header for a file that gets a trailer; chunks and META keep their offsets.

    Parameters
    ----------
    stored_meta : META as stored, which the seal covers
    file_size : size including the trailer, in bytes; at most 2³²−1
    """
    changed = replace(header, flags=header.flags | spec.FLAG_TRAILER, file_size=file_size)
    return encode_header(seal_header(changed, stored_meta))

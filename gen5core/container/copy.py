"""What stays of a file that another is made of: its bytes, block by block, and its header over a new trailer.

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
"""Copied at once: a file may be larger than memory."""


def iter_blocks(source: Source, start: int, end: int, *, chunk: str) -> Iterator[bytes]:
    """Yield the bytes of source from offset start to offset end, each block read when its turn has come.

    Parameters
    ----------
    chunk : what messages call these bytes

    Raises
    ------
    TruncatedError
        if source ends before.
    """
    for offset in range(start, end, BLOCK_BYTES):
        yield source.read(offset, min(BLOCK_BYTES, end - offset), chunk=chunk)


def seal_with_trailer(header: Header, stored_meta: bytes, file_size: int) -> bytes:
    """Return the 32 bytes of a header whose file gets a trailer; chunks and META stay where they are.

    Parameters
    ----------
    stored_meta : META as the file stores it, which the seal covers
    file_size : with the trailer; at most 2³²−1
    """
    changed = replace(header, flags=header.flags | spec.FLAG_TRAILER, file_size=file_size)
    return encode_header(seal_header(changed, stored_meta))

"""PNG files split into chunks and joined again, without using this package."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"

Chunks = list[tuple[bytes, bytes]]
"""Type and data of each chunk, in order."""


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Return one chunk: length, type, data, CRC."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def joined(chunks: Chunks) -> bytes:
    """Return the PNG of these chunks."""
    return SIGNATURE + b"".join(png_chunk(kind, data) for kind, data in chunks)


def split(png: bytes) -> Chunks:
    """Return the chunks of a PNG without checking their CRCs; none if it is not a PNG."""
    chunks, position = [], len(SIGNATURE)
    while png.startswith(SIGNATURE) and position + 12 <= len(png):
        size, kind = struct.unpack_from(">I4s", png, position)
        chunks.append((kind, png[position + 8 : position + 8 + size]))
        position += 12 + size
    return chunks


def record(png: bytes) -> bytes:
    """Return the file that a PNG carries in its one ``gfVE`` chunk."""
    (found,) = (data for kind, data in split(png) if kind == b"gfVE")
    return found

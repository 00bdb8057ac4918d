"""The chunk table: rows <-> JSON, and the rules for single rows and for the whole table.

Source: FORMAT.md, "Chunk table".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..errors import LimitError, MalformedChunkError
from . import spec
from .fields import Fields
from .records import ChunkRow, Header

_MAX_SIZE: Final = spec.U32_MAX - spec.FRAME_SIZE


def parse_rows(core: Fields, header: Header, limits: spec.Limits) -> tuple[ChunkRow, ...]:
    """Return the chunk table of ``gen5_metadata``, with every row checked against the header and the other rows.

    Raises
    ------
    LimitError, MalformedChunkError
    """
    listed, counted = len(core.get("chunks", list)), header.chunk_count
    if max(listed, counted) > limits.chunks:
        raise core.error(f"lists {max(listed, counted)} chunks, the limit is {limits.chunks}", LimitError)
    if listed != counted:
        raise core.error(f"lists {listed} chunks, the header counts {counted}")
    rows = tuple(_parse_row(index, fields, header) for index, fields in enumerate(core.objects("chunks")))
    _check_layout(rows, header)
    _check_single_environment(rows)
    _check_file_info(core.object("file_info", {}), header)
    return rows


def encode_row(row: ChunkRow) -> dict[str, Any]:
    """Return the JSON object that META stores for a row."""
    return {
        "index": row.index,
        "type": row.type,
        "flags": row.flags.rstrip("\0"),
        "offset": row.offset,
        "compressed_size": row.compressed_size,
        "uncompressed_size": row.uncompressed_size,
        "hash": row.hash,
        "extra": dict(row.extra),
        "compressed": row.compressed,
    }


def _parse_row(index: int, fields: Fields, header: Header) -> ChunkRow:
    if fields.get("index", int) != index:
        raise fields.invalid("index", str(index))
    offset = fields.number("offset", header.chunk_table_offset, minimum=spec.HEADER_SIZE)
    row = ChunkRow(
        index=index,
        type=_parse_ascii(fields, "type", range(4, 5), "four"),
        flags=_parse_ascii(fields, "flags", range(5), "at most four"),
        offset=offset,
        compressed_size=fields.number("compressed_size", header.chunk_table_offset - offset),
        uncompressed_size=fields.number("uncompressed_size", _MAX_SIZE),
        hash=fields.digest("hash"),
        compressed=fields.get("compressed", bool),
        extra=fields.get("extra", dict, {}),
    )
    if not row.compressed and row.compressed_size != row.uncompressed_size + spec.FRAME_SIZE:
        size = row.uncompressed_size
        raise fields.invalid(
            "compressed_size", f"{size + spec.FRAME_SIZE}, the stored size of {size} raw bytes"
        )
    if row.compressed and header.version_minor >= 1:
        fields.object("extra", {}).digest("stored_sha256")
    return row


def _parse_ascii(fields: Fields, key: str, lengths: range, allowed: str) -> str:
    value = fields.get(key, str)
    if not value.isascii() or len(value) not in lengths:
        raise fields.invalid(key, f"{allowed} ASCII characters")
    return value


def _check_layout(rows: Sequence[ChunkRow], header: Header) -> None:
    """Check that chunks do not overlap and, since version 1.1, that there are no gaps between them."""
    contiguous = header.version_minor >= 1
    end = spec.HEADER_SIZE
    for row in rows if contiguous else sorted(rows, key=lambda row: (row.offset, row.end)):
        if row.offset < end:
            raise MalformedChunkError(f"overlaps the bytes before {end}", chunk=str(row), offset=row.offset)
        if contiguous and row.offset > end:
            raise MalformedChunkError(f"leaves a gap after {end}", chunk=str(row), offset=row.offset)
        end = row.end
    if contiguous and end != header.chunk_table_offset:
        raise MalformedChunkError(
            f"starts at {header.chunk_table_offset}, the last chunk ends at {end}",
            chunk=spec.META,
            offset=end,
        )


def _check_single_environment(rows: Sequence[ChunkRow]) -> None:
    """Check that there is one ENVC chunk at most: of several, this reader uses the first and 0.1.0 the last."""
    for row in [row for row in rows if row.type == spec.ENVC][1:]:
        raise MalformedChunkError(
            "is a second environment, a file may have only one", chunk=str(row), offset=row.offset
        )


def _check_file_info(info: Fields, header: Header) -> None:
    """Check file_info against the header, except the size in version 1.0: nearly all such files have it wrong."""
    expected: dict[str, Any] = {
        "magic": spec.MAGIC.decode("ascii"),
        "version_major": header.version_major,
        "version_minor": header.version_minor,
        "chunk_count": header.chunk_count,
    }
    if header.version_minor:
        expected["file_size"] = header.meta_end
    for name, value in expected.items():
        found = info.values.get(name)
        if type(found) is not type(value) or found != value:
            raise info.invalid(name, f"{value!r} as in the header")

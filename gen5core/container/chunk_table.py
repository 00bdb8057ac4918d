"""The chunk table: rows <-> their JSON, and the rules that rows keep, alone and together.

Source: FORMAT.md, "Chunk table".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import LimitError, MalformedChunkError
from . import spec, strict_json
from .records import ChunkRow, Header

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIELDS: dict[str, type] = {
    "index": int,
    "type": str,
    "flags": str,
    "offset": int,
    "compressed_size": int,
    "uncompressed_size": int,
    "hash": str,
    "compressed": bool,
}


def parse_rows(core: Mapping[str, Any], header: Header, limits: spec.Limits) -> tuple[ChunkRow, ...]:
    """Return the chunk table of ``gen5_metadata``, every row checked against the header and the others.

    Raises
    ------
    LimitError, MalformedChunkError
    """
    offset = header.chunk_table_offset
    table = strict_json.expect(list, core.get("chunks"), "chunks", chunk=spec.META, offset=offset)
    if max(len(table), header.chunk_count) > limits.chunks:
        raise LimitError(
            f"lists {max(len(table), header.chunk_count)} chunks, the limit is {limits.chunks}",
            chunk=spec.META,
            offset=offset,
        )
    if len(table) != header.chunk_count:
        raise MalformedChunkError(
            f"lists {len(table)} chunks, the header counts {header.chunk_count}",
            chunk=spec.META,
            offset=offset,
        )
    rows = tuple(_parse_row(index, entry, header) for index, entry in enumerate(table))
    _check_layout(rows, header)
    _check_single_environment(rows)
    _check_file_info(core, header)
    return rows


def encode_row(row: ChunkRow) -> dict[str, Any]:
    """Return row under the names that META gives its fields."""
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


def _parse_row(index: int, entry: Any, header: Header) -> ChunkRow:
    offset = header.chunk_table_offset
    fields = strict_json.expect(dict, entry, f"row {index}", chunk=spec.META, offset=offset)
    for name, kind in _FIELDS.items():
        strict_json.expect(kind, fields.get(name), f"row {index}.{name}", chunk=spec.META, offset=offset)
    extra = strict_json.expect(
        dict, fields.get("extra", {}), f"row {index}.extra", chunk=spec.META, offset=offset
    )
    row = ChunkRow(**{name: fields[name] for name in _FIELDS}, extra=extra)
    if row.index != index:
        raise MalformedChunkError(f"row {index} bears index {row.index}", chunk=spec.META, offset=offset)
    for fault in _row_faults(row, header):
        raise MalformedChunkError(fault, chunk=str(row), offset=offset)
    return row


def _row_faults(row: ChunkRow, header: Header) -> Iterator[str]:
    """Yield what is wrong with one row by itself: its words, its extent, its digests."""
    for name, value in (("type", row.type), ("flags", row.flags)):
        if not (value.isascii() and len(value) <= 4) or (name == "type" and len(value) < 4):
            yield f"its {name} {value!r:.40} is not of four ASCII characters"
    sizes = (row.compressed_size, row.uncompressed_size)
    if not all(0 <= size <= spec.U32_MAX - spec.FRAME_SIZE for size in sizes):
        yield f"its sizes are {sizes[0]!r:.40} and {sizes[1]!r:.40}; they go from 0 to 4294967283"
    if row.offset < spec.HEADER_SIZE or row.end > header.chunk_table_offset:
        # Their sum may have more digits than Python prints.
        yield (
            f"lies at {row.offset!r:.40}, {row.compressed_size} bytes long; "
            f"chunks lie from 32 to META at {header.chunk_table_offset}"
        )
    if not row.compressed and row.compressed_size != row.uncompressed_size + spec.FRAME_SIZE:
        yield f"is stored raw in {row.compressed_size} bytes; 12 and {row.uncompressed_size} are expected"
    if not _HEX_DIGEST.fullmatch(row.hash):
        yield f"its hash {row.hash!r:.80} is not a SHA-256 in hex"
    stored = row.stored_sha256
    if (
        row.compressed
        and header.version_minor >= 1
        and not (isinstance(stored, str) and _HEX_DIGEST.fullmatch(stored))
    ):
        yield f"is compressed and its stored_sha256 {stored!r:.80} is not a SHA-256 in hex"


def _check_layout(rows: Sequence[ChunkRow], header: Header) -> None:
    """Check that chunks do not overlap, and from version 1.1 on that no byte lies between them."""
    contiguous = header.version_minor >= 1
    end = spec.HEADER_SIZE
    for row in rows if contiguous else sorted(rows, key=lambda row: (row.offset, row.end)):
        if row.offset < end:
            raise MalformedChunkError(f"overlaps what ends at {end}", chunk=str(row), offset=row.offset)
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
    """Check that readers cannot see different environments: this one takes the first, 0.1.0 the last."""
    for row in [row for row in rows if row.type == spec.ENVC][1:]:
        raise MalformedChunkError(
            "is a second environment, a file has one at most", chunk=str(row), offset=row.offset
        )


def _check_file_info(core: Mapping[str, Any], header: Header) -> None:
    """Check file_info against the header, without the size in 1.0: nearly every such file has it wrong."""
    info = strict_json.expect(
        dict, core.get("file_info", {}), "file_info", chunk=spec.META, offset=header.chunk_table_offset
    )
    expected: dict[str, Any] = {
        "magic": spec.MAGIC.decode("ascii"),
        "version_major": header.version_major,
        "version_minor": header.version_minor,
        "chunk_count": header.chunk_count,
    }
    if header.version_minor:
        expected["file_size"] = header.meta_end
    for name, value in expected.items():
        found = info.get(name)
        if type(found) is not type(value) or found != value:
            raise MalformedChunkError(
                f"file_info.{name} is {found!r:.80}, the header gives {value!r}",
                chunk=spec.META,
                offset=header.chunk_table_offset,
            )

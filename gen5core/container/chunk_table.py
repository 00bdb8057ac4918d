"""The chunk table: rows <-> their JSON, and the rules that rows keep, alone and together.

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
    """Return the chunk table of ``gen5_metadata``, every row checked against the header and the others.

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


def _parse_row(index: int, fields: Fields, header: Header) -> ChunkRow:
    if fields.get("index", int) != index:
        raise fields.fault("index", str(index))
    offset = fields.number("offset", header.chunk_table_offset, least=spec.HEADER_SIZE)
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
        raise fields.fault("compressed_size", f"{size + spec.FRAME_SIZE}, which {size} bytes take stored raw")
    if row.compressed and header.version_minor >= 1:
        fields.object("extra", {}).digest("stored_sha256")
    return row


def _parse_ascii(fields: Fields, key: str, lengths: range, rule: str) -> str:
    value = fields.get(key, str)
    if not value.isascii() or len(value) not in lengths:
        raise fields.fault(key, f"{rule} ASCII characters")
    return value


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


def _check_file_info(info: Fields, header: Header) -> None:
    """Check file_info against the header, without the size in 1.0: nearly every such file has it wrong."""
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
            raise info.fault(name, f"{value!r}, as the header has it")

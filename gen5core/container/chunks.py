"""Payload <-> stored chunk: framing, the zstd rule, digests.

A stored chunk is a 12-byte frame header and the payload, or one zstd frame over both. This module converts
between payload and stored chunk and has no knowledge of what a payload means.

Source: FORMAT.md, "Chunks"; RFC 8878 for zstd.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import zstandard

from ..errors import ChecksumError, EncodeError, LimitError, MalformedChunkError
from . import spec
from .records import ChunkRow

Buffer = bytes | memoryview
Compression = Literal["auto", "none", "zstd"]
PROBE_BYTES = 16 * 2**10
"""Size of each of the three slices that are compressed to decide whether compressing a payload pays."""
PIECE_BYTES = 2**20
"""Size of the pieces in which a compressed payload is produced and written."""
WORTHWHILE_RATIO = 0.90
"""Saving less than a tenth does not justify inflating at every read: noise reaches 0.93, images 1.0."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The content of a chunk: bytes (any contiguous buffer, not copied) and their description for META."""

    type: str
    flags: str
    data: memoryview
    extra: Mapping[str, Any] = field(default_factory=dict)
    level: int = spec.LEVEL_BULK


def check_compression(value: str) -> None:
    """Raise EncodeError unless value is the name of a compression."""
    if value not in get_args(Compression):
        raise EncodeError(f"compression is {value!r}; it must be one of {', '.join(get_args(Compression))}")


def encode_frame(chunk_type: str, flags: str, size_bytes: int) -> bytes:
    """Return the 12-byte header that precedes a payload of size_bytes."""
    return spec.FRAME.pack(chunk_type.encode("ascii"), flags.encode("ascii"), size_bytes)


def write_chunk(
    write: Callable[[Sequence[Buffer]], None],
    payload: Payload,
    compression: Compression,
    *,
    index: int,
    offset: int,
) -> ChunkRow:
    """Write payload as a chunk and return its row.

    A raw payload is written without a copy; a compressed one in pieces, so that it is never held in full.

    Parameters
    ----------
    write : writes buffers in order, starting at offset
    """
    frame = encode_frame(payload.type, payload.flags, payload.data.nbytes)
    extra = dict(payload.extra)
    compressed = _wants_zstd(payload.data, compression)
    if compressed:
        stored_bytes, extra["stored_sha256"] = _write_compressed(write, frame, payload)
    else:
        stored_bytes = len(frame) + payload.data.nbytes
        write((frame, payload.data))
    return ChunkRow(
        index=index,
        type=payload.type,
        flags=payload.flags,
        offset=offset,
        compressed_size=stored_bytes,
        uncompressed_size=payload.data.nbytes,
        hash=hashlib.sha256(payload.data).hexdigest(),
        compressed=compressed,
        extra=extra,
    )


def compress_frame(frame: bytes, payload: Buffer, *, level: int) -> Iterator[bytes]:
    """Yield, in pieces, one zstd frame over frame header and payload, with content size and checksum."""
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
    size_bytes = len(frame) + memoryview(payload).nbytes
    chunker = compressor.chunker(size=size_bytes, chunk_size=PIECE_BYTES)
    yield from chunker.compress(frame)
    yield from chunker.compress(payload)
    yield from chunker.finish()  # type: ignore[no-untyped-call]


def inflate(
    stored: memoryview | bytes,
    size_bytes: int | None,
    *,
    max_bytes: int,
    limits: spec.Limits,
    chunk: str,
    offset: int,
) -> bytes:
    """Return the content of stored, which must be exactly one zstd frame.

    Parameters
    ----------
    size_bytes : the expected size of the content; None if it is not known in advance
    max_bytes : the most that may be allocated

    Raises
    ------
    LimitError
        if the frame requires more than the limits allow; checked before allocating.
    MalformedChunkError
        if it is not a zstd frame, is damaged, is followed by more bytes, or has another size.
    """
    declared = _checked_frame_size(stored, limits, chunk, offset)
    expected = declared if size_bytes is None else size_bytes
    if declared is not None and declared != expected:
        raise MalformedChunkError(
            f"its zstd frame holds {declared} bytes, the table says {expected}", chunk=chunk, offset=offset
        )
    if expected is not None and expected > max_bytes:
        raise LimitError(
            f"inflates to {expected} bytes, the limit is {max_bytes}",
            chunk=chunk,
            offset=offset,
            raisable=True,
        )
    # A frame need not declare its size, and may lie about it: this bounds what zstd can allocate.
    ceiling = max_bytes if expected is None else expected
    try:
        content = zstandard.ZstdDecompressor().decompress(
            stored, max_output_size=max(ceiling, 1), allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise MalformedChunkError(
            f"is not exactly one zstd frame ({error})", chunk=chunk, offset=offset
        ) from error
    if size_bytes is not None and len(content) != size_bytes:
        raise MalformedChunkError(
            f"its zstd frame holds {len(content)} bytes, the table says {size_bytes}",
            chunk=chunk,
            offset=offset,
        )
    return content


def check_frame(frame: bytes | memoryview, row: ChunkRow) -> None:
    """Check that a frame header agrees with its row.

    Raises
    ------
    MalformedChunkError
    """
    flags = row.flags.encode("ascii").ljust(4, b"\0")
    expected = spec.FRAME.pack(row.type.encode("ascii"), flags, row.uncompressed_size)
    if bytes(frame) != expected:
        raise MalformedChunkError(
            f"its frame header is {bytes(frame)!r}, the table says {expected!r}",
            chunk=str(row),
            offset=row.offset,
        )


def check_digest(actual: str, expected: str, row: ChunkRow, what: str) -> None:
    """Check the SHA-256 (hex) of a row's payload or stored bytes.

    Raises
    ------
    ChecksumError
    """
    if actual != expected:
        raise ChecksumError(
            f"SHA-256 of the {what} is {actual}, the table says {expected}: "
            "the file is damaged; take another copy",
            chunk=str(row),
            offset=row.offset,
        )


def _write_compressed(
    write: Callable[[Sequence[Buffer]], None], frame: bytes, payload: Payload
) -> tuple[int, str]:
    """Write payload as one zstd frame; return the frame's size and SHA-256 (hex)."""
    stored_bytes, digest = 0, hashlib.sha256()
    for piece in compress_frame(frame, payload.data, level=payload.level):
        write((piece,))
        digest.update(piece)
        stored_bytes += len(piece)
    return stored_bytes, digest.hexdigest()


def _wants_zstd(data: memoryview, compression: Compression) -> bool:
    if compression == "none" or data.nbytes > spec.MAX_INFLATED_BYTES - spec.FRAME_SIZE:
        return False
    return compression == "zstd" or _probe_ratio(data) <= WORTHWHILE_RATIO


def _probe_ratio(data: memoryview) -> float:
    """Return the compression ratio (compressed / raw size) of three slices: start, middle, end."""
    if not data.nbytes:
        return 1.0
    last = max(data.nbytes - PROBE_BYTES, 0)
    starts = sorted({0, last // 2, last})
    compressor = zstandard.ZstdCompressor(level=spec.LEVEL_BULK)
    slices = [data[start : start + PROBE_BYTES] for start in starts]
    return sum(len(compressor.compress(part)) for part in slices) / sum(part.nbytes for part in slices)


def _checked_frame_size(
    stored: memoryview | bytes, limits: spec.Limits, chunk: str, offset: int
) -> int | None:
    """Check the window of a zstd frame; return the content size that it declares, None if it declares none."""
    try:
        frame = zstandard.get_frame_parameters(stored)
    except zstandard.ZstdError as error:
        raise MalformedChunkError(f"is not a zstd frame ({error})", chunk=chunk, offset=offset) from error
    if frame.window_size > limits.window_bytes:
        raise LimitError(
            f"its zstd frame needs a window of {frame.window_size} bytes, the limit is {limits.window_bytes}",
            chunk=chunk,
            offset=offset,
        )
    if frame.dict_id:
        raise MalformedChunkError(
            f"its zstd frame needs dictionary {frame.dict_id}; the format has none",
            chunk=chunk,
            offset=offset,
        )
    size: int = frame.content_size
    return None if size in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR) else size

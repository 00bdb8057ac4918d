"""Stored chunks -> payloads: read into memory and checked while they are read.

``read_payload`` checks what an attacker or a bad disk could have changed: the stored bytes of a compressed
chunk before zstd sees them, or the payload of a raw chunk as it is read. ``check_payload`` checks both digests
of a compressed chunk.

Source: FORMAT.md, "Digests".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from ..errors import LimitError
from . import spec
from .chunks import check_digest, check_frame, inflate
from .records import ChunkRow
from .source import Source

BLOCK_BYTES = 2**20
"""Size of the blocks in which a payload is read and hashed: small enough to stay in the processor's cache."""
READ_AHEAD_BYTES = 4 * 2**20
"""Payloads of at least this size are read ahead in a thread; for smaller ones it costs more than it saves."""
ReadPayload = Callable[[ChunkRow], npt.NDArray[np.uint8]]


def read_payload(
    source: Source, row: ChunkRow, *, limits: spec.Limits, verify: bool = True
) -> npt.NDArray[np.uint8]:
    """Return the payload of a chunk as new writable memory, uint8, shape (uncompressed_size,).

    Raises
    ------
    ChecksumError, LimitError, MalformedChunkError, TruncatedError
    """
    if row.compressed:
        content = _inflate_checked(source, row, limits, verify)
        payload = np.frombuffer(content, np.uint8)[spec.FRAME_SIZE :]
        if verify and row.stored_sha256 is None:
            check_digest(hashlib.sha256(payload.data).hexdigest(), row.hash, row, "payload")
        return payload.copy()
    check_frame(source.read(row.offset, spec.FRAME_SIZE, chunk=str(row)), row)
    payload = np.empty(row.uncompressed_size, np.uint8)
    digest = hashlib.sha256()
    for block in _read_blocks(source, row, payload):
        if verify:
            digest.update(block)
    if verify:
        check_digest(digest.hexdigest(), row.hash, row, "payload")
    return payload


def check_payload(source: Source, row: ChunkRow, *, limits: spec.Limits) -> None:
    """Check every byte of a stored chunk (stored bytes, frame header, payload) without keeping it.

    Raises
    ------
    ChecksumError, LimitError, MalformedChunkError, TruncatedError
    """
    if row.compressed:
        content = memoryview(_inflate_checked(source, row, limits, verify=True))
        check_digest(hashlib.sha256(content[spec.FRAME_SIZE :]).hexdigest(), row.hash, row, "payload")
        return
    check_frame(source.read(row.offset, spec.FRAME_SIZE, chunk=str(row)), row)
    digest = hashlib.sha256()
    block = np.empty(min(BLOCK_BYTES, row.uncompressed_size), np.uint8)
    start = row.offset + spec.FRAME_SIZE
    for position in range(0, row.uncompressed_size, BLOCK_BYTES):
        part = block[: row.uncompressed_size - position]
        source.read_into(part.data, start + position, chunk=str(row))
        digest.update(part.data)
    check_digest(digest.hexdigest(), row.hash, row, "payload")


def check_text_size(row: ChunkRow, limits: spec.Limits) -> None:
    """Check that JSON in a chunk is no larger than META may be; once parsed, it takes many times its size.

    Raises
    ------
    LimitError
    """
    if row.uncompressed_size > limits.meta_decoded_bytes:
        raise LimitError(
            f"is JSON of {row.uncompressed_size} bytes, the limit is {limits.meta_decoded_bytes}",
            chunk=str(row),
            offset=row.offset,
            raisable=True,
        )


def _read_blocks(source: Source, row: ChunkRow, payload: npt.NDArray[np.uint8]) -> Iterator[memoryview]:
    """Fill payload and yield each block once it is read; if large, a thread reads the next blocks ahead."""

    def read(position: int) -> memoryview:
        block = payload[position : position + BLOCK_BYTES].data
        source.read_into(block, row.offset + spec.FRAME_SIZE + position, chunk=str(row))
        return block

    positions = range(0, payload.nbytes, BLOCK_BYTES)
    if payload.nbytes < READ_AHEAD_BYTES:
        yield from map(read, positions)
        return
    with ThreadPoolExecutor(1) as reader:
        yield from reader.map(read, positions)


def _inflate_checked(source: Source, row: ChunkRow, limits: spec.Limits, verify: bool) -> bytes:
    """Return the frame header and payload of a compressed chunk; check the stored bytes before decompressing."""
    stored = np.empty(row.compressed_size, np.uint8).data
    source.read_into(stored, row.offset, chunk=str(row))
    if verify and row.stored_sha256 is not None:
        check_digest(hashlib.sha256(stored).hexdigest(), row.stored_sha256, row, "stored bytes")
    content = inflate(
        stored,
        row.uncompressed_size + spec.FRAME_SIZE,
        max_bytes=limits.inflated_bytes,
        limits=limits,
        chunk=str(row),
        offset=row.offset,
    )
    check_frame(memoryview(content)[: spec.FRAME_SIZE], row)
    return content

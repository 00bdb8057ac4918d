"""What ``verify()`` says of a file in which everything matched: how much was checked, and what could not be.

Source: FORMAT.md, "Digests" and "Trailer".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..container import spec
from ..container.records import ChunkRow, Header, Trailer
from ..signatures.trust import Signature

_KNOWN = (spec.LATN, spec.DATA, spec.ENVC)


@dataclass(frozen=True, slots=True)
class Report:
    """What ``verify()`` looked at. It exists only when everything matched."""

    version: spec.Version
    sealed: bool
    root: str
    chunk_count: int
    checked_bytes: int
    notes: tuple[str, ...] = ()
    """What could not be checked and why, e.g. a trailer of an unknown type."""
    signatures: tuple[Signature, ...] = ()
    """None of them invalid, which would have been an error; unchecked ones are among the notes."""


def checked_bytes(header: Header, rows: Sequence[ChunkRow], trailers: Sequence[Trailer]) -> int:
    """Return how many bytes of a file a check of all that can be checked reads."""
    signed = sum(spec.FRAME_SIZE + trailer.size_bytes for trailer in trailers if trailer.type == spec.SIGN)
    return header.meta_end - _gap_bytes(header, rows) + signed


def unchecked(
    header: Header, rows: Sequence[ChunkRow], trailers: Sequence[Trailer], signatures: Sequence[Signature]
) -> Iterator[str]:
    """Yield what a check cannot vouch for, and why, one sentence each."""
    if not header.sealed:
        yield "version 1.0 has no seal: damage to header and META may not show"
    if gap_bytes := _gap_bytes(header, rows):
        yield f"{gap_bytes} bytes between chunks belong to nothing and are not checked"
    for row in rows:
        if row.type not in _KNOWN:
            yield f"{row} is of a type that this reader does not know"
    for trailer in trailers:
        if trailer.type != spec.SIGN:
            yield f"trailer {trailer.type!r} is not checked: unknown type"
    yield from (str(signature) for signature in signatures if signature.state == "unchecked")


def _gap_bytes(header: Header, rows: Sequence[ChunkRow]) -> int:
    """Return how many bytes lie between chunks and belong to nothing; version 1.0 only."""
    stored = sum(row.compressed_size for row in rows)
    return header.chunk_table_offset - spec.HEADER_SIZE - stored

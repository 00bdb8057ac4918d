"""The result of ``verify()`` for an intact file: how much was checked, and what could not be checked.

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
    """What ``verify()`` checked. There is a report only if everything matched."""

    version: spec.Version
    sealed: bool
    root: str
    chunk_count: int
    checked_bytes: int
    notes: tuple[str, ...] = ()
    """What could not be checked and why, e.g. a trailer of an unknown type."""
    signatures: tuple[Signature, ...] = ()
    """None is invalid, since that raises SignatureError; unchecked ones are also in the notes."""
    uncovered_bytes: int = 0
    """Bytes that no digest and no signature covers: trailers of unknown types, gaps, and what follows a PNG's end."""

    @property
    def verdict(self) -> str:
        """``intact``, or how many bytes nothing covers: whoever adds such bytes leaves no trace."""
        return "intact" + describe_uncovered(self.uncovered_bytes)


def describe_uncovered(size_bytes: int) -> str:
    """Return what follows a verdict: empty, or ``, with N bytes that nothing covers``."""
    return (
        f", with {size_bytes} byte{'' if size_bytes == 1 else 's'} that nothing covers" if size_bytes else ""
    )


def uncovered_bytes(header: Header, rows: Sequence[ChunkRow], trailers: Sequence[Trailer]) -> int:
    """Return how many bytes of a file no digest and no signature covers."""
    unknown = sum(spec.FRAME_SIZE + trailer.size_bytes for trailer in trailers if trailer.type != spec.SIGN)
    return _gap_bytes(header, rows) + unknown


def checked_bytes(header: Header, rows: Sequence[ChunkRow], trailers: Sequence[Trailer]) -> int:
    """Return how many bytes of a file ``verify()`` can check."""
    signed = sum(spec.FRAME_SIZE + trailer.size_bytes for trailer in trailers if trailer.type == spec.SIGN)
    return header.meta_end - _gap_bytes(header, rows) + signed


def describe_unchecked(
    header: Header, rows: Sequence[ChunkRow], trailers: Sequence[Trailer], signatures: Sequence[Signature]
) -> Iterator[str]:
    """Yield one sentence for each part of a file that cannot be checked, with the reason."""
    if not header.sealed:
        yield "version 1.0 has no seal: damage to the header and META may go unnoticed"
    if gap_bytes := _gap_bytes(header, rows):
        yield f"{gap_bytes} bytes between chunks belong to no chunk and are not checked"
    for row in rows:
        if row.type not in _KNOWN:
            yield f"{row} has a type that this reader does not know"
    for trailer in trailers:
        if trailer.type != spec.SIGN:
            yield f"trailer {trailer.type!r} is not checked: unknown type"
    yield from (str(signature) for signature in signatures if signature.state == "unchecked")


def _gap_bytes(header: Header, rows: Sequence[ChunkRow]) -> int:
    """Return how many bytes are in gaps between chunks, which only version 1.0 may have."""
    stored = sum(row.compressed_size for row in rows)
    return header.chunk_table_offset - spec.HEADER_SIZE - stored

"""Positions of chunks: overlapping, out of order, with gaps; and rows without a digest of the stored bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import forge
from forge import Chunk

from .cases import MALFORMED, NOISE, PACKED, Case


def layout_cases() -> Iterator[Case]:
    """Yield cases about positions, then about the digest of the stored bytes."""

    def rows(chunks: list[Chunk], edit: forge.Edit, **how: Any) -> bytes:
        return forge.build(chunks, edit=lambda document: edit(document["gen5_metadata"]["chunks"]), **how)

    def overlap(table: Any) -> None:
        table[1].update(offset=table[0]["offset"])

    def swap(table: Any) -> None:
        table[0]["offset"], table[1]["offset"] = table[1]["offset"], table[0]["offset"]

    def drop_digest(table: Any) -> None:
        del table[0]["extra"]["stored_sha256"]

    other = forge.float32("final_latent", [1, 2, 3, 4])
    yield Case(
        MALFORMED,
        "chunks_overlap",
        r"\('final_latent'\)|overlaps the bytes before 60",
        rows([NOISE, other], overlap),
    )
    yield Case(
        MALFORMED,
        "chunks_overlap_1.0",
        r"overlaps the bytes before 60",
        rows([NOISE, other], overlap, minor=0),
    )
    yield Case(MALFORMED, "chunks_out_of_order", r"leaves a gap after 32", rows([NOISE, other], swap))
    yield Case(
        MALFORMED, "gap_between_chunks", r"leaves a gap after 60", forge.build([NOISE, other], gap=b"\0")
    )
    yield Case(
        MALFORMED,
        "gap_before_meta",
        r"starts at 61, the last chunk ends at 60",
        forge.build([NOISE], gap=b"\0"),
    )
    yield Case(
        MALFORMED,
        "bytes_of_no_chunk",
        r"starts at 60, the last chunk ends at 32",
        forge.build([NOISE], edit=_without_rows, before={"chunk_count": 0}),
    )
    yield Case(
        MALFORMED,
        "stored_digest_missing",
        r"\.extra\.stored_sha256 is None, not a SHA-256",
        rows([PACKED], drop_digest),
    )
    yield Case(
        MALFORMED,
        "stored_digest_number",
        r"\.extra\.stored_sha256 is 5, not a SHA-256",
        rows([PACKED], lambda table: table[0]["extra"].update(stored_sha256=5)),
    )


def _without_rows(document: dict[str, Any]) -> None:
    document["gen5_metadata"]["chunks"] = []
    document["gen5_metadata"]["file_info"]["chunk_count"] = 0

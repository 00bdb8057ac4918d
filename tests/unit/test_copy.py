"""Copying bytes in blocks, and sealing a header again for a trailer."""

from __future__ import annotations

import random
from pathlib import Path

import forge
import pytest
import signer

import gen5core
from gen5core.container.copy import BLOCK_BYTES, iter_blocks, seal_with_trailer
from gen5core.container.header import parse_header
from gen5core.container.source import CountingSource, FileSource

DATA = random.Random(0).randbytes(3 * BLOCK_BYTES + 5)


@pytest.mark.parametrize(
    ("start", "end", "sizes"),
    [
        (0, 0, []),
        (7, 7, []),
        (7, 8, [1]),
        (0, BLOCK_BYTES, [BLOCK_BYTES]),
        (1, BLOCK_BYTES + 2, [BLOCK_BYTES, 1]),
        (0, len(DATA), [BLOCK_BYTES] * 3 + [5]),
    ],
)
def test_blocks(tmp_path: Path, start: int, end: int, sizes: list[int]) -> None:
    """Every byte from start to end is yielded once and in order, at most one block at a time."""
    path = tmp_path / "a"
    path.write_bytes(DATA)
    source = FileSource(path)
    blocks = list(iter_blocks(source, start, end, chunk="the file"))
    source.close()
    assert [len(block) for block in blocks] == sizes
    assert b"".join(blocks) == DATA[start:end]


def test_blocks_are_read_one_at_a_time(tmp_path: Path) -> None:
    """A block is read only when it is needed: a file may be larger than memory."""
    path, read = tmp_path / "a", []
    path.write_bytes(DATA)
    source = CountingSource(FileSource(path), read.append)
    blocks = iter_blocks(source, 0, len(DATA), chunk="the file")
    assert read == []
    next(blocks)
    next(blocks)
    source.close()
    assert read == [BLOCK_BYTES, 2 * BLOCK_BYTES]


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    """The error names the chunk that was copied, and the offset at which bytes are missing."""
    path = tmp_path / "a"
    path.write_bytes(DATA[:100])
    source = FileSource(path)
    with pytest.raises(gen5core.TruncatedError, match=r"^chunk 3 at offset 100: 95 bytes are needed"):
        list(iter_blocks(source, 10, 105, chunk="chunk 3"))
    source.close()


@pytest.mark.parametrize("before", [b"", b"an older trailer"], ids=["none", "one"])
def test_header_with_a_trailer(tmp_path: Path, before: bytes) -> None:
    """Flags, size and seal become those of the file with its new trailer; nothing else changes."""
    path = gen5core.save(tmp_path / "a.gen5", prompt="a cat", environment=None)
    data = signer.with_trailer(path.read_bytes(), before)
    header = parse_header(data, len(data))
    trailer = forge.frame("NOTE", "0000", b"a remark")
    head = seal_with_trailer(header, forge.meta_of(data), header.meta_end + len(trailer))
    assert head == signer.with_trailer(data, trailer)[:32]

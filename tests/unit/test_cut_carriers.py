"""PNGs whose gfVE chunk and the record in it disagree about where the record ends."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import forge
import pytest
from png_chunks import SIGNATURE, joined, record, split

import gen5core
from gen5core import FormatError, MalformedChunkError, TruncatedError
from gen5core.carrier.find import open_source

WHOLE = forge.carrier()
RECORD = record(WHOLE)


def carrying(path: Path, data: bytes) -> Path:
    """Write a PNG with other bytes in its gfVE chunk, whose length and CRC are true."""
    path.write_bytes(joined([(kind, data if kind == b"gfVE" else old) for kind, old in split(WHOLE)]))
    return path


def claiming(path: Path, size: int, png: bytes = WHOLE) -> Path:
    """Write a PNG whose gfVE chunk claims to have size bytes, but has as many as before."""
    place = png.index(b"gfVE") - 4
    path.write_bytes(png[:place] + struct.pack(">I", size) + png[place + 4 :])
    return path


# The chunk is complete, the record in it is not


@pytest.mark.parametrize("missing", [1, 40, len(RECORD) - 32])
def test_record_shorter_than_its_header_says(tmp_path: Path, missing: int) -> None:
    """If the chunk ends before the record, the PNG's next bytes are not read as the record's."""
    left = len(RECORD) - missing
    with pytest.raises(
        TruncatedError, match=rf"a\.png.*header says {len(RECORD)} bytes, the file has {left}"
    ):
        gen5core.open(carrying(tmp_path / "a.png", RECORD[:left]))


@pytest.mark.parametrize("left", [4, 17, 31])
def test_record_of_less_than_a_header(tmp_path: Path, left: int) -> None:
    """The error for a chunk shorter than a header gives both sizes; CRC and IEND do not count as its bytes."""
    with pytest.raises(TruncatedError, match=rf"header takes 32 bytes, the file has {left}$"):
        gen5core.open(carrying(tmp_path / "a.png", RECORD[:left]))


def test_chunk_of_no_bytes(tmp_path: Path) -> None:
    """An empty gfVE chunk carries no file."""
    with pytest.raises(gen5core.NotGen5Error, match="is empty"):
        gen5core.open(carrying(tmp_path / "a.png", b""))


@pytest.mark.parametrize("more", [1, 12, 5000])
def test_record_longer_than_its_header_says(tmp_path: Path, more: int) -> None:
    """Bytes between the record's end and the chunk's are refused, and the error counts them."""
    with pytest.raises(MalformedChunkError, match=rf"{more} bytes follow the end .*\({len(RECORD)}\)"):
        gen5core.open(carrying(tmp_path / "a.png", RECORD + bytes(more)))


@pytest.mark.parametrize("more", [1, 4, 16])
def test_record_that_reaches_over_the_chunk(tmp_path: Path, more: int) -> None:
    """META that would end in the CRC or in IEND is refused, although the header gives the chunk's size."""
    header = forge.header_of(RECORD)
    longer = forge.sealed(replace(header, meta_size=header.meta_size + more), forge.meta_of(RECORD))
    with pytest.raises(
        MalformedChunkError, match=rf"META lies at {header.meta_offset} to {len(RECORD) + more} "
    ):
        gen5core.open(carrying(tmp_path / "a.png", longer.pack() + RECORD[32:]))


def test_reads_stay_within_the_chunk(tmp_path: Path) -> None:
    """A read after the carried file's end is refused, though the PNG continues there."""
    source = open_source(carrying(tmp_path / "a.png", RECORD))
    try:
        assert source.read(len(RECORD) - 4, 4, chunk="META") == RECORD[-4:]
        for offset, size in ((len(RECORD) - 4, 5), (len(RECORD), 1), (len(RECORD) + 4, 8)):
            with pytest.raises(TruncatedError, match=rf"{size} bytes .* offset {offset}, .* {len(RECORD)}"):
                source.read(offset, size, chunk="META")
    finally:
        source.close()


# The chunk's own length is false


@pytest.mark.parametrize("size", [len(RECORD) + 13, 2**31 - 1])
def test_chunk_longer_than_the_file(tmp_path: Path, size: int) -> None:
    """A length that goes beyond the file is refused with both sizes, and the PNG still counts as a carrier."""
    path = claiming(tmp_path / "a.png", size)
    with pytest.raises(TruncatedError, match=rf"gfVE.* {size} bytes, the PNG ends after {len(WHOLE)}"):
        gen5core.open(path)
    assert gen5core.is_carrier(path)


def test_chunk_longer_than_the_file_is_cut(tmp_path: Path) -> None:
    """If the file may just have been cut, the error says so, and the PNG still counts as a carrier."""
    path = claiming(tmp_path / "a.png", len(RECORD) + 13)
    with pytest.raises(TruncatedError, match=rf"PNG ends after {len(WHOLE)}: it was cut"):
        gen5core.open(path)
    assert gen5core.is_carrier(path)


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_other_chunk_longer_than_the_file(tmp_path: Path, kind: bytes) -> None:
    """The error names any other such chunk, and the record after it shows that the PNG is a carrier."""
    place = WHOLE.index(kind) - 4
    path = tmp_path / "a.png"
    path.write_bytes(WHOLE[:place] + struct.pack(">I", len(WHOLE)) + WHOLE[place + 4 :])
    with pytest.raises(TruncatedError, match=rf"its {kind.decode()} takes {len(WHOLE)} bytes, the PNG ends"):
        gen5core.open(path)
    assert gen5core.is_carrier(path)


def test_chunk_that_swallows_the_end(tmp_path: Path) -> None:
    """A length that includes IEND leaves a PNG without an end."""
    with pytest.raises(TruncatedError, match="before its IEND"):
        gen5core.open(claiming(tmp_path / "a.png", len(RECORD) + 12))


@pytest.mark.parametrize("less", [1, 12, 100])
def test_chunk_with_too_small_a_length(tmp_path: Path, less: int) -> None:
    """After too small a length, the record's bytes are read as chunks: refused, whatever they look like."""
    with pytest.raises(
        FormatError, match=r"a\.png: the PNG at offset \d+: has b'.*' of \d+ bytes .*another copy"
    ):
        gen5core.open(claiming(tmp_path / "a.png", len(RECORD) - less))


def test_every_length_of_a_carrier(tmp_path: Path) -> None:
    """A carrier cut anywhere after its first bytes is refused as cut."""
    path = tmp_path / "a.png"
    for length in range(len(SIGNATURE), len(WHOLE)):
        path.write_bytes(WHOLE[:length])
        with pytest.raises(TruncatedError):
            gen5core.open(path)

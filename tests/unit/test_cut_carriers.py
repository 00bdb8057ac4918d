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
    """Write a PNG whose gfVE chunk says that it has size bytes, and has as many as before."""
    place = png.index(b"gfVE") - 4
    path.write_bytes(png[:place] + struct.pack(">I", size) + png[place + 4 :])
    return path


# The chunk is whole, the record in it is not


@pytest.mark.parametrize("missing", [1, 40, len(RECORD) - 32])
def test_record_shorter_than_its_header_says(tmp_path: Path, missing: int) -> None:
    """The chunk ends before the record: the bytes that follow it in the PNG are not taken for the record's."""
    left = len(RECORD) - missing
    with pytest.raises(
        TruncatedError, match=rf"a\.png.*header says {len(RECORD)} bytes, the file has {left}"
    ):
        gen5core.open(carrying(tmp_path / "a.png", RECORD[:left]))


@pytest.mark.parametrize("left", [4, 17, 31])
def test_record_of_less_than_a_header(tmp_path: Path, left: int) -> None:
    """A chunk of fewer bytes than a header has says both figures; CRC and IEND do not fill it up."""
    with pytest.raises(TruncatedError, match=rf"header takes 32 bytes, the file has {left}$"):
        gen5core.open(carrying(tmp_path / "a.png", RECORD[:left]))


def test_chunk_of_no_bytes(tmp_path: Path) -> None:
    """An empty gfVE chunk carries no file."""
    with pytest.raises(gen5core.NotGen5Error, match="is empty"):
        gen5core.open(carrying(tmp_path / "a.png", b""))


@pytest.mark.parametrize("more", [1, 12, 5000])
def test_record_longer_than_its_header_says(tmp_path: Path, more: int) -> None:
    """Bytes between the record's end and the chunk's are refused, and counted."""
    with pytest.raises(MalformedChunkError, match=rf"{more} bytes follow the end .*\({len(RECORD)}\)"):
        gen5core.open(carrying(tmp_path / "a.png", RECORD + bytes(more)))


@pytest.mark.parametrize("more", [1, 4, 16])
def test_record_that_reaches_over_the_chunk(tmp_path: Path, more: int) -> None:
    """META that would end in the CRC or in IEND is refused, under a header that gives the size of the chunk."""
    header = forge.header_of(RECORD)
    longer = forge.sealed(replace(header, meta_size=header.meta_size + more), forge.meta_of(RECORD))
    with pytest.raises(
        MalformedChunkError, match=rf"META lies at {header.meta_offset} to {len(RECORD) + more} "
    ):
        gen5core.open(carrying(tmp_path / "a.png", longer.pack() + RECORD[32:]))


def test_reads_stay_within_the_chunk(tmp_path: Path) -> None:
    """Whoever reads behind the carried file's end is refused, though the PNG goes on there."""
    source = open_source(carrying(tmp_path / "a.png", RECORD))
    try:
        assert source.read(len(RECORD) - 4, 4, chunk="META") == RECORD[-4:]
        for offset, size in ((len(RECORD) - 4, 5), (len(RECORD), 1), (len(RECORD) + 4, 8)):
            with pytest.raises(TruncatedError, match=rf"{size} bytes .* offset {offset}, .* {len(RECORD)}"):
                source.read(offset, size, chunk="META")
    finally:
        source.close()


# The chunk itself says another length than it has


@pytest.mark.parametrize("size", [len(RECORD) + 13, 2**31 - 1])
def test_chunk_longer_than_the_file(tmp_path: Path, size: int) -> None:
    """A length that goes beyond the file is refused with both figures, and the PNG still counts as a carrier."""
    path = claiming(tmp_path / "a.png", size)
    with pytest.raises(FormatError, match=rf"gfVE.* {size} bytes"):
        gen5core.open(path)


def test_chunk_longer_than_the_file_is_cut(tmp_path: Path) -> None:
    """Where the file may just have been cut the error says so, and that it is a carrier is still seen."""
    path = claiming(tmp_path / "a.png", len(RECORD) + 13)
    with pytest.raises(TruncatedError, match=rf"PNG ends after {len(WHOLE)}: it was cut"):
        gen5core.open(path)
    assert gen5core.is_carrier(path)


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_other_chunk_longer_than_the_file(tmp_path: Path, kind: bytes) -> None:
    """Of another chunk the error names that one, and the PNG is no carrier: nothing shows that it was."""
    place = WHOLE.index(kind) - 4
    path = tmp_path / "a.png"
    path.write_bytes(WHOLE[:place] + struct.pack(">I", len(WHOLE)) + WHOLE[place + 4 :])
    with pytest.raises(TruncatedError, match=rf"its {kind.decode()} takes {len(WHOLE)} bytes, the PNG ends"):
        gen5core.open(path)
    assert not gen5core.is_carrier(path)


def test_chunk_that_swallows_the_end(tmp_path: Path) -> None:
    """A length that takes IEND in leaves a PNG without an end."""
    with pytest.raises(TruncatedError, match="before its IEND"):
        gen5core.open(claiming(tmp_path / "a.png", len(RECORD) + 12))


@pytest.mark.parametrize("less", [1, 12, 100])
def test_chunk_that_says_too_little(tmp_path: Path, less: int) -> None:
    """A length before the record's end makes chunks of the record's bytes: refused, whatever they look like."""
    with pytest.raises(FormatError, match=r"a\.png"):
        gen5core.open(claiming(tmp_path / "a.png", len(RECORD) - less))


def test_every_length_of_a_carrier(tmp_path: Path) -> None:
    """A carrier cut anywhere behind its first bytes is refused as cut."""
    path = tmp_path / "a.png"
    for length in range(len(SIGNATURE), len(WHOLE)):
        path.write_bytes(WHOLE[:length])
        with pytest.raises(TruncatedError):
            gen5core.open(path)

"""PNGs that carry a record and are damaged anywhere, among pictures that never carried one."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import forge
import numpy as np
import pytest
from click.testing import CliRunner
from png_chunks import SIGNATURE, joined, png_chunk, record, split

import gen5core
from gen5core import ChecksumError, FormatError, MalformedChunkError, NotGen5Error, TruncatedError
from gen5core.carrier import traces
from gen5core.cli import verify
from gen5core.cli.commands import cli

MARKER = bytes.fromhex("00000013 74455874 47656e3500 7265636f726420696e2067665645 30ac8782")
"""19 bytes of tEXt: ``Gen5``, NUL, ``record in gfVE``; and their CRC."""
IHDR_END = 33
UNMARKED = forge.carrier()
"""As earlier versions wrote them."""
PLAIN = forge.png(2, 2, b"\0\x40\x80\xff")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A PNG that carries a latent, as this version writes it."""
    path = tmp_path_factory.mktemp("whole") / "a.png"
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    latents = {"a": np.zeros(3, np.float32)}
    return gen5core.save(path, images=pixels, latents=latents, environment=None, hardware=None).read_bytes()


def spans(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, offset and end of each chunk."""
    offset = len(SIGNATURE)
    for kind, data in split(png):
        yield kind, offset, offset + 12 + len(data)
        offset += 12 + len(data)


def framing(png: bytes) -> Iterator[int]:
    """Yield the offsets of every byte of signature and IHDR, and of all lengths, types and CRCs."""
    yield from range(IHDR_END)
    for _, offset, end in list(spans(png))[1:]:
        yield from (*range(offset, offset + 8), *range(end - 4, end))


def statuses(folder: Path) -> dict[str, str]:
    """Return the status of each file that ``verify`` of a folder reports, by name."""
    result = CliRunner().invoke(cli, ["verify", str(folder), "--json"])
    if result.exit_code == 2:  # there was none
        return {}
    rows = {Path(row["path"]).name: row["status"] for row in json.loads(result.stdout)["files"]}
    assert result.exit_code == (set(rows.values()) != {"whole"})
    return rows


def put(folder: Path, data: bytes, name: str = "a.png") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(data)
    return path


# The marker


def test_the_marker_follows_the_header(whole: bytes, tmp_path: Path) -> None:
    """The marker has the same 31 bytes in every PNG, whether it was made of pixels, a PNG or a .gen5."""
    alone = gen5core.save(tmp_path / "a.gen5", images=PLAIN, environment=None, hardware=None)
    carried = tmp_path / "carried.png"
    export = ["export", str(alone), "--to", "png", "--carry", "-o", str(carried)]
    assert CliRunner().invoke(cli, export).exit_code == 0
    encoded = gen5core.save(tmp_path / "encoded.png", images=PLAIN, environment=None, hardware=None)
    for png in (whole, carried.read_bytes(), encoded.read_bytes()):
        assert png[IHDR_END : IHDR_END + 31] == MARKER
        assert png.count(MARKER) == 1
    assert len(SIGNATURE) + 25 + 31 == traces.MARKER_END


def test_a_picture_that_has_the_marker_gets_no_other(whole: bytes, tmp_path: Path) -> None:
    """The picture of a carrier that is saved again keeps its one marker, and comes back to the byte."""
    picture = joined([chunk for chunk in split(whole) if chunk[0] != b"gfVE"])
    path = gen5core.save(tmp_path / "a.png", images=picture, environment=None, hardware=None)
    assert path.read_bytes().count(MARKER) == 1
    back = tmp_path / "b.gen5"
    assert CliRunner().invoke(cli, ["import", str(path), "-o", str(back)]).exit_code == 0
    with gen5core.open(back) as file:
        assert file.images[0].bytes == picture


def test_scrubbing_removes_the_marker(whole: bytes, tmp_path: Path) -> None:
    """The picture in a scrubbed copy carries no record, so it has no marker, and nothing reports that."""
    path, out = put(tmp_path, whole), tmp_path / "b.gen5"
    result = CliRunner().invoke(cli, ["scrub", str(path), "-o", str(out)])
    assert (result.exit_code, "PNG text" in result.output) == (0, False)
    with gen5core.open(out) as file:
        assert MARKER not in file.images[0].bytes


@pytest.mark.parametrize("command", [["extract", "--image"], ["export", "--to", "png"]])
def test_a_picture_alone_has_no_marker(whole: bytes, tmp_path: Path, command: list[str]) -> None:
    """The picture that is taken out of a carrier is an ordinary one: no marker, every other chunk as before."""
    path, out = put(tmp_path, whole), tmp_path / "b.png"
    assert CliRunner().invoke(cli, [command[0], str(path), *command[1:], "-o", str(out)]).exit_code == 0
    kinds = [kind for kind, _ in split(out.read_bytes())]
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_one_without_the_marker_opens(tmp_path: Path) -> None:
    """A PNG of an earlier version, without the marker, is intact."""
    put(tmp_path, UNMARKED)
    assert statuses(tmp_path) == {"a.png": "whole"}


# Damage that ``verify`` of a folder reports


@pytest.mark.parametrize("is_marked", [True, False])
def test_every_byte_of_the_framing(whole: bytes, tmp_path: Path, is_marked: bool) -> None:
    """A wrong byte anywhere in signature, IHDR, lengths, types or CRCs makes a damaged carrier."""
    png = whole if is_marked else UNMARKED
    places = list(framing(png))
    for place in places:
        for mask in (1, 0x20, 0xFF):
            put(tmp_path, forge.flipped(png, place, mask), f"{place}_{mask}.png")
    found = statuses(tmp_path)
    assert set(found.values()) == {"damaged"}
    assert len(found) == 3 * len(places)


def test_every_cut(whole: bytes, tmp_path: Path) -> None:
    """A carrier cut anywhere, even to nothing, is reported."""
    for size in range(len(whole)):
        put(tmp_path, whole[:size], f"{size}.png")
    found = statuses(tmp_path)
    assert found.pop("0.png") == "not GEN5"
    assert set(found.values()) == {"damaged"}
    assert len(found) == len(whole) - 1


def test_cuts_within_the_record_of_an_unmarked_one(tmp_path: Path) -> None:
    """A carrier of an earlier version is reported if it was cut behind the type of its chunk."""
    start = UNMARKED.index(b"gfVE") + 4
    for size in range(start, len(UNMARKED)):
        put(tmp_path, UNMARKED[:size], f"{size}.png")
    found = statuses(tmp_path)
    assert (set(found.values()), len(found)) == ({"damaged"}, len(UNMARKED) - start)


@pytest.mark.parametrize("size", [512, 4096])
def test_pages_of_zeros(tmp_path: Path, size: int) -> None:
    """Any page of zeros, as a disk that lost power leaves them, is reported."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    latents = {"a": np.ones(3000, np.float32)}
    path = gen5core.save(tmp_path / "whole.png", images=pixels, latents=latents)
    png = path.read_bytes()
    for start in range(0, len(png), size):
        put(tmp_path, (png[:start] + bytes(size) + png[start + size :])[: len(png)], f"{start}.png")
    found = statuses(tmp_path)
    assert found.pop("whole.png") == "whole"
    assert set(found.values()) == {"damaged"}
    assert len(found) == -(-len(png) // size)


def test_a_record_over_the_end_of_a_block(whole: bytes, tmp_path: Path) -> None:
    """A trace that lies over the border of two blocks that are read is found."""
    for shift in range(12):
        before = bytes(traces.BLOCK_BYTES - shift)
        for trace in (MARKER[4:-4], b"gfVEGEN5\1", b"GEN5\1\7\3\0"):
            assert gen5core.is_carrier(put(tmp_path, before + trace))


def test_the_errors_say_that_it_carried_a_record(whole: bytes, tmp_path: Path) -> None:
    """Opening one whose signature or chunk type is damaged says that it carried a record."""
    path = put(tmp_path, b"\0" + whole[1:])
    with pytest.raises(
        MalformedChunkError, match=r"starts with b'\\x00PNG.*it carried a record and is damaged"
    ):
        gen5core.open(path)
    for png in (whole, UNMARKED):
        path.write_bytes(png.replace(b"gfVEGEN5", b"gfVDGEN5"))
        with pytest.raises(
            ChecksumError, match="carried a record, but has no gfVE chunk, and the CRC of its gfVD"
        ):
            gen5core.open(path)
    path.write_bytes(whole[:20])
    with pytest.raises(TruncatedError, match="its IHDR takes 13 bytes, the PNG ends after 20"):
        gen5core.open(path)
    path.write_bytes(whole[:5])
    with pytest.raises(TruncatedError, match="has 5 bytes, fewer than any PNG"):
        gen5core.open(path)


# Ordinary pictures


def test_broken_pictures_that_never_carried_one(tmp_path: Path) -> None:
    """A broken PNG with no trace of a record stays an ordinary picture, however it is broken."""
    text = png_chunk(b"tEXt", b"prompt\0put the record in gfVE, not GEN5; tEXtGen5, gfVEGEN5")
    png = PLAIN[:IHDR_END] + text + PLAIN[IHDR_END:]
    for place in framing(png):
        put(tmp_path, forge.flipped(png, place, 0xFF), f"{place}.png")
    for size in range(traces.MARKER_END, len(png)):
        put(tmp_path, png[:size], f"cut_{size}.png")
    put(tmp_path, b"no PNG", "text.png")
    put(tmp_path, bytes(5000), "zeros.png")
    (tmp_path / "folder.png").mkdir()
    assert statuses(tmp_path) == {}


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt", b"prVt"])
def test_sound_pictures_that_quote_a_record(whole: bytes, tmp_path: Path, kind: bytes) -> None:
    """A sound PNG is judged by its chunks: a text or foreign chunk with a record in it changes nothing."""
    for number, quoted in enumerate((b"gfVE" + record(whole), MARKER, record(whole), whole)):
        data = quoted if kind == b"prVt" else b"prompt\0" + quoted
        chunks = split(PLAIN)
        put(tmp_path, joined([chunks[0], (kind, data), *chunks[1:]]), f"{number}.png")
    assert statuses(tmp_path) == {}


def test_a_record_that_was_removed(whole: bytes, tmp_path: Path) -> None:
    """An intact PNG whose record was removed is a plain one; checked by name, the error says that it had one."""
    path = put(tmp_path, joined([chunk for chunk in split(whole) if chunk[0] != b"gfVE"]))
    assert statuses(tmp_path) == {}
    with pytest.raises(
        NotGen5Error, match="editor stripped it, and left the text that says that there was one"
    ):
        gen5core.open(path)
    result = CliRunner().invoke(cli, ["verify", str(path)])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        1,
        "1 file checked, 0 intact (0 B), 1 not GEN5",
    )


def test_the_smallest_png_is_larger_than_the_start(tmp_path: Path) -> None:
    """The smallest PNG that there is, of 67 bytes, is not taken for one that was cut."""
    smallest = joined(
        [
            (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 1, 0, 0, 0, 0)),
            (b"IDAT", bytes.fromhex("789c636800000082 0081".replace(" ", ""))),
            (b"IEND", b""),
        ]
    )
    assert len(smallest) == 67
    put(tmp_path, smallest)
    assert statuses(tmp_path) == {}


# Files that are not read


def test_a_png_that_cannot_be_read(whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PNG that the file system refuses may carry a record, so it is reported as unreadable, with exit code 2."""
    path = put(tmp_path, whole)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(verify, "is_carrier", refuse)
    monkeypatch.setattr(verify.reader, "open", refuse)
    result = CliRunner().invoke(cli, ["verify", str(tmp_path)])
    assert (result.exit_code, result.stdout.splitlines()[0]) == (2, f"unreadable  {path}: Input/output error")


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and links of POSIX")
def test_other_things_named_png(tmp_path: Path) -> None:
    """Links to nothing and FIFOs are no pictures; a link to itself cannot be read."""
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(FormatError):
        gen5core.open(tmp_path / "fifo.png")
    assert statuses(tmp_path) == {}
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    result = CliRunner().invoke(cli, ["verify", str(tmp_path)])
    assert (result.exit_code, "1 unreadable" in result.stdout) == (2, True)

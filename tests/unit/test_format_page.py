"""FORMAT.md agrees with the code: its byte-by-byte example, test vectors and limits."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import forge
import pytest

import gen5core
from gen5core.container import spec

ROOT = Path(gen5core.__file__).parents[1]
VALID = ROOT / "tests" / "corpus" / "valid"
PAGE = (ROOT / "FORMAT.md").read_text("utf-8")
WALKED = VALID / "forged-1.1_trailer.gen5"
MIB = 2**20


def section(title: str) -> str:
    """Return the body of the section with this title."""
    (body,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return body


class Line(NamedTuple):
    """One line of the byte-by-byte example: offset, bytes and description."""

    offset: int
    data: bytes
    note: str


def walk() -> Iterator[Line]:
    """Yield the lines of the byte-by-byte example."""
    pattern = r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} )*[0-9a-f]{2}) +(\S.*)$"
    for offset, data, note in re.findall(pattern, section("A file by its bytes"), re.MULTILINE):
        yield Line(int(offset, 16), bytes.fromhex(data), note)


def test_walk_is_the_file() -> None:
    """The hex on the page adds up to the file, each line is at its offset, and no line is skipped."""
    lines = list(walk())
    data = WALKED.read_bytes()
    assert b"".join(line.data for line in lines) == data
    assert all(data[line.offset : line.offset + len(line.data)] == line.data for line in lines)
    assert f"All {len(data)} bytes of {WALKED.name}" in section("A file by its bytes")
    (block,) = re.findall(r"^```\n(.*?)^```$", section("A file by its bytes"), re.DOTALL | re.MULTILINE)
    assert len(lines) == sum(not line.startswith(" ") for line in block.splitlines() if line)


def test_walk_describes_the_bytes() -> None:
    """Every number after = and every text in backticks is the value of its bytes."""
    numbers = texts = 0
    for line in walk():
        if found := re.search(r" = (-?\d+\.\d+)$", line.note):
            assert (float(found[1]),) == struct.unpack("<f", line.data), line
            numbers += 1
        elif found := re.search(r" = (\d+)(,|$)", line.note):
            assert int(found[1]) == int.from_bytes(line.data, "little"), line
            numbers += 1
        elif found := re.fullmatch(r"`(.*)`", line.note):
            assert found[1].replace("\\0", "\0").encode("ascii") == line.data, line
            texts += 1
    assert (numbers, texts) == (15, 29)


def test_walk_digests() -> None:
    """Seal, checksum, root and hash cover the bytes that the page names."""
    data = WALKED.read_bytes()
    meta = data[0x3C : 0x3C + 515]
    assert bytes.fromhex(forge.sha256(b"GEN5seal1" + data[:24] + meta))[:8] == data[24:32]
    assert data[0x23B:0x23F] == struct.pack("<I", forge.xxh64(data[0x4C : 0x4C + 495]) & 0xFFFFFFFF)
    assert forge.sha256(meta) == forge.sha256(forge.meta_of((VALID / "forged-1.1_signed.gen5").read_bytes()))
    assert forge.sha256(data[0x2C : 0x2C + 16]).encode() in meta
    assert b'"file_size":%d,' % (0x3C + 515) in meta


def vectors() -> dict[str, tuple[int, str]]:
    """Return the sizes and roots on the page by file name."""
    pattern = r"^\| (\S+\.(?:gen5|png)) \| (\d+) \| `([0-9a-f]{64})` \| \S.* \|$"
    return {
        name: (int(size), root)
        for name, size, root in re.findall(pattern, section("Test vectors"), re.MULTILINE)
    }


def test_vectors_are_the_files() -> None:
    """The table lists exactly the files of the folder."""
    assert sorted(vectors()) == sorted(path.name for path in VALID.iterdir() if path.suffix != ".json")


@pytest.mark.parametrize("name", vectors())
def test_vector(name: str) -> None:
    """Size and root match the file, both through the reader and from the raw bytes."""
    size, root = vectors()[name]
    data = (VALID / name).read_bytes()
    with gen5core.open(VALID / name) as file:
        assert (file.header.file_size, file.root) == (size, root)
    start = data.index(spec.MAGIC)
    assert forge.sha256(forge.meta_of(data[start : start + size])) == root


@pytest.mark.parametrize(
    ("row", "figure"),
    [
        ("META, stored | 16 MiB", spec.Limits().meta_stored_bytes / MIB / 16),
        ("META, decoded, with its frame header | 64 MiB", spec.Limits().meta_decoded_bytes / MIB / 64),
        ("outside the strings of a JSON text | 2¹⁸", spec.Limits().json_values / 2**18),
        ("the payload of ENVC, raw too | 64 MiB", spec.Limits().meta_decoded_bytes / MIB / 64),
        ("its content size | 128 MiB", spec.Limits().window_bytes / MIB / 128),
        ("inflated, with its frame header | 1 GiB", spec.Limits().inflated_bytes / MIB / 1024),
        ("chunks | 1000", spec.Limits().chunks / 1000),
        ("trailers | 1000", spec.Limits().chunks / 1000),
        ("the SIGN trailer | 64 KiB", spec.Limits().signature_bytes / 2**16),
        ("pixels of an image | 2²⁸", spec.Limits().image_pixels / 2**28),
        ("stepped over | 100 000", spec.Limits().png_chunks / 100_000),
        ("a PNG without its record | 1 GiB", spec.Limits().inflated_bytes / MIB / 1024),
        ("a file in a PNG | 2³¹ − 1 bytes", spec.MAX_CARRIED_BYTES / (2**31 - 1)),
        ("the file | below 4 GiB", (spec.MAX_FILE_BYTES + 1) / 2**32),
    ],
)
def test_limit(row: str, figure: float) -> None:
    """The page states each limit once, with the value in the code."""
    assert section("Limits").count(f"{row} |") == 1
    assert figure == 1


def test_every_limit_is_on_the_page() -> None:
    """The page has a row for each field of Limits, three rows that share a field, and two fixed limits."""
    rows = re.findall(r"^\| (?!what \|)[^-\n].* \|.*\|.*\|$", section("Limits"), re.MULTILINE)
    shared = ("the payload of ENVC", "trailers |", "a PNG without its record")
    fixed = ("a file in a PNG", "the file |")
    for name in (*shared, *fixed):
        assert sum(row.startswith(f"| {name}") for row in rows) == 1, name
    assert len(rows) == len(spec.Limits.__dataclass_fields__) + len(shared) + len(fixed)


def test_header_table() -> None:
    """Offsets and sizes of the header's fields match the struct."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (\d) \|", section("Header"), re.MULTILINE)
    sizes = {"s": 4, "B": 1, "H": 2, "I": 4, "Q": 8}
    codes = re.findall(r"\d?([a-zA-Z])", spec.HEADER.format)
    assert [sizes[code] for code in codes] == [int(size) for _, _, size in rows]
    assert [sum(sizes[code] for code in codes[:index]) for index in range(len(codes))] == [
        int(offset) for offset, _, _ in rows
    ]
    assert spec.HEADER.size == sum(int(size) for _, _, size in rows)


def test_links_within_the_page() -> None:
    """Every link to a section of the page has a target."""
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    assert links
    assert links - anchors == set()

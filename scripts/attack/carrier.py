"""Damage to a PNG that carries a record: ``verify`` of its folder must report every copy, and no ordinary picture."""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from click.testing import CliRunner

import gen5core
from gen5core.cli.commands import cli

from .rows import Row

TITLE: Final = "PNGs that carry a record, damaged, in a folder"
_SIGNATURE_BYTES: Final = 8
_IHDR_END: Final = 33
_MARKER_BYTES: Final = 31
_Copies = Iterable[tuple[str, bytes]]
"""Name and bytes of each damaged copy."""


def rows() -> Iterator[Row]:
    """Yield a row for each kind of damage, to a carrier, to one of an earlier version, and to an ordinary picture."""
    with tempfile.TemporaryDirectory() as name:
        whole = _carrier(Path(name) / "whole.png")
    unmarked = whole[:_IHDR_END] + whole[_IHDR_END + _MARKER_BYTES :]
    plain = b"".join(data for kind, data in _chunks(unmarked) if kind != b"gfVE")
    for label, copies in _damages(whole):
        yield _row(label, copies, reported=True)
    for label, copies in _damages(unmarked):
        if not label.startswith(("cut", "a page")):  # what is left may show nothing
            yield _row(f"{label}, without the marker", copies, reported=True)
    record = unmarked.index(b"gfVE") + 4
    cuts = _cuts(unmarked, range(record, len(unmarked)))
    yield _row("cut at every byte of gfVE and IEND, without the marker", cuts, reported=True)
    quoting = (
        plain[:_IHDR_END] + _text(b"prompt\0the record in gfVE of tEXtGen5, gfVEGEN5") + plain[_IHDR_END:]
    )
    for label, copies in _damages(quoting):
        kept = [(name, data) for name, data in copies if len(data) >= _IHDR_END + _MARKER_BYTES]
        yield _row(f"{label}, of an ordinary picture that quotes a record", kept, reported=False)


def _carrier(path: Path) -> bytes:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((1, 4, 8, 8)).astype(np.float32)
    pixels = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    graphs = {"prompt": {}, "workflow": {"nodes": []}}
    return gen5core.save(path, latents={"a": noise}, images=pixels, comfyui=graphs).read_bytes()


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the signature under an empty type, then the type and all bytes of each chunk."""
    yield b"", png[:_SIGNATURE_BYTES]
    offset = _SIGNATURE_BYTES
    while offset < len(png):
        size, kind = struct.unpack_from(">I4s", png, offset)
        yield kind, png[offset : offset + 12 + size]
        offset += 12 + size


def _text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + b"tEXt" + data + struct.pack(">I", zlib.crc32(b"tEXt" + data))


def _damages(png: bytes) -> Iterator[tuple[str, _Copies]]:
    """Yield each kind of damage, and the copies that have it."""
    places: dict[str, list[int]] = {"the signature": list(range(_SIGNATURE_BYTES))}
    boundaries = []
    offset = 0
    for kind, data in _chunks(png):
        end = offset + len(data)
        boundaries += [offset, offset + 4, offset + 8, end - 4]
        if kind:
            places.setdefault("lengths", []).extend(range(offset, offset + 4))
            places.setdefault("types", []).extend(range(offset + 4, offset + 8))
            places.setdefault("CRCs", []).extend(range(end - 4, end))
        if kind == b"IHDR":
            places["IHDR's data"] = list(range(offset + 8, end - 4))
        offset = end
    if png[_IHDR_END + 8 :].startswith(b"Gen5"):
        places["the marker's data"] = list(range(_IHDR_END + 8, _IHDR_END + _MARKER_BYTES - 4))
    for label, offsets in places.items():
        yield f"one bit flipped in {label}", list(_flips(png, offsets))
    near = {place + step for place in boundaries for step in (-1, 0, 1)}
    yield "cut at and beside every boundary", list(_cuts(png, sorted(near)))
    yield "cut at every 7th byte", list(_cuts(png, range(1, len(png), 7)))
    for size in (64, 512):
        yield f"a page of {size} zeros", list(_zeroed(png, size))


def _flips(png: bytes, offsets: Iterable[int]) -> _Copies:
    for offset in offsets:
        for bit in range(8):
            yield f"{offset}_{bit}", png[:offset] + bytes([png[offset] ^ 1 << bit]) + png[offset + 1 :]


def _cuts(png: bytes, sizes: Iterable[int]) -> _Copies:
    return ((f"{size}", png[:size]) for size in sizes if 0 <= size < len(png))


def _zeroed(png: bytes, size: int) -> _Copies:
    for start in range(0, len(png), size):
        yield f"{start}", png[:start] + bytes(min(size, len(png) - start)) + png[start + size :]


def _row(label: str, copies: _Copies, *, reported: bool) -> Row:
    """Return the row for these copies, all in one folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = {f"{stem}.png" for stem, data in copies if (folder / f"{stem}.png").write_bytes(data) or True}
        result = CliRunner().invoke(cli, ["verify", name, "--json"])
    found = _reported(result.stdout)
    passed = sorted(names - found if reported else names & found)
    if passed:
        print(f"{label}: {passed[:8]}", file=sys.stderr)
    held = not passed and result.exit_code == (1 if reported else 2)  # 2: nothing to check in the folder
    right = "each reported, exit 1" if reported else "none reported"
    seen = f"{len(names & found)} of {len(names)} reported, exit {result.exit_code}"
    return Row(label, right, seen, held)


def _reported(stdout: str) -> set[str]:
    """Return the names of the files that are reported as anything but whole."""
    files = json.loads(stdout)["files"] if stdout else []
    return {Path(row["path"]).name for row in files if row["status"] != "whole"}

"""Damaged and altered files: this package and a reader written from FORMAT.md alone accept and refuse the same ones."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forge
import pytest
from forge import Chunk
from second_reader import ROOT, disagreements, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

SIGNED = ROOT / "tests" / "corpus" / "valid" / "forged-1.1_signed_twice_and_note.gen5"
CARRIER = SIGNED.with_name("forged-1.1_carrier.png")
ORIGINAL = ("row", "extra", "compression", "added_texts", "deflated", "sha256")
LONG_TRAILERS = ("A" * 4 * (65_548 // 3), "A" * 4 * (65_548 // 3 + 1))
"""Base64 of the maximum size of ``carrier.trailer``, rounded down and up to a multiple of three bytes."""
MAX_NUMBER = 2**31 - 1
"""FORMAT.md has no maximum for numbers in ``carrier``; the readers differ above this one."""
RICH = [
    forge.float32("initial_noise", [0.5, -1.25, 2.0, 0.0], [1, 2, 2]),
    forge.float32("audio", [1.0], part=0),
    forge.float32("audio", [2.0], part=1),
    Chunk("LATN", "F16", bytes(64), {"shape": [4, 8], "key": "mask"}, compressed=True),
    forge.environment({"python": "name=python;version=3.11.7", "os": "name=os;version=Linux 6.8.0"}),
]
DROP = object()
"""Marks a value to leave out."""
ODD: list[Any] = [
    *(None, True, 0, 1, -1, 1.0, 32.0, 2**32 - 1, 2**32, 2**64, math.nan, math.inf),
    *("", "x", "\ud800", "F16", "F32\0", "DATA", "ENVC", "NEWT", "0" * 64),
    *([], {}, [1], {"a": 1}, [0], [1, 1, 4], [0, 2**32 - 1, 2**32 - 1]),
]
"""Values that are valid in some positions of META and invalid in others."""
VALUES_PER_POSITION = 5
KeyPath = tuple[Any, ...]


def enrich(document: dict[str, Any]) -> None:
    """Give META a value for every key whose type FORMAT.md specifies."""
    info = document["gen5_metadata"]["model_info"]
    info.update(tags=["a"], hardware_info={"os": "x"})
    info["generation_settings"] = {"seed": 7, "cfg_scale": 1.5, "x": [1e5, None, True]}
    document.update(comfyui={"version": "1"}, capture={}, resources=[{}], environment={"host": "a"})


def key_paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of keys to each value within value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from key_paths(item, (*path, key))


def altered(path: KeyPath, value: Any, minor: int) -> bytes:
    """Return a rich file with value at a path in META, and correct digests and seal."""

    def edit(document: dict[str, Any]) -> None:
        enrich(document)
        parent: Any = document
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value
        if value is DROP:
            del parent[path[-1]]

    return forge.build(RICH, minor=minor, edit=edit)


def test_any_flipped_bit(tmp_path: Path) -> None:
    """Both readers find a flipped bit in any byte of a signed file, except in bytes that no digest covers."""
    data = SIGNED.read_bytes()
    files = {str(at): forge.flipped(data, at, 1 << at % 8) for at in range(len(data))}
    accepted, disputed = disagreements(tmp_path, files)
    signed, note = data.index(b"SIGN"), data.index(b"NOTE")
    uncovered = {*range(signed, signed + 4), *range(note, note + 8), *range(note + 12, len(data))}
    assert disputed == []
    assert uncovered == set(map(int, accepted))


def test_any_flipped_bit_of_a_png(tmp_path: Path) -> None:
    """Both readers find a flipped bit in any byte of a PNG that carries a file."""
    data = CARRIER.read_bytes()
    files = {str(at): forge.flipped(data, at, 1 << at % 8) for at in range(len(data))}
    assert disagreements(tmp_path, files) == ([], [])


@pytest.mark.parametrize("name", ["index", "png_sha256", "png_bytes", "trailer", "original", *ORIGINAL])
def test_any_changed_carrier(tmp_path: Path, name: str) -> None:
    """A PNG whose record has other facts about it is accepted by both readers or by neither."""
    original = {
        "row": 1,
        "extra": {"index": 0, "width": 2, "height": 2, "format": "PNG"},
        "compression": "none",
        "added_texts": 0,
        "deflated": False,
    }
    files = {}
    for odd in (*ODD, False, "zstd", *LONG_TRAILERS):
        if isinstance(odd, int) and odd > MAX_NUMBER:
            continue
        facts = {"original": {**original, name: odd}} if name in ORIGINAL else {name: odd}
        files[ascii(odd)[:20] + str(len(files))] = forge.carrier(facts=facts)
    accepted, disputed = disagreements(tmp_path, files)
    assert disputed == []
    assert len(accepted) < len(files)


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("mask", [1, 16])
def test_any_changed_character(tmp_path: Path, minor: int, mask: int) -> None:
    """META with one changed character and correct digests is accepted by both readers or by neither."""
    intact = forge.build(RICH, minor=minor, edit=enrich)
    text = forge.text_of(intact)
    files = {
        f"character {at}": forge.with_meta(intact, forge.stored_meta(forge.flipped(text, at, mask)))
        for at in range(len(text))
    }
    accepted, disputed = disagreements(tmp_path, files)
    assert disputed == []
    assert 0 < len(accepted) < len(files)


@pytest.mark.parametrize("minor", [0, 1])
def test_any_changed_value(tmp_path: Path, minor: int) -> None:
    """META with one value missing or replaced is accepted by both readers or by neither."""
    plain = json.loads(forge.text_of(forge.build(RICH, minor=minor, edit=enrich)))
    files = {}
    for number, path in enumerate(key_paths(plain)):
        for odd in (DROP, *random.Random(number).sample(ODD, VALUES_PER_POSITION)):
            name = f"{'.'.join(map(str, path))}: {'dropped' if odd is DROP else ascii(odd)}"
            files[name] = altered(path, odd, minor)
    accepted, disputed = disagreements(tmp_path, files)
    assert disputed == []
    assert 0 < len(accepted) < len(files)

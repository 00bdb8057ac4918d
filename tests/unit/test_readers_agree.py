"""Damaged and altered files: this package and a reader written from FORMAT.md alone accept and refuse the same ones."""

from __future__ import annotations

import base64
import json
import math
import random
import re
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forge
import pytest
import signer
from forge import Chunk
from png_chunks import split
from second_reader import ROOT, disagreements, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

SIGNED = ROOT / "tests" / "corpus" / "valid" / "forged-1.1_signed_twice_and_note.gen5"
CARRIER = SIGNED.with_name("forged-1.1_carrier.png")
ORIGINAL = ("row", "extra", "compression", "added_texts", "deflated", "sha256")
LONG_TRAILERS = ("A" * 4 * (65_548 // 3), "A" * 4 * (65_548 // 3 + 1))
"""Base64 of the maximum size of ``carrier.trailer``, rounded down and up to a multiple of three bytes."""
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
    *(
        None,
        True,
        0,
        1,
        -1,
        1.0,
        32.0,
        2**31,
        2**31 + 1,
        2**32 - 1,
        2**32,
        2**63,
        2**63 + 1,
        2**64,
        math.nan,
        math.inf,
    ),
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


def members(*texts: bytes) -> dict[str, bytes]:
    """Return a file with each text after META's other members, named by the text."""
    plain = forge.build(RICH)
    return {text.decode("latin-1")[:60] + f" {len(text)}": with_member(plain, text) for text in texts}


def with_member(data: bytes, member: bytes) -> bytes:
    """Return a file with more text at the end of the outermost object, and the right ``file_size``."""
    text = forge.text_of(data)[:-1] + b"," + member + b"}"
    for _ in range(3):  # the size is part of the text
        changed = forge.with_meta(data, forge.stored_meta(text))
        size = b'"file_size":%d' % forge.header_of(changed).file_size
        text = re.sub(rb'"file_size":\d+', size, text)
    return changed


def test_gen5_metadata_twice(tmp_path: Path) -> None:
    """A second one is refused, whether it is equal, equal but for types, or spelt with escapes; nested ones are not."""
    core = forge.dump(json.loads(forge.text_of(forge.build(RICH)))["gen5_metadata"])
    typed = core.replace(b'"index":1', b'"index":1.0').replace(b'"compressed":true', b'"compressed":1')
    names = (
        b"gen5_metadata",
        b"gen5\\u005fmetadata",
        b"\\u0067en5_metadata",
        b"gen\\u0035_metadata",
        b"gen5_m\\u0065tadata",
    )
    refused = members(
        *(b'"%s":%s' % (name, value) for name in names for value in (core, typed, b"{}", b"null"))
    )
    assert disagreements(tmp_path, refused) == ([], [])
    nested = members(
        b'"x":{"gen5_metadata":0,"gen5_metadata":{}}',
        b'"capture":{"gen5_metadata":1}',
        b'"\\u0078":"\\u0035"',
    )
    assert disagreements(tmp_path, nested) == (list(nested), [])


def test_gen5_metadata_twice_behind_white_space(tmp_path: Path) -> None:
    """It is found too where META does not begin as this package writes it."""
    plain = forge.build(RICH)
    first = b'{ "gen5_metadata" : {"chunks":[]}, ' + forge.text_of(plain)[1:]
    changed = forge.with_meta(plain, forge.stored_meta(first))
    assert disagreements(tmp_path, {"before": changed}) == ([], [])


def test_nesting(tmp_path: Path) -> None:
    """200 objects and lists inside one another are read, 201 are refused, wherever the interpreters would stop."""
    read, refused = [], []
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"[":"]}\\"",', b"}]")):
        width = opening.count(b"[") + opening.count(b"{") - (b'"["' in opening)
        for inside, texts in ((199, read), (200, refused), (900, refused)):
            times, rest = divmod(inside, width)
            last = b'"b":0' if opening.endswith(b",") else b"0"
            deep = opening * times + last + closing * times
            if not opening.endswith(b","):
                texts.append(b'"x":' + deep)
            elif rest == 0:
                texts.append(b'"x":' + opening.replace(b",", b"") + closing)
    assert disagreements(tmp_path, found := members(*read)) == (list(found), [])
    assert disagreements(tmp_path, members(*refused[:4])) == ([], [])


def test_long_numbers(tmp_path: Path) -> None:
    """4300 digits are read, with a sign too, 4301 are refused; a fraction may have any number; 1e999 is infinite."""
    read = (
        b"9" * 4300,
        b"-" + b"9" * 4300,
        b"0." + b"1" * 5000,
        b"1e999",
        b"-1e999",
        b"-0",
        b"-0.0",
        b"1e-999",
    )
    refused = (
        b"9" * 4301,
        b"-" + b"9" * 4301,
        b"01",
        b"+1",
        b"1.",
        b".5",
        b"0x1",
        b"NaN",
        b"-Infinity",
        b"\xd9\xa1",
    )
    found = members(*(b'"x":' + number for number in read))
    assert disagreements(tmp_path, found) == (list(found), [])
    assert disagreements(tmp_path, members(*(b'"x":' + number for number in refused))) == ([], [])


def test_texts_and_white_space(tmp_path: Path) -> None:
    """Half surrogate pairs are read as escapes only; white space is that of JSON; a byte order mark is refused."""
    read = (
        b'"x":"\\ud800"',
        b'"\\udc00":1',
        b'"x":"\x7f\xe2\x80\xa8"',
        b'"x"\t:\r\n1 ',
        b'"__proto__":{"a":1}',
        b'"x":1,"x":2',
    )
    refused = (
        b'"x":"\xed\xa0\x80"',
        b'"x":"\t"',
        b'"x":\x0b1',
        b'"x":\xc2\xa01',
        b'"x":\xef\xbb\xbf1',
        b'"x":1,',
        b'"x":/**/1',
    )
    found = members(*read)
    assert disagreements(tmp_path, found) == (list(found), [])
    assert disagreements(tmp_path, members(*refused)) == ([], [])
    plain, text = forge.build(RICH), forge.text_of(forge.build(RICH))
    odd = {"mark": b"\xef\xbb\xbf" + text, "after": text + b"\0", "twice": text + b"{}", "nul": b"\0" + text}
    files = {name: forge.with_meta(plain, forge.stored_meta(changed)) for name, changed in odd.items()}
    assert disagreements(tmp_path, files) == ([], [])


def test_a_carrier_in_a_file_of_its_own(tmp_path: Path) -> None:
    """Facts about a PNG are checked in a file outside of one, too; ``null`` is none; version 1.0 has no such key."""
    (sound,) = (content for kind, content in split(forge.carrier()) if kind == b"gfVE")
    facts = forge.dump(json.loads(forge.text_of(sound))["carrier"])
    refused = members(
        b'"carrier":{}', b'"carrier":[]', b'"carrier":%s' % facts.replace(b'"index":0', b'"index":1')
    )
    old = forge.build(RICH, minor=0, edit=lambda document: document.update(carrier=json.loads(facts)))
    assert disagreements(tmp_path, refused | {"1.0": old}) == ([], [])
    read = {"sound": sound} | members(b'"carrier":null')
    assert disagreements(tmp_path, read) == (list(read), [])


def test_base64_of_a_carried_trailer(tmp_path: Path) -> None:
    """It has one form: padding, the standard alphabet, spare bits zero."""
    texts = ("AA==", "AB==", "AA", "AA=", "A-==", "AA==\n", "AA== ", "")
    accepted, disputed = disagreements(
        tmp_path, {text: forge.carrier(facts={"trailer": text}) for text in texts}
    )
    assert (accepted, disputed) == (["AA==", ""], [])


def test_keys_of_small_order(tmp_path: Path) -> None:
    """A key under which a signature is valid for every file is refused by each reader, in each of its encodings."""
    order_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
    prime = 2**255 - 19
    data, identity = forge.build(RICH), (1).to_bytes(32, "little") + bytes(32)
    files = {}
    for y in (0, 1, prime - 1, prime, prime + 1, order_8, prime - order_8):
        for sign in (0, 2**255):
            key = base64.b64encode((y | sign).to_bytes(32, "little")).decode()
            entry = (f"gen5-ed25519 {key}", base64.b64encode(identity).decode())
            envelope = signer.envelope(signer.root_of(data), [entry])
            files[f"{y} {sign}"] = signer.with_trailer(data, forge.frame("SIGN", "0000", envelope))
    assert disagreements(tmp_path, files) == ([], [])


def test_null_in_place_of_a_dtype(tmp_path: Path) -> None:
    """A value_dtype of null is none; an orig_dtype of null is none beside a value_dtype only."""
    both = {
        f"{value} {widened}": forge.build(
            [forge.float32("x", [1.0, 2.0], [1, 2], value_dtype=value, orig_dtype=widened)]
        )
        for value in (None, "int64")
        for widened in (None, "float32", "bfloat16")
    }
    accepted, disputed = disagreements(tmp_path, both)
    assert (accepted, disputed) == (["None float32", "None bfloat16", "int64 None"], [])


@pytest.mark.parametrize(
    ("dtype", "most"), [("uint8", 255), ("int8", 127), ("bool", 1), ("uint16", 65535), ("int16", 32767)]
)
def test_values_that_a_dtype_does_not_have(tmp_path: Path, dtype: str, most: int) -> None:
    """An array of integers that are stored by value is refused if one of them is none of that dtype."""
    kind = "e" if most < 256 else "f"
    flags = {"e": "F16", "f": "F32"}[kind]
    files = {}
    for value in (0.0, -0.0, 1.0, most, most + 1, 0.5, math.nan, math.inf, -math.inf):
        payload = struct.pack(f"<2{kind}", 1.0, value)
        files[str(value)] = forge.build(
            [Chunk("LATN", flags, payload, {"shape": [2], "key": "x", "value_dtype": dtype})]
        )
    accepted, disputed = disagreements(tmp_path, files)
    assert disputed == []
    assert set(accepted) == {"0.0", "-0.0", "1.0", str(most)}


@pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer writes its files to memory, as Linux can")
def test_mutated_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fuzzer makes is accepted, and read alike, by Python, Node and the browser, or refused by each."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import fuzz_differential

    pool = list(fuzz_differential.seeds())
    files = [fuzz_differential.mutate(random.Random(seed).choice(pool), 2**15, seed) for seed in range(300)]
    outcomes = Counter(map(fuzz_differential.read_everything, files))
    assert outcomes["accepted"] > 10
    assert outcomes.total() == len(files)

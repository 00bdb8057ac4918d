"""Files that one reader might accept and another refuse: this package, the reader in Node, and the browser's."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from scripts import fuzz_differential
from scripts.attack.rows import Row

TITLE = "Readers: Python, Node and the browser agree"
MUTATED = 2000

import forge  # noqa: E402  (found through fuzz_differential)
import second_reader  # noqa: E402
import signer  # noqa: E402
from png_chunks import Chunks, joined, split  # noqa: E402


def rows() -> Iterator[Row]:
    """Yield each kind of file, and then some that the fuzzer makes."""
    if reason := second_reader.why_not():
        yield Row("all", "readers agree", f"not tried: {reason}", True)
        return
    pool = list(fuzz_differential.seeds())
    plain = forge.build([forge.float32("initial_noise", [0.5, -1.25], [2])])
    core = forge.dump(json.loads(forge.text_of(plain))["gen5_metadata"])
    carrier = forge.carrier()
    sound = dict(split(carrier))[b"gfVE"]
    yield _row(
        "`gen5_metadata` twice, equal, equal but for types, or spelt with escapes", False, _twice(plain, core)
    )
    yield _row("nesting of 200 levels", True, _members(plain, b'"x":' + b"[" * 199 + b"]" * 199))
    yield _row("nesting of 201, 500, 990 and 5000 levels", False, _nested(plain, 200, 499, 989, 4999))
    yield _row("odd numbers that are JSON", True, _numbers(plain, *READ_NUMBERS))
    yield _row("numbers that are none, or too long", False, _numbers(plain, *REFUSED_NUMBERS))
    yield _row("odd texts, names and white space that are JSON", True, _members(plain, *READ_MEMBERS))
    yield _row("texts, names and white space that are not JSON", False, _members(plain, *REFUSED_MEMBERS))
    yield _row("`carrier` of an odd kind in a file of its own", False, _members(plain, *ODD_CARRIERS))
    yield _row(
        "`carrier` in a file of its own, sound or null", True, [sound, *_members(plain, b'"carrier":null')]
    )
    yield _row("base64 of a carried trailer in another form", False, list(map(_with_carried, ODD_BASE64)))
    yield _row("trailers in another order, twice, cut, or of a wrong frame", False, _trailers(plain))
    yield _row(
        "a byte after META, or before the IEND of a PNG with a record",
        False,
        [plain + b"\0", carrier[:-12] + b"x" + carrier[-12:]],
    )
    yield _row("chunks of a PNG in another order, repeated, or missing", False, _png_files(split(carrier)))
    yield _fuzzed(pool)


READ_NUMBERS = (
    b"-0",
    b"-0.0",
    b"1e999",
    b"-1e999",
    b"1E+2",
    b"9" * 4300,
    b"-" + b"9" * 4300,
    b"0." + b"1" * 5000,
)
REFUSED_NUMBERS = (
    b"9" * 4301,
    b"-" + b"9" * 4301,
    b"01",
    b"+1",
    b"1.",
    b".5",
    b"0x1",
    b"1_0",
    b"NaN",
    b"-Infinity",
    b"\xd9\xa1",
)
READ_MEMBERS = (
    *(b'"x":"\\ud800"', b'"\\udc00":1', b'"x":"\x7f\xe2\x80\xa8"', b'"x"\t:\r\n1 ', b'"x":1,"x":2'),
    *(
        b'"__proto__":{"a":1}',
        b'"constructor":1',
        b'"root":"0"',
        b'"signed_by":["anna"]',
        b'"x":{"gen5_metadata":0}',
    ),
)
REFUSED_MEMBERS = (
    *(
        b'"x":"\xed\xa0\x80"',
        b'"x":"\xff"',
        b'"x":"\t"',
        b'"x":"\\x"',
        b'"x":\x0b1',
        b'"x":\xc2\xa01',
        b'"x":1,',
    ),
    *(
        b'"x":\xef\xbb\xbf1',
        b'"x":/**/1',
        b'"x":[1,]',
        b"x:1",
        b"'x':1",
        b'"x"',
        b'"x":1 "y":2',
        b'"x":1}{',
        b'"tags":{},"tags":',
    ),
)
ODD_CARRIERS = (
    b'"carrier":{}',
    b'"carrier":[]',
    b'"carrier":0',
    b'"carrier":""',
    b'"carrier":{"index":0}',
    b'"c\\u0061rrier":{}',
)
ODD_BASE64 = ("AB==", "AA", "AA=", "A-==", "AA==\n", " AA==", "A")


def _row(attack: str, accepted: bool, files: list[bytes]) -> Row:
    outcomes = Counter(map(_outcome, files))
    right = outcomes["accepted"] == (len(files) if accepted else 0) and not outcomes["differ"]
    seen = f"{outcomes['accepted']} accepted, {outcomes['differ']} in dispute"
    wanted = f"{'accepted' if accepted else 'refused'} by all"
    return Row(f"{attack}, {len(files)} files", wanted, seen, right)


def _outcome(data: bytes) -> str:
    try:
        return fuzz_differential.read_everything(data)
    except fuzz_differential.Disagreement:
        return "differ"


def _fuzzed(pool: list[bytes]) -> Row:
    rng = random.Random(0)
    outcomes = Counter(
        _outcome(fuzz_differential.mutate(rng.choice(pool), 2**15, seed)) for seed in range(MUTATED)
    )
    seen = f"{outcomes['accepted']} accepted, {outcomes['differ']} in dispute"
    return Row(f"mutated files with true digests, {MUTATED}", "no dispute", seen, not outcomes["differ"])


def _members(data: bytes, *members: bytes) -> list[bytes]:
    """Return a file with each text at the end of META's outermost object."""
    text = forge.text_of(data)
    return [fuzz_differential.with_text(data, text[:-1] + b"," + member + b"}") for member in members]


def _numbers(data: bytes, *numbers: bytes) -> list[bytes]:
    return _members(data, *(b'"x":' + number for number in numbers))


def _nested(data: bytes, *depths: int) -> list[bytes]:
    lists = [b'"x":' + b"[" * depth + b"]" * depth for depth in depths]
    objects = [b'"x":' + b'{"a":' * depth + b"0" + b"}" * depth for depth in depths]
    return _members(data, *lists, *objects)


def _twice(data: bytes, core: bytes) -> list[bytes]:
    typed = core.replace(b'"index":0', b'"index":0.0').replace(b"false", b"0")
    names = (b"gen5_metadata", b"gen5\\u005fmetadata", b"\\u0067en5_metadata", b"gen\\u0035_metadata")
    after = _members(data, *(b'"%s":%s' % (name, value) for name in names for value in (core, typed, b"{}")))
    text = b'{ "gen5_metadata":{}, ' + forge.text_of(data)[1:]
    return [*after, fuzz_differential.with_text(data, text)]


def _with_carried(trailer: str) -> bytes:
    return forge.carrier(facts={"trailer": trailer})


def _trailers(data: bytes) -> list[bytes]:
    signed, note = signer.trailer(signer.root_of(data), bytes(32)), forge.frame("NOTE", "0000", b"x")
    wrong = (
        note + signed,
        signed + signed,
        signed[:-1],
        note[:-1],
        note + b"x",
        re.sub(b"SIGN0000", b"SIGN\0\0\0\0", signed),
    )
    return [signer.with_trailer(data, trailer) for trailer in wrong]


def _png_files(chunks: Chunks) -> list[bytes]:
    """Return PNGs whose record claims another picture than these chunks make."""
    by_kind: Mapping[bytes, tuple[bytes, bytes]] = {chunk[0]: chunk for chunk in chunks}
    header, pixels, record, end = (by_kind[kind] for kind in (b"IHDR", b"IDAT", b"gfVE", b"IEND"))
    text = (b"tEXt", b"a\0b")
    orders = (
        [record, header, pixels, end],
        [header, pixels, record, record, end],
        [header, pixels, end],
        [header, pixels, record],
        [header, header, pixels, record, end],
        [header, pixels, text, pixels, record, end],
        [header, (b"acTL", bytes(8)), pixels, record, end],
        [header, pixels, end, record],
    )
    return [joined(order) for order in orders]

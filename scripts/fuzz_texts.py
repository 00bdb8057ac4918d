"""Odd JSON: changes to a JSON text that parsers may take in different ways."""

from __future__ import annotations

import random
import re

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+|\s+', re.DOTALL)
ODD_VALUES = (
    *(b"null", b"true", b"false", b"nul", b"True", b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"nan"),
    *(b"0", b"1", b"2", b"-1", b"-0", b"-0.0", b"1.0", b"1e0", b"1E+2", b"1e-400", b"1e999", b"-1e999"),
    *(b"01", b"+1", b"1.", b".5", b"-", b"0x10", b"1_0", b"1e", b"12", b"32", b"4294967295", b"4294967296"),
    *(b"9007199254740993", b"18446744073709551615", b"9" * 4300, b"9" * 4301, b"-" + b"9" * 4300, b"1" * 309),
    *(
        b"0." + b"1" * 5000,
        b"\xd9\xa1",
        b'""',
        b'"x"',
        b'"0"',
        b'"F16"',
        b'"F32"',
        b'"LATN"',
        b'"DATA"',
        b'"ENVC"',
    ),
    *(
        b'"GEN5"',
        b'"auto"',
        b'"' + b"0" * 64 + b'"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
    ),
    *(
        b'"\\u0000"',
        b'"\0"',
        b'"\t"',
        b'"\x7f"',
        b'"\xe2\x80\xa8"',
        b'"\xef\xbb\xbf"',
        b'"\\x"',
        b'"\\u00g0"',
        b"'x'",
    ),
    *(
        b'"bfloat16"',
        b'"float16"',
        b'"int64"',
        b'"toString"',
        b'"__proto__"',
        b'"\xc2\xb2"',
        b'"AB=="',
        b'"AA=="',
    ),
    *(
        b"[]",
        b"{}",
        b"[0]",
        b"[1]",
        b"[[]]",
        b"[1,2,3,4]",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b'{"a":1}',
        b'{"a":1,}',
    ),
    *(
        b"{a:1}",
        b'{"a"}',
        b'{"a":1 "b":2}',
        b'[""]',
        b"[null]",
        b"[{}]",
        b"[2,2,1]",
        b"[0,4294967295,4294967295]",
    ),
)
BLANKS = (b" ", b"\t", b"\n", b"\r", b"\r\n", b"\x0b", b"\x0c", b"\xc2\xa0", b"\xc2\x85", b"\xe2\x80\xa8")
BLANKS += (b"\xef\xbb\xbf", b"\0", b"\x1f", b"/**/", b"//x\n", b",", b"#x\n")
NAMES = (
    b"__proto__",
    b"constructor",
    b"toString",
    b"hasOwnProperty",
    b"length",
    b"carrier",
    b"comfyui",
    b"tags",
)
NAMES += (
    b"environment",
    b"capture",
    b"resources",
    b"gen5_metadata",
    b"extra",
    b"part",
    b"key",
    b"shape",
    b"prompt",
)
NAMES += (
    b"value_dtype",
    b"orig_dtype",
    b"stored_sha256",
    b"original",
    b"trailer",
    b"index",
    b"root",
    b"version",
)
DEPTHS = (1, 2, 190, 199, 200, 201, *range(492, 503), 900, 990, 2000, 20_000)


def mutate_text(text: bytes, rng: random.Random) -> bytes:
    """Return a JSON text with one to three changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        tokens = TOKEN.findall(text)
        if not tokens:
            return text
        text = b"".join(rng.choice(_CHANGES)(tokens, rng))
    return text


def _replace(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    start = rng.choice(_values(tokens))
    return [*tokens[:start], rng.choice(ODD_VALUES), *tokens[end_of(tokens, start) :]]


def _copy(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    """Put a value of the text in the place of another one of its kind, so that many changed files are still read."""
    values = _values(tokens)
    start = rng.choice(values)
    alike = [other for other in values if _kind(tokens[other]) == _kind(tokens[start])]
    other = rng.choice(alike)
    copied = tokens[other : end_of(tokens, other)]
    return [*tokens[:start], *copied, *tokens[end_of(tokens, start) :]]


def _kind(token: bytes) -> bytes:
    return b"0" if token[:1].isdigit() or token[:1] == b"-" else token[:1]


def _nest(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    start, depth = rng.choice(_values(tokens)), rng.choice(DEPTHS)
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    inner = rng.choice((b"0", b"[]", b"{}", b""))
    nested = opening * depth + (inner or b"0" * (opening != b"[")) + closing * depth
    return [*tokens[:start], nested, *tokens[end_of(tokens, start) :]]


def _insert_blank(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    position = rng.choice((0, len(tokens), rng.randrange(len(tokens))))
    return [*tokens[:position], rng.choice(BLANKS), *tokens[position:]]


def _add_member(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    """Add a member to an object: a name of the format or of JavaScript, or one that is there already."""
    starts = [position for position, token in enumerate(tokens) if token == b"{"]
    if not starts:
        return tokens
    start = rng.choice((starts[0], rng.choice(starts)))
    end = end_of(tokens, start) - 1
    value = rng.choice(ODD_VALUES)
    if rng.random() < 0.3:
        copied = rng.choice(_values(tokens))
        value = b"".join(tokens[copied : end_of(tokens, copied)])
    member = b'"%s":%s' % (_spelt(rng.choice(NAMES), rng), value)
    if tokens[start + 1 : start + 2] == [b"}"]:
        return [*tokens[: start + 1], member, *tokens[start + 1 :]]
    if rng.random() < 0.5:
        return [*tokens[: start + 1], member, b",", *tokens[start + 1 :]]
    return [*tokens[:end], b",", member, *tokens[end:]]


def _repeat_member(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    """Write a member of an object twice, now and then with 1 as 1.0 or true in one of them."""
    colons = [position for position, token in enumerate(tokens) if token == b":" and position]
    if not colons:
        return tokens
    colon = rng.choice((colons[0], rng.choice(colons)))
    end = end_of(tokens, colon + 1)
    member = tokens[colon - 1 : end]
    if rng.random() < 0.5:
        swaps = ((b"1", b"1.0"), (b"1", b"true"), (b"0", b"false"), (b"0", b"-0"), (b"true", b"1"))
        before, after = rng.choice(swaps)
        member = [after if token == before else token for token in member]
    if rng.random() < 0.3:
        member[0] = _spelt(member[0], rng)
    closing = len(tokens) - 1 if colon == colons[0] else end
    if rng.random() < 0.5:
        return [*tokens[: colon - 1], *member, b",", *tokens[colon - 1 :]]
    return [*tokens[:closing], b",", *member, *tokens[closing:]]


def _spell_name(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    names = [position for position, token in enumerate(tokens[:-1]) if tokens[position + 1] == b":"]
    if not names:
        return tokens
    position = rng.choice(names)
    return [*tokens[:position], _spelt(tokens[position], rng), *tokens[position + 1 :]]


def _drop(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    position = rng.randrange(len(tokens))
    return tokens[:position] + tokens[position + 1 :]


def _change_byte(tokens: list[bytes], rng: random.Random) -> list[bytes]:
    text = bytearray(b"".join(tokens))
    position = rng.randrange(len(text))
    text[position : position + rng.choice((0, 1, 1))] = rng.randbytes(rng.choice((0, 1, 1)))
    return [bytes(text)]


_CHANGES = (_replace, _replace, _replace, _copy, _copy, _copy, _nest, _insert_blank, _add_member, _add_member)
_CHANGES += (_repeat_member, _spell_name, _drop, _change_byte)


def _spelt(name: bytes, rng: random.Random) -> bytes:
    """Return a name with one ASCII letter as an escape."""
    letters = [position for position, byte in enumerate(name) if byte not in b'"\\' and byte < 128]
    if not letters or rng.random() < 0.5:
        return name
    position = rng.choice(letters)
    code = b"\\u%04x" % name[position]
    return (
        name[:position]
        + (code.upper().replace(b"\\U", b"\\u") if rng.random() < 0.5 else code)
        + name[position + 1 :]
    )


def _values(tokens: list[bytes]) -> list[int]:
    """Return where values start: after a colon, in a list, or the whole text."""
    return [
        position
        for position, token in enumerate(tokens)
        if token not in (b"]", b"}", b":", b",") and tokens[position + 1 : position + 2] != [b":"]
    ] or [0]


def end_of(tokens: list[bytes], start: int) -> int:
    """Return the position after the value that starts at a token."""
    depth = 0
    for position in range(start, len(tokens)):
        depth += (tokens[position] in (b"[", b"{")) - (tokens[position] in (b"]", b"}"))
        if depth <= 0:
            return position + 1
    return len(tokens)

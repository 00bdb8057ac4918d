"""Payloads that do not match their row, raw and compressed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import forge
from forge import Chunk

from .cases import CHECKSUM, LIMIT, MALFORMED, MIB, NOISE, PACKED, Case

_CONTENT = forge.frame("LATN", "F16", PACKED.payload)
_INTACT = forge.zstd_frame(_CONTENT)


def payload_cases() -> Iterator[Case]:
    """Yield cases of raw chunks, then of zstd frames: digests, content, sizes."""
    yield from _raw_cases()
    yield from _digest_cases()
    yield from _frame_cases()
    yield from _size_cases()


def _raw_cases() -> Iterator[Case]:
    noise = forge.frame("LATN", "F32", NOISE.payload)
    for minor in (0, 1):
        yield Case(
            CHECKSUM,
            f"payload_1.{minor}",
            r"SHA-256 of the payload is",
            _raw(forge.flipped(noise, 15, 1), minor=minor),
        )
    for why, position, header in (("type", 3, "LATO"), ("flags", 4, "LATNG32"), ("size", 8, "LATNF32")):
        data = _raw(forge.flipped(noise, position, 1))
        yield Case(
            MALFORMED, f"raw_frame_{why}", rf"its frame header is b'{header}.*, the table says b'LATN", data
        )


def _digest_cases() -> Iterator[Case]:
    hidden = forge.zstd_frame(forge.flipped(_CONTENT, 15, 1))
    yield Case(CHECKSUM, "payload_compressed", r"SHA-256 of the payload is", _stored(hidden))
    other = {"extra": {**PACKED.extra, "stored_sha256": "0" * 64}}
    yield Case(
        CHECKSUM,
        "stored_bytes",
        r"SHA-256 of the stored bytes is [0-9a-f]{64}, the table says 0{64}",
        _stored(_INTACT, **other),
    )
    honest = {"extra": {**PACKED.extra, "stored_sha256": forge.sha256(_INTACT)}}
    yield Case(
        CHECKSUM,
        "stored_bytes_decode_alike",
        r"SHA-256 of the stored bytes is",
        _stored(forge.zstd_frame(_CONTENT, checksum=False, has_size=False), **honest),
    )


def _frame_cases() -> Iterator[Case]:
    yield Case(
        MALFORMED,
        "compressed_frame_flags",
        r"its frame header is b'LATNF32",
        _stored(forge.zstd_frame(b"LATNF32\0" + _CONTENT[8:])),
    )
    yield Case(MALFORMED, "compressed_not_zstd", r"is not a zstd frame", _stored(_CONTENT))
    yield Case(
        MALFORMED, "compressed_then_bytes", r"is not exactly one zstd frame", _stored(_INTACT + b"\0\0")
    )
    yield Case(MALFORMED, "compressed_twice", r"is not exactly one zstd frame", _stored(_INTACT + _INTACT))
    yield Case(MALFORMED, "compressed_cut", r"is not exactly one zstd frame", _stored(_INTACT[:-6]))


def _size_cases() -> Iterator[Case]:
    yield Case(
        MALFORMED,
        "compressed_size_differs",
        r"its zstd frame holds 75 bytes, the table says 76",
        _stored(forge.zstd_frame(_CONTENT[:-1])),
    )
    unsized = forge.zstd_frame(_CONTENT[:-1], has_size=False)
    yield Case(
        MALFORMED,
        "compressed_size_undeclared",
        r"its zstd frame holds 75 bytes, the table says 76",
        _stored(unsized),
    )
    yield Case(
        MALFORMED,
        "compressed_size_false",
        r"is not exactly one zstd frame",
        _stored(forge.zstd_frame(_CONTENT + bytes(99), declared=76)),
    )
    bomb = forge.zstd_runs((_CONTENT, 1), (b"\0", 32 * MIB), declared=-1)
    yield Case(MALFORMED, "compressed_bomb_undeclared", r"is not exactly one zstd frame", _stored(bomb))
    window = forge.zstd_head(None, window=30) + _INTACT[13:]
    yield Case(
        LIMIT,
        "compressed_window",
        r"needs a window of 1073741824 bytes, the limit is 134217728",
        _stored(window),
    )
    yield Case(
        MALFORMED,
        "compressed_dictionary",
        r"needs dictionary 9; the format has none",
        _stored(forge.zstd_head(76, dictionary=9) + _INTACT[13:]),
    )
    yield Case(
        LIMIT, "compressed_bomb", r"inflates to 4294967292 bytes, the limit is 1073741824", _large_latent()
    )


def _raw(data: bytes, **how: Any) -> bytes:
    return forge.build([Chunk("LATN", "F32", NOISE.payload, NOISE.extra, False, data)], **how)


def _stored(data: bytes, **row: Any) -> bytes:
    return forge.build([Chunk("LATN", "F16", PACKED.payload, PACKED.extra, True, data, row)])


def _large_latent() -> bytes:
    """Return a file whose compressed latent claims almost 4 GiB in both its row and its frame."""
    size = 2**32 - 16
    content = forge.frame("LATN", "F16", bytes(64), size=size)
    stored = forge.zstd_head(size + 12, window=17) + forge.zstd_frame(content, checksum=False)[13:]
    extra = {"shape": [size // 2], "key": "a", "stored_sha256": forge.sha256(stored)}
    row = {"uncompressed_size": size, "extra": extra}
    return forge.build([Chunk("LATN", "F16", b"", compressed=True, stored=stored, row=row)])

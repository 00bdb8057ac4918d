"""META that is not a zstd frame, has a false size, or lacks the frame header inside."""

from __future__ import annotations

from collections.abc import Iterator

import forge

from .cases import LIMIT, MALFORMED, MIB, NOISE, Case

_INTACT = forge.meta_of(forge.build([NOISE]))
_CONTENT = forge.frame("META", "0000", b'{"gen5_metadata":{"chunks":[]}}')


def meta_frame_cases() -> Iterator[Case]:
    """Yield the cases from the outer frame to the inner one."""
    yield from _frames()
    yield from _sizes()
    yield from _contents()


def _frames() -> Iterator[Case]:
    yield Case(MALFORMED, "meta_not_zstd", r"META at offset 60: is not a zstd frame", _build(_CONTENT))
    yield Case(MALFORMED, "meta_zstd_cut", r"is not exactly one zstd frame", _build(_INTACT[:-5]))
    yield Case(MALFORMED, "meta_zstd_twice", r"is not exactly one zstd frame", _build(_INTACT + _INTACT))
    yield Case(MALFORMED, "meta_zstd_then_bytes", r"is not exactly one zstd frame", _build(_INTACT + b"\0"))
    yield Case(
        MALFORMED,
        "meta_zstd_checksum",
        r"is not exactly one zstd frame",
        _build(forge.flipped(_INTACT, len(_INTACT) - 1, 1)),
    )
    yield Case(
        MALFORMED,
        "meta_skippable_frame",
        r"META at offset 60: its frame header is b''|is not",
        _build(bytes.fromhex("502a4d1808000000") + bytes(8)),
    )
    yield Case(
        MALFORMED,
        "meta_dictionary",
        r"needs dictionary 7; the format has none",
        _build(forge.zstd_head(100, dictionary=7) + _INTACT[13:]),
    )


def _sizes() -> Iterator[Case]:
    yield Case(LIMIT, "meta_bomb", r"inflates to 134217728 bytes, the limit is 67108864", _zeros(128 * MIB))
    yield Case(LIMIT, "meta_bomb_by_a_byte", r"inflates to 67108865 bytes", _zeros(64 * MIB + 1))
    yield Case(
        LIMIT,
        "meta_declares_an_exbibyte",
        r"needs a window of 1152921504606846976 bytes|inflates to",
        _build(forge.zstd_frame(_CONTENT, declared=2**60, checksum=False)),
    )
    yield Case(MALFORMED, "meta_bomb_without_a_size", r"is not exactly one zstd frame", _zeros(128 * MIB, -1))
    yield Case(
        MALFORMED, "meta_bomb_of_claimed_1_kib", r"is not exactly one zstd frame", _zeros(80 * MIB, 1024)
    )
    yield Case(
        MALFORMED,
        "meta_size_too_large",
        r"is not exactly one zstd frame",
        _build(forge.zstd_frame(_CONTENT, declared=len(_CONTENT) + 1)),
    )
    yield Case(
        LIMIT,
        "meta_window",
        r"needs a window of 268435456 bytes, the limit is 134217728",
        _build(forge.zstd_head(None, window=28) + _INTACT[13:]),
    )


def _contents() -> Iterator[Case]:
    yield Case(
        MALFORMED,
        "meta_frame_type",
        r"its frame header is b'ATEM0000.*, not b'META0000",
        _build(forge.zstd_frame(b"ATEM" + _CONTENT[4:])),
    )
    yield Case(
        MALFORMED,
        "meta_frame_flags",
        r"its frame header is b'META0001",
        _build(forge.zstd_frame(b"META0001" + _CONTENT[8:])),
    )
    yield Case(
        MALFORMED, "meta_frame_size", r"its frame header is", _build(forge.zstd_frame(_CONTENT + b" "))
    )
    yield Case(MALFORMED, "meta_frame_cut", r"its frame header is b'META'", _build(forge.zstd_frame(b"META")))


def _build(meta: bytes) -> bytes:
    return forge.build([NOISE], meta=meta)


def _zeros(size: int, declared: int | None = None) -> bytes:
    return _build(forge.zstd_runs((_CONTENT[:12], 1), (b" ", size - 12), declared=declared))

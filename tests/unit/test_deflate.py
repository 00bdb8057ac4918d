"""Pixel streams: the same bytes on every machine and with any number of threads."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gen5core
from gen5core.images import deflate as deflate_module
from gen5core.images.deflate import PIECE_BYTES, deflate, store

FULL = 65535


def blocks(stream: bytes) -> list[int]:
    """Return the sizes of the stored blocks of a zlib stream, read without this package."""
    sizes, position = [], 2
    while True:
        last, size, inverse = struct.unpack_from("<BHH", stream, position)
        assert size ^ inverse == FULL
        sizes.append(size)
        position += 5 + size
        if last:
            assert position + 4 == len(stream)
            return sizes


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, [0]),
        (1, [1]),
        (FULL, [FULL]),
        (FULL + 1, [FULL, 1]),
        (2 * FULL, [FULL, FULL]),
        (400_000, [FULL] * 6 + [6790]),
    ],
)
def test_all_stored_blocks_except_the_last_are_full(size: int, expected: list[int]) -> None:
    """The ends of blocks are fixed, so that a stream inflated and stored again has the same bytes."""
    data = np.random.default_rng(1).bytes(size)
    stream = store(memoryview(data))
    assert (expected, data, b"\x78\x01") == (blocks(stream), zlib.decompress(stream), stream[:2])


def test_pixels_in_a_container_are_stored_in_that_form() -> None:
    """The PNG in a .gen5 has full blocks, also at a size at which zlib's own level 0 ends them elsewhere."""
    png = gen5core.encode_image(np.zeros((300, 500, 3), np.uint8))
    start = png.index(b"IDAT") + 4
    assert blocks(png[start : start + int.from_bytes(png[start - 8 : start - 4], "big")]) == [FULL] * 6 + [
        57090
    ]


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """The bytes do not depend on the number of processors."""
    data = memoryview(np.random.default_rng(1).bytes(3 * PIECE_BYTES + 5))
    monkeypatch.setattr(deflate_module, "MAX_THREADS", 1)
    expected = deflate(data)
    monkeypatch.setattr(deflate_module, "MAX_THREADS", 64)
    monkeypatch.setattr(os, "cpu_count", lambda: threads)
    assert deflate(data) == expected


@given(st.binary(max_size=200), st.integers(0, 3000))
def test_any_bytes_come_back(data: bytes, times: int) -> None:
    """zlib inflates stored and deflated streams to the original bytes."""
    whole = data * times
    assert whole == zlib.decompress(store(memoryview(whole))) == zlib.decompress(deflate(memoryview(whole)))


def test_without_isal_zlib_deflates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ISA-L the stream differs, and inflates to the same bytes."""
    pytest.importorskip("isal", reason="the package isal is not installed")
    data = memoryview(np.random.default_rng(1).integers(0, 9, 2 * PIECE_BYTES + 5, np.uint8).tobytes())
    fast = deflate(data)
    monkeypatch.setattr(deflate_module, "isal_zlib", None)
    slow = deflate(data)
    assert fast != slow
    assert zlib.decompress(fast) == zlib.decompress(slow) == data

"""The pixel stream of a PNG, deflated in pieces in parallel, or stored.

ISA-L (the package ``isal``) deflates: at its level 1 it is several times faster than zlib, and its output is as
small on filtered pixels. Without it, zlib looks for runs only (``Z_RLE``), which suits such data. The compressed
bytes differ between the two; a file depends only on what they inflate to, and on the digest of the PNG.

Source: RFC 1950, RFC 1951; zlib's manual, ``deflateInit2`` and ``deflate`` (flush values).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

try:
    from isal import isal_zlib
except ImportError:  # no wheel for this machine
    isal_zlib = None  # type: ignore[assignment]
PIECE_BYTES: Final = 2**18
"""Fixed, so that the bytes do not depend on the number of processors."""
MAX_THREADS: Final = 8
"""More than ``files.threads`` uses: deflating is bound by the processor, not by disk or memory."""
STORED_BYTES: Final = 2**16 - 1
"""The largest stored block (RFC 1951, 3.2.4)."""
_HEADER: Final = b"\x78\x01"
"""Deflate, a window of 32 KiB, the fastest level (RFC 1950, 2.2)."""
_STORED: Final = struct.Struct("<BHH")
_RAW: Final = -zlib.MAX_WBITS
_MEMORY_LEVEL: Final = 9


def deflate(data: memoryview) -> bytes:
    """Return data as one zlib stream."""
    return b"".join(iter_deflated(data))


def iter_deflated(data: memoryview) -> Iterator[bytes]:
    """Yield one zlib stream of data part by part, in order, while worker threads compress the following parts."""
    parts = [data[start : start + PIECE_BYTES] for start in range(0, max(data.nbytes, 1), PIECE_BYTES)]
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, MAX_THREADS), thread_name_prefix="gen5-deflate")
    try:
        pieces = [pool.submit(partial(_deflate_piece, part, is_last=part is parts[-1])) for part in parts]
        checksum = pool.submit(zlib.adler32, data)
        start = _HEADER
        for piece in pieces[:-1]:
            yield start + piece.result()
            start = b""
        yield start + pieces[-1].result() + struct.pack(">I", checksum.result())
    finally:
        pool.shutdown(cancel_futures=True)


def store(data: memoryview) -> bytes:
    """Return data as one zlib stream of stored blocks, all of them full except the last.

    zlib's own level 0 ends blocks where its caller's buffers end, which differs between versions of Python, and
    the stream must come out the same on every machine.
    """
    last = max(data.nbytes - 1, 0) // STORED_BYTES
    parts: list[bytes | memoryview] = [_HEADER]
    for number in range(last + 1):
        block = data[number * STORED_BYTES : (number + 1) * STORED_BYTES]
        parts += [_STORED.pack(number == last, block.nbytes, STORED_BYTES - block.nbytes), block]
    return b"".join([*parts, struct.pack(">I", zlib.adler32(data))])


def _deflate_piece(part: memoryview, *, is_last: bool) -> bytes:
    # A full flush ends a piece on a byte and refers to nothing before it, so that pieces can be joined.
    if isal_zlib is None:
        encoder = zlib.compressobj(1, zlib.DEFLATED, _RAW, _MEMORY_LEVEL, zlib.Z_RLE)
    else:
        encoder = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _RAW)
    return encoder.compress(part) + encoder.flush(zlib.Z_FINISH if is_last else zlib.Z_FULL_FLUSH)

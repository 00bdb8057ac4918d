"""The pixel stream of a PNG, deflated at once and in pieces side by side.

Runs of equal bytes are all that is looked for (``Z_RLE``): filtered pixels of a picture have little else that
repeats, so the result is smaller than level 1 gives and is there sooner. Pieces are of a fixed size, so the
bytes do not depend on the number of processors.

Source: RFC 1950, RFC 1951; zlib's manual, ``deflateInit2`` and ``deflate`` (flush values).
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import Final

from .threads import run_each

PIECE_BYTES: Final = 2**18
MAX_THREADS: Final = 8
"""Deflating takes long enough that more of them help than of what waits for memory."""
_HEADER: Final = b"\x78\x01"
"""Deflate, a window of 32 KiB, the fastest level (RFC 1950, 2.2)."""
_RAW: Final = -zlib.MAX_WBITS
_MEMORY_LEVEL: Final = 9


def deflate(data: memoryview) -> bytes:
    """Return data as one zlib stream."""
    starts = range(0, max(data.nbytes, 1), PIECE_BYTES)
    threads = min(os.cpu_count() or 1, MAX_THREADS)
    pieces = run_each(lambda start: _piece(data, start), starts, threads)
    return b"".join([_HEADER, *pieces, struct.pack(">I", zlib.adler32(data))])


def store(data: memoryview) -> bytes:
    """Return data as one zlib stream of stored blocks, as ``encode_image`` writes it by default."""
    return zlib.compress(data, 0)


def _piece(data: memoryview, start: int) -> bytes:
    encoder = zlib.compressobj(1, zlib.DEFLATED, _RAW, _MEMORY_LEVEL, zlib.Z_RLE)
    is_last = start + PIECE_BYTES >= data.nbytes
    return encoder.compress(data[start : start + PIECE_BYTES]) + encoder.flush(
        zlib.Z_FINISH if is_last else zlib.Z_FULL_FLUSH
    )

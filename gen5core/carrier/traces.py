"""What shows that a damaged PNG carried a record: the marker at its start, or the record itself.

The bytes of a file are searched only if it cannot be read as a PNG. Sound PNGs are judged by their chunks, so that no
text in one, such as a prompt, makes a carrier of it.

Source: FORMAT.md, "PNG carrier".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..container import spec
from ..container.copy import BLOCK_BYTES
from ..container.source import Source
from ..images.png_chunks import FRAME_BYTES, PNG_SIGNATURE, PngChunk, Span, encode_chunk

MARKER: Final[PngChunk] = (b"tEXt", b"Gen5\0record in gfVE")
"""The chunk after the IHDR of a PNG that carries a record: ``gfVE`` is at the end, where a cut takes it first."""
MARKER_END: Final = len(PNG_SIGNATURE) + FRAME_BYTES + 13 + FRAME_BYTES + len(MARKER[1])
"""Offset of the end of that chunk. The smallest possible PNG is larger."""
_MAGIC_AND_MAJOR: Final = spec.MAGIC + bytes([spec.VERSION.major])
_LITERALS: Final = (b"".join(MARKER), spec.CARRIER + _MAGIC_AND_MAJOR)
"""Neither can be part of a text that someone typed: both contain a control character."""
_CUT_START: Final = re.compile(rb"[\0-\x1f].{3}gfVE(|G|GE|GEN|GEN5)\Z", re.DOTALL)
"""How a file ends that was cut at the start of a record: a length below 2**29, which no text is, and the type."""
_HEADER_START: Final = re.compile(re.escape(_MAGIC_AND_MAJOR) + rb".[\x01\x03]\0", re.DOTALL)
"""Magic, version 1 and the flags of a sealed record, without or with a trailer."""
_HEADER_START_BYTES: Final = len(_MAGIC_AND_MAJOR) + 3
_OVERLAP: Final = max(*map(len, _LITERALS), _HEADER_START_BYTES) - 1
_MAX_SEARCHED_BYTES: Final = spec.MAX_INFLATED_BYTES
"""As much as a PNG may take without its record, after which the record begins."""


def without_marker(png: bytes) -> bytes:
    """Return a picture without the marker after its IHDR, for a copy that carries no record."""
    marker = encode_chunk(*MARKER)
    start = MARKER_END - len(marker)
    return png[:start] + png[MARKER_END:] if png.startswith(marker, start) else png


def has_trace(source: Source) -> bool:
    """Return whether the bytes of a file contain the marker or the start of a record, even a cut one."""
    size_bytes = min(source.size_bytes, _MAX_SEARCHED_BYTES)
    tail = b""
    for offset in range(0, size_bytes, BLOCK_BYTES):
        block = tail + source.read(offset, min(BLOCK_BYTES, size_bytes - offset), chunk="the PNG")
        if any(literal in block for literal in _LITERALS) or _HEADER_START.search(block):
            return True
        tail = block[-_OVERLAP:]
    return _CUT_START.search(tail) is not None


def has_span_trace(source: Source, spans: Iterable[Span]) -> bool:
    """Return whether one of these chunks is the marker, or holds a record under another type."""
    for span in spans:
        head = b"" if span.type == b"IDAT" else _head(source, span)
        if (span.type, head) == MARKER or _HEADER_START.match(head):
            return True
    return False


def has_marker(source: Source, spans: Iterable[Span]) -> bool:
    """Return whether one of these chunks is the marker."""
    return any((span.type, _head(source, span)) == MARKER for span in spans if span.type == MARKER[0])


def is_cut_early(source: Source) -> bool:
    """Return whether a file ends where any PNG, with or without a record, has only begun: nothing shows which.

    An empty file has not begun.
    """
    if not 0 < source.size_bytes < MARKER_END:
        return False
    start = source.read(0, min(source.size_bytes, len(PNG_SIGNATURE)), chunk="the PNG")
    return PNG_SIGNATURE.startswith(start)


def is_named_png(source: Source) -> bool:
    """Return whether the name of a file says that it is a PNG."""
    return str(source.path).lower().endswith(".png")


def _head(source: Source, span: Span) -> bytes:
    """Return the first bytes of a chunk's data, one more than those of the marker."""
    return source.read(span.data_offset, min(span.size_bytes, len(MARKER[1]) + 1), chunk="the PNG")

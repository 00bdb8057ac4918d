"""An encoded image -> the same pixels without what may identify a person; nothing is decoded.

Only the parts that a decoder needs for the pixels are known to be harmless and stay, plus the texts of the prompt
graph and of A1111's parameters, without the folders of their paths. Everything else is dropped.

Source: PNG third edition, 4.8 and 11; ITU-T T.81 (JPEG), B.1; RFC 9649 (WebP).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..carrier.traces import MARKER
from ..errors import EncodeError
from ..images import codec as image_codec
from ..images import png_chunks

KEPT_TEXTS: Final = ("prompt", "parameters", "Software")
_PNG_KEPT: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT "
    b"acTL fcTL fdAT".split()
)
_JPEG_STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD8)))
_JPEG_METADATA: Final = frozenset((*range(0xE0, 0xF0), 0xFE))
"""APPn and COM, the segments for metadata."""
_JPEG_KEPT: Final = {
    0xE0: re.compile(rb"JFIF\0.{7}\0\0", re.DOTALL),
    0xE2: re.compile(rb"ICC_PROFILE\0"),
    0xEE: re.compile(rb"Adobe"),
}
"""First bytes of segments that affect colours: JFIF without a thumbnail, a colour profile, Adobe's colour transform."""
_JPEG_SCAN: Final = 0xDA
_JPEG_END: Final = 0xD9
_WEBP_KEPT: Final = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_WEBP_FLAGS: Final = 0x0C
"""Bits of VP8X that announce EXIF and XMP."""
Scrub = Callable[[Any, str], Any]
"""A JSON value and its name in messages -> the value without the folders of its paths."""
Dropped = list[str]


def scrub_image(data: bytes, where: str, scrub: Scrub, dropped: Dropped) -> bytes:
    """Return an encoded image (PNG, JPEG or WebP) with the same pixels and without private data.

    Parameters
    ----------
    where : name of the image, e.g. ``images[0]``
    scrub : applied to the texts that are kept
    dropped : gets one line for each item that is dropped

    Raises
    ------
    EncodeError, LimitError
        if the image is damaged or incomplete, or has texts that inflate to too much.
    """
    kind = image_codec.image_info(data).format
    return _SCRUBBERS[kind](data, where, scrub, dropped)


def _scrub_png(data: bytes, where: str, scrub: Scrub, dropped: Dropped) -> bytes:
    kept: list[png_chunks.PngChunk] = []
    chunks = list(png_chunks.iter_chunks(data))
    for kind, content in chunks:
        if kind in _PNG_KEPT:
            kept.append((kind, content))
        elif (kind, content) == MARKER:
            continue  # of a PNG that carried a record; it identifies no one, and the copy carries none
        elif kind in png_chunks.TEXT_CHUNKS:
            kept += _scrub_text(kind, content, where, scrub, dropped)
        else:
            dropped.append(f"{where}: PNG chunk {_format_type(kind)}")
    if trailing_bytes := len(data) - png_chunks.joined_bytes(chunks):
        dropped.append(f"{where}: {trailing_bytes} bytes after the end of the PNG")
    return png_chunks.join_chunks(kept)


def _scrub_text(
    kind: bytes, content: bytes, where: str, scrub: Scrub, dropped: Dropped
) -> Iterator[png_chunks.PngChunk]:
    keyword, text = png_chunks.decode_text(kind, content)
    if keyword not in KEPT_TEXTS:
        dropped.append(f"{where}: PNG text {keyword!r}")
        return
    yield png_chunks.encode_text(keyword, _scrub_json_text(text, f"{where}.{keyword}", scrub))


def _scrub_json_text(text: str, where: str, scrub: Scrub) -> str:
    """Return text scrubbed value by value if it is JSON, else as one string."""
    try:
        value = json.loads(text)  # not strict_json: ComfyUI writes NaN into some of its graphs
    except (ValueError, RecursionError):
        return str(scrub(text, where))
    cleaned = scrub(value, where)
    return text if cleaned == value else json.dumps(cleaned)


def _scrub_jpeg(data: bytes, where: str, scrub: Scrub, dropped: Dropped) -> bytes:
    kept, end = [b"\xff\xd8"], 2
    for marker, start, end in _iter_jpeg(data):
        if marker in _JPEG_METADATA and not _affects_colours(marker, data[start:end]):
            name = "COM" if marker == 0xFE else f"APP{marker - 0xE0}"
            dropped.append(f"{where}: JPEG segment {name}")
        else:
            kept.append(data[start:end])
    if end < len(data):
        dropped.append(f"{where}: {len(data) - end} bytes after the end of the JPEG")
    return b"".join(kept)


def _affects_colours(marker: int, segment: bytes) -> bool:
    payload = segment.lstrip(b"\xff")[3:]  # after the marker and the length
    return marker in _JPEG_KEPT and _JPEG_KEPT[marker].match(payload) is not None


def _iter_jpeg(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment; the segment of a scan includes its coded data."""
    position, marker = 2, 0
    while marker != _JPEG_END:
        start = position
        while data[position : position + 2] == b"\xff\xff":
            position += 1
        if len(data) < position + 2 or data[position] != 0xFF:
            raise EncodeError(f"the JPEG is damaged at offset {position} of {len(data)}; take another copy")
        marker, position = data[position + 1], position + 2
        if marker != _JPEG_END and marker not in _JPEG_STANDALONE:
            position += max(int.from_bytes(data[position : position + 2], "big"), 2)
        if marker == _JPEG_SCAN:
            position = _jpeg_scan_end(data, position)
        yield marker, start, position


def _jpeg_scan_end(data: bytes, position: int) -> int:
    """Return where the coded data of a scan ends: at the first marker that is not a stuffed 0xFF or a restart."""
    while (position := data.find(b"\xff", position)) >= 0:
        following = data[position + 1 : position + 2]
        if following and following[0] != 0 and following[0] not in _JPEG_STANDALONE:
            return position
        position += 2
    return len(data)


def _scrub_webp(data: bytes, where: str, scrub: Scrub, dropped: Dropped) -> bytes:
    end = 8 + int.from_bytes(data[4:8], "little")
    kept = []
    for kind, content in _iter_webp(data[:end]):
        if kind not in _WEBP_KEPT:
            dropped.append(f"{where}: WebP chunk {_format_type(kind)}")
            continue
        if kind == b"VP8X":
            content = bytes([content[0] & ~_WEBP_FLAGS]) + content[1:]
        kept += [kind, len(content).to_bytes(4, "little"), content, b"\0" * (len(content) % 2)]
    if end < len(data):
        dropped.append(f"{where}: {len(data) - end} bytes after the end of the WebP")
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _iter_webp(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position < len(data):
        kind, size_bytes = (
            data[position : position + 4],
            int.from_bytes(data[position + 4 : position + 8], "little"),
        )
        start = position + 8
        if start + size_bytes > len(data) or not size_bytes:
            raise EncodeError(f"the WebP is cut at offset {position} of {len(data)}; take another copy")
        yield kind, data[start : start + size_bytes]
        position = start + size_bytes + size_bytes % 2


def _format_type(kind: bytes) -> str:
    return repr(kind.decode("latin-1").strip())


_SCRUBBERS: Final[dict[str, Callable[[bytes, str, Scrub, Dropped], bytes]]] = {
    "PNG": _scrub_png,
    "JPEG": _scrub_jpeg,
    "WEBP": _scrub_webp,
}

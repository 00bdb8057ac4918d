"""PNG bytes <-> their chunks and the texts in them; pixels are never decoded here.

ComfyUI keeps the graph of an image in its PNG as text: ``prompt`` and ``workflow``, both JSON.

Source: PNG third edition, sections 5.3 (layout), 11.3.3 (text) and 13.2 (errors).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from ..container import spec
from ..errors import EncodeError, LimitError
from . import png_chunks

TEXT_CHUNKS: Final = (b"tEXt", b"zTXt", b"iTXt")
MAX_TEXT_BYTES: Final = 64 * 2**20
"""One text, inflated: as much as META itself may take."""
_LENGTH: Final = struct.Struct(">I")
_FRAME_SIZE: Final = 12
"""Length, type and CRC around a chunk's data."""
PngChunk = tuple[bytes, bytes]
"""Type and data."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 13
"""What IHDR holds."""


def iter_chunks(png: bytes) -> Iterator[PngChunk]:
    """Yield the chunks of a PNG, IEND last; what follows IEND is not looked at.

    Raises
    ------
    EncodeError
        if it does not start as a PNG, a chunk is cut, or a CRC does not match.
    """
    if png[: len(PNG_SIGNATURE)] != PNG_SIGNATURE:
        raise EncodeError(f"image starts with {png[:8]!r}, a PNG with {PNG_SIGNATURE!r}")
    position, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        head = png[position : position + 8]
        end = position + _FRAME_SIZE + int.from_bytes(head[:4], "big")
        if len(head) < 8 or end > len(png):
            raise EncodeError(f"the PNG is cut at offset {position} of {len(png)}; take another copy")
        kind, data = head[4:], png[position + 8 : end - 4]
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(png[end - 4 : end], "big"):
            raise EncodeError(f"the PNG is damaged: its {kind!r} at offset {position} fails its CRC")
        yield kind, data
        position = end


def join_chunks(chunks: Iterable[PngChunk]) -> bytes:
    """Return a PNG of these chunks, in order."""
    parts = [PNG_SIGNATURE]
    for kind, data in chunks:
        crc = zlib.crc32(data, zlib.crc32(kind))
        parts += [_LENGTH.pack(len(data)), kind, data, _LENGTH.pack(crc)]
    return b"".join(parts)


def read_texts(png: bytes) -> dict[str, str]:
    """Return keyword -> text of a PNG; of several under one keyword, the first.

    Raises
    ------
    EncodeError
        if the PNG or a text in it is damaged.
    LimitError
        if the texts together inflate to more than 64 MiB.
    """
    texts: dict[str, str] = {}
    left = MAX_TEXT_BYTES
    for kind, data in iter_chunks(png):
        if kind in TEXT_CHUNKS:
            keyword, text = decode_text(kind, data, left)
            texts.setdefault(keyword, text)
            left -= len(text)
    return texts


def decode_text(kind: bytes, data: bytes, most_bytes: int = MAX_TEXT_BYTES) -> tuple[str, str]:
    """Return keyword and text of a tEXt, zTXt or iTXt chunk.

    Parameters
    ----------
    most_bytes : what the text may inflate to

    Raises
    ------
    EncodeError, LimitError
        as ``read_texts``.
    """
    keyword, _, rest = data.partition(b"\0")
    name = keyword.decode("latin-1")
    if kind == b"tEXt":
        return name, rest.decode("latin-1")
    if kind == b"zTXt":
        return name, _inflate(rest[1:], name, most_bytes).decode("latin-1")
    compressed, tail = rest[:1] == b"\1", rest[2:]
    _language, _, tail = tail.partition(b"\0")
    _translated, _, text = tail.partition(b"\0")
    return name, (_inflate(text, name, most_bytes) if compressed else text).decode("utf-8", "replace")


def encode_text(keyword: str, text: str) -> PngChunk:
    """Return a text as tEXt where Latin-1 holds it, else as iTXt, as ComfyUI writes its own.

    What UTF-8 cannot carry (half a surrogate pair) becomes a question mark.
    """
    key = keyword.encode("latin-1")
    try:
        return b"tEXt", key + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key + b"\0\0\0\0\0" + text.encode("utf-8", "replace")


def add_texts(png: bytes, texts: Mapping[str, str]) -> bytes:
    """Return the PNG with those texts before its pixels whose keyword it does not have yet.

    Raises
    ------
    EncodeError
        if the PNG is damaged.
    """
    present = {
        data.partition(b"\0")[0].decode("latin-1") for kind, data in iter_chunks(png) if kind in TEXT_CHUNKS
    }
    header, *rest = iter_chunks(png)
    new = [encode_text(name, text) for name, text in texts.items() if name not in present]
    return join_chunks([header, *new, *rest]) if new else png


def _inflate(data: bytes, keyword: str, most_bytes: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, max(most_bytes, 1))
    except zlib.error as error:
        raise EncodeError(
            f"the PNG's text {keyword!r:.80} is damaged ({error}); take another copy"
        ) from error
    if inflater.unconsumed_tail or len(text) > most_bytes:
        raise LimitError(
            f"the PNG's texts inflate to more than {MAX_TEXT_BYTES} bytes at {keyword!r:.80}: "
            "take them out of the image first"
        )
    return text


def png_chunk(kind: bytes, data: bytes) -> list[bytes]:
    """Return a PNG chunk in pieces: length, type, data, CRC."""
    crc = zlib.crc32(data, zlib.crc32(kind))
    return [struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)]


def text_chunk(keyword: str, value: str) -> list[bytes]:
    try:
        key = keyword.encode("latin-1")
    except UnicodeEncodeError as error:
        raise EncodeError(f"PNG keyword {keyword!r} is not Latin-1") from error
    if not 1 <= len(key) <= 79 or b"\0" in key:
        raise EncodeError(f"PNG keyword {keyword!r} is not 1 to 79 characters")
    try:
        return png_chunk(b"tEXt", key + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        return png_chunk(b"iTXt", key + b"\0\0\0\0\0" + value.encode("utf-8", "replace"))


def iter_png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the whole of each chunk; nothing of a PNG that is cut or followed by more."""
    position, found = len(PNG_SIGNATURE), []
    while png.startswith(PNG_SIGNATURE) and position + 12 <= len(png):
        (size,) = struct.unpack_from(">I", png, position)
        found.append((png[position + 4 : position + 8], png[position : position + 12 + size]))
        position += 12 + size
    if position == len(png):
        yield from found


def inflate_pixels(header: bytes, stream: bytes) -> bytes | None:
    """Return the scanlines of a PNG, None where stream is damaged or longer than IHDR, header, allows."""
    if len(header) != _HEADER_BYTES:
        return None
    width, height = struct.unpack_from(">II", header)
    if width * height > spec.Limits().image_pixels:
        return None
    # 16-bit RGBA takes eight bytes a pixel; Adam7 has less than two lines a row, each with its filter type.
    most_bytes = min(8 * width * height + 4 * height + 64, spec.MAX_INFLATED_BYTES)
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(stream, most_bytes)
    except zlib.error:
        return None
    return pixels if inflater.eof else None


def replace_stream(
    chunks: Sequence[png_chunks.PngChunk], encode: Callable[[memoryview], bytes]
) -> list[png_chunks.PngChunk]:
    """Return the chunks of a PNG with its pixel stream encoded anew, in one IDAT.

    Raises
    ------
    EncodeError
        if there is no whole pixel stream.
    """
    kinds = [kind for kind, _ in chunks]
    scanlines = None
    if b"IDAT" in kinds:
        stream = b"".join(data for kind, data in chunks if kind == b"IDAT")
        scanlines = inflate_pixels(chunks[0][1], stream)
    if scanlines is None:
        raise EncodeError("the PNG has no whole pixel stream; take another copy")
    first = kinds.index(b"IDAT")
    rest = [chunk for chunk in chunks[first:] if chunk[0] != b"IDAT"]
    return [*chunks[:first], (b"IDAT", encode(memoryview(scanlines))), *rest]

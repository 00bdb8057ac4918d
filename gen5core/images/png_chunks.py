"""PNG bytes <-> their chunks and the texts in them; pixels are never decoded here.

ComfyUI keeps the graph of an image in its PNG as text: ``prompt`` and ``workflow``, both JSON.

Source: PNG third edition, sections 5.3 (layout), 11.3.3 (text) and 13.2 (errors).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ..container import spec
from ..errors import EncodeError, LimitError

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
LENGTH_AND_TYPE: Final = struct.Struct(">I4s")
CRC: Final = struct.Struct(">I")
FRAME_BYTES: Final = LENGTH_AND_TYPE.size + CRC.size
"""Length, type and CRC around a chunk's data."""
TEXT_CHUNKS: Final = (b"tEXt", b"zTXt", b"iTXt")
MAX_TEXT_BYTES: Final = 64 * 2**20
"""One text, inflated: as much as META itself may take."""
_HEADER_BYTES: Final = 13
"""What IHDR holds."""
PngChunk = tuple[bytes, bytes]
"""Type and data."""
Read = Callable[[int, int], bytes]
"""An offset and a number of bytes -> these bytes."""


class Span(NamedTuple):
    """Where a chunk of a PNG lies: offset of its length, and how many bytes of data it has."""

    type: bytes
    offset: int
    size_bytes: int

    @property
    def data_offset(self) -> int:
        return self.offset + LENGTH_AND_TYPE.size

    @property
    def data_end(self) -> int:
        return self.offset + LENGTH_AND_TYPE.size + self.size_bytes

    @property
    def end(self) -> int:
        return self.offset + FRAME_BYTES + self.size_bytes


def iter_spans(size_bytes: int, read: Read) -> Iterator[Span]:
    """Yield where the chunks of a PNG lie, IEND last; 8 bytes of each are read, and nothing is checked.

    The last span of a PNG that is cut ends beyond it; its type is empty where not even a chunk without data fits.

    Parameters
    ----------
    size_bytes : size of what holds the PNG, which begins at offset 0 with its signature
    """
    offset, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND" and offset <= size_bytes:
        length, kind = 0, b""
        if offset + FRAME_BYTES <= size_bytes:
            length, kind = LENGTH_AND_TYPE.unpack(read(offset, LENGTH_AND_TYPE.size))
        yield Span(kind, offset, length)
        offset += FRAME_BYTES + length


def iter_chunks(png: bytes) -> Iterator[PngChunk]:
    """Yield the chunks of a PNG, IEND last; what follows IEND is not looked at.

    Raises
    ------
    EncodeError
        if it does not start as a PNG, a chunk is cut, or a CRC does not match.
    """
    if png[: len(PNG_SIGNATURE)] != PNG_SIGNATURE:
        raise EncodeError(f"image starts with {png[:8]!r}, a PNG with {PNG_SIGNATURE!r}")
    for span in iter_spans(len(png), lambda offset, size_bytes: png[offset : offset + size_bytes]):
        if (end := span.end) > len(png):
            raise EncodeError(f"the PNG is cut at offset {span.offset} of {len(png)}; take another copy")
        data = png[span.data_offset : end - CRC.size]
        if CRC.pack(zlib.crc32(data, zlib.crc32(span.type))) != png[end - CRC.size : end]:
            raise EncodeError(f"the PNG is damaged: its {span.type!r} at offset {span.offset} fails its CRC")
        yield span.type, data


def whole_chunks(png: bytes) -> list[PngChunk] | None:
    """Return the chunks of a PNG that is whole, starts with IHDR and has nothing behind IEND, else None."""
    try:
        chunks = list(iter_chunks(png))
    except EncodeError:
        return None
    return chunks if chunks[0][0] == b"IHDR" and joined_bytes(chunks) == len(png) else None


def chunk_crc(kind: bytes, blocks: Iterable[bytes]) -> int:
    """Return the CRC of a chunk whose data comes in blocks."""
    crc = zlib.crc32(kind)
    for block in blocks:
        crc = zlib.crc32(block, crc)
    return crc


def iter_encoded(kind: bytes, size_bytes: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a chunk in pieces, its data block by block as it comes.

    Parameters
    ----------
    size_bytes : of all blocks together
    """
    yield LENGTH_AND_TYPE.pack(size_bytes, kind)
    crc = zlib.crc32(kind)
    for block in blocks:
        crc = zlib.crc32(block, crc)
        yield block
    yield CRC.pack(crc)


def encode_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk: length, type, data, CRC."""
    return b"".join(iter_encoded(kind, len(data), [data]))


def join_chunks(chunks: Iterable[PngChunk]) -> bytes:
    """Return a PNG of these chunks, in order."""
    parts = [PNG_SIGNATURE]
    for kind, data in chunks:
        parts += iter_encoded(kind, len(data), [data])
    return b"".join(parts)


def joined_bytes(chunks: Iterable[PngChunk]) -> int:
    """Return the size of a PNG of these chunks."""
    return len(PNG_SIGNATURE) + sum(FRAME_BYTES + len(data) for _, data in chunks)


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

    Raises
    ------
    EncodeError
        if the keyword is not 1 to 79 Latin-1 characters.
    """
    try:
        key = keyword.encode("latin-1")
    except UnicodeEncodeError as error:
        raise EncodeError(f"PNG keyword {keyword!r} is not Latin-1") from error
    if not 1 <= len(key) <= 79 or b"\0" in key:
        raise EncodeError(f"PNG keyword {keyword!r} is not 1 to 79 characters")
    try:
        return b"tEXt", key + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key + b"\0\0\0\0\0" + text.encode("utf-8", "replace")


def missing_texts(chunks: Iterable[PngChunk], texts: Mapping[str, str]) -> list[PngChunk]:
    """Return those texts as chunks whose keyword a PNG of these chunks does not have yet."""
    present = {data.partition(b"\0")[0].decode("latin-1") for kind, data in chunks if kind in TEXT_CHUNKS}
    return [encode_text(name, text) for name, text in texts.items() if name not in present]


def add_texts(png: bytes, texts: Mapping[str, str]) -> bytes:
    """Return the PNG with those texts before its pixels whose keyword it does not have yet.

    Raises
    ------
    EncodeError
        if the PNG is damaged.
    """
    chunks = list(iter_chunks(png))
    new = missing_texts(chunks, texts)
    return join_chunks([chunks[0], *new, *chunks[1:]]) if new else png


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


def _inflate_pixels(header: bytes, stream: bytes) -> bytes | None:
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


def replace_stream(chunks: Sequence[PngChunk], encode: Callable[[memoryview], bytes]) -> list[PngChunk]:
    """Return the chunks of a PNG with its pixel stream re-encoded, in one IDAT.

    Raises
    ------
    EncodeError
        if there is no whole pixel stream.
    """
    kinds = [kind for kind, _ in chunks]
    scanlines = None
    if b"IDAT" in kinds:
        stream = b"".join(data for kind, data in chunks if kind == b"IDAT")
        scanlines = _inflate_pixels(chunks[0][1], stream)
    if scanlines is None:
        raise EncodeError("the PNG has no whole pixel stream; take another copy")
    first = kinds.index(b"IDAT")
    rest = [chunk for chunk in chunks[first:] if chunk[0] != b"IDAT"]
    return [*chunks[:first], (b"IDAT", encode(memoryview(scanlines))), *rest]

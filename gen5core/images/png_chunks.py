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
"""The most that all texts of a PNG may inflate to: as much as META."""
_SMALL_TEXT_BYTES: Final = 2**20
_HEADER_BYTES: Final = 13
"""Size of IHDR's data."""
PngChunk = tuple[bytes, bytes]
"""Type and data."""
Read = Callable[[int, int], bytes]
"""Offset and number of bytes -> those bytes."""


class Span(NamedTuple):
    """The position of a chunk in a PNG: the offset of its length field, and the size of its data."""

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
    """Yield the position of each chunk of a PNG up to IEND; only length and type are read, and nothing is checked.

    If the PNG is cut, the last span ends beyond it, and its type is empty if not even an empty chunk would fit.

    Parameters
    ----------
    size_bytes : size of the file, which begins with the PNG's signature
    """
    offset, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND" and offset <= size_bytes:
        length, kind = 0, b""
        if offset + FRAME_BYTES <= size_bytes:
            length, kind = LENGTH_AND_TYPE.unpack(read(offset, LENGTH_AND_TYPE.size))
        yield Span(kind, offset, length)
        offset += FRAME_BYTES + length


def iter_chunks(png: bytes) -> Iterator[PngChunk]:
    """Yield the chunks of a PNG up to IEND; bytes after IEND are ignored.

    Raises
    ------
    EncodeError
        if it does not start with PNG's signature, a chunk is cut, or a CRC does not match.
    """
    if png[: len(PNG_SIGNATURE)] != PNG_SIGNATURE:
        raise EncodeError(f"image starts with {png[:8]!r}, a PNG starts with {PNG_SIGNATURE!r}")
    for span in iter_spans(len(png), lambda offset, size_bytes: png[offset : offset + size_bytes]):
        if (end := span.end) > len(png):
            raise EncodeError(f"the PNG is cut at offset {span.offset} of {len(png)}; take another copy")
        data = png[span.data_offset : end - CRC.size]
        if CRC.pack(zlib.crc32(data, zlib.crc32(span.type))) != png[end - CRC.size : end]:
            raise EncodeError(
                f"the PNG is damaged: the CRC of {span.type!r} at offset {span.offset} does not match; "
                "take another copy"
            )
        yield span.type, data


def complete_chunks(png: bytes) -> list[PngChunk] | None:
    """Return the chunks of a PNG that is intact, starts with IHDR and ends with IEND, else None."""
    try:
        chunks = list(iter_chunks(png))
    except EncodeError:
        return None
    return chunks if chunks[0][0] == b"IHDR" and joined_bytes(chunks) == len(png) else None


def chunk_crc(kind: bytes, blocks: Iterable[bytes]) -> int:
    """Return the CRC of a chunk, its data given in blocks."""
    crc = zlib.crc32(kind)
    for block in blocks:
        crc = zlib.crc32(block, crc)
    return crc


def iter_encoded(kind: bytes, size_bytes: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield an encoded chunk in pieces, its data block by block.

    Parameters
    ----------
    size_bytes : total size of the blocks
    """
    yield LENGTH_AND_TYPE.pack(size_bytes, kind)
    crc = zlib.crc32(kind)
    for block in blocks:
        crc = zlib.crc32(block, crc)
        yield block
    yield CRC.pack(crc)


def encode_chunk(kind: bytes, data: bytes) -> bytes:
    """Return an encoded chunk: length, type, data, CRC."""
    return b"".join(iter_encoded(kind, len(data), [data]))


def join_chunks(chunks: Iterable[PngChunk]) -> bytes:
    """Return the PNG of these chunks."""
    parts = [PNG_SIGNATURE]
    for kind, data in chunks:
        parts += iter_encoded(kind, len(data), [data])
    return b"".join(parts)


def joined_bytes(chunks: Iterable[PngChunk]) -> int:
    """Return the size of the PNG of these chunks."""
    return len(PNG_SIGNATURE) + sum(FRAME_BYTES + len(data) for _, data in chunks)


def read_texts(png: bytes) -> dict[str, str]:
    """Return the texts of a PNG by keyword; if a keyword occurs more than once, its first text.

    Raises
    ------
    EncodeError
        if the PNG, or a text in it, is damaged.
    LimitError
        if all texts together inflate to more than 64 MiB.
    """
    texts: dict[str, str] = {}
    remaining = MAX_TEXT_BYTES
    for kind, data in iter_chunks(png):
        if kind in TEXT_CHUNKS:
            keyword, text = decode_text(kind, data, remaining)
            texts.setdefault(keyword, text)
            remaining -= len(text)
            if remaining < 0:
                raise _too_large(keyword)
    return texts


def without_large_texts(png: bytes) -> bytes:
    """Return a PNG without its texts if Pillow might refuse them: it inflates each to 1 MiB at most.

    A PNG that is cut is returned as it is.
    """
    if not any(kind in png for kind in TEXT_CHUNKS):
        return png
    spans = list(iter_spans(len(png), lambda offset, size_bytes: png[offset : offset + size_bytes]))
    texts = [span for span in spans if span.type in TEXT_CHUNKS]
    is_small = all(span.type == b"tEXt" for span in texts)
    if spans[-1].end > len(png) or (is_small and sum(span.size_bytes for span in texts) <= _SMALL_TEXT_BYTES):
        return png
    kept = (png[span.offset : span.end] for span in spans if span.type not in TEXT_CHUNKS)
    return b"".join([PNG_SIGNATURE, *kept, png[spans[-1].end :]])


def decode_text(kind: bytes, data: bytes, max_bytes: int = MAX_TEXT_BYTES) -> tuple[str, str]:
    """Return keyword and text of a tEXt, zTXt or iTXt chunk.

    Parameters
    ----------
    max_bytes : the most that the text may inflate to

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
        return name, _inflate(rest[1:], name, max_bytes).decode("latin-1")
    compressed, tail = rest[:1] == b"\1", rest[2:]
    _language, _, tail = tail.partition(b"\0")
    _translated, _, text = tail.partition(b"\0")
    return name, (_inflate(text, name, max_bytes) if compressed else text).decode("utf-8", "replace")


def encode_text(keyword: str, text: str) -> PngChunk:
    """Return a text as tEXt if it is Latin-1, else as iTXt, as ComfyUI writes its texts.

    Half a surrogate pair, which UTF-8 cannot encode, becomes a question mark.

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
        raise EncodeError(f"PNG keyword {keyword!r} must have 1 to 79 characters, none of them NUL")
    try:
        return b"tEXt", key + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key + b"\0\0\0\0\0" + text.encode("utf-8", "replace")


def missing_texts(chunks: Iterable[PngChunk], texts: Mapping[str, str]) -> list[PngChunk]:
    """Return the texts whose keyword the chunks do not have yet, as chunks."""
    present = {data.partition(b"\0")[0].decode("latin-1") for kind, data in chunks if kind in TEXT_CHUNKS}
    return [encode_text(name, text) for name, text in texts.items() if name not in present]


def add_texts(png: bytes, texts: Mapping[str, str]) -> bytes:
    """Return the PNG with the texts whose keyword it does not have yet, before its pixels.

    Raises
    ------
    EncodeError
        if the PNG is damaged.
    """
    chunks = list(iter_chunks(png))
    new = missing_texts(chunks, texts)
    return join_chunks([chunks[0], *new, *chunks[1:]]) if new else png


def _inflate(data: bytes, keyword: str, max_bytes: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, max(max_bytes, 1))  # 0 would mean no limit
    except zlib.error as error:
        raise EncodeError(
            f"the PNG's text {keyword!r:.80} is damaged ({error}); take another copy"
        ) from error
    if inflater.unconsumed_tail or len(text) > max_bytes:
        raise _too_large(keyword)
    return text


def _too_large(keyword: str) -> LimitError:
    return LimitError(
        f"the PNG's texts inflate to more than {MAX_TEXT_BYTES} bytes at {keyword!r:.80}: "
        "remove them from the image first"
    )


def _inflate_pixels(header: bytes, stream: bytes) -> bytes | None:
    """Return the scanlines of a PNG, or None if stream is damaged or longer than the IHDR data in header allows."""
    if len(header) != _HEADER_BYTES:
        return None
    width, height = struct.unpack_from(">II", header)
    if width * height > spec.Limits().image_pixels:
        return None
    # 16-bit RGBA takes 8 bytes per pixel; Adam7 has fewer than 2 lines per row, each with a filter byte.
    max_bytes = min(8 * width * height + 4 * height + 64, spec.MAX_INFLATED_BYTES)
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(stream, max_bytes)
    except zlib.error:
        return None
    return pixels if inflater.eof else None


def replace_stream(chunks: Sequence[PngChunk], encode: Callable[[memoryview], bytes]) -> list[PngChunk]:
    """Return the chunks of a PNG with its pixel stream re-encoded, in one IDAT.

    Raises
    ------
    EncodeError
        if its pixel stream is missing or damaged.
    """
    kinds = [kind for kind, _ in chunks]
    scanlines = None
    if b"IDAT" in kinds:
        stream = b"".join(data for kind, data in chunks if kind == b"IDAT")
        scanlines = _inflate_pixels(chunks[0][1], stream)
    if scanlines is None:
        raise EncodeError("the pixel stream of the PNG is missing or damaged; take another copy")
    first = kinds.index(b"IDAT")
    rest = [chunk for chunk in chunks[first:] if chunk[0] != b"IDAT"]
    return [*chunks[:first], (b"IDAT", encode(memoryview(scanlines))), *rest]

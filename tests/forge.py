"""Forge GEN5 files by hand: headers, frames, META and seals from literal structs.

Nothing here uses gen5core, so that an error in its writer cannot be hidden by the same error in its reader.
zstd frames are written by hand too (raw and RLE blocks, RFC 8878 section 3.1.1), so that their bytes do not
depend on the version of a compressor.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from png_chunks import SIGNATURE, png_chunk

HEADER_BYTES = 32
MAGIC = b"GEN5"
ZSTD_MAGIC = 0xFD2FB528
BLOCK_BYTES = 128 * 1024
"""The largest block that a zstd frame may have."""

Edit = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Header:
    """The header's fields, in their order on disk."""

    magic: bytes
    major: int
    minor: int
    flags: int
    meta_offset: int
    meta_size: int
    chunk_count: int
    file_size: int
    reserved: int

    def pack(self) -> bytes:
        return struct.pack(
            "<4sBBHIIIIQ",
            self.magic,
            self.major,
            self.minor,
            self.flags,
            self.meta_offset,
            self.meta_size,
            self.chunk_count,
            self.file_size,
            self.reserved,
        )


@dataclass(frozen=True)
class Chunk:
    """A chunk to forge; ``stored`` and ``row`` override what would be derived."""

    type: str
    flags: str
    payload: bytes
    extra: Mapping[str, Any] = field(default_factory=dict)
    compressed: bool = False
    stored: bytes | None = None
    row: Mapping[str, Any] = field(default_factory=dict)

    def stored_bytes(self) -> bytes:
        if self.stored is not None:
            return self.stored
        content = frame(self.type, self.flags, self.payload)
        return zstd_frame(content) if self.compressed else content

    def table_row(self, index: int, offset: int, *, minor: int = 1) -> dict[str, Any]:
        stored = self.stored_bytes()
        digests = {"stored_sha256": sha256(stored)} if self.compressed and minor else {}
        return {
            "index": index,
            "type": self.type,
            "flags": self.flags,
            "offset": offset,
            "compressed_size": len(stored),
            "uncompressed_size": len(self.payload),
            "hash": sha256(self.payload),
            "extra": {**self.extra, **digests},
            "compressed": self.compressed,
            **self.row,
        }


def sha256(data: bytes) -> str:
    """Return the SHA-256 of data in hex."""
    return hashlib.sha256(data).hexdigest()


def frame(kind: str, flags: str, payload: bytes, *, size: int | None = None) -> bytes:
    """Return a payload after its 12-byte frame header; size is what the header claims."""
    claimed = len(payload) if size is None else size
    return struct.pack("<4s4sI", kind.encode("latin-1"), flags.encode("latin-1"), claimed) + payload


def zstd_frame(
    content: bytes, *, declared: int | None = None, checksum: bool = True, has_size: bool = True
) -> bytes:
    """Return a zstd frame of raw blocks over content.

    Parameters
    ----------
    declared : the content size that the frame claims; None for the true one
    checksum : end with the lower half of XXH64
    has_size : declare a content size; without it, a window of 128 KiB
    """
    blocks = [content[at : at + BLOCK_BYTES] for at in range(0, len(content), BLOCK_BYTES)] or [b""]
    body = b"".join(
        _block_header(len(block), 0, last=index == len(blocks) - 1) + block
        for index, block in enumerate(blocks)
    )
    size = len(content) if declared is None else declared
    tail = struct.pack("<I", xxh64(content) & 0xFFFFFFFF) if checksum else b""
    return zstd_head(size if has_size else None, checksum=checksum) + body + tail


def zstd_head(
    size: int | None, *, checksum: bool = False, window: int | None = None, dictionary: int = 0
) -> bytes:
    """Return a zstd frame header.

    Parameters
    ----------
    size : content size, in 8 bytes; None to leave it out
    window : binary logarithm of the window; None for a single segment, or for 17 if there is no size
    dictionary : identifier, in 4 bytes; 0 for none
    """
    single = size is not None and window is None
    descriptor = (0xC0 if size is not None else 0) | single << 5 | checksum << 2 | (3 if dictionary else 0)
    parts = [struct.pack("<IB", ZSTD_MAGIC, descriptor)]
    if not single:
        parts.append(bytes([(17 if window is None else window) - 10 << 3]))
    if dictionary:
        parts.append(struct.pack("<I", dictionary))
    if size is not None:
        parts.append(struct.pack("<Q", size))
    return b"".join(parts)


def zstd_runs(*runs: tuple[bytes, int], declared: int | None = None, checksum: bool = False) -> bytes:
    """Return a zstd frame of runs: some bytes as they are, or one byte many times at 4 bytes for 128 KiB.

    Parameters
    ----------
    runs : bytes and how often they are repeated; only a single byte may be repeated
    declared : the content size that the frame claims; None for the true one, -1 for no size
    """
    blocks = [block for data, count in runs for block in _run_blocks(data, count)]
    body = b"".join(
        _block_header(size, kind, last=index == len(blocks) - 1) + data
        for index, (size, kind, data) in enumerate(blocks)
    )
    size = sum(len(data) * count for data, count in runs) if declared is None else declared
    head = zstd_head(None if size < 0 else size, checksum=checksum)
    if not checksum:
        return head + body
    content = b"".join(data * count for data, count in runs)
    return head + body + struct.pack("<I", xxh64(content) & 0xFFFFFFFF)


def build(
    chunks: Sequence[Chunk],
    *,
    minor: int = 1,
    edit: Edit | None = None,
    text: bytes | None = None,
    meta: bytes | None = None,
    trailer: bytes = b"",
    gap: bytes = b"",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a complete file.

    Parameters
    ----------
    edit : changes META's document in place, or returns another one
    text : overrides META's JSON; meta : overrides META's stored bytes
    gap : bytes after every chunk
    before : header fields to set before the file is sealed; after : after it is sealed
    """
    body, rows = b"", []
    for index, chunk in enumerate(chunks):
        rows.append(chunk.table_row(index, HEADER_BYTES + len(body), minor=minor))
        body += chunk.stored_bytes() + gap
    offset = HEADER_BYTES + len(body)
    if meta is None:
        meta = _meta(rows, offset, minor, edit) if text is None else stored_meta(text)
    header = Header(
        magic=MAGIC,
        major=1,
        minor=minor,
        flags=(1 if minor else 0) | (2 if trailer else 0),
        meta_offset=offset,
        meta_size=len(meta),
        chunk_count=len(rows),
        file_size=offset + len(meta) + len(trailer),
        reserved=0,
    )
    header = replace(header, **(before or {}))
    if header.flags & 1:
        header = sealed(header, meta)
    header = replace(header, **(after or {}))
    return header.pack() + body + meta + trailer


def stored_meta(text: bytes) -> bytes:
    """Return META's JSON text as it is stored; a large one has no checksum, which is slow in Python."""
    return zstd_frame(frame("META", "0000", text), checksum=len(text) < 2**14)


def sealed(header: Header, meta: bytes) -> Header:
    """Return header with the right seal for META."""
    first = header.pack()[:24]
    seal = hashlib.sha256(b"GEN5seal1" + first + meta).digest()[:8]
    return replace(header, reserved=int.from_bytes(seal, "little"))


def header_of(data: bytes) -> Header:
    """Return the header of a file, unchecked."""
    return Header(*struct.unpack("<4sBBHIIIIQ", data[:HEADER_BYTES]))


def meta_of(data: bytes) -> bytes:
    """Return the stored META of a file."""
    header = header_of(data)
    return data[header.meta_offset : header.meta_offset + header.meta_size]


def text_of(data: bytes) -> bytes:
    """Return META's JSON text from a file that was forged here, with one raw block and a checksum."""
    return meta_of(data)[28:-4]


def reseal(data: bytes) -> bytes:
    """Return a file with the right seal for its header and META; one too short for a header is unchanged."""
    if len(data) < HEADER_BYTES:
        return data
    return sealed(header_of(data), meta_of(data)).pack() + data[HEADER_BYTES:]


def with_header(data: bytes, *, seal: bool = False, **fields: Any) -> bytes:
    """Return a file with other header fields, sealed again if seal is set."""
    changed = replace(header_of(data), **fields).pack() + data[HEADER_BYTES:]
    return reseal(changed) if seal else changed


def with_meta(data: bytes, meta: bytes) -> bytes:
    """Return a file with other stored META bytes, its sizes and seal corrected."""
    header = header_of(data)
    trailer = data[header.meta_offset + header.meta_size :]
    size = header.meta_offset + len(meta) + len(trailer)
    header = replace(header, meta_size=len(meta), file_size=size)
    if header.flags & 1:
        header = sealed(header, meta)
    return header.pack() + data[HEADER_BYTES : header.meta_offset] + meta + trailer


def with_document(data: bytes, document: Mapping[str, Any]) -> bytes:
    """Return a file with another META document; its ``file_size`` is not corrected."""
    return with_meta(data, stored_meta(dump(document)))


def flipped(data: bytes, position: int, mask: int) -> bytes:
    """Return data with the bits of mask flipped in the byte at position."""
    changed = bytearray(data)
    changed[position] ^= mask
    return bytes(changed)


def dump(value: Any) -> bytes:
    """Return value as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def float32(name: str, values: Sequence[float], shape: Sequence[int] | None = None, **extra: Any) -> Chunk:
    """Return a LATN chunk of float32, stored raw."""
    payload = struct.pack(f"<{len(values)}f", *values)
    facts = {"shape": list(shape or [len(values)]), "dtype": "float32", "key": name, **extra}
    return Chunk("LATN", "F32", payload, facts)


def environment(components: Mapping[str, str]) -> Chunk:
    """Return an ENVC chunk of canonical strings by id, stored raw."""
    rows = [
        {"component_id": name, "cononical_str": text, "component_sha256_digest": sha256(text.encode())}
        for name, text in components.items()
    ]
    return Chunk("ENVC", "0000", dump({"env_version": 1, "components": rows}))


def png(width: int, height: int, pixels: bytes | None = None, *, depth: int = 8) -> bytes:
    """Return a grey PNG; width and height are those that its header claims.

    Parameters
    ----------
    pixels : grey values row by row; None for no IDAT chunk
    """
    parts = [
        SIGNATURE,
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)),
    ]
    if pixels is not None:
        lines = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
        parts.append(png_chunk(b"IDAT", zlib.compress(lines, 0)))
    return b"".join([*parts, png_chunk(b"IEND")])


def carrier(
    *,
    facts: Mapping[str, Any] | None = MappingProxyType({}),
    shown: bytes = b"\0\x40\x80\xff",
    appended: bytes = b"",
) -> bytes:
    """Return a PNG of 2 x 2 grey pixels that carries a record with a latent of three values.

    Parameters
    ----------
    facts : override fields of META's ``carrier``; None for no such key
    shown : the pixels of the PNG; the record is always of 00 40 80 ff
    appended : bytes in the chunk, after the record
    """
    pixels = b"\0\x40\x80\xff"
    original, picture = png(2, 2, pixels), png(2, 2, shown)
    expected = {
        "index": 0,
        "shape": [2, 2, 1],
        "pixels_sha256": sha256(struct.pack("<III", 2, 2, 1) + pixels),
        "png_sha256": sha256(original),
        "png_bytes": len(original),
        "original": {
            "row": 1,
            "extra": {"index": 0, "width": 2, "height": 2, "format": "PNG"},
            "compression": "none",
            "added_texts": 0,
            "deflated": False,
            "sha256": sha256(original),
        },
    }
    edit = None if facts is None else lambda document: document.update(carrier={**expected, **facts})
    record = build([float32("initial_noise", [0.5, -1.25, 2.0])], edit=edit)
    return picture[:-12] + png_chunk(b"gfVE", record + appended) + picture[-12:]


def xxh64(data: bytes) -> int:
    """Return XXH64 of data with seed 0, which ends a zstd frame.

    Source: xxHash specification 0.1.1, section "XXH64 algorithm".
    """
    lanes, position = [(_P1 + _P2) & _M64, _P2, 0, -_P1 & _M64], 0
    while len(data) - position >= 32:
        words = struct.unpack_from("<4Q", data, position)
        lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
        position += 32
    value = _P5
    if position:
        value = sum(map(_rotate, lanes, (1, 7, 12, 18))) & _M64
        for lane in lanes:
            value = ((value ^ _round(0, lane)) * _P1 + _P4) & _M64
    value = (value + len(data)) & _M64
    for size, code in ((8, "<Q"), (4, "<I"), (1, "<B")):
        while len(data) - position >= size:
            (word,) = struct.unpack_from(code, data, position)
            value = _mixed_tail(value, word, size)
            position += size
    value = (value ^ value >> 33) * _P2 & _M64
    value = (value ^ value >> 29) * _P3 & _M64
    return value ^ value >> 32


_M64 = 2**64 - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _M64


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P2) & _M64, 31) * _P1 & _M64


def _mixed_tail(value: int, word: int, size: int) -> int:
    if size == 8:
        return (_rotate(value ^ _round(0, word), 27) * _P1 + _P4) & _M64
    if size == 4:
        return (_rotate(value ^ (word * _P1 & _M64), 23) * _P2 + _P3) & _M64
    return _rotate(value ^ (word * _P5 & _M64), 11) * _P1 & _M64


def _run_blocks(data: bytes, count: int) -> list[tuple[int, int, bytes]]:
    """Return size, kind (0 raw, 1 RLE) and bytes of each block."""
    if count == 1:
        return [(len(data), 0, data)]
    full_blocks, rest = divmod(count, BLOCK_BYTES)
    return [(size, 1, data) for size in [BLOCK_BYTES] * full_blocks + [rest] if size]


def _block_header(size: int, kind: int, *, last: bool) -> bytes:
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3]


def _meta(rows: list[dict[str, Any]], offset: int, minor: int, edit: Edit | None) -> bytes:
    """Return META with the right ``file_size``, unless edit changes it."""
    size, meta = -1, b""
    while offset + len(meta) != size:
        size = offset + len(meta)
        info = {
            "magic": "GEN5",
            "version_major": 1,
            "version_minor": minor,
            "file_size": size,
            "chunk_count": len(rows),
        }
        model = {
            "model_name": "model",
            "version": "1",
            "date": "2025-01-01T00:00:00",
            "prompt": "",
            "tags": [],
        }
        document = {"gen5_metadata": {"file_info": info, "model_info": model, "chunks": rows}}
        document = json.loads(json.dumps(document))
        edited = edit(document) if edit else None
        meta = stored_meta(dump(document if edited is None else edited))
    return meta

"""META's ``carrier``: parse and encode its description of the PNG that carries the file.

Source: FORMAT.md, "PNG carrier".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from ..container import spec
from ..container.chunks import Compression
from ..container.fields import Fields
from ..container.records import ChunkRow, Header
from ..errors import MalformedChunkError

KEY: Final = "carrier"
"""The key in META."""
MAX_PNG_BYTES: Final = 2**63
MAX_ADDED_TEXTS: Final = 2**31
MAX_TRAILER_BYTES: Final = spec.FRAME_SIZE + spec.MAX_SIGNATURE_BYTES
"""Limit for the bytes after META that are kept: the size of the largest SIGN trailer."""


@dataclass(frozen=True, slots=True)
class Original:
    """How to restore, from the PNG, the DATA chunk that it replaced."""

    row: int
    """Index of its row in the chunk table."""
    extra: Mapping[str, Any]
    compression: Compression
    added_texts: int = 0
    """Number of PNG text chunks that were added after IHDR."""
    deflated: bool = False
    """The PNG's pixel stream was uncompressed (stored blocks) and has been deflated."""
    sha256: str | None = None
    """SHA-256 of the original payload; None if the pixels were saved directly into a PNG."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """META's ``carrier``: which image the PNG shows, and the digests of its pixels and bytes."""

    index: int
    shape: tuple[int, int, int]
    """Height, width, channels."""
    pixels_sha256: str
    png_sha256: str
    png_bytes: int
    original: Original | None
    """None if the image is also stored as a normal DATA chunk and the PNG only shows it."""
    trailer: bytes = b""
    """What followed META in the file that the PNG was made from: signatures, valid only for that file's root."""


def encode_carrier(carrier: Carrier) -> dict[str, Any]:
    """Return the JSON object that META stores for a carrier."""
    facts: dict[str, Any] = {
        "index": carrier.index,
        "shape": list(carrier.shape),
        "pixels_sha256": carrier.pixels_sha256,
        "png_sha256": carrier.png_sha256,
        "png_bytes": carrier.png_bytes,
    }
    if (original := carrier.original) is not None:
        facts["original"] = {
            "row": original.row,
            "extra": dict(original.extra),
            "compression": original.compression,
            "added_texts": original.added_texts,
            "deflated": original.deflated,
            **({"sha256": original.sha256} if original.sha256 else {}),
        }
    if carrier.trailer:
        facts["trailer"] = base64.b64encode(carrier.trailer).decode("ascii")
    return facts


def parse_carrier(value: Any, *, rows: Sequence[ChunkRow], header: Header) -> Carrier:
    """Return META's ``carrier`` with every field checked.

    Parameters
    ----------
    rows, header : chunk table and header of the carried file

    Raises
    ------
    MalformedChunkError
    """
    if not header.sealed:
        raise MalformedChunkError(
            f"is version {header.version}, but a PNG can only carry version 1.1 or later",
            chunk="header",
            offset=4,
        )
    fields = Fields(value, KEY, chunk=spec.META, offset=header.chunk_table_offset)
    shape = fields.numbers("shape", spec.U32_MAX, minimum=1)
    if len(shape) != 3:
        raise fields.invalid("shape", "height, width and channels")
    original = _parse_original(fields.object("original"), len(rows)) if "original" in fields.values else None
    return Carrier(
        index=_parse_index(fields, rows, original),
        shape=(shape[0], shape[1], shape[2]),
        pixels_sha256=fields.digest("pixels_sha256"),
        png_sha256=fields.digest("png_sha256"),
        png_bytes=fields.number("png_bytes", MAX_PNG_BYTES),
        original=original,
        trailer=_parse_trailer(fields) if "trailer" in fields.values else b"",
    )


def _parse_original(fields: Fields, rows: int) -> Original:
    compression = fields.get("compression", str)
    if compression not in get_args(Compression):
        raise fields.invalid("compression", f"one of {', '.join(get_args(Compression))}")
    return Original(
        row=fields.number("row", rows),
        extra=fields.get("extra", dict),
        compression=cast(Compression, compression),
        added_texts=fields.number("added_texts", MAX_ADDED_TEXTS),
        deflated=fields.get("deflated", bool),
        sha256=fields.digest("sha256") if "sha256" in fields.values else None,
    )


def _parse_index(fields: Fields, rows: Sequence[ChunkRow], original: Original | None) -> int:
    images = [row for row in rows if row.type == spec.DATA]
    if original is None and not images:
        raise fields.invalid("index", "the index of an image, of which the file has none")
    if original is None:
        return fields.number("index", len(images) - 1)
    # The rows no longer list the image itself, so its index is the number of images before its old row.
    before = sum(image.index < original.row for image in images)
    if fields.get("index", int) != before:
        raise fields.invalid("index", f"{before}, the index that row {original.row} gives it")
    return before


def _parse_trailer(fields: Fields) -> bytes:
    trailer = fields.base64("trailer")
    if (
        len(trailer) > MAX_TRAILER_BYTES
        or base64.b64encode(trailer).decode("ascii") != fields.values["trailer"]
    ):
        raise fields.invalid("trailer", f"base64 of at most {MAX_TRAILER_BYTES} bytes")
    return trailer

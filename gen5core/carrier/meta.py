"""META's ``carrier``: what it says of the PNG that carries the record, parsed and written.

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
"""META's key."""
MAX_TRAILER_BYTES: Final = spec.FRAME_SIZE + spec.MAX_SIGNATURE_BYTES
"""The most that is kept of what follows META: as large as a SIGN trailer may be."""


@dataclass(frozen=True, slots=True)
class Original:
    """What makes of the PNG the DATA chunk that it stands for."""

    row: int
    """Its place in the table of chunks."""
    extra: Mapping[str, Any]
    compression: Compression
    added_texts: int = 0
    """Chunks behind IHDR that were added."""
    deflated: bool = False
    """The pixel stream was stored blocks."""
    sha256: str | None = None
    """Of the payload; None where it never was one, the pixels having been saved straight into a PNG."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """META's ``carrier``: which image the PNG is, what its pixels and its bytes hash to."""

    index: int
    shape: tuple[int, int, int]
    """Height, width, channels."""
    pixels_sha256: str
    png_sha256: str
    png_bytes: int
    original: Original | None
    """None where the image is a DATA chunk like any other, and the PNG only shows it."""
    trailer: bytes = b""
    """What followed META in the file that the PNG was made of, its signatures: they fit that file's root only."""


def encode_carrier(carrier: Carrier) -> dict[str, Any]:
    """Return a carrier as META has it."""
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
    """Return META's ``carrier``, every field checked.

    Parameters
    ----------
    rows, header : of the file that is carried

    Raises
    ------
    MalformedChunkError
    """
    if not header.sealed:
        raise MalformedChunkError(
            f"is of version {header.version}, a PNG carries version 1.1 or later", chunk="header", offset=4
        )
    fields = Fields(value, KEY, chunk=spec.META, offset=header.chunk_table_offset)
    shape = fields.numbers("shape", spec.U32_MAX, least=1)
    if len(shape) != 3:
        raise fields.fault("shape", "height, width and channels")
    original = _parse_original(fields.object("original"), len(rows)) if "original" in fields.values else None
    return Carrier(
        index=_parse_index(fields, rows, original),
        shape=(shape[0], shape[1], shape[2]),
        pixels_sha256=fields.digest("pixels_sha256"),
        png_sha256=fields.digest("png_sha256"),
        png_bytes=fields.number("png_bytes", 2**63),
        original=original,
        trailer=_parse_trailer(fields) if "trailer" in fields.values else b"",
    )


def _parse_original(fields: Fields, rows: int) -> Original:
    compression = fields.get("compression", str)
    if compression not in get_args(Compression):
        raise fields.fault("compression", f"one of {', '.join(get_args(Compression))}")
    return Original(
        row=fields.number("row", rows),
        extra=fields.get("extra", dict),
        compression=cast(Compression, compression),
        added_texts=fields.number("added_texts", 2**31),
        deflated=fields.get("deflated", bool),
        sha256=fields.digest("sha256") if "sha256" in fields.values else None,
    )


def _parse_index(fields: Fields, rows: Sequence[ChunkRow], original: Original | None) -> int:
    images = [row for row in rows if row.type == spec.DATA]
    if original is None:
        return fields.number("index", len(images) - 1)
    before = sum(image.index < original.row for image in images)
    if fields.get("index", int) != before:
        raise fields.fault("index", f"{before}, as its row {original.row} has it")
    return before


def _parse_trailer(fields: Fields) -> bytes:
    trailer = fields.base64("trailer")
    if len(trailer) > MAX_TRAILER_BYTES:
        raise fields.fault("trailer", f"base64 of at most {MAX_TRAILER_BYTES} bytes")
    return trailer

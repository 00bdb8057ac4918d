"""META's ``carrier``: what it says of the PNG that carries the record, parsed and written.

Source: FORMAT.md, "PNG carrier".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from ..container import spec, strict_json
from ..container.chunks import Compression, check_compression
from ..container.records import ChunkRow, Header
from ..errors import EncodeError, MalformedChunkError

KEY: Final = "carrier"
"""META's key."""
MAX_TRAILER_BYTES: Final = spec.FRAME_SIZE + spec.MAX_SIGNATURE_BYTES
"""The most that is kept of what follows META: as large as a SIGN trailer may be."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


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
    fields = _Fields(value, KEY, header.chunk_table_offset)
    images = sum(row.type == spec.DATA for row in rows)
    original = _parse_original(fields, len(rows)) if "original" in fields.values else None
    shape = fields.get("shape", list)
    if len(shape) != 3 or not all(type(size) is int and 0 < size <= spec.U32_MAX for size in shape):
        raise fields.fault("shape", shape, "height, width and channels")
    if original is not None:
        before = sum(row.type == spec.DATA for row in rows[: original.row])
        if fields.number("index", images) != before:
            raise fields.fault("index", fields.values["index"], f"{before}, as its row {original.row} has it")
    return Carrier(
        index=fields.number("index", images if original else images - 1),
        shape=(shape[0], shape[1], shape[2]),
        pixels_sha256=fields.digest("pixels_sha256"),
        png_sha256=fields.digest("png_sha256"),
        png_bytes=fields.number("png_bytes", 2**63),
        original=original,
        trailer=fields.base64("trailer") if "trailer" in fields.values else b"",
    )


def _parse_original(fields: _Fields, rows: int) -> Original:
    part = _Fields(fields.values["original"], f"{KEY}.original", fields.offset)
    compression = part.get("compression", str)
    try:
        check_compression(compression)
    except EncodeError as error:
        raise MalformedChunkError(f"{KEY}: {error}", chunk=spec.META, offset=fields.offset) from error
    return Original(
        row=part.number("row", rows),
        extra=part.get("extra", dict),
        compression=cast(Compression, compression),
        added_texts=part.number("added_texts", 2**31),
        deflated=part.get("deflated", bool),
        sha256=part.digest("sha256") if "sha256" in part.values else None,
    )


class _Fields:
    """The fields of one JSON object, each checked as it is taken."""

    def __init__(self, value: Any, name: str, offset: int) -> None:
        self.values: dict[str, Any] = strict_json.expect(dict, value, name, chunk=spec.META, offset=offset)
        self.name, self.offset = name, offset

    def get(self, key: str, kind: type[Any]) -> Any:
        where = f"{self.name}.{key}"
        return strict_json.expect(kind, self.values.get(key), where, chunk=spec.META, offset=self.offset)

    def number(self, key: str, most: int) -> int:
        value: int = self.get(key, int)
        if not 0 <= value <= most:
            raise self.fault(key, value, f"from 0 to {most}")
        return value

    def digest(self, key: str) -> str:
        value: str = self.get(key, str)
        if not _DIGEST.fullmatch(value):
            raise self.fault(key, value, "a SHA-256 in hex")
        return value

    def base64(self, key: str) -> bytes:
        text: str = self.get(key, str)
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.fault(key, text, "base64") from error
        if len(data) > MAX_TRAILER_BYTES:
            raise self.fault(key, text, f"of at most {MAX_TRAILER_BYTES} bytes")
        return data

    def fault(self, key: str, value: Any, rule: str) -> MalformedChunkError:
        return MalformedChunkError(
            f"{self.name}.{key} is {value!r:.80}, it must be {rule}", chunk=spec.META, offset=self.offset
        )

"""Frozen records that the modules exchange; they only hold and name values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import spec


@dataclass(frozen=True, slots=True)
class Header:
    """The 32 bytes at the start of a file, with the field names of the 0.1.0 format page."""

    version_major: int
    version_minor: int
    flags: int
    chunk_table_offset: int
    chunk_table_size: int
    chunk_count: int
    file_size: int
    reserved: int

    @property
    def version(self) -> spec.Version:
        return spec.Version(self.version_major, self.version_minor)

    @property
    def sealed(self) -> bool:
        return bool(self.flags & spec.FLAG_SEALED)

    @property
    def meta_end(self) -> int:
        """Offset of the first byte after META."""
        return self.chunk_table_offset + self.chunk_table_size


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One row of META's chunk table: where a chunk is stored and its digests.

    ``compressed_size`` is the number of stored bytes, including the frame header; ``uncompressed_size`` and
    ``hash`` (SHA-256, hex) describe the payload alone.
    """

    index: int
    type: str
    flags: str
    offset: int
    compressed_size: int
    uncompressed_size: int
    hash: str
    compressed: bool
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """Offset of the first byte after the stored chunk."""
        return self.offset + self.compressed_size

    @property
    def stored_sha256(self) -> str | None:
        """SHA-256 (hex) of the stored bytes; required for compressed rows since version 1.1."""
        return self.extra.get("stored_sha256")

    def __str__(self) -> str:
        key = self.extra.get("key")
        name = f" {key!r:.80}" if isinstance(key, str) else ""
        return f"chunk {self.index} ({self.type}{name})"


@dataclass(frozen=True, slots=True)
class Trailer:
    """A frame after META; unknown types are listed but not read."""

    type: str
    flags: str
    offset: int
    size_bytes: int

"""Whether what was found out about a file's signatures is still true of its bytes.

Size and modification time do not say so: both can be set back. What a signature covers is the root, the SHA-256 of
META; so the header, META and the trailers are read again, which takes a fraction of a millisecond per file.
"""

from __future__ import annotations

import hashlib

from ...gen5core.carrier.find import open_source
from ...gen5core.container import spec
from ...gen5core.container.header import parse_header
from ...gen5core.errors import Gen5Error

_LIMITS = spec.Limits()
_MAX_TRAILER_BYTES = 2**20
"""Far more than all signatures that a reader accepts."""


def content_id(path: str) -> str | None:
    """Return a digest of all that signatures cover and of themselves; None without them, or if it cannot be read."""
    try:
        source = open_source(path)
    except (Gen5Error, OSError):
        return None
    try:
        head = source.read(0, min(spec.HEADER_SIZE, source.size_bytes), chunk="header")
        header = parse_header(head, source.size_bytes)
        size_bytes = source.size_bytes - header.chunk_table_offset
        if (
            not header.flags & spec.FLAG_TRAILER
            or size_bytes > _LIMITS.meta_stored_bytes + _MAX_TRAILER_BYTES
        ):
            return None
        rest = source.read(header.chunk_table_offset, size_bytes, chunk=spec.META)
        return hashlib.sha256(head + rest).hexdigest()
    except (Gen5Error, OSError, MemoryError):
        return None
    finally:
        source.close()

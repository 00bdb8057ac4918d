"""Trailers: frames after META, each with its own type, which are listed but not interpreted.

Source: FORMAT.md, "Trailer".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import LimitError, MalformedChunkError
from . import spec
from .records import Header, Trailer
from .source import Source

_CHUNK = "trailer"


def read_trailers(source: Source, header: Header, limits: spec.Limits) -> Iterator[Trailer]:
    """Yield the trailers of a file; together they must extend exactly to its end.

    Raises
    ------
    LimitError, MalformedChunkError
    """
    offset, count = header.meta_end, 0
    while offset < header.file_size:
        if count >= limits.chunks:
            raise LimitError(f"more than {limits.chunks} trailers", chunk=_CHUNK, offset=offset)
        trailer = _read_trailer(source, offset, header.file_size - offset)
        yield trailer
        offset, count = trailer.offset + trailer.size_bytes, count + 1


def _read_trailer(source: Source, offset: int, remaining_bytes: int) -> Trailer:
    if remaining_bytes < spec.FRAME_SIZE:
        raise MalformedChunkError(
            f"{remaining_bytes} bytes after META are too few for a frame", chunk=_CHUNK, offset=offset
        )
    kind, flags, size_bytes = spec.FRAME.unpack(source.read(offset, spec.FRAME_SIZE, chunk=_CHUNK))
    if size_bytes > remaining_bytes - spec.FRAME_SIZE:
        raise MalformedChunkError(
            f"claims {size_bytes} bytes, {remaining_bytes - spec.FRAME_SIZE} are left",
            chunk=_CHUNK,
            offset=offset,
        )
    return Trailer(kind.decode("latin-1"), flags.decode("latin-1"), offset + spec.FRAME_SIZE, size_bytes)

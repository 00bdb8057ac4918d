"""Open a file from its header and META alone, e.g. as a browser sends them without the rest.

Everything in META can be read, and the seal is checked. Tensors, images and the documented components of
the environment are in chunks, so reading one of them raises ChunkNotFoundError.

Source: FORMAT.md, "Header" and "META".
"""

from __future__ import annotations

from ..container import spec
from ..container.records import Header
from ..container.source import Source
from ..errors import ChunkNotFoundError, naming_file
from .file import DEFAULT_LIMITS, Gen5File


def open_parts(head_and_tail: bytes, *, name: str = "", limits: spec.Limits = DEFAULT_LIMITS) -> Gen5File:
    """Open a file from its first 32 bytes, followed by everything from META to the end of the file.

    Parameters
    ----------
    head_and_tail : bytes [0, 32) and [META offset, end of file), concatenated
    name : the file's name in messages; empty for none
    limits : how much memory and work the file may cause

    Raises
    ------
    FormatError
        or a subclass, as ``gen5core.open`` does. Reading a chunk later raises ChunkNotFoundError.
    """
    with naming_file(name):
        return Gen5File(PartsSource(head_and_tail, name), verify=True, limits=limits)


class PartsSource(Source):
    """Two ranges of a file: its header, and everything from META to its end."""

    def __init__(self, head_and_tail: bytes, name: str) -> None:
        head, tail = head_and_tail[: spec.HEADER_SIZE], memoryview(head_and_tail)[spec.HEADER_SIZE :]
        self.path = name
        self._ranges = [(0, memoryview(head))]
        self.size_bytes = len(head)
        if len(head) == spec.HEADER_SIZE:
            header = Header(*spec.HEADER.unpack(head)[1:])
            self._ranges.append((header.chunk_table_offset, tail))
            self.size_bytes = _file_size(header, tail.nbytes)

    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes from offset.

        Raises
        ------
        ChunkNotFoundError
            if they are outside the two ranges.
        """
        for start, part in self._ranges:
            first = offset - start
            if first >= 0 and first + target.nbytes <= part.nbytes:
                target[:] = part[first : first + target.nbytes]
                return
        raise ChunkNotFoundError(
            f"{chunk} is not available: only the header and META of {self.path or 'this file'} were given; "
            "open the whole file"
        )

    def close(self) -> None:
        """Do nothing: the bytes are the caller's."""


def _file_size(header: Header, tail_bytes: int) -> int:
    """Return the size of the whole file. Without a tail it is unknown: return one that the header check refuses."""
    meta_offset = header.chunk_table_offset
    size_bytes = meta_offset + tail_bytes if tail_bytes else min(meta_offset, header.file_size)
    return max(size_bytes, spec.HEADER_SIZE)

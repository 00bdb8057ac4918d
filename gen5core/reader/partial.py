"""A file of which only the header and META are at hand, e.g. sent by a browser that keeps the rest.

Everything that META tells can be read, and the seal is checked; a tensor, an image or the documented
components of the environment lie in chunks, and asking for them is one clear error.

Source: FORMAT.md, "Header" and "META".
"""

from __future__ import annotations

from ..container import spec
from ..container.records import Header
from ..container.source import Source
from ..errors import ChunkNotFoundError, naming_file
from .file import DEFAULT_LIMITS, Gen5File


def open_parts(head_and_tail: bytes, *, name: str = "", limits: spec.Limits = DEFAULT_LIMITS) -> Gen5File:
    """Open a file by its first 32 bytes followed by everything from META's offset to the file's end.

    Parameters
    ----------
    head_and_tail : bytes [0, 32) and [META offset, end of file), one after the other
    name : what messages call the file; nothing if empty
    limits : what reading may cost

    Raises
    ------
    FormatError
        in one of its kinds, as ``gen5core.open`` does; later ChunkNotFoundError for what lies in a chunk.
    """
    with naming_file(name):
        return Gen5File(PartsSource(head_and_tail, name), verify=True, limits=limits)


class PartsSource(Source):
    """Two ranges of a file: its header, and META to its end."""

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
            if they are not among those given.
        """
        for start, part in self._ranges:
            first = offset - start
            if first >= 0 and first + target.nbytes <= part.nbytes:
                target[:] = part[first : first + target.nbytes]
                return
        raise ChunkNotFoundError(
            f"{chunk} is not at hand: only header and META of {self.path or 'this file'} were given; "
            "open the whole file"
        )

    def close(self) -> None:
        """Do nothing: the bytes are the caller's."""


def _file_size(header: Header, tail_bytes: int) -> int:
    """Return the size of the whole file; without a tail, what makes the header's own check say what is wrong."""
    meta_offset = header.chunk_table_offset
    size_bytes = meta_offset + tail_bytes if tail_bytes else min(meta_offset, header.file_size)
    return max(size_bytes, spec.HEADER_SIZE)

"""The seal of the index: the checksum of the whole file as the last scan left it, in a small file beside it.

It is removed before anything is written, so a seal that does not match means damage. None means that a scan
was interrupted.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path

SUFFIX = "-seal"
_BLOCK_BYTES = 2**20
_COUNTER = slice(24, 28)
"""SQLite's count of changes in its header. Source: sqlite.org/fileformat2.html, "File change counter"."""


class Seal:
    """The seal of one file.

    Its methods open the file, and closing it gives up every lock that this process has on it (POSIX): call them only
    while this process has no connection to the database.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._seal = path, path.with_name(path.name + SUFFIX)

    def is_whole(self) -> bool | None:
        """Return whether the file is as it was sealed; None if it has no seal.

        Raises
        ------
        OSError
        """
        try:
            expected = self._seal.read_text("ascii", "replace")
        except FileNotFoundError:
            return None
        # a seal that was cut while it was written says nothing
        return _checksum(self._path) == expected if expected.endswith("\n") else None

    def set(self) -> None:
        """Seal the file, unless another process writes to it meanwhile or it cannot be sealed."""
        with suppress(OSError):
            before = self._counter()
            self._seal.write_text(_checksum(self._path), "ascii")
            if self._counter() != before:
                self.remove()

    def is_set(self) -> bool:
        """Return whether the file has a seal, which may not match."""
        return self._seal.exists()

    def remove(self) -> None:
        """Remove the seal.

        Raises
        ------
        OSError
        """
        self._seal.unlink(missing_ok=True)

    def _counter(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(_COUNTER.stop)[_COUNTER]


def _checksum(path: Path) -> str:
    """Return length and CRC-32 of a file; a disk damages by chance, and SHA-256 would take three times as long."""
    crc = size_bytes = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc, size_bytes = zlib.crc32(block, crc), size_bytes + len(block)
    return f"{size_bytes} {crc:08x}\n"

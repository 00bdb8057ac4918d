"""Positions and bytes: a file read at offsets, never mapped, safe to share between threads.

A mapped file that shrinks kills the process (SIGBUS); a read that comes back short is an error here.
"""

from __future__ import annotations

import os
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from ..errors import NotGen5Error, TruncatedError
from ..files import windows

_HAS_PREADV = hasattr(os, "preadv")


class Source(ABC):
    """Bytes of a known number, read at offsets into memory that the caller owns.

    Attributes
    ----------
    path : the file, or what stands for it in messages
    size_bytes : size of the whole file
    """

    path: Path | str
    size_bytes: int

    def read(self, offset: int, size_bytes: int, *, chunk: str) -> bytes:
        """Return size_bytes from offset.

        Raises
        ------
        TruncatedError
            if the file ends before.
        """
        buffer = bytearray(size_bytes)
        self.read_into(memoryview(buffer), offset, chunk=chunk)
        return bytes(buffer)

    @abstractmethod
    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes from offset; raise as ``read``."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""


class CountingSource(Source):
    """Another source, and the bytes that were read of it told to a caller, from whatever thread reads.

    Parameters
    ----------
    tell : called with the bytes read so far; what it raises ends the reading
    """

    def __init__(self, source: Source, tell: Callable[[int], None]) -> None:
        self.path, self.size_bytes = source.path, source.size_bytes
        self._source, self._tell = source, tell
        self._lock, self._done_bytes = threading.Lock(), 0

    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes from offset, and tell."""
        self._source.read_into(target, offset, chunk=chunk)
        with self._lock:  # told in order, so that a bar never goes back
            self._done_bytes += target.nbytes
            self._tell(self._done_bytes)

    def close(self) -> None:
        """Close the other source."""
        self._source.close()


class FileSource(Source):
    """An open regular file of a fixed size."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
            | getattr(os, "O_CLOEXEC", 0)
        )
        try:
            self._fd = os.open(windows.extended(str(self.path)), flags)
        except PermissionError as error:
            if self.path.is_dir():  # Windows opens no folder
                raise NotGen5Error(f"is {_kind(stat.S_IFDIR)}, not a regular file") from error
            raise
        self._lock = threading.Lock()
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise NotGen5Error(f"is {_kind(status.st_mode)}, not a regular file")
        except BaseException:
            self.close()
            raise
        self.size_bytes = status.st_size
        self._identity = _identity(status)

    def is_current(self) -> bool:
        """Return whether what stands at path is still this very file, and nobody has written to it since."""
        try:
            return _identity(os.stat(windows.extended(str(self.path)))) == self._identity
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file; later reads raise ValueError."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes from offset.

        Raises
        ------
        TruncatedError
            if the file ends before.
        """
        done = 0
        while done < target.nbytes:
            count = self._read_some(target[done:], offset + done)
            if not count:
                raise TruncatedError(
                    f"{target.nbytes} bytes are needed from offset {offset}, the file ends after {done} of "
                    "them: it was cut, or changed while it was read",
                    chunk=chunk,
                    offset=offset + done,
                )
            done += count

    def _read_some(self, view: memoryview, offset: int) -> int:
        if self._fd < 0:
            raise ValueError(f"{self.path} is closed; read inside the `with gen5core.open(...)` block")
        if _HAS_PREADV:
            return os.preadv(self._fd, [view], offset)
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            data = os.read(self._fd, view.nbytes)
        view[: len(data)] = data
        return len(data)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what is another number once a file is replaced, or written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _kind(mode: int) -> str:
    names = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in names if test(mode)), "a device")

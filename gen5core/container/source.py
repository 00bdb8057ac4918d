"""Reads at offsets: never memory-mapped, safe to share between threads.

If a mapped file shrinks, the process is killed (SIGBUS); a short read is an ordinary error here.
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
    """A known number of bytes, read at offsets into memory that the caller owns.

    Attributes
    ----------
    path : the file, or how messages name it
    size_bytes : number of bytes in total
    """

    path: Path | str
    size_bytes: int

    def read(self, offset: int, size_bytes: int, *, chunk: str) -> bytes:
        """Return size_bytes bytes from offset.

        Raises
        ------
        TruncatedError
            if the file ends too early.
        """
        buffer = bytearray(size_bytes)
        self.read_into(memoryview(buffer), offset, chunk=chunk)
        return bytes(buffer)

    @abstractmethod
    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes from offset; raises what ``read`` raises."""

    @abstractmethod
    def close(self) -> None:
        """Release what is open."""


class CountingSource(Source):
    """A wrapper around another source that reports how much has been read.

    Parameters
    ----------
    progress : called with the number of bytes read so far, in the thread that reads; if it raises, the read fails
    """

    def __init__(self, source: Source, progress: Callable[[int], None]) -> None:
        self.path, self.size_bytes = source.path, source.size_bytes
        self._source, self._progress = source, progress
        self._lock, self._done_bytes = threading.Lock(), 0

    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes from offset, then report progress."""
        self._source.read_into(target, offset, chunk=chunk)
        with self._lock:  # reported in order, so that a progress bar never moves backwards
            self._done_bytes += target.nbytes
            self._progress(self._done_bytes)

    def close(self) -> None:
        """Close the wrapped source."""
        self._source.close()


class FileSource(Source):
    """An open regular file of a fixed size."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        # O_NONBLOCK: opening a FIFO would otherwise wait for a writer. Some flags are missing on Windows.
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
            | getattr(os, "O_CLOEXEC", 0)
        )
        try:
            self._fd = os.open(windows.extended(str(self.path)), flags)
        except PermissionError as error:
            if self.path.is_dir():  # Windows cannot open a folder as a file
                raise NotGen5Error(f"is {_describe_type(stat.S_IFDIR)}, not a regular file") from error
            raise
        self._lock = threading.Lock()
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise NotGen5Error(f"is {_describe_type(status.st_mode)}, not a regular file")
        except BaseException:
            self.close()
            raise
        self.size_bytes = status.st_size
        self._identity = _identity(status)

    def is_current(self) -> bool:
        """Return whether path still refers to this file and it has not been written to since it was opened."""
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
            if the file ends too early.
        """
        done = 0
        while done < target.nbytes:
            count = self._read_some(target[done:], offset + done)
            if not count:
                raise TruncatedError(
                    f"{target.nbytes} bytes are needed from offset {offset}, but the file ends after {done} of "
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
        with self._lock:  # without preadv, threads share one file position
            os.lseek(self._fd, offset, os.SEEK_SET)
            data = os.read(self._fd, view.nbytes)
        view[: len(data)] = data
        return len(data)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Return values that change when the file is replaced or written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _describe_type(mode: int) -> str:
    names = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in names if test(mode)), "a device")

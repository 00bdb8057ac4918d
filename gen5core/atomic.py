"""One file, whole or not at all: temporary file in the same folder, fsync, rename, fsync of the folder.

A process that is killed leaves its temporary file behind, unlocked; the next save in that folder
removes it. A temporary file that is locked belongs to a save that is still going on.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be removed there, which serves as the lock
    fcntl = None  # type: ignore[assignment]

PREFIX = ".gen5-"
SUFFIX = ".tmp"
_TEMPORARY = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}{re.escape(SUFFIX)}")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What network and FUSE file systems answer that cannot sync a folder; the file stands there all the same."""
_IOV_MAX = 64
Buffer = bytes | memoryview


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = True) -> Iterator[int]:
    """Yield a descriptor to write to; on leaving without an error the file stands at path, synced.

    Raises
    ------
    FileExistsError
        if overwrite is False and path exists by the time the file is whole.
    OSError
        as the file system gives it; a full disk is said in words. Nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    remove_stale(target.parent)
    temporary, fd = _create_locked(target.parent)
    try:
        try:
            yield fd
            _keep_mode(fd, target)
            os.fsync(fd)
            if fcntl is None:
                os.close(fd)
                fd = -1
            _publish(temporary, target, overwrite)
        finally:
            with suppress(FileNotFoundError):
                if fd >= 0:
                    os.close(fd)
                temporary.unlink()
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise OSError(
                error.errno,
                f"{os.strerror(error.errno)}: nothing was written, free some space and save again",
                str(path),
            ) from error
        raise
    _sync_folder(target.parent)


def write_all(fd: int, buffers: Sequence[Buffer]) -> None:
    """Write every byte of buffers, in order, without joining them."""
    views = [view for view in (memoryview(buffer).cast("B") for buffer in buffers) if view.nbytes]
    while views:
        written = os.writev(fd, views[:_IOV_MAX]) if hasattr(os, "writev") else os.write(fd, views[0])
        while views and written >= views[0].nbytes:
            written -= views.pop(0).nbytes
        if written:
            views[0] = views[0][written:]


def remove_stale(folder: Path) -> None:
    """Remove temporary files of saves that were killed; leave those still being written."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _TEMPORARY.fullmatch(entry.name)]
    for name in names:
        with suppress(OSError):
            _remove_if_unlocked(folder / name)


def _remove_if_unlocked(path: Path) -> None:
    if fcntl is None:
        path.unlink()
        return
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(fd)


def _create_locked(folder: Path) -> tuple[Path, int]:
    """Create a temporary file in folder and lock it, again if another save swept it before the lock."""
    while True:
        path = folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if fcntl is None:
            return path, fd
        with suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return path, fd
        os.close(fd)


def _keep_mode(fd: int, target: Path) -> None:
    """Give the new file the permissions of the one that it replaces."""
    if fcntl is not None:
        with suppress(FileNotFoundError, PermissionError):
            os.fchmod(fd, stat.S_IMODE(target.stat().st_mode))


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(temporary, target)


def _sync_folder(folder: Path) -> None:
    if fcntl is None:  # Windows cannot open a folder to sync it
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)

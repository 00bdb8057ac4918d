"""One file, whole or not at all: temporary file in the same folder, fsync, rename, fsync of the folder.

A process that is killed leaves its temporary file behind, unlocked; the next save in that folder
removes it. A temporary file that is locked belongs to a save that is still going on. On Windows an open file
is neither removed nor replaced, which serves as the lock; it is closed before it is renamed, so that only
what has lain there for long is removed.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from . import windows

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
PREFIX = ".gen5-"
SUFFIX = ".tmp"
_TEMPORARY = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}{re.escape(SUFFIX)}")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What network and FUSE file systems answer that cannot sync a folder; the file stands there all the same."""
_IOV_MAX = 64
_STALE_SECONDS = 3600
"""On Windows; a save is renamed moments after its file was closed."""
_PATIENCE_SECONDS = (0.01, 0.05, 0.2, 0.5)
"""How long a virus scanner or an indexer may look at a file, from try to try."""
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
    target = Path(windows.extended(os.path.realpath(path)))
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
            if fd >= 0:
                os.close(fd)
            with suppress(FileNotFoundError, PermissionError):  # on Windows a scanner may have it open
                os.unlink(temporary)
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
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            os.unlink(path)
        return
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
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
    if fcntl is None:
        _move(temporary, target, overwrite)
        return
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


def _move(temporary: Path, target: Path, overwrite: bool) -> None:
    """Rename as Windows does it: never onto a file unless by ``replace``, never while somebody has it open."""
    move = os.replace if overwrite else os.rename
    for seconds in _PATIENCE_SECONDS:
        try:
            move(temporary, target)
        except PermissionError as error:
            refused = error
            time.sleep(seconds)
        else:
            return
    raise PermissionError(
        refused.errno,
        "it cannot be replaced: a program has it open, or it may not be written; close it there and save again",
        str(target),
    ) from refused


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

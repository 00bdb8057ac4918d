"""Write a file completely or not at all: temporary file in the same folder, fsync, rename, fsync of the folder.

A process that is killed leaves its temporary file behind. The next save in that folder removes it if it has not
been written to for a day: a running save pauses for seconds, and a day allows for a computer that sleeps, a share
that stalls and clocks that differ. A save that is stopped for longer fails when it continues, and the previous
file at its path stays; on Windows, where an open file cannot be removed, it succeeds.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from . import windows

PREFIX = ".gen5-"
SUFFIX = ".tmp"
_TEMPORARY = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}{re.escape(SUFFIX)}")
_REMEDIES = {
    errno.ENOSPC: "free some space and save again",
    errno.EDQUOT: "your share of this disk is used up; free some of it, or choose another folder",
    errno.EFBIG: "the disk holds no file as large as this; choose another disk, or save less at a time",
    errno.EROFS: "the disk can only be read; choose a folder on another, or have it mounted for writing",
    errno.EACCES: "you may not write into this folder; choose another, or change its permissions",
    errno.EPERM: "you may not write into this folder; choose another, or change its permissions",
    errno.ENAMETOOLONG: "choose a shorter name or folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.EIO: "the disk or its connection failed; check it, or choose a folder on another disk",
    errno.EMFILE: "too many files are open in this program; restart it and save again",
    errno.ENFILE: "too many files are open; close some programs, and save again",
}
"""Error of the system -> what to do about it."""
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of network and FUSE file systems that cannot sync a folder; the file has been written all the same."""
_IOV_MAX = 64
"""Buffers per writev, far fewer than the 1024 that Linux and macOS allow."""
STALE_SECONDS = 24 * 3600
_CLAIM_SECONDS = 600
"""A claim is held for milliseconds; an older one was left by a process that was killed."""
_RETRY_SECONDS = (0.01, 0.05, 0.2, 0.5)
"""Pauses between attempts to rename on Windows, while a virus scanner or an indexer has the file open."""
Buffer = bytes | memoryview


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = True) -> Iterator[int]:
    """Yield a descriptor to write to. If no error is raised, the file is at path and synced on return.

    Raises
    ------
    FileExistsError
        if overwrite is False and path exists when the file is complete.
    OSError
        from the file system, with a remedy where there is one. No temporary file is left behind.
    """
    target = Path(windows.extended(os.path.realpath(path)))
    try:
        with _write_and_publish(target, overwrite) as fd:
            yield fd
    except OSError as error:
        about = error.filename if isinstance(error.filename, str | os.PathLike) else None
        if about is not None and target.parent not in (Path(about), Path(about).parent):
            raise  # the content could not be read, for example
        if (explained := with_remedy(error, path)) is error:
            raise
        raise explained from error
    _sync_folder(target.parent)


def with_remedy(error: OSError, path: Path) -> OSError:
    """Return an error of writing path that says what to do about it; the same if it says so, or nothing is known."""
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None or error.__cause__ is not None:
        return error
    return OSError(error.errno, f"{os.strerror(error.errno or 0)}: nothing was written; {remedy}", str(path))


@contextmanager
def _write_and_publish(target: Path, overwrite: bool) -> Iterator[int]:
    remove_stale(target.parent)
    temporary = target.parent / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            yield fd
            _keep_mode(fd, target)
            os.fsync(fd)
        finally:
            os.close(fd)  # Windows cannot rename an open file
        _publish(temporary, target, overwrite)
    finally:
        with suppress(FileNotFoundError, PermissionError):  # on Windows a scanner may have it open
            os.unlink(temporary)


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
    """Remove the temporary files of killed saves: those that were not written to for a day."""
    oldest = time.time() - STALE_SECONDS
    with os.scandir(folder) as entries:
        paths = [entry.path for entry in entries if _TEMPORARY.fullmatch(entry.name)]
    for path in paths:
        with suppress(OSError):  # another save removed it first, or on Windows it is open
            if os.lstat(path).st_mtime < oldest:
                os.unlink(path)


def _keep_mode(fd: int, target: Path) -> None:
    """Give the new file the permissions of the file that it replaces."""
    if not windows.IS_WINDOWS:
        with suppress(FileNotFoundError, PermissionError):
            os.fchmod(fd, stat.S_IMODE(target.stat().st_mode))


def publish_new(temporary: Path, target: Path) -> None:
    """Give a complete file of the same disk its name, unless that is taken. The first name may remain.

    Raises
    ------
    FileExistsError
        if target exists.
    """
    if windows.IS_WINDOWS:
        _move(temporary, target, overwrite=False)
        return
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # no hard links here: exFAT, SMB, FUSE, Docker on a Mac, each with an error of its own
        _rename_new(temporary, target)


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    if not overwrite:
        publish_new(temporary, target)
    elif windows.IS_WINDOWS:
        _move(temporary, target, overwrite)
    else:
        os.replace(temporary, target)


def _rename_new(temporary: Path, target: Path) -> None:
    """Rename without replacing a file.

    An empty file of another name claims the target's, which only one writer can create. So a killed process leaves
    nothing under the target's name.
    """
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()
    claim = target.parent / f"{PREFIX}{digest[:16]}{SUFFIX}"
    with suppress(FileNotFoundError):
        if time.time() - claim.lstat().st_mtime > _CLAIM_SECONDS:
            claim.unlink()
    os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        os.rename(temporary, target)
    finally:
        claim.unlink(missing_ok=True)


def _move(temporary: Path, target: Path, overwrite: bool) -> None:
    """Rename on Windows, where only ``replace`` overwrites a file, and neither works while a program has it open."""
    move = os.replace if overwrite else os.rename
    for seconds in _RETRY_SECONDS:
        try:
            move(temporary, target)
        except PermissionError as error:
            refused = error
            time.sleep(seconds)
        else:
            return
    raise PermissionError(
        refused.errno,
        "the file cannot be replaced: a program has it open, or it is write-protected; close it and save again",
        str(target),
    ) from refused


def _sync_folder(folder: Path) -> None:
    if windows.IS_WINDOWS:  # it cannot open a folder to sync it
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)

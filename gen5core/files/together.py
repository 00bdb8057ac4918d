"""Write several files of one folder together: all of them or none, even if the process is killed in between.

They are written under their names into a hidden folder beside their place, which is marked once they are complete,
and moved from there, one after the other. If a process is killed while it moves them, the next save or scan in the
folder moves the rest; what was not complete is removed after a day.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from .atomic import PREFIX, STALE_SECONDS, publish_new

SUFFIX = ".pending"
_PENDING = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}{re.escape(SUFFIX)}")
_COMPLETE = ".complete"
_INTERRUPTED_SECONDS = 60
"""Moving takes milliseconds; what has waited for longer was left by a process that is gone."""


def write_together(folder: Path, files: Mapping[str, Callable[[Path], object]]) -> None:
    """Write files into folder under the names given, each by a function of its path.

    Raises
    ------
    FileExistsError
        if one of the names is taken; then none is written.
    OSError
        from the file system, and whatever the functions raise; then none is written.
    """
    pending = folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
    pending.mkdir()
    try:
        for name, write in files.items():
            write(pending / name)
        (pending / _COMPLETE).touch()
        _move(pending, folder, list(files))
    finally:
        shutil.rmtree(pending, ignore_errors=True)


def finish_interrupted(folder: Path) -> None:
    """Move what killed processes had completed to its place in folder, and remove what they had not."""
    with suppress(OSError), os.scandir(folder) as entries:  # a folder that is gone, or may not be listed
        for entry in entries:
            if _PENDING.fullmatch(entry.name):
                finish(Path(entry.path))


def is_pending(name: str) -> bool:
    """Return whether a folder's name is that of files that are still being written."""
    return _PENDING.fullmatch(name) is not None


def finish(pending: Path) -> None:
    """Move the files of one interrupted write to their place, unless it may still be running."""
    with suppress(OSError):  # another process does the same, or the disk may not be written to
        mark = pending / _COMPLETE
        if not mark.exists():
            if _age_seconds(pending) > STALE_SECONDS:
                shutil.rmtree(pending, ignore_errors=True)
        elif _age_seconds(mark) > _INTERRUPTED_SECONDS:
            for name in sorted(os.listdir(pending)):
                if name != _COMPLETE:
                    _move_rest(pending / name, pending.parent / name)
            mark.unlink()
            pending.rmdir()


def _move(pending: Path, folder: Path, names: list[str]) -> None:
    moved: list[Path] = []
    try:
        for name in names:
            publish_new(pending / name, folder / name)
            moved.append(folder / name)
    except BaseException:
        for done in moved:
            done.unlink(missing_ok=True)
        raise


def _move_rest(source: Path, target: Path) -> None:
    """Move a file that was not moved; one that has two names by now only loses the first."""
    with suppress(FileNotFoundError):
        if target.exists() and source.samefile(target):
            source.unlink()
            return
    publish_new(source, target)
    source.unlink(missing_ok=True)


def _age_seconds(path: Path) -> float:
    return time.time() - path.lstat().st_mtime

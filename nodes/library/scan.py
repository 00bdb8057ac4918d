"""Find the library's files on the disk and update the index from them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ... import gen5core
from ...gen5core.errors import EncodeError
from ...gen5core.files import together
from .. import host
from ..stored.folders import PNG_SUFFIX, SUFFIX, Stamp, is_folder, is_png, list_folder
from ..stored.paths import resolve_file
from .entry import Entry, failed_entry, read_entry
from .index import Index
from .tables import Key, Known, Row

BATCH_FILES = 512
"""Files per transaction: pages show them when it ends, after a fraction of a second."""
_ATTEMPTS = 3
"""How often to scan if the index is rebuilt during the scan."""
_SUFFIXES = (SUFFIX, PNG_SUFFIX)
_LAST_NS = 2**63 - 1
"""In the year 2262; SQLite cannot store a larger integer."""
Progress = Callable[[int, int], None]
Roots = Mapping[str, str]
"""Real path of a folder -> the suffix that Load Gen5 adds to the names of its files."""


class Found(NamedTuple):
    """A file as the file system lists it."""

    entry: os.DirEntry[str]
    name: str
    """As Load Gen5 names it; bytes that are not UTF-8 are escaped."""
    size_and_time: tuple[int, int]
    """The stamp, which is made only of the files that changed, as that takes as long as listing them."""
    is_openable: bool
    """Whether its name is UTF-8; a browser cannot request any other."""

    @property
    def path(self) -> str:
        return self.entry.path

    @property
    def stamp(self) -> Stamp:
        return Stamp(*self.size_and_time)


def library_roots() -> Roots:
    """Return the folders of the library; if output/ and input/ are the same, one."""
    annotations = {"output": " [output]", "input": ""}
    return {os.path.realpath(host.folder(kind)): suffix for kind, suffix in annotations.items()}


def scan(index: Index, roots: Roots, progress: Progress = lambda done, total: None) -> None:
    """Update the index: drop files that are gone, read those that are new or changed, the newest first.

    Parameters
    ----------
    progress : called with the number of files read so far, and of files to read
    """
    for _ in range(_ATTEMPTS):
        if _scan_once(index, roots, progress):
            break
    index.seal()


def _scan_once(index: Index, roots: Roots, progress: Progress) -> bool:
    """Scan once; return False if the index lost its previous contents meanwhile."""
    known = index.stamps(
        roots
    )  # before the walk: files that another process adds during it must not be dropped
    generation = index.generation
    changed, gone = _compare(known, roots)
    index.drop(gone)
    changed.sort(key=lambda one: one[1].size_and_time[1], reverse=True)
    progress(0, len(changed))
    for start in range(0, len(changed), BATCH_FILES):
        batch = changed[start : start + BATCH_FILES]
        rows = [_read_row(root, file) for root, file in batch]
        index.put([row for row in rows if row is not None])
        unread = [(root, file.name) for (root, file), row in zip(batch, rows, strict=True) if row is None]
        index.drop(
            [(root, name) for root, name in unread if name in known[root]]
        )  # the row is of an earlier content
        progress(start + len(batch), len(changed))
    return index.generation == generation


def _compare(known: Known, roots: Roots) -> tuple[list[tuple[str, Found]], list[Key]]:
    """Return the files that are new or changed, and the keys of those that are gone."""
    changed: list[tuple[str, Found]] = []
    gone: list[Key] = []
    for root, annotation in roots.items():
        unseen = dict(known[root])
        for file in walk(root, annotation):
            if unseen.pop(file.name, None) != file.size_and_time:
                changed.append((root, file))
        gone += [(root, name) for name in unseen]
    return changed, gone


def _read_row(root: str, file: Found) -> Row | None:
    """Return a file's row for the index; None if the file is gone, or is a PNG that cannot be opened."""
    try:
        if is_png(file.path) and not gen5core.is_carrier(file.path):
            return Row(root, file.name, file.stamp, None)
    except OSError:
        return None
    entry = _read_entry(file)
    return None if entry is None else Row(root, file.name, file.stamp, entry)


def _read_entry(file: Found) -> Entry | None:
    if file.is_openable:
        return read_entry(file.path, file.name, file.stamp)
    message = "its name is not UTF-8: rename it"
    return failed_entry(file.name, file.stamp, message, "bad_name", carrier=is_png(file.path))


def walk(root: str, annotation: str) -> Iterator[Found]:
    """Yield every .gen5 file and every PNG under root.

    Skipped are links that lead out of root, files that vanish meanwhile, and folders that may not be listed.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        for entry in list_folder(os.path.join(root, folder)):
            own = entry.name
            if is_folder(entry):
                if together.is_pending(own):
                    together.finish(Path(entry.path))  # listed by the next scan
                else:
                    waiting.append(f"{folder}{own}/")
            elif own.lower().endswith(_SUFFIXES):
                raw = f"{folder}{own}{annotation}"
                name = raw if raw.isascii() else raw.encode("utf-8", "backslashreplace").decode()
                if status := _status(entry, name):
                    yield Found(entry, name, (status.st_size, min(status.st_mtime_ns, _LAST_NS)), name == raw)


def _status(entry: os.DirEntry[str], name: str) -> os.stat_result | None:
    """Return the status of a regular file; None for anything else, and for a link that leads out of its root."""
    try:
        if entry.is_symlink():
            resolve_file(name)
        status = entry.stat()
    except (OSError, EncodeError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None

"""The files that Load Gen5 offers: .gen5 files, and those among the PNGs that carry a record.

ComfyUI asks for the list each time that it tells of the node or queues it, and a folder may hold thousands of
ordinary PNGs, so what a PNG is stays known until its stamp changes, and no more than a few are opened at once.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence

from ... import gen5core
from .. import host
from .folders import PNG_SUFFIX, SUFFIX, Stamp, is_folder, is_png, list_folder

logger = logging.getLogger(__name__)
AT_ONCE = 256
"""PNGs opened before the list is answered, the newest: some 30 ms; the others are opened by a thread."""
_LISTED = ("input", "output")


class Carriers:
    """Which PNGs carry a record, by path and stamp; threads may share one.

    One that cannot be opened counts as ordinary.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, bool]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def among(self, pngs: Mapping[str, Stamp]) -> set[str]:
        """Return the paths of pngs that carry a record, as far as that is known; forget all others.

        The newest AT_ONCE that are not known are opened here, the rest in the background: a later call has them.
        """
        with self._lock:
            self._known = {path: known for path, known in self._known.items() if path in pngs}
            unknown = [path for path, stamp in pngs.items() if self._stamp(path) != stamp]
        unknown.sort(key=lambda path: pngs[path].mtime_ns, reverse=True)
        self._look(unknown[:AT_ONCE], pngs)
        self._look_later(unknown[AT_ONCE:], pngs)
        with self._lock:
            return {path for path in pngs if path in self._known and self._known[path][1]}

    def wait(self) -> None:
        """Return when nothing is opened in the background."""
        if self._thread is not None:
            self._thread.join()

    def _stamp(self, path: str) -> Stamp | None:
        return self._known[path][0] if path in self._known else None

    def _look(self, paths: Sequence[str], stamps: Mapping[str, Stamp]) -> None:
        for path in paths:
            found = _carries(path)
            with self._lock:
                self._known[path] = (stamps[path], found)

    def _look_later(self, paths: Sequence[str], stamps: Mapping[str, Stamp]) -> None:
        with self._lock:
            if not paths or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(
                target=self._look, args=(paths, stamps), name="gen5-carriers", daemon=True
            )
            self._thread.start()
        logger.info("looking through %d PNGs for records; press R later to list those found", len(paths))


def list_files() -> list[str]:
    """Return every file of input/ and output/ to load, subfolders included, annotated as ComfyUI does.

    A link that leads out of its folder is left out: ``resolve_file`` refuses it.
    """
    found = [(name, entry) for kind in _LISTED for name, entry in _walk(kind)]
    pngs = {entry.path: stamp for _, entry in found if is_png(entry.path) and (stamp := _stamp(entry))}
    carriers = _carriers.among(pngs)
    return [name for name, entry in found if not is_png(entry.path) or entry.path in carriers]


def _walk(kind: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the annotated name of what may be a file to load, and its entry: in order, a folder's own files first."""
    root = os.fspath(host.folder(kind))
    real_root = os.path.realpath(root)
    annotation = "" if kind == "input" else f" [{kind}]"
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        entries = sorted(list_folder(os.path.join(root, folder)), key=lambda entry: entry.name)
        waiting += [f"{folder}{entry.name}/" for entry in reversed(entries) if is_folder(entry)]
        for entry in entries:
            if entry.name.lower().endswith((SUFFIX, PNG_SUFFIX)) and _is_file_inside(entry, real_root):
                yield f"{folder}{entry.name}{annotation}", entry


def _is_file_inside(entry: os.DirEntry[str], real_root: str) -> bool:
    if not entry.is_symlink():
        return not is_folder(entry)
    return os.path.isfile(entry.path) and os.path.realpath(entry.path).startswith(os.path.join(real_root, ""))


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    """Return the stamp of a regular file; None for anything else, or where it is gone."""
    try:
        status = entry.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _carries(path: str) -> bool:
    try:
        return gen5core.is_carrier(path)
    except OSError:
        return False


_carriers = Carriers()

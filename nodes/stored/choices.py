"""The files that Load Gen5 offers: .gen5 files, and PNGs that carry a record.

ComfyUI asks for the list every time it describes or queues the node, and a folder may hold thousands of
ordinary PNGs. So the result for a PNG is remembered until its stamp changes, and only a few are opened per call.
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
MAX_OPENED_NOW = 256
"""How many PNGs, newest first, are opened before the list is returned (about 30 ms). A thread opens the others."""
_LISTED = ("input", "output")


class Carriers:
    """Remembers which PNGs carry a record, by path and stamp; safe to share between threads.

    A PNG that cannot be opened counts as ordinary.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, bool]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def select(self, pngs: Mapping[str, Stamp]) -> set[str]:
        """Return the paths of pngs that are known to carry a record; forget every path that is not in pngs.

        The newest MAX_OPENED_NOW that are not known are opened here, the rest in the background: a later call has them.
        """
        with self._lock:
            self._known = {path: known for path, known in self._known.items() if path in pngs}
            unknown = [path for path, stamp in pngs.items() if self._stamp(path) != stamp]
        unknown.sort(key=lambda path: pngs[path].mtime_ns, reverse=True)
        self._check(unknown[:MAX_OPENED_NOW], pngs)
        self._check_in_background(unknown[MAX_OPENED_NOW:], pngs)
        with self._lock:
            return {path for path in pngs if path in self._known and self._known[path][1]}

    def wait(self) -> None:
        """Wait until the background thread has finished."""
        if self._thread is not None:
            self._thread.join()

    def _stamp(self, path: str) -> Stamp | None:
        return self._known[path][0] if path in self._known else None

    def _check(self, paths: Sequence[str], stamps: Mapping[str, Stamp]) -> None:
        for path in paths:
            found = _is_carrier(path)
            with self._lock:
                self._known[path] = (stamps[path], found)

    def _check_in_background(self, paths: Sequence[str], stamps: Mapping[str, Stamp]) -> None:
        with self._lock:
            if not paths or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(
                target=self._check, args=(paths, stamps), name="gen5-carriers", daemon=True
            )
            self._thread.start()
        logger.info(
            "checking %d PNGs for records in the background; press R later to list the ones found", len(paths)
        )


def list_files() -> list[str]:
    """Return every loadable file in input/ and output/ and their subfolders, annotated the way ComfyUI does.

    A link that leads out of its folder is left out, since ``resolve_file`` would reject it.
    """
    found = [(name, entry) for kind in _LISTED for name, entry in _walk(kind)]
    pngs = {entry.path: stamp for _, entry in found if is_png(entry.path) and (stamp := _stamp(entry))}
    carriers = _carriers.select(pngs)
    return [name for name, entry in found if not is_png(entry.path) or entry.path in carriers]


def _walk(kind: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the annotated name and the entry of each candidate, sorted, the files of a folder before its subfolders."""
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
    """Return the stamp of a regular file; None for anything else, or if it no longer exists."""
    try:
        status = entry.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _is_carrier(path: str) -> bool:
    try:
        return gen5core.is_carrier(path)
    except OSError:
        return False


_carriers = Carriers()

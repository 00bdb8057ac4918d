"""Files for the library's tests, and the library brought up to date with them."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gen5pack import gen5core
from gen5pack.nodes.library.index import Index
from gen5pack.nodes.library.library import Library
from gen5pack.nodes.library.scan import library_roots, scan
from gen5pack.nodes.library.tables import Key
from gen5pack.nodes.stored.folders import Stamp


def write(path: Path, *, mtime: float | None = None, **facts: Any) -> Path:
    """Write a small file without an environment, changed at mtime (seconds)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gen5core.save(path, **{"environment": None, "hardware": None, **facts})
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


def index_of(folder: Path) -> Index:
    """Return an index beside the files."""
    return Index(folder / "user" / "gen5" / "library.sqlite3")


def scanned(folder: Path) -> Library:
    """Return a library that knows every file."""
    index = index_of(folder)
    scan(index, library_roots())
    return Library(index)


def stamps(index: Index, roots: Collection[str]) -> dict[Key, Stamp | None]:
    """Return the stamps that the index has; None for a file that must be read again."""
    return {
        (root, name): None if size_bytes is None else Stamp(size_bytes, mtime_ns)
        for root, known in index.stamps(roots).items()
        for name, (size_bytes, mtime_ns) in known.items()
    }


def names(library: Library, query: str = "") -> list[str]:
    """Return the names on the first page."""
    return [item["name"] for item in library.page(query, limit=200)["items"]]

"""Lists folders, and stamps files so that a change can be noticed."""

from __future__ import annotations

import os
from typing import NamedTuple

SUFFIX = ".gen5"
PNG_SUFFIX = ".png"


class Stamp(NamedTuple):
    """Size and modification time, which change when a file does."""

    size_bytes: int
    mtime_ns: int


def is_png(path: str) -> bool:
    """Return whether a path has the suffix of a PNG."""
    return path.lower().endswith(PNG_SUFFIX)


def list_folder(folder: str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; empty if it cannot be read or does not exist."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder and not a link to one. Junctions on Windows count as links."""
    is_junction = getattr(entry, "is_junction", None)  # since Python 3.12
    try:
        return entry.is_dir(follow_symlinks=False) and not (is_junction and is_junction())
    except OSError:
        return False

"""Folders as a list of names with what tells one version of a file from the next."""

from __future__ import annotations

import os
from dataclasses import dataclass

SUFFIX = ".gen5"
PNG_SUFFIX = ".png"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells whether a file changed."""

    size_bytes: int
    mtime_ns: int


def is_png(path: str) -> bool:
    """Tell whether a file is named as a PNG."""
    return path.lower().endswith(PNG_SUFFIX)


def list_folder(folder: str) -> list[os.DirEntry[str]]:
    """Return what is in a folder; nothing where it may not be listed, or is gone."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder and no link to one; Windows' junctions are links too."""
    is_junction = getattr(entry, "is_junction", None)  # Python 3.12
    try:
        return entry.is_dir(follow_symlinks=False) and not (is_junction and is_junction())
    except OSError:
        return False

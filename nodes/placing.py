"""Where a save goes, and how a file and its PNGs get there together under one free number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import gen5core
from ..gen5core.atomic import atomic_file, write_all
from ..gen5core.errors import EncodeError
from . import host
from .prefix import expand_prefix

_MAX_COLLISIONS = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a save goes: folder, file name, number, and the subfolder as ComfyUI shows it."""

    folder: Path
    name: str
    counter: int
    subfolder: str

    def stem(self, counter: int, image: int | None) -> str:
        """Return the name without suffix; image numbers the pictures of a batch."""
        name = self.name.replace("%batch_num%", str(image or 0))
        return f"{name}_{counter:05}_{'' if image is None else image}"


def find_place(prefix: str, width: int, height: int, prompt: Mapping[str, Any]) -> Place:
    """Return where to save, before anything is encoded.

    Raises
    ------
    EncodeError
        if the prefix gives no name that the file system takes.
    """
    try:
        return Place(*host.save_location(expand_prefix(prefix, prompt, datetime.now()), width, height))
    except (OSError, ValueError) as error:
        raise EncodeError(
            f"filename_prefix {prefix!r:.80} gives no file name ({error}); choose a shorter or plainer one"
        ) from error


def write_numbered(
    place: Place, facts: Mapping[str, Any], pngs: Sequence[bytes]
) -> tuple[Path, list[dict[str, str]]]:
    """Write the file and its PNGs under the next free number; return the path and what the node shows."""
    for counter in range(place.counter, place.counter + _MAX_COLLISIONS):
        path = place.folder / f"{place.stem(counter, None)}.gen5"
        names = [
            f"{place.stem(counter, None if len(pngs) == 1 else number)}.png" for number in range(len(pngs))
        ]
        beside = [place.folder / name for name in names]
        if any(taken.exists() for taken in (path, *beside)):
            continue
        try:
            _write_together(path, facts, dict(zip(beside, pngs, strict=True)))
        except FileExistsError:
            continue
        return path, [{"filename": name, "subfolder": place.subfolder, "type": "output"} for name in names]
    raise EncodeError(
        f"{place.folder} has no free number after {place.counter}; choose another filename_prefix"
    )


def _write_together(path: Path, facts: Mapping[str, Any], pngs: Mapping[Path, bytes]) -> None:
    """Write the file and its PNGs, overwriting nothing; where one fails, those written are removed."""
    written: list[Path] = []
    try:
        written.append(gen5core.save(path, overwrite=False, **facts))
        for beside, png in pngs.items():
            with atomic_file(beside, overwrite=False) as fd:
                write_all(fd, [png])
            written.append(beside)
    except BaseException:
        for done in written:
            done.unlink(missing_ok=True)
        raise

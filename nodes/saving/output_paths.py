"""Where a save goes, and how its files get there together under one free number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ... import gen5core
from ...gen5core.errors import EncodeError
from ...gen5core.files.atomic import atomic_file, write_all
from .. import host
from .filename_prefix import expand_prefix

_MAX_COLLISIONS = 10_000
_MAX_IMAGE = 9999


@dataclass(frozen=True, slots=True)
class OutputPath:
    """Where a save goes: folder, file name, number, and the subfolder as ComfyUI shows it."""

    folder: Path
    name: str
    counter: int
    subfolder: str

    def stem(self, counter: int, image: int | None) -> str:
        """Return the name without suffix; image numbers the pictures of a batch."""
        name = self.name.replace("%batch_num%", str(image or 0))
        return f"{name}_{counter:05}_{'' if image is None else image}"


@dataclass(frozen=True, slots=True)
class Planned:
    """A file of a save: what its name ends in, and what goes into it."""

    suffix: str
    content: bytes | Mapping[str, Any]
    """Bytes as they are, or what ``gen5core.save`` takes."""
    image: int | None = None
    """Which picture of a batch it is, in its name; None where there is one alone."""


def find_output_path(prefix: str, width: int, height: int, prompt: Mapping[str, Any]) -> OutputPath:
    """Return where to save, before anything is encoded.

    Raises
    ------
    EncodeError
        if the prefix gives no name that the file system takes.
    """
    try:
        place = OutputPath(*host.save_location(expand_prefix(prefix, prompt, datetime.now()), width, height))
        with suppress(FileNotFoundError):
            (place.folder / f"{place.stem(place.counter, _MAX_IMAGE)}.gen5").stat()  # names the one too long
        return place
    except (OSError, ValueError) as error:
        raise EncodeError(
            f"filename_prefix {prefix!r:.80} gives no file name ({error}); choose a shorter or plainer one"
        ) from error


def write_numbered(place: OutputPath, files: Sequence[Planned]) -> list[Path]:
    """Write files together under the next free number, and return where they are."""
    for counter in range(place.counter, place.counter + _MAX_COLLISIONS):
        paths = [place.folder / f"{place.stem(counter, file.image)}{file.suffix}" for file in files]
        if any(path.exists() for path in paths):
            continue
        try:
            _write_together(dict(zip(paths, files, strict=True)))
        except FileExistsError:
            continue
        return paths
    raise EncodeError(
        f"{place.folder} has no free number after {place.counter}; choose another filename_prefix"
    )


def _write_together(files: Mapping[Path, Planned]) -> None:
    """Write files, overwriting nothing; where one fails, those written are removed."""
    written: list[Path] = []
    try:
        for path, file in files.items():
            _write(path, file.content)
            written.append(path)
    except BaseException:
        for done in written:
            done.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes | Mapping[str, Any]) -> None:
    if not isinstance(content, bytes):
        gen5core.save(path, overwrite=False, **content)
        return
    with atomic_file(path, overwrite=False) as fd:
        write_all(fd, [content])

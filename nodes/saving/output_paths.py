"""Where a save goes, and how its files are written together under one free number."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ...gen5core.errors import EncodeError
from ...gen5core.files.atomic import atomic_file, with_remedy, write_all
from ...gen5core.files.together import finish_interrupted, write_together
from .. import host
from .filename_prefix import expand_prefix
from .request import SaveRequest

_MAX_COLLISIONS = 10_000
_MAX_NAME_BYTES = 255
"""Linux's limit, and macOS's and Windows' in their own units, so that none of them allows more bytes of ASCII."""
_SHORTEST_END = "_00001_.png"


@dataclass(frozen=True, slots=True)
class OutputPath:
    """Folder, file name and first number to try, and the subfolder as ComfyUI shows it."""

    folder: Path
    name: str
    counter: int
    subfolder: str

    def stem(self, counter: int, image: int | None) -> str:
        """Return the name without suffix; image is the number of one image of a batch."""
        name = self.name.replace("%batch_num%", str(image or 0))
        return f"{name}_{counter:05}_{'' if image is None else image}"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file of a save, before it has a number."""

    suffix: str
    content: bytes | SaveRequest
    image: int | None = None
    """Number of the image in its batch, for the name; None for a single one."""


def check_prefix(prefix: str) -> str | None:
    """Return why no file can have a prefix, as far as that is known before a run; None if one may.

    A prefix with tokens is not known yet.
    """
    name = re.split(r"[/\\]", prefix)[-1]
    longest = f"{name}{_SHORTEST_END}"
    size = len(os.fsencode(longest.encode("utf-8", "replace").decode()))
    if "%" in prefix or size <= _MAX_NAME_BYTES:
        return None
    return (
        f"filename_prefix {prefix!r:.80} is too long: with the number and suffix its file name takes {size} bytes, "
        f"file systems allow {_MAX_NAME_BYTES}; choose one that is {size - _MAX_NAME_BYTES} bytes shorter"
    )


def find_output_path(
    prefix: str, width: int, height: int, prompt: Mapping[str, Any], count: int = 1
) -> OutputPath:
    """Return where to save, before anything is encoded.

    Parameters
    ----------
    count : how many images are saved; from two on, their numbers are in the names

    Raises
    ------
    EncodeError
        if the prefix does not give a valid file name.
    """
    try:
        expanded = expand_prefix(prefix, prompt, datetime.now())
        output_path = OutputPath(*host.save_location(expanded, width, height))
        # a name that is too long fails here, not after minutes of encoding
        for name in _longest_names(output_path, count):
            with suppress(FileNotFoundError):
                (output_path.folder / name).stat()
        return output_path
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
            _raise_explained(error, Path(error.filename or prefix))
        raise EncodeError(
            f"filename_prefix {prefix!r:.80} gives no file name ({error}); choose a shorter or plainer one"
        ) from error


def _longest_names(output_path: OutputPath, count: int) -> list[str]:
    """Return the names of a save that may be too long: that of its file, and of its last image."""
    last = output_path.stem(output_path.counter, count - 1 if count > 1 else None)
    return [f"{output_path.stem(output_path.counter, None)}.gen5", f"{last}.png"]


def write_numbered(output_path: OutputPath, files: Sequence[OutputFile]) -> list[Path]:
    """Write files together under the next free number, and return their paths."""
    folder = output_path.folder
    try:
        return _write_under_free_number(output_path, files)
    except OSError as error:
        _raise_explained(error, folder)


def _raise_explained(error: OSError, path: Path) -> NoReturn:
    if (explained := with_remedy(error, path)) is error:
        raise error
    raise explained from error


def _write_under_free_number(output_path: OutputPath, files: Sequence[OutputFile]) -> list[Path]:
    folder = output_path.folder
    finish_interrupted(folder)
    for counter in range(output_path.counter, output_path.counter + _MAX_COLLISIONS):
        named = {f"{output_path.stem(counter, file.image)}{file.suffix}": file for file in files}
        if any((folder / name).exists() for name in named):
            continue
        try:
            _write_all(folder, named)
        except FileExistsError:  # another program took the number meanwhile
            continue
        return [folder / name for name in named]
    raise EncodeError(
        f"{output_path.folder} has no free number after {output_path.counter}; choose another filename_prefix"
    )


def _write_all(folder: Path, files: Mapping[str, OutputFile]) -> None:
    """Write files without overwriting any: all of them, or none."""
    if len(files) == 1:
        for name, file in files.items():
            _write(folder / name, file.content)
        return
    write_together(folder, {name: partial(_write, content=file.content) for name, file in files.items()})


def _write(path: Path, content: bytes | SaveRequest) -> None:
    if isinstance(content, SaveRequest):
        content.write(path)
        return
    with atomic_file(path, overwrite=False) as fd:
        write_all(fd, [content])

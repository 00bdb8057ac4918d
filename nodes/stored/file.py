"""The GEN5 socket: a stored file by path and root, read when something of it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ... import gen5core
from ...gen5core.errors import ChecksumError, EncodeError
from ..tensors.latents import Parts
from .passes import read_parts
from .start import StoredStart, read_start

ReadLatent = Callable[[str], Parts]
_CHOOSE_ANEW = "change filename_prefix in Save Gen5 to save it again, or press R and choose it in Load Gen5"
"""Queueing again is not enough behind a Save Gen5, which is cached."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was whole when it was opened; if it changed since then, reading it is an error."""

    path: Path
    root: str

    @contextmanager
    def open(self) -> Iterator[gen5core.Gen5File]:
        """Open the file.

        Raises
        ------
        ChecksumError
            if it is not the file that was saved or loaded.
        EncodeError
            if it is not there any more.
        """
        try:
            opened = gen5core.open(self.path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise EncodeError(
                f"{self.path.name} was moved or deleted since it was saved or loaded: {_CHOOSE_ANEW}"
            ) from error
        with opened as file:
            if file.root != self.root:
                raise ChecksumError(
                    f"{self.path.name} was replaced since it was saved or loaded "
                    f"(root {self.root[:12]}… is now {file.root[:12]}…): {_CHOOSE_ANEW}"
                )
            yield file

    @contextmanager
    def latents(self) -> Iterator[ReadLatent]:
        """Yield a function that reads a latent by its name; the first call opens the file, as ``open`` does."""
        with ExitStack() as stack:
            opened = cache(lambda: stack.enter_context(self.open()))
            yield lambda name: read_parts(opened(), name)

    def read_start(self, pass_index: int = -1) -> StoredStart:
        """Return what a replay of one pass, or of all for −1, starts from; see ``start.read_start``."""
        with self.open() as file:
            return read_start(file, pass_index)


def open_stored(path: Path) -> StoredFile:
    """Return path as the GEN5 socket's value, after checking header and META.

    Raises
    ------
    FormatError, OSError
    """
    with gen5core.open(path) as file:
        return StoredFile(path, file.root)


def content_tag(file: gen5core.Gen5File) -> str:
    """Return what stands for a file's content: its root; of a PNG that carries it its stamp too.

    The root tells of the picture that a PNG should show, not of the one that it shows.

    Raises
    ------
    OSError
    """
    if file.carrier is None:
        return file.root
    status = os.stat(file.path)
    return f"{file.root}-{status.st_mtime_ns}-{status.st_size}"

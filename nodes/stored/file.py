"""The value of a GEN5 socket: the path and root of a stored file, which is read on demand."""

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
_REMEDY = "change filename_prefix in Save Gen5 to save it again, or press R and choose it in Load Gen5"
"""Queueing again is not enough after a Save Gen5: the node is cached and does not save again."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was intact when it was opened. Reading it is an error if it has changed since."""

    path: Path
    root: str
    batch_index: int = -1
    """The image of its batch that was chosen in Load Gen5; −1 for all."""

    @contextmanager
    def open(self) -> Iterator[gen5core.Gen5File]:
        """Open the file.

        Raises
        ------
        ChecksumError
            if it was replaced since it was saved or loaded.
        EncodeError
            if it no longer exists.
        """
        try:
            opened = gen5core.open(self.path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise EncodeError(
                f"{self.path.name} was moved or deleted since it was saved or loaded: {_REMEDY}"
            ) from error
        with opened as file:
            if file.root != self.root:
                raise ChecksumError(
                    f"{self.path.name} was replaced since it was saved or loaded "
                    f"(root {self.root[:12]}… is now {file.root[:12]}…): {_REMEDY}"
                )
            yield file

    @contextmanager
    def latents(self) -> Iterator[ReadLatent]:
        """Yield a function that reads a latent by name. Its first call opens the file, as ``open`` does."""
        with ExitStack() as stack:
            opened = cache(lambda: stack.enter_context(self.open()))
            yield lambda name: read_parts(opened(), name)

    def read_start(self, pass_index: int = -1, batch_index: int = -1) -> StoredStart:
        """Return what a replay of one pass (−1: of all passes) starts from; see ``start.read_start``."""
        with self.open() as file:
            return read_start(file, pass_index, batch_index)


def open_stored(path: Path) -> StoredFile:
    """Return a file as the value of a GEN5 socket, after checking its header and META.

    Raises
    ------
    FormatError, OSError
    """
    with gen5core.open(path) as file:
        return StoredFile(path, file.root)


def content_tag(file: gen5core.Gen5File) -> str:
    """Return a tag that changes with a file's content: its root, and for a PNG carrier its stamp as well.

    The root covers the picture that a PNG should show, which may differ from the one that it does show.

    Raises
    ------
    OSError
    """
    if file.carrier is None:
        return file.root
    status = os.stat(file.path)
    return f"{file.root}-{status.st_mtime_ns}-{status.st_size}"

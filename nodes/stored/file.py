"""The GEN5 socket: a stored file by path and root, read when something of it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ... import gen5core
from ...gen5core.errors import ChecksumError, EncodeError
from ..tensors.latents import Parts
from .passes import BatchPosition, StoredPass, image_of_batch, read_passes

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

    def tensors(self, name: str) -> Parts:
        """Return a latent's tensors in the dtype that was saved."""
        with self.open() as file:
            return [part.torch() for part in file.latents[name].parts]

    def image_of_batch(self) -> BatchPosition | None:
        """Return which image of its batch the file holds; None where it holds all that were saved."""
        with self.open() as file:
            return image_of_batch(file)

    def passes(self) -> list[StoredPass]:
        """Return the sampler passes as they ran; where none were captured, one made of the noise."""
        with self.open() as file:
            return read_passes(file)


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

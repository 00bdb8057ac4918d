"""The exceptions of this package: ``FormatError`` for a bad file, ``EncodeError`` for a bad argument.

Each of them is also the matching built-in exception (``ValueError``, ``TypeError``, ``KeyError``,
``EOFError``), so code that does not know this package can still catch it. An ``OSError`` from the file
system is raised unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Gen5Error(Exception):
    """Base class of every exception that this package defines.

    Attributes
    ----------
    kind : str or None
        a word for programs, e.g. ``"stripped"``, if the class alone does not distinguish one cause from another
    """

    def __init__(self, *args: object, kind: str | None = None) -> None:
        super().__init__(*args)
        self.kind = kind


class FormatError(Gen5Error, ValueError):
    """The bytes are not a valid GEN5 file.

    Attributes
    ----------
    offset : int or None
        position in the file, in bytes, at which the fault was found
    chunk : str or None
        the chunk at fault, e.g. ``"META"`` or ``"chunk 0 (LATN 'initial_noise')"``
    path : str or None
        the file; None if the bytes did not come from a file, or before ``naming_file`` sets it
    """

    def __init__(
        self,
        message: str,
        *,
        offset: int | None = None,
        chunk: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message, kind=kind)
        self.offset = offset
        self.chunk = chunk
        self.path: str | None = None

    def __str__(self) -> str:
        return self.fault

    @property
    def fault(self) -> str:
        """What is wrong and where, without a remedy that only a program can take."""
        where = [self.chunk] if self.chunk else []
        if self.offset is not None:
            where.append(f"at offset {self.offset}")
        named = [part for part in (self.path, " ".join(where)) if part]
        return ": ".join([*named, super().__str__()])


class NotGen5Error(FormatError):
    """The file is not a GEN5 file."""


class UnsupportedVersionError(FormatError):
    """The file has a version or a flag that this reader does not know."""


class TruncatedError(FormatError, EOFError):
    """The file ends before the end that its header or chunk table gives."""


class ChecksumError(FormatError):
    """A digest, seal or checksum does not match the bytes."""


class SignatureError(ChecksumError):
    """A signature is not valid for the file: one of them was changed, or the signature is from another file."""


class LimitError(FormatError):
    """Reading the file would exceed one of the ``Limits``.

    Attributes
    ----------
    raisable : bool
        whether larger Limits would let the file be read
    """

    def __init__(
        self, message: str, *, offset: int | None = None, chunk: str | None = None, raisable: bool = False
    ) -> None:
        super().__init__(message, offset=offset, chunk=chunk)
        self.raisable = raisable

    def __str__(self) -> str:
        return f"{self.fault}; if you trust the file, pass larger Limits" if self.raisable else self.fault


class MalformedChunkError(FormatError):
    """The bytes are complete, but break a rule of the format."""


class EncodeError(Gen5Error, ValueError):
    """A value cannot be stored; nothing was written."""


class UnsupportedDtypeError(EncodeError, TypeError):
    """An array has a dtype that the format cannot store without loss."""


class PromptError(EncodeError):
    """A value is not a ComfyUI prompt in API form."""


class InvalidKeyError(EncodeError):
    """A key, a key file or the list of trusted keys cannot be used."""


class ChunkNotFoundError(Gen5Error, KeyError):
    """The file has no latent, image or component of that name."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


@contextmanager
def naming_file(path: object) -> Iterator[None]:
    """Add the path to every FormatError raised in the block, unless it already names a file."""
    try:
        yield
    except FormatError as error:
        error.path = error.path or str(path)
        raise

"""One family of errors: what a file does wrong, what a caller asks wrong.

``FormatError`` blames the bytes, ``EncodeError`` blames the values handed in. Each is also the builtin
that it means, so code that knows nothing of this package still catches the right thing. An ``OSError``
from the file system passes through unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Gen5Error(Exception):
    """Base of every error that this package raises by itself.

    Attributes
    ----------
    kind : str or None
        a word for programs, e.g. ``"stripped"``, where the class alone does not tell one cause from another
    """

    def __init__(self, *args: object, kind: str | None = None) -> None:
        super().__init__(*args)
        self.kind = kind


class FormatError(Gen5Error, ValueError):
    """The bytes are not a GEN5 file that can be trusted.

    Attributes
    ----------
    offset : int or None
        position in the file, in bytes, where the fault was found
    chunk : str or None
        the chunk at fault, e.g. ``"META"`` or ``"chunk 0 (LATN 'initial_noise')"``
    path : str or None
        the file, where it is one
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
    """The file is of another kind."""


class UnsupportedVersionError(FormatError):
    """The file is of a version, or uses a flag, that this reader does not know."""


class TruncatedError(FormatError, EOFError):
    """The file ends, or was cut, before what its header or table promises."""


class ChecksumError(FormatError):
    """A digest, seal or checksum does not match the bytes."""


class SignatureError(ChecksumError):
    """A signature does not fit the file: either was changed, or the signature is another file's."""


class LimitError(FormatError):
    """Reading on would need more than the limits in force allow.

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
    """Bytes are whole but break a rule of the format."""


class EncodeError(Gen5Error, ValueError):
    """A value cannot be stored; nothing was written."""


class UnsupportedDtypeError(EncodeError, TypeError):
    """An array is of a dtype that has no lossless place in the format."""


class InvalidKeyError(EncodeError):
    """A key, a key file or the list of trusted keys cannot be used."""


class ChunkNotFoundError(Gen5Error, KeyError):
    """The file has no latent, image or component of that name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@contextmanager
def naming_file(path: object) -> Iterator[None]:
    """Let every FormatError raised inside name the file."""
    try:
        yield
    except FormatError as error:
        error.path = error.path or str(path)
        raise

"""An error as a word for programs, by which the browser chooses its own texts, badges and remedies."""

from __future__ import annotations

import errno

from ...gen5core.errors import (
    ChunkNotFoundError,
    EncodeError,
    FormatError,
    Gen5Error,
    LimitError,
    NotGen5Error,
    SignatureError,
    TruncatedError,
    UnsupportedVersionError,
)

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (SignatureError, "invalid_signature"),
    (NotGen5Error, "not_gen5"),
    (UnsupportedVersionError, "newer_version"),
    (TruncatedError, "truncated"),
    (LimitError, "over_limit"),
    (FormatError, "damaged"),
    (ChunkNotFoundError, "missing_part"),
    (EncodeError, "bad_value"),
    (PermissionError, "no_access"),
    (MemoryError, "over_memory"),
    (RecursionError, "over_memory"),
)
"""The first class that fits counts."""


def kind_of(error: Exception) -> str:
    """Return the word for an error: its own where it was raised with one, else its class's.

    Parameters
    ----------
    error : a Gen5Error, OSError, MemoryError or RecursionError
    """
    if isinstance(error, Gen5Error) and error.kind is not None:
        return error.kind
    if isinstance(error, OSError) and error.errno in _NOT_THERE:
        return "not_found"
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "unreadable")


def fault_of(error: Gen5Error) -> str:
    """Return an error's message, without a remedy that only a program can take."""
    return error.fault if isinstance(error, FormatError) else str(error)

"""Errors as words for programs; the browser chooses its badges, and texts of its own, by them."""

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

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
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
"""The first matching class decides, so subclasses come before their base class."""


def kind_of(error: Exception) -> str:
    """Return the word for an error: its own ``kind`` if it was raised with one, otherwise that of its class.

    Parameters
    ----------
    error : a Gen5Error, OSError, MemoryError or RecursionError
    """
    if isinstance(error, Gen5Error) and error.kind is not None:
        return error.kind
    if isinstance(error, OSError) and error.errno in _MISSING:
        return "not_found"
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "unreadable")


def fault_of(error: Gen5Error) -> str:
    """Return an error's message, without remedies that only a programmer can use."""
    return error.fault if isinstance(error, FormatError) else str(error)

"""What a route refuses: who asks from elsewhere, what is asked wrongly, and what a file does not give."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from ...gen5core.errors import ChunkNotFoundError, FormatError, Gen5Error

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
MAX_MESSAGE = 2000
"""Characters: a message may quote names out of a file, which may hold megabytes of each."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HttpError(Exception):
    """An answer that says why there is no other; ``message`` is shown to the person."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message[:MAX_MESSAGE]


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse what a page of another site asks.

    Parameters
    ----------
    headers : of the request, their names in any case

    Where the browser says that the page is the server's own, the origin need not be the Host that arrives here: a
    proxy may have changed that.

    Raises
    ------
    HttpError

    Source: RFC 6454, section 7; Fetch Metadata Request Headers, section 2.3.
    """
    site = headers.get("Sec-Fetch-Site")  # which no page can set
    if site == "cross-site":
        raise HttpError(HTTPStatus.FORBIDDEN, "another site may not ask this")
    origin = headers.get("Origin")
    if site != "same-origin" and origin is not None and not _is_same(origin, headers.get("Host", "")):
        raise HttpError(HTTPStatus.FORBIDDEN, f"a page of {origin:.200} may not ask this")


def _is_same(origin: str, host: str) -> bool:
    try:
        theirs = urlsplit(origin)
        port = _DEFAULT_PORTS.get(theirs.scheme)
        ours = urlsplit(f"{theirs.scheme}://{host}")
        return bool(port and theirs.hostname) and (theirs.hostname, theirs.port or port) == (
            ours.hostname,
            ours.port or port,
        )
    except ValueError:  # a port that is no number
        return False


def http_error_of(error: Exception, name: str = "", path: Path | None = None) -> HttpError:
    """Return the refusal that an error means.

    Parameters
    ----------
    error : a Gen5Error or OSError
    name, path : the file as the person knows it, and where it lies, which is not told
    """
    if isinstance(error, OSError) and not isinstance(error, Gen5Error):
        return _of_file_system(error, name)
    if isinstance(error, FormatError):
        error.path = name or None
    message = str(error) if path is None else str(error).replace(str(path), name)
    if isinstance(error, ChunkNotFoundError):
        return HttpError(HTTPStatus.NOT_FOUND, f"{name}: {message}" if name else message)
    return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, message)


def _of_file_system(error: OSError, name: str) -> HttpError:
    if isinstance(error, PermissionError):
        return HttpError(HTTPStatus.FORBIDDEN, f"{name} may not be read")
    if error.errno in _NOT_THERE:
        return HttpError(HTTPStatus.NOT_FOUND, f"{name} is not there")
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, f"{name} cannot be read: {error.strerror}")

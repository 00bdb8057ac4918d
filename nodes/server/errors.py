"""What a route refuses: who asks from elsewhere, what is asked wrongly, and what a file does not give."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from ...gen5core.errors import ChunkNotFoundError, FormatError, Gen5Error
from ..stored.error_kinds import fault_of, kind_of

MAX_MESSAGE = 2000
"""Characters: a message may quote names out of a file, which may hold megabytes of each."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HttpError(Exception):
    """A response that says why there is no other.

    Attributes
    ----------
    kind : a word by which the browser chooses its own text, badge and remedy
    message : what is wrong, in English, for whatever has no text of its own for the kind
    """

    def __init__(self, status: HTTPStatus, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message[:MAX_MESSAGE]

    def as_json(self) -> dict[str, str]:
        """Return what a response, or the last line of a check, says of it."""
        return {"error": self.message, "kind": self.kind}


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
        raise HttpError(HTTPStatus.FORBIDDEN, "other_site", "another site may not ask this")
    origin = headers.get("Origin")
    if site != "same-origin" and origin is not None and not _is_same(origin, headers.get("Host", "")):
        raise HttpError(HTTPStatus.FORBIDDEN, "other_site", f"a page of {origin:.200} may not ask this")


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


def http_error_of(error: Gen5Error | OSError, name: str = "", path: Path | None = None) -> HttpError:
    """Return the HTTP error that an error means.

    Parameters
    ----------
    error : as it was raised
    name, path : the file as the person knows it, and where it lies, which is left out
    """
    kind = kind_of(error)
    if not isinstance(error, Gen5Error):
        return _of_file_system(error, kind, name)
    if isinstance(error, FormatError):
        error.path = name or None
    message = fault_of(error) if path is None else fault_of(error).replace(str(path), name)
    if isinstance(error, ChunkNotFoundError):
        return HttpError(HTTPStatus.NOT_FOUND, kind, f"{name}: {message}" if name else message)
    return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, kind, message)


def _of_file_system(error: OSError, kind: str, name: str) -> HttpError:
    status, message = {
        "no_access": (HTTPStatus.FORBIDDEN, f"{name} may not be read"),
        "not_found": (HTTPStatus.NOT_FOUND, f"{name} is not there"),
    }.get(kind, (HTTPStatus.INTERNAL_SERVER_ERROR, f"{name} cannot be read: {error.strerror}"))
    return HttpError(status, kind, message)

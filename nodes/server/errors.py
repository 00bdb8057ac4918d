"""Errors as HTTP responses: invalid queries, and files that cannot be read."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from ...gen5core.errors import ChunkNotFoundError, FormatError, Gen5Error
from ..stored.error_kinds import fault_of, kind_of

MAX_MESSAGE = 2000
"""Characters; a message may quote names from a file, and each of those may be megabytes long."""


class HttpError(Exception):
    """A request that is refused, with the status and body of the response.

    Attributes
    ----------
    kind : a word by which the browser chooses its own text, badge and remedy
    message : what is wrong, in English, for clients that have no text of their own for the kind
    """

    def __init__(self, status: HTTPStatus, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message[:MAX_MESSAGE]

    def as_json(self) -> dict[str, str]:
        """Return the body of an error response, which is also the last line of a failed check."""
        return {"error": self.message, "kind": self.kind}


def http_error_of(error: Gen5Error | OSError, name: str = "", path: Path | None = None) -> HttpError:
    """Return an error of the library or the file system as an HTTP error.

    Parameters
    ----------
    error : the error that was raised; its ``path`` is replaced by name
    name, path : the file's name as the user gave it, and its real path, which the message must not reveal
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

"""Refuses requests that come from a page of another website, since the routes have no login."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from .errors import HttpError

_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse a request from a page of another site.

    Parameters
    ----------
    headers : of the request; the mapping must ignore the case of names

    If the browser says that the page is the server's own, Origin and Host may differ, since a proxy may have
    changed Host.

    Raises
    ------
    HttpError

    Source: RFC 6454, section 7; Fetch Metadata Request Headers, section 2.3.
    """
    site = headers.get("Sec-Fetch-Site")  # set by the browser; a page cannot change it
    if site == "cross-site":
        raise HttpError(HTTPStatus.FORBIDDEN, "other_site", "requests from other sites are refused")
    origin = headers.get("Origin")
    if site != "same-origin" and origin is not None and not _is_same(origin, headers.get("Host", "")):
        raise HttpError(
            HTTPStatus.FORBIDDEN, "other_site", f"requests from pages of {origin:.200} are refused"
        )


def _is_same(origin: str, host: str) -> bool:
    try:
        theirs = urlsplit(origin)
        port = _DEFAULT_PORTS.get(theirs.scheme)
        ours = urlsplit(f"{theirs.scheme}://{host}")
        return bool(port and theirs.hostname) and (theirs.hostname, theirs.port or port) == (
            ours.hostname,
            ours.port or port,
        )
    except ValueError:  # the port is not a number
        return False

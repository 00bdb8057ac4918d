"""Requests to the routes of a running server, and the user's settings."""

from __future__ import annotations

import http.client
import json
import struct
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from .server import Server

OCTETS = {"Content-Type": "application/octet-stream"}
META_OFFSET_AT = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of the server."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Return the body, which must be JSON without NaN and infinity."""
        assert self.headers.get_content_type() == "application/json", self.body[:200]
        return json.loads(self.body, parse_constant=lambda name: pytest.fail(f"{name} in the response"))

    def error(self) -> tuple[int, str]:
        """Return status and message of an error."""
        return self.status, self.json()["error"]


def ask(
    server: Server,
    target: str,
    *,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send a request with an unescaped target, and return the response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def get(server: Server, route: str, headers: Mapping[str, str] | None = None, **query: Any) -> Reply:
    """Return the response of a GET route."""
    return ask(server, f"/gen5/{route}?{urllib.parse.urlencode(query)}", headers=headers)


def post(server: Server, body: Any, headers: Mapping[str, str] = OCTETS, prefix: str = "/gen5") -> Reply:
    """Post a body to /gen5/read, and return the response."""
    return ask(server, f"{prefix}/read", method="POST", body=body, headers=headers)


def head_and_tail(data: bytes) -> bytes:
    """Return the parts of a file that the browser sends."""
    if len(data) < 32:
        return data
    (offset,) = struct.unpack_from("<I", data, META_OFFSET_AT)
    return data[:32] + data[offset:]


@contextmanager
def chosen(server: Server, name: str, value: bool) -> Iterator[None]:
    """Set a switch as a user does in the page, and set it back after the block."""
    assert server.post("/settings", {name: value}) == (200, None)
    try:
        yield
    finally:
        assert server.post("/settings", {name: not value}) == (200, None)


def refreshed(server: Server, query: str = "") -> list[dict[str, Any]]:
    """Rescan the library, and return the items that a query finds."""
    page = get(server, "library", refresh=1).json()
    end = time.monotonic() + 60
    while page["scan"]["running"] and time.monotonic() < end:
        time.sleep(0.1)
        page = get(server, "library").json()
    assert not page["scan"]["running"]
    items: list[dict[str, Any]] = get(server, "library", query=query, limit=200).json()["items"]
    return items

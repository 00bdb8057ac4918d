"""Read-only HTTP for the web extension, served at /gen5/… and /api/gen5/… by ComfyUI's own server.

Whatever blocks runs in a thread; the event loop checks the origin, reads the body and sends.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from ...gen5core.container.spec import Limits
from .. import host
from .errors import HttpError
from .handlers import (
    Request,
    Response,
    error_response,
    handle_file,
    handle_image,
    handle_library,
    handle_noise,
    handle_parts,
    handle_workflow,
)
from .origin import check_origin
from .verify import Check

Result = TypeVar("Result")
PREFIX = "/gen5/"
MAX_BODY_BYTES = Limits().meta_stored_bytes + 2**20
"""The header, META, and space for the trailers after META."""
BODY_TYPE = "application/octet-stream"
LINES_TYPE = "application/x-ndjson"
_READ_BYTES = 2**16
_GET: dict[str, Callable[[Request], Response]] = {
    "file": handle_file,
    "workflow": handle_workflow,
    "image": handle_image,
    "noise": handle_noise,
    "library": handle_library,
}
_THREADS = ThreadPoolExecutor(4, thread_name_prefix="gen5-routes")
"""Few, since each may hold a picture or a latent in memory."""
_CHECKS = ThreadPoolExecutor(1, thread_name_prefix="gen5-checks")
"""Separate, since a check takes long; one at a time, since it starts threads of its own."""


def register() -> bool:
    """Add the routes to ComfyUI's; return False if there is no server, or if it has them already."""
    table = host.routes()
    if table is None or any(getattr(route, "path", "").startswith(PREFIX) for route in table):
        return False  # two copies of this pack are installed: aiohttp does not start with a route added twice
    web = importlib.import_module("aiohttp.web")
    for name, handler in _GET.items():
        table.get(PREFIX + name)(_served(web, partial(_respond, handler)))
    table.get(f"{PREFIX}verify")(_served(web, partial(_verify, web)))
    table.post(f"{PREFIX}read")(_served(web, _read))
    return True


def _served(web: Any, handle: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Return handle as an aiohttp handler that checks the origin first and converts responses and errors."""

    async def serve(request: Any) -> Any:
        try:
            check_origin(request.headers)
            response = await handle(request)
        except HttpError as error:
            response = error_response(error)
        if not isinstance(response, Response):
            return response
        return web.Response(
            body=response.body,
            status=response.status,
            headers={"Content-Type": response.content_type, **response.headers},
        )

    return serve


async def _respond(handler: Callable[[Request], Response], request: Any) -> Response:
    tags = frozenset(tag.value for tag in request.if_none_match or ())
    return await _in_thread(handler, Request(request.query, tags))


async def _read(request: Any) -> Response:
    return await _in_thread(handle_parts, await _body(request))


async def _body(request: Any) -> bytes:
    """Return the body of a request, refusing it as soon as it is too large.

    Raises
    ------
    HttpError
    """
    sent_type = request.headers.get("Content-Type", "")  # aiohttp's property gives this type if there is none
    if sent_type.split(";")[0].strip().lower() != BODY_TYPE or "Content-Encoding" in request.headers:
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "bad_body", f"send {BODY_TYPE} without a Content-Encoding"
        )
    body = bytearray()
    if (request.content_length or 0) <= MAX_BODY_BYTES:
        async for piece in request.content.iter_chunked(_READ_BYTES):
            body += piece
            if len(body) > MAX_BODY_BYTES:
                break
        else:
            return bytes(body)
    raise HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"more than {MAX_BODY_BYTES} bytes: send only the file's first 32 bytes, and everything from META on",
    )


async def _verify(web: Any, request: Any) -> Any:
    """Send the progress of a check of a file as lines of JSON, the result last.

    Raises
    ------
    HttpError
    """
    if request.method == "HEAD":  # aiohttp routes HEAD to GET's handler, which would send a body
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "bad_method", "request a check with GET, not HEAD")
    check = await _in_thread(Check.begin, request.query)
    response = web.StreamResponse(headers={"Content-Type": LINES_TYPE, "Cache-Control": "no-store"})
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(
        _CHECKS, check.run, lambda line: loop.call_soon_threadsafe(lines.put_nowait, line)
    )
    try:
        await response.prepare(request)
        while (line := await lines.get()) is not None:
            await response.write(line)
        await response.write_eof()
    except ConnectionError:
        pass  # the browser has closed the connection
    finally:
        check.stop()
        await running
    return response


async def _in_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, copy_context().run, work, *arguments)

"""Read-only HTTP for the web extension, served at /gen5/… and /api/gen5/… by ComfyUI's own server.

Whatever blocks runs in a thread; the event loop guards, reads the body and sends.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from ...gen5core.container.spec import Limits
from .. import host
from .errors import HttpError, check_origin
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
from .verify import Check

Result = TypeVar("Result")
PREFIX = "/gen5/"
MAX_BODY_BYTES = Limits().meta_stored_bytes + 2**20
"""The header, META, and room for what follows META."""
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
"""No more at once: each may hold a picture or a latent in memory."""
_CHECKS = ThreadPoolExecutor(1, thread_name_prefix="gen5-checks")
"""Apart, since a check takes long; one at a time, since it has threads of its own."""


def register() -> bool:
    """Add the routes to ComfyUI's; tell whether there is a server for that, and they were not there yet."""
    table = host.routes()
    if table is None or any(getattr(route, "path", "").startswith(PREFIX) for route in table):
        return False  # two copies of this pack: the server would not start with a route twice
    web = importlib.import_module("aiohttp.web")
    for name, answer in _GET.items():
        table.get(PREFIX + name)(_served(web, partial(_answer, answer)))
    table.get(f"{PREFIX}verify")(_served(web, partial(_verify, web)))
    table.post(f"{PREFIX}read")(_served(web, _read))
    return True


def _served(web: Any, handle: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Return handle as aiohttp wants it: guarded, its answers made responses."""

    async def serve(request: Any) -> Any:
        try:
            check_origin(request.headers)
            answer = await handle(request)
        except HttpError as error:
            answer = error_response(error)
        if not isinstance(answer, Response):
            return answer
        return web.Response(
            body=answer.body,
            status=answer.status,
            headers={"Content-Type": answer.content_type, **answer.headers},
        )

    return serve


async def _answer(answer: Callable[[Request], Response], request: Any) -> Response:
    tags = frozenset(tag.value for tag in request.if_none_match or ())
    return await _in_thread(answer, Request(request.query, tags))


async def _read(request: Any) -> Response:
    return await _in_thread(handle_parts, await _body(request))


async def _body(request: Any) -> bytes:
    """Return the body of a request, refusing it as soon as it is too large.

    Raises
    ------
    HttpError
    """
    sent_type = request.headers.get("Content-Type", "")  # aiohttp's own property takes none for this type
    if sent_type.split(";")[0].strip().lower() != BODY_TYPE or "Content-Encoding" in request.headers:
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "bad_body", f"send {BODY_TYPE}, not encoded")
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
        f"more than {MAX_BODY_BYTES} bytes: send the first 32 bytes of the file, and META to its end",
    )


async def _verify(web: Any, request: Any) -> Any:
    """Send how far the check of a file is, line by line, and its end.

    Raises
    ------
    HttpError
    """
    if request.method == "HEAD":  # which aiohttp takes with GET, and lines would be sent as its body
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "bad_method", "a check is asked for with GET")
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
        pass  # the browser has gone, and there is no one to answer
    finally:
        check.stop()
        await running
    return response


async def _in_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work, *arguments)

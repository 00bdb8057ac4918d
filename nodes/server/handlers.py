"""The handlers of the GET routes: plain functions that may block, so they run outside the server's event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from ... import gen5core
from ...gen5core.container import strict_json
from ...gen5core.errors import ChunkNotFoundError, Gen5Error
from .. import host
from ..library import library
from ..stored.file import content_tag
from .errors import HttpError, http_error_of
from .file_json import describe, describe_here, graphs
from .params import NamedFile, Query, read_file_name, read_integer, read_switch
from .thumbnails import image_thumbnail, noise_thumbnail, picture_type

LIBRARY_SETTING = "Gen5.Library.Enabled"
MAX_INDEX = 9999
MAX_SIZE = 2048
"""Pixels of a thumbnail's longer side."""
MAX_OFFSET = 10**9
MAX_PICTURE_BYTES = 2**28
"""Bytes of an image that is sent as stored; it is held in memory."""
JSON_TYPE = "application/json"
_KEPT = {"Cache-Control": "private, no-cache"}
_FRESH = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of a request that a response depends on."""

    query: Query
    known_tags: frozenset[str] = frozenset()
    """ETags of what the browser has cached; for one of these the response is 304."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response."""

    body: bytes = b""
    content_type: str = JSON_TYPE
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=_FRESH.copy)


def json_response(value: Any) -> Response:
    """Return a response with value as JSON; NaN and infinities become null.

    Raises
    ------
    EncodeError
        if value is nested too deeply.
    """
    return Response(strict_json.dumps(value, "the response").encode())


def error_response(error: HttpError) -> Response:
    """Return the response to a refused request: ``error`` for people, ``kind`` for programs."""
    body = strict_json.dumps(error.as_json(), "the response").encode()
    return Response(body, status=error.status)


@contextmanager
def opened(named: NamedFile) -> Iterator[gen5core.Gen5File]:
    """Open a file; error messages contain the name from the request, not its path.

    Raises
    ------
    HttpError
    """
    try:
        with gen5core.open(named.path) as file:
            yield file
    except (Gen5Error, OSError) as error:
        raise http_error_of(error, named.name, named.path) from error


def handle_parts(head_and_tail: bytes) -> Response:
    """Describe a file that only the browser has, from its header and META.

    Raises
    ------
    HttpError
    """
    try:
        with gen5core.open_parts(head_and_tail) as file:
            known = {"root": file.root, "version": str(file.version), "sealed": file.sealed}
            return json_response({**known, "facts": describe(file), **graphs(file)})
    except Gen5Error as error:
        raise http_error_of(error) from error


def handle_file(request: Request) -> Response:
    """Return the facts of a file, and how this machine differs from its environment."""
    named = read_file_name(request.query)
    with opened(named) as file:
        status = named.path.stat()
        facts = {**describe_here(file), "size_bytes": status.st_size}  # a PNG may have been re-encoded
        return json_response({"name": named.name, "mtime": status.st_mtime, **facts})


def handle_workflow(request: Request) -> Response:
    """Return the workflow and the prompt of a file."""
    with opened(read_file_name(request.query)) as file:
        return json_response(graphs(file))


def handle_image(request: Request) -> Response:
    """Return a stored image, as it is stored or as a thumbnail."""
    index = read_integer(request.query, "index", 0, 0, MAX_INDEX)
    size = read_integer(request.query, "size", 0, 1, MAX_SIZE) if "size" in request.query else None
    with opened(read_file_name(request.query)) as file:
        if index >= len(file.images):
            raise ChunkNotFoundError(f"there is no image {index}; it has {len(file.images)}")
        image = file.images[index]
        if image.size_bytes > MAX_PICTURE_BYTES:
            message = f"image {index} takes {image.size_bytes} bytes, the limit is {MAX_PICTURE_BYTES}"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message)

        def make() -> tuple[bytes, str]:
            return image_thumbnail(image, size) if size else (data := image.bytes, picture_type(data))

        return _kept(request, f"{content_tag(file)}-{index}-{size or 'whole'}", make)


def handle_noise(request: Request) -> Response:
    """Return a latent as a picture."""
    name = request.query.get("latent", "initial_noise")
    index = read_integer(request.query, "index", 0, 0, MAX_INDEX)
    size = read_integer(request.query, "size", 128, 1, MAX_SIZE)
    with opened(read_file_name(request.query)) as file:
        latent = file.latents[name]
        tag = f"{file.root}-{list(file.latents).index(latent.name)}-{index}-{size}-noise"
        return _kept(request, tag, lambda: (noise_thumbnail(latent, index, size), "image/png"))


def handle_library(request: Request) -> Response:
    """Return a page of the library.

    Raises
    ------
    HttpError
        also if the user has turned the library off.
    """
    if not host.setting(LIBRARY_SETTING, True, strict=False):
        message = "the library is turned off: turn it on in ComfyUI's settings, under Gen5"
        raise HttpError(HTTPStatus.NOT_FOUND, "library_off", message)
    query = request.query
    return json_response(
        library.page(
            query=query.get("query", ""),
            offset=read_integer(query, "offset", 0, 0, MAX_OFFSET),
            limit=read_integer(query, "limit", 60, 1, library.MAX_LIMIT),
            refresh=read_switch(query, "refresh"),
        )
    )


def _kept(request: Request, tag: str, make: Callable[[], tuple[bytes, str]]) -> Response:
    """Return what make returns (bytes, content type), or a 304 if the browser has it under tag."""
    headers = {**_KEPT, "ETag": f'"{tag}"'}
    if tag in request.known_tags:
        return Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    body, content_type = make()
    return Response(body, content_type, headers={**headers, "X-Content-Type-Options": "nosniff"})

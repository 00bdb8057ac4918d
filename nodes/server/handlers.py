"""What each GET route answers; plain functions that may block, run beside the server's event loop."""

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
from .errors import Refusal, refusal_of
from .file_json import describe, describe_here, graphs
from .params import NamedFile, Query, read_file_name, read_integer, read_switch
from .thumbnails import image_thumbnail, noise_thumbnail, picture_type

LIBRARY_SETTING = "Gen5.Library.Enabled"
MAX_INDEX = 9999
MAX_SIZE = 2048
"""Of a picture's longer side, in pixels."""
MAX_OFFSET = 10**9
MAX_PICTURE_BYTES = 2**28
"""An image is held in memory to send it."""
JSON_TYPE = "application/json"
_KEPT = {"Cache-Control": "private, no-cache"}
_FRESH = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as an answer depends on it."""

    query: Query
    known_tags: frozenset[str] = frozenset()
    """ETags of what the browser has; with one of them there is nothing to send."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    body: bytes = b""
    content_type: str = JSON_TYPE
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=_FRESH.copy)


def json_answer(value: Any) -> Answer:
    """Return value as JSON, numbers that JSON does not have as null.

    Raises
    ------
    EncodeError
        if it is nested too deeply.
    """
    return Answer(strict_json.dumps(value, "the answer").encode())


def refused(refusal: Refusal) -> Answer:
    """Return what a refused request is answered."""
    body = strict_json.dumps({"error": refusal.message}, "the answer").encode()
    return Answer(body, status=refusal.status)


@contextmanager
def opened(named: NamedFile) -> Iterator[gen5core.Gen5File]:
    """Open a file; its errors are refusals that call it as the person does.

    Raises
    ------
    Refusal
    """
    try:
        with gen5core.open(named.path) as file:
            yield file
    except (Gen5Error, OSError) as error:
        raise refusal_of(error, named.name, named.path) from error


def answer_parts(head_and_tail: bytes) -> Answer:
    """Answer what header and META of a file tell that the browser has.

    Raises
    ------
    Refusal
    """
    try:
        with gen5core.open_parts(head_and_tail) as file:
            known = {"root": file.root, "version": str(file.version), "sealed": file.sealed}
            return json_answer({**known, "facts": describe(file), **graphs(file)})
    except Gen5Error as error:
        raise refusal_of(error) from error


def answer_file(asked: Asked) -> Answer:
    """Answer the facts of a file, and what differs from them here."""
    named = read_file_name(asked.query)
    with opened(named) as file:
        status = named.path.stat()
        told = {**describe_here(file), "size_bytes": status.st_size}  # a PNG may have been written anew
        return json_answer({"name": named.name, "mtime": status.st_mtime, **told})


def answer_workflow(asked: Asked) -> Answer:
    """Answer the workflow and the prompt of a file."""
    with opened(read_file_name(asked.query)) as file:
        return json_answer(graphs(file))


def answer_image(asked: Asked) -> Answer:
    """Answer a stored image, as it is or smaller."""
    index = read_integer(asked.query, "index", 0, 0, MAX_INDEX)
    size = read_integer(asked.query, "size", 0, 1, MAX_SIZE) if "size" in asked.query else None
    with opened(read_file_name(asked.query)) as file:
        if index >= len(file.images):
            raise ChunkNotFoundError(f"it holds {len(file.images)} images, there is no number {index}")
        image = file.images[index]
        if image.size_bytes > MAX_PICTURE_BYTES:
            told = f"image {index} takes {image.size_bytes} bytes, the limit is {MAX_PICTURE_BYTES}"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told)

        def make() -> tuple[bytes, str]:
            return image_thumbnail(image, size) if size else (data := image.bytes, picture_type(data))

        return _kept(asked, f"{content_tag(file)}-{index}-{size or 'whole'}", make)


def answer_noise(asked: Asked) -> Answer:
    """Answer a latent as a picture."""
    name = asked.query.get("latent", "initial_noise")
    index = read_integer(asked.query, "index", 0, 0, MAX_INDEX)
    size = read_integer(asked.query, "size", 128, 1, MAX_SIZE)
    with opened(read_file_name(asked.query)) as file:
        latent = file.latents[name]
        tag = f"{file.root}-{list(file.latents).index(latent.name)}-{index}-{size}-noise"
        return _kept(asked, tag, lambda: (noise_thumbnail(latent, index, size), "image/png"))


def answer_library(asked: Asked) -> Answer:
    """Answer a page of the library.

    Raises
    ------
    Refusal
        also where the person turned the library off.
    """
    if not host.setting(LIBRARY_SETTING, True):
        told = "the library is turned off: turn it on in ComfyUI's settings, under Gen5"
        raise Refusal(HTTPStatus.NOT_FOUND, told)
    query = asked.query
    return json_answer(
        library.page(
            query=query.get("query", ""),
            offset=read_integer(query, "offset", 0, 0, MAX_OFFSET),
            limit=read_integer(query, "limit", 60, 1, library.MAX_LIMIT),
            refresh=read_switch(query, "refresh"),
        )
    )


def _kept(asked: Asked, tag: str, make: Callable[[], tuple[bytes, str]]) -> Answer:
    """Return what make gives (bytes, content type), or nothing where the browser has it under tag."""
    headers = {**_KEPT, "ETag": f'"{tag}"'}
    if tag in asked.known_tags:
        return Answer(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    body, content_type = make()
    return Answer(body, content_type, headers={**headers, "X-Content-Type-Options": "nosniff"})

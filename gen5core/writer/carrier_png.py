"""A picture and a record -> one PNG that shows the one and carries the other in a chunk before IEND.

Source: FORMAT.md, "PNG carrier".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..carrier.meta import KEY, Carrier, Original, encode_carrier
from ..carrier.picture import pixels_digest
from ..container import spec
from ..container.chunks import Compression
from ..container.copy import BLOCK_BYTES
from ..errors import EncodeError, FormatError
from ..files.atomic import atomic_file, write_all
from ..images import codec as image_codec
from ..images import png_chunks, png_encode
from ..images.deflate import deflate, iter_deflated, store
from ..images.png_chunks import CRC, LENGTH_AND_TYPE, replace_stream
from ..signatures.keys import SigningKey
from .assemble import Take, write_container

IEND: Final = png_chunks.encode_chunk(b"IEND", b"")
"""The chunk that every PNG here ends with."""
_ADDED_CHUNKS: Final = 3
"""The most that a PNG gets on top of its own: prompt, workflow and the record."""
_BLOCK_TYPE: Final = 0b110
"""Bits of a deflate block's first byte that are 0 for a stored one (RFC 1951, 3.2.3)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A PNG to show, without the chunk, and what META will say of it but for its digests."""

    parts: Iterable[bytes]
    """Of the PNG, in order, without its IEND; made while they are written."""
    pixels: npt.NDArray[np.uint8]
    original: Original | None
    index: int
    trailer: bytes = b""
    """See ``Carrier.trailer``."""


def show_pixels(
    pixels: npt.NDArray[np.uint8], texts: Mapping[str, str], original: Original, *, index: int = 0
) -> Shown:
    """Return pixels as a PNG to show, with those texts.

    Parameters
    ----------
    pixels : uint8, shape (H, W, C), C 1, 3 or 4
    original : where it stands in the table of chunks of a ``.gen5``
    """
    return Shown(_iter_encoded(pixels, texts), pixels, replace(original, deflated=True), index)


def show_encoded(data: bytes, texts: Mapping[str, str], original: Original, *, index: int = 0) -> Shown:
    """Return an encoded image as a PNG to show: a whole PNG of 8 bits as it is, texts added that it lacks.

    Where it is none the pixels are encoded; ``original`` is None then: ``data`` is to be a chunk.

    Raises
    ------
    EncodeError
        if it has no pixels of 8 bits.
    """
    chunks = _showable_chunks(data)
    pixels = _decode(data)
    if chunks is None:
        return Shown(_iter_encoded(pixels, texts), pixels, None, index)
    deflated = _is_stored(chunks)
    if deflated:
        chunks = replace_stream(chunks, deflate)
    added = png_chunks.missing_texts(chunks, texts)
    png = png_chunks.join_chunks([chunks[0], *added, *chunks[1:-1]])
    return Shown([png], pixels, replace(original, added_texts=len(added), deflated=deflated), index)


def can_show(data: bytes) -> bool:
    """Tell whether ``show_encoded`` shows an encoded image as it is, so that it need not be a chunk."""
    return _showable_chunks(data) is not None


def write_carrier(
    path: Path,
    shown: Shown,
    payloads: Iterable[Take],
    *,
    model_info: Mapping[str, Any],
    further: Mapping[str, Any],
    compression: Compression = "auto",
    overwrite: bool = False,
    signing_key: SigningKey | None = None,
) -> Path:
    """Write one PNG, whole or not at all; the arguments are those of ``write_payloads``.

    Raises
    ------
    EncodeError
        if the record is larger than a PNG chunk.
    OSError
        as the file system gives it; what stood at path is still there then.
    """
    with atomic_file(path, overwrite=overwrite) as fd:
        carrier = _write_shown(fd, shown)
        start = carrier.png_bytes - len(IEND)
        write_all(fd, [bytes(LENGTH_AND_TYPE.size)])
        size_bytes = write_container(
            fd,
            payloads,
            model_info=model_info,
            further={**further, KEY: encode_carrier(carrier)},
            compression=compression,
            signing_key=signing_key,
            start=start + LENGTH_AND_TYPE.size,
            most_bytes=spec.MAX_CARRIED_BYTES,
        )
        os.lseek(fd, start, os.SEEK_SET)
        write_all(fd, [LENGTH_AND_TYPE.pack(size_bytes, spec.CARRIER)])
        crc = png_chunks.chunk_crc(spec.CARRIER, iter(partial(os.read, fd, BLOCK_BYTES), b""))
        write_all(fd, [CRC.pack(crc), IEND])
    return path


def _iter_encoded(pixels: npt.NDArray[np.uint8], texts: Mapping[str, str]) -> Iterator[bytes]:
    """Yield pixels as a PNG without its IEND, each part of the pixel stream in an IDAT of its own."""
    yield png_chunks.join_chunks(png_encode.head_chunks(pixels, texts))
    for part in iter_deflated(png_encode.filtered_up(pixels)):
        yield png_chunks.encode_chunk(b"IDAT", part)


def _write_shown(fd: int, shown: Shown) -> Carrier:
    """Write a PNG but for its IEND, hashed as it is made, its pixels beside it; return what META says of it."""
    digest, size_bytes = hashlib.sha256(), 0
    with ThreadPoolExecutor(1) as beside:
        pixels_sha256 = beside.submit(pixels_digest, shown.pixels)
        for part in shown.parts:
            digest.update(part)
            write_all(fd, [part])
            size_bytes += len(part)
    digest.update(IEND)
    height, width, channels = shown.pixels.shape
    return Carrier(
        index=shown.index,
        shape=(height, width, channels),
        pixels_sha256=pixels_sha256.result(),
        png_sha256=digest.hexdigest(),
        png_bytes=size_bytes + len(IEND),
        original=shown.original,
        trailer=shown.trailer,
    )


def _showable_chunks(data: bytes) -> list[png_chunks.PngChunk] | None:
    """Return the chunks of a PNG that can be shown as it is, else None.

    It is whole, with nothing in or behind its IEND, no record of its own, and so few chunks that readers step over
    them.
    """
    chunks = png_chunks.whole_chunks(data)
    if chunks is None or chunks[-1][1]:
        return None
    is_short = len(chunks) + _ADDED_CHUNKS <= spec.Limits().png_chunks
    is_plain = all(kind != spec.CARRIER for kind, _ in chunks)
    return chunks if is_short and is_plain else None


def _is_stored(chunks: list[png_chunks.PngChunk]) -> bool:
    """Tell whether the pixels lie in stored blocks, as this package writes them: deflated, they can be again."""
    first = next((data for kind, data in chunks if kind == b"IDAT"), b"")
    if len(first) < 3 or first[2] & _BLOCK_TYPE:  # spares inflating what is not stored
        return False
    try:
        return replace_stream(chunks, store) == chunks
    except EncodeError:
        return False


def _decode(data: bytes) -> npt.NDArray[np.uint8]:
    try:
        return image_codec.decode_image(data, chunk="the image", offset=0, limits=spec.Limits())
    except FormatError as error:
        raise EncodeError(
            f"{error}: a PNG that carries a record has 8 bits a channel; save it as .gen5"
        ) from error

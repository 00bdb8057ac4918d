"""A picture and a record -> one PNG that shows the picture and carries the record in a chunk before IEND.

A marker after IHDR says so, since a PNG that was cut has lost its last chunks first.

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
from ..carrier.traces import MARKER
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
from .assemble import MakeChunk, write_container

IEND: Final = png_chunks.encode_chunk(b"IEND", b"")
"""The encoded chunk at the end of every PNG."""
_ADDED_CHUNKS: Final = 4
"""The most chunks that are added to a PNG: the marker, prompt, workflow and the record."""
_BLOCK_TYPE: Final = 0b110
"""Bits of a deflate block's first byte that are 0 in a stored block (RFC 1951, 3.2.3)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG before the record is added, and META's ``carrier`` except its digests."""

    parts: Iterable[bytes]
    """The bytes of the PNG in order, without its IEND; may be made while they are written."""
    pixels: npt.NDArray[np.uint8]
    original: Original | None
    index: int
    trailer: bytes = b""
    """See ``Carrier.trailer``."""


def picture_from_pixels(
    pixels: npt.NDArray[np.uint8], texts: Mapping[str, str], original: Original, *, index: int = 0
) -> Picture:
    """Return pixels as the picture of a PNG that has these texts.

    Parameters
    ----------
    pixels : uint8, shape (H, W, C), C 1, 3 or 4
    texts : keyword -> text
    original : the DATA chunk that the image would be in a ``.gen5``
    index : of the image among those of the file
    """
    restored = replace(original, added_texts=1, deflated=True)  # the marker
    return Picture(_iter_encoded(pixels, texts), pixels, restored, index)


def picture_from_encoded(
    data: bytes, texts: Mapping[str, str], original: Original, *, index: int = 0
) -> Picture:
    """Return an encoded image as the picture of a PNG that has these texts; arguments as ``picture_from_pixels``.

    A PNG that ``is_showable`` keeps its chunks, and gets the texts whose keyword it lacks. Any other image is decoded
    and encoded as a PNG; ``Picture.original`` is None then, and data must be stored as a DATA chunk.

    Raises
    ------
    EncodeError
        if it cannot be decoded to 8 bits per channel.
    """
    chunks = _showable_chunks(data)
    pixels = _decode(data)
    if chunks is None:
        return Picture(_iter_encoded(pixels, texts), pixels, None, index)
    deflated = _is_stored(chunks)
    if deflated:
        chunks = replace_stream(chunks, deflate)
    added = [*_missing_marker(chunks), *png_chunks.missing_texts(chunks, texts)]
    png = png_chunks.join_chunks([chunks[0], *added, *chunks[1:-1]])
    return Picture([png], pixels, replace(original, added_texts=len(added), deflated=deflated), index)


def is_showable(data: bytes) -> bool:
    """Return whether an encoded image can be the PNG itself, so that it needs no DATA chunk."""
    return _showable_chunks(data) is not None


def write_carrier(
    path: Path,
    picture: Picture,
    payloads: Iterable[MakeChunk],
    *,
    model_info: Mapping[str, Any],
    further: Mapping[str, Any],
    compression: Compression = "auto",
    overwrite: bool = False,
    signing_key: SigningKey | None = None,
) -> Path:
    """Write one PNG atomically; the other arguments are those of ``write_payloads``.

    Raises
    ------
    EncodeError
        if the record is larger than a PNG chunk can be.
    OSError
        as raised by the file system; a file at path is then unchanged.
    """
    with atomic_file(path, overwrite=overwrite) as fd:
        carrier = _write_picture(fd, picture)
        start = carrier.png_bytes - len(IEND)
        write_all(fd, [bytes(LENGTH_AND_TYPE.size)])  # filled in once the size is known
        size_bytes = write_container(
            fd,
            payloads,
            model_info=model_info,
            further={**further, KEY: encode_carrier(carrier)},
            compression=compression,
            signing_key=signing_key,
            start=start + LENGTH_AND_TYPE.size,
            max_bytes=spec.MAX_CARRIED_BYTES,
        )
        os.lseek(fd, start, os.SEEK_SET)
        write_all(fd, [LENGTH_AND_TYPE.pack(size_bytes, spec.CARRIER)])
        # The header is written last, so the CRC can only be computed by reading the record back.
        crc = png_chunks.chunk_crc(spec.CARRIER, iter(partial(os.read, fd, BLOCK_BYTES), b""))
        write_all(fd, [CRC.pack(crc), IEND])
    return path


def _iter_encoded(pixels: npt.NDArray[np.uint8], texts: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the PNG of pixels without its IEND, each part of the pixel stream in an IDAT of its own."""
    header, *rest = png_encode.head_chunks(pixels, texts)
    yield png_chunks.join_chunks([header, MARKER, *rest])
    for part in iter_deflated(png_encode.filtered_up(pixels)):
        yield png_chunks.encode_chunk(b"IDAT", part)


def _write_picture(fd: int, picture: Picture) -> Carrier:
    """Write a PNG except its IEND, hashing its bytes and, in another thread, its pixels; return META's ``carrier``."""
    digest, size_bytes = hashlib.sha256(), 0
    with ThreadPoolExecutor(1) as pool:
        pixels_sha256 = pool.submit(pixels_digest, picture.pixels)
        for part in picture.parts:
            digest.update(part)
            write_all(fd, [part])
            size_bytes += len(part)
    digest.update(IEND)
    height, width, channels = picture.pixels.shape
    return Carrier(
        index=picture.index,
        shape=(height, width, channels),
        pixels_sha256=pixels_sha256.result(),
        png_sha256=digest.hexdigest(),
        png_bytes=size_bytes + len(IEND),
        original=picture.original,
        trailer=picture.trailer,
    )


def _showable_chunks(data: bytes) -> list[png_chunks.PngChunk] | None:
    """Return the chunks of a PNG that can be shown as it is, else None.

    It must be intact, with nothing in or after its IEND, carry no record, and have no more chunks than readers step
    over.
    """
    chunks = png_chunks.complete_chunks(data)
    if chunks is None or chunks[-1][1]:
        return None
    is_short = len(chunks) + _ADDED_CHUNKS <= spec.Limits().png_chunks
    is_plain = all(kind != spec.CARRIER for kind, _ in chunks)
    return chunks if is_short and is_plain else None


def _missing_marker(chunks: list[png_chunks.PngChunk]) -> list[png_chunks.PngChunk]:
    """Return the marker unless it follows IHDR already, as in the picture of another carrier."""
    return [] if chunks[1] == MARKER else [MARKER]


def _is_stored(chunks: list[png_chunks.PngChunk]) -> bool:
    """Return whether the pixel stream is stored exactly as this package stores it.

    Only then can it be deflated for the PNG and restored to the same bytes on the way back.
    """
    first = next((data for kind, data in chunks if kind == b"IDAT"), b"")
    if len(first) < 3 or first[2] & _BLOCK_TYPE:  # saves inflating a compressed stream
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
            f"{error}: a PNG that carries a record must have 8 bits per channel; save it as .gen5"
        ) from error

"""The picture of a PNG that carries a GEN5 file, read and checked against META's ``carrier``.

Source: FORMAT.md, "PNG carrier".
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ..container import spec
from ..container.payloads import ReadPayload
from ..container.records import ChunkRow
from ..container.source import Source
from ..errors import ChecksumError, ChunkNotFoundError, EncodeError, MalformedChunkError, naming_file
from ..images import png_chunks
from ..images.codec import decode_image, decode_reduced
from ..images.deflate import store
from ..images.png_chunks import LENGTH_AND_TYPE, replace_stream
from ..images.stored import StoredImage
from .edited import check_single_picture, read_chunks, reencoded_notes
from .find import NAME, PNG, CarrierSource
from .meta import Carrier, Original

if TYPE_CHECKING:
    from PIL import Image

Encoded = bytes
"""The type ``bytes`` under another name, for a class that has a property ``bytes``."""
_SHAPE: Final = struct.Struct("<III")


class CarrierImage(StoredImage):
    """The picture of a PNG that carries a record.

    Parameters
    ----------
    source : of the record; if no PNG carries it, reading the picture raises ChunkNotFoundError
    """

    def __init__(
        self, carrier: Carrier, source: Source, limits: spec.Limits, path: str, *, verify: bool
    ) -> None:
        self.carrier, self._limits, self._path, self._verify = carrier, limits, path, verify
        self._png = source if isinstance(source, CarrierSource) else None

    @property
    def size_bytes(self) -> int:
        """Size of the PNG without the chunk."""
        return self.carrier.png_bytes if self._png is None else self._png.picture_bytes

    @property
    def facts(self) -> Mapping[str, Any]:
        """index, width, height and format."""
        return {} if self.carrier.original is None else self.carrier.original.extra

    @property
    def bytes(self) -> Encoded:
        """The PNG without the chunk, checked to have the saved pixels."""
        data = self._read_png()
        if self._verify and not self._is_unchanged(data):
            with naming_file(self._path):
                check_single_picture(read_chunks(data))
                self._decode(data)
        return data

    def array(self) -> npt.NDArray[np.uint8]:
        """Return the pixels: uint8, shape (H, W, C) with C 1, 3 or 4.

        Raises
        ------
        ChecksumError
            if they are not the pixels that were saved.
        FormatError
            in another of its kinds, if the bytes are not an image; LimitError before decoding.
        """
        data = self._read_png()
        with naming_file(self._path):
            return self._decode(data)

    def reduced(self, size: int, max_pixels: int) -> Image.Image:
        """Return the picture with a longer side of at most size, of mode L, RGB or RGBA.

        Parameters
        ----------
        max_pixels : how many pixels the PNG may have; its header tells before anything is decoded

        Raises
        ------
        ChecksumError, FormatError
            as ``array``.
        """
        limits = replace(self._limits, image_pixels=min(max_pixels, self._limits.image_pixels))
        with naming_file(self._path):
            small = decode_reduced(self._read_png(), size, chunk=PNG, offset=0, limits=limits)
        _ = self.bytes  # raises if another program changed the pixels
        return small

    def original_bytes(self) -> tuple[Encoded, bool]:
        """Return the image as it was before it became the PNG, and whether it is identical to it.

        If another program re-encoded the PNG, the PNG itself is returned: its pixels are equal, its bytes are not.

        Raises
        ------
        FormatError
            in one of its kinds, if the PNG cannot be changed back as META says.
        """
        data, original = self.bytes, self.carrier.original
        if original is None or not self._is_unchanged(data):
            return data, False
        with naming_file(self._path):
            restored = _restore(data, original)
        if original.sha256 in (None, hashlib.sha256(restored).hexdigest()):
            return restored, True
        return data, False

    @property
    def check_bytes(self) -> int:
        """Number of bytes that ``check`` reads."""
        # All of the PNG, except length and type of the record's chunk; its data is read for the CRC.
        return 0 if self._png is None else self._png.location.png_end - LENGTH_AND_TYPE.size

    def check(self, source: Source, graphs: Mapping[str, Any]) -> Iterator[str]:
        """Check every chunk of the PNG and its pixels, and yield what is not checked, one sentence each.

        Parameters
        ----------
        source : of the record, e.g. one that reports progress
        graphs : the record's prompt and workflow, by these names

        Raises
        ------
        FormatError
            in one of its kinds.
        """
        if not isinstance(source, CarrierSource):
            yield "the PNG that carried this record is not available, so its picture is not checked"
            return
        source.check_crc()
        data = source.read_picture(self._limits)
        chunks, is_unchanged = read_chunks(data), self._is_unchanged(data)
        if not is_unchanged:
            check_single_picture(chunks)
        _check_pixels(decode_image(data, chunk=PNG, offset=0, limits=self._limits), self.carrier)
        if not is_unchanged:
            yield from reencoded_notes(chunks, graphs, self._limits)
        elif not source.is_before_iend:
            yield f"another program moved the {NAME} chunk within the PNG; all other bytes are as they were saved"
        if source.trailing_bytes:
            yield f"{source.trailing_bytes} bytes follow the end of the PNG and are not checked"

    def _read_png(self) -> Encoded:
        if self._png is None:
            raise ChunkNotFoundError(
                f"image {self.carrier.index} is the PNG that carried this record, which is not available: "
                "open that PNG"
            )
        with naming_file(self._path):
            return self._png.read_picture(self._limits)

    def _is_unchanged(self, data: Encoded) -> bool:
        carrier = self.carrier
        return len(data) == carrier.png_bytes and hashlib.sha256(data).hexdigest() == carrier.png_sha256

    def _decode(self, data: Encoded) -> npt.NDArray[np.uint8]:
        pixels = decode_image(data, chunk=PNG, offset=0, limits=self._limits)
        if self._verify:
            _check_pixels(pixels, self.carrier)
        return pixels


def pixels_digest(pixels: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 (hex) of height, width and channels, each a u32, followed by the pixels in C order."""
    digest = hashlib.sha256(_SHAPE.pack(*pixels.shape))
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def collect_images(
    rows: Iterable[ChunkRow], read: ReadPayload, limits: spec.Limits, picture: CarrierImage | None, path: str
) -> tuple[StoredImage, ...]:
    """Return the images of a file, including the PNG that carries it if that is an image of its own."""
    stored = [StoredImage(row, read, limits, path) for row in rows if row.type == spec.DATA]
    if picture is not None and picture.carrier.original is not None:
        stored.insert(picture.carrier.index, picture)
    return tuple(stored)


def _restore(png: bytes, original: Original) -> bytes:
    chunks = read_chunks(png)
    added = chunks[1 : 1 + original.added_texts]
    if len(added) != original.added_texts or any(kind not in png_chunks.TEXT_CHUNKS for kind, _ in added):
        raise MalformedChunkError(
            f"carrier.original.added_texts is {original.added_texts}, but fewer texts follow the IHDR",
            chunk=PNG,
        )
    del chunks[1 : 1 + original.added_texts]
    try:
        return png_chunks.join_chunks(replace_stream(chunks, store) if original.deflated else chunks)
    except EncodeError as error:
        raise MalformedChunkError(str(error), chunk=PNG) from error


def _check_pixels(pixels: npt.NDArray[np.uint8], carrier: Carrier) -> None:
    if pixels.shape == carrier.shape and pixels_digest(pixels) == carrier.pixels_sha256:
        return
    size = "×".join(map(str, pixels.shape[1::-1]))
    raise ChecksumError(
        f"its picture ({size}) was changed after it was saved, and its {NAME} chunk was kept: the record is that of "
        f"another picture, of {carrier.shape[1]}×{carrier.shape[0]} pixels; take another copy, or use the record "
        "without the picture",
        chunk=PNG,
    )

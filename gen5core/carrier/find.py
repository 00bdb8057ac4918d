"""A PNG that carries a GEN5 file in one chunk: found by the headers of its chunks, read like a file.

No pixel and no other chunk's data is read to find it. Its offsets count from the first byte of its own.

Source: FORMAT.md, "PNG carrier"; PNG third edition, 5.3 (layout), 5.4 (names) and 14.2 (who may copy).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from ..container import spec
from ..container.copy import iter_blocks
from ..container.source import CountingSource, FileSource, Source
from ..errors import ChecksumError, FormatError, LimitError, MalformedChunkError, NotGen5Error, TruncatedError
from ..images.png_chunks import CRC, FRAME_BYTES, PNG_SIGNATURE, Span, chunk_crc, iter_spans

DEFAULT_LIMITS: Final = spec.Limits()
NAME: Final = spec.CARRIER.decode("ascii")
PNG: Final = "the PNG"
"""What messages call everything but the chunk."""


class RecordLocation(NamedTuple):
    """Where in a PNG the carried file lies, and where the PNG ends."""

    span: Span
    png_end: int


class CarrierSource(Source):
    """A file that a PNG carries; ``outer`` is the PNG."""

    def __init__(self, outer: Source, place: RecordLocation) -> None:
        self.path, self.size_bytes = outer.path, place.span.size_bytes
        self.outer, self.place = outer, place

    @property
    def picture_bytes(self) -> int:
        """Size of the PNG without the chunk."""
        return self.place.png_end - (self.place.span.end - self.place.span.offset)

    @property
    def bytes_behind(self) -> int:
        """How many bytes follow the end of the PNG."""
        return self.outer.size_bytes - self.place.png_end

    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes from offset of the carried file.

        Raises
        ------
        TruncatedError
            if the carried file ends before.
        """
        if offset + target.nbytes > self.size_bytes:
            raise TruncatedError(
                f"{target.nbytes} bytes are needed from offset {offset}, the {NAME} chunk that carries the file "
                f"holds {self.size_bytes}",
                chunk=chunk,
                offset=offset,
            )
        self.outer.read_into(target, self.place.span.data_offset + offset, chunk=chunk)

    @property
    def is_in_place(self) -> bool:
        """Whether the chunk lies where a writer puts it: right before IEND."""
        return self.place.span.end + FRAME_BYTES == self.place.png_end

    def read_picture(self, limits: spec.Limits = DEFAULT_LIMITS) -> bytes:
        """Return the PNG without the chunk.

        Raises
        ------
        LimitError
            before anything is read, if it is larger than what may be inflated.
        """
        span, size_bytes = self.place.span, self.picture_bytes
        if size_bytes > limits.inflated_bytes:
            raise LimitError(
                f"takes {size_bytes} bytes without its record, the limit is {limits.inflated_bytes}",
                chunk=PNG,
                raisable=True,
            )
        picture = memoryview(bytearray(size_bytes))
        self.outer.read_into(picture[: span.offset], 0, chunk=PNG)
        self.outer.read_into(picture[span.offset :], span.end, chunk=PNG)
        return bytes(picture)

    def check_crc(self) -> None:
        """Check the CRC of the chunk, over its type and every byte of the carried file.

        Raises
        ------
        ChecksumError, TruncatedError
        """
        span = self.place.span
        crc = chunk_crc(span.type, iter_blocks(self, 0, self.size_bytes, chunk=NAME))
        (expected,) = CRC.unpack(self.outer.read(span.data_end, CRC.size, chunk=NAME))
        if crc != expected:
            raise ChecksumError(
                f"the CRC is {expected:08x}, type and data give {crc:08x}: the PNG is damaged; take another copy",
                chunk=NAME,
                offset=span.offset,
            )

    def close(self) -> None:
        """Close the PNG."""
        self.outer.close()


def open_source(path: str | os.PathLike[str], limits: spec.Limits = DEFAULT_LIMITS) -> Source:
    """Open a GEN5 file, be it on its own or in a PNG; told apart by content, whatever the name says.

    Raises
    ------
    FormatError
        in one of its kinds, if it is a PNG that carries none, or is cut.
    OSError
        as the file system gives it.
    """
    source = FileSource(path)
    try:
        return find_record(source, limits)
    except BaseException:
        source.close()
        raise


def find_record(source: Source, limits: spec.Limits = DEFAULT_LIMITS) -> Source:
    """Return the GEN5 file that source carries where it is a PNG, else source itself; raises as ``locate_record``."""
    return CarrierSource(source, locate_record(source, limits)) if _is_png(source) else source


def is_carrier(path: str | os.PathLike[str], limits: spec.Limits = DEFAULT_LIMITS) -> bool:
    """Tell whether a file is a PNG with the chunk that carries a GEN5 file; nothing in it is checked.

    Raises
    ------
    OSError
        as the file system gives it.
    """
    try:
        source = FileSource(path)
    except FormatError:
        return False
    try:
        return _is_png(source) and any(span.type == spec.CARRIER for span in _iter_checked(source, limits))
    except FormatError as error:
        return error.chunk == NAME
    finally:
        source.close()


def locate_record(source: Source, limits: spec.Limits) -> RecordLocation:
    """Return where a PNG has the carried file.

    Raises
    ------
    NotGen5Error
        if it has none: it was taken out, or the PNG never had one.
    TruncatedError, MalformedChunkError, LimitError
        if the PNG is cut, has two, or has chunks without end.
    """
    found: list[Span] = []
    for span in _iter_checked(source, limits):
        png_end = span.end
        if span.type == spec.CARRIER:
            found.append(span)
    if not found:
        raise NotGen5Error(
            f"is a plain PNG, without the {NAME} chunk that carries the record: a website or an editor stripped "
            "it, or it never had one; ask for the original file, or for the .gen5 beside it "
            "(`gen5core import` makes a .gen5 of the image alone)",
            kind="stripped",
        )
    if len(found) > 1:
        raise MalformedChunkError(
            f"is the second of {len(found)}, a PNG carries one record: take another copy",
            chunk=NAME,
            offset=found[1].offset,
        )
    return RecordLocation(found[0], png_end)


def counted(source: Source, tell: Callable[[int], None]) -> Source:
    """Return source with the bytes that are read of it told; of a carried file, those of the PNG too."""
    if isinstance(source, CarrierSource):
        return CarrierSource(CountingSource(source.outer, tell), source.place)
    return CountingSource(source, tell)


def _is_png(source: Source) -> bool:
    size_bytes = min(len(PNG_SIGNATURE), source.size_bytes)
    return source.read(0, size_bytes, chunk=PNG) == PNG_SIGNATURE


def _iter_checked(source: Source, limits: spec.Limits) -> Iterator[Span]:
    """Yield where the chunks of a PNG lie, IEND last, each checked; errors as ``locate_record``."""
    for index, span in enumerate(iter_spans(source.size_bytes, partial(source.read, chunk=PNG))):
        if index == limits.png_chunks:
            raise LimitError(
                f"has more than {limits.png_chunks} chunks", chunk=PNG, offset=span.offset, raisable=True
            )
        _check_span(span, source.size_bytes)
        yield span


def _check_span(span: Span, size_bytes: int) -> None:
    """Check where a chunk lies in a PNG of size_bytes, and that the first is its IHDR."""
    if not span.type:
        raise TruncatedError(
            f"ends after {size_bytes} bytes, before its IEND: it was cut or is still being copied",
            chunk=PNG,
            offset=span.offset,
        )
    if not span.type.isalpha() or span.size_bytes > spec.MAX_CARRIED_BYTES:
        raise MalformedChunkError(
            f"has {span.type!r} of {span.size_bytes} bytes where a chunk should be: it is damaged; take another copy",
            chunk=PNG,
            offset=span.offset,
        )
    if span.end > size_bytes:
        raise TruncatedError(
            f"its {span.type.decode('ascii')} takes {span.size_bytes} bytes, the PNG ends after {size_bytes}: "
            "it was cut or is still being copied",
            chunk=NAME if span.type == spec.CARRIER else PNG,
            offset=span.offset,
        )
    if span.offset == len(PNG_SIGNATURE) and span.type != b"IHDR":
        raise MalformedChunkError(
            f"starts with {span.type!r}, a PNG with its IHDR: it was changed; take another copy",
            chunk=NAME if span.type == spec.CARRIER else PNG,
            offset=span.offset,
        )

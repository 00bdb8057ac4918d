"""A PNG that carries a GEN5 file in one chunk: how to find the file, and to read it like one on its own.

Finding it reads length and type of each chunk, no data. Its offsets count from its own first byte. If it is not found,
the PNG is searched for traces of it, which tell damage from an ordinary picture.

Source: FORMAT.md, "PNG carrier"; PNG third edition, 5.3 (layout), 5.4 (names) and 14.2 (copying chunks).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple

from ..container import spec
from ..container.copy import iter_blocks
from ..container.source import CountingSource, FileSource, Source
from ..errors import ChecksumError, FormatError, LimitError, MalformedChunkError, NotGen5Error, TruncatedError
from ..images.png_chunks import CRC, FRAME_BYTES, PNG_SIGNATURE, Span, chunk_crc, iter_spans
from . import traces

DEFAULT_LIMITS: Final = spec.Limits()
NAME: Final = spec.CARRIER.decode("ascii")
PNG: Final = "the PNG"
"""The name in messages of the PNG apart from that chunk."""


class RecordLocation(NamedTuple):
    """The chunk of a PNG that holds the carried file, and the offset after the PNG's IEND."""

    span: Span
    png_end: int


class CarrierSource(Source):
    """The file that a PNG carries; ``outer`` is the PNG."""

    def __init__(self, outer: Source, location: RecordLocation) -> None:
        self.path, self.size_bytes = outer.path, location.span.size_bytes
        self.outer, self.location = outer, location

    @property
    def picture_bytes(self) -> int:
        """Size of the PNG without the chunk."""
        return self.location.png_end - (self.location.span.end - self.location.span.offset)

    @property
    def trailing_bytes(self) -> int:
        """Number of bytes after the end of the PNG."""
        return self.outer.size_bytes - self.location.png_end

    def read_into(self, target: memoryview, offset: int, *, chunk: str) -> None:
        """Fill target with the bytes of the carried file from offset on.

        Raises
        ------
        TruncatedError
            if the carried file ends before target is full.
        """
        if offset + target.nbytes > self.size_bytes:
            raise TruncatedError(
                f"{target.nbytes} bytes are needed from offset {offset}, the {NAME} chunk that carries the file "
                f"holds {self.size_bytes}",
                chunk=chunk,
                offset=offset,
            )
        self.outer.read_into(target, self.location.span.data_offset + offset, chunk=chunk)

    @property
    def is_before_iend(self) -> bool:
        """Whether the chunk is right before IEND, where a writer puts it."""
        return self.location.span.end + FRAME_BYTES == self.location.png_end

    def read_picture(self, limits: spec.Limits = DEFAULT_LIMITS) -> bytes:
        """Return the PNG without the chunk.

        Raises
        ------
        LimitError
            before anything is read, if it is larger than ``limits.inflated_bytes``.
        """
        span, size_bytes = self.location.span, self.picture_bytes
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
        """Check the CRC of the chunk, which covers its type and every byte of the carried file.

        Raises
        ------
        ChecksumError, TruncatedError
        """
        span = self.location.span
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
    """Open a GEN5 file on its own or in a PNG; its content decides which it is, not its name.

    Raises
    ------
    FormatError
        in one of its kinds, if it is a PNG that carries none, or is cut.
    OSError
        as raised by the file system.
    """
    source = FileSource(path)
    try:
        return find_record(source, limits)
    except BaseException:
        source.close()
        raise


def find_record(source: Source, limits: spec.Limits = DEFAULT_LIMITS) -> Source:
    """Return the GEN5 file that source carries if it is a PNG, else source.

    Raises
    ------
    FormatError
        as ``locate_record``, or if it is named .png and damage at its start hides the PNG.
    """
    if _is_png(source):
        return CarrierSource(source, locate_record(source, limits))
    if traces.is_named_png(source) and not _starts_with(source, spec.MAGIC):
        _check_is_no_png(source)
    return source


def is_carrier(path: str | os.PathLike[str], limits: spec.Limits = DEFAULT_LIMITS) -> bool:
    """Return whether a file is a PNG that carries a GEN5 file, or a damaged one that did.

    Its bytes are only read if it is damaged, and then searched for traces of a record. A file named .png that was cut
    before anything shows whether it carried one counts as one.

    Raises
    ------
    OSError
        as raised by the file system.
    """
    try:
        source = FileSource(path)
    except FormatError:
        return False
    try:
        return isinstance(find_record(source, limits), CarrierSource)
    except NotGen5Error:
        return False
    except FormatError as error:
        if error.chunk == NAME or (traces.is_named_png(source) and traces.is_cut_early(source)):
            return True
        return _has_trace(source)
    finally:
        source.close()


def locate_record(source: Source, limits: spec.Limits) -> RecordLocation:
    """Return the location of the file that a PNG carries.

    Raises
    ------
    NotGen5Error
        if it carries none: the record was stripped, or there never was one.
    ChecksumError
        if it carries none, and damage is the reason.
    TruncatedError, MalformedChunkError, LimitError
        if the PNG is cut, carries two files, or has more chunks than the limit.
    """
    spans = list(_iter_checked(source, limits))
    found = [span for span in spans if span.type == spec.CARRIER]
    if not found:
        if traces.has_span_trace(source, spans):
            _check_crcs(source, spans)
        raise _without_record(source, spans)
    if len(found) > 1:
        raise MalformedChunkError(
            f"is the second of {len(found)}, a PNG carries one record: take another copy",
            chunk=NAME,
            offset=found[1].offset,
        )
    return RecordLocation(found[0], spans[-1].end)


def count_reads(source: Source, report: Callable[[int], None]) -> Source:
    """Return source with report called with the number of bytes read so far, those of the PNG around it included."""
    if isinstance(source, CarrierSource):
        return CarrierSource(CountingSource(source.outer, report), source.location)
    return CountingSource(source, report)


def _is_png(source: Source) -> bool:
    return _starts_with(source, PNG_SIGNATURE)


def _starts_with(source: Source, magic: bytes) -> bool:
    return source.read(0, min(len(magic), source.size_bytes), chunk=PNG) == magic


def _has_trace(source: Source) -> bool:
    try:
        return traces.has_trace(source)
    except TruncatedError:  # it shrinks while it is read: another program writes it
        return False


def _check_is_no_png(source: Source) -> None:
    """Check that a file named .png that does not start as one is not a damaged one that carried a record."""
    if traces.is_cut_early(source):
        raise TruncatedError(
            f"has {source.size_bytes} bytes, fewer than any PNG: it was cut or is still being copied",
            chunk=PNG,
        )
    if traces.has_trace(source):
        raise MalformedChunkError(
            f"starts with {source.read(0, len(PNG_SIGNATURE), chunk=PNG)!r}, a PNG starts with {PNG_SIGNATURE!r}: "
            "it carried a record and is damaged; take another copy",
            chunk=PNG,
            offset=0,
        )


def _check_crcs(source: Source, spans: Iterable[Span]) -> None:
    """Check every chunk of a PNG that shows traces of a record but has no chunk that carries one."""
    for span in spans:
        crc = chunk_crc(span.type, iter_blocks(source, span.data_offset, span.data_end, chunk=PNG))
        if CRC.pack(crc) != source.read(span.data_end, CRC.size, chunk=PNG):
            raise ChecksumError(
                f"carried a record, but has no {NAME} chunk, and the CRC of its {span.type.decode('ascii')} does not "
                "match: it is damaged; take another copy",
                chunk=PNG,
                offset=span.offset,
            )


def _without_record(source: Source, spans: Iterable[Span]) -> NotGen5Error:
    """Return the error for an intact PNG that carries no record."""
    cause = (
        "a website or an editor stripped it, and left the text that says that there was one"
        if traces.has_marker(source, spans)
        else "a website or an editor stripped it, or it never had one"
    )
    return NotGen5Error(
        f"is a plain PNG, without the {NAME} chunk that carries the record: {cause}; ask for the original file, or "
        "for the .gen5 beside it (`gen5core import` makes a .gen5 of the image alone)",
        kind="stripped",
    )


def _iter_checked(source: Source, limits: spec.Limits) -> Iterator[Span]:
    """Yield the position of each chunk of a PNG up to IEND, checked; raises as ``locate_record``."""
    for index, span in enumerate(iter_spans(source.size_bytes, partial(source.read, chunk=PNG))):
        if index == limits.png_chunks:
            raise LimitError(
                f"has more than {limits.png_chunks} chunks", chunk=PNG, offset=span.offset, raisable=True
            )
        _check_span(span, source.size_bytes)
        yield span


def _check_span(span: Span, size_bytes: int) -> None:
    """Check the position and type of a chunk in a PNG of size_bytes, and that the first chunk is IHDR."""
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
            f"starts with {span.type!r}, a PNG starts with IHDR: it was changed; take another copy",
            chunk=NAME if span.type == spec.CARRIER else PNG,
            offset=span.offset,
        )

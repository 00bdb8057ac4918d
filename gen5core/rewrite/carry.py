"""A ``.gen5`` -> a PNG that carries it, and back: chunks are copied as stored, except that of the picture.

The way back gives the same META and root if it gives the same chunk of the picture, which it does for pictures
that this package encoded and for intact PNGs. A signature is valid for one root only: those of a ``.gen5`` are
kept in the PNG's META for the way back, those of a PNG are left out and reported.

Source: FORMAT.md, "PNG carrier".
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..carrier.find import open_source
from ..carrier.meta import KEY, MAX_TRAILER_BYTES, Original
from ..carrier.picture import CarrierImage
from ..container import spec
from ..container.chunks import Compression
from ..container.copy import iter_blocks, seal_with_trailer
from ..container.header import parse_header
from ..container.records import ChunkRow, Header
from ..container.source import Source
from ..errors import EncodeError, FormatError, naming_file
from ..files.atomic import atomic_file, write_all
from ..images.codec import image_payload
from ..images.stored import StoredImage
from ..reader.file import DEFAULT_LIMITS, Gen5File
from ..reader.partial import open_parts
from ..reader.pick import graph_texts, pick_image
from ..writer.assemble import MakeChunk, StoredChunk, check_suffix, write_container
from ..writer.carrier_png import picture_from_encoded, write_carrier

_REENCODED: Final = (
    "has a picture that another program re-encoded: its pixels are those that were saved, "
    "its other bytes are not"
)
_SIGNATURES_DROPPED: Final = (
    "loses the signatures of the .gen5 that the PNG was made from, which are not valid for the new .gen5"
)
_AUTO: Final[Compression] = "auto"
_CORE_KEYS: Final = frozenset(("file_info", "model_info", "chunks"))


@dataclass(frozen=True, slots=True)
class _VerifiedFile:
    """A file whose every byte was checked, and the source of its bytes."""

    file: Gen5File
    source: Source

    @property
    def model_info(self) -> Mapping[str, Any]:
        info: Mapping[str, Any] = self.file.metadata["gen5_metadata"].get("model_info", {})
        return info

    @property
    def further(self) -> dict[str, Any]:
        kept = self.file.metadata.items()
        return {name: value for name, value in kept if name not in ("gen5_metadata", KEY)}

    def copies(self, rows: Iterable[ChunkRow]) -> list[MakeChunk]:
        return [partial(_stored_chunk, self, row) for row in rows]

    def trailer(self) -> bytes:
        """Return the bytes after META, or none if they are more than a PNG's META keeps."""
        header = self.file.header
        size_bytes = header.file_size - header.meta_end
        return (
            self.source.read(header.meta_end, size_bytes, chunk="trailer")
            if size_bytes <= MAX_TRAILER_BYTES
            else b""
        )

    def describe_losses(self, *, keeps_trailer: bool = False) -> Iterator[str]:
        """Yield what the new file does not keep, one sentence each."""
        for found in self.file.signatures:
            yield (
                f"keeps the signature by {found.key_id}, which is valid for the .gen5 only, for the way back: "
                "sign the PNG too"
                if keeps_trailer
                else f"loses the signature by {found.key_id}, which is valid for this file only: sign the new one"
            )
        for trailer in self.file.trailers:
            if trailer.type != spec.SIGN and not keeps_trailer:
                yield f"loses the trailer {trailer.type!r}, whose type is unknown"
        for name in self.file.metadata["gen5_metadata"]:
            if name not in _CORE_KEYS:
                yield f"loses gen5_metadata.{name}, which this version of the format does not have"


def carry_file(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, index: int = 0, overwrite: bool = False
) -> tuple[str, ...]:
    """Write a PNG that shows one image of a ``.gen5`` and carries everything else in it.

    Parameters
    ----------
    path : a ``.gen5``; every digest in it is checked
    out : ends in ``.png``
    index : of the image to show
    overwrite : replace a file at out, which otherwise raises FileExistsError

    Returns
    -------
    what the PNG does not have, one sentence each: valid signatures, trailers of unknown types

    Raises
    ------
    FormatError, ChunkNotFoundError
        if path is damaged, or has no such image.
    EncodeError
        if it is a PNG already, the image has more than 8 bits per channel, or the record is too large for a PNG.
    OSError
        as raised by the file system; out is then unchanged.

    Source: FORMAT.md, "PNG carrier".
    """
    target = Path(out)
    check_suffix(target, ".png")
    with _open_verified(path) as verified:
        file = verified.file
        if file.carrier is not None:
            raise EncodeError(f"{path} is already a PNG that carries its record: copy the file")
        data = pick_image(file, index).bytes
        row = [row for row in file.rows if row.type == spec.DATA][index]
        picture = picture_from_encoded(data, graph_texts(file), _original(row), index=index)
        kept = [other for other in file.rows if other is not row or picture.original is None]
        trailer = verified.trailer()
        write_carrier(
            target,
            replace(picture, trailer=trailer),
            verified.copies(kept),
            model_info=verified.model_info,
            further=verified.further,
            overwrite=overwrite,
        )
        return tuple(verified.describe_losses(keeps_trailer=bool(trailer)))


def uncarry_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    limits: spec.Limits = DEFAULT_LIMITS,
) -> tuple[str, ...]:
    """Write the ``.gen5`` of a PNG that carries a record.

    Parameters
    ----------
    path : a PNG; every digest in it and its picture are checked
    out : ends in ``.gen5``
    overwrite : replace a file at out, which otherwise raises FileExistsError
    limits : of the reader

    Returns
    -------
    what differs from the file that the PNG was made from, one sentence each

    Raises
    ------
    FormatError
        if path is damaged, its picture was changed, or it carries nothing.
    EncodeError
        if it is not a PNG.
    OSError
        as raised by the file system; out is then unchanged.

    Source: FORMAT.md, "PNG carrier".
    """
    target = Path(out)
    check_suffix(target)
    with _open_verified(path, limits) as verified:
        carrier = verified.file.carrier
        if carrier is None:
            raise EncodeError(f"{path} is already a .gen5, whatever its name: copy the file")
        chunks, compression, notes = (
            verified.copies(verified.file.rows),
            _AUTO,
            list(verified.describe_losses()),
        )
        if (original := carrier.original) is not None:
            data, is_same = _original_bytes(verified.file.images[carrier.index])
            chunks.insert(original.row, partial(image_payload, data, original.extra))
            compression = original.compression
            notes += [] if is_same else [_REENCODED]
        with atomic_file(target, overwrite=overwrite) as fd:
            write_container(
                fd,
                chunks,
                model_info=verified.model_info,
                further=verified.further,
                compression=compression,
                signing_key=None,
            )
            if carrier.trailer and not _add_trailer(fd, carrier.trailer):
                notes.append(_SIGNATURES_DROPPED)
        return tuple(notes)


@contextmanager
def _open_verified(
    path: str | os.PathLike[str], limits: spec.Limits = DEFAULT_LIMITS
) -> Iterator[_VerifiedFile]:
    with naming_file(path):
        source = open_source(path, limits)
        try:
            file = Gen5File(source, verify=True, limits=limits)
            file.verify()
            yield _VerifiedFile(file, source)
        finally:
            source.close()


def _add_trailer(fd: int, trailer: bytes) -> bool:
    """Add a trailer to the file that was just written; return False if it is not valid for it or too large."""
    header, meta = _read_written(fd)
    file_size = header.file_size + len(trailer)
    if file_size > spec.MAX_FILE_BYTES:
        return False
    head = seal_with_trailer(header, meta, file_size)
    try:  # opening header, META and trailer checks the signatures
        open_parts(head + meta + trailer).close()
    except FormatError:
        return False
    os.lseek(fd, 0, os.SEEK_END)
    write_all(fd, [trailer])
    os.lseek(fd, 0, os.SEEK_SET)
    write_all(fd, [head])
    return True


def _read_written(fd: int) -> tuple[Header, bytes]:
    """Return header and stored META of the open file, which has no trailer yet."""
    os.lseek(fd, 0, os.SEEK_SET)
    header = parse_header(os.read(fd, spec.HEADER_SIZE), os.fstat(fd).st_size)
    os.lseek(fd, header.chunk_table_offset, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file:  # os.read may return fewer bytes than asked for
        return header, file.read(header.chunk_table_size)


def _original(row: ChunkRow) -> Original:
    extra = {name: value for name, value in row.extra.items() if name != "stored_sha256"}
    return Original(row.index, extra, "zstd" if row.compressed else "none", sha256=row.hash)


def _original_bytes(image: StoredImage) -> tuple[bytes, bool]:
    return image.original_bytes() if isinstance(image, CarrierImage) else (image.bytes, True)


def _stored_chunk(verified: _VerifiedFile, row: ChunkRow) -> StoredChunk:
    return StoredChunk(replace(row, extra=_extra(verified, row)), _iter_stored(verified.source, row))


def _extra(verified: _VerifiedFile, row: ChunkRow) -> dict[str, Any]:
    """Return a row's ``extra`` as version 1.1 requires it: every latent named, a digest of compressed bytes."""
    extra = dict(row.extra)
    if verified.file.header.version_minor == 0 and row.type == spec.LATN:
        extra["key"] = verified.file.latents.describe(row).name
    if row.compressed and "stored_sha256" not in extra:
        digest = hashlib.sha256()
        for block in _iter_stored(verified.source, row):
            digest.update(block)
        extra["stored_sha256"] = digest.hexdigest()
    return extra


def _iter_stored(source: Source, row: ChunkRow) -> Iterator[bytes]:
    return iter_blocks(source, row.offset, row.end, chunk=str(row))

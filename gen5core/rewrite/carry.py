"""A ``.gen5`` -> a PNG that carries it, and back: stored chunks are copied, only the picture changes its form.

META and with it the root come out the same where the picture's chunk does, which it does for pictures that
this package wrote and for whole PNGs. A signature is over the root of the file that it was made for: that of
a ``.gen5`` waits in the PNG's META for the way back, that of a PNG is left out and said.

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
from ..carrier.picture import ShownImage
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
from ..writer.assemble import StoredChunk, Take, check_suffix, write_container
from ..writer.carrier_png import show_encoded, write_carrier

_REWRITTEN: Final = (
    "has a picture that another program wrote anew: its pixels are as they were, its other bytes are not"
)
_UNFIT: Final = (
    "loses the signatures of the .gen5 that it was made of, which do not fit what it turns back into"
)
_AUTO: Final[Compression] = "auto"
_CORE: Final = frozenset(("file_info", "model_info", "chunks"))


@dataclass(frozen=True, slots=True)
class _Whole:
    """A file of which every byte was checked, and where its bytes are from."""

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

    def copies(self, rows: Iterable[ChunkRow]) -> list[Take]:
        return [partial(_stored_chunk, self, row) for row in rows]

    def trailer(self) -> bytes:
        """Return what follows META; nothing where that is more than a PNG's META keeps."""
        header = self.file.header
        size_bytes = header.file_size - header.meta_end
        return (
            self.source.read(header.meta_end, size_bytes, chunk="trailer")
            if size_bytes <= MAX_TRAILER_BYTES
            else b""
        )

    def lost(self, *, keeps_trailer: bool = False) -> Iterator[str]:
        """Yield what another file cannot take along, one sentence each."""
        for found in self.file.signatures:
            yield (
                f"keeps the signature by {found.key_id}, which is over the .gen5, for the way back: sign the PNG too"
                if keeps_trailer
                else f"loses the signature by {found.key_id}, which is over this very file: sign the new one"
            )
        for trailer in self.file.trailers:
            if trailer.type != spec.SIGN and not keeps_trailer:
                yield f"loses the trailer {trailer.type!r}, whose type is not known"
        for name in self.file.metadata["gen5_metadata"]:
            if name not in _CORE:
                yield f"loses gen5_metadata.{name}, which is not of this format"


def carry_file(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, index: int = 0, overwrite: bool = False
) -> tuple[str, ...]:
    """Write a PNG that shows one image of a ``.gen5`` and carries everything else of it.

    Parameters
    ----------
    path : every digest in it is checked
    out : ends in ``.png``
    index : of the image
    overwrite : replace a file at out; else FileExistsError

    Returns
    -------
    what the PNG does not carry, one line each: signatures, trailers of unknown types

    Raises
    ------
    FormatError, ChunkNotFoundError
        if path is damaged, or has no such image.
    EncodeError
        if it is a PNG already, the image is not of 8 bits, or the record is too large for a PNG.
    OSError
        as the file system gives it; out is whole or not there.

    Source: FORMAT.md, "PNG carrier".
    """
    target = Path(out)
    check_suffix(target, ".png")
    with _opened(path) as whole:
        file = whole.file
        if file.carrier is not None:
            raise EncodeError(f"{path} is a PNG that carries its record already: copy the file")
        data = pick_image(file, index).bytes
        row = [row for row in file.rows if row.type == spec.DATA][index]
        shown = show_encoded(data, graph_texts(file), _original(row), index=index)
        kept = [other for other in file.rows if other is not row or shown.original is None]
        trailer = whole.trailer()
        write_carrier(
            target,
            replace(shown, trailer=trailer),
            whole.copies(kept),
            model_info=whole.model_info,
            further=whole.further,
            overwrite=overwrite,
        )
        return tuple(whole.lost(keeps_trailer=bool(trailer)))


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
    path : every digest and the picture in it are checked
    out : ends in ``.gen5``
    overwrite : replace a file at out; else FileExistsError
    limits : what reading may cost

    Returns
    -------
    what is not as it was, one line each

    Raises
    ------
    FormatError
        if path is damaged, its picture was changed, or it carries nothing.
    EncodeError
        if it is no PNG.
    OSError
        as the file system gives it; out is whole or not there.

    Source: FORMAT.md, "PNG carrier".
    """
    target = Path(out)
    check_suffix(target)
    with _opened(path, limits) as whole:
        carrier = whole.file.carrier
        if carrier is None:
            raise EncodeError(f"{path} is a .gen5 already, whatever its name: copy the file")
        takes, compression, notes = whole.copies(whole.file.rows), _AUTO, list(whole.lost())
        if (original := carrier.original) is not None:
            data, is_same = _original_bytes(whole.file.images[carrier.index])
            takes.insert(original.row, partial(image_payload, data, original.extra))
            compression = original.compression
            notes += [] if is_same else [_REWRITTEN]
        with atomic_file(target, overwrite=overwrite) as fd:
            write_container(
                fd,
                takes,
                model_info=whole.model_info,
                further=whole.further,
                compression=compression,
                signing_key=None,
            )
            if carrier.trailer and not _add_trailer(fd, carrier.trailer):
                notes.append(_UNFIT)
        return tuple(notes)


@contextmanager
def _opened(path: str | os.PathLike[str], limits: spec.Limits = DEFAULT_LIMITS) -> Iterator[_Whole]:
    with naming_file(path):
        source = open_source(path, limits)
        try:
            file = Gen5File(source, verify=True, limits=limits)
            file.verify()
            yield _Whole(file, source)
        finally:
            source.close()


def _add_trailer(fd: int, trailer: bytes) -> bool:
    """Add to a file that was just written what had followed META; return False where its signatures do not fit."""
    header, meta = _read_written(fd)
    file_size = header.file_size + len(trailer)
    if file_size > spec.MAX_FILE_BYTES:
        return False
    head = seal_with_trailer(header, meta, file_size)
    try:
        open_parts(head + meta + trailer).close()
    except FormatError:
        return False
    os.lseek(fd, 0, os.SEEK_END)
    write_all(fd, [trailer])
    os.lseek(fd, 0, os.SEEK_SET)
    write_all(fd, [head])
    return True


def _read_written(fd: int) -> tuple[Header, bytes]:
    """Return header and stored META of a file without trailer."""
    os.lseek(fd, 0, os.SEEK_SET)
    header = parse_header(os.read(fd, spec.HEADER_SIZE), os.fstat(fd).st_size)
    os.lseek(fd, header.chunk_table_offset, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb") as file:
        return header, file.read(header.chunk_table_size)


def _original(row: ChunkRow) -> Original:
    extra = {name: value for name, value in row.extra.items() if name != "stored_sha256"}
    return Original(row.index, extra, "zstd" if row.compressed else "none", sha256=row.hash)


def _original_bytes(image: StoredImage) -> tuple[bytes, bool]:
    return image.original_bytes() if isinstance(image, ShownImage) else (image.bytes, True)


def _stored_chunk(whole: _Whole, row: ChunkRow) -> StoredChunk:
    return StoredChunk(replace(row, extra=_extra(whole, row)), _iter_stored(whole.source, row))


def _extra(whole: _Whole, row: ChunkRow) -> dict[str, Any]:
    """Return a row's extra as version 1.1 has it: a name for every latent, a digest of what is compressed."""
    extra = dict(row.extra)
    if whole.file.header.version_minor == 0 and row.type == spec.LATN:
        extra["key"] = whole.file.latents.describe(row).name
    if row.compressed and "stored_sha256" not in extra:
        digest = hashlib.sha256()
        for block in _iter_stored(whole.source, row):
            digest.update(block)
        extra["stored_sha256"] = digest.hexdigest()
    return extra


def _iter_stored(source: Source, row: ChunkRow) -> Iterator[bytes]:
    return iter_blocks(source, row.offset, row.end, chunk=str(row))

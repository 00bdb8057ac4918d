"""A file -> the same file, signed: META and every chunk as they were, a new header, a SIGN trailer.

Source: FORMAT.md, "SIGN".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from . import reader, spec
from .atomic import atomic_file, write_all
from .container import check_size
from .errors import ChecksumError, EncodeError, naming_file
from .header import encode_header, seal_header
from .keys import SigningKey
from .manifest import StoredMeta
from .signatures import encode_signatures, read_envelope
from .source import FileSource

BLOCK_BYTES: Final = 2**20


def sign_file(
    path: str | os.PathLike[str],
    key: SigningKey,
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    limits: spec.Limits = reader.DEFAULT_LIMITS,
) -> Path:
    """Add a key's signature to a file, whole or not at all; every byte is checked before.

    Signatures by other keys stay, one by the same key is replaced. The root does not change.

    Parameters
    ----------
    path : a file of version 1.1 or later
    out : where the signed file goes; None for path itself
    overwrite : replace a file at out; else FileExistsError

    Returns
    -------
    where the signed file stands

    Raises
    ------
    FormatError
        if path is damaged, or a signature in it does not fit.
    EncodeError
        if path is of version 1.0, which has no place for a signature.
    OSError
        as the file system gives it; what stood there is still there then.

    Source: FORMAT.md, "SIGN".
    """
    target = Path(path if out is None else out)
    with naming_file(path):
        source = FileSource(path)
        try:
            file = reader.Gen5File(source, verify=True, limits=limits)
            _check_version(file)
            file.verify()
            with atomic_file(target, overwrite=overwrite or out is None) as fd:
                for block in _signed_blocks(file, source, key, limits):
                    write_all(fd, [block])
        finally:
            source.close()
    return target


def _check_version(file: reader.Gen5File) -> None:
    if file.header.version_minor == 0:
        raise EncodeError(
            f"{file.path} is of version 1.0, which has no place for a signature: `gen5core scrub` makes one of "
            f"version {spec.VERSION} of it"
        )


def _signed_blocks(
    file: reader.Gen5File, source: FileSource, key: SigningKey, limits: spec.Limits
) -> Iterator[bytes]:
    """Yield the bytes of the signed file, in order: header, chunks, META, signatures, other trailers."""
    header = file.header
    meta = _read_signed_meta(file, source)
    envelope = read_envelope(source, file.trailers, limits)
    trailer = encode_signatures(file.root, key, envelope.signatures if envelope else ())
    others = [other for other in file.trailers if other.type != spec.SIGN]
    file_size = header.meta_end + len(trailer) + sum(spec.FRAME_SIZE + other.size_bytes for other in others)
    check_size(file_size)
    changed = replace(header, flags=header.flags | spec.FLAG_TRAILER, file_size=file_size)
    yield encode_header(seal_header(changed, meta))
    yield from _copied(source, spec.HEADER_SIZE, header.chunk_table_offset)
    yield from (meta, trailer)
    for other in others:
        yield from _copied(source, other.offset - spec.FRAME_SIZE, other.offset + other.size_bytes)


def _read_signed_meta(file: reader.Gen5File, source: FileSource) -> bytes:
    meta = source.read(file.header.chunk_table_offset, file.header.chunk_table_size, chunk=spec.META)
    if StoredMeta(meta).root != file.root:
        raise ChecksumError("was changed while the file was being signed; sign it again", chunk=spec.META)
    return meta


def _copied(source: FileSource, start: int, end: int) -> Iterator[bytes]:
    for offset in range(start, end, BLOCK_BYTES):
        yield source.read(offset, min(BLOCK_BYTES, end - offset), chunk="the file")

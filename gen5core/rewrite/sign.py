"""A file -> the same file, signed: META and every chunk are unchanged; header and SIGN trailer are new.

In a PNG that carries the file, only the chunk with its length and CRC changes.

Source: FORMAT.md, "SIGN" and "PNG carrier".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from ..carrier.find import CarrierSource, find_record
from ..container import spec
from ..container.copy import iter_blocks, seal_with_trailer
from ..container.meta import StoredMeta
from ..container.source import FileSource, Source
from ..errors import ChecksumError, EncodeError, naming_file
from ..files.atomic import atomic_file, write_all
from ..images.png_chunks import iter_encoded
from ..reader import file as reader
from ..signatures.dsse import EnvelopeSignature
from ..signatures.key_files import load_signing_key
from ..signatures.keys import SigningKey
from ..signatures.trailer import check_signatures, encode_signatures, read_envelope, refuse_invalid
from ..writer.assemble import check_size, check_suffix

_COPIED: Final = "the file"
"""The name in messages of bytes that are copied."""


def sign_file(
    path: str | os.PathLike[str],
    key: SigningKey | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    limits: spec.Limits = reader.DEFAULT_LIMITS,
) -> Path:
    """Add a signature to a file atomically, after checking every byte of it.

    Signatures by other keys stay; one by the same key is replaced. The root does not change.

    Parameters
    ----------
    path : a file of version 1.1 or later, or a PNG that carries a record
    key : a key, or the path of its file
    out : path of the signed file, with the suffix for the kind of file that path is; None to sign path in place
    overwrite : replace a file at out, which otherwise raises FileExistsError
    limits : of the reader

    Returns
    -------
    the path of the signed file

    Raises
    ------
    FormatError
        if path is damaged, a signature in it is invalid, or the file changes while it is signed.
    EncodeError
        if path is of version 1.0, which has no place for a signature, out has the wrong suffix, or the key cannot
        be used.
    ImportError
        if the package cryptography is not installed.
    OSError
        as raised by the file system; a file at the target is then unchanged.

    Source: FORMAT.md, "SIGN".
    """
    target = Path(path if out is None else out)
    signing_key = key if isinstance(key, SigningKey) else load_signing_key(key)
    with naming_file(path):
        outer = FileSource(path)
        try:
            source = find_record(outer, limits)
            file = reader.Gen5File(source, verify=True, limits=limits)
            _check_version(file)
            if out is not None:
                check_suffix(target, ".gen5" if source is outer else ".png")
            file.verify()
            with atomic_file(target, overwrite=overwrite or out is None) as fd:
                for block in _signed_blocks(file, source, signing_key, limits):
                    write_all(fd, [block])
                os.fsync(fd)  # done first, so that hardly any time passes between the check and the rename
                _check_unchanged(outer)
                outer.close()  # Windows cannot replace an open file
        finally:
            outer.close()
    return target


def _check_version(file: reader.Gen5File) -> None:
    if file.header.version_minor == 0:
        raise EncodeError(
            f"{file.path} is of version 1.0, which has no place for a signature: `gen5core scrub` writes it as "
            f"version {spec.VERSION}"
        )


def _check_unchanged(source: FileSource) -> None:
    """Check that the file at the path is still the one that was read.

    Otherwise another program's changes would be lost, or signed without having been checked.
    """
    if not source.is_current():
        raise ChecksumError(
            "another program changed or replaced the file while it was being signed; sign it again"
        )


def _signed_blocks(
    file: reader.Gen5File, source: Source, key: SigningKey, limits: spec.Limits
) -> Iterator[bytes]:
    """Yield the bytes of the signed file, in order: header, chunks, META, signatures, other trailers."""
    header, meta = file.header, _read_signed_meta(file, source)
    trailer = encode_signatures(file.root, key, _existing_signatures(file, source, limits))
    others = [
        (other.offset - spec.FRAME_SIZE, other.offset + other.size_bytes)
        for other in file.trailers
        if other.type != spec.SIGN
    ]
    file_size = header.meta_end + len(trailer) + sum(end - start for start, end in others)
    is_carried = isinstance(source, CarrierSource)
    check_size(file_size, spec.MAX_CARRIED_BYTES if is_carried else spec.MAX_FILE_BYTES)
    blocks = chain(
        [seal_with_trailer(header, meta, file_size)],
        iter_blocks(source, spec.HEADER_SIZE, header.chunk_table_offset, chunk=_COPIED),
        [meta, trailer],
        *(iter_blocks(source, start, end, chunk=_COPIED) for start, end in others),
    )
    return _png_blocks(source, file_size, blocks) if isinstance(source, CarrierSource) else blocks


def _png_blocks(source: CarrierSource, size_bytes: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the PNG with another carried file, of size_bytes, and every other byte unchanged."""
    outer, span = source.outer, source.location.span
    yield from iter_blocks(outer, 0, span.offset, chunk=_COPIED)
    yield from iter_encoded(span.type, size_bytes, blocks)
    yield from iter_blocks(outer, span.end, outer.size_bytes, chunk=_COPIED)


def _existing_signatures(
    file: reader.Gen5File, source: Source, limits: spec.Limits
) -> tuple[EnvelopeSignature, ...]:
    """Return the signatures that the file already has; raise SignatureError if one is invalid."""
    envelope = read_envelope(source, file.trailers, limits)
    refuse_invalid(check_signatures(envelope, file.root), offset=file.header.meta_end)
    return envelope.signatures if envelope else ()


def _read_signed_meta(file: reader.Gen5File, source: Source) -> bytes:
    meta = source.read(file.header.chunk_table_offset, file.header.chunk_table_size, chunk=spec.META)
    if StoredMeta(meta).root != file.root:
        raise ChecksumError("was changed while the file was being signed; sign it again", chunk=spec.META)
    return meta

"""A file -> the same file, signed: META and every chunk as they were, a new header, a SIGN trailer.

In a PNG that carries it, the chunk is written anew with its length and CRC; no other byte changes.

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
"""What messages call bytes that are copied."""


def sign_file(
    path: str | os.PathLike[str],
    key: SigningKey | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    limits: spec.Limits = reader.DEFAULT_LIMITS,
) -> Path:
    """Add a key's signature to a file, whole or not at all; every byte is checked before.

    Signatures by other keys stay, one by the same key is replaced. The root does not change.

    Parameters
    ----------
    path : a file of version 1.1 or later, or a PNG that carries a record
    key : the key, or the file of one
    out : where the signed file goes, of the kind that path is; None for path itself
    overwrite : replace a file at out; else FileExistsError

    Returns
    -------
    where the signed file stands

    Raises
    ------
    FormatError
        if path is damaged, a signature in it does not fit, or it changes meanwhile.
    EncodeError
        if path is of version 1.0, which has no place for a signature, or out is named as of another kind;
        or the key cannot be used.
    ImportError
        if the package cryptography is not installed.
    OSError
        as the file system gives it; what stood at path is still there then.

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
                os.fsync(fd)  # so that next to no time is left between this check and the renaming
                _check_unchanged(outer)
                outer.close()  # Windows replaces no file that is open
        finally:
            outer.close()
    return target


def _check_version(file: reader.Gen5File) -> None:
    if file.header.version_minor == 0:
        raise EncodeError(
            f"{file.path} is of version 1.0, which has no place for a signature: `gen5core scrub` makes one of "
            f"version {spec.VERSION} of it"
        )


def _check_unchanged(source: FileSource) -> None:
    """Check that what was read still stands at its path; another's changes would be lost, or signed unseen."""
    if not source.is_current():
        raise ChecksumError(
            "another program changed or replaced the file while it was being signed; sign it again"
        )


def _signed_blocks(
    file: reader.Gen5File, source: Source, key: SigningKey, limits: spec.Limits
) -> Iterator[bytes]:
    """Yield the bytes of the signed file, in order: header, chunks, META, signatures, other trailers."""
    header, meta = file.header, _read_signed_meta(file, source)
    trailer = encode_signatures(file.root, key, _signatures_there(file, source, limits))
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
    """Yield a PNG with another file of size_bytes in its chunk, and every other byte as it was."""
    outer, span = source.outer, source.place.span
    yield from iter_blocks(outer, 0, span.offset, chunk=_COPIED)
    yield from iter_encoded(span.type, size_bytes, blocks)
    yield from iter_blocks(outer, span.end, outer.size_bytes, chunk=_COPIED)


def _signatures_there(
    file: reader.Gen5File, source: Source, limits: spec.Limits
) -> tuple[EnvelopeSignature, ...]:
    """Return the signatures in the file now, each of which fits."""
    envelope = read_envelope(source, file.trailers, limits)
    refuse_invalid(check_signatures(envelope, file.root), offset=file.header.meta_end)
    return envelope.signatures if envelope else ()


def _read_signed_meta(file: reader.Gen5File, source: Source) -> bytes:
    meta = source.read(file.header.chunk_table_offset, file.header.chunk_table_size, chunk=spec.META)
    if StoredMeta(meta).root != file.root:
        raise ChecksumError("was changed while the file was being signed; sign it again", chunk=spec.META)
    return meta

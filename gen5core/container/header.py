"""The 32-byte header and its seal: packing, parsing, checking.

Source: FORMAT.md, "Header" and "Seal".
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, replace

from ..errors import ChecksumError, MalformedChunkError, NotGen5Error, TruncatedError, UnsupportedVersionError
from . import spec
from .records import Header


def encode_header(header: Header) -> bytes:
    """Return the 32 bytes of a header."""
    return spec.HEADER.pack(spec.MAGIC, *astuple(header))


def seal_header(header: Header, stored_meta: bytes) -> Header:
    """Return header with a seal over itself and the stored META."""
    sealed = replace(header, flags=header.flags | spec.FLAG_SEALED, reserved=0)
    return replace(sealed, reserved=_seal(encode_header(sealed), stored_meta))


def parse_header(data: bytes, file_size: int) -> Header:
    """Return the header of a file, with every field checked.

    Parameters
    ----------
    data : the first 32 bytes of the file, fewer if it is shorter
    file_size : actual size of the file in bytes

    Raises
    ------
    NotGen5Error, TruncatedError, UnsupportedVersionError, MalformedChunkError
    """
    if not data:
        raise NotGen5Error(
            f"is empty (starts with b'', a GEN5 file starts with {spec.MAGIC!r}): "
            "it was cut or is still being copied; take another copy",
            offset=0,
        )
    if data[:4] != spec.MAGIC[: len(data)]:
        raise NotGen5Error(
            f"starts with {data[:4]!r}, a GEN5 file starts with {spec.MAGIC!r}; "
            "choose a .gen5 file, or make one of an image with `gen5core import`",
            offset=0,
        )
    if len(data) < spec.HEADER_SIZE:
        raise TruncatedError(
            f"the header takes {spec.HEADER_SIZE} bytes, the file has {len(data)}", offset=0, chunk="header"
        )
    header = Header(*spec.HEADER.unpack(data[: spec.HEADER_SIZE])[1:])
    _check_version(header)
    _check_extent(header, file_size)
    return header


def check_seal(data: bytes, header: Header, stored_meta: bytes) -> None:
    """Check that header and META match the seal; a header without a seal (version 1.0) passes.

    Parameters
    ----------
    data : the 32 bytes of header

    Raises
    ------
    ChecksumError
        if a byte of either has changed since it was sealed.
    """
    if header.sealed and header.reserved != (expected := _seal(data, stored_meta)):
        raise ChecksumError(
            f"the seal is {header.reserved:016x}, header and META give {expected:016x}: "
            "the file was damaged or edited; take another copy",
            offset=spec.SEALED_BYTES,
            chunk="header",
        )


def _seal(data: bytes, stored_meta: bytes) -> int:
    digest = hashlib.sha256(spec.SEAL_PREFIX + data[: spec.SEALED_BYTES])
    digest.update(stored_meta)
    return int.from_bytes(digest.digest()[:8], "little")


def _check_version(header: Header) -> None:
    if header.version_major != spec.VERSION.major:
        raise UnsupportedVersionError(
            f"is version {header.version}, this reader knows 1.x; update gen5core",
            offset=4,
            chunk="header",
        )
    if header.version_minor == 0 and (header.flags or header.reserved):
        raise MalformedChunkError(
            f"version 1.0 has flags {header.flags:#06x} and reserved {header.reserved:#x}, both must be 0: "
            "the header is damaged; take another copy",
            offset=6,
            chunk="header",
        )
    if unknown := header.flags & ~spec.KNOWN_FLAGS:
        raise UnsupportedVersionError(
            f"uses flags {unknown:#06x} that this reader does not know; update gen5core, "
            "or the header is damaged",
            offset=6,
            chunk="header",
        )
    if header.version_minor >= 1 and not header.sealed:
        raise MalformedChunkError(
            f"version {header.version} must be sealed and is not: the header is damaged or was edited",
            offset=6,
            chunk="header",
        )


def _check_extent(header: Header, file_size: int) -> None:
    if header.file_size > file_size:
        raise TruncatedError(
            f"the header says {header.file_size} bytes, the file has {file_size}: "
            "it was cut or is still being copied",
            offset=file_size,
        )
    if header.file_size < file_size:
        raise MalformedChunkError(
            f"{file_size - header.file_size} bytes follow the end that the header gives ({header.file_size})",
            offset=header.file_size,
        )
    has_trailer = bool(header.flags & spec.FLAG_TRAILER)
    fits = header.meta_end < header.file_size if has_trailer else header.meta_end == header.file_size
    if header.chunk_table_offset < spec.HEADER_SIZE or not fits:
        raise MalformedChunkError(
            f"META lies at {header.chunk_table_offset} to {header.meta_end} of {header.file_size} bytes; "
            f"it must follow the header and {'come before the trailer' if has_trailer else 'end the file'}",
            offset=16,
            chunk="header",
        )

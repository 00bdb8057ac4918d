"""Payloads and META -> one atomic file of version 1.1: chunks back to back, META, and last the sealed header.

Each payload is made and written before the next is made, so that only one is in memory at a time.

Source: FORMAT.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..container import spec
from ..container.chunks import Compression, Payload, write_chunk
from ..container.header import encode_header, seal_header
from ..container.meta import encode_meta
from ..container.records import ChunkRow, Header
from ..environment.components import Environment
from ..errors import EncodeError
from ..files.atomic import atomic_file, write_all
from ..signatures.keys import SigningKey
from ..signatures.trailer import encode_signatures


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk of another file, already checked, whose stored bytes are copied."""

    row: ChunkRow
    blocks: Iterable[bytes]
    """Its stored bytes in order, each block read right before it is written."""


MakeChunk = Callable[[], Payload | StoredChunk]


def write_payloads(
    path: Path,
    payloads: Iterable[MakeChunk],
    *,
    model_info: Mapping[str, Any],
    further: Mapping[str, Any],
    compression: Compression = "auto",
    overwrite: bool = False,
    signing_key: SigningKey | None = None,
) -> Path:
    """Write one GEN5 file atomically; each payload is made right before it is written.

    Parameters
    ----------
    path : ends in ``.gen5``
    model_info : META's
    further : META's keys beside ``gen5_metadata``
    compression : for latents and images; the environment is always compressed
    overwrite : replace a file at path, which otherwise raises FileExistsError
    signing_key : signs the root; chunks and META are the same without it

    Raises
    ------
    EncodeError
        if the file would be too large for the format, or path does not end in ``.gen5``.
    OSError
        as raised by the file system; a file at path is then unchanged.
    """
    check_suffix(path)
    with atomic_file(path, overwrite=overwrite) as fd:
        write_container(
            fd,
            payloads,
            model_info=model_info,
            further=further,
            compression=compression,
            signing_key=signing_key,
        )
    return path


def write_container(
    fd: int,
    payloads: Iterable[MakeChunk],
    *,
    model_info: Mapping[str, Any],
    further: Mapping[str, Any],
    compression: Compression,
    signing_key: SigningKey | None,
    start: int = 0,
    max_bytes: int = spec.MAX_FILE_BYTES,
) -> int:
    """Write a complete GEN5 file into an open file, and return its size in bytes.

    Parameters
    ----------
    start : offset in the open file at which it begins, and from which its own offsets count
    max_bytes : the most that it may take

    Raises
    ------
    EncodeError, OSError
        as ``write_payloads``.
    """
    os.lseek(fd, start + spec.HEADER_SIZE, os.SEEK_SET)
    rows = _write_chunks(fd, payloads, compression, max_bytes)
    offset = rows[-1].end if rows else spec.HEADER_SIZE
    meta = encode_meta(model_info=model_info, rows=rows, entries=further, offset=offset)
    trailer = b"" if signing_key is None else encode_signatures(meta.root, signing_key)
    file_size = offset + len(meta.data) + len(trailer)
    check_size(file_size, max_bytes)
    header = Header(
        version_major=spec.VERSION.major,
        version_minor=spec.VERSION.minor,
        flags=spec.FLAG_TRAILER if trailer else 0,
        chunk_table_offset=offset,
        chunk_table_size=len(meta.data),
        chunk_count=len(rows),
        file_size=file_size,
        reserved=0,
    )
    write_all(fd, [meta.data, trailer])
    os.lseek(fd, start, os.SEEK_SET)
    write_all(fd, [encode_header(seal_header(header, meta.data))])
    return file_size


def build_further(
    *,
    comfyui: Mapping[str, Any] | None = None,
    capture: Mapping[str, Any] | None = None,
    resources: Sequence[Any] = (),
    environment: Environment | None = None,
) -> dict[str, Any]:
    """Return META's keys beside ``gen5_metadata``, except those that would be empty."""
    found = {
        "comfyui": comfyui,
        "capture": capture,
        "resources": resources,
        "environment": dict(environment.further) if environment else None,
    }
    return {name: value for name, value in found.items() if value}


def check_suffix(path: Path, suffix: str = ".gen5") -> None:
    """Raise EncodeError unless path ends in suffix."""
    if path.suffix.lower() != suffix:
        raise EncodeError(f"{path.name!r} does not end in {suffix}; name the file {path.stem}{suffix}")


def _write_chunks(
    fd: int, payloads: Iterable[MakeChunk], compression: Compression, max_bytes: int
) -> list[ChunkRow]:
    rows: list[ChunkRow] = []
    offset = spec.HEADER_SIZE
    write = partial(write_all, fd)
    for make in payloads:
        if len(rows) == spec.MAX_CHUNKS:
            raise EncodeError(f"a file has at most {spec.MAX_CHUNKS} chunks; store fewer latents or images")
        chunk = make()
        if isinstance(chunk, StoredChunk):
            check_size(offset + chunk.row.compressed_size, max_bytes)
            for block in chunk.blocks:
                write((block,))
            rows.append(replace(chunk.row, index=len(rows), offset=offset))
        else:
            check_size(offset + chunk.data.nbytes, max_bytes)
            rule: Compression = "zstd" if chunk.type == spec.ENVC else compression
            rows.append(write_chunk(write, chunk, rule, index=len(rows), offset=offset))
        offset = rows[-1].end
    return rows


def check_size(size_bytes: int, max_bytes: int = spec.MAX_FILE_BYTES) -> None:
    """Raise EncodeError if a file of size_bytes is too large for the format, or for the PNG that carries it."""
    if size_bytes <= max_bytes:
        return
    if max_bytes < spec.MAX_FILE_BYTES:
        raise EncodeError(
            f"the record would take {size_bytes} bytes or more, a PNG carries at most {max_bytes}: "
            "save it as .gen5, or store fewer latents or images"
        )
    raise EncodeError(
        f"the file would take {size_bytes} bytes or more, a GEN5 file must be smaller than "
        f"{spec.MAX_FILE_BYTES + 1}: store fewer latents or images"
    )

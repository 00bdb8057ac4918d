"""Payloads and META -> one atomic file of version 1.1: chunks back to back, META, last the sealing header.

A payload is asked for when its turn has come and is written before the next, so that one is held at a time.

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
    """A chunk of another file, already checked, that is copied as it is stored there."""

    row: ChunkRow
    blocks: Iterable[bytes]
    """Its stored bytes, in order; read while they are written."""


Take = Callable[[], Payload | StoredChunk]


def write_payloads(
    path: Path,
    payloads: Iterable[Take],
    *,
    model_info: Mapping[str, Any],
    further: Mapping[str, Any],
    compression: Compression = "auto",
    overwrite: bool = False,
    signing_key: SigningKey | None = None,
) -> Path:
    """Write one GEN5 file, whole or not at all; a payload is asked for when its turn has come.

    Parameters
    ----------
    path : ends in ``.gen5``
    model_info, further : as META holds them
    compression : of latents and images; the environment is always compressed
    overwrite : replace a file at path; else FileExistsError
    signing_key : sign the root; everything up to the end of META is as it would be without

    Raises
    ------
    EncodeError
        if the file would be too large for the format, or its name ends otherwise.
    OSError
        as the file system gives it; what stood at path is still there then.
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
    payloads: Iterable[Take],
    *,
    model_info: Mapping[str, Any],
    further: Mapping[str, Any],
    compression: Compression,
    signing_key: SigningKey | None,
    start: int = 0,
    most_bytes: int = spec.MAX_FILE_BYTES,
) -> int:
    """Write a whole GEN5 file into an open one, and return its size in bytes.

    Parameters
    ----------
    start : where in the open file it begins; its own offsets count from there
    most_bytes : what it may take

    Raises
    ------
    EncodeError, OSError
        as ``write_payloads``.
    """
    os.lseek(fd, start + spec.HEADER_SIZE, os.SEEK_SET)
    rows = _write_chunks(fd, payloads, compression, most_bytes)
    offset = rows[-1].end if rows else spec.HEADER_SIZE
    meta = encode_meta(model_info=model_info, rows=rows, entries=further, offset=offset)
    trailer = b"" if signing_key is None else encode_signatures(meta.root, signing_key)
    file_size = offset + len(meta.data) + len(trailer)
    check_size(file_size, most_bytes)
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
    """Return META's keys beside ``gen5_metadata``, those that hold something."""
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
    fd: int, payloads: Iterable[Take], compression: Compression, most_bytes: int
) -> list[ChunkRow]:
    rows: list[ChunkRow] = []
    offset = spec.HEADER_SIZE
    write = partial(write_all, fd)
    for take in payloads:
        if len(rows) == spec.MAX_CHUNKS:
            raise EncodeError(f"a file has at most {spec.MAX_CHUNKS} chunks; store fewer latents or images")
        chunk = take()
        if isinstance(chunk, StoredChunk):
            check_size(offset + chunk.row.compressed_size, most_bytes)
            for block in chunk.blocks:
                write((block,))
            rows.append(replace(chunk.row, index=len(rows), offset=offset))
        else:
            check_size(offset + chunk.data.nbytes, most_bytes)
            rule: Compression = "zstd" if chunk.type == spec.ENVC else compression
            rows.append(write_chunk(write, chunk, rule, index=len(rows), offset=offset))
        offset = rows[-1].end
    return rows


def check_size(size_bytes: int, most_bytes: int = spec.MAX_FILE_BYTES) -> None:
    """Raise EncodeError if a file of size_bytes would be too large for the format, or for what holds it."""
    if size_bytes <= most_bytes:
        return
    if most_bytes < spec.MAX_FILE_BYTES:
        raise EncodeError(
            f"the record would take {size_bytes} bytes or more, a PNG carries {most_bytes} at most: "
            "save it as .gen5, or store fewer latents or images"
        )
    raise EncodeError(
        f"the file would take {size_bytes} bytes or more, a GEN5 file ends below "
        f"{spec.MAX_FILE_BYTES + 1}: store fewer latents or images"
    )

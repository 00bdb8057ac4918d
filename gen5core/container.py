"""Payloads and META -> one atomic file of version 1.1: chunks back to back, META, last the sealing header.

A payload is asked for when its turn has come and is written before the next, so that one is held at a time.

Source: FORMAT.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from . import spec
from .atomic import atomic_file, write_all
from .chunks import Compression, Payload, write_chunk
from .errors import EncodeError
from .header import encode_header, seal_header
from .manifest import encode_meta
from .records import ChunkRow, Header


def write_payloads(
    path: Path,
    payloads: Iterable[Callable[[], Payload]],
    *,
    model_info: Mapping[str, Any],
    further: Mapping[str, Any],
    compression: Compression = "auto",
    overwrite: bool = False,
) -> Path:
    """Write one GEN5 file, whole or not at all; a payload is asked for when its turn has come.

    Parameters
    ----------
    path : ends in ``.gen5``
    model_info, further : as META holds them
    compression : of latents and images; the environment is always compressed
    overwrite : replace a file at path; else FileExistsError

    Raises
    ------
    EncodeError
        if the file would be too large for the format, or its name ends otherwise.
    OSError
        as the file system gives it; what stood at path is still there then.
    """
    check_suffix(path)
    with atomic_file(path, overwrite=overwrite) as fd:
        os.lseek(fd, spec.HEADER_SIZE, os.SEEK_SET)
        rows = _write_chunks(fd, payloads, compression)
        offset = rows[-1].end if rows else spec.HEADER_SIZE
        meta = encode_meta(model_info=model_info, rows=rows, further=further, offset=offset)
        check_size(offset + len(meta.data))
        header = Header(
            version_major=spec.VERSION.major,
            version_minor=spec.VERSION.minor,
            flags=0,
            chunk_table_offset=offset,
            chunk_table_size=len(meta.data),
            chunk_count=len(rows),
            file_size=offset + len(meta.data),
            reserved=0,
        )
        write_all(fd, [meta.data])
        os.lseek(fd, 0, os.SEEK_SET)
        write_all(fd, [encode_header(seal_header(header, meta.data))])
    return path


def check_suffix(path: Path) -> None:
    """Raise EncodeError unless path ends in ``.gen5``."""
    if path.suffix.lower() != ".gen5":
        raise EncodeError(f"{path.name!r} does not end in .gen5; name the file {path.stem}.gen5")


def _write_chunks(
    fd: int, payloads: Iterable[Callable[[], Payload]], compression: Compression
) -> list[ChunkRow]:
    rows: list[ChunkRow] = []
    offset = spec.HEADER_SIZE
    for take in payloads:
        if len(rows) == spec.MAX_CHUNKS:
            raise EncodeError(f"a file has at most {spec.MAX_CHUNKS} chunks; store fewer latents or images")
        payload = take()
        check_size(offset + payload.data.nbytes)
        rule: Compression = "zstd" if payload.type == spec.ENVC else compression
        rows.append(write_chunk(partial(write_all, fd), payload, rule, index=len(rows), offset=offset))
        offset = rows[-1].end
    return rows


def check_size(size_bytes: int) -> None:
    """Raise EncodeError if a file of size_bytes would be too large for the format."""
    if size_bytes > spec.MAX_FILE_BYTES:
        raise EncodeError(
            f"the file would take {size_bytes} bytes or more, a GEN5 file ends below "
            f"{spec.MAX_FILE_BYTES + 1}: store fewer latents or images"
        )

"""Bytes -> Gen5File: bounds first, then META, tensors and images only when they are asked for.

Source: FORMAT.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from . import jsontext, spec
from .environment import Environment, parse_environment
from .errors import LimitError, MalformedChunkError, naming_file
from .header import check_seal, parse_header
from .manifest import StoredMeta, decode_meta
from .payloads import check_payload, read_payload
from .records import ChunkRow, Header, Report, Trailer
from .source import FileSource
from .stored import Latents, StoredImage, collect_latents
from .table import parse_rows
from .threads import run_each

Kind = TypeVar("Kind")

DEFAULT_LIMITS = spec.Limits()


def open(
    path: str | os.PathLike[str], *, verify: bool = True, limits: spec.Limits = DEFAULT_LIMITS
) -> Gen5File:
    """Open a GEN5 file; header and META are read, the rest waits until it is asked for.

    Parameters
    ----------
    path : a regular file, of version 1.0 or 1.1
    verify : check the seal now, and every digest as something is read
    limits : what reading may cost

    Raises
    ------
    FormatError
        in one of its kinds, if the bytes are not what they claim to be.
    OSError
        as the file system gives it.

    Source: FORMAT.md.
    """
    with naming_file(path):
        source = FileSource(path)
        try:
            return Gen5File(source, verify=verify, limits=limits)
        except BaseException:
            source.close()
            raise


class Gen5File:
    """An open GEN5 file. Use it as a context manager, or call ``close()``.

    Attributes
    ----------
    header : Header
    rows : tuple of ChunkRow, the chunk table
    latents : Mapping of name -> StoredTensor, in the order they were saved
    images : tuple of StoredImage
    trailers : tuple of Trailer, what follows META
    root : str, SHA-256 (hex) of META, which stands for the whole content
    """

    def __init__(self, source: FileSource, *, verify: bool, limits: spec.Limits) -> None:
        self._source, self._verify, self._limits = source, verify, limits
        data = source.read(0, min(spec.HEADER_SIZE, source.size_bytes), chunk="header")
        self.header: Header = parse_header(data, source.size_bytes)
        stored_meta = self._read_meta(data)
        self.root: str = stored_meta.root
        self._manifest = decode_meta(
            stored_meta.data,
            self.header.chunk_table_offset,
            limits,
            strict=self.header.version_minor > 0,
        )
        self.rows: tuple[ChunkRow, ...] = parse_rows(self._manifest.core, self.header, limits)
        self.trailers: tuple[Trailer, ...] = tuple(self._read_trailers())
        self.latents: Latents = collect_latents(
            self.rows, self._read, alias_single=self.header.version_minor == 0
        )
        data_rows = [row for row in self.rows if row.type == spec.DATA]
        self.images: tuple[StoredImage, ...] = tuple(
            StoredImage(row, self._read, limits, self.path) for row in data_rows
        )

    def __enter__(self) -> Gen5File:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(self.latents) or "none"
        return f"<Gen5File {self.path} version {self.version}, latents {names}, {len(self.images)} images>"

    def close(self) -> None:
        """Close the file; what was read stays usable."""
        self._source.close()

    @property
    def path(self) -> str:
        """The file, as it was named to ``open``."""
        return str(self._source.path)

    @property
    def version(self) -> spec.Version:
        """Version of the format, e.g. ``(1, 1)``."""
        return self.header.version

    @property
    def sealed(self) -> bool:
        """Whether damage to header and META shows; true from version 1.1 on."""
        return self.header.sealed

    @property
    def metadata(self) -> dict[str, Any]:
        """The whole of META: ``gen5_metadata`` as the 0.1.0 package has it, and this version's keys."""
        with naming_file(self.path):
            return self._manifest.document

    @property
    def settings(self) -> dict[str, Any]:
        """``generation_settings``: seed, steps, sampler …; empty where none were saved."""
        return self._info("generation_settings", dict, {})

    @property
    def hardware(self) -> dict[str, Any]:
        """``hardware_info``: os, cpu, gpu …; empty where none was saved."""
        return self._info("hardware_info", dict, {})

    @property
    def prompt(self) -> str:
        return self._info("prompt", str, "")

    @property
    def model_name(self) -> str:
        return self._info("model_name", str, "")

    @property
    def model_version(self) -> str:
        return self._info("version", str, "")

    @property
    def date(self) -> str:
        """When the file was saved, ISO 8601."""
        return self._info("date", str, "")

    @property
    def tags(self) -> tuple[str, ...]:
        tags = self._info("tags", list, [])
        return tuple(self._expect(str, tag, "tags") for tag in tags)

    @property
    def comfyui(self) -> Mapping[str, Any] | None:
        """``prompt``, ``workflow`` and ``version`` of the ComfyUI that made it; None where it did not."""
        return self._further("comfyui", dict)

    @property
    def capture(self) -> Mapping[str, Any] | None:
        """Where the noise is from and what each sampler pass received; None where nothing was captured."""
        return self._further("capture", dict)

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Models by kind, name and digest."""
        return self._further("resources", list) or []

    @property
    def environment(self) -> Environment | None:
        """The environment that the file was made in; None where it was not saved.

        Raises
        ------
        ChecksumError
            if a component's text does not match its digest.
        """
        row = next((row for row in self.rows if row.type == spec.ENVC), None)
        if row is None:
            return None
        with naming_file(self.path):
            further = self._further("environment", dict) or {}
            self._check_text_size(row)
            payload = self._read(row).tobytes()
            return parse_environment(
                payload, chunk=str(row), offset=row.offset, further=further, hardware=self.hardware
            )

    def verify(self, *, threads: int | None = None) -> Report:
        """Check every byte and return what was looked at.

        Parameters
        ----------
        threads : how many chunks are checked side by side; None for one per processor, at most 4

        Raises
        ------
        FormatError
            in one of its kinds, at the first thing that does not match.
        """
        with naming_file(self.path):
            self._check_seal()
            self._check_document()
            run_each(lambda row: check_payload(self._source, row, limits=self._limits), self.rows, threads)
            _ = self.environment
            return Report(
                version=self.version,
                sealed=self.sealed,
                root=self.root,
                chunk_count=len(self.rows),
                checked_bytes=self.header.meta_end - self._gap_bytes(),
                notes=tuple(self._notes()),
            )

    def _read_meta(self, data: bytes) -> StoredMeta:
        size_bytes = self.header.chunk_table_size
        if size_bytes > self._limits.meta_stored_bytes:
            raise LimitError(
                f"takes {size_bytes} bytes, the limit is {self._limits.meta_stored_bytes}; "
                "if you trust the file, pass larger Limits",
                chunk=spec.META,
                offset=self.header.chunk_table_offset,
            )
        stored = self._source.read(self.header.chunk_table_offset, size_bytes, chunk=spec.META)
        if self._verify:
            check_seal(data, self.header, stored)
        return StoredMeta(stored)

    def _read_trailers(self) -> Sequence[Trailer]:
        """Return what follows META: frames that fill the file to its end."""
        trailers: list[Trailer] = []
        offset, end = self.header.meta_end, self.header.file_size
        while offset < end:
            if len(trailers) >= self._limits.chunks:
                raise LimitError(f"more than {self._limits.chunks} trailers", chunk="trailer", offset=offset)
            if end - offset < spec.FRAME_SIZE:
                raise MalformedChunkError(
                    f"{end - offset} bytes after META are no frame", chunk="trailer", offset=offset
                )
            frame = self._source.read(offset, spec.FRAME_SIZE, chunk="trailer")
            kind, flags, size_bytes = spec.FRAME.unpack(frame)
            if size_bytes > end - offset - spec.FRAME_SIZE:
                raise MalformedChunkError(
                    f"claims {size_bytes} bytes, {end - offset - spec.FRAME_SIZE} are left",
                    chunk="trailer",
                    offset=offset,
                )
            trailers.append(
                Trailer(kind.decode("latin-1"), flags.decode("latin-1"), offset + spec.FRAME_SIZE, size_bytes)
            )
            offset += spec.FRAME_SIZE + size_bytes
        return trailers

    def _check_text_size(self, row: ChunkRow) -> None:
        """Check that JSON in a chunk is no larger than META may be: parsed, it takes many times its size."""
        limit = self._limits.meta_decoded_bytes
        if row.uncompressed_size > limit:
            raise LimitError(
                f"is JSON of {row.uncompressed_size} bytes, the limit is {limit}; "
                "if you trust the file, pass larger Limits",
                chunk=str(row),
                offset=row.offset,
            )

    def _read(self, row: ChunkRow) -> npt.NDArray[np.uint8]:
        with naming_file(self.path):
            return read_payload(self._source, row, limits=self._limits, verify=self._verify)

    def _info(self, name: str, kind: type[Kind], default: Kind) -> Kind:
        return self._expect(kind, self._manifest.model_info.get(name, default), name)

    def _further(self, name: str, kind: type[Kind]) -> Kind | None:
        value = self.metadata.get(name)
        return None if value is None else self._expect(kind, value, name)

    def _expect(self, kind: type[Kind], value: Any, name: str) -> Kind:
        with naming_file(self.path):
            return jsontext.expect(kind, value, name, chunk=spec.META, offset=self.header.chunk_table_offset)

    def _check_seal(self) -> None:
        """Check the seal over what is in the file now; it may have changed since it was opened."""
        data = self._source.read(0, spec.HEADER_SIZE, chunk="header")
        stored = self._source.read(
            self.header.chunk_table_offset, self.header.chunk_table_size, chunk=spec.META
        )
        check_seal(data, parse_header(data, self._source.size_bytes), stored)

    def _check_document(self) -> None:
        """Read every field of META once, so that each is of its kind."""
        _ = self.metadata, self.settings, self.hardware, self.prompt, self.model_name, self.model_version
        _ = self.date, self.tags, self.comfyui, self.capture, self.resources

    def _gap_bytes(self) -> int:
        """Return how many bytes lie between chunks and belong to nothing; version 1.0 only."""
        stored = sum(row.compressed_size for row in self.rows)
        return self.header.chunk_table_offset - spec.HEADER_SIZE - stored

    def _notes(self) -> Sequence[str]:
        notes = [] if self.sealed else ["version 1.0 has no seal: damage to header and META may not show"]
        if gap_bytes := self._gap_bytes():
            notes.append(f"{gap_bytes} bytes between chunks belong to nothing and are not checked")
        known = (spec.LATN, spec.DATA, spec.ENVC)
        notes += [
            f"{row} is of a type that this reader does not know" for row in self.rows if row.type not in known
        ]
        return notes + [f"trailer {trailer.type!r} is not checked: unknown type" for trailer in self.trailers]

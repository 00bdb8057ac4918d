"""Bytes -> Gen5File: checks the bounds, then reads META; tensors and images are read on demand.

Source: FORMAT.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..carrier.find import CarrierSource, count_reads, open_source
from ..carrier.meta import KEY, Carrier, parse_carrier
from ..carrier.picture import CarrierImage, collect_images
from ..container import spec
from ..container.chunk_table import parse_rows
from ..container.fields import Kind
from ..container.header import check_seal, parse_header
from ..container.meta import StoredMeta, decode_meta, read_meta
from ..container.payloads import check_payload, check_text_size, read_payload
from ..container.records import ChunkRow, Header, Trailer
from ..container.source import Source
from ..container.trailers import read_trailers
from ..environment.components import Environment, parse_environment, parse_further
from ..errors import ChecksumError, naming_file
from ..files.threads import run_each
from ..images.stored import StoredImage
from ..signatures.keys import PublicKey
from ..signatures.trailer import check_signatures, read_envelope, refuse_invalid
from ..signatures.trust import Signature, Trust, evaluate_trust
from ..signatures.trusted_keys import load_trusted_keys
from ..tensors.stored import Latents, collect_latents
from . import report
from .report import Report

DEFAULT_LIMITS = spec.Limits()


def open(
    path: str | os.PathLike[str], *, verify: bool = True, limits: spec.Limits = DEFAULT_LIMITS
) -> Gen5File:
    """Open a GEN5 file: read the header and META now, and everything else on demand.

    Parameters
    ----------
    path : a regular file, of version 1.0 or 1.1, or a PNG that carries a record
    verify : check the seal and the signatures now, and each digest when its chunk is read
    limits : how much memory and work the file may cause

    Raises
    ------
    FormatError
        or a subclass, if the file is damaged or not a GEN5 file.
    OSError
        from the file system.

    Source: FORMAT.md.
    """
    with naming_file(path):
        source = open_source(path, limits)
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
    images : tuple of StoredImage; the PNG that carries a record is among them
    carrier : Carrier, what the record says about the PNG that carries it; None for a .gen5 file
    trailers : tuple of Trailer, what follows META
    root : str, SHA-256 (hex) of META, which covers the whole content
    """

    def __init__(self, source: Source, *, verify: bool, limits: spec.Limits) -> None:
        self._source, self._verify, self._limits = source, verify, limits
        data = source.read(0, min(spec.HEADER_SIZE, source.size_bytes), chunk="header")
        self.header: Header = parse_header(data, source.size_bytes)
        stored_meta = read_meta(source, self.header, limits)
        if verify:
            check_seal(data, self.header, stored_meta.data)
        self.root: str = stored_meta.root
        self.trailers: tuple[Trailer, ...] = tuple(read_trailers(source, self.header, limits))
        self._signatures = self._check_signatures(source) if verify else None
        self._manifest = decode_meta(
            stored_meta.data,
            self.header.chunk_table_offset,
            limits,
            strict=self.header.version_minor > 0,
        )
        self.rows: tuple[ChunkRow, ...] = parse_rows(self._manifest.core, self.header, limits)
        self.latents: Latents = collect_latents(
            self.rows, self._read, alias_single=self.header.version_minor == 0
        )
        _ = isinstance(source, CarrierSource) and self._picture  # raises now if its facts in META are invalid

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
        """Close the file. What has been read stays usable."""
        self._source.close()

    @property
    def path(self) -> str:
        """The path as passed to ``open``."""
        return str(self._source.path)

    @property
    def carrier(self) -> Carrier | None:
        return None if self._picture is None else self._picture.carrier

    @cached_property
    def images(self) -> tuple[StoredImage, ...]:
        return collect_images(self.rows, self._read, self._limits, self._picture, self.path)

    @cached_property
    def _picture(self) -> CarrierImage | None:
        """The PNG that carries this record; None for a .gen5 file."""
        value = self._further(KEY, dict)
        if value is None and not isinstance(self._source, CarrierSource):
            return None
        with naming_file(self.path):
            carrier = parse_carrier(value, rows=self.rows, header=self.header)
            return CarrierImage(carrier, self._source, self._limits, self.path, verify=self._verify)

    @property
    def version(self) -> spec.Version:
        """The version of the format, e.g. ``(1, 1)``."""
        return self.header.version

    @property
    def uncovered_bytes(self) -> int:
        """Number of bytes that no digest and no signature covers: whoever changes them leaves no trace."""
        trailing = self._source.trailing_bytes if isinstance(self._source, CarrierSource) else 0
        return report.uncovered_bytes(self.header, self.rows, self.trailers) + trailing

    @property
    def sealed(self) -> bool:
        """Whether a seal protects the header and META; true from version 1.1 on."""
        return self.header.sealed

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """The signatures over the root, in the order in which they are stored; empty if the file is not signed.

        Opening a file with an invalid signature raises SignatureError, except with ``verify=False``, which
        reports it here as ``invalid``.
        """
        if self._signatures is None:
            with naming_file(self.path):
                envelope = read_envelope(self._source, self.trailers, self._limits)
                self._signatures = check_signatures(envelope, self.root)
        return self._signatures

    def trust(self, trusted: Iterable[PublicKey] | None = None) -> Trust:
        """Return who signed the file, and whether those keys are trusted.

        Parameters
        ----------
        trusted : the trusted keys; None for the user's own list, see ``load_trusted_keys``

        Raises
        ------
        InvalidKeyError
            if the file is signed and the user's list cannot be used.
        """
        if trusted is None:
            trusted = load_trusted_keys() if self.signatures else ()
        return evaluate_trust(self.signatures, trusted)

    @property
    def metadata(self) -> dict[str, Any]:
        """All of META: ``gen5_metadata``, as in version 1.0, and the keys that version 1.1 added."""
        with naming_file(self.path):
            return self._manifest.document

    @property
    def settings(self) -> dict[str, Any]:
        """``generation_settings``: seed, steps, sampler …; empty if none were saved."""
        return self._info("generation_settings", dict, {})

    @property
    def hardware(self) -> dict[str, Any]:
        """``hardware_info``: os, cpu, gpu …; empty if none was saved."""
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
        """The time at which the file was saved, in ISO 8601."""
        return self._info("date", str, "")

    @property
    def tags(self) -> tuple[str, ...]:
        with naming_file(self.path):
            return tuple(self._manifest.model_info.texts("tags", []))

    @property
    def comfyui(self) -> Mapping[str, Any] | None:
        """``prompt``, ``workflow`` and ``version`` of the ComfyUI that saved the file; None without them."""
        return self._further("comfyui", dict)

    @property
    def capture(self) -> Mapping[str, Any] | None:
        """Where the noise came from and what each sampler pass received; None if nothing was captured."""
        return self._further("capture", dict)

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The models: kind, name and digest of each."""
        return self._further("resources", list) or []

    @property
    def environment(self) -> Environment | None:
        """The environment in which the file was made; None if it was not saved.

        Raises
        ------
        ChecksumError
            if a component's text does not match its digest.
        """
        row = next((row for row in self.rows if row.type == spec.ENVC), None)
        if row is None:
            return None
        with naming_file(self.path):
            check_text_size(row, self._limits)
            payload, further = self._read(row).tobytes(), self._further("environment", dict) or {}
            return parse_environment(
                payload, chunk=str(row), offset=row.offset, further=further, hardware=self.hardware
            )

    def verify(
        self, *, threads: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Report:
        """Check every byte and return a report.

        Parameters
        ----------
        threads : number of chunks checked in parallel; None for one per processor, at most 4
        progress : called as ``progress(done_bytes, total_bytes)``, one call at a time, from the thread that
            reads; an exception that it raises stops the check

        Raises
        ------
        FormatError
            or a subclass, at the first mismatch.
        """
        checked_bytes = report.checked_bytes(self.header, self.rows, self.trailers)
        source, picture = self._source, self._picture
        if progress is not None:
            total_bytes = checked_bytes + (picture.check_bytes if picture else 0)
            source = count_reads(source, lambda done_bytes: progress(done_bytes, total_bytes))
        with naming_file(self.path):
            self._check_seal(source)
            signatures = self._check_signatures(source)
            self._check_document()
            run_each(lambda row: check_payload(source, row, limits=self._limits), self.rows, threads)
            _ = self.environment
            notes = list(report.describe_unchecked(self.header, self.rows, self.trailers, signatures))
            if picture is not None:
                notes += picture.check(source, self.comfyui or {})
                checked_bytes += picture.size_bytes
            return Report(
                version=self.version,
                sealed=self.sealed,
                root=self.root,
                chunk_count=len(self.rows),
                checked_bytes=checked_bytes,
                notes=tuple(notes),
                signatures=signatures,
                uncovered_bytes=self.uncovered_bytes,
            )

    def _read(self, row: ChunkRow) -> npt.NDArray[np.uint8]:
        with naming_file(self.path):
            return read_payload(self._source, row, limits=self._limits, verify=self._verify)

    def _info(self, name: str, kind: type[Kind], default: Kind) -> Kind:
        with naming_file(self.path):
            return self._manifest.model_info.get(name, kind, default)

    def _further(self, name: str, kind: type[Kind]) -> Kind | None:
        with naming_file(self.path):
            return self._manifest.optional(name, kind)

    def _check_seal(self, source: Source) -> None:
        """Check the seal against the current bytes, since the file may have changed after it was opened."""
        data = source.read(0, spec.HEADER_SIZE, chunk="header")
        stored = source.read(self.header.chunk_table_offset, self.header.chunk_table_size, chunk=spec.META)
        check_seal(data, parse_header(data, source.size_bytes), stored)
        if StoredMeta(stored).root != self.root:
            raise ChecksumError("changed after the file was opened; open it again", chunk=spec.META)

    def _check_signatures(self, source: Source) -> tuple[Signature, ...]:
        """Check every signature over the stored META; raise SignatureError if one is invalid."""
        signatures = check_signatures(read_envelope(source, self.trailers, self._limits), self.root)
        refuse_invalid(signatures, offset=self.header.meta_end)
        return signatures

    def _check_document(self) -> None:
        """Read every field of META once: each property raises if its value has the wrong type."""
        _ = self.metadata, self.settings, self.hardware, self.prompt, self.model_name, self.model_version
        _ = self.date, self.tags, self.comfyui, self.capture, self.resources
        parse_further(self._further("environment", dict) or {})

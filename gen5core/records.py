"""Frozen records that flow between the modules; no behaviour beyond naming what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import spec


@dataclass(frozen=True, slots=True)
class Header:
    """The 32 bytes at the start of a file, under the names that the format's own page gives them."""

    version_major: int
    version_minor: int
    flags: int
    chunk_table_offset: int
    chunk_table_size: int
    chunk_count: int
    file_size: int
    reserved: int

    @property
    def version(self) -> spec.Version:
        return spec.Version(self.version_major, self.version_minor)

    @property
    def sealed(self) -> bool:
        return bool(self.flags & spec.FLAG_SEALED)

    @property
    def meta_end(self) -> int:
        """Offset of the first byte after META."""
        return self.chunk_table_offset + self.chunk_table_size


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One row of META's chunk table: where a chunk lies and what it must hash to.

    ``compressed_size`` counts the stored bytes, frame header included; ``uncompressed_size`` and
    ``hash`` (SHA-256, hex) are of the bare payload.
    """

    index: int
    type: str
    flags: str
    offset: int
    compressed_size: int
    uncompressed_size: int
    hash: str
    compressed: bool
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """Offset of the first byte after the stored chunk."""
        return self.offset + self.compressed_size

    @property
    def stored_sha256(self) -> str | None:
        """SHA-256 (hex) of the stored bytes; every compressed row of version 1.1 has one."""
        return self.extra.get("stored_sha256")

    def __str__(self) -> str:
        key = self.extra.get("key")
        name = f" {key!r:.80}" if isinstance(key, str) else ""
        return f"chunk {self.index} ({self.type}{name})"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a stored tensor is, known without reading it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As stored: ``float32`` or ``float16``."""
    orig_dtype: str
    """As it was handed in, e.g. ``bfloat16``; equals dtype when nothing was widened."""
    part: int | None = None
    """Position inside a nested latent (audio + video); None for a plain one."""


@dataclass(frozen=True, slots=True)
class Trailer:
    """A frame after META; unknown types are reported, not read."""

    type: str
    flags: str
    offset: int
    size_bytes: int


SignatureState = Literal["valid", "invalid", "unchecked"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over a file's root: whose key, and whether it fits. Whose key that is, it cannot say."""

    key_id: str
    """32 hex digits that stand for the key."""
    public_key: str
    """``gen5-ed25519 <base64>``."""
    state: SignatureState
    reason: str = ""
    """Why it is not valid, or was not checked."""

    def __str__(self) -> str:
        if self.state == "valid":
            return f"signed by {self.key_id}"
        told = "not valid" if self.state == "invalid" else "not checked"
        return f"signature by {self.key_id} {told}: {self.reason}"


TrustWord = Literal["unsigned", "unchecked", "invalid", "signed", "trusted"]


@dataclass(frozen=True, slots=True)
class Trust:
    """What the signatures of a file are worth to you. Whether its bytes are intact, only ``verify()`` says."""

    word: TrustWord
    """``trusted`` if a valid signature is by a key in your list, ``signed`` if all are by others."""
    signatures: tuple[Signature, ...]
    names: Mapping[str, str]
    """Key id -> what your list calls the key, for the valid signatures by keys in it."""

    def __str__(self) -> str:
        return "; ".join(self.lines())

    def lines(self) -> list[str]:
        """Return one line for each signature, or ``unsigned``."""
        return list(map(self._told, self.signatures)) or ["unsigned"]

    def _told(self, signature: Signature) -> str:
        if signature.state != "valid":
            return str(signature)
        if signature.key_id not in self.names:
            return f"{signature}, a key that is not in your list"
        name = self.names[signature.key_id]
        return f"{signature}{f' ({name})' if name else ''}, trusted"


@dataclass(frozen=True, slots=True)
class Report:
    """What ``verify()`` looked at. It exists only when everything matched."""

    version: spec.Version
    sealed: bool
    root: str
    chunk_count: int
    checked_bytes: int
    notes: tuple[str, ...] = ()
    """What could not be checked and why, e.g. a trailer of an unknown type."""
    signatures: tuple[Signature, ...] = ()
    """None of them invalid, which would have been an error; unchecked ones are among the notes."""


DriftKind = Literal["differs", "missing here", "missing in file"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One fact of the environment that is not what it was."""

    component: str
    stored: str | None
    current: str | None
    kind: DriftKind

    def __str__(self) -> str:
        """The warning text that the 0.1.0 page documents."""
        subject = f"Environment component '{self.component}'"
        if self.kind == "differs":
            return f"{subject} differs:\n  File: {self.stored}\n  Current: {self.current}"
        if self.kind == "missing here":
            return f"{subject} missing in current system"
        return f"{subject} missing in file"


@dataclass(frozen=True, slots=True)
class SamplerPass:
    """One sampler of a prompt graph, its settings read by role; what is not there is None.

    Source: the ComfyUI prompt in API form; see ``gen5core.graph``.
    """

    node_id: str
    class_type: str
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    sampler_name: str | None = None
    scheduler: str | None = None
    denoise: float | None = None
    start_step: int | None = None
    end_step: int | None = None
    add_noise: bool = True
    guidance: float | None = None
    positive: str | None = None
    """The texts that meet in the conditioning, joined; empty for a zeroed one."""
    negative: str | None = None
    model_name: str | None = None
    loras: tuple[tuple[str, float | None], ...] = ()
    """Name and strength on the model, in the order applied; a strength that only a run knows is None."""
    vae_name: str | None = None
    """None also for a VAE baked into the checkpoint; ``clip_names`` leaves such text encoders out too."""
    clip_names: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    batch_size: int | None = None
    noise_from: str | None = None
    """Id of the node whose class draws the starting noise; the sampler's own id when it draws by itself, None
    when no noise is added."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What only some samplers have: eta, s_noise, shift, ControlNets …"""
    unresolved: tuple[str, ...] = ()
    """Names whose value only a run could know."""

    @property
    def is_idle(self) -> bool:
        """Whether it hands its latent on as it came: denoise is 0, or no step is left from start_step on."""
        ends = [step for step in (self.steps, self.end_step) if step is not None]
        starts_at_end = self.start_step is not None and bool(ends) and self.start_step >= min(ends)
        return self.denoise == 0 or starts_at_end

"""What replaying takes from a file before a sampler runs: its passes, settings, start latent and mask, in one read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from ... import gen5core
from ...gen5core.errors import EncodeError, FormatError
from ..tensors.latents import Parts
from .passes import StoredPass, read_parts, read_passes


@dataclass(frozen=True, slots=True, eq=False)
class StoredStart:
    """What the samplers of a replay start from."""

    file_name: str
    passes: tuple[StoredPass, ...]
    """The passes that a run may start from: all, or the one that was asked for."""
    is_chosen: bool
    """Whether one was asked for."""
    torch_settings: Mapping[str, str]
    """Canonical strings, by name, of how torch was set when the file was saved."""
    samples: Parts | None
    """The latent that the first of the passes started from, or zeros of its shape; None where it is not known."""
    noise_mask: Parts | None


def read_start(file: gen5core.Gen5File, pass_index: int = -1) -> StoredStart:
    """Return what a replay starts from; of the tensors only those are read that it returns.

    Parameters
    ----------
    pass_index : one pass; −1 for all

    Raises
    ------
    EncodeError
        if the file has no noise, or no such pass.
    FormatError
    """
    passes = _choose(file, pass_index)
    first = next((found for found in passes if found.adds_noise or found.sigmas), passes[0])
    samples = _read_samples(file, first)
    mask = None if samples is None else first.noise_mask
    return StoredStart(
        file_name=Path(file.path).name,
        passes=tuple(passes),
        is_chosen=pass_index >= 0,
        torch_settings=_torch_settings(file),
        samples=samples,
        noise_mask=None if mask is None else read_parts(file, mask),
    )


def _choose(file: gen5core.Gen5File, pass_index: int) -> Sequence[StoredPass]:
    passes, name = read_passes(file), Path(file.path).name
    if not any(found.noise for found in passes):
        raise EncodeError(f"{name} holds no starting noise; {_why_none(file)}")
    if pass_index < 0:
        return passes
    if pass_index >= len(passes):
        raise EncodeError(
            f"pass_index is {pass_index}, {name} has {len(passes)} (0 to {len(passes) - 1}); −1 matches by itself"
        )
    chosen = passes[pass_index]
    if chosen.adds_noise and chosen.noise is None:
        raise EncodeError(f"{name} holds no starting noise of pass {pass_index}; {_why_none(file)}")
    return [chosen]


def _read_samples(file: gen5core.Gen5File, first: StoredPass) -> Parts | None:
    """Return the latent that a pass started from; zeros, where it was empty, take their shape from META alone."""
    if first.starts_unknown:
        return None
    if first.start_latent is not None:
        return read_parts(file, first.start_latent)
    if first.noise is not None:
        noise = file.latents[first.noise].parts
        return [torch.zeros(part.shape, dtype=getattr(torch, part.orig_dtype)) for part in noise]
    return [torch.zeros(shape) for shape in first.shapes] if first.shapes else None


def _torch_settings(file: gen5core.Gen5File) -> Mapping[str, str]:
    """Return what a file's environment holds beside the documented components."""
    # Load Gen5 reports what cannot be read, or by on_drift ignores it.
    with suppress(FormatError):
        return file.environment.further if file.environment else {}
    return {}


def _why_none(file: gen5core.Gen5File) -> str:
    reason = (file.capture or {}).get("reason")
    return str(reason) if reason else "save it again with Record Sampling connected"

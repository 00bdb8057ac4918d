"""What a replay needs from a file before a sampler runs: passes, settings, start latent and mask, in one read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ... import gen5core
from ...gen5core.errors import EncodeError, FormatError
from ..tensors.latents import Parts, has_image
from .latent_keys import read_keys
from .passes import FLOATS, StoredPass, read_batch_index, read_parts, read_passes


@dataclass(frozen=True, slots=True, eq=False)
class StoredStart:
    """What the samplers of a replay start from."""

    file_name: str
    passes: tuple[StoredPass, ...]
    """The passes that a run may start from: all, or the one chosen by pass_index."""
    is_chosen: bool
    """Whether one pass was chosen by pass_index."""
    torch_settings: Mapping[str, str]
    """Torch's settings when the file was saved, as canonical strings by name."""
    samples: Parts | None
    """The latent that the first of the passes started from, zeros if it was empty; None if it is not known."""
    noise_mask: Parts | None
    further: Mapping[str, Any] = field(default_factory=dict)
    """What the LATENT holds beside them, e.g. ``type`` and ``batch_index``."""


def read_start(file: gen5core.Gen5File, pass_index: int = -1, batch_index: int = -1) -> StoredStart:
    """Return what a replay starts from; only the tensors that it returns are read.

    Parameters
    ----------
    pass_index : one pass; −1 for all
    batch_index : the image that is wanted; −1 for all. If there is no such image, the mask is not read

    Raises
    ------
    EncodeError
        if the file holds nothing that a run could start from, or has no such pass.
    FormatError
    """
    passes = _choose(file, pass_index)
    first = first_pass(passes)
    samples = _read_samples(file, first)
    mask = first.noise_mask if samples is not None and has_image(samples, batch_index) else None
    return StoredStart(
        file_name=Path(file.path).name,
        passes=tuple(passes),
        is_chosen=pass_index >= 0,
        torch_settings=_torch_settings(file),
        samples=samples,
        noise_mask=None if mask is None else read_parts(file, mask),
        further={} if samples is None else _read_further(file, batch_index),
    )


def _read_further(file: gen5core.Gen5File, batch_index: int) -> dict[str, Any]:
    found = read_keys(file, of_start=True)
    indices = read_batch_index(file, batch_index)
    return found if indices is None else {**found, "batch_index": indices}


def first_pass(passes: Sequence[StoredPass]) -> StoredPass:
    """Return the first pass that sampled at all, or else the first."""
    return next((found for found in passes if found.adds_noise or found.sigmas), passes[0])


def _choose(file: gen5core.Gen5File, pass_index: int) -> Sequence[StoredPass]:
    passes, name = read_passes(file), Path(file.path).name
    if not any(found.can_start for found in passes):
        raise EncodeError(f"{name} holds no starting noise; {_missing_noise_reason(file)}")
    if pass_index < 0:
        return passes
    if pass_index >= len(passes):
        raise EncodeError(
            f"pass_index is {pass_index}, but {name} has passes 0 to {len(passes) - 1}; "
            "−1 matches them automatically"
        )
    chosen = passes[pass_index]
    if chosen.adds_noise and chosen.noise is None:
        raise EncodeError(
            f"{name} holds no starting noise of pass {pass_index}; {_missing_noise_reason(file)}"
        )
    return [chosen]


def _read_samples(file: gen5core.Gen5File, first: StoredPass) -> Parts | None:
    """Return the latent that a pass started from; for an empty one, zeros whose shape is read from META alone."""
    if first.lacks_start:
        return None
    if first.start_latent is not None:
        return read_parts(file, first.start_latent)
    if first.noise is not None:
        noise = file.latents[first.noise].parts
        known = first.start_dtype or _result_dtype(file)  # packs that draw in float64 give back what they got
        dtypes = [known or part.orig_dtype for part in noise]
        return [
            torch.zeros(part.shape, dtype=getattr(torch, dtype))
            for part, dtype in zip(noise, dtypes, strict=True)
        ]
    return [torch.zeros(shape) for shape in first.shapes] if first.shapes else None


def _result_dtype(file: gen5core.Gen5File) -> str | None:
    """Return the dtype of the stored result, which samplers give back as they got it; None if there is none."""
    if "final_latent" not in file.latents:
        return None
    dtype = file.latents["final_latent"].parts[0].orig_dtype
    return dtype if dtype in FLOATS else None


def _torch_settings(file: gen5core.Gen5File) -> Mapping[str, str]:
    """Return the settings in a file's environment besides the documented components."""
    # Load Gen5 reports an unreadable environment, or ignores it if on_drift says so.
    with suppress(FormatError):
        return file.environment.further if file.environment else {}
    return {}


def _missing_noise_reason(file: gen5core.Gen5File) -> str:
    reason = (file.capture or {}).get("reason")
    return str(reason) if reason else "save it again with Record Sampling connected"

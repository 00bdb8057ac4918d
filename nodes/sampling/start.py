"""Which stored pass a sampler run starts from, and what it starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch

from ...gen5core.errors import EncodeError, FormatError
from .. import host
from ..stored.file import StoredFile
from ..stored.passes import StoredPass
from ..tensors.latents import joined, take, take_mask


def choose_passes(stored: StoredFile, pass_index: int) -> list[StoredPass]:
    """Return the stored passes that a run may start from: one, or all for −1.

    Raises
    ------
    EncodeError
        if the file has no noise, or no such pass.
    """
    passes = stored.passes()
    if not any(found.noise for found in passes):
        raise EncodeError(f"{stored.path.name} holds no starting noise; {_why_none(stored)}")
    if pass_index < 0:
        return passes
    if pass_index >= len(passes):
        raise EncodeError(
            f"pass_index is {pass_index}, {stored.path.name} has {len(passes)} "
            f"(0 to {len(passes) - 1}); −1 matches by itself"
        )
    chosen = passes[pass_index]
    if chosen.adds_noise and chosen.noise is None:
        raise EncodeError(
            f"{stored.path.name} holds no starting noise of pass {pass_index}; {_why_none(stored)}"
        )
    return [chosen]


def start_of(stored: StoredFile, chosen: Sequence[StoredPass], batch_index: int) -> Any:
    """Return the LATENT that the first of the chosen passes started from: stored, or empty of its shape.

    Blocked where the file does not hold it, or not the image that batch_index asks for.
    """
    samples = (found for found in chosen if found.adds_noise or found.sigmas)
    first = next(samples, chosen[0])
    if first.starts_unknown or not (first.start_latent or first.noise or first.shapes):
        return host.blocked(
            f"{stored.path.name} does not hold the latent that sampling started from: connect your own, "
            "or save with Record Sampling connected"
        )
    if first.start_latent is not None:
        parts = stored.tensors(first.start_latent)
    elif first.noise is not None:
        parts = [torch.zeros_like(part) for part in stored.tensors(first.noise)]
    else:
        parts = [torch.zeros(shape) for shape in first.shapes or ()]
    try:
        latent: dict[str, Any] = {"samples": joined(take(parts, batch_index, "stored latent"))}
    except EncodeError as error:
        return host.blocked(f"{stored.path.name}: {error}")
    if first.noise_mask is not None:
        latent["noise_mask"] = joined(take_mask(stored.tensors(first.noise_mask), batch_index))
    return latent


def stored_torch_settings(stored: StoredFile) -> Mapping[str, str]:
    """Return what a file's environment tells beside the documented components."""
    # What cannot be read is told, or by on_drift ignored, where the file is loaded.
    with stored.open() as file, suppress(FormatError):
        return file.environment.further if file.environment else {}
    return {}


def _why_none(stored: StoredFile) -> str:
    with stored.open() as file:
        reason = (file.capture or {}).get("reason")
    return str(reason) if reason else "save it again with Record Sampling connected"

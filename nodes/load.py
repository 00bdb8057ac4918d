"""Load Gen5: the noise, result and image of a stored file, and the file itself."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import gen5core
from ..gen5core.errors import EncodeError, Gen5Error
from . import host
from .sampling.straight import STRAIGHT, GivenLatent
from .stored.choices import list_files
from .stored.drift import stored_drifts
from .stored.file import StoredFile, content_tag
from .stored.latent_keys import read_keys
from .stored.passes import (
    StoredPass,
    batch_position,
    last_noise_mask,
    read_batch_index,
    read_parts,
    read_passes,
)
from .stored.paths import resolve_file
from .stored.signatures import describe_trust
from .stored.start import first_pass
from .tensors.latents import joined, parts_of, take, take_mask


class StoredNoise:
    """A NOISE for SamplerCustomAdvanced: the stored noise and its seed, zeros if the stored run added none.

    Source: ``comfy_extras.nodes_custom_sampler.Noise_RandomNoise``.
    """

    def __init__(self, samples: Any, seed: Any, file_name: str, *, is_start: bool = False) -> None:
        self._samples, self.seed, self._file_name, self._is_start = samples, seed, file_name, is_start

    def generate_noise(self, input_latent: dict[str, Any]) -> Any:
        """Return the stored noise, for a latent of the same shape.

        Raises
        ------
        EncodeError
            if the latent has another shape.
        """
        own, wanted = parts_of(self._samples), parts_of(input_latent["samples"])
        shapes = [[list(part.shape) for part in parts] for parts in (own, wanted)]
        if shapes[0] != shapes[1]:
            raise EncodeError(
                f"{self._file_name} holds noise of shape {shapes[0][0]}, but the latent has shape {shapes[1][0]}: "
                "use a latent of the stored size and batch, e.g. Load Gen5's `noise` or `latent`"
            )
        return joined([torch.zeros_like(part) for part in own]) if self._is_start else self._samples


class Gen5Load:
    """A stored file, opened and checked."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Loads a .gen5 file, or a PNG that carries a record, and outputs the exact starting noise, the result, the "
        "image, and the file for other nodes."
    )
    RETURN_TYPES = ("LATENT", "LATENT", "IMAGE", "NOISE", "GEN5")
    RETURN_NAMES = ("noise", "latent", "image", "noise_source", "gen5")
    OUTPUT_TOOLTIPS = (
        "The starting noise. Wire it into a sampler's latent, also through a pipe or a switch, and the sampler starts "
        "from exactly this noise. If the stored run added no noise, it is the latent that the run started from. For a "
        "sampler that adds no noise, or whose model comes from a Replay Sampling, it is a plain latent.",
        "The stored result.",
        "The stored picture.",
        "The starting noise for SamplerCustomAdvanced; if the stored run added none, no noise.",
        "The file, for Replay Sampling, Gen5 Settings and other nodes; with batch_index, that image of it.",
    )
    FUNCTION = "load"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "file": (
                    list_files(),
                    {
                        "tooltip": "A .gen5 file, or a PNG that carries a record, in the input or output folder."
                    },
                ),
                "on_drift": (
                    ["warn", "ignore", "error"],
                    {
                        "default": "warn",
                        "tooltip": "What to do if this environment differs from the stored one.",
                    },
                ),
            },
            "optional": {
                "batch_index": (
                    "INT",
                    {
                        "default": -1,
                        "min": -1,
                        "max": 4095,
                        "tooltip": "One image of the stored batch; −1 for all. Its noise equals the stored noise bit "
                        "for bit, but an image sampled alone may differ in its last bits from the one in the "
                        "batch, because GPUs compute batches of different sizes in a different order.",
                    },
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, file: str | None = None) -> bool | str:
        if file is None:  # a link, whose value is known only when the node runs
            return True
        try:
            path = resolve_file(file)
        except Gen5Error as error:
            return str(error)
        return (
            True
            if os.path.isfile(
                path
            )  # unlike Path.is_file, it does not raise if the name is too long for the file system
            else f"{file} is not there; choose another file, or press R to list them again"
        )

    @classmethod
    def IS_CHANGED(cls, file: str | None, **_: Any) -> str | float:
        """Return a value that changes with the file's content or the trust in its signatures.

        ComfyUI runs the node again if the value changed, and NaN differs from every value.
        """
        if file is None:  # a link: the file is known only when the node runs
            return math.nan
        path = resolve_file(file)
        try:
            with gen5core.open(path) as opened:
                trust = f" {describe_trust(opened.signatures)}" if opened.signatures else ""
                return f"{content_tag(opened)}{trust}"
        except (Gen5Error, OSError):
            pass  # the error is raised when the node runs
        status = path.stat() if path.exists() else None
        return f"{status.st_mtime_ns} {status.st_size}" if status else "missing"

    def load(self, file: str, on_drift: str = "warn", batch_index: int = -1) -> dict[str, Any]:
        """Check every byte and return the outputs; an output that the file lacks is blocked with the reason."""
        path = resolve_file(file)
        status = path.stat()  # taken before the check, so that a write during the check changes it
        with gen5core.open(path) as opened:
            uncovered_bytes = opened.verify().uncovered_bytes
            report = {
                "drift": report_drift(opened, on_drift),
                "trust": describe_trust(opened.signatures),
                "uncovered_bytes": uncovered_bytes,
            }
            noise = _blocked_on_error(_noise, opened, batch_index)
            stored = StoredFile(path, opened.root, batch_index)
            if isinstance(noise, dict):
                is_noise = _started_from(opened) is None
                STRAIGHT.remember(parts_of(noise["samples"]), GivenLatent(stored, batch_index, is_noise))
            result = (
                noise,
                _blocked_on_error(_latent, opened, batch_index),
                _image(opened, batch_index),
                _noise_source(opened, noise),
                stored,
            )
        checked = {"file": file, "root": opened.root, "mtime": status.st_mtime, "size_bytes": status.st_size}
        return {"ui": {"gen5": [{**checked, **report}]}, "result": result}


def report_drift(opened: gen5core.Gen5File, on_drift: str) -> list[str]:
    """Warn about, ignore or reject differences from the environment and models that made the file; return them as text.

    Raises
    ------
    EncodeError
        if on_drift is ``error`` and anything differs; it lists every difference.
    """
    if on_drift == "ignore":
        return []
    drifts = [str(drift) for drift in stored_drifts(opened, quick=True)]
    if drifts and on_drift == "error":
        raise EncodeError(
            f"{Path(opened.path).name} was made in another environment; "
            "set on_drift to warn to load it all the same.\n" + "\n".join(drifts)
        )
    for drift in drifts:
        warnings.warn(drift, UserWarning, stacklevel=2)
    return drifts


def _blocked_on_error(
    output: Callable[[gen5core.Gen5File, int], Any], opened: gen5core.Gen5File, batch_index: int
) -> Any:
    """Return an output, or block it alone if it does not exist, e.g. for a batch_index beyond its batch."""
    try:
        return output(opened, batch_index)
    except EncodeError as error:
        return host.blocked(f"{Path(opened.path).name}: {error}")


def _noise(opened: gen5core.Gen5File, batch_index: int) -> Any:
    """Return the starting noise; of a run that added none, the latent that it continued from."""
    if (started := _started_from(opened)) is not None and started.start_latent is not None:
        return _start_latent(opened, started, batch_index)
    if "initial_noise" not in opened.latents:
        reason = (opened.capture or {}).get("reason", "it was saved without any")
        return host.blocked(f"{Path(opened.path).name} holds no starting noise: {reason}")
    return {"samples": _samples(opened, "initial_noise", batch_index), **read_keys(opened, of_start=True)}


def _started_from(opened: gen5core.Gen5File) -> StoredPass | None:
    """Return the first pass if it added no noise and continued from a stored latent, else None."""
    passes = read_passes(opened)
    first = first_pass(passes) if passes else None
    return first if first is not None and first.starts_from_latent else None


def _start_latent(opened: gen5core.Gen5File, started: StoredPass, batch_index: int) -> dict[str, Any]:
    assert started.start_latent is not None  # starts_from_latent says so
    latent = {
        "samples": _samples(opened, started.start_latent, batch_index),
        **read_keys(opened, of_start=True),
    }
    if started.noise_mask is not None:
        latent["noise_mask"] = joined(take_mask(read_parts(opened, started.noise_mask), batch_index))
    return latent


def _noise_source(opened: gen5core.Gen5File, noise: Any) -> Any:
    """Return the NOISE that belongs to the `noise` output, which is blocked if that is."""
    if not isinstance(noise, dict):
        return noise
    started, name = _started_from(opened), Path(opened.path).name
    if started is not None:
        return StoredNoise(noise["samples"], started.sampler_seed or 0, name, is_start=True)
    return StoredNoise(noise["samples"], _seed(opened), name)


def _seed(opened: gen5core.Gen5File) -> Any:
    """Return the seed of the pass that the starting noise belongs to; 0 if it is not known."""
    name = opened.latents["initial_noise"].name
    return next((found.sampler_seed for found in read_passes(opened) if found.noise == name), None) or 0


def _latent(opened: gen5core.Gen5File, batch_index: int) -> Any:
    if "final_latent" not in opened.latents:
        return host.blocked(f"{Path(opened.path).name} holds no result latent: it was saved without one")
    latent = {"samples": _samples(opened, "final_latent", batch_index), **read_keys(opened)}
    if (name := last_noise_mask(opened)) is not None:
        latent["noise_mask"] = joined(take_mask(read_parts(opened, name), batch_index))
    if (batch_indices := read_batch_index(opened, batch_index)) is not None:
        latent["batch_index"] = batch_indices
    return latent


def _samples(opened: gen5core.Gen5File, name: str, batch_index: int) -> Any:
    return joined(take(read_parts(opened, name), batch_index, f"stored {name}"))


def _image(opened: gen5core.Gen5File, batch_index: int) -> Any:
    if not opened.images:
        return host.blocked(f"{Path(opened.path).name} holds no picture: it was saved without one")
    position = batch_position(opened)
    if position is not None and batch_index >= 0:
        if batch_index != position.index:
            return host.blocked(
                f"batch_index is {batch_index}, but {Path(opened.path).name} holds image {position.index} of a batch "
                f"of {position.count}: load the PNG of the other image, or set batch_index to −1"
            )
        batch_index = 0
    chosen = opened.images if batch_index < 0 else opened.images[batch_index : batch_index + 1]
    if not chosen:
        return host.blocked(
            f"batch_index is {batch_index}, but {Path(opened.path).name} holds {len(opened.images)} pictures; "
            "−1 takes all"
        )
    arrays = [image.array() for image in chosen]
    if len({array.shape for array in arrays}) > 1:
        return host.blocked(
            f"the pictures in {Path(opened.path).name} have different sizes; choose one with batch_index"
        )
    return torch.from_numpy(np.stack(arrays).astype(np.float32) / 255.0)

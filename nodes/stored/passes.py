"""The sampler passes of a stored file, each with the latents that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, cast

from ... import gen5core
from ...gen5core.container.fields import shorten
from ...gen5core.container.spec import META
from ...gen5core.errors import MalformedChunkError, naming_file
from ..tensors.latents import Parts
from .draws import DrawGroup, parse_groups

Seed = int | float | tuple[int | float, ...]
FLOATS = ("float64", "float32", "float16", "bfloat16")
"""Dtypes that an empty latent may have."""
FINAL_MASK = "final_noise_mask"
"""Name of the result's mask if it is not known to be that of the last pass."""


@dataclass(frozen=True, slots=True)
class StoredPass:
    """One sampler pass of a file, as Replay Sampling needs it."""

    index: int
    seed: Seed | None
    """As the run was told; None if that is not known or not a number, which no sampler draws from."""
    sigmas: tuple[float, ...] | None
    """As the sampler received them, float32; None if they were not recorded."""
    shapes: tuple[tuple[int, ...], ...] | None
    adds_noise: bool
    noise: str | None
    """Name of the latent that holds the starting noise."""
    start_latent: str | None
    """Name of the latent that sampling started from; None if it was empty or is not known."""
    lacks_start: bool
    """Whether sampling started from a latent that the file does not hold."""
    noise_mask: str | None
    start_dtype: str | None = None
    """Dtype of an empty latent that sampling started from; None if it was that of the noise."""
    step_noise: str | None = None
    """Name of the latent that holds what the sampler drew."""
    draws: tuple[DrawGroup, ...] | None = None
    """The order of the draws; None if there is one tensor of them, which counts them, or none."""
    step_noise_reason: str | None = None
    """Why step noise that was drawn is not stored, or not all of it."""
    generators: Mapping[str, str] = field(default_factory=dict)
    """States of global generators at the start of the run, as META holds them."""
    torch_settings: Mapping[str, str] = field(default_factory=dict)
    """Torch's settings during sampling, canonical strings by name; only those unlike the file's environment."""
    node_id: str | None = None
    """The node that sampled it; None if that is not known."""
    sampler_name: str | None = None
    """As it was recorded; None if it was not, the same goes for cfg."""
    cfg: float | None = None

    @property
    def can_start(self) -> bool:
        """Whether a run can start as this pass did: from its noise, or without any if it is known to have had none."""
        if self.adds_noise:
            return self.noise is not None
        return self.start_latent is not None or self.sigmas is not None

    @property
    def starts_from_latent(self) -> bool:
        """Whether it added no noise and continued from a latent that the file holds."""
        return not self.adds_noise and self.start_latent is not None

    @property
    def sampler_seed(self) -> Any:
        """The seed in the form in which a sampler is told it."""
        return list(self.seed) if isinstance(self.seed, tuple) else self.seed


@dataclass(frozen=True, slots=True)
class BatchPosition:
    """Which image of a batch a file holds, if each image has its own file."""

    index: int
    count: int
    """Number of images in the batch."""


def batch_position(file: gen5core.Gen5File) -> BatchPosition | None:
    """Return which image of its batch a file holds; None if it holds all of them.

    Raises
    ------
    MalformedChunkError
        if META's ``capture`` has an invalid ``image_of_batch``.
    """
    entry = (file.capture or {}).get("image_of_batch")
    if entry is None:
        return None
    index, count = (entry.get("index"), entry.get("count")) if isinstance(entry, dict) else (None, None)
    if type(index) is int and type(count) is int and 0 <= index < count:
        return BatchPosition(index, count)
    with naming_file(file.path):
        raise MalformedChunkError(
            f"capture's image_of_batch is {shorten(entry)}, not an index and a greater count", chunk=META
        )


def captured_passes(file: gen5core.Gen5File) -> list[dict[str, Any]]:
    """Return the entry of each pass in META's ``capture``; empty if nothing was captured.

    Raises
    ------
    MalformedChunkError
        if the passes are not a list of objects.
    """
    passes = (file.capture or {}).get("passes") or []
    if isinstance(passes, list) and all(isinstance(entry, dict) for entry in passes):
        return passes
    with naming_file(file.path):
        raise MalformedChunkError(
            f"capture's passes are {shorten(passes)}, not a list of objects", chunk=META
        )


def read_batch_index(file: gen5core.Gen5File, image: int = -1) -> list[int] | None:
    """Return the latent's ``batch_index``, or that of one image alone; None if it has none."""
    found = (file.capture or {}).get("batch_index")
    if not isinstance(found, list) or image >= len(found):
        return None
    return found if image < 0 else [found[image]]


def read_passes(file: gen5core.Gen5File) -> list[StoredPass]:
    """Return the sampler passes of an open file; if none were captured, one pass made from the noise.

    Raises
    ------
    MalformedChunkError
        naming the invalid value.
    """
    captured = captured_passes(file)
    if not captured:
        return _pass_without_capture(file)
    with naming_file(file.path):
        return [_parse_pass(index, entry, file) for index, entry in enumerate(captured)]


def read_parts(file: gen5core.Gen5File, name: str) -> Parts:
    """Return a latent's tensors in the dtype in which they were saved."""
    return [part.torch() for part in file.latents[name].parts]


def latent_name(base: str, pass_index: int) -> str:
    """Return the name of a pass's latent: ``initial_noise``, ``initial_noise.1`` …"""
    return base if pass_index == 0 else f"{base}.{pass_index}"


def _parse_pass(index: int, entry: Mapping[str, Any], file: gen5core.Gen5File) -> StoredPass:
    def name(key: str) -> str | None:
        value = entry.get(key)
        return value if isinstance(value, str) and value in file.latents else None

    def checked(key: str, is_valid: Callable[[Any], bool]) -> Any:
        value = entry.get(key)
        if value is None or is_valid(value):
            return value
        raise MalformedChunkError(f"capture's pass {index}: {key} is {shorten(value)}", chunk=META)

    sigmas, shapes = checked("sigmas", _are_sigmas), checked("shapes", _are_shapes)
    omitted = entry.get("omitted") or {}
    lacks = isinstance(omitted, dict) and ("start_latent" in omitted or "noise_mask" in omitted)
    return StoredPass(
        index=index,
        seed=_parse_seed(entry.get("seed")),
        sigmas=tuple(sigmas) if sigmas and all(type(value) in (int, float) for value in sigmas) else None,
        shapes=tuple(tuple(shape) for shape in shapes) if shapes else None,
        adds_noise=bool(entry.get("add_noise", True)),
        noise=name("noise"),
        start_latent=name("start_latent"),
        lacks_start=lacks
        or (name("start_latent") is None and not entry.get("recorded") and _has_start(entry, index)),
        noise_mask=name("noise_mask"),
        start_dtype=dtype if (dtype := entry.get("start_dtype")) in FLOATS else None,
        step_noise=name("step_noise"),
        draws=parse_groups(entry.get("draws"), index),
        step_noise_reason=reason if isinstance(reason := entry.get("step_noise_reason"), str) else None,
        generators=checked("generators", _are_strings) or {},
        torch_settings=checked("torch_settings", _are_strings) or {},
        node_id=_text(entry.get("node_id")),
        sampler_name=_text(entry.get("recorded_sampler")),
        cfg=_number(entry.get("cfg")) if entry.get("recorded") else None,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) else None


def _has_start(entry: Mapping[str, Any], index: int) -> bool:
    """Return whether the graph says that a pass starts from another pass's result or from an image."""
    denoise, start_step = entry.get("denoise"), entry.get("start_step")
    is_partial = isinstance(denoise, (int, float)) and denoise < 1
    return index > 0 or is_partial or (isinstance(start_step, int) and start_step > 0)


def _are_sigmas(value: Any) -> bool:
    """Return whether value is a list of numbers; null stands for infinity and NaN, which JSON lacks.

    Files of 1.0 hold lists of lists for a run whose sigmas had two axes; they say nothing, and are no error.
    """
    return isinstance(value, list) and all(type(item) in (int, float, NoneType, list) for item in value)


def _parse_seed(value: Any) -> Seed | None:
    """Return a seed as a sampler takes it: what a run was told is no error, whatever it was."""
    if type(value) in (int, float):
        return cast(Seed, value)
    if isinstance(value, list) and value and all(type(item) in (int, float) for item in value):
        return tuple(value)
    return None


def _are_strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _are_shapes(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape) for shape in value
    )


def _pass_without_capture(file: gen5core.Gen5File) -> list[StoredPass]:
    if "initial_noise" not in file.latents:
        return []
    stored = file.latents["initial_noise"]
    return [
        StoredPass(
            index=0,
            seed=_parse_seed(file.settings.get("seed")),
            sigmas=None,
            shapes=tuple(part.shape for part in stored.parts),
            adds_noise=True,
            noise=stored.name,
            start_latent="start_latent" if "start_latent" in file.latents else None,
            lacks_start=False,
            noise_mask="noise_mask" if "noise_mask" in file.latents else None,
        )
    ]


def last_noise_mask(file: gen5core.Gen5File) -> str | None:
    """Return the name of the result's mask; None if it has none."""
    if FINAL_MASK in file.latents:
        return FINAL_MASK
    passes = captured_passes(file)
    name = passes[-1].get("noise_mask") if passes else "noise_mask"
    return name if isinstance(name, str) and name in file.latents else None

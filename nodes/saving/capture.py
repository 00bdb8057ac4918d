"""The noise of a save from the best source: recorded, provided, derived or none, in this order.

The result is the latents to store, and META's ``capture``: where the noise came from, or why there is none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch

from ...gen5core.environment.components import live_settings
from ...gen5core.errors import EncodeError, Gen5Error
from ...gen5core.graph.passes import is_latent_of, noise_obstacle, starts_from_stored
from ...gen5core.graph.sampler_pass import SamplerPass
from ..sampling.recorder import first_line
from ..sampling.recording import Recording, Run
from ..stored.latent_keys import FIELD, LatentKeys
from ..stored.passes import FINAL_MASK, latent_name
from ..tensors.latents import Parts, draw_noise, is_zero, shapes_of, storable
from .inputs import SaveInputs
from .match_runs import Matched, match_runs

logger = logging.getLogger(__name__)
_PASS_FIELDS = (
    "node_id",
    "class_type",
    "seed",
    "steps",
    "cfg",
    "sampler_name",
    "scheduler",
    "denoise",
    "start_step",
    "end_step",
    "add_noise",
    "guidance",
    "positive",
    "negative",
    "model_name",
    "loras",
    "vae_name",
    "clip_names",
    "width",
    "height",
    "batch_size",
    "options",
    "unresolved",
)
_LATENT_NAMES = {"noise": "initial_noise"}
"""Field of a pass in META -> name of the latent that it refers to, where the two differ."""
Latents = Mapping[str, torch.Tensor | Parts]
Entry = Mapping[str, Any]
"""A pass as META's ``capture`` holds it."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why noise cannot be derived, in words, and as a word for programs if there is one."""

    text: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Captured:
    """Latents by name, and META's ``capture``."""

    noise_source: str
    latents: Latents = field(default_factory=dict)
    passes: Sequence[Entry] = ()
    reason: str | None = None
    """Why there is no noise, or what is not known of it, in words; in META too."""
    reason_kind: str | None = None
    """The same as a word for programs, where the words say no more than that."""
    latent_keys: Mapping[str, Any] = field(default_factory=dict)
    """The further keys of the saved LATENT, as META holds them."""

    def with_reasons(self, reasons: Sequence[str]) -> Captured:
        """Return this with further reasons."""
        texts = [*([self.reason] if self.reason else []), *reasons]
        return replace(self, reason="; ".join(texts), reason_kind=None) if reasons else self

    def with_keys(self, keys: LatentKeys) -> Captured:
        """Return this with what the saved LATENT holds beside its tensors."""
        return replace(self, latents={**self.latents, **keys.tensors}, latent_keys=keys.entries)

    def with_result(self, result: Parts, noise_mask: Parts | None) -> Captured:
        """Return this with the sampler's result and the result's mask.

        The mask is also the last pass's, unless that pass was recorded: a recording holds its own.
        """
        latents = {**self.latents, "final_latent": storable(result)}
        if noise_mask is None:
            return replace(self, latents=latents)
        mask = storable(noise_mask)
        *earlier, last = self.passes or [{}]
        if last.get("recorded"):
            return replace(self, latents={**latents, FINAL_MASK: mask})
        name = latent_name("noise_mask", len(earlier))
        passes = [*earlier, {**last, "noise_mask": name}] if self.passes else []
        return replace(self, latents={**latents, name: mask}, passes=passes)

    def as_meta(self, batch_index: Sequence[int] | None) -> dict[str, Any]:
        """Return META's ``capture``."""
        meta: dict[str, Any] = {"noise_source": self.noise_source, "passes": list(self.passes)}
        if self.reason:
            meta["reason"] = self.reason
        if batch_index:
            meta["batch_index"] = list(batch_index)
        if self.latent_keys:
            meta[FIELD] = dict(self.latent_keys)
        return meta


def capture_noise(inputs: SaveInputs) -> Captured:
    """Return the starting noise from the best available source, and the result if it is connected.

    Raises
    ------
    EncodeError
        if the shape of the connected noise differs from that of the latent that was sampled from it.
    """
    captured = _find_noise_safely(inputs)
    if inputs.latent is not None:
        captured = captured.with_result(inputs.latent, inputs.noise_mask)
    return captured.with_keys(inputs.latent_keys).with_reasons(inputs.reasons)


def _find_noise_safely(inputs: SaveInputs) -> Captured:
    try:
        return _find_noise(inputs)
    except Gen5Error:  # what the user connected cannot be right
        raise
    except Exception as error:  # a picture must not be lost because it is not known how it was made
        logger.exception("the noise of this save could not be found; the picture is saved without it")
        return Captured("none", reason=f"the noise could not be found ({first_line(error)})")


def _find_noise(inputs: SaveInputs) -> Captured:
    if inputs.recording is not None:
        matched = match_runs(inputs, inputs.recording)
        if matched.has_runs:
            return _from_runs(matched, inputs)
    entries = [_describe(sampler_pass) for sampler_pass in inputs.passes]
    if inputs.noise is not None:
        _check_shapes(inputs, inputs.noise)
        return _from_provided(entries, inputs.noise)
    if inputs.is_noise_lost:  # what would be derived is not the noise that was connected
        return Captured("none", {}, entries)
    derived = _derive(inputs, entries)
    if inputs.recording is None or not (inputs.passes or inputs.recording.failures_now):
        return derived
    reason = _no_run_reason(inputs.recording)
    text = f"{reason}; {derived.reason}" if derived.reason else reason
    return replace(derived, reason=text, reason_kind=None)


def _no_run_reason(recording: Recording) -> str:
    failures = [
        failure.reason if failure.node_id is None else f"node {failure.node_id}: {failure.reason}"
        for failure in recording.failures_now
    ]
    if failures:
        return f"the run could not be recorded ({'; '.join(failures)})"
    return "no recorded run belongs to what is saved (connect the sampler's own latent to Save Gen5)"


def _describe(sampler_pass: SamplerPass) -> dict[str, Any]:
    """Return a pass as META holds it, without fields that have no value."""
    values = {**asdict(sampler_pass), "add_noise": sampler_pass.add_noise and not sampler_pass.is_idle}
    return {name: values[name] for name in _PASS_FIELDS if values[name] not in (None, (), {}, [])}


def _from_runs(matched: Matched, inputs: SaveInputs) -> Captured:
    latents: dict[str, torch.Tensor | Parts] = {}
    passes = []
    for index, (sampler_pass, run) in enumerate(matched.matches):
        entry = _describe_pass(sampler_pass, run, inputs)
        if run is None:
            passes.append({**entry, "recorded": False})
            continue
        tensors = _run_tensors(run)
        names = {key: latent_name(_LATENT_NAMES.get(key, key), index) for key in tensors}
        latents |= {names[key]: tensor for key, tensor in tensors.items()}
        passes.append({**entry, **_run_fields(run, names)})
    kept = [run for _, run in matched.matches if run is not None]
    reasons = [*matched.reasons, *(reason for run in kept for reason in _omissions(run))]
    return Captured("recorded", latents, passes, "; ".join(reasons) or None)


_OMITTED = {"noise": "starting noise", "start_latent": "starting latent", "noise_mask": "noise mask"}


def _omissions(run: Run) -> list[str]:
    """Return which tensors of a run are not stored, and why."""
    return [
        f"the {_OMITTED[name]} of node {run.node_id} is not stored: {why}"
        for name, why in run.omitted.items()
    ]


def _describe_pass(sampler_pass: SamplerPass | None, run: Run | None, inputs: SaveInputs) -> dict[str, Any]:
    """Return the settings of a run's pass: of the node that ran if it was made at run time, or of the drawn one."""
    if run is not None and run.own_pass is not None:
        return _describe(run.own_pass)
    return (
        _node_class(run, inputs.prompt)
        if sampler_pass is None
        else _describe(inputs.as_ran(sampler_pass, run))
    )


def _node_class(run: Run | None, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class of a run's node; nothing if it is not known."""
    if run is not None and run.origin.class_type is not None:
        return {"class_type": run.origin.class_type}
    node = None if run is None else prompt.get(run.node_id or "")
    class_type = node.get("class_type") if isinstance(node, Mapping) else None
    return {"class_type": class_type} if isinstance(class_type, str) else {}


def _run_tensors(run: Run) -> dict[str, torch.Tensor | Parts]:
    """Return a run's tensors by their fields in META; noise and start latent only if they are not all zero.

    In place of omitted ones are zeros.
    """
    tensors: dict[str, torch.Tensor | Parts] = {}
    if not is_zero(run.noise):
        tensors["noise"] = storable(run.noise)
    if not is_zero(run.start_latent):
        tensors["start_latent"] = storable(run.start_latent)
    if run.noise_mask is not None:
        tensors["noise_mask"] = storable(run.noise_mask)
    if run.step_noise is not None:
        tensors["step_noise"] = storable(run.step_noise.parts)
    return tensors


def _run_fields(run: Run, latent_names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a run adds to its pass in META."""
    optional = {
        "seed": run.seed,
        "cfg": run.cfg,
        "node_id": run.node_id,
        "draws": run.step_noise and run.step_noise.as_meta(),
        "step_noise_reason": run.step_noise_reason,
        "generators": run.generators or None,
        "torch_settings": _changed_settings(run) or None,
        "omitted": dict(run.omitted) or None,
        "start_dtype": _start_dtype(run) if "start_latent" not in latent_names else None,
    }
    return {
        **{name: value for name, value in optional.items() if value is not None},
        "recorded": True,
        "add_noise": "noise" in latent_names or "noise" in run.omitted,
        "recorded_sampler": run.sampler_name,
        "sigmas": list(run.sigmas),
        "shapes": run.shapes,
        **latent_names,
    }


def _start_dtype(run: Run) -> str | None:
    """Return the dtype of an empty latent that a run started from, if it is not that of the noise."""
    dtypes = [str(parts[0].dtype).removeprefix("torch.") for parts in (run.start_latent, run.noise)]
    return dtypes[0] if dtypes[0] != dtypes[1] else None


def _changed_settings(run: Run) -> dict[str, str]:
    """Return the torch settings of a run that differ from the current ones, which the file's environment holds."""
    now = live_settings()
    return {name: text for name, text in run.torch_settings.items() if text != now.get(name)}


def _check_shapes(inputs: SaveInputs, noise: Parts) -> None:
    """Refuse noise that the sampler of the connected latent cannot have started from."""
    if inputs.latent is None or not inputs.passes or inputs.latent_sampler != inputs.passes[-1].node_id:
        return
    given, sampled = shapes_of(noise), shapes_of(inputs.latent)
    if given != sampled:
        raise EncodeError(
            f"the noise connected to Save Gen5 has shape {_format_shapes(given)}, the latent that was sampled "
            f"{_format_shapes(sampled)}: connect the noise that this sampler started from, or none"
        )


def _format_shapes(shapes: Sequence[Sequence[int]]) -> str:
    return " and ".join(" × ".join(map(str, shape)) for shape in shapes)


def _from_provided(entries: Sequence[Entry], noise: Parts) -> Captured:
    """Store the noise socket's tensors as those of the first pass that adds noise."""
    passes = list(entries) or [{}]
    index = next((number for number, entry in enumerate(passes) if entry.get("add_noise", True)), 0)
    return _with_noise("provided", passes, index, noise)


def _derive(inputs: SaveInputs, entries: Sequence[Entry]) -> Captured:
    """Repeat the draw of the last pass that adds noise, if its class draws noise as ComfyUI does."""
    passes = [
        _without_seed(entry) if starts_from_stored(inputs.prompt, sampler_pass) else entry
        for sampler_pass, entry in zip(inputs.passes, entries, strict=True)
    ]
    index = _last_noisy_pass(inputs.passes)
    obstacle = _derivation_obstacle(inputs, index)
    if obstacle is not None or inputs.latent is None:
        why = obstacle or Obstacle("no latent is connected, so the noise's shape is unknown", "no_latent")
        return Captured("none", {}, passes, why.text, why.kind)
    seed = inputs.passes[index].seed
    assert seed is not None  # otherwise noise_obstacle returns a reason
    try:
        noise = draw_noise(inputs.latent, seed, inputs.batch_index)
    except (RuntimeError, NotImplementedError, ValueError, TypeError) as error:
        # torch draws no integers, for example, and a sampler would not have run either
        return Captured("none", {}, passes, f"the noise of seed {seed} could not be drawn: {error}")
    return replace(_with_noise("derived", passes, index, noise), reason=_earlier_passes_reason(index))


def _with_noise(noise_source: str, passes: Sequence[Entry], index: int, noise: Parts) -> Captured:
    """Return passes with noise as the starting noise of one of them."""
    name = latent_name("initial_noise", index)
    entry = {**passes[index], "noise": name, "shapes": shapes_of(noise)}
    return Captured(noise_source, {name: storable(noise)}, [*passes[:index], entry, *passes[index + 1 :]])


def _without_seed(entry: Entry) -> Entry:
    """Return a pass without its widget's seed, which had no effect: the pass started from stored noise."""
    unresolved = [*entry.get("unresolved", ()), "seed"]
    return {**{name: value for name, value in entry.items() if name != "seed"}, "unresolved": unresolved}


def _earlier_passes_reason(index: int) -> str | None:
    if index == 0:
        return None
    return (
        f"only the noise of pass {index} can be derived, not that of earlier passes: connect Record Sampling"
    )


def _last_noisy_pass(passes: Sequence[SamplerPass]) -> int:
    """Return the index of the last pass that adds noise; 0 if none does."""
    noisy = (index for index, found in enumerate(passes) if found.add_noise and not found.is_idle)
    return max(noisy, default=0)


def _derivation_obstacle(inputs: SaveInputs, index: int) -> Obstacle | None:
    """Return why the noise of a pass cannot be drawn again in the latent's shape; None if it can."""
    if not inputs.is_batch_index_known:
        return Obstacle("the latent's batch_index is not known, so the noise of its images is not either")
    if not inputs.passes:
        return Obstacle("no sampler was found above this node", "no_sampler")
    is_traceable = inputs.latent is not None and inputs.node_id is not None
    if is_traceable and inputs.latent_sampler != inputs.passes[-1].node_id:
        return Obstacle(
            "the latent was changed after sampling, so the noise's shape is unknown", "latent_changed"
        )
    for earlier, later in pairwise(inputs.passes[index:]):
        if not is_latent_of(inputs.prompt, earlier.node_id, later.node_id):
            return Obstacle(
                f"node {later.node_id} adds no noise, and its latent is not what node {earlier.node_id} "
                "returned, so the noise's shape is unknown"
            )
    reason = noise_obstacle(inputs.prompt, inputs.passes[index])
    return None if reason is None else Obstacle(reason)

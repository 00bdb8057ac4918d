"""What is known of the noise at save time, in this order: recorded, provided, derived, none.

The answer is the latents to store, META's `capture` that says whence they are, and why when there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...gen5core.environment.components import live_settings
from ...gen5core.errors import EncodeError
from ...gen5core.graph.passes import noise_obstacle, starts_from_stored
from ...gen5core.graph.sampler_pass import SamplerPass
from ..sampling.recording import Recording, Run
from ..stored.passes import FINAL_MASK, latent_name
from ..tensors.latents import Parts, draw_noise, is_zero, parts_of, shapes_of, storable
from .match_runs import Matched, SaveInputs, match_runs

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


@dataclass(slots=True)
class Captured:
    """Latents by name, and META's ``capture``."""

    noise_source: str
    latents: dict[str, Any] = field(default_factory=dict)
    passes: list[dict[str, Any]] = field(default_factory=list)
    reason: str | None = None

    def keep_result(self, parts: Parts, noise_mask: Any) -> None:
        """Store the result and the mask that it bears, which is the last pass's too where that was not recorded."""
        self.latents["final_latent"] = storable(parts)
        if noise_mask is None:
            return
        masks = [mask if mask.is_floating_point() else mask.float() for mask in parts_of(noise_mask)]
        is_recorded = bool(self.passes) and bool(self.passes[-1].get("recorded"))
        name = FINAL_MASK if is_recorded else latent_name("noise_mask", max(len(self.passes) - 1, 0))
        self.latents[name] = storable(masks)
        if self.passes and not is_recorded:
            self.passes[-1]["noise_mask"] = name

    def as_meta(self) -> dict[str, Any]:
        """Return META's ``capture``."""
        meta: dict[str, Any] = {"noise_source": self.noise_source, "passes": self.passes}
        if self.reason:
            meta["reason"] = self.reason
        return meta


def capture_noise(inputs: SaveInputs, recording: Recording | None, provided: Parts | None) -> Captured:
    """Return the starting noise from the best source there is.

    Parameters
    ----------
    recording : what Record Sampling noted; it knows what the sampler really received
    provided : the noise socket's tensors
    """
    if recording is not None:
        matched = match_runs(inputs, recording)
        if matched.has_runs:
            return _from_runs(matched, inputs.prompt)
    described = [_describe(found) for found in inputs.passes]
    if provided is not None:
        _check_shapes(inputs, provided)
        return _from_provided(described, provided)
    derived = _derive(inputs, described)
    if recording is not None:
        told = "no recorded run belongs to what is saved (connect the sampler's own latent to Save Gen5)"
        derived.reason = f"{told}; {derived.reason}" if derived.reason else told
    return derived


def _describe(found: SamplerPass) -> dict[str, Any]:
    """Return a pass as META holds it, without what is not there."""
    values = {**asdict(found), "add_noise": found.add_noise and not found.is_idle}
    return {name: values[name] for name in _PASS_FIELDS if values[name] not in (None, (), {}, [])}


def _from_runs(matched: Matched, prompt: Mapping[str, Any]) -> Captured:
    captured = Captured("recorded", reason="; ".join(matched.reasons) or None)
    for index, (found, run) in enumerate(matched.matches):
        entry = _class_of(run, prompt) if found is None else _describe(found)
        told = {"recorded": False} if run is None else _run_fields(run, index, captured.latents)
        captured.passes.append({**entry, **told})
    return captured


def _class_of(run: Run | None, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class of a run's node; of one that was made as the prompt ran there is nothing to tell."""
    node = None if run is None else prompt.get(run.node_id or "")
    class_type = node.get("class_type") if isinstance(node, Mapping) else None
    return {"class_type": class_type} if isinstance(class_type, str) else {}


def _run_fields(run: Run, index: int, latents: dict[str, Any]) -> dict[str, Any]:
    """Return what a run says of its pass; put its tensors into latents."""
    names: dict[str, str] = {}
    adds_noise = not is_zero(run.noise)
    if adds_noise:
        names["noise"] = latent_name("initial_noise", index)
        latents[names["noise"]] = storable(run.noise)
    if not is_zero(run.start_latent):
        names["start_latent"] = latent_name("start_latent", index)
        latents[names["start_latent"]] = storable(run.start_latent)
    if run.noise_mask is not None:
        names["noise_mask"] = latent_name("noise_mask", index)
        latents[names["noise_mask"]] = storable(run.noise_mask)
    if run.step_noise is not None:
        names["step_noise"] = latent_name("step_noise", index)
        latents[names["step_noise"]] = run.step_noise
    known = {
        "seed": run.seed,
        "cfg": run.cfg,
        "node_id": run.node_id,
        "step_noise_reason": run.step_noise_reason,
        "torch_settings": _settings_of_their_own(run) or None,
    }
    return {
        **{name: value for name, value in known.items() if value is not None},
        "recorded": True,
        "add_noise": adds_noise,
        "recorded_sampler": run.sampler_name,
        "sigmas": list(run.sigmas),
        "shapes": run.shapes,
        **names,
    }


def _settings_of_their_own(run: Run) -> dict[str, str]:
    """Return how torch was set for a run where it is not so now, as the file's environment tells it."""
    now = live_settings()
    return {name: text for name, text in run.torch_settings.items() if text != now.get(name)}


def _check_shapes(inputs: SaveInputs, provided: Parts) -> None:
    """Refuse noise that the sampler of the connected latent cannot have started from."""
    if inputs.latent is None or not inputs.passes or inputs.latent_maker != inputs.passes[-1].node_id:
        return
    given, sampled = shapes_of(provided), shapes_of(inputs.latent)
    if given != sampled:
        raise EncodeError(
            f"the noise connected to Save Gen5 has shape {_shown(given)}, the latent that was sampled "
            f"{_shown(sampled)}: connect the noise that this sampler started from, or none"
        )


def _shown(shapes: Sequence[Sequence[int]]) -> str:
    return " and ".join(" × ".join(map(str, shape)) for shape in shapes)


def _from_provided(described: list[dict[str, Any]], provided: Parts) -> Captured:
    """Return the noise socket's tensors as the first noisy pass's."""
    entries = described or [{}]
    index = next((number for number, entry in enumerate(entries) if entry.get("add_noise", True)), 0)
    name = latent_name("initial_noise", index)
    entries[index] = {**entries[index], "noise": name, "shapes": shapes_of(provided)}
    return Captured("provided", {name: storable(provided)}, entries)


def _derive(inputs: SaveInputs, described: list[dict[str, Any]]) -> Captured:
    """Repeat the draw of the last pass that adds noise, where its class draws as ComfyUI does."""
    index, obstacle = _derivable_pass(inputs)
    for number, found in enumerate(inputs.passes):
        if starts_from_stored(inputs.prompt, found):
            described[number] = _without_seed(described[number])
    if obstacle is not None or inputs.latent is None:
        return Captured(
            "none", {}, described, obstacle or "no latent is connected, so the noise's shape is unknown"
        )
    drawn = inputs.passes[index]
    assert drawn.seed is not None  # noise_obstacle has looked
    parts = draw_noise(inputs.latent, drawn.seed, inputs.batch_index)
    name = latent_name("initial_noise", index)
    described[index] = {**described[index], "noise": name, "shapes": shapes_of(parts)}
    return Captured("derived", {name: storable(parts)}, described, _earlier_reason(index))


def _without_seed(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a pass without the widget's seed, which did not count where a stored noise took its place."""
    unresolved = [*entry.get("unresolved", ()), "seed"]
    return {**{name: value for name, value in entry.items() if name != "seed"}, "unresolved": unresolved}


def _earlier_reason(index: int) -> str | None:
    if index == 0:
        return None
    return f"the noise of the {index} passes before the last cannot be derived: connect Record Sampling"


def _derivable_pass(inputs: SaveInputs) -> tuple[int, str | None]:
    """Return the pass whose noise has the latent's shape, and what is in the way of drawing it again."""
    if not inputs.passes:
        return 0, "no sampler was found above this node"
    index = len(inputs.passes) - 1
    is_traceable = inputs.latent is not None and inputs.node_id is not None
    if is_traceable and inputs.latent_maker != inputs.passes[index].node_id:
        return index, "the latent was changed after sampling, so the noise's shape is unknown"
    while index > 0 and (not inputs.passes[index].add_noise or inputs.passes[index].is_idle):
        index -= 1
    return index, noise_obstacle(inputs.prompt, inputs.passes[index])

"""The wrapper that Record Sampling adds: records what one sampler run receives and returns."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch

from ...gen5core.environment.components import live_settings
from .. import host
from ..tensors.latents import compact, digest, unpack
from .call import SamplingCall, float32_sigmas
from .overrides import collect_overrides
from .recording import Recording, Run
from .step_noise import GlobalDraws, StepNoise, StepRecorder, intercept_noise

_RESULT_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
"""Dtypes in which ComfyUI may keep latents between nodes."""
_RECORDED_ARGUMENTS = ("noise", "latent_image", "sigmas", "denoise_mask", "seed")
"""Arguments that are recorded as received, unless an inner wrapper overrides them."""


class SamplingRecorder:
    """A wrapper that records what a sampler receives and returns.

    ComfyUI is given its bound method, because it deep-copies lists and dicts in a model's options.
    """

    def __init__(self, recording: Recording, step_noise: StepNoise = "auto") -> None:
        self.recording, self.step_noise = recording, step_noise

    def __deepcopy__(self, memo: object) -> SamplingRecorder:
        """Return self: ComfyUI and packs deep-copy model options, and all copies must add to one recording."""
        return self

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Run the sampler and add the run to the recording; a run that fails is not added."""
        call = SamplingCall.parse(executor, args, kwargs)
        given = {name: _copy_to_cpu(call.arguments.get(name)) for name in _RECORDED_ARGUMENTS}
        steps = StepRecorder(self.step_noise)
        global_draws = GlobalDraws()
        with collect_overrides(call.guider) as overrides, intercept_noise(steps) as is_complete:
            output: torch.Tensor = host.to_result(call.run(executor))
        if _drew_by_own_means(call, global_draws, is_complete):
            steps.mark_own_noise()
        drawn = {"step_noise": steps.stack_draws(), "step_noise_reason": steps.reason}
        self.recording.add(_make_run(call, {**drawn, **given, **overrides.changes}, output))
        return output


def _copy_to_cpu(value: Any) -> Any:
    """Return a copy of a tensor on the CPU, since samplers may write into their arguments."""
    return value.detach().to("cpu", copy=True) if isinstance(value, torch.Tensor) else value


def _drew_by_own_means(call: SamplingCall, global_draws: GlobalDraws, is_complete: bool) -> bool:
    """Return whether a sampler drew noise that was not intercepted, or may have because a factory is missing."""
    if global_draws.happened() and not call.reseeds_globally:
        return True
    return not is_complete and call.may_add_noise


def _one_channel(mask: torch.Tensor) -> torch.Tensor:
    """Return one channel of a mask, which ComfyUI copies for each channel of the latent; all if they differ."""
    first = mask[:, :1]
    return first.clone() if bool((mask == first).all()) else mask


def _make_run(call: SamplingCall, values: Mapping[str, Any], output: torch.Tensor) -> Run:
    prompt_id, node_id = host.executing()
    shapes = call.shapes
    cfg, mask = getattr(call.guider, "cfg", None), values["denoise_mask"]
    return Run(
        prompt_id=prompt_id,
        node_id=node_id,
        seed=values["seed"],
        cfg=float(cfg) if isinstance(cfg, (int, float)) else None,
        sampler_name=call.sampler_name,
        sigmas=float32_sigmas(values["sigmas"]),
        noise=unpack(compact(values["noise"]), shapes),
        start_latent=unpack(compact(values["latent_image"]), shapes),
        noise_mask=None if mask is None else [_one_channel(part) for part in unpack(mask, shapes)],
        results=frozenset(
            digest([part.to(dtype) for part in unpack(output, shapes)]) for dtype in _RESULT_DTYPES
        ),
        output=weakref.ref(output),
        is_latent_tensor=len(shapes) == 1 and not host.casts_results(output.dtype),
        step_noise=values["step_noise"],
        step_noise_reason=values["step_noise_reason"],
        torch_settings=values.get("torch_settings") or live_settings(),
        item=host.executing_item(),
    )

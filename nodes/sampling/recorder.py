"""The wrapper behind Record Sampling: notes what one sampler run receives and returns."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch

from ...gen5core.environment.components import live_settings
from .. import host
from ..tensors.latents import compact, digest, unpack
from .call import SamplingCall, float32_sigmas
from .overrides import noting_changes
from .recording import Recording, Run
from .step_noise import GlobalDraws, StepNoise, StepRecorder, standing_in

_RESULT_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
"""What ComfyUI may keep latents in between nodes."""
_GIVEN = ("noise", "latent_image", "sigmas", "denoise_mask", "seed")
"""Arguments that are noted as they were given, unless a wrapper further in hands on others."""


class SamplingRecorder:
    """A wrapper that notes what a sampler gets and returns. Its bound method is what ComfyUI holds."""

    def __init__(self, recording: Recording, step_noise: StepNoise = "auto") -> None:
        self.recording, self.step_noise = recording, step_noise

    def __deepcopy__(self, memo: object) -> SamplingRecorder:
        """Return itself: ComfyUI and packs copy model options deeply, and all copies note in one recording."""
        return self

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Run the sampler and note the run; a run that fails leaves nothing behind."""
        call = SamplingCall.parse(executor, args, kwargs)
        given = {name: _copied(call.arguments.get(name)) for name in _GIVEN}
        steps = StepRecorder(self.step_noise)
        drawn_globally = GlobalDraws()
        with noting_changes(call.guider) as received, standing_in(steps) as is_complete:
            output: torch.Tensor = host.to_result(call.run(executor))
        if _draws_by_own_means(call, drawn_globally, is_complete):
            steps.note_own_means()
        drawn = {"step_noise": steps.stacked(), "step_noise_reason": steps.reason}
        self.recording.add(_make_run(call, {**drawn, **given, **received.changes}, output))
        return output


def _copied(value: Any) -> Any:
    """Return a tensor as it is now, on the CPU: samplers may write into what they are given."""
    return value.detach().to("cpu", copy=True) if isinstance(value, torch.Tensor) else value


def _draws_by_own_means(call: SamplingCall, drawn_globally: GlobalDraws, is_complete: bool) -> bool:
    """Tell whether a sampler drew, or with a factory missing may have drawn, what no stand-in saw."""
    if drawn_globally.happened() and not call.reseeds_globally:
        return True
    return not is_complete and call.may_add_noise


def _one_channel(mask: torch.Tensor) -> torch.Tensor:
    """Return a mask without the copies that ComfyUI makes of it for each channel of the latent."""
    first = mask[:, :1]
    return first.clone() if bool((mask == first).all()) else mask


def _make_run(call: SamplingCall, got: Mapping[str, Any], output: torch.Tensor) -> Run:
    prompt_id, node_id = host.executing()
    shapes = call.shapes
    cfg, mask = getattr(call.guider, "cfg", None), got["denoise_mask"]
    return Run(
        prompt_id=prompt_id,
        node_id=node_id,
        seed=got["seed"],
        cfg=float(cfg) if isinstance(cfg, (int, float)) else None,
        sampler_name=call.sampler_name,
        sigmas=float32_sigmas(got["sigmas"]),
        noise=unpack(compact(got["noise"]), shapes),
        start_latent=unpack(compact(got["latent_image"]), shapes),
        noise_mask=None if mask is None else [_one_channel(part) for part in unpack(mask, shapes)],
        results=frozenset(
            digest([part.to(dtype) for part in unpack(output, shapes)]) for dtype in _RESULT_DTYPES
        ),
        kept=weakref.ref(output),
        is_handed_on=len(shapes) == 1 and not host.casts_results(output.dtype),
        step_noise=got["step_noise"],
        step_noise_reason=got["step_noise_reason"],
        torch_settings=got.get("torch_settings") or live_settings(),
        item=host.executing_item(),
    )

"""The wrapper that Record Sampling adds: records what one sampler run receives and returns."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...gen5core.environment.components import live_settings
from ...gen5core.errors import EncodeError
from ...gen5core.graph.passes import sampler_passes
from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host
from ..tensors.latents import Parts, compact, digest, unpack
from ..tensors.odd import Plain, copy_to_cpu, keep, plain_value
from .call import SamplingCall, float32_sigmas
from .overrides import collect_overrides
from .recording import Failure, Recording, Run
from .step_noise import NEVER, StepNoise, StepRecorder

logger = logging.getLogger(__name__)
_RESULT_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
"""Dtypes in which ComfyUI may keep latents between nodes."""
_RECORDED_TENSORS = ("noise", "latent_image", "sigmas", "denoise_mask")
"""Arguments that are recorded as received, unless an inner wrapper overrides them."""


class SamplingRecorder:
    """A wrapper that records what a sampler receives and returns; whatever goes wrong with that, the sampler runs.

    ComfyUI is given its bound method, because it deep-copies lists and dicts in a model's options.
    """

    def __init__(self, recording: Recording, step_noise: StepNoise = "auto") -> None:
        self.recording, self.step_noise = recording, step_noise

    def __deepcopy__(self, memo: object) -> SamplingRecorder:
        """Return self: ComfyUI and packs deep-copy model options, and all copies must add to one recording."""
        return self

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the sampler and add the run to the recording; a run that fails is not added."""
        call = SamplingCall.parse(executor, args, kwargs)
        outer = next((one for one in _active.get() if one.is_of(call)), None)
        if outer is not None:  # recorded once, for both
            outer.add(self)
            return call.run(executor)
        try:
            open_run = OpenRun.begin(call, self)
        except Exception as error:  # a picture must not be lost because its run cannot be recorded
            _report_failure([self], error)
            return call.run(executor)
        return self._record(open_run, executor)

    def _record(self, open_run: OpenRun, executor: Any) -> Any:
        token = _active.set((*_active.get(), open_run))
        try:
            with collect_overrides(open_run.call.guider) as overrides, open_run.steps.following():
                output = open_run.call.run(executor)
        finally:
            _active.reset(token)
        try:
            open_run.steps.finish()
            output = host.to_result(output)
            run = open_run.end(overrides.changes, output)
            for recorder in open_run.recorders:
                recorder.recording.add(recorder.kept(run, open_run.steps))
        except Exception as error:  # as above
            _report_failure(open_run.recorders, error)
        return output

    def kept(self, run: Run, steps: StepRecorder) -> Run:
        """Return a run without its step noise if this recorder is not to keep it; others may be."""
        if self.step_noise != "never" or run.step_noise is None:
            return run
        generators = {**steps.states_without_draws(), **run.generators}
        return replace(run, step_noise=None, step_noise_reason=NEVER, generators=generators)


@dataclass(slots=True)
class OpenRun:
    """A run that is being sampled."""

    call: SamplingCall
    latent_image: Any
    """As it was passed, to recognise the call when it reaches the next recorder."""
    given: Mapping[str, Any]
    last_x0: LastX0
    steps: StepRecorder
    recorders: list[SamplingRecorder]

    @classmethod
    def begin(cls, call: SamplingCall, recorder: SamplingRecorder) -> OpenRun:
        """Copy what the sampler is given, and follow its steps through its callback."""
        given = {name: _copy_to_cpu(call.arguments.get(name)) for name in _RECORDED_TENSORS}
        given["seed"] = plain_value(call.arguments.get("seed"))
        last_x0 = LastX0(call.arguments.get("callback"))
        call.arguments["callback"] = last_x0
        steps = StepRecorder(recorder.step_noise)
        return cls(call, call.latent_image, given, last_x0, steps, [recorder])

    def add(self, recorder: SamplingRecorder) -> None:
        """Keep the run for another recorder too, with as much step noise as either wants."""
        self.recorders.append(recorder)
        self.steps.widen(recorder.step_noise)

    def is_of(self, call: SamplingCall) -> bool:
        """Return whether a call is this run, seen by a recorder further inside."""
        return self.call.guider is call.guider and self.latent_image is call.latent_image

    def end(self, changes: Mapping[str, Any], output: torch.Tensor) -> Run:
        """Return the run, given what inner wrappers changed and the latent that it returned."""
        values = {**self.given, **changes}
        return _make_run(self.call, values, self.steps, output, _x0_digests(self.call, self.last_x0.value))


class LastX0:
    """A sampler's callback that also keeps the last predicted x0: some nodes hand it on in place of the result.

    Source: ``comfy.samplers.KSAMPLER.sample``; SamplerCustom's ``denoised_output``.
    """

    def __init__(self, callback: Any) -> None:
        self._callback, self.value = callback, None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Keep x0, the second argument, and pass everything on as it came."""
        self.value = args[1] if len(args) > 1 else kwargs.get("x0")
        return None if self._callback is None else self._callback(*args, **kwargs)


_active: ContextVar[tuple[OpenRun, ...]] = ContextVar("gen5_open_runs", default=())
"""The runs that are being recorded in this thread, outermost first."""


def first_line(error: Exception) -> str:
    """Return an error's class and the first line of its message."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _report_failure(recorders: Sequence[SamplingRecorder], error: Exception) -> None:
    logger.exception("a sampling run could not be recorded; the picture is not affected")
    prompt_id, node_id = host.executing()
    for recorder in recorders:
        recorder.recording.add_failure(Failure(prompt_id, node_id, first_line(error)))


@dataclass(frozen=True, slots=True)
class _Omitted:
    """In place of a tensor that cannot be kept."""

    reason: str


def _copy_to_cpu(value: Any) -> Any:
    """Return a copy of a tensor on the CPU, since samplers may write into their arguments."""
    if not isinstance(value, torch.Tensor):
        return value
    try:
        return copy_to_cpu(value)
    except EncodeError as error:
        return _Omitted(str(error))


def _one_channel(mask: torch.Tensor) -> torch.Tensor:
    """Return one channel of a mask, which ComfyUI copies for each channel of the latent; all if they differ."""
    first = mask[:, :1]
    return first.clone() if bool((mask == first).all()) else mask


def _kept_parts(value: torch.Tensor | _Omitted, shapes: Sequence[Sequence[int]]) -> Parts:
    """Return a tensor's parts; zeros that take no memory if it was not kept."""
    if isinstance(value, _Omitted):
        return [torch.zeros(()).expand(list(shape)) for shape in shapes]
    return unpack(compact(value), shapes)


def _plain_cfg(cfg: Any) -> Plain:
    """Return a cfg, or a tuple of them; None if it is anything else, e.g. an object of a pack's guider."""
    found = plain_value(cfg)
    if isinstance(found, tuple):
        return found if not any(isinstance(item, str) for item in found) else None
    return float(found) if isinstance(found, (int, float)) else None


def _result_digests(output: torch.Tensor, shapes: Sequence[Sequence[int]]) -> frozenset[str]:
    """Return the digests by which the result is recognised in a LATENT; none if it cannot be read."""
    try:
        parts = unpack(keep(output), shapes)
    except EncodeError:
        return frozenset()
    # A cast would drop the imaginary half of a complex result.
    casts = () if output.is_complex() else _RESULT_DTYPES
    dtypes = {output.dtype, *(dtype for dtype in casts if not host.casts_results(dtype))}
    return frozenset(digest([part.to(dtype) for part in parts]) for dtype in dtypes)


def _x0_digests(call: SamplingCall, x0: Any) -> frozenset[str]:
    """Return the digests of the last predicted x0 as a latent; none if there is no x0, or no model to convert it."""
    model = getattr(getattr(call.guider, "model_patcher", None), "model", None)
    if not isinstance(x0, torch.Tensor) or model is None or len(call.shapes) > 1:
        return frozenset()
    try:
        return _result_digests(model.process_latent_out(x0.detach().to("cpu")), call.shapes)
    except Exception:  # a model of a pack may need its own device; the run is found by its result then
        logger.debug("the last x0 of a run cannot be read as a latent", exc_info=True)
        return frozenset()


def _own_pass(origin: host.NodeOrigin, node_id: str | None) -> SamplerPass | None:
    """Return the pass of a node that was made while the prompt ran, from the graph as it is now."""
    if not origin.parents or node_id is None:
        return None
    return next(
        (found for found in sampler_passes(host.running_graph(), node_id) if found.node_id == node_id), None
    )


def _make_run(
    call: SamplingCall,
    values: Mapping[str, Any],
    steps: StepRecorder,
    output: torch.Tensor,
    further_results: frozenset[str],
) -> Run:
    prompt_id, node_id = host.executing()
    origin = host.node_origin(node_id)
    shapes = call.shapes
    omitted = {
        field: values[name].reason
        for field, name in (
            ("noise", "noise"),
            ("start_latent", "latent_image"),
            ("noise_mask", "denoise_mask"),
        )
        if isinstance(values[name], _Omitted)
    }
    mask = None if "noise_mask" in omitted else values["denoise_mask"]
    return Run(
        prompt_id=prompt_id,
        node_id=node_id,
        seed=plain_value(values["seed"]),
        cfg=_plain_cfg(getattr(call.guider, "cfg", None)),
        sampler_name=call.sampler_name,
        sigmas=float32_sigmas(values["sigmas"]),
        noise=_kept_parts(values["noise"], shapes),
        start_latent=_kept_parts(values["latent_image"], shapes),
        noise_mask=None if mask is None else [_one_channel(part) for part in unpack(mask, shapes)],
        results=_result_digests(output, shapes) | further_results,
        output=weakref.ref(output),
        is_latent_tensor=len(shapes) == 1 and not host.casts_results(output.dtype),
        step_noise=steps.draws,
        step_noise_reason=steps.reason,
        generators=values.get("generators", steps.generators),
        torch_settings=values.get("torch_settings") or live_settings(),
        item=host.executing_item(),
        origin=origin,
        own_pass=_own_pass(origin, node_id),
        omitted=omitted,
    )

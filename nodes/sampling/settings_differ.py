"""What a run has other than the stored pass that it starts from, so that its result cannot equal the stored one."""

from __future__ import annotations

from collections.abc import Iterator

from ..stored.passes import StoredPass
from ..tensors.latents import is_zero
from .call import SamplingCall, float32_sigmas


def list_differences(stored: StoredPass, call: SamplingCall, *, same_start: bool) -> list[str]:
    """Return one line for each difference; call still has its own noise and sigmas.

    Parameters
    ----------
    same_start : whether the run starts from the stored latent
    """
    return [
        *_differing_settings(stored, call),
        *_differing_noise(stored, call),
        *([] if same_start else ["it starts from another latent than the stored one"]),
    ]


def _differing_settings(stored: StoredPass, call: SamplingCall) -> Iterator[str]:
    name, cfg = call.sampler_name, getattr(call.guider, "cfg", None)
    if None not in (name, stored.sampler_name) and name != stored.sampler_name:
        yield f"sampler {name} here, {stored.sampler_name} stored"
    if isinstance(cfg, (int, float)) and stored.cfg is not None and float(cfg) != float(stored.cfg):
        yield f"cfg {cfg:g} here, {stored.cfg:g} stored"
    if stored.sigmas is not None and len(own := float32_sigmas(call.sigmas)) != len(stored.sigmas):
        yield f"{len(own) - 1} steps here, {len(stored.sigmas) - 1} stored"


def _differing_noise(stored: StoredPass, call: SamplingCall) -> Iterator[str]:
    adds_noise = not is_zero([call.noise])
    if adds_noise and not stored.adds_noise:
        yield "this sampler adds noise, the stored one added none: none is added"
    if stored.noise is not None and not adds_noise:
        yield "this sampler adds no noise, the stored one did: the stored noise is added"

"""SamplerPass: one run of a sampler, with the settings that the graph gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .tables.lookup import takes_sigmas


@dataclass(frozen=True, slots=True)
class SamplerPass:
    """One sampler of a prompt graph, with its settings by role; those that the graph does not have are None.

    Source: the ComfyUI prompt in API form; see ``gen5core.graph``.
    """

    node_id: str
    class_type: str
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    sampler_name: str | None = None
    scheduler: str | None = None
    denoise: float | None = None
    start_step: int | None = None
    end_step: int | None = None
    add_noise: bool = True
    guidance: float | None = None
    positive: str | None = None
    """All texts of the conditioning, joined; empty for a zeroed one."""
    negative: str | None = None
    model_name: str | None = None
    loras: tuple[tuple[str, float | None], ...] = ()
    """Name and strength on the model, in the order applied; a strength only known at run time is None."""
    vae_name: str | None = None
    """None also for a VAE inside the checkpoint; ``clip_names`` leaves out such text encoders too."""
    clip_names: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    batch_size: int | None = None
    noise_from: str | None = None
    """Id of the node that draws the starting noise: a noise node or the sampler itself; None if none is added."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings that only some samplers have: eta, s_noise, shift, ControlNets …"""
    unresolved: tuple[str, ...] = ()
    """Names of fields and options whose value is only known at run time."""

    @property
    def is_idle(self) -> bool:
        """Whether it returns its latent unchanged: denoise is 0, or no step is left from start_step on.

        A single sigma leaves no step, but a sampler that is given it adds its noise, unless it is the last one, 0.
        """
        ends = [step for step in (self.steps, self.end_step) if step is not None]
        left = min(ends) - self.start_step if ends and self.start_step is not None else 1
        adds_noise = left == 0 and self.start_step != self.steps and takes_sigmas(self.class_type)
        return (self.denoise == 0 or left <= 0) and not adds_noise

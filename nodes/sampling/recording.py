"""What samplers received in each run, and which run belongs to which saved latent.

A node that ComfyUI caches keeps its recording between prompts, and one recording may see many runs: other
seeds, the items of a list, both halves of a split. So "the last run" may be the wrong one. A run is found by
the latent that it returned or, failing that, by node, seed and shape. A run of an earlier prompt whose latent
no longer exists can never be requested, and is dropped.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from .. import host
from ..tensors.latents import Parts, digest

_MAX_UNCERTAIN_RUNS = 16
"""How many runs are kept that may or may not be requested again: ComfyUI does not say which prompt is running
(0.3.29), or copied the returned latent into another tensor (nested latents, fp16 intermediates)."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One sampling run, as the sampler received it."""

    prompt_id: str | None
    node_id: str | None
    seed: int | None
    cfg: float | None
    sampler_name: str | None
    """None also if it differs among runs with the same start (see ``differing``); the same goes for cfg."""
    sigmas: tuple[float, ...]
    noise: Parts
    start_latent: Parts
    noise_mask: Parts | None
    """As the sampler received it, one part per part of the latent; a single channel if all channels are equal."""
    results: frozenset[str]
    """Digests of the returned latent in each dtype in which ComfyUI may keep it."""
    output: weakref.ref[torch.Tensor]
    """The returned tensor; dead once nothing else holds it."""
    is_latent_tensor: bool = True
    """Whether that tensor is the one in the LATENT. If ComfyUI copies it, ``output`` says nothing about the LATENT."""
    step_noise: torch.Tensor | None = None
    """Noise added at each step, shape (draws, …); None if there was none or it was left out."""
    step_noise_reason: str | None = None
    """Why step noise that was drawn is not recorded."""
    torch_settings: Mapping[str, str] = field(default_factory=dict)
    """Torch's settings during sampling, as canonical strings by name."""
    item: int | None = None
    """Index of the list item that the node was processing."""
    differing: tuple[str, ...] = ()
    """Names of what is left out because it differs among runs with the same start, for messages."""

    @property
    def shapes(self) -> list[list[int]]:
        return [list(part.shape) for part in self.noise]

    @property
    def start_digest(self) -> str:
        return digest(self.start_latent)


class Recording:
    """Runs in the order in which they ended; the value of a GEN5_RECORDING socket."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._lock = threading.Lock()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that may still be requested."""
        with self._lock:
            return tuple(self._runs)

    def add(self, run: Run) -> None:
        """Append run; drop runs of earlier prompts whose latents no longer exist."""
        with self._lock:
            earlier = [old for old in self._runs if run.prompt_id is None or old.prompt_id != run.prompt_id]
            unreachable = [old for old in earlier if old.output() is None]
            uncertain = [old for old in unreachable if run.prompt_id is None or not old.is_latent_tensor]
            dropped = {*unreachable} - {*uncertain[-_MAX_UNCERTAIN_RUNS:]}
            self._runs = [*(old for old in self._runs if old not in dropped), run]

    def find_by_result(self, parts: Sequence[torch.Tensor], node_ids: Collection[str] = ()) -> Run | None:
        """Return the run that returned this latent; of several, the latest, preferring runs of node_ids."""
        wanted = digest(parts)
        equal = [run for run in reversed(self.runs) if wanted in run.results]
        return next((run for run in equal if run.node_id in node_ids), equal[0] if equal else None)

    def find_by_settings(
        self,
        node_id: str,
        seed: int | None,
        shapes: Sequence[Sequence[int]] | None = None,
        *,
        cfg: float | None = None,
        sampler_name: str | None = None,
        this_prompt: bool = False,
    ) -> Run | None:
        """Return the run of a node with this seed and shape; None if there is none, or if the starts of several differ.

        Runs of the current prompt are preferred to earlier ones, and runs with this cfg and sampler to others.
        Values that differ among runs with the same start are left out and named in ``differing``.

        Parameters
        ----------
        this_prompt : ignore runs of earlier prompts
        """
        fitting = [
            run
            for run in self.runs
            if run.node_id == node_id
            and (seed is None or run.seed == seed)
            and (shapes is None or run.shapes == [list(shape) for shape in shapes])
        ]
        prompt_id, _ = host.executing()
        now = [run for run in fitting if run.prompt_id == prompt_id]
        fitting = now or ([] if this_prompt else fitting)
        fitting = [run for run in fitting if run.cfg == cfg] or fitting
        fitting = [run for run in fitting if run.sampler_name == sampler_name] or fitting
        starts = {(digest(run.noise), run.sigmas, run.start_digest) for run in fitting}
        return _common(fitting) if len(starts) == 1 else None

    def runs_of_call(self, run: Run) -> tuple[Run, ...]:
        """Return all runs of the node call that run belongs to, in order; only run if the call is not known."""
        if run.node_id is None:
            return (run,)
        call = run.prompt_id, run.node_id, run.item
        return tuple(old for old in self.runs if (old.prompt_id, old.node_id, old.item) == call) or (run,)

    def previous_run(self, run: Run) -> Run | None:
        """Return the run whose latent this one started from."""
        start = run.start_digest
        return next((old for old in reversed(self.runs) if old is not run and start in old.results), None)


def _common(runs: Sequence[Run]) -> Run:
    """Return the last of runs with the same start, without the values that differ among them."""
    last = runs[-1]
    cleared: dict[str, Any] = {}
    if len({run.cfg for run in runs}) > 1:
        cleared["cfg"] = None
    if len({run.sampler_name for run in runs}) > 1:
        cleared["sampler_name"] = None
    if len({run.step_noise if run.step_noise is None else digest([run.step_noise]) for run in runs}) > 1:
        reason = (
            "other runs of this noise had other step noise: connect the sampler's own latent to Save Gen5"
        )
        cleared |= {"step_noise": None, "step_noise_reason": reason}
    words = {"cfg": "cfg", "sampler_name": "sampler", "step_noise": "step noise"}
    differing = tuple(words[name] for name in words if name in cleared)
    return replace(last, **cleared, differing=differing) if differing else last

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

from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host
from ..stored.draws import Draws
from ..tensors.latents import Parts, digest
from ..tensors.odd import Plain

_MAX_UNCERTAIN_RUNS = 16
"""How many runs are kept that may or may not be requested again: ComfyUI does not say which prompt is running
(0.3.29), or copied the returned latent into another tensor (nested latents, fp16 intermediates)."""
_MAX_HELD_BYTES = 2**30
"""How much memory runs may take; beyond it, the oldest ones lose their step noise."""
_MAX_COMPOSITES = 64
"""For how many results made of several runs their runs are remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One sampling run, as the sampler received it."""

    prompt_id: str | None
    node_id: str | None
    seed: Plain
    """As the run was told, which need not be a seed: nodes that continue a sampling say −1."""
    cfg: Plain
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
    step_noise: Draws | None = None
    """Whatever the sampler drew; None if that was nothing or it was left out."""
    step_noise_reason: str | None = None
    """Why step noise that was drawn is not recorded, or not all of it."""
    generators: Mapping[str, str] = field(default_factory=dict)
    """States at the start of those global generators that the run moved, as META holds them."""
    torch_settings: Mapping[str, str] = field(default_factory=dict)
    """Torch's settings during sampling, as canonical strings by name."""
    item: int | None = None
    """Index of the list item that the node was processing."""
    differing: tuple[str, ...] = ()
    """Names of what is left out because it differs among runs with the same start, for messages."""
    origin: host.NodeOrigin = host.UNKNOWN_ORIGIN
    own_pass: SamplerPass | None = None
    """The run's pass in the graph as it was while it ran; only of nodes that were made while the prompt ran."""
    omitted: Mapping[str, str] = field(default_factory=dict)
    """Why noise, start_latent or noise_mask are not kept; in place of the first two are zeros."""

    @property
    def is_made_at_run_time(self) -> bool:
        """Whether its node was made while the prompt ran: a copy in a loop, or a node inside another."""
        return bool(self.origin.parents) or (self.node_id is not None and "." in self.node_id)

    @property
    def origins(self) -> frozenset[str]:
        """The nodes that this run is of: its own, the one drawn in the graph, and those that made it."""
        named = (self.node_id, self.origin.display_id, *self.origin.parents)
        return frozenset(node_id for node_id in named if node_id is not None)

    @property
    def size_bytes(self) -> int:
        """Memory that its tensors take; zeros that share one value count in full."""
        drawn = () if self.step_noise is None else self.step_noise.parts
        tensors = (*self.noise, *self.start_latent, *(self.noise_mask or ()), *drawn)
        return sum(tensor.nbytes for tensor in tensors)

    @property
    def shapes(self) -> list[list[int]]:
        return [list(part.shape) for part in self.noise]

    @property
    def start_digest(self) -> str:
        return digest(self.start_latent)


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that could not be recorded."""

    prompt_id: str | None
    node_id: str | None
    reason: str


class Recording:
    """Runs in the order in which they ended; the value of a GEN5_RECORDING socket.

    Parameters
    ----------
    shared : whether it holds the runs of all prompts. Ids and seeds repeat across workflows, so they then identify a
        run within the current prompt only; an earlier run is found by its result alone
    """

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared
        self._runs: list[Run] = []
        self._failures: list[Failure] = []
        self._composites: dict[str, tuple[Run, ...]] = {}
        self._lock = threading.Lock()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that may still be requested."""
        with self._lock:
            return tuple(self._runs)

    @property
    def runs_now(self) -> tuple[Run, ...]:
        """The runs of the current prompt; none if ComfyUI does not say which prompt is running."""
        prompt_id, _ = host.executing()
        return tuple(run for run in self.runs if prompt_id is not None and run.prompt_id == prompt_id)

    @property
    def failures_now(self) -> tuple[Failure, ...]:
        """The runs of the current prompt that could not be recorded."""
        prompt_id, _ = host.executing()
        with self._lock:
            return tuple(failure for failure in self._failures if failure.prompt_id == prompt_id)

    def add(self, run: Run) -> None:
        """Append run; drop runs of earlier prompts whose latents no longer exist."""
        with self._lock:
            earlier = [old for old in self._runs if run.prompt_id is None or old.prompt_id != run.prompt_id]
            unreachable = [old for old in earlier if old.output() is None]
            uncertain = [old for old in unreachable if run.prompt_id is None or not old.is_latent_tensor]
            dropped = {*unreachable} - {*uncertain[-_MAX_UNCERTAIN_RUNS:]}
            self._runs = _within_memory([*(old for old in self._runs if old not in dropped), run])

    def add_failure(self, failure: Failure) -> None:
        """Remember that a run could not be recorded, for saves of the same prompt."""
        with self._lock:
            current = [old for old in self._failures if old.prompt_id == failure.prompt_id]
            self._failures = [*current[-_MAX_UNCERTAIN_RUNS:], failure]

    def add_composite(self, result: str, runs: Sequence[Run]) -> None:
        """Remember that several runs made a result, given its digest; a later prompt may save it from the cache."""
        with self._lock:
            self._composites.pop(result, None)
            self._composites[result] = tuple(runs)
            while len(self._composites) > _MAX_COMPOSITES or _size_of_all(self._composites) > _MAX_HELD_BYTES:
                del self._composites[next(iter(self._composites))]

    def find_composite(self, result: str) -> tuple[Run, ...]:
        """Return the runs that made a result together, given its digest; empty if that is not known."""
        with self._lock:
            return self._composites.get(result, ())

    def find_by_result(self, parts: Sequence[torch.Tensor], node_ids: Collection[str] = ()) -> Run | None:
        """Return the run that returned this latent; of several, the latest, preferring runs of node_ids."""
        wanted = digest(parts)
        equal = [run for run in reversed(self.runs) if wanted in run.results]
        return next((run for run in equal if run.origins & set(node_ids)), equal[0] if equal else None)

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
        Values that differ among runs with the same start are left out and named in ``differing``. None also if a copy
        of the node ran, since the settings of copies are those of the node, or none that the graph knows.

        Parameters
        ----------
        this_prompt : ignore runs of earlier prompts; a shared recording always does
        """
        runs, now = self.runs, self.runs_now
        if any(run.is_made_at_run_time and node_id in run.origins for run in now):
            return None
        fitting = [
            run
            for run in (now if self.shared else runs)
            if run.node_id == node_id
            and (seed is None or run.seed == seed)
            and (shapes is None or run.shapes == [list(shape) for shape in shapes])
        ]
        prompt_id, _ = host.executing()
        current = [run for run in fitting if run.prompt_id == prompt_id]
        fitting = current or ([] if this_prompt else fitting)
        fitting = [run for run in fitting if run.cfg == cfg] or fitting
        fitting = [run for run in fitting if run.sampler_name == sampler_name] or fitting
        starts = {(digest(run.noise), run.sigmas, run.start_digest) for run in fitting}
        return _common(fitting) if len(starts) == 1 else None

    def runs_of_node(self, node_id: str) -> tuple[Run, ...]:
        """Return the current prompt's runs of a node, of its copies, and of the nodes that it made, in order."""
        return tuple(run for run in self.runs_now if node_id in run.origins)

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


def _within_memory(runs: list[Run]) -> list[Run]:
    """Return runs, the oldest ones without their step noise if all together take too much memory."""
    excess = sum(run.size_bytes for run in runs) - _MAX_HELD_BYTES
    kept = []
    for run in runs:
        if excess > 0 and run.step_noise is not None:
            excess -= sum(part.nbytes for part in run.step_noise.parts)
            reason = f"the runs since then took more than {_MAX_HELD_BYTES >> 30} GiB of memory"
            run = replace(run, step_noise=None, step_noise_reason=reason)
        kept.append(run)
    return kept


def _size_of_all(composites: Mapping[str, Sequence[Run]]) -> int:
    return sum(run.size_bytes for run in {run for runs in composites.values() for run in runs})


def _common(runs: Sequence[Run]) -> Run:
    """Return the last of runs with the same start, without the values that differ among them."""
    last = runs[-1]
    cleared: dict[str, Any] = {}
    if len({run.cfg for run in runs}) > 1:
        cleared["cfg"] = None
    if len({run.sampler_name for run in runs}) > 1:
        cleared["sampler_name"] = None
    if len({run.step_noise and run.step_noise.digest() for run in runs}) > 1:
        reason = (
            "other runs of this noise had other step noise: connect the sampler's own latent to Save Gen5"
        )
        cleared |= {"step_noise": None, "step_noise_reason": reason, "generators": {}}
    words = {"cfg": "cfg", "sampler_name": "sampler", "step_noise": "step noise"}
    differing = tuple(words[name] for name in words if name in cleared)
    return replace(last, **cleared, differing=differing) if differing else last

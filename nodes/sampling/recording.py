"""What samplers really received, run by run, and which run belongs to which saved latent.

A node that ComfyUI caches keeps its recording from prompt to prompt, and one recording may see many runs:
other seeds, the items of a list, both halves of a split. "The last run" is therefore never the answer. A
run is found by the latent that it returned; failing that by node, seed and shape. A run whose latent is no
longer kept anywhere, and that is not of the current prompt, cannot be asked for and is dropped.
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

_UNKNOWN_RUNS = 16
"""How many runs are kept of which nothing tells whether they can still be asked for: the host does not say
which prompt runs (0.3.29), or made another tensor of the returned one (nested latents, fp16 intermediates)."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One sampling run as the sampler got it."""

    prompt_id: str | None
    node_id: str | None
    seed: int | None
    cfg: float | None
    sampler_name: str | None
    """None also where it differs among runs of one start (``mixed``); so cfg."""
    sigmas: tuple[float, ...]
    noise: Parts
    start_latent: Parts
    noise_mask: Parts | None
    """As the sampler got it, a part for each of the latent's; of one channel where all are alike."""
    results: frozenset[str]
    """Digests of the returned latent, in each dtype that ComfyUI may keep it in."""
    kept: weakref.ref[torch.Tensor]
    """The returned tensor itself, alive while something holds it."""
    is_handed_on: bool = True
    """Whether that tensor is the one in the LATENT; where ComfyUI makes another of it, ``kept`` tells nothing."""
    step_noise: torch.Tensor | None = None
    """What the sampler added later, shape (draws, …); None where it drew none, or it was left out."""
    step_noise_reason: str | None = None
    """Why step noise that was drawn is not there."""
    torch_settings: Mapping[str, str] = field(default_factory=dict)
    """Canonical strings, by name, of how torch was set while it sampled."""
    item: int | None = None
    """Which item of a list the node was at."""
    mixed: tuple[str, ...] = ()
    """What is left out since it differs among runs of this start, in words."""

    @property
    def shapes(self) -> list[list[int]]:
        return [list(part.shape) for part in self.noise]

    @property
    def start_digest(self) -> str:
        return digest(self.start_latent)


class Recording:
    """Runs in the order they ended; the value of a GEN5_RECORDING socket."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._lock = threading.Lock()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that something may still ask for."""
        with self._lock:
            return tuple(self._runs)

    def add(self, run: Run) -> None:
        """Append run; drop those of earlier prompts whose latents nobody keeps."""
        with self._lock:
            earlier = [old for old in self._runs if run.prompt_id is None or old.prompt_id != run.prompt_id]
            lost = [old for old in earlier if old.kept() is None]
            untold = [old for old in lost if run.prompt_id is None or not old.is_handed_on]
            gone = {*lost} - {*untold[-_UNKNOWN_RUNS:]}
            self._runs = [*(old for old in self._runs if old not in gone), run]

    def find_result(self, parts: Sequence[torch.Tensor], node_ids: Collection[str] = ()) -> Run | None:
        """Return the run that returned this latent: of equal ones the latest, those of node_ids first."""
        wanted = digest(parts)
        equal = [run for run in reversed(self.runs) if wanted in run.results]
        return next((run for run in equal if run.node_id in node_ids), equal[0] if equal else None)

    def find_settings(
        self,
        node_id: str,
        seed: int | None,
        shapes: Sequence[Sequence[int]] | None = None,
        *,
        cfg: float | None = None,
        sampler_name: str | None = None,
        this_prompt: bool = False,
    ) -> Run | None:
        """Return the run of a node with this seed and shape; None where none, or ones of different starts fit.

        A run of the prompt that is running now comes before runs of earlier ones, and those with this cfg and
        sampler before others. What differs among runs of one start is left out, and said.

        Parameters
        ----------
        this_prompt : leave out runs of earlier prompts
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

    def repeats(self, run: Run) -> tuple[Run, ...]:
        """Return the runs of one call of a node, run among them, in order; run alone where nothing tells."""
        if run.node_id is None:
            return (run,)
        call = run.prompt_id, run.node_id, run.item
        return tuple(old for old in self.runs if (old.prompt_id, old.node_id, old.item) == call) or (run,)

    def before(self, run: Run) -> Run | None:
        """Return the run whose latent this one started from."""
        start = run.start_digest
        return next((old for old in reversed(self.runs) if old is not run and start in old.results), None)


def _common(runs: Sequence[Run]) -> Run:
    """Return the last of runs that start alike, without what differs among them."""
    last = runs[-1]
    differing: dict[str, Any] = {}
    if len({run.cfg for run in runs}) > 1:
        differing["cfg"] = None
    if len({run.sampler_name for run in runs}) > 1:
        differing["sampler_name"] = None
    if len({run.step_noise if run.step_noise is None else digest([run.step_noise]) for run in runs}) > 1:
        reason = (
            "other runs of this noise had other step noise: connect the sampler's own latent to Save Gen5"
        )
        differing |= {"step_noise": None, "step_noise_reason": reason}
    words = {"cfg": "cfg", "sampler_name": "sampler", "step_noise": "step noise"}
    mixed = tuple(words[name] for name in words if name in differing)
    return replace(last, **differing, mixed=mixed) if mixed else last

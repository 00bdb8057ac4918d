"""Which recorded run is of which sampler pass of a graph: from the run that made the result, backwards.

The graph tells what was asked for, a recording what ran, and neither tells of the other. A run is taken for a
pass where the saved latent, or the latent that a later run started from, is its result; else where node, seed
and settings leave no doubt. A sampler behind a switch whose choice only a run knows may not have run at all: a
run of an earlier prompt is never taken for it, and without one it is left out. What a node sampled beside the
pass that it is known for (base and refiner in one node, say), and what no pass of the graph sampled, stands
where it ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...gen5core.graph.passes import sampler_of_latent, undecided_samplers
from ...gen5core.graph.sampler_pass import SamplerPass
from ..sampling.recording import Recording, Run
from ..tensors.latents import Parts, is_zero, shapes_of


@dataclass(frozen=True, slots=True)
class SaveInputs:
    """What a Save node was given, as far as the noise depends on it."""

    prompt: Mapping[str, Any]
    node_id: str | None
    passes: Sequence[SamplerPass]
    latent: Parts | None
    """The sampler's result; None where only images are connected."""
    batch_index: Sequence[int] | None
    """Which noise of the seed each image has, as ComfyUI's LATENT keeps it."""

    @property
    def latent_maker(self) -> str | None:
        """The sampler whose result the latent is, unchanged; None where the graph does not say so."""
        if self.latent is None or self.node_id is None:
            return None
        return sampler_of_latent(self.prompt, self.node_id, "latent")


class Match(NamedTuple):
    """A pass of the graph and its run: one of both may be missing."""

    found: SamplerPass | None
    run: Run | None


@dataclass(slots=True)
class Matched:
    """The passes in the order they ran, and what is to be said of them."""

    matches: list[Match] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @property
    def has_runs(self) -> bool:
        """Whether any run was found."""
        return any(match.run is not None for match in self.matches)


def match_runs(inputs: SaveInputs, recording: Recording) -> Matched:
    """Return the runs behind what is saved, each with its pass."""
    matcher = _Matcher(inputs, recording)
    result = matcher.find_result()
    position, last = matcher.find_last(result)
    if last is None:
        return Matched()
    matches = [*matcher.walk_back(position, last), *matcher.find_later(position)]
    return Matched(matches, [*matcher.latent_reasons(result, last), *matcher.run_reasons(matches)])


class _Matcher:
    def __init__(self, inputs: SaveInputs, recording: Recording) -> None:
        self.inputs, self.recording = inputs, recording
        self.passes = inputs.passes
        node_id = inputs.node_id
        self.undecided = frozenset() if node_id is None else undecided_samplers(inputs.prompt, node_id)
        self.left_out: list[str] = []

    def find_result(self) -> Run | None:
        """Return the run that returned the saved latent; one of the graph's passes before another equal one."""
        if self.inputs.latent is None:
            return None
        maker = self.inputs.latent_maker
        nodes = {found.node_id for found in self.passes} if maker is None else {maker}
        return self.recording.find_result(self.inputs.latent, nodes)

    def find_last(self, result: Run | None) -> tuple[int, Run | None]:
        """Return the place of the pass nearest the image whose run is known, and the run.

        A run that no pass of the graph is of stands behind all of them.
        """
        if result is not None:
            return self._place_of(result), result
        for index in reversed(range(len(self.passes))):
            found = self.passes[index]
            run = self._find(found, self._shapes_of_result(found))
            if run is not None or not (found.is_idle or found.node_id in self.undecided):
                return index, run
        return 0, None

    def walk_back(self, position: int, last: Run) -> list[Match]:
        """Return the passes up to a place, from the run there to the first."""
        matches = [Match(self.passes[position] if position < len(self.passes) else None, last)]
        run, index = last, position - 1
        while True:
            earlier = self._before(run, matches)
            if earlier is not None and (_is_same_call(earlier, run) or not self._places_of(earlier)):
                matches.append(Match(None, earlier))
                run = earlier
                continue
            if index < 0:
                return matches[::-1]
            expected = self.passes[index]
            index -= 1
            if earlier is None or not self._is_of(earlier, expected):
                earlier = self._find(expected)
            if earlier is None and expected.node_id in self.undecided:
                self.left_out.append(expected.node_id)
                continue
            matches.append(Match(expected, earlier))
            run = earlier or run

    def find_later(self, position: int) -> list[Match]:
        """Return the passes behind a place: those that made the image of another latent than the saved one."""
        later = ((found, self._find(found)) for found in self.passes[position + 1 :])
        return [
            Match(found, run)
            for found, run in later
            if run is not None or found.node_id not in self.undecided
        ]

    def latent_reasons(self, result: Run | None, last: Run) -> list[str]:
        """Return what keeps the saved latent from being the result of the last run."""
        if self.inputs.latent is None or result is not None:
            return []
        maker = self.inputs.latent_maker or last.node_id
        return [
            f"the saved latent is not what node {maker} returned: it was changed, is another output of it, or "
            "comes from elsewhere"
        ]

    def run_reasons(self, matches: Sequence[Match]) -> list[str]:
        """Return what is missing among the runs."""
        lost = [
            match.found.node_id
            for match in matches
            if match.run is None and match.found is not None and not match.found.is_idle
        ]
        reasons = [f"no recorded run was found for node {', '.join(lost)}"] if lost else []
        kept = [match.run for match in matches if match.run is not None]
        if self.left_out and not is_zero(kept[0].start_latent):
            reasons.append(
                f"whether node {', '.join(self.left_out)} sampled too is known only to a run, and none of it was "
                "found in this prompt"
            )
        for run in kept:
            if run.mixed:
                reasons.append(
                    f"node {run.node_id} sampled several times from one noise, each with another "
                    f"{' and '.join(run.mixed)}: connect its own latent to Save Gen5"
                )
        return [*reasons, *self._left_out(kept)]

    def _left_out(self, kept: Sequence[Run]) -> list[str]:
        """Return which nodes sampled more often than is stored."""
        calls = {self.recording.repeats(run): run.node_id for run in kept if not run.mixed}
        counts = [(node_id, len(runs), sum(run in kept for run in runs)) for runs, node_id in calls.items()]
        return [
            f"node {node_id} sampled {count} times, {stored} of them stored"
            for node_id, count, stored in counts
            if stored < count
        ]

    def _before(self, run: Run, matches: Sequence[Match]) -> Run | None:
        earlier = self.recording.before(run)
        return None if earlier in [match.run for match in matches] else earlier

    def _find(self, found: SamplerPass, shapes: Sequence[Sequence[int]] | None = None) -> Run | None:
        if found.is_idle:
            return None
        return self.recording.find_settings(
            found.node_id,
            found.seed,
            shapes,
            cfg=found.cfg,
            sampler_name=found.sampler_name,
            this_prompt=found.node_id in self.undecided,
        )

    def _shapes_of_result(self, found: SamplerPass) -> list[list[int]] | None:
        """Return the shapes that a pass's noise must have: those of the latent, where it is the pass's own."""
        latent = self.inputs.latent
        return shapes_of(latent) if latent is not None and self.inputs.latent_maker == found.node_id else None

    def _place_of(self, run: Run) -> int:
        """Return which pass a run is of, behind all where it is of none; where two may be, the latent's maker."""
        places = self._places_of(run)
        makers = [place for place in places if self.passes[place].node_id == self.inputs.latent_maker]
        return (makers or places or [len(self.passes)])[-1]

    def _places_of(self, run: Run) -> list[int]:
        return [index for index, found in enumerate(self.passes) if self._is_of(run, found)]

    def _is_of(self, run: Run, found: SamplerPass) -> bool:
        """Tell whether a run may be of a pass's node, of one that it was expanded into, or that is its copy."""
        if found.is_idle:
            return False
        if run.node_id in (found.node_id, None):
            return True
        parent, *inner = run.node_id.split(".")
        is_copy = inner[-1:] == [found.node_id] and found.seed in (None, run.seed)
        return bool(inner) and (parent == found.node_id or (is_copy and not self._ran(found.node_id)))

    def _ran(self, node_id: str) -> bool:
        return any(run.node_id == node_id for run in self.recording.runs)


def _is_same_call(one: Run, other: Run) -> bool:
    same = (one.prompt_id, one.node_id, one.item) == (other.prompt_id, other.node_id, other.item)
    return same and one.node_id is not None

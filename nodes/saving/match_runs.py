"""Which recorded run belongs to which sampler pass of a graph: from the run that made the result, backwards.

The graph says what was requested, a recording what ran, and neither refers to the other. A run belongs to a pass
if its result is the saved latent, or the latent that a later run started from; otherwise if node, seed and
settings leave no doubt. A sampler in one branch of a switch whose choice is only known at run time may not have
run at all: a run of an earlier prompt is never matched to it, and without a run it is left out. Further runs of a
pass's node (e.g. base and refiner in one node), and runs that belong to no pass of the graph, are listed in the
order in which they ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...gen5core.graph.passes import undecided_samplers
from ...gen5core.graph.sampler_pass import SamplerPass
from ..sampling.recording import Recording, Run
from ..tensors.latents import is_zero, shapes_of
from .inputs import SaveInputs


class Match(NamedTuple):
    """A pass of the graph and its run; one of the two may be missing."""

    sampler_pass: SamplerPass | None
    run: Run | None


@dataclass(frozen=True, slots=True)
class Matched:
    """The passes in the order they ran, and why they may be incomplete."""

    matches: Sequence[Match] = ()
    reasons: Sequence[str] = ()

    @property
    def has_runs(self) -> bool:
        """Whether any run was found."""
        return any(match.run is not None for match in self.matches)


def match_runs(inputs: SaveInputs, recording: Recording) -> Matched:
    """Return the runs that made what is saved, each with its pass."""
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
        """Undecided samplers without a run, the last first; ``walk_back`` fills it."""

    def find_result(self) -> Run | None:
        """Return the run that returned the saved latent; if several did, one of the graph's passes first."""
        if self.inputs.latent is None:
            return None
        source = self.inputs.latent_sampler
        nodes = {found.node_id for found in self.passes} if source is None else {source}
        return self.recording.find_by_result(self.inputs.latent, nodes)

    def find_last(self, result: Run | None) -> tuple[int, Run | None]:
        """Return the index of the pass nearest the image whose run is known, and the run.

        The index of a run that belongs to no pass is the number of passes: it comes after all of them.
        """
        if result is not None:
            return self._pass_index(result), result
        for index in reversed(range(len(self.passes))):
            found = self.passes[index]
            run = self._find_run(found, self._result_shapes(found))
            if run is not None or not (found.is_idle or found.node_id in self.undecided):
                return index, run
        return 0, None

    def walk_back(self, position: int, last: Run) -> list[Match]:
        """Return the passes up to a position, from the first to the run at that position."""
        matches = [Match(self.passes[position] if position < len(self.passes) else None, last)]
        run, index = last, position - 1
        while True:
            earlier = self._previous_run(run, matches)
            if earlier is not None and (_is_same_call(earlier, run) or not self._pass_indices(earlier)):
                matches.append(Match(None, earlier))
                run = earlier
                continue
            if index < 0:
                return matches[::-1]
            expected = self.passes[index]
            index -= 1
            if earlier is None or not self._may_belong(earlier, expected):
                earlier = self._find_run(expected)
            if earlier is None and expected.node_id in self.undecided:
                self.left_out.append(expected.node_id)
                continue
            matches.append(Match(expected, earlier))
            run = earlier or run

    def find_later(self, position: int) -> list[Match]:
        """Return the passes after a position, which made the image from another latent than the saved one."""
        later = [Match(found, self._find_run(found)) for found in self.passes[position + 1 :]]
        return [
            Match(found, run)
            for found, run in later
            if run is not None or (found is not None and found.node_id not in self.undecided)
        ]

    def latent_reasons(self, result: Run | None, last: Run) -> list[str]:
        """Return why the saved latent is not the result of the last run; empty if it is."""
        if self.inputs.latent is None or result is not None:
            return []
        source = self.inputs.latent_sampler or last.node_id
        return [
            f"the saved latent is not what node {source} returned: it was changed, is another output of it, or "
            "comes from elsewhere"
        ]

    def run_reasons(self, matches: Sequence[Match]) -> list[str]:
        """Return which runs are missing, or only partly stored."""
        kept = [match.run for match in matches if match.run is not None]
        return [
            *_missing_runs(matches),
            *self._unknown_runs(kept[0]),
            *_differing_runs(kept),
            *self._unstored_repeats(kept),
        ]

    def _unknown_runs(self, first: Run) -> list[str]:
        """Return which nodes may have sampled before the first run; none if that started from an empty latent."""
        if not self.left_out or is_zero(first.start_latent):
            return []
        return [
            f"whether node {', '.join(self.left_out)} also sampled is only known at run time, and no run of it was "
            "recorded in this prompt"
        ]

    def _unstored_repeats(self, kept: Sequence[Run]) -> list[str]:
        """Return which nodes sampled more often than is stored."""
        calls = {self.recording.runs_of_call(run): run.node_id for run in kept if not run.differing}
        counts = [(node_id, len(runs), sum(run in kept for run in runs)) for runs, node_id in calls.items()]
        return [
            f"node {node_id} sampled {count} times, {stored} of them stored"
            for node_id, count, stored in counts
            if stored < count
        ]

    def _previous_run(self, run: Run, matches: Sequence[Match]) -> Run | None:
        earlier = self.recording.previous_run(run)
        return None if earlier in [match.run for match in matches] else earlier

    def _find_run(self, found: SamplerPass, shapes: Sequence[Sequence[int]] | None = None) -> Run | None:
        if found.is_idle:
            return None
        return self.recording.find_by_settings(
            found.node_id,
            found.seed,
            shapes,
            cfg=found.cfg,
            sampler_name=found.sampler_name,
            this_prompt=found.node_id in self.undecided,
        )

    def _result_shapes(self, found: SamplerPass) -> list[list[int]] | None:
        """Return the shapes of a pass's result; None if the saved latent is not that result."""
        latent = self.inputs.latent
        return (
            shapes_of(latent) if latent is not None and self.inputs.latent_sampler == found.node_id else None
        )

    def _pass_index(self, run: Run) -> int:
        """Return the index of the pass that a run belongs to, the number of passes if it belongs to none.

        Of several, the last one that the saved latent comes from, or else the last one.
        """
        indices = self._pass_indices(run)
        sources = [index for index in indices if self.passes[index].node_id == self.inputs.latent_sampler]
        return (sources or indices or [len(self.passes)])[-1]

    def _pass_indices(self, run: Run) -> list[int]:
        return [index for index, found in enumerate(self.passes) if self._may_belong(run, found)]

    def _may_belong(self, run: Run, found: SamplerPass) -> bool:
        """Return whether a run may be of a pass's node, of one that the node expanded into, or of a copy of it."""
        if found.is_idle:
            return False
        if run.node_id in (found.node_id, None):
            return True
        parent, *inner = run.node_id.split(".")
        is_copy = inner[-1:] == [found.node_id] and found.seed in (None, run.seed)
        return bool(inner) and (parent == found.node_id or (is_copy and not self._has_run(found.node_id)))

    def _has_run(self, node_id: str) -> bool:
        return any(run.node_id == node_id for run in self.recording.runs)


def _missing_runs(matches: Sequence[Match]) -> list[str]:
    missing = [
        match.sampler_pass.node_id
        for match in matches
        if match.run is None and match.sampler_pass is not None and not match.sampler_pass.is_idle
    ]
    return [f"no recorded run was found for node {', '.join(missing)}"] if missing else []


def _differing_runs(kept: Sequence[Run]) -> list[str]:
    return [
        f"node {run.node_id} sampled several times from one noise, each time with another "
        f"{' and '.join(run.differing)}: connect its own latent to Save Gen5"
        for run in kept
        if run.differing
    ]


def _is_same_call(one: Run, other: Run) -> bool:
    same = (one.prompt_id, one.node_id, one.item) == (other.prompt_id, other.node_id, other.item)
    return same and one.node_id is not None

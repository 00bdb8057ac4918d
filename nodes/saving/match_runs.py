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
from .. import host
from ..prompt.edit import class_of, inputs_of, is_link, upstream_of
from ..sampling.recording import Recording, Run
from ..tensors.images import batches_of
from ..tensors.latents import digest, is_zero, shapes_of
from .inputs import SaveInputs

_USED_BESIDE_IMAGES = frozenset(
    ("IMAGE", "MASK", "INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "UPSCALE_MODEL", "VAE", "*", None)
)
"""Types of what is linked to a node that changes an image without sampling; None if a type is not known."""


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
    maker = matcher.image_maker()
    if maker is not None:
        return matcher.made_by(maker, matcher.runs_of_item(maker) or matcher.remembered())
    if len(inputs.traced_latents) > 1:
        return matcher.put_together()
    result = matcher.find_result()
    maker = matcher.latent_maker() if result is None else None
    if maker is not None and (runs := matcher.runs_of_maker(maker)):
        return matcher.made_by(maker, runs)
    return matcher.match_result(result)


class _Matcher:
    def __init__(self, inputs: SaveInputs, recording: Recording) -> None:
        self.inputs, self.recording = inputs, recording
        self.passes = inputs.passes
        node_id = inputs.node_id
        self.undecided = frozenset() if node_id is None else undecided_samplers(inputs.prompt, node_id)
        self._indices: dict[str, list[int]] = {}
        for index, found in enumerate(self.passes):
            self._indices.setdefault(found.node_id, []).append(index)
        self.left_out: list[str] = []
        """Undecided samplers without a run, the last first; ``walk_back`` fills it."""

    def image_maker(self) -> str | None:
        """Return the node nearest to the save that sampled and returned images itself; None if there is none.

        It sampled in this prompt, or when the same images were saved in an earlier one.
        """
        if self.inputs.latent is not None or not self._between:
            return None
        known = {found.node_id for found in self.passes}.union(*(run.origins for run in self.remembered()))
        return next(
            (each for each, _ in self._between if each in known or self.recording.runs_of_node(each)), None
        )

    @property
    def _between(self) -> list[tuple[str, str]]:
        """Id and class of each node between the decoders and the save, the nearest to the save first."""
        return [found for decoded in self.inputs.decoded for found in decoded.between]

    def match_result(self, result: Run | None) -> Matched:
        """Return the passes up to the run of the result, or failing that to the last run that the settings find."""
        position, last = self.find_last(result)
        if last is None:
            return Matched()
        matches = [*self.walk_back(position, last), *self.find_later(position)]
        reasons = [*self.latent_reasons(result, last), *self.run_reasons(matches), *self.image_reasons()]
        return Matched(matches, reasons)

    def made_by(self, node_id: str, runs: Sequence[Run]) -> Matched:
        """Return the passes of a node that made its result of several runs, after those upstream of it."""
        if not runs:
            missing = [Match(found, self._find_run(found)) for found in self.passes]
            return Matched(missing, _missing_runs(missing))
        if (key := self._composite_key()) is not None:
            self.recording.add_composite(key, runs)
        own = [index for index, found in enumerate(self.passes) if found.node_id == node_id]
        position = own[-1] if own else len(self.passes)
        matches = self.walk_back(position, runs[0])
        stored = [match.run for match in matches]
        found = self.passes[position] if own else None
        matches += [Match(found, run) for run in runs if run not in stored]
        return Matched(matches, [*self._made_reasons(node_id, runs), *_missing_runs(matches)])

    def _made_reasons(self, node_id: str, runs: Sequence[Run]) -> list[str]:
        """Return how a node made what is saved, if that is not the result of one run."""
        several = [f"made of {len(runs)} runs of node {node_id}"] if len(runs) > 1 else []
        between = [each for each, _ in self._between]
        is_source = node_id in (self.inputs.traced_source, self.inputs.traced_sampler)
        if self.inputs.latent is None and node_id in between:
            return several
        return several if several and is_source else [*several, *self.latent_reasons(None, runs[-1])]

    def put_together(self) -> Matched:
        """Return the passes of all runs that made several decoded latents, in the order in which they ran."""
        results = [self.recording.find_by_result(parts) for parts in self.inputs.traced_latents]
        chains = [run for result in results if result is not None for run in self._chain(result)]
        ordered = [run for run in self.recording.runs if run in chains]
        if not ordered:
            return self.match_result(None)
        matches = [Match(self._pass_of(run), run) for run in ordered]
        reasons = [f"put together from {len(results)} latents", *self.image_reasons()]
        if None in results:
            reasons.append(f"no recorded run was found for {results.count(None)} of them")
        return Matched(matches, reasons)

    def latent_maker(self) -> str | None:
        """Return the nearest node upstream of the traced latent that sampled in this prompt.

        Without any, the node that returned it, which may have sampled in an earlier prompt.
        """
        source = self.inputs.traced_source
        if source is None:
            return None
        upstream = upstream_of(self.inputs.prompt, source)
        return next((node_id for node_id in upstream if self.recording.runs_of_node(node_id)), source)

    def runs_of_maker(self, node_id: str) -> tuple[Run, ...]:
        """Return the runs of a node in this prompt, of the list item that is saved; of a graph's pass, only several.

        If there are none, those of the earlier prompt in which the same was saved.
        """
        runs = self.runs_of_item(node_id)
        is_pass = node_id in {found.node_id for found in self.passes}
        return (() if is_pass and len(runs) == 1 else runs) or self.remembered()

    def runs_of_item(self, node_id: str) -> tuple[Run, ...]:
        """Return the runs of a node in this prompt: of the list item that is saved, or of all if they were joined."""
        runs = self.recording.runs_of_node(node_id)
        if not self._keeps_items(node_id) and len({run.item for run in runs}) != self._count_items():
            return runs
        item = host.executing_item()
        return tuple(run for run in runs if run.item == item) or runs

    def _keeps_items(self, node_id: str) -> bool:
        """Return whether the save's list is known to have one item for each item of a node."""
        observed = self.inputs.observed
        images = () if observed is None else observed.decoded
        return node_id == self.inputs.traced_source or any(
            each.keeps_items and node_id in dict(each.between) for each in images
        )

    def _count_items(self) -> int | None:
        return None if self.inputs.observed is None else self.inputs.observed.items

    def remembered(self) -> tuple[Run, ...]:
        """Return the runs of an earlier prompt that made what is saved, if it was saved then too."""
        key = self._composite_key()
        return () if key is None else self.recording.find_composite(key)

    def _composite_key(self) -> str | None:
        """Return the digest of what is saved, under which its runs are remembered."""
        if self.inputs.images is not None:
            return digest(batches_of(self.inputs.images))
        return None if self.inputs.latent is None else digest(self.inputs.latent)

    def _chain(self, run: Run) -> list[Run]:
        """Return a run, those of its node call, and those that it started from."""
        chain: list[Run] = []
        current: Run | None = run
        while current is not None and current not in chain:
            chain += [each for each in self.recording.runs_of_call(current) if each not in chain]
            current = self.recording.previous_run(chain[-1] if current is None else current)
        return chain

    def _pass_of(self, run: Run) -> SamplerPass | None:
        indices = self._pass_indices(run)
        return self.passes[indices[-1]] if indices else None

    def find_result(self) -> Run | None:
        """Return the run that returned the saved latent; if several did, one of the graph's passes first."""
        if not self.inputs.traced_latents:
            return None
        source = self.inputs.traced_sampler
        nodes = {found.node_id for found in self.passes} if source is None else {source}
        return self.recording.find_by_result(self.inputs.traced_latents[0], nodes)

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
            if earlier is not None and self._is_further_run(earlier, run):
                matches.append(Match(None, earlier))
                run = earlier
                continue
            if index < 0:
                return matches[::-1]
            expected = self.passes[index]
            index -= 1
            if earlier is None or not self._may_belong(earlier, expected):
                earlier = self._find_run(expected) or self._decoded_run(expected)
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
        if not self.inputs.traced_latents or result is not None:
            return []
        source = self.inputs.traced_sampler or last.node_id
        return [
            f"the saved latent is not what node {source} returned: it was changed, is another output of it, or "
            "comes from elsewhere"
        ]

    def image_reasons(self) -> list[str]:
        """Return which nodes changed the images after they were decoded and may have sampled, unseen or earlier."""
        return [
            f"node {node_id} ({class_type}) changed the image afterwards; whether it sampled is not known"
            for node_id, class_type in dict.fromkeys(self._between)
            if self.inputs.latent is None and self._may_sample(node_id)
        ]

    def _may_sample(self, node_id: str) -> bool:
        prompt = self.inputs.prompt
        links = [value for value in inputs_of(prompt.get(node_id)).values() if is_link(value, prompt)]
        kinds = {host.output_type(class_of(prompt[source]), slot) for source, slot in links}
        return not kinds <= _USED_BESIDE_IMAGES

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

    def _is_further_run(self, earlier: Run, run: Run) -> bool:
        """Return whether a run has no pass of its own: one of the same call or loop, or outside the graph."""
        indices = self._pass_indices(earlier)
        is_loop = run.is_made_at_run_time or earlier.is_made_at_run_time
        is_same_pass = bool({*indices} & {*self._pass_indices(run)}) and earlier.prompt_id == run.prompt_id
        return _is_same_call(earlier, run) or not indices or (is_loop and is_same_pass)

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

    def _decoded_run(self, found: SamplerPass) -> Run | None:
        """Return the run of a pass whose result was decoded, of an earlier prompt too; None if that is another's."""
        result = self.find_result() if self.inputs.latent is None and self._between else None
        return result if result is not None and self._may_belong(result, found) else None

    def _result_shapes(self, found: SamplerPass) -> list[list[int]] | None:
        """Return the shapes of a pass's result; None if the saved latent is not that result."""
        latents = self.inputs.traced_latents
        is_result = len(latents) == 1 and self.inputs.traced_sampler == found.node_id
        return shapes_of(latents[0]) if is_result else None

    def _pass_index(self, run: Run) -> int:
        """Return the index of the pass that a run belongs to, the number of passes if it belongs to none.

        Of several, the last one that the saved latent comes from, or else the last one.
        """
        indices = self._pass_indices(run)
        sources = [index for index in indices if self.passes[index].node_id == self.inputs.traced_sampler]
        return (sources or indices or [len(self.passes)])[-1]

    def _pass_indices(self, run: Run) -> list[int]:
        if run.node_id is None:
            return [index for index, found in enumerate(self.passes) if self._may_belong(run, found)]
        named = {*run.origins, *run.node_id.split(".")}  # no other pass may be its own
        indices = sorted(index for node_id in named for index in self._indices.get(node_id, ()))
        return [index for index in indices if self._may_belong(run, self.passes[index])]

    def _may_belong(self, run: Run, found: SamplerPass) -> bool:
        """Return whether a run may be of a pass's node, of one that the node expanded into, or of a copy of it."""
        if found.is_idle:
            return False
        if run.node_id is None or found.node_id in run.origins:
            return True
        if run.origin.display_id is not None:
            return False
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

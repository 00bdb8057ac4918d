"""Starts a sampler from a file because its latent is what Load Gen5 gave as noise, wherever the wire went.

Load Gen5's `noise` in a sampler's latent means "start from this noise", whatever the input is called and whether it
came through a pipe, a switch or a context. So what Load Gen5 gives is remembered, and a run below it whose latent is
equal starts as behind a Replay Sampling: with the stored latent, the stored noise, seed and draws. A run that would
add noise of its own to noise that was changed on the way is an error.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import Any

import torch

from ...gen5core.errors import EncodeError
from .. import host
from ..prompt.edit import class_of, inputs_of
from ..prompt.noise_route import NoiseRoute, find_noise_route, is_above
from ..stored.file import StoredFile
from ..stored.start import StoredStart
from ..tensors.latents import Parts, digest, is_zero, pack, take, take_mask
from .call import SamplingCall
from .overrides import record_override
from .replayer import SamplingReplayer

logger = logging.getLogger(__name__)
REPLAY_KEY = "gen5_replay"
"""Under which Replay Sampling adds its wrappers to a MODEL."""
_MAX_REMEMBERED = 1024
"""How many latents are remembered: Load Gen5 does not run again while ComfyUI has its outputs in the cache."""
_Node = tuple[str, int | None]
"""Node and list item."""


@dataclass(frozen=True, slots=True)
class GivenLatent:
    """Of which file a latent is that Load Gen5 gave as noise."""

    stored: StoredFile
    batch_index: int
    is_noise: bool
    """Whether it is noise; else it is the latent that a run without noise continued from."""


@dataclass(slots=True)
class _NodeStart:
    """What the runs of one node start from."""

    node_id: str
    graph: dict[str, Any]
    """The running prompt; empty if the node is left alone."""
    replayer: SamplingReplayer | None = None
    has_sampled: bool = False


class StraightStart:
    """The wrapper around all runs of this process that ``automatic`` adds; see the module."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, GivenLatent] = OrderedDict()
        self._shapes: set[tuple[int, ...]] = set()
        self._prompt_id: str | None = None
        self._nodes: dict[_Node, _NodeStart] = {}
        """What the nodes of the running prompt start from that have sampled already."""

    def __deepcopy__(self, memo: object) -> StraightStart:
        """Return self, since ComfyUI and packs deep-copy model options."""
        return self

    def remember(self, parts: Parts, given: GivenLatent) -> None:
        """Remember a latent that Load Gen5 gives as noise, and each image of a batch: some nodes sample one by one."""
        self._remember(pack(parts), given)
        count = parts[0].shape[0] if parts[0].ndim else 1
        if given.batch_index < 0 and count > 1 and all(part.shape[0] == count for part in parts):
            for index in range(count):
                self._remember(pack(take(parts, index, "noise")), replace(given, batch_index=index))

    def _remember(self, packed: torch.Tensor, given: GivenLatent) -> None:
        key = _digest(packed)
        self._given[key] = given
        self._given.move_to_end(key)
        self._shapes.add(tuple(packed.shape))
        while len(self._given) > _MAX_REMEMBERED:
            self._given.popitem(last=False)

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Sample, from a file if the run's latent is what Load Gen5 gave as noise."""
        call = SamplingCall.parse(executor, args, kwargs)
        replayer = self._replayer(call) if self._given else None
        return call.run(executor if replayer is None else partial(replayer, executor))

    def _replayer(self, call: SamplingCall) -> SamplingReplayer | None:
        """Return what a run starts from: later runs of a node go on from the file that its first one started from."""
        prompt_id, node_id = host.executing()
        if prompt_id is None or node_id is None:
            return None
        if prompt_id != self._prompt_id:
            self._prompt_id, self._nodes = prompt_id, {}
        key = node_id, host.executing_item()
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _NodeStart(node_id, _graph_with_noise(call, node_id))
        if node.graph:
            self._begin(call, node)
            node.has_sampled = True
        return node.replayer

    def _begin(self, call: SamplingCall, node: _NodeStart) -> None:
        """Start a run from the file that its latent is from; let the node's replayer be if it is from none."""
        given, adds_noise = self._find(call.latent_image), not is_zero([call.noise])
        if given is None:
            if node.replayer is None and not node.has_sampled:
                self._report_own_start(node, adds_noise)
        elif given.is_noise and not adds_noise:
            logger.warning(
                "node %s adds no noise, so it takes the noise of %s as a plain latent: turn its add_noise on to start "
                "as the stored run did",
                node.node_id,
                given.stored.path.name,
            )
        else:
            node.replayer = _start(call, given)

    def _find(self, latent: torch.Tensor) -> GivenLatent | None:
        return self._given.get(_digest(latent)) if tuple(latent.shape) in self._shapes else None

    def _report_own_start(self, node: _NodeStart, adds_noise: bool) -> None:
        """Log that a node below Load Gen5's noise does not start from it; see ``_check_unchanged``."""
        route = find_noise_route(node.graph, node.node_id, host.output_type)
        if route is not None and self._holds_noise(node.graph, route.loader):
            if adds_noise:
                self._check_unchanged(node, route)
            return  # without noise of its own, it takes what was blended by hand
        logger.warning(
            "%s starts from another latent than the noise of %s above it, with a seed and draws of its own: connect a "
            "Replay Sampling to its model if it is to repeat a stored pass",
            _names(node.graph, [node.node_id]),
            " and ".join(_loaded_files(node.graph)),
        )

    def _check_unchanged(self, node: _NodeStart, route: NoiseRoute) -> None:
        """Raise EncodeError if a node adds noise to stored noise that was changed; log it if it was mixed."""
        message = _double_noise(node.graph, node.node_id, route)
        if not route.is_mixed:
            raise EncodeError(message)
        logger.warning(message)

    def _holds_noise(self, graph: dict[str, Any], loader: str) -> bool:
        """Return whether a Load Gen5 gives noise; True if that is not known."""
        file = str(graph[loader]["inputs"].get("file")).rpartition(" [")[0]
        kinds = [given.is_noise for given in self._given.values() if file.endswith(given.stored.path.name)]
        return all(kinds)


STRAIGHT = StraightStart()
"""The one of this process."""


def _graph_with_noise(call: SamplingCall, node_id: str) -> dict[str, Any]:
    """Return the running prompt; empty if no Load Gen5's noise is above the node, or a Replay Sampling is."""
    if host.has_sampling_wrapper(call.guider, REPLAY_KEY):
        return {}
    graph = host.running_graph()
    return graph if is_above(graph, node_id) else {}


def _start(call: SamplingCall, given: GivenLatent) -> SamplingReplayer:
    """Put the latent and mask that the stored run started from into call, and return the replayer for the rest."""
    start = given.stored.read_start(batch_index=given.batch_index)
    if start.samples is None:
        raise EncodeError(
            f"{start.file_name} does not hold the latent that sampling started from: connect Replay Sampling's model, "
            "and a latent of your own, to this sampler"
        )
    latent = pack(take(start.samples, given.batch_index, "stored latent")).to(call.latent_image)
    changes = {"latent_image": latent, **_mask(call, start, given.batch_index)}
    call.arguments.update(changes)
    record_override(call.guider, **changes)
    return SamplingReplayer(given.stored, start, given.batch_index)


def _mask(call: SamplingCall, start: StoredStart, batch_index: int) -> dict[str, torch.Tensor]:
    """Return the argument for the stored mask; none if the sampler has a mask of its own, or there is none."""
    if start.noise_mask is None or call.arguments.get("denoise_mask") is not None:
        return {}
    masks = take_mask(start.noise_mask, batch_index)
    shapes = call.shapes[: len(masks)]
    prepared = [
        host.prepare_mask(mask, shape, call.guider) for mask, shape in zip(masks, shapes, strict=True)
    ]
    return {"denoise_mask": pack(prepared)}


def _digest(packed: torch.Tensor) -> str:
    """Return a digest of values: some nodes return a latent in another dtype."""
    values = packed.detach()
    return digest([values if values.is_complex() else values.float()])


def _double_noise(graph: dict[str, Any], node_id: str, route: NoiseRoute) -> str:
    sampler, loader = _names(graph, [node_id]), _names(graph, [route.loader])
    problem, latent = "which it does not sample as it is", "the latent that the stored run was given"
    if route.through:
        problem, latent = f"which {_names(graph, route.through)} changed", "latent"
    return (
        f"{sampler} would add noise of its own to the noise of {loader}, {problem}: connect Replay Sampling's model "
        f"and {latent} to node {node_id}, or turn its noise off to use the noise as a plain latent"
    )


def _loaded_files(graph: dict[str, Any]) -> list[str]:
    """Return the names of the files that the graph loads."""
    annotated = [inputs_of(node).get("file") for node in graph.values() if class_of(node) == "Gen5Load"]
    names = {PurePath(str(name).partition(" [")[0]).name for name in annotated}
    return sorted(names)


def _names(graph: dict[str, Any], node_ids: Sequence[str]) -> str:
    return ", ".join(f"node {node_id} ({class_of(graph[node_id])})" for node_id in node_ids)

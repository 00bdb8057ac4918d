"""Inserts Replay Sampling where Load Gen5's noise is wired straight into a sampler.

Wiring Load Gen5's `noise` into a sampler's latent_image means "start from this noise". A sampler that adds
noise would add its own, so a Replay Sampling for that file is inserted between the sampler, its MODEL and its
latent. Samplers that are wired in another way are started from the file while they run (``sampling.straight``).
All changes are worked out first and applied to a copy, because the server ignores an exception in a handler and
would run a half-changed prompt.

The ids of inserted nodes are derived from the sampler's id, so that ComfyUI's cache holds between prompts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...gen5core.graph.prompt import Graph
from .edit import (
    InsertedNode,
    Origin,
    Prompt,
    Reroutes,
    class_of,
    free_id,
    inputs_of,
    inserted_id,
    is_link,
    is_reroute,
    model_owner,
)

NOISE_SLOT, GEN5_SLOT = 0, 4
"""Output slots of Load Gen5."""
MODEL_SLOT, LATENT_SLOT = 0, 1
"""Output slots of Replay Sampling."""
_LATENT_INPUT = "latent_image"


@dataclass(frozen=True, slots=True)
class _Change:
    """A sampler that is to start from a file."""

    sampler: str
    owner: str
    """The node whose `model` input it uses: the sampler or its guider."""
    loader: str


def insert_replays(prompt: Prompt) -> Prompt:
    """Return prompt with a Replay Sampling wherever a sampler starts from Load Gen5's noise.

    If there is none, prompt itself is returned unchanged.
    """
    changes = sorted(_find_changes(prompt), key=lambda change: change.sampler)
    if not changes:
        return prompt
    changed = dict(prompt)
    for change in changes:
        node = prompt[change.sampler]
        changed[change.sampler] = {**node, "inputs": dict(node["inputs"])}
        _insert_replay(changed, change)
    return changed


def _find_changes(prompt: Prompt) -> Iterator[_Change]:
    if not any(class_of(node) == "Gen5Load" for node in prompt.values()):
        return
    graph, reroutes, replayed = Graph(prompt), Reroutes(prompt), _find_replayed(prompt)
    for node_id, node in prompt.items():
        source = reroutes.follow(inputs_of(node).get(_LATENT_INPUT))
        if source is None or source[1] != NOISE_SLOT or class_of(prompt[source[0]]) != "Gen5Load":
            continue
        owner = model_owner(reroutes, node_id)
        if owner is None or not _may_sample(graph, node_id):
            continue
        if (
            _adds_noise(reroutes, node)
            and not _has_further_models(prompt, owner)
            and inputs_of(prompt[owner])["model"][0] not in replayed
        ):
            yield _Change(node_id, owner, source[0])


def _may_sample(graph: Graph, node_id: str) -> bool:
    """Return whether a node is a sampler or of an unknown class. AddNoise is neither."""
    node = graph.node(node_id)
    return node is not None and (node.node_class.kind == "sampler" or node.node_class.guessed)


def _insert_replay(prompt: Prompt, change: _Change) -> None:
    sampler = prompt[change.sampler]["inputs"]
    replay_id = inserted_id(prompt, "replay", change.sampler)
    origin: list[Origin] = [(change.sampler, _LATENT_INPUT, list(sampler[_LATENT_INPUT]))]
    if change.owner == change.sampler:
        owner = sampler
        origin.append((change.sampler, "model", list(sampler["model"])))
    else:
        origin.append((change.sampler, "guider", list(sampler["guider"])))
        owner = _copy_guider(prompt, change, replay_id)
    loader = prompt[change.loader]["inputs"]
    node = {
        "class_type": "Gen5Replay",
        "inputs": {
            "model": owner["model"],
            "gen5": [change.loader, GEN5_SLOT],
            "pass_index": -1,
            "batch_index": copy.deepcopy(loader.get("batch_index", -1)),
        },
        "_meta": {"title": "Replay Sampling"},
    }
    prompt[replay_id] = InsertedNode(node, origin)
    owner["model"] = [replay_id, MODEL_SLOT]
    sampler[_LATENT_INPUT] = [replay_id, LATENT_SLOT]


def _copy_guider(prompt: Prompt, change: _Change, replay_id: str) -> dict[str, Any]:
    """Give a sampler its own copy of its guider, since others may share the guider; return the copy's inputs."""
    link = Reroutes(prompt).follow(prompt[change.sampler]["inputs"]["guider"])
    assert link is not None  # model_owner found the guider through this link
    copied = copy.deepcopy(prompt[change.owner])
    copied_id = free_id(prompt, f"{replay_id}_guider")
    prompt[copied_id] = InsertedNode(copied)
    prompt[change.sampler]["inputs"]["guider"] = [copied_id, link[1]]
    inputs: dict[str, Any] = copied["inputs"]
    return inputs


def _adds_noise(reroutes: Reroutes, node: Mapping[str, Any]) -> bool:
    """Return whether a sampler adds noise; False if `add_noise` is a link, whose value is not known yet."""
    inputs = inputs_of(node)
    if inputs.get("add_noise", True) not in (True, "enable"):
        return False
    noise = reroutes.follow(inputs.get("noise"))
    return noise is None or class_of(reroutes.prompt[noise[0]]) != "DisableNoise"


def _has_further_models(prompt: Prompt, owner: str) -> bool:
    """Return whether a node has a refiner's MODEL, say: all its runs must then start alike (``sampling.straight``)."""
    inputs = inputs_of(prompt[owner])
    return any("model" in name and is_link(inputs[name], prompt) for name in inputs if name != "model")


def _find_replayed(prompt: Prompt) -> set[str]:
    """Return every Replay Sampling, and the nodes whose models come through one."""
    readers: dict[str, list[str]] = {}
    for node_id, node in prompt.items():
        for name, value in inputs_of(node).items():
            if is_link(value, prompt) and ("model" in name.lower() or is_reroute(node)):
                readers.setdefault(value[0], []).append(node_id)
    pending = [node_id for node_id, node in prompt.items() if class_of(node) == "Gen5Replay"]
    found = set(pending)
    while pending:
        below = [each for each in readers.get(pending.pop(), ()) if each not in found]
        found.update(below)
        pending += below
    return found

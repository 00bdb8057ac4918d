"""A prompt's nodes and links, and the ids and marks of the nodes that are put into it and taken out again."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Any

Prompt = dict[str, Any]
Link = list[Any]
PREFIX = "gen5_"
"""Starts the id of every node that is put in; no colon, which ComfyUI reads as a subgraph's."""
ORIGIN = "gen5_replaces"
"""In the ``_meta`` of a node that was put in: (node, input, former link or None) for each input changed for it."""


def remove_inserted(prompt: Mapping[str, Any]) -> Prompt:
    """Return prompt as the person drew it: what was put in taken out, links as they were."""
    restored = {
        node_id: copy.deepcopy(node) for node_id, node in prompt.items() if not is_inserted(node_id, node)
    }
    for node_id, node in reversed(list(prompt.items())):  # what was put in last is undone first
        if is_inserted(node_id, node):
            for owner, name, link in node["_meta"][ORIGIN]:
                restore(inputs_of(restored.get(owner)), name, link)
    return restored


def restore(inputs: dict[str, Any], name: str, link: Link | None) -> None:
    if link is None:
        inputs.pop(name, None)
    else:
        inputs[name] = list(link)


def is_link(value: Any, prompt: Mapping[str, Any]) -> bool:
    """Tell whether an input is a link: [node id, slot], the node being in the prompt."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in prompt


def inserted_id(prompt: Prompt, what: str, *owners: str) -> str:
    """Return the id of a node that is put in for these nodes; the same from one prompt to the next."""
    return free_id(prompt, "_".join([f"{PREFIX}{what}", *(owner.replace(":", "_") for owner in owners)]))


def free_id(prompt: Prompt, wanted: str) -> str:
    """Return an id that no node has: the wanted one, or the next with a number."""
    numbered = (f"{wanted}_{number}" for number in itertools.count(2))
    return next(node_id for node_id in itertools.chain([wanted], numbered) if node_id not in prompt)


def model_owner(prompt: Prompt, sampler_id: str) -> str | None:
    """Return the node whose `model` a sampler samples with: itself or its guider; None if there is none."""
    inputs = inputs_of(prompt[sampler_id])
    if is_link(inputs.get("model"), prompt):
        return sampler_id
    guider = through_reroutes(prompt, inputs.get("guider"))
    if guider is not None and is_link(inputs_of(prompt[guider[0]]).get("model"), prompt):
        return str(guider[0])
    return None


def through_reroutes(prompt: Prompt, link: Any) -> Link | None:
    """Return the link that a link comes from, reroutes passed; None where it ends or goes in a circle."""
    seen: set[str] = set()
    while is_link(link, prompt):
        node = prompt[link[0]]
        if not is_reroute(node):
            return list(link)
        if link[0] in seen:
            return None
        seen.add(link[0])
        link = next((value for value in inputs_of(node).values() if is_link(value, prompt)), None)
    return None


def is_reroute(node: Any) -> bool:
    return "reroute" in class_of(node).lower()


def is_inserted(node_id: str, node: Any) -> bool:
    meta = node.get("_meta") if isinstance(node, Mapping) else None
    if not node_id.startswith(PREFIX) or not isinstance(meta, Mapping):
        return False
    origin = meta.get(ORIGIN)
    return isinstance(origin, list) and all(map(is_origin, origin))


def is_origin(entry: Any) -> bool:
    """Tell whether entry says which input of which node was which link."""
    if not isinstance(entry, (list, tuple)) or len(entry) != 3:
        return False
    return (
        isinstance(entry[0], str) and isinstance(entry[1], str) and isinstance(entry[2], (list, type(None)))
    )


def class_of(node: Any) -> str:
    value = node.get("class_type") if isinstance(node, Mapping) else None
    return value if isinstance(value, str) else ""


def inputs_of(node: Any) -> dict[str, Any]:
    value = node.get("inputs") if isinstance(node, Mapping) else None
    return value if isinstance(value, dict) else {}

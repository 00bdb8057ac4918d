"""Nodes and links of a prompt, and the ids and markers of the nodes that the pack inserts and removes."""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

Prompt = dict[str, Any]
Link = list[Any]
PREFIX = "gen5_"
"""Prefix of the id of every inserted node. It has no colon, which ComfyUI would read as a subgraph id."""
ORIGIN = "gen5_replaces"
"""Key in the ``_meta`` of an inserted node: (node, input, former link or None) for each input that it changed."""


OFF_MARK = "gen5_auto_record_off"
"""Key in the ``_meta`` of a Save Gen5 whose request turned automatic recording off; whether it had a ``_meta``."""


def mark_off(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node with OFF_MARK, which changes neither what runs nor ComfyUI's cache."""
    meta = node.get("_meta")
    return {**node, "_meta": {**(meta if isinstance(meta, dict) else {}), OFF_MARK: isinstance(meta, dict)}}


def is_marked_off(node: Any) -> bool:
    """Return whether a node has OFF_MARK."""
    meta = node.get("_meta") if isinstance(node, Mapping) else None
    return isinstance(meta, Mapping) and OFF_MARK in meta


def _without_mark(node: Any) -> Any:
    if not is_marked_off(node):
        return node
    meta = {name: value for name, value in node["_meta"].items() if name != OFF_MARK}
    had_meta = node["_meta"][OFF_MARK]
    return {
        **{name: value for name, value in node.items() if name != "_meta"},
        **({"_meta": meta} if had_meta else {}),
    }


def remove_inserted(prompt: Mapping[str, Any]) -> Prompt:
    """Return prompt as the user drew it, without the inserted nodes and marks, and with the original links."""
    restored = {
        node_id: _without_mark(copy.deepcopy(node))
        for node_id, node in prompt.items()
        if not is_inserted(node_id, node)
    }
    for node_id, node in reversed(
        list(prompt.items())
    ):  # the last edit may build on earlier ones, so it is undone first
        if is_inserted(node_id, node):
            for owner, name, link in node["_meta"][ORIGIN]:
                restore_link(inputs_of(restored.get(owner)), name, link)
    return restored


def restore_link(inputs: dict[str, Any], name: str, link: Link | None) -> None:
    """Set an input back to its former link, or remove it if it had none."""
    if link is None:
        inputs.pop(name, None)
    else:
        inputs[name] = list(link)


def is_link(value: Any, prompt: Mapping[str, Any]) -> bool:
    """Return whether an input is a link, [node id, slot], to a node of the prompt."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in prompt


def inserted_id(prompt: Prompt, kind: str, *owners: str) -> str:
    """Return the id of a node inserted for owners. It is the same in every prompt, so that ComfyUI's cache holds."""
    return free_id(prompt, "_".join([f"{PREFIX}{kind}", *(owner.replace(":", "_") for owner in owners)]))


def free_id(prompt: Prompt, wanted: str) -> str:
    """Return an id that no node has: wanted, or wanted with the next free number."""
    numbered = (f"{wanted}_{number}" for number in itertools.count(2))
    return next(node_id for node_id in itertools.chain([wanted], numbered) if node_id not in prompt)


def model_owner(prompt: Prompt, sampler_id: str) -> str | None:
    """Return the node whose `model` input a sampler uses: the sampler or its guider; None if neither has one."""
    inputs = inputs_of(prompt[sampler_id])
    if is_link(inputs.get("model"), prompt):
        return sampler_id
    guider = follow_reroutes(prompt, inputs.get("guider"))
    if guider is not None and is_link(inputs_of(prompt[guider[0]]).get("model"), prompt):
        return str(guider[0])
    return None


def follow_reroutes(prompt: Prompt, link: Any) -> Link | None:
    """Follow a link through reroutes and return the link at its source; None if it ends or loops."""
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


def upstream_of(prompt: Mapping[str, Any], node_id: str) -> Iterator[str]:
    """Yield a node and all that lead to it, the nearest first."""
    waiting, seen = deque([node_id]), {node_id}
    while waiting:
        current = waiting.popleft()
        yield current
        sources = [link[0] for link in inputs_of(prompt.get(current)).values() if is_link(link, prompt)]
        waiting.extend(dict.fromkeys(source for source in sources if source not in seen))
        seen.update(sources)


def is_reroute(node: Any) -> bool:
    return "reroute" in class_of(node).lower()


def is_inserted(node_id: str, node: Any) -> bool:
    """Return whether the pack inserted a node. The id alone is not enough: a user may choose the same prefix."""
    meta = node.get("_meta") if isinstance(node, Mapping) else None
    if not node_id.startswith(PREFIX) or not isinstance(meta, Mapping):
        return False
    origin = meta.get(ORIGIN)
    return isinstance(origin, list) and all(map(is_origin, origin))


def is_origin(entry: Any) -> bool:
    """Return whether entry has the form (node id, input name, former link or None)."""
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

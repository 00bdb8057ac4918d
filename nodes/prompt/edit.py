"""Nodes and links of a prompt, and those nodes that the pack inserts, marks and removes."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Prompt = dict[str, Any]
Link = list[Any]
PREFIX = "gen5_"
"""Prefix of the id of every inserted node. It has no colon, which ComfyUI would read as a subgraph id."""
Origin = tuple[str, str, "Link | None"]
"""Node, input, and the link that it had before it was changed."""


class InsertedNode(dict[str, Any]):
    """A node that this pack put into this very prompt.

    It is known by its class, which nothing has that came as JSON: a prompt that was copied out of the history has the
    same ids and ``_meta``, and is the user's own.
    """

    __slots__ = ("facts", "origin")

    def __init__(
        self,
        node: Mapping[str, Any],
        origin: Sequence[Origin] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(node)
        self.origin = origin
        """Each input that was changed for it."""
        self.facts = facts or {}
        """What is known about its inputs, by their names."""


class MarkedNode(dict[str, Any]):
    """A Save Gen5 as it came, with what it has to know about its prompt; what runs and ComfyUI's cache are the same."""

    __slots__ = ("is_off", "unwatched")

    def __init__(
        self, node: Mapping[str, Any], *, is_off: bool = False, unwatched: str | None = None
    ) -> None:
        super().__init__(node)
        self.is_off = is_off
        """Whether the request turned automatic recording off."""
        self.unwatched = unwatched
        """Why the values of this prompt are not watched."""


def is_marked_off(node: Any) -> bool:
    """Return whether a node's request turned automatic recording off."""
    return isinstance(node, MarkedNode) and node.is_off


def unwatched_reason(node: Any) -> str | None:
    """Return why the values of a node's prompt were not watched; None if they were, or if that is not known."""
    return node.unwatched if isinstance(node, MarkedNode) else None


def remove_inserted(prompt: Mapping[str, Any]) -> Prompt:
    """Return prompt as it came, without the inserted nodes, and with the original links. What stays is not copied."""
    inserted = [node for node in prompt.values() if isinstance(node, InsertedNode)]
    restored = {node_id: node for node_id, node in prompt.items() if not is_inserted(node)}
    copied: set[str] = set()
    for node in reversed(inserted):  # the last edit may build on earlier ones, so it is undone first
        for owner, name, link in node.origin:
            if not _is_ours(inputs_of(restored.get(owner)).get(name), prompt):
                continue  # another extension changed it afterwards
            if owner not in copied:
                copied.add(owner)
                restored[owner] = {**restored[owner], "inputs": dict(restored[owner]["inputs"])}
            restore_link(restored[owner]["inputs"], name, link)
    return restored


def _is_ours(link: Any, prompt: Mapping[str, Any]) -> bool:
    return is_link(link, prompt) and is_inserted(prompt[link[0]])


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


def model_owner(reroutes: Reroutes, sampler_id: str) -> str | None:
    """Return the node whose `model` input a sampler uses: the sampler or its guider; None if neither has one."""
    prompt = reroutes.prompt
    inputs = inputs_of(prompt[sampler_id])
    if is_link(inputs.get("model"), prompt):
        return sampler_id
    guider = reroutes.follow(inputs.get("guider"))
    if guider is not None and is_link(inputs_of(prompt[guider[0]]).get("model"), prompt):
        return str(guider[0])
    return None


class Reroutes:
    """The links at the far ends of reroutes; each reroute is followed once."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self._ends: dict[str, Link | None] = {}

    def follow(self, link: Any) -> Link | None:
        """Return the link at the source of a link; None if it ends or loops."""
        passed: list[str] = []
        while is_link(link, self.prompt) and is_reroute(node := self.prompt[link[0]]):
            if link[0] in self._ends:
                link = self._ends[link[0]]
                break
            self._ends[link[0]] = None  # until the end is known: a loop has none
            passed.append(link[0])
            link = next((value for value in inputs_of(node).values() if is_link(value, self.prompt)), None)
        end = list(link) if is_link(link, self.prompt) else None
        self._ends.update(dict.fromkeys(passed, end))
        return end


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


def is_inserted(node: Any) -> bool:
    """Return whether the pack inserted a node into this very prompt."""
    return isinstance(node, InsertedNode)


def class_of(node: Any) -> str:
    value = node.get("class_type") if isinstance(node, Mapping) else None
    return value if isinstance(value, str) else ""


def inputs_of(node: Any) -> dict[str, Any]:
    value = node.get("inputs") if isinstance(node, Mapping) else None
    return value if isinstance(value, dict) else {}

"""Gen5Values, which the server inserts: sees the values that nodes computed, and the latents that were decoded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from typing import Any

from . import host
from .prompt.decoded import DecodedLink
from .prompt.edit import InsertedNode, inputs_of
from .prompt.insert_values import LATENT_INPUT, SAVED_INPUT, SHARED_INPUT, VALUE_INPUT
from .prompt.sockets import Slot, as_slot
from .saving.observed import Decoded, Observed, as_scalar, remember

logger = logging.getLogger(__name__)

Lists = Mapping[str, Sequence[Any]]


class Gen5Values:
    """What came through the links that are wired to it, each as a whole list."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Part of automatic recording: the server inserts it into a prompt that has a Save Gen5. It sees the seeds, "
        "texts and other settings that nodes computed. There is no need to add it yourself."
    )
    RETURN_TYPES = ("GEN5_OBSERVED",)
    RETURN_NAMES = ("observed",)
    OUTPUT_TOOLTIPS = ("What came through the links.",)
    FUNCTION = "observe"
    INPUT_IS_LIST = True
    DEPRECATED = DEV_ONLY = True
    """Menus leave it out: versions that do not know DEV_ONLY go by DEPRECATED."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        # links have names of their own; ComfyUI hands over inputs that are not declared here too, if they are links
        return {"required": {}, "hidden": {"prompt": "PROMPT", "unique_id": "UNIQUE_ID"}}

    def observe(
        self, prompt: Sequence[Mapping[str, Any]], unique_id: Sequence[str], **linked: Sequence[Any]
    ) -> tuple[Observed]:
        """Return what came through the links; nothing if that cannot be read, as no picture must be lost for it."""
        [graph], [node_id] = prompt, unique_id
        try:
            observed = _observe(graph, graph[node_id], linked)
        except Exception:  # values are of any class, so this may raise anything
            logger.exception(
                "Save Gen5 stores this prompt's values as the graph has them; they could not be read"
            )
            observed = Observed({}, prompt_id=host.executing()[0])
        return (remember(node_id, observed),)


def _observe(graph: Mapping[str, Any], node: Mapping[str, Any], linked: Lists) -> Observed:
    links = {name: slot for name, link in inputs_of(node).items() if (slot := as_slot(link, graph))}
    visited = host.visited_nodes()
    values = _shared_values(linked, visited)
    values |= {slot: list(map(as_scalar, linked[name])) for name, slot in _named(VALUE_INPUT, links, linked)}
    # a node that came with the prompt, from the history for example, has no facts
    facts: Mapping[str, DecodedLink] = node.facts if isinstance(node, InsertedNode) else {}
    decoded = [
        Decoded(slot, facts[name].between, list(linked[name]), facts[name].keeps_items)
        for name, slot in _named(LATENT_INPUT, links, linked)
        if name in facts and linked[name] and all(map(_is_latent, linked[name]))
    ]
    return Observed(
        values=values,
        decoded=decoded,
        prompt_id=host.executing()[0],
        visited=frozenset(source for source, _ in values) & visited,
        items=_count_items(linked, decoded),
    )


def _shared_values(linked: Lists, visited: Set[str]) -> dict[Slot, Sequence[Any]]:
    """Return what shared Gen5Values saw; if in an earlier prompt, without the values of nodes that ran again since."""
    found: dict[Slot, Sequence[Any]] = {}
    for name, observed in linked.items():
        for each in observed if name.startswith(SHARED_INPUT) else ():
            if not isinstance(each, Observed):
                continue
            is_now = each.prompt_id == host.executing()[0]
            found |= {slot: seen for slot, seen in each.values.items() if is_now or slot[0] not in visited}
    return found


def _named(prefix: str, links: Mapping[str, Slot], linked: Lists) -> list[tuple[str, Slot]]:
    return [(name, slot) for name, slot in links.items() if name.startswith(prefix) and name in linked]


def _is_latent(value: Any) -> bool:
    return isinstance(value, Mapping) and "samples" in value


def _count_items(linked: Lists, decoded: Sequence[Decoded]) -> int | None:
    """Return how many items the save's list has, as far as its latent and those behind its images tell."""
    counts = [len(linked.get(SAVED_INPUT, ())), *(len(each.latents) for each in decoded if each.keeps_items)]
    return max(counts) or None

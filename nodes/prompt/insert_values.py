"""Inserts what brings Save Gen5 the values that nodes computed, and the latents that its images were decoded from.

The graph alone does not say which seed a random node drew, or which text a language model wrote. For each Save Gen5,
the outputs that hold a setting of its passes (``plain_links``) are wired into a Gen5Values node, and a Gen5Gate hands
over what that saw. Recording must not change what runs, so

- an output is wired only if the save needs it in any case (``Sockets.sure_links``); a lazy branch is never asked for;
- the gate takes a raw link: if ComfyUI blocks one item of a list, only the values are missing, and the save goes on;
- the save's new input comes first among its inputs, so that ComfyUI visits all other nodes in the same order as before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from ...gen5core.graph.passes import plain_links
from .edit import ORIGIN, Prompt, class_of, inputs_of, inserted_id, is_inserted, is_reroute
from .sockets import ANY, Slot, Sockets, as_slot

logger = logging.getLogger(__name__)

SAVE: Final = "Gen5Save"
VALUES: Final = "Gen5Values"
GATE: Final = "Gen5Gate"
OBSERVED: Final = "observed"
"""The input of Save Gen5 that the gate is wired to. INPUT_TYPES does not have it, so that no one can see or wire it."""
DECODED: Final = "gen5_decoded"
"""Key in the ``_meta`` of a Gen5Values: what is known of each decoded latent, by the name of its input."""
VALUE_INPUT, LATENT_INPUT, SAVED_INPUT = "value_", "latent_", "saved_latent"
"""How Gen5Values' inputs are named: a value, a latent that was decoded, and the latent that is saved itself."""


@dataclass(frozen=True, slots=True)
class DecodedLink:
    """A latent that the images of a save were decoded from."""

    source: Slot
    between: tuple[tuple[str, str], ...]
    """Id and class of each node that the image went through afterwards, in this order."""
    keeps_items: bool
    """Whether the save's list of images has one item for each latent, in the same order."""
    is_own: bool = False
    """Whether the node that returned the image also returned this latent: it samples and decodes by itself."""

    def is_own_of(self, nodes: Set[str]) -> bool:
        """Return whether one of these nodes returned it beside the image: then it is there."""
        return self.is_own and self.source[0] in nodes


def insert_values(prompt: Prompt) -> Prompt:
    """Return prompt with a Gen5Values and a Gen5Gate for every Save Gen5 that something can be brought to.

    If there is none, or if anything goes wrong, prompt itself is returned unchanged.
    """
    try:
        return _insert_all(prompt)
    except Exception:  # the picture is worth more than what is known about it
        logger.exception(
            "Save Gen5 stores this prompt's values as the graph has them; they could not be watched"
        )
        return prompt


def remove_values(prompt: Mapping[str, Any]) -> Prompt:
    """Return prompt without the nodes that ``insert_values`` adds; links to them lead nowhere. Nothing is copied."""
    return {
        node_id: node
        for node_id, node in prompt.items()
        if class_of(node) not in (VALUES, GATE) or not is_inserted(node_id, node)
    }


def find_decoded(sockets: Sockets, node_id: str) -> list[DecodedLink]:
    """Return the latents that the images of a node were decoded from, found by the types of sockets alone.

    From `images` upwards over IMAGE links, to the first node that takes a LATENT. A node that also returns one samples
    and decodes by itself: then its own latent counts. A context, a comparison or another save hands its images on, and
    the latent that it has beside them need not be theirs.
    """
    start = as_slot(inputs_of(sockets.prompt[node_id]).get("images"), sockets.prompt)
    found: dict[Slot, DecodedLink] = {}
    seen: set[Slot] = set()
    pending = [] if start is None else [DecodedLink(start, (), True)]
    while pending:
        image = pending.pop()
        if image.source in seen:
            continue
        seen.add(image.source)
        latents = _latents_of(sockets, image)
        for latent in latents:
            found.setdefault(latent.source, latent)
        if not latents:
            pending.extend(_images_of(sockets, image))
    return list(found.values())


def _insert_all(prompt: Prompt) -> Prompt:
    saves = [
        node_id
        for node_id, node in prompt.items()
        if class_of(node) == SAVE and OBSERVED not in inputs_of(node) and isinstance(node.get("inputs"), dict)
    ]
    if not saves:
        return prompt
    sockets = Sockets(prompt)
    values = plain_links(remove_values(prompt), saves)
    changed = dict(prompt)
    for save in saves:
        _insert(changed, save, sockets, values)
    return changed


def _insert(changed: Prompt, save: str, sockets: Sockets, values: Sequence[Slot]) -> None:
    sure = sockets.sure_links(save)
    running = {source for source, _ in sure}
    found = [each for each in find_decoded(sockets, save) if each.source in sure or each.is_own_of(running)]
    decoded = {f"{LATENT_INPUT}{index}": each for index, each in enumerate(found)}
    wanted = [source for source in values if source in sure]
    inputs = {f"{VALUE_INPUT}{index}": list(source) for index, source in enumerate(wanted)}
    saved = as_slot(inputs_of(changed[save]).get("latent"), sockets.prompt)
    if not inputs and not decoded:
        return
    inputs |= {name: list(latent.source) for name, latent in decoded.items()}
    if saved is not None:
        inputs[SAVED_INPUT] = list(saved)
    values_id = inserted_id(changed, "values", save)
    changed[values_id] = _node(
        VALUES, inputs, [], {DECODED: {name: _facts(each) for name, each in decoded.items()}}
    )
    gate_id = inserted_id(changed, "gate", save)
    changed[gate_id] = _node(GATE, {"values": [values_id, 0]}, [(save, OBSERVED, None)], {})
    changed[save] = {**changed[save], "inputs": {OBSERVED: [gate_id, 0], **changed[save]["inputs"]}}


def _node(class_type: str, inputs: Mapping[str, Any], origin: list[Any], meta: Mapping[str, Any]) -> Any:
    return {
        "class_type": class_type,
        "inputs": inputs,
        "_meta": {"title": class_type, ORIGIN: origin, **meta},
    }


def _facts(latent: DecodedLink) -> dict[str, Any]:
    return {"between": list(latent.between), "keeps_items": latent.keeps_items}


def _latents_of(sockets: Sockets, image: DecodedLink) -> list[DecodedLink]:
    """Return the latents that a node made its image from; empty if it takes none."""
    node_id = image.source[0]
    kinds = {source: sockets.input_type(node_id, name, source) for name, source in sockets.links(node_id)}
    samples = any(kind in ("MODEL", "GUIDER") or "PIPE" in kind for kind in kinds.values())
    if _hands_on(sockets, node_id) or (not samples and any(map(_is_image, kinds.values()))):
        return []
    given = [source for source, kind in kinds.items() if kind == "LATENT"]
    outputs = sockets.output_types(node_id)
    is_own = "LATENT" in outputs and bool(given or samples)
    if is_own:
        given = [(node_id, outputs.index("LATENT"))]
    keeps_items = image.keeps_items and (is_own or not sockets.changes_lists(node_id))
    return [DecodedLink(source, image.between, keeps_items, is_own) for source in given]


def _images_of(sockets: Sockets, image: DecodedLink) -> Iterable[DecodedLink]:
    """Yield the images that a node made its image from."""
    node_id = image.source[0]
    node = sockets.prompt[node_id]
    is_passage = is_reroute(node) or _hands_on(sockets, node_id)
    between = image.between if is_passage else ((node_id, class_of(node)), *image.between)
    keeps_items = image.keeps_items and not sockets.changes_lists(node_id)
    kinds = {source: sockets.input_type(node_id, name, source) for name, source in sockets.links(node_id)}
    images = [source for source, kind in kinds.items() if _is_image(kind) or kind == ANY]
    if not images and _hands_on(sockets, node_id):
        images = [source for source, kind in kinds.items() if "PIPE" in kind or "CONTEXT" in kind]
    return [DecodedLink(source, between, keeps_items) for source in images]


def _is_image(kind: str) -> bool:
    return "IMAGE" in kind.split(",")


def _hands_on(sockets: Sockets, node_id: str) -> bool:
    """Return whether a node is known to make nothing: a reroute, a switch, a pipe or a context."""
    node = sockets.graph.node(node_id)
    return node is not None and node.node_class.kind == "pass"

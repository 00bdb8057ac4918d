"""Inserts what brings Save Gen5 the values that nodes computed, and the latents that its images were decoded from.

The graph alone does not say which seed a random node drew, or which text a language model wrote. For each Save Gen5,
the outputs that hold a setting of its passes (``plain_links``) are wired into a Gen5Values node, and a Gen5Gate hands
over what that saw. Recording must not change what runs, so

- an output is wired only if the save needs it in any case (``Needs``); a lazy branch is never asked for;
- the gate takes a raw link: if ComfyUI blocks one item of a list, only the values are missing, and the save goes on;
- the save's new input comes first among its inputs, so that ComfyUI visits all other nodes in the same order as before.

Values that several saves need come through nodes that they share (``share_values``), so that what is added grows with
the saves and the samplers, not with their product.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...gen5core.graph.passes import plain_links
from .auto_record import SAVE, explain
from .budget import MAX_ADDED, OverBudgetError
from .decoded import DecodedLatents, DecodedLink
from .edit import InsertedNode, Origin, Prompt, class_of, inputs_of, inserted_id, is_inserted
from .needs import Needs
from .share_values import Source, share_values
from .sockets import Slot, Sockets, as_slot

logger = logging.getLogger(__name__)

VALUES: Final = "Gen5Values"
GATE: Final = "Gen5Gate"
OBSERVED: Final = "observed"
"""The input of Save Gen5 that the gate is wired to. INPUT_TYPES does not have it, so that no one can see or wire it."""
VALUE_INPUT, LATENT_INPUT, SAVED_INPUT = "value_", "latent_", "saved_latent"
"""How Gen5Values' inputs are named: a value, a latent that was decoded, and the latent that is saved itself."""
SHARED_INPUT = "shared_"
"""The same of what another Gen5Values saw, which saves share."""


def insert_values(prompt: Prompt) -> Prompt:
    """Return prompt with a Gen5Values and a Gen5Gate for every Save Gen5 that something can be brought to.

    If there is none, or if anything goes wrong, prompt itself is returned unchanged; if it would take too long, its
    saves are marked, so that they say so.
    """
    try:
        return _insert_all(prompt)
    except OverBudgetError as error:
        return explain(prompt, str(error))
    except Exception:  # the picture is worth more than what is known about it
        logger.exception(
            "Save Gen5 stores this prompt's values as the graph has them; they could not be watched"
        )
        return prompt


def remove_values(prompt: Mapping[str, Any]) -> Prompt:
    """Return prompt without the classes that ``insert_values`` adds; links to them lead nowhere. Nothing is copied.

    For reading only: such a node holds no setting, whoever put it there.
    """
    return {node_id: node for node_id, node in prompt.items() if class_of(node) not in (VALUES, GATE)}


def _insert_all(prompt: Prompt) -> Prompt:
    if any(is_inserted(node) and class_of(node) in (VALUES, GATE) for node in prompt.values()):
        return prompt  # it has what can be brought to its saves
    saves = [
        node_id
        for node_id, node in prompt.items()
        if class_of(node) == SAVE and OBSERVED not in inputs_of(node) and isinstance(node.get("inputs"), dict)
    ]
    if not saves:
        return prompt
    sockets = Sockets(prompt)
    values: list[Slot] = [(link.node_id, link.slot) for link in plain_links(remove_values(prompt), saves)]
    latents = DecodedLatents(sockets)
    candidates = {save: latents.of(save) for save in saves}
    every = [latent for found in candidates.values() for latent in found]
    needs = Needs(
        sockets,
        [*values, *(each.source for each in every)],
        [each.source[0] for each in every if each.is_own],
    )
    decoded = {save: _needed(found, save, needs) for save, found in candidates.items()}
    _check_added(decoded)
    return _Editor(prompt, values, needs).insert(decoded)


def _needed(latents: Sequence[DecodedLink], save: str, needs: Needs) -> list[DecodedLink]:
    """Return the latents that are there in any case: a node that ran has those of its own too."""
    needed = needs.of(save)
    return [
        each
        for each in latents
        if needs.has(needed, each.source) or (each.is_own and needs.has_node(needed, each.source[0]))
    ]


def _check_added(links: Mapping[str, Sequence[Any]]) -> None:
    if sum(map(len, links.values())) > MAX_ADDED:
        raise OverBudgetError(f"its saves need more than {MAX_ADDED} links to what they were made from")


class _Editor:
    """Adds nodes to a copy of a prompt."""

    def __init__(self, prompt: Prompt, values: Sequence[Slot], needs: Needs) -> None:
        self._prompt, self._changed = prompt, dict(prompt)
        self._values, self._needs = values, needs
        self._made: list[str] = []
        """The ids of shared nodes, in the order of ``Shared.nodes``."""

    def insert(self, decoded: Mapping[str, Sequence[DecodedLink]]) -> Prompt:
        """Return the prompt with what its saves need, given the latents of each."""
        mask = (1 << len(self._values)) - 1
        shared = share_values({save: self._needs.of(save) & mask for save in decoded})
        _check_added(shared.nodes)
        _check_added(shared.saves)
        for save, sources in shared.nodes.items():  # a node comes after those that it takes up
            inputs = self._value_inputs(sources)
            self._made.append(inserted_id(self._changed, "shared", save))
            self._changed[self._made[-1]] = _node(VALUES, inputs)
        for save, latents in decoded.items():
            self._insert_for(save, self._value_inputs(shared.saves[save]), latents)
        return self._changed

    def _value_inputs(self, sources: Sequence[Source]) -> dict[str, Any]:
        """Return links to values, and to the nodes made so far that bring others."""
        direct = [source.index for source in sources if not source.is_shared]
        nodes = [source.index for source in sources if source.is_shared]
        inputs: dict[str, Any] = {
            f"{VALUE_INPUT}{position}": list(self._values[index]) for position, index in enumerate(direct)
        }
        return inputs | {
            f"{SHARED_INPUT}{position}": [self._made[index], 0] for position, index in enumerate(nodes)
        }

    def _insert_for(self, save: str, inputs: dict[str, Any], latents: Sequence[DecodedLink]) -> None:
        facts = {f"{LATENT_INPUT}{index}": each for index, each in enumerate(latents)}
        saved = as_slot(inputs_of(self._prompt[save]).get("latent"), self._prompt)
        if not inputs and not facts:
            return
        inputs = inputs | {name: list(latent.source) for name, latent in facts.items()}
        if saved is not None:
            inputs[SAVED_INPUT] = list(saved)
        values_id = inserted_id(self._changed, "values", save)
        self._changed[values_id] = _node(VALUES, inputs, facts=facts)
        gate_id = inserted_id(self._changed, "gate", save)
        self._changed[gate_id] = _node(GATE, {"values": [values_id, 0]}, [(save, OBSERVED, None)])
        node = self._changed[save]
        self._changed[save] = {**node, "inputs": {OBSERVED: [gate_id, 0], **node["inputs"]}}


def _node(
    class_type: str,
    inputs: Mapping[str, Any],
    origin: Sequence[Origin] = (),
    facts: Mapping[str, DecodedLink] | None = None,
) -> InsertedNode:
    node = {"class_type": class_type, "inputs": inputs, "_meta": {"title": class_type}}
    return InsertedNode(node, origin, facts)

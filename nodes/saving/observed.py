"""What came through the links of a prompt while it ran, as Gen5Values saw it and Gen5Gate hands it to Save Gen5.

A value is only as good as the run that it is said to describe. ComfyUI may take a sampler from its cache and run the
source of its seed again, or the other way round: ``SaveInputs.as_ran`` says which values a run may be described by.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..prompt.edit import Prompt, inputs_of
from ..prompt.sockets import Slot, as_slot

MAX_TEXT: Final = 2**20
"""Longest text, in characters, that is kept."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A latent that the images of a save were decoded from."""

    link: Slot
    between: tuple[tuple[str, str], ...]
    """Id and class of each node that the image went through afterwards, in this order."""
    latents: Sequence[Mapping[str, Any]]
    """The LATENTs as they came: one, or one for each item of a list."""
    keeps_items: bool = True
    """Whether the save's list of images has one item for each latent, in the same order."""

    def latent(self, item: int | None) -> Mapping[str, Any] | None:
        """Return the LATENT behind one item of the save's list; None if that is not known."""
        if len(self.latents) == 1:
            return self.latents[0]
        index = item or 0
        return self.latents[index] if self.keeps_items and index < len(self.latents) else None


@dataclass(frozen=True, eq=False)
class Observed:
    """What one Gen5Values saw. (Without slots, since those have no weak references before Python 3.11.)"""

    values: Mapping[Slot, Sequence[Any]]
    """The values of each output, in the form in which JSON has them; None for anything else."""
    decoded: Sequence[Decoded] = ()
    prompt_id: str | None = None
    """The prompt that ran when they were seen."""
    visited: frozenset[str] = frozenset()
    """The nodes among their sources that ran in that prompt; the others came from the cache."""
    items: int | None = None
    """How many items the save's list has, as far as latents tell."""

    def values_at(self, item: int | None, *, settled: bool = False) -> dict[Slot, Any]:
        """Return the values of one item of the save's list; a list of another length says nothing about it.

        Parameters
        ----------
        settled : leave out the values of nodes that ran in the prompt in which they were seen
        """
        chosen = {
            link: _choose(values, item or 0, self.items)
            for link, values in self.values.items()
            if not (settled and link[0] in self.visited)
        }
        return {link: value for link, value in chosen.items() if value is not None}


def _choose(values: Sequence[Any], item: int, items: int | None) -> Any:
    if len(values) == 1:
        return values[0]
    return values[item] if len(values) == items and item < len(values) else None


def as_scalar(value: Any) -> Any:
    """Return a number (of numpy or torch, too), a bool or a text as Python's own; None for anything else."""
    if not isinstance(value, (bool, int, float, str)) and getattr(value, "ndim", None) == 0:
        value = value.item() if hasattr(value, "item") else None
    if isinstance(value, str):
        return str.__str__(value) if len(value) <= MAX_TEXT else None
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return None


def substitute(prompt: Mapping[str, Any], values: Mapping[Slot, Any]) -> Prompt:
    """Return prompt with every link whose value is known replaced by that value."""
    return {node_id: _with_values(node, prompt, values) for node_id, node in prompt.items()}


def _with_values(node: Any, prompt: Mapping[str, Any], values: Mapping[Slot, Any]) -> Any:
    known = {
        name: values[slot]
        for name, value in inputs_of(node).items()
        if (slot := as_slot(value, prompt)) is not None and slot in values
    }
    return {**node, "inputs": {**node["inputs"], **known}} if known else node


_latest: weakref.WeakValueDictionary[str, Observed] = weakref.WeakValueDictionary()
"""What each Gen5Values saw last. Held weakly: ComfyUI holds it as the node's output, for as long as that is cached."""


def remember(node_id: str, observed: Observed) -> Observed:
    """Keep what a Gen5Values saw for its gate, and return it."""
    _latest[node_id] = observed
    return observed


def recall(node_id: str, prompt_id: str | None) -> Observed | None:
    """Return what a Gen5Values saw in this prompt; None if it was blocked, or taken from the cache."""
    observed = _latest.get(node_id)
    return (
        observed
        if observed is not None and prompt_id is not None and observed.prompt_id == prompt_id
        else None
    )

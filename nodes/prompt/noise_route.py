"""The way of Load Gen5's noise to a node: which nodes a LATENT passed through.

Only LATENT links are followed, and those of nodes that pass on whatever they get. The way ends at a node that takes a
MODEL, a GUIDER or anything else that a latent has no use for: what such a node returns is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .edit import Link, Prompt, class_of, inputs_of, is_link

LOADER, NOISE_SLOT = "Gen5Load", 0
OutputType = Callable[[str, int], str | None]
"""(class, slot) -> the declared type; None if it is not known."""
_LATENT = "LATENT"
_USED_BESIDE_LATENTS = {
    "LATENT",
    "IMAGE",
    "MASK",
    "VAE",
    "INT",
    "FLOAT",
    "STRING",
    "BOOLEAN",
    "COMBO",
    "LATENT_UPSCALE_MODEL",
}
"""Types of the inputs of a node that changes a latent without sampling it."""


@dataclass(frozen=True, slots=True)
class NoiseRoute:
    """How a node got a Load Gen5's noise."""

    loader: str
    through: tuple[str, ...]
    """The nodes between, the loader's neighbour last."""
    is_mixed: bool
    """Whether one of them was given another latent as well, as a blend is."""


def find_noise_route(prompt: Prompt, node_id: str, output_type: OutputType) -> NoiseRoute | None:
    """Return the first way found on which a Load Gen5's noise comes to a node; None if there is none."""
    pending: list[tuple[str, tuple[str, ...], bool]] = [(node_id, (), False)]
    seen: set[str] = set()
    while pending:
        current, through, is_mixed = pending.pop()
        if current in seen or current not in prompt:
            continue
        seen.add(current)
        links = list(_latent_links(prompt, current, output_type))
        is_mixed = is_mixed or (bool(through) and len(links) > 1)
        for source, slot in links:
            if class_of(prompt[source]) == LOADER:
                if slot == NOISE_SLOT:
                    return NoiseRoute(source, through, is_mixed)
            elif _only_changes_latents(prompt, source, output_type):
                pending.append((source, (*through, source), is_mixed))
    return None


STARTS: Final = {LOADER: NOISE_SLOT, "Gen5Replay": 1}
"""Class -> its output that a sampler starts from."""


def is_above(prompt: Prompt, node_id: str) -> bool:
    """Return whether a Load Gen5's noise, or a Replay Sampling's latent, is used anywhere above a node."""
    pending, seen = [node_id], set()
    while pending:
        current = pending.pop()
        if current in seen or current not in prompt:
            continue
        seen.add(current)
        for source, slot in _links(prompt, current):
            if STARTS.get(class_of(prompt[source])) == slot:
                return True
            pending.append(source)
    return False


def _links(prompt: Prompt, node_id: str) -> Iterator[Link]:
    return (value for value in inputs_of(prompt[node_id]).values() if is_link(value, prompt))


def _latent_links(prompt: Prompt, node_id: str, output_type: OutputType) -> Iterator[Link]:
    for source, slot in _links(prompt, node_id):
        kind = output_type(class_of(prompt[source]), slot)
        if kind == _LATENT or _passes_on_anything(kind):
            yield [source, slot]


def _only_changes_latents(prompt: Prompt, node_id: str, output_type: OutputType) -> bool:
    kinds = [output_type(class_of(prompt[source]), slot) for source, slot in _links(prompt, node_id)]
    return all(kind in _USED_BESIDE_LATENTS or _passes_on_anything(kind) for kind in kinds)


def _passes_on_anything(kind: str | None) -> bool:
    """Return whether an output has the type of what comes in, e.g. a switch's."""
    return kind is not None and (kind == "*" or kind.startswith("COMFY_"))

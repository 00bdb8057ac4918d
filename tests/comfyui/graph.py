"""A graph in API form being built: its settings, its nodes, and the links that tests connect more nodes to."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Link = list[Any]
"""A node's id and the number of its output."""

CHANNELS = {"eps": 4, "v": 4, "flow": 16, "flow5d": 16}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a graph; ``kind`` is the test model's: eps, v, flow, flow5d or nested."""

    kind: str = "eps"
    seed: int = 1
    sampler_name: str = "euler"
    scheduler: str = "normal"
    steps: int = 4
    cfg: float = 5.0
    width: int = 64
    height: int = 64
    batch_size: int = 1

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the latent."""
        channels, time = CHANNELS[self.kind], (2,) if self.kind == "flow5d" else ()
        return (self.batch_size, channels, *time, self.height // 8, self.width // 8)


@dataclass(slots=True)
class Graph:
    """A prompt being built, with the links that tests connect their nodes to."""

    settings: Settings
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What ``/prompt`` takes."""
    model: Link = field(default_factory=list)
    """The MODEL that the samplers get."""
    positive: Link = field(default_factory=list)
    negative: Link = field(default_factory=list)
    start: Link = field(default_factory=list)
    """The LATENT that the first sampler starts from."""
    result: Link = field(default_factory=list)
    """The LATENT that the last sampler returns."""
    samplers: list[str] = field(default_factory=list)
    """Ids of the sampler nodes, as executed."""
    seeded: list[tuple[str, str]] = field(default_factory=list)
    """Node id and name of each input that holds the seed."""

    def add(self, class_type: str, **inputs: Any) -> str:
        """Add a node and return its id; a link is ``[id, slot]``."""
        node_id = str(len(self.nodes) + 1)
        self.nodes[node_id] = {"class_type": class_type, "inputs": inputs}
        return node_id

    def set(self, node_id: str, **inputs: Any) -> None:
        """Set inputs of an existing node."""
        self.nodes[node_id]["inputs"].update(inputs)

    def rewire(self, old: Link, new: Link, *, keep: Iterable[str] = ()) -> None:
        """Link every input that is linked to old to new instead, except in the nodes of keep and in new's node."""
        kept = {*keep, new[0]}
        for node_id in self.nodes.keys() - kept:
            for name, value in self.nodes[node_id]["inputs"].items():
                if value == old:
                    self.set(node_id, **{name: list(new)})

    def reseed(self, seed: int) -> None:
        """Put another seed into every widget that has it."""
        for node_id, name in self.seeded:
            self.set(node_id, **{name: seed})

    def decode(self) -> Link:
        """Add a decoder to the result and return its IMAGE."""
        return [self.add("TestDecode", samples=self.result), 0]

    def digest(self, latent: Link | None = None, **inputs: Link) -> str:
        """Add a TestDigest to a LATENT (by default the result) and return its id."""
        return self.add("TestDigest", latent=latent or self.result, **inputs)

    def copy(self) -> Graph:
        """Return a copy with the same nonce: what is equal in both comes from the cache."""
        return copy.deepcopy(self)

"""Sets of values that many saves need, put together from nodes that they share.

In a row of n samplers with a save below each, the saves need 1, 2, … n values: n² / 2 links. Here the last save's node
takes up the one before it, and adds a single link of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 24
"""Nodes that take up one another: ComfyUI checks a prompt by recursion, which Python stops at a depth of a thousand."""
_LOOK_BACK: Final = 64
"""Sets that a set is compared with, so that thousands of saves are not all compared with each other."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: an output, or a shared node, by their index."""

    index: int
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Shared:
    """The sources of each shared node, by the first save that needs it, and those of each save."""

    nodes: Mapping[str, list[Source]]
    saves: Mapping[str, list[Source]]


@dataclass(frozen=True, slots=True)
class _Node:
    values: int
    depth: int


def share_values(wanted: Mapping[str, int]) -> Shared:
    """Return how to bring each save its values.

    Parameters
    ----------
    wanted : for each save the set of its values, bit i for the value of index i
    """
    owners: dict[int, str] = {}
    for save, values in wanted.items():
        owners.setdefault(values, save)
    every = 0
    for values in wanted.values():
        every |= values
    if sum(values.bit_count() for values in wanted.values()) == every.bit_count():  # nothing is needed twice
        return Shared({}, {save: list(_direct(values)) for save, values in wanted.items()})
    owners.pop(0, None)
    nodes: list[_Node] = []
    sources: dict[str, list[Source]] = {}
    index_of: dict[int, int] = {}
    for values in sorted(owners, key=int.bit_count):
        index_of[values] = len(nodes)
        found, depth = _compose(values, nodes)
        sources[owners[values]] = found
        nodes.append(_Node(values, depth))
    return Shared(
        sources,
        {save: [Source(index_of[values], True)] if values else [] for save, values in wanted.items()},
    )


def _compose(values: int, nodes: list[_Node]) -> tuple[list[Source], int]:
    """Return the sources of a set, and its depth: the largest sets within it first, then what is left."""
    found: list[Source] = []
    left, depth = values, 0
    for index in range(len(nodes) - 1, max(len(nodes) - 1 - _LOOK_BACK, -1), -1):
        node = nodes[index]
        if not node.values & ~values and node.values & left:
            found.append(Source(index, True))
            left, depth = left & ~node.values, max(depth, node.depth + 1)
    if depth > MAX_DEPTH:
        return list(_direct(values)), 0
    return [*_direct(left), *found], depth


def _direct(values: int) -> Iterator[Source]:
    while values:
        lowest = values & -values
        yield Source(lowest.bit_length() - 1, False)
        values ^= lowest

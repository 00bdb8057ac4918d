"""Which outputs ComfyUI needs for which node in any case, found in one pass over the graph for all saves.

ComfyUI runs what a node reaches over inputs that are not lazy, and a lazy input only if its node asks for it. So an
output that a node above a save reads by a non-lazy input is one that the save needs, whatever its switches choose.

A set of outputs is an int with one bit for each of those that are asked about, so that sets are united at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .sockets import Slot, Sockets


class Needs:
    """The outputs among those asked about that each node of a prompt needs in any case.

    Parameters
    ----------
    asked : the outputs that are asked about; bit i stands for the one at index i
    nodes : nodes of which is asked whether any of their outputs is needed
    """

    def __init__(self, sockets: Sockets, asked: Iterable[Slot], nodes: Iterable[str]) -> None:
        self._sockets = sockets
        self._bits = {slot: 1 << index for index, slot in enumerate(dict.fromkeys(asked))}
        count = len(self._bits)
        self._node_bits = {
            node_id: 1 << (count + index) for index, node_id in enumerate(dict.fromkeys(nodes))
        }
        self._found: dict[str, int] = {}

    def of(self, node_id: str) -> int:
        """Return the set of what a node needs. In a cycle, which ComfyUI refuses, it may lack some."""
        stack = [node_id]
        sources: dict[str, dict[Slot, None]] = {}
        while stack:
            current = stack[-1]
            if current in self._found:
                stack.pop()
            elif current in sources:
                self._found[current] = self._unite(sources[current])
            else:
                sources[current] = dict.fromkeys(self._sure_sources(current))
                above = dict.fromkeys(source for source, _ in sources[current])
                stack.extend(each for each in above if each not in sources and each not in self._found)
        return self._found[node_id]

    def has(self, needed: int, slot: Slot) -> bool:
        """Return whether an output that was asked about is in a set."""
        return bool(needed & self._bits[slot])

    def has_node(self, needed: int, node_id: str) -> bool:
        """Return whether any output of a node that was asked about is in a set."""
        return bool(needed & self._node_bits[node_id])

    def _unite(self, sources: Iterable[Slot]) -> int:
        needed = 0
        for slot in sources:
            needed |= self._bits.get(slot, 0) | self._node_bits.get(slot[0], 0) | self._found.get(slot[0], 0)
        return needed

    def _sure_sources(self, node_id: str) -> Iterator[Slot]:
        return (
            source
            for name, source in self._sockets.links(node_id)
            if not self._sockets.is_lazy(node_id, name)
        )

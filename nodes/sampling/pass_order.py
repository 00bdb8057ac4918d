"""Which stored passes a node has already replayed in this prompt, so that one that samples N times gets N in order.

A tile sampler, a detailer or a batch loop samples again and again with equal shapes and sigmas; only the order tells
its runs apart. A count belongs to one node in one prompt, and to one item of a list: a node that ComfyUI cached or a
prompt that was interrupted leaves nothing behind, since the next prompt has another id.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import host
from ..stored.passes import StoredPass

_Node = tuple[str, int | None]
"""The node as the user drew it, and the list item that it processes."""


class PassOrder:
    """The passes that have been replayed in the running prompt, by node."""

    def __init__(self) -> None:
        self._prompt_id: str | None = None
        self._replayed: dict[_Node, list[int]] = {}

    def next_of(self, passes: Sequence[StoredPass]) -> StoredPass | None:
        """Return the first of these passes that the running node has not replayed yet.

        If it has replayed them all, that is the one replayed longest ago. None if ComfyUI does not say which node is
        running.
        """
        replayed = self._of_running_node()
        if replayed is None:
            return None
        fresh = [found for found in passes if found.index not in replayed]
        return fresh[0] if fresh else min(passes, key=lambda found: _last_position(replayed, found.index))

    def has_replayed(self, stored_pass: StoredPass) -> bool:
        """Return whether the running node has already replayed a pass."""
        return stored_pass.index in (self._of_running_node() or ())

    def add(self, stored_pass: StoredPass) -> None:
        """Note that the running node replays a pass."""
        replayed = self._of_running_node()
        if replayed is not None:
            replayed.append(stored_pass.index)

    def _of_running_node(self) -> list[int] | None:
        prompt_id, node_id = host.executing()
        if prompt_id is None or node_id is None:
            return None
        if prompt_id != self._prompt_id:
            self._prompt_id, self._replayed = prompt_id, {}
        return self._replayed.setdefault((drawn_id(node_id), host.executing_item()), [])


def drawn_id(node_id: str) -> str:
    """Return the id of a node as the user drew it: loops copy node 8 to ``9.0.0.8``, ``9.0.0.9.0.0.8`` …"""
    return node_id.rpartition(".")[2]


def _last_position(replayed: Sequence[int], index: int) -> int:
    return len(replayed) - 1 - replayed[::-1].index(index)

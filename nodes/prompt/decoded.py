"""The latents that a save's images were decoded from, found by the types of sockets alone.

From `images` upwards over IMAGE links, to the first node that takes a LATENT. A node that also returns one samples and
decodes by itself: then its own latent counts. A context, a comparison or another save hands its images on, and the
latent that it has beside them need not be theirs. What is found above a node is kept for all saves below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .budget import MAX_STEPS, OverBudgetError
from .edit import class_of, inputs_of, is_reroute
from .sockets import ANY, Slot, Sockets, as_slot


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A node that an image went through, after those before it: ways that begin alike share their beginning."""

    node_id: str
    class_type: str
    before: Passage | None

    def __deepcopy__(self, memo: dict[int, Any]) -> Passage:
        return self  # it never changes, and ComfyUI copies every prompt that is queued


@dataclass(frozen=True, slots=True)
class DecodedLink:
    """A latent that the images of a save were decoded from."""

    source: Slot
    passage: Passage | None
    """The node before the save, after all that the image went through since it was decoded."""
    keeps_items: bool
    """Whether the save's list of images has one item for each latent, in the same order."""
    is_own: bool = False
    """Whether the node that returned the image also returned this latent: it samples and decodes by itself."""

    @property
    def between(self) -> tuple[tuple[str, str], ...]:
        """Id and class of each node that the image went through afterwards, in this order."""
        return tuple(_from_save(self.passage))[::-1]


def _from_save(passage: Passage | None) -> Iterator[tuple[str, str]]:
    while passage is not None:
        yield passage.node_id, passage.class_type
        passage = passage.before


@dataclass(frozen=True, slots=True)
class _Ways:
    """Where a node has its image from: latents, or further images."""

    latents: tuple[DecodedLink, ...] = ()
    images: tuple[str, ...] = field(default=())
    """The nodes that returned them, in the order of their inputs."""


class DecodedLatents:
    """The latents behind the images of one prompt's nodes."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._found: dict[str, tuple[DecodedLink, ...]] = {}
        self._steps = 0

    def of(self, save: str) -> tuple[DecodedLink, ...]:
        """Return the latents that the images of a save were decoded from.

        Raises
        ------
        OverBudgetError
            if too many links have been looked at, for this save or those before it.
        """
        start = as_slot(inputs_of(self._sockets.prompt[save]).get("images"), self._sockets.prompt)
        return () if start is None else self._above(start[0])

    def _above(self, node_id: str) -> tuple[DecodedLink, ...]:
        stack = [node_id]
        ways: dict[str, _Ways] = {}
        while stack:
            current = stack[-1]
            if current in self._found:
                stack.pop()
            elif current in ways:
                self._found[current] = self._combine(current, ways[current])
            else:
                found = ways[current] = self._look(current)
                stack.extend(each for each in found.images if each not in ways and each not in self._found)
        return self._found[node_id]

    def _combine(self, node_id: str, ways: _Ways) -> tuple[DecodedLink, ...]:
        found = {latent.source: latent for latent in ways.latents}
        for above in reversed(ways.images):  # as in a walk that goes up the last input first
            latents = self._found.get(above, ())
            self._count(len(latents))
            for latent in latents:
                if latent.source not in found:
                    found[latent.source] = self._through(node_id, latent)
        return tuple(found.values())

    def _through(self, node_id: str, latent: DecodedLink) -> DecodedLink:
        """Return a latent as it is seen from behind one more node."""
        node = self._sockets.prompt[node_id]
        keeps_items = latent.keeps_items and not self._sockets.changes_lists(node_id)
        if is_reroute(node) or self._hands_on(node_id):
            return replace(latent, keeps_items=keeps_items)
        return replace(
            latent, passage=Passage(node_id, class_of(node), latent.passage), keeps_items=keeps_items
        )

    def _look(self, node_id: str) -> _Ways:
        sockets = self._sockets
        links = list(sockets.links(node_id))
        self._count(1 + len(links))
        kinds = {source: sockets.input_type(node_id, name, source) for name, source in links}
        hands_on = self._hands_on(node_id)
        latents = () if hands_on else self._latents_of(node_id, kinds)
        if latents:
            return _Ways(latents)
        images = [source for source, kind in kinds.items() if is_image(kind) or kind == ANY]
        if not images and hands_on:
            images = [source for source, kind in kinds.items() if "PIPE" in kind or "CONTEXT" in kind]
        return _Ways(images=tuple(source for source, _ in images))

    def _latents_of(self, node_id: str, kinds: Mapping[Slot, str]) -> tuple[DecodedLink, ...]:
        """Return the latents that a node made its image from; empty if it takes none."""
        samples = any(kind in ("MODEL", "GUIDER") or "PIPE" in kind for kind in kinds.values())
        if not samples and any(map(is_image, kinds.values())):
            return ()
        given = [source for source, kind in kinds.items() if kind == "LATENT"]
        outputs = self._sockets.output_types(node_id)
        is_own = "LATENT" in outputs and bool(given or samples)
        if is_own:
            given = [(node_id, outputs.index("LATENT"))]
        keeps_items = is_own or not self._sockets.changes_lists(node_id)
        return tuple(DecodedLink(source, None, keeps_items, is_own) for source in given)

    def _hands_on(self, node_id: str) -> bool:
        """Return whether a node is known to make nothing: a reroute, a switch, a pipe or a context."""
        node = self._sockets.graph.node(node_id)
        return node is not None and node.node_class.kind == "pass"

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise OverBudgetError(f"its images are linked by more than {MAX_STEPS} ways")


def is_image(kind: str) -> bool:
    """Return whether a socket of this type may hold an image."""
    return "IMAGE" in kind.split(",")

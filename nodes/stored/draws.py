"""What a sampler drew during one run: kept by a recording, stored in a file, played back from it.

Draws of one shape and dtype are stacked into one tensor, a part of the latent ``step_noise``; META's list of draws
says in which order they came.

Source: FORMAT.md, "capture".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import torch

from ...gen5core.container.fields import shorten
from ...gen5core.container.spec import META
from ...gen5core.errors import MalformedChunkError
from ..tensors.latents import Parts, digest

MAX_PARTS = 16
"""How many shapes and dtypes the draws of one run may have, since a file has room for a thousand chunks."""
UNKNOWN = ""
"""The function of draws in files of before 1.1, which do not name it."""


@dataclass(frozen=True, slots=True)
class DrawGroup:
    """Draws of one function that came one after the other."""

    function: str
    part: int
    """Which of the tensors holds them."""
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Every draw of a run, in order."""

    groups: tuple[DrawGroup, ...]
    parts: Parts
    """Each of shape (draws, …), in the order in which they came."""

    @classmethod
    def collect(cls, draws: Sequence[tuple[str, torch.Tensor]]) -> Draws:
        """Return draws, each a function and what it drew."""
        by_kind: dict[tuple[torch.Size, torch.dtype], list[torch.Tensor]] = {}
        for _, drawn in draws:
            by_kind.setdefault((drawn.shape, drawn.dtype), []).append(drawn)
        kinds = list(by_kind)
        each = ((function, kinds.index((drawn.shape, drawn.dtype))) for function, drawn in draws)
        groups = (DrawGroup(*call, len(list(alike))) for call, alike in groupby(each))
        return cls(tuple(groups), [torch.stack(alike) for alike in by_kind.values()])

    @property
    def count(self) -> int:
        """How many draws there were."""
        return sum(group.count for group in self.groups)

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the function and the values of each draw."""
        rows = [iter(part) for part in self.parts]
        for group in self.groups:
            for _ in range(group.count):
                yield group.function, next(rows[group.part])

    def digest(self) -> str:
        """Return SHA-256 (hex) over the values, equal if the draws are."""
        return digest(self.parts)

    def as_meta(self) -> list[dict[str, Any]]:
        """Return the order of the draws, as META has it."""
        return [asdict(group) for group in self.groups]


def parse_groups(value: Any, pass_index: int) -> tuple[DrawGroup, ...] | None:
    """Return the groups in META's list of draws; None if a file has none.

    Raises
    ------
    MalformedChunkError
    """
    if value is None:
        return None
    if isinstance(value, list) and all(map(_is_group, value)):
        return tuple(DrawGroup(entry["function"], entry["part"], entry["count"]) for entry in value)
    raise MalformedChunkError(f"capture's pass {pass_index}: draws is {shorten(value)}", chunk=META)


def _is_group(entry: Any) -> bool:
    kinds: Mapping[str, Callable[[Any], bool]] = {
        "function": lambda value: isinstance(value, str),
        "part": lambda value: type(value) is int and value >= 0,
        "count": lambda value: type(value) is int and value > 0,
    }
    return isinstance(entry, dict) and all(is_valid(entry.get(key, "")) for key, is_valid in kinds.items())


def read_draws(groups: Sequence[DrawGroup] | None, parts: Parts) -> Draws:
    """Return draws as a file holds them; without groups, the rows of the only part are all there was.

    Raises
    ------
    MalformedChunkError
        if the groups do not use up the parts.
    """
    if groups is None:
        return Draws((DrawGroup(UNKNOWN, 0, len(parts[0])),) if len(parts[0]) else (), parts)
    needed = [sum(group.count for group in groups if group.part == index) for index in range(len(parts))]
    held = [len(part) if part.ndim else -1 for part in parts]
    highest = max((group.part for group in groups), default=-1)
    if needed != held or highest >= len(parts):
        raise MalformedChunkError(
            f"capture's draws need {needed} values of the parts of step noise, which have {held}", chunk=META
        )
    return Draws(tuple(groups), parts)

"""Limits on what a page is sent of META: a file of a few kilobytes may hold a 60 MB prompt or a million entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
MAX_ROWS = 200
"""Items of each list: passes, models, tags, components."""
MAX_PROMPT = 20_000
"""Characters of a text that a person may want to read in full."""
MAX_TEXT = 2000
"""Characters of any other text."""
MAX_DEPTH = 20
"""Levels of nested lists and objects."""


def first_rows(rows: Sequence[Item]) -> Sequence[Item]:
    """Return the first ``MAX_ROWS`` rows."""
    return rows[:MAX_ROWS]


def shorten(text: str, most: int = MAX_TEXT) -> str:
    """Return text, or its first characters and the number of omitted ones."""
    return text if len(text) <= most else f"{text[:most]}… {len(text) - most} more"


@dataclass(slots=True)
class Budget:
    """How many more JSON values and characters fit, shared by everything that is shown together."""

    values: int = 5000
    characters: int = 200_000

    def take(self, value: Any, depth: int = 0) -> Any:
        """Return value, with parts that exceed the budget omitted or replaced by ``…``."""
        self.values -= 1
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, list | Mapping):
            return value
        if depth >= MAX_DEPTH:
            return "…"
        if isinstance(value, list):
            fitting = [self.take(item, depth + 1) for item in islice(value, MAX_ROWS) if self.values > 0]
            return (
                fitting if len(fitting) == len(value) else [*fitting, f"… {len(value) - len(fitting)} more"]
            )
        fitted = {
            self._text(name): self.take(item, depth + 1)
            for name, item in islice(value.items(), MAX_ROWS)
            if self.values > 0
        }
        return fitted if len(fitted) == len(value) else {**fitted, "…": f"{len(value) - len(fitted)} more"}

    def _text(self, text: str) -> str:
        short = shorten(text, max(min(MAX_TEXT, self.characters), 0))
        self.characters -= len(short)
        return short

"""As much of META as a page can show: a file of some kilobytes may hold a prompt of 60 MB, or a million entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
MAX_ROWS = 200
"""Of each list: passes, models, tags, components."""
MAX_PROMPT = 20_000
"""Characters of a text that a person may want to read whole."""
MAX_TEXT = 2000
"""Characters of any other text."""
MAX_DEPTH = 20
"""Of values within values."""


def first_rows(rows: Sequence[Item]) -> Sequence[Item]:
    """Return the rows that are listed one by one."""
    return rows[:MAX_ROWS]


def shorten(text: str, most: int = MAX_TEXT) -> str:
    """Return a text, or its beginning and how many characters more there are."""
    return text if len(text) <= most else f"{text[:most]}… {len(text) - most} more"


@dataclass(slots=True)
class Budget:
    """What is left for values of any shape, out of JSON, that are shown together."""

    values: int = 5000
    characters: int = 200_000

    def take(self, value: Any, depth: int = 0) -> Any:
        """Return a value; what is too much of it is left out, or stands as ``…``."""
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
        shown = shorten(text, max(min(MAX_TEXT, self.characters), 0))
        self.characters -= len(shown)
        return shown

"""How large a prompt may be to be looked through before it runs: the server answers no one meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .edit import inputs_of

MAX_SIZE: Final = 30_000
"""Nodes and inputs of a prompt; drawn workflows have a few hundred nodes, and this many take about 0.2 s."""
MAX_STEPS: Final = 200_000
"""Links that are looked at on the way from images to the latents that they were decoded from."""
MAX_ADDED: Final = 30_000
"""Links that may be added to a prompt."""


class OverBudgetError(Exception):
    """A prompt takes too long to be looked through; the text says what of it is too much."""


def check_size(prompt: Mapping[str, Any]) -> None:
    """Raise OverBudgetError if a prompt has too many nodes and inputs."""
    size = len(prompt)
    for node in prompt.values():
        if size > MAX_SIZE:
            break
        size += len(inputs_of(node))
    if size > MAX_SIZE:
        raise OverBudgetError(f"the prompt has more than {MAX_SIZE} nodes and inputs")

"""Environment Drift: what differs between the machine that made a file and this one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..gen5core.environment.hardware import Drift
from .stored.drift import stored_drifts
from .stored.file import StoredFile


class Gen5Environment:
    """Reports how this machine and its models differ from those that made a file."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Reports what differs from the environment in which a file was made, including models. A model of the same "
        "name with other bytes matters most."
    )
    RETURN_TYPES = ("BOOLEAN", "INT", "STRING")
    RETURN_NAMES = ("matches", "drift_count", "report")
    OUTPUT_TOOLTIPS = (
        "True if nothing differs.",
        "How many things differ.",
        "What differs, as a text table.",
    )
    FUNCTION = "check"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"gen5": ("GEN5", {"tooltip": "The stored file."})}}

    @classmethod
    def IS_CHANGED(cls, **_: Any) -> float:
        """Return NaN, so that the node always runs: the machine may change although the file does not."""
        return float("nan")

    def check(self, gen5: StoredFile) -> dict[str, Any]:
        """Return whether nothing differs, the number of differences, and a table of them."""
        with gen5.open() as file:
            drifts = stored_drifts(file)
        rows = [asdict(one) for one in drifts]
        return {"ui": {"gen5": [{"drifts": rows}]}, "result": (not drifts, len(drifts), table(drifts))}


def table(drifts: list[Drift]) -> str:
    """Return drifts as lines of text with aligned columns."""
    if not drifts:
        return "nothing differs"
    rows = [(one.component, one.kind, one.stored or "–", one.current or "–") for one in drifts]
    head = ("component", "drift", "stored", "here")
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)

"""Environment Drift: what differs between the machine that made a file and this one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..gen5core.environment.hardware import Drift
from .stored.drift import stored_drifts
from .stored.file import StoredFile


class Gen5Environment:
    """The drifts of a file, models included."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Tells what differs from the environment a file was made in, models included: the same name with other "
        "bytes is the drift that matters most."
    )
    RETURN_TYPES = ("BOOLEAN", "INT", "STRING")
    RETURN_NAMES = ("matches", "drift_count", "report")
    OUTPUT_TOOLTIPS = (
        "Whether nothing differs.",
        "How many things differ.",
        "What differs, as a table in words.",
    )
    FUNCTION = "check"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"gen5": ("GEN5", {"tooltip": "The stored file."})}}

    @classmethod
    def IS_CHANGED(cls, **_: Any) -> float:
        """The machine may change where the file does not."""
        return float("nan")

    def check(self, gen5: StoredFile) -> dict[str, Any]:
        """Return whether nothing differs, how many things do, and a table of them."""
        with gen5.open() as file:
            drifts = stored_drifts(file)
        rows = [asdict(one) for one in drifts]
        return {"ui": {"gen5": [{"drifts": rows}]}, "result": (not drifts, len(drifts), table(drifts))}


def table(drifts: list[Drift]) -> str:
    """Return drifts as lines of text, columns aligned."""
    if not drifts:
        return "nothing differs"
    rows = [(one.component, one.kind, one.stored or "–", one.current or "–") for one in drifts]
    head = ("component", "drift", "stored", "here")
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)

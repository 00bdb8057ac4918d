"""Environment Drift: what differs between the machine that made a file and this one."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Any, Protocol

from .. import gen5core
from ..gen5core.records import Drift
from . import host
from .content import StoredFile
from .resources import describe_resource

_FACTS = ("digest", "size_bytes")
"""What is compared of a model where both sides have it: a digest of an unknown kind cannot be made here."""


class MadeIn(Protocol):
    """Where a file was made, as an open file or an index of files tells it."""

    @property
    def environment(self) -> gen5core.Environment | None: ...

    @property
    def resources(self) -> list[dict[str, Any]]: ...


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


def stored_drifts(file: MadeIn, *, quick: bool = False, most: int | None = None) -> list[Drift]:
    """Return everything that differs from when the file was made, models first.

    Parameters
    ----------
    quick : read no model file whole
    most : models that are compared, the first ones; None for all
    """
    return [*model_drifts(file, quick=quick, most=most), *environment_drifts(file)]


def environment_drifts(file: MadeIn) -> list[Drift]:
    """Return what differs in components and hardware; nothing where the file has no environment."""
    stored = file.environment
    if stored is None:
        return []
    return stored.diff(
        gen5core.Environment.capture(host=host.description(), attention=host.attention_backend())
    )


def model_drifts(file: MadeIn, *, quick: bool = False, most: int | None = None) -> list[Drift]:
    """Return the models that are missing here, or bear the stored name with other bytes."""
    drifts = []
    for stored in islice(filter(_is_named, file.resources), most):
        current = describe_resource(stored, quick=quick)
        if current is None:
            continue
        name = f"{stored.get('kind', 'model')} {stored.get('name')}"
        if "size_bytes" in stored and "size_bytes" not in current:
            drifts.append(Drift(name, _facts(stored), None, "missing here"))
        elif any(stored[fact] != current[fact] for fact in _FACTS if fact in stored and fact in current):
            drifts.append(Drift(name, _facts(stored), _facts(current), "differs"))
    return drifts


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


def _is_named(resource: Any) -> bool:
    """Tell whether an entry of META, which may be of any type, names a model."""
    return isinstance(resource, dict) and isinstance(resource.get("name"), str)


def _facts(resource: dict[str, Any]) -> str:
    return " ".join(str(resource[fact]) for fact in _FACTS if fact in resource)

"""What differs between the machine that made a file and this one, models included."""

from __future__ import annotations

from itertools import islice
from typing import Any, Protocol

from ... import gen5core
from ...gen5core.environment.hardware import Drift
from .. import host
from .models import describe_resource

_FACTS = ("digest", "size_bytes")
"""What is compared of a model where both sides have it: a digest of an unknown kind cannot be made here."""


class MadeIn(Protocol):
    """Where a file was made, as an open file or an index of files tells it."""

    @property
    def environment(self) -> gen5core.Environment | None: ...

    @property
    def resources(self) -> list[dict[str, Any]]: ...


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


def _is_named(resource: Any) -> bool:
    """Tell whether an entry of META, which may be of any type, names a model."""
    return isinstance(resource, dict) and isinstance(resource.get("name"), str)


def _facts(resource: dict[str, Any]) -> str:
    return " ".join(str(resource[fact]) for fact in _FACTS if fact in resource)

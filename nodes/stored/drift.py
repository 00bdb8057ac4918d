"""What differs between the machine that made a file and this one, models included."""

from __future__ import annotations

from itertools import islice
from typing import Any, Protocol

from ... import gen5core
from ...gen5core.environment.hardware import Drift
from .. import host
from ..models.behind import OFF
from .models import describe_resource

_COMPARED_FIELDS = ("digest", "size_bytes")
"""Fields of a model that are compared if both sides have them; a digest of an unknown kind cannot be computed here."""


class DriftSource(Protocol):
    """The environment and models that a file was made with, from an open file or from the library index."""

    @property
    def environment(self) -> gen5core.Environment | None: ...

    @property
    def resources(self) -> list[dict[str, Any]]: ...


def stored_drifts(file: DriftSource, *, quick: bool = False, max_models: int | None = None) -> list[Drift]:
    """Return every difference from the machine and models that made the file, models first.

    Parameters
    ----------
    quick : do not read whole model files
    max_models : compare at most this many models, the first ones; None for all
    """
    return [*model_drifts(file, quick=quick, max_models=max_models), *environment_drifts(file)]


def environment_drifts(file: DriftSource) -> list[Drift]:
    """Return what differs in components and hardware; empty if the file has no environment."""
    stored = file.environment
    if stored is None:
        return []
    return stored.diff(
        gen5core.Environment.capture(host=host.description(), attention=host.attention_backend())
    )


def model_drifts(file: DriftSource, *, quick: bool = False, max_models: int | None = None) -> list[Drift]:
    """Return the models that are missing here, or have the stored name but other bytes."""
    drifts = []
    for stored in islice(filter(_is_named, file.resources), max_models):
        if stored.get("state") == OFF:
            continue
        current = describe_resource(stored, quick=quick)
        if current is None:
            continue
        name = f"{stored.get('kind', 'model')} {stored.get('name')}"
        if "size_bytes" in stored and "size_bytes" not in current:
            drifts.append(Drift(name, _format_fields(stored), None, "missing here"))
        elif any(
            stored[fact] != current[fact] for fact in _COMPARED_FIELDS if fact in stored and fact in current
        ):
            drifts.append(Drift(name, _format_fields(stored), _format_fields(current), "differs"))
    return drifts


def _is_named(resource: Any) -> bool:
    """Return whether an entry of META, which may be of any type, names a model."""
    return isinstance(resource, dict) and isinstance(resource.get("name"), str)


def _format_fields(resource: dict[str, Any]) -> str:
    return " ".join(str(resource[fact]) for fact in _COMPARED_FIELDS if fact in resource)

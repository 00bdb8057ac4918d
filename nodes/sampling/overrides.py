"""Tells the recorder what other wrappers changed after it: noise, seed, sigmas and torch settings.

Record Sampling may be outside Replay Sampling in the chain of wrappers. It then sees the arguments from before the
replayer changed them, while a file must hold what the sampler received.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ...gen5core.environment.components import live_settings

_current: ContextVar[Overrides | None] = ContextVar("gen5_overrides", default=None)


@dataclass(slots=True)
class Overrides:
    """The inputs of one run that inner wrappers changed; the last change of each input counts."""

    guider: Any
    """Identifies the run, since one sampler may run another inside it."""
    outer: Overrides | None
    changes: dict[str, Any] = field(default_factory=dict)


@contextmanager
def collect_overrides(guider: Any) -> Iterator[Overrides]:
    """Yield the overrides that wrappers inside this block record, wherever in the chain of models they were added."""
    overrides = Overrides(guider, _current.get())
    token = _current.set(overrides)
    try:
        yield overrides
    finally:
        _current.reset(token)


def record_override(guider: Any, **changes: Any) -> None:
    """Record the values that a run's sampler gets instead of the ones that it was called with.

    Noise is copied, since some samplers write into theirs.
    """
    overrides = _current.get()
    if overrides is not None and "noise" in changes:
        changes["noise"] = changes["noise"].clone()
    while overrides is not None:
        if overrides.guider is guider:
            overrides.changes.update(changes)
        overrides = overrides.outer


def record_torch_settings(executor: Any, guider: Any, *args: Any, **kwargs: Any) -> Any:
    """Record the torch settings that a sampler runs under; a wrapper around the sampler itself.

    By then, everything that other wrappers and ComfyUI set for the duration of the sampling is in force.

    Source: ``comfy.samplers.CFGGuider.inner_sample``, which passes itself to the sampler as the first argument.
    """
    record_override(guider, torch_settings=live_settings())
    return executor(guider, *args, **kwargs)

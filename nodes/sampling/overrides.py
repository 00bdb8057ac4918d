"""What was changed between the sampler's call and the model: noise, seed and torch settings, noted for the recorder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ...gen5core.environment.components import live_settings

_received: ContextVar[Received | None] = ContextVar("gen5_received", default=None)


@dataclass(slots=True)
class Received:
    """What reached a run's sampler in the end, noted by whoever changed it last."""

    guider: Any
    """Whose run it is: one sampler may run another within it."""
    further_out: Received | None
    changes: dict[str, Any] = field(default_factory=dict)


@contextmanager
def noting_changes(guider: Any) -> Iterator[Received]:
    """Yield a note of what wrappers further in change, wherever in the chain of models they were added."""
    received = Received(guider, _received.get())
    token = _received.set(received)
    try:
        yield received
    finally:
        _received.reset(token)


def note_change(guider: Any, **changes: Any) -> None:
    """Say what the sampler of a run gets in place of what it was given.

    Noise is noted as it is now: some samplers write into theirs.
    """
    received = _received.get()
    if received is not None and "noise" in changes:
        changes["noise"] = changes["noise"].clone()
    while received is not None:
        if received.guider is guider:
            received.changes.update(changes)
        received = received.further_out


def note_torch_settings(executor: Any, guider: Any, *args: Any, **kwargs: Any) -> Any:
    """Note the torch settings that a sampler runs under; a wrapper around the sampler itself.

    What other wrappers and ComfyUI set for the length of the sampling is in force by then.

    Source: ``comfy.samplers.CFGGuider.inner_sample``, which hands itself to the sampler first.
    """
    note_change(guider, torch_settings=live_settings())
    return executor(guider, *args, **kwargs)

"""What a sampling run is given and gives back, read and changed whatever ComfyUI's version passes around it.

A wrapper around ``CFGGuider.outer_sample`` gets an executor and that method's arguments. Later versions
append arguments, so only the first ones are named here and all are passed on.

Source: ``comfy.samplers.CFGGuider.outer_sample``, ``comfy.patcher_extension``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch

from ..gen5core.environment import live_settings

_NAMES = ("noise", "latent_image", "sampler", "sigmas", "denoise_mask", "callback", "disable_pbar", "seed")


@dataclass(slots=True)
class SamplingCall:
    """The arguments of one sampling run, by name.

    noise and latent_image are tensors as the sampler gets them (a nested latent packed), sigmas float32.
    """

    arguments: dict[str, Any]
    further: Sequence[Any] = ()
    guider: Any = None

    @classmethod
    def parse(cls, executor: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> SamplingCall:
        """Return the call that a wrapper received."""
        named = dict(zip(_NAMES, args, strict=False))
        return cls({**named, **kwargs}, tuple(args[len(_NAMES) :]), getattr(executor, "class_obj", None))

    def run(self, executor: Any) -> torch.Tensor:
        """Go on with the run."""
        in_place = list(takewhile(self.arguments.__contains__, _NAMES))
        rest = {name: value for name, value in self.arguments.items() if name not in in_place}
        output: torch.Tensor = executor(*[self.arguments[name] for name in in_place], *self.further, **rest)
        return output

    @property
    def noise(self) -> torch.Tensor:
        noise: torch.Tensor = self.arguments["noise"]
        return noise

    @property
    def latent_image(self) -> torch.Tensor:
        latent_image: torch.Tensor = self.arguments["latent_image"]
        return latent_image

    @property
    def sigmas(self) -> torch.Tensor:
        sigmas: torch.Tensor = self.arguments["sigmas"]
        return sigmas

    @property
    def shapes(self) -> list[list[int]]:
        """Shapes of the latent's parts; one for a plain latent."""
        shapes = self.arguments.get("latent_shapes")
        if shapes and len(shapes) > 1:
            return [list(shape) for shape in shapes]
        return [list(self.noise.shape)]

    @property
    def may_add_noise(self) -> bool:
        """Whether the sampler's function takes a noise sampler, as those that add noise at each step do."""
        function = getattr(self.arguments.get("sampler"), "sampler_function", None)
        try:
            return "noise_sampler" in inspect.signature(function).parameters  # type: ignore[arg-type]
        except (TypeError, ValueError):  # no function, or one that does not tell
            return False

    @property
    def reseeds_globally(self) -> bool:
        """Whether the sampler seeds torch's global generator with the run's own seed, as ddim does for a mask."""
        options = getattr(self.arguments.get("sampler"), "inpaint_options", None)
        return bool(isinstance(options, dict) and options.get("random"))

    @property
    def sampler_name(self) -> str | None:
        """Name of the sampler as KSampler lists it, where its function tells."""
        sampler = self.arguments.get("sampler")
        function = getattr(sampler, "sampler_function", None)
        name = getattr(function, "__name__", None)
        plain = name.removeprefix("sample_") if isinstance(name, str) else None
        return "ddim" if plain == "euler" and self.reseeds_globally else plain


@dataclass(slots=True)
class Received:
    """What reached a run's sampler in the end, noted by whoever changed it last."""

    guider: Any
    """Whose run it is: one sampler may run another within it."""
    further_out: Received | None
    changes: dict[str, Any] = field(default_factory=dict)


_received: ContextVar[Received | None] = ContextVar("gen5_received", default=None)


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

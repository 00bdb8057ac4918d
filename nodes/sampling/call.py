"""The arguments and result of a sampling run, read and changed in the same way for every ComfyUI version.

A wrapper around ``CFGGuider.outer_sample`` gets an executor and that method's arguments. Later versions
append arguments, so only the first ones are named here, and all of them are passed on.

Source: ``comfy.samplers.CFGGuider.outer_sample``, ``comfy.patcher_extension``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

from ...gen5core.errors import EncodeError
from .. import host
from ..tensors.odd import keep

_NAMES = ("noise", "latent_image", "sampler", "sigmas", "denoise_mask", "callback", "disable_pbar", "seed")


@dataclass(slots=True)
class SamplingCall:
    """The arguments of one sampling run, by name.

    noise and latent_image are tensors as the sampler gets them (a nested latent is packed); sigmas are float32.
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
        """Call the executor with these arguments and return its result."""
        positional = list(takewhile(self.arguments.__contains__, _NAMES))
        rest = {name: value for name, value in self.arguments.items() if name not in positional}
        output: torch.Tensor = executor(*[self.arguments[name] for name in positional], *self.further, **rest)
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
        """Shapes of the latent's parts; a plain latent has one part."""
        shapes = self.arguments.get("latent_shapes")
        if shapes and len(shapes) > 1:
            return [list(shape) for shape in shapes]
        return [list(self.noise.shape)]

    @property
    def reseeds_globally(self) -> bool:
        """Whether the sampler seeds torch's global generator with the run's seed, as ddim does for a mask."""
        options = getattr(self.arguments.get("sampler"), "inpaint_options", None)
        return bool(isinstance(options, dict) and options.get("random"))

    @property
    def sampler_name(self) -> str | None:
        """Name of the sampler as KSampler lists it; None if its function has no name."""
        sampler = self.arguments.get("sampler")
        function = getattr(sampler, "sampler_function", None)
        name = getattr(function, "__name__", None)
        plain = name.removeprefix("sample_") if isinstance(name, str) else None
        if plain is not None and host.core_sampler(plain) not in (None, function):
            return None  # a pack's function that only has the name of ComfyUI's
        # KSampler runs ddim as euler with options of its own, so the function alone does not identify it.
        return "ddim" if plain == "euler" and self.reseeds_globally else plain


def float32_sigmas(sigmas: torch.Tensor) -> tuple[float, ...]:
    """Return sigmas as float32 values, or float64 if that is what they are; JSON keeps both exactly.

    Empty if they are no tensor of real numbers.
    """
    with suppress(EncodeError):
        plain = keep(sigmas).cpu().reshape(-1)
        return () if plain.is_complex() else _real_numbers(plain)
    return ()


def _real_numbers(plain: torch.Tensor) -> tuple[float, ...]:
    return tuple((plain if plain.dtype == torch.float64 else plain.float()).tolist())

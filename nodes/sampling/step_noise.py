"""Noise that samplers add at each step: noted while they draw it, or handed to them in place of it.

Every sampler of ComfyUI's core draws through two factories of ``comfy.k_diffusion.sampling``. For the length
of one run they are stood in for by ones that note, or play back, what they return; they are put back on
every exit.

Source: ``comfy.k_diffusion.sampling.default_noise_sampler``, ``BrownianTreeNoiseSampler``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal

import torch

from ...gen5core.errors import EncodeError
from .. import host

logger = logging.getLogger(__name__)
AUTO_BYTES = 64 * 2**20
"""What is noted of one run unless always is asked for."""
NoiseSampler = Callable[..., torch.Tensor]
Factory = Callable[..., NoiseSampler]
StepNoise = Literal["auto", "never", "always"]


class StepRecorder:
    """Notes every draw of a run.

    Parameters
    ----------
    mode : ``auto`` up to 64 MiB a run, ``never``, ``always``; what is left out leaves a ``reason``
    """

    def __init__(self, mode: StepNoise) -> None:
        self._most_bytes = AUTO_BYTES if mode == "auto" else None
        self._mode = mode
        self._draws: list[torch.Tensor] = []
        self._size_bytes = 0
        self.count = 0
        self.reason: str | None = None

    def sampler(self, factory: Factory, x: torch.Tensor, *args: Any, **kwargs: Any) -> NoiseSampler:
        """Return what factory makes, its draws noted."""
        drawing = factory(x, *args, **kwargs)

        def draw(*sigmas: Any, **options: Any) -> torch.Tensor:
            drawn = drawing(*sigmas, **options)
            self._note(drawn)
            return drawn

        return draw

    def stacked(self) -> torch.Tensor | None:
        """Return the draws in order along a new first axis; None where there are none, or they were left out."""
        if self.reason is not None or not self._draws:
            return None
        return torch.stack(self._draws)

    def note_own_means(self) -> None:
        """Say that torch's global generators moved on, where no factory drew: such noise cannot be noted."""
        if self.count == 0:
            self.reason = "the sampler drew noise by its own means, which cannot be recorded"

    def _note(self, drawn: torch.Tensor) -> None:
        self.count += 1
        if self._mode == "never":
            self.reason = "step_noise of Record Sampling is never"
        if self.reason is not None:
            return
        if self._draws and drawn.shape != self._draws[0].shape:
            self._leave_out(
                f"draw {self.count} has shape {list(drawn.shape)}, the first {list(self._draws[0].shape)}"
            )
            return
        self._size_bytes += drawn.nbytes
        if self._most_bytes is not None and self._size_bytes > self._most_bytes:
            self._leave_out(
                f"it takes more than {self._most_bytes >> 20} MiB; set step_noise to always to keep it"
            )
            return
        self._draws.append(drawn.detach().to("cpu", copy=True))

    def _leave_out(self, reason: str) -> None:
        self.reason = reason
        self._draws.clear()


class StepPlayer:
    """Hands a run the stored draws, one after the other.

    Parameters
    ----------
    draws : shape (calls, …) as ``StepRecorder.stacked`` made it
    """

    def __init__(self, draws: torch.Tensor, file_name: str) -> None:
        self._draws, self._file_name, self.taken = draws, file_name, 0

    def sampler(self, factory: Factory, x: torch.Tensor, *args: Any, **kwargs: Any) -> NoiseSampler:
        """Return a sampler that plays back instead of drawing, on the device and in the dtype of x."""

        def play(*sigmas: Any, **options: Any) -> torch.Tensor:
            return self._take(x)

        return play

    def check_used_up(self) -> None:
        """Raise EncodeError if the run drew fewer times than the stored one."""
        if self.taken < len(self._draws):
            raise EncodeError(
                f"{self._file_name} holds {len(self._draws)} draws of step noise, this sampler took {self.taken}: "
                "use the stored sampler and its settings, or turn step_noise off in Replay Sampling"
            )

    def _take(self, like: torch.Tensor) -> torch.Tensor:
        number, self.taken = self.taken, self.taken + 1
        if number >= len(self._draws):
            raise EncodeError(
                f"{self._file_name} holds {len(self._draws)} draws of step noise, this sampler asks for draw "
                f"{number + 1}: use the stored sampler and its settings, or turn step_noise off in Replay Sampling"
            )
        drawn = self._draws[number]
        if drawn.shape != like.shape:
            raise EncodeError(
                f"draw {number + 1} of step noise in {self._file_name} has shape {list(drawn.shape)}, the sampler "
                f"works on {list(like.shape)}: use the stored size and batch"
            )
        return drawn.to(device=like.device, dtype=like.dtype, copy=True)  # samplers may write into it


_standing_in: ContextVar[tuple[StepRecorder | StepPlayer, ...]] = ContextVar("gen5_step_noise", default=())
"""What draws go through in this thread, the outermost run's first."""


@contextmanager
def standing_in(stand_in: StepRecorder | StepPlayer | None) -> Iterator[bool]:
    """Let the samplers' noise factories go through stand_in for a block; None changes nothing.

    Yields
    ------
    whether every factory is there; those that this ComfyUI lacks are told once in the log
    """
    factories = _factories()
    if stand_in is None or factories is None:
        yield True
        return
    token = _standing_in.set((*_standing_in.get(), stand_in))
    try:
        with _patch.applied(factories) as is_complete:
            yield is_complete
    finally:
        _standing_in.reset(token)


class _Patch:
    """The factories replaced by ones that ask what stands in, as long as any run, in any thread, needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._replaced: dict[str, tuple[Factory, Factory]] = {}
        self._told: set[str] = set()

    @contextmanager
    def applied(self, factories: Any) -> Iterator[bool]:
        """Replace the factories for a block; yield whether all were there."""
        with self._lock:
            if self._users == 0:
                self._replace(factories)
            self._users += 1
            is_complete = len(self._replaced) == len(host.NOISE_FACTORIES)
        try:
            yield is_complete
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self.restore(factories)

    def _replace(self, factories: Any) -> None:
        originals = {name: getattr(factories, name, None) for name in host.NOISE_FACTORIES}
        self._tell_missing({name for name, original in originals.items() if original is None})
        try:
            for name, original in originals.items():
                if original is not None:
                    self._replaced[name] = original, partial(_dispatch, original)
                    setattr(factories, name, self._replaced[name][1])
        except BaseException:
            self.restore(factories)
            raise

    def restore(self, factories: Any) -> None:
        for name, (original, ours) in self._replaced.items():
            if getattr(factories, name, None) is ours:  # another pack's own replacement is left alone
                setattr(factories, name, original)
        self._replaced.clear()

    def _tell_missing(self, names: set[str]) -> None:
        for name in sorted(names - self._told):
            logger.warning(
                "this ComfyUI has no comfy.k_diffusion.sampling.%s: noise that samplers draw through it is "
                "neither recorded nor replayed; please report this with ComfyUI's version",
                name,
            )
        self._told |= names


_patch = _Patch()


def _dispatch(original: Factory, x: torch.Tensor, *args: Any, **kwargs: Any) -> NoiseSampler:
    """Make a noise sampler through whatever stands in for this thread's runs; as the original where nothing does."""
    factory = original
    for stand_in in _standing_in.get():
        factory = partial(stand_in.sampler, factory)
    return factory(x, *args, **kwargs)


def _factories() -> Any | None:
    """Return the module of the factories, an empty one where ComfyUI no longer has it; None without ComfyUI."""
    try:
        return host.noise_factories()
    except ImportError:
        return SimpleNamespace()


class GlobalDraws:
    """Tells whether something drew from torch's global generators during a block, as no factory does."""

    def __init__(self) -> None:
        self._before = self._states()

    def happened(self) -> bool:
        """Tell whether a global generator has moved on; one that was not there before is not asked."""
        now = self._states()[: len(self._before)]
        return any(not torch.equal(one, other) for one, other in zip(self._before, now, strict=True))

    @staticmethod
    def _states() -> list[torch.Tensor]:
        states = [torch.get_rng_state()]
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            states.append(torch.cuda.get_rng_state())
        return states

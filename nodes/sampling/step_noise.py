"""Records or plays back the noise that samplers add at each step.

Every sampler of ComfyUI's core draws this noise through two factories in ``comfy.k_diffusion.sampling``. For the
duration of a run they are replaced with factories that record or play back draws; they are restored on every exit.

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
AUTO_MAX_BYTES = 64 * 2**20
"""How much step noise of one run is recorded in mode auto."""
NEVER = "step_noise of Record Sampling is never"
"""Why the step noise of a run was left out in mode never."""
NoiseSampler = Callable[..., torch.Tensor]
Factory = Callable[..., NoiseSampler]
StepNoise = Literal["auto", "never", "always"]


class StepRecorder:
    """Records every draw of a run.

    Parameters
    ----------
    mode : ``auto`` records up to 64 MiB per run, ``never`` nothing, ``always`` everything; if draws are left
        out, ``reason`` says why
    """

    def __init__(self, mode: StepNoise) -> None:
        self._mode = mode
        self._draws: list[torch.Tensor] = []
        self._size_bytes = 0
        self.count = 0
        self.reason: str | None = None

    def sampler(self, factory: Factory, x: torch.Tensor, *args: Any, **kwargs: Any) -> NoiseSampler:
        """Return a noise sampler made by factory whose draws are recorded."""
        drawing = factory(x, *args, **kwargs)

        def draw(*sigmas: Any, **options: Any) -> torch.Tensor:
            drawn = drawing(*sigmas, **options)
            self._record(drawn)
            return drawn

        return draw

    def widen(self, mode: StepNoise) -> None:
        """Record at least as much as in another mode; before the first draw."""
        order: tuple[StepNoise, ...] = ("never", "auto", "always")
        self._mode = max(self._mode, mode, key=order.index)

    def stack_draws(self) -> torch.Tensor | None:
        """Return the draws in order along a new first axis; None if there are none or they were left out."""
        if self.reason is not None or not self._draws:
            return None
        return torch.stack(self._draws)

    def mark_own_noise(self) -> None:
        """Set the reason that the sampler drew noise without a factory, unless a factory has drawn too."""
        if self.count == 0:
            self.reason = "the sampler drew noise by its own means, which cannot be recorded"

    def _record(self, drawn: torch.Tensor) -> None:
        self.count += 1
        if self._mode == "never":
            self.reason = NEVER
        if self.reason is not None:
            return
        if self._draws and drawn.shape != self._draws[0].shape:
            self._discard(
                f"draw {self.count} has shape {list(drawn.shape)}, the first {list(self._draws[0].shape)}"
            )
            return
        self._size_bytes += drawn.nbytes
        if self._mode == "auto" and self._size_bytes > AUTO_MAX_BYTES:
            self._discard(
                f"it takes more than {AUTO_MAX_BYTES >> 20} MiB; set step_noise to always to keep it"
            )
            return
        self._draws.append(drawn.detach().to("cpu", copy=True))

    def _discard(self, reason: str) -> None:
        self.reason = reason
        self._draws.clear()


class StepPlayer:
    """Gives a run the stored draws, one after the other.

    Parameters
    ----------
    draws : shape (calls, …) as ``StepRecorder.stack_draws`` made it
    """

    def __init__(self, draws: torch.Tensor, file_name: str) -> None:
        self._draws, self._file_name, self.played = draws, file_name, 0

    def sampler(self, factory: Factory, x: torch.Tensor, *args: Any, **kwargs: Any) -> NoiseSampler:
        """Return a noise sampler that plays back draws on the device and in the dtype of x."""

        def play(*sigmas: Any, **options: Any) -> torch.Tensor:
            return self._next_draw(x)

        return play

    def check_all_played(self) -> None:
        """Raise EncodeError if the run drew fewer times than the stored one."""
        if self.played < len(self._draws):
            raise EncodeError(
                f"{self._file_name} holds {len(self._draws)} draws of step noise, but this sampler used {self.played}: "
                "use the stored sampler and its settings, or turn step_noise off in Replay Sampling"
            )

    def _next_draw(self, like: torch.Tensor) -> torch.Tensor:
        number, self.played = self.played, self.played + 1
        if number >= len(self._draws):
            raise EncodeError(
                f"{self._file_name} holds {len(self._draws)} draws of step noise, but this sampler requests draw "
                f"{number + 1}: use the stored sampler and its settings, or turn step_noise off in Replay Sampling"
            )
        drawn = self._draws[number]
        if drawn.shape != like.shape:
            raise EncodeError(
                f"draw {number + 1} of step noise in {self._file_name} has shape {list(drawn.shape)}, but the "
                f"sampler works on {list(like.shape)}: use the stored size and batch"
            )
        return drawn.to(device=like.device, dtype=like.dtype, copy=True)  # samplers may write into it


_interceptors: ContextVar[tuple[StepRecorder | StepPlayer, ...]] = ContextVar("gen5_step_noise", default=())
"""The recorders and players of this thread's runs, outermost first."""


@contextmanager
def intercept_noise(interceptor: StepRecorder | StepPlayer | None) -> Iterator[bool]:
    """Route the samplers' noise factories through interceptor inside a block; None changes nothing.

    Yields
    ------
    whether every factory exists; the log names those that this ComfyUI lacks, once
    """
    factories = _factories()
    if interceptor is None or factories is None:
        yield True
        return
    token = _interceptors.set((*_interceptors.get(), interceptor))
    try:
        with _patch.applied(factories) as is_complete:
            yield is_complete
    finally:
        _interceptors.reset(token)


class _Patch:
    """Replaces the factories for as long as any run in any thread needs it.

    The module is shared by all threads, so users are counted, and ``_dispatch`` picks the interceptors of its thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._replaced: dict[str, tuple[Factory, Factory]] = {}
        self._reported: set[str] = set()

    @contextmanager
    def applied(self, factories: Any) -> Iterator[bool]:
        """Replace the factories inside a block; yield whether all of them exist."""
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
        self._warn_missing({name for name, original in originals.items() if original is None})
        try:
            for name, original in originals.items():
                if original is not None:
                    self._replaced[name] = original, partial(_dispatch, original)
                    setattr(factories, name, self._replaced[name][1])
        except BaseException:  # also KeyboardInterrupt: a half-replaced module would outlive the run
            self.restore(factories)
            raise

    def restore(self, factories: Any) -> None:
        """Put the original factories back."""
        for name, (original, ours) in self._replaced.items():
            if getattr(factories, name, None) is ours:  # leave another pack's replacement alone
                setattr(factories, name, original)
        self._replaced.clear()

    def _warn_missing(self, names: set[str]) -> None:
        for name in sorted(names - self._reported):
            logger.warning(
                "this ComfyUI has no comfy.k_diffusion.sampling.%s: noise that samplers draw through it is "
                "neither recorded nor replayed; please report this with the version of ComfyUI",
                name,
            )
        self._reported |= names


_patch = _Patch()


def _dispatch(original: Factory, x: torch.Tensor, *args: Any, **kwargs: Any) -> NoiseSampler:
    """Make a noise sampler through this thread's interceptors; without any, as the original does."""
    factory = original
    for interceptor in _interceptors.get():
        factory = partial(interceptor.sampler, factory)
    return factory(x, *args, **kwargs)


def _factories() -> Any | None:
    """Return the module of the factories, an empty one if this ComfyUI lacks it; None without ComfyUI."""
    try:
        return host.noise_factories()
    except ImportError:
        return SimpleNamespace()


class GlobalDraws:
    """Detects draws from torch's global generators since its creation.

    Draws through the factories do not count, since the factories have generators of their own.
    """

    def __init__(self) -> None:
        self._before = self._states()

    def happened(self) -> bool:
        """Return whether the state of a global generator has changed; one created since then is ignored."""
        now = self._states()[: len(self._before)]
        return any(not torch.equal(one, other) for one, other in zip(self._before, now, strict=True))

    @staticmethod
    def _states() -> list[torch.Tensor]:
        states = [torch.get_rng_state()]
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            states.append(torch.cuda.get_rng_state())
        return states

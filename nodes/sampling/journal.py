"""Sees every random call of a sampler, by whatever generator, without replacing any function of torch or ComfyUI.

A ``TorchFunctionMode`` sees the torch calls of its thread. It is taken off the stack while the model computes: models
draw nothing, their thousands of calls stay free, and compiled models are guarded against other modes. The same goes for
how ComfyUI puts the parts of a batch together before and after, if no code of a pack runs in between.

A Brownian tree draws hundreds of pieces for each value that a sampler gets. So the values count as the draws, and the
pieces are not seen. For this ``__init__`` and ``__call__`` of two classes are wrapped as long as a journal is open; a
wrapper passes everything through, and looks like what it wraps.

Source: ``torch.overrides.TorchFunctionMode``; ``comfy.k_diffusion.sampling.BrownianTreeNoiseSampler``;
``torchsde.BrownianInterval``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from .. import host
from .random_calls import ARRAYS, CALLS, takes_noise

Method = Callable[..., Any]


class Journal:
    """Sees the draws of one run; the methods here change nothing."""

    def begin(self) -> None:
        """Prepare for a draw, or another change of a global generator's state, that is about to happen."""

    def settle(self) -> None:
        """Take the global generators' states for explained."""

    def substitute(self, function: str, drawn: torch.Tensor) -> torch.Tensor:
        """Return what the sampler gets: drawn itself, or other values on any device and in any dtype."""
        return drawn

    def note(self, function: str, drawn: torch.Tensor) -> None:
        """Take note of what the sampler gets."""


@contextmanager
def journaling(journal: Journal) -> Iterator[None]:
    """Show journal every draw of this thread inside a block, beside the journals of outer blocks.

    Outer journals substitute first, so that the innermost has the last word; all note what the sampler gets.
    """
    outer = _thread.active
    mode = _JournalMode() if outer is None else outer.mode
    journals = (journal,) if outer is None else (*outer.journals, journal)
    with _brownian.wrapped():
        if outer is None:
            _push(mode)
        _thread.active = _Active(mode, journals)
        try:
            yield
        finally:
            _thread.active = outer
            if outer is None:
                _remove(mode)


@contextmanager
def resting() -> Iterator[None]:
    """Show this thread's journals nothing of what happens inside a block."""
    active, _thread.active = _thread.active, None
    is_off = active is not None and _top() is active.mode and _pop() is active.mode
    try:
        yield
    finally:
        if active is not None and is_off:
            _push(active.mode)
        _thread.active = active


@contextmanager
def changing_generators() -> Iterator[None]:
    """Tell this thread's journals that a block changes states of global generators without drawing."""
    active = _thread.active
    journals = () if active is None else active.journals
    for journal in journals:
        journal.begin()
    yield
    for journal in journals:
        journal.settle()


def rest_while_computing(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Let the journals rest while a model computes; a wrapper around the model, inside those of packs, which may draw.

    Source: ``comfy.model_base.BaseModel.apply_model``.
    """
    if any(inner is not rest_while_computing for inner in host.inner_wrappers(executor)):
        executor.wrappers.append(rest_while_computing)  # a list of this call alone
        return executor(*args, **kwargs)
    with resting():
        return executor(*args, **kwargs)


def rest_while_batching(
    executor: Any, model: Any, conds: Any, x: torch.Tensor, timestep: torch.Tensor, options: Mapping[str, Any]
) -> Any:
    """Let the journals rest from the conditioning to the model's result; a wrapper around both.

    These are most of the torch calls of a step. Where a pack has code of its own in there, the journals watch.

    Source: ``comfy.samplers._calc_cond_batch``.
    """
    if host.inner_wrappers(executor) or not _is_plain(conds, options):
        return executor(model, conds, x, timestep, options)
    with resting():
        return executor(model, conds, x, timestep, options)


def _is_plain(conds: Any, options: Mapping[str, Any]) -> bool:
    """Return whether no code of a pack runs between the conditioning and the model, as far as options say."""
    return (
        "model_function_wrapper" not in options
        and all(wrapper is rest_while_computing for wrapper in host.model_wrappers(options))
        and not any("control" in cond for part in conds for cond in part or ())
    )


@dataclass(frozen=True, slots=True)
class _Active:
    """The mode on this thread's stack, and the journals that it serves, outermost first."""

    mode: _JournalMode
    journals: Sequence[Journal]


class _Thread(threading.local):
    active: _Active | None = None


_thread = _Thread()


class _JournalMode(TorchFunctionMode):
    """Shows random calls to the journals; any other call costs one look into a table."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        is_draw = func in CALLS
        if not is_draw and func not in ARRAYS:
            return func(*args, **(kwargs or {}))
        if (
            torch.compiler.is_compiling()
        ):  # frames cannot be traced: that would fail where fullgraph is asked for
            return func(*args, **(kwargs or {}))
        if not is_draw:
            return (
                self._bring_in(func, args, kwargs or {})
                if takes_noise(args)
                else func(*args, **(kwargs or {}))
            )
        if not (journals := self._journals(sys._getframe(1))):
            return func(*args, **(kwargs or {}))
        for journal in journals:
            journal.begin()
        drawn = func(*args, **(kwargs or {}))
        # Stored values go into this very tensor: it has the device, dtype and strides that the sampler asked for.
        return _show(journals, CALLS[func], drawn, into=lambda: drawn)

    def _bring_in(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Show an array that becomes a tensor as a draw; other values go into a tensor of their own."""
        brought = func(*args, **kwargs)
        journals = self._journals(sys._getframe(2))
        if not journals:
            return brought
        for journal in journals:
            journal.begin()
        return _show_copy(journals, ARRAYS[func], brought)

    def _journals(self, caller: FrameType) -> Sequence[Journal]:
        """Return the journals that see a draw of caller; none for the rounding of weights, which is no noise."""
        active = _thread.active
        if active is None or active.mode is not self or host.rounds_weights(caller.f_globals):
            return ()
        return active.journals


def _show(
    journals: Sequence[Journal], function: str, drawn: torch.Tensor, into: Callable[[], torch.Tensor]
) -> torch.Tensor:
    """Return what the sampler gets, after every journal has noted it: drawn, or other values in a tensor like it."""
    value = drawn
    for journal in journals:
        value = journal.substitute(function, value)
    given = drawn if value is drawn else _copy(into(), value)
    for journal in journals:
        journal.note(function, given)
    return given


def _copy(target: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():  # the target may be a leaf that requires a gradient
        return target.copy_(values)


class _WrappedClasses:
    """Wraps the methods of Brownian noise samplers for as long as any journal in any thread is open.

    The classes are shared by all threads, so users are counted, and a wrapper asks for the journals of its thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._wrapped: list[tuple[Any, str, Method, Method]] = []

    @contextmanager
    def wrapped(self) -> Iterator[None]:
        """Wrap the classes inside a block."""
        with self._lock:
            if self._users == 0:
                self._wrap()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._restore()

    def _wrap(self) -> None:
        try:
            for found in host.brownian_classes():
                self._replace(found, "__call__", partial(_shown, found.__name__))
                self._replace(found, "__init__", _hidden)
        except BaseException:  # also KeyboardInterrupt: a wrapper would outlive the run
            self._restore()
            raise

    def _replace(self, found: Any, name: str, wrap: Callable[[Method], Method]) -> None:
        if (original := vars(found).get(name)) is not None:
            ours = wraps(original)(wrap(original))
            self._wrapped.append((found, name, original, ours))
            setattr(found, name, ours)

    def _restore(self) -> None:
        for found, name, original, ours in self._wrapped:
            if vars(found).get(name) is ours:  # leave another pack's replacement alone
                setattr(found, name, original)
        self._wrapped.clear()


_brownian = _WrappedClasses()


def _hidden(original: Method) -> Method:
    """Return a method that does what original does, and shows its draws to no journal: they only seed a tree."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with changing_generators(), resting():
            return original(self, *args, **kwargs)

    return method


def _shown(name: str, original: Method) -> Method:
    """Return a method that does what original does, and shows what it returns to the journals of its thread."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        active = _thread.active
        if active is None:
            return original(self, *args, **kwargs)
        for journal in active.journals:
            journal.begin()
        with resting():
            drawn = original(self, *args, **kwargs)
        if isinstance(drawn, tuple):  # torchsde returns several tensors on request
            return tuple(_show_copy(active.journals, name, part) for part in drawn)
        return _show_copy(active.journals, name, drawn)

    return method


def _show_copy(journals: Sequence[Journal], function: str, drawn: torch.Tensor) -> torch.Tensor:
    """Return what the sampler gets; other values in a tensor of their own, since drawn may belong to the tree."""
    return _show(journals, function, drawn, into=lambda: torch.empty_like(drawn))


def _top() -> Any:
    """Return the mode on top of this thread's stack; None if it is empty."""
    depth = torch._C._len_torch_function_stack()
    return torch._C._get_function_stack_at(depth - 1) if depth else None


def _pop() -> Any:
    return torch._C._pop_torch_function_stack()


def _push(mode: Any) -> None:
    torch._C._push_on_torch_function_stack(mode)


def _remove(mode: _JournalMode) -> None:
    """Take mode off the stack, and leave modes that someone has left above it."""
    above = []
    while (top := _top()) is not None and top is not mode:
        above.append(_pop())
    if top is mode:
        _pop()
    for left in reversed(above):
        _push(left)

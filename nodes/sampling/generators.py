"""The states of the process's random generators: torch's on the CPU and the GPU, numpy's and Python's.

They are kept from the start of a run if it moved them, and put back for the length of a replay. So a sampler draws the
same values again where its draws are not stored, or could not be seen; on a GPU, only on the same kind.
"""

from __future__ import annotations

import base64
import binascii
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .journal import changing_generators

_MERSENNE = struct.Struct("<624Iiid")
"""Key, position, whether there is a second normal value in store, and that value: numpy's and Python's generators."""
_AFTER_KEY = struct.Struct("<iid")
"""What follows the key. Packing every word of the key takes ten times as long as copying it."""
_MAX_BYTES = 2**16
"""More than any generator's state, and little enough to inflate unseen."""


@dataclass(frozen=True, slots=True)
class Generator:
    """How to get and set the state of one global generator, as bytes."""

    get: Callable[[], bytes]
    set: Callable[[bytes], object]
    is_fresh: Callable[[bytes], bool]
    """Whether a state is that of a generator that was seeded, and has not drawn since."""


def _as_bytes(state: torch.Tensor) -> bytes:
    return state.numpy().tobytes()


def _as_state(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _seeded(device: str, seed: int) -> bytes:
    return _as_bytes(torch.Generator(device).manual_seed(seed).get_state())


def _numpy_state() -> bytes:
    _, key, *rest = np.random.get_state(legacy=True)
    return np.asarray(key, "<u4").tobytes() + _AFTER_KEY.pack(*rest)


def _set_numpy_state(data: bytes) -> None:
    *key, position, has_second, second = _MERSENNE.unpack(data)
    np.random.set_state(("MT19937", np.array(key, np.uint32), position, has_second, second))


def _python_state() -> bytes:
    _, key_and_position, second = random.getstate()
    words = np.array(key_and_position, "<u4").tobytes()  # the position is one more of them
    return words + _AFTER_KEY.pack(0, second is not None, second or 0.0)[4:]


def _set_python_state(data: bytes) -> None:
    *key, position, has_second, second = _MERSENNE.unpack(data)
    random.setstate((3, (*key, position), second if has_second else None))


def _is_fresh_mersenne(data: bytes) -> bool:
    position, has_second, _ = _AFTER_KEY.unpack(data[-_AFTER_KEY.size :])
    return bool(position == 624 and not has_second)


_GENERATORS: Mapping[str, Generator] = {
    "torch": Generator(
        lambda: _as_bytes(torch.get_rng_state()),
        lambda data: torch.set_rng_state(_as_state(data)),
        lambda data: data == _seeded("cpu", torch.initial_seed()),
    ),
    "cuda": Generator(
        lambda: _as_bytes(torch.cuda.get_rng_state()),
        lambda data: torch.cuda.set_rng_state(_as_state(data)),
        lambda data: data == _seeded("cuda", torch.cuda.initial_seed()),
    ),
    "numpy": Generator(_numpy_state, _set_numpy_state, _is_fresh_mersenne),
    "python": Generator(_python_state, _set_python_state, _is_fresh_mersenne),
}
_OF_TORCH = ("torch", "cuda")


def _names() -> list[str]:
    """Return the generators that can be read now; CUDA's only once something else has initialised it."""
    has_cuda = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return [
        name
        for name in _GENERATORS
        if (name != "cuda" or has_cuda)
        and (name != "numpy" or np.random.get_state(legacy=False)["bit_generator"] == "MT19937")
    ]


class GeneratorWatch:
    """Notices draws from global generators that no journal saw, from its creation on.

    A state that is neither the one that the last draw left nor that of a generator just seeded shows such a draw;
    unless it is put back afterwards, as samplers do that draw from torch's generator in the state of another one.
    """

    def __init__(self) -> None:
        self._start = {name: _GENERATORS[name].get() for name in _names()}
        self._expected = dict(self._start)
        self._known = {(name, hash(state)) for name, state in self._start.items()}
        self._unexplained = dict.fromkeys(self._start, 0)

    @property
    def unseen(self) -> list[str]:
        """The generators from which something was drawn without being seen."""
        return [name for name, count in self._unexplained.items() if count > 0]

    def begin_draw(self) -> None:
        """Notice what happened up to a draw that the journal sees."""
        self._look(_OF_TORCH)

    def end_draw(self) -> None:
        """Take the state after a draw that the journal saw as the one to expect."""
        for name in self._watched(_OF_TORCH):
            self._expect(name, _GENERATORS[name].get())

    def finish(self) -> None:
        """Notice what happened up to the end of the run."""
        self._look(tuple(_GENERATORS))

    def needed(self, draws_are_kept: bool) -> dict[str, bytes]:
        """Return the states at the start of those generators that the run has moved, once it is finished.

        Where its draws are not kept, torch's are needed in any case: some samplers seed generators of their own from
        torch's seed, which is a part of its state.
        """
        return {
            name: state
            for name, state in self._start.items()
            if self._expected[name] != state or (name in _OF_TORCH and not draws_are_kept)
        }

    def _look(self, names: tuple[str, ...]) -> None:
        for name in self._watched(names):
            state = _GENERATORS[name].get()
            if state == self._expected[name]:
                continue
            if (name, hash(state)) in self._known:
                self._unexplained[name] -= 1
            elif not _GENERATORS[name].is_fresh(state):
                self._unexplained[name] += 1
            self._expect(name, state)

    def _expect(self, name: str, state: bytes) -> None:
        self._expected[name] = state
        self._known.add((name, hash(state)))

    def _watched(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if name in self._start]


@contextmanager
def generators_set(states: Mapping[str, bytes]) -> Iterator[list[str]]:
    """Put generators into stored states inside a block, and afterwards back into those that they had before.

    Yields
    ------
    the names of those that this machine lacks, or that refuse their state
    """
    before = {name: _GENERATORS[name].get() for name in _names() if name in states}
    missing = sorted(states.keys() - before.keys())
    try:
        with changing_generators():
            missing += [name for name in before if not _is_set(name, states[name])]
        yield missing
    finally:
        with changing_generators():
            for name, state in before.items():
                _GENERATORS[name].set(state)


def _is_set(name: str, state: bytes) -> bool:
    """Put a generator into a state; return whether it accepts it."""
    try:
        _GENERATORS[name].set(state)
    except (RuntimeError, TypeError, ValueError, struct.error):  # another version's, or damaged
        return False
    return True


def encode_states(states: Mapping[str, bytes]) -> dict[str, str]:
    """Return states as META holds them: zlib, then base64."""
    return {name: base64.b64encode(zlib.compress(state)).decode() for name, state in states.items()}


def decode_states(texts: Mapping[str, Any]) -> dict[str, bytes]:
    """Return states from META, without those that cannot be read."""
    return {name: state for name, text in texts.items() if (state := _decode(text)) is not None}


def _decode(text: str) -> bytes | None:
    inflating = zlib.decompressobj()
    try:
        return inflating.decompress(base64.b64decode(text, validate=True), _MAX_BYTES)
    except (zlib.error, binascii.Error, ValueError):
        return None

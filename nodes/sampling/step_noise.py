"""Records what a sampler draws during a run, or gives it the draws of a stored one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch

from ...gen5core.errors import EncodeError
from ...gen5core.tensors.dtypes import KNOWN
from ..stored.draws import MAX_PARTS, UNKNOWN, Draws
from .generators import GeneratorWatch, encode_states
from .journal import Journal, journaling
from .random_calls import distribution

logger = logging.getLogger(__name__)
AUTO_MAX_BYTES = 64 * 2**20
"""How much step noise of one run is recorded in mode auto."""
NEVER = "step_noise of Record Sampling is never"
"""Why the step noise of a run was left out in mode never."""
StepNoise = Literal["auto", "never", "always"]
_REMEDY = "use the stored sampler and its settings, or turn step_noise off in Replay Sampling"
_GENERATOR_NAMES = {"torch": "torch's", "cuda": "CUDA's", "numpy": "numpy's", "python": "Python's"}


class StepRecorder(Journal):
    """Records every draw of a run, and where the global generators were when it began.

    Parameters
    ----------
    mode : ``auto`` records up to 64 MiB per run, ``never`` nothing, ``always`` everything; if draws are left
        out, ``reason`` says why
    """

    def __init__(self, mode: StepNoise) -> None:
        self._mode = mode
        self._draws: list[tuple[str, torch.Tensor]] = []
        self._kinds: set[tuple[torch.Size, torch.dtype]] = set()
        self._size_bytes = 0
        self._watch = GeneratorWatch()
        self.count = 0
        self.reason: str | None = None
        self.draws: Draws | None = None
        """Known after ``finish``; None if there were no draws or they were left out."""
        self.generators: Mapping[str, str] = {}
        """States of global generators at the start, as META holds them; see ``GeneratorWatch.needed``."""

    def widen(self, mode: StepNoise) -> None:
        """Record at least as much as in another mode; before the first draw."""
        order: tuple[StepNoise, ...] = ("never", "auto", "always")
        self._mode = max(self._mode, mode, key=order.index)

    def begin(self) -> None:
        """Notice what was drawn without being seen."""
        with self._guarded():
            self._watch.begin_draw()

    def settle(self) -> None:
        """Take the states that the generators have now for those to expect."""
        with self._guarded():
            self._watch.end_draw()

    def note(self, function: str, drawn: torch.Tensor) -> None:
        """Record a draw."""
        self.count += 1
        self.settle()
        with self._guarded():
            self._record(function, drawn)

    def finish(self) -> None:
        """Put together what was recorded, once the run has ended."""
        with self._guarded():
            self._watch.finish()
            self.generators = encode_states(self._watch.needed(not self.reason))
            self.reason = self.reason or self._unseen_reason()
            self.draws = Draws.collect(self._draws) if self._draws else None

    @contextmanager
    def following(self) -> Iterator[None]:
        """Record the draws of a block; if that cannot begin, the block runs without it."""
        with ExitStack() as stack:
            with self._guarded():
                stack.enter_context(journaling(self))
            yield

    def states_without_draws(self) -> Mapping[str, str]:
        """Return the states that are needed if the draws are left out, as META holds them; after ``finish``."""
        return encode_states(self._watch.needed(False))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Leave the draws out if a block fails: nothing that is recorded is worth the picture."""
        try:
            yield
        except Exception as error:  # also what nobody thought of, such as a tensor that cannot be copied
            what = f"draw {self.count}" if self.count else "what the sampler draws"
            logger.exception("%s could not be recorded", what)
            self._discard(f"{what} could not be recorded: {error}")

    def _record(self, function: str, drawn: torch.Tensor) -> None:
        if self._mode == "never":
            self.reason = NEVER
        if self.reason is not None:
            return
        if (dtype := str(drawn.dtype).removeprefix("torch.")) not in KNOWN:
            self._discard(f"draw {self.count} ({function}) is {dtype}, which a file does not hold")
            return
        self._size_bytes += drawn.nbytes
        if self._mode == "auto" and self._size_bytes > AUTO_MAX_BYTES:
            self._discard(
                f"it takes more than {AUTO_MAX_BYTES >> 20} MiB; set step_noise to always to keep it"
            )
            return
        self._kinds.add((drawn.shape, drawn.dtype))
        if len(self._kinds) > MAX_PARTS:
            self._discard(f"the draws have more than {MAX_PARTS} shapes and dtypes")
            return
        self._draws.append((function, drawn.detach().to("cpu", copy=True)))

    def _discard(self, reason: str) -> None:
        self.reason = reason
        self._draws.clear()
        self._kinds.clear()

    def _unseen_reason(self) -> str | None:
        if not self._watch.unseen:
            return None
        names = " and ".join(_GENERATOR_NAMES[name] for name in self._watch.unseen)
        return (
            f"the sampler drew from {names} generator by its own means; that is not recorded, but drawn again "
            "from the generator's stored state"
        )


class StepPlayer(Journal):
    """Gives a run the stored draws, one after the other.

    Parameters
    ----------
    draws : those of the stored run; None only counts what this one draws
    file_name : of the file that holds them, for messages
    batch_index : the image of the stored batch that is sampled; −1 for all
    batch_size : that of the stored run
    """

    def __init__(
        self, draws: Draws | None, file_name: str, batch_index: int = -1, batch_size: int | None = None
    ) -> None:
        self._draws = None if draws is None else iter(draws)
        self._held = 0 if draws is None else draws.count
        self._file_name, self._batch_index, self._batch_size = file_name, batch_index, batch_size
        self.played = 0
        self.remark: str | None = None
        """The first draw that was made by another function than the stored one, in words."""

    @property
    def has_drawn_unstored(self) -> bool:
        """Whether the run drew although no draws are stored."""
        return self._draws is None and self.played > 0

    def substitute(self, function: str, drawn: torch.Tensor) -> torch.Tensor:
        """Return the next stored draw in place of drawn.

        Raises
        ------
        EncodeError
            if the stored run did not draw so often, or not in this shape, or from another distribution.
        """
        self.played += 1
        if self._draws is None:
            return drawn
        if self.played > self._held:
            raise EncodeError(
                f"{self._file_name} holds {self._held} draws of step noise, but this sampler requests draw "
                f"{self.played}: {_REMEDY}"
            )
        stored_function, stored = next(self._draws)
        self._compare(stored_function, function)
        return self._fitting(stored, drawn)

    def check_all_played(self) -> None:
        """Raise EncodeError if the run drew fewer times than the stored one."""
        if self._draws is not None and self.played < self._held:
            raise EncodeError(
                f"{self._file_name} holds {self._held} draws of step noise, but this sampler used {self.played}: "
                f"{_REMEDY}"
            )

    def _compare(self, stored: str, function: str) -> None:
        if stored in (function, UNKNOWN):
            return
        told = (
            f"draw {self.played} of step noise in {self._file_name} was made by {stored}, here by {function}"
        )
        if distribution(stored) != distribution(function):
            raise EncodeError(f"{told}: {_REMEDY}")
        self.remark = self.remark or told

    def _fitting(self, stored: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """Return a stored draw in the shape of drawn: whole, or the part of one image."""
        if stored.shape == drawn.shape:
            return stored
        index = self._batch_index
        if index >= 0 and stored.ndim and len(stored) == self._batch_size:
            image = stored[index : index + 1]
            if image.shape == drawn.shape:
                return image
        raise EncodeError(
            f"draw {self.played} of step noise in {self._file_name} has shape {list(stored.shape)}, but the "
            f"sampler works on {list(drawn.shape)}: use the stored size and batch"
        )

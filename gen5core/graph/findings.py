"""What a query to the graph finds, and how the findings of several inputs are combined into one.

A Finding holds values and notes in chains that share their tails, so that following 20 000 nodes costs
20 000 steps and no copies. ``RULES`` combine findings; the tables refer to them by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

U64_MAX: Final = 2**64 - 1
INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")
DECIMAL: Final = re.compile(
    r"[+-]?(?:[0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})(?:e[+-]?[0-9]{1,3})?", re.IGNORECASE
)
MAX_TEXT: Final = 2**20
"""Longest text, in characters, that is worked out from nodes that join texts."""
SIGMA: Final = re.compile(r"\d+(?:\.+\d+)?|(?<!\.)\.+\d+")
"""A number in ManualSigmas' text.

It matches what that node's own pattern matches, but takes linear time on a run of dots.

Source: comfy_extras/nodes_custom_sampler.py, ManualSigmas.
"""
LATENT_CELL_PIXELS: Final = (8, 16, 32)
"""Pixels per latent cell, in width or height; only the model knows which of them is right."""


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Items, preceded by those of its tails; a tail that several chains share is yielded once."""

    items: tuple[Any, ...] = ()
    tails: tuple[Chain, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        seen: set[int] = set()
        stack: list[tuple[Chain, bool]] = [(self, False)]
        while stack:
            chain, tails_done = stack.pop()
            if tails_done:
                yield from chain.items
            elif id(chain) not in seen:
                seen.add(id(chain))
                stack.append((chain, True))
                stack.extend((tail, False) for tail in reversed(chain.tails))


EMPTY: Final = Chain()


def concatenate(chains: Sequence[Chain], items: tuple[Any, ...] = ()) -> Chain:
    """Return the items of several chains as one; a new Chain is made only if one of them will not do."""
    tails = tuple(chain for chain in chains if chain is not EMPTY)
    if not items and len(tails) < 2:
        return tails[0] if tails else EMPTY
    return Chain(items, tails)


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """The values found for a role, the notes collected on the way, and whether some are only known at run time."""

    values: Chain = EMPTY
    notes: Chain = EMPTY
    unresolved: bool = False

    @property
    def empty(self) -> bool:
        """Whether the graph has nothing for the role."""
        return self.values is EMPTY and not self.unresolved

    @property
    def value(self) -> Any:
        """The first value, or None."""
        return next(iter(self.values), None)


NOTHING: Final = Finding()
UNKNOWN: Final = Finding(unresolved=True)


def found(value: Any) -> Finding:
    """Return a finding with a single value."""
    return Finding(Chain((value,)))


def as_int(value: Any) -> int | None:
    """Return a whole number as ComfyUI would read it; None for anything else, bools and figures beyond 64 bits too."""
    if isinstance(value, str) and INTEGER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and abs(value) <= U64_MAX else None


def as_size(value: Any) -> int | None:
    """Return a width, height or batch size, or None; for 0 the node works it out at run time."""
    number = as_int(value)
    return number if number is not None and number > 0 else None


def as_seed(value: Any) -> int | None:
    """Return a seed, or None; packs replace a negative one with a random one at run time, so it is no seed."""
    number = as_int(value)
    return number if number is not None and 0 <= number <= U64_MAX else None


def as_float(value: Any) -> float | None:
    """Return a finite number; None for anything else, bools and integers beyond 64 bits too."""
    if isinstance(value, str) and DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return float(value) if abs(value) <= U64_MAX else None
    return value if math.isfinite(value) else None


def as_text(value: Any) -> str | None:
    """Return a text, or None for anything else."""
    return value if isinstance(value, str) else None


def as_bool(value: Any) -> bool | None:
    """Return a bool, also for 0, 1 and the words that sampler widgets use; None for anything else."""
    if isinstance(value, str):
        word = value.strip().lower()
        return (
            True if word.startswith(("enable", "true")) else False if word in ("disable", "false") else None
        )
    return bool(value) if isinstance(value, int) and value in (0, 1) else None


Parts = Sequence[Finding]
Rule = Callable[[Parts, "int | None"], Finding]


def _first(parts: Parts, slot: int | None) -> Finding:
    return next((part for part in parts if not part.empty), _notes_only(parts))


def _last(parts: Parts, slot: int | None) -> Finding:
    return _first(parts[::-1], slot)


def _notes_only(parts: Parts) -> Finding:
    notes = concatenate([part.notes for part in parts])
    return NOTHING if notes is EMPTY else Finding(notes=notes)


def _all(parts: Parts, slot: int | None) -> Finding:
    values = concatenate([part.values for part in parts])
    notes = concatenate([part.notes for part in parts])
    return Finding(values, notes, any(part.unresolved for part in parts))


def _unknown(parts: Parts, slot: int | None) -> Finding:
    return UNKNOWN


def _size(parts: Parts, slot: int | None) -> Finding:
    """A width or height; 0 means that the node works it out at run time."""
    return found(parts[0].value) if as_size(parts[0].value) else UNKNOWN


def _rotated(parts: Parts, slot: int | None) -> Finding:
    """A width or height, from (rotation, the same upstream, the other one upstream). Source: LatentRotate."""
    turn = as_text(parts[0].value)
    return UNKNOWN if turn is None else parts[2] if turn.startswith(("90", "270")) else parts[1]


def _along_time(parts: Parts, slot: int | None) -> Finding:
    """A width or height, from (dim, the same upstream): it stays if time is cut. Source: LatentCut, LatentConcat."""
    return parts[1] if "t" in (as_text(parts[0].value) or "") else UNKNOWN


def _last_step(parts: Parts, slot: int | None) -> Finding:
    """The first end step found; packs write -1 for a run to the end."""
    step = _first(parts, slot)
    number = as_int(step.value)
    return step if number is None or number >= 0 else NOTHING


def _found_or_unknown(figure: int | None) -> Finding:
    return UNKNOWN if figure is None else found(figure)


def _round_finite(figure: float) -> int | None:
    return round(figure) if math.isfinite(figure) else None


def _scaled_latent(parts: Parts, slot: int | None) -> Finding:
    """Size times factor, rounded to latent cells, if every usual cell size gives the same result."""
    factor, size = as_float(parts[0].value), as_int(parts[1].value)
    if factor is None or size is None:
        return UNKNOWN
    cells = {cell: _round_finite(size // cell * factor) for cell in LATENT_CELL_PIXELS}
    sizes = {None if count is None else count * cell for cell, count in cells.items()}
    return _found_or_unknown(sizes.pop() if len(sizes) == 1 else None)


def _scaled_pixels(parts: Parts, slot: int | None) -> Finding:
    factor, size = as_float(parts[0].value), as_int(parts[1].value)
    return _found_or_unknown(None if factor is None or size is None else _round_finite(size * factor))


def _times(parts: Parts, slot: int | None) -> Finding:
    amount, count = as_int(parts[0].value), as_int(parts[1].value)
    return _found_or_unknown(None if amount is None or count is None else amount * count)


def _plus(parts: Parts, slot: int | None) -> Finding:
    counts = [as_int(part.value) for part in parts]
    return _found_or_unknown(None if None in (counts or [None]) else sum(count for count in counts if count))


def _sliced(parts: Parts, slot: int | None) -> Finding:
    """How many images LatentFromBatch returns, from (length, batch_index, batch size). Source: ComfyUI's nodes.py."""
    length, index, size = (as_int(part.value) for part in parts)
    if length is None or index is None or size is None:
        return UNKNOWN
    return found(min(length, size - min(size - 1, index)))


class Span(NamedTuple):
    """The part of a schedule that is left: its first and last step, and whether it is run backwards."""

    first: int | None
    last: int | None
    flipped: bool

    def end(self, steps: int | None) -> int | None:
        """Return its last step, given the steps of the complete schedule; None if neither is known."""
        return min((each for each in (self.last, steps) if each is not None), default=None)


def _span(parts: Parts) -> tuple[Span, int | None] | None:
    """Return the part that is left upstream of a cut, and all steps, from the findings named by ``UNCUT``.

    None if any of its ends is only known at run time.
    """
    steps, first, last, flipped = parts
    if first.unresolved or last.unresolved or flipped.unresolved:
        return None
    return Span(as_int(first.value), as_int(last.value), flipped.value is True), as_int(steps.value)


def _split(parts: Parts, slot: int | None) -> Span | None:
    """Return what SplitSigmas leaves, from (step, *UNCUT): output 0 ends at the step, output 1 starts there.

    A flipped schedule is counted from its last step down.
    """
    upstream, step = _span(parts[1:]), as_int(parts[0].value)
    if upstream is None or step is None:
        return None
    span, steps = upstream
    start, end = span.first or 0, span.end(steps)
    if not span.flipped:
        cut = start + step
        return span._replace(first=cut) if slot == 1 else span._replace(last=_least(cut, span.last))
    if end is None:
        return None
    cut = end - step
    return span._replace(first=start, last=cut) if slot == 1 else span._replace(first=max(start, cut))


def _split_denoise(parts: Parts, slot: int | None) -> Span | None:
    """Return what SplitSigmasDenoise leaves, from (denoise, *UNCUT): output 1 is the denoising part.

    It counts the steps that are left. If it denoises none of them, output 0 is empty (``sigmas[:-0]``).
    """
    upstream, denoise = _span(parts[1:]), as_float(parts[0].value)
    if upstream is None or denoise is None:
        return None
    span, steps = upstream
    start, end = span.first or 0, span.end(steps)
    count = None if end is None else _round_finite(max(end - start, 0) * denoise)
    if end is None or count is None:
        return None
    if start > end or (slot != 1 and count == 0):
        return span._replace(first=end + 1)
    if not span.flipped:
        return span._replace(first=end - count) if slot == 1 else span._replace(last=end - count)
    cut = start + count
    return span._replace(first=start, last=cut) if slot == 1 else span._replace(first=cut)


def _least(step: int, other: int | None) -> int:
    return step if other is None else min(step, other)


Cut = Callable[[Parts, "int | None"], "Span | None"]


def _start_of(cut: Cut) -> Rule:
    def rule(parts: Parts, slot: int | None) -> Finding:
        span = cut(parts, slot)
        return UNKNOWN if span is None else NOTHING if span.first is None else found(span.first)

    return rule


def _end_of(cut: Cut) -> Rule:
    def rule(parts: Parts, slot: int | None) -> Finding:
        span = cut(parts, slot)
        return UNKNOWN if span is None else NOTHING if span.last is None else found(span.last)

    return rule


def _denoised_part(parts: Parts, slot: int | None) -> Finding:
    """Denoise of SplitSigmasDenoise's output, from (denoise, denoise upstream); output 1 is the denoising part."""
    return parts[0] if slot == 1 else parts[1]


def _toggled(parts: Parts, slot: int | None) -> Finding:
    """Whether a schedule is run backwards, from (the same upstream)."""
    return UNKNOWN if parts[0].unresolved else found(parts[0].value is not True)


def _unless_cut(parts: Parts, slot: int | None) -> Finding:
    """A first or last step that a node with more sigmas moves, from (the same upstream)."""
    return parts[0] if parts[0].empty else UNKNOWN


def _sigma_count(parts: Parts, slot: int | None) -> Finding:
    text = as_text(parts[0].value)
    return UNKNOWN if text is None else found(max(len(SIGMA.findall(text)) - 1, 0))


def _on_device(parts: Parts, slot: int | None) -> Finding:
    """A sampler's name, from (noise_device, name); the variant that draws its noise on the GPU has its own."""
    name = as_text(parts[1].value) or ""
    return found(f"{name}_gpu" if parts[0].value == "gpu" else name)


def _joined_text(parts: Parts, slot: int | None) -> Finding:
    """One text, from (delimiter, text, text …)."""
    texts = [as_text(part.value) for part in parts]
    known = [text for text in texts[1:] if text is not None]
    if any(part.unresolved for part in parts) or len(known) < len(texts) - 1:
        return UNKNOWN
    delimiter = texts[0] or ""
    # nodes that join a text to itself double it each time: 40 of them would fill any memory
    if sum(map(len, known)) + len(delimiter) * len(known) > MAX_TEXT:
        return UNKNOWN
    return found(delimiter.join(known))


def chosen_index(rule: str, selector: Any, names: Sequence[str]) -> int | None:
    """Return the index of the input that a switch passes on, given its selector's value; None if it is unknown."""
    if rule == "picked_by_name":
        index = names.index(selector) if selector in names else None
    elif rule == "picked_by_bool":
        choice = as_bool(selector)
        index = None if choice is None else int(choice)
    else:
        number = as_int(selector)
        index = None if number is None else number - (rule == "picked_from_1")
    return index if index is not None and 0 <= index < len(names) else None


RULES: Final[Mapping[str, Rule]] = {
    "first": _first,
    "last": _last,
    "all": _all,
    "unknown": _unknown,
    "size": _size,
    "rotated": _rotated,
    "along_time": _along_time,
    "last_step": _last_step,
    "scaled_latent": _scaled_latent,
    "scaled_pixels": _scaled_pixels,
    "times": _times,
    "plus": _plus,
    "sliced": _sliced,
    "split_start": _start_of(_split),
    "split_end": _end_of(_split),
    "denoised_part": _denoised_part,
    "denoise_start": _start_of(_split_denoise),
    "denoise_end": _end_of(_split_denoise),
    "toggled": _toggled,
    "unless_cut": _unless_cut,
    "sigma_count": _sigma_count,
    "on_device": _on_device,
    "joined_text": _joined_text,
}
"""Functions that combine findings: each gets them in the table's order, and the output slot of the query."""
SWITCH_RULES: Final = frozenset(("picked_by_bool", "picked_by_name", "picked_from_0", "picked_from_1"))
"""Rules of switches: the first input selects one of the others (``chosen_index``)."""

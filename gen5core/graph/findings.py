"""What a query to the graph finds, and how the findings of several inputs are combined into one.

A Finding holds values and notes in chains that share their tails, so that following 20 000 nodes costs
20 000 steps and no copies. ``RULES`` combine findings; the tables refer to them by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

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
    return found(parts[0].value) if as_int(parts[0].value) else UNKNOWN


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
    return _found_or_unknown(None if None in counts else sum(count for count in counts if count))


def _sliced(parts: Parts, slot: int | None) -> Finding:
    """How many images LatentFromBatch returns, from (length, batch_index, batch size). Source: ComfyUI's nodes.py."""
    length, index, size = (as_int(part.value) for part in parts)
    if length is None or index is None or size is None:
        return UNKNOWN
    return found(min(length, size - min(size - 1, index)))


def _split_start(parts: Parts, slot: int | None) -> Finding:
    """First step of SplitSigmas' output, from (step, start upstream); output 1 starts at the step."""
    upstream = as_int(parts[1].value)
    if slot != 1:
        return parts[1]
    step = as_int(parts[0].value)
    return UNKNOWN if step is None or parts[1].unresolved else found((upstream or 0) + step)


def _split_end(parts: Parts, slot: int | None) -> Finding:
    """Last step of SplitSigmas' output, from (step, start upstream, end upstream); output 0 ends at the step."""
    if slot == 1:
        return parts[2]
    step, start, end = (as_int(part.value) for part in parts)
    if step is None or parts[1].unresolved or parts[2].unresolved:
        return UNKNOWN
    cut = (start or 0) + step
    return found(cut if end is None else min(cut, end))


def _split_denoise(parts: Parts, slot: int | None) -> Finding:
    """Denoise of SplitSigmasDenoise's output, from (denoise, denoise upstream); output 1 is the denoising part."""
    return parts[0] if slot == 1 else parts[1]


def _denoise_cut(parts: Parts) -> int | None:
    """Return the step at which SplitSigmasDenoise cuts, from (denoise, steps, start upstream, end upstream).

    None if the sigmas were cut before, as the node then counts only the steps that are left.
    """
    denoise, steps = as_float(parts[0].value), as_int(parts[1].value)
    if denoise is None or steps is None or not (parts[2].empty and parts[3].empty):
        return None
    denoised_steps = _round_finite(steps * denoise)
    return None if denoised_steps is None else steps - denoised_steps


def _denoise_start(parts: Parts, slot: int | None) -> Finding:
    """First step of SplitSigmasDenoise's output. If nothing is denoised, output 0 is empty (``sigmas[:-0]``)."""
    cut = _denoise_cut(parts)
    is_empty = cut is not None and cut == as_int(parts[1].value)
    return _found_or_unknown(cut) if slot == 1 or is_empty else parts[2]


def _denoise_end(parts: Parts, slot: int | None) -> Finding:
    return parts[3] if slot == 1 else _found_or_unknown(_denoise_cut(parts))


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


Rule = Callable[[Parts, "int | None"], Finding]
RULES: Final[Mapping[str, Rule]] = {
    "first": _first,
    "last": _last,
    "all": _all,
    "unknown": _unknown,
    "size": _size,
    "scaled_latent": _scaled_latent,
    "scaled_pixels": _scaled_pixels,
    "times": _times,
    "plus": _plus,
    "sliced": _sliced,
    "split_start": _split_start,
    "split_end": _split_end,
    "split_denoise": _split_denoise,
    "denoise_start": _denoise_start,
    "denoise_end": _denoise_end,
    "sigma_count": _sigma_count,
    "on_device": _on_device,
    "joined_text": _joined_text,
}
"""Functions that combine findings: each gets them in the table's order, and the output slot of the query."""
SWITCH_RULES: Final = frozenset(("picked_by_bool", "picked_by_name", "picked_from_0", "picked_from_1"))
"""Rules of switches: the first input selects one of the others (``chosen_index``)."""

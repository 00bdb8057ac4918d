"""Time several calls in one run, interleaved, so that noise on the machine affects all of them alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Ratio(NamedTuple):
    """The median ratio of many rounds, and its 95 % confidence interval."""

    median: float
    low: float
    high: float


def time_in_turns(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each call in seconds. Each round runs every call once; the first round is a warm-up."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def time_against(
    base: str, calls: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, tuple[float, Ratio]]:
    """Return the median time of each call in seconds, and its ratio to the base call in the same round.

    Each round starts with another call; the first round is a warm-up. A disturbance longer than a round affects
    both sides of a ratio, and a shorter one does not affect the median.
    """
    names = list(calls)
    times: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(-1, rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            calls[name]()
            if round_number >= 0:
                times[name].append(time.perf_counter() - start)
    return {
        name: (
            statistics.median(taken),
            median_ratio([one / other for one, other in zip(taken, times[base], strict=True)]),
        )
        for name, taken in times.items()
    }


def median_ratio(ratios: Sequence[float]) -> Ratio:
    """Return the median and its confidence interval from order statistics, valid for any distribution.

    Source: Conover, "Practical Nonparametric Statistics", 3.2: ranks n/2 ± 1.96·√n/2.
    """
    ordered = sorted(ratios)
    middle, half_width = len(ordered) / 2, 1.96 * math.sqrt(len(ordered)) / 2
    low, high = max(0, math.floor(middle - half_width)), min(len(ordered) - 1, math.ceil(middle + half_width))
    return Ratio(statistics.median(ordered), ordered[low], ordered[high])


def milliseconds(seconds: float) -> str:
    """Return seconds as text with a sensible number of digits."""
    value = seconds * 1e3
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"


def processor_time(call: Callable[[], object], rounds: int) -> float:
    """Return the median processor time of a call in seconds; the first round is a warm-up."""
    times = []
    for _ in range(rounds + 1):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])

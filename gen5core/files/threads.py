"""The same work on several items in parallel: hashing and inflating release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_THREADS = 4
"""Beyond this number, disk and memory bandwidth are the limit."""


def run_each(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> list[Result]:
    """Return work(item) for each item, in order; raise the first error in that order.

    Parameters
    ----------
    threads : None for one per processor, at most 4; 1 to work in the calling thread
    """
    listed = list(items)
    count = min(threads or min(os.cpu_count() or 1, MAX_THREADS), len(listed))
    if count <= 1:
        return [work(item) for item in listed]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, listed))

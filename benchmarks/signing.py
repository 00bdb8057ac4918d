"""The time that a signature adds to saving and opening a file, in one run."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from material import make_image, make_latents, make_workflow
from measure import milliseconds
from table import print_table

import gen5core
from gen5core.writer import assemble

ROUNDS = 40
TARGET_SECONDS = 1e-3
SETTINGS = {"seed": 1, "steps": 20, "sampler": "euler", "cfg_scale": 7.0, "scheduler": "normal"}


def bench_signing(folder: Path) -> None:
    """Save and open two 1 MiB latents, a 1024 x 1024 image and a 60 kB workflow, signed and unsigned."""
    key = gen5core.SigningKey.generate()
    plain, signed = (_saving(folder / name, with_key) for name, with_key in (("a", None), ("b", key)))
    with _timing_signatures() as alone:
        rows = [("save, fsync included", *_compare(plain, signed))]
        with _without_fsync():
            rows.append(("save, without fsync", *_compare(plain, signed)))
    rows.append(
        ("open, signatures checked", *_compare(_opening(folder / "a.gen5"), _opening(folder / "b.gen5")))
    )
    print_table(
        "What a signature adds to two 1 MiB latents, a 1024² image and a 60 kB workflow",
        ("what", "unsigned", "signed", "signed / unsigned"),
        [
            (name, milliseconds(before), milliseconds(after), f"{after / before:.3f}")
            for name, before, after in rows
        ],
    )
    print(
        f"\nWithin those {len(alone)} saves, making the trailer took {milliseconds(statistics.median(alone))}, "
        f"at most {milliseconds(max(alone))} (median; target ≤ {milliseconds(TARGET_SECONDS)})."
    )


def _saving(path: Path, key: gen5core.SigningKey | None) -> Callable[[], object]:
    latents, image, workflow = make_latents(), make_image(), make_workflow()

    def save() -> Path:
        return gen5core.save(
            path.with_suffix(".gen5"),
            latents=latents,
            images=image,
            settings=SETTINGS,
            prompt="a cat",
            comfyui={"workflow": workflow},
            signing_key=key,
        )

    return save


def _opening(path: Path) -> Callable[[], object]:
    def open_file() -> str:
        with gen5core.open(path) as file:
            return file.prompt

    return open_file


def _compare(before: Callable[[], object], after: Callable[[], object]) -> tuple[float, float]:
    """Return the minimum seconds of both calls, since other processes only add to a time.

    The order alternates from round to round; the first round is a warm-up.
    """
    calls = {"before": before, "after": after}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-1, ROUNDS):
        for name in sorted(calls, reverse=bool(number % 2)):
            start = time.perf_counter()
            calls[name]()
            if number >= 0:
                times[name].append(time.perf_counter() - start)
    return min(times["before"]), min(times["after"])


@contextmanager
def _timing_signatures() -> Iterator[list[float]]:
    """Yield a list to which every save appends the seconds that its SIGN trailer took."""
    encode, seconds = assemble.encode_signatures, []

    def timed(root: str, key: gen5core.SigningKey) -> bytes:
        start = time.perf_counter()
        trailer = encode(root, key)
        seconds.append(time.perf_counter() - start)
        return trailer

    assemble.encode_signatures = timed
    try:
        yield seconds
    finally:
        assemble.encode_signatures = encode


@contextmanager
def _without_fsync() -> Iterator[None]:
    """Turn off fsync in saves: its time varies by more than a signature takes."""
    fsync = os.fsync
    os.fsync = lambda fd: None
    try:
        yield
    finally:
        os.fsync = fsync

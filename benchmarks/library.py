"""A library of 10 000 files: its first scan, later scans, pages and searches.

Usage: ``python benchmarks/run.py library``, or ``python benchmarks/library.py`` alone.
"""

from __future__ import annotations

import importlib
import itertools
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from material import make_image, make_workflow
from measure import milliseconds
from table import print_table

import gen5core

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
FILES, DISTINCT, FOLDERS = 10_000, 200, 25
WORKFLOW_BYTES = range(10_000, 60_000, 50_000 // DISTINCT)
LATENT_SHAPE = (1, 4, 32, 32)
"""Small, since tensors that are not read take no time."""
HEADER_BYTES = 32
SCAN_ROUNDS, ROUNDS = 5, 15
LISTED, READ = "os.scandir and os.stat of every file", "header and META of every file read, not decoded"
TARGETS = {"first scan": "≥ 1500 files/s", "opening it later: a scan, then the first page": "≤ 300 ms"}


@dataclass(frozen=True, slots=True)
class Result:
    """Wall time and processor time of a call; other programs add to the wall time only."""

    seconds: float
    cpu_seconds: float


def bench_library(folder: Path) -> None:
    """Print how long the library takes, compared with reading and listing the same files without one."""
    _make_files(folder)
    os.environ["GEN5_FOLDER"] = str(folder)
    output, libraries = folder / "output", _libraries(folder)
    reading = {READ: lambda: [_read_head_and_meta(path) for path in _list(output)]}
    first = {"first scan": lambda: _scan(next(libraries))}
    _print("first", _time(reading | first, SCAN_ROUNDS), READ)
    library = next(libraries)
    _scan(library)
    assert library.page()["total"] == FILES
    _print("later", _time({LISTED: lambda: _list(output)} | _later(library), ROUNDS), LISTED)


def _later(library: Any) -> dict[str, Callable[[], object]]:
    def reopen() -> object:
        _scan(library)
        return library.page()

    return {
        "a scan that finds nothing new": lambda: _scan(library),
        "opening it later: a scan, then the first page": reopen,
        "the first page": library.page,
        "the page at 9900": lambda: library.page(offset=9900),
        "a search of two words": lambda: library.page("lighthouse euler"),
        "a search of a part of a seed": lambda: library.page("0286"),
    }


def _time(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Result]:
    """Return the minimum of all rounds, since other programs only add time; each round makes every call once."""
    results = dict.fromkeys(calls, Result(math.inf, math.inf))
    for _ in range(rounds):
        for name, call in calls.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            call()
            seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
            best = results[name]
            results[name] = Result(min(best.seconds, seconds), min(best.cpu_seconds, cpu_seconds))
    return results


def _print(when: str, results: Mapping[str, Result], base: str) -> None:
    print_table(
        f"The library of {FILES} files, each with 2 latents, an image and 10 to 60 kB of workflow: {when}",
        ("what", "time", "files/s", "processor", "files/s of it", "time / without an index", "target"),
        [
            (
                name,
                milliseconds(result.seconds),
                f"{FILES / result.seconds:.0f}",
                milliseconds(result.cpu_seconds),
                f"{FILES / result.cpu_seconds:.0f}",
                f"{result.seconds / results[base].seconds:.2f}",
                TARGETS.get(name, ""),
            )
            for name, result in results.items()
        ],
    )


def _make_files(folder: Path) -> None:
    """Write FILES files under output/: DISTINCT different ones, and copies of them."""
    (folder / "input").mkdir()
    rng = np.random.default_rng(6)
    contents = [_content(folder / "one.gen5", number, rng) for number in range(DISTINCT)]
    for number in range(FILES):
        subfolder = folder / "output" / f"{number % FOLDERS:02}"
        subfolder.mkdir(parents=True, exist_ok=True)
        (subfolder / f"ComfyUI_{number:05}_.gen5").write_bytes(contents[number % DISTINCT])
    if hasattr(os, "sync"):
        os.sync()  # otherwise the index's own syncs wait for these files


def _content(path: Path, number: int, rng: np.random.Generator) -> bytes:
    prompt = f"a lighthouse at dawn, number {number}, " + "volumetric light, film grain, " * (number % 20)
    seed = 156680208700286 + number
    entry = {"seed": seed, "sampler_name": "euler", "positive": prompt, "negative": "blurry, low quality"}
    gen5core.save(
        path,
        latents={
            name: rng.standard_normal(LATENT_SHAPE, np.float32) for name in ("initial_noise", "final_latent")
        },
        images=make_image(64),
        settings={"seed": seed, "steps": 20, "sampler": "euler", "cfg_scale": 7.0, "scheduler": "normal"},
        prompt=prompt,
        model_name="sd_xl_base_1.0.safetensors",
        tags=("lighthouse", "dawn"),
        comfyui={"workflow": make_workflow(WORKFLOW_BYTES[number])},
        capture={"noise_source": "recorded", "passes": [entry]},
        resources=[{"kind": "model", "name": "sd_xl_base_1.0.safetensors"}],
    )
    return path.read_bytes()


def _libraries(folder: Path) -> Iterator[Any]:
    """Yield libraries, each with a new index."""
    sys.path.append(str(SCRIPTS))
    from load_pack import load_pack

    room = f"{load_pack().__name__}.nodes.library"
    library, index = (importlib.import_module(f"{room}.{name}") for name in ("library", "index"))
    for number in itertools.count():
        yield library.Library(index.Index(folder / f"index-{number}.sqlite3"))


def _scan(library: Any) -> None:
    library.refresh()
    library.wait()


def _list(folder: Path) -> list[str]:
    paths = []
    for parent in os.scandir(folder):
        for entry in os.scandir(parent):
            entry.stat()
            paths.append(entry.path)
    return paths


def _read_head_and_meta(path: str) -> bytes:
    with open(path, "rb") as file:
        head = file.read(HEADER_BYTES)
        file.seek(int.from_bytes(head[8:12], "little"))
        return head + file.read(int.from_bytes(head[12:16], "little"))


def main() -> None:
    """Run this benchmark alone."""
    with tempfile.TemporaryDirectory() as folder:
        bench_library(Path(folder))


if __name__ == "__main__":
    main()

"""A library of 10 000 files: its first scan, later scans, pages and searches; and one of 200 000.

Usage: ``python benchmarks/run.py library many``, or ``python benchmarks/library.py`` alone for the first.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
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
MANY, MANY_ROUNDS = 200_000, 7
FIRST_SEED = 156680208700286
SEARCHED = "both words looked for in the text of every file, in memory"
MANY_TARGETS = {
    "a scan that finds nothing new": "≤ 1000 ms",
    "the first page": "≤ 100 ms",
    "the first page after a start of ComfyUI": "≤ 100 ms",
    "a search of two words": "≤ 200 ms",
}


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


def bench_many(folder: Path) -> None:
    """Print how long a library of MANY files takes; pages are those of a session that has begun."""
    paths = _link_files(folder)
    os.environ["GEN5_FOLDER"] = str(folder)
    index = _module("index").Index(folder / "index.sqlite3")
    texts = _fill(index, paths)
    library = _module("library").Library(index)

    def start() -> object:
        return _module("library").Library(_module("index").Index(folder / "index.sqlite3")).page()

    calls: dict[str, Callable[[], object]] = {
        LISTED: lambda: _list(folder / "output"),
        SEARCHED: lambda: [text for text in texts if "lighthouse" in text and "euler" in text],
        "a scan that finds nothing new": lambda: _scan(library),
        "the first page": library.page,
        "the first page after a start of ComfyUI": start,
        "the page at 199 900": lambda: library.page(offset=MANY - 100),
        "a search of two words": lambda: library.page("lighthouse euler"),
        "a search of two words that one file has": lambda: library.page(f"{FIRST_SEED + 7} dawn"),
        "a search of one letter": lambda: library.page("q"),
    }
    _scan(library)
    assert library.page("lighthouse euler")["total"] == library.page()["total"] == MANY
    results = _time(calls, MANY_ROUNDS)
    print_table(
        f"A library of {MANY} files",
        ("what", "time", "processor", "time / listing", "target"),
        [
            (
                name,
                milliseconds(one.seconds),
                milliseconds(one.cpu_seconds),
                f"{one.seconds / results[LISTED].seconds:.3f}",
                MANY_TARGETS.get(name, ""),
            )
            for name, one in results.items()
        ],
    )


def _link_files(folder: Path) -> list[Path]:
    """Return the names of DISTINCT files, MANY in all, a thousand in each folder."""
    (folder / "input").mkdir()
    rng = np.random.default_rng(6)
    paths = []
    for number in range(DISTINCT):
        paths.append(folder / f"{number}.gen5")
        _content(paths[-1], number, rng)
    for number in range(MANY):
        subfolder = folder / "output" / f"{number // 1000:03}"
        subfolder.mkdir(parents=True, exist_ok=True)
        os.link(paths[number % DISTINCT], subfolder / f"ComfyUI_{number:06}_.gen5")
    return paths


def _fill(index: Any, paths: list[Path]) -> list[str]:
    """Index every file under output/ with a name and a seed of its own, and return the texts that are searched."""
    scan, entry, row = _module("scan"), _module("entry"), _module("tables").Row
    texts, rows = [], []
    for root, suffix in scan.library_roots().items():
        read = [entry.read_entry(str(path), path.name, scan.Stamp(0, 0)) for path in paths]
        for number, found in enumerate(scan.walk(root, suffix)):
            one = read[number % DISTINCT]
            seed = str(FIRST_SEED + number)
            text = one.text.replace(one.item.name, found.name.lower()).replace(one.item.seed, seed)
            item = replace(one.item, name=found.name, seed=seed)
            texts.append(text)
            rows.append(row(root, found.name, found.stamp, replace(one, item=item, text=text)))
    for start in range(0, len(rows), scan.BATCH_FILES):
        index.put(rows[start : start + scan.BATCH_FILES])
    return texts


def _module(name: str) -> Any:
    """Return a module of the pack's library."""
    return importlib.import_module(f"{_pack()}.nodes.library.{name}")


@functools.cache
def _pack() -> str:
    sys.path.append(str(SCRIPTS))
    from load_pack import load_pack

    return str(load_pack().__name__)


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
    seed = FIRST_SEED + number
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
    library, index = _module("library"), _module("index")
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

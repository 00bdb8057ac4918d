"""Fuzz the package, guided by coverage, with structure-aware mutations.

Targets: ``reader`` for .gen5 files, ``carrier`` for PNGs that carry a record, ``differential`` for both, read by
this package, Node and the browser. The seeds are the corpus. Any exception other than a Gen5Error is a finding, and so
is a file about which the readers differ, or an allocation that the limits forbid: each execution may use a few MiB
more than the process had before.

Usage: fuzz.py [reader|carrier|differential] [-runs=N] [any libFuzzer option] [corpus folder]
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType

import atheris

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

with atheris.instrument_imports(include=["gen5core"]):
    import gen5core.environment.components
    import gen5core.files.threads
    import gen5core.reader.file
    import gen5core.reader.partial
    import gen5core.rewrite.carry
    import gen5core.rewrite.sign
    import gen5core.tensors.codec
    import gen5core.tensors.stored
    import gen5core.writer.save

import numpy as np  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: E402, F401
from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: E402, F401

TARGETS = ("reader", "carrier", "differential")
HEADROOM_BYTES = 2**25
"""Address space for one execution: parsed META takes up to 30 times its text, and allocators map by the MiB."""
MAX_INPUT_BYTES = 2**15
REPORT_EVERY = 10_000

_outcomes: Counter[str] = Counter()
_started = time.monotonic()


class Bounded:
    """A target whose executions are counted and limited in memory."""

    def __init__(self, target: ModuleType) -> None:
        self._target = target

    def __call__(self, data: bytes) -> None:
        """Read data with little memory to spare; any exception other than a Gen5Error is raised as a finding."""
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        bound = pages * resource.getpagesize() + getattr(self._target, "HEADROOM_BYTES", HEADROOM_BYTES)
        resource.setrlimit(resource.RLIMIT_AS, (bound, resource.RLIM_INFINITY))
        try:
            outcome = self._target.read_everything(data)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        _outcomes[outcome] += 1
        if _outcomes.total() % REPORT_EVERY == 0:
            report()


def report() -> None:
    """Print how the executions ended."""
    total, seconds = sum(_outcomes.values()), time.monotonic() - _started
    counts = ", ".join(f"{name} {count}" for name, count in _outcomes.most_common())
    print(
        f"{total} executions in {seconds:.0f} s, no foreign exception: {counts}", file=sys.stderr, flush=True
    )


def main() -> None:
    warnings.simplefilter("ignore")
    np.empty(0)
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments and arguments[0] in TARGETS else TARGETS[0]
    target = importlib.import_module(f"fuzz_{name}")
    gen5core.files.threads.MAX_THREADS = 1  # the stack of a thread would exceed HEADROOM_BYTES
    PngImagePlugin.MAX_TEXT_MEMORY = PngImagePlugin.MAX_TEXT_CHUNK = 2**20
    work = Path(os.environ.get("FUZZ_CORPUS", ROOT / "build" / f"fuzz-{name}"))
    corpus, seeds = work / "corpus", work / "seeds"
    for folder in (corpus, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    run = Bounded(target)
    for number, data in enumerate(target.seeds()):
        (seeds / f"{number:04}").write_bytes(data)
        run(data)
    _outcomes.clear()
    options = [
        f"-max_len={MAX_INPUT_BYTES}",
        "-timeout=20",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={work}/",
    ]
    atheris.Setup(
        [sys.argv[0], *options, *arguments, str(corpus), str(seeds)], run, custom_mutator=target.mutate
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()

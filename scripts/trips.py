"""Trace three trips through the pack: ``python scripts/trips.py [ROOT]``.

The trip "save" is Save Gen5 with a recording. "load" is Load Gen5 and its check for a changed file, which ComfyUI makes
before each run. "replayed run" is load, Replay Sampling and one sampler call.

For each trip the script counts the modules of gen5core/ and nodes/ in which a function is called, and how often a GEN5
file is opened for reading. The sampler is the demo's, so ComfyUI is not needed. Every trip is made twice and only the
second one is counted, so that imports and caches do not show.
"""

from __future__ import annotations

import copy
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import torch
from closed_form import ClosedFormModel, karras_sigmas, sample_euler
from demo import graph
from load_pack import load_pack

STEPS, SEED = 4, 7
PACKAGES = ("gen5core", "nodes")
SUFFIXES = (".gen5", ".png")
"""Of GEN5 files, and of PNGs that may carry a record."""
_MODEL = ClosedFormModel(64)


@dataclass(slots=True)
class Trace:
    """What happened on one trip."""

    modules: set[str] = field(default_factory=set)
    """Modules in which a function was called, as paths relative to the root."""
    opened: list[str] = field(default_factory=list)
    """Names of the files that were opened for reading, in order."""


class Tracer:
    """Traces the code of one checkout. Make only one per process, since an audit hook cannot be removed.

    Parameters
    ----------
    root : root folder of the checkout
    """

    def __init__(self, root: Path) -> None:
        self._prefixes = tuple(os.path.join(root, package, "") for package in PACKAGES)
        self._root = os.path.join(root, "")
        self._trace: Trace | None = None
        sys.addaudithook(self._audit)

    @contextmanager
    def tracing(self) -> Iterator[Trace]:
        """Yield the trace of the block: of this thread and of those that it starts."""
        self._trace = traced = Trace()
        threading.setprofile(self._enter)
        sys.setprofile(self._enter)
        try:
            yield traced
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
            self._trace = None

    def _enter(self, frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and self._trace is not None and name.startswith(self._prefixes):
            self._trace.modules.add(name.removeprefix(self._root))

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or self._trace is None:
            return
        path, _, flags = arguments
        name = "" if isinstance(path, int) else os.path.basename(os.fsdecode(path))
        if flags & (os.O_WRONLY | os.O_RDWR) == 0 and name.endswith(SUFFIXES):
            self._trace.opened.append(name)


class Model:
    """A MODEL that keeps its wrappers, as ComfyUI's model patcher does."""

    def __init__(self) -> None:
        self.wrappers: tuple[Callable[..., torch.Tensor], ...] = ()

    def clone(self) -> Model:
        """Return a copy with its own wrappers."""
        return copy.copy(self)

    def add_wrapper_with_key(self, kind: str, key: str, wrapper: Callable[..., torch.Tensor]) -> None:
        """Keep a wrapper around the run; one around the sampler itself would have nothing to record here."""
        if kind == "outer":
            self.wrappers = (*self.wrappers, wrapper)

    def sample(self, seed: int) -> dict[str, torch.Tensor]:
        """Return the LATENT that a sampler makes from a seed."""
        shape = (1, *_MODEL.shape)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        sigmas = torch.from_numpy(karras_sigmas(STEPS)).float()
        run: Callable[..., torch.Tensor] = _Executor()
        for wrapper in reversed(self.wrappers):
            run = _Executor(wrapper, run)
        return {"samples": run(noise, torch.zeros(shape), None, sigmas, None, None, True, seed)}


class _Executor:
    """One link of a chain of wrappers; the last one samples."""

    class_obj = SimpleNamespace(cfg=1.0)

    def __init__(
        self,
        wrapper: Callable[..., torch.Tensor] | None = None,
        inner: Callable[..., torch.Tensor] | None = None,
    ) -> None:
        self._wrapper, self._inner = wrapper, inner

    def __call__(self, noise: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self._wrapper is not None:
            return self._wrapper(self._inner, noise, *args, **kwargs)
        return torch.from_numpy(sample_euler(_MODEL, noise.numpy(), STEPS))


def make_trips(nodes: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return the trips by name; all of them use one file."""
    recorded, recording = nodes["Gen5Record"]().record(Model(), unique_id="record")
    latent = recorded.sample(SEED)
    images = latent["samples"].movedim(1, -1).clamp(0, 1)

    def save() -> Any:
        return nodes["Gen5Save"]().save(
            "trips", images, latent, recording=recording, prompt=graph(SEED), unique_id="save"
        )

    def load() -> Any:
        file = "trips_00001_.gen5 [output]"
        nodes["Gen5Load"].IS_CHANGED(file)
        return nodes["Gen5Load"]().load(file)["result"][4]

    def replay() -> Any:
        again = nodes["Gen5Replay"]().replay(Model(), load())[0].sample(SEED + 1)
        assert again["samples"].equal(latent["samples"])

    return {"save": save, "load": load, "replayed run": replay}


def trace(root: Path) -> dict[str, Trace]:
    """Return the trace of each trip in the checkout at root."""
    kinds = SimpleNamespace(OUTER_SAMPLE="outer", SAMPLER_SAMPLE="sampler", APPLY_MODEL="model")
    sys.modules["comfy.patcher_extension"] = SimpleNamespace(WrappersMP=kinds)  # type: ignore[assignment]
    tracer = Tracer(root)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GEN5_FOLDER": folder, "GEN5_HOME": folder}
        for name, trip in make_trips(load_pack(root).NODE_CLASS_MAPPINGS).items():
            trip()
            with tracer.tracing() as found[name]:
                trip()
    return found


def main() -> None:
    """Print a row for each trip through the checkout at ROOT; the default is this checkout."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
    print(f"{'trip':<14}{'gen5core':>9}{'nodes':>7}{'modules':>9}{'files opened':>14}")
    for name, traced in trace(root).items():
        counts = [sum(path.startswith(package) for path in traced.modules) for package in PACKAGES]
        print(f"{name:<14}{counts[0]:>9}{counts[1]:>7}{sum(counts):>9}{len(traced.opened):>14}")


if __name__ == "__main__":
    main()

"""What Record Sampling and Replay Sampling add to a KSampler's run, within one ComfyUI process.

Usage: ``python benchmarks/sampling.py``. The measuring itself runs in the Python of each ComfyUI found (see
``scripts/comfyui.py``), which calls this file with the folder to save to.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from in_comfyui import load_comfyui, run_in_each
from measure import Ratio, milliseconds, time_against
from table import print_table

TEST_MODEL = Path(__file__).resolve().parents[1] / "tests" / "comfyui" / "pack" / "model.py"
SAMPLERS = ("euler", "euler_ancestral")
STEPS, ROUNDS = 20, 100
LATENT_SHAPE = (1, 4, 128, 128)
HIDDEN = 64
"""Channels of the model; a step then takes some 10 ms on a CPU, no more than one of a real model on any hardware.
Many short runs tell small differences apart, a few long ones do not."""
SEED = 156680208700286
PLAIN, AGAIN = "KSampler alone", "KSampler alone, once more"
RECORD, REPLAY = "behind Record Sampling", "behind Replay Sampling"
TARGETS = {"euler": 1.01, "euler_ancestral": 1.05}
KEEPING_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(10**8), "MALLOC_TRIM_THRESHOLD_": str(10**9)}
"""The C library keeps freed memory. Else it hands it back and takes it anew as chance has it, and the page faults of
the model's own activations cost now nothing and now half of a run."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one way of sampling took."""

    sampler: str
    name: str
    seconds: float
    """Median."""
    ratio: Ratio
    """To the KSampler alone in the same round. That of its second turn tells how exact the others are."""
    held_bytes: int | None = None
    """Memory of the tensors that a recording of one run holds."""
    needed_bytes: int | None = None
    """The same by their shapes: the noise, and as much for each draw of step noise."""


def bench_sampling(folder: Path) -> None:
    """Print a table for each ComfyUI found; say so where there is none."""
    for version, told in run_in_each(Path(__file__), folder, KEEPING_MEMORY):
        _print(version, [Result(**{**entry, "ratio": Ratio(*entry["ratio"])}) for entry in told])


def _print(version: str, results: list[Result]) -> None:
    print_table(
        f"Sampling {STEPS} steps of a 128 × 128 latent on the CPU, one thread, in ComfyUI {version}: "
        f"medians of {ROUNDS} rounds",
        ("sampler", "what", "time", "a step", "time / alone", "95 % interval", "target", "held", "by shapes"),
        [
            (
                result.sampler,
                result.name,
                milliseconds(result.seconds),
                milliseconds(result.seconds / STEPS),
                f"{result.ratio.median:.3f}",
                "" if result.name == PLAIN else f"{result.ratio.low:.3f} to {result.ratio.high:.3f}",
                f"≤ {TARGETS[result.sampler]:.2f}" if result.name in (RECORD, REPLAY) else "",
                _megabytes(result.held_bytes),
                _megabytes(result.needed_bytes),
            )
            for result in results
        ],
    )


def _megabytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e6:.2f} MB"


def measure(folder: Path) -> list[Result]:
    """Return what each way takes, all in this process, which is a ComfyUI without its server."""
    stock_nodes, pack = load_comfyui(folder)
    import comfy.utils
    import torch

    torch.set_num_threads(1)  # several wait for each other wherever the cores are shared
    comfy.utils.PROGRESS_BAR_ENABLED = False
    results = []
    for sampler in SAMPLERS:
        calls, run = _calls(stock_nodes, pack.NODE_CLASS_MAPPINGS, sampler)
        memory = {RECORD: (_held_bytes(run), _needed_bytes(sampler))}
        for name, (seconds, ratio) in time_against(PLAIN, calls, ROUNDS).items():
            results.append(Result(sampler, name, seconds, ratio, *memory.get(name, (None, None))))
    return results


def _held_bytes(run: Any) -> int:
    """Return the memory of every tensor of a recorded run, each block once."""
    tensors = [*run.noise, *run.start_latent, *(run.noise_mask or ()), run.step_noise]
    blocks = [tensor.untyped_storage() for tensor in tensors if tensor is not None]
    return sum({block.data_ptr(): block.nbytes() for block in blocks}.values())


def _needed_bytes(sampler: str) -> int:
    """Return what float32 noise takes, and as much for every step but the last, which adds none."""
    draws = STEPS - 1 if sampler == "euler_ancestral" else 0
    return 4 * math.prod(LATENT_SHAPE) * (1 + draws)


def _calls(stock: Any, nodes: Mapping[str, Any], sampler: str) -> tuple[dict[str, Callable[[], object]], Any]:
    """Return the ways of sampling, tried once to be what they are called, and the run that was recorded."""
    import torch

    model = _make_model()
    texts = torch.randn(2, 77, HIDDEN, generator=torch.Generator().manual_seed(1))
    positive, negative = ([[text[None], {"pooled_output": None}]] for text in texts)

    def sample(wrapped: Any, seed: int = SEED) -> Any:
        latent = {"samples": torch.zeros(LATENT_SHAPE)}
        settings = (seed, STEPS, 7.0, sampler, "normal", positive, negative, latent)
        return stock.KSampler().sample(wrapped, *settings)[0]

    recorded, recording = nodes["Gen5Record"]().record(model)
    result = sample(recorded)
    saved = nodes["Gen5Save"]().save("sampling/x", latent=result, recording=recording)
    assert saved["ui"]["gen5"][0]["noise_source"] == "recorded", saved["ui"]
    replayed = nodes["Gen5Replay"]().replay(model, saved["result"][1])[0]
    assert sample(replayed, seed=1)["samples"].equal(result["samples"])
    calls = {
        PLAIN: lambda: sample(model),
        AGAIN: lambda: sample(model),
        RECORD: lambda: sample(recorded),
        REPLAY: lambda: sample(replayed),
    }
    return calls, recording.runs[0]


def _make_model() -> Any:
    """Return the tests' model, made larger."""
    spec = importlib.util.spec_from_file_location("gen5_test_model", TEST_MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.HIDDEN = HIDDEN
    return module.TestModel().make("eps", 0, False)[0]


def main() -> None:
    """Measure within a ComfyUI if a folder is named; else find each ComfyUI and print its table."""
    if len(sys.argv) > 1:
        print(json.dumps([asdict(result) for result in measure(Path(sys.argv[1]))]))
        return
    with tempfile.TemporaryDirectory() as folder:
        bench_sampling(Path(folder))


if __name__ == "__main__":
    main()

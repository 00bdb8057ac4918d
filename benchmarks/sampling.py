"""The time that recording and replaying add to a KSampler, and that the hook adds to a queued prompt.

Usage: ``python benchmarks/run.py sampling``, or ``python benchmarks/sampling.py`` alone. The measurement runs in the
Python of each ComfyUI found (see ``scripts/comfyui.py``), which runs this file with the output folder as its argument.
One sampler is of the node pack RES4LYF, if that lies where ``make test-packs`` looks for packs.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from in_comfyui import load_comfyui, run_in_each
from measure import Ratio, milliseconds, processor_time, time_against
from table import print_table

TEST_MODEL = Path(__file__).resolve().parents[1] / "tests" / "comfyui" / "pack" / "model.py"
SAMPLERS = ("euler", "euler_ancestral")
PACK_SAMPLER = "res_2m"
"""Of RES4LYF: it draws by a generator of its own, twice a step."""
PACKS = Path(os.environ.get("GEN5_PACKS") or "~/gen5-packs").expanduser()
PACKS_PYTHON = Path(os.environ.get("GEN5_PACKS_PYTHON") or "~/gen5-packs-python").expanduser()
STEPS, ROUNDS = 20, 100
LATENT_SHAPE = (1, 4, 128, 128)
HIDDEN = 64
"""Channels of the model: a step takes about 10 ms on a CPU, no more than a step of a real model on any hardware.
Many short runs resolve small differences better than a few long ones."""
SEED = 156680208700286
PLAIN, AGAIN = "KSampler without this pack", "the same once more"
ITSELF, RECORD, REPLAY = "recorded by itself", "behind Record Sampling", "behind Replay Sampling"
TARGETS = {"euler": 1.01, "euler_ancestral": 1.05, PACK_SAMPLER: 1.05}
HOOK, HOOK_TARGET_SECONDS = "hook", 0.050
HOOK_SAMPLERS = 111
"""Of a prompt of 1000 nodes, nine to a sampler and its save, and one loader."""
KEEPING_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(10**8), "MALLOC_TRIM_THRESHOLD_": str(10**9)}
"""Makes the C library keep freed memory. Otherwise it returns memory to the system at random times, and page faults
in the model's activations take anything between none and half of a run."""


@dataclass(frozen=True, slots=True)
class Result:
    """The cost of one way of sampling."""

    sampler: str
    name: str
    seconds: float
    """Median."""
    ratio: Ratio
    """To the KSampler alone in the same round. The ratio of AGAIN shows how precise the others are."""
    held_bytes: int | None = None
    """Memory of the tensors in a recording of one run."""
    needed_bytes: int | None = None
    """The memory expected from their shapes: the noise, and the same for each draw of step noise."""


def bench_sampling(folder: Path) -> None:
    """Print a table for each ComfyUI found."""
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(PACKS_PYTHON)]))
    for version, entries in run_in_each(Path(__file__), folder, {**KEEPING_MEMORY, "PYTHONPATH": path}):
        _print(version, [Result(**{**entry, "ratio": Ratio(*entry["ratio"])}) for entry in entries])


def _print(version: str, results: list[Result]) -> None:
    [hook, *results] = results
    print(
        f"\nHook before a prompt of 1000 nodes with {HOOK_SAMPLERS} samplers, each saved, in ComfyUI {version}: "
        f"{milliseconds(hook.seconds)} of processor time (target ≤ {milliseconds(HOOK_TARGET_SECONDS)})"
    )
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
                f"≤ {TARGETS[result.sampler]:.2f}" if result.name not in (PLAIN, AGAIN) else "",
                _megabytes(result.held_bytes),
                _megabytes(result.needed_bytes),
            )
            for result in results
        ],
    )


def _megabytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e6:.2f} MB"


def measure(folder: Path) -> list[Result]:
    """Measure every way of sampling in this process, which is a ComfyUI without its server."""
    stock_nodes, pack = load_comfyui(folder)
    import comfy.utils
    import torch

    torch.set_num_threads(1)  # with shared cores, several threads would wait for each other
    comfy.utils.PROGRESS_BAR_ENABLED = False
    asyncio.run(stock_nodes.init_builtin_extra_nodes())
    stock_nodes.NODE_CLASS_MAPPINGS.update(pack.NODE_CLASS_MAPPINGS)
    results = [_measure_hook(pack)]
    for sampler in (*SAMPLERS, *_load_res4lyf(stock_nodes)):
        calls, run = _calls(stock_nodes, pack.NODE_CLASS_MAPPINGS, sampler)
        memory = {RECORD: (_held_bytes(run), _needed_bytes(sampler))}
        for name, (seconds, ratio) in time_against(PLAIN, calls, ROUNDS).items():
            results.append(Result(sampler, name, seconds, ratio, *memory.get(name, (None, None))))
    return results


def _measure_hook(pack: Any) -> Result:
    """Return the processor time that the hook takes of the event loop for one large prompt."""
    on_prompt = importlib.import_module(f"{pack.__name__}.nodes.prompt.on_prompt")
    prompt = _many_samplers()
    assert len(prompt) == 1000, len(prompt)
    seconds = processor_time(lambda: on_prompt.handle_prompt({"prompt": prompt}), 20)
    changed = on_prompt.handle_prompt({"prompt": prompt})["prompt"]
    assert len(changed) > len(prompt)  # it did its work
    return Result(HOOK, HOOK, seconds, Ratio(1, 1, 1))


def _many_samplers() -> dict[str, Any]:
    prompt: dict[str, Any] = {
        "0": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}}
    }
    for number in range(HOOK_SAMPLERS):
        seed, text, negative, empty, latent, image, save, switch, model = (
            str(9 * number + 1 + each) for each in range(9)
        )
        samples = {"seed": [seed, 0], "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal"}
        prompt |= {
            seed: {"class_type": "PrimitiveInt", "inputs": {"value": number}},
            text: {"class_type": "CLIPTextEncode", "inputs": {"clip": ["0", 1], "text": f"cat {number}"}},
            negative: {"class_type": "CLIPTextEncode", "inputs": {"clip": ["0", 1], "text": "blurry"}},
            empty: {
                "class_type": "EmptyLatentImage",
                "inputs": {"width": 512, "height": 512, "batch_size": 1},
            },
            switch: {"class_type": "RepeatLatentBatch", "inputs": {"samples": [empty, 0], "amount": 1}},
            model: {
                "class_type": "FreeU",
                "inputs": {"model": ["0", 0], "b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.2},
            },
            latent: {
                "class_type": "KSampler",
                "inputs": {
                    **samples,
                    "denoise": 1.0,
                    "model": [model, 0],
                    "positive": [text, 0],
                    "negative": [negative, 0],
                    "latent_image": [switch, 0],
                },
            },
            image: {"class_type": "VAEDecode", "inputs": {"samples": [latent, 0], "vae": ["0", 2]}},
            save: {"class_type": "Gen5Save", "inputs": {"images": [image, 0], "filename_prefix": "x"}},
        }
    return prompt


def _load_res4lyf(stock: Any) -> Iterator[str]:
    """Yield a sampler of RES4LYF if it is found; it needs ComfyUI's server to load, which is not started."""
    folder = PACKS / "RES4LYF"
    if not folder.is_dir():
        return
    import server

    async def load() -> bool:
        server.PromptServer(asyncio.get_running_loop())
        loaded: bool = await stock.load_custom_node(str(folder))
        return loaded

    if asyncio.run(load()):
        yield PACK_SAMPLER


@contextmanager
def _as_without_pack() -> Iterator[None]:
    """Sample as ComfyUI does without this pack."""
    import comfy.samplers

    guiders = comfy.samplers.CFGGuider
    recorded = guiders.sample
    guiders.sample = recorded.__wrapped__
    try:
        yield
    finally:
        guiders.sample = recorded


def _held_bytes(run: Any) -> int:
    """Return the memory of all tensors of a recorded run, counting shared storage once."""
    draws = () if run.step_noise is None else run.step_noise.parts
    tensors = [*run.noise, *run.start_latent, *(run.noise_mask or ()), *draws]
    blocks = [tensor.untyped_storage() for tensor in tensors]
    return sum({block.data_ptr(): block.nbytes() for block in blocks}.values())


def _needed_bytes(sampler: str) -> int | None:
    """Return the size of float32 noise, plus that of the draws at every step except the last, which adds none."""
    draws = {"euler_ancestral": STEPS - 1, PACK_SAMPLER: None}.get(sampler, 0)
    return None if draws is None else 4 * math.prod(LATENT_SHAPE) * (1 + draws)


def _calls(stock: Any, nodes: Mapping[str, Any], sampler: str) -> tuple[dict[str, Callable[[], object]], Any]:
    """Return the calls to measure, after checking that they record and replay, and the recorded run."""
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
        PLAIN: _as_without_pack()(functools.partial(sample, model)),
        AGAIN: _as_without_pack()(functools.partial(sample, model)),
        ITSELF: lambda: sample(model),
        RECORD: lambda: sample(recorded),
        REPLAY: lambda: sample(replayed),
    }
    return calls, recording.runs[0]


def _make_model() -> Any:
    """Return the model of the tests, enlarged."""
    spec = importlib.util.spec_from_file_location("gen5_test_model", TEST_MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.HIDDEN = HIDDEN
    return module.TestModel().make("eps", 0, False)[0]


def main() -> None:
    """Measure in this process if a folder is given; otherwise run in each ComfyUI found and print its table."""
    if len(sys.argv) > 1:
        print(json.dumps([asdict(result) for result in measure(Path(sys.argv[1]))]))
        return
    with tempfile.TemporaryDirectory() as folder:
        bench_sampling(Path(folder))


if __name__ == "__main__":
    main()

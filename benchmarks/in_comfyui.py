"""Save Gen5 compared with the stock Save Image and Save Latent that it replaces, in one ComfyUI process.

Usage: ``python benchmarks/run.py comfyui``, or ``python benchmarks/in_comfyui.py`` alone. The
measurement runs in the Python of each ComfyUI found (see ``scripts/comfyui.py``), which runs this file with the
output folder as its argument.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from material import make_image, make_workflow
from measure import milliseconds, time_in_turns
from table import print_table

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
BATCHES = (1, 4)
ROUNDS = 15
STOCK, OURS = "Save Image + Save Latent", "Save Gen5"
LATENT_SHAPE = (4, 128, 128)
SEED = 156680208700286
SAVE_NODE = "8"
PROMPT: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "none.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a lighthouse at dawn"}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "blurry"}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 1024, "height": 1024, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["3", 0],
            "latent_image": ["4", 0],
            "seed": SEED,
            "steps": 20,
            "cfg": 7.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    SAVE_NODE: {
        "class_type": "Gen5Save",
        "inputs": {"images": ["6", 0], "latent": ["5", 0], "filename_prefix": "ours/x"},
    },
}


@dataclass(frozen=True, slots=True)
class Result:
    """The cost of one way of saving: median seconds, and bytes written per save."""

    batch: int
    name: str
    seconds: float
    size_bytes: int


def bench_comfyui(folder: Path) -> None:
    """Print a table for each ComfyUI found."""
    for version, entries in run_in_each(Path(__file__), folder):
        _print(version, [Result(**entry) for entry in entries])


def run_in_each(
    script: Path, folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run script with the Python of each ComfyUI found; yield the version and the JSON in its last line of output.

    The script gets a new output folder as its argument, and variables in addition to the environment. A ComfyUI
    that cannot be measured is reported and skipped.
    """
    sys.path.append(str(SCRIPTS))
    from comfyui_install import InstallError, environment, find_installs, missing_packages

    try:
        installs = find_installs(os.environ)
    except InstallError as error:
        print(f"\nno ComfyUI measured: {error}")
        return
    if not installs:
        print("\nno ComfyUI found: the benchmarks in ComfyUI are skipped")
    for install in installs:
        if missing := missing_packages(install):
            print(f"\nComfyUI {install.version} is not measured: its Python lacks {', '.join(missing)}")
            continue
        target = folder / f"{script.stem}-{install.version}"
        target.mkdir()
        line = [str(install.python), str(script.resolve()), str(target)]
        environ = {**environment(install, target, os.environ), **(variables or {})}
        done = subprocess.run(
            line, cwd=install.root, env=environ, stdout=subprocess.PIPE, text=True, check=True
        )
        yield install.version, json.loads(done.stdout.strip().rpartition("\n")[2])


def _print(version: str, results: list[Result]) -> None:
    stock = {result.batch: result.seconds for result in results if result.name == STOCK}
    print_table(
        f"Saving 1024² images, their latent and a 60 kB workflow, in ComfyUI {version}",
        ("images", "what", "time", "time / stock pair", "written"),
        [
            (
                str(result.batch),
                result.name,
                milliseconds(result.seconds),
                f"{result.seconds / stock[result.batch]:.2f}",
                f"{result.size_bytes / 1e6:.2f} MB",
            )
            for result in results
        ],
    )


def measure(folder: Path) -> list[Result]:
    """Measure every way of saving in this process, which is a ComfyUI without its server."""
    stock_nodes, pack = load_comfyui(folder)
    results = []
    for batch in BATCHES:
        calls = _calls(stock_nodes, pack.NODE_CLASS_MAPPINGS["Gen5Save"], batch)
        sizes = {name: _written_bytes(folder, call) for name, call in calls.items()}
        times = time_in_turns(calls, ROUNDS)
        results += [Result(batch, name, times[name], sizes[name]) for name in calls]
    return results


def load_comfyui(folder: Path) -> tuple[Any, Any]:
    """Return ComfyUI's module ``nodes``, set up to save under folder, and this pack."""
    sys.path[:0] = [os.getcwd()]
    sys.path.append(str(SCRIPTS))
    sys.argv[1:] = ["--cpu", "--base-directory", str(folder)]
    import comfy.options

    comfy.options.enable_args_parsing()
    import folder_paths
    from load_pack import load_pack

    import nodes

    Path(folder_paths.get_output_directory()).mkdir(parents=True, exist_ok=True)
    return nodes, load_pack()


def _calls(stock: Any, gen5_save: Any, batch: int) -> dict[str, Callable[[], object]]:
    import torch

    picture = torch.from_numpy(make_image()).float() / 255
    images = torch.stack([picture.roll(37 * number, dims=1) for number in range(batch)])
    latent = {"samples": torch.randn(batch, *LATENT_SHAPE, generator=torch.Generator().manual_seed(SEED))}
    hidden = {"prompt": PROMPT, "extra_pnginfo": {"workflow": make_workflow()}}
    save_image, save_latent, save_gen5 = stock.SaveImage(), stock.SaveLatent(), gen5_save()

    def pair() -> None:
        save_image.save_images(images, filename_prefix="stock/x", **hidden)
        save_latent.save(latent, filename_prefix="stock/x", **hidden)

    def ours() -> None:
        inputs = {"images": images, "latent": latent, "filename_prefix": "ours/x"}
        [saved] = save_gen5.save(**inputs, **hidden, unique_id=SAVE_NODE)["ui"]["gen5"]
        assert saved["noise_source"] == "derived", saved  # the starting noise was found and stored

    return {STOCK: pair, OURS: ours}


def _written_bytes(folder: Path, call: Callable[[], object]) -> int:
    before = _size(folder)
    call()
    return _size(folder) - before


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "output").rglob("*") if path.is_file())


def main() -> None:
    """Measure in this process if a folder is given; otherwise run in each ComfyUI found and print its table."""
    if len(sys.argv) > 1:
        results = measure(Path(sys.argv[1]))
        fields = ("batch", "name", "seconds", "size_bytes")
        print(json.dumps([{name: getattr(result, name) for name in fields} for result in results]))
        return
    with tempfile.TemporaryDirectory() as folder:
        bench_comfyui(Path(folder))


if __name__ == "__main__":
    main()

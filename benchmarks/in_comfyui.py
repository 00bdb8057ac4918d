"""Save Gen5 against the stock Save Image and Save Latent that it replaces, within one ComfyUI process.

Usage: ``python benchmarks/run.py comfyui``, or ``python benchmarks/in_comfyui.py`` alone. The measuring
itself runs in the Python of each ComfyUI found (see ``scripts/comfyui.py``), which calls this file with the
folder to save to.
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
    """What one way of saving took: median seconds, and bytes written a save."""

    batch: int
    name: str
    seconds: float
    size_bytes: int


def bench_comfyui(folder: Path) -> None:
    """Print a table for each ComfyUI found; say so where there is none."""
    for version, told in run_in_each(Path(__file__), folder):
        _print(version, [Result(**entry) for entry in told])


def run_in_each(
    script: Path, folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run script with the Python of each ComfyUI found; yield the version and the JSON of its last line.

    The script gets a new folder to save to, and further environment variables. Where nothing can be measured,
    that is printed.
    """
    sys.path.append(str(SCRIPTS))
    from comfyui_install import InstallError, environment, find_installs, missing_packages

    try:
        installs = find_installs(os.environ)
    except InstallError as error:
        print(f"\nno ComfyUI measured: {error}")
        return
    if not installs:
        print("\nno ComfyUI found: nothing is measured in one")
    for install in installs:
        if missing := missing_packages(install):
            print(f"\nComfyUI {install.version} is not measured: its Python lacks {', '.join(missing)}")
            continue
        place = folder / f"{script.stem}-{install.version}"
        place.mkdir()
        line = [str(install.python), str(script.resolve()), str(place)]
        own = {**environment(install, place, os.environ), **(variables or {})}
        done = subprocess.run(line, cwd=install.root, env=own, stdout=subprocess.PIPE, text=True, check=True)
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
    """Return what each way takes, all in this process, which is a ComfyUI without its server."""
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
        [told] = save_gen5.save(**inputs, **hidden, unique_id=SAVE_NODE)["ui"]["gen5"]
        assert told["noise_source"] == "derived", told  # it has found and stored the starting noise

    return {STOCK: pair, OURS: ours}


def _written_bytes(folder: Path, call: Callable[[], object]) -> int:
    before = _size(folder)
    call()
    return _size(folder) - before


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "output").rglob("*") if path.is_file())


def main() -> None:
    """Measure within a ComfyUI if a folder is named; else find each ComfyUI and print its table."""
    if len(sys.argv) > 1:
        results = measure(Path(sys.argv[1]))
        fields = ("batch", "name", "seconds", "size_bytes")
        print(json.dumps([{name: getattr(result, name) for name in fields} for result in results]))
        return
    with tempfile.TemporaryDirectory() as folder:
        bench_comfyui(Path(folder))


if __name__ == "__main__":
    main()

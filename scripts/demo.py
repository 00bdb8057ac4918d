"""The whole cycle: an image from known noise, one file, and the same image again from that file.

Usage: ``make demo``, or ``python scripts/demo.py [FOLDER] [--seed N] [--no-comfyui]``. It runs through the
node classes in this Python and, if a ComfyUI is found, through a real server with stock KSamplers. The files,
their pictures and FOLDER/comparison.png are kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from closed_form import ClosedFormModel, sample_euler, to_pixels
from comfyui_install import InstallError, find_installs
from comparison import compare, side_by_side, write_picture
from demo_comfyui import run_in_comfyui
from load_pack import load_pack

import gen5core

STEPS = 32
NONE_FOUND = (
    "none found at COMFYUI_PATH or ~/ComfyUI*; to get one: pip install comfy-cli && comfy install, "
    "then COMFYUI_PATH=~/comfy/ComfyUI make demo"
)


def graph(seed: int) -> dict[str, dict[str, Any]]:
    """Return a prompt graph, from which Save Gen5 takes the sampler's settings."""
    sampler = {
        "model": ["sky", 0],
        "seed": seed,
        "steps": STEPS,
        "sampler_name": "euler",
        "scheduler": "karras",
        "positive": ["text", 0],
        "latent_image": ["sky", 1],
    }
    return {
        "sky": {"class_type": "ClosedFormSky", "inputs": {}},
        "text": {"class_type": "SkyText", "inputs": {"text": "a sky, drawn by a closed-form model"}},
        "sampler": {"class_type": "ClosedFormSampler", "inputs": sampler},
        "save": {"class_type": "Gen5Save", "inputs": {"latent": ["sampler", 0]}},
    }


def sample(noise: torch.Tensor) -> torch.Tensor:
    """Sample the model from noise; both arrays have the shape (1, 3, H, W)."""
    return torch.from_numpy(sample_euler(ClosedFormModel(), noise.numpy(), STEPS))


def save(node: Any, noise: torch.Tensor, result: torch.Tensor, seed: int) -> Path:
    """Save a result with everything that made it, as the node does in a graph; return the path."""
    start = time.perf_counter()
    output = node.save(
        filename_prefix="sky",
        images=result.movedim(1, -1).clamp(0, 1),
        latent={"samples": result},
        noise={"samples": noise},
        tags="demo",
        prompt=graph(seed),
        unique_id="save",
    )
    path: Path = output["result"][1].path
    print(f"Save Gen5: {path} in {(time.perf_counter() - start) * 1e3:.0f} ms")
    return path


def run_command(*arguments: str) -> bool:
    """Run the command line and show its output; return whether it succeeded."""
    print(f"\n$ gen5core {' '.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, "-m", "gen5core", *arguments], check=False).returncode == 0


def run_node_classes(folder: Path, seed: int) -> bool:
    """Run the cycle through Save Gen5 and Load Gen5 in this process; return whether it succeeded."""
    nodes = load_pack().NODE_CLASS_MAPPINGS
    os.environ["GEN5_FOLDER"] = str(folder)
    shape = (1, *ClosedFormModel().shape)
    noise = gen5core.comfy_noise(shape, seed, dtype=torch.float32)
    start = time.perf_counter()
    first = sample(noise)
    print(f"sampled {STEPS} steps from the noise of seed {seed} in {time.perf_counter() - start:.2f} s")
    path = save(nodes["Gen5Save"](), noise, first, seed)

    picture = folder / "sky.png"
    passed = [
        run_command("info", str(path)),
        run_command("verify", str(path)),
        run_command("extract", str(path), "--image", "-o", str(picture), "--force"),
        run_command("env", str(path)),
    ]
    stored = nodes["Gen5Load"]().load(f"{path.name} [output]")["result"][0]["samples"]
    again = sample(stored)
    other = sample(gen5core.comfy_noise(shape, seed + 1, dtype=torch.float32))
    verdict, control = compare(first.numpy(), again.numpy()), compare(first.numpy(), other.numpy())
    print(f"\nLoad Gen5, sampled again from its noise: {verdict}")
    print(f"sampled from other noise (seed {seed + 1}): L∞ {control.largest:.3g}")
    write_picture(folder / "comparison.png", side_by_side(to_pixels(first.numpy()), to_pixels(again.numpy())))
    print(f"look at {picture} and {folder / 'comparison.png'}")
    return verdict.identical and not control.identical and all(passed)


def run_where_found(folder: Path, seed: int) -> bool:
    """Run the cycle inside the newest ComfyUI; if there is none, print how to get one.

    Returns
    -------
    False if the cycle failed, or if COMFYUI_PATH names a ComfyUI that cannot be used
    """
    try:
        installs = find_installs(os.environ)
        if not installs:
            print(NONE_FOUND)
            return True
        location = str(installs[0].root).replace(str(Path.home()), "~", 1)
        print(f"ComfyUI {installs[0].version} of {location}, on the CPU")
        return run_in_comfyui(installs[0], folder, seed)
    except InstallError as error:
        print(f"not run in a ComfyUI: {error}")
        return not os.environ.get("COMFYUI_PATH")


def main() -> int:
    """Return 0 if every image is reproduced bit for bit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-comfyui", action="store_true", help="only through the node classes")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print("== Through the node classes, no ComfyUI needed ==")
    exact = run_node_classes(options.folder, options.seed)
    if not options.no_comfyui:
        print("\n== Through a real ComfyUI ==")
        exact &= run_where_found(options.folder, options.seed)
    return 0 if exact else 1


if __name__ == "__main__":
    raise SystemExit(main())

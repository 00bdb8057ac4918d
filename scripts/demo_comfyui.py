"""The cycle inside a real ComfyUI: stock KSamplers, with a server restart between save and load."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from comfyui_install import PACK, PACK_NAME, REQUIREMENTS, Install, InstallError, missing_packages
from comfyui_server import Graph, Server
from comparison import compare, side_by_side, write_picture

import gen5core

DEMO_PACK_NAME = "gen5-demo-pack"
TEXT = "a sky, drawn by a closed-form model"
STEPS = 32
MODEL, EMPTY_LATENT = ["sky", 0], ["sky", 1]
"""Outputs of the demo pack's ClosedFormSky."""


class SkyServer(Server):
    """A ComfyUI with the demo's model as an additional pack."""

    packs: ClassVar[Mapping[str, Path]] = {
        PACK_NAME: PACK,
        DEMO_PACK_NAME: Path(__file__).resolve().parent / "demo_pack",
    }

    def start(self) -> None:
        """Start the server and print how long it took."""
        begin = time.perf_counter()
        super().start()
        print(f"server started in {time.perf_counter() - begin:.0f} s", flush=True)


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of a file that ComfyUI saved."""

    path: Path
    noise_source: str
    noise: npt.NDArray[np.float32]
    result: npt.NDArray[np.float32]
    picture: npt.NDArray[np.uint8]


def sky_graph(prefix: str, seed: int) -> Graph:
    """Return a graph of Record Sampling, a stock KSampler and Save Gen5."""
    sampler = {
        "model": ["record", 0],
        "seed": seed,
        "steps": STEPS,
        "cfg": 1.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "positive": ["text", 0],
        "negative": ["text", 0],
        "latent_image": EMPTY_LATENT,
        "denoise": 1.0,
    }
    save = {
        "filename_prefix": prefix,
        "images": ["picture", 0],
        "latent": ["sampler", 0],
        "recording": ["record", 1],
    }
    return {
        "sky": {"class_type": "ClosedFormSky", "inputs": {}},
        "text": {"class_type": "SkyText", "inputs": {"text": TEXT}},
        "record": {"class_type": "Gen5Record", "inputs": {"model": MODEL}},
        "sampler": {"class_type": "KSampler", "inputs": sampler},
        "picture": {"class_type": "SkyPicture", "inputs": {"samples": ["sampler", 0]}},
        "save": {"class_type": "Gen5Save", "inputs": save},
    }


def sky_again_graph(prefix: str, seed: int, file: str) -> Graph:
    """Return the graph with Load Gen5's noise wired into the KSampler's latent_image."""
    graph = sky_graph(prefix, seed)
    graph["load"] = {"class_type": "Gen5Load", "inputs": {"file": file, "on_drift": "warn"}}
    graph["sampler"]["inputs"]["latent_image"] = ["load", 0]
    return graph


def run_in_comfyui(install: Install, folder: Path, seed: int) -> bool:
    """Save in one server, load in the next, and return whether the results are equal bit for bit.

    Raises
    ------
    InstallError
        if install lacks packages that the nodes need.
    """
    if missing := missing_packages(install):
        raise InstallError(
            f"{install.root} lacks {', '.join(missing)}; to install: "
            f"{install.python} -m pip install -r {REQUIREMENTS}"
        )
    base = folder / f"comfyui-{install.version}"
    server = SkyServer(install, base.resolve())
    with server:
        first = _run(server, sky_graph("sky", seed))
        print(f"Record Sampling, KSampler (seed {seed}), Save Gen5: noise {first.noise_source}")
    print("server stopped")
    with server:
        again = _run(server, sky_again_graph("again", seed + 1, f"{first.path.name} [output]"))
        other = _run(server, sky_graph("other", seed + 1))
    verdict, control = compare(first.result, again.result), compare(first.result, other.result)
    print(f"Load Gen5's noise straight into a KSampler (seed {seed + 1}): {verdict}")
    print(f"the same KSampler without the file: L∞ {control.largest:.3g}")
    picture = folder / "comparison-comfyui.png"
    write_picture(picture, side_by_side(first.picture, again.picture))
    print(f"look at {picture} and at the files in {base / 'output'}")
    return verdict.identical and compare(first.noise, again.noise).identical and not control.identical


def _run(server: Server, graph: Graph) -> Saved:
    """Run graph and read the file that its Save Gen5 wrote."""
    (saved,) = server.run(graph)["save"]["gen5"]
    path = server.output / saved["subfolder"] / saved["filename"]
    with gen5core.open(path) as file:
        noise, result = (file.latents[name].array() for name in ("initial_noise", "final_latent"))
        return Saved(path, saved["noise_source"], noise, result, file.images[0].array())

"""Print the tables of docs/measured.md: ratios to comparable tools, all figures of a table from the same run.

Usage: ``make bench``, or ``python benchmarks/run.py NAME …`` with names from ``BENCHES`` below.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from carrier import bench_carrier
from in_comfyui import bench_comfyui
from library import bench_library, bench_many
from material import make_image, make_latents, make_workflow
from measure import milliseconds, time_in_turns
from PIL import Image
from processes import bench_import, bench_memory
from safetensors.numpy import save_file
from sampling import bench_sampling
from signing import bench_signing
from table import print_table

import gen5core

SETTINGS = {"seed": 1, "steps": 20, "sampler": "euler", "cfg_scale": 7.0, "scheduler": "normal"}
HARDWARE = {"os": "any"}


def sync(path: Path) -> None:
    """Flush a file to disk, as gen5core.save does."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def save_with_peer(path: Path, latents: dict[str, np.ndarray], png: bytes) -> None:
    """Save with gen5 0.1.0, hiding what it prints."""
    from gen5 import Gen5FileHandler

    with contextlib.redirect_stdout(io.StringIO()):
        Gen5FileHandler().file_encoder(
            filename=str(path),
            latent=latents,
            chunk_records=[],
            model_name="m",
            model_version="1",
            prompt="a cat",
            tags=[],
            img_binary=png,
            convert_float16=False,
            generation_settings=dict(SETTINGS),
            hardware_info=dict(HARDWARE),
        )


def bench_save(folder: Path) -> None:
    """Save two 1 MiB latents, a 1024 x 1024 image and a 60 kB workflow; all times include fsync."""
    latents, image, workflow = make_latents(), make_image(), make_workflow()
    paths = {name: folder / f"save.{name}" for name in ("gen5", "peer.gen5", "safetensors", "npz")}

    def ours() -> None:
        gen5core.save(
            paths["gen5"],
            latents=latents,
            images=image,
            settings=SETTINGS,
            prompt="a cat",
            comfyui={"workflow": workflow},
        )

    def peer() -> None:
        png = io.BytesIO()
        Image.fromarray(image).save(png, "PNG")
        save_with_peer(paths["peer.gen5"], latents, png.getvalue())
        sync(paths["peer.gen5"])

    def safetensors() -> None:
        save_file(latents, paths["safetensors"])
        sync(paths["safetensors"])

    def numpy() -> None:
        np.savez(paths["npz"], **latents)
        sync(paths["npz"])

    calls: dict[str, Callable[[], None]] = {
        "gen5core: all of it, with digests": ours,
        "gen5 0.1.0, and the PNG it needs (no workflow)": peer,
        "safetensors: the two latents only": safetensors,
        "numpy .npz: the two latents only": numpy,
    }
    times = time_in_turns(calls, rounds=15)
    base = times["gen5core: all of it, with digests"]
    sizes = [path.stat().st_size for path in paths.values()]
    print_table(
        "Saving two 1 MiB latents, a 1024² image and a 60 kB workflow, fsync included",
        ("what", "time", "time / gen5core", "file"),
        [
            (name, milliseconds(seconds), f"{seconds / base:.2f}", f"{size / 1e6:.2f} MB")
            for (name, seconds), size in zip(times.items(), sizes, strict=True)
        ],
    )


def bench_noise(folder: Path) -> None:
    """Read only the starting noise from a file, checked."""
    path = folder / "noise.gen5"
    latents = make_latents()
    gen5core.save(
        path, latents=latents, images=make_image(), settings=SETTINGS, comfyui={"workflow": make_workflow()}
    )
    peer_path = folder / "peer.gen5"
    png = io.BytesIO()
    Image.fromarray(make_image()).save(png, "PNG")
    save_with_peer(peer_path, latents, png.getvalue())

    def noise() -> np.ndarray:
        with gen5core.open(path) as file:
            return file.latents["initial_noise"].array()

    def metadata() -> str:
        with gen5core.open(path) as file:
            return file.prompt

    def peer() -> np.ndarray:
        from gen5 import Gen5FileHandler

        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Gen5FileHandler().file_decoder(str(peer_path))["chunks"]["latent"][0]

    assert noise().tobytes() == peer().tobytes() == latents["initial_noise"].tobytes()
    times = time_in_turns(
        {
            "gen5core: metadata": metadata,
            "gen5core: 1 MiB of noise, checked": noise,
            "gen5 0.1.0 (reads all, checks nothing)": peer,
        },
        rounds=60,
    )
    base = times["gen5core: 1 MiB of noise, checked"]
    print_table(
        "Reading the noise out of that file",
        ("what", "time", "time / noise"),
        [(name, milliseconds(seconds), f"{seconds / base:.2f}") for name, seconds in times.items()],
    )


def bench_read(folder: Path) -> None:
    """Read 64 MiB in two tensors, compared with the rate of SHA-256 alone."""
    path = folder / "read.gen5"
    rng = np.random.default_rng(3)
    latents = {name: rng.standard_normal(2**23, np.float32) for name in ("initial_noise", "final_latent")}
    gen5core.save(path, latents=latents, compression="none")
    joined = np.concatenate([array.view(np.uint8) for array in latents.values()])
    file = gen5core.open(path)
    times = time_in_turns(
        {
            "SHA-256 alone": lambda: hashlib.sha256(joined.data).digest(),
            "gen5core, 1 thread hashing, 1 reading ahead": lambda: file.latents.arrays(threads=1),
            "gen5core, 2 threads hashing, 2 reading ahead": lambda: file.latents.arrays(threads=2),
            "gen5core, verify(), 1 thread": lambda: file.verify(threads=1),
        },
        rounds=15,
    )
    file.close()
    base = times["SHA-256 alone"]
    print_table(
        "Reading 64 MiB, checked, against hashing them",
        ("what", "time", "rate / SHA-256"),
        [(name, milliseconds(seconds), f"{base / seconds:.2f}") for name, seconds in times.items()],
    )


def bench_open(folder: Path) -> None:
    """Read only the metadata of files from 1 MiB to just under 4 GiB."""
    calls: dict[str, Callable[[], object]] = {}
    paths = []
    for name, count in (
        ("1 MiB", 2**18),
        ("64 MiB", 2**24),
        ("1 GiB", 2**28),
        ("4 GiB − 2 MiB", 2**30 - 2**19),
    ):
        path = folder / f"open-{count}.gen5"
        gen5core.save(
            path,
            latents={"initial_noise": np.zeros(count, np.float32)},
            compression="none",
            prompt="a cat",
            comfyui={"workflow": make_workflow()},
        )
        paths.append(path)
        calls[name] = lambda path=path: _prompt_of(path)
    times = time_in_turns(calls, rounds=200)
    base = times["1 MiB"]
    print_table(
        "Opening for the metadata only",
        ("file", "time", "time / 1 MiB"),
        [(name, milliseconds(seconds), f"{seconds / base:.2f}") for name, seconds in times.items()],
    )
    for path in paths:
        path.unlink()


def _prompt_of(path: Path) -> str:
    with gen5core.open(path) as file:
        return file.prompt


def bench_damage(folder: Path) -> None:
    """Flip one random bit at a time and count how often a reader accepts the damaged file as intact."""
    from gen5 import Gen5FileHandler

    latents = {"initial_noise": np.random.default_rng(4).standard_normal((1, 4, 32, 32), np.float32)}
    image = make_image(64)
    ours, peer = folder / "damage.gen5", folder / "damage-peer.gen5"
    gen5core.save(ours, latents=latents, images=image, settings=SETTINGS)
    png = io.BytesIO()
    Image.fromarray(image).save(png, "PNG")
    save_with_peer(peer, latents, png.getvalue())

    def read_ours(path: Path) -> None:
        with gen5core.open(path) as file:
            file.verify()

    def read_peer(path: Path) -> None:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Gen5FileHandler().file_decoder(str(path))

    flips = 1000
    rows = [
        (name, str(flips), str(_count_accepted(path, read, flips)))
        for name, path, read in (("gen5core", ours, read_ours), ("gen5 0.1.0", peer, read_peer))
    ]
    print_table("Damage: one random bit flipped", ("reader", "files", "accepted as intact"), rows)


def _count_accepted(path: Path, read: Callable[[Path], None], flips: int) -> int:
    rng = np.random.default_rng(5)
    intact = path.read_bytes()
    damaged = path.with_name(f"flipped-{path.name}")
    accepted = 0
    for bit in rng.integers(0, len(intact) * 8, flips):
        data = bytearray(intact)
        data[bit // 8] ^= 1 << (bit % 8)
        damaged.write_bytes(data)
        with contextlib.suppress(Exception):
            read(damaged)
            accepted += 1
    return accepted


BENCHES: dict[str, Callable[[Path], None]] = {
    "save": bench_save,
    "signing": bench_signing,
    "carrier": bench_carrier,
    "noise": bench_noise,
    "read": bench_read,
    "open": bench_open,
    "memory": bench_memory,
    "import": bench_import,
    "damage": bench_damage,
    "comfyui": bench_comfyui,
    "sampling": bench_sampling,
    "library": bench_library,
    "many": bench_many,
}


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    warnings.filterwarnings("ignore", message="The pynvml package", category=FutureWarning)
    for name in sys.argv[1:] or BENCHES:
        with tempfile.TemporaryDirectory() as folder:
            BENCHES[name](Path(folder))


if __name__ == "__main__":
    main()

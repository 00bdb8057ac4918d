"""What a PNG that carries its record costs beside the files that it stands in for, within one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from material import make_image, make_latents, make_workflow
from measure import milliseconds, time_in_turns
from table import print_table

import gen5core
from gen5core.atomic import atomic_file, write_all
from gen5core.images import encode_image

ROUNDS = 25
NODE_PNG_LEVEL = 1
"""What Save Gen5 deflates the PNG with that it writes beside the file."""
SETTINGS = {"seed": 1, "steps": 20, "sampler": "euler", "cfg_scale": 7.0, "scheduler": "normal"}


def bench_carrier(folder: Path) -> None:
    """Two 1 MiB latents, a 1024 x 1024 image, a 60 kB workflow, fsync included everywhere."""
    save, image = _saving(), make_image()

    def beside() -> None:
        png = encode_image(image, level=NODE_PNG_LEVEL)
        save(folder / "beside.gen5", png)
        with atomic_file(folder / "beside.png") as fd:
            write_all(fd, [png])

    calls: dict[str, Callable[[], object]] = {
        "the .gen5 alone": lambda: save(folder / "alone.gen5", image),
        "the .gen5 and a PNG beside it": beside,
        "one PNG that carries it": lambda: save(folder / "carrier.png", image),
    }
    times = time_in_turns(calls, rounds=ROUNDS)
    alone, both = list(times.values())[:2]
    sizes = [
        sum(path.stat().st_size for path in folder.glob(f"{name}.*"))
        for name in ("alone", "beside", "carrier")
    ]
    print_table(
        "Saving two 1 MiB latents, a 1024² image and a 60 kB workflow, as a .gen5 and in a PNG, fsync included",
        ("what", "time", "time / .gen5", "time / .gen5 and PNG", "files"),
        [
            (name, milliseconds(took), f"{took / alone:.2f}", f"{took / both:.2f}", f"{size / 1e6:.2f} MB")
            for (name, took), size in zip(times.items(), sizes, strict=True)
        ],
    )
    _bench_reading(folder)


def _bench_reading(folder: Path) -> None:
    """The same files opened for their metadata, for their noise, and checked whole."""
    reads: dict[str, Callable[[gen5core.Gen5File], object]] = {
        "opened for the prompt": lambda file: file.prompt,
        "1 MiB of noise out of it": lambda file: file.latents["initial_noise"].array(),
        "every byte checked": lambda file: file.verify(),
    }
    rows = []
    for name, read in reads.items():
        times = time_in_turns(
            {path: _reading(folder / path, read) for path in ("alone.gen5", "carrier.png")}, rounds=40
        )
        before, after = times.values()
        rows.append((name, milliseconds(before), milliseconds(after), f"{after / before:.2f}"))
    print_table("Reading them", ("what", ".gen5", "PNG", "PNG / .gen5"), rows)


def _saving() -> Callable[[Path, object], Path]:
    latents, workflow = make_latents(), make_workflow()

    def save(path: Path, image: object) -> Path:
        return gen5core.save(
            path,
            latents=latents,
            images=image,
            settings=SETTINGS,
            prompt="a cat",
            comfyui={"workflow": workflow},
        )

    return save


def _reading(path: Path, read: Callable[[gen5core.Gen5File], object]) -> Callable[[], object]:
    def call() -> object:
        with gen5core.open(path) as file:
            return read(file)

    return call

"""The cost of a PNG that carries its record, compared with the files that it replaces, in one run."""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zstandard
from material import make_image, make_latents, make_workflow
from measure import Ratio, milliseconds, time_against, time_in_turns
from table import print_table

import gen5core
from gen5core.files.atomic import atomic_file, write_all
from gen5core.images.deflate import deflate, store
from gen5core.images.png_encode import encode_image, filtered_up

ALONE = "the .gen5 alone"
BESIDE = "the .gen5 and a PNG beside it"
CARRIED = "one PNG that carries it"
ROUNDS = 25
NODE_PNG_LEVEL = 1
"""The deflate level of the PNG that Save Gen5 writes beside the file."""
SETTINGS = {"seed": 1, "steps": 20, "sampler": "euler", "cfg_scale": 7.0, "scheduler": "normal"}


def bench_carrier(folder: Path) -> None:
    """Save two 1 MiB latents, a 1024 x 1024 image given as pixels, and a 60 kB workflow; all times include fsync.

    Both kinds have the same record and pixels. The .gen5 stores the pixels as a PNG of stored blocks in one zstd
    frame of level 1, which viewers cannot open; the carrier has to deflate them, and to store their digest.
    """
    save, image = _saving(), make_image()

    def beside() -> None:
        png = encode_image(image, level=NODE_PNG_LEVEL)
        save(folder / "beside.gen5", png)
        with atomic_file(folder / "beside.png") as fd:
            write_all(fd, [png])

    calls: dict[str, Callable[[], object]] = {
        ALONE: lambda: save(folder / "alone.gen5", image),
        BESIDE: beside,
        CARRIED: lambda: save(folder / "carrier.png", image),
    }
    alone, both = (time_against(base, calls, ROUNDS) for base in (ALONE, BESIDE))
    processor = {name: _processor_seconds(call) for name, call in calls.items()}
    sizes = [
        sum(path.stat().st_size for path in folder.glob(f"{name}.*"))
        for name in ("alone", "beside", "carrier")
    ]
    print_table(
        "Saving two 1 MiB latents, the pixels of a 1024² image and a 60 kB workflow, fsync included "
        f"(time: median of {ROUNDS} rounds, the ratio that of each round with its 95 % interval; processor time of "
        "all threads: the least; target ≤ 1.5 × the .gen5)",
        ("what", "time", "time / .gen5", "time / .gen5 and PNG", "processor", "processor / .gen5", "files"),
        [
            (
                name,
                milliseconds(alone[name][0]),
                _format_ratio(alone[name][1]),
                _format_ratio(both[name][1]),
                milliseconds(processor[name]),
                f"{processor[name] / processor[ALONE]:.2f}",
                f"{size / 1e6:.2f} MB",
            )
            for name, size in zip(calls, sizes, strict=True)
        ],
    )
    print(f"\nWithin one run on {os.cpu_count()} processors; deflating is what more of them make faster.")
    _bench_deflating(image)
    _bench_reading(folder)


def _bench_deflating(image: np.ndarray) -> None:
    """Measure the processor time of each step of encoding the picture."""
    lines = filtered_up(image)
    deflated = deflate(lines)
    steps: dict[str, Callable[[], object]] = {
        "filter (Up)": lambda: filtered_up(image),
        "deflate": lambda: deflate(lines),
        "the same by zlib, level 1, Z_RLE": lambda: _by_zlib(lines),
        "Adler-32 of the scanlines": lambda: zlib.adler32(lines),
        "SHA-256 of the pixels": lambda: hashlib.sha256(image.data),
        "SHA-256 of the PNG": lambda: hashlib.sha256(deflated),
        "CRC of the IDATs": lambda: zlib.crc32(deflated),
        "zstd of the .gen5's picture": lambda: zstandard.ZstdCompressor(level=1).compress(store(lines)),
    }
    print_table(
        "What a 1024² picture costs",
        ("step", "processor time"),
        [(name, milliseconds(_processor_seconds(call))) for name, call in steps.items()],
    )


def _by_zlib(lines: memoryview) -> bytes:
    encoder = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return encoder.compress(lines) + encoder.flush()


def _processor_seconds(call: Callable[[], object]) -> float:
    """Return the minimum processor time of a call over all its threads, without that of other processes."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def _format_ratio(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _bench_reading(folder: Path) -> None:
    """Read the metadata and the noise of the same files, and verify them."""
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

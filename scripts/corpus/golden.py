"""Golden files by gen5 0.1.0, by gen5core, and built by hand, each with the expected content as JSON."""

from __future__ import annotations

import contextlib
import io
import json
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forge
import numpy as np
import signer

import gen5core
from gen5core.environment.components import Component, Environment

from .cases import NOISE

Golden = Iterator[tuple[str, dict[str, Any]]]
"""Name without suffix, and the expected content."""

SETTINGS = {"seed": 2**64 - 1, "steps": 20, "sampler": "euler", "cfg_scale": 7.5, "scheduler": "karras"}
HARDWARE = {
    "machine_name": "golden",
    "os": "Linux 6.8.0",
    "cpu": "a processor",
    "cpu_cores": 8,
    "gpu": [{"name": "a GPU", "memory_gb": 24, "driver": "550.54", "cuda_version": "12.4"}],
    "ram_gb": 64.0,
    "framework": "torch",
    "compute_lib": "cuda",
}
TEXTS = {"model_name": "sd-xl", "model_version": "1.0", "prompt": "a cat, 猫", "tags": ["golden", "ü"]}
PIXELS = bytes(range(36))
PNG = forge.png(6, 6, PIXELS)
COMPONENTS = {"python": "name=python;version=3.11.7", "os": "name=os;version=Linux 6.8.0"}
FURTHER = {"gpu1": "name=gpu;model=a GPU;driver=550.54", "host": "name=host;version=ComfyUI 0.3.64"}
_GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1, "model": ["4", 0]}}}
MORE: dict[str, Any] = {
    "comfyui": {"prompt": _GRAPH, "workflow": {"nodes": [], "version": 0.4}, "version": "0.3.64"},
    "capture": {"noise_source": "recorded", "passes": [{"sigmas": [14.6, 0.5, 0.0]}]},
    "resources": [{"kind": "checkpoint", "name": "sd_xl.safetensors", "size_bytes": 6938078334}],
}


ODD_SEEDS: dict[str, Any] = {
    "noise_source": "recorded",
    "passes": [{"seed": seed} for seed in (-1, 1e300, 3.5, "x", [1, 2], 2**70, None)],
}
"""What runs were told instead of a seed; 1.0 of the package wrote such files, and its nodes did not load them."""


def write_valid(folder: Path) -> int:
    """Make the golden files and write those that folder lacks; return how many.

    Existing files are kept, since the bytes depend on the installed versions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        _make_all(Path(made))
        missing = [path for path in Path(made).iterdir() if not (folder / path.name).exists()]
        for path in missing:
            shutil.copyfile(path, folder / path.name)
    return sum(path.suffix != ".json" for path in missing)


def _make_all(folder: Path) -> None:
    for make in (_by_gen5, _by_gen5core, _forged):
        for name, expected in make(folder):
            data = (folder / f"{name}.gen5").read_bytes()
            expected = {"sha256": forge.sha256(data), "root": forge.sha256(forge.meta_of(data)), **expected}
            text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
            (folder / f"{name}.json").write_bytes(text.encode())
    (folder / "forged-1.1_carrier.png").write_bytes(forge.carrier())


def _by_gen5(folder: Path) -> Golden:
    """Make files with the real gen5 0.1.0. The kernel version is replaced, so that nothing identifies this machine."""
    import gen5

    platform.release = lambda: "6.8.0"
    noise = np.random.default_rng(5).standard_normal((1, 4, 4, 4), np.float32)
    other = np.arange(256, dtype=np.float32).reshape(1, 4, 8, 8) / 8
    cases: dict[str, tuple[dict[str, Any], bool, bool, bytes | None]] = {
        "gen5-0.1.0_raw_float32": ({"initial_noise": noise}, False, False, PNG),
        "gen5-0.1.0_zstd_float32": ({"noise": noise}, True, False, PNG),
        "gen5-0.1.0_zstd_float16": ({"initial_noise": other}, True, True, None),
        "gen5-0.1.0_two_latents": ({"initial_noise": noise, "final_latent": other}, True, False, None),
    }
    for name, (latents, compress, half, image) in cases.items():
        with contextlib.redirect_stdout(io.StringIO()):
            gen5.Gen5FileHandler().file_encoder(
                filename=str(folder / f"{name}.gen5"),
                latent=latents,
                chunk_records=[],
                img_binary=image,
                should_compress=compress,
                convert_float16=half,
                generation_settings=SETTINGS,
                hardware_info=HARDWARE,
                **TEXTS,
            )
        stored = {key: array.astype(np.float16) if half else array for key, array in latents.items()}
        yield (name, _expected([1, 0], stored, image, settings=SETTINGS, hardware=HARDWARE, **TEXTS))


def _by_gen5core(folder: Path) -> Golden:
    """Make files with this package."""
    rng = np.random.default_rng(6)
    everything = {
        "initial_noise": rng.standard_normal((1, 4, 4, 4), np.float32),
        "noise_mask": np.zeros((1, 16, 16), np.float32),
        "final_latent": np.linspace(-1, 1, 64, dtype=np.float16).reshape(4, 4, 4),
    }
    odd = _odd_arrays(rng)
    signed = {"initial_noise": np.arange(16, dtype=np.float32).reshape(1, 4, 2, 2)}
    environment = Environment(tuple(Component(*item) for item in COMPONENTS.items()), FURTHER, HARDWARE)
    key = gen5core.SigningKey.from_seed(signer.SEED)
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], bytes | None, dict[str, Any]]] = {
        "gen5core-1.1_everything": (
            everything,
            {"environment": environment},
            PNG,
            MORE | {"settings": SETTINGS, **TEXTS},
        ),
        "gen5core-1.1_nothing": ({}, {"environment": None}, None, {}),
        "gen5core-1.1_odd_arrays": (odd, {"environment": None, "compression": "none"}, None, {}),
        "gen5core-1.1_zstd": (odd, {"environment": None, "compression": "zstd"}, PNG, {}),
        "gen5core-1.1_odd_seeds": (signed, {"environment": None}, None, {"capture": ODD_SEEDS}),
        "gen5core-1.1_value_dtypes": (
            _value_dtypes(),
            {"environment": None, "compression": "none"},
            None,
            {},
        ),
        "gen5core-1.1_signed": (signed, {"environment": None, "signing_key": key}, PNG, {}),
    }
    for name, (latents, options, image, facts) in cases.items():
        path = folder / f"{name}.gen5"
        images = () if image is None else (image,)
        hardware = HARDWARE if facts else None
        gen5core.save(path, latents=latents, images=images, hardware=hardware, **options, **facts)
        found = {**facts, "hardware": hardware or {}}
        if options["environment"]:
            found |= {"environment": COMPONENTS, "environment_further": FURTHER}
        yield name, _expected([1, 1], latents, image, **found)


def _value_dtypes() -> dict[str, Any]:
    """Return an array of each dtype that a file cuts into words or stores by value, with the ends of its range."""
    arrays: dict[str, Any] = {"bool": np.array([[True], [False]]), "scalar": np.float64(0.1).reshape(())}
    for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"):
        arrays[name] = np.array([np.iinfo(name).min, 1, np.iinfo(name).max], name)
    for name in ("float64", "complex64", "complex128"):
        arrays[name] = np.array([[1 / 3, -0.0], [np.inf, np.finfo(name).max]], name)
    arrays["empty"] = np.empty((2, 0), np.int64)
    return arrays


def _odd_arrays(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "scalar": np.float32(0.1).reshape(()),
        "empty": np.empty((0, 4), np.float32),
        "five": rng.standard_normal((1, 2, 3, 2, 2), np.float32),
        "bits": np.array([0x7FC00001, 0xFF800000, 0x80000000, 1], np.uint32).view(np.float32),
        "name with / and ü": np.float16([65504, -0.0]),
    }


def _forged(folder: Path) -> Golden:
    """Make files that neither package writes but every reader must open."""
    plain = forge.build([NOISE])
    note = forge.frame("NOTE", "0000", b"a note")
    twice = signer.trailer(signer.root_of(plain), signer.SEED, bytes(32))
    files = {
        "forged-1.1_trailer": ([1, 1], forge.build([NOISE], trailer=note)),
        "forged-1.1_signed": ([1, 1], signer.signed(plain)),
        "forged-1.1_signed_twice_and_note": ([1, 1], signer.with_trailer(plain, twice + note)),
        "forged-1.0_gaps": ([1, 0], forge.build([NOISE], minor=0, gap=bytes(4))),
        "forged-1.9_later_minor": ([1, 9], forge.build([NOISE], minor=9)),
    }
    noise = np.frombuffer(NOISE.payload, np.float32).reshape(NOISE.extra["shape"])
    for name, (version, data) in files.items():
        (folder / f"{name}.gen5").write_bytes(data)
        yield name, _expected(version, {"initial_noise": noise}, None, model_name="model", model_version="1")


def _expected(
    version: list[int], latents: dict[str, Any], image: bytes | None, **facts: Any
) -> dict[str, Any]:
    """Return the expected content of a file from what was saved in it."""
    return {
        "version": version,
        "latents": {
            name: {
                "shape": list(array.shape),
                "dtype": array.dtype.name,
                "sha256": forge.sha256(array.tobytes()),
            }
            for name, array in latents.items()
        },
        "images": [] if image is None else [{"sha256": forge.sha256(image), "pixels": list(PIXELS)}],
        "facts": facts,
    }

"""The demo without ComfyUI: its verdict, its files, and that the verdict can be negative."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

import gen5core

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SEED = 7


def run_demo(folder: Path, seed: int) -> str:
    """Run the demo in a folder, check that it succeeds, and return its output."""
    command = [sys.executable, str(SCRIPTS / "demo.py"), "demo", "--no-comfyui", "--seed", str(seed)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def result_in(folder: Path) -> npt.NDArray[np.float32]:
    """Return the result that the demo saved in a folder."""
    with gen5core.open(folder / "demo" / "output" / "sky_00001_.gen5") as file:
        return file.latents["final_latent"].array()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the demo is run once."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def output(folder: Path) -> str:
    """The output of the demo."""
    return run_demo(folder, SEED)


@pytest.fixture
def comparison(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that makes the demo's verdict."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("comparison")


def test_prints_route_and_verdict(output: str) -> None:
    """The output says that the node classes were used, and that the second image equals the first."""
    lines = output.splitlines()
    assert lines[0] == "== Through the node classes, no ComfyUI needed =="
    assert "Load Gen5, sampled again from its noise: L∞ 0, bit-exact" in lines
    assert "Through a real ComfyUI" not in output


@pytest.mark.usefixtures("output")
def test_leaves_the_file_and_its_pictures(folder: Path) -> None:
    """One intact file with the noise passed to Save Gen5, its PNG, and three pictures in a row."""
    left = {path.relative_to(folder / "demo").as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {"comparison.png", "sky.png", "output/sky_00001_.gen5", "output/sky_00001_.png"}
    with gen5core.open(folder / "demo" / "output" / "sky_00001_.gen5") as file:
        file.verify()
        assert (file.capture or {})["noise_source"] == "provided"
        assert dict(file.settings) == {"seed": SEED, "steps": 32, "sampler": "euler", "scheduler": "karras"}
    width, height = np.frombuffer((folder / "demo" / "comparison.png").read_bytes()[16:24], ">u4")
    assert (width, height) == (3 * 256 + 2 * 8, 256)


@pytest.mark.usefixtures("output")
def test_another_seed_gives_another_picture(folder: Path, tmp_path: Path, comparison: ModuleType) -> None:
    """The result depends on the noise, and the demo's comparison detects the difference."""
    run_demo(tmp_path, SEED + 1)
    first, other = result_in(folder), result_in(tmp_path)
    verdict = comparison.compare(first, other)
    assert not verdict.identical
    assert verdict.largest > 0.1
    assert str(verdict).endswith(", DIFFERENT")


@pytest.mark.usefixtures("output")
def test_one_bit_is_a_difference(folder: Path, comparison: ModuleType) -> None:
    """A result that differs in its last bit is DIFFERENT; a copy is not."""
    first = result_in(folder)
    other = first.copy()
    assert str(comparison.compare(first, other)) == "L∞ 0, bit-exact"
    other.reshape(-1).view(np.uint32)[0] ^= 1
    assert str(comparison.compare(first, other)).endswith(", DIFFERENT")

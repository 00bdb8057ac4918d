"""A reader in JavaScript, written from FORMAT.md, reads the same content as this package from every file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from hypothesis import HealthCheck, Phase, given, settings
from second_reader import ROOT, Content, as_facts, facts, read_all, run_reader, why_not

import gen5core

CORPUS = ROOT / "tests" / "corpus"
VALID = sorted(path for path in (CORPUS / "valid").iterdir() if path.suffix != ".json")
INVALID = sorted((CORPUS / "invalid").glob("*.gen5"))
EXPECTED: dict[str, dict[str, str]] = json.loads((CORPUS / "invalid" / "expected.json").read_text("utf-8"))
UNDECODED = {
    "ChecksumError__png_with_other_pixels.gen5": "the PNG is not as written, and its pixels decide",
    "LimitError__image_bomb.gen5": "more pixels than the limit",
    "LimitError__image_by_a_row.gen5": "more pixels than the limit",
    "MalformedChunkError__image_16_bits.gen5": "pixels of 16 bits",
    "MalformedChunkError__image_checksum.gen5": "a wrong CRC within a stored image",
    "MalformedChunkError__image_cut.gen5": "a stored image that ends early",
    "MalformedChunkError__image_empty.gen5": "no image at all",
    "MalformedChunkError__image_gif.gen5": "a GIF",
    "MalformedChunkError__image_header_cut.gen5": "a stored image that ends early",
    "MalformedChunkError__image_text.gen5": "no image at all",
    "MalformedChunkError__image_without_pixels.gen5": "a PNG without pixels",
}
"""Files that only a reader of pixels must refuse: see FORMAT.md, "Images"."""

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def corpus() -> dict[Path, Content]:
    return read_all([*VALID, *INVALID])


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_valid_file_has_the_same_content(corpus: dict[Path, Content], path: Path) -> None:
    """Both readers find the same arrays to the bit, images, settings, environment and signers."""
    assert facts(path) == as_facts(corpus[path])


def test_valid_files_cover_every_part(corpus: dict[Path, Content]) -> None:
    """The compared files have latents of both dtypes, a 64-bit seed, images, signatures, a PNG …"""
    found = [corpus[path] for path in VALID]
    dtypes = {latent["dtype"] for answer in found for latent in answer["latents"].values()}
    seeds = {answer["model_info"].get("generation_settings", {}).get("seed") for answer in found}
    assert dtypes == {"float32", "float16"}
    assert seeds == {None, 2**64 - 1}
    assert [answer["picture"]["is_as_written"] for answer in found if answer["picture"]] == [True]
    for name in ("images", "environment_chunk", "environment", "signed_by", "unknown_trailers", "carrier"):
        assert any(answer.get(name) for answer in found), name


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - UNDECODED.keys()))
def test_invalid_file_is_refused(corpus: dict[Path, Content], name: str) -> None:
    """A file that breaks a rule of FORMAT.md is refused with a reason."""
    answer = corpus[CORPUS / "invalid" / name]
    assert answer.keys() == {"error"}
    assert answer["error"]


@pytest.mark.parametrize("name", sorted(UNDECODED))
def test_only_pixels_are_not_checked(corpus: dict[Path, Content], name: str) -> None:
    """A file with invalid pixels is read, and a changed PNG is reported as changed."""
    answer = corpus[CORPUS / "invalid" / name]
    assert "error" not in answer
    assert answer["images"]
    assert answer["picture"] in (None, {"is_as_written": False})


def test_command() -> None:
    """The exit status is 0 if all files were read, 1 if one was refused, and 2 for wrong usage."""
    read, refused, empty = run_reader(VALID[0]), run_reader(VALID[0], INVALID[0]), run_reader()
    assert [done.returncode for done in (read, refused, empty)] == [0, 1, 2]
    assert [done.stdout.count("\n") for done in (read, refused, empty)] == [1, 2, 0]
    assert empty.stderr == "usage: node scripts/read_gen5.mjs FILE...\n"


def test_files_by_this_package(tmp_path: Path) -> None:
    """Both read nested and 8-bit latents, several images and a PNG with a record equally."""
    torch = pytest.importorskip("torch")
    noise = torch.linspace(-2, 2, 64).reshape(1, 4, 4, 4)
    latents = {
        "initial_noise": [noise, noise.half()],
        "narrow": noise.bfloat16(),
        "float8": noise.to(torch.float8_e5m2),
        "bits": np.array([0x7FC00001, 0xFF800000, 1, 0], np.uint32).view(np.float32),
    }
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for name, images in {"a.gen5": [pixels, pixels[:2]], "b.png": [pixels], "c.gen5": []}.items():
        generation = {"seed": 2**64 - 1, "steps": 3, "sampler": "euler"}
        gen5core.save(
            tmp_path / name, latents=latents, images=images, compression="zstd", settings=generation
        )
    answers = read_all(sorted(tmp_path.iterdir()))
    assert len(answers) == 3
    for path, answer in answers.items():
        assert facts(path) == as_facts(answer)
        assert [part["dtype"] for part in answer["latents"]["initial_noise"]] == ["float32", "float16"]
        assert answer["latents"]["narrow"]["orig_dtype"] == "bfloat16"


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would start a process per step
    suppress_health_check=[HealthCheck.too_slow],
)
@given(strategies.files())
def test_any_file_has_the_same_content(
    tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Any]
) -> None:
    """Both readers find the same content in any file that this package saves."""
    path = tmp_path_factory.getbasetemp() / "any-read-twice.gen5"
    gen5core.save(path, **saved)
    assert facts(path) == as_facts(read_all([path])[path])

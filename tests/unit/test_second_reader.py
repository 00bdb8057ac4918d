"""A reader in JavaScript, written from FORMAT.md, finds in every file what this package finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from hypothesis import HealthCheck, Phase, given, settings
from second_reader import ROOT, Answer, as_facts, facts, read_all, run_reader, why_not

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
"""Files that only a reader of pixels refuses: FORMAT.md, "Images", gives encoded bytes as they are."""

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def corpus() -> dict[Path, Answer]:
    return read_all([*VALID, *INVALID])


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_valid_file_holds_the_same(corpus: dict[Path, Answer], path: Path) -> None:
    """Both readers find the same arrays to the bit, images, settings, environment and signers."""
    assert facts(path) == as_facts(corpus[path])


def test_valid_files_show_every_part(corpus: dict[Path, Answer]) -> None:
    """What is compared is there: latents of both dtypes, a seed of 64 bits, images, signatures, a PNG …"""
    found = [corpus[path] for path in VALID]
    dtypes = {latent["dtype"] for answer in found for latent in answer["latents"].values()}
    seeds = {answer["model_info"].get("generation_settings", {}).get("seed") for answer in found}
    assert dtypes == {"float32", "float16"}
    assert seeds == {None, 2**64 - 1}
    assert [answer["picture"]["is_as_written"] for answer in found if answer["picture"]] == [True]
    for name in ("images", "environment_chunk", "environment", "signed_by", "unknown_trailers", "carrier"):
        assert any(answer.get(name) for answer in found), name


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - UNDECODED.keys()))
def test_invalid_file_is_refused(corpus: dict[Path, Answer], name: str) -> None:
    """Whatever breaks a rule of the page is refused, and a reason given."""
    answer = corpus[CORPUS / "invalid" / name]
    assert answer.keys() == {"error"}
    assert answer["error"]


@pytest.mark.parametrize("name", sorted(UNDECODED))
def test_only_pixels_are_left_out(corpus: dict[Path, Answer], name: str) -> None:
    """What takes pixels to be refused is read, and a PNG that is not as written is said to be so."""
    answer = corpus[CORPUS / "invalid" / name]
    assert "error" not in answer
    assert answer["images"]
    assert answer["picture"] in (None, {"is_as_written": False})


def test_command() -> None:
    """The exit status tells read, refused and asked wrongly apart."""
    read, refused, empty = run_reader(VALID[0]), run_reader(VALID[0], INVALID[0]), run_reader()
    assert [done.returncode for done in (read, refused, empty)] == [0, 1, 2]
    assert [done.stdout.count("\n") for done in (read, refused, empty)] == [1, 2, 0]
    assert empty.stderr == "usage: node scripts/read_gen5.mjs FILE...\n"


def test_what_this_package_writes(tmp_path: Path) -> None:
    """Nested and narrow latents, several images, a PNG with a record: read the same by both."""
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
        told = {"seed": 2**64 - 1, "steps": 3, "sampler": "euler"}
        gen5core.save(tmp_path / name, latents=latents, images=images, compression="zstd", settings=told)
    answers = read_all(sorted(tmp_path.iterdir()))
    assert len(answers) == 3
    for path, answer in answers.items():
        assert facts(path) == as_facts(answer)
        assert [part["dtype"] for part in answer["latents"]["initial_noise"]] == ["float32", "float16"]
        assert answer["latents"]["narrow"]["orig_dtype"] == "bfloat16"


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking starts a process a step
    suppress_health_check=[HealthCheck.too_slow],
)
@given(strategies.files())
def test_any_file_holds_the_same(tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Any]) -> None:
    """Whatever this package saves, both readers find it."""
    path = tmp_path_factory.getbasetemp() / "any-read-twice.gen5"
    gen5core.save(path, **kept)
    assert facts(path) == as_facts(read_all([path])[path])

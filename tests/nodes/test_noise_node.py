"""Seeded Noise without ComfyUI: the syntax of seeds, and the noise that they give."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.gen5core.tensors.noise import MAX_SEED
from gen5pack.nodes import host
from gen5pack.nodes.noise import Gen5Noise, parse_seeds
from runs import randn

HOW = "write one seed, several (0,1,2), or a range (0-3)"


def draw(seeds: str, convention: str, *shape: int, **latent: Any) -> tuple[torch.Tensor, Any]:
    """Return the noise and the NOISE for a latent of shape whose values are not zero."""
    dtype = latent.pop("dtype", torch.float32)
    noise, source = Gen5Noise().draw(
        {"samples": randn(*shape, seed=77, dtype=dtype), **latent}, seeds, convention
    )
    assert list(noise) == ["samples"]
    return noise["samples"], source


class TestSeeds:
    """The text of the widget."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0", [0]),
            (" 7 ", [7]),
            ("0,1,2", [0, 1, 2]),
            ("2, 2 ,0", [2, 2, 0]),
            ("0-3", [0, 1, 2, 3]),
            ("5 - 6", [5, 6]),
            ("4-4", [4]),
            ("9,0-2,40", [9, 0, 1, 2, 40]),
            (str(MAX_SEED), [MAX_SEED]),
            (f"{MAX_SEED - 1}-{MAX_SEED}", [MAX_SEED - 1, MAX_SEED]),
        ],
    )
    def test_syntax(self, text: str, expected: list[int]) -> None:
        """One seed, several, a range, and mixtures, in the order in which they are written."""
        assert parse_seeds(text) == expected

    @pytest.mark.parametrize(
        "word", ["", "x", "-1", "1.5", "3-0", "1-", "0-3-5", "0x10", "0-4096", "9" * 5000]
    )
    @pytest.mark.parametrize("text", ["{}", "1,{}", "{},2"])
    def test_invalid_seed(self, word: str, text: str) -> None:
        """An invalid seed is an error that quotes it and explains the syntax."""
        with pytest.raises(EncodeError, match=re.escape(f"seeds holds {word!r}; {HOW}")):
            parse_seeds(text.format(word))

    @pytest.mark.parametrize("text", [str(MAX_SEED + 1), f"0,{MAX_SEED + 1}", f"{MAX_SEED}-{MAX_SEED + 1}"])
    def test_too_large(self, text: str) -> None:
        """A seed above 2⁶⁴−1 is an error that names it and the limit."""
        with pytest.raises(EncodeError, match=rf"seed is {MAX_SEED + 1}\b.* {MAX_SEED}$"):
            parse_seeds(text)

    def test_longest_range(self) -> None:
        """A range holds up to 4096 seeds."""
        assert list(range(4096)) == parse_seeds("0-4095")


class TestComfyui:
    """One seed for the whole batch."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("shape", [(1, 4, 8, 8), (3, 16, 2, 4, 4)])
    def test_equals_comfy_noise(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        """The noise equals that of gen5core.comfy_noise for the latent's shape and dtype."""
        noise, _ = draw("5", "comfyui", *shape, dtype=dtype)
        assert gen5core.comfy_noise(shape, 5, dtype=dtype).equal(noise)
        assert dtype == noise.dtype

    def test_batch_index(self) -> None:
        """A latent taken from a batch gets the noise of its index in that batch."""
        full, _ = draw("5", "comfyui", 4, 4, 8, 8, batch_index=[0, 1, 2, 3])
        some, _ = draw("5", "comfyui", 2, 4, 8, 8, batch_index=[3, 1])
        assert full[[3, 1]].equal(some)

    def test_nested(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The parts of a nested latent are drawn one after the other."""
        parts = [torch.zeros(1, 16, 2, 4, 4), torch.zeros(1, 8, 4, 16)]
        latent = SimpleNamespace(is_nested=True, unbind=lambda: parts)
        monkeypatch.setattr(host, "nested", list)
        noise, _ = Gen5Noise().draw({"samples": latent}, "5", "comfyui")
        expected = gen5core.comfy_noise([tuple(part.shape) for part in parts], 5, dtype=torch.float32)
        assert all(one.equal(other) for one, other in zip(expected, noise["samples"], strict=True))

    def test_several_seeds(self) -> None:
        """Several seeds are an error that names the convention for one seed per image."""
        message = (
            "Seeded Noise has 4 seeds, but the convention comfyui takes 1 for the whole batch; "
            "use the convention per_image"
        )
        with pytest.raises(EncodeError, match=re.escape(message)):
            draw("0-3", "comfyui", 4, 4, 8, 8)


class TestPerImage:
    """One generator per image."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_range_gives_one_generator_an_image(self, dtype: torch.dtype) -> None:
        """0-3 gives what four generators, seeded 0 to 3, draw, each for its own image."""
        expected = [
            torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=dtype)
            for seed in range(4)
        ]
        noise, _ = draw("0-3", "per_image", 4, 4, 8, 8, dtype=dtype)
        assert torch.cat(expected).equal(noise)
        assert gen5core.per_image_noise((4, 4, 8, 8), range(4), dtype=dtype).equal(noise)

    def test_noise_does_not_depend_on_the_index(self) -> None:
        """An image keeps its noise at another index of the batch, whatever batch_index says."""
        full, _ = draw("0-3", "per_image", 4, 4, 8, 8)
        some, _ = draw("3,1", "per_image", 2, 4, 8, 8, batch_index=[0, 1])
        assert full[[3, 1]].equal(some)

    @pytest.mark.parametrize(
        ("seeds", "count", "batch", "example"),
        [
            ("0", "1 seed", 4, "0-3"),
            ("7", "1 seed", 2, "7-8"),
            ("0-3", "4 seeds", 1, "0"),
            ("5,1,2", "3 seeds", 2, "5-6"),
            (str(MAX_SEED), "1 seed", 3, f"{MAX_SEED - 2}-{MAX_SEED}"),
        ],
    )
    def test_other_count(self, seeds: str, count: str, batch: int, example: str) -> None:
        """A wrong number of seeds is an error that names the right one and gives an example."""
        message = (
            f"Seeded Noise has {count} for a batch of {batch}: give {batch}, one per image, e.g. {example}"
        )
        with pytest.raises(EncodeError, match=f"^{message}$"):
            draw(seeds, "per_image", batch, 4, 8, 8)
        draw(example, "per_image", batch, 4, 8, 8)

    def test_nested(self) -> None:
        """A nested latent is an error that names the convention for it."""
        parts = [torch.zeros(1, 16, 2, 4, 4), torch.zeros(1, 8, 4, 16)]
        latent = SimpleNamespace(is_nested=True, unbind=lambda: parts)
        message = "the latent is nested; the convention per_image takes only plain latents"
        with pytest.raises(EncodeError, match=message):
            Gen5Noise().draw({"samples": latent}, "0", "per_image")


class TestSource:
    """The NOISE for SamplerCustomAdvanced."""

    @pytest.mark.parametrize(("seeds", "convention"), [("9", "comfyui"), ("9,3", "per_image")])
    def test_same_noise(self, seeds: str, convention: str) -> None:
        """It gives the noise of the latent output and has the first seed."""
        noise, source = draw(seeds, convention, 2, 4, 8, 8)
        assert noise.equal(source.generate_noise({"samples": torch.zeros(2, 4, 8, 8)}))
        assert source.seed == 9

    @pytest.mark.parametrize(("seeds", "convention"), [("9", "comfyui"), ("9,3", "per_image")])
    @pytest.mark.parametrize("shape", [(2, 16, 8, 8), (2, 16, 1, 4, 4)])
    def test_shape_of_the_samplers_latent(self, seeds: str, convention: str, shape: tuple[int, ...]) -> None:
        """If a sampler changes the channels of an empty latent, the noise has the new shape."""
        _, source = draw(seeds, convention, 2, 4, 8, 8)
        expected, _ = draw(seeds, convention, *shape, dtype=torch.float16)
        assert expected.equal(source.generate_noise({"samples": torch.zeros(shape, dtype=torch.float16)}))

    def test_batch_index_of_the_samplers_latent(self) -> None:
        """batch_index of the sampled latent selects the noise."""
        full, source = draw("5", "comfyui", 4, 4, 8, 8)
        latent = {"samples": torch.zeros(2, 4, 8, 8), "batch_index": [3, 1]}
        assert full[[3, 1]].equal(source.generate_noise(latent))

    def test_other_batch(self) -> None:
        """A sampler's batch of another size is an error that names Seeded Noise and gives an example."""
        _, source = draw("0-3", "per_image", 4, 4, 8, 8)
        message = "Seeded Noise has 4 seeds for a batch of 2: give 2, one per image, e.g. 0-1"
        with pytest.raises(EncodeError, match=f"^{message}$"):
            source.generate_noise({"samples": torch.zeros(2, 4, 8, 8)})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_drawn_as_the_host_does(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """comfyui uses this ComfyUI's own drawing, which may draw in half precision; per_image does not."""

    def prepare_noise(samples: torch.Tensor, seed: int, batch_index: Any) -> torch.Tensor:
        assert (seed, batch_index) == (9, [1, 0])
        return torch.full_like(samples, 0.25)

    monkeypatch.setattr(host, "prepare_noise", prepare_noise)
    noise, _ = draw("9", "comfyui", 2, 4, 8, 8, dtype=dtype, batch_index=[1, 0])
    assert torch.full((2, 4, 8, 8), 0.25, dtype=dtype).equal(noise)
    noise, _ = draw("9,3", "per_image", 2, 4, 8, 8, dtype=dtype)
    assert gen5core.per_image_noise((2, 4, 8, 8), [9, 3], dtype=dtype).equal(noise)


def test_global_generator_is_left_alone() -> None:
    """Drawing does not change the state of a global generator."""
    before = torch.get_rng_state()
    draw("0", "comfyui", 1, 4, 8, 8)
    draw("0", "per_image", 1, 4, 8, 8)
    assert before.equal(torch.get_rng_state())


def test_not_a_latent() -> None:
    """Something other than a LATENT is an error that says what to connect."""
    with pytest.raises(EncodeError, match=r"^latent .*`samples`.*connect"):
        Gen5Noise().draw({}, "0", "comfyui")

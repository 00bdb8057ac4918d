"""The documented noise conventions, compared with draws written out here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gen5core
from gen5core.errors import EncodeError
from gen5core.tensors.noise import MAX_SEED, comfy_noise, per_image_noise

torch = pytest.importorskip("torch")

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
SHAPES = [(1, 4, 8, 8), (3, 4, 8, 16), (2, 16, 3, 4, 4), (2, 64, 100), (0, 4, 8, 8), ()]


def drawn_by_hand(shape: Sequence[int], seed: int) -> torch.Tensor:
    """Return the noise that ComfyUI draws, drawn the way it does: with the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.randn(tuple(shape), dtype=torch.float32, device="cpu")


class TestComfyNoise:
    """One generator for the whole batch, float32, then cast."""

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63, MAX_SEED])
    def test_equals_manual_seed_and_randn(self, shape: tuple[int, ...], seed: int, dtype: Any) -> None:
        """The draw is torch.manual_seed and randn in float32, cast to the latent's dtype."""
        expected = drawn_by_hand(shape, seed).to(dtype)
        actual = comfy_noise(shape, seed, dtype=dtype)
        assert (actual.dtype, tuple(actual.shape), actual.device.type) == (dtype, tuple(shape), "cpu")
        assert expected.equal(actual)

    def test_public_name(self) -> None:
        """gen5core exports both conventions by their documented names."""
        assert comfy_noise is gen5core.comfy_noise
        assert per_image_noise is gen5core.per_image_noise

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(0, MAX_SEED))
    def test_batch_index(self, batch_index: list[int], seed: int) -> None:
        """Each image has the noise of its number, drawn one image after the other; repeats are equal."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            singly = [torch.randn(1, 4, 2, 2) for _ in range(max(batch_index) + 1)]
        expected = torch.cat([singly[number] for number in batch_index])
        actual = comfy_noise((len(batch_index), 4, 2, 2), seed, dtype=torch.float32, batch_index=batch_index)
        assert expected.equal(actual)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_nested(self, dtype: Any) -> None:
        """The parts of a nested latent are drawn one after the other from the same generator."""
        shapes = [(2, 4, 2, 3), (2, 5, 7)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            expected = [torch.randn(shape).to(dtype) for shape in shapes]
        actual = comfy_noise(shapes, 7, dtype=dtype)
        assert isinstance(actual, list)
        assert [one.equal(other) for one, other in zip(expected, actual, strict=True)] == [True, True]

    def test_nested_with_batch_index(self) -> None:
        """batch_index applies to each part: all noises of the first part are drawn before those of the second."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            first = [torch.randn(1, 3, 2) for _ in range(3)]
            second = [torch.randn(1, 5) for _ in range(3)]
        actual = comfy_noise([(1, 3, 2), (1, 5)], 7, dtype=torch.float32, batch_index=[2])
        assert first[2].equal(actual[0])
        assert second[2].equal(actual[1])

    @pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
    def test_seed_out_of_range(self, seed: int) -> None:
        """A seed that no widget accepts is an error that names the range."""
        message = f"^seed is {seed}; it must be from 0 to 18446744073709551615$"
        with pytest.raises(EncodeError, match=message):
            comfy_noise((1, 4, 2, 2), seed, dtype=torch.float32)

    @pytest.mark.parametrize("library", [torch, np], ids=["torch", "numpy"])
    def test_integers_of_a_library(self, library: Any) -> None:
        """Seed and batch_index may come from an array or a tensor."""
        numbers = library.arange(3)
        expected = comfy_noise((2, 4, 2, 2), 2, dtype=torch.float32, batch_index=[1, 2])
        actual = comfy_noise((2, 4, 2, 2), numbers[2], dtype=torch.float32, batch_index=numbers[1:])
        assert expected.equal(actual)

    @pytest.mark.parametrize(
        ("numbers", "message"),
        [
            ({"seed": 1.0}, "seed is 1.0, not an integer; give an int"),
            ({"seed": 1, "batch_index": [0, 1.5]}, "batch_index is 1.5, not an integer; give an int"),
        ],
        ids=["seed", "batch_index"],
    )
    def test_not_an_integer(self, numbers: dict[str, Any], message: str) -> None:
        """A number with a fraction is refused by name, not truncated."""
        with pytest.raises(EncodeError, match=f"^{re.escape(message)}$"):
            comfy_noise((1, 4, 2, 2), dtype=torch.float32, **numbers)

    @pytest.mark.parametrize("batch_index", [[-1], [0, -3], []])
    def test_batch_index_out_of_range(self, batch_index: list[int]) -> None:
        """Negative numbers and an empty list are refused."""
        with pytest.raises(EncodeError, match=r"^batch_index is \[.*\]; it must be one number per image"):
            comfy_noise((1, 4, 2, 2), 0, dtype=torch.float32, batch_index=batch_index)


class TestPerImageNoise:
    """One generator per image, in the dtype itself."""

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_equals_a_list_of_generators(self, dtype: Any) -> None:
        """The noise is that of a list of generators, each drawing in the dtype."""
        seeds = [5, 0, MAX_SEED, 5]
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        images = [torch.randn((1, 4, 8, 8), generator=one, dtype=dtype) for one in generators]
        actual = per_image_noise((4, 4, 8, 8), seeds, dtype=dtype)
        assert actual.dtype == dtype
        assert torch.cat(images).equal(actual)
        assert actual[0].equal(actual[3])

    def test_half_precision_is_not_a_cast(self) -> None:
        """In half precision the numbers can differ from those of float32, rounded."""
        half = per_image_noise((1, 17), [3], dtype=torch.bfloat16)
        cast = per_image_noise((1, 17), [3], dtype=torch.float32).to(torch.bfloat16)
        assert not half.equal(cast)

    def test_position_in_the_batch_does_not_matter(self) -> None:
        """An image has the same noise alone and in a batch."""
        alone = per_image_noise((1, 4, 8, 8), [9], dtype=torch.float32)
        assert alone.equal(per_image_noise((3, 4, 8, 8), [1, 9, 2], dtype=torch.float32)[1:2])

    @pytest.mark.parametrize("library", [torch, np], ids=["torch", "numpy"])
    def test_seeds_of_a_library(self, library: Any) -> None:
        """Seeds may be an array or a tensor of integers."""
        expected = per_image_noise((4, 4, 2, 2), [0, 1, 2, 3], dtype=torch.float32)
        assert expected.equal(per_image_noise((4, 4, 2, 2), library.arange(4), dtype=torch.float32))

    @pytest.mark.parametrize("seed", [1.0, "1", None, np.float32(1), torch.tensor(1.0)], ids=repr)
    def test_seed_that_is_not_an_integer(self, seed: Any) -> None:
        """A seed of another type is refused; the message has its value and the remedy."""
        message = re.escape(f"seed is {seed!r}, not an integer; give an int")
        with pytest.raises(EncodeError, match=f"^{message}$"):
            per_image_noise((1, 4, 2, 2), [seed], dtype=torch.float32)

    @pytest.mark.parametrize(("count", "seeds"), [(2, [1]), (1, [1, 2]), (1, [])])
    def test_as_many_seeds_as_images(self, count: int, seeds: list[int]) -> None:
        """More or fewer seeds than images are an error that names both numbers."""
        message = f"^{len(seeds)} seeds for a batch of {count}: give {count}, one per image$"
        with pytest.raises(EncodeError, match=message):
            per_image_noise((count, 4, 2, 2), seeds, dtype=torch.float32)

    def test_no_images(self) -> None:
        """An empty batch needs no seed and gives an empty tensor."""
        actual = per_image_noise((0, 4, 2, 2), [], dtype=torch.float16)
        assert (actual.dtype, tuple(actual.shape)) == (torch.float16, (0, 4, 2, 2))

    def test_shape_without_a_batch(self) -> None:
        """A shape without a batch is an error, not an IndexError."""
        with pytest.raises(EncodeError, match=r"^shape is empty; its first size must be the batch size$"):
            per_image_noise((), [1], dtype=torch.float32)

    @pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
    def test_seed_out_of_range(self, seed: int) -> None:
        """Every seed is checked, not only the first."""
        with pytest.raises(EncodeError, match=f"^seed is {seed}; it must be from 0 to"):
            per_image_noise((2, 4, 2, 2), [0, seed], dtype=torch.float32)


def test_global_generator_is_untouched() -> None:
    """No draw, not even a failing one, advances torch's global generator."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    comfy_noise((2, 4, 2, 2), 5, dtype=torch.float16, batch_index=[3, 1])
    comfy_noise([(2, 4), (2, 3)], 5, dtype=torch.float32)
    per_image_noise((2, 4, 2, 2), [1, 2], dtype=torch.bfloat16)
    with pytest.raises(EncodeError, match=r"^seed is -1"):
        comfy_noise((1,), -1, dtype=torch.float32)
    assert before.equal(torch.get_rng_state())

"""Seeded Noise: draws starting noise by a documented convention, as a latent and as NOISE."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..gen5core.errors import EncodeError
from ..gen5core.tensors.noise import MAX_SEED, per_image_noise
from .tensors.latents import Parts, draw_noise, joined, samples_of

_SEED = re.compile(r"\d{1,20}")
_RANGE = re.compile(r"(\d{1,20})\s*-\s*(\d{1,20})")
_MAX_RANGE = 4096
"""Seeds in one range; a typing error such as 0-999999999 would otherwise fill the memory."""


class SeededNoise:
    """A NOISE for SamplerCustomAdvanced. Like RandomNoise, it draws for the latent that it is given.

    Source: ``comfy_extras.nodes_custom_sampler.Noise_RandomNoise``.
    """

    def __init__(self, seeds: Sequence[int], convention: str) -> None:
        self.seed, self._seeds, self._convention = seeds[0], seeds, convention

    def generate_noise(self, input_latent: Mapping[str, Any]) -> Any:
        """Return noise of the latent's shape and dtype, on the CPU.

        Raises
        ------
        EncodeError
            if the number of seeds does not suit the latent.
        """
        parts = samples_of(input_latent, "latent")
        if self._convention == "comfyui":
            return joined(_draw_comfyui(parts, self._seeds, input_latent.get("batch_index")))
        return joined(_draw_per_image(parts, self._seeds))


class Gen5Noise:
    """Noise of a latent's shape, from one seed or from one seed per image."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Makes starting noise from seeds: `comfyui` draws as this ComfyUI's samplers do, with one seed for the batch; "
        "`per_image` uses one generator per image, like a list of generators in Diffusers."
    )
    RETURN_TYPES = ("LATENT", "NOISE")
    RETURN_NAMES = ("noise", "noise_source")
    OUTPUT_TOOLTIPS = (
        "The noise as a latent, e.g. for Save Gen5's `noise`.",
        "The noise for SamplerCustomAdvanced.",
    )
    FUNCTION = "draw"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "latent": (
                    "LATENT",
                    {
                        "tooltip": "Sets the shape and dtype of `noise`; its values do not matter. "
                        "`noise_source` takes both from the sampler's own latent."
                    },
                ),
                "seeds": (
                    "STRING",
                    {"default": "0", "tooltip": "One seed, several (0,1,2), or a range (0-3)."},
                ),
                "convention": (
                    ["comfyui", "per_image"],
                    {"tooltip": "comfyui: one seed for the whole batch; per_image: one generator per image."},
                ),
            }
        }

    def draw(
        self, latent: Mapping[str, Any], seeds: str, convention: str
    ) -> tuple[dict[str, Any], SeededNoise]:
        """Return the noise as a latent and as a NOISE."""
        source = SeededNoise(parse_seeds(seeds), convention)
        return {"samples": source.generate_noise(latent)}, source


def parse_seeds(text: str) -> list[int]:
    """Return ``0``, ``0,1,2`` or ``0-3`` as seeds.

    Raises
    ------
    EncodeError
        naming the part that is not a seed.
    """
    seeds: list[int] = []
    for word in (part.strip() for part in text.split(",")):
        if _SEED.fullmatch(word):
            seeds.append(int(word))
        elif (found := _RANGE.fullmatch(word)) and 0 <= int(found[2]) - int(found[1]) < _MAX_RANGE:
            seeds += range(int(found[1]), int(found[2]) + 1)
        else:
            raise EncodeError(f"seeds holds {word!r}; write one seed, several (0,1,2), or a range (0-3)")
    if too_large := [seed for seed in seeds if seed > MAX_SEED]:
        raise EncodeError(f"seed is {too_large[0]}; it must be from 0 to {MAX_SEED}")
    return seeds


def _draw_comfyui(parts: Parts, seeds: Sequence[int], batch_index: Sequence[int] | None) -> Parts:
    if len(seeds) != 1:
        raise EncodeError(
            f"Seeded Noise has {len(seeds)} seeds, but the convention comfyui takes 1 for the whole batch; "
            "use the convention per_image for one seed per image"
        )
    return draw_noise(parts, seeds[0], batch_index)


def _draw_per_image(parts: Parts, seeds: Sequence[int]) -> Parts:
    if len(parts) > 1:
        raise EncodeError(
            "the latent is nested; the convention per_image takes only plain latents, comfyui takes both"
        )
    [latent] = parts
    if len(seeds) != len(latent):
        raise EncodeError(
            f"Seeded Noise has {_count(seeds)} for a batch of {len(latent)}: give {len(latent)}, one per image, "
            f"e.g. {_example(seeds[0], len(latent))}"
        )
    return [per_image_noise(tuple(latent.shape), seeds, dtype=latent.dtype)]


def _count(seeds: Sequence[int]) -> str:
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"


def _example(first: int, count: int) -> str:
    """Return an example of seeds for a batch, starting at first or as high as still fits below the maximum."""
    first = min(first, MAX_SEED + 1 - count)
    return str(first) if count == 1 else f"{first}-{first + count - 1}"

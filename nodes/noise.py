"""Seeded Noise: starting noise by a documented convention, as a latent and as NOISE."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..gen5core.errors import EncodeError
from ..gen5core.noise import MAX_SEED, comfy_noise, per_image_noise
from .latents import Parts, joined, samples_of
from .load import StoredNoise

_SEED = re.compile(r"\d{1,20}")
_RANGE = re.compile(r"(\d{1,20})\s*-\s*(\d{1,20})")
_MAX_RANGE = 4096


class Gen5Noise:
    """Noise of a latent's shape from one seed, or from one an image."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Starting noise from seeds: `comfyui` draws as ComfyUI's samplers do, one seed for the batch; `per_image` "
        "uses one generator an image, as a list of generators does in Diffusers."
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
                "latent": ("LATENT", {"tooltip": "Gives shape and dtype; its values do not matter."}),
                "seeds": (
                    "STRING",
                    {"default": "0", "tooltip": "One seed, several (0,1,2), or a range (0-3)."},
                ),
                "convention": (["comfyui", "per_image"], {"tooltip": "How seeds become noise."}),
            }
        }

    def draw(
        self, latent: Mapping[str, Any], seeds: str, convention: str
    ) -> tuple[dict[str, Any], StoredNoise]:
        """Return the noise and a NOISE that gives it."""
        parts = samples_of(latent, "latent")
        numbers = parse_seeds(seeds)
        drawn = _draw_comfyui if convention == "comfyui" else _draw_per_image
        samples = joined(drawn(parts, numbers, latent.get("batch_index")))
        return {"samples": samples}, StoredNoise(samples, numbers[0], "Seeded Noise")


def parse_seeds(text: str) -> list[int]:
    """Return ``0``, ``0,1,2`` or ``0-3`` as seeds.

    Raises
    ------
    EncodeError
        naming what is no seed.
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
        raise EncodeError(f"seed is {too_large[0]}; it goes from 0 to {MAX_SEED}")
    return seeds


def _draw_comfyui(parts: Parts, seeds: Sequence[int], batch_index: Sequence[int] | None) -> Parts:
    if len(seeds) != 1:
        raise EncodeError(
            f"{len(seeds)} seeds with the convention comfyui, which takes 1 for the whole batch; "
            "one an image is the convention per_image"
        )
    return comfy_noise(
        [tuple(part.shape) for part in parts], seeds[0], dtype=parts[0].dtype, batch_index=batch_index
    )


def _draw_per_image(parts: Parts, seeds: Sequence[int], batch_index: Sequence[int] | None) -> Parts:
    if len(parts) > 1:
        raise EncodeError(
            "the latent is nested; the convention per_image is for plain latents, comfyui takes both"
        )
    return [per_image_noise(tuple(parts[0].shape), seeds, dtype=parts[0].dtype)]

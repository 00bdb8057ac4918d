"""Compare With Stored: whether a result equals the stored one bit for bit and, if not, how far off it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import gen5core
from ..gen5core.errors import EncodeError
from . import host
from .stored.file import StoredFile
from .stored.passes import batch_position, read_parts
from .tensors.difference import Comparison, compare_tensors, difference_picture
from .tensors.images import to_pixels, write_previews
from .tensors.latents import Parts, samples_of, take


class Gen5Compare:
    """Compares images and a latent with those of a file."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Compares images and a latent with those of a file: identical or not, L∞, PSNR and where they differ."
    )
    RETURN_TYPES = ("BOOLEAN", "FLOAT", "FLOAT", "STRING", "IMAGE")
    RETURN_NAMES = ("identical", "max_difference", "psnr", "report", "difference")
    OUTPUT_TOOLTIPS = (
        "True if every bit is equal.",
        "The largest difference, L∞: between 0 and 1 for images, in the latent's own units for a latent.",
        "Peak signal-to-noise ratio in dB; infinite if nothing differs.",
        "The verdict as text.",
        "A picture of the difference between the images, scaled so that the largest difference is white.",
    )
    FUNCTION = "compare"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"gen5": ("GEN5", {"tooltip": "The stored file."})},
            "optional": {
                "images": ("IMAGE", {"tooltip": "The images to compare."}),
                "latent": ("LATENT", {"tooltip": "The sampler's result to compare."}),
                "tolerance": (
                    "FLOAT",
                    {
                        "default": 0.0,
                        "min": 0.0,
                        "max": 1e6,
                        "step": 0.0001,
                        "tooltip": "Largest L∞ that still counts as 'within tolerance'; at 0 every bit must be equal.",
                    },
                ),
            },
        }

    def compare(
        self,
        gen5: StoredFile,
        images: torch.Tensor | None = None,
        latent: Mapping[str, Any] | None = None,
        tolerance: float = 0.0,
    ) -> dict[str, Any]:
        """Return the figures of the worst comparison, the report of all, and the difference picture."""
        if images is None and latent is None:
            raise EncodeError("nothing to compare: connect images, latent, or both")
        found: list[Comparison] = []
        picture: Any = host.blocked("Compare With Stored has no images to compare: connect images")
        with gen5.open() as file:
            if latent is not None:
                found += _compare_latent(file, latent)
            if images is not None:
                compared, picture = _compare_images(file, images)
                found.append(compared)
        identical = all(one.identical for one in found)
        largest = max(one.max_difference for one in found)
        psnr = min(one.psnr for one in found)
        report = "\n".join(describe(one, tolerance) for one in found)
        details = {
            "identical": identical,
            "max_difference": _finite(largest),
            "psnr": _finite(psnr),
            "report": report,
            "tolerance": _finite(tolerance),
            "verdict": verdict(identical, largest, tolerance),
        }
        previews = {} if images is None else {"images": write_previews(to_pixels(picture))}
        return {
            "ui": {**previews, "gen5": [details]},
            "result": (identical, largest, psnr, report, picture),
        }


def stored_images(file: gen5core.Gen5File) -> torch.Tensor:
    """Return the stored pictures: float32, shape (B, H, W, C), 0..1.

    Raises
    ------
    EncodeError
        if there are none or their sizes differ.
    """
    arrays = [image.array() for image in file.images]
    if not arrays:
        raise EncodeError(f"{Path(file.path).name} holds no picture to compare with")
    if len({array.shape for array in arrays}) > 1:
        raise EncodeError(
            f"the pictures in {Path(file.path).name} have different sizes: compare latent instead"
        )
    return torch.from_numpy(np.stack(arrays).astype(np.float32) / 255.0)


def round_to_8_bits(images: torch.Tensor) -> torch.Tensor:
    """Return images rounded as Save Gen5 rounds them to 8 bits; half precision is scaled in half precision."""
    pixels = (255.0 * images.detach().cpu()).clamp(0, 255).to(torch.uint8)
    return pixels.float() / 255.0


def verdict(identical: bool, max_difference: float, tolerance: float) -> str:
    """Return ``bit-exact``, ``within tolerance`` or ``differs``."""
    if identical:
        return "bit-exact"
    # 0 < tolerance: equal values with other bits (−0, another dtype) have L∞ 0 and would pass a tolerance of 0.
    return "within tolerance" if 0 < tolerance >= max_difference else "differs"


def describe(found: Comparison, tolerance: float) -> str:
    """Return the verdict on one comparison as a line of text."""
    word = verdict(found.identical, found.max_difference, tolerance)
    if found.identical:
        return f"{found.what}: {word}"
    figures = f"{'DIFFERENT' if word == 'differs' else word}, L∞ {found.max_difference:.6g}"
    if not found.differing:
        return f"{found.what}: {figures}: equal values in other bits (dtype, −0 or NaN)"
    return (
        f"{found.what}: {figures}, PSNR {found.psnr:.2f} dB, {found.differing} of {found.total} values differ"
    )


def _compare_images(file: gen5core.Gen5File, images: torch.Tensor) -> tuple[Comparison, torch.Tensor]:
    """Return the comparison of images with the stored ones, and the difference picture."""
    stored = stored_images(file)
    what, current = _select_images(file, round_to_8_bits(images))
    _check_shapes(what, list(stored.shape), list(current.shape), file)
    return compare_tensors(what, stored, current, peak=1.0), difference_picture(stored, current)


def _select_images(file: gen5core.Gen5File, images: torch.Tensor) -> tuple[str, torch.Tensor]:
    """Return what is compared, in words, and the images: for a PNG that holds one image of a batch, only that one."""
    position = batch_position(file)
    if position is None:
        return "images", images
    is_whole = images.shape[0] == position.count
    of_batch = images[position.index : position.index + 1] if is_whole else images
    return f"image {position.index} of the batch of {position.count}", of_batch


def _compare_latent(file: gen5core.Gen5File, latent: Mapping[str, Any]) -> list[Comparison]:
    if "final_latent" not in file.latents:
        raise EncodeError(f"{Path(file.path).name} holds no result latent to compare with")
    current = samples_of(latent, "latent")
    stored = _select_stored(file, read_parts(file, "final_latent"), current)
    shapes = [[list(part.shape) for part in parts] for parts in (stored, current)]
    _check_shapes("latent", shapes[0], shapes[1], file)
    named = ["latent"] if len(stored) == 1 else [f"latent part {number}" for number in range(len(stored))]
    return [
        compare_tensors(name, one, other, peak=_value_range(one))
        for name, one, other in zip(named, stored, current, strict=True)
    ]


def _select_stored(file: gen5core.Gen5File, stored: Parts, current: Parts) -> Parts:
    """Return the stored latent; for a PNG that holds one image of a batch, the part of that image.

    Only if a single image is compared with it: such a PNG stores the latent of the whole batch.
    """
    position = batch_position(file)
    is_batch = position is not None and all(part.shape[0] == position.count for part in stored)
    if position is None or not is_batch or any(part.shape[0] != 1 for part in current):
        return stored
    return take(stored, position.index, "stored final_latent")


def _value_range(tensor: torch.Tensor) -> float:
    finite = tensor[tensor.isfinite()].double()
    return float(finite.max() - finite.min()) or 1.0 if finite.numel() else 1.0


def _check_shapes(what: str, stored: list[Any], current: list[Any], file: gen5core.Gen5File) -> None:
    if stored != current:
        raise EncodeError(
            f"the stored {what} of {Path(file.path).name}: {stored}; given: {current}. Shapes must be equal"
        )


def _finite(value: float) -> float | None:
    """Return value, or None if it is not finite, which JSON cannot express."""
    return value if math.isfinite(value) else None

"""Compare With Stored: is this the stored result, bit for bit, and if not, how far off is it?"""

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
from .stored.passes import image_of_batch, read_parts
from .tensors.difference import Comparison, compare_tensors, difference_picture
from .tensors.images import to_pixels, write_previews
from .tensors.latents import Parts, samples_of, take


class Gen5Compare:
    """Images and a latent against those of a file."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Compares images and a latent with those of a file: identical, L∞, PSNR, and where they differ."
    )
    RETURN_TYPES = ("BOOLEAN", "FLOAT", "FLOAT", "STRING", "IMAGE")
    RETURN_NAMES = ("identical", "max_difference", "psnr", "report", "difference")
    OUTPUT_TOOLTIPS = (
        "Nothing differs, not a bit.",
        "The largest difference, L∞: of images 0..1, of a latent in its own units.",
        "Peak signal to noise ratio in dB; infinite where nothing differs.",
        "The verdict in words.",
        "Where the images differ, scaled so that the largest difference is white.",
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
                        "tooltip": "What L∞ may be for 'within tolerance'; 0 wants every bit.",
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
        """Return the figures of what differs most, the report of all, and the difference picture."""
        if images is None and latent is None:
            raise EncodeError("nothing to compare: connect images, latent, or both")
        found: list[Comparison] = []
        picture: Any = host.blocked("Compare With Stored was given no images")
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
        told = {
            "identical": identical,
            "max_difference": _finite(largest),
            "psnr": _finite(psnr),
            "report": report,
            "tolerance": _finite(tolerance),
            "verdict": verdict(identical, largest, tolerance),
        }
        shown = {} if images is None else {"images": write_previews(to_pixels(picture))}
        return {
            "ui": {**shown, "gen5": [told]},
            "result": (identical, largest, psnr, report, picture),
        }


def stored_images(file: gen5core.Gen5File) -> torch.Tensor:
    """Return the stored pictures: float32, shape (B, H, W, C), 0..1.

    Raises
    ------
    EncodeError
        if there are none, or they are of different sizes.
    """
    arrays = [image.array() for image in file.images]
    if not arrays:
        raise EncodeError(f"{Path(file.path).name} holds no picture to compare with")
    if len({array.shape for array in arrays}) > 1:
        raise EncodeError(f"the pictures of {Path(file.path).name} are of different sizes")
    return torch.from_numpy(np.stack(arrays).astype(np.float32) / 255.0)


def rounded(images: torch.Tensor) -> torch.Tensor:
    """Return images as they look once saved with 8 bits, half precision scaled as such, as saving does it."""
    pixels = (255.0 * images.detach().cpu()).clamp(0, 255).to(torch.uint8)
    return pixels.float() / 255.0


def verdict(identical: bool, max_difference: float, tolerance: float) -> str:
    """Return ``bit-exact``, ``within tolerance`` or ``differs``."""
    if identical:
        return "bit-exact"
    return "within tolerance" if 0 < tolerance >= max_difference else "differs"


def describe(found: Comparison, tolerance: float) -> str:
    """Return one line of verdict."""
    told = verdict(found.identical, found.max_difference, tolerance)
    if found.identical:
        return f"{found.what}: {told}"
    figures = f"{'DIFFERENT' if told == 'differs' else told}, L∞ {found.max_difference:.6g}"
    if not found.differing:
        return f"{found.what}: {figures}: equal values in other bits (dtype, −0 or NaN)"
    return (
        f"{found.what}: {figures}, PSNR {found.psnr:.2f} dB, {found.differing} of {found.total} values differ"
    )


def _compare_images(file: gen5core.Gen5File, images: torch.Tensor) -> tuple[Comparison, torch.Tensor]:
    """Return how images differ from the stored ones, and the picture of it."""
    stored = stored_images(file)
    what, current = _same_images(file, rounded(images))
    _check_shapes(what, list(stored.shape), list(current.shape), file)
    return compare_tensors(what, stored, current, peak=1.0), difference_picture(stored, current)


def _same_images(file: gen5core.Gen5File, images: torch.Tensor) -> tuple[str, torch.Tensor]:
    """Return what is compared: of a whole batch against a PNG that holds one of its images, that one."""
    place = image_of_batch(file)
    if place is None:
        return "images", images
    is_whole = images.shape[0] == place.count
    of_batch = images[place.index : place.index + 1] if is_whole else images
    return f"image {place.index} of the batch of {place.count}", of_batch


def _compare_latent(file: gen5core.Gen5File, latent: Mapping[str, Any]) -> list[Comparison]:
    if "final_latent" not in file.latents:
        raise EncodeError(f"{Path(file.path).name} holds no result latent to compare with")
    current = samples_of(latent, "latent")
    stored = _same_samples(file, read_parts(file, "final_latent"), current)
    shapes = [[list(part.shape) for part in parts] for parts in (stored, current)]
    _check_shapes("latent", shapes[0], shapes[1], file)
    named = ["latent"] if len(stored) == 1 else [f"latent part {number}" for number in range(len(stored))]
    return [
        compare_tensors(name, one, other, peak=_range_of(one))
        for name, one, other in zip(named, stored, current, strict=True)
    ]


def _same_samples(file: gen5core.Gen5File, stored: Parts, current: Parts) -> Parts:
    """Return the stored latent, or of a batch's the image that a PNG holds, where one image is compared with it."""
    place = image_of_batch(file)
    is_batch = place is not None and all(part.shape[0] == place.count for part in stored)
    if place is None or not is_batch or any(part.shape[0] != 1 for part in current):
        return stored
    return take(stored, place.index, "stored final_latent")


def _range_of(tensor: torch.Tensor) -> float:
    finite = tensor[tensor.isfinite()].double()
    return float(finite.max() - finite.min()) or 1.0 if finite.numel() else 1.0


def _check_shapes(what: str, stored: list[Any], current: list[Any], file: gen5core.Gen5File) -> None:
    if stored != current:
        raise EncodeError(
            f"the stored {what} of {Path(file.path).name}: {stored}; given: {current}. Shapes must be equal"
        )


def _finite(value: float) -> float | None:
    """Return value for a browser's JSON, which has no infinity."""
    return value if math.isfinite(value) else None

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
from .stored.passes import BatchPosition, batch_position, read_parts, read_passes
from .tensors.difference import Comparison, compare_tensors, difference_picture, nearest, value_range
from .tensors.images import batches_of, to_pixels, write_previews
from .tensors.latents import Parts, check_latent, take
from .tensors.odd import keep_parts


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
                found += _compare_latent(file, latent, gen5.batch_index)
            if images is not None:
                compared, picture = _compare_images(file, images, gen5.batch_index)
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
            f"the pictures in {Path(file.path).name} have different sizes: give one image at a time, or compare latent"
        )
    return torch.from_numpy(np.stack(arrays).astype(np.float32) / 255.0)


def round_to_8_bits(images: torch.Tensor) -> torch.Tensor:
    """Return images rounded as Save Gen5 rounds them to 8 bits; half precision is scaled in half precision."""
    plain = images.detach().cpu()
    plain = plain.float() if plain.element_size() == 1 and plain.is_floating_point() else plain
    pixels = (255.0 * plain).nan_to_num(nan=0.0).clamp(0, 255).to(torch.uint8)
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


def _compare_images(
    file: gen5core.Gen5File, images: torch.Tensor, batch_index: int
) -> tuple[Comparison, torch.Tensor]:
    """Return the comparison of images with the stored ones, and the difference picture."""
    what, stored, current = _select_images(file, round_to_8_bits(_one_batch(images)), batch_index)
    _check_shapes(what, list(stored.shape), list(current.shape), file)
    return compare_tensors(what, stored, current, peak=1.0), difference_picture(stored, current)


def _one_batch(images: Any) -> torch.Tensor:
    """Return an IMAGE as one tensor of shape (B, H, W, C)."""
    batches = batches_of(images)
    if len({tuple(batch.shape[1:]) for batch in batches}) != 1:
        raise EncodeError(
            "the given images have different sizes: give one image at a time, or compare latent"
        )
    return torch.cat(batches) if len(batches) > 1 else batches[0]


def _select_images(
    file: gen5core.Gen5File, images: torch.Tensor, batch_index: int
) -> tuple[str, torch.Tensor, torch.Tensor]:
    """Return what is compared, in words, the stored images and the given ones.

    Of a PNG that holds one image of a batch, and where Load Gen5 has chosen one, only that; a single image is compared
    with the stored one that is nearest.
    """
    position = batch_position(file)
    if position is not None:
        _check_chosen(file, batch_index, position)
        of_batch = _only(images, position.index, position.count)
        return f"image {position.index} of the batch of {position.count}", stored_images(file), of_batch
    if batch_index >= 0:
        chosen = _stored_image(file, batch_index)
        return _of_batch("image", batch_index), chosen, _only(images, batch_index, len(file.images))
    if images.shape[0] != 1 or len(file.images) < 2:
        return "images", stored_images(file), images
    return _nearest_image(file, images)


def _nearest_image(file: gen5core.Gen5File, image: torch.Tensor) -> tuple[str, torch.Tensor, torch.Tensor]:
    arrays = [torch.from_numpy(one.array())[None].float() / 255.0 for one in file.images]
    same_size = {index: array for index, array in enumerate(arrays) if array.shape == image.shape}
    if not same_size:
        sizes = " and ".join(dict.fromkeys(_size(array) for array in arrays))
        raise EncodeError(
            f"the pictures in {Path(file.path).name} are {sizes} pixels, the given one is {_size(image)}: "
            "compare an image of the stored size"
        )
    index = nearest([[array] for array in same_size.values()], [image])
    number, stored = list(same_size.items())[index]
    return f"image {number} of {len(arrays)}, the nearest", stored, image


def _size(image: torch.Tensor) -> str:
    return f"{image.shape[2]} × {image.shape[1]} × {image.shape[3]}"


def _stored_image(file: gen5core.Gen5File, index: int) -> torch.Tensor:
    if index >= len(file.images):
        raise EncodeError(
            f"Load Gen5's batch_index is {index}, but {Path(file.path).name} holds {len(file.images)} pictures: "
            "compare latent instead, or set batch_index to −1"
        )
    return torch.from_numpy(file.images[index].array())[None].float() / 255.0


def _check_chosen(file: gen5core.Gen5File, batch_index: int, position: BatchPosition) -> None:
    if batch_index not in (-1, position.index):
        raise EncodeError(
            f"Load Gen5's batch_index is {batch_index}, but {Path(file.path).name} holds image {position.index} of a "
            f"batch of {position.count}: load the PNG of the other image, or set batch_index to −1"
        )


def _only(images: torch.Tensor, index: int, count: int) -> torch.Tensor:
    """Return one image of a batch that has as many images as the stored one; any other batch as it is."""
    return images[index : index + 1] if images.shape[0] == count else images


def _of_batch(what: str, index: int) -> str:
    return f"{what}, image {index} of the batch"


def _compare_latent(file: gen5core.Gen5File, latent: Mapping[str, Any], batch_index: int) -> list[Comparison]:
    if "final_latent" not in file.latents:
        raise EncodeError(f"{Path(file.path).name} holds no result latent to compare with")
    check_latent(latent, "latent")
    try:
        given = keep_parts(latent["samples"])
    except EncodeError as error:
        raise EncodeError(f"latent cannot be compared: {error}") from error
    what, stored, current = _select_latent(file, read_parts(file, "final_latent"), given, batch_index)
    shapes = [[list(part.shape) for part in parts] for parts in (stored, current)]
    _check_shapes("latent", shapes[0], shapes[1], file, _matching_pass(file, current))
    named = [what] if len(stored) == 1 else [f"{what} part {number}" for number in range(len(stored))]
    return [
        compare_tensors(name, one, other, peak=value_range(one))
        for name, one, other in zip(named, stored, current, strict=True)
    ]


def _select_latent(
    file: gen5core.Gen5File, stored: Parts, current: Parts, batch_index: int
) -> tuple[str, Parts, Parts]:
    """Return what is compared, in words, the stored latent and the given one.

    Where Load Gen5 has chosen one image, only that. A single latent is compared with that of the image of a PNG that
    holds one of a batch, since such a PNG stores the latent of the whole batch; in another file with the nearest.
    """
    count, given = _batch_size(stored), _batch_size(current)
    if batch_index >= 0:
        of_batch = take(current, batch_index, "latent") if given == count and given != 1 else current
        return _of_batch("latent", batch_index), take(stored, batch_index, "stored latent"), of_batch
    if given != 1 or count is None or count == 1:
        return "latent", stored, current
    position = batch_position(file)
    if position is not None and position.count == count:
        return "latent", take(stored, position.index, "stored final_latent"), current
    images = [take(stored, index, "stored latent") for index in range(count)]
    if [part.shape for part in images[0]] != [part.shape for part in current]:
        return "latent", stored, current
    index = nearest(images, current)
    return f"latent, image {index} of {count}, the nearest", images[index], current


def _batch_size(parts: Parts) -> int | None:
    """Return the number of images in a latent; None if its parts do not agree."""
    sizes = {part.shape[0] if part.ndim else None for part in parts}
    return sizes.pop() if len(sizes) == 1 else None


def _matching_pass(file: gen5core.Gen5File, current: Parts) -> str:
    """Return which earlier pass worked on a latent of this shape, as the end of a message."""
    wanted = [list(part.shape[1:]) for part in current]
    passes = read_passes(file)
    for found in passes[:-1]:
        if found.shapes is not None and [list(shape[1:]) for shape in found.shapes] == wanted:
            node = f" (node {found.node_id})" if found.node_id else ""
            return (
                f". The given one has the shape of pass {found.index}{node}, whose result the file does not hold: "
                f"connect that of the last pass, {passes[-1].index}"
            )
    return ""


def _check_shapes(
    what: str, stored: list[Any], current: list[Any], file: gen5core.Gen5File, hint: str = ""
) -> None:
    if stored != current:
        raise EncodeError(
            f"the stored {what} of {Path(file.path).name}: {stored}; given: {current}. Shapes must be equal{hint}"
        )


def _finite(value: float) -> float | None:
    """Return value, or None if it is not finite, which JSON cannot express."""
    return value if math.isfinite(value) else None

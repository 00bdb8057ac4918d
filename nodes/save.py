"""Save Gen5: one file with the picture, the exact starting noise and everything else that made it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .. import gen5core
from ..gen5core import jsontext, spec
from ..gen5core.atomic import atomic_file, write_all
from ..gen5core.errors import EncodeError
from ..gen5core.graph import sampler_passes
from ..gen5core.images import encode_image
from ..gen5core.model_info import fits_rule
from ..gen5core.records import SamplerPass
from . import host
from .capturing import Captured, SaveInputs, capture_noise
from .content import open_stored
from .latents import samples_of
from .prefix import expand_prefix
from .recording import Recording
from .resources import describe_resources
from .splice import unsplice

PNG_LEVEL = 1
"""Deflate level of the PNG beside the file: after the Up filter the fastest one is small enough."""
_MAX_COLLISIONS = 10_000


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a save goes: folder, file name, number, and the subfolder as ComfyUI shows it."""

    folder: Path
    name: str
    counter: int
    subfolder: str

    def stem(self, counter: int, image: int | None) -> str:
        """Return the name without suffix; image numbers the pictures of a batch."""
        name = self.name.replace("%batch_num%", str(image or 0))
        return f"{name}_{counter:05}_{'' if image is None else image}"


class Gen5Save:
    """Write a .gen5 file, and an ordinary PNG beside it."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Saves images with the exact starting noise, the sampler settings, the workflow, the environment and "
        "fingerprints of the models, in one checked file."
    )
    RETURN_TYPES = ("IMAGE", "GEN5")
    RETURN_NAMES = ("images", "gen5")
    OUTPUT_TOOLTIPS = ("The images, passed through.", "The saved file, for Compare With Stored and others.")
    FUNCTION = "save"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "filename_prefix": (
                    "STRING",
                    {
                        "default": "gen5/ComfyUI",
                        "tooltip": "As in Save Image, with the same tokens; a / makes a subfolder.",
                    },
                ),
            },
            "optional": {
                "images": ("IMAGE", {"tooltip": "The decoded images."}),
                "latent": (
                    "LATENT",
                    {"tooltip": "The sampler's own latent: the result, and the shape of its noise."},
                ),
                "noise": ("LATENT", {"tooltip": "The starting noise, where it was made by hand."}),
                "recording": (
                    "GEN5_RECORDING",
                    {"tooltip": "Record Sampling's notes: what the sampler really got."},
                ),
                "format": (
                    ["gen5+png", "gen5"],
                    {"default": "gen5+png", "tooltip": "Write an ordinary PNG beside it, or not."},
                ),
                "images_stored": (
                    ["all", "first", "none"],
                    {"default": "all", "tooltip": "Which images the file holds."},
                ),
                "compression": (
                    ["auto", "none", "zstd"],
                    {"default": "auto", "tooltip": "auto compresses what shrinks."},
                ),
                "tags": ("STRING", {"default": "", "tooltip": "Words to find it by, separated by commas."}),
                "embed_workflow": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "Store the workflow in the file and the PNG."},
                ),
                "fingerprint_models": (
                    ["sampled", "full", "off"],
                    {
                        "default": "sampled",
                        "tooltip": "sampled: milliseconds; full: SHA-256 of whole files, kept in a cache.",
                    },
                ),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"},
        }

    def save(
        self,
        filename_prefix: str = "gen5/ComfyUI",
        images: torch.Tensor | None = None,
        latent: Mapping[str, Any] | None = None,
        noise: Mapping[str, Any] | None = None,
        recording: Recording | None = None,
        format: str = "gen5+png",
        images_stored: str = "all",
        compression: Any = "auto",
        tags: str = "",
        embed_workflow: bool = True,
        fingerprint_models: str = "sampled",
        prompt: Mapping[str, Any] | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
        unique_id: str | None = None,
    ) -> dict[str, Any]:
        """Save and return the node's preview and outputs."""
        if images is None and latent is None:
            raise EncodeError("nothing to save: connect images, latent, or both")
        executed = prompt or {}
        passes = sampler_passes(executed, unique_id) if unique_id is not None else []
        parts = None if latent is None else samples_of(latent, "latent")
        provided = None if noise is None else samples_of(noise, "noise")
        batch_index = None if latent is None else latent.get("batch_index")
        inputs = SaveInputs(executed, unique_id, passes, parts, batch_index)
        captured = capture_noise(inputs, recording, provided)
        if latent is not None:
            captured.keep_result(parts or [], latent.get("noise_mask"))
        embedded = (
            _embedded(unsplice(executed), extra_pnginfo)
            if embed_workflow and not host.metadata_disabled()
            else {}
        )
        pixels = [] if images is None else _pixels(images)
        stored_count = {"all": len(pixels), "first": min(len(pixels), 1), "none": 0}[images_stored]
        _check_count(captured.latents, stored_count)
        place = _place(filename_prefix, pixels, passes, executed)
        pngs = _encode_pngs(pixels, embedded) if format == "gen5+png" else []
        facts = {
            "latents": captured.latents,
            "images": (pngs or pixels)[:stored_count],
            "comfyui": {**embedded, "version": host.description()} if embedded else None,
            "capture": {**captured.as_meta(), **({"batch_index": list(batch_index)} if batch_index else {})},
            "resources": describe_resources(passes, fingerprint_models),
            "environment": gen5core.Environment.capture(
                host=host.description(), attention=host.attention_backend()
            ),
            "tags": [tag.strip() for tag in tags.split(",") if tag.strip()],
            "compression": compression,
            **_described(captured.passes),
        }
        path, shown = _write(place, facts, pngs)
        ui = {"images": shown or _previews(pixels), "gen5": [_told(path, place, captured)]}
        passed_on = host.blocked("Save Gen5 was given no images") if images is None else images
        return {"ui": ui, "result": (passed_on, open_stored(path))}


def _told(path: Path, place: _Place, captured: Captured) -> dict[str, Any]:
    """Return what the node shows of a saved file."""
    return {
        "filename": path.name,
        "subfolder": place.subfolder,
        "type": "output",
        "size_bytes": path.stat().st_size,
        "noise_source": captured.noise_source,
        "reason": captured.reason,
    }


def _pixels(images: torch.Tensor) -> list[npt.NDArray[np.uint8]]:
    """Return images of shape (B, H, W, C), 0..1, as pixels, rounded as Save Image does."""
    array = (255.0 * images.detach().cpu().numpy()).clip(0, 255).astype(np.uint8)
    return list(array)


def _check_count(latents: Mapping[str, Any], images: int) -> None:
    """Refuse more images than a file holds, before one of them is encoded."""
    tensors = sum(len(value) if isinstance(value, list) else 1 for value in latents.values())
    if images + tensors >= spec.MAX_CHUNKS:  # one chunk is the environment
        raise EncodeError(
            f"{images} images and {tensors} latents are more than the {spec.MAX_CHUNKS} chunks of a file: "
            "store fewer images (images_stored first or none)"
        )


def _embedded(graph: Mapping[str, Any], extra_pnginfo: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return prompt and workflow, and what else the browser adds, as they go into META and PNG."""
    return {**({"prompt": dict(graph)} if graph else {}), **(extra_pnginfo or {})}


def _encode_pngs(pixels: Sequence[npt.NDArray[np.uint8]], embedded: Mapping[str, Any]) -> list[bytes]:
    """Return images as PNGs with the text that ComfyUI's own have."""
    text = {name: jsontext.dumps(value, name) for name, value in embedded.items()}
    return [encode_image(image, text=text, level=PNG_LEVEL) for image in pixels]


def _described(passes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return settings, prompt and model of the pass nearest the image; what META's rules refuse is left out."""
    last = passes[-1] if passes else {}
    named = {
        "seed": last.get("seed"),
        "steps": last.get("steps"),
        "sampler": last.get("sampler_name") or last.get("recorded_sampler"),
        "cfg_scale": last.get("cfg"),
        "scheduler": last.get("scheduler"),
        "denoise": last.get("denoise"),
        "negative": last.get("negative"),
        "width": last.get("width"),
        "height": last.get("height"),
    }
    settings = {name: value for name, value in named.items() if value is not None and fits_rule(name, value)}
    return {
        "settings": settings or None,
        "prompt": last.get("positive") or "",
        "model_name": last.get("model_name") or "",
    }


def _place(
    prefix: str,
    pixels: Sequence[npt.NDArray[np.uint8]],
    passes: Sequence[SamplerPass],
    prompt: Mapping[str, Any],
) -> _Place:
    """Return where to save, before anything is encoded.

    Raises
    ------
    EncodeError
        if the prefix gives no name that the file system takes.
    """
    if pixels:
        height, width = pixels[0].shape[:2]
    else:
        width, height = (passes[-1].width or 0, passes[-1].height or 0) if passes else (0, 0)
    try:
        return _Place(*host.save_location(expand_prefix(prefix, prompt, datetime.now()), width, height))
    except (OSError, ValueError) as error:
        raise EncodeError(
            f"filename_prefix {prefix!r:.80} gives no file name ({error}); choose a shorter or plainer one"
        ) from error


def _write(
    place: _Place, facts: Mapping[str, Any], pngs: Sequence[bytes]
) -> tuple[Path, list[dict[str, str]]]:
    """Write the file and its PNGs under the next free number; return the path and what the node shows."""
    for counter in range(place.counter, place.counter + _MAX_COLLISIONS):
        path = place.folder / f"{place.stem(counter, None)}.gen5"
        names = [
            f"{place.stem(counter, None if len(pngs) == 1 else number)}.png" for number in range(len(pngs))
        ]
        beside = [place.folder / name for name in names]
        if any(taken.exists() for taken in (path, *beside)):
            continue
        try:
            _write_together(path, facts, dict(zip(beside, pngs, strict=True)))
        except FileExistsError:
            continue
        return path, [{"filename": name, "subfolder": place.subfolder, "type": "output"} for name in names]
    raise EncodeError(
        f"{place.folder} has no free number after {place.counter}; choose another filename_prefix"
    )


def _write_together(path: Path, facts: Mapping[str, Any], pngs: Mapping[Path, bytes]) -> None:
    """Write the file and its PNGs, overwriting nothing; where one fails, those written are removed."""
    written: list[Path] = []
    try:
        written.append(gen5core.save(path, overwrite=False, **facts))
        for beside, png in pngs.items():
            with atomic_file(beside, overwrite=False) as fd:
                write_all(fd, [png])
            written.append(beside)
    except BaseException:
        for done in written:
            done.unlink(missing_ok=True)
        raise


def _previews(pixels: Sequence[npt.NDArray[np.uint8]]) -> list[dict[str, str]]:
    """Write previews into temp/ for a node that leaves no PNG, and return what it shows."""
    folder = host.folder("temp")
    shown = []
    for number, image in enumerate(pixels):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"gen5_{secrets.token_hex(6)}_{number}.png"
        (folder / name).write_bytes(encode_image(image, level=PNG_LEVEL))
        shown.append({"filename": name, "subfolder": "", "type": "temp"})
    return shown

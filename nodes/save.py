"""Save Gen5: one file with the picture, the exact starting noise and everything else that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..gen5core.container import spec
from ..gen5core.errors import EncodeError
from ..gen5core.graph.passes import sampler_passes
from ..gen5core.graph.sampler_pass import SamplerPass
from . import host
from .prompt.edit import remove_inserted
from .sampling.recording import Recording
from .saving.capture import Captured, capture_noise
from .saving.match_runs import SaveInputs
from .saving.metadata import (
    describe_capture,
    describe_graph,
    describe_last_pass,
    describe_machine,
    without_private,
)
from .saving.output_formats import BOTH, FORMATS, PNG, plan_files
from .saving.output_paths import OutputPath, find_output_path, write_numbered
from .stored.file import StoredFile, open_stored
from .stored.models import describe_resources
from .stored.signatures import signing_key
from .tensors.images import Pixels, to_pixels, write_previews
from .tensors.latents import samples_of


class Gen5Save:
    """Write a .gen5 file, and an ordinary PNG beside it; or PNGs that carry everything themselves."""

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
                    list(FORMATS),
                    {
                        "default": BOTH,
                        "tooltip": "gen5+png: a .gen5 file, and ordinary PNGs beside it; gen5: the .gen5 file alone; "
                        "png: PNGs alone, each of which carries the whole record. Any viewer shows them; websites "
                        "and editors strip the record.",
                    },
                ),
                "images_stored": (
                    ["all", "first", "none"],
                    {
                        "default": "all",
                        "tooltip": "Which images the .gen5 file holds: all, the first, or none. With format png "
                        "each PNG holds its own, whatever is chosen here, and the noise of the whole batch: for "
                        "large batches gen5+png is far smaller.",
                    },
                ),
                "compression": (
                    ["auto", "none", "zstd"],
                    {
                        "default": "auto",
                        "tooltip": "auto compresses what shrinks; zstd everything; none nothing.",
                    },
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
                        "tooltip": "sampled: milliseconds; full: SHA-256 of whole files, kept in a cache; off: none.",
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
        format: str = BOTH,
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
        pixels = _pixels(images, latent, format)
        key = signing_key()
        executed = prompt or {}
        passes = sampler_passes(executed, unique_id) if unique_id is not None else []
        inputs = _save_inputs(executed, unique_id, passes, latent)
        captured = capture_noise(inputs, recording, None if noise is None else samples_of(noise, "noise"))
        if latent is not None:
            captured.keep_result(inputs.latent or [], latent.get("noise_mask"))
        stored_count = 1 if format == PNG else {"all": len(pixels), "first": 1, "none": 0}[images_stored]
        _check_count(captured.latents, len(pixels[:stored_count]))
        place = find_output_path(filename_prefix, *_size(pixels, passes), executed)
        is_embedded = embed_workflow and not host.metadata_disabled()
        facts, scrubbed = without_private(
            {
                "latents": captured.latents,
                "comfyui": describe_graph(remove_inserted(executed), extra_pnginfo) if is_embedded else None,
                "capture": describe_capture(captured, inputs.batch_index),
                "resources": describe_resources(passes, fingerprint_models),
                "tags": [tag.strip() for tag in tags.split(",") if tag.strip()],
                "compression": compression,
                "signing_key": key,
                **describe_machine(),
                **describe_last_pass(captured.passes),
            }
        )
        paths = write_numbered(place, plan_files(format, facts, pixels, stored_count))
        saved = open_stored(paths[0])
        shown = _shown(paths, place) or write_previews(pixels)
        signed_by = None if key is None else key.public_key.key_id
        told = {**_told(saved, place, captured), "signed_by": signed_by, "scrubbed": scrubbed}
        passed_on = host.blocked("Save Gen5 was given no images") if images is None else images
        return {"ui": {"images": shown, "gen5": [told]}, "result": (passed_on, saved)}


def _pixels(images: torch.Tensor | None, latent: object, format: str) -> list[Pixels]:
    """Return the images to save.

    Raises
    ------
    EncodeError
        if there is nothing to save, or no picture for a PNG.
    """
    if images is None and latent is None:
        raise EncodeError("nothing to save: connect images, latent, or both")
    pixels = [] if images is None else to_pixels(images)
    if format == PNG and not pixels:
        raise EncodeError(
            "format png saves PNGs that carry the record, and there is no image for one to show: "
            "connect images, or set format to gen5"
        )
    return pixels


def _save_inputs(
    executed: Mapping[str, Any],
    unique_id: str | None,
    passes: Sequence[SamplerPass],
    latent: Mapping[str, Any] | None,
) -> SaveInputs:
    if latent is None:
        return SaveInputs(executed, unique_id, passes, None, None)
    parts = samples_of(latent, "latent")
    return SaveInputs(executed, unique_id, passes, parts, latent.get("batch_index"))


def _shown(paths: Sequence[Path], place: OutputPath) -> list[dict[str, str]]:
    """Return the PNGs among paths as ComfyUI shows them."""
    names = [path.name for path in paths if path.suffix == ".png"]
    return [{"filename": name, "subfolder": place.subfolder, "type": "output"} for name in names]


def _told(stored: StoredFile, place: OutputPath, captured: Captured) -> dict[str, Any]:
    """Return what the node shows of a saved file."""
    return {
        "filename": stored.path.name,
        "subfolder": place.subfolder,
        "type": "output",
        "size_bytes": stored.path.stat().st_size,
        "root": stored.root,
        "noise_source": captured.noise_source,
        "reason": captured.reason,
        "step_noise": [
            {"pass": index, "stored": "step_noise" in entry, "reason": entry.get("step_noise_reason")}
            for index, entry in enumerate(captured.passes)
        ],
    }


def _size(pixels: Sequence[Pixels], passes: Sequence[SamplerPass]) -> tuple[int, int]:
    """Return width and height for the tokens of filename_prefix; 0 where nothing tells."""
    if pixels:
        return pixels[0].shape[1], pixels[0].shape[0]
    return (passes[-1].width or 0, passes[-1].height or 0) if passes else (0, 0)


def _check_count(latents: Mapping[str, Any], images: int) -> None:
    """Refuse more images than a file holds, before one of them is encoded."""
    tensors = sum(len(value) if isinstance(value, list) else 1 for value in latents.values())
    if images + tensors >= spec.MAX_CHUNKS:  # one chunk is the environment
        raise EncodeError(
            f"{images} images and {tensors} latents are more than the {spec.MAX_CHUNKS} chunks of a file: "
            "store fewer images (images_stored first or none)"
        )

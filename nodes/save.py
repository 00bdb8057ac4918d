"""Save Gen5: one file with the picture, the exact starting noise and everything else that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..gen5core.container import spec
from ..gen5core.container.chunks import Compression
from ..gen5core.errors import EncodeError
from ..gen5core.graph.sampler_pass import SamplerPass
from ..gen5core.signatures.keys import SigningKey
from . import host
from .sampling.automatic import automatic_recording
from .sampling.recording import Recording
from .saving.capture import Captured, capture_noise
from .saving.complete import complete_passes
from .saving.inputs import BOTH, FORMATS, PNG, SaveOptions, read_inputs
from .saving.metadata import apply_privacy_setting, build_request
from .saving.observed import Observed
from .saving.output_formats import plan_files
from .saving.output_paths import OutputPath, check_prefix, find_output_path, write_numbered
from .stored.file import StoredFile, open_stored
from .stored.signatures import signing_key
from .tensors.images import Pixels, to_pixels, write_previews


class Gen5Save:
    """Write a .gen5 file and ordinary PNGs beside it, or PNGs that carry the record themselves."""

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
                "noise": ("LATENT", {"tooltip": "The starting noise, if the workflow makes it itself."}),
                "recording": (
                    "GEN5_RECORDING",
                    {"tooltip": "What Record Sampling recorded: the sampler's actual inputs."},
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
                        "tooltip": "auto: compress what gets smaller; zstd: compress everything; none: nothing.",
                    },
                ),
                "tags": (
                    "STRING",
                    {"default": "", "tooltip": "Words to find the file by, separated by commas."},
                ),
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

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: Any = None) -> bool | str:
        """Refuse a prefix that no file can have, before anything runs; one that is linked is not known yet."""
        return (check_prefix(filename_prefix) if isinstance(filename_prefix, str) else None) or True

    def save(
        self,
        filename_prefix: str = "gen5/ComfyUI",
        images: torch.Tensor | None = None,
        latent: Mapping[str, Any] | None = None,
        noise: Mapping[str, Any] | None = None,
        recording: Recording | None = None,
        format: str = BOTH,
        images_stored: str = "all",
        compression: Compression = "auto",
        tags: str = "",
        embed_workflow: bool = True,
        fingerprint_models: str = "sampled",
        prompt: Mapping[str, Any] | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
        unique_id: str | None = None,
        observed: Observed | None = None,
    ) -> dict[str, Any]:
        """Save and return the node's preview and outputs.

        ``observed`` is wired by the server (``prompt.insert_values``); INPUT_TYPES does not have it.
        """
        options = SaveOptions(format, images_stored, compression, tags, embed_workflow, fingerprint_models)
        pixels = _pixels(images, latent, format)
        key = signing_key()
        runs = recording or automatic_recording(prompt or {}, unique_id)
        inputs = read_inputs(prompt or {}, unique_id, latent, noise, runs, observed, images)
        captured = complete_passes(capture_noise(inputs), inputs, pixels[0].shape[:2] if pixels else None)
        wanted_count = options.count_stored(len(pixels))
        stored_count = _count_that_fit(captured.latents, wanted_count)
        if stored_count < wanted_count:
            captured = captured.with_reasons([_left_out(stored_count, wanted_count)])
        output_path = find_output_path(
            filename_prefix, *_size(pixels, inputs.passes), inputs.executed, len(pixels)
        )
        request, scrubbed = apply_privacy_setting(
            build_request(inputs, captured, options, extra_pnginfo, key)
        )
        paths = write_numbered(output_path, plan_files(format, request, pixels, stored_count))
        saved = open_stored(paths[0])
        shown = _shown_images(paths, output_path) or write_previews(pixels)
        summary = _summary(saved, output_path, captured, key, scrubbed)
        passed_on = host.blocked("Save Gen5 was given no images") if images is None else images
        return {"ui": {"images": shown, "gen5": [summary]}, "result": (passed_on, saved)}


def _pixels(images: torch.Tensor | None, latent: object, format: str) -> list[Pixels]:
    """Return the images to save.

    Raises
    ------
    EncodeError
        if there is nothing to save, or no image for a PNG.
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


def _shown_images(paths: Sequence[Path], output_path: OutputPath) -> list[dict[str, str]]:
    """Return the PNGs among paths as ``ui.images`` lists them."""
    return [_file_entry(path, output_path) for path in paths if path.suffix == ".png"]


def _file_entry(path: Path, output_path: OutputPath) -> dict[str, str]:
    """Return a saved file as ComfyUI's ``/view`` addresses it."""
    return {"filename": path.name, "subfolder": output_path.subfolder, "type": "output"}


def _summary(
    saved: StoredFile,
    output_path: OutputPath,
    captured: Captured,
    key: SigningKey | None,
    scrubbed: Sequence[str],
) -> dict[str, Any]:
    """Return what the node shows about a saved file."""
    return {
        **_file_entry(saved.path, output_path),
        "size_bytes": saved.path.stat().st_size,
        "root": saved.root,
        "noise_source": captured.noise_source,
        "reason": captured.reason,
        "reason_kind": captured.reason_kind,
        "step_noise": [
            {"pass": index, "stored": "step_noise" in entry, "reason": entry.get("step_noise_reason")}
            for index, entry in enumerate(captured.passes)
        ],
        "signed_by": None if key is None else key.public_key.key_id,
        "scrubbed": scrubbed,
    }


def _size(pixels: Sequence[Pixels], passes: Sequence[SamplerPass]) -> tuple[int, int]:
    """Return width and height for the tokens of filename_prefix; 0 if unknown."""
    if pixels:
        return pixels[0].shape[1], pixels[0].shape[0]
    return (passes[-1].width or 0, passes[-1].height or 0) if passes else (0, 0)


def _count_that_fit(latents: Mapping[str, Any], images: int) -> int:
    """Return how many of the images a file can hold beside its latents; the picture is made, so what fits is kept.

    Raises
    ------
    EncodeError
        if not even the latents fit.
    """
    tensors = sum(len(value) if isinstance(value, list) else 1 for value in latents.values())
    room = spec.MAX_CHUNKS - 1 - tensors  # one chunk is the environment
    if room < 0 or (images and not room):
        raise EncodeError(
            f"{images} images and {tensors} latents are more than the {spec.MAX_CHUNKS} chunks that a file can have: "
            "save fewer at a time"
        )
    return min(images, room)


def _left_out(stored: int, wanted: int) -> str:
    return f"the file holds the first {stored} of {wanted} images: it can have {spec.MAX_CHUNKS} chunks"

"""Save Gen5: one file with the picture, the exact starting noise and everything else that made it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .. import gen5core
from ..gen5core import spec
from ..gen5core.errors import EncodeError
from ..gen5core.graph import sampler_passes
from ..gen5core.model_info import fits_rule
from ..gen5core.records import SamplerPass
from . import host
from .capturing import Captured, SaveInputs, capture_noise
from .content import StoredFile, open_stored
from .latents import samples_of
from .placing import Place, find_place, write_numbered
from .previews import Pixels, encode_pngs, to_pixels, write_previews
from .recording import Recording
from .resources import describe_resources
from .splice import unsplice

MACHINE_NAME_SETTING = "Gen5.Privacy.MachineName"


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
        pixels = [] if images is None else to_pixels(images)
        stored_count = {"all": len(pixels), "first": min(len(pixels), 1), "none": 0}[images_stored]
        _check_count(captured.latents, stored_count)
        place = find_place(filename_prefix, *_size(pixels, passes), executed)
        environment = gen5core.Environment.capture(
            host=host.description(), attention=host.attention_backend()
        )
        pngs = encode_pngs(pixels, embedded) if format == "gen5+png" else []
        facts = {
            "latents": captured.latents,
            "images": (pngs or pixels)[:stored_count],
            "comfyui": {**embedded, "version": host.description()} if embedded else None,
            "capture": {**captured.as_meta(), **({"batch_index": list(batch_index)} if batch_index else {})},
            "resources": describe_resources(passes, fingerprint_models),
            "environment": environment,
            "hardware": _hardware(environment),
            "tags": [tag.strip() for tag in tags.split(",") if tag.strip()],
            "compression": compression,
            **_described(captured.passes),
        }
        path, shown = write_numbered(place, facts, pngs)
        stored = open_stored(path)
        ui = {"images": shown or write_previews(pixels), "gen5": [_told(stored, place, captured)]}
        passed_on = host.blocked("Save Gen5 was given no images") if images is None else images
        return {"ui": ui, "result": (passed_on, stored)}


def _told(stored: StoredFile, place: Place, captured: Captured) -> dict[str, Any]:
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


def _hardware(environment: gen5core.Environment) -> dict[str, Any]:
    """Return the machine, under its own name only where the person has chosen that."""
    name = platform.node() if host.setting(MACHINE_NAME_SETTING, False) else ""
    told = {"machine_name": name.encode("utf-8", "replace").decode()} if name else {}
    return {**environment.hardware, **told}


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

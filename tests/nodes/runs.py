"""Sampling runs without a sampler: wrappers around a plain function, and prompts as ComfyUI hands them over.

A wrapper gets an executor and the arguments of ``CFGGuider.outer_sample``; both are plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from gen5pack.nodes.sampling.replayer import SamplingReplayer
from gen5pack.nodes.stored.file import StoredFile

Wrapper = Callable[..., torch.Tensor]
SIGMAS = torch.tensor([14.5, 3.0, 0.0])
NAMES = ("noise", "latent_image", "sampler", "sigmas", "denoise_mask", "callback", "disable_pbar", "seed")


def sample_euler(*_: Any) -> None:
    """Stand in for the function of a KSAMPLER, from whose name the sampler's is derived."""


SAMPLER = SimpleNamespace(sampler_function=sample_euler)


@dataclass
class OuterSample:
    """A chain of wrappers; the last link keeps what reaches the sampler and returns a latent made from it."""

    wrappers: Sequence[Wrapper] = ()
    class_obj: Any = field(default_factory=lambda: SimpleNamespace(cfg=8.0))
    """The guider, which has cfg."""
    received: list[dict[str, Any]] = field(default_factory=list)
    compute: Callable[[dict[str, Any]], torch.Tensor] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Call the next wrapper, or the sampler after the last one."""
        if self.wrappers:
            first, *rest = self.wrappers
            inner = OuterSample(rest, self.class_obj, self.received, self.compute)
            return first(inner, *args, **kwargs)
        got = {**dict(zip(NAMES, args, strict=False)), **kwargs, "further": args[len(NAMES) :]}
        got["guider"] = self.class_obj
        self.received.append(got)
        if self.compute is not None:
            return self.compute(got)
        return got["noise"].float() * 0.5 + got["latent_image"].float()


def run(
    wrappers: Sequence[Wrapper],
    noise: torch.Tensor,
    latent: torch.Tensor | None = None,
    *,
    seed: int | None = 1,
    sigmas: torch.Tensor = SIGMAS,
    cfg: float = 8.0,
    mask: torch.Tensor | None = None,
    compute: Callable[[dict[str, Any]], torch.Tensor] | None = None,
    **further: Any,
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Sample as ComfyUI does; return the result and what the sampler received."""
    outer = OuterSample(list(wrappers), SimpleNamespace(cfg=cfg), compute=compute)
    start = torch.zeros_like(noise) if latent is None else latent
    output = outer(noise, start, SAMPLER, sigmas, mask, None, False, seed, **further)
    return output, outer.received[-1]


def replaying(
    stored: StoredFile, pass_index: int = -1, batch_index: int = -1, **options: bool
) -> SamplingReplayer:
    """Return a replayer as Replay Sampling creates it."""
    return SamplingReplayer(stored, stored.read_start(pass_index), batch_index, **options)


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return random values that do not depend on the code under test."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def txt2img(seed: Any = 5, batch_size: int = 1, **sampler: Any) -> dict[str, Any]:
    """Return a txt2img prompt whose KSampler is 3 and whose Save Gen5 is 9."""
    return {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd.safetensors"}},
        "5": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 64, "height": 32, "batch_size": batch_size},
        },
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat, 猫", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": seed,
                "steps": 20,
                "cfg": 7.5,
                "sampler_name": "euler",
                "scheduler": "karras",
                "denoise": 1.0,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
                **sampler,
            },
        },
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "Gen5Save", "inputs": {"images": ["8", 0], "latent": ["3", 0]}},
    }


def hires(**second: Any) -> dict[str, Any]:
    """Return txt2img whose result is upscaled and sampled again by node 13; Save Gen5 is 9."""
    graph = txt2img()
    graph["12"] = {"class_type": "LatentUpscale", "inputs": {"samples": ["3", 0], "width": 128, "height": 64}}
    again = {"latent_image": ["12", 0], "denoise": 0.5, "seed": 6, **second}
    graph["13"] = {"class_type": "KSampler", "inputs": {**graph["3"]["inputs"], **again}}
    graph["8"]["inputs"]["samples"] = graph["9"]["inputs"]["latent"] = ["13", 0]
    return graph


def images(count: int = 1, height: int = 4, width: int = 6) -> torch.Tensor:
    """Return an IMAGE whose pixels all differ."""
    values = torch.arange(count * height * width * 3) % 256
    return values.reshape(count, height, width, 3).float() / 255.0

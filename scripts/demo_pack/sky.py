"""The closed-form model of ``scripts/closed_form.py`` as a MODEL that ComfyUI's own samplers sample."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.supported_models_base
import torch

SIDE = 256
SAMPLING = {"linear_start": 1e-6, "linear_end": 0.045}
"""Betas whose sigmas range from 0.001 to about 2000. The largest must be large against the distance between the
means, up to 221, and the smallest must keep the edges of the clouds. Stable Diffusion's range from 0.03 to 14.6."""


def _load_closed_form() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "closed_form.py"
    spec = importlib.util.spec_from_file_location("gen5_demo_closed_form", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


closed_form = _load_closed_form()


class PixelSpace(comfy.latent_formats.LatentFormat):
    """Latents that are the pixels themselves: three channels, values about 0..1."""

    latent_channels = 3
    scale_factor = 1.0


class SkyConfig(comfy.supported_models_base.BASE):
    """The configuration that ComfyUI needs for a family of models."""

    latent_format = PixelSpace
    sampling_settings = SAMPLING


class NoisePrediction(torch.nn.Module):
    """The exact denoiser D as a network that predicts noise: (x − D(x, σ)) / σ, on the CPU in float64."""

    sigma_of: Callable[[torch.Tensor], torch.Tensor]
    """Returns the noise level of a timestep; set once the model has its schedule."""

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.dtype = torch.float32
        self.exact = closed_form.ClosedFormModel(SIDE)

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor, **_: Any) -> torch.Tensor:
        """Return the noise in x, of shape (B, 3, SIDE, SIDE) and unit variance."""
        sigmas = self.sigma_of(timesteps).flatten().tolist()
        noises = [self._noise_in(one, sigma) for one, sigma in zip(x, sigmas, strict=True)]
        return torch.stack(noises).to(x)

    def _noise_in(self, scaled: torch.Tensor, sigma: float) -> torch.Tensor:
        noisy = scaled.cpu().double().numpy() * (1.0 + sigma**2) ** 0.5
        return torch.from_numpy((noisy - self.exact.denoise(noisy, sigma)) / sigma)


class ClosedFormSky:
    """A model of skies, and an empty latent of its size."""

    CATEGORY = "Gen5 demo"
    FUNCTION = "make"
    RETURN_TYPES = ("MODEL", "LATENT")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {}}

    def make(self) -> tuple[Any, dict[str, torch.Tensor]]:
        kind = comfy.model_base.ModelType.EPS
        model = comfy.model_base.BaseModel(SkyConfig({}), kind, unet_model=NoisePrediction)
        model.diffusion_model.sigma_of = model.model_sampling.sigma
        load_device = comfy.model_management.get_torch_device()
        offload_device = comfy.model_management.unet_offload_device()
        patcher = comfy.model_patcher.ModelPatcher(model, load_device, offload_device)
        return patcher, {"samples": torch.zeros(1, 3, SIDE, SIDE)}


class SkyText:
    """A CONDITIONING, which the model ignores: it only knows skies."""

    CATEGORY = "Gen5 demo"
    FUNCTION = "encode"
    RETURN_TYPES = ("CONDITIONING",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"text": ("STRING", {"default": ""})}}

    def encode(self, text: str) -> tuple[list[list[Any]]]:
        return ([[torch.zeros(1, 77, 8), {"pooled_output": None}]],)


class SkyPicture:
    """Convert a latent of this model to an IMAGE."""

    CATEGORY = "Gen5 demo"
    FUNCTION = "decode"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"samples": ("LATENT",)}}

    def decode(self, samples: dict[str, torch.Tensor]) -> tuple[torch.Tensor]:
        return (samples["samples"].movedim(1, -1).clamp(0, 1).float().cpu(),)

"""TestOwnNoise: a sampler whose noise cannot be derived from its seed by ComfyUI's rule, only recorded."""

import comfy.sample
import comfy.samplers
import torch

from .latents import SEED


class TestOwnNoise:
    """A KSampler with noise of its own: values drawn in another order from another seed."""

    CATEGORY = "test"
    FUNCTION = "sample"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "seed": SEED,
                "steps": ("INT", {"default": 4, "min": 1, "max": 100}),
                "cfg": ("FLOAT", {"default": 5.0}),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "latent_image": ("LATENT",),
            }
        }

    def sample(self, model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image):
        latent = comfy.sample.fix_empty_latent_channels(model, latent_image["samples"])
        generator = torch.Generator().manual_seed(seed ^ 0x5EED)
        noise = torch.randn(latent.shape[::-1], generator=generator).permute(*range(latent.ndim)[::-1])
        samples = comfy.sample.sample(
            model,
            noise.contiguous(),
            steps,
            cfg,
            sampler_name,
            scheduler,
            positive,
            negative,
            latent,
            seed=seed,
        )
        return ({**latent_image, "samples": samples},)

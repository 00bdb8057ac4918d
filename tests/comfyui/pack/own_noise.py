"""TestOwnNoise, TestOwnSteps, TestDrawsAroundModel: samplers whose noise only a recording gives, no rule of ComfyUI."""

from itertools import pairwise

import comfy.patcher_extension
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


def sample_own_steps(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """Add noise at each step, from a generator of its own: draws of several functions, shapes and dtypes."""
    generator = torch.Generator().manual_seed(torch.initial_seed() + 1)
    for sigma, after in pairwise(sigmas):
        x = model(x, sigma * x.new_ones([x.shape[0]]), **(extra_args or {}))
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        channels = torch.randperm(x.shape[1], generator=generator)
        scale = torch.empty(x.shape[0], *[1] * (x.ndim - 1)).uniform_(generator=generator)
        x = x + after * scale.to(x) * noise.to(x)[:, channels.to(x.device)]
    return x


class TestOwnSteps:
    """A SAMPLER whose step noise comes from a generator of its own."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("SAMPLER",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def make(self):
        return (comfy.samplers.KSAMPLER(sample_own_steps),)


class TestDrawsAroundModel:
    """A MODEL that gets some noise of a generator of its own at each step, at one of the places for packs' code."""

    CATEGORY = "test"
    FUNCTION = "wrap"
    RETURN_TYPES = ("MODEL",)
    PLACES = ("model_function_wrapper", "apply_model", "calc_cond_batch", "predict_noise", "cfg_function")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "place": (cls.PLACES,), "seed": SEED}}

    def wrap(self, model, place, seed):
        model = model.clone()
        generator = torch.Generator().manual_seed(seed ^ 0xCAFE)

        def noisy(x):
            return x + 0.1 * torch.randn(x.shape, generator=generator).to(x)

        if place == "model_function_wrapper":
            model.set_model_unet_function_wrapper(
                lambda apply, given: noisy(apply(given["input"], given["timestep"], **given["c"]))
            )
        elif place == "cfg_function":
            model.set_model_sampler_post_cfg_function(lambda given: noisy(given["denoised"]))
        elif place == "calc_cond_batch":
            model.add_wrapper_with_key(
                place, "test", lambda run, *args, **kwargs: [noisy(part) for part in run(*args, **kwargs)]
            )
        else:
            model.add_wrapper_with_key(
                place, "test", lambda run, *args, **kwargs: noisy(run(*args, **kwargs))
            )
        return (model,)

"""Nodes that sample more than once, or by another node that they become as the prompt runs."""

import comfy.samplers
from comfy_execution.graph_utils import GraphBuilder

import nodes

from .latents import SEED

_SAMPLING = {
    "required": {
        "model": ("MODEL",),
        "seed": SEED,
        "positive": ("CONDITIONING",),
        "negative": ("CONDITIONING",),
        "latent_image": ("LATENT",),
    }
}


class TestTwice:
    """A KSampler that samples in two halves, as base and refiner; or once more, with a noise of its own."""

    CATEGORY = "test"
    FUNCTION = "sample"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        further = {
            "steps": ("INT", {"default": 4, "min": 2, "max": 100}),
            "cfg": ("FLOAT", {"default": 5.0}),
            "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
            "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
            "noise_again": ("BOOLEAN", {"default": False}),
        }
        return {"required": {**_SAMPLING["required"], **further}}

    def sample(
        self, model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image, noise_again
    ):
        def run(latent, number, **how):
            given = (model, seed + number, steps, cfg, sampler_name, scheduler, positive, negative, latent)
            return nodes.common_ksampler(*given, **how)[0]

        if noise_again:
            return (run(run(latent_image, 0), 1, denoise=0.5),)
        half = steps // 2
        base = run(latent_image, 0, last_step=half)
        return (run(base, 0, disable_noise=True, start_step=half, force_full_denoise=True),)


class TestExpand:
    """Becomes a KSampler (heun, karras, 3 steps, denoise 0.7) as the prompt runs."""

    CATEGORY = "test"
    FUNCTION = "expand"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return _SAMPLING

    def expand(self, **given):
        graph = GraphBuilder()
        how = {"steps": 3, "cfg": 2.0, "sampler_name": "heun", "scheduler": "karras", "denoise": 0.7}
        sampler = graph.node("KSampler", **given, **how)
        return {"result": (sampler.out(0),), "expand": graph.finalize()}

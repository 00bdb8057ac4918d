"""Samplers that no MODEL wire leads to, or that sample several times: pipes, loops and tiles, as packs have them."""

import copy

import comfy.patcher_extension
import torch
from comfy_execution.graph_utils import GraphBuilder

import nodes

from .latents import SEED

_SOCKETS = {"model": ("MODEL",), "positive": ("CONDITIONING",), "negative": ("CONDITIONING",)}
_HOW = {"steps": 4, "cfg": 5.0, "sampler_name": "euler_ancestral", "scheduler": "normal"}


def _sample(bundle, seed, latent, denoise=1.0):
    sampling = (_HOW["steps"], _HOW["cfg"], _HOW["sampler_name"], _HOW["scheduler"])
    given = (bundle["model"], seed, *sampling, bundle["positive"], bundle["negative"], latent)
    return nodes.common_ksampler(*given, denoise=denoise)[0]


class TestBundle:
    """Puts a model and its texts into one socket."""

    CATEGORY = "test"
    FUNCTION = "bundle"
    RETURN_TYPES = ("TEST_BUNDLE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": _SOCKETS}

    def bundle(self, **bundle):
        return (bundle,)


class _BundleSampler:
    CATEGORY = "test"
    FUNCTION = "sample"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"bundle": ("TEST_BUNDLE",), "seed": SEED, "samples": ("LATENT",)}}


class TestBundleSampler(_BundleSampler):
    """Samples with the model of a bundle."""

    def sample(self, bundle, seed, samples):
        return (_sample(bundle, seed, samples),)


class TestQuarters(_BundleSampler):
    """Samples each quarter of a latent for itself and puts them together."""

    def sample(self, bundle, seed, samples):
        whole = samples["samples"].clone()
        height, width = (size // 2 for size in whole.shape[-2:])
        for top in (0, height):
            for left in (0, width):
                part = (..., slice(top, top + height), slice(left, left + width))
                whole[part] = _sample(bundle, seed, {"samples": whole[part].clone()}, denoise=0.6)["samples"]
        return ({"samples": whole},)


class TestPaintQuarters(TestQuarters):
    """The same on an image, which it returns again; the latent inside is the image's first channels."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "paint"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"bundle": ("TEST_BUNDLE",), "seed": SEED, "image": ("IMAGE",)}}

    def paint(self, bundle, seed, image):
        channels = torch.cat([image, image[..., :1]], dim=-1).movedim(-1, 1)[..., ::8, ::8]
        [painted] = self.sample(bundle, seed, {"samples": channels})
        pixels = painted["samples"][:, :3].repeat_interleave(8, -2).repeat_interleave(8, -1).movedim(1, -1)
        return ((pixels * 0.2 + 0.5).clamp(0, 1),)


class TestLoop:
    """Becomes several KSamplers, each a copy of the last, on the latent of the one before."""

    CATEGORY = "test"
    FUNCTION = "expand"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        further = {"seed": SEED, "latent_image": ("LATENT",), "count": ("INT", {"default": 3})}
        return {"required": {**_SOCKETS, **further}}

    def expand(self, seed, latent_image, count, **sockets):
        graph = GraphBuilder()
        latent = latent_image
        for number in range(count):
            how = {**_HOW, "denoise": 1.0 if number == 0 else 0.5}
            sampler = graph.node("KSampler", seed=seed + number, latent_image=latent, **sockets, **how)
            latent = sampler.out(0)
        return {"result": (latent,), "expand": graph.finalize()}


class TestCopiedGuider:
    """The MODEL whose runs are sampled by a copy of their guider that has another cfg."""

    CATEGORY = "test"
    FUNCTION = "put"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "cfg": ("FLOAT", {"default": 1.0})}}

    def put(self, model, cfg):
        def sample(executor, *args, **kwargs):
            guider = copy.copy(executor.class_obj)
            guider.set_cfg(cfg)
            return guider.outer_sample(*args, **kwargs)

        clone = model.clone()
        clone.add_wrapper(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, sample)
        return (clone,)


BUNDLE_NODES = [TestBundle, TestBundleSampler, TestCopiedGuider, TestLoop, TestPaintQuarters, TestQuarters]

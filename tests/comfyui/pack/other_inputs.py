"""Samplers that take their latent by another name, in a pipe, or in tiles; and a switch."""

import comfy.samplers
import torch

import nodes

from .latents import SEED
from .model import TestModel

_SETTINGS = {
    "seed": SEED,
    "steps": ("INT", {"default": 4, "min": 1, "max": 100}),
    "cfg": ("FLOAT", {"default": 5.0}),
    "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
    "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
}
_CONDITIONED_MODEL = {"model": ("MODEL",), "positive": ("CONDITIONING",), "negative": ("CONDITIONING",)}


def sample(model, positive, negative, latent, seed, steps, cfg, sampler_name, scheduler, **how):
    given = (model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent)
    return nodes.common_ksampler(*given, **how)[0]


class TestSamples:
    """A KSampler whose latent is called samples."""

    CATEGORY = "test"
    FUNCTION = "sample"
    RETURN_TYPES = ("LATENT",)
    LATENT_NAME = "samples"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {**_CONDITIONED_MODEL, **_SETTINGS, cls.LATENT_NAME: ("LATENT",)}}

    def sample(self, **given):
        return (sample(latent=given.pop(self.LATENT_NAME), **given),)


class TestOneByOne(TestSamples):
    """A KSampler that samples the images of a batch one after the other, each with another seed."""

    LATENT_NAME = "latent"

    def sample(self, latent, seed, **given):
        images = latent["samples"].split(1)
        sampled = [
            sample(latent={"samples": image}, seed=seed + number, **given)
            for number, image in enumerate(images)
        ]
        return ({"samples": torch.cat([one["samples"] for one in sampled])},)


class TestTiles(TestSamples):
    """A KSampler that samples the halves of a latent one after the other, each with another seed."""

    LATENT_NAME = "latent"
    OUTPUT_IS_LIST = (False, True)
    RETURN_NAMES = ("latent", "tiles")
    RETURN_TYPES = ("LATENT", "LATENT")

    def sample(self, latent, seed, **given):
        tiles = latent["samples"].chunk(2, dim=-1)
        sampled = [
            sample(latent={"samples": tile.clone()}, seed=seed + number, **given)
            for number, tile in enumerate(tiles)
        ]
        return {"samples": torch.cat([tile["samples"] for tile in sampled], dim=-1)}, sampled


class TestBaseAndRefiner:
    """Samples two steps with one MODEL and the rest with another."""

    CATEGORY = "test"
    FUNCTION = "sample"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        refiner = {"refiner_model": ("MODEL",), "latent_image": ("LATENT",)}
        return {"required": {**_CONDITIONED_MODEL, **_SETTINGS, **refiner}}

    def sample(self, model, refiner_model, latent_image, seed, **given):
        half = sample(model, latent=latent_image, seed=seed, last_step=2, **given)
        return (sample(refiner_model, latent=half, seed=seed + 1, start_step=2, disable_noise=True, **given),)


class TestPipe:
    """A pipe of a MODEL, what it is conditioned on, and a LATENT."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("TEST_PIPE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": _CONDITIONED_MODEL, "optional": {"latent": ("LATENT",)}}

    def make(self, **pipe):
        return (pipe,)


class TestPipeLoader:
    """A pipe with a MODEL that never lies on a wire."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("TEST_PIPE",)

    @classmethod
    def INPUT_TYPES(cls):
        conditioning = ("CONDITIONING",)
        return {
            "required": {
                "positive": conditioning,
                "negative": conditioning,
                "nonce": ("INT", {"default": 0, "min": 0, "max": 2**32}),
            }
        }

    def make(self, positive, negative, nonce):
        [model] = TestModel().make("eps", 0, False)
        return ({"model": model, "positive": positive, "negative": negative},)


class TestPipeSampler:
    """A KSampler that takes all but its settings from a pipe; a latent beside the pipe wins."""

    CATEGORY = "test"
    FUNCTION = "sample"
    RETURN_TYPES = ("TEST_PIPE", "LATENT")

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"pipe": ("TEST_PIPE",), **_SETTINGS},
            "optional": {"optional_latent": ("LATENT",)},
        }

    def sample(self, pipe, optional_latent=None, **settings):
        given = {name: pipe[name] for name in _CONDITIONED_MODEL}
        sampled = sample(latent=optional_latent or pipe["latent"], **given, **settings)
        return ({**pipe, "latent": sampled}, sampled)


class _AnyType(str):
    """A type that ComfyUI takes for any other; older versions compare with ``!=``."""

    __slots__ = ()

    def __ne__(self, other):
        return False

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class TestSwitch:
    """One of two values of any type."""

    CATEGORY = "test"
    FUNCTION = "choose"
    RETURN_TYPES = (_AnyType("*"),)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"first": ("*",), "second": ("*",), "is_second": ("BOOLEAN", {"default": False})}}

    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        return True

    def choose(self, first, second, is_second):
        return (second if is_second else first,)


OTHER_INPUTS = [
    TestBaseAndRefiner,
    TestOneByOne,
    TestPipe,
    TestPipeLoader,
    TestPipeSampler,
    TestSamples,
    TestSwitch,
    TestTiles,
]

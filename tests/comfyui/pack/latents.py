"""LATENTs of any shape and dtype, with mask and batch_index, in lists, and ComfyUI's own noise for them."""

import comfy.sample
import comfy.samplers
import torch

DTYPES = ["float32", "float16", "bfloat16"]
SEED = ("INT", {"default": 0, "min": 0, "max": 2**64 - 1})


def numbers(text):
    """Return ``1,4,8,8`` as a list."""
    return [int(number) for number in text.split(",")]


class TestLatent:
    """A LATENT of a shape and dtype: zeros, or seeded values as an encoder would give."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"shape": ("STRING", {"default": "1,4,8,8"}), "dtype": (DTYPES,)},
            "optional": {"seed": ("INT", {"default": -1, "min": -1, "max": 2**32})},
        }

    def make(self, shape, dtype, seed=-1):
        if seed < 0:
            return ({"samples": torch.zeros(numbers(shape), dtype=getattr(torch, dtype))},)
        values = torch.randn(numbers(shape), generator=torch.Generator().manual_seed(seed))
        return ({"samples": values.to(getattr(torch, dtype))},)


class TestMask:
    """The LATENT with a noise_mask over its left half: only that is sampled."""

    CATEGORY = "test"
    FUNCTION = "put"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"latent": ("LATENT",)},
            "optional": {"count": ("INT", {"default": 1, "min": 1, "max": 64})},
        }

    def put(self, latent, count=1):
        height, width = latent["samples"].shape[-2:]
        mask = torch.zeros(count, 1, height, width)
        mask[..., : width // 2] = 1
        return ({**latent, "noise_mask": mask},)


class TestBatchIndex:
    """The LATENT with a batch_index, one number an image."""

    CATEGORY = "test"
    FUNCTION = "put"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",), "batch_index": ("STRING", {"default": "0"})}}

    def put(self, latent, batch_index):
        return ({**latent, "batch_index": numbers(batch_index)},)


class TestList:
    """Latents of these shapes, parted by semicolons, each with a seed: what hangs on them runs for each."""

    CATEGORY = "test"
    FUNCTION = "make"
    OUTPUT_IS_LIST = (True, True)
    RETURN_NAMES = ("latents", "seeds")
    RETURN_TYPES = ("LATENT", "INT")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"shapes": ("STRING", {"default": "1,4,8,8;1,4,8,8"}), "seed": SEED}}

    def make(self, shapes, seed):
        latents = [{"samples": torch.zeros(numbers(shape))} for shape in shapes.split(";")]
        return latents, [seed + i for i in range(len(latents))]


class TestItems:
    """A list of numbers, parted by commas, or of samplers: what hangs on it runs for each."""

    CATEGORY = "test"
    FUNCTION = "make"
    OUTPUT_IS_LIST = (True, True)
    RETURN_NAMES = ("numbers", "samplers")
    RETURN_TYPES = ("FLOAT", comfy.samplers.KSampler.SAMPLERS)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"items": ("STRING", {"default": ""})}}

    def make(self, items):
        texts = items.split(",")
        return [float(text) for text in texts if text[0].isdigit()], texts


class TestPrepareNoise:
    """The noise that ComfyUI itself draws for a LATENT, its batch_index heeded."""

    CATEGORY = "test"
    FUNCTION = "draw"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",), "seed": SEED}}

    def draw(self, latent, seed):
        noise = comfy.sample.prepare_noise(latent["samples"], seed, latent.get("batch_index"))
        return ({"samples": noise},)

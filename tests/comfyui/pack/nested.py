"""TestNested, where this ComfyUI has nested latents: several tensors of different shapes in one LATENT."""

import torch

from .latents import numbers

try:
    from comfy.nested_tensor import NestedTensor
except ImportError:
    NestedTensor = None


class TestNested:
    """Zeros in parts, their shapes parted by semicolons; sample it with a model of the kind nested."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"shapes": ("STRING", {"default": "1,16,2,4,4;1,8,4,16"})}}

    def make(self, shapes):
        return ({"samples": NestedTensor([torch.zeros(numbers(shape)) for shape in shapes.split(";")])},)


class TestNestedMask:
    """The nested LATENT with a mask for each of its parts: the first half of each is sampled."""

    CATEGORY = "test"
    FUNCTION = "put"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",)}}

    def put(self, latent):
        masks = []
        for part in latent["samples"].unbind():
            mask = torch.zeros(1, 1, *part.shape[2:])
            mask[..., : part.shape[-1] // 2] = 1
            masks.append(mask)
        return ({**latent, "noise_mask": NestedTensor(masks)},)


NESTED_NODES = [] if NestedTensor is None else [TestNested, TestNestedMask]

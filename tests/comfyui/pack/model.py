"""TestModel: a diffusion model of each kind that ComfyUI samples, small and seeded, without a file."""

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.supported_models_base
import torch

HIDDEN = 8
"""Channels between the two convolutions; a conditioning has as many features."""

KINDS = {
    "eps": (comfy.model_base.ModelType.EPS, comfy.latent_formats.SD15),
    "v": (comfy.model_base.ModelType.V_PREDICTION, comfy.latent_formats.SDXL),
    "flow": (comfy.model_base.ModelType.FLOW, comfy.latent_formats.SD3),
    "flow5d": (comfy.model_base.ModelType.FLOW, comfy.latent_formats.Wan21),
    "nested": (comfy.model_base.ModelType.FLOW, comfy.latent_formats.LatentFormat),
}


class TinyNet(torch.nn.Module):
    """Two convolutions that also see the timestep and the text.

    Each image of a batch goes through alone and the rest is plain arithmetic: how ComfyUI batches, which
    depends on free memory, cannot change a bit.
    """

    def __init__(self, kind="eps", channels=4, seed=0, flip_bit=False, **_):
        super().__init__()
        self.dtype = torch.float32
        convolution = torch.nn.Conv3d if kind == "flow5d" else torch.nn.Conv2d
        self.first = convolution(channels, HIDDEN, 3, padding=1)
        self.second = convolution(HIDDEN, channels, 3, padding=1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weights in self.parameters():
                weights.copy_(torch.randn(weights.shape, generator=generator) * 0.2)
            if flip_bit:
                self.second.bias.view(torch.int32)[0] ^= 1

    def forward(self, x, timesteps, context=None, **_):
        times = timesteps.reshape(timesteps.shape[0], -1)[:, 0] * 1e-3
        texts = context.mean(dim=1)
        if torch.is_tensor(x):
            return torch.cat([self._one(x[i : i + 1], times[i], texts[i]) for i in range(len(x))])
        parts = [self._plain(part, times, texts) for part in x]
        return parts if len(parts) > 1 else parts[0]

    def _one(self, x, time, text):
        hidden = self.first(x) + time + text.reshape(1, HIDDEN, *[1] * (x.ndim - 2))
        return self.second(hidden / (1 + hidden.abs()))

    def _plain(self, x, times, texts):
        """For nested latents, whose parts have channels of any number."""
        shift = (times + texts.mean(dim=1)).reshape(-1, *[1] * (x.ndim - 1))
        weight = self.first.weight.reshape(-1)[0]
        return weight * (x + shift) + self.second.bias[0]


class NestedModel(comfy.model_base.BaseModel):
    """A model that gets the parts of a nested latent as a list, as sound-and-picture models do."""

    def extra_conds(self, **kwargs):
        conds = super().extra_conds(**kwargs)
        if kwargs.get("latent_shapes") is not None:
            conds["latent_shapes"] = comfy.conds.CONDConstant(kwargs["latent_shapes"])
        return conds


class TestModel:
    """A MODEL of one kind; equal seeds give equal weights, flip_bit changes one bit of one of them."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "kind": (list(KINDS),),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**32}),
                "flip_bit": ("BOOLEAN", {"default": False}),
            },
            # Only to be another number: what hangs on this model is then not taken from the cache.
            "optional": {"nonce": ("INT", {"default": 0, "min": 0, "max": 2**32})},
        }

    def make(self, kind, seed, flip_bit, nonce=0):
        model_type, latent_format = KINDS[kind]
        attributes = {"latent_format": latent_format, "sampling_settings": {"shift": 3.0}}
        config_class = type("TinyConfig", (comfy.supported_models_base.BASE,), attributes)
        channels = latent_format.latent_channels
        config = config_class({"kind": kind, "channels": channels, "seed": seed, "flip_bit": flip_bit})
        model_class = NestedModel if kind == "nested" else comfy.model_base.BaseModel
        model = model_class(config, model_type, unet_model=TinyNet)
        load_device = comfy.model_management.get_torch_device()
        offload_device = comfy.model_management.unet_offload_device()
        return (comfy.model_patcher.ModelPatcher(model, load_device, offload_device),)

"""Values as packs bring them along: seeds that are none, latents of any dtype and kind, further keys of a LATENT."""

import json

import comfy.sample
import torch

SEEDS = {
    "minus one": -1,
    "fraction": 3.5,
    "tensor": torch.tensor(7),
    "list": [1, 2],
    "long": 2**70,
    "text": "x",
    "nan": float("nan"),
    "true": True,
    "none": None,
}
KINDS = {
    "float64": lambda samples: samples.double() / 3,
    "complex128": lambda samples: torch.complex(samples.double(), -samples.double()).conj(),
    "int64": lambda samples: (samples * 100).long(),
    "bool": lambda samples: samples > 0,
    "float8_e4m3fn": lambda samples: samples.to(torch.float8_e4m3fn),
    "grad": lambda samples: samples.clone().requires_grad_(),
    "sparse": lambda samples: samples.to_sparse(),
    "meta": lambda samples: samples.to("meta"),
    "none": lambda samples: None,
}


class TestOddSampler:
    """A sampler node that brings its noise along and tells its run something else as a seed."""

    CATEGORY = "test"
    FUNCTION = "sample"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        sockets = dict.fromkeys(("positive", "negative"), ("CONDITIONING",))
        others = {"kind": (list(SEEDS),), "seed": ("INT", {"default": 0, "max": 2**32}), "steps": ("INT", {})}
        return {"required": {"model": ("MODEL",), "latent_image": ("LATENT",), **sockets, **others}}

    def sample(self, model, latent_image, positive, negative, kind, seed, steps):
        latent = latent_image["samples"]
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
        texts, sampler = (positive, negative), ("euler", "normal")
        samples = comfy.sample.sample(model, noise, steps, 5.0, *sampler, *texts, latent, seed=SEEDS[kind])
        return ({**latent_image, "samples": samples},)


class TestOddLatent:
    """A LATENT whose samples are of another dtype or kind."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",), "kind": (list(KINDS),)}}

    def make(self, latent, kind):
        return ({**latent, "samples": KINDS[kind](latent["samples"])},)


class TestKeys:
    """A LATENT with further keys, as the core's audio and 3-D nodes and packs put them there."""

    CATEGORY = "test"
    FUNCTION = "put"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",)}}

    def put(self, latent):
        count = len(latent["samples"])
        keys = {
            "type": "audio",
            "sample_rate": 48000,
            "coords": torch.arange(8, dtype=torch.int32).view(2, 4),
        }
        state = {"state_info": {"step": 3, "raw_x": torch.ones(2, dtype=torch.float64)}, "model": object()}
        return ({**latent, **keys, **state, "batch_index": torch.arange(count) + 5},)


class TestKeysOf:
    """Tells the further keys of a LATENT."""

    CATEGORY = "test"
    FUNCTION = "tell"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",)}}

    def tell(self, latent):
        others = {key: value for key, value in latent.items() if key not in ("samples", "noise_mask")}
        text = json.dumps(others, default=lambda value: [str(value.dtype), value.tolist()])
        return {"ui": {"keys": [json.loads(text)]}}

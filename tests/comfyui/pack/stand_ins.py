"""What goes with a model: conditioning, a text encoder and a VAE without weights, and a decoder."""

import hashlib

import torch

from .model import HIDDEN

SCALE = 8
"""Pixels a side for one latent value, as for Stable Diffusion."""


def encode_text(text):
    """Return a CONDITIONING that only this text gives."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    values = torch.randn(1, 77, HIDDEN, generator=torch.Generator().manual_seed(seed))
    return [[values, {"pooled_output": None}]]


def decode_latent(samples):
    """Return (B, C, H, W) or (B, C, T, H, W) as frames (N, 8 H, 8 W, 3) in 0..1, in exact arithmetic."""
    if samples.ndim == 5:
        samples = samples.movedim(1, 2).flatten(0, 1)
    pixels = (samples[:, :3].float() * 0.25 + 0.5).clamp(0, 1).movedim(1, -1)
    return pixels.repeat_interleave(SCALE, dim=1).repeat_interleave(SCALE, dim=2)


class TinyClip:
    """The two methods that CLIPTextEncode calls."""

    def tokenize(self, text, **_):
        return text

    def encode_from_tokens_scheduled(self, tokens, **_):
        return encode_text(tokens)


class TinyVae:
    """The methods that VAEDecode, VAEEncode and the nodes of packs call."""

    def __init__(self, channels):
        self.channels = channels

    def decode(self, samples, **_):
        return decode_latent(samples)

    decode_tiled = decode

    def spacial_compression_encode(self):
        return SCALE

    spacial_compression_decode = spacial_compression_encode

    def encode(self, pixels):
        values = (pixels[:, ::SCALE, ::SCALE, :3].movedim(-1, 1) - 0.5) * 4
        repeats = -(-self.channels // values.shape[1])
        return values.repeat(1, repeats, 1, 1)[:, : self.channels].contiguous()


class TestConditioning:
    """A CONDITIONING for a text."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("CONDITIONING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    def make(self, text):
        return (encode_text(text),)


class TestClip:
    """A CLIP for the stock CLIPTextEncode."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("CLIP",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def make(self):
        return (TinyClip(),)


class TestVae:
    """A VAE for the stock VAEDecode and VAEEncode."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("VAE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"channels": ("INT", {"default": 4, "min": 1, "max": 64})}}

    def make(self, channels):
        return (TinyVae(channels),)


class TestDecode:
    """Frames for a LATENT; of a nested one, its first part's."""

    CATEGORY = "test"
    FUNCTION = "decode"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"samples": ("LATENT",)}}

    def decode(self, samples):
        values = samples["samples"]
        return (decode_latent(values.unbind()[0] if values.is_nested else values),)

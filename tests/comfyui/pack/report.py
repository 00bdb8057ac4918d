"""TestDigest: describes its inputs in its ui output, and writes the values to files."""

import hashlib
from pathlib import Path

import folder_paths
import numpy as np
import torch


def describe(tensor):
    """Return sha256, shape and dtype of a tensor, and the file under output/ that has its values.

    bfloat16, which numpy lacks, is stored as int16 of the same bits.
    """
    plain = tensor.detach().cpu().contiguous()
    bits = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
    array = bits.numpy()
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    dtype = str(plain.dtype).removeprefix("torch.")
    name = f"digests/{digest[:16]}-{dtype}-{'x'.join(map(str, plain.shape))}.npy"
    path = Path(folder_paths.get_output_directory()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return {"sha256": digest, "shape": list(plain.shape), "dtype": dtype, "file": name}


def describe_samples(samples):
    """Return what :func:`describe` does, of each part of a nested latent."""
    return (
        {"parts": [describe(part) for part in samples.unbind()]} if samples.is_nested else describe(samples)
    )


class TestDigest:
    """One record a run, under ``digest``: samples, noise_mask, batch_index, image, where given."""

    CATEGORY = "test"
    FUNCTION = "report"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": {"latent": ("LATENT",), "image": ("IMAGE",)}}

    @classmethod
    def IS_CHANGED(cls, **_):
        return float("nan")

    def report(self, latent=None, image=None):
        record = {}
        if latent is not None:
            record["samples"] = describe_samples(latent["samples"])
            if "noise_mask" in latent:
                record["noise_mask"] = describe_samples(latent["noise_mask"])
            if "batch_index" in latent:
                record["batch_index"] = [int(index) for index in latent["batch_index"]]
        if image is not None:
            record["image"] = describe(image)
        return {"ui": {"digest": [record]}}

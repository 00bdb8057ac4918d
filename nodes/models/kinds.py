"""ComfyUI's model folders <-> the kinds of META's ``resources``.

Source: FORMAT.md, "resources"; ``folder_names_and_paths`` of ComfyUI's folder_paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

MODEL: Final = "model"
LORA: Final = "lora"
VAE: Final = "vae"
TEXT_ENCODER: Final = "text_encoder"
EMBEDDING: Final = "embedding"

MODEL_FOLDERS: Final = ("checkpoints", "diffusion_models", "unet", "unet_gguf")
FOLDERS_BY_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    MODEL: MODEL_FOLDERS,
    LORA: ("loras",),
    VAE: ("vae",),
    TEXT_ENCODER: ("text_encoders", "clip", "clip_gguf"),
    "clip_vision": ("clip_vision",),
    "controlnet": ("controlnet",),
    "upscale_model": ("upscale_models",),
    "latent_upscale_model": ("latent_upscale_models",),
    EMBEDDING: ("embeddings",),
    "hypernetwork": ("hypernetworks",),
    "gligen": ("gligen",),
    "style_model": ("style_models",),
    "vae_approx": ("vae_approx",),
    "photomaker": ("photomaker",),
    "model_patch": ("model_patches",),
    "audio_encoder": ("audio_encoders",),
}
"""Kinds with a name of their own, likely ones first; of any other folder the kind is the folder's name."""
_KIND_BY_FOLDER: Final = {folder: kind for kind, folders in FOLDERS_BY_KIND.items() for folder in folders}
_RANKS: Final = {folder: rank for rank, folder in enumerate(_KIND_BY_FOLDER)}

SUFFIXES: Final = frozenset(
    (
        *("safetensors", "sft", "ckpt", "pt", "pt2", "pth", "bin", "pkl", "gguf", "onnx", "engine", "trt"),
        *("npz", "tflite", "task", "torchscript", "msgpack", "h5"),
    )
)
"""What the name of a model file ends with. A file of any other kind in a model folder is no model."""
NO_MODELS: Final = frozenset(("custom_nodes", "configs", "datasets", "input", "output", "temp"))
"""Folders that ComfyUI, or a pack, lists beside the model folders."""


def kind_of(folder: str) -> str:
    """Return the kind of the files in a model folder of ComfyUI."""
    return _KIND_BY_FOLDER.get(folder, folder)


def folders_of(kind: str) -> Sequence[str]:
    """Return the folders that hold files of a kind; none for a folder without models.

    A kind that this version does not know may be the name of a folder of a pack.
    """
    return FOLDERS_BY_KIND.get(kind, () if kind in NO_MODELS else (kind,))


def rank_of(folder: str) -> int:
    """Return how likely a name that is in several folders means the one in this folder; 0 is likeliest."""
    return _RANKS.get(folder, len(_RANKS))


def has_model_suffix(name: str) -> bool:
    """Return whether a name ends like that of a model file."""
    stem, dot, suffix = name.rpartition(".")
    return bool(stem and dot) and suffix.lower() in SUFFIXES


def without_suffix(name: str) -> str:
    """Return a name without the suffix of a model file; other dots stay."""
    return name.rpartition(".")[0] if has_model_suffix(name) else name

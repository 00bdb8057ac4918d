"""The row of a node class: from the tables, or guessed from the names of its inputs.

A guessed row is marked (``NodeClass.guessed``): a role that it lacks is then unresolved, not absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any, Final

from .guiders_and_sigmas import PARTS
from .loaders_and_latents import SOURCES
from .samplers import NOISES, SAMPLERS
from .schema import NodeClass, Roles, options, row, words
from .values_and_switches import PREFIXES, SWITCHES, VALUES

NOT_KNOWN: Final = "is not known to draw noise as ComfyUI does"
TABLE: Final[Mapping[str, NodeClass]] = {
    **SOURCES,
    **VALUES,
    **SWITCHES,
    **PARTS,
    **NOISES,
    **SAMPLERS,
}
SEED_INPUTS: Final = frozenset(words("seed noise_seed rng_seed base_seed"))
STEPS_INPUTS: Final = frozenset(
    words("steps num_steps total_steps base_steps num_inference_steps sigmas custom_sigmas")
)
SAMPLED_INPUTS: Final = frozenset(
    words("latent latents latent_image init_latent optional_latent samples model optional_model unet guider")
)
RESIZED_INPUTS: Final = frozenset(words("latent latents latent_image samples image images pixels"))
"""Inputs that a class without a row may resize: its own width and height then are not the result's."""
GUESSED_SAMPLER: Final = row(
    {
        "seed": ("seed", "noise_seed", "rng_seed", "base_seed", "@noise"),
        "noise": "@noise",
        "add_noise": ("add_noise", "@noise"),
        "steps": (
            "steps",
            "num_steps",
            "num_inference_steps",
            "total_steps",
            "base_steps",
            "@sigmas",
            "@custom_sigmas",
        ),
        "sampler": ("sampler_name", "@sampler", "@sampler_name", "@custom_sampler"),
        "scheduler": ("scheduler", "scheduler_name", "@sigmas", "@custom_sigmas"),
        "denoise": ("denoise", "denoise_strength", "@sigmas", "@custom_sigmas"),
        "start_step": ("start_at_step", "start_step", "@sigmas"),
        "end_step": ("end_at_step", "end_step", "@sigmas"),
        "cfg": ("cfg", "cfg_scale", "guidance_scale", "true_cfg", "@guider"),
        "model": ("@model", "@optional_model", "@unet", "@guider", "@pipe", "@basic_pipe"),
        "positive": ("@positive", "@optional_positive", "@conditioning", "@guider", "@pipe", "@basic_pipe"),
        "negative": (
            "@negative",
            "@optional_negative",
            "@neg_conditioning",
            "@guider",
            "@pipe",
            "@basic_pipe",
        ),
        "clip": ("@clip", "@positive", "@conditioning", "@guider", "@pipe", "@basic_pipe"),
        "size": (
            "@latent_image",
            "@latent",
            "@latents",
            "@optional_latent",
            "@init_latent",
            "@samples",
            "@image",
            "@images",
            "@pipe",
        ),
        "vae": ("@vae", "@optional_vae"),
    },
    "sampler",
    noise=NOT_KNOWN,
    guessed=True,
    notes=options("self", "eta", "s_noise", "shift"),
)
GUESSED_ROLES: Final[Roles] = {
    "seed": ("noise_seed", "seed"),
    "steps": "steps",
    "scheduler": ("scheduler", "@sigmas"),
    "denoise": "denoise",
    "sampler": ("sampler_name", "@sampler"),
    "cfg": ("cfg", "@guider"),
    "model": ("@model", "unet_name", "ckpt_name", "model_name", "@guider", "@pipe", "@basic_pipe"),
    "positive": ("@positive", "@conditioning", "@guider", "@pipe", "@basic_pipe", "text", "prompt"),
    "negative": ("@negative", "@conditioning", "@guider", "@pipe", "@basic_pipe", "text", "prompt"),
    "clip": ("@clip", "clip_name", "@positive", "@conditioning", "@guider", "@pipe", "@basic_pipe"),
    "vae": ("@vae", "vae_name", "@pipe", "@basic_pipe"),
}
GUESSED: Final = row(GUESSED_ROLES, guessed=True, noise=NOT_KNOWN)
GUESSED_LATENT: Final = row(
    {**GUESSED_ROLES, **{name: name for name in ("width", "height", "batch_size")}},
    guessed=True,
    noise=NOT_KNOWN,
)
GUESSED_PAIR: Final = ("positive", "negative", "latent")
"""The usual output slots of a class without a row that takes a positive and a negative, but no model."""


def class_of(class_type: str, linked: Set[str], inputs: Mapping[str, Any]) -> NodeClass:
    """Return the row of a node class; for a class without one, a guess by the names of its inputs.

    Parameters
    ----------
    linked : names of the inputs that are connected
    inputs : all inputs of the node
    """
    by_prefix = (PREFIXES[name] for name in PREFIXES if class_type.startswith(name))
    known = TABLE.get(class_type) or next(by_prefix, None)
    if known is not None:
        return known
    if looks_like_sampler(linked, inputs):
        return GUESSED_SAMPLER
    guess = GUESSED if linked & RESIZED_INPUTS else GUESSED_LATENT
    paired = {"positive", "negative"} <= linked and "model" not in linked
    return replace(guess, outputs=GUESSED_PAIR) if paired else guess


def looks_like_sampler(linked: Set[str], inputs: Mapping[str, Any]) -> bool:
    """Whether a class without a row samples: it has a seed, steps or sigmas, and a latent or model connected."""
    seeded = bool(SEED_INPUTS & inputs.keys()) or {"noise", "sampler"} <= linked
    return seeded and bool(STEPS_INPUTS & inputs.keys()) and bool(SAMPLED_INPUTS & linked)

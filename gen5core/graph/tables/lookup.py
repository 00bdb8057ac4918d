"""The row of a node class: from the tables, or guessed from the names of its inputs.

A guessed row is marked (``NodeClass.guessed``): a role that it lacks is then unresolved, not absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from .guiders_and_sigmas import PARTS
from .loaders_and_patches import CLIPS, HOOKS, LOADERS, LORAS, MERGES, PATCHES
from .samplers import NOISES, SAMPLERS
from .schema import NodeClass, Note, Reads, Roles, Source, options, row, words
from .texts_and_latents import CONDITIONINGS, LATENTS, TEXTS
from .values_and_switches import SWITCH_PREFIXES, SWITCHES, VALUES

NOT_KNOWN: Final = "is not known to draw noise as ComfyUI does"
TABLE: Final[Mapping[str, NodeClass]] = {
    **LOADERS,
    **CLIPS,
    **LORAS,
    **HOOKS,
    **PATCHES,
    **TEXTS,
    **CONDITIONINGS,
    **LATENTS,
    **VALUES,
    **SWITCHES,
    **PARTS,
    **NOISES,
    **SAMPLERS,
}
PREFIXES: Final[Mapping[str, NodeClass]] = {**SWITCH_PREFIXES, **MERGES}
SEED_INPUTS: Final = frozenset(words("seed noise_seed rng_seed base_seed"))
STEPS_INPUTS: Final = frozenset(
    words("steps num_steps total_steps base_steps num_inference_steps sigmas custom_sigmas")
)
SAMPLED_INPUTS: Final = frozenset(
    words("latent latents latent_image init_latent optional_latent samples model optional_model unet guider")
)
PIPE_INPUTS: Final = frozenset(words("guider pipe basic_pipe"))
RESIZED_INPUTS: Final = frozenset(words("latent latents latent_image samples image images pixels"))
"""Inputs that a class without a row may resize: its own width and height then are not the result's."""
GUESSED_SAMPLER: Final = row(
    {
        "seed": ("seed", "noise_seed", "rng_seed", "base_seed", "@noise"),
        "noise": "@noise",
        "add_noise": ("add_noise", "@noise"),
        "steps": (
            "@sigmas",
            "@custom_sigmas",
            "steps",
            "num_steps",
            "num_inference_steps",
            "total_steps",
            "base_steps",
        ),
        "sampler": ("sampler_name", "@sampler", "@sampler_name", "@custom_sampler"),
        "scheduler": ("@sigmas", "@custom_sigmas", "scheduler", "scheduler_name"),
        "denoise": ("denoise", "denoise_strength", "@sigmas", "@custom_sigmas"),
        "start_step": ("start_at_step", "start_step", "@sigmas"),
        "end_step": Reads(("end_at_step", "end_step", "@sigmas"), "last_step"),
        "cfg": ("cfg", "cfg_scale", "guidance_scale", "true_cfg", "@guider"),
        "model": Reads(
            ("@model", "@optional_model", "@unet", "@guider", "@pipe", "@basic_pipe"), lora_inputs=("@lora*",)
        ),
        "positive": ("@positive", "@optional_positive", "@conditioning", "@guider", "@pipe", "@basic_pipe"),
        "negative": (
            "@negative",
            "@optional_negative",
            "@neg_conditioning",
            "@guider",
            "@pipe",
            "@basic_pipe",
            "negative_prompt",
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
MODEL_FILES: Final = words(
    "unet_name ckpt_name model_name model_path gguf_name gguf_model unet_path ckpt_path checkpoint_name checkpoint"
    " diffusion_model diffusion_model_name dit_name dit_model transformer_name base_ckpt_name model_file unet ckpt"
)
"""Inputs in which classes without a row keep the file of their model."""
CLIP_FILES: Final = words("clip_name clip_path text_encoder text_encoder_name t5_name")
VAE_FILES: Final = words("vae_name vae_path")
PIPES: Final = words("@guider @pipe @basic_pipe")
POSITIVE_TEXTS: Final = words(
    "@positive @optional_positive @pos positive_prompt positive_text text_positive prompt_positive pos_prompt text_pos"
)
NEGATIVE_TEXTS: Final = words(
    "@negative @optional_negative @neg negative_prompt negative_text text_negative prompt_negative neg_prompt text_neg"
)
"""Inputs that say which of the two texts they hold; where there is one of these, no other is the negative."""
PLAIN_TEXTS: Final = words("text prompt")
CARRIED_TEXTS: Final = ("@cond*",)
ASPECTS: Final = frozenset(
    words(
        "aspect aspects ratio ratios resolution orientation preset megapixel megapixels swap upscale factor multiplier"
    )
)
"""Words in the names of inputs by which a class may work out a size; its width and height then may not be used."""
SWITCHED: Final = frozenset(words("switch enable enabled toggle toggled bypass on off active mode count num"))
"""Words in the names of inputs that may turn a LoRA off."""
WORD: Final = re.compile(r"[A-Z]?[a-z]+")
LORA_NAME: Final = re.compile(r"loras?(?:_?\d+)?(?:_?name)?(?:_?\d+)?|.*lora.*name.*", re.IGNORECASE)
LORA_STRENGTHS: Final = words(
    "strength_model model_strength lora_strength lora_model_strength strength weight"
)
GUESSED_ROLES: Final[Roles] = {
    "seed": ("noise_seed", "seed"),
    "steps": "steps",
    "scheduler": ("scheduler", "@sigmas"),
    "denoise": "denoise",
    "sampler": ("sampler_name", "@sampler"),
    "cfg": ("cfg", "@guider"),
    "model": Reads(
        ("@model", *(f"@{name}" for name in MODEL_FILES), *PIPES), lora_inputs=("@lora*", "@optional_lora*")
    ),
    "clip": ("@clip", *CLIP_FILES, "@positive", *CARRIED_TEXTS, *PIPES),
    "vae": ("@vae", *VAE_FILES, "@pipe", "@basic_pipe"),
    "sampled_by": ("@samples", "@latent", "@latents", "@latent_image"),
}
NEW_SIZE: Final[Roles] = {name: name for name in ("width", "height", "batch_size")}
RECUT: Final[Roles] = dict.fromkeys(words("steps denoise start_step end_step flipped"), Reads(rule="unknown"))
"""What a class without a row may change of the sigmas that it is given."""
GUESSED_PAIR: Final = ("positive", "negative", "latent")
"""The usual output slots of a class without a row that has a positive and a negative, but no model."""


def class_of(class_type: str, linked: Set[str], inputs: Mapping[str, Any]) -> NodeClass:
    """Return the row of a node class; for a class without one, a guess by the names of its inputs.

    Parameters
    ----------
    linked : names of the inputs that are connected
    inputs : all inputs of the node
    """
    known = row_of(class_type)
    if known is not None:
        return known
    loras = tuple(_guessed_loras(linked, inputs))
    if looks_like_sampler(linked, inputs):
        return replace(GUESSED_SAMPLER, notes=(*GUESSED_SAMPLER.notes, *loras))
    roles = {**GUESSED_ROLES, **_guessed_texts(linked, inputs)}
    if not linked & RESIZED_INPUTS and ASPECTS.isdisjoint(_words(inputs)):
        roles |= NEW_SIZE
    if "sigmas" in linked:
        roles |= RECUT
    outputs = " ".join(GUESSED_PAIR) if _has_pair(linked, inputs) else ""
    return row(roles, outputs=outputs, guessed=True, noise=NOT_KNOWN, notes=loras)


def row_of(class_type: str) -> NodeClass | None:
    """Return the row of a node class; None if the tables have none."""
    by_prefix = (PREFIXES[name] for name in PREFIXES if class_type.startswith(name))
    return TABLE.get(class_type) or next(by_prefix, None)


def takes_sigmas(class_type: str) -> bool:
    """Whether a class with a row has its steps from a SIGMAS socket."""
    known = row_of(class_type)
    return known is not None and "@sigmas" in getattr(known.reads("steps"), "inputs", ())


def _guessed_texts(linked: Set[str], inputs: Mapping[str, Any]) -> dict[str, Source]:
    """Return where a class without a row holds its texts.

    A text is added to those of a conditioning. A loader's one text is the positive, as a pipe has both.
    """
    is_loader = "clip" not in linked and not inputs.keys().isdisjoint(MODEL_FILES)
    is_pipe = not linked.isdisjoint(PIPE_INPUTS)
    plain: Source = (*PIPES, *PLAIN_TEXTS) if is_pipe else Reads((*CARRIED_TEXTS, *PLAIN_TEXTS), "all")
    positive: Source = (*POSITIVE_TEXTS, *PIPES) if _has_any(POSITIVE_TEXTS, inputs) else plain
    if _has_any(NEGATIVE_TEXTS, inputs):
        return {"positive": positive, "negative": (*NEGATIVE_TEXTS, *PIPES)}
    has_one_text = positive is plain and not is_loader
    return {"positive": positive, "negative": plain if has_one_text else (*CARRIED_TEXTS, *PIPES)}


def _has_any(specs: Sequence[str], inputs: Mapping[str, Any]) -> bool:
    return any(spec.lstrip("@") in inputs for spec in specs)


def _words(names: Iterable[str]) -> set[str]:
    return {word.lower() for name in names for word in WORD.findall(name)}


def _has_pair(linked: Set[str], inputs: Mapping[str, Any]) -> bool:
    """Whether a class without a row most likely returns a positive and a negative in its first two slots."""
    if "model" in linked or not inputs.keys().isdisjoint(MODEL_FILES):
        return False
    return _has_any((*POSITIVE_TEXTS, *PLAIN_TEXTS), inputs) and _has_any(NEGATIVE_TEXTS, inputs)


def _guessed_loras(linked: Set[str], inputs: Mapping[str, Any]) -> Iterator[Note]:
    """Yield the LoRAs that a class without a row names, each with its strength if the inputs' names say which."""
    may_be_off = not SWITCHED.isdisjoint(_words(inputs))
    for name, value in inputs.items():
        if isinstance(value, Mapping) and "lora" in value:
            yield Note("model", "lora_switches", (name,))
        elif LORA_NAME.fullmatch(name) and (
            "name" in name.lower() if name in linked else isinstance(value, str | list)
        ):
            yield Note("model", "lora", (name, "" if may_be_off else _strength_input(name, inputs)))


def _strength_input(lora: str, inputs: Mapping[str, Any]) -> str:
    """Return the input with a LoRA's strength: of several rows, the one with the same number; empty if none fits."""
    number = "".join(re.findall(r"\d+", lora))
    same = (name for name in inputs if "".join(re.findall(r"\d+", name)) == number)
    bare = {re.sub(r"_?\d+", "", name).lower(): name for name in same}
    return next((bare[name] for name in LORA_STRENGTHS if name in bare), "")


def looks_like_sampler(linked: Set[str], inputs: Mapping[str, Any]) -> bool:
    """Whether a class without a row samples: it has a seed, steps or sigmas, and a latent or model connected."""
    seeded = bool(SEED_INPUTS & inputs.keys()) or {"noise", "sampler"} <= linked
    return seeded and bool(STEPS_INPUTS & inputs.keys()) and bool(SAMPLED_INPUTS & linked)

"""Samplers and noise nodes, as a table: class -> role -> input name. ``schema`` has the vocabulary.

The nodes connected to samplers are in the other tables; a class without a row is read by the names of its inputs
(``lookup``). ``noise`` says why a class's starting noise is not ``comfy.sample.prepare_noise`` of its seed; without
it, the noise is just that.

Source: the classes' inputs in ComfyUI 0.3.29 to 0.33.0 and in the packs named by the headings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .schema import NodeClass, Note, Reads, Roles, options, row, words

OWN: Final = "draws its starting noise in its own way"
PER_TILE: Final = "draws separate noise for each tile"
PER_REGION: Final = "draws separate noise for each region that it repaints"
OWN_RULE: Final = "draws noise by its own rule: connect Record Sampling"
STORED: Final = "returns stored noise, which is not drawn from the seed"
MODEL_AND_TEXT: Final[Roles] = {
    "model": "@model",
    "positive": "@positive",
    "negative": "@negative",
    "clip": ("@clip", "@positive"),
    "vae": "@vae",
}
SETTINGS: Final[Roles] = {name: name for name in words("seed steps cfg sampler_name scheduler denoise")}
KSAMPLER: Final[Roles] = {
    **MODEL_AND_TEXT,
    **SETTINGS,
    "size": "@latent_image",
    "vae": ("@vae", "@latent_image"),
}
ADVANCED: Final[Roles] = {
    **{role: source for role, source in KSAMPLER.items() if role != "denoise"},
    "seed": "noise_seed",
    "add_noise": "add_noise",
    "start_step": "start_at_step",
    "end_step": "end_at_step",
}
CUSTOM: Final[Roles] = {
    **MODEL_AND_TEXT,
    "seed": "noise_seed",
    "add_noise": "add_noise",
    "cfg": "cfg",
    "sampler": "@sampler",
    "sigmas": "@sigmas",
    "size": "@latent_image",
    "vae": "@latent_image",
}
GUIDED: Final[Roles] = {
    **dict.fromkeys(("model", "conditioning", "cfg", "clip"), "@guider"),
    **dict.fromkeys(("seed", "add_noise", "noise"), "@noise"),
    "sampler": "@sampler",
    "sigmas": "@sigmas",
    "size": "@latent_image",
    "vae": "@latent_image",
}
PIPED: Final[Roles] = dict.fromkeys(("model", "positive", "negative", "clip", "vae"), "@basic_pipe")
IMAGE_IN: Final[Roles] = {**MODEL_AND_TEXT, **SETTINGS, "size": "@image"}
LEFTOVER: Final = options("self", "return_with_leftover_noise")
NAG: Final = (
    *options("self", "nag_scale", "nag_tau", "nag_alpha", "nag_sigma_end"),
    Note("self", "option", ("@nag_negative:negative",), "nag_negative"),
)
LANPAINT: Final = options(
    "self", "LanPaint_NumSteps", "LanPaint_Lambda", "LanPaint_StepSize", "LanPaint_PromptMode"
)
INSPIRE: Final = options("self", "noise_mode", "batch_seed_mode", "variation_seed", "variation_strength")
TILES: Final = options(
    "self", "tile_width", "tile_height", "upscale_by", "mode_type", "seam_fix_mode", "tiling_strategy"
)
REGIONS: Final = options(
    "self", "guide_size", "max_size", "feather", "cycle", "crop_factor", "bbox_crop_factor"
)
CLOWN: Final = options("self", "eta", "steps_to_run", "sampler_mode", "bongmath")


def _sampler(
    roles: Roles, noise: str = "", notes: tuple[Note, ...] = (), outputs: str = "", **extra: Any
) -> NodeClass:
    return row(roles, "sampler", outputs, noise=noise, notes=notes, **extra)


EFFICIENT: Final[Mapping[str, Any]] = {
    "outputs": "model positive negative latent vae image",
    "noise_changing_inputs": ("script",),
}
EASY_PIPE: Final[Roles] = {"*": "@pipe", "model": ("@model", "@pipe")}
EASY_FULL: Final[Roles] = {
    **SETTINGS,
    "*": "@pipe",
    "size": ("@latent", "@pipe"),
    **{role: (f"@{role}", "@pipe") for role in ("model", "positive", "negative", "vae", "clip")},
}
TTN: Final[Roles] = {
    **SETTINGS,
    "*": "@pipe",
    **{role: (f"@{role}", f"@optional_{role}", "@pipe") for role in ("positive", "negative", "vae", "clip")},
    "model": ("@model", "@optional_model", "@pipe"),
    "size": ("@latent", "@optional_latent", "@pipe"),
}
TTN_LORA: Final = (Note("model", "lora", ("lora_name", "lora_strength")),)
TTN_PIPE: Final = "pipe model positive negative latent vae clip image seed image"
SAMPLERS: Final[Mapping[str, NodeClass]] = {
    # ComfyUI
    "KSampler": _sampler(KSAMPLER),
    "KSamplerAdvanced": _sampler(ADVANCED, notes=LEFTOVER),
    "SamplerCustom": _sampler(CUSTOM),
    "SamplerCustomAdvanced": _sampler(GUIDED),
    # Efficiency nodes
    "KSampler (Efficient)": _sampler({**KSAMPLER, "vae": "@optional_vae"}, **EFFICIENT),
    "KSampler Adv. (Efficient)": _sampler({**ADVANCED, "vae": "@optional_vae"}, notes=LEFTOVER, **EFFICIENT),
    "KSampler SDXL (Eff.)": _sampler(
        {
            **ADVANCED,
            **dict.fromkeys(("model", "positive", "negative", "clip"), "@sdxl_tuple"),
            "vae": "@optional_vae",
        },
        notes=options("self", "refine_at_step"),
        outputs="pipe latent vae image",
        noise_changing_inputs=("script",),
    ),
    # Easy-Use: the settings are in the pipe
    "easy kSampler": _sampler(EASY_PIPE, OWN, outputs="pipe image"),
    "easy fullkSampler": _sampler(
        EASY_FULL, OWN, outputs="pipe image model positive negative latent vae clip seed"
    ),
    # Impact
    "ImpactKSamplerBasicPipe": _sampler(
        {**KSAMPLER, **PIPED}, outputs="pipe latent vae", noise_changing_inputs=("scheduler_func_opt",)
    ),
    "ImpactKSamplerAdvancedBasicPipe": _sampler(
        {**ADVANCED, **PIPED},
        notes=LEFTOVER,
        outputs="pipe latent vae",
        noise_changing_inputs=("scheduler_func_opt",),
    ),
    **dict.fromkeys(
        ("FaceDetailer", "DetailerForEach", "DetailerForEachDebug"), _sampler(IMAGE_IN, PER_REGION, REGIONS)
    ),
    **dict.fromkeys(
        ("DetailerForEachPipe", "DetailerForEachDebugPipe", "MaskDetailerPipe"),
        _sampler({**SETTINGS, **PIPED, "size": "@image"}, PER_REGION, REGIONS),
    ),
    "FaceDetailerPipe": _sampler({**SETTINGS, "*": "@detailer_pipe", "size": "@image"}, PER_REGION, REGIONS),
    # Inspire
    **dict.fromkeys(("KSampler //Inspire", "KSamplerProgress //Inspire"), _sampler(KSAMPLER, OWN, INSPIRE)),
    **dict.fromkeys(
        ("KSamplerAdvanced //Inspire", "KSamplerAdvancedProgress //Inspire"),
        _sampler(ADVANCED, OWN, INSPIRE + LEFTOVER),
    ),
    "KSamplerPipe //Inspire": _sampler({**KSAMPLER, **PIPED}, OWN, INSPIRE, "latent vae"),
    "KSamplerAdvancedPipe //Inspire": _sampler({**ADVANCED, **PIPED}, OWN, INSPIRE, "latent vae"),
    # RES4LYF
    "ClownsharKSampler_Beta": _sampler(
        {**KSAMPLER, "steps": ("@sigmas", "steps"), "scheduler": ("@sigmas", "scheduler")}, OWN, CLOWN
    ),
    "SharkSampler_Beta": _sampler(
        {
            **KSAMPLER,
            "sampler_name": "@sampler",
            "steps": ("@sigmas", "steps"),
            "scheduler": ("@sigmas", "scheduler"),
        },
        OWN,
        CLOWN,
    ),
    "ClownsharkChainsampler_Beta": _sampler(
        {
            **MODEL_AND_TEXT,
            "cfg": "cfg",
            "sampler_name": "sampler_name",
            "sigmas": "@sigmas",
            "size": "@latent_image",
        },
        OWN,
        CLOWN,
    ),
    "BongSampler": _sampler(KSAMPLER, OWN),
    # video
    "WanVideoSampler": _sampler(
        {
            **SETTINGS,
            "model": "@model",
            "conditioning": "@text_embeds",
            "clip": "@text_embeds",
            "vae": "@image_embeds",
            "size": ("@image_embeds", "@samples"),
            "denoise": "denoise_strength",
            "steps": ("@sigmas", "steps"),
            "start_step": "start_step",
            "end_step": Reads(("end_step",), "last_step"),
        },
        OWN,
        options("self", "shift", "riflex_freq_index"),
    ),
    "LTXVBaseSampler": _sampler(
        {**GUIDED, "width": "width", "height": "height", "vae": "@vae"},
        "may sample a longer latent than it returns",
        options("self", "strength", length="num_frames"),
        "latent positive negative",
    ),
    # tiles
    **dict.fromkeys(
        ("UltimateSDUpscale", "UltimateSDUpscaleCustomSample"),
        _sampler(
            {
                **IMAGE_IN,
                "size": Reads(("upscale_by", "@image"), "scaled_pixels"),
                "batch_size": "@image",
                "sampler_name": ("@custom_sampler", "sampler_name"),
            },
            PER_TILE,
            TILES,
        ),
    ),
    "UltimateSDUpscaleNoUpscale": _sampler({**IMAGE_IN, "size": "@upscaled_image"}, PER_TILE, TILES),
    "BNK_TiledKSampler": _sampler(KSAMPLER, notes=TILES),
    "BNK_TiledKSamplerAdvanced": _sampler(ADVANCED, notes=TILES + LEFTOVER),
    # tinyterra
    "ttN KSampler_v2": _sampler(
        TTN, notes=TTN_LORA, outputs=TTN_PIPE.removeprefix("pipe "), noise_changing_inputs=("adv_xyPlot",)
    ),
    "ttN pipeKSampler_v2": _sampler(
        TTN, notes=TTN_LORA, outputs=TTN_PIPE, noise_changing_inputs=("adv_xyPlot",)
    ),
    "ttN pipeKSamplerAdvanced_v2": _sampler(
        {
            **TTN,
            "seed": "noise_seed",
            "denoise": "noise",
            "add_noise": "add_noise",
            "start_step": "start_at_step",
            "end_step": "end_at_step",
        },
        notes=TTN_LORA + LEFTOVER,
        outputs=TTN_PIPE,
        noise_changing_inputs=("adv_xyPlot",),
    ),
    # others
    "KSamplerWithNAG": _sampler(KSAMPLER, notes=NAG),
    "KSamplerWithNAG (Advanced)": _sampler(ADVANCED, notes=NAG + LEFTOVER),
    "SamplerCustomWithNAG": _sampler(CUSTOM, notes=NAG),
    "LanPaint_KSampler": _sampler(KSAMPLER, notes=LANPAINT),
    "LanPaint_KSamplerAdvanced": _sampler(ADVANCED, notes=LANPAINT + LEFTOVER),
    "LanPaint_SamplerCustom": _sampler(CUSTOM, notes=LANPAINT),
    "LanPaint_SamplerCustomAdvanced": _sampler(GUIDED, notes=LANPAINT),
    "XlabsSampler": _sampler(
        {
            "model": "@model",
            "positive": "@conditioning",
            "negative": "@neg_conditioning",
            "clip": "@conditioning",
            "seed": "noise_seed",
            "steps": "steps",
            "cfg": "true_gs",
            "denoise": "denoise_strength",
            "size": "@latent_image",
        },
        OWN,
        options("self", "timestep_to_start_cfg", "image_to_image_strength"),
    ),
}
NOISES: Final[Mapping[str, NodeClass]] = {
    "RandomNoise": row({"seed": "noise_seed"}, "noise"),
    "VOIDWarpedNoiseSource": row({"size": "@warped_noise"}, "noise", noise=OWN),
    "DisableNoise": row({"add_noise": Reads(constant=False)}, "noise"),
    "RandomNoise //Inspire": row({"seed": "noise_seed"}, "noise", noise=OWN),
    "Gen5Load": row({"size": Reads(rule="unknown")}, "noise", noise=STORED),
    "Gen5Noise": row({"size": "@latent"}, "noise", noise=OWN_RULE),
}

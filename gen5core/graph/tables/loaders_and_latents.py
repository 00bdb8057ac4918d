"""Loaders, model patches, texts, conditionings and latents, as a table: class -> role -> input name.

``schema`` has the vocabulary. A VAE or text encoder inside a checkpoint has no name of its own.
Source: nodes.py and comfy_extras of ComfyUI 0.3.29 to 0.33.0, and the packs named by the headings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .schema import NodeClass, Note, Reads, Roles, numbered, options, row

SIZES: Final[Roles] = {name: name for name in ("width", "height", "batch_size")}
COND: Final[Roles] = {"conditioning": "@conditioning", "clip": "@conditioning"}
PAIR: Final[Roles] = {"positive": "@positive", "negative": "@negative", "clip": "@positive"}
LOADERS: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(
        ("CheckpointLoaderSimple", "CheckpointLoader", "unCLIPCheckpointLoader", "ImageOnlyCheckpointLoader"),
        row({"model": "ckpt_name"}, outputs="model clip vae"),
    ),
    "DiffusersLoader": row({"model": "model_path"}, outputs="model clip vae"),
    **dict.fromkeys(("UNETLoader", "UnetLoaderGGUF", "UnetLoaderGGUFAdvanced"), row({"model": "unet_name"})),
    "DiffusionModelLoaderKJ": row({"model": "model_name"}),
    "WanVideoModelLoader": row({"model": Reads(("model",), lora_inputs=("@lora",))}),
    **dict.fromkeys(("CLIPLoader", "CLIPLoaderGGUF"), row({"clip": "clip_name"})),
    **dict.fromkeys(
        (
            "DualCLIPLoader",
            "TripleCLIPLoader",
            "QuadrupleCLIPLoader",
            "DualCLIPLoaderGGUF",
            "TripleCLIPLoaderGGUF",
            "QuadrupleCLIPLoaderGGUF",
        ),
        row({"clip": Reads(numbered("clip_name{}", range(1, 5)), "all")}),
    ),
    "LoadWanVideoT5TextEncoder": row({"clip": "model_name"}),
    "VAELoader": row({"vae": "vae_name"}),
    "WanVideoVAELoader": row({"vae": "model_name"}),
    **dict.fromkeys(("ControlNetLoader", "DiffControlNetLoader"), row({"control_net": "control_net_name"})),
    "SetUnionControlNetType": row({"control_net": "@control_net"}),
}


def _lora(*notes: Note, model: str = "@model", lora_inputs: tuple[str, ...] = ()) -> NodeClass:
    return row(
        {"model": Reads((model,), lora_inputs=lora_inputs), "clip": "@clip"},
        outputs="model clip",
        notes=notes,
    )


NAMED_LORA: Final = Note("model", "lora", ("lora_name", "strength_model"))
LORAS: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(
        (
            "LoraLoader",
            "LoraLoaderModelOnly",
            "LoraLoaderBypass",
            "LoraLoaderBypassModelOnly",
            "FluxLoraLoader",
            "LoraLoaderBlockWeight //Inspire",
        ),
        _lora(NAMED_LORA),
    ),
    "WanVideoLoraSelect": _lora(Note("model", "lora", ("lora", "strength")), model="@prev_lora"),
    "Power Lora Loader (rgthree)": _lora(Note("model", "lora_switches", ("lora_*",))),
    "Lora Loader Stack (rgthree)": _lora(Note("model", "lora", ("lora_0{}", "strength_0{}"))),
    "LoRA Stacker": _lora(
        Note(
            "model",
            "lora",
            ("lora_name_{}", "lora_wt_{}"),
            when=(("input_mode", "simple"),),
            count="lora_count",
        ),
        Note(
            "model",
            "lora",
            ("lora_name_{}", "model_str_{}"),
            when=(("input_mode", "advanced"),),
            count="lora_count",
        ),
        model="@lora_stack",
    ),
    "CR LoRA Stack": _lora(
        Note("model", "lora", ("lora_name_{}", "model_weight_{}"), when=(("switch_{}", "On"),)),
        model="@lora_stack",
    ),
    "CR Apply LoRA Stack": _lora(lora_inputs=("@lora_stack",)),
    "easy loraStack": _lora(
        Note(
            "model",
            "lora",
            ("lora_{}_name", "lora_{}_strength"),
            when=(("toggle", True), ("mode", "simple")),
            count="num_loras",
        ),
        Note(
            "model",
            "lora",
            ("lora_{}_name", "lora_{}_model_strength"),
            when=(("toggle", True), ("mode", "advanced")),
            count="num_loras",
        ),
        model="@optional_lora_stack",
    ),
}
PATCHES: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(
        ("ModelSamplingSD3", "ModelSamplingAuraFlow", "ModelSamplingStableCascade"),
        row({"model": "@model"}, notes=options("model", "shift")),
    ),
    **dict.fromkeys(
        ("ModelSamplingFlux", "ModelSamplingLTXV"),
        row({"model": "@model"}, notes=options("model", "max_shift", "base_shift")),
    ),
    "ModelSamplingDiscrete": row({"model": "@model"}, notes=options("model", "sampling", "zsnr")),
    **dict.fromkeys(
        ("ModelSamplingContinuousEDM", "ModelSamplingContinuousV"),
        row({"model": "@model"}, notes=options("model", "sampling", "sigma_max", "sigma_min")),
    ),
    "RescaleCFG": row({"model": "@model"}, notes=options("model", rescale_cfg="multiplier")),
    "CFGOverride": row({"model": "@model"}, notes=options("model", cfg_override="cfg")),
    "Gen5Replay": row({"model": "@model"}, outputs="model latent", notes=(Note("model", "replaces_noise"),)),
    "CLIPSetLastLayer": row({"clip": "@clip"}),
    **dict.fromkeys(
        ("ModelMergeSimple", "ModelMergeBlocks", "ModelAdd", "ModelSubtract"),
        row(
            {"model": "@model1"},
            notes=(
                Note("model", "option", ("@model2:model",), "merged_with"),
                *options("model", merge_ratio="ratio"),
            ),
        ),
    ),
}


def _texts(*names: str, notes: tuple[Note, ...] = ()) -> NodeClass:
    """Return an encoder: the texts in these inputs are the conditioning."""
    return row({"conditioning": Reads(names, "all"), "clip": "@clip"}, notes=notes)


GUIDANCE: Final = (Note("conditioning", "guidance", ("guidance",)),)
CONTROL: Final = (
    Note("conditioning", "controlnet", ("@control_net", "strength", "start_percent", "end_percent")),
)
TEXTS: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(
        (
            "CLIPTextEncode",
            "CLIPTextEncodeSDXLRefiner",
            "CLIPTextEncodePixArtAlpha",
            "PhotoMakerEncode",
            "BNK_CLIPTextEncodeAdvanced",
            "smZ CLIPTextEncode",
        ),
        _texts("text"),
    ),
    "CLIPTextEncodeSDXL": _texts("text_g", "text_l"),
    "CLIPTextEncodeFlux": _texts("clip_l", "t5xxl", notes=GUIDANCE),
    "CLIPTextEncodeSD3": _texts("clip_l", "clip_g", "t5xxl"),
    "CLIPTextEncodeHiDream": _texts("clip_l", "clip_g", "t5xxl", "llama"),
    "CLIPTextEncodeHunyuanDiT": _texts("bert", "mt5xl"),
    "CLIPTextEncodeKandinsky5": _texts("clip_l", "qwen25_7b"),
    "CLIPTextEncodeLumina2": _texts("user_prompt"),
    **dict.fromkeys(
        (
            "TextEncodeQwenImageEdit",
            "TextEncodeQwenImageEditPlus",
            "TextEncodeHunyuanVideo_ImageToVideo",
            "TextEncodeZImageOmni",
        ),
        _texts("prompt"),
    ),
    "WanVideoTextEncode": row({"positive": "positive_prompt", "negative": "negative_prompt", "clip": "@t5"}),
    "WanVideoTextEmbedBridge": row(PAIR),
    "ImpactWildcardEncode": row(
        {"conditioning": "populated_text", "model": "@model", "clip": "@clip"},
        outputs="model clip conditioning",
    ),
}
CONDITIONINGS: Final[Mapping[str, NodeClass]] = {
    "ConditioningCombine": row(
        {"conditioning": Reads(("@conditioning_1", "@conditioning_2"), "all"), "clip": "@conditioning_1"}
    ),
    **dict.fromkeys(
        ("ConditioningConcat", "ConditioningAverage"),
        row(
            {
                "conditioning": Reads(("@conditioning_to", "@conditioning_from"), "all"),
                "clip": "@conditioning_to",
            }
        ),
    ),
    **dict.fromkeys(
        ("ImpactCombineConditionings", "ImpactConcatConditionings"),
        row({"conditioning": Reads(("@conditioning*",), "all"), "clip": "@conditioning1"}),
    ),
    "ConditioningZeroOut": row({"conditioning": Reads(constant=""), "clip": "@conditioning"}),
    "FluxGuidance": row(COND, notes=GUIDANCE),
    "ControlNetApply": row(COND, notes=CONTROL),
    **dict.fromkeys(
        ("ControlNetApplyAdvanced", "ControlNetApplySD3", "ControlNetInpaintingAliMamaApply"),
        row(PAIR, outputs="positive negative", notes=CONTROL),
    ),
    "LTXVConditioning": row(PAIR, outputs="positive negative", notes=options("conditioning", "frame_rate")),
    "InpaintModelConditioning": row(
        {**PAIR, "size": "@pixels", "vae": "@vae"}, outputs="positive negative latent"
    ),
}
SCALED: Final = Reads(("scale_by", "@samples"), "scaled_latent")
LATENTS: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(
        (
            "EmptyLatentImage",
            "EmptySD3LatentImage",
            "EmptyFlux2LatentImage",
            "EmptyHunyuanImageLatent",
            "EmptyHunyuanLatentVideo",
            "EmptyLTXVLatentVideo",
            "EmptyMochiLatentVideo",
            "EmptyCosmosLatentVideo",
            "EmptyImage",
        ),
        row(SIZES, notes=options("width", "length")),
    ),
    "WanVideoEmptyEmbeds": row(SIZES, notes=options("width", length="num_frames")),
    "VAEEncode": row({"size": "@pixels", "vae": "@vae"}),
    "VAEEncodeTiled": row({"size": "@pixels", "vae": "@vae"}),
    "VAEEncodeForInpaint": row({"size": "@pixels", "vae": "@vae"}),
    **dict.fromkeys(
        ("VAEDecode", "VAEDecodeTiled", "WanVideoDecode"), row({"size": "@samples", "vae": "@vae"}, "decoder")
    ),
    **dict.fromkeys(
        ("SetLatentNoiseMask", "LatentMultiply", "LatentBatchSeedBehavior", "LatentFlip"),
        row({"size": "@samples", "vae": "@samples"}),
    ),
    **dict.fromkeys(
        ("LatentAdd", "LatentSubtract", "LatentInterpolate", "LatentBlend"),
        row({"size": "@samples1", "vae": "@samples1"}),
    ),
    **dict.fromkeys(("LatentComposite",), row({"size": "@samples_to", "vae": "@samples_to"})),
    "AddNoise": row({"size": "@latent_image", "vae": "@latent_image"}),
    "LatentUpscale": row(
        {
            "width": Reads(("width",), "size"),
            "height": Reads(("height",), "size"),
            "batch_size": "@samples",
            "vae": "@samples",
        }
    ),
    "LatentUpscaleBy": row({"width": SCALED, "height": SCALED, "batch_size": "@samples", "vae": "@samples"}),
    "LatentCrop": row({"width": "width", "height": "height", "batch_size": "@samples", "vae": "@samples"}),
    "RepeatLatentBatch": row(
        {"batch_size": Reads(("amount", "@samples"), "times"), "size": "@samples", "vae": "@samples"}
    ),
    "LatentFromBatch": row(
        {
            "batch_size": Reads(("length", "batch_index", "@samples"), "sliced"),
            "size": "@samples",
            "vae": "@samples",
        }
    ),
    "LatentBatch": row(
        {"batch_size": Reads(("@samples1", "@samples2"), "plus"), "size": "@samples1", "vae": "@samples1"}
    ),
    "ImageScale": row(
        {"width": Reads(("width",), "size"), "height": Reads(("height",), "size"), "batch_size": "@image"}
    ),
    "ImageScaleBy": row(
        {
            "width": Reads(("scale_by", "@image"), "scaled_pixels"),
            "height": Reads(("scale_by", "@image"), "scaled_pixels"),
            "batch_size": "@image",
        }
    ),
    # not samplers, though their inputs look like one's
    "GenerateNoise": row(SIZES),
    "easy latentNoisy": row(),
    "TrainLoraNode": row(),
}
SOURCES: Final[Mapping[str, NodeClass]] = {
    **LOADERS,
    **LORAS,
    **PATCHES,
    **TEXTS,
    **CONDITIONINGS,
    **LATENTS,
}

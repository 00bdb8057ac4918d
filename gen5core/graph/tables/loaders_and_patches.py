"""Loaders, LoRAs, hooks and model patches, as a table: class -> role -> input name.

``schema`` has the vocabulary. A VAE or text encoder inside a checkpoint has no name of its own.
Source: nodes.py and comfy_extras of ComfyUI 0.3.29 to 0.33.0, and the packs named by the headings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .schema import MERGED_MODEL, NodeClass, Note, Reads, numbered, options, row, words

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
    # what is applied to a model or a text; the name is an option there
    "StyleModelLoader": row({"file": "style_model_name"}),
    "GLIGENLoader": row({"file": "gligen_name"}),
    "ModelPatchLoader": row({"file": "name"}),
    # audio
    "LTXAVTextEncoderLoader": row({"clip": Reads(("text_encoder", "ckpt_name"), "all")}),
    "LTXVAudioVAELoader": row({"vae": "ckpt_name"}),
}
CLIPS: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(
        ("CLIPSetLastLayer", "CLIPAttentionMultiply", "T5TokenizerOptions", "SelectCLIPDevice"),
        row({"clip": "@clip"}),
    ),
    **dict.fromkeys(
        ("CLIPMergeSimple", "CLIPMergeAdd", "CLIPMergeSubtract"),
        row({"clip": Reads(("@clip1", "@clip2"), "all")}),
    ),
    "SelectVAEDevice": row({"vae": "@vae"}),
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
            "LoraLoaderBypass",
            "FluxLoraLoader",
            "LoraLoaderBlockWeight //Inspire",
        ),
        _lora(NAMED_LORA),
    ),
    **dict.fromkeys(
        ("LoraLoaderModelOnly", "LoraLoaderBypassModelOnly"), row({"model": "@model"}, notes=(NAMED_LORA,))
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


def _hook(*notes: Note) -> NodeClass:
    """Return a hook, which is followed from a text, or from the text encoder that it is set on."""
    return row(dict.fromkeys(("conditioning", "clip"), "@prev_hooks"), notes=notes)


def _hook_lora(name: str) -> NodeClass:
    return _hook(*(Note(role, "lora", (name, "strength_model")) for role in ("conditioning", "clip")))


COMBINED_HOOKS: Final = row(dict.fromkeys(("conditioning", "clip"), Reads(("@hooks_*",), "all")))
HOOKS: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(("CreateHookLora", "CreateHookLoraModelOnly"), _hook_lora("lora_name")),
    **dict.fromkeys(("CreateHookModelAsLora", "CreateHookModelAsLoraModelOnly"), _hook_lora("ckpt_name")),
    "SetHookKeyframes": row(
        dict.fromkeys(("conditioning", "clip"), "@hooks"),
        notes=(Note("conditioning", "option", (), "hook_keyframes"),),
    ),
    **dict.fromkeys(("CombineHooks2", "CombineHooks4", "CombineHooks8"), COMBINED_HOOKS),
    "SetClipHooks": row({"clip": Reads(("@clip",), lora_inputs=("@hooks",))}),
}


def _merge(*notes: Note) -> NodeClass:
    """Return a merge of two models: the second one's name is an option, and its LoRAs are listed after the first's."""
    return row(
        {"model": Reads(("@model1",), lora_inputs=(f"@model2:{MERGED_MODEL}",))},
        notes=(Note("model", "merged", ("@model2:model",)), *notes),
    )


MERGE: Final = _merge()
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
    "ModelMergeSimple": _merge(*options("model", merge_ratio="ratio")),
    "ModelMergeSubtract": _merge(*options("model", merge_multiplier="multiplier")),
    "HypernetworkLoader": row({"model": "@model"}, notes=options("model", hypernetwork="hypernetwork_name")),
    "LoraModelLoader": row(
        {"model": "@model"}, notes=(Note("model", "lora", ("@lora:file", "strength_model")),)
    ),
    **dict.fromkeys(
        words(
            "AnimaLLLiteApply QwenImageDiffsynthControlnet SUPIRApply USOStyleReference"
            " WanUni3CControlnetApply ZImageFunControlnet"
        ),
        row({"model": "@model"}, notes=(Note("model", "option", ("@model_patch:file",), "model_patch"),)),
    ),
    **dict.fromkeys(
        (
            *words(
                "APG CFGNorm CFGZeroStar ChromaRadianceOptions ContextWindowsManual DifferentialDiffusion EasyCache"
                " FluxKVCache FreSca FreeU FreeU_V2 HiDreamO1PatchSeamSmoothing HyperTile LTXVContextWindows"
                " LTXVModalityGuidance LTXVSpatioTemporalGuidance LatentApplyOperationCFG LazyCache Mahiro"
                " MiniMaxH3SigmaShift ModelAttentionBackend ModelComputeDtype ModelNoiseScale MultiGPU_WorkUnits"
                " NAGuidance PatchModelAddDownscale PerpNeg PerturbedAttentionGuidance RenormCFG ScaleROPE"
                " SelectModelDevice SelfAttentionGuidance SkipLayerGuidanceDiT SkipLayerGuidanceDiTSimple"
                " SkipLayerGuidanceSD3 TCFG TemporalScoreRescaling TomePatchModel TorchCompileModel"
                " TripoSplatSamplingPreview UNetCrossAttentionMultiply UNetSelfAttentionMultiply"
                " UNetTemporalAttentionMultiply VideoLinearCFGGuidance VideoTriangleCFGGuidance WanAnimate2Cache"
                " WanContextWindowsManual wanBlockSwap"
            ),
            "Epsilon Scaling",
        ),
        row({"model": "@model"}),
    ),
}
MERGES: Final[Mapping[str, NodeClass]] = {"ModelMerge": MERGE, "ModelAdd": MERGE, "ModelSubtract": MERGE}
"""Classes known by the start of their names; the names of the other ModelMerge classes end with the model's."""

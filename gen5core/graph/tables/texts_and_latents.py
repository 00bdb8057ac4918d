"""Texts, conditionings and latents, as a table: class -> role -> input name. ``schema`` has the vocabulary.

Source: nodes.py and comfy_extras of ComfyUI 0.3.29 to 0.33.0, and the packs named by the headings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .schema import NodeClass, Note, Reads, Roles, options, row, words

SIZES: Final[Roles] = {name: name for name in ("width", "height", "batch_size")}
COND: Final[Roles] = {"conditioning": "@conditioning", "clip": "@conditioning"}
PAIR: Final[Roles] = {"positive": "@positive", "negative": "@negative", "clip": "@positive"}


def _texts(*names: str, notes: tuple[Note, ...] = ()) -> NodeClass:
    """Return an encoder: the texts in these inputs are the conditioning."""
    return row({"conditioning": Reads(names, "all"), "clip": "@clip"}, notes=notes)


ONE: Final = Reads(constant=1)
GIVEN_SIZE: Final[Roles] = {
    "width": Reads(("width",), "size"),
    "height": Reads(("height",), "size"),
    "batch_size": "batch_size",
}
"""A width or height of 0 is that of an image, or keeps the proportions."""
BOTH_TEXTS: Final[Roles] = {
    "positive": "prompt",
    "negative": "negative_prompt",
    "clip": "@clip",
    "vae": "@vae",
}
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
    # a text is added to those of the conditioning
    "CLIPTextEncodeControlnet": row(
        {"conditioning": Reads(("@conditioning", "text"), "all"), "clip": ("@clip", "@conditioning")}
    ),
    "GLIGENTextBoxApply": row(
        {"conditioning": Reads(("@conditioning_to", "text"), "all"), "clip": ("@conditioning_to", "@clip")},
        notes=(Note("conditioning", "option", ("@gligen_textbox_model:file",), "gligen"),),
    ),
    # audio; the encoder has a seed and a guidance of its own
    "TextEncodeAceStepAudio": _texts("tags", "lyrics"),
    "TextEncodeAceStepAudio1.5": _texts(
        "tags",
        "lyrics",
        notes=options(
            "conditioning",
            *words("bpm duration timesignature language keyscale"),
            encoder_seed="seed",
            encoder_cfg="cfg_scale",
        ),
    ),
    "MiniMaxMusic3TextEncode": _texts(
        "caption", "lyrics", notes=options("conditioning", encoder_seed="seed", encoder_cfg="cfg_scale")
    ),
    # both texts in one node
    "TextEncodeBooguEdit": row(BOTH_TEXTS, outputs="positive negative"),
    "TextEncodeMageFlowEdit": row({**BOTH_TEXTS, **GIVEN_SIZE}, outputs="positive negative latent"),
    # a text and a latent
    **dict.fromkeys(
        ("MiniMaxH3ImageToVideo", "MiniMaxH3ReferenceToVideo"),
        row(
            {**SIZES, "batch_size": ONE, "conditioning": "prompt", "clip": "@clip", "vae": "@vae"},
            outputs="positive latent",
            notes=options("width", "length"),
        ),
    ),
    **dict.fromkeys(
        (
            "TextEncodeQwenImageEdit",
            "TextEncodeQwenImageEditPlus",
            "TextEncodeHunyuanVideo_ImageToVideo",
            "TextEncodeZImageOmni",
            "TextEncodeJoyImageEdit",
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
LATENT_PAIR: Final = "positive negative latent"
NEW_VIDEO: Final[Roles] = {**PAIR, **SIZES, "vae": "@vae"}
ONE_TEXT: Final[Roles] = dict.fromkeys(("conditioning", "clip"), "@positive")
"""A class that takes and returns one conditioning, and may stand before a sampler's negative too."""
UNKNOWN: Final = Reads(rule="unknown")


def _hooked(*inputs: str) -> Roles:
    """Return the roles of texts that hooks may be set on."""
    return {"conditioning": Reads(inputs, "all", lora_inputs=("@hooks",)), "clip": inputs}


def _pair_of(*suffixes: str) -> NodeClass:
    """Return a node for positive and negative at once; each of them is what all inputs of its name hold."""
    roles = {
        role: Reads(tuple(f"@{role}{suffix}" for suffix in suffixes), "all", lora_inputs=("@hooks",))
        for role in ("positive", "negative")
    }
    clips = tuple(f"@positive{suffix}" for suffix in suffixes)
    return row({**roles, "clip": clips}, outputs="positive negative")


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
    **dict.fromkeys(
        words(
            "ConditioningMultiply ConditioningSetArea ConditioningSetAreaPercentage ConditioningSetAreaPercentageVideo"
            " ConditioningSetAreaStrength ConditioningSetMask ConditioningSetTimestepRange"
            " FluxKontextMultiReferenceLatentMethod ReferenceLatent ReferenceTimbreAudio"
            " StableCascade_StageB_Conditioning unCLIPConditioning"
        ),
        row(COND),
    ),
    "StyleModelApply": row(
        COND, notes=(Note("conditioning", "option", ("@style_model:file",), "style_model"),)
    ),
    "PiDConditioning": row(ONE_TEXT),
    "FluxDisableGuidance": row(COND, notes=(Note("conditioning", "no_guidance"),)),
    # hooks
    "ConditioningSetProperties": row(_hooked("@cond_NEW")),
    "ConditioningSetPropertiesAndCombine": row(_hooked("@cond", "@cond_NEW")),
    "ConditioningSetDefaultCombine": row(_hooked("@cond", "@cond_DEFAULT")),
    "PairConditioningSetProperties": _pair_of("_NEW"),
    "PairConditioningSetPropertiesAndCombine": _pair_of("", "_NEW"),
    "PairConditioningSetDefaultCombine": _pair_of("", "_DEFAULT"),
    "PairConditioningCombine": _pair_of("_A", "_B"),
    # conditionings without a text
    "LotusConditioning": row(),
    **dict.fromkeys(
        words(
            "Hunyuan3Dv2Conditioning Hunyuan3Dv2ConditioningMultiView Pixal3DConditioning Trellis2Conditioning"
        ),
        row(outputs="positive negative"),
    ),
    "SeedVR2Conditioning": row({"model": "@model"}, outputs="positive negative"),
    # its VAE encodes the picture that it is given; another one decodes the latent
    "TripoSplatConditioning": row({"batch_size": ONE}, outputs=LATENT_PAIR),
    **dict.fromkeys(
        ("SVD_img2vid_Conditioning", "SV3D_Conditioning"),
        row({**SIZES, "batch_size": "video_frames", "vae": "@vae"}, outputs=LATENT_PAIR),
    ),
    **dict.fromkeys(
        ("StableZero123_Conditioning", "StableZero123_Conditioning_Batched"),
        row({**SIZES, "vae": "@vae"}, outputs=LATENT_PAIR),
    ),
    # datasets
    "LoadTrainingDataset": row({"size": UNKNOWN, "conditioning": UNKNOWN}),
    "LoadImageTextSetFromFolderNode": row({"size": UNKNOWN, "conditioning": UNKNOWN}),
    "MakeTrainingDataset": row({"size": "@images", "conditioning": "texts", "clip": "@clip", "vae": "@vae"}),
    "ResolutionBucket": row(
        {"size": "@latents", "conditioning": "@conditioning", "clip": "@conditioning", "batch_size": UNKNOWN}
    ),
    "ConditioningZeroOut": row({"conditioning": Reads(constant=""), "clip": "@conditioning"}),
    "FluxGuidance": row(COND, notes=GUIDANCE),
    "ControlNetApply": row(COND, notes=CONTROL),
    **dict.fromkeys(
        ("ControlNetApplyAdvanced", "ControlNetApplySD3", "ControlNetInpaintingAliMamaApply"),
        row(PAIR, outputs="positive negative", notes=CONTROL),
    ),
    "LTXVConditioning": row(PAIR, outputs="positive negative", notes=options("conditioning", "frame_rate")),
    "ConditioningStableAudio": row(
        PAIR, outputs="positive negative", notes=options("conditioning", "seconds_start", "seconds_total")
    ),
    "HiDreamO1ReferenceImages": row(PAIR, outputs="positive negative"),
    "MiniMaxH3AddGuide": row({**ONE_TEXT, "size": "@latent"}),
    "LTXVReferenceAudio": row({**PAIR, "model": "@model"}, outputs="model positive negative"),
    "InpaintModelConditioning": row(
        {**PAIR, "size": "@pixels", "vae": "@vae"}, outputs="positive negative latent"
    ),
    "InstructPixToPixConditioning": row({**PAIR, "size": "@pixels", "vae": "@vae"}, outputs=LATENT_PAIR),
    "SD_4XUpscale_Conditioning": row(
        {
            **PAIR,
            "width": Reads(("scale_ratio", "@images"), "scaled_pixels"),
            "height": Reads(("scale_ratio", "@images"), "scaled_pixels"),
            "batch_size": "@images",
        },
        outputs=LATENT_PAIR,
    ),
    # a new latent, for the size given
    **dict.fromkeys(
        words(
            "BerniniConditioning HunyuanVideo15ImageToVideo LTXVImgToVideo VOIDInpaintConditioning"
            " WanAnimateToVideo WanCameraImageToVideo WanFirstLastFrameToVideo WanFunControlToVideo"
            " WanFunInpaintToVideo WanHuMoImageToVideo WanImageToVideo WanMoveTrackToVideo WanSCAILToVideo"
            " WanSoundImageToVideo WanTrackToVideo WanVaceToVideo Wan22FunControlToVideo"
        ),
        row(NEW_VIDEO, outputs=LATENT_PAIR, notes=options("width", "length")),
    ),
    "WanAnimate2ToVideo": row(
        NEW_VIDEO,
        outputs=LATENT_PAIR,
        notes=(
            *options("width", "length"),
            Note("conditioning", "option", ("@positive_pose:positive",), "positive_pose"),
        ),
    ),
    "WanDancerVideo": row(
        {**NEW_VIDEO, "batch_size": ONE}, outputs=LATENT_PAIR, notes=options("width", "length")
    ),
    "WanInfiniteTalkToVideo": row(
        {**NEW_VIDEO, "batch_size": ONE, "model": "@model"},
        outputs=f"model {LATENT_PAIR}",
        notes=(
            *options("width", "length"),
            Note("model", "option", ("@model_patch:file",), "model_patch"),
        ),
    ),
    "WanPhantomSubjectToVideo": row(
        NEW_VIDEO, outputs="positive negative negative latent", notes=options("width", "length")
    ),
    "Kandinsky5ImageToVideo": row(
        NEW_VIDEO, outputs=f"{LATENT_PAIR} latent", notes=options("width", "length")
    ),
    "HunyuanImageToVideo": row(
        {**ONE_TEXT, **SIZES, "vae": "@vae"}, outputs="conditioning latent", notes=options("width", "length")
    ),
    # the latent that is connected
    **dict.fromkeys(
        words("HunyuanRefinerLatent HunyuanVideo15SuperResolution LTXVAddGuide LTXVCropGuides"),
        row({**PAIR, "size": "@latent", "vae": ("@vae", "@latent")}, outputs=LATENT_PAIR),
    ),
    "WanSoundImageToVideoExtend": row(
        {**PAIR, "size": "@video_latent", "vae": "@vae"},
        outputs=LATENT_PAIR,
        notes=options("width", "length"),
    ),
    # 3D
    "Trellis2ShapeStage": row(PAIR, outputs=LATENT_PAIR),
    **dict.fromkeys(
        ("Trellis2TextureStage", "Trellis2UpsampleStage"),
        row({**PAIR, "sampled_by": "@shape_latent"}, outputs=LATENT_PAIR),
    ),
}


def _resized(latent: str) -> Roles:
    """Return what a latent keeps if its size is changed."""
    return dict.fromkeys(("batch_size", "vae", "sampled_by"), latent)


CUT_ALONG: Final[Roles] = {
    **_resized("@samples"),
    "width": Reads(("dim", "@samples"), "along_time"),
    "height": Reads(("dim", "@samples"), "along_time"),
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
            "EmptyARVideoLatent",
            "EmptyChromaRadianceLatentImage",
            "EmptyHiDreamO1LatentImage",
            "EmptyHunyuanVideo15Latent",
            "VOIDWarpedNoise",
            "EmptyImage",
        ),
        row(SIZES, notes=options("width", "length")),
    ),
    "EmptyQwenImageLayeredLatentImage": row(SIZES, notes=options("width", "layers")),
    "EmptyMiniMaxH3LatentAV": row({**SIZES, "batch_size": ONE}, notes=options("width", "length")),
    "StableCascade_EmptyLatentImage": row(SIZES, outputs="latent latent"),
    **dict.fromkeys(
        ("CosmosImageToVideoLatent", "CosmosPredict2ImageToVideoLatent", "Wan22ImageToVideoLatent"),
        row({**SIZES, "vae": "@vae"}, notes=options("width", "length")),
    ),
    "ARVideoI2V": row(
        {**SIZES, "model": "@model", "vae": "@vae"}, outputs="model latent", notes=options("width", "length")
    ),
    # sound and 3D have no width or height
    **dict.fromkeys(
        words(
            "EmptyLatentAudio EmptyAceStepLatentAudio EmptyAceStep1.5LatentAudio EmptyMiniMaxMusic3LatentAudio"
        ),
        row({"batch_size": "batch_size"}, notes=options("width", "seconds")),
    ),
    "LTXVEmptyLatentAudio": row(
        {"batch_size": "batch_size"}, notes=options("width", "frame_rate", length="frames_number")
    ),
    **dict.fromkeys(
        ("EmptyLatentHunyuan3Dv2", "EmptyTrellis2LatentStructure"), row({"batch_size": "batch_size"})
    ),
    **dict.fromkeys(
        ("VAEEncodeAudio", "LTXVAudioVAEEncode"),
        row({"batch_size": UNKNOWN, "vae": ("@vae", "@audio_vae")}),
    ),
    # video and sound in one latent
    "LTXVConcatAVLatent": row({"size": "@video_latent", "vae": "@video_latent"}),
    "LTXVSeparateAVLatent": row({"size": "@av_latent", "vae": "@av_latent"}, outputs="latent latent"),
    "WanVideoEmptyEmbeds": row(SIZES, notes=options("width", length="num_frames")),
    "VAEEncode": row({"size": "@pixels", "vae": "@vae"}),
    "VAEEncodeTiled": row({"size": "@pixels", "vae": "@vae"}),
    "VAEEncodeForInpaint": row({"size": "@pixels", "vae": "@vae"}),
    **dict.fromkeys(
        ("VAEDecode", "VAEDecodeTiled", "WanVideoDecode"), row({"size": "@samples", "vae": "@vae"}, "decoder")
    ),
    **dict.fromkeys(
        words(
            "VAEDecodeHunyuan3D VAEDecodeTripoSplat VaeDecodeShapeTrellis VaeDecodeStructureTrellis2"
            " VaeDecodeTextureTrellis"
        ),
        row({"vae": "@vae"}, "decoder"),
    ),
    **dict.fromkeys(
        ("VAEDecodeAudio", "VAEDecodeAudioTiled", "LTXVAudioVAEDecode"),
        row({"vae": ("@vae", "@audio_vae")}, "audio_decoder"),
    ),
    **dict.fromkeys(
        words(
            "SetLatentNoiseMask LatentMultiply LatentBatchSeedBehavior LatentFlip LatentApplyOperation TrimVideoLatent"
        ),
        row({"size": "@samples", "vae": "@samples"}),
    ),
    **dict.fromkeys(
        ("LatentAdd", "LatentSubtract", "LatentInterpolate", "LatentBlend"),
        row({"size": "@samples1", "vae": "@samples1"}),
    ),
    "LatentComposite": row({"size": "@samples_to", "vae": "@samples_to"}),
    **dict.fromkeys(
        ("LatentCompositeMasked", "ReplaceVideoLatentFrames"),
        row({"size": "@destination", "vae": "@destination"}),
    ),
    **dict.fromkeys(
        ("LTXVImgToVideoInplace", "NormalizeVideoLatentStart"),
        row({"size": "@latent", "vae": ("@vae", "@latent")}),
    ),
    "SaveLatent": row({"*": "@samples"}, "pass"),
    "LoadLatent": row({"size": UNKNOWN}),
    "LatentRotate": row(
        {
            **_resized("@samples"),
            "width": Reads(("rotation", "@samples:width", "@samples:height"), "rotated"),
            "height": Reads(("rotation", "@samples:height", "@samples:width"), "rotated"),
        }
    ),
    "LatentCut": row(CUT_ALONG),
    "LatentCutToBatch": row({**CUT_ALONG, "batch_size": UNKNOWN}),
    "LatentConcat": row(
        {
            **_resized("@samples1"),
            "width": Reads(("dim", "@samples1"), "along_time"),
            "height": Reads(("dim", "@samples1"), "along_time"),
        }
    ),
    "BatchLatentsNode": row(
        {
            "batch_size": Reads(("@latents.*",), "plus"),
            "size": "@latents.*",
            "vae": "@latents.*",
        }
    ),
    **dict.fromkeys(
        ("RebatchLatents", "SeedVR2TemporalMerge"),
        row({**_resized("@latents"), "size": "@latents", "batch_size": UNKNOWN}),
    ),
    "SeedVR2TemporalChunk": row({"size": "@latent", "vae": "@latent"}),
    "LTXVLatentUpsampler": row({**_resized("@samples"), "size": UNKNOWN, "vae": ("@vae", "@samples")}),
    "HunyuanVideo15LatentUpscaleWithModel": row(
        {**_resized("@samples"), **GIVEN_SIZE, "batch_size": "@samples"}
    ),
    "StableCascade_StageC_VAEEncode": row({"size": "@image", "vae": "@vae"}, outputs="latent latent"),
    "StableCascade_SuperResolutionControlnet": row(
        {"size": UNKNOWN, "batch_size": "@image", "vae": "@vae"}, outputs="image latent latent"
    ),
    "AddNoise": row({"size": "@latent_image", "vae": "@latent_image"}),
    "LatentUpscale": row({**_resized("@samples"), **GIVEN_SIZE, "batch_size": "@samples"}),
    "LatentUpscaleBy": row({**_resized("@samples"), "width": SCALED, "height": SCALED}),
    "LatentCrop": row({**_resized("@samples"), "width": "width", "height": "height"}),
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
    **dict.fromkeys(
        words("Canny ImageAddNoise ImageBlur ImageFlip ImageInvert ImageQuantize ImageSharpen"),
        row({"size": "@image"}),
    ),
    **dict.fromkeys(("PreviewImage", "SaveImage"), row({"size": "@images"})),
    # several pictures are a batch to some VAEs, and one video to others
    **dict.fromkeys(("ImageFromBatch", "RepeatImageBatch"), row({"size": "@image", "batch_size": UNKNOWN})),
    **dict.fromkeys(
        words("FluxKontextImageScale ImageScaleToMaxDimension ImageScaleToTotalPixels ImageUpscaleWithModel"),
        row({"size": UNKNOWN, "batch_size": "@image"}),
    ),
    "ImagePadForOutpaint": row(
        {
            "width": Reads(("left", "right", "@image"), "plus"),
            "height": Reads(("top", "bottom", "@image"), "plus"),
            "batch_size": "@image",
        }
    ),
    "ResizeAndPadImage": row({"width": "target_width", "height": "target_height", "batch_size": "@image"}),
    "ResizeImageMaskNode": row(
        {
            "width": Reads(("resize_type.width",), "size"),
            "height": Reads(("resize_type.height",), "size"),
            "batch_size": "@input",
        }
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

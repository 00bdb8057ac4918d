"""ComfyUI's own classes, and classes without a row that resemble them: one node each, and what is read through it.

``scripts/node_classes.py`` says which classes need a row; these tests say that the rows are right.
"""

from __future__ import annotations

from typing import Any

import pytest
from graph_prompts import at, base, custom_advanced, custom_parts, ksampler, node

from gen5core.graph.passes import sampler_passes
from gen5core.graph.sampler_pass import SamplerPass

Prompt = dict[str, Any]
Fields = dict[str, Any]
PAIRED = {"positive": at("pos"), "negative": at("neg")}
VIDEO = {"width": 832, "height": 480, "length": 81, "batch_size": 3}
SIZED = {"width": 832, "height": 480, "batch_size": 3}
EMPTY_SIZE: Fields = {"width": None, "height": None}


def read(prompt: Prompt) -> SamplerPass:
    """Return the one pass that leads to the sampler ``s``, last of all."""
    return sampler_passes(prompt, "s")[-1]


def check(prompt: Prompt, expected: Fields) -> None:
    found = read(prompt)
    wanted = {"unresolved": ()} | expected
    assert {name: getattr(found, name) for name in wanted} == wanted


def texts_through(class_type: str, inputs: Prompt, positive: int = 0, negative: int = 1) -> Prompt:
    """Return a prompt whose sampler has both conditionings from the slots of one node."""
    return base(
        box=node("CLIPTextEncode", text="a box", clip=at("ckpt", 1)),
        n=node(class_type, **inputs),
        s=ksampler(positive=at("n", positive), negative=at("n", negative)),
    )


# both texts in one node

BOTH = {"clip": at("ckpt", 1), "prompt": "a dog", "negative_prompt": "rain"}
BOTH_TEXTS: dict[str, tuple[str, Prompt]] = {
    "TextEncodeMageFlowEdit": ("TextEncodeMageFlowEdit", {**BOTH, "width": 0, "height": 0, "batch_size": 1}),
    "TextEncodeBooguEdit": ("TextEncodeBooguEdit", BOTH),
    "WanVideoTextEncode": ("WanVideoTextEncode", {"positive_prompt": "a dog", "negative_prompt": "rain"}),
    "no row, prompt": ("EncodeBoth", BOTH),
    "no row, text": ("EncodeBoth", {"clip": at("ckpt", 1), "text": "a dog", "negative": "rain"}),
    "no row, text_positive": ("EncodeBoth", {"text_positive": "a dog", "text_negative": "rain"}),
    "no row, positive": ("EncodeBoth", {"positive": "a dog", "negative": "rain", "clip": at("ckpt", 1)}),
    "no row, linked texts": (
        "EncodeBoth",
        {"positive_prompt": at("dog"), "negative_prompt": at("rain"), "clip": at("ckpt", 1)},
    ),
    "no row, linked by the plain name": ("EncodeBoth", {"positive": at("dog"), "negative": at("rain")}),
}
LINKED_TEXTS = {"dog": node("PrimitiveString", value="a dog"), "rain": node("PrimitiveString", value="rain")}


@pytest.mark.parametrize(("class_type", "inputs"), BOTH_TEXTS.values(), ids=BOTH_TEXTS.keys())
def test_each_slot_has_its_own_text(class_type: str, inputs: Prompt) -> None:
    """The negative is never the positive's text, and the other way round."""
    check(LINKED_TEXTS | texts_through(class_type, inputs), {"positive": "a dog", "negative": "rain"})


def test_the_slot_decides_and_not_the_socket_that_it_is_wired_to() -> None:
    """If the two outputs of a node are crossed, so are the texts; with one output used twice, both are its text."""
    crossed = texts_through("TextEncodeBooguEdit", BOTH, 1, 0)
    check(crossed, {"positive": "rain", "negative": "a dog"})
    check(texts_through("EncodeBoth", BOTH, 0, 0), {"positive": "a dog", "negative": "a dog"})


def test_one_text_of_a_loader_is_not_its_negative() -> None:
    """A loader without a row that has one text, and passes everything on in a pipe, leaves the negative open."""
    pipe = node("LoadAll", ckpt_name="a.safetensors", prompt="a dog")
    prompt = base(
        pipe=pipe, s=node("KSamplerPipe //Inspire", basic_pipe=at("pipe"), seed=1, latent_image=at("empty"))
    )
    found = read(prompt)
    assert (found.positive, found.negative) == ("a dog", None)
    assert "negative" in found.unresolved


def test_a_style_changes_texts() -> None:
    """Texts that a class without a row returns as texts may have been changed by it."""
    style = node("PromptStyler", text_positive="a dog", text_negative="rain", style="noir")
    found = read(
        base(style=style, pos=node("CLIPTextEncode", text=at("style"), clip=at("ckpt", 1)), s=ksampler())
    )
    assert (found.positive, found.unresolved) == (None, ("positive",))


# one conditioning in, one out

AREA = {"width": 64, "height": 64, "x": 0, "y": 0, "strength": 1.0}
KEPT: dict[str, Prompt] = {
    **{
        key: {"conditioning": at("neg"), **AREA}
        for key in (
            "ConditioningMultiply",
            "ConditioningSetArea",
            "ConditioningSetAreaPercentage",
            "ConditioningSetAreaPercentageVideo",
            "ConditioningSetAreaStrength",
            "ConditioningSetMask",
            "ConditioningSetTimestepRange",
            "FluxDisableGuidance",
            "FluxKontextMultiReferenceLatentMethod",
            "ReferenceLatent",
            "ReferenceTimbreAudio",
            "StableCascade_StageB_Conditioning",
            "StyleModelApply",
            "unCLIPConditioning",
            "AnyConditioningWithoutARow",
        )
    },
    **{
        key: {"positive": at("neg"), **VIDEO}
        for key in ("PiDConditioning", "HunyuanImageToVideo", "MiniMaxH3AddGuide")
    },
    "ConditioningSetProperties": {"cond_NEW": at("neg"), "strength": 1.0},
}


@pytest.mark.parametrize(("class_type", "inputs"), KEPT.items(), ids=KEPT.keys())
def test_a_conditioning_keeps_its_text(class_type: str, inputs: Prompt) -> None:
    """What changes a conditioning leaves its text and the latent's size as they are, before a negative too."""
    prompt = base(n=node(class_type, **inputs), s=ksampler(negative=at("n")))
    check(prompt, {"positive": "a cat", "negative": "blurry", "width": 512, "height": 768})


ADDED: dict[str, tuple[str, Prompt]] = {
    "GLIGENTextBoxApply": (
        "GLIGENTextBoxApply",
        {"conditioning_to": at("pos"), "clip": at("ckpt", 1), "text": "a box", **AREA},
    ),
    "CLIPTextEncodeControlnet": (
        "CLIPTextEncodeControlnet",
        {"conditioning": at("pos"), "clip": at("ckpt", 1), "text": "a box"},
    ),
    "ConditioningCombine": (
        "ConditioningCombine",
        {"conditioning_1": at("pos"), "conditioning_2": at("box")},
    ),
    "ConditioningConcat": (
        "ConditioningConcat",
        {"conditioning_to": at("pos"), "conditioning_from": at("box")},
    ),
    "ConditioningAverage": (
        "ConditioningAverage",
        {"conditioning_to": at("pos"), "conditioning_from": at("box")},
    ),
    "ConditioningSetPropertiesAndCombine": (
        "ConditioningSetPropertiesAndCombine",
        {"cond": at("pos"), "cond_NEW": at("box")},
    ),
    "ConditioningSetDefaultCombine": (
        "ConditioningSetDefaultCombine",
        {"cond": at("pos"), "cond_DEFAULT": at("box")},
    ),
    "no row, a text": ("AddRegion", {"conditioning_to": at("pos"), "clip": at("ckpt", 1), "text": "a box"}),
    "no row, two": ("Mix", {"conditioning_a": at("pos"), "conditioning_b": at("box")}),
}


@pytest.mark.parametrize(("class_type", "inputs"), ADDED.values(), ids=ADDED.keys())
def test_texts_are_added(class_type: str, inputs: Prompt) -> None:
    """A second text is added to the first, and replaces nothing."""
    prompt = texts_through(class_type, inputs)
    prompt["s"]["inputs"]["negative"] = at("neg")
    check(prompt, {"positive": "a cat\n\na box", "negative": "blurry"})


def test_gligen_box_after_box() -> None:
    """Every box of a chain is added, and the file is named."""
    boxes = {
        "file": node("GLIGENLoader", gligen_name="gligen.safetensors"),
        "b1": node(
            "GLIGENTextBoxApply", conditioning_to=at("pos"), text="a box", gligen_textbox_model=at("file")
        ),
        "b2": node(
            "GLIGENTextBoxApply", conditioning_to=at("b1"), text="a hat", gligen_textbox_model=at("file")
        ),
    }
    expected = {"positive": "a cat\n\na box\n\na hat", "options": {"gligen": "gligen.safetensors"}}
    check(base(**boxes, s=ksampler(positive=at("b2"))), expected)


PAIRS: dict[str, tuple[Prompt, str]] = {
    "PairConditioningSetProperties": ({"positive_NEW": at("pos"), "negative_NEW": at("neg")}, "a cat"),
    "PairConditioningSetPropertiesAndCombine": (
        {**PAIRED, "positive_NEW": at("box"), "negative_NEW": at("neg")},
        "a cat\n\na box",
    ),
    "PairConditioningSetDefaultCombine": (
        {**PAIRED, "positive_DEFAULT": at("box"), "negative_DEFAULT": at("neg")},
        "a cat\n\na box",
    ),
    "PairConditioningCombine": (
        {"positive_A": at("pos"), "negative_A": at("neg"), "positive_B": at("box"), "negative_B": at("neg")},
        "a cat\n\na box",
    ),
    "ConditioningStableAudio": ({**PAIRED, "seconds_start": 0.0}, "a cat"),
    "HiDreamO1ReferenceImages": (PAIRED, "a cat"),
    "Trellis2ShapeStage": (PAIRED, "a cat"),
    "WanPhantomSubjectToVideo": ({**PAIRED, **VIDEO}, "a cat"),
}


@pytest.mark.parametrize(("class_type", "case"), PAIRS.items(), ids=PAIRS.keys())
def test_pairs_of_conditionings(class_type: str, case: tuple[Prompt, str]) -> None:
    """Each slot of a pair has its own texts."""
    check(texts_through(class_type, case[0]), {"positive": case[1], "negative": "blurry"})


@pytest.mark.parametrize(
    ("class_type", "slots"),
    [
        ("Hunyuan3Dv2Conditioning", (0, 1)),
        ("Hunyuan3Dv2ConditioningMultiView", (0, 1)),
        ("LotusConditioning", (0, 0)),
        ("Pixal3DConditioning", (0, 1)),
        ("SVD_img2vid_Conditioning", (0, 1)),
        ("SV3D_Conditioning", (0, 1)),
        ("SeedVR2Conditioning", (0, 1)),
        ("StableZero123_Conditioning", (0, 1)),
        ("StableZero123_Conditioning_Batched", (0, 1)),
        ("Trellis2Conditioning", (0, 1)),
        ("TripoSplatConditioning", (0, 1)),
    ],
)
def test_conditionings_without_a_text(class_type: str, slots: tuple[int, int]) -> None:
    """What is made of an image alone has no text, which is not the same as one that is not known."""
    check(
        texts_through(class_type, {"model": at("ckpt"), **SIZED}, *slots),
        {"positive": None, "negative": None},
    )


def test_texts_for_sound() -> None:
    """Tags and lyrics are texts; the encoder's own seed and guidance are options, and never the sampler's."""
    encoder = node(
        "TextEncodeAceStepAudio1.5",
        clip=at("ckpt", 1),
        tags="jazz",
        lyrics="la la",
        seed=5,
        bpm=120,
        cfg_scale=2.0,
    )
    prompt = base(
        pos=encoder, empty=node("EmptyAceStep1.5LatentAudio", seconds=30.0, batch_size=2), s=ksampler()
    )
    check(
        prompt,
        {
            "positive": "jazz\n\nla la",
            "seed": 42,
            "cfg": 7.5,
            "batch_size": 2,
            **EMPTY_SIZE,
            "options": {"bpm": 120, "encoder_seed": 5, "encoder_cfg": 2.0, "seconds": 30.0},
        },
    )


@pytest.mark.parametrize(
    ("class_type", "inputs"),
    [
        ("TextEncodeAceStepAudio", {"tags": "jazz", "lyrics": "la la"}),
        ("MiniMaxMusic3TextEncode", {"caption": "jazz", "lyrics": "la la"}),
        ("CLIPTextEncodeSDXL", {"text_g": "jazz", "text_l": "la la"}),
    ],
)
def test_encoders_with_two_texts(class_type: str, inputs: Prompt) -> None:
    """Both texts of an encoder are the conditioning's."""
    check(
        base(pos=node(class_type, clip=at("ckpt", 1), **inputs), s=ksampler()), {"positive": "jazz\n\nla la"}
    )


@pytest.mark.parametrize("class_type", ["TextEncodeJoyImageEdit", "TextEncodeQwenImageEdit"])
def test_encoders_with_a_prompt(class_type: str) -> None:
    """An encoder's prompt is the text."""
    check(base(pos=node(class_type, clip=at("ckpt", 1), prompt="a dog"), s=ksampler()), {"positive": "a dog"})


def test_guidance_that_is_switched_off() -> None:
    """FluxDisableGuidance takes the guidance away again."""
    chain = {
        "g": node("FluxGuidance", conditioning=at("pos"), guidance=3.5),
        "off": node("FluxDisableGuidance", conditioning=at("g")),
    }
    check(base(**chain, s=ksampler(positive=at("off"))), {"guidance": None, "positive": "a cat"})


# latents

PIXELS = {"image": node("EmptyImage", width=832, height=480, batch_size=3, color=0)}
LATENTS: dict[str, tuple[Prompt, int]] = {
    **dict.fromkeys(
        (
            "EmptyARVideoLatent",
            "EmptyChromaRadianceLatentImage",
            "EmptyHiDreamO1LatentImage",
            "EmptyHunyuanVideo15Latent",
            "EmptyQwenImageLayeredLatentImage",
            "VOIDWarpedNoise",
            "CosmosImageToVideoLatent",
            "CosmosPredict2ImageToVideoLatent",
            "Wan22ImageToVideoLatent",
        ),
        (VIDEO, 0),
    ),
    **{
        name: ({**PAIRED, **VIDEO}, 2)
        for name in (
            "BerniniConditioning",
            "HunyuanVideo15ImageToVideo",
            "Kandinsky5ImageToVideo",
            "LTXVImgToVideo",
            "VOIDInpaintConditioning",
            "WanAnimate2ToVideo",
            "WanAnimateToVideo",
            "WanCameraImageToVideo",
            "WanFirstLastFrameToVideo",
            "WanFunControlToVideo",
            "WanFunInpaintToVideo",
            "WanHuMoImageToVideo",
            "WanImageToVideo",
            "WanMoveTrackToVideo",
            "WanSCAILToVideo",
            "WanSoundImageToVideo",
            "WanTrackToVideo",
            "WanVaceToVideo",
            "Wan22FunControlToVideo",
            "SomeImageToVideoWithoutARow",
        )
    },
    "ARVideoI2V": ({**VIDEO, "model": at("ckpt")}, 1),
    "HunyuanImageToVideo": ({**VIDEO, "positive": at("pos")}, 1),
    "InstructPixToPixConditioning": ({**PAIRED, "pixels": at("image")}, 2),
    "SD_4XUpscale_Conditioning": ({**PAIRED, "images": at("small"), "scale_ratio": 2.0}, 2),
    "StableCascade_EmptyLatentImage": (SIZED, 1),
    "StableCascade_StageC_VAEEncode": ({"image": at("image")}, 1),
    "StableZero123_Conditioning": (SIZED, 2),
    "StableZero123_Conditioning_Batched": (SIZED, 2),
    "SVD_img2vid_Conditioning": ({"width": 832, "height": 480, "video_frames": 3}, 2),
    "SV3D_Conditioning": ({"width": 832, "height": 480, "video_frames": 3}, 2),
    "TextEncodeMageFlowEdit": ({**BOTH, **SIZED}, 2),
    "WanPhantomSubjectToVideo": ({**PAIRED, **VIDEO}, 3),
    # a latent that is connected
    **{
        name: ({"samples": at("e")}, 0)
        for name in (
            "LatentApplyOperation",
            "LatentFlip",
            "LatentMultiply",
            "SaveLatent",
            "TrimVideoLatent",
        )
    },
    "BatchLatentsNode": ({"latents.latent0": at("two"), "latents.latent1": at("one")}, 0),
    "HunyuanRefinerLatent": ({**PAIRED, "latent": at("e")}, 2),
    "HunyuanVideo15LatentUpscaleWithModel": ({"samples": at("three"), "width": 832, "height": 480}, 0),
    "HunyuanVideo15SuperResolution": ({**PAIRED, "latent": at("e")}, 2),
    "LTXVAddGuide": ({**PAIRED, "latent": at("e")}, 2),
    "LTXVConcatAVLatent": ({"video_latent": at("e"), "audio_latent": at("sound")}, 0),
    "LTXVCropGuides": ({**PAIRED, "latent": at("e")}, 2),
    "LTXVImgToVideoInplace": ({"latent": at("e"), "strength": 1.0}, 0),
    "LTXVSeparateAVLatent": ({"av_latent": at("e")}, 0),
    "LatentCompositeMasked": ({"destination": at("e"), "source": at("two")}, 0),
    "LatentConcat": ({"samples1": at("e"), "samples2": at("e"), "dim": "t"}, 0),
    "LatentCut": ({"samples": at("e"), "dim": "t", "amount": 1}, 0),
    "LatentRotate": ({"samples": at("upright"), "rotation": "90 degrees"}, 0),
    "NormalizeVideoLatentStart": ({"latent": at("e")}, 0),
    "ReplaceVideoLatentFrames": ({"destination": at("e"), "source": at("two")}, 0),
    "SeedVR2TemporalChunk": ({"latent": at("e")}, 0),
    "WanSoundImageToVideoExtend": ({**PAIRED, "video_latent": at("e")}, 2),
}
OTHERS: Prompt = PIXELS | {
    "e": node("EmptyLatentImage", **SIZED),
    "one": node("EmptyLatentImage", width=832, height=480, batch_size=1),
    "two": node("EmptyLatentImage", width=832, height=480, batch_size=2),
    "three": node("EmptyLatentImage", width=64, height=64, batch_size=3),
    "upright": node("EmptyLatentImage", width=480, height=832, batch_size=3),
    "small": node("EmptyImage", width=416, height=240, batch_size=3, color=0),
    "sound": node("LTXVEmptyLatentAudio", frames_number=81, frame_rate=25, batch_size=1),
}


@pytest.mark.parametrize(("class_type", "case"), LATENTS.items(), ids=LATENTS.keys())
def test_latents_have_a_size(class_type: str, case: tuple[Prompt, int]) -> None:
    """The width, the height and the batch of every latent are those of the class's code."""
    inputs, slot = case
    check(base(**OTHERS, n=node(class_type, **inputs), s=ksampler(latent_image=at("n", slot))), SIZED)


ONE_AT_A_TIME = {"width": 832, "height": 480, "length": 81}


@pytest.mark.parametrize(
    ("class_type", "inputs", "slot"),
    [
        ("EmptyMiniMaxH3LatentAV", ONE_AT_A_TIME, 0),
        ("MiniMaxH3ImageToVideo", ONE_AT_A_TIME, 1),
        ("MiniMaxH3ReferenceToVideo", ONE_AT_A_TIME, 1),
        ("WanDancerVideo", {**PAIRED, **ONE_AT_A_TIME}, 2),
        ("WanInfiniteTalkToVideo", {**PAIRED, **ONE_AT_A_TIME}, 3),
    ],
)
def test_latents_without_a_batch(class_type: str, inputs: Prompt, slot: int) -> None:
    """A class without a batch_size makes one."""
    expected = {"width": 832, "height": 480, "batch_size": 1}
    check(base(n=node(class_type, **inputs), s=ksampler(latent_image=at("n", slot))), expected)


NO_PICTURE: dict[str, Prompt] = {
    **{
        key: {"seconds": 30.0, "batch_size": 3}
        for key in ("EmptyLatentAudio", "EmptyAceStepLatentAudio", "EmptyMiniMaxMusic3LatentAudio")
    },
    "LTXVEmptyLatentAudio": {"frames_number": 81, "batch_size": 3},
    "EmptyLatentHunyuan3Dv2": {"resolution": 3072, "batch_size": 3},
    "EmptyTrellis2LatentStructure": {"batch_size": 3},
}


@pytest.mark.parametrize(("class_type", "inputs"), NO_PICTURE.items(), ids=NO_PICTURE.keys())
def test_sound_and_space_have_no_width(class_type: str, inputs: Prompt) -> None:
    """A latent that becomes no picture has no width; that is not a gap."""
    prompt = base(n=node(class_type, **inputs), s=ksampler(latent_image=at("n")))
    check(prompt, {**EMPTY_SIZE, "batch_size": 3})


OPEN_SIZE: dict[str, tuple[str, Prompt]] = {
    "width: 0": ("EmptyLatentImage", {"width": 0, "height": 0, "batch_size": 3}),
    "of an image": ("TextEncodeMageFlowEdit", {**BOTH, "width": 0, "height": 0, "batch_size": 3}),
    "only an aspect": ("EmptyLatentByAspect", {"aspect_ratio": "16:9", "megapixels": 1.0, "batch_size": 3}),
    "an aspect may win": (
        "EmptyLatentByAspect",
        {"width": 1024, "height": 1024, "aspect_ratio": "16:9", "batch_size": 3},
    ),
    "swapped": ("SizePicker", {"width": 1024, "height": 512, "swap_dimensions": "On", "batch_size": 3}),
    "no row, width: 0": ("AnyLatent", {"width": 0, "height": 0, "batch_size": 3}),
    "from a file": ("LoadLatent", {"latent": "a.latent"}),
    "cut at the side": ("LatentCut", {"samples": at("e"), "dim": "x", "amount": 8}),
    "joined at the side": ("LatentConcat", {"samples1": at("e"), "samples2": at("e"), "dim": "-x"}),
    "an upscaling model": ("LTXVLatentUpsampler", {"samples": at("e"), "upscale_model": at("e")}),
    "a super-resolution": ("StableCascade_SuperResolutionControlnet", {"image": at("image")}),
}


@pytest.mark.parametrize(("class_type", "inputs"), OPEN_SIZE.values(), ids=OPEN_SIZE.keys())
def test_sizes_that_are_only_known_at_run_time(class_type: str, inputs: Prompt) -> None:
    """A size that is not in the graph is left open, and is never guessed; 0 is no size."""
    slot = 2 if "negative_prompt" in inputs else 1 if "image" in inputs else 0
    found = read(base(**OTHERS, n=node(class_type, **inputs), s=ksampler(latent_image=at("n", slot))))
    assert (found.width, found.height) == (None, None)
    assert {"width", "height"} <= set(found.unresolved)


def test_the_size_of_an_image() -> None:
    """GetImageSize returns the size of what is connected, through nodes that keep it."""
    measured = {
        "sharp": node("ImageSharpen", image=at("image")),
        "inverted": node("ImageInvert", image=at("sharp")),
        "saved": node("SaveImage", images=at("inverted"), filename_prefix="x"),
        "shown": node("PreviewImage", images=at("saved")),
        "some": node("ImageFromBatch", image=at("shown"), batch_index=0, length=81),
        "more": node("RepeatImageBatch", image=at("some"), amount=2),
        "size": node("GetImageSize", image=at("more")),
        "n": node("EmptyLatentImage", width=at("size"), height=at("size", 1), batch_size=3),
    }
    check(base(**PIXELS, **measured, s=ksampler(latent_image=at("n"))), SIZED)


def test_the_number_of_decoded_images_is_open() -> None:
    """A video is one latent and many images: their number is not the batch of its sampler."""
    video = {
        "v": node("EmptyHunyuanLatentVideo", width=832, height=480, length=81, batch_size=1),
        "first": ksampler(latent_image=at("v")),
        "images": node("VAEDecode", samples=at("first"), vae=at("ckpt", 2)),
        "size": node("GetImageSize", image=at("images")),
        "n": node("EmptyHunyuanLatentVideo", width=832, height=480, length=at("size", 2), batch_size=1),
    }
    found = read(base(**video, s=ksampler(latent_image=at("n"))))
    assert (found.options, found.unresolved) == ({"length": None}, ("length",))


RESIZED: dict[str, tuple[Prompt, Fields]] = {
    "ResizeAndPadImage": ({"image": at("small"), "target_width": 832, "target_height": 480}, {}),
    "ResizeImageMaskNode": (
        {"input": at("small"), "resize_type.width": 832, "resize_type.height": at("height")},
        {},
    ),
    "ImagePadForOutpaint": (
        {"image": at("small"), "left": 400, "right": 16, "top": 240, "bottom": 0, "feathering": 8},
        {},
    ),
    **{
        name: ({"image": at("small")}, {**EMPTY_SIZE, "unresolved": ("width", "height")})
        for name in (
            "FluxKontextImageScale",
            "ImageScaleToMaxDimension",
            "ImageScaleToTotalPixels",
            "ImageUpscaleWithModel",
        )
    },
}


@pytest.mark.parametrize(("class_type", "case"), RESIZED.items(), ids=RESIZED.keys())
def test_resized_images(class_type: str, case: tuple[Prompt, Fields]) -> None:
    """An image that is resized has the size given, or an open one, and as many images as before."""
    inputs, expected = case
    resized = {
        "height": node("PrimitiveInt", value=480),
        "n": node(class_type, **inputs),
        "encoded": node("VAEEncode", pixels=at("n"), vae=at("ckpt", 2)),
    }
    check(base(**OTHERS, **resized, s=ksampler(latent_image=at("encoded"))), SIZED | expected)


@pytest.mark.parametrize(
    ("resize_type", "unresolved"),
    [
        ({"width": 0, "height": 480}, ("width",)),
        ({"width": 832}, ("height",)),
        ({"multiplier": 2.0}, ("width", "height")),
    ],
)
def test_a_size_that_keeps_the_proportions(resize_type: Prompt, unresolved: tuple[str, ...]) -> None:
    """What ResizeImageMaskNode works out from the image is open."""
    inputs = {f"resize_type.{name}": value for name, value in resize_type.items()}
    encoded = node("VAEEncode", pixels=at("n"), vae=at("ckpt", 2))
    resized = node("ResizeImageMaskNode", input=at("small"), **inputs)
    found = read(base(**OTHERS, n=resized, encoded=encoded, s=ksampler(latent_image=at("encoded"))))
    assert found.unresolved == unresolved


def test_the_size_of_a_camera() -> None:
    """WanCameraEmbedding hands on the size and length that it is given."""
    sizes = {name: at("camera", slot) for slot, name in enumerate(("width", "height", "length"), 1)}
    prompt = base(
        camera=node("WanCameraEmbedding", camera_pose="Static", width=832, height=480, length=81),
        n=node("WanCameraImageToVideo", **PAIRED, **sizes, camera_conditions=at("camera"), batch_size=3),
        s=ksampler(latent_image=at("n", 2)),
    )
    check(prompt, {**SIZED, "options": {"length": 81}})


@pytest.mark.parametrize(("slot", "text"), [(0, "a dog"), (1, None)])
def test_a_text_that_is_chosen(slot: int, text: str | None) -> None:
    """CustomCombo returns the choice, and its number, which is no text."""
    chosen = node("CustomCombo", choice="a dog", index=1, option1="a cat", option2="a dog")
    pos = node("CLIPTextEncode", text=at("chosen", slot), clip=at("ckpt", 1))
    unresolved = () if text else ("positive",)
    check(base(chosen=chosen, pos=pos, s=ksampler()), {"positive": text, "unresolved": unresolved})


def test_a_text_that_is_shown() -> None:
    """PreviewAny passes a text on."""
    shown = {"text": node("PrimitiveString", value="a dog"), "shown": node("PreviewAny", source=at("text"))}
    pos = node("CLIPTextEncode", text=at("shown"), clip=at("ckpt", 1))
    check(base(**shown, pos=pos, s=ksampler()), {"positive": "a dog"})


def test_a_duration_is_no_ratio() -> None:
    """Words are compared, not parts of them: a duration leaves the size alone."""
    empty = node("AnyVideoLatent", **SIZED, duration=3, configuration="x")
    check(base(n=empty, s=ksampler(latent_image=at("n"))), SIZED)


# models

PATCHES = [
    "APG",
    "CFGNorm",
    "CFGZeroStar",
    "ContextWindowsManual",
    "DifferentialDiffusion",
    "EasyCache",
    "Epsilon Scaling",
    "FreeU_V2",
    "HyperTile",
    "LTXVSpatioTemporalGuidance",
    "NAGuidance",
    "PerpNeg",
    "PerturbedAttentionGuidance",
    "SelectModelDevice",
    "SelfAttentionGuidance",
    "SkipLayerGuidanceDiT",
    "TorchCompileModel",
    "VideoLinearCFGGuidance",
    "wanBlockSwap",
    "APatchWithoutARow",
]


@pytest.mark.parametrize("class_type", PATCHES)
def test_a_patched_model_keeps_its_name(class_type: str) -> None:
    """A patch changes neither the model's name nor any setting of the sampler."""
    patch = node(class_type, model=at("ckpt"), scale=3.0, cfg=1.0, eta=0.0, steps=3)
    expected = {"model_name": "sd15.safetensors", "cfg": 7.5, "steps": 20, "options": {}}
    check(base(n=patch, s=ksampler(model=at("n"))), expected)


@pytest.mark.parametrize(
    ("class_type", "slot"), [("LTXVReferenceAudio", 0), ("WanInfiniteTalkToVideo", 0), ("ARVideoI2V", 0)]
)
def test_a_model_beside_other_outputs(class_type: str, slot: int) -> None:
    """A class that returns a model among other things passes its name on."""
    n = node(class_type, model=at("ckpt"), **PAIRED, **VIDEO)
    check(base(n=n, s=ksampler(model=at("n", slot))), {"model_name": "sd15.safetensors"})


LOADED: dict[str, Prompt] = {
    name: {name: "flux.gguf"}
    for name in (
        "model_path",
        "gguf_name",
        "unet_name",
        "ckpt_name",
        "model_name",
        "dit_name",
        "model",
        "checkpoint",
    )
}


@pytest.mark.parametrize("inputs", LOADED.values(), ids=LOADED.keys())
def test_loaders_without_a_row(inputs: Prompt) -> None:
    """The file of a loader without a row is found by the usual names of such an input."""
    check(base(n=node("ALoader", **inputs), s=ksampler(model=at("n"))), {"model_name": "flux.gguf"})


OTHER_MODELS = {name: node("CheckpointLoaderSimple", ckpt_name=f"{name}.safetensors") for name in "bcd"}


@pytest.mark.parametrize(
    "class_type",
    [
        "ModelMergeSimple",
        "ModelMergeBlocks",
        "ModelMergeAdd",
        "ModelMergeSubtract",
        "ModelMergeSD1",
        "ModelMergeSDXL",
        "ModelMergeFlux1",
        "ModelMergeNextYear",
    ],
)
def test_both_models_of_a_merge_are_named(class_type: str) -> None:
    """The first model is the pass's, the second an option."""
    merge = node(class_type, model1=at("ckpt"), model2=at("b"))
    expected = {"model_name": "sd15.safetensors", "options": {"merged_with": "b.safetensors"}}
    check(base(**OTHER_MODELS, n=merge, s=ksampler(model=at("n"))), expected)


def test_a_merge_of_merges_names_all() -> None:
    """Models are named in the order in which they are merged, with the LoRAs of each; settings are the first's."""
    prompt = base(
        **OTHER_MODELS,
        shift=node("ModelSamplingSD3", model=at("b"), shift=9.0),
        lora=node("LoraLoaderModelOnly", model=at("shift"), lora_name="l.safetensors", strength_model=0.5),
        m1=node("ModelMergeSimple", model1=at("ckpt"), model2=at("lora"), ratio=0.5),
        m2=node("ModelMergeAdd", model1=at("c"), model2=at("d")),
        m3=node("ModelMergeSD1", model1=at("m1"), model2=at("m2")),
        s=ksampler(model=at("m3")),
    )
    found = read(prompt)
    assert (found.model_name, found.unresolved) == ("sd15.safetensors", ())
    assert found.loras == (("l.safetensors", 0.5),)
    assert sorted(found.options["merged_with"]) == [f"{name}.safetensors" for name in "bcd"]
    assert "shift" not in found.options


def test_a_merge_with_itself_ends() -> None:
    """Forty merges of a model with itself make 2**40 paths; the model is named once."""
    nodes = {
        f"m{i}": node("ModelMergeAdd", model1=at(f"m{i - 1}"), model2=at(f"m{i - 1}")) for i in range(1, 41)
    }
    nodes["m1"] = node("ModelMergeAdd", model1=at("ckpt"), model2=at("ckpt"))
    found = read(base(**nodes, s=ksampler(model=at("m40"))))
    assert found.options["merged_with"] == "sd15.safetensors"


def test_a_merge_of_text_encoders_names_both() -> None:
    """The files of both text encoders are named."""
    prompt = base(
        c1=node("CLIPLoader", clip_name="l.safetensors"),
        c2=node("CLIPLoader", clip_name="g.safetensors"),
        merge=node("CLIPMergeSimple", clip1=at("c1"), clip2=at("c2"), ratio=0.5),
        pos=node("CLIPTextEncode", text="a cat", clip=at("merge")),
        s=ksampler(),
    )
    check(prompt, {"clip_names": ("l.safetensors", "g.safetensors")})


@pytest.mark.parametrize("class_type", ["CLIPSetLastLayer", "CLIPAttentionMultiply", "T5TokenizerOptions"])
def test_a_changed_text_encoder_keeps_its_name(class_type: str) -> None:
    """A patch of a text encoder keeps its file's name."""
    clip = {"c1": node("CLIPLoader", clip_name="l.safetensors"), "c2": node(class_type, clip=at("c1"))}
    pos = node("CLIPTextEncode", text="a cat", clip=at("c2"))
    check(base(**clip, pos=pos, s=ksampler()), {"clip_names": ("l.safetensors",)})


def test_the_text_encoder_of_video_with_sound() -> None:
    """LTXAVTextEncoderLoader reads two files."""
    loader = node("LTXAVTextEncoderLoader", text_encoder="gemma.safetensors", ckpt_name="ltx.safetensors")
    pos = node("CLIPTextEncode", text="a cat", clip=at("t"))
    check(base(t=loader, pos=pos, s=ksampler()), {"clip_names": ("gemma.safetensors", "ltx.safetensors")})


# hooks

HOOK_LORA = node("CreateHookLora", lora_name="h.safetensors", strength_model=0.7, strength_clip=1.0)
HOOKED = (("h.safetensors", 0.7),)


@pytest.mark.parametrize(
    ("class_type", "name"),
    [
        ("CreateHookLora", "lora_name"),
        ("CreateHookLoraModelOnly", "lora_name"),
        ("CreateHookModelAsLora", "ckpt_name"),
        ("CreateHookModelAsLoraModelOnly", "ckpt_name"),
    ],
)
def test_hooks_on_a_pair(class_type: str, name: str) -> None:
    """The LoRA of a hook is listed once, though both conditionings have it."""
    prompt = texts_through(
        "PairConditioningSetProperties",
        {"positive_NEW": at("pos"), "negative_NEW": at("neg"), "hooks": at("hook")},
    )
    prompt["hook"] = node(class_type, **{name: "h.safetensors"}, strength_model=0.7)
    check(prompt, {"positive": "a cat", "negative": "blurry", "loras": HOOKED})


def test_hooks_on_a_text_encoder() -> None:
    """SetClipHooks gives the hook to the texts that are encoded with it."""
    prompt = base(
        hook=HOOK_LORA,
        clip=node("SetClipHooks", clip=at("ckpt", 1), hooks=at("hook")),
        pos=node("CLIPTextEncode", text="a cat", clip=at("clip")),
        s=ksampler(),
    )
    check(prompt, {"positive": "a cat", "loras": HOOKED})


def test_hooks_in_a_chain() -> None:
    """Combined and chained hooks are all listed, after the LoRAs of the model; keyframes are an option."""
    prompt = base(
        hook=HOOK_LORA,
        second=node(
            "CreateHookLoraModelOnly", lora_name="i.safetensors", strength_model=0.2, prev_hooks=at("hook")
        ),
        other=node("CreateHookLora", lora_name="j.safetensors", strength_model=0.1),
        both=node("CombineHooks2", hooks_A=at("second"), hooks_B=at("other")),
        frames=node("SetHookKeyframes", hooks=at("both")),
        own=node("LoraLoaderModelOnly", model=at("ckpt"), lora_name="m.safetensors", strength_model=1.0),
        set=node("ConditioningSetProperties", cond_NEW=at("pos"), hooks=at("frames")),
        s=ksampler(model=at("own"), positive=at("set")),
    )
    loras = (("m.safetensors", 1.0), *HOOKED, ("i.safetensors", 0.2), ("j.safetensors", 0.1))
    check(prompt, {"loras": loras, "options": {"hook_keyframes": True}})


def test_a_hook_without_a_row_leaves_the_loras_open() -> None:
    """A hook of a class that is not known may hold any LoRA."""
    prompt = base(
        hook=node("AHook", value=1),
        set=node("ConditioningSetProperties", cond_NEW=at("pos"), hooks=at("hook")),
        s=ksampler(positive=at("set")),
    )
    assert "loras" in read(prompt).unresolved


# LoRAs of classes without a row

GUESSED_LORAS: dict[str, tuple[Prompt, tuple[tuple[str, float | None], ...], tuple[str, ...]]] = {
    "name and strength": (
        {"lora_name": "l.safetensors", "strength_model": 0.5},
        (("l.safetensors", 0.5),),
        (),
    ),
    "by number": (
        {"lora_1": "l.safetensors", "strength_1": 0.5, "lora_2": "m.safetensors", "strength_2": 0.2},
        (("l.safetensors", 0.5), ("m.safetensors", 0.2)),
        (),
    ),
    "none chosen": ({"lora_name": "None", "strength_model": 0.5}, (), ()),
    "strength by another name": (
        {"lora_name": "l.safetensors", "power": 0.5},
        (("l.safetensors", None),),
        ("loras",),
    ),
    "may be off": (
        {"lora_name": "l.safetensors", "strength_model": 0.5, "toggle": False},
        (("l.safetensors", None),),
        ("loras",),
    ),
    "a value": (
        {"row": {"on": True, "lora": "l.safetensors", "strength": 0.5}},
        (("l.safetensors", 0.5),),
        (),
    ),
    "a list": ({"loras": [["l.safetensors", 0.5]]}, (), ("loras",)),
    "a stack": ({"lora_stack": at("stack")}, (), ("loras",)),
}


@pytest.mark.parametrize(("inputs", "loras", "unresolved"), GUESSED_LORAS.values(), ids=GUESSED_LORAS.keys())
def test_loras_without_a_row(
    inputs: Prompt, loras: tuple[tuple[str, float | None], ...], unresolved: tuple[str, ...]
) -> None:
    """A loader that is not in the tables never loses a LoRA silently: it is listed, or the field is open."""
    loader = node("ALoraLoader", model=at("ckpt"), **inputs)
    prompt = base(stack=node("AStack", x=1), n=loader, s=ksampler(model=at("n")))
    check(prompt, {"model_name": "sd15.safetensors", "loras": loras, "unresolved": unresolved})


# decoders


@pytest.mark.parametrize(
    ("class_type", "name"),
    [
        ("VAEDecode", "vae"),
        ("VAEDecodeTiled", "vae"),
        ("VAEDecodeAudio", "vae"),
        ("VAEDecodeAudioTiled", "vae"),
        ("LTXVAudioVAEDecode", "audio_vae"),
        ("VAEDecodeHunyuan3D", "vae"),
        ("VAEDecodeTripoSplat", "vae"),
        ("VaeDecodeShapeTrellis", "vae"),
        ("VaeDecodeStructureTrellis2", "vae"),
        ("VaeDecodeTextureTrellis", "vae"),
    ],
)
def test_the_vae_of_every_decoder(class_type: str, name: str) -> None:
    """The VAE is that of the node which decodes the sampler's latent."""
    vae = node("VAELoader", vae_name="v.safetensors")
    decode = node(class_type, samples=at("s"), **{name: at("v")})
    [found] = sampler_passes(base(v=vae, decode=decode, s=ksampler()), "save")
    assert found.vae_name == "v.safetensors"


@pytest.mark.parametrize("first", ["video", "sound"])
def test_the_vae_of_video_with_sound(first: str) -> None:
    """Of a latent with both, the picture's VAE counts, whichever is decoded first."""
    decoders = {
        "video": node("VAEDecode", samples=at("parts"), vae=at("v")),
        "sound": node("LTXVAudioVAEDecode", samples=at("parts", 1), audio_vae=at("a")),
    }
    prompt = base(
        v=node("VAELoader", vae_name="video.safetensors"),
        a=node("LTXVAudioVAELoader", ckpt_name="sound.safetensors"),
        parts=node("LTXVSeparateAVLatent", av_latent=at("s")),
        s=ksampler(),
        **dict(sorted(decoders.items(), key=lambda entry: entry[0] != first)),
        save=node("SaveVideo", images=at("video"), audio=at("sound")),
    )
    [found] = sampler_passes(prompt, "save")
    assert found.vae_name == "video.safetensors"


def test_the_vae_after_an_upscale() -> None:
    """A latent that is scaled, and then decoded, is decoded with that VAE too."""
    prompt = base(
        v=node("VAELoader", vae_name="v.safetensors"),
        up=node("LatentUpscaleBy", samples=at("s"), scale_by=2.0),
        decode=node("VAEDecode", samples=at("up"), vae=at("v")),
        s=ksampler(),
    )
    assert sampler_passes(prompt, "save")[0].vae_name == "v.safetensors"


def test_the_vae_of_what_is_sampled_again() -> None:
    """A latent that goes through several samplers is decoded once, by a VAE that counts for each of them."""
    prompt = base(
        v=node("VAELoader", vae_name="v.safetensors"),
        first=ksampler(),
        up=node("LatentUpscaleBy", samples=at("first"), scale_by=2.0),
        second=ksampler(latent_image=at("up")),
        s=ksampler(latent_image=at("second")),
        decode=node("VAEDecode", samples=at("s"), vae=at("v")),
    )
    assert [each.vae_name for each in sampler_passes(prompt, "save")] == ["v.safetensors"] * 3


def test_the_vae_of_an_image_that_is_sampled_again() -> None:
    """Images between two samplers end the first one's latent."""
    prompt = base(
        v=node("VAELoader", vae_name="v.safetensors"),
        first=ksampler(),
        images=node("VAEDecode", samples=at("first"), vae=at("ckpt", 2)),
        encoded=node("VAEEncode", pixels=at("images"), vae=at("v")),
        s=ksampler(latent_image=at("encoded")),
        decode=node("VAEDecode", samples=at("s"), vae=at("v")),
    )
    assert [each.vae_name for each in sampler_passes(prompt, "save")] == [None, "v.safetensors"]


def test_the_vae_of_a_splat_is_its_decoder() -> None:
    """The VAE that encodes the picture for a conditioning is not the latent's."""
    paired = {"positive": at("n"), "negative": at("n", 1), "latent_image": at("n", 2)}
    prompt = base(
        v=node("VAELoader", vae_name="splat.safetensors"),
        picture=node("VAELoader", vae_name="picture.safetensors"),
        n=node("TripoSplatConditioning", vae=at("picture"), image=at("image"), clip_vision=at("ckpt", 1)),
        s=ksampler(**paired),
        decode=node("VAEDecodeTripoSplat", samples=at("s"), vae=at("v")),
    )
    assert sampler_passes(PIXELS | prompt, "save")[0].vae_name == "splat.safetensors"


# Wan's sampler, and samplers without a row, have a first and a last step of their own


@pytest.mark.parametrize("class_type", ["WanVideoSampler", "ASamplerWithoutARow"])
@pytest.mark.parametrize(
    ("given", "expected"), [((0, -1), (0, None)), ((3, 7), (3, 7)), ((3, -1), (3, None))]
)
def test_first_and_last_step(
    class_type: str, given: tuple[int, int], expected: tuple[int, int | None]
) -> None:
    """-1 is a run to the end, and not a pass without steps."""
    sampler = node(class_type, model=at("ckpt"), seed=1, steps=9, start_step=given[0], end_step=given[1])
    found = read(base(s=sampler))
    assert (found.start_step, found.end_step, found.steps, found.is_idle) == (*expected, 9, False)


def test_void_sampler_and_noise() -> None:
    """VOID's sampler has a name, and its noise is not drawn from a seed."""
    parts = custom_parts() | {
        "sampler": node("VOIDSampler"),
        "warped": node("VOIDWarpedNoise", **VIDEO),
        "noise": node("VOIDWarpedNoiseSource", warped_noise=at("warped")),
    }
    expected = {"sampler_name": "void_ddim", "seed": None, "noise_from": "noise"}
    check(base(**parts, s=custom_advanced()), expected)


def test_sigmas_of_a_class_without_a_row_are_open() -> None:
    """A class that takes sigmas may cut, stretch or flip them: the steps are then only known at run time."""
    parts = custom_parts() | {
        "cut": node("SplitSigmas", sigmas=at("sigmas"), step=5),
        "bend": node("BendSigmas", sigmas=at("cut", 1), factor=0.9),
    }
    found = read(base(**parts, s=custom_advanced(sigmas=at("bend"))))
    assert (found.steps, found.start_step, found.end_step, found.scheduler) == (None, None, None, "karras")
    assert {"steps", "start_step", "end_step", "denoise"} <= set(found.unresolved)


def test_option_files() -> None:
    """A style model, a model patch and a hypernetwork are named."""
    prompt = base(
        style=node("StyleModelLoader", style_model_name="style.safetensors"),
        patch=node("ModelPatchLoader", name="patch.safetensors"),
        styled=node("StyleModelApply", conditioning=at("pos"), style_model=at("style")),
        hyper=node("HypernetworkLoader", model=at("ckpt"), hypernetwork_name="h.pt", strength=1.0),
        patched=node("ZImageFunControlnet", model=at("hyper"), model_patch=at("patch")),
        s=ksampler(model=at("patched"), positive=at("styled")),
    )
    files = {"hypernetwork": "h.pt", "model_patch": "patch.safetensors", "style_model": "style.safetensors"}
    check(prompt, {"options": files, "positive": "a cat", "model_name": "sd15.safetensors"})

"""Prompt graphs in API form, each with the passes that were read from it by hand.

An expected pass names the fields that matter in its case; ``node_id`` and ``unresolved`` are always compared, and
``unresolved`` is empty unless given. Class and input names are those of ComfyUI and of the packs in the headings.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Prompt = dict[str, Any]


class Case(NamedTuple):
    """A graph, the node to search upstream from (None: the whole prompt), and the expected passes."""

    prompt: Prompt
    expected: list[dict[str, Any]]
    target: str | None = "save"


def node(class_type: str, /, **inputs: Any) -> dict[str, Any]:
    """Return one entry of a prompt."""
    return {"class_type": class_type, "inputs": inputs}


def at(node_id: str, slot: int = 0) -> list[Any]:
    """Return a link."""
    return [node_id, slot]


SETTINGS = {"steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "karras"}
WIRED = {"model": at("ckpt"), "positive": at("pos"), "negative": at("neg"), "latent_image": at("empty")}


def base(**more: Any) -> Prompt:
    """Return a checkpoint, two prompts, an empty latent, a decoder of node ``s`` and a save node."""
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name="sd15.safetensors"),
        "pos": node("CLIPTextEncode", text="a cat", clip=at("ckpt", 1)),
        "neg": node("CLIPTextEncode", text="blurry", clip=at("ckpt", 1)),
        "empty": node("EmptyLatentImage", width=512, height=768, batch_size=2),
        "decode": node("VAEDecode", samples=at("s"), vae=at("ckpt", 2)),
        "save": node("SaveImage", images=at("decode"), filename_prefix="x"),
    } | more


def ksampler(**changed: Any) -> dict[str, Any]:
    """Return a KSampler with seed 42, connected to ``base``."""
    return node("KSampler", **{**WIRED, "seed": 42, **SETTINGS, "denoise": 1.0, **changed})


def advanced(**changed: Any) -> dict[str, Any]:
    """Return a KSamplerAdvanced with seed 42 and all of 20 steps, connected to ``base``."""
    inputs = {
        **WIRED,
        "noise_seed": 42,
        **SETTINGS,
        "add_noise": "enable",
        "start_at_step": 0,
        "end_at_step": 10000,
        "return_with_leftover_noise": "disable",
        **changed,
    }
    return node("KSamplerAdvanced", **inputs)


def custom_advanced(**changed: Any) -> dict[str, Any]:
    """Return a SamplerCustomAdvanced connected to nodes noise, guider, sampler, sigmas."""
    links = {name: at(name) for name in ("noise", "guider", "sampler", "sigmas")}
    return node("SamplerCustomAdvanced", **{**links, "latent_image": at("empty"), **changed})


def custom_parts() -> Prompt:
    """Return the nodes of ``custom_advanced``: a CFG guider, euler, 20 karras steps."""
    return {
        "noise": node("RandomNoise", noise_seed=42),
        "guider": node("CFGGuider", model=at("ckpt"), positive=at("pos"), negative=at("neg"), cfg=7.5),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=at("ckpt"), scheduler="karras", steps=20, denoise=1.0),
    }


PLAIN: dict[str, Any] = {
    "node_id": "s",
    "seed": 42,
    "steps": 20,
    "cfg": 7.5,
    "sampler_name": "euler",
    "scheduler": "karras",
    "positive": "a cat",
    "negative": "blurry",
    "model_name": "sd15.safetensors",
    "width": 512,
    "height": 768,
    "batch_size": 2,
    "noise_from": "s",
    "add_noise": True,
}
"""The pass of every sampler connected to ``base`` with these settings."""

CORE: dict[str, Case] = {
    "txt2img": Case(
        base(s=ksampler()),
        [
            PLAIN
            | {
                "class_type": "KSampler",
                "denoise": 1.0,
                "start_step": None,
                "end_step": None,
                "loras": (),
                "vae_name": None,
                "clip_names": (),
                "guidance": None,
                "options": {},
            }
        ],
    ),
    "own VAE and text encoders": Case(
        base(
            s=ksampler(model=at("unet")),
            unet=node("UNETLoader", unet_name="flux.safetensors", weight_dtype="default"),
            clips=node(
                "DualCLIPLoader", clip_name1="l.safetensors", clip_name2="t5.safetensors", type="flux"
            ),
            pos=node("CLIPTextEncode", text="a cat", clip=at("clips")),
            vae=node("VAELoader", vae_name="ae.safetensors"),
            decode=node("VAEDecode", samples=at("s"), vae=at("vae")),
        ),
        [
            PLAIN
            | {
                "model_name": "flux.safetensors",
                "vae_name": "ae.safetensors",
                "clip_names": ("l.safetensors", "t5.safetensors"),
            }
        ],
    ),
    "GGUF": Case(
        base(s=ksampler(model=at("unet")), unet=node("UnetLoaderGGUF", unet_name="q4.gguf")),
        [PLAIN | {"model_name": "q4.gguf"}],
    ),
    "LoRAs in the order applied": Case(
        base(
            l1=node(
                "LoraLoader",
                model=at("ckpt"),
                clip=at("ckpt", 1),
                lora_name="a.safetensors",
                strength_model=0.8,
                strength_clip=1.0,
            ),
            l2=node("LoraLoaderModelOnly", model=at("l1"), lora_name="b.safetensors", strength_model=at("f")),
            f=node("PrimitiveFloat", value=-0.25),
            s=ksampler(model=at("l2")),
        ),
        [PLAIN | {"loras": (("a.safetensors", 0.8), ("b.safetensors", -0.25))}],
    ),
    "img2img of a loaded image": Case(
        base(
            img=node("LoadImage", image="in.png"),
            enc=node("VAEEncode", pixels=at("img"), vae=at("vae")),
            vae=node("VAELoader", vae_name="ae.safetensors"),
            s=ksampler(latent_image=at("enc"), denoise=0.5),
        ),
        [
            PLAIN
            | {
                "denoise": 0.5,
                "width": None,
                "height": None,
                "batch_size": None,
                "vae_name": "ae.safetensors",
                "unresolved": ("width", "height", "batch_size"),
            }
        ],
    ),
    "inpainting": Case(
        base(
            img=node("EmptyImage", width=640, height=448, batch_size=1, color=0),
            mask=node("LoadImageMask", image="m.png", channel="alpha"),
            cond=node(
                "InpaintModelConditioning",
                positive=at("pos"),
                negative=at("neg"),
                vae=at("ckpt", 2),
                pixels=at("img"),
                mask=at("mask"),
                noise_mask=True,
            ),
            s=ksampler(positive=at("cond"), negative=at("cond", 1), latent_image=at("cond", 2)),
        ),
        [PLAIN | {"width": 640, "height": 448, "batch_size": 1}],
    ),
    "split in two": Case(
        base(
            a=advanced(end_at_step=12, return_with_leftover_noise="enable"),
            s=advanced(noise_seed=7, add_noise="disable", start_at_step=12, latent_image=at("a")),
        ),
        [
            PLAIN
            | {
                "node_id": "a",
                "start_step": 0,
                "end_step": 12,
                "denoise": None,
                "noise_from": "a",
                "options": {"return_with_leftover_noise": "enable"},
            },
            PLAIN | {"seed": 7, "start_step": 12, "end_step": 10000, "add_noise": False, "noise_from": None},
        ],
    ),
    "hires fix": Case(
        base(
            a=ksampler(),
            up=node("LatentUpscaleBy", samples=at("a"), upscale_method="bislerp", scale_by=1.5),
            s=ksampler(seed=43, denoise=0.5, latent_image=at("up")),
        ),
        [
            PLAIN | {"node_id": "a", "noise_from": "a"},
            PLAIN | {"seed": 43, "denoise": 0.5, "width": 768, "height": 1152},
        ],
    ),
    "LatentUpscale to one side, the other in proportion": Case(
        base(
            up=node(
                "LatentUpscale",
                samples=at("empty"),
                upscale_method="area",
                width=1024,
                height=0,
                crop="disabled",
            ),
            s=ksampler(latent_image=at("up")),
        ),
        [PLAIN | {"width": 1024, "height": None, "unresolved": ("height",)}],
    ),
    "an upscale whose rounding only the model knows": Case(
        base(
            up=node("LatentUpscaleBy", samples=at("empty"), upscale_method="area", scale_by=1.1),
            s=ksampler(latent_image=at("up")),
        ),
        [PLAIN | {"width": None, "height": None, "unresolved": ("width", "height")}],
    ),
    "batches": Case(
        base(
            rep=node("RepeatLatentBatch", samples=at("empty"), amount=3),
            cut=node("LatentFromBatch", samples=at("rep"), batch_index=4, length=5),
            s=ksampler(latent_image=at("cut")),
        ),
        [PLAIN | {"batch_size": 2}],
    ),
    "base and refiner": Case(
        base(
            refiner=node("CheckpointLoaderSimple", ckpt_name="refiner.safetensors"),
            rpos=node(
                "CLIPTextEncodeSDXLRefiner",
                text="a cat",
                ascore=6.0,
                width=1024,
                height=1024,
                clip=at("refiner", 1),
            ),
            a=advanced(end_at_step=15),
            s=advanced(
                model=at("refiner"),
                positive=at("rpos"),
                add_noise="disable",
                start_at_step=15,
                latent_image=at("a"),
            ),
        ),
        [
            PLAIN | {"node_id": "a", "end_step": 15, "noise_from": "a"},
            PLAIN
            | {"model_name": "refiner.safetensors", "start_step": 15, "add_noise": False, "noise_from": None},
        ],
    ),
    "SamplerCustom": Case(
        base(
            **custom_parts(),
            s=node(
                "SamplerCustom",
                **WIRED,
                add_noise=True,
                noise_seed=42,
                cfg=7.5,
                sampler=at("sampler"),
                sigmas=at("sigmas"),
            ),
        ),
        [PLAIN | {"denoise": 1.0}],
    ),
    "SamplerCustomAdvanced, CFGGuider": Case(
        base(**custom_parts(), s=custom_advanced()), [PLAIN | {"noise_from": "noise", "denoise": 1.0}]
    ),
    "SamplerCustomAdvanced, BasicGuider, Flux": Case(
        base(
            **custom_parts()
            | {
                "guider": node("BasicGuider", model=at("shift"), conditioning=at("g")),
                "sigmas": node(
                    "BasicScheduler", model=at("shift"), scheduler="simple", steps=at("n"), denoise=0.9
                ),
            },
            n=node("PrimitiveInt", value=28),
            g=node("FluxGuidance", conditioning=at("enc"), guidance=3.5),
            enc=node(
                "CLIPTextEncodeFlux", clip=at("ckpt", 1), clip_l="a cat", t5xxl="a cat on a mat", guidance=2.0
            ),
            shift=node(
                "ModelSamplingFlux", model=at("ckpt"), max_shift=1.15, base_shift=0.5, width=1024, height=1024
            ),
            s=custom_advanced(),
        ),
        [
            PLAIN
            | {
                "cfg": None,
                "negative": None,
                "positive": "a cat\n\na cat on a mat",
                "guidance": 3.5,
                "steps": 28,
                "scheduler": "simple",
                "denoise": 0.9,
                "noise_from": "noise",
                "options": {"max_shift": 1.15, "base_shift": 0.5},
            }
        ],
    ),
    "DualCFGGuider": Case(
        base(
            **custom_parts()
            | {
                "guider": node(
                    "DualCFGGuider",
                    model=at("ckpt"),
                    cond1=at("pos"),
                    cond2=at("mid"),
                    negative=at("neg"),
                    cfg_conds=5.0,
                    cfg_cond2_negative=1.5,
                    style="regular",
                )
            },
            mid=node("CLIPTextEncode", text="a dog", clip=at("ckpt", 1)),
            s=custom_advanced(),
        ),
        [
            PLAIN
            | {
                "cfg": 5.0,
                "noise_from": "noise",
                "options": {"cfg_cond2_negative": 1.5, "style": "regular", "cond2": "a dog"},
            }
        ],
    ),
    "DualModelGuider": Case(
        base(
            **custom_parts()
            | {
                "guider": node(
                    "DualModelGuider",
                    model=at("ckpt"),
                    model_negative=at("other"),
                    positive=at("pos"),
                    negative=at("neg"),
                    cfg=4.0,
                )
            },
            other=node("UNETLoader", unet_name="base.safetensors"),
            s=custom_advanced(),
        ),
        [PLAIN | {"cfg": 4.0, "noise_from": "noise", "options": {"model_negative": "base.safetensors"}}],
    ),
    "PerpNegGuider": Case(
        base(
            **custom_parts()
            | {
                "guider": node(
                    "PerpNegGuider",
                    model=at("ckpt"),
                    positive=at("pos"),
                    negative=at("neg"),
                    empty_conditioning=at("neg"),
                    cfg=6.0,
                    neg_scale=0.7,
                )
            },
            s=custom_advanced(),
        ),
        [PLAIN | {"cfg": 6.0, "noise_from": "noise", "options": {"neg_scale": 0.7}}],
    ),
    "SamplerEulerAncestral with its options": Case(
        base(
            **custom_parts() | {"sampler": node("SamplerEulerAncestral", eta=0.8, s_noise=1.02)},
            s=custom_advanced(),
        ),
        [
            PLAIN
            | {
                "sampler_name": "euler_ancestral",
                "noise_from": "noise",
                "options": {"eta": 0.8, "s_noise": 1.02},
            }
        ],
    ),
    "a sampler that draws on the GPU": Case(
        base(
            **custom_parts()
            | {
                "sampler": node(
                    "SamplerDPMPP_2M_SDE", solver_type="heun", eta=1.0, s_noise=1.0, noise_device="gpu"
                )
            },
            s=custom_advanced(),
        ),
        [
            PLAIN
            | {
                "sampler_name": "dpmpp_2m_sde_gpu",
                "noise_from": "noise",
                "options": {"solver_type": "heun", "eta": 1.0, "s_noise": 1.0},
            }
        ],
    ),
    "SplitSigmas, DisableNoise": Case(
        base(
            **custom_parts(),
            off=node("DisableNoise"),
            split=node("SplitSigmas", sigmas=at("sigmas"), step=8),
            a=custom_advanced(sigmas=at("split")),
            s=custom_advanced(noise=at("off"), sigmas=at("split", 1), latent_image=at("a")),
        ),
        [
            PLAIN | {"node_id": "a", "start_step": None, "end_step": 8, "noise_from": "noise"},
            PLAIN | {"seed": None, "start_step": 8, "end_step": None, "add_noise": False, "noise_from": None},
        ],
    ),
    "SplitSigmas twice": Case(
        base(
            **custom_parts(),
            outer=node("SplitSigmas", sigmas=at("sigmas"), step=5),
            inner=node("SplitSigmas", sigmas=at("outer", 1), step=4),
            s=custom_advanced(sigmas=at("inner")),
        ),
        [PLAIN | {"start_step": 5, "end_step": 9, "noise_from": "noise"}],
    ),
    "SplitSigmasDenoise, flipped": Case(
        base(
            **custom_parts(),
            split=node("SplitSigmasDenoise", sigmas=at("sigmas"), denoise=0.4),
            flip=node("FlipSigmas", sigmas=at("split", 1)),
            s=custom_advanced(sigmas=at("flip")),
        ),
        [PLAIN | {"denoise": 0.4, "start_step": 12, "noise_from": "noise", "options": {"flip_sigmas": True}}],
    ),
    "ManualSigmas": Case(
        base(
            **custom_parts() | {"sigmas": node("ManualSigmas", sigmas="14.6, 3.1, 0.9, 0.0")},
            s=custom_advanced(),
        ),
        [
            PLAIN
            | {
                "steps": 3,
                "scheduler": "manual",
                "noise_from": "noise",
                "options": {"sigmas": "14.6, 3.1, 0.9, 0.0"},
            }
        ],
    ),
    "Flux2Scheduler on a Flux 2 latent": Case(
        base(
            **custom_parts() | {"sigmas": node("Flux2Scheduler", steps=20, width=1024, height=768)},
            f2=node("EmptyFlux2LatentImage", width=1024, height=768, batch_size=1),
            s=custom_advanced(latent_image=at("f2")),
        ),
        [
            PLAIN
            | {
                "scheduler": "flux2",
                "width": 1024,
                "height": 768,
                "batch_size": 1,
                "noise_from": "noise",
                "options": {"schedule_width": 1024, "schedule_height": 768},
            }
        ],
    ),
    "video: LTXVScheduler and a length": Case(
        base(
            **custom_parts()
            | {
                "sigmas": node(
                    "LTXVScheduler",
                    steps=30,
                    max_shift=2.05,
                    base_shift=0.95,
                    stretch=True,
                    terminal=0.1,
                    latent=at("vid"),
                )
            },
            vid=node("EmptyHunyuanLatentVideo", width=848, height=480, length=73, batch_size=1),
            s=custom_advanced(latent_image=at("vid")),
        ),
        [
            PLAIN
            | {
                "steps": 30,
                "scheduler": "ltxv",
                "width": 848,
                "height": 480,
                "batch_size": 1,
                "noise_from": "noise",
                "options": {
                    "max_shift": 2.05,
                    "base_shift": 0.95,
                    "stretch": True,
                    "terminal": 0.1,
                    "length": 73,
                },
            }
        ],
    ),
    "texts of SDXL": Case(
        base(
            pos=node(
                "CLIPTextEncodeSDXL",
                text_g="a cat",
                text_l="fur, whiskers",
                clip=at("ckpt", 1),
                width=1024,
                height=1024,
                crop_w=0,
                crop_h=0,
                target_width=1024,
                target_height=1024,
            ),
            neg=node("CLIPTextEncodeSDXL", text_g="blurry", text_l="blurry", clip=at("ckpt", 1)),
            s=ksampler(),
        ),
        [PLAIN | {"positive": "a cat\n\nfur, whiskers", "negative": "blurry"}],
    ),
    "conditionings combined, concatenated, zeroed": Case(
        base(
            c1=node("ConditioningCombine", conditioning_1=at("pos"), conditioning_2=at("c2")),
            c2=node("ConditioningConcat", conditioning_to=at("p2"), conditioning_from=at("pos")),
            p2=node("CLIPTextEncode", text="on a mat", clip=at("ckpt", 1)),
            zero=node("ConditioningZeroOut", conditioning=at("pos")),
            s=ksampler(positive=at("c1"), negative=at("zero")),
        ),
        [PLAIN | {"positive": "a cat\n\non a mat", "negative": ""}],
    ),
    "ControlNet, its two outputs crossed": Case(
        base(
            cn=node("ControlNetLoader", control_net_name="depth.safetensors"),
            img=node("LoadImage", image="depth.png"),
            apply=node(
                "ControlNetApplyAdvanced",
                positive=at("pos"),
                negative=at("neg"),
                control_net=at("cn"),
                image=at("img"),
                strength=0.6,
                start_percent=0.0,
                end_percent=0.8,
            ),
            s=ksampler(positive=at("apply", 1), negative=at("apply", 0)),
        ),
        [
            PLAIN
            | {
                "positive": "blurry",
                "negative": "a cat",
                "options": {
                    "controlnets": [
                        {
                            "name": "depth.safetensors",
                            "strength": 0.6,
                            "start_percent": 0.0,
                            "end_percent": 0.8,
                        }
                    ]
                },
            }
        ],
    ),
    "a sampler behind a ControlNet's image comes before": Case(
        base(
            first=ksampler(seed=1),
            firstpix=node("VAEDecode", samples=at("first"), vae=at("ckpt", 2)),
            cn=node("ControlNetLoader", control_net_name="tile.safetensors"),
            apply=node(
                "ControlNetApply",
                conditioning=at("pos"),
                control_net=at("cn"),
                image=at("firstpix"),
                strength=1.0,
            ),
            s=ksampler(positive=at("apply")),
        ),
        [PLAIN | {"node_id": "first", "seed": 1, "noise_from": "first"}, PLAIN],
    ),
    "model shift and merge": Case(
        base(
            other=node("CheckpointLoaderSimple", ckpt_name="b.safetensors"),
            merge=node("ModelMergeSimple", model1=at("ckpt"), model2=at("other"), ratio=0.3),
            shift=node("ModelSamplingSD3", model=at("merge"), shift=3.0),
            s=ksampler(model=at("shift")),
        ),
        [PLAIN | {"options": {"merged_with": "b.safetensors", "merge_ratio": 0.3, "shift": 3.0}}],
    ),
    "seed through a primitive and reroutes": Case(
        base(
            p=node("PrimitiveNode", value=99),
            r1=node("Reroute", **{"": at("p")}),
            r2=node("Reroute", **{"": at("r1")}),
            lr=node("Reroute", **{"": at("empty")}),
            s=ksampler(seed=at("r2"), latent_image=at("lr")),
        ),
        [PLAIN | {"seed": 99}],
    ),
    "the largest seed, as a string": Case(
        base(s=ksampler(seed="18446744073709551615")), [PLAIN | {"seed": 2**64 - 1}]
    ),
    "subgraph ids": Case(
        base(
            **{
                "57:8": node("PrimitiveInt", value=7),
                "54:62:174": ksampler(seed=at("57:8")),
                "decode": node("VAEDecode", samples=at("54:62:174"), vae=at("ckpt", 2)),
            }
        ),
        [PLAIN | {"node_id": "54:62:174", "seed": 7, "noise_from": "54:62:174"}],
    ),
    "Set and Get": Case(
        base(
            set=node("SetNode", Constant="m", MODEL=at("ckpt")),
            get=node("GetNode", Constant="m"),
            s=ksampler(model=at("get")),
        ),
        [PLAIN],
    ),
    "joined text": Case(
        base(
            a=node("PrimitiveStringMultiline", value="a cat"),
            join=node("StringConcatenate", string_a=at("a"), string_b="on a mat", delimiter=", "),
            pos=node("CLIPTextEncode", text=at("join"), clip=at("ckpt", 1)),
            s=ksampler(),
        ),
        [PLAIN | {"positive": "a cat, on a mat"}],
    ),
    "a core switch: only the chosen branch ran": Case(
        base(
            yes=ksampler(seed=1),
            no=ksampler(seed=2),
            on=node("PrimitiveBoolean", value=True),
            switch=node("ComfySwitchNode", switch=at("on"), on_false=at("no"), on_true=at("yes")),
            decode=node("VAEDecode", samples=at("switch"), vae=at("ckpt", 2)),
        ),
        [PLAIN | {"node_id": "yes", "seed": 1, "noise_from": "yes"}],
    ),
    "a switch only decided at run time": Case(
        base(
            other=node("UNETLoader", unet_name="b.safetensors"),
            choose=node("SomeTest", value=3),
            switch=node("ComfySwitchNode", switch=at("choose"), on_false=at("ckpt"), on_true=at("other")),
            s=ksampler(model=at("switch")),
        ),
        [PLAIN | {"model_name": None, "unresolved": ("model_name",)}],
    ),
}

PACKS: dict[str, Case] = {
    "Efficient": Case(
        {
            "load": node(
                "Efficient Loader",
                ckpt_name="sd15.safetensors",
                vae_name="ae.safetensors",
                clip_skip=-1,
                lora_name="a.safetensors",
                lora_model_strength=0.5,
                lora_clip_strength=1.0,
                positive="a cat",
                negative="blurry",
                empty_latent_width=512,
                empty_latent_height=768,
                batch_size=2,
                lora_stack=at("stack"),
            ),
            "stack": node(
                "LoRA Stacker",
                input_mode="simple",
                lora_count=2,
                lora_name_1="b.safetensors",
                lora_wt_1=0.7,
                model_str_1=1.0,
                clip_str_1=1.0,
                lora_name_2="None",
                lora_wt_2=1.0,
                lora_name_3="unused.safetensors",
                lora_wt_3=1.0,
            ),
            "s": node(
                "KSampler (Efficient)",
                seed=42,
                **SETTINGS,
                denoise=1.0,
                model=at("load"),
                positive=at("load", 1),
                negative=at("load", 2),
                latent_image=at("load", 3),
                optional_vae=at("load", 4),
                preview_method="auto",
                vae_decode="true",
            ),
            "save": node("SaveImage", images=at("s", 5)),
        },
        [PLAIN | {"vae_name": "ae.safetensors", "loras": (("b.safetensors", 0.7), ("a.safetensors", 0.5))}],
    ),
    "Efficient, advanced after plain, by the outputs passed on": Case(
        base(
            a=node(
                "KSampler (Efficient)", seed=1, **SETTINGS, denoise=1.0, **WIRED, optional_vae=at("ckpt", 2)
            ),
            s=node(
                "KSampler Adv. (Efficient)",
                add_noise="disable",
                noise_seed=42,
                **SETTINGS,
                start_at_step=4,
                end_at_step=20,
                model=at("a"),
                positive=at("a", 1),
                negative=at("a", 2),
                latent_image=at("a", 3),
            ),
        ),
        [
            PLAIN | {"node_id": "a", "seed": 1, "noise_from": "a"},
            PLAIN | {"start_step": 4, "end_step": 20, "add_noise": False, "noise_from": None},
        ],
    ),
    "Efficient SDXL": Case(
        {
            "load": node(
                "Eff. Loader SDXL",
                base_ckpt_name="sdxl.safetensors",
                refiner_ckpt_name="None",
                vae_name="Baked VAE",
                positive="a cat",
                negative="blurry",
                empty_latent_width=1024,
                empty_latent_height=1024,
                batch_size=1,
            ),
            "save": node(
                "KSampler SDXL (Eff.)",
                sdxl_tuple=at("load"),
                noise_seed=42,
                **SETTINGS,
                latent_image=at("load", 1),
                start_at_step=0,
                refine_at_step=-1,
            ),
        },
        [
            PLAIN
            | {
                "node_id": "save",
                "model_name": "sdxl.safetensors",
                "width": 1024,
                "height": 1024,
                "batch_size": 1,
                "start_step": 0,
                "noise_from": "save",
                "vae_name": None,
                "options": {"refine_at_step": -1, "refiner_model": "None"},
            }
        ],
    ),
    "Easy-Use: settings in preSampling": Case(
        {
            "load": node(
                "easy fullLoader",
                ckpt_name="sd15.safetensors",
                vae_name="Baked VAE",
                lora_name="None",
                lora_model_strength=1.0,
                empty_latent_width=512,
                empty_latent_height=768,
                positive="a cat",
                negative="blurry",
                batch_size=2,
            ),
            "seed": node("easy seed", seed=42),
            "pre": node("easy preSampling", pipe=at("load"), **SETTINGS, denoise=0.9, seed=at("seed")),
            "global": node("easy globalSeed", value=5, mode=True, action="fixed", last_seed=""),
            "s": node("easy kSampler", pipe=at("pre"), image_output="Preview"),
            "save": node("SaveImage", images=at("s", 1)),
        },
        [PLAIN | {"denoise": 0.9}],
    ),
    "Easy-Use: preSamplingAdvanced, and the pipe unpacked": Case(
        {
            "load": node(
                "easy a1111Loader",
                ckpt_name="sd15.safetensors",
                vae_name="ae.safetensors",
                lora_name="None",
                empty_latent_width=512,
                empty_latent_height=768,
                positive="a cat",
                negative="blurry",
                batch_size=2,
            ),
            "pre": node(
                "easy preSamplingAdvanced",
                pipe=at("load"),
                **SETTINGS,
                start_at_step=3,
                end_at_step=17,
                add_noise="enable (CPU)",
                seed=42,
                return_with_leftover_noise="disable",
            ),
            "e": node("easy kSampler", pipe=at("pre"), image_output="Hide"),
            "out": node("easy pipeOut", pipe=at("e")),
            "s": node(
                "KSampler",
                model=at("out", 1),
                positive=at("out", 2),
                negative=at("out", 3),
                latent_image=at("out", 4),
                seed=at("out", 8),
                **SETTINGS,
                denoise=0.4,
            ),
            "save": node("SaveLatent", samples=at("s")),
        },
        [
            PLAIN
            | {
                "node_id": "e",
                "start_step": 3,
                "end_step": 17,
                "vae_name": "ae.safetensors",
                "noise_from": "e",
            },
            PLAIN | {"denoise": 0.4, "start_step": None, "vae_name": "ae.safetensors"},
        ],
    ),
    "Easy-Use: fullkSampler": Case(
        base(
            s=node("easy fullkSampler", pipe=at("in"), **SETTINGS, denoise=1.0, seed=42, model=at("lora")),
            **{
                "in": node(
                    "easy pipeIn",
                    model=at("ckpt"),
                    pos=at("pos"),
                    neg=at("neg"),
                    latent=at("empty"),
                    vae=at("ckpt", 2),
                    clip=at("ckpt", 1),
                ),
                "lora": node(
                    "LoraLoaderModelOnly", model=at("ckpt"), lora_name="a.safetensors", strength_model=1.0
                ),
                "save": node("SaveImage", images=at("s", 1)),
            },
        ),
        [PLAIN | {"loras": (("a.safetensors", 1.0),)}],
    ),
    "Impact: basic pipe": Case(
        base(
            pipe=node(
                "ToBasicPipe",
                model=at("ckpt"),
                clip=at("ckpt", 1),
                vae=at("vae"),
                positive=at("pos"),
                negative=at("neg"),
            ),
            vae=node("VAELoader", vae_name="ae.safetensors"),
            other=node("CLIPTextEncode", text="a dog", clip=at("ckpt", 1)),
            edit=node("EditBasicPipe", basic_pipe=at("pipe"), positive=at("other")),
            a=node(
                "ImpactKSamplerBasicPipe",
                basic_pipe=at("pipe"),
                seed=42,
                **SETTINGS,
                latent_image=at("empty"),
                denoise=1.0,
            ),
            s=node(
                "ImpactKSamplerAdvancedBasicPipe",
                basic_pipe=at("edit"),
                add_noise=False,
                noise_seed=42,
                **SETTINGS,
                latent_image=at("a", 1),
                start_at_step=5,
                end_at_step=20,
                return_with_leftover_noise=False,
            ),
            decode=node("VAEDecode", samples=at("s", 1), vae=at("ckpt", 2)),
        ),
        [
            PLAIN | {"node_id": "a", "vae_name": "ae.safetensors", "noise_from": "a"},
            PLAIN
            | {
                "positive": "a dog",
                "vae_name": "ae.safetensors",
                "start_step": 5,
                "end_step": 20,
                "add_noise": False,
                "noise_from": None,
            },
        ],
    ),
    "Impact: FromBasicPipe, negative used as positive": Case(
        base(
            pipe=node(
                "ToBasicPipe",
                model=at("ckpt"),
                clip=at("ckpt", 1),
                vae=at("ckpt", 2),
                positive=at("pos"),
                negative=at("neg"),
            ),
            parts=node("FromBasicPipe", basic_pipe=at("pipe")),
            s=ksampler(model=at("parts"), positive=at("parts", 4), negative=at("parts", 3)),
        ),
        [PLAIN | {"positive": "blurry", "negative": "a cat"}],
    ),
    "Impact: a face detailer after the sampler": Case(
        base(
            s=ksampler(),
            face=node(
                "FaceDetailer",
                image=at("decode"),
                model=at("ckpt"),
                clip=at("ckpt", 1),
                vae=at("ckpt", 2),
                guide_size=512,
                seed=5,
                steps=8,
                cfg=4.0,
                sampler_name="dpmpp_2m",
                scheduler="normal",
                positive=at("pos"),
                negative=at("neg"),
                denoise=0.4,
                feather=5,
            ),
            save=node("SaveImage", images=at("face")),
        ),
        [
            PLAIN,
            PLAIN
            | {
                "node_id": "face",
                "seed": 5,
                "steps": 8,
                "cfg": 4.0,
                "sampler_name": "dpmpp_2m",
                "scheduler": "normal",
                "denoise": 0.4,
                "noise_from": "face",
                "options": {"guide_size": 512, "feather": 5},
            },
        ],
    ),
    "Impact: DetailerForEach, and FaceDetailerPipe after it": Case(
        base(
            s=ksampler(),
            d=node(
                "DetailerForEach",
                image=at("decode"),
                segs=at("segs"),
                model=at("ckpt"),
                clip=at("ckpt", 1),
                vae=at("ckpt", 2),
                seed=6,
                **SETTINGS,
                positive=at("pos"),
                negative=at("neg"),
                denoise=0.3,
            ),
            segs=node("ImpactMakeTileSEGS", images=at("decode")),
            dp=node(
                "ToDetailerPipe",
                model=at("ckpt"),
                clip=at("ckpt", 1),
                vae=at("ckpt", 2),
                positive=at("pos"),
                negative=at("neg"),
                wildcard="",
            ),
            f=node(
                "FaceDetailerPipe", image=at("d"), detailer_pipe=at("dp"), seed=7, **SETTINGS, denoise=0.2
            ),
            save=node("SaveImage", images=at("f")),
        ),
        [
            PLAIN,
            PLAIN | {"node_id": "d", "seed": 6, "denoise": 0.3, "noise_from": "d"},
            PLAIN | {"node_id": "f", "seed": 7, "denoise": 0.2, "noise_from": "f"},
        ],
    ),
    "Impact: switch": Case(
        base(
            other=node("EmptyLatentImage", width=64, height=64, batch_size=1),
            switch=node("ImpactSwitch", select=2, sel_mode=False, input1=at("other"), input2=at("empty")),
            s=ksampler(latent_image=at("switch")),
        ),
        [PLAIN],
    ),
    "Inspire": Case(
        base(
            s=node(
                "KSampler //Inspire",
                **WIRED,
                seed=42,
                **SETTINGS,
                denoise=1.0,
                noise_mode="GPU(=A1111)",
                batch_seed_mode="incremental",
                variation_seed=3,
                variation_strength=0.1,
            )
        ),
        [
            PLAIN
            | {
                "options": {
                    "noise_mode": "GPU(=A1111)",
                    "batch_seed_mode": "incremental",
                    "variation_seed": 3,
                    "variation_strength": 0.1,
                }
            }
        ],
    ),
    "Inspire: advanced and pipe": Case(
        base(
            pipe=node(
                "ToBasicPipe",
                model=at("ckpt"),
                clip=at("ckpt", 1),
                vae=at("ckpt", 2),
                positive=at("pos"),
                negative=at("neg"),
            ),
            a=node(
                "KSamplerPipe //Inspire",
                basic_pipe=at("pipe"),
                seed=1,
                **SETTINGS,
                denoise=1.0,
                latent_image=at("empty"),
                noise_mode="CPU",
            ),
            s=node(
                "KSamplerAdvanced //Inspire",
                **WIRED | {"latent_image": at("a")},
                add_noise=True,
                noise_seed=42,
                **SETTINGS,
                start_at_step=2,
                end_at_step=9,
                noise_mode="CPU",
                return_with_leftover_noise=False,
            ),
        ),
        [PLAIN | {"node_id": "a", "seed": 1, "noise_from": "a"}, PLAIN | {"start_step": 2, "end_step": 9}],
    ),
    "RES4LYF: a chain, its second sampler without seed or steps": Case(
        base(
            a=node(
                "ClownsharKSampler_Beta",
                **WIRED,
                eta=0.5,
                sampler_name="exponential/res_2s",
                scheduler="beta57",
                steps=30,
                steps_to_run=10,
                denoise=1.0,
                cfg=5.5,
                seed=42,
                sampler_mode="standard",
                bongmath=True,
            ),
            s=node(
                "ClownsharkChainsampler_Beta",
                eta=0.5,
                sampler_name="exponential/res_3s",
                steps_to_run=-1,
                cfg=5.0,
                sampler_mode="resample",
                bongmath=True,
                latent_image=at("a"),
                model=at("ckpt"),
                positive=at("pos"),
                negative=at("neg"),
            ),
        ),
        [
            PLAIN
            | {
                "node_id": "a",
                "steps": 30,
                "cfg": 5.5,
                "sampler_name": "exponential/res_2s",
                "scheduler": "beta57",
                "noise_from": "a",
                "options": {"eta": 0.5, "steps_to_run": 10, "sampler_mode": "standard", "bongmath": True},
            },
            PLAIN
            | {
                "seed": None,
                "steps": None,
                "scheduler": None,
                "cfg": 5.0,
                "sampler_name": "exponential/res_3s",
            },
        ],
    ),
    "RES4LYF: SharkSampler with a sampler object": Case(
        base(
            clown=node(
                "ClownSampler_Beta", eta=0.25, sampler_name="exponential/res_2m", seed=-1, bongmath=False
            ),
            s=node(
                "SharkSampler_Beta",
                **WIRED,
                sampler=at("clown"),
                scheduler="karras",
                steps=20,
                steps_to_run=-1,
                denoise=1.0,
                cfg=7.5,
                seed=42,
                sampler_mode="standard",
            ),
        ),
        [
            PLAIN
            | {
                "sampler_name": "exponential/res_2m",
                "options": {"steps_to_run": -1, "sampler_mode": "standard", "eta": 0.25, "bongmath": False},
            }
        ],
    ),
    "RES4LYF: a seed of -1 is drawn at run time": Case(
        base(s=node("BongSampler", **WIRED, seed=-1, **SETTINGS, denoise=1.0)),
        [PLAIN | {"seed": None, "unresolved": ("seed",)}],
    ),
    "WanVideo": Case(
        {
            "m": node("WanVideoModelLoader", model="wan.safetensors", base_precision="bf16", lora=at("lora")),
            "lora": node("WanVideoLoraSelect", lora="speed.safetensors", strength=0.9),
            "t5": node("LoadWanVideoT5TextEncoder", model_name="umt5.safetensors"),
            "text": node(
                "WanVideoTextEncode", t5=at("t5"), positive_prompt="a cat", negative_prompt="blurry"
            ),
            "img": node("WanVideoEmptyEmbeds", width=832, height=480, num_frames=81),
            "s": node(
                "WanVideoSampler",
                model=at("m"),
                text_embeds=at("text"),
                image_embeds=at("img"),
                steps=6,
                cfg=[6.0, 5.0, 1.0],
                shift=5.0,
                seed=42,
                force_offload=True,
                scheduler="unipc",
                riflex_freq_index=0,
                denoise_strength=1.0,
            ),
            "vae": node("WanVideoVAELoader", model_name="wan_vae.safetensors"),
            "save": node("WanVideoDecode", vae=at("vae"), samples=at("s")),
        },
        [
            {
                "node_id": "s",
                "seed": 42,
                "steps": 6,
                "cfg": None,
                "sampler_name": None,
                "scheduler": "unipc",
                "denoise": 1.0,
                "positive": "a cat",
                "negative": "blurry",
                "model_name": "wan.safetensors",
                "vae_name": "wan_vae.safetensors",
                "clip_names": ("umt5.safetensors",),
                "loras": (("speed.safetensors", 0.9),),
                "width": 832,
                "height": 480,
                "options": {
                    "cfg_schedule": [6.0, 5.0, 1.0],
                    "shift": 5.0,
                    "riflex_freq_index": 0,
                    "length": 81,
                },
            }
        ],
    ),
    "Ultimate SD Upscale": Case(
        base(
            s=ksampler(),
            up=node(
                "UltimateSDUpscale",
                image=at("decode"),
                model=at("ckpt"),
                positive=at("pos"),
                negative=at("neg"),
                vae=at("ckpt", 2),
                upscale_by=2.0,
                seed=9,
                **SETTINGS,
                denoise=0.2,
                mode_type="Linear",
                tile_width=512,
                tile_height=512,
                batch_size=1,
            ),
            save=node("SaveImage", images=at("up")),
        ),
        [
            PLAIN,
            PLAIN
            | {
                "node_id": "up",
                "seed": 9,
                "denoise": 0.2,
                "width": 1024,
                "height": 1536,
                "noise_from": "up",
                "options": {"tile_width": 512, "tile_height": 512, "upscale_by": 2.0, "mode_type": "Linear"},
            },
        ],
    ),
    "Ultimate SD Upscale without upscaling": Case(
        base(
            s=ksampler(),
            up=node(
                "UltimateSDUpscaleNoUpscale",
                upscaled_image=at("decode"),
                model=at("ckpt"),
                positive=at("pos"),
                negative=at("neg"),
                vae=at("ckpt", 2),
                seed=9,
                **SETTINGS,
                denoise=0.2,
            ),
            save=node("SaveImage", images=at("up")),
        ),
        [PLAIN, PLAIN | {"node_id": "up", "seed": 9, "noise_from": "up"}],
    ),
    "rgthree: Seed and Power Lora Loader": Case(
        base(
            seed=node("Seed (rgthree)", seed=42),
            power=node(
                "Power Lora Loader (rgthree)",
                model=at("ckpt"),
                clip=at("ckpt", 1),
                PowerLoraLoaderHeaderWidget={"type": "PowerLoraLoaderHeaderWidget"},
                lora_1={"on": True, "lora": "a.safetensors", "strength": 0.6},
                lora_2={"on": False, "lora": "b.safetensors", "strength": 1.0},
            ),
            s=ksampler(seed=at("seed"), model=at("power")),
        ),
        [PLAIN | {"loras": (("a.safetensors", 0.6),)}],
    ),
    "rgthree: a Seed that still says random": Case(
        base(seed=node("Seed (rgthree)", seed=-1), s=ksampler(seed=at("seed"))),
        [PLAIN | {"seed": None, "unresolved": ("seed",)}],
    ),
    "rgthree: contexts": Case(
        base(
            big=node(
                "Context Big (rgthree)",
                model=at("ckpt"),
                positive=at("pos"),
                negative=at("neg"),
                latent=at("empty"),
                seed=at("v"),
                steps=at("n"),
                cfg=7.5,
                sampler="euler",
                scheduler="karras",
            ),
            v=node("Seed (rgthree)", seed=42),
            n=node("INTConstant", value=20),
            over=node("Context Big (rgthree)", base_ctx=at("big"), negative=at("pos")),
            s=node(
                "KSampler",
                model=at("over", 1),
                positive=at("over", 4),
                negative=at("over", 5),
                latent_image=at("over", 6),
                seed=at("over", 8),
                steps=at("over", 9),
                cfg=at("over", 11),
                sampler_name=at("over", 13),
                scheduler=at("over", 14),
                denoise=1.0,
            ),
        ),
        [PLAIN | {"negative": "a cat"}],
    ),
    "Comfyroll: seed, LoRA stack and switch": Case(
        base(
            seed=node("CR Seed", seed=42),
            stack=node(
                "CR LoRA Stack",
                switch_1="On",
                lora_name_1="a.safetensors",
                model_weight_1=0.4,
                clip_weight_1=1.0,
                switch_2="Off",
                lora_name_2="b.safetensors",
                model_weight_2=1.0,
            ),
            apply=node("CR Apply LoRA Stack", model=at("ckpt"), clip=at("ckpt", 1), lora_stack=at("stack")),
            other=node("EmptyLatentImage", width=64, height=64, batch_size=1),
            switch=node("CR Latent Input Switch", Input=1, latent1=at("empty"), latent2=at("other")),
            s=ksampler(seed=at("seed"), model=at("apply"), latent_image=at("switch")),
        ),
        [PLAIN | {"loras": (("a.safetensors", 0.4),)}],
    ),
    "tinyterra": Case(
        base(
            a=node(
                "ttN KSampler_v2",
                model=at("ckpt"),
                positive=at("pos"),
                negative=at("neg"),
                latent=at("empty"),
                vae=at("ckpt", 2),
                clip=at("ckpt", 1),
                lora_name="a.safetensors",
                lora_strength=0.5,
                **SETTINGS,
                denoise=1.0,
                seed=42,
                upscale_method="None",
            ),
            pipe=node(
                "ttN pipeEDIT",
                model=at("a"),
                pos=at("a", 1),
                neg=at("a", 2),
                latent=at("a", 3),
                vae=at("a", 4),
                clip=at("a", 5),
            ),
            s=node(
                "ttN pipeKSampler_v2",
                pipe=at("pipe"),
                lora_name="None",
                **SETTINGS,
                denoise=0.5,
                seed=at("a", 7),
            ),
            save=node("SaveImage", images=at("s", 7)),
        ),
        [
            PLAIN | {"node_id": "a", "loras": (("a.safetensors", 0.5),), "noise_from": "a"},
            PLAIN | {"denoise": 0.5, "loras": (("a.safetensors", 0.5),)},
        ],
    ),
    "tiled": Case(
        base(
            a=node(
                "BNK_TiledKSampler",
                **WIRED,
                seed=42,
                tile_width=512,
                tile_height=512,
                tiling_strategy="padded",
                **SETTINGS,
                denoise=1.0,
            ),
            s=node(
                "BNK_TiledKSamplerAdvanced",
                **WIRED | {"latent_image": at("a")},
                add_noise="enable",
                noise_seed=42,
                **SETTINGS,
                start_at_step=1,
                end_at_step=20,
            ),
        ),
        [
            PLAIN
            | {
                "node_id": "a",
                "noise_from": "a",
                "options": {"tile_width": 512, "tile_height": 512, "tiling_strategy": "padded"},
            },
            PLAIN | {"start_step": 1, "end_step": 20},
        ],
    ),
    "NAG": Case(
        base(
            s=node(
                "KSamplerWithNAG",
                **WIRED,
                seed=42,
                **SETTINGS,
                denoise=1.0,
                nag_scale=5.0,
                nag_tau=2.5,
                nag_alpha=0.25,
                nag_sigma_end=0.0,
                nag_negative=at("neg"),
            )
        ),
        [
            PLAIN
            | {
                "options": {
                    "nag_scale": 5.0,
                    "nag_tau": 2.5,
                    "nag_alpha": 0.25,
                    "nag_sigma_end": 0.0,
                    "nag_negative": "blurry",
                }
            }
        ],
    ),
    "LanPaint": Case(
        base(
            **custom_parts(),
            a=node("LanPaint_KSampler", **WIRED, seed=42, **SETTINGS, denoise=1.0, LanPaint_NumSteps=5),
            s=node(
                "LanPaint_SamplerCustomAdvanced",
                noise=at("noise"),
                guider=at("guider"),
                sampler=at("sampler"),
                sigmas=at("sigmas"),
                latent_image=at("a"),
                LanPaint_NumSteps=3,
            ),
        ),
        [
            PLAIN | {"node_id": "a", "noise_from": "a", "options": {"LanPaint_NumSteps": 5}},
            PLAIN | {"noise_from": "noise", "options": {"LanPaint_NumSteps": 3}},
        ],
    ),
    "XLabs": Case(
        base(
            flux=node("CLIPTextEncodeFlux", clip=at("ckpt", 1), clip_l="a cat", t5xxl="a cat", guidance=4.0),
            s=node(
                "XlabsSampler",
                model=at("ckpt"),
                conditioning=at("flux"),
                neg_conditioning=at("neg"),
                noise_seed=42,
                steps=20,
                timestep_to_start_cfg=1,
                true_gs=3.5,
                image_to_image_strength=0.0,
                denoise_strength=1.0,
                latent_image=at("empty"),
            ),
        ),
        [
            PLAIN
            | {
                "cfg": 3.5,
                "sampler_name": None,
                "scheduler": None,
                "guidance": 4.0,
                "denoise": 1.0,
                "options": {"timestep_to_start_cfg": 1, "image_to_image_strength": 0.0},
            }
        ],
    ),
    "LTXVBaseSampler": Case(
        base(
            **custom_parts(),
            s=node(
                "LTXVBaseSampler",
                model=at("ckpt"),
                vae=at("ckpt", 2),
                width=768,
                height=512,
                num_frames=97,
                guider=at("guider"),
                sampler=at("sampler"),
                sigmas=at("sigmas"),
                noise=at("noise"),
            ),
        ),
        [
            PLAIN
            | {
                "width": 768,
                "height": 512,
                "batch_size": None,
                "noise_from": "noise",
                "options": {"length": 97},
            }
        ],
    ),
}

UNKNOWN: dict[str, Case] = {
    "an unknown sampler": Case(
        base(s=node("MySampler", **WIRED, seed=42, **SETTINGS, denoise=0.7, eta=0.1)),
        [PLAIN | {"class_type": "MySampler", "denoise": 0.7, "options": {"eta": 0.1}}],
    ),
    "an unknown sampler with noise, guider and sigmas": Case(
        base(
            **custom_parts(),
            s=node(
                "MyCustomSampler",
                noise=at("noise"),
                guider=at("guider"),
                sampler=at("sampler"),
                sigmas=at("sigmas"),
                latent_image=at("empty"),
            ),
        ),
        [PLAIN | {"noise_from": "noise"}],
    ),
    "nodes that look like samplers": Case(
        base(
            s=ksampler(latent_image=at("noise"), model=at("train")),
            train=node("MyTrainer", model=at("ckpt"), learning_rate=1.0),
            lora=node(
                "TrainLoraNode", model=at("ckpt"), latents=at("empty"), positive=at("pos"), steps=16, seed=0
            ),
            noise=node(
                "GenerateNoise",
                width=512,
                height=768,
                batch_size=2,
                seed=1,
                model=at("ckpt"),
                sigmas=at("sig"),
                multiplier=1.0,
            ),
            sig=node("KarrasScheduler", steps=20, sigma_max=14.6, sigma_min=0.03, rho=7.0),
            add=node(
                "AddNoise", model=at("ckpt"), noise=at("rnd"), sigmas=at("sig"), latent_image=at("empty")
            ),
            rnd=node("RandomNoise", noise_seed=3),
            pre=node(
                "easy preSampling", pipe=at("ckpt"), **SETTINGS, denoise=1.0, seed=1, latent=at("empty")
            ),
            ctx=node("Context Big (rgthree)", model=at("ckpt"), latent=at("empty"), seed=1, steps=20),
        ),
        [PLAIN],
        None,
    ),
    "values that a node works out": Case(
        base(
            math=node("MathExpression|pysssss", expression="a*2", a=21),
            rand=node("RandomInt", seed=5, min=0, max=9),
            llm=node("PromptEnhancer", text="cat", seed=1),
            pos=node("CLIPTextEncode", text=at("llm"), clip=at("ckpt", 1)),
            resize=node("NNLatentUpscale", latent=at("empty"), version="SDXL", upscale=1.5),
            s=ksampler(seed=at("rand"), steps=at("math"), latent_image=at("resize")),
        ),
        [
            PLAIN
            | {
                "seed": None,
                "steps": None,
                "positive": None,
                "width": None,
                "height": None,
                "batch_size": None,
                "unresolved": ("seed", "steps", "width", "height", "batch_size", "positive"),
            }
        ],
    ),
    "an unknown model patch and an unknown encoder": Case(
        base(
            patch=node("MyPatch", model=at("ckpt"), strength=0.5),
            pos=node("MyTextEncode", clip=at("ckpt", 1), text="a cat"),
            s=ksampler(model=at("patch")),
        ),
        [PLAIN],
    ),
    "an unknown node with positive, negative and a latent as outputs": Case(
        base(
            i2v=node(
                "WanImageToVideo",
                positive=at("pos"),
                negative=at("neg"),
                vae=at("ckpt", 2),
                width=832,
                height=480,
                length=81,
                batch_size=1,
            ),
            s=ksampler(positive=at("i2v", 0), negative=at("i2v", 1), latent_image=at("i2v", 2)),
        ),
        [PLAIN | {"width": 832, "height": 480, "batch_size": 1}],
    ),
}

ODD: dict[str, Case] = {
    "literal lists that look like links": Case(
        base(s=ksampler(seed=["nowhere", 0], steps=["ckpt", "0"], cfg=["ckpt", 0, 1])),
        [
            PLAIN
            | {
                "seed": None,
                "steps": None,
                "cfg": None,
                "unresolved": ("seed", "steps"),
                "options": {"cfg_schedule": ["ckpt", 0, 1]},
            }
        ],
    ),
    "words where numbers belong": Case(
        base(s=ksampler(seed="None", steps=True, cfg="7.5", denoise={}, sampler_name=None, scheduler=3)),
        [
            PLAIN
            | {
                "seed": None,
                "steps": None,
                "cfg": 7.5,
                "denoise": None,
                "sampler_name": None,
                "scheduler": None,
                "unresolved": ("seed", "steps", "scheduler", "denoise"),
            }
        ],
    ),
    "entries that are not nodes": Case(
        {
            "a": None,
            "b": [],
            "c": {},
            "d": {"class_type": "KSampler"},
            "e": {"inputs": {"seed": 1}},
            "f": {"class_type": 7, "inputs": {}},
            "g": {"class_type": "KSampler", "inputs": None},
            "is_changed": "x",
            "save": node("SaveImage", images=at("a"), also=at("d"), third=at("f")),
        },
        [{"node_id": "d", "seed": None, "add_noise": True, "noise_from": "d"}],
    ),
    "a sampler connected to an entry that is not a node": Case(
        base(bad=None, s=ksampler(model=at("bad"), seed=at("bad"), positive=at("bad"))),
        [
            PLAIN
            | {
                "seed": None,
                "model_name": None,
                "positive": None,
                "unresolved": ("seed", "model_name", "positive"),
            }
        ],
    ),
    "cycles": Case(
        base(
            r1=node("Reroute", **{"": at("r2")}),
            r2=node("Reroute", **{"": at("r1")}),
            c=node("ConditioningCombine", conditioning_1=at("c"), conditioning_2=at("pos")),
            s=ksampler(model=at("r1"), positive=at("c"), latent_image=at("s")),
        ),
        [PLAIN | {"model_name": None, "width": None, "height": None, "batch_size": None}],
    ),
    "no such node": Case(base(s=ksampler()), [], "99"),
    "nothing at all": Case({}, [], None),
    "two samplers side by side, the first input's counts as the nearer": Case(
        base(
            b=ksampler(seed=2),
            decode2=node("VAEDecode", samples=at("b"), vae=at("ckpt", 2)),
            s=ksampler(),
            blend=node("ImageBlend", image1=at("decode"), image2=at("decode2"), blend_factor=0.5),
            save=node("SaveImage", images=at("blend")),
        ),
        [PLAIN | {"node_id": "b", "seed": 2, "noise_from": "b"}, PLAIN],
    ),
}

CASES: dict[str, Case] = CORE | PACKS | UNKNOWN | ODD

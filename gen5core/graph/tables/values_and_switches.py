"""Values and switches: primitives, reroutes, switches, pipes and contexts, as a table.

``schema`` has the vocabulary. A node of kind ``pass`` only passes on what is connected to it.
Source: nodes.py and comfy_extras of ComfyUI 0.3.29 to 0.33.0, and the packs whose names the classes have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .schema import NodeClass, Note, Reads, Roles, numbered, options, row

VALUES: Final[Mapping[str, NodeClass]] = {
    **dict.fromkeys(
        (
            "PrimitiveInt",
            "PrimitiveFloat",
            "PrimitiveString",
            "PrimitiveStringMultiline",
            "PrimitiveBoolean",
            "PrimitiveNode",
            "INTConstant",
            "FloatConstant",
            "ImpactInt",
            "ImpactFloat",
            "easy int",
            "easy float",
            "easy string",
            "easy boolean",
        ),
        row({"value": "value"}),
    ),
    **dict.fromkeys(
        ("SeedNode", "Seed (rgthree)", "easy seed", "CR Seed", "ttN seed"), row({"value": "seed"})
    ),
    **dict.fromkeys(
        ("StringConstant", "StringConstantMultiline", "String Literal"), row({"value": "string"})
    ),
    **dict.fromkeys(("CR Text", "Text Multiline", "ttN text", "ShowText|pysssss"), row({"value": "text"})),
    "CR Value": row({"value": "value"}),
    "PreviewAny": row({"value": "source"}),
    # how many pictures come of one latent depends on the VAE
    "GetImageSize": row(
        {"size": "@image", "batch_size": Reads(rule="unknown")}, outputs="width height batch_size"
    ),
    "WanCameraEmbedding": row(
        {name: name for name in ("width", "height", "length")}, outputs="camera width height length"
    ),
    "CustomCombo": row({"choice": "choice", "index": "index"}, outputs="choice index"),
    "easy positive": row({"value": "positive"}),
    "easy negative": row({"value": "negative"}),
    "StringConcatenate": row({"value": Reads(("delimiter", "string_a", "string_b"), "joined_text")}),
    "KSampler Config (rgthree)": row(
        {
            "steps": "steps_total",
            "refine_step": "refiner_step",
            "cfg": "cfg",
            "sampler_name": "sampler_name",
            "scheduler": "scheduler",
        },
        outputs="steps refine_step cfg sampler_name scheduler",
    ),
}


def _switch(rule: str, selector: str, *inputs: str, outputs: str = "") -> NodeClass:
    return row({"*": Reads((selector, *inputs), rule)}, "pass", outputs)


def _bundle(carrier: str, outputs: str = "", **own: str) -> NodeClass:
    """Return a pipe or context: a role that it has no input for is looked up in the pipe connected to it."""
    roles: Roles = {role: (spec, carrier) for role, spec in own.items()}
    return row({"*": carrier, **roles}, "pass", outputs)


PASS_THROUGH: Final = row({"*": "@*"}, "pass")
PARTS_IN: Final = {
    "model": "@model",
    "clip": "@clip",
    "vae": "@vae",
    "positive": "@positive",
    "negative": "@negative",
}
TTN_IN: Final = {
    "model": "@model",
    "positive": "@pos",
    "negative": "@neg",
    "size": "@latent",
    "made_by": "@latent",
    "vae": "@vae",
    "clip": "@clip",
}
CONTEXT: Final = {**PARTS_IN, "size": "@latent", "made_by": "@latent", "seed": "seed"}
BIG: Final = {
    **CONTEXT,
    "steps": "steps",
    "refine_step": "step_refiner",
    "cfg": "cfg",
    "ckpt_name": "ckpt_name",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
}
CONTEXT_OUT: Final = "pipe model clip vae positive negative latent image seed"
BIG_OUT: Final = f"{CONTEXT_OUT} steps refine_step cfg ckpt_name sampler_name scheduler"
PIPE_OUT: Final = "pipe model positive negative latent vae clip image seed"
PRE: Final[Roles] = {
    **{name: (name, "@pipe") for name in ("steps", "cfg", "sampler_name", "scheduler", "denoise", "seed")},
    "*": "@pipe",
    "size": ("@latent", "@image_to_latent", "@pipe"),
    "add_noise": "add_noise",
    "start_step": "start_at_step",
    "end_step": "end_at_step",
}
LOADED: Final[Roles] = {
    "model": Reads(("@model_override", "ckpt_name"), lora_inputs=("@optional_lora_stack", "@lora_stack")),
    "positive": "positive",
    "negative": "negative",
    "vae": ("@vae_override", "vae_name"),
    "clip": "@clip_override",
    "width": "empty_latent_width",
    "height": "empty_latent_height",
    "batch_size": "batch_size",
}
LOADER_LORA: Final = (Note("model", "lora", ("lora_name", "lora_model_strength")),)
SWITCHES: Final[Mapping[str, NodeClass]] = {
    "SetNode": PASS_THROUGH,
    "GetNode": row({"*": "@"}, "pass"),
    "easy showAnything": PASS_THROUGH,
    "Any Switch (rgthree)": row({"*": "@any_*"}, "pass"),
    "ComfySwitchNode": _switch("picked_by_bool", "switch", "@on_false", "@on_true"),
    "LazySwitchKJ": _switch("picked_by_bool", "switch", "@on_false", "@on_true"),
    "easy ifElse": _switch("picked_by_bool", "boolean", "@on_false", "@on_true"),
    "ImpactConditionalBranch": _switch("picked_by_bool", "cond", "@ff_value", "@tt_value"),
    **dict.fromkeys(
        ("ImpactSwitch", "LatentSwitch"),
        _switch("picked_from_1", "select", *numbered("@input{}", range(1, 21))),
    ),
    "easy anythingIndexSwitch": _switch("picked_from_0", "index", *numbered("@value{}", range(20))),
    "easy textSwitch": _switch("picked_from_1", "input", "@text1", "@text2"),
    **{
        f"CR {name.capitalize()} Input Switch": _switch("picked_from_1", "Input", f"@{name}1", f"@{name}2")
        for name in ("image", "latent", "conditioning", "clip", "model", "text")
    },
    "CR VAE Input Switch": _switch("picked_from_1", "Input", "@VAE1", "@VAE2"),
    "CR Img2Img Process Switch": _switch("picked_by_name", "Input", "@txt2img", "@img2img"),
    # Impact
    "ToBasicPipe": _bundle("@", **PARTS_IN),
    "FromBasicPipe": _bundle("@basic_pipe", "model clip vae positive negative"),
    "FromBasicPipe_v2": _bundle("@basic_pipe", "pipe model clip vae positive negative"),
    "EditBasicPipe": _bundle("@basic_pipe", **PARTS_IN),
    "ToDetailerPipe": _bundle("@", **PARTS_IN),
    "BasicPipeToDetailerPipe": _bundle("@basic_pipe"),
    "DetailerPipeToBasicPipe": _bundle("@detailer_pipe"),
    "EditDetailerPipe": _bundle("@detailer_pipe", **PARTS_IN),
    "FromDetailerPipe": _bundle("@detailer_pipe", "model clip vae positive negative"),
    "FromDetailerPipe_v2": _bundle("@detailer_pipe", "pipe model clip vae positive negative"),
    # Efficiency nodes
    "Efficient Loader": row(LOADED, outputs="model positive negative latent vae clip", notes=LOADER_LORA),
    "Eff. Loader SDXL": row(
        {**LOADED, "model": Reads(("base_ckpt_name",), lora_inputs=("@lora_stack",))},
        outputs="pipe latent vae",
        notes=options("model", refiner_model="refiner_ckpt_name"),
    ),
    "Pack SDXL Tuple": _bundle(
        "@", model="@base_model", clip="@base_clip", positive="@base_positive", negative="@base_negative"
    ),
    "Unpack SDXL Tuple": _bundle("@sdxl_tuple", "model clip positive negative"),
    # rgthree
    "Context (rgthree)": _bundle("@base_ctx", CONTEXT_OUT, **CONTEXT),
    "Context Big (rgthree)": _bundle("@base_ctx", BIG_OUT, **BIG),
    "Context Switch (rgthree)": row({"*": "@ctx_*"}, "pass", CONTEXT_OUT),
    "Context Switch Big (rgthree)": row({"*": "@ctx_*"}, "pass", BIG_OUT),
    "Context Merge (rgthree)": row({"*": Reads(("@ctx_*",), "last")}, "pass", CONTEXT_OUT),
    "Context Merge Big (rgthree)": row({"*": Reads(("@ctx_*",), "last")}, "pass", BIG_OUT),
    # Easy-Use and tinyterra
    "easy fullLoader": row(LOADED, outputs="pipe model vae clip positive negative latent", notes=LOADER_LORA),
    "easy pipeIn": _bundle("@pipe", **TTN_IN),
    "easy pipeOut": _bundle("@pipe", PIPE_OUT),
    "easy pipeToBasicPipe": _bundle("@pipe"),
    "ttN pipeLoader_v2": row(
        LOADED, outputs="pipe model positive negative latent vae clip", notes=LOADER_LORA
    ),
    "ttN pipeEDIT": _bundle("@pipe", PIPE_OUT, seed="seed", **TTN_IN),
    "ttN pipe2BASIC": _bundle("@pipe", "pipe pipe"),
    "CR Module Pipe Loader": _bundle("@", seed="seed", **TTN_IN),
    "CR Module Input": _bundle(
        "@pipe", "pipe model positive negative latent vae clip control_net image seed"
    ),
}
SWITCH_PREFIXES: Final[Mapping[str, NodeClass]] = {
    "Reroute": PASS_THROUGH,
    "easy preSampling": row(PRE, "pass"),
    **{
        f"easy {name}Loader": row(LOADED, outputs="pipe model vae", notes=LOADER_LORA)
        for name in ("a1111", "comfy", "flux", "hunyuanDiT", "kolors", "pixArt", "mochi")
    },
}
"""Classes that are known by the start of their names."""

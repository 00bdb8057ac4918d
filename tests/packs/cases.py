"""What is tried of each pack: every node that samples, every name that it adds to ComfyUI's list of samplers,
every SAMPLER, NOISE and GUIDER that it makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comfyui.graph import Settings

from . import recipes as r
from .packs import REPOSITORIES
from .trial import Info, NotOffered, Trial, new_trial

CORE = "ComfyUI itself"
"""The pack of samplers that no pack adds: tried since packs change what they do."""
ADDED = {
    "RES4LYF": r"(res|deis)_\d|(legacy_)?rk",
    "ComfyUI-sonar": r"sonar_",
}
"""Pack -> the names that it adds to KSampler's list; bleh's presets do nothing until a node sets them."""

STEPS = Settings().steps
NAN = ("hybrid/abnorsett2_1h2s", "hybrid/lawson42-gen-mod_1h4s", "diag_implicit/irk_exp_diag_2s")
"""RES4LYF's samplers that give NaN with the test pack's models, whatever the seed: equal bits show nothing."""
QUICK_STAGES = 2
"""RES4LYF has 130 samplers, some of which take seconds for four steps; those of more stages are slow."""


@dataclass(frozen=True, slots=True)
class Case:
    """One sampler, and how to get a result from it."""

    pack: str
    name: str
    recipe: r.Recipe
    start: str = "empty"
    """The latent that it starts from: empty, encoded or masked."""
    sampler_name: str = "euler_ancestral"
    """For the widgets that offer it: one that draws at every step."""
    scheduler: str = "normal"
    kind: str = "eps"

    def build(self, info: Info) -> Trial:
        """Return a new graph of this case.

        Raises
        ------
        NotOffered
            if the server lacks a node or a choice.
        """
        settings = Settings(
            kind=self.kind, seed=2**40 + 3, sampler_name=self.sampler_name, scheduler=self.scheduler
        )
        trial = new_trial(info, settings, start=self.start)
        self.recipe(trial)
        return trial


def all_cases(info: Info, packs: Sequence[str], *, slow: bool = False) -> list[Case]:
    """Return the cases of the packs that are there, and those of ComfyUI's own samplers."""
    made = [*_names(info), *NODES, *_res4lyf(info, slow=slow), *_sonar(info)]
    return [case for case in made if case.pack in (*packs, CORE)]


MADE = {"SAMPLER", "NOISE", "GUIDER", "KSAMPLER", "KSAMPLER_ADVANCED"}


def sampling_classes(info: Info) -> set[str]:
    """Return the packs' nodes that make what samplers take, or that have steps and a cfg and give a result."""
    return {
        class_type
        for class_type, described in info.items()
        if described["python_module"].partition(".")[2] in REPOSITORIES and _samples(described)
    }


def _samples(described: Mapping[str, Any]) -> bool:
    inputs = {name for group in described["input"].values() for name in group}
    outputs = {output for output in described["output"] if isinstance(output, str)}
    result = outputs & {"LATENT", "IMAGE", "SEGS"} and {"steps", "base_steps"} & inputs and "cfg" in inputs
    return bool(outputs & MADE or result or ("basic_pipe" in inputs and "LATENT" in outputs))


def classes(case: Case, info: Info) -> set[str]:
    """Return the classes of a case's nodes; none if the server lacks one of them."""
    try:
        return {node["class_type"] for node in case.build(info).graph.nodes.values()}
    except NotOffered:
        return set()


def _names(info: Info) -> Iterator[Case]:
    """Every name of KSampler's list."""
    for name in _choices(info, "KSampler", "sampler_name"):
        if name.startswith("bleh_preset"):
            continue
        pack = next((pack for pack, pattern in ADDED.items() if re.match(pattern, name)), CORE)
        kinds = ("eps",) if pack == CORE else ("eps", "flow")
        for kind in kinds:
            yield Case(pack, f"KSampler, {name}, {kind}", r.node("KSampler"), sampler_name=name, kind=kind)


def _res4lyf(info: Info, *, slow: bool) -> Iterator[Case]:
    """The samplers of ClownsharKSampler, and every noise type of its SAMPLERs."""
    for name in _choices(info, "ClownsharKSampler_Beta", "sampler_name"):
        if name not in ("none", *NAN) and (slow or _stages(name) <= QUICK_STAGES):
            yield Case("RES4LYF", f"ClownsharKSampler, {name}", _clown(name))
    for name in _choices(info, "ClownSamplerAdvanced_Beta", "noise_type_sde"):
        if name != "none":
            recipe = r.sampler_object(
                "ClownSamplerAdvanced_Beta", noise_type_sde=name, noise_type_sde_substep=name
            )
            yield Case("RES4LYF", f"ClownSamplerAdvanced, {name} noise", recipe)
    for name in _choices(info, "AdvancedNoise", "noise_type"):
        yield Case("RES4LYF", f"AdvancedNoise, {name}", r.noise_object("AdvancedNoise", noise_type=name))


def _stages(name: str) -> int:
    """Return how often a sampler of RES4LYF runs the model in a step."""
    found = re.search(r"_(\d+)s", name)
    return int(found[1]) if found else 1


def _clown(name: str, **inputs: Any) -> r.Recipe:
    sockets = ("model", *TEXTS, "latent_image")
    return r.node("ClownsharKSampler_Beta", wire=sockets, sampler_name=name, **inputs)


def _sonar(info: Info) -> Iterator[Case]:
    """Every kind of noise of sonar's samplers, and of its wrapper for others' samplers."""
    for name in _choices(info, "SamplerSonarEulerA", "noise_type"):
        recipe = r.sampler_object("SamplerSonarEulerA", noise_type=name)
        yield Case("ComfyUI-sonar", f"SamplerSonarEulerA, {name} noise", recipe)
    for name in ("gaussian", "brownian", "perlin", "pyramid", "uniform"):
        recipe = r.sampler_object("SamplerConfigOverride", wire=("noise_type",), noise_type=name)
        yield Case("ComfyUI-sonar", f"SamplerConfigOverride, {name} noise", recipe)
    for name in ("ZERO", "RAND", "SAMPLE", "SAMPLE_NORM"):
        for kind in ("SamplerSonarEuler", "SamplerSonarDPMPPSDE"):
            yield Case(
                "ComfyUI-sonar", f"{kind}, momentum {name}", r.sampler_object(kind, momentum_init=name)
            )


def _choices(info: Info, class_type: str, name: str) -> list[str]:
    declared = info.get(class_type, {"input": {"required": {}}})["input"]["required"].get(name)
    if declared is None:
        return []
    return list(declared[0] if isinstance(declared[0], list) else declared[1]["options"])


TEXTS = ("positive", "negative")
IMPACT, INSPIRE, EASY_USE, TTN = (
    "ComfyUI-Impact-Pack",
    "ComfyUI-Inspire-Pack",
    "ComfyUI-Easy-Use",
    "ComfyUI_tinyterraNodes",
)
SHARK = ("model", *TEXTS, "sampler", "latent_image")
INSPIRE_MODES = ("GPU(=A1111)", "CPU", "GPU+internal_seed", "CPU+internal_seed")


def _sonar_restart(trial: Trial) -> list[Any]:
    inner = [trial.add("KSamplerSelect", sampler_name="euler_ancestral"), 0]
    return [trial.add("RestartSamplerCustomNoise", sampler=inner), 0]


def _preset(trial: Trial) -> None:
    """bleh_preset_0 set to an ancestral sampler before the model gets to the sampler."""
    made = trial.add("BlehSetSamplerPreset", any_input=trial.graph.model)
    trial.graph.model = [made, 0]
    trial.sampler("KSampler", sampler_name="bleh_preset_0")


def _chain(trial: Trial) -> list[Any]:
    first = trial.add("BlehInsaneChainSampler", steps=2)
    rest = [trial.add("KSamplerSelect", sampler_name="dpmpp_sde"), 0]
    return [
        trial.add("BlehInsaneChainSampler", sampler=rest, sampler_chain_opt=[first, 1], steps=STEPS),
        0,
    ]


def _scheduled_guider(class_type: str) -> r.Recipe:
    def recipe(trial: Trial) -> None:
        made = trial.add(class_type, sigmas=r.sigmas(trial))
        r.custom_advanced(trial, guider=[made, 0], sigmas=[made, 1])
        trial.said.pop("cfg", None)

    return recipe


def _fixed_guider(trial: Trial) -> None:
    guider = trial.add("CFGGuider")
    trial.note(guider)
    r.custom_advanced(trial, guider=[trial.add("BlehFixGuiderPreviewing", guider=[guider, 0]), 0])


def _lanpaint_custom(trial: Trial) -> None:
    trial.sampler("LanPaint_SamplerCustom", sigmas=r.sigmas(trial))


def _lanpaint_advanced(trial: Trial) -> None:
    guider, noise = trial.add("CFGGuider"), trial.add("RandomNoise")
    trial.note(guider), trial.note(noise)
    links = {"guider": [guider, 0], "noise": [noise, 0], "sigmas": r.sigmas(trial)}
    trial.sampler("LanPaint_SamplerCustomAdvanced", **links)


def _sonar_noise(trial: Trial) -> None:
    custom = [trial.add("SonarCustomNoise", noise_type="pyramid"), 0]
    made = trial.add("SONAR_CUSTOM_NOISE to NOISE", custom_noise=custom)
    trial.note(made)
    r.custom_advanced(trial, noise=[made, 0])


def _shark(class_type: str) -> r.Recipe:
    def recipe(trial: Trial) -> None:
        sampler = [trial.add("ClownSampler_Beta", seed=-1), 0]
        trial.sampler(class_type, wire=SHARK, sampler=sampler)

    return recipe


def _shark_chain(trial: Trial) -> None:
    sampler = [trial.add("ClownSampler_Beta", seed=-1), 0]
    first = trial.sampler("SharkSampler_Beta", wire=SHARK, sampler=sampler, steps_to_run=2)
    told = dict(trial.said)
    inputs = {"sampler": sampler, "latent_image": [first, 0]}
    trial.sampler("SharkChainsampler_Beta", wire=("model", *TEXTS), **inputs)
    trial.said = told


def _options(class_type: str) -> Callable[[Trial], list[Any]]:
    return lambda trial: [trial.add(class_type, sampler=[trial.add("ClownSampler"), 0]), 0]


def _seeded_shark(trial: Trial) -> None:
    """A SAMPLER with a seed of its own beside the SharkSampler's."""
    sampler = [trial.add("ClownSampler_Beta"), 0]
    trial.sampler("SharkSampler_Beta", wire=SHARK, sampler=sampler)


def _ultra(trial: Trial) -> None:
    sampler = [trial.add("ClownSampler"), 0]
    trial.sampler("UltraSharkSampler", sampler=sampler, sigmas=r.sigmas(trial))


def _legacy_shark(trial: Trial) -> None:
    sampler = [trial.add("Legacy_ClownSampler"), 0]
    trial.sampler("Legacy_SharkSampler", sampler=sampler)


def _ttn_plain(trial: Trial) -> None:
    inputs = {"lora_name": "None", "upscale_method": "None", "image_output": "Hide"}
    trial.sampler("ttN KSampler_v2", slot=3, wire=("seed",), **inputs)


NODES = [
    *(
        Case(CORE, f"KSampler, scheduler {name}", r.node("KSampler"), scheduler=name)
        for name in ("bong_tangent", "beta57")
    ),
    Case(
        "RES4LYF",
        "ClownsharKSampler, encoded latent at denoise 0.5",
        _clown("multistep/res_2m", denoise=0.5),
        start="encoded",
    ),
    Case("RES4LYF", "ClownsharKSampler, masked latent", _clown("multistep/res_2m"), start="masked"),
    Case(
        "RES4LYF",
        "ClownsharKSampler, unsample",
        _clown("multistep/res_2m", sampler_mode="unsample"),
        start="encoded",
    ),
    Case("RES4LYF", "ClownsharKSampler, eta 0", _clown("multistep/res_2m", eta=0.0)),
    Case(
        "RES4LYF",
        "ClownsharkChainsampler",
        r.chained(
            _clown("multistep/res_2m", steps_to_run=2), "ClownsharkChainsampler_Beta", wire=("model", *TEXTS)
        ),
    ),
    Case("RES4LYF", "SharkSampler", _shark("SharkSampler_Beta")),
    Case("RES4LYF", "SharkSampler, ClownSampler with a seed", _seeded_shark),
    Case("RES4LYF", "SharkChainsampler", _shark_chain),
    Case("RES4LYF", "ClownSampler in SamplerCustomAdvanced", r.sampler_object("ClownSampler_Beta")),
    Case("RES4LYF", "ClownsharKSampler (older)", r.node("ClownsharKSampler", wire=(*TEXTS, "latent_image"))),
    Case("RES4LYF", "ClownSampler (older)", r.sampler_object("ClownSampler")),
    Case("RES4LYF", "ClownSamplerAdvanced (older)", r.sampler_object("ClownSamplerAdvanced")),
    Case("RES4LYF", "Legacy_ClownSampler", r.sampler_object("Legacy_ClownSampler")),
    Case(
        "RES4LYF",
        "Legacy_ClownsharKSampler",
        r.node("Legacy_ClownsharKSampler", wire=(*TEXTS, "latent_image")),
    ),
    Case("RES4LYF", "Legacy_SharkSampler", _legacy_shark),
    *(
        Case("RES4LYF", name, r.on_sampler(_options(name)))
        for name in ("SamplerOptions_GarbageCollection", "SamplerOptions_TimestepScaling")
    ),
    Case("RES4LYF", "UltraSharkSampler", _ultra),
    Case("RES4LYF", "BongSampler", r.node("BongSampler", wire=(*TEXTS, "latent_image"))),
    *(
        Case("ComfyUI_smZNodes", f"smZ Settings, {name}", r.smz(r.node("KSampler")), sampler_name=name)
        for name in (
            "euler",
            "euler_ancestral",
            "dpmpp_2m_sde",
            "dpmpp_sde",
            "dpmpp_2s_ancestral",
            "lcm",
            "dpm_2_ancestral",
            "dpmpp_2m_alt",
        )
    ),
    *(
        Case("ComfyUI_smZNodes", f"smZ Settings, RNG {rng}", r.smz(r.node("KSampler"), RNG=rng, ENSD=31337))
        for rng in ("cpu", "gpu", "nv")
    ),
    Case(
        "ComfyUI_smZNodes",
        "smZ Settings, CFGDenoiser",
        r.smz(r.node("KSampler"), **{"Use CFGDenoiser": True}),
    ),
    Case(
        "ComfyUI_smZNodes",
        "smZ Settings, sgm_noise_multiplier off",
        r.smz(r.node("KSampler"), sgm_noise_multiplier=False),
    ),
    Case(IMPACT, "KSampler (pipe)", r.in_basic_pipe("ImpactKSamplerBasicPipe", slot=1)),
    Case(
        IMPACT,
        "KSampler (pipe), dpmpp_2m_sde",
        r.in_basic_pipe("ImpactKSamplerBasicPipe", slot=1),
        sampler_name="dpmpp_2m_sde",
    ),
    Case(
        IMPACT,
        "KSampler (pipe), dpmpp_3m_sde_gpu",
        r.in_basic_pipe("ImpactKSamplerBasicPipe", slot=1),
        sampler_name="dpmpp_3m_sde_gpu",
    ),
    Case(IMPACT, "KSampler (Advanced/pipe)", r.in_basic_pipe("ImpactKSamplerAdvancedBasicPipe", slot=1)),
    Case(IMPACT, "TwoSamplersForMask", r.two_providers("TwoSamplersForMask", "KSamplerProvider")),
    Case(
        IMPACT,
        "TwoAdvancedSamplersForMask",
        r.two_providers("TwoAdvancedSamplersForMask", "KSamplerAdvancedProvider"),
    ),
    Case(IMPACT, "RegionalSampler", r.regional("RegionalSampler")),
    Case(IMPACT, "RegionalSamplerAdvanced", r.regional("RegionalSamplerAdvanced")),
    Case(IMPACT, "IterativeLatentUpscale", r.upscaler("PixelKSampleUpscalerProvider"), start="encoded"),
    Case(
        IMPACT,
        "IterativeLatentUpscale (pipe)",
        r.upscaler("PixelKSampleUpscalerProviderPipe"),
        start="encoded",
    ),
    Case(IMPACT, "MaskDetailer (pipe)", r.detailer("MaskDetailerPipe", segs=False, pipe=True)),
    Case(IMPACT, "DetailerForEach", r.detailer("DetailerForEach")),
    Case(IMPACT, "DetailerForEach (pipe)", r.detailer("DetailerForEachPipe", pipe=True)),
    Case(IMPACT, "DetailerForEachDebug", r.detailer("DetailerForEachDebug")),
    Case(IMPACT, "DetailerForEachDebug (pipe)", r.detailer("DetailerForEachDebugPipe", pipe=True)),
    Case(
        IMPACT,
        "DetailerForEachPipeForAnimateDiff",
        r.detailer("DetailerForEachPipeForAnimateDiff", pipe=True),
    ),
    Case(IMPACT, "SEGSUpscaler", r.detailer("SEGSUpscaler")),
    Case(IMPACT, "SEGSUpscaler (pipe)", r.detailer("SEGSUpscalerPipe", pipe=True)),
    Case(IMPACT, "SEGSDetailerForAnimateDiff", r.detailer("SEGSDetailerForAnimateDiff", pipe=True, slot=1)),
    Case(IMPACT, "SEGSDetailer", r.detailer("SEGSDetailer", pipe=True, slot=1)),
    *(
        Case(INSPIRE, f"KSampler, {mode}", r.node("KSampler //Inspire", noise_mode=mode))
        for mode in INSPIRE_MODES
    ),
    Case(
        INSPIRE, "KSampler, variation", r.node("KSampler //Inspire", variation_seed=5, variation_strength=0.3)
    ),
    *(
        Case(INSPIRE, f"KSamplerAdvanced, {mode}", r.node("KSamplerAdvanced //Inspire", noise_mode=mode))
        for mode in INSPIRE_MODES
    ),
    Case(INSPIRE, "KSamplerPipe", r.in_basic_pipe("KSamplerPipe //Inspire", slot=0)),
    Case(INSPIRE, "KSamplerAdvancedPipe", r.in_basic_pipe("KSamplerAdvancedPipe //Inspire", slot=0)),
    Case(INSPIRE, "KSamplerProgress", r.node("KSamplerProgress //Inspire")),
    Case(INSPIRE, "KSamplerAdvancedProgress", r.node("KSamplerAdvancedProgress //Inspire")),
    Case(INSPIRE, "RandomNoise", r.noise_object("RandomNoise //Inspire")),
    Case(INSPIRE, "ScheduledCFGGuider", _scheduled_guider("ScheduledCFGGuider //Inspire")),
    Case(EASY_USE, "preSampling, kSampler", r.easy("easy kSampler", "easy preSampling")),
    Case(
        EASY_USE,
        "preSampling, kSampler, dpmpp_sde",
        r.easy("easy kSampler", "easy preSampling"),
        sampler_name="dpmpp_sde",
    ),
    Case(
        EASY_USE,
        "preSampling, kSampler, dpmpp_2m_sde_gpu",
        r.easy("easy kSampler", "easy preSampling"),
        sampler_name="dpmpp_2m_sde_gpu",
    ),
    Case(EASY_USE, "preSamplingAdvanced, kSampler", r.easy("easy kSampler", "easy preSamplingAdvanced")),
    Case(
        EASY_USE,
        "preSamplingAdvanced (GPU), kSampler",
        r.easy("easy kSampler", "easy preSamplingAdvanced", steps={"add_noise": "enable (GPU=A1111)"}),
    ),
    Case(EASY_USE, "preSamplingDynamicCFG, kSampler", r.easy("easy kSampler", "easy preSamplingDynamicCFG")),
    Case(EASY_USE, "preSamplingNoiseIn, kSampler", r.easy("easy kSampler", "easy preSamplingNoiseIn")),
    Case(
        EASY_USE,
        "preSamplingCustom, kSamplerCustom",
        r.easy(
            "easy kSamplerCustom",
            "easy preSamplingCustom",
            steps={"guider": "CFG", "sampler_name": "euler_ancestral"},
        ),
    ),
    Case(
        EASY_USE,
        "preSamplingSdTurbo, kSamplerSDTurbo",
        r.easy("easy kSamplerSDTurbo", "easy preSamplingSdTurbo"),
    ),
    Case(EASY_USE, "preSampling, kSamplerTiled", r.easy("easy kSamplerTiled", "easy preSampling")),
    Case(
        EASY_USE,
        "preSampling, kSamplerDownscaleUnet",
        r.easy("easy kSamplerDownscaleUnet", "easy preSampling"),
    ),
    Case(
        EASY_USE,
        "preSampling, kSamplerInpainting",
        r.easy("easy kSamplerInpainting", "easy preSampling", wire=("mask",)),
    ),
    Case(EASY_USE, "fullkSampler", r.easy("easy fullkSampler", None)),
    Case(
        EASY_USE,
        "unSampler",
        r.unsampled(
            "easy unSampler",
            1,
            wire=("optional_model", "optional_positive", "optional_negative", "optional_latent"),
            sampler_name="euler",
        ),
        start="encoded",
    ),
    *(
        Case("LanPaint", f"KSampler, {name}", r.node("LanPaint_KSampler"), start="masked", sampler_name=name)
        for name in (
            "euler",
            "euler_ancestral",
            "heun",
            "dpm_2_ancestral",
            "dpmpp_2m",
            "dpmpp_2m_sde",
            "dpmpp_sde",
            "ddim",
        )
    ),
    Case("LanPaint", "KSampler, empty latent", r.node("LanPaint_KSampler")),
    Case("LanPaint", "KSamplerAdvanced", r.node("LanPaint_KSamplerAdvanced"), start="masked"),
    Case("LanPaint", "SamplerCustom", _lanpaint_custom, start="masked"),
    Case("LanPaint", "SamplerCustomAdvanced", _lanpaint_advanced, start="masked"),
    Case("ComfyUI-sonar", "RestartSamplerCustomNoise", r.on_sampler(_sonar_restart)),
    Case("ComfyUI-sonar", "SONAR_CUSTOM_NOISE to NOISE", _sonar_noise),
    Case("ComfyUI-bleh", "BlehSetSamplerPreset", _preset),
    Case("ComfyUI-bleh", "BlehForceSeedSampler", r.sampler_object("BlehForceSeedSampler")),
    Case("ComfyUI-bleh", "BlehInsaneChainSampler", r.on_sampler(_chain)),
    Case("ComfyUI-bleh", "BlehCFGInitSampler", r.sampler_object("BlehCFGInitSampler")),
    Case("ComfyUI-bleh", "BlehFixGuiderPreviewing", _fixed_guider),
    Case("ComfyUI-bleh", "BlehDisableNoise", r.noise_object("BlehDisableNoise"), start="encoded"),
    Case("efficiency-nodes-comfyui", "KSampler", r.efficient("KSampler (Efficient)")),
    Case(
        "efficiency-nodes-comfyui",
        "KSampler, dpmpp_2m_sde",
        r.efficient("KSampler (Efficient)"),
        sampler_name="dpmpp_2m_sde",
    ),
    Case("efficiency-nodes-comfyui", "KSampler Adv.", r.efficient("KSampler Adv. (Efficient)")),
    Case("efficiency-nodes-comfyui", "KSampler SDXL, base alone", r.efficient_sdxl(-1)),
    Case("efficiency-nodes-comfyui", "KSampler SDXL, base and refiner", r.efficient_sdxl(2)),
    *(
        Case(
            "efficiency-nodes-comfyui",
            f"KSampler, Noise Control {rng}",
            r.efficient("KSampler (Efficient)", "Noise Control Script", rng_source=rng, add_seed_noise=True),
        )
        for rng in ("cpu", "gpu", "nv")
    ),
    Case(
        "efficiency-nodes-comfyui",
        "KSampler, HighRes-Fix",
        r.efficient("KSampler (Efficient)", "HighRes-Fix Script", hires_steps=2),
    ),
    Case(
        "efficiency-nodes-comfyui",
        "KSampler, Tiled Upscaler",
        r.efficient("KSampler (Efficient)", "Tiled Upscaler Script", wire=("optional_vae",), tiling_steps=2),
    ),
    Case(TTN, "KSampler_v2", _ttn_plain),
    Case(TTN, "pipeKSampler_v2", r.ttn("ttN pipeKSampler_v2")),
    Case(TTN, "pipeKSampler_v2, dpmpp_2m_sde", r.ttn("ttN pipeKSampler_v2"), sampler_name="dpmpp_2m_sde"),
    Case(TTN, "pipeKSamplerAdvanced_v2", r.ttn("ttN pipeKSamplerAdvanced_v2", seed="noise_seed")),
    Case(TTN, "pipeKSampler", r.ttn("ttN pipeKSampler")),
    Case(TTN, "pipeKSamplerAdvanced", r.ttn("ttN pipeKSamplerAdvanced", seed="noise_seed")),
    Case("ComfyUI_Noise", "InjectNoise", r.injected),
    Case(
        "ComfyUI_Noise", "Unsampler", r.unsampled("BNK_Unsampler", 0, sampler_name="euler"), start="encoded"
    ),
    Case(
        "ComfyUI_Noise",
        "Unsampler, normalized",
        r.unsampled("BNK_Unsampler", 0, sampler_name="euler", normalize="enable"),
        start="encoded",
    ),
]

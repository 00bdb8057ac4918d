"""The ways from a model to a result through a pack's nodes; a recipe fills in a trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from comfyui.graph import Link

from .trial import Trial

Recipe = Callable[[Trial], Any]


def node(class_type: str, *, slot: int = 0, wire: Sequence[str] = (), **inputs: Any) -> Recipe:
    """One node that samples, everything at its default."""
    return lambda trial: trial.sampler(class_type, slot=slot, wire=wire, **inputs)


def sigmas(trial: Trial) -> Link:
    """Return SIGMAS of the trial's steps and scheduler."""
    made = trial.add("BasicScheduler", model=trial.graph.model, denoise=1.0)
    trial.note(made)
    return [made, 0]


def on_sampler(make: Callable[[Trial], Link]) -> Recipe:
    """SamplerCustomAdvanced with the SAMPLER that make adds."""

    def recipe(trial: Trial) -> None:
        custom_advanced(trial, sampler=make(trial))

    return recipe


def custom_advanced(trial: Trial, **links: Link) -> None:
    """Add a SamplerCustomAdvanced; links replace its noise, guider or sampler, or its sigmas."""
    wanted = dict(links)
    if "guider" not in wanted:
        guider = trial.add("CFGGuider")
        trial.note(guider)
        wanted["guider"] = [guider, 0]
    if "noise" not in wanted:
        noise = trial.add("RandomNoise")
        trial.note(noise)
        wanted["noise"] = [noise, 0]
    wanted.setdefault("sigmas", sigmas(trial))
    trial.sampler("SamplerCustomAdvanced", **wanted)


def sampler_object(class_type: str, *, wire: Sequence[str] = (), **inputs: Any) -> Recipe:
    """SamplerCustomAdvanced with the SAMPLER of one node."""
    return on_sampler(lambda trial: [trial.add(class_type, wire=wire, **inputs), 0])


def noise_object(class_type: str, **inputs: Any) -> Recipe:
    """SamplerCustomAdvanced with the NOISE of one node."""

    def recipe(trial: Trial) -> None:
        made = trial.add(class_type, **inputs)
        trial.note(made)
        custom_advanced(trial, noise=[made, 0])

    return recipe


def basic_pipe(trial: Trial) -> Link:
    """Return a BASIC_PIPE of the Impact Pack."""
    return [trial.add("ToBasicPipe"), 0]


def in_basic_pipe(class_type: str, *, slot: int, **inputs: Any) -> Recipe:
    """One node that samples what a BASIC_PIPE holds."""
    return lambda trial: trial.sampler(class_type, slot=slot, basic_pipe=basic_pipe(trial), **inputs)


def two_providers(class_type: str, provider: str) -> Recipe:
    """A node of the Impact Pack that samples with the KSAMPLERs of two providers, one behind a mask."""

    def recipe(trial: Trial) -> None:
        pipe = basic_pipe(trial)
        made = [trial.add(provider, basic_pipe=pipe) for _ in range(2)]
        trial.note(made[0])
        trial.sampler(class_type, base_sampler=[made[0], 0], mask_sampler=[made[1], 0])

    return recipe


def regional(class_type: str) -> Recipe:
    """RegionalSampler: a base sampler, and one for a region."""

    def recipe(trial: Trial) -> None:
        pipe = basic_pipe(trial)
        made = [trial.add("KSamplerAdvancedProvider", basic_pipe=pipe) for _ in range(2)]
        region = trial.add("RegionalPrompt", advanced_sampler=[made[1], 0])
        trial.note(made[0])
        trial.sampler(class_type, base_sampler=[made[0], 0], regional_prompts=[region, 0], overlap_factor=1)

    return recipe


def upscaler(provider: str, **inputs: Any) -> Recipe:
    """IterativeLatentUpscale: samples again at each of its sizes."""

    def recipe(trial: Trial) -> None:
        if "Pipe" in provider:
            inputs["basic_pipe"] = basic_pipe(trial)
        made = trial.add(provider, **{"denoise": 0.5, **inputs})
        trial.note(made)
        told = dict(trial.said)
        trial.sampler("IterativeLatentUpscale", upscaler=[made, 0], steps=2, temp_prefix="")
        trial.said = told

    return recipe


def detailer(class_type: str, *, segs: bool = True, pipe: bool = False, slot: int = 0) -> Recipe:
    """A detailer: encodes a part of a picture, samples it, and pastes it in again."""

    def recipe(trial: Trial) -> None:
        inputs: dict[str, Any] = {"basic_pipe": basic_pipe(trial)} if pipe else {}
        if segs:
            inputs["segs"] = [trial.add("MaskToSEGS"), 0]
        trial.sampler(class_type, slot=slot, **inputs)
        trial.image, trial.straight = trial.graph.result, False

    return recipe


def easy_pipe(trial: Trial) -> Link:
    """Return a PIPE_LINE of Easy-Use with a model, texts, a latent, VAE and CLIP."""
    names = ("model", "pos", "neg", "latent", "vae", "clip", "image")
    return [trial.add("easy pipeIn", wire=names), 0]


def easy(
    sampler: str, before: str | None, *, wire: Sequence[str] = (), steps: dict[str, Any] | None = None
) -> Recipe:
    """A sampler of Easy-Use on a pipe, its settings in the node before it; the latent is taken from the pipe."""

    def recipe(trial: Trial) -> None:
        pipe = easy_pipe(trial)
        if before:
            made = trial.add(before, pipe=pipe, **(steps or {}))
            trial.note(made)
            pipe = [made, 0]
        sockets = (*wire, "seed") if before is None else wire
        last = trial.sampler(sampler, pipe=pipe, image_output="Hide", wire=sockets)
        trial.graph.result = [trial.add("easy pipeOut", pipe=[last, 0]), 4]

    return recipe


def ttn(class_type: str, *, slot: int = 4, seed: str = "seed") -> Recipe:
    """A sampler of tinyterraNodes on a pipe."""

    def recipe(trial: Trial) -> None:
        pipe = [trial.add("ttN pipeIN"), 0]
        trial.graph.seeded.clear()  # the pipe's own seed, which the sampler's replaces
        inputs = {"lora_name": "None", "upscale_method": "None", "image_output": "Hide"}
        trial.sampler(class_type, slot=slot, pipe=pipe, wire=(seed,), **inputs)

    return recipe


def smz(recipe: Recipe, **settings: Any) -> Recipe:
    """A recipe whose model has passed through smZ Settings."""

    def inner(trial: Trial) -> None:
        optional = trial.info["smZ Settings"]["input"]["optional"]
        wire = [name for name, spec in optional.items() if name not in settings and "info" not in name]
        wire = [name for name in wire if spec_kind(optional[name]) != "STRING"]
        made = trial.add("smZ Settings", wire=wire, **{"*": trial.graph.model, "extra": "{}", **settings})
        trial.graph.model = [made, 0]
        recipe(trial)

    return inner


def spec_kind(spec: Sequence[Any]) -> str:
    """Return the type of an input."""
    return "COMBO" if isinstance(spec[0], list) else str(spec[0])


def efficient(
    class_type: str, script: str | None = None, *, wire: Sequence[str] = (), **inputs: Any
) -> Recipe:
    """A sampler of efficiency-nodes, with one of its scripts or none."""

    def recipe(trial: Trial) -> None:
        wanted = {"preview_method": "none", "vae_decode": "false"}
        if script:
            seeded = list(trial.graph.seeded)
            wanted["script"] = [trial.add(script, **inputs), 0]
            trial.graph.seeded = seeded
        trial.sampler(class_type, slot=3, wire=wire, **wanted)
        if "hires_steps" in inputs:  # the run that made the image has these
            trial.said["steps"] = inputs["hires_steps"]

    return recipe


def efficient_sdxl(refine_at: int) -> Recipe:
    """KSampler SDXL (Eff.): a base, and a refiner from a step on."""

    def recipe(trial: Trial) -> None:
        made = [trial.add("Pack SDXL Tuple"), 0]
        inputs = {"refine_at_step": refine_at, "preview_method": "none", "vae_decode": "false"}
        trial.sampler("KSampler SDXL (Eff.)", slot=1, sdxl_tuple=made, **inputs)

    return recipe


def chained(first: Recipe, class_type: str, **inputs: Any) -> Recipe:
    """A first sampler, and one of RES4LYF that goes on from its result and its options."""

    def recipe(trial: Trial) -> None:
        first(trial)
        told = dict(trial.said)
        before = trial.graph.result[0]
        trial.sampler(class_type, latent_image=[before, 0], **inputs)
        trial.said = told

    return recipe


def injected(trial: Trial) -> None:
    """ComfyUI_Noise: noise put into the latent by hand, and a KSamplerAdvanced that adds none."""
    noise = trial.add("BNK_NoisyLatentImage", source="CPU")
    made = trial.add("BNK_InjectNoise", latents=trial.graph.start, noise=[noise, 0], strength=14.0)
    trial.graph.start = [made, 0]
    trial.sampler("KSamplerAdvanced", add_noise="disable")


def unsampled(class_type: str, slot: int, **inputs: Any) -> Recipe:
    """A latent sampled backwards, and a KSamplerAdvanced that goes on from it without noise."""

    def recipe(trial: Trial) -> None:
        back = trial.add(class_type, **inputs)
        trial.sampler("KSamplerAdvanced", add_noise="disable", latent_image=[back, slot])
        if inputs.get("normalize") == "enable":  # what is sampled backwards is then not what is gone on from
            trial.graph.start = [back, slot]

    return recipe

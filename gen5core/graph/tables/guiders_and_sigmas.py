"""Guiders, sigmas and sampler objects, as a table: class -> role -> input name. ``schema`` has the vocabulary.

A schedule or sampler that has no name in ComfyUI's lists is named after its class, in lower case.
Source: comfy_extras/nodes_custom_sampler.py and its sibling modules, ComfyUI 0.3.29 to 0.33.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .schema import NodeClass, Note, Reads, Roles, options, row, words

GUIDER: Final[Roles] = {
    "model": "@model",
    "positive": "@positive",
    "negative": "@negative",
    "clip": "@positive",
    "cfg": "cfg",
}
UNGUIDED: Final[Roles] = {"model": "@model", "positive": "@conditioning", "clip": "@conditioning"}
NAG: Final = options("cfg", "nag_scale", "nag_tau", "nag_alpha", "nag_sigma_end")
GUIDERS: Final[Mapping[str, NodeClass]] = {
    "BasicGuider": row(UNGUIDED),
    "CFGGuider": row(GUIDER),
    "DualCFGGuider": row(
        {**GUIDER, "positive": "@cond1", "clip": "@cond1", "cfg": "cfg_conds"},
        notes=(
            *options("cfg", "cfg_cond2_negative", "style"),
            Note("cfg", "option", ("@cond2:positive",), "cond2"),
        ),
    ),
    "DualModelGuider": row(
        GUIDER, notes=(Note("cfg", "option", ("@model_negative:model",), "model_negative"),)
    ),
    "PerpNegGuider": row(GUIDER, notes=options("cfg", "neg_scale")),
    "LTXVDualCFGGuider": row({**GUIDER, "cfg": "video_cfg"}, notes=options("cfg", "audio_cfg")),
    "STGGuider": row(GUIDER, notes=options("cfg", "stg", "rescale")),
    "NAGGuider": row(UNGUIDED, notes=NAG),
    "NAGCFGGuider": row(GUIDER, notes=NAG),
    "ScheduledCFGGuider //Inspire": row(
        {**GUIDER, "cfg": Reads(rule="unknown"), "sigmas": "@sigmas"},
        outputs="guider sigmas",
        notes=options("cfg", "from_cfg", "to_cfg", cfg_schedule="schedule"),
    ),
}


def _sampler_object(sampler_name: str, *option_inputs: str, gpu: bool = False) -> NodeClass:
    name = Reads(("noise_device",), "on_device", sampler_name) if gpu else Reads(constant=sampler_name)
    return row({"sampler_name": name}, notes=options("sampler_name", *option_inputs))


DPM_ADAPTIVE: Final = words("order rtol atol h_init pcoeff icoeff dcoeff accept_safety eta s_noise")
SA_SOLVER: Final = words(
    "eta sde_start_percent sde_end_percent s_noise predictor_order corrector_order use_pece simple_order_2"
)
SAMPLER_OBJECTS: Final[Mapping[str, NodeClass]] = {
    "KSamplerSelect": row({"sampler_name": "sampler_name"}),
    "SamplerEulerAncestral": _sampler_object("euler_ancestral", "eta", "s_noise"),
    "SamplerEulerAncestralCFGPP": _sampler_object("euler_ancestral_cfg_pp", "eta", "s_noise"),
    "SamplerEulerCFGpp": _sampler_object("euler_cfg_pp", "version"),
    "SamplerLMS": _sampler_object("lms", "order"),
    "SamplerLCM": _sampler_object("lcm", "s_noise", "s_noise_end", "noise_clip_std"),
    "SamplerLCMUpscale": _sampler_object("lcm_upscale", "scale_ratio", "scale_steps", "upscale_method"),
    "SamplerDPMPP_2M_SDE": _sampler_object("dpmpp_2m_sde", "solver_type", "eta", "s_noise", gpu=True),
    "SamplerDPMPP_3M_SDE": _sampler_object("dpmpp_3m_sde", "eta", "s_noise", gpu=True),
    "SamplerDPMPP_SDE": _sampler_object("dpmpp_sde", "eta", "s_noise", "r", gpu=True),
    "SamplerDPMPP_2S_Ancestral": _sampler_object("dpmpp_2s_ancestral", "eta", "s_noise"),
    "SamplerDPMAdaptative": _sampler_object("dpm_adaptive", *DPM_ADAPTIVE),
    "SamplerER_SDE": _sampler_object("er_sde", "solver_type", "max_stage", "eta", "s_noise"),
    "SamplerSASolver": _sampler_object("sa_solver", *SA_SOLVER),
    "SamplerSEEDS2": _sampler_object("seeds_2", "solver_type", "eta", "s_noise", "r"),
    "VOIDSampler": _sampler_object("void_ddim"),
    "SamplerARVideo": _sampler_object("ar_video", "num_frame_per_block"),
    "ClownSampler_Beta": row(
        {"sampler_name": "sampler_name"}, notes=options("sampler_name", "eta", "bongmath")
    ),
}


def _scheduler(scheduler: str, *option_inputs: str, **renamed: str) -> NodeClass:
    roles: Roles = {"steps": "steps", "scheduler": Reads(constant=scheduler)}
    return row(roles, notes=options("scheduler", *option_inputs, **renamed))


def _partial_scheduler(scheduler: str, *option_inputs: str) -> NodeClass:
    """Return a scheduler that may leave out the first steps."""
    roles: Roles = {"steps": "steps", "denoise": "denoise", "scheduler": Reads(constant=scheduler)}
    return row(roles, notes=options("scheduler", *option_inputs))


UNCUT: Final = ("@sigmas:steps", "@sigmas:start_step", "@sigmas:end_step", "@sigmas:flipped")
"""What is left of a schedule after a cut is worked out from these (``findings.Span``)."""
SIGMAS: Final[Mapping[str, NodeClass]] = {
    "BasicScheduler": row({"steps": "steps", "scheduler": "scheduler", "denoise": "denoise"}),
    "KarrasScheduler": _scheduler("karras", "sigma_max", "sigma_min", "rho"),
    "ExponentialScheduler": _scheduler("exponential", "sigma_max", "sigma_min"),
    "PolyexponentialScheduler": _scheduler("polyexponential", "sigma_max", "sigma_min", "rho"),
    "LaplaceScheduler": _scheduler("laplace", "sigma_max", "sigma_min", "mu", "beta"),
    "VPScheduler": _scheduler("vp", "beta_d", "beta_min", "eps_s"),
    "SDTurboScheduler": _partial_scheduler("sd_turbo"),
    "BetaSamplingScheduler": _scheduler("beta", "alpha", "beta"),
    "AlignYourStepsScheduler": _partial_scheduler("align_your_steps", "model_type"),
    "OptimalStepsScheduler": _partial_scheduler("optimal_steps", "model_type"),
    "GITSScheduler": _partial_scheduler("gits", "coeff"),
    "LTXVScheduler": _scheduler("ltxv", "max_shift", "base_shift", "stretch", "terminal"),
    "Flux2Scheduler": _scheduler("flux2", schedule_width="width", schedule_height="height"),
    "Ideogram4Scheduler": _scheduler("ideogram4", "mu", "std"),
    "ManualSigmas": row(
        {"steps": Reads(("sigmas",), "sigma_count"), "scheduler": Reads(constant="manual")},
        notes=options("scheduler", "sigmas"),
    ),
    "SplitSigmas": row(
        {
            "sigmas": "@sigmas",
            "start_step": Reads(("step", *UNCUT), "split_start"),
            "end_step": Reads(("step", *UNCUT), "split_end"),
        },
        outputs="high_sigmas low_sigmas",
    ),
    "SplitSigmasDenoise": row(
        {
            "sigmas": "@sigmas",
            "denoise": Reads(("denoise", "@sigmas"), "denoised_part"),
            "start_step": Reads(("denoise", *UNCUT), "denoise_start"),
            "end_step": Reads(("denoise", *UNCUT), "denoise_end"),
        },
        outputs="high_sigmas low_sigmas",
    ),
    "FlipSigmas": row({"sigmas": "@sigmas", "flipped": Reads(("@sigmas",), "toggled")}),
    "SetFirstSigma": row({"sigmas": "@sigmas"}, notes=options("scheduler", first_sigma="sigma")),
    "ExtendIntermediateSigmas": row(
        {
            "sigmas": "@sigmas",
            "steps": Reads(rule="unknown"),
            "start_step": Reads(("@sigmas",), "unless_cut"),
            "end_step": Reads(("@sigmas",), "unless_cut"),
        },
        notes=options("scheduler", extended_steps="steps"),
    ),
}
PARTS: Final[Mapping[str, NodeClass]] = {**GUIDERS, **SAMPLER_OBJECTS, **SIGMAS}

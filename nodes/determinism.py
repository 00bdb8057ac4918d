"""Deterministic Sampling: makes torch give equal bits for equal input while sampling.

Source: PyTorch, "Reproducibility"; Diffusers, guide "Reproducible pipelines".
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch

from . import host

logger = logging.getLogger(__name__)
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
WORKSPACE_VALUES = (":4096:8", ":16:8")
_TORCH_REFUSAL = "does not have a deterministic implementation"
"""Part of torch's message about an operation that it refuses to run."""
_REMEDY = "This model cannot be sampled with Deterministic Sampling: turn `enabled` off there."


@dataclass(frozen=True, slots=True)
class _Switch:
    """One setting of torch: its value before sampling, and the value while sampling."""

    owner: Any
    name: str
    before: Any
    sampling: Any


class Gen5Determinism:
    """A MODEL that is sampled with deterministic settings."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Samples with torch's deterministic algorithms and without cuDNN benchmarking, TF32 and reduced-precision "
        "reductions. This is slower. The previous settings are restored after each run. Record Sampling records the "
        "settings that were used."
    )
    RETURN_TYPES = ("MODEL",)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("Connect it to the sampler or its guider.",)
    FUNCTION = "apply"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"model": ("MODEL", {"tooltip": "The model to sample with."})},
            "optional": {
                "enabled": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "Turn off to pass the model through unchanged."},
                )
            },
        }

    def apply(self, model: Any, enabled: bool = True) -> tuple[Any]:
        """Return a clone of model that samples deterministically, or model itself if enabled is off."""
        if not enabled:
            return (model,)
        if missing := workspace_advice():
            logger.warning("%s", missing)
        return (host.add_sampling_wrapper(model, "gen5_determinism", sample_deterministically),)


def sample_deterministically(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the sampler with deterministic settings.

    Raises
    ------
    RuntimeError
        torch's own, with the remedy added, if the model needs an operation that torch cannot run deterministically.
    """
    with deterministic():
        try:
            return executor(*args, **kwargs)
        except RuntimeError as error:
            if _TORCH_REFUSAL not in str(error):
                raise
            raise RuntimeError(f"{error}\n{_REMEDY}") from error


@contextmanager
def deterministic() -> Iterator[None]:
    """Make torch deterministic inside a block; all settings are restored on every exit."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    switches = [*_flags(), *_reductions(), *_precisions()]
    try:
        torch.use_deterministic_algorithms(True, warn_only=workspace_advice() is not None)
        for switch in switches:
            setattr(switch.owner, switch.name, switch.sampling)
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        for switch in switches:
            setattr(switch.owner, switch.name, switch.before)


def workspace_advice() -> str | None:
    """Return a warning if the variable that cuBLAS needs is not set; None if nothing is missing."""
    if not torch.cuda.is_available() or os.environ.get(WORKSPACE) in WORKSPACE_VALUES:
        return None
    return (
        f"{WORKSPACE} is not set: cuBLAS may give different bits from run to run. Set "
        f"{WORKSPACE}={WORKSPACE_VALUES[0]} in the environment and restart ComfyUI; "
        "until then torch warns instead of stopping"
    )


def _flags() -> Iterator[_Switch]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    yield _Switch(cudnn, "deterministic", cudnn.deterministic, True)
    yield _Switch(cudnn, "benchmark", cudnn.benchmark, False)
    for owner in (cudnn, matmul):
        with suppress(RuntimeError):  # torch refuses to read allow_tf32 if fp32_precision was set by hand
            yield _Switch(owner, "allow_tf32", owner.allow_tf32, False)


def _reductions() -> Iterator[_Switch]:
    matmul = torch.backends.cuda.matmul
    for name in ("allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction"):
        allowed, split_k = getattr(matmul, name), getattr(matmul, f"{name}_split_k", None)
        if split_k is None:
            yield _Switch(matmul, name, allowed, False)
        else:
            yield _Switch(matmul, name, (allowed, split_k), (False, split_k))


def _precisions() -> Iterator[_Switch]:
    """Yield the settings that replace allow_tf32 in torch 2.9 and later.

    Setting allow_tf32 changes them too, so they have to be set and restored last.
    """
    cudnn = torch.backends.cudnn
    for owner in (torch.backends.cuda.matmul, getattr(cudnn, "conv", None), getattr(cudnn, "rnn", None)):
        if (precision := getattr(owner, "fp32_precision", None)) is not None:
            yield _Switch(owner, "fp32_precision", precision, "ieee")

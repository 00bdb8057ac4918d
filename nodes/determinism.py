"""Deterministic Sampling: torch told to give equal bits for equal input, for the length of the sampling.

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
_NO_WAY = "does not have a deterministic implementation"
"""What torch says of an operation that it refuses to run."""
_REMEDY = "This model cannot be sampled behind Deterministic Sampling: turn `enabled` off there."


@dataclass(frozen=True, slots=True)
class _Switch:
    """A setting of torch: its value before, and for the length of the sampling."""

    owner: Any
    name: str
    before: Any
    sampling: Any


class Gen5Determinism:
    """A MODEL that samples under deterministic settings."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Samples with torch's deterministic algorithms, without cuDNN's benchmarking, TF32 and reduced-precision "
        "reductions. Slower; the settings from before are put back after each sampling. Record Sampling notes "
        "what was set."
    )
    RETURN_TYPES = ("MODEL",)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("Connect it to the sampler, or to its guider.",)
    FUNCTION = "apply"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"model": ("MODEL", {"tooltip": "The model to sample with."})},
            "optional": {
                "enabled": ("BOOLEAN", {"default": True, "tooltip": "Off passes the model through."})
            },
        }

    def apply(self, model: Any, enabled: bool = True) -> tuple[Any]:
        """Return a clone of model that samples deterministically, or model itself."""
        if not enabled:
            return (model,)
        if missing := workspace_advice():
            logger.warning("%s", missing)
        return (host.add_sampling_wrapper(model, "gen5_determinism", sample_deterministically),)


def sample_deterministically(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the sampler under deterministic settings.

    Raises
    ------
    RuntimeError
        torch's own, with the remedy, where the model needs what torch can only do otherwise.
    """
    with deterministic():
        try:
            return executor(*args, **kwargs)
        except RuntimeError as error:
            if _NO_WAY not in str(error):
                raise
            raise RuntimeError(f"{error}\n{_REMEDY}") from error


@contextmanager
def deterministic() -> Iterator[None]:
    """Set torch to deterministic algorithms for a block; every setting is put back on every exit."""
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
    """Return what to set before ComfyUI is started; None where nothing is missing."""
    if not torch.cuda.is_available() or os.environ.get(WORKSPACE) in WORKSPACE_VALUES:
        return None
    return (
        f"{WORKSPACE} is not set: cuBLAS may give other bits from run to run. Set {WORKSPACE}={WORKSPACE_VALUES[0]} "
        "in the environment before ComfyUI is started; until then torch warns instead of stopping"
    )


def _flags() -> Iterator[_Switch]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    yield _Switch(cudnn, "deterministic", cudnn.deterministic, True)
    yield _Switch(cudnn, "benchmark", cudnn.benchmark, False)
    for owner in (cudnn, matmul):
        with suppress(RuntimeError):  # fp32_precision was set by hand: torch refuses to tell allow_tf32
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
    """Yield what torch 2.9 and later have in place of allow_tf32, which sets these too: they come last."""
    cudnn = torch.backends.cudnn
    for owner in (torch.backends.cuda.matmul, getattr(cudnn, "conv", None), getattr(cudnn, "rnn", None)):
        if (precision := getattr(owner, "fp32_precision", None)) is not None:
            yield _Switch(owner, "fp32_precision", precision, "ieee")

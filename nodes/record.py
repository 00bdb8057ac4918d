"""Record Sampling: records what the samplers that use its MODEL receive."""

from __future__ import annotations

from typing import Any

from . import host
from .sampling.journal import rest_while_computing
from .sampling.overrides import record_torch_settings
from .sampling.recorder import SamplingRecorder
from .sampling.recording import Recording
from .sampling.step_noise import StepNoise


class Gen5Record:
    """A MODEL whose sampling is recorded, and the recording."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Records what every sampler that uses this MODEL receives: starting noise, start latent, sigmas, seed, cfg and "
        "torch's settings. Connect `recording` to Save Gen5."
    )
    RETURN_TYPES = ("MODEL", "GEN5_RECORDING")
    RETURN_NAMES = ("model", "recording")
    OUTPUT_TOOLTIPS = (
        "Connect it to the sampler or its guider.",
        "Connect it to Save Gen5, or to the next Record Sampling.",
    )
    FUNCTION = "record"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"model": ("MODEL", {"tooltip": "The model whose sampling is recorded."})},
            "optional": {
                "step_noise": (
                    ["auto", "never", "always"],
                    {
                        "default": "auto",
                        "tooltip": "Whether to record the noise that the sampler adds at each step; "
                        "auto keeps up to 64 MiB per run.",
                    },
                ),
                "recording": (
                    "GEN5_RECORDING",
                    {
                        "tooltip": "Continue the recording of another Record Sampling, e.g. base and refiner in one "
                        "recording."
                    },
                ),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def record(
        self,
        model: Any,
        step_noise: StepNoise = "auto",
        recording: Recording | None = None,
        unique_id: str | None = None,
    ) -> tuple[Any, Recording]:
        """Return a clone of model that records, and the recording.

        unique_id makes ComfyUI cache two of these nodes on one MODEL separately.
        """
        kept = Recording() if recording is None else recording
        recorder = SamplingRecorder(kept, step_noise)
        key = f"gen5_record_{unique_id}"
        recorded = host.add_sampling_wrapper(model, key, recorder.__call__)
        host.add_sampler_wrapper(recorded, key, record_torch_settings)
        host.add_model_wrapper(recorded, key, rest_while_computing)
        return recorded, kept

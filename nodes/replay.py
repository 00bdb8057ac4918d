"""Replay Sampling: any sampler that uses its MODEL starts from a stored file."""

from __future__ import annotations

from typing import Any

from ..gen5core.errors import EncodeError
from . import host
from .sampling.journal import rest_while_computing
from .sampling.overrides import record_torch_settings
from .sampling.replayer import SamplingReplayer
from .sampling.straight import REPLAY_KEY
from .stored.file import StoredFile
from .stored.start import StoredStart
from .tensors.latents import joined, take, take_mask


class Gen5Replay:
    """A MODEL whose samplers start from a file, and the latent that the stored run started from."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Any sampler that uses this MODEL starts from exactly the stored noise, whatever its seed widget says. "
        "Connect `latent` to the sampler's latent_image."
    )
    RETURN_TYPES = ("MODEL", "LATENT")
    RETURN_NAMES = ("model", "latent")
    OUTPUT_TOOLTIPS = (
        "Connect it to the sampler or its guider.",
        "The latent that sampling started from: empty for text to image, the encoded image for image to image.",
    )
    FUNCTION = "replay"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "model": ("MODEL", {"tooltip": "The model to sample with."}),
                "gen5": ("GEN5", {"tooltip": "The stored file: Load Gen5's or Save Gen5's `gen5`."}),
            },
            "optional": {
                "pass_index": (
                    "INT",
                    {
                        "default": -1,
                        "min": -1,
                        "max": 999,
                        "tooltip": "Which stored sampler pass to use: 0 is the first; −1 matches each sampler to the "
                        "stored pass of equal shape and sigmas.",
                    },
                ),
                "batch_index": (
                    "INT",
                    {
                        "default": -1,
                        "min": -1,
                        "max": 4095,
                        "tooltip": "One image of the stored batch; −1 for what Load Gen5's batch_index says. Its noise "
                        "equals the stored noise bit for bit, but an image sampled alone may differ in its last bits "
                        "from the one in the batch, because GPUs compute batches of different sizes in a different "
                        "order.",
                    },
                ),
                "step_noise": (
                    "BOOLEAN",
                    {
                        "default": True,
                        "tooltip": "Play back the noise that was added at each step, if the sigmas are the stored "
                        "ones.",
                    },
                ),
                "use_stored_sigmas": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "Sample along the stored sigmas, whatever steps and scheduler are set to.",
                    },
                ),
            },
        }

    def replay(
        self,
        model: Any,
        gen5: StoredFile,
        pass_index: int = -1,
        batch_index: int = -1,
        step_noise: bool = True,
        use_stored_sigmas: bool = False,
    ) -> tuple[Any, Any]:
        """Return a clone of model that replays, and the start latent, which is blocked if it is not known."""
        batch_index = gen5.batch_index if batch_index < 0 else batch_index
        start = gen5.read_start(pass_index, batch_index)
        replayer = SamplingReplayer(
            gen5, start, batch_index, step_noise=step_noise, use_stored_sigmas=use_stored_sigmas
        )
        replayed = host.add_sampling_wrapper(model, REPLAY_KEY, replayer.__call__)
        host.add_sampler_wrapper(replayed, REPLAY_KEY, record_torch_settings)
        host.add_model_wrapper(replayed, REPLAY_KEY, rest_while_computing)
        return replayed, start_latent(start, batch_index)


def start_latent(start: StoredStart, batch_index: int) -> Any:
    """Return the LATENT that sampling started from.

    It is blocked if the file does not hold it, or does not hold the image that batch_index selects.
    """
    if start.samples is None:
        return host.blocked(
            f"{start.file_name} does not hold the latent that sampling started from: connect your own, "
            "or save with Record Sampling connected"
        )
    try:
        latent: dict[str, Any] = {"samples": joined(take(start.samples, batch_index, "stored latent"))}
    except EncodeError as error:
        return host.blocked(f"{start.file_name}: {error}")
    latent |= start.further
    if start.noise_mask is not None:
        latent["noise_mask"] = joined(take_mask(start.noise_mask, batch_index))
    return latent

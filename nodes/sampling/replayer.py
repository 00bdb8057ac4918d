"""A stored start handed to a sampler in place of what it was given, and the stored seed with it.

Scaling a pre-noised latent cannot do this: a flow model at sigma 1 erases it. The seed is handed over too,
since inpainting, unclip and noise-augmented models draw from it.

Source: ``comfy.samplers.KSAMPLER.sample``, ``comfy.samplers.KSamplerX0Inpaint``.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...gen5core.environment.components import live_settings
from ...gen5core.environment.hardware import Drift
from ...gen5core.errors import EncodeError
from .. import host
from ..stored.file import ReadLatent, StoredFile
from ..stored.passes import StoredPass
from ..stored.start import StoredStart
from ..tensors.latents import is_zero, pack, take
from .call import SamplingCall, float32_sigmas
from .overrides import note_change, noting_changes
from .step_noise import StepPlayer, standing_in

logger = logging.getLogger(__name__)
_ROUNDING = 1e-5
"""How far, relatively, sigmas of one schedule may lie apart: a few units in float32's last place, raised to a
scheduler's seventh power. Another count of steps, scheduler or denoise moves them a thousandfold further."""


class SamplingReplayer:
    """A wrapper that starts every sampling run from a stored file. Its bound method is what ComfyUI holds.

    Parameters
    ----------
    stored : the file, opened at most once for each run
    start : which of its passes a run may start from: of several, the one of equal shape and sigmas
    batch_index : one image of the stored batch; −1 for all
    step_noise : play back what the sampler added later, under the stored sigmas
    use_stored_sigmas : sample along the stored sigmas, not the sampler's own
    """

    def __init__(
        self,
        stored: StoredFile,
        start: StoredStart,
        batch_index: int = -1,
        *,
        step_noise: bool = True,
        use_stored_sigmas: bool = False,
    ) -> None:
        self.stored, self.batch_index = stored, batch_index
        self.step_noise, self.use_stored_sigmas = step_noise, use_stored_sigmas
        # Not start itself: its tensors would live as long as the model that is replayed.
        self.passes, self._is_chosen = start.passes, start.is_chosen
        self._settings_at_rest = start.torch_settings
        if use_stored_sigmas and not any(found.sigmas for found in self.passes):
            raise EncodeError(
                f"use_stored_sigmas is on, {stored.path.name} holds no sigmas: save it again with Record "
                "Sampling connected, or turn it off"
            )
        if unknown := [found.index for found in self.passes if found.adds_noise and found.noise is None]:
            logger.warning(
                "%s does not hold the noise of pass %s: its sampler starts from another pass's",
                stored.path.name,
                ", ".join(map(str, unknown)),
            )

    def __deepcopy__(self, memo: object) -> SamplingReplayer:
        """Return itself: ComfyUI and packs copy model options deeply, and nothing here ever changes."""
        return self

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Run the sampler from the stored start."""
        call = SamplingCall.parse(executor, args, kwargs)
        begun = self._begin(call)
        if begun is None:
            return call.run(executor)
        stored_pass, draws = begun
        with noting_changes(call.guider) as received:
            output = self._run(call, executor, draws)
        self._report_drift(stored_pass, received.changes.get("torch_settings") or live_settings())
        return output

    def _begin(self, call: SamplingCall) -> tuple[StoredPass, torch.Tensor | None] | None:
        """Hand over the stored start, and return its pass and step noise; None for a run that is left alone."""
        with self.stored.latents() as read:
            stored_pass = self._match(call, read)
            if stored_pass is None:
                return None
            self._hand_over(stored_pass, call, self._noise(stored_pass, call, read))
            return stored_pass, self._draws(stored_pass, call, read)

    def _hand_over(self, stored_pass: StoredPass, call: SamplingCall, noise: torch.Tensor) -> None:
        """Put noise, seed and sigmas in place of what the sampler was given."""
        changes: dict[str, Any] = {"noise": noise}
        if stored_pass.seed is not None:
            changes["seed"] = stored_pass.seed
        if stored_pass.sigmas and (self.use_stored_sigmas or _same_schedule(stored_pass, call)):
            changes |= _stored_sigmas(stored_pass.sigmas, call)
        call.arguments.update(changes)
        note_change(call.guider, **changes)

    def _run(self, call: SamplingCall, executor: Any, draws: torch.Tensor | None) -> torch.Tensor:
        """Sample, the draws played back, and return the result."""
        if draws is None:
            return call.run(executor)
        player = StepPlayer(draws, self.stored.path.name)
        with standing_in(player) as is_complete:
            output = call.run(executor)
        if is_complete or player.taken:
            player.check_used_up()
            note_change(call.guider, step_noise=draws, step_noise_reason=None)
        return output

    def _report_drift(self, stored_pass: StoredPass, in_force: Mapping[str, str]) -> None:
        """Log which torch settings were others when the stored pass was sampled."""
        stored = {**self._settings_at_rest, **stored_pass.torch_settings}
        for name in sorted(in_force.keys() & stored.keys()):
            if in_force[name] != stored[name]:
                drift = Drift(name, stored[name], in_force[name], "differs")
                logger.warning("%s, pass %d: %s", self.stored.path.name, stored_pass.index, drift)

    def _draws(self, stored_pass: StoredPass, call: SamplingCall, read: ReadLatent) -> torch.Tensor | None:
        """Return the stored step noise; None where there is none, or it is left out."""
        if stored_pass.step_noise is None or not self.step_noise:
            return None
        if float32_sigmas(call.sigmas) != stored_pass.sigmas:
            logger.info(
                "%s: the sigmas are not the stored ones; step noise is left out", self.stored.path.name
            )
            return None
        [draws] = read(stored_pass.step_noise)
        return draws if self.batch_index < 0 else draws[:, self.batch_index : self.batch_index + 1]

    def _match(self, call: SamplingCall, read: ReadLatent) -> StoredPass | None:
        """Return the stored pass for a run; None for a run without noise that no stored pass is like."""
        known = [stored for stored in self.passes if stored.noise is not None or not stored.adds_noise]
        alike = [stored for stored in known if _same_schedule(stored, call) and _fits(stored, call.shapes)]
        if alike:
            return alike[0] if len(alike) == 1 else self._nearest(alike, call, read)
        if is_zero([call.noise]):
            return None
        first = next((stored for stored in self.passes if stored.noise is not None), self.passes[0])
        if not self._is_chosen:
            logger.log(
                logging.WARNING if any(stored.sigmas for stored in self.passes) else logging.INFO,
                "%s: no stored pass is known to have this run's sigmas and shape; taking noise and seed of %s. "
                "A sampler that is to keep its own gets the MODEL from before Replay Sampling",
                self.stored.path.name,
                _named(first),
            )
        return first

    def _nearest(self, alike: Sequence[StoredPass], call: SamplingCall, read: ReadLatent) -> StoredPass:
        """Return the pass of the nearest start; of equal ones that of the node, then that of the seed."""
        distances = [self._distance(stored, call, read) for stored in alike]
        least = min(distances)
        nearest = [stored for stored, distance in zip(alike, distances, strict=True) if distance == least]
        _, node_id = host.executing()
        if node_id is not None:
            nearest = [stored for stored in nearest if stored.node_id == node_id] or nearest
        seed = call.arguments.get("seed")
        nearest = [stored for stored in nearest if stored.seed == seed] or nearest
        if len(nearest) > 1:
            logger.warning(
                "%s: %s fit this run alike; taking the first. Give each sampler a Replay Sampling of its own, "
                "and set its pass_index",
                self.stored.path.name,
                " and ".join(map(_named, nearest)),
            )
        return nearest[0]

    def _distance(self, stored: StoredPass, call: SamplingCall, read: ReadLatent) -> tuple[bool, float]:
        """Return how far a stored pass's start is from a run's: whether one alone is empty, and L∞."""
        latent = call.latent_image
        if stored.start_latent is None:
            return not is_zero([latent]), 0.0
        parts = read(stored.start_latent)
        if self.batch_index >= min(part.shape[0] for part in parts):
            return True, 0.0
        start = pack(take(parts, self.batch_index, "stored latent"))
        if start.shape != latent.shape:
            return True, 0.0
        return is_zero([latent]), float((start.float() - latent.cpu().float()).abs().max())

    def _noise(self, stored_pass: StoredPass, call: SamplingCall, read: ReadLatent) -> torch.Tensor:
        if stored_pass.noise is None:
            return torch.zeros_like(call.noise)
        noise = pack(take(read(stored_pass.noise), self.batch_index, "stored noise"))
        if noise.shape != call.noise.shape:
            raise EncodeError(
                f"{self.stored.path.name} holds noise of shape {list(noise.shape)}, the sampler's latent is "
                f"{list(call.noise.shape)}: connect Replay Sampling's `latent` to the sampler's "
                "latent_image, or set the empty latent to the stored size and batch"
            )
        return noise


def _same_schedule(stored: StoredPass, call: SamplingCall) -> bool:
    """Tell whether a run's sigmas are a stored pass's, up to the rounding of the device that computes them.

    ComfyUI computes them where the model's tables lie, which is the CPU before the model is first loaded
    onto a GPU, and the GPU from then on.
    """
    own = float32_sigmas(call.sigmas)
    if stored.sigmas is None or len(own) != len(stored.sigmas):
        return False
    return all(
        math.isclose(one, other, rel_tol=_ROUNDING) for one, other in zip(own, stored.sigmas, strict=True)
    )


def _stored_sigmas(stored: tuple[float, ...], call: SamplingCall) -> dict[str, torch.Tensor]:
    """Return the sigmas to hand over in place of a run's; nothing where they are the same to the bit."""
    same = float32_sigmas(call.sigmas) == stored
    return {} if same else {"sigmas": call.sigmas.new_tensor(stored)}


def _named(stored: StoredPass) -> str:
    """Return what a message calls a pass."""
    return f"pass {stored.index}" + (f" (node {stored.node_id})" if stored.node_id else "")


def _fits(stored: StoredPass, shapes: Sequence[Sequence[int]]) -> bool:
    """Tell whether a stored pass is of these shapes, the batch aside."""
    if stored.shapes is None or len(stored.shapes) != len(shapes):
        return False
    return all(list(own[1:]) == list(other[1:]) for own, other in zip(stored.shapes, shapes, strict=True))

"""The wrapper that Replay Sampling adds: gives a sampler the stored noise and seed in place of its own.

Scaling a pre-noised latent cannot replace this, since a flow model at sigma 1 erases the latent. The seed is
replaced too, because inpainting, unclip and noise-augmented models draw from it.

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
from ...gen5core.errors import EncodeError, naming_file
from .. import host
from ..stored.draws import Draws, read_draws
from ..stored.file import ReadLatent, StoredFile
from ..stored.passes import StoredPass
from ..stored.start import StoredStart
from ..tensors.difference import max_difference
from ..tensors.latents import has_image, is_zero, pack, take
from ..tensors.odd import plain_value
from .call import SamplingCall, float32_sigmas
from .generators import decode_states, generators_set
from .journal import journaling
from .overrides import collect_overrides, record_override
from .pass_order import PassOrder, drawn_id
from .settings_differ import list_differences
from .step_noise import StepPlayer

logger = logging.getLogger(__name__)
_ROUNDING = 1e-5
"""Relative difference up to which sigmas count as the same schedule: a few units in the last place of float32,
amplified by the seventh power in the karras scheduler. Another number of steps, scheduler or denoise changes sigmas by
a thousand times as much."""


class SamplingReplayer:
    """A wrapper that starts every sampling run from a stored file.

    ComfyUI is given its bound method, because it deep-copies lists and dicts in a model's options.

    Parameters
    ----------
    stored : the file, which is opened at most once per run
    start : the passes that a run may start from; of several, the one of equal shape and sigmas is used
    batch_index : one image of the stored batch; −1 for all
    step_noise : play back what the sampler drew, if the sigmas are the stored ones
    use_stored_sigmas : sample along the stored sigmas instead of the sampler's own
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
        self._order = PassOrder()
        # start itself is not kept: its tensors would then live as long as the replayed model.
        self.passes, self._is_chosen = start.passes, start.is_chosen
        self._default_torch_settings = start.torch_settings
        if use_stored_sigmas and not any(found.sigmas for found in self.passes):
            raise EncodeError(
                f"use_stored_sigmas is on, but {stored.path.name} holds no sigmas: save it again with Record "
                "Sampling connected, or turn it off"
            )
        if unknown := [found.index for found in self.passes if found.adds_noise and found.noise is None]:
            logger.warning(
                "%s does not hold the noise of pass %s: its sampler will start from another pass's noise",
                stored.path.name,
                ", ".join(map(str, unknown)),
            )

    def __deepcopy__(self, memo: object) -> SamplingReplayer:
        """Return self: ComfyUI and packs deep-copy model options, and all copies must count the same runs."""
        return self

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Run the sampler from the stored start."""
        call = SamplingCall.parse(executor, args, kwargs)
        started = self._start(call)
        if started is None:
            return call.run(executor)
        stored_pass, draws = started
        with collect_overrides(call.guider) as overrides:
            output = self._run(call, executor, stored_pass, draws)
        self._report_drift(stored_pass, overrides.changes.get("torch_settings") or live_settings())
        return output

    def _start(self, call: SamplingCall) -> tuple[StoredPass, Draws | None] | None:
        """Put the stored start into call and return its pass and step noise; None if the run is left alone."""
        with self.stored.latents() as read:
            stored_pass = self._match(call, read)
            if stored_pass is None:
                return None
            self._order.add(stored_pass)
            self._report_differences(stored_pass, call, read)
            self._override_inputs(stored_pass, call, self._noise(stored_pass, call, read))
            return stored_pass, self._draws(stored_pass, call, read)

    def _override_inputs(self, stored_pass: StoredPass, call: SamplingCall, noise: torch.Tensor) -> None:
        """Replace noise, seed and sigmas in call with the stored ones."""
        changes: dict[str, Any] = {"noise": noise}
        if stored_pass.seed is not None:
            changes["seed"] = stored_pass.sampler_seed
        if stored_pass.sigmas and (self.use_stored_sigmas or _same_schedule(stored_pass, call)):
            changes |= _stored_sigmas(stored_pass.sigmas, call)
        call.arguments.update(changes)
        record_override(call.guider, **changes)

    def _run(
        self, call: SamplingCall, executor: Any, stored_pass: StoredPass, draws: Draws | None
    ) -> torch.Tensor:
        """Sample with the stored draws played back, from the stored states of the generators, and return the result."""
        batch_size = stored_pass.shapes[0][0] if stored_pass.shapes and stored_pass.shapes[0] else None
        player = StepPlayer(draws, self.stored.path.name, self.batch_index, batch_size)
        states = self._generators(stored_pass, call)
        with generators_set(states) as missing, journaling(player):
            output = call.run(executor)
        player.check_all_played()
        if states:
            record_override(call.guider, generators=stored_pass.generators)
        self._report_draws(stored_pass, call, player, missing)
        return output

    def _generators(self, stored_pass: StoredPass, call: SamplingCall) -> Mapping[str, bytes]:
        return decode_states(stored_pass.generators) if self._plays_steps(stored_pass, call) else {}

    def _plays_steps(self, stored_pass: StoredPass, call: SamplingCall) -> bool:
        """Return whether a run is to draw what the stored one drew."""
        return self.step_noise and float32_sigmas(call.sigmas) == stored_pass.sigmas

    def _report_draws(
        self, stored_pass: StoredPass, call: SamplingCall, player: StepPlayer, missing: Sequence[str]
    ) -> None:
        """Log in what the draws of a run may be unlike those of the stored one, though it was to repeat them."""
        name, reason = self.stored.path.name, stored_pass.step_noise_reason
        if not self.step_noise or (stored_pass.sigmas and not self._plays_steps(stored_pass, call)):
            return
        if player.remark:
            logger.warning("%s; the stored values are used", player.remark)
        if missing:
            logger.warning(
                "%s, %s: the stored state of the generator %s cannot be restored here, so that what was drawn "
                "from it may differ",
                name,
                _pass_label(stored_pass),
                " and ".join(missing),
            )
        if player.has_drawn_unstored or (reason and player.played):
            logger.warning(
                "%s, %s: this sampler drew noise %d times, which the file does not hold in full (%s); the result "
                "may differ",
                name,
                _pass_label(stored_pass),
                player.played,
                reason or "it was saved without a recording of them",
            )

    def _report_differences(self, stored_pass: StoredPass, call: SamplingCall, read: ReadLatent) -> None:
        """Log in what the run differs from the stored pass, before it is given anything that is stored."""
        same_start = stored_pass.lacks_start or self._distance(stored_pass, call, read) == (False, 0.0)
        for line in list_differences(stored_pass, call, same_start=same_start):
            logger.warning("%s, pass %d: %s", self.stored.path.name, stored_pass.index, line)

    def _report_drift(self, stored_pass: StoredPass, in_force: Mapping[str, str]) -> None:
        """Log which torch settings differ from those under which the stored pass was sampled."""
        stored = {**self._default_torch_settings, **stored_pass.torch_settings}
        for name in sorted(in_force.keys() & stored.keys()):
            if in_force[name] != stored[name]:
                drift = Drift(name, stored[name], in_force[name], "differs")
                logger.warning("%s, pass %d: %s", self.stored.path.name, stored_pass.index, drift)

    def _draws(self, stored_pass: StoredPass, call: SamplingCall, read: ReadLatent) -> Draws | None:
        """Return the stored draws; None if there are none or they are left out."""
        if stored_pass.step_noise is None or not self.step_noise:
            return None
        if not self._plays_steps(stored_pass, call):
            logger.info(
                "%s: the sigmas are not the stored ones; step noise is left out", self.stored.path.name
            )
            return None
        with naming_file(self.stored.path):
            return read_draws(stored_pass.draws, read(stored_pass.step_noise))

    def _match(self, call: SamplingCall, read: ReadLatent) -> StoredPass | None:
        """Return the stored pass for a run; None for a run without noise that matches no stored pass."""
        known = [stored for stored in self.passes if stored.noise is not None or not stored.adds_noise]
        matching = [
            stored for stored in known if _same_schedule(stored, call) and _has_shapes(stored, call.shapes)
        ]
        if matching:
            return matching[0] if len(matching) == 1 else self._nearest(matching, call, read)
        if is_zero([call.noise]):
            return None
        first = self._first_known(known)
        if not self._is_chosen:
            logger.log(
                logging.WARNING if any(stored.sigmas for stored in self.passes) else logging.INFO,
                "%s: no stored pass is known to have this run's sigmas and shape; using noise and seed of %s. "
                "To let a sampler keep its own noise, connect it to the MODEL from before Replay Sampling",
                self.stored.path.name,
                _pass_label(first),
            )
        return first

    def _first_known(self, known: Sequence[StoredPass]) -> StoredPass:
        """Return the first pass with noise; if no pass has any, the first."""
        return next((stored for stored in known if stored.noise is not None), [*known, *self.passes][0])

    def _nearest(self, matching: Sequence[StoredPass], call: SamplingCall, read: ReadLatent) -> StoredPass:
        """Return the pass of a run among several of its shape and sigmas.

        It is the one with the run's own start; of several, the one of its node, and of a node that sampled several
        times the next in order; otherwise the one with the nearest start, and of several, the one of the same seed.
        """
        distances = [self._distance(stored, call, read) for stored in matching]
        least = min(distances)
        nearest = [stored for stored, distance in zip(matching, distances, strict=True) if distance == least]
        of_call = _of_running_node(nearest if least == (False, 0.0) else matching)
        has_copies = any("." in (stored.node_id or "") for stored in matching)
        if len(of_call) > 1 - has_copies and (following := self._order.next_of(of_call)) is not None:
            if self._order.has_replayed(following):
                self._warn_of_repeats(of_call, following)
            return following
        nearest = _of_running_node(nearest) or nearest
        seed = plain_value(call.arguments.get("seed"))
        nearest = [stored for stored in nearest if stored.seed == seed] or nearest
        if len(nearest) > 1:
            logger.warning(
                "%s: %s match this run equally well; using the first. Give each sampler its own Replay Sampling "
                "and set its pass_index",
                self.stored.path.name,
                " and ".join(map(_pass_label, nearest)),
            )
        return nearest[0]

    def _warn_of_repeats(self, of_call: Sequence[StoredPass], repeated: StoredPass) -> None:
        logger.warning(
            "%s holds %d runs of this node, which samples more often now: starting %s again",
            self.stored.path.name,
            len(of_call),
            _pass_label(repeated),
        )

    def _distance(self, stored: StoredPass, call: SamplingCall, read: ReadLatent) -> tuple[bool, float]:
        """Return the distance between the starts of a stored pass and a run, as a sort key.

        It is (whether only one of them is empty or the stored one has another shape, the largest difference L∞).
        """
        latent = call.latent_image
        if stored.start_latent is None:
            return not is_zero([latent]), 0.0
        parts = read(stored.start_latent)
        if not has_image(parts, self.batch_index):
            return True, 0.0
        start = pack(take(parts, self.batch_index, "stored latent"))
        if start.shape != latent.shape:
            return True, 0.0
        return is_zero([latent]), max_difference(start, latent)

    def _noise(self, stored_pass: StoredPass, call: SamplingCall, read: ReadLatent) -> torch.Tensor:
        if stored_pass.noise is None:
            return torch.zeros_like(call.noise)
        noise = pack(take(read(stored_pass.noise), self.batch_index, "stored noise"))
        if noise.shape != call.noise.shape:
            raise EncodeError(
                f"{self.stored.path.name} holds noise of shape {list(noise.shape)}, but the sampler's latent is "
                f"{list(call.noise.shape)}: connect Replay Sampling's `latent` to the sampler's "
                "latent_image, or set the empty latent to the stored size and batch"
            )
        return noise


def _of_running_node(passes: Sequence[StoredPass]) -> list[StoredPass]:
    """Return the passes that the running node sampled; empty if there are none.

    The copies that a loop makes of a node have ids of their own, which may be others in this prompt, so they are found
    by the node that was drawn. Passes of a single other node are those of the running one: its id has changed since.
    """
    _, node_id = host.executing()
    if node_id is None:
        return []
    own = [stored for stored in passes if stored.node_id == node_id]
    drawn = [stored for stored in passes if stored.node_id and drawn_id(stored.node_id) == drawn_id(node_id)]
    if own or drawn:
        return own or drawn
    nodes = {drawn_id(stored.node_id or "") for stored in passes}
    return list(passes) if len(nodes) == 1 and "" not in nodes else []


def _same_schedule(stored: StoredPass, call: SamplingCall) -> bool:
    """Return whether a run has the sigmas of a stored pass, up to the rounding of the device that computes them.

    ComfyUI computes sigmas on the device that holds the model's tables: the CPU until the model is first loaded
    onto a GPU, the GPU after that.
    """
    own = float32_sigmas(call.sigmas)
    if stored.sigmas is None or len(own) != len(stored.sigmas):
        return False
    return all(
        math.isclose(one, other, rel_tol=_ROUNDING) for one, other in zip(own, stored.sigmas, strict=True)
    )


def _stored_sigmas(stored: tuple[float, ...], call: SamplingCall) -> dict[str, torch.Tensor]:
    """Return the argument that replaces a run's sigmas; empty if they are equal to the bit."""
    same = float32_sigmas(call.sigmas) == stored
    return {} if same else {"sigmas": call.sigmas.new_tensor(stored)}


def _pass_label(stored: StoredPass) -> str:
    """Return the name of a pass in messages."""
    return f"pass {stored.index}" + (f" (node {stored.node_id})" if stored.node_id else "")


def _has_shapes(stored: StoredPass, shapes: Sequence[Sequence[int]]) -> bool:
    """Return whether a stored pass has these shapes, ignoring the batch size."""
    if stored.shapes is None or len(stored.shapes) != len(shapes):
        return False
    return all(list(own[1:]) == list(other[1:]) for own, other in zip(stored.shapes, shapes, strict=True))

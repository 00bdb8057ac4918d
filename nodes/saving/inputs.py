"""What Save Gen5 was given: its sockets, with the sampler passes above it, and its widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...gen5core.container.chunks import Compression
from ...gen5core.errors import EncodeError
from ...gen5core.graph.passes import sampler_of_latent, sampler_of_output, sampler_passes
from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host
from ..models.behind import ModelFile, files_behind, mark_incomplete_loras
from ..prompt.edit import inputs_of, is_link, unwatched_reason
from ..prompt.insert_values import remove_values
from ..sampling.recording import Recording, Run
from ..stored.latent_keys import LatentKeys, encode_keys
from ..tensors.latents import Parts, check_latent
from ..tensors.odd import keep_parts, plain_indices
from .observed import Observed, substitute

BOTH, GEN5, PNG = FORMATS = ("gen5+png", "gen5", "png")


@dataclass(frozen=True, slots=True)
class DecodedLatent:
    """A latent that saved images were decoded from."""

    node_id: str
    """The node that returned it."""
    slot: int
    parts: Parts
    between: Sequence[tuple[str, str]] = ()
    """Id and class of each node between its decoder and Save Gen5, the nearest to the save first."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The same passes, by their nodes, as they are without all of the observed values, or without some."""

    drawn: Mapping[str, SamplerPass] = field(default_factory=dict)
    """Without any: as the graph alone gives them."""
    settled: Mapping[str, SamplerPass] = field(default_factory=dict)
    """Without those of nodes that ran in the prompt in which they were seen."""


@dataclass(frozen=True, slots=True)
class SaveInputs:
    """What the stored noise depends on."""

    prompt: Mapping[str, Any]
    """The executed graph, with links replaced by the values that came through them."""
    node_id: str | None
    """The Save node's own id; None if the graph is unknown."""
    passes: Sequence[SamplerPass]
    latent: Parts | None
    """The sampler's result; None if only images are connected."""
    noise_mask: Parts | None
    """The latent's mask, which may be nested."""
    batch_index: Sequence[int] | None
    """Which noise of the seed each image has, as ComfyUI's LATENT keeps it."""
    noise: Parts | None
    """The starting noise, if the user connected it."""
    recording: Recording | None
    models: Sequence[ModelFile] = ()
    """The model files that the node depends on."""
    decoded: Sequence[DecodedLatent] = ()
    """The latents that the saved images were decoded from, as far as they are known."""
    images: Any = None
    """The saved images as they were connected; None if only a latent is."""
    latent_keys: LatentKeys = field(default_factory=LatentKeys)
    """What the latent holds beside its tensors and batch_index."""
    reasons: Sequence[str] = ()
    """What of the sockets' values cannot be kept, and why."""
    is_noise_lost: bool = False
    """Whether noise was connected, but cannot be kept."""
    is_batch_index_known: bool = True
    """Whether batch_index is that of the latent."""
    observed: Observed | None = None
    """What came through links while the prompt ran; None if nothing was watched."""
    readings: Readings = field(default_factory=Readings)
    executed: Mapping[str, Any] = field(default_factory=dict)
    """The executed graph itself, with the nodes that the server inserted."""

    def as_ran(self, found: SamplerPass, run: Run | None) -> SamplerPass:
        """Return one of the passes, without values that another run of its node may have had.

        A copy of the node, as loops make them, has values of its own. If the values were seen in another prompt than
        the run was, those are left out whose nodes may have run again in between.
        """
        if self.observed is None or run is None:
            return found
        ran_later = run.prompt_id != self.observed.prompt_id and run.prompt_id == host.executing()[0]
        if ran_later or _is_copy(run.node_id, found.node_id):
            return self.as_drawn(found)
        if run.prompt_id == self.observed.prompt_id:
            return found
        return self.readings.settled.get(found.node_id, found)

    def as_drawn(self, found: SamplerPass) -> SamplerPass:
        """Return one of the passes as the graph alone gives it."""
        return self.readings.drawn.get(found.node_id, found)

    @property
    def latent_sampler(self) -> str | None:
        """Id of the sampler whose unchanged result the latent is; None if the graph does not say."""
        if self.latent is None or self.node_id is None:
            return None
        return sampler_of_latent(self.prompt, self.node_id, "latent")

    @property
    def traced_latents(self) -> list[Parts]:
        """The latents whose runs made what is saved: the connected one, or else those that were decoded."""
        return [each.parts for each in self.decoded] if self.latent is None else [self.latent]

    @property
    def traced_source(self) -> str | None:
        """Id of the node that returned the only traced latent; None if there is none, or several."""
        if self.latent is None:
            return self.decoded[0].node_id if len(self.decoded) == 1 else None
        link = inputs_of(self.prompt.get(self.node_id or "")).get("latent")
        return str(link[0]) if isinstance(link, list) and is_link(link, self.prompt) else None

    @property
    def traced_sampler(self) -> str | None:
        """Id of the sampler whose unchanged result the only traced latent is; None if the graph does not say."""
        if self.latent is not None or len(self.decoded) != 1:
            return self.latent_sampler
        [decoded] = self.decoded
        return sampler_of_output(self.prompt, decoded.node_id, decoded.slot)


@dataclass(frozen=True, slots=True)
class SaveOptions:
    """The node's widgets, except filename_prefix."""

    format: str
    images_stored: str
    compression: Compression
    tags: str
    embed_workflow: bool
    fingerprint_models: str

    def count_stored(self, images: int) -> int:
        """Return how many of the images one file holds; a PNG that carries the record holds only its own."""
        most = 1 if self.format == PNG else {"all": images, "first": 1, "none": 0}[self.images_stored]
        return min(most, images)

    @property
    def tag_list(self) -> list[str]:
        """The tags without the spaces around them; empty ones are left out."""
        return [tag.strip() for tag in self.tags.split(",") if tag.strip()]


def read_inputs(
    prompt: Mapping[str, Any],
    node_id: str | None,
    latent: Mapping[str, Any] | None,
    noise: Mapping[str, Any] | None,
    recording: Recording | None,
    observed: Observed | None = None,
    images: Any = None,
) -> SaveInputs:
    """Return the sockets' tensors and the sampler passes that lead to the node.

    Raises
    ------
    EncodeError
        if latent or noise is not a LATENT.
    """
    for socket, value in (("latent", latent), ("noise", noise)):
        if value is not None:
            check_latent(value, socket)
    reasons: list[str] = []
    batch_index = plain_indices(None if latent is None else latent.get("batch_index"))
    is_known = batch_index is not None or latent is None or latent.get("batch_index") is None
    if not is_known:
        reasons.append("the latent's batch_index is not stored: it is not a list of whole numbers")
    if (unwatched := unwatched_reason(prompt.get(node_id or ""))) is not None:
        reasons.append(f"what nodes computed was not recorded: {unwatched}")
    keys = LatentKeys() if latent is None else encode_keys(latent)
    kept_noise = _kept(noise, "the noise", reasons)
    plain = remove_values(prompt)
    watched = (
        observed if node_id in prompt else None
    )  # a copy of the node in a loop: what was seen is not its own
    item = host.executing_item()
    walked = plain if watched is None else substitute(plain, watched.values_at(item))
    models = [] if node_id is None else files_behind(walked, node_id)
    passes = [] if node_id is None else sampler_passes(walked, node_id)
    return SaveInputs(
        prompt=walked,
        node_id=node_id,
        passes=mark_incomplete_loras(walked, passes, models),
        models=models,
        latent=_kept(latent, "the latent", reasons),
        noise_mask=_kept_mask(latent, reasons),
        batch_index=batch_index,
        noise=kept_noise,
        recording=recording,
        images=images,
        decoded=[] if watched is None else _decoded(watched, item),
        observed=watched,
        readings=Readings() if watched is None or node_id is None else _read(plain, node_id, watched, item),
        executed=prompt,
        latent_keys=keys,
        reasons=[*reasons, *keys.reasons],
        is_noise_lost=noise is not None and kept_noise is None,
        is_batch_index_known=is_known,
    )


def _kept(latent: Mapping[str, Any] | None, what: str, reasons: list[str]) -> Parts | None:
    """Return the tensors of a socket's LATENT; None, and a reason, if they cannot be kept."""
    if latent is None:
        return None
    try:
        return keep_parts(latent["samples"])
    except EncodeError as error:
        reasons.append(f"{what} is not stored: {error}")
        return None


def _kept_mask(latent: Mapping[str, Any] | None, reasons: list[str]) -> Parts | None:
    mask = None if latent is None else latent.get("noise_mask")
    if mask is None:
        return None
    try:
        return keep_parts(mask)
    except EncodeError as error:
        reasons.append(f"the latent's noise_mask is not stored: {error}")
        return None


def _decoded(observed: Observed, item: int | None) -> list[DecodedLatent]:
    """Return the latents that one item of the save's images was decoded from; none unless all of them are known."""
    found = []
    for each in observed.decoded:
        latent = each.latent(item)
        try:
            parts = None if latent is None else keep_parts(latent["samples"])
        except EncodeError:
            parts = None
        if parts is None:
            return []
        found.append(DecodedLatent(*each.link, parts, each.between[::-1]))
    return found


def _is_copy(running: str | None, node_id: str) -> bool:
    """Return whether a running node is a copy of a node of the graph: ``9.0.0.3`` is one of ``3``."""
    return running is not None and running != node_id and running.rpartition(".")[2] == node_id


def _read(prompt: Mapping[str, Any], node_id: str, observed: Observed, item: int | None) -> Readings:
    settled = substitute(prompt, observed.values_at(item, settled=True))
    return Readings(_passes_by_node(prompt, node_id), _passes_by_node(settled, node_id))


def _passes_by_node(prompt: Mapping[str, Any], node_id: str) -> dict[str, SamplerPass]:
    return {found.node_id: found for found in sampler_passes(prompt, node_id)}

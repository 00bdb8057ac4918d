"""What Save Gen5 was given: its sockets, with the sampler passes above it, and its widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...gen5core.container.chunks import Compression
from ...gen5core.graph.passes import sampler_of_latent, sampler_of_output, sampler_passes
from ...gen5core.graph.sampler_pass import SamplerPass
from ..prompt.edit import inputs_of, is_link
from ..sampling.recording import Recording
from ..tensors.latents import Parts, samples_of

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
class SaveInputs:
    """What the stored noise depends on."""

    prompt: Mapping[str, Any]
    node_id: str | None
    """The Save node's own id; None if the graph is unknown."""
    passes: Sequence[SamplerPass]
    latent: Parts | None
    """The sampler's result; None if only images are connected."""
    noise_mask: Any
    """The latent's mask: a tensor, a nested one, or None."""
    batch_index: Sequence[int] | None
    """Which noise of the seed each image has, as ComfyUI's LATENT keeps it."""
    noise: Parts | None
    """The starting noise, if the user connected it."""
    recording: Recording | None
    decoded: Sequence[DecodedLatent] = ()
    """The latents that the saved images were decoded from, as far as they are known."""
    images: Any = None
    """The saved images as they were connected; None if only a latent is."""

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
        return str(link[0]) if is_link(link, self.prompt) else None

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
    images: Any,
    latent: Mapping[str, Any] | None,
    noise: Mapping[str, Any] | None,
    recording: Recording | None,
) -> SaveInputs:
    """Return the sockets' tensors and the sampler passes that lead to the node.

    Raises
    ------
    EncodeError
        if latent or noise is not a LATENT.
    """
    return SaveInputs(
        prompt=prompt,
        node_id=node_id,
        passes=[] if node_id is None else sampler_passes(prompt, node_id),
        latent=None if latent is None else samples_of(latent, "latent"),
        noise_mask=None if latent is None else latent.get("noise_mask"),
        batch_index=None if latent is None else latent.get("batch_index"),
        noise=None if noise is None else samples_of(noise, "noise"),
        recording=recording,
        images=images,
    )

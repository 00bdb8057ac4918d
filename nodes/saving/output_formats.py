"""Which files a save writes: a .gen5, ordinary PNGs beside it, or PNGs that carry the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...gen5core.container import spec, strict_json
from ...gen5core.errors import EncodeError
from ..tensors.images import Pixels, encode_pngs
from .metadata import embedded_texts
from .output_paths import Planned

BOTH, GEN5, PNG = FORMATS = ("gen5+png", "gen5", "png")


def plan_files(
    format: str, facts: Mapping[str, Any], pixels: Sequence[Pixels], stored_count: int
) -> list[Planned]:
    """Return the files of a save, the one that its output stands for first.

    Parameters
    ----------
    facts : what ``gen5core.save`` takes, but for the images
    stored_count : how many of the images a .gen5 holds; a PNG that carries the record holds its own

    Raises
    ------
    EncodeError
        if the workflow is larger than readers accept.
    """
    texts = _graph_texts(facts)
    if format == PNG:
        return _plan_carriers(facts, pixels)
    pngs = encode_pngs(pixels, texts) if format == BOTH else []
    images = (pngs or pixels)[:stored_count]
    beside = [Planned(".png", png, _number(index, pngs)) for index, png in enumerate(pngs)]
    return [Planned(".gen5", {**facts, "images": images}), *beside]


def _graph_texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return prompt, workflow and the like as JSON, which a PNG holds, and META."""
    texts = {name: strict_json.dumps(value, name) for name, value in embedded_texts(facts["comfyui"]).items()}
    size, limit = sum(map(len, texts.values())), spec.Limits().meta_decoded_bytes
    if size > limit:
        raise EncodeError(
            f"workflow and prompt take {size} bytes as JSON, readers accept {limit}: turn embed_workflow off"
        )
    return texts


def _plan_carriers(facts: Mapping[str, Any], pixels: Sequence[Pixels]) -> list[Planned]:
    """Return a PNG for each image, all with the whole record: a batch is sampled together, from all its noise."""
    return [
        Planned(
            ".png",
            {**facts, "images": [image], "capture": {**facts["capture"], **_place(index, len(pixels))}},
            _number(index, pixels),
        )
        for index, image in enumerate(pixels)
    ]


def _place(index: int, count: int) -> dict[str, Any]:
    """Return what ``capture`` says of an image of a batch; nothing of one that is alone."""
    return {"image_of_batch": {"index": index, "count": count}} if count > 1 else {}


def _number(index: int, images: Sequence[Any]) -> int | None:
    return index if len(images) > 1 else None

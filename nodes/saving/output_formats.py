"""Which files a save writes: a .gen5, ordinary PNGs beside it, or PNGs that carry the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...gen5core.container import spec, strict_json
from ...gen5core.errors import EncodeError
from ..tensors.images import Pixels, encode_pngs
from .inputs import BOTH, PNG
from .output_paths import OutputFile
from .request import SaveRequest

_OTHER_VALUES = 2**16
"""Of the values that META may hold, those kept for what is not a graph: passes, sigmas, a thousand chunks."""


def plan_files(
    format: str, request: SaveRequest, pixels: Sequence[Pixels], stored_count: int
) -> list[OutputFile]:
    """Return the files of a save; the first is the one that the node's output refers to.

    Parameters
    ----------
    request : what to save, without the images
    stored_count : how many of the images a .gen5 file holds; a PNG that carries the record holds only its own

    Raises
    ------
    EncodeError
        if the workflow is larger than readers accept.
    """
    request = _readable(request)
    texts = _graph_texts(request)  # called for every format, as it checks their size
    if format == PNG:
        return _plan_carriers(request, pixels)
    pngs = encode_pngs(pixels, texts) if format == BOTH else []
    images = (pngs or pixels)[:stored_count]
    beside = [OutputFile(".png", png, _image_number(index, pngs)) for index, png in enumerate(pngs)]
    return [OutputFile(".gen5", replace(request, images=images)), *beside]


def _readable(request: SaveRequest) -> SaveRequest:
    """Return request without its graphs, and with the reason, if they hold more values than readers accept.

    A picture is never lost to the size of its workflow.
    """
    graphs = ",".join(strict_json.dumps(value, name) for name, value in (request.comfyui or {}).items())
    limit = spec.Limits().json_values - _OTHER_VALUES
    if not strict_json.may_exceed(graphs, limit) or (count := strict_json.count_values(graphs)) <= limit:
        return request
    left_out = f"workflow and prompt were left out, as they hold {count} values and readers accept {limit}"
    reasons = [str(reason) for reason in (request.capture.get("reason"),) if reason]
    return replace(
        request,
        comfyui={key: value for key, value in (request.comfyui or {}).items() if key == "version"},
        capture={**request.capture, "reason": "; ".join([*reasons, left_out])},
    )


def _graph_texts(request: SaveRequest) -> dict[str, str]:
    """Return prompt, workflow and whatever else the browser adds as JSON: the text chunks of a PNG."""
    comfyui = request.comfyui or {}
    texts = {name: strict_json.dumps(value, name) for name, value in comfyui.items() if name != "version"}
    size, limit = sum(map(len, texts.values())), spec.Limits().meta_decoded_bytes
    if size > limit:
        raise EncodeError(
            f"workflow and prompt take {size} bytes as JSON, readers accept {limit}: turn embed_workflow off"
        )
    return texts


def _plan_carriers(request: SaveRequest, pixels: Sequence[Pixels]) -> list[OutputFile]:
    """Return one PNG per image, each with the whole record, since a batch is sampled together from all its noise."""
    return [
        OutputFile(
            ".png",
            replace(
                request, images=[image], capture={**request.capture, **_batch_position(index, len(pixels))}
            ),
            _image_number(index, pixels),
        )
        for index, image in enumerate(pixels)
    ]


def _batch_position(index: int, count: int) -> dict[str, Any]:
    """Return what ``capture`` says of one image of a batch; nothing for a single image."""
    return {"image_of_batch": {"index": index, "count": count}} if count > 1 else {}


def _image_number(index: int, images: Sequence[Any]) -> int | None:
    return index if len(images) > 1 else None

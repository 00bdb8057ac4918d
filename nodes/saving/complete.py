"""What the run, the picture and the latent behind it add to the passes, and where each setting of a pass is from.

They fill in what the graph leaves open, and count where they differ: the graph says what was requested. The size of a
pass is that of its latent in pixels, and only a picture that came straight from a decoder tells how many pixels a cell
of its latent has.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple

from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host
from ..tensors.latents import parts_of
from .capture import Captured, Entry
from .inputs import SaveInputs

logger = logging.getLogger(__name__)

OBSERVED: Final = "observed"
PICTURE: Final = "picture"
GRAPH: Final = "graph"
"""Where a setting is from: what ran, the picture that was saved, or the workflow."""
UNEVEN_SCHEDULERS: Final = frozenset(("ddim_uniform", "beta"))
"""Schedulers that give another number of sigmas than there are steps, so that both figures are right.

Source: ComfyUI's comfy/samplers.py, ddim_scheduler and beta_scheduler.
"""
CORE_SAMPLERS: Final = frozenset(("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"))
_SETTINGS: Final = frozenset(field.name for field in fields(SamplerPass)) - frozenset(
    ("node_id", "class_type", "unresolved", "noise_from", "add_noise")
)

_FROM_RUN: Final = frozenset(("seed", "cfg"))
"""Settings that ``capture`` has taken from a recorded run, where that has them."""


class _Cell(NamedTuple):
    """How many pixels a cell of the latents has, known from a picture and the latent that it was decoded from."""

    pixels: int
    latent: tuple[int, ...]
    """The shape of that latent."""

    def size_of(self, entry: Entry) -> dict[str, int]:
        """Return the width and height of a pass whose latent is of the same kind."""
        shapes = entry.get("shapes")
        if not shapes or len(shapes[0]) < 4 or shapes[0][1] != self.latent[1]:
            return {}
        height, width = shapes[0][-2:]
        return {"width": width * self.pixels, "height": height * self.pixels}

    def is_of(self, entry: Entry) -> bool:
        """Return whether the latent that was decoded has the size of a pass's latent."""
        shapes = entry.get("shapes")
        return shapes is not None and len(shapes) > 0 and tuple(shapes[0][-2:]) == self.latent[-2:]


def complete_passes(captured: Captured, inputs: SaveInputs, size: Sequence[int] | None) -> Captured:
    """Return captured with completed passes, each of which says where its settings are from.

    Parameters
    ----------
    size : height and width of the picture that is saved; None if there is none
    """
    try:
        return _complete_all(captured, inputs, size)
    except Exception:  # latents and settings may be of any kind, and none of this is worth the picture
        logger.exception("Save Gen5 stores the passes as the graph has them; they could not be completed")
        return captured


def _complete_all(captured: Captured, inputs: SaveInputs, size: Sequence[int] | None) -> Captured:
    cell = _find_cell(inputs, size)
    drawn = {found.node_id: inputs.as_drawn(found) for found in inputs.passes}
    runs = Counter(entry.get("node_id") for entry in captured.passes)
    passes = [
        _complete(
            entry,
            _drawn_pass(entry, drawn),
            _additions(entry, cell, runs[entry.get("node_id")] == 1, _has_further_runs(entry, inputs)),
        )
        for entry in captured.passes
    ]
    return replace(captured, passes=passes)


def _drawn_pass(entry: Entry, drawn: Mapping[str, SamplerPass]) -> SamplerPass | None:
    """Return the pass of an entry as the graph has it; for a node made at run time, its maker's or original's."""
    node_id = str(entry.get("node_id", ""))
    candidates = (node_id, node_id.rpartition(".")[2], node_id.partition(".")[0])
    return next((drawn[name] for name in candidates if name in drawn), None)


def _has_further_runs(entry: Entry, inputs: SaveInputs) -> bool:
    """Return whether a pass's node sampled several times in this prompt: its widgets then describe only one run."""
    runs = () if inputs.recording is None else inputs.recording.runs_of_node(str(entry.get("node_id")))
    return len(runs) > 1


def _additions(
    entry: Entry, cell: _Cell | None, is_only_run: bool, has_further_runs: bool
) -> dict[str, tuple[Any, str]]:
    """Return what run and picture add to a pass, each with its source.

    One of several runs of a node (a tile, or the steps of a refiner) says nothing about the pass as a whole, so that
    only what the graph leaves open is added; and no size, unless the latent is the one that was decoded.
    """
    shown = {} if cell is None else cell.size_of(entry)
    if cell is None or not cell.is_of(entry):
        shown = {name: size for name, size in shown.items() if is_only_run and name not in entry}
    ran = {
        name: value
        for name, value in _from_run(entry, has_further_runs).items()
        if is_only_run or name not in entry
    }
    return {
        **{name: (value, OBSERVED) for name, value in ran.items() if value != entry.get(name)},
        **{name: (size, PICTURE) for name, size in shown.items() if size != entry.get(name)},
    }


def _complete(
    entry: Entry, drawn: SamplerPass | None, added: Mapping[str, tuple[Any, str]]
) -> dict[str, Any]:
    values = {**entry, **{name: value for name, (value, _) in added.items()}}
    sources = {
        name: added[name][1] if name in added else _source(name, value, drawn)
        for name, value in values.items()
        if name in _SETTINGS
    }
    known = {*added, *(_FROM_RUN & entry.keys() if entry.get("recorded") else ())}
    open_names = [name for name in entry.get("unresolved", ()) if name not in known]
    values.pop("unresolved", None)
    return {
        **values,
        **({"unresolved": open_names} if open_names else {}),
        **({"sources": sources} if sources else {}),
    }


def _source(name: str, value: Any, drawn: SamplerPass | None) -> str:
    """Return GRAPH for what the workflow itself says, OBSERVED for what only the run knew or did otherwise."""
    return GRAPH if drawn is not None and getattr(drawn, name) == value else OBSERVED


def _from_run(entry: Entry, has_further_runs: bool) -> dict[str, Any]:
    """Return the settings that a recorded run has, where they add to the pass or differ from it."""
    if not entry.get("recorded"):
        return {}
    shapes = entry.get("shapes") or [[None]]
    values = {
        "steps": _steps(entry, has_further_runs),
        "sampler_name": _sampler_name(entry),
        "batch_size": shapes[0][0],
    }
    return {name: value for name, value in values.items() if value is not None}


def _steps(entry: Entry, has_further_runs: bool) -> int | None:
    """Return the steps of the whole schedule that a run sampled, or part of which; None if they are as in the pass.

    None too if the run says less: the sigmas of a part do not tell how many steps would have followed.
    """
    count = len(entry.get("sigmas") or ()) - 1
    start, end, given = entry.get("start_step") or 0, entry.get("end_step"), entry.get("steps")
    if count < 1 or {"start_step", "end_step"} & {*entry.get("unresolved", ())}:
        return None
    if end is not None and end <= start + count and end != given:
        return None
    is_core = entry.get("class_type") in (None, *CORE_SAMPLERS)
    if given is not None and not (is_core or has_further_runs):
        return None  # packs may sample more or fewer sigmas than their steps, on purpose
    if given is not None and (entry.get("scheduler") in UNEVEN_SCHEDULERS or start + count == given):
        return None
    return start + count


def _sampler_name(entry: Entry) -> str | None:
    """Return the recorded sampler's name if it is one of ComfyUI's and the pass has none, or another of ComfyUI's."""
    recorded, given = entry.get("recorded_sampler"), entry.get("sampler_name")
    if recorded not in (host.sampler_names() or ()):
        return None
    # packs share one function among their samplers, so that only the graph tells them apart
    return recorded if given is None or (_is_core(recorded) and _is_core(given)) else None


def _is_core(name: Any) -> bool:
    return name == "ddim" or host.core_sampler(name) is not None


def _find_cell(inputs: SaveInputs, size: Sequence[int] | None) -> _Cell | None:
    """Return the cell, if the picture came straight from a decoder; None otherwise, since nodes may have scaled it."""
    decoded = () if inputs.observed is None else inputs.observed.decoded
    latents = [each.latent(host.executing_item()) for each in decoded]
    if size is None or any(each.between for each in decoded):
        return None
    cells = {None if latent is None else _cell_of(latent, size) for latent in latents}
    return cells.pop() if len(cells) == 1 else None


def _cell_of(latent: Mapping[str, Any], size: Sequence[int]) -> _Cell | None:
    """Return the cell; None if the picture's size is no multiple of the latent's."""
    shape = parts_of(latent["samples"])[0].shape
    if len(shape) < 4 or 0 in shape:
        return None
    (rows, row_rest), (columns, column_rest) = divmod(size[0], shape[-2]), divmod(size[1], shape[-1])
    is_whole = rows == columns > 0 and not row_rest and not column_rest
    return _Cell(rows, tuple(shape)) if is_whole else None

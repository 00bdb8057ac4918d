"""Recording without any wiring: Record Sampling put between the samplers above a Save Gen5 and their MODELs.

Each Save Gen5 that has no recording gets a chain of its own, so that several saves, samplers inside subgraphs
and guiders stay apart. A run of a sampler that is not above the save may be recorded too: a save finds its
runs by what they returned.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ...gen5core.graph.passes import sampler_passes
from .edit import ORIGIN, Prompt, class_of, inputs_of, inserted_id, is_link, model_owner

MODEL_SLOT, RECORDING_SLOT = 0, 1
"""Outputs of Record Sampling."""


def insert_records(prompt: Prompt) -> Prompt:
    """Return prompt with a Record Sampling before every model whose samples reach a Save Gen5.

    A save that has a recording is left alone. The prompt itself is returned, untouched, where there is
    nothing to do.
    """
    chains = {save: owners for save in _bare_saves(prompt) if (owners := _owners(prompt, save))}
    if not chains:
        return prompt
    changed = copy.deepcopy(prompt)
    for save, owners in chains.items():
        _put_chain(changed, save, owners)
    return changed


def _bare_saves(prompt: Prompt) -> Iterator[str]:
    for node_id in sorted(prompt):
        node = prompt[node_id]
        if class_of(node) == "Gen5Save" and not is_link(inputs_of(node).get("recording"), prompt):
            yield node_id


def _owners(prompt: Prompt, save: str) -> list[str]:
    """Return the nodes whose `model` the samplers above a save use, each once, as executed."""
    owners = (model_owner(prompt, found.node_id) for found in sampler_passes(prompt, save))
    return list(dict.fromkeys(owner for owner in owners if owner is not None))


def _put_chain(prompt: Prompt, save: str, owners: list[str]) -> None:
    recording: list[Any] | None = None
    for owner in owners:
        inputs = prompt[owner]["inputs"]
        record_id = inserted_id(prompt, "record", save, owner)
        chained = {} if recording is None else {"recording": recording}
        prompt[record_id] = {
            "class_type": "Gen5Record",
            "inputs": {"model": inputs["model"], "step_noise": "auto", **chained},
            "_meta": {"title": "Record Sampling", ORIGIN: [(owner, "model", list(inputs["model"]))]},
        }
        inputs["model"] = [record_id, MODEL_SLOT]
        recording = [record_id, RECORDING_SLOT]
    assert recording is not None  # a chain has owners
    former = prompt[save]["inputs"].get("recording")
    prompt[recording[0]]["_meta"][ORIGIN].append((save, "recording", former))
    prompt[save]["inputs"]["recording"] = recording

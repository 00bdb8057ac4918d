"""Automatic recording: inserts Record Sampling between the samplers above a Save Gen5 and their MODELs.

Each Save Gen5 without a recording gets its own chain, so that several saves, samplers inside subgraphs and
guiders do not mix. Recording a sampler that is not above the save does no harm, because a save finds its runs
by the latents that they returned.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ...gen5core.graph.passes import sampler_passes
from .edit import ORIGIN, Prompt, class_of, inputs_of, inserted_id, is_link, model_owner

MODEL_SLOT, RECORDING_SLOT = 0, 1
"""Output slots of Record Sampling."""


def insert_records(prompt: Prompt) -> Prompt:
    """Return prompt with a Record Sampling after every MODEL whose samples reach a Save Gen5.

    A save that already has a recording is left alone. If there is nothing to do, prompt itself is returned
    unchanged.
    """
    chains = {
        save: owners for save in _saves_without_recording(prompt) if (owners := _model_owners(prompt, save))
    }
    if not chains:
        return prompt
    # A copy: the server ignores an exception in a handler and would run a half-changed prompt.
    changed = copy.deepcopy(prompt)
    for save, owners in chains.items():
        _insert_chain(changed, save, owners)
    return changed


def _saves_without_recording(prompt: Prompt) -> Iterator[str]:
    for node_id in sorted(prompt):
        node = prompt[node_id]
        if class_of(node) == "Gen5Save" and not is_link(inputs_of(node).get("recording"), prompt):
            yield node_id


def _model_owners(prompt: Prompt, save: str) -> list[str]:
    """Return the nodes whose `model` input the samplers above a save use, each once, in execution order."""
    owners = (model_owner(prompt, sampler.node_id) for sampler in sampler_passes(prompt, save))
    return list(dict.fromkeys(owner for owner in owners if owner is not None))


def _insert_chain(prompt: Prompt, save: str, owners: list[str]) -> None:
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
    assert recording is not None  # owners is never empty
    former = prompt[save]["inputs"].get("recording")
    prompt[recording[0]]["_meta"][ORIGIN].append((save, "recording", former))
    prompt[save]["inputs"]["recording"] = recording

"""Automatic recording: what is inserted, where, and that it can be removed again."""

from __future__ import annotations

import copy
import json
from typing import Any

from gen5pack.nodes.prompt.edit import remove_inserted
from gen5pack.nodes.prompt.insert_records import insert_records
from gen5pack.nodes.prompt.insert_replays import insert_replays
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import txt2img

Prompt = dict[str, Any]


def bare(**sampler: Any) -> Prompt:
    """Return txt2img with a Save Gen5 9 without a recording."""
    prompt = txt2img(**sampler)
    prompt["9"] = {"class_type": "Gen5Save", "inputs": {"filename_prefix": "x", "latent": ["3", 0]}}
    return prompt


def records(prompt: Prompt) -> list[str]:
    """Return the ids of the Record Sampling nodes."""
    return [node_id for node_id, node in prompt.items() if node["class_type"] == "Gen5Record"]


def changed(prompt: Prompt) -> Prompt:
    """Return the edited prompt, after checking that the original is unchanged and can be restored."""
    before = json.dumps(prompt)
    edited = insert_records(prompt)
    assert before == json.dumps(prompt)
    assert prompt == remove_inserted(edited)
    assert edited == insert_records(edited)
    return edited


def test_a_save_without_recording_gets_one() -> None:
    """A Record Sampling is inserted between the sampler and its MODEL and wired to the save."""
    edited = changed(bare())
    assert records(edited) == ["gen5_record_9_3"]
    assert edited["3"]["inputs"]["model"] == ["gen5_record_9_3", 0]
    assert edited["9"]["inputs"]["recording"] == ["gen5_record_9_3", 1]
    assert edited["gen5_record_9_3"]["inputs"]["model"] == ["4", 0]


def test_a_recording_wired_by_hand_is_left_alone() -> None:
    """A save that has a recording is not changed."""
    prompt = bare()
    prompt["10"] = {"class_type": "Gen5Record", "inputs": {"model": ["4", 0]}}
    prompt["3"]["inputs"]["model"] = ["10", 0]
    prompt["9"]["inputs"]["recording"] = ["10", 1]
    assert insert_records(prompt) is prompt


def test_every_sampler_above_is_recorded_in_a_chain() -> None:
    """Two passes get two Record Sampling nodes; the second continues the recording of the first."""
    prompt = bare()
    prompt["5b"] = copy.deepcopy(prompt["3"])
    prompt["5b"]["inputs"]["latent_image"] = ["3", 0]
    prompt["9"]["inputs"]["latent"] = ["5b", 0]
    edited = changed(prompt)
    assert records(edited) == ["gen5_record_9_3", "gen5_record_9_5b"]
    assert edited["gen5_record_9_5b"]["inputs"]["recording"] == ["gen5_record_9_3", 1]
    assert edited["9"]["inputs"]["recording"] == ["gen5_record_9_5b", 1]


def test_two_saves_have_separate_recordings() -> None:
    """Two saves after one sampler each get their own, one after the other; both can be removed."""
    prompt = bare()
    prompt["11"] = copy.deepcopy(prompt["9"])
    edited = changed(prompt)
    assert len(records(edited)) == 2
    assert edited["9"]["inputs"]["recording"] != edited["11"]["inputs"]["recording"]


def test_a_guiders_model_is_recorded() -> None:
    """For SamplerCustomAdvanced, the guider's MODEL is recorded."""
    prompt = bare()
    prompt["3"] = {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {"noise": ["31", 0], "guider": ["30", 0], "sampler": ["32", 0], "sigmas": ["33", 0]},
    }
    prompt["3"]["inputs"]["latent_image"] = ["5", 0]
    prompt["30"] = {"class_type": "BasicGuider", "inputs": {"model": ["4", 0], "conditioning": ["6", 0]}}
    prompt["31"] = {"class_type": "RandomNoise", "inputs": {"noise_seed": 1}}
    edited = changed(prompt)
    assert edited["30"]["inputs"]["model"] == ["gen5_record_9_30", 0]


def test_samplers_inside_subgraphs_get_plain_ids() -> None:
    """Ids with colons give ids without, because ComfyUI reads a colon as a subgraph id."""
    prompt = {node_id: node for node_id, node in bare().items() if node_id != "3"}
    prompt["57:8"] = bare()["3"]
    prompt["9"]["inputs"]["latent"] = ["57:8", 0]
    assert records(changed(prompt)) == ["gen5_record_9_57_8"]


def test_record_is_inside_the_replay() -> None:
    """If a sampler also starts from a file, the noise from the file is recorded."""
    prompt = bare(latent_image=["20", 0])
    prompt["20"] = {"class_type": "Gen5Load", "inputs": {"file": "a.gen5", "on_drift": "warn"}}
    edited = insert_records(insert_replays(prompt))
    record = edited["3"]["inputs"]["model"][0]
    assert edited[record]["class_type"] == "Gen5Record"
    assert edited[edited[record]["inputs"]["model"][0]]["class_type"] == "Gen5Replay"
    assert prompt == remove_inserted(edited)


@given(
    links=st.dictionaries(
        st.sampled_from(["1", "2", "3", "9", "a:b"]),
        st.tuples(
            st.sampled_from(
                ["KSampler", "Gen5Save", "CFGGuider", "SamplerCustomAdvanced", "Reroute", "Other"]
            ),
            st.dictionaries(
                st.sampled_from(
                    ["model", "guider", "latent_image", "latent", "images", "recording", "seed", "x"]
                ),
                st.one_of(
                    st.tuples(st.sampled_from(["1", "2", "3", "9", "a:b", "no"]), st.integers(0, 2)).map(list)
                ),
            ),
        ),
    )
)
@settings(max_examples=300, deadline=None)
def test_any_prompt_can_be_restored(links: dict[str, tuple[str, dict[str, Any]]]) -> None:
    """For any prompt, inserted nodes can be removed, and inserting twice changes nothing."""
    changed({node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in links.items()})

"""Recording without wiring: what is put in, where, and that it can be taken out again."""

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
    """Return txt2img with a Save Gen5 9 and nothing recorded."""
    prompt = txt2img(**sampler)
    prompt["9"] = {"class_type": "Gen5Save", "inputs": {"filename_prefix": "x", "latent": ["3", 0]}}
    return prompt


def records(prompt: Prompt) -> list[str]:
    """Return the ids of the Record Sampling nodes."""
    return [node_id for node_id, node in prompt.items() if node["class_type"] == "Gen5Record"]


def changed(prompt: Prompt) -> Prompt:
    """Return the spliced prompt, having checked that the given one is untouched and can be had back."""
    before = json.dumps(prompt)
    spliced = insert_records(prompt)
    assert before == json.dumps(prompt)
    assert prompt == remove_inserted(spliced)
    assert spliced == insert_records(spliced)
    return spliced


def test_a_save_without_recording_gets_one() -> None:
    """A Record Sampling stands between the sampler and its MODEL, joined to the save."""
    spliced = changed(bare())
    assert records(spliced) == ["gen5_record_9_3"]
    assert spliced["3"]["inputs"]["model"] == ["gen5_record_9_3", 0]
    assert spliced["9"]["inputs"]["recording"] == ["gen5_record_9_3", 1]
    assert spliced["gen5_record_9_3"]["inputs"]["model"] == ["4", 0]


def test_a_recording_wired_by_hand_is_left_alone() -> None:
    """A save that has a recording is not touched."""
    prompt = bare()
    prompt["10"] = {"class_type": "Gen5Record", "inputs": {"model": ["4", 0]}}
    prompt["3"]["inputs"]["model"] = ["10", 0]
    prompt["9"]["inputs"]["recording"] = ["10", 1]
    assert insert_records(prompt) is prompt


def test_every_sampler_above_is_recorded_in_a_chain() -> None:
    """Two passes are two Record Sampling, the second going on with the first's recording."""
    prompt = bare()
    prompt["5b"] = copy.deepcopy(prompt["3"])
    prompt["5b"]["inputs"]["latent_image"] = ["3", 0]
    prompt["9"]["inputs"]["latent"] = ["5b", 0]
    spliced = changed(prompt)
    assert records(spliced) == ["gen5_record_9_3", "gen5_record_9_5b"]
    assert spliced["gen5_record_9_5b"]["inputs"]["recording"] == ["gen5_record_9_3", 1]
    assert spliced["9"]["inputs"]["recording"] == ["gen5_record_9_5b", 1]


def test_two_saves_have_recordings_of_their_own() -> None:
    """Two saves behind one sampler each get their own, one before the other; both can be taken out."""
    prompt = bare()
    prompt["11"] = copy.deepcopy(prompt["9"])
    spliced = changed(prompt)
    assert len(records(spliced)) == 2
    assert spliced["9"]["inputs"]["recording"] != spliced["11"]["inputs"]["recording"]


def test_a_guiders_model_is_recorded() -> None:
    """Of SamplerCustomAdvanced the guider's MODEL is recorded."""
    prompt = bare()
    prompt["3"] = {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {"noise": ["31", 0], "guider": ["30", 0], "sampler": ["32", 0], "sigmas": ["33", 0]},
    }
    prompt["3"]["inputs"]["latent_image"] = ["5", 0]
    prompt["30"] = {"class_type": "BasicGuider", "inputs": {"model": ["4", 0], "conditioning": ["6", 0]}}
    prompt["31"] = {"class_type": "RandomNoise", "inputs": {"noise_seed": 1}}
    spliced = changed(prompt)
    assert spliced["30"]["inputs"]["model"] == ["gen5_record_9_30", 0]


def test_samplers_inside_subgraphs_get_plain_ids() -> None:
    """Ids with colons become ids without: ComfyUI reads a colon as a subgraph's."""
    prompt = {node_id: node for node_id, node in bare().items() if node_id != "3"}
    prompt["57:8"] = bare()["3"]
    prompt["9"]["inputs"]["latent"] = ["57:8", 0]
    assert records(changed(prompt)) == ["gen5_record_9_57_8"]


def test_record_stands_inside_the_replay() -> None:
    """Where a sampler also starts from a file, what is recorded is what the file gave."""
    prompt = bare(latent_image=["20", 0])
    prompt["20"] = {"class_type": "Gen5Load", "inputs": {"file": "a.gen5", "on_drift": "warn"}}
    spliced = insert_records(insert_replays(prompt))
    record = spliced["3"]["inputs"]["model"][0]
    assert spliced[record]["class_type"] == "Gen5Record"
    assert spliced[spliced[record]["inputs"]["model"][0]]["class_type"] == "Gen5Replay"
    assert prompt == remove_inserted(spliced)


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
def test_any_prompt_can_be_had_back(links: dict[str, tuple[str, dict[str, Any]]]) -> None:
    """Whatever the prompt, what was put in can be taken out, and putting in twice changes nothing."""
    changed({node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in links.items()})

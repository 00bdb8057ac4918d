"""Replay Sampling inserted into prompts before they run, and removed before they are stored."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gen5pack.nodes.prompt import auto_record
from gen5pack.nodes.prompt.edit import remove_inserted
from gen5pack.nodes.prompt.insert_replays import insert_replays
from gen5pack.nodes.prompt.on_prompt import handle_prompt, register
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import txt2img

Prompt = dict[str, Any]
LOADER = {"class_type": "Gen5Load", "inputs": {"file": "a.gen5", "on_drift": "warn", "batch_index": 2}}


def straight(**sampler: Any) -> Prompt:
    """Return txt2img whose KSampler 3 starts from the noise of Load Gen5 20."""
    return {**txt2img(**{"latent_image": ["20", 0], **sampler}), "20": copy.deepcopy(LOADER)}


def advanced() -> Prompt:
    """Return the same with SamplerCustomAdvanced 3 and its CFGGuider 30."""
    prompt = straight()
    prompt["30"] = {
        "class_type": "CFGGuider",
        "inputs": {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "cfg": 3.0},
    }
    prompt["31"] = {"class_type": "RandomNoise", "inputs": {"noise_seed": 1}}
    prompt["3"] = {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {
            "noise": ["31", 0],
            "guider": ["30", 0],
            "sampler": ["32", 0],
            "sigmas": ["33", 0],
            "latent_image": ["20", 0],
        },
    }
    return prompt


def changed(prompt: Prompt) -> Prompt:
    """Return the edited prompt, after checking that the original is unchanged and can be restored."""
    before = json.dumps(prompt)
    edited = insert_replays(prompt)
    assert before == json.dumps(prompt)
    assert prompt == remove_inserted(edited)
    assert edited == insert_replays(edited)
    json.dumps(edited)
    return edited


class TestKSampler:
    """A sampler with its own model input."""

    def test_replay_is_inserted(self) -> None:
        """Model and latent come from a Replay Sampling with that file and batch_index; nothing else changes."""
        edited = changed(straight())
        expected = straight()
        expected["3"]["inputs"].update(model=["gen5_replay_3", 0], latent_image=["gen5_replay_3", 1])
        node = edited.pop("gen5_replay_3")
        assert edited == expected
        assert node["class_type"] == "Gen5Replay"
        assert node["inputs"] == {"model": ["4", 0], "gen5": ["20", 4], "pass_index": -1, "batch_index": 2}

    def test_linked_batch_index(self) -> None:
        """A linked batch_index is passed to the replay as the same link."""
        prompt = straight()
        prompt["20"]["inputs"]["batch_index"] = ["5", 0]
        assert changed(prompt)["gen5_replay_3"]["inputs"]["batch_index"] == ["5", 0]

    @pytest.mark.parametrize("name", ["Reroute", "Reroute (rgthree)"])
    def test_through_reroutes(self, name: str) -> None:
        """Reroutes between noise and sampler are followed."""
        prompt = straight()
        prompt["21"] = {"class_type": name, "inputs": {"": ["20", 0]}}
        prompt["22"] = {"class_type": name, "inputs": {"": ["21", 0]}}
        prompt["3"]["inputs"]["latent_image"] = ["22", 0]
        assert changed(prompt)["gen5_replay_3"]["inputs"]["gen5"] == ["20", 4]

    def test_subgraph_ids(self) -> None:
        """A subgraph id with colons gives an id without; two that would be equal stay distinct."""
        prompt = straight()
        prompt["1:2:3"] = copy.deepcopy(prompt["3"])
        prompt["1_2_3"] = copy.deepcopy(prompt["3"])
        edited = changed(prompt)
        links = [edited[node]["inputs"]["model"][0] for node in ("3", "1:2:3", "1_2_3")]
        assert len(set(links)) == 3
        assert not any(":" in link for link in links)
        assert {edited[link]["class_type"] for link in links} == {"Gen5Replay"}

    def test_ids_are_stable(self) -> None:
        """Ids do not depend on the seed or the order of nodes, so that ComfyUI's cache holds."""
        reverse = dict(reversed(list(straight(seed=9).items())))
        assert changed(straight()).keys() == changed(reverse).keys()

    def test_id_that_is_already_used(self) -> None:
        """A user's node that already has the id is kept; the inserted one gets the next free id."""
        existing = {"class_type": "PreviewAny", "inputs": {"source": ["20", 3]}}
        prompt = {**straight(), "gen5_replay_3": existing}
        edited = changed(prompt)
        assert existing == edited["gen5_replay_3"]
        put_in = edited["3"]["inputs"]["model"][0]
        assert edited[put_in]["class_type"] == "Gen5Replay"
        assert put_in == changed(prompt)["3"]["inputs"]["model"][0]
        assert len(prompt) + 1 == len(edited)


class TestLeftAlone:
    """If there is nothing to do, the prompt itself is returned."""

    @pytest.mark.parametrize(
        "prompt",
        [
            {},
            txt2img(),
            straight(add_noise="disable"),
            straight(add_noise=False),
            straight(add_noise=["6", 0]),
            straight(latent_image=["20", 1]),
            straight(latent_image=["20", 4]),
            straight(latent_image=["99", 0]),
            straight(latent_image="20"),
            straight(model="none"),
            {**straight(), "20": {"class_type": "LoadLatent", "inputs": {}}},
            {
                "3": None,
                "4": [],
                "5": {"inputs": None},
                "6": {"class_type": 5, "inputs": {"latent_image": 1}},
            },
        ],
    )
    def test_nothing_to_do(self, prompt: Prompt) -> None:
        """Samplers that add no noise or start from something else, and prompts that are not graphs."""
        assert prompt is changed(prompt)

    def test_existing_replay(self) -> None:
        """If a Replay Sampling is anywhere upstream of the model, the sampler stays as the user wired it."""
        prompt = straight(model=["40", 0])
        prompt["40"] = {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["41", 0]}}
        prompt["41"] = {"class_type": "Reroute", "inputs": {"": ["42", 0]}}
        prompt["42"] = {"class_type": "Gen5Replay", "inputs": {"model": ["4", 0], "gen5": ["20", 4]}}
        assert prompt is changed(prompt)

    def test_two_models(self) -> None:
        """A sampler with a refiner's MODEL is started while it runs, so that both MODELs' runs are replayed."""
        prompt = straight(refiner_model=["4", 0])
        assert prompt is changed(prompt)

    def test_disabled_noise(self) -> None:
        """SamplerCustomAdvanced with DisableNoise, also through a reroute, adds no noise."""
        prompt = advanced()
        prompt["31"] = {"class_type": "DisableNoise", "inputs": {}}
        assert prompt is changed(prompt)
        prompt["3"]["inputs"]["noise"] = ["34", 0]
        prompt["34"] = {"class_type": "Reroute", "inputs": {"": ["31", 0]}}
        assert prompt is changed(prompt)

    def test_nodes_that_do_not_sample(self) -> None:
        """AddNoise has model and latent_image inputs too, but uses the noise as a plain latent."""
        prompt = straight()
        prompt["3"] = {
            "class_type": "AddNoise",
            "inputs": {
                "model": ["4", 0],
                "noise": ["31", 0],
                "sigmas": ["33", 0],
                "latent_image": ["20", 0],
            },
        }
        assert prompt is changed(prompt)

    @pytest.mark.parametrize("length", [1, 2, 5])
    def test_cycles_of_reroutes(self, length: int) -> None:
        """Cycles of reroutes terminate, both for the latent and for the model."""
        ring = {
            f"r{number}": {"class_type": "Reroute", "inputs": {"": [f"r{(number + 1) % length}", 0]}}
            for number in range(length)
        }
        prompt = {**straight(latent_image=["r0", 0]), **ring}
        assert prompt is changed(prompt)
        looped = {**straight(model=["r0", 0]), **ring}
        assert changed(looped)["gen5_replay_3"]["inputs"]["model"] == ["r0", 0]


class TestGuider:
    """A sampler that gets its model through a guider."""

    def test_guider_is_copied(self) -> None:
        """The sampler gets its own guider with the replayed model; the original is unchanged."""
        edited = changed(advanced())
        copied = edited["3"]["inputs"]["guider"][0]
        assert advanced()["30"] == edited["30"]
        assert {**advanced()["30"]["inputs"], "model": ["gen5_replay_3", 0]} == edited[copied]["inputs"]
        assert edited["gen5_replay_3"]["inputs"]["model"] == ["4", 0]
        assert edited["3"]["inputs"]["latent_image"] == ["gen5_replay_3", 1]

    def test_shared_guider_is_left_alone(self) -> None:
        """Another sampler with the same guider that starts from its own latent is not changed."""
        prompt = advanced()
        prompt["35"] = copy.deepcopy(prompt["3"])
        prompt["35"]["inputs"]["latent_image"] = ["5", 0]
        edited = changed(prompt)
        assert prompt["35"] == edited["35"]
        assert prompt["30"] == edited["30"]

    def test_two_samplers_of_one_guider(self) -> None:
        """Two samplers that start from two files each get their own replay and guider."""
        prompt = advanced()
        prompt["23"] = {**copy.deepcopy(LOADER), "inputs": {"file": "b.gen5"}}
        prompt["36"] = copy.deepcopy(prompt["3"])
        prompt["36"]["inputs"]["latent_image"] = ["23", 0]
        edited = changed(prompt)
        for sampler, loader in (("3", "20"), ("36", "23")):
            guider = edited[sampler]["inputs"]["guider"][0]
            replay = edited[guider]["inputs"]["model"][0]
            assert [loader, 4] == edited[replay]["inputs"]["gen5"]
        assert len(prompt) + 4 == len(edited)

    def test_guider_through_a_reroute(self) -> None:
        """A guider is found through a reroute."""
        prompt = advanced()
        prompt["34"] = {"class_type": "Reroute", "inputs": {"": ["30", 0]}}
        prompt["3"]["inputs"]["guider"] = ["34", 0]
        edited = changed(prompt)
        guider = edited["3"]["inputs"]["guider"][0]
        assert (
            edited[guider]["class_type"],
            edited[guider]["inputs"]["model"],
        ) == ("CFGGuider", ["gen5_replay_3", 0])

    def test_guider_without_proper_meta(self) -> None:
        """A guider whose _meta is null, as a program may send it, is copied too."""
        prompt = advanced()
        prompt["30"]["_meta"] = None
        assert "gen5_replay_3" in changed(prompt)

    def test_model_that_is_no_link(self) -> None:
        """A sampler with a model widget and a guider is replayed through its guider."""
        prompt = advanced()
        prompt["3"]["inputs"]["model"] = "baked"
        edited = changed(prompt)
        assert edited["3"]["inputs"]["model"] == "baked"
        assert edited["gen5_replay_3"]["inputs"]["model"] == ["4", 0]


class TestRemoveInserted:
    """remove_inserted leaves prompts without inserted nodes unchanged."""

    @pytest.mark.parametrize(
        "prompt",
        [
            {},
            txt2img(),
            {"gen5_mine": {"class_type": "Gen5Replay", "inputs": {}}},
            {"gen5_mine": {"class_type": "Gen5Replay", "inputs": {}, "_meta": {"title": "mine"}}},
            {"gen5_mine": {"class_type": "Gen5Replay", "inputs": {}, "_meta": None}},
            {"a": None, "b": [], "gen5_c": 5},
        ],
    )
    def test_user_nodes_stay(self, prompt: Prompt) -> None:
        """The user's own nodes stay, whatever their ids are."""
        assert prompt == remove_inserted(prompt)

    @pytest.mark.parametrize(
        "origin", [5, None, "abc", [1], [["3"]], [["3", "model", 7]], [["9", 4, ["4", 0]]], {"3": 1}]
    )
    def test_forged_origins(self, origin: Any) -> None:
        """Nodes with a forged origin raise nothing and count as the user's own."""
        node = {"class_type": "Gen5Replay", "inputs": {}, "_meta": {"gen5_replaces": origin}}
        prompt = {**straight(), "gen5_replay_3": node}
        assert prompt == remove_inserted(prompt)

    @pytest.mark.parametrize("kind", [straight, advanced])
    def test_an_edited_prompt_that_is_sent_again(self, kind: Callable[[], Prompt]) -> None:
        """What arrives with ids and ``_meta`` of inserted nodes, as the history has them, is stored as it came."""
        sent = json.loads(json.dumps(handle_prompt({"prompt": kind()})["prompt"]))
        assert "gen5_replay_3" in sent
        assert json.dumps(remove_inserted(handle_prompt({"prompt": sent})["prompt"])) == json.dumps(sent)

    def test_a_forged_origin_of_the_right_form(self) -> None:
        """No ``_meta`` takes a node out, or puts another link into the graph that ran."""
        origin = [["3", "model", ["evil", 0]]]
        node = {"class_type": "Gen5Replay", "inputs": {}, "_meta": {"gen5_replaces": origin}}
        prompt = {**txt2img(), "gen5_replay_3": node}
        prompt["9"]["_meta"] = {"gen5_auto_record_off": False}
        edited = handle_prompt({"prompt": prompt})["prompt"]
        assert remove_inserted(edited) == prompt
        assert auto_record.is_on_for(edited, "9") is True

    def test_copies(self) -> None:
        """ComfyUI copies what is queued; other extensions may put the nodes into a dict of their own."""
        edited = handle_prompt({"prompt": straight()})["prompt"]
        assert remove_inserted(copy.deepcopy(edited)) == straight()
        assert remove_inserted(dict(edited)) == straight()

    def test_a_link_that_was_changed_afterwards(self) -> None:
        """What another extension wired after the edit is what ran, and stays."""
        edited = insert_replays(straight())
        edited["3"]["inputs"]["model"] = ["5", 0]
        expected = straight(model=["5", 0])
        assert remove_inserted(edited) == expected


SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced", "UnknownSampler")
CLASSES = (
    *SAMPLERS,
    "Gen5Load",
    "Gen5Load",
    "Gen5Replay",
    "Reroute",
    "CFGGuider",
    "AddNoise",
    "DisableNoise",
)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """Return randomly wired prompts of relevant nodes, including cycles and odd ids."""
    odd = st.sampled_from(["1:2", "1_2", "gen5_replay_1_2", "gen5_replay_1_2_guider", "gen5_replay_3", "3"])
    ids = draw(st.lists(odd | st.integers(0, 12).map(str), min_size=1, max_size=12, unique=True))
    link = st.tuples(st.sampled_from(ids), st.sampled_from([0, 0, 0, 1, 4])).map(list)
    switches = st.sampled_from(["enable", "disable", True, False])
    inputs = st.fixed_dictionaries(
        {},
        optional={
            "model": link,
            "guider": link,
            "latent_image": link,
            "noise": link,
            "": link,
            "seed": st.integers(0, 3),
            "steps": st.just(4),
            "add_noise": switches | link,
            "batch_index": st.integers(-1, 3) | link,
        },
    )
    meta = st.fixed_dictionaries({}, optional={"_meta": st.sampled_from([{}, {"title": "mine"}])})
    node = st.builds(
        lambda kind, given, extra: {"class_type": kind, "inputs": given, **extra},
        st.sampled_from(CLASSES),
        inputs,
        meta,
    )
    return {node_id: draw(node) for node_id in ids}


@settings(max_examples=400, deadline=None)
@given(prompts())
def test_any_prompt_can_be_restored(prompt: Prompt) -> None:
    """Removing the inserted nodes restores any prompt, and inserting twice equals inserting once."""
    edited = changed(prompt)
    for node_id, node in prompt.items():
        assert node["class_type"] == edited[node_id]["class_type"]
        if node["class_type"] not in SAMPLERS:
            assert node == edited[node_id]


class TestHook:
    """The handler for queued prompts."""

    def test_prompt_is_edited_and_the_rest_kept(self) -> None:
        """The request is returned with the edited prompt; the original is unchanged."""
        request = {"prompt": straight(), "client_id": "c", "extra_data": {"a": 1}}
        answer = handle_prompt(request)
        assert {"prompt": straight(), "client_id": "c", "extra_data": {"a": 1}} == request
        assert answer == {**request, "prompt": insert_replays(straight())}

    def test_request_can_turn_off_recording(self) -> None:
        """extra_data turns off recording for the saves of its prompt, which are stored without the mark."""
        request = {"prompt": straight(), "extra_data": {"gen5": {"auto_record": False}}}
        edited = handle_prompt(request)["prompt"]
        assert auto_record.is_on_for(edited, "9") is False
        assert auto_record.is_on_for(handle_prompt({"prompt": straight()})["prompt"], "9") is True
        assert remove_inserted(edited) == straight()

    def test_environment_can_turn_off_recording(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """GEN5_AUTO_RECORD=0 turns off recording for every save."""
        assert auto_record.is_on_for(straight(), "9") is True
        monkeypatch.setenv("GEN5_AUTO_RECORD", "0")
        assert auto_record.is_on_for(straight(), "9") is False

    def test_user_can_turn_off_recording(self, folder: Path) -> None:
        """ComfyUI's setting turns off recording from the next save on."""
        settings = folder / "user" / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text('{"Gen5.Recording.Automatic": false}')
        assert auto_record.is_on_for(straight(), "9") is False
        settings.write_text('{"Gen5.Recording.Automatic": true}')
        assert auto_record.is_on_for(straight(), "9") is True

    @pytest.mark.parametrize(
        "request_", [{}, {"prompt": None}, {"prompt": []}, {"prompt": "abc"}, {"prompt": 5}, [], None, "abc"]
    )
    def test_odd_requests_are_passed_on(self, request_: Any) -> None:
        """A request without a prompt, or that is not an object, is left for the server to reject."""
        assert request_ is handle_prompt(request_)

    @pytest.mark.parametrize(
        "prompt", [{"1": None}, {"1": []}, {"1": {"inputs": []}}, {"1": {"class_type": 1}}]
    )
    def test_odd_nodes_are_passed_on(self, prompt: Prompt) -> None:
        """Invalid nodes are left for the server to reject too."""
        assert {"prompt": prompt} == handle_prompt({"prompt": prompt})

    def test_no_server_to_register_with(self) -> None:
        """Without a server, register returns False and does not raise."""
        assert register() is False

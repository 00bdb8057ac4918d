"""Prompts changed before they run, and changed back before they are stored."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from gen5pack.nodes.prompt.edit import remove_inserted
from gen5pack.nodes.prompt.insert_records import insert_records
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
    """Return the spliced prompt, having checked that the given one is untouched and can be had back."""
    before = json.dumps(prompt)
    spliced = insert_replays(prompt)
    assert before == json.dumps(prompt)
    assert prompt == remove_inserted(spliced)
    assert spliced == insert_replays(spliced)
    json.dumps(spliced)
    return spliced


class TestKSampler:
    """A sampler with a model of its own."""

    def test_replay_is_put_between(self) -> None:
        """Model and latent come from a Replay Sampling of that file, its batch_index too; nothing else moves."""
        spliced = changed(straight())
        expected = straight()
        expected["3"]["inputs"].update(model=["gen5_replay_3", 0], latent_image=["gen5_replay_3", 1])
        node = spliced.pop("gen5_replay_3")
        assert spliced == expected
        assert node["class_type"] == "Gen5Replay"
        assert node["inputs"] == {"model": ["4", 0], "gen5": ["20", 4], "pass_index": -1, "batch_index": 2}

    def test_linked_batch_index(self) -> None:
        """A batch_index that is itself a link goes to the replay as that link."""
        prompt = straight()
        prompt["20"]["inputs"]["batch_index"] = ["5", 0]
        assert changed(prompt)["gen5_replay_3"]["inputs"]["batch_index"] == ["5", 0]

    @pytest.mark.parametrize("name", ["Reroute", "Reroute (rgthree)"])
    def test_through_reroutes(self, name: str) -> None:
        """Reroutes between noise and sampler do not matter."""
        prompt = straight()
        prompt["21"] = {"class_type": name, "inputs": {"": ["20", 0]}}
        prompt["22"] = {"class_type": name, "inputs": {"": ["21", 0]}}
        prompt["3"]["inputs"]["latent_image"] = ["22", 0]
        assert changed(prompt)["gen5_replay_3"]["inputs"]["gen5"] == ["20", 4]

    def test_subgraph_ids(self) -> None:
        """An id with colons, a subgraph's, gives an id without; two that would be alike stay apart."""
        prompt = straight()
        prompt["1:2:3"] = copy.deepcopy(prompt["3"])
        prompt["1_2_3"] = copy.deepcopy(prompt["3"])
        spliced = changed(prompt)
        links = [spliced[node]["inputs"]["model"][0] for node in ("3", "1:2:3", "1_2_3")]
        assert len(set(links)) == 3
        assert not any(":" in link for link in links)
        assert {spliced[link]["class_type"] for link in links} == {"Gen5Replay"}

    def test_ids_are_stable(self) -> None:
        """Another seed, and nodes in another order, give the same ids, so that ComfyUI's cache holds."""
        reverse = dict(reversed(list(straight(seed=9).items())))
        assert changed(straight()).keys() == changed(reverse).keys()

    def test_id_that_a_person_has_taken(self) -> None:
        """A node of the person's that already bears the id is kept; the new one takes another, again and again."""
        taken = {"class_type": "PreviewAny", "inputs": {"source": ["20", 3]}}
        prompt = {**straight(), "gen5_replay_3": taken}
        spliced = changed(prompt)
        assert taken == spliced["gen5_replay_3"]
        put_in = spliced["3"]["inputs"]["model"][0]
        assert spliced[put_in]["class_type"] == "Gen5Replay"
        assert put_in == changed(prompt)["3"]["inputs"]["model"][0]
        assert len(prompt) + 1 == len(spliced)


class TestLeftAlone:
    """Where nothing is to be done the prompt itself is returned."""

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
        """Samplers that add no noise, or start from something else, and what is no graph at all."""
        assert prompt is changed(prompt)

    def test_replay_is_already_there(self) -> None:
        """A Replay Sampling above the model, however far, leaves the sampler as the person wired it."""
        prompt = straight(model=["40", 0])
        prompt["40"] = {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["41", 0]}}
        prompt["41"] = {"class_type": "Reroute", "inputs": {"": ["42", 0]}}
        prompt["42"] = {"class_type": "Gen5Replay", "inputs": {"model": ["4", 0], "gen5": ["20", 4]}}
        assert prompt is changed(prompt)

    def test_disabled_noise(self) -> None:
        """SamplerCustomAdvanced with DisableNoise, also behind a reroute, adds none."""
        prompt = advanced()
        prompt["31"] = {"class_type": "DisableNoise", "inputs": {}}
        assert prompt is changed(prompt)
        prompt["3"]["inputs"]["noise"] = ["34", 0]
        prompt["34"] = {"class_type": "Reroute", "inputs": {"": ["31", 0]}}
        assert prompt is changed(prompt)

    def test_nodes_that_do_not_sample(self) -> None:
        """AddNoise takes a model and a latent_image too, but uses the noise as the plain latent it is."""
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
    def test_circles_of_reroutes(self, length: int) -> None:
        """Reroutes in a circle end, above the latent and above the model."""
        ring = {
            f"r{number}": {"class_type": "Reroute", "inputs": {"": [f"r{(number + 1) % length}", 0]}}
            for number in range(length)
        }
        prompt = {**straight(latent_image=["r0", 0]), **ring}
        assert prompt is changed(prompt)
        looped = {**straight(model=["r0", 0]), **ring}
        assert changed(looped)["gen5_replay_3"]["inputs"]["model"] == ["r0", 0]


class TestGuider:
    """A sampler whose model is its guider's."""

    def test_guider_is_copied(self) -> None:
        """The sampler gets a guider of its own with the replayed model; the first is as it was."""
        spliced = changed(advanced())
        copied = spliced["3"]["inputs"]["guider"][0]
        assert advanced()["30"] == spliced["30"]
        assert {**advanced()["30"]["inputs"], "model": ["gen5_replay_3", 0]} == spliced[copied]["inputs"]
        assert spliced["gen5_replay_3"]["inputs"]["model"] == ["4", 0]
        assert spliced["3"]["inputs"]["latent_image"] == ["gen5_replay_3", 1]

    def test_shared_guider_is_left_alone(self) -> None:
        """Another sampler of the same guider, which starts from its own latent, is not touched."""
        prompt = advanced()
        prompt["35"] = copy.deepcopy(prompt["3"])
        prompt["35"]["inputs"]["latent_image"] = ["5", 0]
        spliced = changed(prompt)
        assert prompt["35"] == spliced["35"]
        assert prompt["30"] == spliced["30"]

    def test_two_samplers_of_one_guider(self) -> None:
        """Two samplers that start from two files each get their own replay and guider."""
        prompt = advanced()
        prompt["23"] = {**copy.deepcopy(LOADER), "inputs": {"file": "b.gen5"}}
        prompt["36"] = copy.deepcopy(prompt["3"])
        prompt["36"]["inputs"]["latent_image"] = ["23", 0]
        spliced = changed(prompt)
        for sampler, loader in (("3", "20"), ("36", "23")):
            guider = spliced[sampler]["inputs"]["guider"][0]
            replay = spliced[guider]["inputs"]["model"][0]
            assert [loader, 4] == spliced[replay]["inputs"]["gen5"]
        assert len(prompt) + 4 == len(spliced)

    def test_guider_behind_a_reroute(self) -> None:
        """A guider that comes through a reroute is found behind it."""
        prompt = advanced()
        prompt["34"] = {"class_type": "Reroute", "inputs": {"": ["30", 0]}}
        prompt["3"]["inputs"]["guider"] = ["34", 0]
        spliced = changed(prompt)
        guider = spliced["3"]["inputs"]["guider"][0]
        assert (
            spliced[guider]["class_type"],
            spliced[guider]["inputs"]["model"],
        ) == ("CFGGuider", ["gen5_replay_3", 0])

    def test_guider_without_proper_meta(self) -> None:
        """A guider whose _meta is null, as a program may send it, is copied all the same."""
        prompt = advanced()
        prompt["30"]["_meta"] = None
        assert "gen5_replay_3" in changed(prompt)

    def test_model_that_is_no_link(self) -> None:
        """A sampler with a model widget and a guider is replayed by its guider."""
        prompt = advanced()
        prompt["3"]["inputs"]["model"] = "baked"
        spliced = changed(prompt)
        assert spliced["3"]["inputs"]["model"] == "baked"
        assert spliced["gen5_replay_3"]["inputs"]["model"] == ["4", 0]


class TestUnsplice:
    """Prompts that were never spliced are as they were."""

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
    def test_own_nodes_stay(self, prompt: Prompt) -> None:
        """Nodes of the person's stay, whatever they are called."""
        assert prompt == remove_inserted(prompt)

    @pytest.mark.parametrize(
        "origin", [5, None, "abc", [1], [["3"]], [["3", "model", 7]], [["9", 4, ["4", 0]]], {"3": 1}]
    )
    def test_forged_origins(self, origin: Any) -> None:
        """Forged notes of what was replaced raise nothing: their nodes count as the person's own."""
        node = {"class_type": "Gen5Replay", "inputs": {}, "_meta": {"gen5_replaces": origin}}
        prompt = {**straight(), "gen5_replay_3": node}
        assert prompt == remove_inserted(prompt)


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
    """Return prompts of nodes that matter to the splicing, wired at random, circles and odd ids included."""
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
def test_any_prompt_can_be_had_back(prompt: Prompt) -> None:
    """unsplice gives back what splice was given, which is never touched; splicing twice is splicing once."""
    spliced = changed(prompt)
    for node_id, node in prompt.items():
        assert node["class_type"] == spliced[node_id]["class_type"]
        if node["class_type"] not in SAMPLERS:
            assert node == spliced[node_id]


class TestHook:
    """What the server hands over."""

    def test_prompt_is_spliced_and_the_rest_kept(self) -> None:
        """The request with the changed prompt is returned; the one that came in is as it was."""
        request = {"prompt": straight(), "client_id": "c", "extra_data": {"a": 1}}
        answer = handle_prompt(request)
        assert {"prompt": straight(), "client_id": "c", "extra_data": {"a": 1}} == request
        assert {**request, "prompt": insert_records(insert_replays(straight()))} == answer

    def test_a_request_may_leave_recording_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """extra_data or the environment variable turns recording off, not the replay."""
        unrecorded = insert_replays(straight())
        asked = {"prompt": straight(), "extra_data": {"gen5": {"auto_record": False}}}
        assert unrecorded == handle_prompt(asked)["prompt"]
        assert unrecorded != handle_prompt({"prompt": straight()})["prompt"]
        monkeypatch.setenv("GEN5_AUTO_RECORD", "0")
        assert unrecorded == handle_prompt({"prompt": straight()})["prompt"]

    def test_a_person_may_leave_recording_out(self, folder: Path) -> None:
        """ComfyUI's setting turns recording off from the next prompt on, not the replay."""
        unrecorded = insert_replays(straight())
        settings = folder / "user" / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text('{"Gen5.Recording.Automatic": false}')
        assert unrecorded == handle_prompt({"prompt": straight()})["prompt"]
        settings.write_text('{"Gen5.Recording.Automatic": true}')
        assert unrecorded != handle_prompt({"prompt": straight()})["prompt"]

    @pytest.mark.parametrize(
        "request_", [{}, {"prompt": None}, {"prompt": []}, {"prompt": "abc"}, {"prompt": 5}, [], None, "abc"]
    )
    def test_odd_requests_go_on_as_they_are(self, request_: Any) -> None:
        """A request without a prompt, or that is no object, is the server's to refuse."""
        assert request_ is handle_prompt(request_)

    @pytest.mark.parametrize(
        "prompt", [{"1": None}, {"1": []}, {"1": {"inputs": []}}, {"1": {"class_type": 1}}]
    )
    def test_odd_nodes_go_on_as_they_are(self, prompt: Prompt) -> None:
        """What is no node is the server's to refuse too."""
        assert {"prompt": prompt} == handle_prompt({"prompt": prompt})

    def test_no_server_to_register_with(self) -> None:
        """Without a server there is nothing to register with, which is told, not raised."""
        assert register() is False

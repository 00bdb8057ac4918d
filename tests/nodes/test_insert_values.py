"""Values and decoded latents: what is wired to Save Gen5's gate, and that it can be removed again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from gen5pack.nodes import host
from gen5pack.nodes.gate import Gen5Gate
from gen5pack.nodes.prompt import decoded as decoded_module
from gen5pack.nodes.prompt import insert_values as module
from gen5pack.nodes.prompt.edit import InsertedNode, is_inserted, remove_inserted, unwatched_reason
from gen5pack.nodes.prompt.insert_values import OBSERVED, insert_values
from gen5pack.nodes.prompt.on_prompt import handle_prompt
from gen5pack.nodes.prompt.share_values import MAX_DEPTH, Source, share_values
from gen5pack.nodes.prompt.sockets import Sockets
from gen5pack.nodes.saving.inputs import read_inputs
from gen5pack.nodes.saving.observed import Decoded, Observed, as_scalar, recall, remember, substitute
from gen5pack.nodes.values import Gen5Values
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import hires, txt2img

Prompt = dict[str, Any]


def declared(outputs: str, *, is_list: bool = False, **inputs: Any) -> type:
    """Return a node class with these sockets, its inputs as (type, options) or as a type."""
    pairs = {name: kind if isinstance(kind, tuple) else (kind, {}) for name, kind in inputs.items()}
    attributes = {
        "RETURN_TYPES": tuple(outputs.split()),
        "INPUT_TYPES": classmethod(lambda cls: {"required": pairs}),
        "INPUT_IS_LIST": is_list,
    }
    return type("Node", (), attributes)


SAMPLER = {"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT"}
LAZY = ("*", {"lazy": True})
CLASSES = {
    "CheckpointLoaderSimple": declared("MODEL CLIP VAE"),
    "EmptyLatentImage": declared("LATENT", width="INT", height="INT", batch_size="INT"),
    "CLIPTextEncode": declared("CONDITIONING", text="STRING", clip="CLIP"),
    "KSampler": declared("LATENT", seed="INT", steps="INT", cfg="FLOAT", **SAMPLER),
    "LatentUpscale": declared("LATENT", samples="LATENT", width="INT"),
    "VAEDecode": declared("IMAGE", samples="LATENT", vae="VAE"),
    "VAEEncode": declared("LATENT", pixels="IMAGE", vae="VAE"),
    "Gen5Save": declared("IMAGE GEN5", images="IMAGE", latent="LATENT"),
    "ImageScaleBy": declared("IMAGE", image="IMAGE", scale_by="FLOAT"),
    "ImageBatch": declared("IMAGE", image1="IMAGE", image2="IMAGE"),
    "Rebatch": declared("IMAGE", is_list=True, images="IMAGE"),
    "Reroute": declared("*", any="*"),
    "LazySwitchKJ": declared("*", switch="BOOLEAN", on_false=LAZY, on_true=LAZY),
    "Whole": declared("IMAGE LATENT", model="MODEL", seed="INT", steps="INT"),
    "Context (rgthree)": declared(
        "RGTHREE_CONTEXT IMAGE LATENT",
        base_ctx="RGTHREE_CONTEXT",
        model="MODEL",
        latent="LATENT",
        images="IMAGE",
    ),
    "Number": declared("INT FLOAT STRING", a="INT"),
}


@pytest.fixture(autouse=True)
def classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes of a server."""
    monkeypatch.setattr(host, "node_class", CLASSES.get)


def number(**inputs: Any) -> Prompt:
    return {"class_type": "Number", "inputs": inputs}


def changed(prompt: Prompt) -> Prompt:
    """Return the edited prompt, after checking that the original is unchanged and can be restored."""
    before = json.dumps(prompt)
    edited = insert_values(prompt)
    assert json.dumps(prompt) == before
    assert json.dumps(remove_inserted(edited)) == before
    assert insert_values(edited) == edited
    json.dumps(edited)
    return edited


def wired(prompt: Prompt, save: str = "9") -> tuple[list[Any], list[Any]]:
    """Return the outputs that are wired for their values, and the decoded latents with the classes after them."""
    edited = changed(prompt)
    node = edited.get(f"gen5_values_{save}", InsertedNode({"inputs": {}}))
    inputs = node["inputs"]
    return values_of(edited, f"gen5_values_{save}"), [
        (inputs[name], list(fact.between)) for name, fact in node.facts.items()
    ]


def values_of(edited: Prompt, node_id: str) -> list[Any]:
    """Return the outputs that a Gen5Values sees, those that come through shared ones included."""
    inputs = edited[node_id]["inputs"] if node_id in edited else {}
    shared = [link[0] for name, link in inputs.items() if name.startswith("shared_")]
    own = [link for name, link in inputs.items() if name.startswith("value_")]
    return [*(link for each in shared for link in values_of(edited, each)), *own]


def test_values_and_the_decoded_latent() -> None:
    """A linked seed, text and width are wired, and the latent that the image was decoded from, in front of the save."""
    prompt = txt2img(seed=["20", 0])
    prompt |= {"20": number(a=1), "21": number(a=2), "22": number(a=3)}
    prompt["6"]["inputs"]["text"], prompt["5"]["inputs"]["width"] = ["21", 2], ["22", 0]
    values, decoded = wired(prompt)
    assert sorted(values) == [["20", 0], ["21", 2], ["22", 0]]
    assert decoded == [(["3", 0], [])]
    edited = changed(prompt)
    assert next(iter(edited["9"]["inputs"].items())) == (OBSERVED, ["gen5_gate_9", 0])
    assert edited["gen5_gate_9"]["inputs"] == {"values": ["gen5_values_9", 0]}


def test_nothing_to_see() -> None:
    """Without links that hold settings and without images, the prompt itself is returned."""
    prompt = txt2img()
    del prompt["9"]["inputs"]["images"]
    assert insert_values(prompt) is prompt or insert_values(prompt) == prompt


def test_lazy_branches_are_not_asked_for() -> None:
    """Behind a lazy switch neither values nor latents are wired; its selector is."""
    prompt = txt2img(seed=["20", 0])
    prompt |= {"20": number(a=1), "21": number(a=2)}
    prompt["30"] = copy.deepcopy(prompt["3"])
    branches = {"on_false": ["3", 0], "on_true": ["30", 0]}
    prompt["31"] = {"class_type": "LazySwitchKJ", "inputs": {"switch": ["21", 0], **branches}}
    prompt["8"]["inputs"]["samples"] = ["31", 0]
    del prompt["9"]["inputs"]["latent"]
    assert wired(prompt) == ([["21", 0]], [(["31", 0], [])])


def test_an_output_that_only_a_lazy_branch_reads_is_not_wired() -> None:
    """A node that runs in any case may block an output of which nothing but an unchosen branch would know."""
    prompt = txt2img(seed=["20", 0], steps=["20", 1])
    prompt["20"] = number(a=1)
    prompt["30"] = copy.deepcopy(prompt["3"])
    prompt["30"]["inputs"]["steps"] = 4
    branches = {"on_false": ["3", 0], "on_true": 0}
    prompt["31"] = {"class_type": "LazySwitchKJ", "inputs": {"switch": ["21", 0], **branches}}
    prompt["21"] = number(a=2)
    prompt["32"] = {"class_type": "ImageBatch", "inputs": {"image1": ["8", 0], "image2": ["33", 0]}}
    prompt["33"] = {"class_type": "VAEDecode", "inputs": {"samples": ["30", 0], "vae": ["4", 2]}}
    prompt["8"]["inputs"]["samples"] = ["31", 0]
    prompt["9"]["inputs"] = {"images": ["32", 0]}
    values, _ = wired(prompt)
    assert sorted(values) == [["20", 0], ["21", 0]]


def test_classes_between_decoder_and_save() -> None:
    """Nodes that the image goes through are named in order, reroutes are not; two decoders give two latents."""
    prompt = txt2img()
    prompt["40"] = {"class_type": "ImageScaleBy", "inputs": {"image": ["8", 0], "scale_by": 2.0}}
    prompt["41"] = {"class_type": "Reroute", "inputs": {"any": ["40", 0]}}
    prompt["42"] = {"class_type": "ImageBatch", "inputs": {"image1": ["41", 0], "image2": ["43", 0]}}
    prompt["43"] = {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["4", 2]}}
    prompt["9"]["inputs"]["images"] = ["42", 0]
    _, decoded = wired(prompt)
    scaled, batched = ("40", "ImageScaleBy"), ("42", "ImageBatch")
    assert sorted(decoded) == [(["3", 0], [scaled, batched]), (["5", 0], [batched])]


@pytest.mark.parametrize("handed_on", [{"images": ["8", 0]}, {"base_ctx": ["41", 0]}])
def test_a_context_has_a_latent_of_its_own(handed_on: dict[str, Any]) -> None:
    """The latent in a context need not be that of the image in it: the decoder tells, through several contexts too."""
    prompt = txt2img()
    context = {"class_type": "Context (rgthree)", "inputs": {"images": ["8", 0]}}
    prompt |= {"40": context, "41": context}
    prompt["40"] = {**context, "inputs": {"model": ["4", 0], "latent": ["5", 0], **handed_on}}
    prompt["9"]["inputs"]["images"] = ["40", 1]
    assert wired(prompt)[1] == [(["3", 0], [])]


def test_a_node_that_takes_images_and_a_latent() -> None:
    """Save Gen5 hands its images on; its latent may be another one."""
    prompt = txt2img()
    prompt["10"] = {"class_type": "Gen5Save", "inputs": {"images": ["9", 0]}}
    prompt["9"]["inputs"]["latent"] = ["5", 0]
    assert wired(prompt, "10")[1] == [(["3", 0], [("9", "Gen5Save")])]


def test_a_node_that_samples_and_decodes() -> None:
    """Its own LATENT counts, though nothing reads it; the image goes no further up."""
    prompt = {"4": txt2img()["4"]}
    prompt["3"] = {"class_type": "Whole", "inputs": {"model": ["4", 0], "seed": 1, "steps": 2}}
    prompt["9"] = {"class_type": "Gen5Save", "inputs": {"images": ["3", 0]}}
    assert wired(prompt) == ([], [(["3", 1], [])])


@pytest.mark.parametrize(("between", "keeps"), [("ImageScaleBy", True), ("Rebatch", False)])
def test_lists_that_are_put_together_anew(between: str, keeps: bool) -> None:
    """Behind a node that takes whole lists, the items of the save are not those of the latents."""
    prompt = txt2img()
    name = "image" if keeps else "images"
    prompt["40"] = {"class_type": between, "inputs": {name: ["8", 0]}}
    prompt["9"]["inputs"]["images"] = ["40", 0]
    facts = changed(prompt)["gen5_values_9"].facts
    assert [fact.keeps_items for fact in facts.values()] == [keeps]


def test_each_save_has_its_own() -> None:
    """Two saves of two passes each get what leads to them."""
    prompt = hires(seed=["20", 0])
    prompt["20"] = number(a=1)
    prompt["10"] = {"class_type": "Gen5Save", "inputs": {"images": ["11", 0]}}
    prompt["11"] = {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}}
    assert wired(prompt) == ([["20", 0]], [(["13", 0], [])])
    assert wired(prompt, "10") == ([], [(["3", 0], [])])


def test_recording_turned_off() -> None:
    """If a request refuses recording, no value is watched either."""
    prompt = txt2img(seed=["20", 0])
    prompt["20"] = number(a=1)
    request = {"prompt": prompt, "extra_data": {"gen5": {"auto_record": False}}}
    edited = handle_prompt(request)["prompt"]
    assert edited.keys() == prompt.keys()
    assert remove_inserted(edited) == prompt
    assert "gen5_values_9" in handle_prompt({"prompt": prompt})["prompt"]


def test_a_fault_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a pack's class raises when asked for its inputs, nothing of it is wired; any other fault leaves the prompt."""
    prompt = txt2img(seed=["20", 0])
    prompt["20"] = number(a=1)

    class Broken:
        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            raise OSError("no such folder")

    monkeypatch.setattr(host, "node_class", {**CLASSES, "KSampler": Broken}.get)
    assert wired(prompt) == ([], [(["3", 0], [])])
    monkeypatch.setattr(module, "plain_links", lambda *_: 1 / 0)
    assert insert_values(prompt) is prompt


def test_inserted_nodes_grow_with_the_saves_alone() -> None:
    """However many samplers are above a save, two nodes are inserted for it."""
    for passes in (3, 30):
        prompt = txt2img()
        latent: list[Any] = ["5", 0]
        for index in range(passes):
            prompt[f"s{index}"] = number(a=index)
            again = {"latent_image": latent, "seed": [f"s{index}", 0]}
            prompt[f"k{index}"] = {"class_type": "KSampler", "inputs": {**prompt["3"]["inputs"], **again}}
            latent = [f"k{index}", 0]
        prompt["8"]["inputs"]["samples"] = latent
        edited = insert_values(prompt)
        assert len(edited) == len(prompt) + 2
        assert len(edited["gen5_values_9"]["inputs"]) >= passes


def row(samplers: int, saves: int) -> Prompt:
    """Return samplers in a row, each with a seed of its own, and saves below them in turn."""
    prompt = txt2img()
    drawn = prompt.pop("9")
    latent: list[Any] = ["5", 0]
    for index in range(samplers):
        prompt[f"n{index}"] = number(a=index)
        again = {"latent_image": latent, "seed": [f"n{index}", 0]}
        prompt[f"k{index}"] = {"class_type": "KSampler", "inputs": {**prompt["3"]["inputs"], **again}}
        latent = [f"k{index}", 0]
    for index in range(saves):
        source = [f"k{index % samplers}", 0]
        prompt[f"d{index}"] = {"class_type": "VAEDecode", "inputs": {"samples": source, "vae": ["4", 2]}}
        prompt[f"s{index}"] = {**drawn, "inputs": {"images": [f"d{index}", 0]}}
    return prompt


def count_inputs(prompt: Prompt) -> int:
    return sum(len(node["inputs"]) for node in prompt.values())


def test_what_is_added_grows_with_saves_and_samplers() -> None:
    """Twice as many saves and samplers add twice as many nodes, and far fewer than four times as many links."""
    nodes, links = [], []
    for count in (20, 40, 80):
        prompt = row(count, count)
        edited = insert_values(prompt)
        nodes.append(len(edited) - len(prompt))
        links.append(count_inputs(edited) - count_inputs(prompt))
    assert nodes == [60, 120, 240]
    assert links[1] < 2.5 * links[0]
    assert links[2] < 2.5 * links[1]


def test_the_work_grows_with_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every input is asked once whether it is lazy, however many saves are below it."""
    asked: list[tuple[str, str]] = []
    is_lazy = Sockets.is_lazy

    def ask(self: Sockets, node_id: str, name: str) -> bool:
        asked.append((node_id, name))
        return is_lazy(self, node_id, name)

    monkeypatch.setattr(Sockets, "is_lazy", ask)
    insert_values(row(10, 30))
    assert len(asked) == len(set(asked))


def test_shared_values_reach_each_save() -> None:
    """Each save of a row of samplers has the seeds above it, and no others."""
    prompt = row(60, 60)
    edited = changed(prompt)
    for index in (0, 1, 24, 25, 59):
        expected = sorted([f"n{above}", 0] for above in range(index + 1))
        assert sorted(values_of(edited, f"gen5_values_s{index}")) == expected


@given(wanted=st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 2**12 - 1), max_size=40))
def test_sets_are_put_together_whole(wanted: dict[str, int]) -> None:
    """Whatever saves need, each gets exactly that, through few nodes in a row."""
    shared = share_values(wanted)
    made: list[tuple[int, int]] = []

    def unite(sources: list[Source]) -> tuple[int, int]:
        values, depth = 0, 0
        for source in sources:
            values |= made[source.index][0] if source.is_shared else 1 << source.index
            depth = max(depth, 1 + made[source.index][1] if source.is_shared else 0)
        return values, depth

    for sources in shared.nodes.values():
        made.append(unite(sources))
    assert {save: unite(sources)[0] for save, sources in shared.saves.items()} == wanted
    assert max((depth for _, depth in made), default=0) <= MAX_DEPTH


def large() -> Prompt:
    """Return a prompt with a save and a thousand nodes of 40 inputs."""
    wide = {f"w{index}": number(**{f"a{name}": 0 for name in range(40)}) for index in range(1000)}
    return {**txt2img(seed=["20", 0]), "20": number(a=1), **wide}


def dense(count: int) -> Prompt:
    """Return images that each are made from all before, and a save of the last."""
    prompt = txt2img()
    for index in range(count):
        links = {f"image{above}": [f"i{above}", 0] for above in range(index)}
        prompt[f"i{index}"] = {"class_type": "ImageBatch", "inputs": {"image1": ["8", 0], **links}}
    prompt["9"]["inputs"]["images"] = [f"i{count - 1}", 0]
    return prompt


def test_dense_images() -> None:
    """Of images that are each made from all before, the latent is found once."""
    edited = changed(dense(60))
    assert len(edited["gen5_values_9"].facts) == 1


@pytest.mark.parametrize(
    ("limit", "prompt", "says"),
    [
        ("", large, "more than 30000 nodes and inputs"),
        ("MAX_STEPS", lambda: dense(30), "more than 10 ways"),
        ("MAX_ADDED", lambda: row(30, 30), "more than 10 links"),
    ],
)
def test_a_prompt_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, limit: str, prompt: Callable[[], Prompt], says: str
) -> None:
    """Beyond a budget the prompt runs as it came, and each save knows why its values are not watched."""
    if limit:
        monkeypatch.setattr(decoded_module if limit == "MAX_STEPS" else module, limit, 10)
    sent = prompt()
    edited = handle_prompt({"prompt": sent})["prompt"]
    assert edited == sent
    assert not any(map(is_inserted, edited.values()))
    saves = [node for node in edited.values() if node["class_type"] == "Gen5Save"]
    assert {says in (unwatched_reason(node) or "") for node in saves} == {True}
    assert json.dumps(remove_inserted(edited)) == json.dumps(sent)


def test_the_file_says_why_nothing_was_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is among those that the file and Save Gen5 give."""
    edited = handle_prompt({"prompt": large()})["prompt"]
    inputs = read_inputs(copy.deepcopy(edited), "9", None, None, None)
    assert inputs.reasons == [
        "what nodes computed was not recorded: the prompt has more than 30000 nodes and inputs"
    ]


def test_a_long_way_from_the_decoder() -> None:
    """ComfyUI copies what is queued: thousands of nodes behind a decoder are no deeper recursion."""
    prompt = txt2img()
    for index in range(3000):
        source = [f"i{index - 1}", 0] if index else ["8", 0]
        prompt[f"i{index}"] = {"class_type": "ImageScaleBy", "inputs": {"image": source}}
    prompt["9"]["inputs"]["images"] = ["i2999", 0]
    edited = copy.deepcopy(insert_values(prompt))
    [latent] = edited["gen5_values_9"].facts.values()
    assert latent.between[:2] == (("i0", "ImageScaleBy"), ("i1", "ImageScaleBy"))
    assert len(latent.between) == 3000


def test_an_edited_prompt_that_is_sent_again() -> None:
    """As the history has it, it runs and is stored as it came; its values are seen all the same."""
    prompt = txt2img(seed=["20", 0])
    prompt["20"] = number(a=1)
    sent = json.loads(json.dumps(insert_values(prompt)))
    edited = handle_prompt({"prompt": sent})["prompt"]
    assert edited == sent
    assert json.dumps(remove_inserted(edited)) == json.dumps(sent)
    [observed] = Gen5Values().observe([edited], ["gen5_values_9"], value_0=[7], latent_0=[{"samples": None}])
    assert (observed.values, observed.decoded) == ({("20", 0): [7]}, [])


KINDS = st.sampled_from([*CLASSES, "Unknown", "Gen5Values", "Gen5Gate"])
NAMES = st.sampled_from(
    ["images", "latent", "samples", "seed", "model", "on_true", "switch", "image", OBSERVED]
)
LINKS = st.tuples(st.sampled_from(["1", "2", "3", "9", "a:b", "no"]), st.integers(-1, 3)).map(list)


@given(
    nodes=st.dictionaries(
        st.sampled_from(["1", "2", "3", "9", "a:b"]),
        st.tuples(KINDS, st.dictionaries(NAMES, LINKS)),
    )
)
@settings(max_examples=300, deadline=None)
def test_any_prompt_can_be_restored(nodes: dict[str, tuple[str, dict[str, Any]]]) -> None:
    """For any prompt, inserted nodes can be removed, and inserting twice changes nothing."""
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(host, "node_class", CLASSES.get)
        changed(
            {node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in nodes.items()}
        )


def test_a_save_of_a_save_in_a_circle_is_edited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one edit left out does not come in by a second one."""
    monkeypatch.setattr(host, "node_class", CLASSES.get)
    own = {key: ["1", 0] for key in ("images", "latent", "samples", "seed")}
    changed(
        {
            "3": {"class_type": "Gen5Save", "inputs": {"images": ["1", 0]}},
            "1": {"class_type": "Whole", "inputs": {**own, "model": ["2", 0]}},
            "2": {"class_type": "Gen5Save", "inputs": {"images": ["3", 0]}},
        }
    )


class TestNodes:
    """Gen5Values and Gen5Gate."""

    @pytest.fixture(autouse=True)
    def running(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The prompt that runs; its node 20 ran, others came from the cache."""
        prompt_id = ["p1"]
        monkeypatch.setattr(host, "executing", lambda: (prompt_id[0], "gen5_values_9"))
        monkeypatch.setattr(host, "visited_nodes", lambda: frozenset(("20", "3")))
        return prompt_id

    def observe(self, **linked: Any) -> Observed:
        """Return what Gen5Values sees of a prompt with a linked seed, text and width."""
        prompt = txt2img(seed=["20", 0])
        prompt |= {"20": number(a=1), "21": number(a=2)}
        prompt["6"]["inputs"]["text"] = ["21", 2]
        edited = insert_values(prompt)
        [observed] = Gen5Values().observe([edited], ["gen5_values_9"], **linked)
        return observed

    def test_values_are_handed_over(self, running: list[str]) -> None:
        """Scalars and latents reach the save in this prompt; what another prompt saw does not."""
        latent = {"samples": None}
        observed = self.observe(value_0=[7], value_1=["a", object()], latent_0=[latent, latent])
        assert observed.values == {("20", 0): [7], ("21", 2): ["a", None]}
        assert observed.decoded == [Decoded(("3", 0), (), [latent, latent])]
        assert (observed.prompt_id, observed.visited, observed.items) == ("p1", {"20"}, 2)
        gate = Gen5Gate()
        assert gate.hand_over(["gen5_values_9", 0]) == (observed,)
        assert gate.hand_over(["gen5_values_8", 0]) == (None,)
        running[0] = "p2"
        assert gate.hand_over(["gen5_values_9", 0]) == (None,)

    def test_nothing_is_held_when_comfyui_drops_it(self) -> None:
        """The latents live as long as the output in ComfyUI's cache, not longer."""
        remember("gen5_values_7", Observed({}, prompt_id="p1"))
        assert recall("gen5_values_7", "p1") is None

    def test_shared_values(self) -> None:
        """What shared nodes saw is taken up; if in an earlier prompt, without the values of nodes that ran again."""
        prompt = row(2, 2)
        edited = insert_values(prompt)
        then = Observed({("20", 0): [1], ("21", 0): [2]}, prompt_id="p0")
        now = Observed({("3", 0): [3]}, prompt_id="p1")
        [observed] = Gen5Values().observe([edited], ["gen5_values_s1"], shared_0=[then], shared_1=[now])
        assert observed.values == {("21", 0): [2], ("3", 0): [3]}
        assert observed.visited == {"3"}

    def test_an_odd_value_costs_nothing(self) -> None:
        """A value that raises when it is looked at leaves nothing observed, and no error."""

        class Odd:
            @property
            def ndim(self) -> int:
                raise RuntimeError("never look at me")

        assert self.observe(value_0=[Odd()]).values == {}

    def test_lists(self) -> None:
        """A single value is every item's; of a list, each item has its own if there are as many; else none is known."""
        observed = Observed(
            {("1", 0): [5], ("2", 0): [1, 2, 3], ("3", 0): [1, 2]}, items=3, visited=frozenset("1")
        )
        assert observed.values_at(1) == {("1", 0): 5, ("2", 0): 2}
        assert observed.values_at(None) == {("1", 0): 5, ("2", 0): 1}
        assert observed.values_at(2, settled=True) == {("2", 0): 3}

    @pytest.mark.parametrize(
        ("items", "keeps", "item", "expected"),
        [(1, True, 2, 0), (3, True, 2, 2), (3, False, 2, None), (3, True, 5, None), (3, True, None, 0)],
    )
    def test_latent_of_an_item(self, items: int, keeps: bool, item: int | None, expected: int | None) -> None:
        """One latent is behind every item; of several, the item's own, unless lists were put together anew."""
        latents = [{"samples": index} for index in range(items)]
        found = Decoded(("1", 0), (), latents, keeps).latent(item)
        assert (None if found is None else found["samples"]) == expected


def test_scalars() -> None:
    """Numbers of numpy and torch become Python's own; tensors, lists and endless texts are no values."""
    import numpy as np
    import torch

    found = [as_scalar(value) for value in (np.int64(3), np.float32(0.5), torch.tensor(4), True, "a", None)]
    assert found == [3, 0.5, 4, True, "a", None]
    assert [type(value) for value in found[:4]] == [int, float, int, bool]
    assert [as_scalar(value) for value in ([1], torch.zeros(2), {}, "a" * 2**21)] == [None] * 4


def test_substitute() -> None:
    """Known links become values, wherever they are; the given prompt stays as it is."""
    prompt = {"1": number(a=["2", 0]), "2": number(a=["3", 1]), "3": number(a=5)}
    before = copy.deepcopy(prompt)
    assert substitute(prompt, {("3", 1): 7}) == {**prompt, "2": number(a=7)}
    assert prompt == before

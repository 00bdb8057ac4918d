"""Values and decoded latents: what is wired to Save Gen5's gate, and that it can be removed again."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from gen5pack.nodes import host
from gen5pack.nodes.gate import Gen5Gate
from gen5pack.nodes.prompt.edit import remove_inserted
from gen5pack.nodes.prompt.insert_values import DECODED, OBSERVED, insert_values
from gen5pack.nodes.prompt.on_prompt import handle_prompt
from gen5pack.nodes.prompt.sockets import Sockets
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
    node = edited.get(f"gen5_values_{save}", {"inputs": {}, "_meta": {DECODED: {}}})
    inputs, facts = node["inputs"], node["_meta"][DECODED]
    values = [link for name, link in inputs.items() if name.startswith("value_")]
    return values, [(inputs[name], fact["between"]) for name, fact in facts.items()]


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
    facts = changed(prompt)["gen5_values_9"]["_meta"][DECODED]
    assert [fact["keeps_items"] for fact in facts.values()] == [keeps]


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
    monkeypatch.setattr(Sockets, "sure_links", lambda self, node_id: 1 / 0)
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

"""The graph walk: the passes of known prompts, and how it copes with arbitrary ones."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import pytest
from graph_prompts import (
    CASES,
    Case,
    advanced,
    at,
    base,
    custom_advanced,
    custom_parts,
    ksampler,
    node,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gen5core.errors import PromptError
from gen5core.graph.findings import SIGMA
from gen5core.graph.passes import (
    is_latent_of,
    noise_obstacle,
    plain_links,
    sampler_of_latent,
    sampler_passes,
    undecided_samplers,
)
from gen5core.graph.sampler_pass import SamplerPass
from gen5core.graph.tables.lookup import TABLE


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_passes(case: Case) -> None:
    """Every known prompt gives the passes that were read from it by hand, in order."""
    passes = sampler_passes(case.prompt, case.target)
    expected = [{"unresolved": ()} | wanted for wanted in case.expected]
    assert [
        {name: getattr(found, name) for name in wanted}
        for wanted, found in zip(expected, passes, strict=False)
    ] == expected
    assert len(case.expected) == len(passes)


def test_there_are_enough_prompts() -> None:
    """The collection does not shrink unnoticed."""
    assert len(CASES) >= 80


def test_whole_prompt() -> None:
    """Without a target, samplers that lead nowhere are returned as well."""
    prompt = base(s=ksampler(), loose=ksampler(seed=5))
    assert {each.node_id for each in sampler_passes(prompt)} == {"s", "loose"}


def test_a_sampler_as_target_counts_itself() -> None:
    """If the target is a sampler, it is the last pass."""
    prompt = base(a=ksampler(), s=ksampler(latent_image=at("a")))
    assert [each.node_id for each in sampler_passes(prompt, "s")] == ["a", "s"]


OBSTACLES: dict[str, tuple[dict[str, Any], str]] = {
    "another noise class": (
        base(**custom_parts() | {"noise": node("RandomNoise //Inspire", noise_seed=1)}, s=custom_advanced()),
        "RandomNoise //Inspire draws its starting noise in its own way",
    ),
    "a noise class without a row": (
        base(**custom_parts() | {"noise": node("MixNoise", noise1=at("empty"))}, s=custom_advanced()),
        "MixNoise is not known to draw noise as ComfyUI does",
    ),
    "stored noise by the socket": (
        base(
            **custom_parts() | {"noise": node("Gen5Load", file="a.gen5")},
            s=custom_advanced(noise=at("noise", 3)),
        ),
        "Gen5Load returns stored noise, which is not drawn from the seed",
    ),
    "a replay above the sampler": (
        base(
            replay=node("Gen5Replay", model=at("ckpt"), gen5=at("empty")),
            r=node("Reroute", **{"": at("replay")}),
            s=ksampler(model=at("r")),
        ),
        "Replay Sampling replaces it with stored noise",
    ),
    "no noise": (base(s=advanced(add_noise="disable")), "KSamplerAdvanced adds no noise"),
    "noise disabled by its node": (
        base(**custom_parts() | {"noise": node("DisableNoise")}, s=custom_advanced()),
        "SamplerCustomAdvanced adds no noise",
    ),
    "added noise only known at run time": (
        base(x=node("Coin"), s=advanced(add_noise=at("x"))),
        "whether KSamplerAdvanced adds noise is only known at run time",
    ),
    "seed only known at run time": (
        base(x=node("Dice"), s=ksampler(seed=at("x"))),
        "its seed is only known at run time",
    ),
    "no seed": (base(s=node("KSampler", model=at("ckpt"))), "KSampler has no seed"),
    "a script": (
        base(
            x=node("Noise Control Script", rng_source="nv", add_seed_noise=True, seed=1, weight=0.1),
            s=node("KSampler (Efficient)", seed=1, model=at("ckpt"), script=at("x")),
        ),
        "the connected input script of KSampler (Efficient) may change how it samples",
    ),
    "tiles": (
        base(s=node("UltimateSDUpscale", image=at("empty"), model=at("ckpt"), seed=1, steps=5)),
        "UltimateSDUpscale draws separate noise for each tile",
    ),
    "an unknown sampler": (
        base(s=node("MySampler", model=at("ckpt"), seed=1, steps=5)),
        "MySampler is not known to draw noise as ComfyUI does",
    ),
}


@pytest.mark.parametrize(("prompt", "reason"), OBSTACLES.values(), ids=OBSTACLES.keys())
def test_noise_obstacle(prompt: dict[str, Any], reason: str) -> None:
    """If the noise cannot be drawn from the seed, the reason is returned."""
    found = sampler_passes(prompt, "s")[-1]
    assert noise_obstacle(prompt, found) == reason


@pytest.mark.parametrize(
    ("settings", "is_idle"),
    [
        ({"denoise": 0.0}, True),
        ({"denoise": 0}, True),
        ({"steps": 20, "start_step": 20}, True),
        ({"steps": 20, "start_step": 7, "end_step": 7}, True),
        ({"steps": 20, "start_step": 20, "end_step": 10000}, True),
        ({"denoise": 0.01}, False),
        ({"steps": 20, "start_step": 19, "end_step": 10000}, False),
        ({"start_step": 3}, False),
        ({"steps": 20}, False),
        ({}, False),
    ],
)
def test_a_pass_that_samples_nothing(settings: dict[str, Any], is_idle: bool) -> None:
    """ComfyUI's samplers return the latent unchanged if no step is left."""
    assert SamplerPass("1", "KSampler", **settings).is_idle == is_idle


def test_no_noise_is_derived_for_an_idle_sampler() -> None:
    """A sampler that samples nothing did not use the noise of its seed."""
    prompt = base(s=ksampler(denoise=0.0))
    reason = "KSampler samples nothing: its denoise is 0, or it starts at its last step"
    assert noise_obstacle(prompt, sampler_passes(prompt, "s")[0]) == reason


@pytest.mark.parametrize(
    ("choice", "undecided"),
    [(node("SomeTest", value=3), {"yes", "no"}), (node("PrimitiveBoolean", value=True), set())],
)
def test_undecided_samplers(choice: dict[str, Any], undecided: set[str]) -> None:
    """A sampler is undecided if it leads to the target only through a switch whose choice is not known."""
    prompt = base(
        before=ksampler(seed=3),
        yes=ksampler(seed=1, latent_image=at("before")),
        no=ksampler(seed=2),
        choose=choice,
        switch=node("ComfySwitchNode", switch=at("choose"), on_false=at("no"), on_true=at("yes")),
        both=node("LatentAdd", samples1=at("switch"), samples2=at("before")),
    )
    assert undecided_samplers(prompt, "both") == undecided
    assert undecided_samplers(prompt, "switch") == undecided | ({"before"} if undecided else set())


def test_a_sampler_upstream_of_every_branch_is_certain() -> None:
    """A sampler that all branches depend on has sampled, whatever is chosen; nested switches included."""
    prompt = base(
        first=ksampler(seed=1),
        second=ksampler(seed=2, latent_image=at("first")),
        choose=node("SomeTest", value=3),
        inner=node("ComfySwitchNode", switch=at("choose"), on_false=at("first"), on_true=at("second")),
        outer=node("ComfySwitchNode", switch=at("choose"), on_false=at("inner"), on_true=at("first")),
    )
    assert undecided_samplers(prompt, "outer") == {"second"}


@pytest.mark.parametrize(
    "class_type",
    [
        "KSampler",
        "ttN KSampler_v2",
        "BNK_TiledKSampler",
        "LanPaint_KSampler",
        "KSamplerWithNAG",
        "KSampler (Efficient)",
    ],
)
def test_noise_of_comfyui_is_derivable(class_type: str) -> None:
    """Nothing prevents the noise of a sampler that draws as ComfyUI does from being derived."""
    prompt = base(s=node(class_type, model=at("ckpt"), seed=1, steps=5, latent_image=at("empty")))
    assert noise_obstacle(prompt, sampler_passes(prompt, "s")[0]) is None


def test_random_noise_is_derivable() -> None:
    """ComfyUI's own noise node is found, also through a switch."""
    switch = node("ImpactSwitch", select=1, input1=at("noise"))
    prompt = base(**custom_parts(), pick=switch, s=custom_advanced(noise=at("pick")))
    found = sampler_passes(prompt, "s")[0]
    assert found.noise_from == "noise"
    assert noise_obstacle(prompt, found) is None


def test_obstacle_in_another_prompt() -> None:
    """A pass of another prompt is named in the reason."""
    prompt = base(s=ksampler())
    found = sampler_passes(prompt)[0]
    assert noise_obstacle({}, found) == "node s is not a sampler in this prompt"


@pytest.mark.parametrize(
    ("between", "sampler"),
    [
        ({}, "s"),
        ({"x": node("Reroute", **{"": at("s")})}, "s"),
        ({"x": node("LatentUpscaleBy", samples=at("s"), scale_by=2.0)}, None),
        ({"x": node("LatentFromBatch", samples=at("s"), batch_index=1, length=1)}, None),
        ({"x": node("Mystery", latent=at("s"))}, None),
    ],
)
def test_sampler_of_latent(between: dict[str, Any], sampler: str | None) -> None:
    """The sampler is found through nodes that pass its latent on unchanged, and through no others."""
    source = at("x") if between else at("s")
    prompt = base(s=ksampler(), out=node("Gen5Save", latent=source), **between)
    assert sampler_of_latent(prompt, "out", "latent") == sampler


@pytest.mark.parametrize(("node_id", "input_name"), [("out", "noise"), ("out", "format"), ("gone", "latent")])
def test_sampler_of_no_latent(node_id: str, input_name: str) -> None:
    """An input that is missing, is not a link, or belongs to a missing node has no sampler."""
    prompt = base(s=ksampler(), out=node("Gen5Save", latent=at("s"), format="gen5"))
    assert sampler_of_latent(prompt, node_id, input_name) is None


def test_sampler_of_a_pipes_latent() -> None:
    """A latent from a pipe belongs to the sampler that put it into the pipe."""
    prompt = {
        "pre": node("easy preSampling", pipe=at("pre"), seed=1, steps=5),
        "k": node("easy kSampler", pipe=at("pre")),
        "out": node("easy pipeOut", pipe=at("k")),
        "end": node("Gen5Save", latent=at("out", 4)),
    }
    assert sampler_of_latent(prompt, "end", "latent") == "k"


def chain(length: int, first: list[Any]) -> dict[str, Any]:
    """Return reroutes from the given link down to ``r0``, the last."""
    ids = [f"r{number}" for number in range(length)]
    sources = [at(each) for each in ids[1:]] + [first]
    return {each: node("Reroute", **{"": source}) for each, source in zip(ids, sources, strict=True)}


def test_a_chain_of_20000_reroutes() -> None:
    """The length of a chain is not limited, since nothing recurses."""
    prompt = base(p=node("PrimitiveInt", value=42), s=ksampler(seed=at("r0"))) | chain(20_000, at("p"))
    assert sampler_passes(prompt, "save")[0].seed == 42


@pytest.mark.parametrize(
    ("class_type", "inputs"),
    [
        ("LoraLoaderModelOnly", {"lora_name": "x", "strength_model": 1.0}),
        ("ModelSamplingSD3", {"shift": 1.0}),
        ("MyPatch", {}),
    ],
)
def test_a_chain_of_20000_models(class_type: str, inputs: dict[str, Any]) -> None:
    """Nor is a chain of nodes that patch the model, even if each adds a note."""
    links = [at("ckpt"), *(at(f"m{number}") for number in range(20_000))]
    models = {f"m{number}": node(class_type, model=link, **inputs) for number, link in enumerate(links[:-1])}
    found = sampler_passes(base(s=ksampler(model=links[-1])) | models, "save")[0]
    assert found.model_name == "sd15.safetensors"
    assert len(found.loras) in (0, 20_000)


class Counting(dict[str, Any]):
    """A mapping that counts how often it is read."""

    reads = 0

    def __getitem__(self, key: str) -> Any:
        Counting.reads += 1
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        Counting.reads += 1
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        Counting.reads += 1
        return super().get(key, default)

    def items(self) -> Any:
        for item in super().items():
            Counting.reads += 1
            yield item


def counted(value: Any) -> Any:
    """Return the same graph as Counting mappings."""
    if isinstance(value, Mapping):
        return Counting({key: counted(each) for key, each in value.items()})
    return value


def count_reads(prompt: dict[str, Any]) -> int:
    """Return how often the graph is read to find its passes."""
    graph = counted(prompt)
    Counting.reads = 0
    sampler_passes(graph)
    return Counting.reads


def diamonds(count: int) -> dict[str, Any]:
    """A ladder of diamonds: each combines the one before with itself, which makes 2**count paths."""
    links = [at("pos"), *(at(f"d{number}") for number in range(count))]
    rungs = {
        f"d{number}": node("ConditioningCombine", conditioning_1=link, conditioning_2=link)
        for number, link in enumerate(links[:-1])
    }
    return base(s=ksampler(positive=links[-1])) | rungs


def batches(count: int) -> dict[str, Any]:
    """Diamonds of latents."""
    links = [at("empty"), *(at(f"d{number}") for number in range(count))]
    rungs = {
        f"d{number}": node("LatentBatch", samples1=link, samples2=link)
        for number, link in enumerate(links[:-1])
    }
    return base(s=ksampler(latent_image=links[-1])) | rungs


def samplers(count: int) -> dict[str, Any]:
    """Samplers in a row, each starting from the latent of the one before."""
    links = [at("empty"), *(at(f"k{number}") for number in range(count))]
    row = {f"k{number}": ksampler(latent_image=link) for number, link in enumerate(links[:-1])}
    return base(s=ksampler(latent_image=links[-1])) | row


def switches(count: int) -> dict[str, Any]:
    """Undecided switches, each with the one before in every branch."""
    links = [at("ckpt"), *(at(f"w{number}") for number in range(count))]
    rungs = {
        f"w{number}": node("Mystery", model=link, on_false=link, on_true=link, guider=link)
        for number, link in enumerate(links[:-1])
    }
    return base(s=ksampler(model=links[-1])) | rungs


@pytest.mark.parametrize("ladder", [diamonds, batches, samplers, switches])
def test_work_is_linear(ladder: Any) -> None:
    """A graph of twice the size is read twice as often (counted, not timed)."""
    small, large, larger = (count_reads(ladder(count)) for count in (100, 200, 400))
    assert larger - large == 2 * (large - small)


def test_a_text_that_would_fill_memory_is_unresolved() -> None:
    """Four characters joined to themselves at each of 200 nodes would fill any memory."""
    chain = {"t0": node("PrimitiveStringMultiline", value="aaaa")}
    for index in range(200):
        chain[f"t{index + 1}"] = node(
            "StringConcatenate", string_a=at(f"t{index}"), string_b=at(f"t{index}"), delimiter=""
        )
    prompt = base(**chain, pos=node("CLIPTextEncode", text=at("t200"), clip=at("ckpt", 1)), s=ksampler())
    [found] = sampler_passes(prompt, "s")
    assert (found.positive, "positive" in found.unresolved) == (None, True)


def test_a_text_reached_by_many_paths_is_returned_once() -> None:
    """2**300 paths lead to one text."""
    assert sampler_passes(diamonds(300), "save")[0].positive == "a cat"


IDS = [str(number) for number in range(8)]
CLASSES = [*TABLE, "Reroute", "easy preSampling", "MySampler", "Mystery"]
NAMES = sorted(
    {
        given.lstrip("@").partition(":")[0]
        for known in TABLE.values()
        for each in known.roles.values()
        for given in each.inputs
    }
    | {given.lstrip("@") for known in TABLE.values() for note in known.notes for given in note.inputs}
)
LINKS = st.tuples(st.sampled_from([*IDS, "missing"]), st.integers(-1, 9)).map(list)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NODES = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from(CLASSES),
        "inputs": st.dictionaries(st.sampled_from(NAMES), LINKS | JSON_VALUES, max_size=10),
    }
)


@st.composite
def prompts(draw: st.DrawFn) -> dict[str, Any]:
    """Well-formed graphs of known and unknown classes, with cycles, dangling links and odd values."""
    return {node_id: draw(NODES) for node_id in IDS[: draw(st.integers(1, len(IDS)))]}


def fields_are_sound(passes: list[SamplerPass]) -> bool:
    """Assert that the fields have the types that SamplerPass states."""
    for each in passes:
        numbers = (each.seed, each.steps, each.start_step, each.end_step, each.width, each.height)
        assert all(number is None or type(number) is int for number in numbers)
        assert all(number is None or type(number) is float for number in (each.cfg, each.denoise))
        assert each.seed is None or 0 <= each.seed < 2**64
        assert all(isinstance(name, str) for name, _ in each.loras)
        assert type(each.add_noise) is bool
    return True


@pytest.mark.parametrize(
    "figure", [10**400, -(10**400), 1e308, -1e308, float("inf"), float("nan"), "9" * 5000]
)
@pytest.mark.parametrize("where", ["size", "factor", "seed", "denoise"])
def test_figures_beyond_reason(figure: Any, where: str) -> None:
    """Figures that overflow a float, or are not numbers, are unresolved and raise nothing."""
    chosen = {"size": 512, "factor": 1.5, "seed": 1, "denoise": 0.5} | {where: figure}
    prompt = base(
        **custom_parts() | {"noise": node("RandomNoise", noise_seed=chosen["seed"])},
        empty=node("EmptyLatentImage", width=chosen["size"], height=512, batch_size=1),
        up=node("LatentUpscaleBy", samples=at("empty"), scale_by=chosen["factor"]),
        split=node("SplitSigmasDenoise", sigmas=at("sigmas"), denoise=chosen["denoise"]),
        s=custom_advanced(latent_image=at("up"), sigmas=at("split", 1)),
    )
    found = sampler_passes(prompt, "save")[0]
    assert {"size": "width", "factor": "width", "seed": "seed", "denoise": "start_step"}[
        where
    ] in found.unresolved


@pytest.mark.parametrize(
    ("text", "steps"),
    [("", 0), ("14.6, 0.9, 0", 2), ("1.2.3", 1), (".5 1..2 7.", 2), ("." * 200_000, 0), ("1" * 200_000, 0)],
)
def test_manual_sigmas(text: str, steps: int) -> None:
    """Numbers are counted as ManualSigmas finds them, in time linear in the text."""
    prompt = base(**custom_parts() | {"sigmas": node("ManualSigmas", sigmas=text)}, s=custom_advanced())
    assert sampler_passes(prompt, "save")[0].steps == steps


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789.-+, ", max_size=30))
def test_manual_sigmas_as_comfyui_finds_them(text: str) -> None:
    """The linear pattern finds as many numbers as the node's own."""
    assert len(re.findall(r"[-+]?(?:\d*\.*\d+)", text)) == len(SIGMA.findall(text))


@settings(max_examples=400, deadline=None)
@given(prompts())
def test_any_well_formed_graph(prompt: dict[str, Any]) -> None:
    """Nothing raises, cycles end, every pass is one node of the prompt; without a seed no noise is derived."""
    passes = sampler_passes(prompt)
    ids = [each.node_id for each in passes]
    assert fields_are_sound(passes)
    assert set(ids) <= prompt.keys()
    assert len(ids) == len(set(ids))
    for each in passes:
        assert each.seed is not None or noise_obstacle(prompt, each)


@settings(max_examples=200, deadline=None)
@given(prompts(), st.sampled_from(IDS))
def test_any_target(prompt: dict[str, Any], target: str) -> None:
    """The passes upstream of one node are among those of the whole prompt."""
    whole = {each.node_id: each for each in sampler_passes(prompt)}
    above = sampler_passes(prompt, target)
    assert {each.node_id for each in above} <= whole.keys()
    assert all(each.class_type == whole[each.node_id].class_type for each in above)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(IDS), JSON_VALUES | NODES, max_size=8))
def test_entries_of_any_kind(prompt: dict[str, Any]) -> None:
    """Entries that are not nodes are ignored in a prompt that has a node."""
    assert fields_are_sound(sampler_passes(prompt | {"node": node("KSampler")}))


@settings(max_examples=100, deadline=None)
@given(st.permutations(IDS), st.integers(0, 2**64 - 1))
def test_execution_order(ids: list[str], seed: int) -> None:
    """Samplers in a row are returned from first to last, whatever their order in the prompt."""
    row = {
        each: ksampler(seed=seed, latent_image=at(before))
        for each, before in zip(ids, ["empty", *ids], strict=False)
    }
    shuffled = {node_id: row[node_id] for node_id in sorted(row)}
    passes = sampler_passes(base(s=ksampler(latent_image=at(ids[-1]))) | shuffled, "save")
    assert [each.node_id for each in passes] == [*ids, "s"]
    assert all(each.width == 512 for each in passes)


@pytest.mark.parametrize(
    ("latent", "is_same"),
    [(at("a"), True), (at("way"), True), (at("up"), False), (at("empty"), False), (at("missing"), False)],
)
def test_latent_of_an_earlier_sampler(latent: list[Any], is_same: bool) -> None:
    """A sampler goes on with another's latent where nothing but a reroute lies between."""
    up = node("LatentUpscale", samples=at("a"), width=64, height=64)
    prompt = base(a=ksampler(), way=node("Reroute", value=at("a")), up=up, s=ksampler(latent_image=latent))
    assert is_latent_of(prompt, "a", "s") == is_same
    assert not is_latent_of(prompt, "a", "nowhere")


NODE = node("KSampler", seed=1)
NO_PROMPTS: dict[str, tuple[Any, str]] = {
    "None": (
        None,
        "a prompt is a dict of nodes, this is None; a file saved without its workflow has no prompt",
    ),
    "list": ([NODE], "a prompt is a dict of nodes, this is a list; pass a prompt in API form"),
    "number": (7, "this is a int; pass a prompt in API form"),
    "JSON": ('{"1": {}}', "this is a str; if it is JSON, pass what json.loads returns"),
    "bytes": (b"{}", "this is a bytes; if it is JSON, pass what json.loads returns"),
    "the editor's format": (
        {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4},
        r"in the format of ComfyUI's editor, which is not what runs; export it with File > Export \(API\)",
    ),
    "an empty workflow": ({"nodes": [], "links": []}, "in the format of ComfyUI's editor"),
    "a request": (
        {"prompt": {"1": NODE}, "client_id": "x"},
        "has the prompt under the key 'prompt'; pass what that key holds",
    ),
    "what the editor makes": ({"workflow": {"nodes": []}, "output": {"1": NODE}}, "under the key 'output'"),
    "a PNG's texts": (
        {"prompt": '{"1": {"class_type": "KSampler"}}', "workflow": "{}"},
        "has the prompt under the key 'prompt', as JSON; pass what json.loads makes of it",
    ),
    "no class": ({"1": {"inputs": {}}, "2": None}, "none of its 2 entries has a class_type"),
    "a class that is no text": ({"1": {"class_type": 7}}, "none of its 1 entries has a class_type"),
}


@pytest.mark.parametrize(("value", "message"), NO_PROMPTS.values(), ids=NO_PROMPTS.keys())
def test_what_is_no_prompt(value: Any, message: str) -> None:
    """One error says what was given, and where the prompt is to be found."""
    for target in (None, "1"):
        with pytest.raises(PromptError, match=message):
            sampler_passes(value, target)


@pytest.mark.parametrize(
    "value", [{}, {"1": NODE, "2": None, "nodes": []}, {"prompt": NODE}, {"1": {"class_type": ""}}]
)
def test_what_is_a_prompt(value: dict[str, Any]) -> None:
    """An empty dict is a prompt, and so is one with a single node, whatever else it holds."""
    assert len(sampler_passes(value)) <= 1


@given(JSON_VALUES)
def test_anything_else_raises_one_error(value: Any) -> None:
    """Whatever JSON holds is either read or refused with a PromptError."""
    with contextlib.suppress(PromptError):
        assert fields_are_sound(sampler_passes(value))


def test_plain_links() -> None:
    """The outputs that hold settings of passes; not those that carry them, nor what such a value is made from."""
    prompt = base(s=ksampler(seed=at("a"), steps=at("b", 2)), a=node("Random"), b=node("Sum", x=at("c")))
    prompt["empty"]["inputs"]["width"] = at("d", 1)
    prompt |= {"c": node("Random"), "d": node("Size")}
    assert sorted(plain_links(prompt, ["save"])) == [("a", 0), ("b", 2), ("d", 1)]
    assert plain_links(prompt, ["pos"]) == []


def test_plain_links_of_a_switch() -> None:
    """A selector is one; behind a switch whose choice is not known, the settings of every branch are."""
    prompt = base(s=node("LazySwitchKJ", switch=at("c"), on_false=at("k"), on_true=at("m")), c=node("Random"))
    prompt |= {
        "k": ksampler(seed=at("a")),
        "m": ksampler(seed=at("b")),
        "a": node("Random"),
        "b": node("Random"),
    }
    assert sorted(plain_links(prompt, ["save"])) == [("a", 0), ("b", 0), ("c", 0)]
    prompt["s"]["inputs"]["switch"] = True
    assert plain_links(prompt, ["save"]) == [("b", 0)]


def test_a_width_of_0_is_no_width() -> None:
    """0 stands for a size that a node works out as it runs."""
    prompt = base(s=ksampler())
    prompt["empty"]["inputs"]["width"] = 0
    [found] = sampler_passes(prompt, "save")
    assert (found.width, found.height, found.unresolved) == (None, 768, ("width",))

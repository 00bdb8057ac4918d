"""Settings that nodes computed: what Save Gen5 stores of them, and that watching them changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import gen5core

from .graph import Graph, Link, Settings
from .graphs import add_ksampler, base, empty_latent, hires, txt2img
from .results import digests, sample
from .roundtrip import UNRECORDED
from .server import Server, cached_nodes

CACHES = [("--cache-classic",), ("--cache-lru", "10"), ("--cache-none",)]
PREFIX = "values/x"


def add_save(graph: Graph, **inputs: Any) -> str:
    """Add a Save Gen5 for the decoded result, and return its id."""
    return graph.add("Gen5Save", **{"filename_prefix": PREFIX, "images": graph.decode(), **inputs})


def captured(server: Server, summary: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return META's capture and settings of a saved file."""
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        return dict(file.capture or {}), dict(file.settings)


def saved_passes(server: Server, graph: Graph, node: str) -> list[list[dict[str, Any]]]:
    """Run a graph and return the passes of each file that a save wrote."""
    return [captured(server, summary)[0]["passes"] for summary in server.run(graph.nodes)[node]["gen5"]]


def executions(server: Server) -> list[tuple[str, str]]:
    """Return node id and class of every execution since the last call."""
    graph = Graph(Settings())
    node = graph.add("TestExecuted")
    return [(node_id, name) for node_id, name in server.run(graph.nodes)[node]["executed"]]


def test_settings_from_nodes(server: Server) -> None:
    """Seed, steps, cfg, text and size from nodes are stored as they came, each marked; the prompt stays as sent."""
    graph = txt2img(Settings())
    seed = graph.add("TestRandomSeed")
    steps, cfg = graph.add("TestSum", a=3.0, b=2.0), graph.add("TestSum", a=4.0, b=0.5)
    text, size = graph.add("TestSum", a=1.0, b=2.0), graph.add("TestSum", a=64.0, b=32.0)
    graph.set(graph.samplers[0], seed=[seed, 0], steps=[steps, 0], cfg=[cfg, 1])
    graph.set(graph.positive[0], text=[text, 2])
    graph.set(graph.start[0], width=[size, 0])
    node = add_save(graph, latent=graph.result)
    [summary] = server.run(graph.nodes)[node]["gen5"]
    capture, settings = captured(server, summary)
    [entry] = capture["passes"]
    found = {name: entry[name] for name in ("steps", "cfg", "positive", "width", "height")}
    assert found == {"steps": 5, "cfg": 4.5, "positive": "1.0 and 2.0", "width": 96, "height": 64}
    assert entry["seed"] >= 1000
    assert entry["unresolved"] == ["model_name"]
    marked = {name for name, source in entry["sources"].items() if source == "observed"}
    assert marked == {"seed", "steps", "cfg", "positive", "width"}
    assert (settings["seed"], settings["steps"], settings["width"]) == (entry["seed"], 5, 96)
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        assert (file.comfyui or {})["prompt"] == graph.nodes


def test_saves_that_share_values(server: Server) -> None:
    """Two passes with a random seed each, saved after either: each file has its own seeds, and the prompt as sent."""
    graph = hires(Settings())
    seeds = [graph.add("TestRandomSeed") for _ in graph.samplers]
    for sampler, seed in zip(graph.samplers, seeds, strict=True):
        graph.set(sampler, seed=[seed, 0])
    last = add_save(graph)
    graph.result = [graph.samplers[0], 0]
    first = add_save(graph)
    outputs = server.run(graph.nodes)
    found = {}
    for node in (first, last):
        [summary] = outputs[node]["gen5"]
        found[node] = [entry["seed"] for entry in captured(server, summary)[0]["passes"]]
        with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
            assert (file.comfyui or {})["prompt"] == graph.nodes
    assert [len(seen) for seen in (found[first], found[last])] == [1, 2]
    assert found[first] == found[last][:1]
    assert all(seed >= 1000 for seed in found[last])


def test_each_item_of_a_list_has_its_own_value(server: Server) -> None:
    """Seeds 11, 22 and 33 and a text for each make three files, each with its own."""
    graph = txt2img(Settings())
    seeds, numbers = graph.add("TestSeeds", seeds="11,22,33"), graph.add("TestItems", items="11,22,33")
    text = graph.add("TestSum", a=[numbers, 0], b=1.0)
    graph.set(graph.samplers[0], seed=[seeds, 0])
    graph.set(graph.positive[0], text=[text, 2])
    node = add_save(graph)
    passes = saved_passes(server, graph, node)
    found = [(entry["seed"], entry["positive"]) for [entry] in passes]
    assert found == [(11, "11.0 and 1.0"), (22, "22.0 and 1.0"), (33, "33.0 and 1.0")]


def test_list_of_another_length_stays_open(server: Server) -> None:
    """A list of two cfg values for three seeds is not assigned to the files; the run says what each had."""
    graph = txt2img(Settings())
    seeds, names = graph.add("TestSeeds", seeds="11,22,33"), graph.add("TestItems", items="1,2")
    text = graph.add("TestSum", a=[names, 0], b=1.0)
    graph.set(graph.samplers[0], seed=[seeds, 0])
    graph.set(graph.positive[0], text=[text, 2])
    node = add_save(graph)
    for [entry] in saved_passes(server, graph, node):
        assert "positive" in entry["unresolved"]
        assert entry["seed"] in (11, 22, 33)


def test_blocked_item_stops_only_its_own_file(server: Server) -> None:
    """If ComfyUI blocks one item of a list, the other items are saved as they are without recording."""
    graph = txt2img(Settings())
    seeds = graph.add("TestSeeds", seeds="11,no,33")
    graph.set(graph.samplers[0], seed=[seeds, 0])
    node = add_save(graph)
    without = server.run(graph.nodes, UNRECORDED)[node]["gen5"]
    graph.set(node, filename_prefix="values/again")
    assert len(server.run(graph.nodes)[node]["gen5"]) == len(without) == 2


def two_branches(choice: bool) -> tuple[Graph, list[str]]:
    """Return a graph with a lazy switch between two samplers with a random seed each, and these two nodes."""
    graph = base(Settings())
    latent = empty_latent(graph)
    seeds = [graph.add("TestRandomSeed") for _ in range(2)]
    for seed in seeds:
        add_ksampler(graph, latent)
        graph.set(graph.samplers[-1], seed=[seed, 0])
    first, second = graph.samplers
    switch = graph.add("TestLazySwitch", switch=choice, on_false=[first, 0], on_true=[second, 0])
    graph.result = [switch, 0]
    return graph, seeds


@pytest.mark.parametrize("arguments", CACHES)
def test_lazy_switch_runs_nothing_more(server: Server, arguments: tuple[str, ...]) -> None:
    """With a lazy switch, a prompt executes what it does without recording, plus two nodes; the digests are equal."""
    with server.restarted(*arguments):
        executions(server)
        found = []
        for extra in (UNRECORDED, None):
            graph, seeds = two_branches(choice=True)
            record = graph.add("Gen5Record", model=graph.model)
            graph.rewire(graph.model, [record, 0])
            node = add_save(graph, recording=[record, 1])
            server.run(graph.nodes, extra)
            found.append(Counter(executions(server)))
        assert seeds[0] not in {node_id for node_id, _ in found[1]}
        inserted = found[1] - found[0]
        assert found[0] - found[1] == Counter()
        assert inserted == Counter([(f"gen5_values_{node}", "Gen5Values"), (f"gen5_gate_{node}", "Gen5Gate")])


@pytest.mark.parametrize("arguments", CACHES)
def test_seed_is_that_of_the_run_under_every_cache(server: Server, arguments: tuple[str, ...]) -> None:
    """A random seed in two passes: each file says what its own samplers got, whatever is cached."""
    with server.restarted(*arguments):
        graph = hires(Settings())
        seed, text = graph.add("TestRandomSeed"), graph.add("TestSum", a=1.0, b=2.0)
        graph.set(graph.samplers[1], seed=[seed, 0])
        graph.set(graph.positive[0], text=[text, 2])
        node = add_save(graph)
        seen = []
        for steps in (4, 5, 4):
            graph.set(graph.samplers[1], steps=steps)
            [[first, second]] = saved_passes(server, graph, node)
            assert (first["seed"], first["positive"], second["positive"]) == (1, *["1.0 and 2.0"] * 2)
            assert second["sources"]["seed"] == "observed"
            seen.append(second["seed"])
        assert len({*seen}) == 3


def test_second_run_executes_nothing_new(server: Server) -> None:
    """Queued again with other tags, only the save runs, and it stores the same values."""
    graph = txt2img(Settings())
    steps = graph.add("TestSum", a=3.0, b=2.0)
    graph.set(graph.samplers[0], steps=[steps, 0])
    node = add_save(graph)
    executions(server)
    first = saved_passes(server, graph, node)
    graph.set(node, tags="again")
    assert saved_passes(server, graph, node) == first
    counts = Counter(executions(server))
    assert counts.pop((node, "Gen5Save")) == 2
    assert {*counts.values()} == {1}


def test_a_change_of_the_second_pass_leaves_the_first_its_values(server: Server) -> None:
    """A first pass from the cache keeps the text that its node gave, though the values were seen anew."""
    graph = hires(Settings())
    text, steps = graph.add("TestSum", a=1.0, b=2.0), graph.add("TestSum", a=2.0, b=2.0)
    graph.set(graph.positive[0], text=[text, 2])
    graph.set(graph.samplers[1], steps=[steps, 0])
    node = add_save(graph)
    saved_passes(server, graph, node)
    graph.set(steps, a=3.0)
    entry = server.wait(server.queue(graph.nodes))
    assert {graph.samplers[0], text} <= cached_nodes(entry)
    [summary] = entry["outputs"][node]["gen5"]
    first, second = captured(server, summary)[0]["passes"]
    assert (first["steps"], second["steps"]) == (4, 5)
    assert [each["positive"] for each in (first, second)] == ["1.0 and 2.0"] * 2


def size_of(graph: Graph, server: Server, image: Link) -> list[tuple[Any, Any, Any]]:
    """Return width, height and the source of the width of each pass of a saved image."""
    node = graph.add("Gen5Save", filename_prefix=PREFIX, images=image)
    [passes] = saved_passes(server, graph, node)
    return [(entry.get("width"), entry.get("height"), entry["sources"].get("width")) for entry in passes]


def test_size_of_the_picture_fills_in_what_the_graph_lacks(server: Server) -> None:
    """A latent of which the graph gives no size: the picture does, for an earlier pass too; not if it was scaled."""
    graph = hires(Settings())
    latent = graph.add("TestLatent", shape="1,4,8,12", dtype="float32", seed=-1)
    graph.set(graph.samplers[0], latent_image=[latent, 0])
    image = graph.decode()
    assert size_of(graph, server, image) == [(96, 64, "picture"), (144, 96, "picture")]
    scaled = graph.add("ImageScaleBy", image=image, upscale_method="nearest-exact", scale_by=2.0)
    assert size_of(graph, server, [scaled, 0]) == [(None, None, None)] * 2


def test_watching_changes_no_picture(server: Server) -> None:
    """The sampler's result is the same with and without a save that is watched."""
    graph = txt2img(Settings(sampler_name="euler_ancestral"))
    steps = graph.add("TestSum", a=3.0, b=2.0)
    graph.set(graph.samplers[0], steps=[steps, 0])
    expected = digests(sample(server, graph.copy()))
    graph.set(graph.model[0], nonce=10**9)
    add_save(graph)
    assert digests(sample(server, graph)) == expected

"""Automatic recording in a real server: the graph has only a Save Gen5, whatever else is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gen5core

from .graph import Graph, Link, Settings
from .graphs import hires, sampler_custom_advanced, sampler_custom_advanced_basic, txt2img
from .results import add_probe, digests, load, probe, sample
from .roundtrip import replay_straight, replay_wired, save
from .server import GraphError, Server, cached_nodes


def add_save(graph: Graph, latent: Link, **inputs: Any) -> str:
    """Add a Save Gen5 for a latent and return its id."""
    return graph.add("Gen5Save", filename_prefix="itself/x", latent=latent, **inputs)


def path_of(server: Server, outputs: dict[str, Any], node: str) -> Path:
    """Return the file that a save wrote."""
    [summary] = outputs[node]["gen5"]
    return server.output / summary["subfolder"] / summary["filename"]


def captured(path: Path) -> dict[str, Any]:
    """Return a file's capture."""
    with gen5core.open(path) as file:
        file.verify()
        return dict(file.capture or {})


def noise_of(path: Path, name: str = "initial_noise") -> bytes:
    """Return the bytes of a stored noise."""
    with gen5core.open(path) as file:
        return file.latents[name].array().tobytes()


def prepared_noise(server: Server, latent_shape: tuple[int, ...], seed: int) -> bytes:
    """Return the bytes of what this ComfyUI draws for a seed."""
    graph = Graph(Settings())
    empty = graph.add("TestLatent", shape=",".join(map(str, latent_shape)), dtype="float32", seed=-1)
    noise = graph.add("TestPrepareNoise", latent=[empty, 0], seed=seed)
    [record] = sample(server, graph, [noise, 0])
    return load(server.output, record["samples"]).tobytes()


def seeds(capture: dict[str, Any]) -> list[tuple[str, bool, int]]:
    """Return source, whether it was recorded, and seed, of each pass."""
    return [(capture["noise_source"], entry["recorded"], entry["seed"]) for entry in capture["passes"]]


def test_several_saves_of_one_sampler(server: Server) -> None:
    """Two saves of one latent, and one of its picture alone, all hold the noise that was received."""
    graph = txt2img(Settings(seed=3))
    nodes = [add_save(graph, graph.result) for _ in range(2)]
    nodes.append(graph.add("Gen5Save", filename_prefix="itself/x", images=graph.decode()))
    outputs = server.run(graph.nodes)
    expected = prepared_noise(server, (1, 4, 8, 8), 3)
    for node in nodes:
        path = path_of(server, outputs, node)
        assert seeds(captured(path)) == [("recorded", True, 3)]
        assert noise_of(path) == expected


def test_saves_of_both_passes(server: Server) -> None:
    """A save of the first pass and one of the second, in one graph, hold one pass and two."""
    graph = hires(Settings(seed=3))
    graph.set(graph.samplers[1], seed=4)
    first, second = add_save(graph, [graph.samplers[0], 0]), add_save(graph, graph.result)
    outputs = server.run(graph.nodes)
    small, large = path_of(server, outputs, first), path_of(server, outputs, second)
    assert seeds(captured(small)) == [("recorded", True, 3)]
    assert seeds(captured(large)) == [("recorded", True, 3), ("recorded", True, 4)]
    assert noise_of(small) == noise_of(large)
    assert prepared_noise(server, (1, 4, 12, 12), 4) == noise_of(large, "initial_noise.1")


def test_saves_of_two_samplers_on_one_model(server: Server) -> None:
    """Two samplers on one MODEL with a save each: each file has its own sampler's noise."""
    graph = txt2img(Settings(seed=3))
    second = graph.add("KSampler", **{**graph.nodes[graph.samplers[0]]["inputs"], "seed": 4})
    nodes = {3: add_save(graph, graph.result), 4: add_save(graph, [second, 0])}
    outputs = server.run(graph.nodes)
    for seed, node in nodes.items():
        path = path_of(server, outputs, node)
        assert [("recorded", True, seed)] == seeds(captured(path))
        assert prepared_noise(server, (1, 4, 8, 8), seed) == noise_of(path)


@pytest.mark.parametrize("build", [sampler_custom_advanced, sampler_custom_advanced_basic])
def test_guider_shared_by_two_samplers(server: Server, build: Any) -> None:
    """Two SamplerCustomAdvanced with one guider, a save each: each file has its own noise; the guider is not copied."""
    graph = build(Settings(kind="flow", seed=3))
    inputs = graph.nodes[graph.samplers[0]]["inputs"]
    noise = graph.add("RandomNoise", noise_seed=4)
    second = graph.add("SamplerCustomAdvanced", **{**inputs, "noise": [noise, 0]})
    nodes = {3: add_save(graph, graph.result), 4: add_save(graph, [second, 0])}
    outputs = server.run(graph.nodes)
    for seed, node in nodes.items():
        path = path_of(server, outputs, node)
        assert [("recorded", True, seed)] == seeds(captured(path))
        assert prepared_noise(server, (1, 16, 8, 8), seed) == noise_of(path)


def test_sampler_in_a_subgraph(server: Server) -> None:
    """A sampler whose id is a subgraph's, with a colon, is recorded under that id, cached, and replayed."""
    graph = within_subgraph(txt2img(Settings(sampler_name="euler_ancestral", seed=3)), "12:3")
    [saved] = save(server, graph, record=None)
    capture = captured(saved.path)
    assert seeds(capture) == [("recorded", True, 3)]
    assert [entry["node_id"] for entry in capture["passes"]] == ["12:3"]
    assert "step_noise" in capture["passes"][0]
    assert saved.digests == digests(sample(server, replay_straight(saved)))
    assert saved.digests == digests(sample(server, replay_wired(saved)))


def within_subgraph(graph: Graph, node_id: str) -> Graph:
    """Return a graph whose one sampler has another id."""
    [sampler] = graph.samplers
    graph.rewire([sampler, 0], [node_id, 0])
    graph.nodes[node_id] = graph.nodes.pop(sampler)
    graph.samplers, graph.result = [node_id], [node_id, 0]
    graph.seeded = [(node_id, name) for _, name in graph.seeded]
    return graph


def test_packs_sampler(server: Server) -> None:
    """A pack's sampler that takes a MODEL and draws its own noise is recorded, and starts from the file again."""
    graph = txt2img(Settings(sampler_name="euler_ancestral"))
    inputs = {
        name: value for name, value in graph.nodes[graph.samplers[0]]["inputs"].items() if name != "denoise"
    }
    graph.nodes[graph.samplers[0]] = {"class_type": "TestOwnNoise", "inputs": inputs}
    [saved] = save(server, graph, record=None)
    capture = captured(saved.path)
    assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
    assert prepared_noise(server, (1, 4, 8, 8), graph.settings.seed) != noise_of(saved.path)
    assert saved.digests == digests(sample(server, replay_straight(saved)))
    assert saved.digests == digests(sample(server, replay_wired(saved)))


@pytest.mark.parametrize("step_noise", ["never", "always"])
def test_recording_connected_by_hand_is_left_alone(server: Server, step_noise: str) -> None:
    """A save with a connected Record Sampling keeps it and its settings; the other save needs none."""
    graph = txt2img(Settings(sampler_name="euler_ancestral"))
    record = graph.add("Gen5Record", model=graph.model, step_noise=step_noise)
    graph.set(graph.samplers[0], model=[record, 0])
    wired, bare = add_save(graph, graph.result, recording=[record, 1]), add_save(graph, graph.result)
    entry = server.wait(server.queue(graph.nodes))
    by_hand, automatic = (path_of(server, entry["outputs"], node) for node in (wired, bare))
    expected = None if step_noise == "always" else "step_noise of Record Sampling is never"
    assert captured(by_hand)["passes"][0].get("step_noise_reason") == expected
    assert "step_noise" in captured(automatic)["passes"][0]
    assert noise_of(by_hand) == noise_of(automatic)
    assert entry["prompt"][2] == graph.nodes


def test_graph_is_left_as_it_is(server: Server) -> None:
    """Recording edits no prompt: the one that runs is the one that was sent."""
    graph = txt2img(Settings())
    add_save(graph, graph.result)
    entry = server.wait(server.queue(graph.nodes))
    assert entry["prompt"][2] == graph.nodes


def test_second_run_is_cached_and_still_recorded(server: Server) -> None:
    """Queued again with other tags, the sampler comes from the cache, and its run is found."""
    graph = txt2img(Settings(sampler_name="dpmpp_sde", seed=5))
    node = add_save(graph, graph.result)
    first = path_of(server, server.run(graph.nodes), node)
    graph.set(node, tags="again")
    entry = server.wait(server.queue(graph.nodes))
    assert {*graph.samplers} <= cached_nodes(entry)
    second = path_of(server, entry["outputs"], node)
    assert first != second
    for name in ("initial_noise", "step_noise"):
        assert noise_of(first, name) == noise_of(second, name)


@pytest.mark.parametrize("how", ["error", "interrupt"])
def test_sampling_that_fails_midway(server: Server, how: str) -> None:
    """A recorded or replayed sampling that fails or is interrupted leaves the samplers' noise as it was.

    The next run, without any node of this pack, gives what it gave before; the next recorded one is complete.
    """
    plain = txt2img(Settings(sampler_name="dpmpp_2m_sde", seed=6))
    expected = digests(sample(server, plain))
    [saved] = save(server, plain, record=None)
    for graph in (txt2img(plain.settings), replay_wired(saved)):
        owner = graph.nodes[graph.samplers[0]]["inputs"]
        stopping = graph.add("TestStop", model=owner["model"], how=how, step=1)
        graph.set(graph.samplers[0], model=[stopping, 0])
        add_save(graph, graph.result)
        with pytest.raises(GraphError):
            server.run(graph.nodes)
    again = txt2img(plain.settings)
    assert digests(sample(server, again)) == expected
    [recorded] = save(server, txt2img(plain.settings), record=None)
    assert recorded.digests == expected
    assert noise_of(saved.path, "step_noise") == noise_of(recorded.path, "step_noise")


@pytest.mark.parametrize("sampler_name", ["euler", "euler_ancestral", "dpmpp_2m_sde"])
def test_what_reaches_the_sampler_is_what_is_stored(server: Server, sampler_name: str) -> None:
    """Recording changes nothing that the sampler gets, and a replay hands it the same noise, sigmas and seed again."""
    graph = txt2img(Settings(kind="flow", sampler_name=sampler_name, seed=8))
    notes = add_probe(graph)
    plain = probe(server, graph, notes)
    recorded = txt2img(graph.settings)  # with a model of its own: otherwise the sampler would be cached
    recorded_notes = add_probe(recorded)
    add_save(recorded, recorded.result)
    assert plain == probe(server, recorded, recorded_notes)
    [saved] = save(server, graph, record=None)
    assert probe(server, replay_wired(saved), notes) == plain
    assert (sampler_name != "euler") == bool(plain["steps"])

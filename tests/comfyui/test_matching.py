"""Which run a file describes if graph and runs do not match one to one: switches, lists, nodes with many runs."""

from __future__ import annotations

from typing import Any

import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import add_ksampler, base, empty_latent, encoded_latent, txt2img
from .results import digests, sample
from .roundtrip import UNRECORDED, add_recording, replay_straight, replay_wired, save
from .server import GraphError, Server


def capture_of(server: Server, summary: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return META's capture of a saved file, and its settings."""
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        return dict(file.capture or {}), dict(file.settings)


def two_samplers(settings: Settings) -> tuple[Graph, list[str]]:
    """Return a graph of two samplers, seeds 11 and 22, euler and heun, that start from one empty latent."""
    graph = base(settings)
    latent = empty_latent(graph)
    for _ in range(2):
        add_ksampler(graph, latent)
    first, second = graph.samplers
    graph.set(first, seed=11)
    graph.set(second, seed=22, sampler_name="heun")
    return graph, [first, second]


@pytest.mark.parametrize("order", [(True, False), (False, True)])
@pytest.mark.parametrize("with_latent", [True, False])
def test_a_switch_that_a_run_decides(server: Server, order: tuple[bool, bool], with_latent: bool) -> None:
    """Each file describes only the branch that ran, whatever an earlier prompt ran."""
    if "ComfySwitchNode" not in server.get("/object_info"):
        pytest.skip(f"ComfyUI {server.version} has no lazy switch")
    graph, samplers = two_samplers(Settings())
    choice = graph.add("StringContains", string="abc", substring="a", case_sensitive=True)
    switch = graph.add(
        "ComfySwitchNode", switch=[choice, 0], on_false=[samplers[0], 0], on_true=[samplers[1], 0]
    )
    graph.result = [switch, 0]
    recording = add_recording(graph)
    latent = {"latent": graph.result} if with_latent else {}
    node = graph.add("Gen5Save", images=graph.decode(), recording=recording, **latent)
    for is_true in order:
        graph.set(choice, substring="a" if is_true else "z")
        graph.set(node, filename_prefix=f"matching/switch{is_true}")
        [summary] = server.run(graph.nodes)[node]["gen5"]
        capture, settings = capture_of(server, summary)
        assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
        [entry] = capture["passes"]
        expected = (samplers[1], 22, "heun") if is_true else (samplers[0], 11, "euler")
        assert (entry["node_id"], entry["seed"], entry["sampler_name"]) == expected
        assert expected[1:] == (settings["seed"], settings["sampler"])


def test_a_mask_that_is_put_on_after_sampling(server: Server) -> None:
    """The mask belongs to the result, not to the sampler: a replay samples everywhere."""
    graph = txt2img(Settings())
    graph.result = [graph.add("TestMask", latent=graph.result), 0]
    [saved] = save(server, graph)
    with gen5core.open(saved.path) as file:
        assert "final_noise_mask" in file.latents
        assert "noise_mask" not in file.latents
    assert saved.digests == digests(sample(server, replay_wired(saved)))
    assert saved.digests == digests(sample(server, replay_straight(saved)))


def test_another_mask_after_sampling(server: Server) -> None:
    """The replay uses the sampler's own mask."""
    graph = txt2img(Settings())
    graph.set(graph.samplers[0], latent_image=[graph.add("TestMask", latent=encoded_latent(graph)), 0])
    graph.start = list(graph.nodes[graph.samplers[0]]["inputs"]["latent_image"])
    full_mask = graph.add("SolidMask", value=1.0, width=64, height=64)
    graph.result = [graph.add("SetLatentNoiseMask", samples=graph.result, mask=[full_mask, 0]), 0]
    [saved] = save(server, graph)
    with gen5core.open(saved.path) as file:
        assert {"noise_mask", "final_noise_mask"} <= set(file.latents)
    assert saved.digests == digests(sample(server, replay_wired(saved)))


@pytest.mark.parametrize(("name", "items"), [("cfg", "2,4,8"), ("sampler_name", "euler,euler_ancestral")])
def test_a_list_of_settings_without_the_latent(server: Server, name: str, items: str) -> None:
    """The latent behind each image finds its own run, with its setting and its step noise."""
    graph = txt2img(Settings())
    listed = graph.add("TestItems", items=items)
    graph.set(graph.samplers[0], **{name: [listed, int(name == "sampler_name")]})
    recording = add_recording(graph)
    node = graph.add("Gen5Save", images=graph.decode(), recording=recording, filename_prefix="matching/list")
    files = server.run(graph.nodes)[node]["gen5"]
    expected = [float(item) if name == "cfg" else item for item in items.split(",")]
    found = [capture_of(server, summary)[0]["passes"][0] for summary in files]
    assert [entry[name] for entry in found] == expected
    assert {entry["sources"][name] for entry in found} == {"observed"}
    for summary, item in zip(files, expected, strict=True):
        capture, _ = capture_of(server, summary)
        [entry] = capture["passes"]
        assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
        assert ("noise" in entry, "step_noise" in entry) == (True, item == "euler_ancestral")


def test_a_list_of_settings_with_the_latent(server: Server) -> None:
    """The result distinguishes the items."""
    graph = txt2img(Settings())
    graph.set(graph.samplers[0], cfg=[graph.add("TestItems", items="2,4,8"), 0])
    found = [capture_of(server, saved.summary) for saved in save(server, graph)]
    assert [settings["cfg_scale"] for _, settings in found] == [2.0, 4.0, 8.0]
    assert [capture.get("reason") for capture, _ in found] == [None] * 3


def test_settings_of_a_cache(server: Server) -> None:
    """Of two cached runs, the file describes the one with the graph's settings."""
    with server.restarted("--cache-lru", "50"):
        graph = txt2img(Settings())
        recording = add_recording(graph)
        node = graph.add("Gen5Save", images=graph.decode(), recording=recording)
        for number, (cfg, name) in enumerate(((5.0, "euler"), (7.0, "euler_ancestral"), (5.0, "euler"))):
            graph.set(graph.samplers[0], cfg=cfg, sampler_name=name)
            graph.set(node, filename_prefix=f"matching/cache{number}")
            [summary] = server.run(graph.nodes)[node]["gen5"]
            capture, settings = capture_of(server, summary)
            [entry] = capture["passes"]
            assert (settings["cfg_scale"], entry["recorded_sampler"]) == (cfg, name)
            assert ("step_noise" in entry) == (name == "euler_ancestral")
            assert capture.get("reason") is None


def twice(settings: Settings, *, noise_again: bool) -> Graph:
    """Return a graph of one node that samples twice."""
    graph = txt2img(settings)
    inputs = graph.nodes[graph.samplers[0]]["inputs"]
    kept = {name: value for name, value in inputs.items() if name != "denoise"}
    graph.nodes[graph.samplers[0]] = {
        "class_type": "TestTwice",
        "inputs": {**kept, "noise_again": noise_again},
    }
    return graph


@pytest.mark.parametrize("noise_again", [False, True])
def test_a_node_that_samples_twice(server: Server, noise_again: bool) -> None:
    """Both runs are passes, the first one's noise is the file's, and a replay starts each from its own."""
    [saved] = save(server, twice(Settings(seed=9), noise_again=noise_again))
    capture, _ = capture_of(server, saved.summary)
    assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
    first, second = capture["passes"]
    assert (9, 10 if noise_again else 9) == (first["seed"], second["seed"])
    assert ("initial_noise", noise_again) == (first["noise"], "noise" in second)
    assert saved.digests == digests(sample(server, replay_wired(saved)))


def test_a_node_that_samples_twice_without_the_latent(server: Server) -> None:
    """The latent behind the images finds both runs."""
    graph = twice(Settings(seed=9), noise_again=True)
    recording = add_recording(graph)
    node = graph.add("Gen5Save", images=graph.decode(), recording=recording, filename_prefix="matching/twice")
    [summary] = server.run(graph.nodes)[node]["gen5"]
    capture, _ = capture_of(server, summary)
    assert capture.get("reason") is None
    assert [(entry["recorded"], entry["seed"]) for entry in capture["passes"]] == [(True, 9), (True, 10)]


def expanded(settings: Settings) -> Graph:
    """Return a graph with a node that creates its second sampler when it runs."""
    graph = txt2img(settings)
    inputs = graph.nodes[graph.samplers[0]]["inputs"]
    shared = {name: inputs[name] for name in ("model", "positive", "negative")}
    graph.result = [graph.add("TestExpand", **shared, seed=77, latent_image=graph.result), 0]
    return graph


def test_a_sampler_created_by_a_node(server: Server) -> None:
    """Connected to a recording, it is an additional pass after the graph's own, with the settings that it ran with."""
    graph = expanded(Settings())
    recorded = graph.copy()
    recording = add_recording(recorded)
    owner = recorded.nodes[recorded.samplers[0]]["inputs"]["model"]
    recorded.set(recorded.result[0], model=list(owner))
    node = recorded.add(
        "Gen5Save", filename_prefix="matching/expanded", latent=recorded.result, recording=recording
    )
    [summary] = server.run(recorded.nodes)[node]["gen5"]
    capture, settings = capture_of(server, summary)
    first, second = capture["passes"]
    assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
    assert (recorded.samplers[0], 1, 4, "euler") == (
        first["node_id"],
        first["seed"],
        first["steps"],
        first["recorded_sampler"],
    )
    assert (
        second["seed"],
        second["cfg"],
        len(second["sigmas"]),
        second["recorded_sampler"],
    ) == (77, 2.0, 4, "heun")
    assert (settings["seed"], settings["sampler"], settings["cfg_scale"]) == (77, "heun", 2.0)
    assert (second["class_type"], settings["steps"]) == ("KSampler", 3)


def test_a_sampler_that_is_made_without_wiring(server: Server) -> None:
    """Automatic recording sees the sampler that a node makes for itself, with its settings."""
    graph = expanded(Settings())
    [saved] = save(server, graph, record=None)
    capture, settings = capture_of(server, saved.summary)
    assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
    assert [entry["seed"] for entry in capture["passes"]] == [1, 77]
    assert (settings["seed"], settings["sampler"], settings["steps"]) == (77, "heun", 3)


def test_a_sampler_with_nothing_to_do(server: Server) -> None:
    """With denoise 0 it is not matched to an earlier prompt's run, and no noise is derived for it."""
    graph = base(Settings())
    add_ksampler(graph, encoded_latent(graph), denoise=0.5)
    recording = add_recording(graph)
    node = graph.add("Gen5Save", latent=graph.result, images=graph.decode(), recording=recording)
    for denoise in (0.5, 0.0):
        graph.set(graph.samplers[0], denoise=denoise)
        graph.set(node, filename_prefix=f"matching/denoise{denoise}")
        [summary] = server.run(graph.nodes)[node]["gen5"]
    capture, _ = capture_of(server, summary)
    [entry] = capture["passes"]
    assert capture["noise_source"] == "none"
    assert "samples nothing: its denoise is 0" in capture["reason"]
    assert "sigmas" not in entry
    assert not entry["add_noise"]


def test_a_latent_that_is_changed_after_sampling(server: Server) -> None:
    """Connecting it loses nothing: the noise is recorded, and the file says what was connected."""
    graph = txt2img(Settings())
    sampler = graph.samplers[0]
    upscaled = graph.add("LatentUpscaleBy", samples=graph.result, upscale_method="bilinear", scale_by=2.0)
    graph.result = [upscaled, 0]
    [saved] = save(server, graph)
    capture, _ = capture_of(server, saved.summary)
    assert capture["noise_source"] == "recorded"
    assert f"the saved latent is not what node {sampler} returned: it was changed" in capture["reason"]
    assert saved.digests == digests(sample(server, replay_wired(saved)))


def test_noise_of_another_shape(server: Server) -> None:
    """Noise that the sampler cannot have started from is refused, with both shapes."""
    graph = txt2img(Settings())
    other = graph.add("TestLatent", shape="1,4,16,16", dtype="float32", seed=3)
    graph.add(
        "Gen5Save",
        filename_prefix="matching/shape",
        latent=graph.result,
        noise=[other, 0],
        images=graph.decode(),
    )
    with pytest.raises(GraphError, match="shape 1 × 4 × 16 × 16, the latent that was sampled 1 × 4 × 8 × 8"):
        server.run(graph.nodes, UNRECORDED)

"""Which run belongs to which file: caches, lists, several recordings, and noise that is not ComfyUI's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import KINDS, hires, list_mapped, sampler_custom_advanced, txt2img
from .results import digests, load, sample
from .roundtrip import NOISE, add_recording, replay_straight, replay_wired, save
from .server import GraphError, Server

NESTED = {"0.3.64"}
"""Versions without nested latents."""


def recorded_graph(
    settings: Settings, *, images_only: bool = False, build: Callable[[Settings], Graph] = txt2img
) -> tuple[Graph, str]:
    """Return a graph with a recording and a Save Gen5, to be queued with one seed after another."""
    graph = build(settings)
    recording = add_recording(graph)
    inputs = {} if images_only else {"latent": graph.result}
    node = graph.add(
        "Gen5Save", filename_prefix="runs/x", images=graph.decode(), recording=recording, **inputs
    )
    return graph, node


def save_with_seed(server: Server, graph: Graph, node: str, seed: int) -> dict[str, Any]:
    """Queue graph with a seed and a prefix of its own, so that the save itself is never cached."""
    graph.reseed(seed)
    graph.set(node, filename_prefix=f"runs/seed{seed}")
    [summary] = server.run(graph.nodes)[node]["gen5"]
    return dict(summary)


def stored_noise(server: Server, summary: dict[str, Any]) -> tuple[str, np.ndarray]:
    """Return a saved file's noise_source and starting noise."""
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        assert file.capture is not None
        return file.capture["noise_source"], file.latents["initial_noise"].array()


def comfy_noise_of(server: Server, settings: Settings, seed: int) -> np.ndarray:
    """Return what this ComfyUI's own prepare_noise draws for the settings' shape."""
    graph = Graph(settings)
    latent = graph.add("TestLatent", shape=",".join(map(str, settings.shape())), dtype="float32", seed=-1)
    noise = graph.add("TestPrepareNoise", latent=[latent, 0], seed=seed)
    [record] = sample(server, graph, [noise, 0])
    return load(server.output, record["samples"])


@pytest.mark.parametrize("arguments", [(), ("--cache-lru", "50"), ("--cache-none",)])
def test_each_file_has_its_own_runs_noise(server: Server, arguments: tuple[str, ...]) -> None:
    """Seeds 1, 2, 1 on one recording give the files the noise of 1, 2 and 1, whatever is cached.

    So with the sampler's latent connected to the save, and with its images only.
    """
    settings = Settings()
    with server.restarted(*arguments):
        for images_only in (False, True):
            graph, node = recorded_graph(settings, images_only=images_only)
            for position, seed in enumerate((1, 2, 1)):
                graph.set(node, tags=str(position))
                source, noise = stored_noise(server, save_with_seed(server, graph, node, seed))
                assert source == "recorded"
                assert comfy_noise_of(server, settings, seed).tobytes() == noise.tobytes()


def test_cached_sampler_still_has_its_recording(server: Server) -> None:
    """Saving again under another name, the sampler cached, finds the same recorded run."""
    graph, node = recorded_graph(Settings())
    first = stored_noise(server, save_with_seed(server, graph, node, 7))
    graph.set(node, tags="again")
    again = stored_noise(server, save_with_seed(server, graph, node, 7))
    assert (again[0], again[1].tobytes()) == ("recorded", first[1].tobytes())


def test_two_recordings_on_one_model_stay_apart(server: Server) -> None:
    """Two Record Sampling on one MODEL, each with a sampler, save each its own seed's noise."""
    settings = Settings(seed=1)
    graph = txt2img(settings)
    sampler = graph.samplers[0]
    second = graph.add("KSampler", **{**graph.nodes[sampler]["inputs"], "seed": 2})
    saves = []
    for owner in (sampler, second):
        record = graph.add("Gen5Record", model=graph.model)
        graph.set(owner, model=[record, 0])
        saves.append(
            graph.add("Gen5Save", filename_prefix="runs/two", latent=[owner, 0], recording=[record, 1])
        )
    outputs = server.run(graph.nodes)
    for seed, node in zip((1, 2), saves, strict=True):
        source, noise = stored_noise(server, outputs[node]["gen5"][0])
        assert source == "recorded"
        assert comfy_noise_of(server, settings, seed).tobytes() == noise.tobytes()


@pytest.mark.parametrize("builder", [txt2img, sampler_custom_advanced])
def test_half_precision_between_nodes(server: Server, builder: Callable[[Settings], Graph]) -> None:
    """If latents are kept as float16, recording leaves each sampler's dtype as it is, and replays are bit-exact.

    The cast makes another tensor of what the sampler returned; seeds 1, 2, 1 still have their own noise.
    """
    if "fp16-intermediates" not in (server.install.root / "comfy" / "cli_args.py").read_text(
        encoding="utf-8"
    ):
        pytest.skip(f"ComfyUI {server.version} keeps latents as float32")
    with server.restarted("--fp16-intermediates", "--cache-lru", "50"):
        for sampler_name in ("euler", "euler_ancestral"):
            graph = builder(Settings(sampler_name=sampler_name))
            plain = sample(server, graph)
            [saved] = save(server, graph, record=None)
            assert digests(plain) == saved.digests
            assert saved.digests == digests(sample(server, replay_wired(saved)))
        graph, node = recorded_graph(Settings(), build=builder)
        noises = [stored_noise(server, save_with_seed(server, graph, node, seed)) for seed in (1, 2)]
        graph.set(node, tags="again")
        again = stored_noise(server, save_with_seed(server, graph, node, 1))
    assert [source for source, _ in (*noises, again)] == ["recorded"] * 3
    assert noises[0][1].tobytes() == again[1].tobytes() != noises[1][1].tobytes()


def test_nested_latents_of_a_cache_have_their_own_noise(server: Server) -> None:
    """ComfyUI splits a nested result into new tensors; seeds 1, 2, 1 still have their own noise."""
    if server.version in NESTED:
        pytest.skip(f"ComfyUI {server.version} has no nested latents")
    with server.restarted("--cache-lru", "50"):
        graph = txt2img(Settings(kind="nested"))
        recording = add_recording(graph)
        node = graph.add("Gen5Save", filename_prefix="runs/x", latent=graph.result, recording=recording)
        stored = []
        for position, seed in enumerate((1, 2, 1)):
            graph.set(node, tags=str(position))
            entry = save_with_seed(server, graph, node, seed)
            with gen5core.open(server.output / entry["subfolder"] / entry["filename"]) as file:
                noise = file.latents["initial_noise"].parts[0].array().tobytes()
                stored.append(((file.capture or {})["noise_source"], noise))
    assert {source for source, _ in stored} == {"recorded"}
    assert stored[0] == stored[2] != stored[1]


def test_list_items_have_their_own_noise(server: Server) -> None:
    """A list-mapped sampler saves one file per item, each with that item's noise."""
    files = save(server, list_mapped(Settings(seed=5)))
    noises = []
    for saved in files:
        with gen5core.open(saved.path) as file:
            noises.append(file.latents["initial_noise"].array())
            assert 5 + saved.item == file.settings["seed"]
    assert len({noise.tobytes() for noise in noises}) == 3


def test_hires_passes_are_both_recorded(server: Server) -> None:
    """Two samplers with an upscale between them are two passes, each with its own noise and start."""
    [saved] = save(server, hires(Settings()))
    with gen5core.open(saved.path) as file:
        assert set(file.latents) == {"initial_noise", "initial_noise.1", "start_latent.1", "final_latent"}
        assert file.latents["initial_noise"].shape == (1, 4, 8, 8)
        assert file.latents["initial_noise.1"].shape == (1, 4, 12, 12)
        assert [entry["steps"] for entry in (file.capture or {})["passes"]] == [4, 4]


def test_own_noise_is_recorded_not_derived(server: Server) -> None:
    """A sampler that draws its own noise is recorded; without a recording the file says why it is not."""
    graph = txt2img(Settings())
    inputs = {
        name: value for name, value in graph.nodes[graph.samplers[0]]["inputs"].items() if name != "denoise"
    }
    graph.nodes[graph.samplers[0]] = {"class_type": "TestOwnNoise", "inputs": inputs}
    [recorded] = save(server, graph)
    [bare] = save(server, graph, record=False)
    with gen5core.open(recorded.path) as file:
        assert (file.capture or {})["noise_source"] == "recorded"
    with gen5core.open(bare.path) as file:
        capture = file.capture or {}
        assert capture["noise_source"] == "none"
        assert "TestOwnNoise" in capture["reason"]
        assert "initial_noise" not in file.latents
    assert recorded.digests == digests(sample(server, replay_straight(recorded)))


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_a_batch_starts_alone(server: Server, kind: str) -> None:
    """batch_index picks one image's noise; a batch of one from it equals what replaying it alone gives."""
    [saved] = save(server, txt2img(Settings(kind=kind, batch_size=4)))
    with gen5core.open(saved.path) as file:
        complete = file.latents["initial_noise"].array()
    graph = Graph(Settings(kind=kind))
    node = graph.add("Gen5Load", file=saved.annotated, on_drift="error", batch_index=2)
    [record] = sample(server, graph, [node, NOISE])
    assert complete[2:3].tobytes() == load(server.output, record["samples"]).tobytes()


def test_batch_index_of_the_latent_is_kept(server: Server) -> None:
    """A latent with batch_index saves the noise that ComfyUI drew for it, and the numbers themselves."""
    graph = txt2img(Settings(batch_size=2))
    graph.set(
        graph.samplers[0],
        latent_image=[graph.add("TestBatchIndex", latent=graph.start, batch_index="3,1"), 0],
    )
    [recorded] = save(server, graph)
    [derived] = save(server, graph, record=False)
    with gen5core.open(recorded.path) as one, gen5core.open(derived.path) as other:
        assert (other.capture or {})["noise_source"] == "derived"
        assert (other.capture or {})["batch_index"] == [3, 1]
        expected = one.latents["initial_noise"].array().tobytes()
        assert other.latents["initial_noise"].array().tobytes() == expected


def test_changed_latent_still_finds_its_run(server: Server) -> None:
    """A latent that was changed after sampling is not any run's result; node, seed and shape find the run."""
    graph = txt2img(Settings(seed=3))
    recording = add_recording(graph)
    changed = graph.add("LatentMultiply", samples=graph.result, multiplier=0.5)
    node = graph.add("Gen5Save", filename_prefix="runs/x", latent=[changed, 0], recording=recording)
    source, noise = stored_noise(server, server.run(graph.nodes)[node]["gen5"][0])
    assert source == "recorded"
    assert comfy_noise_of(server, graph.settings, 3).tobytes() == noise.tobytes()


def test_nested_latent_round_trips(server: Server) -> None:
    """A latent of audio and video is stored part by part and replayed bit for bit."""
    if server.version in NESTED:
        pytest.skip(f"ComfyUI {server.version} has no nested latents")
    [saved] = save(server, txt2img(Settings(kind="nested")))
    with gen5core.open(saved.path) as file:
        assert [part.shape for part in file.latents["initial_noise"].parts] == [
            (1, 16, 2, 4, 4),
            (1, 8, 4, 16),
        ]
    assert saved.digests == digests(sample(server, replay_wired(saved)))


def test_nested_latent_with_a_mask_round_trips(server: Server) -> None:
    """A mask over the parts of a nested latent is stored part by part, and the replay is bit-exact."""
    if server.version in NESTED:
        pytest.skip(f"ComfyUI {server.version} has no nested latents")
    graph = txt2img(Settings(kind="nested", sampler_name="ddim"))
    graph.set(graph.samplers[0], latent_image=[graph.add("TestNestedMask", latent=graph.start), 0])
    [saved] = save(server, graph)
    assert saved.digests == digests(sample(server, replay_wired(saved)))
    assert saved.digests == digests(sample(server, replay_straight(saved)))


def test_fewer_masks_than_images_are_used_in_turns(server: Server) -> None:
    """Of two masks for four images the fourth image has the second, as ComfyUI repeats them."""
    graph = txt2img(Settings(batch_size=4))
    masked = graph.add("TestMask", latent=graph.start, count=2)
    graph.set(graph.samplers[0], latent_image=[masked, 0])
    [saved] = save(server, graph)
    loaded = Graph(Settings())
    node = loaded.add("Gen5Load", file=saved.annotated, on_drift="error", batch_index=3)
    [record] = sample(server, loaded, [node, 1])
    assert record["samples"]["shape"] == [1, 4, 8, 8]
    assert record["noise_mask"]["shape"] == [1, 1, 8, 8]


def test_replayed_file_without_recording_stores_no_seed(server: Server) -> None:
    """If stored noise replaced that of the seed, the widget's seed is not stored as if it had been used."""
    [saved] = save(server, txt2img(Settings(seed=7)))
    [again] = save(server, replay_straight(saved), record=False)
    with gen5core.open(again.path) as file:
        assert "seed" not in file.settings
        assert (file.capture or {})["noise_source"] == "none"
        assert "seed" in (file.capture or {})["passes"][0]["unresolved"]


def test_noise_source_feeds_sampler_custom_advanced(server: Server) -> None:
    """Load Gen5's noise_source in place of RandomNoise gives the saved result."""
    [saved] = save(server, sampler_custom_advanced(Settings(kind="flow")))
    graph = saved.graph.copy()
    node = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    graph.set(graph.samplers[0], noise=[node, 3])
    assert saved.digests == digests(sample(server, graph))


def test_stored_prompt_is_the_persons_own(server: Server) -> None:
    """A prompt that the server changed is stored as it was sent."""
    [saved] = save(server, txt2img(Settings()))
    graph = replay_straight(saved)
    node = graph.add("Gen5Save", filename_prefix="runs/own", latent=graph.result)
    [summary] = server.run(graph.nodes)[node]["gen5"]
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        assert (file.comfyui or {})["prompt"] == graph.nodes
        assert (file.capture or {})["noise_source"] == "recorded"


@pytest.mark.parametrize("change", ["deleted", "replaced"])
def test_missing_saved_file_is_an_error_with_a_remedy(server: Server, change: str) -> None:
    """If a cached Save Gen5's file was deleted or replaced, an error says so; another prefix saves it again."""
    graph = txt2img(Settings())
    node = graph.add("Gen5Save", filename_prefix=f"runs/{change}", latent=graph.result)
    compare = graph.add("Gen5Compare", gen5=[node, 1], latent=graph.result)
    outputs = server.run(graph.nodes)
    assert outputs[compare]["gen5"][0]["verdict"] == "bit-exact"
    [entry] = outputs[node]["gen5"]
    path = server.output / entry["subfolder"] / entry["filename"]
    path.unlink()
    if change == "replaced":
        gen5core.save(path, latents={"final_latent": np.zeros((1, 4, 8, 8), np.float32)})
    for tolerance in (0.5, 0.25):  # Compare With Stored runs, Save Gen5 does not
        graph.set(compare, tolerance=tolerance)
        with pytest.raises(GraphError) as caught:
            server.run(graph.nodes)
        message = caught.value.node_message
        assert f"{entry['filename']} was " in message
        assert "Errno" not in message
        assert (
            "change filename_prefix in Save Gen5 to save it again, or press R and choose it in Load"
            in message
        )
    graph.set(node, filename_prefix=f"runs/{change} again")
    assert server.run(graph.nodes)[compare]["gen5"][0]["verdict"] == "bit-exact"


@pytest.mark.parametrize("value", [None, 5])
def test_file_name_that_is_not_a_string_is_refused(server: Server, value: Any) -> None:
    """If a program queues a file name that is not a string, the error names the input; the log has no Python error."""
    graph = Graph(Settings())
    node = graph.add("Gen5Load", file=value, on_drift="ignore")
    graph.digest([node, NOISE])
    offset = server.log_size()
    with pytest.raises(GraphError) as caught:
        server.run(graph.nodes)
    assert f"file is {value!r}, not a name: choose a file" in caught.value.node_message
    assert "endswith" not in server.log(offset)


def test_image_that_the_result_lacks_stops_only_the_result(server: Server) -> None:
    """With four noises and one result, the third noise loads; only nodes that need the third result stop."""
    noise = np.random.default_rng(0).standard_normal((4, 4, 8, 8)).astype(np.float32)
    gen5core.save(
        server.input / "one_result.gen5", latents={"initial_noise": noise, "final_latent": noise[:1]}
    )
    graph = Graph(Settings())
    node = graph.add("Gen5Load", file="one_result.gen5", on_drift="ignore", batch_index=2)
    complete, blocked = graph.digest([node, NOISE]), graph.digest([node, 1])
    outputs = server.run(graph.nodes)
    assert outputs[complete]["digest"][0]["samples"]["shape"] == [1, 4, 8, 8]
    assert blocked not in outputs


def test_seeded_noise_says_what_to_connect(server: Server) -> None:
    """If Seeded Noise draws and nothing is recorded, the file says so, and not that the noise was stored."""
    graph = sampler_custom_advanced(Settings())
    seeded = graph.add("Gen5Noise", latent=graph.start, seeds="3", convention="comfyui")
    graph.set(graph.samplers[0], noise=[seeded, 1])
    [saved] = save(server, graph, record=False)
    assert saved.summary["reason"] == "Gen5Noise draws noise by its own rule: connect Record Sampling"

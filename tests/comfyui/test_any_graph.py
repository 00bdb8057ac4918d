"""Runs that no wire of the graph leads to are stored all the same, and a fault in recording costs no picture."""

from __future__ import annotations

from typing import Any

import pytest

from .graph import Graph, Link, Settings
from .graphs import add_ksampler, base, empty_latent, encoded_latent, sampler_custom, txt2img
from .results import digests, sample
from .roundtrip import GEN5, Saved, save
from .server import Server
from .test_matching import capture_of

OTHER_SEED = 999


def bundled(graph: Graph, class_type: str, latent: Link, **inputs: Any) -> str:
    """Add a sampler that gets its model in a bundle; return its id."""
    bundle = graph.add("TestBundle", model=graph.model, positive=graph.positive, negative=graph.negative)
    node = graph.add(class_type, bundle=[bundle, 0], seed=graph.settings.seed, samples=latent, **inputs)
    graph.result = [node, 0]
    return node


def replayed(server: Server, saved: Saved, seeded: str) -> list[str]:
    """Sample a bundled graph again from its file under another seed; return the digests of the result."""
    graph = saved.graph.copy()
    load = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    replay = graph.add("Gen5Replay", model=list(graph.model), gen5=[load, GEN5])
    graph.rewire(graph.model, [replay, 0])
    graph.set(seeded, seed=OTHER_SEED)
    return digests(sample(server, graph))


def test_model_inside_a_pipe(server: Server) -> None:
    """A sampler whose MODEL comes in a pipe is recorded and replayed."""
    graph = base(Settings(seed=5))
    node = bundled(graph, "TestBundleSampler", empty_latent(graph))
    [saved] = save(server, graph, record=None)
    capture, settings = capture_of(server, saved.summary)
    assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
    [entry] = capture["passes"]
    assert (entry["node_id"], entry["seed"], entry["recorded_sampler"]) == (node, 5, "euler_ancestral")
    assert (settings["seed"], settings["cfg_scale"]) == (5, 5.0)
    assert replayed(server, saved, node) == saved.digests


def test_sampler_of_several_runs(server: Server) -> None:
    """All runs of a sampler that puts its result together are stored, and replayed in order."""
    graph = base(Settings(seed=5))
    node = bundled(graph, "TestQuarters", encoded_latent(graph))
    [saved] = save(server, graph, record=None)
    capture, _ = capture_of(server, saved.summary)
    assert (capture["noise_source"], capture["reason"]) == ("recorded", f"made of 4 runs of node {node}")
    assert [(entry["recorded"], entry["class_type"]) for entry in capture["passes"]] == [
        (True, "TestQuarters")
    ] * 4
    assert replayed(server, saved, node) == saved.digests


def test_cached_sampler_of_several_runs(server: Server) -> None:
    """Saved again from the cache, the same runs are found."""
    graph = base(Settings(seed=6))
    node = bundled(graph, "TestQuarters", encoded_latent(graph))
    keep = graph.add("Gen5Save", filename_prefix="any/cached", latent=graph.result, images=graph.decode())
    captures = []
    for tags in ("one", "two"):
        graph.set(keep, tags=tags)
        [summary] = server.run(graph.nodes)[keep]["gen5"]
        captures.append(capture_of(server, summary)[0])
    assert captures[0] == captures[1]
    assert captures[0]["reason"] == f"made of 4 runs of node {node}"


def test_copies_in_a_loop(server: Server) -> None:
    """The iterations of a loop are passes in order, each with the settings that it ran with."""
    graph = base(Settings(seed=5))
    sockets = {"model": graph.model, "positive": graph.positive, "negative": graph.negative}
    node = graph.add("TestLoop", **sockets, seed=5, latent_image=empty_latent(graph), count=3)
    graph.result = [node, 0]
    [saved] = save(server, graph, record=None)
    capture, settings = capture_of(server, saved.summary)
    assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)
    passes = [(entry["seed"], entry["steps"], entry["denoise"]) for entry in capture["passes"]]
    assert passes == [(5, 4, 1.0), (6, 4, 0.5), (7, 4, 0.5)]
    assert (settings["seed"], settings["scheduler"]) == (7, "normal")


def test_denoised_output(server: Server) -> None:
    """SamplerCustom's denoised_output is the last x0, and finds its run."""
    graph = sampler_custom(Settings(seed=5, sampler_name="dpmpp_2m"))
    graph.result = [graph.samplers[0], 1]
    [saved] = save(server, graph, record=None)
    capture, _ = capture_of(server, saved.summary)
    assert (capture["noise_source"], capture.get("reason")) == ("recorded", None)


def test_two_workflows_with_equal_ids_and_seeds(server: Server) -> None:
    """A run of another workflow with the same node and seed is never taken for one of this."""
    first = base(Settings(seed=5))
    add_ksampler(first, empty_latent(first))
    [one] = save(server, first, record=None)
    second = base(Settings(seed=5))
    add_ksampler(second, encoded_latent(second), denoise=0.5)
    [two] = save(server, second, record=None)
    starts = [capture_of(server, saved.summary)[0]["passes"][0].get("start_latent") for saved in (one, two)]
    assert starts == [None, "start_latent"]


@pytest.mark.parametrize("count", [10])
def test_queued_together(server: Server, count: int) -> None:
    """Ten prompts queued at once each store their own run."""
    graph = txt2img(Settings())
    keep = graph.add("Gen5Save", filename_prefix="any/queued", latent=graph.result)
    queued = []
    for seed in range(count):
        graph.set(graph.samplers[0], seed=seed)
        graph.set(keep, tags=str(seed))
        queued.append(server.queue(graph.nodes))
    for seed, number in enumerate(queued):
        [summary] = server.wait(number)["outputs"][keep]["gen5"]
        capture, _ = capture_of(server, summary)
        assert [entry["seed"] for entry in capture["passes"]] == [seed]
        assert capture["noise_source"] == "recorded"


def test_guider_that_is_copied(server: Server) -> None:
    """A copy of a guider samples with what it is given itself, and not as the guider that it is a copy of."""
    plain = base(Settings(seed=5, cfg=1.0))
    add_ksampler(plain, empty_latent(plain))
    copied = base(Settings(seed=5, cfg=7.0))
    copied.model = [copied.add("TestCopiedGuider", model=copied.model, cfg=1.0), 0]
    add_ksampler(copied, empty_latent(copied))
    assert digests(sample(server, copied)) == digests(sample(server, plain))


def test_image_that_a_node_samples_for_each_item(server: Server) -> None:
    """Each item of a list has the runs that painted it; a batch that is put together of all items has them all."""
    graph = base(Settings(seed=5))
    bundle = graph.add("TestBundle", model=graph.model, positive=graph.positive, negative=graph.negative)
    add_ksampler(graph, empty_latent(graph))
    seeds = graph.add("TestSeeds", seeds="11,22,33")
    paint = graph.add("TestPaintQuarters", bundle=[bundle, 0], seed=[seeds, 0], image=graph.decode())
    each = graph.add("Gen5Save", filename_prefix="any/item", images=[paint, 0])
    parts = graph.add("RebatchImages", images=[paint, 0], batch_size=3)
    joined = graph.add("Gen5Save", filename_prefix="any/joined", images=[parts, 0])
    outputs = server.run(graph.nodes)
    passes = {
        node: [capture_of(server, summary)[0]["passes"] for summary in outputs[node]["gen5"]]
        for node in (each, joined)
    }
    painted = {
        node: [[entry["seed"] for entry in found if entry["node_id"] == paint] for found in files]
        for node, files in passes.items()
    }
    assert painted[each] == [[11] * 4, [22] * 4, [33] * 4]
    assert painted[joined] == [[11] * 4 + [22] * 4 + [33] * 4]


def test_image_that_a_cached_node_sampled(server: Server) -> None:
    """What painted the image is found after its base came from the cache, and itself; else the file says so."""
    graph = base(Settings(seed=15))
    bundle = graph.add("TestBundle", model=graph.model, positive=graph.positive, negative=graph.negative)
    [drawn, _] = add_ksampler(graph, empty_latent(graph))
    paint = graph.add("TestPaintQuarters", bundle=[bundle, 0], seed=3, image=graph.decode())
    keep = graph.add("Gen5Save", filename_prefix="any/painted", images=[paint, 0])
    scaled = graph.add("ImageScaleBy", image=[paint, 0], upscale_method="nearest-exact", scale_by=1.5)
    painted = ("made of 4 runs of node " + paint, [(drawn, True), *[(paint, True)] * 4])
    unknown = (
        f"node {paint} (TestPaintQuarters) changed the image afterwards; whether it sampled is not known"
    )
    changes: list[tuple[str, dict[str, Any], tuple[str, list[tuple[str, bool]]]]] = [
        (keep, {"tags": "first"}, painted),
        (paint, {"seed": 4}, painted),
        (keep, {"tags": "again"}, painted),
        (keep, {"images": [scaled, 0]}, (unknown, [(drawn, True)])),
    ]
    for node, inputs, expected in changes:
        graph.set(node, **inputs)
        [summary] = server.run(graph.nodes)[keep]["gen5"]
        capture, _ = capture_of(server, summary)
        passes = [(entry["node_id"], entry["recorded"]) for entry in capture["passes"]]
        assert (capture["reason"], passes) == expected

"""Values that packs bring along, in a real ComfyUI: the picture is saved, the file loads, and what is lost is said."""

from __future__ import annotations

from typing import Any

import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import add_ksampler, base, empty_latent, hires, tiny_model, txt2img
from .results import digests, sample
from .roundtrip import GEN5, NOISE, Saved, replay_straight, replay_wired, save
from .server import GraphError, Server


def odd_sampler(kind: str) -> Graph:
    """Return a graph whose only sampler tells its run this kind of seed."""
    graph = base(Settings())
    graph.start = empty_latent(graph)
    sockets = {"model": graph.model, "positive": graph.positive, "negative": graph.negative}
    node = graph.add("TestOddSampler", latent_image=graph.start, kind=kind, seed=3, steps=4, **sockets)
    graph.samplers.append(node)
    graph.seeded.append((node, "seed"))
    graph.result = [node, 0]
    return graph


@pytest.mark.parametrize("record", [True, None], ids=["wired", "automatic"])
@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("minus one", -1),
        ("fraction", 3.5),
        ("tensor", 7),
        ("list", [1, 2]),
        ("long", 2**70),
        ("text", "x"),
        ("nan", "nan"),
        ("true", 1),
        ("none", 3),  # the widget's
    ],
)
def test_a_seed_that_is_none(server: Server, kind: str, stored: Any, record: bool | None) -> None:
    """The file holds what the run was told, and the noise that it brought along is replayed."""
    [saved] = save(server, odd_sampler(kind), record=record)
    with gen5core.open(saved.path) as file:
        file.verify()
        [entry] = file.capture["passes"]
        assert (file.capture["noise_source"], entry.get("seed")) == ("recorded", stored)
    assert saved.digests == digests(sample(server, replay_wired(saved)))


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *((kind, kind) for kind in ("float64", "complex128", "int64", "bool", "float8_e4m3fn")),
        ("grad", "float32"),
        *((kind, None) for kind in ("sparse", "meta", "none")),
    ],
)
@pytest.mark.parametrize("socket", ["latent", "noise"])
def test_a_latent_of_another_kind(server: Server, kind: str, dtype: str | None, socket: str) -> None:
    """It is stored in its dtype, or left out with a reason; the picture is saved either way."""
    graph = txt2img(Settings())
    odd = [graph.add("TestOddLatent", latent=graph.result, kind=kind), 0]
    images = graph.decode()
    sockets = {"latent": odd} if socket == "latent" else {"latent": graph.result, "noise": odd}
    node = graph.add("Gen5Save", filename_prefix="odd/x", images=images, **sockets)
    [summary] = server.run(graph.nodes, {"gen5": {"auto_record": False}})[node]["gen5"]
    path = server.output / summary["subfolder"] / summary["filename"]
    with gen5core.open(path) as file:
        file.verify()
        assert len(file.images) == 1
        name = "final_latent" if socket == "latent" else "initial_noise"
        stored = file.latents[name].orig_dtype if name in file.latents else None
        assert stored == dtype
    assert (f"the {socket} is not stored: " in (summary["reason"] or "")) is (dtype is None)


def test_a_double_precision_start(server: Server) -> None:
    """A run that starts from float64 is stored and replayed without loss."""
    graph = base(Settings())
    latent = [graph.add("TestLatent", shape="1,4,8,8", dtype="float32", seed=9), 0]
    start = [graph.add("TestOddLatent", latent=latent, kind="float64"), 0]
    add_ksampler(graph, start, denoise=0.7)
    [saved] = save(server, graph)
    with gen5core.open(saved.path) as file:
        assert {file.latents[name].orig_dtype for name in ("initial_noise", "start_latent")} == {"float64"}
    assert saved.digests == digests(sample(server, replay_wired(saved)))


def test_further_keys(server: Server) -> None:
    """Keys beside samples are given back by Load Gen5 and, where they belong to the start, by Replay Sampling."""
    graph = base(Settings(batch_size=2))
    add_ksampler(graph, [graph.add("TestKeys", latent=empty_latent(graph)), 0])
    [saved] = save(server, graph)
    assert saved.summary["reason"] == "the latent's `model` is not stored: it holds a object"
    start = {"type": "audio", "sample_rate": 48000}
    start["coords"] = ["torch.int32", [[0, 1, 2, 3], [4, 5, 6, 7]]]
    state = {"state_info": {"step": 3, "raw_x": ["torch.float64", [1.0, 1.0]]}}
    loading = Graph(Settings())
    load = loading.add("Gen5Load", file=saved.annotated, on_drift="ignore")
    replay = loading.add("Gen5Replay", model=tiny_model(loading), gen5=[load, GEN5])
    told = [loading.add("TestKeysOf", latent=link) for link in ([load, NOISE], [load, 1], [replay, 1])]
    outputs = server.run(loading.nodes)
    assert [outputs[node]["keys"][0] for node in told] == [
        start,
        {**start, **state, "batch_index": [5, 6]},
        {**start, "batch_index": [5, 6]},
    ]
    for replayed in (replay_wired(saved), replay_straight(saved)):
        assert saved.digests == digests(sample(server, replayed))


def compare(server: Server, saved: Saved, graph: Graph, batch_index: int = -1) -> list[dict[str, Any]]:
    """Return what Compare With Stored says of a graph's latent and images."""
    run = graph.copy()
    load = run.add("Gen5Load", file=saved.annotated, on_drift="ignore", batch_index=batch_index)
    node = run.add("Gen5Compare", gen5=[load, GEN5], latent=run.result, images=run.decode())
    found: list[dict[str, Any]] = server.run(run.nodes)[node]["gen5"]
    return found


class TestCompare:
    @pytest.mark.parametrize("way", ["load", "replay", "neither"])
    def test_one_of_a_batch(self, server: Server, way: str) -> None:
        """One image sampled alone is compared with that image, chosen in Load Gen5, in Replay Sampling, or found."""
        [saved] = save(server, txt2img(Settings(batch_size=4)))
        replayed = replay_wired(saved, **({"batch_index": 2} if way == "replay" else {}))
        [load] = [node for node, entry in replayed.nodes.items() if entry["class_type"] == "Gen5Load"]
        if way == "load":
            replayed.set(load, batch_index=2)
        elif way == "neither":
            taken = replayed.add("LatentFromBatch", samples=replayed.result, batch_index=2, length=1)
            replayed.result = [taken, 0]
        [found] = compare(server, saved, replayed, batch_index=2 if way == "load" else -1)
        lines = found["report"].splitlines()
        words = "image 2 of the batch" if way == "load" else "image 2 of 4, the nearest"
        assert [words in line for line in lines] == [True, True]
        # a batch of another size may differ in its last bits; the same batch does not
        assert found["verdict"] == "bit-exact" or (way != "neither" and found["max_difference"] < 1e-4)

    def test_a_list(self, server: Server) -> None:
        """Items of a list are compared one by one, each with the image that it equals."""
        [saved] = save(server, txt2img(Settings(batch_size=3)))
        graph = saved.graph.copy()
        parts = graph.add("RebatchLatents", latents=graph.result, batch_size=1)
        graph.result = [parts, 0]
        found = compare(server, saved, graph)
        assert [one["verdict"] for one in found] == ["bit-exact"] * 3
        assert [f"image {index} of 3" in one["report"] for index, one in enumerate(found)] == [True] * 3

    def test_the_size_of_another_pass(self, server: Server) -> None:
        """With hires, the first pass's latent is named as that."""
        [saved] = save(server, hires(Settings()))
        graph = saved.graph.copy()
        graph.result = [graph.samplers[0], 0]
        with pytest.raises(GraphError, match=rf"shape of pass 0 \(node {graph.samplers[0]}\)"):
            compare(server, saved, graph)

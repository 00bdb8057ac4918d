"""Load Gen5's noise wired straight into samplers of every kind, and files of runs that added no noise."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

import gen5core

from .graph import Graph, Link, Settings
from .graphs import add_ksampler, add_ksampler_advanced, base, empty_latent, encoded_latent, img2img, inpaint
from .results import digests, sample
from .roundtrip import NOISE, OTHER_SEED, Saved, replay_wired, save
from .server import GraphError, Server

ANCESTRAL = Settings(seed=7, sampler_name="euler_ancestral")
NOISE_SOURCE = 3
"""Output of Load Gen5."""
_nonces = itertools.count(10**6)


def widgets(settings: Settings) -> dict[str, Any]:
    """Return the widgets of the test pack's samplers."""
    names = ("seed", "steps", "cfg", "sampler_name", "scheduler")
    return {name: getattr(settings, name) for name in names}


def add_sampler(graph: Graph, class_type: str, slot: int = 0, **inputs: Any) -> Link:
    """Add a sampler of the test pack and make its LATENT the result."""
    node = graph.add(class_type, **widgets(graph.settings), **inputs)
    graph.samplers.append(node)
    graph.seeded.append((node, "seed"))
    graph.result = [node, slot]
    return graph.result


def conditioned(graph: Graph) -> dict[str, Link]:
    return {"model": graph.model, "positive": graph.positive, "negative": graph.negative}


def samples(settings: Settings) -> Graph:
    """A sampler whose latent is called samples."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    add_sampler(graph, "TestSamples", **conditioned(graph), samples=graph.start)
    return graph


def one_by_one(settings: Settings) -> Graph:
    """A sampler that samples the images of a batch one after the other."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    add_sampler(graph, "TestOneByOne", **conditioned(graph), latent=graph.start)
    return graph


def base_and_refiner_in_one(settings: Settings) -> Graph:
    """A sampler with two MODELs."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    refiner = [graph.add("TestModel", kind=settings.kind, seed=1, flip_bit=False, nonce=next(_nonces)), 0]
    given = {**conditioned(graph), "refiner_model": refiner, "latent_image": graph.start}
    add_sampler(graph, "TestBaseAndRefiner", **given)
    return graph


def pipe_and_latent(settings: Settings) -> Graph:
    """A sampler with its MODEL in a pipe and its latent beside it."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    pipe = [graph.add("TestPipe", **conditioned(graph)), 0]
    add_sampler(graph, "TestPipeSampler", slot=1, pipe=pipe, optional_latent=graph.start)
    return graph


def latent_in_pipe(settings: Settings) -> Graph:
    """A sampler with everything in a pipe."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    pipe = [graph.add("TestPipe", **conditioned(graph), latent=graph.start), 0]
    add_sampler(graph, "TestPipeSampler", slot=1, pipe=pipe)
    return graph


def model_in_pipe(settings: Settings) -> Graph:
    """A sampler whose MODEL never lies on a wire."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    texts = {"positive": graph.positive, "negative": graph.negative}
    pipe = [graph.add("TestPipeLoader", **texts, nonce=next(_nonces)), 0]
    add_sampler(graph, "TestPipeSampler", slot=1, pipe=pipe, optional_latent=graph.start)
    return graph


def switched(settings: Settings) -> Graph:
    """A KSampler whose latent comes through a switch."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    other = encoded_latent(graph)
    switch = graph.add("TestSwitch", first=other, second=graph.start, is_second=True)
    start = graph.start
    add_ksampler(graph, [switch, 0])
    graph.start = start
    return graph


def by_link(settings: Settings) -> Graph:
    """A KSamplerAdvanced whose add_noise is a link."""
    graph = base(settings)
    graph.start = empty_latent(graph)
    add_ksampler_advanced(graph, graph.start, 0, 10_000, first=True)
    on = graph.add("TestSwitch", first="enable", second="disable", is_second=False)
    graph.set(graph.samplers[0], add_noise=[on, 0])
    return graph


STRAIGHT = {
    builder.__name__: builder
    for builder in (
        samples,
        one_by_one,
        base_and_refiner_in_one,
        pipe_and_latent,
        latent_in_pipe,
        switched,
        by_link,
        img2img,
        inpaint,
    )
}


def straight(saved: Saved, **load: Any) -> Graph:
    """Return the graph with Load Gen5's noise instead of the latent that it started from, and other seeds."""
    graph = saved.graph.copy()
    node = graph.add("Gen5Load", file=saved.annotated, on_drift="error", **load)
    graph.rewire(graph.start, [node, NOISE])
    graph.reseed(OTHER_SEED)
    return graph


def save_all_models(server: Server, graph: Graph) -> list[Saved]:
    """Save with a Record Sampling behind every TestModel."""
    run, recording = graph.copy(), None
    for node_id in [node_id for node_id, node in graph.nodes.items() if node["class_type"] == "TestModel"]:
        chained = {} if recording is None else {"recording": recording}
        record = run.add("Gen5Record", model=[node_id, 0], **chained)
        run.rewire([node_id, 0], [record, 0])
        recording = [record, 1]
    return [replace(saved, graph=graph) for saved in save(server, run, record=None, recording=recording)]


@pytest.mark.parametrize("builder", STRAIGHT)
def test_straight_into_any_sampler(server: Server, builder: str) -> None:
    """Whatever the input is called and whatever the noise comes through, the result is the stored one."""
    [saved] = save_all_models(server, STRAIGHT[builder](ANCESTRAL))
    assert digests(sample(server, straight(saved))) == saved.digests


def test_model_that_never_leaves_its_pipe(server: Server) -> None:
    """A sampler whose MODEL no node could be put before starts from the noise all the same."""
    [saved] = save_all_models(server, pipe_and_latent(ANCESTRAL))
    graph = model_in_pipe(ANCESTRAL)
    assert digests(sample(server, straight(replace(saved, graph=graph)))) == saved.digests


def by_hand(settings: Settings) -> Graph:
    """AddNoise, and a KSamplerAdvanced that adds none."""
    graph = base(settings)
    scheduler = {"scheduler": settings.scheduler, "steps": settings.steps, "denoise": 1.0}
    sigmas = [graph.add("BasicScheduler", model=graph.model, **scheduler), 0]
    noise = [graph.add("RandomNoise", noise_seed=77), 0]
    given = {"model": graph.model, "noise": noise, "sigmas": sigmas, "latent_image": empty_latent(graph)}
    add_ksampler_advanced(graph, [graph.add("AddNoise", **given), 0], 0, 10_000, first=False)
    return graph


def disabled(settings: Settings) -> Graph:
    """SamplerCustomAdvanced with DisableNoise on a latent from elsewhere."""
    graph = base(settings)
    scheduler = {"scheduler": settings.scheduler, "steps": settings.steps, "denoise": 0.6}
    texts = {"positive": graph.positive, "negative": graph.negative}
    graph.start = encoded_latent(graph)
    node = graph.add(
        "SamplerCustomAdvanced",
        noise=[graph.add("DisableNoise"), 0],
        guider=[graph.add("CFGGuider", model=graph.model, cfg=settings.cfg, **texts), 0],
        sampler=[graph.add("KSamplerSelect", sampler_name=settings.sampler_name), 0],
        sigmas=[graph.add("BasicScheduler", model=graph.model, **scheduler), 0],
        latent_image=graph.start,
    )
    graph.samplers.append(node)
    graph.result = [node, 0]
    return graph


STARTS = {"by_hand": by_hand, "disabled": disabled}


@pytest.fixture(scope="module", params=STARTS)
def start(server: Server, request: pytest.FixtureRequest) -> Saved:
    """A file of a run that added no noise."""
    settings = Settings(seed=7, sampler_name="euler_ancestral", steps=5)
    return save(server, STARTS[request.param](settings), record=None)[0]


class TestStartWithoutNoise:
    """Runs that added no noise are replayed from the latent that they started from."""

    def test_file_holds_start(self, start: Saved) -> None:
        """The file has the start and no noise."""
        with gen5core.open(start.path) as file:
            assert "start_latent" in file.latents
            assert "initial_noise" not in file.latents

    def test_wired(self, server: Server, start: Saved) -> None:
        """Behind Replay Sampling the result is the stored one."""
        assert digests(sample(server, replay_wired(start))) == start.digests

    def test_straight(self, server: Server, start: Saved) -> None:
        """Load Gen5's noise is that start: in the same sampler, the result is the stored one."""
        graph = straight(start)
        assert digests(sample(server, graph)) == start.digests

    def test_sampler_that_adds_noise(self, server: Server, start: Saved) -> None:
        """A KSampler of the same sigmas adds none of its own, and the log says so."""
        if start.graph.nodes[start.graph.samplers[0]]["class_type"] != "KSamplerAdvanced":
            pytest.skip("other sigmas than a KSampler's")
        graph = base(start.graph.settings)
        graph.model = start.graph.model
        graph.nodes = start.graph.copy().nodes
        load = graph.add("Gen5Load", file=start.annotated, on_drift="error")
        graph.positive, graph.negative = start.graph.positive, start.graph.negative
        add_ksampler(graph, [load, NOISE])
        graph.reseed(OTHER_SEED)
        offset = server.log_size()
        assert digests(sample(server, graph)) == start.digests
        assert "this sampler adds noise, the stored one added none: none is added" in server.log(offset)

    def test_noise_source(self, server: Server, start: Saved) -> None:
        """In SamplerCustomAdvanced, noise_source adds nothing to the start and brings the stored seed."""
        graph = base(start.graph.settings)
        graph.nodes, graph.model = start.graph.copy().nodes, start.graph.model
        graph.positive, graph.negative = start.graph.positive, start.graph.negative
        load = graph.add("Gen5Load", file=start.annotated, on_drift="error")
        denoise = 1.0 if "AddNoise" in {node["class_type"] for node in graph.nodes.values()} else 0.6
        how = {"scheduler": graph.settings.scheduler, "steps": 5, "denoise": denoise}
        texts = {"positive": graph.positive, "negative": graph.negative}
        node = graph.add(
            "SamplerCustomAdvanced",
            noise=[load, NOISE_SOURCE],
            guider=[graph.add("CFGGuider", model=graph.model, cfg=5.0, **texts), 0],
            sampler=[graph.add("KSamplerSelect", sampler_name="euler_ancestral"), 0],
            sigmas=[graph.add("BasicScheduler", model=graph.model, **how), 0],
            latent_image=[load, NOISE],
        )
        assert digests(sample(server, graph, [node, 0])) == start.digests

    def test_equal_latent_from_elsewhere(self, server: Server, start: Saved) -> None:
        """A sampler without a Load Gen5 above it keeps its own noise, even on an equal latent."""
        sample(server, straight(start))
        graph = start.graph.copy()
        if graph.nodes[graph.samplers[0]]["class_type"] == "KSamplerAdvanced":
            graph.set(graph.samplers[0], add_noise="enable")
        else:
            graph.set(graph.samplers[0], noise=[graph.add("RandomNoise", noise_seed=5), 0])
        assert digests(sample(server, graph)) != start.digests


@pytest.fixture(scope="module")
def saved(server: Server) -> Saved:
    """A text-to-image file."""
    graph = base(ANCESTRAL)
    add_ksampler(graph, empty_latent(graph))
    return save(server, graph, record=None)[0]


class TestChangedNoise:
    """Noise that was changed on its way to a sampler that adds noise."""

    @pytest.mark.parametrize(
        ("class_type", "inputs"),
        [
            ("RepeatLatentBatch", {"amount": 2}),
            ("LatentUpscaleBy", {"upscale_method": "nearest-exact", "scale_by": 2.0}),
            ("LatentFlip", {"flip_method": "x-axis: vertically"}),
        ],
    )
    def test_refused(self, server: Server, saved: Saved, class_type: str, inputs: dict[str, Any]) -> None:
        """The sampler stops with an error that names the nodes and the way that works."""
        graph = straight(saved)
        [load] = [node for node, entry in graph.nodes.items() if entry["class_type"] == "Gen5Load"]
        changed = graph.add(class_type, samples=[load, NOISE], **inputs)
        graph.set(graph.samplers[0], latent_image=[changed, 0])
        with pytest.raises(GraphError) as error:
            sample(server, graph)
        message = (
            f"node {graph.samplers[0]} (KSampler) would add noise of its own to the noise of node {load} (Gen5Load), "
            f"which node {changed} ({class_type}) changed: connect Replay Sampling's model and latent to node "
            f"{graph.samplers[0]}"
        )
        assert message in str(error.value)

    def test_tiles_are_refused(self, server: Server, saved: Saved) -> None:
        """So does a sampler that takes the noise apart."""
        graph = straight(saved)
        [load] = [node for node, entry in graph.nodes.items() if entry["class_type"] == "Gen5Load"]
        add_sampler(graph, "TestTiles", **conditioned(graph), latent=[load, NOISE])
        with pytest.raises(
            GraphError, match="which it does not sample as it is: connect Replay Sampling's model"
        ):
            sample(server, graph)

    def test_mixed_by_hand_is_logged(self, server: Server, saved: Saved) -> None:
        """A blend with another latent is the user's own way: it runs, and the log says what it does."""
        graph = straight(saved)
        [load] = [node for node, entry in graph.nodes.items() if entry["class_type"] == "Gen5Load"]
        blend = graph.add(
            "LatentBlend", samples1=[load, NOISE], samples2=encoded_latent(graph), blend_factor=0.5
        )
        graph.set(graph.samplers[0], latent_image=[blend, 0])
        offset = server.log_size()
        sample(server, graph)
        assert f"which node {blend} (LatentBlend) changed: connect Replay Sampling's" in server.log(offset)

    def test_blend_without_noise_is_left_alone(self, server: Server, saved: Saved) -> None:
        """A sampler that adds no noise takes what it is given, and nothing is said."""
        graph = base(ANCESTRAL)
        load = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
        flip = graph.add("LatentFlip", samples=[load, NOISE], flip_method="x-axis: vertically")
        add_ksampler_advanced(graph, [flip, 0], 0, 10_000, first=False)
        offset = server.log_size()
        sample(server, graph)
        assert "noise" not in server.log(offset).replace("return_with_leftover_noise", "")

    def test_one_image_of_a_batch(self, server: Server) -> None:
        """LatentFromBatch gives one image's noise as it is: that image is replayed."""
        graph = base(Settings(seed=7, batch_size=3))
        add_ksampler(graph, empty_latent(graph))
        [saved] = save(server, graph, record=None)
        alone = straight(saved)
        [load] = [node for node, entry in alone.nodes.items() if entry["class_type"] == "Gen5Load"]
        picked = alone.add("LatentFromBatch", samples=[load, NOISE], batch_index=1, length=1)
        alone.set(alone.samplers[0], latent_image=[picked, 0])
        again = straight(saved, batch_index=1)
        assert digests(sample(server, alone)) == digests(sample(server, again))


def tiles(server: Server) -> tuple[Graph, list[str], str]:
    """Return a graph with a node that samples twice, its result, and a file of both runs as Load Gen5 names it."""
    graph = base(ANCESTRAL)
    graph.start = empty_latent(graph)
    add_sampler(graph, "TestTiles", **conditioned(graph), latent=graph.start)
    [first, second] = save(server, replace(graph, result=[graph.samplers[0], 1]), record=None)
    latents: dict[str, Any] = {}
    passes: list[dict[str, Any]] = []
    for index, one in enumerate((first, second)):
        with gen5core.open(one.path) as file:
            [entry] = (file.capture or {})["passes"]
            names = {key: f"{entry[key]}.{index}" for key in ("noise", "step_noise")}
            latents |= {names[key]: file.latents[entry[key]].torch() for key in names}
            passes.append({**entry, **names})
    path = first.path.with_name("tiles.gen5")
    gen5core.save(path, latents=latents, capture={"noise_source": "recorded", "passes": passes})
    return graph, digests(sample(server, graph)), f"roundtrip/{path.name} [output]"


def test_tiles_are_replayed_in_order(server: Server) -> None:
    """A node that samples twice alike gets its stored runs in order, also where its seeds fit others of them."""
    graph, expected, annotated = tiles(server)
    replayed = graph.copy()
    load = replayed.add("Gen5Load", file=annotated, on_drift="ignore")
    replay = replayed.add("Gen5Replay", model=replayed.model, gen5=[load, 4])
    replayed.set(replayed.samplers[0], model=[replay, 0])
    offset = server.log_size()
    for seed in (OTHER_SEED, ANCESTRAL.seed + 1, ANCESTRAL.seed):
        replayed.set(replayed.samplers[0], seed=seed)
        assert digests(sample(server, replayed)) == expected
    assert ".gen5" not in server.log(offset)

"""The promise: saved, the server restarted, loaded, sampled under another seed, equal to the last bit."""

from __future__ import annotations

import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import BUILDERS, KINDS, add_ksampler, base, empty_latent, txt2img
from .results import digests, sample
from .roundtrip import OTHER_SEED, Saved, replay_straight, replay_wired, save
from .server import Server

CASES = {
    **{name: (name, "euler", 1) for name in BUILDERS},
    "txt2img of four": ("txt2img", "euler", 4),
    "inpaint with ddim": ("inpaint", "ddim", 1),
    "img2img with dpmpp_2m": ("img2img", "dpmpp_2m", 1),
}
Saves = dict[tuple[str, str], list[Saved]]


@pytest.fixture(scope="module", params=[True, None], ids=["wired", "automatic"])
def saves(server: Server, request: pytest.FixtureRequest) -> Saves:
    """Every case with every kind of model, recorded and saved; the server is then restarted.

    Once with Record Sampling wired, once with nothing but Save Gen5 in the graph.
    """
    made: Saves = {}
    for case, (builder, sampler, batch) in CASES.items():
        for kind in KINDS:
            settings = Settings(kind=kind, sampler_name=sampler, batch_size=batch, seed=2**63 + 11)
            made[case, kind] = save(server, BUILDERS[builder](settings), record=request.param)
    server.restart()
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_recorded_file_is_complete(saves: Saves, case: str, kind: str) -> None:
    """Every saved file verifies, says that its noise was recorded, and holds the returned result."""
    for saved in saves[case, kind]:
        with gen5core.open(saved.path) as file:
            file.verify()
            assert file.capture is not None
            assert file.capture["noise_source"] == "recorded"
            assert "reason" not in file.capture
            assert "final_latent" in file.latents


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_wired_replay_is_bit_exact(server: Server, saves: Saves, case: str, kind: str) -> None:
    """With Replay Sampling before the sampler the result is the saved one, bit for bit."""
    for saved in saves[case, kind]:
        assert saved.digests == digests(sample(server, replay_wired(saved)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_noise_straight_into_the_sampler_is_bit_exact(
    server: Server, saves: Saves, case: str, kind: str
) -> None:
    """With Load Gen5's noise in latent_image and nothing else, text to image gives the saved result."""
    for saved in saves[case, kind]:
        assert saved.digests == digests(sample(server, replay_straight(saved)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("builder", ["txt2img", "sampler_custom", "sampler_custom_advanced", "split"])
def test_derived_noise_equals_recorded_noise(server: Server, builder: str, kind: str) -> None:
    """Noise drawn again from the graph's seed is what the sampler received."""
    graph = BUILDERS[builder](Settings(kind=kind, batch_size=2))
    [recorded], [derived] = save(server, graph), save(server, graph, record=False)
    with gen5core.open(recorded.path) as one, gen5core.open(derived.path) as other:
        assert (other.capture or {})["noise_source"] == "derived"
        expected = one.latents["initial_noise"].array()
        actual = other.latents["initial_noise"].array()
        assert actual.dtype == expected.dtype
        assert actual.tobytes() == expected.tobytes()


def twins(*, composite: bool) -> Graph:
    """Two KSamplers with seeds 11 and 22 on one MODEL and one empty latent, and optionally a third one on both."""
    graph = base(Settings())
    start = empty_latent(graph)
    first, second = add_ksampler(graph, start), add_ksampler(graph, start)
    if composite:
        both = graph.add("LatentComposite", samples_to=first, samples_from=second, x=32, y=0, feather=0)
        add_ksampler(graph, [both, 0], denoise=0.5)
    seed_each(graph, 11, 22)
    return graph


def seed_each(graph: Graph, *seeds: int) -> None:
    """Set the seeds of the first samplers."""
    for sampler, seed in zip(graph.samplers, seeds, strict=False):
        graph.set(sampler, seed=seed)


def save_images(server: Server, graph: Graph) -> Saved:
    """Save what all samplers return as one batch of images, with automatic recording."""
    run = graph.copy()
    images = [[run.add("TestDecode", samples=[sampler, 0]), 0] for sampler in graph.samplers]
    batch = images[0]
    for image in images[1:]:
        batch = [run.add("ImageBatch", image1=batch, image2=image), 0]
    node = run.add("Gen5Save", filename_prefix="replay/alike", images=batch)
    [summary] = server.run(run.nodes)[node]["gen5"]
    path = server.output / summary["subfolder"] / summary["filename"]
    return Saved(graph, 0, f"{summary['subfolder']}/{summary['filename']} [output]", path, [], summary)


@pytest.mark.parametrize("seeds", [(11, 22), (22, 11), (OTHER_SEED, OTHER_SEED + 1)], ids=str)
@pytest.mark.parametrize("composite", [False, True], ids=["two", "composite"])
def test_samplers_alike_start_from_their_own_noise(
    server: Server, composite: bool, seeds: tuple[int, int]
) -> None:
    """Two samplers that differ only in their seeds each replay their own pass, whatever their seeds are now."""
    graph = twins(composite=composite)
    expected = [digests(sample(server, graph, [sampler, 0])) for sampler in graph.samplers]
    replayed = replay_wired(save_images(server, graph))
    seed_each(replayed, *seeds)
    offset = server.log_size()
    assert [digests(sample(server, replayed, [sampler, 0])) for sampler in graph.samplers] == expected
    assert "match this run equally well" not in server.log(offset)


def test_refining_sampler_that_was_not_stored_is_logged(server: Server) -> None:
    """A second sampler with other sigmas on the same Replay gets the stored noise and seed, and the log says so."""
    [saved] = save(server, txt2img(Settings(seed=7)))
    graph = replay_wired(saved)
    graph.model = list(graph.nodes[graph.samplers[0]]["inputs"]["model"])
    add_ksampler(graph, graph.result, denoise=0.5)
    graph.set(graph.samplers[-1], seed=99)
    offset = server.log_size()
    of_99 = digests(sample(server, graph))
    message = f"{saved.path.name}: no stored pass is known to have this run's sigmas and shape; "
    assert server.log(offset).count(message) == 1
    graph.set(graph.samplers[-1], seed=100)
    assert of_99 == digests(sample(server, graph))

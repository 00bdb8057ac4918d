"""The test setup itself: a real ComfyUI serves, the test pack's models sample, and equal seeds give equal bits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from .graph import Settings
from .graphs import BUILDERS, KINDS, txt2img
from .launcher import Install
from .results import digests, sample
from .server import PACKS, GraphError, Server, cached_nodes

TEST_NODES = {"TestModel", "TestConditioning", "TestDecode", "TestDigest", "TestPrepareNoise", "TestOwnNoise"}


def test_server_starts_with_both_packs(server: Server) -> None:
    """Every node of the test pack is served, and the log has no failed import of either pack."""
    assert set() == TEST_NODES - server.object_info().keys()
    failed = [line for line in server.log().splitlines() if "IMPORT FAILED" in line]
    assert [line for line in failed if any(pack in line for pack in PACKS)] == []


def test_server_has_the_version_of_its_installation(server: Server) -> None:
    """The server's version is that of the installation that was found."""
    stats = server.get("/system_stats")
    assert server.version == stats["system"]["comfyui_version"]


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_gives_the_same_bits(server: Server, builder: str, kind: str) -> None:
    """Each graph with each kind of model samples to the same bits twice, and to others for another seed."""
    build, settings = BUILDERS[builder], Settings(kind=kind, seed=1)
    first = digests(sample(server, build(settings)))
    again = digests(sample(server, build(settings)))
    other = digests(sample(server, build(dataclasses.replace(settings, seed=1001))))
    assert again == first
    assert set() == set(first) & set(other)


@pytest.mark.parametrize("kind", KINDS)
def test_result_has_the_shape_of_its_settings(server: Server, kind: str) -> None:
    """The latent has the kind's channels, video its frames, a batch of four its four images."""
    settings = Settings(kind=kind, batch_size=4)
    [record] = sample(server, txt2img(settings))
    assert list(settings.shape()) == record["samples"]["shape"]
    assert record["samples"]["dtype"] == "float32"


@pytest.mark.parametrize("kind", KINDS)
def test_ddim_with_a_mask_keeps_the_rest(server: Server, kind: str) -> None:
    """Inpainting with ddim returns a mask beside the samples, and equal bits for equal seeds."""
    settings = Settings(kind=kind, sampler_name="ddim")
    build = BUILDERS["inpaint"]
    first, again = (sample(server, build(settings)) for _ in range(2))
    assert digests(again) == digests(first)
    assert first[0]["noise_mask"]["shape"] == [1, 1, 8, 8]


@pytest.mark.parametrize("kind", KINDS)
def test_another_bit_in_the_weights_gives_another_latent(server: Server, kind: str) -> None:
    """One flipped bit of one weight shows in the result."""
    graph = txt2img(Settings(kind=kind))
    flipped = graph.copy()
    flipped.set(flipped.model[0], flip_bit=True)
    assert digests(sample(server, graph)) != digests(sample(server, flipped))


def test_each_image_of_a_list_is_sampled_with_its_seed(server: Server) -> None:
    """A list-mapped KSampler gives one record per latent, each with its own size and seed."""
    records = sample(server, BUILDERS["list_mapped"](Settings()))
    assert [record["samples"]["shape"] for record in records] == [[1, 4, 8, 8], [1, 4, 8, 8], [1, 4, 8, 16]]
    assert len(set(digests(records))) == 3


def test_an_image_does_not_depend_on_its_batch(server: Server) -> None:
    """The third noise of a batch, picked by batch_index, gives the same bits alone as among four."""
    complete = txt2img(Settings(batch_size=4))
    third = complete.copy()
    taken = third.add("LatentFromBatch", samples=third.start, batch_index=2, length=1)
    third.rewire(third.start, [taken, 0])
    picked = complete.add("LatentFromBatch", samples=complete.result, batch_index=2, length=1)
    assert digests(sample(server, complete, [picked, 0])) == digests(sample(server, third))


def test_nested_latents_are_sampled_part_by_part(server: Server) -> None:
    """If ComfyUI has nested latents, a model for them samples both parts, equal for equal seeds."""
    if "TestNested" not in server.object_info():
        pytest.skip(f"ComfyUI {server.version} has no nested latents")
    first, again = (sample(server, txt2img(Settings(kind="nested"))) for _ in range(2))
    assert [part["shape"] for part in first[0]["samples"]["parts"]] == [[1, 16, 2, 4, 4], [1, 8, 4, 16]]
    assert digests(again) == digests(first)


def test_own_noise_is_not_comfyuis(server: Server) -> None:
    """The sampler with its own noise is repeatable, and differs from a KSampler with equal settings."""
    graph = txt2img(Settings())
    own = graph.copy()
    own.nodes[own.samplers[0]]["class_type"] = "TestOwnNoise"
    del own.nodes[own.samplers[0]]["inputs"]["denoise"]
    nonce = own.copy()
    nonce.set(nonce.model[0], nonce=2**32)
    assert digests(sample(server, own)) == digests(sample(server, nonce))
    assert digests(sample(server, graph)) != digests(sample(server, own))


def test_stock_vae_and_image_outputs_work_with_the_stand_ins(server: Server) -> None:
    """The stock VAEDecode gives the picture that TestDecode gives, and the stock VAEEncode encodes it again."""
    graph = txt2img(Settings())
    vae = [graph.add("TestVae", channels=4), 0]
    stock = [graph.add("VAEDecode", samples=graph.result, vae=vae), 0]
    encoded = [graph.add("VAEEncode", pixels=stock, vae=vae), 0]
    ours, theirs = graph.digest(image=graph.decode()), graph.digest(encoded, image=stock)
    outputs = server.run(graph.nodes)
    [first], [second] = outputs[ours]["digest"], outputs[theirs]["digest"]
    assert first["image"] == second["image"]
    assert first["image"]["shape"] == [1, 64, 64, 3]
    assert second["samples"]["shape"] == [1, 4, 8, 8]


def test_a_repeated_graph_comes_from_the_cache(server: Server) -> None:
    """The same graph again runs no sampler: the tests see ComfyUI's caching as users do."""
    graph = txt2img(Settings())
    graph.digest()
    server.run(graph.nodes)
    entry = server.wait(server.queue(graph.nodes))
    assert set(graph.samplers) <= cached_nodes(entry)


def test_lru_cache_keeps_more_than_the_last_prompt(install: Install, tmp_path: Path) -> None:
    """With --cache-lru 50, seeds 1, 2 and 1 again: the third run's latent comes from the cache."""
    graph = txt2img(Settings(seed=1))
    node = graph.digest()
    results = []
    with Server(install, tmp_path, "--cache-lru", "50") as server:
        for seed in (1, 2, 1):
            graph.reseed(seed)
            entry = server.wait(server.queue(graph.nodes))
            results.append(entry["outputs"][node]["digest"])
    assert results[0] == results[2] != results[1]
    assert set(graph.samplers) <= cached_nodes(entry)


def test_a_restart_keeps_the_folders_and_ends_with_the_former_arguments(server: Server) -> None:
    """Uploads survive a restart with other arguments, and the one that restores the arguments."""
    name = server.upload("kept.bin", b"kept")
    former = server.arguments
    with server.restarted("--disable-metadata"):
        assert server.arguments == ("--disable-metadata",)
        assert set() == TEST_NODES - server.object_info().keys()
    assert former == server.arguments
    assert (server.input / name).read_bytes() == b"kept"
    [record] = sample(server, txt2img(Settings()))
    assert record["samples"]["shape"] == [1, 4, 8, 8]


def test_a_refused_graph_says_why(server: Server) -> None:
    """If ComfyUI's validation refuses a graph, the raised message is the one that users see."""
    graph = txt2img(Settings(sampler_name="no such sampler"))
    graph.digest()
    with pytest.raises(GraphError, match=r"sampler_name.*no such sampler") as caught:
        server.run(graph.nodes)
    assert graph.samplers[0] in caught.value.details["node_errors"]


def test_a_failing_node_says_why(server: Server) -> None:
    """An exception within a node is raised with its message, its node and its traceback."""
    graph = txt2img(Settings())
    graph.digest([graph.add("TestLatent", shape="not a shape", dtype="float32", seed=-1), 0])
    with pytest.raises(
        GraphError, match=r"TestLatent(?s:.*)Traceback|TestLatent(?s:.*)latents\.py"
    ) as caught:
        server.run(graph.nodes)
    assert caught.value.node_message.strip() == "invalid literal for int() with base 10: 'not a shape'"


def test_upload_lands_in_the_input_folder(server: Server) -> None:
    """An uploaded file is stored byte for byte, under a new name if the old one is taken."""
    first = server.upload("lane.bin", b"\x00one")
    second = server.upload("lane.bin", b"\x00two")
    assert [(server.input / name).read_bytes() for name in (first, second)] == [b"\x00one", b"\x00two"]
    assert [first, second] == ["lane.bin", "lane (1).bin"]

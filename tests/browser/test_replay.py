"""Replay in one click: from a sampler's menu, by a drop, by key; sampled again bit for bit; undone in one step."""

from __future__ import annotations

import json

import pytest
from comfyui.graph import Graph, Settings
from comfyui.graphs import hires, sampler_custom_advanced, txt2img
from comfyui.results import digests
from comfyui.roundtrip import OTHER_SEED, Saved, save

from .files import make_gen5
from .graphs import (
    choose,
    differences,
    enter_subgraph_of,
    fit_view,
    inner_nodes,
    open_node_menu,
    open_workflow,
    overlapping,
    serialized,
    undo,
)
from .pages import (
    CANVAS_POINT,
    drop_bytes,
    drop_file,
    nodes,
    point_on_node,
    run_page,
    tab_name,
    wait_for_node,
    wait_until,
    wait_until_ready,
)

ENTRY = "Start from stored noise"


SAMPLERS = {"KSampler": txt2img, "SamplerCustomAdvanced": sampler_custom_advanced}
BUILDERS = {**SAMPLERS, "hires": hires}


@pytest.fixture
def node_type() -> str:
    """The sampler's class; a test may override it."""
    return "KSampler"


@pytest.fixture
def saved(server, node_type) -> Saved:
    """A file that was sampled and saved before the page was opened."""
    return saved_file(server, node_type, sampler_name="euler_ancestral")


def saved_file(server, node_type="KSampler", **settings) -> Saved:
    """Sample and save; return the file."""
    [saved] = save(server, BUILDERS[node_type](Settings(**settings)), filename_prefix="replay/x")
    return saved


def other_run(saved: Saved) -> tuple[Graph, str]:
    """Return the graph under another seed with a digest of its result, and the digest node's id."""
    graph = saved.graph.copy()
    graph.reseed(OTHER_SEED)
    return graph, graph.digest()


def result_of(page, digest: str) -> list[str]:
    """Queue the page's graph and return the digests of its result."""
    return digests(run_page(page)["outputs"][digest]["digest"])


def sampler_of(page, node_type="KSampler"):
    [node] = inner_nodes(page, node_type)
    return node


@pytest.mark.parametrize("node_type", SAMPLERS)
def test_started_from_the_menu(server, saved, page, renderer, shot, node_type):
    """The graph under another seed gives the stored result, nothing overlaps, and one undo reverts it all."""
    graph, digest = other_run(saved)
    open_workflow(page, graph, server.object_info())
    assert saved.digests != result_of(page, digest)
    before = serialized(page)
    sampler = sampler_of(page, node_type)["id"]
    chosen = open_node_menu(page, sampler, ENTRY, saved.annotated)
    shot(f"replay-menu-{node_type}")
    choose(page, chosen)
    [loader], [replay] = inner_nodes(page, "Gen5Load"), inner_nodes(page, "Gen5Replay")
    assert saved.annotated == loader["widgets"]["file"]
    assert replay["inputs"]["gen5"] == "Gen5Load.gen5"
    assert replay["inputs"]["model"] == "TestModel.MODEL"
    assert sampler_of(page, node_type)["inputs"]["latent_image"] == "Gen5Replay.latent"
    fit_view(page)
    shot(f"replay-started-{node_type}")
    assert overlapping(page, renderer) == []
    page.mouse.click(*CANVAS_POINT)  # a click makes ComfyUI record changes for undo; there should be none
    undo(page)
    assert "\n".join(differences(before, serialized(page))) == ""
    choose(page, open_node_menu(page, sampler, ENTRY, saved.annotated))
    assert saved.digests == result_of(page, digest)


def test_inside_a_subgraph(server, saved, page, shot):
    """The nodes are added to the sampler's own graph, use the subgraph's model, and one undo removes them."""
    graph, digest = other_run(saved)
    open_workflow(page, graph, server.object_info())
    enter_subgraph_of(page, sampler_of(page)["id"])
    before = serialized(page)
    sampler = sampler_of(page)["id"]
    choose(page, open_node_menu(page, sampler, ENTRY, saved.annotated))
    [replay] = inner_nodes(page, "Gen5Replay")
    assert replay["inputs"]["model"] == "outside."
    fit_view(page)
    shot("replay-subgraph")
    assert saved.digests == result_of(page, digest)
    undo(page)
    assert "\n".join(differences(before, serialized(page))) == ""


def test_a_file_dropped_on_a_sampler(server, saved, page, renderer, shot):
    """It is copied into input/, and the sampler starts from it."""
    graph, digest = other_run(saved)
    open_workflow(page, graph, server.object_info())
    before = serialized(page)
    drop_file(page, saved.path, at=point_on_node(page, sampler_of(page)["id"]))
    wait_until(lambda: inner_nodes(page, "Gen5Replay"), "Replay Sampling", page)
    [loader] = inner_nodes(page, "Gen5Load")
    assert saved.path.read_bytes() == (server.input / loader["widgets"]["file"]).read_bytes()
    fit_view(page)
    shot("replay-dropped")
    assert overlapping(page, renderer) == []
    assert saved.digests == result_of(page, digest)
    undo(page)
    assert "\n".join(differences(before, serialized(page))) == ""


def test_other_files_dropped_on_a_sampler_go_on(server, saved, page):
    """A workflow dropped there opens as it does elsewhere."""
    graph, _ = other_run(saved)
    open_workflow(page, graph, server.object_info())
    workflow = {"nodes": [], "links": [], "groups": [], "version": 0.4}
    at = point_on_node(page, sampler_of(page)["id"])
    drop_bytes(page, "another.json", json.dumps(workflow).encode(), mime="application/json", at=at)
    wait_until(lambda: tab_name(page) == "another", "the dropped workflow", page)
    assert nodes(page) == []


def test_a_dropped_file_replays_its_own_workflow_by_key(server, page, shot):
    """A drop on the canvas opens its workflow; Shift+G then starts the sampler from its noise."""
    path = make_gen5(server, txt2img(Settings(sampler_name="euler_ancestral")), prefix="replay/own")
    drop_file(page, path)
    wait_until(lambda: path.stem == tab_name(page), "the dropped file's workflow", page)
    sampler = wait_for_node(page, "KSampler")
    page.wait_for_timeout(1000)
    page.mouse.click(*CANVAS_POINT)
    page.keyboard.press("Shift+G")
    wait_until(lambda: inner_nodes(page, "Gen5Replay"), "Replay Sampling", page)
    [loader] = inner_nodes(page, "Gen5Load")
    assert path.name == loader["widgets"]["file"]
    fit_view(page)
    shot("replay-own-workflow")
    undo(page)
    assert inner_nodes(page, "Gen5Replay") == []
    assert sampler["id"] == sampler_of(page)["id"]


def test_a_requested_file(server, saved, page):
    """The canvas menu's entry asks for a file if none was opened, and uses the last sampler."""
    graph, _ = other_run(saved)
    open_workflow(page, graph, server.object_info())
    page.mouse.click(*CANVAS_POINT, button="right")
    with page.expect_file_chooser() as asked:
        page.get_by_text("Gen5: Start from stored noise", exact=True).last.click()
    asked.value.set_files(saved.path)
    wait_until(lambda: inner_nodes(page, "Gen5Replay"), "Replay Sampling", page)
    assert sampler_of(page)["inputs"]["model"] == "Gen5Replay.model"


def test_another_file_for_the_same_sampler(server, saved, page):
    """A second start changes only the file, and one undo restores the first file."""
    other = saved_file(server, seed=99)
    page.reload()
    wait_until_ready(page)
    graph, _ = other_run(saved)
    open_workflow(page, graph, server.object_info())
    sampler = sampler_of(page)["id"]
    choose(page, open_node_menu(page, sampler, ENTRY, saved.annotated))
    fit_view(page)
    before = serialized(page)
    choose(page, open_node_menu(page, sampler, ENTRY, other.annotated))
    assert [other.annotated] == [node["widgets"]["file"] for node in inner_nodes(page, "Gen5Load")]
    assert len(inner_nodes(page, "Gen5Replay")) == 1
    undo(page)
    assert "\n".join(differences(before, serialized(page))) == ""


def test_a_shared_guider(server, page, shot):
    """Only the selected sampler starts from the file; the other one with its guider samples as before."""
    saved = saved_file(server, "SamplerCustomAdvanced")
    page.reload()
    wait_until_ready(page)
    graph, digest = other_run(saved)
    [first] = graph.samplers
    second = graph.add("SamplerCustomAdvanced", **graph.nodes[first]["inputs"])
    other = graph.digest([second, 0])
    open_workflow(page, graph, server.object_info())
    unchanged = result_of(page, other)
    before = serialized(page)
    choose(page, open_node_menu(page, int(first), ENTRY, saved.annotated))
    fit_view(page)
    shot("replay-shared-guider")
    outputs = run_page(page)["outputs"]
    assert saved.digests == digests(outputs[digest]["digest"])
    assert unchanged == digests(outputs[other]["digest"])
    undo(page)
    assert "\n".join(differences(before, serialized(page))) == ""


def test_both_samplers_of_a_refined_image(server, page):
    """Started one after the other, the second continues from the first one's result: bit for bit the stored image."""
    saved = saved_file(server, "hires", sampler_name="euler_ancestral")
    page.reload()
    wait_until_ready(page)
    graph, digest = other_run(saved)
    open_workflow(page, graph, server.object_info())
    first, second = graph.samplers
    for sampler in (second, first):
        choose(page, open_node_menu(page, int(sampler), ENTRY, saved.annotated))
        fit_view(page)
    assert len(inner_nodes(page, "Gen5Load")) == 1
    assert len(inner_nodes(page, "Gen5Replay")) == 2
    assert saved.digests == result_of(page, digest)


def test_a_damaged_file(server, saved, page, tmp_path):
    """A damaged file dropped on a sampler is still chosen; the node and the run say what is wrong with it."""
    graph, _ = other_run(saved)
    open_workflow(page, graph, server.object_info())
    damaged = tmp_path / "damaged.gen5"
    damaged.write_bytes(saved.path.read_bytes()[:100])
    drop_file(page, damaged, at=point_on_node(page, sampler_of(page)["id"]))
    wait_until(lambda: inner_nodes(page, "Gen5Replay"), "Replay Sampling", page)
    history = run_page(page)
    assert history["status"]["status_str"] == "error"

"""The workflows in example_workflows/ fit this ComfyUI, run on it, and do what they say.

Their checkpoint is replaced by the test pack's model, CLIP and VAE; everything else runs as stored.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import gen5core

from .launcher import PACK
from .server import Server

FOLDER = PACK / "example_workflows"
SAVE, REFINE = "Save Gen5", "Refine one of a batch"
LOADERS = {"Load into KSampler": "KSampler", "Load into SamplerCustomAdvanced": "SamplerCustomAdvanced"}
EXAMPLES = [SAVE, *LOADERS, REFINE]
STORED = "gen5/example_00001_.gen5"
"""What the save example writes first, and the others load."""

IN_BROWSER_ONLY = {"MarkdownNote"}
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
STAND_INS: list[tuple[str, dict[str, Any]]] = [
    ("TestModel", {"kind": "eps", "seed": 0, "flip_bit": False}),
    ("TestClip", {}),
    ("TestVae", {"channels": 4}),
]
"""By output of CheckpointLoaderSimple."""
TITLE_PIXELS = 30
THUMBNAIL_BYTES = 150_000

Workflow = dict[str, Any]
Prompt = dict[str, dict[str, Any]]
"""Node id -> class_type and inputs, as ``/prompt`` takes it."""


def read_workflow(name: str) -> Workflow:
    """Return an example as the browser opens it."""
    workflow: Workflow = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return workflow


def served_nodes(workflow: Workflow) -> list[dict[str, Any]]:
    """Return the nodes that the server runs."""
    return [node for node in workflow["nodes"] if node["type"] not in IN_BROWSER_ONLY]


def inputs_of(info: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return type and options of a class's inputs, in the browser's order; a list of values is a COMBO."""
    found = {}
    for section in ("required", "optional"):
        for name in info["input_order"].get(section, []):
            kind, *options = info["input"][section][name]
            found[name] = ("COMBO" if isinstance(kind, list) else kind, options[0] if options else {})
    return found


def widget_names(info: Mapping[str, Any]) -> list[str | None]:
    """Return the input of each of ``widgets_values``, None for those that only the browser needs."""
    names: list[str | None] = []
    for name, (kind, options) in inputs_of(info).items():
        if kind in WIDGET_TYPES and not options.get("forceInput"):
            names += [name, None] if options.get("control_after_generate") else [name]
    return names


def to_prompt(workflow: Workflow, infos: Mapping[str, Any]) -> Prompt:
    """Return a workflow in API form, as the browser queues it."""
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt: Prompt = {}
    for node in served_nodes(workflow):
        names, values = widget_names(infos[node["type"]]), node.get("widgets_values") or []
        assert len(names) == len(values), f"{node['type']} has {names}, the workflow has {values}"
        inputs = {name: value for name, value in zip(names, values, strict=True) if name}
        linked = {entry["name"]: links[entry["link"]] for entry in node["inputs"] if entry["link"]}
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": {**inputs, **linked}}
    return prompt


def without_checkpoint(prompt: Prompt) -> Prompt:
    """Return prompt with the test pack's nodes in place of its checkpoint loader."""
    loader = find_node(prompt, "CheckpointLoaderSimple")
    replaced = {node_id: node for node_id, node in prompt.items() if node_id != loader}
    for node in replaced.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and value[0] == loader:
                node["inputs"][name] = [STAND_INS[value[1]][0], 0]
    stand_ins = {kind: {"class_type": kind, "inputs": dict(inputs)} for kind, inputs in STAND_INS}
    return {**replaced, **stand_ins}


def find_node(prompt: Prompt, class_type: str) -> str:
    """Return the id of the one node of a class."""
    [found] = [node_id for node_id, node in prompt.items() if node["class_type"] == class_type]
    return found


def run_example(server: Server, name: str, sampler: str, **positive: str) -> tuple[str, dict[str, Any]]:
    """Run an example; return the digest of its sampler's latent, and what its nodes showed by class.

    Parameters
    ----------
    sampler : class of the sampler
    positive : ``text`` to use another prompt than the example's
    """
    prompt = without_checkpoint(to_prompt(read_workflow(name), server.object_info()))
    guided = find_node(prompt, "CFGGuider" if sampler == "SamplerCustomAdvanced" else sampler)
    prompt[prompt[guided]["inputs"]["positive"][0]]["inputs"].update(positive)
    prompt["digest"] = {
        "class_type": "TestDigest",
        "inputs": {"latent": [find_node(prompt, sampler), 0]},
    }
    outputs = server.run(prompt, {"extra_pnginfo": {"workflow": read_workflow(name)}})
    shown = {prompt[node_id]["class_type"]: output for node_id, output in outputs.items()}
    return shown["TestDigest"]["digest"][0]["samples"]["sha256"], shown


@pytest.fixture(scope="module")
def saved(server: Server) -> tuple[str, Path]:
    """The save example's sampled latent, by its digest, and the file that it wrote."""
    digest, shown = run_example(server, SAVE, "KSampler")
    [summary] = shown["Gen5Save"]["gen5"]
    return digest, server.output / summary["subfolder"] / summary["filename"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_node_is_served(server: Server, name: str) -> None:
    """An example has only nodes that this ComfyUI and this pack have, so none is missing as it opens."""
    assert set() == {node["type"] for node in served_nodes(read_workflow(name))} - server.object_info().keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_link_fits(server: Server, name: str) -> None:
    """Every link goes from an output to an input of its type, according to the server."""
    workflow, infos = read_workflow(name), server.object_info()
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for link, origin, slot, target, position, kind in workflow["links"]:
        entry = nodes[target]["inputs"][position]
        assert link == entry["link"]
        assert kind == infos[nodes[origin]["type"]]["output"][slot]
        assert kind == inputs_of(infos[nodes[target]["type"]])[entry["name"]][0]


def test_save_writes_the_file_that_the_others_load(server: Server, saved: tuple[str, Path]) -> None:
    """The save example's first file has the name that the others choose, four images and recorded noise."""
    path = saved[1]
    assert server.output / STORED == path
    with gen5core.open(path) as file:
        file.verify()
        assert len(file.images) == 4
        assert (file.capture or {})["noise_source"] == "recorded"
        assert (file.comfyui or {})["workflow"] == read_workflow(SAVE)
    infos = server.object_info()
    for name in (*LOADERS, REFINE):
        prompt = to_prompt(read_workflow(name), infos)
        assert prompt[find_node(prompt, "Gen5Load")]["inputs"]["file"] == f"{STORED} [output]"


@pytest.mark.parametrize("name", LOADERS)
def test_loading_gives_the_saved_result(server: Server, saved: tuple[str, Path], name: str) -> None:
    """Both loading examples sample to the saved latent, bit for bit, and show four pictures twice."""
    digest, shown = run_example(server, name, LOADERS[name])
    assert saved[0] == digest
    assert len(shown["PreviewImage"]["images"]) == 4


def test_refining_starts_from_the_picked_noise(server: Server, saved: tuple[str, Path]) -> None:
    """The refined file holds the picked image's noise; under the stored prompt it is the stored one."""
    _, shown = run_example(server, REFINE, "KSampler")
    summary = shown["Gen5Save"]["gen5"][0]
    with gen5core.open(saved[1]) as batch:
        prompt, noise = batch.prompt, batch.latents["initial_noise"].array()[2:3]
        result = batch.latents["final_latent"].array()[2:3]
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        assert file.latents["initial_noise"].array().tobytes() == noise.tobytes()
        assert result.tobytes() != file.latents["final_latent"].array().tobytes()
        assert "a sailing boat" in file.prompt
    _, shown = run_example(server, REFINE, "KSampler", text=prompt)
    summary = shown["Gen5Save"]["gen5"][0]
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        assert result.tobytes() == file.latents["final_latent"].array().tobytes()


@pytest.mark.parametrize("name", EXAMPLES)
def test_nodes_do_not_overlap(name: str) -> None:
    """No two nodes overlap, titles included, nor two groups; every node is within one group."""
    workflow = read_workflow(name)
    nodes = [_node_box(node) for node in workflow["nodes"]]
    groups = [_box(*group["bounding"]) for group in workflow["groups"]]
    assert list(_overlaps(nodes)) == []
    assert list(_overlaps(groups)) == []
    assert all(any(_holds(group, node) for group in groups) for node in nodes)


@pytest.mark.parametrize("name", EXAMPLES)
def test_thumbnail_is_there(name: str) -> None:
    """Beside each workflow is a JPEG of its name, 768 pixels wide and small."""
    path = FOLDER / f"{name}.jpg"
    with Image.open(path) as image:
        assert (image.format, image.width) == ("JPEG", 768)
    assert path.stat().st_size < THUMBNAIL_BYTES


def test_no_example_is_left_out() -> None:
    """Every workflow in the folder is tested."""
    assert {f"{name}{end}" for name in EXAMPLES for end in (".json", ".jpg")} == {
        path.name for path in FOLDER.iterdir()
    }


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _box(left: float, top: float, width: float, height: float) -> Box:
    return left, top, left + width, top + height


def _node_box(node: Mapping[str, Any]) -> Box:
    (left, top), (width, height) = node["pos"], node["size"]
    return _box(left, top - TITLE_PIXELS, width, height + TITLE_PIXELS)


def _overlaps(boxes: list[Box]) -> Iterator[tuple[Box, Box]]:
    for one, other in itertools.combinations(boxes, 2):
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]:
            yield one, other


def _holds(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]

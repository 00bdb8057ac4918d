"""Files to open in a page, made by queueing graphs of the test pack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comfyui.graph import Graph, Settings
from comfyui.graphs import txt2img
from comfyui.launcher import PACK
from comfyui.server import Server

VALID = PACK / "tests" / "corpus" / "valid"
INVALID = PACK / "tests" / "corpus" / "invalid"

WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
SEEDS = {"seed", "noise_seed"}
"""Names of an INT to which the browser adds a widget of its own."""
SPACING = 280
"""From node to node of a workflow, in the graph's units."""
ROWS = 3


def make_gen5(
    server: Server,
    graph: Graph | None = None,
    *,
    prefix: str = "gen5/test",
    with_workflow: bool = True,
    **save: Any,
) -> Path:
    """Sample a graph, save it with a Save Gen5, and return the file in output/.

    Parameters
    ----------
    graph : by default one KSampler that starts from noise
    prefix : of the file's name
    with_workflow : whether the file holds the graph as the browser opens it, beside the API form
    save : other inputs of Save Gen5
    """
    graph = graph or txt2img(Settings())
    inputs = {"latent": graph.result, "images": graph.decode(), "filename_prefix": prefix, **save}
    node = graph.add("Gen5Save", **inputs)
    pnginfo = {"workflow": as_workflow(graph.nodes, server.object_info())} if with_workflow else {}
    summary = server.run(graph.nodes, {"extra_pnginfo": pnginfo})[node]["gen5"][0]
    return server.output / summary["subfolder"] / summary["filename"]


def annotated(server: Server, path: Path) -> str:
    """Return the name that Load Gen5 has for a file in output/ or input/."""
    if path.is_relative_to(server.output):
        return f"{path.relative_to(server.output).as_posix()} [output]"
    return path.relative_to(server.input).as_posix()


def as_workflow(prompt: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """Return a graph in API form as the browser stores it: nodes in columns, with the links between them."""
    nodes = {node_id: _node(int(node_id), entry, info) for node_id, entry in prompt.items()}
    links: list[list[Any]] = []
    for node in nodes.values():
        for slot, given in enumerate(node["inputs"]):
            origin, output = given.pop("origin")
            given["link"] = len(links) + 1
            links.append([given["link"], int(origin), output, node["id"], slot, given["type"]])
            nodes[origin]["outputs"][output]["links"].append(given["link"])
    ends = {"last_node_id": max(map(int, nodes)), "last_link_id": len(links)}
    rest = {"groups": [], "config": {}, "extra": {}, "version": 0.4}
    return {**ends, "nodes": list(nodes.values()), "links": links, **rest}


def _node(node_id: int, entry: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    about = info[entry["class_type"]]
    column, row = divmod(node_id - 1, ROWS)
    declared = {**about["input"].get("required", {}), **about["input"].get("optional", {})}
    given = entry["inputs"]
    linked = {name: value for name, value in given.items() if isinstance(value, list)}
    return {
        "id": node_id,
        "type": entry["class_type"],
        "pos": [60 + column * SPACING * 1.3, 80 + row * SPACING],
        "size": [270, 100],
        "flags": {},
        "order": node_id - 1,
        "mode": 0,
        "inputs": [
            {"name": name, "type": declared[name][0], "origin": link} for name, link in linked.items()
        ],
        "outputs": [
            {"name": name, "type": kind, "links": [], "slot_index": slot}
            for slot, (name, kind) in enumerate(zip(about["output_name"], about["output"], strict=True))
        ],
        "properties": {"Node name for S&R": entry["class_type"]},
        "widgets_values": _widget_values(declared, given),
    }


def _widget_values(declared: Mapping[str, Any], given: Mapping[str, Any]) -> list[Any]:
    """Return the values in the order of the widgets; each seed is followed by its "control after generate"."""
    values = []
    for name, (kind, *options) in declared.items():
        if not isinstance(kind, list) and kind not in WIDGET_TYPES:
            continue
        option = options[0] if options else {}
        first = kind[0] if isinstance(kind, list) and kind else None
        value = given.get(name, option.get("default", first))
        values.append(None if isinstance(value, list) else value)
        if option.get("control_after_generate") or name in SEEDS:
            values.append("fixed")
    return values

"""Save a graph's result with Gen5 nodes, and run the graph again from the file, in every possible way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .graph import Graph, Link
from .results import digests
from .server import Server

OTHER_SEED = 424242
NOISE, GEN5 = 0, 4
"""Outputs of Load Gen5."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One saved file of a graph, and what the graph returned."""

    graph: Graph
    item: int
    annotated: str
    """As Load Gen5's file widget names it."""
    path: Path
    digests: list[str]
    summary: dict[str, Any]


UNRECORDED = {"gen5": {"auto_record": False}}
"""The ``extra_data`` of a request that the server must not record automatically."""


def save(server: Server, graph: Graph, *, record: bool | None = True, **inputs: Any) -> list[Saved]:
    """Run graph with a Save Gen5 connected to its result; a list-mapped graph saves one file per item.

    Parameters
    ----------
    record : True connects Record Sampling; None leaves it to the server; False records nothing
    """
    run = graph.copy()
    if record:
        inputs = {"recording": add_recording(run), **inputs}
    digest = run.digest()
    sockets = {"filename_prefix": "roundtrip/x", "latent": run.result, **inputs}
    if graph.settings.kind != "nested":
        sockets["images"] = run.decode()
    node = run.add("Gen5Save", **sockets)
    outputs = server.run(run.nodes, UNRECORDED if record is False else None)
    summary, records = outputs[node]["gen5"], outputs[digest]["digest"]
    assert len(summary) == len(records)
    return [
        Saved(
            graph=graph,
            item=item,
            annotated=f"{entry['subfolder']}/{entry['filename']} [output]",
            path=server.output / entry["subfolder"] / entry["filename"],
            digests=digests([record]),
            summary=entry,
        )
        for item, (entry, record) in enumerate(zip(summary, records, strict=True))
    ]


def add_recording(graph: Graph) -> Link:
    """Put a Record Sampling before every model that samplers use, chained; return the recording."""
    recording: Link | None = None
    for model in models_of(graph):
        chained = {} if recording is None else {"recording": recording}
        node = graph.add("Gen5Record", model=list(model), **chained)
        graph.rewire(model, [node, 0])
        recording = [node, 1]
    assert recording is not None
    return recording


def models_of(graph: Graph) -> list[Link]:
    """Return the MODELs that samplers or their guiders use, each once, in order of use."""
    found: list[Link] = []
    for sampler in graph.samplers:
        inputs = graph.nodes[sampler]["inputs"]
        owner = inputs if "model" in inputs else graph.nodes[inputs["guider"][0]]["inputs"]
        if owner["model"] not in found:
            found.append(list(owner["model"]))
    return found


def replay_wired(saved: Saved, **inputs: Any) -> Graph:
    """Return the graph with Load Gen5 and Replay Sampling before its samplers, and another seed."""
    graph = _unlisted(saved)
    load = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    start = list(graph.nodes[graph.samplers[0]]["inputs"]["latent_image"])
    latent: Link | None = None
    for model in models_of(graph):
        node = graph.add("Gen5Replay", model=list(model), gen5=[load, GEN5], **inputs)
        graph.rewire(model, [node, 0])
        latent = latent or [node, 1]
    assert latent is not None
    graph.rewire(start, latent)
    graph.reseed(OTHER_SEED)
    return graph


def replay_straight(saved: Saved) -> Graph:
    """Return the graph with Load Gen5's noise in its first sampler's latent_image, and another seed there."""
    graph = _unlisted(saved)
    load = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    graph.set(graph.samplers[0], latent_image=[load, NOISE])
    graph.set(graph.seeded[0][0], **{graph.seeded[0][1]: OTHER_SEED})
    return graph


def _unlisted(saved: Saved) -> Graph:
    """Return a copy of the graph; of a list-mapped one, its sampler on a single latent with a plain seed."""
    graph = saved.graph.copy()
    for sampler in graph.samplers:
        inputs = graph.nodes[sampler]["inputs"]
        if isinstance(inputs.get("seed"), list):
            shape = ",".join(map(str, _stored_shape(saved)))
            inputs["seed"] = graph.settings.seed
            inputs["latent_image"] = [graph.add("TestLatent", shape=shape, dtype="float32", seed=0), 0]
            graph.seeded = [(sampler, "seed")]
    return graph


def _stored_shape(saved: Saved) -> tuple[int, ...]:
    import gen5core

    with gen5core.open(saved.path) as file:
        return file.latents["initial_noise"].shape

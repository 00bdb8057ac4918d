"""The results of TestDigest and TestProbe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .graph import Graph, Link
from .server import Server


def sample(server: Server, graph: Graph, latent: Link | None = None) -> list[dict[str, Any]]:
    """Run a copy of graph with a TestDigest on latent (by default its result) and return its records.

    There is one record per list item, so just one unless the graph is list-mapped.
    """
    run = graph.copy()
    node = run.digest(latent)
    records: list[dict[str, Any]] = server.run(run.nodes)[node]["digest"]
    return records


def digests(records: list[dict[str, Any]]) -> list[str]:
    """Return the sha256 of each record's samples, of nested ones part by part."""
    return [part["sha256"] for record in records for part in parts(record["samples"])]


def parts(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the descriptions of a nested latent's parts, or the only description."""
    return list(record.get("parts", [record]))


def load(output: Path, record: Mapping[str, Any]) -> np.ndarray:
    """Return the values in a description's file; bfloat16 as int16 of the same bits."""
    array: np.ndarray = np.load(output / record["file"], allow_pickle=False)
    return array


def add_probe(graph: Graph) -> Link:
    """Put a TestProbe before the samplers' first model; return its output."""
    node = graph.add("TestProbe", model=graph.model)
    graph.rewire(graph.model, [node, 0])
    graph.model = [node, 0]
    return [node, 1]


def probe(server: Server, graph: Graph, notes: Link) -> dict[str, Any]:
    """Run a copy of graph and return what reached its sampler in the last run: noise, sigmas, steps, device, seed."""
    run = graph.copy()
    node = run.add("TestProbed", latent=run.result, probe=notes)
    record: dict[str, Any] = server.run(run.nodes)[node]["probe"][-1]
    return record

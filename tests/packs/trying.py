"""One case tried: sampled without this pack, with it, with Save Gen5, and again from the file under another seed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from comfyui.graph import Graph, Link
from comfyui.roundtrip import GEN5, NOISE, OTHER_SEED
from comfyui.server import GraphError, Server

import gen5core

from .cases import Case
from .table import EXACT, FAILED, NO, NONE, SAID, SILENT, UNSEEDED, YES, Row
from .trial import NotOffered, Trial

_TIMES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Save:
    """A file saved from a trial, the result that it was saved from, and what was said."""

    trial: Trial
    digest: str
    annotated: str
    name: str
    passes: list[dict[str, Any]]
    source: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Servers:
    """Two servers with the same packs, of which one lacks this pack."""

    without: Server
    gen5: Server


class Blocked(Exception):
    """A node gave a blocker instead of a result: what hangs on it did not run, and a dialog says why."""


_INFOS: dict[int, Any] = {}


def server_info(server: Server) -> Any:
    """Return the server's description of its nodes, asked for once."""
    if server.port not in _INFOS:
        _INFOS[server.port] = server.object_info()
    return _INFOS[server.port]


def attempt(servers: Servers, case: Case, row: Row) -> Row:
    """Return the row of a case; one that does not run even without this pack keeps its dashes."""
    try:
        expected = _sample(servers.without, case)
    except (NotOffered, GraphError, Blocked) as error:
        return replace(row, said=(f"does not run: {_one_line(error)}",))
    try:
        results = {_sample(servers.gen5, case), (saved := _save(servers.gen5, case)).digest}
    except (GraphError, Blocked) as error:
        return replace(row, same=NO, said=(f"failed with Gen5: {_one_line(error)}",))
    same = YES if results == {expected} else _draws_unseeded(servers.without, case, expected)
    row = replace(row, same=same, recorded=_recorded(saved), settings=_settings(saved))
    row = _replayed(servers.gen5, row, saved)
    return replace(row, seeded=_is_seeded(servers.without, case, expected)) if row.exact else row


def _is_seeded(server: Server, case: Case, expected: str) -> bool:
    """Return whether the sampler gives another result under the other seed, if nothing is replayed."""
    trial = case.build(server_info(server))
    trial.graph.reseed(OTHER_SEED)
    return _digest(server, trial, save=False)[0] != expected


def _sample(server: Server, case: Case) -> str:
    return _digest(server, case.build(server_info(server)), save=False)[0]


def _draws_unseeded(server: Server, case: Case, expected: str) -> str:
    """Return UNSEEDED if the sampler gives another result each time even without this pack, else NO."""
    return NO if _sample(server, case) == expected else UNSEEDED


def _replayed(server: Server, row: Row, saved: Save) -> Row:
    wired, heard = _replay(server, saved, _wired(saved))
    straight, heard_too = _replay(server, saved, _straight(saved)) if saved.trial.straight else (NONE, [])
    lines = [line.replace(saved.name, "the file") for line in (*saved.reasons, *heard, *heard_too)]
    said = tuple(dict.fromkeys(lines))
    return replace(row, wired=wired, straight=straight, said=said)


def _digest(server: Server, trial: Trial, *, save: bool) -> tuple[str, dict[str, Any]]:
    """Run a trial and return the digest of its result, and what Save Gen5 shows if there is one."""
    graph = trial.graph.copy()
    result = {"image": trial.image} if trial.image else {"latent": graph.result}
    digest = graph.add("TestDigest", **result)
    node = ""
    if save:
        images = trial.image or graph.decode()
        latent = {} if trial.image else {"latent": graph.result}
        node = graph.add("Gen5Save", filename_prefix="packs/x", images=images, **latent)
    outputs = server.run(graph.nodes)
    if digest not in outputs:
        raise Blocked
    [record] = outputs[digest]["digest"]
    [described] = record.values() if trial.image else [record["samples"]]
    return described["sha256"], outputs[node]["gen5"][0] if save else {}


def _save(server: Server, case: Case) -> Save:
    trial, offset = case.build(server_info(server)), server.log_size()
    digest, summary = _digest(server, trial, save=True)
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        passes = list((file.capture or {}).get("passes", []))
    steps = [entry["reason"] for entry in summary["step_noise"] if entry.get("reason")]
    heard = _warnings(server, offset, "Gen5")
    return Save(
        trial=trial,
        digest=digest,
        annotated=f"{summary['subfolder']}/{summary['filename']} [output]",
        name=summary["filename"],
        passes=passes,
        source=summary["noise_source"],
        reasons=[*filter(None, [summary["reason"]]), *steps, *heard],
    )


def _recorded(saved: Save) -> str:
    runs = [entry for entry in saved.passes if entry.get("recorded")]
    if not runs:
        return NO if saved.source == "none" else f"no, {saved.source}"
    count = f"{len(runs)} of {len(saved.passes)}" if len(runs) < len(saved.passes) else f"{len(runs)}"
    return "yes" if count == "1" else f"{count} runs"


def _settings(saved: Save) -> str:
    """Return right, or the fields that are open or wrong: no pass has the value of the sampler's widget."""
    faults = [*_differing(saved)]
    return "; ".join(faults) or "right"


def _differing(saved: Save) -> Iterator[str]:
    for name, wanted in saved.trial.said.items():
        stored = [entry[name] for entry in saved.passes if entry.get(name) is not None]
        if not stored:
            yield f"{name} open"
        elif wanted not in stored:
            yield f"{name} wrong: {stored[-1]}, not {wanted}"


def _wired(saved: Save) -> Graph:
    """Return the graph with Replay Sampling behind each model, its latent, and other seeds."""
    graph, load = _loaded(saved)
    models = [node_id for node_id, node in graph.nodes.items() if node["class_type"] == "TestModel"]
    latent: Link | None = None
    for model in models:
        node = graph.add("Gen5Replay", model=[model, 0], gen5=[load, GEN5])
        graph.rewire([model, 0], [node, 0])
        latent = latent or [node, 1]
    if saved.trial.straight and latent is not None:
        graph.rewire(graph.start, latent)
    return graph


def _straight(saved: Save) -> Graph:
    """Return the graph with Load Gen5's noise as the latent that the sampler starts from, and other seeds."""
    graph, load = _loaded(saved)
    graph.rewire(graph.start, [load, NOISE])
    return graph


def _loaded(saved: Save) -> tuple[Graph, str]:
    graph = saved.trial.graph.copy()
    graph.reseed(OTHER_SEED)
    return graph, graph.add("Gen5Load", file=saved.annotated, on_drift="error")


def _replay(server: Server, saved: Save, graph: Graph) -> tuple[str, list[str]]:
    """Run a graph; return whether its result is the saved one, and what was said of it if not."""
    offset = server.log_size()
    trial = replace(saved.trial, graph=graph)
    try:
        digest, _ = _digest(server, trial, save=False)
    except GraphError as error:
        return (SAID if _is_ours(error) else FAILED), [_one_line(error)]
    except Blocked:
        return SAID, ["Load Gen5 has nothing to give here, and says so in a dialog"]
    if digest == saved.digest:
        return EXACT, []
    heard = _warnings(server, offset, saved.name)
    return (SAID if heard or saved.reasons else SILENT), heard


def _is_ours(error: GraphError) -> bool:
    """Whether this pack refused: one of its nodes, or its replay within another's node."""
    details = error.details
    last = (details.get("traceback") or [""])[-1]
    return str(details.get("node_type", "")).startswith("Gen5") or "ComfyUI-Gen5" in last


def _warnings(server: Server, offset: int, word: str) -> list[str]:
    lines = [_TIMES.sub("", line) for line in server.log(offset).splitlines()]
    return [
        line.removeprefix("[WARNING] ") for line in lines if line.startswith("[WARNING]") and word in line
    ]


def _one_line(error: Exception) -> str:
    text = getattr(error, "node_message", "").strip() or str(error).strip() or "a node blocked its result"
    return text.splitlines()[0][:200]

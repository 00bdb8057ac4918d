"""The torch settings while a sampler ran: in the file's passes, and reported by a replay with other settings."""

from __future__ import annotations

import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import base_and_refiner, txt2img
from .results import digests, sample
from .roundtrip import Saved, replay_wired, save
from .server import Server

ENABLED = "name=deterministic_algorithms;enabled=True"
DISABLED = "name=deterministic_algorithms;enabled=False"


def put_before(graph: Graph, sampler: int, *class_types: str) -> list[str]:
    """Insert nodes with a MODEL input and output before a sampler, the last one nearest; return their ids."""
    inputs = graph.nodes[graph.samplers[sampler]]["inputs"]
    ids = []
    for class_type in class_types:
        ids.append(graph.add(class_type, model=inputs["model"]))
        inputs["model"] = [ids[-1], 0]
    return ids


def settings_of(saved: Saved) -> list[dict[str, str]]:
    """Return the torch settings of each pass that are not those of the file's environment."""
    with gen5core.open(saved.path) as file:
        environment = file.environment
        assert environment is not None
        assert environment.further["deterministic_algorithms"].startswith(DISABLED)
        return [entry.get("torch_settings", {}) for entry in (file.capture or {})["passes"]]


@pytest.mark.parametrize("order", [("Gen5Determinism", "Gen5Record"), ("Gen5Record", "Gen5Determinism")])
def test_deterministic_sampling_on_either_side_of_record(server: Server, order: tuple[str, str]) -> None:
    """The pass has the settings of the node nearest the sampler; the file's environment has the current ones."""
    graph = txt2img(Settings())
    nodes = dict(zip(order, put_before(graph, 0, *order), strict=True))
    [saved] = save(server, graph, record=False, recording=[nodes["Gen5Record"], 1])
    [settings] = settings_of(saved)
    assert settings["deterministic_algorithms"].startswith(ENABLED)
    assert "tf32" not in settings or "tf32" not in settings["tf32"].partition(";")[2]


def test_each_pass_has_its_own(server: Server) -> None:
    """If one of two models is sampled with Deterministic Sampling, only its pass says so."""
    graph = base_and_refiner(Settings())
    put_before(graph, 1, "Gen5Determinism")
    [saved] = save(server, graph, record=None)
    base, refiner = settings_of(saved)
    assert base == {}
    assert refiner["deterministic_algorithms"].startswith(ENABLED)


def test_what_a_model_sets_as_it_is_run(server: Server) -> None:
    """If a pack's model changes torch's settings while it runs, the changed ones are recorded."""
    graph = txt2img(Settings())
    put_before(graph, 0, "TestSetting")
    [saved] = save(server, graph, record=None)
    [settings] = settings_of(saved)
    assert list(settings) == ["cudnn_flags"]
    assert settings["cudnn_flags"].endswith(";benchmark=True")


@pytest.mark.parametrize("then", [True, False])
def test_replay_reports_other_settings(server: Server, then: bool) -> None:
    """A replay with Deterministic Sampling of a pass without it, or the reverse, is reported; equal ones are not."""
    graph = txt2img(Settings())
    plain = graph.copy()
    put_before(graph, 0, "Gen5Determinism")
    [saved] = save(server, graph if then else plain, record=None)
    same = replay_wired(saved)
    offset = server.log_size()
    assert saved.digests == digests(sample(server, same))
    assert "deterministic_algorithms" not in server.log(offset)
    other = replay_wired(saved)
    if then:  # remove the node before the Replay Sampling
        [node] = [name for name, node in other.nodes.items() if node["class_type"] == "Gen5Determinism"]
        other.rewire([node, 0], other.nodes[node]["inputs"]["model"])
    else:
        put_before(other, 0, "Gen5Determinism")
    offset = server.log_size()
    assert len(sample(server, other)) == 1
    log = server.log(offset)
    stored, current = (ENABLED, DISABLED) if then else (DISABLED, ENABLED)
    words = log.partition("pass 0: Environment component 'deterministic_algorithms' differs:")[2].split()
    assert words[:3:2] == ["File:", "Current:"]
    assert words[1].startswith(stored)
    assert words[3].startswith(current)

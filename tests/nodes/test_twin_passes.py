"""Passes with equal settings, seed, shape and start, distinguished only by their nodes: each keeps its own noise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gen5pack import gen5core
from gen5pack.nodes import host
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import SIGMAS, images, randn, replaying, run, txt2img

SHAPE = (1, 4, 4, 8)
NOISES = {"3": randn(*SHAPE, seed=1), "13": randn(*SHAPE, seed=2), "23": randn(*SHAPE, seed=3)}
GIVEN = randn(*SHAPE, seed=99)
ORDERS = pytest.mark.parametrize("order", [("3", "13", "23"), ("23", "13", "3"), ("13", "3", "23")])


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Which prompt and node are running, as the host reports them."""
    running = SimpleNamespace(prompt_id="p1", node_id="3")
    monkeypatch.setattr(host, "executing", lambda: (running.prompt_id, running.node_id))
    return running


def triplets() -> dict[str, Any]:
    """Return a prompt of three KSamplers that differ only in their ids; their latents are blended and saved."""
    graph = txt2img()
    graph["13"], graph["23"] = ({**graph["3"], "inputs": dict(graph["3"]["inputs"])} for _ in range(2))
    graph["30"] = {"class_type": "LatentBlend", "inputs": {"samples1": ["3", 0], "samples2": ["13", 0]}}
    graph["31"] = {"class_type": "LatentBlend", "inputs": {"samples1": ["30", 0], "samples2": ["23", 0]}}
    graph["8"]["inputs"]["samples"] = graph["9"]["inputs"]["latent"] = ["31", 0]
    return graph


def recorded(now: SimpleNamespace, order: tuple[str, ...]) -> tuple[Recording, list[torch.Tensor]]:
    """Sample the nodes in this order, each with its noise; return the recording, and the results to keep them alive."""
    recording, results = Recording(), []
    for now.node_id in order:
        results.append(run([SamplingRecorder(recording)], NOISES[now.node_id], seed=5)[0])
    return recording, results


def saved(now: SimpleNamespace, order: tuple[str, ...]) -> StoredFile:
    """Record, and save the blended latent."""
    recording, results = recorded(now, order)
    blended = {"samples": torch.stack(results).mean(0)}
    now.node_id = "9"
    answer = Gen5Save().save("x", latent=blended, recording=recording, prompt=triplets(), unique_id="9")
    stored: StoredFile = answer["result"][1]
    return stored


def noise_by_node(path: Path) -> dict[str, torch.Tensor]:
    """Return the stored noise of each pass."""
    with gen5core.open(path) as file:
        passes = (file.capture or {})["passes"]
        return {entry["node_id"]: file.latents[entry["noise"]].torch() for entry in passes}


@ORDERS
def test_each_pass_is_stored_with_its_own_noise(now: SimpleNamespace, order: tuple[str, ...]) -> None:
    """In whatever order the nodes ran, a node's run is stored with its own pass."""
    found = noise_by_node(saved(now, order).path)
    assert set(found) == set(NOISES)
    assert [name for name, noise in found.items() if not noise.equal(NOISES[name])] == []


@ORDERS
def test_images_alone(now: SimpleNamespace, order: tuple[str, ...]) -> None:
    """The same is true if no latent is connected."""
    recording, results = recorded(now, order)
    answer = Gen5Save().save("x", images=images(), recording=recording, prompt=triplets(), unique_id="9")
    found = noise_by_node(answer["result"][1].path)
    assert [name for name, noise in NOISES.items() if not noise.equal(found[name])] == []
    assert len(found) == len(results)


def test_equal_results(now: SimpleNamespace) -> None:
    """Of three equal results, the saved one is the run of the node that the latent comes from."""
    graph = triplets()
    graph["9"]["inputs"]["latent"] = graph["8"]["inputs"]["samples"] = ["13", 0]
    recording = Recording()
    results = []
    for now.node_id, noise in NOISES.items():
        wrapped = [SamplingRecorder(recording)]
        results.append(run(wrapped, noise, seed=5, compute=lambda _: torch.ones(SHAPE))[0])
    answer = Gen5Save().save(
        "x", latent={"samples": results[0]}, recording=recording, prompt=graph, unique_id="9"
    )
    found = noise_by_node(answer["result"][1].path)
    assert list(found) == ["13"]
    assert NOISES["13"].equal(found["13"])


@ORDERS
def test_each_replay_gets_its_own_noise(
    now: SimpleNamespace, order: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """One Replay Sampling serves all three: the node decides, and no log line says that several match."""
    replayer = replaying(saved(now, ("3", "13", "23")))
    for now.node_id in order:
        _, got = run([replayer], GIVEN, seed=5)
        assert NOISES[now.node_id].equal(got["noise"])
    assert caplog.messages == []


def test_node_comes_before_seed(now: SimpleNamespace, folder: Path) -> None:
    """If node and seed point to different passes, the node decides: a seed may change, and is replaced anyway."""
    entries = [
        {"recorded": True, "add_noise": True, "noise": name, "node_id": node_id, "seed": seed}
        for name, node_id, seed in (("initial_noise", "3", 11), ("initial_noise.1", "13", 22))
    ]
    facts = {"sigmas": SIGMAS.tolist(), "shapes": [list(SHAPE)]}
    path = gen5core.save(
        folder / "input" / "a.gen5",
        latents={"initial_noise": NOISES["3"], "initial_noise.1": NOISES["13"]},
        capture={"noise_source": "recorded", "passes": [{**entry, **facts} for entry in entries]},
    )
    replayer = replaying(open_stored(path))
    now.node_id = "13"
    _, got = run([replayer], GIVEN, seed=11)
    assert (got["seed"], NOISES["13"].equal(got["noise"])) == (22, True)


def test_node_that_the_file_does_not_know(now: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    """A fourth twin gets the first one's noise, and the log names all passes that match."""
    replayer = replaying(saved(now, ("3", "13", "23")))
    now.node_id = "33"
    _, got = run([replayer], GIVEN, seed=5)
    assert NOISES[replayer.passes[0].node_id or ""].equal(got["noise"])
    [message] = caplog.messages
    for word in ("node 3)", "node 13)", "node 23)", "pass_index"):
        assert word in message

"""The work of finding the runs of a save grows with the samplers above it."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from gen5pack.nodes import host
from gen5pack.nodes.sampling.recording import Recording, Run
from gen5pack.nodes.saving import match_runs
from gen5pack.nodes.saving.capture import capture_noise
from gen5pack.nodes.saving.inputs import read_inputs
from gen5pack.nodes.tensors.latents import digest
from runs import randn, txt2img


def test_runs_are_compared_with_their_own_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of samplers in a row, each run is found, and compared with as many passes whether there are 10 or 40."""
    monkeypatch.setattr(host, "executing", lambda: ("p1", "9"))
    compared: list[str] = []
    may_belong = match_runs._Matcher._may_belong

    def compare(self: Any, run: Run, found: Any) -> bool:
        compared.append(found.node_id)
        return may_belong(self, run, found)

    monkeypatch.setattr(match_runs._Matcher, "_may_belong", compare)
    per_run = []
    for count in (10, 40):
        compared.clear()
        prompt = txt2img()
        sampler = prompt.pop("3")
        recording, start, source, kept = Recording(shared=True), torch.zeros(1, 4, 8, 8), ["5", 0], []
        for index in range(count):
            inputs = {**sampler["inputs"], "seed": index, "latent_image": source}
            prompt[f"k{index}"] = {**sampler, "inputs": inputs}
            result, source = randn(1, 4, 8, 8, seed=index), [f"k{index}", 0]
            kept.append(result)
            noise, results = [randn(1, 4, 8, 8, seed=99 + index)], frozenset([digest([result])])
            recording.add(
                Run(
                    "p1",
                    f"k{index}",
                    index,
                    8.0,
                    "euler",
                    (1.0, 0.0),
                    noise,
                    [start],
                    None,
                    results,
                    weakref.ref(result),
                )
            )
            start = result
        prompt["9"]["inputs"]["latent"] = source
        captured = capture_noise(read_inputs(prompt, "9", {"samples": start}, None, recording))
        assert [entry["seed"] for entry in captured.passes] == list(range(count))
        assert captured.noise_source == "recorded"
        per_run.append(len(compared) / count)
    assert per_run[1] <= per_run[0] + 1

"""The data that the benchmarks save: noise, a photo-like image, a workflow of typical size; all seeded."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

NOISE_SHAPE = (1, 16, 128, 128)
"""float32: 1 MiB."""


def make_latents() -> dict[str, np.ndarray]:
    """Return two latents of 1 MiB."""
    rng = np.random.default_rng(1)
    return {name: rng.standard_normal(NOISE_SHAPE, np.float32) for name in ("initial_noise", "final_latent")}


def make_image(side: int = 1024) -> np.ndarray:
    """Return a picture with smooth shapes and sensor-like grain: uint8, (side, side, 3)."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:side, 0:side]
    waves = [128 + 90 * np.sin(x / (97 + 13 * c) + y / (53 + 7 * c)) for c in range(3)]
    return np.stack([(wave + rng.normal(0, 4, wave.shape)).clip(0, 255) for wave in waves], -1).astype(
        np.uint8
    )


def make_workflow(size_bytes: int = 60_000) -> dict[str, Any]:
    """Return a workflow whose JSON has about size_bytes."""
    nodes: list[dict[str, Any]] = []
    while len(json.dumps(nodes)) < size_bytes:
        start = len(nodes)
        nodes += [_node(number) for number in range(start, start + 20)]
    return {"nodes": nodes, "version": 0.4}


def _node(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "KSampler",
        "pos": [number * 10.5, number * 7.25],
        "inputs": [{"name": "model", "type": "MODEL", "link": number}],
        "widgets_values": [156680208700286 + number, "randomize", 20, 8.0, "euler", "normal", 1.0],
    }

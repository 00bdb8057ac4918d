"""The nodes through which Load Gen5's noise comes to a sampler."""

from __future__ import annotations

from typing import Any

import pytest
from gen5pack.nodes.prompt.noise_route import NoiseRoute, find_noise_route, is_above

Prompt = dict[str, Any]
TYPES = {
    "Gen5Load": ["LATENT", "LATENT"],
    "EmptyLatentImage": ["LATENT"],
    "LatentUpscale": ["LATENT"],
    "LatentBlend": ["LATENT"],
    "Switch": ["*"],
    "Loader": ["MODEL"],
    "KSampler": ["LATENT"],
    "Pipe": ["PIPE"],
}


def output_type(class_type: str, slot: int) -> str | None:
    types = TYPES.get(class_type, [])
    return types[slot] if slot < len(types) else None


def prompt(latent: list[Any], **nodes: tuple[str, dict[str, Any]]) -> Prompt:
    """Return a prompt whose KSampler 3 has this latent; 20 is the Load Gen5."""
    drawn = {
        "3": ("KSampler", {"model": ["4", 0], "latent_image": latent}),
        "4": ("Loader", {}),
        "5": ("EmptyLatentImage", {}),
        "20": ("Gen5Load", {"file": "a.gen5"}),
        **nodes,
    }
    return {node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in drawn.items()}


BLEND = {"samples1": ["20", 0], "samples2": ["5", 0]}


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (prompt(["20", 0]), NoiseRoute("20", (), False)),
        (prompt(["20", 1]), None),
        (prompt(["5", 0]), None),
        (
            prompt(["7", 0], **{"7": ("LatentUpscale", {"samples": ["20", 0]})}),
            NoiseRoute("20", ("7",), False),
        ),
        (
            prompt(
                ["8", 0], **{"7": ("Switch", {"a": ["20", 0]}), "8": ("LatentUpscale", {"samples": ["7", 0]})}
            ),
            NoiseRoute("20", ("8", "7"), False),
        ),
        (prompt(["7", 0], **{"7": ("LatentBlend", BLEND)}), NoiseRoute("20", ("7",), True)),
        (prompt(["7", 0], **{"7": ("KSampler", {"model": ["4", 0], "latent_image": ["20", 0]})}), None),
        (
            prompt(
                ["7", 0],
                **{"7": ("LatentUpscale", {"samples": ["20", 0], "pipe": ["9", 0]}), "9": ("Pipe", {})},
            ),
            None,
        ),
        (prompt(["7", 0], **{"7": ("LatentUpscale", {"samples": ["7", 0]})}), None),
        (prompt(["99", 0]), None),
    ],
)
def test_route(graph: Prompt, expected: NoiseRoute | None) -> None:
    """LATENT links are followed through nodes that only change latents, and through switches, but not samplers."""
    assert find_noise_route(graph, "3", output_type) == expected


def test_missing_node() -> None:
    """A node that the prompt does not have gets nothing."""
    assert find_noise_route({}, "3", output_type) is None
    assert is_above({}, "3") is False


def test_above_through_anything() -> None:
    """Any link counts, as a latent may lie in a pipe; another output of the loader does not."""
    pipe = prompt(["5", 0], **{"9": ("Pipe", {"latent": ["20", 0]})})
    pipe["3"]["inputs"]["pipe"] = ["9", 0]
    assert is_above(pipe, "3") is True
    assert is_above(prompt(["20", 1]), "3") is False

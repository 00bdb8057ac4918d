"""The graph's tables cover every class of each ComfyUI that is found: ``scripts/node_classes.py``."""

from __future__ import annotations

from typing import Any

from .launcher import node_classes
from .server import Server

NEW_CLASSES: dict[str, Any] = {
    "NextYearsPatch": ({"model": ["MODEL", {}]}, ["MODEL"]),
    "NextYearsDecoder": ({"samples": ["LATENT", {}], "vae": ["VAE", {}]}, ["IMAGE"]),
    "NextYearsList": (
        {"parts": ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"latent": ["LATENT", {}]}}}}]},
        ["LATENT"],
    ),
    "NextYearsSave": ({"model": ["MODEL", {}]}, []),
}


def test_every_class_of_comfyui_has_a_row(server: Server) -> None:
    """No class is read by the names of its inputs alone, and no row reads inputs that its class does not have."""
    assert node_classes.report(server.object_info()) == []


def test_a_new_class_is_reported(server: Server) -> None:
    """A class that returns what the walk follows, or decodes it, is reported until it has a row."""
    classes = dict(server.object_info())
    for name, (required, given) in NEW_CLASSES.items():
        classes[name] = {
            "input": {"required": required},
            "output": given,
            "python_module": "comfy_extras.nodes_new",
        }
    classes["APack"] = {**classes["NextYearsPatch"], "python_module": "custom_nodes.a_pack"}
    assert node_classes.uncovered(classes) == ["NextYearsDecoder", "NextYearsList", "NextYearsPatch"]

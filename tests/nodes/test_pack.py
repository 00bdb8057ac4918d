"""The pack as ComfyUI loads it: every class is complete, and importing it needs nothing of ComfyUI."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import gen5pack
import pytest
from gen5pack import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

CONTRACT = {
    "Gen5Save": ("images", "gen5"),
    "Gen5Load": ("noise", "latent", "image", "noise_source", "gen5"),
    "Gen5Settings": (
        *("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
        *("positive", "negative", "width", "height", "model_name"),
    ),
    "Gen5Record": ("model", "recording"),
    "Gen5Replay": ("model", "latent"),
}

UNDECLARED = {"Gen5Save": {"observed"}, "Gen5Values": {"linked"}}
"""Parameters for links that the server inserts, which no one is to see or wire."""


@pytest.mark.parametrize("name", sorted(NODE_CLASS_MAPPINGS))
def test_class_is_complete(name: str) -> None:
    """Every node has a display name, a category, names for its outputs, and a method for its inputs."""
    node: Any = NODE_CLASS_MAPPINGS[name]
    assert node.CATEGORY == "Gen5"
    assert NODE_DISPLAY_NAME_MAPPINGS[name]
    assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
    inputs = [given for group in node.INPUT_TYPES().values() for given in group]
    parameters = inspect.signature(getattr(node(), node.FUNCTION)).parameters
    assert set(inputs) | UNDECLARED.get(name, set()) == set(parameters)
    required = {key for key, value in parameters.items() if value.default is inspect.Parameter.empty}
    always = {"required", "hidden"} & node.INPUT_TYPES().keys()
    assert required - UNDECLARED.get(name, set()) <= {
        given for group in always for given in node.INPUT_TYPES()[group]
    }


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_documented_outputs(name: str) -> None:
    """The outputs have the documented names in the documented order."""
    assert CONTRACT[name] == NODE_CLASS_MAPPINGS[name].RETURN_NAMES


def test_widgets_have_the_methods_defaults() -> None:
    """A widget's default is the method's default for the same input."""
    for node in NODE_CLASS_MAPPINGS.values():
        parameters = inspect.signature(getattr(node(), node.FUNCTION)).parameters
        for name, declared in node.INPUT_TYPES().get("optional", {}).items():
            if len(declared) > 1 and "default" in declared[1]:
                assert declared[1]["default"] == parameters[name].default, (node, name)


def test_nothing_of_comfyui_is_imported() -> None:
    """The pack runs without ComfyUI, and uses the core inside it."""
    assert not {"comfy", "folder_paths", "server", "comfy_execution"} & set(sys.modules)
    assert gen5pack.gen5core.__name__ == "gen5pack.gen5core"


def test_web_directory() -> None:
    """WEB_DIRECTORY is the folder of the page's scripts, relative to the pack."""
    assert gen5pack.WEB_DIRECTORY == "./web"
    assert "WEB_DIRECTORY" in gen5pack.__all__

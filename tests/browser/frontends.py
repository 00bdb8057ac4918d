"""``scripts/comfyui_frontends.py``, loaded by its path, and the combinations that a run tries."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest
from comfyui.launcher import PACK  # which loads comfyui_install: the script imports it by that name

_SCRIPT = PACK / "scripts" / "comfyui_frontends.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(_SCRIPT.stem, _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_SCRIPT.stem] = module
    spec.loader.exec_module(module)
    return module


_module = _load()
Frontend = _module.Frontend
HOW_TO_GET: str = _module.HOW_TO_GET
VERSIONS: tuple[str, ...] = _module.VERSIONS
find_frontends = _module.find_frontends

CLASSIC, NODES2 = "classic", "nodes2"
RENDERERS = (CLASSIC, NODES2)
"""Nodes drawn on the canvas, and Nodes 2.0: drawn as elements of the page."""


def chosen(config: pytest.Config, option: str, all_of: Iterable[Any]) -> list[Any]:
    """Return the part of all_of that a command line option selects, or all of it."""
    wanted = config.getoption(option, default=None)
    return [one for one in all_of if not wanted or getattr(one, "version", one) in wanted]

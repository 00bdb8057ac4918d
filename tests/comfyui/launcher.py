"""The modules of ``scripts/`` that find and start a ComfyUI, loaded by their paths.

``scripts`` itself stays off ``sys.path``: ``scripts/comfyui.py`` has this folder's name.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, _SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_install = _load("comfyui_install")
_server = _load("comfyui_server")  # imports the former by that name

HOW_TO_INSTALL: str = _install.HOW_TO_INSTALL
PACK: Path = _install.PACK
PACK_NAME: str = _install.PACK_NAME
Install = _install.Install
InstallError = _install.InstallError
find_installs = _install.find_installs
has_module = _install.has_module
GraphError = _server.GraphError
ServerBase = _server.Server
ServerError = _server.ServerError

node_classes = _load("node_classes")

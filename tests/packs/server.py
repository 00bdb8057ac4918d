"""A ComfyUI with this pack, the test pack and other packs: on copies of these, and without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from comfyui.launcher import Install
from comfyui.server import PACKS, Server

from .packs import Pack

LARGEST_BYTES = 2**20
"""Larger files are pictures and videos in the packs' documentation, which no node reads."""

NO_NETWORK = "http://127.0.0.1:9"
"""A proxy on a port where nothing listens: what asks for the network fails at once."""


STAND_INS = {
    "ComfyUI-Impact-Pack/impact_subpack/impact/subpack_nodes.py": (
        "NODE_CLASS_MAPPINGS = {}\nNODE_DISPLAY_NAME_MAPPINGS = {}\n"
    ),
}
"""What a pack would fetch as it is installed and does not start without."""

MODELS = ("upscale_models/stand-in.pth", "controlnet/stand-in.pth")
"""Empty files: some nodes are refused where a list of models is empty, whatever they do with it."""


class PackServer(Server):
    """A server whose folder holds a copy of each pack, since some write into their own folder as they start."""

    def __init__(self, install: Install, folder: Path, packs: Sequence[Pack], python_folder: Path) -> None:
        super().__init__(install, folder)
        copies = folder / "packs"
        self.packs = {**PACKS, **{pack.name: copies / pack.name for pack in packs}}
        self.variables = _variables(python_folder, os.environ)
        for pack in packs:
            shutil.copytree(pack.folder, copies / pack.name, ignore=_not_needed)
        for name in MODELS:
            (folder / "models" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "models" / name).touch()
        for name, text in STAND_INS.items():
            file = copies / name
            if file.parents[2].is_dir() and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")


def _not_needed(folder: str, names: list[str]) -> set[str]:
    large = {name for name in names if (Path(folder) / name).stat().st_size > LARGEST_BYTES}
    return {name for name in names if name == ".git" or (name in large and not name.endswith(".py"))}


def _variables(python_folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that put python_folder on the path and keep packs from downloading."""
    path = os.pathsep.join(filter(None, [environ.get("PYTHONPATH"), str(python_folder)]))
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NO_NETWORK)
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"), "1")
    return {**proxies, **offline, "PIP_NO_INDEX": "1", "GIT_ALLOW_PROTOCOL": "none", "PYTHONPATH": path}

"""The node packs on this machine: where they are found, which version each has, and how to get them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORIES = {
    "RES4LYF": "ClownsharkBatwing/RES4LYF",
    "ComfyUI_smZNodes": "shiimizu/ComfyUI_smZNodes",
    "ComfyUI-Impact-Pack": "ltdrdata/ComfyUI-Impact-Pack",
    "ComfyUI-Inspire-Pack": "ltdrdata/ComfyUI-Inspire-Pack",
    "ComfyUI-Easy-Use": "yolain/ComfyUI-Easy-Use",
    "LanPaint": "scraed/LanPaint",
    "ComfyUI-sonar": "blepping/ComfyUI-sonar",
    "ComfyUI-bleh": "blepping/ComfyUI-bleh",
    "efficiency-nodes-comfyui": "jags111/efficiency-nodes-comfyui",
    "ComfyUI_tinyterraNodes": "TinyTerra/ComfyUI_tinyterraNodes",
    "ComfyUI_Noise": "BlenderNeko/ComfyUI_Noise",
}
"""Folder -> repository on GitHub."""

REQUIREMENTS = (
    "opencv-python-headless scikit-image piexif GitPython gitdb smmap dill matplotlib contourpy cycler fonttools "
    "kiwisolver pyparsing python-dateutil six lark compel cachetools webcolors PyWavelets diffusers accelerate peft "
    "importlib_metadata zipp imageio lazy_loader tifffile segment-anything clip-interrogator simpleeval"
)
"""What the packs import and ComfyUI does not bring; without their own requirements, which ComfyUI has."""

HOW_TO_GET = f"""\
No node packs found at GEN5_PACKS or ~/gen5-packs. To get them:

    mkdir -p ~/gen5-packs && cd ~/gen5-packs
    for repository in \\
        {" ".join(REPOSITORIES.values())}; do
      git clone --depth 1 https://github.com/$repository
    done
    COMFYUI_PYTHON -m pip install --no-deps --target ~/gen5-packs-python \\
        {REQUIREMENTS}

COMFYUI_PYTHON is the Python that runs ComfyUI; its own packages stay as they are.
"""


@dataclass(frozen=True, slots=True)
class Pack:
    """One node pack on this machine."""

    name: str
    """Its folder's name, which is also that of its module in ComfyUI."""
    folder: Path
    version: str
    """From its pyproject.toml, else its commit; empty if it has neither."""


def find_packs(environ: Mapping[str, str]) -> list[Pack]:
    """Return the known packs in GEN5_PACKS or, if it is unset, ``~/gen5-packs``, in the order of the table."""
    root = Path(environ.get("GEN5_PACKS") or "~/gen5-packs").expanduser()
    found = [(name, root / name) for name in REPOSITORIES if (root / name / "__init__.py").is_file()]
    return [Pack(name, folder, _version(folder)) for name, folder in found]


def missing_packs(packs: list[Pack]) -> list[str]:
    """Return the names of the known packs that are not among packs."""
    return [name for name in REPOSITORIES if name not in {pack.name for pack in packs}]


def python_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the Python packages that packs need: GEN5_PACKS_PYTHON, else ``~/gen5-packs-python``."""
    return Path(environ.get("GEN5_PACKS_PYTHON") or "~/gen5-packs-python").expanduser()


def _version(folder: Path) -> str:
    project = folder / "pyproject.toml"
    text = project.read_text(encoding="utf-8") if project.is_file() else ""
    declared = re.search(r'^version\s*=\s*"(.+?)"', text, re.MULTILINE)
    commit = _commit(folder) if (folder / ".git").exists() else ""
    return " ".join(filter(None, [declared[1] if declared else "", commit]))


def _commit(folder: Path) -> str:
    command = ["git", "-C", os.fspath(folder), "log", "-1", "--format=%h"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

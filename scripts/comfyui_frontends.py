"""The ComfyUI frontends that the browser tests run on: find them, and download those that are missing.

A frontend is a folder ``static`` that ComfyUI serves with ``--front-end-root``. GEN5_FRONTENDS names such
folders, separated like PATH. If it is unset, they are looked for in ``~/ComfyUI-frontends`` and ``build/frontends``,
each in a folder named by its version, as installed by ``pip install --target``.

Usage: ``python scripts/comfyui_frontends.py`` downloads what is missing into ``build/frontends``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from comfyui_install import find_installs

VERSIONS = ("1.49.6", "1.58.1")
"""The version that ComfyUI 0.33.0 requires, and the newest one tested."""
PACKAGE = "comfyui-frontend-package"
STATIC = Path("comfyui_frontend_package") / "static"
CACHE = Path(__file__).resolve().parents[1] / "build" / "frontends"

HOW_TO_GET = "`make test-browser` downloads the frontends; or set GEN5_FRONTENDS to their folders `static`"


@dataclass(frozen=True, slots=True)
class Frontend:
    """One version of ComfyUI's browser side."""

    version: str
    static: Path
    """The folder with its ``index.html``."""


def find_frontends(environ: Mapping[str, str]) -> list[Frontend]:
    """Return the frontends that GEN5_FRONTENDS names or, if it is unset, the installed ones of VERSIONS."""
    named = [
        Path(entry).expanduser() for entry in environ.get("GEN5_FRONTENDS", "").split(os.pathsep) if entry
    ]
    if named:
        return [_frontend(folder) for folder in named]
    found = (_find(version) for version in VERSIONS)
    return [frontend for frontend in found if frontend]


def _frontend(folder: Path) -> Frontend:
    """Return the frontend in a folder: ``static`` itself, or the folder that pip installed it into."""
    static = folder / STATIC if (folder / STATIC).is_dir() else folder
    if not (static / "index.html").is_file():
        raise FileNotFoundError(f"GEN5_FRONTENDS names {folder}, which has no index.html")
    return Frontend(_version(static), static.resolve())


def _version(static: Path) -> str:
    """Return the version from pip's dist-info beside the package, or else the name of the folder."""
    installed = static.parent.parent
    names = [info.name for info in installed.glob("comfyui_frontend_package-*.dist-info")]
    return names[0].removesuffix(".dist-info").rpartition("-")[2] if names else installed.name


def _find(version: str) -> Frontend | None:
    for folder in (Path.home() / "ComfyUI-frontends", CACHE):
        static = folder / version / STATIC
        if (static / "index.html").is_file():
            return Frontend(version, static)
    return None


def download(version: str) -> None:
    """Install one frontend into the cache folder."""
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    target = CACHE / version
    subprocess.run([*line, "--target", str(target), f"{PACKAGE}=={version}"], check=True)


def main() -> int:
    """Download the missing frontends, if there is a ComfyUI to serve them."""
    if os.environ.get("GEN5_FRONTENDS") or not find_installs(os.environ):
        return 0
    for version in VERSIONS:
        if _find(version) is None:
            print(f"downloading {PACKAGE} {version} into {CACHE}")
            download(version)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Find the ComfyUIs on this machine, check what they lack, and start one in a base directory of its own.

COMFYUI_PATH names them, separated like PATH. If it is unset, ``~/ComfyUI*`` are used.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PACK = Path(__file__).resolve().parents[1]
PACK_NAME = "ComfyUI-Gen5"
REQUIREMENTS = PACK / "requirements.txt"
FOLDERS = ("custom_nodes", "input", "output", "user", "temp")
PYTHONS = (".venv/bin/python", "venv/bin/python", ".venv/Scripts/python.exe", "venv/Scripts/python.exe")
TEMPLATES = "comfyui_workflow_templates"

HOW_TO_INSTALL = """\
No ComfyUI found at COMFYUI_PATH or ~/ComfyUI*. To get one:

    pip install comfy-cli
    comfy install
    COMFYUI_PATH=~/comfy/ComfyUI make comfyui
"""


class InstallError(Exception):
    """A requested ComfyUI cannot be started; the message gives the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Install:
    """One ComfyUI on this machine."""

    root: Path
    """The folder with ``main.py``."""
    python: Path
    """The interpreter in which its requirements are installed."""
    version: str
    """As in ``comfyui_version.py``, e.g. ``0.33.0``."""


def find_installs(environ: Mapping[str, str]) -> list[Install]:
    """Return every ComfyUI that COMFYUI_PATH names or, if it is unset, the ``~/ComfyUI*``, newest first.

    Raises
    ------
    InstallError
        if a folder in COMFYUI_PATH has no ComfyUI, or an install has no interpreter.
    """
    named = [Path(entry).expanduser() for entry in environ.get("COMFYUI_PATH", "").split(os.pathsep) if entry]
    for root in named:
        if not (root / "main.py").is_file():
            raise InstallError(f"COMFYUI_PATH names {root}, which has no main.py; name a folder that has")
    roots = named or [main.parent for main in Path.home().glob("ComfyUI*/main.py")]
    installs = [Install(root.resolve(), _python(root, environ), _version(root)) for root in roots]
    return installs if named else sorted(installs, key=_newest_first)


def _newest_first(install: Install) -> tuple[list[int], str]:
    return [-int(number) for number in re.findall(r"\d+", install.version)], str(install.root)


def _python(root: Path, environ: Mapping[str, str]) -> Path:
    """COMFYUI_PYTHON before the install's own; never resolved, since a venv's interpreter is a link."""
    if environ.get("COMFYUI_PYTHON"):
        return Path(environ["COMFYUI_PYTHON"]).expanduser().absolute()
    for name in PYTHONS:
        if (root / name).exists():
            return (root / name).absolute()
    raise InstallError(f"{root} has neither .venv nor venv; set COMFYUI_PYTHON to the Python that runs it")


def _version(root: Path) -> str:
    file = root / "comfyui_version.py"
    found = re.search(r'__version__ = "(.+)"', file.read_text(encoding="utf-8")) if file.is_file() else None
    return found[1] if found else "unknown"


def prepare_base_directory(folder: Path, packs: Mapping[str, Path], models: Path | None = None) -> None:
    """Make the folders that ComfyUI looks for in a base directory and link the packs in.

    Parameters
    ----------
    packs : name in ``custom_nodes`` -> folder of the custom nodes
    models : a folder of models to link in; by default an empty one is made
    """
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, pack in packs.items():
        _link(folder / "custom_nodes" / name, pack)
    if models is None:
        (folder / "models").mkdir(exist_ok=True)
    elif not (folder / "models").exists():
        _link(folder / "models", models)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink():
        link.unlink()
    link.symlink_to(target, target_is_directory=True)


def command(install: Install, folder: Path, port: int, arguments: Sequence[str] = ()) -> list[str]:
    """Return the command line that serves folder as a base directory; run it in ``install.root``."""
    fixed = ["--listen", "127.0.0.1", "--database-url", "sqlite:///:memory:", "--disable-api-nodes"]
    location = ["--port", str(port), "--base-directory", str(folder)]
    return [str(install.python), "main.py", *location, *fixed, *arguments]


def environment(install: Install, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables to start install with.

    An older ComfyUI fails to start with a newer templates package, which has no ``templates`` folder. In that
    case an empty package, made in folder, is put before it on the path.
    """
    variables = {**environ, "PYTHONUNBUFFERED": "1"}
    if _lacks_templates(install):
        replacement = folder / "replacements"
        templates = replacement / TEMPLATES / "templates"
        templates.mkdir(parents=True, exist_ok=True)
        (templates.parent / "__init__.py").touch()
        (templates / "index.json").write_text("[]\n", encoding="utf-8")
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(replacement), environ.get("PYTHONPATH")]))
    return variables


def _lacks_templates(install: Install) -> bool:
    """Return whether install needs the folder ``templates`` (later versions call iter_templates) and lacks it."""
    source = install.root / "app" / "frontend_management.py"
    if not source.is_file() or "iter_templates" in source.read_text(encoding="utf-8"):
        return False
    code = f"import importlib.util as u; print(u.find_spec({TEMPLATES!r}).submodule_search_locations[0])"
    package = _run_code(install, code)
    return not package or not (Path(package) / "templates").is_dir()


def _run_code(install: Install, code: str) -> str:
    """Return the last line that code prints in install's Python; empty if it fails."""
    command = [install.python, "-c", code]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return output.strip().rpartition("\n")[2]


def has_accelerator(install: Install) -> bool:
    """Return whether install's torch has a device other than the CPU; without one it needs ``--cpu``."""
    code = (
        "import torch\n"
        "names = ('cuda', 'xpu', 'mps', 'npu', 'mlu')\n"
        "print(any(hasattr(torch, name) and getattr(torch, name).is_available() for name in names))"
    )
    return _run_code(install, code) == "True"


def has_module(install: Install, name: str) -> bool:
    """Return whether install's Python can import a module."""
    code = f"import importlib.util as u; print(u.find_spec({name!r}) is not None)"
    return _run_code(install, code) == "True"


def missing_packages(install: Install) -> list[str]:
    """Return the packages in requirements.txt that install's Python lacks."""
    wanted = re.findall(r"^[\w.-]+", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    code = (
        "from importlib.metadata import distributions\n"
        "here = {str(found.metadata['Name']).lower().replace('_', '-') for found in distributions()}\n"
        f"print(*(name for name in {wanted!r} if name not in here))"
    )
    return _run_code(install, code).split()

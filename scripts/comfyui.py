"""Start an installed ComfyUI with this pack linked in, in a base directory of its own.

Usage: ``make comfyui``, or ``python scripts/comfyui.py [--base-directory DIR] [--port PORT] [OPTION …]``,
where any other options are ComfyUI's own. COMFYUI_PATH names the install (of several, separated like PATH, the
first is started). If it is unset, the newest of ``~/ComfyUI*`` is started.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from comfyui_install import (
    HOW_TO_INSTALL,
    PACK,
    PACK_NAME,
    Install,
    InstallError,
    command,
    environment,
    find_installs,
    has_accelerator,
    prepare_base_directory,
)


def main() -> int:
    """Serve until interrupted. Return ComfyUI's exit status, or 1 if there is no ComfyUI to start."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base-directory", type=Path, default=Path("demo/comfyui"), metavar="DIR")
    parser.add_argument("--port", type=int, default=8188)
    options, comfyui_arguments = parser.parse_known_args()
    try:
        installs = find_installs(os.environ)
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    if not installs:
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 1
    return serve(installs[0], options.base_directory.resolve(), options.port, comfyui_arguments)


def serve(install: Install, folder: Path, port: int, arguments: Sequence[str]) -> int:
    """Run install in the foreground with this pack and the install's own models linked in."""
    models = install.root / "models"
    prepare_base_directory(folder, {PACK_NAME: PACK}, models if models.is_dir() else None)
    if "--cpu" not in arguments and not has_accelerator(install):
        arguments = [*arguments, "--cpu"]
    print(f"ComfyUI {install.version} in {install.root}, files in {folder}")
    print(f"serving on http://127.0.0.1:{port} (press Ctrl+C to stop)", flush=True)
    line = command(install, folder, port, arguments)
    variables = environment(install, folder, os.environ)
    try:
        return subprocess.run(line, cwd=install.root, env=variables, check=False).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main())

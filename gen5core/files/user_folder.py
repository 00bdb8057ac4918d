"""The folder of the user's own Gen5 files: keys, the list of trusted keys, the key of machine names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def key_folder(
    getenv: Callable[[str], str | None] = os.environ.get, system: str = sys.platform
) -> Path | None:
    """Return the user's own configuration folder for this package; it need not exist yet.

    ``GEN5_HOME`` names the folder itself. Otherwise it is ``gen5`` in ``APPDATA`` (Windows),
    ``~/Library/Application Support`` (macOS), or ``XDG_CONFIG_HOME``, by default ``~/.config``.

    Source: XDG Base Directory Specification 0.8 (a relative ``XDG_CONFIG_HOME`` is to be ignored).
    """
    override = getenv("GEN5_HOME")
    if override:
        return Path(override)
    base = getenv({"win32": "APPDATA", "darwin": ""}.get(system, "XDG_CONFIG_HOME"))
    if base and Path(base).is_absolute():
        return Path(base, "gen5")
    beside_home = {"win32": "AppData/Roaming", "darwin": "Library/Application Support"}
    try:
        return Path.home() / beside_home.get(system, ".config") / "gen5"
    except RuntimeError:
        return None

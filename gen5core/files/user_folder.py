"""The folder of the user's own Gen5 files: signing keys, the list of trusted keys, the key for machine names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def key_folder(
    getenv: Callable[[str], str | None] = os.environ.get, system: str = sys.platform
) -> Path | None:
    """Return the user's configuration folder for this package, which need not exist yet; None if no home is known.

    ``GEN5_HOME`` names the folder itself. Otherwise it is ``gen5`` in ``APPDATA`` (Windows),
    ``~/Library/Application Support`` (macOS), or ``XDG_CONFIG_HOME``, by default ``~/.config``.

    Source: XDG Base Directory Specification 0.8 (a relative ``XDG_CONFIG_HOME`` must be ignored).
    """
    override = getenv("GEN5_HOME")
    if override:
        return Path(override)
    base = getenv({"win32": "APPDATA", "darwin": ""}.get(system, "XDG_CONFIG_HOME"))
    if base and Path(base).is_absolute():
        return Path(base, "gen5")
    default_bases = {"win32": "AppData/Roaming", "darwin": "Library/Application Support"}
    try:
        return Path.home() / default_bases.get(system, ".config") / "gen5"
    except RuntimeError:  # neither HOME nor the user database names a home
        return None

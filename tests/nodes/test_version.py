"""The pack's version is the same wherever it is stated."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_browser_has_the_packs_version() -> None:
    """The about badge shows the version of pyproject.toml."""
    [declared] = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    [shown] = re.findall(r'VERSION = "(.+)"', (ROOT / "web" / "version.js").read_text("utf-8"))
    assert shown == declared

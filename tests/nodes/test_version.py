"""One version, wherever it is told."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_browsers_version_is_the_packs() -> None:
    """The about badge tells the version of pyproject.toml."""
    [declared] = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    [shown] = re.findall(r'VERSION = "(.+)"', (ROOT / "web" / "version.js").read_text("utf-8"))
    assert declared == shown

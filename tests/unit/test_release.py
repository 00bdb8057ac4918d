"""The problems that prevent a release to the Comfy Registry; this pack has none."""

from __future__ import annotations

import copy
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import gen5core

tomllib = pytest.importorskip("tomllib", reason="the script runs on Python 3.11 and later")

ROOT = Path(gen5core.__file__).parents[1]
SCRIPT = ROOT / "scripts" / "check_release.py"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ADDRESS = "https://example.org/a/b"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_release = _load()


def problems(changes: dict[str, Any], changelog: str = "") -> list[str]:
    """Return the problems of this pack, released from ADDRESS, with changes by path (keys joined by slashes)."""
    document = copy.deepcopy(PROJECT)
    document["project"]["urls"] = {"Repository": ADDRESS}
    for path, value in changes.items():
        *parts, name = path.split("/")
        parent = document
        for part in parts:
            parent = parent[part]
        parent[name] = value
    text = changelog or f"## [{check_release.version_of(document)}] - 2026-01-01"
    return list(check_release.release_problems(document, text, ADDRESS))


def test_this_pack_is_ready() -> None:
    """The registry accepts name, version and publisher; the version is that of the package."""
    assert problems({}) == []
    assert gen5core.__version__ == check_release.version_of(PROJECT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"project/name": "5gen"}, "name is '5gen'"),
        ({"project/name": "gen--5"}, "name is 'gen--5'"),
        ({"project/name": "g" * 100}, "name is 'ggg"),
        ({"project/version": "0.1"}, "version is '0.1'"),
        ({"project/version": "0.1.0rc1"}, "version is '0.1.0rc1'"),
        ({"tool/comfy/PublisherId": ""}, "PublisherId is missing"),
        ({"project/urls": {}}, f"Repository is None, but this is '{ADDRESS}'"),
        ({"project/urls/Repository": "https://example.org/c"}, "Repository is 'https://example.org/c'"),
    ],
)
def test_each_fact_is_checked(changes: dict[str, Any], message: str) -> None:
    """A fact that is missing or has the wrong form is reported with the remedy."""
    (line,) = problems(changes)
    assert message in line


def test_the_changelog_has_the_version() -> None:
    """A version without a section in the changelog is not released."""
    (line,) = problems({}, "## [Unreleased]\n")
    assert "rename the section Unreleased" in line


def test_as_a_workflow_step() -> None:
    """Compared with an unknown commit, the version is new, and the problems go to stderr."""
    command = [sys.executable, str(SCRIPT), "--before", "0" * 40, "--repository", ADDRESS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "is_new=true\n")
    assert f"but this is '{ADDRESS}'" in done.stderr


def test_workflows_use_the_oldest_and_the_newest_python() -> None:
    """Both systems are tested with the oldest and the newest Python that pyproject.toml names."""
    named = re.findall(r"Python :: 3\.(\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    assert 2 * [oldest, f"3.{max(map(int, named))}"] == re.findall(r'python: "(.+?)"', workflow)

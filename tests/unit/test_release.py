"""What stops a release to the Comfy Registry, and that this pack's own facts do not."""

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


def told(changes: dict[str, Any], changelog: str = "") -> list[str]:
    """Return what stops this pack, released from ADDRESS, with changes made; a path has slashes between its parts."""
    document = copy.deepcopy(PROJECT)
    document["project"]["urls"] = {"Repository": ADDRESS}
    for path, value in changes.items():
        *parts, name = path.split("/")
        place = document
        for part in parts:
            place = place[part]
        place[name] = value
    written = changelog or f"## [{check_release.version_of(document)}] - 2026-01-01"
    return list(check_release.missing_facts(document, written, ADDRESS))


def test_this_pack_lacks_nothing() -> None:
    """Name, version and publisher are such as the registry takes; version is the package's own."""
    assert told({}) == []
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
        ({"project/urls": {}}, f"Repository is None, this is '{ADDRESS}'"),
        ({"project/urls/Repository": "https://example.org/c"}, "Repository is 'https://example.org/c'"),
    ],
)
def test_each_fact_is_asked_for(changes: dict[str, Any], message: str) -> None:
    """A fact that is missing, or of another form, is told with what is to be put there."""
    (line,) = told(changes)
    assert message in line


def test_the_changelog_has_the_version() -> None:
    """A version that the changelog does not name is not released."""
    (line,) = told({}, "## [Unreleased]\n")
    assert "name what is under Unreleased so" in line


def test_as_a_step_runs_it() -> None:
    """Compared with a commit that is not there, the version is new, and what stops it goes to stderr."""
    command = [sys.executable, str(SCRIPT), "--before", "0" * 40, "--repository", ADDRESS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "is_new=true\n")
    assert f"this is '{ADDRESS}'" in done.stderr


def test_workflows_try_the_oldest_and_the_newest() -> None:
    """Both systems are tested on the oldest Python that the pack supports, and on the newest that it names."""
    named = re.findall(r"Python :: 3\.(\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    assert 2 * [oldest, f"3.{max(map(int, named))}"] == re.findall(r'python: "(.+?)"', workflow)

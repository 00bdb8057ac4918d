"""Check whether pyproject.toml has a new version, and whether it is ready for the Comfy Registry.

Prints ``is_new=true`` or ``is_new=false``, in the form of a workflow step's outputs. If a new version is not ready,
exits with status 1 and prints one line on stderr for each problem.

Source: docs.comfy.org, "Registry", "pyproject.toml".
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).resolve().parents[1]
_NAME = re.compile(r"[a-z](?:[-_.]?[a-z0-9])*", re.IGNORECASE)
_MAX_CHARACTERS = 99
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def version_of(document: Mapping[str, Any]) -> str:
    """Return the version in a pyproject.toml."""
    return str(document.get("project", {}).get("version", ""))


def document_at(commit: str) -> dict[str, Any]:
    """Return pyproject.toml as of a commit; empty if there is no such commit or file."""
    command = ["git", "-C", str(ROOT), "show", f"{commit}:pyproject.toml"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return tomllib.loads(done.stdout) if done.returncode == 0 else {}


def release_problems(document: Mapping[str, Any], changelog: str, repository: str) -> Iterator[str]:
    """Yield the problems that prevent a release, one sentence each.

    Parameters
    ----------
    repository : URL of the repository that is released
    """
    project, comfy = document.get("project", {}), document.get("tool", {}).get("comfy", {})
    name, version = str(project.get("name", "")), version_of(document)
    if not _NAME.fullmatch(name) or len(name) > _MAX_CHARACTERS:
        yield f"[project] name is {name!r}: the registry accepts letters, digits and single -, _ and ."
    if not _VERSION.fullmatch(version):
        yield f"[project] version is {version!r}: the registry accepts three numbers, e.g. 1.2.3"
    if not comfy.get("PublisherId"):
        yield "[tool.comfy] PublisherId is missing: it follows the @ on your page at registry.comfy.org"
    declared = project.get("urls", {}).get("Repository")
    if declared != repository:
        yield f"[project.urls] Repository is {declared!r}, but this is {repository!r}: set it to that"
    if f"## [{version}]" not in changelog:
        yield f"CHANGELOG.md has no section {version}: rename the section Unreleased"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--before", default="", help="the commit to compare with; without it every version is new"
    )
    parser.add_argument("--repository", required=True, help="URL of the repository that is released")
    options = parser.parse_args()
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    before = version_of(document_at(options.before)) if options.before else None
    is_new = before != version_of(document)
    print(f"is_new={str(is_new).lower()}")
    if not is_new:
        return 0
    problems = list(
        release_problems(document, (ROOT / "CHANGELOG.md").read_text("utf-8"), options.repository)
    )
    for line in problems:
        print(line, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Whether pyproject.toml tells of a new version, and whether the Comfy Registry can take it.

Prints ``is_new=true`` or ``is_new=false``, as a step of a workflow gives its outputs. A new version whose facts are
not complete ends with status 1 and a line on stderr for each.

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
_MOST_CHARACTERS = 99
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def version_of(document: Mapping[str, Any]) -> str:
    """Return the version that a pyproject.toml tells."""
    return str(document.get("project", {}).get("version", ""))


def document_at(commit: str) -> dict[str, Any]:
    """Return pyproject.toml as a commit has it; empty where there is no such commit or file."""
    asked = ["git", "-C", str(ROOT), "show", f"{commit}:pyproject.toml"]
    done = subprocess.run(asked, capture_output=True, text=True, encoding="utf-8", check=False)
    return tomllib.loads(done.stdout) if done.returncode == 0 else {}


def missing_facts(document: Mapping[str, Any], changelog: str, repository: str) -> Iterator[str]:
    """Yield what stops a release, one sentence each.

    Parameters
    ----------
    repository : the address that it is released from
    """
    project, comfy = document.get("project", {}), document.get("tool", {}).get("comfy", {})
    name, version = str(project.get("name", "")), version_of(document)
    if not _NAME.fullmatch(name) or len(name) > _MOST_CHARACTERS:
        yield f"[project] name is {name!r}: the registry takes letters, digits and single -, _ and ."
    if not _VERSION.fullmatch(version):
        yield f"[project] version is {version!r}: the registry takes three numbers, e.g. 1.2.3"
    if not comfy.get("PublisherId"):
        yield "[tool.comfy] PublisherId is missing: it is behind the @ on your page at registry.comfy.org"
    told = project.get("urls", {}).get("Repository")
    if told != repository:
        yield f"[project.urls] Repository is {told!r}, this is {repository!r}: put that there"
    if f"## [{version}]" not in changelog:
        yield f"CHANGELOG.md has no section {version}: name what is under Unreleased so"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--before", default="", help="the commit to compare with; whatever stands there is new without"
    )
    parser.add_argument("--repository", required=True, help="the address that is released from")
    options = parser.parse_args()
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    before = version_of(document_at(options.before)) if options.before else None
    is_new = before != version_of(document)
    print(f"is_new={str(is_new).lower()}")
    if not is_new:
        return 0
    missing = list(missing_facts(document, (ROOT / "CHANGELOG.md").read_text("utf-8"), options.repository))
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

"""README and docs/ are true: their messages, commands, benchmarks and links agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gen5core.cli.commands import cli

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
MEASURED = (ROOT / "docs" / "measured.md").read_text("utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "FORMAT.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
SOURCES = [
    path
    for folder, kind in (("gen5core", "py"), ("nodes", "py"), ("web", "js"))
    for path in (ROOT / folder).rglob(f"*.{kind}")
]


def section(title: str) -> str:
    """Return the text under a heading of README's second level."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def code() -> str:
    """Return all sources as one text, with string literals on consecutive lines joined."""
    text = "\n".join(path.read_text("utf-8") for path in SOURCES)
    return re.sub(r'"\s*\n\s*f?"', "", text).replace("{NAME}", "gfVE").replace("{SIGNING_KEY_VARIABLE}", "")


def messages() -> list[str]:
    """Return the messages of the troubleshooting table; a message with a gap gives several parts."""
    rows = [line.split(" | ")[0] for line in TROUBLESHOOTING.splitlines() if line.startswith("| *")]
    return [part for row in rows for part in re.findall(r"\*([^*]+)\*", row)]


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("#")
    }


@pytest.mark.parametrize("message", messages())
def test_messages_are_in_the_code(message: str) -> None:
    """Every message of the troubleshooting table occurs in the code."""
    assert message in code()


def test_commands_and_options_exist() -> None:
    """Every line of the list of commands names an existing command and existing options."""
    lines = [line for line in section("Command line").splitlines() if line.startswith("gen5core ")]
    assert len(lines) > 10
    for line in lines:
        command = cli.commands[line.split()[1]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(?<=\s)--?[a-z][\w-]*", line)) <= known, line


def test_every_command_is_listed_and_takes_json() -> None:
    """README lists every command, and says that each accepts --json."""
    listed = {
        line.split()[1] for line in section("Command line").splitlines() if line.startswith("gen5core ")
    }
    assert listed == set(cli.commands)
    without = [
        name
        for name, command in cli.commands.items()
        if "--json" not in {option for parameter in command.params for option in parameter.opts}
    ]
    assert without == []


def test_benchmarks_exist() -> None:
    """Every benchmark that a table names exists, and every benchmark has its table."""
    listed = (ROOT / "benchmarks" / "run.py").read_text("utf-8").split("BENCHES:")[1].split("}")[0]
    assert set(re.findall(r"benchmarks/run\.py ([a-z]+)", MEASURED)) == set(
        re.findall(r'"([a-z]+)":', listed)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_are_valid(page: Path) -> None:
    """Files and headings that a page links to exist."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in headings(linked), target

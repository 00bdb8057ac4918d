"""README.md says what is there: its messages, commands, benchmarks and links are the code's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gen5core.cli.commands import cli

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")
SOURCES = [
    path
    for folder, kind in (("gen5core", "py"), ("nodes", "py"), ("web", "js"))
    for path in (ROOT / folder).rglob(f"*.{kind}")
]


def section(title: str) -> str:
    """Return what stands under a heading of the second level."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def code() -> str:
    """Return the words of the package's sources, its literals joined where they go on in the next line."""
    whole = "\n".join(path.read_text("utf-8") for path in SOURCES)
    return re.sub(r'"\s*\n\s*f?"', "", whole).replace("{NAME}", "gfVE").replace("{SIGNING_KEY_VARIABLE}", "")


def messages() -> list[str]:
    """Return the messages of the troubleshooting table, each part of one that has a gap."""
    rows = [
        line.split(" | ")[0] for line in section("Troubleshooting").splitlines() if line.startswith("| *")
    ]
    return [part for row in rows for part in re.findall(r"\*([^*]+)\*", row)]


@pytest.mark.parametrize("message", messages())
def test_messages_are_the_codes_own(message: str) -> None:
    """A person who looks for a message finds it."""
    assert message in code()


def test_commands_and_options_exist() -> None:
    """Every line of the list of commands names one, with options that it has."""
    lines = [line for line in section("Command line").splitlines() if line.startswith("gen5core ")]
    assert len(lines) > 10
    for line in lines:
        command = cli.commands[line.split()[1]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(?<=\s)--?[a-z][\w-]*", line)) <= known, line


def test_benchmarks_exist() -> None:
    """Every benchmark that a table names is one, and every one has its table."""
    listed = (ROOT / "benchmarks" / "run.py").read_text("utf-8").split("BENCHES:")[1].split("}")[0]
    assert set(re.findall(r"benchmarks/run\.py ([a-z]+)", TEXT)) == set(re.findall(r'"([a-z]+)":', listed))


def test_links_lead_somewhere() -> None:
    """Files and headings that README links to are there."""
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in headings
        elif "://" not in target:
            assert (ROOT / target).exists(), target

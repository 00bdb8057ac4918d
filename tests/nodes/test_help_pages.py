"""The help pages of web/docs agree with the nodes' inputs, outputs and messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gen5pack import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "web" / "docs"
MAX_PICTURE_BYTES = 60_000
HEADINGS = ["Inputs", "Outputs", "Example", "Messages, and what helps"]
INPUT = re.compile(r"- (`\w+`) \((\w+)(?:, (`.*?`))?\): \S")
OUTPUT = re.compile(r"- (`\w+`) \((\w+)\): \S")
MESSAGE = re.compile(r"- `(.+?)`: \S")


@pytest.fixture(params=sorted(NODE_CLASS_MAPPINGS))
def node_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_node_has_a_page() -> None:
    """The browser finds a page by the node's id."""
    assert set(NODE_CLASS_MAPPINGS) == {page.stem for page in DOCS.glob("*.md")}


def test_page_is_complete(node_id: str) -> None:
    """A page has the node's name, its sections in order, and one existing, small picture."""
    page = _page(node_id)
    assert page.startswith(f"# {NODE_DISPLAY_NAME_MAPPINGS[node_id]}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS
    [picture] = re.findall(r"!\[.+\]\((.+)\)", page)
    assert (DOCS / picture).stat().st_size <= MAX_PICTURE_BYTES


def test_inputs_are_the_nodes_own(node_id: str) -> None:
    """Names, types and defaults are in the order of INPUT_TYPES."""
    expected = [(f"`{name}`", _type(declared), _default(declared)) for name, declared in _inputs(node_id)]
    assert _entries(_page(node_id), "Inputs", INPUT) == expected


def test_outputs_are_the_nodes_own(node_id: str) -> None:
    """Names and types are in the order of RETURN_NAMES."""
    node = NODE_CLASS_MAPPINGS[node_id]
    pairs = zip(node.RETURN_NAMES, node.RETURN_TYPES, strict=True)
    expected = [(f"`{name}`", str.__str__(kind)) for name, kind in pairs]
    assert _entries(_page(node_id), "Outputs", OUTPUT) == expected


def test_messages_are_in_the_code(node_id: str) -> None:
    """Every message of a page is in the code; … replaces what varies."""
    texts = [_plain(text) for text in _texts()]
    for [message] in _entries(_page(node_id), "Messages, and what helps", MESSAGE):
        parts = _plain(message).split("…")
        assert any(_holds(text, parts) for text in texts), message


def _page(node_id: str) -> str:
    return (DOCS / f"{node_id}.md").read_text(encoding="utf-8")


def _entries(page: str, heading: str, form: re.Pattern[str]) -> list[tuple[str, ...]]:
    """Return the matches of form in each entry of the list under a heading."""
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = [(line, form.match(line)) for line in section.splitlines() if line]
    assert not [line for line, match in found if match is None]
    return [tuple(text or "" for text in match.groups()) for _, match in found if match is not None]


def _inputs(node_id: str) -> Iterator[tuple[str, Any]]:
    groups = NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()
    for group in ("required", "optional"):
        yield from groups.get(group, {}).items()


def _type(declared: Any) -> str:
    return "COMBO" if isinstance(declared[0], list) else str(declared[0])


def _default(declared: Any) -> str:
    """Return a widget's default as a page writes it; empty for sockets and empty texts."""
    options = declared[1] if len(declared) > 1 else {}
    value = options.get("default")
    if value is None and isinstance(declared[0], list) and declared[0]:
        value = declared[0][0]
    shown = str(value).lower() if isinstance(value, bool) else value
    return "" if shown in (None, "") else f"`{shown}`"


def _texts() -> Iterator[str]:
    """Yield every string of the code, with … in place of formatted values."""
    for folder in ("nodes", "gen5core"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(found, ast.JoinedStr):
                    yield "".join(_part(value) for value in found.values)
                elif isinstance(found, ast.Constant) and isinstance(found.value, str):
                    yield found.value


def _part(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else "…"


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def _holds(text: str, parts: list[str]) -> bool:
    place = 0
    for part in (part.strip() for part in parts):
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True

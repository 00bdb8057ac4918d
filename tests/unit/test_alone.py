"""Every test file runs alone: it imports the modules that it names, and relies on no other file's imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
FILES = sorted(path for folder in ("unit", "nodes") for path in (TESTS / folder).glob("*.py"))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("gen5core", "nodes")
    for path in (ROOT / package).rglob("*.py")
}


def prefixes(name: str) -> set[str]:
    """Return a dotted name and all of its prefixes, without the name that the pack is loaded under."""
    parts = name.removeprefix("gen5pack.").split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def imported(tree: ast.AST) -> set[str]:
    """Return every dotted name that an import statement anywhere in a file loads."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(*(prefixes(alias.name) for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(*(prefixes(f"{node.module}.{alias.name}") for alias in node.names))
    return names


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for a chain of attributes, and an empty string for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    before = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{before}.{node.attr}" if before and isinstance(node, ast.Attribute) else ""


def not_imported(source: str) -> Iterator[str]:
    """Yield the modules that are used as attributes of their package but that the file does not import."""
    tree = ast.parse(source)
    known = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = dotted(node).removeprefix("gen5pack.")
            if "." in name and name in MODULES and name not in known:
                yield name


def test_there_are_files() -> None:
    """Both folders are checked."""
    assert {path.parent.name for path in FILES} == {"unit", "nodes"}
    assert len(FILES) > 80


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_modules_that_are_named_are_imported(path: Path) -> None:
    """``gen5core.room.module`` exists only after something has imported it; the file does so itself."""
    assert sorted(set(not_imported(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    ("imports", "missing"),
    [
        ("import gen5core", ["gen5core.container", "gen5core.container.strict_json"]),
        ("import gen5core, gen5core.container", ["gen5core.container.strict_json"]),
        ("from gen5pack import gen5core", ["gen5core.container", "gen5core.container.strict_json"]),
        ("import gen5core.container.strict_json", []),
        ("import gen5core\nfrom gen5core.container import strict_json", []),
        ("from gen5pack import gen5core\nfrom gen5pack.gen5core.container.strict_json import dumps", []),
    ],
)
def test_a_missing_import_is_found(imports: str, missing: list[str]) -> None:
    """The check itself: a module and its room are reported until an import loads them."""
    found = set(not_imported(f"{imports}\ngen5core.container.strict_json.dumps({{}})\n"))
    assert sorted(found) == missing


def test_base_names_are_unique() -> None:
    """Test files are modules without a package: of two with the same name, one would hide the other."""
    names = [path.name for path in FILES if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))

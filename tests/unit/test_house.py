"""Rules that are checked on the sources: rooms import one way only; no network, no pickle, no printing."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import gen5core

ROOT = Path(gen5core.__file__).parents[1]


def _load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rooms = _load_script("rooms")
PACKAGES = tuple(rooms.ROOMS)
CORE = rooms.find_modules(ROOT, "gen5core")
MODULES = {**CORE, **rooms.find_modules(ROOT, "nodes")}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}
NODES = {
    "compare",
    "determinism",
    "drift",
    "gate",
    "load",
    "noise",
    "record",
    "replay",
    "save",
    "settings",
    "values",
}
"""The modules of nodes/ that belong to no room; each defines one node."""
FOREIGN = {"nodes", "comfy", "comfy_extras", "comfy_api", "folder_paths", "server", "execution"}
NETWORK = {"socket", "ssl", "urllib", "urllib3", "requests", "http", "httpx", "aiohttp", "ftplib", "smtplib"}
PICKLING = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__"}


def imported(node: ast.AST) -> list[str]:
    """Return the top-level packages that an absolute import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [(node.module or "").split(".")[0]]
    return []


def executed_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are executed on import: no function bodies, no ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from executed_at_import(child)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_a_room(package: str) -> None:
    """The rooms are exactly those in the list; a module outside them is a node."""
    found = {rooms.room_of(name) for name in MODULES if name.startswith(f"{package}.")}
    assert found - {rooms.NODE} == set(rooms.ROOMS[package])


def test_a_module_in_no_room_is_a_node() -> None:
    """Beside its rooms, nodes/ has one module per node and nothing else."""
    alone = {
        name.removeprefix("nodes.")
        for name in MODULES
        if name != "nodes" and rooms.room_of(name) == rooms.NODE
    }
    assert alone == NODES


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    """No room imports one later in the list, no node imports another node, and no imports are circular."""
    arrows = rooms.find_arrows(ROOT, package)
    assert len(arrows) > 100
    assert rooms.backward(arrows, package) == []
    assert rooms.circles(arrows) == []


def test_forbidden_imports_are_detected() -> None:
    """The check itself reports an import of a later room, of another node, and a circular import."""
    up = {
        ("gen5core.files.atomic", "gen5core.reader.file"),
        ("gen5core.reader.file", "gen5core.files.atomic"),
    }
    assert rooms.backward(up, "gen5core") == [("gen5core.files.atomic", "gen5core.reader.file")]
    assert rooms.circles(up) == ["gen5core.files.atomic", "gen5core.reader.file"]
    other = {("nodes.save", "nodes.load"), ("nodes.stored.file", "nodes.save"), ("nodes.save", "nodes.host")}
    assert rooms.backward(other, "nodes") == [
        ("nodes.save", "nodes.load"),
        ("nodes.stored.file", "nodes.save"),
    ]


def test_the_lowest_rooms_are_independent() -> None:
    """``errors`` imports nothing else from the package, ``graph`` only the errors."""
    arrows = rooms.between_rooms(rooms.find_arrows(ROOT, "gen5core"))
    assert [pair for pair in arrows if pair[0] in ("errors", "graph")] == [("graph", "errors")]


def test_only_nodes_imports_the_core() -> None:
    """nodes imports gen5core, never the other way round."""
    assert rooms.foreign_imports(ROOT, "gen5core", "nodes") == set()
    assert rooms.foreign_imports(ROOT, "nodes", "gen5core") != set()


@pytest.mark.parametrize("name", MODULES)
def test_private_names_are_not_imported(name: str) -> None:
    """No module imports a name with a leading underscore from another module."""
    imports = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.ImportFrom) and node.level]
    private = [alias.name for node in imports for alias in node.names if alias.name.startswith("_")]
    assert [found for found in private if not found.startswith("__")] == []


@pytest.mark.parametrize("name", CORE)
def test_imports_nothing_foreign(name: str) -> None:
    """No ComfyUI, no network and no pickle, anywhere in the module."""
    found = {target for node in ast.walk(TREES[name]) for target in imported(node)}
    assert found & (FOREIGN | NETWORK | PICKLING) == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name not in CORE and name != "nodes.host"])
def test_only_the_host_module_touches_comfyui(name: str) -> None:
    """Every other module of nodes/ reaches ComfyUI through ``host``."""
    found = {target for node in ast.walk(TREES[name]) for target in imported(node)}
    assert found & (FOREIGN | PICKLING) == set()


@pytest.mark.parametrize("name", CORE)
def test_imports_torch_only_on_demand(name: str) -> None:
    """torch is imported inside the functions that need it, never when a module is imported."""
    found = {target for node in executed_at_import(TREES[name]) for target in imported(node)}
    assert found & {"torch"} == set()


@pytest.mark.parametrize("name", CORE)
def test_calls_nothing_dangerous(name: str) -> None:
    """No eval, exec or compile, and no print outside the command line."""
    called = {
        node.func.id
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    forbidden = CALLS if rooms.room_of(name) in ("cli", "__main__") else CALLS | {"print"}
    assert called & forbidden == set()


@pytest.mark.parametrize("name", MODULES)
def test_module_has_a_docstring(name: str) -> None:
    """Every module has a docstring."""
    assert (ast.get_docstring(TREES[name]) or "").strip()


@pytest.mark.parametrize("name", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_a_room_lists_its_modules(name: str) -> None:
    """The docstring of a room or package names every module and room in it."""
    inside = [
        other.rpartition(".")[2]
        for other in MODULES
        if other.rpartition(".")[0] == name and "__main__" not in other
    ]
    text = ast.get_docstring(TREES[name]) or ""
    assert [other for other in inside if other not in text] == []


@pytest.mark.parametrize(
    "name", [name for name, path in MODULES.items() if path.name == "__init__.py" and name.count(".")]
)
def test_the_init_of_a_room_imports_nothing(name: str) -> None:
    """The ``__init__`` of a room only has a docstring, so importing one module loads no other."""
    statements = [
        node for node in executed_at_import(TREES[name]) if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    modules = {target for node in statements for target in imported(node)}
    assert modules <= {"__future__", "sys", "collections"}
    assert all(not node.level for node in statements if isinstance(node, ast.ImportFrom))


def test_import_is_light() -> None:
    """Importing the package loads neither torch, numpy, Pillow nor zstandard; using it loads no torch."""
    script = (
        "import json, sys, gen5core\n"
        "first = [name for name in ('torch', 'numpy', 'PIL', 'zstandard') if name in sys.modules]\n"
        "for name in gen5core.__all__: getattr(gen5core, name)\n"
        "print(json.dumps([first, 'torch' in sys.modules]))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [[], False]

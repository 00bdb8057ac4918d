"""The house rules of gen5core, read off its source: one way only, no network, no pickle, no noise."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gen5core

PACKAGE = Path(gen5core.__file__).parent
MODULES = {path.stem: path for path in sorted(PACKAGE.glob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}
LAYERS = (
    ("errors", "spec"),
    ("records",),
    ("chunks", "manifest", "tensors", "images", "environment"),
    ("reader", "writer"),
    ("handler", "cli", "__main__"),
)
"""Each knows only those above it, through whatever modules are between."""
FOREIGN = {"nodes", "comfy", "comfy_extras", "comfy_api", "folder_paths", "server", "execution"}
NETWORK = {"socket", "ssl", "urllib", "urllib3", "requests", "http", "httpx", "aiohttp", "ftplib", "smtplib"}
PICKLING = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__"}
MAX_LINES = 330


def imported(node: ast.AST) -> list[str]:
    """Return the modules that an import statement names; ours as ``.name``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level == 0:
            return [node.module or ""]
        return (
            [f".{node.module.split('.')[0]}"] if node.module else [f".{alias.name}" for alias in node.names]
        )
    return []


def own_imports(name: str) -> set[str]:
    """Return the modules of this package that a module imports, anywhere in it."""
    found = {target for node in ast.walk(TREES[name]) for target in imported(node)}
    absolute = {target.split(".")[1] for target in found if target.startswith("gen5core.")}
    return {target[1:] for target in found if target.startswith(".")} & set(MODULES) | absolute


def reachable(name: str) -> set[str]:
    """Return every module that a module imports, directly or through others."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for target in own_imports(waiting.pop()) - seen:
            seen.add(target)
            waiting.append(target)
    return seen


def executed_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements that importing a module runs: no function bodies, no ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from executed_at_import(child)


def test_the_layers_exist() -> None:
    """Every module that the layers name is there, so that the tests below look at something."""
    named = {name for layer in LAYERS for name in layer}
    assert set() == named - set(MODULES) - {"cli", "__main__"}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "__init__"])
def test_imports_go_one_way(name: str) -> None:
    """No module imports itself back, and none of a lower layer reaches one of a higher."""
    assert name not in reachable(name)
    rank = {module: index for index, layer in enumerate(LAYERS) for module in layer}
    if name in rank:
        above = {module for module in reachable(name) if rank.get(module, -1) > rank[name]}
        assert set() == above


def test_the_foundation_stands_alone() -> None:
    """Errors and fixed facts import nothing of the package; records no more than those."""
    assert (set(), set()) == (own_imports("errors"), own_imports("spec"))
    assert {"errors", "spec"} >= own_imports("records")


@pytest.mark.parametrize("name", MODULES)
def test_imports_nothing_foreign(name: str) -> None:
    """No ComfyUI, no network and no pickle, wherever in the module."""
    found = {target.split(".")[0] for node in ast.walk(TREES[name]) for target in imported(node)}
    assert set() == found & (FOREIGN | NETWORK | PICKLING)


@pytest.mark.parametrize("name", MODULES)
def test_imports_torch_only_when_asked(name: str) -> None:
    """torch is imported inside the function that needs a tensor, never as a module loads."""
    found = {target.split(".")[0] for node in executed_at_import(TREES[name]) for target in imported(node)}
    assert set() == found & {"torch"}


@pytest.mark.parametrize("name", MODULES)
def test_calls_nothing_dangerous(name: str) -> None:
    """No eval, exec or compile; nothing printed outside the command line."""
    called = {
        node.func.id
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    forbidden = CALLS if name.startswith(("cli", "__main__")) else CALLS | {"print"}
    assert set() == called & forbidden


@pytest.mark.parametrize("name", MODULES)
def test_module_is_short(name: str) -> None:
    """A module has one responsibility, and fits on few screens."""
    assert len(MODULES[name].read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", MODULES)
def test_module_says_what_it_is(name: str) -> None:
    """Every module begins with a sentence of what it is for."""
    assert (ast.get_docstring(TREES[name]) or "").strip()


def test_import_is_light() -> None:
    """Importing the package loads neither torch, numpy, Pillow nor zstandard; using it loads no torch."""
    script = (
        "import json, sys, gen5core\n"
        "first = [name for name in ('torch', 'numpy', 'PIL', 'zstandard') if name in sys.modules]\n"
        "for name in gen5core.__all__: getattr(gen5core, name)\n"
        "print(json.dumps([first, 'torch' in sys.modules]))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=PACKAGE.parent, check=True, capture_output=True, text=True)
    assert [[], False] == json.loads(done.stdout)

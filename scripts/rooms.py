"""The rooms of both packages and the imports between them, as a table: ``python scripts/rooms.py [ROOT]``.

A room is a sub-package, or a module that lies directly in its package. A room may import only rooms that stand before
it in ROOMS; modules of one room never import each other in a circle. ``tests/unit/test_house.py`` holds both.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

ROOMS = {
    "gen5core": (
        "errors",
        "files",
        "graph",
        "container",
        "tensors",
        "environment",
        "signatures",
        "images",
        "carrier",
        "reader",
        "writer",
        "rewrite",
        "diff",
        "handler",
        "convert",
        "cli",
        "__main__",
    ),
    "nodes": ("host", "tensors", "prompt", "models", "stored", "sampling", "library", "saving", "server"),
}
"""From the ground up. In nodes/ every other module is a node."""
NODE = "(nodes)"
Arrow = tuple[str, str]


def find_modules(root: Path, package: str) -> dict[str, Path]:
    """Return the modules of a package by their dotted names; a sub-package is its ``__init__``."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str) -> str:
    """Return the room that a module is in; the package's own ``__init__`` is in none, which is ''."""
    package, _, inner = module.partition(".")
    room = inner.split(".")[0]
    return NODE if package == "nodes" and room and room not in ROOMS["nodes"] else room


def find_arrows(root: Path, package: str) -> set[Arrow]:
    """Return every import of one module of a package by another, wherever in the module it stands.

    The package's own ``__init__`` is the front of the house and left out.
    """
    modules = find_modules(root, package)
    del modules[package]
    return {
        (name, target)
        for name, path in modules.items()
        for target in _imported(name, path, modules)
        if target != name
    }


def foreign_imports(root: Path, package: str, other: str) -> set[Arrow]:
    """Return the imports that modules of one package make of the other."""
    modules = find_modules(root, other)
    return {
        (name, target)
        for name, path in find_modules(root, package).items()
        for target in _imported(name, path, modules)
    }


def _imported(name: str, path: Path, known: Collection[str]) -> Iterator[str]:
    """Yield those of the known modules that one module imports; ``from .room import module`` means the module."""
    folder = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            targets = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            targets = [(f"{module}.{alias.name}", module) for alias in node.names]
        else:
            continue
        for target, otherwise in targets:
            yield from [found for found in (target, otherwise) if found in known][:1]


def backward(arrows: set[Arrow], package: str) -> list[Arrow]:
    """Return the imports that lead from a room to one above it, or from one node to another."""
    rank = {"": -1, **{room: index for index, room in enumerate(ROOMS[package])}, NODE: 99}
    return sorted(
        (name, target)
        for name, target in arrows
        if room_of(name)
        and room_of(target)
        and (
            rank[room_of(target)] > rank[room_of(name)]
            if room_of(name) != room_of(target)
            else room_of(name) == NODE
        )
    )


def circles(arrows: set[Arrow]) -> list[str]:
    """Return the modules that import themselves through others."""
    targets: dict[str, set[str]] = {}
    for name, target in arrows:
        targets.setdefault(name, set()).add(target)

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in targets.get(waiting.pop(), set()) - seen:
                seen.add(target)
                waiting.append(target)
        return seen

    return sorted(name for name in targets if name in reaches(name))


def between_rooms(arrows: set[Arrow]) -> set[Arrow]:
    """Return the imports between rooms, each pair once."""
    pairs = {(room_of(name), room_of(target)) for name, target in arrows}
    return {(name, target) for name, target in pairs if name != target and name and target}


def print_package(root: Path, package: str) -> None:
    """Print one line per room, then the counts."""
    modules = find_modules(root, package)
    arrows = find_arrows(root, package)
    pairs = between_rooms(arrows)
    sizes = Counter(room_of(name) for name in modules)
    known = [room for room in (*ROOMS[package], NODE) if sizes[room]]
    rooms = known + sorted(room for room in sizes if room and room not in known)
    lines = Counter()
    for name, path in modules.items():
        lines[room_of(name)] += len(path.read_text("utf-8").splitlines())
    print(f"{package}\n  {'room':<18}{'modules':>8}{'lines':>7}  imports")
    for room in rooms:
        imported = [target for target in rooms if (room, target) in pairs]
        print(f"  {room:<18}{sizes[room]:>8}{lines[room]:>7}  {' '.join(imported)}")
    print(f"  {len(modules)} modules, {len(arrows)} imports between them, {len(pairs)} between rooms")
    if set(rooms) <= {*ROOMS[package], NODE}:
        print(f"  leading back: {backward(arrows, package) or 'none'}")
    else:
        print("  leading back: not known, since the rooms have no order here")
    print(f"  circles: {circles(arrows) or 'none'}\n")


def main() -> None:
    """Print both packages of the checkout at ROOT, by default this one."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    for package in ROOMS:
        print_package(root, package)
    across = foreign_imports(root, "nodes", "gen5core")
    print(f"nodes imports gen5core {len(across)} times; gen5core imports nodes: ", end="")
    print(sorted(foreign_imports(root, "gen5core", "nodes")) or "never")


if __name__ == "__main__":
    main()

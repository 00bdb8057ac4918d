"""Run the attacks and print a table of each; exit 1 if one got through."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from collections.abc import Iterable

from scripts import attack
from scripts.attack.rows import Row

_NOT_ATTACKS = ("__main__", "rows")


def names() -> list[str]:
    """Return the modules of this folder that hold attacks."""
    return sorted(name for _, name, _ in pkgutil.iter_modules(attack.__path__) if name not in _NOT_ATTACKS)


def table(title: str, rows: Iterable[Row]) -> bool:
    """Print a Markdown table as its rows come, and return whether every attack was held off."""
    print(f"\n## {title}\n\n| attack | right | seen | |\n|---|---|---|---|", flush=True)
    held = True
    for row in rows:
        held = held and row.held
        print(
            f"| {row.attack} | {row.right} | {row.seen} | {'held' if row.held else '**THROUGH**'} |",
            flush=True,
        )
    return held


def main(arguments: list[str] | None = None) -> int:
    """Run the attacks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}; all by default"
    )
    chosen = parser.parse_args(arguments).names
    unknown = set(chosen) - set(names())
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no such attack; there are {', '.join(names())}")
    through = []
    for name in chosen or names():
        module = importlib.import_module(f"scripts.attack.{name}")
        start = time.monotonic()
        if not table(module.TITLE, module.rows()):
            through.append(name)
        print(f"\n{name}: {time.monotonic() - start:.1f} s", flush=True)
    if through:
        print(f"\nGot through: {', '.join(through)}", file=sys.stderr)
    return 1 if through else 0


if __name__ == "__main__":
    sys.exit(main())

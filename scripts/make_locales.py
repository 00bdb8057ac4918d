"""Write locales/en/nodeDefs.json: the texts of the nodes, in the form that ComfyUI reads for translation.

Usage: ``python scripts/make_locales.py``. A test compares the file with this script's output. The texts of settings
and commands belong to the web extension and are checked in ``tests/web/settings.test.js``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[1] / "locales" / "en" / "nodeDefs.json"
TRANSLATION_SYNTAX = re.compile(r"[{}|@]")
"""Characters that the frontend's translation would interpret."""


def main() -> int:
    """Write the file."""
    from load_pack import load_pack  # here, since tests load the pack under another name

    pack = load_pack()
    text = locale_text(pack.NODE_CLASS_MAPPINGS, pack.NODE_DISPLAY_NAME_MAPPINGS)
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text, encoding="utf-8")
    print(f"{PATH.relative_to(PATH.parents[2])}: {len(text.encode()):,} bytes")
    return 0


def locale_text(classes: Mapping[str, Any], display_names: Mapping[str, str]) -> str:
    """Return the file's text.

    Raises
    ------
    ValueError
        if a text has characters that the frontend's translation would interpret.
    """
    nodes = {node_id: describe(node, display_names[node_id]) for node_id, node in classes.items()}
    text = json.dumps(nodes, ensure_ascii=False, indent=2) + "\n"
    for word in _texts(nodes):
        if TRANSLATION_SYNTAX.search(word):
            raise ValueError(f"{word!r} has one of {{ }} | @, which the frontend would interpret: reword it")
    return text


def describe(node: Any, display_name: str) -> dict[str, Any]:
    """Return the texts of one node class under the frontend's keys."""
    return {
        "display_name": display_name,
        "description": node.DESCRIPTION,
        "inputs": dict(_inputs(node)),
        "outputs": dict(_outputs(node)),
    }


def _inputs(node: Any) -> Iterator[tuple[str, dict[str, str]]]:
    groups = node.INPUT_TYPES()
    for group in ("required", "optional"):
        for name, declared in groups.get(group, {}).items():
            options = declared[1] if len(declared) > 1 else {}
            yield name, {"name": name, "tooltip": options["tooltip"]}


def _outputs(node: Any) -> Iterator[tuple[str, dict[str, str]]]:
    tooltips = getattr(node, "OUTPUT_TOOLTIPS", ())
    for number, name in enumerate(node.RETURN_NAMES):
        tooltip = {"tooltip": tooltips[number]} if number < len(tooltips) else {}
        yield str(number), {"name": name, **tooltip}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for inner in value.values():
            yield from _texts(inner)


if __name__ == "__main__":
    raise SystemExit(main())

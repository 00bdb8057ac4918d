"""The texts of locales/ are the nodes' own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from gen5pack import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

ROOT = Path(__file__).parents[2]


def _load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_locales", ROOT / "scripts" / "make_locales.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_locales = _load_script()


def test_words_are_the_nodes_own() -> None:
    """Names and tooltips are those of INPUT_TYPES; scripts/make_locales.py writes them."""
    expected = make_locales.locale_text(NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS)
    assert make_locales.PATH.read_text(encoding="utf-8") == expected


def test_every_locale_file_is_json() -> None:
    """ComfyUI skips a file that it cannot parse, with only a line in its log."""
    names = ("commands", "main", "nodeDefs", "settings")
    for name in names:
        assert json.loads((ROOT / "locales" / "en" / f"{name}.json").read_text(encoding="utf-8")), name


@pytest.mark.parametrize("text", ["one | two", "{name}", "me@home"])
def test_translation_syntax_is_refused(text: str) -> None:
    """Texts with the syntax of translations would be shown differently in the browser."""

    class Node:
        DESCRIPTION = text
        RETURN_NAMES = ()

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, object]:
            return {}

    with pytest.raises(ValueError, match="the frontend would interpret"):
        make_locales.locale_text({"Node": Node}, {"Node": "Node"})

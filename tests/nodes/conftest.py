"""The pack, loaded as ComfyUI loads it: by its path, under one name, with its core inside."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PACK = "gen5pack"
ROOT = Path(__file__).parents[2]


def _load_pack() -> None:
    spec = importlib.util.spec_from_file_location(
        PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACK] = module
    spec.loader.exec_module(module)


if PACK not in sys.modules:
    _load_pack()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for every test with an input/ and output/ of its own."""
    monkeypatch.setenv("GEN5_FOLDER", str(tmp_path))
    for kind in ("input", "output"):
        (tmp_path / kind).mkdir()
    return tmp_path

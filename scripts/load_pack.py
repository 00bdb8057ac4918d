"""Load this pack the way ComfyUI does: by its path, as one package that includes the library."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parents[1]
_NAME = "comfyui_gen5"


def load_pack(root: Path = _ROOT) -> ModuleType:
    """Return the pack; its node classes are in NODE_CLASS_MAPPINGS, the library is its sub-package ``.gen5core``.

    Parameters
    ----------
    root : the checkout to load, by default this one
    """
    spec = importlib.util.spec_from_file_location(
        _NAME, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None
    assert spec.loader is not None
    pack = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = pack
    spec.loader.exec_module(pack)
    return pack

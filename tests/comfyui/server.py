"""One running ComfyUI with this pack and the test pack linked in: ``scripts/comfyui_server.py``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .launcher import PACK, PACK_NAME, GraphError, ServerBase, ServerError

__all__ = ["PACKS", "TEST_PACK_NAME", "GraphError", "Server", "ServerError", "cached_nodes"]

TEST_PACK_NAME = "gen5-test-pack"
PACKS = {PACK_NAME: PACK, TEST_PACK_NAME: Path(__file__).parent / "pack"}


class Server(ServerBase):
    """A ComfyUI that knows the test pack's nodes as well."""

    packs = PACKS


def cached_nodes(entry: Mapping[str, Any]) -> set[str]:
    """Return the ids of the nodes that a prompt's history says were taken from the cache."""
    messages = entry["status"]["messages"]
    return {node for event, data in messages if event == "execution_cached" for node in data["nodes"]}

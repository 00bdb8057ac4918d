"""Gen5Gate, which the server inserts: hands Save Gen5 what Gen5Values saw, if that saw anything."""

from __future__ import annotations

from typing import Any

from . import host
from .saving.observed import Observed, recall


class Gen5Gate:
    """What Gen5Values saw in this prompt; nothing if ComfyUI blocked that node, which must not block the save."""

    CATEGORY = "Gen5"
    DESCRIPTION = (
        "Part of automatic recording: the server inserts it between Gen5Values and Save Gen5. There is no need to add "
        "it yourself."
    )
    RETURN_TYPES = ("GEN5_OBSERVED",)
    RETURN_NAMES = ("observed",)
    OUTPUT_TOOLTIPS = ("What Gen5Values saw.",)
    FUNCTION = "hand_over"
    DEPRECATED = DEV_ONLY = True
    """Menus leave it out: versions that do not know DEV_ONLY go by DEPRECATED."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        # a raw link makes ComfyUI run the other node first, and hands over the link itself
        return {
            "required": {"values": ("GEN5_OBSERVED", {"rawLink": True, "tooltip": "What Gen5Values saw."})}
        }

    def hand_over(self, values: Any) -> tuple[Observed | None]:
        """Return what the Gen5Values at the other end of a link saw."""
        node_id = values[0] if isinstance(values, list) and values else ""
        return (recall(str(node_id), host.executing()[0]),)

"""Gen5 Settings: what a sampler was set to, as values that connect to a sampler's widgets."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from . import host
from .stored.file import StoredFile
from .stored.settings import stored_settings


class AnyType(str):
    """A type that every socket accepts: a KSampler's lists take neither "COMBO" nor a copy of theirs."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


class Gen5Settings:
    """The settings of a stored sampler pass."""

    CATEGORY = "Gen5"
    DESCRIPTION = "The stored sampler settings, ready to connect to a KSampler's widgets."
    RETURN_TYPES = (
        "INT",
        "INT",
        "FLOAT",
        AnyType("COMBO"),
        AnyType("COMBO"),
        "FLOAT",
        "STRING",
        "STRING",
        "INT",
        "INT",
        "STRING",
    )
    RETURN_NAMES = (
        "seed",
        "steps",
        "cfg",
        "sampler_name",
        "scheduler",
        "denoise",
        "positive",
        "negative",
        "width",
        "height",
        "model_name",
    )
    OUTPUT_TOOLTIPS = (
        "The stored seed.",
        "The stored count of steps.",
        "The stored cfg.",
        "The stored sampler; connect it to a widget of that name.",
        "The stored scheduler; connect it to a widget of that name.",
        "The stored denoise.",
        "The positive prompt, where the graph tells it.",
        "The negative prompt, where the graph tells it.",
        "Width of the picture in pixels.",
        "Height of the picture in pixels.",
        "The checkpoint or diffusion model, as its loader names it.",
    )
    FUNCTION = "read"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"gen5": ("GEN5", {"tooltip": "The stored file: Load Gen5's `gen5`."})},
            "optional": {
                "pass_index": (
                    "INT",
                    {
                        "default": -1,
                        "min": -999,
                        "max": 999,
                        "tooltip": "Which sampler pass, 0 being the first; −1 the last.",
                    },
                ),
            },
        }

    def read(self, gen5: StoredFile, pass_index: int = -1) -> tuple[Any, ...]:
        """Return the settings; what the file does not tell is blocked with the reason."""
        with gen5.open() as file:
            found = stored_settings(file, pass_index)
        unknown = {
            "sampler_name": _unknown_name("sampler", found.get("sampler_name"), host.sampler_names()),
            "scheduler": _unknown_name("scheduler", found.get("scheduler"), host.scheduler_names()),
        }
        return tuple(_output(found.get(name), name, unknown.get(name), gen5) for name in self.RETURN_NAMES)


def _output(value: Any, name: str, unknown: str | None, gen5: StoredFile) -> Any:
    """Return a setting, or stop what needs it: where the file does not tell, or this ComfyUI does not know it."""
    if value is None:
        return host.blocked(f"{gen5.path.name} does not tell {name}")
    return value if unknown is None else host.blocked(unknown)


def _unknown_name(kind: str, name: Any, known: Sequence[str] | None) -> str | None:
    """Return what to say of a name that a KSampler does not list, with the nearest that it does; None if it does."""
    if name is None or known is None or name in known:
        return None
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    nearest = f"the nearest here: {', '.join(close)}" if close else f"there are {', '.join(known)}"
    return f"the stored {kind} {name!r:.80} is not known to this ComfyUI; {nearest}"

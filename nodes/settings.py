"""Gen5 Settings: the stored settings of a sampler, as values that connect to a sampler's widgets."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from . import host
from .stored.file import StoredFile
from .stored.settings import stored_settings


class AnyType(str):
    """A type that every socket accepts; a KSampler's list inputs accept neither "COMBO" nor a copy of their list.

    ComfyUI compares socket types with ``!=``.
    """

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
        "The stored number of steps.",
        "The stored cfg.",
        "The stored sampler; connect it to a widget of that name.",
        "The stored scheduler; connect it to a widget of that name.",
        "The stored denoise.",
        "The positive prompt, if the graph shows it.",
        "The negative prompt, if the graph shows it.",
        "Width of the picture in pixels.",
        "Height of the picture in pixels.",
        "The checkpoint or diffusion model, named as in its loader.",
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
                        "tooltip": "Which sampler pass to read: 0 is the first, −1 the last.",
                    },
                ),
            },
        }

    def read(self, gen5: StoredFile, pass_index: int = -1) -> tuple[Any, ...]:
        """Return the settings; a setting that the file lacks is blocked with the reason."""
        with gen5.open() as file:
            found = stored_settings(file, pass_index)
        unknown = {
            "sampler_name": _describe_unknown("sampler", found.get("sampler_name"), host.sampler_names()),
            "scheduler": _describe_unknown("scheduler", found.get("scheduler"), host.scheduler_names()),
        }
        types = zip(self.RETURN_NAMES, self.RETURN_TYPES, strict=True)
        return tuple(_output(found.get(name), name, kind, unknown.get(name), gen5) for name, kind in types)


_KINDS = {"INT": (int,), "FLOAT": (int, float)}
_KIND_NAMES = {"INT": "a whole number", "FLOAT": "a number"}


def _output(value: Any, name: str, kind: str, unknown: str | None, gen5: StoredFile) -> Any:
    """Return a setting; blocked if the file lacks it, it is of another kind, or this ComfyUI does not know the name."""
    if value is None:
        return host.blocked(f"{gen5.path.name} has no value for {name}; set that widget by hand")
    if type(value) not in _KINDS.get(kind, (str,)):
        what = _KIND_NAMES.get(kind, "a text")
        return host.blocked(
            f"the {name} in {gen5.path.name} is {value!r:.80}, not {what}; set that widget by hand"
        )
    return value if unknown is None else host.blocked(unknown)


def _describe_unknown(kind: str, name: Any, known: Sequence[str] | None) -> str | None:
    """Return a message about a name that KSampler does not offer, with the nearest that it does; None if it does."""
    if name is None or known is None or name in known:
        return None
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    nearest = f"the nearest here: {', '.join(close)}" if close else f"available: {', '.join(known)}"
    return f"the stored {kind} {name!r:.80} is not known to this ComfyUI; {nearest}"

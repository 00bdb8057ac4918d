"""GEN5: one checked file with everything that made an image.

Start here::

    import gen5core
    gen5core.save("cat.gen5", latents={"initial_noise": noise}, images=pixels, prompt="a cat")
    with gen5core.open("cat.gen5") as file:
        noise = file.latents["initial_noise"].array()

The layers, each knowing only those above it:

========================  =====================================================================
errors, spec              one family of errors; the format's fixed facts and limits
records                   frozen records that flow: Header, ChunkRow, Drift, SamplerPass …
jsontext, header, chunks  strict JSON; the sealed header; framing, zstd, digests
tensors, images           arrays <-> payloads; pixels <-> PNG
table, manifest           the chunk table and META
probes, torch_facts       what can be asked of a machine and of torch
hardware, environment     hardware_info; the ENVC components, captured and compared
source, payloads, stored  positional reads; checked payloads; tensors and images on demand
reader                    bytes -> Gen5File, bounds first, lazy
atomic, model_info        whole files or none; settings checked
writer                    records -> one atomic file
========================  =====================================================================

Nothing here imports torch, knows ComfyUI, prints, or touches the network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .environment import Environment
    from .errors import (
        ChecksumError,
        ChunkNotFoundError,
        EncodeError,
        FormatError,
        Gen5Error,
        LimitError,
        MalformedChunkError,
        NotGen5Error,
        TruncatedError,
        UnsupportedDtypeError,
        UnsupportedVersionError,
    )
    from .handler import Gen5FileHandler
    from .images import encode_image
    from .reader import Gen5File, open
    from .records import Drift, Report, SamplerPass
    from .spec import Limits
    from .writer import save

__all__ = [
    "ChecksumError",
    "ChunkNotFoundError",
    "Drift",
    "EncodeError",
    "Environment",
    "FormatError",
    "Gen5Error",
    "Gen5File",
    "Gen5FileHandler",
    "LimitError",
    "Limits",
    "MalformedChunkError",
    "NotGen5Error",
    "Report",
    "SamplerPass",
    "TruncatedError",
    "UnsupportedDtypeError",
    "UnsupportedVersionError",
    "encode_image",
    "open",
    "save",
]

_HOMES = {
    "environment": ("Environment",),
    "errors": (
        "ChecksumError",
        "ChunkNotFoundError",
        "EncodeError",
        "FormatError",
        "Gen5Error",
        "LimitError",
        "MalformedChunkError",
        "NotGen5Error",
        "TruncatedError",
        "UnsupportedDtypeError",
        "UnsupportedVersionError",
    ),
    "handler": ("Gen5FileHandler",),
    "images": ("encode_image",),
    "reader": (
        "Gen5File",
        "open",
    ),
    "records": (
        "Drift",
        "Report",
        "SamplerPass",
    ),
    "spec": ("Limits",),
    "writer": ("save",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the package itself loads in no time."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value

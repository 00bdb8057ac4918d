"""GEN5: one checked file with everything that made an image.

Start here::

    import gen5core
    gen5core.save("cat.gen5", latents={"initial_noise": noise}, images=pixels, prompt="a cat")
    with gen5core.open("cat.gen5") as file:
        noise = file.latents["initial_noise"].array()

The rooms, from the ground up. A room imports only those above it in this list:

===============  =====================================================================
errors           one family of errors
files            what the operating system wants of paths, writes and threads
graph            a ComfyUI prompt -> its sampler passes; ``graph.tables`` knows the node classes
container        the bytes of FORMAT.md: header, chunks, chunk table, META, trailers
tensors          arrays <-> LATN payloads; seeds -> noise
environment      what this machine is, and how two machines differ; digests of model files
signatures       Ed25519 keys, the SIGN trailer, whom you trust
images           pixels <-> PNG; the one walker of PNG chunks
carrier          a PNG that carries a GEN5 file
reader           bytes -> Gen5File
writer           values -> one atomic file
rewrite          a file -> another file, copying what stays: sign, carry, scrub
diff, handler    two files compared; the documented 0.1.0 API
convert          other formats, in and out
cli              the command
===============  =====================================================================

Each room's docstring says which module does what. No room imports torch before a tensor needs it, imports
ComfyUI, prints (the command aside) or touches the network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

if TYPE_CHECKING:
    from .carrier.find import is_carrier
    from .container.spec import Limits
    from .environment.components import Environment
    from .environment.hardware import Drift
    from .errors import (
        ChecksumError,
        ChunkNotFoundError,
        EncodeError,
        FormatError,
        Gen5Error,
        InvalidKeyError,
        LimitError,
        MalformedChunkError,
        NotGen5Error,
        SignatureError,
        TruncatedError,
        UnsupportedDtypeError,
        UnsupportedVersionError,
    )
    from .graph.passes import sampler_passes
    from .graph.sampler_pass import SamplerPass
    from .handler import Gen5FileHandler
    from .images.png_encode import encode_image
    from .reader.file import Gen5File, open
    from .reader.partial import open_parts
    from .reader.report import Report
    from .rewrite.sign import sign_file
    from .signatures.key_files import configured_signing_key, load_signing_key
    from .signatures.keys import PublicKey, SigningKey
    from .signatures.trust import Signature, Trust
    from .signatures.trusted_keys import load_trusted_keys
    from .tensors.noise import comfy_noise, per_image_noise
    from .writer.save import save

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
    "InvalidKeyError",
    "LimitError",
    "Limits",
    "MalformedChunkError",
    "NotGen5Error",
    "PublicKey",
    "Report",
    "SamplerPass",
    "Signature",
    "SignatureError",
    "SigningKey",
    "TruncatedError",
    "Trust",
    "UnsupportedDtypeError",
    "UnsupportedVersionError",
    "comfy_noise",
    "configured_signing_key",
    "encode_image",
    "is_carrier",
    "load_signing_key",
    "load_trusted_keys",
    "open",
    "open_parts",
    "per_image_noise",
    "sampler_passes",
    "save",
    "sign_file",
]

_HOMES = {
    "carrier.find": ("is_carrier",),
    "container.spec": ("Limits",),
    "environment.components": ("Environment",),
    "environment.hardware": ("Drift",),
    "errors": (
        "ChecksumError",
        "ChunkNotFoundError",
        "EncodeError",
        "FormatError",
        "Gen5Error",
        "InvalidKeyError",
        "LimitError",
        "MalformedChunkError",
        "NotGen5Error",
        "SignatureError",
        "TruncatedError",
        "UnsupportedDtypeError",
        "UnsupportedVersionError",
    ),
    "graph.passes": ("sampler_passes",),
    "graph.sampler_pass": ("SamplerPass",),
    "handler": ("Gen5FileHandler",),
    "images.png_encode": ("encode_image",),
    "reader.file": ("Gen5File", "open"),
    "reader.partial": ("open_parts",),
    "reader.report": ("Report",),
    "rewrite.sign": ("sign_file",),
    "signatures.key_files": ("configured_signing_key", "load_signing_key"),
    "signatures.keys": ("PublicKey", "SigningKey"),
    "signatures.trust": ("Signature", "Trust"),
    "signatures.trusted_keys": ("load_trusted_keys",),
    "tensors.noise": ("comfy_noise", "per_image_noise"),
    "writer.save": ("save",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the package itself loads in no time."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value

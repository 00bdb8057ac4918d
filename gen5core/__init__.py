"""GEN5: one checked file for an image and what it takes to make it again.

Start here::

    import gen5core
    gen5core.save("cat.gen5", latents={"initial_noise": noise}, images=pixels, prompt="a cat")
    with gen5core.open("cat.gen5") as file:
        noise = file.latents["initial_noise"].array()

A *record* is everything such a file holds except the picture itself. The rooms, lowest layer first; a room imports only
rooms above it in this list:

=============  ===============================================================================
errors         the exceptions, all of one family
files          names, paths and atomic writes on every operating system; a small thread pool
graph          a ComfyUI prompt -> its sampler passes; ``graph.tables`` describes node classes
container      the bytes of FORMAT.md: header, chunks, chunk table, META, trailers; the limits
tensors        arrays <-> LATN payloads; seeds -> noise
environment    what this machine is, how two machines differ (drift), digests of model files
signatures     Ed25519 keys, the SIGN trailer, the list of trusted keys
images         pixels <-> PNG, decoding of JPEG and WebP; the only parser of PNG chunks
carrier        PNG files that carry a record
reader         bytes -> Gen5File
writer         values -> one file, written atomically
rewrite        changes to an existing file: sign, carry in a PNG and back, scrub
diff, handler  compares two files; the documented API of the package gen5 0.1.0
convert        import from and export to other formats
cli            the ``gen5core`` command
=============  ===============================================================================

The docstring of a room says what each of its modules does. No room imports ComfyUI, uses the network, prints (except
the command), or imports torch before a tensor is needed.
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
        PromptError,
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
    "PromptError",
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

_EXPORTS = {
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
        "PromptError",
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
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that importing the package itself stays fast."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value  # the next access does not come here
    return value

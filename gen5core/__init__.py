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
deflate                   the pixel stream of a PNG, in pieces side by side
tensors, images           arrays <-> payloads; pixels <-> PNG
table, manifest           the chunk table and META
probes, torch_facts       what can be asked of a machine and of torch
hardware, environment     hardware_info; the ENVC components, captured and compared
noise                     the starting noise of a seed, by the documented conventions
graph …                   a ComfyUI prompt -> sampler passes: graph_links, graph_walk, graph_rules,
                          graph_pass; the tables samplers, sampler_parts, node_*
fingerprint               model files told apart
windows, atomic           what Windows asks of names and paths; whole files or none
source, payloads, stored  positional reads; checked payloads; tensors and images on demand
dsse, keys, key_files     what a signature is made over; Ed25519 keys; where they lie
trailers, signatures,     what follows META; the SIGN trailer; the keys that you trust
trusted_keys
carrier, carrier_meta,    a PNG that carries a file: found, what META says of it, its picture, and what else a
picture, rewritten        PNG shows or tells that another program wrote anew
reader, reports, parts    bytes -> Gen5File, bounds first, lazy; what a check says; a file by its header and
                          META alone
container                 payloads and META -> one file
carrier_writer            a picture and a record -> one PNG
model_info, writer        settings checked; what a caller has -> a file
signing                   a file -> the same file, signed
handler                   Gen5FileHandler, the documented 0.1.0 API
compare, convert, scrub   two files; other formats (exports, safetensors_file, raw_latents,
                          png_text, carrier_convert); what leaves the machine (private_paths, image_privacy)
cli …                     the command: cli_group, cli_commands, cli_transfer, cli_keys,
                          cli_verify, cli_show, cli_text, cli_files
========================  =====================================================================

Nothing here imports torch before a tensor is named, imports ComfyUI, prints (the command aside), or touches
the network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

if TYPE_CHECKING:
    from .carrier import is_carrier
    from .environment import Environment
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
    from .graph import sampler_passes
    from .handler import Gen5FileHandler
    from .images import encode_image
    from .key_files import configured_signing_key, load_signing_key
    from .keys import PublicKey, SigningKey
    from .noise import comfy_noise, per_image_noise
    from .parts import open_parts
    from .reader import Gen5File, open
    from .records import Drift, Report, SamplerPass, Signature, Trust
    from .signing import sign_file
    from .spec import Limits
    from .trusted_keys import load_trusted_keys
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
    "carrier": ("is_carrier",),
    "environment": ("Environment",),
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
    "graph": ("sampler_passes",),
    "handler": ("Gen5FileHandler",),
    "images": ("encode_image",),
    "key_files": ("configured_signing_key", "load_signing_key"),
    "keys": ("PublicKey", "SigningKey"),
    "noise": ("comfy_noise", "per_image_noise"),
    "parts": ("open_parts",),
    "reader": (
        "Gen5File",
        "open",
    ),
    "records": (
        "Drift",
        "Report",
        "SamplerPass",
        "Signature",
        "Trust",
    ),
    "signing": ("sign_file",),
    "spec": ("Limits",),
    "trusted_keys": ("load_trusted_keys",),
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

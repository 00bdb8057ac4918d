"""The models behind an image, by kind, name and digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...gen5core.environment.model_digests import DigestCache, DigestKind, digest_name
from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host

_MODEL = ("checkpoints", "diffusion_models", "unet", "unet_gguf")
_CLIP = ("text_encoders", "clip", "clip_gguf")


def describe_resources(passes: Sequence[SamplerPass], kind: str) -> list[dict[str, Any]]:
    """Return the models of all passes, each once; digests as asked for, where the file is found.

    Parameters
    ----------
    kind : ``sampled``, ``full`` or ``off``
    """
    seen = dict.fromkeys(named for found in passes for named in _named(found))
    return [_describe(resource, folders, name, kind) for resource, folders, name in seen]


def describe_resource(stored: Mapping[str, Any], *, quick: bool = False) -> dict[str, Any] | None:
    """Return what this machine has under a stored resource's kind and name.

    None where nobody can tell. The digest is of the stored one's kind.

    Parameters
    ----------
    quick : for a page of facts: read no whole file, a full digest being told only where it is kept already;
        nor is it an error if a model cannot be read

    Raises
    ------
    OSError
    """
    kinds = {"lora": ("loras",), "vae": ("vae",), "text_encoder": _CLIP}
    name, digest_kind = stored.get("name"), stored.get("digest_kind")
    if not host.is_present() or not isinstance(name, str):
        return None
    asked = next((kind for kind in ("full", "sampled") if digest_name(kind) == digest_kind), "off")
    folders = kinds.get(str(stored.get("kind")), _MODEL)
    try:
        return _describe(str(stored.get("kind")), folders, name, asked, quick=quick)
    except OSError:
        if quick:
            return None
        raise


def _named(found: SamplerPass) -> Iterator[tuple[str, tuple[str, ...], str]]:
    if found.model_name:
        yield "model", _MODEL, found.model_name
    for name, _ in found.loras:
        yield "lora", ("loras",), name
    if found.vae_name:
        yield "vae", ("vae",), found.vae_name
    for name in found.clip_names:
        yield "text_encoder", _CLIP, name


def _describe(
    resource: str, folders: Sequence[str], name: str, kind: str, *, quick: bool = False
) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": resource, "name": name}
    path = host.model_file([*folders, *_MODEL], name)
    if path is None:
        return described
    described["size_bytes"] = path.stat().st_size
    if kind != "off":
        wanted: DigestKind = "full" if kind == "full" else "sampled"
        digest = _digest(path, wanted, quick)
        described |= {"digest": digest, "digest_kind": digest_name(wanted)} if digest else {}
    return described


def _digest(path: Path, kind: DigestKind, quick: bool) -> str | None:
    cache = DigestCache(host.user_folder() / "gen5" / "fingerprints.sqlite3")
    if not quick:
        return cache.digest(path, kind, host.progress(path.stat().st_size))
    return cache.known(path, kind) if kind == "full" else cache.digest(path, kind)

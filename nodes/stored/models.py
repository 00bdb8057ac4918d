"""The models that made an image, by kind, name and digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...gen5core.environment.model_digests import DigestCache, DigestKind, digest_name
from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host

_MODEL_FOLDERS = ("checkpoints", "diffusion_models", "unet", "unet_gguf")
_CLIP_FOLDERS = ("text_encoders", "clip", "clip_gguf")


def describe_resources(passes: Sequence[SamplerPass], kind: str) -> list[dict[str, Any]]:
    """Return the models of all passes, each once, with digests of those whose file is found.

    Parameters
    ----------
    kind : of digest: ``sampled``, ``full`` or ``off``
    """
    seen = dict.fromkeys(named for found in passes for named in _models_of(found))
    return [_describe(resource, folders, name, kind) for resource, folders, name in seen]


def describe_resource(stored: Mapping[str, Any], *, quick: bool = False) -> dict[str, Any] | None:
    """Return this machine's model of a stored resource's kind and name, with a digest of the same kind.

    None without ComfyUI, or if the resource has no name.

    Parameters
    ----------
    quick : do not read whole files, so a full digest is given only if it is cached; return None, not an
        error, if a model cannot be read

    Raises
    ------
    OSError
    """
    kinds = {"lora": ("loras",), "vae": ("vae",), "text_encoder": _CLIP_FOLDERS}
    name, digest_kind = stored.get("name"), stored.get("digest_kind")
    if not host.is_present() or not isinstance(name, str):
        return None
    kind = next((known for known in ("full", "sampled") if digest_name(known) == digest_kind), "off")
    folders = kinds.get(str(stored.get("kind")), _MODEL_FOLDERS)
    try:
        return _describe(str(stored.get("kind")), folders, name, kind, quick=quick)
    except OSError:
        if quick:
            return None
        raise


def _models_of(found: SamplerPass) -> Iterator[tuple[str, tuple[str, ...], str]]:
    if found.model_name:
        yield "model", _MODEL_FOLDERS, found.model_name
    for name, _ in found.loras:
        yield "lora", ("loras",), name
    if found.vae_name:
        yield "vae", ("vae",), found.vae_name
    for name in found.clip_names:
        yield "text_encoder", _CLIP_FOLDERS, name


def _describe(
    resource: str, folders: Sequence[str], name: str, kind: str, *, quick: bool = False
) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": resource, "name": name}
    path = host.model_file([*folders, *_MODEL_FOLDERS], name)
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
    return cache.cached(path, kind) if kind == "full" else cache.digest(path, kind)

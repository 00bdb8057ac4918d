"""The models that made an image, by kind, name and digest."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...gen5core.environment.model_digests import DigestCache, DigestKind, digest_name
from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host
from ..models.behind import NAMED, OFF, ModelFile, State
from ..models.kinds import (
    FOLDERS_BY_KIND,
    LORA,
    MODEL,
    MODEL_FOLDERS,
    TEXT_ENCODER,
    VAE,
    folders_of,
    has_model_suffix,
)

_ALSO_IN_MODELS = (MODEL, VAE, TEXT_ENCODER)
"""Kinds that may lie in a checkpoint's folder."""


def describe_resources(
    passes: Sequence[SamplerPass], files: Sequence[ModelFile], kind: str
) -> list[dict[str, Any]]:
    """Return the models of all passes, then all other files, each once, with digests of those that are found.

    Parameters
    ----------
    files : behind the image, whether a pass names them or not
    kind : of digest: ``sampled``, ``full`` or ``off``
    """
    states = {os.path.realpath(file.path): file.state for file in files}
    described, listed = [], set()
    for resource, name, state in _models_of(passes):
        path = _find(resource, name)
        real_path = "" if path is None else os.path.realpath(path)
        listed.add(real_path)
        described.append(_try_describe(resource, name, path, kind) | {"state": states.get(real_path, state)})
    further = [file for file in files if os.path.realpath(file.path) not in listed]
    return described + [
        _try_describe(file.kind, file.name, file.path, kind) | {"state": file.state} for file in further
    ]


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
    name, digest_kind, resource = stored.get("name"), stored.get("digest_kind"), str(stored.get("kind"))
    if not host.is_present() or not isinstance(name, str):
        return None
    kind = next((known for known in ("full", "sampled") if digest_name(known) == digest_kind), "off")
    try:
        return _describe(resource, name, _find(resource, name), kind, quick=quick)
    except OSError:
        if quick:
            return None
        raise


def _find(resource: str, name: str) -> Path | None:
    """Return this machine's file of a name, which may have been written on another system."""
    own = folders_of(resource)
    folders = (
        own if resource in FOLDERS_BY_KIND and resource not in _ALSO_IN_MODELS else (*own, *MODEL_FOLDERS)
    )
    if not has_model_suffix(name):  # a file names it: nothing but a model is read
        return None
    return host.model_file(folders, name) or host.model_file(folders, name.replace("\\", "/"))


def _models_of(passes: Sequence[SamplerPass]) -> Iterator[tuple[str, str, State]]:
    """Yield kind, name and state of the models that the passes name; a LoRA is off if it is in every pass."""
    used = {name for found in passes for name, strength in found.loras if strength != 0}
    named = ((kind, name) for found in passes for kind, name in _names_in(found))
    for kind, name in dict.fromkeys(named):
        yield kind, name, OFF if kind == LORA and name not in used else NAMED


def _names_in(found: SamplerPass) -> Iterator[tuple[str, str]]:
    if found.model_name:
        yield MODEL, found.model_name
    for name, _ in found.loras:
        yield LORA, name
    if found.vae_name:
        yield VAE, found.vae_name
    for name in found.clip_names:
        yield TEXT_ENCODER, name


def _try_describe(resource: str, name: str, path: Path | None, kind: str) -> dict[str, Any]:
    """Return what is known of a model; only its name if its file cannot be read, which must not cost the picture."""
    try:
        return _describe(resource, name, path, kind)
    except OSError:
        logging.warning("Gen5: %s %s cannot be read, so it is stored without a digest", resource, name)
        return {"kind": resource, "name": name}


def _describe(
    resource: str, name: str, path: Path | None, kind: str, *, quick: bool = False
) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": resource, "name": name}
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

"""The model files behind a node: those named above it, and those that nodes above it opened."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from ...gen5core.graph.sampler_pass import SamplerPass
from .. import host
from .index import Listed, ModelIndex, current_index
from .kinds import EMBEDDING, LORA, folders_of, kind_of, rank_of
from .mentions import Mention, mentions_of, nodes_above
from .opened import OpenedFiles, opened

State = Literal["loaded", "named", "off"]
LOADED: Final = "loaded"
NAMED: Final = "named"
OFF: Final = "off"
_STRENGTH: Final = {OFF: 0, NAMED: 1, LOADED: 2}
_LORA_LIKE: Final = (LORA, "hypernetwork")
"""Kinds whose loader has a strength of its own; a setting beside any other file may be about something else."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that a node depends on."""

    kind: str
    """As in META's ``resources``."""
    name: str
    """As ComfyUI lists it."""
    path: Path
    state: State
    node_ids: frozenset[str]
    """The nodes that name or opened it."""


def files_behind(prompt: Mapping[str, Any], node_id: str) -> list[ModelFile]:
    """Return the model files behind a node of the running prompt, each once; empty without ComfyUI.

    Parameters
    ----------
    prompt : as it runs, or with links replaced by the values that came through them
    """
    try:
        return _files_behind(prompt, node_id, current_index(), opened)
    except Exception:  # a picture must not be lost because its models could not be listed
        logging.exception("Gen5: the model files behind node %s could not be listed", node_id)
        return []


def mark_incomplete_loras(
    prompt: Mapping[str, Any], passes: Sequence[SamplerPass], files: Sequence[ModelFile]
) -> list[SamplerPass]:
    """Return the passes with ``loras`` unresolved if a LoRA above one is in no pass: its loader is not known."""
    known = {_plain(name) for found in passes for name, _ in found.loras}
    strays = [
        file.node_ids
        for file in files
        if file.kind == LORA and file.state != OFF and _plain(file.name) not in known
    ]
    if not strays:
        return list(passes)
    return [_with_unresolved_loras(found) if _is_below(prompt, found, strays) else found for found in passes]


def _with_unresolved_loras(found: SamplerPass) -> SamplerPass:
    return replace(found, unresolved=tuple(dict.fromkeys((*found.unresolved, "loras"))))


def _is_below(prompt: Mapping[str, Any], found: SamplerPass, strays: Sequence[Collection[str]]) -> bool:
    above = {found.node_id, *nodes_above(prompt, found.node_id, opened.follows)}
    return any(not above.isdisjoint(node_ids) for node_ids in strays)


def _files_behind(
    prompt: Mapping[str, Any], node_id: str, index: ModelIndex, notes: OpenedFiles
) -> list[ModelFile]:
    files: dict[str, ModelFile] = {}
    every_path: set[str] = set()
    for above in reversed(nodes_above(prompt, node_id, notes.follows)):
        paths = {os.path.realpath(path): path for path in sorted(notes.files_of(above))}
        every_path.update(paths)
        _merge(files, *_named_by(prompt, above, index, paths))
        unnamed = [index.find(path)[:1] for real_path, path in paths.items() if real_path not in files]
        _merge(files, *(_to_file(listed, LOADED, above) for found in unnamed for listed in found))
    return [  # a name may come through a link: then another node opens the file
        replace(file, state=LOADED) if path in every_path and file.state == NAMED else file
        for path, file in files.items()
    ]


def _named_by(
    prompt: Mapping[str, Any], node_id: str, index: ModelIndex, real_paths: Collection[str]
) -> Iterator[ModelFile | None]:
    for mention in mentions_of(prompt, node_id):
        listed = _choose(mention, _candidates(mention, index), index, real_paths)
        if listed is not None:
            kind = kind_of(listed.folder)
            is_off = mention.is_off and (mention.form != "value" or kind in _LORA_LIKE)
            found = _to_file(listed, OFF if is_off else NAMED, node_id)
            is_loaded = found is not None and not is_off and os.path.realpath(found.path) in real_paths
            yield replace(found, state=LOADED) if found is not None and is_loaded else found


def _candidates(mention: Mention, index: ModelIndex) -> list[Listed]:
    if mention.form == "lora":
        return index.find_stem(mention.text, folders_of(LORA))
    if mention.form == "embedding":
        stems = _embedding_names(mention.text)
        found = (index.find_stem(stem, folders_of(EMBEDDING)) for stem in stems)
        return next(filter(None, found), [])
    return index.find(mention.text)


def _embedding_names(text: str) -> Iterator[str]:
    """Yield what a tag may name: all of it, without punctuation at its end, without a weight."""
    yield text
    bare = text.rstrip(".,;:!?\"'")
    yield bare
    yield bare.rpartition(":")[0] or bare


def _choose(
    mention: Mention, candidates: Sequence[Listed], index: ModelIndex, real_paths: Collection[str]
) -> Listed | None:
    """Return the file that is meant: the one opened, else of the folder that the input lists, else the likeliest."""
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    options = frozenset(host.declared_options(mention.class_type, mention.input_name))
    words = f"{mention.input_name} {mention.class_type}".lower().replace("_", "")

    def unlikeliness(listed: Listed) -> tuple[bool, bool, bool, int]:
        path = host.model_file([listed.folder], listed.name)
        is_opened = path is not None and os.path.realpath(path) in real_paths
        is_listed = listed.name in options and options.issuperset(index.names(listed.folder))
        is_called_so = kind_of(listed.folder).replace("_", "") in words
        return not is_opened, not is_listed, not is_called_so, rank_of(listed.folder)

    return min(candidates, key=unlikeliness)


def _to_file(listed: Listed, state: State, node_id: str) -> ModelFile | None:
    """Return a listed file; None if it was deleted since."""
    path = host.model_file([listed.folder], listed.name)
    if path is None:
        return None
    return ModelFile(kind_of(listed.folder), listed.name, path, state, frozenset((node_id,)))


def _merge(files: dict[str, ModelFile], *found: ModelFile | None) -> None:
    """Add files by their real paths; of two states of one file the stronger counts."""
    for file in filter(None, found):
        path = os.path.realpath(file.path)
        old = files.get(path, file)
        state = max(old.state, file.state, key=_STRENGTH.__getitem__)
        files[path] = replace(old, state=state, node_ids=old.node_ids | file.node_ids)


def _plain(name: str) -> str:
    return name.replace("\\", "/").casefold()

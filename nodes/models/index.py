"""The names in all model folders, and the files that a name in a prompt means.

A prompt is foreign input: only a name that ComfyUI itself lists is found, never any other file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from .. import host
from .kinds import NO_MODELS, has_model_suffix, rank_of, without_suffix


@dataclass(frozen=True, slots=True)
class Listed:
    """A model file as ComfyUI lists it."""

    folder: str
    """One of ``folder_names_and_paths``, e.g. ``loras``."""
    name: str
    """As loaders name it, with the separators of this system."""


class FolderIndex:
    """The names in one model folder, found in whatever form a prompt has them."""

    def __init__(self, folder: str, roots: Sequence[str], names: Iterable[str]) -> None:
        self.folder = folder
        self.roots = [_slashes(root).rstrip("/") + "/" for root in roots]
        self.names = [name for name in names if has_model_suffix(name)]
        self._exact = {_slashes(name): name for name in self.names}

    def find(self, text: str) -> str | None:
        """Return the listed name for a whole name, or an absolute path into the folder."""
        wanted = _slashes(text)
        root = next((root for root in self.roots if wanted.startswith(root)), "")
        inner = wanted[len(root) :]
        return self._exact.get(inner) or self._folded.get(inner.casefold())

    def find_stem(self, text: str) -> str | None:
        """Return the listed name for one as tags in a text have it: without suffix, perhaps without subfolder."""
        wanted = without_suffix(_slashes(text)).casefold()
        return self._stems.get(wanted) or self._last_parts.get(wanted)

    @cached_property
    def _folded(self) -> Mapping[str, str]:
        return {_slashes(name).casefold(): name for name in reversed(self.names)}

    @cached_property
    def _stems(self) -> Mapping[str, str]:
        return {without_suffix(key): name for key, name in self._folded.items()}

    @cached_property
    def _last_parts(self) -> Mapping[str, str]:
        return {posixpath.basename(stem): name for stem, name in self._stems.items()}


class ModelIndex:
    """The names in all model folders; a folder whose list has not changed is not read again."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[list[str], FolderIndex]] = {}

    def refresh(self, roots: Mapping[str, Sequence[str]]) -> None:
        """Take over ComfyUI's present lists.

        Parameters
        ----------
        roots : the paths of each folder, by the folder's name
        """
        fresh = {}
        for folder, paths in roots.items():
            if folder not in NO_MODELS:
                names = host.model_names(folder)
                old = self._folders.get(folder)
                is_same = old is not None and old[0] == names
                fresh[folder] = old if old and is_same else (names, FolderIndex(folder, paths, names))
        self._folders = fresh

    def find(self, text: str) -> list[Listed]:
        """Return every file that a value may mean, in the likeliest folder first."""
        if not has_model_suffix(text):
            return []
        return self._sorted((folder, index.find(text)) for folder, (_, index) in self._folders.items())

    def find_stem(self, text: str, folders: Iterable[str]) -> list[Listed]:
        """Return the files of some folders that a tag in a text may mean."""
        known = (folder for folder in folders if folder in self._folders)
        return self._sorted((folder, self._folders[folder][1].find_stem(text)) for folder in known)

    def names(self, folder: str) -> Sequence[str]:
        """Return the names of the models in a folder; empty if there is no such folder."""
        found = self._folders.get(folder)
        return [] if found is None else found[1].names

    @staticmethod
    def _sorted(found: Iterable[tuple[str, str | None]]) -> list[Listed]:
        listed = [Listed(folder, name) for folder, name in found if name]
        return sorted(listed, key=lambda one: rank_of(one.folder))


_index = ModelIndex()


def current_index() -> ModelIndex:
    """Return the index of this ComfyUI's model folders; empty without ComfyUI."""
    _index.refresh(host.model_folders())
    return _index


def _slashes(name: str) -> str:
    return name.replace("\\", "/")

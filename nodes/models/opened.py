"""Which model files each node opened as it ran, and which of its lazy inputs it asked for.

Functions of ComfyUI are watched: ``get_full_path``, with which loaders of every kind find their file,
``load_torch_file`` and ``load_embed``; and for lazy inputs, ``make_input_strong_link``. They do what they did; the call
is noted afterwards. Not seen is a file that a node opens otherwise: with a function that its module imported by name
before this pack was loaded, by the path alone with a library of its own, or in a thread of its own. It stays *named*.

What is known of a node is kept under a signature of the node and all nodes above it, as ComfyUI's cache does: ids
repeat across workflows, and a cached node opens nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final

from .. import host
from ..prompt.edit import class_of, inputs_of
from .kinds import has_model_suffix

_MAX_NODES: Final = 8192
_MAX_FILES: Final = 256
"""How many nodes, and files of each, are kept."""
_EMBEDDING_SUFFIXES: Final = ("", ".safetensors", ".pt", ".bin")
_OWN: Final = "Gen5"
"""What the class names of this pack's nodes begin with. They look up models only to describe them."""


class _Notes:
    """Sets of strings by signature; a set is emptied by the first note of a later prompt; the oldest are dropped."""

    def __init__(self) -> None:
        self._sets: OrderedDict[str, tuple[str, set[str]]] = OrderedDict()

    def add(self, signature: str, prompt_id: str, *items: str) -> None:
        old = self._sets.get(signature)
        kept = old[1] if old is not None and old[0] == prompt_id else set()
        kept.update(items[: _MAX_FILES - len(kept)])
        self._sets[signature] = prompt_id, kept
        self._sets.move_to_end(signature)
        if len(self._sets) > _MAX_NODES:
            self._sets.popitem(last=False)

    def get(self, signature: str) -> frozenset[str] | None:
        found = self._sets.get(signature)
        return None if found is None else frozenset(found[1])


class OpenedFiles:
    """What is known of the nodes that ran in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files = _Notes()
        self._asked = _Notes()
        """Names of lazy inputs; a node that ran has an entry, if only an empty one."""
        self._prompt_id = ""
        self._started: set[str] = set()
        self._signatures: dict[str, str] = {}

    def note_start(self, node_id: str) -> None:
        """Note that a node of the running prompt begins; nodes whose outputs are cached do not."""
        with self._lock:
            self._enter_prompt()
            self._started.add(node_id)
            self._note(self._asked, node_id)

    def note_request(self, node_id: str, name: str) -> None:
        """Note that a node asked for a lazy input."""
        with self._lock:
            self._enter_prompt()
            self._note(self._asked, node_id, name)

    def note_file(self, path: str) -> None:
        """Note that the running node looked up or opened a model file.

        ComfyUI calls a node's IS_CHANGED and VALIDATE_INPUTS too, of nodes that never run: what they open does
        not count.
        """
        prompt_id, node_id = host.executing()
        if node_id is None or not has_model_suffix(path):
            return
        with self._lock:
            self._enter_prompt()
            if prompt_id == self._prompt_id and node_id in self._started:
                self._note(self._files, node_id, path)

    def files_of(self, node_id: str) -> frozenset[str]:
        """Return the paths that a node of the running prompt opened, now or when what is cached of it was made."""
        with self._lock:
            self._enter_prompt()
            return self._files.get(self._signature(node_id)) or frozenset()

    def follows(self, node_id: str, name: str) -> bool:
        """Return whether what is linked to an input ran for it; True if that is not known.

        It did not if the input is lazy and the node ran without asking for it. Old versions of ComfyUI pass on
        a cached value unasked, so there it also has to be unknown.
        """
        with self._lock:
            self._enter_prompt()
            asked = self._asked.get(self._signature(node_id))
            node = _node(node_id)
            if asked is None or name in asked or not host.is_lazy(class_of(node), name):
                return True
            source = inputs_of(node).get(name)
            is_known = isinstance(source, list) and self._asked.get(self._signature(source[0])) is not None
            return is_known and not host.asks_for_cached_inputs()

    def _enter_prompt(self) -> None:
        prompt_id = host.running_prompt_id()
        if prompt_id != self._prompt_id:
            self._prompt_id, self._started, self._signatures = prompt_id, set(), {}

    def _note(self, notes: _Notes, node_id: str, *items: str) -> None:
        shown = host.shown_node_id(node_id)
        node = _node(shown)
        if node is not None and not class_of(node).startswith(_OWN):
            notes.add(self._signature(shown), self._prompt_id, *items)

    def _signature(self, node_id: str) -> str:
        return sign_node(_node, node_id, self._signatures)


def sign_node(node_of: Callable[[str], Any], node_id: str, known: dict[str, str]) -> str:
    """Return a digest of a node's class and values and of all nodes above it, which known keeps.

    Parameters
    ----------
    node_of : id -> the node; None if there is none
    """
    pending = [(node_id, False)]
    while pending:
        current, is_ready = pending.pop()
        if current in known and not is_ready:
            continue
        node = node_of(current)
        sources = [value[0] for value in inputs_of(node).values() if _is_link(value)]
        if is_ready:
            known[current] = _digest(node, known)
        else:
            known[current] = ""  # until it is computed; stays so within a circle
            pending.append((current, True))
            pending += [(source, False) for source in sources if source not in known]
    return known[node_id]


def embedding_file(name: str, folders: Any) -> str | None:
    """Return the file that ComfyUI opens for an embedding; None if there is none.

    Source: ``load_embed`` in comfy.sd1_clip.
    """
    for folder in [folders] if isinstance(folders, str) else folders:
        for suffix in _EMBEDDING_SUFFIXES:
            path = os.path.join(folder, f"{name}{suffix}")
            if os.path.isfile(path):
                return path
    return None


opened = OpenedFiles()


def register() -> bool:
    """Watch ComfyUI's functions from now on; return whether there is a ComfyUI."""
    if not host.is_present():
        return False
    host.watch("folder_paths", "get_full_path", _on_full_path)
    host.watch("comfy.utils", "load_torch_file", _on_load)
    host.watch("comfy.sd1_clip", "load_embed", _on_embedding)
    host.watch("comfy_execution.progress", "ProgressRegistry.start_progress", _on_start)
    host.watch("comfy_execution.graph", "TopologicalSort.make_input_strong_link", _on_request)
    return True


def _on_full_path(result: Any, *_: Any, **__: Any) -> None:
    if isinstance(result, str):
        opened.note_file(result)


def _on_load(_: Any, ckpt: Any, *__: Any, **___: Any) -> None:
    opened.note_file(os.fspath(ckpt))


def _on_embedding(result: Any, name: str, folders: Any, *_: Any, **__: Any) -> None:
    path = None if result is None else embedding_file(name, folders)
    if path is not None:
        opened.note_file(path)


def _on_start(_: Any, __: Any, node_id: str) -> None:
    opened.note_start(node_id)


def _on_request(_: Any, __: Any, node_id: str, name: str) -> None:
    opened.note_request(node_id, name)


def _node(node_id: str) -> Any:
    return host.running_node(node_id)


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int


def _digest(node: Any, known: Mapping[str, str]) -> str:
    inputs = [
        [name, [known.get(value[0], ""), value[1]] if _is_link(value) else value]
        for name, value in inputs_of(node).items()
    ]
    text = json.dumps([class_of(node), sorted(inputs, key=itemgetter(0))], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

"""The prompt graph as nodes and links.

Source: ComfyUI's prompt in API form, ``{node_id: {"class_type": …, "inputs": {name: value or
[node_id, slot]}}}``. A link is a list of two, a string that is a key of the prompt and an int; any other list
is a value. Malformed entries are ignored, so nothing raises, except ``check_prompt`` on what is no prompt at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..errors import PromptError
from .tables.lookup import class_of
from .tables.schema import NodeClass

GET_NODE: Final = "GetNode"
SET_NODE: Final = "SetNode"
WRAPPERS: Final = ("prompt", "output")
"""Keys under which requests to ``/prompt``, and what the editor makes of a graph, hold the prompt."""
NAME_INPUTS: Final = ("Constant", "name", "key")
"""Inputs in which Set and Get nodes keep the name that connects them."""


def check_prompt(value: Any) -> None:
    """Raise PromptError unless the value is a mapping that is empty or has at least one node.

    The message says what was given instead, and where a prompt is to be found.
    """
    if not isinstance(value, Mapping):
        raise PromptError(f"a prompt is a dict of nodes, this is {_kind_of(value)}")
    if not value or any(_is_node(entry) for entry in value.values()):
        return
    for name in WRAPPERS:
        inner = value.get(name)
        if isinstance(inner, Mapping) and any(_is_node(entry) for entry in inner.values()):
            raise PromptError(f"this dict has the prompt under the key {name!r}; pass what that key holds")
        if isinstance(inner, str) and inner.lstrip().startswith("{"):
            raise PromptError(
                f"this dict has the prompt under the key {name!r}, as JSON; pass what json.loads makes of it"
            )
    if isinstance(value.get("nodes"), list):
        raise PromptError(
            "this is a workflow in the format of ComfyUI's editor, which is not what runs; "
            "export it with File > Export (API)"
        )
    raise PromptError(
        f"this dict has no node: none of its {len(value)} entries has a class_type; "
        "pass a prompt in API form, as File > Export (API) writes it"
    )


def _is_node(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("class_type"), str)


def _kind_of(value: Any) -> str:
    """Return what a value is, with the remedy."""
    if isinstance(value, str | bytes | bytearray):
        return f"a {type(value).__name__}; if it is JSON, pass what json.loads returns"
    if value is None:
        return "None; a file saved without its workflow has no prompt"
    return f"a {type(value).__name__}; pass a prompt in API form, as File > Export (API) writes it"


class Link(NamedTuple):
    """An output slot of a node in the prompt."""

    node_id: str
    slot: int


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One node. Its inputs are Links or plain values."""

    node_id: str
    class_type: str
    inputs: Mapping[str, Any]
    node_class: NodeClass

    def named(self, name: str) -> Iterator[str]:
        """Yield the names of the inputs that match: the name itself, or for ``abc*`` all with that prefix."""
        if not name.endswith("*"):
            return iter((name,) if name in self.inputs else ())
        return (key for key in self.inputs if key.startswith(name[:-1]))

    def links(self) -> Iterator[Link]:
        """Yield the links among the inputs."""
        return (value for value in self.inputs.values() if isinstance(value, Link))


class Graph:
    """A prompt whose nodes are parsed when they are first needed, and kept."""

    def __init__(self, prompt: Mapping[str, Any]) -> None:
        self._prompt = prompt
        self._nodes: dict[str, Node | None] = {}
        self._setters: dict[str, str] | None = None

    def __iter__(self) -> Iterator[str]:
        return (node_id for node_id in self._prompt if isinstance(node_id, str))

    def node(self, node_id: str) -> Node | None:
        """Return the node with that id; None if there is none, or if its entry is not a node."""
        if node_id not in self._nodes:
            self._nodes[node_id] = self._read(node_id) if node_id in self._prompt else None
        return self._nodes[node_id]

    def _read(self, node_id: str) -> Node | None:
        entry = self._prompt[node_id]
        if not isinstance(entry, Mapping):
            return None
        class_type = entry.get("class_type")
        raw = entry.get("inputs")
        if not isinstance(class_type, str):
            return None
        pairs = raw.items() if isinstance(raw, Mapping) else ()
        inputs = {name: self._value(value) for name, value in pairs if isinstance(name, str)}
        if class_type == GET_NODE:
            inputs |= self._link_to_setter(inputs)
        return Node(node_id, class_type, inputs, class_of(class_type, _linked(inputs), inputs))

    def _value(self, value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != 2:
            return value
        node_id, slot = value
        if isinstance(node_id, str) and type(slot) is int and node_id in self._prompt:
            return Link(node_id, slot)
        return value

    def _link_to_setter(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a link from a Get node to the Set node of the same name, as if they were connected."""
        if self._setters is None:
            names = ((_setter_name(self._prompt[node_id]), node_id) for node_id in self)
            self._setters = {name: node_id for name, node_id in names if name}
        setter = self._setters.get(_name_in(inputs))
        return {} if setter is None else {"": Link(setter, 0)}


def _linked(inputs: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, value in inputs.items() if isinstance(value, Link))


def _name_in(inputs: Mapping[str, Any]) -> str:
    names = (inputs.get(name) for name in NAME_INPUTS)
    return next((name for name in names if isinstance(name, str)), "")


def _setter_name(entry: Any) -> str:
    """Return the name of a Set node; empty for any other entry."""
    if not isinstance(entry, Mapping) or entry.get("class_type") != SET_NODE:
        return ""
    inputs = entry.get("inputs")
    return _name_in(inputs) if isinstance(inputs, Mapping) else ""

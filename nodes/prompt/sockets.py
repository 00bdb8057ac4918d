"""What the nodes of a prompt declare: the types of their sockets, and which inputs are lazy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...gen5core.graph.prompt import Graph
from .. import host
from .edit import class_of, inputs_of

ANY = "*"
Slot = tuple[str, int]
"""An output: node id and index."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a class declares; each class is asked once, since packs list folders when they are asked."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Category -> name -> (type, options)."""
    outputs: tuple[str, ...] = ()
    is_known: bool = False
    changes_lists: bool = False


class Sockets:
    """The declared sockets of one prompt's nodes. Never raises, whatever a class declares."""

    def __init__(self, prompt: Mapping[str, Any]) -> None:
        self.prompt, self.graph = prompt, Graph(prompt)
        self._declared: dict[str, _Declared] = {}

    def links(self, node_id: str) -> Iterator[tuple[str, Slot]]:
        """Yield the names of a node's linked inputs, and their sources."""
        for name, value in inputs_of(self.prompt.get(node_id)).items():
            if (slot := as_slot(value, self.prompt)) is not None:
                yield name, slot

    def is_lazy(self, node_id: str, name: str) -> bool:
        """Return whether an input may stay unread. Of an unknown class, any may."""
        declared = self._of(node_id)
        return not declared.is_known or bool(_options(declared.inputs, name).get("lazy"))

    def input_type(self, node_id: str, name: str, source: Slot) -> str:
        """Return the type of a connected input; where the node takes any, that of its source."""
        declared = _entry(self._of(node_id).inputs, name)
        kind = declared[0] if declared else ANY
        return str.__str__(kind) if isinstance(kind, str) and kind != ANY else self.output_type(source)

    def output_type(self, source: Slot) -> str:
        """Return the type of an output; ANY if its node does not say."""
        outputs = self.output_types(source[0])
        return outputs[source[1]] if 0 <= source[1] < len(outputs) else ANY

    def output_types(self, node_id: str) -> tuple[str, ...]:
        """Return the types of a node's outputs."""
        return self._of(node_id).outputs

    def changes_lists(self, node_id: str) -> bool:
        """Return whether a node takes or returns whole lists, so that its items are not those that it was given."""
        return self._of(node_id).changes_lists

    def _of(self, node_id: str) -> _Declared:
        class_type = class_of(self.prompt.get(node_id))
        if class_type not in self._declared:
            self._declared[class_type] = _declared(host.node_class(class_type))
        return self._declared[class_type]


def as_slot(value: Any, prompt: Mapping[str, Any]) -> Slot | None:
    """Return a link as a pair; None for anything else."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or type(value[1]) is not int:
        return None
    return (value[0], value[1]) if isinstance(value[0], str) and value[0] in prompt else None


def _declared(node_class: Any) -> _Declared:
    if node_class is None:
        return _Declared()
    try:
        inputs = node_class.INPUT_TYPES()
        outputs = tuple(map(_type_name, getattr(node_class, "RETURN_TYPES", None) or ()))
        lists = [
            getattr(node_class, "INPUT_IS_LIST", False),
            *(getattr(node_class, "OUTPUT_IS_LIST", None) or ()),
        ]
    except Exception:  # a pack's own code, which may raise anything: nothing is known of its sockets then
        return _Declared()
    return _Declared(inputs if isinstance(inputs, Mapping) else {}, outputs, True, any(map(bool, lists)))


def _type_name(kind: Any) -> str:
    """Return a type as a plain str: packs compare their "any" type by methods of its own, and a COMBO may be a list."""
    return str.__str__(kind) if isinstance(kind, str) else "COMBO"


def _entry(inputs: Mapping[str, Any], name: str) -> Any:
    """Return what INPUT_TYPES has for an input, read as ComfyUI reads it (``comfy_execution.graph.get_input_info``)."""
    for category in ("required", "optional", "hidden"):
        if category in inputs and name in inputs[category]:
            return inputs[category][name]
    return None


def _options(inputs: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    entry = _entry(inputs, name)
    options = entry[1] if isinstance(entry, (list, tuple)) and len(entry) > 1 else {}
    return options if isinstance(options, Mapping) else {}

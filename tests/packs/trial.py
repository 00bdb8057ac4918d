"""A graph around one sampler of a pack, built from the server's own description of the node.

``Trial.sampler("LanPaint_KSampler")`` gives the node's sockets the test pack's models and texts, its widgets the
trial's settings or their own defaults, and notes what the widgets say, to be compared with what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comfyui.graph import Graph, Link, Settings
from comfyui.graphs import base, empty_latent, encoded_latent

Info = Mapping[str, Any]
"""Class -> its description, as ``/object_info`` has it."""

SEEDS = ("seed", "noise_seed")
SETTINGS = ("steps", "cfg", "sampler_name", "scheduler")
SIZE = 64
NOTHING = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}


class NotOffered(Exception):
    """The server has no such node, or its widget no such choice."""


@dataclass(slots=True)
class Trial:
    """A graph being built, and what its sampler's widgets say."""

    info: Info
    graph: Graph
    said: dict[str, Any] = field(default_factory=dict)
    """Field of a pass -> the widget's value."""
    image: Link | None = None
    """The result, where the sampler decodes and no LATENT comes out."""
    straight: bool = True
    """Whether the noise can be wired into the latent that the sampler starts from."""

    def add(self, class_type: str, *, wire: Sequence[str] = (), **inputs: Any) -> str:
        """Add a node with all its required inputs, and the optional sockets that wire names."""
        if class_type not in self.info:
            raise NotOffered(f"no node {class_type}")
        declared = self.info[class_type]["input"]
        wanted = {**declared.get("required", {}), **_chosen(declared.get("optional", {}), wire)}
        given = {name: self._value(name, spec) for name, spec in wanted.items() if name not in inputs}
        node = self.graph.add(class_type, **{**given, **inputs})
        self.graph.seeded += [(node, name) for name in SEEDS if name in given and name in wanted]
        return node

    def sampler(self, class_type: str, *, slot: int = 0, wire: Sequence[str] = (), **inputs: Any) -> str:
        """Add the node that samples; its output ``slot`` is the result."""
        node = self.add(class_type, wire=wire, **inputs)
        self.note(node)
        self.graph.samplers.append(node)
        self.graph.result = [node, slot]
        return node

    def note(self, node: str) -> None:
        """Note what a node's widgets say of seed, steps, cfg, sampler and scheduler."""
        for name, value in self.graph.nodes[node]["inputs"].items():
            if name in (*SEEDS, *SETTINGS) and not isinstance(value, list):
                self.said["seed" if name in SEEDS else name] = value

    def _value(self, name: str, spec: Sequence[Any]) -> Any:
        kind, options = spec[0], spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
        if isinstance(kind, list) or kind == "COMBO":
            return self._choice(name, kind if isinstance(kind, list) else options["options"], options)
        if kind in NOTHING:
            return self._number(name, options.get("default", NOTHING[kind]))
        return self.socket(name, kind)

    def _choice(self, name: str, choices: Sequence[Any], options: Mapping[str, Any]) -> Any:
        wanted = getattr(self.graph.settings, name, None) if name in SETTINGS else None
        if wanted in choices:
            return wanted
        if not choices:
            raise NotOffered(f"{name} has no choices")
        return options.get("default") if options.get("default") in choices else choices[0]

    def _number(self, name: str, default: Any) -> Any:
        settings = self.graph.settings
        own = {
            "seed": settings.seed,
            "noise_seed": settings.seed,
            "steps": settings.steps,
            "cfg": settings.cfg,
        }
        sizes = dict.fromkeys(("width", "height", "guide_size", "max_size"), SIZE)
        return {**own, **sizes}.get(name, default)

    def socket(self, name: str, kind: str) -> Link:
        """Return the output that a socket of this kind is given."""
        graph = self.graph
        if kind == "CONDITIONING":
            return graph.negative if "neg" in name else graph.positive
        if kind == "MODEL":
            return graph.model
        if kind == "LATENT":
            return graph.start
        if kind not in MAKERS:
            raise NotOffered(f"nothing makes a {kind} for {name}")
        class_type, inputs = MAKERS[kind]
        return [self._once(class_type, inputs), 0]

    def _once(self, class_type: str, inputs: Mapping[str, Any]) -> str:
        wanted = {"class_type": class_type, "inputs": dict(inputs)}
        found = [node_id for node_id, node in self.graph.nodes.items() if node == wanted]
        return found[0] if found else self.add(class_type, **inputs)


MAKERS: dict[str, tuple[str, dict[str, Any]]] = {
    "VAE": ("TestVae", {"channels": 4}),
    "CLIP": ("TestClip", {}),
    "IMAGE": ("EmptyImage", {"width": SIZE, "height": SIZE, "batch_size": 1, "color": 0x336699}),
    "MASK": ("SolidMask", {"value": 1.0, "width": SIZE // 2, "height": SIZE // 2}),
    "SAMPLER": ("KSamplerSelect", {"sampler_name": "euler_ancestral"}),
}


def _chosen(optional: Mapping[str, Any], wire: Sequence[str]) -> dict[str, Any]:
    missing = [name for name in wire if name not in optional]
    if missing:
        raise NotOffered(f"no inputs {', '.join(missing)}")
    return {name: optional[name] for name in wire}


def new_trial(info: Info, settings: Settings, *, start: str = "empty") -> Trial:
    """Return a trial with a model, texts and the latent that it starts from: empty, encoded or masked."""
    graph = base(settings)
    if start == "empty":
        graph.start = empty_latent(graph)
    else:
        graph.start = encoded_latent(graph)
    if start == "masked":
        graph.start = [graph.add("TestMask", latent=graph.start), 0]
    return Trial(info, graph)

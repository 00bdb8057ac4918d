"""From a prompt graph to its sampler passes, each with the settings that reach it.

The graph tells what was asked for, not what was computed: a value that only a run could know is named in
``SamplerPass.unresolved``. What ran is told by a recording.

Source: ComfyUI's hidden PROMPT, the executed graph in API form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .findings import Finding, as_text
from .prompt import Graph, Link, Node
from .read_pass import PassReader
from .sampler_pass import SamplerPass
from .walk import Ask, Walker


def sampler_passes(prompt: Mapping[str, Any], node_id: str | None = None) -> list[SamplerPass]:
    """Return every sampler pass that leads to a node, as executed, the one nearest to it last.

    Parameters
    ----------
    prompt : the graph in API form, ``{node_id: {"class_type": …, "inputs": …}}``
    node_id : the node to look up from, itself counted if it samples; None for the whole prompt

    Returns
    -------
    list of SamplerPass
        Empty where nothing samples, or where the prompt has no such node. Texts that meet in one
        conditioning are joined by ``read_pass.TEXT_SEPARATOR``, each told once; a zeroed one is an empty
        text. LoRAs stand in the order in which they are applied. Never raises on a prompt that JSON can hold.
    """
    walker = Walker(Graph(prompt))
    above = _execution_order(walker, node_id)
    decoded_by = _decoders(walker, above)
    reader = PassReader(walker)
    samplers = (node for node in above if node.known.kind == "sampler")
    return [reader.read(node, decoded_by.get(node.node_id)) for node in samplers]


def undecided_samplers(prompt: Mapping[str, Any], node_id: str) -> frozenset[str]:
    """Return the samplers that may lead to a node, and need not: a switch whose choice only a run knows decides."""
    walker = Walker(Graph(prompt))
    every: set[str] = set()
    surely: dict[str, frozenset[str]] = {}
    for node in _upstream_first(walker, [node_id]):
        own = frozenset((node.node_id,)) if node.known.kind == "sampler" else frozenset()
        branches = walker.undecided(node)
        links = [link for link in walker.picked(node) if link not in branches]
        behind = [surely.get(link.node_id, frozenset()) for link in links]
        either = [surely.get(link.node_id, frozenset()) for link in branches]
        common = frozenset.intersection(*either) if either else frozenset()
        surely[node.node_id] = own.union(common, *behind)
        every |= own
    return frozenset(every) - surely.get(node_id, frozenset())


def starts_from_stored(prompt: Mapping[str, Any], sampler_pass: SamplerPass) -> bool:
    """Whether a Replay Sampling above the pass's model puts a stored noise, and its seed, in place of its own."""
    walker = Walker(Graph(prompt))
    notes = walker.find(Ask(sampler_pass.node_id, None, "model")).notes
    return any(kind == "replaces_noise" for kind, _, _ in notes)


def noise_obstacle(prompt: Mapping[str, Any], sampler_pass: SamplerPass) -> str | None:
    """Return in words why the starting noise of a pass does not follow from its seed; None when it does.

    It then is what ``comfy.sample.prepare_noise`` draws from the seed for the shape and dtype of the latent
    that the sampler returns (``sampler_of_latent``).

    Source: ComfyUI's comfy/sample.py, prepare_noise; what other samplers do is in ``tables.samplers``.
    """
    walker = Walker(Graph(prompt))
    node = walker.graph.node(sampler_pass.node_id)
    if node is None or node.known.kind != "sampler":
        return f"node {sampler_pass.node_id} is no sampler of this prompt"
    if "add_noise" in sampler_pass.unresolved:
        return f"whether {node.class_type} adds noise is known only to a run"
    if not sampler_pass.add_noise:
        return f"{node.class_type} adds no noise"
    if sampler_pass.is_idle:
        return f"{node.class_type} samples nothing: its denoise is 0, or it starts at its last step"
    return _drawn_elsewise(walker, node, sampler_pass) or _seed_obstacle(sampler_pass)


def sampler_of_latent(prompt: Mapping[str, Any], node_id: str, input_name: str) -> str | None:
    """Return the id of the sampler whose latent reaches an input as it was returned, in shape and order.

    Reroutes, switches and pipes may lie between; None where anything else does, or nothing is connected.
    """
    walker = Walker(Graph(prompt))
    node = walker.graph.node(node_id)
    link = node.inputs.get(input_name) if node is not None else None
    return _maker(walker, link) if isinstance(link, Link) else None


def is_latent_of(prompt: Mapping[str, Any], sampler_id: str, node_id: str) -> bool:
    """Whether the latent of a sampler reaches an input of another node as it was returned, in shape and order."""
    walker = Walker(Graph(prompt))
    node = walker.graph.node(node_id)
    return node is not None and any(_maker(walker, link) == sampler_id for link in node.links())


def _maker(walker: Walker, link: Link) -> str | None:
    return as_text(walker.find(Ask(link.node_id, link.slot, "made_by")).value)


def _drawn_elsewise(walker: Walker, node: Node, sampler_pass: SamplerPass) -> str | None:
    """Why the class that draws the noise, or something wired to it, makes it another one."""
    if node.known.noise:
        return f"{node.class_type} {node.known.noise}"
    if spoiler := next(
        (name for name in node.known.noise_changing_inputs if node.inputs.get(name) is not None), None
    ):
        return f"what is connected to {spoiler} of {node.class_type} may change how it samples"
    drawer = walker.graph.node(sampler_pass.noise_from or node.node_id)
    if drawer is not None and drawer.known.noise:
        return f"{drawer.class_type} {drawer.known.noise}"
    notes = walker.find(Ask(node.node_id, None, "model")).notes
    if any(kind == "replaces_noise" for kind, _, _ in notes):
        return "a stored noise is put in its place"
    return None


def _seed_obstacle(sampler_pass: SamplerPass) -> str | None:
    if sampler_pass.seed is not None:
        return None
    if "seed" in sampler_pass.unresolved:
        return "its seed is known only to a run"
    return f"{sampler_pass.class_type} has no seed"


def _execution_order(walker: Walker, node_id: str | None) -> list[Node]:
    """Nodes above a node and itself, each after those it needs; of the rest, the farther first."""
    upstream_first = _upstream_first(walker, [node_id] if node_id is not None else _ends(walker.graph))
    place = {node.node_id: index for index, node in enumerate(upstream_first)}
    distance = dict.fromkeys(place, 0)
    for node in reversed(upstream_first):
        for link in walker.picked(node):
            if place.get(link.node_id, len(place)) < place[node.node_id]:
                distance[link.node_id] = max(distance[link.node_id], distance[node.node_id] + 1)
    return sorted(upstream_first, key=lambda node: -distance[node.node_id])


def _upstream_first(walker: Walker, roots: Sequence[str]) -> list[Node]:
    """Depth first without recursion; of a node's inputs the first is told last, counting as the nearer."""
    order: list[Node] = []
    seen: set[str] = set()
    stack: list[tuple[str, bool]] = [(node_id, False) for node_id in roots]
    while stack:
        node_id, told = stack.pop()
        node = walker.graph.node(node_id)
        if node is None:
            continue
        if told:
            order.append(node)
        elif node_id not in seen:
            seen.add(node_id)
            stack.append((node_id, True))
            stack.extend((link.node_id, False) for link in walker.picked(node))
    return order


def _ends(graph: Graph) -> list[str]:
    """Nodes that nothing uses, and after them all others: those of a cycle have no end."""
    used = {link.node_id for node_id in graph if (node := graph.node(node_id)) for link in node.links()}
    ends = [node_id for node_id in graph if node_id not in used]
    return [*reversed([node_id for node_id in graph if node_id in used]), *reversed(ends)]


def _decoders(walker: Walker, nodes: Sequence[Node]) -> dict[str, Finding]:
    """For each sampler whose latent is decoded, the VAE that does it."""
    found: dict[str, Finding] = {}
    for node in nodes:
        latent = node.inputs.get("samples")
        if node.known.kind == "decoder" and isinstance(latent, Link) and (maker := _maker(walker, latent)):
            found[maker] = walker.find(Ask(node.node_id, None, "vae"))
    return found

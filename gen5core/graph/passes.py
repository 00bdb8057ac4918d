"""Find the sampler passes of a prompt graph, each with the settings that the graph gives it.

The graph says what was requested, not what was computed: ``SamplerPass.unresolved`` names the values that are
only known at run time. A recording says what ran.

Source: ComfyUI's hidden PROMPT, the executed graph in API form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from .findings import Finding, as_text
from .prompt import Graph, Link, Node, check_prompt
from .read_pass import ROLES, PassReader
from .sampler_pass import SamplerPass
from .walk import Query, Walker

DECODERS: Final = ("decoder", "audio_decoder")


def sampler_passes(prompt: Mapping[str, Any], node_id: str | None = None) -> list[SamplerPass]:
    """Return every sampler pass that leads to a node in execution order, the one nearest to the node last.

    Parameters
    ----------
    prompt : the graph in API form, ``{node_id: {"class_type": …, "inputs": …}}``
    node_id : the node to search upstream from, included if it samples; None for the whole prompt

    Returns
    -------
    list of SamplerPass
        Empty if nothing samples, or if the prompt has no such node. The texts of one conditioning are joined
        by ``read_pass.TEXT_SEPARATOR``, without duplicates; a zeroed conditioning is an empty text. LoRAs are
        in the order in which they are applied.

    Raises
    ------
    PromptError
        if it is no prompt: not a mapping, or a mapping without any node. An empty mapping is a prompt, and of one
        that has a node, odd entries and odd values are left out; neither raises.
    """
    check_prompt(prompt)
    walker = Walker(Graph(prompt))
    nodes = _execution_order(walker, node_id)
    decoded_by = _decoders(walker, nodes)
    reader = PassReader(walker)
    samplers = (node for node in nodes if node.node_class.kind == "sampler")
    return [reader.read(node, decoded_by.get(node.node_id)) for node in samplers]


def plain_links(prompt: Mapping[str, Any], node_ids: Sequence[str]) -> list[Link]:
    """Return the outputs whose values are settings of the passes that lead to any of these nodes.

    These are the places where the graph turns from what carries settings (a latent, a model, a guider) to a plain
    value: a seed, a text, a width, the choice of a switch. If the values are known, they can replace the links.
    """
    walker = Walker(Graph(prompt))
    roles = {"sampler": ROLES, "decoder": ("vae",)}
    for node in _upstream_first(walker, node_ids):
        for role in roles.get(node.node_class.kind, ()):
            walker.find(Query(node.node_id, None, role))
    return list(walker.plain_links)


def undecided_samplers(prompt: Mapping[str, Any], node_id: str) -> frozenset[str]:
    """Return the samplers that lead to a node or not depending on a switch whose choice is only known at run time."""
    walker = Walker(Graph(prompt))
    possible: set[str] = set()
    certain: dict[str, frozenset[str]] = {}
    for node in _upstream_first(walker, [node_id]):
        own = frozenset((node.node_id,)) if node.node_class.kind == "sampler" else frozenset()
        branches = walker.undecided_links(node)
        links = [link for link in walker.active_links(node) if link not in branches]
        upstream = [certain.get(link.node_id, frozenset()) for link in links]
        alternatives = [certain.get(link.node_id, frozenset()) for link in branches]
        common = frozenset.intersection(*alternatives) if alternatives else frozenset()
        certain[node.node_id] = own.union(common, *upstream)
        possible |= own
    return frozenset(possible) - certain.get(node_id, frozenset())


def starts_from_stored(prompt: Mapping[str, Any], sampler_pass: SamplerPass) -> bool:
    """Whether a Replay Sampling upstream of the pass's model replaces its noise and seed with stored ones."""
    walker = Walker(Graph(prompt))
    notes = walker.find(Query(sampler_pass.node_id, None, "model")).notes
    return any(kind == "replaces_noise" for kind, _, _ in notes)


def noise_obstacle(prompt: Mapping[str, Any], sampler_pass: SamplerPass) -> str | None:
    """Return why the starting noise of a pass cannot be drawn from its seed; None if it can.

    The noise then is what ``comfy.sample.prepare_noise`` draws from the seed for the shape and dtype of the latent
    that the sampler returns (``sampler_of_latent``).

    Source: ComfyUI's comfy/sample.py, prepare_noise; what other samplers do is in ``tables.samplers``.
    """
    walker = Walker(Graph(prompt))
    node = walker.graph.node(sampler_pass.node_id)
    if node is None or node.node_class.kind != "sampler":
        return f"node {sampler_pass.node_id} is not a sampler in this prompt"
    if "add_noise" in sampler_pass.unresolved:
        return f"whether {node.class_type} adds noise is only known at run time"
    if not sampler_pass.add_noise:
        return f"{node.class_type} adds no noise"
    if sampler_pass.is_idle:
        return f"{node.class_type} samples nothing: its denoise is 0, or it starts at its last step"
    return _other_noise_reason(walker, node, sampler_pass) or _seed_obstacle(sampler_pass)


def sampler_of_latent(prompt: Mapping[str, Any], node_id: str, input_name: str) -> str | None:
    """Return the id of the sampler whose latent reaches an input unchanged in shape and order.

    Reroutes, switches and pipes in between are followed; None if there is any other node, or nothing is connected.
    """
    walker = Walker(Graph(prompt))
    node = walker.graph.node(node_id)
    link = node.inputs.get(input_name) if node is not None else None
    return _latent_sampler(walker, link) if isinstance(link, Link) else None


def sampler_of_output(prompt: Mapping[str, Any], node_id: str, slot: int) -> str | None:
    """Return the id of the sampler whose latent, unchanged in shape and order, is an output of a node."""
    return _latent_sampler(Walker(Graph(prompt)), Link(node_id, slot))


def is_latent_of(prompt: Mapping[str, Any], sampler_id: str, node_id: str) -> bool:
    """Return whether the latent of a sampler reaches any input of a node unchanged in shape and order."""
    walker = Walker(Graph(prompt))
    node = walker.graph.node(node_id)
    return node is not None and any(_latent_sampler(walker, link) == sampler_id for link in node.links())


def _latent_sampler(walker: Walker, link: Link) -> str | None:
    return as_text(walker.find(Query(link.node_id, link.slot, "made_by")).value)


def _other_noise_reason(walker: Walker, node: Node, sampler_pass: SamplerPass) -> str | None:
    """Return why the noise differs from ComfyUI's: because of the class that draws it, or of something connected."""
    if node.node_class.noise:
        return f"{node.class_type} {node.node_class.noise}"
    changing = (name for name in node.node_class.noise_changing_inputs if node.inputs.get(name) is not None)
    if name := next(changing, None):
        return f"the connected input {name} of {node.class_type} may change how it samples"
    noise_node = walker.graph.node(sampler_pass.noise_from or node.node_id)
    if noise_node is not None and noise_node.node_class.noise:
        return f"{noise_node.class_type} {noise_node.node_class.noise}"
    notes = walker.find(Query(node.node_id, None, "model")).notes
    if any(kind == "replaces_noise" for kind, _, _ in notes):
        return "Replay Sampling replaces it with stored noise"
    return None


def _seed_obstacle(sampler_pass: SamplerPass) -> str | None:
    if sampler_pass.seed is not None:
        return None
    if "seed" in sampler_pass.unresolved:
        return "its seed is only known at run time"
    return f"{sampler_pass.class_type} has no seed"


def _execution_order(walker: Walker, node_id: str | None) -> list[Node]:
    """Return a node and all upstream of it, each after those it needs, and otherwise the farthest first."""
    upstream_first = _upstream_first(walker, [node_id] if node_id is not None else _ends(walker.graph))
    position = {node.node_id: index for index, node in enumerate(upstream_first)}
    distance = dict.fromkeys(position, 0)
    for node in reversed(upstream_first):
        for link in walker.active_links(node):
            if position.get(link.node_id, len(position)) < position[node.node_id]:  # not back round a cycle
                distance[link.node_id] = max(distance[link.node_id], distance[node.node_id] + 1)
    return sorted(upstream_first, key=lambda node: -distance[node.node_id])


def _upstream_first(walker: Walker, roots: Sequence[str]) -> list[Node]:
    """Return nodes depth first, without recursion; a node's first input is visited last, as it counts as nearest."""
    order: list[Node] = []
    seen: set[str] = set()
    stack: list[tuple[str, bool]] = [(node_id, False) for node_id in roots]
    while stack:
        node_id, inputs_done = stack.pop()
        node = walker.graph.node(node_id)
        if node is None:
            continue
        if inputs_done:
            order.append(node)
        elif node_id not in seen:
            seen.add(node_id)
            stack.append((node_id, True))
            stack.extend((link.node_id, False) for link in walker.active_links(node))
    return order


def _ends(graph: Graph) -> list[str]:
    """Return every node, those that nothing uses on top of the stack: a cycle has no end to start from."""
    used = {link.node_id for node_id in graph if (node := graph.node(node_id)) for link in node.links()}
    ends = [node_id for node_id in graph if node_id not in used]
    return [*reversed([node_id for node_id in graph if node_id in used]), *reversed(ends)]


def _decoders(walker: Walker, nodes: Sequence[Node]) -> dict[str, Finding]:
    """Return the VAE that decodes each sampler's latent, by the sampler's id; for video with sound, the picture's.

    A latent that is sampled again before it is decoded has the VAE of the later sampler.
    """
    vaes: dict[str, Finding] = {}
    for node in nodes:
        latent = node.inputs.get("samples")
        if node.node_class.kind not in DECODERS or not isinstance(latent, Link):
            continue
        sampler_id = as_text(walker.find(Query(latent.node_id, latent.slot, "sampled_by")).value)
        if sampler_id is not None and (sampler_id not in vaes or node.node_class.kind == DECODERS[0]):
            vaes[sampler_id] = walker.find(Query(node.node_id, None, "vae"))
    for sampler_id in [node.node_id for node in reversed(nodes) if node.node_class.kind == "sampler"]:
        earlier = as_text(walker.find(Query(sampler_id, None, "sampled_by")).value)
        if sampler_id in vaes and earlier is not None:
            vaes.setdefault(earlier, vaes[sampler_id])
    return vaes

"""Follow a role up a prompt graph: each query is evaluated once, without recursion.

A Query is about one output slot of one node. ``Walker.find`` keeps a stack of them: a query waits until those
upstream have findings, which the rule of its class then combines (``findings``). Findings are kept, so shared
branches are walked once. In a cycle, a query that leads back to itself finds nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from .findings import NOTHING, RULES, SWITCH_RULES, UNKNOWN, Finding, chosen_index, concatenate, found
from .prompt import Graph, Link, Node
from .tables.schema import CARRIERS, FILE_NOTES, FILE_ROLES, GROUP, MERGED_MODEL, NO_FILE, Note, Reads, words

VARIADIC_RULES: Final = frozenset(words("first last all plus last_step"))
"""Rules that take any number of inputs; the others need each input in its position."""
MAX_ROWS: Final = 100
"""Rows of one LoRA stack; the largest pack has 50."""
MAKERS: Final = frozenset(words("sampler decoder audio_decoder"))
"""Kinds of nodes at which the way from a decoder up to the sampler of its latent ends."""
OPTIONAL_ROLES: Final = frozenset(
    words("cfg denoise start_step end_step flipped add_noise noise vae clip made_by sampled_by self")
)
"""Roles that many nodes do not have: if nothing is found for them, they are absent, not unresolved."""


class Query(NamedTuple):
    """Which value has this role, seen from this output slot (None: from the node itself)?

    ``plain`` asks for the value that the slot itself returns; otherwise the slot is a carrier.
    """

    node_id: str
    slot: int | None
    role: str
    plain: bool = False


Part = Query | Finding
Notes = tuple[tuple[Note, tuple[Part, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The queries that a query depends on, and how to combine their findings."""

    rule: str
    parts: tuple[Part, ...]
    lora_inputs: tuple[Part, ...] = ()
    notes: Notes = ()
    names: tuple[str, ...] = ()

    def queries(self) -> Iterator[Query]:
        note_parts = (part for _, parts in self.notes for part in parts)
        groups = (self.parts, self.lora_inputs, note_parts)
        return (part for group in groups for part in group if isinstance(part, Query))


class Walker:
    """Evaluates queries about one graph, and keeps what it found."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plain_links: dict[Link, None] = {}
        """Every output that a query reached for its plain value, in the order found; selectors of switches too."""
        self._findings: dict[Query, Finding] = {}

    def find(self, query: Query) -> Finding:
        """Return the finding of a query. Never raises, whatever the prompt is like."""
        stack = [query]
        plans: dict[Query, _Plan] = {}
        while stack:
            top = stack[-1]
            if top in self._findings:
                stack.pop()
            elif top in plans:
                self._findings[top] = self._combine(top, plans.pop(top))
            else:
                plan = plans[top] = self._plan(top)
                queries = list(plan.queries())
                if not top.plain:
                    self._note_plain(queries)
                stack.extend(each for each in queries if each not in plans and each not in self._findings)
        return self._findings[query]

    def active_links(self, node: Node) -> list[Link]:
        """Return the links that a node passes on: for a switch with a known choice the chosen one, otherwise all."""
        names = _switch_inputs(node)
        index = self._chosen_index(node, names) if names else None
        if not names or index is None:
            return list(node.links())
        chosen = node.inputs.get(names[1 + index])
        return [chosen] if isinstance(chosen, Link) else []

    def undecided_links(self, node: Node) -> list[Link]:
        """Return the branches of a switch whose choice is only known at run time; empty for any other node."""
        names = _switch_inputs(node)
        if not names or self._chosen_index(node, names) is not None:
            return []
        return [link for name in names[1:] if isinstance(link := node.inputs.get(name), Link)]

    def _chosen_index(self, node: Node, names: Sequence[str]) -> int | None:
        """Return the index of the chosen branch of a switch, not counting the selector; None if it is unknown."""
        selector = _part(node, names[0], Query(node.node_id, None, "value"))
        if isinstance(selector, Query):
            self._note_plain([selector])
        finding = self.find(selector) if isinstance(selector, Query) else selector
        return chosen_index(node.node_class.roles["*"].rule, finding.value, names[1:])

    def _note_plain(self, queries: Iterable[Query]) -> None:
        for query in queries:
            if query.plain and query.slot is not None:
                self.plain_links[Link(query.node_id, query.slot)] = None

    def _plan(self, query: Query) -> _Plan:
        node = self.graph.node(query.node_id)
        if node is None:
            return _Plan("first", (UNKNOWN,))
        query = _enter_node(node, query)
        if query.role in ("made_by", "noise") and query.slot is not None and node.node_class.kind != "pass":
            return _Plan("first", (_origin(node, query.role),))
        if query.role == "sampled_by" and query.slot is not None and node.node_class.kind in MAKERS:
            return _Plan("first", (_origin(node, query.role),))
        notes = () if query.plain else _notes(node, query)
        reads = _reads(node, query)
        if reads is not None:
            return self._plan_reads(node, query, reads, notes)
        is_missing = query.plain or (node.node_class.guessed and query.role not in OPTIONAL_ROLES)
        return _Plan("first", (UNKNOWN,) if is_missing else (), notes=notes)

    def _plan_reads(self, node: Node, query: Query, reads: Reads, notes: Notes) -> _Plan:
        names = reads.inputs
        if reads.rule in VARIADIC_RULES:
            names = tuple(name for spec in names for name in _expand_spec(node, spec))
        parts: list[Part] = [_part(node, name, query) for name in names]
        if reads.constant is not None:
            parts.append(found(reads.constant))
        is_missing = node.node_class.guessed and not parts and query.role not in OPTIONAL_ROLES
        return _Plan(
            reads.rule,
            (UNKNOWN,) if is_missing else tuple(parts),
            tuple(
                _part(node, name, query) for spec in reads.lora_inputs for name in _expand_spec(node, spec)
            ),
            notes,
            tuple(name.lstrip("@") for name in names),
        )

    def _combine(self, query: Query, plan: _Plan) -> Finding:
        parts = [self._resolve(part) for part in plan.parts]
        if plan.rule in SWITCH_RULES:
            index = chosen_index(plan.rule, parts[0].value, plan.names[1:])
            base = UNKNOWN if index is None else parts[1 + index]
        else:
            base = RULES[plan.rule](parts, query.slot)
        upstream = [base.notes, *(self._resolve(part).notes for part in plan.lora_inputs)]
        own = tuple((note.kind, note.key, self._resolve_all(parts)) for note, parts in plan.notes)
        if any(self._resolve(part).unresolved for part in plan.lora_inputs):
            # the stack comes from a node that is not known: it may hold any LoRAs
            own += (("lora", "", (UNKNOWN, UNKNOWN)),)
        if not own and len(upstream) == 1:
            return base
        return Finding(base.values, concatenate(upstream, own), base.unresolved)

    def _resolve(self, part: Part) -> Finding:
        return self._findings.get(part, NOTHING) if isinstance(part, Query) else part

    def _resolve_all(self, parts: Sequence[Part]) -> tuple[Finding, ...]:
        return tuple(self._resolve(part) for part in parts)


def _switch_inputs(node: Node) -> list[str]:
    """Return the inputs of a switch, its selector first; empty for any other node."""
    reads = node.node_class.roles.get("*")
    is_switch = reads is not None and reads.rule in SWITCH_RULES
    return [name.lstrip("@") for name in reads.inputs] if reads is not None and is_switch else []


def _origin(node: Node, role: str) -> Finding:
    """The node that a noise or a latent comes from: the first one that does not merely pass it through."""
    if role == "noise" or node.node_class.kind == "sampler":
        return found(node.node_id)
    return NOTHING


def _enter_node(node: Node, query: Query) -> Query:
    """Return the query with the role that the node's output slot has, if the table says what the slot holds."""
    outputs = node.node_class.outputs
    held = outputs[query.slot] if query.slot is not None and 0 <= query.slot < len(outputs) else ""
    if not held or held in CARRIERS:
        return query
    if query.plain and not node.node_class.guessed:
        return query._replace(role=held, plain=False)
    # a node with a positive and a negative output: the slot says which of them is meant
    both = GROUP.get(held) == GROUP.get(query.role) == "conditioning"
    return query._replace(role=held) if both else query


def _reads(node: Node, query: Query) -> Reads | None:
    """Return where the node holds what is asked: its plain value, or the input of a role."""
    if query.plain:
        return node.node_class.roles.get("value") or node.node_class.roles.get("*")
    if query.role == "self":
        return None
    # a carrier socket that takes a plain value as well, such as a text, is asked by its role
    return node.node_class.reads(query.role) or node.node_class.roles.get("value")


def _expand_spec(node: Node, spec: str) -> Iterator[str]:
    """Yield a table entry for each input of the node that it names; ``@abc*`` names connected inputs only."""
    mark, name, role = _parse_spec(spec)
    linked = bool(mark) and name.endswith("*")
    for present in node.named(name):
        value = node.inputs[present]
        if isinstance(value, Link) if linked else value is not None:
            yield f"{mark}{present}{role}"


@lru_cache(maxsize=4096)
def _parse_spec(spec: str) -> tuple[str, str, str]:
    """Split a table entry, e.g. ``@sigmas:start_step`` into ``@``, ``sigmas`` and ``:start_step``."""
    mark, bare = ("@", spec[1:]) if spec.startswith("@") else ("", spec)
    name, colon, role = bare.partition(":") if mark else (bare, "", "")
    return mark, name, colon + role


def _part(node: Node, spec: str, query: Query) -> Part:
    """Return what one input holds: a value, or the query about the node connected to it."""
    mark, name, role = _parse_spec(spec)
    value = node.inputs.get(name)
    if isinstance(value, Link):
        return Query(value.node_id, value.slot, role[1:] or query.role, query.plain or not mark)
    is_no_file = query.role in FILE_ROLES and isinstance(value, str) and value in NO_FILE
    return NOTHING if value is None or is_no_file else found(value)


def _notes(node: Node, query: Query) -> Notes:
    wanted = (query.role, GROUP.get(query.role, query.role))
    notes = (note for note in node.node_class.notes if note.on in wanted)
    if query.role == MERGED_MODEL:  # only the weights of this model count, not its settings
        notes = (note for note in notes if note.kind in FILE_NOTES)
    return tuple(entry for note in notes for entry in _expand_note(node, note))


def _expand_note(node: Node, note: Note) -> Iterator[tuple[Note, tuple[Part, ...]]]:
    """Yield one entry for a note, or one for each row of a stack."""
    if note.kind == "lora_switches":
        yield from _toggled_loras(node, note)
    elif note.inputs and "{" in note.inputs[0]:
        yield from _rows(node, note)
    elif _applies(node, note, 0) and all(_parse_spec(spec)[1] in node.inputs for spec in note.inputs[:1]):
        yield note, tuple(_note_part(node, spec) for spec in note.inputs)


def _rows(node: Node, note: Note) -> Iterator[tuple[Note, tuple[Part, ...]]]:
    count = node.inputs.get(note.count)
    for number in range(1, 1 + (min(count, MAX_ROWS) if isinstance(count, int) else MAX_ROWS)):
        specs = tuple(spec.format(number) for spec in note.inputs)
        if specs[0] in node.inputs and _applies(node, note, number):
            yield note, tuple(_note_part(node, spec) for spec in specs)


def _toggled_loras(node: Node, note: Note) -> Iterator[tuple[Note, tuple[Part, ...]]]:
    """Yield LoRAs that are switched on and are one value each: ``{"on": true, "lora": name, "strength": 1.0}``."""
    for name in node.named(note.inputs[0]):
        value = node.inputs[name]
        if isinstance(value, Mapping) and value.get("on") and isinstance(value.get("lora"), str):
            yield Note(note.on, "lora"), (found(value["lora"]), found(value.get("strength")))


def _applies(node: Node, note: Note, number: int) -> bool:
    """Whether the inputs in ``note.when`` have the values given there; a missing input does not matter."""
    inputs: Mapping[str, Any] = node.inputs
    return all(inputs.get(name.format(number), value) == value for name, value in note.when)


def _note_part(node: Node, spec: str) -> Part:
    """Return a field of a note; of the node connected to a carrier, the role of the input's own name is asked."""
    _, name, _ = _parse_spec(spec)
    return _part(node, spec, Query(node.node_id, None, name))

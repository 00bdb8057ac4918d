"""Following a role up a prompt graph: each question is answered once, without recursion.

An Ask is a question about one output slot of one node. ``Walker.find`` works a stack of them: a question
waits until those behind it have answers, then its class's rule makes one of them (``findings``). Every
answer is kept, so shared branches cost nothing more; a question that comes round to itself finds nothing
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .findings import NOTHING, PICKED, RULES, UNKNOWN, Finding, chained, found, picked_place
from .prompt import Graph, Link, Node
from .tables.schema import CARRIERS, FILE_ROLES, GROUP, NO_FILE, Note, Reads, words

SPREAD: Final = frozenset(("first", "last", "all"))
"""Rules that take however many inputs there are; the others need each in its place."""
MAX_ROWS: Final = 100
"""Rows of one LoRA stack; the largest pack has 50."""
OPEN_ENDED: Final = frozenset(words("cfg denoise start_step end_step add_noise noise vae clip made_by self"))
"""Roles that many nodes rightly lack: where nothing tells them, they are absent, not unresolved."""


class Ask(NamedTuple):
    """A question: what is this role, behind this output slot (None: of the node itself)?

    ``plain`` asks for the value that the slot itself gives out; otherwise the slot is a carrier.
    """

    node_id: str
    slot: int | None
    role: str
    plain: bool = False


Part = Ask | Finding
Notes = tuple[tuple[Note, tuple[Part, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The questions behind one question, and what to make of the answers."""

    rule: str
    parts: tuple[Part, ...]
    also: tuple[Part, ...] = ()
    notes: Notes = ()
    names: tuple[str, ...] = ()

    def asks(self) -> Iterator[Ask]:
        noted = (part for _, parts in self.notes for part in parts)
        return (part for group in (self.parts, self.also, noted) for part in group if isinstance(part, Ask))


class Walker:
    """Answers to questions about one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._answers: dict[Ask, Finding] = {}

    def find(self, ask: Ask) -> Finding:
        """The answer to one question; never raises on a prompt of any form."""
        stack = [ask]
        plans: dict[Ask, _Plan] = {}
        while stack:
            top = stack[-1]
            if top in self._answers:
                stack.pop()
            elif top in plans:
                self._answers[top] = self._answer(top, plans.pop(top))
            else:
                plan = plans[top] = self._plan(top)
                stack.extend(each for each in plan.asks() if each not in plans and each not in self._answers)
        return self._answers[ask]

    def picked(self, node: Node) -> list[Link]:
        """The links of a node that count: of a switch whose choice is known the chosen one, else all."""
        names = _switch_inputs(node)
        place = self._place(node, names) if names else None
        if not names or place is None:
            return list(node.links())
        chosen = node.inputs.get(names[1 + place])
        return [chosen] if isinstance(chosen, Link) else []

    def undecided(self, node: Node) -> list[Link]:
        """The branches of a switch whose choice only a run knows; none of any other node."""
        names = _switch_inputs(node)
        if not names or self._place(node, names) is not None:
            return []
        return [link for name in names[1:] if isinstance(link := node.inputs.get(name), Link)]

    def _place(self, node: Node, names: Sequence[str]) -> int | None:
        """Which of a switch's inputs behind the first is chosen; None where that is not known."""
        selector = _part(node, names[0], Ask(node.node_id, None, "value"))
        answer = self.find(selector) if isinstance(selector, Ask) else selector
        return picked_place(node.known.roles["*"].rule, answer.value, names[1:])

    def _plan(self, ask: Ask) -> _Plan:
        node = self.graph.node(ask.node_id)
        if node is None:
            return _Plan("first", (UNKNOWN,))
        here = _behind_slot(node, ask)
        if here.role in ("made_by", "noise") and here.slot is not None and node.known.kind != "pass":
            return _Plan("first", (_end_of(node, here.role),))
        notes = () if here.plain else _notes(node, here)
        reads = _reads(node, here)
        if reads is not None:
            return self._reading(node, here, reads, notes)
        lacking = here.plain or (node.known.guessed and here.role not in OPEN_ENDED)
        return _Plan("first", (UNKNOWN,) if lacking else (), notes=notes)

    def _reading(self, node: Node, here: Ask, reads: Reads, notes: Notes) -> _Plan:
        names = reads.inputs
        if reads.rule in SPREAD:
            names = tuple(name for given in names for name in _present(node, given))
        parts: list[Part] = [_part(node, name, here) for name in names]
        if reads.says is not None:
            parts.append(found(reads.says))
        lacking = node.known.guessed and not parts and here.role not in OPEN_ENDED
        return _Plan(
            reads.rule,
            (UNKNOWN,) if lacking else tuple(parts),
            tuple(_part(node, name, here) for given in reads.also for name in _present(node, given)),
            notes,
            tuple(name.lstrip("@") for name in names),
        )

    def _answer(self, ask: Ask, plan: _Plan) -> Finding:
        parts = [self._known(part) for part in plan.parts]
        if plan.rule in PICKED:
            place = picked_place(plan.rule, parts[0].value, plan.names[1:])
            base = UNKNOWN if place is None else parts[1 + place]
        else:
            base = RULES[plan.rule](parts, ask.slot)
        upstream = [base.notes, *(self._known(part).notes for part in plan.also)]
        own = tuple((note.kind, note.key, self._noted(parts)) for note, parts in plan.notes)
        if any(self._known(part).unresolved for part in plan.also):
            own += (("lora", "", (UNKNOWN, UNKNOWN)),)
        if not own and len(upstream) == 1:
            return base
        return Finding(base.values, chained(upstream, own), base.unresolved)

    def _known(self, part: Part) -> Finding:
        return self._answers.get(part, NOTHING) if isinstance(part, Ask) else part

    def _noted(self, parts: Sequence[Part]) -> tuple[Finding, ...]:
        return tuple(self._known(part) for part in parts)


def _switch_inputs(node: Node) -> list[str]:
    """The inputs of a switch, the one that says which counts first; none of any other node."""
    reads = node.known.roles.get("*")
    is_switch = reads is not None and reads.rule in PICKED
    return [name.lstrip("@") for name in reads.inputs] if reads is not None and is_switch else []


def _end_of(node: Node, role: str) -> Finding:
    """Where a noise or a latent comes from: the first node that is no mere way through."""
    if role == "noise" or node.known.kind == "sampler":
        return found(node.node_id)
    return NOTHING


def _behind_slot(node: Node, ask: Ask) -> Ask:
    """The question once inside a node: what its output slot holds, where that is known, decides the role."""
    outputs = node.known.outputs
    held = outputs[ask.slot] if ask.slot is not None and 0 <= ask.slot < len(outputs) else ""
    if not held or held in CARRIERS:
        return ask
    if ask.plain:
        return ask._replace(role=held, plain=False)
    both = GROUP.get(held) == GROUP.get(ask.role) == "conditioning"
    return ask._replace(role=held) if both else ask


def _reads(node: Node, here: Ask) -> Reads | None:
    """A plain value is the one that the node is there to give; anything else goes by its role."""
    if here.plain:
        return node.known.roles.get("value") or node.known.roles.get("*")
    return None if here.role == "self" else node.known.reads(here.role)


def _present(node: Node, given: str) -> Iterator[str]:
    """The inputs that a table's entry names and the node has; ``@abc*`` names connected ones only."""
    mark, name, role = _taken_apart(given)
    linked = bool(mark) and name.endswith("*")
    for present in node.named(name):
        value = node.inputs[present]
        if isinstance(value, Link) if linked else value is not None:
            yield f"{mark}{present}{role}"


def _taken_apart(given: str) -> tuple[str, str, str]:
    mark, bare = ("@", given[1:]) if given.startswith("@") else ("", given)
    name, colon, role = bare.partition(":") if mark else (bare, "", "")
    return mark, name, colon + role


def _part(node: Node, given: str, here: Ask) -> Part:
    """What one input holds: a value, or the question to put to the node behind it."""
    mark, name, role = _taken_apart(given)
    value = node.inputs.get(name)
    if isinstance(value, Link):
        return Ask(value.node_id, value.slot, role[1:] or here.role, here.plain or not mark)
    nameless = here.role in FILE_ROLES and isinstance(value, str) and value in NO_FILE
    return NOTHING if value is None or nameless else found(value)


def _notes(node: Node, here: Ask) -> Notes:
    wanted = (here.role, GROUP.get(here.role, here.role))
    return tuple(entry for note in node.known.notes if note.on in wanted for entry in _noted(node, note))


def _noted(node: Node, note: Note) -> Iterator[tuple[Note, tuple[Part, ...]]]:
    """One entry for a note, or one for each row of a stack."""
    if note.kind == "lora_switches":
        yield from _switched(node, note)
    elif note.inputs and "{" in note.inputs[0]:
        yield from _rows(node, note)
    elif _holds(node, note, 0) and all(_taken_apart(given)[1] in node.inputs for given in note.inputs[:1]):
        yield note, tuple(_field(node, given) for given in note.inputs)


def _rows(node: Node, note: Note) -> Iterator[tuple[Note, tuple[Part, ...]]]:
    count = node.inputs.get(note.count)
    for number in range(1, 1 + (min(count, MAX_ROWS) if isinstance(count, int) else MAX_ROWS)):
        fields = tuple(given.format(number) for given in note.inputs)
        if fields[0] in node.inputs and _holds(node, note, number):
            yield note, tuple(_field(node, given) for given in fields)


def _switched(node: Node, note: Note) -> Iterator[tuple[Note, tuple[Part, ...]]]:
    """LoRAs that are one value each: ``{"on": true, "lora": name, "strength": 1.0}``."""
    for name in node.named(note.inputs[0]):
        value = node.inputs[name]
        if isinstance(value, Mapping) and value.get("on") and isinstance(value.get("lora"), str):
            yield Note(note.on, "lora"), (found(value["lora"]), found(value.get("strength")))


def _holds(node: Node, note: Note, number: int) -> bool:
    inputs: Mapping[str, Any] = node.inputs
    return all(inputs.get(name.format(number), value) == value for name, value in note.when)


def _field(node: Node, given: str) -> Part:
    """A note's field; behind a carrier the role is the input's own name."""
    _, name, _ = _taken_apart(given)
    return _part(node, given, Ask(node.node_id, None, name))

"""The texts above a node that may name a model file, and whether they are switched off.

They are values of inputs, also inside lists, objects and JSON texts (the rows of a LoRA stack), and ``<lora:NAME:0.8>``
and ``embedding:NAME`` inside longer texts.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..prompt.edit import class_of, inputs_of, is_link
from .kinds import has_model_suffix

Form = Literal["value", "row", "lora", "embedding"]
"""Where a text stands: in an input, in an object with settings of its own, or in a tag of a longer text."""
_MAX_TEXTS: Final = 100_000
_MAX_DEPTH: Final = 32
_MAX_NAME: Final = 1024
"""Longest value that is looked up as a name; paths are not longer."""
_MAX_JSON: Final = 2**18
_LORA_TAG: Final = re.compile(r"<(?:lora|lyco):([^<>:]{1,400})((?::[^<>]{0,200})?)>", re.IGNORECASE)
_EMBEDDING: Final = re.compile(r"embedding:((?:\\[()]|[^\s,()<>\[\]]){1,400})")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d*)?|-?\.\d+")
_STRENGTH: Final = re.compile(r"strength|weight|multiplier|(?:^|_)(?:str|wt)(?:_|$)", re.IGNORECASE)
_SWITCH: Final = re.compile(
    r"(?:lora_?)?(?:\d+_)?(?:on|enabled?|active|switch|toggle)(?:_?\d+)?", re.IGNORECASE
)
_NAME_OF_LORA: Final = re.compile(r"lora|name|model|file", re.IGNORECASE)
_OFF_WORDS: Final = frozenset(("off", "false", "disable", "disabled", "no"))


@dataclass(frozen=True, slots=True)
class Mention:
    """A text that may name a model file, or the name in a tag."""

    node_id: str
    class_type: str
    input_name: str
    text: str
    form: Form
    is_off: bool = False
    """Whether a setting beside it says that it is not used: strength 0, ``on`` false. Counts for LoRAs and the like."""


Follows = Callable[[str, str], bool]
"""Node id and input name -> whether the link there was followed when the prompt ran."""


def nodes_above(prompt: Mapping[str, Any], node_id: str, follows: Follows) -> list[str]:
    """Return the ids of the nodes that a node depends on, nearest first, without the node itself."""
    found = {node_id: None}
    pending = deque([node_id])
    while pending:
        owner = pending.popleft()
        for name, value in inputs_of(prompt.get(owner)).items():
            if is_link(value, prompt) and value[0] not in found and follows(owner, name):
                found[value[0]] = None
                pending.append(value[0])
    return list(found)[1:]


def mentions_of(prompt: Mapping[str, Any], node_id: str) -> Iterator[Mention]:
    """Yield the texts in one node's own inputs that may name a model file."""
    node = prompt.get(node_id)
    inputs = inputs_of(node)
    for name, value in inputs.items():
        if is_link(value, prompt):
            continue
        for form, text, is_off in _texts(name, value, inputs):
            yield Mention(node_id, class_of(node), name, text, form, is_off)


def _texts(name: str, value: Any, siblings: Mapping[str, Any]) -> Iterator[tuple[Form, str, bool]]:
    """Yield the texts in a value, without recursion: a prompt may be nested deeply."""
    pending: list[tuple[str, Any, Mapping[str, Any] | None, int, bool]] = [(name, value, None, 0, False)]
    left = _MAX_TEXTS
    while pending and left:
        left -= 1
        key, item, row, depth, is_off = pending.pop()
        if isinstance(item, str):
            if row is None:
                yield from _from_text(item, "value", _is_off(key, siblings, is_row=False))
            else:
                yield from _from_text(
                    item, _form_in_row(key, item, row), is_off or _is_off(key, row, is_row=True)
                )
            item = _parsed(item)
        if depth < _MAX_DEPTH and isinstance(item, Mapping):
            outer = is_off or _is_switched_off(item)
            pending += [(str(inner), part, item, depth + 1, outer) for inner, part in item.items()]
        elif depth < _MAX_DEPTH and isinstance(item, list):
            numbers: Mapping[str, Any] = _numbers_of(item)
            pending += [(key, part, numbers or row, depth + 1, is_off) for part in item]


def _from_text(text: str, form: Form, is_off: bool) -> Iterator[tuple[Form, str, bool]]:
    if len(text) <= _MAX_NAME:
        yield form, text, is_off
    if "<" in text:
        for tag in _LORA_TAG.finditer(text):
            yield "lora", tag[1].strip(), _are_zero(_NUMBER.findall(tag[2]))
    if "embedding:" in text:
        for tag in _EMBEDDING.finditer(text):
            yield "embedding", re.sub(r"\\([()])", r"\1", tag[1]), False


def _form_in_row(key: str, text: str, row: Mapping[str, Any]) -> Form:
    """Return ``lora`` for a name without suffix beside a strength, as some packs write the rows of a stack."""
    is_short = not has_model_suffix(text) and _NAME_OF_LORA.search(key)
    return "lora" if is_short and any(_STRENGTH.search(str(name)) for name in row) else "row"


def _parsed(text: str) -> Any:
    """Return what a JSON text holds, in which some packs keep their rows; None for any other text."""
    if text.lstrip()[:1] not in ("[", "{") or len(text) > _MAX_JSON:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_off(key: str, values: Mapping[str, Any], *, is_row: bool) -> bool:
    """Return whether the settings beside an input switch it off; those of a row with the same number belong to it."""
    number = _digits(key)
    if _is_switched_off({name: value for name, value in values.items() if _digits(name) in ((), number)}):
        return True
    beside = {name: value for name, value in values.items() if is_row or _digits(name) == number}
    return _are_zero([value for name, value in beside.items() if _STRENGTH.search(name) and name != key])


def _is_switched_off(values: Mapping[str, Any]) -> bool:
    return any(_is_no(value) and _SWITCH.fullmatch(str(name)) for name, value in values.items())


def _numbers_of(row: list[Any]) -> Mapping[str, Any]:
    """Return the numbers of a row like ``[name, 0.8, 1.0]`` as its strengths; empty for any other list."""
    numbers = [item for item in row if isinstance(item, (int, float)) and not isinstance(item, bool)]
    is_row = numbers and len(row) <= 4 and isinstance(row[0], str)
    return {f"strength{index}": number for index, number in enumerate(numbers)} if is_row else {}


def _are_zero(values: list[Any]) -> bool:
    """Return whether there are strengths, and all of them are 0; one that comes through a link may be anything."""
    known = [value for value in values if value is not None]
    return bool(known) and all(map(_is_zero, known))


def _is_zero(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        return float(value) == 0
    except ValueError:
        return False


def _is_no(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() in _OFF_WORDS)


def _digits(name: str) -> tuple[int, ...]:
    """Return the numbers in a name, by which a stack's inputs belong together: lora_02 and strength_2."""
    return tuple(int(number) for number in re.findall(r"\d+", name[:100]))

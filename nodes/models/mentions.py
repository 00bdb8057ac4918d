"""The texts above a node that may name a model file, and whether they are switched off.

They are values of inputs, also inside lists, objects and JSON texts (the rows of a LoRA stack), and ``<lora:NAME:0.8>``
and ``embedding:NAME`` inside longer texts.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
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
_MAX_KEY: Final = 100
_MAX_ROW: Final = 4
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
    settings = _read_settings(inputs)
    for name, value in inputs.items():
        if not isinstance(value, (int, float)) and not is_link(value, prompt):
            for form, text, is_off in _texts(name, value, settings):
                yield Mention(node_id, class_of(node), name, text, form, is_off)


@dataclass(frozen=True, slots=True)
class _Settings:
    """The switches and strengths in an object; those with the same numbers in their names belong to one file."""

    switched_off: frozenset[tuple[str, ...]]
    without_strength: frozenset[tuple[str, ...]]
    """Numbers of which every strength is 0."""
    has_strength: bool

    def is_off(self, key: str) -> bool:
        """Return whether the value of a key is switched off; a switch without a number is for all."""
        numbers = _numbers(key)
        return () in self.switched_off or numbers in self.switched_off | self.without_strength


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an input's value, with the object that it is in."""

    key: str
    value: Any
    settings: _Settings
    depth: int = 0
    is_in_row: bool = False
    is_off: bool = False


def _texts(name: str, value: Any, settings: _Settings) -> Iterator[tuple[Form, str, bool]]:
    """Yield the texts in a value, without recursion: a prompt may be nested deeply."""
    pending = [_Part(name, value, settings)]
    for _ in range(_MAX_TEXTS):
        if not pending:
            return
        part = pending.pop()
        if isinstance(part.value, str):
            yield from _from_text(part)
            part = replace(part, value=_parsed(part.value))
        if part.depth < _MAX_DEPTH:
            pending += _inner_parts(part)


def _inner_parts(part: _Part) -> list[_Part]:
    if isinstance(part.value, Mapping):
        settings = _read_settings(part.value)
        outer = _Part("", None, settings, part.depth + 1, True, part.is_off or () in settings.switched_off)
        return [replace(outer, key=str(key), value=value) for key, value in part.value.items()]
    if isinstance(part.value, list):
        outer = replace(part, depth=part.depth + 1)
        strengths = _strengths_in(part.value)
        if strengths:
            outer = replace(outer, settings=_read_settings(strengths), is_in_row=True)
        return [replace(outer, value=value) for value in part.value if not isinstance(value, (int, float))]
    return []


def _from_text(part: _Part) -> Iterator[tuple[Form, str, bool]]:
    text = part.value
    if len(text) <= _MAX_NAME and has_model_suffix(text):
        yield "row" if part.is_in_row else "value", text, part.is_off or part.settings.is_off(part.key)
    elif len(text) <= _MAX_NAME and _is_short_name(part):
        yield "lora", text, part.is_off or part.settings.is_off(part.key)
    if "<" in text:
        for tag in _LORA_TAG.finditer(text):
            yield "lora", tag[1].strip(), part.is_off or _are_zero(_NUMBER.findall(tag[2]))
    if "embedding:" in text:
        for tag in _EMBEDDING.finditer(text):
            yield "embedding", re.sub(r"\\([()])", r"\1", tag[1]), part.is_off


def _is_short_name(part: _Part) -> bool:
    """Return whether a text may be a LoRA's name without suffix: one in a row, beside a strength."""
    return part.is_in_row and part.settings.has_strength and bool(_NAME_OF_LORA.search(part.key))


def _parsed(text: str) -> Any:
    """Return what a JSON text holds, in which some packs keep their rows; None for any other text."""
    if text.lstrip()[:1] not in ("[", "{") or len(text) > _MAX_JSON:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read_settings(values: Mapping[str, Any]) -> _Settings:
    switched_off: set[tuple[str, ...]] = set()
    strengths: dict[tuple[str, ...], list[Any]] = {}
    for name, value in values.items():
        if not isinstance(name, str) or len(name) > _MAX_KEY:
            continue
        if _is_no(value) and _SWITCH.fullmatch(name):
            switched_off.add(_numbers(name))
        elif _STRENGTH.search(name) and _is_strength(value):
            strengths.setdefault(_numbers(name), []).append(value)
    without = frozenset(numbers for numbers, found in strengths.items() if _are_zero(found))
    return _Settings(frozenset(switched_off), without, bool(strengths))


def _strengths_in(row: list[Any]) -> Mapping[str, Any]:
    """Return the strengths of a row like ``[name, 0.8, 1.0]``; none for any other list."""
    numbers = [item for item in row if _is_strength(item) and not isinstance(item, (str, list))]
    is_row = len(row) <= _MAX_ROW and bool(row) and isinstance(row[0], str)
    return {f"strength{'_' * index}": number for index, number in enumerate(numbers)} if is_row else {}


def _are_zero(values: list[Any]) -> bool:
    """Return whether there are strengths, and all of them are 0; one that comes through a link may be anything."""
    return bool(values) and all((float(value) if isinstance(value, str) else value) == 0 for value in values)


def _is_strength(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < 32 and _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, (int, float, list)) and not isinstance(value, bool)


def _is_no(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() in _OFF_WORDS)


def _numbers(name: str) -> tuple[str, ...]:
    """Return the numbers in a name, by which a stack's inputs belong together: lora_02 and strength_2."""
    return tuple(number.lstrip("0") for number in re.findall(r"[0-9]+", name[:_MAX_KEY]))

"""META's top-level keys are read without parsing the graph before them, with the same result as a full parse."""

from __future__ import annotations

import json
from typing import Any

import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from gen5core import MalformedChunkError
from gen5core.container.meta import Manifest
from gen5core.container.spec import Limits

NAMES = ("comfyui", "capture", "resources", "environment")


def manifest(text: str) -> Manifest:
    return Manifest(text, 0, Limits())


def text_of(entries: list[tuple[str, Any]], *, spaced: bool = False, escaped: bool = False) -> str:
    """Return META with these entries in this order, duplicate keys included."""
    separators = (", ", ": ") if spaced else (",", ":")
    parts = []
    for name, value in [("gen5_metadata", {}), *entries]:
        key = "".join(f"\\u{ord(letter):04x}" for letter in name) if escaped and name in NAMES else name
        parts.append(f'"{key}"{separators[1]}{json.dumps(value, separators=separators)}')
    return "{" + separators[0].join(parts) + "}"


def nested() -> st.SearchStrategy[Any]:
    """Return values that contain META's keys again, as keys and as look-alike text."""
    looks = st.sampled_from([f',"{name}":' for name in NAMES] + [f'"{name}"' for name in NAMES])
    keys = st.sampled_from(NAMES) | st.text(max_size=3)
    return st.recursive(
        looks | strategies.json_values(max_leaves=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    )


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((*NAMES, "other")), nested()), max_size=6),
    st.booleans(),
    st.booleans(),
)
def test_optional_is_the_documents(entries: list[tuple[str, Any]], spaced: bool, escaped: bool) -> None:
    """In any order, duplicated, nested, escaped or spaced: each key has the value that the full document has."""
    text = text_of(entries, spaced=spaced, escaped=escaped)
    lazy, whole = manifest(text), manifest(text)
    expected = [whole.document.get(name) for name in NAMES]
    kinds = [(name, type(value)) for name, value in zip(NAMES, expected, strict=True)]
    assert [lazy.optional(name, kind) for name, kind in kinds] == expected
    assert [manifest(text).optional(name, kind) for name, kind in kinds] == expected


def test_graph_is_not_parsed() -> None:
    """Keys after the graph are read even if the graph is not valid JSON; only the full document raises."""
    text = '{"gen5_metadata":{},"comfyui":{"workflow":oops},"capture":{"noise_source":"none"},"resources":[]}'
    found = manifest(text)
    assert found.optional("capture", dict) == {"noise_source": "none"}
    assert found.optional("resources", list) == []
    assert found.optional("environment", dict) is None
    with pytest.raises(MalformedChunkError, match="its text is not strict JSON"):
        _ = found.document

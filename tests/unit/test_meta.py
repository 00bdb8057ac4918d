"""META's own keys are read without parsing the graph before them, and are what parsing all of it gives."""

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


def text_of(further: list[tuple[str, Any]], *, spaced: bool = False, escaped: bool = False) -> str:
    """Return META of these keys in this order, a key twice where it is named twice."""
    separators = (", ", ": ") if spaced else (",", ":")
    parts = []
    for name, value in [("gen5_metadata", {}), *further]:
        key = "".join(f"\\u{ord(letter):04x}" for letter in name) if escaped and name in NAMES else name
        parts.append(f'"{key}"{separators[1]}{json.dumps(value, separators=separators)}')
    return "{" + separators[0].join(parts) + "}"


def nested() -> st.SearchStrategy[Any]:
    """Values in which META's keys stand again, as keys and as text that looks like them."""
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
def test_further_is_the_documents(further: list[tuple[str, Any]], spaced: bool, escaped: bool) -> None:
    """In any order, twice, nested, spelled with escapes or white space: each key has the document's value."""
    text = text_of(further, spaced=spaced, escaped=escaped)
    lazy, whole = manifest(text), manifest(text)
    expected = [whole.document.get(name) for name in NAMES]
    kinds = [(name, type(value)) for name, value in zip(NAMES, expected, strict=True)]
    assert [lazy.further(name, kind) for name, kind in kinds] == expected
    assert [manifest(text).further(name, kind) for name, kind in kinds] == expected


def test_graph_is_not_parsed() -> None:
    """What stands behind the graph is read although the graph is no JSON, which the whole document tells."""
    text = '{"gen5_metadata":{},"comfyui":{"workflow":oops},"capture":{"noise_source":"none"},"resources":[]}'
    found = manifest(text)
    assert found.further("capture", dict) == {"noise_source": "none"}
    assert found.further("resources", list) == []
    assert found.further("environment", dict) is None
    with pytest.raises(MalformedChunkError, match="its text is not strict JSON"):
        _ = found.document

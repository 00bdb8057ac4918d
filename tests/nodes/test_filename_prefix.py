"""Tokens of filename_prefix that the browser replaces only for its own nodes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from gen5pack.nodes.saving.filename_prefix import expand_prefix

NOW = datetime(2026, 3, 7, 9, 5, 4)
PROMPT: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "model": ["4", 0]}, "_meta": {"title": "Base"}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd/a b.safetensors"}},
    "5": {"class_type": "CLIPTextEncode", "inputs": {"text": "a"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "b"}},
}


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("d/%date:yyyy-MM-dd%/x", "d/2026-03-07/x"),
        ("%date:yy.M.d hh.mm.ss%", "26.3.7 09.05.04"),
        ("%KSampler.seed%", "5"),
        ("%Base.seed%_%date:h%", "5_9"),
        ("%CheckpointLoaderSimple.ckpt_name%", "sd_a b.safetensors"),
        ("%CLIPTextEncode.text%", "%CLIPTextEncode.text%"),
        ("%KSampler.model%", "%KSampler.model%"),
        ("%year%_%width%_100%", "%year%_%width%_100%"),
    ],
)
def test_tokens_are_replaced(prefix: str, expected: str) -> None:
    """Dates, and widget values of the only node with a title or class, are filled in; unknown tokens stay."""
    assert expand_prefix(prefix, PROMPT, NOW) == expected

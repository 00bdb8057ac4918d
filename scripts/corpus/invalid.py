"""All cases, and the function that writes them to a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from .carriers import carrier_cases
from .cases import Case
from .documents import document_cases
from .environments import environment_cases
from .headers import header_cases
from .images import image_cases
from .layouts import layout_cases
from .meta_frames import meta_frame_cases
from .meta_texts import meta_text_cases
from .payloads import payload_cases
from .rows import row_cases
from .signatures import signature_cases
from .tensors import tensor_cases
from .trailers import trailer_cases

MAKERS: tuple[Callable[[], Iterator[Case]], ...] = (
    header_cases,
    trailer_cases,
    signature_cases,
    meta_frame_cases,
    meta_text_cases,
    document_cases,
    row_cases,
    layout_cases,
    tensor_cases,
    payload_cases,
    environment_cases,
    image_cases,
    carrier_cases,
)


def invalid_cases() -> list[Case]:
    """Return every case, in the order of the rules that they break."""
    return [case for maker in MAKERS for case in maker()]


def write_invalid(folder: Path) -> int:
    """Write the invalid files and the expected errors; return the number of files."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.gen5"):
        stale.unlink()
    expected = {}
    for case in invalid_cases():
        name = f"{case.error}__{case.why}.gen5"
        if name in expected:
            raise ValueError(f"two cases are named {name}; rename one")
        (folder / name).write_bytes(case.data)
        expected[name] = {"error": case.error, "message": case.message}
    text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
    (folder / "expected.json").write_bytes(text.encode())
    return len(expected)

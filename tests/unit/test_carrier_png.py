"""The number of chunks decides whether a PNG is shown as it is, or stored as an image of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from png_chunks import joined, record, split

import gen5core
from gen5core import Limits
from gen5core.rewrite.carry import carry_file, uncarry_file

PIXELS = np.arange(105, dtype=np.uint8).reshape(5, 7, 3)
FACTS: dict[str, Any] = {
    "comfyui": {"prompt": {"1": {"class_type": "KSampler", "inputs": {}}}, "workflow": {"nodes": []}},
    "environment": None,
    "hardware": None,
}
MOST = Limits().png_chunks - 4
"""The number without marker, prompt, workflow and record, which are added."""


def of_chunks(count: int) -> bytes:
    """Return a PNG of count chunks."""
    first, *rest = split(gen5core.encode_image(PIXELS))
    return joined([first, *[(b"prVt", b"")] * (count - 1 - len(rest)), *rest])


@pytest.mark.parametrize(
    ("count", "is_shown"), [(MOST, True), (MOST + 1, False), (100_001, False)], ids=["most", "more", "many"]
)
@pytest.mark.parametrize("is_carried", [False, True], ids=["saved", "carried"])
def test_a_png_of_many_chunks_opens_again(
    tmp_path: Path, count: int, is_shown: bool, is_carried: bool
) -> None:
    """A PNG with more chunks than readers step over is stored as an image of its own, and no byte of it is lost."""
    given, path = of_chunks(count), tmp_path / "a.png"
    if is_carried:
        carry_file(gen5core.save(tmp_path / "b.gen5", images=given, **FACTS), path)
    else:
        gen5core.save(path, images=given, **FACTS)
    assert is_shown == (b"prVt" not in record(path.read_bytes()))
    assert is_shown == (Limits().png_chunks == len(split(path.read_bytes())))
    with gen5core.open(path) as file:
        assert file.verify().notes == ()
        assert np.array_equal(PIXELS, file.images[0].array())
    uncarry_file(path, tmp_path / "c.gen5")
    with gen5core.open(tmp_path / "c.gen5") as file:
        assert [image.bytes for image in file.images] == [given]

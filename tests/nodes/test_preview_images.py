"""Images as pixels and PNGs: dtypes that numpy lacks, texts that readers refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes.compare import Gen5Compare
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.tensors.images import to_pixels
from runs import images, txt2img

LIMIT = 64 * 2**20
"""Bytes of text that Pillow accepts in a PNG, and readers in META."""


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_every_dtype_of_an_image(dtype: torch.dtype) -> None:
    """An IMAGE of any floating dtype becomes pixels; whole eighths of 256 are exact in all of them."""
    values = torch.tensor([0.0, 0.125, 0.25, 0.5, 1.0, -1.0, 2.0, 0.75], dtype=dtype).reshape(1, 2, 4, 1)
    [pixels] = to_pixels(values.expand(1, 2, 4, 3))
    assert pixels[..., 0].reshape(-1).tolist() == [0, 31, 63, 127, 255, 0, 255, 191]


@pytest.mark.parametrize("format", ["gen5+png", "gen5", "png"])
def test_half_precision_is_saved_and_compares_equal(format: str) -> None:
    """A bfloat16 IMAGE is saved in every format, and compared with its own file it is bit-exact."""
    picture = images(1, 16, 16).to(torch.bfloat16)
    file = Gen5Save().save("x", images=picture, format=format)["result"][1]
    identical, *_ = Gen5Compare().compare(file, images=picture)["result"]
    assert identical


@pytest.mark.parametrize("format", ["gen5+png", "gen5", "png"])
def test_workflow_that_no_reader_takes(folder: Path, format: str) -> None:
    """A workflow larger than readers accept is refused with a remedy that works; no file is left."""
    workflow = {"workflow": {"note": "x" * LIMIT}}
    message = (
        rf"^workflow and prompt take \d+ bytes as JSON, readers accept {LIMIT}: turn embed_workflow off$"
    )
    inputs = {"images": images(), "format": format, "extra_pnginfo": workflow, "prompt": txt2img()}
    with pytest.raises(EncodeError, match=message):
        Gen5Save().save("x", **inputs)
    assert [path for path in (folder / "output").rglob("*") if path.is_file()] == []
    file = Gen5Save().save("x", **inputs, embed_workflow=False)["result"][1]
    with gen5core.open(file.path) as opened:
        assert opened.comfyui is None


@pytest.mark.parametrize("format", ["gen5+png", "gen5", "png"])
def test_workflow_of_too_many_values(format: str) -> None:
    """The picture is saved all the same, without the graph, and the file says why."""
    workflow = {"workflow": {"nodes": [[]] * 2**18}}
    file = Gen5Save().save("x", images=images(), format=format, extra_pnginfo=workflow)["result"][1]
    with gen5core.open(file.path) as opened:
        assert "workflow" not in (opened.comfyui or {})
        assert re.search(
            r"workflow and prompt were left out, as they hold 5242\d\d values", opened.capture["reason"]
        )
        assert len(opened.images) == 1

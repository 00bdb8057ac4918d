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


GREY = torch.tensor([[0.0, 1.0], [0.5, float("nan")]])
ROUNDED = [[0, 255], [127, 0]]


@pytest.mark.parametrize(
    "picture",
    [
        GREY,
        GREY[..., None],
        GREY[None, ..., None],
        GREY[None, None, ..., None],
        GREY.numpy(),
        [GREY],
        (255 * GREY).nan_to_num().to(torch.uint8)[None, ..., None],
        GREY.to(torch.bfloat16)[None, ..., None],
    ],
    ids=["2", "3", "4", "5", "numpy", "list", "bytes", "bfloat16"],
)
def test_every_shape_of_a_picture(picture: object) -> None:
    """Without a batch, without channels, in a list, of whole bytes: the picture is the same; NaN is black."""
    [pixels] = to_pixels(picture)
    assert pixels.tolist() == [[[value] for value in row] for row in ROUNDED]


def test_every_byte_stays_as_it_is() -> None:
    """An IMAGE of whole bytes is saved byte for byte."""
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    [pixels] = to_pixels(every)
    assert pixels.reshape(-1).tolist() == list(range(256))


def test_grey_with_alpha() -> None:
    """Two channels are grey and alpha, which a PNG shows as RGBA."""
    [pixels] = to_pixels(torch.tensor([0.0, 1.0]).expand(1, 2, 2, 2))
    assert pixels.tolist() == [[[0, 0, 0, 255]] * 2] * 2


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (torch.zeros(1, 2, 2, 5), "shape 1 × 2 × 2 × 5 cannot be saved: a picture has 1 to 4 channels"),
        (torch.zeros(3), "shape 3 cannot be saved"),
        (torch.zeros(1, 2, 2, 3, dtype=torch.complex64), "their values are torch.complex64"),
        ({"samples": None}, "it is a dict, not a tensor"),
        (torch.zeros(1, 2, 2, 3, device="meta"), "it is a meta tensor"),
    ],
)
def test_what_is_no_picture(folder: Path, picture: object, says: str) -> None:
    """What cannot be shown is refused, with what it is and what to connect; no file is left."""
    with pytest.raises(EncodeError, match=says):
        Gen5Save().save("x", images=picture)
    assert [path for path in (folder / "output").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "picture",
    [
        [images(1, 16, 16), images(2, 16, 16)],
        images(2, 16, 16)[..., :2],
        images(2, 16, 16)[..., :1],
        images(1, 16, 16)[0],
        (images(2, 16, 16) * 255).to(torch.uint8),
        images(2, 16, 16).to(torch.float8_e4m3fn),
        images(2, 16, 16).to(torch.float8_e5m2),
    ],
    ids=["list", "two channels", "one channel", "no batch", "bytes", "e4m3fn", "e5m2"],
)
def test_odd_images_are_saved_and_compare_equal(folder: Path, picture: object) -> None:
    """An IMAGE that only a pack returns is saved, and compared with its own file it is bit-exact."""
    file = Gen5Save().save("x", images=picture)["result"][1]
    identical, *_ = Gen5Compare().compare(file, images=picture)["result"]
    assert identical


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

"""Limits that a caller can raise: each error gives both figures and says that larger Limits help."""

from __future__ import annotations

import zlib
from pathlib import Path
from unittest.mock import MagicMock

import forge
import numpy as np
import pytest
from png_chunks import png_chunk

import gen5core
from gen5core import EncodeError, LimitError, Limits
from gen5core.container import strict_json
from gen5core.container.meta import Manifest
from gen5core.images.png_chunks import MAX_TEXT_BYTES, read_texts

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
REMEDY = "; if you trust the file, pass larger Limits"


def read_all(file: gen5core.Gen5File) -> object:
    """Read what an open file holds, so that every limit is met."""
    return (
        [latent.array() for latent in file.latents.values()],
        [image.array() for image in file.images],
        file.environment,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    noise = np.zeros((1, 4, 64, 64), np.float32)
    return gen5core.save(
        tmp_path / "a.gen5", latents={"initial_noise": noise}, images=PIXELS, compression="zstd"
    )


@pytest.fixture
def carrier(tmp_path: Path) -> Path:
    return gen5core.save(tmp_path / "a.png", images=PIXELS, environment=None)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(meta_stored_bytes=10), r"META at offset \d+: takes \d+ bytes, the limit is 10"),
        (Limits(json_values=3), r"META at offset \d+: its JSON may hold \d+ values, the limit is 3"),
        (Limits(inflated_bytes=100), r"chunk 0 \(LATN .*\d+ bytes, the limit is 100"),
        (Limits(image_pixels=15), r"4 x 4 pixels, the limit is 15"),
    ],
    ids=["META stored", "values", "inflated", "pixels"],
)
def test_limits_of_a_file(saved: Path, limits: Limits, message: str) -> None:
    """A file on its own."""
    with pytest.raises(LimitError, match=rf"{message}{REMEDY}$"), gen5core.open(saved, limits=limits) as file:
        read_all(file)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(png_chunks=1), r"has more than 1 chunks"),
        (Limits(inflated_bytes=50), r"the PNG.*takes \d+ bytes without its record, the limit is 50"),
    ],
    ids=["chunks", "picture"],
)
def test_limits_of_a_carrier(carrier: Path, limits: Limits, message: str) -> None:
    """A PNG that carries a record."""
    with (
        pytest.raises(LimitError, match=rf"{message}{REMEDY}$"),
        gen5core.open(carrier, limits=limits) as file,
    ):
        file.verify()


def test_limit_of_the_environment(tmp_path: Path) -> None:
    """The JSON of an ENVC chunk is bounded like META, raw chunks too."""
    payload = b'{"env_version": 1, "components": []}' + b" " * 4096
    path = tmp_path / "a.gen5"
    path.write_bytes(forge.build([forge.Chunk("ENVC", "0000", payload, {})]))
    message = rf"chunk 0 \(ENVC\).* is JSON of {len(payload)} bytes, the limit is 2048{REMEDY}$"
    with (
        gen5core.open(path, limits=Limits(meta_decoded_bytes=2048)) as file,
        pytest.raises(LimitError, match=message),
    ):
        _ = file.environment


@pytest.mark.parametrize("block", [1, 2, 3, 2**18])
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("[]", 1),
        ('{"a":[1,2],"b":{}}', 5),
        (r'["\\",","]', 2),
        (r'["\",[{\\\",",1]', 2),
        ('["é😀,",[]]', 3),
        ('"' + "," * 9, 0),
    ],
)
def test_values_are_counted_outside_strings(
    monkeypatch: pytest.MonkeyPatch, text: str, count: int, block: int
) -> None:
    """Wherever the text is cut into blocks, escapes included."""
    monkeypatch.setattr(strict_json, "_BLOCK_CHARACTERS", block)
    assert strict_json.count_values(text) == count


def test_a_prompt_of_many_commas_is_one_value(tmp_path: Path) -> None:
    """Marks inside strings count in neither direction: what is saved can be opened."""
    prompt = 'a, [b] {c} "d" \\' * 2**18
    path = gen5core.save(tmp_path / "a.gen5", prompt=prompt, environment=None)
    with gen5core.open(path) as file:
        assert file.prompt == prompt


def test_a_save_never_writes_more_values_than_a_reader_accepts(tmp_path: Path) -> None:
    """One clear error, and no file."""
    path = tmp_path / "a.gen5"
    with pytest.raises(
        EncodeError, match=r"^META may hold \d+ JSON values, readers accept 262144: store less"
    ):
        gen5core.save(path, comfyui={"workflow": [[]] * 2**18}, environment=None)
    assert not path.exists()


def test_a_bomb_of_values_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two million objects in 1.5 kB: no decoder is called."""
    text = '{"gen5_metadata":{"a":[' + ",".join(['{"":0}'] * 2**21) + "]}}"
    decoder = MagicMock()
    monkeypatch.setattr(strict_json, "DECODER", decoder)
    with pytest.raises(LimitError, match=r"may hold 4194306 values, the limit is 262144"):
        Manifest(text, 32, Limits())
    assert decoder.method_calls == []


def test_a_bound_that_no_caller_can_raise() -> None:
    """The texts of a PNG have a fixed bound: the error names what to do instead."""
    text = zlib.compress(b" " * (MAX_TEXT_BYTES + 1))
    png = forge.png(1, 1, b"\0\0\0\0")
    body = png_chunk(b"zTXt", b"note\0\0" + text)
    with pytest.raises(LimitError, match=r"more than \d+ bytes .*remove them from the image first$"):
        read_texts(png[:33] + body + png[33:])

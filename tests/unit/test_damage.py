"""Damage: every flipped bit, every truncation, and random changes by Hypothesis."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import strategies
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import gen5core
from gen5core import FormatError, MalformedChunkError, TruncatedError

VALID = Path(__file__).parents[1] / "corpus" / "valid"
TRAILER = b"a later note"
FRAME_BYTES = 12
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def intact_file() -> bytes:
    """Return a small sealed file with every kind of chunk, LATN raw and compressed, and a trailer."""
    return forge.build(
        [
            forge.float32("initial_noise", [0.5, -1.25, 2.0]),
            forge.Chunk("LATN", "F16", bytes(32), {"shape": [4, 4], "key": "mask"}, compressed=True),
            forge.Chunk("DATA", "0000", forge.png(2, 2, b"abcd"), {"index": 0}, compressed=True),
            forge.environment({"os": "name=os;version=Linux 6.8.0"}),
        ],
        trailer=forge.frame("NOTE", "0000", TRAILER),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "damaged.gen5"


def read_everything(path: Path) -> list[bytes]:
    """Open and verify; return every array and image as bytes."""
    with gen5core.open(path) as file:
        file.verify(threads=1)
        arrays = [part.array().tobytes() for latent in file.latents.values() for part in latent.parts]
        return arrays + [image.bytes for image in file.images]


@contextmanager
def changed(path: Path, position: int, mask: int) -> Iterator[None]:
    """Flip the bits of mask in one byte of the file, and restore them afterwards."""
    with path.open("r+b", buffering=0) as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ mask]))
        yield
        file.seek(position)
        file.write(byte)


def outcome(path: Path) -> str:
    """Return the name of the FormatError that reading raises, or ``read``; other errors are raised."""
    try:
        with gen5core.open(path) as file:
            file.verify(threads=1)
    except FormatError as error:
        return type(error).__name__ if error.path == str(path) else "unnamed file"
    return "read"


def test_every_bit_of_a_file(path: Path) -> None:
    """Each flipped bit raises one of our errors, except in the type, flags and content of an unknown trailer.

    A trailer of an unknown type cannot be checked, which the report says.
    """
    data = intact_file()
    path.write_bytes(data)
    unknown = range(len(data) - len(TRAILER), len(data))
    frame = range(unknown.start - FRAME_BYTES, unknown.start - 4)
    outcomes: Counter[str] = Counter()
    for position in range(len(data)):
        for bit in range(8):
            with changed(path, position, 1 << bit):
                name = outcome(path)
                outcomes[name] += 1
                assert (name == "read") == (position in unknown or position in frame), (position, bit, name)
    assert len(data) * 8 == outcomes.total()
    assert (len(unknown) + len(frame)) * 8 == outcomes["read"]
    assert data == path.read_bytes()
    assert outcome(path) == "read"


def test_every_byte_of_a_written_file(path: Path) -> None:
    """In a file by this package, each of two flipped bits of every byte raises one of our errors."""
    data = (VALID / "gen5core-1.1_everything.gen5").read_bytes()
    path.write_bytes(data)
    outcomes: Counter[str] = Counter()
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            with changed(path, position, mask):
                outcomes[outcome(path)] += 1
    assert 2 * len(data) == outcomes.total()
    assert outcomes["read"] == 0


@pytest.mark.parametrize(
    "name", ["gen5-0.1.0_raw_float32", "gen5-0.1.0_zstd_float32", "gen5-0.1.0_two_latents"]
)
def test_damage_to_version_1_0(path: Path, name: str) -> None:
    """A flipped bit in a file by gen5 0.1.0, which has no seal, never changes an array or image unnoticed."""
    data = (VALID / f"{name}.gen5").read_bytes()
    path.write_bytes(data)
    intact = read_everything(path)
    refused = 0
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            with changed(path, position, mask):
                try:
                    found = read_everything(path)
                except FormatError:
                    refused += 1
                else:
                    assert found == intact, (position, mask)
    assert refused > 1.8 * len(data)


@pytest.mark.parametrize("name", ["whole", *sorted(path.stem for path in VALID.glob("*.gen5"))])
def test_every_truncation(path: Path, name: str) -> None:
    """A file truncated at any length raises TruncatedError; an empty one NotGen5Error."""
    data = intact_file() if name == "whole" else (VALID / f"{name}.gen5").read_bytes()
    path.write_bytes(data)
    outcomes: Counter[str] = Counter()
    for size in range(len(data) - 1, -1, -1):
        os.truncate(path, size)
        outcomes[outcome(path)] += 1
    assert {"TruncatedError": len(data) - 1, "NotGen5Error": 1} == dict(outcomes)


def test_appended_bytes(path: Path) -> None:
    """Bytes after the end are refused, whether zeros, a frame or the file itself."""
    data = intact_file()
    tails = [bytes(size) for size in (1, 2, 12, 4096)]
    tails += [data, forge.frame("SIGN", "0000", b""), b"PK\3\4", b"\xff" * 33]
    for tail in tails:
        path.write_bytes(data + tail)
        with pytest.raises(
            MalformedChunkError, match=f"{len(tail)} bytes follow the end that the header gives"
        ):
            gen5core.open(path)


@QUICK
@given(strategies.files(), st.data())
def test_damage_to_any_file(
    tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Any], data: st.DataObject
) -> None:
    """Any file can be read back, and any changed byte or truncation is found."""
    path = tmp_path_factory.getbasetemp() / "any.gen5"
    gen5core.save(path, **saved)
    intact = path.read_bytes()
    read_everything(path)
    # The date in META changes the size from run to run, so the position is drawn as a fraction.
    position = int(data.draw(st.floats(0, 1, exclude_max=True), "position") * len(intact))
    with changed(path, position, data.draw(st.integers(1, 255), "mask")):
        assert outcome(path) != "read"
    path.write_bytes(intact[:position])
    assert outcome(path) == ("TruncatedError" if position else "NotGen5Error")


@QUICK
@given(strategies.files())
def test_any_file_comes_back(tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Any]) -> None:
    """Every array, part, pixel and fact is read back exactly as it was saved."""
    path = tmp_path_factory.getbasetemp() / "back.gen5"
    gen5core.save(path, **saved)
    with gen5core.open(path) as file:
        assert list(saved["latents"]) == list(file.latents)
        for name, latent in saved["latents"].items():
            wanted = latent if isinstance(latent, list) else [latent]
            found = [part.array() for part in file.latents[name].parts]
            assert [(a.shape, a.dtype.name, _bits(a)) for a in found] == [
                (a.shape, a.dtype.name, _bits(a)) for a in wanted
            ]
        stored = [image.array() for image in file.images]
        assert [image.tobytes() for image in _singles(saved["images"])] == [
            image.tobytes() for image in stored
        ]
        for name, value in saved.items():
            if name not in ("latents", "images", "compression", "environment"):
                found_value = getattr(file, name)
                expected = {} if value is None else value
                assert (list(expected) if isinstance(found_value, tuple) else expected or found_value) == (
                    list(found_value) if isinstance(found_value, tuple) else found_value
                )
        if saved["environment"] is not None:
            assert saved["environment"].diff(file.environment) == []


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@settings(QUICK, max_examples=60)
@given(strategies.torch_latents())
def test_any_tensor_comes_back(tmp_path_factory: pytest.TempPathFactory, tensor: Any) -> None:
    """A torch tensor of any dtype is restored with its dtype and shape, and equal values except NaN."""
    torch = strategies.loaded_torch()
    path = tmp_path_factory.getbasetemp() / "tensor.gen5"
    gen5core.save(path, latents={"a": tensor}, environment=None, hardware=None)
    with gen5core.open(path) as file:
        found = file.latents["a"].torch()
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    wide, back = tensor.to(torch.float32), found.to(torch.float32)
    assert torch.equal(wide.isnan(), back.isnan())
    assert torch.equal(wide.nan_to_num(0), back.nan_to_num(0))
    assert torch.equal(wide.signbit() & ~wide.isnan(), back.signbit() & ~back.isnan())


@settings(QUICK, max_examples=400)
@given(st.binary(max_size=200), st.booleans())
@example(b"GEN5" + bytes(28), False)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, has_magic: bool) -> None:
    """Random bytes raise one of our errors, with or without magic and seal."""
    path = tmp_path_factory.getbasetemp() / "bytes.gen5"
    if has_magic and len(data) >= forge.HEADER_BYTES:
        data = forge.with_header(
            data, seal=True, magic=b"GEN5", major=1, minor=1, flags=1, file_size=len(data)
        )
    path.write_bytes(data)
    with pytest.raises(FormatError):
        gen5core.open(path)


@settings(QUICK, max_examples=400)
@given(st.data())
def test_any_document(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """META with any value at any position and a correct seal is read, or raises one of our errors."""
    path = tmp_path_factory.getbasetemp() / "document.gen5"
    document = copy.deepcopy(DOCUMENT)
    parent, key = data.draw(st.sampled_from(list(_positions(document))), "position")
    parent[key] = data.draw(ODD_VALUES, "value")
    path.write_bytes(forge.with_document(INTACT, document))
    with suppress(FormatError), gen5core.open(path) as file:
        with suppress(FormatError):
            file.verify(threads=1)
        for read in _reads(file):
            with suppress(FormatError):
                read()


def depths() -> range:
    """Return depths of JSON around the deepest that this Python can parse at this depth of its stack."""
    parsed, refused = 1, 200_000
    while refused - parsed > 1:
        depth = (parsed + refused) // 2
        try:
            json.loads("[" * depth + "]" * depth)
            parsed = depth
        except RecursionError:
            refused = depth
    return range(parsed - 60, parsed + 20, 3)


def test_nesting_at_every_depth(path: Path) -> None:
    """JSON nested about as deeply as Python allows, at any position, raises one of our errors."""
    refused = Counter[str]()
    for depth in depths():
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            deep = opening * depth + b"0" + closing * depth
            for text in (
                b'{"gen5_metadata":{"chunks":' + deep + b"}}",
                b'{"gen5_metadata":{"chunks":[' + deep + b"]}}",
                b'{"gen5_metadata":{"model_info":' + deep + b',"chunks":[0]},"capture":0}',
            ):
                path.write_bytes(forge.build([], text=text, before={"chunk_count": 1}))
                with pytest.raises(MalformedChunkError) as caught:
                    gen5core.open(path)
                refused[str(caught.value).rpartition(" ")[2]] += 1
    assert set(refused) == {"deeply", "integer", "object", "list"}


def test_deep_facts(path: Path) -> None:
    """Nested facts in an otherwise valid file are read, or raise one of our errors."""
    outcomes: Counter[str] = Counter()
    plain = forge.text_of(forge.build([], edit=lambda document: document.update(capture={"x": "#"})))
    for depth in (*range(190, 205), *depths()):
        text = plain.replace(b'"#"', b"[" * depth + b"]" * depth)
        for _ in range(3):  # the size in file_info is part of the text
            path.write_bytes(forge.build([], text=text))
            text = _claiming(text, path.stat().st_size)
        outcomes[outcome(path)] += 1
    assert set(outcomes) == {"read", "MalformedChunkError"}


def test_shrinking_while_read(path: Path) -> None:
    """A file truncated after opening raises TruncatedError, for an array as for verify()."""
    gen5core.save(path, latents={"a": np.zeros(2**18, np.float32)}, compression="none", hardware=None)
    with gen5core.open(path) as file:
        os.truncate(path, 2**17)
        with pytest.raises(TruncatedError, match=r"the file ends after \d+ of them: it was cut, or changed"):
            file.latents["a"].array()
        with pytest.raises(TruncatedError, match="it was cut"):
            file.verify()


def test_overwriting_while_read(path: Path) -> None:
    """Bytes that change after opening are found, since the digests were read at opening."""
    gen5core.save(path, latents={"a": np.zeros(64, np.float32)}, compression="none", hardware=None)
    refused = pytest.raises(gen5core.ChecksumError, match=r"chunk 0 \(LATN 'a'\) at offset 32: SHA-256")
    with gen5core.open(path) as file, changed(path, 60, 1), refused:
        file.latents["a"].array()


@pytest.mark.parametrize("verify", [True, False])
def test_verify_checks_the_seal_again(path: Path, verify: bool) -> None:
    """verify() finds a seal that changed after opening, or before it if opening did not check it."""
    gen5core.save(path, prompt="a cat", environment=None, hardware=None)
    seal = 24
    refused = pytest.raises(gen5core.ChecksumError, match=r"the seal is .* header and META give")
    with (
        changed(path, seal, 0 if verify else 1),
        gen5core.open(path, verify=verify) as file,
        changed(path, seal, 1 if verify else 0),
        refused,
    ):
        file.verify()


def test_random_damage_is_found_by_one_access(path: Path) -> None:
    """Reading an array checks its bytes: none of 300 flipped bits in its chunk gives other values."""
    values = np.random.default_rng(3).standard_normal(512, np.float32)
    rng = random.Random(3)
    for compression in ("none", "zstd"):
        gen5core.save(path, latents={"a": values}, compression=compression, environment=None, hardware=None)
        with gen5core.open(path) as file:
            row = file.rows[0]
        for _ in range(150):
            position = rng.randrange(row.offset, row.end)
            refused = pytest.raises(FormatError, match=r"chunk 0 \(LATN 'a'\) at offset 32: ")
            with changed(path, position, 1 << rng.randrange(8)), gen5core.open(path) as file, refused:
                file.latents["a"].array()


INTACT = intact_file()
DOCUMENT: dict[str, Any] = json.loads(forge.text_of(INTACT))
ODD_VALUES = (
    strategies.json_values()
    | st.integers(-(10**30), 10**30)
    | st.sampled_from(
        [2**31, 2**32 - 1, 2**32, 2**63, 10**4000, 32, 60, "F16", "ENVC", "DATA", "x" * 64, "\ud800"]
    )
)


def _positions(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the container and the key of everything inside value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _positions(item)


def _reads(file: gen5core.Gen5File) -> list[Any]:
    parts = [part for latent in file.latents.values() for part in latent.parts]
    facts = ("metadata", "settings", "hardware", "prompt", "model_name", "model_version", "date", "tags")
    further = ("comfyui", "capture", "resources", "environment")
    arrays: list[Any] = [part.array for part in parts] + [image.array for image in file.images]
    return arrays + [lambda name=name: getattr(file, name) for name in facts + further]


def _claiming(text: bytes, size: int) -> bytes:
    head, mark, rest = text.partition(b'"file_size":')
    return head + mark + str(size).encode() + rest[rest.index(b",") :]


def _bits(array: np.ndarray[Any, Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def _singles(images: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    return [single for image in images for single in (image if image.ndim == 4 else [image])]

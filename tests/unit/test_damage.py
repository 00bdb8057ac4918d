"""Damage: every bit of a file, every length of it, and whatever Hypothesis thinks of."""

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


def whole_file() -> bytes:
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
    """Flip the bits of mask in one byte of the file, and put them back."""
    with path.open("r+b", buffering=0) as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ mask]))
        yield
        file.seek(position)
        file.write(byte)


def outcome(path: Path) -> str:
    """Return the name of our error that reading ends in, or ``read``; another error leaves here."""
    try:
        with gen5core.open(path) as file:
            file.verify(threads=1)
    except FormatError as error:
        return type(error).__name__ if error.path == str(path) else "unnamed file"
    return "read"


def test_every_bit_of_a_file(path: Path) -> None:
    """Each bit flipped alone ends in one of our errors, but for a trailer's type, flags and content.

    A trailer of a type that no reader knows cannot be checked; its report says so.
    """
    data = whole_file()
    path.write_bytes(data)
    unknown = range(len(data) - len(TRAILER), len(data))
    frame = range(unknown.start - FRAME_BYTES, unknown.start - 4)
    ended: Counter[str] = Counter()
    for position in range(len(data)):
        for bit in range(8):
            with changed(path, position, 1 << bit):
                name = outcome(path)
                ended[name] += 1
                assert (name == "read") == (position in unknown or position in frame), (position, bit, name)
    assert len(data) * 8 == ended.total()
    assert (len(unknown) + len(frame)) * 8 == ended["read"]
    assert data == path.read_bytes()
    assert outcome(path) == "read"


def test_every_byte_of_a_written_file(path: Path) -> None:
    """Two bits of every byte of a file that this package wrote, each flipped alone, end in our errors."""
    data = (VALID / "gen5core-1.1_everything.gen5").read_bytes()
    path.write_bytes(data)
    ended: Counter[str] = Counter()
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            with changed(path, position, mask):
                ended[outcome(path)] += 1
    assert 2 * len(data) == ended.total()
    assert ended["read"] == 0


@pytest.mark.parametrize(
    "name", ["gen5-0.1.0_raw_float32", "gen5-0.1.0_zstd_float32", "gen5-0.1.0_two_latents"]
)
def test_damage_to_version_1_0(path: Path, name: str) -> None:
    """A flip in a file of 0.1.0, which has no seal, never changes an array or an image unseen."""
    data = (VALID / f"{name}.gen5").read_bytes()
    path.write_bytes(data)
    whole = read_everything(path)
    refused = 0
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            with changed(path, position, mask):
                try:
                    found = read_everything(path)
                except FormatError:
                    refused += 1
                else:
                    assert whole == found, (position, mask)
    assert refused > 1.8 * len(data)


@pytest.mark.parametrize("name", ["whole", *sorted(path.stem for path in VALID.glob("*.gen5"))])
def test_every_truncation(path: Path, name: str) -> None:
    """A file cut at any length is TruncatedError; an empty one is not GEN5."""
    data = whole_file() if name == "whole" else (VALID / f"{name}.gen5").read_bytes()
    path.write_bytes(data)
    ended: Counter[str] = Counter()
    for size in range(len(data) - 1, -1, -1):
        os.truncate(path, size)
        ended[outcome(path)] += 1
    assert {"TruncatedError": len(data) - 1, "NotGen5Error": 1} == dict(ended)


def test_appended_bytes(path: Path) -> None:
    """Bytes after the end are refused, whatever they are: zeros, a frame, the file itself."""
    data = whole_file()
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
    tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Any], data: st.DataObject
) -> None:
    """Whatever a file holds, it reads back whole, and any changed byte or lost end is found."""
    path = tmp_path_factory.getbasetemp() / "any.gen5"
    gen5core.save(path, **kept)
    whole = path.read_bytes()
    read_everything(path)
    # The date in META makes sizes differ from run to run, so that a place is drawn as a share.
    position = int(data.draw(st.floats(0, 1, exclude_max=True), "place") * len(whole))
    with changed(path, position, data.draw(st.integers(1, 255), "mask")):
        assert outcome(path) != "read"
    path.write_bytes(whole[:position])
    assert outcome(path) == ("TruncatedError" if position else "NotGen5Error")


@QUICK
@given(strategies.files())
def test_any_file_comes_back(tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Any]) -> None:
    """Every bit of every array, part and pixel, and every fact, comes back as it was saved."""
    path = tmp_path_factory.getbasetemp() / "back.gen5"
    gen5core.save(path, **kept)
    with gen5core.open(path) as file:
        assert list(kept["latents"]) == list(file.latents)
        for name, latent in kept["latents"].items():
            wanted = latent if isinstance(latent, list) else [latent]
            found = [part.array() for part in file.latents[name].parts]
            assert [(a.shape, a.dtype.name, _bits(a)) for a in wanted] == [
                (a.shape, a.dtype.name, _bits(a)) for a in found
            ]
        stored = [image.array() for image in file.images]
        assert [image.tobytes() for image in _singles(kept["images"])] == [
            image.tobytes() for image in stored
        ]
        for name, value in kept.items():
            if name not in ("latents", "images", "compression", "environment"):
                found_value = getattr(file, name)
                expected = {} if value is None else value
                assert (list(expected) if isinstance(found_value, tuple) else expected or found_value) == (
                    list(found_value) if isinstance(found_value, tuple) else found_value
                )
        if kept["environment"] is not None:
            assert kept["environment"].diff(file.environment) == []


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@settings(QUICK, max_examples=60)
@given(strategies.torch_latents())
def test_any_tensor_comes_back(tmp_path_factory: pytest.TempPathFactory, tensor: Any) -> None:
    """A torch tensor of any dtype comes back in that dtype and shape, equal wherever it is a number."""
    torch = strategies.loaded_torch()
    path = tmp_path_factory.getbasetemp() / "tensor.gen5"
    gen5core.save(path, latents={"a": tensor}, environment=None, hardware=None)
    with gen5core.open(path) as file:
        found = file.latents["a"].torch()
    assert (tensor.dtype, tensor.shape) == (found.dtype, found.shape)
    wide, back = tensor.to(torch.float32), found.to(torch.float32)
    assert torch.equal(wide.isnan(), back.isnan())
    assert torch.equal(wide.nan_to_num(0), back.nan_to_num(0))
    assert torch.equal(wide.signbit() & ~wide.isnan(), back.signbit() & ~back.isnan())


@settings(QUICK, max_examples=400)
@given(st.binary(max_size=200), st.booleans())
@example(b"GEN5" + bytes(28), False)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, led: bool) -> None:
    """Bytes of no meaning are refused in one of our ways, sealed and led by the magic or not."""
    path = tmp_path_factory.getbasetemp() / "bytes.gen5"
    if led and len(data) >= forge.HEADER_BYTES:
        data = forge.with_header(
            data, seal=True, magic=b"GEN5", major=1, minor=1, flags=1, file_size=len(data)
        )
    path.write_bytes(data)
    with pytest.raises(FormatError):
        gen5core.open(path)


@settings(QUICK, max_examples=400)
@given(st.data())
def test_any_document(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """META with any value in any place, sealed again, is read or refused in one of our ways."""
    path = tmp_path_factory.getbasetemp() / "document.gen5"
    document = copy.deepcopy(DOCUMENT)
    holder, key = data.draw(st.sampled_from(list(_places(document))), "place")
    holder[key] = data.draw(ODD_VALUES, "value")
    path.write_bytes(forge.with_document(WHOLE, document))
    with suppress(FormatError), gen5core.open(path) as file:
        with suppress(FormatError):
            file.verify(threads=1)
        for read in _ways_to_read(file):
            with suppress(FormatError):
                read()


def depths() -> range:
    """Return the depths of JSON around the deepest that this Python parses, here on its stack."""
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
    """JSON nested to any depth around what Python bears, in any place, is read or refused in our way."""
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
    """Facts nested to any depth, in a file that is true otherwise, are read or refused in our way."""
    ended: Counter[str] = Counter()
    plain = forge.text_of(forge.build([], edit=lambda document: document.update(capture={"x": "#"})))
    for depth in depths():
        text = plain.replace(b'"#"', b"[" * depth + b"]" * depth)
        for _ in range(3):  # the size in file_info is part of the text
            path.write_bytes(forge.build([], text=text))
            text = _claiming(text, path.stat().st_size)
        ended[outcome(path)] += 1
    assert set(ended) == {"read", "MalformedChunkError"}


def test_shrinking_while_read(path: Path) -> None:
    """A file cut between opening and reading is TruncatedError, for an array as for verify()."""
    gen5core.save(path, latents={"a": np.zeros(2**18, np.float32)}, compression="none", hardware=None)
    with gen5core.open(path) as file:
        os.truncate(path, 2**17)
        with pytest.raises(TruncatedError, match=r"the file ends after \d+ of them: it was cut, or changed"):
            file.latents["a"].array()
        with pytest.raises(TruncatedError, match="it was cut"):
            file.verify()


def test_overwriting_while_read(path: Path) -> None:
    """Bytes that change between opening and reading are found by the digest of what was opened."""
    gen5core.save(path, latents={"a": np.zeros(64, np.float32)}, compression="none", hardware=None)
    refused = pytest.raises(gen5core.ChecksumError, match=r"chunk 0 \(LATN 'a'\) at offset 32: SHA-256")
    with gen5core.open(path) as file, changed(path, 60, 1), refused:
        file.latents["a"].array()


@pytest.mark.parametrize("verify", [True, False])
def test_verify_looks_at_the_seal_again(path: Path, verify: bool) -> None:
    """verify() finds a seal changed after opening, or before it where opening did not look."""
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
    """Reading one array checks that array's bytes: of 300 flips in its chunk, none gives other values."""
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


WHOLE = whole_file()
DOCUMENT: dict[str, Any] = json.loads(forge.text_of(WHOLE))
ODD_VALUES = (
    strategies.json_values()
    | st.integers(-(10**30), 10**30)
    | st.sampled_from(
        [2**31, 2**32 - 1, 2**32, 2**63, 10**4000, 32, 60, "F16", "ENVC", "DATA", "x" * 64, "\ud800"]
    )
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield holder and key of everything inside value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


def _ways_to_read(file: gen5core.Gen5File) -> list[Any]:
    parts = [part for latent in file.latents.values() for part in latent.parts]
    facts = ("metadata", "settings", "hardware", "prompt", "model_name", "model_version", "date", "tags")
    further = ("comfyui", "capture", "resources", "environment")
    ways: list[Any] = [part.array for part in parts] + [image.array for image in file.images]
    return ways + [lambda name=name: getattr(file, name) for name in facts + further]


def _claiming(text: bytes, size: int) -> bytes:
    head, mark, rest = text.partition(b'"file_size":')
    return head + mark + str(size).encode() + rest[rest.index(b",") :]


def _bits(array: np.ndarray[Any, Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def _singles(images: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    return [single for image in images for single in (image if image.ndim == 4 else [image])]

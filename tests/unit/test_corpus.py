"""The corpus: one invalid file for every rule of the format, and golden files of both versions."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tracemalloc
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import zstandard

import gen5core
from gen5core import Environment, FormatError, Limits

ROOT = Path(gen5core.__file__).parents[1]
INVALID = ROOT / "tests" / "corpus" / "invalid"
VALID = ROOT / "tests" / "corpus" / "valid"
EXPECTED: dict[str, dict[str, str]] = json.loads((INVALID / "expected.json").read_text("utf-8"))
GOLDEN = sorted(path.stem for path in VALID.glob("*.gen5"))
MIB = 2**20
BOMBS = [name for name in EXPECTED if "bomb" in name or "declares" in name or "deep" in name]
MAX_BYTES = 72 * MIB
"""The limit for META, plus memory for the reader itself."""


def read_everything(path: Path, limits: Limits | None = None) -> gen5core.Report:
    """Open, verify, and read every array, image and fact."""
    with gen5core.open(path, limits=limits or Limits()) as file:
        report = file.verify(threads=1)
        for latent in file.latents.values():
            for part in latent.parts:
                part.array()
        for image in file.images:
            image.array()
        return report


def test_every_rule_has_a_file() -> None:
    """The folder and expected.json list the same files, all small, and every kind of error occurs."""
    found = sorted(path.name for path in INVALID.glob("*.gen5"))
    assert found == sorted(EXPECTED)
    assert [name for name in found if (INVALID / name).stat().st_size > 6 * 1024] == []
    assert {kind.__name__ for kind in _kinds(FormatError)} == {row["error"] for row in EXPECTED.values()}


def _kinds(kind: type[FormatError]) -> set[type[FormatError]]:
    found = set(kind.__subclasses__())
    return found.union(*map(_kinds, found))


@pytest.mark.parametrize("name", EXPECTED)
def test_invalid_file_is_refused(name: str) -> None:
    """The file raises the error in its name, with a message that gives the reason and names the file."""
    expected = EXPECTED[name]
    kind = getattr(gen5core, expected["error"])
    with pytest.raises(FormatError) as caught:
        read_everything(INVALID / name)
    assert kind is type(caught.value), caught.value
    assert re.search(expected["message"], str(caught.value), re.DOTALL), caught.value
    assert str(INVALID / name) == caught.value.path
    assert len(str(caught.value)) < 1000 + len(str(INVALID))


@pytest.mark.parametrize("name", EXPECTED)
def test_invalid_file_is_safe_unverified(name: str) -> None:
    """Without checking digests, the same file raises one of our errors or gives data, but nothing else."""
    with suppress(FormatError), gen5core.open(INVALID / name, verify=False) as file:
        for latent in file.latents.values():
            for part in latent.parts:
                assert part.shape == part.array().shape
        for image in file.images:
            assert image.array().ndim == 3
        assert isinstance(file.metadata, dict)
        assert isinstance(file.environment, Environment | None)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_file(name: str) -> None:
    """A golden file has, bit for bit, the content that was saved in it."""
    expected = json.loads((VALID / f"{name}.json").read_text("utf-8"))
    data = (VALID / f"{name}.gen5").read_bytes()
    assert hashlib.sha256(data).hexdigest() == expected["sha256"]
    with gen5core.open(VALID / f"{name}.gen5") as file:
        report = file.verify()
        assert expected["root"] == file.root == report.root
        assert list(file.version) == expected["version"]
        assert {key: _tensor_facts(latent) for key, latent in file.latents.items()} == expected["latents"]
        assert [
            {"sha256": hashlib.sha256(image.bytes).hexdigest(), "pixels": image.array().ravel().tolist()}
            for image in file.images
        ] == expected["images"]
        assert {key: _fact(file, key) for key in expected["facts"]} == expected["facts"]


def _tensor_facts(latent: Any) -> dict[str, Any]:
    array = latent.array()
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    }


def _fact(file: gen5core.Gen5File, name: str) -> Any:
    environment = file.environment
    if name == "environment":
        return {row.component_id: row.canonical for row in environment.components} if environment else None
    if name == "environment_further":
        return environment.further if environment else None
    value = getattr(file, name)
    return list(value) if isinstance(value, tuple) else value


def test_golden_files_of_both_versions() -> None:
    """The golden files cover all writers and both versions."""
    makers = {name.split("_")[0] for name in GOLDEN}
    assert makers == {"gen5-0.1.0", "gen5core-1.1", "forged-1.0", "forged-1.1", "forged-1.9"}


def test_golden_environment_names_no_machine() -> None:
    """The golden files do not identify the machine that made them."""
    for name in GOLDEN:
        with gen5core.open(VALID / f"{name}.gen5") as file:
            texts = [row.canonical for row in file.environment.components] if file.environment else []
            assert {text for text in texts if text.startswith("name=os")} <= {"name=os;version=Linux 6.8.0"}
            assert file.hardware.get("machine_name", "golden") == "golden"


def test_trailer_of_unknown_type_is_reported() -> None:
    """A trailer of an unknown type is listed, and reported as not checked."""
    with gen5core.open(VALID / "forged-1.1_trailer.gen5") as file:
        (trailer,) = file.trailers
        assert (trailer.type, trailer.flags, trailer.size_bytes) == ("NOTE", "0000", 6)
        assert file.verify().notes == ("trailer 'NOTE' is not checked: unknown type",)


def test_peer_opens_the_golden_files() -> None:
    """gen5 0.1.0 reads the same arrays from the golden files with arrays that it supports."""
    peer = pytest.importorskip("gen5", reason="gen5 0.1.0 needs Python 3.11")
    for name in (
        "gen5core-1.1_everything",
        "gen5core-1.1_zstd",
        "forged-1.1_trailer",
        "gen5-0.1.0_two_latents",
    ):
        path = VALID / f"{name}.gen5"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the files were made on another machine
            decoded = peer.Gen5FileHandler().file_decoder(str(path))
        with gen5core.open(path) as file:
            ours = list(file.latents.arrays().values())
        theirs = decoded["chunks"]["latent"]
        assert [array.tobytes() for array in ours] == [np.asarray(array).tobytes() for array in theirs]


def test_corpus_is_reproducible(tmp_path: Path) -> None:
    """Making the invalid files again gives the same bytes, whichever compressor is installed."""
    script = [sys.executable, str(ROOT / "scripts" / "make_corpus.py"), "--out", str(tmp_path)]
    output = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    assert output.startswith(f"{len(EXPECTED)} invalid files in ")
    made = {path.name: path.read_bytes() for path in (tmp_path / "invalid").iterdir()}
    assert made == {path.name: path.read_bytes() for path in INVALID.iterdir()}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_allocates_little(name: str) -> None:
    """A few kilobytes that declare gigabytes need no more memory than the limits allow."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            read_everything(INVALID / name)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MAX_BYTES


@pytest.mark.parametrize("item", [b"[]", b"{}", b'""', b"[[[[0]]]]"])
def test_many_values_in_little_text(tmp_path: Path, item: bytes) -> None:
    """META of 60 MiB that would parse to gigabytes of empty values is refused before it is parsed."""
    items = b",".join([item] * (60 * MIB // (len(item) + 1)))
    for text in (b'{"gen5_metadata":{"chunks":[%s]}}' % items, b'{"x":[%s]}' % items):
        content = forge.frame("META", "0000", text)
        path = tmp_path / "many.gen5"
        path.write_bytes(forge.build([], meta=zstandard.ZstdCompressor().compress(content)))
        assert path.stat().st_size < 20_000
        tracemalloc.start()
        try:
            with pytest.raises(gen5core.LimitError, match=r"META at offset 32: its JSON may hold \d+ values"):
                gen5core.open(path)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 3 * 64 * MIB


_BOUNDED = """
import json, resource, sys
import gen5core
from gen5core import FormatError, Limits
import numpy, zstandard, PIL.PngImagePlugin, PIL.JpegImagePlugin, PIL.WebPImagePlugin
import cryptography.hazmat.primitives.asymmetric.ed25519
limits = Limits(meta_decoded_bytes=2**20, inflated_bytes=2**20, image_pixels=2**16)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**24, size + 2**24))
ended = {}
for path in sys.argv[1:]:
    try:
        with gen5core.open(path, limits=limits) as file:
            file.verify(threads=1)
            arrays = [part.array() for latent in file.latents.values() for part in latent.parts]
            images = [image.array() for image in file.images]
        ended[path] = "read"
    except FormatError as error:
        ended[path] = type(error).__name__
print(json.dumps(ended))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_AS")
def test_invalid_files_in_16_mib() -> None:
    """With small limits, a process reads the whole corpus within 16 MiB of additional memory."""
    paths = [str(INVALID / name) for name in EXPECTED]
    done = subprocess.run(
        [sys.executable, "-c", _BOUNDED, *paths], cwd=ROOT, check=True, capture_output=True, text=True
    )
    ended = json.loads(done.stdout)
    assert set(paths) == set(ended)
    assert "read" not in ended.values()


def test_limits_are_arguments(tmp_path: Path) -> None:
    """Each limit, if set low, refuses a file that is otherwise read; the message has both numbers."""
    rows = [forge.float32(f"latent {index}", [index]) for index in range(3)]
    packed = forge.Chunk("LATN", "F32", bytes(64), {"shape": [16], "key": "packed"}, compressed=True)
    image = forge.Chunk("DATA", "0000", forge.png(3, 3, bytes(9)))
    path = tmp_path / "small.gen5"
    path.write_bytes(
        forge.build([*rows, packed, image, forge.environment({"os": "name=os;version=Linux 6"})])
    )
    size = forge.header_of(path.read_bytes()).meta_size
    read_everything(path)
    cases = {
        f"META at offset \\d+: takes {size} bytes, the limit is {size - 1}": Limits(
            meta_stored_bytes=size - 1
        ),
        "META at offset \\d+: inflates to \\d+ bytes, the limit is 100": Limits(meta_decoded_bytes=100),
        "needs a window of \\d+ bytes, the limit is 64": Limits(window_bytes=64),
        "'packed'\\) at offset \\d+: inflates to 76 bytes, the limit is 75": Limits(inflated_bytes=75),
        "lists 6 chunks, the limit is 5": Limits(chunks=5),
        "image has 3 x 3 pixels, the limit is 8": Limits(image_pixels=8),
    }
    for message, limits in cases.items():
        with pytest.raises(gen5core.LimitError, match=message):
            read_everything(path, limits)

"""``open``: reads little at first and checks everything; each field; files by other writers."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import zstandard
from PIL import Image

import gen5core
from gen5core import ChecksumError, ChunkNotFoundError, Limits
from gen5core.container.records import Trailer
from gen5core.container.source import FileSource
from gen5core.environment.components import Component, Environment
from gen5core.errors import LimitError, MalformedChunkError

HEADER = struct.Struct("<4sBBHIIIIQ")
FRAME = struct.Struct("<4s4sI")
ENVIRONMENT = Environment(
    (Component("python", "name=python;version=3.11.7"),),
    {"attention": "name=attention;backend=pytorch"},
    {"os": "Linux 6.8.0", "cpu_cores": 8},
)
FACTS: dict[str, Any] = {
    "settings": {"seed": 2**64 - 1, "steps": 20, "sampler": "euler"},
    "prompt": "a cat “犬”",
    "model_name": "SD 3",
    "model_version": "3.0",
    "tags": ["cat", "neon"],
    "comfyui": {"prompt": {"3": {"class_type": "KSampler"}}, "workflow": {"nodes": []}, "version": "0.3.64"},
    "capture": {"noise_source": "recorded"},
    "resources": [{"kind": "checkpoint", "name": "sd3.safetensors"}],
    "environment": ENVIRONMENT,
    "hardware": {"os": "Linux 6.8.0", "cpu_cores": 8},
}
Reads = list[tuple[int, int]]


def save(path: Path, **facts: Any) -> Path:
    return gen5core.save(path, **{"environment": None, "hardware": None} | facts)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.gen5"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Record the offset and size of every read of a file, in order."""
    done: Reads = []
    read_into = FileSource.read_into

    def record(self: FileSource, view: memoryview, offset: int, *, chunk: str) -> None:
        done.append((offset, view.nbytes))
        read_into(self, view, offset, chunk=chunk)

    monkeypatch.setattr(FileSource, "read_into", record)
    return done


def latent_row(data: bytes, offset: int, key: str | None = "x_T", index: int = 0) -> dict[str, Any]:
    """Return the row of a raw one-dimensional float32 latent, as gen5 0.1.0 writes it."""
    return {
        "index": index,
        "type": "LATN",
        "flags": "F32",
        "offset": offset,
        "compressed_size": 12 + len(data),
        "uncompressed_size": len(data),
        "hash": hashlib.sha256(data).hexdigest(),
        "extra": {"shape": [len(data) // 4], "dtype": "float32"} | ({} if key is None else {"key": key}),
        "compressed": False,
    }


def old_file(chunks: bytes, rows: list[dict[str, Any]], **info: Any) -> bytes:
    """Return a version 1.0 file built by hand: chunks from byte 32, then META with a wrong file size."""
    file_info = {
        "magic": "GEN5",
        "version_major": 1,
        "version_minor": 0,
        "file_size": 1,
        "chunk_count": len(rows),
    }
    core = {"file_info": file_info, "model_info": info, "chunks": rows}
    text = json.dumps({"gen5_metadata": core}, indent=2).encode()
    meta = zstandard.ZstdCompressor().compress(FRAME.pack(b"META", b"0000", len(text)) + text)
    offset = 32 + len(chunks)
    header = HEADER.pack(b"GEN5", 1, 0, 0, offset, len(meta), len(rows), offset + len(meta), 0)
    return header + chunks + meta


def with_trailers(data: bytes, *trailers: bytes) -> bytes:
    """Return a sealed file with trailers after META and a new seal."""
    fields = list(HEADER.unpack(data[:32]))
    fields[3] |= 2
    fields[7] += sum(len(trailer) for trailer in trailers)
    fields[8] = 0
    meta = data[fields[4] : fields[4] + fields[5]]
    seal = hashlib.sha256(b"GEN5seal1" + HEADER.pack(*fields)[:24] + meta).digest()[:8]
    return HEADER.pack(*fields)[:24] + seal + data[32:] + b"".join(trailers)


def trailer(kind: bytes, data: bytes) -> bytes:
    return FRAME.pack(kind, b"0000", len(data)) + data


class TestLaziness:
    @pytest.fixture
    def stored(self, target: Path) -> Path:
        latents = {"a": noise(70_000), "b": np.zeros(50_000, np.float32)}
        return save(target, latents=latents, images=png(), **FACTS)

    def test_open(self, stored: Path, reads: Reads) -> None:
        """Opening reads 8 bytes to detect a PNG, the header and META, each once, and nothing else."""
        with gen5core.open(stored) as file:
            meta = (file.header.chunk_table_offset, file.header.chunk_table_size)
        assert [(0, 8), (0, 32), meta] == reads

    def test_metadata(self, stored: Path, reads: Reads) -> None:
        """All facts in META, and those on latents and images, need no further read."""
        with gen5core.open(stored) as file:
            reads.clear()
            _ = file.metadata, file.settings, file.prompt, file.hardware, file.comfyui, file.resources
            _ = [(latent.shape, latent.dtype, latent.orig_dtype) for latent in file.latents.values()]
            _ = [(image.size_bytes, image.facts) for image in file.images]
            _ = repr(file), file.rows, file.trailers
        assert reads == []

    def test_one_latent(self, stored: Path, reads: Reads) -> None:
        """An array reads its own chunk once and completely, and no other."""
        with gen5core.open(stored) as file:
            for name, row in zip("ab", file.rows, strict=False):
                reads.clear()
                file.latents[name].array()
                assert sum(size for _, size in reads) == row.compressed_size
                assert row.offset == min(offset for offset, _ in reads)
                assert row.end == max(offset + size for offset, size in reads)

    def test_environment(self, stored: Path, reads: Reads) -> None:
        """The environment is read on demand."""
        with gen5core.open(stored) as file:
            reads.clear()
            _ = file.environment
            (row,) = [row for row in file.rows if row.type == "ENVC"]
        assert [(row.offset, row.compressed_size)] == reads

    def test_open_does_not_grow(self, tmp_path: Path, reads: Reads) -> None:
        """Opening reads as little from a file of 40 MB as from one of 40 bytes."""
        sizes = []
        for index, count in enumerate((10, 10_000_000)):
            path = save(tmp_path / f"{index}.gen5", latents={"a": np.ones(count, "f4")}, compression="none")
            reads.clear()
            gen5core.open(path).close()
            sizes.append(sum(size for _, size in reads))
        assert abs(sizes[0] - sizes[1]) < 32

    def test_verify_reads_every_byte(self, stored: Path) -> None:
        """``verify()`` reads every byte of the file."""
        seen = np.zeros(stored.stat().st_size, bool)
        read_into = FileSource.read_into

        def mark(self: FileSource, view: memoryview, offset: int, *, chunk: str) -> None:
            seen[offset : offset + view.nbytes] = True
            read_into(self, view, offset, chunk=chunk)

        with gen5core.open(stored) as file, pytest.MonkeyPatch.context() as patch:
            patch.setattr(FileSource, "read_into", mark)
            file.verify()
        assert np.flatnonzero(~seen).tolist() == []


class TestFields:
    def test_all(self, target: Path) -> None:
        """Every saved field can be read under its name."""
        save(target, latents={"initial_noise": noise(3)}, images=png(), **FACTS)
        with gen5core.open(target) as file:
            read = {name: getattr(file, name) for name in FACTS}
            assert read == FACTS | {"tags": ("cat", "neon")}
            assert (file.version, str(file.version), file.sealed) == ((1, 1), "1.1", True)
            assert file.path == str(target)
            meta = target.read_bytes()[file.header.chunk_table_offset :]
            assert file.root == hashlib.sha256(meta).hexdigest()
            assert list(file.metadata) == ["gen5_metadata", "comfyui", "capture", "resources", "environment"]
            assert file.metadata["gen5_metadata"]["model_info"]["date"] == file.date

    def test_nothing(self, target: Path) -> None:
        """What was not saved is None or empty, never an error."""
        save(target)
        with gen5core.open(target) as file:
            assert (file.comfyui, file.capture, file.resources, file.environment) == (None, None, [], None)
            assert (file.settings, file.hardware, file.tags, file.prompt) == ({}, {}, (), "")
            assert (list(file.latents), file.images) == ([], ())

    def test_empty_model_info(self, target: Path) -> None:
        """A file with an empty model_info has empty fields."""
        target.write_bytes(old_file(b"", []))
        with gen5core.open(target) as file:
            fields = (file.prompt, file.model_name, file.model_version, file.date, file.tags)
        assert fields == ("", "", "", "", ())

    @pytest.mark.parametrize(
        ("name", "field", "value", "fault"),
        [
            ("prompt", "prompt", 3, "prompt is 3, not a string"),
            ("model_name", "model_name", None, "model_name is None, not a string"),
            ("model_version", "version", ["3"], "version is ['3'], not a string"),
            ("date", "date", 0, "date is 0, not a string"),
            ("tags", "tags", "cat", "tags is 'cat', not a list"),
            ("tags", "tags", ["cat", 3], "tags[1] is 3, not a string"),
            ("settings", "generation_settings", [], "generation_settings is [], not an object"),
            ("hardware", "hardware_info", "cpu", "hardware_info is 'cpu', not an object"),
        ],
    )
    def test_wrong_type(self, target: Path, name: str, field: str, value: Any, fault: str) -> None:
        """A field of the wrong type does not prevent opening; reading the field, or verify, raises."""
        target.write_bytes(old_file(b"", [], **{field: value}))
        with gen5core.open(target) as file:
            for read in (lambda: getattr(file, name), file.verify):
                with pytest.raises(MalformedChunkError) as raised:
                    read()
                assert str(raised.value) == f"{target}: META at offset 32: gen5_metadata.model_info.{fault}"

    def test_repr(self, target: Path) -> None:
        """The repr of a file, a latent and a row describes them."""
        latents = {"initial_noise": noise(1, 4), "final_latent": [noise(2), noise(3)]}
        save(target, latents=latents, images=[png(), png()])
        with gen5core.open(target) as file:
            names = "initial_noise, final_latent"
            assert repr(file) == f"<Gen5File {target} version 1.1, latents {names}, 2 images>"
            assert repr(file.latents["initial_noise"]) == "<StoredTensor 'initial_noise' float32 [1, 4]>"
            nested = "<StoredTensor 'final_latent' float32 [2] + float32 [3]>"
            assert repr(file.latents["final_latent"]) == nested
            assert str(file.rows[0]) == "chunk 0 (LATN 'initial_noise')"

    def test_report(self, target: Path) -> None:
        """``verify()`` reports what it checked."""
        save(target, latents={"a": noise(3)}, **FACTS)
        with gen5core.open(target) as file:
            expected = {
                "version": (1, 1),
                "sealed": True,
                "root": file.root,
                "chunk_count": 2,
                "checked_bytes": target.stat().st_size,
                "notes": (),
                "signatures": (),
                "uncovered_bytes": 0,
            }
            assert asdict(file.verify()) == expected


class TestLatents:
    def test_mapping(self, target: Path) -> None:
        """Latents are a Mapping in the order in which they were saved."""
        save(target, latents={"b": noise(1), "a": noise(2)})
        with gen5core.open(target) as file:
            assert (list(file.latents), len(file.latents)) == (["b", "a"], 2)
            assert [name in file.latents for name in ("a", "initial_noise", 3)] == [True, False, False]
            assert file.latents.get("c") is None

    @pytest.mark.parametrize(("names", "listed"), [(["b", "a"], "b, a"), ([], "none")])
    def test_unknown_name(self, target: Path, names: list[str], listed: str) -> None:
        """An unknown name is a KeyError that lists the names in the file."""
        save(target, latents={name: noise(1) for name in names})
        with gen5core.open(target) as file, pytest.raises(KeyError) as raised:
            file.latents["c"]
        assert str(raised.value) == f"there is no latent 'c'; the file has {listed}"
        assert isinstance(raised.value, ChunkNotFoundError)

    @pytest.mark.parametrize("threads", [None, 1, 2, 8])
    def test_arrays(self, target: Path, threads: int | None) -> None:
        """Several latents are read in parallel and returned by name, in the requested order."""
        latents = {str(index): noise(1000, seed=index) for index in range(6)}
        save(target, latents=latents)
        with gen5core.open(target) as file:
            every = file.latents.arrays(threads=threads)
            some = file.latents.arrays(["4", "1"], threads=threads)
        assert {name: array.tobytes() for name, array in latents.items()} == {
            name: array.tobytes() for name, array in every.items()
        }
        assert list(some) == ["4", "1"]
        assert [latents["4"].tolist(), latents["1"].tolist()] == [array.tolist() for array in some.values()]

    def test_arrays_use_threads(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two threads work at the same time: each waits for the other before it continues."""
        save(target, latents={"a": noise(10), "b": noise(20)}, compression="none")
        meet = threading.Barrier(2, timeout=20)
        waited = set()
        read_into = FileSource.read_into

        def wait_for_the_other(self: FileSource, view: memoryview, offset: int, *, chunk: str) -> None:
            if threading.get_ident() not in waited:
                waited.add(threading.get_ident())
                meet.wait()
            read_into(self, view, offset, chunk=chunk)

        with gen5core.open(target) as file:
            monkeypatch.setattr(FileSource, "read_into", wait_for_the_other)
            arrays = file.latents.arrays(threads=2)
        assert (len(waited), arrays["a"].size, arrays["b"].size) == (2, 10, 20)

    def test_first_error_in_order(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of several damaged latents the first one requested is reported, whichever thread finishes first."""
        save(target, latents={"a": noise(100), "b": noise(100)}, compression="none")
        data = bytearray(target.read_bytes())
        data[60] ^= 1
        data[500] ^= 1
        target.write_bytes(data)
        read_into = FileSource.read_into

        def delay_the_first(self: FileSource, view: memoryview, offset: int, *, chunk: str) -> None:
            time.sleep(0.05 if "'a'" in chunk else 0)
            read_into(self, view, offset, chunk=chunk)

        monkeypatch.setattr(FileSource, "read_into", delay_the_first)
        with gen5core.open(target) as file, pytest.raises(ChecksumError, match=r"chunk 0 \(LATN 'a'\)"):
            file.latents.arrays(["a", "b"], threads=2)

    def test_one_file_in_many_threads(self, target: Path) -> None:
        """Many threads can use one open file at the same time, and each gets the right bytes."""
        latents = {str(index): noise(5000, seed=index) for index in range(4)}
        save(target, latents=latents)
        wrong: list[str] = []

        def work(name: str) -> None:
            for _ in range(20):
                if file.latents[name].array().tobytes() != latents[name].tobytes():
                    wrong.append(name)

        with gen5core.open(target) as file:
            threads = [threading.Thread(target=work, args=(str(index % 4),)) for index in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert wrong == []


class TestClosing:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda file: file.latents["a"].array(),
            lambda file: file.images[0].bytes,
            lambda file: file.images[0].array(),
            lambda file: file.environment,
            lambda file: file.verify(),
        ],
        ids=["latent", "image bytes", "image", "environment", "verify"],
    )
    def test_closed(self, target: Path, ask: Callable[[Any], Any]) -> None:
        """Reading from a closed file is an error with the remedy."""
        save(target, latents={"a": noise(3)}, images=png(), **FACTS)
        with gen5core.open(target) as file:
            pass
        with pytest.raises(
            ValueError, match=r"a\.gen5 is closed; read inside the `with gen5core\.open\(\.\.\.\)`"
        ):
            ask(file)

    def test_facts_outlive_the_file(self, target: Path) -> None:
        """META can be read after closing, and closing twice is not an error."""
        save(target, latents={"a": noise(3)}, **FACTS)
        with gen5core.open(target) as file:
            array = file.latents["a"].array()
        file.close()
        assert (file.prompt, file.comfyui, array.shape) == (FACTS["prompt"], FACTS["comfyui"], (3,))

    def test_refused_file_is_closed(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that is refused is closed."""
        closed = []
        monkeypatch.setattr(FileSource, "close", lambda self: closed.append(self.path))
        target.write_bytes(b"no GEN5 file")
        with pytest.raises(gen5core.NotGen5Error, match=r"starts with b'no G', a GEN5 file starts"):
            gen5core.open(target)
        assert [target] == closed


class TestVerifyFlag:
    def test_digests_are_checked(self, target: Path) -> None:
        """By default a damaged chunk is refused when it is read; the error names file, chunk and offset."""
        save(target, latents={"a": noise(100)}, compression="none")
        _flip(target, 60)
        with gen5core.open(target) as file, pytest.raises(ChecksumError) as raised:
            file.latents["a"].array()
        error = raised.value
        assert (str(target), "chunk 0 (LATN 'a')", 32) == (error.path, error.chunk, error.offset)

    def test_others_stay_readable(self, target: Path) -> None:
        """With one latent damaged, the others can still be read."""
        save(target, latents={"a": noise(100), "b": noise(7)}, compression="none")
        _flip(target, 60)
        with gen5core.open(target) as file:
            assert file.latents["b"].array().tolist() == noise(7).tolist()

    def test_verify_false(self, target: Path) -> None:
        """With verify=False damaged values are returned, but ``verify()`` still finds them."""
        save(target, latents={"a": noise(100)}, compression="none")
        _flip(target, 60)
        with gen5core.open(target, verify=False) as file:
            different = np.flatnonzero(file.latents["a"].array() != noise(100))
            with pytest.raises(ChecksumError, match="SHA-256 of the payload is"):
                file.verify()
        assert different.tolist() == [4]

    def test_seal(self, target: Path) -> None:
        """A file with a wrong seal only opens with verify=False, and ``verify()`` finds it."""
        save(target, prompt="a")
        _flip(target, 24)
        with pytest.raises(ChecksumError, match=r"the seal is \w{16}, header and META give \w{16}:"):
            gen5core.open(target)
        with gen5core.open(target, verify=False) as file, pytest.raises(ChecksumError, match="the seal is"):
            file.verify()

    def test_changed_after_opening(self, target: Path) -> None:
        """``verify()`` reads header and META again, so a change since opening is found."""
        save(target, prompt="a")
        with gen5core.open(target) as file:
            file.verify()
            _flip(target, 25)
            with pytest.raises(ChecksumError, match="the seal is"):
                file.verify()

    def test_limits(self, target: Path) -> None:
        """The limits passed to ``open`` apply to META and to chunks."""
        save(target, latents={"a": np.zeros(1000, "f4")})
        with pytest.raises(LimitError, match=r"META at offset \d+: takes \d+ bytes, the limit is 10; if you"):
            gen5core.open(target, limits=Limits(meta_stored_bytes=10))
        with pytest.raises(LimitError, match="lists 1 chunks, the limit is 0"):
            gen5core.open(target, limits=Limits(chunks=0))
        with (
            gen5core.open(target, limits=Limits(inflated_bytes=4011)) as file,
            pytest.raises(LimitError, match="inflates to 4012 bytes, the limit is 4011; if you trust"),
        ):
            file.latents["a"].array()
        with gen5core.open(target, limits=Limits(inflated_bytes=4012)) as file:
            assert file.latents["a"].array().shape == (1000,)


class TestOldFiles:
    DATA = np.array([1.5, -2.0], np.float32).tobytes()
    CHUNK = FRAME.pack(b"LATN", b"F32\0", 8) + DATA

    def test_alias(self, target: Path) -> None:
        """The only latent of a 1.0 file is also the starting noise, whatever its name."""
        target.write_bytes(old_file(self.CHUNK, [latent_row(self.DATA, 32)]))
        with gen5core.open(target) as file:
            assert (list(file.latents), "initial_noise" in file.latents) == (["x_T"], True)
            assert file.latents["initial_noise"].array().tolist() == [1.5, -2.0]
            assert file.latents["initial_noise"].name == "x_T"

    def test_no_name(self, target: Path) -> None:
        """A latent without a name is named by its index."""
        target.write_bytes(old_file(self.CHUNK, [latent_row(self.DATA, 32, key=None)]))
        with gen5core.open(target) as file:
            assert (list(file.latents), "initial_noise" in file.latents) == (["latent_0"], True)

    def test_no_alias_of_two(self, target: Path) -> None:
        """Neither of two latents counts as the starting noise."""
        rows = [latent_row(self.DATA, 32, "a"), latent_row(self.DATA, 52, "b", 1)]
        target.write_bytes(old_file(self.CHUNK * 2, rows))
        with gen5core.open(target) as file:
            assert (list(file.latents), "initial_noise" in file.latents) == (["a", "b"], False)
            with pytest.raises(KeyError, match="no latent 'initial_noise'; the file has a, b"):
                file.latents["initial_noise"]

    def test_no_alias_in_new_files(self, target: Path) -> None:
        """In a 1.1 file no latent has a second name."""
        save(target, latents={"final_latent": noise(2)})
        with gen5core.open(target) as file:
            assert "initial_noise" not in file.latents

    def test_gaps(self, target: Path) -> None:
        """A 1.0 file may have gaps between chunks, e.g. for alignment, and rows in any order."""
        chunks = bytes(32) + self.CHUNK + bytes(12) + self.CHUNK
        rows = [latent_row(self.DATA, 96, "b"), latent_row(self.DATA, 64, "a", 1)]
        target.write_bytes(old_file(chunks, rows))
        with gen5core.open(target) as file:
            assert file.verify().chunk_count == 2
            assert [array.tolist() for array in file.latents.arrays().values()] == [[1.5, -2.0]] * 2

    def test_unknown_chunk(self, target: Path) -> None:
        """A chunk of an unknown type is checked, reported in the notes, and otherwise ignored."""
        data = b"what?"
        row = latent_row(data, 52, index=1) | {"type": "XTRA", "flags": "0000", "extra": {}}
        target.write_bytes(
            old_file(
                self.CHUNK + FRAME.pack(b"XTRA", b"0000", 5) + data,
                [latent_row(self.DATA, 32), row],
            )
        )
        with gen5core.open(target) as file:
            assert list(file.latents) == ["x_T"]
            assert file.verify().notes == (
                "version 1.0 has no seal: damage to the header and META may go unnoticed",
                "chunk 1 (XTRA) has a type that this reader does not know",
            )

    def test_wrong_file_size(self, target: Path) -> None:
        """The wrong file size in META of a 1.0 file is not an error."""
        target.write_bytes(old_file(self.CHUNK, [latent_row(self.DATA, 32)]))
        with gen5core.open(target) as file:
            assert file.metadata["gen5_metadata"]["file_info"]["file_size"] == 1
            assert file.verify().chunk_count == 1


class TestTrailers:
    def test_unknown_types(self, target: Path) -> None:
        """Trailers of unknown types are reported, and everything before them is read as usual."""
        save(target, latents={"a": noise(3)}, prompt="a cat")
        before = target.read_bytes()
        target.write_bytes(with_trailers(before, trailer(b"NOTE", b"12345"), trailer(b"XXXX", b"")))
        with gen5core.open(target) as file:
            end = len(before)
            assert file.trailers == (
                Trailer("NOTE", "0000", end + 12, 5),
                Trailer("XXXX", "0000", end + 29, 0),
            )
            report = file.verify()
            assert file.latents["a"].array().tolist() == noise(3).tolist()
            assert file.prompt == "a cat"
        assert report.notes == (
            "trailer 'NOTE' is not checked: unknown type",
            "trailer 'XXXX' is not checked: unknown type",
        )
        assert report.checked_bytes == len(before)
        assert report.uncovered_bytes == 2 * 12 + 5
        assert report.verdict == "intact, with 29 bytes that nothing covers"

    def test_root_stays(self, target: Path) -> None:
        """A trailer, such as a signature over the root, does not change the root."""
        save(target, prompt="a cat")
        with gen5core.open(target) as file:
            root = file.root
        target.write_bytes(with_trailers(target.read_bytes(), trailer(b"NOTE", b"12345")))
        with gen5core.open(target) as file:
            assert file.root == root

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            (b"SIGN", "4 bytes after META are too few for a frame"),
            (FRAME.pack(b"SIGN", b"0000", 6) + b"12345", "claims 6 bytes, 5 are left"),
            (FRAME.pack(b"SIGN", b"0000", 4) + b"12345", "1 bytes after META are too few for a frame"),
            (FRAME.pack(b"SIGN", b"0000", 2**32 - 1), "claims 4294967295 bytes, 0 are left"),
        ],
        ids=["no frame", "too long", "too short", "huge"],
    )
    def test_framing(self, target: Path, broken: bytes, message: str) -> None:
        """Trailers must fill the file to its end, frame by frame."""
        save(target)
        target.write_bytes(with_trailers(target.read_bytes(), broken))
        with pytest.raises(MalformedChunkError, match=rf"trailer at offset \d+: {message}$"):
            gen5core.open(target)

    def test_flag_without_trailer(self, target: Path) -> None:
        """The flag without a trailer, and bytes without the flag, are refused."""
        save(target)
        data = target.read_bytes()
        target.write_bytes(with_trailers(data))
        with pytest.raises(MalformedChunkError, match="META lies at 32 to"):
            gen5core.open(target)
        target.write_bytes(data + trailer(b"SIGN", b""))
        with pytest.raises(MalformedChunkError, match="12 bytes follow the end that the header gives"):
            gen5core.open(target)


def _flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_gaps_of_an_old_file_are_reported() -> None:
    """Bytes between chunks, which only version 1.0 may have, do not count as checked and are in the notes."""
    path = Path(__file__).parents[1] / "corpus" / "valid" / "forged-1.0_gaps.gen5"
    with gen5core.open(path) as file:
        report = file.verify()
        chunks = sum(row.compressed_size for row in file.rows)
        gap_bytes = file.header.chunk_table_offset - 32 - chunks
        assert gap_bytes > 0
        assert f"{gap_bytes} bytes between chunks belong to no chunk and are not checked" in report.notes
        assert report.checked_bytes == path.stat().st_size - gap_bytes
        assert report.verdict == f"intact, with {gap_bytes} bytes that nothing covers"


@pytest.mark.parametrize(
    ("value", "message"),
    [([1], r"environment is \[1\], not an object"), ({"host": 5}, r"environment\.host is 5")],
)
def test_environment_in_meta_is_checked_without_an_envc_chunk(
    tmp_path: Path, value: Any, message: str
) -> None:
    """A file with an environment only in META is checked like one that has both."""
    path = tmp_path / "a.gen5"
    path.write_bytes(
        forge.build([forge.float32("a", [0.5])], edit=lambda meta: {**meta, "environment": value})
    )
    with gen5core.open(path) as file, pytest.raises(MalformedChunkError, match=message):
        file.verify()

"""The documented API of gen5 0.1.0: the examples of its page run unchanged, and its bugs are fixed."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import page_facts
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import gen5core
from gen5core import Gen5FileHandler
from gen5core.environment.components import Component, Environment

torch = pytest.importorskip("torch")

A100 = "name=gpu;model=NVIDIA A100;driver=535.129.01"
RTX_4090 = "name=gpu;model=NVIDIA GeForce RTX 4090;driver=550.40.07"


def _unsealed_file() -> bytes:
    """Return a version 1.0 file with one latent, built by hand."""
    payload = struct.pack("<2f", 1, 2)
    chunk = struct.pack("<4s4sI", b"LATN", b"F32\0", 8) + payload
    row = {
        "index": 0,
        "type": "LATN",
        "flags": "F32",
        "offset": 32,
        "compressed_size": 20,
        "uncompressed_size": 8,
        "hash": hashlib.sha256(payload).hexdigest(),
        "extra": {"shape": [2], "dtype": "float32", "key": "a"},
        "compressed": False,
    }
    info = {"magic": "GEN5", "version_major": 1, "version_minor": 0, "file_size": 0, "chunk_count": 1}
    document = json.dumps({"gen5_metadata": {"file_info": info, "model_info": {}, "chunks": [row]}}).encode()
    meta = zstandard.ZstdCompressor().compress(
        struct.pack("<4s4sI", b"META", b"0000", len(document)) + document
    )
    size = 52 + len(meta)
    return struct.pack("<4sBBHIIIIQ", b"GEN5", 1, 0, 0, 52, len(meta), 1, size, 0) + chunk + meta


UNSEALED = _unsealed_file()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def peer() -> ModuleType:
    return pytest.importorskip("gen5", exc_type=ImportError)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def png(mode: str = "RGB", colour: Any = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (6, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


def encode(latent: Any, filename: str = "a.gen5", **changes: Any) -> dict[str, bytes | None]:
    """Encode with the required arguments of the page's call, plus changes."""
    arguments: dict[str, Any] = {
        "filename": filename,
        "latent": latent,
        "chunk_records": [],
        "model_name": "Stable Diffusion 3",
        "model_version": "3",
        "prompt": "A puppy smiling, cinematic",
        "tags": ["puppy", "dog", "smile"],
        "img_binary": None,
    }
    return Gen5FileHandler().file_encoder(**arguments | changes)


def decode(filename: str = "a.gen5") -> dict[str, Any]:
    return Gen5FileHandler().file_decoder(filename)


def error_of(call: Callable[[], Any], kind: type[Exception]) -> str | None:
    """Return the message of an error of this kind, or None if call succeeds; any other error is raised."""
    try:
        call()
    except kind as error:
        return str(error)
    return None


def round_trip(array: Any, **changes: Any) -> np.ndarray:
    encode({"initial_noise": array}, **changes)
    (decoded,) = decode()["chunks"]["latent"]
    return decoded


class TestThePage:
    def test_store_example(self) -> None:
        """The page's "HOW TO STORE" call runs, and stores float16 because it requests that."""
        gen5 = Gen5FileHandler()
        initial_noise, final_latent = torch.randn(1, 16, 8, 8), torch.randn(1, 16, 8, 8)
        img_bytes = png()
        gen5.file_encoder(
            filename="my_ai_art.gen5",
            latent={"initial_noise": initial_noise.numpy(), "final_latent": final_latent.numpy()},
            chunk_records=[],
            model_name="Stable Diffusion 3",
            model_version="3.0",
            prompt="A cyberpunk cat wearing neon goggles, cinematic lighting",
            tags=["cat", "cyberpunk", "neon"],
            img_binary=img_bytes,
            convert_float16=True,
            should_compress=True,
            generation_settings={
                "seed": 1337,
                "steps": 30,
                "sampler": "euler_ancestral",
                "cfg_scale": 7.0,
                "scheduler": "karras",
                "precision": "fp16",
            },
            hardware_info={
                "machine_name": "desktop-alpha",
                "os": "linux",
                "cpu": "AMD Ryzen 9 7950X",
                "cpu_cores": 16,
                "gpu": [
                    {
                        "name": "NVIDIA RTX 4090",
                        "memory_gb": 24,
                        "driver": "550.54.14",
                        "cuda_version": "12.4",
                    }
                ],
                "ram_gb": 128.0,
                "framework": "torch",
                "compute_lib": "cuda",
            },
        )
        latents = decode("my_ai_art.gen5")["chunks"]["latent"]
        expected = [initial_noise.half().numpy().tolist(), final_latent.half().numpy().tolist()]
        assert [latent.tolist() for latent in latents] == expected
        assert [latent.dtype for latent in latents] == [np.float16, np.float16]

    def test_encoding_and_decoding_examples(self) -> None:
        """The page's encoding and decoding examples run one after the other without loss."""
        Image.new("RGBA", (8, 8), (255, 0, 0, 128)).save("image.png")
        batch_size, channels, height, width = 1, 4, 8, 8
        filename = "encoded_img.gen5"

        gen5 = Gen5FileHandler()
        initial_noise_tensor = torch.randn(batch_size, channels, height, width)
        latent = {"initial_noise": initial_noise_tensor.detach().cpu().numpy()}
        binary_img_data = gen5.png_to_bytes(r"image.png")
        gen5.file_encoder(
            filename="encoded_img.gen5",
            latent=latent,
            chunk_records=[],
            model_name="Stable Diffusion 3",
            model_version="3",
            prompt="A puppy smiling, cinematic",
            tags=["puppy", "dog", "smile"],
            img_binary=binary_img_data,
            convert_float16=False,
            generation_settings=page_facts.SETTINGS,
            hardware_info=page_facts.HARDWARE,
        )

        decoded = gen5.file_decoder(filename)
        metadata = decoded["metadata"]["gen5_metadata"]
        model_info = decoded["metadata"]["gen5_metadata"]["model_info"]
        with open("decoded_metadata.json", "w") as f:
            json.dump(decoded["metadata"], f, indent=2)
        image_bytes = decoded["chunks"].get("image")
        if image_bytes is not None:
            img = Image.open(io.BytesIO(image_bytes))
            img.save("decoded_image.png")

        assert decoded["metadata"] == json.loads(Path("decoded_metadata.json").read_text())
        assert model_info == metadata["model_info"]
        assert (
            model_info["generation_settings"],
            model_info["hardware_info"],
        ) == (page_facts.SETTINGS, page_facts.HARDWARE)
        assert latent["initial_noise"].tolist() == decoded["chunks"]["latent"][0].tolist()
        with Image.open("decoded_image.png") as saved:
            assert (saved.mode, saved.getpixel((0, 0))) == ("RGBA", (255, 0, 0, 128))

    @pytest.mark.parametrize(
        "name", ["__init__", "file_encoder", "file_decoder", "png_to_bytes", "bytes_to_png"]
    )
    def test_signature(self, peer: ModuleType, name: str) -> None:
        """Every call has gen5 0.1.0's argument names, order and defaults, except that of ``convert_float16``."""
        ours, theirs = (
            [(argument.name, argument.default) for argument in inspect.signature(call).parameters.values()]
            for call in (getattr(Gen5FileHandler, name), getattr(peer.Gen5FileHandler, name))
        )
        changed = {"convert_float16": False}
        assert [(argument, changed.get(argument, default)) for argument, default in theirs] == ours

    def test_positional_arguments(self) -> None:
        """The arguments can also be passed by position, in the page's order."""
        arguments = ("a.gen5", {"initial_noise": noise(2)}, [], "name", "version", "prompt", ["tag"], png())
        Gen5FileHandler().file_encoder(*arguments, False, True, page_facts.SETTINGS, page_facts.HARDWARE)
        with gen5core.open("a.gen5") as file:
            fields = (
                file.model_name,
                file.model_version,
                file.prompt,
                file.tags,
                file.settings,
                file.hardware,
            )
            stored = [(row.type, row.flags, row.compressed) for row in file.rows[:2]]
        assert fields == ("name", "version", "prompt", ("tag",), page_facts.SETTINGS, page_facts.HARDWARE)
        assert stored == [("LATN", "F16", False), ("DATA", "0000", False)]

    def test_encoder_returns_the_parts(self, peer: ModuleType) -> None:
        """The encoder returns gen5 0.1.0's four keys, with the bytes that are in the file."""
        latent = {"a": noise(1, 4, 2, 2), "b": noise(1, 4, 2, 2)}
        theirs = peer.Gen5FileHandler().file_encoder(
            "b.gen5", latent, [], "", "", "", [], png(), True, False, page_facts.SETTINGS, page_facts.HARDWARE
        )
        ours = encode(latent, img_binary=png())
        data = Path("a.gen5").read_bytes()
        with gen5core.open("a.gen5") as file:
            first, second, image, environment = file.rows
        assert list(theirs) == list(ours)
        assert {
            "header": data[:32],
            "latent_chunks": data[first.offset : second.end],
            "metadata_chunk": data[environment.end :],
            "image_chunk": data[image.offset : image.end],
        } == ours

    def test_encoder_without_image(self) -> None:
        """Without an image, ``image_chunk`` is None."""
        assert encode({"a": noise(2)})["image_chunk"] is None

    def test_chunk_records(self, peer: ModuleType) -> None:
        """One record per chunk, with gen5 0.1.0's keys, is appended to the caller's list."""
        theirs: list[Any] = []
        latent = {"a": noise(1, 4, 2, 2)}
        peer.Gen5FileHandler().file_encoder(
            "b.gen5",
            latent,
            theirs,
            "",
            "",
            "",
            [],
            png(),
            True,
            False,
            page_facts.SETTINGS,
            page_facts.HARDWARE,
        )
        before = {"type": "mine"}
        ours: list[Any] = [before]
        encode(latent, chunk_records=ours, img_binary=png())
        assert before == ours.pop(0)
        assert [set(record) for record in theirs] == [set(record) for record in ours]
        names = ("type", "flags", "uncompressed_size", "hash", "compressed")
        kept = [[record[name] for name in names] for record in ours[:2]]
        assert [[record[name] for name in names] for record in theirs[:2]] == kept
        rows = decode()["metadata"]["gen5_metadata"]["chunks"]
        assert rows == [{"index": index, **record} for index, record in enumerate(ours)]

    def test_header_size(self) -> None:
        """``HEADER_SIZE`` is 32, on the class and on an instance."""
        assert (Gen5FileHandler.HEADER_SIZE, Gen5FileHandler().HEADER_SIZE) == (32, 32)

    def test_decoder_return_shape(self) -> None:
        """The decoder returns header, chunks, metadata and, beyond 0.1.0, latents by name."""
        latent = {"a": noise(2), "b": noise(3)}
        encode(latent, img_binary=png())
        decoded = decode()
        assert list(decoded) == ["header", "chunks", "metadata", "latents"]
        assert list(decoded["chunks"]) == ["latent", "image", "env"]
        assert isinstance(decoded["chunks"]["latent"], list)
        assert decoded["header"]["magic"] == b"GEN5"
        assert os.path.getsize("a.gen5") == decoded["header"]["file_size"]
        assert {name: array.tolist() for name, array in latent.items()} == {
            name: array.tolist() for name, array in decoded["latents"].items()
        }

    def test_decoder_without_image_and_environment(self) -> None:
        """Missing parts have no key, except ``latent``, which is an empty list."""
        gen5core.save("a.gen5", environment=None)
        assert decode()["chunks"] == {"latent": []}

    def test_should_compress(self) -> None:
        """``should_compress`` applies to latents and image, as the page says."""
        records: dict[bool, list[Any]] = {True: [], False: []}
        for should_compress, found in records.items():
            encode({"a": noise(64)}, chunk_records=found, img_binary=png(), should_compress=should_compress)
        assert [[record["compressed"] for record in found] for found in records.values()] == [
            [True, True, True],
            [False, False, True],
        ]

    def test_extension(self) -> None:
        """The .gen5 extension is required; otherwise a ValueError has gen5 0.1.0's message."""
        with pytest.raises(ValueError, match=r"^Filename must have a \.gen5 extension$"):
            encode({"a": noise(2)}, "a.png")

    def test_gpu_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another GPU raises the exact UserWarning of the page, at the caller's line."""
        gen5core.save("a.gen5", environment=Environment((Component("gpu", A100),)), hardware=None)
        _set_machine(monkeypatch, {"gpu": RTX_4090})
        with pytest.warns(UserWarning, match="^Environment component") as raised:
            decode()
        expected = f"Environment component 'gpu' differs:\n  File: {A100}\n  Current: {RTX_4090}"
        assert [str(warning.message) for warning in raised] == [expected]
        assert [__file__] == [warning.filename for warning in raised]

    def test_missing_component_warnings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A component that one side lacks raises gen5 0.1.0's warning."""
        gen5core.save("a.gen5", environment=Environment((Component("gpu", A100),)), hardware=None)
        _set_machine(monkeypatch, {"torch": "name=torch;version=2.5.1;cuda=12.4"})
        with pytest.warns(UserWarning, match="^Environment component") as raised:
            decode()
        assert {str(warning.message) for warning in raised} == {
            "Environment component 'gpu' missing in current system",
            "Environment component 'torch' missing in file",
        }

    def test_warnings_are_the_peers(self, peer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        """For a file from another environment, both decoders raise the same warnings."""
        other = Environment.capture()
        components = tuple(
            Component(part.component_id, f"{part.canonical}.old")
            for part in other.components
            if part.component_id not in ("gpu", "numpy")
        )
        gen5core.save("a.gen5", environment=Environment(components), hardware=None)
        here = {part.component_id: part.canonical for part in other.components if part.component_id != "gpu"}
        _set_machine(monkeypatch, here)
        messages = []
        for handler in (peer.Gen5FileHandler(), Gen5FileHandler()):
            with pytest.warns(UserWarning, match="^Environment component") as raised:
                handler.file_decoder("a.gen5")
            messages.append({str(warning.message) for warning in raised})
        assert messages[0] == messages[1]
        assert len(components) + 1 == len(messages[0])

    @pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "LA", "P", "1"])
    def test_png_to_bytes(self, peer: ModuleType, mode: str) -> None:
        """Any image file becomes an RGBA PNG with the same pixels as in gen5 0.1.0, transparency included."""
        Image.new("RGBA", (5, 3), (200, 30, 90, 77)).convert(mode).save("image.png")
        ours, theirs = (
            Image.open(io.BytesIO(handler.png_to_bytes("image.png")))
            for handler in (Gen5FileHandler, peer.Gen5FileHandler)
        )
        assert (ours.format, ours.mode, ours.size) == ("PNG", "RGBA", (5, 3))
        assert theirs.tobytes() == ours.tobytes()

    def test_bytes_to_png(self) -> None:
        """Encoded bytes become a Pillow image again."""
        image = Gen5FileHandler.bytes_to_png(png("RGBA", (1, 2, 3, 4)))
        assert (image.format, image.mode, image.getpixel((0, 0))) == ("PNG", "RGBA", (1, 2, 3, 4))

    def test_png_to_bytes_of_no_image(self) -> None:
        """A file that is not an image is refused by name."""
        Path("image.png").write_bytes(b"GIF89a no")
        with pytest.raises(gen5core.EncodeError, match=r"^image\.png is not an image: "):
            Gen5FileHandler.png_to_bytes("image.png")

    def test_bytes_to_png_of_no_image(self) -> None:
        """Bytes that are not an image are refused in one line."""
        with pytest.raises(gen5core.MalformedChunkError, match=r"^the bytes are not an image: "):
            Gen5FileHandler.bytes_to_png(b"no")

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(at=st.integers(0, 80), byte=st.integers(0, 255), end=st.integers(0, 90))
    def test_damaged_png(self, at: int, byte: int, end: int) -> None:
        """A damaged image file raises an error of this package, not of an image library."""
        data = bytearray(png())
        data[min(at, len(data) - 1)] = byte
        Path("image.png").write_bytes(data[:end])
        message = error_of(lambda: Gen5FileHandler.png_to_bytes("image.png"), gen5core.EncodeError)
        assert message is None or message.startswith("image.png is not an image: ")

    def test_max_file_size(self) -> None:
        """A handler with a lower file limit refuses a larger file; the message has both sizes."""
        encode({"a": noise(64)})
        size = os.path.getsize("a.gen5")
        with pytest.raises(gen5core.LimitError, match=rf"{size} bytes, max_file_size is {size - 1}"):
            Gen5FileHandler(max_file_size=size - 1).file_decoder("a.gen5")
        assert [len(part) for part in Gen5FileHandler(size).file_decoder("a.gen5")["chunks"]["latent"]] == [
            64
        ]

    def test_max_chunk_size(self) -> None:
        """A handler with a lower chunk limit does not inflate a larger chunk."""
        encode({"a": np.zeros(10_000, np.float32)})
        with pytest.raises(gen5core.LimitError, match="inflates to 40012 bytes, the limit is 40000"):
            Gen5FileHandler(max_chunk_size=40_000).file_decoder("a.gen5")


class TestBugsOfThePeer:
    def test_digests_are_checked(self) -> None:
        """A changed payload byte is found; gen5 0.1.0 returns the changed array."""
        encode({"a": noise(64)}, should_compress=False)
        data = bytearray(Path("a.gen5").read_bytes())
        data[100] ^= 1
        Path("a.gen5").write_bytes(data)
        with pytest.raises(gen5core.ChecksumError, match="SHA-256 of the payload is "):
            decode()

    def test_every_chunk_is_checked(self) -> None:
        """Damage is also found in parts that are not in the returned dict, here the first of two images."""
        gen5core.save("a.gen5", images=[png(), png(colour="blue")], compression="none")
        data = bytearray(Path("a.gen5").read_bytes())
        data[100] ^= 1
        Path("a.gen5").write_bytes(data)
        with pytest.raises(
            gen5core.ChecksumError, match=r"chunk 0 \(DATA\) at offset 32: SHA-256 of the payload"
        ):
            decode()

    def test_header_is_checked(self) -> None:
        """A changed chunk count in the header is found; gen5 0.1.0 ignores it."""
        encode({"a": noise(64)})
        data = bytearray(Path("a.gen5").read_bytes())
        data[16] ^= 1
        Path("a.gen5").write_bytes(data)
        with pytest.raises(gen5core.ChecksumError, match="the seal is"):
            decode()

    @pytest.mark.parametrize("size", range(1, 40, 4))
    def test_manifest_file_size(self, size: int) -> None:
        """The file size in META is right; that of gen5 0.1.0 is wrong in nearly every file."""
        encode({"a": noise(size)})
        info = decode()["metadata"]["gen5_metadata"]["file_info"]
        assert {
            "magic": "GEN5",
            "version_major": 1,
            "version_minor": 1,
            "file_size": os.path.getsize("a.gen5"),
            "chunk_count": 2,
        } == info

    def test_inflating_metadata(self) -> None:
        """A few bytes that would inflate beyond the limit are refused before they are inflated."""
        size = 64 * 2**20
        text = struct.pack("<4s4sI", b"META", b"0000", size) + bytes(size)
        meta = zstandard.ZstdCompressor().compress(text)
        header = struct.pack("<4sBBHIIIIQ", b"GEN5", 1, 0, 0, 32, len(meta), 0, 32 + len(meta), 0)
        Path("a.gen5").write_bytes(header + meta)
        with pytest.raises(gen5core.LimitError, match=f"inflates to {size + 12} bytes, the limit is {size}"):
            decode()

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_only_our_exceptions(self, data: st.DataObject) -> None:
        """A version 1.0 file, damaged anywhere, raises only errors of this package."""
        damaged = bytearray(UNSEALED)
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        Path("a.gen5").write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
        message = error_of(decode, gen5core.FormatError)
        if message is None:
            assert [latent.tolist() for latent in decode()["chunks"]["latent"]] == [[1.0, 2.0]]
        else:
            assert message.startswith("a.gen5: ")

    def test_names_are_kept(self) -> None:
        """Latents are returned under their names, in any order."""
        latent = {"final_latent": noise(2), "initial_noise": noise(3), "犬 ": noise(4)}
        encode(latent)
        assert list(latent) == list(decode()["latents"])

    def test_two_images_are_kept(self) -> None:
        """The key ``image`` has the last of two images, and both are in the file."""
        both = [png(colour="red"), png(colour="blue")]
        gen5core.save("a.gen5", images=both)
        assert both[-1] == decode()["chunks"]["image"]
        with gen5core.open("a.gen5") as file:
            assert [image.bytes for image in file.images] == both

    def test_nested_latent(self) -> None:
        """A nested latent is a list in ``latents``, and its parts are flattened into ``chunks["latent"]``."""
        encode({"a": [noise(2), noise(3)], "b": noise(4)})
        decoded = decode()
        assert [len(array) for array in decoded["chunks"]["latent"]] == [2, 3, 4]
        assert [len(array) for array in decoded["latents"]["a"]] == [2, 3]

    def test_float16_is_not_the_default(self) -> None:
        """float32 stays float32, so 70000 stays 70000; gen5 0.1.0 turns it into infinity."""
        array = np.array([70000, 1 / 3], np.float32)
        decoded = round_trip(array)
        assert (np.float32, array.tolist()) == (decoded.dtype, decoded.tolist())

    def test_float16_overflow(self) -> None:
        """Requested float16 refuses a value that would overflow, and writes nothing."""
        with pytest.raises(
            gen5core.EncodeError, match="latent 'a' holds 70000, the largest float16 is 65504"
        ):
            encode({"a": np.array([1, 70000], np.float32)}, convert_float16=True)
        assert list(Path().iterdir()) == []

    @pytest.mark.parametrize(
        "array",
        [
            np.array([np.nan, np.inf, -np.inf], np.float32),
            noise(1, 16, 2, 4, 4),
            noise(7),
            np.float32(0.5).reshape(()),
            np.empty((1, 4, 0, 8), np.float32),
            np.zeros((1, 8193), np.float32),
        ],
        ids=["not finite", "5-D", "1-D", "0-D", "empty", "a long side"],
    )
    def test_arrays_that_the_peer_refuses(self, array: np.ndarray) -> None:
        """Arrays that gen5 0.1.0 refuses are stored bit for bit."""
        decoded = round_trip(array)
        assert (array.dtype, array.shape, array.tobytes()) == (
            decoded.dtype,
            decoded.shape,
            decoded.tobytes(),
        )

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_torch_tensors(self, dtype: torch.dtype) -> None:
        """torch tensors are accepted, even one that requires a gradient."""
        tensor = torch.linspace(-3, 3, 24, dtype=dtype).reshape(1, 4, 2, 3).requires_grad_()
        assert tensor.detach().float().numpy().tolist() == round_trip(tensor).tolist()

    def test_no_latent(self) -> None:
        """A file without latents is valid."""
        encode({}, img_binary=png())
        assert decode()["chunks"]["latent"] == []

    def test_defaults_pass_the_schema(self, peer: ModuleType) -> None:
        """Files with our defaults pass gen5 0.1.0's schema; those with its own defaults do not."""
        jsonschema = pytest.importorskip("jsonschema")
        from gen5.core.constants import JSON_SCHEMA

        encode({"a": noise(1, 4, 2, 2)})
        jsonschema.validate(decode()["metadata"], json.loads(JSON_SCHEMA))
        with pytest.raises(Exception, match="Invalid metadata"):
            peer.Gen5FileHandler().file_encoder("b.gen5", {"a": noise(1, 4, 2, 2)}, [], "", "", "", [], None)

    def test_a_failing_call_keeps_the_old_file(self) -> None:
        """A failing call keeps the existing file, and leaves no other file."""
        encode({"a": noise(2)})
        before = Path("a.gen5").read_bytes()
        with pytest.raises(gen5core.UnsupportedDtypeError, match="latent 'a' is object"):
            encode({"a": np.zeros(2, object)})
        assert {"a.gen5": before} == {path.name: path.read_bytes() for path in Path().iterdir()}

    def test_nothing_is_printed(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Encoding and decoding print nothing."""
        encode({"a": noise(2)}, img_binary=png())
        decode()
        assert capfd.readouterr() == ("", "")

    def test_torch_is_not_imported(self) -> None:
        """A round trip does not import torch."""
        script = (
            "import sys, numpy as np; from gen5core import Gen5FileHandler as H;"
            "H().file_encoder('a.gen5', {'a': np.ones(3, np.float32)}, [], '', '', '', [], None);"
            "print(H().file_decoder('a.gen5')['chunks']['latent'][0].tolist(), 'torch' in sys.modules)"
        )
        root = str(Path(gen5core.__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "[1.0, 1.0, 1.0] False\n"

    def test_the_import_of_the_page(self) -> None:
        """``from gen5core import Gen5FileHandler`` imports the class of this package."""
        assert Gen5FileHandler.__module__ == "gen5core.handler"


class TestLayout:
    NHWC = noise(1, 8, 6, 4)

    @pytest.mark.parametrize(
        "array",
        [
            NHWC,
            np.asfortranarray(NHWC),
            NHWC.transpose(0, 3, 1, 2),
            NHWC[:, ::2, 1:-1],
            NHWC[:, ::-1],
            NHWC.astype(">f4"),
            NHWC.astype(">f2"),
            np.broadcast_to(np.float32(0.25), (2, 3)),
            noise(3, 4)[::2].astype("<f2").T,
        ],
        ids=["NHWC", "Fortran", "NCHW view", "slice", "reversed", ">f4", ">f2", "broadcast", "f2 view"],
    )
    @pytest.mark.parametrize("should_compress", [True, False])
    def test_round_trip_by_value(self, array: np.ndarray, should_compress: bool) -> None:
        """With any memory layout, shape and values are restored, little-endian and in C order."""
        decoded = round_trip(array, should_compress=should_compress)
        assert (array.dtype.newbyteorder("="), array.shape) == (decoded.dtype, decoded.shape)
        assert array.tolist() == decoded.tolist()
        assert decoded.flags.c_contiguous

    def test_readonly_input(self) -> None:
        """A read-only array can be stored, and is returned writable."""
        array = noise(4)
        array.flags.writeable = False
        decoded = round_trip(array)
        decoded += 1
        assert (array + 1).tolist() == decoded.tolist()


def _set_machine(monkeypatch: pytest.MonkeyPatch, components: dict[str, str]) -> None:
    """Make this machine appear to have the given components."""
    environment = Environment(tuple(Component(name, text) for name, text in components.items()))
    monkeypatch.setattr(Environment, "capture", classmethod(lambda cls: environment))

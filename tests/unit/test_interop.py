"""Interoperability with the package ``gen5`` 0.1.0: each package reads the files of the other without differences."""

from __future__ import annotations

import contextlib
import io
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import page_facts
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

import gen5core
from gen5core.environment.components import Environment

with warnings.catch_warnings():
    # gen5 0.1.0 needs the retired distribution of pynvml, which warns on import.
    warnings.simplefilter("ignore")
    jsonschema = pytest.importorskip("jsonschema")
    gen5 = pytest.importorskip("gen5", exc_type=ImportError)
    from gen5.chunks.env import Gen5Env
    from gen5.chunks.latent import Gen5Latent
    from gen5.core.constants import JSON_SCHEMA
    from gen5.core.header import header_parse, header_validate

SCHEMA = json.loads(JSON_SCHEMA)
SHAPES = [(), (7,), (3, 5), (2, 3, 4), (1, 4, 8, 8), (1, 16, 2, 4, 4), (0,), (1, 4, 0, 8)]
SETTINGS = page_facts.SETTINGS | {"seed": 2**64 - 1}
FACTS: dict[str, Any] = {
    "settings": SETTINGS,
    "prompt": "A puppy smiling, “cinematic” 犬\n",
    "model_name": "Stable Diffusion 3",
    "model_version": "3",
    "tags": ["puppy", "dog", "smile"],
    "hardware": page_facts.HARDWARE,
}
FURTHER: dict[str, Any] = {
    "comfyui": {"prompt": {"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}, "version": "0.3.64"},
    "capture": {"noise_source": "recorded", "passes": [{"sigmas": [14.6, 0.0]}]},
    "resources": [{"kind": "checkpoint", "name": "sd3.safetensors", "digest": "ab" * 32}],
}
COMPRESSIONS = ["auto", "none", "zstd"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.gen5"


def noise(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def encoded(image_format: str, colour: str = "red") -> bytes:
    """Return a small image as Pillow encodes it."""
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(buffer, image_format)
    return buffer.getvalue()


def same(expected: np.ndarray, actual: np.ndarray) -> bool:
    """Return whether two arrays are equal in dtype, shape and every bit, NaN payloads included."""
    same_form = (expected.dtype, expected.shape) == (actual.dtype, actual.shape)
    return same_form and expected.tobytes() == actual.tobytes()


def peer_decode(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what gen5 0.1.0 decodes, and the messages of its warnings."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        decoded = gen5.Gen5FileHandler().file_decoder(str(path))
    return decoded, [str(warning.message) for warning in raised]


def peer_encode(path: Path, latent: dict[str, np.ndarray], **changes: Any) -> None:
    """Write a file with gen5 0.1.0, with the arguments of its page plus changes."""
    arguments: dict[str, Any] = {
        "latent": latent,
        "chunk_records": [],
        "model_name": FACTS["model_name"],
        "model_version": FACTS["model_version"],
        "prompt": FACTS["prompt"],
        "tags": FACTS["tags"],
        "img_binary": None,
        "convert_float16": False,
        "generation_settings": SETTINGS,
        "hardware_info": page_facts.HARDWARE,
    }
    gen5.Gen5FileHandler().file_encoder(filename=str(path), **arguments | changes)


class TestThePeerReadsOurFiles:
    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_every_shape(self, target: Path, shape: tuple[int, ...], dtype: str, compression: Any) -> None:
        """The peer reads an array of any rank, even an empty one, with the same dtype, shape and bits."""
        expected = noise(shape, dtype)
        gen5core.save(target, latents={"initial_noise": expected}, compression=compression)
        (actual,) = peer_decode(target)[0]["chunks"]["latent"]
        assert same(expected, actual)

    def test_values_that_the_peer_cannot_write(self, target: Path) -> None:
        """The peer reads NaN, infinities and subnormals bit for bit, although it refuses to write them."""
        expected = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38], np.float32)
        gen5core.save(target, latents={"initial_noise": expected})
        (actual,) = peer_decode(target)[0]["chunks"]["latent"]
        assert same(expected, actual)

    def test_widened_dtypes(self, target: Path) -> None:
        """The peer reads bfloat16 as float32 with the same values."""
        torch = pytest.importorskip("torch")
        tensor = torch.arange(-8, 8, dtype=torch.bfloat16).reshape(1, 4, 2, 2) / 3
        gen5core.save(target, latents={"initial_noise": tensor})
        (actual,) = peer_decode(target)[0]["chunks"]["latent"]
        assert same(tensor.float().numpy(), actual)

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16"])
    def test_small_integers(self, target: Path, dtype: str, compression: Any) -> None:
        """The peer reads small integers as floats of equal value."""
        expected = np.arange(16).reshape(4, 4).astype(dtype)
        gen5core.save(target, latents={"initial_noise": expected}, compression=compression)
        (actual,) = peer_decode(target)[0]["chunks"]["latent"]
        assert (actual.dtype.kind, actual.tolist()) == ("f", expected.astype(np.float64).tolist())

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize(
        "dtype", ["int32", "uint32", "int64", "uint64", "float64", "complex64", "complex128"]
    )
    def test_wide_dtypes(self, target: Path, dtype: str, compression: Any) -> None:
        """The peer opens a file with wide values and gets the other latents; of these it gets the bits."""
        wide, plain = (noise((1, 4, 4, 4)) * 100).astype(dtype), noise((2, 3))
        latents = {"initial_noise": wide, "final_latent": plain}
        gen5core.save(target, latents=latents, images=encoded("PNG"), compression=compression)
        decoded, _ = peer_decode(target)
        first, second = decoded["chunks"]["latent"]
        assert (first.shape[:-1], first.tobytes()) == (wide.shape, wide.tobytes())
        assert same(plain, second)
        assert decoded["chunks"]["image"] == encoded("PNG")

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    def test_several_latents(self, target: Path, compression: Any) -> None:
        """The peer lists latents in the order in which they were saved, parts of a nested one in sequence."""
        video, audio = noise((1, 8, 2, 4, 4), seed=1), noise((1, 8, 16), "float16", seed=2)
        latents = {"initial_noise": noise((1, 4, 4, 4)), "final_latent": [video, audio]}
        gen5core.save(target, latents=latents, compression=compression)
        actual = peer_decode(target)[0]["chunks"]["latent"]
        expected = [latents["initial_noise"], video, audio]
        assert [same(*pair) for pair in zip(expected, actual, strict=True)] == [True] * 3

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
    def test_an_image(self, target: Path, image_format: str, compression: Any) -> None:
        """The peer reads an encoded image byte for byte."""
        expected = encoded(image_format)
        gen5core.save(target, images=expected, compression=compression)
        decoded, _ = peer_decode(target)
        assert decoded["chunks"]["image"] == expected
        assert decoded["chunks"]["latent"] == []

    def test_several_images(self, target: Path) -> None:
        """The peer returns the last of several images."""
        gen5core.save(target, images=[encoded("PNG", "red"), encoded("PNG", "blue")])
        assert encoded("PNG", "blue") == peer_decode(target)[0]["chunks"]["image"]

    def test_pixels(self, target: Path) -> None:
        """Pixels that this package encodes are decoded equally by the peer's own image call."""
        pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
        gen5core.save(target, images=pixels)
        image = gen5.Gen5FileHandler.bytes_to_png(peer_decode(target)[0]["chunks"]["image"])
        assert pixels.tolist() == np.asarray(image).tolist()

    def test_metadata(self, target: Path) -> None:
        """The peer reads every saved field of the metadata, and the keys of version 1.1."""
        gen5core.save(target, latents={"initial_noise": noise((2,))}, **FACTS, **FURTHER)
        metadata = peer_decode(target)[0]["metadata"]
        info = metadata["gen5_metadata"]["model_info"]
        expected = {
            "model_name": FACTS["model_name"],
            "version": FACTS["model_version"],
            "prompt": FACTS["prompt"],
            "tags": FACTS["tags"],
            "generation_settings": SETTINGS,
            "hardware_info": page_facts.HARDWARE,
        }
        assert {name: value for name, value in info.items() if name != "date"} == expected
        assert {name: metadata[name] for name in FURTHER} == FURTHER
        with gen5core.open(target) as file:
            assert file.metadata == metadata
            assert file.date == info["date"]

    def test_names(self, target: Path) -> None:
        """The names of latents are where the peer writes them, in each row's ``extra.key``."""
        names = ["initial_noise", "final_latent", "start_latent"]
        gen5core.save(target, latents={name: noise((3,)) for name in names})
        rows = peer_decode(target)[0]["metadata"]["gen5_metadata"]["chunks"]
        assert [row["extra"]["key"] for row in rows if row["type"] == "LATN"] == names

    def test_header(self, target: Path) -> None:
        """The peer's own header parser accepts our header and reads the same fields."""
        gen5core.save(target, latents={"initial_noise": noise((3,))})
        parsed = header_parse(target.read_bytes()[:32])
        with gen5core.open(target) as file:
            assert {"magic": b"GEN5", **asdict(file.header)} == parsed
        assert header_validate(parsed) is True

    def test_lazy_loader(self, target: Path) -> None:
        """The peer's lazy loaders, which use the chunk table, find every latent."""
        latents = {"initial_noise": noise((1, 4, 4, 4)), "final_latent": np.zeros((1, 4, 64, 64), np.float32)}
        gen5core.save(target, latents=latents)
        rows = peer_decode(target)[0]["metadata"]["gen5_metadata"]["chunks"]
        loaded = [load() for load in Gen5Latent().iter_lazy_latents(str(target), rows)]
        expected = list(latents.values())
        assert [same(*pair) for pair in zip(expected, loaded, strict=True)] == [True, True]

    def test_canonical_strings(self) -> None:
        """The documented components equal the peer's byte for byte, except the GPU, which it misses if CUDA works."""
        theirs = {
            part.component_id: part.cononical_str for part in Gen5Env().env_chunk_populator().components
        }
        ours = {part.component_id: part.canonical for part in Environment.capture().components}
        theirs.pop("gpu", None)
        ours.pop("gpu", None)
        assert theirs == ours

    def test_no_warning(self, target: Path) -> None:
        """The peer only warns about a GPU that it cannot see."""
        environment = Environment.capture()
        gen5core.save(
            target,
            latents={"initial_noise": noise((3,))},
            images=encoded("PNG"),
            environment=environment,
            **FACTS,
            **FURTHER,
        )
        has_gpu = any(part.component_id == "gpu" for part in environment.components)
        sees_gpu = any(part.component_id == "gpu" for part in Gen5Env().env_chunk_populator().components)
        expected = ["Environment component 'gpu' missing in current system"] * (has_gpu and not sees_gpu)
        assert peer_decode(target)[1] == expected

    def test_environment(self, target: Path) -> None:
        """The peer's EnvChunk has our six components, with digests of 32 bytes."""
        environment = Environment.capture()
        gen5core.save(target, environment=environment)
        chunk = peer_decode(target)[0]["chunks"]["env"]
        expected = [
            {
                "component_id": part.component_id,
                "cononical_str": part.canonical,
                "component_sha256_digest": bytes.fromhex(part.digest),
            }
            for part in environment.components
        ]
        assert asdict(chunk) == {"env_version": 1, "components": expected}

    @pytest.mark.parametrize(
        "facts",
        [
            {},
            {"environment": None, "hardware": None},
            FACTS,
            FACTS | FURTHER,
            {
                "settings": {
                    "seed": np.int64(3),
                    "steps": np.int32(4),
                    "sampler": "euler",
                    "eta": np.float32(0.5),
                }
            },
        ],
        ids=["captured", "nothing", "all", "further", "numpy"],
    )
    def test_schema(self, target: Path, facts: dict[str, Any]) -> None:
        """META validates against the peer's JSON schema."""
        gen5core.save(target, latents={"initial_noise": noise((2, 3))}, images=encoded("PNG"), **facts)
        metadata = peer_decode(target)[0]["metadata"]
        jsonschema.validate(metadata, SCHEMA)
        assert ("generation_settings" in metadata["gen5_metadata"]["model_info"]) is ("settings" in facts)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        arrays=st.lists(
            npst.arrays(
                st.sampled_from([np.float32, np.float16]),
                npst.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
            ),
            max_size=4,
        ),
        prompt=st.text(st.characters(codec="utf-8")),
        compression=st.sampled_from(COMPRESSIONS),
    )
    def test_anything(self, tmp_path: Path, arrays: list[Any], prompt: str, compression: Any) -> None:
        """The peer reads any arrays and any prompt unchanged."""
        path = tmp_path / "any.gen5"
        latents = {f"latent {index}": array for index, array in enumerate(arrays)}
        gen5core.save(path, latents=latents, prompt=prompt, compression=compression, environment=None)
        decoded, raised = peer_decode(path)
        pairs = zip(arrays, decoded["chunks"]["latent"], strict=True)
        assert [True] * len(arrays) == [same(*pair) for pair in pairs]
        assert prompt == decoded["metadata"]["gen5_metadata"]["model_info"]["prompt"]
        assert raised == []


class TestWeReadThePeersFiles:
    @pytest.mark.parametrize("should_compress", [True, False])
    @pytest.mark.parametrize("convert_float16", [True, False])
    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    def test_every_latent(
        self, target: Path, dtype: str, convert_float16: bool, should_compress: bool
    ) -> None:
        """Latents by the peer are read under their names and equal, and the file verifies."""
        latents = {"initial_noise": noise((1, 4, 8, 8), dtype), "final_latent": noise((2, 16, 3, 5), dtype)}
        peer_encode(target, latents, should_compress=should_compress, convert_float16=convert_float16)
        stored = "float16" if convert_float16 else dtype
        with gen5core.open(target) as file:
            arrays = file.latents.arrays()
            report = file.verify()
        assert list(latents) == list(arrays)
        assert [same(latents[name].astype(stored), arrays[name]) for name in latents] == [True, True]
        assert ["1.0 has no seal" in note for note in report.notes] == [True]
        assert (report.chunk_count, report.checked_bytes) == (3, target.stat().st_size)

    def test_every_field(self, target: Path) -> None:
        """Metadata, image and environment of the peer's file are those that the peer reads itself."""
        peer_encode(target, {"initial_noise": noise((1, 4, 2, 2))}, img_binary=encoded("PNG"))
        decoded, _ = peer_decode(target)
        with gen5core.open(target) as file:
            info = decoded["metadata"]["gen5_metadata"]["model_info"]
            assert decoded["metadata"] == file.metadata
            assert file.version == (1, 0)
            assert file.sealed is False
            assert [image.bytes for image in file.images] == [encoded("PNG")]
            assert (file.settings, file.hardware) == (SETTINGS, page_facts.HARDWARE)
            assert (file.prompt, file.date) == (FACTS["prompt"], info["date"])
            assert (file.model_name, file.model_version) == ("Stable Diffusion 3", "3")
            assert file.tags == ("puppy", "dog", "smile")
            assert (file.comfyui, file.capture, file.resources) == (None, None, [])
            components = [(part.component_id, part.canonical) for part in file.environment.components]
        theirs = decoded["chunks"]["env"].components
        assert [(part["component_id"], part["cononical_str"]) for part in theirs] == components

    def test_wrong_file_size_is_accepted(self, target: Path) -> None:
        """The peer computes the file size before it changes META, so that it is usually wrong; that is accepted.

        Sometimes it is right by chance.
        """
        is_right = []
        for width in range(1, 9):
            peer_encode(target, {"initial_noise": noise((1, 4, 2, width))})
            with gen5core.open(target) as file:
                claimed = file.metadata["gen5_metadata"]["file_info"]["file_size"]
                file.verify()
            is_right.append(claimed == target.stat().st_size)
        assert not all(is_right)

    def test_one_latent_of_another_name(self, target: Path) -> None:
        """The only latent of a gen5 0.1.0 file is also the starting noise, under both names."""
        expected = noise((1, 4, 2, 2))
        peer_encode(target, {"x_T": expected})
        with gen5core.open(target) as file:
            assert list(file.latents) == ["x_T"]
            assert same(expected, file.latents["initial_noise"].array())
            assert same(expected, file.latents["x_T"].array())

    def test_no_drift_on_the_same_machine(self, target: Path) -> None:
        """A file that the peer wrote on this machine has no drift in the components that both see."""
        peer_encode(target, {"initial_noise": noise((1, 4, 2, 2))})
        with gen5core.open(target) as file:
            drifts = file.environment.diff(Environment.capture())
        documented = ("torch", "numpy", "python", "cuda", "os")
        assert [drift for drift in drifts if drift.component in documented] == []

    @pytest.mark.parametrize("image", [None, encoded("PNG")], ids=["no image", "image"])
    def test_handlers_agree(self, target: Path, image: bytes | None) -> None:
        """Both handlers decode the peer's file to the same dict, except for ``latents``."""
        peer_encode(target, {"a": noise((1, 4, 2, 2)), "b": noise((1, 1, 1, 1))}, img_binary=image)
        theirs, _ = peer_decode(target)
        ours = _decode_quietly(gen5core.Gen5FileHandler().file_decoder, target)
        assert list(ours.pop("latents")) == ["a", "b"]
        assert list(theirs) == list(ours)
        assert list(theirs["chunks"]) == list(ours["chunks"])
        assert (theirs["header"], theirs["metadata"]) == (ours["header"], ours["metadata"])
        assert theirs["chunks"].get("image") == ours["chunks"].get("image")
        assert asdict(theirs["chunks"]["env"]) == asdict(ours["chunks"]["env"])
        pairs = zip(theirs["chunks"]["latent"], ours["chunks"]["latent"], strict=True)
        assert [same(*pair) for pair in pairs] == [True, True]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        array=npst.arrays(
            st.sampled_from([np.float32, np.float16]),
            npst.array_shapes(min_dims=4, max_dims=4, max_side=5),
            elements=st.floats(-65504, 65504, width=16),
        ),
        prompt=st.text(st.characters(codec="utf-8")),
        name=st.text(st.characters(codec="utf-8"), min_size=1),
        should_compress=st.booleans(),
    )
    def test_anything(
        self, tmp_path: Path, array: np.ndarray, prompt: str, name: str, should_compress: bool
    ) -> None:
        """Any array, name and prompt that the peer can write can be read and verified."""
        path = tmp_path / "any.gen5"
        peer_encode(path, {name: array}, prompt=prompt, should_compress=should_compress)
        with gen5core.open(path) as file:
            assert file.verify().chunk_count == 2
            assert list(file.latents) == [name]
            assert same(array, file.latents[name].array())
            assert file.prompt == prompt


def _decode_quietly(decode: Callable[[str], Any], path: Path) -> Any:
    """Return what decode returns, without the warning about a GPU that the peer does not see."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Environment component 'gpu' missing in file")
        return decode(str(path))


def test_nan_in_settings_of_a_peer_file_is_accepted(tmp_path: Path) -> None:
    """gen5 0.1.0 writes NaN into META, which is not JSON; such a file can still be opened."""
    path = tmp_path / "nan.gen5"
    with contextlib.redirect_stdout(io.StringIO()):
        gen5.Gen5FileHandler().file_encoder(
            filename=str(path),
            latent={"initial_noise": np.zeros((1, 4, 8, 8), np.float32)},
            chunk_records=[],
            model_name="m",
            model_version="1",
            prompt="",
            tags=[],
            img_binary=None,
            generation_settings={"seed": 1, "steps": 2, "sampler": "euler", "cfg_scale": float("nan")},
            hardware_info={"os": "any"},
        )
    with gen5core.open(path) as file:
        file.verify()
        assert math.isnan(file.settings["cfg_scale"])

"""What ``save`` writes: every argument, the layout and the digests, byte for byte."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import math
import re
import struct
import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import gen5core
from gen5core.container import spec
from gen5core.container.meta import decode_meta, encode_meta
from gen5core.container.spec import Limits
from gen5core.environment.components import Component, Environment
from gen5core.errors import EncodeError
from gen5core.writer import model_info
from gen5core.writer import save as writer

ENVIRONMENT = Environment(
    (Component("python", "name=python;version=3.11.7"),),
    {"attention": "name=attention;backend=pytorch"},
    {"os": "Linux 6.8.0"},
)
HEADER = struct.Struct("<4sBBHIIIIQ")
LATENTS_REMEDY = 'not a mapping of names to tensors; give latents={"initial_noise": noise}'
NOT_JSON = "cannot be written as JSON"
JSON_REMEDY = "give a string, a number that is not huge, True, False, None, or a list or mapping of those"
ARRAY_REMEDY = "give its .tolist(), or store it as one of the latents"


def save(path: Path, **facts: Any) -> Path:
    """Save without environment and hardware, unless facts give them."""
    return gen5core.save(path, **{"environment": None, "hardware": None} | facts)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.gen5"


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), "red").save(buffer, "PNG")
    return buffer.getvalue()


def stored_parts(path: Path) -> tuple[tuple[Any, ...], bytes, dict[str, Any], bytes]:
    """Return header fields, stored META, META's JSON and the whole file, read without this package."""
    data = path.read_bytes()
    fields = HEADER.unpack(data[:32])
    meta = data[fields[4] : fields[4] + fields[5]]
    text = zstandard.ZstdDecompressor().decompress(meta)
    assert struct.pack("<4s4sI", b"META", b"0000", len(text) - 12) == text[:12]
    return fields, meta, json.loads(text[12:]), data


def document(path: Path) -> dict[str, Any]:
    return stored_parts(path)[2]


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document(path)["gen5_metadata"]["chunks"]
    return found


def info(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = document(path)["gen5_metadata"]["model_info"]
    return found


class TestArguments:
    def test_path(self, target: Path) -> None:
        """The path is returned as a Path; it may be given as a string."""
        assert [target, target] == [save(target), gen5core.save(str(target), environment=None)]

    @pytest.mark.parametrize("name", ["a.jpg", "a", "a.gen5.bak"])
    def test_extension(self, tmp_path: Path, name: str) -> None:
        """Another extension is refused, and the message gives the right name."""
        with pytest.raises(EncodeError) as raised:
            save(tmp_path / name)
        remedy = f"name the file {Path(name).stem}.gen5"
        assert str(raised.value) == f"{name!r} does not end in .gen5; {remedy}"

    def test_extension_in_capitals(self, tmp_path: Path) -> None:
        """The extension may be written in capitals."""
        assert save(tmp_path / "A.GEN5").is_file()

    def test_missing_folder(self, tmp_path: Path) -> None:
        """A missing folder raises the file system's error."""
        with pytest.raises(FileNotFoundError):
            save(tmp_path / "no" / "a.gen5")

    def test_nothing(self, target: Path) -> None:
        """A file without content has META with empty texts and no further keys."""
        save(target)
        found = document(target)
        date = found["gen5_metadata"]["model_info"].pop("date")
        file_info = {
            "magic": "GEN5",
            "version_major": 1,
            "version_minor": 1,
            "file_size": target.stat().st_size,
            "chunk_count": 0,
        }
        texts = {"model_name": "", "version": "", "prompt": "", "tags": []}
        assert found == {"gen5_metadata": {"file_info": file_info, "model_info": texts, "chunks": []}}
        assert timedelta() <= datetime.now(timezone.utc) - datetime.fromisoformat(date) < timedelta(minutes=1)

    def test_texts(self, target: Path) -> None:
        """Prompt, model and tags are kept as Unicode, tags from any iterable."""
        save(target, prompt="猫\n“x”\0", model_name="m", model_version="é", tags=(tag for tag in ("a", "b")))
        found = info(target)
        assert tuple(found[name] for name in ("prompt", "model_name", "version", "tags")) == (
            "猫\n“x”\0",
            "m",
            "é",
            ["a", "b"],
        )

    @pytest.mark.parametrize(
        ("facts", "message"),
        [
            ({"tags": "cat"}, "tags is the string 'cat'; give a list of strings"),
            ({"tags": ["cat", 3]}, "a tag is 3, not a string"),
            ({"prompt": None}, "prompt is None, not a string"),
            ({"model_name": 3}, "model_name is 3, not a string"),
            ({"model_version": 1.0}, "model_version is 1.0, not a string"),
            ({"latents": [1]}, f"latents is a list, {LATENTS_REMEDY}"),
            ({"latents": np.zeros((1, 4, 2, 2), "f4")}, f"latents is a ndarray, {LATENTS_REMEDY}"),
            ({"latents": np.zeros(0, "f4")}, f"latents is a ndarray, {LATENTS_REMEDY}"),
            ({"settings": [1]}, "settings is a list, not a mapping of names to values"),
            ({"hardware": "cpu"}, "hardware is a str, not a mapping of names to values"),
            ({"comfyui": 3}, "comfyui is a int, not a mapping of names to values"),
            ({"capture": [1]}, "capture is a list, not a mapping of names to values"),
            ({"resources": ["a"]}, "a resource is a str, not a mapping of names to values"),
            ({"resources": "a"}, "resources is a str; give a list of mappings, or None"),
            ({"resources": {"kind": "lora"}}, "resources is a dict; give a list of mappings, or None"),
            ({"resources": 3}, "resources is a int; give a list of mappings, or None"),
            ({"compression": "gzip"}, "compression is 'gzip'; it must be one of auto, none, zstd"),
            ({"compression": None}, "compression is None; it must be one of auto, none, zstd"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_wrong_kinds(self, target: Path, facts: dict[str, Any], message: str) -> None:
        """An argument of a wrong type is refused by name before anything is written."""
        with pytest.raises(EncodeError) as raised:
            save(target, **facts)
        assert message == str(raised.value)
        assert list(target.parent.iterdir()) == []

    def test_signature(self) -> None:
        """All arguments after the path are keyword-only and have the documented defaults."""
        arguments = inspect.signature(gen5core.save).parameters
        defaults = {
            "latents": None,
            "images": (),
            "settings": None,
            "prompt": "",
            "model_name": "",
            "model_version": "",
            "tags": (),
            "comfyui": None,
            "capture": None,
            "resources": (),
            "environment": writer.CAPTURED,
            "hardware": writer.CAPTURED,
            "compression": "auto",
            "half": False,
            "overwrite": True,
            "signing_key": None,
        }
        assert defaults == {name: arguments[name].default for name in list(arguments)[1:]}
        assert {arguments[name].kind.name for name in defaults} == {"KEYWORD_ONLY"}

    def test_overwrite(self, target: Path) -> None:
        """A file is replaced, unless overwrite is False: then it is unchanged and nothing is left beside it."""
        save(target, prompt="old")
        save(target, prompt="new")
        before = target.read_bytes()
        with pytest.raises(FileExistsError, match=r"a\.gen5"):
            save(target, prompt="newest", overwrite=False)
        assert {target: before} == {path: path.read_bytes() for path in target.parent.iterdir()}
        assert info(target)["prompt"] == "new"


class TestSettings:
    FULL = MappingProxyType(
        {
            "seed": 0,
            "steps": 1,
            "sampler": "",
            "cfg_scale": 0,
            "scheduler": "karras",
            "eta": 0.0,
            "guidance": "cfg",
            "precision": "fp16",
            "deterministic": False,
        }
    )

    def test_minimum_values(self, target: Path) -> None:
        """The smallest values that the rules allow are kept, and any Mapping is accepted."""
        save(target, settings=self.FULL)
        assert dict(self.FULL) == info(target)["generation_settings"]

    def test_names_without_rules(self, target: Path) -> None:
        """Settings without a rule are stored as they are, nested ones too."""
        given_settings = {"s_noise": 1.003, "controlnets": [{"name": "canny", "strength": 0.5}], "clip": None}
        save(target, settings=given_settings)
        assert given_settings == info(target)["generation_settings"]

    def test_numpy_values(self, target: Path) -> None:
        """numpy's numbers and booleans become JSON's."""
        given_settings = {"seed": np.uint64(2**64 - 1), "steps": np.int8(4), "deterministic": np.bool_(True)}
        save(target, settings=given_settings | {"cfg_scale": np.float64(7.5)})
        expected = {"seed": 2**64 - 1, "steps": 4, "deterministic": True, "cfg_scale": 7.5}
        assert info(target)["generation_settings"] == expected

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("seed", -1, "is -1, it must be at least 0"),
            ("seed", 1.0, "is 1.0, not integral"),
            ("seed", "1", "is '1', not integral"),
            ("seed", True, "is True, not integral"),
            ("steps", 0, "is 0, it must be at least 1"),
            ("steps", None, "is None, not integral"),
            ("sampler", 3, "is 3, not str"),
            ("cfg_scale", -0.5, "is -0.5, it must be at least 0"),
            ("cfg_scale", math.nan, "is nan, it must be at least 0"),
            ("cfg_scale", False, "is False, not real"),
            ("scheduler", b"karras", "is b'karras', not str"),
            ("eta", "0", "is '0', not real"),
            ("guidance", 7.5, "is 7.5, not str"),
            ("precision", 16, "is 16, not str"),
            ("deterministic", 1, "is 1, not bool"),
        ],
    )
    def test_rules(self, target: Path, name: str, value: Any, message: str) -> None:
        """A setting that the peer's schema refuses is refused here, naming field and value."""
        with pytest.raises(EncodeError) as raised:
            save(target, settings=dict(self.FULL) | {name: value})
        assert str(raised.value) == f"settings[{name!r}] {message}"

    def test_rules_are_the_schemas(self) -> None:
        """The names that have rules are exactly those of the peer's JSON schema."""
        constants = pytest.importorskip("gen5.core.constants", exc_type=ImportError)
        schema = json.loads(constants.JSON_SCHEMA)["properties"]["gen5_metadata"]["properties"]
        rules = schema["model_info"]["properties"]
        gpu = rules["hardware_info"]["properties"]["gpu"]["items"]["properties"]
        assert set(rules["generation_settings"]["properties"]) == set(model_info.SETTING_RULES)
        assert set(rules["hardware_info"]["properties"]) == set(model_info.HARDWARE_RULES)
        assert set(gpu) == set(model_info.GPU_RULES)

    @pytest.mark.parametrize("seed", [0, 2**31, 2**53 + 1, 2**63, 2**64 - 1])
    def test_seeds(self, target: Path, seed: int) -> None:
        """Seeds up to 2**64 - 1 are read exactly, from settings and from ComfyUI's prompt."""
        comfyui = {"prompt": {"3": {"inputs": {"seed": seed}}}}
        save(target, settings={"seed": seed}, comfyui=comfyui)
        with gen5core.open(target) as file:
            assert (file.settings["seed"], file.comfyui) == (seed, comfyui)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({1, 2}, f"settings['extra'] {NOT_JSON}: {{1, 2}} is a set; {JSON_REMEDY}"),
            (b"x", f"settings['extra'] {NOT_JSON}: b'x' is a bytes; {JSON_REMEDY}"),
            ([0, {"a": 1j}], f"settings['extra'][1]['a'] {NOT_JSON}: 1j is a complex; {JSON_REMEDY}"),
            (np.zeros(2), f"settings['extra'] {NOT_JSON}: array([0., 0.]) is a ndarray; {ARRAY_REMEDY}"),
            ({"x" * 100: 1j}, f"settings['extra']['{'x' * 79}] {NOT_JSON}: 1j is a complex; {JSON_REMEDY}"),
            ({7: (1j,)}, f"settings['extra'][<int>][0] {NOT_JSON}: 1j is a complex; {JSON_REMEDY}"),
        ],
        ids=["set", "bytes", "inside", "array", "long key", "other key"],
    )
    def test_not_json(self, target: Path, value: Any, message: str) -> None:
        """A value that JSON cannot hold is refused by its position, with the remedy, and nothing is written."""
        with pytest.raises(EncodeError) as raised:
            save(target, settings={"fine": [1, None], "extra": value})
        assert message == str(raised.value)
        assert list(target.parent.iterdir()) == []

    @pytest.mark.parametrize(
        ("value", "where"),
        [
            ({(1, 2): 3}, r"a key of settings\['extra'\]"),
            ({math.nan: 3}, r"a key of settings\['extra'\]"),
            ({10**5000: 3}, r"a key of settings\['extra'\]"),
            (10**5000, r"settings\['extra'\]"),
            (object(), r"settings\['extra'\]"),
        ],
        ids=["tuple", "nan", "huge key", "huge", "object"],
    )
    def test_not_json_for_pythons_reasons(self, target: Path, value: Any, where: str) -> None:
        """If the reason is worded by Python, the message has position and remedy all the same."""
        with pytest.raises(EncodeError, match=rf"^{where} {NOT_JSON}: .*; give a string"):
            save(target, settings={"extra": value})

    @pytest.mark.parametrize(
        ("field", "value", "where"),
        [
            ("hardware", {"rack": {1}}, "hardware['rack']"),
            ("capture", {"sigmas": {1}}, "capture['sigmas']"),
            ("resources", [{}, {"digest": {1}}], "resources[1]['digest']"),
        ],
    )
    def test_not_json_in_other_arguments(self, target: Path, field: str, value: Any, where: str) -> None:
        """For hardware, capture and resources the message gives the position as well."""
        with pytest.raises(EncodeError) as raised:
            save(target, **{field: value})
        assert str(raised.value) == f"{where} {NOT_JSON}: {{1}} is a set; {JSON_REMEDY}"

    @pytest.mark.parametrize("start", [{}, {"nan": math.nan}], ids=["plain", "with NaN"])
    def test_cycle(self, target: Path, start: dict[str, Any]) -> None:
        """A value that contains itself is refused."""
        start["self"] = start
        with pytest.raises(EncodeError, match=r"^settings cannot be written as JSON: it is nested too deep"):
            save(target, settings={"extra": start})

    def test_nested_too_deeply(self, target: Path) -> None:
        """A value deeper than JSON text can be is refused as a whole."""
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        with pytest.raises(EncodeError, match=r"^settings cannot be written as JSON: it is nested too deep"):
            save(target, settings={"extra": value})

    def test_nesting_that_readers_refuse(self, target: Path) -> None:
        """What is written can be read: 200 levels in all, of which META itself takes some, and no more."""
        value: list[Any] = []
        for _ in range(195):
            value = [value]
        save(target, settings={"extra": value})  # in META, gen5_metadata, model_info and generation_settings
        with gen5core.open(target) as file:
            assert file.settings["extra"] == value
        with pytest.raises(EncodeError, match="META is nested too deeply, readers accept 200 levels"):
            save(target, settings={"extra": [value]})

    def test_the_item_at_fault_beside_a_cycle(self, target: Path) -> None:
        """The item at fault is found even beside a value that contains itself."""
        settings: dict[str, Any] = {"odd": {1}}
        settings["self"] = settings
        with pytest.raises(EncodeError, match=r"^settings\['odd'\] cannot be written as JSON: .* is a set; "):
            save(target, settings=settings)

    @pytest.mark.parametrize("empty", [None, {}])
    def test_empty(self, target: Path, empty: Any) -> None:
        """Empty settings and hardware get no key, as the peer's schema requires."""
        save(target, settings=empty, hardware=empty)
        assert set(info(target)) == {"model_name", "version", "date", "prompt", "tags"}
        with gen5core.open(target) as file:
            assert (file.settings, file.hardware) == ({}, {})


class TestHardwareAndEnvironment:
    def test_captured(self, target: Path) -> None:
        """By default both are captured from this process."""
        gen5core.save(target)
        with gen5core.open(target) as file:
            assert file.environment == Environment.capture()
            assert file.hardware == Environment.capture().hardware

    def test_none(self, target: Path) -> None:
        """None leaves out either of them."""
        gen5core.save(target, environment=None)
        with gen5core.open(target) as file:
            assert (file.environment, file.hardware) == (None, Environment.capture().hardware)
        gen5core.save(target, hardware=None)
        with gen5core.open(target) as file:
            assert (file.hardware, file.environment.components) == ({}, Environment.capture().components)

    def test_none_captures_nothing(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A save with neither captures nothing."""
        monkeypatch.setattr(Environment, "capture", lambda: pytest.fail("captured"))
        assert save(target).is_file()

    def test_given_environment(self, target: Path) -> None:
        """A given environment is stored completely: components in ENVC, the rest and its hardware in META."""
        gen5core.save(target, environment=ENVIRONMENT)
        assert [row["type"] for row in rows(target)] == ["ENVC"]
        assert document(target)["environment"] == {"attention": "name=attention;backend=pytorch"}
        with gen5core.open(target) as file:
            assert file.environment == ENVIRONMENT
            assert file.hardware == {"os": "Linux 6.8.0"}

    @pytest.mark.parametrize("name", ["a.gen5", "a.png"])
    def test_an_environment_that_readers_refuse(self, tmp_path: Path, name: str) -> None:
        """An environment that ``verify`` would refuse is refused, and the existing file is unchanged."""
        path = save(tmp_path / name, images=png(), prompt="first")
        before = path.read_bytes()
        with pytest.raises(
            EncodeError,
            match=r"^environment cannot be stored: environment entry 'a' is 1, not a string .*; give each",
        ):
            gen5core.save(path, images=png(), environment=Environment(further={"a": 1}))  # type: ignore[dict-item]
        assert {found: found.read_bytes() for found in tmp_path.iterdir()} == {path: before}

    def test_given_hardware(self, target: Path) -> None:
        """Given hardware is stored as it is."""
        hardware = {"os": "linux", "gpu": [{"name": "RTX 3090", "memory_gb": 24}], "rack": 7}
        save(target, hardware=hardware)
        assert hardware == info(target)["hardware_info"]

    @pytest.mark.parametrize(
        ("hardware", "message"),
        [
            ({"os": 3}, "hardware['os'] is 3, not str"),
            ({"cpu_cores": 0}, "hardware['cpu_cores'] is 0, it must be at least 1"),
            ({"ram_gb": -1}, "hardware['ram_gb'] is -1, it must be at least 0"),
            ({"gpu": "RTX"}, "hardware['gpu'] is 'RTX', not list"),
            ({"gpu": ["RTX"]}, "hardware['gpu'][0] is a str, not a mapping of names to values"),
            ({"gpu": [{"name": "a"}, {}]}, "hardware['gpu'][1]['name'] is None, not str"),
            (
                {"gpu": [{"name": "a", "memory_gb": "24"}]},
                "hardware['gpu'][0]['memory_gb'] is '24', not real",
            ),
        ],
        ids=str,
    )
    def test_hardware_rules(self, target: Path, hardware: Any, message: str) -> None:
        """Hardware that the peer's schema refuses is refused here, naming field and value."""
        with pytest.raises(EncodeError) as raised:
            save(target, hardware=hardware)
        assert message == str(raised.value)


class TestFurtherKeys:
    def test_kept(self, target: Path) -> None:
        """``comfyui``, ``capture`` and ``resources`` are at the top level of META, after ``gen5_metadata``."""
        facts: dict[str, Any] = {
            "comfyui": {"prompt": {"3": {"class_type": "KSampler"}}, "workflow": {"n": []}, "version": "1"},
            "capture": {"noise_source": "recorded", "passes": [{"sigmas": [14.6, 0.0]}]},
            "resources": [{"kind": "checkpoint", "name": "a", "digest": "00", "size_bytes": 2**40}],
        }
        save(target, **facts)
        found = document(target)
        assert ["gen5_metadata", *facts] == list(found)
        assert facts == {name: found[name] for name in facts}

    def test_empty(self, target: Path) -> None:
        """Empty keys are left out."""
        save(target, latents={}, comfyui={}, capture={}, resources=[], environment=Environment())
        assert list(document(target)) == ["gen5_metadata"]

    def test_none(self, target: Path) -> None:
        """None leaves a key out, like an empty value."""
        save(target, latents=None, comfyui=None, capture=None, resources=None)
        assert list(document(target)) == ["gen5_metadata"]

    def test_is_changed(self, target: Path) -> None:
        """ComfyUI's ``is_changed`` cache keys are dropped from the prompt; the caller's dict is not changed."""
        node = {"class_type": "LoadImage", "inputs": {"is_changed": 1}, "is_changed": [math.nan]}
        comfyui = {"prompt": {"1": node, "2": "odd"}, "version": "1"}
        save(target, comfyui=comfyui, images=np.zeros((1, 1, 3), np.uint8))
        expected = {"1": {"class_type": "LoadImage", "inputs": {"is_changed": 1}}, "2": "odd"}
        assert document(target)["comfyui"] == {"prompt": expected, "version": "1"}
        with gen5core.open(target) as file:
            text = Image.open(io.BytesIO(file.images[0].bytes)).text
        assert {"prompt": json.dumps(expected, separators=(",", ":"))} == text
        assert "is_changed" in node

    def test_nan(self, target: Path) -> None:
        """NaN and infinities anywhere become null, as JavaScript writes them."""
        values = [math.nan, math.inf, -math.inf, np.float32("nan"), (1.5, math.nan)]
        save(target, capture={"sigmas": values}, settings={"shift": math.nan})
        assert document(target)["capture"] == {"sigmas": [None, None, None, None, [1.5, None]]}
        assert info(target)["generation_settings"] == {"shift": None}

    def test_encoded_images(self, target: Path) -> None:
        """An encoded image is stored unchanged; ComfyUI's prompt is not added to it."""
        save(target, comfyui={"prompt": {"1": {}}}, images=png())
        with gen5core.open(target) as file:
            assert file.images[0].bytes == png()

    def test_meta_too_large(self, target: Path) -> None:
        """META larger than readers accept is refused with both limits, and nothing is left."""
        with pytest.raises(EncodeError, match=r"^META takes 671\d+ bytes, .* readers accept 67108864 "):
            save(target, prompt="x" * 64 * 2**20)
        assert list(target.parent.iterdir()) == []


class TestCompression:
    ZEROS = np.zeros((1, 4, 64, 64), np.float32)
    NOISE = noise(1, 4, 64, 64)

    @pytest.mark.parametrize(
        ("compression", "expected"),
        [("auto", [False, True, True]), ("none", [False, False, True]), ("zstd", [True, True, True])],
    )
    def test_decision(self, target: Path, compression: str, expected: list[bool]) -> None:
        """Auto leaves noise raw and compresses zeros; none and zstd apply to every chunk except ENVC."""
        latents = {"noise": self.NOISE, "zeros": self.ZEROS}
        save(target, latents=latents, compression=compression, environment=ENVIRONMENT)
        found = rows(target)
        assert [row["type"] for row in found] == ["LATN", "LATN", "ENVC"]
        assert [row["compressed"] for row in found] == expected
        assert ["stored_sha256" in row["extra"] for row in found] == expected

    @pytest.mark.parametrize(("repeats", "compressed"), [(3, False), (30, True)])
    def test_threshold(self, target: Path, repeats: int, compressed: bool) -> None:
        """Auto compresses a payload that shrinks by a tenth or more, and no other."""
        array = np.frombuffer(np.random.default_rng(0).bytes(4096 * 25), "<f4").copy()
        array[: array.size * repeats // 100] = 0
        random_order = np.random.default_rng(1).permutation(array.reshape(-1, 64)).ravel()
        save(target, latents={"a": random_order})
        assert [row["compressed"] for row in rows(target)] == [compressed]

    @pytest.mark.parametrize("place", ["start", "middle", "end"])
    def test_three_samples(self, target: Path, place: str) -> None:
        """Noise in one third of a tensor of zeros does not hide that the rest compresses."""
        array = np.zeros(3 * 2**16, np.float32)
        third = {"start": 0, "middle": 1, "end": 2}[place]
        array[third * 2**16 : (third + 1) * 2**16] = noise(2**16)
        save(target, latents={"a": array})
        assert [row["compressed"] for row in rows(target)] == [True]

    def test_empty(self, target: Path) -> None:
        """An empty latent is stored raw, as a frame header only."""
        save(target, latents={"a": np.empty((0, 4), np.float32)})
        (row,) = rows(target)
        assert (row["compressed"], row["compressed_size"], row["uncompressed_size"]) == (False, 12, 0)

    def test_frames(self, target: Path) -> None:
        """Every zstd frame, META's too, has its content size and a checksum."""
        latents = {"a": self.ZEROS, "b": self.NOISE}
        save(target, latents=latents, images=png(), environment=ENVIRONMENT, compression="zstd")
        _, meta, _, data = stored_parts(target)
        stored = [data[row["offset"] : row["offset"] + row["compressed_size"]] for row in rows(target)]
        frames = [zstandard.get_frame_parameters(part) for part in [*stored, meta]]
        assert [frame.has_checksum for frame in frames] == [True] * 5
        sizes = [row["uncompressed_size"] + 12 for row in rows(target)]
        assert sizes == [frame.content_size for frame in frames[:-1]]
        assert len(zstandard.ZstdDecompressor().decompress(meta)) == frames[-1].content_size

    def test_above_what_readers_inflate(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A payload larger than readers inflate is stored raw, even with compression zstd."""
        monkeypatch.setattr(spec, "MAX_INFLATED_BYTES", 1000)
        latents = {"fits": np.zeros(247, np.float32), "does not": np.zeros(248, np.float32)}
        save(target, latents=latents, compression="zstd")
        assert [row["compressed"] for row in rows(target)] == [True, False]


class TestLayout:
    @pytest.mark.parametrize("compression", ["auto", "none", "zstd"])
    def test_back_to_back(self, target: Path, compression: Any) -> None:
        """Latents, images and ENVC are stored in this order from byte 32 to META, without gaps."""
        latents = {"a": noise(3, 5), "b": [np.zeros(1000, "f4"), noise(2)]}
        save(
            target,
            latents=latents,
            images=[png(), png()],
            environment=ENVIRONMENT,
            compression=compression,
        )
        fields, _, _, data = stored_parts(target)
        found = rows(target)
        ends = [row["offset"] + row["compressed_size"] for row in found]
        assert [row["type"] for row in found] == ["LATN", "LATN", "LATN", "DATA", "DATA", "ENVC"]
        assert [row["index"] for row in found] == list(range(6))
        assert [row["offset"] for row in found] + [fields[4]] == [32, *ends]
        assert fields[4] + fields[5] == len(data)

    @pytest.mark.parametrize("compression", ["auto", "none", "zstd"])
    def test_digests(self, target: Path, compression: Any) -> None:
        """Each row's digests and sizes are those of its stored bytes and of its payload."""
        latents = {"a": noise(3, 5), "b": np.zeros(1000, np.float16)}
        save(target, latents=latents, images=png(), environment=ENVIRONMENT, compression=compression)
        data = target.read_bytes()
        for row in rows(target):
            stored = data[row["offset"] : row["offset"] + row["compressed_size"]]
            content = zstandard.ZstdDecompressor().decompress(stored) if row["compressed"] else stored
            flags = row["flags"].encode().ljust(4, b"\0")
            frame = struct.pack("<4s4sI", row["type"].encode(), flags, row["uncompressed_size"])
            assert frame == content[:12]
            assert row["hash"] == hashlib.sha256(content[12:]).hexdigest()
            expected = hashlib.sha256(stored).hexdigest() if row["compressed"] else None
            assert row["extra"].get("stored_sha256") == expected

    def test_root_and_seal(self, target: Path) -> None:
        """Root and seal follow their formulas, computed here from the bytes alone."""
        save(target, latents={"a": noise(3)}, prompt="a cat")
        data = target.read_bytes()
        (offset, size) = struct.unpack("<II", data[8:16])
        meta = data[offset : offset + size]
        digest = hashlib.sha256(b"GEN5seal1" + data[:24] + meta).digest()
        assert struct.unpack("<Q", digest[:8]) == struct.unpack("<Q", data[24:32])
        assert struct.unpack("<H", data[6:8])[0] == 1
        with gen5core.open(target) as file:
            assert file.root == hashlib.sha256(meta).hexdigest()

    def test_file_size(self, target: Path) -> None:
        """Header and META give the right file size, in 200 files of many sizes."""
        sizes = []
        for size in range(200):
            save(target, latents={"a": noise(size * 7)}, prompt="x" * (size * size), compression="none")
            fields, _, found, data = stored_parts(target)
            sizes.append((fields[7], found["gen5_metadata"]["file_info"]["file_size"], len(data)))
        assert [(size,) * 3 for _, _, size in sizes] == sizes
        assert len({size for _, _, size in sizes}) > 150

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(prompt=st.text(max_size=300), count=st.integers(0, 40_000), tags=st.lists(st.text(), max_size=5))
    def test_file_size_of_anything(self, tmp_path: Path, prompt: str, count: int, tags: list[str]) -> None:
        """The sizes are right whatever META holds, also where the number of their digits changes."""
        path = save(tmp_path / "any.gen5", latents={"a": np.ones(count, "f4")}, prompt=prompt, tags=tags)
        fields, _, found, data = stored_parts(path)
        assert len(data) == fields[7] == found["gen5_metadata"]["file_info"]["file_size"]
        assert (prompt, tags) == (info(path)["prompt"], info(path)["tags"])

    def test_same_content_same_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Saving the same content twice gives the same bytes, except for the date."""
        _stop_the_clock(monkeypatch)
        facts: dict[str, Any] = {"latents": {"a": noise(300)}, "images": png(), "environment": ENVIRONMENT}
        first, second = (save(tmp_path / name, **facts).read_bytes() for name in ("a.gen5", "b.gen5"))
        assert first == second

    def test_literal_bytes(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file of one latent, with every byte explained."""
        _stop_the_clock(monkeypatch)
        save(target, latents={"x": np.array([1, -2], np.float32)}, compression="none")

        frame_and_payload = bytes.fromhex(
            "4c41544e"  # LATN
            "46333200"  # F32, zero-padded
            "08000000"  # payload of 8 bytes
            "0000803f 000000c0"  # 1.0, -2.0
        )
        digest = hashlib.sha256(bytes.fromhex("0000803f000000c0")).hexdigest()
        text = (
            '{"gen5_metadata":{"file_info":{"magic":"GEN5","version_major":1,"version_minor":1,'
            '"file_size":%d,"chunk_count":1},'
            '"model_info":{"model_name":"","version":"","date":"2025-01-02T03:04:05+00:00","prompt":"",'
            '"tags":[]},'
            '"chunks":[{"index":0,"type":"LATN","flags":"F32","offset":32,"compressed_size":20,'
            '"uncompressed_size":8,"hash":"' + digest + '","extra":{"shape":[2],"dtype":"float32",'
            '"key":"x"},"compressed":false}]}}'
        )
        data = target.read_bytes()
        meta = data[52:]
        content = text % len(data)
        assert b"META0000" + struct.pack("<I", len(content)) + content.encode() == (
            zstandard.ZstdDecompressor().decompress(meta)
        )
        sealed = bytes.fromhex(
            "47454e35"  # GEN5
            "01 01"  # version 1.1
            "0100"  # flags: sealed
            "34000000"  # META begins at 52
        ) + struct.pack(
            "<III",
            len(meta),  # META's size
            1,  # one chunk
            52 + len(meta),  # the file's size
        )
        seal = hashlib.sha256(b"GEN5seal1" + sealed + meta).digest()[:8]
        assert sealed + seal + frame_and_payload + meta == data


class TestRefusals:
    @pytest.fixture(autouse=True)
    def _encoders_must_not_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writer, "encode_tensor", lambda *_, **__: pytest.fail("a tensor was encoded"))
        monkeypatch.setattr(
            writer.png_encode, "encode_image", lambda *_, **__: pytest.fail("an image was encoded")
        )

    @pytest.mark.parametrize(
        "facts",
        [
            {"latents": {str(index): np.zeros(1, "f4") for index in range(1001)}},
            {"latents": {"nested": [np.zeros(1, "f4")] * 1001}},
            {"images": np.zeros((1001, 1, 1, 3), np.uint8)},
            {"latents": {"a": np.zeros(1, "f4")}, "images": [np.zeros((1, 1, 3), np.uint8)] * 1000},
        ],
        ids=["latents", "parts", "images", "both"],
    )
    def test_too_many_chunks(self, target: Path, facts: dict[str, Any]) -> None:
        """More than 1000 chunks are refused before any is encoded."""
        with pytest.raises(EncodeError, match=r"^1001 latents and images are more than the 1000 chunks of a"):
            save(target, **facts)
        assert list(target.parent.iterdir()) == []

    @pytest.mark.parametrize("half", [False, True])
    @pytest.mark.parametrize("kind", ["one", "many", "nested", "images", "torch"])
    def test_too_large(self, target: Path, kind: str, half: bool) -> None:
        """A file of 4 GiB or more is refused before anything is encoded, and without allocating it."""
        facts = {
            "one": {"latents": {"a": np.broadcast_to(np.float32(0), (2**31,))}},
            "many": {"latents": {str(i): np.broadcast_to(np.float16(0), (2**27,)) for i in range(17)}},
            "nested": {"latents": {"a": [np.broadcast_to(np.float16(0), (2**30,))] * 2}},
            "images": {"images": np.broadcast_to(np.uint8(0), (22, 8192, 8192, 3))},
            "torch": {"latents": {"a": _bfloat16(2**30)}},
        }[kind]
        tracemalloc.start()
        try:
            with pytest.raises(EncodeError) as raised:
                save(target, half=half, **facts)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert re.fullmatch(
            r"the file would take \d+ bytes or more, a GEN5 file must be smaller than 4294967296: "
            r"store fewer latents or images",
            str(raised.value),
        )
        assert peak < 2**20
        assert list(target.parent.iterdir()) == []

    def test_dtype(self, target: Path) -> None:
        """A dtype that cannot be stored is refused before the latents before it are encoded."""
        with pytest.raises(gen5core.UnsupportedDtypeError, match=r"^latent 'b' is datetime64\[s\];"):
            save(target, latents={"a": noise(3), "b": np.zeros(3, "M8[s]")})
        assert list(target.parent.iterdir()) == []


class TestMemory:
    @pytest.mark.parametrize(
        ("array", "compression"),
        [
            (noise(2**23), "auto"),
            (noise(2**23), "zstd"),
            (np.zeros(2**23, np.float32), "auto"),
            (noise(2**24).astype(np.float16), "none"),
        ],
        ids=["raw", "noise in zstd", "zeros", "float16"],
    )
    def test_peak(self, target: Path, array: np.ndarray, compression: Any) -> None:
        """A save needs less extra memory than a fifth of the payload: nothing is copied as a whole."""
        assert _peak_of_save(target, latents={"a": array}, compression=compression) < 0.2 * array.nbytes

    def test_one_widened_latent_at_a_time(self, target: Path) -> None:
        """Of several latents that must be widened, only one at a time is in memory in its wide form."""
        tensors = {str(index): _bfloat16(2**20) for index in range(8)}
        assert _peak_of_save(target, latents=tensors, compression="none") < 2.5 * 2**22

    def test_one_image_at_a_time(self, target: Path) -> None:
        """Of a batch of images, only one at a time is in memory in encoded form."""
        batch = np.random.default_rng(0).integers(0, 256, (8, 1024, 1024, 3), np.uint8)
        assert _peak_of_save(target, images=batch) < 5 * 3 * 2**20


def _peak_of_save(path: Path, **facts: Any) -> int:
    """Return the peak memory, in bytes, that a save takes in addition to its arguments."""
    save(path)
    tracemalloc.start()
    try:
        save(path, **facts)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _bfloat16(count: int) -> Any:
    """Return a tensor of count values that takes the memory of one."""
    torch = pytest.importorskip("torch")
    return torch.zeros(1, dtype=torch.bfloat16).expand(count)


def _stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2025, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(model_info, "datetime", Stopped)


# Offsets at which trying sizes one after another goes in a circle; found by trying 600 offsets.
CIRCLING_OFFSETS = (4481766, 4148066, 4766767, 4500762, 4190066, 4571049)


@pytest.mark.parametrize("offset", [*CIRCLING_OFFSETS, *range(3_000_000, 5_000_000, 40_009)])
def test_a_size_for_meta_is_always_found(offset: int) -> None:
    """The digits of META's size change its compressed size; a size that fits is always found."""
    meta = encode_meta(
        model_info={"date": "2026-11-20T00:00:00+00:00", "prompt": "a cat"},
        rows=(),
        entries={"comfyui": {"workflow": large_workflow()}},
        offset=offset,
    )
    manifest = decode_meta(meta.data, offset, Limits())
    assert offset + len(meta.data) == manifest.core.object("file_info").get("file_size", int)
    assert large_workflow() == manifest.document["comfyui"]["workflow"]


def large_workflow() -> dict[str, Any]:
    """Return a workflow of 60 kB with numbers like those of a real one."""
    nodes: list[dict[str, Any]] = []
    while len(json.dumps(nodes)) < 60_000:
        nodes += [
            {
                "id": number,
                "type": "KSampler",
                "pos": [number * 10.5, number * 7.25],
                "inputs": [{"name": "model", "type": "MODEL", "link": number}],
                "widgets_values": [156680208700286 + number, "randomize", 20, 8.0, "euler", "normal", 1.0],
            }
            for number in range(len(nodes), len(nodes) + 20)
        ]
    return {"nodes": nodes, "version": 0.4}


def test_more_values_than_readers_take_are_refused(tmp_path: Path) -> None:
    """META that this package's reader would refuse is not written; the existing file is unchanged."""
    path = gen5core.save(tmp_path / "a.gen5", prompt="first")
    with pytest.raises(
        EncodeError, match=r"META may hold 300\d+ JSON values, readers accept 262144: store less in it"
    ):
        gen5core.save(path, settings={"list": [[]] * 150_000})
    with pytest.raises(EncodeError, match="META may hold"):
        gen5core.save(path, settings={"list": [0] * 300_000})
    with gen5core.open(path) as file:
        assert file.prompt == "first"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cfg_scale": math.inf}, r"settings\['cfg_scale'\] is inf, it must be finite"),
        (
            {"seed": 2**64},
            r"settings\['seed'\] is 18446744073709551616, it must be at most 18446744073709551615",
        ),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    """A value that JSON cannot hold, or a seed that is too large, is an error and is not stored as null."""
    with pytest.raises(EncodeError, match=message):
        gen5core.save(tmp_path / "a.gen5", settings=settings)


def test_wrong_kinds_of_arguments_are_named(tmp_path: Path) -> None:
    """environment and tags of a wrong type each give one clear error."""
    with pytest.raises(EncodeError, match=r"environment is \{\}; give an Environment, or None"):
        gen5core.save(tmp_path / "a.gen5", environment={})  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match="tags is None; give a list of strings"):
        gen5core.save(tmp_path / "a.gen5", tags=None)  # type: ignore[arg-type]

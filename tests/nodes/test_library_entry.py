"""The library's entry of one file: the fields of the contract, values of any file, errors of unreadable files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import strategies
from gen5pack import gen5core
from gen5pack.gen5core.environment.components import Component
from gen5pack.nodes.library.entry import Entry, MadeIn, read_entry, searchable
from gen5pack.nodes.stored.folders import Stamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_files import write

import gen5core as core  # the strategies make values of this copy's classes

CORPUS = Path(__file__).parents[1] / "corpus"
STAMP = Stamp(1234, 1_700_000_000_250_000_000)
BLANK = {
    "name": "a.gen5",
    "size_bytes": 1234,
    "mtime": 1_700_000_000.25,
    "date": None,
    "seed": None,
    "steps": None,
    "cfg": None,
    "sampler": None,
    "scheduler": None,
    "width": None,
    "height": None,
    "prompt": "",
    "model_name": "",
    "tags": (),
    "noise_source": None,
    "images": 0,
    "latents": 0,
    "sealed": False,
    "carrier": False,
    "signatures": None,
    "content": None,
    "error": None,
    "kind": None,
}


def read(path: Path, name: str = "a.gen5") -> Entry:
    entry = read_entry(str(path), name, STAMP)
    assert entry is not None
    return entry


class TestItem:
    def test_every_field(self, folder: Path) -> None:
        """A file with every fact gives every field of the contract; the seed is a string."""
        path = write(
            folder / "a.gen5",
            latents={"initial_noise": np.zeros(4, np.float32), "final_latent": np.zeros(4, np.float32)},
            images=np.zeros((1, 2, 3, 3), np.uint8),
            settings={"seed": 2**64 - 1, "steps": 20, "sampler": "euler", "scheduler": "karras"}
            | {"cfg_scale": 7.5, "width": 768, "height": 512},
            prompt="a cat",
            model_name="sd.safetensors",
            tags=("cat", "neon"),
            capture={"noise_source": "recorded"},
        )
        with gen5core.open(path) as file:
            date = file.date
        expected = {
            "date": date,
            "seed": "18446744073709551615",
            "steps": 20,
            "cfg": 7.5,
            "sampler": "euler",
            "scheduler": "karras",
            "width": 768,
            "height": 512,
            "prompt": "a cat",
            "model_name": "sd.safetensors",
            "tags": ("cat", "neon"),
            "noise_source": "recorded",
            "images": 1,
            "latents": 2,
            "sealed": True,
            "signatures": (),
        }
        assert read(path).item.as_json() == BLANK | expected

    def test_no_facts(self, folder: Path) -> None:
        """A file without facts gives the same fields, without values."""
        item = read(write(folder / "a.gen5")).item.as_json()
        assert BLANK | {"sealed": True, "signatures": (), "date": item["date"]} == item

    def test_long_values_are_cut(self, folder: Path) -> None:
        """A page stays small whatever META holds: 200 characters of the prompt, 500 of others, 100 tags."""
        path = write(
            folder / "a.gen5",
            settings={"sampler": "s" * 501},
            prompt="p" * 201,
            model_name="m" * 501,
            tags=["t" * 501] * 101,
        )
        item = read(path).item
        assert (item.prompt, item.model_name, item.sampler) == ("p" * 200, "m" * 500, "s" * 500)
        assert item.tags == ("t" * 500,) * 100

    def test_nan_of_an_old_file(self, folder: Path) -> None:
        """A cfg that is NaN, as 0.1.0 writes it, is left out; the file does not count as damaged."""

        def edit(document: dict[str, Any]) -> None:
            generation = {"seed": 7, "steps": 20, "sampler": "ddim", "cfg_scale": float("nan")}
            document["gen5_metadata"]["model_info"]["generation_settings"] = generation
            document["gen5_metadata"]["model_info"]["hardware_info"] = {"ram_gb": float("nan")}

        path = folder / "a.gen5"
        path.write_bytes(forge.build([forge.float32("x", [1.0])], minor=0, edit=edit))
        item = read(path).item
        assert (item.error, item.seed, item.steps, item.sampler, item.cfg) == (None, "7", 20, "ddim", None)
        assert "NaN" not in json.dumps(item.as_json())

    @pytest.mark.parametrize("path", sorted((CORPUS / "valid").glob("*.gen5")), ids=lambda path: path.stem)
    def test_corpus(self, path: Path) -> None:
        """Every golden file, of 0.1.0 too, has an entry without an error and with the file's own facts."""
        item = read(path).item
        with gen5core.open(path) as file:
            assert (None, len(file.latents), len(file.images)) == (item.error, item.latents, item.images)
            assert (file.sealed, file.prompt[:200]) == (item.sealed, item.prompt)


class TestErrors:
    @pytest.mark.parametrize("path", sorted((CORPUS / "invalid").glob("*.gen5")), ids=lambda path: path.stem)
    def test_damaged(self, path: Path) -> None:
        """A damaged file has an entry, in most cases with the reason; no message contains its path."""
        entry = read(path)
        assert entry.is_settled
        assert str(path.parent) not in json.dumps(entry.item.as_json())

    def test_message(self, folder: Path) -> None:
        """The message is the core's, without the path; a search finds the file by name."""
        (folder / "a.gen5").write_bytes(b"no file of ours, but long enough for a header")
        entry = read(folder / "a.gen5", "Sub/A.gen5")
        error = entry.item.error or ""
        assert error.startswith("at offset 0: starts with b'no f'")
        assert entry.item.as_json() == BLANK | {"name": "Sub/A.gen5", "error": error, "kind": "not_gen5"}
        assert entry.text == "sub/a.gen5"

    def test_folder_in_place_of_a_file(self, folder: Path) -> None:
        """If a folder took the file's place, the message says so."""
        (folder / "x").mkdir()
        assert "is a folder" in (read(folder / "x").item.error or "")

    def test_gone(self, folder: Path) -> None:
        """A file that was deleted after it was listed has no entry."""
        assert read_entry(str(folder / "a.gen5"), "a.gen5", STAMP) is None

    def test_not_readable(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that may not be read has the reason, and is read again by the next scan."""

        def refuse(*_: Any, **__: Any) -> int:
            raise PermissionError(13, "Permission denied", str(folder / "a.gen5"))

        monkeypatch.setattr(os, "open", refuse)
        entry = read(folder / "a.gen5")
        item = entry.item
        assert (item.error, item.kind, entry.is_settled) == ("Permission denied", "no_access", False)

    @pytest.mark.parametrize("error", [MemoryError, RecursionError])
    def test_too_much(self, folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
        """A file that needs more memory than there is does not end the scan; the next scan reads it again."""

        def fail(*_: Any) -> None:
            raise error

        monkeypatch.setattr(MadeIn, "of", fail)
        entry = read(write(folder / "a.gen5"))
        told = (entry.item.error, entry.item.kind, entry.is_settled)
        assert told == ("reading it takes too much memory", "over_memory", False)


class TestText:
    def test_what_is_searched(self, folder: Path) -> None:
        """Name, prompts, models, LoRAs, samplers, schedulers, seeds and tags, of every pass."""
        passes = [
            {"seed": 11, "positive": "first", "negative": "bad", "model_name": "base.ckpt", "steps": 77},
            {"seed": 22, "recorded_sampler": "heun", "loras": [["detail.safetensors", 0.8], ["b", None]]},
        ]
        path = write(
            folder / "a.gen5",
            settings={"seed": 22, "sampler": "Euler", "scheduler": "karras", "steps": 99},
            prompt="A Cat",
            tags=("Neon",),
            capture={"noise_source": "recorded", "passes": passes},
        )
        words = ["sub/x.gen5", "neon", "a cat", "22", "euler", "karras", "first", "bad", "base.ckpt"]
        lines = read(path, "sub/X.gen5").text.splitlines()
        assert {*words, "11", "heun", "detail.safetensors", "b"} == set(lines)

    def test_spelling(self) -> None:
        """Case does not matter, nor how an accented letter is composed."""
        assert searchable("CAFE\u0301 Straße") == searchable("caf\xe9 STRASSE")

    def test_half_a_surrogate_pair(self) -> None:
        """A lone surrogate, which JSON can hold and SQLite cannot, becomes a question mark."""
        assert searchable("a\ud800b") == "a?b"


class TestMadeIn:
    def test_none(self, folder: Path) -> None:
        """A file with neither environment nor models has nothing to compare."""
        assert read(write(folder / "a.gen5")).made_in is None

    def test_round_trip(self, folder: Path) -> None:
        """Environment, hardware and models are decoded as the file has them; equal values give equal text."""
        environment = gen5core.Environment((Component("numpy", "name=numpy;version=1"),), {"attention": "x"})
        models = [{"kind": "model", "name": "m", "size_bytes": 5}]
        facts = {"environment": environment, "hardware": {"os": "any"}, "resources": models}
        texts = {read(write(folder / name, prompt=name, **facts)).made_in for name in ("a.gen5", "b.gen5")}
        [text] = texts
        assert text is not None
        found = MadeIn.decode(text)
        with gen5core.open(folder / "a.gen5") as file:
            assert file.environment == found.environment
        assert found.resources == models

    def test_too_many_models(self, folder: Path) -> None:
        """An excessive number of models is not stored, since each page would look for all of them."""
        models = [{"name": str(number), "digest": "0" * 64} for number in range(5000)]
        entry = read(write(folder / "a.gen5", resources=models))
        assert (entry.made_in, entry.item.error) == (None, None)

    def test_models_alone(self, folder: Path) -> None:
        """Models without an environment are stored too."""
        text = read(write(folder / "a.gen5", resources=[{"name": "m"}])).made_in
        assert text is not None
        assert MadeIn(None, [{"name": "m"}]) == MadeIn.decode(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(strategies.files())
def test_any_file(folder: Path, facts: dict[str, Any]) -> None:
    """Whatever a file contains, its entry is strict JSON, and text that SQLite can store."""
    core.save(folder / "a.gen5", **facts)
    entry = read(folder / "a.gen5")
    assert entry.item.error is None
    json.dumps(entry.item.as_json(), allow_nan=False)
    entry.text.encode()
    if entry.made_in is not None:
        assert entry.made_in == MadeIn.decode(entry.made_in).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(("capture", "resources", "environment", "comfyui")), strategies.json_values()
    ),
    st.dictionaries(
        st.sampled_from(("tags", "prompt", "date", "generation_settings", "hardware_info", "model_name")),
        strategies.json_values(),
    ),
)
def test_any_meta(folder: Path, further: dict[str, Any], info: dict[str, Any]) -> None:
    """META with arbitrary values gives an entry, with an error if a value has the wrong type."""

    def edit(document: dict[str, Any]) -> None:
        document |= further
        document["gen5_metadata"]["model_info"] |= info

    path = folder / "a.gen5"
    path.write_bytes(forge.build([forge.environment({"numpy": "x"})], edit=edit))
    entry = read(path)
    json.dumps(entry.item.as_json(), allow_nan=False)
    entry.text.encode()

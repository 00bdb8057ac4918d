"""What a LATENT holds beside its tensors: stored, given back where it belongs, bounded, or named in a reason."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import MalformedChunkError
from gen5pack.gen5core.rewrite.scrub import scrub
from gen5pack.nodes import host
from gen5pack.nodes.load import Gen5Load
from gen5pack.nodes.replay import start_latent
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored import latent_keys
from gen5pack.nodes.stored.file import StoredFile
from gen5pack.nodes.stored.latent_keys import encode_keys, read_keys
from runs import images, randn, txt2img

SAMPLES = randn(2, 4, 4, 8)
TRELLIS = {
    "type": "trellis2",
    "coords": torch.arange(12, dtype=torch.int32).reshape(3, 4),
    "coord_counts": torch.tensor([1, 2]),
    "coord_resolution": 64,
    "model_frame": "z_up",
}


def save(latent: dict[str, Any]) -> tuple[StoredFile, dict[str, Any]]:
    """Save a picture with this latent; return the file and what the node shows."""
    inputs = {"images": images(), "prompt": txt2img(), "unique_id": "9"}
    answer = Gen5Save().save("x", latent={"samples": SAMPLES, **latent}, **inputs)
    return answer["result"][1], answer["ui"]["gen5"][0]


def load(name: str, **options: Any) -> dict[str, Any]:
    answer = Gen5Load().load(f"{name} [output]", on_drift="ignore", **options)
    return dict(zip(Gen5Load.RETURN_NAMES, answer["result"], strict=True))


def further(latent: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in latent.items() if key != "samples"}


def equal(one: Any, other: Any) -> bool:
    """Return whether two values are of one type and equal, tensors bit for bit."""
    if isinstance(one, (torch.Tensor, np.ndarray)):
        return type(one) is type(other) and one.dtype == other.dtype and one.tolist() == other.tolist()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        pairs = zip(one, other, strict=True)
        return type(one) is type(other) and all(equal(*pair) for pair in pairs)
    return type(one) is type(other) and (one == other or (one != one and other != other))


class TestRoundTrip:
    @pytest.mark.parametrize(
        "value",
        [
            "audio",
            48000,
            -1.5,
            True,
            None,
            "",
            "a\ud800b",
            2**200,
            math.nan,
            -math.inf,
            [1, [2.5, "x"], None],
            (1, 2),
            [(1, 2), {"a": (3,)}],
            {"a": {"b": [1, 2]}, "tensor": "x", "json": 1},
            {
                "sampler": "res_2m",
                "raw_x": torch.ones(2, 2, dtype=torch.float64),
                "steps": [1, torch.ones(1)],
            },
            torch.tensor([[1, 2]]),
            torch.tensor(True),
            torch.randn(2, 3).to(torch.float8_e4m3fn).float().to(torch.bfloat16),
            torch.empty(0, 4),
            np.arange(3, dtype=np.float64),
            [],
            {},
        ],
        ids=lambda value: f"{type(value).__name__}",
    )
    def test_any_value(self, folder: Path, value: Any) -> None:
        """A value that JSON and tensors can hold comes back with its types, from Load Gen5's latent."""
        file, shown = save({"extra": value})
        assert "not stored" not in (shown["reason"] or "")
        assert equal(further(load(file.path.name)["latent"]), {"extra": value})

    @pytest.mark.parametrize(
        ("value", "expected"), [(np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True)]
    )
    def test_numpy_scalars(self, value: Any, expected: Any) -> None:
        """A scalar of numpy is stored as Python's."""
        assert encode_keys({"a": value}).entries == {"a": {"json": expected}}

    def test_where_they_belong(self, folder: Path) -> None:
        """What describes a start is on `noise` and Replay's `latent` too; the state of a sampling only on `latent`."""
        state = {"state_info": {"sampler": "x"}, "downscale_ratio_spacial": 8}
        file, _ = save({**TRELLIS, **state, "batch_index": torch.tensor([4, 5])})
        loaded = load(file.path.name)
        assert equal(further(loaded["latent"]), {**TRELLIS, **state, "batch_index": [4, 5]})
        assert equal(further(loaded["noise"]), TRELLIS)
        start = start_latent(file.read_start(), -1)
        assert equal(further(start), {**TRELLIS, "batch_index": [4, 5]})

    def test_one_image(self, folder: Path) -> None:
        """One image of a batch has the same keys, as the core's Latent From Batch leaves them."""
        file, _ = save({**TRELLIS, "batch_index": [4, 5]})
        loaded = load(file.path.name, batch_index=1)
        assert equal(further(loaded["latent"]), {**TRELLIS, "batch_index": [5]})

    def test_in_meta(self, folder: Path) -> None:
        """META holds JSON in place and tensors by name; a plain LATENT adds nothing."""
        file, _ = save({"type": "audio", "coords": TRELLIS["coords"], "pair": [torch.ones(1), 7]})
        with file.open() as opened:
            opened.verify()
            assert opened.capture["latent_keys"] == {
                "type": {"json": "audio"},
                "coords": {"tensor": "latent_key"},
                "pair": {"list": [{"tensor": "latent_key.1"}, {"json": 7}]},
            }
            assert opened.latents["latent_key"].torch().equal(TRELLIS["coords"])
        plain, _ = save({})
        with plain.open() as opened:
            assert "latent_keys" not in opened.capture

    def test_nested(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A nested tensor is stored part by part, and joined again."""

        class Nested:
            is_nested = True

            def __init__(self, parts: list[torch.Tensor]) -> None:
                self.parts = parts

            def unbind(self) -> list[torch.Tensor]:
                return self.parts

        monkeypatch.setattr(host, "nested", Nested)
        file, _ = save({"pair": Nested([torch.ones(1), torch.ones(2, 3)])})
        with file.open() as opened:
            assert opened.capture["latent_keys"] == {"pair": {"nested": ["latent_key", "latent_key.1"]}}
        found = load(file.path.name)["latent"]["pair"]
        assert [part.shape for part in found.unbind()] == [(1,), (2, 3)]

    def test_scrubbed(self, folder: Path) -> None:
        """Folders go from strings in there too; everything else stays."""
        file, _ = save({"type": "audio", "source": "/home/anna/music/a.flac", "coords": torch.ones(2)})
        dropped = scrub(file.path, folder / "output" / "b.gen5")
        assert any("latent_keys" in line and "a.flac" in line for line in dropped)
        kept = further(load("b.gen5")["latent"])
        assert equal(kept, {"type": "audio", "source": "a.flac", "coords": torch.ones(2)})


class TestLeftOut:
    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (object(), "it holds a object"),
            ({"model": object()}, "it holds a object"),
            (lambda: 1, "it holds a function"),
            (b"x", "it holds a bytes"),
            (1j, "it holds a complex"),
            (2**300, "it holds an integer that is too long"),
            ({1: 2}, "it has keys that are not text"),
            ([[[[[[[[[1]]]]]]]]], "it is nested too deeply"),
            (torch.empty(2, device="meta"), "it is a meta tensor, which has no values"),
            (np.array(["x"]), "it holds an array of str32"),
            ("x" * 70000, "with it they take more than 65536 characters"),
            ([0] * 70000, "it has more than 65536 items"),
            ([[0] * 60000] * 60000, "it has more than 65536 items"),
        ],
        ids=lambda value: f"{type(value).__name__}",
    )
    def test_reason(self, folder: Path, value: Any, why: str) -> None:
        """A key that cannot be held is named with its reason; the others and the picture are saved."""
        file, shown = save({"type": "audio", "odd": value})
        assert f"the latent's `odd` is not stored: {why}" in shown["reason"]
        with file.open() as opened:
            assert opened.capture["reason"] == shown["reason"]
        assert further(load(file.path.name)["latent"]) == {"type": "audio"}

    def test_several_with_one_reason(self) -> None:
        """Keys with one reason share a sentence, and a long list of them is cut."""
        found = encode_keys({f"k{number}": object() for number in range(20)})
        names = ", ".join(f"`k{number}`" for number in range(8))
        assert found.reasons == (f"the latent's {names} is not stored: it holds a object",)

    def test_cycle(self) -> None:
        """A value that contains itself is nested too deeply."""
        cycle: list[Any] = []
        cycle.append(cycle)
        assert encode_keys({"a": cycle}).reasons == (
            "the latent's `a` is not stored: it is nested too deeply",
        )

    def test_an_object_that_raises(self) -> None:
        """Whatever a pack's object raises is a reason."""

        class Raising:
            @property
            def is_nested(self) -> bool:
                raise RuntimeError("no")

        assert encode_keys({"a": Raising()}).reasons == (
            "the latent's `a` is not stored: it cannot be read (RuntimeError)",
        )

    @pytest.mark.parametrize(
        ("limit", "value", "why"),
        [
            ("MAX_KEYS", 1, "there are more than 1"),
            ("MAX_TENSORS", 1, "they hold more than 1 tensors"),
            ("MAX_TENSOR_BYTES", 2**20, "their tensors take more than 1 MiB"),
        ],
    )
    def test_limits(self, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, why: str) -> None:
        """Keys beyond a limit are left out whole, and take nothing from it."""
        monkeypatch.setattr(latent_keys, limit, value)
        small, large = torch.ones(4), [torch.ones(4), torch.ones(2**18)]
        found = encode_keys({"a": small, "b": large})
        assert (list(found.entries), list(found.tensors)) == (["a"], ["latent_key"])
        assert found.reasons == (f"the latent's `b` is not stored: {why}",)


@pytest.mark.parametrize(
    "entries",
    [
        5,
        {"a": 5},
        {"a": {}},
        {"a": {"json": 1, "float": "nan"}},
        {"a": {"tensor": "missing"}},
        {"a": {"tensor": 5}},
        {"a": {"array": None}},
        {"a": {"nested": "x"}},
        {"a": {"list": {}}},
        {"a": {"dict": [1]}},
        {"a": {"dict": {"b": 1}}},
        {"a": {"float": 1.0}},
        {"a": {"other": 1}},
    ],
    ids=json.dumps,
)
def test_malformed(tmp_path: Path, entries: Any) -> None:
    """An entry of another form is an error of the format."""
    path = gen5core.save(tmp_path / "a.gen5", capture={"noise_source": "none", "latent_keys": entries})
    with (
        gen5core.open(path) as file,
        pytest.raises(
            MalformedChunkError, match=r"a\.gen5: META: capture's latent_keys has .* no value of a LATENT"
        ),
    ):
        read_keys(file)

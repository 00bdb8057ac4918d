"""Values that packs bring into a run: stored, given back, or left out with a reason; the picture is always saved."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes.host import Blocked
from gen5pack.nodes.load import Gen5Load
from gen5pack.nodes.replay import start_latent
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.saving import capture
from gen5pack.nodes.server.file_json import describe
from gen5pack.nodes.settings import Gen5Settings
from gen5pack.nodes.stored.file import StoredFile, open_stored
from gen5pack.nodes.stored.passes import read_passes
from gen5pack.nodes.tensors.latents import digest, is_zero
from gen5pack.nodes.tensors.odd import keep, plain_indices, plain_value
from runs import SIGMAS, images, randn, replaying, run, txt2img

CORPUS = Path(__file__).parents[1] / "corpus" / "valid"
SHAPE = (1, 4, 2, 4)
FLOAT8 = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"]
DTYPES = ["float64", "float32", "float16", "bfloat16", *FLOAT8, "complex64", "complex128", "bool"]
DTYPES += [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]


class Sub(torch.Tensor):
    """A tensor subclass without code of its own."""


class Wrapper(torch.Tensor):
    """A tensor subclass whose values only its own code can read, like a pack's quantized weights."""

    @staticmethod
    def __new__(cls) -> Wrapper:
        return torch.Tensor._make_wrapper_subclass(cls, SHAPE)  # type: ignore[attr-defined,no-any-return]

    @classmethod
    def __torch_dispatch__(cls, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no values")


class Raising(torch.Tensor):
    """A tensor subclass that fails at every call."""

    @classmethod
    def __torch_function__(cls, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("not now\nor ever")


def values(dtype: str, first: int = 1) -> torch.Tensor:
    """Return a tensor of SHAPE whose values differ."""
    plain = torch.arange(first, first + 32.0).reshape(SHAPE) * (
        3 if dtype in ("float64", "complex128") else 1
    )
    wide = plain / 7 if "64" in dtype or "128" in dtype else plain
    name = dtype.removeprefix("u") if dtype in ("uint16", "uint32", "uint64") else dtype
    return wide.double().to(getattr(torch, name)).to(getattr(torch, dtype))


def inference() -> torch.Tensor:
    with torch.inference_mode():
        return randn(*SHAPE)


KEPT = {
    "conjugate": lambda: torch.view_as_complex(randn(*SHAPE, 2)).conj(),
    "negative view": lambda: torch.view_as_complex(randn(*SHAPE, 2)).conj().imag,
    "not contiguous": lambda: randn(4, 1, 2, 4).transpose(0, 1),
    "expanded": lambda: randn(1, 1, 2, 4).expand(SHAPE),
    "requires grad": lambda: randn(*SHAPE).requires_grad_(),
    "parameter": lambda: torch.nn.Parameter(randn(*SHAPE)),
    "inference": inference,
    "subclass": lambda: randn(*SHAPE).as_subclass(Sub),
    "empty": lambda: torch.empty(0, 4, 2, 4),
    "scalar": lambda: torch.tensor(1.5),
    "nan": lambda: torch.full(SHAPE, math.nan),
}
LEFT_OUT = {
    "sparse": (lambda: randn(*SHAPE).to_sparse(), "it is a sparse_coo tensor, not one of plain values"),
    "csr": (lambda: torch.eye(2).to_sparse_csr(), "it is a sparse_csr tensor, not one of plain values"),
    "meta": (lambda: torch.empty(SHAPE, device="meta"), "it is a meta tensor, which has no values"),
    "wrapper": (Wrapper, "it is a Wrapper, whose values only its own code can read"),
    "raising": (lambda: randn(*SHAPE).as_subclass(Raising), "it is a Raising that cannot be read (not now)"),
    "complex32": (
        lambda: torch.zeros(SHAPE, dtype=torch.complex32),
        "it is complex32, which a file cannot hold without loss",
    ),
    "quantized": (
        lambda: torch.quantize_per_tensor(randn(*SHAPE), 0.1, 0, torch.quint8),
        "it is a quantized tensor, not one of plain values",
    ),
}
pytestmark = [
    pytest.mark.filterwarnings("ignore:ComplexHalf support"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor"),
    pytest.mark.filterwarnings("ignore:Sparse CSR tensor support"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks"),
]


def save(
    folder: Path, recording: Recording | None = None, **inputs: Any
) -> tuple[StoredFile, dict[str, Any]]:
    """Save a picture with these inputs; return the file, which verifies, and what the node shows."""
    answer = Gen5Save().save(
        "x", images=images(), recording=recording, prompt=txt2img(), unique_id="9", **inputs
    )
    file: StoredFile = answer["result"][1]
    with file.open() as opened:
        opened.verify()
        assert len(opened.images) == 1
    return file, answer["ui"]["gen5"][0]


def record(
    noise: Any, latent: Any = None, output: Any = None, **options: Any
) -> tuple[Recording, torch.Tensor]:
    """Record a run; return the recording and the run's result."""
    recording = Recording()
    result = randn(*SHAPE, seed=7) if output is None else output
    start = torch.zeros(SHAPE) if latent is None else latent
    run([SamplingRecorder(recording)], noise, start, compute=lambda got: result, **options)
    return recording, result


def load(file: StoredFile, **options: Any) -> dict[str, Any]:
    answer = Gen5Load().load(f"{file.path.name} [output]", on_drift="ignore", **options)
    return dict(zip(Gen5Load.RETURN_NAMES, answer["result"], strict=True))


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether dtype, shape and every bit are equal."""
    return digest([one]) == digest([other])


class TestSeeds:
    """A run may be told anything as its seed."""

    @pytest.mark.parametrize(
        ("seed", "stored", "told"),
        [
            (-1, -1, -1),
            (2**64 - 1, 2**64 - 1, 2**64 - 1),
            (2**70, 2**70, 2**70),
            (3.5, 3.5, 3.5),
            (3.0, 3.0, 3.0),
            (1e300, 1e300, 1e300),
            (True, 1, 1),
            (np.int64(-3), -3, -3),
            (np.uint64(2**64 - 1), 2**64 - 1, 2**64 - 1),
            (torch.tensor(5), 5, 5),
            (torch.tensor([6]), 6, 6),
            (torch.tensor([2.5]), 2.5, 2.5),
            (torch.tensor([1, 2]), [1, 2], [1, 2]),
            (np.array([[1], [-2]]), [1, -2], [1, -2]),
            ([7, 8], [7, 8], [7, 8]),
            ((np.int32(7), torch.tensor(8)), [7, 8], [7, 8]),
            (math.nan, "nan", 99),
            (-math.inf, "-inf", 99),
            (torch.tensor(math.inf), "inf", 99),
            ([1, math.nan], [1, "nan"], 99),
            ("x", "x", 99),
            (10**5000, "an integer of 16610 bits", 99),
            (1j, "a complex", 99),
            (object(), "a object", 99),
            (torch.empty(2, device="meta"), "a Tensor (it is a meta tensor, which has no values)", 99),
            (torch.zeros(5000), "a tensor of shape [5000]", 99),
            ([0] * 5000, "a list of 5000 items", 99),
            (None, None, 99),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_recorded_and_told_again(self, folder: Path, seed: Any, stored: Any, told: Any) -> None:
        """A seed is stored as JSON can hold it, the file loads, and a replay tells a number again."""
        noise = randn(*SHAPE)
        recording, result = record(noise, seed=seed)
        file, shown = save(folder, recording, latent={"samples": result})
        with file.open() as opened:
            [entry] = opened.capture["passes"]
            assert entry.get("seed", None) == (5 if seed is None else stored)  # 5 is the widget's
            assert type(entry.get("seed")) is type(5 if seed is None else stored)
            is_seed = type(stored) is int and 0 <= stored < 2**64
            assert ("seed" in opened.settings) is (is_seed or seed is None)
            assert isinstance(describe(opened)["seed"], str)
        assert shown["noise_source"] == "recorded"
        assert same(load(file)["noise"]["samples"], noise)
        _, got = run([replaying(file)], randn(*SHAPE, seed=3), seed=99)
        expected = 5 if seed is None else told
        assert (got["seed"], type(got["seed"])) == (expected, type(expected))
        assert same(got["noise"], noise)

    @pytest.mark.parametrize("seed", [-1, 1e300, 3.5, "x", True, None, [1, "x"], {"a": 1}, [[[1]]], 2**200])
    def test_files_of_1_0(self, folder: Path, seed: Any) -> None:
        """A file that 1.0 wrote with such a seed, and did not load, loads with its noise."""
        noise = randn(*SHAPE)
        entry = {"recorded": True, "add_noise": True, "noise": "initial_noise", "sigmas": SIGMAS.tolist()}
        path = gen5core.save(
            folder / "output" / "a.gen5",
            latents={"initial_noise": noise},
            capture={
                "noise_source": "recorded",
                "passes": [{**entry, "seed": seed, "shapes": [list(SHAPE)]}],
            },
            images=np.zeros((4, 4, 3), np.uint8),
        )
        file = open_stored(path)
        loaded = load(file)
        assert same(loaded["noise"]["samples"], noise)
        _, got = run([replaying(file)], randn(*SHAPE, seed=3), seed=99)
        is_number = type(seed) in (int, float)
        assert got["seed"] == (seed if is_number else 99)
        assert loaded["noise_source"].seed == (seed if is_number else 0)

    def test_the_corpus(self) -> None:
        """The file with odd seeds in the corpus gives its passes."""
        with gen5core.open(CORPUS / "gen5core-1.1_odd_seeds.gen5") as file:
            found = [one.seed for one in read_passes(file)]
            assert found == [-1, 1e300, 3.5, None, (1, 2), 2**70, None]
            assert [row["seed"] for row in describe(file)["passes"]] == (
                ["-1", "1e+300", "3.5", "x", "1, 2", str(2**70), None]
            )

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("seed", 3.5, "the seed in a.gen5 is 3.5, not a whole number; set that widget by hand"),
            ("seed", [1, 2], "the seed in a.gen5 is [1, 2], not a whole number; set that widget by hand"),
            ("cfg", "nan", "the cfg in a.gen5 is 'nan', not a number; set that widget by hand"),
            ("cfg", [7.0, 5.0], "the cfg in a.gen5 is [7.0, 5.0], not a number; set that widget by hand"),
            ("positive", 5, "the positive in a.gen5 is 5, not a text; set that widget by hand"),
            ("seed", True, "the seed in a.gen5 is True, not a whole number; set that widget by hand"),
        ],
    )
    def test_a_socket_gets_its_own_kind(self, folder: Path, field: str, value: Any, message: str) -> None:
        """Gen5 Settings blocks an output whose value is of another kind than its socket."""
        meta = {"noise_source": "none", "passes": [{field: value, "steps": 4}]}
        file = open_stored(gen5core.save(folder / "a.gen5", capture=meta, environment=None, hardware=None))
        found = dict(zip(Gen5Settings.RETURN_NAMES, Gen5Settings().read(file), strict=True))
        assert (found[field], found["steps"]) == (Blocked(message), 4)

    def test_a_negative_seed_is_a_whole_number(self, folder: Path) -> None:
        """−1 means something to the nodes that say it, so Gen5 Settings gives it."""
        meta = {"noise_source": "none", "passes": [{"seed": -1}]}
        file = open_stored(gen5core.save(folder / "a.gen5", capture=meta, environment=None, hardware=None))
        assert Gen5Settings().read(file)[0] == -1


class TestRunFacts:
    """cfg and sigmas of other kinds."""

    @pytest.mark.parametrize(
        ("cfg", "stored"),
        [
            (torch.tensor(6.5), 6.5),
            (np.float32(6.5), 6.5),
            (7, 7.0),
            ([7.0, 5], (7.0, 5)),
            (torch.tensor([7.0, 5.0]), (7.0, 5.0)),
            (math.nan, None),
            (math.inf, None),
            ("7", None),
            (object(), None),
            (["a"], None),
            (None, None),
        ],
        ids=repr,
    )
    def test_cfg(self, cfg: Any, stored: Any) -> None:
        """A number from anywhere is one, several are a tuple, anything else is not known."""
        recording = Recording()
        run([SamplingRecorder(recording)], randn(*SHAPE), cfg=cfg)
        assert recording.runs[0].cfg == stored

    @pytest.mark.parametrize(
        ("sigmas", "stored"),
        [
            (torch.tensor([1 / 3, 0.0], dtype=torch.float64), [1 / 3, 0.0]),
            (torch.tensor([0.5, 0.0], dtype=torch.bfloat16), [0.5, 0.0]),
            (torch.tensor([[1.0, 0.5], [0.5, 0.0]]), [1.0, 0.5, 0.5, 0.0]),
            (torch.tensor(1.0), [1.0]),
            (torch.tensor([math.inf, math.nan, 0.0]), [None, None, 0.0]),
            (torch.empty(0), []),
            (torch.tensor([1j]), []),
            (torch.empty(2, device="meta"), []),
            ([1.0, 0.0], []),
            (None, []),
        ],
        ids=["float64", "bfloat16", "2-D", "0-D", "not finite", "empty", "complex", "meta", "list", "none"],
    )
    def test_sigmas(self, folder: Path, sigmas: Any, stored: list[float | None]) -> None:
        """Sigmas are stored exactly, or not at all; the file loads and replays."""
        noise = randn(*SHAPE)
        recording, result = record(noise, sigmas=sigmas)
        file, _ = save(folder, recording, latent={"samples": result})
        with file.open() as opened:
            assert opened.capture["passes"][0]["sigmas"] == stored
        _, got = run([replaying(file)], randn(*SHAPE, seed=3), sigmas=sigmas)
        assert same(got["noise"], noise)

    def test_sigmas_with_two_axes_of_1_0(self, folder: Path) -> None:
        """1.0 wrote lists of lists, and did not load them; they count as unknown."""
        meta = {"noise_source": "recorded", "passes": [{"sigmas": [[1.0, 0.5], [0.5, 0.0]]}]}
        with gen5core.open(gen5core.save(folder / "a.gen5", capture=meta)) as file:
            assert read_passes(file)[0].sigmas is None


class TestDtypes:
    """Every dtype of torch that has plain values."""

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_recorded(self, folder: Path, dtype: str) -> None:
        """Noise, start and result of any dtype come back bit for bit, and a replay gives the noise to the sampler."""
        noise, start, result = values(dtype), values(dtype, 9), values(dtype, 17)
        recording, _ = record(noise, start, result)
        file, shown = save(folder, recording, latent={"samples": result})
        assert (shown["noise_source"], shown["reason"]) == ("recorded", None)
        loaded = load(file)
        assert same(loaded["noise"]["samples"], noise)
        assert same(loaded["latent"]["samples"], result)
        assert same(start_latent(file.read_start(), -1)["samples"], start)
        given = torch.zeros_like(noise)
        _, got = run([replaying(file)], given, given, compute=lambda got: result)
        assert same(got["noise"], noise)

    @pytest.mark.parametrize("kind", KEPT)
    def test_kept(self, folder: Path, kind: str) -> None:
        """Views, parameters and the like are stored by their values."""
        noise = KEPT[kind]()
        recording, result = record(noise, torch.zeros_like(noise))
        file, shown = save(folder, recording, latent={"samples": result})
        assert (shown["noise_source"], shown["reason"]) == ("recorded", None)
        if not is_zero([keep(noise)]):
            assert same(load(file)["noise"]["samples"], keep(noise))

    @pytest.mark.parametrize("kind", LEFT_OUT)
    @pytest.mark.parametrize(
        "where", ["noise", "latent", "mask", "result", "noise socket", "mask of the result"]
    )
    def test_left_out(self, folder: Path, kind: str, where: str, caplog: pytest.LogCaptureFixture) -> None:
        """What cannot be stored is named in file and summary with its reason; everything else is stored."""
        make, why = LEFT_OUT[kind]
        if (where, kind) == ("noise", "raising"):
            why = "the run could not be recorded (RuntimeError: not now)"  # not even its shape is known
        odd, plain = make(), randn(*SHAPE)
        recording, result = record(
            odd if where == "noise" else plain,
            odd if where == "latent" else None,
            odd if where == "result" else None,
            mask=odd if where == "mask" else None,
        )
        latent = (
            {"samples": result} if where != "mask of the result" else {"samples": result, "noise_mask": odd}
        )
        inputs = {"noise": {"samples": odd}} if where == "noise socket" else {"recording": recording}
        file, shown = save(folder, **inputs, latent=latent)
        assert why in shown["reason"]
        with file.open() as opened:
            assert opened.capture["reason"] == shown["reason"]
            assert ("final_latent" in opened.latents) is (where != "result")
            has_noise = where not in ("noise", "noise socket", "result")
            has_noise |= shown["noise_source"] == "derived"
            assert ("initial_noise" in opened.latents) is has_noise
            if where in ("noise", "latent", "mask") and shown["noise_source"] == "recorded":
                field = {"latent": "start_latent", "mask": "noise_mask"}.get(where, where)
                assert opened.capture["passes"][0]["omitted"] == {field: why}
            if where in ("latent", "mask"):
                assert isinstance(start_latent(file.read_start(), -1), Blocked)
        assert ("could not be recorded" in caplog.text) is (
            kind == "raising" and where in ("noise", "result")
        )

    def test_a_run_that_cannot_be_recorded(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A fault while a run is recorded is logged; its result is returned and later runs are recorded."""
        recording = Recording()
        noise = randn(*SHAPE)
        broken = SimpleNamespace(__class__=object)
        with caplog.at_level(logging.ERROR):
            output, _ = run([SamplingRecorder(recording)], noise, latent_shapes=[broken, broken])
        assert same(output, noise * 0.5)
        assert "a sampling run could not be recorded" in caplog.text
        output, _ = run([SamplingRecorder(recording)], noise)
        assert len(recording.runs) == 1
        _, shown = save(folder, recording, latent={"samples": output})
        assert shown["noise_source"] == "recorded"

    def test_one_odd_run_among_others(self, folder: Path) -> None:
        """A run that cannot be kept costs neither the other runs of a recording nor their saves."""
        recording = Recording()
        run([SamplingRecorder(recording)], torch.empty(SHAPE, device="meta"), compute=lambda got: randn(1))
        output, _ = run([SamplingRecorder(recording)], randn(*SHAPE))
        _, shown = save(folder, recording, latent={"samples": output})
        assert (shown["noise_source"], shown["reason"]) == ("recorded", None)

    @pytest.mark.parametrize("samples", [None, "x", 5, [torch.zeros(SHAPE)], {}], ids=repr)
    def test_samples_that_are_no_tensor(self, folder: Path, samples: Any) -> None:
        """The picture is saved, and the reason says what was connected."""
        file, shown = save(folder, latent={"samples": samples})
        assert f"the latent is not stored: it is a {type(samples).__name__}, not a tensor" in shown["reason"]
        with file.open() as opened:
            assert dict(opened.latents) == {}

    @pytest.mark.parametrize("latent", [{}, {"noise_mask": 1}, 5], ids=repr)
    def test_no_latent_at_all(self, latent: Any) -> None:
        """A value without samples stays an error that says what to connect."""
        with pytest.raises(EncodeError, match="latent is not a LATENT: it has no `samples`"):
            Gen5Save().save("x", images=images(), latent=latent)

    def test_noise_that_cannot_be_drawn(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A draw that fails leaves the noise out, with the error; the result is stored."""

        def draw(*_: Any) -> None:
            raise NotImplementedError("no randn for this")

        monkeypatch.setattr(capture, "draw_noise", draw)
        file, shown = save(folder, latent={"samples": torch.ones(1, 4, 4, 8)})
        assert shown["noise_source"] == "none"
        assert shown["reason"] == "the noise of seed 5 could not be drawn: no randn for this"
        assert same(load(file)["latent"]["samples"], torch.ones(1, 4, 4, 8))

    @pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float8_e4m3fn])
    def test_derived(self, folder: Path, dtype: torch.dtype) -> None:
        """Noise is drawn in the result's dtype, as ComfyUI draws it."""
        file, shown = save(folder, latent={"samples": torch.ones(1, 4, 4, 8).to(dtype)})
        assert shown["noise_source"] == "derived"
        with file.open() as opened:
            assert opened.latents["initial_noise"].torch().dtype == dtype
            assert opened.latents["final_latent"].torch().dtype == dtype


class TestBatchIndex:
    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ([3, 1], [3, 1]),
            ((3, 1), [3, 1]),
            (torch.tensor([3, 1]), [3, 1]),
            (np.array([3, 1]), [3, 1]),
            ([torch.tensor(3), np.int64(1)], [3, 1]),
            ([3.0, 1.0], [3, 1]),
            (torch.tensor(4), [4]),
            (range(2), None),
            ("ab", None),
            ([0.5], None),
            ([None], None),
            ([math.nan], None),
        ],
        ids=repr,
    )
    def test_plain(self, given: Any, stored: list[int] | None) -> None:
        """Whole numbers from anywhere are a list."""
        assert plain_indices(given) == stored

    @pytest.mark.parametrize("given", [torch.tensor([3, 1]), np.array([3, 1]), [3.0, 1.0]], ids=repr)
    def test_stored_and_given_back(self, folder: Path, given: Any) -> None:
        """The noise of each image is that of its number, and Load Gen5 gives the numbers back."""
        latent = {"samples": randn(2, 4, 4, 8)}
        file, _ = save(folder, latent={**latent, "batch_index": given})
        other, _ = save(folder, latent={**latent, "batch_index": [3, 1]})
        loaded = load(file)
        assert loaded["latent"]["batch_index"] == [3, 1]
        assert same(loaded["noise"]["samples"], load(other)["noise"]["samples"])
        assert load(file, batch_index=1)["latent"]["batch_index"] == [1]
        assert start_latent(file.read_start(-1, 0), 0)["batch_index"] == [3]

    def test_unknown(self, folder: Path) -> None:
        """Numbers that are not known are named, and no noise is derived."""
        _, shown = save(folder, latent={"samples": randn(2, 4, 4, 8), "batch_index": "ab"})
        assert shown["noise_source"] == "none"
        assert "batch_index is not stored: it is not a list of whole numbers" in shown["reason"]


def test_plain_value_is_bounded() -> None:
    """A text that a run was told is cut."""
    assert plain_value("x" * 10**6) == "x" * 200

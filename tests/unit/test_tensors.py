"""Tensors saved and read again: every dtype, every bit pattern, every shape."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import gen5core
from gen5core.container.records import ChunkRow
from gen5core.errors import ChunkNotFoundError, EncodeError, MalformedChunkError, UnsupportedDtypeError
from gen5core.tensors.codec import (
    TensorSpec,
    encode_tensor,
    latent_payload,
    parse_tensor_spec,
    payload_bytes,
)
from gen5core.tensors.dtypes import LAYOUTS, little_endian, narrow, widen

torch = pytest.importorskip("torch")

FLOAT8 = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"]
STORED_AS = {
    "float32": "float32",
    "float16": "float16",
    "bfloat16": "float32",
    "float8_e4m3fn": "float16",
    "float8_e4m3fnuz": "float16",
    "float8_e5m2": "float16",
    "float8_e5m2fnuz": "float16",
    "float8_e8m0fnu": "float32",
}
NATIVE = {
    "bool": ("float16", 0),
    "int8": ("float16", 0),
    "uint8": ("float16", 0),
    "int16": ("float32", 0),
    "uint16": ("float32", 0),
    "int32": ("float32", 1),
    "uint32": ("float32", 1),
    "int64": ("float32", 2),
    "uint64": ("float32", 2),
    "float64": ("float32", 2),
    "complex64": ("float32", 2),
    "complex128": ("float32", 4),
}
"""dtype -> the dtype it is stored as, and the words of a value."""
KNOWN = ", ".join([*STORED_AS, *NATIVE])

RoundTrip = Callable[..., Any]


def save(path: Path, latents: dict[str, Any], **options: Any) -> None:
    gen5core.save(path, latents=latents, environment=None, hardware=None, **options)


@pytest.fixture
def round_trip(tmp_path: Path) -> RoundTrip:
    """Save a latent, open the file, and return ``take`` of what was read."""

    def through(
        value: Any, take: Callable[[Any], Any] = lambda stored: stored.array(), **options: Any
    ) -> Any:
        save(tmp_path / "a.gen5", {"initial_noise": value}, **options)
        with gen5core.open(tmp_path / "a.gen5") as file:
            return take(file.latents["initial_noise"])

    return through


def all_bits(dtype: str) -> torch.Tensor:
    """Return every bit pattern of a float8 or of bfloat16."""
    if dtype == "bfloat16":
        return torch.from_numpy(np.arange(2**16, dtype=np.uint16).view(np.int16)).view(torch.bfloat16)
    return torch.arange(256, dtype=torch.int32).to(torch.uint8).view(getattr(torch, dtype))


def bits(tensor: torch.Tensor) -> bytes:
    """Return a tensor's bytes; torch cannot view every empty tensor as bytes."""
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


class TestEveryBitPattern:
    @pytest.mark.parametrize("compression", ["none", "zstd"])
    @pytest.mark.parametrize("dtype", ["bfloat16", *FLOAT8])
    def test_round_trip(self, round_trip: RoundTrip, dtype: str, compression: str) -> None:
        """All 65536 patterns of bfloat16 and all 256 of each float8 come back bit for bit, NaNs included."""
        tensor = all_bits(dtype)
        actual = round_trip(tensor, lambda stored: stored.torch(), compression=compression)
        assert (actual.dtype, actual.shape) == (tensor.dtype, tensor.shape)
        assert bits(actual) == bits(tensor)

    @pytest.mark.parametrize("dtype", FLOAT8)
    def test_one_by_one(self, dtype: str) -> None:
        """Each pattern widens alone as it does among others: a vectorised conversion may take another code path."""
        tensor = all_bits(dtype)
        whole = bytes(encode_tensor("a", tensor).data)
        singly = b"".join(bytes(encode_tensor("a", tensor[i]).data) for i in range(256))
        assert whole == singly

    @pytest.mark.parametrize("dtype", ["bfloat16", *FLOAT8])
    def test_widened_values(self, round_trip: RoundTrip, dtype: str) -> None:
        """The stored float32 or float16 has the value that torch gives each pattern."""
        tensor = all_bits(dtype)
        expected = tensor.to(torch.float32).numpy()
        np.testing.assert_array_equal(round_trip(tensor).astype(np.float32), expected)

    def test_float16(self, round_trip: RoundTrip) -> None:
        """All 65536 patterns of float16 come back bit for bit."""
        array = np.arange(2**16, dtype=np.uint16).view(np.float16)
        assert array.tobytes() == round_trip(array).tobytes()

    def test_float32_specials(self, round_trip: RoundTrip) -> None:
        """Signed zeros, subnormals, infinities, quiet and signalling NaNs of float32 keep their bits."""
        patterns = [0, 0x80000000, 1, 0x807FFFFF, 0x7F800000, 0xFF800000, 0x7FC00001, 0x7F800001, 0xFFFFFFFF]
        array = np.array(patterns, np.uint32).view(np.float32)
        assert patterns == round_trip(array).view(np.uint32).tolist()
        tensor = round_trip(array, lambda stored: stored.torch())
        assert patterns == tensor.numpy().view(np.uint32).tolist()


def odd_values(dtype: str) -> np.ndarray[Any, Any]:
    """Return values of a dtype that float32 and float16 lack: the ends of its range, every bit used."""
    rng = np.random.default_rng(7)
    if dtype == "bool":
        return rng.random((2, 3, 4)) < 0.5
    raw = rng.integers(0, 256, 24 * np.dtype(dtype).itemsize, dtype=np.uint8)
    return raw.view(dtype).reshape(2, 3, 4)


class TestValueDtypes:
    """float64, complex numbers, integers and booleans."""

    @pytest.mark.parametrize("compression", ["none", "zstd"])
    @pytest.mark.parametrize("as_torch", [False, True], ids=["numpy", "torch"])
    @pytest.mark.parametrize("dtype", NATIVE)
    def test_round_trip(self, round_trip: RoundTrip, dtype: str, as_torch: bool, compression: str) -> None:
        """Every bit comes back, in the dtype that was saved, from numpy and from torch, NaNs included."""
        array = odd_values(dtype)
        value = torch.from_numpy(array) if as_torch else array
        read = round_trip(
            value, lambda found: (found.array(), found.torch(), found.dtype), compression=compression
        )
        assert (read[0].dtype, read[0].shape, read[2]) == (array.dtype, array.shape, array.dtype)
        assert (read[1].dtype, tuple(read[1].shape)) == (torch.from_numpy(array).dtype, array.shape)
        assert (read[0].tobytes(), read[1].numpy().tobytes()) == (array.tobytes(), array.tobytes())

    @pytest.mark.parametrize(
        "shape", [(), (0,), (2, 0, 3), (1,) * 31], ids=["scalar", "none", "empty", "31-D"]
    )
    @pytest.mark.parametrize("dtype", NATIVE)
    def test_shapes(self, round_trip: RoundTrip, dtype: str, shape: tuple[int, ...]) -> None:
        """Scalars, empty arrays and the largest number of axes keep shape and values."""
        array = np.ones(shape, dtype)
        actual = round_trip(array)
        assert (actual.dtype, actual.shape, actual.tobytes()) == (array.dtype, shape, array.tobytes())

    @pytest.mark.parametrize("dtype", NATIVE)
    def test_stored_form(self, tmp_path: Path, dtype: str) -> None:
        """A row has flags that every reader knows, the stored shape, and the dtype beside them."""
        array = odd_values(dtype)
        save(tmp_path / "a.gen5", {"a": array}, compression="none")
        stored, words = NATIVE[dtype]
        with gen5core.open(tmp_path / "a.gen5") as file:
            [row], latent = file.rows, file.latents["a"]
            shape = [2, 3, 4, words] if words else [2, 3, 4]
            assert row.extra == {"shape": shape, "dtype": stored, "key": "a", "value_dtype": dtype}
            assert row.flags.strip("\0") == {"float32": "F32", "float16": "F16"}[stored]
            assert (latent.stored_dtype, latent.orig_dtype) == (stored, dtype)
            assert latent.size_bytes == row.uncompressed_size
            assert file.verify().chunk_count == 1

    def test_views(self, round_trip: RoundTrip) -> None:
        """Other byte orders and memory layouts, and torch's lazy views, are stored by their values."""
        array = np.arange(12, dtype=">f8").reshape(3, 4).T
        assert round_trip(array).tolist() == array.tolist()
        conjugate = torch.view_as_complex(torch.arange(8.0).reshape(4, 2)).conj()[::2]
        assert round_trip(conjugate).tolist() == conjugate.tolist()
        gradient = torch.ones(2, dtype=torch.float64, requires_grad=True)
        assert round_trip(gradient).tolist() == [1.0, 1.0]

    def test_half_leaves_them(self, round_trip: RoundTrip) -> None:
        """``half`` is for float32 alone."""
        assert round_trip(np.float64([1e300]), half=True).tolist() == [1e300]

    @pytest.mark.parametrize("dtype", ["int32", "float64"])
    def test_too_many_axes(self, tmp_path: Path, dtype: str) -> None:
        """The axis of words counts as one of the 32."""
        with pytest.raises(EncodeError, match="latent 'a' has 32 dimensions, the limit is 31"):
            save(tmp_path / "a.gen5", {"a": np.zeros((1,) * 32, dtype)})

    @pytest.mark.parametrize("value", [0.5, 300, -1, float("nan"), float("inf")])
    def test_values_that_the_dtype_lacks(self, tmp_path: Path, value: float) -> None:
        """A forged value is an error of the format, not a number that nobody saved."""
        payload = np.float16([value]).tobytes()
        extra = {"shape": [1], "dtype": "float16", "key": "a", "value_dtype": "uint8"}
        (tmp_path / "a.gen5").write_bytes(forge.build([forge.Chunk("LATN", "F16", payload, extra)]))
        with gen5core.open(tmp_path / "a.gen5") as file:
            for read in (file.latents["a"].array, file.latents["a"].torch):
                with pytest.raises(
                    MalformedChunkError, match="latent 'a' holds values that uint8 does not have"
                ):
                    read()


class TestLayouts:
    def test_table(self) -> None:
        """Every dtype of the format has torch's width, and the dtype that FORMAT.md stores it as."""
        actual = {dtype: (layout.item_bytes, layout.stored_as) for dtype, layout in LAYOUTS.items()}
        assert actual == {
            dtype: (getattr(torch, dtype).itemsize, stored_as) for dtype, stored_as in STORED_AS.items()
        }

    @pytest.mark.parametrize("shape", [(-1,), (2, -1), (1, 16, -1, 4)], ids=str)
    @pytest.mark.parametrize("dtype", STORED_AS)
    def test_every_pattern(self, dtype: str, shape: tuple[int, ...]) -> None:
        """Every pattern is widened as torch widens it, and narrowed to the same bits, in any shape."""
        width = min(getattr(torch, dtype).itemsize, 2)
        patterns = np.arange(2 ** (8 * width), dtype=f"u{width}")
        patterns = (patterns.astype("u4") << 16 if dtype == "float32" else patterns).reshape(shape)
        widened = widen(patterns, dtype)
        assert (widened.dtype, widened.shape) == (np.dtype(STORED_AS[dtype]), patterns.shape)
        narrowed = narrow(widened, dtype)
        assert (narrowed.dtype, narrowed.tolist()) == (patterns.dtype, patterns.tolist())

    @pytest.mark.parametrize("dtype", STORED_AS)
    def test_zero_dimensions(self, dtype: str) -> None:
        """A single value stays an array of 0 dimensions."""
        one = np.array(0x3C, LAYOUTS[dtype].bits)
        widened = widen(one, dtype)
        narrowed = narrow(widened, dtype)
        assert (widened.shape, narrowed.shape, int(narrowed)) == ((), (), 0x3C)

    @pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float8_e5m2"])
    def test_what_needs_no_torch(self, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
        """Dtypes that are stored unchanged, and those that are upper halves, need no torch."""
        monkeypatch.setitem(sys.modules, "torch", None)
        patterns = np.arange(256).astype(LAYOUTS[dtype].bits)
        assert narrow(widen(patterns, dtype), dtype).tolist() == patterns.tolist()

    @pytest.mark.parametrize("dtype", sorted(set(FLOAT8) - {"float8_e5m2"}))
    def test_what_needs_torch(self, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
        """torch converts the other float8, in both directions."""
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(ImportError):
            widen(np.zeros(1, np.uint8), dtype)
        with pytest.raises(ImportError):
            narrow(np.zeros(1, STORED_AS[dtype]), dtype)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_bytes_are_little_endian(self, order: str) -> None:
        """The bytes are little-endian in C order, whatever the order of the array."""
        array = np.array([[1, 2], [3, 4]], f"{order}u2").T
        assert little_endian(array).tobytes() == bytes((1, 0, 3, 0, 2, 0, 4, 0))


class TestDtypes:
    @pytest.mark.parametrize(("dtype", "stored_as"), STORED_AS.items())
    def test_table(self, round_trip: RoundTrip, dtype: str, stored_as: str) -> None:
        """Each dtype is stored as the table says, known before reading, and returned by ``torch()``."""
        tensor = torch.ones(2, 3).to(getattr(torch, dtype))
        told, array, back = round_trip(
            tensor, lambda stored: ((stored.dtype, stored.orig_dtype), stored.array(), stored.torch())
        )
        assert told == (np.dtype(stored_as), dtype)
        assert np.dtype(stored_as) == array.dtype
        assert (back.dtype, bits(back)) == (tensor.dtype, bits(tensor))

    @pytest.mark.parametrize(("dtype", "stored_as"), STORED_AS.items())
    @pytest.mark.parametrize("half", [False, True])
    def test_row(self, dtype: str, stored_as: str, half: bool) -> None:
        """A row has flags and stored dtype, and ``orig_dtype`` only if it differs."""
        payload = encode_tensor("a", torch.ones(2, 3).to(getattr(torch, dtype)), half=half)
        expected = "float16" if half and dtype == "float32" else stored_as
        extra = {"shape": [2, 3], "dtype": expected, "key": "a"}
        if dtype != stored_as:
            extra["orig_dtype"] = dtype
        assert ("LATN", {"float32": "F32\0", "float16": "F16\0"}[expected]) == (payload.type, payload.flags)
        assert extra == payload.extra

    @pytest.mark.parametrize("part", [None, 0, 3])
    @pytest.mark.parametrize(("dtype", "stored_as"), STORED_AS.items())
    def test_row_round_trip(self, dtype: str, stored_as: str, part: int | None) -> None:
        """Parsing a row returns the tensor spec that it was made from."""
        spec = TensorSpec("a", (2, 3), stored_as, dtype, part)
        payload = latent_payload(spec, np.ones((2, 3), stored_as))
        size_bytes = payload.data.nbytes
        row = ChunkRow(
            0, payload.type, payload.flags, 32, size_bytes + 12, size_bytes, "", False, payload.extra
        )
        assert parse_tensor_spec(row) == spec

    @pytest.mark.parametrize("dtype", STORED_AS)
    @pytest.mark.parametrize("half", [False, True])
    def test_size_known_beforehand(self, dtype: str, half: bool) -> None:
        """``payload_bytes`` is the size of the encoded payload."""
        tensor = torch.ones(2, 3).to(getattr(torch, dtype))
        assert encode_tensor("a", tensor, half=half).data.nbytes == payload_bytes("a", tensor, half=half)

    @pytest.mark.parametrize("dtype", ["longdouble", "clongdouble", "U3", "S3", "O", "M8[s]", "i4,f4"])
    def test_unsupported_array(self, tmp_path: Path, dtype: str) -> None:
        """An array of another dtype is refused by name, with the remedy; the error is also a TypeError."""
        array = np.zeros(3, dtype)
        with pytest.raises(UnsupportedDtypeError) as raised:
            save(tmp_path / "a.gen5", {"mask": array})
        message = (
            f"latent 'mask' is {array.dtype.name}; the format holds {KNOWN} without loss: convert it first"
        )
        assert message == str(raised.value)
        assert isinstance(raised.value, (EncodeError, TypeError, ValueError))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.filterwarnings("ignore:ComplexHalf support", "ignore:torch.quantize_per_tensor")
    @pytest.mark.parametrize("kind", ["complex32", "quint8"])
    def test_unsupported_tensor(self, tmp_path: Path, kind: str) -> None:
        """A tensor of another dtype is refused by name."""
        tensor = torch.zeros(3, dtype=torch.complex32 if kind == "complex32" else torch.float32)
        if kind == "quint8":
            tensor = torch.quantize_per_tensor(tensor, 0.1, 0, torch.quint8)
        with pytest.raises(UnsupportedDtypeError, match=rf"^latent 'mask' is {kind}; the format holds "):
            save(tmp_path / "a.gen5", {"mask": tensor})

    @pytest.mark.parametrize("value", [1.5, "noise", None, {"samples": 1}], ids=repr)
    def test_no_tensor(self, tmp_path: Path, value: Any) -> None:
        """A value that is neither array nor tensor is refused, and the message names its type."""
        message = f"latent 'a' is a {type(value).__name__}; give a numpy array or a torch tensor"
        with pytest.raises(UnsupportedDtypeError, match=f"^{message}$"):
            save(tmp_path / "a.gen5", {"a": value})

    @pytest.mark.parametrize(
        ("tensor", "kind"),
        [
            (torch.eye(2).to_sparse(), "torch.sparse_coo on cpu"),
            (torch.empty(2, device="meta"), "torch.strided on meta"),
        ],
        ids=["sparse", "meta"],
    )
    def test_tensor_without_values(self, tmp_path: Path, tensor: torch.Tensor, kind: str) -> None:
        """A sparse tensor and one on the meta device are refused before anything is tried."""
        with pytest.raises(UnsupportedDtypeError, match=f"'a' is a tensor without plain values \\({kind}\\)"):
            save(tmp_path / "a.gen5", {"a": tensor})

    @pytest.mark.parametrize("nested", [False, True])
    def test_masked_array(self, tmp_path: Path, nested: bool) -> None:
        """A masked array, whose mask would be lost, is refused with the remedy; a filled one is stored."""
        masked = np.ma.masked_array(np.float32([1, 2]), [True, False])
        with pytest.raises(UnsupportedDtypeError) as raised:
            save(tmp_path / "a.gen5", {"a": [masked] if nested else masked})
        assert str(raised.value) == (
            "latent 'a' is a masked array, and the format has no place for its mask: "
            "give its .filled(0), or its .data to keep the values under the mask"
        )
        assert list(tmp_path.iterdir()) == []
        save(tmp_path / "a.gen5", {"a": masked.filled(0), "b": masked.data})
        with gen5core.open(tmp_path / "a.gen5") as file:
            assert (
                file.latents["a"].array().tolist(),
                file.latents["b"].array().tolist(),
            ) == ([0, 2], [1, 2])

    def test_numpy_scalar(self, round_trip: RoundTrip) -> None:
        """A numpy scalar is stored as an array of 0 dimensions."""
        actual = round_trip(np.float32(0.1))
        assert (actual.shape, actual[()]) == ((), np.float32(0.1))


class TestHalf:
    def test_rounds(self, round_trip: RoundTrip) -> None:
        """``half`` stores float32 as the nearest float16; NaN and infinities are kept."""
        array = np.array([1 / 3, 65504, -65519, 1e-9, np.inf, -np.inf, np.nan], np.float32)
        actual = round_trip(array, half=True)
        assert actual.dtype == np.float16
        assert actual[:6].tolist() == [0.333251953125, 65504, -65504, 0, np.inf, -np.inf]
        assert np.isnan(actual[6])

    @pytest.mark.parametrize("value", [70000.0, -65520.0, 3e38])
    def test_refuses_overflow(self, tmp_path: Path, value: float) -> None:
        """``half`` names a finite value that would become infinite, and writes nothing."""
        message = (
            f"latent 'a' holds {abs(value):g}, the largest float16 is 65504: save it without half precision"
        )
        with pytest.raises(EncodeError) as raised:
            save(tmp_path / "a.gen5", {"a": np.array([1, value, np.inf], np.float32)}, half=True)
        assert message == str(raised.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("dtype", ["bfloat16", *FLOAT8])
    def test_does_not_change_other_dtypes(self, round_trip: RoundTrip, dtype: str) -> None:
        """``half`` applies to float32 only: widened dtypes stay lossless."""
        tensor = all_bits(dtype)
        assert bits(tensor) == bits(round_trip(tensor, lambda stored: stored.torch(), half=True))


class TestShapes:
    @pytest.mark.parametrize(
        "shape", [(), (1,), (0,), (3, 0, 2), (1, 4, 8, 8), (1, 16, 3, 4, 4), (1,) * 31 + (2,)], ids=str
    )
    @pytest.mark.parametrize("dtype", STORED_AS)
    def test_round_trip(self, round_trip: RoundTrip, shape: tuple[int, ...], dtype: str) -> None:
        """A tensor of any rank from 0 to 32, also an empty one, is read with the same shape."""
        tensor = torch.ones(shape).to(getattr(torch, dtype))
        told, actual = round_trip(tensor, lambda stored: (stored.shape, stored.torch()))
        assert (told, tuple(actual.shape)) == (shape, shape)
        assert (actual.dtype, bits(actual)) == (tensor.dtype, bits(tensor))

    def test_too_many_dimensions(self, tmp_path: Path) -> None:
        """More dimensions than a row may have are refused."""
        with pytest.raises(EncodeError, match=r"^latent 'a' has 33 dimensions, the limit is 32$"):
            save(tmp_path / "a.gen5", {"a": torch.ones((1,) * 33)})

    @pytest.mark.parametrize(
        "tensor",
        [
            torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
            torch.arange(24.0).reshape(2, 3, 4)[:, 1:, ::2],
            torch.arange(3.0).expand(4, 3),
            torch.arange(8.0).requires_grad_(),
            torch.view_as_complex(torch.arange(8.0).reshape(4, 2)).conj().imag,
        ],
        ids=["permuted", "sliced", "expanded", "wants a gradient", "negated lazily"],
    )
    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e5m2", "float8_e4m3fn"])
    def test_tensor_layouts(self, round_trip: RoundTrip, tensor: torch.Tensor, dtype: str) -> None:
        """Tensors are saved by value, whatever their strides."""
        expected = tensor.to(getattr(torch, dtype))
        actual = round_trip(expected, lambda stored: stored.torch())
        assert actual.float().tolist() == expected.float().tolist()

    def test_contiguous_arrays_are_not_copied(self) -> None:
        """The payload of a C-contiguous little-endian array is that array's memory."""
        array = np.ones((2, 3), "<f4")
        data = encode_tensor("a", array).data
        array[0, 0] = 2
        assert bytes(array) == bytes(data)


class TestResults:
    @pytest.mark.parametrize("compression", ["none", "zstd"])
    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e5m2", "float8_e4m3fn"])
    def test_own_memory(self, tmp_path: Path, dtype: str, compression: Any) -> None:
        """Every access returns new writable memory that outlives the file."""
        path = tmp_path / "a.gen5"
        save(path, {"a": torch.ones(2, 3).to(getattr(torch, dtype))}, compression=compression)
        with gen5core.open(path) as file:
            first, second = file.latents["a"].array(), file.latents["a"].array()
            tensor = file.latents["a"].torch()
        path.unlink()
        first += 1
        tensor.zero_()
        assert (first.flags.writeable, second.flags.c_contiguous) == (True, True)
        assert (float(first.sum()), float(second.sum()), float(tensor.float().sum())) == (12.0, 6.0, 0.0)
        assert not np.shares_memory(first, second)

    def test_owner_is_an_array(self, round_trip: RoundTrip) -> None:
        """The memory of a result belongs to numpy; it is neither a mapping nor a bytes object."""
        owner = round_trip(np.ones(5, np.float32))
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        assert (owner.base, owner.flags.owndata) == (None, True)


class TestNested:
    def test_parts(self, round_trip: RoundTrip) -> None:
        """A nested latent keeps its parts in order, each with its own dtype and shape."""
        video, audio = torch.ones(1, 4, 2, 3, dtype=torch.bfloat16), np.zeros((1, 8), np.float16)
        parts = round_trip(
            [video, audio],
            lambda stored: [(part.shape, part.orig_dtype, part.array().sum()) for part in stored.parts],
        )
        assert parts == [((1, 4, 2, 3), "bfloat16", 24.0), ((1, 8), "float16", 0.0)]

    def test_part_numbers(self, tmp_path: Path) -> None:
        """The row of a part has its number; that of a plain latent has none."""
        save(tmp_path / "a.gen5", {"a": (np.ones(1, "f4"), np.ones(2, "f4")), "b": np.ones(3, "f4")})
        with gen5core.open(tmp_path / "a.gen5") as file:
            assert [(row.extra["key"], row.extra.get("part")) for row in file.rows] == [
                ("a", 0),
                ("a", 1),
                ("b", None),
            ]

    def test_array_of_a_nested_latent(self, tmp_path: Path) -> None:
        """A nested latent has no single array; the error says how to read its parts."""
        save(tmp_path / "a.gen5", {"a": [np.ones(1, "f4"), np.ones(2, "f4")]})
        with gen5core.open(tmp_path / "a.gen5") as file:
            for ask in (lambda: file.latents["a"].array(), lambda: file.latents["a"].shape):
                with pytest.raises(
                    ChunkNotFoundError, match=r"^latent 'a' is nested, with 2 parts: use \.parts\[0\]"
                ):
                    ask()

    def test_of_one_part(self, round_trip: RoundTrip) -> None:
        """A nested latent of one part can be read as a plain one."""
        part = np.arange(3, dtype=np.float32)
        values, count = round_trip([part], lambda stored: (stored.array().tolist(), len(stored.parts)))
        assert (values, count) == ([0.0, 1.0, 2.0], 1)

    def test_empty(self, tmp_path: Path) -> None:
        """An empty list is refused: it would have no row, so its name would be lost."""
        with pytest.raises(EncodeError, match=r"^latent 'a' is an empty list; give a tensor, or a list"):
            save(tmp_path / "a.gen5", {"a": []})


class TestAnything:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        latents=st.dictionaries(
            st.text(st.characters(codec="utf-8"), min_size=1),
            npst.arrays(
                st.sampled_from(["<f4", ">f4", "<f2", ">f2"]),
                npst.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4),
            ),
            max_size=4,
        ),
        compression=st.sampled_from(["auto", "none", "zstd"]),
    )
    def test_arrays(self, tmp_path: Path, latents: dict[str, np.ndarray], compression: Any) -> None:
        """Any arrays under any names are read in order, bit for bit."""
        save(tmp_path / "a.gen5", latents, compression=compression)
        with gen5core.open(tmp_path / "a.gen5") as file:
            file.verify()
            actual = file.latents.arrays()
        expected = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in latents.items()}
        assert list(actual) == list(expected)
        assert [(array.dtype, array.shape, array.tobytes()) for array in actual.values()] == [
            (array.dtype, array.shape, array.tobytes()) for array in expected.values()
        ]

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        data=st.binary(max_size=64),
        dtype=st.sampled_from(["bfloat16", *FLOAT8]),
        compression=st.sampled_from(["auto", "none", "zstd"]),
    )
    def test_bits(self, tmp_path: Path, data: bytes, dtype: str, compression: Any) -> None:
        """Any bits of any narrow dtype are read as they were saved."""
        whole = data[: len(data) // 2 * 2]
        tensor = torch.tensor(list(whole), dtype=torch.uint8).view(getattr(torch, dtype))
        save(tmp_path / "a.gen5", {"a": tensor}, compression=compression)
        with gen5core.open(tmp_path / "a.gen5") as file:
            assert bits(file.latents["a"].torch()) == whole

    def test_names(self, tmp_path: Path) -> None:
        """Names that are empty or not a string are refused."""
        for name in ("", 3, None):
            message = f"^a latent is named {name!r}; a name must be a string that is not empty$"
            with pytest.raises(EncodeError, match=message):
                save(tmp_path / "a.gen5", {name: np.ones(1, "f4")})  # type: ignore[dict-item]

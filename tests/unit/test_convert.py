"""Import and export: every tensor makes the round trip bit for bit, and a bad file raises one clear error."""

from __future__ import annotations

import json
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st

import gen5core
from gen5core.convert.exporters import export_file
from gen5core.convert.importers import SD1_SCALE, import_file
from gen5core.convert.safetensors import DTYPES, RawTensor, encode_raw
from gen5core.images import png_chunks
from gen5core.images.png_encode import deflate_png, encode_image
from gen5core.tensors.codec import encode_tensor

PROMPT = {"3": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1, "cfg": 7.5}}}
WORKFLOW = {"nodes": [{"id": 3, "type": "KSampler"}], "version": 0.4}
PIXELS = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
KNOWN_TO_EVERY_SAFETENSORS = ("BF16", "F16", "F32", "F8_E4M3", "F8_E5M2")
"""Older versions of the library do not know the other float8 dtypes."""
ITEM_BYTES = dict.fromkeys(DTYPES, 1) | {"F32": 4, "F16": 2, "BF16": 2}
NAN_BITS = {
    "F32": struct.pack("<4I", 0x7F800001, 0xFFC12345, 0x80000000, 0x7F800000),
    "F16": struct.pack("<4H", 0x7C01, 0xFE23, 0x8000, 0x7C00),
    "BF16": struct.pack("<4H", 0x7F81, 0xFFC3, 0x8000, 0x7F80),
    "F8_E4M3": bytes((0x7F, 0xFF, 0x80, 0x38)),
    "F8_E5M2": bytes((0x7D, 0xFF, 0x80, 0x7C)),
}
"""Two NaNs with different payloads, minus zero and infinity (or one), by safetensors' name of the dtype."""

Tensors = dict[str, tuple[str, list[int], bytes]]
"""Name -> dtype, shape, bytes."""


def safetensors_bytes(tensors: Tensors, metadata: dict[str, str] | None = None) -> bytes:
    """Return a safetensors file, built by hand."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata is not None else {}
    body = b""
    for name, (dtype, shape, data) in tensors.items():
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def parsed(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors and metadata of a safetensors file, parsed by hand."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    body = data[8 + size :]
    tensors = {
        name: (row["dtype"], row["shape"], body[slice(*row["data_offsets"])]) for name, row in header.items()
    }
    return tensors, metadata


def latent_bytes(dtype: str = "F32", *, version: bool = True, **metadata: str) -> bytes:
    """Return a file as ComfyUI's SaveLatent writes it."""
    tensors: Tensors = {"latent_tensor": (dtype, [1, 4], NAN_BITS[dtype])}
    if version:
        tensors["latent_format_version_0"] = ("F32", [0], b"")
    return safetensors_bytes(tensors, metadata)


def imported(tmp_path: Path, file_name: str, data: bytes, **options: Any) -> Path:
    """Write data to a file, import it, and return the path of the new file."""
    (tmp_path / file_name).write_bytes(data)
    import_file(tmp_path / file_name, tmp_path / "new.gen5", **options)
    return tmp_path / "new.gen5"


# .latent


@pytest.mark.parametrize("dtype", NAN_BITS)
def test_latent_round_trip_is_bit_exact(tmp_path: Path, dtype: str) -> None:
    """Bits, dtype, shape, prompt, workflow and all other texts of a .latent survive the round trip."""
    texts = {"prompt": json.dumps(PROMPT), "workflow": json.dumps(WORKFLOW), "notes": "犬 \x1b"}
    data = latent_bytes(dtype, **texts)
    path = imported(tmp_path, "x.latent", data)
    export_file(path, tmp_path / "y.latent", "latent")
    assert parsed((tmp_path / "y.latent").read_bytes()) == parsed(data)


def test_latent_is_a_final_latent_by_default(tmp_path: Path) -> None:
    """Save Latent usually stores the result of a sampler; another name can be given."""
    path = imported(tmp_path, "x.latent", latent_bytes(prompt=json.dumps(PROMPT)))
    with gen5core.open(path) as file:
        assert list(file.latents) == ["final_latent"]
        assert file.comfyui == {"prompt": PROMPT}
        assert file.capture == {"noise_source": "none", "imported": {"from": "latent"}}
        assert (file.environment, file.hardware) == (None, {})
    import_file(tmp_path / "x.latent", path, name="initial_noise", overwrite=True)
    with gen5core.open(path) as file:
        assert list(file.latents) == ["initial_noise"]
        assert file.capture == {"noise_source": "provided", "imported": {"from": "latent"}}


def test_an_old_latent_is_scaled_as_comfyui_does(tmp_path: Path) -> None:
    """Without latent_format_version_0, LoadLatent returns float32 times 1/0.18215: this is stored, with a note."""
    torch = pytest.importorskip("torch")
    values = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).half()
    data = safetensors_bytes({"latent_tensor": ("F16", [1, 4, 8, 8], values.numpy().tobytes())})
    (tmp_path / "x.latent").write_bytes(data)
    assert import_file(tmp_path / "x.latent", tmp_path / "new.gen5") == (
        "has no latent_format_version_0: multiplied by 1/0.18215, as ComfyUI's Load Latent does",
    )
    with gen5core.open(tmp_path / "new.gen5") as file:
        assert torch.equal(file.latents["final_latent"].torch(), values.float() * (1.0 / 0.18215))
        assert file.latents["final_latent"].orig_dtype == "float32"
    assert SD1_SCALE == 1.0 / 0.18215


def test_an_exported_latent_opens_in_the_library_that_comfyui_uses(tmp_path: Path) -> None:
    """The library safetensors, which LoadLatent calls, reads the tensor and finds the version."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    noise = torch.randn(1, 4, 8, 8).bfloat16()
    gen5core.save(tmp_path / "a.gen5", latents={"initial_noise": noise, "final_latent": noise * 2})
    export_file(tmp_path / "a.gen5", tmp_path / "a.latent", "latent")
    loaded = load_file(str(tmp_path / "a.latent"))
    assert sorted(loaded) == ["latent_format_version_0", "latent_tensor"]
    assert torch.equal(loaded["latent_tensor"], noise)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {},
            "x.latent: has no tensor 'latent_tensor', so ComfyUI's Save Latent did not write it: rename it",
        ),
        (
            {"latent_tensor": ("F32", [1], b"\0" * 4), "mask": ("F32", [1], b"\0" * 4)},
            "x.latent: has tensors that do not belong in a .latent (mask): rename it to .safetensors",
        ),
        (
            {"latent_tensor": ("F4", [2], b"\0")},
            "x.latent: tensor 'latent_tensor' is F4; a GEN5 file stores only F32, F16, BF16",
        ),
        (
            {"latent_tensor": ("C64", [1], b"\0" * 8)},
            "x.latent: has complex values and no latent_format_version_0",
        ),
    ],
)
def test_other_files_named_latent_are_refused(tmp_path: Path, tensors: Tensors, message: str) -> None:
    """The error names the file, its content, and the remedy."""
    with pytest.raises(gen5core.EncodeError, match=re.escape(message)):
        imported(tmp_path, "x.latent", safetensors_bytes(tensors))
    assert not (tmp_path / "new.gen5").exists()


@pytest.mark.parametrize("text", ["not json", "[1]", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_graph_that_is_not_a_json_object_is_kept_as_text(tmp_path: Path, text: str) -> None:
    """It is reported, kept, and exported again."""
    (tmp_path / "x.latent").write_bytes(latent_bytes(workflow=text))
    notes = import_file(tmp_path / "x.latent", tmp_path / "new.gen5")
    assert notes == ("its workflow is not a JSON object and was kept as text",)
    export_file(tmp_path / "new.gen5", tmp_path / "y.latent", "latent")
    assert parsed((tmp_path / "y.latent").read_bytes())[1] == {"workflow": text}


def test_cache_keys_of_a_prompt_are_left_out(tmp_path: Path) -> None:
    """ComfyUI's is_changed may be NaN, which is not JSON, and has no influence on the image."""
    graph = '{"3": {"class_type": "LoadImage", "inputs": {}, "is_changed": [NaN]}}'
    path = imported(tmp_path, "x.latent", latent_bytes(prompt=graph))
    with gen5core.open(path) as file:
        assert file.comfyui == {"prompt": {"3": {"class_type": "LoadImage", "inputs": {}}}}


# .safetensors


@st.composite
def tensor_files(draw: st.DrawFn) -> tuple[Tensors, dict[str, str]]:
    """Tensors of any supported dtype, any bits and shape, with any metadata."""
    names = draw(
        st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), unique=True, max_size=4)
    )
    tensors: Tensors = {}
    for name in names:
        dtype = draw(st.sampled_from(KNOWN_TO_EVERY_SAFETENSORS))
        shape = draw(st.lists(st.integers(0, 4), max_size=4))
        size = int(np.prod(shape)) * ITEM_BYTES[dtype]
        tensors[name] = (dtype, shape, draw(st.binary(min_size=size, max_size=size)))
    text = st.text(st.characters(codec="utf-8"), max_size=8)
    metadata = draw(
        st.dictionaries(text.filter(lambda key: key not in ("prompt", "workflow")), text, max_size=3)
    )
    return {name: tensors[name] for name in names if name != "__metadata__"}, metadata


@given(tensor_files())
def test_safetensors_round_trip_is_bit_exact(content: tuple[Tensors, dict[str, str]]) -> None:
    """Every name, dtype, shape, bit (NaN payloads included) and metadata text survives the round trip."""
    import tempfile

    tensors, metadata = content
    with tempfile.TemporaryDirectory() as folder:
        path = imported(Path(folder), "x.safetensors", safetensors_bytes(tensors, metadata))
        with gen5core.open(path) as file:
            assert sorted(file.latents) == sorted(tensors)
            file.verify()
        if tensors:
            export_file(path, Path(folder, "y.safetensors"), "safetensors")
            assert parsed(Path(folder, "y.safetensors").read_bytes()) == (tensors, metadata)


def every_pattern(code: str) -> bytes:
    """Return every bit pattern of a dtype; for float32 only those whose lower half is zero."""
    words = np.arange(2 ** (8 * min(ITEM_BYTES[code], 2)), dtype=f"<u{ITEM_BYTES[code]}")
    return (words << 16 if code == "F32" else words).tobytes()


@pytest.mark.parametrize("code", KNOWN_TO_EVERY_SAFETENSORS)
def test_every_bit_pattern_survives(tmp_path: Path, code: str) -> None:
    """All bit patterns of a dtype, NaNs included, are exported as they were imported, also in a scalar."""
    data = every_pattern(code)
    size = ITEM_BYTES[code]
    content = {"a": (code, [len(data) // size], data), "b": (code, [], data[-size:])}
    path = imported(tmp_path, "x.safetensors", safetensors_bytes(content))
    export_file(path, tmp_path / "y.safetensors", "safetensors")
    assert parsed((tmp_path / "y.safetensors").read_bytes()) == (content, {})


@pytest.mark.parametrize("code", DTYPES)
def test_import_is_stored_like_the_tensor(code: str) -> None:
    """Imported bytes give the same payload and row as a torch tensor with these bits."""
    torch = pytest.importorskip("torch")
    data, dtype = every_pattern(code), DTYPES[code]
    tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(getattr(torch, dtype)).reshape(16, -1)
    imported_one = encode_raw(RawTensor("a", dtype, tuple(tensor.shape), data))
    assert imported_one == encode_tensor("a", tensor)


def test_export_is_aligned(tmp_path: Path) -> None:
    """The header is padded to eight bytes and wide dtypes come first, so that every tensor is aligned."""
    half, single = np.ones(3, np.float16), np.ones(2, np.float32)
    gen5core.save(tmp_path / "a.gen5", latents={"a": half, "b": single}, environment=None, hardware=None)
    export_file(tmp_path / "a.gen5", tmp_path / "a.safetensors", "safetensors")
    header = (
        b'{"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        b'"a":{"dtype":"F16","shape":[3],"data_offsets":[8,14]}}'
    )
    padded = header + b" " * (-len(header) % 8)
    expected = struct.pack("<Q", len(padded)) + padded + single.tobytes() + half.tobytes()
    assert (tmp_path / "a.safetensors").read_bytes() == expected


def test_a_nested_latent_is_exported_part_by_part(tmp_path: Path) -> None:
    """Audio and video of one latent become two tensors; a .latent, which has only one, is refused."""
    parts = [np.ones(2, np.float32), np.zeros(3, np.float32)]
    gen5core.save(tmp_path / "a.gen5", latents={"initial_noise": parts}, environment=None, hardware=None)
    export_file(tmp_path / "a.gen5", tmp_path / "a.safetensors", "safetensors")
    tensors, _metadata = parsed((tmp_path / "a.safetensors").read_bytes())
    assert tensors == {
        "initial_noise.part0": ("F32", [2], parts[0].tobytes()),
        "initial_noise.part1": ("F32", [3], parts[1].tobytes()),
    }
    with pytest.raises(gen5core.ChunkNotFoundError, match="latent 'initial_noise' is nested, with 2 parts"):
        export_file(tmp_path / "a.gen5", tmp_path / "a.latent", "latent")


def test_one_latent_can_be_named(tmp_path: Path) -> None:
    """A name selects one of several latents in an export, and renames the only tensor in an import."""
    latents = {"a": np.ones(1, np.float32), "b": np.zeros(1, np.float32)}
    gen5core.save(tmp_path / "a.gen5", latents=latents, environment=None, hardware=None)
    export_file(tmp_path / "a.gen5", tmp_path / "b.safetensors", "safetensors", name="b")
    import_file(tmp_path / "b.safetensors", tmp_path / "new.gen5", name="initial_noise")
    with gen5core.open(tmp_path / "new.gen5") as file:
        assert file.latents.arrays() == {"initial_noise": np.zeros(1, np.float32)}
    with pytest.raises(gen5core.ChunkNotFoundError, match=r"a\.gen5 has 2 latents \(a, b\): name one"):
        export_file(tmp_path / "a.gen5", tmp_path / "a.latent", "latent")
    with pytest.raises(gen5core.ChunkNotFoundError, match=r"no latent 'c'.* a, b$"):
        export_file(tmp_path / "a.gen5", tmp_path / "a.latent", "latent", name="c")


@pytest.mark.parametrize(
    "code", ["F64", "C64", "BOOL", *(f"{sign}{bits}" for sign in "IU" for bits in (8, 16, 32, 64))]
)
def test_integers_and_wide_floats_come_back(tmp_path: Path, code: str) -> None:
    """Integers, float64 and complex64 go in and out of a safetensors file bit for bit."""
    size = 1 if code == "BOOL" else int(code[1:]) // 8
    data = bytes([1, 0]) if code == "BOOL" else bytes(range(200, 200 + 2 * size))
    tensors = {"steps": (code, [2], data)}
    imported(tmp_path, "x.safetensors", safetensors_bytes(tensors))
    export_file(tmp_path / "new.gen5", tmp_path / "y.safetensors", "safetensors")
    [(name, found)] = safetensors.deserialize((tmp_path / "y.safetensors").read_bytes())
    assert (name, found["dtype"], found["shape"], bytes(found["data"])) == ("steps", code, [2], data)


def test_complex128_is_not_in_safetensors(tmp_path: Path) -> None:
    """What safetensors lacks is refused by name, with the way that works."""
    gen5core.save(tmp_path / "a.gen5", latents={"a": np.zeros(2, np.complex128)})
    with pytest.raises(
        gen5core.UnsupportedDtypeError, match=r"latent 'a' is complex128.*extract it as \.npy"
    ):
        export_file(tmp_path / "a.gen5", tmp_path / "a.safetensors", "safetensors")
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize("dtype", ["F8_E4M3FNUZ2", "F4", "F6_E2M3"])
def test_unsupported_dtypes_are_refused_by_name(tmp_path: Path, dtype: str) -> None:
    """A dtype that the format lacks is never rounded to another one."""
    data = safetensors_bytes({"steps": (dtype, [8], b"\0" * (6 if "6" in dtype else 4))})
    known = (
        "is not a valid safetensors file"
        if dtype == "F8_E4M3FNUZ2"
        else f"tensor 'steps' is {dtype}; .*first"
    )
    with pytest.raises(gen5core.EncodeError, match=rf"x\.safetensors: {known}"):
        imported(tmp_path, "x.safetensors", data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a valid safetensors file"),
        (b"\xff" * 64, "is not a valid safetensors file"),
        (safetensors_bytes({"a": ("F32", [1], b"\0" * 4)})[:-1], "is not a valid safetensors file"),
        (safetensors_bytes({"a": ("F32", [1], b"\0" * 4)}) + b"x", "is not a valid safetensors file"),
        (safetensors_bytes({"a": ("F32", [2**63, 0], b"")}), "tensor 'a' has shape"),
        (safetensors_bytes({"a": ("F32", [1] * 40, b"\0" * 4)}), "tensor 'a' has shape"),
        (safetensors_bytes({"": ("F32", [0], b"")}), "has a tensor whose name is empty: rename it"),
        (struct.pack("<Q", 9000) + b"[" * 9000, "is not a valid safetensors file"),
    ],
)
def test_a_broken_safetensors_is_one_clear_error(tmp_path: Path, data: bytes, message: str) -> None:
    """Truncated, padded, absurd or nested: the error is ours and names the file."""
    with pytest.raises(gen5core.EncodeError, match=rf"x\.safetensors: {re.escape(message)}"):
        imported(tmp_path, "x.safetensors", data)


GOOD = safetensors_bytes({"a": ("F32", [2], b"\1" * 8), "b": ("BF16", [2], b"\2" * 4)}, {"prompt": "{}"})


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_safetensors_raise_only_our_errors(flips: list[tuple[int, int]]) -> None:
    """With any damage, an import either succeeds completely or raises an error of this package."""
    import tempfile

    data = GOOD
    for position, mask in flips:
        data = forge.flipped(data, position, mask)
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = imported(Path(folder), "x.safetensors", data)
        except gen5core.Gen5Error:
            assert not Path(folder, "new.gen5").exists()
            return
        with gen5core.open(path) as file:
            assert file.verify().chunk_count == len(file.latents)


def test_bfloat16_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch, bfloat16 is copied as bits; float8 is refused with the remedy."""
    monkeypatch.setitem(sys.modules, "torch", None)
    data = safetensors_bytes({"a": ("BF16", [4], NAN_BITS["BF16"])})
    path = imported(tmp_path, "x.safetensors", data)
    export_file(path, tmp_path / "y.safetensors", "safetensors")
    assert parsed((tmp_path / "y.safetensors").read_bytes()) == parsed(data)
    with pytest.raises(gen5core.UnsupportedDtypeError, match=r"'a' is float8_e4m3fn.*pip install -U torch"):
        imported(
            tmp_path, "x.safetensors", safetensors_bytes({"a": ("F8_E4M3", [4], bytes(4))}), overwrite=True
        )


def test_one_name_for_several_tensors_is_refused(tmp_path: Path) -> None:
    """Otherwise one of them would be lost."""
    with pytest.raises(
        gen5core.EncodeError, match=r"x\.safetensors: has 2 tensors, and a name is for a single one"
    ):
        imported(tmp_path, "x.safetensors", GOOD, name="initial_noise")


# .png


def png_with(**texts: str) -> bytes:
    """Return a small PNG with texts, as ComfyUI writes them."""
    return png_chunks.add_texts(gen5core.encode_image(PIXELS), texts)


def test_a_png_is_kept_byte_for_byte_with_its_graphs(tmp_path: Path) -> None:
    """The image is unchanged; prompt and workflow are also in META."""
    data = png_with(prompt=json.dumps(PROMPT), workflow=json.dumps(WORKFLOW))
    path = imported(tmp_path, "x.PNG", data)
    with gen5core.open(path) as file:
        assert file.images[0].bytes == data
        assert file.comfyui == {"prompt": PROMPT, "workflow": WORKFLOW}
        assert (file.prompt, file.capture) == ("", {"noise_source": "none", "imported": {"from": "png"}})


def test_a1111_parameters_become_the_prompt(tmp_path: Path) -> None:
    """A PNG by another program describes how it was made in one text, which is kept completely."""
    text = "a cat, 犬\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 1"
    with gen5core.open(imported(tmp_path, "x.png", png_with(parameters=text))) as file:
        assert (file.prompt, file.comfyui) == (text, None)


def test_exported_png_is_deflated_and_has_its_graphs(tmp_path: Path) -> None:
    """An exported PNG is deflated and has the graphs that ComfyUI reads, even if the stored one does not."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    gen5core.save(
        tmp_path / "a.gen5",
        images=[gen5core.encode_image(pixels), gen5core.encode_image(pixels[:32])],
        comfyui={"prompt": PROMPT, "workflow": WORKFLOW},
        environment=None,
        hardware=None,
    )
    export_file(tmp_path / "a.gen5", tmp_path / "a.png", "png")
    data = (tmp_path / "a.png").read_bytes()
    assert png_chunks.read_texts(data) == {"prompt": json.dumps(PROMPT), "workflow": json.dumps(WORKFLOW)}
    assert len(data) < 1000
    gen5core.save(tmp_path / "b.gen5", images=data)
    with gen5core.open(tmp_path / "b.gen5") as file:
        np.testing.assert_array_equal(file.images[0].array(), pixels)
    export_file(tmp_path / "a.gen5", tmp_path / "b.png", "png", index=1)
    assert struct.unpack(">II", (tmp_path / "b.png").read_bytes()[16:24]) == (64, 32)
    with pytest.raises(gen5core.ChunkNotFoundError, match=r"a\.gen5 has no image 2\b.*\b2$"):
        export_file(tmp_path / "a.gen5", tmp_path / "c.png", "png", index=2)


def test_stored_jpeg_is_exported_as_png(tmp_path: Path) -> None:
    """An export to PNG is a PNG with the same pixels, whatever the stored format."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "JPEG")
    gen5core.save(tmp_path / "a.gen5", images=stream.getvalue(), comfyui={"prompt": PROMPT})
    export_file(tmp_path / "a.gen5", tmp_path / "a.png", "png")
    with Image.open(tmp_path / "a.png") as image, Image.open(stream) as stored:
        assert (image.format, json.loads(image.text["prompt"])) == ("PNG", PROMPT)
        np.testing.assert_array_equal(np.array(image), np.array(stored))


def test_an_animated_png_stays_animated(tmp_path: Path) -> None:
    """All its frames are unchanged and in order."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    pixels = [PIXELS, PIXELS[::-1].copy()]
    frames = [Image.fromarray(frame) for frame in pixels]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:], compress_level=0)
    gen5core.save(tmp_path / "a.gen5", images=stream.getvalue())
    export_file(tmp_path / "a.gen5", tmp_path / "a.png", "png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.n_frames == 2
        for index, frame in enumerate(pixels):
            image.seek(index)
            np.testing.assert_array_equal(np.array(image.convert("RGB")), frame)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "image starts with b'', a PNG starts with"),
        (b"GIF89a", "image starts with b'GIF89a', a PNG starts with"),
        (forge.png(20000, 20000), "image has 20000 x 20000 pixels, the limit is"),
        (png_with(prompt="{}")[:-20], "the PNG is cut at offset"),
        (
            forge.flipped(png_with(prompt="{}"), 42, 1),
            "the PNG is damaged: the CRC of b'tEXt' at offset 33",
        ),
    ],
)
def test_a_broken_png_is_one_clear_error(tmp_path: Path, data: bytes, message: str) -> None:
    """Not an image, truncated, damaged or huge: the error is ours and names the file."""
    with pytest.raises(gen5core.Gen5Error, match=rf"x\.png: .*{re.escape(message)}"):
        imported(tmp_path, "x.png", data)
    assert not (tmp_path / "new.gen5").exists()


def test_text_that_inflates_too_far_is_refused(tmp_path: Path) -> None:
    """64 kB of zTXt could inflate to gigabytes; a limit stops it."""
    import zlib

    bomb = zlib.compress(bytes(65 * 2**20), 9)
    header, *rest = png_chunks.iter_chunks(png_with())
    data = png_chunks.join_chunks([header, (b"zTXt", b"prompt\0\0" + bomb), *rest])
    with pytest.raises(gen5core.LimitError, match=r"texts inflate to more than 67108864 bytes at 'prompt'"):
        imported(tmp_path, "x.png", data)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
@pytest.mark.parametrize("after_pixels", [False, True])
def test_large_texts(tmp_path: Path, kind: bytes, after_pixels: bool) -> None:
    """A text of over 1 MiB, compressed or not, before or after the pixels, is kept; above 64 MiB it is refused."""
    heads = {b"tEXt": b"parameters\0", b"zTXt": b"parameters\0\0", b"iTXt": b"parameters\0\1\0\0\0"}
    chunks = list(png_chunks.iter_chunks(encode_image(np.zeros((2, 2, 3), np.uint8))))
    position = len(chunks) - 1 if after_pixels else 1
    for size, is_taken in ((3 * 2**20, True), (65 * 2**20, False)):
        text = b"a" * size
        data = heads[kind] + (text if kind == b"tEXt" else zlib.compress(text, 1))
        png = png_chunks.join_chunks([*chunks[:position], (kind, data), *chunks[position:]])
        (tmp_path / "x.png").write_bytes(png)
        if is_taken:
            import_file(tmp_path / "x.png", tmp_path / "x.gen5")
            with gen5core.open(tmp_path / "x.gen5") as file:
                assert file.prompt == text.decode()
                assert file.images[0].bytes == png
                assert file.images[0].array().shape == (2, 2, 3)
            continue
        with pytest.raises(
            gen5core.LimitError, match="texts inflate to more than 67108864 bytes at 'parameters'"
        ):
            import_file(tmp_path / "x.png", tmp_path / "y.gen5")


def test_an_image_has_no_latent_to_name(tmp_path: Path) -> None:
    """A name that cannot be used is an error, since the user expected a latent."""
    with pytest.raises(gen5core.EncodeError, match="is an image and has no latent to name 'initial_noise'"):
        imported(tmp_path, "x.png", png_with(), name="initial_noise")


# Both


@pytest.mark.parametrize("name", ["x.latent", "x.safetensors", "x.png"])
def test_import_replaces_a_file_only_on_request(tmp_path: Path, name: str) -> None:
    """An existing output stays, except with ``overwrite``."""
    data = {"x.latent": latent_bytes(), "x.safetensors": GOOD, "x.png": png_with()}[name]
    (tmp_path / "new.gen5").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"new\.gen5"):
        imported(tmp_path, name, data)
    assert (tmp_path / "new.gen5").read_bytes() == b"mine"
    imported(tmp_path, name, data, overwrite=True)
    with gen5core.open(tmp_path / "new.gen5") as file:
        assert file.version == (1, 1)


def test_unknown_kind_is_refused_with_a_list(tmp_path: Path) -> None:
    """The error lists the known kinds, for imports and exports."""
    with pytest.raises(
        gen5core.EncodeError, match=r"x\.ckpt is not one of \.latent, \.safetensors, \.sft, \.png"
    ):
        import_file(tmp_path / "x.ckpt", tmp_path / "new.gen5")
    with pytest.raises(gen5core.EncodeError, match=r"'x\.gif'.* name the file x\.gen5"):
        import_file(tmp_path / "x.png", tmp_path / "x.gif")
    with pytest.raises(
        gen5core.EncodeError, match="cannot export to 'gif'; choose one of latent, safetensors, png"
    ):
        export_file(tmp_path / "x.gen5", tmp_path / "x.gif", "gif")


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("kind", ["latent", "safetensors", "png", "gen5"])
def test_a_file_is_not_its_own_export(tmp_path: Path, kind: str, overwrite: bool) -> None:
    """Otherwise only the exported part would be left."""
    path = gen5core.save(tmp_path / "a.gen5", images=PIXELS, latents={"a": np.ones(1, np.float32)})
    before = path.read_bytes()
    message = r"a\.gen5: is the input file itself, whose record would be lost; choose another output$"
    with pytest.raises(gen5core.EncodeError, match=message):
        export_file(path, path, kind, overwrite=overwrite)
    assert before == path.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own")
def test_an_import_does_not_replace_what_it_reads(tmp_path: Path) -> None:
    """A link named .gen5 to the picture is the picture itself."""
    (tmp_path / "x.png").write_bytes(png_with())
    (tmp_path / "x.gen5").symlink_to("x.png")
    with pytest.raises(gen5core.EncodeError, match=r"x\.gen5: is the input file itself"):
        import_file(tmp_path / "x.png", tmp_path / "x.gen5", overwrite=True)
    assert png_with() == (tmp_path / "x.png").read_bytes()


@pytest.mark.parametrize(
    ("kind", "name", "better"),
    [
        ("latent", "x.PNG", "x.latent"),
        ("latent", "x.safetensors", "x.latent"),
        ("safetensors", "x.latent", "x.safetensors"),
        ("safetensors", "x.npy", "x.safetensors"),
        ("png", "x.jpg", "x.png"),
        ("png", "x.jpeg", "x.png"),
        ("png", "x.webp", "x.png"),
        ("png", "x.gen5", "x.png"),
    ],
)
def test_an_export_is_not_named_as_another_kind(tmp_path: Path, kind: str, name: str, better: str) -> None:
    """Programs go by the suffix, so the file could not be opened with a wrong one."""
    path = gen5core.save(tmp_path / "a.gen5", images=PIXELS, latents={"a": np.ones(1, np.float32)})
    message = re.escape(f"{name}: the output is a {kind} file; name it {better}")
    with pytest.raises(gen5core.EncodeError, match=message):
        export_file(path, tmp_path / name, kind)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(("kind", "name"), [("safetensors", "x.sft"), ("latent", "x"), ("png", "x.tmp")])
def test_export_accepts_other_suffixes(tmp_path: Path, kind: str, name: str) -> None:
    """A suffix that is not known as another kind is allowed."""
    path = gen5core.save(tmp_path / "a.gen5", images=PIXELS, latents={"a": np.ones(1, np.float32)})
    export_file(path, tmp_path / name, kind)
    assert (tmp_path / name).exists()


def test_texts_of_a_png_share_one_limit(tmp_path: Path) -> None:
    """Many texts that are each below the limit cannot exceed it together."""
    text = zlib.compress(b"a" * (3 * 2**20), 9)
    chunks = [(b"zTXt", b"k%d\0\0" % number + text) for number in range(30)]
    header, *rest = png_chunks.iter_chunks(gen5core.encode_image(np.zeros((1, 1, 3), np.uint8)))
    bomb = png_chunks.join_chunks([header, *rest[:-1], *chunks, rest[-1]])
    with pytest.raises(gen5core.LimitError, match="the PNG's texts inflate to more than 67108864 bytes at"):
        png_chunks.read_texts(bomb)
    assert b"workflow" in png_chunks.add_texts(bomb, {"workflow": "{}"})


def test_an_oversized_png_is_not_inflated(tmp_path: Path) -> None:
    """Extracting and exporting check the size of a PNG before its pixels."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(2**20), 9)
    bomb = png_chunks.join_chunks([(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")])
    path = gen5core.save(tmp_path / "a.gen5", images=bomb)
    assert bomb == deflate_png(bomb)
    with pytest.raises(gen5core.LimitError, match="image has 100000 x 100000 pixels, the limit is 268435456"):
        export_file(path, tmp_path / "a.png", "png")

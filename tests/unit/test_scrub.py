"""Scrubbing removes everything that identifies a person or a machine, and keeps everything that made the image."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

import gen5core
from gen5core.environment.components import Environment
from gen5core.errors import EncodeError
from gen5core.images import png_chunks
from gen5core.rewrite.private_paths import strip_folders
from gen5core.rewrite.scrub import find_private, scrub, scrub_arguments

SECRETS = ("anna", "Users", "nas7", "GPU-123", "SN-42", "my-workflow")
PROMPT = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1, "latent_image": ["5", 0]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "/home/anna/out/ComfyUI"}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "C:\\Users\\Anna Maria\\cat 1.png"}},
    "11": {"class_type": "Note", "_meta": {"title": "from \\\\nas7\\anna\\refs\\x.png"}, "inputs": {}},
}
CLEAN_PROMPT = {
    "3": PROMPT["3"],
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI"}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "cat 1.png"}},
    "11": {"class_type": "Note", "_meta": {"title": "from x.png"}, "inputs": {}},
}
PIXELS = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
NOISE = np.array([[1.5, np.nan, -0.0, np.inf]], np.float32)


def private_facts(**changes: Any) -> dict[str, Any]:
    """Return arguments of ``save`` with something private wherever a file can hold it."""
    return {
        "latents": {"initial_noise": NOISE, "step_noise": [NOISE, NOISE.astype(np.float16)]},
        "images": PIXELS,
        "settings": {"seed": 7, "steps": 20, "sampler": "euler", "reference": "~anna/refs/x.png"},
        "prompt": "a cat like /home/anna/refs/cat.png, and/or 1/2",
        "model_name": "/mnt/models/anna/sdxl.safetensors",
        "tags": ["cat", "file:///home/anna/tags.txt"],
        "comfyui": {
            "prompt": PROMPT,
            "workflow": {"id": "my-workflow"},
            "version": "0.3.64",
            "client": "anna",
        },
        "capture": {
            "noise_source": "recorded",
            "passes": [{"sigmas": [1.0, 0.0], "mask": "/tmp/anna/m.png"}],
        },
        "resources": [{"kind": "lora", "name": "D:/loras/anna/x.safetensors", "digest": "ab"}],
        "environment": Environment.capture(),
        "hardware": {
            "os": "Linux",
            "machine_name": "annas-pc",
            "serial": "SN-42",
            "gpu": [{"name": "RTX 4090", "memory_gb": 24, "uuid": "GPU-123"}],
        },
        **changes,
    }


def make(path: Path, **changes: Any) -> Path:
    """Save a file with private data."""
    return gen5core.save(path, **private_facts(**changes))


def strings(value: Any) -> list[str]:
    """Return every string in a JSON value, keys included."""
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_nothing_private_is_left_anywhere(tmp_path: Path) -> None:
    """No string of META and no byte of an image names the person, the machine or the workflow."""
    scrub(make(tmp_path / "a.gen5"), tmp_path / "b.gen5")
    with gen5core.open(tmp_path / "b.gen5") as file:
        texts = [*strings(file.metadata), file.images[0].bytes.decode("latin-1")]
    assert [text for text in texts for secret in SECRETS if secret.lower() in text.lower()] == []


def test_content_is_kept_bit_for_bit(tmp_path: Path) -> None:
    """Latents, pixels, settings, prompt graph and environment are unchanged, except for shortened paths."""
    scrub(make(tmp_path / "a.gen5"), tmp_path / "b.gen5")
    with gen5core.open(tmp_path / "a.gen5") as old, gen5core.open(tmp_path / "b.gen5") as new:
        new.verify()
        assert [row.hash for row in new.rows if row.type == "LATN"] == [
            row.hash for row in old.rows if row.type == "LATN"
        ]
        assert [part.shape for part in new.latents["step_noise"].parts] == [(1, 4), (1, 4)]
        np.testing.assert_array_equal(new.images[0].array(), PIXELS)
        assert new.settings == {"seed": 7, "steps": 20, "sampler": "euler", "reference": "x.png"}
        assert new.prompt == "a cat like cat.png, and/or 1/2"
        assert (new.model_name, new.tags, new.date) == ("sdxl.safetensors", ("cat", "tags.txt"), old.date)
        assert new.comfyui == {"prompt": CLEAN_PROMPT, "version": "0.3.64"}
        assert new.capture == {
            "noise_source": "recorded",
            "passes": [{"sigmas": [1.0, 0.0], "mask": "m.png"}],
        }
        assert new.resources == [{"kind": "lora", "name": "x.safetensors", "digest": "ab"}]
        assert new.hardware == {"os": "Linux", "gpu": [{"name": "RTX 4090", "memory_gb": 24}]}
        assert old.environment is not None
        assert new.environment is not None
        assert new.environment.components == old.environment.components
        assert new.environment.further == old.environment.further


def test_scrubbed_arguments_save_a_scrubbed_file(tmp_path: Path) -> None:
    """A file saved with scrubbed arguments has nothing that a scrub would drop, except the workflow, which stays."""
    workflow = {"nodes": [{"widgets_values": ["/home/anna/refs/cat.png", 7, None]}]}
    comfyui = {"prompt": PROMPT, "workflow": workflow, "version": "0.3.64", "client": "anna"}
    facts, dropped = scrub_arguments(private_facts(comfyui=comfyui))
    path = gen5core.save(tmp_path / "a.gen5", **facts)
    assert find_private(path) == ["comfyui.workflow", "images[0]: PNG text 'workflow'"]
    with gen5core.open(path) as file:
        cleaned = {"nodes": [{"widgets_values": ["cat.png", 7, None]}]}
        assert file.comfyui == {"prompt": CLEAN_PROMPT, "workflow": cleaned, "version": "0.3.64"}
        texts = [*strings(file.metadata), file.images[0].bytes.decode("latin-1")]
    assert [text for text in texts for secret in SECRETS if secret.lower() in text.lower()] == []
    at = "comfyui.workflow.nodes[0].widgets_values[0]"
    assert f"{at}: '/home/anna/refs/cat.png' is now 'cat.png'" in dropped
    assert {"hardware_info.machine_name", "hardware_info.gpu[0].uuid", "comfyui.client"} < set(dropped)


def test_scrubbing_arguments_reports_what_scrubbing_the_file_does(tmp_path: Path) -> None:
    """The lines are the same, except for the workflow and for images, which are encoded after the scrub."""
    _, dropped = scrub_arguments(private_facts())
    expected = [line for line in find_private(make(tmp_path / "a.gen5")) if not line.startswith("images[0]")]
    assert sorted([*dropped, "comfyui.workflow"]) == sorted(expected)


def test_arguments_without_private_data_are_unchanged() -> None:
    """Nothing is dropped, missing arguments are not added, and options are returned unchanged."""
    facts = {
        "prompt": "a cat, and/or 1/2",
        "comfyui": None,
        "settings": {"seed": 2**64 - 1},
        "images": [PIXELS],
    }
    assert (facts, []) == scrub_arguments(facts)


@pytest.mark.parametrize("text", ["{}", "data:image/png;base64,{}", "/home/anna/x.png {} ~/y.png"])
def test_pictures_in_widgets_stay(text: str) -> None:
    """Base64 data has slashes but no folders and is unchanged; paths beside it are shortened."""
    picture = base64.b64encode(np.random.default_rng(0).bytes(3000)).decode()
    assert strip_folders(picture) != picture
    expected = text.replace("/home/anna/", "").replace("~/", "").format(picture)
    [cleaned] = scrub_arguments({"tags": [text.format(picture)]})[0]["tags"]
    assert cleaned == expected


def test_a_long_path_is_not_base64() -> None:
    """A very long path is still a path, and what looks like base64 within a path is part of it."""
    picture = base64.b64encode(np.random.default_rng(0).bytes(3000)).decode()
    for path in (
        f"/home/anna{'/sub' * 200}/x.png",
        f"/home/anna{'/Sub1' * 200}/x",
        f"/home/\0anna{picture}/x.png",
    ):
        [cleaned] = scrub_arguments({"tags": [path]})[0]["tags"]
        assert cleaned in ("x", "x.png")


def test_endless_nesting_is_one_clear_error(tmp_path: Path) -> None:
    """Values nested too deeply to be searched are refused on saving; all that a file may hold can be."""
    nested: Any = 1
    for depth in range(900):
        nested = [nested]
        if depth == 195:
            prompt = {"1": nested}
    with pytest.raises(EncodeError, match="nested too deeply to be searched for paths: leave it out"):
        scrub_arguments({"tags": nested})
    path = gen5core.save(tmp_path / "a.gen5", comfyui={"prompt": prompt}, environment=None)
    assert find_private(path) == scrub(path, tmp_path / "b.gen5")
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert file.comfyui == {"prompt": prompt}


def test_dropped_items_are_reported(tmp_path: Path) -> None:
    """There is one line for each item, with its position; a path is shown as it was and as it is now."""
    assert scrub(make(tmp_path / "a.gen5"), tmp_path / "b.gen5") == [
        "hardware_info.machine_name",
        "hardware_info.serial",
        "hardware_info.gpu[0].uuid",
        "model_name: '/mnt/models/anna/sdxl.safetensors' is now 'sdxl.safetensors'",
        "prompt: 'a cat like /home/anna/refs/cat.png, and/or 1/2' is now 'a cat like cat.png, and/or 1/2'",
        "tags[1]: 'file:///home/anna/tags.txt' is now 'tags.txt'",
        "generation_settings.reference: '~anna/refs/x.png' is now 'x.png'",
        "comfyui.workflow",
        "comfyui.client",
        "comfyui.prompt.9.inputs.filename_prefix: '/home/anna/out/ComfyUI' is now 'ComfyUI'",
        r"comfyui.prompt.10.inputs.image: 'C:\\Users\\Anna Maria\\cat 1.png' is now 'cat 1.png'",
        r"comfyui.prompt.11._meta.title: 'from \\\\nas7\\anna\\refs\\x.png' is now 'from x.png'",
        "capture.passes[0].mask: '/tmp/anna/m.png' is now 'm.png'",
        "resources[0].name: 'D:/loras/anna/x.safetensors' is now 'x.safetensors'",
        "images[0].prompt.9.inputs.filename_prefix: '/home/anna/out/ComfyUI' is now 'ComfyUI'",
        r"images[0].prompt.10.inputs.image: 'C:\\Users\\Anna Maria\\cat 1.png' is now 'cat 1.png'",
        r"images[0].prompt.11._meta.title: 'from \\\\nas7\\anna\\refs\\x.png' is now 'from x.png'",
        "images[0]: PNG text 'workflow'",
    ]


def test_find_private(tmp_path: Path) -> None:
    """``find_private`` returns the same lines and writes nothing."""
    path = make(tmp_path / "a.gen5")
    said = find_private(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.gen5"]
    assert said == scrub(path, tmp_path / "b.gen5")


def test_a_scrubbed_file_has_nothing_more_to_drop(tmp_path: Path) -> None:
    """Scrubbing twice changes nothing: META is equal except for its sizes, and nothing is reported."""
    scrub(make(tmp_path / "a.gen5"), tmp_path / "b.gen5")
    assert scrub(tmp_path / "b.gen5", tmp_path / "c.gen5") == []
    assert (tmp_path / "c.gen5").read_bytes() == (tmp_path / "b.gen5").read_bytes()


def test_a_file_with_nothing_private_stays_equal(tmp_path: Path) -> None:
    """A file that was saved without anything private keeps its root."""
    path = gen5core.save(
        tmp_path / "a.gen5", latents={"initial_noise": NOISE}, images=PIXELS, hardware={"os": "Linux"}
    )
    assert scrub(path, tmp_path / "b.gen5") == []
    with gen5core.open(path) as old, gen5core.open(tmp_path / "b.gen5") as new:
        assert new.root == old.root


def test_a_file_of_version_1_0_keeps_its_starting_noise(tmp_path: Path) -> None:
    """The only latent of a 1.0 file is the starting noise, so it has that name in a 1.1 file."""
    old = forge.build([forge.float32("latent_1", [1.0, 2.0])], minor=0)
    (tmp_path / "a.gen5").write_bytes(old)
    scrub(tmp_path / "a.gen5", tmp_path / "b.gen5")
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert (str(file.version), list(file.latents)) == ("1.1", ["initial_noise"])
        assert file.latents["initial_noise"].array().tolist() == [1.0, 2.0]


def test_the_parts_of_latents_stay_in_their_rows(tmp_path: Path) -> None:
    """Interleaved parts of two nested latents, as another program may store them, keep their rows and values."""
    parts = [("a", {"part": 0}), ("b", {"part": 0}), ("a", {"part": 1}), ("b", {"part": 1}), ("c", {})]
    rows = [forge.float32(name, [float(value)], **part) for value, (name, part) in enumerate(parts)]
    (tmp_path / "a.gen5").write_bytes(forge.build(rows))
    scrub(tmp_path / "a.gen5", tmp_path / "b.gen5")
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert [row.extra for row in file.rows] == [row.extra for row in rows]
        assert [row.hash for row in file.rows] == [forge.sha256(row.payload) for row in rows]


def test_what_this_version_does_not_know_is_dropped(tmp_path: Path) -> None:
    """Unknown chunks, trailers and keys of META could hold anything, so they are dropped and reported."""

    def add_keys(document: dict[str, Any]) -> None:
        document["notes"] = {"author": "anna"}
        document["gen5_metadata"]["model_info"]["author"] = "anna"

    chunks = [forge.Chunk("XTRA", "0000", b"anna"), forge.float32("initial_noise", [1.0])]
    data = forge.build(chunks, edit=add_keys, trailer=forge.frame("NOTE", "0000", b"anna"))
    (tmp_path / "a.gen5").write_bytes(data)
    assert scrub(tmp_path / "a.gen5", tmp_path / "b.gen5") == [
        "author",
        "notes",
        "chunk 0 (XTRA): a chunk of unknown type",
        "trailer 'NOTE'",
    ]
    assert b"anna" not in (tmp_path / "b.gen5").read_bytes()
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert list(file.latents) == ["initial_noise"]


def test_texts_of_an_imported_file_are_dropped(tmp_path: Path) -> None:
    """The metadata of an imported safetensors file may be a workflow, or anything else."""
    imported = {"from": "latent", "metadata": {"workflow": "my-workflow", "author": "anna"}}
    path = gen5core.save(tmp_path / "a.gen5", capture={"imported": imported}, environment=None, hardware=None)
    assert scrub(path, tmp_path / "b.gen5") == ["capture.imported.metadata"]
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert file.capture == {"imported": {"from": "latent"}}


def test_keys_that_become_equal_are_both_kept(tmp_path: Path) -> None:
    """Two keys that were paths to the same name stay different, so that no value is lost."""
    capture = {"passes": [{"masks": {"/a/b/m.png": 1, "/c/d/m.png": 2, "m.png": 3}}]}
    path = gen5core.save(tmp_path / "a.gen5", capture=capture, environment=None, hardware=None)
    scrub(path, tmp_path / "b.gen5")
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert file.capture == {"passes": [{"masks": {"m.png_": 1, "m.png__": 2, "m.png": 3}}]}


def test_unknown_keys_of_capture_and_resources_are_dropped(tmp_path: Path) -> None:
    """They could hold anything."""
    capture = {"noise_source": "none", "operator": "Anna"}
    resources = [{"kind": "model", "name": "m", "state": "named", "owner": "Anna"}]
    path = gen5core.save(
        tmp_path / "a.gen5", capture=capture, resources=resources, environment=None, hardware=None
    )
    assert scrub(path, tmp_path / "b.gen5") == [
        "capture.operator",
        "resources[0].owner",
    ]
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert file.capture == {"noise_source": "none"}
        assert file.resources == [{"kind": "model", "name": "m", "state": "named"}]


def test_a_damaged_file_is_refused_and_nothing_written(tmp_path: Path) -> None:
    """A latent with a wrong digest is not stored again with a new one."""
    path = make(tmp_path / "a.gen5")
    path.write_bytes(forge.flipped(path.read_bytes(), 50, 1))
    with pytest.raises(
        gen5core.ChecksumError, match=r"a\.gen5: chunk 0 .*SHA-256 of the .* the file is damaged"
    ):
        scrub(path, tmp_path / "b.gen5")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.gen5"]


def test_an_existing_file_is_not_replaced_by_default(tmp_path: Path) -> None:
    """A file at out is unchanged unless overwrite is set."""
    path = make(tmp_path / "a.gen5")
    (tmp_path / "b.gen5").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"b\.gen5"):
        scrub(path, tmp_path / "b.gen5")
    assert (tmp_path / "b.gen5").read_bytes() == b"mine"
    scrub(path, tmp_path / "b.gen5", overwrite=True)
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert file.prompt == "a cat like cat.png, and/or 1/2"


# Images


def png_with(*chunks: tuple[bytes, bytes], tail: bytes = b"") -> bytes:
    """Return a small PNG with further chunks before its pixels."""
    header, *rest = png_chunks.iter_chunks(gen5core.encode_image(PIXELS))
    return png_chunks.join_chunks([header, *chunks, *rest]) + tail


def scrubbed_image(tmp_path: Path, data: bytes) -> tuple[bytes, list[str]]:
    """Return the image in a scrubbed file, and what was reported about it."""
    path = gen5core.save(tmp_path / "a.gen5", images=data, environment=None, hardware=None)
    said = scrub(path, tmp_path / "b.gen5")
    with gen5core.open(tmp_path / "b.gen5") as file:
        return file.images[0].bytes, said


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        ((b"tEXt", b"workflow\0{}"), "images[0]: PNG text 'workflow'"),
        ((b"zTXt", b"workflow\0\0" + zlib.compress(b"{}")), "images[0]: PNG text 'workflow'"),
        ((b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"{}")), "images[0]: PNG text 'workflow'"),
        ((b"tEXt", b"Author\0Anna"), "images[0]: PNG text 'Author'"),
        ((b"eXIf", b"MM\0*Anna"), "images[0]: PNG chunk 'eXIf'"),
        ((b"tIME", struct.pack(">HBBBBB", 2025, 1, 2, 3, 4, 5)), "images[0]: PNG chunk 'tIME'"),
        ((b"caBX", b"claims"), "images[0]: PNG chunk 'caBX'"),
    ],
)
def test_private_png_chunks_are_dropped(tmp_path: Path, chunk: tuple[bytes, bytes], said: str) -> None:
    """Every chunk and text that is not known to be harmless is dropped; the pixels are unchanged byte for byte."""
    assert scrubbed_image(tmp_path, png_with(chunk)) == (png_with(), [said])


def test_bytes_after_a_png_are_dropped(tmp_path: Path) -> None:
    """Bytes appended to a PNG are not part of the image."""
    assert scrubbed_image(tmp_path, png_with(tail=b"PK anna")) == (
        png_with(),
        ["images[0]: 7 bytes after the end of the PNG"],
    )


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (
            r'{"1": {"inputs": {"image": "\/home\/anna\/x.png", "n": NaN}}}',
            '{"1": {"inputs": {"image": "x.png", "n": NaN}}}',
        ),
        ("a cat, <lora:/home/anna/x:1>, Steps: 20", "a cat, <lora:x:1>, Steps: 20"),
        ("a cat 犬 C:\\Users\\Anna\\x.png", "a cat 犬 x.png"),
    ],
)
def test_texts_of_a_png_lose_their_paths(tmp_path: Path, text: str, cleaned: str) -> None:
    """Prompt graph and A1111 parameters stay readable, without folders."""
    data, _said = scrubbed_image(tmp_path, png_with(png_chunks.encode_text("parameters", text)))
    assert png_chunks.read_texts(data) == {"parameters": cleaned}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_other_formats_lose_their_metadata(tmp_path: Path, kind: str) -> None:
    """EXIF, XMP, comments and bytes after the image are dropped; the pixels decode to the same values."""
    exif = Image.Exif()
    exif[0x010E] = "workflow: /home/anna"
    stream = io.BytesIO()
    options: dict[str, Any] = {"comment": b"anna"} if kind == "JPEG" else {"lossless": True}
    Image.fromarray(PIXELS).save(stream, kind, exif=exif, xmp=b"<anna/>", **options)
    data, said = scrubbed_image(tmp_path, stream.getvalue() + b"anna")
    assert b"anna" not in data
    assert kind == "JPEG" or (data[12:16], data[20] & 0x0C) == (b"VP8X", 0)
    assert said[-1] == f"images[0]: 4 bytes after the end of the {'JPEG' if kind == 'JPEG' else 'WebP'}"
    expected = np.array(Image.open(io.BytesIO(stream.getvalue())).convert("RGB"))
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.array(image.convert("RGB")), expected)
        assert dict(image.getexif()) == {}


def test_a_jpeg_keeps_only_segments_that_affect_colours(tmp_path: Path) -> None:
    """Other content under the markers of JFIF and of colour profiles, such as thumbnails, is dropped."""
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(
        stream, "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    whole = stream.getvalue()
    jfif_end = 4 + int.from_bytes(whole[4:6], "big")

    def segment(marker: int, payload: bytes) -> bytes:
        return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload

    hidden = segment(0xE0, b"JFXX\0anna") + segment(0xE2, b"MPF\0anna")
    data, said = scrubbed_image(tmp_path, whole[:jfif_end] + hidden + whole[jfif_end:])
    assert data == whole
    assert [line for line in said if "JPEG" in line] == [
        "images[0]: JPEG segment APP0",
        "images[0]: JPEG segment APP2",
    ]


def test_a_progressive_jpeg_keeps_every_scan(tmp_path: Path) -> None:
    """A JPEG with many scans and restart markers is copied completely."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    Image.fromarray(noise).save(stream, "JPEG", progressive=True, restart_marker_blocks=2, quality=95)
    assert scrubbed_image(tmp_path, stream.getvalue()) == (stream.getvalue(), [])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@given(cut=st.integers(1, 400), position=st.integers(0, 10**6), mask=st.integers(0, 255))
def test_a_damaged_image_is_one_clear_error(kind: str, cut: int, position: int, mask: int) -> None:
    """Damaged bytes give an image or an error of this package; never another exception."""
    from gen5core.rewrite.scrub_image import scrub_image

    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    data = forge.flipped(stream.getvalue(), position % len(stream.getvalue()), mask)[: -cut % 500]
    try:
        result = scrub_image(data, "images[0]", lambda value, where: value, [])
    except gen5core.Gen5Error:
        return
    assert result[:2] == data[:2]


# Paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C:\\Users\\Anna Maria\\pic 1.png", "pic 1.png"),
        ("C:/Users/anna/x.png", "x.png"),
        ("\\\\nas7\\share\\dir one\\x.png", "x.png"),
        ("//nas7/share/x.png", "x.png"),
        ("\\\\?\\C:\\Users\\Anna\\x.png", "x.png"),
        ("\\\\?\\UNC\\nas7\\share\\x.png", "x.png"),
        ("/home/anna/My Pictures/x 1.png", "x 1.png"),
        ("~anna/x.png", "x.png"),
        ("~/pictures/x.png", "x.png"),
        ("../../home/anna/x.png", "x.png"),
        ("file:///home/anna/x.png", "x.png"),
        ("file:///C:/Users/anna/x.png", "x.png"),
        ("参考/home/anna/pic.png", "参考pic.png"),
        ("cc -I/home/anna/inc", "cc -Iinc"),
        ("\\Users\\anna\\x.png", "x.png"),
        ("smb://nas7/share/anna/x.png", "x.png"),
        ("from smb://anna@nas7/share/x.png, big", "from x.png, big"),
        ("C:\\Users\\anna\\x.png [input]", "x.png [input]"),
        ("/home/anna", "~"),
        ("/home/anna/", "~"),
        ("C:\\Users\\Anna", "~"),
        ("/Users/anna", "~"),
        ("in C:\\Users\\Anna, then", "in ~, then"),
        ("as /home/anna/a.png and C:\\Users\\Anna Maria\\b.png, big", "as a.png and b.png, big"),
        ('{"p": "C:\\\\Users\\\\Anna\\\\x.png", "q": "/home/anna"}', '{"p": "x.png", "q": "~"}'),
        ("--out=/tmp/anna/x.png", "--out=x.png"),
        ("(/home/anna/x.png:1.2)", "(x.png:1.2)"),
        ("at (/mnt/C:\\Users\\Anna\\x.png)", "at (x.png)"),
    ],
)
def test_folders_of_absolute_paths_are_dropped(text: str, expected: str) -> None:
    """A path becomes its last component, alone or within other text; a home folder becomes ``~``."""
    assert strip_folders(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a cat and/or a dog, 1/2, (masterpiece:1.2), 16:9, \\(cat\\), w/ hat",
        "<lora:sdxl/anime:0.8>",
        "sdxl\\anime.safetensors",
        "gen5/ComfyUI",
        "https://example.org/home/anna/x.png",
        "/imagine a cat w/ a hat",
        "[[cat]], {a|b}, a\\\\b, C: the third",
        "%date:yyyy-MM-dd%/%KSampler.seed%",
        "",
        "/",
    ],
)
def test_prompts_and_relative_names_stay(text: str) -> None:
    """Text that people type into prompts, and names of models, are not absolute paths."""
    assert strip_folders(text) == text


FOLDERS = st.lists(st.text("abcdefgh0123456789_-", min_size=1, max_size=8), min_size=1, max_size=4)


@given(folders=FOLDERS, user=st.from_regex(r"u[a-z]{3,8}", fullmatch=True), style=st.sampled_from("pwun"))
def test_no_user_name_survives_in_any_style(folders: list[str], user: str, style: str) -> None:
    """Wherever a path is in a text, in any of four styles, none of its folders is left."""
    lead, separator = {
        "p": ("/home/", "/"),
        "w": ("C:\\Users\\", "\\"),
        "u": ("\\\\nas7\\", "\\"),
        "n": ("D:/", "/"),
    }[style]
    path = lead + separator.join([f"X{user}X", *folders, "cat.png"])
    assert strip_folders(f"a photo of {path}, best") == "a photo of cat.png, best"
    assert strip_folders(json.dumps({"image": path})) == json.dumps({"image": "cat.png"})


@given(st.text(st.sampled_from("aC:\\/~. \"'(\n"), max_size=40))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """After cleaning, any text made of parts of paths has nothing left to remove."""
    once = strip_folders(text)
    assert len(once) <= len(text) + 1
    assert strip_folders(once) == once

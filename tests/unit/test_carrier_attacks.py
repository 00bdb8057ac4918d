"""Attacks on a PNG that carries a record which leave its pixels or its digests unchanged."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import signer
from PIL import Image
from png_chunks import joined, record, split
from test_sign_carrier import KEY, small, with_record

import gen5core
from gen5core import ChecksumError, LimitError, Limits, MalformedChunkError, sign_file
from gen5core.carrier.picture import CarrierImage
from gen5core.convert.importers import import_file

GRAPHS: dict[str, Any] = {
    "prompt": {"1": {"class_type": "KSampler", "inputs": {"seed": 1}}},
    "workflow": {"nodes": [], "title": "Katze 猫"},
}
REENCODED = (
    "another program re-encoded the PNG: its pixels are those that were saved, its other bytes are not"
)
EVIL = json.dumps({"nodes": [{"type": "Evil"}]}).encode()


@pytest.fixture
def png(tmp_path: Path) -> Path:
    """A signed PNG with prompt and workflow."""
    return sign_file(small(tmp_path / "a.png", comfyui=GRAPHS), KEY)


def with_added(png: Path, *added: tuple[bytes, bytes], after: bytes = b"IHDR") -> None:
    """Insert chunks into a PNG after the first chunk of a type."""
    chunks = split(png.read_bytes())
    place = [kind for kind, _ in chunks].index(after) + 1
    png.write_bytes(joined([*chunks[:place], *added, *chunks[place:]]))


def notes(png: Path) -> tuple[str, ...]:
    with gen5core.open(png) as file:
        return file.verify(threads=1).notes


# Equal pixels, another picture


@pytest.mark.parametrize(
    ("added", "after", "named"),
    [
        ([(b"acTL", bytes(8))], b"IHDR", "acTL"),
        ([(b"fcTL", bytes(26)), (b"fdAT", bytes(9))], b"IDAT", "fcTL, fdAT"),
        ([(b"PLTE", bytes(6)), (b"PLTE", bytes(6))], b"IHDR", "PLTE"),
    ],
)
def test_chunks_by_which_viewers_show_something_else(
    png: Path, added: list[tuple[bytes, bytes]], after: bytes, named: str
) -> None:
    """Frames of an animation, or a repeated chunk, change what viewers show but not the pixels: refused."""
    with_added(png, *added, after=after)
    message = (
        rf"the PNG: another program re-encoded it and added {named}, so viewers may show another picture"
    )
    with gen5core.open(png) as file:
        for read in (file.verify, lambda: file.images[0].bytes):
            with pytest.raises(ChecksumError, match=message):
                read()
    with pytest.raises(ChecksumError, match=message):
        import_file(png, png.with_suffix(".gen5"))


def test_an_animation_that_starts_with_the_saved_picture(png: Path) -> None:
    """An animated PNG by Pillow with the saved pixels, of which a browser shows the other frame, is refused."""
    with gen5core.open(png) as file:
        pixels = file.images[0].array()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(
        stream, "PNG", save_all=True, append_images=[Image.fromarray(255 - pixels)], default_image=True
    )
    again = split(stream.getvalue())
    png.write_bytes(joined([*again[:-1], (b"gfVE", record(png.read_bytes())), again[-1]]))
    with gen5core.open(png) as file:
        assert file.images[0].array().tobytes() == pixels.tobytes()
        with pytest.raises(ChecksumError, match="added acTL, fcTL, fdAT, so viewers may show another"):
            file.verify()


def test_a_second_stream_of_pixels(png: Path) -> None:
    """Pixels after another chunk, which only some decoders use, are refused."""
    chunks = split(png.read_bytes())
    stream = dict(chunks)[b"IDAT"]
    place = [kind for kind, _ in chunks].index(b"IDAT") + 1
    png.write_bytes(joined([*chunks[:place], (b"teSt", b""), (b"IDAT", stream), *chunks[place:]]))
    with (
        gen5core.open(png) as file,
        pytest.raises(ChecksumError, match="added IDAT, so viewers may show"),
    ):
        file.verify()


def test_saved_frames_are_accepted(tmp_path: Path) -> None:
    """An animated PNG that was saved is carried as it is: the digest covers its frames."""
    chunks = split(gen5core.encode_image(np.zeros((2, 2, 3), np.uint8)))
    animated = joined([chunks[0], (b"acTL", struct.pack(">II", 1, 0)), *chunks[1:]])
    path = small(tmp_path / "a.png", images=animated)
    assert notes(path) == ()


def test_chunks_that_change_how_pixels_look_are_noted(png: Path) -> None:
    """A colour profile or an orientation makes another picture of equal pixels: each is named."""
    with_added(png, (b"gAMA", struct.pack(">I", 1)), (b"eXIf", b"MM\0*"), (b"sRGB", b"\0"))
    assert notes(png) == (REENCODED, "its eXIf, gAMA change how the pixels look, and are not checked")


# Equal pixels, another graph


@pytest.mark.parametrize(
    ("kind", "data", "name"),
    [
        (b"tEXt", b"workflow\0" + EVIL, "workflow"),
        (b"comf", b"prompt\0" + EVIL, "prompt"),
        (b"iTXt", b"workflow\0\0\0\0\0" + EVIL, "workflow"),
        (b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(EVIL), "workflow"),
        (b"zTXt", b"prompt\0\0" + zlib.compress(EVIL), "prompt"),
        (b"tEXt", b"parameters\0a dog", "parameters"),
        (b"tEXt", b"workflow\0no JSON", "workflow"),
    ],
)
@pytest.mark.parametrize("after", [b"IHDR", b"IDAT"])
def test_another_graph_for_comfyui_is_noted(
    png: Path, kind: bytes, data: bytes, name: str, after: bytes
) -> None:
    """A text that ComfyUI would load instead of the record's graph is noted, wherever it is."""
    with_added(png, (kind, data), after=after)
    expected = f"its text {name!r}, which ComfyUI loads, is not the record's: load the record's instead"
    assert (REENCODED, expected) == notes(png)


def test_the_same_graph_in_another_form_is_not_noted(png: Path) -> None:
    """Texts with the same graph in another form, or with something else, are not noted."""
    words = json.dumps(GRAPHS["workflow"], indent=1).encode()
    with_added(png, (b"tEXt", b"workflow\0" + words), (b"tEXt", b"Author\0A"), (b"zTXt", b"prompt\0\0broken"))
    assert notes(png) == (REENCODED,)


def test_a_graph_where_none_was_saved(tmp_path: Path) -> None:
    """If the record has no graph, any graph is noted."""
    path = small(tmp_path / "a.png")
    with_added(path, (b"tEXt", b"workflow\0" + EVIL))
    assert len(notes(path)) == 2


def test_texts_that_inflate_without_end(png: Path) -> None:
    """A text that inflates without end is refused before it is inflated."""
    bomb = zlib.compress(bytes(65 * 2**20), 9)
    with_added(png, (b"zTXt", b"workflow\0\0" + bomb))
    with gen5core.open(png) as file, pytest.raises((LimitError, MalformedChunkError)):
        file.verify()


# Position of the chunk


def test_moved_within_the_png(png: Path) -> None:
    """A record before the pixels is read, and a note says that it was moved."""
    chunks = split(png.read_bytes())
    png.write_bytes(joined([chunks[0], chunks[-2], *chunks[1:-2], chunks[-1]]))
    expected = "another program moved the gfVE chunk within the PNG; all other bytes are as they were saved"
    assert (expected,) == notes(png)


def test_before_the_header(png: Path) -> None:
    """A PNG must start with IHDR; one that starts with the record is refused, yet recognised as a carrier."""
    chunks = split(png.read_bytes())
    png.write_bytes(joined([chunks[-2], *chunks[:-2], chunks[-1]]))
    with pytest.raises(
        MalformedChunkError, match=r"gfVE at offset 8: starts with b'gfVE', a PNG starts with IHDR"
    ):
        gen5core.open(png)
    assert gen5core.is_carrier(png)
    png.write_bytes(joined([(b"teSt", b""), *chunks]))
    with pytest.raises(MalformedChunkError, match=r"the PNG at offset 8: starts with b'teSt'"):
        gen5core.open(png)


def test_after_the_end(png: Path) -> None:
    """A record after IEND does not count: decoders stop there."""
    chunks = split(png.read_bytes())
    png.write_bytes(joined([*chunks[:-2], chunks[-1], chunks[-2]]))
    assert not gen5core.is_carrier(png)
    with pytest.raises(gen5core.NotGen5Error, match="is a plain PNG"):
        gen5core.open(png)


def test_wrong_crc_over_right_digests(png: Path) -> None:
    """A wrong CRC is damage, even if every digest within the record matches."""
    data = png.read_bytes()
    png.write_bytes(forge.flipped(data, len(data) - 14, 0xFF))
    with gen5core.open(png) as file, pytest.raises(ChecksumError, match=r"gfVE at offset \d+: the CRC is"):
        file.verify()


# META's carrier


def forged(path: Path, **changes: Any) -> Path:
    """Write the forged PNG with other fields in ``carrier``, or in its ``original``."""
    said: dict[str, Any] = {}
    whole = forge.carrier()
    text = forge.text_of(record(whole))
    carrier = json.loads(text)["carrier"]
    for name, value in changes.items():
        if name in carrier["original"]:
            carrier["original"][name] = value
            said["original"] = carrier["original"]
        else:
            said[name] = value
    path.write_bytes(forge.carrier(facts=said))
    return path


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_more_added_texts_than_there_are(
    tmp_path: Path, count: int, deflated: bool, sha256: str | None
) -> None:
    """More added texts than there are would remove pixels from the picture: an error says so."""
    path = forged(tmp_path / "a.png", added_texts=count, deflated=deflated)
    if sha256 is None:
        whole = path.read_bytes()
        document = json.loads(forge.text_of(record(whole)))
        del document["carrier"]["original"]["sha256"]
        path.write_bytes(with_record(whole, _sized(record(whole), document)))
    message = f"carrier.original.added_texts is {count}, but fewer texts follow the IHDR"
    with pytest.raises(MalformedChunkError, match=rf"a\.png: the PNG: {message}"):
        import_file(path, tmp_path / "a.gen5")
    assert not (tmp_path / "a.gen5").exists()


def _sized(data: bytes, document: dict[str, Any]) -> bytes:
    """Return a file with another document and the right ``file_size``."""
    for _ in range(9):
        made = forge.with_document(data, document)
        document["gen5_metadata"]["file_info"]["file_size"] = len(made)
    return forge.with_document(data, document)


def test_an_original_that_cannot_be_restored(tmp_path: Path) -> None:
    """If the restored bytes have another digest, the PNG itself is used, whose pixels are right, and a note says so."""
    path = forged(tmp_path / "a.png", sha256="0" * 64)
    (note,) = import_file(path, tmp_path / "a.gen5")
    assert "picture that another program" in note
    with gen5core.open(tmp_path / "a.gen5") as file:
        assert file.images[0].bytes == forge.png(2, 2, b"\0\x40\x80\xff")


def test_an_index_that_contradicts_the_row(tmp_path: Path) -> None:
    """The index of the image and its row must agree, or the images would be exchanged on the way back."""
    image = forge.Chunk("DATA", "0000", forge.png(1, 1, b"\x07"), {"index": 1})
    path = tmp_path / "a.png"
    for row, index, fits in ((0, 0, True), (1, 1, True), (0, 1, False), (1, 0, False)):
        carrier = json.loads(forge.text_of(record(forge.carrier())))["carrier"]
        carrier["index"], carrier["original"]["row"] = index, row
        data = forge.build([image], edit=lambda document, carrier=carrier: document.update(carrier=carrier))
        path.write_bytes(with_record(forge.carrier(), data))
        if fits:
            gen5core.open(path).close()
            continue
        with pytest.raises(
            MalformedChunkError, match=rf"carrier\.index is {index}, not {row}, the index that row"
        ):
            gen5core.open(path)


def test_a_size_that_is_not_the_pngs(tmp_path: Path) -> None:
    """A PNG of another size than ``png_bytes`` counts as re-encoded."""
    assert notes(forged(tmp_path / "a.png", png_bytes=1)) == (REENCODED,)


def test_a_record_of_version_1_0(tmp_path: Path) -> None:
    """A PNG carries sealed files only: in others a changed byte may not show."""
    carrier = json.loads(forge.text_of(record(forge.carrier())))["carrier"]
    data = forge.build(
        [forge.float32("a", [1.0])], minor=0, edit=lambda document: document.update(carrier=carrier)
    )
    (tmp_path / "a.png").write_bytes(with_record(forge.carrier(), data))
    with pytest.raises(MalformedChunkError, match=r"is version 1\.0, but a PNG can only carry version 1\.1"):
        gen5core.open(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("trailer", "message"),
    [
        (1, "carrier.trailer is 1, not a string"),
        ("!", "carrier.trailer is '!', not base64"),
        ("ü", "carrier.trailer is 'ü', not base64"),
        ("A" * 4 * 2**15, "not base64 of at most 65548 bytes"),
    ],
)
def test_a_wrong_trailer_field(tmp_path: Path, trailer: Any, message: str) -> None:
    """The trailer kept in META for the way back is checked like every field."""
    path = forged(tmp_path / "a.png", trailer=trailer)
    with pytest.raises(MalformedChunkError, match=message):
        gen5core.open(path)


@pytest.mark.parametrize(
    "trailer", [b"", b"x" * 40, forge.frame("SIGN", "0000", b"{}"), signer.trailer(bytes(32))]
)
def test_a_forged_trailer_signs_nothing(tmp_path: Path, trailer: bytes) -> None:
    """Signatures that are not valid for the file that comes back are left out, and a note says so."""
    path = forged(tmp_path / "a.png", trailer=signer._base64(trailer))
    notes = import_file(path, tmp_path / "a.gen5")
    assert ["loses the signatures" in note for note in notes] == [True] * bool(trailer)
    with gen5core.open(tmp_path / "a.gen5") as file:
        assert file.verify().signatures == ()


# Limits


def test_a_picture_larger_than_the_limit_is_not_read(png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of the PNG without its record is limited before any of it is read."""
    with_added(png, (b"teSt", bytes(10_000)))
    limits = Limits(inflated_bytes=5_000)
    with gen5core.open(png, limits=limits) as file:
        for read in (file.verify, file.images[0].array, lambda: file.images[0].bytes):
            with pytest.raises(LimitError, match=r"takes \d+ bytes without its record, the limit is 5000"):
                read()
        assert isinstance(file.images[0], CarrierImage)
    assert list(notes(png)) == [REENCODED]

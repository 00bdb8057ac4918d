"""A PNG that carries a GEN5 file: as others see it, as it is read, damaged, changed, stripped and turned back."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import forge
import numpy as np
import numpy.typing as npt
import png_chunks
import pytest
import strategies
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from png_chunks import SIGNATURE, Chunks, joined

import gen5core
from gen5core import ChecksumError, ChunkNotFoundError, EncodeError, FormatError, Limits, NotGen5Error
from gen5core.cli.commands import cli
from gen5core.container.source import FileSource
from gen5core.convert.exporters import export_file
from gen5core.convert.importers import import_file
from gen5core.images.deflate import PIECE_BYTES, deflate

QUICK = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
GRAPHS: dict[str, Any] = {
    "prompt": {"1": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1}}},
    "workflow": {"nodes": [], "title": "Katze 猫"},
}
NOISE = np.random.default_rng(1).standard_normal((1, 4, 3, 5), np.float32)
PIXELS = np.random.default_rng(2).integers(0, 256, (5, 7, 3), np.uint8)


def split(png: bytes) -> Chunks:
    """Return type and data of each chunk of an intact PNG, checking its CRCs."""
    chunks = png_chunks.split(png)
    assert png == joined(chunks)
    return chunks


def carried(png: bytes) -> bytes:
    """Return the file that an intact PNG carries."""
    split(png)
    return png_chunks.record(png)


def facts(**changes: Any) -> dict[str, Any]:
    given = {
        "latents": {"initial_noise": NOISE},
        "images": PIXELS,
        "prompt": "a cat",
        "comfyui": GRAPHS,
        "environment": None,
        "hardware": {"os": "any"},
    }
    return given | changes


def encoded(pixels: npt.NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """Return pixels as Pillow encodes them."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def content(path: Path) -> dict[str, Any]:
    """Return everything in a file, for comparison; images as pixels."""
    with gen5core.open(path) as file:
        file.verify()
        core = file.metadata["gen5_metadata"]
        return {
            "info": core["model_info"],
            "further": {
                key: file.metadata[key] for key in file.metadata if key not in ("gen5_metadata", "carrier")
            },
            "latents": {name: _bits(latent) for name, latent in file.latents.items()},
            "images": [(_described(image.facts), image.array().tobytes()) for image in file.images],
            "environment": file.environment,
        }


def _described(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an image, except those of its stored chunk."""
    return {name: value for name, value in facts.items() if name != "stored_sha256"}


def _bits(latent: Any) -> list[Any]:
    return [(part.shape, part.orig_dtype, part.array().tobytes()) for part in latent.parts]


@pytest.fixture
def png(tmp_path: Path) -> Path:
    """A PNG that carries a latent and ComfyUI's graphs."""
    return gen5core.save(tmp_path / "cat.png", **facts())


class TestSeenByOthers:
    def test_pillow_shows_the_picture_and_the_graphs(self, png: Path) -> None:
        """Pillow shows equal pixels, prompt and workflow as ComfyUI writes them, and the marker."""
        with Image.open(png) as image:
            texts = dict(image.text)  # type: ignore[attr-defined]
            assert (texts.pop("Gen5"), image.tobytes(), image.size) == (
                "record in gfVE",
                PIXELS.tobytes(),
                (7, 5),
            )
            assert {name: json.loads(text) for name, text in texts.items()} == GRAPHS

    def test_the_chunk_is_before_iend_and_not_safe_to_copy(self, png: Path) -> None:
        """One gfVE is between pixels and IEND: ancillary, private, not safe to copy; its data is a file."""
        kinds = [kind for kind, _ in split(png.read_bytes())]
        assert kinds[-3:] == [b"IDAT", b"gfVE", b"IEND"]
        assert (
            kinds.count(b"gfVE"),
            [bool(letter & 0x20) for letter in b"gfVE"],
        ) == (1, [True, True, False, False])
        assert carried(png.read_bytes())[:6] == b"GEN5\x01\x01"

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_pixels_of_any_channels(self, tmp_path: Path, channels: int) -> None:
        """Grey, RGB and RGBA keep their pixels."""
        pixels = np.random.default_rng(3).integers(0, 256, (9, 4, channels), np.uint8)
        path = gen5core.save(tmp_path / "a.png", **facts(images=pixels))
        with gen5core.open(path) as file, Image.open(path) as image:
            assert pixels.tobytes() == file.images[0].array().tobytes() == image.tobytes()

    def test_a_picture_of_many_pieces(self, tmp_path: Path) -> None:
        """A pixel stream that is deflated in several pieces is one stream to every reader."""
        pixels = np.random.default_rng(4).integers(0, 256, (2 * PIECE_BYTES // 900 + 3, 300, 3), np.uint8)
        path = gen5core.save(tmp_path / "a.png", **facts(images=pixels))
        assert [kind for kind, _ in split(path.read_bytes())].count(b"IDAT") == 3
        with Image.open(path) as image:
            assert pixels.tobytes() == image.tobytes()

    @QUICK
    @given(st.integers(0, 3), st.integers(-2, 2), st.binary(min_size=1, max_size=5))
    def test_streams_of_any_length(self, pieces: int, more: int, pattern: bytes) -> None:
        """A stream deflated in pieces inflates to the same bytes, also at lengths near the ends of pieces."""
        data = (pattern * PIECE_BYTES)[: max(pieces * PIECE_BYTES + more, 0)]
        assert data == zlib.decompress(deflate(memoryview(data)))


class TestRead:
    def test_is_read_like_a_file_on_its_own(self, png: Path, tmp_path: Path) -> None:
        """A PNG has everything that the .gen5 has: latents, image, META; and verify() checks all of it."""
        alone = gen5core.save(tmp_path / "alone.gen5", **facts())
        one, other = content(png), content(alone)
        assert one.pop("info") | {"date": ""} == other.pop("info") | {"date": ""}
        assert one == other

    def test_the_picture_is_the_png_without_the_chunk(self, png: Path) -> None:
        """The bytes of the image are the PNG itself without the record."""
        chunks = [chunk for chunk in split(png.read_bytes()) if chunk[0] != b"gfVE"]
        with gen5core.open(png) as file:
            assert file.images[0].bytes == joined(chunks)
            assert file.images[0].size_bytes == len(joined(chunks))

    def test_opening_reads_no_pixels(self, png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Opening reads only the header, META and 8 bytes of each chunk."""
        read: list[int] = []
        original = FileSource.read_into

        def counting(self: Any, target: memoryview, offset: int, *, chunk: str) -> None:
            read.append(target.nbytes)
            original(self, target, offset, chunk=chunk)

        monkeypatch.setattr(FileSource, "read_into", counting)
        with gen5core.open(png) as file:
            assert file.prompt == "a cat"
            meta = file.header.chunk_table_size
        assert sum(read) == 8 + 8 * len(split(png.read_bytes())) + 32 + meta

    @pytest.mark.parametrize("name", ["cat.gen5", "cat", "cat.jpg"])
    def test_is_recognised_by_its_content(self, png: Path, name: str) -> None:
        """A PNG with a record is one under any name, and a .gen5 named .png is a .gen5."""
        other = png.rename(png.with_name(name))
        assert (gen5core.is_carrier(other), content(other)["info"]["prompt"]) == (True, "a cat")
        plain = gen5core.save(png.with_suffix(".gen5"), **facts())
        plain.replace(png)
        assert (gen5core.is_carrier(png), content(png)["info"]["prompt"]) == (False, "a cat")

    def test_a_batch(self, tmp_path: Path) -> None:
        """The PNG shows the first image of a batch and carries the others; all are read in order."""
        batch = np.random.default_rng(5).integers(0, 256, (3, 4, 6, 3), np.uint8)
        path = gen5core.save(tmp_path / "a.png", **facts(images=batch))
        with gen5core.open(path) as file, Image.open(path) as image:
            assert batch[0].tobytes() == image.tobytes()
            assert b"".join(image.array().tobytes() for image in file.images) == batch.tobytes()
            assert [image.facts["index"] for image in file.images] == [0, 1, 2]

    def test_progress(self, png: Path) -> None:
        """A check reports its progress up to the total."""
        progress: list[tuple[int, int]] = []
        with gen5core.open(png) as file:
            file.verify(progress=lambda done, total: progress.append((done, total)))
        assert progress == sorted(progress)
        assert progress[-1][0] == progress[-1][1]

    def test_header_and_meta_alone(self, png: Path) -> None:
        """The parts that a browser sends are enough for everything except the picture, and the error says so."""
        data = carried(png.read_bytes())
        (offset,) = struct.unpack_from("<I", data, 8)
        with gen5core.open_parts(data[:32] + data[offset:]) as file:
            assert (
                file.prompt,
                [(image.facts["width"], image.facts["height"]) for image in file.images],
            ) == ("a cat", [(7, 5)])
            with pytest.raises(
                ChunkNotFoundError, match=r"image 0 is the PNG that carried this record, which is not"
            ):
                file.images[0].array()

    def test_the_record_alone(self, png: Path, tmp_path: Path) -> None:
        """The data of the chunk is a complete file; a note says that its picture is not available."""
        path = tmp_path / "record.gen5"
        path.write_bytes(carried(png.read_bytes()))
        with gen5core.open(path) as file:
            notes = file.verify().notes
        assert notes == ("the PNG that carried this record is not available, so its picture is not checked",)

    @pytest.mark.parametrize("data", [b"", b"GEN5", b"\x89PNG", SIGNATURE, encoded(PIXELS), b"\xff\xd8\xff"])
    def test_is_carrier_of_others(self, tmp_path: Path, data: bytes) -> None:
        """``is_carrier`` is false for any other file, and raises nothing."""
        (tmp_path / "a").write_bytes(data)
        assert not gen5core.is_carrier(tmp_path / "a")


def test_a_png_forged_by_hand(tmp_path: Path) -> None:
    """The golden PNG, which was written without this package, is read, checked, and turned back."""
    path = Path(__file__).parents[1] / "corpus" / "valid" / "forged-1.1_carrier.png"
    assert forge.carrier() == path.read_bytes()
    with gen5core.open(path) as file:
        assert file.verify().notes == ()
        assert file.images[0].array()[:, :, 0].tolist() == [[0, 64], [128, 255]]
        assert file.latents["initial_noise"].array().tolist() == [0.5, -1.25, 2.0]
    assert import_file(path, tmp_path / "a.gen5") == ()
    with gen5core.open(tmp_path / "a.gen5") as file:
        assert [row.type for row in file.rows] == ["LATN", "DATA"]
        assert file.images[0].bytes == forge.png(2, 2, b"\0\x40\x80\xff")


class TestEncodedImages:
    @pytest.mark.parametrize(
        "given",
        [
            encoded(PIXELS),
            encoded(PIXELS, compress_level=0),
            encoded(PIXELS[:, :, 0]),
            encoded(PIXELS[:, :, 0] > 99),
            gen5core.encode_image(PIXELS),
            gen5core.encode_image(PIXELS, text={"prompt": "{}", "workflow": "{}", "Author": "A"}),
        ],
        ids=["pillow", "pillow stored", "grey", "one bit", "ours", "ours with texts"],
    )
    def test_a_png_comes_back_to_the_byte(self, tmp_path: Path, given: bytes) -> None:
        """A PNG is shown as it is, with the texts that it lacks; turned back it has its original bytes."""
        path = gen5core.save(tmp_path / "a.png", **facts(images=given))
        assert import_file(path, tmp_path / "a.gen5") == ()
        with gen5core.open(tmp_path / "a.gen5") as file, Image.open(path) as image:
            assert (
                file.images[0].bytes,
                {"prompt", "workflow"} & set(image.text),  # type: ignore[attr-defined]
            ) == (given, {"prompt", "workflow"})
            assert b"DATA" not in carried(path.read_bytes())

    @pytest.mark.parametrize(
        "given",
        [
            encoded(PIXELS, "JPEG"),
            encoded(PIXELS, "WEBP", lossless=True),
            encoded(PIXELS) + b"more",
            joined([*split(encoded(PIXELS))[:-1], (b"gfVE", b"another's"), (b"IEND", b"")]),
        ],
        ids=["jpeg", "webp", "bytes after IEND", "a record of its own"],
    )
    def test_another_image_is_shown_and_kept(self, tmp_path: Path, given: bytes) -> None:
        """An image that cannot be shown as it is is re-encoded for the PNG, and stored unchanged in a DATA chunk."""
        path = gen5core.save(tmp_path / "a.png", **facts(images=[given, PIXELS]))
        with gen5core.open(path) as file, Image.open(path) as image:
            assert file.verify().notes == ()
            assert (file.images[0].bytes, len(file.images)) == (given, 2)
            assert file.images[0].array().tobytes() == image.tobytes()
        import_file(path, tmp_path / "a.gen5")
        assert content(path) == content(tmp_path / "a.gen5")

    def test_sixteen_bits(self, tmp_path: Path) -> None:
        """Pixels of 16 bits, for which no digest is defined, are refused with the remedy; nothing is written."""
        given = encoded(np.zeros((2, 2), np.uint16))
        with pytest.raises(EncodeError, match=r"16 bits .* must have 8 bits per channel; save it as \.gen5"):
            gen5core.save(tmp_path / "a.png", **facts(images=given))
        assert list(tmp_path.iterdir()) == []

    def test_no_image(self, tmp_path: Path) -> None:
        """Without an image there is nothing to show: the message says so."""
        with pytest.raises(
            EncodeError, match=r"'a\.png' .* no image for it to show: give one, or name the file a\.gen5"
        ):
            gen5core.save(tmp_path / "a.png", **facts(images=()))
        assert list(tmp_path.iterdir()) == []

    def test_too_large(self, tmp_path: Path) -> None:
        """A record larger than a PNG chunk is refused before anything is written."""
        huge = np.broadcast_to(np.float32(0), (2**29,))
        with pytest.raises(EncodeError, match=r"a PNG carries at most 2147483647: save it as \.gen5"):
            gen5core.save(tmp_path / "a.png", **facts(latents={"a": huge}))
        assert list(tmp_path.iterdir()) == []


class TestThereAndBack:
    @settings(QUICK, max_examples=40)
    @given(strategies.files(), strategies.pixels(), st.data())
    def test_any_file(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        given: dict[str, Any],
        pixels: Any,
        data: st.DataObject,
    ) -> None:
        """Any .gen5 that goes into a PNG and comes back is identical byte for byte."""
        folder = tmp_path_factory.mktemp("there")
        start = gen5core.save(folder / "a.gen5", **{**given, "images": [*given.get("images", ()), pixels]})
        with gen5core.open(start) as file:
            index = data.draw(st.integers(0, len(file.images) - 1), "index")
        assert export_file(start, folder / "a.png", "png", carry=True, index=index) == ()
        assert repr(content(start)) == repr(content(folder / "a.png"))
        assert export_file(folder / "a.png", folder / "b.gen5", "gen5") == ()
        assert start.read_bytes() == (folder / "b.gen5").read_bytes()

    def test_saved_straight_into_a_png(self, png: Path, tmp_path: Path) -> None:
        """The .gen5 of a PNG that was saved as one equals a .gen5 saved directly, except for the date."""
        alone = gen5core.save(tmp_path / "alone.gen5", **facts())
        import_file(png, tmp_path / "back.gen5")
        one, other = content(alone), content(tmp_path / "back.gen5")
        assert one["info"] | {"date": ""} == other["info"] | {"date": ""}
        with gen5core.open(alone) as file, gen5core.open(tmp_path / "back.gen5") as back:
            assert [row.hash for row in file.rows] == [row.hash for row in back.rows]
            assert back.carrier is None

    @pytest.mark.parametrize("name", ["raw_float32", "zstd_float32"])
    def test_files_of_version_1_0(self, tmp_path: Path, name: str) -> None:
        """A file of the 0.1.0 package goes into a PNG too; its only latent is still the starting noise."""
        path = Path(__file__).parents[1] / "corpus" / "valid" / f"gen5-0.1.0_{name}.gen5"
        export_file(path, tmp_path / "a.png", "png", carry=True)
        with gen5core.open(path) as old, gen5core.open(tmp_path / "a.png") as new:
            new.verify()
            assert (old.prompt, old.settings) == (new.prompt, new.settings)
            assert _bits(old.latents["initial_noise"]) == _bits(new.latents["initial_noise"])
            assert old.images[0].array().tobytes() == new.images[0].array().tobytes()

    def test_signed(self, tmp_path: Path) -> None:
        """A PNG can be signed as it is saved; turning it back reports that the signature is lost."""
        key = gen5core.SigningKey.generate()
        path = gen5core.save(tmp_path / "a.png", **facts(), signing_key=key)
        with gen5core.open(path) as file:
            (found,) = file.verify().signatures
        assert (found.state, found.key_id) == ("valid", key.public_key.key_id)
        (note,) = import_file(path, tmp_path / "a.gen5")
        assert (
            note
            == f"loses the signature by {found.key_id}, which is valid for this file only: sign the new one"
        )

    def test_wrong_directions(self, png: Path, tmp_path: Path) -> None:
        """A conversion to the kind that a file already is, or to one that carries no record, is refused."""
        alone = gen5core.save(tmp_path / "alone.gen5", **facts())
        for source, out, kind, carry, message in (
            (png, "b.png", "png", True, "is already a PNG that carries its record"),
            (alone, "b.gen5", "gen5", False, "is already a .gen5"),
            (alone, "b.latent", "latent", True, "a latent file cannot carry a record"),
            (alone, "b.jpg", "png", True, "does not end in .png; name the file b.png"),
        ):
            with pytest.raises(EncodeError, match=message):
                export_file(source, tmp_path / out, kind, carry=carry)
            assert not (tmp_path / out).exists()


class TestChanged:
    def test_stripped(self, png: Path) -> None:
        """Saved again by Pillow it is a plain PNG, and the error says that the record was stripped."""
        with Image.open(png) as image:
            image.save(png)
        assert not gen5core.is_carrier(png)
        with pytest.raises(
            NotGen5Error, match=r"is a plain PNG, .* a website or an editor stripped it, .* original"
        ):
            gen5core.open(png)

    def test_pixels_changed_and_the_chunk_kept(self, png: Path) -> None:
        """array(), bytes and verify() find changed pixels; the record can still be read."""
        chunk = carried(png.read_bytes())
        with Image.open(png) as image:
            image.load()
            image.putpixel((3, 2), (1, 2, 3))
            info = PngImagePlugin.PngInfo()
            info.add(b"gfVE", chunk, after_idat=True)
            image.save(png, pnginfo=info)
        message = r"the PNG: its picture \(7×5\) was changed after it was saved, and its gfVE chunk was kept"
        with gen5core.open(png) as file:
            for read in (file.images[0].array, lambda: file.images[0].bytes, file.verify):
                with pytest.raises(ChecksumError, match=message):
                    read()
            assert file.latents["initial_noise"].array().tobytes() == NOISE.tobytes()
        with gen5core.open(png, verify=False) as file:
            assert file.images[0].array()[2, 3].tolist() == [1, 2, 3]
        with pytest.raises(ChecksumError, match=message):
            import_file(png, png.with_suffix(".gen5"))
        assert not png.with_suffix(".gen5").exists()

    def test_another_size(self, png: Path) -> None:
        """A picture of another size is refused, and the message names both sizes."""
        chunk = carried(png.read_bytes())
        info = PngImagePlugin.PngInfo()
        info.add(b"gfVE", chunk, after_idat=True)
        Image.new("RGB", (4, 3)).save(png, pnginfo=info)
        with (
            gen5core.open(png) as file,
            pytest.raises(ChecksumError, match=r"\(4×3\) was changed .* another picture, of 7×5 pixels"),
        ):
            file.verify()

    def test_reencoded_with_equal_pixels(self, png: Path, tmp_path: Path) -> None:
        """A re-encoded PNG with equal pixels is accepted with a note; turned back, it is the picture."""
        chunk = carried(png.read_bytes())
        info = PngImagePlugin.PngInfo()
        info.add_text("Author", "A")
        info.add(b"gfVE", chunk, after_idat=False)
        Image.fromarray(PIXELS).save(png, pnginfo=info)
        with gen5core.open(png) as file:
            (note,) = file.verify().notes
            picture = file.images[0].bytes
        assert "another program re-encoded the PNG" in note
        (note,) = import_file(png, tmp_path / "a.gen5")
        assert "picture that another program re-encoded" in note
        with gen5core.open(tmp_path / "a.gen5") as file:
            assert file.images[0].bytes == picture

    def test_bytes_after_the_end(self, png: Path) -> None:
        """Bytes after IEND are not part of the PNG; a note says so."""
        png.write_bytes(png.read_bytes() + b"more")
        with gen5core.open(png) as file:
            assert file.verify().notes == ("4 bytes follow the end of the PNG and are not checked",)


class TestDamaged:
    def test_every_bit(self, tmp_path: Path) -> None:
        """A PNG with any bit flipped is refused when it is opened or verified, or carries nothing."""
        path = self._small(tmp_path)
        whole, accepted = path.read_bytes(), []
        for position in range(len(whole)):
            for bit in range(8):
                path.write_bytes(forge.flipped(whole, position, 1 << bit))
                if self._is_accepted(path):
                    accepted.append((position, bit))
        assert accepted == []

    def test_every_length(self, tmp_path: Path) -> None:
        """A PNG cut at any length is refused."""
        path = self._small(tmp_path)
        whole = path.read_bytes()
        for size in range(len(whole)):
            path.write_bytes(whole[:size])
            with pytest.raises(FormatError):
                gen5core.open(path)

    def test_two_records(self, png: Path) -> None:
        """A second record is refused, and the message gives its offset."""
        chunks = split(png.read_bytes())
        png.write_bytes(joined([*chunks[:-1], chunks[-2], chunks[-1]]))
        with pytest.raises(gen5core.MalformedChunkError, match=r"gfVE at offset \d+: is the second of 2"):
            gen5core.open(png)

    def test_bytes_after_the_record_in_its_chunk(self, png: Path) -> None:
        """The chunk holds the record and nothing else."""
        chunks = split(png.read_bytes())
        png.write_bytes(joined([*chunks[:-2], (b"gfVE", chunks[-2][1] + b"!"), chunks[-1]]))
        with pytest.raises(
            gen5core.MalformedChunkError, match="1 bytes follow the end that the header gives"
        ):
            gen5core.open(png)

    def test_a_file_without_carrier(self, png: Path, tmp_path: Path) -> None:
        """A .gen5 put into a PNG by hand is refused: nothing ties it to the picture."""
        alone = gen5core.save(tmp_path / "alone.gen5", **facts()).read_bytes()
        chunks = split(png.read_bytes())
        png.write_bytes(joined([*chunks[:-2], (b"gfVE", alone), chunks[-1]]))
        with pytest.raises(gen5core.MalformedChunkError, match="carrier is None, not an object"):
            gen5core.open(png)

    def test_too_many_chunks(self, png: Path) -> None:
        """A PNG with more chunks than the limit is refused before the others are read."""
        chunks = split(png.read_bytes())
        png.write_bytes(joined([chunks[0], *[(b"teSt", b"")] * 50, *chunks[1:]]))
        with pytest.raises(gen5core.LimitError, match="has more than 20 chunks; if you trust the file"):
            gen5core.open(png, limits=Limits(png_chunks=20))

    def test_too_many_pixels(self, png: Path) -> None:
        """The pixels of the picture are limited before it is decoded, like those of any image."""
        with gen5core.open(png, limits=Limits(image_pixels=34)) as file, pytest.raises(gen5core.LimitError):
            file.verify()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"index": 1}, r"carrier\.index is 1, not 0, the index that row 0"),
            ({"index": True}, r"carrier\.index is True, not an integer"),
            ({"shape": [5, 7]}, r"carrier\.shape is \[5, 7\], not height, width and channels"),
            ({"pixels_sha256": "0"}, r"carrier\.pixels_sha256 is '0', not a SHA-256 in hex"),
            ({"original": {"row": 9}}, r"carrier\.original\.compression is None, not a string"),
            ({"original": 1}, r"carrier\.original is 1, not an object"),
        ],
    )
    def test_wrong_fields(self, tmp_path: Path, change: dict[str, Any], message: str) -> None:
        """Every field of META's ``carrier`` is checked."""
        digest = "0" * 64
        original = {"row": 0, "extra": {}, "compression": "auto", "added_texts": 0, "deflated": False}
        facts = {
            "index": 0,
            "shape": [1, 1, 1],
            "pixels_sha256": digest,
            "png_sha256": digest,
            "png_bytes": 1,
        }
        facts = {**facts, "original": original, **change}
        record = forge.build([], edit=lambda document: document.update(carrier=facts))
        png = split(forge.png(1, 1, b"\x07"))
        (tmp_path / "a.png").write_bytes(joined([*png[:-1], (b"gfVE", record), png[-1]]))
        with pytest.raises(gen5core.MalformedChunkError, match=message):
            gen5core.open(tmp_path / "a.png")

    @staticmethod
    def _small(folder: Path) -> Path:
        return gen5core.save(
            folder / "a.png",
            images=PIXELS[:2, :2],
            latents={"a": NOISE[0, 0, 0]},
            environment=None,
            hardware=None,
        )

    @staticmethod
    def _is_accepted(path: Path) -> bool:
        try:
            with gen5core.open(path) as file:
                file.verify(threads=1)
        except FormatError:
            return False
        return True


class TestCommands:
    def test_there_and_back(self, tmp_path: Path) -> None:
        """export --carry writes the PNG, export --to gen5 and import turn it back."""
        alone = gen5core.save(tmp_path / "a.gen5", **facts())
        for args in (
            ["export", alone, "--to", "png", "--carry", "-o", tmp_path / "a.png"],
            ["export", tmp_path / "a.png", "--to", "gen5", "-o", tmp_path / "b.gen5"],
            ["import", tmp_path / "a.png", "-o", tmp_path / "c.gen5"],
        ):
            assert run(*args) == (0, "")
        assert alone.read_bytes() == (tmp_path / "b.gen5").read_bytes() == (tmp_path / "c.gen5").read_bytes()

    def test_verify_a_folder(self, png: Path) -> None:
        """In a folder, PNGs with a record are checked and others are skipped silently."""
        (png.parent / "other.png").write_bytes(encoded(PIXELS))
        (png.parent / "no.png").write_bytes(b"no PNG")
        assert (lambda code, out: (code, out[:24]))(*run("verify", png.parent)) == (
            0,
            "1 file checked, 1 intact",
        )
        data = bytearray(png.read_bytes())
        data[-20] ^= 1
        png.write_bytes(data)
        code, out = run("verify", png.parent)
        assert (code, "1 damaged" in out) == (1, True)

    def test_info_diff_and_extract(self, png: Path, tmp_path: Path) -> None:
        """info describes the picture, diff finds no difference from the .gen5, extract writes the picture."""
        alone = gen5core.save(tmp_path / "a.gen5", **facts())
        assert "the PNG itself" in run("info", png)[1]
        assert json.loads(run("info", png, "--json")[1])["carrier"]["shape"][1::-1] == [7, 5]
        assert run("diff", png, alone)[0] == 0
        assert run("extract", png, "--image", "-o", tmp_path / "b.png")[0] == 0
        assert not gen5core.is_carrier(tmp_path / "b.png")

    def test_scrub(self, png: Path, tmp_path: Path) -> None:
        """A scrubbed PNG becomes a .gen5 with the picture, which has no workflow in its texts."""
        assert run("scrub", png, "-o", tmp_path / "a.gen5")[0] == 0
        with gen5core.open(tmp_path / "a.gen5") as file:
            assert (file.carrier, file.images[0].array().tobytes()) == (None, PIXELS.tobytes())
            assert b"workflow" not in file.images[0].bytes


def run(*args: object) -> tuple[int, str]:
    """Run the command and return its exit code and what it printed."""
    result = CliRunner().invoke(cli, list(map(str, args)))
    return result.exit_code, result.output

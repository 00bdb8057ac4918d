"""Pixels, as this package encodes them and Pillow decodes them; and encoded images, which are kept as they are."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image, PngImagePlugin
from png_chunks import SIGNATURE, joined, split
from png_chunks import png_chunk as chunk

import gen5core
from gen5core.container.spec import Limits
from gen5core.errors import EncodeError, Gen5Error, LimitError, MalformedChunkError, UnsupportedDtypeError
from gen5core.images.codec import decode_image, image_info, image_payload, pixels_info
from gen5core.images.png_chunks import Span, iter_chunks, iter_encoded, iter_spans
from gen5core.images.png_encode import deflate_png, encode_image, split_batch

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
SIZES = [(1, 1), (1, 7), (7, 1), (3, 5), (64, 63), (2, 300)]


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    before: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """Return a PNG made by hand, black unless pixels (scanlines with filter types) are given."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    lines = bytes(height * (1 + -(-width * channels * depth // 8))) if pixels is None else pixels
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), before, chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND")]
    return SIGNATURE + b"".join(parts)


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def pillow(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def decode(data: bytes, limits: Limits | None = None) -> np.ndarray:
    return decode_image(data, chunk="chunk 0 (DATA)", offset=32, limits=limits or Limits())


def kinds(data: bytes) -> list[bytes]:
    """Return the types of a PNG's chunks, in order."""
    position, found = len(SIGNATURE), []
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        found.append(data[position + 4 : position + 8])
        position += 12 + size
    return found


def changed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return a PNG in which, in every chunk, the first old in type and data is replaced, with the right CRCs."""
    return joined(
        [(kind.replace(old, new, 1), content.replace(old, new, 1)) for kind, content in split(data)]
    )


class TestChunks:
    CHUNKS = joined([(b"IHDR", bytes(13)), (b"teSt", b""), (b"IDAT", b"abc"), (b"IEND", b"")])
    SPANS = (Span(b"IHDR", 8, 13), Span(b"teSt", 33, 0), Span(b"IDAT", 45, 3), Span(b"IEND", 60, 0))

    @pytest.mark.parametrize("tail", [b"", b"after", chunk(b"IDAT")], ids=["nothing", "bytes", "a chunk"])
    def test_spans(self, tail: bytes) -> None:
        """Only length and type of each chunk up to IEND are read, whatever follows."""
        data, reads = self.CHUNKS + tail, []

        def read(offset: int, size_bytes: int) -> bytes:
            reads.append((offset, size_bytes))
            return data[offset : offset + size_bytes]

        assert tuple(iter_spans(len(data), read)) == self.SPANS
        assert reads == [(8, 8), (33, 8), (45, 8), (60, 8)]

    @pytest.mark.parametrize("size_bytes", range(len(SIGNATURE), len(CHUNKS)))
    def test_cut(self, size_bytes: int) -> None:
        """Wherever a PNG is cut, the last span ends beyond it, and has a type if an empty chunk would fit."""
        data = self.CHUNKS[:size_bytes]
        *whole, last = iter_spans(size_bytes, lambda offset, count: data[offset : offset + count])
        first_cut = next(span for span in self.SPANS if span.end > size_bytes)
        assert tuple(whole) == self.SPANS[: self.SPANS.index(first_cut)]
        fits = first_cut.offset + 12 <= size_bytes
        assert last == (first_cut if fits else Span(b"", first_cut.offset, 0))
        with pytest.raises(EncodeError, match=rf"cut at offset {first_cut.offset} of {size_bytes};"):
            list(iter_chunks(data))

    def test_data(self) -> None:
        """Types and data of the chunks are those that another program reads."""
        assert list(iter_chunks(self.CHUNKS)) == split(self.CHUNKS)

    @pytest.mark.parametrize("at", range(12, len(CHUNKS)))
    def test_crc(self, at: int) -> None:
        """A flipped bit in type, data or CRC fails the CRC; one in a length does too, or makes the PNG look cut."""
        damaged = self.CHUNKS[:at] + bytes([self.CHUNKS[at] ^ 1]) + self.CHUNKS[at + 1 :]
        with pytest.raises(EncodeError, match=r"the CRC of|is cut at"):
            list(iter_chunks(damaged))

    @pytest.mark.parametrize("blocks", [[], [b"abc"], [b"a", b"", b"bc"]], ids=repr)
    def test_encoded_in_blocks(self, blocks: list[bytes]) -> None:
        """The bytes of a chunk do not depend on how its data is split into blocks."""
        data = b"".join(blocks)
        assert b"".join(iter_encoded(b"teSt", len(data), blocks)) == chunk(b"teSt", data)


class TestEncode:
    @pytest.mark.parametrize("level", [0, 6])
    @pytest.mark.parametrize("channels", MODES)
    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_pillow_reads_it(self, size: tuple[int, int], channels: int, level: int) -> None:
        """Pillow decodes grey, RGB and RGBA of any size to the same pixels."""
        pixels = noise(*size, channels)
        data = encode_image(pixels, level=level)
        image = pillow(data)
        assert ("PNG", MODES[channels], size[::-1]) == (image.format, image.mode, image.size)
        assert pixels.tobytes() == image.tobytes()
        Image.open(io.BytesIO(data)).verify()

    def test_two_axes_are_grey(self) -> None:
        """(H, W) is the same image as (H, W, 1)."""
        pixels = noise(3, 5, 1)
        assert encode_image(pixels) == encode_image(pixels[:, :, 0])

    @settings(max_examples=40, deadline=None)
    @given(
        npst.arrays(
            np.uint8,
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])),
        )
    )
    def test_any_pixels(self, pixels: np.ndarray) -> None:
        """Any pixels are decoded to the same values by Pillow and by this package."""
        data = encode_image(pixels)
        assert pillow(data).tobytes() == pixels.tobytes()
        assert decode(data).tolist() == pixels.tolist()

    @pytest.mark.parametrize("view", ["Fortran", "sliced", "reversed"])
    def test_layouts(self, view: str) -> None:
        """Pixels are encoded by value, whatever their layout in memory."""
        base = noise(8, 6, 3)
        pixels = {
            "Fortran": np.asfortranarray(base),
            "sliced": base[::2, 1:-1],
            "reversed": base[::-1, ::-1],
        }[view]
        assert pixels.tobytes() == pillow(encode_image(pixels)).tobytes()

    def test_literal_bytes(self) -> None:
        """A grey image of one pixel, byte for byte."""
        expected = bytes.fromhex(
            "89504e470d0a1a0a"  # signature
            "0000000d 49484452"  # IHDR, 13 bytes
            "00000001 00000001"  # width, height
            "08 00 00 00 00"  # 8 bits, grey, deflate, adaptive filters, no interlace
            "3a7e9b55"  # CRC-32
            "0000000d 49444154"  # IDAT, 13 bytes
            "7801"  # zlib, fastest
            "01 0200 fdff"  # the last block, stored, 2 bytes
            "02 07"  # filter Up, the grey value
            "000d000a"  # Adler-32 of the two
            "1d63ee7c"  # CRC-32
            "00000000 49454e44 ae426082"  # IEND
        )
        assert expected.hex(" ") == encode_image(np.array([[7]], np.uint8)).hex(" ")

    @pytest.mark.parametrize(
        "shape", [(), (3,), (0, 4, 3), (4, 0, 3), (4, 4, 2), (4, 4, 5), (1, 1, 1, 1, 1)], ids=str
    )
    def test_wrong_shape(self, shape: tuple[int, ...]) -> None:
        """Another shape is refused, and the message lists the valid ones."""
        with pytest.raises(EncodeError) as raised:
            encode_image(np.zeros(shape, np.uint8))
        rule = "it must be (H, W), (H, W, C) or (B, H, W, C), C 1, 3 or 4, no size 0"
        assert str(raised.value) == f"image shape is {shape}; {rule}"

    @pytest.mark.parametrize("dtype", ["float32", "uint16", "int8", "bool"])
    def test_wrong_dtype(self, dtype: str) -> None:
        """Another dtype is refused, and the message says how to convert floats."""
        with pytest.raises(UnsupportedDtypeError) as raised:
            encode_image(np.zeros((2, 2, 3), dtype))
        remedy = "scale floats from 0..1 with (255 * x).clip(0, 255).astype(np.uint8)"
        assert str(raised.value) == f"image pixels are {dtype}, they must be uint8: {remedy}"


class TestText:
    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ("", b"tEXt"),
            ("a cat", b"tEXt"),
            ("Größe ½", b"tEXt"),
            ("猫 “neon”", b"iTXt"),
            ("x" * 100_000, b"tEXt"),
            ('{"seed": 18446744073709551615}', b"tEXt"),
        ],
        ids=["empty", "ASCII", "Latin-1", "UTF-8", "long", "JSON"],
    )
    def test_pillow_reads_it(self, value: str, kind: bytes) -> None:
        """Latin-1 goes into tEXt, the rest into iTXt, before the pixels; Pillow reads the same text."""
        data = encode_image(noise(2, 2, 3), text={"prompt": value})
        assert kinds(data) == [b"IHDR", kind, b"IDAT", b"IEND"]
        assert pillow(data).text == {"prompt": value}

    def test_several(self) -> None:
        """Several texts keep their order."""
        text = {"workflow": "{}", "Größe": "犬", "prompt": "a"}
        assert list(text.items()) == list(pillow(encode_image(noise(2, 2, 3), text=text)).text.items())

    def test_half_a_surrogate(self) -> None:
        """Half a surrogate pair, which UTF-8 cannot encode, becomes a question mark."""
        data = encode_image(noise(2, 2, 3), text={"prompt": "犬\ud800"})
        assert pillow(data).text == {"prompt": "犬?"}

    @pytest.mark.parametrize("keyword", ["", "x" * 80, "a\0b"], ids=["empty", "long", "with zero"])
    def test_keyword_length(self, keyword: str) -> None:
        """A keyword that PNG does not allow is refused."""
        with pytest.raises(EncodeError, match=r"must have 1 to 79 characters"):
            encode_image(noise(2, 2, 3), text={keyword: ""})

    def test_keyword_charset(self) -> None:
        """A keyword beyond Latin-1 is refused."""
        with pytest.raises(EncodeError, match=r"^PNG keyword '犬' is not Latin-1$"):
            encode_image(noise(2, 2, 3), text={"犬": ""})

    def test_prompt_and_workflow_of_a_save(self, tmp_path: Path) -> None:
        """Pixels saved with ComfyUI's prompt and workflow have both as texts, as ComfyUI's own PNGs do."""
        comfyui = {"prompt": {"3": {"class_type": "犬"}}, "workflow": {"nodes": []}, "version": "0.3.64"}
        gen5core.save(tmp_path / "a.gen5", images=noise(2, 2, 3), comfyui=comfyui, environment=None)
        with gen5core.open(tmp_path / "a.gen5") as file:
            text = pillow(file.images[0].bytes).text
        expected = {"prompt": '{"3":{"class_type":"\\u72ac"}}', "workflow": '{"nodes":[]}'}
        assert text == expected


class TestDeflate:
    PIXELS = np.repeat(noise(16, 1, 3), 64, axis=1)

    @pytest.mark.parametrize("channels", MODES)
    def test_smaller_and_equal(self, channels: int) -> None:
        """A stored PNG becomes smaller and keeps its pixels and every other chunk."""
        pixels = np.repeat(noise(16, 1, channels), 64, axis=1)
        before = encode_image(pixels, text={"prompt": "a", "workflow": "犬"})
        after = deflate_png(before)
        assert len(after) < len(before) / 2
        assert pixels.tobytes() == pillow(after).tobytes()
        assert before.partition(b"IDAT")[0][:-4] == after.partition(b"IDAT")[0][:-4]
        assert kinds(before) == kinds(after)

    def test_chunks_around_the_pixels(self) -> None:
        """Chunks after the pixels stay after them, and several IDAT become one."""
        lines = bytes(8 * 25)
        stream = zlib.compress(lines, 0)
        parts = [chunk(b"IDAT", stream[:40]), chunk(b"IDAT", stream[40:]), chunk(b"tEXt", b"a\0b")]
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
        before = SIGNATURE + header + chunk(b"gAMA", b"\0\0\xb1\x8f") + b"".join(parts) + chunk(b"IEND")
        after = deflate_png(before)
        assert kinds(after) == [b"IHDR", b"gAMA", b"IDAT", b"tEXt", b"IEND"]
        assert pillow(before).tobytes() == pillow(after).tobytes()

    def test_no_gain(self) -> None:
        """A PNG that would not become smaller is returned unchanged."""
        small = deflate_png(encode_image(self.PIXELS), level=9)
        assert small is deflate_png(small, level=1)

    def test_16_bit(self) -> None:
        """Only the pixel stream is deflated again, so the bit depth does not matter."""
        lines = b"".join(b"\0" + bytes(6 * 4) for _ in range(3))
        header = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0))
        before = header + chunk(b"IDAT", zlib.compress(lines, 0)) + chunk(b"IEND")
        after = deflate_png(before)
        assert len(after) < len(before)
        assert pillow(before).tobytes() == pillow(after).tobytes()

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"GIF89a",
            SIGNATURE,
            encode_image(PIXELS)[:-12],
            encode_image(PIXELS)[:-1],
            encode_image(PIXELS) + b"after",
            changed(encode_image(PIXELS), b"\x78\x01", b"\x78\x02"),
            encode_image(PIXELS, text={"a": "b"}).replace(b"a\0b", b"a\0c"),
            changed(encode_image(PIXELS), b"IHDR", b"IHDS"),
            changed(encode_image(PIXELS), b"IDAT", b"IDAS"),
            encode_image(PIXELS) + chunk(b"IEND"),
            png(2, 2, pixels=bytes(10_000_000)),
        ],
        ids=[
            "empty",
            "no PNG",
            "signature",
            "no IEND",
            "cut",
            "more",
            "bad stream",
            "bad CRC",
            "no IHDR",
            "no IDAT",
            "two ends",
            "bomb",
        ],
    )
    def test_not_intact(self, data: bytes) -> None:
        """Data that is not an intact PNG, or inflates to more than its size allows, is returned unchanged."""
        assert deflate_png(data) is data

    @settings(max_examples=100, deadline=None)
    @given(at=st.integers(0, 200), data=st.binary(max_size=4))
    def test_damaged(self, at: int, data: bytes) -> None:
        """Damage never raises, and never makes the PNG larger."""
        whole = encode_image(self.PIXELS[:2, :20], text={"prompt": "a"})
        damaged = whole[:at] + data + whole[at + len(data) :]
        assert len(deflate_png(damaged)) <= len(damaged)


class TestDecode:
    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
    @pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
    def test_modes(self, mode: str, image_format: str) -> None:
        """Every 8-bit kind of PNG becomes grey, RGB or RGBA with the pixels that Pillow shows."""
        image = Image.fromarray(noise(5, 7, 4 if "A" in mode else 3)).convert(mode)
        data = encoded(image, image_format, **({"lossless": True} if image_format == "WEBP" else {}))
        shown = pillow(data)
        target = {"1": "L", "L": "L", "LA": "RGBA", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA"}[shown.mode]
        actual = decode(data)
        assert actual.shape == (5, 7, {"L": 1, "RGB": 3, "RGBA": 4}[target])
        assert shown.convert(target).tobytes() == actual.tobytes()

    def test_jpeg(self) -> None:
        """A JPEG is decoded, one in CMYK too."""
        image = Image.fromarray(noise(5, 7, 3))
        for mode in ("RGB", "CMYK", "L"):
            data = encoded(image.convert(mode), "JPEG")
            expected = pillow(data).convert("L" if mode == "L" else "RGB").tobytes()
            assert decode(data).tobytes() == expected

    @pytest.mark.parametrize(
        ("before", "colour", "expected"),
        [
            (chunk(b"tRNS", b"\0\0\0\0\0\0"), 2, [0, 0, 0, 0]),
            (chunk(b"tRNS", b"\0\0"), 0, [0, 0, 0, 0]),
            (chunk(b"PLTE", b"\x07\x08\x09") + chunk(b"tRNS", b"\x50"), 3, [7, 8, 9, 0x50]),
        ],
        ids=["RGB", "grey", "palette"],
    )
    def test_transparent_colour(self, before: bytes, colour: int, expected: list[int]) -> None:
        """A colour or palette entry that tRNS makes transparent is transparent in the array."""
        actual = decode(png(2, 2, colour=colour, before=before))
        assert actual.reshape(4, 4).tolist() == [expected] * 4

    @pytest.mark.parametrize("colour", [0, 2, 4, 6])
    def test_16_bit(self, colour: int) -> None:
        """A PNG of 16 bits per channel is not decoded, and the message gives the remedy; Pillow would truncate it."""
        with pytest.raises(MalformedChunkError) as raised:
            decode(png(2, 2, depth=16, colour=colour))
        rule = (
            "has 16 bits per channel, which an array of 8 bits cannot hold; use the encoded image (`.bytes`)"
        )
        assert str(raised.value) == f"chunk 0 (DATA) at offset 32: {rule}"

    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_fewer_bits(self, depth: int) -> None:
        """Grey of 1, 2 or 4 bits is scaled to 8, as Pillow does it."""
        lines = b"\0" + bytes([0b11100100]) + b"\0" + bytes([0b00011011])
        data = png(8 // depth, 2, depth=depth, colour=0, pixels=lines)
        assert list(pillow(data).convert("L").tobytes()) == decode(data).ravel().tolist()

    def test_result_is_writable(self) -> None:
        """Decoded pixels are writable."""
        pixels = decode(encode_image(noise(2, 2, 3)))
        pixels[:] = 9
        assert pixels.sum() == 9 * 12


class TestLimits:
    def test_before_decoding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Too many pixels are refused after reading the header, before anything is decoded."""
        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda image: pytest.fail("decoded"))
        with pytest.raises(LimitError) as raised:
            decode(png(20_000, 20_000, pixels=b""))
        rule = "image has 20000 x 20000 pixels, the limit is 268435456; if you trust the file, pass larger Limits"
        assert str(raised.value) == f"chunk 0 (DATA) at offset 32: {rule}"

    def test_exact_limit(self) -> None:
        """An image of exactly the limit is decoded."""
        data = encode_image(noise(4, 5, 3))
        assert decode(data, Limits(image_pixels=20)).shape == (4, 5, 3)
        with pytest.raises(LimitError, match="image has 5 x 4 pixels, the limit is 19;"):
            decode(data, Limits(image_pixels=19))

    @pytest.mark.parametrize("channels", MODES)
    def test_known_before_encoding(self, channels: int) -> None:
        """``pixels_info`` agrees with the header of the PNG that the pixels become."""
        pixels = noise(4, 5, channels)
        assert pixels_info(pixels) == image_info(encode_image(pixels))

    def test_row(self) -> None:
        """The row of an image has its index, size and format, in this order; its bytes are not copied."""
        data = encode_image(noise(4, 5, 3))
        payload = image_payload(data, image_info(data).extra(7))
        assert (payload.type, payload.flags, payload.data.obj is data) == ("DATA", "0000", True)
        assert list(payload.extra.items()) == [("index", 7), ("width", 5), ("height", 4), ("format", "PNG")]

    @pytest.mark.parametrize("side", [10_000, 16_384])
    def test_pillows_own_limit(self, side: int) -> None:
        """Pillow's own limit neither warns nor refuses below this package's limit."""
        info = image_info(png(side, side, pixels=b""), Limits())
        assert ("PNG", side, side, "RGB") == (info.format, info.width, info.height, info.mode)

    def test_larger_limits(self, tmp_path: Path) -> None:
        """A caller's larger or smaller limits apply to images."""
        gen5core.save(tmp_path / "a.gen5", images=noise(4, 5, 3), environment=None)
        with (
            gen5core.open(tmp_path / "a.gen5", limits=Limits(image_pixels=19)) as file,
            pytest.raises(
                LimitError, match=r"a\.gen5: chunk 0 \(DATA\) at offset 32: image has 5 x 4 pixels"
            ),
        ):
            file.images[0].array()

    def test_bytes_ignore_the_limit(self, tmp_path: Path) -> None:
        """The encoded image is returned whatever size it claims."""
        data = png(20_000, 20_000, pixels=b"")
        gen5core.save(tmp_path / "a.gen5", images=data, environment=None)
        with gen5core.open(tmp_path / "a.gen5") as file:
            assert data == file.images[0].bytes


class TestEncodedBytes:
    @pytest.mark.parametrize("compression", ["auto", "none", "zstd"])
    @pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_kept(self, tmp_path: Path, image_format: str, compression: Any, kind: Any) -> None:
        """Encoded images are stored as they are, and their rows describe them."""
        data = encoded(Image.fromarray(noise(5, 7, 3)), image_format)
        gen5core.save(tmp_path / "a.gen5", images=kind(data), compression=compression, environment=None)
        with gen5core.open(tmp_path / "a.gen5") as file:
            (image,) = file.images
            assert data == image.bytes
            assert len(data) == image.size_bytes
            facts = {name: value for name, value in image.facts.items() if name != "stored_sha256"}
            assert pillow(data).convert("RGB").tobytes() == image.array().tobytes()
        assert facts == {"index": 0, "width": 7, "height": 5, "format": image_format}

    @pytest.mark.parametrize(
        "data",
        [b"", b"no image", b"GIF89a", b"BM", SIGNATURE, b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 "],
        ids=repr,
    )
    def test_no_image(self, tmp_path: Path, data: bytes) -> None:
        """Bytes that are not a PNG, JPEG or WebP are refused before anything is written."""
        with pytest.raises(EncodeError) as raised:
            gen5core.save(tmp_path / "a.gen5", images=data, environment=None)
        start = f"image starts with {data[:8]!r} and cannot be read as a PNG, JPEG or WebP ("
        assert start == str(raised.value)[: len(start)]
        assert list(tmp_path.iterdir()) == []


class TestBatch:
    def test_split(self) -> None:
        """Arrays, batches, bytes and lists of them become one item per image, in order."""
        data = encode_image(noise(1, 1, 1))
        items = split_batch(
            [noise(2, 3, 3), [np.zeros((2, 4, 5, 4), np.uint8)], data, np.zeros((6, 7), "u1")]
        )
        shapes = [item if isinstance(item, bytes) else item.shape for item in items]
        assert [(2, 3, 3), (4, 5, 4), (4, 5, 4), data, (6, 7, 1)] == shapes

    def test_views(self) -> None:
        """A batch is not copied."""
        batch = np.zeros((2, 4, 5, 4), np.uint8)
        assert [np.shares_memory(batch, image) for image in split_batch(batch)] == [True, True]

    def test_torch(self) -> None:
        """torch tensors of uint8 are accepted, those of another dtype refused by its name."""
        torch = pytest.importorskip("torch")
        assert [image.shape for image in split_batch(torch.zeros(2, 4, 5, 3).byte())] == [(4, 5, 3)] * 2
        with pytest.raises(UnsupportedDtypeError, match=r"^image pixels are torch\.bfloat16, they must"):
            split_batch(torch.zeros(2, 4, 5, 3, dtype=torch.bfloat16))

    @pytest.mark.parametrize("images", ["a.png", None, 5, [["a.png"]]], ids=repr)
    def test_no_images(self, images: Any) -> None:
        """A path, None or a number is refused, and the message names its type."""
        kind = "str" if not isinstance(images, (int, type(None))) else type(images).__name__
        with pytest.raises(EncodeError) as raised:
            split_batch(images)
        assert str(raised.value) == f"an image is a {kind}; give encoded bytes, or pixels as a uint8 array"


@pytest.mark.filterwarnings("ignore:Invalid APNG:UserWarning")
class TestHostile:
    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=200), st.sampled_from([b"", SIGNATURE, b"\xff\xd8\xff", b"RIFF....WEBPVP8L"]))
    @example(b"", b"")
    def test_any_bytes(self, data: bytes, start: bytes) -> None:
        """Arbitrary bytes raise only this package's errors."""
        with pytest.raises(MalformedChunkError, match=r"^chunk 0 \(DATA\) at offset 32: "):
            decode(start + data)

    @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data(), kind=st.sampled_from(["L", "RGB", "RGBA", "P", "JPEG", "WEBP"]))
    def test_mutated(self, data: st.DataObject, kind: str) -> None:
        """A real image with bytes changed, removed or repeated is decoded or refused with this package's errors."""
        damaged = bytearray(SAMPLES[kind])
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(damaged)))
            damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        try:
            pixels = decode(bytes(damaged), Limits(image_pixels=10_000))
        except Gen5Error:
            return
        assert (np.uint8, 3) == (pixels.dtype, pixels.ndim)

    @settings(max_examples=100, deadline=None)
    @given(
        kind=st.sampled_from(
            [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"pHYs", b"tRNS", b"PLTE", b"acTL", b"eXIf"]
        ),
        body=st.binary(max_size=40),
    )
    def test_forged_chunk(self, kind: bytes, body: bytes) -> None:
        """A chunk of any content with the right CRC is ignored or refused."""
        try:
            pixels = decode(png(3, 2, before=chunk(kind, body)))
        except Gen5Error:
            return
        assert pixels.shape[:2] == (2, 3)


SAMPLES = {
    **{
        mode: encoded(Image.fromarray(noise(6, 5, 4)).convert(mode), "PNG")
        for mode in ("L", "RGB", "RGBA", "P")
    },
    "JPEG": encoded(Image.fromarray(noise(6, 5, 3)), "JPEG"),
    "WEBP": encoded(Image.fromarray(noise(6, 5, 3)), "WEBP"),
}

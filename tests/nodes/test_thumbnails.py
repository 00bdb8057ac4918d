"""Thumbnails: the requested size, the colours of what is stored, latents of any shape."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import ChunkNotFoundError, LimitError, MalformedChunkError
from gen5pack.nodes.server import thumbnails
from gen5pack.nodes.server.thumbnails import image_thumbnail, noise_thumbnail, picture_type
from PIL import Image, ImageFile
from png_chunks import png_chunk
from runs import randn


def stored(folder: Path, **facts: Any) -> gen5core.Gen5File:
    """Return an open file written with the core alone; the test's folder closes it."""
    return gen5core.open(gen5core.save(folder / "input" / "a.gen5", environment=None, hardware=None, **facts))


def decoded(data: bytes) -> np.ndarray:
    """Return a picture's pixels, shape (H, W, C)."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (4, 3)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, "red").save(buffer, kind)
    return buffer.getvalue()


class TestImages:
    """Stored images."""

    @pytest.mark.parametrize(
        ("shape", "size", "expected"),
        [
            ((40, 80, 3), 20, (10, 20)),
            ((80, 40, 3), 20, (20, 10)),
            ((40, 80, 4), 20, (10, 20)),
            ((40, 80, 1), 20, (10, 20)),
            ((4, 4, 3), 20, (4, 4)),
            ((1, 300, 3), 20, (1, 20)),
        ],
    )
    def test_longer_side(
        self, folder: Path, shape: tuple[int, ...], size: int, expected: tuple[int, int]
    ) -> None:
        """The longer side is at most the requested size, the proportions are kept, nothing is enlarged."""
        with stored(folder, images=np.full(shape, 200, np.uint8)) as file:
            data, content_type = image_thumbnail(file.images[0], size)
        assert (decoded(data).shape[:2], content_type) == (expected, "image/webp")
        assert abs(int(decoded(data)[0, 0, 0]) - 200) < 4

    def test_one_large_image_at_a_time(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An image of many pixels, whatever META claims, waits for another; a small one does not."""
        monkeypatch.setattr(thumbnails, "LARGE_PIXELS", 100)
        lock, taken = MagicMock(), list[int]()
        monkeypatch.setattr(thumbnails, "_LARGE", lock)
        with stored(
            folder, images=[np.zeros((10, 10, 3), np.uint8), np.zeros((11, 10, 3), np.uint8)]
        ) as file:
            for image in file.images:
                monkeypatch.setattr(type(image), "facts", {"width": 1, "height": 1})
                image_thumbnail(image, 8)
                taken.append(lock.__enter__.call_count)
        assert taken == [0, 1]

    def test_an_image_of_too_many_pixels_is_not_decoded(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A kilobyte of PNG that claims 16384 x 16384 pixels has no thumbnail, and the error says why."""
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 16384, 16384, 1, 0, 0, 0, 0))
        data = zlib.compress(bytes(2049 * 100))
        png = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
        monkeypatch.setattr(ImageFile.ImageFile, "load", MagicMock(side_effect=AssertionError))
        message = rf"image has 16384 x 16384 pixels, the limit is {thumbnails.MAX_PIXELS}"
        with stored(folder, images=png) as file, pytest.raises(LimitError, match=message):
            image_thumbnail(file.images[0], 8)

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK"])
    def test_thumbnail_of_each_mode(self, folder: Path, mode: str) -> None:
        """The thumbnail shows the colours of the whole image, and carries no colour profile or text of it."""
        buffer = io.BytesIO()
        Image.new("RGB", (40, 20), "red").convert(mode).save(
            buffer, "JPEG" if mode == "CMYK" else "PNG", icc_profile=b"profile" * 20
        )
        with stored(folder, images=buffer.getvalue()) as file:
            small = file.images[0].reduced(10, 10**6)
            whole = file.images[0].array()
        assert (small.size, small.info) == ((10, 5), {})
        pixels = np.asarray(small).reshape(5, 10, -1)
        assert pixels.shape[2] == whole.shape[2]
        assert np.abs(pixels.mean((0, 1)) - whole.mean((0, 1))).max() < 4

    def test_png_where_pillow_has_no_webp(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A Pillow that was built without WebP gives PNG."""
        monkeypatch.setattr(thumbnails.features, "check", lambda name: False)
        with stored(folder, images=np.full((8, 8, 3), 7, np.uint8)) as file:
            data, content_type = image_thumbnail(file.images[0], 4)
        assert (content_type, decoded(data)[0, 0].tolist()) == ("image/png", [7] * 3)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_type_is_detected_from_the_bytes(self, kind: str) -> None:
        """A stored image is sent with the content type of its bytes."""
        assert picture_type(encoded(kind)) == f"image/{kind.lower()}"

    @pytest.mark.parametrize("data", [b"", b"<script>", encoded("GIF"), encoded("PNG")[:20]])
    def test_other_bytes_are_not_sent(self, data: bytes) -> None:
        """Other bytes are an error: a browser must not get a page in place of a picture."""
        with pytest.raises(MalformedChunkError, match="cannot be read as a PNG, JPEG or WebP"):
            picture_type(data)


class TestNoise:
    """Latents as pictures."""

    def test_values_are_colours(self, folder: Path) -> None:
        """−3 is black, 0 grey and 3 white; values beyond are clipped, and NaN is grey."""
        values = torch.tensor([[-3.0, 0.0, 3.0, 1.5, 99.0, -99.0, float("nan"), float("inf")]] * 4)
        with stored(folder, latents={"initial_noise": values.reshape(1, 4, 1, 8)}) as file:
            pixels = decoded(noise_thumbnail(file.latents["initial_noise"], 0, 8))
        assert pixels.shape == (1, 8, 3)
        assert pixels[0, :, 0].tolist() == [0, 128, 255, 191, 255, 0, 128, 255]

    def test_channels_are_red_green_blue(self, folder: Path) -> None:
        """The first three channels are the three colours."""
        values = torch.zeros(1, 4, 1, 1)
        values[0, :3, 0, 0] = torch.tensor([3.0, 0.0, -3.0])
        with stored(folder, latents={"a": values}) as file:
            assert decoded(noise_thumbnail(file.latents["a"], 0, 1))[0, 0].tolist() == [255, 128, 0]

    @pytest.mark.parametrize(
        ("name", "shape", "expected"),
        [
            ("initial_noise", (2, 4, 8, 16), (8, 16, 3)),
            ("initial_noise", (2, 16, 5, 8, 16), (8, 16, 3)),
            ("initial_noise", (2, 2, 8, 16), (8, 16, 1)),
            ("noise_mask", (2, 8, 16), (8, 16, 1)),
            ("noise_mask", (2, 1, 8, 16), (8, 16, 1)),
            ("step_noise", (7, 2, 4, 8, 16), (8, 16, 3)),
            ("step_noise.1", (7, 2, 16, 5, 8, 16), (8, 16, 3)),
            ("audio", (8, 16), (8, 16, 1)),
            ("line", (16,), (1, 16, 1)),
            ("one", (), (16, 16, 1)),
            ("deep", (1, 4, 2, 2, 8, 16), (8, 16, 3)),
        ],
    )
    @pytest.mark.parametrize("half", [False, True])
    def test_shapes(
        self, folder: Path, name: str, shape: tuple[int, ...], expected: tuple[int, ...], half: bool
    ) -> None:
        """Images, videos, masks, audio and step noise are each shown as one picture with a longer side of size."""
        with stored(folder, latents={name: randn(*shape).half() if half else randn(*shape)}) as file:
            pixels = decoded(noise_thumbnail(file.latents[name], 0, 16))
        assert pixels.shape == expected

    def test_the_requested_image(self, folder: Path) -> None:
        """The number picks an image of a batch; a video shows its first frame, step noise its first draw."""
        values = torch.zeros(2, 3, 2, 1, 1)
        values[1, :, 0] = 3.0
        with stored(folder, latents={"a": values, "step_noise": values.reshape(2, 2, 3, 1, 1)}) as file:
            first, second = (decoded(noise_thumbnail(file.latents["a"], index, 1)) for index in (0, 1))
            draw = decoded(noise_thumbnail(file.latents["step_noise"], 0, 1))
        assert (
            first[0, 0].tolist(),
            second[0, 0].tolist(),
            draw[0, 0].tolist(),
        ) == ([128] * 3, [255] * 3, [128] * 3)

    def test_nested(self, folder: Path) -> None:
        """The first part of a nested latent is shown."""
        with stored(folder, latents={"a": [randn(1, 3, 4, 8), randn(1, 5)]}) as file:
            assert decoded(noise_thumbnail(file.latents["a"], 0, 16)).shape == (8, 16, 3)

    @pytest.mark.parametrize(
        ("shape", "size", "expected"),
        [
            ((4, 8), 128, (64, 128)),
            ((256, 128), 64, (64, 32)),
            ((3, 1000), 10, (1, 10)),
            ((7, 5), 10, (10, 7)),
        ],
    )
    def test_size(self, folder: Path, shape: tuple[int, int], size: int, expected: tuple[int, int]) -> None:
        """The longer side has the requested size, and no value is mixed with its neighbours."""
        with stored(folder, latents={"a": torch.full((1, 4, *shape), 3.0)}) as file:
            pixels = decoded(noise_thumbnail(file.latents["a"], 0, size))
        assert (pixels.shape[:2], set(pixels.ravel().tolist())) == (expected, {255})

    @pytest.mark.parametrize(
        ("shape", "index", "message"),
        [
            ((2, 4, 8, 8), 2, "latent 'a' has no number 2; it has 2"),
            ((8, 8), 9, "latent 'a' has no number 9; it has 8"),
            ((0, 4, 8, 8), 0, "latent 'a' has no number 0; it has 0"),
            ((1, 4, 0, 8), 0, "latent 'a' has no values to show"),
        ],
    )
    def test_no_such_image(self, folder: Path, shape: tuple[int, ...], index: int, message: str) -> None:
        """A number beyond the batch, and an empty latent, are errors."""
        with (
            stored(folder, latents={"a": torch.zeros(shape)}) as file,
            pytest.raises(ChunkNotFoundError, match=f"^{message}$"),
        ):
            noise_thumbnail(file.latents["a"], index, 8)

    def test_only_shown_values_are_computed(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The shown values are picked before computing: all of them take several times the memory."""
        shapes, nan_to_num = [], np.nan_to_num
        monkeypatch.setattr(np, "nan_to_num", lambda x, **options: shapes.append(x.shape) or nan_to_num(x))
        with stored(folder, latents={"a": torch.zeros(1, 4, 64, 32)}) as file:
            noise_thumbnail(file.latents["a"], 0, 8)
        assert shapes == [(8, 4, 3)]

    def test_too_large(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A latent beyond the limit is not read."""
        monkeypatch.setattr(thumbnails, "MAX_LATENT_BYTES", 15)
        with (
            stored(folder, latents={"a": torch.zeros(1, 4, 1, 1)}) as file,
            pytest.raises(LimitError, match="latent 'a' takes 16 bytes, the limit is 15"),
        ):
            noise_thumbnail(file.latents["a"], 0, 8)

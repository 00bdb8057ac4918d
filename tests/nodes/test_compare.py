"""Compare With Stored without ComfyUI: bits, figures worked out by hand, the report, and the picture."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes.compare import Gen5Compare
from gen5pack.nodes.host import Blocked
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.file import StoredFile, open_stored
from gen5pack.nodes.tensors.difference import compare_tensors, difference_picture
from PIL import Image
from runs import images, randn

NAN, INF = math.nan, math.inf
LATENT = randn(2, 4, 4, 8, seed=1)
DTYPES = [torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.complex128]
DTYPES += [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


def stored(folder: Path, **facts: Any) -> StoredFile:
    """Return a file written by the core alone."""
    path = gen5core.save(folder / "input" / "a.gen5", environment=None, hardware=None, **facts)
    return open_stored(path)


def saved(pictures: torch.Tensor) -> StoredFile:
    """Save pictures through the node; return the GEN5 output."""
    file: StoredFile = Gen5Save().save("x", images=pictures)["result"][1]
    return file


def compare(gen5: StoredFile, **inputs: Any) -> dict[str, Any]:
    """Return the outputs by name."""
    outputs = Gen5Compare().compare(gen5, **inputs)
    return dict(zip(Gen5Compare.RETURN_NAMES, outputs["result"], strict=True))


class TestTensors:
    """Two tensors of equal shape."""

    @pytest.mark.parametrize(
        "dtype", [torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int64]
    )
    def test_equal_bits(self, dtype: torch.dtype) -> None:
        """Equal bits are identical, whatever the layout in memory."""
        one = torch.arange(12).reshape(3, 4).to(dtype)
        found = compare_tensors("x", one, one.t().contiguous().t(), peak=1.0)
        assert (
            found.identical,
            found.max_difference,
            found.psnr,
            found.differing,
            found.total,
        ) == (True, 0.0, INF, 0, 12)

    def test_one_bit(self) -> None:
        """One bit of one value is enough; L∞ is its distance."""
        one = torch.ones(5)
        other = one.clone()
        other.view(torch.int32)[3] ^= 1
        found = compare_tensors("x", one, other, peak=1.0)
        assert (found.identical, found.max_difference, found.differing) == (False, 2.0**-23, 1)

    def test_psnr_by_hand(self) -> None:
        """Differences 0.1 and 0.3 of four values at peak 1: mean square 0.025, so 16.0206 dB."""
        stored_values = torch.tensor([0.0, 0.5, 0.5, 1.0], dtype=torch.float64)
        current = torch.tensor([0.1, 0.5, 0.2, 1.0], dtype=torch.float64)
        found = compare_tensors("x", stored_values, current, peak=1.0)
        assert found.psnr == pytest.approx(16.020599913, abs=1e-9)
        assert (found.max_difference, found.differing, found.total) == (pytest.approx(0.3, abs=1e-15), 2, 4)
        assert compare_tensors("x", stored_values, current, 10.0).psnr == pytest.approx(16.020599913 + 20.0)

    @pytest.mark.parametrize("odd", [NAN, INF, -INF])
    def test_same_non_finite_value_in_both(self, odd: float) -> None:
        """NaN and infinity in the same places on both sides are not a difference."""
        one = torch.tensor([odd, 1.0])
        found = compare_tensors("x", one, one.clone(), peak=1.0)
        assert (found.identical, found.max_difference, found.psnr, found.differing) == (True, 0.0, INF, 0)

    @pytest.mark.parametrize(("one", "other"), [(NAN, 1.0), (1.0, NAN), (INF, 1.0), (INF, -INF), (NAN, INF)])
    def test_non_finite_value_on_one_side(self, one: float, other: float) -> None:
        """NaN or infinity on one side only is the largest possible difference."""
        found = compare_tensors("x", torch.tensor([one, 0.0]), torch.tensor([other, 0.0]), peak=1.0)
        assert (found.identical, found.max_difference, found.psnr, found.differing) == (False, INF, -INF, 1)

    def test_equal_values_in_other_bits(self) -> None:
        """−0 and 0, or another dtype, are not identical although no value differs."""
        zeros = torch.zeros(3)
        for other in (-zeros, zeros.half()):
            found = compare_tensors("x", zeros, other, peak=1.0)
            assert (found.identical, found.max_difference, found.differing) == (False, 0.0, 0)

    def test_empty(self) -> None:
        """Empty tensors are equal."""
        found = compare_tensors("x", torch.zeros(0, 4), torch.zeros(0, 4), peak=1.0)
        assert (
            found.identical,
            found.max_difference,
            found.psnr,
            found.differing,
            found.total,
        ) == (True, 0.0, INF, 0, 0)

    def test_integers_beyond_float64(self) -> None:
        """Integers that float64 rounds to one value differ all the same."""
        found = compare_tensors("x", torch.tensor([2**60]), torch.tensor([2**60 + 1]), peak=1.0)
        assert (found.identical, found.differing) == (False, 1)

    def test_complex(self) -> None:
        """The distance of complex values is that in the plane."""
        found = compare_tensors("x", torch.tensor([1 + 1j]), torch.tensor([4 + 5j]), peak=1.0)
        assert (found.identical, found.max_difference, found.differing) == (False, 5.0, 1)
        conjugate = torch.tensor([1 - 1j]).conj()
        assert compare_tensors("x", torch.tensor([1 + 1j]), conjugate, peak=1.0).identical

    def test_large_integers(self) -> None:
        """Integers that float32 cannot distinguish are distinguished."""
        found = compare_tensors("x", torch.tensor([2**24]), torch.tensor([2**24 + 1]), peak=1.0)
        assert (found.identical, found.max_difference) == (False, 1.0)


class TestPicture:
    """Where two images differ."""

    def test_scaled_to_white(self) -> None:
        """The largest difference is white, half of it is half as bright, no difference is black."""
        one = torch.zeros(1, 2, 2, 3)
        other = one.clone()
        other[0, 0, 0, 1], other[0, 1, 1, 2] = 0.02, 0.01
        expected = torch.zeros(1, 2, 2, 3)
        expected[0, 0, 0, 1], expected[0, 1, 1, 2] = 1.0, 0.5
        assert torch.allclose(expected, difference_picture(one, other))
        assert difference_picture(one, other).equal(difference_picture(other, one))

    def test_black_where_nothing_differs(self) -> None:
        """Equal images give black."""
        assert torch.zeros(2, 4, 6, 3).equal(difference_picture(images(2), images(2)))

    def test_grey_and_alpha(self) -> None:
        """A grey image gives three channels; a fourth channel, alpha, is not shown."""
        grey = difference_picture(torch.zeros(1, 1, 2, 1), torch.tensor([0.5, 0.0]).reshape(1, 1, 2, 1))
        assert grey[0, 0].tolist() == [[1.0] * 3, [0.0] * 3]
        alpha = difference_picture(
            torch.zeros(1, 1, 1, 4), torch.tensor([0.0, 0.0, 0.0, 1.0]).reshape(1, 1, 1, 4)
        )
        assert alpha[0, 0, 0].tolist() == [0.0] * 3


class TestImages:
    """Comparing pictures."""

    def test_rounded_as_when_saved(self, folder: Path) -> None:
        """Images between two of 256 steps are compared as Save Gen5 rounds them."""
        pictures = (images(2) + 0.7 / 255).clamp(0, 1)
        found = compare(saved(pictures), images=pictures)
        assert tuple(found.values())[:4] == (True, 0.0, INF, "images: bit-exact")
        assert torch.zeros(2, 4, 6, 3).equal(found["difference"])

    def test_half_precision(self, folder: Path) -> None:
        """Images in float16 are rounded as Save Gen5 rounds them."""
        pictures = randn(1, 32, 32, 3, seed=4, dtype=torch.float16).abs().clamp(0, 1)
        assert compare(saved(pictures), images=pictures)["identical"]

    def test_beyond_white_and_black(self, folder: Path) -> None:
        """Values outside 0..1 are clipped as they are when saved."""
        pictures = images() * 3 - 1
        assert compare(saved(pictures), images=pictures)["identical"]

    def test_another_pixel(self, folder: Path) -> None:
        """One value of 72 off by 51 of 255: L∞ 0.2, PSNR 32.55 dB, white in its place."""
        pictures = images()
        other = pictures.clone()
        other[0, 1, 2, 0] = (pictures[0, 1, 2, 0] * 255 + 51) / 255 + 1e-4
        found = compare(saved(pictures), images=other)
        assert not found["identical"]
        assert found["max_difference"] == pytest.approx(0.2, abs=1e-6)
        assert found["psnr"] == pytest.approx(10 * math.log10(72 / 0.04), abs=1e-4)
        assert found["report"] == "images: DIFFERENT, L∞ 0.2, PSNR 32.55 dB, 1 of 72 values differ"
        assert (float(found["difference"].sum()), float(found["difference"][0, 1, 2, 0])) == (1.0, 1.0)

    def test_other_shape(self, folder: Path) -> None:
        """Another size or count is an error that names both."""
        message = (
            "the stored images of x_00001_.gen5: [1, 4, 6, 3]; given: [2, 4, 6, 3]. Shapes must be equal"
        )
        with pytest.raises(EncodeError, match=re.escape(message)):
            compare(saved(images()), images=images(2))

    def test_no_picture(self, folder: Path) -> None:
        """A file without a picture says so."""
        with pytest.raises(EncodeError, match=r"a\.gen5 holds no picture to compare with"):
            compare(stored(folder, latents={"final_latent": LATENT}), images=images())

    def test_sizes_that_differ(self, folder: Path) -> None:
        """A file of pictures of several sizes says so."""
        pictures = [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 8, 3), np.uint8)]
        file = stored(folder, images=pictures)
        with pytest.raises(
            EncodeError, match=r"the pictures in a\.gen5 have different sizes: give one image"
        ):
            compare(file, images=images(2))
        message = (
            "the pictures in a.gen5 are 4 × 4 × 3 and 8 × 4 × 3 pixels, the given one is 6 × 4 × 3: "
            "compare an image of the stored size"
        )
        with pytest.raises(EncodeError, match=re.escape(message)):
            compare(file, images=images())

    def test_one_image_of_several_sizes(self, folder: Path) -> None:
        """An image, e.g. an item of a list, is compared with the stored one of its size."""
        small, large = (
            np.random.default_rng(1).integers(0, 256, (4, width, 3), np.uint8) for width in (4, 8)
        )
        file = stored(folder, images=[small, large])
        for index, array in enumerate((small, large)):
            found = compare(file, images=torch.from_numpy(array)[None].float() / 255)
            assert (found["identical"], found["report"]) == (
                True,
                f"image {index} of 2, the nearest: bit-exact",
            )

    def test_one_image_of_a_batch(self, folder: Path) -> None:
        """A single image is compared with the one that it equals, or else with the nearest; the report says which."""
        file = saved(images(3))
        found = compare(file, images=images(3)[1:2])
        assert (found["identical"], found["report"]) == (True, "image 1 of 3, the nearest: bit-exact")
        other = images(3)[2:].clone()
        other[0, 0, 0, 0] = 1.0 - other[0, 0, 0, 0].round()
        found = compare(file, images=other)
        assert not found["identical"]
        assert found["report"].startswith("image 2 of 3, the nearest: DIFFERENT")
        assert found["difference"].shape == (1, 4, 6, 3)

    @pytest.mark.parametrize("whole", [False, True], ids=["alone", "whole batch"])
    def test_the_image_that_was_chosen(self, folder: Path, whole: bool) -> None:
        """With batch_index in Load Gen5, that image is compared, even where another one is equal."""
        file = saved(images(3))
        chosen = StoredFile(file.path, file.root, 1)
        found = compare(chosen, images=images(3) if whole else images(3)[1:2])
        assert (found["identical"], found["report"]) == (True, "image, image 1 of the batch: bit-exact")
        assert not compare(chosen, images=images(3)[:1])["identical"]
        with pytest.raises(
            EncodeError, match=r"Load Gen5's batch_index is 5, but x_00001_\.gen5 holds 3 pictures"
        ):
            compare(StoredFile(file.path, file.root, 5), images=images(1))

    def test_float8(self, folder: Path) -> None:
        """Images of 8-bit floats, with which torch does not calculate, are compared."""
        pictures = images().to(torch.float8_e5m2)
        assert compare(saved(pictures.float()), images=pictures)["identical"]


class TestLatent:
    """Comparing the result latent."""

    @pytest.fixture
    def file(self, folder: Path) -> StoredFile:
        """A file that holds LATENT as its result."""
        return stored(folder, latents={"final_latent": LATENT})

    def test_identical(self, file: StoredFile) -> None:
        """Equal bits are bit-exact; without images the picture is blocked."""
        found = compare(file, latent={"samples": LATENT.clone()})
        assert tuple(found.values())[:4] == (True, 0.0, INF, "latent: bit-exact")
        assert found["difference"] == Blocked("Compare With Stored has no images to compare: connect images")

    def test_psnr_is_of_the_stored_range(self, file: StoredFile) -> None:
        """The peak is the stored latent's range; L∞ is in the latent's units."""
        other = LATENT.clone()
        other[1, 2, 3, 4] += 0.5
        step = float((other.double() - LATENT.double()).abs().max())
        value_range = float(LATENT.max()) - float(LATENT.min())
        found = compare(file, latent={"samples": other})
        assert (found["identical"], found["max_difference"]) == (False, step)
        assert found["psnr"] == pytest.approx(10 * math.log10(value_range**2 / (step**2 / 256)))
        assert found["report"].endswith(" dB, 1 of 256 values differ")

    @pytest.mark.parametrize(
        ("tolerance", "verdict"), [(0.0, "DIFFERENT"), (0.49, "DIFFERENT"), (0.51, "within tolerance")]
    )
    def test_tolerance(self, file: StoredFile, tolerance: float, verdict: str) -> None:
        """The tolerance changes the wording, never `identical`."""
        found = compare(file, latent={"samples": LATENT + 0.5}, tolerance=tolerance)
        assert found["report"].startswith(f"latent: {verdict}, L∞ 0.5")
        assert not found["identical"]

    @pytest.mark.parametrize("current", [LATENT.double(), LATENT * 1.0])
    def test_tolerance_zero_requires_every_bit(self, folder: Path, current: torch.Tensor) -> None:
        """Equal values with other bits, by dtype or the sign of zero, are not within a tolerance of 0."""
        values = LATENT.clone()
        values[0, 0, 0, 0] = -0.0
        current = current.clone()
        current[0, 0, 0, 0] = 0.0
        file = stored(folder, latents={"final_latent": values})
        report = compare(file, latent={"samples": current})["report"]
        assert report == "latent: DIFFERENT, L∞ 0: equal values in other bits (dtype, −0 or NaN)"

    def test_nested(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each part of a nested latent has its own line; the figures are those of the part that differs most."""
        parts = [randn(1, 4, 4, seed=1), randn(1, 8, seed=2)]
        file = stored(folder, latents={"final_latent": parts})

        class Nested:
            is_nested = True

            def unbind(self) -> list[torch.Tensor]:
                return [parts[0], parts[1] + 2.0]

        found = compare(file, latent={"samples": Nested()})
        first, second = found["report"].splitlines()
        assert first == "latent part 0: bit-exact"
        assert second.startswith("latent part 1: DIFFERENT, L∞ 2")
        assert (found["identical"], found["max_difference"]) == (False, pytest.approx(2.0, abs=1e-6))
        assert math.isfinite(found["psnr"])

    def test_constant_latent(self, folder: Path) -> None:
        """A constant stored latent has peak 1."""
        file = stored(folder, latents={"final_latent": torch.zeros(1, 4)})
        found = compare(file, latent={"samples": torch.full((1, 4), 0.1, dtype=torch.float32)})
        assert found["psnr"] == pytest.approx(20.0, abs=1e-5)

    def test_other_shape(self, file: StoredFile) -> None:
        """Another shape is an error that names both."""
        message = "the stored latent of a.gen5: [[2, 4, 4, 8]]; given: [[1, 4, 4, 4]]. Shapes must be equal"
        with pytest.raises(EncodeError, match=re.escape(message) + "$"):
            compare(file, latent={"samples": LATENT[:1, ..., :4]})

    def test_one_of_a_batch(self, file: StoredFile) -> None:
        """A single latent is compared with the one that it equals, or else with the nearest."""
        for index in (0, 1):
            found = compare(file, latent={"samples": LATENT[index : index + 1]})
            assert found["report"] == f"latent, image {index} of 2, the nearest: bit-exact"
        report = compare(file, latent={"samples": LATENT[1:] + 0.25})["report"]
        assert report.startswith("latent, image 1 of 2, the nearest: DIFFERENT, L∞ 0.25")

    @pytest.mark.parametrize("whole", [False, True], ids=["alone", "whole batch"])
    def test_the_image_that_was_chosen(self, file: StoredFile, whole: bool) -> None:
        """With batch_index in Load Gen5, that image is compared, even where another one is equal."""
        chosen = StoredFile(file.path, file.root, 1)
        found = compare(chosen, latent={"samples": LATENT if whole else LATENT[1:]})
        assert (found["identical"], found["report"]) == (True, "latent, image 1 of the batch: bit-exact")
        assert not compare(chosen, latent={"samples": LATENT[:1]})["identical"]
        with pytest.raises(EncodeError, match=r"batch_index is 7, the stored latent holds 2"):
            compare(StoredFile(file.path, file.root, 7), latent={"samples": LATENT[:1]})

    def test_the_shape_of_another_pass(self, folder: Path) -> None:
        """A latent of an earlier pass's size is no riddle: the error says which pass it is like."""
        passes = [{"node_id": "3", "shapes": [[1, 4, 2, 4]]}, {"node_id": "13", "shapes": [[1, 4, 4, 8]]}]
        file = stored(
            folder,
            latents={"final_latent": LATENT[:1]},
            capture={"noise_source": "recorded", "passes": passes},
        )
        message = (
            "Shapes must be equal. The given one has the shape of pass 0 (node 3), whose result the file does not "
            "hold: connect that of the last pass, 1"
        )
        with pytest.raises(EncodeError, match=re.escape(message)):
            compare(file, latent={"samples": torch.zeros(1, 4, 2, 4)})

    @pytest.mark.parametrize("dtype", [*DTYPES, torch.float8_e4m3fn, torch.float8_e5m2])
    def test_every_dtype(self, folder: Path, dtype: torch.dtype) -> None:
        """A latent of any dtype is compared bit by bit, and a difference of 1 found."""
        values = torch.arange(16).reshape(2, 2, 2, 2).double().to(dtype)
        file = stored(folder, latents={"final_latent": values})
        assert compare(file, latent={"samples": values.clone()})["identical"]
        other = values.double() if not values.is_complex() else values.clone()
        other[0, 0, 0, 1] += 1
        found = compare(file, latent={"samples": other.to(dtype)})
        assert (found["identical"], found["max_difference"]) == (False, 1.0)
        assert math.isfinite(found["psnr"])

    def test_what_cannot_be_compared(self, file: StoredFile) -> None:
        """A tensor without plain values says so."""
        message = "latent cannot be compared: it is a meta tensor, which has no values"
        with pytest.raises(EncodeError, match=message):
            compare(file, latent={"samples": torch.empty(2, 4, 4, 8, device="meta")})

    def test_no_latent(self, folder: Path) -> None:
        """A file without a result latent says so."""
        with pytest.raises(EncodeError, match=r"a\.gen5 holds no result latent to compare with"):
            compare(stored(folder, prompt="a cat"), latent={"samples": LATENT})


class TestNode:
    """Images and latent together."""

    def test_worst_of_both(self, folder: Path) -> None:
        """The figures are those of the worst comparison; the report has a line for each."""
        pixels = (images()[0] * 255).to(torch.uint8).numpy()
        file = stored(folder, latents={"final_latent": LATENT}, images=pixels)
        found = compare(file, images=images(), latent={"samples": LATENT + 0.5})
        latent, pictures = found["report"].splitlines()
        assert latent.startswith("latent: DIFFERENT")
        assert pictures == "images: bit-exact"
        assert (found["identical"], found["max_difference"]) == (False, pytest.approx(0.5, abs=1e-6))
        assert math.isfinite(found["psnr"])

    def test_sent_to_the_browser(self, folder: Path) -> None:
        """The browser gets the same figures; infinity, which JSON lacks, is null."""
        file = stored(folder, latents={"final_latent": LATENT})
        outputs = Gen5Compare().compare(file, latent={"samples": LATENT})["ui"]["gen5"]
        expected = {
            **{"identical": True, "max_difference": 0.0, "psnr": None, "report": "latent: bit-exact"},
            **{"tolerance": 0.0, "verdict": "bit-exact"},
        }
        assert outputs == [expected]

    @pytest.mark.parametrize(
        ("tolerance", "verdict"), [(0.0, "differs"), (0.4, "differs"), (0.6, "within tolerance")]
    )
    def test_verdict_in_a_word(self, folder: Path, tolerance: float, verdict: str) -> None:
        """The browser gets the overall verdict and the tolerance behind it."""
        file = stored(folder, latents={"final_latent": LATENT}, images=(images()[0] * 255).byte().numpy())
        current = {"images": images(), "latent": {"samples": LATENT + 0.5}}
        [outputs] = Gen5Compare().compare(file, **current, tolerance=tolerance)["ui"]["gen5"]
        assert (tolerance, verdict) == (outputs["tolerance"], outputs["verdict"])

    def test_infinite_tolerance(self, folder: Path) -> None:
        """A tolerance from elsewhere in the graph may be infinite, which JSON cannot express."""
        file = stored(folder, latents={"final_latent": LATENT})
        [outputs] = Gen5Compare().compare(file, latent={"samples": LATENT}, tolerance=math.inf)["ui"]["gen5"]
        assert outputs["tolerance"] is None

    def test_difference_is_shown(self, folder: Path) -> None:
        """The node shows the difference as pictures in temp/, one per image, equal to those on the socket."""
        file = saved(images(2))
        current = images(2).clone()
        current[1, 0, 0, 0] = 1.0
        outputs = Gen5Compare().compare(file, images=current)
        names = [picture["filename"] for picture in outputs["ui"]["images"]]
        assert [(one["type"], one["subfolder"]) for one in outputs["ui"]["images"]] == [("temp", "")] * 2
        arrays = [np.asarray(Image.open(folder / "temp" / name)) for name in names]
        assert [int(array.max()) for array in arrays] == [0, 255]
        assert arrays[1].tolist() == (outputs["result"][4][1] * 255).byte().tolist()

    def test_no_pictures_without_images(self, folder: Path) -> None:
        """If only latents are compared, no picture is written or shown."""
        file = stored(folder, latents={"final_latent": LATENT})
        assert Gen5Compare().compare(file, latent={"samples": LATENT})["ui"].keys() == {"gen5"}
        assert not (folder / "temp").exists()

    def test_nothing_connected(self, folder: Path) -> None:
        """Without anything to compare, the error says what to connect."""
        with pytest.raises(EncodeError, match="nothing to compare: connect images, latent, or both"):
            compare(stored(folder, prompt="a cat"))

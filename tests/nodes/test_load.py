"""Load Gen5 without ComfyUI: which files it offers and opens, and its outputs."""

from __future__ import annotations

import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import signer
import torch
from gen5pack import gen5core
from gen5pack.gen5core.environment.components import Component
from gen5pack.gen5core.errors import ChecksumError, EncodeError, FormatError
from gen5pack.nodes.host import Blocked
from gen5pack.nodes.load import Gen5Load, StoredNoise, list_files
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.file import open_stored
from gen5pack.nodes.stored.passes import read_passes
from gen5pack.nodes.stored.paths import resolve_file
from runs import images, randn, txt2img

CORPUS = Path(__file__).parents[1] / "corpus" / "valid"
REMEDY = "change filename_prefix in Save Gen5 to save it again, or press R and choose it in Load Gen5"
OLD_FILES = sorted(path.name for path in CORPUS.glob("gen5-0.1.0_*.gen5"))


def write(path: Path, **facts: Any) -> Path:
    """Write a file without an environment, so that there is no drift."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return gen5core.save(path, **{"environment": None, "hardware": None, **facts})


def load(file: str = "a.gen5", **inputs: Any) -> tuple[Any, ...]:
    """Return the outputs of the node."""
    return Gen5Load().load(file, **inputs)["result"]


class TestListing:
    """Every file of input/ and output/ with its subfolders, named as ComfyUI names them."""

    def test_names_and_annotations(self, folder: Path) -> None:
        """Input files have no annotation, output files do; subfolders are separated by slashes."""
        for name in (
            "input/b.gen5",
            "input/sub/deep/a.gen5",
            "output/猫 [1].gen5",
            "output/x/UPPER.GEN5",
            "input/no.png",
            "temp/hidden.gen5",
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        assert list_files() == [
            "b.gen5",
            "sub/deep/a.gen5",
            "猫 [1].gen5 [output]",
            "x/UPPER.GEN5 [output]",
        ]
        assert list_files() == Gen5Load.INPUT_TYPES()["required"]["file"][0]
        assert [Gen5Load.VALIDATE_INPUTS(name) for name in list_files()] == [True] * 4

    def test_missing_folders_list_nothing(self, folder: Path) -> None:
        """Without input/ and output/ the list is empty, not an error."""
        (folder / "input").rmdir()
        (folder / "output").rmdir()
        assert list_files() == []

    def test_link_out_of_the_folder_is_not_offered(self, folder: Path, tmp_path_factory: Any) -> None:
        """A link that would be rejected is not listed; a link inside the folder is."""
        outside = tmp_path_factory.mktemp("outside") / "secret.gen5"
        outside.touch()
        (folder / "input" / "own.gen5").touch()
        (folder / "input" / "alias.gen5").symlink_to("own.gen5")
        (folder / "input" / "out.gen5").symlink_to(outside)
        (folder / "input" / "dangling.gen5").symlink_to("gone.gen5")
        assert list_files() == ["alias.gen5", "own.gen5"]


class TestConfinement:
    """A name cannot lead out of its folder."""

    @pytest.mark.parametrize(
        "name",
        [
            "../secret.gen5",
            "sub/../../secret.gen5",
            "/etc/passwd",
            "../output/x.gen5",
            "link.gen5",
            "d/x.gen5",
        ],
    )
    def test_path_out_of_the_folder_is_rejected(self, folder: Path, name: str) -> None:
        """Dots, absolute paths and links are rejected both in validation and at run time."""
        (folder / "secret.gen5").touch()
        (folder / "input" / "link.gen5").symlink_to(folder / "secret.gen5")
        (folder / "input" / "d").symlink_to(folder / "output", target_is_directory=True)
        message = f"{name!r} leads out of the input folder; choose a file inside it"
        assert message == Gen5Load.VALIDATE_INPUTS(name)
        with pytest.raises(EncodeError, match=f"^{re.escape(message)}$"):
            load(name)

    def test_folder_with_a_similar_name_is_outside(self, folder: Path) -> None:
        """A folder whose name merely starts with input is not inside input."""
        write(folder / "input2" / "a.gen5")
        with pytest.raises(EncodeError, match="leads out of the input folder"):
            load("../input2/a.gen5")

    @pytest.mark.parametrize("name", ["a\0b.gen5", "\0", "a\0 [output]"])
    def test_nul_bytes(self, name: str) -> None:
        """A name with a NUL byte is rejected both in validation and at run time."""
        message = f"{name!r} is not a file name: embedded null byte"
        assert message == Gen5Load.VALIDATE_INPUTS(name)
        with pytest.raises(EncodeError, match=f"^{re.escape(message)}$"):
            load(name)

    @pytest.mark.parametrize("name", ["gone.gen5", "gone.gen5 [output]", "", ".", "x" * 5000, "a/" * 3000])
    def test_missing_file_is_reported(self, name: str) -> None:
        """A name that is not a file is reported with the remedy, even if it is too long for the file system."""
        assert (
            Gen5Load.VALIDATE_INPUTS(name)
            == f"{name} is not there; choose another file, or press R to list them again"
        )

    @pytest.mark.parametrize("value", [5, True, {"a": 1}])
    def test_value_that_is_not_text_is_rejected(self, value: Any) -> None:
        """A value that a program queued instead of a name is quoted, both in validation and at run time."""
        message = f"file is {value!r}, not a name: choose a file, or connect an output that gives its name"
        assert message == Gen5Load.VALIDATE_INPUTS(value)
        with pytest.raises(EncodeError, match=f"^{re.escape(message)}$"):
            load(value)

    def test_none_is_rejected_at_run_time(self) -> None:
        """None, which stands for a link in validation, is rejected at run time."""
        with pytest.raises(EncodeError, match=r"^file is None, not a name: choose a file, or connect"):
            load(None)  # type: ignore[arg-type]

    @pytest.mark.parametrize("kind", ["input", "output", "temp"])
    def test_annotation_names_the_folder(self, folder: Path, kind: str) -> None:
        """[input], [output] and [temp] are ComfyUI's annotations."""
        assert folder / kind / "s" / "a.gen5" == resolve_file(f"s/a.gen5 [{kind}]")

    def test_folders_that_are_links(self, folder: Path) -> None:
        """An output folder that is itself a link, e.g. to another disk, works like any other."""
        (folder / "disk").mkdir()
        (folder / "output").rmdir()
        (folder / "output").symlink_to(folder / "disk", target_is_directory=True)
        write(folder / "disk" / "a.gen5", latents={"initial_noise": randn(1, 4, 4, 4)})
        assert list_files() == ["a.gen5 [output]"]
        assert randn(1, 4, 4, 4).equal(load("a.gen5 [output]")[0]["samples"])


class TestIsChanged:
    """IS_CHANGED depends on the file's content."""

    def test_rewritten_with_same_size_and_time(self, folder: Path) -> None:
        """A file with the same size and time but other content counts as changed."""
        path = folder / "input" / "a.gen5"
        marks: dict[int, set[str | float]] = {}
        for value in range(9):  # META is compressed, so sizes differ by a byte or two
            write(path, latents={"initial_noise": np.full((1, 4, 4, 4), value, np.float32)})
            os.utime(path, ns=(10**18, 10**18))
            marks.setdefault(path.stat().st_size, set()).add(Gen5Load.IS_CHANGED("a.gen5"))
        assert sum(len(same_size) for same_size in marks.values()) == 9
        assert max(len(same_size) for same_size in marks.values()) > 1

    def test_touched_file_is_the_same(self, folder: Path) -> None:
        """A copy with another time and name counts as the same file, whatever the other widgets are set to."""
        path = write(folder / "input" / "a.gen5")
        before = Gen5Load.IS_CHANGED("a.gen5", on_drift="warn", batch_index=-1)
        (folder / "input" / "b.gen5").write_bytes(path.read_bytes())
        os.utime(path, ns=(10**18, 10**18))
        assert before == Gen5Load.IS_CHANGED("a.gen5", on_drift="error", batch_index=2)
        assert before == Gen5Load.IS_CHANGED("b.gen5")

    def test_linked_name(self) -> None:
        """A linked file name is not known before the run: it counts as changed, without an error."""
        mark = Gen5Load.IS_CHANGED(None, on_drift="warn")
        assert mark != mark

    def test_damaged_and_missing(self, folder: Path) -> None:
        """A damaged file has its own tag, which changes with it; a missing file is reported as missing."""
        assert Gen5Load.IS_CHANGED("a.gen5") == "missing"
        (folder / "input" / "a.gen5").write_bytes(b"damaged")
        os.utime(folder / "input" / "a.gen5", ns=(5, 5))
        assert Gen5Load.IS_CHANGED("a.gen5") == "5 7"


class TestOutputs:
    """Noise, result, picture, a NOISE and the file."""

    @pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "float8_e4m3fn"])
    def test_dtype_is_as_saved(self, folder: Path, name: str) -> None:
        """Noise and result are loaded in the dtype in which they were saved, bit for bit."""
        dtype = getattr(torch, name)
        noise, result = randn(1, 4, 4, 4, dtype=dtype), randn(1, 4, 4, 4, seed=1, dtype=dtype)
        write(folder / "input" / "a.gen5", latents={"initial_noise": noise, "final_latent": result})
        outputs = load()
        for expected, actual in ((noise, outputs[0]["samples"]), (result, outputs[1]["samples"])):
            assert actual.dtype == dtype
            assert expected.view(torch.uint8).equal(actual.view(torch.uint8))

    def test_picture(self, folder: Path) -> None:
        """The picture is loaded as ComfyUI loads one: float32, pixels divided by 255."""
        pixels = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
        write(folder / "input" / "a.gen5", images=pixels)
        actual = load()[2]
        assert (actual.dtype, tuple(actual.shape)) == (torch.float32, (2, 3, 4, 3))
        assert torch.from_numpy(pixels.astype(np.float32) / 255.0).equal(actual)

    def test_saved_file_is_loaded(self) -> None:
        """Load Gen5 outputs what Save Gen5 wrote: the result with mask and batch_index, and the picture."""
        latent = {
            "samples": randn(2, 4, 4, 8),
            "noise_mask": (randn(2, 1, 4, 8) > 0).float(),
            "batch_index": [3, 1],
        }
        answer = Gen5Save().save("x", images=images(2), latent=latent, prompt=txt2img(), unique_id="9")
        name = f"{answer['result'][1].path.name} [output]"
        result, picture = load(name, on_drift="error")[1:3]
        assert latent["samples"].equal(result["samples"])
        assert latent["noise_mask"].equal(result["noise_mask"])
        assert result["batch_index"] == [3, 1]
        assert ((images(2) * 255).floor() / 255).allclose(picture)

    def test_message_of_the_node(self, folder: Path) -> None:
        """The node sends the browser the file that it checked, its size and time, and the drift."""
        path = write(folder / "input" / "a.gen5")
        with gen5core.open(path) as file:
            root = file.root
        sent = Gen5Load().load("a.gen5")["ui"]
        status = path.stat()
        checked = {"file": "a.gen5", "root": root, "mtime": status.st_mtime, "size_bytes": status.st_size}
        trust = {"word": "unsigned", "signatures": []}
        assert {"gen5": [{**checked, "drift": [], "trust": trust, "uncovered_bytes": 0}]} == sent
        path.write_bytes(signer.with_trailer(path.read_bytes(), forge.frame("NOTE", "0000", b"seen")))
        assert Gen5Load().load("a.gen5")["ui"]["gen5"][0]["uncovered_bytes"] == 16


class TestBatchIndex:
    """One image of a batch: its noise, its result, its mask and its picture."""

    @pytest.fixture(autouse=True)
    def stored(self, folder: Path) -> None:
        """A file of three images with different masks."""
        write(
            folder / "input" / "a.gen5",
            latents={
                "initial_noise": randn(3, 4, 4, 4),
                "final_latent": randn(3, 4, 4, 4, seed=1),
                "noise_mask": randn(3, 1, 4, 4, seed=2),
            },
            images=(images(3) * 255).to(torch.uint8).numpy(),
            capture={"noise_source": "provided", "batch_index": [7, 8, 9]},
        )

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_one_of_three(self, index: int) -> None:
        """Every output holds the one image, as a batch of one."""
        noise, result, picture, source, _ = load(batch_index=index)
        assert randn(3, 4, 4, 4)[index : index + 1].equal(noise["samples"])
        assert randn(3, 4, 4, 4, seed=1)[index : index + 1].equal(result["samples"])
        assert randn(3, 1, 4, 4, seed=2)[index : index + 1].equal(result["noise_mask"])
        assert result["batch_index"] == [7 + index]
        assert tuple(picture.shape) == (1, 4, 6, 3)
        assert source.generate_noise(noise).equal(noise["samples"])

    def test_beyond_the_batch(self) -> None:
        """An index beyond the batch blocks the outputs that need it and names the range; the file is still output."""
        noise, result, _, source, stored = load(batch_index=3)
        warned = "a.gen5: batch_index is 3, the stored {} holds 3 (0 to 2); −1 takes all"
        assert Blocked(warned.format("initial_noise")) == noise == source
        assert result == Blocked(warned.format("final_latent"))
        assert stored.path.name == "a.gen5"

    def test_result_with_fewer_images_than_the_noise(self, folder: Path) -> None:
        """If the result holds one image, the noise of the third still loads; only the result is blocked."""
        write(
            folder / "input" / "a.gen5",
            latents={"initial_noise": randn(4, 4, 4, 4), "final_latent": randn(1, 4, 4, 4)},
        )
        noise, result, _, source, _ = load(batch_index=2)
        assert randn(4, 4, 4, 4)[2:3].equal(noise["samples"])
        assert source.generate_noise(noise).equal(noise["samples"])
        assert result == Blocked(
            "a.gen5: batch_index is 2, the stored final_latent holds 1 (0 to 0); −1 takes all"
        )

    def test_one_mask_for_all(self, folder: Path) -> None:
        """A single mask for the whole batch applies to each image."""
        mask = randn(1, 1, 4, 4)
        write(
            folder / "input" / "a.gen5",
            latents={"final_latent": randn(3, 4, 4, 4), "noise_mask": mask},
        )
        assert mask.equal(load(batch_index=2)[1]["noise_mask"])

    def test_picture_not_stored(self, folder: Path) -> None:
        """If images_stored was first, the noise of the third image still loads; only the picture is blocked."""
        write(
            folder / "input" / "a.gen5",
            latents={"initial_noise": randn(3, 4, 4, 4)},
            images=np.zeros((1, 2, 2, 3), np.uint8),
        )
        noise, _, picture, _, _ = load(batch_index=2)
        assert randn(3, 4, 4, 4)[2:].equal(noise["samples"])
        assert picture == Blocked("batch_index is 2, but a.gen5 holds 1 pictures; −1 takes all")

    def test_pictures_of_different_sizes(self, folder: Path) -> None:
        """Pictures of different sizes are blocked together but load one by one."""
        pictures = [np.zeros((2, 2, 3), np.uint8), np.zeros((3, 3, 3), np.uint8)]
        write(folder / "input" / "a.gen5", latents={"initial_noise": randn(2, 4, 4, 4)}, images=pictures)
        outputs = load()
        assert randn(2, 4, 4, 4).equal(outputs[0]["samples"])
        assert outputs[2] == Blocked(
            "the pictures in a.gen5 have different sizes; choose one with batch_index"
        )
        assert tuple(load(batch_index=1)[2].shape) == (1, 3, 3, 3)

    def test_short_batch_index(self, folder: Path) -> None:
        """A stored batch_index with fewer entries than images is left out instead of raising IndexError."""
        write(
            folder / "input" / "a.gen5",
            latents={"final_latent": randn(3, 4, 4, 4)},
            capture={"noise_source": "none", "batch_index": [7]},
        )
        assert "batch_index" not in load(batch_index=2)[1]


class TestMissing:
    """What a file lacks blocks only the outputs that need it, and the message says why."""

    def test_everything_missing(self, folder: Path) -> None:
        """A file with nothing in it gives blocked outputs, each with its reason, and the file itself."""
        write(folder / "input" / "a.gen5")
        noise, result, picture, source, stored = load()
        assert noise == Blocked("a.gen5 holds no starting noise: it was saved without any")
        assert noise == source
        assert result == Blocked("a.gen5 holds no result latent: it was saved without one")
        assert picture == Blocked("a.gen5 holds no picture: it was saved without one")
        assert stored.path.name == "a.gen5"

    def test_stored_reason(self, folder: Path) -> None:
        """The reason for missing noise is the one stored in the file."""
        write(folder / "input" / "a.gen5", capture={"noise_source": "none", "reason": "TestOwnNoise draws"})
        assert load()[0] == Blocked("a.gen5 holds no starting noise: TestOwnNoise draws")


class TestDrift:
    """A different environment is reported in the documented words, ignored, or rejected."""

    @pytest.fixture(autouse=True)
    def stored(self, folder: Path) -> None:
        """A file of this environment, except for another numpy and a component that is missing here."""
        now = gen5core.Environment.capture()
        numpy_then = Component("numpy", "name=numpy;version=0.9")
        gone = Component("gpu", "name=gpu;model=a GPU of the past")
        parts = [part for part in now.components if part.component_id not in ("numpy", "gpu")]
        environment = gen5core.Environment((*parts, numpy_then, gone), now.further, {})
        write(folder / "input" / "a.gen5", environment=environment)

    @staticmethod
    def expected() -> list[str]:
        """Return the documented texts, written by hand."""
        here = torch.cuda.is_available()
        gpu = "Environment component 'gpu' missing in current system"
        return [
            "Environment component 'numpy' differs:\n  File: name=numpy;version=0.9\n"
            f"  Current: name=numpy;version={np.__version__}",
            *([] if here else [gpu]),
        ]

    def test_warn(self) -> None:
        """warn gives a UserWarning for each difference and sends the browser the same texts."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sent = Gen5Load().load("a.gen5", on_drift="warn")["ui"]["gen5"][0]["drift"]
        warned = [str(one.message) for one in caught if one.category is UserWarning]
        assert sent == warned
        assert self.expected() == warned[: len(self.expected())]

    def test_ignore(self) -> None:
        """ignore reports nothing."""
        assert Gen5Load().load("a.gen5", on_drift="ignore")["ui"]["gen5"][0]["drift"] == []

    def test_error(self) -> None:
        """error raises with the remedy and every difference."""
        start = "a.gen5 was made in another environment; set on_drift to warn to load it all the same.\n"
        with pytest.raises(EncodeError, match=f"^{re.escape(start + chr(10).join(self.expected()))}"):
            load(on_drift="error")


class TestNoiseSource:
    """The NOISE for SamplerCustomAdvanced."""

    def test_stored_noise_and_seed(self, folder: Path) -> None:
        """generate_noise returns the stored tensor for a latent of its shape; seed is the stored seed."""
        write(
            folder / "input" / "a.gen5",
            latents={"initial_noise": randn(1, 4, 4, 4)},
            settings={"seed": 2**64 - 1},
        )
        source = load()[3]
        assert source.seed == 2**64 - 1
        assert randn(1, 4, 4, 4).equal(source.generate_noise({"samples": torch.zeros(1, 4, 4, 4)}))

    def test_seed_of_the_pass_of_the_noise(self, folder: Path) -> None:
        """With two passes, noise and seed are those of the first; inpainting draws from the seed."""
        write(
            folder / "input" / "a.gen5",
            latents={"initial_noise": randn(1, 4, 4, 4)},
            settings={"seed": 22},
            capture={
                "noise_source": "recorded",
                "passes": [{"seed": 11, "noise": "initial_noise"}, {"seed": 22}],
            },
        )
        assert load()[3].seed == 11

    def test_another_shape(self) -> None:
        """A latent of another shape is an error that names both shapes and the remedy."""
        source = StoredNoise(randn(1, 4, 4, 4), 1, "a.gen5")
        with pytest.raises(EncodeError, match=r"^a\.gen5 .*\[1, 4, 4, 4\], .*\[1, 4, 4, 8\]: use "):
            source.generate_noise({"samples": torch.zeros(1, 4, 4, 8)})


class TestStartWithoutNoise:
    """A file of a run that added no noise."""

    def test_outputs(self, folder: Path) -> None:
        """`noise` is the latent that the run started from, with its mask; `noise_source` adds nothing."""
        start, mask = randn(2, 4, 4, 4), randn(1, 1, 4, 4, seed=1)
        first = {
            "recorded": True,
            "add_noise": False,
            "seed": 11,
            "sigmas": [2.0, 0.0],
            "shapes": [[2, 4, 4, 4]],
        }
        second = {**first, "add_noise": True, "seed": 12, "noise": "initial_noise.1"}
        passes = [{**first, "start_latent": "start_latent", "noise_mask": "noise_mask"}, second]
        latents = {"start_latent": start, "noise_mask": mask, "initial_noise.1": randn(2, 4, 4, 4, seed=2)}
        write(
            folder / "input" / "a.gen5",
            latents=latents,
            capture={"noise_source": "recorded", "passes": passes},
        )
        noise, _, _, source, _ = load(batch_index=1)
        assert start[1:].equal(noise["samples"])
        assert mask.equal(noise["noise_mask"])
        assert source.seed == 11
        assert torch.zeros(1, 4, 4, 4).equal(source.generate_noise(noise))


class TestOldFiles:
    """Files that the 0.1.0 package wrote."""

    @pytest.mark.parametrize("name", OLD_FILES)
    def test_every_file_loads(self, folder: Path, name: str) -> None:
        """The noise is the tensor that the package stored, bit for bit; the warnings are the documented ones."""
        (folder / "input" / name).write_bytes((CORPUS / name).read_bytes())
        noise = load(name, on_drift="ignore")[0]["samples"]
        latents = json.loads((CORPUS / name).with_suffix(".json").read_text())["latents"]
        [expected] = [latents.get("initial_noise", next(iter(latents.values())))]
        assert expected["shape"] == list(noise.shape)
        assert expected["dtype"] == str(noise.dtype).removeprefix("torch.")
        with gen5core.open(folder / "input" / name) as file:
            assert file.latents["initial_noise"].array().tobytes() == noise.numpy().tobytes()

    def test_corpus_is_not_empty(self) -> None:
        """The corpus holds files of the package, so that the test above tests something."""
        assert {"gen5-0.1.0_raw_float32.gen5", "gen5-0.1.0_two_latents.gen5"} < set(OLD_FILES)


class TestTrust:
    """Every byte is checked when a file is loaded, and a later change is noticed."""

    def test_any_damage_is_an_error(self, folder: Path) -> None:
        """A flipped bit in a latent that no output needs is an error too."""
        path = write(
            folder / "input" / "a.gen5",
            latents={"initial_noise": randn(1, 4, 4, 4), "step_noise": randn(1, 4, 4, 4)},
            compression="none",
        )
        with gen5core.open(path) as file:
            offset = file.rows[1].offset + 40
        data = bytearray(path.read_bytes())
        data[offset] ^= 1
        path.write_bytes(data)
        with pytest.raises(ChecksumError, match=re.escape(f"{path}: chunk 1 (LATN 'step_noise')")):
            load()

    def test_file_replaced_between_nodes(self, folder: Path) -> None:
        """A file that was replaced after it was loaded is an error."""
        path = write(folder / "input" / "a.gen5", latents={"initial_noise": randn(1, 4, 4, 4)})
        stored = load()[4]
        with stored.latents() as read:
            assert randn(1, 4, 4, 4).equal(read("initial_noise")[0])
        write(path, latents={"initial_noise": randn(1, 4, 4, 4, seed=9)})
        with pytest.raises(ChecksumError, match=rf"^a\.gen5 was replaced since it was .*: {REMEDY}$"):
            stored.read_start()

    def test_file_gone_between_nodes(self, folder: Path) -> None:
        """A file that disappeared after it was loaded is reported with a remedy that works despite caching."""
        path = write(folder / "input" / "a.gen5", latents={"initial_noise": randn(1, 4, 4, 4)})
        stored = load()[4]
        path.unlink()
        message = rf"^a\.gen5 was moved or deleted since it was saved or loaded: {REMEDY}$"
        with pytest.raises(EncodeError, match=message):
            stored.read_start()
        path.parent.rmdir()
        path.parent.touch()  # a file in place of its folder: another error of the system
        with pytest.raises(EncodeError, match=message):
            stored.read_start()

    @pytest.mark.parametrize(
        ("passes", "message"),
        [
            (5, "capture's passes are 5, not a list of objects"),
            ("abc", "capture's passes are 'abc', not a list of objects"),
            ([5], "capture's passes are [5], not a list of objects"),
            ({"a": 1}, "capture's passes are {'a': 1}, not a list of objects"),
            ([{}, {"sigmas": "abc"}], "capture's pass 1: sigmas is 'abc'"),
            ([{"sigmas": ["1"]}], "capture's pass 0: sigmas is ['1']"),
            ([{"shapes": [1]}], "capture's pass 0: shapes is [1]"),
            ([{"shapes": 5}], "capture's pass 0: shapes is 5"),
            ([{"shapes": [[-1]]}], "capture's pass 0: shapes is [[-1]]"),
            ([{"shapes": [[[[[[1]]]]]] * 9}], "capture's pass 0: shapes is " + f"[{'[[[...]]], ' * 6}...]"),
        ],
    )
    def test_invalid_capture(self, folder: Path, passes: Any, message: str) -> None:
        """Passes that violate the format raise FormatError, not a Python error."""
        capture = {"noise_source": "recorded", "passes": passes}
        write(folder / "input" / "a.gen5", latents={"initial_noise": randn(1, 4, 4, 4)}, capture=capture)
        with pytest.raises(FormatError, match=re.escape(f"a.gen5: META: {message}") + "$"):
            open_stored(folder / "input" / "a.gen5").read_start()

    def test_infinite_sigmas(self, folder: Path) -> None:
        """Sigmas with an infinity, which JSON stores as null, count as unknown."""
        capture = {"noise_source": "recorded", "passes": [{"sigmas": [float("inf"), 0.0]}]}
        with gen5core.open(write(folder / "a.gen5", capture=capture)) as file:
            assert [found.sigmas for found in read_passes(file)] == [None]

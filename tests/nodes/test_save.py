"""Save Gen5 without ComfyUI: the file, the PNGs beside it, and what remains if it fails."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.environment.model_digests import digest_file
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes import host
from gen5pack.nodes import save as save_module
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.saving import metadata, output_paths
from gen5pack.nodes.saving.capture import Captured
from gen5pack.nodes.tensors import images as tensor_images
from PIL import Image
from runs import hires, images, randn, run, txt2img

HERE = Path(__file__).parent


def save(**inputs: Any) -> tuple[Path, dict[str, Any]]:
    """Save with the node; return the file's path and what the node shows."""
    answer = Gen5Save().save(**{"filename_prefix": "x", **inputs})
    return answer["result"][1].path, answer["ui"]


def files_in(folder: Path) -> list[str]:
    """Return every file under output/, sorted."""
    return sorted(
        path.relative_to(folder / "output").as_posix()
        for path in (folder / "output").rglob("*")
        if path.is_file()
    )


@pytest.mark.parametrize("format", ["gen5+png", "gen5"])
def test_more_images_than_chunks(folder: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    """The images are made: as many as a file can hold are in it, and it says so, as does the node."""
    monkeypatch.setattr(save_module.spec, "MAX_CHUNKS", 4)
    path, ui = save(images=images(5, 8, 8), latent={"samples": randn(5, 4, 1, 1)}, format=format)
    says = "the file holds the first 2 of 5 images: it can have 4 chunks"
    with gen5core.open(path) as file:
        assert len(file.images) == 2
        assert says in (file.capture or {})["reason"]
    assert says in ui["gen5"][0]["reason"]
    assert len(files_in(folder)) == (6 if format == "gen5+png" else 1)


class TestWhatIsSaved:
    """Images, latent, or both; never nothing."""

    def test_nothing_is_an_error_and_leaves_nothing(self, folder: Path) -> None:
        """With neither images nor latent the node says what to connect, and no folder appears."""
        with pytest.raises(EncodeError, match=r"^nothing to save: connect images, latent, or both$"):
            Gen5Save().save("sub/x")
        assert list((folder / "output").iterdir()) == []

    def test_images_only(self, folder: Path) -> None:
        """Images alone are stored, and written as PNGs; without a prompt there is no noise, and the reason says why."""
        path, ui = save(images=images())
        assert files_in(folder) == ["x_00001_.gen5", "x_00001_.png"]
        with gen5core.open(path) as file:
            file.verify()
            assert list(file.latents) == []
            assert len(file.images) == 1
            assert file.capture == {
                "noise_source": "none",
                "passes": [],
                "reason": "no sampler was found above this node",
            }
        told = (ui["gen5"][0]["reason"], ui["gen5"][0]["reason_kind"])
        assert told == ("no sampler was found above this node", "no_sampler")

    def test_latent_only(self, folder: Path) -> None:
        """A latent alone is stored with its derived noise; no PNG is written."""
        result = randn(1, 4, 4, 8)
        path, ui = save(latent={"samples": result}, prompt=txt2img(), unique_id="9")
        assert files_in(folder) == ["x_00001_.gen5"]
        assert ui["images"] == []
        with gen5core.open(path) as file:
            assert result.equal(file.latents["final_latent"].torch())
            assert set(file.latents) == {"initial_noise", "final_latent"}
            assert file.images == ()

    def test_images_pass_through(self) -> None:
        """The images output is the input tensor itself."""
        given = images()
        assert given is Gen5Save().save("x", images=given)["result"][0]

    def test_latent_alone_blocks_the_images_output(self) -> None:
        """Without images, the images output says so and stops only the nodes that need it."""
        answer = Gen5Save().save("x", latent={"samples": randn(1, 4, 4, 4)})
        assert "images" in answer["result"][0].message

    def test_something_else_on_the_latent_socket(self, folder: Path) -> None:
        """If an input is not a LATENT, the error names it with a remedy, and nothing is written."""
        with pytest.raises(EncodeError, match=r"^latent .*`samples`.*connect"):
            Gen5Save().save("x", latent={"image": 1})
        assert files_in(folder) == []

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
    def test_latent_keeps_its_dtype(self, dtype: torch.dtype) -> None:
        """A latent, and the noise derived for it, are stored bit for bit in the dtype of the latent."""
        result = randn(2, 4, 4, 8, dtype=dtype)
        path, _ = save(latent={"samples": result}, prompt=txt2img(3, 2), unique_id="9")
        expected = torch.randn((2, 4, 4, 8), generator=torch.Generator().manual_seed(3)).to(dtype)
        with gen5core.open(path) as file:
            actual = file.latents["final_latent"].torch(), file.latents["initial_noise"].torch()
        assert (actual[0].dtype, actual[1].dtype) == (dtype, dtype)
        assert result.equal(actual[0])
        assert expected.equal(actual[1])

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bool, torch.uint8])
    def test_mask_and_batch_index_are_kept(self, dtype: torch.dtype) -> None:
        """noise_mask, of any dtype, and batch_index of the latent are in the file."""
        mask = (randn(2, 1, 4, 8) > 0).to(dtype)
        latent = {"samples": randn(2, 4, 4, 8), "noise_mask": mask, "batch_index": [3, 1]}
        path, _ = save(latent=latent, prompt=txt2img(9), unique_id="9")
        with gen5core.open(path) as file:
            assert file.capture is not None
            assert file.capture["batch_index"] == [3, 1]
            assert file.capture["passes"][0]["noise_mask"] == "noise_mask"
            assert mask.float().equal(file.latents["noise_mask"].torch().float())
            generator = torch.Generator().manual_seed(9)
            drawn = [torch.randn((1, 4, 4, 8), generator=generator) for _ in range(4)]
            assert torch.cat([drawn[3], drawn[1]]).equal(file.latents["initial_noise"].torch())

    def test_tags_are_split_at_commas(self) -> None:
        """Spaces around tags, and empty tags, are dropped."""
        with gen5core.open(save(images=images(), tags=" a cat,,猫 , ")[0]) as file:
            assert file.tags == ("a cat", "猫")

    @pytest.mark.parametrize("compression", ["none", "zstd"])
    def test_compression_is_as_chosen(self, compression: str) -> None:
        """none stores latents as they are, zstd compresses every one."""
        path, _ = save(latent={"samples": torch.zeros(1, 4, 16, 16)}, compression=compression)
        with gen5core.open(path) as file:
            assert [row.compressed for row in file.rows if row.type == "LATN"] == [compression == "zstd"]


class TestSettings:
    """The file's settings, prompt and model are those of the last pass."""

    def test_graph_is_described(self) -> None:
        """Settings, prompt, model and resources are those of the graph."""
        path, _ = save(images=images(), prompt=txt2img(2**64 - 1), unique_id="9")
        with gen5core.open(path) as file:
            assert file.settings == {
                "seed": 2**64 - 1,
                "steps": 20,
                "sampler": "euler",
                "cfg_scale": 7.5,
                "scheduler": "karras",
                "denoise": 1.0,
                "negative": "blurry",
                "width": 64,
                "height": 32,
            }
            assert (file.prompt, file.model_name) == ("a cat, 猫", "sd.safetensors")
            assert list(file.resources) == [{"kind": "model", "name": "sd.safetensors", "state": "named"}]

    @pytest.mark.parametrize("odd", [{"steps": 0}, {"cfg": -1.0}, {"cfg": float("inf")}])
    def test_odd_settings_do_not_stop_a_save(self, odd: dict[str, Any]) -> None:
        """A setting that the format does not allow is left out, and the image is still saved."""
        path, _ = save(
            images=images(),
            latent={"samples": randn(1, 4, 4, 8)},
            prompt=txt2img(**odd),
            unique_id="9",
        )
        with gen5core.open(path) as file:
            assert file.capture is not None
            assert file.capture["noise_source"] == "derived"
            assert {"seed", "sampler", "scheduler"} < set(file.settings)
            assert len(file.images) == 1

    @pytest.mark.parametrize("seed", [-1, 2**64])
    def test_seed_out_of_range_is_unknown(self, seed: int) -> None:
        """A seed that ComfyUI's generators do not accept is not stored, and no noise is drawn from it."""
        path, ui = save(latent={"samples": randn(1, 4, 4, 8)}, prompt=txt2img(seed), unique_id="9")
        assert ui["gen5"][0]["noise_source"] == "none"
        assert "seed" in ui["gen5"][0]["reason"]
        with gen5core.open(path) as file:
            assert "seed" not in file.settings


class TestResources:
    """The models that made an image, each once, with a digest if their file is found."""

    @pytest.mark.parametrize("choice", ["sampled", "full", "off"])
    def test_digests(self, folder: Path, choice: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Checkpoint and LoRA have size and digest as chosen; a file that is not found has only its name."""
        model = folder / "sd.safetensors"
        model.write_bytes(b"weights" * 1000)
        found = {"sd.safetensors": model, "gone.safetensors": None}
        monkeypatch.setattr(host, "model_file", lambda kinds, name: found[name])
        graph = txt2img(model=["10", 0])
        graph["10"] = {
            "class_type": "LoraLoaderModelOnly",
            "inputs": {"model": ["4", 0], "lora_name": "gone.safetensors", "strength_model": 0.5},
        }
        path, _ = save(images=images(), prompt=graph, unique_id="9", fingerprint_models=choice)
        expected: dict[str, Any] = {"kind": "model", "name": "sd.safetensors", "size_bytes": 7000}
        expected["state"] = "named"
        if choice != "off":
            name = {"sampled": "sha256-sampled-256x4096", "full": "sha256"}[choice]
            expected |= {"digest": digest_file(model, choice), "digest_kind": name}
        with gen5core.open(path) as file:
            assert list(file.resources) == [
                expected,
                {"kind": "lora", "name": "gone.safetensors", "state": "named"},
            ]

    def test_unreadable(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A model that cannot be read costs no picture: it has only its name."""
        monkeypatch.setattr(host, "model_file", lambda kinds, name: folder / "gone.safetensors")
        path, _ = save(images=images(), prompt=txt2img(), unique_id="9")
        with gen5core.open(path) as file:
            assert list(file.resources) == [{"kind": "model", "name": "sd.safetensors", "state": "named"}]


class TestNoise:
    """Recorded, provided, derived, none: in this order, and the file says which."""

    def test_derived_equals_comfyuis_draw(self) -> None:
        """Derived noise equals torch.manual_seed and randn for the latent's shape."""
        path, ui = save(latent={"samples": randn(2, 4, 4, 8)}, prompt=txt2img(7, 2), unique_id="9")
        expected = torch.randn((2, 4, 4, 8), generator=torch.manual_seed(7))
        with gen5core.open(path) as file:
            assert expected.equal(file.latents["initial_noise"].torch())
            assert file.capture is not None
            assert file.capture["noise_source"] == "derived"
        assert (ui["gen5"][0]["noise_source"], ui["gen5"][0]["reason"]) == ("derived", None)

    def test_deriving_leaves_the_global_generator(self) -> None:
        """A save does not move torch's global generator."""
        torch.manual_seed(1)
        before = torch.get_rng_state()
        save(latent={"samples": randn(1, 4, 4, 8)}, prompt=txt2img(), unique_id="9")
        assert before.equal(torch.get_rng_state())

    def test_provided_comes_before_derived(self) -> None:
        """The noise socket's tensors are stored as they are, even if noise could be derived."""
        noise = randn(1, 4, 4, 8, seed=99)
        path, ui = save(
            latent={"samples": randn(1, 4, 4, 8)}, noise={"samples": noise}, prompt=txt2img(), unique_id="9"
        )
        with gen5core.open(path) as file:
            assert noise.equal(file.latents["initial_noise"].torch())
        assert ui["gen5"][0]["noise_source"] == "provided"

    def test_recorded_comes_first(self) -> None:
        """A recorded run of this very latent is stored, whatever else is connected."""
        recording, noise = Recording(), randn(1, 4, 4, 8, seed=42)
        result, _ = run([SamplingRecorder(recording)], noise, seed=5)
        path, ui = save(
            latent={"samples": result},
            noise={"samples": randn(1, 4, 4, 8)},
            recording=recording,
            prompt=txt2img(),
            unique_id="9",
        )
        with gen5core.open(path) as file:
            assert noise.equal(file.latents["initial_noise"].torch())
            assert file.capture is not None
            [stored] = file.capture["passes"]
        assert ui["gen5"][0]["noise_source"] == "recorded"
        assert (stored["sigmas"], stored["seed"], stored["cfg"]) == ([14.5, 3.0, 0.0], 5, 8.0)

    def test_recording_of_another_latent_is_not_attached(self) -> None:
        """If the recording has no run of this latent, derived noise is stored, with the reason."""
        recording = Recording()
        run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=42), seed=5)
        path, ui = save(
            latent={"samples": randn(1, 4, 4, 8)}, recording=recording, prompt=txt2img(5), unique_id="9"
        )
        expected = torch.randn((1, 4, 4, 8), generator=torch.Generator().manual_seed(5))
        with gen5core.open(path) as file:
            assert expected.equal(file.latents["initial_noise"].torch())
        assert ui["gen5"][0]["noise_source"] == "derived"
        for word in ("no recorded run", "connect"):
            assert word in ui["gen5"][0]["reason"]

    def test_split_sampler_derives_the_first_halfs_noise(self) -> None:
        """If the last pass adds no noise, the noise of the pass that does is derived."""
        graph = hires()
        advanced = {
            "class_type": "KSamplerAdvanced",
            "inputs": {
                "add_noise": "enable",
                "noise_seed": 11,
                "steps": 4,
                "cfg": 1.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "start_at_step": 0,
                "end_at_step": 2,
                "return_with_leftover_noise": "enable",
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
            },
        }
        graph["3"] = advanced
        graph["13"] = {
            "class_type": "KSamplerAdvanced",
            "inputs": {
                **advanced["inputs"],  # type: ignore[dict-item]
                "add_noise": "disable",
                "start_at_step": 2,
                "latent_image": ["3", 0],
            },
        }
        path, _ = save(latent={"samples": randn(1, 4, 4, 8)}, prompt=graph, unique_id="9")
        with gen5core.open(path) as file:
            expected = torch.randn((1, 4, 4, 8), generator=torch.Generator().manual_seed(11))
            assert expected.equal(file.latents["initial_noise"].torch())

    def test_only_the_last_pass_is_derived(self) -> None:
        """If two passes add noise, only that of the last is derived, under its own name; the file says so."""
        path, _ = save(latent={"samples": randn(1, 4, 8, 16)}, prompt=hires(), unique_id="9")
        with gen5core.open(path) as file:
            assert set(file.latents) == {"initial_noise.1", "final_latent"}
            assert file.capture is not None
            assert (
                file.capture["reason"]
                == "only the noise of pass 1 can be derived, not that of earlier passes: connect Record Sampling"
            )

    def test_changed_latent_has_no_noise(self) -> None:
        """If the latent was changed after sampling, the noise's shape is unknown; the save succeeds without noise."""
        graph = txt2img()
        graph["12"] = {
            "class_type": "LatentUpscale",
            "inputs": {"samples": ["3", 0], "width": 128, "height": 64},
        }
        graph["9"]["inputs"]["latent"] = ["12", 0]
        path, ui = save(latent={"samples": randn(1, 4, 8, 16)}, prompt=graph, unique_id="9")
        assert (
            ui["gen5"][0]["noise_source"],
            ui["gen5"][0]["reason"],
            ui["gen5"][0]["reason_kind"],
        ) == (
            "none",
            "the latent was changed after sampling, so the noise's shape is unknown",
            "latent_changed",
        )
        with gen5core.open(path) as file:
            assert set(file.latents) == {"final_latent"}

    def test_images_alone_do_not_give_the_shape(self) -> None:
        """Without the latent nothing is derived, and the reason says what is missing."""
        _, ui = save(images=images(), prompt=txt2img(), unique_id="9")
        told = (ui["gen5"][0]["reason"], ui["gen5"][0]["reason_kind"])
        assert told == ("no latent is connected, so the noise's shape is unknown", "no_latent")


class TestImagesStored:
    """all, first or none is decided before anything is encoded."""

    @pytest.mark.parametrize(("choice", "count"), [("all", 3), ("first", 1), ("none", 0)])
    @pytest.mark.parametrize("format", ["gen5+png", "gen5"])
    def test_choice(self, folder: Path, choice: str, count: int, format: str) -> None:
        """The file has the chosen number of images; all PNGs are written in any case."""
        given = images(3)
        path, ui = save(images=given, images_stored=choice, format=format)
        expected = (given * 255).to(torch.uint8).numpy()
        with gen5core.open(path) as file:
            assert len(file.images) == count
            for number, image in enumerate(file.images):
                assert expected[number].tobytes() == image.array().tobytes()
        pngs = [name for name in files_in(folder) if name.endswith(".png")]
        assert (3 if format == "gen5+png" else 0) == len(pngs)
        assert len(ui["images"]) == 3

    def test_too_many_latents_are_refused_before_encoding(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If not even the latents fit, the error comes before any image is encoded, and no file is left."""

        def refuse(*_: Any, **__: Any) -> bytes:
            raise AssertionError("an image was encoded")

        monkeypatch.setattr(tensor_images, "encode_image", refuse)
        monkeypatch.setattr(save_module.spec, "MAX_CHUNKS", 2)
        with pytest.raises(EncodeError, match="2 images and 1 latents are more than the 2 chunks"):
            Gen5Save().save("deep/x", images=images(2, 2, 2), latent={"samples": randn(2, 4, 1, 1)})
        assert list((folder / "output").rglob("*")) == []
        assert not (folder / "temp").exists()

    def test_1200_frames_with_first(self, folder: Path) -> None:
        """1200 frames with first: one in the file, every one beside it."""
        path, _ = save(images=images(1200, 2, 2), images_stored="first")
        with gen5core.open(path) as file:
            assert len(file.images) == 1
        assert len(files_in(folder)) == 1201


class TestToldToTheBrowser:
    """What the page gets to know about a save."""

    def test_root_and_path(self, folder: Path) -> None:
        """Name, folder, size and root are those of the file."""
        path, ui = save(filename_prefix="sub/x", images=images())
        [summary] = ui["gen5"]
        with gen5core.open(path) as file:
            assert summary["root"] == file.root
        assert tuple(summary[name] for name in ("filename", "subfolder", "type", "size_bytes")) == (
            "x_00001_.gen5",
            "sub",
            "output",
            path.stat().st_size,
        )

    def test_step_noise_by_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each pass says whether its step noise is stored, and if not although there was some, why."""
        passes = [{"step_noise": "step_noise"}, {"step_noise_reason": "it takes more than 64 MiB"}, {}]
        captured = Captured("recorded", {"step_noise": randn(2, 1, 4, 2, 2)}, passes)
        monkeypatch.setattr(save_module, "capture_noise", lambda *_: captured)
        _, ui = save(images=images())
        assert ui["gen5"][0]["step_noise"] == [
            {"pass": 0, "stored": True, "reason": None},
            {"pass": 1, "stored": False, "reason": "it takes more than 64 MiB"},
            {"pass": 2, "stored": False, "reason": None},
        ]


class TestMachineName:
    """The machine's name, which is stored only if the user has chosen that."""

    @pytest.mark.parametrize("setting", [None, "false", '"true"', "1"])
    def test_off_by_default(self, folder: Path, setting: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the setting, or with an invalid value, the name is nowhere in the file."""
        monkeypatch.setattr(metadata.platform, "node", lambda: "anns-laptop")
        if setting is not None:
            choose(folder, setting)
        path, _ = save(images=images())
        with gen5core.open(path) as file:
            assert "anns-laptop" not in str(file.metadata)
            assert file.hardware == gen5core.Environment.capture().hardware

    @pytest.mark.parametrize(("name", "expected"), [("anns-laptop", "anns-laptop"), ("a\udcffb", "a?b")])
    def test_chosen(self, folder: Path, name: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the setting the name is in hardware_info, beside the other facts of the machine."""
        monkeypatch.setattr(metadata.platform, "node", lambda: name)
        choose(folder, "true")
        path, _ = save(images=images())
        with gen5core.open(path) as file:
            assert file.hardware == {**gen5core.Environment.capture().hardware, "machine_name": expected}

    def test_a_machine_without_a_name(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the system has no name, the file is as without the setting."""
        monkeypatch.setattr(metadata.platform, "node", lambda: "")
        choose(folder, "true")
        path, _ = save(images=images())
        with gen5core.open(path) as file:
            assert file.hardware == gen5core.Environment.capture().hardware


def choose(folder: Path, value: str) -> None:
    """Write Gen5.Privacy.MachineName into ComfyUI's settings file."""
    path = folder / "user" / "default" / "comfy.settings.json"
    path.parent.mkdir(parents=True)
    path.write_text(f'{{"Gen5.Privacy.MachineName": {value}}}')


class TestPngs:
    """The PNGs beside the file equal those of Save Image."""

    def test_single_image_is_named_like_the_file(self, folder: Path) -> None:
        """One image has the file's own name, in the subfolder of the prefix."""
        _, ui = save(filename_prefix="sub/deep/x", images=images())
        assert files_in(folder) == ["sub/deep/x_00001_.gen5", "sub/deep/x_00001_.png"]
        assert ui["images"] == [{"filename": "x_00001_.png", "subfolder": "sub/deep", "type": "output"}]

    def test_batch_is_numbered(self, folder: Path) -> None:
        """The images of a batch are numbered after the counter."""
        save(images=images(3))
        assert files_in(folder) == [
            "x_00001_.gen5",
            "x_00001_0.png",
            "x_00001_1.png",
            "x_00001_2.png",
        ]

    def test_a_prefix_that_is_too_long(self, folder: Path) -> None:
        """If the file system does not allow the name, the error names the prefix, and nothing is written."""
        with pytest.raises(EncodeError, match=r"gives no file name .*choose a shorter or plainer one"):
            save(filename_prefix="x" * 300, images=images())
        assert files_in(folder) == []

    @pytest.mark.parametrize("call", ["mkdir", "open"])
    @pytest.mark.parametrize("format", ["gen5+png", "gen5"])
    def test_a_disk_that_can_only_be_read(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, format: str, call: str
    ) -> None:
        """The remedy is about the disk, not about the prefix, whether its folder or its file cannot be made."""

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder / "output" / "sub"))

        monkeypatch.setattr(os, call, refuse)
        prefix = "sub/x" if call == "mkdir" else "x"
        with pytest.raises(OSError, match="nothing was written; the disk can only be read") as caught:
            save(filename_prefix=prefix, images=images(), format=format)
        assert caught.value.errno == errno.EROFS

    @pytest.mark.parametrize(
        ("size", "count", "fits"),
        [(243, 1, True), (244, 1, False), (243, 2, True), (242, 11, True), (243, 12, False)],
    )
    def test_the_longest_prefix(self, folder: Path, size: int, count: int, fits: bool) -> None:
        """The whole name counts, with number and suffix: as long as the names of this save fit, they are written."""
        prefix = "é" * (size // 2) + "x" * (size % 2)
        if fits:
            save(filename_prefix=prefix, images=images(count, 8, 8))
            assert len(files_in(folder)) == 1 + count
            return
        with pytest.raises(EncodeError, match="choose a shorter or plainer one"):
            save(filename_prefix=prefix, images=images(count, 8, 8))
        assert files_in(folder) == []

    def test_a_prefix_that_is_refused_before_the_run(self) -> None:
        """What fits no file at all is refused as the prompt is queued; with tokens, or linked, it is not known."""
        too_long = Gen5Save.VALIDATE_INPUTS("sub/" + "x" * 250)
        assert isinstance(too_long, str)
        assert "takes 261 bytes, file systems allow 255; choose one that is 6 bytes shorter" in too_long
        fitting = ["x" * 243, "x" * 200 + "/" + "y" * 200, "%date:yyyy%" * 50, "é" * 121, None]
        assert [Gen5Save.VALIDATE_INPUTS(prefix) for prefix in fitting] == [True] * 5

    def test_batch_num_token(self, folder: Path) -> None:
        """%batch_num% is the image's number in the PNGs, 0 in the file's own name."""
        save(filename_prefix="a%batch_num%b", images=images(2))
        save(filename_prefix="a%batch_num%b", images=images(2))
        assert files_in(folder) == [
            "a0b_00001_.gen5",
            "a0b_00001_0.png",
            "a0b_00002_.gen5",
            "a0b_00002_0.png",
            "a1b_00001_1.png",
            "a1b_00002_1.png",
        ]

    def test_pixels_and_text(self, folder: Path) -> None:
        """Pixels are rounded as in Save Image; prompt and workflow are in the PNG and in the file."""
        workflow = {"nodes": [], "version": 0.4, "name": "猫"}
        path, _ = save(images=images(), prompt=txt2img(), unique_id="9", extra_pnginfo={"workflow": workflow})
        with Image.open(folder / "output" / "x_00001_.png") as picture:
            assert (images()[0] * 255).to(torch.uint8).numpy().tobytes() == picture.tobytes()
            assert txt2img() == json.loads(picture.text["prompt"])
            assert workflow == json.loads(picture.text["workflow"])
        with gen5core.open(path) as file:
            assert file.images[0].bytes == (folder / "output" / "x_00001_.png").read_bytes()
            assert {name: (file.comfyui or {})[name] for name in ("prompt", "workflow")} == {
                "prompt": txt2img(),
                "workflow": workflow,
            }

    def test_values_outside_are_clipped(self) -> None:
        """Values below 0 and above 1 are clipped, not wrapped."""
        given = torch.tensor([-0.5, 0.0, 1.5]).reshape(1, 1, 1, 3)
        with gen5core.open(save(images=given)[0]) as file:
            assert file.images[0].array().reshape(-1).tolist() == [0, 0, 255]

    @pytest.mark.parametrize("format", ["gen5+png", "gen5"])
    def test_embed_workflow_off(self, folder: Path, format: str) -> None:
        """With embed_workflow off neither the file nor a PNG holds prompt or workflow."""
        path, _ = save(
            images=images(),
            prompt=txt2img(),
            unique_id="9",
            extra_pnginfo={"workflow": {"secret": 1}},
            embed_workflow=False,
            format=format,
        )
        with gen5core.open(path) as file:
            assert file.comfyui is None
            with Image.open(io.BytesIO(file.images[0].bytes)) as picture:
                assert picture.text == {}
        assert not any(b"secret" in entry.read_bytes() for entry in folder.rglob("*.*") if entry.is_file())

    @pytest.mark.parametrize("format", ["gen5+png", "gen5"])
    def test_stored_picture_has_the_workflow(self, format: str) -> None:
        """The picture inside the file has the workflow in either format, so that it opens when dropped on a canvas."""
        path, _ = save(images=images(), extra_pnginfo={"workflow": {"nodes": []}}, format=format)
        with gen5core.open(path) as file, Image.open(io.BytesIO(file.images[0].bytes)) as picture:
            assert json.loads(picture.text["workflow"]) == {"nodes": []}

    def test_gen5_alone_shows_a_preview(self, folder: Path) -> None:
        """Without PNGs a preview is written to temp/, with the picture's pixels and no workflow."""
        _, ui = save(images=images(2), format="gen5", extra_pnginfo={"workflow": {}})
        assert files_in(folder) == ["x_00001_.gen5"]
        assert [shown["type"] for shown in ui["images"]] == ["temp", "temp"]
        with Image.open(folder / "temp" / ui["images"][1]["filename"]) as picture:
            assert (images(2)[1] * 255).to(torch.uint8).numpy().tobytes() == picture.tobytes()
            assert picture.text == {}


class TestCounter:
    """A number in use is never used again."""

    def test_it_counts_up(self, folder: Path) -> None:
        """Each save takes the number after the highest existing one."""
        (folder / "output" / "x_00041_.gen5").write_bytes(b"kept")
        (folder / "output" / "x_draft_.gen5").write_bytes(b"kept")
        save(images=images())
        save(latent={"samples": randn(1, 4, 4, 4)})
        assert files_in(folder) == [
            "x_00041_.gen5",
            "x_00042_.gen5",
            "x_00042_.png",
            "x_00043_.gen5",
            "x_draft_.gen5",
        ]
        assert (folder / "output" / "x_00041_.gen5").read_bytes() == b"kept"

    @pytest.mark.parametrize("taken", ["x_00001_.gen5", "x_00001_.png"])
    def test_a_file_that_appears_meanwhile_is_kept(
        self, folder: Path, taken: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file or PNG that another program wrote after the number was chosen is kept; the next number is taken."""
        output_path = save_module.OutputPath(folder / "output", "x", 1, "")
        monkeypatch.setattr(save_module, "find_output_path", lambda *_: output_path)
        (folder / "output" / taken).write_bytes(b"kept")
        path, _ = save(images=images())
        assert path.name == "x_00002_.gen5"
        assert sorted([taken, "x_00002_.gen5", "x_00002_.png"]) == files_in(folder)
        assert (folder / "output" / taken).read_bytes() == b"kept"

    def test_a_png_that_appears_during_the_save_is_kept(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A PNG of that name written while the file was being written is not overwritten."""
        written = gen5core.save

        def save_slowly(path: Path, **facts: Any) -> Path:
            (folder / "output" / "x_00001_.png").write_bytes(b"kept")
            return written(path, **facts)

        monkeypatch.setattr(gen5core, "save", save_slowly)
        save(images=images())
        assert (folder / "output" / "x_00001_.png").read_bytes() == b"kept"
        assert files_in(folder) == ["x_00001_.png", "x_00002_.gen5", "x_00002_.png"]

    def test_four_processes_never_overwrite(self, folder: Path) -> None:
        """Four processes that save at once write every file intact, each under its own number."""
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); import conftest, torch\n"
            "from gen5pack.nodes.save import Gen5Save\n"
            "for number in range(6):\n"
            "    Gen5Save().save('x', images=torch.full((1, 2, 2, 3), number / 255), tags=sys.argv[2])\n"
        )
        command = [sys.executable, "-W", "ignore", "-c", code, str(HERE)]
        processes = [
            subprocess.Popen([*command, str(worker)], stderr=subprocess.PIPE, text=True)
            for worker in range(4)
        ]
        errors = [process.communicate()[1] for process in processes]
        assert errors == [""] * 4
        found = []
        for path in (folder / "output").glob("*.gen5"):
            with gen5core.open(path) as file:
                file.verify()
                found.append((file.tags[0], int(file.images[0].array()[0, 0, 0])))
                assert file.images[0].bytes == path.with_suffix(".png").read_bytes()
        assert sorted(found) == [(str(worker), number) for worker in range(4) for number in range(6)]
        assert len(files_in(folder)) == 48


class TestFailure:
    """A save that fails leaves neither the file nor a PNG nor a temporary file."""

    @pytest.mark.parametrize("failing", [0, 1])
    def test_png_that_cannot_be_written_takes_the_file_along(
        self, folder: Path, failing: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If a PNG fails after the .gen5 was written, file and PNGs are removed again."""
        real, seen = output_paths.write_all, []

        def write(fd: int, buffers: Any) -> None:
            seen.append(fd)
            if len(seen) > failing:
                raise OSError(5, "Input/output error")
            real(fd, buffers)

        monkeypatch.setattr(output_paths, "write_all", write)
        with pytest.raises(OSError, match="Input/output error"):
            Gen5Save().save("x", images=images(2))
        assert failing + 1 == len(seen)
        assert files_in(folder) == []

    def test_odd_metadata_fails_before_anything_is_written(self, folder: Path) -> None:
        """The error names a value that JSON cannot hold, and no file is left."""
        with pytest.raises(EncodeError, match=r"^workflow cannot be written as JSON: "):
            Gen5Save().save("x", images=images(), extra_pnginfo={"workflow": {"a": {1, 2}}})
        assert files_in(folder) == []

    def test_not_a_number_in_a_prompt_is_saved(self) -> None:
        """A prompt with NaN, which Python's JSON accepts, is saved with null."""
        graph = txt2img()
        graph["3"]["is_changed"] = [float("nan")]
        graph["5"]["inputs"]["odd"] = float("nan")
        path, _ = save(images=images(), prompt=graph, unique_id="9")
        with gen5core.open(path) as file, Image.open(io.BytesIO(file.images[0].bytes)) as picture:
            assert "NaN" not in picture.text["prompt"]
            assert (file.comfyui or {})["prompt"]["5"]["inputs"]["odd"] is None
            assert (file.comfyui or {})["prompt"]["3"] == txt2img()["3"]


def test_saving_does_not_change_its_inputs() -> None:
    """A save does not change prompt, latent and images."""
    graph, extra = txt2img(), {"workflow": {"nodes": []}}
    samples, pixels, mask = randn(1, 4, 4, 8), images(), torch.ones(1, 1, 4, 8)
    latent = {"samples": samples.clone(), "noise_mask": mask.clone(), "batch_index": [2]}
    save(images=pixels, latent=latent, prompt=graph, unique_id="9", extra_pnginfo=extra)
    assert (txt2img(), {"workflow": {"nodes": []}}) == (graph, extra)
    assert samples.equal(latent["samples"])
    assert mask.equal(latent["noise_mask"])
    assert latent["batch_index"] == [2]
    assert np.array_equal(images().numpy(), pixels.numpy())

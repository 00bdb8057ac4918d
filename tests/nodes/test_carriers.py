"""PNGs that carry the record: saved, listed, loaded and compared; ordinary, stripped and edited PNGs are recognised."""

from __future__ import annotations

import io
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import ChecksumError, EncodeError, MalformedChunkError, NotGen5Error
from gen5pack.gen5core.images import png_chunks
from gen5pack.nodes import save as save_module
from gen5pack.nodes.compare import Gen5Compare
from gen5pack.nodes.host import Blocked
from gen5pack.nodes.load import Gen5Load
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.server.errors import HttpError
from gen5pack.nodes.server.handlers import Request, handle_file, handle_image, handle_parts
from gen5pack.nodes.stored import choices
from gen5pack.nodes.stored.choices import Carriers, list_files
from gen5pack.nodes.stored.file import open_stored
from gen5pack.nodes.stored.folders import Stamp
from PIL import Image
from runs import images, randn, txt2img

PLAIN = gen5core.encode_image(np.zeros((2, 2, 3), np.uint8))


def save(count: int = 1, **inputs: Any) -> tuple[list[Path], dict[str, Any]]:
    """Save a batch as PNGs through the node; return their paths and what the node shows."""
    given = {
        "images": images(count),
        "latent": {"samples": randn(count, 4, 4, 8, seed=1)},
        "prompt": txt2img(3, count),
        "unique_id": "9",
    }
    answer = Gen5Save().save("x", format="png", **{**given, **inputs})
    folder = answer["result"][1].path.parent
    return [folder / shown["filename"] for shown in answer["ui"]["images"]], answer["ui"]


def noise(count: int) -> torch.Tensor:
    """Return the noise of the seed that ``save`` samples with."""
    return torch.randn((count, 4, 4, 8), generator=torch.Generator().manual_seed(3))


def load(path: Path, **inputs: Any) -> tuple[Any, ...]:
    """Return the outputs of Load Gen5 for a file of output/."""
    outputs: tuple[Any, ...] = Gen5Load().load(f"{path.name} [output]", **inputs)["result"]
    return outputs


def compare(path: Path, **inputs: Any) -> dict[str, Any]:
    """Return what Compare With Stored shows about a file."""
    shown: dict[str, Any] = Gen5Compare().compare(open_stored(path), **inputs)["ui"]["gen5"][0]
    return shown


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "output").iterdir())


def edited(path: Path) -> Path:
    """Change a pixel as an editor does that keeps unknown chunks."""
    chunks = dict(png_chunks.iter_chunks(path.read_bytes()))
    with Image.open(path) as picture:
        picture.putpixel((0, 0), (1, 2, 3))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
    kept = list(png_chunks.iter_chunks(buffer.getvalue()))
    path.write_bytes(png_chunks.join_chunks([*kept[:-1], (b"gfVE", chunks[b"gfVE"]), kept[-1]]))
    return path


class TestSave:
    """format png."""

    def test_one_image(self, folder: Path) -> None:
        """One PNG and nothing else: Save Image's pixels and texts, and the complete record."""
        workflow = {"nodes": [], "version": 0.4}
        [path], ui = save(extra_pnginfo={"workflow": workflow})
        assert files_in(folder) == ["x_00001_.png"]
        with Image.open(path) as picture:
            assert (images()[0] * 255).to(torch.uint8).numpy().tobytes() == picture.tobytes()
            assert (txt2img(3), workflow) == tuple(
                json.loads(picture.text[name]) for name in ("prompt", "workflow")
            )
        with gen5core.open(path) as file:
            assert file.verify().root == ui["gen5"][0]["root"]
            assert noise(1).equal(file.latents["initial_noise"].torch())
            assert (file.comfyui or {})["workflow"] == workflow
            assert (file.settings["seed"], file.prompt, len(file.images)) == (3, "a cat, 猫", 1)
            assert "image_of_batch" not in (file.capture or {})
        assert ui["images"] == [{"filename": "x_00001_.png", "subfolder": "", "type": "output"}]
        [shown] = ui["gen5"]
        assert tuple(shown[name] for name in ("filename", "size_bytes", "noise_source")) == (
            "x_00001_.png",
            path.stat().st_size,
            "derived",
        )

    def test_batch(self, folder: Path) -> None:
        """Each image has its own numbered PNG, with its own picture and the noise of the whole batch."""
        paths, ui = save(3)
        assert files_in(folder) == ["x_00001_0.png", "x_00001_1.png", "x_00001_2.png"]
        for index, path in enumerate(paths):
            with gen5core.open(path) as file:
                file.verify()
                assert (file.capture or {})["image_of_batch"] == {"index": index, "count": 3}
                assert [image.array().tolist() for image in file.images] == [
                    (images(3)[index] * 255).to(torch.uint8).numpy().tolist()
                ]
                assert noise(3).equal(file.latents["initial_noise"].torch())
        assert [row["filename"] for row in ui["gen5"]] == ["x_00001_0.png"]

    @pytest.mark.parametrize("given", [None, torch.zeros(0, 4, 6, 3)])
    def test_no_image(self, folder: Path, given: torch.Tensor | None) -> None:
        """Without an image the node says what to do, before it creates a folder."""
        message = "there is no image for one to show: connect images, or set format to gen5"
        with pytest.raises(EncodeError, match=message):
            Gen5Save().save("sub/x", format="png", images=given, latent={"samples": randn(1, 4, 4, 4)})
        assert files_in(folder) == []

    @pytest.mark.parametrize("stored", ["all", "first", "none"])
    def test_images_stored(self, stored: str) -> None:
        """Each PNG holds its own picture, whatever images_stored says."""
        paths, _ = save(2, images_stored=stored)
        counts = []
        for path in paths:
            with gen5core.open(path) as file:
                counts.append(len(file.images))
        assert counts == [1, 1]

    def test_embed_workflow_off(self) -> None:
        """With embed_workflow off neither the record nor the PNG's texts contain the graph."""
        [path], _ = save(embed_workflow=False, extra_pnginfo={"workflow": {"secret": 1}})
        with Image.open(path) as picture:
            assert picture.text == {"Gen5": "record in gfVE"}
        with gen5core.open(path) as file:
            assert file.comfyui is None

    def test_all_or_nothing(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the second PNG cannot be written, the first one is removed again."""
        real, seen = gen5core.save, []

        def failing(path: Path, **facts: Any) -> Path:
            seen.append(path)
            if len(seen) == 2:
                raise OSError(28, "No space left on device")
            return Path(real(path, **facts))

        monkeypatch.setattr(gen5core, "save", failing)
        with pytest.raises(OSError, match="No space left"):
            save(3)
        assert (len(seen), files_in(folder)) == (2, [])

    def test_a_number_that_is_taken(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If one PNG of the batch already exists, all take the next number, and that one is kept."""
        output_path = save_module.OutputPath(folder / "output", "x", 1, "")
        monkeypatch.setattr(save_module, "find_output_path", lambda *_: output_path)
        (folder / "output" / "x_00001_1.png").write_bytes(b"kept")
        save(2)
        assert files_in(folder) == ["x_00001_1.png", "x_00002_0.png", "x_00002_1.png"]
        assert (folder / "output" / "x_00001_1.png").read_bytes() == b"kept"


class TestLoad:
    """Load Gen5 from a PNG."""

    def test_one_image(self) -> None:
        """Noise, result and picture are loaded bit for bit."""
        [path], _ = save()
        start, result, picture, source, stored = load(path)
        assert noise(1).equal(start["samples"])
        assert randn(1, 4, 4, 8, seed=1).equal(result["samples"])
        assert ((images() * 255).floor() / 255).allclose(picture)
        assert noise(1).equal(source.generate_noise(start))
        assert path == stored.path

    def test_complete_batch(self) -> None:
        """All of the noise, since the batch was sampled from it, and the one picture that the PNG shows."""
        start, result, picture, *_ = load(save(3)[0][1])
        assert noise(3).equal(start["samples"])
        assert randn(3, 4, 4, 8, seed=1).equal(result["samples"])
        assert ((images(3)[1:2] * 255).floor() / 255).allclose(picture)

    def test_batch_index(self) -> None:
        """One image of the batch: its noise from any of the PNGs, its picture only from its own PNG."""
        paths, _ = save(3)
        start, _, picture, *_ = load(paths[2], batch_index=2)
        assert noise(3)[2:].equal(start["samples"])
        assert ((images(3)[2:] * 255).floor() / 255).allclose(picture)
        start, _, picture, *_ = load(paths[2], batch_index=0)
        assert noise(3)[:1].equal(start["samples"])
        assert picture == Blocked(
            "batch_index is 0, but x_00001_2.png holds image 2 of a batch of 3: load the PNG of the other image, "
            "or set batch_index to −1"
        )

    @pytest.mark.parametrize(
        "odd",
        [
            1,
            [],
            {"index": 1},
            {"count": 2, "index": 2},
            {"count": 2, "index": -1},
            {"count": 2, "index": True},
        ],
    )
    def test_odd_place(self, folder: Path, odd: Any) -> None:
        """An invalid position in the batch is an error in the file, and the message names it."""
        path = folder / "output" / "a.gen5"
        gen5core.save(path, images=np.zeros((2, 2, 3), np.uint8), capture={"image_of_batch": odd})
        with pytest.raises(
            MalformedChunkError, match=f"image_of_batch is {re.escape(repr(odd))}, not an index"
        ):
            load(path)

    def test_stripped(self) -> None:
        """If a website removed the record from a PNG, the error says so, with the remedy."""
        [path], _ = save()
        chunks = png_chunks.iter_chunks(path.read_bytes())
        path.write_bytes(png_chunks.join_chunks([chunk for chunk in chunks if chunk[0] != b"gfVE"]))
        message = (
            r"x_00001_\.png: is a plain PNG, without the gfVE chunk .* stripped it.*ask for the original file"
        )
        with pytest.raises(NotGen5Error, match=message):
            load(path)

    def test_edited(self) -> None:
        """A PNG whose pixels an editor changed, its record kept, is distinguished from the one that was saved."""
        [path], _ = save()
        with pytest.raises(ChecksumError, match=r"changed after it was saved.* gfVE chunk"):
            load(edited(path))

    def test_is_changed(self) -> None:
        """An edited PNG is loaded again, though its record, and therefore the root, did not change."""
        [path], _ = save()
        name = f"{path.name} [output]"
        before = Gen5Load.IS_CHANGED(name)
        assert before == Gen5Load.IS_CHANGED(name, batch_index=3)
        with gen5core.open(path) as file:
            root = file.root
        edited(path)
        os.utime(path, ns=(10**18, 10**18))
        with gen5core.open(path) as file:
            assert file.root == root
        assert before != Gen5Load.IS_CHANGED(name)

    def test_picture_is_not_the_browsers(self) -> None:
        """The browser's cached picture of a PNG is not used after the PNG was edited."""
        [path], _ = save()
        query = {"name": f"{path.name} [output]"}
        tag = handle_image(Request(query)).headers["ETag"].strip('"')
        known = Request(query, frozenset({tag}))
        assert handle_image(known).status == 304
        edited(path)
        with pytest.raises(HttpError, match="was changed after it was saved"):
            handle_image(known)


class TestCompare:
    """Compare With Stored against one PNG of a batch."""

    def test_picks_its_own(self) -> None:
        """A batch that is sampled again is compared image by image, each PNG with its own."""
        paths, _ = save(3)
        for index, path in enumerate(paths):
            shown = compare(path, images=images(3), latent={"samples": randn(3, 4, 4, 8, seed=1)})
            assert shown["verdict"] == "bit-exact"
            assert shown["report"] == f"latent: bit-exact\nimage {index} of the batch of 3: bit-exact"

    def test_another_is_different(self) -> None:
        """If another image of the batch changed, this one is still the same."""
        paths, _ = save(2)
        changed = images(2)
        changed[1] = 1 - changed[1]
        assert [compare(path, images=changed)["verdict"] for path in paths] == ["bit-exact", "differs"]

    def test_one_image_alone(self) -> None:
        """An image that was sampled alone is compared with the PNG's, and its latent with its part."""
        paths, _ = save(2)
        latent = {"samples": randn(2, 4, 4, 8, seed=1)[1:]}
        verdicts = [compare(path, images=images(2)[1:], latent=latent)["verdict"] for path in paths]
        assert verdicts == ["differs", "bit-exact"]

    def test_another_count(self) -> None:
        """A batch of another size does not match, and the report says so."""
        paths, _ = save(2)
        message = r"the stored image 0 of the batch of 2 of .*: \[1, 4, 6, 3\]; given: \[3, 4, 6, 3\]"
        with pytest.raises(EncodeError, match=message):
            compare(paths[0], images=images(3))

    def test_a_video(self) -> None:
        """Frames of one latent are picked by their number; the latent is compared whole."""
        latent = {"samples": randn(1, 4, 2, 4, 8, seed=1)}
        paths, _ = save(3, latent=latent)
        report = "latent: bit-exact\nimage 2 of the batch of 3: bit-exact"
        assert report == compare(paths[2], images=images(3), latent=latent)["report"]


class TestListing:
    """Which PNGs Load Gen5 lists."""

    def test_carriers_alone(self, folder: Path) -> None:
        """PNGs that carry a record are listed among the others, ordinary ones are not."""
        save(2)
        Gen5Save().save("y", images=images())
        (folder / "input" / "photo.png").write_bytes(PLAIN)
        (folder / "input" / "no.png").touch()
        expected = ["x_00001_0.png [output]", "x_00001_1.png [output]", "y_00001_.gen5 [output]"]
        assert list_files() == expected
        assert [Gen5Load.VALIDATE_INPUTS(name) for name in expected] == [True] * 3

    def test_opened_once(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A PNG is opened again only if its stamp changes, and dropped from the cache when it is deleted."""
        opened: list[str] = []
        is_carrier = gen5core.is_carrier
        monkeypatch.setattr(gen5core, "is_carrier", lambda path: opened.append(path) or is_carrier(path))
        [path], _ = save()
        (folder / "output" / "plain.png").write_bytes(PLAIN)
        for _ in range(3):
            assert list_files() == ["x_00001_.png [output]"]
        assert len(opened) == 2
        whole = path.read_bytes()
        path.write_bytes(PLAIN)
        assert (list_files(), len(opened)) == ([], 3)
        path.unlink()
        assert list_files() == []
        path.write_bytes(whole)
        assert (list_files(), len(opened)) == (["x_00001_.png [output]"], 4)

    def test_many(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of many the newest are opened at once; the others are listed as soon as they have been opened."""
        monkeypatch.setattr(choices, "MAX_OPENED_NOW", 2)
        data = save()[0][0].read_bytes()
        (folder / "output" / "x_00001_.png").unlink()
        pngs = {}
        for number in range(6):
            path = folder / "output" / f"{number}.png"
            path.write_bytes(data)
            os.utime(path, (1000 + number, 1000 + number))
            pngs[str(path)] = Stamp(len(data), path.stat().st_mtime_ns)
        go_on = threading.Event()
        is_carrier = gen5core.is_carrier

        def waiting(path: str) -> bool:
            assert threading.current_thread() is threading.main_thread() or go_on.wait(timeout=30)
            return bool(is_carrier(path))

        monkeypatch.setattr(gen5core, "is_carrier", waiting)
        carriers = Carriers()
        assert sorted(Path(path).name for path in carriers.select(pngs)) == ["4.png", "5.png"]
        go_on.set()
        carriers.wait()
        assert set(pngs) == carriers.select(pngs)

    @pytest.mark.skipif(os.name != "posix", reason="FIFOs are POSIX")
    def test_what_cannot_be_opened(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A PNG without read permission, and a FIFO of that name, do not stop the others."""
        save()
        os.mkfifo(folder / "input" / "a.png")
        (folder / "input" / "secret.png").write_bytes(PLAIN)
        opening = os.open

        def refusing(path: Any, *arguments: Any, **options: Any) -> int:
            if str(path).endswith("secret.png"):
                raise PermissionError(13, "Permission denied")
            return opening(path, *arguments, **options)

        monkeypatch.setattr(os, "open", refusing)
        assert list_files() == ["x_00001_.png [output]"]


class TestRoutes:
    """What the browser receives about a PNG."""

    def test_facts(self) -> None:
        """Facts, and those of its parts without the file, say that it is a carrier, and its own size."""
        [path], ui = save()
        facts = json.loads(handle_file(Request({"name": f"{path.name} [output]"})).body)
        assert (True, ui["gen5"][0]["root"], path.stat().st_size) == tuple(
            facts[name] for name in ("carrier", "root", "size_bytes")
        )
        assert [(image["width"], image["height"]) for image in facts["images"]] == [(6, 4)]
        record = dict(png_chunks.iter_chunks(path.read_bytes()))[b"gfVE"]
        parts = record[:32] + record[int.from_bytes(record[8:12], "little") :]
        from_parts = json.loads(handle_parts(parts).body)
        shared = from_parts["facts"].keys() - {"environment", "counts"}
        assert {name: facts[name] for name in shared} == {name: from_parts["facts"][name] for name in shared}
        assert from_parts["facts"]["counts"].items() <= facts["counts"].items()
        assert from_parts["prompt"] == txt2img(3)

    def test_one_of_a_batch(self) -> None:
        """The facts say which image of its batch a PNG shows, and nothing for a single picture."""
        paths = [*save(2)[0], *save()[0]]
        facts = [json.loads(handle_file(Request({"name": f"{path.name} [output]"})).body) for path in paths]
        expected = [{"index": 0, "count": 2}, {"index": 1, "count": 2}, None]
        assert [row["image_of_batch"] for row in facts] == expected

    def test_ordinary_file(self) -> None:
        """A .gen5 is no carrier."""
        path = Gen5Save().save("y", images=images())["result"][1].path
        assert not json.loads(handle_file(Request({"name": f"{path.name} [output]"})).body)["carrier"]

    def test_picture(self) -> None:
        """Its image is the PNG without the record, and a thumbnail of it."""
        [path], _ = save()
        name = f"{path.name} [output]"
        answer = handle_image(Request({"name": name}))
        chunks = [kind for kind, _ in png_chunks.iter_chunks(answer.body)]
        assert (answer.content_type, b"gfVE" in chunks) == ("image/png", False)
        with Image.open(path) as whole, Image.open(io.BytesIO(answer.body)) as shown:
            assert shown.tobytes() == whole.tobytes()
        with Image.open(io.BytesIO(handle_image(Request({"name": name, "size": "3"})).body)) as small:
            assert small.size == (3, 2)

    def test_re_encoded(self) -> None:
        """A PNG that another program re-encoded, its pixels kept, is reported with its present size."""
        [path], _ = save()
        chunks = list(png_chunks.iter_chunks(path.read_bytes()))
        path.write_bytes(png_chunks.join_chunks([chunks[0], (b"tEXt", b"a\0b"), *chunks[1:]]))
        facts = json.loads(handle_file(Request({"name": f"{path.name} [output]"})).body)
        assert facts["size_bytes"] == path.stat().st_size

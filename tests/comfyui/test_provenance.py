"""PNGs that carry the record, signatures and scrubbing in a real server: saved, loaded, replayed, displayed."""

from __future__ import annotations

import io
import json
import platform
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import gen5core
from gen5core.images import png_chunks
from gen5core.signatures.key_files import save_signing_key
from gen5core.signatures.keys import PublicKey, SigningKey
from gen5core.signatures.trusted_keys import add_trusted_key, remove_trusted_key, trusted_keys_path

from .graph import Graph, Settings
from .graphs import txt2img
from .launcher import has_module
from .results import digests, load, sample
from .roundtrip import GEN5, NOISE, UNRECORDED, Saved, replay_straight, replay_wired, save
from .route_requests import chosen, get, head_and_tail, post, refreshed
from .server import GraphError, Server

ALPHABET = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
FORMATS = ("gen5+png", "png")
UNSIGNED = {"word": "unsigned", "signatures": []}


def pngs_of(saved: Saved) -> list[Path]:
    """Return the PNGs of a save, a batch's in order."""
    stem = saved.path.stem.rstrip("0123456789")
    return sorted(saved.path.parent.glob(f"{stem}*.png"))


def annotated(server: Server, path: Path) -> str:
    return f"{path.relative_to(server.output).as_posix()} [output]"


def load_summary(server: Server, name: str) -> dict[str, Any]:
    """Run Load Gen5 on a file and return what it shows about it."""
    graph = Graph(Settings())
    node = graph.add("Gen5Load", file=name, on_drift="ignore")
    shown = graph.add("PreviewAny", source=[graph.add("Gen5Settings", gen5=[node, GEN5]), 1])
    outputs = server.run(graph.nodes)
    assert shown in outputs
    [summary] = outputs[node]["gen5"]
    return dict(summary)


def record_of(png: bytes) -> bytes:
    """Return the file that a PNG carries."""
    return dict(png_chunks.iter_chunks(png))[b"gfVE"]


def with_flipped_bit(path: Path) -> bytes:
    """Return a signed file with one bit of its signature flipped, its base64 still base64."""
    data = bytearray(path.read_bytes())
    position = data.rindex(b'"sig":"') + len(b'"sig":"')
    data[position] = ALPHABET[ALPHABET.index(data[position]) ^ 1]
    return bytes(data)


class TestCarriers:
    """format png."""

    @pytest.mark.parametrize("sampler_name", ["euler", "euler_ancestral"])
    def test_replayed_after_a_restart(self, server: Server, sampler_name: str) -> None:
        """A PNG read back by a new process gives the saved result under another seed, bit for bit, in both ways."""
        graph = txt2img(Settings(seed=7, sampler_name=sampler_name))
        [saved] = save(server, graph, record=None, format="png")
        assert (saved.path.suffix, saved.summary["noise_source"]) == (".png", "recorded")
        assert [saved.path] == pngs_of(saved)
        assert not saved.path.with_suffix(".gen5").exists()
        server.restart(*server.arguments)
        for replay in (replay_wired, replay_straight):
            assert saved.digests == digests(sample(server, replay(saved)))
        with gen5core.open(saved.path) as file:
            assert saved.summary["root"] == file.verify().root

    def test_is_what_save_image_writes(self, server: Server) -> None:
        """It has Save Image's pixels, prompt and workflow, and is shown by the node."""
        graph = txt2img(Settings())
        images = graph.decode()
        ours = graph.add(
            "Gen5Save", filename_prefix="carrier/x", images=images, latent=graph.result, format="png"
        )
        stock = graph.add("SaveImage", filename_prefix="stock/x", images=images)
        workflow = {"nodes": [], "version": 0.4}
        outputs = server.run(graph.nodes, {**UNRECORDED, "extra_pnginfo": {"workflow": workflow}})
        [shown], [other] = outputs[ours]["images"], outputs[stock]["images"]
        assert (shown["filename"], shown["type"]) == (outputs[ours]["gen5"][0]["filename"], "output")
        paths = [server.output / one["subfolder"] / one["filename"] for one in (shown, other)]
        with Image.open(paths[0]) as one, Image.open(paths[1]) as two:
            assert two.tobytes() == one.tobytes()
            assert workflow == json.loads(two.text["workflow"]) == json.loads(one.text["workflow"])
            assert json.loads(two.text["prompt"]).keys() == json.loads(one.text["prompt"]).keys()
        listed = server.object_info("Gen5Load")["Gen5Load"]["input"]["required"]["file"][0]
        assert [annotated(server, path) in listed for path in paths] == [True, False]

    def test_batch_of_two(self, server: Server) -> None:
        """A batch is two PNGs: both list, each replays the whole batch, and is compared with its own image."""
        graph = txt2img(Settings(seed=3, batch_size=2))
        [saved] = save(server, graph, record=None, format="png")
        paths = pngs_of(saved)
        assert [path.name[-6:] for path in paths] == ["_0.png", "_1.png"]
        pictures = [Image.open(path).tobytes() for path in paths]
        assert pictures[0] != pictures[1]
        listed = server.object_info("Gen5Load")["Gen5Load"]["input"]["required"]["file"][0]
        for index, path in enumerate(paths):
            one = Saved(saved.graph, 0, annotated(server, path), path, saved.digests, saved.summary)
            assert one.annotated in listed
            replayed = replay_wired(one)
            loader = next(node for node, entry in replayed.nodes.items() if entry["class_type"] == "Gen5Load")
            node = replayed.add(
                "Gen5Compare", gen5=[loader, GEN5], images=replayed.decode(), latent=replayed.result
            )
            digest = replayed.digest()
            outputs = server.run(replayed.nodes)
            assert saved.digests == digests(outputs[digest]["digest"])
            [summary] = outputs[node]["gen5"]
            assert summary["report"] == f"latent: bit-exact\nimage {index} of the batch of 2: bit-exact"

    def test_one_of_the_batch(self, server: Server) -> None:
        """batch_index gives one image's noise from either PNG, its picture from its own; another's is blocked."""
        [saved] = save(server, txt2img(Settings(batch_size=2)), record=None, format="png")
        first, second = (annotated(server, path) for path in pngs_of(saved))
        with gen5core.open(saved.path) as file:
            complete = file.latents["initial_noise"].array()
        for name, has_picture in ((first, False), (second, True)):
            graph = Graph(Settings())
            node = graph.add("Gen5Load", file=name, on_drift="error", batch_index=1)
            [record] = sample(server, graph, [node, NOISE])
            assert complete[1:2].tobytes() == load(server.output, record["samples"]).tobytes()
            shown = graph.digest([node, NOISE], image=[node, 2])
            assert (shown in server.run(graph.nodes)) == has_picture

    def test_no_image(self, server: Server) -> None:
        """A latent alone makes no PNG: the dialog says what to do, and nothing is left."""
        graph = txt2img(Settings())
        graph.add("Gen5Save", filename_prefix="nopicture/x", latent=graph.result, format="png")
        with pytest.raises(GraphError) as caught:
            server.run(graph.nodes)
        assert "connect images, or set format to gen5" in caught.value.node_message
        assert not (server.output / "nopicture").exists()

    def test_stripped_and_edited(self, server: Server) -> None:
        """A PNG loads as uploaded; without its record, or with a different picture, the dialog says so."""
        [saved] = save(server, txt2img(Settings()), record=None, format="png")
        complete = server.upload("whole.png", saved.path.read_bytes())
        assert saved.summary["root"] == load_summary(server, complete)["root"]
        *chunks, record, end = png_chunks.iter_chunks(saved.path.read_bytes())
        assert record[0] == b"gfVE"
        with Image.open(saved.path) as picture:
            changed, buffer = picture.point(lambda value: value ^ 1), io.BytesIO()
            changed.save(buffer, "PNG")
        *pixels, end = png_chunks.iter_chunks(buffer.getvalue())
        for name, kept, message in (
            ("stripped.png", [*chunks, end], r"is a plain PNG, without the gfVE chunk .* stripped it"),
            ("edited.png", [*pixels, record, end], r"its picture .* was changed after it was saved"),
        ):
            given = server.upload(name, png_chunks.join_chunks(kept))
            with pytest.raises(GraphError) as caught:
                load_summary(server, given)
            assert re.search(message, caught.value.node_message)
        [last] = get(server, "verify", name="edited.png").body.splitlines()[-1:]
        assert "was changed after it was saved" in json.loads(last)["error"]

    def test_routes(self, server: Server) -> None:
        """Facts, parts, picture and check of a PNG; an ordinary one is refused with the reason."""
        [saved] = save(server, txt2img(Settings()), record=None, format="png")
        facts = get(server, "file", name=saved.annotated).json()
        assert (True, UNSIGNED, saved.path.stat().st_size, saved.summary["root"], []) == tuple(
            facts[name] for name in ("carrier", "trust", "size_bytes", "root", "drifts")
        )
        png = saved.path.read_bytes()
        answer = post(server, head_and_tail(record_of(png))).json()
        assert (True, UNSIGNED, facts["size_bytes"]) == tuple(
            answer["facts"][name] for name in ("carrier", "trust", "size_bytes")
        )
        assert "KSampler" in {node["class_type"] for node in answer["prompt"].values()}
        complete = get(server, "image", name=saved.annotated)
        kept = [chunk for chunk in png_chunks.iter_chunks(png) if chunk[0] != b"gfVE"]
        assert png_chunks.join_chunks(kept) == complete.body
        assert (
            max(Image.open(io.BytesIO(get(server, "image", name=saved.annotated, size=16).body)).size) == 16
        )
        report = json.loads(get(server, "verify", name=saved.annotated).body.splitlines()[-1])["report"]
        assert (report["notes"], report["trust"]) == ([], UNSIGNED)
        (server.input / "plain.png").write_bytes(complete.body)
        status, message = get(server, "file", name="plain.png").error()
        assert (
            status,
            message.startswith("plain.png: is a plain PNG, without the gfVE chunk"),
        ) == (422, True)

    def test_library(self, server: Server) -> None:
        """The library has the PNGs that carry a record, and no ordinary one, not those beside a .gen5 either."""
        [carrier] = save(server, txt2img(Settings()), record=None, format="png", tags="inthelibrary")
        [both] = save(server, txt2img(Settings()), record=None, tags="inthelibrary")
        assert both.path.with_suffix(".png").exists()
        found = {item["name"]: (item["carrier"], item["trust"]) for item in refreshed(server, "inthelibrary")}
        assert found == {carrier.annotated: (True, "unsigned"), both.annotated: (False, "unsigned")}
        beside = annotated(server, both.path.with_suffix(".png"))
        assert beside not in {item["name"] for item in refreshed(server)}


@pytest.fixture(scope="module")
def key(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicKey]:
    """The public half of a key that this server signs with; it is not trusted yet."""
    if not has_module(server.install, "cryptography"):
        pytest.skip("without the package cryptography nothing is signed")
    folder = tmp_path_factory.mktemp("keys")
    made = SigningKey.generate()
    save_signing_key(folder / "key.pem", made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEN5_SIGNING_KEY", str(folder / "key.pem"))
        patch.setenv("GEN5_TRUSTED_KEYS", str(folder / "trusted_keys"))
        server.restart(*server.arguments)
        yield made.public_key
    server.restart(*server.arguments)


class TestSignatures:
    """Signed saves."""

    @pytest.mark.parametrize("format", FORMATS)
    def test_words(self, server: Server, key: PublicKey, format: str) -> None:
        """Signed; trusted once the key is on the list; with one bit flipped not loaded, by any route."""
        remove_trusted_key(key.key_id)
        [saved] = save(server, txt2img(Settings()), record=None, format=format)
        assert saved.summary["signed_by"] == key.key_id
        one = {"key_id": key.key_id, "state": "valid", "reason": "", "comment": None, "problem": None}
        signed = {"word": "signed", "signatures": [one]}
        trusted = {"word": "trusted", "signatures": [{**one, "comment": "Anna at home"}]}
        assert load_summary(server, saved.annotated)["trust"] == signed
        assert get(server, "file", name=saved.annotated).json()["trust"] == signed
        add_trusted_key(PublicKey(key.raw, "Anna at home"))
        assert load_summary(server, saved.annotated)["trust"] == trusted
        (copy := saved.path.with_stem("copy")).write_bytes(saved.path.read_bytes())
        assert trusted == load_summary(server, annotated(server, copy))["trust"]
        data = copy.read_bytes()
        record = record_of(data) if format == "png" else data
        assert trusted == post(server, head_and_tail(record)).json()["facts"]["trust"]
        last = get(server, "verify", name=saved.annotated).body.splitlines()[-1]
        assert trusted == json.loads(last)["report"]["trust"]
        listed = {item["name"]: item["trust"] for item in refreshed(server, key.key_id)}
        assert listed[saved.annotated] == "trusted"
        copy.write_bytes(with_flipped_bit(copy))
        message = f"the signature by {key.key_id} is not valid for this file"
        with pytest.raises(GraphError) as caught:
            load_summary(server, annotated(server, copy))
        assert message in caught.value.node_message
        assert message in get(server, "file", name=annotated(server, copy)).error()[1]
        listed = {item["name"]: item["trust"] for item in refreshed(server, key.key_id)}
        assert (listed[saved.annotated], listed[annotated(server, copy)]) == ("trusted", "invalid")
        copy.unlink()

    def test_signed_replay(self, server: Server, key: PublicKey) -> None:
        """A signed PNG replays bit-exactly."""
        [saved] = save(server, txt2img(Settings(seed=5)), record=None, format="png")
        assert saved.digests == digests(sample(server, replay_wired(saved)))

    @pytest.mark.parametrize("format", FORMATS)
    def test_key_that_cannot_be_used(self, server: Server, key: PublicKey, format: str) -> None:
        """A key that is gone is an error in the dialog, before anything is written."""
        folder = _key_folder()
        (folder / "key.pem").rename(folder / "away.pem")
        graph = txt2img(Settings())
        graph.add("Gen5Save", filename_prefix="unsigned/x", images=graph.decode(), format=format)
        try:
            with pytest.raises(GraphError) as caught:
                server.run(graph.nodes)
        finally:
            (folder / "away.pem").rename(folder / "key.pem")
        assert "nothing was saved, since it cannot be signed" in caught.value.node_message
        assert not (server.output / "unsigned").exists()


class TestScrub:
    """Scrub on save."""

    @pytest.mark.parametrize("format", [*FORMATS, "gen5"])
    def test_nothing_private(self, server: Server, format: str) -> None:
        """Neither host name nor path is in a file, nor in the PNG beside it; the node says what was left out."""
        graph = txt2img(Settings())
        text = next(
            node for node, entry in graph.nodes.items() if entry["inputs"].get("text") == "a lighthouse"
        )
        graph.set(text, text="like /home/anna/refs/light.png")
        node = graph.add(
            "Gen5Save",
            filename_prefix=f"scrubbed/{format}",
            images=graph.decode(),
            latent=graph.result,
            format=format,
        )
        workflow = {"nodes": [{"id": 1, "widgets_values": ["/home/anna/refs/light.png", 5]}]}
        with chosen(server, "Gen5.Privacy.MachineName", True), chosen(server, "Gen5.Privacy.Scrub", True):
            [summary] = server.run(graph.nodes, {"extra_pnginfo": {"workflow": workflow}})[node]["gen5"]
        assert "hardware_info.machine_name" in summary["scrubbed"]
        assert any("'/home/anna/refs/light.png' is now 'light.png'" in line for line in summary["scrubbed"])
        path = server.output / summary["subfolder"] / summary["filename"]
        with gen5core.open(path) as file:
            texts = [json.dumps(file.metadata), png_texts(file.images[0].bytes)]
            assert (file.comfyui or {})["workflow"] == {
                "nodes": [{"id": 1, "widgets_values": ["light.png", 5]}]
            }
        if (beside := path.with_suffix(".png")).exists():
            texts.append(png_texts(beside.read_bytes()))
        private = (platform.node(), "/home/", "anna", str(server.folder))
        assert [word for told_text in texts for word in private if word in told_text] == []
        assert all("light.png" in told_text for told_text in texts)

    def test_turned_off(self, server: Server) -> None:
        """Without the setting nothing is left out."""
        [saved] = save(server, txt2img(Settings()), record=None)
        assert saved.summary["scrubbed"] == []


def _key_folder() -> Path:
    path = trusted_keys_path()
    assert path is not None
    return path.parent


def png_texts(png: bytes) -> str:
    return json.dumps(png_chunks.read_texts(png))

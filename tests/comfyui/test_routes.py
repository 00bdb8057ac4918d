"""The routes of the web extension in a real server: their responses and refusals, over HTTP."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import platform
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
from PIL import Image

import gen5core

from .graph import Settings
from .graphs import txt2img
from .roundtrip import Saved, save
from .route_requests import OCTETS, Reply, ask, chosen, get, head_and_tail, post
from .server import Server

CORPUS = Path(__file__).parents[1] / "corpus"
INVALID = sorted(json.loads((CORPUS / "invalid" / "expected.json").read_text()))
GOLDEN = sorted(path.name for path in (CORPUS / "valid").glob("*.gen5"))
EVERYTHING = "gen5core-1.1_everything.gen5"
PREFIXES = ("/gen5", "/api/gen5")
READS_A_FILE = ("file", "workflow", "image", "noise", "verify")
MOST_SEED = 2**64 - 1
MAX_BODY_BYTES = 17 * 2**20


@pytest.fixture(autouse=True)
def _no_traceback(server: Server) -> Iterator[None]:
    """No request of these tests causes a Python error in the server."""
    start = server.log_size()
    yield
    assert "Error handling request" not in server.log(start)
    assert "Traceback" not in server.log(start)


@pytest.fixture(scope="module")
def saved(server: Server) -> Saved:
    """A file saved by a graph with the largest seed and two images, with automatic recording."""
    [one] = save(server, txt2img(Settings(seed=MOST_SEED, batch_size=2)), record=None, tags="cat, neon")
    return one


@pytest.fixture(scope="module")
def golden(server: Server) -> str:
    """The golden files in input/golden; the name of the most complete one."""
    folder = server.input / "golden"
    folder.mkdir(exist_ok=True)
    for name in GOLDEN:
        (folder / name).write_bytes((CORPUS / "valid" / name).read_bytes())
    return f"golden/{EVERYTHING}"


class TestFile:
    """GET /gen5/file and /gen5/workflow."""

    def test_saved_file(self, server: Server, saved: Saved) -> None:
        """A file saved by a graph is described completely: the seed as text, no drift on this machine."""
        facts = get(server, "file", name=saved.annotated).json()
        expected = {
            **{
                "name": saved.annotated,
                "size_bytes": saved.path.stat().st_size,
                "root": saved.summary["root"],
            },
            **{"version": "1.1", "sealed": True, "seed": str(MOST_SEED), "steps": 4, "cfg": 5.0},
            **{"sampler": "euler", "scheduler": "normal", "denoise": 1.0, "width": 64, "height": 64},
            **{"batch_size": 2, "prompt": "a lighthouse", "negative": "fog", "tags": ["cat", "neon"]},
            **{"noise_source": "recorded", "reason": None, "has_workflow": False, "drifts": []},
            "comfyui_version": f"ComfyUI {server.version}",
        }
        assert {name: facts[name] for name in expected} == expected
        assert facts["mtime"] == pytest.approx(saved.path.stat().st_mtime)
        [one] = facts["passes"]
        assert (0, "KSampler", str(MOST_SEED), True, True, False, None) == tuple(
            one[name]
            for name in (
                *("index", "class_type", "seed", "recorded", "add_noise", "step_noise"),
                "step_noise_reason",
            )
        )
        assert [row["name"] for row in facts["latents"]] == ["initial_noise", "final_latent"]
        assert [[image["width"], image["height"]] for image in facts["images"]] == [[64, 64]] * 2
        assert {"torch", "host", "attention"} <= {row["component"] for row in facts["environment"]}

    @pytest.mark.parametrize("name", GOLDEN)
    def test_golden_files(self, server: Server, golden: str, name: str) -> None:
        """Golden files of both versions are described, and the routes of a file agree on the root."""
        expected = json.loads((CORPUS / "valid" / name).with_suffix(".json").read_text())
        facts = get(server, "file", name=f"golden/{name}").json()
        assert facts["root"] == expected["root"]
        assert facts["version"] == ".".join(map(str, expected["version"]))
        assert sorted(row["name"] for row in facts["latents"]) == sorted(expected["latents"])
        parts = post(server, head_and_tail((CORPUS / "valid" / name).read_bytes())).json()
        here = ("environment", "counts")  # the route of a stored file says more about these
        assert {key: facts[key] for key in parts["facts"] if key not in here} == {
            key: value for key, value in parts["facts"].items() if key not in here
        }
        assert parts["facts"]["counts"].items() <= facts["counts"].items()

    def test_workflow(self, server: Server, golden: str, saved: Saved) -> None:
        """Workflow and prompt are answered; null where a file has none."""
        expected = {"nodes": [], "version": 0.4}
        assert get(server, "workflow", name=golden).json()["workflow"] == expected
        answer = get(server, "workflow", name=saved.annotated).json()
        assert answer["workflow"] is None
        assert "KSampler" in {node["class_type"] for node in answer["prompt"].values()}

    def test_drift(self, server: Server, golden: str) -> None:
        """Drifts are listed, models first, as Environment Drift lists them."""
        drifts = get(server, "file", name=golden).json()["drifts"]
        assert drifts[0] == {
            "component": "checkpoint sd_xl.safetensors",
            "stored": "6938078334",
            "current": None,
            "kind": "missing here",
        }
        assert {"differs", "missing in file", "missing here"} >= {drift["kind"] for drift in drifts}

    def test_not_a_number(self, server: Server) -> None:
        """A file of 0.1.0 whose META holds NaN is described in strict JSON, by name and by its parts."""

        def edit(document: dict[str, Any]) -> None:
            settings = {"seed": 1, "steps": 1, "sampler": "euler", "cfg_scale": float("nan")}
            document["gen5_metadata"]["model_info"]["generation_settings"] = settings
            document["gen5_metadata"]["model_info"]["hardware_info"] = {"os": "x", "ram_gb": float("inf")}

        data = forge.build([forge.float32("initial_noise", [1.0])], minor=0, edit=edit)
        assert b"NaN" in data
        (server.input / "nan.gen5").write_bytes(data)
        for facts in (
            get(server, "file", name="nan.gen5").json(),
            post(server, head_and_tail(data)).json()["facts"],
        ):
            assert (facts["cfg"], facts["hardware"]["ram_gb"], facts["version"]) == (None, None, "1.0")

    @pytest.mark.parametrize("prefix", PREFIXES)
    @pytest.mark.parametrize("route", [*READS_A_FILE, "library"])
    def test_served_twice(self, server: Server, golden: str, route: str, prefix: str) -> None:
        """Each route is served with and without /api, and needs no Origin header."""
        name = urllib.parse.quote(golden)
        assert ask(server, f"{prefix}/{route}?name={name}").status == 200

    @pytest.mark.parametrize("route", [*READS_A_FILE, "library"])
    def test_only_get(self, server: Server, route: str) -> None:
        """These routes refuse POST, PUT and DELETE, and read refuses GET."""
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert ask(server, f"/gen5/{route}?name=x", method=method, body=b"").status == 405
        assert ask(server, "/gen5/read").status == 404  # as for any path without a file

    def test_uploaded_file(self, server: Server) -> None:
        """An uploaded file is described at once, and Load Gen5 accepts it though its list was read before."""
        name = server.upload("uploaded.gen5", (CORPUS / "valid" / EVERYTHING).read_bytes(), subfolder="up")
        assert get(server, "file", name=f"up/{name}").json()["name"] == f"up/{name}"
        graph = txt2img(Settings())
        loader = graph.add("Gen5Load", file=f"up/{name}", on_drift="ignore")
        shown = graph.add("PreviewAny", source=[graph.add("Gen5Settings", gen5=[loader, 4]), 0])
        assert server.run(graph.nodes)[shown] == {"text": [str(MOST_SEED)]}


class TestPictures:
    """GET /gen5/image and /gen5/noise."""

    def test_stored_image(self, server: Server, saved: Saved) -> None:
        """The stored bytes are sent as they are."""
        with gen5core.open(saved.path) as file:
            expected = [image.bytes for image in file.images]
        replies = [get(server, "image", name=saved.annotated, index=index) for index in (0, 1)]
        assert [reply.body for reply in replies] == expected
        assert [
            replies[0].headers[name] for name in ("Content-Type", "X-Content-Type-Options", "Cache-Control")
        ] == ["image/png", "nosniff", "private, no-cache"]

    def test_thumbnail(self, server: Server, saved: Saved) -> None:
        """A size gives a smaller picture."""
        reply = get(server, "image", name=saved.annotated, size=16)
        assert (
            reply.headers["Content-Type"],
            Image.open(io.BytesIO(reply.body)).size,
        ) == ("image/webp", (16, 16))

    def test_noise(self, server: Server, saved: Saved) -> None:
        """The stored noise is shown: three channels of each value, −3..3 as 0..255."""
        with gen5core.open(saved.path) as file:
            noise = file.latents["initial_noise"].array()
        reply = get(server, "noise", name=saved.annotated, index=1, size=8)
        expected = ((noise[1, :3] / 3).clip(-1, 1) + 1) * 127.5
        pixels = np.asarray(Image.open(io.BytesIO(reply.body))).transpose(2, 0, 1)
        assert reply.headers["Content-Type"] == "image/png"
        assert np.abs(expected - pixels).max() <= 0.51
        default = get(server, "noise", name=saved.annotated)
        assert Image.open(io.BytesIO(default.body)).size == (128, 128)

    @pytest.mark.parametrize("route", ["image", "noise"])
    def test_not_modified(self, server: Server, saved: Saved, route: str) -> None:
        """A picture that the browser has cached is not sent again, however its tag is spelled."""
        first = get(server, route, name=saved.annotated, size=16)
        tag = first.headers["ETag"]
        assert re.fullmatch(r'"[0-9a-f]{64}-[^"]+"', tag)
        for known in (tag, f"W/{tag}", f'"x", {tag}'):
            again = get(server, route, {"If-None-Match": known}, name=saved.annotated, size=16)
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        for unknown in ('"x"', "x", "", "*x", '"'):
            other = get(server, route, {"If-None-Match": unknown}, name=saved.annotated, size=16)
            assert (200, first.body) == (other.status, other.body)

    @pytest.mark.parametrize(
        ("route", "query", "status", "message"),
        [
            ("image", {"index": 2}, 404, "there is no image 2; it has 2"),
            ("image", {"index": "x"}, 400, "index is 'x'; give an integer from 0 to 9999"),
            ("image", {"size": 0}, 400, "size is '0'; give an integer from 1 to 2048"),
            ("image", {"size": 10**9}, 400, "size is '1000000000'; give"),
            ("noise", {"size": ""}, 400, "size is ''; give"),
            ("noise", {"index": 2}, 404, "latent 'initial_noise' has no number 2; it has 2"),
            ("noise", {"latent": "../x"}, 404, "there is no latent '../x'; the file has"),
            ("library", {"limit": 201}, 400, "limit is '201'; give an integer from 1 to 200"),
            ("library", {"offset": -1}, 400, "offset is '-1'; give"),
            ("library", {"refresh": "yes"}, 400, "refresh is 'yes'; give 0 or 1"),
        ],
    )
    def test_malformed(
        self, server: Server, saved: Saved, route: str, query: dict[str, Any], status: int, message: str
    ) -> None:
        """Invalid values, and things that the file does not have, are errors with a message."""
        found, error = get(server, route, name=saved.annotated, **query).error()
        assert found == status
        assert message in error

    def test_many_at_once(self, server: Server, saved: Saved) -> None:
        """Many thumbnails requested at once are all complete."""
        replies: list[Reply] = []

        def load() -> None:
            replies.extend(get(server, "image", name=saved.annotated, size=32) for _ in range(8))

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [reply.status for reply in replies] == [200] * 64
        assert len({reply.body for reply in replies}) == 1


class TestVerify:
    """GET /gen5/verify."""

    def test_lines(self, server: Server, saved: Saved) -> None:
        """Progress to the last byte, then the report."""
        reply = get(server, "verify", name=saved.annotated)
        lines = [json.loads(line) for line in reply.body.splitlines()]
        size = saved.path.stat().st_size
        assert reply.headers["Content-Type"] == "application/x-ndjson"
        assert [{"done": size, "total": size}] == lines[-2:-1]
        trust = {"word": "unsigned", "signatures": []}
        report = {"checked_bytes": size, "chunk_count": 5, "notes": [], "sealed": True, "trust": trust}
        report["uncovered_bytes"] = 0
        assert {"report": report} == lines[-1]

    def test_no_head(self, server: Server, saved: Saved) -> None:
        """HEAD is refused, since its response must have no body and the check would be one."""
        target = f"/gen5/verify?{urllib.parse.urlencode({'name': saved.annotated})}"
        assert ask(server, target, method="HEAD").status == 405

    def test_damaged(self, server: Server, saved: Saved) -> None:
        """A damaged chunk is the last line's error, without the folder."""
        data = bytearray(saved.path.read_bytes())
        data[60] ^= 1
        (server.output / "damaged.gen5").write_bytes(data)
        reply = get(server, "verify", name="damaged.gen5 [output]")
        *_, last = [json.loads(line) for line in reply.body.splitlines()]
        assert last["error"].startswith(
            "damaged.gen5 [output]: chunk 0 (LATN 'initial_noise') at offset 32: "
        )
        assert str(server.output) not in last["error"]

    def test_browser_goes_away(self, server: Server) -> None:
        """A check whose browser has disconnected is cancelled: the next one does not wait for it."""
        path = server.input / "large.gen5"
        noise = np.zeros((64, 1024, 1024), np.float32)
        gen5core.save(path, latents={"initial_noise": noise}, compression="none")
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET /gen5/verify?name=large.gen5 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            client.recv(100)
        start = time.monotonic()
        last = get(server, "verify", name="large.gen5").body.splitlines()[-1]
        assert path.stat().st_size == json.loads(last)["report"]["checked_bytes"]
        path.unlink()
        assert time.monotonic() - start < 30

    def test_others_are_served_meanwhile(self, server: Server, saved: Saved) -> None:
        """While a large file is checked, the server responds to other requests at once."""
        path = server.input / "large.gen5"
        gen5core.save(path, latents={"a": np.zeros((64, 1024, 1024), np.float32)}, compression="none")
        lines: list[bytes] = []
        check = threading.Thread(
            target=lambda: lines.extend(get(server, "verify", name="large.gen5").body.splitlines())
        )
        check.start()
        answered = 0
        while check.is_alive():
            start = time.monotonic()
            assert get(server, "file", name=saved.annotated).status == 200
            assert time.monotonic() - start < 2
            answered += 1
        path.unlink()
        assert answered > 1
        assert b"report" in lines[-1]


class TestLibrary:
    """GET /gen5/library."""

    def test_page(self, server: Server, saved: Saved) -> None:
        """After a refresh the saved file is listed with its seed as text, and found by a word."""
        page = get(server, "library", refresh=1).json()
        end = time.monotonic() + 60
        while page["scan"]["running"] and time.monotonic() < end:
            time.sleep(0.1)
            page = get(server, "library").json()
        assert page.keys() == {"total", "files", "offset", "items", "scan"}
        found = get(server, "library", query=f"lighthouse {MOST_SEED}", limit=200).json()
        listed = {item["name"]: item for item in found["items"]}
        assert listed[saved.annotated]["seed"] == str(MOST_SEED)
        assert get(server, "library", query="nosuchword").json()["total"] == 0

    @pytest.mark.parametrize("query", ["%ED%A0%80", "%FF%FE", "%00", "%22%27;--", "%25%5F", "x" * 5000])
    def test_odd_words(self, server: Server, query: str) -> None:
        """Words that no file has give an empty page, whatever characters they contain."""
        assert ask(server, f"/gen5/library?query={query}").status == 200

    def test_turned_off(self, server: Server) -> None:
        """The setting turns it off and on again, without a restart."""
        with chosen(server, "Gen5.Library.Enabled", False):
            expected = (404, "the library is turned off: turn it on in ComfyUI's settings, under Gen5")
            assert get(server, "library").error() == expected
        assert get(server, "library").status == 200


class TestSettings:
    """The user's settings apply from the next prompt on."""

    def test_recording(self, server: Server) -> None:
        """Turned off, a save derives the noise; turned on again it is recorded."""
        with chosen(server, "Gen5.Recording.Automatic", False):
            [unrecorded] = save(server, txt2img(Settings()), record=None)
        [recorded] = save(server, txt2img(Settings()), record=None)
        assert [one.summary["noise_source"] for one in (unrecorded, recorded)] == ["derived", "recorded"]

    def test_machine_name(self, server: Server, saved: Saved) -> None:
        """Turned on, the file has the machine's own name; otherwise a digest of it, or nothing."""
        with chosen(server, "Gen5.Privacy.MachineName", True):
            [named] = save(server, txt2img(Settings()))
        names = [
            get(server, "file", name=one.annotated).json()["hardware"].get("machine_name")
            for one in (named, saved)
        ]
        assert platform.node() == names[0] != names[1]

    def test_shown_by_the_nodes(self, server: Server, saved: Saved) -> None:
        """Save shows root and step noise; Compare the verdict, with the difference as a picture in temp/."""
        [stepped] = save(server, txt2img(Settings(sampler_name="euler_ancestral")))
        assert stepped.summary["step_noise"] == [{"pass": 0, "stored": True, "reason": None}]
        assert saved.summary["step_noise"] == [{"pass": 0, "stored": False, "reason": None}]
        graph = saved.graph.copy()
        loader = graph.add("Gen5Load", file=saved.annotated, on_drift="ignore")
        node = graph.add("Gen5Compare", gen5=[loader, 4], images=graph.decode(), tolerance=0.5)
        outputs = server.run(graph.nodes)[node]
        [summary] = outputs["gen5"]
        assert (summary["verdict"], summary["tolerance"]) == ("bit-exact", 0.5)
        assert [
            (one["type"], (server.folder / "temp" / one["filename"]).is_file()) for one in outputs["images"]
        ] == [("temp", True)] * 2


class TestRead:
    """POST /gen5/read."""

    @pytest.mark.parametrize("prefix", PREFIXES)
    def test_answer(self, server: Server, saved: Saved, prefix: str) -> None:
        """Header and META give the facts and the graphs, the seed as text."""
        data = head_and_tail(saved.path.read_bytes())
        answer = post(server, data, prefix=prefix).json()
        assert answer.keys() == {"root", "version", "sealed", "facts", "workflow", "prompt"}
        assert (saved.summary["root"], str(MOST_SEED)) == (answer["root"], answer["facts"]["seed"])
        assert "drifts" not in answer["facts"]
        assert answer["workflow"] is None

    @pytest.mark.parametrize("name", INVALID)
    def test_forged(self, server: Server, name: str) -> None:
        """Each forged file is refused with the core's message; faults that only a chunk shows do not matter here."""
        data = head_and_tail((CORPUS / "invalid" / name).read_bytes())
        try:
            with gen5core.open_parts(data) as file:
                expected: tuple[int, str] | None = None
                _ = file.metadata, file.settings, file.hardware, file.prompt, file.model_name, file.date
                _ = file.tags, file.comfyui, file.capture, file.resources
        except gen5core.Gen5Error as error:
            expected = (422, error.fault if isinstance(error, gen5core.FormatError) else str(error))
        reply = post(server, data)
        if reply.status == 200 and name.startswith("SignatureError"):
            return  # without cryptography, signatures are not checked
        assert (None if reply.status == 200 else reply.error()) == expected

    @pytest.mark.parametrize("size", [0, 3, 31, 32, 33, 100, -1])
    def test_cut(self, server: Server, golden: str, size: int) -> None:
        """A body that was cut is refused."""
        data = head_and_tail((CORPUS / "valid" / EVERYTHING).read_bytes())
        status, message = post(server, data[:size]).error()
        assert status == 422
        assert re.search(r"starts with b''|the header takes 32 bytes|the header says \d+ bytes", message)

    def test_garbage(self, server: Server) -> None:
        """Random bytes, with and without a right beginning, are refused."""
        random = np.random.default_rng(0)
        for start in (b"", b"GEN5", b"GEN5\x01\x01", b"GEN5\x01\x01\x01\x00"):
            status, _ = post(server, start + random.bytes(5000)).error()
            assert status == 422

    @pytest.mark.parametrize(
        "headers",
        [
            *(
                {"Content-Type": kind}
                for kind in ("application/json", "text/plain", "multipart/form-data", "")
            ),
            {"Content-Type": "application/octet-streams"},
            {**OCTETS, "Content-Encoding": "gzip"},
            {**OCTETS, "Content-Encoding": "identity"},
        ],
    )
    def test_other_types(self, server: Server, headers: dict[str, str]) -> None:
        """A body of another type, such as a form of another site may send, is refused."""
        expected = (415, "send application/octet-stream without a Content-Encoding")
        body = gzip.compress(b"GEN5") if headers.get("Content-Encoding") == "gzip" else b"GEN5"
        assert post(server, body, headers).error() == expected

    def test_declared_size(self, server: Server) -> None:
        """A body with too large a Content-Length is refused before it is sent."""
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            length = MAX_BODY_BYTES + 1
            client.sendall(
                b"POST /gen5/read HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
                b"Content-Length: %d\r\n\r\n" % length
            )
            response = http.client.HTTPResponse(client)
            response.begin()
            error = json.loads(response.read())["error"]
        assert response.status == 413
        assert error.startswith(f"more than {MAX_BODY_BYTES} bytes: send only the file's first 32 bytes")

    def test_undeclared_size(self, server: Server) -> None:
        """A chunked body is refused as soon as it is too large."""
        sent = 0
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
            client.sendall(
                b"POST /gen5/read HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            piece = b"%x\r\n" % 2**16 + bytes(2**16) + b"\r\n"
            client.setblocking(False)
            answer = b""
            while not answer and sent < 4 * MAX_BODY_BYTES:
                try:
                    answer = client.recv(2**16)
                except BlockingIOError:
                    sent += _send_some(client, piece)
        assert b"413" in answer.split(b"\r\n")[0]
        assert sent >= MAX_BODY_BYTES

    def test_largest_accepted_body(self, server: Server) -> None:
        """A body of exactly the limit is read, and refused for its content."""
        status, message = post(server, b"GEN5" + bytes(MAX_BODY_BYTES - 4)).error()
        assert (status, message.startswith("header at offset 4: is version 0.0")) == (422, True)


def _send_some(client: socket.socket, piece: bytes) -> int:
    """Send piece as fast as the socket accepts it; return the number of bytes sent."""
    client.setblocking(True)
    try:
        client.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        time.sleep(0.1)
    finally:
        client.setblocking(False)
    return len(piece)


@pytest.fixture(scope="module")
def _secret(server: Server) -> None:
    """A readable file outside the folders, and links to it."""
    secret = server.folder / "user" / "secret.gen5"
    gen5core.save(secret, prompt="secret")
    for link, target in (("link.gen5", secret), ("dir", secret.parent)):
        (server.input / link).symlink_to(target)


@pytest.mark.usefixtures("_secret")
class TestConfined:
    """No route reads outside input/, output/ and temp/."""

    @pytest.mark.parametrize("route", READS_A_FILE)
    @pytest.mark.parametrize(
        "name",
        [
            *("../user/secret.gen5", "..%2fuser%2fsecret.gen5", "%2e%2e/user/secret.gen5"),
            *("sub/../../user/secret.gen5", "../user/secret.gen5%20[output]", "../user/secret.gen5%20[temp]"),
            *("../input/../user/secret.gen5", "{folder}/user/secret.gen5", "//{folder}/user/secret.gen5"),
            *("link.gen5", "dir/secret.gen5", "../output", "..", "%2Fetc%2Fpasswd"),
        ],
    )
    def test_leading_out(self, server: Server, route: str, name: str) -> None:
        """Names that lead out, however they are spelled, are refused."""
        target = f"/gen5/{route}?name={name.format(folder=server.folder)}"
        status, message = ask(server, target).error()
        assert status == 400
        assert re.search(r"leads out of the (in|out|tem)put|leads out of the temp folder", message)
        assert "secret'" not in message

    @pytest.mark.parametrize("route", READS_A_FILE)
    @pytest.mark.parametrize(
        ("name", "status", "message"),
        [
            ("", 400, "name is ''; give the name of a file"),
            ("a%00.gen5", 400, r"name is 'a\x00.gen5'; give the name of a file"),
            ("%00", 400, r"name is '\x00'; give the name of a file"),
            ("..\\user\\secret.gen5", 404, "..\\user\\secret.gen5 is not there"),
            ("%252e%252e/user/secret.gen5", 404, "%2e%2e/user/secret.gen5 is not there"),
            ("x" * 300, 404, "is not there"),
            ("missing.gen5", 404, "missing.gen5 is not there"),
            ("golden", 422, "golden: is a folder, not a regular file"),
        ],
    )
    def test_missing(
        self, server: Server, golden: str, route: str, name: str, status: int, message: str
    ) -> None:
        """Errors about missing files do not contain the folder's path."""
        found, error = ask(server, f"/gen5/{route}?name={name.replace(chr(92), '%5C')}").error()
        assert found == status
        assert message in error
        assert str(server.folder) not in error

    @pytest.mark.parametrize("route", READS_A_FILE)
    def test_odd_encodings(self, server: Server, route: str) -> None:
        """A name that is not UTF-8 counts as a missing file, or is invalid."""
        for name in ("%FF.gen5", "%ED%A0%80.gen5", "%C0%AE%C0%AE/user/secret.gen5"):
            status, _ = ask(server, f"/gen5/{route}?name={name}").error()
            assert status in (400, 404)

    @pytest.mark.parametrize("route", READS_A_FILE)
    def test_no_name(self, server: Server, route: str) -> None:
        """The error for a request without a name says what is missing."""
        expected = (400, "name is ''; give the name of a file, e.g. cat.gen5 or cat.gen5 [output]")
        assert ask(server, f"/gen5/{route}").error() == expected

    @pytest.mark.parametrize("route", READS_A_FILE)
    def test_damaged(self, server: Server, saved: Saved, route: str) -> None:
        """A cut file, one with a broken seal, and one of another kind give errors with the core's message."""
        data = saved.path.read_bytes()
        cases = {
            "cut.gen5": (data[:-1], "the header says"),
            "seal.gen5": (data[:24] + bytes([data[24] ^ 1]) + data[25:], "the seal is"),
            "kind.gen5": (b"\x89PNG", "starts with b'\\x89PNG'"),
            "empty.gen5": (b"", "starts with b''"),
        }
        for name, (content, message) in cases.items():
            (server.output / name).write_bytes(content)
            status, error = get(server, route, name=f"{name} [output]").error()
            (server.output / name).unlink()
            assert status == 422
            assert error.startswith(f"{name} [output]: ")
            assert message in error


class TestOrigin:
    """Pages of other sites may request nothing."""

    FOREIGN = (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"},
    )

    @pytest.mark.parametrize("headers", FOREIGN)
    @pytest.mark.parametrize(
        "target", [f"{p}/{r}" for p in PREFIXES for r in (*READS_A_FILE, "library", "read")]
    )
    def test_refused(self, server: Server, golden: str, target: str, headers: dict[str, str]) -> None:
        """Whatever ComfyUI's own guard lets through, such as another name for this machine, is refused here."""
        method, body = ("POST", b"GEN5") if target.endswith("read") else ("GET", None)
        for host in (f"127.0.0.1:{server.port}", f"192.0.2.1:{server.port}"):
            sent = {
                **OCTETS,
                "Host": host,
                **{name: value.format(host=host) for name, value in headers.items()},
            }
            reply = ask(server, f"{target}?name={golden}", method=method, body=body, headers=sent)
            assert reply.status == 403
            if reply.body:  # ComfyUI's own refusal says nothing
                assert re.search("requests from (pages of .*|other sites) are refused", reply.error()[1])

    def test_own_page(self, server: Server, golden: str, saved: Saved) -> None:
        """The server's own page may request everything."""
        own = {"Origin": f"http://127.0.0.1:{server.port}", "Sec-Fetch-Site": "same-origin"}
        assert get(server, "file", own, name=golden).status == 200
        data = head_and_tail(saved.path.read_bytes())
        assert post(server, data, {**OCTETS, **own}).status == 200

    def test_through_a_proxy(self, server: Server, saved: Saved) -> None:
        """A page behind a proxy that changes Host may too, but only if the browser says that it is the same site."""
        data = head_and_tail(saved.path.read_bytes())
        sent = {**OCTETS, "Host": "comfyui:8188", "Origin": "https://comfy.example.org"}
        assert post(server, data, {**sent, "Sec-Fetch-Site": "same-origin"}).status == 200
        assert post(server, data, sent).status == 403

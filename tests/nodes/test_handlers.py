"""The routes' responses and refusals, without a server: names, numbers, origins, files and their errors."""

from __future__ import annotations

import io
import json
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import signer
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import (
    ChecksumError,
    ChunkNotFoundError,
    EncodeError,
    LimitError,
    MalformedChunkError,
    NotGen5Error,
    SignatureError,
    TruncatedError,
    UnsupportedVersionError,
)
from gen5pack.nodes.library import library
from gen5pack.nodes.server import handlers
from gen5pack.nodes.server.errors import HttpError, http_error_of
from gen5pack.nodes.server.handlers import (
    Request,
    Response,
    error_response,
    handle_file,
    handle_image,
    handle_library,
    handle_noise,
    handle_parts,
    handle_workflow,
)
from gen5pack.nodes.server.origin import check_origin
from gen5pack.nodes.server.params import read_file_name, read_integer, read_switch
from gen5pack.nodes.server.verify import Check
from PIL import Image
from runs import randn

META_OFFSET_AT = 8
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def stored(folder: Path, name: str = "a.gen5", kind: str = "input", **facts: Any) -> Path:
    """Write a file with the core alone."""
    path = folder / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return gen5core.save(path, **{"environment": None, "hardware": None, **facts})


def request_for(name: str = "a.gen5", **query: Any) -> Request:
    return Request({"name": name, **{key: str(value) for key, value in query.items()}})


def content(answer: Response) -> Any:
    """Return the JSON of a response."""
    assert (answer.content_type, answer.status) == ("application/json", HTTPStatus.OK)
    return json.loads(answer.body)


def head_and_tail(data: bytes) -> bytes:
    (offset,) = struct.unpack_from("<I", data, META_OFFSET_AT)
    return data[:32] + data[offset:]


@contextmanager
def refusing(status: HTTPStatus, message: str, kind: str | None = None) -> Iterator[None]:
    """Expect an HTTP error of this status whose message matches the pattern, and of this kind if it is given."""
    with pytest.raises(HttpError, match=message) as caught:
        yield
    assert (caught.value.status, caught.value.kind) == (status, kind or caught.value.kind)


class TestOrigin:
    """Which pages may send requests."""

    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("http://127.0.0.1:8188", "127.0.0.1:8188"),
            ("http://LocalHost:8188", "localhost:8188"),
            ("https://comfy.example", "comfy.example"),
            ("https://comfy.example", "comfy.example:443"),
            ("http://comfy.example:80", "comfy.example"),
            ("http://[::1]:8188", "[::1]:8188"),
            (None, "127.0.0.1:8188"),
        ],
    )
    def test_own_page(self, origin: str | None, host: str) -> None:
        """The server's own page is allowed, however its address is spelled; so is a program, which sends no origin."""
        check_origin(
            {"Host": host, **({"Origin": origin} if origin else {}), "Sec-Fetch-Site": "same-origin"}
        )

    @pytest.mark.parametrize(
        ("origin", "host"),
        [
            ("http://evil.example", "127.0.0.1:8188"),
            ("http://127.0.0.1:9999", "127.0.0.1:8188"),
            ("http://127.0.0.1", "127.0.0.1:8188"),
            ("https://comfy.example", "comfy.example:80"),
            ("http://comfy.example.evil.example", "comfy.example"),
            ("null", "127.0.0.1:8188"),
            ("", "127.0.0.1:8188"),
            ("file://", "127.0.0.1:8188"),
            ("http://127.0.0.1:port", "127.0.0.1:8188"),
            ("http://127.0.0.1:8188", "127.0.0.1:port"),
            ("http://127.0.0.1:8188", ""),
            ("http://[", "127.0.0.1:8188"),
        ],
    )
    def test_another_page(self, origin: str, host: str) -> None:
        """A page of another host or port, or without a host, is refused."""
        with refusing(HTTPStatus.FORBIDDEN, "^requests from pages of .* are refused$"):
            check_origin({"Host": host, "Origin": origin})

    def test_own_page_through_a_proxy(self) -> None:
        """A page that the browser calls the server's own is allowed, even if a proxy changed Host."""
        headers = {"Host": "comfyui:8188", "Origin": "https://comfy.example.org"}
        check_origin({**headers, "Sec-Fetch-Site": "same-origin"})
        for site in ("same-site", "none"):
            with refusing(HTTPStatus.FORBIDDEN, "^requests from pages of .* are refused$"):
                check_origin({**headers, "Sec-Fetch-Site": site})

    def test_cross_site(self) -> None:
        """A request that the browser marks as cross-site is refused, also without an origin."""
        with refusing(HTTPStatus.FORBIDDEN, "^requests from other sites are refused$"):
            check_origin({"Host": "127.0.0.1", "Sec-Fetch-Site": "cross-site"})


class TestQueries:
    """Names, numbers and switches."""

    def test_names_are_annotated(self, folder: Path) -> None:
        """A name is in input/ unless it says otherwise; the file need not exist."""
        assert folder / "input" / "sub" / "a.gen5" == read_file_name({"name": "sub/a.gen5"}).path
        assert folder / "output" / "a.gen5" == read_file_name({"name": "a.gen5 [output]"}).path
        assert folder / "temp" / "a.gen5" == read_file_name({"name": "a.gen5 [temp]"}).path

    @pytest.mark.parametrize(
        "name",
        [
            *("../a.gen5", "sub/../../a.gen5", "../input.gen5", "../output/a.gen5 [input]", "/etc/passwd"),
            *("../../etc/passwd [temp]", "//etc/passwd"),
        ],
    )
    def test_names_that_lead_out(self, folder: Path, name: str) -> None:
        """A name that leads out of its folder is refused, whether or not such a file exists."""
        message = r"leads out of the \w+ folder; choose a file inside it$"
        with refusing(HTTPStatus.BAD_REQUEST, message, "outside"):
            read_file_name({"name": name})

    def test_links_that_lead_out(self, folder: Path) -> None:
        """A link to a file or folder elsewhere is refused; one within the folder is followed."""
        stored(folder, "out.gen5", "elsewhere")
        stored(folder)
        (folder / "input" / "link.gen5").symlink_to(folder / "elsewhere" / "out.gen5")
        (folder / "input" / "dir").symlink_to(folder / "elsewhere")
        (folder / "input" / "near.gen5").symlink_to("a.gen5")
        for name in ("link.gen5", "dir/out.gen5"):
            with refusing(HTTPStatus.BAD_REQUEST, "leads out of the input folder"):
                read_file_name({"name": name})
        assert folder / "input" / "a.gen5" == read_file_name({"name": "near.gen5"}).path

    @pytest.mark.parametrize("name", ["", "a\0.gen5", "\0", "a\0/../../x"])
    def test_no_name(self, folder: Path, name: str) -> None:
        """A missing name, and one that no file system accepts, are refused with an example of a valid one."""
        with refusing(HTTPStatus.BAD_REQUEST, r"^name is '.*'; give the name of a file, e\.g\. cat\.gen5"):
            read_file_name({"name": name})
        with refusing(HTTPStatus.BAD_REQUEST, "^name is ''"):
            read_file_name({})

    def test_half_a_surrogate(self, folder: Path) -> None:
        """A name that cannot be encoded is refused."""
        with refusing(HTTPStatus.BAD_REQUEST, "is not a file name"):
            read_file_name({"name": "\ud800.gen5"})

    def test_numbers(self) -> None:
        """An integer within its limits is accepted, and a missing one has its default."""
        assert [read_integer(query, "n", 7, 1, 9) for query in ({}, {"n": "1"}, {"n": "9"})] == [7, 1, 9]

    @pytest.mark.parametrize(
        "text", ["", "0", "10", "-1", "1.0", "1e3", " 1", "x", "١", "²", "9" * 5000, "1_0"]
    )
    def test_no_numbers(self, text: str) -> None:
        """Anything else is refused, and the message gives the limits."""
        with refusing(HTTPStatus.BAD_REQUEST, r"^n is '.*; give an integer from 1 to 9$"):
            read_integer({"n": text}, "n", 7, 1, 9)

    def test_switches(self) -> None:
        """A switch is 0 or 1."""
        assert [read_switch(query, "s") for query in ({}, {"s": "0"}, {"s": "1"})] == [False, False, True]
        with refusing(HTTPStatus.BAD_REQUEST, "^s is 'true'; give 0 or 1$"):
            read_switch({"s": "true"}, "s")


class TestErrors:
    """Errors as responses."""

    @pytest.mark.parametrize(
        ("error", "status", "kind", "message"),
        [
            (FileNotFoundError(2, "No such file"), 404, "not_found", "a.gen5 is not there"),
            (NotADirectoryError(20, "Not a directory"), 404, "not_found", "a.gen5 is not there"),
            (OSError(36, "File name too long"), 404, "not_found", "a.gen5 is not there"),
            (PermissionError(13, "Permission denied"), 403, "no_access", "a.gen5 may not be read"),
            (OSError(5, "I/O error"), 500, "unreadable", "a.gen5 cannot be read: I/O error"),
            (ChunkNotFoundError("no 'x'"), 404, "missing_part", "a.gen5: no 'x'"),
            (ChecksumError("bad", offset=3), 422, "damaged", "a.gen5: at offset 3: bad"),
            (MalformedChunkError("odd"), 422, "damaged", "a.gen5: odd"),
            (SignatureError("bad"), 422, "invalid_signature", "a.gen5: bad"),
            (NotGen5Error("a PNG"), 422, "not_gen5", "a.gen5: a PNG"),
            (NotGen5Error("a plain PNG", kind="stripped"), 422, "stripped", "a.gen5: a plain PNG"),
            (UnsupportedVersionError("2.0"), 422, "newer_version", "a.gen5: 2.0"),
            (TruncatedError("cut"), 422, "truncated", "a.gen5: cut"),
            (LimitError("9 of 8", raisable=True), 422, "over_limit", "a.gen5: 9 of 8"),
            (EncodeError("/x/a.gen5 is odd"), 422, "bad_value", "a.gen5 is odd"),
        ],
    )
    def test_status_kind_and_message(self, error: Exception, status: int, kind: str, message: str) -> None:
        """Each error has its status and kind; the message has the user's name of the file, not its folder."""
        if isinstance(error, gen5core.FormatError):
            error.path = "/x/a.gen5"
        refused = http_error_of(error, "a.gen5", Path("/x/a.gen5"))
        assert (refused.status, refused.kind, refused.message) == (status, kind, message)

    def test_long_message(self) -> None:
        """A long message is cut."""
        refusal = http_error_of(ChunkNotFoundError("the file has " + "n" * 10**6), "a.gen5")
        assert len(refusal.message) == 2000

    def test_answer(self) -> None:
        """An error is JSON with a message for people and a kind for programs."""
        answer = error_response(HttpError(HTTPStatus.NOT_FOUND, "not_found", "“x” is not there"))
        assert (
            answer.status,
            json.loads(answer.body),
        ) == (HTTPStatus.NOT_FOUND, {"error": "“x” is not there", "kind": "not_found"})
        assert dict(answer.headers) == {"Cache-Control": "no-store"}


class TestFile:
    """Facts, workflow, and files that are sent in parts."""

    def test_facts(self, folder: Path) -> None:
        """The facts include the requested name and the time at which the file was written."""
        path = stored(
            folder, "sub/a.gen5", "output", settings={"seed": 2**64 - 1, "steps": 1, "sampler": "euler"}
        )
        os.utime(path, (1, 1_700_000_000.5))
        facts = content(handle_file(request_for("sub/a.gen5 [output]")))
        expected = ("sub/a.gen5 [output]", 1_700_000_000.5, "18446744073709551615", [])
        assert tuple(facts[name] for name in ("name", "mtime", "seed", "drifts")) == expected

    def test_workflow(self, folder: Path) -> None:
        """Workflow and prompt are returned as they were saved."""
        stored(folder, comfyui={"workflow": {"nodes": []}, "prompt": {"3": {"class_type": "KSampler"}}})
        expected = {"workflow": {"nodes": []}, "prompt": {"3": {"class_type": "KSampler"}}}
        assert content(handle_workflow(request_for())) == expected

    def test_parts(self, folder: Path) -> None:
        """Header and META of a file that is not here give everything except drifts and the content of chunks."""
        path = stored(
            folder, latents={"initial_noise": randn(1, 4, 2, 2)}, comfyui={"workflow": {"nodes": []}}
        )
        described = content(handle_parts(head_and_tail(path.read_bytes())))
        facts = content(handle_file(request_for()))
        beyond = {name: facts.pop(name) for name in ("name", "mtime", "drifts")}
        assert beyond["drifts"] == []
        assert [facts["counts"].pop(name) for name in ("environment", "drifts")] == [0, 0]
        assert facts == described["facts"]
        assert {"root": facts["root"], "version": "1.1", "sealed": True} == {
            name: described[name] for name in ("root", "version", "sealed")
        }
        assert (described["workflow"], described["prompt"]) == ({"nodes": []}, None)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "starts with b''"),
            (b"hello", "starts with b'hell'"),
            (b"GEN5", "the header takes 32 bytes, the file has 4"),
            (b"GEN5" + bytes(28), r"is version 0\.0, this reader knows 1\.x"),
        ],
    )
    def test_no_parts(self, data: bytes, message: str) -> None:
        """Bytes that are not the head and tail of a file are refused with the core's message."""
        with refusing(HTTPStatus.UNPROCESSABLE_ENTITY, message):
            handle_parts(data)

    @pytest.mark.parametrize("answer", [handle_file, handle_workflow, handle_image, handle_noise])
    def test_missing_and_damaged(self, folder: Path, answer: Any) -> None:
        """A missing or damaged file, one of another kind, and a folder are refused without revealing the path."""
        with refusing(HTTPStatus.NOT_FOUND, r"^a\.gen5 is not there$"):
            answer(request_for())
        (folder / "input" / "a.gen5").write_bytes(b"PNG")
        with refusing(HTTPStatus.UNPROCESSABLE_ENTITY, r"^a\.gen5: at offset 0: starts with b'PNG'"):
            answer(request_for())
        path = stored(folder)
        path.write_bytes(path.read_bytes()[:-1])
        with refusing(HTTPStatus.UNPROCESSABLE_ENTITY, r"^a\.gen5: at offset \d+: the header says"):
            answer(request_for())
        (folder / "input" / "b.gen5").mkdir()
        with refusing(HTTPStatus.UNPROCESSABLE_ENTITY, r"^b\.gen5: is a folder, not a regular file$"):
            answer(request_for("b.gen5"))


class TestPictures:
    """Images and noise."""

    def test_stored_image(self, folder: Path) -> None:
        """Without a size the stored bytes are sent with their own type, and a tag made of the root."""
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, "JPEG")
        path = stored(folder, images=[PIXELS, buffer.getvalue()])
        answer = handle_image(request_for(index=1))
        assert (answer.body, answer.content_type) == (buffer.getvalue(), "image/jpeg")
        with gen5core.open(path) as file:
            expected = {
                "Cache-Control": "private, no-cache",
                "ETag": f'"{file.root}-1-whole"',
                "X-Content-Type-Options": "nosniff",
            }
        assert dict(answer.headers) == expected

    def test_smaller_image(self, folder: Path) -> None:
        """With a size the longer side is at most that."""
        stored(folder, images=PIXELS)
        answer = handle_image(request_for(size=3))
        assert (answer.content_type, Image.open(io.BytesIO(answer.body)).size) == ("image/webp", (3, 2))

    def test_noise(self, folder: Path) -> None:
        """The starting noise is a PNG of 128 pixels unless the request says otherwise."""
        stored(folder, latents={"initial_noise": randn(2, 4, 8, 4), "final_latent": randn(1, 4, 8, 4)})
        answer = handle_noise(request_for())
        assert (answer.content_type, Image.open(io.BytesIO(answer.body)).size) == ("image/png", (64, 128))
        other = handle_noise(request_for(latent="final_latent", size=16))
        assert Image.open(io.BytesIO(other.body)).size == (8, 16)
        assert answer.headers["ETag"] != other.headers["ETag"]

    @pytest.mark.parametrize("answer", [handle_image, handle_noise])
    def test_not_sent_twice(self, folder: Path, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the browser has under the same tag is neither read nor sent; after a change it is."""
        stored(folder, images=PIXELS, latents={"initial_noise": randn(1, 4, 8, 4)})
        tag = answer(request_for(size=4)).headers["ETag"].strip('"')
        for name in ("image_thumbnail", "noise_thumbnail"):
            monkeypatch.setattr(handlers, name, lambda *_: pytest.fail("it was read"))
        known = Request(request_for(size=4).query, frozenset({tag, "another"}))
        again = answer(known)
        assert (again.status, again.body, again.headers["ETag"]) == (HTTPStatus.NOT_MODIFIED, b"", f'"{tag}"')
        monkeypatch.undo()
        monkeypatch.setenv("GEN5_FOLDER", str(folder))
        stored(folder, images=255 - PIXELS, latents={"initial_noise": randn(1, 4, 8, 4, seed=1)})
        assert answer(known).status == HTTPStatus.OK

    @pytest.mark.parametrize(
        ("answer", "query", "status", "message"),
        [
            (handle_image, {"index": 1}, 404, r"^a\.gen5: there is no image 1; it has 1$"),
            (handle_image, {"index": -1}, 400, "^index is '-1'; give an integer from 0 to 9999$"),
            (handle_image, {"size": 0}, 400, "^size is '0'; give an integer from 1 to 2048$"),
            (handle_image, {"size": 2049}, 400, "^size is '2049'"),
            (
                handle_noise,
                {"index": 1},
                404,
                r"^a\.gen5: latent 'initial_noise' has no number 1; it has 1$",
            ),
            (
                handle_noise,
                {"latent": "x"},
                404,
                r"^a\.gen5: there is no latent 'x'; the file has initial_noise$",
            ),
            (handle_noise, {"size": "big"}, 400, "^size is 'big'"),
        ],
    )
    def test_refused(
        self, folder: Path, answer: Any, query: dict[str, Any], status: int, message: str
    ) -> None:
        """Requests for what the file does not have, and invalid ones, are refused with the reason."""
        stored(folder, images=PIXELS, latents={"initial_noise": torch.zeros(1, 4, 2, 2)})
        with refusing(HTTPStatus(status), message):
            answer(request_for(**query))

    def test_damaged(self, folder: Path) -> None:
        """A picture or noise whose bytes do not match is refused, not shown."""
        path = stored(folder, images=PIXELS, latents={"initial_noise": randn(1, 4, 8, 4)}, compression="none")
        data = bytearray(path.read_bytes())
        with gen5core.open(path) as file:
            offsets = [row.offset + 20 for row in file.rows]
        for offset in offsets:
            data[offset] ^= 1
        path.write_bytes(data)
        for answer in (handle_image, handle_noise):
            with refusing(HTTPStatus.UNPROCESSABLE_ENTITY, r"^a\.gen5: chunk \d .*SHA-256 of the payload is"):
                answer(request_for())

    def test_too_large(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An image beyond the limit is not read into memory."""
        stored(folder, images=PIXELS)
        monkeypatch.setattr(handlers, "MAX_PICTURE_BYTES", 10)
        with refusing(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, r"^image 0 takes \d+ bytes, the limit is 10$"):
            handle_image(request_for())


class TestLibrary:
    """Pages of the library."""

    @pytest.fixture(autouse=True)
    def _page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(library, "page", lambda **asked_for: asked_for)

    def test_query(self) -> None:
        """Words, offset, limit and refresh are passed on; missing ones have their defaults."""
        query = {"query": "a cat", "offset": "120", "limit": "200", "refresh": "1"}
        expected = {"query": "a cat", "offset": 120, "limit": 200, "refresh": True}
        assert content(handle_library(Request(query))) == expected
        expected = {"query": "", "offset": 0, "limit": 60, "refresh": False}
        assert content(handle_library(Request({}))) == expected

    @pytest.mark.parametrize(
        "query", [{"limit": "201"}, {"limit": "0"}, {"offset": "-1"}, {"refresh": "yes"}]
    )
    def test_malformed(self, query: dict[str, str]) -> None:
        """Anything outside the limits is refused."""
        with refusing(HTTPStatus.BAD_REQUEST, "; give "):
            handle_library(Request(query))

    def test_turned_off(self, folder: Path) -> None:
        """If the user has turned the library off, it reveals nothing."""
        settings = folder / "user" / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text('{"Gen5.Library.Enabled": false}')
        with refusing(HTTPStatus.NOT_FOUND, "^the library is turned off: turn it on in ComfyUI's settings"):
            handle_library(Request({}))


class TestVerifying:
    """A check that reports its progress."""

    def lines(self, name: str = "a.gen5") -> list[Any]:
        """Return the lines that a check put, and the None at its end."""
        put: list[bytes | None] = []
        Check.begin({"name": name}).run(put.append)
        return [line and json.loads(line) for line in put]

    def test_report(self, folder: Path) -> None:
        """Every byte is counted, then come the report and the end."""
        path = stored(folder, latents={"initial_noise": randn(1, 4, 64, 64)})
        size = path.stat().st_size
        *progress, report, end = self.lines()
        assert [{"done": 32, "total": size}, {"done": size, "total": size}] == [progress[0], progress[-1]]
        trust = {"word": "unsigned", "signatures": []}
        expected = {"checked_bytes": size, "chunk_count": 1, "notes": [], "sealed": True, "trust": trust}
        expected["uncovered_bytes"] = 0
        assert (report, end) == ({"report": expected}, None)

    def test_bytes_that_nothing_covers(self, folder: Path) -> None:
        """The browser gets their number, with which it words the verdict."""
        path = stored(folder, latents={"initial_noise": randn(1, 4, 8, 8)})
        path.write_bytes(signer.with_trailer(path.read_bytes(), forge.frame("NOTE", "0000", b"seen")))
        assert self.lines()[-2]["report"]["uncovered_bytes"] == 16

    def test_damage(self, folder: Path) -> None:
        """A damaged chunk ends the lines with the core's message, which does not reveal the folder."""
        path = stored(folder, latents={"initial_noise": randn(1, 4, 64, 64)}, compression="none")
        data = bytearray(path.read_bytes())
        data[100] ^= 1
        path.write_bytes(data)
        *_, error, end = self.lines()
        assert error["error"].startswith(
            "a.gen5: chunk 0 (LATN 'initial_noise') at offset 32: SHA-256 of the payload"
        )
        assert str(folder) not in error["error"]
        assert (error["kind"], end) == ("damaged", None)

    def test_refused(self, folder: Path) -> None:
        """A file that cannot be opened is refused before any line."""
        with refusing(HTTPStatus.NOT_FOUND, r"^a\.gen5 is not there$"):
            self.lines()
        with refusing(HTTPStatus.BAD_REQUEST, "leads out of the input folder"):
            self.lines("../a.gen5")
        (folder / "input" / "a.gen5").write_bytes(b"x")
        with refusing(HTTPStatus.UNPROCESSABLE_ENTITY, r"^a\.gen5: at offset 0: starts with b'x'"):
            self.lines()

    def test_stopped(self, folder: Path) -> None:
        """A check that was cancelled ends without a report, and closes the file."""
        stored(folder, latents={"initial_noise": randn(1, 4, 64, 64)})
        put: list[bytes | None] = []
        check = Check.begin({"name": "a.gen5"})
        check.stop()
        worker = threading.Thread(target=check.run, args=(put.append,))
        worker.start()
        worker.join()
        assert put == [None]
        with pytest.raises(ValueError, match="is closed"):
            check._file.latents["initial_noise"].array()

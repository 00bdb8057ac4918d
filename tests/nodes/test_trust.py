"""Signed saves, and what is reported about signatures: intact, signed by, trusted, never one in place of another."""

from __future__ import annotations

import json
import logging
import os
import string
from pathlib import Path
from typing import Any

import pytest
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError, SignatureError
from gen5pack.gen5core.signatures.key_files import save_signing_key
from gen5pack.gen5core.signatures.keys import PublicKey, SigningKey
from gen5pack.gen5core.signatures.trusted_keys import add_trusted_key, remove_trusted_key
from gen5pack.nodes.library import entry
from gen5pack.nodes.load import Gen5Load
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.server.errors import HttpError
from gen5pack.nodes.server.handlers import Request, handle_file, handle_parts
from gen5pack.nodes.server.verify import Check
from gen5pack.nodes.stored.signatures import UNUSABLE_LIST
from library_files import scanned
from runs import images, randn, txt2img

pytest.importorskip("cryptography")
FORMATS = ("gen5+png", "gen5", "png")
ALPHABET = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
"""Of base64, in order."""
UNSIGNED = {"word": "unsigned", "signatures": []}


@pytest.fixture
def trusted_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the list of trusted keys, which does not exist yet."""
    monkeypatch.setenv("GEN5_TRUSTED_KEYS", str(tmp_path / "own" / "trusted"))
    return tmp_path / "own" / "trusted"


@pytest.fixture
def key(tmp_path: Path, trusted_list: Path, monkeypatch: pytest.MonkeyPatch) -> PublicKey:
    """The public key of the key that saves are signed with."""
    made = SigningKey.generate(comment="Anna")
    save_signing_key(tmp_path / "key.pem", made)
    monkeypatch.setenv("GEN5_SIGNING_KEY", str(tmp_path / "key.pem"))
    public: PublicKey = made.public_key
    return public


def save(format: str = "gen5", count: int = 1, **inputs: Any) -> tuple[Path, dict[str, Any]]:
    """Save through the node; return the file's path and what the node shows about it."""
    given = {"images": images(count), "latent": {"samples": randn(count, 4, 4, 8)}}
    answer = Gen5Save().save(
        "x", format=format, prompt=txt2img(batch_size=count), unique_id="9", **{**given, **inputs}
    )
    return answer["result"][1].path, answer["ui"]["gen5"][0]


def load(path: Path) -> dict[str, Any]:
    """Return what Load Gen5 shows about the signatures of a file in output/."""
    trust: dict[str, Any] = Gen5Load().load(f"{path.name} [output]")["ui"]["gen5"][0]["trust"]
    return trust


def signed_by(key: PublicKey, word: str, comment: str | None = None) -> dict[str, Any]:
    """Return what is shown about a file with one valid signature."""
    one = {"key_id": key.key_id, "state": "valid", "reason": "", "comment": comment, "problem": None}
    return {"word": word, "signatures": [one]}


def with_flipped_bit(path: Path) -> Path:
    """Flip one bit of the signature, so that its base64 is still base64."""
    data = bytearray(path.read_bytes())
    position = data.rindex(b'"sig":"') + len(b'"sig":"')
    data[position] = ALPHABET[ALPHABET.index(data[position]) ^ 1]
    path.write_bytes(data)
    return path


class TestSave:
    """Saves are signed if a key is configured."""

    @pytest.mark.parametrize("format", FORMATS)
    def test_signed(self, key: PublicKey, format: str) -> None:
        """The file has the key's signature, the node names the key, and the private key is neither shown nor stored."""
        path, shown = save(format)
        assert shown["signed_by"] == key.key_id
        with gen5core.open(path) as file:
            assert [(one.key_id, one.state) for one in file.verify().signatures] == [(key.key_id, "valid")]
        assert "PRIVATE" not in json.dumps(shown)
        assert b"PRIVATE" not in path.read_bytes()

    def test_batch(self, key: PublicKey, folder: Path) -> None:
        """Each PNG of a batch is signed."""
        save("png", 2)
        states = []
        for path in sorted((folder / "output").iterdir()):
            with gen5core.open(path) as file:
                states += [(one.key_id, one.state) for one in file.signatures]
        assert [(key.key_id, "valid")] * 2 == states

    @pytest.mark.parametrize("format", FORMATS)
    @pytest.mark.parametrize("value", [None, ""])
    def test_without_a_key(self, format: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a configured key nothing is signed, and the node says so."""
        monkeypatch.delenv("GEN5_SIGNING_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("GEN5_SIGNING_KEY", value)
        path, shown = save(format)
        assert shown["signed_by"] is None
        assert load(path) == UNSIGNED

    @pytest.mark.parametrize("format", FORMATS)
    @pytest.mark.parametrize(
        ("content", "mode", "message"),
        [
            (None, 0o600, "No such file or directory"),
            ("no key", 0o600, "private key.*gen5core keygen"),
            pytest.param(
                ...,
                0o644,
                r"private key \(mode 0644\).*chmod 600",
                marks=pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX"),
            ),
        ],
    )
    def test_a_key_that_cannot_be_used(
        self, key: PublicKey, folder: Path, format: str, content: Any, mode: int, message: str
    ) -> None:
        """A missing, malformed or unprotected key is an error with the remedy, and nothing is written."""
        path = Path(os.environ["GEN5_SIGNING_KEY"])
        if content is None:
            path.unlink()
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        if path.exists():
            path.chmod(mode)
        with pytest.raises(
            EncodeError, match=f"^nothing was saved, since it cannot be signed: .*{message}"
        ) as caught:
            Gen5Save().save("sub/x", images=images(), format=format)
        assert "unset GEN5_SIGNING_KEY and restart ComfyUI" in str(caught.value)
        assert list((folder / "output").iterdir()) == []


class TestWords:
    """signed, trusted, invalid, unsigned."""

    @pytest.mark.parametrize("format", FORMATS)
    def test_signed_and_trusted(self, key: PublicKey, format: str) -> None:
        """A file is signed as long as its key is not on the list, then trusted, with the list's comment."""
        path, _ = save(format)
        assert signed_by(key, "signed") == load(path)
        add_trusted_key(PublicKey(key.raw, "Anna at home"))
        assert signed_by(key, "trusted", "Anna at home") == load(path)

    @pytest.mark.parametrize("format", FORMATS)
    def test_reported_again(self, key: PublicKey, format: str) -> None:
        """When the list changes, ComfyUI runs Load Gen5 again, since its report on trust is outdated."""
        path, _ = save(format)
        name = f"{path.name} [output]"
        before = Gen5Load.IS_CHANGED(name)
        assert before == Gen5Load.IS_CHANGED(name)
        add_trusted_key(key)
        trusted = Gen5Load.IS_CHANGED(name)
        assert before != trusted
        remove_trusted_key(key.key_id)
        assert before == Gen5Load.IS_CHANGED(name)

    def test_trusted_without_a_comment(self, key: PublicKey) -> None:
        """A key that has no comment in the list is trusted all the same."""
        path, _ = save()
        add_trusted_key(PublicKey(key.raw))
        assert signed_by(key, "trusted", "") == load(path)

    @pytest.mark.parametrize("format", FORMATS)
    def test_invalid(self, key: PublicKey, format: str) -> None:
        """One flipped bit of a signature is enough: the file is not loaded, and the error names the key."""
        path, _ = save(format)
        add_trusted_key(key)
        with pytest.raises(
            SignatureError,
            match=f"the signature by {key.key_id} is not valid for this file: the signature, or what",
        ):
            load(with_flipped_bit(path))

    @pytest.mark.parametrize("format", ["gen5", "png"])
    def test_routes(self, key: PublicKey, format: str) -> None:
        """Facts, parts and a check report the same about a signature; each refuses an invalid one."""
        path, _ = save(format)
        name = {"name": f"{path.name} [output]"}
        expected = signed_by(key, "signed")
        assert json.loads(handle_file(Request(name)).body)["trust"] == expected
        assert json.loads(handle_parts(parts_of(path)).body)["facts"]["trust"] == expected
        assert last_line(name)["report"]["trust"] == expected
        with_flipped_bit(path)
        for answer in (lambda: handle_file(Request(name)), lambda: handle_parts(parts_of(path))):
            with pytest.raises(HttpError, match=f"the signature by {key.key_id} is not valid for this file"):
                answer()

    @pytest.mark.parametrize("format", ["gen5", "png"])
    def test_library(self, key: PublicKey, folder: Path, format: str) -> None:
        """A page uses the current list without a scan; key ids can be searched; an invalid signature is reported."""
        path, _ = save(format)
        library = scanned(folder)
        assert [item["trust"] for item in library.page(key.key_id)["items"]] == ["signed"]
        add_trusted_key(key)
        [item] = library.page()["items"]
        assert ("trusted", format == "png") == (item["trust"], item["carrier"])
        assert key.text not in json.dumps(library.page())
        with_flipped_bit(path)
        [item] = scanned(folder).page(key.key_id)["items"]
        assert ("invalid", format == "png") == (item["trust"], item["carrier"])
        assert f"the signature by {key.key_id} is not valid for this file" in item["error"]
        assert item["kind"] == "invalid_signature"

    def test_replaced_while_it_is_read(
        self, key: PublicKey, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If an intact file replaces a broken one while that is reported, nothing is claimed about either."""
        path, _ = save()
        add_trusted_key(key)
        whole, real = path.read_bytes(), gen5core.open

        def replacing(name: str, **options: Any) -> gen5core.Gen5File:
            try:
                return real(name, **options)
            except SignatureError:
                path.write_bytes(whole)
                raise

        with_flipped_bit(path)
        monkeypatch.setattr(gen5core, "open", replacing)
        [item] = scanned(folder).page()["items"]
        assert (item["trust"], "is not valid for this file" in item["error"]) == (None, True)

    @pytest.mark.parametrize("content", ["no key\n", b"\xff"])
    def test_a_list_that_cannot_be_used(
        self, key: PublicKey, folder: Path, trusted_list: Path, content: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An invalid list trusts no key; a warning says so, and files are loaded all the same."""
        path, _ = save()
        add_trusted_key(key)
        trusted_list.write_bytes(content if isinstance(content, bytes) else content.encode())
        with caplog.at_level(logging.WARNING):
            trust = load(path)
        [one] = trust["signatures"]
        assert (trust["word"], one["reason"], one["problem"]) == ("signed", UNUSABLE_LIST, "unusable_list")
        assert str(trusted_list) in caplog.text
        assert str(trusted_list) not in json.dumps(trust)
        assert [item["trust"] for item in scanned(folder).page()["items"]] == ["signed"]

    def test_list_is_not_read_for_unsigned_files(self, folder: Path, trusted_list: Path) -> None:
        """If nothing is signed, nothing depends on the list."""
        trusted_list.parent.mkdir()
        trusted_list.write_text("no key", encoding="utf-8")
        path, _ = save()
        assert load(path) == UNSIGNED
        assert [item["trust"] for item in scanned(folder).page()["items"]] == ["unsigned"]


def test_unchecked_signature_is_checked_later(key: PublicKey, folder: Path) -> None:
    """Without cryptography a signature is unchecked; a later scan that has it checks the signature."""
    save()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gen5pack.gen5core.signatures.keys.load_cryptography", _missing)
        library = scanned(folder)
    assert [item["trust"] for item in library.page()["items"]] == ["unchecked"]
    library.refresh()
    library.wait()
    assert [item["trust"] for item in library.page()["items"]] == ["signed"]


def _missing() -> None:
    raise ImportError(
        "the package cryptography is not installed: pip install cryptography", name="cryptography"
    )


def parts_of(path: Path) -> bytes:
    """Return what the browser sends of a file, or of the file that a PNG carries."""
    data = path.read_bytes()
    if path.suffix == ".png":
        start = data.index(b"gfVEGEN5") + 4
        data = data[start : start + int.from_bytes(data[start - 8 : start - 4], "big")]
    return data[:32] + data[int.from_bytes(data[8:12], "little") :]


def last_line(query: dict[str, str]) -> dict[str, Any]:
    """Return the last line of a check."""
    put: list[bytes | None] = []
    Check.begin(query).run(put.append)
    end: dict[str, Any] = json.loads(put[-2] or b"")
    return end


class TestLibraryToday:
    """What the library says of signatures is true of the bytes that the file has now."""

    @pytest.fixture(params=("gen5", "png"))
    def signed(self, key: PublicKey, request: pytest.FixtureRequest) -> Path:
        """A file signed by a trusted key."""
        add_trusted_key(key)
        return save(request.param)[0]

    def words(self, library: Any) -> list[Any]:
        return [item["trust"] for item in library.page()["items"]]

    @pytest.mark.parametrize("where", [b'"sig":"', b"SIGN"])
    def test_changed_behind_its_stamp(self, signed: Path, folder: Path, where: bytes) -> None:
        """A byte of META or of the signature changed, size and time as before: no word, and then the right one."""
        library = scanned(folder)
        assert self.words(library) == ["trusted"]
        status, data = signed.stat(), bytearray(signed.read_bytes())
        data[data.rindex(where) + (10 if where.startswith(b'"') else -40)] ^= 1
        signed.write_bytes(data)
        os.utime(signed, ns=(status.st_atime_ns, status.st_mtime_ns))
        page = library.page()
        assert ([item["trust"] for item in page["items"]], page["scan"]["running"]) == ([None], True)
        library.wait()
        assert self.words(library) != ["trusted"]

    def test_gone(self, signed: Path, folder: Path) -> None:
        """A file that is gone has no word."""
        library = scanned(folder)
        signed.unlink()
        assert self.words(library) == [None]

    def test_changed_while_it_is_read(
        self, signed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the bytes change while they are checked, the verdict is not kept; the next scan gives the right one."""
        check = entry.gen5core.open
        data = signed.read_bytes()

        def change(path: str, **options: Any) -> Any:
            file = check(path, **options)
            with_flipped_bit(signed)
            return file

        with monkeypatch.context() as patch:
            patch.setattr(entry.gen5core, "open", change)
            library = scanned(folder)
        assert self.words(library) == [None]
        signed.write_bytes(data)
        library.refresh()
        library.wait()
        assert self.words(library) == ["trusted"]

    def test_unchanged(self, signed: Path, folder: Path) -> None:
        """A file that was only touched or renamed is trusted as before."""
        library = scanned(folder)
        os.utime(signed, (1, 1))
        assert self.words(library) == ["trusted"]
        signed.rename(signed.with_stem("other"))
        library.refresh()
        library.wait()
        assert self.words(library) == ["trusted"]

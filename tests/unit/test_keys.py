"""Keys: the test vectors of RFC 8032, weak keys, key files that only their owner can read, the trusted list."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import signer
from hypothesis import given, settings
from hypothesis import strategies as st

import gen5core
from gen5core import InvalidKeyError, PublicKey, Signature, SigningKey
from gen5core.container import strict_json
from gen5core.signatures.key_files import (
    configured_signing_key,
    default_key_path,
    load_public_key,
    load_signing_key,
    public_key_path,
    save_signing_key,
)
from gen5core.signatures.keys import parse_public_key
from gen5core.signatures.lookalikes import skeleton
from gen5core.signatures.trust import evaluate_trust
from gen5core.signatures.trusted_keys import (
    add_trusted_key,
    load_trusted_keys,
    remove_trusted_key,
    trusted_keys_path,
)

# RFC 8032, section 7.1: secret key, public key, message, signature.
RFC_8032 = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
}
SEED = bytes(range(32))
LINE = "gen5-ed25519 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
KEY_ID = "56475aa75463474c0285df5dbf2bcab7"
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no owner-only bits")


def key(comment: str = "anna") -> SigningKey:
    return SigningKey.from_seed(SEED, comment=comment)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the user's own list, which does not exist yet."""
    monkeypatch.setenv("GEN5_TRUSTED_KEYS", str(tmp_path / "own" / "trusted"))
    return tmp_path / "own" / "trusted"


@pytest.fixture
def umask() -> Iterator[None]:
    """Set a umask that restricts nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


# Ed25519


@pytest.mark.parametrize("name", RFC_8032)
def test_vectors_of_the_rfc(name: str) -> None:
    """Secret key, public key and signature match RFC 8032; the public key accepts no other message."""
    secret, public, message, signature = (bytes.fromhex(text) for text in RFC_8032[name])
    found = SigningKey.from_seed(secret)
    assert public == found.public_key.raw == signer.public_key(secret)
    assert signature == found.sign(message) == signer.sign(secret, message)
    assert PublicKey(public).fits(signature, message)
    assert not PublicKey(public).fits(signature, message + b"\0")
    assert not PublicKey(public).fits(signature[:-1], message)


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_agrees_with_plain_python(seed: bytes, message: bytes) -> None:
    """Two independent implementations give the same key and signature."""
    assert signer.sign(seed, message) == SigningKey.from_seed(seed).sign(message)


def test_no_second_signature_from_a_first() -> None:
    """A signature with the group order added to its second half, which some verifiers accept, is refused."""
    signature = key().sign(b"message")
    second = int.from_bytes(signature[32:], "little") + signer.L
    assert not key().public_key.fits(signature[:32] + second.to_bytes(32, "little"), b"message")


def weak_points() -> list[bytes]:
    """Return all encodings of the points of order 1, 2, 4 and 8, found by search."""
    order_8 = next(
        point
        for y in range(2, 100)
        if (base := signer.point_at(y)) and len(set(_orbit(point := signer.multiply(signer.L, base)))) == 8
    )
    found = set()
    for encoded in _orbit(order_8):
        y = int.from_bytes(encoded, "little") & (2**255 - 1)
        for value in (y, y + signer.P):
            if value < 2**255:
                found |= {(value | sign << 255).to_bytes(32, "little") for sign in (0, 1)}
    return sorted(found)


def _orbit(point: signer.Point) -> list[bytes]:
    return [signer.compress(signer.multiply(times, point)) for times in range(8)]


def test_weak_keys_are_refused() -> None:
    """Points of small order are refused in every encoding. OpenSSL accepts such a key, for any message."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    points = weak_points()
    assert len(points) == 14
    for raw in points:
        with pytest.raises(InvalidKeyError, match=f"{raw.hex()} is not a usable public key"):
            PublicKey(raw)
    identity = bytes([1, *bytes(31)])
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"whatever the message is")


@pytest.mark.parametrize("y", [signer.P, signer.P + 3, 2**255 - 1])
def test_a_key_has_one_encoding(y: int) -> None:
    """A coordinate must be below the prime; otherwise one key could have two ids."""
    with pytest.raises(InvalidKeyError, match="is not a usable public key"):
        PublicKey(y.to_bytes(32, "little"))


def test_a_key_that_is_not_a_point_verifies_nothing() -> None:
    """Half of all byte strings are not a point of the curve; such a key is allowed, but no signature is valid."""
    y = next(y for y in range(2, 100) if signer.point_at(y) is None)
    assert not PublicKey(y.to_bytes(32, "little")).fits(key().sign(b""), b"")


# Text


def test_text_of_a_public_key() -> None:
    """One line with kind, base64 and comment; the id is the first half of a SHA-256."""
    public = key().public_key
    assert (public.text, str(public), public.key_id) == (LINE, f"{LINE} anna", KEY_ID)
    assert hashlib.sha256(signer.public_key(SEED)).hexdigest()[:32] == KEY_ID
    assert LINE == str(key(comment="").public_key) == signer.keyid(SEED)


@pytest.mark.parametrize(
    "text", [LINE, f"{LINE} anna", f"  {LINE}\t anna \n", f"{LINE} anna's second, at home"]
)
def test_a_line_is_parsed(text: str) -> None:
    """Surrounding white space is ignored; the comment is the rest of the line."""
    public = parse_public_key(text)
    assert public == key().public_key
    assert public.comment == text.strip().removeprefix(LINE).strip()


NO_KEYS = {
    "": "starts with ''; a public key is a line `gen5-ed25519 <base64> comment`",
    "ssh-ed25519 AAAA": "starts with 'ssh-ed25519'",
    "gen5-ed25519": "a public key has 32 bytes, got 0",
    "gen5-ed25519 AAAA": "a public key has 32 bytes, got 3",
    "gen5-ed25519 !": "its key '!' is not base64",
    "gen5-ed25519 ü": "its key 'ü' is not base64",
    LINE.replace("g=", "h="): "is not canonical base64",
    LINE.rstrip("="): "is not base64",
    f"{LINE} a\x1b[31m": "a key's comment is .*; it must be one line of at most 200 characters",
    f"{LINE} {'a' * 201}": "at most 200 characters",
    "-----BEGIN PRIVATE KEY-----": "is a private key; use the public key, whose file ends in .pub",
}


@pytest.mark.parametrize(("text", "message"), NO_KEYS.items())
def test_invalid_keys_are_refused(text: str, message: str) -> None:
    """The message says what is wrong, and the error is also a ValueError."""
    with pytest.raises(InvalidKeyError, match=message) as caught:
        parse_public_key(text)
    assert isinstance(caught.value, ValueError)


def test_a_private_key_hides_its_bytes() -> None:
    """It cannot be printed, pickled, copied or written as JSON, so that it cannot get into a workflow."""
    secret = key()
    assert f"<SigningKey {KEY_ID}>" == repr(secret) == str(secret)
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(
            TypeError, match="a private key cannot be copied or serialised; pass the path of its file"
        ):
            use(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(gen5core.EncodeError):
        strict_json.dumps({"key": secret}, "workflow")
    assert not hasattr(secret, "__dict__")


# Files


@posix
def test_a_private_key_is_only_for_its_owner(tmp_path: Path, umask: None) -> None:
    """Its mode is 0600 with any umask; the public key beside it can be read by everyone."""
    public = save_signing_key(tmp_path / "key.pem", key())
    assert public == tmp_path / "key.pub" == public_key_path(tmp_path / "key.pem")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert public.read_text() == f"{LINE} anna\n"
    assert (tmp_path / "key.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert key().public_key == load_signing_key(tmp_path / "key.pem").public_key == load_public_key(public)
    assert load_public_key(public).comment == "anna"


@pytest.mark.parametrize("existing", ["key.pem", "key.pub"])
def test_a_key_is_never_replaced(tmp_path: Path, existing: str) -> None:
    """If either file exists, nothing is written."""
    (tmp_path / existing).write_text("mine")
    with pytest.raises(FileExistsError):
        save_signing_key(tmp_path / "key.pem", key())
    assert [existing] == os.listdir(tmp_path)
    assert (tmp_path / existing).read_text() == "mine"


def test_a_private_key_is_not_named_pub(tmp_path: Path) -> None:
    """It would overwrite its own public key, and could be shared by mistake."""
    with pytest.raises(InvalidKeyError, match=r"key\.pub: the suffix \.pub is for public keys"):
        save_signing_key(tmp_path / "key.pub", key())


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o644, 0o777])
def test_a_private_key_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    """The message has the command that fixes the mode; then the key can be read."""
    path = tmp_path / "key.pem"
    save_signing_key(path, key())
    path.chmod(mode)
    message = rf"key\.pem: users other than its owner .* \(mode {mode:04o}\): chmod 600 .*key\.pem$"
    with pytest.raises(InvalidKeyError, match=message):
        load_signing_key(path)
    path.chmod(0o400)
    assert load_signing_key(path).public_key.key_id == KEY_ID


@posix
def test_the_command_that_fixes_a_mode_can_be_pasted(tmp_path: Path, umask: None) -> None:
    """A path with a space is quoted for the shell."""
    path, trusted = tmp_path / "my key.pem", tmp_path / "my list"
    save_signing_key(path, key())
    trusted.touch()
    for file in (path, trusted):
        file.chmod(0o666)
    with pytest.raises(InvalidKeyError, match=rf": chmod 600 '{path}'$"):
        load_signing_key(path)
    with pytest.raises(InvalidKeyError, match=rf": chmod go-w '{trusted}'$"):
        load_trusted_keys(trusted)


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_public_key_is_not_accepted_as_a_private_key(tmp_path: Path, mode: int) -> None:
    """The remedy is to name another file, not to change the mode."""
    public = save_signing_key(tmp_path / "k 1.pem", key())
    public.chmod(mode)
    with pytest.raises(InvalidKeyError) as caught:
        load_signing_key(public)
    assert str(caught.value) == f"{public}: is a public key; name the file of the private key"


@posix
def test_a_full_disk_names_the_key_file(tmp_path: Path) -> None:
    """No part of the key is left behind, and the error names the file."""
    import resource
    import signal

    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            save_signing_key(tmp_path / "key.pem", key())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (str(tmp_path / "key.pem"), []) == (caught.value.filename, os.listdir(tmp_path))


def test_sign_file_accepts_the_path_of_a_key(tmp_path: Path) -> None:
    """A string or a Path, with the same errors as in ``save``."""
    save_signing_key(tmp_path / "key.pem", key())
    path = gen5core.save(tmp_path / "a.gen5", environment=None, hardware=None)
    before = path.read_bytes()
    for named in (str(tmp_path / "key.pem"), tmp_path / "key.pem"):
        path.write_bytes(before)
        gen5core.sign_file(path, named)
        with gen5core.open(path) as file:
            assert [found.key_id for found in file.signatures] == [KEY_ID]
    with pytest.raises(InvalidKeyError, match="is a public key; name the file of the private key"):
        gen5core.sign_file(path, tmp_path / "key.pub")


def _other_pems() -> dict[str, tuple[bytes, str]]:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

    def pem(private: object, encryption: object = form.NoEncryption()) -> bytes:
        return private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined]

    own = ed25519.Ed25519PrivateKey.generate()
    public = own.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    other = "is a private key, but not an Ed25519 key; make one with `gen5core keygen`"
    none = "is not a private key; make one with `gen5core keygen`"
    return {
        "encrypted": (pem(own, form.BestAvailableEncryption(b"x")), "is encrypted with a passphrase"),
        "P-256": (pem(ec.generate_private_key(ec.SECP256R1())), other),
        "Ed448": (pem(ed448.Ed448PrivateKey.generate()), other),
        "public": (public, none),
        "empty": (b"", none),
        "text": (b"gen5-ed25519 AAAA", none),
        "cut": (pem(own)[:-40], none),
        "endless": (b"\0" * (2**20 + 1), "has more than 1048576 bytes: it is not a key file"),
    }


@pytest.mark.parametrize("name", ["encrypted", "P-256", "Ed448", "public", "empty", "text", "cut", "endless"])
def test_a_file_without_a_key_to_sign_with_is_refused(tmp_path: Path, name: str) -> None:
    """The message names the file and says what is in it."""
    data, message = _other_pems()[name]
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(InvalidKeyError, match=rf"key\.pem: {message}"):
        load_signing_key(path)


@posix
def test_a_key_file_is_a_regular_file(tmp_path: Path) -> None:
    """A FIFO would block for ever, and a folder has no key."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", Path(os.devnull), tmp_path):
        with pytest.raises(InvalidKeyError, match=f"{path}: is not a regular file"):
            load_signing_key(path)


def test_the_public_key_of_a_file(tmp_path: Path) -> None:
    """Comments and empty lines are skipped; no key, two keys and a private key are refused."""
    path = tmp_path / "k.pub"
    for text, message in {
        "": r"k\.pub: has 0 keys; name a file with exactly one",
        f"{LINE}\n{LINE}\n": "has 2 keys",
        "-----BEGIN PRIVATE KEY-----\nx\n": "is a private key; use the public key",
    }.items():
        path.write_text(text)
        with pytest.raises(InvalidKeyError, match=message):
            load_public_key(path)
    path.write_text(f"# anna's\n\n{LINE}\n")
    assert key().public_key == load_public_key(path)
    path.write_bytes(b"\xff")
    with pytest.raises(InvalidKeyError, match=r"k\.pub: is not text"):
        load_public_key(path)


def test_the_configured_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GEN5_SIGNING_KEY names a file; unset or empty, there is no key; a missing file is an error."""
    save_signing_key(tmp_path / "key.pem", key())
    for value in (None, ""):
        monkeypatch.setenv("GEN5_SIGNING_KEY", value) if value is not None else monkeypatch.delenv(
            "GEN5_SIGNING_KEY", raising=False
        )
        assert configured_signing_key() is None
    monkeypatch.setenv("GEN5_SIGNING_KEY", str(tmp_path / "key.pem"))
    found = configured_signing_key()
    assert found is not None
    assert found.public_key.key_id == KEY_ID
    monkeypatch.setenv("GEN5_SIGNING_KEY", str(tmp_path / "no.pem"))
    with pytest.raises(FileNotFoundError):
        configured_signing_key()


# The trusted list


def test_the_path_of_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the user's own folder, beside the keys, unless GEN5_TRUSTED_KEYS names another file."""
    monkeypatch.delenv("GEN5_TRUSTED_KEYS", raising=False)
    monkeypatch.setenv("GEN5_HOME", str(tmp_path))
    assert (tmp_path / "trusted_keys", tmp_path / "signing_key.pem") == (
        trusted_keys_path(),
        default_key_path(),
    )
    monkeypatch.setenv("GEN5_TRUSTED_KEYS", str(tmp_path / "other"))
    assert tmp_path / "other" == trusted_keys_path()


def test_a_missing_list_is_empty(trusted: Path) -> None:
    """No key is trusted at first, and reading creates no file."""
    assert load_trusted_keys() == ()
    assert not trusted.parent.exists()


def test_keys_are_added_and_removed(trusted: Path) -> None:
    """A key is listed once, with its latest comment; comment lines and other keys stay."""
    other = SigningKey.from_seed(bytes(32), comment="ben").public_key
    assert trusted == add_trusted_key(key().public_key)
    trusted.write_text(f"# people\n\n{trusted.read_text(encoding='utf-8')}", encoding="utf-8")
    add_trusted_key(other)
    add_trusted_key(key("anna's new name").public_key)
    assert [found.comment for found in load_trusted_keys()] == ["ben", "anna's new name"]
    assert trusted.read_text(encoding="utf-8") == f"# people\n\n{other}\n{LINE} anna's new name\n"
    assert remove_trusted_key(other.key_id)
    assert not remove_trusted_key(other.key_id)
    assert [key().public_key] == list(load_trusted_keys())
    assert [name for name in os.listdir(trusted.parent) if name != "trusted"] == []


def test_a_bad_line_is_named(trusted: Path) -> None:
    """One invalid line is an error for the whole list, since skipping it would silently drop a trusted key."""
    trusted.parent.mkdir()
    trusted.write_text(f"{LINE}\nssh-ed25519 AAAA\n", encoding="utf-8")
    trusted.chmod(0o644)
    for use in (
        load_trusted_keys,
        lambda: add_trusted_key(key().public_key),
        lambda: remove_trusted_key(KEY_ID),
    ):
        with pytest.raises(InvalidKeyError, match="trusted, line 2: starts with 'ssh-ed25519'"):
            use()
    assert trusted.read_text(encoding="utf-8") == f"{LINE}\nssh-ed25519 AAAA\n"


@posix
def test_a_list_that_others_can_write_is_refused(trusted: Path, umask: None) -> None:
    """Whoever can write to it decides which keys are trusted; a list that we write is never open to others."""
    add_trusted_key(key().public_key)
    assert stat.S_IMODE(trusted.stat().st_mode) == 0o644
    for mode in (0o664, 0o646, 0o666):
        trusted.chmod(mode)
        with pytest.raises(
            InvalidKeyError, match=r"users other than its owner can write to it.*: chmod go-w .*trusted$"
        ):
            load_trusted_keys()
    trusted.chmod(0o600)
    assert len(load_trusted_keys()) == 1


@posix
def test_a_list_of_another_user_is_refused(trusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of a file controls its content, whatever its mode. Root may use any list, and all users root's."""
    add_trusted_key(key().public_key)
    owner = trusted.stat().st_uid
    for reader, is_accepted in ((owner, True), (0, True), (owner + 4711, owner == 0)):
        monkeypatch.setattr(os, "geteuid", lambda reader=reader: reader)
        if is_accepted:
            assert len(load_trusted_keys()) == 1
            continue
        with pytest.raises(
            InvalidKeyError, match=rf"belongs to another user \(uid {owner}\), so it cannot be trusted"
        ):
            load_trusted_keys()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_list_given_by_another_user_is_refused(trusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that another user put in place of the own one is refused even if only they can write to it."""
    add_trusted_key(key().public_key)
    os.chown(trusted, 4711, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4712)
    with pytest.raises(InvalidKeyError, match=r"trusted: belongs to another user \(uid 4711\)"):
        load_trusted_keys()


def test_a_list_that_points_nowhere_is_empty(trusted: Path) -> None:
    """A link to a missing file is an empty list, and adding a key creates the file that it points to."""
    trusted.parent.mkdir()
    trusted.symlink_to("elsewhere")
    assert load_trusted_keys() == ()
    add_trusted_key(key().public_key)
    assert (trusted.parent / "elsewhere").read_text() == f"{LINE} anna\n"


def test_files_of_windows_editors(trusted: Path, tmp_path: Path) -> None:
    """A byte order mark before the first key and CR LF line ends are not part of a key."""
    text = f"\ufeff{LINE} anna\r\n".encode()
    (tmp_path / "anna.pub").write_bytes(text)
    assert load_public_key(tmp_path / "anna.pub").comment == "anna"
    trusted.parent.mkdir()
    trusted.write_bytes(text)
    trusted.chmod(0o600)
    assert [key().public_key] == list(load_trusted_keys())


SEPARATORS = ("\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")


@pytest.mark.parametrize("end", SEPARATORS)
def test_only_a_line_feed_ends_a_line(trusted: Path, tmp_path: Path, end: str) -> None:
    """A key behind another separator is a part of the comment before it, and in a key's own comment it is refused."""
    other = SigningKey.from_seed(bytes(32)).public_key.text
    text = f"# of work{end}{other}\n{LINE}\n".encode()
    (tmp_path / "k.pub").write_bytes(text)
    trusted.parent.mkdir()
    trusted.write_bytes(text)
    trusted.chmod(0o600)
    assert load_public_key(tmp_path / "k.pub").text == LINE
    assert [found.text for found in load_trusted_keys()] == [LINE]
    add_trusted_key(key().public_key)
    assert trusted.read_bytes() == f"# of work{end}{other}\n{LINE} anna\n".encode()
    trusted.write_bytes(f"{LINE} anna{end}{other}\n".encode())
    with pytest.raises(InvalidKeyError, match=r"line 1: a key's comment is .*; it must be one line"):
        load_trusted_keys()


@pytest.mark.parametrize("blank", [*SEPARATORS, "\xa0", "\u3000"])
def test_parts_of_a_key_are_separated_by_blanks(blank: str) -> None:
    """Other white space separates nothing: such a line looks different in different editors."""
    for text in (LINE.replace(" ", blank), f" {blank}{LINE}", f"{LINE}{blank}anna"):
        with pytest.raises(InvalidKeyError):
            parse_public_key(text)


LOOKALIKES = (
    "anna",
    "ANNA",
    "\u0430nna",  # Cyrillic a
    "\u0410\u039d\u039dA",  # Cyrillic and Greek capitals
    "\uff41\uff4e\uff4e\uff41",  # full width
    "\U0001d41a\U0001d427\U0001d427\U0001d41a",  # mathematical letters
    "a n n a",
    "an-na",
    "anna\u3164",  # a letter that shows nothing
    "a\u0301nna",
    "anna\u034f",
    "\u1d00\u0274\u0274\u1d00",  # small capitals
    "\ua4ee\ua4e0\ua4e0\ua4ee",  # Lisu
)


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_name_that_looks_like_a_listed_one_is_refused(trusted: Path, name: str) -> None:
    """Otherwise a stranger's key gets a friend's name; force adds it."""
    other = SigningKey.from_seed(bytes(32), comment=name).public_key
    add_trusted_key(key().public_key)
    with pytest.raises(InvalidKeyError, match=rf"looks like 'anna', the name of {KEY_ID} in your list"):
        add_trusted_key(other)
    assert list(load_trusted_keys()) == [key().public_key]
    add_trusted_key(other, force=True)
    assert list(load_trusted_keys()) == [key().public_key, other]


@pytest.mark.parametrize(
    ("one", "other"), [("m", "rn"), ("bill", "bi11"), ("Oslo", "0slo"), ("w", "vv"), ("пес", "nec")]
)
def test_letters_that_look_like_others(one: str, other: str) -> None:
    """Pairs in Latin letters and digits, and words of another script that are a Latin one."""
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize("name", ["", "ben", "hanna", "anna 2", "Анна", "安娜", "\U0001f511"])
def test_other_names_are_no_lookalikes(trusted: Path, name: str) -> None:
    """Names that a person tells apart are added without a question, and so are keys without a name."""
    add_trusted_key(key().public_key)
    add_trusted_key(SigningKey.from_seed(bytes(32), comment=name).public_key)
    assert [found.comment for found in load_trusted_keys()] == ["anna", name]


def _signature(seed: bytes, state: str) -> Signature:
    public = SigningKey.from_seed(seed).public_key
    return Signature(public.key_id, public.text, state, "a reason" if state != "valid" else "")  # type: ignore[arg-type]


def test_a_name_cannot_pass_for_another_signature() -> None:
    """A name with brackets or semicolons is quoted, since it may be a stranger's words about other keys."""
    public = SigningKey.from_seed(SEED).public_key
    name = f"eve), trusted; signed by {'0' * 32} (anna"
    trust = evaluate_trust((_signature(SEED, "valid"),), [PublicKey(public.raw, name)])
    assert str(trust) == f"signed by {KEY_ID} ({name!r}), trusted"


def test_the_words_for_trust() -> None:
    """unsigned, signed, trusted or unchecked; one invalid signature makes the whole file invalid."""
    own, other = SEED, bytes(32)
    listed = [key().public_key]
    other_id = SigningKey.from_seed(other).public_key.key_id
    cases = {
        (): ("unsigned", "unsigned"),
        ((own, "valid"),): ("trusted", f"signed by {KEY_ID} (anna), trusted"),
        ((other, "valid"),): ("signed", f"signed by {other_id}, a key that is not in your list"),
        ((own, "unchecked"),): ("unchecked", f"signature by {KEY_ID} not checked: a reason"),
        ((own, "invalid"),): ("invalid", f"signature by {KEY_ID} not valid: a reason"),
        ((other, "valid"), (own, "valid")): (
            "trusted",
            f"signed by {other_id}, a key that is not in your list; signed by {KEY_ID} (anna), trusted",
        ),
        ((own, "valid"), (other, "invalid")): (
            "invalid",
            f"signed by {KEY_ID} (anna), trusted; signature by {other_id} not valid: a reason",
        ),
    }
    for signatures, expected in cases.items():
        trust = evaluate_trust(tuple(_signature(*signature) for signature in signatures), listed)
        assert (trust.word, str(trust)) == expected, signatures


# Without cryptography


@pytest.fixture
def without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)


@pytest.mark.usefixtures("without_cryptography")
def test_without_cryptography_the_error_has_the_remedy(tmp_path: Path) -> None:
    """Making, loading and using a key need the package; parsing a public key and the list do not."""
    path = tmp_path / "key.pem"
    path.write_bytes(b"")
    path.chmod(0o600)
    public = parse_public_key(LINE)
    for use in (SigningKey.generate, lambda: load_signing_key(path), lambda: public.fits(b"", b"")):
        with pytest.raises(ImportError, match="pip install cryptography"):
            use()
    add_trusted_key(public, tmp_path / "list")
    assert (public,) == load_trusted_keys(tmp_path / "list")

"""Signed files: what signing changes, and that no change to a signed file stays trusted."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import signer
import strategies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gen5core
from gen5core import (
    ChecksumError,
    FormatError,
    LimitError,
    Limits,
    MalformedChunkError,
    PublicKey,
    SignatureError,
    SigningKey,
    TruncatedError,
    sign_file,
)
from gen5core.reader import file as reader_module
from gen5core.rewrite.scrub import find_private, scrub
from gen5core.signatures.key_files import save_signing_key

ROOT = Path(gen5core.__file__).parents[1]
VALID = ROOT / "tests" / "corpus" / "valid"
SEED, OTHER_SEED, FOE_SEED = signer.SEED, bytes(32), b"\xff" * 32
KEY, OTHER = SigningKey.from_seed(SEED, comment="anna"), SigningKey.from_seed(OTHER_SEED)
FOE = SigningKey.from_seed(FOE_SEED)
TRUSTED = (KEY.public_key,)
KEY_ID, OTHER_ID = KEY.public_key.key_id, OTHER.public_key.key_id
NOISE = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 4, 4, 4)
FACTS: dict[str, Any] = {"environment": None, "hardware": None}
NOTE = forge.frame("NOTE", "0000", b"a note")


def small_file(value: float = 0.5) -> bytes:
    """Return a small file with every type of chunk, LATN raw and compressed."""
    return forge.build(
        [
            forge.float32("initial_noise", [value, -1.25, 2.0]),
            forge.Chunk("LATN", "F16", bytes(32), {"shape": [4, 4], "key": "mask"}, compressed=True),
            forge.Chunk("DATA", "0000", forge.png(2, 2, b"abcd"), {"index": 0}, compressed=True),
            forge.environment({"os": "name=os;version=Linux 6.8.0"}),
        ]
    )


def save(path: Path, **changes: Any) -> Path:
    return gen5core.save(path, **{"latents": {"initial_noise": NOISE}, "prompt": "a cat", **FACTS, **changes})


def word(path: Path, trusted: tuple[PublicKey, ...] = TRUSTED) -> str:
    """Return the word of a reader that checks every byte, or the name of our error."""
    try:
        with gen5core.open(path) as file:
            file.verify(threads=1)
            return file.trust(trusted).word
    except FormatError as error:
        return type(error).__name__ if error.path == str(path) else "unnamed file"


@contextlib.contextmanager
def changed(path: Path, position: int, mask: int) -> Iterator[None]:
    """Flip the bits of mask in one byte of the file, and restore them at the end."""
    with path.open("r+b", buffering=0) as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ mask]))
        yield
        file.seek(position)
        file.write(byte)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.gen5"


# What signing does


@pytest.fixture
def at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every save the same date, so that two saves give the same file."""
    from gen5core.writer import model_info

    class Stopped(model_info.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return model_info.datetime(2025, 1, 1, tzinfo=tz)

    monkeypatch.setattr(model_info, "datetime", Stopped)


@pytest.mark.usefixtures("at_one_time")
def test_a_signed_save_is_the_same_file_with_a_trailer(tmp_path: Path) -> None:
    """Chunks and META are those of the unsigned save byte for byte; flags, size and seal in the header differ."""
    plain = save(tmp_path / "plain.gen5").read_bytes()
    signed = save(tmp_path / "signed.gen5", signing_key=KEY).read_bytes()
    assert plain[32:] == signed[32 : len(plain)]
    assert signer.signed(plain) == signed
    before, after = forge.header_of(plain), forge.header_of(signed)
    assert replace(before, flags=3, file_size=len(signed), reserved=after.reserved) == after


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.usefixtures("at_one_time")
def test_sign_file_gives_what_a_signed_save_gives(tmp_path: Path) -> None:
    """Signed on saving or later, in place or to another file, the file is the same; its mode is kept."""
    save(tmp_path / "a.gen5", signing_key=KEY)
    later = save(tmp_path / "b.gen5")
    later.chmod(0o640)
    plain = later.read_bytes()
    assert tmp_path / "c.gen5" == sign_file(later, KEY, tmp_path / "c.gen5")
    assert plain == later.read_bytes()
    assert later == sign_file(later, KEY)
    assert (tmp_path / "a.gen5").read_bytes() == later.read_bytes() == (tmp_path / "c.gen5").read_bytes()
    assert later.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["a.gen5", "b.gen5", "c.gen5"]


def test_the_bytes_of_a_trailer(path: Path) -> None:
    """Frame and envelope are those of FORMAT.md, signed here in plain Python."""
    data = small_file()
    path.write_bytes(data)
    sign_file(path, KEY)
    root = hashlib.sha256(forge.meta_of(data)).digest()
    trailer = path.read_bytes()[len(data) :]
    assert trailer == signer.trailer(root)
    assert b"SIGN0000\x1d\x01\0\0" + signer.envelope(root, [signer.entry(root)]) == trailer


def test_the_root_stays(path: Path) -> None:
    """Signing, also with a second key, changes neither the root nor anything that is read."""
    save(path, images=np.zeros((4, 4, 3), np.uint8))
    seen = []
    for key in (None, KEY, OTHER):
        if key is not None:
            sign_file(path, key)
        with gen5core.open(path) as file:
            facts = (file.root, file.prompt, file.metadata, file.images[0].bytes, file.rows)
            seen.append((facts, file.latents["initial_noise"].array().tobytes()))
    assert seen[0] == seen[1] == seen[2]


def test_signatures_of_several_keys(path: Path) -> None:
    """Each signature is valid; their order does not depend on that of signing; the same key again changes nothing."""
    path.write_bytes(small_file())
    for key in (KEY, OTHER, FOE):
        sign_file(path, key)
    together = path.read_bytes()
    assert signer.signed(small_file(), SEED, OTHER_SEED, FOE_SEED) == together
    path.write_bytes(small_file())
    for key in (FOE, OTHER, KEY, OTHER):
        sign_file(path, key)
    assert together == path.read_bytes()
    with gen5core.open(path) as file:
        assert {found.state for found in file.signatures} == {"valid"}
        assert {found.key_id for found in file.signatures} == {KEY_ID, OTHER_ID, FOE.public_key.key_id}
        assert sorted(found.public_key for found in file.signatures) == [
            found.public_key for found in file.signatures
        ]
        assert (file.trust(TRUSTED).word, file.trust(TRUSTED).names) == ("trusted", {KEY_ID: "anna"})
        assert file.trust(()).word == "signed"


def test_signing_checks_the_file_first(path: Path, tmp_path: Path) -> None:
    """A file that is damaged, or has an invalid signature, is not signed, and nothing is written."""
    whole = signer.signed(small_file())
    root = signer.root_of(whole)
    forged = signer.with_trailer(small_file(), signer.trailer(b"\0" * 32))
    for data, kind in ((forge.flipped(whole, 50, 1), ChecksumError), (forged, SignatureError)):
        path.write_bytes(data)
        for out in (None, tmp_path / "out.gen5"):
            with pytest.raises(kind):
                sign_file(path, OTHER, out)
        assert data == path.read_bytes()
    assert os.listdir(tmp_path) == ["a.gen5"]
    assert root != b"\0" * 32


def test_signing_replaces_nothing_by_default(path: Path, tmp_path: Path) -> None:
    """Another file is replaced only with overwrite."""
    save(path)
    (tmp_path / "there.gen5").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        sign_file(path, KEY, tmp_path / "there.gen5")
    assert (tmp_path / "there.gen5").read_bytes() == b"mine"
    sign_file(path, KEY, tmp_path / "there.gen5", overwrite=True)
    assert word(tmp_path / "there.gen5") == "trusted"


def test_version_1_0_cannot_be_signed(path: Path) -> None:
    """The message says how to get a file that can be signed."""
    path.write_bytes(forge.build([forge.float32("x", [1.0])], minor=0))
    message = (
        "is of version 1.0, which has no place for a signature: `gen5core scrub` writes it as version 1.1"
    )
    with pytest.raises(gen5core.EncodeError, match=message):
        sign_file(path, KEY)


def test_a_later_minor_version_is_signed(path: Path) -> None:
    """Its version does not change."""
    path.write_bytes(forge.build([forge.float32("x", [1.0])], minor=9))
    sign_file(path, KEY)
    with gen5core.open(path) as file:
        assert (file.version, file.trust(TRUSTED).word) == ((1, 9), "trusted")


def test_other_trailers_stay(path: Path) -> None:
    """Other trailers follow the signatures unchanged; a note still says that they are not checked."""
    path.write_bytes(forge.build([forge.float32("x", [1.0])], trailer=NOTE + NOTE))
    sign_file(path, KEY)
    assert path.read_bytes().endswith(NOTE + NOTE)
    with gen5core.open(path) as file:
        report = file.verify()
        assert [trailer.type for trailer in file.trailers] == ["SIGN", "NOTE", "NOTE"]
    assert ["'NOTE' is not checked" in note for note in report.notes] == [True, True]
    assert report.checked_bytes == path.stat().st_size - 2 * len(NOTE)


def test_a_file_that_changes_while_it_is_signed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """META that has changed by the time it is copied is refused."""
    save(path)
    data = path.read_bytes()
    verify = gen5core.Gen5File.verify

    def verify_and_change(file: gen5core.Gen5File) -> Any:
        report = verify(file)
        with open(path, "r+b") as stream:
            stream.seek(file.header.chunk_table_offset + 20)
            stream.write(b"\0")
        return report

    monkeypatch.setattr(gen5core.Gen5File, "verify", verify_and_change)
    with pytest.raises(
        ChecksumError, match="META: was changed while the file was being signed; sign it again"
    ):
        sign_file(path, KEY)
    assert len(data) == path.stat().st_size


def test_save_accepts_the_path_of_a_key(tmp_path: Path) -> None:
    """A key that cannot be used is an error before anything is written."""
    save_signing_key(tmp_path / "key.pem", KEY)
    path = save(tmp_path / "a.gen5", signing_key=tmp_path / "key.pem")
    assert word(path) == "trusted"
    assert KEY.to_pem().splitlines()[1] not in path.read_bytes()
    (tmp_path / "bad.pem").write_bytes(b"")
    (tmp_path / "bad.pem").chmod(0o600)
    with pytest.raises(gen5core.InvalidKeyError, match=r"bad\.pem: is not a private key"):
        save(tmp_path / "b.gen5", signing_key=str(tmp_path / "bad.pem"))
    assert not (tmp_path / "b.gen5").exists()


def test_old_reader_opens_a_signed_file(path: Path) -> None:
    """gen5 0.1.0 finds the same arrays, image and metadata in a signed file as in the unsigned one."""
    peer = pytest.importorskip("gen5", reason="gen5 0.1.0 needs Python 3.11")
    save(path, images=np.zeros((4, 4, 3), np.uint8), settings={"seed": 1, "steps": 2, "sampler": "euler"})
    plain = _peer_decode(peer, path)
    sign_file(path, KEY)
    sign_file(path, OTHER)
    signed = _peer_decode(peer, path)
    assert (
        plain["chunks"]["latent"][0].tobytes() == signed["chunks"]["latent"][0].tobytes() == NOISE.tobytes()
    )
    assert plain["metadata"] == signed["metadata"]
    assert plain["chunks"]["image"] == signed["chunks"]["image"]
    differing = {name for name in plain["header"] if plain["header"][name] != signed["header"][name]}
    assert differing == {"flags", "file_size", "reserved"}


def _peer_decode(peer: Any, path: Path) -> Any:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return peer.Gen5FileHandler().file_decoder(str(path))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.files())
def test_any_file_can_be_signed(tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Any]) -> None:
    """Any file can be signed: it verifies, and its chunks and META are unchanged."""
    path = tmp_path_factory.getbasetemp() / "any-signed.gen5"
    gen5core.save(path, **kept)
    data = path.read_bytes()
    sign_file(path, KEY)
    assert data[32:] == path.read_bytes()[32 : len(data)]
    assert word(path) == "trusted"


# Reading


def test_golden_files_are_signed_by_the_expected_keys() -> None:
    """The corpus has files that were signed in the past, by keys that are public."""
    for name, ids in {
        "gen5core-1.1_signed": {KEY_ID},
        "forged-1.1_signed": {KEY_ID},
        "forged-1.1_signed_twice_and_note": {KEY_ID, OTHER_ID},
        "gen5core-1.1_everything": set(),
    }.items():
        with gen5core.open(VALID / f"{name}.gen5") as file:
            report = file.verify()
            assert report.signatures == file.signatures
            assert {found.key_id for found in file.signatures if found.state == "valid"} == ids
            assert file.trust(TRUSTED).word == ("trusted" if ids else "unsigned")


def test_own_list_is_used_by_default(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """trust() reads the user's list, and only for a signed file."""
    monkeypatch.setenv("GEN5_TRUSTED_KEYS", str(tmp_path / "list"))
    (tmp_path / "list").write_text("no key\n")
    save(path)
    with gen5core.open(path) as file:
        assert file.trust().word == "unsigned"
    sign_file(path, KEY)
    with gen5core.open(path) as file:
        with pytest.raises(gen5core.InvalidKeyError, match="list, line 1: starts with 'no'"):
            file.trust()
        (tmp_path / "list").write_text(f"{KEY.public_key}\n")
        assert file.trust().word == "trusted"


def test_checked_before_anything_is_parsed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a signature is invalid, META is neither inflated nor parsed."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("META was parsed")

    path.write_bytes(signer.with_trailer(small_file(), signer.trailer(b"\0" * 32)))
    monkeypatch.setattr(reader_module, "decode_meta", refuse)
    with pytest.raises(SignatureError) as caught:
        gen5core.open(path)
    assert isinstance(caught.value, ChecksumError)
    assert str(path) == caught.value.path


def test_everything_can_be_read_unverified(path: Path) -> None:
    """verify=False opens a file with an invalid signature, reports its state, and verify() refuses it."""
    data = small_file()
    path.write_bytes(signer.with_trailer(data, signer.trailer(b"\0" * 32)))
    with gen5core.open(path, verify=False) as file:
        assert file.latents["initial_noise"].array().tolist() == [0.5, -1.25, 2.0]
        (found,) = file.signatures
        root = signer.root_of(data).hex()
        assert found.reason == f"it covers the root {'0' * 16}…, this file's root is {root[:16]}…"
        assert (found.state, file.trust(TRUSTED).word) == ("invalid", "invalid")
        with pytest.raises(SignatureError, match="it covers the root 0000000000000000…, this file"):
            file.verify()
    path.write_bytes(signer.with_trailer(data, forge.frame("SIGN", "0000", b"{}")))
    with gen5core.open(path, verify=False) as file:
        assert file.latents["initial_noise"].array().tolist() == [0.5, -1.25, 2.0]
        with pytest.raises(
            MalformedChunkError, match=r"a\.gen5: trailer 'SIGN' at offset \d+: payload is None, not a string"
        ):
            _ = file.signatures


def test_verify_reads_the_trailer_again(path: Path) -> None:
    """verify() finds a trailer or META that changed after the file was opened."""
    path.write_bytes(signer.signed(small_file()))
    size = len(signer.signed(small_file()))
    with gen5core.open(path) as file:
        end = file.header.meta_end
        for position in (end, end + 5, end + 20, end + 200, size - 1):
            with changed(path, position, 1), pytest.raises(FormatError, match="trailer 'SIGN' at offset"):
                file.verify()
        report = file.verify()
        assert (report.checked_bytes, tuple(found.state for found in report.signatures)) == (size, ("valid",))
        path.write_bytes(signer.signed(small_file(1.5)))
        with pytest.raises(ChecksumError, match="META: changed after the file was opened; open it again"):
            file.verify()


def test_progress_reaches_the_end(path: Path) -> None:
    """The bytes of the signatures are part of the total."""
    path.write_bytes(signer.signed(small_file()))
    reported: list[tuple[int, int]] = []
    with gen5core.open(path) as file:
        file.verify(threads=1, progress=lambda done, total: reported.append((done, total)))
    assert (path.stat().st_size, path.stat().st_size) == reported[-1]


def test_signatures_are_bounded(path: Path) -> None:
    """At most 64 KiB of signatures are read, or fewer by the caller's limit; a signer writes no more than is read."""
    payload = b" " * (2**16 + 1)
    path.write_bytes(signer.with_trailer(small_file(), forge.frame("SIGN", "0000", payload)))
    with pytest.raises(
        LimitError, match=r"trailer 'SIGN' at offset .*: takes 65537 bytes, the limit is 65536"
    ):
        gen5core.open(path)
    path.write_bytes(signer.signed(small_file()))
    with pytest.raises(LimitError, match="takes 285 bytes, the limit is 284"):
        gen5core.open(path, limits=Limits(signature_bytes=284))
    gen5core.open(path, limits=Limits(signature_bytes=285)).close()


def test_signers_write_no_more_than_readers_accept() -> None:
    """A signature that would make the trailer too large is an error that says so."""
    from gen5core.signatures.dsse import EnvelopeSignature
    from gen5core.signatures.trailer import encode_signatures

    others = [EnvelopeSignature(f"{number:057}", bytes(64)) for number in range(400)]
    with pytest.raises(
        gen5core.EncodeError, match=r"401 signatures take \d+ bytes, readers accept at most 65536"
    ):
        encode_signatures("00" * 32, KEY, others)


WITHOUT = """
import sys
for name in ("cryptography", "_cffi_backend"):
    sys.modules[name] = None
import gen5core
for path in sys.argv[1:]:
    try:
        with gen5core.open(path) as file:
            report = file.verify()
            print(file.trust().word, "|", file.trust(), "|", *report.notes)
    except gen5core.FormatError as error:
        print(type(error).__name__)
"""


def test_without_cryptography_a_signed_file_is_read(tmp_path: Path) -> None:
    """Its bytes are checked, its signatures reported as not checked; one of another file is found all the same."""
    signed = tmp_path / "signed.gen5"
    signed.write_bytes(signer.signed(small_file()))
    glued = tmp_path / "glued.gen5"
    glued.write_bytes(signer.with_trailer(small_file(), signer.trailer(b"\0" * 32)))
    command = [sys.executable, "-c", WITHOUT, str(signed), str(glued)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    missing = "the package cryptography is not installed: pip install cryptography"
    note = f"signature by {KEY_ID} not checked: {missing}"
    assert done.stdout.splitlines() == [f"unchecked | {note} | {note}", "SignatureError"]


# Attacks


def test_every_bit_of_a_signed_file(path: Path) -> None:
    """Each flipped bit gives one of our errors, or, in the trailer's type, an unsigned file."""
    data = signer.signed(small_file())
    path.write_bytes(data)
    assert word(path) == "trusted"
    kind = range(len(small_file()), len(small_file()) + 4)
    ended: Counter[str] = Counter()
    for position in range(len(data)):
        for bit in range(8):
            with changed(path, position, 1 << bit):
                name = word(path)
            ended[name] += 1
            assert ("unsigned" if position in kind else name) == name, (position, bit)
            assert name != "trusted", (position, bit)
    assert len(data) * 8 == ended.total()
    assert ended["unsigned"] == 32
    assert {name for name in ended if not name.endswith("Error")} == {"unsigned"}
    assert data == path.read_bytes()
    assert word(path) == "trusted"


def test_every_bit_of_header_and_meta_sealed_again(path: Path) -> None:
    """A flipped bit under a corrected seal, which anyone can compute, does not give a trusted file either.

    Every bit of the header, two of every byte of META.
    """
    data = signer.signed(small_file())
    header = forge.header_of(data)
    meta = range(header.meta_offset, header.meta_offset + header.meta_size)
    flips = [(position, 1 << bit) for position in range(24) for bit in range(8)]
    flips += [(position, mask) for position in meta for mask in (0x01, 0x80)]
    ended: Counter[str] = Counter()
    for position, mask in flips:
        path.write_bytes(forge.reseal(forge.flipped(data, position, mask)))
        ended[word(path)] += 1
    assert len(flips) == ended.total()
    assert [name for name in ended if not name.endswith("Error")] == []
    assert ended["SignatureError"] == len(meta) * 2


def test_every_byte_of_a_written_signed_file(path: Path) -> None:
    """Two bits of every byte of a file that this package wrote and signed are flipped, one at a time."""
    data = (VALID / "gen5core-1.1_signed.gen5").read_bytes()
    path.write_bytes(data)
    ended: Counter[str] = Counter()
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            with changed(path, position, mask):
                ended[word(path)] += 1
    assert 2 * len(data) == ended.total()
    assert ended["unsigned"] == 8
    assert ended["trusted"] + ended["signed"] + ended["unchecked"] == 0


def test_every_byte_deleted_or_doubled(path: Path) -> None:
    """One byte is deleted or doubled anywhere, with and without a corrected size and seal."""
    data = signer.signed(small_file())
    for position in range(len(data)):
        shorter = data[:position] + data[position + 1 :]
        longer = data[:position] + data[position : position + 1] + data[position:]
        for made in (shorter, longer):
            for written in (made, _sized(made)):
                path.write_bytes(written)
                assert word(path).endswith("Error"), position


def _sized(data: bytes) -> bytes:
    return forge.with_header(data, seal=True, file_size=len(data)) if len(data) >= 32 else data


def test_every_truncation(path: Path) -> None:
    """A file cut at any length is refused; with a header of the shorter size it is refused or unsigned."""
    data = signer.signed(small_file())
    end = len(small_file())
    path.write_bytes(data)
    for size in range(len(data) - 1, -1, -1):
        os.truncate(path, size)
        assert ("TruncatedError" if size else "NotGen5Error") == word(path)
    for size in range(32, len(data)):
        path.write_bytes(_sized(data[:size]))
        assert word(path).endswith("Error"), size
    path.write_bytes(signer.with_trailer(data, b""))
    assert path.read_bytes() == small_file()
    assert ("unsigned", end) == (word(path), path.stat().st_size)


def test_moved_chunks(path: Path) -> None:
    """Two latents of equal size that are exchanged, with or without their rows, are not what was signed."""
    pair = [forge.float32("a", [1.0, 2.0]), forge.float32("b", [3.0, 4.0])]
    data = signer.signed(forge.build(pair))
    size = len(pair[0].stored_bytes())
    first, second = data[32 : 32 + size], data[32 + size : 32 + 2 * size]
    path.write_bytes(data)
    assert word(path) == "trusted"
    path.write_bytes(data[:32] + second + first + data[32 + 2 * size :])
    assert word(path) == "ChecksumError"
    trailer = data[len(forge.build(pair)) :]
    path.write_bytes(signer.with_trailer(forge.build(pair[::-1]), trailer))
    assert word(path) == "SignatureError"


@pytest.mark.parametrize("shift", [1, 4, 12, 100])
def test_moved_bytes(path: Path, shift: int) -> None:
    """Everything after the header is rotated by some bytes, with and without a corrected seal."""
    data = signer.signed(small_file())
    body = data[32:]
    for moved in (body[shift:] + body[:shift], body[-shift:] + body[:-shift]):
        path.write_bytes(data[:32] + moved)
        assert word(path).endswith("Error")
        path.write_bytes(forge.reseal(data[:32] + moved))
        assert word(path).endswith("Error")


def test_replaced_content(path: Path) -> None:
    """Any chunk replaced by one of the same size, with right digests and seal, is not valid under the old signature."""
    data = small_file()
    trailer = signer.signed(data)[len(data) :]
    for other in (small_file(0.25), small_file(-0.5)):
        assert len(other) == len(data)
        path.write_bytes(signer.with_trailer(other, trailer))
        assert word(path) == "SignatureError"


def test_glued_signature(path: Path) -> None:
    """One file's signature on another is refused, though with trailers of equal size the seal does not change."""
    one, other = signer.signed(small_file()), signer.signed(small_file(0.25))
    end = len(small_file())
    path.write_bytes(one[:end] + other[end:])
    with gen5core.open(path, verify=False) as file:
        assert [found.state for found in file.signatures] == ["invalid"]
    with pytest.raises(
        SignatureError, match=f"signature by {KEY_ID} is not valid for this file: it covers the root"
    ):
        gen5core.open(path)


def test_half_a_glued_signature(path: Path) -> None:
    """One invalid signature is an error, even beside a valid one."""
    data = small_file()
    root, other = signer.root_of(data), signer.root_of(small_file(0.25))
    entries = [(signer.keyid(SEED), signer.entry(other, SEED)[1])]
    path.write_bytes(signer.with_trailer(data, _sign_trailer(root, entries)))
    assert word(path) == "SignatureError"
    entries.append(signer.entry(root, OTHER_SEED))
    path.write_bytes(signer.with_trailer(data, _sign_trailer(root, entries)))
    assert word(path, (OTHER.public_key,)) == "SignatureError"


def _sign_trailer(root: bytes, entries: list[tuple[str, str]]) -> bytes:
    return forge.frame("SIGN", "0000", signer.envelope(root, sorted(entries)))


def test_replaced_key(path: Path) -> None:
    """Signed by an attacker, a file is signed but not trusted; another key's name on your signature is refused."""
    data = small_file()
    path.write_bytes(signer.signed(data, FOE_SEED))
    with gen5core.open(path) as file:
        file.verify()
        trust = file.trust(TRUSTED)
    assert (trust.word, trust.names) == ("signed", {})
    assert str(trust).startswith(f"signed by {FOE.public_key.key_id}, ")
    root = signer.root_of(data)
    for name, sig in ((FOE_SEED, SEED), (SEED, FOE_SEED)):
        entry = (signer.keyid(name), signer.entry(root, sig)[1])
        path.write_bytes(signer.with_trailer(data, _sign_trailer(root, [entry])))
        assert word(path) == "SignatureError"


def test_an_attackers_second_signature(path: Path) -> None:
    """A second signature neither removes the first nor becomes trusted by it."""
    path.write_bytes(signer.signed(small_file(), SEED, FOE_SEED))
    with gen5core.open(path) as file:
        trust = file.trust(TRUSTED)
    assert (trust.word, trust.names) == ("trusted", {KEY_ID: "anna"})
    assert any(line.startswith(f"signed by {FOE.public_key.key_id}, ") for line in trust.lines())


def test_a_key_for_everything(path: Path) -> None:
    """A key of small order, under which one signature is valid for every file, is refused even if it is trusted."""
    weak = "gen5-ed25519 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    sig = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
    data = small_file()
    path.write_bytes(signer.with_trailer(data, _sign_trailer(signer.root_of(data), [(weak, sig)])))
    with pytest.raises(MalformedChunkError, match=r"names an invalid key: .*small order"):
        gen5core.open(path)


def test_signature_for_another_purpose(path: Path) -> None:
    """A signature over the bare root, or with another payload type, is not valid for a file."""
    data = small_file()
    root = signer.root_of(data)
    for message in (root, root.hex().encode(), signer.pae(root, "application/vnd.gen5.root.v2")):
        entry = (signer.keyid(SEED), signer._base64(signer.sign(SEED, message)))
        path.write_bytes(signer.with_trailer(data, _sign_trailer(root, [entry])))
        assert word(path) == "SignatureError"


def test_stripped_signature(path: Path) -> None:
    """Anyone can remove a signature; the file is then unsigned."""
    path.write_bytes(signer.with_trailer(signer.signed(small_file()), b""))
    with gen5core.open(path) as file:
        assert (file.verify().signatures, str(file.trust(TRUSTED))) == ((), "unsigned")


def test_signature_out_of_its_place(path: Path) -> None:
    """A second SIGN trailer, or one after another trailer, is refused, so that moving it cannot hide it."""
    data = small_file()
    sign = signer.trailer(signer.root_of(data))
    for trailer in (NOTE + sign, sign + sign, sign + NOTE + sign):
        path.write_bytes(signer.with_trailer(data, trailer))
        with pytest.raises(MalformedChunkError, match="must be the first trailer after META"):
            gen5core.open(path)
    path.write_bytes(signer.with_trailer(data, sign + NOTE))
    assert word(path) == "trusted"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_trailer(tmp_path: Path, data: st.DataObject) -> None:
    """With any bytes of a trailer replaced, the file is refused, unsigned, or identical."""
    path = tmp_path / "any.gen5"
    whole = signer.signed(small_file())
    start = data.draw(st.integers(len(small_file()), len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    changed = _sized(whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:])
    path.write_bytes(changed)
    assert changed == whole or word(path).endswith("Error") or word(path) == "unsigned"


# Losing a signature is reported


def test_scrub_reports_the_lost_signature(path: Path, tmp_path: Path) -> None:
    """find_private and scrub both report it; the scrubbed file is unsigned and can be signed again."""
    save(path, hardware={"os": "Linux", "machine_name": "annas-pc"})
    sign_file(path, KEY)
    sign_file(path, OTHER)
    lost = [f"the signature by {name}: the scrubbed file is unsigned" for name in (KEY_ID, OTHER_ID)]
    dropped = scrub(path, tmp_path / "b.gen5")
    assert {"hardware_info.machine_name", *lost} == set(dropped) == set(find_private(path))
    assert word(tmp_path / "b.gen5") == "unsigned"
    sign_file(tmp_path / "b.gen5", KEY)
    assert word(tmp_path / "b.gen5") == "trusted"


def test_parts_of_a_file_have_its_signatures(path: Path) -> None:
    """Header, META and trailers are enough to check the signatures."""
    path.write_bytes(signer.signed(small_file()))
    data = path.read_bytes()
    file = gen5core.open_parts(data[:32] + data[forge.header_of(data).meta_offset :])
    assert file.trust(TRUSTED).word == "trusted"


def test_cut_while_it_is_read(path: Path) -> None:
    """A trailer that is gone when verify() reads it raises TruncatedError."""
    path.write_bytes(signer.signed(small_file()))
    with gen5core.open(path) as file:
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(TruncatedError):
            file.verify()

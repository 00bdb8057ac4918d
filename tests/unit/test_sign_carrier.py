"""Signed PNGs that carry a record: what signing changes, and that no change to one stays trusted."""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import signer
from click.testing import CliRunner
from PIL import Image
from png_chunks import joined, record, split

import gen5core
from gen5core import ChecksumError, EncodeError, FormatError, SignatureError, SigningKey, sign_file
from gen5core.carrier.find import CarrierSource
from gen5core.cli.commands import cli
from gen5core.convert.exporters import export_file
from gen5core.convert.importers import import_file
from gen5core.rewrite import sign
from gen5core.signatures.key_files import save_signing_key

KEY, OTHER = SigningKey.from_seed(signer.SEED, comment="anna"), SigningKey.from_seed(bytes(32))
TRUSTED = (KEY.public_key,)
KEY_ID = KEY.public_key.key_id
PIXELS = np.random.default_rng(2).integers(0, 256, (3, 2, 3), np.uint8)
NOTE = forge.frame("NOTE", "0000", b"a note")


def with_record(png: bytes, data: bytes) -> bytes:
    """Return a PNG with another file in its chunk, and the right CRC."""
    return joined([(kind, data if kind == b"gfVE" else content) for kind, content in split(png)])


def small(path: Path, **changes: Any) -> Path:
    facts: dict[str, Any] = {
        "images": PIXELS,
        "latents": {"a": np.arange(3, dtype=np.float32)},
        "environment": None,
        "hardware": None,
    }
    return gen5core.save(path, **(facts | changes))


def word(path: Path) -> str:
    """Return the word of a reader that checks every byte, or the name of our error."""
    try:
        with gen5core.open(path) as file:
            file.verify(threads=1)
            return file.trust(TRUSTED).word
    except FormatError as error:
        return type(error).__name__


@pytest.fixture
def png(tmp_path: Path) -> Path:
    return small(tmp_path / "a.png")


# What signing does


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_chunk_changes(png: Path, tmp_path: Path) -> None:
    """Picture, texts, META and root are unchanged, in place and in another file; the trailer follows FORMAT.md."""
    before = png.read_bytes()
    png.chmod(0o640)
    assert tmp_path / "b.png" == sign_file(png, KEY, tmp_path / "b.png")
    assert before == png.read_bytes()
    assert png == sign_file(png, KEY)
    after = png.read_bytes()
    assert (tmp_path / "b.png").read_bytes() == after == with_record(before, signer.signed(record(before)))
    assert (png.stat().st_mode & 0o777, word(png)) == (0o640, "trusted")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]
    with Image.open(png) as image:
        assert PIXELS.tobytes() == image.tobytes()


def test_the_forged_png_is_signed_as_by_hand(tmp_path: Path) -> None:
    """The golden PNG, whose bytes this package did not write, signed here in plain Python."""
    (tmp_path / "a.png").write_bytes(forge.carrier())
    sign_file(tmp_path / "a.png", KEY)
    expected = with_record(forge.carrier(), signer.signed(record(forge.carrier())))
    assert (tmp_path / "a.png").read_bytes() == expected


def test_signed_as_it_is_saved_or_later(png: Path) -> None:
    """A second key's signature is added, the same key's replaced; the root never changes."""
    roots = []
    for key in (None, KEY, OTHER, KEY):
        if key is not None:
            sign_file(png, key)
        with gen5core.open(png) as file:
            roots.append(file.root)
            ids = {found.key_id for found in file.verify().signatures}
    assert ({KEY_ID, OTHER.public_key.key_id}, 1) == (ids, len(set(roots)))


def test_everything_else_is_kept(png: Path) -> None:
    """Trailers of other types, bytes after the end, and chunks that another program added after the record stay."""
    chunks = split(png.read_bytes())
    noted = signer.with_trailer(chunks[-2][1], NOTE)
    whole = joined([*chunks[:-2], (b"gfVE", noted), (b"teSt", b"x"), chunks[-1]]) + b"more"
    png.write_bytes(whole)
    sign_file(png, KEY)
    assert whole[-20:] == png.read_bytes()[-20:]
    with gen5core.open(png) as file:
        assert (
            [trailer.type for trailer in file.trailers],
            file.trust(TRUSTED).word,
        ) == (["SIGN", "NOTE"], "trusted")


def test_more_bytes_than_are_copied_at_once(tmp_path: Path) -> None:
    """A record and a picture of more than one block keep every byte, and the CRC is right."""
    noise = np.random.default_rng(3)
    path = small(
        tmp_path / "a.png",
        images=noise.integers(0, 256, (700, 600, 3), np.uint8),
        latents={"a": noise.standard_normal(600_000, np.float32)},
    )
    before = path.read_bytes()
    sign_file(path, KEY)
    assert with_record(before, signer.signed(record(before))) == path.read_bytes()
    assert word(path) == "trusted"


# All or nothing


def test_nothing_is_signed_that_does_not_match(png: Path, tmp_path: Path) -> None:
    """A changed picture, a wrong CRC, a damaged record or a bad signature is an error, and nothing is written."""
    whole = png.read_bytes()
    chunks = split(whole)
    glued = signer.with_trailer(record(whole), signer.trailer(bytes(32)))
    for data, kind in (
        (joined([*split(forge.png(2, 3, b"abcdef"))[:-1], *chunks[-2:]]), ChecksumError),
        (forge.flipped(whole, len(whole) - 14, 1), ChecksumError),
        (with_record(whole, forge.flipped(record(whole), 50, 1)), ChecksumError),
        (with_record(whole, glued), SignatureError),
    ):
        png.write_bytes(data)
        for out in (None, tmp_path / "b.png"):
            with pytest.raises(kind):
                sign_file(png, KEY, out)
        assert (data, ["a.png"]) == (png.read_bytes(), os.listdir(tmp_path))


def test_the_output_is_of_the_same_kind(png: Path, tmp_path: Path) -> None:
    """Signing does not convert a file, so an output with the suffix of the other kind is refused."""
    alone = small(tmp_path / "a.gen5")
    for source, out, message in (
        (png, "b.gen5", r"'b\.gen5'.* name the file b\.png"),
        (alone, "b.png", r"'b\.png'.* name the file b\.gen5"),
    ):
        with pytest.raises(EncodeError, match=message):
            sign_file(source, KEY, tmp_path / out)
        assert not (tmp_path / out).exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is open")
@pytest.mark.parametrize("suffix", [".gen5", ".png"])
def test_a_file_replaced_while_it_is_signed_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """If another program replaces or changes the file meanwhile, its version stays, and signing is an error."""
    path = small(tmp_path / f"a{suffix}")
    verify = gen5core.Gen5File.verify
    for change in (_replace, _append_and_cut):

        def verify_and_change(file: gen5core.Gen5File, change: Any = change) -> Any:
            report = verify(file)
            change(path)
            return report

        monkeypatch.setattr(gen5core.Gen5File, "verify", verify_and_change)
        with pytest.raises(ChecksumError, match="another program changed or replaced the file while it was"):
            sign_file(path, KEY)
        monkeypatch.undo()
        assert ("unsigned", [path.name]) == (word(path), os.listdir(tmp_path))


def _replace(path: Path) -> None:
    other = small(path.with_name(f"other{path.suffix}"), prompt="newer")
    other.replace(path)


def _append_and_cut(path: Path) -> None:
    """Change the file and restore its bytes, with a later time."""
    status = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks the system which files are open")
@pytest.mark.parametrize("suffix", [".gen5", ".png"])
def test_the_file_is_closed_before_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Windows cannot replace an open file, not even for the process that has it open."""
    path = small(tmp_path / f"a{suffix}")
    replace, opened = os.replace, []

    def check_closed(source: Any, target: Any) -> None:
        names = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
        opened.append(str(path) in names)
        replace(source, target)

    monkeypatch.setattr(os, "replace", check_closed)
    sign_file(path, KEY)
    assert (opened, word(path)) == ([False], "trusted")


def test_signing_twice_at_once_loses_no_signature(png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second signer gets an error, and its signature is added when it signs again."""
    read_meta = sign._read_signed_meta

    def sign_between(file: gen5core.Gen5File, source: CarrierSource) -> bytes:
        monkeypatch.undo()
        sign_file(png, OTHER)
        return read_meta(file, source)

    monkeypatch.setattr(sign, "_read_signed_meta", sign_between)
    with pytest.raises(ChecksumError, match="sign it again"):
        sign_file(png, KEY)
    sign_file(png, KEY)
    with gen5core.open(png) as file:
        assert {found.key_id for found in file.signatures} == {KEY_ID, OTHER.public_key.key_id}


# What an attacker tries


def test_every_bit_of_a_signed_png(png: Path) -> None:
    """Each flipped bit gives one of our errors; in the type of the trailer it takes the CRC to find it."""
    sign_file(png, KEY)
    data = png.read_bytes()
    ended: Counter[str] = Counter()
    for position in range(len(data)):
        for bit in range(8):
            png.write_bytes(forge.flipped(data, position, 1 << bit))
            ended[word(png)] += 1
    assert len(data) * 8 == ended.total()
    assert [name for name in ended if not name.endswith("Error")] == []


def test_every_byte_of_the_signed_record_its_crc_true(png: Path) -> None:
    """Two flipped bits in any byte, with the right CRC, give an error or, in the trailer's type, an unsigned record."""
    sign_file(png, KEY)
    data = png.read_bytes()
    inner = record(data)
    kind = inner.index(b"SIGN0000")
    for position in range(len(inner)):
        for mask in (0x01, 0x80):
            png.write_bytes(with_record(data, forge.flipped(inner, position, mask)))
            name = word(png)
            assert name.endswith("Error") or position in range(kind, kind + 4), (position, mask)
            assert name != "trusted"


def test_every_truncation_of_a_signed_png(png: Path) -> None:
    """A PNG cut at any length is refused."""
    sign_file(png, KEY)
    data = png.read_bytes()
    for size in range(len(data)):
        png.write_bytes(data[:size])
        assert word(png).endswith("Error"), size


def test_glued_signatures(tmp_path: Path) -> None:
    """A .gen5's signature on its PNG, one PNG's on another, a PNG's on its .gen5: none is valid."""
    alone = sign_file(small(tmp_path / "a.gen5"), KEY)
    export_file(alone, tmp_path / "a.png", "png", carry=True)
    sign_file(tmp_path / "a.png", KEY)
    other = sign_file(small(tmp_path / "b.png", prompt="other"), KEY)
    files = {
        "a.gen5": alone.read_bytes(),
        "a.png": record((tmp_path / "a.png").read_bytes()),
        "b.png": record(other.read_bytes()),
    }
    trailers = {name: data[_meta_end(data) :] for name, data in files.items()}
    for name, data in files.items():
        for lender, trailer in trailers.items():
            glued = signer.with_trailer(data, trailer)
            path = tmp_path / f"glued{Path(name).suffix}"
            path.write_bytes(
                with_record((tmp_path / name).read_bytes(), glued) if name.endswith("png") else glued
            )
            assert ("trusted" if lender == name else "SignatureError") == word(path), (name, lender)


def _meta_end(data: bytes) -> int:
    header = forge.header_of(data)
    return header.meta_offset + header.meta_size


def test_another_picture_around_a_signed_record(png: Path, tmp_path: Path) -> None:
    """Two signed PNGs are trusted, but not with their records exchanged."""
    other = small(tmp_path / "b.png", images=PIXELS[::-1].copy())
    for path in (png, other):
        sign_file(path, KEY)
        assert word(path) == "trusted"
    one, two = png.read_bytes(), other.read_bytes()
    for host, guest in ((one, two), (two, one)):
        png.write_bytes(with_record(host, record(guest)))
        assert word(png) == "ChecksumError"


# There and back


def test_a_signed_file_there_and_back(tmp_path: Path) -> None:
    """A signed .gen5 that goes into a PNG and comes back is identical, including signatures and other trailers."""
    start = small(tmp_path / "a.gen5")
    sign_file(start, OTHER)
    sign_file(start, KEY)
    for trailer in (b"", NOTE):
        start.write_bytes(_noted(start.read_bytes(), trailer))
        (tmp_path / "a.png").unlink(missing_ok=True)
        (tmp_path / "b.gen5").unlink(missing_ok=True)
        notes = export_file(start, tmp_path / "a.png", "png", carry=True)
        assert [
            f"keeps the signature by {name}, which is valid for the .gen5 only, for the way back: sign the PNG too"
            for name in sorted((KEY_ID, OTHER.public_key.key_id))
        ] == sorted(notes)
        assert word(tmp_path / "a.png") == "unsigned"
        assert import_file(tmp_path / "a.png", tmp_path / "b.gen5") == ()
        assert start.read_bytes() == (tmp_path / "b.gen5").read_bytes()


def _noted(data: bytes, note: bytes) -> bytes:
    end = len(data)
    return forge.with_header(data + note, seal=True, file_size=end + len(note))


def test_the_png_signed_between(tmp_path: Path) -> None:
    """The PNG's own signature is lost on the way back, and reported; that of the .gen5 comes back."""
    start = sign_file(small(tmp_path / "a.gen5"), KEY)
    export_file(start, tmp_path / "a.png", "png", carry=True)
    sign_file(tmp_path / "a.png", OTHER)
    (note,) = import_file(tmp_path / "a.png", tmp_path / "b.gen5")
    assert note.startswith(f"loses the signature by {OTHER.public_key.key_id}")
    assert start.read_bytes() == (tmp_path / "b.gen5").read_bytes()


def test_a_signature_that_is_no_longer_valid_is_left_out(tmp_path: Path) -> None:
    """If the picture was re-encoded, the .gen5 is another one, which no key signed."""
    start = sign_file(small(tmp_path / "a.gen5"), KEY)
    export_file(start, tmp_path / "a.png", "png", carry=True)
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    again = split(stream.getvalue())
    chunk = (b"gfVE", record((tmp_path / "a.png").read_bytes()))
    (tmp_path / "a.png").write_bytes(joined([*again[:-1], chunk, again[-1]]))
    notes = import_file(tmp_path / "a.png", tmp_path / "b.gen5")
    assert ["another program" in notes[0], "loses the signatures" in notes[1]] == [True, True]
    assert word(tmp_path / "b.gen5") == "unsigned"


def test_trailers_too_large_to_keep_are_reported(tmp_path: Path) -> None:
    """Bytes after META are kept up to the size of the largest SIGN trailer; more are left out and reported."""
    start = small(tmp_path / "a.gen5")
    start.write_bytes(signer.with_trailer(start.read_bytes(), forge.frame("NOTE", "0000", bytes(2**16 + 1))))
    assert export_file(start, tmp_path / "a.png", "png", carry=True) == (
        "loses the trailer 'NOTE', whose type is unknown",
    )


# The command


def test_the_command_signs_pngs(png: Path, tmp_path: Path) -> None:
    """sign works in place and with -o, on PNGs and .gen5 files; verify --signed-by accepts only the right key."""
    alone = small(tmp_path / "a.gen5")
    key = tmp_path / "anna.pem"
    save_signing_key(key, KEY)
    for args in (("sign", png, alone, "--key", key), ("sign", png, "--key", key, "-o", tmp_path / "b.png")):
        assert CliRunner().invoke(cli, list(map(str, args))).exit_code == 0
    small(tmp_path / "c.png")
    signed_by = ("--signed-by", KEY_ID)
    paths = [str(tmp_path / name) for name in ("a.png", "a.gen5", "b.png", "c.png")]
    assert CliRunner().invoke(cli, ["verify", *paths[:3], *signed_by]).exit_code == 0
    assert CliRunner().invoke(cli, ["verify", *paths, *signed_by]).exit_code == 1

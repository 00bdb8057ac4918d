"""keygen, sign, trust, and signatures in verify, info and scrub."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
import signer
from click.testing import CliRunner, Result

import gen5core
from gen5core import SigningKey, sign_file
from gen5core.cli.commands import cli
from gen5core.signatures.key_files import load_signing_key, save_signing_key

KEY = SigningKey.from_seed(signer.SEED, comment="anna")
OTHER = SigningKey.from_seed(bytes(32), comment="ben")
KEY_ID, OTHER_ID = KEY.public_key.key_id, OTHER.public_key.key_id
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no owner-only bits")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own home, and a working folder with two keys."""
    monkeypatch.setenv("GEN5_HOME", str(tmp_path / "home"))
    for name in ("GEN5_TRUSTED_KEYS", "GEN5_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    save_signing_key("anna.pem", KEY)
    save_signing_key("ben.pem", OTHER)
    os.chmod("anna.pub", 0o644)  # whatever the umask
    return tmp_path / "home"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def make(name: str, *keys: SigningKey) -> str:
    latents = {"initial_noise": np.arange(16, dtype=np.float32)}
    gen5core.save(name, latents=latents, environment=None, hardware={"os": "Linux", "machine_name": "pc"})
    for key in keys:
        sign_file(name, key)
    return name


def is_refused(result: Result, message: str) -> bool:
    """Return whether a command ended with exit code 2, nothing on stdout, and that one line."""
    return (result.exit_code, result.stdout, result.stderr) == (2, "", f"gen5core: error: {message}\n")


# keygen


@posix
def test_keygen_makes_a_key_and_explains_its_use(home: Path) -> None:
    """Only the owner can read the private key; the output names both files and has no secrets."""
    result = run("keygen", "-o", "new.pem", "--comment", "at home")
    key = load_signing_key("new.pem")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "private key  new.pem  (keep it to yourself)",
            "public key   new.pub  (to share)",
            f"key id       {key.public_key.key_id}",
            f"sign saves   export GEN5_SIGNING_KEY={Path('new.pem').absolute()}",
        ],
    )
    assert stat.S_IMODE(os.stat("new.pem").st_mode) == 0o600
    assert Path("new.pub").read_text(encoding="utf-8") == f"{key.public_key} at home\n"
    assert not home.exists()


@posix
def test_keygen_without_a_name_uses_your_own_folder(home: Path) -> None:
    """The folder is the one of the machine name key, and closed to other users."""
    facts = json.loads(run("keygen", "--json").stdout)
    assert (
        facts["private_key"],
        facts["public_key"],
    ) == (str(home / "signing_key.pem"), str(home / "signing_key.pub"))
    key = load_signing_key(home / "signing_key.pem").public_key
    assert (facts["key"], facts["key_id"]) == (key.text, key.key_id)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.parametrize("existing", ["new.pem", "new.pub"])
def test_keygen_replaces_nothing(existing: str) -> None:
    """There is no --force, since a replaced key is lost."""
    Path(existing).write_text("mine", encoding="utf-8")
    message = f"{existing}: already exists; choose another file, since a replaced key is lost"
    assert is_refused(run("keygen", "-o", "new.pem"), message)
    assert Path(existing).read_text(encoding="utf-8") == "mine"
    assert len(os.listdir()) == 5


# sign


def test_sign_in_place_or_to_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from the option or GEN5_SIGNING_KEY; one line is printed for each file."""
    make("a.gen5"), make("b.gen5")
    result = run("sign", "a.gen5", "b.gen5", "--key", "anna.pem")
    assert (result.exit_code, result.stdout) == (
        0,
        f"a.gen5: signed by {KEY_ID}\nb.gen5: signed by {KEY_ID}\n",
    )
    monkeypatch.setenv("GEN5_SIGNING_KEY", "ben.pem")
    facts = json.loads(run("sign", "a.gen5", "-o", "c.gen5", "--json").stdout)
    assert facts == {"signed": ["c.gen5"], "key_id": OTHER_ID}
    for name, ids in {"a.gen5": {KEY_ID}, "c.gen5": {KEY_ID, OTHER_ID}}.items():
        with gen5core.open(name) as file:
            assert {found.key_id for found in file.signatures} == ids


def test_files_signed_before_an_error_are_reported() -> None:
    """They were changed, so the output lists them even if the next one fails."""
    make("a.gen5")
    result = run("sign", "a.gen5", "no.gen5", "--key", "anna.pem", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (2, {"signed": ["a.gen5"], "key_id": KEY_ID})
    assert result.stderr == "gen5core: error: no.gen5: no such file or folder; check the path\n"
    with gen5core.open("a.gen5") as file:
        assert [found.key_id for found in file.signatures] == [KEY_ID]


SIGN_ERRORS = {
    "sign a.gen5": (
        "name the private key with --key or GEN5_SIGNING_KEY; `gen5core keygen` makes one (see gen5core sign --help)"
    ),
    "sign a.gen5 b.gen5 --key anna.pem -o c.gen5": (
        "-o is for a single FILE; without it each FILE is replaced (see gen5core sign --help)"
    ),
    "sign a.gen5 --key anna.pem -o b.gen5": "b.gen5: already exists; use --force to replace it",
    "sign a.gen5 --key anna.pem --key ben.pem": (
        "--key is given twice, and only one would count (see gen5core sign --help)"
    ),
    "sign a.gen5 --key anna.pem -o c.gen5 --output d.gen5": (
        "--output is given twice, and only one would count (see gen5core sign --help)"
    ),
    "sign a.gen5 --key no.pem": "no.pem: no such file or folder; check the path",
    "sign no.gen5 --key anna.pem": "no.gen5: no such file or folder; check the path",
    "sign a.gen5 --key anna.pub": "anna.pub: is a public key; name the file of the private key",
    "sign old.gen5 --key anna.pem": "old.gen5 is of version 1.0, which has no place for a signature: "
    "`gen5core scrub` writes it as version 1.1",
    "trust no.pub": "no.pub: no such key file; use a .pub file, the line in it, or the key's id",
    "trust anna.pem": "anna.pem: is a private key; use the public key, whose file ends in .pub",
    "trust --remove": (
        "name the key to remove: its id, its line, or its .pub file (see gen5core trust --help)"
    ),
    "verify a.gen5 --signed-by anna": (
        "anna: no such key file; use a .pub file, the line in it, or the key's id"
    ),
    "verify a.gen5 --signed-by anna.pem": (
        "anna.pem: is a private key; use the public key, whose file ends in .pub"
    ),
}


@posix
@pytest.mark.parametrize(("command", "message"), SIGN_ERRORS.items())
def test_an_error_is_one_line_with_the_remedy(command: str, message: str) -> None:
    """Exit code 2, and every file is unchanged."""
    make("a.gen5"), make("b.gen5")
    Path("old.gen5").write_bytes(forge.build([], minor=0))
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    assert is_refused(run(*command.split()), message)
    assert before == {name: Path(name).read_bytes() for name in os.listdir()}


def test_removing_an_unlisted_key_is_an_error(home: Path) -> None:
    """The message names the key and the list."""
    message = f"{KEY_ID} is not in your list, {home / 'trusted_keys'}"
    assert is_refused(run("trust", "anna.pub", "--remove"), message)


def test_sign_and_signed_by_need_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it they print the remedy in one line; other commands report signatures as unchecked."""
    import sys

    make("a.gen5", KEY)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    message = "this needs cryptography, which is not installed: pip install cryptography"
    for command in (("sign", "a.gen5", "--key", "anna.pem"), ("verify", "a.gen5", "--signed-by", "anna.pub")):
        assert is_refused(run(*command), message)
    missing = "not checked: the package cryptography is not installed: pip install cryptography"
    result = run("verify", "a.gen5")
    assert (
        result.exit_code,
        result.stdout.splitlines()[0],
    ) == (0, f"note  a.gen5: signature by {KEY_ID} {missing}")
    assert f"signature by {KEY_ID} {missing}" in run("info", "a.gen5").stdout


# trust


def test_trust_keeps_a_list(home: Path) -> None:
    """Keys are added by file or line, renamed, listed, and removed by file, line or id."""
    path = home / "trusted_keys"
    assert run("trust").stdout == f"no key is trusted yet; the list will be {path}\n"
    assert run("trust", "anna.pub").stdout == f"{KEY_ID} is now trusted, in {path}\n"
    assert run("trust", OTHER.public_key.text, "--comment", "Ben of work").exit_code == 0
    assert run("trust", "--list").stdout == f"{KEY_ID}  anna\n{OTHER_ID}  Ben of work\n"
    rows = json.loads(run("trust", "--json").stdout)
    assert (
        rows["path"],
        [row["public_key"] for row in rows["keys"]],
    ) == (str(path), [KEY.public_key.text, OTHER.public_key.text])
    assert run("trust", OTHER_ID, "--remove").stdout == f"{OTHER_ID} is no longer trusted, in {path}\n"
    assert run("trust", "--list").stdout == f"{KEY_ID}  anna\n"
    assert run("trust", str(KEY.public_key), "--remove").exit_code == 0
    assert path.read_text() == ""


def test_a_key_under_a_name_that_looks_like_a_listed_one_needs_force(home: Path) -> None:
    """The message names both keys; another name, or --force, adds it. A key may be given its own name again."""
    run("trust", "anna.pub")
    lookalike = f"{OTHER.public_key.text} \u0430nna"
    message = (
        f"the name '\u0430nna' of the key {OTHER_ID} looks like 'anna', the name of {KEY_ID} in your list: compare the "
        "ids with their owners, then give it another name with --comment, or use --force"
    )
    assert is_refused(run("trust", lookalike), message)
    assert run("trust", "--list").stdout == f"{KEY_ID}  anna\n"
    assert run("trust", "anna.pub", "--comment", "Anna").exit_code == 0
    assert run("trust", lookalike, "--comment", "anna of work").exit_code == 0
    assert run("trust", lookalike, "--force").exit_code == 0
    assert run("trust", "--list").stdout == f"{KEY_ID}  Anna\n{OTHER_ID}  \u0430nna\n"


# verify


def summary(*rest: str, count: int = 1, intact: int = 1) -> str:
    return ", ".join([f"{count} file{'' if count == 1 else 's'} checked", f"{intact} intact", *rest])


def verify_lines(*arguments: object) -> tuple[int, list[str]]:
    """Return the exit code and the lines of ``verify``, without sizes."""
    result = run("verify", *arguments)
    lines = result.stdout.splitlines()
    lines[-1] = " ".join(lines[-1].replace("(", "|").replace(")", "|").split("|")[::2]).replace("  ", " ")
    return result.exit_code, [line.replace(" ,", ",").strip() for line in lines]


def test_verify_distinguishes_intact_signed_and_trusted() -> None:
    """Each of the three words is printed only for the files of which it is true."""
    make("plain.gen5"), make("by_anna.gen5", KEY), make("by_both.gen5", KEY, OTHER)
    run("trust", "ben.pub")
    stranger = f"signed by {KEY_ID}, a key that is not in your list"
    friend = f"signed by {OTHER_ID} (ben), trusted"
    both = "; ".join(
        text for _, text in sorted([(KEY.public_key.text, stranger), (OTHER.public_key.text, friend)])
    )
    assert (
        0,
        [
            f"signed  ./by_anna.gen5: intact, {stranger}",
            f"trusted  ./by_both.gen5: intact, {both}",
            summary(count=3, intact=3),
        ],
    ) == verify_lines(".")


BAD_LINE = (
    "gen5core: error: {path}, line 2: starts with 'no'; a public key is a line `gen5-ed25519 <base64> comment` "
    "(no key was counted as trusted)\n"
)


@pytest.mark.parametrize(("has_damage", "code"), [(False, 2), (True, 1)])
def test_a_bad_line_in_the_list_does_not_stop_the_check(home: Path, has_damage: bool, code: int) -> None:
    """Every file is checked, none is trusted, and the error in the list is printed last."""
    make("a.gen5", KEY), make("b.gen5", OTHER), make("c.gen5")
    Path("c.gen5").write_bytes(Path("c.gen5").read_bytes()[: -1 if has_damage else None])
    run("trust", "anna.pub")
    with (home / "trusted_keys").open("a", encoding="utf-8") as file:
        file.write("no key\n")
    result = run("verify", ".")
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (code, BAD_LINE.format(path=home / "trusted_keys"))
    assert ["signed", "signed", *["damaged"] * has_damage] == [line.split()[0] for line in lines[:-1]]
    assert lines[-1].startswith("3 files checked, ")
    assert "interrupted" not in lines[-1]
    result = run("verify", ".", "--json")
    assert (result.exit_code, json.loads(result.stdout)["complete"]) == (code, True)
    assert len(json.loads(result.stdout)["files"]) == 3


def test_a_bad_line_in_the_list_does_not_matter_without_signatures(home: Path) -> None:
    """Without signatures the list is not needed."""
    make("a.gen5")
    home.mkdir()
    (home / "trusted_keys").write_text("no key\n", encoding="utf-8")
    result = run("verify", ".")
    assert (result.exit_code, result.stderr) == (0, "")


@posix
def test_an_unreadable_list_is_not_an_error_of_the_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the file system is reported once, for the list, and not for each signed file."""
    make("a.gen5", KEY)
    monkeypatch.setenv("GEN5_TRUSTED_KEYS", "loop")
    Path("loop").symlink_to("loop")
    result = run("verify", "a.gen5")
    assert result.stdout.startswith(f"signed  a.gen5: intact, signed by {KEY_ID}")
    message = f"gen5core: error: loop: {os.strerror(errno.ELOOP)} (no key was counted as trusted)\n"
    assert (result.exit_code, result.stderr) == (2, message)


def test_verify_as_json_has_the_words(home: Path) -> None:
    """Programs get the trust, and for each signature its state and the key's name in the list."""
    make("plain.gen5"), make("signed.gen5", KEY)
    run("trust", "anna.pub", "--comment", "Anna")
    plain, signed = json.loads(run("verify", ".", "--json").stdout)["files"]
    assert (plain["status"], plain["trust"], plain["signatures"]) == ("whole", "unsigned", [])
    assert (signed["status"], signed["trust"]) == ("whole", "trusted")
    assert [
        {
            "key_id": KEY_ID,
            "public_key": KEY.public_key.text,
            "state": "valid",
            "reason": "",
            "trusted": True,
            "name": "Anna",
        }
    ] == signed["signatures"]


@pytest.mark.parametrize(
    "given", ["anna.pub", KEY.public_key.text, f"{KEY.public_key}", KEY_ID, KEY_ID.upper()]
)
def test_signed_by_accepts_a_file_a_line_or_an_id(given: str) -> None:
    """In each form, files signed by the key pass, even with other signatures."""
    make("a.gen5", KEY), make("b.gen5", OTHER, KEY)
    code, lines = verify_lines("a.gen5", "b.gen5", "--signed-by", given)
    assert (0, summary(count=2, intact=2)) == (code, lines[-1])


def test_signed_by_rejects_other_files(tmp_path: Path) -> None:
    """Unsigned, stripped, or signed by another key: exit code 1, each with its reason."""
    make("signed.gen5", KEY), make("by_ben.gen5", OTHER)
    stripped = signer.with_trailer(Path("signed.gen5").read_bytes(), b"")
    Path("stripped.gen5").write_bytes(stripped)
    code, lines = verify_lines(".", "--signed-by", "anna.pub")
    assert code == 1
    assert lines == [
        f"not signed  ./by_ben.gen5: signed by {OTHER_ID}, a key that is not in your list; not signed by {KEY_ID}",
        f"signed  ./signed.gen5: intact, signed by {KEY_ID}, a key that is not in your list",
        f"not signed  ./stripped.gen5: unsigned; not signed by {KEY_ID}",
        "3 files checked, 3 intact, 2 not signed by that key",
    ]
    rows = json.loads(run("verify", ".", "--signed-by", KEY_ID, "--json").stdout)["files"]
    assert [row["status"] for row in rows] == ["not signed", "whole", "not signed"]
    assert [rows[2]["error"]] == [f"./stripped.gen5: unsigned; not signed by {KEY_ID}"]


def test_bytes_that_nothing_covers_are_part_of_the_verdict() -> None:
    """A trailer of an unknown type, or bytes after a PNG's end: no line, count or JSON says only ``intact``."""
    signed, plain = (Path(make("signed.gen5", KEY)), Path(make("plain.gen5")))
    for path in (signed, plain):
        data = path.read_bytes()
        trailer = signer.trailer(signer.root_of(data), signer.SEED) if path is signed else b""
        path.write_bytes(signer.with_trailer(data, trailer + forge.frame("NOTE", "0000", b"seen")))
    gen5core.save("tail.png", images=np.zeros((2, 2, 3), np.uint8), environment=None, hardware=None)
    Path("tail.png").write_bytes(Path("tail.png").read_bytes() + b"x")
    code, lines = verify_lines(".")
    assert (code, lines) == (
        0,
        [
            "note  ./plain.gen5: intact, with 16 bytes that nothing covers",
            "note  ./plain.gen5: trailer 'NOTE' is not checked: unknown type",
            f"signed  ./signed.gen5: intact, with 16 bytes that nothing covers, signed by {KEY_ID}, a key that is not "
            "in your list",
            "note  ./signed.gen5: trailer 'NOTE' is not checked: unknown type",
            "note  ./tail.png: intact, with 1 byte that nothing covers",
            "note  ./tail.png: 1 bytes follow the end of the PNG and are not checked",
            summary("3 intact, with bytes that nothing covers", count=3, intact=0),
        ],
    )
    rows = json.loads(run("verify", ".", "--json").stdout)["files"]
    assert [(row["uncovered_bytes"], row["verdict"]) for row in rows] == [
        (16, "intact, with 16 bytes that nothing covers"),
        (16, "intact, with 16 bytes that nothing covers"),
        (1, "intact, with 1 byte that nothing covers"),
    ]


def test_info_and_sign_name_bytes_that_nothing_covers() -> None:
    """Neither reads them, and a signature does not cover them; other files are not mentioned."""
    path = Path(make("a.gen5"))
    assert "covers" not in run("info", path).stdout
    path.write_bytes(signer.with_trailer(path.read_bytes(), forge.frame("NOTE", "0000", b"seen")))
    assert run("info", path).stdout.splitlines()[-1] == "16 bytes that nothing covers"
    assert json.loads(run("info", path, "--json").stdout)["uncovered_bytes"] == 16
    expected = f"a.gen5: signed by {KEY_ID}, with 16 bytes that nothing covers\n"
    assert run("sign", path, "--key", "anna.pem").stdout == expected


def test_json_of_numbers_that_json_does_not_have() -> None:
    """1e999 in a file is infinite, and is null in what a command prints, as it is for the browser."""
    data = forge.build([], edit=lambda document: document.update(capture={"sigma": 1.5, "cfg": "####"}))
    text = forge.text_of(data).replace(
        b'"####"', b" 1e999"
    )  # as long as before, so that file_size stays right
    Path("a.gen5").write_bytes(forge.build([], text=text))
    assert json.loads(run("info", "a.gen5", "--json").stdout)["capture"] == {"sigma": 1.5, "cfg": None}


@pytest.mark.parametrize("order", [("anna.pub", "ben.pub"), ("ben.pub", "anna.pub")])
def test_each_key_of_signed_by_must_have_signed(order: tuple[str, str]) -> None:
    """A file passes only if it is signed by all; the error names those that are missing, in the order given."""
    make("by_anna.gen5", KEY), make("by_ben.gen5", OTHER), make("both.gen5", KEY, OTHER), make("none.gen5")
    options = [word for name in order for word in ("--signed-by", name)]
    codes = [run("verify", name, *options).exit_code for name in ("by_anna.gen5", "by_ben.gen5", "both.gen5")]
    assert codes == [1, 1, 0]
    ids = [{"anna.pub": KEY_ID, "ben.pub": OTHER_ID}[name] for name in order]
    code, lines = verify_lines("none.gen5", *options)
    assert (code, lines) == (
        1,
        [
            f"not signed  none.gen5: unsigned; not signed by {', '.join(ids)}",
            "1 file checked, 1 intact, 1 not signed by each of those keys",
        ],
    )


def test_one_key_named_twice_is_asked_for_once() -> None:
    """The same key as a file and as an id is one key."""
    make("a.gen5", KEY)
    assert verify_lines("a.gen5", "--signed-by", "anna.pub", "--signed-by", KEY_ID) == verify_lines(
        "a.gen5", "--signed-by", KEY_ID
    )


def test_a_file_named_like_a_key_id_is_not_used() -> None:
    """Otherwise whoever can put a file into the folder could choose the key."""
    make("a.gen5", OTHER)
    Path(KEY_ID).write_text(f"{OTHER.public_key}\n", encoding="utf-8")
    assert verify_lines("a.gen5", "--signed-by", KEY_ID)[0] == 1


def test_an_invalid_signature_is_damage() -> None:
    """A signature from another file: exit code 1, with the reason."""
    data = Path(make("a.gen5")).read_bytes()
    Path("a.gen5").write_bytes(signer.with_trailer(data, signer.trailer(bytes(32))))
    code, lines = verify_lines("a.gen5")
    assert code == 1
    assert lines[0].startswith("damaged  a.gen5: trailer 'SIGN' at offset")
    assert (
        f"the signature by {KEY_ID} is not valid for this file: it covers the root 0000000000000000…"
        in lines[0]
    )
    assert lines[-1] == "1 file checked, 0 intact, 1 damaged"
    info: Any = run("info", "a.gen5")
    assert (info.exit_code, info.stdout) == (2, "")


# info, scrub


def test_info_shows_who_signed() -> None:
    """One line for each signature, none for an unsigned file, and never ``intact``, which needs verify."""
    make("plain.gen5"), make("signed.gen5", KEY)
    run("trust", "anna.pub")
    assert "signed" not in run("info", "plain.gen5").stdout
    lines = run("info", "signed.gen5").stdout.splitlines()
    assert [line for line in lines if "sign" in line and "gen5" not in line] == [
        f"signed by {KEY_ID} (anna), trusted"
    ]
    assert "intact" not in "".join(lines)
    facts = json.loads(run("info", "signed.gen5", "--json").stdout)
    assert (
        facts["trust"],
        [row["key_id"] for row in facts["signatures"]],
        facts["trailers"],
    ) == ("trusted", [KEY_ID], ["SIGN"])
    facts = json.loads(run("info", "plain.gen5", "--json").stdout)
    assert (facts["trust"], facts["signatures"]) == ("unsigned", [])


def test_a_comment_is_escaped() -> None:
    """Comments in the trusted list may come from other people."""
    make("signed.gen5", KEY)
    result = run("trust", KEY.public_key.text, "--comment", "\x1b[31mred")
    assert result.exit_code == 2
    assert "\\x1b[31mred" in result.stderr
    assert "\x1b" not in result.stderr


def test_scrub_lists_the_signature() -> None:
    """Also with --dry-run."""
    make("signed.gen5", KEY)
    lost = f"dropped  the signature by {KEY_ID}: the scrubbed file is unsigned"
    for arguments in (("--dry-run",), ("-o", "out.gen5")):
        lines = run("scrub", "signed.gen5", *arguments).stdout.splitlines()
        assert [lost] == [line for line in lines if "signature" in line]
    assert verify_lines("out.gen5", "--signed-by", KEY_ID)[0] == 1

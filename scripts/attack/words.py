"""Words about a file that say more than is so: *signed by*, *trusted*, *intact*."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from unittest import mock

import numpy as np
from click.testing import CliRunner

import gen5core
from gen5core import FormatError, InvalidKeyError, PublicKey, SigningKey
from gen5core.cli.commands import cli
from gen5core.signatures.key_files import load_public_key, save_signing_key
from gen5core.signatures.trusted_keys import add_trusted_key, load_trusted_keys
from scripts.attack.rows import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import forge
import signer

TITLE = "Words: signatures, trust, and the verdict"
ANNA = SigningKey.from_seed(bytes([1]) * 32, comment="anna")
EVE = SigningKey.from_seed(bytes([2]) * 32, comment="eve")
SEPARATORS = ("\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
LOOKALIKES = (
    *(
        "anna",
        "Anna",
        "ANNA",
        "an na",
        "an-na",
        "anna.",
        "\u0430nna",
        "ann\u0430",
        "\u0410NNA",
        "\u03b1nna",
        "\u0391\u039d\u039d\u0391",
    ),
    *(
        "\uff41\uff4e\uff4e\uff41",
        "\U0001d41a\U0001d427\U0001d427\U0001d41a",
        "\u24d0\u24dd\u24dd\u24d0",
        "\u1d00\u0274\u0274\u1d00",
    ),
    *(
        "\ua4ee\ua4e0\ua4e0\ua4ee",
        "a\u0301nna",
        "\xe4nna",
        "anna\u034f",
        "anna\ufe0f",
        "anna\u3164",
        "\u2800anna",
        "anna\u115f",
    ),
    *("\u0251nna", "\u1ea1nna", "\u13aann\u0251"),
)
PRIME = 2**255 - 19
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7


def rows() -> Iterator[Row]:
    """Yield each attack, in a folder and with a list of trusted keys of its own."""
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ, {"GEN5_HOME": name}):
        os.environ.pop("GEN5_TRUSTED_KEYS", None)
        folder = Path(name)
        yield _several_signers(folder)
        yield _hidden_keys(folder)
        yield _lookalikes(folder)
        yield from _uncovered(folder)
        yield _flipped_trailer(folder)
        yield _weak_keys(folder)
        yield _moved_signature(folder)


def _several_signers(folder: Path) -> Row:
    for name, key in (("anna", ANNA), ("eve", EVE)):
        save_signing_key(folder / f"{name}.pem", key)
    wrong, tried = 0, 0
    for signers in ((), (ANNA,), (EVE,), (ANNA, EVE)):
        path = _file(folder / f"by_{len(signers)}_{tried}.gen5", signers)
        for asked in (("anna", "eve"), ("eve", "anna"), ("anna", "eve", "anna")):
            options = [word for name in asked for word in ("--signed-by", str(folder / f"{name}.pub"))]
            tried += 1
            wrong += (_run("verify", path, *options)[0] == 0) != (len(signers) == 2)
    return Row(
        f"`--signed-by` for two keys, {tried} cases",
        "only a file that both signed passes",
        f"{wrong} pass wrongly or fail wrongly",
        wrong == 0,
    )


def _hidden_keys(folder: Path) -> Row:
    trusted, path = 0, folder / "list"
    for end in SEPARATORS:
        for before in ("# of work", f"{ANNA.public_key.text} anna", " ", "#"):
            path.write_bytes(f"{before}{end}{EVE.public_key.text}\n".encode())
            path.chmod(0o600)
            for read in (lambda: load_trusted_keys(path), lambda: (load_public_key(path),)):
                with suppress(InvalidKeyError):
                    trusted += EVE.public_key in read()
    count = len(SEPARATORS) * 4
    return Row(
        f"a key behind a line separator of Unicode in a list or key file, {count} files",
        "it is not read as a key",
        f"{trusted} are",
        trusted == 0,
    )


def _lookalikes(folder: Path) -> Row:
    added = []
    for number, name in enumerate(LOOKALIKES):
        path = folder / f"list_{number}"
        add_trusted_key(ANNA.public_key, path)
        with suppress(InvalidKeyError):
            add_trusted_key(PublicKey(EVE.public_key.raw, name), path)
            added.append(name)
    return Row(
        f"another key under a name that looks like *anna*, {len(LOOKALIKES)} spellings",
        "both keys are named, `--force` is needed",
        f"{len(added)} added without a question{': ' + ascii(added) if added else ''}",
        not added,
    )


def _uncovered(folder: Path) -> Iterator[Row]:
    """Add bytes that nothing covers, and look for *intact* without their number."""
    note = forge.frame("NOTE", "0000", b"not by anna")
    plain, signed = _file(folder / "plain.gen5", ()), _file(folder / "signed.gen5", (ANNA,))
    png = folder / "tail.png"
    gen5core.save(png, images=np.zeros((2, 2, 3), np.uint8), environment=None, signing_key=ANNA)
    _append_trailer(plain, note)
    _append_trailer(signed, note)
    png.write_bytes(png.read_bytes() + b"not by anna")
    for path, size in ((plain, len(note)), (signed, len(note)), (png, 11)):
        words = f"with {size} bytes that nothing covers"
        code, text = _run("verify", path)
        verdicts = [line for line in text.splitlines() if "intact" in line]
        facts = json.loads(_run("verify", path, "--json")[1])["files"][0]
        named = all(words in line or ", 1 intact, with bytes" in line for line in verdicts)
        held = named and words in facts["verdict"] and words.removeprefix("with ") in _run("info", path)[1]
        yield Row(
            f"{size} bytes that nothing covers, {path.name}",
            "the verdict counts them, in `verify`, `--json` and `info`",
            f"exit {code}, {facts['verdict']}",
            held,
        )


def _flipped_trailer(folder: Path) -> Row:
    path = _file(folder / "flipped.gen5", (ANNA,))
    data = path.read_bytes()
    start = data.index(b"SIGN")
    as_signed = as_intact = 0
    for at in range(start, len(data)):
        for bit in range(8):
            path.write_bytes(forge.flipped(data, at, 1 << bit))
            with suppress(FormatError), gen5core.open(path) as file:
                as_signed += file.trust((ANNA.public_key,)).word == "trusted"
                as_intact += file.verify().verdict == "intact"
    bits = 8 * (len(data) - start)
    return Row(
        f"each bit of a signature's trailer flipped, {bits} files",
        "none is *trusted*, none plain *intact*",
        f"{as_signed} trusted, {as_intact} intact",
        as_signed == as_intact == 0,
    )


def _weak_keys(folder: Path) -> Row:
    data, path, accepted = forge.build([]), folder / "weak.gen5", 0
    identity = base64.b64encode((1).to_bytes(32, "little") + bytes(32)).decode()
    points = [
        (y | sign).to_bytes(32, "little")
        for y in (0, 1, PRIME - 1, PRIME, PRIME + 1, ORDER_8, PRIME - ORDER_8)
        for sign in (0, 2**255)
    ]
    for raw in points:
        key = f"gen5-ed25519 {base64.b64encode(raw).decode()}"
        envelope = signer.envelope(signer.root_of(data), [(key, identity)])
        path.write_bytes(signer.with_trailer(data, forge.frame("SIGN", "0000", envelope)))
        with suppress(FormatError), gen5core.open(path):
            accepted += 1
    return Row(
        f"a key under which one signature is valid for every file, {len(points)} encodings",
        "refused",
        f"{accepted} accepted",
        accepted == 0,
    )


def _moved_signature(folder: Path) -> Row:
    """Attach anna's signature of one file to another, and put eve's key on it or anna's on eve's."""
    one, other = forge.build([]), forge.build([forge.float32("x", [1.0])])
    theirs, ours = (signer.entry(signer.root_of(one), bytes([number]) * 32) for number in (1, 2))
    envelopes = (
        signer.envelope(signer.root_of(one), [theirs]),
        signer.envelope(signer.root_of(other), [theirs]),
        signer.envelope(signer.root_of(other), [(theirs[0], ours[1])]),
    )
    path, accepted = folder / "moved.gen5", 0
    for envelope in envelopes:
        path.write_bytes(signer.with_trailer(other, forge.frame("SIGN", "0000", envelope)))
        with suppress(FormatError), gen5core.open(path):
            accepted += 1
    return Row(
        f"another file's signature, or another's name on one, {len(envelopes)} cases",
        "refused",
        f"{accepted} accepted",
        accepted == 0,
    )


def _file(path: Path, keys: Sequence[SigningKey]) -> Path:
    gen5core.save(path, latents={"initial_noise": np.zeros((1, 4, 8, 8), np.float32)}, environment=None)
    for key in keys:
        gen5core.sign_file(path, key)
    return path


def _append_trailer(path: Path, frame: bytes) -> None:
    data = path.read_bytes()
    header = forge.header_of(data)
    path.write_bytes(signer.with_trailer(data, data[header.meta_offset + header.meta_size :] + frame))


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    return result.exit_code, result.stdout

"""The commands keygen, sign and trust, and the keys of ``--signed-by``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from ..errors import InvalidKeyError
from ..reader import file as reader
from ..reader.report import describe_uncovered
from ..rewrite.sign import sign_file
from ..signatures.key_files import (
    SIGNING_KEY_VARIABLE,
    default_key_path,
    load_public_key,
    load_signing_key,
    save_signing_key,
)
from ..signatures.keys import ID_DIGITS, KIND, PublicKey, SigningKey, load_cryptography, parse_public_key
from ..signatures.trusted_keys import (
    add_trusted_key,
    load_trusted_keys,
    remove_trusted_key,
    trusted_keys_path,
)
from . import tables
from .group import Command, Failure
from .output import check_target, refuse_stdout
from .text import printable

_KEY_ID: Final = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.command(cls=Command, short_help="Make a key to sign files with.")
@click.option(
    "-o", "--output", "out", metavar="FILE", help="The private key's file; default: in your own folder."
)
@click.option("--comment", metavar="TEXT", default="", help="A name for the key, stored in its .pub file.")
@_JSON
def keygen(out: str | None, comment: str, as_json: bool) -> None:
    """Make an Ed25519 key: a private key that only you can read, and beside it the public key, to share.

    No existing file is replaced. If GEN5_SIGNING_KEY names the private key, every save is signed.
    """
    if out is not None:
        refuse_stdout(out)
    path = Path(out) if out is not None else _default_path()
    key = SigningKey.generate(comment=comment)
    try:
        public = save_signing_key(path, key)
    except FileExistsError as error:
        raise Failure(
            f"{error.filename}: already exists; choose another file, since a replaced key is lost"
        ) from error
    if as_json:
        facts = {"private_key": str(path), "public_key": str(public), "key": key.public_key.text}
        tables.print_json({**facts, "key_id": key.public_key.key_id})
        return
    click.echo(printable(f"private key  {path}  (keep it to yourself)"))
    click.echo(printable(f"public key   {public}  (to share)"))
    click.echo(f"key id       {key.public_key.key_id}")
    click.echo(printable(f"sign saves   export {SIGNING_KEY_VARIABLE}={shlex.quote(str(path.absolute()))}"))


@click.command(cls=Command, short_help="Sign files.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--key",
    metavar="KEY",
    envvar=SIGNING_KEY_VARIABLE,
    help=f"The private key's file; default: {SIGNING_KEY_VARIABLE}.",
)
@click.option("-o", "--output", "out", metavar="OUT", help="The signed file; default: replace FILE itself.")
@click.option("--force", is_flag=True, help="Replace the output if it already exists.")
@_JSON
def sign(files: tuple[str, ...], key: str | None, out: str | None, force: bool, as_json: bool) -> None:
    """Sign each FILE, a .gen5 or a PNG that carries a record, after checking every byte.

    Its content, its picture, its root and the signatures by other keys stay the same.
    """
    if key is None:
        raise click.UsageError(
            f"name the private key with --key or {SIGNING_KEY_VARIABLE}; `gen5core keygen` makes one"
        )
    if out is not None and len(files) > 1:
        raise click.UsageError("-o is for a single FILE; without it each FILE is replaced")
    if out is not None:
        check_target(out, force=force)
    signing_key = load_signing_key(key)
    signed: list[str] = []
    try:
        for file in files:
            signed.append(str(sign_file(file, signing_key, out, overwrite=force)))
            if not as_json:
                rest = describe_uncovered(_uncovered_bytes(signed[-1]))
                click.echo(printable(f"{signed[-1]}: signed by {signing_key.public_key.key_id}{rest}"))
    finally:  # the files before the error are signed
        if as_json:
            tables.print_json({"signed": signed, "key_id": signing_key.public_key.key_id})


@click.command(cls=Command, short_help="Manage your list of trusted keys.")
@click.argument("key", metavar="[KEY]", required=False)
@click.option("--comment", metavar="TEXT", help="The key's name in your list; default: the name in its file.")
@click.option("--remove", is_flag=True, help="Remove KEY from the list.")
@click.option("--list", "wants_list", is_flag=True, help="Show the list (the default without KEY).")
@click.option("--force", is_flag=True, help="Add KEY even if its name looks like another in the list.")
@_JSON
def trust(
    key: str | None, comment: str | None, remove: bool, wants_list: bool, force: bool, as_json: bool
) -> None:
    """Add KEY, a .pub file or its line, to your list of trusted keys, or remove it.

    Before you add it, compare its id with its owner over another channel than the one it came by. A key whose
    name looks like another in your list is not added: that may be a stranger's key under a friend's name.
    """
    if key is None and remove:
        raise click.UsageError("name the key to remove: its id, its line, or its .pub file")
    if key is not None and remove:
        _remove(key_id(key))
    elif key is not None:
        found = find_key(key)
        add_trusted_key(found if comment is None else replace(found, comment=comment), force=force)
    if key is None or wants_list or as_json:
        _print_list(as_json=as_json)
    else:
        _print_change(key, remove=remove)


KEY_COMMANDS: Final[tuple[click.Command, ...]] = (keygen, sign, trust)


def required_keys(given: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the keys of ``--signed-by``, each once; raise ImportError if signatures cannot be checked."""
    if given:
        load_cryptography()
    return tuple(dict.fromkeys(map(key_id, given)))


def key_id(given: str) -> str:
    """Return the id of a key given as its id, its line of text, or its file.

    An id takes precedence over a file of that name. Otherwise, whoever can put a file into the folder could
    choose the key.

    Raises
    ------
    Failure
        if it is none of these.
    """
    return given.lower() if _KEY_ID.fullmatch(given.lower()) else find_key(given).key_id


def find_key(given: str) -> PublicKey:
    """Return the public key given as its line of text, or its file. Raises as ``key_id``."""
    if given.startswith(f"{KIND} "):
        return parse_public_key(given)
    try:
        return load_public_key(given)
    except FileNotFoundError as error:
        raise Failure(
            f"{given}: no such key file; use a .pub file, the line in it, or the key's id"
        ) from error


def _default_path() -> Path:
    path = default_key_path()
    if path is None:
        raise InvalidKeyError("no home folder is known: name the key's file with -o")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _uncovered_bytes(path: str) -> int:
    with reader.open(path) as file:
        return file.uncovered_bytes


def _remove(removed: str) -> None:
    if not remove_trusted_key(removed):
        raise Failure(f"{removed} is not in your list, {trusted_keys_path()}")


def _print_change(given: str, *, remove: bool) -> None:
    verdict = "is no longer trusted" if remove else "is now trusted"
    click.echo(printable(f"{key_id(given)} {verdict}, in {trusted_keys_path()}"))


def _print_list(*, as_json: bool) -> None:
    keys = load_trusted_keys()
    if as_json:
        rows = [{"key_id": key.key_id, "public_key": key.text, "comment": key.comment} for key in keys]
        tables.print_json({"path": str(trusted_keys_path()), "keys": rows})
        return
    for key in keys:
        click.echo(printable(f"{key.key_id}  {key.comment}".rstrip()))
    if not keys:
        click.echo(printable(f"no key is trusted yet; the list will be {trusted_keys_path()}"))

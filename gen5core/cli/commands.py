"""The commands that look: info, verify, env, diff; ``convert`` and ``keys`` add those that write."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from .. import __version__
from ..carrier.meta import encode_carrier
from ..diff import compare_files
from ..environment.components import Environment
from ..errors import InvalidKeyError
from ..reader import file as reader
from ..reader.file import Gen5File
from ..signatures.keys import PublicKey
from ..signatures.trusted_keys import load_trusted_keys, trusted_keys_path
from ..tensors.stored import StoredTensor
from . import tables
from .convert import TRANSFERS
from .group import ERROR, FOUND, Failure, Group, print_error
from .keys import KEY_COMMANDS, required_key
from .verify import Checked, check_files, described_signatures, find_files, show_checked

_FILE = click.argument("file", metavar="FILE")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.group(
    "gen5core",
    cls=Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 damage or a difference was found, 2 an error, told in one line on stderr.",
)
@click.version_option(__version__, prog_name="gen5core")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Look into GEN5 files, check them, compare them, and turn them into other files and back."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command(short_help="Show what a file says of itself.")
@_FILE
@_JSON
def info(file: str, as_json: bool) -> None:
    """Show what FILE says of itself: settings, latents, images, environment.

    Header and META are checked and read; `verify` checks every byte.
    """
    with reader.open(file) as opened:
        if as_json:
            tables.print_json(_described(opened))
        else:
            tables.show_info(opened)


@cli.command(
    found="if a file is damaged, no GEN5 file, or not signed by KEY",
    short_help="Check every byte of files and folders.",
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--signed-by", metavar="KEY", help="Each file must be signed by KEY: a .pub file, its line, or its id."
)
@_JSON
@click.pass_context
def verify(ctx: click.Context, paths: tuple[str, ...], signed_by: str | None, as_json: bool) -> None:
    """Check every byte of each PATH; of a folder, of every .gen5 file and every PNG with a record in it and below.

    Prints one line for each file that is damaged or signed, and at the end how many were checked. Intact: every
    byte is as it was saved. Signed by K: the signature by the key K fits the file. Trusted: K is in your list (see
    `trust`).
    """
    key_id = None if signed_by is None else required_key(signed_by)
    files = find_files(paths)
    trusted, unusable = _trusted_keys()
    checked: list[Checked] = []
    try:
        for entry in check_files(files, trusted=trusted, signed_by=key_id):
            checked.append(entry)
    finally:
        complete = len(checked) == len(files)
        if as_json:
            rows = [entry.as_json() for entry in checked]
            tables.print_json({"complete": complete, "files": rows})
        else:
            show_checked(checked, complete=complete)
    statuses = {entry.status for entry in checked}
    misses_list = unusable and any(entry.trust and entry.trust.signatures for entry in checked)
    if misses_list:
        print_error(f"{unusable} (no key counted as trusted)")
    if statuses != {"whole"} or misses_list:
        ctx.exit(FOUND if statuses & {"damaged", "not GEN5", "not signed"} else ERROR)


@cli.command(found="if something differs", short_help="Compare a file's environment with this machine.")
@_FILE
@_JSON
@click.pass_context
def env(ctx: click.Context, file: str, as_json: bool) -> None:
    """Show how the environment that FILE was made in differs from this machine's.

    Models, and the settings of a running torch (tf32 and the like), are compared inside ComfyUI only.
    """
    with reader.open(file) as opened:
        stored = opened.environment
    if stored is None:
        raise Failure(f"{file}: no environment is stored; there is nothing to compare")
    drifts = stored.diff(Environment.capture())
    if as_json:
        tables.print_json([asdict(drift) for drift in drifts])
    else:
        tables.show_drifts(drifts, file)
    if drifts:
        ctx.exit(FOUND)


@cli.command(found="if something differs", short_help="Compare two files.")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@_JSON
@click.pass_context
def diff(ctx: click.Context, left: str, right: str, as_json: bool) -> None:
    """Compare A with B: settings, prompt, model, latents, images, environment, resources, prompt graph.

    Latents are compared bit by bit (L∞ is the largest difference of two values), images by their pixels.
    Date, compression, signatures, workflow and the names of files do not count.
    """
    with reader.open(left) as one, reader.open(right) as other:
        comparison = compare_files(one, other)
    if as_json:
        rows = [asdict(difference) for difference in comparison.differences]
        equal = [list(pair) for pair in comparison.equal]
        tables.print_json({"differences": rows, "equal": equal})
    else:
        tables.show_comparison(comparison, left, right)
    if comparison.differences:
        ctx.exit(FOUND)


for _command in (*TRANSFERS, *KEY_COMMANDS):
    cli.add_command(_command)


def _trusted_keys() -> tuple[tuple[PublicKey, ...], str]:
    """Return the keys in your list; none, and why, where it cannot be used."""
    try:
        return load_trusted_keys(), ""
    except InvalidKeyError as error:
        return (), str(error)
    except OSError as error:
        return (), f"{trusted_keys_path()}: {error.strerror or error}"


def _described(file: Gen5File) -> dict[str, Any]:
    """Return what ``info --json`` prints."""
    environment, trust = file.environment, file.trust()
    components = {part.component_id: part.canonical for part in environment.components} if environment else {}
    return {
        "path": file.path,
        "version": str(file.version),
        "sealed": file.sealed,
        "root": file.root,
        "size_bytes": file.header.file_size,
        "carrier": None if file.carrier is None else encode_carrier(file.carrier),
        "date": file.date,
        "prompt": file.prompt,
        "model_name": file.model_name,
        "model_version": file.model_version,
        "tags": list(file.tags),
        "settings": file.settings,
        "latents": [_described_latent(name, part) for name, part in _parts(file)],
        "images": [{**image.facts, "size_bytes": image.size_bytes} for image in file.images],
        "environment": components | dict(environment.further) if environment else None,
        "hardware": file.hardware,
        "resources": file.resources,
        "capture": file.capture,
        "has_prompt_graph": "prompt" in (file.comfyui or {}),
        "has_workflow": "workflow" in (file.comfyui or {}),
        "trailers": [trailer.type for trailer in file.trailers],
        "trust": trust.word,
        "signatures": described_signatures(trust),
    }


def _parts(file: Gen5File) -> list[tuple[str, StoredTensor]]:
    return [(name, part) for name, latent in file.latents.items() for part in latent.parts]


def _described_latent(name: str, part: StoredTensor) -> dict[str, Any]:
    facts = {"name": name, "shape": list(part.shape), "dtype": part.orig_dtype}
    return {**facts, "stored_dtype": str(part.dtype)}

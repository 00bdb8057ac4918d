"""The commands that only read: info, verify, env, diff. Adds those of ``convert`` and ``keys`` to the group."""

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
from .convert import FILE_COMMANDS
from .group import ERROR, FOUND, Failure, Group, print_error
from .keys import KEY_COMMANDS, required_keys
from .verify import CheckedFile, check_files, find_files, print_results, signatures_as_json

_FILE = click.argument("file", metavar="FILE")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.group(
    "gen5core",
    cls=Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 damage or a difference was found, 2 an error, reported in one line on stderr.",
)
@click.version_option(__version__, prog_name="gen5core")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Inspect, check, compare and convert GEN5 files."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command(short_help="Show what a file contains.")
@_FILE
@_JSON
def info(file: str, as_json: bool) -> None:
    """Show what FILE contains: settings, latents, images, environment.

    Only the header and META are read and checked; `verify` checks every byte.
    """
    with reader.open(file) as opened:
        if as_json:
            tables.print_json(_info_json(opened))
        else:
            tables.print_info(opened)


@cli.command(
    found="if a file is damaged, not a GEN5 file, or not signed by each KEY",
    short_help="Check every byte of files and folders.",
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--signed-by",
    metavar="KEY",
    multiple=True,
    help="Each file must be signed by KEY: a .pub file, its line, or its id. If given more than once, by every KEY.",
)
@_JSON
@click.pass_context
def verify(ctx: click.Context, paths: tuple[str, ...], signed_by: tuple[str, ...], as_json: bool) -> None:
    """Check every byte of each PATH. A folder stands for every .gen5 file and every PNG with a record in it,
    subfolders included; a damaged PNG counts if anything in it shows that it had a record.

    Prints one line for each file that is damaged or signed, and then how many files were checked. Intact: every
    byte is as it was saved; bytes that nothing covers are counted. Signed by K: the signature by the key K is
    valid for the file. Trusted: K is in your list (see `trust`).
    """
    key_ids = required_keys(signed_by)
    files = find_files(paths)
    trusted, unusable = _trusted_keys()
    checked: list[CheckedFile] = []
    try:
        for entry in check_files(files, trusted=trusted, signed_by=key_ids):
            checked.append(entry)
    finally:
        complete = len(checked) == len(files)
        if as_json:
            rows = [entry.as_json() for entry in checked]
            tables.print_json({"complete": complete, "files": rows})
        else:
            print_results(checked, complete=complete, signed_by=key_ids)
    statuses = {entry.status for entry in checked}
    is_trust_unknown = unusable and any(entry.trust and entry.trust.signatures for entry in checked)
    if is_trust_unknown:
        print_error(f"{unusable} (no key was counted as trusted)")
    if statuses != {"whole"} or is_trust_unknown:
        ctx.exit(FOUND if statuses & {"damaged", "not GEN5", "not signed"} else ERROR)


@cli.command(found="if something differs", short_help="Compare a file's environment with this machine.")
@_FILE
@_JSON
@click.pass_context
def env(ctx: click.Context, file: str, as_json: bool) -> None:
    """Show how the environment in which FILE was made differs from this machine.

    Models, and the settings of a running torch (such as tf32), are only compared inside ComfyUI.
    """
    with reader.open(file) as opened:
        stored = opened.environment
    if stored is None:
        raise Failure(f"{file}: the file has no environment to compare")
    drifts = stored.diff(Environment.capture())
    if as_json:
        tables.print_json([asdict(drift) for drift in drifts])
    else:
        tables.print_drifts(drifts, file)
    if drifts:
        ctx.exit(FOUND)


@cli.command(found="if something differs", short_help="Compare two files.")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@_JSON
@click.pass_context
def diff(ctx: click.Context, left: str, right: str, as_json: bool) -> None:
    """Compare A with B: settings, prompt, model, latents, images, environment, resources, prompt graph.

    Latents are compared bit by bit (L∞ is the largest difference between two values), images pixel by pixel.
    Dates, compression, signatures, workflows and file names are ignored.
    """
    with reader.open(left) as one, reader.open(right) as other:
        comparison = compare_files(one, other)
    if as_json:
        rows = [asdict(difference) for difference in comparison.differences]
        equal = [list(pair) for pair in comparison.equal]
        tables.print_json({"differences": rows, "equal": equal})
    else:
        tables.print_comparison(comparison, left, right)
    if comparison.differences:
        ctx.exit(FOUND)


for _command in (*FILE_COMMANDS, *KEY_COMMANDS):
    cli.add_command(_command)


def _trusted_keys() -> tuple[tuple[PublicKey, ...], str]:
    """Return the keys in the user's list; if it cannot be used, no keys and the reason."""
    try:
        return load_trusted_keys(), ""
    except InvalidKeyError as error:
        return (), str(error)
    except OSError as error:
        return (), f"{trusted_keys_path()}: {error.strerror or error}"


def _info_json(file: Gen5File) -> dict[str, Any]:
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
        "latents": [_latent_json(name, part) for name, part in _parts(file)],
        "images": [{**image.facts, "size_bytes": image.size_bytes} for image in file.images],
        "environment": components | dict(environment.further) if environment else None,
        "hardware": file.hardware,
        "resources": file.resources,
        "capture": file.capture,
        "has_prompt_graph": "prompt" in (file.comfyui or {}),
        "has_workflow": "workflow" in (file.comfyui or {}),
        "trailers": [trailer.type for trailer in file.trailers],
        "uncovered_bytes": file.uncovered_bytes,
        "trust": trust.word,
        "signatures": signatures_as_json(trust),
    }


def _parts(file: Gen5File) -> list[tuple[str, StoredTensor]]:
    return [(name, part) for name, latent in file.latents.items() for part in latent.parts]


def _latent_json(name: str, part: StoredTensor) -> dict[str, Any]:
    facts = {"name": name, "shape": list(part.shape), "dtype": part.orig_dtype}
    return {**facts, "stored_dtype": part.stored_dtype}

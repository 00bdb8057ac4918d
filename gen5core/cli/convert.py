"""The commands that write a file: extract, import, export, scrub."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from ..carrier.traces import without_marker
from ..container import spec
from ..convert.exporters import GEN5, KINDS, check_not_same_file, export_file
from ..convert.importers import import_file
from ..convert.safetensors import encode_tensors, raw_tensors
from ..errors import ChunkNotFoundError
from ..images import codec as image_codec
from ..images import png_encode
from ..reader import file as reader
from ..reader.file import Gen5File
from ..reader.pick import pick_image
from ..rewrite.scrub import find_private, scrub
from . import tables
from .group import Command, Failure
from .output import STDOUT, Buffer, check_target, write_output
from .text import plural, printable

_SUFFIXES: Final = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "WEBP": (".webp",)}
_NPY: Final = ".npy"
_SAFETENSORS: Final = (".safetensors", ".sft")
_FILE = click.argument("file", metavar="FILE")
_FORCE = click.option("--force", is_flag=True, help="Replace the output if it already exists.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_OUT = click.option("-o", "--output", "out", metavar="OUT", required=True, help="The file to write.")


@click.command(cls=Command, short_help="Extract an image, a latent, the workflow or the metadata.")
@_FILE
@click.option(
    "--image", "wants_image", is_flag=True, help="An image, deflated to a small size (the default)."
)
@click.option(
    "--latent", metavar="NAME", help="One latent, as .npy or .safetensors depending on OUT's suffix."
)
@click.option("--workflow", is_flag=True, help="The workflow as JSON, to drop on ComfyUI.")
@click.option("--metadata", is_flag=True, help="All of META as JSON.")
@click.option("--index", metavar="N", type=int, default=0, help="Index of the image, counted from 0.")
@click.option("-o", "--output", "out", metavar="OUT", required=True, help="The file to write; - for stdout.")
@_FORCE
@_JSON
def extract(
    file: str,
    wants_image: bool,
    latent: str | None,
    workflow: bool,
    metadata: bool,
    index: int,
    out: str,
    force: bool,
    as_json: bool,
) -> None:
    """Extract one part of FILE, after checking it.

    In a .npy, a bfloat16 or float8 latent becomes float32 or float16 with the same values; a .safetensors
    keeps its dtype.
    """
    if sum((wants_image, latent is not None, workflow, metadata)) > 1:
        raise click.UsageError("--image, --latent, --workflow and --metadata: choose one")
    if out != STDOUT:
        check_not_same_file(file, out)
        check_target(out, force=force)
    with reader.open(file) as opened:
        if latent is not None:
            buffers = _latent_file(opened, latent, out)
        elif workflow or metadata:
            value = opened.metadata if metadata else _workflow(opened)
            buffers = [json.dumps(value, indent=2).encode("ascii") + b"\n"]
        else:
            buffers = [_image_file(opened, index, out)]
    write_output(out, buffers, force=force, is_text=workflow or metadata)
    _print_output(out, as_json=as_json)


@click.command("import", cls=Command, short_help="Make a GEN5 file from a latent or PNG.")
@click.argument("file", metavar="X.latent|X.safetensors|X.png")
@_OUT
@click.option(
    "--as", "name", metavar="NAME", help="The latent's name; a .latent is called final_latent by default."
)
@_FORCE
@_JSON
def import_command(file: str, out: str, name: str | None, force: bool, as_json: bool) -> None:
    """Make a .gen5 file from a ComfyUI .latent, a .safetensors or a .png; values stay exactly the same.

    A PNG that carries a record gives back the whole .gen5.
    A .latent without latent_format_version_0 is multiplied by 1/0.18215, as ComfyUI's Load Latent does.
    """
    check_target(out, force=force)
    notes = import_file(file, out, name=name, overwrite=force)
    _print_output(out, as_json=as_json, notes=_print_notes(file, notes))


@click.command("export", cls=Command, short_help="Export latents or an image to other programs.")
@_FILE
@click.option("--to", "kind", type=click.Choice(KINDS), help="Kind of the output; default: by OUT's suffix.")
@_OUT
@click.option("--latent", metavar="NAME", help="One latent; default: initial_noise, or the only latent.")
@click.option("--index", metavar="N", type=int, default=0, help="Index of the image, counted from 0.")
@click.option("--carry", is_flag=True, help="Make the PNG carry the whole record.")
@_FORCE
@_JSON
def export_command(
    file: str,
    kind: str | None,
    out: str,
    latent: str | None,
    index: int,
    carry: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Export FILE's latents or an image to other programs.

    latent: one latent, for ComfyUI's Load Latent. safetensors: all latents, or the one named. png: one
    image, with the prompt and workflow as ComfyUI writes them; with --carry also the whole record, so that every
    command here reads it like a .gen5. gen5: the .gen5 from such a PNG.
    """
    chosen = kind or Path(out).suffix.lower().lstrip(".")
    if chosen not in KINDS:
        raise click.UsageError(
            f"the suffix of {out} does not give the kind of the output: use --to {'|'.join(KINDS)}"
        )
    if latent is not None and (carry or chosen == GEN5):
        raise click.UsageError("--latent selects one latent, but all of them are written here: leave it out")
    check_not_same_file(file, out)
    check_target(out, force=force)
    notes = export_file(file, out, chosen, name=latent, index=index, carry=carry, overwrite=force)
    _print_output(out, as_json=as_json, notes=_print_notes(file, notes))


@click.command("scrub", cls=Command, short_help="Drop names, paths and workflow before sharing.")
@_FILE
@click.option("-o", "--output", "out", metavar="OUT", help="The file to write.")
@click.option("--dry-run", is_flag=True, help="List what would be dropped; write nothing.")
@_FORCE
@_JSON
def scrub_command(file: str, out: str | None, dry_run: bool, force: bool, as_json: bool) -> None:
    """Write a copy of FILE without details on the machine and its user, and list what was dropped.

    Dropped: the machine's name, the workflow, the folders in paths, signatures, and whatever this version does
    not know.
    Kept: latents and pixels bit for bit, settings, prompts, resources, environment.
    """
    if (out is None) == (not dry_run):
        raise click.UsageError("name the output with -o, or use --dry-run")
    if out is None:
        dropped = find_private(file)
    else:
        check_target(out, force=force)
        dropped = scrub(file, out, overwrite=force)
    if as_json:
        tables.print_json({"output": out, "dropped": dropped})
        return
    for line in dropped:
        click.echo(printable(f"dropped  {line}"))
    verb = "would be dropped" if dry_run else "dropped"
    click.echo(f"{plural(len(dropped), 'thing')} {verb}" if dropped else "found nothing to drop")


FILE_COMMANDS: Final[tuple[click.Command, ...]] = (extract, import_command, export_command, scrub_command)


def _print_notes(file: str, notes: Sequence[str]) -> list[str]:
    for note in notes:
        click.echo(printable(f"gen5core: note: {file} {note}"), err=True)
    return list(notes)


def _print_output(out: str, *, as_json: bool, **facts: Any) -> None:
    """Print the output's path and facts as JSON, unless stdout is the output."""
    if as_json and out != STDOUT:
        tables.print_json({"output": out, **facts})


def _latent_file(file: Gen5File, name: str, out: str) -> list[Buffer]:
    tensor, suffix = file.latents[name], Path(out).suffix.lower()
    if suffix in _SAFETENSORS:
        return encode_tensors(raw_tensors(tensor), {})
    if out != STDOUT and suffix != _NPY:
        raise Failure(f"{out}: a latent is written as .npy or .safetensors; use one of these suffixes")
    if len(tensor.parts) > 1:
        raise Failure(
            f"{file.path}: latent {name!r} has several parts, a .npy holds only one; write .safetensors"
        )
    stream = io.BytesIO()
    np.save(stream, tensor.array(), allow_pickle=False)
    return [stream.getbuffer()]


def _workflow(file: Gen5File) -> Any:
    comfyui = file.comfyui or {}
    if comfyui.get("workflow") is not None:
        return comfyui["workflow"]
    if comfyui.get("prompt") is None:
        raise ChunkNotFoundError(
            f"{file.path}: the file has no workflow; it was saved without one, or scrubbed"
        )
    click.echo(
        "gen5core: note: the file has no workflow; writing the prompt graph, which ComfyUI opens too",
        err=True,
    )
    return comfyui["prompt"]


def _image_file(file: Gen5File, index: int, out: str) -> bytes:
    data = without_marker(pick_image(file, index).bytes)
    kind = image_codec.image_info(data, spec.Limits()).format
    suffixes = _SUFFIXES[kind]
    if out != STDOUT and Path(out).suffix.lower() not in suffixes:
        raise Failure(f"{out}: the image is a {kind}; name the file {Path(out).stem}{suffixes[0]}")
    return png_encode.deflate_png(data)

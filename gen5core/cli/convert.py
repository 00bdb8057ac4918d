"""The commands that write a file: extract, import, export, scrub."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from ..container import spec
from ..convert.exporters import GEN5, KINDS, check_other_file, export_file
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
_FORCE = click.option("--force", is_flag=True, help="Replace the output if it is there already.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_OUT = click.option("-o", "--output", "out", metavar="OUT", required=True, help="The file to write.")


@click.command(cls=Command, short_help="Take an image, latent, workflow or the metadata out.")
@_FILE
@click.option("--image", "wants_image", is_flag=True, help="The image, deflated to be small (the default).")
@click.option("--latent", metavar="NAME", help="One latent, as .npy or .safetensors by OUT's suffix.")
@click.option("--workflow", is_flag=True, help="The workflow as JSON that drops onto ComfyUI.")
@click.option("--metadata", is_flag=True, help="All of META as JSON.")
@click.option("--index", metavar="N", type=int, default=0, help="Which image, counted from 0.")
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
    """Take one thing out of FILE; what is taken is checked.

    A bfloat16 or float8 latent becomes float32 or float16 in a .npy, values unchanged; a .safetensors
    keeps its dtype.
    """
    if sum((wants_image, latent is not None, workflow, metadata)) > 1:
        raise click.UsageError("--image, --latent, --workflow and --metadata: choose one")
    if out != STDOUT:
        check_other_file(file, out)
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
    _tell(out, as_json=as_json)


@click.command("import", cls=Command, short_help="Make a GEN5 file of a latent or PNG.")
@click.argument("file", metavar="X.latent|X.safetensors|X.png")
@_OUT
@click.option(
    "--as", "name", metavar="NAME", help="The latent's name; of a .latent, final_latent unless named."
)
@_FORCE
@_JSON
def import_command(file: str, out: str, name: str | None, force: bool, as_json: bool) -> None:
    """Make a .gen5 file of a ComfyUI .latent, a .safetensors or a .png; every value stays as it is.

    A PNG that carries a record becomes the whole .gen5 again.
    A .latent from before latent_format_version_0 is multiplied by 1/0.18215, as ComfyUI's Load Latent does.
    """
    check_target(out, force=force)
    notes = import_file(file, out, name=name, overwrite=force)
    _tell(out, as_json=as_json, notes=_told_notes(file, notes))


@click.command("export", cls=Command, short_help="Write latents or an image for other programs.")
@_FILE
@click.option("--to", "kind", type=click.Choice(KINDS), help="What to write; else by OUT's suffix.")
@_OUT
@click.option("--latent", metavar="NAME", help="One latent; else initial_noise, or the only one.")
@click.option("--index", metavar="N", type=int, default=0, help="Which image, counted from 0.")
@click.option("--carry", is_flag=True, help="Let the PNG carry everything else of FILE too.")
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
    """Write FILE's latents or image for other programs.

    latent: one latent, for ComfyUI's Load Latent. safetensors: every latent, or the one named. png: one
    image, with prompt and workflow in it as ComfyUI writes them; with --carry also all the rest, which every
    command here reads as it reads a .gen5. gen5: the .gen5 of such a PNG.
    """
    chosen = kind or Path(out).suffix.lower().lstrip(".")
    if chosen not in KINDS:
        raise click.UsageError(f"{out} does not say what to write: name it with --to {'|'.join(KINDS)}")
    if latent is not None and (carry or chosen == GEN5):
        raise click.UsageError("--latent names one latent, and all of them are written: leave it out")
    check_other_file(file, out)
    check_target(out, force=force)
    notes = export_file(file, out, chosen, name=latent, index=index, carry=carry, overwrite=force)
    _tell(out, as_json=as_json, notes=_told_notes(file, notes))


@click.command("scrub", cls=Command, short_help="Drop names, paths and workflow before sharing.")
@_FILE
@click.option("-o", "--output", "out", metavar="OUT", help="The file to write.")
@click.option("--dry-run", is_flag=True, help="Say what would be dropped; write nothing.")
@_FORCE
@_JSON
def scrub_command(file: str, out: str | None, dry_run: bool, force: bool, as_json: bool) -> None:
    """Write FILE without what tells of a person or machine, and say what was dropped.

    Dropped: the machine's name, the workflow, the folders of paths, signatures, and what this version does not
    know.
    Kept: latents and pixels bit for bit, settings, prompts, resources, environment.
    """
    if (out is None) == (not dry_run):
        raise click.UsageError("name the file to write with -o, or say --dry-run")
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
    click.echo(f"{plural(len(dropped), 'thing')} {verb}" if dropped else "nothing to drop was found")


TRANSFERS: Final[tuple[click.Command, ...]] = (extract, import_command, export_command, scrub_command)


def _told_notes(file: str, notes: Sequence[str]) -> list[str]:
    for note in notes:
        click.echo(printable(f"gen5core: note: {file} {note}"), err=True)
    return list(notes)


def _tell(out: str, *, as_json: bool, **facts: Any) -> None:
    """Say what was written where stdout is not itself the output."""
    if as_json and out != STDOUT:
        tables.print_json({"output": out, **facts})


def _latent_file(file: Gen5File, name: str, out: str) -> list[Buffer]:
    tensor, suffix = file.latents[name], Path(out).suffix.lower()
    if suffix in _SAFETENSORS:
        return encode_tensors(raw_tensors(tensor), {})
    if out != STDOUT and suffix != _NPY:
        raise Failure(f"{out}: a latent is written as .npy or .safetensors; name the file so")
    if len(tensor.parts) > 1:
        raise Failure(f"{file.path}: latent {name!r} has several parts, a .npy holds one; write .safetensors")
    stream = io.BytesIO()
    np.save(stream, tensor.array(), allow_pickle=False)
    return [stream.getbuffer()]


def _workflow(file: Gen5File) -> Any:
    comfyui = file.comfyui or {}
    if comfyui.get("workflow") is not None:
        return comfyui["workflow"]
    if comfyui.get("prompt") is None:
        raise ChunkNotFoundError(f"{file.path}: no workflow is stored; it was saved without, or scrubbed")
    click.echo(
        "gen5core: note: no workflow is stored; the prompt graph is written, which ComfyUI opens too",
        err=True,
    )
    return comfyui["prompt"]


def _image_file(file: Gen5File, index: int, out: str) -> bytes:
    data = pick_image(file, index).bytes
    kind = image_codec.image_info(data, spec.Limits()).format
    suffixes = _SUFFIXES[kind]
    if out != STDOUT and Path(out).suffix.lower() not in suffixes:
        raise Failure(f"{out}: the image is a {kind}; name the file {Path(out).stem}{suffixes[0]}")
    return png_encode.deflate_png(data)

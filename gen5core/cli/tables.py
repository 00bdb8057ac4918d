"""Results of the commands -> tables on a terminal, plain lines in a pipe.

Every string from a file is escaped by ``text`` and put into a ``Text``, so that terminal escapes and rich
markup in it have no effect.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..carrier.picture import CarrierImage
from ..container import strict_json
from ..container.records import ChunkRow
from ..container.spec import DATA, LATN, SIGN
from ..diff import Comparison, Difference
from ..environment.hardware import Drift
from ..reader.file import Gen5File
from ..tensors.codec import parse_tensor_spec
from .text import format_shape, format_size, plural, printable, printable_value

PIPE_WIDTH: Final = 160
"""Columns if the output is not a terminal; longer values wrap and are not cut."""
MAX_ROWS: Final = 40
"""Maximum rows in a table of differences; `--json` has all."""
MAX_NAMES: Final = 12
"""Maximum names of equal values in one line; above that, only their number is printed."""
_HEADING: Final = "bold"
_NAME: Final = "cyan"
_DIM: Final = "dim"
_GOOD: Final = "green"
_BAD: Final = "bold red"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise, so that the command group handles a closed pipe; rich would exit with 1."""
        raise

    def block(self, table: Table, heading: str = "") -> None:
        """Print an empty line, the heading and a table; in a pipe, strip the spaces at the ends of lines."""
        indented = Padding(table, (0, 0, 0, 2), expand=False) if heading else table
        parts = Group("", *([Text(heading, _HEADING)] if heading else []), indented)
        if self.is_terminal:
            self.print(parts)
            return
        with self.capture() as captured:
            self.print(parts)
        for line in captured.get().splitlines():
            self.out(line.rstrip())


def open_console(*, stderr: bool = False) -> _Console:
    """Return a console that does not interpret markup or emoji codes in what it prints."""
    stream: Any = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else PIPE_WIDTH
    return _Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def print_json(value: Any) -> None:
    """Print value as JSON in printable ASCII."""
    print(json.dumps(strict_json.without_nan(value), indent=2))


def print_info(file: Gen5File) -> None:
    """Print what a file contains, without reading tensors or images."""
    console = open_console()
    console.print(_title(file), soft_wrap=True)
    console.print(Text(f"root {file.root}", _DIM), soft_wrap=True)
    _print_facts(console, "", _summary(file))
    _print_facts(console, "Settings", file.settings)
    _print_latents(console, [row for row in file.rows if row.type == LATN])
    _print_images(console, file)
    _print_facts(console, "Sampling", _sampling(file))
    _print_resources(console, file.resources)
    environment = file.environment
    if environment is not None:
        facts = {part.component_id: _without_name(part.canonical) for part in environment.components}
        further = {name: _without_name(text) for name, text in environment.further.items()}
        _print_facts(console, "Environment", facts | further)
    _print_facts(console, "Machine", _hardware(file.hardware))
    _print_signatures(console, file)
    for trailer in file.trailers:
        if trailer.type != SIGN:
            console.print(Text(f"trailer {printable(trailer.type)}, {format_size(trailer.size_bytes)}", _DIM))
    if file.uncovered_bytes:
        console.print(Text(f"{plural(file.uncovered_bytes, 'byte')} that nothing covers", _BAD))


def print_drifts(drifts: Sequence[Drift], path: str) -> None:
    """Print the differences between the environment of a file and this machine."""
    console = open_console()
    if not drifts:
        console.print(Text(f"{printable(path)}: this machine matches", _GOOD), soft_wrap=True)
        return
    table = _table("", "in the file", "here")
    for drift in drifts:
        table.add_row(_name(drift.component), *map(_side, (drift.stored, drift.current)))
    console.block(table)
    console.print()
    console.print(Text(plural(len(drifts), "difference"), _BAD))


def print_comparison(comparison: Comparison, left: str, right: str) -> None:
    """Print the differences between two files by section, and then what is equal."""
    console = open_console()
    sections = dict.fromkeys(difference.section for difference in comparison.differences)
    for section in sections:
        found = [difference for difference in comparison.differences if difference.section == section]
        table = _table("", printable(left), printable(right), "")
        for difference in found[:MAX_ROWS]:
            table.add_row(
                _name(difference.name),
                _side(difference.left),
                _side(difference.right),
                Text(_distance(difference)),
            )
        console.block(table, section.capitalize())
        if len(found) > MAX_ROWS:
            console.print(Text(f"  … and {len(found) - MAX_ROWS} more; --json has all", _DIM))
    console.print()
    _print_equal(console, comparison)
    if comparison.differences:
        console.print(Text(plural(len(comparison.differences), "difference"), _BAD))
    else:
        console.print(Text("no difference", _GOOD))


def _print_equal(console: _Console, comparison: Comparison) -> None:
    for section in dict.fromkeys(section for section, _ in comparison.equal):
        names = [name for other, name in comparison.equal if other == section]
        text = Text("equal  ", _GOOD).append(f"{section}: ", _DIM)
        listed = ", ".join(names) if len(names) <= MAX_NAMES else plural(len(names), "value")
        console.print(text.append(printable(listed), _DIM))


def _distance(difference: Difference) -> str:
    largest = difference.max_difference
    parts = [f"L∞ {largest:.6g}"] if largest is not None else []
    return ", ".join([*parts, *([printable(difference.detail)] if difference.detail else [])])


def _title(file: Gen5File) -> Text:
    facts = [f"GEN5 {file.version}", "sealed" if file.sealed else "not sealed"]
    facts.append(format_size(file.header.file_size))
    if file.carrier is not None:
        facts.append(f"carried by a PNG of {format_size(file.carrier.png_bytes)}")
    if file.date:
        facts.append(f"saved {printable(file.date[:19].replace('T', ' '))}")
    return Text(printable(file.path), _HEADING).append("  " + " · ".join(facts), _DIM)


def _summary(file: Gen5File) -> dict[str, Any]:
    facts = {
        "prompt": file.prompt,
        "model": " ".join(filter(None, (file.model_name, file.model_version))),
        "tags": ", ".join(file.tags),
    }
    return {name: value for name, value in facts.items() if value}


def _sampling(file: Gen5File) -> dict[str, Any]:
    capture, comfyui = file.capture or {}, file.comfyui or {}
    passes, prompt = capture.get("passes"), comfyui.get("prompt")
    facts = {
        "noise": capture.get("noise_source"),
        "passes": len(passes) if isinstance(passes, list) else None,
        "graph": plural(len(prompt), "node") if isinstance(prompt, dict) else None,
        "workflow": "stored" if comfyui.get("workflow") is not None else None,
        "ComfyUI": comfyui.get("version"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _hardware(hardware: Mapping[str, Any]) -> dict[str, Any]:
    facts = dict(hardware)
    gpus = facts.get("gpu")
    if isinstance(gpus, list):
        facts["gpu"] = "; ".join(_gpu(gpu) for gpu in gpus)
    return {name: value for name, value in facts.items() if value not in ("", None)}


def _gpu(gpu: Any) -> str:
    if not isinstance(gpu, Mapping):
        return printable_value(gpu)
    units = {"memory_gb": "{} GiB", "driver": "driver {}", "cuda_version": "CUDA {}"}
    return ", ".join(units.get(key, "{}").format(printable_value(value)) for key, value in gpu.items())


def _without_name(canonical: str) -> str:
    """Return a canonical string in readable form: ``2.1.0`` for ``name=numpy;version=2.1.0``."""
    _, _, facts = canonical.partition(";")
    key, _, value = facts.partition("=")
    return value if key == "version" and ";" not in value else facts.replace(";", "  ") or canonical


def _print_facts(console: _Console, heading: str, facts: Mapping[str, Any]) -> None:
    if not facts:
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style=_NAME, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(Text(printable(name)), Text(printable_value(value, lines=True)))
    console.block(table, heading)


def _print_latents(console: _Console, rows: Sequence[ChunkRow]) -> None:
    table = _table("name", "dtype", "shape", "size", "stored")
    for row in rows:
        found = parse_tensor_spec(row)
        part = f" part {found.part}" if found.part is not None else ""
        dtype = found.orig_dtype
        if dtype != found.array_dtype:
            dtype += f" as {found.dtype}"
        table.add_row(_name(found.name + part), dtype, format_shape(found.shape), *_sizes(row))
    if rows:
        console.block(table, "Latents")


def _print_images(console: _Console, file: Gen5File) -> None:
    table = _table("image", "format", "pixels", "size", "stored")
    rows = iter([row for row in file.rows if row.type == DATA])
    for index, image in enumerate(file.images):
        extra = image.facts
        facts = [printable_value(extra[key]) if key in extra else "?" for key in ("width", "height")]
        is_png = isinstance(image, CarrierImage)
        sizes = (format_size(image.size_bytes), "the PNG itself") if is_png else _sizes(next(rows))
        table.add_row(str(index), printable_value(extra.get("format", "?")), " × ".join(facts), *sizes)
    if file.images:
        console.block(table, "Images")


def _print_resources(console: _Console, resources: Iterable[Any]) -> None:
    table = _table("kind", "name", "digest")
    for resource in resources:
        if not isinstance(resource, Mapping):
            table.add_row("", Text(printable_value(resource)))
            continue
        digest = [printable_value(resource[key]) for key in ("digest_kind", "digest") if key in resource]
        kind, name = (printable_value(resource.get(key, "")) for key in ("kind", "name"))
        state = f", {printable_value(resource['state'])}" if "state" in resource else ""
        table.add_row(*map(Text, (kind + state, name, " ".join(digest))))
    if table.rows:
        console.block(table, "Resources")


def _print_signatures(console: _Console, file: Gen5File) -> None:
    """Print who signed the root. `info` does not read the chunks, so it never says ``intact``."""
    trust = file.trust()
    if trust.word == "unsigned":
        return
    console.print()
    for line in trust.lines():
        console.print(Text(printable(line), _GOOD if line.endswith(", trusted") else ""), soft_wrap=True)


def _sizes(row: ChunkRow) -> tuple[str, str]:
    size = format_size(row.uncompressed_size)
    return size, f"zstd {format_size(row.compressed_size)}" if row.compressed else "raw"


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style=_DIM)
    for heading in headings:
        table.add_column(Text(heading), overflow="fold")
    return table


def _name(text: str) -> Text:
    return Text(printable(text), _NAME)


def _side(text: str | None) -> Text:
    return Text("—", _DIM) if text is None else Text(printable_value(text))

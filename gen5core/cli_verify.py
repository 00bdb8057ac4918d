"""``verify``: many files, one after the other, with a progress bar on stderr where a person looks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from . import cli_show, reader
from .cli_group import Failure
from .cli_text import plural, shown, shown_size
from .errors import FormatError
from .records import Report

Status = Literal["whole", "damaged", "unreadable"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one file: a report, or why there is none."""

    path: str
    status: Status
    report: Report | None = None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"path": self.path, "status": self.status}
        if self.report is None:
            return {**facts, "error": self.error}
        return {
            **facts,
            "version": str(self.report.version),
            "sealed": self.report.sealed,
            "root": self.report.root,
            "chunk_count": self.report.chunk_count,
            "checked_bytes": self.report.checked_bytes,
            "notes": list(self.report.notes),
        }


def find_files(paths: Iterable[str]) -> list[str]:
    """Return the files that paths stand for, each once: files as named, folders by their .gen5 files.

    Raises
    ------
    Failure
        if a path does not exist, or there is no file at all.
    """
    named = list(paths)
    found: dict[str, None] = {}
    for path in named:
        if not os.path.lexists(path):
            raise Failure(f"{path}: no such file or folder; check the path")
        found |= dict.fromkeys(_walk(path) if os.path.isdir(path) else [path])
    if not found:
        raise Failure(f"{', '.join(named)}: no .gen5 file there; name files, or a folder that has some")
    return list(found)


def _walk(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        yield from (os.path.join(parent, name) for name in sorted(names) if name.lower().endswith(".gen5"))


def check_files(paths: Sequence[str]) -> Iterator[Checked]:
    """Yield what became of each file, in order."""
    console = cli_show.open_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(map(_size_bytes, paths)))
        for count, path in enumerate(paths, 1):
            progress.update(task, description=f"{count}/{len(paths)} {shown(Path(path).name)[:40]}")
            yield _check(path)
            progress.advance(task, _size_bytes(path))


def show_checked(checked: Sequence[Checked], *, complete: bool) -> None:
    """Print one line for each file that is not whole, or has a note, and what was checked in all."""
    console = cli_show.open_console()
    for entry in checked:
        if entry.error is not None:
            console.print(
                Text(entry.status, "bold red").append(f"  {shown(entry.error)}", ""), soft_wrap=True
            )
        for note in entry.report.notes if entry.report else ():
            console.print(
                Text("note", "yellow").append(f"  {shown(f'{entry.path}: {note}')}", ""), soft_wrap=True
            )
    whole = [entry.report for entry in checked if entry.report]
    total = shown_size(sum(report.checked_bytes for report in whole))
    summary = [f"{plural(len(checked), 'file')} checked", f"{len(whole)} whole ({total})"]
    for status in ("damaged", "unreadable"):
        count = sum(entry.status == status for entry in checked)
        summary += [f"{count} {status}"] if count else []
    style = "green" if len(whole) == len(checked) and complete else "bold red"
    console.print(Text(", ".join(summary + ([] if complete else ["interrupted"])), style), soft_wrap=True)


def _check(path: str) -> Checked:
    try:
        with reader.open(path) as file:
            return Checked(path, "whole", report=file.verify())
    except FormatError as error:
        return Checked(path, "damaged", error=str(error))
    except OSError as error:
        return Checked(path, "unreadable", error=f"{path}: {error.strerror or error}")


def _size_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # it is told when its turn comes
        return 0

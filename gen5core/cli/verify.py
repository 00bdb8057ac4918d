"""``verify``: check files one after another, with a progress bar on stderr if that is a terminal."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..carrier.find import is_carrier
from ..errors import FormatError, NotGen5Error
from ..reader import file as reader
from ..reader.report import Report
from ..signatures.keys import PublicKey
from ..signatures.trust import Trust
from . import tables
from .group import Failure
from .text import format_size, plural, printable

Status = Literal["whole", "damaged", "not GEN5", "unreadable", "not signed"]
"""``whole``: intact, see ``Report.verdict``. ``not GEN5``: also a PNG without a record. ``not signed``: intact, but
without a valid signature by every requested key."""
_TRUST_STYLES: Final = {"signed": "yellow", "trusted": "green"}


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The result for one file: a report, or the error instead of one."""

    path: str
    status: Status
    report: Report | None = None
    error: str | None = None
    trust: Trust | None = None

    def as_json(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"path": self.path, "status": self.status}
        if self.error is not None:
            facts["error"] = self.error
        if self.report is None or self.trust is None:
            return facts
        return {
            **facts,
            "version": str(self.report.version),
            "sealed": self.report.sealed,
            "root": self.report.root,
            "chunk_count": self.report.chunk_count,
            "checked_bytes": self.report.checked_bytes,
            "uncovered_bytes": self.report.uncovered_bytes,
            "verdict": self.report.verdict,
            "notes": list(self.report.notes),
            "trust": self.trust.word,
            "signatures": signatures_as_json(self.trust),
        }


def signatures_as_json(trust: Trust) -> list[dict[str, Any]]:
    """Return the signatures of a file for ``--json``; ``name`` is the key's name in the user's own list."""
    return [
        {
            **asdict(signature),
            "trusted": signature.key_id in trust.names,
            "name": trust.names.get(signature.key_id),
        }
        for signature in trust.signatures
    ]


def find_files(paths: Iterable[str]) -> list[str]:
    """Return the files to check, each once: paths that are files, and in folders every .gen5 file and every PNG
    that carries a record, or may have before it was damaged.

    Raises
    ------
    Failure
        if a path does not exist, or there is no file at all.
    """
    requested = list(paths)
    found: dict[str, None] = {}
    for path in requested:
        if not os.path.lexists(path):
            raise Failure(f"{path}: no such file or folder; check the path")
        found |= dict.fromkeys(_walk(path) if os.path.isdir(path) else [path])
    if not found:
        raise Failure(
            f"{', '.join(requested)}: no .gen5 file or PNG with a record found; name files, or a folder that has some"
        )
    return list(found)


def _walk(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        yield from filter(_has_record, (os.path.join(parent, name) for name in sorted(names)))


def _has_record(path: str) -> bool:
    suffix = os.path.splitext(path)[1].lower()
    if suffix != ".png":
        return suffix == ".gen5"
    try:
        return is_carrier(path) or _is_empty(path)
    except FileNotFoundError:  # gone since it was listed, or a link to nothing
        return False
    except OSError:  # it may carry one: reported as unreadable when it is checked
        return True


def _is_empty(path: str) -> bool:
    """Return whether a file has no bytes, so that nothing shows what it was."""
    status = os.stat(path)
    return stat.S_ISREG(status.st_mode) and not status.st_size


def check_files(
    paths: Sequence[str], *, trusted: Sequence[PublicKey], signed_by: Sequence[str] = ()
) -> Iterator[CheckedFile]:
    """Check files one by one and yield the result of each.

    Parameters
    ----------
    trusted : the keys that the user trusts
    signed_by : ids of the keys that must all have signed each file; empty to require no signature
    """
    console = tables.open_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(map(_size_bytes, paths)))
        for count, path in enumerate(paths, 1):
            progress.update(task, description=f"{count}/{len(paths)} {printable(Path(path).name)[:40]}")
            yield _check(path, trusted, signed_by)
            progress.advance(task, _size_bytes(path))


def print_results(checked: Sequence[CheckedFile], *, complete: bool, signed_by: Sequence[str] = ()) -> None:
    """Print one line for each file that is damaged, signed or has notes, and then a summary."""
    console = tables.open_console()
    for entry in checked:
        if entry.error is not None:
            console.print(
                Text(entry.status, "bold red").append(f"  {printable(entry.error)}", ""), soft_wrap=True
            )
        elif entry.report and entry.trust and (line := _verdict_line(entry.path, entry.report, entry.trust)):
            console.print(line, soft_wrap=True)
        for note in entry.report.notes if entry.report else ():
            console.print(
                Text("note", "yellow").append(f"  {printable(f'{entry.path}: {note}')}", ""), soft_wrap=True
            )
    reports = [entry.report for entry in checked if entry.report]
    total = format_size(sum(report.checked_bytes for report in reports))
    uncovered = sum(report.uncovered_bytes > 0 for report in reports)
    summary = [f"{plural(len(checked), 'file')} checked", f"{len(reports) - uncovered} intact ({total})"]
    summary += [f"{uncovered} intact, with bytes that nothing covers"] if uncovered else []
    for status in ("damaged", "not GEN5", "unreadable", "not signed"):
        count = sum(entry.status == status for entry in checked)
        signers = f" by {'that key' if len(signed_by) == 1 else 'each of those keys'}"
        summary += [f"{count} {status}{signers * (status == 'not signed')}"] if count else []
    fine = complete and all(entry.status == "whole" for entry in checked)
    style = "green" if fine else "bold red"
    console.print(Text(", ".join(summary + ([] if complete else ["interrupted"])), style), soft_wrap=True)


def _verdict_line(path: str, report: Report, trust: Trust) -> Text | None:
    """Return the verdict on a file that is signed, or has bytes that nothing covers; None for others."""
    if style := _TRUST_STYLES.get(trust.word):
        verdict = f"  {printable(f'{path}: {report.verdict}, {trust}')}"
        return Text(trust.word, style).append(verdict, "")
    if report.uncovered_bytes:
        return Text("note", "yellow").append(f"  {printable(f'{path}: {report.verdict}')}", "")
    return None


def _check(path: str, trusted: Sequence[PublicKey], signed_by: Sequence[str]) -> CheckedFile:
    try:
        with reader.open(path) as file:
            report, trust = file.verify(), file.trust(trusted)
    except NotGen5Error as error:
        return CheckedFile(path, "not GEN5", error=str(error))
    except FormatError as error:
        return CheckedFile(path, "damaged", error=str(error))
    except OSError as error:
        return CheckedFile(path, "unreadable", error=f"{path}: {error.strerror or error}")
    signers = {signature.key_id for signature in report.signatures if signature.state == "valid"}
    missing = [key_id for key_id in signed_by if key_id not in signers]
    if not missing:
        return CheckedFile(path, "whole", report, trust=trust)
    return CheckedFile(
        path, "not signed", report, f"{path}: {trust}; not signed by {', '.join(missing)}", trust
    )


def _size_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # reported when the file is checked
        return 0

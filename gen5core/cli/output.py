"""Where a command's output goes: a new file, whole or not at all, or stdout for ``-``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..files.atomic import atomic_file, write_all
from .group import Failure, is_closed

STDOUT: Final = "-"
Buffer = bytes | memoryview


def check_target(out: str, *, force: bool) -> Path:
    """Return out as a path that may be written, before any work is done for it.

    Raises
    ------
    Failure
        if something stands there, and force is False or it is no regular file; or if out is ``-``.
    """
    refuse_stdout(out)
    target = Path(out)
    if target.exists() and not target.is_file():
        raise Failure(f"{out}: is not a regular file; name a file to write")
    if os.path.lexists(target) and not force:
        raise Failure(f"{out}: is there already; pass --force to replace it")
    if not target.parent.is_dir():
        raise Failure(f"{target.parent}: no such folder; make it first")
    return target


def refuse_stdout(out: str) -> None:
    """Raise Failure if out is ``-``, where a command writes files only."""
    if out == STDOUT:
        raise Failure("-: this command does not write to stdout; name a file (./- for one of that name)")


def write_output(out: str, buffers: Sequence[Buffer], *, force: bool, is_text: bool = False) -> None:
    """Write buffers to out, or to stdout where out is ``-``.

    Raises
    ------
    Failure
        as ``check_target``, or if stdout is closed, or bytes would go to a terminal.
    OSError
        as the file system gives it.
    """
    if out != STDOUT:
        with atomic_file(check_target(out, force=force), overwrite=force) as fd:
            write_all(fd, buffers)
        return
    if is_closed(sys.stdout):
        raise Failure("stdout is closed; name a file with -o, or let stdout go somewhere")
    if sys.stdout.isatty() and not is_text:
        raise Failure("stdout is a terminal; name a file with -o, or pipe the output")
    stream = sys.stdout.buffer
    for buffer in buffers:
        stream.write(buffer)
    stream.flush()

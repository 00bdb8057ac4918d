"""The output of a command: a new file, written completely or not at all, or stdout for ``-``."""

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
    """Return out as a path that may be written. Called before the work, so that a bad path costs no time.

    Raises
    ------
    Failure
        if out exists and force is False, is not a regular file, has no parent folder, or is ``-``.
    """
    refuse_stdout(out)
    target = Path(out)
    if target.exists() and not target.is_file():
        raise Failure(f"{out}: is not a regular file; choose another output")
    if os.path.lexists(target) and not force:
        raise Failure(f"{out}: already exists; use --force to replace it")
    if not target.parent.is_dir():
        raise Failure(f"{target.parent}: no such folder; create it first")
    return target


def refuse_stdout(out: str) -> None:
    """Raise Failure if out is ``-``, for commands that can only write files."""
    if out == STDOUT:
        raise Failure("-: this command cannot write to stdout; name a file (./- for a file called -)")


def write_output(out: str, buffers: Sequence[Buffer], *, force: bool, is_text: bool = False) -> None:
    """Write buffers to out, or to stdout if out is ``-``.

    Raises
    ------
    Failure
        as ``check_target``, or if stdout is closed, or is a terminal and the output is not text.
    OSError
        from the file system.
    """
    if out != STDOUT:
        with atomic_file(check_target(out, force=force), overwrite=force) as fd:
            write_all(fd, buffers)
        return
    if is_closed(sys.stdout):
        raise Failure("stdout is closed; name a file with -o, or redirect stdout")
    if sys.stdout.isatty() and not is_text:
        raise Failure("stdout is a terminal; name a file with -o, or pipe the output")
    stream = sys.stdout.buffer
    for buffer in buffers:
        stream.write(buffer)
    stream.flush()

"""How a command ends: which exit code, which line on stderr, never a traceback of our own errors."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import click

from ..errors import Gen5Error
from .text import printable

FOUND: Final = 1
"""Damage, drift or a difference."""
ERROR: Final = 2
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""
BROKEN_PIPE: Final = 141
"""128 + SIGPIPE: who read the output has seen enough. Not 1, which means that something was found."""
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Failure(click.ClickException):
    """An error that ends a command with exit code 2."""

    exit_code = ERROR


class Command(click.Command):
    """A command whose help ends with its exit codes."""

    def __init__(self, *args: Any, found: str | None = None, **options: Any) -> None:
        code = f"1 {found}, " if found else ""
        epilog = f"Exit codes: 0 fine, {code}2 an error, told in one line on stderr."
        super().__init__(*args, **{"epilog": epilog, **options})


class Group(click.Group):
    """The commands; every error of theirs becomes one line and an exit code."""

    command_class = Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # while an error of it can still be told
        except (Gen5Error, ImportError, MemoryError) as error:
            # Here, since click would take our TruncatedError, which is an EOFError, for Ctrl-D.
            raise Failure(_message(error)) from error
        except OSError as error:
            if error.filename is None:
                _silence_stdout()
            if error.errno == errno.EPIPE:
                raise click.exceptions.Exit(BROKEN_PIPE) from error
            raise Failure(_os_message(error)) from error

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        options["standalone_mode"] = False
        _open_what_is_closed()
        _escape_what_stdout_lacks()
        try:
            code = super().main(args, *rest, **options)
        except click.ClickException as error:
            code = _report(error)
        except click.Abort:
            print_error("interrupted; nothing that was being written is left behind")
            code = INTERRUPTED
        except SystemExit:  # click's own end where the pipe broke under --help
            code = BROKEN_PIPE
        sys.exit(code if isinstance(code, int) else 0)


def is_closed(stream: Any) -> bool:
    """Return whether a standard stream was closed when the process began, so that what it takes goes nowhere."""
    return getattr(stream, "name", None) == os.devnull


def print_error(message: str) -> None:
    """Print one line on stderr."""
    try:
        click.echo(f"gen5core: error: {printable(message)}", err=True)
    except OSError:  # nobody listens on stderr; the exit code still tells
        return


def _report(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    print_error(f"{error.format_message()}{hint}")
    return ERROR


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory for this; close other programs or take a machine with more"
    if isinstance(error, ImportError):
        return f"{error.name or error} is needed for this and not installed: pip install {error.name or 'it'}"
    return str(error)


def _os_message(error: OSError) -> str:
    name = error.filename2 or error.filename
    named = f"{os.fsdecode(name)}: " if isinstance(name, (str, bytes)) else ""
    if isinstance(error, FileExistsError):
        return f"{named}is there already; pass --force to replace it"
    if isinstance(error, FileNotFoundError):
        return f"{named}no such file or folder; check the path"
    if not named and error.errno in _NO_SPACE:  # every other file that is written is named
        return f"stdout: {error.strerror}; free some space there, or let stdout go elsewhere"
    return f"{named}{error.strerror or error}"


def _open_what_is_closed() -> None:
    """Let a standard stream that is closed, which is None in Python, take what is written and lose it."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _escape_what_stdout_lacks() -> None:
    """Let a character that stdout cannot encode, as in a pipe on Windows, be shown as its escape."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's last flush does not complain.

    Source: the Python documentation of the signal module, "Note on SIGPIPE".
    """
    with suppress(OSError, ValueError):  # a stand-in for stdout has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""Errors and exit codes of the commands: our own errors become one line on stderr, without a traceback."""

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
"""128 + SIGINT, as in shells."""
BROKEN_PIPE: Final = 141
"""128 + SIGPIPE, as in shells: the reader of the output has closed it. Not 1, which means that something was found."""
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Failure(click.ClickException):
    """An error that ends a command with exit code 2."""

    exit_code = ERROR


class Command(click.Command):
    """A command whose help ends with its exit codes, and which refuses an option with a value that is given twice."""

    def __init__(self, *args: Any, found: str | None = None, **options: Any) -> None:
        code = f"1 {found}, " if found else ""
        epilog = f"Exit codes: 0 fine, {code}2 an error, reported in one line on stderr."
        super().__init__(*args, **{"epilog": epilog, **options})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = self.make_parser(ctx).parse_args(args=list(args))[2]
        for option in given:
            if isinstance(option, click.Option) and _takes_one(option) and given.count(option) > 1:
                raise click.UsageError(f"{option.opts[-1]} is given twice, and only one would count", ctx=ctx)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """The group of all commands; turns their errors into one line on stderr and an exit code."""

    command_class = Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # here, where an error in writing can still be reported
        except (Gen5Error, ImportError, MemoryError) as error:
            # Caught here, since click would treat our TruncatedError, an EOFError, as Ctrl-D.
            raise Failure(_message(error)) from error
        except OSError as error:
            if error.filename is None:  # it is stdout's
                _silence_stdout()
            if error.errno == errno.EPIPE:
                raise click.exceptions.Exit(BROKEN_PIPE) from error
            raise Failure(_os_message(error)) from error

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        options["standalone_mode"] = False
        _replace_closed_streams()
        _escape_unencodable_output()
        try:
            code = super().main(args, *rest, **options)
        except click.ClickException as error:
            code = _report(error)
        except click.Abort:
            print_error("interrupted; no incomplete file is left behind")
            code = INTERRUPTED
        except SystemExit:  # click exits by itself if the pipe breaks during --help
            code = BROKEN_PIPE
        sys.exit(code if isinstance(code, int) else 0)


def _takes_one(option: click.Option) -> bool:
    return not (option.multiple or option.is_flag or option.count)


def is_closed(stream: Any) -> bool:
    """Return whether a standard stream was closed when the process started, so that its output is discarded."""
    return getattr(stream, "name", None) == os.devnull


def print_error(message: str) -> None:
    """Print one line on stderr."""
    try:
        click.echo(f"gen5core: error: {printable(message)}", err=True)
    except OSError:  # stderr is closed; the exit code still reports the error
        return


def _report(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    print_error(f"{error.format_message()}{hint}")
    return ERROR


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory for this; close other programs or use a machine with more"
    if isinstance(error, ImportError):
        return f"this needs {error.name or error}, which is not installed: pip install {error.name or 'it'}"
    return str(error)


def _os_message(error: OSError) -> str:
    name = error.filename2 or error.filename
    named = f"{os.fsdecode(name)}: " if isinstance(name, (str, bytes)) else ""
    if isinstance(error, FileExistsError):
        return f"{named}already exists; use --force to replace it"
    if isinstance(error, FileNotFoundError):
        return f"{named}no such file or folder; check the path"
    if not named and error.errno in _NO_SPACE:  # errors of other files have a name
        return f"stdout: {error.strerror}; free some space, or redirect stdout elsewhere"
    return f"{named}{error.strerror or error}"


def _replace_closed_streams() -> None:
    """Replace a closed standard stream, which is None in Python, by one that discards what is written."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _escape_unencodable_output() -> None:
    """Print characters that stdout cannot encode, e.g. in a pipe on Windows, as escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Discard what is still buffered, so that the interpreter's final flush does not fail.

    Source: the Python documentation of the signal module, "Note on SIGPIPE".
    """
    with suppress(OSError, ValueError):  # stdout may have been replaced by an object without a descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

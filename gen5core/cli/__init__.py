"""The command ``gen5core``. ``main()`` itself needs neither click nor rich, and reports if one is missing.

========  ========================================================================
text      values from a file -> text that is safe to print on a terminal
group     exit codes, and errors as one line on stderr
output    the output of a command: a new file, or stdout for ``-``
tables    facts -> tables on a terminal, plain lines in a pipe
verify    the work of ``verify``: finds the files, checks them, prints the results
keys      the commands keygen, sign, trust
convert   the commands extract, import, export, scrub
commands  the commands info, verify, env, diff, and the group of all commands
========  ========================================================================

Exit codes: 0 fine; 1 damage, a difference, a file that is not GEN5 or a missing signature was found; 2 an error; 130
interrupted; 141 the reader of a pipe is gone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : None for the arguments of this process
    """
    try:
        from .commands import cli
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("click", "rich"):
            raise
        print(f"gen5core: error: {missing} is not installed: pip install click rich", file=sys.stderr)
        return ERROR
    try:
        cli.main(None if arguments is None else list(arguments), prog_name="gen5core")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0

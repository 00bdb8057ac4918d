"""The command. ``main()`` runs without click and rich, and says so if they are missing.

========  ==================================================================
text      values of a file -> text that is safe on a terminal
group     how a command ends: exit code, one line on stderr
output    where a command writes: a new file, or stdout for ``-``
tables    facts -> tables on a terminal, plain lines in a pipe
verify    the command verify
keys      keygen, sign, trust
convert   extract, import, export, scrub
commands  info, env, diff, and the group of all commands
========  ==================================================================

Exit codes of every command: 0 fine, 1 damage or a difference was found, 2 an error (one line on stderr).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : None for those of the process
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

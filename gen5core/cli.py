"""The command line's front door: ``main()`` runs without click and rich, and says so where they miss.

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
        from .cli_commands import cli
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

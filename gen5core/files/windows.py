r"""What Windows asks of paths and names: functions of text alone, the same on every system.

A name there may lead to a drive, a share, a device or a stream of another file. Asking the system what it
means is too late: looking at ``\\host\share`` signs this user in at that host.

Source: Microsoft, "Naming Files, Paths, and Namespaces", "Maximum Path Length Limitation".
"""

from __future__ import annotations

import ntpath
import os
import re
from typing import Final

IS_WINDOWS: Final = os.name == "nt"
_UNFIT: Final = re.compile(r'[<>:"|?*\x00-\x1f]')
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9¹²³])", re.IGNORECASE)
_LONG: Final = 248
"""Characters of the longest folder; a file in it may take 12 more."""
_EXTENDED: Final = "\\\\?\\"
_DEVICES: Final = "\\\\.\\"


def check_relative(path: str) -> None:
    """Check that a name leads from a folder to a file in it or beside it.

    Raises
    ------
    ValueError
        if it names a drive, a share or a device, or as ``check_parts``.
    """
    drive, rest = ntpath.splitdrive(path)
    if drive or rest.startswith(("\\", "/")):
        raise ValueError("it starts at a drive or a share; name a file inside the folder")
    check_parts(path)


def check_parts(path: str) -> None:
    """Check that Windows takes every folder and file of a path by its name, the drive aside.

    Raises
    ------
    ValueError
        naming the part, and why Windows refuses it or takes it for another.
    """
    for part in re.split(r"[\\/]", ntpath.splitdrive(path)[1]):
        if part in ("", ".", ".."):
            continue
        if found := _UNFIT.search(part):
            raise ValueError(f"Windows takes no {found[0]!r} in a name, as in {part!r:.80}")
        if part[-1] in ". ":
            raise ValueError(f"Windows takes no name that ends in {part[-1]!r}, as {part!r:.80} does")
        if _DEVICE.fullmatch(part.partition(".")[0].rstrip(" ")):
            raise ValueError(f"Windows keeps {part!r:.80} for a device")


def extended(path: str) -> str:
    r"""Return a path in the form that may be of any length, ``\\?\C:\dir\x``, where Windows needs it; else as it is."""
    if not IS_WINDOWS:
        return path
    full = ntpath.abspath(path)
    if len(full) < _LONG or full.startswith((_EXTENDED, _DEVICES)):
        return path
    return f"{_EXTENDED}UNC{full[1:]}" if full.startswith("\\\\") else f"{_EXTENDED}{full}"

r"""Windows' rules for paths and names, checked by their text alone, so with the same result on every system.

On Windows a name may lead to a drive, a share, a device or a stream of another file. It is checked before the
system sees it, because merely looking up ``\\host\share`` sends this user's credentials to that host.

Source: Microsoft, "Naming Files, Paths, and Namespaces", "Maximum Path Length Limitation".
"""

from __future__ import annotations

import ntpath
import os
import re
from typing import Final

IS_WINDOWS: Final = os.name == "nt"
_INVALID_CHARACTER: Final = re.compile(r'[<>:"|?*\x00-\x1f]')
_DEVICE_NAME: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9¹²³])", re.IGNORECASE)
_MIN_EXTENDED_LENGTH: Final = 248
"""The shortest path that gets the prefix: a folder may have 247 characters, so that an 8.3 name still fits in it."""
_EXTENDED_PREFIX: Final = "\\\\?\\"
_DEVICE_PREFIX: Final = "\\\\.\\"


def check_relative(path: str) -> None:
    """Check that a name is relative and valid on Windows; its ``..`` are not looked at.

    Raises
    ------
    ValueError
        if it starts at a drive or a share, or for the reasons that ``check_parts`` gives.
    """
    drive, rest = ntpath.splitdrive(path)
    if drive or rest.startswith(("\\", "/")):
        raise ValueError("it starts at a drive or a share; name a file inside the folder")
    check_parts(path)


def check_parts(path: str) -> None:
    """Check that every folder and file name in a path is valid on Windows; the drive is not checked.

    Raises
    ------
    ValueError
        naming the part, and why Windows refuses it or reads it as another name.
    """
    for part in re.split(r"[\\/]", ntpath.splitdrive(path)[1]):
        if part in ("", ".", ".."):
            continue
        if found := _INVALID_CHARACTER.search(part):
            raise ValueError(f"Windows does not allow {found[0]!r} in a name, as in {part!r:.80}")
        if part[-1] in ". ":
            raise ValueError(f"Windows does not allow a name that ends in {part[-1]!r}, as {part!r:.80} does")
        if _DEVICE_NAME.fullmatch(part.partition(".")[0].rstrip(" ")):
            raise ValueError(f"Windows reserves {part!r:.80} for a device")


def extended(path: str) -> str:
    r"""Return a path that is too long for Windows in its extended form, ``\\?\C:\dir\x``; any other path unchanged."""
    if not IS_WINDOWS:
        return path
    full = ntpath.abspath(path)
    if len(full) < _MIN_EXTENDED_LENGTH or full.startswith((_EXTENDED_PREFIX, _DEVICE_PREFIX)):
        return path
    return f"{_EXTENDED_PREFIX}UNC{full[1:]}" if full.startswith("\\\\") else f"{_EXTENDED_PREFIX}{full}"

"""A name from Load Gen5's list -> a path inside input/, output/ or temp/."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...gen5core.errors import EncodeError
from ...gen5core.files import windows
from .. import host

_FOLDERS = ("input", "output", "temp")


def resolve_file(annotated: Any) -> Path:
    """Return the path of ``name``, ``name [output]`` or ``name [temp]``, confined to that folder.

    Raises
    ------
    EncodeError
        if the name is not a string or leads out of the folder.
    """
    if not isinstance(annotated, str):
        raise EncodeError(
            f"file is {annotated!r:.80}, not a name: choose a file, or connect an output that gives its name"
        )
    kind, name = "input", annotated
    for known in _FOLDERS:
        if annotated.endswith(f" [{known}]"):
            kind, name = known, annotated.removesuffix(f" [{known}]")
    root = Path(os.path.realpath(host.folder(kind)))
    try:
        if windows.IS_WINDOWS:
            windows.check_relative(name)
        path = Path(os.path.realpath(root / name))
    except ValueError as error:
        raise EncodeError(f"{annotated!r} is not a file name: {error}") from error
    if not path.is_relative_to(root):
        message = f"{annotated!r} leads out of the {kind} folder; choose a file inside it"
        raise EncodeError(message, kind="outside")
    return path

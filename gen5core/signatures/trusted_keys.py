"""The user's list of trusted keys: a text file with one public key per line, like OpenSSH's authorized_keys.

Source: FORMAT.md, "Keys".
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..errors import InvalidKeyError
from ..files import user_folder
from ..files.atomic import atomic_file, write_all
from .key_files import check_unwritable, holds_key, naming_key, read_lines
from .keys import PublicKey, parse_public_key
from .lookalikes import find_lookalike

VARIABLE: Final = "GEN5_TRUSTED_KEYS"
"""Environment variable with the path of a list to use instead of ``trusted_keys`` in the configuration folder."""
NAME: Final = "trusted_keys"


def trusted_keys_path() -> Path | None:
    """Return the path of the list, which may not exist; None if no home folder is known."""
    configured, folder = os.environ.get(VARIABLE), user_folder.key_folder()
    if configured:
        return Path(configured)
    return None if folder is None else folder / NAME


def load_trusted_keys(path: str | os.PathLike[str] | None = None) -> tuple[PublicKey, ...]:
    """Return the keys in a list, each with its comment; empty if there is no list.

    Parameters
    ----------
    path : None for the user's own list, see ``trusted_keys_path``

    Raises
    ------
    InvalidKeyError
        if a line is not a key (the message names it), or other users can write to the list.
    OSError
        from the file system.
    """
    chosen = trusted_keys_path() if path is None else Path(path)
    return tuple(key for _, key in _read_list(chosen) if key is not None)


def add_trusted_key(
    key: PublicKey, path: str | os.PathLike[str] | None = None, *, force: bool = False
) -> Path:
    """Add key to a list, replacing any line that already has it, and return the path of the list.

    Parameters
    ----------
    force : add it even if its comment looks like that of another key in the list

    Raises
    ------
    InvalidKeyError
        as ``load_trusted_keys``, or if its comment looks like that of another key, unless force.
    OSError
        from the file system.
    """
    chosen = _require_path(path)
    entries = _read_list(chosen)
    other = None if force else find_lookalike(key, (listed for _, listed in entries if listed is not None))
    if other is not None:
        raise InvalidKeyError(
            f"the name {key.comment!r} of the key {key.key_id} looks like {other.comment!r}, the name of "
            f"{other.key_id} in your list: compare the ids with their owners, then give it another name with "
            "--comment, or use --force"
        )
    lines = [line for line, found in entries if found != key]
    _write_list(chosen, [*lines, str(key)])
    return chosen


def remove_trusted_key(key_id: str, path: str | os.PathLike[str] | None = None) -> bool:
    """Remove the key with this id from a list and return whether it was there. Raises as ``load_trusted_keys``."""
    chosen = _require_path(path)
    entries = _read_list(chosen)
    lines = [line for line, key in entries if key is None or key.key_id != key_id]
    if len(lines) == len(entries):
        return False
    _write_list(chosen, lines)
    return True


def _read_list(path: Path | None) -> list[tuple[str, PublicKey | None]]:
    """Return each line with its key; the key of an empty line or a comment is None."""
    try:
        lines = [] if path is None else read_lines(path, check_unwritable)
    except FileNotFoundError:
        return []
    return [(line, _parse_line(path, number, line)) for number, line in enumerate(lines, 1)]


def _parse_line(path: Path | None, number: int, line: str) -> PublicKey | None:
    if not holds_key(line):
        return None
    with naming_key(f"{path}, line {number}"):
        return parse_public_key(line)


def _require_path(path: str | os.PathLike[str] | None) -> Path:
    chosen = trusted_keys_path() if path is None else Path(path)
    if chosen is None:
        raise InvalidKeyError(f"no home folder is known: name the list of trusted keys in {VARIABLE}")
    return chosen


def _write_list(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic_file(path) as fd:
        if hasattr(os, "fchmod") and not path.exists():
            os.fchmod(fd, 0o644)  # whatever the umask: others must not be able to write
        write_all(fd, ["".join(f"{line}\n" for line in lines).encode("utf-8")])

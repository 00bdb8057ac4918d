"""Your list of trusted keys: a text file, one public key a line, like OpenSSH's authorized_keys.

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
from .key_files import check_unwritable, naming_key, read_lines
from .keys import PublicKey, parse_public_key

VARIABLE: Final = "GEN5_TRUSTED_KEYS"
"""Names another file than ``trusted_keys`` in the user's configuration folder."""
NAME: Final = "trusted_keys"


def trusted_keys_path() -> Path | None:
    """Return the list's file, which need not exist; None where no home folder is known."""
    named, folder = os.environ.get(VARIABLE), user_folder.key_folder()
    if named:
        return Path(named)
    return None if folder is None else folder / NAME


def load_trusted_keys(path: str | os.PathLike[str] | None = None) -> tuple[PublicKey, ...]:
    """Return the keys of a list, each with the comment that stands in it; none where there is no list.

    Parameters
    ----------
    path : None for your own, see ``trusted_keys_path``

    Raises
    ------
    InvalidKeyError
        naming the line that is no key, or if others can write to the list.
    OSError
        as the file system gives it.
    """
    chosen = trusted_keys_path() if path is None else Path(path)
    return tuple(key for _, key in _read_list(chosen) if key is not None)


def add_trusted_key(key: PublicKey, path: str | os.PathLike[str] | None = None) -> Path:
    """Put key into a list, in place of a line that has it under another comment; return the list's path.

    Raises
    ------
    InvalidKeyError, OSError
        as ``load_trusted_keys``.
    """
    chosen = _require_path(path)
    lines = [line for line, found in _read_list(chosen) if found != key]
    _write_list(chosen, [*lines, str(key)])
    return chosen


def remove_trusted_key(key_id: str, path: str | os.PathLike[str] | None = None) -> bool:
    """Take the key of that id out of a list; return whether it was there. Raises as ``load_trusted_keys``."""
    chosen = _require_path(path)
    entries = _read_list(chosen)
    lines = [line for line, key in entries if key is None or key.key_id != key_id]
    if len(lines) == len(entries):
        return False
    _write_list(chosen, lines)
    return True


def _read_list(path: Path | None) -> list[tuple[str, PublicKey | None]]:
    """Return each line with its key; without one for an empty line or a remark."""
    try:
        lines = [] if path is None else read_lines(path, check_unwritable)
    except FileNotFoundError:
        return []
    return [(line, _parse_line(path, number, line)) for number, line in enumerate(lines, 1)]


def _parse_line(path: Path | None, number: int, line: str) -> PublicKey | None:
    if not line.strip() or line.lstrip().startswith("#"):
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

"""The index of the library: a SQLite file that can be deleted, since it is rebuilt from the files.

A query searches the text of every file, which takes 30 ms for 10 000 files. A full-text index would not find
words of fewer than three letters, and filling one takes longer than reading the files.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from ..stored.folders import Stamp
from .entry import Entry, searchable

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
Key = tuple[str, str]
"""Real path of the root folder, and the file's name as Load Gen5 has it."""
SCHEMA_VERSION = 4
"""Raise it when the tables change, or what is stored in them."""
_TABLES = (
    """CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        root BLOB NOT NULL,
        name TEXT NOT NULL,
        size_bytes INTEGER,
        mtime_ns INTEGER NOT NULL,
        text TEXT,
        item TEXT,
        made_in TEXT,
        digest TEXT NOT NULL,
        UNIQUE (root, name)
    )""",
    "CREATE INDEX newest ON files (mtime_ns DESC, name, root) WHERE item NOT NULL",
    "CREATE TABLE made_in (digest TEXT PRIMARY KEY, document TEXT NOT NULL)",
)
_COLUMNS = "root, name, size_bytes, mtime_ns, text, item, made_in, files.digest"
"""The columns of a file except its id; the digest covers all the others."""
_LOCK_SECONDS = 5.0
"""How long to wait while another ComfyUI writes."""
_UNUSABLE = (sqlite3.Error, TypeError, ValueError, OSError)
"""Errors that a damaged, foreign or unwritable index leads to; values of the wrong type are among them."""
_INTACT = {
    3: "access permission denied",
    5: "database is locked",
    6: "database table is locked",
    8: "attempt to write a readonly database",
    13: "database or disk is full",
    14: "unable to open database file",
}
"""SQLite's codes and messages of errors that say nothing against the index, which a new one would meet too."""
_UNSETTLED = None
"""Stored as the size of a file that must be read again even if its stamp has not changed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A file to store in the index."""

    root: str
    name: str
    stamp: Stamp
    entry: Entry | None
    """None for an ordinary PNG: no page shows it, but its stamp is stored so that it is not opened again."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the index returns it."""

    item: dict[str, Any]
    made_in: str | None
    """An encoded MadeIn."""


class Index:
    """Files by folder and name, newest first. Threads and processes may share one.

    If anything is wrong with the database, it is deleted and created again. If that is not possible, or the
    database is intact but locked or not writable, the index is kept in memory.

    Attributes
    ----------
    generation : int
        increases whenever the previous contents are lost
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._memory: sqlite3.Connection | None = None
        self._is_checked = False
        self.generation = 0

    def close(self) -> None:
        """Forget an index that is kept in memory."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None
                self.generation += 1

    def stamps(self, roots: Collection[str]) -> dict[Key, Stamp | None]:
        """Return every file of these folders, ordinary PNGs too; None for a file that must be read again.

        The first call checks the whole index: a few tenths of a second for 10 000 files.
        """

        def read(database: sqlite3.Connection) -> dict[Key, Stamp | None]:
            if not self._is_checked:
                _check(database)
            command = f"SELECT root, name, size_bytes, mtime_ns FROM files WHERE {_within(roots)}"
            return {
                (os.fsdecode(root), name): None if size_bytes is _UNSETTLED else Stamp(size_bytes, mtime_ns)
                for root, name, size_bytes, mtime_ns in database.execute(command, _encoded(roots))
            }

        found = self._run(read)
        self._is_checked = True
        return found

    def put(self, rows: Sequence[Row]) -> None:
        """Add files, or replace their rows."""
        files = [_values(row) for row in rows]
        documents = {row.entry.made_in for row in rows if row.entry is not None} - {None}
        made_in = [(_digest(document), document) for document in documents]

        def write(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR IGNORE INTO made_in VALUES (?, ?)", made_in)
            database.executemany("INSERT OR REPLACE INTO files VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", files)

        self._run(write)

    def drop(self, keys: Sequence[Key]) -> None:
        """Remove files from the index."""
        if not keys:
            return
        encoded = [(os.fsencode(root), name) for root, name in keys]

        def write(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM files WHERE root = ? AND name = ?", encoded)
            database.execute(
                "DELETE FROM made_in WHERE digest NOT IN (SELECT made_in FROM files WHERE made_in NOT NULL)"
            )

        self._run(write)

    def count(self, roots: Collection[str]) -> int:
        """Return the number of files, ordinary PNGs not included."""
        command = f"SELECT count(*) FROM files WHERE {_is_listed(roots)}"
        found: int = self._run(lambda database: database.execute(command, _encoded(roots)).fetchone()[0])
        return found

    def page(self, roots: Collection[str], query: str, offset: int, limit: int) -> tuple[int, list[Listed]]:
        """Return how many files contain every word of query, and those from offset on, the newest first."""
        words = set(searchable(query).split())

        def read(database: sqlite3.Connection) -> tuple[int, list[Listed]]:
            ids = _matching(database, roots, words)
            return len(ids), [_listed(database, number) for number in ids[offset : offset + limit]]

        return self._run(read)

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run action in a transaction: in a new database if this one is unusable, in memory if that fails too."""
        with self._lock:
            for remedy in (self._recreate, self._move_to_memory):
                try:
                    return self._attempt(action)
                except _UNUSABLE as error:
                    if self._memory is not None:
                        raise
                    cause = error.with_traceback(None)  # its frames would keep the file open
                remedy(cause)
            return self._attempt(action)

    def _attempt(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._memory is not None:
            return _transact(self._memory, action)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_LOCK_SECONDS)) as database:
            self._prepare(database)
            return _transact(database, action)

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Create the tables if they do not exist."""
        if _is_prepared(database):
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            if _is_prepared(database):  # another process was faster
                return
            for command in _TABLES:
                database.execute(command)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.generation += 1

    def _recreate(self, cause: Exception) -> None:
        """Delete the database; if it is intact or cannot be deleted, move to memory."""
        try:
            if _is_intact(cause):
                raise cause
            self._path.unlink()
            for suffix in ("-journal", "-wal", "-shm"):
                self._path.with_name(f"{self._path.name}{suffix}").unlink(missing_ok=True)
        except (OSError, sqlite3.Error):
            self._move_to_memory(cause)
        else:
            if isinstance(cause, _OtherVersionError):
                logger.info("%s %s: the library is indexed again", self._path, cause)
            else:
                logger.warning("%s is unusable (%s): the library is indexed again", self._path, cause)

    def _move_to_memory(self, cause: Exception) -> None:
        logger.warning(
            "the library's index %s cannot be used (%s): it is kept in memory until ComfyUI restarts",
            self._path,
            cause,
        )
        self._memory = sqlite3.connect(":memory:", check_same_thread=False)
        self._prepare(self._memory)


class _OtherVersionError(sqlite3.DatabaseError):
    """The index was made by another version of this package."""


def _is_intact(cause: Exception) -> bool:
    """Return whether an error is one of access or room, which a new index would meet too."""
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # Python 3.10 has only the message
    return isinstance(cause, OSError) or code in _INTACT or str(cause) in _INTACT.values()


def _is_prepared(database: sqlite3.Connection) -> bool:
    """Return whether the tables exist. Raise _OtherVersionError if they have another version."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, SCHEMA_VERSION):
        raise _OtherVersionError(f"is of version {version}, not {SCHEMA_VERSION}")
    return bool(version)


def _check(database: sqlite3.Connection) -> None:
    """Raise DatabaseError if anything differs from what was stored."""
    [[verdict]] = database.execute("PRAGMA integrity_check(1)")
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    for command in (f"SELECT {_COLUMNS} FROM files", "SELECT document, digest FROM made_in"):
        for *values, digest in database.execute(command):
            _compare(digest, *values)


def _compare(digest: str, *values: Any) -> None:
    if _digest(*values) != digest:
        raise sqlite3.DatabaseError("its contents do not match their digest")


def _transact(database: sqlite3.Connection, action: Callable[[sqlite3.Connection], Result]) -> Result:
    with database:
        database.execute("BEGIN")
        return action(database)


def _within(roots: Collection[str]) -> str:
    return f"root IN ({', '.join('?' * len(roots))})"


def _encoded(roots: Collection[str]) -> list[bytes]:
    """Return folders as bytes: a path may not be valid UTF-8, which SQLite's text must be."""
    return [os.fsencode(root) for root in roots]


def _is_listed(roots: Collection[str]) -> str:
    # the plus keeps SQLite from using the index on root: it would then have to sort by time
    return f"+{_within(roots)} AND item NOT NULL"


def _matching(database: sqlite3.Connection, roots: Collection[str], words: Collection[str]) -> list[int]:
    """Return the ids of the files that have every word, the newest first."""
    columns = "id, text" if words else "id, ''"
    command = f"SELECT {columns} FROM files WHERE {_is_listed(roots)} ORDER BY mtime_ns DESC, name"
    rows = database.execute(command, _encoded(roots))
    return [number for number, text in rows if all(word in text for word in words)]


def _listed(database: sqlite3.Connection, number: int) -> Listed:
    command = (
        f"SELECT document, {_COLUMNS} FROM files LEFT JOIN made_in ON made_in = made_in.digest WHERE id = ?"
    )
    document, *values, digest = database.execute(command, (number,)).fetchone()
    _compare(digest, *values)
    *_, item, made_in = values
    if made_in is not None:
        _compare(made_in, document)
    return Listed(json.loads(item), document)


def _digest(*values: Any) -> str:
    return sha256(repr(values).encode()).hexdigest()


def _values(row: Row) -> tuple[Any, ...]:
    """Return the columns of a file except its id."""
    key, entry = (os.fsencode(row.root), row.name), row.entry
    values: tuple[Any, ...] = (*key, *astuple(row.stamp), None, None, None)
    if entry is not None:
        size_bytes = row.stamp.size_bytes if entry.is_settled else _UNSETTLED
        made_in = None if entry.made_in is None else _digest(entry.made_in)
        item = json.dumps(entry.item.as_json())
        values = (*key, size_bytes, row.stamp.mtime_ns, entry.text, item, made_in)
    return *values, _digest(*values)

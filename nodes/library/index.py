"""The index of the library: a SQLite file that can be thrown away, for it is made again from the files.

A query's words are looked for in every file's text: 30 ms for 10 000 files. A full-text index would find
no words of fewer than three letters, and filling one takes longer than reading the files.
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
"""Real path of the folder that a file lies under, and the file's name as Load Gen5 has it."""
SCHEMA_VERSION = 2
"""To be raised when the tables change, or what is put into them."""
_TABLES = (
    """CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        root BLOB NOT NULL,
        name TEXT NOT NULL,
        size_bytes INTEGER,
        mtime_ns INTEGER NOT NULL,
        text TEXT NOT NULL,
        item TEXT NOT NULL,
        made_in TEXT,
        UNIQUE (root, name)
    )""",
    "CREATE INDEX newest ON files (mtime_ns DESC, name, root)",
    "CREATE TABLE made_in (digest TEXT PRIMARY KEY, document TEXT NOT NULL)",
    """CREATE TABLE ordinary (
        root BLOB NOT NULL,
        name TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        PRIMARY KEY (root, name)
    ) WITHOUT ROWID""",
)
_TABLE_NAMES = ("files", "made_in", "ordinary")
_LOCK_SECONDS = 5.0
"""How long to wait for another ComfyUI that writes."""
_UNUSABLE = (sqlite3.DatabaseError, UnicodeDecodeError, OSError)
_DAMAGE_MESSAGES = ("Could not decode", "no such table", "no such column", "malformed")
"""How an OperationalError begins that is none of locks, rights or room."""
_UNSETTLED = None
"""Stands for the size of a file that is to be read again whatever its stamp is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A file to be put into the index."""

    root: str
    name: str
    stamp: Stamp
    entry: Entry | None
    """None for an ordinary PNG, which no page shows: its stamp is kept, so that it is not opened again."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the index gives it back."""

    item: dict[str, Any]
    made_in: str | None
    """A MadeIn, encoded."""


class Index:
    """Files by folder and name, newest first. Threads and processes may share one.

    One that is damaged, or of another schema, is made anew. Where none can be written, it is kept in memory.

    Attributes
    ----------
    generation : int
        grows whenever what was put in before is lost
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._memory: sqlite3.Connection | None = None
        self.generation = 0

    def close(self) -> None:
        """Forget an index that is kept in memory."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None
                self.generation += 1

    def stamps(self, roots: Collection[str]) -> dict[Key, Stamp | None]:
        """Return every file of these folders, ordinary PNGs too; None for one that is to be read again."""
        tables = [
            f"SELECT root, name, size_bytes, mtime_ns FROM {table} WHERE {_within(roots)}"
            for table in ("files", "ordinary")
        ]
        command = " UNION ALL ".join(tables)
        rows = self._run(lambda database: database.execute(command, _encoded(roots) * 2).fetchall())
        return {
            (os.fsdecode(root), name): None if size_bytes is _UNSETTLED else Stamp(size_bytes, mtime_ns)
            for root, name, size_bytes, mtime_ns in rows
        }

    def put(self, rows: Sequence[Row]) -> None:
        """Add files, or replace what is known of them."""
        entries = [(row, row.entry) for row in rows if row.entry is not None]
        documents = {entry.made_in for _, entry in entries if entry.made_in is not None}
        digests = {document: _digest(document) for document in documents}
        files = [_values(row, entry, digests.get(entry.made_in or "")) for row, entry in entries]
        ordinary = [(*_key(row), *astuple(row.stamp)) for row in rows if row.entry is None]

        def write(database: sqlite3.Connection) -> None:
            shared = [(digest, document) for document, digest in digests.items()]
            database.executemany("INSERT OR IGNORE INTO made_in VALUES (?, ?)", shared)
            database.executemany("INSERT OR REPLACE INTO files VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", files)
            database.executemany("INSERT OR REPLACE INTO ordinary VALUES (?, ?, ?, ?)", ordinary)
            # what was a PNG of the other kind
            _delete(database, "ordinary", [values[:2] for values in files])
            _delete(database, "files", [values[:2] for values in ordinary])

        self._run(write)

    def drop(self, keys: Sequence[Key]) -> None:
        """Forget files."""
        if not keys:
            return
        encoded = [(os.fsencode(root), name) for root, name in keys]

        def write(database: sqlite3.Connection) -> None:
            _delete(database, "files", encoded)
            _delete(database, "ordinary", encoded)
            database.execute(
                "DELETE FROM made_in WHERE digest NOT IN (SELECT made_in FROM files WHERE made_in NOT NULL)"
            )

        self._run(write)

    def count(self, roots: Collection[str]) -> int:
        """Return how many files there are."""
        command = f"SELECT count(*) FROM files WHERE {_within(roots)}"
        found: int = self._run(lambda database: database.execute(command, _encoded(roots)).fetchone()[0])
        return found

    def page(self, roots: Collection[str], query: str, offset: int, limit: int) -> tuple[int, list[Listed]]:
        """Return how many files have every word of query, and those from offset on, the newest first."""
        words = set(searchable(query).split())

        def read(database: sqlite3.Connection) -> tuple[int, list[Listed]]:
            ids = _matching(database, roots, words)
            return len(ids), [_listed(database, number) for number in ids[offset : offset + limit]]

        return self._run(read)

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run action in a transaction, in a new database if this one is damaged, in memory if there is none."""
        with self._lock:
            for remedy in (self._make_anew, self._move_to_memory):
                try:
                    return self._attempt(action)
                except _UNUSABLE as error:
                    remedy(error)
            return self._attempt(action)

    def _attempt(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._memory is not None:
            return _transact(self._memory, action)
        with closing(self._connect()) as database:
            return _transact(database, action)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=_LOCK_SECONDS)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Make the tables, unless they are there and of this schema."""
        if _version(database) == SCHEMA_VERSION:
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            if _version(database) == SCHEMA_VERSION:  # another process was faster
                return
            for name in _TABLE_NAMES:
                database.execute(f"DROP TABLE IF EXISTS {name}")
            for command in _TABLES:
                database.execute(command)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.generation += 1

    def _make_anew(self, error: Exception) -> None:
        """Remove a damaged database; one that cannot be written, or removed, is left alone."""
        if not _is_damage(error):
            self._move_to_memory(error)
            return
        logger.warning("%s is damaged (%s): the library is indexed again", self._path, error)
        try:
            for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                path.unlink(missing_ok=True)
        except OSError as refused:
            self._move_to_memory(refused)

    def _move_to_memory(self, error: Exception) -> None:
        if self._memory is not None:
            raise error
        logger.warning(
            "the library's index %s cannot be used (%s): until ComfyUI is started again it is kept in memory",
            self._path,
            error,
        )
        self._memory = sqlite3.connect(":memory:", check_same_thread=False)
        self._prepare(self._memory)


def _is_damage(error: Exception) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return str(error).startswith(_DAMAGE_MESSAGES)
    return isinstance(error, UnicodeDecodeError) or type(error) is sqlite3.DatabaseError


def _version(database: sqlite3.Connection) -> int:
    found: int = database.execute("PRAGMA user_version").fetchone()[0]
    return found


def _transact(database: sqlite3.Connection, action: Callable[[sqlite3.Connection], Result]) -> Result:
    with database:
        database.execute("BEGIN")
        return action(database)


def _within(roots: Collection[str]) -> str:
    return f"root IN ({', '.join('?' * len(roots))})"


def _encoded(roots: Collection[str]) -> list[bytes]:
    """Return folders as SQLite can hold them: not every path is text."""
    return [os.fsencode(root) for root in roots]


def _matching(database: sqlite3.Connection, roots: Collection[str], words: Collection[str]) -> list[int]:
    """Return the ids of the files that have every word, the newest first."""
    columns = "id, CAST(text AS TEXT)" if words else "id, ''"
    # the plus keeps SQLite from going by root, for it would have to sort then
    command = f"SELECT {columns} FROM files WHERE +{_within(roots)} ORDER BY mtime_ns DESC, name"
    with closing(database.execute(command, _encoded(roots))) as rows:  # which keeps a damaged file open
        return [number for number, text in rows if all(word in text for word in words)]


def _listed(database: sqlite3.Connection, number: int) -> Listed:
    command = "SELECT item, document, digest FROM files LEFT JOIN made_in ON digest = made_in WHERE id = ?"
    item, made_in, digest = database.execute(command, (number,)).fetchone()
    if made_in is not None and _digest(made_in) != digest:
        raise sqlite3.DatabaseError("an environment does not match its digest")
    try:
        return Listed(json.loads(item), made_in)
    except (TypeError, ValueError) as error:
        raise sqlite3.DatabaseError(f"a file's facts are not JSON: {error}") from error


def _digest(document: str) -> str:
    return sha256(document.encode()).hexdigest()


def _delete(database: sqlite3.Connection, table: str, keys: Sequence[tuple[Any, ...]]) -> None:
    database.executemany(f"DELETE FROM {table} WHERE root = ? AND name = ?", keys)


def _values(row: Row, entry: Entry, made_in: str | None) -> tuple[Any, ...]:
    """Return the columns of a file, but for its id."""
    size_bytes = row.stamp.size_bytes if entry.is_settled else _UNSETTLED
    item = json.dumps(entry.item.as_json())
    return *_key(row), size_bytes, row.stamp.mtime_ns, entry.text, item, made_in


def _key(row: Row) -> tuple[bytes, str]:
    return os.fsencode(row.root), row.name

"""The index of the library: a SQLite file that can be deleted, since it is rebuilt from the files."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from . import tables
from .entry import searchable
from .seal import SUFFIX, Seal
from .tables import Key, Known, Listed, OtherVersionError, Row

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
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
        self._seal = Seal(path)
        self._lock = threading.Lock()
        self._memory: sqlite3.Connection | None = None
        self._is_checked = False
        self._order: tuple[object, list[int]] = (None, [])
        """The files' ids, the newest first, and what they depend on."""
        self.generation = 0

    def close(self) -> None:
        """Forget an index that is kept in memory."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None
                self.generation += 1

    def seal(self) -> None:
        """Note the index as it is now, so that any later damage is noticed: 0.1 s for 200 000 files."""
        with self._lock:
            if self._memory is None and not self._seal.is_set():
                self._seal.set()

    def stamps(self, roots: Collection[str]) -> Known:
        """Return size and modification time of every file of these folders, ordinary PNGs too.

        The first call checks the whole index.
        """
        found = self._run(partial(tables.stamps, roots=roots), checks=not self._is_checked)
        self._is_checked = True
        return found

    def put(self, rows: Sequence[Row]) -> None:
        """Add files, or replace their rows."""
        self._run(partial(tables.put, rows=rows), writes=True)

    def drop(self, keys: Sequence[Key]) -> None:
        """Remove files from the index."""
        if keys:
            self._run(partial(tables.drop, keys=keys), writes=True)

    def unsettle(self, keys: Sequence[Key]) -> None:
        """Have the next scan read files again, although their stamps have not changed."""
        self._run(partial(tables.unsettle, keys=keys), writes=True)

    def count(self, roots: Collection[str]) -> int:
        """Return the number of files, ordinary PNGs not included."""
        return len(self._run(lambda database: self._newest(database, roots)))

    def page(self, roots: Collection[str], query: str, offset: int, limit: int) -> tuple[int, list[Listed]]:
        """Return how many files contain every word of query, and those from offset on, the newest first."""
        words = set(searchable(query).split())

        def read(database: sqlite3.Connection) -> tuple[int, list[Listed]]:
            ids = self._newest(database, roots)
            if words:
                found = tables.matching(database, words)
                ids = [number for number in ids if number in found]
            return len(ids), [tables.listed(database, number) for number in ids[offset : offset + limit]]

        return self._run(read)

    def _newest(self, database: sqlite3.Connection, roots: Collection[str]) -> list[int]:
        """Return the ids of all files, the newest first; they are read again only after a change."""
        state = (tables.changes(database), tuple(roots))
        if self._order[0] != state:
            self._order = (state, tables.newest(database, roots))
        return self._order[1]

    def _run(
        self, action: Callable[[sqlite3.Connection], Result], *, checks: bool = False, writes: bool = False
    ) -> Result:
        """Run action in a transaction: in a new database if this one is unusable, in memory if that fails too."""
        with self._lock:
            for remedy in (self._recreate, self._move_to_memory):
                try:
                    return self._attempt(action, checks, writes)
                except _UNUSABLE as error:
                    if self._memory is not None:
                        raise
                    cause = error.with_traceback(None)  # its frames would keep the file open
                remedy(cause)
            return self._attempt(action, checks, writes)

    def _attempt(self, action: Callable[[sqlite3.Connection], Result], checks: bool, writes: bool) -> Result:
        if self._memory is not None:
            return _transact(self._memory, action)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        is_whole = self._seal.is_whole() if checks and self._path.exists() else None
        if is_whole is False:
            raise sqlite3.DatabaseError("it is not as it was left")
        if writes or not self._path.exists():
            self._seal.remove()
        with closing(sqlite3.connect(self._path, timeout=_LOCK_SECONDS)) as database:
            self._prepare(database)
            if checks and not is_whole:
                _transact(database, tables.check)
            return _transact(database, action)

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Create the tables if they do not exist."""
        if tables.is_prepared(database):
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            if tables.is_prepared(database):  # another process was faster
                return
            tables.create(database)
        self.generation += 1

    def _recreate(self, cause: Exception) -> None:
        """Delete the database; if it is intact or cannot be deleted, move to memory."""
        try:
            if _is_intact(cause):
                raise cause
            self._path.unlink()
            for suffix in ("-journal", "-wal", "-shm", SUFFIX):
                self._path.with_name(f"{self._path.name}{suffix}").unlink(missing_ok=True)
        except (OSError, sqlite3.Error):
            self._move_to_memory(cause)
        else:
            if isinstance(cause, OtherVersionError):
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


def _is_intact(cause: Exception) -> bool:
    """Return whether an error is one of access or room, which a new index would meet too."""
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # Python 3.10 has only the message
    return isinstance(cause, OSError) or code in _INTACT or str(cause) in _INTACT.values()


def _transact(database: sqlite3.Connection, action: Callable[[sqlite3.Connection], Result]) -> Result:
    with database:
        database.execute("BEGIN")
        return action(database)

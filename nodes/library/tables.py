"""The tables of the index, and what is read from them and written to them inside a transaction.

A word is found by SQLite's full-text index of trigrams, as a part of a longer word too. Words of one or two letters,
which it cannot find, are looked for in the text of every file; so is every word if this SQLite has no such index.
"""

from __future__ import annotations

import functools
import json
import os
import secrets
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..stored.folders import Stamp
from .entry import Entry

Key = tuple[str, str]
"""Real path of the root folder, and the file's name as Load Gen5 has it."""
Known = dict[str, dict[str, tuple[int | None, int]]]
"""By root and name: size and modification time, as ``Stamp`` has them; no size of a file that must be read again."""
SCHEMA_VERSION = 4
"""Raise it when the tables change, or what is stored in them."""
_TABLES = (
    """CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        root BLOB NOT NULL,
        name TEXT NOT NULL,
        size_bytes INTEGER,
        mtime_ns INTEGER NOT NULL,
        made_in BLOB,
        is_listed INTEGER NOT NULL,
        UNIQUE (root, name)
    )""",
    "CREATE INDEX newest ON files (mtime_ns DESC, name, root) WHERE is_listed",
    "CREATE TABLE items (id INTEGER PRIMARY KEY, item TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE made_in (digest BLOB PRIMARY KEY, document TEXT NOT NULL)",
    "CREATE TABLE state (changes INTEGER NOT NULL)",
)
_FULL_TEXT = "CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'trigram case_sensitive 1')"
_PLAIN_TEXT = "CREATE TABLE words (text TEXT NOT NULL)"
"""Its rowid is the id in ``files``, in both forms."""
_TRIGRAM = 3
_MAX_WORDS, _MAX_PHRASE = 32, 64
"""Words and characters of each that the full-text index is asked for; the rest is looked for in what it finds."""
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

    root: str
    item: dict[str, Any]
    made_in: str | None
    """An encoded MadeIn."""


class OtherVersionError(sqlite3.DatabaseError):
    """The index was made by another version of this package."""


def is_prepared(database: sqlite3.Connection) -> bool:
    """Return whether the tables exist. Raise OtherVersionError if they have another version."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, SCHEMA_VERSION):
        raise OtherVersionError(f"is of version {version}, not {SCHEMA_VERSION}")
    return bool(version)


def create(database: sqlite3.Connection) -> None:
    """Create the tables."""
    for command in (*_TABLES, _FULL_TEXT if _has_trigrams() else _PLAIN_TEXT):
        database.execute(command)
    # by chance, so that an index which another process made again is never taken for this one
    database.execute("INSERT INTO state VALUES (?)", (secrets.randbits(62),))
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def check(database: sqlite3.Connection) -> None:
    """Raise DatabaseError if the tables are damaged or do not belong together: seconds for 200 000 files."""
    [[verdict]] = database.execute("PRAGMA integrity_check(1)")
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    if _has_trigrams():
        database.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    sources = ("id FROM files WHERE is_listed", "id FROM items", "rowid FROM words")
    ids, *others = (set(database.execute(f"SELECT {source}")) for source in sources)
    if any(found != ids for found in others):
        raise sqlite3.DatabaseError("not every file has its text")


def changes(database: sqlite3.Connection) -> int:
    """Return a number that is another one after every change of the files."""
    found: int = database.execute("SELECT changes FROM state").fetchone()[0]
    return found


def stamps(database: sqlite3.Connection, roots: Collection[str]) -> Known:
    """Return size and modification time of every file of these folders, ordinary PNGs too."""
    # the plus keeps SQLite from looking up each file by root and name
    command = "SELECT name, size_bytes, mtime_ns FROM files WHERE +root = ?"
    return {
        root: {
            name: (size, mtime_ns) for name, size, mtime_ns in database.execute(command, (os.fsencode(root),))
        }
        for root in roots
    }


def put(database: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add files, or replace them."""
    _delete(database, [(row.root, row.name) for row in rows])
    documents = {row.entry.made_in for row in rows if row.entry is not None}
    made_in = [(_digest(document), document) for document in documents if document is not None]
    database.executemany("INSERT OR IGNORE INTO made_in VALUES (?, ?)", made_in)
    for row in rows:
        root, *_, made_in, _ = values = _values(row)
        number = database.execute("INSERT INTO files VALUES (NULL, ?, ?, ?, ?, ?, ?)", values).lastrowid
        if row.entry is not None:
            item = json.dumps(row.entry.item.as_json())
            checked = (number, item, _checksum(root, item, made_in))
            database.execute("INSERT INTO items VALUES (?, ?, ?)", checked)
            database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, row.entry.text))
    _count_change(database)


def drop(database: sqlite3.Connection, keys: Sequence[Key]) -> None:
    """Remove files, and what only they were made in."""
    _delete(database, keys)
    database.execute(
        "DELETE FROM made_in WHERE digest NOT IN (SELECT made_in FROM files WHERE made_in NOT NULL)"
    )
    _count_change(database)


def unsettle(database: sqlite3.Connection, keys: Sequence[Key]) -> None:
    """Have the next scan read files again."""
    command = "UPDATE files SET size_bytes = NULL WHERE root = ? AND name = ?"
    database.executemany(command, [(os.fsencode(root), name) for root, name in keys])


def key_of(one: Listed) -> Key:
    """Return the key of a file that the index returned."""
    return one.root, one.item["name"]


def newest(database: sqlite3.Connection, roots: Collection[str]) -> list[int]:
    """Return the ids of the files of these folders, ordinary PNGs not included, the newest first."""
    # the plus keeps SQLite from using the index on root: it would then have to sort by time
    command = (
        f"SELECT id FROM files WHERE +root IN ({', '.join('?' * len(roots))}) AND is_listed "
        "ORDER BY mtime_ns DESC, name"
    )
    return [number for (number,) in database.execute(command, [os.fsencode(root) for root in roots])]


def matching(database: sqlite3.Connection, words: Collection[str]) -> set[int]:
    """Return the ids of the files that have every word."""
    longest = sorted((word for word in words if len(word) >= _TRIGRAM), key=len, reverse=True)
    phrases = [word[:_MAX_PHRASE] for word in longest[:_MAX_WORDS]] if _has_trigrams() else []
    others = sorted(set(words).difference(phrases))
    conditions, values = ["instr(text, ?)"] * len(others[:_MAX_WORDS]), others[:_MAX_WORDS]
    if phrases:
        conditions.append("words MATCH ?")
        values.append(" AND ".join('"' + phrase.replace('"', '""') + '"' for phrase in phrases))
    if rest := others[_MAX_WORDS:]:  # SQLite's expressions have a limit
        database.create_function("has_rest", 1, lambda text: all(word in text for word in rest))
        conditions.append("has_rest(text)")
    found = database.execute(f"SELECT rowid FROM words WHERE {' AND '.join(conditions)}", values)
    return {number for (number,) in found}


def listed(database: sqlite3.Connection, number: int) -> Listed:
    """Return a file by its id. Raise sqlite3.Error, TypeError or ValueError if it is damaged."""
    command = (
        "SELECT root, item, made_in, checksum, document FROM files JOIN items USING (id) "
        "LEFT JOIN made_in ON made_in = digest WHERE id = ?"
    )
    *values, checksum, document = database.execute(command, (number,)).fetchone()
    root, item, made_in = values
    is_document = document is None if made_in is None else _digest(document) == made_in
    if _checksum(*values) != checksum or not is_document:
        raise sqlite3.DatabaseError("its contents do not match their checksum")
    return Listed(os.fsdecode(root), json.loads(item), document)


@functools.cache
def _has_trigrams() -> bool:
    """Return whether this SQLite has a full-text index of trigrams: from 3.34 on, unless it was built without."""
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute(_FULL_TEXT)
        except sqlite3.OperationalError:
            return False
        return True


def _delete(database: sqlite3.Connection, keys: Iterable[Key]) -> None:
    encoded = [(os.fsencode(root), name) for root, name in keys]
    which = "FROM files WHERE root = ? AND name = ?"
    for table in ("items", "words"):
        database.executemany(f"DELETE FROM {table} WHERE rowid = (SELECT id {which})", encoded)
    database.executemany(f"DELETE {which}", encoded)


def _count_change(database: sqlite3.Connection) -> None:
    database.execute("UPDATE state SET changes = changes + 1")


def _digest(document: object) -> bytes:
    return sha256(str(document).encode()).digest()[:16]


def _checksum(*values: object) -> int:
    """Return a checksum of values of any type, since damage can change the type too."""
    return zlib.crc32(repr(values).encode())


def _values(row: Row) -> tuple[Any, ...]:
    """Return the columns of a file except its id."""
    entry, size_bytes = row.entry, row.stamp.size_bytes
    is_settled = entry is None or entry.is_settled
    made_in = None if entry is None or entry.made_in is None else _digest(entry.made_in)
    key = (os.fsencode(row.root), row.name)
    return *key, size_bytes if is_settled else _UNSETTLED, row.stamp.mtime_ns, made_in, entry is not None

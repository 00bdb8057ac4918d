"""Digests that identify model files by content: sampled in milliseconds, or full on request.

The sampled digest covers the size, the safetensors header and 256 blocks spread evenly over the file. It
detects different weights, but not a change of a few bytes between the blocks; its name says that it is sampled.

Source: FORMAT.md, "resources"; SHA-256, FIPS 180-4.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Literal

DigestKind = Literal["sampled", "full"]
SAMPLE_BLOCKS = 256
SAMPLE_BLOCK_BYTES = 4096
_DIGEST_NAMES = {"sampled": "sha256-sampled-256x4096", "full": "sha256"}
_MAX_HEADER_BYTES = 100 * 2**20
"""The limit of the safetensors library."""
_READ_BYTES = 8 * 2**20
_LOCK_SECONDS = 5.0
"""How long to wait while another program writes the cache; after that, the cache is not used."""
_Key = tuple[str, int, int, str]
"""Path, size in bytes, modification time in nanoseconds, name of the digest."""
_CACHE_ERRORS = (sqlite3.Error, OSError, UnicodeEncodeError)
"""Errors of a cache, and of a path that SQLite cannot store because it is not UTF-8."""


def digest_name(kind: DigestKind) -> str:
    """Return the name that META uses for a digest of this kind."""
    return _DIGEST_NAMES[kind]


def digest_file(path: Path, kind: DigestKind, progress: Callable[[int], None] = lambda done: None) -> str:
    """Compute the digest (SHA-256, hex) of a file.

    Parameters
    ----------
    progress : called with the number of bytes read so far; for a full digest only

    Raises
    ------
    OSError
        from the file system, unchanged.
    """
    with path.open("rb") as file:
        return _digest_samples(file) if kind == "sampled" else _digest_all(file, progress)


class DigestCache:
    """A cache of digests by path, size and modification time, in a small SQLite file.

    A cache that cannot be used is not an error: the digest is computed each time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def digest(
        self, path: Path, kind: DigestKind, progress: Callable[[int], None] = lambda done: None
    ) -> str:
        """Return the digest of a file; compute it only if the file is new or has changed."""
        key = _key(path, kind)
        found = self._look_up(key)
        if found is None:
            found = digest_file(path, kind, progress)
            self._store(key, found)
        return found

    def cached(self, path: Path, kind: DigestKind) -> str | None:
        """Return the cached digest of a file, None if there is none or the file has changed; never reads the file."""
        return self._look_up(_key(path, kind))

    def _look_up(self, key: _Key) -> str | None:
        try:
            with closing(self._connect()) as database:
                row = database.execute(
                    "SELECT digest FROM digests WHERE path = ? AND size = ? AND mtime = ? AND kind = ?", key
                ).fetchone()
        except _CACHE_ERRORS:
            return None
        return None if row is None else str(row[0])

    def _store(self, key: _Key, digest: str) -> None:
        try:
            with closing(self._connect()) as database, database:
                database.execute("DELETE FROM digests WHERE path = ? AND kind = ?", (key[0], key[3]))
                database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", (*key, digest))
        except _CACHE_ERRORS:
            return

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=_LOCK_SECONDS)
        try:
            database.execute(
                "CREATE TABLE IF NOT EXISTS digests"
                " (path TEXT, size INTEGER, mtime INTEGER, kind TEXT, digest TEXT, PRIMARY KEY (path, kind))"
            )
        except BaseException:
            database.close()
            raise
        return database


def _key(path: Path, kind: DigestKind) -> _Key:
    status = path.stat()
    return os.path.realpath(path), status.st_size, status.st_mtime_ns, digest_name(kind)


def _digest_samples(file: BinaryIO) -> str:
    size = os.fstat(file.fileno()).st_size
    # The prefix keeps these digests apart from others and versions the method.
    digest = hashlib.sha256(b"gen5 sampled 1" + size.to_bytes(8, "little"))
    header = file.read(8)
    header_bytes = int.from_bytes(header, "little")
    if len(header) == 8 and header_bytes <= min(size - 8, _MAX_HEADER_BYTES):
        digest.update(header + file.read(header_bytes))
    last = max(size - SAMPLE_BLOCK_BYTES, 0)
    for offset in sorted({last * block // (SAMPLE_BLOCKS - 1) for block in range(SAMPLE_BLOCKS)}):
        file.seek(offset)
        digest.update(file.read(SAMPLE_BLOCK_BYTES))
    return digest.hexdigest()


def _digest_all(file: BinaryIO, progress: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    while block := file.read(_READ_BYTES):
        digest.update(block)
        done += len(block)
        progress(done)
    return digest.hexdigest()

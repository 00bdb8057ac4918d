"""A case, the intact files to start from, and helpers that change META under a correct seal."""

from __future__ import annotations

from typing import Any, NamedTuple

import forge
from forge import Chunk

NOT_GEN5 = "NotGen5Error"
TRUNCATED = "TruncatedError"
UNSUPPORTED = "UnsupportedVersionError"
MALFORMED = "MalformedChunkError"
CHECKSUM = "ChecksumError"
LIMIT = "LimitError"
SIGNATURE = "SignatureError"

MIB = 2**20
Run = tuple[bytes, int]
"""Bytes, and how often they are repeated."""
NOISE = forge.float32("initial_noise", [0.5, -1.25, 2.0, 0.0], [1, 2, 2])
PACKED = Chunk(
    "LATN", "F16", bytes(64), {"shape": [4, 8], "dtype": "float16", "key": "mask"}, compressed=True
)
IMAGE = Chunk("DATA", "0000", forge.png(2, 2, b"\0\x40\x80\xff"), {"index": 0})
ENVIRONMENT = forge.environment({"python": "name=python;version=3.11.7", "os": "name=os;version=Linux 6.8.0"})
INTACT = forge.build([NOISE, PACKED, IMAGE, ENVIRONMENT])
OLD = forge.build([NOISE], minor=0)


class Case(NamedTuple):
    """One file, the error that a reader must raise, and a regular expression for its message."""

    error: str
    why: str
    message: str
    data: bytes


class Drop:
    """Type of the marker for a key to leave out."""


DROP = Drop()


def edited(value: Any, *path: str | int) -> bytes:
    """Return a file whose META has value at path, or lacks that key if value is DROP."""

    def edit(document: dict[str, Any]) -> None:
        parent: Any = document
        for name in path[:-1]:
            parent = parent[name]
        if value is DROP:
            del parent[path[-1]]
        else:
            parent[path[-1]] = value

    return forge.build([NOISE, ENVIRONMENT], edit=edit)


def meta_of_runs(*parts: Run) -> bytes:
    """Return a stored META whose text is the concatenated runs, compressed to a few bytes per run."""
    size = sum(len(data) * count for data, count in parts)
    return forge.zstd_runs((forge.frame("META", "0000", b"", size=size), 1), *parts)

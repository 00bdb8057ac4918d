"""What is fuzzed of files on their own: open, verify, every array, image and fact.

Half of the changed files get a true seal again, and some a changed META document, so that what lies behind
the seal is reached.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris
import forge
import zstandard

import gen5core
from gen5core import FormatError, Gen5Error, Limits

MOST_BYTES = 2**20
LIMITS = Limits(
    meta_stored_bytes=2**16,
    meta_decoded_bytes=2**18,
    window_bytes=MOST_BYTES,
    inflated_bytes=MOST_BYTES,
    image_pixels=2**16,
)
CORPUS = Path(__file__).resolve().parents[1] / "tests" / "corpus"
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 12, 32, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 10**400, 0.5, 1e308),
    *("", "F16", "F32", "LATN", "DATA", "ENVC", "XYZW", "0" * 64, "\ud800", "\0"),
    *([], {}, [0], [[]], [1, 2, 3, 4], {"a": 1}),
)

_file = os.memfd_create("fuzz.gen5")
PATH = f"/proc/self/fd/{_file}"
_golden = [path.read_bytes() for path in sorted((CORPUS / "valid").glob("*.gen5"))]


def seeds() -> Iterator[bytes]:
    """Yield the files to begin with."""
    for kind in ("invalid", "valid"):
        yield from (path.read_bytes() for path in sorted((CORPUS / kind).glob("*.gen5")))


def put(data: bytes) -> None:
    """Let PATH be a file of these bytes."""
    os.ftruncate(_file, 0)
    os.pwrite(_file, data, 0)


def read_everything(data: bytes) -> str:
    """Read data in every way that there is; return how it ended."""
    put(data)
    ended = "read"
    for verify in (True, False):
        try:
            with gen5core.open(PATH, verify=verify, limits=LIMITS) as file:
                for attempt in _attempts(file, verify):
                    ended = outcome(attempt, ended)
        except Gen5Error as error:
            str(error)
            ended = type(error).__name__
    return ended


def outcome(attempt: Callable[[], Any], ended: str) -> str:
    """Return the name of the error of the format that an attempt ends in; ended if in none."""
    try:
        attempt()
    except FormatError as error:
        str(error)
        return type(error).__name__
    return ended


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return data, or a golden file, changed: its bytes, its header, or META; often sealed again."""
    rng = random.Random(seed)
    return mutate_record(rng.choice(_golden) if rng.random() < 0.4 else data, max_size, rng)


def mutate_record(data: bytes, max_size: int, rng: random.Random) -> bytes:
    """Return a file changed: its bytes, its header, or META; often sealed again."""
    if len(data) >= forge.HEADER_BYTES:
        way = rng.choice((_mutate_bytes, _mutate_bytes, _mutate_document, _mutate_document, _mutate_header))
        changed = way(data, max_size, rng)
    else:
        changed = atheris.Mutate(data, max_size)
    if rng.random() < 0.6:
        changed = forge.reseal(changed)
    return changed[:max_size]


def document_of(data: bytes) -> Any:
    """Return META's document; None of a file without one."""
    try:
        content = zstandard.ZstdDecompressor().decompress(forge.meta_of(data), max_output_size=2**18)
        return json.loads(content[12:])
    except (zstandard.ZstdError, ValueError, RecursionError, MemoryError):
        return None


def with_document(data: bytes, document: Any) -> bytes:
    """Return a file with another document, the size of the file in it true so far as it can be."""
    _claim_size(document, data)
    return forge.with_document(data, document)


def change_value(document: Any, rng: random.Random) -> None:
    """Change or delete one value somewhere in a document."""
    place = document
    while isinstance(place, (dict, list)) and place:
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        if not isinstance(place[key], (dict, list)) or not place[key] or rng.random() < 0.2:
            if rng.random() < 0.15:
                del place[key]
            else:
                place[key] = copy.deepcopy(rng.choice(VALUES))
            return
        place = place[key]


def _attempts(file: gen5core.Gen5File, verify: bool) -> list[Callable[[], Any]]:
    """Return each way to take something out, so that one that fails does not hide the next."""
    parts = [part for latent in file.latents.values() for part in latent.parts]
    checked: list[Callable[[], Any]] = [lambda: file.verify(threads=1)] if verify else []
    return [
        *checked,
        *(part.array for part in parts),
        *(image.array for image in file.images),
        lambda: (file.metadata, str(file.trust(()))),
        lambda: (file.settings, file.hardware, file.prompt, file.model_name, file.model_version, file.tags),
        lambda: (file.comfyui, file.capture, file.resources, file.date, repr(file), list(map(repr, parts))),
        lambda: _drift(file),
    ]


def _drift(file: gen5core.Gen5File) -> None:
    environment = file.environment
    if environment is not None:
        for drift in environment.diff(gen5core.Environment()) + gen5core.Environment().diff(environment):
            str(drift)


def _mutate_bytes(data: bytes, max_size: int, rng: random.Random) -> bytes:
    return atheris.Mutate(data, max_size)


def _mutate_header(data: bytes, max_size: int, rng: random.Random) -> bytes:
    fields = {
        "minor": rng.choice((0, 1, 2, 255)),
        "flags": rng.choice((0, 1, 2, 3, 4)),
        "meta_offset": rng.choice((32, len(data), rng.randrange(2**32))),
        "meta_size": rng.choice((0, len(data), rng.randrange(2**32))),
        "chunk_count": rng.choice((0, 1, 2, rng.randrange(2**32))),
        "file_size": rng.choice((len(data), rng.randrange(2**32))),
        "reserved": 0,
    }
    name = rng.choice(list(fields))
    return forge.with_header(data, **{name: fields[name]})


def _mutate_document(data: bytes, max_size: int, rng: random.Random) -> bytes:
    """Change one to three places of META's JSON, or a byte of a chunk with all of its digests."""
    document = document_of(data)
    if document is None:
        return atheris.Mutate(data, max_size)
    if rng.random() < 0.5:
        data = _changed_chunk(data, document, rng)
    else:
        for _ in range(rng.randint(1, 3)):
            change_value(document, rng)
    return with_document(data, document)


def _changed_chunk(data: bytes, document: Any, rng: random.Random) -> bytes:
    """Change a byte of a chunk and make every digest of it true, so that its decoder is reached."""
    try:
        row = rng.choice(document["gen5_metadata"]["chunks"])
        start, size = row["offset"], row["compressed_size"]
        position = rng.randrange(start, start + size)
        data = forge.flipped(data, position, rng.randrange(1, 256))
        stored = data[start : start + size]
        if row["compressed"]:
            row["extra"]["stored_sha256"] = forge.sha256(stored)
            content = zstandard.ZstdDecompressor().decompress(stored, max_output_size=MOST_BYTES)
        else:
            content = stored
        row["hash"] = forge.sha256(content[12:])
    except (LookupError, TypeError, ValueError, OverflowError, zstandard.ZstdError, MemoryError):
        return data
    return data


def _claim_size(document: Any, data: bytes) -> None:
    """Let file_info tell the size that the file will have, so far as it can."""
    try:
        info = document["gen5_metadata"]["file_info"]
        for _ in range(3):
            info["file_size"] = forge.header_of(data).meta_offset + len(
                forge.stored_meta(forge.dump(document))
            )
    except (LookupError, TypeError, ValueError, RecursionError):
        return

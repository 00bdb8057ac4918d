"""Fuzz target for .gen5 files: open, verify, and read every array, image and fact.

More than half of the mutated files get a correct seal, and some get a mutated META document, to reach the code
behind the check of the seal.
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

MAX_BYTES = 2**20
LIMITS = Limits(
    meta_stored_bytes=2**16,
    meta_decoded_bytes=2**18,
    window_bytes=MAX_BYTES,
    inflated_bytes=MAX_BYTES,
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
    """Yield the seeds."""
    for kind in ("invalid", "valid"):
        yield from (path.read_bytes() for path in sorted((CORPUS / kind).glob("*.gen5")))


def write_input(data: bytes) -> None:
    """Write data to PATH."""
    os.ftruncate(_file, 0)
    os.pwrite(_file, data, 0)


def read_everything(data: bytes) -> str:
    """Read data in every possible way; return the outcome."""
    write_input(data)
    result = "read"
    for verify in (True, False):
        try:
            with gen5core.open(PATH, verify=verify, limits=LIMITS) as file:
                for attempt in _attempts(file, verify):
                    result = outcome(attempt, result)
        except Gen5Error as error:
            str(error)
            result = type(error).__name__
    return result


def outcome(attempt: Callable[[], Any], default: str) -> str:
    """Return the name of the FormatError that attempt raises, or default if it raises none."""
    try:
        attempt()
    except FormatError as error:
        str(error)
        return type(error).__name__
    return default


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return data or a golden file, mutated: its bytes, its header, or META; often with a correct seal."""
    rng = random.Random(seed)
    return mutate_record(rng.choice(_golden) if rng.random() < 0.4 else data, max_size, rng)


def mutate_record(data: bytes, max_size: int, rng: random.Random) -> bytes:
    """Return a mutated file: its bytes, its header, or META; often with a correct seal."""
    if len(data) >= forge.HEADER_BYTES:
        mutate_part = rng.choice(
            (_mutate_bytes, _mutate_bytes, _mutate_document, _mutate_document, _mutate_header)
        )
        changed = mutate_part(data, max_size, rng)
    else:
        changed = atheris.Mutate(data, max_size)
    if rng.random() < 0.6:
        changed = forge.reseal(changed)
    return changed[:max_size]


def document_of(data: bytes) -> Any:
    """Return META's document; None if it cannot be read."""
    try:
        content = zstandard.ZstdDecompressor().decompress(forge.meta_of(data), max_output_size=2**18)
        return json.loads(content[12:])
    except (zstandard.ZstdError, ValueError, RecursionError, MemoryError):
        return None


def with_document(data: bytes, document: Any) -> bytes:
    """Return a file with another document, in which ``file_size`` is correct if possible."""
    _claim_size(document, data)
    return forge.with_document(data, document)


def change_value(document: Any, rng: random.Random) -> None:
    """Change or delete one value somewhere in a document."""
    parent = document
    while isinstance(parent, (dict, list)) and parent:
        key = rng.choice(list(parent)) if isinstance(parent, dict) else rng.randrange(len(parent))
        if not isinstance(parent[key], (dict, list)) or not parent[key] or rng.random() < 0.2:
            if rng.random() < 0.15:
                del parent[key]
            else:
                parent[key] = copy.deepcopy(rng.choice(VALUES))
            return
        parent = parent[key]


def _attempts(file: gen5core.Gen5File, verify: bool) -> list[Callable[[], Any]]:
    """Return the reads one by one, so that one that fails does not prevent the next."""
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
    """Change one to three values in META's JSON, or one byte of a chunk together with its digests."""
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
    """Change a byte of a chunk and correct all its digests, to reach its decoder."""
    try:
        row = rng.choice(document["gen5_metadata"]["chunks"])
        start, size = row["offset"], row["compressed_size"]
        position = rng.randrange(start, start + size)
        data = forge.flipped(data, position, rng.randrange(1, 256))
        stored = data[start : start + size]
        if row["compressed"]:
            row["extra"]["stored_sha256"] = forge.sha256(stored)
            content = zstandard.ZstdDecompressor().decompress(stored, max_output_size=MAX_BYTES)
        else:
            content = stored
        row["hash"] = forge.sha256(content[12:])
    except (LookupError, TypeError, ValueError, OverflowError, zstandard.ZstdError, MemoryError):
        return data
    return data


def _claim_size(document: Any, data: bytes) -> None:
    """Set file_info's ``file_size`` to the size that the file will have, if possible.

    The size of META depends on the digits of ``file_size``, hence the repetition.
    """
    try:
        info = document["gen5_metadata"]["file_info"]
        for _ in range(3):
            info["file_size"] = forge.header_of(data).meta_offset + len(
                forge.stored_meta(forge.dump(document))
            )
    except (LookupError, TypeError, ValueError, RecursionError):
        return

"""Fuzz target for PNGs that carry a record: read them, turn them back into a .gen5, and sign them.

Mutations change the chunks of the PNG, the facts about it in META, or the record itself, whose chunk then gets a
correct CRC. Half of the inputs get correct digests of the PNG, to reach the code that accepts it as the saved one.
Every file written from an accepted input must be intact.
"""

from __future__ import annotations

import io
import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris
import forge
import fuzz_reader
import numpy as np
from PIL import Image
from png_chunks import SIGNATURE, Chunks, joined, split

import gen5core
from gen5core import Gen5Error
from gen5core.rewrite.carry import carry_file, uncarry_file
from gen5core.rewrite.sign import sign_file

NAME = b"gfVE"
_KEY = gen5core.SigningKey.from_seed(bytes(range(32)))
_TYPES = b"IHDR PLTE IDAT IEND tRNS gAMA iCCP tEXt zTXt iTXt acTL fcTL fdAT eXIf comf gfVE teSt".split()
_CONTENTS = (b"", b"\0", bytes(13), b"workflow\0{}", b"prompt\0\0" + zlib.compress(b"{}"), b"\xff" * 40)
_memory = Path("/dev/shm")
_folder = tempfile.TemporaryDirectory(dir=_memory if _memory.is_dir() else None)
_gen5, _png = Path(_folder.name) / "back.gen5", Path(_folder.name) / "signed.png"


def seeds() -> Iterator[bytes]:
    """Yield the seeds: the PNGs of the corpus, and one for each way in which this package writes them."""
    corpus = [path.read_bytes() for path in sorted(fuzz_reader.CORPUS.glob("*valid/*"))]
    yield from (data for data in corpus if data.startswith(SIGNATURE))
    yield from _golden


def read_everything(data: bytes) -> str:
    """Read data as a file and convert it in every way; return the outcome."""
    outcome = fuzz_reader.read_everything(data)
    gen5core.is_carrier(fuzz_reader.PATH)
    for attempt in (_read_carrier, _uncarry, _sign):
        try:
            attempt()
        except Gen5Error as error:
            str(error)
            outcome = type(error).__name__
    return outcome


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return a mutated PNG: its bytes, its chunks, its record, or the facts about it in the record."""
    rng = random.Random(seed)
    if rng.random() < 0.4:
        data = rng.choice(_golden)
    chunks = split(data)
    if not chunks or rng.random() < 0.15:
        return atheris.Mutate(data, max_size)
    for _ in range(rng.randint(1, min(2, len(chunks)))):
        rng.choice((_change_chunks, _change_record, _change_facts, _change_facts))(chunks, max_size, rng)
    if rng.random() < 0.5:
        _claim_digests(chunks)
    return joined(chunks)[:max_size]


def _read_carrier() -> None:
    """Read the facts that only a PNG with a record has."""
    for verify in (True, False):
        with gen5core.open(fuzz_reader.PATH, verify=verify, limits=fuzz_reader.LIMITS) as file:
            if file.carrier is not None:
                repr(file.carrier)
            for image in file.images:
                fuzz_reader.outcome(lambda image=image: (image.facts, image.size_bytes, image.bytes), "")


def _uncarry() -> None:
    """Turn the PNG into a .gen5, which must be intact."""
    uncarry_file(fuzz_reader.PATH, _gen5, overwrite=True, limits=fuzz_reader.LIMITS)
    _check_intact(_gen5)


def _sign() -> None:
    """Sign the PNG, which must then be intact and have a valid signature."""
    with gen5core.open(fuzz_reader.PATH, limits=fuzz_reader.LIMITS) as file:
        if file.carrier is None:
            return
    sign_file(fuzz_reader.PATH, _KEY, _png, overwrite=True, limits=fuzz_reader.LIMITS)
    assert _check_intact(_png) == "trusted"


def _check_intact(path: Path) -> str:
    try:
        with gen5core.open(path) as file:
            file.verify(threads=1)
            return file.trust((_KEY.public_key,)).word
    except Gen5Error as error:
        raise AssertionError(f"the written file is not intact: {error}") from error


def _change_chunks(chunks: Chunks, max_size: int, rng: random.Random) -> None:
    position = rng.randrange(len(chunks))
    kind, content = chunks[position]
    mutations: tuple[Callable[[], Any], ...] = (
        lambda: chunks.insert(position, (rng.choice(_TYPES), rng.choice(_CONTENTS))),
        lambda: chunks.insert(position, rng.choice(chunks)),
        lambda: chunks.pop(position),
        lambda: chunks.append(chunks.pop(position)),
        lambda: chunks.insert(rng.randint(0, len(chunks)), chunks.pop(position)),
        lambda: chunks.__setitem__(position, (rng.choice(_TYPES), content)),
        lambda: chunks.__setitem__(position, (kind, atheris.Mutate(content, max_size))),
    )
    rng.choice(mutations)()


def _change_record(chunks: Chunks, max_size: int, rng: random.Random) -> None:
    _replace_record(chunks, lambda record: fuzz_reader.mutate_record(record, max_size, rng))


def _change_facts(chunks: Chunks, max_size: int, rng: random.Random) -> None:
    """Change one to three of META's facts about the PNG."""

    def change(document: Any) -> None:
        for _ in range(rng.randint(1, 3)):
            facts = document.get("carrier")
            if isinstance(facts, dict) and isinstance(facts.get("original"), dict) and rng.random() < 0.5:
                facts = facts["original"]
            fuzz_reader.change_value(facts, rng)

    _replace_document(chunks, change)


def _claim_digests(chunks: Chunks) -> None:
    """Put the correct digests of the PNG and its pixels into META, if it has facts about them."""
    png = joined([chunk for chunk in chunks if chunk[0] != NAME])

    def claim(document: Any) -> None:
        facts = document.get("carrier")
        if not isinstance(facts, dict):
            return
        facts.update(png_sha256=forge.sha256(png), png_bytes=len(png))
        pixels = _pixels(png)
        if pixels is not None:
            facts.update(
                shape=list(pixels.shape),
                pixels_sha256=forge.sha256(struct.pack("<III", *pixels.shape) + pixels.tobytes()),
            )

    _replace_document(chunks, claim)


def _pixels(png: bytes) -> Any:
    """Return the pixels of a small PNG; None if Pillow cannot decode it."""
    if len(png) < 24 or max(struct.unpack_from(">II", png, 16)) > 64:
        return None
    try:
        with Image.open(io.BytesIO(png)) as image:
            pixels = np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except Exception:  # Pillow may raise anything for mutated bytes
        return None
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _replace_record(chunks: Chunks, change: Callable[[bytes], bytes]) -> None:
    for position, (kind, content) in enumerate(chunks):
        if kind == NAME:
            chunks[position] = (kind, change(content))
            return


def _replace_document(chunks: Chunks, change: Callable[[Any], None]) -> None:
    def replace(record: bytes) -> bytes:
        document = fuzz_reader.document_of(record) if len(record) >= forge.HEADER_BYTES else None
        if not isinstance(document, dict):
            return record
        change(document)
        return fuzz_reader.with_document(record, document)

    _replace_record(chunks, replace)


def _written_pngs() -> Iterator[bytes]:
    """Yield PNGs as this package writes them: from pixels, a PNG, a JPEG, two images, and a .gen5."""
    pixels = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3)
    jpeg = io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG")
    facts: dict[str, Any] = {"environment": None, "hardware": None, "comfyui": {"prompt": {}, "workflow": {}}}
    for images in (pixels, forge.png(2, 2, b"abcd"), jpeg.getvalue(), [pixels, pixels[:, :, :1]]):
        yield gen5core.save(_png, images=images, latents={"a": np.zeros(3, np.float32)}, **facts).read_bytes()
    gen5core.save(_gen5, images=[pixels, pixels], signing_key=_KEY, **facts)
    carry_file(_gen5, _png, index=1, overwrite=True)
    yield _png.read_bytes()


_golden = [forge.carrier(), *_written_pngs()]

"""What is fuzzed of PNGs that carry a record: read as files are, turned back into a .gen5, signed, scrubbed.

Changed are the PNG's chunks and what META says of them, or the record within, whose chunk gets a true CRC. Half of
them get true digests of the PNG, so that what takes it for the saved one is reached. What is written of one that
was read must be whole.
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
    """Yield the PNGs to begin with: the corpus, and one of each way that this package writes them."""
    corpus = [path.read_bytes() for path in sorted(fuzz_reader.CORPUS.glob("*valid/*"))]
    yield from (data for data in corpus if data.startswith(SIGNATURE))
    yield from _golden


def read_everything(data: bytes) -> str:
    """Read data as a file is read, and make of it what can be made; return how it ended."""
    ended = fuzz_reader.read_everything(data)
    gen5core.is_carrier(fuzz_reader.PATH)
    for attempt in (_look, _turn_back, _sign):
        try:
            attempt()
        except Gen5Error as error:
            str(error)
            ended = type(error).__name__
    return ended


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return a PNG changed: its bytes, its chunks, its record, or what the record says of it."""
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


def _look() -> None:
    """Take out what only such a PNG has."""
    for verify in (True, False):
        with gen5core.open(fuzz_reader.PATH, verify=verify, limits=fuzz_reader.LIMITS) as file:
            if file.carrier is not None:
                repr(file.carrier)
            for image in file.images:
                fuzz_reader.outcome(lambda image=image: (image.facts, image.size_bytes, image.bytes), "")


def _turn_back() -> None:
    """Turn it into a .gen5, which must be whole then, whatever it was made of."""
    uncarry_file(fuzz_reader.PATH, _gen5, overwrite=True, limits=fuzz_reader.LIMITS)
    _must_be_whole(_gen5)


def _sign() -> None:
    """Sign it, after which it must be signed and whole."""
    with gen5core.open(fuzz_reader.PATH, limits=fuzz_reader.LIMITS) as file:
        if file.carrier is None:
            return
    sign_file(fuzz_reader.PATH, _KEY, _png, overwrite=True, limits=fuzz_reader.LIMITS)
    assert _must_be_whole(_png) == "trusted"


def _must_be_whole(path: Path) -> str:
    try:
        with gen5core.open(path) as file:
            file.verify(threads=1)
            return file.trust((_KEY.public_key,)).word
    except Gen5Error as error:
        raise AssertionError(f"what was written is not whole: {error}") from error


def _change_chunks(chunks: Chunks, max_size: int, rng: random.Random) -> None:
    place = rng.randrange(len(chunks))
    kind, content = chunks[place]
    ways: tuple[Callable[[], Any], ...] = (
        lambda: chunks.insert(place, (rng.choice(_TYPES), rng.choice(_CONTENTS))),
        lambda: chunks.insert(place, rng.choice(chunks)),
        lambda: chunks.pop(place),
        lambda: chunks.append(chunks.pop(place)),
        lambda: chunks.insert(rng.randint(0, len(chunks)), chunks.pop(place)),
        lambda: chunks.__setitem__(place, (rng.choice(_TYPES), content)),
        lambda: chunks.__setitem__(place, (kind, atheris.Mutate(content, max_size))),
    )
    rng.choice(ways)()


def _change_record(chunks: Chunks, max_size: int, rng: random.Random) -> None:
    _replace_record(chunks, lambda record: fuzz_reader.mutate_record(record, max_size, rng))


def _change_facts(chunks: Chunks, max_size: int, rng: random.Random) -> None:
    """Change one to three values of what META says of the PNG."""

    def change(document: Any) -> None:
        for _ in range(rng.randint(1, 3)):
            facts = document.get("carrier")
            if isinstance(facts, dict) and isinstance(facts.get("original"), dict) and rng.random() < 0.5:
                facts = facts["original"]
            fuzz_reader.change_value(facts, rng)

    _replace_document(chunks, change)


def _claim_digests(chunks: Chunks) -> None:
    """Let META tell the digests of the PNG and its pixels as they are, so far as there are any."""
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
    """Return the pixels of a small PNG; None where Pillow gives none."""
    if len(png) < 24 or max(struct.unpack_from(">II", png, 16)) > 64:
        return None
    try:
        with Image.open(io.BytesIO(png)) as image:
            pixels = np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except Exception:  # whatever Pillow says of bytes that were changed
        return None
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _replace_record(chunks: Chunks, change: Callable[[bytes], bytes]) -> None:
    for place, (kind, content) in enumerate(chunks):
        if kind == NAME:
            chunks[place] = (kind, change(content))
            return


def _replace_document(chunks: Chunks, change: Callable[[Any], None]) -> None:
    def replaced(record: bytes) -> bytes:
        document = fuzz_reader.document_of(record) if len(record) >= forge.HEADER_BYTES else None
        if not isinstance(document, dict):
            return record
        change(document)
        return fuzz_reader.with_document(record, document)

    _replace_record(chunks, replaced)


def _made() -> Iterator[bytes]:
    """Yield PNGs as this package writes them: of pixels, of a PNG, of a JPEG, of two images; one was a .gen5."""
    pixels = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3)
    jpeg = io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG")
    facts: dict[str, Any] = {"environment": None, "hardware": None, "comfyui": {"prompt": {}, "workflow": {}}}
    for images in (pixels, forge.png(2, 2, b"abcd"), jpeg.getvalue(), [pixels, pixels[:, :, :1]]):
        yield gen5core.save(_png, images=images, latents={"a": np.zeros(3, np.float32)}, **facts).read_bytes()
    gen5core.save(_gen5, images=[pixels, pixels], signing_key=_KEY, **facts)
    carry_file(_gen5, _png, index=1, overwrite=True)
    yield _png.read_bytes()


_golden = [forge.carrier(), *_made()]

"""Rows of META's table that are false about a chunk: its digest, or its position."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forge
import pytest
import zstandard

import gen5core
from gen5core import ChecksumError, Gen5File, MalformedChunkError

VALID = Path(__file__).parents[1] / "corpus" / "valid"
FALSE = "5a" * 32
LATENT = forge.Chunk("LATN", "F32", bytes(16), {"shape": [4], "key": "initial_noise"})
IMAGE = forge.Chunk("DATA", "0000", forge.png(2, 2, b"abcd"), {"index": 0})
ENVIRONMENT = forge.environment({"os": "name=os;version=Linux 6.8.0"})
Read = Callable[[Gen5File], Any]
READS: dict[str, tuple[forge.Chunk, Read]] = {
    "latent": (LATENT, lambda file: file.latents["initial_noise"].array()),
    "tensor": (LATENT, lambda file: file.latents["initial_noise"].torch()),
    "all latents": (LATENT, lambda file: file.latents.arrays(threads=1)),
    "image bytes": (IMAGE, lambda file: file.images[0].bytes),
    "image pixels": (IMAGE, lambda file: file.images[0].array()),
    "environment": (ENVIRONMENT, lambda file: file.environment),
}
CHUNKS = {"latent": LATENT, "image": IMAGE, "environment": ENVIRONMENT}


def written(folder: Path, data: bytes) -> Path:
    path = folder / "a.gen5"
    path.write_bytes(data)
    return path


def changed(chunk: forge.Chunk, *, compressed: bool, **row: Any) -> forge.Chunk:
    """Return a chunk whose row has false values."""
    return forge.Chunk(chunk.type, chunk.flags, chunk.payload, chunk.extra, compressed, row=row)


# The digest of the payload, the only digest in files of version 1.0


@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "zstd"])
@pytest.mark.parametrize(("chunk", "read"), READS.values(), ids=READS)
def test_false_payload_digest(tmp_path: Path, chunk: forge.Chunk, read: Read, compressed: bool) -> None:
    """A payload whose digest is not the table's is never returned, compressed or not."""
    true = changed(chunk, compressed=compressed)
    with gen5core.open(written(tmp_path, forge.build([true], minor=0))) as file:
        assert read(file) is not None
    false = changed(chunk, compressed=compressed, hash=FALSE)
    with gen5core.open(written(tmp_path, forge.build([false], minor=0))) as file:
        with pytest.raises(ChecksumError, match=rf"chunk 0 \({chunk.type}.*payload.*{FALSE}"):
            read(file)
        with pytest.raises(ChecksumError, match=rf"chunk 0 \({chunk.type}.*payload.*{FALSE}"):
            file.verify(threads=1)


def test_false_digest_of_one_chunk_leaves_the_others(tmp_path: Path) -> None:
    """A latent with a false digest does not keep an image from being read."""
    chunks = [changed(LATENT, compressed=True, hash=FALSE), changed(IMAGE, compressed=True)]
    with gen5core.open(written(tmp_path, forge.build(chunks, minor=0))) as file:
        assert file.images[0].bytes == IMAGE.payload


@pytest.mark.parametrize("name", ["zstd_float16", "zstd_float32", "raw_float32", "two_latents"])
def test_false_payload_digest_in_a_file_of_gen5_0_1_0(tmp_path: Path, name: str) -> None:
    """The first row's hash is changed in a file that gen5 0.1.0 wrote: its array is refused."""
    data = (VALID / f"gen5-0.1.0_{name}.gen5").read_bytes()
    content = zstandard.ZstdDecompressor().decompress(forge.meta_of(data), max_output_size=2**20)
    document = json.loads(content[12:])
    document["gen5_metadata"]["chunks"][0]["hash"] = FALSE
    with gen5core.open(written(tmp_path, forge.with_document(data, document))) as file:
        _, *others = file.latents.values()
        with pytest.raises(ChecksumError, match=rf"chunk 0 \(LATN.*payload.*{FALSE}"):
            next(iter(file.latents.values())).array()
        assert [latent.array().size > 0 for latent in others] == [True] * len(others)


# The position of a chunk; files of version 1.0 may have gaps, so only its own extent shows that it is false


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("more", [1, 40])
@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "zstd"])
@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
def test_row_that_ends_inside_meta(
    tmp_path: Path, chunk: forge.Chunk, compressed: bool, more: int, minor: int
) -> None:
    """A chunk that extends into META by one byte or more is refused before any of it is read."""
    size = len(changed(chunk, compressed=compressed).stored_bytes())
    row = {"compressed_size": size + more}
    if not compressed:
        row["uncompressed_size"] = len(chunk.payload) + more
    data = forge.build([changed(chunk, compressed=compressed, **row)], minor=minor)
    meta = forge.header_of(data).meta_offset
    message = rf"META at offset {meta}: .*chunks\[0\]\.compressed_size is {size + more},"
    with pytest.raises(MalformedChunkError, match=message):
        gen5core.open(written(tmp_path, data))


@pytest.mark.parametrize("place", ["header", "the last byte before META", "META", "after the file"])
def test_row_with_a_false_offset(tmp_path: Path, place: str) -> None:
    """A row of version 1.0 that starts in the header, just before META, in META or after it is refused."""
    meta = forge.header_of(forge.build([LATENT], minor=0)).meta_offset
    offsets = {
        "header": 31,
        "the last byte before META": meta - 1,
        "META": meta,
        "after the file": 2**32 - 1,
    }
    offset = offsets[place]
    data = forge.build([changed(LATENT, compressed=False, offset=offset)], minor=0)
    named = rf"(offset is {offset}|compressed_size is 28),"
    with pytest.raises(MalformedChunkError, match=rf"META at offset {meta}: .*chunks\[0\]\.{named}"):
        gen5core.open(written(tmp_path, data))


def test_row_within_another(tmp_path: Path) -> None:
    """Two rows of version 1.0 for the same bytes, or one inside the other, are refused."""
    size = len(LATENT.stored_bytes())
    for offset in (32, 33, 32 + size - 1):
        second = changed(IMAGE, compressed=False, offset=offset)
        data = forge.build([LATENT, second], minor=0)
        with pytest.raises(MalformedChunkError, match=r"chunk 1 .*overlaps .*\d+"):
            gen5core.open(written(tmp_path, data))


def test_rows_up_to_meta(tmp_path: Path) -> None:
    """A chunk may include the last byte before META."""
    with gen5core.open(written(tmp_path, forge.build([IMAGE, LATENT], minor=0))) as file:
        assert file.latents["initial_noise"].array().tobytes() == LATENT.payload

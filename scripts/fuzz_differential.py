"""Fuzz target for all readers at once: this package, the reader in Node, and the browser's.

Mutations change META's text, chunks, trailers, the header, or the PNG around them, and then make every size, digest,
CRC, seal and signature true again, so that what is tried is what the readers make of the content. They must accept and
refuse the same files, and read the same from one that they accept.

- This package accepts a file that it opens and verifies, and whose latents it reads. What it refuses only for its
  pixels, Node may accept: that reader decodes none.
- The browser only finds the record, the header and META; the server does the rest. It must find the record where this
  package finds it, and must not refuse what this package accepts.

Usage: fuzz_differential.py [-runs=N] [-seed=N]; needs no coverage, so also without atheris. `make fuzz` runs it with.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import re
import struct
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts")]

import forge  # noqa: E402
import fuzz_texts  # noqa: E402
import second_reader  # noqa: E402
import zstandard  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402
from png_chunks import SIGNATURE, Chunks, joined, split  # noqa: E402

from gen5core import FormatError  # noqa: E402
from gen5core import open as open_gen5  # noqa: E402
from gen5core.carrier.find import CarrierSource, open_source  # noqa: E402
from gen5core.reader.partial import open_parts  # noqa: E402

CORPUS = ROOT / "tests" / "corpus"
_DIGESTED = re.compile(rb'("cononical_str":)("[ !#-\[\]-~]*")(,"component_sha256_digest":")[0-9a-f]{64}(?=")')
HEADROOM_BYTES = 2**32
"""The readers are compared with the limits of FORMAT.md, which allow a chunk of 1 GiB."""
REPORT_EVERY = 10_000
_CARRIER = b"gfVE"
_KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(3)]
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_WEAK = (0, 1, 2**255 - 20, _ORDER_8, 2**255 - 19 - _ORDER_8, 2**255 - 19, 2**255 - 18)
"""Coordinates of points of small order, and two that are no canonical coordinate."""
_PNG_TYPES = b"IHDR PLTE IDAT IEND tRNS gAMA tEXt acTL fcTL fdAT eXIf gfVE teSt te5t".split()
_PIXEL_CODE = re.compile(r"images[/\\]codec\.py|in _check_pixels")
_file = os.memfd_create("fuzz.gen5")
PATH = f"/proc/self/fd/{_file}"


class Disagreement(AssertionError):
    """Two readers differ about a file."""


class Node:
    """The readers in JavaScript, in one process."""

    def __init__(self) -> None:
        server = ROOT / "scripts" / "read_gen5" / "serve.mjs"
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(["node", str(server)], stdin=pipe, stdout=pipe)

    def ask(self, data: bytes) -> dict[str, Any]:
        """Return what they make of a file."""
        source, target = self._process.stdout, self._process.stdin
        assert source is not None
        assert target is not None
        target.write(struct.pack("<I", len(data)) + data)
        target.flush()
        answer: dict[str, Any] = json.loads(source.readline())
        return answer


_node: Node | None = None


def seeds() -> Iterator[bytes]:
    """Start the readers in JavaScript, and yield the seeds: the corpus, and files with everything that META can hold.

    They start here since the fuzzer bounds the memory of an execution, and Node would inherit the bound.
    """
    global _node
    if reason := second_reader.why_not():
        raise SystemExit(f"NOT FUZZED: the readers in JavaScript cannot run, since {reason}")
    _node = _node or Node()
    for kind in ("valid", "invalid"):
        for path in sorted((CORPUS / kind).iterdir()):
            if path.suffix in (".gen5", ".png") and path.stat().st_size < 2**14:
                yield path.read_bytes()
    yield from _golden


def read_everything(data: bytes) -> str:
    """Ask every reader about a file and return the outcome.

    Raises
    ------
    Disagreement
    """
    assert _node is not None, "seeds() starts the readers in JavaScript"
    os.ftruncate(_file, 0)
    os.pwrite(_file, data, 0)
    answer = _node.ask(data)
    for found in (answer, answer["web"]):
        if "crash" in found:
            raise Disagreement(f"a reader in JavaScript crashed: {found['crash']}")
    refusal = _refusal()
    if (refusal is None) != (answer["error"] is None) and not _is_about_pixels(refusal):
        raise Disagreement(f"Python: {refusal or 'accepted'}; Node: {answer['error'] or 'accepted'}")
    _compare_web(answer["web"], refusal)
    if refusal is None:
        _compare_content(answer["content"])
    return "accepted" if refusal is None else type(refusal).__name__


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return a file with one to three changes, and every digest of it true again."""
    rng = random.Random(seed)
    if rng.random() < 0.7 or len(data) < forge.HEADER_BYTES:
        data = rng.choice(_golden)
    if not data.startswith(SIGNATURE):
        return _mutate_record(data, rng)[:max_size]
    chunks = split(data)
    if rng.random() < 0.3:
        _change_chunks(chunks, rng)
    else:
        _replace_record(chunks, lambda record: _mutate_record(record, rng))
    if rng.random() < 0.7:
        _claim_picture(chunks)
    png = joined(chunks)
    return (png + rng.randbytes(3) if rng.random() < 0.05 else png)[:max_size]


def _refusal() -> FormatError | None:
    """Return the error for which this package refuses the file or a latent in it; None if it accepts all."""
    try:
        with open_gen5(PATH) as file:
            file.verify(threads=1)
            _ = [part.array() for latent in file.latents.values() for part in latent.parts]
    except FormatError as error:
        return error
    return None


def _is_about_pixels(error: FormatError | None) -> bool:
    return error is not None and bool(_PIXEL_CODE.search("".join(traceback.format_exception(error))))


def _compare_web(web: dict[str, Any], refusal: FormatError | None) -> None:
    """Compare the place of the record in a PNG, and what the browser would send of a file that is accepted."""
    try:
        with_record = open_source(PATH)
    except FormatError as error:
        if web.get("start") is not None:
            raise Disagreement(
                f"Python finds no record: {error}; the browser one at {web['start']}"
            ) from error
        return
    try:
        if isinstance(with_record, CarrierSource):
            span = with_record.location.span
            found, expected = (web.get("start"), web.get("size")), (span.data_offset, span.size_bytes)
            if found != expected and (found != (None, None) or refusal is None):
                raise Disagreement(f"the record is at {expected}, the browser finds {found}: {web}")
    finally:
        with_record.close()
    if refusal is not None:
        return
    if "error" in web:
        raise Disagreement(f"Python accepts it; the browser: {web['error']}")
    with open_parts(base64.b64decode(web["sent"])) as sent, open_gen5(PATH) as file:
        if (sent.root, sent.comfyui) != (file.root, file.comfyui):
            raise Disagreement("the browser sends another META")


def _compare_content(content: dict[str, Any]) -> None:
    expected = second_reader.facts(Path(PATH))
    found = second_reader.as_facts(content)
    different = [name for name in expected if expected[name] != found[name]]
    if different:
        raise Disagreement(
            "; ".join(f"{name}: {expected[name]!r:.300} is {found[name]!r:.300}" for name in different)
        )


def _mutate_record(data: bytes, rng: random.Random) -> bytes:
    try:
        return _mutate_parts(data, rng)
    except struct.error:  # its header has no room for the true sizes
        return data


def _mutate_parts(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2))):
        if len(data) < forge.HEADER_BYTES:
            return data
        change = rng.choice(
            (_change_text, _change_text, _change_text, _change_chunk, _change_trailer, _change_frame)
        )
        data = change(data, rng)
    if rng.random() < 0.1:
        data = _change_header(data, rng)
    return forge.reseal(data)


def _change_text(data: bytes, rng: random.Random) -> bytes:
    text = text_of(data)
    return data if text is None else with_text(data, fuzz_texts.mutate_text(text, rng))


def _change_header(data: bytes, rng: random.Random) -> bytes:
    header = forge.header_of(data)
    name = rng.choice(("minor", "flags", "meta_offset", "meta_size", "chunk_count", "file_size", "major"))
    value = rng.choice((0, 1, 2, 3, 9, getattr(header, name) + rng.choice((-1, 1, 12))))
    limit = {"minor": 256, "major": 256, "flags": 2**16}.get(name, 2**32)
    return forge.with_header(data, **{name: value % limit})


def _change_chunk(data: bytes, rng: random.Random) -> bytes:
    """Change stored bytes of a chunk, and every digest of it in META."""
    text = text_of(data)
    try:
        document = json.loads(text or b"")
        row = rng.choice(document["gen5_metadata"]["chunks"])
        start, end = row["offset"], row["offset"] + row["compressed_size"]
        stored = bytearray(data[start:end])
        for _ in range(rng.choice((1, 1, 2, 5))):
            stored[rng.randrange(min(len(stored), rng.choice((20, 2**16))))] = rng.randrange(256)
        if row["type"] == "ENVC" and not row["compressed"] and rng.random() < 0.8:
            stored = _changed_environment(data[start:end], rng)
        data = data[:start] + bytes(stored) + data[end:]
        content = bytes(stored)
        if row["compressed"]:
            row["extra"]["stored_sha256"] = forge.sha256(content)
            content = zstandard.ZstdDecompressor().decompress(content, max_output_size=2**20)
        row["hash"] = forge.sha256(content[12:])
    except (LookupError, TypeError, ValueError, zstandard.ZstdError, RecursionError, MemoryError):
        return data
    return with_text(data, forge.dump(document))


def _changed_environment(stored: bytes, rng: random.Random) -> bytearray:
    """Return an ENVC chunk of the same size with other JSON, in which most digests are true."""
    text = fuzz_texts.mutate_text(stored[12:].rstrip(b" "), rng)
    if rng.random() < 0.7:
        text = _DIGESTED.sub(_digested, text)
    room = len(stored) - 12
    return bytearray(stored[:12] + text.ljust(room) if len(text) <= room else stored)


def _digested(match: re.Match[bytes]) -> bytes:
    """Return a component with the digest of its string."""
    start, string, middle = match.groups()
    return b"%s%s%s%s" % (start, string, middle, forge.sha256(json.loads(string).encode()).encode())


def _change_trailer(data: bytes, rng: random.Random) -> bytes:
    """Sign again, change the envelope's text, or add and reorder trailers."""
    header = forge.header_of(data)
    end = header.meta_offset + header.meta_size
    root = forge.sha256(data[header.meta_offset : end])
    envelope = _envelope(bytes.fromhex(root), rng)
    if rng.random() < 0.5:
        envelope = fuzz_texts.mutate_text(envelope, rng)
    note = forge.frame(rng.choice(("NOTE", "\xff\0AB", "META")), "0000", rng.randbytes(rng.randrange(5)))
    signed = forge.frame("SIGN", rng.choice(("0000", "0000", "0000", "\0\0\0\0")), envelope)
    frames = rng.choice(
        ([signed], [signed, note], [note], [note, signed], [], [signed, signed], [note[:-1]], [note] * 3)
    )
    trailer = b"".join(frames)
    flags = header.flags & ~2 | (2 if trailer else 0)
    return forge.with_header(data[:end] + trailer, flags=flags, file_size=end + len(trailer))


def _envelope(root: bytes, rng: random.Random) -> bytes:
    message = b"DSSEv1 28 application/vnd.gen5.root.v1 32 " + root
    entries = []
    for key in rng.sample(_KEYS, rng.choice((1, 1, 2, 3, 0))):
        public = key.public_key().public_bytes_raw()
        entries.append((f"gen5-ed25519 {base64.b64encode(public).decode()}", key.sign(message)))
    if rng.random() < 0.1:
        coordinate = rng.choice(_WEAK) | rng.choice((0, 2**255))
        public = coordinate.to_bytes(32, "little")
        signature = (1).to_bytes(32, "little") + bytes(32)
        entries.append((f"gen5-ed25519 {base64.b64encode(public).decode()}", signature))
    if rng.random() < 0.9:
        entries.sort()
    signatures = [{"keyid": keyid, "sig": base64.b64encode(sig).decode()} for keyid, sig in entries]
    payload = base64.b64encode(root).decode()
    return forge.dump(
        {"payload": payload, "payloadType": "application/vnd.gen5.root.v1", "signatures": signatures}
    )


def _change_frame(data: bytes, rng: random.Random) -> bytes:
    """Store META in another zstd frame, or with another frame header around its text."""
    text = text_of(data)
    if text is None:
        return data
    content = forge.frame(
        rng.choice(("META", "META", "Meta")), rng.choice(("0000", "0000", "\0\0\0\0")), text
    )
    choice = rng.randrange(6)
    if choice == 0:
        meta = forge.zstd_frame(content, has_size=False)
    elif choice == 1:
        meta = forge.zstd_frame(content, declared=len(content) + rng.choice((-1, 1)))
    elif choice == 2:
        meta = forge.zstd_frame(content) + rng.choice(
            (b"\0", b"\x50\x2a\x4d\x18\0\0\0\0", forge.zstd_frame(b""))
        )
    elif choice == 3:
        meta = zstandard.ZstdCompressor(level=rng.choice((1, 3, 19)), write_checksum=True).compress(content)
    elif choice == 4:
        meta = b"\x50\x2a\x4d\x18\0\0\0\0" + forge.zstd_frame(content)
    else:
        frame = bytearray(forge.zstd_frame(content))
        frame[rng.randrange(min(40, len(frame)))] = rng.randrange(256)
        meta = bytes(frame)
    return forge.with_meta(data, meta)


def text_of(data: bytes) -> bytes | None:
    """Return META's text; None if it cannot be read."""
    try:
        meta = forge.meta_of(data)
        return zstandard.ZstdDecompressor().decompress(meta, max_output_size=2**20)[12:]
    except (zstandard.ZstdError, struct.error, MemoryError):
        return None


def with_text(data: bytes, text: bytes) -> bytes:
    """Return a file with another text of META, in which ``file_size`` is the true one if it can be."""
    for _ in range(4):
        changed = forge.with_meta(data, forge.stored_meta(text))
        header = forge.header_of(changed)
        size = b'"file_size":%d' % (header.meta_offset + header.meta_size)
        claimed = re.sub(rb'"file_size":\d+', size, text, count=1)
        if claimed == text:
            return changed
        text = claimed
    return changed


def _change_chunks(chunks: Chunks, rng: random.Random) -> None:
    position = rng.randrange(len(chunks))
    content = chunks[position][1]
    changes: tuple[Callable[[], Any], ...] = (
        lambda: chunks.insert(position, (rng.choice(_PNG_TYPES), rng.randbytes(rng.randrange(4)))),
        lambda: chunks.insert(position, rng.choice(chunks)),
        lambda: chunks.pop(position),
        lambda: chunks.insert(rng.randint(0, len(chunks)), chunks.pop(position)),
        lambda: chunks.__setitem__(position, (rng.choice(_PNG_TYPES), content)),
        lambda: chunks.append((b"gfVE", b"GEN5")),
    )
    rng.choice(changes)()


def _replace_record(chunks: Chunks, change: Callable[[bytes], bytes]) -> None:
    for position, (kind, content) in enumerate(chunks):
        if kind == _CARRIER:
            chunks[position] = (kind, change(content))
            return


def _claim_picture(chunks: Chunks) -> None:
    """Put the true digest and size of the PNG into META, where it has any."""
    png = joined([chunk for chunk in chunks if chunk[0] != _CARRIER])

    def claim(record: bytes) -> bytes:
        text = text_of(record) if len(record) >= forge.HEADER_BYTES else None
        if text is None:
            return record
        text = re.sub(rb'"png_sha256":"[0-9a-f]*"', b'"png_sha256":"%s"' % forge.sha256(png).encode(), text)
        return with_text(record, re.sub(rb'"png_bytes":\d+', b'"png_bytes":%d' % len(png), text))

    _replace_record(chunks, claim)


def _rich(minor: int) -> bytes:
    environment = forge.environment(
        {"python": "name=python;version=3.11.7", "os": "name=os;version=Linux 6.8.0"}
    )
    chunks = [
        forge.float32("initial_noise", [0.5, -1.25, 2.0, 0.0], [1, 2, 2]),
        forge.float32("audio", [1.0], part=0),
        forge.float32("audio", [2.0], part=1),
        forge.Chunk("LATN", "F16", bytes(64), {"shape": [4, 8], "key": "mask"}, compressed=True),
        forge.float32("ints", [1.0, 2.0], [1, 2], value_dtype="int64"),
        forge.Chunk(
            "DATA", "0000", forge.png(1, 1, b"\x80"), {"index": 0, "width": 1, "height": 1, "format": "PNG"}
        ),
        replace(environment, payload=environment.payload + b" " * 200),
    ]

    def enrich(document: dict[str, Any]) -> None:
        info = document["gen5_metadata"]["model_info"]
        info.update(
            tags=["a"], hardware_info={"os": "x"}, prompt="a cat", date="x", version="1", model_name="m"
        )
        info["generation_settings"] = {"seed": 2**64 - 1, "cfg_scale": 1.5, "x": [1e5, None, True]}
        document.update(
            comfyui={"version": "1"}, capture={"passes": []}, resources=[{}], environment={"host": "a"}
        )

    return forge.build(chunks, minor=minor, edit=enrich)


_golden = [_rich(1), _rich(0), _rich(1), forge.carrier(), forge.carrier(facts={"trailer": "AAAA"})]


def main() -> int:
    """Try mutated files, print how they ended, and keep one file of each kind of disagreement."""
    options = argparse.ArgumentParser()
    options.add_argument("-runs", type=int, default=100_000)
    options.add_argument("-seed", type=int, default=0)
    given, outcomes, findings, start = options.parse_args(), Counter[str](), Counter[str](), time.monotonic()
    folder = ROOT / "build" / "fuzz-differential"
    folder.mkdir(parents=True, exist_ok=True)
    pool = list(seeds())
    for run in range(given.runs):
        seed = given.seed * 10**9 + run
        data = pool[run] if run < len(pool) else mutate(random.Random(-seed - 1).choice(pool), 2**15, seed)
        try:
            outcomes[read_everything(data)] += 1
        except Disagreement as error:
            kind = re.sub(r"\d+", "N", str(error))[:90]
            if not findings[kind]:
                (folder / f"finding-{seed}").write_bytes(data)
                print(f"seed {seed}: {error}"[:700], file=sys.stderr, flush=True)
            findings[kind] += 1
        if (run + 1) % REPORT_EVERY == 0 or run + 1 == given.runs:
            print(
                f"{run + 1} files in {time.monotonic() - start:.0f} s, {len(findings)} kinds of findings: {outcomes}"
            )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

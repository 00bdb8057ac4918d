"""Small files that cost much: time and memory of opening, checking and describing each.

Memory is the peak that Linux gives in /proc.
"""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "scripts")]

import forge  # noqa: E402
from png_chunks import png_chunk  # noqa: E402

from scripts.attack.rows import Row  # noqa: E402

TITLE = "Cost of a small file"
MAX_FILE_BYTES = 2 * 2**20
MAX_MIB = 150
_LIMIT = 2**18
_MEASURE = """
import json, sys, time
import gen5core, zstandard, numpy, PIL.PngImagePlugin
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
before, start, words = peak(), time.perf_counter(), []
def attempt(word, act):
    try:
        with gen5core.open(sys.argv[1]) as file:
            act(file)
    except gen5core.errors.Gen5Error as error:
        word += " " + type(error).__name__
    words.append(word)
attempt("open", lambda file: None)
attempt("verify", lambda file: file.verify())
attempt("info", lambda file: (file.prompt, file.tags, file.comfyui, file.capture, file.resources, file.environment))
attempt("thumbnail", lambda file: [image.reduced(256, 2**25) for image in file.images])
print(json.dumps([peak() - before, time.perf_counter() - start, words]))
"""


def rows() -> Iterator[Row]:
    """Yield one row per file: what all four uses of it together took."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in _files():
            path = Path(folder) / "a.gen5"
            path.write_bytes(data)
            run = subprocess.run(
                [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=False
            )
            if run.returncode:
                yield Row(name, "an error of the family", run.stderr.strip()[-100:], held=False)
                continue
            mib, seconds, words = json.loads(run.stdout)
            seen = f"{len(data)} bytes: {mib:.0f} MiB, {seconds:.2f} s; {', '.join(words)}"
            yield Row(name, f"at most {MAX_MIB} MiB", seen, mib <= MAX_MIB and len(data) <= MAX_FILE_BYTES)


def _files() -> Iterator[tuple[str, bytes]]:
    for name, value in _values():
        yield name, _meta(value)
    for name, value in (("ENVC of many objects", '{"":0},' * 2**21), ("ENVC of spaces", " " * (2**26 - 99))):
        payload = ('{"env_version":1,"components":[],"x":[' + value.rstrip(",") + "]}").encode()
        stored = _compressed(forge.frame("ENVC", "0000", payload))
        yield name, forge.build([forge.Chunk("ENVC", "0000", payload, {}, compressed=True, stored=stored)])
    head = struct.pack(">IIBBBBB", 16384, 16384, 1, 0, 0, 0, 0)
    for name, extra in (
        ("PNG of 16384 x 16384", b""),
        ("PNG of 100 000 chunks", png_chunk(b"teSt", b"") * 99_000),
        ("PNG with a zTXt bomb", png_chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(2**28), 9))),
    ):
        png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + extra
        png += png_chunk(b"IDAT", zlib.compress(bytes(2049))) + png_chunk(b"IEND", b"")
        yield name, forge.build([forge.Chunk("DATA", "0000", png, {"index": 0})])


def _values() -> Iterator[tuple[str, str]]:
    yield "two million objects of one member", "[" + ",".join(['{"":0}'] * 2**21) + "]"
    yield "as many objects as are allowed", "[" + ",".join(['{"":0}'] * (_LIMIT // 2 - 99)) + "]"
    deep = '{"":' * 190 + "0" + "}" * 190
    yield "as many nested objects as are allowed", "[" + ",".join([deep] * (_LIMIT // 191 - 9)) + "]"
    yield "as many keys", "{" + ",".join(f'"{index:x}":{index}' for index in range(_LIMIT - 99)) + "}"
    yield "as many numbers", "[" + ",".join(["1e300"] * (_LIMIT - 99)) + "]"
    yield "ten million empty lists", "[" + ",".join(["[]"] * 10_000_000) + "]"
    yield "nested a million deep", "[" * 1_000_000 + "]" * 1_000_000
    yield "an integer of a million digits", "9" * 1_000_000
    yield "30 MiB of escapes", '"' + "\\n" * (15 * 2**20) + '"'
    yield "30 MiB of commas in a string", '"' + "," * (30 * 2**20) + '"'


def _meta(value: str) -> bytes:
    """Return a file whose META has value, which need not be JSON, beside a valid ``gen5_metadata``."""
    info = '{"magic":"GEN5","version_major":1,"version_minor":1,"file_size":%d,"chunk_count":0}'
    padding = random.Random(0)
    size, data = 0, b""
    for attempt in range(64):
        # META states the size of the file, so the two have to agree.
        white = "".join(padding.choices(" \n\t\r", k=attempt))
        core = '{"gen5_metadata":{"file_info":' + info % size + ',"chunks":[]},"comfyui":{"workflow":'
        framed = forge.frame("META", "0000", (core + value + "}}" + white).encode())
        data = forge.build([], meta=_compressed(framed))
        if len(data) == size:
            return data
        size = len(data)
    raise RuntimeError("no size was found")


def _compressed(framed: bytes) -> bytes:
    return zstandard.ZstdCompressor(3, write_checksum=True).compress(framed)

"""The library's index damaged or killed at any moment, and signed files changed behind their size and time."""

from __future__ import annotations

import importlib
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scripts.attack.rows import Row
from scripts.load_pack import load_pack

TITLE = "The library: its index, and its word about signatures"
FILES = 5
DAMAGED, KILLED = 1000, 25
_MOST_SECONDS = 0.08
"""An update of the index takes about as long."""


class Room:
    """The library of a folder, as this checkout has it."""

    def __init__(self, folder: Path) -> None:
        for name in ("input", "output", "user"):
            (folder / name).mkdir()
        trusted = folder / "trusted_keys"
        os.environ.update(GEN5_FOLDER=str(folder), GEN5_TRUSTED_KEYS=str(trusted), GEN5_HOME=str(folder))
        self.name = load_pack().__name__
        self.core = self._module("gen5core")
        self.output, self.index = folder / "output", folder / "user" / "library.sqlite3"
        self.key = self._module("gen5core.signatures.keys").SigningKey.generate(comment="anna")
        trusted.write_text(f"{self.key.public_key}\n")
        trusted.chmod(0o600)

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self.name}.{name}")

    def library(self) -> Any:
        """Return the library as after a start of ComfyUI."""
        index = self._module("nodes.library.index").Index(self.index)
        return self._module("nodes.library.library").Library(index)

    def save(self, name: str, number: int, **facts: Any) -> Path:
        """Save a small file."""
        path = self.output / name
        noise = {"initial_noise": np.full((1, 1, 2, 2), number, np.float32)}
        self.core.save(path, latents=noise, prompt=f"cat {number}", environment=None, **facts)
        return path


def refresh(library: Any) -> Any:
    """Refresh a library, and return it when the scan has ended."""
    library.refresh()
    library.wait()
    return library


def seen_after(room: Room, expected: list[str]) -> str:
    """Return what a search finds after a start of ComfyUI and one refresh."""
    library = room.library()
    try:
        library.page("cat", refresh=True)
        library.wait()
        names = [item["name"] for item in library.page("cat", limit=200)["items"]]
    except Exception as error:  # what a person would meet
        return type(error).__name__
    return "right" if sorted(names) == expected else "wrong"


def names_in(room: Room) -> list[str]:
    """Return the names of the files that are there."""
    return sorted(f"{path.name} [output]" for path in room.output.iterdir())


def damaged(room: Room) -> Row:
    """Change three bytes of the index, as a bad disk does, many times over."""
    sound, rng, expected = room.index.read_bytes(), random.Random(6), names_in(room)
    seen: Counter[str] = Counter()
    for _ in range(DAMAGED):
        data = bytearray(sound)
        for _ in range(3):
            data[rng.randrange(len(data))] = rng.randrange(256)
        room.index.write_bytes(data)
        seen[seen_after(room, expected)] += 1
    attack = f"three bytes of the index changed, {DAMAGED} times"
    return Row(attack, f"all {FILES} files are found after one refresh", _told(seen), set(seen) == {"right"})


def killed(room: Room) -> Row:
    """Kill a process at any moment of an update of the index."""
    rng = random.Random(7)
    seen: Counter[str] = Counter()
    for number in range(KILLED):
        for path in rng.sample(sorted(room.output.iterdir()), 3):
            path.unlink()
        for _ in range(3):
            room.save(f"{rng.getrandbits(40)}.gen5", number)
        _kill(lambda: refresh(room.library()), rng.uniform(0, _MOST_SECONDS))
        seen[seen_after(room, names_in(room))] += 1
    attack = f"the process killed while it updates the index, {KILLED} times"
    return Row(attack, f"all {FILES} files are found after one refresh", _told(seen), set(seen) == {"right"})


def _kill(work: Callable[[], object], seconds: float) -> None:
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def stale(room: Room) -> Iterator[Row]:
    """Change signed files, and give them their old size and time again."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    for suffix in (".gen5", ".png"):
        facts = {"images": pixels} if suffix == ".png" else {}
        path = room.save(f"signed{suffix}", 99, signing_key=room.key, **facts)
        whole, status = path.read_bytes(), path.stat()
        for what, marker, step in (("signature", b'"sig":"', 12), ("META", b"SIGN", -60)):
            path.write_bytes(whole)
            library = refresh(room.library())
            before = _word(library, path)
            data = bytearray(whole)
            data[data.rindex(marker) + step] ^= 1
            path.write_bytes(data)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            words = (_word(library, path), _word(refresh(library), path))
            yield Row(
                f"a byte of the {what} in a signed {suffix} changed, size and time as before",
                "never *trusted*, before a scan or after",
                f"{before}, then {' and '.join(str(word or 'no word') for word in words)}",
                before == "trusted" and "trusted" not in words,
            )
        path.unlink()


def _word(library: Any, path: Path) -> Any:
    [item] = library.page(path.name)["items"]
    return item["trust"]


def _told(seen: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in seen.most_common())


def rows() -> Iterator[Row]:
    """Yield the attacks on the library."""
    logging.disable()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk's syncs take most of the time
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        room = Room(Path(folder))
        for number in range(FILES):
            room.save(f"{number}.gen5", number)
        refresh(room.library())
        yield damaged(room)
        if sys.platform != "win32":
            yield killed(room)
        yield from stale(room)
    logging.disable(logging.NOTSET)

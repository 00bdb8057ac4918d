"""Several files appear together or not at all, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import gen5core
from gen5core.files.together import finish_interrupted, write_together

ROOT = Path(gen5core.__file__).parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="fork and signals are POSIX")

_KILLED = """
import json, os, random, signal, sys, time
from pathlib import Path
from gen5core.files.together import finish_interrupted, write_together

folder, rounds = Path(sys.argv[1]), 100
content = os.urandom(2**20)

def write(path):
    path.write_bytes(content)

def save(number):
    write_together(folder, {f"{number}.gen5": write, f"{number}.png": write})

start = time.perf_counter()
save("first")
duration = time.perf_counter() - start
random.seed(7)
for number in range(rounds):
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(go, b"x")
        save(number)
        os._exit(0)
    os.read(ready, 1)
    time.sleep(random.uniform(0, 1.5 * duration))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready), os.close(go)
for path in [*folder.rglob("*"), *folder.rglob(".*")]:
    os.utime(path, (time.time() - 25 * 3600,) * 2)
finish_interrupted(folder)
names = {path.name for path in folder.iterdir()}
stems = {name.split(".")[0] for name in names}
print(json.dumps({
    "single": sorted(stem for stem in stems if {f"{stem}.gen5", f"{stem}.png"} - names),
    "left": sorted(name for name in names if name.startswith(".")),
    "torn": sorted(name for name in names if (folder / name).is_file() and (folder / name).read_bytes() != content),
}))
"""


@POSIX
def test_killed(tmp_path: Path) -> None:
    """Of a hundred killed saves of two files none leaves one of them alone, or anything else."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert json.loads(done.stdout) == {"single": [], "left": [], "torn": []}


def text(content: str, path: Path) -> None:
    """Write content at path."""
    path.write_text(content)


PAIR = {"a.gen5": partial(text, "noise"), "a.png": partial(text, "picture")}


def names_in(folder: Path) -> list[str]:
    """Return what a folder holds, hidden things too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("taken", list(PAIR))
def test_taken(tmp_path: Path, taken: str) -> None:
    """If one name is taken, neither file is written, and the one that was there stays."""
    (tmp_path / taken).write_text("mine")
    with pytest.raises(FileExistsError):
        write_together(tmp_path, PAIR)
    assert (names_in(tmp_path), (tmp_path / taken).read_text()) == ([taken], "mine")


def test_failing(tmp_path: Path) -> None:
    """If one cannot be written, nothing is left."""

    def fail(path: Path) -> None:
        path.write_text("half")
        raise ValueError("cannot be encoded")

    with pytest.raises(ValueError, match="cannot be encoded"):
        write_together(tmp_path, {**PAIR, "b.png": fail})
    assert names_in(tmp_path) == []


class TestInterrupted:
    """What a killed process left."""

    def leave(self, folder: Path, moved: int, *, complete: bool = True, age_seconds: float = 3600) -> Path:
        """Leave what a process leaves that is killed after it has moved some of two files."""
        pending = folder / ".gen5-0123456789abcdef.pending"
        pending.mkdir()
        for index, (name, write) in enumerate(PAIR.items()):
            write(pending / name)
            if index < moved:
                os.link(pending / name, folder / name)
        if complete:
            (pending / ".complete").touch()
        now = pending.stat().st_mtime
        for path in (*pending.iterdir(), pending):
            os.utime(path, (now - age_seconds,) * 2)
        return pending

    @POSIX
    @pytest.mark.parametrize("moved", [0, 1, 2])
    def test_completed(self, tmp_path: Path, moved: int) -> None:
        """Complete files are moved to their place."""
        self.leave(tmp_path, moved)
        finish_interrupted(tmp_path)
        assert names_in(tmp_path) == ["a.gen5", "a.png"]
        assert [(tmp_path / name).read_text() for name in PAIR] == ["noise", "picture"]

    def test_running(self, tmp_path: Path) -> None:
        """What may still be running is left alone."""
        pending = self.leave(tmp_path, 0, age_seconds=5)
        finish_interrupted(tmp_path)
        assert names_in(tmp_path) == [pending.name]

    @pytest.mark.parametrize(("age_seconds", "left"), [(3600, 1), (25 * 3600, 0)])
    def test_incomplete(self, tmp_path: Path, age_seconds: float, left: int) -> None:
        """What was not complete is removed after a day, and never moved."""
        self.leave(tmp_path, 0, complete=False, age_seconds=age_seconds)
        finish_interrupted(tmp_path)
        assert len(names_in(tmp_path)) == left

    def test_name_taken_since(self, tmp_path: Path) -> None:
        """A file that took the name meanwhile stays, and the other is not lost."""
        pending = self.leave(tmp_path, 0)
        (tmp_path / "a.gen5").write_text("mine")
        finish_interrupted(tmp_path)
        assert (tmp_path / "a.gen5").read_text() == "mine"
        assert (pending / "a.gen5").read_text() == "noise"

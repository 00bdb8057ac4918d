"""Saving completely or not at all: kills, full disks, many writers; and opening what is not an ordinary file."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gen5core
from gen5core import EncodeError, Gen5Error, NotGen5Error, TruncatedError
from gen5core.container.source import FileSource
from gen5core.files import atomic as atomic_module

ROOT = Path(gen5core.__file__).parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals, FIFOs, owners, links, writev are POSIX")
NOTHING: dict[str, Any] = {"environment": None, "hardware": None}
SMALL = {"a": np.arange(16, dtype=np.float32)}


def run(script: str, *arguments: str) -> Any:
    """Run a script in its own process and return the JSON that it prints."""
    command = [sys.executable, "-c", script, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def debris(folder: Path) -> list[str]:
    """Return the names of temporary files."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".gen5")


_KILLED = """
import json, os, random, signal, sys, time
import numpy as np
import gen5core
gen5core.open, gen5core.save  # loaded now, since names of gen5core load on first use

folder, rounds = sys.argv[1], 100
path = os.path.join(folder, "image.gen5")
base = np.random.default_rng(0).standard_normal(2**19, np.float32)

def save(generation):
    base[:] = generation
    gen5core.save(path, latents={"a": base}, settings={"seed": generation}, compression="none",
                  environment=None, hardware=None)

def generation():
    with gen5core.open(path) as file:
        file.verify(threads=1)
        seed = file.settings["seed"]
        assert (file.latents["a"].array() == seed).all(), "half of one, half of another"
        return seed

save(0)
started = time.perf_counter()
for _ in range(5):
    save(0)
duration = (time.perf_counter() - started) / 5
rng = random.Random(0)
told = {"old": 0, "new": 0, "torn": [], "left": 0, "kept_while_young": 0, "kept_for_long": 0}

def kept_after_save():
    gen5core.save(os.path.join(folder, "next.gen5"), environment=None, hardware=None)
    os.unlink(os.path.join(folder, "next.gen5"))
    return len(os.listdir(folder)) - 1

for number in range(1, rounds + 1):
    before = generation()
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(go, b"x")
        save(number)
        os._exit(0)
    os.read(ready, 1)
    time.sleep(rng.uniform(0, 1.3 * duration))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready), os.close(go)
    after = generation()
    if after not in (before, number):
        told["torn"].append([before, number, after])
    told["new" if after == number else "old"] += 1
    told["left"] += len(os.listdir(folder)) - 1
    told["kept_while_young"] += kept_after_save()
    for name in os.listdir(folder):
        os.utime(os.path.join(folder, name), (time.time() - 25 * 3600,) * 2)
    told["kept_for_long"] += kept_after_save()
print(json.dumps(told))
"""


@POSIX
def test_killed_at_100_moments(tmp_path: Path) -> None:
    """SIGKILL while saving over a file leaves the old file or the new one; a save a day later removes the rest."""
    told = run(_KILLED, str(tmp_path))
    assert told["torn"] == []
    assert told["old"] + told["new"] == 100
    assert told["kept_while_young"] == told["left"]
    assert told["kept_for_long"] == 0
    # The moments were spread over the save: some came before its end, some left a temporary file.
    assert told["old"] >= 10
    assert told["left"] >= 5


_COUNTED = """
import json, os, sys
import numpy as np
import gen5core
gen5core.save  # loaded now, since names of gen5core load on first use

folder, writers, each = sys.argv[1], 8, 25

def write(writer):
    number = 0
    for index in range(each):
        while True:
            number += 1
            try:
                gen5core.save(f"{folder}/{number:05}.gen5", latents={"a": np.full(64, writer, np.float32)},
                              settings={"seed": writer * each + index}, overwrite=False,
                              environment=None, hardware=None)
                break
            except FileExistsError:
                pass

ready, go = os.pipe()
children = []
for writer in range(writers):
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        write(writer)
        os._exit(0)
    children.append(child)
os.close(go)
print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]))
"""


@POSIX
def test_eight_writers_and_a_counter(tmp_path: Path) -> None:
    """Eight processes that count up with overwrite=False lose no file, skip no number and leave no debris."""
    assert run(_COUNTED, str(tmp_path)) == [0] * 8
    found = []
    for path in sorted(tmp_path.iterdir()):
        with gen5core.open(path) as file:
            file.verify(threads=1)
            seed = file.settings["seed"]
            assert set(file.latents["a"].array().tolist()) == {seed // 25}
            found.append(seed)
    assert [f"{number:05}.gen5" for number in range(1, 201)] == sorted(os.listdir(tmp_path))
    assert sorted(found) == list(range(200))


def test_overwrite_false_keeps_the_file(tmp_path: Path) -> None:
    """Saving over a file that must stay raises FileExistsError and leaves it byte for byte."""
    path = gen5core.save(tmp_path / "a.gen5", latents=SMALL, **NOTHING)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"a\.gen5"):
        gen5core.save(path, prompt="another", overwrite=False, **NOTHING)
    assert before == path.read_bytes()
    assert debris(tmp_path) == []


NO_LINKS = (
    errno.EPERM,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    45,
    errno.EIO,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EXDEV,
)
"""What exFAT, SMB, FUSE and Docker on a Mac say of a hard link; 45 is ENOTSUP on macOS."""


@POSIX
@pytest.mark.parametrize("number", NO_LINKS)
def test_overwrite_false_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """On a file system without hard links a file is created once, and never replaced."""
    monkeypatch.setattr(os, "link", refusing(number))
    path = gen5core.save(tmp_path / "a.gen5", latents=SMALL, overwrite=False, **NOTHING)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"a\.gen5"):
        gen5core.save(path, prompt="another", overwrite=False, **NOTHING)
    assert path.read_bytes() == before
    assert debris(tmp_path) == []


@POSIX
def test_no_empty_file_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed as it moves the file leaves nothing under its name; a later one is not held up."""
    monkeypatch.setattr(os, "link", refusing(errno.EIO))
    with monkeypatch.context() as killed:
        killed.setattr(os, "rename", refusing(errno.EINTR))
        killed.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(InterruptedError):
            gen5core.save(tmp_path / "a.gen5", latents=SMALL, overwrite=False, **NOTHING)
    [claim] = tmp_path.iterdir()
    assert claim.suffix == ".tmp"
    with pytest.raises(FileExistsError):
        gen5core.save(tmp_path / "a.gen5", latents=SMALL, overwrite=False, **NOTHING)
    os.utime(claim, (0, 0))
    gen5core.save(tmp_path / "a.gen5", latents=SMALL, overwrite=False, **NOTHING)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gen5"]


def refusing(number: int) -> Callable[..., None]:
    """Return a function that fails with an error of the system."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space and save again"),
        (errno.EDQUOT, "your share of this disk is used up"),
        (errno.EFBIG, "the disk holds no file as large as this"),
        (errno.EROFS, "the disk can only be read"),
        (errno.EACCES, "you may not write into this folder"),
        (errno.EPERM, "you may not write into this folder"),
        (errno.ENAMETOOLONG, "choose a shorter name or folder"),
        (errno.EIO, "the disk or its connection failed"),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync", "link"])
def test_each_error_has_its_own_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str, call: str
) -> None:
    """Whatever call fails, the error keeps its number and path, and says what to do; nothing is left."""
    with monkeypatch.context() as failing:
        failing.setattr(os, call, refusing(number))
        if call == "link":  # any failure of a link falls back to a rename
            failing.setattr(os, "rename", refusing(number))
        with (
            pytest.raises(OSError, match=f"nothing was written; {remedy}") as caught,
            atomic_module.atomic_file(tmp_path / "a", overwrite=False),
        ):
            pass
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "a"))
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_another_file_has_no_remedy(tmp_path: Path) -> None:
    """What fails while the file is being made need not be about the file."""
    with pytest.raises(PermissionError) as caught, atomic_module.atomic_file(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/model")
    assert str(caught.value) == "[Errno 13] Permission denied: '/elsewhere/model'"


def test_threads_in_one_folder(tmp_path: Path) -> None:
    """Threads that save into one folder do not remove each other's temporary files."""

    def work(number: int) -> None:
        for index in range(10):
            gen5core.save(tmp_path / f"{number}-{index}.gen5", latents=SMALL, **NOTHING)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(list(tmp_path.glob("*.gen5"))) == 80
    assert debris(tmp_path) == []


def _set_back(folder: Path, hours: float) -> None:
    """Make the temporary files in folder look as if nothing was written to them for some time."""
    for path in folder.glob(".gen5-*.tmp"):
        os.utime(path, (time.time() - hours * 3600,) * 2)


def test_a_running_save_is_not_swept(tmp_path: Path) -> None:
    """Other saves do not remove the file of a running save, however long ago it began, before and after it wrote."""
    path = tmp_path / "a"
    with atomic_module.atomic_file(path) as fd:
        _set_back(tmp_path, 23)
        gen5core.save(tmp_path / "b.gen5", **NOTHING)
        _set_back(tmp_path, 1000)
        atomic_module.write_all(fd, [b"whole"])
        gen5core.save(tmp_path / "c.gen5", **NOTHING)
    assert path.read_bytes() == b"whole"
    assert sorted(os.listdir(tmp_path)) == ["a", "b.gen5", "c.gen5"]


@POSIX
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_save_that_was_stopped_for_days(tmp_path: Path, overwrite: bool) -> None:
    """A save whose temporary file was removed meanwhile fails; the previous file stays, and nothing else is left."""
    path = tmp_path / "a"
    if overwrite:
        path.write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))

    def save_and_sweep() -> None:
        with atomic_module.atomic_file(path, overwrite=overwrite) as fd:
            atomic_module.write_all(fd, [b"half"])
            _set_back(tmp_path, 25)
            atomic_module.remove_stale(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"\.gen5-.*a'"):
        save_and_sweep()
    assert sorted(os.listdir(tmp_path)) == before
    assert not overwrite or path.read_bytes() == b"old"


def test_stale_files_of_others_stay(tmp_path: Path) -> None:
    """Only this package's own temporary files are removed."""
    stale = tmp_path / ".gen5-0123456789abcdef.tmp"
    others = ["mine.tmp", ".gen5-notes.txt", "gen5-a.tmp"]
    for name in (stale.name, *others):
        (tmp_path / name).write_bytes(b"kept")
        os.utime(tmp_path / name, (0, 0))
    gen5core.save(tmp_path / "a.gen5", **NOTHING)
    assert sorted(others) == debris(tmp_path)


_LIMITED = """
import json, resource, sys
import numpy as np
import gen5core
gen5core.save  # loaded now, since names of gen5core load on first use

resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
try:
    gen5core.save(sys.argv[1], latents={"a": np.zeros(2**18, np.float32)}, compression="none",
                  environment=None, hardware=None)
    print(json.dumps(None))
except OSError as error:
    print(json.dumps([error.errno, str(error), error.filename]))
"""


@POSIX
def test_file_size_limit(tmp_path: Path) -> None:
    """A file larger than the process may write is an OSError with a remedy; only the old file is left."""
    path = gen5core.save(tmp_path / "a.gen5", latents=SMALL, **NOTHING)
    before = path.read_bytes()
    number, message, name = run(_LIMITED, str(path))
    assert (errno.EFBIG, str(path)) == (number, name)
    assert "nothing was written; the disk holds no file as large as this" in message
    assert before == path.read_bytes()
    assert [path.name] == os.listdir(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 1 MiB, if that is allowed."""
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None or os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """On a full disk a save says so, keeps the old file and leaves nothing else; with free space it works again."""
    path = gen5core.save(
        small_disk / "a.gen5", latents={"a": np.ones(2**16, np.float32)}, compression="none", **NOTHING
    )
    before = path.read_bytes()
    large = {"a": np.zeros(2**18, np.float32)}
    with pytest.raises(OSError, match="nothing was written; free some space and save again") as caught:
        gen5core.save(path, latents=large, compression="none", **NOTHING)
    assert (errno.ENOSPC, str(path)) == (caught.value.errno, caught.value.filename)
    assert before == path.read_bytes()
    assert [path.name] == os.listdir(small_disk)
    gen5core.save(path, latents=large, compression="zstd", **NOTHING)
    with gen5core.open(path) as file:
        assert file.latents["a"].array().max() == 0


@POSIX
def test_disk_fills_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whichever system call the disk fails, the old file stays intact and nothing is left beside it."""
    path = gen5core.save(tmp_path / "a.gen5", latents=SMALL, **NOTHING)
    before = path.read_bytes()
    calls = {"writev": 0, "fsync": 0, "replace": 0}
    for name in calls:
        for fails_at in range(1, 12):
            with monkeypatch.context() as patch:
                patch.setattr(os, name, _failing(getattr(os, name), fails_at, folder_ok=name == "fsync"))
                failed = _errno_of_save(path)
            if failed is None:
                break
            assert failed == errno.ENOSPC
            calls[name] += 1
            assert before == path.read_bytes()
            assert [path.name] == os.listdir(tmp_path)
        path.write_bytes(before)
    assert all(calls.values()), calls


def _errno_of_save(path: Path) -> int | None:
    try:
        gen5core.save(path, latents={"b": np.ones(9, np.float32)}, prompt="new", **NOTHING)
    except OSError as error:
        return error.errno
    return None


def _failing(function: Any, fails_at: int, *, folder_ok: bool) -> Any:
    count = 0

    def stand_in(*arguments: Any, **further: Any) -> Any:
        nonlocal count
        if folder_ok and stat.S_ISDIR(os.fstat(arguments[0]).st_mode):
            return function(*arguments, **further)
        count += 1
        if count == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*arguments, **further)

    return stand_in


@POSIX
def test_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save succeeds on a file system that syncs files but not folders (some shares)."""
    fsync = os.fsync

    def files_only(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", files_only)
    path = gen5core.save(tmp_path / "a.gen5", prompt="a cat", **NOTHING)
    with gen5core.open(path) as file:
        assert file.prompt == "a cat"


@POSIX
def test_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All bytes are written to a system that accepts few at a time, as a slow share may."""
    writev = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, views: writev(fd, [views[0][:7]]))
    path = gen5core.save(tmp_path / "a.gen5", latents=SMALL, prompt="a cat", **NOTHING)
    with gen5core.open(path) as file:
        file.verify()
        assert file.latents["a"].array().tolist() == SMALL["a"].tolist()


class _Odd:
    """A value that JSON cannot hold."""


_CYCLE: list[Any] = [float("nan")]
_CYCLE.append(_CYCLE)
BAD_VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "suffix": ({}, "does not end in .gen5"),
    "dtype": ({"latents": {"a": np.zeros(3, object)}}, "latent 'a' is object"),
    "name": ({"latents": {"": np.zeros(3, np.float32)}}, "a latent is named ''"),
    "list": ({"latents": {"a": [1.0, 2.0]}}, "latent 'a' is a float"),
    "half": ({"latents": {"a": np.float32([70000])}, "half": True}, "the largest float16 is 65504"),
    "image": ({"images": b"not an image"}, "cannot be read as a PNG, JPEG or WebP"),
    "image_name": ({"images": "cat.png"}, "image"),
    "image_none": ({"images": None}, "image"),
    "pixels": ({"images": np.zeros((2, 2, 2), np.uint8)}, "image shape is"),
    "setting": ({"settings": {"seed": -1}}, "must be at least 0"),
    "json": ({"settings": {"x": _Odd()}}, "cannot be written as JSON"),
    "json_cycle": ({"settings": {"x": _CYCLE}}, "cannot be written as JSON"),
    "json_nan_key": ({"settings": {"x": {float("nan"): 1}}}, "cannot be written as JSON"),
    "json_huge": ({"settings": {"x": 10**5000}}, "cannot be written as JSON"),
    "compression": ({"compression": "gzip"}, "compression is 'gzip'"),
    "tags": ({"tags": "cat"}, "tags is the string"),
    "prompt": ({"prompt": None}, "prompt is None"),
    "many": (
        {"latents": {str(index): np.zeros(1, np.float32) for index in range(1001)}},
        "more than the 1000",
    ),
}


@pytest.mark.parametrize("name", BAD_VALUES)
@pytest.mark.parametrize("existing", [True, False], ids=["over_a_file", "new"])
def test_bad_value_leaves_no_file(tmp_path: Path, name: str, existing: bool) -> None:
    """A value that cannot be stored is an EncodeError; the previous file stays, and nothing else is left."""
    values, message = BAD_VALUES[name]
    path = tmp_path / ("a.jpg" if name == "suffix" else "a.gen5")
    if existing:
        path.write_bytes(b"what stood there")
    with pytest.raises(EncodeError, match=message):
        gen5core.save(path, **{**NOTHING, **values})
    assert ([path.name] if existing else []) == os.listdir(tmp_path)
    assert not existing or path.read_bytes() == b"what stood there"


def test_folder_missing(tmp_path: Path) -> None:
    """A missing folder is the file system's own error, and is not created."""
    with pytest.raises(FileNotFoundError, match="missing"):
        gen5core.save(tmp_path / "missing" / "a.gen5", **NOTHING)
    assert os.listdir(tmp_path) == []


def test_saving_over_a_folder(tmp_path: Path) -> None:
    """A folder with the file's name is the file system's own error; it stays, and nothing is left beside it."""
    (tmp_path / "a.gen5").mkdir()
    with pytest.raises(OSError, match=r"a\.gen5"):
        gen5core.save(tmp_path / "a.gen5", **NOTHING)
    assert os.listdir(tmp_path) == ["a.gen5"]


@POSIX
def test_saving_through_a_link(tmp_path: Path) -> None:
    """Saving through a symbolic link replaces the file that it names, and the link stays."""
    (tmp_path / "real").mkdir()
    target = gen5core.save(tmp_path / "real" / "a.gen5", **NOTHING)
    (tmp_path / "link.gen5").symlink_to(target)
    gen5core.save(tmp_path / "link.gen5", prompt="new", **NOTHING)
    assert (tmp_path / "link.gen5").is_symlink()
    with gen5core.open(target) as file:
        assert file.prompt == "new"


def test_empty_file(tmp_path: Path) -> None:
    """An empty file is not a GEN5 file."""
    path = tmp_path / "a.gen5"
    path.touch()
    with pytest.raises(NotGen5Error, match="starts with b'', a GEN5 file starts with b'GEN5'"):
        gen5core.open(path)


def test_folder(tmp_path: Path) -> None:
    """A folder is not a GEN5 file, and the message says that it is a folder."""
    with pytest.raises(NotGen5Error, match="is a folder, not a regular file"):
        gen5core.open(tmp_path)


@POSIX
@pytest.mark.parametrize("writer", [True, False])
@pytest.mark.timeout(20)
def test_fifo(tmp_path: Path, writer: bool) -> None:
    """A FIFO is refused at once, whether or not anyone writes to it."""
    path = tmp_path / "a.gen5"
    os.mkfifo(path)
    other = os.open(path, os.O_RDWR) if writer else -1
    try:
        with pytest.raises(NotGen5Error, match="is a FIFO, not a regular file"):
            gen5core.open(path)
    finally:
        if writer:
            os.close(other)


@POSIX
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_device(device: str) -> None:
    """An endless device is refused before a byte of it is read."""
    with pytest.raises(NotGen5Error, match=f"{device}: is a device, not a regular file"):
        gen5core.open(device)


@POSIX
def test_unreadable_file() -> None:
    """A file that may not be read is the file system's own PermissionError."""
    with tempfile.TemporaryDirectory() as name:
        path = gen5core.save(Path(name) / "a.gen5", **NOTHING)
        path.chmod(0)
        Path(name).chmod(0o755)
        owner = os.geteuid()
        if owner == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(PermissionError, match=r"a\.gen5"):
                gen5core.open(path)
        finally:
            os.seteuid(owner)


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is FileNotFoundError, which is not a Gen5Error."""
    with pytest.raises(FileNotFoundError, match=r"a\.gen5") as caught:
        gen5core.open(tmp_path / "a.gen5")
    assert not isinstance(caught.value, Gen5Error)


@pytest.mark.parametrize("size", [100, 2**20, 9 * 2**20])
def test_file_shrinks_in_the_middle_of_a_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A file truncated while a tensor is being read is TruncatedError, not a signal and not old memory."""
    path = tmp_path / "a.gen5"
    gen5core.save(path, latents={"a": np.ones(size // 4, np.float32)}, compression="none", **NOTHING)
    read_some = FileSource._read_some

    def cut_then_read(source: FileSource, view: memoryview, offset: int) -> int:
        count = read_some(source, view[: max(view.nbytes // 2, 1)], offset)
        os.truncate(path, 40)
        return count

    with gen5core.open(path) as file:
        monkeypatch.setattr(FileSource, "_read_some", cut_then_read)
        with pytest.raises(
            TruncatedError, match=r"a\.gen5: chunk 0 \(LATN 'a'\) at offset \d+: .* it was cut"
        ):
            file.latents["a"].array()


def test_reads_that_come_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a read returns less than requested, as a network share may, the rest is read again."""
    path = gen5core.save(tmp_path / "a.gen5", latents=SMALL, prompt="a cat", **NOTHING)
    read_some = FileSource._read_some
    monkeypatch.setattr(FileSource, "_read_some", lambda source, view, at: read_some(source, view[:3], at))
    with gen5core.open(path) as file:
        file.verify()
        assert (file.prompt, file.latents["a"].array().tolist()) == ("a cat", SMALL["a"].tolist())


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Neither a refused file, nor a failed save, nor a closed file keeps a descriptor."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("descriptors are counted in /proc")
    bad = tmp_path / "bad.gen5"
    bad.write_bytes(b"GEN5" + bytes(60))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(Gen5Error):
            gen5core.open(bad)
        with pytest.raises(EncodeError):
            gen5core.save(tmp_path / "a.gen5", settings={"x": _Odd()}, **NOTHING)
        gen5core.open(gen5core.save(tmp_path / "b.gen5", **NOTHING)).close()
    assert before == len(os.listdir("/proc/self/fd"))


def test_names_of_temporary_files() -> None:
    """The names that the tests above call debris are those that the module uses."""
    assert (atomic_module.PREFIX, atomic_module.SUFFIX) == (".gen5-", ".tmp")


def test_only_our_own_temporary_files_are_removed(tmp_path: Path) -> None:
    """The next save does not remove a file with a similar name."""
    other = tmp_path / ".gen5-notes.tmp"
    other.write_text("mine")
    gen5core.save(tmp_path / "a.gen5")
    assert other.read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_permissions_are_kept(tmp_path: Path) -> None:
    """A file that only its owner may read keeps its permissions when it is replaced."""
    path = gen5core.save(tmp_path / "a.gen5")
    path.chmod(0o600)
    gen5core.save(path, prompt="again")
    assert path.stat().st_mode & 0o777 == 0o600

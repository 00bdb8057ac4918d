"""Windows: its names and paths, and saving on a system where an open file cannot be replaced or removed.

The tests that use ``on_windows`` run unchanged on Windows. On other systems Windows is imitated: the functions that
Python lacks there are removed, and its rules for renaming and removing apply.
"""

from __future__ import annotations

import errno
import ntpath
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import signer

import gen5core
from gen5core import NotGen5Error
from gen5core.container import source
from gen5core.files import atomic, windows
from gen5core.signatures import key_files
from gen5core.signatures.key_files import save_signing_key
from gen5core.signatures.trusted_keys import add_trusted_key

NOTHING: dict[str, Any] = {"environment": None, "hardware": None}
SMALL = {"a": np.arange(16, dtype=np.float32)}
LACKING = ("writev", "preadv", "pread", "fchmod", "geteuid", "fork", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK")


def is_open(path: Any) -> bool:
    """Return whether this process has a file open."""
    wanted = os.path.realpath(path)
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(f"/proc/self/fd/{name}") == wanted:
                return True
    return False


def _refusing(function: Callable[..., Any], *, replaces: bool) -> Callable[..., Any]:
    """Return function with Windows' rules: an open file cannot be changed, and ``rename`` replaces nothing."""

    def checked(*paths: Any, **further: Any) -> Any:
        if len(paths) > 1 and not replaces and os.path.lexists(paths[1]):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(paths[1]))
        for path in paths:
            if is_open(path):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return function(*paths, **further)

    return checked


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows, or a system that lacks what Windows lacks."""
    if os.name == "nt":
        return
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("only /proc shows which files are open")
    for name in LACKING:
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(windows, "IS_WINDOWS", True)
    monkeypatch.setattr(source, "_HAS_PREADV", False)
    monkeypatch.setattr(key_files, "_IS_POSIX", False)
    for name in ("rename", "replace", "unlink", "remove"):
        monkeypatch.setattr(os, name, _refusing(getattr(os, name), replaces=name == "replace"))


REFUSED = {
    "C:x.gen5": "starts at a drive or a share",
    r"C:\x.gen5": "starts at a drive or a share",
    r"\x.gen5": "starts at a drive or a share",
    "/x.gen5": "starts at a drive or a share",
    r"\\host\share\x.gen5": "starts at a drive or a share",
    "//host/share/x.gen5": "starts at a drive or a share",
    r"\\?\C:\x.gen5": "starts at a drive or a share",
    r"\\.\PhysicalDrive0": "starts at a drive or a share",
    r"\\?\UNC\host\share\x.gen5": "starts at a drive or a share",
    "x.gen5:stream": r"does not allow ':' in a name, as in 'x\.gen5:stream'",
    r"sub\x.gen5::$DATA": "does not allow ':' in a name",
    "a?.gen5": r"does not allow '\?'",
    "a\0.gen5": r"does not allow '\\x00'",
    "a\x1f.gen5": r"does not allow '\\x1f'",
    "x.gen5.": r"ends in '\.'",
    "x.gen5 ": "ends in ' '",
    "sub /x.gen5": "ends in ' ', as 'sub ' does",
    ".../x.gen5": r"ends in '\.'",
    "CON": "reserves 'CON' for a device",
    "nul.gen5": r"reserves 'nul\.gen5' for a device",
    "aux .gen5": r"reserves 'aux \.gen5' for a device",
    "sub/aux/x.gen5": "reserves 'aux' for a device",
    r"com1.tar.gen5": "for a device",
    "LPT9.gen5": "for a device",
    "COM¹.gen5": "for a device",
    "conin$": "for a device",
}


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_windows_reads_differently(name: str) -> None:
    """A name that means a drive, a share, a device, a stream or another name to Windows is refused with the reason."""
    with pytest.raises(ValueError, match=REFUSED[name]):
        windows.check_relative(name)


@pytest.mark.parametrize(
    "name",
    [
        "a.gen5",
        r"sub\a.gen5",
        "sub/a.gen5",
        r"a\..\b.gen5",
        r".\a.gen5",
        "",
        "console.gen5",
        "COM10.gen5",
        "COM0.gen5",
        "con_00001_.gen5",
        ".gen5",
        "猫 (1).gen5",
    ],
)
def test_valid_names(name: str) -> None:
    """Any other name is accepted; ``..`` is checked where the folder is known."""
    windows.check_relative(name)


@pytest.mark.parametrize("path", [r"D:\out\a", "D:a", r"\\host\share\a", "/a/b"])
def test_parts_of_absolute_paths(path: str) -> None:
    """A user who saves may name a drive; only the parts after it are checked."""
    windows.check_parts(path)
    with pytest.raises(ValueError, match="reserves 'nul' for a device"):
        windows.check_parts(rf"{path}\nul")


DEEP = "\\".join(["d" * 50] * 6)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (r"C:\out\a.gen5", r"C:\out\a.gen5"),
        (rf"C:\{DEEP}\a.gen5", rf"\\?\C:\{DEEP}\a.gen5"),
        (f"C:/{DEEP}/a/../b.gen5", rf"\\?\C:\{DEEP}\b.gen5"),
        (rf"\\host\share\{DEEP}\a.gen5", rf"\\?\UNC\host\share\{DEEP}\a.gen5"),
        (rf"\\?\C:\{DEEP}\a.gen5", rf"\\?\C:\{DEEP}\a.gen5"),
        (rf"C:\{'d' * 244}", rf"C:\{'d' * 244}"),
        (rf"C:\{'d' * 245}", rf"\\?\C:\{'d' * 245}"),
    ],
)
def test_long_paths(monkeypatch: pytest.MonkeyPatch, path: str, expected: str) -> None:
    """A path that is too long for Windows gets the extended form, which may have any length."""
    monkeypatch.setattr(windows, "IS_WINDOWS", True)
    assert windows.extended(path) == expected
    assert ntpath.normcase(expected) == ntpath.normcase(windows.extended(windows.extended(path)))


@pytest.mark.skipif(os.name == "nt", reason="tests the other systems")
def test_long_paths_on_other_systems() -> None:
    """On other systems paths are unchanged."""
    assert windows.extended("/a" * 500) == "/a" * 500


def test_long_path_is_saved_and_read(tmp_path: Path) -> None:
    """A file deeper than 260 characters is written and read."""
    folder = tmp_path.joinpath(*["d" * 50] * 6)
    os.makedirs(windows.extended(str(folder)))
    path = gen5core.save(folder / "a.gen5", latents=SMALL, **NOTHING)
    assert len(str(path)) > 300
    with gen5core.open(path) as file:
        assert file.latents["a"].array().tolist() == SMALL["a"].tolist()


@pytest.mark.usefixtures("on_windows")
class TestSaving:
    def test_new_and_replaced(self, tmp_path: Path) -> None:
        """A file is written, then replaced, and read both times."""
        path = tmp_path / "a.gen5"
        for prompt in ("one", "two"):
            gen5core.save(path, latents=SMALL, prompt=prompt, **NOTHING)
            with gen5core.open(path) as file:
                file.verify()
                assert file.prompt == prompt
        assert os.listdir(tmp_path) == ["a.gen5"]

    def test_without_overwriting(self, tmp_path: Path) -> None:
        """A file that must not be replaced stays unchanged."""
        path = gen5core.save(tmp_path / "a.gen5", overwrite=False, **NOTHING)
        before = path.read_bytes()
        with pytest.raises(FileExistsError, match=r"a\.gen5"):
            gen5core.save(path, prompt="another", overwrite=False, **NOTHING)
        assert before == path.read_bytes()
        assert os.listdir(tmp_path) == ["a.gen5"]

    def test_replacing_a_file_that_stays_open(self, tmp_path: Path) -> None:
        """If a program keeps the file open, the error says so, the file is unchanged, and no temporary file is left."""
        path = gen5core.save(tmp_path / "a.gen5", prompt="old", **NOTHING)
        with gen5core.open(path) as file:
            with pytest.raises(PermissionError, match=r"a program has it open.*save again") as caught:
                gen5core.save(path, prompt="new", **NOTHING)
            assert file.prompt == "old"
        assert str(path) == caught.value.filename
        assert os.listdir(tmp_path) == ["a.gen5"]

    def test_replacing_a_file_that_is_briefly_open(self, tmp_path: Path) -> None:
        """A virus scanner that opens the file for a moment delays a save, but does not make it fail."""
        path = gen5core.save(tmp_path / "a.gen5", prompt="old", **NOTHING)
        fd = os.open(path, os.O_RDONLY)
        closing = threading.Timer(0.05, os.close, (fd,))
        closing.start()
        try:
            gen5core.save(path, prompt="new", **NOTHING)
        finally:
            closing.join()
        with gen5core.open(path) as file:
            assert file.prompt == "new"

    def test_signing_in_place(self, tmp_path: Path) -> None:
        """A file is signed in place: it is closed before it is replaced."""
        key = gen5core.SigningKey.from_seed(signer.SEED)
        for name in ("a.gen5", "a.png"):
            path = tmp_path / name
            gen5core.save(path, latents=SMALL, images=np.zeros((4, 4, 3), np.uint8), **NOTHING)
            gen5core.sign_file(path, key)
            with gen5core.open(path) as file:
                assert [found.key_id for found in file.signatures] == [key.public_key.key_id]

    def test_trusting_twice(self, tmp_path: Path) -> None:
        """The list of trusted keys is written to a temporary file, which then replaces it."""
        trusted = tmp_path / "trusted_keys"
        keys = [gen5core.SigningKey.from_seed(bytes([number] * 32)).public_key for number in (1, 2)]
        for key in keys:
            add_trusted_key(key, trusted)
        assert tuple(keys) == gen5core.load_trusted_keys(trusted)

    def test_threads_in_one_folder(self, tmp_path: Path) -> None:
        """Threads do not remove each other's temporary files, which are closed before they are renamed."""

        def work(number: int) -> None:
            for index in range(10):
                gen5core.save(tmp_path / f"{number}-{index}.gen5", latents=SMALL, **NOTHING)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        assert 80 == len(list(tmp_path.glob("*.gen5"))) == len(os.listdir(tmp_path))

    def test_cleanup_right_before_the_rename(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another save that starts between closing and renaming does not remove the temporary file."""
        close = os.close
        swept = []

        def close_and_clean_up(fd: int) -> None:
            close(fd)
            swept.append(len(os.listdir(tmp_path)))
            atomic.remove_stale(tmp_path)

        monkeypatch.setattr(atomic.os, "close", close_and_clean_up)
        with atomic.atomic_file(tmp_path / "a") as fd:
            atomic.write_all(fd, [b"whole"])
        assert swept == [1]
        assert (tmp_path / "a").read_bytes() == b"whole"

    def test_stale_temporary_files(self, tmp_path: Path) -> None:
        """The temporary file of a killed process is removed once it is old; one that is open never is."""
        old, new, held = (tmp_path / f".gen5-{digit * 16}.tmp" for digit in "0ab")
        fd = os.open(held, os.O_RDWR | os.O_CREAT)
        for path in (old, new):
            path.touch()
        for path in (old, held):
            os.utime(path, (time.time() - 25 * 3600,) * 2)
        atomic.remove_stale(tmp_path)
        os.close(fd)
        assert {new.name, held.name} == set(os.listdir(tmp_path))

    def test_a_failing_save_leaves_nothing(self, tmp_path: Path) -> None:
        """The temporary file is closed before it is removed."""
        with pytest.raises(TypeError), atomic.atomic_file(tmp_path / "a") as fd:
            atomic.write_all(fd, [b"half", 5])  # type: ignore[list-item]
        assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows cannot open a folder; the message says that it is a folder, not that access was denied."""
    open_file = os.open

    def refuse_folders(path: Any, *arguments: Any, **further: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_file(path, *arguments, **further)

    monkeypatch.setattr(os, "open", refuse_folders)
    with pytest.raises(NotGen5Error, match="is a folder"):
        gen5core.open(tmp_path)


@pytest.mark.parametrize(
    "command",
    ["keygen -o 猫.pem", "sign 犬.gen5 --key 鳥.pem", "info 犬.gen5", "info no猫.gen5"],
)
def test_pipe_with_a_limited_charset(tmp_path: Path, command: str) -> None:
    """Characters that a pipe on Windows cannot encode are escaped, and no command fails because of them."""
    gen5core.save(tmp_path / "犬.gen5", prompt="猫", **NOTHING)
    save_signing_key(tmp_path / "鳥.pem", gen5core.SigningKey.from_seed(signer.SEED))
    root = str(Path(gen5core.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "gen5core", *command.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONPATH": root},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == (2 if "no猫" in command else 0), done.stderr
    assert b"\\u" in done.stdout + done.stderr

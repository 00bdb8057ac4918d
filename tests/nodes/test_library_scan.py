"""Which files the library has, and that a scan reads only what changed."""

from __future__ import annotations

import os
import shutil
import string
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gen5pack import gen5core
from gen5pack.nodes.library import scan as library_scan
from gen5pack.nodes.library.entry import Entry, read_entry
from gen5pack.nodes.library.index import Index
from gen5pack.nodes.library.scan import BATCH_FILES, Found, library_roots, scan, walk
from gen5pack.nodes.stored.choices import list_files
from gen5pack.nodes.stored.folders import Stamp, is_png
from gen5pack.nodes.stored.paths import resolve_file
from library_files import index_of, stamps, write

Reads = list[str]
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
PLAIN = gen5core.encode_image(PIXELS)


@pytest.fixture
def index(folder: Path) -> Index:
    return index_of(folder)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """The names of the files that scans read."""
    names: Reads = []

    def record(path: str, name: str, stamp: Stamp) -> Entry | None:
        names.append(name)
        return read_entry(path, name, stamp)

    monkeypatch.setattr(library_scan, "read_entry", record)
    return names


def listed() -> list[str]:
    """Return the names of all files except ordinary PNGs, sorted."""
    found = [file for root, suffix in library_roots().items() for file in walk(root, suffix)]
    return sorted(file.name for file in found if not is_png(file.path) or gen5core.is_carrier(file.path))


def indexed(index: Index, query: str = "") -> list[str]:
    """Return the names in the index, sorted."""
    return sorted(one.item["name"] for one in index.page(library_roots(), query, 0, 10_000)[1])


class TestWalk:
    def test_as_load_lists_them(self, folder: Path) -> None:
        """Every .gen5 file, and every PNG that carries a record, of input/ and output/, as Load Gen5 names them."""
        for name in ("input/b.gen5", "input/sub/deep/a.gen5", "output/猫 [1].gen5", "output/x/UPPER.GEN5"):
            write(folder / name.replace("GEN5", "gen5"))
        os.rename(folder / "output/x/UPPER.gen5", folder / "output/x/UPPER.GEN5")
        write(folder / "output" / "x" / "c.png", images=PIXELS)
        os.rename(folder / "output/x/c.png", folder / "output/x/c.PNG")
        for name in ("input/no.png", "temp/hidden.gen5", "input/.gen5-0123456789abcdef.tmp"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
        own = ["b.gen5", "sub/deep/a.gen5"]
        expected = [*own, "x/UPPER.GEN5 [output]", "x/c.PNG [output]", "猫 [1].gen5 [output]"]
        assert expected == listed() == sorted(list_files())
        assert all(resolve_file(name).is_file() for name in listed())

    def test_links(self, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        """A link to a file inside is listed; one that leads out, a broken one, or a linked folder is not."""
        outside = write(tmp_path_factory.mktemp("outside") / "x.gen5")
        inside = write(folder / "input" / "a.gen5")
        links = {"in": inside, "out": outside, "broken": folder / "gone", "up": folder / "output" / "z.gen5"}
        write(links["up"])
        for name, target in links.items():
            (folder / "input" / f"{name}.gen5").symlink_to(target)
        (folder / "input" / "folder").symlink_to(outside.parent)
        (folder / "input" / "loop").symlink_to(folder / "input")
        expected = ["a.gen5", "in.gen5", "z.gen5 [output]"]
        assert expected == listed() == sorted(list_files())

    @pytest.mark.skipif(os.name != "posix", reason="FIFOs are POSIX")
    def test_other_things(self, folder: Path) -> None:
        """Folders and FIFOs named like files are skipped, and a FIFO does not block the scan."""
        write(folder / "input" / "folder.gen5" / "a.gen5")
        os.mkfifo(folder / "input" / "fifo.gen5")
        (folder / "input" / "link.gen5").symlink_to(folder / "input" / "fifo.gen5")
        assert listed() == ["folder.gen5/a.gen5"]

    def test_no_folders(self, folder: Path) -> None:
        """Missing folders have no files."""
        for kind in ("input", "output"):
            (folder / kind).rmdir()
        assert listed() == []

    def test_folder_that_may_not_be_read(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Folders that may not be listed are skipped, the others are not."""
        for name in ("a.gen5", "secret/b.gen5", "z/c.gen5"):
            write(folder / "input" / name)
        refuse_to_list(monkeypatch, "secret")
        assert listed() == ["a.gen5", "z/c.gen5"]

    def test_one_folder_for_both(self, folder: Path) -> None:
        """If output/ and input/ are the same folder, each file is listed once."""
        (folder / "output").rmdir()
        (folder / "output").symlink_to(folder / "input")
        write(folder / "input" / "a.gen5")
        assert listed() == ["a.gen5"]

    def test_roots_are_read_each_time(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The folders are ComfyUI's current ones."""
        write(folder / "elsewhere" / "output" / "a.gen5")
        assert listed() == []
        monkeypatch.setenv("GEN5_FOLDER", str(folder / "elsewhere"))
        assert listed() == ["a.gen5 [output]"]


def refuse_to_list(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make folders with a name unreadable, also for root."""
    scandir: Callable[..., object] = os.scandir

    def refusing(path: str) -> object:
        if name in str(path):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


class TestChanges:
    def test_unchanged_files_are_not_read(self, folder: Path, index: Index, reads: Reads) -> None:
        """Each file is read once, the newest first."""
        for number in range(3):
            write(folder / "input" / f"{number}.gen5", mtime=1000 + number)
        for _ in range(2):
            scan(index, library_roots())
        assert reads == ["2.gen5", "1.gen5", "0.gen5"]
        assert sorted(reads) == indexed(index)

    def test_new_file(self, folder: Path, index: Index, reads: Reads) -> None:
        """Only a new file is read."""
        write(folder / "input" / "a.gen5")
        scan(index, library_roots())
        write(folder / "output" / "sub" / "b.gen5")
        scan(index, library_roots())
        assert ["a.gen5", "sub/b.gen5 [output]"] == reads == indexed(index)

    def test_replaced_by_one_of_the_same_size(self, folder: Path, index: Index) -> None:
        """A file whose modification time (in nanoseconds) or size changed is read again."""
        path = write(folder / "input" / "a.gen5", prompt="first")
        os.utime(path, ns=(10**18, 10**18))
        scan(index, library_roots())
        size = path.stat().st_size
        write(path, prompt="other")
        path.write_bytes(path.read_bytes().ljust(size, b"\0")[:size])
        os.utime(path, ns=(10**18, 10**18 + 1))
        assert size == path.stat().st_size
        scan(index, library_roots())
        write(path, prompt=f"of another size: {string.ascii_letters}")  # META's size varies by some ten bytes
        os.utime(path, ns=(10**18, 10**18 + 1))
        scan(index, library_roots())
        assert (indexed(index, "first"), indexed(index, "another")) == ([], ["a.gen5"])

    def test_removed_and_renamed(self, folder: Path, index: Index, reads: Reads) -> None:
        """Files that are gone are dropped; a renamed file is listed only under its new name."""
        for name in ("a.gen5", "b.gen5", "c.gen5"):
            write(folder / "input" / name)
        scan(index, library_roots())
        (folder / "input" / "a.gen5").unlink()
        (folder / "input" / "b.gen5").rename(folder / "input" / "B2.gen5")
        reads.clear()
        scan(index, library_roots())
        assert (indexed(index), reads) == (["B2.gen5", "c.gen5"], ["B2.gen5"])
        shutil.rmtree(folder / "input")
        scan(index, library_roots())
        assert indexed(index) == []

    def test_half_written_file(self, folder: Path, index: Index) -> None:
        """A file read while it is being copied is listed as truncated, and correctly once it is complete."""
        data = write(folder / "whole.gen5", prompt="a cat").read_bytes()
        path = folder / "input" / "a.gen5"
        path.write_bytes(data[:-10])
        scan(index, library_roots())
        [one] = index.page(library_roots(), "", 0, 9)[1]
        assert "it was cut or is still being copied" in one.item["error"]
        path.write_bytes(data)
        scan(index, library_roots())
        [one] = index.page(library_roots(), "cat", 0, 9)[1]
        assert one.item["error"] is None

    def test_vanishing_file(self, folder: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that is deleted between listing and reading is skipped."""
        paths = [write(folder / "input" / name) for name in ("a.gen5", "b.gen5")]

        def read(path: str, name: str, stamp: Stamp) -> Entry | None:
            paths[1].unlink(missing_ok=True)
            return read_entry(path, name, stamp)

        monkeypatch.setattr(library_scan, "read_entry", read)
        scan(index, library_roots())
        assert indexed(index) == ["a.gen5"]

    def test_file_that_may_not_be_read(self, folder: Path, index: Index, reads: Reads) -> None:
        """A file that may not be read is listed with the reason, and is read once that is allowed."""
        path = write(folder / "input" / "a.gen5", prompt="a cat")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gen5pack.gen5core.container.source.os.open", _refuse)
            for _ in range(2):
                scan(index, library_roots())
        [one] = index.page(library_roots(), "", 0, 9)[1]
        assert one.item["error"] == "Permission denied"
        scan(index, library_roots())
        scan(index, library_roots())
        assert (indexed(index, "cat"), reads) == (["a.gen5"], ["a.gen5"] * 3)
        assert path.exists()

    @pytest.mark.skipif(sys.platform != "linux", reason="other file systems take no such names")
    def test_name_that_is_no_text(self, folder: Path, index: Index) -> None:
        """A name that is not UTF-8 is escaped, with a remedy; the other files are listed too."""
        write(folder / "input" / "a.gen5")
        os.rename(folder / "input" / "a.gen5", os.fsencode(folder / "input") + b"/\xff.gen5")
        write(folder / "input" / "b.gen5")
        for _ in range(2):
            scan(index, library_roots())
        errors = {one.item["name"]: one.item["error"] for one in index.page(library_roots(), "", 0, 9)[1]}
        assert errors == {"b.gen5": None, "\\udcff.gen5": "its name is not UTF-8: rename it"}

    @pytest.mark.parametrize("seconds", [-(10**9), 0, 2**33, 2**34])
    def test_any_time_of_change(self, folder: Path, index: Index, reads: Reads, seconds: int) -> None:
        """Times before 1970, or too late for SQLite's nanoseconds, work as well."""
        path = write(folder / "input" / "a.gen5")
        try:
            os.utime(path, (seconds, seconds))
        except OverflowError:
            pytest.skip("this file system has no such time")
        for _ in range(2):
            scan(index, library_roots())
        assert (indexed(index), len(reads)) == (["a.gen5"], 1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """The names of the PNGs that were opened to see whether they carry a record."""
    names: Reads = []
    is_carrier = gen5core.is_carrier

    def record(path: str) -> bool:
        names.append(Path(path).name)
        return bool(is_carrier(path))

    monkeypatch.setattr(gen5core, "is_carrier", record)
    return names


class TestPngs:
    def test_ordinary_ones_are_opened_once(
        self, folder: Path, index: Index, opened: Reads, reads: Reads
    ) -> None:
        """An ordinary PNG is on no page and not counted; thanks to its stamp later scans do not open it again."""
        for name in ("a.png", "b.png"):
            (folder / "output" / name).write_bytes(PLAIN)
        write(folder / "output" / "c.png", images=PIXELS, prompt="a cat")
        for _ in range(2):
            scan(index, library_roots())
        scan(index_of(folder), library_roots())
        assert (sorted(opened), reads) == (["a.png", "b.png", "c.png"], ["c.png [output]"])
        assert (indexed(index), index.count(library_roots())) == (["c.png [output]"], 1)
        [one] = index.page(library_roots(), "cat", 0, 9)[1]
        assert (one.item["carrier"], one.item["error"], one.item["images"]) == (True, None, 1)

    def test_one_becomes_the_other(self, folder: Path, index: Index) -> None:
        """A PNG whose record is removed leaves the library; one that gets a record is added."""
        path = write(folder / "output" / "a.png", images=PIXELS)
        whole = path.read_bytes()
        for data, expected in ((whole, ["a.png [output]"]), (PLAIN, []), (whole, ["a.png [output]"])):
            path.write_bytes(data)
            scan(index, library_roots())
            assert indexed(index) == expected
        path.unlink()
        scan(index, library_roots())
        assert stamps(index, library_roots()) == {}

    def test_removed(self, folder: Path, index: Index) -> None:
        """The row of an ordinary PNG that is gone is removed."""
        (folder / "output" / "a.png").write_bytes(PLAIN)
        scan(index, library_roots())
        assert len(stamps(index, library_roots())) == 1
        (folder / "output" / "a.png").unlink()
        scan(index, library_roots())
        assert stamps(index, library_roots()) == {}

    def test_cut_inside_the_record(self, folder: Path, index: Index) -> None:
        """A PNG that ends inside its record is listed with the reason."""
        path = write(folder / "output" / "a.png", images=PIXELS)
        path.write_bytes(path.read_bytes()[:-20])
        scan(index, library_roots())
        [one] = index.page(library_roots(), "", 0, 9)[1]
        assert one.item["carrier"]
        assert "it was cut or is still being copied" in one.item["error"]

    def test_cut_before_it(self, folder: Path, index: Index) -> None:
        """A PNG that ends before its record is listed with the reason, since its start says that it had one."""
        path = write(folder / "output" / "a.png", images=PIXELS)
        whole = path.read_bytes()
        for size_bytes in (40, 90):
            path.write_bytes(whole[:size_bytes])
            scan(index, library_roots())
            [one] = index.page(library_roots(), "", 0, 9)[1]
            assert (one.item["carrier"], one.item["kind"]) == (True, "truncated")

    def test_damaged_at_its_start(self, folder: Path, index: Index) -> None:
        """A PNG whose signature or IHDR is damaged is listed as damaged; an ordinary one is skipped."""
        path = write(folder / "output" / "a.png", images=PIXELS)
        for data in (path.read_bytes(), PLAIN):
            for name, place in (("a.png", 1), ("b.png", 11), ("c.png", 12)):
                (folder / "output" / name).write_bytes(data[:place] + b"\xff" + data[place + 1 :])
            scan(index, library_roots())
            found = [one.item["kind"] for one in index.page(library_roots(), "", 0, 9)[1]]
            assert found == ([] if data == PLAIN else ["damaged", "damaged", "damaged"])

    def test_not_a_png_at_all(self, folder: Path, index: Index) -> None:
        """Files that are only named like PNGs, or may not be opened, are skipped."""
        (folder / "output" / "a.png").write_bytes(b"GEN5" + bytes(100))
        (folder / "output" / "b.png").write_bytes(b"")
        write(folder / "output" / "c.png", images=PIXELS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gen5pack.gen5core.container.source.os.open", _refuse)
            scan(index, library_roots())
            assert stamps(index, library_roots()) == {}
        scan(index, library_roots())
        assert indexed(index) == ["c.png [output]"]

    def test_one_that_can_no_longer_be_opened(self, folder: Path, index: Index) -> None:
        """A PNG that changed and cannot be opened is no longer listed or counted."""
        path = write(folder / "output" / "a.png", images=PIXELS, prompt="first")
        scan(index, library_roots())
        write(path, images=PIXELS, prompt="another, of another size")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gen5pack.gen5core.container.source.os.open", _refuse)
            scan(index, library_roots())
        assert (indexed(index), index.count(library_roots())) == ([], 0)
        scan(index, library_roots())
        assert indexed(index, "another") == ["a.png [output]"]


class TestProgress:
    def test_counts(self, folder: Path, index: Index) -> None:
        """Progress has the number of files read and to be read; pages grow with it, the newest first."""
        data = write(folder / "one.gen5").read_bytes()
        count = 2 * BATCH_FILES + 1
        for number in range(count):
            path = folder / "input" / f"{number:04}.gen5"
            path.write_bytes(data)
            os.utime(path, (number, number))
        seen = []
        scan(
            index,
            library_roots(),
            lambda done, total: seen.append((done, total, index.count(library_roots()))),
        )
        assert [(done, count, done) for done in (0, BATCH_FILES, 2 * BATCH_FILES, count)] == seen
        again: list[tuple[int, int]] = []
        scan(index, library_roots(), lambda done, total: again.append((done, total)))
        assert again == [(0, 0)]

    def test_index_that_is_lost_meanwhile(self, folder: Path, index: Index) -> None:
        """An index that is deleted during a scan still has every file at the end."""
        data = write(folder / "one.gen5").read_bytes()
        for number in range(BATCH_FILES + 1):
            (folder / "input" / f"{number:04}.gen5").write_bytes(data)
        lost: list[int] = []

        def lose(done: int, total: int) -> None:
            if done == BATCH_FILES and not lost:
                lost.append(done)
                index._path.unlink()

        scan(index, library_roots(), lose)
        assert index.count(library_roots()) == BATCH_FILES + 1

    def test_file_that_another_process_adds(
        self, folder: Path, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that another process writes and indexes during the scan is not dropped."""
        scan(index, library_roots())

        def walk_and_be_late(root: str, annotation: str) -> list[Found]:
            found = list(walk(root, annotation))
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(library_scan, "walk", walk)
                write(folder / "input" / "late.gen5")
                scan(index_of(folder), library_roots())
            return found

        monkeypatch.setattr(library_scan, "walk", walk_and_be_late)
        scan(index, library_roots())
        assert indexed(index) == ["late.gen5"]

    def test_index_damaged_before(self, folder: Path, index: Index, reads: Reads) -> None:
        """A damaged index is filled again."""
        write(folder / "input" / "a.gen5")
        scan(index, library_roots())
        index._path.write_bytes(b"damaged" * 1000)
        scan(index, library_roots())
        assert (indexed(index), reads) == (["a.gen5"], ["a.gen5"] * 2)


def _refuse(*_: object, **__: object) -> int:
    raise PermissionError(13, "Permission denied")

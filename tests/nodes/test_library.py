"""Pages of the library: what a browser gets, drift from this machine, and the scan in the background."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gen5pack import gen5core
from gen5pack.gen5core.environment.components import Component
from gen5pack.nodes.library import library as library_module
from gen5pack.nodes.library.library import MAX_LIMIT, Library
from gen5pack.nodes.stored import drift
from library_files import index_of, names, scanned, write

IDLE = {"running": False, "done": 0, "total": 0}

FIELDS = (
    "name size_bytes mtime date seed steps cfg sampler scheduler width height prompt model_name tags "
    "noise_source images latents sealed carrier error kind trust drift_count"
)


class TestPage:
    def test_contract(self, folder: Path) -> None:
        """A page has the fields that the web extension reads, and is JSON."""
        write(folder / "output" / "b.gen5", settings={"seed": 2**64 - 1}, prompt="a cat", mtime=1000.5)
        (folder / "input" / "a.gen5").write_bytes(b"GEN5 but damaged")
        page = scanned(folder).page()
        assert list(page) == ["total", "files", "offset", "items", "scan"]
        assert (page["total"], page["files"], page["offset"], page["scan"]) == (2, 2, 0, IDLE)
        damaged, whole = page["items"]
        assert FIELDS.split() == list(whole) == list(damaged)
        assert (whole["seed"], whole["mtime"], whole["error"], whole["kind"]) == (
            "18446744073709551615",
            1000.5,
            None,
            None,
        )
        assert [(item["carrier"], item["trust"]) for item in (whole, damaged)] == [
            (False, "unsigned"),
            (False, None),
        ]
        assert (damaged["name"], damaged["size_bytes"], damaged["drift_count"]) == ("a.gen5", 16, None)
        assert "header" in damaged["error"]
        json.dumps(page, allow_nan=False)

    def test_paging_and_counts(self, folder: Path) -> None:
        """total counts what matches, files everything; offset and limit cut the matches."""
        for number in range(5):
            write(folder / "input" / f"{number}.gen5", prompt=f"cat {number % 2}", mtime=1000 + number)
        library = scanned(folder)
        page = library.page("cat 0", offset=1, limit=1)
        assert (
            page["total"],
            page["files"],
            page["offset"],
            [item["name"] for item in page["items"]],
        ) == (3, 5, 1, ["2.gen5"])

    @pytest.mark.parametrize(
        ("offset", "limit", "expected"), [(-5, 1, 1), (0, -1, 0), (0, 0, 0), (9**9, 5, 0)]
    )
    def test_odd_bounds(self, folder: Path, offset: int, limit: int, expected: int) -> None:
        """Invalid offsets and limits still give a page."""
        for name in ("a", "b"):
            write(folder / "input" / f"{name}.gen5")
        page = scanned(folder).page(offset=offset, limit=limit)
        assert (2, expected, max(offset, 0)) == (page["total"], len(page["items"]), page["offset"])

    def test_most_on_a_page(self, folder: Path) -> None:
        """A page has at most MAX_LIMIT files, whatever the limit."""
        data = write(folder / "one.gen5").read_bytes()
        for number in range(MAX_LIMIT + 1):
            (folder / "input" / f"{number}.gen5").write_bytes(data)
        assert len(scanned(folder).page(limit=10**6)["items"]) == MAX_LIMIT

    def test_nothing_scanned(self, folder: Path) -> None:
        """Before the first scan the page is empty."""
        library = scanned(folder)
        write(folder / "input" / "a.gen5")
        expected = {"total": 0, "files": 0, "offset": 0, "items": [], "scan": IDLE}
        assert library.page() == expected

    @pytest.mark.parametrize("query", ["", "a.gen5"])
    def test_index_rebuilt(self, folder: Path, query: str) -> None:
        """A page that finds the index damaged says that a scan is running, and a later page has the files."""
        write(folder / "input" / "a.gen5")
        library = scanned(folder)
        (folder / "user" / "gen5" / "library.sqlite3").write_bytes(b"not a database" * 999)
        page = library.page(query)
        assert (page["total"], page["scan"]["running"]) == (0, True)
        library.wait()
        page = library.page(query)
        assert (page["total"], page["scan"]["running"]) == (1, False)

    def test_any_damage_is_healed(self, folder: Path) -> None:
        """An index of which any three bytes were changed is complete and correct after the next scan."""
        for number in range(12):
            write(folder / "output" / f"{number}.gen5", mtime=10**9 + number, prompt=f"cat {number}")
        expected = scanned(folder).page("cat")["items"]
        path = folder / "user" / "gen5" / "library.sqlite3"
        sound, rng = path.read_bytes(), random.Random(6)
        for _ in range(60):
            damaged = bytearray(sound)
            for _ in range(3):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            path.write_bytes(damaged)
            assert scanned(folder).page("cat")["items"] == expected
        assert len(expected) == 12

    def test_index_moved_to_memory(self, folder: Path) -> None:
        """So does a page that finds the index unusable and keeps a new one in memory."""
        write(folder / "input" / "a.gen5")
        library = scanned(folder)
        path = folder / "user" / "gen5" / "library.sqlite3"
        path.unlink()
        path.mkdir()
        assert library.page()["scan"]["running"]
        library.wait()
        assert names(library) == ["a.gen5"]


class TestDrift:
    @pytest.fixture
    def compared(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The MadeIn that were compared with this machine."""
        seen: list[Any] = []
        count: Callable[..., list[Any]] = library_module.stored_drifts

        def record(made_in: Any, **options: Any) -> list[Any]:
            seen.append(made_in)
            return count(made_in, **options)

        monkeypatch.setattr(library_module, "stored_drifts", record)
        return seen

    def test_as_the_node_counts(self, folder: Path) -> None:
        """The count is that of Environment Drift; a file without an environment has none."""
        now = gen5core.Environment.capture()
        parts = [part for part in now.components if part.component_id != "numpy"]
        other = gen5core.Environment((*parts, Component("numpy", "name=numpy;version=0.9")), now.further)
        write(folder / "input" / "none.gen5", mtime=3)
        write(folder / "input" / "same.gen5", environment=now, mtime=2)
        write(folder / "input" / "other.gen5", environment=other, hardware={"cpu": "8086"}, mtime=1)
        items = scanned(folder).page()["items"]
        with gen5core.open(folder / "input" / "other.gen5") as file:
            expected = len(drift.stored_drifts(file))
        assert expected == 2
        assert [item["drift_count"] for item in items] == [None, 0, expected]

    def test_alike_files_are_compared_once(self, folder: Path, compared: list[Any]) -> None:
        """Files made in the same environment are compared once, and again only after a refresh."""
        now = gen5core.Environment.capture()
        for number in range(6):
            write(folder / "input" / f"{number}.gen5", environment=now, resources=[{"name": str(number % 2)}])
        library = scanned(folder)
        for _ in range(3):
            assert [item["drift_count"] for item in library.page()["items"]] == [0] * 6
        assert len(compared) == 2
        library.refresh()
        library.wait()
        library.page()
        assert len(compared) == 4

    def test_models(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A missing model counts, in a file without an environment too; no model file is read completely."""
        asked = []

        def describe(stored: dict[str, Any], *, quick: bool) -> dict[str, Any] | None:
            asked.append(quick)
            return dict(stored) if "size_bytes" not in stored else {"name": stored["name"]}

        monkeypatch.setattr(drift, "describe_resource", describe)
        write(folder / "input" / "a.gen5", resources=[{"name": "m", "size_bytes": 5}, {"name": "n"}])
        assert (counts(scanned(folder)), asked) == ([1], [True, True])

    @pytest.mark.parametrize("error", [FileNotFoundError, RecursionError])
    def test_model_that_goes_away(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
    ) -> None:
        """A model that vanishes, or cannot be compared, leaves the count unknown; the page still works."""

        def vanish(*_: Any, **__: Any) -> list[Any]:
            raise error

        monkeypatch.setattr(library_module, "stored_drifts", vanish)
        write(folder / "input" / "a.gen5", resources=[{"name": "m"}])
        assert counts(scanned(folder)) == [None]


def counts(library: Library) -> list[Any]:
    return [item["drift_count"] for item in library.page()["items"]]


class Gate:
    """A scan that waits, so that a test can check what happens during it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started, self.go_on, self.count = threading.Semaphore(0), threading.Semaphore(0), 0
        scan = library_module.scan

        def waiting(*arguments: Any) -> None:
            self.count += 1
            self.started.release()
            assert self.go_on.acquire(timeout=30)
            scan(*arguments)

        monkeypatch.setattr(library_module, "scan", waiting)


class TestRefresh:
    @pytest.fixture
    def gate(self, monkeypatch: pytest.MonkeyPatch) -> Gate:
        return Gate(monkeypatch)

    def test_answers_at_once(self, folder: Path, gate: Gate) -> None:
        """A refresh returns what is indexed and says that a scan is running; afterwards the page is complete."""
        write(folder / "input" / "a.gen5")
        library = Library(index_of(folder))
        library.page(refresh=True)
        assert gate.started.acquire(timeout=30)
        page = library.page()
        assert (page["total"], page["scan"]["running"]) == (0, True)
        gate.go_on.release()
        library.wait()
        page = library.page()
        assert (page["total"], page["scan"]) == (1, {"running": False, "done": 1, "total": 1})

    def test_one_at_a_time(self, folder: Path, gate: Gate) -> None:
        """Any number of refreshes during a scan lead to one more scan, which finds files added meanwhile."""
        library = Library(index_of(folder))
        library.refresh()
        assert gate.started.acquire(timeout=30)
        for _ in range(5):
            library.refresh()
        assert gate.count == 1
        gate.go_on.release()
        assert gate.started.acquire(timeout=30)
        write(folder / "input" / "late.gen5")
        gate.go_on.release()
        library.wait()
        assert (gate.count, names(library)) == (2, ["late.gen5"])

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_after_a_failure(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A scan that fails does not leave the library in the running state."""

        def fail(*_: Any) -> None:
            raise ZeroDivisionError

        write(folder / "input" / "a.gen5")
        library = scanned(folder)
        write(folder / "input" / "b.gen5")
        with monkeypatch.context() as patch:
            patch.setattr(library_module, "scan", fail)
            library.refresh()
            library.wait()
        assert library.page()["scan"] == IDLE
        library.refresh()
        library.wait()
        assert set(names(library)) == {"a.gen5", "b.gen5"}

    def test_pages_during_scans(self, folder: Path) -> None:
        """Pages read by several threads while scans add, change and remove files are consistent, without an error."""
        data = write(folder / "one.gen5", prompt="a cat").read_bytes()
        library, ended, errors = Library(index_of(folder)), threading.Event(), list[BaseException]()

        def ask() -> None:
            try:
                for number in itertools.count():
                    page = library.page("cat", offset=number % 50, limit=20, refresh=number % 5 == 0)
                    assert min(20, max(page["total"] - page["offset"], 0)) == len(page["items"])
                    if ended.is_set():
                        return
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(300):
            path = folder / "input" / f"{number % 120}.gen5"
            path.unlink() if path.exists() and number % 3 else path.write_bytes(data)
        ended.set()
        for thread in threads:
            thread.join()
        library.refresh()
        library.wait()
        assert errors == []
        expected = sorted(path.name for path in (folder / "input").iterdir())
        assert sorted(names(library)) == expected


class TestModule:
    def test_place(self, folder: Path) -> None:
        """The index is in ComfyUI's user folder; the module's page is that library's."""
        write(folder / "input" / "a.gen5", prompt="a cat")
        library_module.page(refresh=True)
        library_module.library().wait()
        assert (folder / "user" / "gen5" / "library.sqlite3").is_file()
        page = library_module.page(query="cat", offset=0, limit=60, refresh=False)
        assert [item["name"] for item in page["items"]] == ["a.gen5"]
        assert library_module.library() is library_module.library()

    def test_nothing_is_read_by_pages(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A page opens no file of the library."""
        write(folder / "input" / "a.gen5", environment=gen5core.Environment.capture())
        library = scanned(folder)
        monkeypatch.setattr(gen5core, "open", None)
        (folder / "input" / "a.gen5").unlink()
        assert names(library) == ["a.gen5"]

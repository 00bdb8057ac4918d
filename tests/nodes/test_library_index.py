"""The index: what a query finds, and an index that is damaged, has another schema, is shared or not writable."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gen5pack.nodes.library import index as library_index
from gen5pack.nodes.library import tables
from gen5pack.nodes.library.entry import Entry, Item, searchable
from gen5pack.nodes.library.index import Index
from gen5pack.nodes.library.tables import SCHEMA_VERSION, Row
from gen5pack.nodes.stored.folders import Stamp
from hypothesis import given, settings
from hypothesis import strategies as st
from library_files import index_of, stamps

ROOT = "/library"
ROOTS = (ROOT, "/other")


def row(name: str, text: str = "", *, mtime_ns: int = 1, made_in: str | None = None, root: str = ROOT) -> Row:
    entry = Entry(Item(name, 1, 1.0), searchable(text or name), made_in)
    return Row(root, name, Stamp(1, mtime_ns), entry)


def found(index: Index, query: str = "", offset: int = 0, limit: int = 1000) -> list[str]:
    return [one.item["name"] for one in index.page(ROOTS, query, offset, limit)[1]]


@pytest.fixture
def index(folder: Path) -> Index:
    return index_of(folder)


@pytest.fixture
def path(folder: Path) -> Path:
    """The path of the index, whose folder exists."""
    path = folder / "user" / "gen5" / "library.sqlite3"
    path.parent.mkdir(parents=True)
    return path


class TestOrder:
    def test_newest_first(self, index: Index) -> None:
        """The newest files come first, those of the same time by name."""
        index.put([row("b", mtime_ns=5), row("c", mtime_ns=9), row("a", mtime_ns=5), row("d", mtime_ns=-1)])
        assert found(index) == ["c", "a", "b", "d"]

    def test_pages(self, index: Index) -> None:
        """All pages together have each file once; a page beyond the end is empty."""
        index.put([row(f"{number:02}", mtime_ns=number // 3) for number in range(20)])
        pages = [found(index, offset=offset, limit=7) for offset in range(0, 28, 7)]
        assert found(index) == [name for page in pages for name in page]
        assert [len(page) for page in pages] == [7, 7, 6, 0]
        assert 20 == index.page(ROOTS, "", 14, 7)[0] == index.count(ROOTS)

    def test_other_folders(self, index: Index) -> None:
        """ComfyUIs with different folders can share an index, and neither sees the other's files."""
        index.put([row("a"), row("a", root="/elsewhere"), row("b", root="/elsewhere")])
        assert (found(index), index.count(ROOTS)) == (["a"], 1)
        assert stamps(index, ["/elsewhere"]).keys() == {("/elsewhere", "a"), ("/elsewhere", "b")}

    def test_folder_that_is_not_utf8(self, index: Index) -> None:
        """A folder's name need not be UTF-8."""
        root = os.fsdecode(b"/\xff")
        index.put([row("a", root=root)])
        assert {(root, "a"): Stamp(1, 1)} == stamps(index, [root])


class TestChanges:
    def test_put_again(self, index: Index) -> None:
        """A file that is put twice is stored once, as it was last."""
        index.put([row("a", "old", mtime_ns=1)])
        index.put([row("a", "new", mtime_ns=2)])
        assert (found(index, "old"), found(index, "new")) == ([], ["a"])
        assert {(ROOT, "a"): Stamp(1, 2)} == stamps(index, ROOTS)

    def test_drop(self, index: Index) -> None:
        """A dropped file is not found, and a MadeIn that no other file has is removed."""
        index.put([row("a", made_in="x"), row("b", made_in="y"), row("c", made_in="y"), row("d")])
        index.drop([(ROOT, "a"), (ROOT, "b"), (ROOT, "never there")])
        assert found(index) == ["c", "d"]
        assert [one.made_in for one in index.page(ROOTS, "", 0, 9)[1]] == ["y", None]
        with closing(sqlite3.connect(index._path)) as database:
            assert database.execute("SELECT document FROM made_in").fetchall() == [("y",)]

    def test_drop_nothing(self, index: Index) -> None:
        """Dropping nothing does not create the index."""
        index.drop([])
        assert not index._path.exists()

    def test_unsettled(self, index: Index) -> None:
        """A file that could not be read is stored without a stamp, so that it is read again."""
        index.put([Row(ROOT, "a", Stamp(1, 1), Entry(Item("a", 1, 1.0), "a", is_settled=False))])
        assert stamps(index, ROOTS) == {(ROOT, "a"): None}

    def test_ordinary_pngs(self, index: Index) -> None:
        """An ordinary PNG has a stamp and is on no page; what was put last counts."""
        ordinary = Row(ROOT, "a", Stamp(7, 8), None)
        index.put([row("b"), ordinary])
        assert (found(index), index.count(ROOTS), stamps(index, ROOTS)[ROOT, "a"]) == (["b"], 1, Stamp(7, 8))
        index.put([row("a"), Row(ROOT, "b", Stamp(9, 9), None)])
        assert (
            found(index),
            *(stamps(index, ROOTS)[ROOT, name] for name in ("a", "b")),
        ) == (["a"], Stamp(1, 1), Stamp(9, 9))
        index.drop([(ROOT, "a"), (ROOT, "b")])
        assert stamps(index, ROOTS) == {}


TEXTS = ("A Cat, 猫 neon", "cafe\u0301 noir 100%", "seed 18446744073709551615", "dpmpp_2m_sde 'quoted\"", "")


class TestQueries:
    @pytest.fixture(autouse=True)
    def stored(self, index: Index) -> None:
        index.put([row(str(number), text) for number, text in enumerate(TEXTS)])

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", "01234"),
            ("  \t ", "01234"),
            ("cat", "0"),
            ("CAT", "0"),
            ("neo", "0"),
            ("eon", "0"),
            ("neon cat", "0"),
            ("neon dog", ""),
            ("猫", "0"),
            ("caf\xe9", "1"),
            ("100%", "1"),
            ("%", "1"),
            ("551615", "2"),
            ("18446744073709551615", "2"),
            ("dpmpp_2m", "3"),
            ("_", "3"),
            ("'", "3"),
            ('"', "3"),
            ("n n n", "01"),
            ("c" * 10_000, ""),
            (" ".join(map(str, range(5000))), ""),
            ("a\0b", ""),
            ("\ud800", ""),
            ("* OR NEAR( -x ^", ""),
        ],
        ids=ascii,
    )
    def test_query(self, index: Index, query: str, expected: str) -> None:
        """Every word must occur in the text, ignoring case; no character has a special meaning."""
        assert found(index, query) == list(expected)
        assert len(expected) == index.page(ROOTS, query, 0, 1)[0]


def test_without_a_full_text_index(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite has no index of trigrams, the same files are found; the one index is no use to the other."""
    with monkeypatch.context() as patch:
        patch.setattr(tables, "_FULL_TEXT", "CREATE VIRTUAL TABLE words USING no_such_module(text)")
        tables._has_trigrams.cache_clear()
        index = Index(path)
        index.put([row(str(number), text) for number, text in enumerate(TEXTS)])
        queries = ("cat", "neon cat", "dpmpp_2m", "'", "551615", "a\0b", "zzz")
        assert [found(index, query) for query in queries] == [["0"], ["0"], ["3"], ["3"], ["2"], [], []]
        index.drop([(ROOT, "0")])
        assert (found(index, "cat"), stamps(Index(path), ROOTS).keys()) == (
            [],
            {(ROOT, str(n)) for n in (1, 2, 3, 4)},
        )
    tables._has_trigrams.cache_clear()
    assert found(Index(path), "dpmpp_2m") == []
    assert tables._has_trigrams() is (sqlite3.sqlite_version_info >= (3, 34))


def plainly_matches(text: str, query: str) -> bool:
    """Return whether a text matches a query; written independently of the code under test."""

    def folded(value: str) -> str:
        return unicodedata.normalize("NFC", value.casefold()).encode("utf-8", "replace").decode()

    return all(word in folded(text) for word in folded(query).split())


ALPHABET = st.sampled_from("aAbBß1 %_*'\"\\-\n\0é\u0301\ud800猫ıİ()^")
WORDS = st.text(ALPHABET, max_size=6) | st.text(max_size=6)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """One index for all examples, each in a folder of its own."""
    return Index(tmp_path_factory.mktemp("index") / "library.sqlite3")


@settings(deadline=None)
@given(st.lists(WORDS, max_size=6), WORDS | st.lists(WORDS, max_size=3).map(" ".join), st.data())
def test_any_query(shared: Index, texts: list[str], query: str, data: st.DataObject) -> None:
    """Any query over any texts finds what a filter in plain Python finds, and never raises."""
    root = f"/{data.draw(st.integers(0, 2**62))}"
    rows = [row(str(number), text or " ", root=root) for number, text in enumerate(texts)]
    shared.put(rows)
    expected = [str(number) for number, text in enumerate(texts) if plainly_matches(text or " ", query)]
    total, listed = shared.page([root], query, 0, 100)
    shared.drop([(root, one.name) for one in rows])
    assert (len(expected), expected) == (total, [one.item["name"] for one in listed])


class TestDamage:
    def check_is_new(self, index: Index) -> None:
        assert found(index) == []
        index.put([row("a")])
        assert found(index) == ["a"]

    @pytest.mark.parametrize("content", [b"", b"not a database" * 1000, b"SQLite format 3\0" + bytes(5000)])
    def test_no_database(self, index: Index, path: Path, content: bytes) -> None:
        """A file that is not a database is replaced by one."""
        path.write_bytes(content)
        self.check_is_new(index)
        assert found(Index(path)) == ["a"]

    def test_damaged_pages(self, index: Index, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A database with damaged pages is created again, which the log says."""
        index.put([row(str(number), "word " * 500) for number in range(100)])
        generation = index.generation
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)
        path.write_bytes(data)
        self.check_is_new(index)
        assert index.generation > generation
        [message] = caplog.messages
        assert message.startswith(f"{path} is unusable (database disk image is malformed)")

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE items SET item = '{'",
            "UPDATE items SET item = '5'",
            "UPDATE items SET item = CAST(x'c3' AS TEXT)",
            "DELETE FROM items",
            "DELETE FROM state",
            "UPDATE made_in SET document = '{}'",
            "DROP TABLE files",
            "DROP TABLE words",
            "DROP TABLE made_in",
            'ALTER TABLE files RENAME COLUMN name TO "n"',
            "PRAGMA user_version = 0",
        ],
    )
    def test_damage_that_sqlite_does_not_see(
        self, index: Index, path: Path, caplog: pytest.LogCaptureFixture, change: str
    ) -> None:
        """Changed values and tables count as damage too, and do not make every later page fail."""
        index.put([row("a", made_in='{"resources": []}')])
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(change)
        assert found(index, "a") == []
        assert "is unusable" in caplog.text
        self.check_is_new(index)
        assert index._memory is None

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE words SET text = 'b'",
            "UPDATE words SET text = CAST(x'c3' AS TEXT)",
            "UPDATE words SET text = CAST('a' AS BLOB)",
            "UPDATE items SET item = replace(item, '1.0', '2.0')",
            "UPDATE files SET made_in = NULL",
            "UPDATE files SET size_bytes = 2",
            "UPDATE files SET name = 'b' WHERE name = 'a'",
            "UPDATE made_in SET document = 'y'",
            "UPDATE made_in SET document = x'00'",
            "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = replace(sql, 'DESC', 'ASC')",
        ],
    )
    def test_damage_that_no_page_shows(self, index: Index, path: Path, change: str) -> None:
        """The first scan of a process compares the index with its seal; if it differs, it is made again."""
        index.put([row("a", made_in="x"), row("c", mtime_ns=2)])
        index.seal()
        assert stamps(Index(path), ROOTS).keys() == {(ROOT, "a"), (ROOT, "c")}
        with closing(sqlite3.connect(path)) as database, database:
            database.executescript(change)
        again = Index(path)
        assert stamps(again, ROOTS) == {}
        assert (again.generation, again._memory) == (1, None)

    @pytest.mark.parametrize(
        "change",
        [
            "DELETE FROM items WHERE id = 1",
            "DELETE FROM files WHERE id = 1",
            "UPDATE words_content SET c0 = 'other words' WHERE id = 1",
            "DELETE FROM words_content WHERE id = 1",
            "UPDATE words_data SET block = zeroblob(10)",
            "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = replace(sql, 'DESC', 'ASC')",
        ],
    )
    def test_damage_of_an_index_without_a_seal(self, index: Index, path: Path, change: str) -> None:
        """After a scan that was killed, all tables are checked; an index that is sound is kept."""
        index.put([row("a", "some words"), row("b", "more words", mtime_ns=2)])
        assert stamps(Index(path), ROOTS).keys() == {(ROOT, "a"), (ROOT, "b")}
        with closing(sqlite3.connect(path)) as database, database:
            database.executescript(change)
        again = Index(path)
        assert (stamps(again, ROOTS), again.generation) == ({}, 1)

    @pytest.mark.parametrize("seal", ["", "1", "12345 0badc0de"])
    def test_seal_that_was_cut(self, index: Index, path: Path, seal: str) -> None:
        """A seal that was cut while it was written does not count as damage of the index."""
        index.put([row("a")])
        path.with_name(f"{path.name}-seal").write_text(seal)
        again = Index(path)
        assert (stamps(again, ROOTS), again.generation) == ({(ROOT, "a"): Stamp(1, 1)}, 0)

    def test_seal_is_gone_while_something_is_written(
        self, index: Index, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever is written, the seal is removed before, so that a kill meanwhile does not count as damage."""
        seal, seen, transact = path.with_name(f"{path.name}-seal"), [], library_index._transact

        def look(database: sqlite3.Connection, action: Callable[..., Any]) -> Any:
            seen.append(seal.exists())
            return transact(database, action)

        monkeypatch.setattr(library_index, "_transact", look)
        for write in (
            lambda: index.put([row("a")]),
            lambda: index.unsettle([(ROOT, "a")]),
            lambda: index.drop([(ROOT, "a")]),
        ):
            index.seal()
            write()
        index.seal()
        found(index)
        assert seen == [False, False, False, True]

    @pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are known from /proc")
    @pytest.mark.parametrize(
        "call", [lambda index: index.page(ROOTS, "a", 0, 9), lambda index: stamps(index, ROOTS)]
    )
    def test_closed_before_it_is_removed(
        self, index: Index, path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Index], object]
    ) -> None:
        """A damaged index is closed before it is deleted, since Windows cannot delete an open file."""
        index.put([row(str(number), "a") for number in range(100)])
        index.seal()
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("DELETE FROM items")
        unlink, still_open = Path.unlink, []

        def look_and_unlink(path: Path, missing_ok: bool = False) -> None:
            opened = [os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()]
            still_open.append(opened.count(os.path.realpath(path)))
            unlink(path, missing_ok)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", look_and_unlink)
            call(index)
        assert (set(still_open), index._memory) == ({0}, None)
        self.check_is_new(index)

    def test_cut(self, index: Index, path: Path) -> None:
        """So is one that was truncated."""
        index.put([row(str(number), "word " * 500) for number in range(100)])
        os.truncate(path, path.stat().st_size // 2)
        self.check_is_new(index)

    def test_journal_of_a_damaged_one(self, index: Index, path: Path) -> None:
        """The journal of a damaged database is not applied to the new one."""
        path.write_bytes(b"x" * 10_000)
        journal = path.with_name("library.sqlite3-journal")
        journal.write_bytes(b"y" * 10_000)
        self.check_is_new(index)
        assert not journal.exists()

    def test_removed_while_in_use(self, index: Index, path: Path) -> None:
        """An index that was deleted is created again."""
        index.put([row("a")])
        generation = index.generation
        path.unlink()
        self.check_is_new(index)
        assert index.generation > generation


class TestSchema:
    @pytest.mark.parametrize("version", [0, SCHEMA_VERSION - 1, SCHEMA_VERSION + 1, 2**31 - 1])
    def test_another_version(self, index: Index, path: Path, version: int) -> None:
        """An index of an older or newer schema is created again, with the current columns."""
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE files (name TEXT)")
            database.execute("CREATE TABLE foreign_one (x)")
            database.execute("INSERT INTO files VALUES ('old')")
            database.execute(f"PRAGMA user_version = {version}")
            database.commit()
        assert found(index) == []
        index.put([row("a")])
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
            assert database.execute("SELECT name FROM files").fetchall() == [("a",)]

    def test_another_version_is_no_damage(
        self, index: Index, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The index of another version is replaced without a warning."""
        caplog.set_level("INFO")
        index.put([row("old")])
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
        assert (found(index), index._memory) == ([], None)
        [record] = caplog.records
        assert record.levelname == "INFO"
        assert record.getMessage().startswith(
            f"{path} is of version {SCHEMA_VERSION - 1}, not {SCHEMA_VERSION}"
        )

    def test_same_version(self, path: Path) -> None:
        """An index of the current schema is kept."""
        Index(path).put([row("a")])
        again = Index(path)
        assert (found(again), again.generation) == (["a"], 0)


class TestMemory:
    @pytest.fixture(autouse=True)
    def closed(self, index: Index) -> Iterator[None]:
        yield
        index.close()

    def check_is_in_memory(self, index: Index, caplog: pytest.LogCaptureFixture) -> None:
        index.put([row("a"), row("b")])
        index.drop([(ROOT, "b")])
        assert found(index) == ["a"]
        [message] = caplog.messages
        assert message.startswith(f"the library's index {index._path} cannot be used (")
        assert message.endswith("it is kept in memory until ComfyUI restarts")

    def test_no_folder(self, index: Index, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """If its folder cannot be created, the index works in memory; the log says so once."""
        (folder / "user").write_text("a file where the folder should be")
        self.check_is_in_memory(index, caplog)

    def test_no_file(self, index: Index, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """From then on the file is not used."""
        path.mkdir()
        self.check_is_in_memory(index, caplog)

    @pytest.mark.parametrize("pragma", ["max_page_count = 1", "query_only = 1"])
    @pytest.mark.parametrize("known_by", ["code", "message"])
    def test_full_or_read_only_database(
        self,
        index: Index,
        path: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        pragma: str,
        known_by: str,
    ) -> None:
        """If nothing can be written, an intact index is not deleted; Python 3.10 has no error codes."""
        if known_by == "code" and sys.version_info < (3, 11):
            pytest.skip("Python 3.11 added the codes")
        index.put([row("old")])
        before, transact = path.read_bytes(), library_index._transact

        def transact_limited(database: sqlite3.Connection, action: Callable[..., Any]) -> Any:
            if index._memory is None:
                database.execute(f"PRAGMA {pragma}")
            try:
                return transact(database, action)
            except sqlite3.OperationalError as error:
                if known_by == "message":
                    raise sqlite3.OperationalError(str(error)) from None
                error.args = ("in other words",)
                raise

        monkeypatch.setattr(library_index, "_transact", transact_limited)
        index.put([row("a" * 100_000)])
        index.drop([(ROOT, "a" * 100_000)])
        self.check_is_in_memory(index, caplog)
        assert before == path.read_bytes()

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
    def test_refused_by_the_system(
        self,
        index: Index,
        path: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
    ) -> None:
        """If the system refuses its folder, an intact index is not deleted."""
        index.put([row("old")])
        before = path.read_bytes()

        def refuse(path: Path, **options: object) -> None:
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(Path, "mkdir", refuse)
        self.check_is_in_memory(index, caplog)
        assert before == path.read_bytes()

    def test_read_only(
        self, index: Index, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An index in a read-only folder is left as it is."""
        index.put([row("old")])
        before = path.read_bytes()
        generation, connect = index.generation, sqlite3.connect

        def connect_to_read(target: object, **options: object) -> sqlite3.Connection:
            if target == path:
                return connect(f"{path.as_uri()}?mode=ro", uri=True)
            return connect(target, **options)  # type: ignore[call-overload,no-any-return]

        def refuse(path: Path, missing_ok: bool = False) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(sqlite3, "connect", connect_to_read)
        monkeypatch.setattr(Path, "unlink", refuse)
        assert found(index) == ["old"]
        self.check_is_in_memory(index, caplog)
        assert index.generation > generation
        assert before == path.read_bytes()

    def test_locked_for_a_moment(self, index: Index, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """If another program writes to the index, it is waited for."""
        index.put([row("old")])
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN EXCLUSIVE")
            release = threading.Timer(0.3, other.execute, ("COMMIT",))
            release.start()
            index.put([row("new")])
            release.join()
        assert (found(index), index._memory, caplog.messages) == (["new", "old"], None, [])

    def test_locked_for_long(
        self, index: Index, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If another program locks the index for too long, its file is not touched."""
        index.put([row("old")])
        monkeypatch.setattr(library_index, "_LOCK_SECONDS", 0.05)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            self.check_is_in_memory(index, caplog)

    def test_our_own_mistakes_are_not_hidden(self, index: Index) -> None:
        """A programming error is raised, and does not count as a damaged index again and again."""
        for _ in range(2):
            with pytest.raises(sqlite3.ProgrammingError, match="binding"):
                index._run(lambda database: database.execute("SELECT ?", ()))


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import PACK
from test_library_index import Index, found, row
index, start = Index(Path(sys.argv[2])), int(sys.argv[3])
for number in range(start, start + 20):
    index.put([row(f"{number:03}", mtime_ns=-number)])
    index.drop([("/library", f"{number:03}")] if number % 10 == 9 else [])
    found(index, "0")
index.close()
"""


def test_processes_share_an_index(path: Path) -> None:
    """Processes that start without an index and write and read at once lose none of each other's files."""
    here = str(Path(__file__).parent)
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([here, str(Path(here).parent)])}
    commands = [[sys.executable, "-W", "ignore", "-c", WRITER, here, str(path), str(n)] for n in (0, 20)]
    running = [subprocess.Popen(command, env=variables, stderr=subprocess.PIPE) for command in commands]
    for process in running:
        errors = process.communicate()[1]
        assert (process.returncode, errors) == (0, b"")
    assert found(Index(path)) == [f"{number:03}" for number in range(40) if number % 10 != 9]

"""Digests of model files: what they cover, and the cache of them."""

from __future__ import annotations

import gc
import hashlib
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from gen5core.environment import model_digests
from gen5core.environment.model_digests import DigestCache, digest_file, digest_name

MANY = 5 * 2**20


def sampled_by_hand(data: bytes) -> str:
    """Return the sampled digest as its documentation tells it."""
    digest = hashlib.sha256(b"gen5 sampled 1" + len(data).to_bytes(8, "little"))
    header_bytes = int.from_bytes(data[:8], "little")
    if len(data) >= 8 and header_bytes <= len(data) - 8:
        digest.update(data[: 8 + header_bytes])
    last = max(len(data) - 4096, 0)
    offsets = sorted({last * block // 255 for block in range(256)})
    for offset in offsets:
        digest.update(data[offset : offset + 4096])
    return digest.hexdigest()


def safetensors(header: bytes, size: int) -> bytes:
    """Return a file that begins as a safetensors file does."""
    return (len(header).to_bytes(8, "little") + header).ljust(size, b"\1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file of a few MiB."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(b'{"a":1}', MANY))
    return path


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is digested rather than looked up."""
    seen: list[Path] = []
    real = digest_file

    def digest(path: Path, *further: object) -> str:
        seen.append(path)
        return real(path, *further)  # type: ignore[arg-type]

    monkeypatch.setattr(model_digests, "digest_file", digest)
    return seen


class TestDigest:
    """sampled and full."""

    @pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 4095, 4096, 4097, 2**20 + 5, 10 * 2**20])
    def test_full_is_sha256(self, tmp_path: Path, size: int) -> None:
        """The full digest is hashlib's of the whole file; progress ends at its size."""
        data = os.urandom(size)
        (tmp_path / "a").write_bytes(data)
        told: list[int] = []
        assert hashlib.sha256(data).hexdigest() == digest_file(tmp_path / "a", "full", told.append)
        assert sorted(told) == told
        assert ([size] if size else []) == told[-1:]

    @pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 4095, 4096, 4097, 2**20 + 5, 10 * 2**20])
    def test_sampled_is_as_documented(self, tmp_path: Path, size: int) -> None:
        """The sampled digest covers size, header and 256 blocks, whatever the bytes are."""
        for data in (os.urandom(size), bytes(size), safetensors(b"{}", size)[:size]):
            (tmp_path / "a").write_bytes(data)
            assert sampled_by_hand(data) == digest_file(tmp_path / "a", "sampled")

    def test_names(self) -> None:
        """Each kind has a name of its own that says what it covers."""
        assert (digest_name("sampled"), digest_name("full")) == ("sha256-sampled-256x4096", "sha256")

    def test_another_set_of_weights_shows(self, model: Path) -> None:
        """Files of equal size and header with other weights differ; so does one block of another layer."""
        before = digest_file(model, "sampled")
        data = bytearray(model.read_bytes())
        middle = MANY // 2
        data[middle : middle + MANY // 100] = os.urandom(MANY // 100)
        model.write_bytes(data)
        assert before != digest_file(model, "sampled")

    def test_header_shows(self, tmp_path: Path) -> None:
        """A change anywhere in a long safetensors header shows, between the blocks too."""
        header = bytearray(b"x" * (3 * 2**20))
        digests = set()
        for position in (None, 5000, 10_001, 2_000_003):
            if position is not None:
                header[position] = 121
            (tmp_path / "a").write_bytes(safetensors(bytes(header), 4 * 2**20))
            digests.add(digest_file(tmp_path / "a", "sampled"))
        assert len(digests) == 4

    def test_size_shows(self, tmp_path: Path) -> None:
        """Files of zeros differ by their size alone."""
        digests = set()
        for size in (0, 1, 4096, 4097):
            (tmp_path / "a").write_bytes(bytes(size))
            digests.add(digest_file(tmp_path / "a", "sampled"))
        assert len(digests) == 4

    def test_a_few_bytes_between_blocks_do_not(self, model: Path) -> None:
        """What the name says: a change between the blocks is not covered, the full digest shows it."""
        sampled, full = digest_file(model, "sampled"), digest_file(model, "full")
        data = bytearray(model.read_bytes())
        second_block = (MANY - 4096) // 255
        assert second_block > 4096
        data[second_block - 1] ^= 1
        model.write_bytes(data)
        assert sampled == digest_file(model, "sampled")
        assert full != digest_file(model, "full")

    @pytest.mark.parametrize("claimed", [2**63, 2**64 - 1, MANY - 7])
    def test_header_that_claims_too_much(self, tmp_path: Path, claimed: int) -> None:
        """A first number larger than the file is no header; nothing is read for it."""
        data = claimed.to_bytes(8, "little").ljust(MANY, b"\2")
        (tmp_path / "a").write_bytes(data)
        assert sampled_by_hand(data) == digest_file(tmp_path / "a", "sampled")

    def test_missing_file(self, tmp_path: Path) -> None:
        """A file that is not there is the file system's own error, from the cache as well."""
        with pytest.raises(FileNotFoundError, match="gone"):
            digest_file(tmp_path / "gone", "full")
        with pytest.raises(FileNotFoundError, match="gone"):
            DigestCache(tmp_path / "cache").digest(tmp_path / "gone", "full")


class TestCache:
    """Digests by path, size and time of change."""

    def test_second_time_is_looked_up(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """An unchanged file is digested once, also by another cache on the same file."""
        path = tmp_path / "user" / "gen5" / "cache.sqlite3"
        expected = hashlib.sha256(model.read_bytes()).hexdigest()
        assert [DigestCache(path).digest(model, "full") for _ in range(2)] == [expected] * 2
        assert [model] == counted

    def test_kinds_stay_apart(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """sampled and full of one file are both kept, and never taken for each other."""
        cache = DigestCache(tmp_path / "cache")
        for _ in range(2):
            assert sampled_by_hand(model.read_bytes()) == cache.digest(model, "sampled")
            assert hashlib.sha256(model.read_bytes()).hexdigest() == cache.digest(model, "full")
        assert len(counted) == 2

    @pytest.mark.parametrize("change", ["size", "time"])
    def test_changed_file_is_digested_again(
        self, tmp_path: Path, model: Path, counted: list[Path], change: str
    ) -> None:
        """Another size, or another time of change down to the nanosecond, is another file."""
        os.utime(model, ns=(10**18, 10**18))
        cache = DigestCache(tmp_path / "cache")
        cache.digest(model, "full")
        model.write_bytes(b"\3" * (MANY + (change == "size")))
        os.utime(model, ns=(10**18, 10**18 + (change == "time")))
        assert hashlib.sha256(model.read_bytes()).hexdigest() == cache.digest(model, "full")
        assert len(counted) == 2

    def test_what_is_known_is_told_without_reading(
        self, tmp_path: Path, model: Path, counted: list[Path]
    ) -> None:
        """``known`` tells a digest that is kept, and none once the file has changed; it never digests."""
        cache = DigestCache(tmp_path / "cache.sqlite3")
        assert cache.known(model, "full") is None
        digest = cache.digest(model, "full")
        assert (digest, None) == (cache.known(model, "full"), cache.known(model, "sampled"))
        model.write_bytes(b"other weights")
        assert cache.known(model, "full") is None
        assert [model] == counted

    def test_a_link_is_its_target(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """A model reached through a link is not digested again; one of like content elsewhere is."""
        cache = DigestCache(tmp_path / "cache")
        (tmp_path / "link").symlink_to(model)
        (tmp_path / "copy").write_bytes(model.read_bytes())
        assert len({cache.digest(tmp_path / name, "full") for name in ("link", model.name, "copy")}) == 1
        assert [tmp_path / "link", tmp_path / "copy"] == counted

    def test_cache_that_cannot_be_written(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """Where the cache's folder cannot be made, the digest is computed each time."""
        (tmp_path / "file").touch()
        cache = DigestCache(tmp_path / "file" / "cache")
        expected = hashlib.sha256(model.read_bytes()).hexdigest()
        assert [cache.digest(model, "full") for _ in range(2)] == [expected] * 2
        assert [model, model] == counted

    @pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + bytes(200)])
    @pytest.mark.filterwarnings("error")
    def test_damaged_cache(self, tmp_path: Path, model: Path, content: bytes) -> None:
        """A cache that is no database is no error, and leaves no connection open."""
        (tmp_path / "cache").write_bytes(content)
        cache = DigestCache(tmp_path / "cache")
        assert hashlib.sha256(model.read_bytes()).hexdigest() == cache.digest(model, "full")
        gc.collect()

    def test_cache_of_another_layout(self, tmp_path: Path, model: Path) -> None:
        """A database whose table is another one's is no error."""
        with sqlite3.connect(tmp_path / "cache") as database:
            database.execute("CREATE TABLE digests (a TEXT)")
        database.close()
        cache = DigestCache(tmp_path / "cache")
        assert hashlib.sha256(model.read_bytes()).hexdigest() == cache.digest(model, "full")

    def test_locked_cache(self, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A cache that another program holds is no error; the digest is computed."""
        cache = DigestCache(tmp_path / "cache")
        cache.digest(model, "sampled")
        monkeypatch.setattr(model_digests, "_LOCK_SECONDS", 0.05)
        holder = sqlite3.connect(tmp_path / "cache", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        try:
            assert hashlib.sha256(model.read_bytes()).hexdigest() == cache.digest(model, "full")
        finally:
            holder.close()

    def test_name_that_is_not_utf8(self, tmp_path: Path, counted: list[Path]) -> None:
        """A file whose name is no UTF-8 has a digest as any other."""
        path = tmp_path / os.fsdecode(b"model-\xff.safetensors")
        try:
            path.write_bytes(b"weights")
        except OSError:
            pytest.skip("this file system has UTF-8 names only")
        cache = DigestCache(tmp_path / "cache")
        expected = hashlib.sha256(b"weights").hexdigest()
        assert [cache.digest(path, "full") for _ in range(2)] == [expected] * 2
        assert counted

    def test_concurrent_use(self, tmp_path: Path) -> None:
        """Many threads on one cache file each get the right digest, and all are kept."""
        files = [tmp_path / f"model{number}" for number in range(8)]
        for number, path in enumerate(files):
            path.write_bytes(bytes([number]) * 10_000)
        wrong: list[Path] = []

        def work() -> None:
            cache = DigestCache(tmp_path / "cache")
            for path in files:
                if cache.digest(path, "full") != hashlib.sha256(path.read_bytes()).hexdigest():
                    wrong.append(path)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        with sqlite3.connect(tmp_path / "cache") as database:
            rows = database.execute("SELECT COUNT(*) FROM digests").fetchone()
        database.close()
        assert rows == (8,)

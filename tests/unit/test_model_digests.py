"""Digests of model files: what they cover, and their cache."""

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
    """Return the sampled digest, computed as documented."""
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
    """Return the content of a file that starts like a safetensors file."""
    return (len(header).to_bytes(8, "little") + header).ljust(size, b"\1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file of a few MiB."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(b'{"a":1}', MANY))
    return path


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose digest was computed, not looked up, in order."""
    seen: list[Path] = []
    real = digest_file

    def digest(path: Path, *further: object) -> str:
        seen.append(path)
        return real(path, *further)  # type: ignore[arg-type]

    monkeypatch.setattr(model_digests, "digest_file", digest)
    return seen


class TestDigest:
    """Sampled and full digests."""

    @pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 4095, 4096, 4097, 2**20 + 5, 10 * 2**20])
    def test_full_is_sha256(self, tmp_path: Path, size: int) -> None:
        """The full digest is the SHA-256 of the whole file; the last progress report is its size."""
        data = os.urandom(size)
        (tmp_path / "a").write_bytes(data)
        reported: list[int] = []
        assert digest_file(tmp_path / "a", "full", reported.append) == hashlib.sha256(data).hexdigest()
        assert reported == sorted(reported)
        assert reported[-1:] == ([size] if size else [])

    @pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 4095, 4096, 4097, 2**20 + 5, 10 * 2**20])
    def test_sampled_is_as_documented(self, tmp_path: Path, size: int) -> None:
        """The sampled digest covers size, header and 256 blocks, for any content."""
        for data in (os.urandom(size), bytes(size), safetensors(b"{}", size)[:size]):
            (tmp_path / "a").write_bytes(data)
            assert digest_file(tmp_path / "a", "sampled") == sampled_by_hand(data)

    def test_names(self) -> None:
        """Each kind has its own name, which says what the digest covers."""
        assert (digest_name("sampled"), digest_name("full")) == ("sha256-sampled-256x4096", "sha256")

    def test_different_weights_are_detected(self, model: Path) -> None:
        """Files with equal size and header but partly different weights have different digests."""
        before = digest_file(model, "sampled")
        data = bytearray(model.read_bytes())
        middle = MANY // 2
        data[middle : middle + MANY // 100] = os.urandom(MANY // 100)
        model.write_bytes(data)
        assert digest_file(model, "sampled") != before

    def test_header_change_is_detected(self, tmp_path: Path) -> None:
        """A change anywhere in a long safetensors header is detected, even between the blocks."""
        header = bytearray(b"x" * (3 * 2**20))
        digests = set()
        for position in (None, 5000, 10_001, 2_000_003):
            if position is not None:
                header[position] = 121
            (tmp_path / "a").write_bytes(safetensors(bytes(header), 4 * 2**20))
            digests.add(digest_file(tmp_path / "a", "sampled"))
        assert len(digests) == 4

    def test_size_change_is_detected(self, tmp_path: Path) -> None:
        """Files of zeros that differ only in size have different digests."""
        digests = set()
        for size in (0, 1, 4096, 4097):
            (tmp_path / "a").write_bytes(bytes(size))
            digests.add(digest_file(tmp_path / "a", "sampled"))
        assert len(digests) == 4

    def test_a_few_bytes_between_blocks_are_not_detected(self, model: Path) -> None:
        """As the name says, the sampled digest does not cover bytes between the blocks; the full one does."""
        sampled, full = digest_file(model, "sampled"), digest_file(model, "full")
        data = bytearray(model.read_bytes())
        second_block = (MANY - 4096) // 255
        assert second_block > 4096
        data[second_block - 1] ^= 1
        model.write_bytes(data)
        assert digest_file(model, "sampled") == sampled
        assert full != digest_file(model, "full")

    @pytest.mark.parametrize("claimed", [2**63, 2**64 - 1, MANY - 7])
    def test_header_that_claims_too_much(self, tmp_path: Path, claimed: int) -> None:
        """If the header size exceeds the file, the file is treated as having no header."""
        data = claimed.to_bytes(8, "little").ljust(MANY, b"\2")
        (tmp_path / "a").write_bytes(data)
        assert digest_file(tmp_path / "a", "sampled") == sampled_by_hand(data)

    def test_missing_file(self, tmp_path: Path) -> None:
        """A missing file raises the file system's error, from the cache as well."""
        with pytest.raises(FileNotFoundError, match="gone"):
            digest_file(tmp_path / "gone", "full")
        with pytest.raises(FileNotFoundError, match="gone"):
            DigestCache(tmp_path / "cache").digest(tmp_path / "gone", "full")


class TestCache:
    """The cache of digests by path, size and modification time."""

    def test_second_time_is_looked_up(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """The digest of an unchanged file is computed once, even for another cache object on the same database."""
        path = tmp_path / "user" / "gen5" / "cache.sqlite3"
        expected = hashlib.sha256(model.read_bytes()).hexdigest()
        assert [DigestCache(path).digest(model, "full") for _ in range(2)] == [expected] * 2
        assert counted == [model]

    def test_kinds_stay_apart(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """The sampled and the full digest of a file are both cached, and never confused."""
        cache = DigestCache(tmp_path / "cache")
        for _ in range(2):
            assert cache.digest(model, "sampled") == sampled_by_hand(model.read_bytes())
            assert cache.digest(model, "full") == hashlib.sha256(model.read_bytes()).hexdigest()
        assert len(counted) == 2

    @pytest.mark.parametrize("change", ["size", "time"])
    def test_changed_file_is_digested_again(
        self, tmp_path: Path, model: Path, counted: list[Path], change: str
    ) -> None:
        """A different size or modification time, to the nanosecond, invalidates the cached digest."""
        os.utime(model, ns=(10**18, 10**18))
        cache = DigestCache(tmp_path / "cache")
        cache.digest(model, "full")
        model.write_bytes(b"\3" * (MANY + (change == "size")))
        os.utime(model, ns=(10**18, 10**18 + (change == "time")))
        assert cache.digest(model, "full") == hashlib.sha256(model.read_bytes()).hexdigest()
        assert len(counted) == 2

    def test_cached_digest_is_returned_without_reading(
        self, tmp_path: Path, model: Path, counted: list[Path]
    ) -> None:
        """``cached`` returns a stored digest, None once the file has changed, and never computes one."""
        cache = DigestCache(tmp_path / "cache.sqlite3")
        assert cache.cached(model, "full") is None
        digest = cache.digest(model, "full")
        assert (cache.cached(model, "full"), cache.cached(model, "sampled")) == (digest, None)
        model.write_bytes(b"other weights")
        assert cache.cached(model, "full") is None
        assert counted == [model]

    def test_a_link_is_its_target(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """A model reached through a link uses its target's cached digest; a copy does not."""
        cache = DigestCache(tmp_path / "cache")
        (tmp_path / "link").symlink_to(model)
        (tmp_path / "copy").write_bytes(model.read_bytes())
        assert len({cache.digest(tmp_path / name, "full") for name in ("link", model.name, "copy")}) == 1
        assert counted == [tmp_path / "link", tmp_path / "copy"]

    def test_cache_that_cannot_be_written(self, tmp_path: Path, model: Path, counted: list[Path]) -> None:
        """If the cache's folder cannot be created, the digest is computed each time."""
        (tmp_path / "file").touch()
        cache = DigestCache(tmp_path / "file" / "cache")
        expected = hashlib.sha256(model.read_bytes()).hexdigest()
        assert [cache.digest(model, "full") for _ in range(2)] == [expected] * 2
        assert counted == [model, model]

    @pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + bytes(200)])
    @pytest.mark.filterwarnings("error")
    def test_damaged_cache(self, tmp_path: Path, model: Path, content: bytes) -> None:
        """A cache that is not a database causes no error and leaves no connection open."""
        (tmp_path / "cache").write_bytes(content)
        cache = DigestCache(tmp_path / "cache")
        assert cache.digest(model, "full") == hashlib.sha256(model.read_bytes()).hexdigest()
        gc.collect()

    def test_cache_of_another_layout(self, tmp_path: Path, model: Path) -> None:
        """A database with a different table layout causes no error."""
        with sqlite3.connect(tmp_path / "cache") as database:
            database.execute("CREATE TABLE digests (a TEXT)")
        database.close()
        cache = DigestCache(tmp_path / "cache")
        assert cache.digest(model, "full") == hashlib.sha256(model.read_bytes()).hexdigest()

    def test_locked_cache(self, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A cache that another program has locked causes no error; the digest is computed."""
        cache = DigestCache(tmp_path / "cache")
        cache.digest(model, "sampled")
        monkeypatch.setattr(model_digests, "_LOCK_SECONDS", 0.05)
        holder = sqlite3.connect(tmp_path / "cache", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        try:
            assert cache.digest(model, "full") == hashlib.sha256(model.read_bytes()).hexdigest()
        finally:
            holder.close()

    def test_name_that_is_not_utf8(self, tmp_path: Path, counted: list[Path]) -> None:
        """A file whose name is not valid UTF-8 gets a digest like any other."""
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
        """Many threads that share a cache file all get the right digests, and all digests are stored."""
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

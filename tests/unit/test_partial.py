"""Files opened from their header and META alone, and the progress of ``verify``."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gen5core
from gen5core import ChunkNotFoundError, FormatError, Gen5Error, Limits
from gen5core.container.source import CountingSource, FileSource

CORPUS = Path(gen5core.__file__).parents[1] / "tests" / "corpus"
GOLDEN = sorted(path.name for path in (CORPUS / "valid").glob("*.gen5"))
INVALID = sorted(json.loads((CORPUS / "invalid" / "expected.json").read_text("utf-8")))
META_OFFSET_AT = 8
FACTS = (
    *("version", "sealed", "root", "metadata", "settings", "prompt", "model_name", "model_version"),
    *("tags", "date", "comfyui", "capture", "resources", "hardware", "trailers", "rows"),
)
HEADER_ALONE = "TruncatedError__header_alone.gen5"
"""Nothing follows the header, so the size of the file is unknown."""


def head_and_tail(data: bytes) -> bytes:
    """Return a file's header and everything from META on, as a browser cuts it."""
    if len(data) < 32:
        return data
    (offset,) = struct.unpack_from("<I", data, META_OFFSET_AT)
    return data[:32] + data[offset:]


def ending(read: Callable[[], gen5core.Gen5File]) -> tuple[str, str] | None:
    """Return type and message of the error that reading header and META raises, or None."""
    try:
        with read() as file:
            assert all(getattr(file, name, None) is not Ellipsis for name in FACTS)
    except Gen5Error as error:
        path = getattr(error, "path", None)
        return type(error).__name__, str(error).removeprefix(f"{path}: ")
    return None


@pytest.mark.parametrize("name", GOLDEN)
def test_facts_equal_those_of_the_complete_file(name: str) -> None:
    """Header and META give the same facts as the file, in every version, trailers included."""
    path = CORPUS / "valid" / name
    with gen5core.open(path) as whole, gen5core.open_parts(head_and_tail(path.read_bytes())) as parts:
        assert [repr(getattr(whole, fact)) for fact in FACTS] == [
            repr(getattr(parts, fact)) for fact in FACTS
        ]
        shapes = [
            [part.shape for latent in file.latents.values() for part in latent.parts]
            for file in (whole, parts)
        ]
        assert shapes[0] == shapes[1]
        assert [image.size_bytes for image in whole.images] == [image.size_bytes for image in parts.images]


@pytest.mark.parametrize("name", [name for name in INVALID if name != HEADER_ALONE and "__png" not in name])
def test_errors_equal_those_of_the_complete_file(name: str) -> None:
    """An invalid header or META raises the same error; errors in chunks go unnoticed in both."""
    path = CORPUS / "invalid" / name
    expected = ending(lambda: gen5core.open(path))
    assert ending(lambda: gen5core.open_parts(head_and_tail(path.read_bytes()))) == expected


def test_header_without_anything() -> None:
    """A header with nothing after it is a truncated file."""
    data = (CORPUS / "invalid" / HEADER_ALONE).read_bytes()
    with pytest.raises(gen5core.TruncatedError, match=r"the header says 1868 bytes, the file has \d+"):
        gen5core.open_parts(head_and_tail(data))


@pytest.mark.parametrize("name", ["gen5core-1.1_everything.gen5", "gen5-0.1.0_raw_float32.gen5"])
def test_reading_a_chunk_is_one_clear_error(name: str) -> None:
    """Reading tensors, images or the environment, and ``verify()``, raise ChunkNotFoundError."""
    data = head_and_tail((CORPUS / "valid" / name).read_bytes())
    with gen5core.open_parts(data, name="cat.gen5") as file:
        reads: list[Callable[[], Any]] = [
            file.latents["initial_noise"].array,
            file.verify,
            lambda: file.environment,
        ]
        reads += [lambda: file.images[0].bytes] if file.images else []
        for read in reads:
            with pytest.raises(
                ChunkNotFoundError,
                match=r"^chunk \d \(.*\) is not available: only the header and META of cat\.gen5 were given; open the ",
            ):
                read()


def test_a_file_without_chunks_is_complete() -> None:
    """Without chunks, header and META are the whole file, and every byte is checked."""
    data = head_and_tail((CORPUS / "valid" / "gen5core-1.1_nothing.gen5").read_bytes())
    with gen5core.open_parts(data) as file:
        assert len(data) == file.verify().checked_bytes


def test_messages_have_the_name_of_the_file() -> None:
    """The error for a damaged seal has the name that was passed, or none."""
    data = bytearray(head_and_tail((CORPUS / "valid" / "gen5core-1.1_nothing.gen5").read_bytes()))
    data[24] ^= 1
    with pytest.raises(gen5core.ChecksumError, match=r"^cat\.gen5: header at offset 24: the seal is"):
        gen5core.open_parts(bytes(data), name="cat.gen5")
    with pytest.raises(gen5core.ChecksumError, match=r"^header at offset 24: the seal is"):
        gen5core.open_parts(bytes(data))


def test_every_truncation_and_changed_byte_is_found() -> None:
    """Any number of missing bytes at the end, and any changed byte, raise one of our errors."""
    data = head_and_tail((CORPUS / "valid" / "gen5core-1.1_nothing.gen5").read_bytes())
    for size in range(len(data)):
        with pytest.raises(FormatError):
            gen5core.open_parts(data[:size])
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x10
        with pytest.raises(FormatError):
            gen5core.open_parts(bytes(changed))


def test_garbage() -> None:
    """Random bytes after the right magic raise one of our errors, or happen to be valid."""
    random = np.random.default_rng(0)
    for size in (0, 4, 31, 32, 33, 100, 4096):
        for _ in range(50):
            with suppress(FormatError):
                gen5core.open_parts((b"GEN5\x01\x01" + random.bytes(4096))[:size])


def test_limits() -> None:
    """Limits apply as they do for a file."""
    data = head_and_tail((CORPUS / "valid" / "gen5core-1.1_everything.gen5").read_bytes())
    with pytest.raises(gen5core.LimitError, match=r"META at offset \d+: takes \d+ bytes, the limit is 10;"):
        gen5core.open_parts(data, limits=Limits(meta_stored_bytes=10))


class TestProgress:
    """``verify`` with a progress callback."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        random = np.random.default_rng(0)
        latents = {f"latent {index}": random.standard_normal(700_000, np.float32) for index in range(4)}
        return gen5core.save(tmp_path / "a.gen5", latents=latents, compression="none")

    @pytest.mark.parametrize("threads", [1, 4])
    def test_counts_every_byte_in_order(self, path: Path, threads: int) -> None:
        """The count only grows and ends at the total, which is also in the report."""
        calls: list[tuple[int, int]] = []
        with gen5core.open(path) as file:
            report = file.verify(threads=threads, progress=lambda *figures: calls.append(figures))
        done = [first for first, _ in calls]
        assert sorted(done) == done
        assert (report.checked_bytes, {report.checked_bytes}) == (done[-1], {total for _, total in calls})
        assert len(done) > 8

    @pytest.mark.parametrize("name", GOLDEN)
    def test_ends_at_the_total(self, name: str) -> None:
        """Gaps and unknown trailers are neither checked nor counted."""
        calls: list[tuple[int, int]] = []
        with gen5core.open(CORPUS / "valid" / name) as file:
            report = file.verify(progress=lambda *figures: calls.append(figures))
        assert (report.checked_bytes, report.checked_bytes) == calls[-1]

    @pytest.mark.parametrize("threads", [1, 4])
    def test_the_callback_can_stop_it(self, path: Path, threads: int) -> None:
        """An exception from the callback is raised, and the remaining bytes are not read."""

        class Enough(Exception):
            pass

        calls = []

        def stop(done: int, total: int) -> None:
            calls.append(done)
            if done > total // 4:
                raise Enough

        with gen5core.open(path) as file:
            with pytest.raises(Enough):
                file.verify(threads=threads, progress=stop)
            assert len(calls) < 14
            file.verify()

    def test_one_call_at_a_time(self, path: Path) -> None:
        """Threads that read in parallel never call the callback at the same time."""
        inside, overlaps = threading.Lock(), []

        def record(_: int) -> None:
            overlaps.append(not inside.acquire(blocking=False))
            inside.release()

        source = FileSource(path)
        counting = CountingSource(source, record)
        readers = [
            threading.Thread(target=lambda: [counting.read(0, 100, chunk="x") for _ in range(200)])
            for _ in range(4)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        counting.close()
        assert overlaps == [False] * 800
        with pytest.raises(ValueError, match="is closed"):
            source.read(0, 1, chunk="x")

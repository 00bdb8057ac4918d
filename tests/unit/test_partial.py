"""A file of which only header and META are at hand, and checks that tell how far they are."""

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
UNTOLD = "TruncatedError__header_alone.gen5"
"""Nothing stands where META should: how long the file is cannot be known."""


def head_and_tail(data: bytes) -> bytes:
    """Return a file's header and everything from META on, as a browser cuts it."""
    if len(data) < 32:
        return data
    (offset,) = struct.unpack_from("<I", data, META_OFFSET_AT)
    return data[:32] + data[offset:]


def ending(read: Callable[[], gen5core.Gen5File]) -> tuple[str, str] | None:
    """Return kind and message of the error that reading header and META ends in; None if it does not."""
    try:
        with read() as file:
            assert all(getattr(file, name, None) is not Ellipsis for name in FACTS)
    except Gen5Error as error:
        path = getattr(error, "path", None)
        return type(error).__name__, str(error).removeprefix(f"{path}: ")
    return None


@pytest.mark.parametrize("name", GOLDEN)
def test_facts_are_those_of_the_whole_file(name: str) -> None:
    """Header and META alone tell the same as the file, whatever its version, trailers included."""
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


@pytest.mark.parametrize("name", [name for name in INVALID if name != UNTOLD and "__png" not in name])
def test_what_is_wrong_is_told_as_of_the_whole_file(name: str) -> None:
    """A forged header or META ends in the same error; what is wrong in a chunk cannot be seen."""
    path = CORPUS / "invalid" / name
    expected = ending(lambda: gen5core.open(path))
    assert ending(lambda: gen5core.open_parts(head_and_tail(path.read_bytes()))) == expected


def test_header_without_anything() -> None:
    """A header that nothing follows is of a file that was cut."""
    data = (CORPUS / "invalid" / UNTOLD).read_bytes()
    with pytest.raises(gen5core.TruncatedError, match=r"the header says 1868 bytes, the file has \d+"):
        gen5core.open_parts(head_and_tail(data))


@pytest.mark.parametrize("name", ["gen5core-1.1_everything.gen5", "gen5-0.1.0_raw_float32.gen5"])
def test_what_lies_in_a_chunk_is_one_clear_error(name: str) -> None:
    """Tensors, images, the environment's chunk and a check of every byte say that only parts are at hand."""
    data = head_and_tail((CORPUS / "valid" / name).read_bytes())
    with gen5core.open_parts(data, name="cat.gen5") as file:
        asked: list[Callable[[], Any]] = [
            file.latents["initial_noise"].array,
            file.verify,
            lambda: file.environment,
        ]
        asked += [lambda: file.images[0].bytes] if file.images else []
        for ask in asked:
            with pytest.raises(
                ChunkNotFoundError,
                match=r"^chunk \d \(.*\) is not at hand: only header and META of cat\.gen5 were given; open the ",
            ):
                ask()


def test_a_file_without_chunks_is_whole() -> None:
    """Where there are no chunks, header and META are the file, and every byte of it is checked."""
    data = head_and_tail((CORPUS / "valid" / "gen5core-1.1_nothing.gen5").read_bytes())
    with gen5core.open_parts(data) as file:
        assert len(data) == file.verify().checked_bytes


def test_messages_name_the_file_where_it_has_a_name() -> None:
    """A damaged seal is told with the name that was given, or with none."""
    data = bytearray(head_and_tail((CORPUS / "valid" / "gen5core-1.1_nothing.gen5").read_bytes()))
    data[24] ^= 1
    with pytest.raises(gen5core.ChecksumError, match=r"^cat\.gen5: header at offset 24: the seal is"):
        gen5core.open_parts(bytes(data), name="cat.gen5")
    with pytest.raises(gen5core.ChecksumError, match=r"^header at offset 24: the seal is"):
        gen5core.open_parts(bytes(data))


def test_every_cut_and_every_flip_is_noticed() -> None:
    """However many bytes are missing at the end, and whichever byte is another, it is one of our errors."""
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
    """Random bytes behind a right magic are one of our errors, or, where they happen to fit, facts."""
    random = np.random.default_rng(0)
    for size in (0, 4, 31, 32, 33, 100, 4096):
        for _ in range(50):
            with suppress(FormatError):
                gen5core.open_parts((b"GEN5\x01\x01" + random.bytes(4096))[:size])


def test_limits() -> None:
    """Limits hold as they do for a file."""
    data = head_and_tail((CORPUS / "valid" / "gen5core-1.1_everything.gen5").read_bytes())
    with pytest.raises(gen5core.LimitError, match=r"META at offset \d+: takes \d+ bytes, the limit is 10;"):
        gen5core.open_parts(data, limits=Limits(meta_stored_bytes=10))


class TestProgress:
    """``verify`` with somebody listening."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        random = np.random.default_rng(0)
        latents = {f"latent {index}": random.standard_normal(700_000, np.float32) for index in range(4)}
        return gen5core.save(tmp_path / "a.gen5", latents=latents, compression="none")

    @pytest.mark.parametrize("threads", [1, 4])
    def test_tells_every_byte_in_order(self, path: Path, threads: int) -> None:
        """The bytes done only grow, never pass all there are, and end there, which the report counts too."""
        told: list[tuple[int, int]] = []
        with gen5core.open(path) as file:
            report = file.verify(threads=threads, progress=lambda *figures: told.append(figures))
        done = [first for first, _ in told]
        assert sorted(done) == done
        assert (report.checked_bytes, {report.checked_bytes}) == (done[-1], {total for _, total in told})
        assert len(done) > 8

    @pytest.mark.parametrize("name", GOLDEN)
    def test_ends_at_the_total(self, name: str) -> None:
        """Gaps and trailers, which are not checked, are not counted either."""
        told: list[tuple[int, int]] = []
        with gen5core.open(CORPUS / "valid" / name) as file:
            report = file.verify(progress=lambda *figures: told.append(figures))
        assert (report.checked_bytes, report.checked_bytes) == told[-1]

    @pytest.mark.parametrize("threads", [1, 4])
    def test_the_listener_may_end_it(self, path: Path, threads: int) -> None:
        """What the listener raises comes out, and not every byte is read."""

        class Enough(Exception):
            pass

        told = []

        def stop(done: int, total: int) -> None:
            told.append(done)
            if done > total // 4:
                raise Enough

        with gen5core.open(path) as file:
            with pytest.raises(Enough):
                file.verify(threads=threads, progress=stop)
            assert len(told) < 14
            file.verify()

    def test_one_call_at_a_time(self, path: Path) -> None:
        """Threads that read side by side never call the listener at once."""
        inside, overlaps = threading.Lock(), []

        def tell(_: int) -> None:
            overlaps.append(not inside.acquire(blocking=False))
            inside.release()

        source = FileSource(path)
        counting = CountingSource(source, tell)
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

"""How often a node run opens its file, when it closes it, and which tensors it reads, seen from outside."""

from __future__ import annotations

import importlib
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.container.source import FileSource
from gen5pack.gen5core.errors import ChecksumError
from gen5pack.nodes.compare import Gen5Compare
from gen5pack.nodes.drift import Gen5Environment
from gen5pack.nodes.load import Gen5Load
from gen5pack.nodes.replay import Gen5Replay
from gen5pack.nodes.sampling.replayer import SamplingReplayer
from gen5pack.nodes.save import PNG, Gen5Save
from gen5pack.nodes.settings import Gen5Settings
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import SIGMAS, images, randn, replaying, run, txt2img

Compute = Callable[[dict[str, Any]], torch.Tensor]
SCRIPTS = Path(__file__).parents[2] / "scripts"
SHAPE = (1, 4, 4, 8)
NOISE, START, MASK, STEPS = (randn(*SHAPE, seed=seed) for seed in range(4))
GIVEN = randn(*SHAPE, seed=9)
PASS = {"recorded": True, "add_noise": True, "sigmas": SIGMAS.tolist(), "shapes": [list(SHAPE)]}
LATENTS = {
    "initial_noise": NOISE,
    "initial_noise.1": NOISE,
    "start_latent": START,
    "start_latent.1": START + 1,
    "noise_mask": MASK,
    "step_noise": STEPS[None],
    "final_latent": randn(*SHAPE, seed=4),
}
TWO_PASSES = [
    {
        **PASS,
        "noise": "initial_noise",
        "start_latent": "start_latent",
        "noise_mask": "noise_mask",
        "step_noise": "step_noise",
    },
    {**PASS, "noise": "initial_noise.1", "start_latent": "start_latent.1"},
]


@pytest.fixture(scope="module")
def trips() -> ModuleType:
    """The script that counts opened files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        return importlib.import_module("trips")


@pytest.fixture(scope="module")
def tracer(trips: ModuleType) -> Any:
    """Its tracer, of which a process needs only one."""
    return trips.Tracer(SCRIPTS.parent)


@pytest.fixture
def opened(tracer: Any) -> Callable[[Callable[[], object]], list[str]]:
    """Return a function that returns the names of the files that a call opens."""

    def count(call: Callable[[], object]) -> list[str]:
        with tracer.tracing() as passed:
            call()
        return list(passed.opened)

    return count


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's registry of wrappers."""
    kinds = SimpleNamespace(OUTER_SAMPLE="outer", SAMPLER_SAMPLE="sampler", APPLY_MODEL="model")
    monkeypatch.setitem(sys.modules, "comfy.patcher_extension", SimpleNamespace(WrappersMP=kinds))


@pytest.fixture
def sampler() -> Compute:
    """A sampler that draws noise once, and returns it."""
    generator = torch.Generator()
    return lambda got: torch.randn(got["noise"].shape, generator=generator)


def write(folder: Path, passes: list[dict[str, Any]], latents: dict[str, Any], **facts: Any) -> StoredFile:
    """Return an uncompressed file with these passes and latents."""
    path = gen5core.save(
        folder / "input" / "a.gen5",
        latents=latents,
        capture={"noise_source": "recorded", "passes": passes},
        compression="none",
        **facts,
    )
    return open_stored(path)


@pytest.fixture
def file(folder: Path) -> StoredFile:
    """A file with everything that any node reads."""
    return write(
        folder,
        TWO_PASSES,
        LATENTS,
        images=[(255 * images()[0]).to(torch.uint8).numpy()],
        settings={"seed": 11, "steps": 2},
    )


class TestOneOpen:
    """Every node run opens its file once."""

    def test_load(self, file: StoredFile, opened: Any) -> None:
        """Load Gen5 checks and reads the file in one open."""
        assert opened(lambda: Gen5Load().load("a.gen5")) == ["a.gen5"]
        assert opened(lambda: Gen5Load.IS_CHANGED("a.gen5")) == ["a.gen5"]

    def test_load_from_a_png(self, opened: Any) -> None:
        """It does the same with a PNG that carries a record."""
        path = (
            Gen5Save()
            .save("x", images=images(), format=PNG, prompt=txt2img(), unique_id="9")["result"][1]
            .path
        )
        assert opened(lambda: Gen5Load().load(f"{path.name} [output]")) == [path.name]

    def test_replay(self, file: StoredFile, opened: Any, trips: ModuleType, registry: None) -> None:
        """Replay Sampling reads passes, settings, start latent and mask in one open."""
        found: list[Any] = []
        assert opened(lambda: found.extend(Gen5Replay().replay(trips.Model(), file))) == ["a.gen5"]
        assert START.equal(found[1]["samples"])
        assert MASK.equal(found[1]["noise_mask"])

    def test_sampler_call(self, file: StoredFile, opened: Any, sampler: Compute) -> None:
        """A run reads the start latents for matching, its noise and its step noise in one open."""
        replayer = replaying(file)
        found: list[Any] = []
        assert opened(lambda: found.extend(run([replayer], GIVEN, START, compute=sampler))) == ["a.gen5"]
        assert NOISE.equal(found[1]["noise"])
        assert STEPS.equal(found[0])

    def test_sampler_call_that_needs_nothing(self, folder: Path, opened: Any) -> None:
        """A run that is left alone, or one of a pass without noise, does not open the file."""
        quiet = {**PASS, "add_noise": False, "sigmas": [3.0, 0.0]}
        file = write(folder, [{**PASS, "noise": "initial_noise"}, quiet], {"initial_noise": NOISE})
        replayer, nothing = replaying(file), torch.zeros(SHAPE)
        file.path.unlink()
        assert opened(lambda: run([replayer], nothing, sigmas=SIGMAS * 2)) == []
        assert opened(lambda: run([replayer], nothing, START, sigmas=SIGMAS[1:])) == []

    def test_settings(self, file: StoredFile, opened: Any) -> None:
        """Gen5 Settings reads all outputs in one open."""
        found: list[Any] = []
        assert opened(lambda: found.extend(Gen5Settings().read(file))) == ["a.gen5"]
        assert found[:2] == [11, 2]

    def test_compare(self, file: StoredFile, opened: Any) -> None:
        """Compare With Stored reads latent and images in one open."""
        found: list[Any] = []
        current = {"images": images(), "latent": {"samples": LATENTS["final_latent"]}}
        assert opened(lambda: found.extend(Gen5Compare().compare(file, **current)["result"])) == ["a.gen5"]
        assert found[0] is True

    def test_drift(self, file: StoredFile, opened: Any) -> None:
        """Environment Drift reads environment and models in one open."""
        assert opened(lambda: Gen5Environment().check(file)) == ["a.gen5"]

    def test_whole_trips(self) -> None:
        """A replayed run opens its file four times, once of them to check whether it changed."""
        command = [sys.executable, "-W", "ignore", str(SCRIPTS / "trips.py")]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=SCRIPTS.parent)
        rows = [line.rsplit(maxsplit=4) for line in done.stdout.splitlines()[1:]]
        assert {row[0]: int(row[-1]) for row in rows} == {"save": 1, "load": 2, "replayed run": 4}
        assert all(int(core) > 10 and int(nodes) > 4 for _, core, nodes, *_ in rows)


class TestWhatIsRead:
    """Only tensors that are used are read or kept, and no file stays open."""

    def test_closed_while_the_sampler_runs(
        self, file: StoredFile, sampler: Compute, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file is closed before the sampler starts, since an open file cannot be moved on Windows."""
        happened: list[str] = []

        def logging_call(name: str, real: Callable[..., None]) -> Callable[..., None]:
            def call(*args: Any) -> None:
                happened.append(name)
                real(*args)

            return call

        def compute(got: dict[str, Any]) -> torch.Tensor:
            happened.append("sample")
            return sampler(got)

        replayer = replaying(file)
        monkeypatch.setattr(FileSource, "__init__", logging_call("open", FileSource.__init__))
        monkeypatch.setattr(FileSource, "close", logging_call("close", FileSource.close))
        run([replayer], GIVEN, START, compute=compute)
        assert happened == ["open", "close", "sample"]

    @pytest.mark.parametrize(
        "dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu"]
    )
    def test_empty_start_has_the_dtype_of_the_noise(self, folder: Path, dtype: str) -> None:
        """An empty start latent has the noise's shape and dtype."""
        if not hasattr(torch, dtype):
            pytest.skip(f"this torch has no {dtype}")
        noise = NOISE.abs().to(getattr(torch, dtype))
        [start] = write(folder, [], {"initial_noise": noise}).read_start().samples or []
        assert (start.dtype, start.shape) == (noise.dtype, noise.shape)
        assert start.view(torch.uint8).equal(torch.zeros_like(noise).view(torch.uint8))

    def test_empty_start_of_a_nested_latent(self, folder: Path) -> None:
        """The empty start of a nested latent has a part of zeros for each part."""
        noise = [randn(1, 4, 2, 3), randn(1, 5, 7)]
        samples = write(folder, [], {"initial_noise": noise}).read_start().samples or []
        assert [part.shape for part in samples] == [part.shape for part in noise]
        assert not any(torch.count_nonzero(part) for part in samples)

    def test_noise_is_not_read_for_its_shape(self, folder: Path) -> None:
        """Damage in the noise goes unnoticed when only its shape is needed; sampling reports it."""
        file = write(folder, [{**PASS, "noise": "initial_noise"}], {"initial_noise": NOISE})
        with gen5core.open(file.path) as written:
            offset = written.rows[0].offset + 40
        data = bytearray(file.path.read_bytes())
        data[offset] ^= 1
        file.path.write_bytes(data)
        start = file.read_start()
        assert torch.zeros(SHAPE).equal((start.samples or [])[0])
        with pytest.raises(ChecksumError, match="initial_noise"):
            run([SamplingReplayer(file, start)], GIVEN)

    @pytest.mark.usefixtures("registry")
    def test_mask_of_a_missing_image_is_not_read(self, trips: ModuleType, folder: Path) -> None:
        """If the file lacks the image, damage in its mask does not hide that; otherwise it is an error."""
        file = write(folder, TWO_PASSES, LATENTS)
        with gen5core.open(file.path) as written:
            [offset] = [row.offset + 40 for row in written.rows if "'noise_mask'" in str(row)]
        data = bytearray(file.path.read_bytes())
        data[offset] ^= 1
        file.path.write_bytes(data)
        _, latent = Gen5Replay().replay(trips.Model(), file, batch_index=2)
        assert "batch_index is 2, the stored latent holds 1" in latent.message
        with pytest.raises(ChecksumError, match="noise_mask"):
            Gen5Replay().replay(trips.Model(), file, batch_index=0)

    def test_replayer_keeps_no_tensor(self, file: StoredFile) -> None:
        """Start latent and mask do not outlive the LATENT that holds them."""
        start = file.read_start()
        assert start.samples is not None
        assert start.noise_mask is not None
        kept = [weakref.ref(part) for part in (*start.samples, *start.noise_mask)]
        replayer = SamplingReplayer(file, start)
        del start
        assert [part() for part in kept] == [None, None]
        assert len(replayer.passes) == 2

"""A stored start handed to a sampler: which pass it is, and what reaches the sampler."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes.host import Blocked
from gen5pack.nodes.replay import start_latent
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.sampling.replayer import SamplingReplayer
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import SIGMAS, hires, randn, replaying, run, txt2img

OTHER = torch.tensor([9.0, 1.0, 0.0])
NOISE, NOISE_1 = randn(1, 4, 4, 8, seed=1), randn(1, 4, 4, 8, seed=2)
START_1 = randn(1, 4, 4, 8, seed=3)
GIVEN = randn(1, 4, 4, 8, seed=99)
NO_PASS = (
    "a.gen5: no stored pass is known to have this run's sigmas and shape; taking noise and seed of {}. "
    "A sampler that is to keep its own gets the MODEL from before Replay Sampling"
)


def entry(noise: str | None, sigmas: torch.Tensor = SIGMAS, **further: Any) -> dict[str, Any]:
    """Return a recorded pass of META's capture."""
    return {
        "recorded": True,
        "add_noise": noise is not None,
        **({"noise": noise} if noise else {}),
        "sigmas": sigmas.tolist(),
        "shapes": [[1, 4, 4, 8]],
        **further,
    }


def stored(folder: Path, *passes: dict[str, Any], **latents: torch.Tensor) -> StoredFile:
    """Return a file of these passes; a latent's dot is written as a double underscore."""
    path = gen5core.save(
        folder / "input" / "a.gen5",
        latents={name.replace("__", "."): value for name, value in latents.items()},
        capture={"noise_source": "recorded", "passes": list(passes)},
        environment=None,
        hardware=None,
    )
    return open_stored(path)


class TestOnePass:
    """A file of one pass."""

    @pytest.fixture
    def file(self, folder: Path) -> StoredFile:
        """A recorded txt2img of seed 11."""
        return stored(folder, entry("initial_noise", seed=11), initial_noise=NOISE)

    def test_noise_and_seed_are_handed_on(self, file: StoredFile) -> None:
        """The sampler gets the stored noise and seed; everything else is its own."""
        latent, mask = randn(1, 4, 4, 8, seed=5), torch.ones(1, 4, 4, 8)
        _, got = run([replaying(file)], GIVEN, latent, seed=4, mask=mask, extra="kept")
        assert NOISE.equal(got["noise"])
        assert (got["seed"], got["extra"]) == (11, "kept")
        assert latent is got["latent_image"]
        assert mask is got["denoise_mask"]
        assert SIGMAS is got["sigmas"]

    def test_seed_by_position_or_not_at_all(self, file: StoredFile) -> None:
        """A run that names no seed still gets the stored one as its seed, not as another argument."""
        received: dict[str, Any] = {}

        def end(*args: Any, **kwargs: Any) -> torch.Tensor:
            received.update(kwargs, args=args)
            return torch.zeros(1)

        replaying(file)(end, GIVEN, GIVEN, None, SIGMAS)
        assert len(received["args"]) == 4
        assert received["seed"] == 11

    def test_other_sigmas_keep_the_noise(self, file: StoredFile) -> None:
        """Other sigmas are a legitimate use: the noise is the stored one."""
        _, got = run([replaying(file)], GIVEN, sigmas=OTHER)
        assert NOISE.equal(got["noise"])
        assert OTHER is got["sigmas"]

    @pytest.mark.parametrize("rounding", [2**-24, -(2**-22), 3e-6])
    def test_sigmas_of_another_device(self, file: StoredFile, rounding: float) -> None:
        """Sigmas that differ by rounding alone, as a GPU computes them, are the stored ones: those are sampled."""
        other = (SIGMAS.double() * (1 + rounding)).float()
        assert not SIGMAS.equal(other)
        _, got = run([replaying(file)], GIVEN, sigmas=other)
        assert SIGMAS.equal(got["sigmas"])
        assert SIGMAS.dtype == got["sigmas"].dtype

    def test_sigmas_nearby_are_others(self, file: StoredFile) -> None:
        """A schedule that differs by more than rounding is kept."""
        other = SIGMAS * (1 + 1e-4)
        _, got = run([replaying(file)], GIVEN, sigmas=other)
        assert other is got["sigmas"]

    def test_copied_with_the_models_options(self, file: StoredFile) -> None:
        """A host or a pack that copies a model's options deeply goes on replaying."""
        [copied] = copy.deepcopy({"gen5": [replaying(file).__call__]})["gen5"]
        _, got = run([copied], GIVEN)
        assert NOISE.equal(got["noise"])

    def test_stored_sigmas_where_asked_for(self, file: StoredFile) -> None:
        """use_stored_sigmas samples along the stored ones, bit for bit."""
        _, got = run([replaying(file, use_stored_sigmas=True)], GIVEN, sigmas=OTHER)
        assert torch.float32 == got["sigmas"].dtype
        assert SIGMAS.equal(got["sigmas"])

    def test_run_without_noise_is_left_alone(self, file: StoredFile) -> None:
        """A run that adds no noise and is like no stored pass goes on as it is."""
        zero = torch.zeros_like(GIVEN)
        _, got = run([replaying(file)], zero, seed=4, sigmas=OTHER)
        assert zero is got["noise"]
        assert got["seed"] == 4

    def test_another_shape_is_an_error(self, file: StoredFile) -> None:
        """Another shape is told with both shapes and what to connect."""
        message = r"^a\.gen5 .*\[1, 4, 4, 8\], .*\[1, 4, 8, 8\]: connect .*`latent`.* latent_image"
        with pytest.raises(EncodeError, match=message):
            run([replaying(file)], randn(1, 4, 8, 8))

    def test_start_is_empty(self, file: StoredFile) -> None:
        """The latent output of a txt2img file is empty, of the noise's shape and dtype."""
        latent = start_latent(file.read_start(), -1)
        assert list(latent) == ["samples"]
        assert torch.zeros(1, 4, 4, 8).equal(latent["samples"])

    def test_file_changed_between_runs(self, folder: Path, file: StoredFile) -> None:
        """A file that was replaced after the replayer was made is an error when the sampler runs."""
        replayer = replaying(file)
        stored(folder, entry("initial_noise"), initial_noise=NOISE_1)
        with pytest.raises(gen5core.ChecksumError, match=r"^a\.gen5 was replaced since it was saved"):
            run([replayer], GIVEN)


class TestBatch:
    """One image of a stored batch."""

    def test_batch_index(self, folder: Path) -> None:
        """batch_index hands on one image's noise, and gives its start and mask."""
        noise, start, mask = randn(3, 4, 4, 8), randn(3, 4, 4, 8, seed=1), randn(3, 1, 4, 8, seed=2)
        known = {"shapes": [[3, 4, 4, 8]], "start_latent": "start_latent", "noise_mask": "noise_mask"}
        file = stored(
            folder,
            entry("initial_noise", **known),
            initial_noise=noise,
            start_latent=start,
            noise_mask=mask,
        )
        replayer = replaying(file, batch_index=2)
        _, got = run([replayer], GIVEN)
        assert noise[2:].equal(got["noise"])
        latent = start_latent(file.read_start(), 2)
        assert start[2:].equal(latent["samples"])
        assert mask[2:].equal(latent["noise_mask"])

    def test_whole_batch_for_one_image_is_an_error(self, folder: Path) -> None:
        """A stored batch does not fit a sampler of one image."""
        file = stored(folder, entry("initial_noise"), initial_noise=randn(3, 4, 4, 8))
        with pytest.raises(EncodeError, match=re.escape("noise of shape [3, 4, 4, 8], the sampler's")):
            run([replaying(file)], GIVEN)

    def test_image_that_is_not_there(self, folder: Path) -> None:
        """An index beyond the stored batch tells the range."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        with pytest.raises(EncodeError, match=r"^batch_index is 1, .*noise.* 1 \(0 to 0\)"):
            run([replaying(file, batch_index=1)], GIVEN)


class TestMatching:
    """Several passes in one file: each run gets its own."""

    def test_by_sigmas(self, folder: Path) -> None:
        """The run of each pass is known by its sigmas, in whatever order they come."""
        file = stored(
            folder,
            entry("initial_noise", seed=1),
            entry("initial_noise.1", OTHER, seed=2),
            initial_noise=NOISE,
            initial_noise__1=NOISE_1,
        )
        replayer = replaying(file)
        for sigmas, noise, seed in ((OTHER, NOISE_1, 2), (SIGMAS, NOISE, 1)):
            _, got = run([replayer], GIVEN, sigmas=sigmas)
            assert noise.equal(got["noise"])
            assert seed == got["seed"]

    def test_by_shape(self, folder: Path) -> None:
        """Passes of equal sigmas are told apart by their shape."""
        larger = randn(1, 4, 8, 16)
        file = stored(
            folder,
            entry("initial_noise"),
            entry("initial_noise.1", shapes=[[1, 4, 8, 16]]),
            initial_noise=NOISE,
            initial_noise__1=larger,
        )
        _, got = run([replaying(file)], torch.ones(1, 4, 8, 16))
        assert larger.equal(got["noise"])

    def test_by_start(self, folder: Path) -> None:
        """Passes of equal sigmas and shape are told apart by the latent that they start from."""
        file = stored(
            folder,
            entry("initial_noise", seed=1),
            entry("initial_noise.1", seed=2, start_latent="start_latent.1"),
            entry("initial_noise.2", seed=3, start_latent="start_latent.2"),
            initial_noise=NOISE,
            initial_noise__1=NOISE_1,
            initial_noise__2=randn(1, 4, 4, 8, seed=7),
            start_latent__1=START_1,
            start_latent__2=randn(1, 4, 4, 8, seed=8),
        )
        replayer = replaying(file)
        starts = (randn(1, 4, 4, 8, seed=8), START_1, START_1 + 0.001, torch.zeros(1, 4, 4, 8))
        assert [run([replayer], GIVEN, start)[1]["seed"] for start in starts] == [3, 2, 2, 1]

    def test_split_halves(self, folder: Path) -> None:
        """One replayer serves both halves of a split: noise in the first, none in the second."""
        file = stored(
            folder,
            entry("initial_noise", SIGMAS[:2], seed=11),
            entry(None, SIGMAS[1:], seed=0, start_latent="start_latent.1"),
            initial_noise=NOISE,
            start_latent__1=START_1,
        )
        replayer = replaying(file)
        _, first = run([replayer], GIVEN, sigmas=SIGMAS[:2])
        _, second = run([replayer], GIVEN, START_1, sigmas=SIGMAS[1:])
        assert NOISE.equal(first["noise"])
        assert torch.zeros(1, 4, 4, 8).equal(second["noise"])
        assert START_1.equal(second["latent_image"])

    def test_pass_whose_noise_the_file_lacks_is_not_matched(self, folder: Path) -> None:
        """A pass that added noise which the file does not hold gives no sampler zeros in its place."""
        lacking = {**entry(None), "add_noise": True}
        file = stored(folder, lacking, entry("initial_noise.1", OTHER), initial_noise__1=NOISE_1)
        _, got = run([replaying(file)], GIVEN)
        assert NOISE_1.equal(got["noise"])

    def test_batch_index_that_another_pass_lacks(self, folder: Path) -> None:
        """A pass of fewer images than batch_index asks for is no candidate, and no error."""
        single, triple = randn(1, 4, 4, 8, seed=20), randn(3, 4, 4, 8, seed=21)
        file = stored(
            folder,
            entry("initial_noise", seed=1, start_latent="start_latent"),
            entry("initial_noise.1", seed=2, start_latent="start_latent.1", shapes=[[3, 4, 4, 8]]),
            initial_noise=NOISE,
            initial_noise__1=randn(3, 4, 4, 8),
            start_latent=single,
            start_latent__1=triple,
        )
        _, got = run([replaying(file, batch_index=2)], GIVEN, triple[2:])
        assert randn(3, 4, 4, 8)[2:].equal(got["noise"])

    @pytest.fixture
    def twins(self, folder: Path) -> StoredFile:
        """Two passes of one shape, sigmas and empty start, of other seeds and nodes."""
        return stored(
            folder,
            entry("initial_noise", seed=11, node_id="3"),
            entry("initial_noise.1", seed=22, node_id="57:8"),
            initial_noise=NOISE,
            initial_noise__1=NOISE_1,
        )

    def test_by_seed(self, twins: StoredFile, caplog: pytest.LogCaptureFixture) -> None:
        """Passes that nothing else tells apart are told apart by the run's own seed."""
        replayer = replaying(twins)
        for seed, noise in ((22, NOISE_1), (11, NOISE)):
            assert noise.equal(run([replayer], GIVEN, seed=seed)[1]["noise"])
        assert caplog.messages == []

    @pytest.mark.parametrize("seed", [33, None])
    def test_told_apart_by_nothing(
        self, twins: StoredFile, caplog: pytest.LogCaptureFixture, seed: int | None
    ) -> None:
        """Where nothing tells passes apart the first is taken, and the log names them and the remedy."""
        _, got = run([replaying(twins)], GIVEN, seed=seed)
        assert NOISE.equal(got["noise"])
        assert caplog.messages == [
            "a.gen5: pass 0 (node 3) and pass 1 (node 57:8) fit this run alike; taking the first. "
            "Give each sampler a Replay Sampling of its own, and set its pass_index"
        ]
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_none_matches(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Where no pass matches, the first with noise is taken and the log says so."""
        file = stored(
            folder,
            entry(None, SIGMAS[1:]),
            entry("initial_noise.1", seed=2),
            initial_noise__1=NOISE_1,
        )
        _, got = run([replaying(file)], GIVEN, sigmas=OTHER)
        assert NOISE_1.equal(got["noise"])
        assert [NO_PASS.format("pass 1")] == caplog.messages

    def test_other_sigmas_of_one_pass_are_told(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A sampler of other sigmas gets the noise and seed of a file's one pass, and the log warns of it."""
        file = stored(folder, entry("initial_noise", seed=11, node_id="3"), initial_noise=NOISE)
        replayer = replaying(file)
        run([replayer], GIVEN)
        assert caplog.messages == []
        _, got = run([replayer], GIVEN, seed=99, sigmas=OTHER)
        assert NOISE.equal(got["noise"])
        assert got["seed"] == 11
        assert [NO_PASS.format("pass 0 (node 3)")] == caplog.messages
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_pass_that_is_asked_for_is_not_told(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Where pass_index says which pass to take, other sigmas are the person's own choice."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        with caplog.at_level("INFO"):
            run([replaying(file, pass_index=0)], GIVEN, sigmas=OTHER)
        assert caplog.messages == []

    def test_pass_index(self, folder: Path) -> None:
        """A pass that is asked for is taken, whatever the sigmas are like."""
        file = stored(
            folder,
            entry("initial_noise", seed=1),
            entry("initial_noise.1", OTHER, seed=2),
            initial_noise=NOISE,
            initial_noise__1=NOISE_1,
        )
        _, got = run([replaying(file, pass_index=1)], GIVEN, sigmas=SIGMAS)
        assert NOISE_1.equal(got["noise"])

    def test_pass_without_noise_that_is_asked_for(self, folder: Path) -> None:
        """A pass that added no noise, asked for, gives a sampler none either, not its own."""
        file = stored(folder, entry("initial_noise"), entry(None, OTHER), initial_noise=NOISE)
        _, got = run([replaying(file, pass_index=1)], GIVEN, sigmas=SIGMAS * 2)
        assert torch.zeros(1, 4, 4, 8).equal(got["noise"])

    def test_pass_whose_noise_is_not_known(self, folder: Path) -> None:
        """A pass that added noise which the file does not hold is refused with the reason."""
        lacking = {"add_noise": True, "recorded": False}
        file = stored(folder, lacking, entry("initial_noise.1"), initial_noise__1=NOISE_1)
        with pytest.raises(EncodeError, match=r"^a\.gen5 holds no starting noise of pass 0; save it again"):
            replaying(file, pass_index=0)

    def test_pass_that_is_not_there(self, folder: Path) -> None:
        """A pass that the file does not have tells the range."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        message = re.escape("pass_index is 1, a.gen5 has 1 (0 to 0); −1 matches by itself")
        with pytest.raises(EncodeError, match=f"^{message}$"):
            file.read_start(1)

    def test_no_noise_at_all(self, folder: Path) -> None:
        """A file without noise is refused with the reason that it was saved with."""
        path = gen5core.save(
            folder / "input" / "a.gen5", capture={"noise_source": "none", "reason": "its seed is unknown"}
        )
        with pytest.raises(EncodeError, match=r"^a\.gen5 holds no starting noise; its seed is unknown$"):
            replaying(open_stored(path))

    def test_file_without_passes(self, folder: Path) -> None:
        """A file of any writer that holds noise and seed replays them."""
        path = gen5core.save(
            folder / "input" / "a.gen5", latents={"initial_noise": NOISE}, settings={"seed": 11}
        )
        _, got = run([replaying(open_stored(path))], GIVEN)
        assert NOISE.equal(got["noise"])
        assert got["seed"] == 11


class TestNested:
    """Latents of several parts reach the sampler packed."""

    SHAPES = ([2, 4, 2, 3], [2, 5, 7])

    def test_packed_and_taken(self, folder: Path) -> None:
        """Parts are packed as the sampler has them; batch_index takes one image of each."""
        parts = [randn(*shape, seed=number) for number, shape in enumerate(self.SHAPES)]
        path = gen5core.save(
            folder / "input" / "a.gen5",
            latents={"initial_noise": parts},
            capture={"passes": [entry("initial_noise", shapes=[list(shape) for shape in self.SHAPES])]},
        )
        file = open_stored(path)
        packed = torch.cat([part.reshape(2, 1, -1) for part in parts], dim=-1)
        _, got = run([replaying(file)], torch.ones_like(packed), latent_shapes=self.SHAPES)
        assert packed.equal(got["noise"])
        single = [[1, *shape[1:]] for shape in self.SHAPES]
        replayer = replaying(file, batch_index=1)
        _, got = run([replayer], torch.ones_like(packed[:1]), latent_shapes=single)
        assert packed[1:].equal(got["noise"])


class TestStart:
    """The latent that a KSampler is to start from."""

    def test_of_a_recorded_image_to_image(self, folder: Path) -> None:
        """It is the stored one, with the mask; one mask serves the whole batch."""
        mask = randn(1, 1, 4, 8)
        file = stored(
            folder,
            entry("initial_noise", start_latent="start_latent", noise_mask="noise_mask"),
            initial_noise=NOISE,
            start_latent=START_1,
            noise_mask=mask,
        )
        latent = start_latent(file.read_start(), -1)
        assert START_1.equal(latent["samples"])
        assert mask.equal(latent["noise_mask"])

    @pytest.mark.parametrize(
        "prompt",
        [hires(), txt2img(denoise=0.5)],
        ids=["hires", "image to image"],
    )
    def test_that_is_not_known_is_blocked(self, prompt: dict[str, Any]) -> None:
        """Where noise was derived and sampling started from something, that is not given out as empty."""
        answer = Gen5Save().save("x", latent={"samples": GIVEN}, prompt=prompt, unique_id="9")
        file: StoredFile = answer["result"][1]
        assert Blocked(
            "x_00001_.gen5 does not hold the latent that sampling started from: connect your own, "
            "or save with Record Sampling connected"
        ) == start_latent(file.read_start(), -1)

    def test_that_lacks_the_image_is_blocked(self, folder: Path) -> None:
        """Where the first pass had fewer images than batch_index asks for, only the latent is stopped."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        message = "a.gen5: batch_index is 2, the stored latent holds 1 (0 to 0); −1 takes all"
        assert Blocked(message) == start_latent(file.read_start(), 2)

    def test_of_a_derived_text_to_image_is_empty(self) -> None:
        """A derived text to image started from an empty latent."""
        answer = Gen5Save().save("x", latent={"samples": GIVEN}, prompt=txt2img(), unique_id="9")
        file: StoredFile = answer["result"][1]
        assert torch.zeros(1, 4, 4, 8).equal(start_latent(file.read_start(), -1)["samples"])


class TestWithRecorder:
    """Recorder and replayer on one model: the notes are of what the sampler really got."""

    @pytest.fixture
    def replayer(self, folder: Path) -> SamplingReplayer:
        """A replayer of seed 11 along its own sigmas."""
        file = stored(folder, entry("initial_noise", seed=11), initial_noise=NOISE)
        return replaying(file, use_stored_sigmas=True)

    @pytest.mark.parametrize("order", ["record first", "replay first"])
    def test_either_order(self, replayer: SamplingReplayer, order: str) -> None:
        """Whichever wraps the other, noise, seed and sigmas noted are the stored ones."""
        recording = Recording()
        wrappers = [SamplingRecorder(recording), replayer]
        output, got = run(wrappers if order == "record first" else wrappers[::-1], GIVEN, sigmas=OTHER)
        [noted] = recording.runs
        assert NOISE.equal(got["noise"])
        assert NOISE.equal(noted.noise[0])
        assert (noted.seed, noted.sigmas) == (11, (14.5, 3.0, 0.0))
        assert noted is recording.find_result([output])

    def test_two_recorders_around_a_replayer(self, replayer: SamplingReplayer) -> None:
        """Every recorder further out notes what the replayer put in, not the nearest alone."""
        recordings = [Recording(), Recording(), Recording()]
        recorders = [SamplingRecorder(recording) for recording in recordings]
        run([recorders[0], recorders[1], replayer, recorders[2]], GIVEN, sigmas=OTHER)
        assert [recording.runs[0].seed for recording in recordings] == [11, 11, 11]
        assert all(NOISE.equal(recording.runs[0].noise[0]) for recording in recordings)

    def test_run_within_a_run(self, replayer: SamplingReplayer) -> None:
        """A sampler that samples with another model in between: what that one replays is not the outer run's."""
        outer, inner = Recording(), Recording()

        def sampling_within(got: dict[str, Any]) -> torch.Tensor:
            return run([SamplingRecorder(inner), replayer], randn(1, 4, 4, 8, seed=50), sigmas=OTHER)[0]

        run([SamplingRecorder(outer)], GIVEN, seed=4, compute=sampling_within)
        assert (outer.runs[0].seed, inner.runs[0].seed) == (4, 11)
        assert GIVEN.equal(outer.runs[0].noise[0])
        assert NOISE.equal(inner.runs[0].noise[0])

    def test_note_does_not_outlive_its_run(self, replayer: SamplingReplayer) -> None:
        """A run after a replayed one is noted as it is, also where the first failed."""

        def fail(_: Any) -> torch.Tensor:
            raise RuntimeError("interrupted")

        recording = Recording()
        recorder = SamplingRecorder(recording)
        with pytest.raises(RuntimeError, match=r"^interrupted$"):
            run([recorder, replayer], GIVEN, compute=fail)
        run([recorder], GIVEN, seed=4)
        [noted] = recording.runs
        assert GIVEN.equal(noted.noise[0])
        assert noted.seed == 4


def test_recorded_then_replayed_is_bit_exact() -> None:
    """The main job: record, save, replay under another seed and noise; the result is equal to the bit."""
    recording, start = Recording(), randn(1, 4, 4, 8, seed=6)
    result, _ = run([SamplingRecorder(recording)], NOISE, start, seed=5)
    answer = Gen5Save().save(
        "x", latent={"samples": result}, recording=recording, prompt=txt2img(), unique_id="9"
    )
    file: StoredFile = answer["result"][1]
    replayer = replaying(file)
    latent = start_latent(file.read_start(), -1)["samples"]
    again, got = run([replayer], GIVEN, latent, seed=424242)
    assert result.equal(again)
    assert got["seed"] == 5

"""Starting a sampler from a file: which pass is chosen, and what reaches the sampler."""

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
    "a.gen5: no stored pass is known to have this run's sigmas and shape; using noise and seed of {}. "
    "To let a sampler keep its own noise, connect it to the MODEL from before Replay Sampling"
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
    """A file with one pass."""

    @pytest.fixture
    def file(self, folder: Path) -> StoredFile:
        """A recorded txt2img of seed 11."""
        return stored(folder, entry("initial_noise", seed=11), initial_noise=NOISE)

    def test_noise_and_seed_are_replaced(self, file: StoredFile) -> None:
        """The sampler gets the stored noise and seed; all other arguments stay as they are."""
        latent, mask = randn(1, 4, 4, 8, seed=5), torch.ones(1, 4, 4, 8)
        _, got = run([replaying(file)], GIVEN, latent, seed=4, mask=mask, extra="kept")
        assert NOISE.equal(got["noise"])
        assert (got["seed"], got["extra"]) == (11, "kept")
        assert latent is got["latent_image"]
        assert mask is got["denoise_mask"]
        assert got["sigmas"] is SIGMAS

    def test_seed_by_position_or_not_at_all(self, file: StoredFile) -> None:
        """A run without a seed argument still gets the stored seed as its seed."""
        received: dict[str, Any] = {}

        def end(*args: Any, **kwargs: Any) -> torch.Tensor:
            received.update(kwargs, args=args)
            return torch.zeros(1)

        replaying(file)(end, GIVEN, GIVEN, None, SIGMAS)
        assert len(received["args"]) == 4
        assert received["seed"] == 11

    def test_other_sigmas_keep_the_noise(self, file: StoredFile) -> None:
        """Sampling with other sigmas is allowed and uses the stored noise."""
        _, got = run([replaying(file)], GIVEN, sigmas=OTHER)
        assert NOISE.equal(got["noise"])
        assert got["sigmas"] is OTHER

    @pytest.mark.parametrize("rounding", [2**-24, -(2**-22), 3e-6])
    def test_sigmas_of_another_device(self, file: StoredFile, rounding: float) -> None:
        """Sigmas that differ only by rounding, as computed on a GPU, count as the stored ones, which are then used."""
        other = (SIGMAS.double() * (1 + rounding)).float()
        assert not SIGMAS.equal(other)
        _, got = run([replaying(file)], GIVEN, sigmas=other)
        assert SIGMAS.equal(got["sigmas"])
        assert got["sigmas"].dtype == SIGMAS.dtype

    def test_similar_sigmas_are_different(self, file: StoredFile) -> None:
        """A schedule that differs by more than rounding is kept."""
        other = SIGMAS * (1 + 1e-4)
        _, got = run([replaying(file)], GIVEN, sigmas=other)
        assert other is got["sigmas"]

    def test_deep_copied_model_options(self, file: StoredFile) -> None:
        """A replayer still works after a host or pack deep-copies the model's options."""
        [copied] = copy.deepcopy({"gen5": [replaying(file).__call__]})["gen5"]
        _, got = run([copied], GIVEN)
        assert NOISE.equal(got["noise"])

    def test_use_stored_sigmas(self, file: StoredFile) -> None:
        """use_stored_sigmas samples along the stored ones, bit for bit."""
        _, got = run([replaying(file, use_stored_sigmas=True)], GIVEN, sigmas=OTHER)
        assert got["sigmas"].dtype == torch.float32
        assert SIGMAS.equal(got["sigmas"])

    def test_run_without_noise_is_left_alone(self, file: StoredFile) -> None:
        """A run that adds no noise and matches no stored pass is left alone."""
        zero = torch.zeros_like(GIVEN)
        _, got = run([replaying(file)], zero, seed=4, sigmas=OTHER)
        assert zero is got["noise"]
        assert got["seed"] == 4

    def test_another_shape_is_an_error(self, file: StoredFile) -> None:
        """Another shape is an error that names both shapes and what to connect."""
        message = r"^a\.gen5 .*\[1, 4, 4, 8\], .*\[1, 4, 8, 8\]: connect .*`latent`.* latent_image"
        with pytest.raises(EncodeError, match=message):
            run([replaying(file)], randn(1, 4, 8, 8))

    def test_start_is_empty(self, file: StoredFile) -> None:
        """The latent output of a txt2img file is empty and has the noise's shape and dtype."""
        latent = start_latent(file.read_start(), -1)
        assert list(latent) == ["samples"]
        assert torch.zeros(1, 4, 4, 8).equal(latent["samples"])

    def test_empty_start_has_its_own_dtype(self, folder: Path) -> None:
        """Some packs draw noise in float64 for a latent in float32, and give their result in the latent's dtype."""
        file = stored(folder, {**entry("initial_noise"), "start_dtype": "float16"}, initial_noise=NOISE_1)
        assert start_latent(file.read_start(), -1)["samples"].dtype == torch.float16

    def test_file_changed_between_runs(self, folder: Path, file: StoredFile) -> None:
        """A file that was replaced after the replayer was created is an error when the sampler runs."""
        replayer = replaying(file)
        stored(folder, entry("initial_noise"), initial_noise=NOISE_1)
        with pytest.raises(gen5core.ChecksumError, match=r"^a\.gen5 was replaced since it was saved"):
            run([replayer], GIVEN)


class TestBatch:
    """One image of a stored batch."""

    def test_batch_index(self, folder: Path) -> None:
        """batch_index selects the noise, start latent and mask of one image."""
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
        """A stored batch for a sampler of one image is an error."""
        file = stored(folder, entry("initial_noise"), initial_noise=randn(3, 4, 4, 8))
        with pytest.raises(EncodeError, match=re.escape("noise of shape [3, 4, 4, 8], but the sampler's")):
            run([replaying(file)], GIVEN)

    def test_missing_image(self, folder: Path) -> None:
        """An index beyond the stored batch is an error that names the range."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        with pytest.raises(EncodeError, match=r"^batch_index is 1, .*noise.* 1 \(0 to 0\)"):
            run([replaying(file, batch_index=1)], GIVEN)


class TestMatching:
    """Several passes in one file: each run gets its own."""

    def test_by_sigmas(self, folder: Path) -> None:
        """Runs are matched to passes by sigmas, in any order."""
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
            assert got["seed"] == seed

    def test_by_shape(self, folder: Path) -> None:
        """Passes of equal sigmas are distinguished by shape."""
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
        """Passes of equal sigmas and shape are distinguished by their start latents."""
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

    def test_pass_with_missing_noise_is_not_matched(self, folder: Path) -> None:
        """A pass whose noise the file lacks never gives a sampler zeros instead."""
        lacking = {**entry(None), "add_noise": True}
        file = stored(folder, lacking, entry("initial_noise.1", OTHER), initial_noise__1=NOISE_1)
        _, got = run([replaying(file)], GIVEN)
        assert NOISE_1.equal(got["noise"])

    def test_batch_index_beyond_another_pass(self, folder: Path) -> None:
        """A pass with too few images for batch_index is skipped, not an error."""
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

    def test_start_of_another_batch_size(self, folder: Path) -> None:
        """A start of another shape is never the nearest, even if it equals the run's when repeated."""
        file = stored(
            folder,
            entry("initial_noise", start_latent="start_latent", shapes=[[2, 4, 4, 8]]),
            entry("initial_noise.1", start_latent="start_latent.1"),
            initial_noise=randn(2, 4, 4, 8),
            initial_noise__1=NOISE_1,
            start_latent=START_1.repeat(2, 1, 1, 1),
            start_latent__1=START_1 + 1,
        )
        _, got = run([replaying(file)], GIVEN, START_1)
        assert NOISE_1.equal(got["noise"])

    @pytest.fixture
    def twins(self, folder: Path) -> StoredFile:
        """Two passes of equal shape, sigmas and empty start, with different seeds and nodes."""
        return stored(
            folder,
            entry("initial_noise", seed=11, node_id="3"),
            entry("initial_noise.1", seed=22, node_id="57:8"),
            initial_noise=NOISE,
            initial_noise__1=NOISE_1,
        )

    def test_by_seed(self, twins: StoredFile, caplog: pytest.LogCaptureFixture) -> None:
        """Otherwise equal passes are distinguished by the run's own seed."""
        replayer = replaying(twins)
        for seed, noise in ((22, NOISE_1), (11, NOISE)):
            assert noise.equal(run([replayer], GIVEN, seed=seed)[1]["noise"])
        assert caplog.messages == []

    @pytest.mark.parametrize("seed", [33, None])
    def test_indistinguishable_passes(
        self, twins: StoredFile, caplog: pytest.LogCaptureFixture, seed: int | None
    ) -> None:
        """If passes cannot be distinguished, the first is used, and the log names them and the remedy."""
        _, got = run([replaying(twins)], GIVEN, seed=seed)
        assert NOISE.equal(got["noise"])
        assert caplog.messages == [
            "a.gen5: pass 0 (node 3) and pass 1 (node 57:8) match this run equally well; using the first. "
            "Give each sampler its own Replay Sampling and set its pass_index"
        ]
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_none_matches(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """If no pass matches, the first with noise is used and the log says so."""
        file = stored(
            folder,
            entry(None, SIGMAS[1:]),
            entry("initial_noise.1", seed=2),
            initial_noise__1=NOISE_1,
        )
        _, got = run([replaying(file)], GIVEN, sigmas=OTHER)
        assert NOISE_1.equal(got["noise"])
        assert [NO_PASS.format("pass 1")] == caplog.messages

    def test_other_sigmas_are_logged(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A sampler with other sigmas gets the noise and seed of the file's only pass, and the log warns about it."""
        file = stored(folder, entry("initial_noise", seed=11, node_id="3"), initial_noise=NOISE)
        replayer = replaying(file)
        run([replayer], GIVEN)
        assert caplog.messages == []
        _, got = run([replayer], GIVEN, seed=99, sigmas=OTHER)
        assert NOISE.equal(got["noise"])
        assert got["seed"] == 11
        assert [NO_PASS.format("pass 0 (node 3)")] == caplog.messages
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_chosen_pass_is_not_logged(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """With pass_index set, other sigmas are the user's own choice and are not logged."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        with caplog.at_level("INFO"):
            run([replaying(file, pass_index=0)], GIVEN, sigmas=OTHER)
        assert caplog.messages == []

    def test_pass_index(self, folder: Path) -> None:
        """The pass chosen by pass_index is used, whatever the sigmas are."""
        file = stored(
            folder,
            entry("initial_noise", seed=1),
            entry("initial_noise.1", OTHER, seed=2),
            initial_noise=NOISE,
            initial_noise__1=NOISE_1,
        )
        _, got = run([replaying(file, pass_index=1)], GIVEN, sigmas=SIGMAS)
        assert NOISE_1.equal(got["noise"])

    def test_chosen_pass_without_noise(self, folder: Path) -> None:
        """If the chosen pass added no noise, the sampler gets no noise either, not its own."""
        file = stored(folder, entry("initial_noise"), entry(None, OTHER), initial_noise=NOISE)
        _, got = run([replaying(file, pass_index=1)], GIVEN, sigmas=SIGMAS * 2)
        assert torch.zeros(1, 4, 4, 8).equal(got["noise"])

    def test_chosen_pass_with_missing_noise(self, folder: Path) -> None:
        """Choosing a pass whose noise the file lacks is an error with the reason."""
        lacking = {"add_noise": True, "recorded": False}
        file = stored(folder, lacking, entry("initial_noise.1"), initial_noise__1=NOISE_1)
        with pytest.raises(EncodeError, match=r"^a\.gen5 holds no starting noise of pass 0; save it again"):
            replaying(file, pass_index=0)

    def test_missing_pass(self, folder: Path) -> None:
        """A pass that the file does not have is an error that names the range."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        message = re.escape("pass_index is 1, but a.gen5 has passes 0 to 0; −1 matches")
        with pytest.raises(EncodeError, match=f"^{message}"):
            file.read_start(1)

    def test_no_noise_at_all(self, folder: Path) -> None:
        """A file without noise is an error with the reason stored in the file."""
        path = gen5core.save(
            folder / "input" / "a.gen5", capture={"noise_source": "none", "reason": "its seed is unknown"}
        )
        with pytest.raises(EncodeError, match=r"^a\.gen5 holds no starting noise; its seed is unknown$"):
            replaying(open_stored(path))

    def test_file_without_passes(self, folder: Path) -> None:
        """A file of any writer with noise and seed can be replayed."""
        path = gen5core.save(
            folder / "input" / "a.gen5", latents={"initial_noise": NOISE}, settings={"seed": 11}
        )
        _, got = run([replaying(open_stored(path))], GIVEN)
        assert NOISE.equal(got["noise"])
        assert got["seed"] == 11


class TestNested:
    """Latents of several parts reach the sampler packed."""

    SHAPES = ([2, 4, 2, 3], [2, 5, 7])

    def test_packed_and_selected(self, folder: Path) -> None:
        """Parts are packed as samplers expect; batch_index selects one image of each."""
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
    """The latent that a KSampler starts from."""

    def test_recorded_image_to_image(self, folder: Path) -> None:
        """It is the stored latent with its mask; one mask applies to the whole batch."""
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
    def test_unknown_start_is_blocked(self, prompt: dict[str, Any]) -> None:
        """If noise was derived and the start latent is unknown, it is blocked instead of given as empty."""
        answer = Gen5Save().save("x", latent={"samples": GIVEN}, prompt=prompt, unique_id="9")
        file: StoredFile = answer["result"][1]
        assert start_latent(file.read_start(), -1) == Blocked(
            "x_00001_.gen5 does not hold the latent that sampling started from: connect your own, "
            "or save with Record Sampling connected"
        )

    def test_missing_image_is_blocked(self, folder: Path) -> None:
        """If the first pass has too few images for batch_index, only the latent is blocked."""
        file = stored(folder, entry("initial_noise"), initial_noise=NOISE)
        message = "a.gen5: batch_index is 2, the stored latent holds 1 (0 to 0); −1 takes all"
        assert start_latent(file.read_start(), 2) == Blocked(message)

    def test_derived_text_to_image_is_empty(self) -> None:
        """A derived text-to-image run started from an empty latent."""
        answer = Gen5Save().save("x", latent={"samples": GIVEN}, prompt=txt2img(), unique_id="9")
        file: StoredFile = answer["result"][1]
        assert torch.zeros(1, 4, 4, 8).equal(start_latent(file.read_start(), -1)["samples"])


class TestWithRecorder:
    """Recorder and replayer on one model: the recording holds what the sampler really received."""

    @pytest.fixture
    def replayer(self, folder: Path) -> SamplingReplayer:
        """A replayer of seed 11 that uses the stored sigmas."""
        file = stored(folder, entry("initial_noise", seed=11), initial_noise=NOISE)
        return replaying(file, use_stored_sigmas=True)

    @pytest.mark.parametrize("order", ["record first", "replay first"])
    def test_either_order(self, replayer: SamplingReplayer, order: str) -> None:
        """Whichever wraps the other, the recorded noise, seed and sigmas are the stored ones."""
        recording = Recording()
        wrappers = [SamplingRecorder(recording), replayer]
        output, got = run(wrappers if order == "record first" else wrappers[::-1], GIVEN, sigmas=OTHER)
        [recorded] = recording.runs
        assert NOISE.equal(got["noise"])
        assert NOISE.equal(recorded.noise[0])
        assert (recorded.seed, recorded.sigmas) == (11, (14.5, 3.0, 0.0))
        assert recorded is recording.find_by_result([output])

    def test_two_recorders_around_a_replayer(self, replayer: SamplingReplayer) -> None:
        """Every outer recorder records what the replayer put in, not only the nearest one."""
        recordings = [Recording(), Recording(), Recording()]
        recorders = [SamplingRecorder(recording) for recording in recordings]
        run([recorders[0], recorders[1], replayer, recorders[2]], GIVEN, sigmas=OTHER)
        assert [recording.runs[0].seed for recording in recordings] == [11, 11, 11]
        assert all(NOISE.equal(recording.runs[0].noise[0]) for recording in recordings)

    def test_nested_run(self, replayer: SamplingReplayer) -> None:
        """If a sampler runs another model inside, that model's replay is not recorded in the outer run."""
        outer, inner = Recording(), Recording()

        def sample_inside(got: dict[str, Any]) -> torch.Tensor:
            return run([SamplingRecorder(inner), replayer], randn(1, 4, 4, 8, seed=50), sigmas=OTHER)[0]

        run([SamplingRecorder(outer)], GIVEN, seed=4, compute=sample_inside)
        assert (outer.runs[0].seed, inner.runs[0].seed) == (4, 11)
        assert GIVEN.equal(outer.runs[0].noise[0])
        assert NOISE.equal(inner.runs[0].noise[0])

    def test_overrides_do_not_outlive_their_run(self, replayer: SamplingReplayer) -> None:
        """A run after a replayed one is recorded unchanged, even if the first one failed."""

        def fail(_: Any) -> torch.Tensor:
            raise RuntimeError("interrupted")

        recording = Recording()
        recorder = SamplingRecorder(recording)
        with pytest.raises(RuntimeError, match=r"^interrupted$"):
            run([recorder, replayer], GIVEN, compute=fail)
        run([recorder], GIVEN, seed=4)
        [recorded] = recording.runs
        assert GIVEN.equal(recorded.noise[0])
        assert recorded.seed == 4


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


class TestStartWithoutNoise:
    """A file of a run that added no noise."""

    @pytest.fixture
    def file(self, folder: Path) -> StoredFile:
        """A recorded run of seed 11 that continued from a latent."""
        return stored(folder, entry(None, seed=11, start_latent="start_latent"), start_latent=START_1)

    def test_start_is_given(self, file: StoredFile) -> None:
        """Replay Sampling gives the latent, and the sampler gets the stored seed and no noise."""
        assert START_1.equal(start_latent(file.read_start(), -1)["samples"])
        _, got = run([replaying(file)], torch.zeros(1, 4, 4, 8), START_1, seed=4)
        assert torch.zeros(1, 4, 4, 8).equal(got["noise"])
        assert got["seed"] == 11

    def test_own_noise_is_left_out_and_logged(
        self, file: StoredFile, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A sampler that would add noise adds none, and the log says so."""
        _, got = run([replaying(file)], GIVEN, START_1)
        assert torch.zeros(1, 4, 4, 8).equal(got["noise"])
        assert caplog.messages == [
            "a.gen5, pass 0: this sampler adds noise, the stored one added none: none is added"
        ]

    def test_unrecorded_pass_without_noise(self, folder: Path) -> None:
        """A pass that is only known from the graph is nothing to start from."""
        file = stored(folder, {"add_noise": False, "recorded": False})
        with pytest.raises(EncodeError, match=r"^a\.gen5 holds no starting noise; save it again"):
            replaying(file)


class TestOrder:
    """A node that samples several times alike gets its stored passes in order."""

    NOISES = tuple(randn(1, 4, 4, 8, seed=number) for number in (31, 32, 33))

    @pytest.fixture
    def running(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The ids of the running prompt and node; a test may change them."""
        ids = ["prompt 1", "7"]
        monkeypatch.setattr("gen5pack.nodes.host.executing", lambda: tuple(ids))
        return ids

    def replayer(self, folder: Path, *node_ids: str) -> SamplingReplayer:
        """Return a replayer of passes that differ in nothing but node, seed (11, 12 …) and noise."""
        names = ["initial_noise", "initial_noise.1", "initial_noise.2"][: len(node_ids)]
        passes = [entry(name, seed=11 + i, node_id=node_ids[i]) for i, name in enumerate(names)]
        latents = {name.replace(".", "__"): self.NOISES[i] for i, name in enumerate(names)}
        return replaying(stored(folder, *passes, **latents))

    @staticmethod
    def seeds(replayer: SamplingReplayer, count: int, **how: Any) -> list[int]:
        """Return which passes count runs get, by their seeds."""
        return [run([replayer], GIVEN, **{"seed": 12, **how})[1]["seed"] for _ in range(count)]

    def test_in_order(self, folder: Path, running: list[str], caplog: pytest.LogCaptureFixture) -> None:
        """Each run gets the next pass, whatever its own seed is; in the next prompt they start again."""
        replayer = self.replayer(folder, "7", "7", "7")
        assert self.seeds(replayer, 3) == [11, 12, 13]
        running[0] = "prompt 2"
        assert self.seeds(replayer, 2) == [11, 12]
        running[0] = "prompt 3"  # prompt 2 was interrupted
        assert self.seeds(copy.deepcopy(replayer), 1) + self.seeds(replayer, 1) == [11, 12]
        assert caplog.messages == []

    def test_node_with_another_id(self, folder: Path, running: list[str]) -> None:
        """The passes of one node are replayed in order by a node whose id has changed."""
        assert self.seeds(self.replayer(folder, "5", "5", "5"), 3) == [11, 12, 13]

    def test_more_runs_than_stored(
        self, folder: Path, running: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Further runs go through the passes again, and the log says so."""
        assert self.seeds(self.replayer(folder, "7", "7"), 3) == [11, 12, 11]
        assert caplog.messages == [
            "a.gen5 holds 2 runs of this node, which samples more often now: starting pass 0 (node 7) again"
        ]

    def test_copies_of_a_loop(self, folder: Path, running: list[str]) -> None:
        """A loop's copies of a node are found by their ids, or else in order."""
        replayer = self.replayer(folder, "7", "9.0.0.7", "9.0.0.9.0.0.7")
        found = []
        for node_id in ("7", "9.0.0.7", "9.0.0.9.0.0.7"):
            running[1] = node_id
            found += self.seeds(replayer, 1)
        assert found == [11, 12, 13]
        running[0], found = "prompt 2", []
        for node_id in ("6.0.0.7", "6.0.0.6.0.0.7", "8.0.0.7"):
            running[1] = node_id
            found += self.seeds(replayer, 1)
        assert found == [11, 12, 13]

    def test_two_nodes_are_told_apart(self, folder: Path, running: list[str]) -> None:
        """Passes of other nodes are never used for a node that has passes of its own."""
        replayer = self.replayer(folder, "5", "7", "7")
        assert self.seeds(replayer, 2) == [12, 13]
        running[1] = "5"
        assert self.seeds(replayer, 1) == [11]

    def test_equal_start_goes_first(self, folder: Path, running: list[str]) -> None:
        """A run that starts from a stored latent gets that pass, out of order too."""
        starts = {f"start_latent__{number}": randn(1, 4, 4, 8, seed=40 + number) for number in (1, 2)}
        passes = [
            entry(
                f"initial_noise.{number}",
                seed=10 + number,
                node_id="7",
                start_latent=f"start_latent.{number}",
            )
            for number in (1, 2)
        ]
        noises = {f"initial_noise__{number}": self.NOISES[number] for number in (1, 2)}
        replayer = replaying(stored(folder, *passes, **starts, **noises))
        assert self.seeds(replayer, 1, latent=starts["start_latent__2"]) == [12]
        assert self.seeds(replayer, 1, latent=starts["start_latent__1"]) == [11]


def test_other_settings_are_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What a run has other than the stored pass is logged, a line each."""
    recorded = {"recorded_sampler": "heun", "cfg": 7.5}
    file = stored(folder, entry("initial_noise", **recorded), initial_noise=NOISE)
    longer = torch.tensor([14.5, 3.0, 1.0, 0.0])
    run([replaying(file, pass_index=0)], GIVEN, START_1, sigmas=longer)
    run([replaying(file)], torch.zeros(1, 4, 4, 8))
    assert caplog.messages == [
        "a.gen5, pass 0: sampler euler here, heun stored",
        "a.gen5, pass 0: cfg 8 here, 7.5 stored",
        "a.gen5, pass 0: 3 steps here, 2 stored",
        "a.gen5, pass 0: it starts from another latent than the stored one",
        "a.gen5, pass 0: sampler euler here, heun stored",
        "a.gen5, pass 0: cfg 8 here, 7.5 stored",
        "a.gen5, pass 0: this sampler adds no noise, the stored one did: the stored noise is added",
    ]

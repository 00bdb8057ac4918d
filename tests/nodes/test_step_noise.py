"""What a sampler draws during a run: recorded, stored, played back, and said where it is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import runs
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError, MalformedChunkError
from gen5pack.nodes.sampling import step_noise
from gen5pack.nodes.sampling.generators import (
    GeneratorWatch,
    decode_states,
    encode_states,
    generators_set,
)
from gen5pack.nodes.sampling.journal import journaling, rest_while_computing
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording, Run
from gen5pack.nodes.sampling.step_noise import StepPlayer, StepRecorder
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.draws import MAX_PARTS, DrawGroup, Draws, parse_groups, read_draws
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import randn, replaying, run

SHAPE = (2, 4, 4, 8)
X = torch.zeros(SHAPE)
DRAWS = randn(3, *SHAPE, seed=5)


@pytest.fixture(autouse=True)
def generators_left_alone() -> Iterator[None]:
    """Put the global generators back after every test."""
    numpys, pythons = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        yield
    np.random.set_state(numpys)
    random.setstate(pythons)


def record_draws(recorder: StepRecorder, *drawn: torch.Tensor, function: str = "randn") -> StepRecorder:
    """Let recorder note these draws of one run."""
    for value in drawn:
        recorder.begin()
        recorder.note(function, value)
    recorder.finish()
    return recorder


def values(draws: Draws | None) -> list[torch.Tensor]:
    """Return what was drawn, in order."""
    return [] if draws is None else [drawn for _, drawn in draws]


class TestRecorder:
    """Draws are recorded in order, or left out with a reason."""

    @pytest.mark.parametrize("mode", ["auto", "always"])
    def test_draws_in_order(self, mode: step_noise.StepNoise) -> None:
        """Draws of one kind are one tensor, along a new first axis."""
        drawn = [randn(*SHAPE, seed=seed) for seed in range(3)]
        recorder = record_draws(StepRecorder(mode), *drawn)
        assert recorder.draws is not None
        assert recorder.draws.groups == (DrawGroup("randn", 0, 3),)
        assert torch.equal(recorder.draws.parts[0], torch.stack(drawn))
        assert (recorder.count, recorder.reason) == (3, None)

    def test_draws_are_copied(self) -> None:
        """A sampler that scales its draw in place does not change the recording."""
        recorder = StepRecorder("auto")
        with journaling(recorder):
            drawn = torch.randn(SHAPE)
            expected = drawn.clone()
            drawn.mul_(3.0)
        recorder.finish()
        assert torch.equal(values(recorder.draws)[0], expected)

    def test_never(self) -> None:
        """never counts draws but leaves them out; without draws there is no reason."""
        assert record_draws(StepRecorder("never")).reason is None
        recorder = record_draws(StepRecorder("never"), X, X)
        assert (recorder.draws, recorder.count) == (None, 2)
        assert recorder.reason == "step_noise of Record Sampling is never"

    @pytest.mark.parametrize("mode", ["auto", "never", "always"])
    def test_no_draws(self, mode: step_noise.StepNoise) -> None:
        """Without draws nothing is recorded, and there is no reason."""
        recorder = record_draws(StepRecorder(mode))
        assert (recorder.draws, recorder.reason, recorder.count, recorder.generators) == (None, None, 0, {})

    @pytest.mark.parametrize(
        ("over", "mode", "kept"), [(0, "auto", True), (1, "auto", False), (1, "always", True)]
    )
    def test_limit(
        self, monkeypatch: pytest.MonkeyPatch, over: int, mode: step_noise.StepNoise, kept: bool
    ) -> None:
        """auto keeps exactly its limit and nothing of a run that takes one byte more; always keeps all."""
        monkeypatch.setattr(step_noise, "AUTO_MAX_BYTES", 3 * X.nbytes - over)
        recorder = record_draws(StepRecorder(mode), X, X, X)
        assert (recorder.draws is not None) == kept
        assert (recorder.reason is None) == kept

    def test_limit_message(self) -> None:
        """The limit is 64 MiB per run, and the reason names it and the remedy."""
        assert step_noise.AUTO_MAX_BYTES == 64 * 2**20
        recorder = record_draws(StepRecorder("auto"), *[torch.zeros(2**22 + 1)] * 4)
        assert recorder.reason == "it takes more than 64 MiB; set step_noise to always to keep it"
        assert (recorder.draws, recorder.count) == (None, 4)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bool, torch.complex64])
    def test_dtypes(self, dtype: torch.dtype) -> None:
        """Values of any dtype that a file holds are kept in it."""
        drawn = (randn(*SHAPE) * 9).to(dtype)
        [kept] = values(record_draws(StepRecorder("auto"), drawn).draws)
        assert kept.dtype == dtype
        assert torch.equal(kept, drawn)

    @pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
    def test_unknown_dtype(self) -> None:
        """A dtype that a file does not hold is named."""
        recorder = record_draws(StepRecorder("auto"), X, X.to(torch.complex32), X)
        assert recorder.draws is None
        assert recorder.reason == "draw 2 (randn) is complex32, which a file does not hold"

    @pytest.mark.parametrize(("more", "kept"), [(0, True), (1, False)])
    def test_many_shapes(self, more: int, kept: bool) -> None:
        """Draws of too many shapes would take up the file's chunks."""
        recorder = record_draws(StepRecorder("auto"), *[torch.zeros(n) for n in range(MAX_PARTS + more)])
        assert (recorder.draws is not None) == kept
        assert recorder.reason == (None if kept else "the draws have more than 16 shapes and dtypes")

    def test_fault(self, caplog: pytest.LogCaptureFixture) -> None:
        """A draw that cannot be copied leaves the draws out; the run goes on, and the log has the traceback."""
        recorder = record_draws(StepRecorder("auto"), X, X.to("meta"), X)
        assert recorder.draws is None
        assert (recorder.reason or "").startswith(
            "draw 2 could not be recorded: Cannot copy out of meta tensor"
        )
        assert caplog.records[0].exc_info is not None


class TestDraws:
    """Draws of several shapes, dtypes and functions."""

    MIXED = (("randn", X), ("randn", X), ("rand", X[:1]), ("randint", torch.tensor(3)), ("randn", X + 1))
    GROUPS = (
        DrawGroup("randn", 0, 2),
        DrawGroup("rand", 1, 1),
        DrawGroup("randint", 2, 1),
        DrawGroup("randn", 0, 1),
    )

    def test_order(self) -> None:
        """One tensor per shape and dtype; the groups give back the order."""
        draws = Draws.collect(self.MIXED)
        assert draws.groups == self.GROUPS
        assert [list(part.shape) for part in draws.parts] == [[3, *SHAPE], [1, 1, *SHAPE[1:]], [1]]
        assert draws.count == 5
        for (function, drawn), (expected, value) in zip(draws, self.MIXED, strict=True):
            assert function == expected
            assert torch.equal(drawn, value)

    def test_through_meta(self) -> None:
        """META gives back the groups."""
        meta = Draws.collect(self.MIXED).as_meta()
        assert meta[0] == {"function": "randn", "part": 0, "count": 2}
        assert parse_groups(meta, 0) == self.GROUPS

    def test_older_file(self) -> None:
        """A file without groups has draws in one tensor, of functions that are not known."""
        assert parse_groups(None, 0) is None
        assert read_draws(None, [DRAWS]).groups == (DrawGroup("", 0, 3),)

    @pytest.mark.parametrize(
        "value",
        [
            *(3, [3], [{}], {"function": "randn"}),
            [{"function": "randn", "part": -1, "count": 1}],
            [{"function": "randn", "part": 0, "count": 0}],
            [{"function": "randn", "part": True, "count": 1}],
            [{"function": None, "part": 0, "count": 1}],
        ],
    )
    def test_invalid(self, value: Any) -> None:
        """Anything else in META is refused by name."""
        with pytest.raises(MalformedChunkError, match="capture's pass 2: draws is "):
            parse_groups(value, 2)

    @pytest.mark.parametrize(
        "groups",
        [
            (DrawGroup("a", 0, 2),),
            (DrawGroup("a", 0, 3), DrawGroup("b", 1, 1)),
            (DrawGroup("a", 0, 2**62),),
            (),
        ],
    )
    def test_other_number(self, groups: tuple[DrawGroup, ...]) -> None:
        """Groups that do not use up the tensors are refused, without being counted out."""
        with pytest.raises(MalformedChunkError, match="capture's draws need "):
            read_draws(groups, [DRAWS])


class TestPlayer:
    """Stored draws are played back one after the other."""

    def play(self, count: int, shape: tuple[int, ...] = SHAPE, **options: Any) -> list[torch.Tensor]:
        """Return what a sampler gets that draws count times."""
        self.player = StepPlayer(Draws.collect([("randn", each) for each in DRAWS]), "a.gen5", **options)
        with journaling(self.player):
            return [torch.randn(shape) for _ in range(count)]

    def test_in_order(self) -> None:
        """Each draw gets the next stored values."""
        assert torch.equal(torch.stack(self.play(3)), DRAWS)
        self.player.check_all_played()

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_dtype_of_the_sampler(self, dtype: torch.dtype) -> None:
        """A draw has the dtype in which the sampler works."""
        with journaling(StepPlayer(Draws.collect([("randn", DRAWS[0])]), "a.gen5")):
            drawn = torch.randn(SHAPE, dtype=dtype)
        assert torch.equal(drawn, DRAWS[0].to(dtype))

    def test_too_many(self) -> None:
        """A draw beyond the stored ones is an error that names it and the remedy."""
        message = (
            "a.gen5 holds 3 draws of step noise, but this sampler requests draw 4: use the stored sampler and its "
            "settings, or turn step_noise off in Replay Sampling"
        )
        with pytest.raises(EncodeError, match=message):
            self.play(4)

    @pytest.mark.parametrize("used", [0, 2])
    def test_too_few(self, used: int) -> None:
        """A run that uses fewer draws is an error that says how many it used."""
        self.play(used)
        message = f"a.gen5 holds 3 draws of step noise, but this sampler used {used}: use the stored sampler"
        with pytest.raises(EncodeError, match=message):
            self.player.check_all_played()

    def test_sampler_that_writes_into_its_draw(self) -> None:
        """A sampler that scales a draw in place does not change the stored one."""
        expected = DRAWS.clone()
        self.play(1)[0].mul_(3.0)
        assert torch.equal(DRAWS, expected)

    @pytest.mark.parametrize("options", [{}, {"batch_index": 1}, {"batch_index": 1, "batch_size": 3}])
    def test_other_shape(self, options: dict[str, int]) -> None:
        """Another shape is an error that names the draw and both shapes."""
        message = (
            r"draw 1 of step noise in a\.gen5 has shape \[2, 4, 4, 8\], but the sampler works on \[1, 4, 4, 8\]: "
            "use the stored size and batch"
        )
        with pytest.raises(EncodeError, match=message):
            self.play(1, (1, 4, 4, 8), **options)

    def test_one_image(self) -> None:
        """One image of the batch gets its part of each draw, and the whole of a draw that is not per image."""
        found = self.play(1, (1, 4, 4, 8), batch_index=1, batch_size=2)
        assert torch.equal(found[0], DRAWS[0, 1:2])
        [whole] = self.play(1, SHAPE, batch_index=1, batch_size=2)
        assert torch.equal(whole, DRAWS[0])

    def test_other_function(self) -> None:
        """A function of the same distribution gets the stored values, and a remark says so; another is an error."""
        player = StepPlayer(Draws.collect([("randn", DRAWS[0])] * 2), "a.gen5")
        with journaling(player):
            assert torch.equal(torch.randn_like(X), DRAWS[0])
            assert player.remark == "draw 1 of step noise in a.gen5 was made by randn, here by randn_like"
            with pytest.raises(EncodeError, match=r"draw 2 .* was made by randn, here by rand_like: use the"):
                torch.rand_like(X)


class TestGenerators:
    """States of the global generators, and draws that were not seen."""

    def watched(self, use: Callable[[], Any], *, begin: bool = True) -> GeneratorWatch:
        """Return a watch over what use does, between two draws that are seen."""
        watch = GeneratorWatch()
        for act in (lambda: torch.randn(2), use, lambda: torch.randn(2)):
            if act is not use:
                watch.begin_draw()
            act()
            if act is not use:
                watch.end_draw()
        watch.finish()
        return watch

    @pytest.mark.parametrize(
        ("use", "unseen"),
        [
            (lambda: None, []),
            (lambda: torch.manual_seed(1234), []),
            (lambda: torch.randn(3, generator=torch.Generator().manual_seed(1)), []),
            (lambda: torch.randn(3), ["torch"]),
            (lambda: (torch.manual_seed(3), torch.randn(3)), ["torch"]),
            (lambda: np.random.rand(), ["numpy"]),
            (lambda: np.random.seed(3), []),
            (lambda: random.gauss(0, 1), ["python"]),
            (lambda: random.seed(3), []),
        ],
    )
    def test_unseen(self, use: Callable[[], Any], unseen: list[str]) -> None:
        """Draws that no journal saw are noticed; seeding a generator is no draw."""
        assert self.watched(use).unseen == unseen

    def test_put_back(self) -> None:
        """Torch's generator put into another one's state, seen drawing, and put back: all was seen."""
        watch, own = GeneratorWatch(), torch.Generator().manual_seed(3)
        torch.rand(1, generator=own)
        before = torch.get_rng_state()
        torch.set_rng_state(own.get_state())
        watch.begin_draw()
        torch.randn(2)
        watch.end_draw()
        torch.set_rng_state(before)
        watch.finish()
        assert watch.unseen == []

    def test_needed(self) -> None:
        """The states of generators that moved; torch's always where draws are missing, since it holds its seed."""
        assert set(self.watched(np.random.rand).needed(True)) == {"torch", "numpy"}
        assert set(GeneratorWatch().needed(True)) == set()
        assert "torch" in GeneratorWatch().needed(False)

    def test_restored_for_a_block(self) -> None:
        """Inside the block all generators draw what they drew; afterwards they go on as if nothing had happened."""

        def draw() -> tuple[Any, ...]:
            return torch.rand(2).tolist(), np.random.normal(), random.gauss(0, 1), torch.initial_seed()

        torch.manual_seed(99)
        np.random.normal(), random.gauss(0, 1)  # each keeps a second value in store
        watch, expected = GeneratorWatch(), draw()
        watch.finish()
        states = decode_states(encode_states(watch.needed(True)))
        assert set(states) == {"torch", "numpy", "python"}
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        with generators_set(states) as missing:
            assert draw() == expected
        after = draw()
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        assert draw() == after
        assert missing == []

    def test_error_inside(self) -> None:
        """They are put back on an error too."""
        watch = GeneratorWatch()
        torch.manual_seed(3)

        def draw() -> None:
            with generators_set(watch.needed(False)):
                torch.rand(1)
                raise KeyboardInterrupt

        before = torch.get_rng_state()
        with pytest.raises(KeyboardInterrupt):
            draw()
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize(
        "states", [{"torch": b"abc"}, {"python": b""}, {"cuda": b"1" * 16}, {"new": b"1"}]
    )
    def test_not_accepted(self, states: dict[str, bytes]) -> None:
        """A state that a generator refuses, and a generator that this machine lacks, are named."""
        if "cuda" in states and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            pytest.skip("this machine has the generator")
        with generators_set(states) as missing:
            assert missing == list(states)

    def test_unreadable(self) -> None:
        """What is not base64 of zlib's is left out."""
        assert decode_states({"torch": "é", "numpy": "AAAA", "python": "not base64"}) == {}


def stored_draws(folder: Path, **entry: Any) -> StoredFile:
    """Return a file of one pass as version 1.0 saved it, with three draws of step noise."""
    known = {"recorded": True, "noise": "initial_noise", "step_noise": "step_noise", **entry}
    path = gen5core.save(
        folder / "a.gen5",
        latents={"initial_noise": randn(*SHAPE), "step_noise": DRAWS},
        capture={"passes": [{**known, "sigmas": runs.SIGMAS.tolist(), "shapes": [list(SHAPE)]}]},
        environment=None,
        hardware=None,
    )
    return open_stored(path)


def own_generator(got: dict[str, Any]) -> torch.Tensor:
    """Sample with draws of a generator of the sampler's own, of several shapes and dtypes."""
    generator = torch.Generator().manual_seed(got["seed"])
    noise = torch.randn(SHAPE, generator=generator, dtype=torch.float64).float()
    order = torch.randperm(4, generator=generator)
    scale = torch.empty(1).uniform_(generator=generator)
    result: torch.Tensor = got["noise"] * scale + noise[:, order]
    return result


def unseen(got: dict[str, Any]) -> torch.Tensor:
    """Sample with draws inside the model, and of numpy's and Python's."""
    model = rest_while_computing(lambda: torch.randn(SHAPE))
    result: torch.Tensor = got["noise"] + model * np.random.rand() + random.random()
    return result


def seeded_by_torch(got: dict[str, Any]) -> torch.Tensor:
    """Sample with a generator seeded from torch's seed, as RES4LYF does."""
    generator = torch.Generator().manual_seed(torch.initial_seed() + 1)
    result: torch.Tensor = got["noise"] + torch.randn(SHAPE, generator=generator)
    return result


class TestWithinARun:
    """Recorder and replayer around a sampler."""

    def record(self, compute: Callable[..., torch.Tensor], **options: Any) -> tuple[torch.Tensor, Run]:
        """Return a sampler's result, and its recorded run."""
        recording = Recording()
        torch.manual_seed(11), np.random.seed(11), random.seed(11)
        output, _ = run([SamplingRecorder(recording, **options)], randn(*SHAPE), compute=compute, seed=7)
        self.answer = Gen5Save().save(
            "x", prompt=runs.txt2img(), unique_id="9", latent={"samples": output}, recording=recording
        )
        return output, recording.runs[0]

    def replay(self, compute: Callable[..., torch.Tensor], seed: int = 999) -> torch.Tensor:
        """Return the result of a replay under another seed, with the generators somewhere else."""
        torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)
        replayer = replaying(self.answer["result"][1])
        output, _ = run([replayer], randn(*SHAPE, seed=8), compute=compute, seed=seed)
        return output

    def test_own_generator(self) -> None:
        """Draws of a sampler's own generator replay, of whatever shape, dtype and function."""
        expected, found = self.record(lambda got: own_generator({**got, "seed": 5}))
        assert found.step_noise is not None
        assert [group.function for group in found.step_noise.groups] == ["randn", "randperm", "uniform_"]
        assert (found.step_noise_reason, found.generators) == (None, {})
        assert torch.equal(self.replay(lambda got: own_generator({**got, "seed": 6})), expected)

    def test_unseen(self) -> None:
        """What was not seen is said, and drawn again from the stored states of the generators."""
        expected, found = self.record(unseen)
        assert set(found.generators) == {"torch", "numpy", "python"}
        assert found.step_noise_reason == (
            "the sampler drew from torch's and numpy's and Python's generator by its own means; that is not "
            "recorded, but drawn again from the generator's stored state"
        )
        assert torch.equal(self.replay(unseen), expected)

    def test_left_out(self, caplog: pytest.LogCaptureFixture) -> None:
        """Draws that were left out are drawn again from torch's stored seed, and the log says that they may differ."""
        expected, found = self.record(seeded_by_torch, step_noise="never")
        assert set(found.generators) == {"torch"}
        assert torch.equal(self.replay(seeded_by_torch), expected)
        assert (
            "this sampler drew noise 1 times, which the file does not hold in full (step_noise" in caplog.text
        )

    def test_generators_afterwards(self) -> None:
        """After a replay the generators are where they were before."""
        self.record(unseen)
        self.replay(unseen)
        drawn = torch.rand(1), np.random.rand(), random.random()
        torch.manual_seed(999), np.random.seed(999), random.seed(999)
        assert drawn == (torch.rand(1), np.random.rand(), random.random())

    @pytest.mark.parametrize("recorder_is_outside", [True, False])
    @pytest.mark.parametrize("compute", [own_generator, unseen])
    def test_recorded_again(self, compute: Callable[..., torch.Tensor], recorder_is_outside: bool) -> None:
        """A recorded replay holds what the replayed run drew, and its generators' states."""
        _, found = self.record(compute)
        recording = Recording()
        wrappers = [SamplingRecorder(recording), replaying(self.answer["result"][1])]
        torch.manual_seed(12), np.random.seed(12), random.seed(12)
        order = wrappers if recorder_is_outside else wrappers[::-1]
        run(order, randn(*SHAPE, seed=8), compute=compute, seed=8)
        [again] = recording.runs
        assert again.generators == found.generators
        for one, other in zip(values(again.step_noise), values(found.step_noise), strict=True):
            assert torch.equal(one, other)

    def test_file_of_version_1_0(self, folder: Path) -> None:
        """Draws of a file that does not name their functions play back."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            return torch.stack([torch.randn(SHAPE), torch.randn_like(X), X.clone().normal_()])

        output, _ = run([replaying(stored_draws(folder))], randn(*SHAPE), compute=sampler)
        assert torch.equal(output, DRAWS)

    def test_damaged_order(self, folder: Path) -> None:
        """An order of draws that does not fit the tensors is an error that names the file."""
        file = stored_draws(folder, draws=[{"function": "randn", "part": 0, "count": 2}])
        with pytest.raises(MalformedChunkError, match=r"a\.gen5.*capture's draws need \[2\]"):
            run([replaying(file)], randn(*SHAPE))

    def test_nothing_stored(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A sampler that draws although the file has no draws is told of in the log; one that does not is not."""
        file = stored_draws(folder, step_noise=None)
        run([replaying(file)], randn(*SHAPE))
        assert caplog.text == ""
        run([replaying(file)], randn(*SHAPE), compute=lambda got: torch.randn(SHAPE))
        assert "this sampler drew noise 1 times, which the file does not hold in full" in caplog.text

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_failed_run(self, error: type[BaseException]) -> None:
        """A run that fails halfway is not recorded, and leaves no mode behind."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            torch.randn(2)
            raise error("stopped")

        recording = Recording()
        with pytest.raises(error, match="stopped"):
            run([SamplingRecorder(recording)], randn(*SHAPE), compute=sampler)
        assert (recording.runs, torch._C._len_torch_function_stack()) == ((), 0)

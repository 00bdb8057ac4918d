"""Noise added at each step: noted, played back, and the factories put back whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import runs
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes import host
from gen5pack.nodes.sampling import step_noise
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.sampling.step_noise import GlobalDraws, StepPlayer, StepRecorder, standing_in
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import randn, replaying, run

X = torch.zeros(2, 4, 4, 8)
SHAPE = tuple(X.shape)


def default_noise_sampler(x: torch.Tensor, seed: int | None = None) -> Callable[..., torch.Tensor]:
    """Return a sampler that draws from a generator of its own, as ComfyUI's does."""
    generator = torch.Generator().manual_seed(seed or 0)
    return lambda sigma, sigma_next: torch.randn(x.shape, generator=generator, dtype=x.dtype)


class BrownianTreeNoiseSampler:
    """A factory that is a class, called with the range of sigmas, as ComfyUI's is."""

    def __init__(self, x: torch.Tensor, sigma_min: float, sigma_max: float, *, seed: int = 0) -> None:
        self.x, self.seed, self.scale = x, seed, sigma_max - sigma_min

    def __call__(self, sigma: float, sigma_next: float) -> torch.Tensor:
        """Return the same noise for the same two sigmas, in whatever order it is asked for."""
        generator = torch.Generator().manual_seed(self.seed + int(100 * sigma) + int(sigma_next))
        return torch.randn(self.x.shape, generator=generator) * self.scale


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The module that ComfyUI's samplers look their factories up in."""
    module = SimpleNamespace(
        default_noise_sampler=default_noise_sampler, BrownianTreeNoiseSampler=BrownianTreeNoiseSampler
    )
    monkeypatch.setattr(host, "noise_factories", lambda: module)
    return module


def is_restored(factories: SimpleNamespace) -> bool:
    """Tell whether both factories are the originals."""
    return vars(factories) == {
        "default_noise_sampler": default_noise_sampler,
        "BrownianTreeNoiseSampler": BrownianTreeNoiseSampler,
    }


def note(recorder: StepRecorder, *drawn: torch.Tensor) -> None:
    """Let recorder note draws of a factory that returns these."""
    draws = iter(drawn)
    draw = recorder.sampler(lambda x: lambda sigma, sigma_next: next(draws), X)
    for _ in drawn:
        draw(1.0, 0.5)


class TestRecorder:
    """Draws noted in order, or left out with a reason."""

    @pytest.mark.parametrize("mode", ["auto", "always"])
    def test_draws_in_order(self, mode: step_noise.StepNoise) -> None:
        """Each draw is noted as it was returned, along a new first axis."""
        drawn = [randn(*SHAPE, seed=seed) for seed in range(3)]
        recorder = StepRecorder(mode)
        note(recorder, *drawn)
        stacked = recorder.stacked()
        assert stacked is not None
        assert torch.stack(drawn).equal(stacked)
        assert (recorder.count, recorder.reason) == (3, None)

    def test_sampler_gets_what_the_factory_drew(self) -> None:
        """Arguments reach the factory and its sampler, and the very draw comes back."""
        drawn, received = randn(*SHAPE), []

        def factory(x: torch.Tensor, *args: Any, **kwargs: Any) -> Callable[..., torch.Tensor]:
            received.append((x is X, args, kwargs))
            return lambda *sigmas, **options: received.append((sigmas, options)) or drawn

        draw = StepRecorder("auto").sampler(factory, X, 0.1, 14.6, seed=7)
        assert drawn is draw(1.0, 0.5, transform=None)
        assert received == [(True, (0.1, 14.6), {"seed": 7}), ((1.0, 0.5), {"transform": None})]

    def test_copies_are_kept(self) -> None:
        """A sampler that scales its draw in place does not change what was noted."""
        drawn = randn(*SHAPE)
        expected = drawn.clone()
        recorder = StepRecorder("auto")
        note(recorder, drawn)
        drawn.mul_(3.0)
        stacked = recorder.stacked()
        assert stacked is not None
        assert expected.equal(stacked[0])

    def test_never(self) -> None:
        """never counts and leaves out; where nothing was drawn there is nothing to say."""
        recorder = StepRecorder("never")
        assert (recorder.stacked(), recorder.reason) == (None, None)
        note(recorder, randn(*SHAPE), randn(*SHAPE))
        assert (recorder.stacked(), recorder.reason) == (None, "step_noise of Record Sampling is never")
        assert recorder.count == 2

    @pytest.mark.parametrize("mode", ["auto", "never", "always"])
    def test_no_draws(self, mode: step_noise.StepNoise) -> None:
        """A sampler that draws nothing leaves nothing, and no reason."""
        recorder = StepRecorder(mode)
        assert (recorder.stacked(), recorder.reason, recorder.count) == (None, None, 0)

    @pytest.mark.parametrize(
        ("over", "mode", "kept"), [(0, "auto", True), (1, "auto", False), (1, "always", True)]
    )
    def test_limit(
        self, monkeypatch: pytest.MonkeyPatch, over: int, mode: step_noise.StepNoise, kept: bool
    ) -> None:
        """auto keeps exactly its limit and nothing of a run that takes a byte more; always keeps all."""
        monkeypatch.setattr(step_noise, "AUTO_BYTES", 3 * X.nbytes - over)
        recorder = StepRecorder(mode)
        note(recorder, *[randn(*SHAPE) for _ in range(3)])
        assert kept == (recorder.stacked() is not None)
        assert kept == (recorder.reason is None)

    def test_limit_is_said(self) -> None:
        """The limit is 64 MiB a run, and what was left out says so with the remedy."""
        assert step_noise.AUTO_BYTES == 64 * 2**20
        recorder = StepRecorder("auto")
        block = torch.zeros(2**22 + 1)
        note(recorder, *[block] * 4)
        assert recorder.reason == "it takes more than 64 MiB; set step_noise to always to keep it"
        assert (recorder.stacked(), recorder.count) == (None, 4)

    def test_shape_change(self) -> None:
        """Draws of two shapes are left out, the first that differs named, and stay so."""
        recorder = StepRecorder("always")
        note(recorder, X, X, X[:1], X)
        assert recorder.reason == "draw 3 has shape [1, 4, 4, 8], the first [2, 4, 4, 8]"
        assert (recorder.stacked(), recorder.count) == (None, 4)

    def test_own_means(self) -> None:
        """Noise of a sampler's own is said only where no factory drew."""
        recorder = StepRecorder("auto")
        recorder.note_own_means()
        assert recorder.reason == "the sampler drew noise by its own means, which cannot be recorded"
        assert recorder.stacked() is None
        recorder = StepRecorder("auto")
        note(recorder, X)
        recorder.note_own_means()
        assert recorder.reason is None


class TestPlayer:
    """Stored draws handed over one after the other."""

    DRAWS = randn(3, *SHAPE, seed=5)

    def play(self, x: torch.Tensor = X) -> tuple[StepPlayer, Callable[..., torch.Tensor]]:
        """Return a player and the sampler it makes in place of a factory that must not be called."""
        player = StepPlayer(self.DRAWS, "a.gen5")

        def factory(*_: Any, **__: Any) -> Any:
            raise AssertionError("the factory was asked to draw")

        return player, player.sampler(factory, x, 0.1, 14.6, seed=3)

    def test_in_order(self) -> None:
        """Each call gets the next draw, whatever sigmas it names."""
        player, draw = self.play()
        assert self.DRAWS.equal(torch.stack([draw(1.0, 0.5), draw(9.0, 9.0), draw(0.0, 0.0)]))
        player.check_used_up()

    def test_two_samplers_share_the_order(self) -> None:
        """A run that makes several noise samplers takes from one row of draws."""
        player, first = self.play()
        second = player.sampler(default_noise_sampler, X)
        assert self.DRAWS.equal(torch.stack([first(), second(), first()]))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_dtype_of_x(self, dtype: torch.dtype) -> None:
        """A draw comes in the dtype that the sampler works in."""
        _, draw = self.play(X.to(dtype))
        assert self.DRAWS[0].to(dtype).equal(draw())

    def test_too_many(self) -> None:
        """A call beyond the stored draws is an error that names it and the remedy."""
        _, draw = self.play()
        for _ in range(3):
            draw()
        message = (
            "a.gen5 holds 3 draws of step noise, this sampler asks for draw 4: use the stored sampler and its "
            "settings, or turn step_noise off in Replay Sampling"
        )
        with pytest.raises(EncodeError, match=message):
            draw()

    def test_sampler_that_writes_into_its_draw(self) -> None:
        """A sampler that scales a draw in place leaves the stored one as it is."""
        expected = self.DRAWS.clone()
        _, draw = self.play()
        draw().mul_(3.0)
        assert expected.equal(self.DRAWS)

    @pytest.mark.parametrize("taken", [0, 2])
    def test_too_few(self, taken: int) -> None:
        """A run that took fewer is an error that says how many it took."""
        player, draw = self.play()
        for _ in range(taken):
            draw()
        message = f"a.gen5 holds 3 draws of step noise, this sampler took {taken}: use the stored sampler"
        with pytest.raises(EncodeError, match=message):
            player.check_used_up()

    def test_other_shape(self) -> None:
        """A sampler that works on another shape is told the draw and both shapes."""
        _, draw = self.play(X[:1])
        message = (
            r"draw 1 of step noise in a\.gen5 has shape \[2, 4, 4, 8\], the sampler works on \[1, 4, 4, 8\]: "
            "use the stored size and batch"
        )
        with pytest.raises(EncodeError, match=message):
            draw()


class TestStandingIn:
    """The two factories, for the length of a block."""

    def test_noted_and_played_back(self, factories: SimpleNamespace) -> None:
        """What both factories draw is noted, and played back whatever seed the sampler has."""

        def sample(seed: int) -> torch.Tensor:
            plain = factories.default_noise_sampler(X, seed=seed)
            tree = factories.BrownianTreeNoiseSampler(X, 0.1, 14.6, seed=seed)
            return torch.stack([plain(1.0, 0.5), tree(1.0, 0.5), plain(0.5, 0.0)])

        expected, recorder = sample(1), StepRecorder("auto")
        with standing_in(recorder):
            assert expected.equal(sample(1))
        stacked = recorder.stacked()
        assert stacked is not None
        assert expected.equal(stacked)
        player = StepPlayer(stacked, "a.gen5")
        assert not expected.equal(sample(2))
        with standing_in(player):
            assert expected.equal(sample(2))
        player.check_used_up()
        assert is_restored(factories)

    @pytest.mark.parametrize("error", [ValueError, EncodeError, KeyboardInterrupt, SystemExit, GeneratorExit])
    @pytest.mark.parametrize("stand_in", [StepRecorder("auto"), StepPlayer(TestPlayer.DRAWS, "a.gen5")])
    def test_restored_after_errors_and_interrupts(
        self, factories: SimpleNamespace, stand_in: Any, error: type[BaseException]
    ) -> None:
        """However the block ends, both factories are the originals again."""

        def fail_inside() -> None:
            with standing_in(stand_in):
                assert not is_restored(factories)
                raise error("stopped")

        with pytest.raises(error, match="stopped"):
            fail_inside()
        assert is_restored(factories)

    def test_restored_where_the_second_cannot_be_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A failure halfway through the standing in leaves the first factory as it was."""

        class HalfLocked(SimpleNamespace):
            def __setattr__(self, name: str, value: Any) -> None:
                if name == "BrownianTreeNoiseSampler" and value is not BrownianTreeNoiseSampler:
                    raise KeyboardInterrupt("between the two")
                super().__setattr__(name, value)

        module = HalfLocked(
            default_noise_sampler=default_noise_sampler, BrownianTreeNoiseSampler=BrownianTreeNoiseSampler
        )
        monkeypatch.setattr(host, "noise_factories", lambda: module)
        with pytest.raises(KeyboardInterrupt, match="between the two"), standing_in(StepRecorder("auto")):
            pass
        assert is_restored(module)

    def test_nested(self, factories: SimpleNamespace) -> None:
        """A player within a recorder plays back, the recorder's factories come back at its end, then the originals."""
        recorder, player = StepRecorder("auto"), StepPlayer(TestPlayer.DRAWS, "a.gen5")
        with standing_in(recorder):
            with standing_in(player):
                assert TestPlayer.DRAWS[0].equal(factories.default_noise_sampler(X)(1.0, 0.5))
            assert recorder.count == 0
            factories.default_noise_sampler(X)(1.0, 0.5)
            assert recorder.count == 1
        assert is_restored(factories)

    def test_threads(self, factories: SimpleNamespace) -> None:
        """Runs of two threads that overlap note each their own draws, and the originals come back with the last."""
        barrier = threading.Barrier(2, timeout=30)
        recorders = [StepRecorder("auto"), StepRecorder("auto")]
        drawn: dict[int, torch.Tensor] = {}

        def sample(number: int) -> None:
            with standing_in(recorders[number]):
                barrier.wait()
                drawn[number] = factories.default_noise_sampler(X, seed=number)(1.0, 0.5)
                barrier.wait()
            if number == 0:  # ends first, though it did not begin last
                assert not is_restored(factories)
            barrier.wait()

        def hold_on(number: int) -> None:
            with standing_in(recorders[number]):
                barrier.wait()
                drawn[number] = factories.default_noise_sampler(X, seed=number)(1.0, 0.5)
                barrier.wait()
                barrier.wait()

        threads = [threading.Thread(target=work, args=(i,)) for i, work in enumerate((sample, hold_on))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, recorder in enumerate(recorders):
            stacked = recorder.stacked()
            assert stacked is not None
            assert drawn[number][None].equal(stacked)
        assert is_restored(factories)

    def test_run_without_stand_in_beside_one(self, factories: SimpleNamespace) -> None:
        """What another thread samples meanwhile, without a node of this pack, is drawn as ever and not noted."""
        recorder, drawn = StepRecorder("auto"), []
        with standing_in(recorder):
            thread = threading.Thread(
                target=lambda: drawn.append(factories.default_noise_sampler(X, seed=4)(1.0, 0.5))
            )
            thread.start()
            thread.join()
        assert default_noise_sampler(X, seed=4)(1.0, 0.5).equal(drawn[0])
        assert recorder.count == 0

    def test_anothers_replacement_is_left_alone(self, factories: SimpleNamespace) -> None:
        """A pack that replaces a factory for good during a run keeps its replacement, which draws as ever."""
        with standing_in(StepRecorder("auto")):
            ours = factories.default_noise_sampler
            factories.default_noise_sampler = theirs = lambda x, **options: ours(x, **options)
        assert theirs is factories.default_noise_sampler
        assert BrownianTreeNoiseSampler is factories.BrownianTreeNoiseSampler
        assert default_noise_sampler(X, seed=4)(1, 0).equal(theirs(X, seed=4)(1, 0))

    def test_none_changes_nothing(self, factories: SimpleNamespace) -> None:
        """Without a stand-in the factories are the originals within, too."""
        with standing_in(None):
            assert is_restored(factories)

    def test_without_comfyui(self) -> None:
        """Where there are no factories a block runs as it is."""
        assert host.noise_factories() is None
        recorder = StepRecorder("auto")
        with standing_in(recorder):
            default_noise_sampler(X)(1.0, 0.5)
        assert recorder.count == 0


def sample_with_noise(model: Any, x: Any, noise_sampler: Any = None) -> None:
    """Stand for the function of a sampler that can add noise at each step."""


class TestMissingFactory:
    """A ComfyUI that has renamed a factory, or moved them all."""

    @pytest.fixture
    def half(self, monkeypatch: pytest.MonkeyPatch, factories: SimpleNamespace) -> SimpleNamespace:
        """A module that has one of the two, of which nothing was told yet."""
        del factories.BrownianTreeNoiseSampler
        monkeypatch.setattr(step_noise, "_patch", type(step_noise._patch)())
        return factories

    @pytest.fixture
    def moved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A ComfyUI whose samplers lie elsewhere."""

        def import_them() -> Any:
            raise ModuleNotFoundError("No module named 'comfy.k_diffusion'")

        monkeypatch.setattr(host, "noise_factories", import_them)
        monkeypatch.setattr(step_noise, "_patch", type(step_noise._patch)())

    def test_the_other_is_still_noted(self, half: SimpleNamespace) -> None:
        """What goes through the factory that is there is noted, and that one is put back."""
        recorder = StepRecorder("auto")
        with standing_in(recorder) as is_complete:
            half.default_noise_sampler(X)(1.0, 0.5)
        assert (recorder.count, is_complete) == (1, False)
        assert {"default_noise_sampler": default_noise_sampler} == vars(half)

    def test_told_once(self, half: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
        """The log names it once, however many runs there are."""
        for _ in range(3):
            with standing_in(StepRecorder("auto")):
                pass
        [message] = caplog.messages
        assert message.startswith("this ComfyUI has no comfy.k_diffusion.sampling.BrownianTreeNoiseSampler: ")

    def test_none_is_there(self, moved: None, caplog: pytest.LogCaptureFixture) -> None:
        """Where the whole module is gone, both are told and a run goes on."""
        recording = Recording()
        run([SamplingRecorder(recording)], randn(*SHAPE))
        assert (len(recording.runs), len(caplog.messages)) == (1, 2)

    @pytest.mark.parametrize(
        ("function", "reason"),
        [
            (sample_with_noise, "the sampler drew noise by its own means, which cannot be recorded"),
            (runs.sample_euler, None),
            (len, None),
        ],
    )
    def test_what_may_be_lacking_is_said(
        self, half: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, function: Any, reason: str | None
    ) -> None:
        """A sampler that can add noise, and was seen to draw none, is said to draw by means of its own."""
        monkeypatch.setattr(runs.SAMPLER, "sampler_function", function)
        recording = Recording()
        run([SamplingRecorder(recording)], randn(*SHAPE))
        assert reason == recording.runs[0].step_noise_reason

    def test_what_was_seen_is_kept(self, half: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sampler that drew through the factory that is there has its draws in the run."""
        monkeypatch.setattr(runs.SAMPLER, "sampler_function", sample_with_noise)
        recording = Recording()
        run([SamplingRecorder(recording)], X, compute=lambda _: half.default_noise_sampler(X)(1.0, 0.5))
        assert recording.runs[0].step_noise_reason is None
        assert recording.runs[0].step_noise is not None

    @pytest.mark.parametrize("taken", [0, 1])
    def test_replay(self, half: SimpleNamespace, folder: Path, taken: int) -> None:
        """Stored draws that nothing asks for are no error then; too few of them still are."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            draw = half.default_noise_sampler(got["noise"])
            for _ in range(taken):
                draw(1.0, 0.5)
            return X

        recording = Recording()
        wrappers = [SamplingRecorder(recording), replaying(stored_draws(folder))]
        if taken == 0:
            run(wrappers, randn(*SHAPE), compute=sampler)
            assert recording.runs[0].step_noise is None
            return
        with pytest.raises(EncodeError, match="holds 3 draws of step noise, this sampler took 1"):
            run(wrappers, randn(*SHAPE), compute=sampler)


def stored_draws(folder: Path) -> StoredFile:
    """Return a file of one pass with three draws of step noise."""
    entry = {"recorded": True, "noise": "initial_noise", "step_noise": "step_noise"}
    path = gen5core.save(
        folder / "a.gen5",
        latents={"initial_noise": randn(*SHAPE), "step_noise": TestPlayer.DRAWS},
        capture={"passes": [{**entry, "sigmas": runs.SIGMAS.tolist(), "shapes": [list(SHAPE)]}]},
        environment=None,
        hardware=None,
    )
    return open_stored(path)


class TestWithinARun:
    """Recorder and replayer around a sampler that fails."""

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_recorder(self, factories: SimpleNamespace, error: type[BaseException]) -> None:
        """A run that fails in the middle restores the factories and leaves no run."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            factories.default_noise_sampler(got["noise"])(1.0, 0.5)
            raise error("stopped")

        recording = Recording()
        with pytest.raises(error, match="stopped"):
            run([SamplingRecorder(recording)], randn(*SHAPE), compute=sampler)
        assert (recording.runs, is_restored(factories)) == ((), True)

    @pytest.mark.parametrize(
        ("mode", "reason"), [("auto", None), ("never", "step_noise of Record Sampling is never")]
    )
    def test_run_bears_its_draws(
        self, factories: SimpleNamespace, mode: step_noise.StepNoise, reason: str | None
    ) -> None:
        """The run has the draws, or why not."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            return factories.default_noise_sampler(got["noise"], seed=got["seed"])(1.0, 0.5)

        recording = Recording()
        output, _ = run([SamplingRecorder(recording, mode)], randn(*SHAPE), compute=sampler)
        [found] = recording.runs
        assert reason == found.step_noise_reason
        assert (mode == "never") == (found.step_noise is None)
        if found.step_noise is not None:
            assert output[None].equal(found.step_noise)

    def test_own_means_are_said(self, factories: SimpleNamespace) -> None:
        """A sampler that draws from the global generator is said to, in the run."""
        recording = Recording()
        with torch.random.fork_rng(devices=[]):
            run([SamplingRecorder(recording)], randn(*SHAPE), compute=lambda got: torch.randn(SHAPE))
        [found] = recording.runs
        assert found.step_noise_reason == "the sampler drew noise by its own means, which cannot be recorded"

    def test_replayer(self, factories: SimpleNamespace, folder: Path) -> None:
        """A replayed run that is interrupted restores the factories."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            assert TestPlayer.DRAWS[0].equal(factories.default_noise_sampler(got["noise"])(1.0, 0.5))
            raise KeyboardInterrupt("stopped")

        with pytest.raises(KeyboardInterrupt, match="stopped"):
            run([replaying(stored_draws(folder))], randn(*SHAPE), compute=sampler)
        assert is_restored(factories)

    def test_recorded_again(self, factories: SimpleNamespace, folder: Path) -> None:
        """A replayed run that is recorded has the stored draws, though the sampler writes into what it gets."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            draw = factories.default_noise_sampler(got["noise"])
            for _ in range(3):
                got["noise"].add_(draw(1.0, 0.5).mul_(0.5))
            result: torch.Tensor = got["noise"].clone()
            return result

        recording = Recording()
        for wrappers in ([SamplingRecorder(recording), replaying(stored_draws(folder))],) * 2:
            run(wrappers, randn(*SHAPE, seed=8), compute=sampler)
        for found in recording.runs:
            assert found.step_noise is not None
            assert TestPlayer.DRAWS.equal(found.step_noise)
            assert randn(*SHAPE).equal(found.noise[0])


class TestGlobalDraws:
    """Whether torch's global generators moved on."""

    def test_nothing(self) -> None:
        """Generators of their own do not count, nor does reading the state."""
        draws = GlobalDraws()
        torch.randn(3, generator=torch.Generator().manual_seed(1))
        torch.get_rng_state()
        assert not draws.happened()

    @pytest.mark.parametrize(
        "draw", [lambda: torch.randn(3), lambda: torch.randn_like(X), lambda: torch.manual_seed(1234)]
    )
    def test_moved_on(self, draw: Callable[[], Any]) -> None:
        """A draw, and a reseeding, are noticed."""
        with torch.random.fork_rng(devices=[]):
            draws = GlobalDraws()
            draw()
            assert draws.happened()

    def test_cuda_that_wakes_up_within(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """CUDA initialised by the run itself is no error, and no draw."""
        awake = [False]
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: awake[0])
        monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: torch.zeros(16, dtype=torch.uint8))
        draws = GlobalDraws()
        awake[0] = True
        assert not draws.happened()

    def test_cuda_draw(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A draw on the GPU moves its generator on, which is noticed."""
        state = torch.zeros(16, dtype=torch.uint8)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_rng_state", state.clone)
        draws = GlobalDraws()
        assert not draws.happened()
        state += 1
        assert draws.happened()

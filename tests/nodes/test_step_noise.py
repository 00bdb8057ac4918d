"""Noise added at each step: recorded, played back, and the factories restored whatever happens."""

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
from gen5pack.nodes.sampling.step_noise import GlobalDraws, StepPlayer, StepRecorder, intercept_noise
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import randn, replaying, run

X = torch.zeros(2, 4, 4, 8)
SHAPE = tuple(X.shape)


def default_noise_sampler(x: torch.Tensor, seed: int | None = None) -> Callable[..., torch.Tensor]:
    """Return a noise sampler that draws from its own generator, as ComfyUI's does."""
    generator = torch.Generator().manual_seed(seed or 0)
    return lambda sigma, sigma_next: torch.randn(x.shape, generator=generator, dtype=x.dtype)


class BrownianTreeNoiseSampler:
    """A factory that is a class, called with the range of sigmas, as ComfyUI's is."""

    def __init__(self, x: torch.Tensor, sigma_min: float, sigma_max: float, *, seed: int = 0) -> None:
        self.x, self.seed, self.scale = x, seed, sigma_max - sigma_min

    def __call__(self, sigma: float, sigma_next: float) -> torch.Tensor:
        """Return the same noise for the same two sigmas, in any order of calls."""
        generator = torch.Generator().manual_seed(self.seed + int(100 * sigma) + int(sigma_next))
        return torch.randn(self.x.shape, generator=generator) * self.scale


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The module in which ComfyUI's samplers look up their factories."""
    module = SimpleNamespace(
        default_noise_sampler=default_noise_sampler, BrownianTreeNoiseSampler=BrownianTreeNoiseSampler
    )
    monkeypatch.setattr(host, "noise_factories", lambda: module)
    return module


def is_restored(factories: SimpleNamespace) -> bool:
    """Return whether both factories are the originals."""
    return vars(factories) == {
        "default_noise_sampler": default_noise_sampler,
        "BrownianTreeNoiseSampler": BrownianTreeNoiseSampler,
    }


def record_draws(recorder: StepRecorder, *drawn: torch.Tensor) -> None:
    """Let recorder record draws of a factory that returns these tensors."""
    draws = iter(drawn)
    draw = recorder.sampler(lambda x: lambda sigma, sigma_next: next(draws), X)
    for _ in drawn:
        draw(1.0, 0.5)


class TestRecorder:
    """Draws are recorded in order, or left out with a reason."""

    @pytest.mark.parametrize("mode", ["auto", "always"])
    def test_draws_in_order(self, mode: step_noise.StepNoise) -> None:
        """Each draw is recorded as it was returned, along a new first axis."""
        drawn = [randn(*SHAPE, seed=seed) for seed in range(3)]
        recorder = StepRecorder(mode)
        record_draws(recorder, *drawn)
        stacked = recorder.stack_draws()
        assert stacked is not None
        assert torch.stack(drawn).equal(stacked)
        assert (recorder.count, recorder.reason) == (3, None)

    def test_sampler_gets_what_the_factory_drew(self) -> None:
        """Arguments reach the factory and its sampler, and the same tensor is returned."""
        drawn, received = randn(*SHAPE), []

        def factory(x: torch.Tensor, *args: Any, **kwargs: Any) -> Callable[..., torch.Tensor]:
            received.append((x is X, args, kwargs))
            return lambda *sigmas, **options: received.append((sigmas, options)) or drawn

        draw = StepRecorder("auto").sampler(factory, X, 0.1, 14.6, seed=7)
        assert drawn is draw(1.0, 0.5, transform=None)
        assert received == [(True, (0.1, 14.6), {"seed": 7}), ((1.0, 0.5), {"transform": None})]

    def test_draws_are_copied(self) -> None:
        """A sampler that scales its draw in place does not change the recording."""
        drawn = randn(*SHAPE)
        expected = drawn.clone()
        recorder = StepRecorder("auto")
        record_draws(recorder, drawn)
        drawn.mul_(3.0)
        stacked = recorder.stack_draws()
        assert stacked is not None
        assert expected.equal(stacked[0])

    def test_never(self) -> None:
        """never counts draws but leaves them out; without draws there is no reason."""
        recorder = StepRecorder("never")
        assert (recorder.stack_draws(), recorder.reason) == (None, None)
        record_draws(recorder, randn(*SHAPE), randn(*SHAPE))
        assert (recorder.stack_draws(), recorder.reason) == (None, "step_noise of Record Sampling is never")
        assert recorder.count == 2

    @pytest.mark.parametrize("mode", ["auto", "never", "always"])
    def test_no_draws(self, mode: step_noise.StepNoise) -> None:
        """Without draws there is no step noise and no reason."""
        recorder = StepRecorder(mode)
        assert (recorder.stack_draws(), recorder.reason, recorder.count) == (None, None, 0)

    @pytest.mark.parametrize(
        ("over", "mode", "kept"), [(0, "auto", True), (1, "auto", False), (1, "always", True)]
    )
    def test_limit(
        self, monkeypatch: pytest.MonkeyPatch, over: int, mode: step_noise.StepNoise, kept: bool
    ) -> None:
        """auto keeps exactly its limit and nothing of a run that takes one byte more; always keeps all."""
        monkeypatch.setattr(step_noise, "AUTO_MAX_BYTES", 3 * X.nbytes - over)
        recorder = StepRecorder(mode)
        record_draws(recorder, *[randn(*SHAPE) for _ in range(3)])
        assert kept == (recorder.stack_draws() is not None)
        assert kept == (recorder.reason is None)

    def test_limit_message(self) -> None:
        """The limit is 64 MiB per run, and the reason names it and the remedy."""
        assert step_noise.AUTO_MAX_BYTES == 64 * 2**20
        recorder = StepRecorder("auto")
        block = torch.zeros(2**22 + 1)
        record_draws(recorder, *[block] * 4)
        assert recorder.reason == "it takes more than 64 MiB; set step_noise to always to keep it"
        assert (recorder.stack_draws(), recorder.count) == (None, 4)

    def test_shape_change(self) -> None:
        """Draws of different shapes are left out for the rest of the run; the reason names the first that differs."""
        recorder = StepRecorder("always")
        record_draws(recorder, X, X, X[:1], X)
        assert recorder.reason == "draw 3 has shape [1, 4, 4, 8], the first [2, 4, 4, 8]"
        assert (recorder.stack_draws(), recorder.count) == (None, 4)

    def test_own_noise(self) -> None:
        """A sampler's own noise is reported only if no factory drew."""
        recorder = StepRecorder("auto")
        recorder.mark_own_noise()
        assert recorder.reason == "the sampler drew noise by its own means, which cannot be recorded"
        assert recorder.stack_draws() is None
        recorder = StepRecorder("auto")
        record_draws(recorder, X)
        recorder.mark_own_noise()
        assert recorder.reason is None


class TestPlayer:
    """Stored draws are played back one after the other."""

    DRAWS = randn(3, *SHAPE, seed=5)

    def play(self, x: torch.Tensor = X) -> tuple[StepPlayer, Callable[..., torch.Tensor]]:
        """Return a player and its noise sampler, which replaces a factory that must not be called."""
        player = StepPlayer(self.DRAWS, "a.gen5")

        def factory(*_: Any, **__: Any) -> Any:
            raise AssertionError("the factory was called")

        return player, player.sampler(factory, x, 0.1, 14.6, seed=3)

    def test_in_order(self) -> None:
        """Each call gets the next draw, whatever its sigmas are."""
        player, draw = self.play()
        assert self.DRAWS.equal(torch.stack([draw(1.0, 0.5), draw(9.0, 9.0), draw(0.0, 0.0)]))
        player.check_all_played()

    def test_two_samplers_share_the_order(self) -> None:
        """Several noise samplers of one run share one sequence of draws."""
        player, first = self.play()
        second = player.sampler(default_noise_sampler, X)
        assert self.DRAWS.equal(torch.stack([first(), second(), first()]))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_dtype_of_x(self, dtype: torch.dtype) -> None:
        """A draw has the dtype in which the sampler works."""
        _, draw = self.play(X.to(dtype))
        assert self.DRAWS[0].to(dtype).equal(draw())

    def test_too_many(self) -> None:
        """A call beyond the stored draws is an error that names the draw and the remedy."""
        _, draw = self.play()
        for _ in range(3):
            draw()
        message = (
            "a.gen5 holds 3 draws of step noise, but this sampler requests draw 4: use the stored sampler and its "
            "settings, or turn step_noise off in Replay Sampling"
        )
        with pytest.raises(EncodeError, match=message):
            draw()

    def test_sampler_that_writes_into_its_draw(self) -> None:
        """A sampler that scales a draw in place does not change the stored one."""
        expected = self.DRAWS.clone()
        _, draw = self.play()
        draw().mul_(3.0)
        assert expected.equal(self.DRAWS)

    @pytest.mark.parametrize("used", [0, 2])
    def test_too_few(self, used: int) -> None:
        """A run that uses fewer draws is an error that says how many it used."""
        player, draw = self.play()
        for _ in range(used):
            draw()
        message = f"a.gen5 holds 3 draws of step noise, but this sampler used {used}: use the stored sampler"
        with pytest.raises(EncodeError, match=message):
            player.check_all_played()

    def test_other_shape(self) -> None:
        """Another shape is an error that names the draw and both shapes."""
        _, draw = self.play(X[:1])
        message = (
            r"draw 1 of step noise in a\.gen5 has shape \[2, 4, 4, 8\], but the sampler works on \[1, 4, 4, 8\]: "
            "use the stored size and batch"
        )
        with pytest.raises(EncodeError, match=message):
            draw()


class TestInterceptNoise:
    """The two factories inside a block."""

    def test_recorded_and_played_back(self, factories: SimpleNamespace) -> None:
        """Draws of both factories are recorded, and played back whatever the sampler's seed."""

        def sample(seed: int) -> torch.Tensor:
            plain = factories.default_noise_sampler(X, seed=seed)
            tree = factories.BrownianTreeNoiseSampler(X, 0.1, 14.6, seed=seed)
            return torch.stack([plain(1.0, 0.5), tree(1.0, 0.5), plain(0.5, 0.0)])

        expected, recorder = sample(1), StepRecorder("auto")
        with intercept_noise(recorder):
            assert expected.equal(sample(1))
        stacked = recorder.stack_draws()
        assert stacked is not None
        assert expected.equal(stacked)
        player = StepPlayer(stacked, "a.gen5")
        assert not expected.equal(sample(2))
        with intercept_noise(player):
            assert expected.equal(sample(2))
        player.check_all_played()
        assert is_restored(factories)

    @pytest.mark.parametrize("error", [ValueError, EncodeError, KeyboardInterrupt, SystemExit, GeneratorExit])
    @pytest.mark.parametrize("interceptor", [StepRecorder("auto"), StepPlayer(TestPlayer.DRAWS, "a.gen5")])
    def test_restored_after_errors_and_interrupts(
        self, factories: SimpleNamespace, interceptor: Any, error: type[BaseException]
    ) -> None:
        """However the block ends, both factories are the originals again."""

        def fail_inside() -> None:
            with intercept_noise(interceptor):
                assert not is_restored(factories)
                raise error("stopped")

        with pytest.raises(error, match="stopped"):
            fail_inside()
        assert is_restored(factories)

    def test_restored_if_the_second_cannot_be_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If replacing the second factory fails, the first is restored."""

        class HalfLocked(SimpleNamespace):
            def __setattr__(self, name: str, value: Any) -> None:
                if name == "BrownianTreeNoiseSampler" and value is not BrownianTreeNoiseSampler:
                    raise KeyboardInterrupt("between the two")
                super().__setattr__(name, value)

        module = HalfLocked(
            default_noise_sampler=default_noise_sampler, BrownianTreeNoiseSampler=BrownianTreeNoiseSampler
        )
        monkeypatch.setattr(host, "noise_factories", lambda: module)
        with pytest.raises(KeyboardInterrupt, match="between the two"), intercept_noise(StepRecorder("auto")):
            pass
        assert is_restored(module)

    def test_nested(self, factories: SimpleNamespace) -> None:
        """A player inside a recorder plays back; then the recorder's factories are restored, then the originals."""
        recorder, player = StepRecorder("auto"), StepPlayer(TestPlayer.DRAWS, "a.gen5")
        with intercept_noise(recorder):
            with intercept_noise(player):
                assert TestPlayer.DRAWS[0].equal(factories.default_noise_sampler(X)(1.0, 0.5))
            assert recorder.count == 0
            factories.default_noise_sampler(X)(1.0, 0.5)
            assert recorder.count == 1
        assert is_restored(factories)

    def test_threads(self, factories: SimpleNamespace) -> None:
        """Overlapping runs of two threads record their own draws; the originals are restored after the last."""
        barrier = threading.Barrier(2, timeout=30)
        recorders = [StepRecorder("auto"), StepRecorder("auto")]
        drawn: dict[int, torch.Tensor] = {}

        def sample(number: int) -> None:
            with intercept_noise(recorders[number]):
                barrier.wait()
                drawn[number] = factories.default_noise_sampler(X, seed=number)(1.0, 0.5)
                barrier.wait()
            if number == 0:  # ends first, although it did not begin last
                assert not is_restored(factories)
            barrier.wait()

        def hold_on(number: int) -> None:
            with intercept_noise(recorders[number]):
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
            stacked = recorder.stack_draws()
            assert stacked is not None
            assert drawn[number][None].equal(stacked)
        assert is_restored(factories)

    def test_concurrent_run_without_interceptor(self, factories: SimpleNamespace) -> None:
        """A concurrent run in another thread without this pack's nodes draws as usual and is not recorded."""
        recorder, drawn = StepRecorder("auto"), []
        with intercept_noise(recorder):
            thread = threading.Thread(
                target=lambda: drawn.append(factories.default_noise_sampler(X, seed=4)(1.0, 0.5))
            )
            thread.start()
            thread.join()
        assert default_noise_sampler(X, seed=4)(1.0, 0.5).equal(drawn[0])
        assert recorder.count == 0

    def test_replacement_of_another_pack_is_kept(self, factories: SimpleNamespace) -> None:
        """If another pack replaces a factory permanently during a run, its replacement is kept and works."""
        with intercept_noise(StepRecorder("auto")):
            ours = factories.default_noise_sampler
            factories.default_noise_sampler = theirs = lambda x, **options: ours(x, **options)
        assert theirs is factories.default_noise_sampler
        assert BrownianTreeNoiseSampler is factories.BrownianTreeNoiseSampler
        assert default_noise_sampler(X, seed=4)(1, 0).equal(theirs(X, seed=4)(1, 0))

    def test_none_changes_nothing(self, factories: SimpleNamespace) -> None:
        """Without an interceptor the factories inside the block are the originals."""
        with intercept_noise(None):
            assert is_restored(factories)

    def test_without_comfyui(self) -> None:
        """Without ComfyUI the block runs unchanged."""
        assert host.noise_factories() is None
        recorder = StepRecorder("auto")
        with intercept_noise(recorder):
            default_noise_sampler(X)(1.0, 0.5)
        assert recorder.count == 0


def sample_with_noise(model: Any, x: Any, noise_sampler: Any = None) -> None:
    """Stand in for the function of a sampler that can add noise at each step."""


class TestMissingFactory:
    """A ComfyUI that renamed a factory, or moved all of them."""

    @pytest.fixture
    def half(self, monkeypatch: pytest.MonkeyPatch, factories: SimpleNamespace) -> SimpleNamespace:
        """A module with only one of the two factories, not reported yet."""
        del factories.BrownianTreeNoiseSampler
        monkeypatch.setattr(step_noise, "_patch", type(step_noise._patch)())
        return factories

    @pytest.fixture
    def moved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A ComfyUI without the module of the factories."""

        def import_them() -> Any:
            raise ModuleNotFoundError("No module named 'comfy.k_diffusion'")

        monkeypatch.setattr(host, "noise_factories", import_them)
        monkeypatch.setattr(step_noise, "_patch", type(step_noise._patch)())

    def test_existing_factory_is_recorded(self, half: SimpleNamespace) -> None:
        """Draws through the existing factory are recorded, and the factory is restored."""
        recorder = StepRecorder("auto")
        with intercept_noise(recorder) as is_complete:
            half.default_noise_sampler(X)(1.0, 0.5)
        assert (recorder.count, is_complete) == (1, False)
        assert {"default_noise_sampler": default_noise_sampler} == vars(half)

    def test_logged_once(self, half: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
        """The log names the missing factory once, however many runs there are."""
        for _ in range(3):
            with intercept_noise(StepRecorder("auto")):
                pass
        [message] = caplog.messages
        assert message.startswith("this ComfyUI has no comfy.k_diffusion.sampling.BrownianTreeNoiseSampler: ")

    def test_missing_module(self, moved: None, caplog: pytest.LogCaptureFixture) -> None:
        """If the whole module is missing, both factories are reported and the run continues."""
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
    def test_possibly_missing_draws(
        self, half: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, function: Any, reason: str | None
    ) -> None:
        """If a sampler can add noise but no draw was seen, the reason says that it drew by its own means."""
        monkeypatch.setattr(runs.SAMPLER, "sampler_function", function)
        recording = Recording()
        run([SamplingRecorder(recording)], randn(*SHAPE))
        assert reason == recording.runs[0].step_noise_reason

    def test_seen_draws_are_kept(self, half: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        """Draws through the existing factory are in the run."""
        monkeypatch.setattr(runs.SAMPLER, "sampler_function", sample_with_noise)
        recording = Recording()
        run([SamplingRecorder(recording)], X, compute=lambda _: half.default_noise_sampler(X)(1.0, 0.5))
        assert recording.runs[0].step_noise_reason is None
        assert recording.runs[0].step_noise is not None

    @pytest.mark.parametrize("used", [0, 1])
    def test_replay(self, half: SimpleNamespace, folder: Path, used: int) -> None:
        """Stored draws that are never requested are not an error then; using too few of them still is."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            draw = half.default_noise_sampler(got["noise"])
            for _ in range(used):
                draw(1.0, 0.5)
            return X

        recording = Recording()
        wrappers = [SamplingRecorder(recording), replaying(stored_draws(folder))]
        if used == 0:
            run(wrappers, randn(*SHAPE), compute=sampler)
            assert recording.runs[0].step_noise is None
            return
        with pytest.raises(EncodeError, match="holds 3 draws of step noise, but this sampler used 1"):
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
    """Recorder and replayer around a sampler."""

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_recorder(self, factories: SimpleNamespace, error: type[BaseException]) -> None:
        """A run that fails halfway restores the factories and is not recorded."""

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
    def test_run_holds_its_draws(
        self, factories: SimpleNamespace, mode: step_noise.StepNoise, reason: str | None
    ) -> None:
        """The run holds the draws, or the reason why not."""

        def sampler(got: dict[str, Any]) -> torch.Tensor:
            return factories.default_noise_sampler(got["noise"], seed=got["seed"])(1.0, 0.5)

        recording = Recording()
        output, _ = run([SamplingRecorder(recording, mode)], randn(*SHAPE), compute=sampler)
        [found] = recording.runs
        assert found.step_noise_reason == reason
        assert (found.step_noise is None) == (mode == "never")
        if found.step_noise is not None:
            assert output[None].equal(found.step_noise)

    def test_own_noise_message(self, factories: SimpleNamespace) -> None:
        """The run of a sampler that draws from the global generator says so."""
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
        """A recorded replay holds the stored draws, even if the sampler changes them in place."""

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
        """Draws from other generators do not count, nor does reading the state."""
        draws = GlobalDraws()
        torch.randn(3, generator=torch.Generator().manual_seed(1))
        torch.get_rng_state()
        assert not draws.happened()

    @pytest.mark.parametrize(
        "draw", [lambda: torch.randn(3), lambda: torch.randn_like(X), lambda: torch.manual_seed(1234)]
    )
    def test_moved_on(self, draw: Callable[[], Any]) -> None:
        """A draw and a reseeding are detected."""
        with torch.random.fork_rng(devices=[]):
            draws = GlobalDraws()
            draw()
            assert draws.happened()

    def test_cuda_initialised_inside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """CUDA being initialised by the run itself is not an error and not a draw."""
        awake = [False]
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: awake[0])
        monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: torch.zeros(16, dtype=torch.uint8))
        draws = GlobalDraws()
        awake[0] = True
        assert not draws.happened()

    def test_cuda_draw(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A draw on the GPU is detected."""
        state = torch.zeros(16, dtype=torch.uint8)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_rng_state", state.clone)
        draws = GlobalDraws()
        assert not draws.happened()
        state += 1
        assert draws.happened()

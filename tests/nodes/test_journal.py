"""Every random call of a run is seen, in its own thread only, and nothing is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import torch
from gen5pack.nodes import host
from gen5pack.nodes.sampling.journal import Journal, journaling, rest_while_computing, resting
from gen5pack.nodes.sampling.random_calls import CALLS, distribution
from torch.overrides import TorchFunctionMode


class Notes(Journal):
    """Keeps what it sees, and may give other values in its place."""

    def __init__(self, *values: torch.Tensor) -> None:
        self.values = list(values)
        self.seen: list[tuple[str, torch.Tensor]] = []

    def substitute(self, function: str, drawn: torch.Tensor) -> torch.Tensor:
        """Return the next value, or what was drawn once there are no more."""
        return self.values.pop(0) if self.values else drawn

    def note(self, function: str, drawn: torch.Tensor) -> None:
        """Keep a copy."""
        self.seen.append((function, drawn.clone()))

    @property
    def functions(self) -> list[str]:
        return [function for function, _ in self.seen]


class Tree:
    """Brownian noise: draws pieces with generators of its own, and returns their sum."""

    def __init__(self) -> None:
        self.start = self._piece(0)

    def __call__(self, sigma: float, sigma_next: float = 0.0) -> Any:
        """Return one tensor; three with the levy area, which is requested by a negative sigma."""
        drawn = self.start + self._piece(int(sigma * 10)) + self._piece(int(sigma_next * 10))
        return (drawn, drawn + 1) if sigma < 0 else drawn

    @staticmethod
    def _piece(seed: int) -> torch.Tensor:
        return torch.randn(2, 3, generator=torch.Generator().manual_seed(abs(seed)))


ORIGINAL = vars(Tree)["__call__"], vars(Tree)["__init__"]


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> type[Tree]:
    """The only class of Brownian noise samplers that is loaded."""
    monkeypatch.setattr(host, "brownian_classes", lambda: [Tree])
    return Tree


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After every test the stack of modes is empty, the class is as it was, and so is the global generator."""
    with torch.random.fork_rng(devices=[]):
        yield
    assert torch._C._len_torch_function_stack() == 0
    assert (vars(Tree)["__call__"], vars(Tree)["__init__"]) == ORIGINAL


X = torch.zeros(2, 3)
PROBABILITY = torch.full((2, 3), 0.5)
GENERATOR = torch.Generator()
DRAWS: dict[str, Callable[[], torch.Tensor]] = {
    "randn": lambda: torch.randn(2, 3),
    "randn_like": lambda: torch.randn_like(X),
    "rand": lambda: torch.rand(2, 3, generator=GENERATOR),
    "rand_like": lambda: torch.rand_like(X),
    "normal": lambda: torch.normal(0.0, 1.0, (2, 3)),
    "randint": lambda: torch.randint(0, 9, (2, 3)),
    "randint_like": lambda: torch.randint_like(X, 9),
    "randperm": lambda: torch.randperm(6),
    "bernoulli": lambda: PROBABILITY.bernoulli(),
    "multinomial": lambda: PROBABILITY.multinomial(2),
    "poisson": lambda: torch.poisson(PROBABILITY),
    "normal_": lambda: torch.empty(2, 3).normal_(generator=GENERATOR),
    "uniform_": lambda: torch.empty(2, 3).uniform_(),
    "bernoulli_": lambda: torch.empty(2, 3).bernoulli_(0.5),
    "exponential_": lambda: torch.empty(2, 3).exponential_(),
    "random_": lambda: torch.empty(2, 3).random_(),
    "cauchy_": lambda: torch.empty(2, 3).cauchy_(),
    "log_normal_": lambda: torch.empty(2, 3).log_normal_(),
    "geometric_": lambda: torch.empty(2, 3).geometric_(0.5),
    "_standard_gamma": lambda: torch.distributions.Gamma(PROBABILITY, PROBABILITY).sample(),
    "_sample_dirichlet": lambda: torch.distributions.Dirichlet(PROBABILITY).sample(),
    "binomial": lambda: torch.binomial(torch.full((2, 3), 9.0), PROBABILITY),
}


class TestDraws:
    """What a journal sees of a draw, and what the sampler gets."""

    def test_every_function_is_tried(self) -> None:
        """The draws of these tests are all functions that are known."""
        assert set(DRAWS) == set(CALLS.values())

    @pytest.mark.parametrize("name", DRAWS)
    def test_seen(self, name: str) -> None:
        """Every function is seen, and the sampler gets the very tensor that it drew."""
        notes = Notes()
        with journaling(notes):
            drawn = DRAWS[name]()
        [(function, seen)] = notes.seen
        assert function == name
        assert torch.equal(drawn, seen) or name == "_standard_gamma"  # the distribution divides it afterwards

    @pytest.mark.parametrize("name", DRAWS)
    def test_replaced(self, name: str) -> None:
        """The sampler gets other values in the dtype that it asked for, and the generator moves on all the same."""
        torch.manual_seed(3), GENERATOR.manual_seed(3)
        expected = DRAWS[name]()
        states = torch.get_rng_state(), GENERATOR.get_state()
        torch.manual_seed(3), GENERATOR.manual_seed(3)
        with journaling(Notes(torch.ones(expected.shape, dtype=torch.float64))):
            drawn = DRAWS[name]()
        assert torch.equal(drawn, torch.ones_like(expected)) or name in (
            "_standard_gamma",
            "_sample_dirichlet",
        )
        assert drawn.dtype == expected.dtype
        assert torch.equal(torch.get_rng_state(), states[0])
        assert torch.equal(GENERATOR.get_state(), states[1])

    def test_in_place(self) -> None:
        """A method that fills a tensor, a view here, leaves it where it is, with the other values inside."""
        owner = torch.zeros(4, 6, dtype=torch.float16)
        view = owner[::2, ::2]
        with journaling(Notes(torch.full((2, 3), 0.1))):
            assert view.normal_() is view
        assert torch.equal(owner[::2, ::2], torch.full((2, 3), 0.1).half())
        assert owner.count_nonzero() == 6

    def test_out(self) -> None:
        """A function that draws into a given tensor fills that one with the other values."""
        given = torch.zeros(2, 3)
        with journaling(Notes(torch.ones(2, 3))):
            assert torch.randn(2, 3, out=given) is given
        assert torch.equal(given, torch.ones(2, 3))

    def test_strides(self) -> None:
        """The sampler gets a tensor of the strides that it asked for, since kernels choose by them."""
        like = torch.zeros(1, 4, 8, 8).to(memory_format=torch.channels_last)
        with journaling(Notes(torch.ones(1, 4, 8, 8))):
            assert torch.randn_like(like).stride() == like.stride()

    def test_gradient(self) -> None:
        """A drawn tensor that requires a gradient can be given other values."""
        with journaling(Notes(torch.ones(2, 3))):
            drawn = torch.randn(2, 3, requires_grad=True)
        assert drawn.requires_grad
        assert torch.equal(drawn.detach(), torch.ones(2, 3))

    def test_rounding_of_weights(self) -> None:
        """Draws of ComfyUI's rounding, which depend on what was loaded before, are no draws of the sampler."""
        rounding = FunctionType(
            (lambda: torch.randn(2, 3)).__code__, {"__name__": "comfy.float", "torch": torch}
        )
        notes = Notes()
        with journaling(notes):
            rounding()
        assert notes.functions == []

    def test_error_of_a_draw(self) -> None:
        """A draw that fails fails as it would have, and is not noted."""
        notes = Notes()
        with journaling(notes), pytest.raises(RuntimeError):
            torch.randn(-1)
        assert notes.functions == []

    @pytest.mark.parametrize(
        ("function", "expected"), [("randn_like", "normal"), ("uniform_", "uniform"), ("other", "other")]
    )
    def test_distribution(self, function: str, expected: str) -> None:
        """Functions of one distribution can stand for each other."""
        assert distribution(function) == expected


class TestBlocks:
    """Journals within journals, threads, errors, other modes."""

    def test_outside(self) -> None:
        """Draws before and after the block are not seen."""
        notes = Notes()
        torch.randn(2)
        with journaling(notes):
            torch.randn(2)
        torch.randn(2)
        assert notes.functions == ["randn"]

    @pytest.mark.parametrize("player_is_inside", [True, False])
    def test_recorder_and_player(self, player_is_inside: bool) -> None:
        """A journal sees what the sampler gets, whichever of the two was opened first."""
        recorder, player = Notes(), Notes(torch.ones(2, 3, dtype=torch.float64))
        first, second = (recorder, player) if player_is_inside else (player, recorder)
        with journaling(first), journaling(second):
            assert torch.equal(torch.randn(2, 3), torch.ones(2, 3))
        [(_, seen)] = recorder.seen
        assert torch.equal(seen, torch.ones(2, 3))

    def test_run_within_a_run(self) -> None:
        """The outer journal sees the inner run's draws too; the inner one its own only, and has the last word."""
        outer, inner = Notes(*[torch.zeros(2)] * 3), Notes(torch.ones(2))
        with journaling(outer):
            torch.randn(2)
            with journaling(inner):
                assert torch.equal(torch.rand(2), torch.ones(2))
            assert torch.equal(torch.randn(2), torch.zeros(2))
        assert (outer.functions, inner.functions) == (["randn", "rand", "randn"], ["rand"])

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
    def test_error(self, tree: type[Tree], error: type[BaseException]) -> None:
        """A run that fails leaves nothing behind, in its model too."""

        def sample() -> None:
            with journaling(Notes()), journaling(Notes()):
                tree()
                rest_while_computing(compute)

        def compute() -> None:
            raise error("stopped")

        with pytest.raises(error, match="stopped"):
            sample()

    def test_threads(self, tree: type[Tree]) -> None:
        """Runs of two threads at once see their own draws; the classes are restored after the last."""
        barrier = threading.Barrier(2, timeout=30)
        notes = [Notes(), Notes()]

        def sample(number: int) -> None:
            with journaling(notes[number]):
                barrier.wait()
                for _ in range(number + 1):
                    torch.randn(2), tree()(1.0)
                barrier.wait()
            barrier.wait()

        threads = [threading.Thread(target=sample, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found.functions for found in notes] == [["randn", "Tree"], ["randn", "Tree"] * 2]

    def test_other_thread(self, tree: type[Tree]) -> None:
        """A thread without a run of its own draws as usual, and is not seen."""
        notes, drawn = Notes(torch.ones(2, 3)), []
        expected = tree()(1.0)
        with journaling(notes):
            thread = threading.Thread(target=lambda: drawn.append(tree()(1.0)))
            thread.start()
            thread.join()
        assert torch.equal(drawn[0], expected)
        assert notes.functions == []

    def test_mode_left_above(self) -> None:
        """A mode that the sampler leaves on the stack stays there; ours is taken from below it."""
        left = TorchFunctionMode()
        with journaling(Notes()):
            torch._C._push_on_torch_function_stack(left)
        assert torch._C._get_function_stack_at(0) is left
        torch._C._pop_torch_function_stack()

    def test_within_another_mode(self) -> None:
        """A device that is set around the run, or within it, works as without us."""
        notes = Notes(torch.ones(2))
        with torch.device("meta"), journaling(notes), torch.device("cpu"):
            drawn = torch.randn(2)
        assert torch.equal(drawn, torch.ones(2))
        assert notes.functions == ["randn"]


class TestRest:
    """The model computes unseen."""

    def test_model(self) -> None:
        """The model's own draws are its own, its calls see no mode, and the sampler's next draw is seen again."""
        notes, depths = Notes(), []

        def compute(x: torch.Tensor, *, scale: int) -> torch.Tensor:
            depths.append(torch._C._len_torch_function_stack())
            return x * torch.rand(3).numel() * scale

        with journaling(notes):
            assert torch.equal(rest_while_computing(compute, torch.ones(1), scale=2), torch.tensor([6.0]))
            torch.randn(2)
        assert (depths, notes.functions) == ([0], ["randn"])

    def test_wrapped_twice(self) -> None:
        """Record and Replay Sampling both wrap the model; the inner wrapper finds nothing to do."""
        notes = Notes()
        with journaling(notes):
            rest_while_computing(rest_while_computing, lambda: torch.rand(2))
            torch.randn(2)
        assert notes.functions == ["randn"]

    def test_without_a_run(self) -> None:
        """A wrapped model that computes outside any run does so."""
        assert rest_while_computing(lambda: 5) == 5

    def test_wrappers_of_packs(self) -> None:
        """Wrappers that run inside ours are watched, the model itself is not."""
        notes = Notes()

        def draws(executor: Executor, *args: Any) -> Any:
            torch.rand(2)
            return executor(*args)

        with journaling(notes):
            wrappers = [rest_while_computing, draws, rest_while_computing, draws]
            assert Executor(lambda x: x + torch.randn(2).numel(), wrappers).execute(1) == 3
            torch.randn(2)
        assert notes.functions == ["rand", "rand", "randn"]

    def test_below_another_mode(self) -> None:
        """Under a mode of the sampler's own, that one stays on, and the model is unseen all the same."""
        notes = Notes()
        with journaling(notes):
            with torch.device("meta"):
                assert rest_while_computing(lambda: torch.rand(2)).is_meta
            torch.randn(2)
        assert notes.functions == ["randn"]

    @pytest.mark.parametrize("device", [None, "cpu"])
    def test_run_inside_a_model(self, device: str | None) -> None:
        """A run that a model starts sees its own draws once, and the outer run none of them."""
        outer, inner = Notes(), Notes()

        def compute() -> None:
            with journaling(inner):
                torch.rand(2)

        with journaling(outer):
            if device is None:
                rest_while_computing(compute)
            else:
                with torch.device(device):
                    rest_while_computing(compute)
            torch.randn(2)
        assert (outer.functions, inner.functions) == (["randn"], ["rand"])


class Executor:
    """Calls wrappers from the first to the last, as ComfyUI does."""

    def __init__(self, original: Callable[..., Any], wrappers: Sequence[Any], idx: int = 0) -> None:
        self.original, self.wrappers, self.idx = original, list(wrappers), idx

    def __call__(self, *args: Any) -> Any:
        """Call what is inside."""
        return Executor(self.original, self.wrappers, self.idx + 1).execute(*args)

    def execute(self, *args: Any) -> Any:
        """Call the wrapper at this place, or else the original."""
        if self.idx == len(self.wrappers):
            return self.original(*args)
        return self.wrappers[self.idx](self, *args)


class TestBrownian:
    """Noise from a tree: its values are the draws, not the pieces that they consist of."""

    def test_values(self, tree: type[Tree]) -> None:
        """The pieces are not seen, neither those of the start; the values are, and are what a sampler gets anyway."""
        expected, notes = tree()(1.0, 0.5), Notes()
        with journaling(notes):
            assert torch.equal(tree()(1.0, 0.5), expected)
        [(function, seen)] = notes.seen
        assert function == "Tree"
        assert torch.equal(seen, expected)

    def test_replaced(self, tree: type[Tree]) -> None:
        """Other values come in a tensor of their own: the tree may keep the one that it returned."""
        kept = []

        class Keeping(tree):  # type: ignore[misc, valid-type]
            def __call__(self, *sigmas: float) -> Any:
                kept.append(self.start)
                return super().__call__(*sigmas)

        with journaling(Notes(torch.ones(2, 3))):
            assert torch.equal(Keeping()(1.0), torch.ones(2, 3))
        assert torch.equal(kept[0], tree().start)

    def test_several_tensors(self, tree: type[Tree]) -> None:
        """Each tensor of a tuple is a draw."""
        notes = Notes(torch.zeros(2, 3))
        with journaling(notes):
            first, second = tree()(-1.0)
        assert notes.functions == ["Tree", "Tree"]
        assert torch.equal(first, torch.zeros(2, 3))
        assert torch.equal(second, tree()(-1.0)[1])

    def test_looks_the_same(self, tree: type[Tree], monkeypatch: pytest.MonkeyPatch) -> None:
        """During a run the class is the same object, and its methods have the same name, text and attributes."""
        monkeypatch.setattr(ORIGINAL[0], "init", True, raising=False)
        with journaling(Notes()):
            method = tree.__call__
            assert (method.__name__, method.__doc__, method.init) == (  # type: ignore[attr-defined]
                "__call__",
                ORIGINAL[0].__doc__,
                True,
            )
            assert method.__wrapped__ is ORIGINAL[0]  # type: ignore[attr-defined]

    def test_replacement_of_another_pack(self, tree: type[Tree]) -> None:
        """What another pack puts in the place of a method during a run stays there, and works."""
        try:
            with journaling(Notes()):
                ours = tree.__call__
                theirs = lambda self, *sigmas: ours(self, *sigmas) * 2  # noqa: E731
                tree.__call__ = theirs  # type: ignore[method-assign]
            assert vars(tree)["__call__"] is theirs
            drawn = tree()(1.0)
        finally:
            tree.__call__ = ORIGINAL[0]  # type: ignore[method-assign]
        assert torch.equal(drawn, tree()(1.0) * 2)

    def test_wrapped_halfway(self, tree: type[Tree], monkeypatch: pytest.MonkeyPatch) -> None:
        """If a class cannot be wrapped, the one before it is restored, and the run fails as the error says."""

        class Locked(type):
            def __setattr__(cls, name: str, value: Any) -> None:
                raise KeyboardInterrupt("between the two")

        class Other(metaclass=Locked):
            def __call__(self) -> None:
                """Do nothing."""

        monkeypatch.setattr(host, "brownian_classes", lambda: [Tree, Other])
        with pytest.raises(KeyboardInterrupt, match="between the two"), journaling(Notes()):
            pass

    def test_without_comfyui(self) -> None:
        """Without ComfyUI and torchsde there is nothing to wrap."""
        with journaling(Notes()):
            assert vars(Tree)["__call__"] is ORIGINAL[0]


def test_resting_is_nested() -> None:
    """A rest within a rest ends with the outer one."""
    notes = Notes()
    with journaling(notes):
        with resting():
            with resting():
                torch.rand(2)
            torch.rand(2)
        torch.randn(2)
    assert notes.functions == ["randn"]


class TestArrays:
    """Noise that is drawn in numpy and brought into torch."""

    @pytest.mark.parametrize("name", ["asarray", "as_tensor", "tensor"])
    def test_array_is_a_draw(self, name: str) -> None:
        """Its values are noted, and others are given without writing into the array."""
        array = np.arange(6.0).reshape(1, 2, 3)
        notes = Notes(torch.ones(1, 2, 3, dtype=torch.float64))
        with journaling(notes):
            brought = getattr(torch, name)(array)
        assert notes.functions == [name]
        assert brought.equal(torch.ones(1, 2, 3, dtype=torch.float64))
        assert array.sum() == 15

    @pytest.mark.parametrize("value", [np.arange(3.0), np.zeros((1, 2, 3), int), [[[1.0]]], 2.0])
    def test_what_is_no_noise(self, value: Any) -> None:
        """Sigmas, indices and lists are left alone."""
        notes = Notes()
        with journaling(notes):
            torch.asarray(value)
        assert notes.functions == []


@pytest.mark.parametrize("fullgraph", [False, True])
def test_compiled_function(fullgraph: bool) -> None:
    """A function that a sampler compiles draws what it draws without a journal, and does not fail."""

    def sample(x: torch.Tensor) -> torch.Tensor:
        return x.new_empty(x.shape).normal_() * x

    drawn = []
    for journals in (nullcontext(), journaling(Notes())):
        torch._dynamo.reset()
        torch.manual_seed(1)
        with journals:
            drawn.append(torch.compile(sample, backend="eager", fullgraph=fullgraph)(torch.ones(3)))
    assert drawn[1].equal(drawn[0])

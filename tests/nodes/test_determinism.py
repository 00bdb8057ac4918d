"""Deterministic Sampling without ComfyUI: what torch is set to inside, and that all of it is put back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from gen5pack.nodes import determinism, host
from gen5pack.nodes.determinism import Gen5Determinism, deterministic, sample_deterministically

CUDNN, MATMUL = torch.backends.cudnn, torch.backends.cuda.matmul
PLAIN = [
    (CUDNN, "deterministic"),
    (CUDNN, "benchmark"),
    (CUDNN, "allow_tf32"),
    (MATMUL, "allow_tf32"),
    (MATMUL, "allow_fp16_reduced_precision_reduction"),
    (MATMUL, "allow_bf16_reduced_precision_reduction"),
]
PRECISIONS = [(MATMUL, "fp32_precision"), (CUDNN.conv, "fp32_precision"), (CUDNN.rnn, "fp32_precision")]
SPLIT_K = [
    (MATMUL, "allow_fp16_reduced_precision_reduction"),
    (MATMUL, "allow_bf16_reduced_precision_reduction"),
]
needs_precisions = pytest.mark.skipif(
    not hasattr(torch.backends, "fp32_precision"), reason="this torch has allow_tf32 only"
)


def settings() -> list[Any]:
    """Return all that is set, what cannot be read as None."""
    found: list[Any] = [
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    ]
    for owner, name in [*PRECISIONS, *PLAIN, *((owner, f"{name}_split_k") for owner, name in SPLIT_K)]:
        try:
            found.append(getattr(owner, name, None))
        except RuntimeError:  # torch refuses to tell allow_tf32 where fp32_precision says otherwise
            found.append(None)
    return found


@pytest.fixture(autouse=True)
def torch_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put torch back to how the test found it, whatever the code under test does.

    A machine with CUDA has CUBLAS_WORKSPACE_CONFIG set, unless a test takes it away.
    """
    monkeypatch.setenv(determinism.WORKSPACE, ":4096:8")
    algorithms = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    precisions = [getattr(owner, name, None) for owner, name in PRECISIONS]
    flags = [getattr(owner, name) for owner, name in PLAIN]
    yield
    torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])
    for (owner, name), flag in zip(PLAIN, flags, strict=True):
        setattr(owner, name, flag)
    for (owner, name), precision in zip(PRECISIONS, precisions, strict=True):
        if precision is not None:
            setattr(owner, name, precision)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A torch that says it has CUDA, and no CUBLAS_WORKSPACE_CONFIG."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv(determinism.WORKSPACE, raising=False)
    return monkeypatch


def set_plain(value: bool) -> None:
    """Set every plain flag to value."""
    for owner, name in PLAIN:
        setattr(owner, name, value)


class TestInside:
    """What holds for the length of the sampling."""

    @pytest.mark.parametrize("before", [True, False])
    def test_switches(self, before: bool) -> None:
        """Deterministic algorithms and cuDNN are on, benchmark, TF32 and reduced reductions off."""
        set_plain(before)
        with deterministic():
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
            assert [getattr(owner, name) for owner, name in PLAIN] == [True, *[False] * 5]

    @needs_precisions
    def test_tf32_of_the_later_switches(self) -> None:
        """TF32 that was asked for by fp32_precision is off too."""
        for owner, name in PRECISIONS:
            setattr(owner, name, "tf32")
        with deterministic():
            assert [getattr(owner, name) for owner, name in PRECISIONS] == ["ieee"] * 3
        assert [getattr(owner, name) for owner, name in PRECISIONS] == ["tf32"] * 3

    def test_operation_without_a_deterministic_way_stops(self) -> None:
        """An operation that torch has no deterministic way for is an error inside, and runs outside."""
        values, places = torch.ones(4), torch.zeros(4, dtype=torch.long)
        with (
            deterministic(),
            pytest.raises(RuntimeError, match="does not have a deterministic implementation"),
        ):
            torch.zeros(4).put_(places, values, accumulate=False)
        torch.zeros(4).put_(places, values, accumulate=False)

    def test_stopped_sampler_is_told_the_remedy(self) -> None:
        """Where torch refuses an operation of the model, its message ends with what a person can do."""

        def sampler() -> torch.Tensor:
            return torch.zeros(4).put_(torch.zeros(4, dtype=torch.long), torch.ones(4), accumulate=False)

        with pytest.raises(RuntimeError, match=r"(?s)put_ does not .*Sampling: turn `enabled` off there\.$"):
            sample_deterministically(sampler)

    def test_other_errors_are_left_alone(self) -> None:
        """An error of the sampler's own goes on as it is."""
        error = RuntimeError("out of memory")

        def sampler() -> torch.Tensor:
            raise error

        with pytest.raises(RuntimeError) as caught:
            sample_deterministically(sampler)
        assert error is caught.value

    def test_missing_workspace_only_warns(self, cuda: pytest.MonkeyPatch) -> None:
        """Without CUBLAS_WORKSPACE_CONFIG on CUDA torch warns, so that sampling still runs; with it torch stops."""
        with deterministic():
            assert torch.is_deterministic_algorithms_warn_only_enabled()
        cuda.setenv(determinism.WORKSPACE, ":16:8")
        with deterministic():
            assert not torch.is_deterministic_algorithms_warn_only_enabled()


class TestPutBack:
    """Every setting is as it was, on every exit."""

    @pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, GeneratorExit])
    @pytest.mark.parametrize("before", [True, False])
    def test_after_return_error_and_interrupt(self, before: bool, error: type[BaseException] | None) -> None:
        """A run that returns, fails or is interrupted leaves what was set before."""
        set_plain(before)
        torch.use_deterministic_algorithms(before, warn_only=before)
        expected = settings()

        def sampler(*args: Any, **kwargs: Any) -> Any:
            assert settings() != expected
            if error is not None:
                raise error("stopped")
            return args, kwargs

        if error is None:
            assert sample_deterministically(sampler, 1, 2, seed=3) == ((1, 2), {"seed": 3})
        else:
            with pytest.raises(error, match="stopped"):
                sample_deterministically(sampler, 1, 2, seed=3)
        assert settings() == expected

    def test_settings_of_a_fresh_torch(self) -> None:
        """What torch starts with comes back, the precisions that are inherited included."""
        expected = settings()
        with deterministic():
            assert settings() != expected
        assert settings() == expected

    @needs_precisions
    @pytest.mark.parametrize(("owner", "name"), PRECISIONS)
    def test_mixed_switches(self, owner: Any, name: str) -> None:
        """Where fp32_precision was set by hand, torch refuses to tell allow_tf32; that is no reason to fail."""
        setattr(owner, name, "ieee" if owner is not MATMUL else "tf32")
        expected = settings()
        assert None in expected
        with deterministic():
            assert settings() != expected
        assert settings() == expected

    @pytest.mark.skipif(not hasattr(MATMUL, f"{SPLIT_K[0][1]}_split_k"), reason="this torch has no split-k")
    @pytest.mark.parametrize(("owner", "name"), SPLIT_K)
    def test_split_k(self, owner: Any, name: str) -> None:
        """Split-k reductions that were forbidden stay forbidden."""
        setattr(owner, name, (False, False))
        expected = settings()
        with deterministic():
            assert getattr(owner, name) is False
        assert settings() == expected
        assert getattr(owner, f"{name}_split_k") is False

    def test_nested(self) -> None:
        """Two nodes in one chain: the inner one's end leaves the outer one's settings."""
        expected = settings()
        with deterministic():
            inside = settings()
            with deterministic():
                pass
            assert inside == settings()
        assert settings() == expected


class TestNode:
    """The MODEL that comes out."""

    @pytest.fixture
    def wrapped(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """What is handed to ComfyUI's wrapper registry."""
        calls: list[Any] = []

        def add(model: Any, key: str, wrapper: Any) -> str:
            calls.append((model, key, wrapper))
            return f"clone of {model}"

        monkeypatch.setattr(host, "add_sampling_wrapper", add)
        return calls

    def test_enabled(self, wrapped: list[Any]) -> None:
        """The MODEL is a clone whose sampling goes through the wrapper."""
        assert Gen5Determinism().apply("m") == ("clone of m",)
        assert [("m", "gen5_determinism", sample_deterministically)] == wrapped

    def test_off_passes_the_model_through(self, wrapped: list[Any], cuda: pytest.MonkeyPatch) -> None:
        """Off is the MODEL itself, without a wrapper."""
        assert Gen5Determinism().apply("m", enabled=False) == ("m",)
        assert wrapped == []

    def test_advice(
        self, wrapped: list[Any], cuda: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """On CUDA without CUBLAS_WORKSPACE_CONFIG the log says what to set, and when."""
        Gen5Determinism().apply("m")
        assert caplog.messages == [
            "CUBLAS_WORKSPACE_CONFIG is not set: cuBLAS may give other bits from run to run. Set "
            "CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment before ComfyUI is started; until then torch "
            "warns instead of stopping"
        ]

    @pytest.mark.parametrize(
        ("value", "advised"), [(":4096:8", False), (":16:8", False), (":8:8", True), ("", True)]
    )
    def test_values_of_the_variable(self, cuda: pytest.MonkeyPatch, value: str, advised: bool) -> None:
        """Only the two values that cuBLAS documents as deterministic are taken."""
        cuda.setenv(determinism.WORKSPACE, value)
        assert advised == (determinism.workspace_advice() is not None)

    def test_no_advice_without_cuda(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine without CUDA needs no variable."""
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.delenv(determinism.WORKSPACE, raising=False)
        assert determinism.workspace_advice() is None

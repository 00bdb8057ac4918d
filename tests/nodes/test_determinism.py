"""Deterministic Sampling without ComfyUI: torch's settings inside the block, and that all of them are restored."""

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
    """Return all settings; one that cannot be read is None."""
    found: list[Any] = [
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    ]
    for owner, name in [*PRECISIONS, *PLAIN, *((owner, f"{name}_split_k") for owner, name in SPLIT_K)]:
        try:
            found.append(getattr(owner, name, None))
        except RuntimeError:  # torch refuses to read allow_tf32 if fp32_precision differs from it
            found.append(None)
    return found


@pytest.fixture(autouse=True)
def restored_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore torch's settings after the test, whatever the code under test does.

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
    """A torch that reports CUDA, without CUBLAS_WORKSPACE_CONFIG."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv(determinism.WORKSPACE, raising=False)
    return monkeypatch


def set_plain(value: bool) -> None:
    """Set every plain flag to value."""
    for owner, name in PLAIN:
        setattr(owner, name, value)


class TestInside:
    """Settings during sampling."""

    @pytest.mark.parametrize("before", [True, False])
    def test_switches(self, before: bool) -> None:
        """Deterministic algorithms and cuDNN are on; benchmark, TF32 and reduced-precision reductions are off."""
        set_plain(before)
        with deterministic():
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
            assert [getattr(owner, name) for owner, name in PLAIN] == [True, *[False] * 5]

    @needs_precisions
    def test_tf32_of_the_later_switches(self) -> None:
        """TF32 that was turned on through fp32_precision is off too."""
        for owner, name in PRECISIONS:
            setattr(owner, name, "tf32")
        with deterministic():
            assert [getattr(owner, name) for owner, name in PRECISIONS] == ["ieee"] * 3
        assert [getattr(owner, name) for owner, name in PRECISIONS] == ["tf32"] * 3

    def test_operation_without_a_deterministic_implementation(self) -> None:
        """An operation without a deterministic implementation is an error inside, and runs outside."""
        values, places = torch.ones(4), torch.zeros(4, dtype=torch.long)
        with (
            deterministic(),
            pytest.raises(RuntimeError, match="does not have a deterministic implementation"),
        ):
            torch.zeros(4).put_(places, values, accumulate=False)
        torch.zeros(4).put_(places, values, accumulate=False)

    def test_message_ends_with_the_remedy(self) -> None:
        """If torch refuses an operation of the model, the message ends with the remedy."""

        def sampler() -> torch.Tensor:
            return torch.zeros(4).put_(torch.zeros(4, dtype=torch.long), torch.ones(4), accumulate=False)

        with pytest.raises(RuntimeError, match=r"(?s)put_ does not .*Sampling: turn `enabled` off there\.$"):
            sample_deterministically(sampler)

    def test_other_errors_are_left_alone(self) -> None:
        """Other errors of the sampler propagate unchanged."""
        error = RuntimeError("out of memory")

        def sampler() -> torch.Tensor:
            raise error

        with pytest.raises(RuntimeError) as caught:
            sample_deterministically(sampler)
        assert error is caught.value

    def test_missing_workspace_only_warns(self, cuda: pytest.MonkeyPatch) -> None:
        """On CUDA without CUBLAS_WORKSPACE_CONFIG torch only warns and sampling runs; with it torch raises."""
        with deterministic():
            assert torch.is_deterministic_algorithms_warn_only_enabled()
        cuda.setenv(determinism.WORKSPACE, ":16:8")
        with deterministic():
            assert not torch.is_deterministic_algorithms_warn_only_enabled()


class TestPutBack:
    """Every setting is restored, on every exit."""

    @pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt, GeneratorExit])
    @pytest.mark.parametrize("before", [True, False])
    def test_after_return_error_and_interrupt(self, before: bool, error: type[BaseException] | None) -> None:
        """Whether a run returns, fails or is interrupted, the previous settings are restored."""
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
        """Torch's initial settings are restored, including inherited precisions."""
        expected = settings()
        with deterministic():
            assert settings() != expected
        assert settings() == expected

    @needs_precisions
    @pytest.mark.parametrize(("owner", "name"), PRECISIONS)
    def test_mixed_switches(self, owner: Any, name: str) -> None:
        """If fp32_precision was set by hand, torch refuses to read allow_tf32; that must not fail."""
        setattr(owner, name, "ieee" if owner is not MATMUL else "tf32")
        expected = settings()
        assert None in expected
        with deterministic():
            assert settings() != expected
        assert settings() == expected

    @pytest.mark.skipif(not hasattr(MATMUL, f"{SPLIT_K[0][1]}_split_k"), reason="this torch has no split-k")
    @pytest.mark.parametrize(("owner", "name"), SPLIT_K)
    def test_split_k(self, owner: Any, name: str) -> None:
        """Split-k reductions that were disabled stay disabled."""
        setattr(owner, name, (False, False))
        expected = settings()
        with deterministic():
            assert getattr(owner, name) is False
        assert settings() == expected
        assert getattr(owner, f"{name}_split_k") is False

    def test_nested(self) -> None:
        """With two nodes in one chain, the end of the inner one leaves the outer one's settings in place."""
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
        """The wrappers that are added to ComfyUI's registry."""
        calls: list[Any] = []

        def add(model: Any, key: str, wrapper: Any) -> str:
            calls.append((model, key, wrapper))
            return f"clone of {model}"

        monkeypatch.setattr(host, "add_sampling_wrapper", add)
        return calls

    def test_enabled(self, wrapped: list[Any]) -> None:
        """The output is a clone whose sampling goes through the wrapper."""
        assert Gen5Determinism().apply("m") == ("clone of m",)
        assert [("m", "gen5_determinism", sample_deterministically)] == wrapped

    def test_off_passes_the_model_through(self, wrapped: list[Any], cuda: pytest.MonkeyPatch) -> None:
        """If off, the output is the MODEL itself, without a wrapper."""
        assert Gen5Determinism().apply("m", enabled=False) == ("m",)
        assert wrapped == []

    def test_advice(
        self, wrapped: list[Any], cuda: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """On CUDA without CUBLAS_WORKSPACE_CONFIG the log says what to set and to restart."""
        Gen5Determinism().apply("m")
        assert caplog.messages == [
            "CUBLAS_WORKSPACE_CONFIG is not set: cuBLAS may give different bits from run to run. Set "
            "CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment and restart ComfyUI; until then torch "
            "warns instead of stopping"
        ]

    @pytest.mark.parametrize(
        ("value", "advised"), [(":4096:8", False), (":16:8", False), (":8:8", True), ("", True)]
    )
    def test_values_of_the_variable(self, cuda: pytest.MonkeyPatch, value: str, advised: bool) -> None:
        """Only the two values that cuBLAS documents as deterministic are accepted."""
        cuda.setenv(determinism.WORKSPACE, value)
        assert advised == (determinism.workspace_advice() is not None)

    def test_no_advice_without_cuda(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine without CUDA needs no variable."""
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.delenv(determinism.WORKSPACE, raising=False)
        assert determinism.workspace_advice() is None

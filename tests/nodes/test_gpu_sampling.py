"""Record, Replay and Deterministic Sampling around samplers that run on a device, a GPU if there is one.

What needs the GPU is marked so; the same code is tried on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gen5pack.nodes import host
from gen5pack.nodes.determinism import deterministic, workspace_advice
from gen5pack.nodes.sampling.generators import (
    GeneratorWatch,
    decode_states,
    encode_states,
    generators_set,
)
from gen5pack.nodes.sampling.journal import journaling
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.sampling.step_noise import StepRecorder
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.file import StoredFile
from runs import SIGMAS, randn, replaying, run, txt2img

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_gpu])]
NOISE = randn(2, 4, 8, 8)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """The device of the sampler; a GPU is initialised first, so that the tested run does not do it."""
    torch.zeros(1, device=request.param)
    return torch.device(request.param)


def default_noise_sampler(x: torch.Tensor, seed: int | None = None) -> Callable[..., torch.Tensor]:
    """Return a sampler that draws on the device of x, as ComfyUI's does: values differ between kinds of device."""
    generator = torch.Generator(device=x.device).manual_seed(seed or 0)
    return lambda sigma, sigma_next: torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


class Sampler:
    """An ancestral sampler on a device that keeps what it received: the noise and its draws."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.received: list[torch.Tensor] = []

    def __call__(self, got: dict[str, Any]) -> torch.Tensor:
        """Return a latent on the CPU, as ComfyUI keeps it, computed from the noise and the draws."""
        x = got["noise"].to(self.device, torch.float32)
        self.received = [x.cpu().clone()]
        draw = default_noise_sampler(x, seed=got["seed"])
        for sigma in got["sigmas"][:-1]:
            drawn = draw(sigma, sigma)
            self.received.append(drawn.cpu().clone())
            x = torch.nn.functional.conv2d(x, self.weight(), padding=1) + drawn.mul_(0.5)
        return x.cpu()

    def weight(self) -> torch.Tensor:
        """Return the model's weight on the device."""
        return randn(4, 4, 3, 3, seed=3).to(self.device) * 0.2


def record(sampler: Sampler) -> tuple[torch.Tensor, StoredFile]:
    """Sample with Record Sampling and save; return the result and the file."""
    recording = Recording()
    noise = NOISE.to(sampler.device) if sampler.device.type == "cuda" else NOISE.clone()
    result, _ = run([SamplingRecorder(recording)], noise, seed=5, compute=sampler)
    inputs = {"latent": {"samples": result}, "recording": recording}
    answer = Gen5Save().save("x", prompt=txt2img(batch_size=2), unique_id="9", **inputs)
    return result, answer["result"][1]


def test_recorded_and_replayed(device: torch.device) -> None:
    """On one device a replay under another seed gives the same bits, from the same noise at every step."""
    sampler = Sampler(device)
    result, file = record(sampler)
    expected = sampler.received
    again, _ = run([replaying(file)], randn(2, 4, 8, 8, seed=9), seed=77, compute=sampler)
    assert result.equal(again)
    assert all(one.equal(other) for one, other in zip(expected, sampler.received, strict=True))


def test_file_of_the_cpu(device: torch.device) -> None:
    """A run that was recorded on the CPU starts on the device from the same noise, with the same draws."""
    on_cpu, sampler = Sampler(torch.device("cpu")), Sampler(device)
    _, file = record(on_cpu)
    sigmas = (
        (SIGMAS.double() * (1 + 2**-23)).float().to(device)
    )  # rounded as another device might compute them
    _, got = run([replaying(file)], randn(2, 4, 8, 8, seed=9), sigmas=sigmas, compute=sampler)
    assert got["sigmas"].device.type == device.type
    assert got["sigmas"].cpu().equal(SIGMAS)
    assert len(sampler.received) == len(SIGMAS)
    assert all(one.equal(other) for one, other in zip(on_cpu.received, sampler.received, strict=True))


def test_recording_is_in_main_memory(device: torch.device) -> None:
    """A recording takes no memory of the device."""
    recording = Recording()
    mask = torch.ones(2, 4, 8, 8, device=device)
    latent = randn(2, 4, 8, 8, seed=4).to(device)
    run([SamplingRecorder(recording)], NOISE.to(device), latent, mask=mask, compute=Sampler(device))
    [noted] = recording.runs
    assert noted.step_noise is not None
    held = [*noted.noise, *noted.start_latent, *(noted.noise_mask or []), *noted.step_noise.parts]
    assert {torch.device("cpu")} == {tensor.device for tensor in held if tensor is not None}
    assert NOISE.equal(noted.noise[0])


def test_draws_are_copied_before_the_device_goes_on(device: torch.device) -> None:
    """A draw that the sampler overwrites at once is recorded as it was."""
    recorder = StepRecorder("auto")
    with generators_left_alone(device), journaling(recorder):
        drawn = torch.randn(2, 4, 256, 256, device=device)
        expected = drawn.cpu().clone()
        drawn.zero_()
    recorder.finish()
    assert recorder.draws is not None
    assert expected.equal(recorder.draws.parts[0][0])


@contextmanager
def generators_left_alone(device: torch.device) -> Iterator[None]:
    """Restore the global generators after a block."""
    with torch.random.fork_rng(devices=[0] if device.type == "cuda" else []):
        yield


def test_private_generator_is_not_noticed(device: torch.device) -> None:
    """A draw from the device's global generator is noticed; one from a private generator is not."""
    with generators_left_alone(device):
        watch = GeneratorWatch()
        torch.randn(3, device=device, generator=torch.Generator(device=device).manual_seed(1))
        watch.finish()
        assert watch.unseen == []
        torch.randn(3, device=device)
        watch.finish()
        assert watch.unseen == ["cuda" if device.type == "cuda" else "torch"]


@pytest.mark.gpu
@needs_gpu
def test_generator_of_the_gpu_is_put_back() -> None:
    """A state of CUDA's generator from the start of a run gives the same values again, and then its own."""
    torch.zeros(1, device="cuda")
    with generators_left_alone(torch.device("cuda")):
        watch = GeneratorWatch()
        expected = torch.randn(3, device="cuda")
        torch.manual_seed(5)
        states = decode_states(encode_states(watch.needed(draws_are_kept=False)))
        with generators_set(states) as missing:
            assert torch.randn(3, device="cuda").equal(expected)
        after = torch.randn(3, device="cuda")
        torch.manual_seed(5)
        assert torch.randn(3, device="cuda").equal(after)
    assert missing == []


@pytest.mark.filterwarnings("ignore:Deterministic behavior was enabled")  # without CUBLAS_WORKSPACE_CONFIG
def test_deterministic_on_a_device(device: torch.device) -> None:
    """A convolution and a matrix product under deterministic settings repeat exactly, in half precision too."""
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        image, weight = randn(1, 4, 16, 16).to(device, dtype), randn(8, 4, 3, 3).to(device, dtype)
        matrix = randn(64, 64).to(device, dtype)
        with deterministic():
            first, again = (
                (torch.nn.functional.conv2d(image, weight).cpu(), (matrix @ matrix).cpu()) for _ in range(2)
            )
        assert all(one.equal(other) for one, other in zip(first, again, strict=True))


@pytest.mark.gpu
@needs_gpu
def test_prepared_noise_leaves_the_devices_generator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """ComfyUI's noise function seeds every generator; drawing with it does not change ours."""

    def prepare_noise(samples: torch.Tensor, seed: int, batch_index: Any) -> torch.Tensor:
        return torch.randn(samples.shape, generator=torch.manual_seed(seed))

    modules = {"torch": torch, "comfy.sample": SimpleNamespace(prepare_noise=prepare_noise)}
    monkeypatch.setattr(host, "is_present", lambda: True)
    monkeypatch.setattr(host, "_module", modules.__getitem__)
    torch.zeros(1, device="cuda")
    before = torch.get_rng_state(), torch.cuda.get_rng_state()
    host.prepare_noise(NOISE, 3, None)
    assert before[0].equal(torch.get_rng_state())
    assert before[1].equal(torch.cuda.get_rng_state())


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("value", [":4096:8", ":16:8"])
def test_workspace_that_is_set(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """If CUBLAS_WORKSPACE_CONFIG has a value that cuBLAS documents, there is no advice."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", value)
    assert workspace_advice() is None

"""A real GPU: the environment names it, and noise drawn on the CPU stays the same on it.

Tests that need the GPU are marked; the others also run on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import gen5core
from gen5core.environment import probes
from gen5core.environment.components import live_settings

torch = pytest.importorskip("torch")

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_gpu])]
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Any:
    """The CPU, and the GPU if there is one."""
    return torch.device(request.param)


def round_trip(tensor: Any, device: Any) -> Any:
    """Move a tensor to a device and back, as sampling on the device does."""
    return tensor.to(device).cpu()


@pytest.mark.gpu
@needs_gpu
def test_environment_names_gpu_and_driver() -> None:
    """The component gpu is NVML's first GPU with its driver, and torch sees one of NVML's GPUs."""
    environment = gen5core.Environment.capture()
    [canonical] = [part.canonical for part in environment.components if part.component_id == "gpu"]
    [first, *_] = probes.nvml_gpus()
    assert canonical == f"name=gpu;model={first.name};driver={first.driver}"
    assert first.driver
    seen = [torch.cuda.get_device_properties(i).name for i in range(torch.cuda.device_count())]
    assert any(name.startswith(gpu.name) for gpu in probes.nvml_gpus() for name in seen)


@pytest.mark.gpu
@needs_gpu
def test_hardware_names_gpu() -> None:
    """hardware_info has the GPU with its memory, driver and CUDA version."""
    [gpu, *_] = gen5core.Environment.capture().hardware["gpu"]
    assert {"name", "memory_gb", "driver", "cuda_version"} <= gpu.keys()
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    assert gpu["memory_gb"] >= total * 0.9  # torch can use slightly less than the board has


@pytest.mark.gpu
@needs_gpu
def test_cudnn_is_named_once_cuda_is_initialized() -> None:
    """Once CUDA is initialized, the settings include cuDNN's version."""
    torch.zeros(1, device="cuda")
    assert live_settings()["cudnn"] == f"name=cudnn;version={torch.backends.cudnn.version()}"


@pytest.mark.gpu
@needs_gpu
def test_environment_of_a_saved_file_matches(tmp_path: Path) -> None:
    """A file saved on this machine shows no drift on it."""
    path = gen5core.save(
        tmp_path / "a.gen5", latents={"initial_noise": torch.zeros(1, 4, 8, 8, device="cuda")}
    )
    with gen5core.open(path) as file:
        assert file.environment is not None
        assert file.environment.diff(gen5core.Environment.capture()) == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_saved_from_a_device(tmp_path: Path, device: Any, dtype: Any) -> None:
    """Latents on a device are stored unchanged and are read back on the CPU, bit for bit."""
    noise = gen5core.comfy_noise((2, 4, 8, 8), 5, dtype=dtype)
    path = gen5core.save(tmp_path / "a.gen5", latents={"initial_noise": noise.to(device)})
    with gen5core.open(path) as file:
        stored = file.latents["initial_noise"].torch()
    assert stored.device == torch.device("cpu")
    assert noise.equal(stored)
    assert noise.equal(round_trip(stored, device))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seeds", [[0], [3, 1, 2**64 - 1]])
def test_diffusers_noise_of_the_cpu_on_a_device(device: Any, dtype: Any, seeds: Sequence[int]) -> None:
    """Noise that Diffusers draws with CPU generators for a pipeline on a device equals per_image_noise."""
    utils = pytest.importorskip("diffusers.utils.torch_utils")
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    shape = (len(seeds), 4, 8, 8)
    drawn = utils.randn_tensor(shape, generator=generators, device=device, dtype=dtype)
    assert drawn.device.type == device.type
    assert gen5core.per_image_noise(shape, seeds, dtype=dtype).equal(drawn.cpu())


def test_arithmetic_on_a_device_is_repeatable(device: Any) -> None:
    """A convolution over the same noise on the same device gives the same bits twice."""
    noise = gen5core.comfy_noise((1, 4, 32, 32), 5, dtype=torch.float32).to(device)
    weight = gen5core.comfy_noise((8, 4, 3, 3), 6, dtype=torch.float32).to(device)
    first, again = (torch.nn.functional.conv2d(noise, weight, padding=1).cpu() for _ in range(2))
    assert first.equal(again)

"""A machine with a GPU, asked for real: the environment names it; and noise of the CPU is the same on it.

What needs the GPU is marked so; the same code is tried on the CPU.
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
    """A device of this machine."""
    return torch.device(request.param)


def on_device(tensor: Any, device: Any) -> Any:
    """Return a tensor there and back, as sampling on a device does."""
    return tensor.to(device).cpu()


@pytest.mark.gpu
@needs_gpu
def test_environment_names_gpu_and_driver() -> None:
    """The component gpu is NVML's first GPU with its driver, one of those that torch sees."""
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
    """hardware_info has every GPU with its memory, driver and CUDA."""
    [told, *_] = gen5core.Environment.capture().hardware["gpu"]
    assert {"name", "memory_gb", "driver", "cuda_version"} <= told.keys()
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    assert told["memory_gb"] >= total * 0.9  # what torch may use is a little less than the board has


@pytest.mark.gpu
@needs_gpu
def test_cudnn_is_named_once_cuda_runs() -> None:
    """As soon as CUDA was started the settings name cuDNN's version."""
    torch.zeros(1, device="cuda")
    assert live_settings()["cudnn"] == f"name=cudnn;version={torch.backends.cudnn.version()}"


@pytest.mark.gpu
@needs_gpu
def test_environment_of_a_saved_file_matches(tmp_path: Path) -> None:
    """A file saved on this machine tells no drift on it."""
    path = gen5core.save(
        tmp_path / "a.gen5", latents={"initial_noise": torch.zeros(1, 4, 8, 8, device="cuda")}
    )
    with gen5core.open(path) as file:
        assert file.environment is not None
        assert file.environment.diff(gen5core.Environment.capture()) == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_saved_from_a_device(tmp_path: Path, device: Any, dtype: Any) -> None:
    """Latents on a device are stored as they are, and come back on the CPU, equal to the bit."""
    noise = gen5core.comfy_noise((2, 4, 8, 8), 5, dtype=dtype)
    path = gen5core.save(tmp_path / "a.gen5", latents={"initial_noise": noise.to(device)})
    with gen5core.open(path) as file:
        stored = file.latents["initial_noise"].torch()
    assert torch.device("cpu") == stored.device
    assert noise.equal(stored)
    assert noise.equal(on_device(stored, device))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seeds", [[0], [3, 1, 2**64 - 1]])
def test_diffusers_noise_of_the_cpu_on_a_device(device: Any, dtype: Any, seeds: Sequence[int]) -> None:
    """What Diffusers draws with generators of the CPU for a pipeline on a device is per_image_noise, moved there."""
    utils = pytest.importorskip("diffusers.utils.torch_utils")
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    shape = (len(seeds), 4, 8, 8)
    drawn = utils.randn_tensor(shape, generator=generators, device=device, dtype=dtype)
    assert device.type == drawn.device.type
    assert gen5core.per_image_noise(shape, seeds, dtype=dtype).equal(drawn.cpu())


def test_arithmetic_on_a_device_repeats_itself(device: Any) -> None:
    """From stored noise a convolution on one device gives the same bits again."""
    noise = gen5core.comfy_noise((1, 4, 32, 32), 5, dtype=torch.float32).to(device)
    weight = gen5core.comfy_noise((8, 4, 3, 3), 6, dtype=torch.float32).to(device)
    first, again = (torch.nn.functional.conv2d(noise, weight, padding=1).cpu() for _ in range(2))
    assert first.equal(again)

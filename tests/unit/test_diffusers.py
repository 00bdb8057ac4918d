"""The Diffusers guide "Reproducible pipelines" with this library, on the real Diffusers, without downloads.

Source: https://huggingface.co/docs/diffusers/using-diffusers/reusing_seeds
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import gen5core

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read on import
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn on import
    diffusers = pytest.importorskip("diffusers")
    pytest.importorskip("transformers", reason="StableDiffusionPipeline needs it")
    from diffusers import StableDiffusionPipeline
    from diffusers.utils.torch_utils import enable_full_determinism, randn_tensor

FEATURES = 16
SHAPE = (1, 4, 8, 8)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    """A StableDiffusionPipeline with small random weights, which is given embeddings instead of a prompt."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = diffusers.UNet2DConditionModel(
            sample_size=8,
            layers_per_block=1,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=FEATURES,
            attention_head_dim=2,
        )
        vae = diffusers.AutoencoderKL(
            block_out_channels=(4, 8),
            norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        )
    built = StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=None,
        tokenizer=None,
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    built.set_progress_bar_config(disable=True)
    return built


@pytest.fixture
def restore_torch_settings() -> Iterator[None]:
    """Restore the process-wide settings that enable_full_determinism changes."""
    names = ("CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG")
    variables = {name: os.environ.get(name) for name in names}
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    flags = (cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32)
    yield
    torch.use_deterministic_algorithms(False)
    cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32 = flags
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def embeddings(*texts: int) -> Any:
    """Return embeddings in place of those by a text encoder, one for each prompt."""
    drawn = [torch.randn(1, 7, FEATURES, generator=torch.Generator().manual_seed(text)) for text in texts]
    return torch.cat(drawn)


def generators(seeds: Sequence[int]) -> list[Any]:
    """Return a CPU generator for each seed."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def sample(pipeline: Any, prompts: Any, **inputs: Any) -> Any:
    """Sample four steps and return the resulting latents."""
    done = pipeline(
        prompt_embeds=prompts,
        negative_prompt_embeds=torch.zeros_like(prompts),
        num_inference_steps=4,
        height=16,
        width=16,
        output_type="latent",
        **inputs,
    )
    return done.images


def largest_difference(one: Any, other: Any) -> float:
    """Return L∞."""
    return float((one.double() - other.double()).abs().max())


def test_stored_noise_through_latents(pipeline: Any, tmp_path: Path) -> None:
    """Noise from a CPU generator, stored and passed through ``latents=``, gives the same result at L∞ 0."""
    prompts = embeddings(1)
    result = sample(pipeline, prompts, generator=torch.Generator("cpu").manual_seed(7))
    noise = randn_tensor(SHAPE, generator=torch.Generator("cpu").manual_seed(7))
    gen5core.save(tmp_path / "a.gen5", latents={"initial_noise": noise, "final_latent": result})
    with gen5core.open(tmp_path / "a.gen5") as file:
        again = sample(pipeline, prompts, latents=file.latents["initial_noise"].torch())
        assert largest_difference(file.latents["final_latent"].torch(), again) == 0.0
    other = sample(pipeline, prompts, generator=torch.Generator("cpu").manual_seed(8))
    assert largest_difference(result, other) > 0.01


def test_per_image_noise_instead_of_a_generator(pipeline: Any) -> None:
    """per_image_noise instead of a generator gives the same result."""
    prompts = embeddings(1)
    result = sample(pipeline, prompts, generator=torch.Generator("cpu").manual_seed(7))
    noise = gen5core.per_image_noise(SHAPE, [7], dtype=torch.float32)
    assert largest_difference(result, sample(pipeline, prompts, latents=noise)) == 0.0


@pytest.mark.usefixtures("restore_torch_settings")
def test_full_determinism(pipeline: Any) -> None:
    """Two runs under enable_full_determinism are equal, and so is one from the noise alone."""
    enable_full_determinism()
    assert torch.are_deterministic_algorithms_enabled()
    prompts, noise = embeddings(1), gen5core.per_image_noise(SHAPE, [0], dtype=torch.float32)
    one, two = (sample(pipeline, prompts, generator=torch.Generator().manual_seed(0)) for _ in range(2))
    assert largest_difference(one, two) == 0.0
    assert largest_difference(one, sample(pipeline, prompts, latents=noise)) == 0.0


def test_best_of_four_seeds_varied(pipeline: Any, tmp_path: Path) -> None:
    """One image of four seeds is selected by index, and its stored noise used with four prompts."""
    batch = sample(pipeline, embeddings(1, 1, 1, 1), generator=generators(range(4)))
    noise = gen5core.per_image_noise((4, *SHAPE[1:]), range(4), dtype=torch.float32)
    gen5core.save(tmp_path / "four.gen5", latents={"initial_noise": noise, "final_latent": batch})
    best = 2
    with gen5core.open(tmp_path / "four.gen5") as file:
        picked = file.latents["initial_noise"].torch()[best : best + 1]
    prompts = embeddings(1, 2, 3, 4)
    by_file = sample(pipeline, prompts, latents=picked.repeat(4, 1, 1, 1))
    by_seed = sample(pipeline, prompts, generator=generators([best] * 4))
    assert largest_difference(by_seed, by_file) == 0.0
    assert torch.allclose(batch[best], by_file[0], atol=1e-5)  # the same prompt at another index of the batch
    assert all(largest_difference(by_file[0], by_file[number]) > 1e-3 for number in (1, 2, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (4, 4, 64, 96), (3, 16, 3, 5, 7), (2, 3)])
def test_per_image_noise_is_randn_tensor(shape: tuple[int, ...], dtype: Any) -> None:
    """per_image_noise is what Diffusers draws for a list of generators, bit for bit."""
    seeds = [2**64 - 1, 0, 5, 2**40][: shape[0]]
    expected = randn_tensor(shape, generator=generators(seeds), device=torch.device("cpu"), dtype=dtype)
    actual = gen5core.per_image_noise(shape, seeds, dtype=dtype)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    assert expected.view(torch.uint8).equal(actual.view(torch.uint8))

"""Save Gen5's noise input: noise that the sampler cannot have started from is refused, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.save import Gen5Save
from runs import images, randn, run, txt2img

LATENT = {"samples": randn(1, 4, 4, 8, seed=1)}


class Nested:
    """A latent of several tensors, as ComfyUI's NestedTensor."""

    is_nested = True

    def __init__(self, *parts: torch.Tensor) -> None:
        self.parts = parts

    def unbind(self) -> list[torch.Tensor]:
        return list(self.parts)


def save(
    prompt: dict[str, Any] | None = None, **inputs: Any
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Save; return META's capture and the latents."""
    given = {"prompt": txt2img() if prompt is None else prompt, "unique_id": "9", **inputs}
    path = Gen5Save().save("x", **given)["result"][1].path
    with gen5core.open(path) as file:
        return dict(file.capture or {}), {name: latent.torch() for name, latent in file.latents.items()}


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((1, 4, 8, 8), "1 × 4 × 8 × 8"),
        ((1, 4, 8, 4), "1 × 4 × 8 × 4"),
        ((2, 4, 4, 8), "2 × 4 × 4 × 8"),
        ((1, 16, 4, 8), "1 × 16 × 4 × 8"),
        ((1, 4, 1, 4, 8), "1 × 4 × 1 × 4 × 8"),
        ((4, 4, 8), "4 × 4 × 8"),
    ],
)
def test_another_shape(folder: Path, shape: tuple[int, ...], shown: str) -> None:
    """Another size, batch, channel count or number of axes is refused with both shapes and the remedy."""
    message = rf"noise .*Save Gen5 has shape {shown}, .* 1 × 4 × 4 × 8: connect the noise"
    with pytest.raises(EncodeError, match=message):
        save(latent=LATENT, noise={"samples": randn(*shape)}, images=images())
    assert list((folder / "output").rglob("*.*")) == []


@pytest.mark.parametrize(
    ("latent", "noise", "message"),
    [
        ([(1, 4, 4, 8), (1, 8, 5)], [(1, 4, 4, 8)], "shape 1 × 4 × 4 × 8, .* 1 × 4 × 4 × 8 and 1 × 8 × 5:"),
        ([(1, 4, 4, 8)], [(1, 4, 4, 8), (1, 8, 5)], "shape 1 × 4 × 4 × 8 and 1 × 8 × 5, .* 1 × 4 × 4 × 8:"),
        ([(1, 4, 4, 8), (1, 8, 5)], [(1, 8, 5), (1, 4, 4, 8)], "shape 1 × 8 × 5 and 1 × 4 × 4 × 8, "),
    ],
)
def test_another_number_or_order_of_parts(
    latent: list[tuple[int, ...]], noise: list[tuple[int, ...]], message: str
) -> None:
    """Each part of a nested latent must have noise of its own shape, in order."""
    parts = {"samples": Nested(*(randn(*shape) for shape in latent))}
    given = {"samples": Nested(*(randn(*shape) for shape in noise))}
    with pytest.raises(EncodeError, match=message):
        save(latent=parts, noise=given)


def test_the_shape_of_the_latent() -> None:
    """Noise of the sampler's shape is stored as given, with that shape."""
    noise = randn(1, 4, 4, 8, seed=9)
    capture, latents = save(latent=LATENT, noise={"samples": noise})
    [entry] = capture["passes"]
    assert (capture["noise_source"], entry["shapes"]) == ("provided", [[1, 4, 4, 8]])
    assert noise.equal(latents["initial_noise"])


def test_latent_that_was_changed_since() -> None:
    """A latent that was changed after sampling does not show the noise's shape: any is accepted."""
    graph = txt2img()
    graph["12"] = {"class_type": "LatentUpscale", "inputs": {"samples": ["3", 0], "width": 128, "height": 64}}
    graph["9"]["inputs"]["latent"] = ["12", 0]
    capture, latents = save(graph, latent={"samples": randn(1, 4, 8, 16)}, noise=LATENT)
    assert capture["noise_source"] == "provided"
    assert LATENT["samples"].equal(latents["initial_noise"])


def test_images_alone() -> None:
    """If no latent is connected there is no shape to compare with."""
    capture, latents = save(images=images(), noise=LATENT)
    assert capture["noise_source"] == "provided"
    assert LATENT["samples"].equal(latents["initial_noise"])


def test_recorded_noise_needs_no_other() -> None:
    """If the run was recorded, the noise input is ignored."""
    recording = Recording()
    result, received = run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=42), seed=5)
    other = {"samples": randn(1, 4, 9, 9)}
    capture, latents = save(latent={"samples": result}, noise=other, recording=recording)
    assert capture["noise_source"] == "recorded"
    assert received["noise"].equal(latents["initial_noise"])

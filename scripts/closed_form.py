"""A diffusion model without weights: the exact denoiser of a small mixture of Gaussian images.

Each component is a picture-sized Gaussian: a mean (a sky) and a covariance that is diagonal in Fourier
space and in luma and chroma (clouds). For such data the posterior mean of a noisy image is known in
closed form, so sampling is the real thing, deterministic, and needs nothing but numpy.

Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", equations
(3) and (5), algorithm 1 without churn; the posterior of a Gaussian mixture, Bishop 2006, section 2.3.3.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float64]

SKIES = (
    ((0.10, 0.16, 0.42), (0.95, 0.62, 0.42)),
    ((0.16, 0.42, 0.78), (0.86, 0.93, 0.98)),
    ((0.05, 0.05, 0.16), (0.36, 0.20, 0.46)),
)
"""Top and bottom colour of each mean: dusk, noon, night."""

_LUMA_CHROMA = np.linalg.qr(np.array([[1.0, 1.0, 0.3], [1.0, 0.0, -0.7], [1.0, -1.0, 0.4]]))[0]
_CHANNEL_POWER = np.array([1.0, 0.08, 0.03])


class ClosedFormModel:
    """The exact denoiser for images of shape (3, side, side), values about 0..1."""

    def __init__(self, side: int = 256) -> None:
        self.shape = (3, side, side)
        frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
        spectrum = 1.0 / (frequency**2 + (1.5 / side) ** 2) ** 1.6
        weight = np.full(spectrum.shape, 2.0)
        weight[:, 0] = weight[:, -1] = 1.0
        self._weight = weight
        variance = (spectrum * weight).sum() / side**2
        self._power = _CHANNEL_POWER[:, None, None] * (spectrum / variance * 0.22**2)[None]
        height = np.linspace(0.0, 1.0, side)[None, :, None]
        self._means = [
            np.broadcast_to(_column(top) * (1 - height) + _column(bottom) * height, self.shape)
            for top, bottom in SKIES
        ]

    def denoise(self, noisy: Image, sigma: float) -> Image:
        """Return the expected image given image + sigma * noise; both of shape (3, side, side)."""
        total = self._power + sigma**2
        means, scores = [], []
        for mean in self._means:
            spectrum = np.fft.rfft2(_transform(_LUMA_CHROMA.T, noisy - mean), norm="ortho")
            scores.append(-0.5 * (self._weight * np.abs(spectrum) ** 2 / total).sum())
            clean = np.fft.irfft2(spectrum * (self._power / total), s=self.shape[1:], norm="ortho")
            means.append(mean + _transform(_LUMA_CHROMA, clean))
        likelihood = np.exp(np.array(scores) - max(scores))
        return np.tensordot(likelihood / likelihood.sum(), np.array(means), 1)


def karras_sigmas(steps: int, least: float = 0.005, most: float = 1500.0, rho: float = 7.0) -> Image:
    """Return the noise levels of all steps, from most to least, and a zero; equation (5) with the paper's rho.

    The highest level must be large against the distance between the means, which grows with the image's side.
    """
    ramp = np.linspace(0, 1, steps)
    return np.append((most ** (1 / rho) + ramp * (least ** (1 / rho) - most ** (1 / rho))) ** rho, 0.0)


def sample_euler(
    model: ClosedFormModel, noise: npt.NDArray[np.float32], steps: int
) -> npt.NDArray[np.float32]:
    """Sample along the probability-flow ODE, starting from noise.

    Parameters
    ----------
    noise : float32, shape (1, 3, side, side), unit variance

    Returns
    -------
    float32, same shape, values about 0..1
    """
    sigmas = karras_sigmas(steps)
    x = noise[0].astype(np.float64) * sigmas[0]
    for sigma, following in pairwise(sigmas):
        x = x + (x - model.denoise(x, sigma)) / sigma * (following - sigma)
    return x[None].astype(np.float32)


def to_pixels(sample: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return a sample of shape (1, 3, H, W) as uint8 pixels of shape (H, W, 3)."""
    return np.moveaxis((sample[0] * 255).round().clip(0, 255).astype(np.uint8), 0, -1)


def _column(colour: tuple[float, float, float]) -> Image:
    return np.array(colour)[:, None, None]


def _transform(matrix: Image, image: Image) -> Image:
    return np.tensordot(matrix, image, 1)

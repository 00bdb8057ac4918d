"""Which of torch's functions draw random values, and from which distribution.

What a model does while it computes is not meant here, so that dropout and its like are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

_NAMES = {
    "normal": ("randn", "randn_like", "normal", "normal_", "BrownianTreeNoiseSampler"),
    "uniform": ("rand", "rand_like", "uniform_"),
    "integers": ("randint", "randint_like", "random_"),
    "permutation": ("randperm",),
    "bernoulli": ("bernoulli", "bernoulli_"),
    "binomial": ("binomial",),
    "multinomial": ("multinomial",),
    "poisson": ("poisson",),
    "gamma": ("_standard_gamma",),
    "dirichlet": ("_sample_dirichlet",),
    "exponential": ("exponential_",),
    "cauchy": ("cauchy_",),
    "log-normal": ("log_normal_",),
    "geometric": ("geometric_",),
    "array": ("asarray", "as_tensor", "tensor"),
}
"""Distribution -> functions of torch and methods of its tensors; those that end in _ write into their tensor.
ComfyUI's Brownian noise has unit variance, so that it can take the place of normal values."""
_DISTRIBUTIONS = {name: distribution for distribution, names in _NAMES.items() for name in names}
CALLS: dict[Callable[..., Any], str] = {
    function: name
    for name, distribution in _DISTRIBUTIONS.items()
    if distribution != "array"
    for owner in (torch, torch.Tensor)
    if (function := getattr(owner, name, None)) is not None
}
"""Every such function, as a TorchFunctionMode gets it, and its name."""
ARRAYS: dict[Callable[..., Any], str] = {
    torch.asarray: "asarray",
    torch.as_tensor: "as_tensor",
    torch.tensor: "tensor",
}
"""Functions that bring in the values of a numpy array: packs draw noise there too (``takes_noise``)."""


def takes_noise(args: Sequence[Any]) -> bool:
    """Return whether a function of ARRAYS gets an array that may be noise: of floats, in the form of latents."""
    given = args[0] if args else None
    return isinstance(given, np.ndarray) and given.ndim > 2 and given.dtype.kind == "f"


def distribution(function: str) -> str:
    """Return the distribution from which a function draws; a function that is not known has its own."""
    return _DISTRIBUTIONS.get(function, function)

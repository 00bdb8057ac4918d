"""The version and settings of torch, found without importing it.

If torch is only installed, its ``version.py`` is parsed; if the process has loaded it, the module is queried.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .probes import Gpu


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """How torch was built; None for a library that it was built without."""

    version: str
    """The full version, e.g. ``2.13.0+cpu``."""
    cuda: str | None = None
    hip: str | None = None
    rocm: str | None = None
    xpu: str | None = None

    @property
    def release(self) -> str:
        """The version without its build tag, e.g. ``2.13.0``."""
        return self.version.partition("+")[0]


def loaded_build(torch: ModuleType) -> TorchBuild:
    """Return the build of a loaded torch module."""
    return _build({**vars(torch.version), "__version__": torch.__version__})


def installed_build(version_file: Path) -> TorchBuild | None:
    """Return the build that torch's ``version.py`` states, without executing it; None if it states no version."""
    try:
        tree = ast.parse(version_file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    constants = _constants(tree)
    return _build(constants) if "__version__" in constants else None


def _constants(tree: ast.Module) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant):
            found.update({target.id: value.value for target in targets if isinstance(target, ast.Name)})
    return found


def _build(facts: Mapping[str, object]) -> TorchBuild:
    libraries = {name: str(facts[name]) for name in ("cuda", "hip", "rocm", "xpu") if facts.get(name)}
    return TorchBuild(version=str(facts["__version__"]), **libraries)


def torch_gpus(torch: ModuleType) -> tuple[Gpu, ...]:
    """Return the GPUs that a loaded torch can see through CUDA or HIP, without their drivers."""
    try:
        with warnings.catch_warnings():
            # torch warns about an old driver, and about a GPU that is too old for it.
            warnings.simplefilter("ignore")
            if not torch.cuda.is_available():
                return ()
            seen = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    except RuntimeError:  # the process was forked from one that uses the GPU, or the GPU has no free memory
        return ()
    return tuple(Gpu(name=str(gpu.name), memory_bytes=int(gpu.total_memory)) for gpu in seen)


def torch_settings(torch: ModuleType, workspace: str | None) -> dict[str, dict[str, object]]:
    """Return, by name, the settings of a loaded torch that affect the exact bits of results.

    Parameters
    ----------
    workspace : value of ``CUBLAS_WORKSPACE_CONFIG``, None if it is unset

    Source: PyTorch, "Reproducibility" and "CUDA semantics".
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    return {
        **_cudnn_version(torch),
        "tf32": _tf32(matmul, cudnn),
        **_float32_matmul_precision(torch),
        "deterministic_algorithms": {
            "enabled": torch.are_deterministic_algorithms_enabled(),
            "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        },
        "cudnn_flags": {
            "enabled": cudnn.enabled,
            "deterministic": cudnn.deterministic,
            "benchmark": cudnn.benchmark,
        },
        "reduced_precision": {
            "fp16": matmul.allow_fp16_reduced_precision_reduction,
            "bf16": matmul.allow_bf16_reduced_precision_reduction,
        },
        **_fp16_accumulation(matmul),
        "cublas_workspace": {"config": workspace or "unset"},
    }


def _cudnn_version(torch: ModuleType) -> dict[str, dict[str, object]]:
    # The query initializes CUDA, which costs memory and rules out forking, so it must already be initialized.
    if not torch.cuda.is_initialized():
        return {}
    try:
        version = torch.backends.cudnn.version()
    except RuntimeError:  # the cuDNN found is not the version that torch was built for
        return {}
    return {"cudnn": {"version": version}} if version else {}


def _tf32(matmul: Any, cudnn: Any) -> dict[str, object]:
    """Return the effective precisions, in the terms of torch 2.9 and later for every version.

    Those versions refuse to read the older flags once a newer one was set, so the newer ones come first.
    """
    if hasattr(matmul, "fp32_precision"):
        backends = {"matmul": matmul, "conv": cudnn.conv, "rnn": cudnn.rnn}
        return {name: _effective(backend.fp32_precision) for name, backend in backends.items()}
    convolution = _effective("tf32" if cudnn.allow_tf32 else "ieee")
    return {
        "matmul": _effective("tf32" if matmul.allow_tf32 else "ieee"),
        "conv": convolution,
        "rnn": convolution,
    }


def _effective(precision: str) -> str:
    return "ieee" if precision == "none" else precision


def _float32_matmul_precision(torch: ModuleType) -> dict[str, dict[str, object]]:
    try:
        with warnings.catch_warnings():
            # Deprecated since torch 2.9, but the only getter for the CPU's precision that all versions have.
            warnings.simplefilter("ignore", UserWarning)
            return {"float32_matmul_precision": {"value": torch.get_float32_matmul_precision()}}
    except RuntimeError:  # set through the newer flags only; the tf32 entry has the effective precision
        return {}


def _fp16_accumulation(matmul: Any) -> dict[str, dict[str, object]]:
    enabled = getattr(matmul, "allow_fp16_accumulation", None)  # torch 2.7 and later
    return {} if enabled is None else {"fp16_accumulation": {"enabled": enabled}}

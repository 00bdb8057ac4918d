"""What torch is and how it is set, learned without importing it.

A torch that is only installed is read off its ``version.py``; one that the process has loaded is asked.
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
    """What a torch was built as; None where it was built without."""

    version: str
    """In full, e.g. ``2.13.0+cpu``."""
    cuda: str | None = None
    hip: str | None = None
    rocm: str | None = None
    xpu: str | None = None

    @property
    def release(self) -> str:
        """The version without its build tag, e.g. ``2.13.0``."""
        return self.version.partition("+")[0]


def loaded_build(torch: ModuleType) -> TorchBuild:
    """Return the build of a torch that is loaded."""
    return _build({**vars(torch.version), "__version__": torch.__version__})


def installed_build(version_file: Path) -> TorchBuild | None:
    """Return the build that torch's ``version.py`` tells, read and never run; None if it tells none."""
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
    told = {name: str(facts[name]) for name in ("cuda", "hip", "rocm", "xpu") if facts.get(name)}
    return TorchBuild(version=str(facts["__version__"]), **told)


def torch_gpus(torch: ModuleType) -> tuple[Gpu, ...]:
    """Return the GPUs that a loaded torch sees, over CUDA or HIP; memory in bytes, driver unknown."""
    try:
        with warnings.catch_warnings():
            # An old driver, or a GPU too old for this torch, is a warning of torch's own.
            warnings.simplefilter("ignore")
            if not torch.cuda.is_available():
                return ()
            seen = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    except RuntimeError:  # a process forked from one that uses the GPU, or no memory left on it
        return ()
    return tuple(Gpu(name=str(gpu.name), memory_bytes=int(gpu.total_memory)) for gpu in seen)


def torch_settings(torch: ModuleType, workspace: str | None) -> dict[str, dict[str, object]]:
    """Return, by name, the settings of a loaded torch that decide which bits come out.

    Parameters
    ----------
    workspace : value of ``CUBLAS_WORKSPACE_CONFIG``, or None

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
    # Asking starts CUDA, which costs memory and forbids forking: only where it runs already.
    if not torch.cuda.is_initialized():
        return {}
    try:
        version = torch.backends.cudnn.version()
    except RuntimeError:  # a cuDNN of another version than the one torch was built for
        return {}
    return {"cudnn": {"version": version}} if version else {}


def _tf32(matmul: Any, cudnn: Any) -> dict[str, object]:
    """Return the precision in force, in the words of torch 2.9 and later, whichever torch tells it.

    Those versions refuse to read the older flag once the newer one was set, so the newer goes first.
    """
    if hasattr(matmul, "fp32_precision"):
        told = {"matmul": matmul, "conv": cudnn.conv, "rnn": cudnn.rnn}
        return {name: _in_force(flag.fp32_precision) for name, flag in told.items()}
    convolution = _in_force("tf32" if cudnn.allow_tf32 else "ieee")
    return {
        "matmul": _in_force("tf32" if matmul.allow_tf32 else "ieee"),
        "conv": convolution,
        "rnn": convolution,
    }


def _in_force(precision: str) -> str:
    return "ieee" if precision == "none" else precision


def _float32_matmul_precision(torch: ModuleType) -> dict[str, dict[str, object]]:
    try:
        with warnings.catch_warnings():
            # torch 2.9 calls this getter deprecated; no other tells the CPU's precision in all versions.
            warnings.simplefilter("ignore", UserWarning)
            return {"float32_matmul_precision": {"value": torch.get_float32_matmul_precision()}}
    except RuntimeError:  # set through the newer flags only; the tf32 entry tells what is in force
        return {}


def _fp16_accumulation(matmul: Any) -> dict[str, dict[str, object]]:
    enabled = getattr(matmul, "allow_fp16_accumulation", None)  # torch 2.7 and later
    return {} if enabled is None else {"fp16_accumulation": {"enabled": enabled}}

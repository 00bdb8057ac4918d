"""Probes of the machine: one frozen record of functions, each replaceable in tests.

A probe returns None, or an empty tuple, if its source is unavailable. No probe imports torch, prints or warns;
psutil and pynvml are imported on first use.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import platform
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..files.user_folder import key_folder


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; unknown facts are None."""

    name: str
    memory_bytes: int | None = None
    driver: str | None = None
    cuda_version: str | None = None
    """The newest CUDA version that the driver supports, not the one that torch was built with."""


def operating_system() -> str:
    """Return the operating system and its release, e.g. ``Linux 6.8.0``."""
    return f"{platform.system()} {platform.release()}"


def numpy_version() -> str:
    """Return the version that numpy reports."""
    return str(np.__version__)


def cpu_model() -> str | None:
    """Return the processor's model name, or its architecture if that is unknown."""
    if sys.platform == "win32":
        named = _registry_cpu_name()
    elif sys.platform == "linux":
        named = _proc_cpu_name(Path("/proc/cpuinfo"))
    else:
        named = None
    return named or platform.machine() or None


def _proc_cpu_name(cpuinfo: Path) -> str | None:
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            named = next((line for line in lines if line.startswith("model name")), "")
    except OSError:
        return None
    return named.partition(":")[2].strip() or None


def _registry_cpu_name() -> str | None:
    if sys.platform != "win32":
        return None
    import winreg

    try:
        with winreg.OpenKey(
            winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        ) as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except OSError:
        return None


def cpu_cores() -> int | None:
    """Return the number of physical cores, or of logical ones if that is unknown."""
    psutil = _import_optional("psutil")
    physical: int | None = psutil.cpu_count(logical=False) if psutil else None
    return physical or os.cpu_count()


def ram_bytes() -> int | None:
    """Return the usable memory of the system in bytes."""
    psutil = _import_optional("psutil")
    return int(psutil.virtual_memory().total) if psutil else None


def nvml_gpus() -> tuple[Gpu, ...]:
    """Return every NVIDIA GPU in the machine, in PCI bus order."""
    pynvml = _import_optional("pynvml")
    if pynvml is None:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        found = [_nvml_gpu(pynvml, index) for index in range(_query(pynvml, "nvmlDeviceGetCount") or 0)]
    finally:
        _query(pynvml, "nvmlShutdown")
    return tuple(gpu for gpu in found if gpu is not None)


def _nvml_gpu(pynvml: Any, index: int) -> Gpu | None:
    handle = _query(pynvml, "nvmlDeviceGetHandleByIndex", index)
    name = None if handle is None else _text(_query(pynvml, "nvmlDeviceGetName", handle))
    if name is None:
        return None
    memory = _query(pynvml, "nvmlDeviceGetMemoryInfo", handle)
    cuda = _query(pynvml, "nvmlSystemGetCudaDriverVersion")
    return Gpu(
        name=name,
        memory_bytes=None if memory is None else int(memory.total),
        driver=_text(_query(pynvml, "nvmlSystemGetDriverVersion")),
        cuda_version=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
    )


def _query(pynvml: Any, function: str, *arguments: Any) -> Any:
    """Return the result of an NVML function; None on an error, e.g. for a lost GPU or a missing counter."""
    try:
        return getattr(pynvml, function)(*arguments)
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _import_optional(name: str) -> Any:
    """Import an optional module; return None if it is not installed."""
    with warnings.catch_warnings():
        # The retired PyPI package pynvml emits a FutureWarning when it is imported.
        warnings.simplefilter("ignore", FutureWarning)
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


def loaded_torch() -> ModuleType | None:
    """Return torch if the process has imported it; a torch that is still being imported does not count."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "backends") else None


def torch_version_file() -> Path | None:
    """Return the path of the installed torch's ``version.py``, found without importing torch."""
    try:
        found = importlib.util.find_spec("torch")
    except ValueError:  # a torch in sys.modules without a __spec__
        return None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).with_name("version.py")


@dataclass(frozen=True, slots=True)
class Probes:
    """All probes of a machine; ``dataclasses.replace`` simulates another machine."""

    operating_system: Callable[[], str] = operating_system
    python_version: Callable[[], str] = platform.python_version
    numpy_version: Callable[[], str] = numpy_version
    cpu_model: Callable[[], str | None] = cpu_model
    cpu_cores: Callable[[], int | None] = cpu_cores
    ram_bytes: Callable[[], int | None] = ram_bytes
    nvml_gpus: Callable[[], tuple[Gpu, ...]] = nvml_gpus
    loaded_torch: Callable[[], ModuleType | None] = loaded_torch
    torch_version_file: Callable[[], Path | None] = torch_version_file
    getenv: Callable[[str], str | None] = os.environ.get
    host_name: Callable[[], str] = platform.node
    key_folder: Callable[[], Path | None] = key_folder


DEFAULT = Probes()
"""This machine."""

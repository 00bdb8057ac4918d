"""How a machine is asked what it is: one frozen record of functions, each replaceable.

A probe answers None, or an empty tuple, where its source is absent. None of them imports torch, prints or
warns; psutil and pynvml are imported when first asked for.
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
    """One GPU; what could not be learned is None."""

    name: str
    memory_bytes: int | None = None
    driver: str | None = None
    cuda_version: str | None = None
    """The newest CUDA that the driver serves, not the one that torch was built with."""


def operating_system() -> str:
    """Return system and release, e.g. ``Linux 6.8.0``."""
    return f"{platform.system()} {platform.release()}"


def numpy_version() -> str:
    """Return numpy's version as numpy itself tells it."""
    return str(np.__version__)


def cpu_model() -> str | None:
    """Return the processor's trade name, failing that its architecture."""
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
    """Return the number of physical cores, failing that of logical ones."""
    psutil = _optional("psutil")
    physical: int | None = psutil.cpu_count(logical=False) if psutil else None
    return physical or os.cpu_count()


def ram_bytes() -> int | None:
    """Return the memory that the system can use, in bytes."""
    psutil = _optional("psutil")
    return int(psutil.virtual_memory().total) if psutil else None


def nvml_gpus() -> tuple[Gpu, ...]:
    """Return every NVIDIA GPU in the machine, in the order of their PCI slots."""
    pynvml = _optional("pynvml")
    if pynvml is None:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        found = [_nvml_gpu(pynvml, index) for index in range(_ask(pynvml, "nvmlDeviceGetCount") or 0)]
    finally:
        _ask(pynvml, "nvmlShutdown")
    return tuple(gpu for gpu in found if gpu is not None)


def _nvml_gpu(pynvml: Any, index: int) -> Gpu | None:
    handle = _ask(pynvml, "nvmlDeviceGetHandleByIndex", index)
    name = None if handle is None else _text(_ask(pynvml, "nvmlDeviceGetName", handle))
    if name is None:
        return None
    memory = _ask(pynvml, "nvmlDeviceGetMemoryInfo", handle)
    cuda = _ask(pynvml, "nvmlSystemGetCudaDriverVersion")
    return Gpu(
        name=name,
        memory_bytes=None if memory is None else int(memory.total),
        driver=_text(_ask(pynvml, "nvmlSystemGetDriverVersion")),
        cuda_version=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
    )


def _ask(pynvml: Any, function: str, *arguments: Any) -> Any:
    """Return one NVML answer; a GPU that fell off the bus or lacks a counter has none."""
    try:
        return getattr(pynvml, function)(*arguments)
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _optional(name: str) -> Any:
    """Return a module that this package can do without, or None."""
    with warnings.catch_warnings():
        # The retired distribution named pynvml warns as the module of that name is imported.
        warnings.simplefilter("ignore", FutureWarning)
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


def loaded_torch() -> ModuleType | None:
    """Return torch where the process has imported it; half-way through that import it does not count."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "backends") else None


def torch_version_file() -> Path | None:
    """Return the path of the installed torch's ``version.py``, found without importing torch."""
    try:
        found = importlib.util.find_spec("torch")
    except ValueError:
        return None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).with_name("version.py")


@dataclass(frozen=True, slots=True)
class Probes:
    """Every question asked of a machine; ``dataclasses.replace`` stands another machine up."""

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

"""The machine that made a file: META's ``hardware_info``, and how two machines differ.

The host name is never written. A machine is recognised by a short keyed digest of its host name; the key
stays in the user's configuration folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import operator
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..files.atomic import publish_new
from .probes import DEFAULT, Gpu, Probes
from .torch_state import TorchBuild, installed_build, loaded_build, torch_gpus

GIB: Final = 2**30
KEY_FILE: Final = "machine.key"
KEY_BYTES: Final = 32
NAME_DIGITS: Final = 16
"""64 bits: enough to distinguish one person's machines, too few to matter if the key leaks."""
SAME_SIZE_GB: Final = 0.5
SAME_SIZE_RATIO: Final = 0.03
"""Sizes this close count as equal: firmware, kernel and driver reserve an amount that changes between boots,
and other writers store the nominal size."""
DriftKind = Literal["differs", "missing here", "missing in file"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One fact about the environment that differs from the stored one."""

    component: str
    stored: str | None
    current: str | None
    kind: DriftKind

    def __str__(self) -> str:
        """Return the warning text that the 0.1.0 page documents."""
        subject = f"Environment component '{self.component}'"
        if self.kind == "differs":
            return f"{subject} differs:\n  File: {self.stored}\n  Current: {self.current}"
        if self.kind == "missing here":
            return f"{subject} missing in current system"
        return f"{subject} missing in file"


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts about a machine that cannot change while a process runs."""

    os: str
    cpu: str | None
    cpu_cores: int | None
    ram_bytes: int | None
    gpus: tuple[Gpu, ...]
    torch: TorchBuild | None
    name: str | None


def survey(probes: Probes = DEFAULT) -> Machine:
    """Return the facts that probes report; each probe runs once per process.

    Once torch is loaded the probes run a second time, since torch may see GPUs that NVML does not.
    """
    return _survey(probes, probes.loaded_torch() is not None)


@functools.cache
def _survey(probes: Probes, torch_loaded: bool) -> Machine:
    torch = probes.loaded_torch() if torch_loaded else None
    version_file = None if torch else probes.torch_version_file()
    if torch is not None:
        build: TorchBuild | None = loaded_build(torch)
    else:
        build = installed_build(version_file) if version_file else None
    return Machine(
        os=probes.operating_system(),
        cpu=probes.cpu_model(),
        cpu_cores=probes.cpu_cores(),
        ram_bytes=probes.ram_bytes(),
        gpus=probes.nvml_gpus() or (torch_gpus(torch) if torch else ()),
        torch=build,
        name=machine_name(probes.host_name(), probes.key_folder()),
    )


def hardware_info(probes: Probes = DEFAULT) -> dict[str, Any]:
    """Return the machine as META's ``hardware_info``; unknown facts have no key.

    Sizes are in GiB, rounded to one decimal, under the format's names (``memory_gb``, ``ram_gb``). Every GPU
    is listed, whether or not torch can use it.

    Source: FORMAT.md, "META"; the JSON schema of gen5 0.1.0.
    """
    machine = survey(probes)
    facts = {
        "machine_name": machine.name,
        "os": machine.os,
        "cpu": machine.cpu,
        "cpu_cores": machine.cpu_cores,
        "gpu": [_gpu_info(gpu) for gpu in machine.gpus],
        "ram_gb": _gib(machine.ram_bytes),
        "framework": "torch" if machine.torch else None,
        "compute_lib": _compute_lib(machine),
    }
    return {key: value for key, value in facts.items() if value is not None}


def _gpu_info(gpu: Gpu) -> dict[str, Any]:
    facts = {
        "name": gpu.name,
        "memory_gb": _gib(gpu.memory_bytes),
        "driver": gpu.driver,
        "cuda_version": gpu.cuda_version,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _gib(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / GIB, 1)


def _compute_lib(machine: Machine) -> str | None:
    build = machine.torch
    if build is None:
        return None
    for library, version in (("cuda", build.cuda), ("rocm", build.hip), ("xpu", build.xpu)):
        if version:
            return library
    # On a Mac the same build of torch supports both CPU and GPU, so the library in use is unknown.
    return None if machine.os.startswith("Darwin") else "cpu"


def machine_name(host_name: str, folder: Path | None) -> str | None:
    """Return 16 hex digits that identify a host name, or None if no key can be stored.

    Parameters
    ----------
    folder : folder of this installation's key, which is created if missing

    Source: FORMAT.md, "machine_name"; HMAC-SHA256, RFC 2104.
    """
    if not host_name or folder is None:
        return None
    try:
        key = _machine_key(folder)
    except OSError:
        return None
    if len(key) != KEY_BYTES:
        return None
    message = host_name.encode("utf-8", "surrogateescape")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:NAME_DIGITS]


def _machine_key(folder: Path) -> bytes:
    """Return this installation's key, created on first use; if several processes create it at once, one wins."""
    path = folder / KEY_FILE
    with contextlib.suppress(FileNotFoundError):
        return _read_key(path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{KEY_FILE}.{secrets.token_hex(8)}"
    try:
        _write_key(draft)
        with contextlib.suppress(FileExistsError):
            publish_new(
                draft, path
            )  # complete, and never in place of another: the loser reads the winner's key
    finally:
        draft.unlink(missing_ok=True)
    return _read_key(path)


def _read_key(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(KEY_BYTES + 1)  # one byte more, so that a longer file is noticed


def _write_key(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


def hardware_drift(
    stored: Mapping[str, Any], current: Mapping[str, Any], *, skip: Collection[str] = ()
) -> list[Drift]:
    """Return the differences between two ``hardware_info``, in the order OS, CPU, cores, memory, GPU.

    A fact that is missing, empty or of the wrong type on one side is not reported.

    Parameters
    ----------
    skip : keys that are reported elsewhere
    """
    drifts = []
    for key, (types, same) in _COMPARED.items():
        before, now = stored.get(key), current.get(key)
        if key in skip or not (isinstance(before, types) and isinstance(now, types)):
            continue
        if before and now and not same(before, now):
            drifts.append(Drift(f"hardware.{key}", _format_value(before), _format_value(now), "differs"))
    return drifts


def _same_size(before: float, now: float) -> bool:
    """Return whether two sizes in GiB count as equal."""
    try:
        return abs(before - now) <= max(SAME_SIZE_GB, SAME_SIZE_RATIO * max(before, now))
    except OverflowError:  # an integer that is too large for a float
        return False


def _same_gpus(before: list[Any], now: list[Any]) -> bool:
    return len(before) == len(now) and all(map(_same_gpu, before, now))


def _same_gpu(before: Any, now: Any) -> bool:
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        return False
    for key, (types, same) in _COMPARED_GPU.items():
        left, right = before.get(key), now.get(key)
        if isinstance(left, types) and isinstance(right, types) and not same(left, right):
            return False
    return True


def _format_value(value: Any) -> str:
    return ", ".join(map(_format_gpu, value)) if isinstance(value, list) else str(value)


def _format_gpu(gpu: Any) -> str:
    if not isinstance(gpu, Mapping):
        return "unnamed"
    parts = [str(gpu[key]) for key in ("name", "driver") if isinstance(gpu.get(key), str)]
    return " driver ".join(parts) or "unnamed"


_Compared = dict[str, tuple[tuple[type, ...], Callable[[Any, Any], bool]]]
_COMPARED: Final[_Compared] = {
    "os": ((str,), operator.eq),
    "cpu": ((str,), operator.eq),
    "cpu_cores": ((int,), operator.eq),
    "ram_gb": ((int, float), _same_size),
    "gpu": ((list,), _same_gpus),
}
_COMPARED_GPU: Final[_Compared] = {
    "name": ((str,), operator.eq),
    "memory_gb": ((int, float), _same_size),
    "driver": ((str,), operator.eq),
}

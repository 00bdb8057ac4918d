"""META's ``hardware_info`` of machines that are simulated by their probes."""

from __future__ import annotations

import importlib
import json
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gen5core.environment import hardware, probes, torch_state
from gen5core.environment.hardware import KEY_FILE, hardware_drift, hardware_info, machine_name
from gen5core.environment.probes import DEFAULT, Gpu, Probes
from gen5core.environment.torch_state import TorchBuild, installed_build
from gen5core.files.user_folder import key_folder

ROOT = Path(hardware.__file__).parents[1]
HOST = "annas-workstation"
GIB = 2**30
RTX = Gpu("NVIDIA GeForce RTX 4090", 24564 * 2**20, "550.54.14", "12.4")
L40 = Gpu("NVIDIA L40S", 46068 * 2**20, "550.54.14", "12.4")

CUDA_VERSION_FILE = """\
from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip']
__version__ = '2.5.1+cu124'
debug = False
cuda: Optional[str] = '12.4'
hip: Optional[str] = None
"""


def machine(folder: Path, **answers: Any) -> Probes:
    """Return probes of a machine without GPU, torch or NVML; answers override single probes."""
    values = {
        "operating_system": "Linux 6.8.0",
        "python_version": "3.11.7",
        "numpy_version": "2.1.0",
        "cpu_model": "AMD Ryzen 9 7950X",
        "cpu_cores": 16,
        "ram_bytes": 64 * GIB,
        "nvml_gpus": (),
        "loaded_torch": None,
        "torch_version_file": None,
        "host_name": HOST,
        "key_folder": folder,
        **answers,
    }
    functions: dict[str, Any] = {name: lambda answer=answer: answer for name, answer in values.items()}
    return Probes(**functions, getenv=lambda name: None)


def fake_torch(*, gpus: tuple[tuple[str, int], ...] = (), **version: str | None) -> ModuleType:
    """Return a fake of a loaded torch that sees the given GPUs (name, memory in bytes)."""
    torch = ModuleType("torch")
    torch.__version__ = version.pop("release", "2.5.1+rocm6.2")
    torch.version = SimpleNamespace(**version)
    torch.cuda = SimpleNamespace(
        is_available=lambda: bool(gpus),
        device_count=lambda: len(gpus),
        get_device_properties=lambda i: SimpleNamespace(name=gpus[i][0], total_memory=gpus[i][1]),
    )
    return torch


class NvmlError(Exception):
    """Fake of pynvml.NVMLError."""


def fake_nvml(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> ModuleType:
    """Install a fake pynvml; each function returns the given value, calls it or raises it."""
    answers = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlDeviceGetCount": 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: ["NVIDIA GeForce RTX 4090", b"NVIDIA L40S"][handle],
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=[24564, 46068][handle] * 2**20),
        "nvmlSystemGetDriverVersion": "550.54.14",
        "nvmlSystemGetCudaDriverVersion": 12040,
        **functions,
    }
    nvml = ModuleType("pynvml")
    nvml.NVMLError = NvmlError

    def function(answer: Any) -> Any:
        def call(*arguments: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call

    for name, answer in answers.items():
        setattr(nvml, name, function(answer))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


def test_a_machine_with_two_gpus(tmp_path: Path) -> None:
    """Both GPUs are listed with memory in GiB, driver and CUDA, even without torch."""
    info = hardware_info(machine(tmp_path, nvml_gpus=(RTX, L40)))

    assert info == {
        "machine_name": machine_name(HOST, tmp_path),
        "os": "Linux 6.8.0",
        "cpu": "AMD Ryzen 9 7950X",
        "cpu_cores": 16,
        "gpu": [
            {
                "name": "NVIDIA GeForce RTX 4090",
                "memory_gb": 24.0,
                "driver": "550.54.14",
                "cuda_version": "12.4",
            },
            {"name": "NVIDIA L40S", "memory_gb": 45.0, "driver": "550.54.14", "cuda_version": "12.4"},
        ],
        "ram_gb": 64.0,
    }


def test_an_installed_cuda_torch(tmp_path: Path) -> None:
    """Framework and compute library are found if torch is installed but not loaded."""
    version_file = tmp_path / "version.py"
    version_file.write_text(CUDA_VERSION_FILE)
    info = hardware_info(machine(tmp_path, torch_version_file=version_file))

    assert (info["framework"], info["compute_lib"]) == ("torch", "cuda")


def test_a_rocm_machine(tmp_path: Path) -> None:
    """Without NVML, the GPUs of a loaded ROCm torch are listed."""
    torch = fake_torch(gpus=(("AMD Radeon RX 7900 XTX", 24 * GIB),), cuda=None, hip="6.2.41133")
    info = hardware_info(machine(tmp_path, loaded_torch=torch))

    assert info["gpu"] == [{"name": "AMD Radeon RX 7900 XTX", "memory_gb": 24.0}]
    assert (info["framework"], info["compute_lib"]) == ("torch", "rocm")


@pytest.mark.parametrize(
    ("system", "version", "expected"),
    [
        ("Linux 6.8.0", {"cuda": None}, "cpu"),
        ("Linux 6.8.0", {"cuda": "12.4"}, "cuda"),
        ("Linux 6.8.0", {"xpu": "20250000"}, "xpu"),
        ("Darwin 24.1.0", {"cuda": None}, None),
    ],
)
def test_compute_lib(
    tmp_path: Path, system: str, version: dict[str, str | None], expected: str | None
) -> None:
    """The compute library is the one that torch was built for; on a Mac it is unknown."""
    torch = fake_torch(**version)
    info = hardware_info(machine(tmp_path, operating_system=system, loaded_torch=torch))

    assert info.get("compute_lib") == expected


def test_nvml_takes_precedence_over_torch(tmp_path: Path) -> None:
    """If both see a GPU, NVML's more complete description is used."""
    torch = fake_torch(gpus=(("RTX 4090", 24 * GIB),), cuda="12.4")

    assert hardware.survey(machine(tmp_path, nvml_gpus=(RTX,), loaded_torch=torch)).gpus == (RTX,)


def test_a_torch_loaded_later_is_queried(tmp_path: Path) -> None:
    """A survey from before torch was loaded does not hide the GPUs that torch sees."""
    loaded: list[ModuleType] = []
    probed = replace(machine(tmp_path), loaded_torch=lambda: loaded[0] if loaded else None)
    before = hardware_info(probed)["gpu"]
    loaded.append(fake_torch(gpus=(("AMD Radeon RX 7900 XTX", 24 * GIB),), hip="6.2"))

    assert (before, len(hardware_info(probed)["gpu"])) == ([], 1)


def test_a_probe_runs_once(tmp_path: Path) -> None:
    """A probe runs once per process, and a caller that changes the result does not affect the next one."""
    calls: list[str] = []
    counted = replace(machine(tmp_path), cpu_model=lambda: calls.append("cpu") or "AMD EPYC")
    hardware_info(counted)["gpu"].append("forged")

    assert hardware_info(counted)["gpu"] == []
    assert calls == ["cpu"]


def test_unknown_facts_have_no_key(tmp_path: Path) -> None:
    """If nothing else is known, only the system and an empty list of GPUs are stored."""
    blank = machine(tmp_path, cpu_model=None, cpu_cores=None, ram_bytes=None, host_name="")

    assert hardware_info(blank) == {"os": "Linux 6.8.0", "gpu": []}


def test_it_matches_the_schema_of_0_1_0(tmp_path: Path) -> None:
    """This machine and one with two GPUs pass the JSON schema of gen5 0.1.0."""
    pytest.importorskip("gen5")
    constants = importlib.import_module("gen5.core.constants")
    jsonschema = pytest.importorskip("jsonschema")
    schema = find_key(json.loads(constants.JSON_SCHEMA), "hardware_info")

    for probed in (machine(tmp_path, nvml_gpus=(RTX, L40)), replace(DEFAULT, key_folder=lambda: tmp_path)):
        jsonschema.validate(hardware_info(probed), schema)


def find_key(tree: Any, wanted: str) -> Any:
    """Return the value of the first key with that name in nested dicts, or None."""
    if not isinstance(tree, dict):
        return None
    if wanted in tree:
        return tree[wanted]
    return next((found for value in tree.values() if (found := find_key(value, wanted))), None)


# NVML


def test_nvml_lists_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both GPUs are listed; names may be str or bytes, and the driver's CUDA version is an integer."""
    fake_nvml(monkeypatch)

    assert probes.nvml_gpus() == (RTX, L40)


def test_nvml_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NVIDIA's driver, no GPU is listed."""
    fake_nvml(monkeypatch, nvmlInit=NvmlError("Driver Not Loaded"))

    assert probes.nvml_gpus() == ()


def test_no_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pynvml, no GPU is listed."""
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert probes.nvml_gpus() == ()


def test_a_lost_gpu_does_not_hide_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost GPU is left out; the other one is still listed."""

    def handle(index: int) -> int:
        if index == 0:
            raise NvmlError("GPU is lost")
        return index

    fake_nvml(monkeypatch, nvmlDeviceGetHandleByIndex=handle)

    assert probes.nvml_gpus() == (L40,)


def test_shared_memory_has_no_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that shares the system's memory has no memory size."""
    fake_nvml(monkeypatch, nvmlDeviceGetCount=1, nvmlDeviceGetMemoryInfo=NvmlError("Not Supported"))

    assert probes.nvml_gpus() == (replace(RTX, memory_bytes=None),)


def test_nvml_is_always_shut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML is shut down even if a query fails."""
    closed: list[bool] = []
    fake_nvml(
        monkeypatch, nvmlDeviceGetCount=NvmlError("Unknown Error"), nvmlShutdown=lambda: closed.append(True)
    )

    assert probes.nvml_gpus() == ()
    assert closed == [True]


# torch


def test_installed_build(tmp_path: Path) -> None:
    """A CUDA build is parsed from version.py, from plain and annotated assignments."""
    version_file = tmp_path / "version.py"
    version_file.write_text(CUDA_VERSION_FILE)
    build = installed_build(version_file)

    assert build == TorchBuild("2.5.1+cu124", cuda="12.4")
    assert build is not None
    assert build.release == "2.5.1"


def test_version_file_is_never_executed(tmp_path: Path) -> None:
    """Code in version.py is not executed, and a computed version is ignored."""
    version_file = tmp_path / "version.py"
    mark = tmp_path / "ran"
    version_file.write_text(f"open({str(mark)!r}, 'w')\n__version__ = str(2)\n")

    assert installed_build(version_file) is None
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"__version__ = ", b"\xff\xfe", b"\0", b"cuda = '12.4'\n"])
def test_broken_version_file(tmp_path: Path, content: bytes) -> None:
    """A version.py that states no version counts as no torch."""
    version_file = tmp_path / "version.py"
    version_file.write_bytes(content)

    assert installed_build(version_file) is None


def test_missing_version_file(tmp_path: Path) -> None:
    """A torch without version.py counts as no torch."""
    assert installed_build(tmp_path / "version.py") is None


def test_gpu_of_a_forked_process() -> None:
    """A forked process, which cannot use the GPU, gets an empty list and no error."""

    def refuse(index: int) -> None:
        raise RuntimeError("Cannot re-initialize CUDA in forked subprocess")

    torch = fake_torch(gpus=(("RTX 4090", 24 * GIB),), cuda="12.4")
    torch.cuda.get_device_properties = refuse

    assert torch_state.torch_gpus(torch) == ()


def test_a_partially_imported_torch_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch that another thread is still importing is ignored."""
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))

    assert probes.loaded_torch() is None
    assert probes.torch_version_file() is None


def test_torch_blocked_from_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch whose import is blocked counts as not installed."""
    monkeypatch.setitem(sys.modules, "torch", None)

    assert (probes.loaded_torch(), probes.torch_version_file()) == (None, None)


# CPU and memory


def test_without_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psutil, logical cores are counted and the memory is unknown."""
    monkeypatch.setitem(sys.modules, "psutil", None)

    assert (probes.cpu_cores(), probes.ram_bytes()) == (os.cpu_count(), None)


def test_cpu_name_of_linux(tmp_path: Path) -> None:
    """The processor's name is the first one in cpuinfo."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X 16-Core Processor\nmodel name : B\n")

    assert probes._proc_cpu_name(cpuinfo) == "AMD Ryzen 9 7950X 16-Core Processor"


def test_cpu_without_a_name(tmp_path: Path) -> None:
    """A cpuinfo without a name (ARM), or no cpuinfo at all, gives None."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")

    assert (probes._proc_cpu_name(cpuinfo), probes._proc_cpu_name(tmp_path / "none")) == (None, None)


# The machine's name


def test_the_host_name_is_never_written(tmp_path: Path) -> None:
    """The name is 16 hex digits, and the host name appears nowhere."""
    info = hardware_info(machine(tmp_path))

    assert re.fullmatch("[0-9a-f]{16}", info["machine_name"])
    assert HOST not in str(info)


def test_a_machine_is_recognised(tmp_path: Path) -> None:
    """The same host and key give the same name; another host or installation gives another."""
    first = machine_name(HOST, tmp_path)

    assert machine_name(HOST, tmp_path) == first
    assert machine_name("another", tmp_path) != first
    assert machine_name(HOST, tmp_path / "another") != first


def test_name_under_a_known_key(tmp_path: Path) -> None:
    """The name is the start of the HMAC-SHA256 of the host name."""
    (tmp_path / "machine.key").write_bytes(bytes(range(32)))

    assert machine_name(HOST, tmp_path) == "85ac74495c53ccca"


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
def test_key_is_private_and_alone(tmp_path: Path) -> None:
    """The key has 32 bytes; only the owner can read it and its folder, and no temporary file remains."""
    folder = tmp_path / "a" / "b"
    machine_name(HOST, folder)
    key = folder / "machine.key"

    assert os.listdir(folder) == ["machine.key"]
    assert (stat.S_IMODE(key.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)
    assert len(key.read_bytes()) == 32


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_broken_key_gives_no_name(tmp_path: Path, content: bytes) -> None:
    """A key of another length is neither used nor replaced."""
    (tmp_path / "machine.key").write_bytes(content)

    assert machine_name(HOST, tmp_path) is None
    assert (tmp_path / "machine.key").read_bytes() == content


def test_no_folder_no_name(tmp_path: Path) -> None:
    """If no key can be stored, or the host has no name, the machine has no name."""
    (tmp_path / "file").write_bytes(b"")

    assert machine_name(HOST, tmp_path / "file") is None
    assert machine_name(HOST, tmp_path / "file" / "below") is None
    assert machine_name(HOST, None) is None
    assert machine_name("", tmp_path) is None


def test_a_folder_without_hard_links_keeps_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without hard links the key is stored by renaming, and no temporary file remains."""

    def refuse(source: Path, target: Path) -> None:
        raise PermissionError("links are not supported")

    monkeypatch.setattr(os, "link", refuse)
    name = machine_name(HOST, tmp_path)

    assert re.fullmatch("[0-9a-f]{16}", str(name))
    assert machine_name(HOST, tmp_path) == name
    assert os.listdir(tmp_path) == [KEY_FILE]


def test_the_loser_of_a_race_uses_the_winners_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that another process creates at the last moment is kept and used."""
    link = os.link

    def link_too_late(source: Path, target: Path) -> None:
        Path(target).write_bytes(bytes(range(32)))
        link(source, target)

    monkeypatch.setattr(os, "link", link_too_late)

    assert machine_name(HOST, tmp_path) == "85ac74495c53ccca"
    assert os.listdir(tmp_path) == ["machine.key"]


def test_many_threads_create_one_key(tmp_path: Path) -> None:
    """Sixteen concurrent threads get the same name."""
    with ThreadPoolExecutor(16) as pool:
        names = set(pool.map(lambda _: machine_name(HOST, tmp_path), range(64)))

    assert names == {machine_name(HOST, tmp_path)}
    assert os.listdir(tmp_path) == ["machine.key"]


def test_many_processes_create_one_key(tmp_path: Path) -> None:
    """Six processes that start at the same time get the same name."""
    script = (
        "import sys, time, pathlib; from gen5core.environment.hardware import machine_name\n"
        "start, folder = map(pathlib.Path, sys.argv[1:])\n"
        "print('ready', flush=True)\n"
        "while not start.exists(): time.sleep(0)\n"
        f"print(machine_name({HOST!r}, folder))\n"
    )
    start, folder = tmp_path / "start", tmp_path / "config" / "gen5"
    command = [sys.executable, "-c", script, str(start), str(folder)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) for _ in range(6)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start.touch()
    names = {process.communicate(timeout=60)[0].strip() for process in running}

    assert names == {machine_name(HOST, folder)}
    assert os.listdir(folder) == ["machine.key"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX paths")
@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        ("linux", {"GEN5_HOME": "/keys", "XDG_CONFIG_HOME": "/x"}, "/keys"),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/gen5"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, "/home/anna/.config/gen5"),
        ("linux", {}, "/home/anna/.config/gen5"),
        ("darwin", {"XDG_CONFIG_HOME": "/x"}, "/home/anna/Library/Application Support/gen5"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/gen5"),
        ("win32", {}, "/home/anna/AppData/Roaming/gen5"),
    ],
)
def test_key_folder(
    system: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key folder is in the system's configuration folder, unless GEN5_HOME names another."""
    monkeypatch.setenv("HOME", "/home/anna")

    assert key_folder(variables.get, system) == Path(expected)


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home folder there is no key folder."""

    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", refuse)

    assert key_folder({}.get, "linux") is None


# Drift


@pytest.mark.parametrize(
    ("key", "stored", "current"),
    [
        ("os", "Linux 6.8.0", "Windows 11"),
        ("cpu", "AMD EPYC", "Intel Xeon"),
        ("cpu_cores", 8, 16),
        ("ram_gb", 32.0, 64.0),
        ("ram_gb", 64.0, 60.0),
    ],
)
def test_drift(key: str, stored: object, current: object) -> None:
    """A different value is reported under the name of its key, with both values."""
    (drift,) = hardware_drift({key: stored}, {key: current})

    assert drift == hardware.Drift(f"hardware.{key}", str(stored), str(current), "differs")


def test_drift_of_gpus() -> None:
    """An additional GPU is reported, and GPUs are listed with their drivers."""
    gpus = [{"name": "NVIDIA L40S", "memory_gb": 45.0, "driver": "550.54.14"}]
    (drift,) = hardware_drift({"gpu": gpus}, {"gpu": [*gpus, {"name": "NVIDIA T4"}]})

    assert str(drift) == (
        "Environment component 'hardware.gpu' differs:\n"
        "  File: NVIDIA L40S driver 550.54.14\n"
        "  Current: NVIDIA L40S driver 550.54.14, NVIDIA T4"
    )


@pytest.mark.parametrize(
    ("stored", "current"),
    [
        ({"ram_gb": 64}, {"ram_gb": 62.7}),
        ({"ram_gb": 16.0}, {"ram_gb": 15.5}),
        ({"ram_gb": 31.3}, {"ram_gb": 31.2}),
        ({"cpu": "", "cpu_cores": 0, "gpu": [], "ram_gb": 0.0}, {"cpu": "A", "cpu_cores": 8, "ram_gb": 8.0}),
        ({"cpu": "AMD EPYC"}, {}),
        ({}, {"cpu": "AMD EPYC"}),
        ({"gpu": [{"name": "NVIDIA L40S"}]}, {"gpu": [{"name": "NVIDIA L40S", "driver": "550.54.14"}]}),
        ({"gpu": [{"name": "A", "memory_gb": 24}]}, {"gpu": [{"name": "A", "memory_gb": 23.6}]}),
        ({"cpu": ["AMD"], "cpu_cores": "8", "ram_gb": None, "gpu": "A"}, {"cpu": "B", "cpu_cores": 9}),
        ({"machine_name": "a"}, {"machine_name": "b"}),
    ],
)
def test_no_drift(stored: dict[str, Any], current: dict[str, Any]) -> None:
    """Rounding, empty, missing or mistyped values and the machine's name are not drift."""
    assert hardware_drift(stored, current) == []


@pytest.mark.parametrize("stored", [{"ram_gb": 10**400}, {"gpu": [7]}, {"gpu": [{}, {}]}])
def test_drift_of_nonsensical_values(stored: dict[str, Any]) -> None:
    """A nonsensical stored value is reported as drift and raises nothing."""
    current = {"ram_gb": 62.7, "gpu": [{"name": "NVIDIA L40S", "memory_gb": 45.0}]}

    drifts = hardware_drift(stored, current)
    assert [drift.component for drift in drifts] == [f"hardware.{key}" for key in stored]


def test_a_skipped_key_is_not_reported() -> None:
    """A fact that is reported as a component is not reported again as hardware."""
    assert hardware_drift({"os": "Linux 6.8.0"}, {"os": "Windows 11"}, skip={"os"}) == []

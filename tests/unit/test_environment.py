"""The environment: captured, stored as ENVC, read back and compared."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gen5core
from gen5core.environment.components import Component, Environment, check_environment, parse_environment
from gen5core.environment.hardware import Drift
from gen5core.environment.probes import DEFAULT, Gpu, Probes
from gen5core.errors import (
    ChecksumError,
    EncodeError,
    FormatError,
    MalformedChunkError,
    UnsupportedVersionError,
)

ROOT = Path(gen5core.__file__).parents[1]
RTX = Gpu("NVIDIA GeForce RTX 4090", 24564 * 2**20, "550.54.14", "12.4")
L40 = Gpu("NVIDIA L40S", 46068 * 2**20, "550.54.14", "12.4")
CUDA_VERSION_FILE = "__version__ = '2.5.1+cu124'\ncuda: Optional[str] = '12.4'\nhip: Optional[str] = None\n"


def machine(**answers: Any) -> Probes:
    """Return probes of a machine without GPU, torch or a key folder; answers override single probes."""
    values = {
        "operating_system": "Linux 6.8.0",
        "python_version": "3.11.7",
        "numpy_version": "2.1.0",
        "cpu_model": "AMD Ryzen 9 7950X",
        "cpu_cores": 16,
        "ram_bytes": 64 * 2**30,
        "nvml_gpus": (),
        "loaded_torch": None,
        "torch_version_file": None,
        "host_name": "annas-workstation",
        "key_folder": None,
        **answers,
    }
    functions: dict[str, Any] = {name: lambda answer=answer: answer for name, answer in values.items()}
    return Probes(**functions, getenv={}.get)


def rocm_torch() -> ModuleType:
    """Return a fake of a loaded ROCm torch from before the fp32_precision settings."""
    torch = ModuleType("torch")
    torch.__version__ = "2.5.1+rocm6.2"
    torch.version = SimpleNamespace(cuda=None, hip="6.2.41133-dd7f95766")
    torch.cuda = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        device_count=lambda: 2,
        get_device_properties=lambda i: SimpleNamespace(name="AMD Instinct MI300X", total_memory=192 * 2**30),
    )
    torch.backends = SimpleNamespace(
        cuda=SimpleNamespace(
            matmul=SimpleNamespace(
                allow_tf32=True,
                allow_fp16_reduced_precision_reduction=True,
                allow_bf16_reduced_precision_reduction=False,
            )
        ),
        cudnn=SimpleNamespace(
            enabled=True, deterministic=True, benchmark=False, allow_tf32=False, version=lambda: 3002000
        ),
    )
    torch.get_float32_matmul_precision = lambda: "high"
    torch.are_deterministic_algorithms_enabled = lambda: True
    torch.is_deterministic_algorithms_warn_only_enabled = lambda: True
    return torch


def strings(captured: Environment) -> list[str]:
    """Return the canonical strings of the components, in order."""
    return [component.canonical for component in captured.components]


def payload(*components: tuple[str, str], **changes: Any) -> bytes:
    """Return an ENVC payload of (id, canonical string) pairs; changes replace keys of the document."""
    rows = [
        {
            "component_id": name,
            "cononical_str": canonical,
            "component_sha256_digest": hashlib.sha256(canonical.encode()).hexdigest(),
        }
        for name, canonical in components
    ]
    return json.dumps({"env_version": 1, "components": rows, **changes}).encode()


def parse(data: bytes, **arguments: Any) -> Environment:
    return parse_environment(data, chunk="chunk 1 (ENVC)", offset=96, **arguments)


# Capture


def test_a_cuda_machine_with_two_gpus(tmp_path: Path) -> None:
    """The first GPU is a component, the second an entry of ``further``, both with their drivers."""
    version_file = tmp_path / "version.py"
    version_file.write_text(CUDA_VERSION_FILE)
    captured = Environment.capture(probes=machine(nvml_gpus=(RTX, L40), torch_version_file=version_file))

    assert strings(captured) == [
        "name=torch;version=2.5.1;cuda=12.4",
        "name=numpy;version=2.1.0",
        "name=python;version=3.11.7",
        "name=cuda;version=12.4",
        "name=os;version=Linux 6.8.0",
        "name=gpu;model=NVIDIA GeForce RTX 4090;driver=550.54.14",
    ]
    assert captured.further == {
        "gpu1": "name=gpu;model=NVIDIA L40S;driver=550.54.14",
        "torch_build": "name=torch_build;version=2.5.1+cu124",
    }


def test_a_rocm_machine() -> None:
    """A loaded ROCm torch gives its GPUs, its HIP version and every live setting."""
    captured = Environment.capture(probes=machine(loaded_torch=rocm_torch()))

    assert strings(captured) == [
        "name=torch;version=2.5.1;cuda=None",
        "name=numpy;version=2.1.0",
        "name=python;version=3.11.7",
        "name=cuda;version=none",
        "name=os;version=Linux 6.8.0",
        "name=gpu;model=AMD Instinct MI300X;driver=unknown",
    ]
    assert captured.further == {
        "gpu1": "name=gpu;model=AMD Instinct MI300X;driver=unknown",
        "torch_build": "name=torch_build;version=2.5.1+rocm6.2",
        "hip": "name=hip;version=6.2.41133-dd7f95766",
        "cudnn": "name=cudnn;version=3002000",
        "tf32": "name=tf32;matmul=tf32;conv=ieee;rnn=ieee",
        "float32_matmul_precision": "name=float32_matmul_precision;value=high",
        "deterministic_algorithms": "name=deterministic_algorithms;enabled=True;warn_only=True",
        "cudnn_flags": "name=cudnn_flags;enabled=True;deterministic=True;benchmark=False",
        "reduced_precision": "name=reduced_precision;fp16=True;bf16=False",
        "cublas_workspace": "name=cublas_workspace;config=unset",
    }


def test_no_torch() -> None:
    """Without torch, the components torch and cuda are absent and ``further`` is empty."""
    captured = Environment.capture(probes=machine())

    assert strings(captured) == [
        "name=numpy;version=2.1.0",
        "name=python;version=3.11.7",
        "name=os;version=Linux 6.8.0",
    ]
    assert captured.further == {}


def test_host_and_attention() -> None:
    """The host program and its attention backend are stored as given."""
    captured = Environment.capture(host="ComfyUI 0.3.64", attention="pytorch", probes=machine())

    assert captured.further == {
        "attention": "name=attention;backend=pytorch",
        "host": "name=host;version=ComfyUI 0.3.64",
    }


def test_unencodable_text_is_replaced() -> None:
    """A name that UTF-8 cannot encode does not prevent a file from being written."""
    captured = Environment.capture(probes=machine(nvml_gpus=(Gpu("A\udcff"),)))

    assert strings(captured)[-1] == "name=gpu;model=A?;driver=unknown"
    assert len(captured.components[-1].digest) == 64


def test_cudnn_is_not_queried_before_cuda_is_initialized() -> None:
    """Querying cuDNN's version would initialize CUDA, so it is left out unless CUDA is initialized."""
    torch = rocm_torch()
    torch.cuda.is_initialized = lambda: False

    assert "cudnn" not in Environment.capture(probes=machine(loaded_torch=torch)).further


def test_an_incompatible_cudnn_is_left_out() -> None:
    """A cuDNN that torch rejects has no version and causes no error."""

    def refuse() -> int:
        raise RuntimeError("cuDNN version incompatibility")

    torch = rocm_torch()
    torch.backends.cudnn.version = refuse

    assert "cudnn" not in Environment.capture(probes=machine(loaded_torch=torch)).further


def test_the_host_name_is_nowhere(tmp_path: Path) -> None:
    """Neither the payload nor ``further`` nor the hardware contains the host name."""
    captured = Environment.capture(probes=machine(key_folder=tmp_path))

    assert "annas" not in str(captured)
    assert b"annas" not in captured.encode()
    assert len(captured.hardware["machine_name"]) == 16


def test_capture_does_not_import_torch(tmp_path: Path) -> None:
    """A capture finds torch's version without importing torch, printing or warning."""
    pytest.importorskip("torch")
    script = (
        "import sys; from gen5core.environment.components import Environment\n"
        "found = Environment.capture()\n"
        "assert 'torch' not in sys.modules\n"
        "assert found.components[0].component_id == 'torch', found\n"
        "assert 'tf32' not in found.further, found\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "GEN5_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_this_machine_as_0_1_0_sees_it(tmp_path: Path) -> None:
    """Components and payload of a real capture equal those of gen5 0.1.0, byte for byte."""
    pytest.importorskip("gen5")
    peer = importlib.import_module("gen5.chunks.env").Gen5Env()
    captured = Environment.capture(probes=replace(DEFAULT, key_folder=lambda: tmp_path))
    # 0.1.0 records the GPU only if CUDA is not used.
    ours = replace(captured, components=tuple(c for c in captured.components if c.component_id != "gpu"))
    theirs = peer.env_chunk_populator()
    theirs.components = [c for c in theirs.components if c.component_id != "gpu"]

    assert [
        (c.component_id, c.cononical_str, c.component_sha256_digest.hex()) for c in theirs.components
    ] == [(c.component_id, c.canonical, c.digest) for c in ours.components]
    assert peer.env_chunk_builder(theirs)[1] == ours.encode()


def test_a_loaded_torch_is_the_installed_one(tmp_path: Path) -> None:
    """The component torch is the same whether version.py is parsed or the loaded module queried."""
    pytest.importorskip("torch")
    loaded = replace(DEFAULT, key_folder=lambda: tmp_path)
    installed = replace(loaded, loaded_torch=lambda: None)

    assert strings(Environment.capture(probes=loaded)) == strings(Environment.capture(probes=installed))


@contextmanager
def torch_flags(torch: ModuleType) -> Iterator[None]:
    """Restore the numeric settings of torch on exit."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("a torch before the fp32_precision settings")
    before = matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")
        matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = before
        cudnn.benchmark = False
        torch.use_deterministic_algorithms(False)


def test_live_settings_are_read_each_time(tmp_path: Path) -> None:
    """A setting that changes between two captures is reported as drift, without a warning."""
    torch = pytest.importorskip("torch")
    probed = replace(DEFAULT, key_folder=lambda: tmp_path)
    with torch_flags(torch), warnings.catch_warnings():
        warnings.simplefilter("error")
        before = Environment.capture(probes=probed)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        torch.use_deterministic_algorithms(True, warn_only=True)
        drifts = before.diff(Environment.capture(probes=probed))

    assert [drift.component for drift in drifts] == [
        "tf32",
        "float32_matmul_precision",
        "deterministic_algorithms",
        "cudnn_flags",
    ]


def test_old_and_new_settings_mixed(tmp_path: Path) -> None:
    """The effective precision is captured even if torch refuses to read its older flags."""
    torch = pytest.importorskip("torch")
    with torch_flags(torch), warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        torch.backends.cudnn.conv.fp32_precision = "ieee"
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            torch.get_float32_matmul_precision()
        further = Environment.capture(probes=replace(DEFAULT, key_folder=lambda: tmp_path)).further

    assert further["tf32"] == "name=tf32;matmul=tf32;conv=ieee;rnn=tf32"
    assert "float32_matmul_precision" not in further


# ENVC


def test_encode() -> None:
    """The payload is the documented JSON, including the misspelled second key."""
    encoded = Environment((Component("numpy", "name=numpy;version=2.1.0"),)).encode()

    assert json.loads(encoded) == {
        "env_version": 1,
        "components": [
            {
                "component_id": "numpy",
                "cononical_str": "name=numpy;version=2.1.0",
                "component_sha256_digest": "3c1816be9524422971cfa25b9a4a6bc8013d5b204914567ac91bec9660c9c82f",
            }
        ],
    }


def test_round_trip() -> None:
    """An encoded environment is read back, with ``further`` and the hardware from META."""
    captured = Environment.capture(host="ComfyUI 0.3.64", probes=machine(nvml_gpus=(RTX, L40)))

    assert parse(captured.encode(), further=captured.further, hardware=captured.hardware) == captured


def test_several_gpu_components_of_0_1_0() -> None:
    """Of several components named gpu, the first remains one and the others become entries of ``further``."""
    data = payload(("gpu", "name=gpu;model=A"), ("gpu", "name=gpu;model=B"), ("gpu", "name=gpu;model=C"))
    parsed = parse(data, further={"host": "name=host;version=1"})

    assert strings(parsed) == ["name=gpu;model=A"]
    assert parsed.further == {
        "gpu1": "name=gpu;model=B",
        "gpu2": "name=gpu;model=C",
        "host": "name=host;version=1",
    }


def test_extra_keys_and_components_are_kept_apart() -> None:
    """Unknown keys are ignored; an unknown component becomes an entry of ``further``."""
    document = json.loads(payload(("numpy", "name=numpy;version=2"), ("blas", "name=blas;version=1")))
    document["components"][0]["more"] = [1, 2]
    parsed = parse(json.dumps({**document, "more": {}}).encode())

    assert strings(parsed) == ["name=numpy;version=2"]
    assert parsed.further == {"blas": "name=blas;version=1"}


def test_further_facts_do_not_replace_components() -> None:
    """META's environment, which has no digests, cannot override a component."""
    parsed = parse(payload(("torch", "name=torch;version=2")), further={"torch": "forged"})

    assert strings(parsed) == ["name=torch;version=2"]


def test_digests_are_read_in_either_case() -> None:
    """An upper-case digest is accepted."""
    document = json.loads(payload(("numpy", "name=numpy;version=2")))
    row = document["components"][0]
    row["component_sha256_digest"] = row["component_sha256_digest"].upper()

    assert strings(parse(json.dumps(document).encode())) == ["name=numpy;version=2"]


def test_a_forged_string_is_detected() -> None:
    """A changed canonical string does not match its digest, and the error names both digests."""
    forged = payload(("torch", "name=torch;version=2.5.1")).replace(b"2.5.1", b"2.6.0")
    stored = hashlib.sha256(b"name=torch;version=2.5.1").hexdigest()
    true = hashlib.sha256(b"name=torch;version=2.6.0").hexdigest()

    with pytest.raises(ChecksumError) as caught:
        parse(forged)
    assert str(caught.value) == (
        "chunk 1 (ENVC) at offset 96: component 'torch' is 'name=torch;version=2.6.0', whose SHA-256 is "
        f"{true}, but the file says '{stored}': it was damaged or edited"
    )


NUMPY = ("numpy", "name=numpy;version=2")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "its text is not strict JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"\xff", "its text is not UTF-8"),
        ("{}".encode("utf-16"), "its text is not UTF-8"),
        (b"[" * 200_000, "its JSON is nested too deeply"),
        (b'{"env_version": ' + b"9" * 5000 + b"}", "its text is not strict JSON"),
        (payload(more=float("nan")), "its text is not strict JSON (NaN is not JSON)"),
        (b"[]", "its JSON is [], not an object"),
        (b'{"env_version": 1}', "components is None, not a list"),
        (payload(components={}), "components is {}, not a list"),
        (payload(env_version="1"), "env_version is '1', not an integer"),
        (payload(env_version=True), "env_version is True, not an integer"),
        (payload(env_version=[]), "env_version is [], not an integer"),
        (payload(components=[7]), "components[0] is 7, not an object"),
        (payload(components=[{}]), "components[0].component_id is None, not a string"),
        (payload(components=[{"component_id": {}}]), "components[0].component_id is {}, not a string"),
        (payload(components=[{"component_id": "os"}]), "components[0].cononical_str is None, not a string"),
        (
            payload(components=[{"component_id": "os", "cononical_str": ""}]),
            "components[0].component_sha256_digest is None, not a string",
        ),
        (
            payload(components=[{"component_id": "\ud800"}]),
            r"components[0].component_id is '\ud800', not a string",
        ),
        (payload(NUMPY, NUMPY), "component 'numpy' occurs twice"),
        (payload(("gpu", "a"), ("gpu", "b"), ("gpu1", "c")), "component 'gpu1' occurs twice"),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    """Every violation of the format raises an error that names the chunk and what is wrong."""
    with pytest.raises(MalformedChunkError) as caught:
        parse(data)

    assert str(caught.value).startswith(f"chunk 1 (ENVC) at offset 96: {message}")
    assert (caught.value.chunk, caught.value.offset) == ("chunk 1 (ENVC)", 96)


def test_another_env_version() -> None:
    """An ENVC of a later version is reported as unsupported."""
    with pytest.raises(UnsupportedVersionError, match="env_version is 2; this reader knows 1"):
        parse(payload(env_version=2))


def test_a_long_string_is_shortened() -> None:
    """The error message stays short, however long the forged string is."""
    forged = payload(("torch", "x" * 100_000)).replace(b"xx", b"xy", 1)

    with pytest.raises(ChecksumError) as caught:
        parse(forged)
    assert len(str(caught.value)) < 600


def test_malformed_further_facts() -> None:
    """If an entry of ``further`` is not a string, the error names META, which stores it."""
    with pytest.raises(MalformedChunkError, match=r"^META: environment\.host is 7, not a string$"):
        parse(payload(), further={"host": 7})


NUMPY_TWICE = (Component("numpy", "a"), Component("numpy", "b"))
REMEDY = "; give each fact as a string that UTF-8 can encode, under a unique id"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (Environment(NUMPY_TWICE), "component 'numpy' occurs twice"),
        (
            Environment((Component("os", "\ud800"),)),
            r"canonical of 'os' is '\ud800', not a string that UTF-8 can encode",
        ),
        (
            Environment((Component("\ud800", ""),)),
            r"component_id is '\ud800', not a string that UTF-8 can encode",
        ),
        (Environment((Component("os", 7),)), "canonical of 'os' is 7, not a string that UTF-8 can encode"),
        (Environment((Component(7, ""),)), "component_id is 7, not a string that UTF-8 can encode"),
        (Environment({"os": "Linux"}), "a component is 'os', not a Component"),
        (Environment(further={"a": 1}), "environment entry 'a' is 1, not a string that UTF-8 can encode"),
        (
            Environment(further={"a": "\ud800"}),
            r"environment entry 'a' is '\ud800', not a string that UTF-8 can encode",
        ),
        (
            Environment(further={"\ud800": ""}),
            r"the name of an environment entry is '\ud800', not a string that UTF-8 can encode",
        ),
        (
            Environment(further={1: "a"}),
            "the name of an environment entry is 1, not a string that UTF-8 can encode",
        ),
        (Environment(further=["a"]), "further is ['a'], not a mapping"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unreadable_environments_are_rejected_when_saving(environment: Environment, message: str) -> None:
    """An environment that could not be read back is rejected; the error names the fact and the remedy."""
    with pytest.raises(EncodeError) as caught:
        check_environment(environment)
    assert str(caught.value) == f"environment cannot be stored: {message}{REMEDY}"


def test_a_huge_environment_is_rejected_when_saving() -> None:
    """An environment with more JSON values than readers accept is not written."""
    huge = Environment(tuple(Component(f"os{number}", "") for number in range(2**16)))
    with pytest.raises(EncodeError, match=r"^environment exceeds what readers accept: store less in it "):
        check_environment(huge)


def test_readable_environments_are_accepted() -> None:
    """The environment of this process, several GPUs and undocumented ids are accepted."""
    check_environment(Environment.capture())
    check_environment(Environment((Component("gpu", "a"), Component("gpu", "b"), Component("new", "猫"))))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "torch", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("key"), inner),
    max_leaves=4,
)
NEAR_COMPONENTS = st.fixed_dictionaries(
    {},
    optional={
        "component_id": st.sampled_from(["torch", "gpu", "gpu1"]) | JSON_VALUES,
        "cononical_str": st.just("") | JSON_VALUES,
        "component_sha256_digest": st.just(hashlib.sha256().hexdigest()) | JSON_VALUES,
    },
)
NEAR_PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "env_version": st.just(1) | JSON_VALUES,
        "components": st.lists(NEAR_COMPONENTS, max_size=3) | JSON_VALUES,
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary() | NEAR_PAYLOADS.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_give_an_environment_or_our_error(data: bytes) -> None:
    """Any payload gives either an environment that can be stored or our own error."""
    chunk: str | None = "chunk 1 (ENVC)"
    try:
        parsed = parse(data)
        assert parsed.components == parse(parsed.encode()).components
    except FormatError as error:
        chunk = error.chunk

    assert chunk == "chunk 1 (ENVC)"


# Drift


def stored(*components: tuple[str, str], **sides: Any) -> Environment:
    return Environment(tuple(Component(*pair) for pair in components), **sides)


def test_the_documented_warning_texts() -> None:
    """The three kinds of drift have the messages that the page of gen5 0.1.0 documents."""
    before = stored(("torch", "name=torch;version=2.5.1"), ("cuda", "name=cuda;version=12.4"))
    now = stored(("torch", "name=torch;version=2.6.0"), ("gpu", "name=gpu;model=A;driver=1"))

    assert [str(drift) for drift in before.diff(now)] == [
        "Environment component 'torch' differs:\n  File: name=torch;version=2.5.1\n"
        "  Current: name=torch;version=2.6.0",
        "Environment component 'cuda' missing in current system",
        "Environment component 'gpu' missing in file",
    ]


def test_no_drift() -> None:
    """An environment that is read back does not differ from the original."""
    captured = Environment.capture(probes=machine(nvml_gpus=(RTX, L40)))
    parsed = parse(captured.encode(), further=captured.further, hardware=captured.hardware)

    assert parsed.diff(captured) == []


def test_order_of_drift() -> None:
    """Components come first in the documented order, then ``further``, then hardware."""
    before = stored(
        ("os", "a"), ("torch", "a"), further={"gpu1": "a", "tf32": "a"}, hardware={"ram_gb": 8.0, "cpu": "a"}
    )
    now = stored(
        ("torch", "b"), ("os", "b"), further={"tf32": "b", "gpu1": "b"}, hardware={"cpu": "b", "ram_gb": 64.0}
    )

    assert [drift.component for drift in before.diff(now)] == [
        "torch",
        "os",
        "gpu1",
        "tf32",
        "hardware.cpu",
        "hardware.ram_gb",
    ]


def test_further_facts_of_one_side_are_not_reported() -> None:
    """A fact in ``further`` that one side lacks is not drift, since older files lack most of them."""
    assert stored(further={"tf32": "a"}).diff(stored(further={"host": "b"})) == []


def test_system_and_gpu_are_reported_once() -> None:
    """If both sides have the component, the hardware of the same name is not compared."""
    components = ("os", "a"), ("gpu", "a")
    hardware = {"os": "Linux 6.8.0", "gpu": [{"name": "A"}]}
    other = {"os": "Windows 11", "gpu": [{"name": "B"}]}

    assert stored(*components, hardware=hardware).diff(stored(*components, hardware=other)) == []


def test_hardware_is_compared_if_the_component_is_missing() -> None:
    """If one side lacks the component, the hardware is compared."""
    before = stored(hardware={"os": "Linux 6.8.0", "gpu": [{"name": "A"}]})
    now = stored(("gpu", "a"), hardware={"os": "Windows 11", "gpu": [{"name": "B"}]})

    assert before.diff(now) == [
        Drift("gpu", None, "a", "missing in file"),
        Drift("hardware.os", "Linux 6.8.0", "Windows 11", "differs"),
        Drift("hardware.gpu", "A", "B", "differs"),
    ]

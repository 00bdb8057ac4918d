"""What determines the exact bits of a sampler's output besides its inputs: capture, store, compare.

Six components are part of the format and are stored in the ENVC chunk. Everything else is stored in META's
``environment``, since the 0.1.0 reader warns about components that it does not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..container import strict_json
from ..container.chunks import Payload
from ..container.fields import Fields, is_utf8, shorten
from ..container.spec import ENVC, LEVEL_TEXT, META, NO_FLAGS
from ..errors import (
    ChecksumError,
    EncodeError,
    FormatError,
    LimitError,
    MalformedChunkError,
    UnsupportedVersionError,
)
from .hardware import Drift, DriftKind, Machine, hardware_drift, hardware_info, survey
from .probes import DEFAULT, Gpu, Probes
from .torch_state import TorchBuild, torch_settings

ENV_VERSION: Final = 1
COMPONENT_IDS: Final = ("torch", "numpy", "python", "cuda", "os", "gpu")
"""The components that the format documents, in the documented order."""


@dataclass(frozen=True, slots=True)
class Component:
    """One documented fact of the environment, e.g. ``name=numpy;version=2.1.0``."""

    component_id: str
    canonical: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical string in UTF-8."""
        return hashlib.sha256(self.canonical.encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything known about the environment in which a file was made.

    Attributes
    ----------
    components : the documented components that apply, in the documented order
    further : canonical strings, by id, of everything else that affects reproducibility
    hardware : META's ``hardware_info``

    Source: FORMAT.md, "ENVC" and "environment".
    """

    components: tuple[Component, ...] = ()
    further: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def capture(
        cls, *, host: str | None = None, attention: str | None = None, probes: Probes = DEFAULT
    ) -> Environment:
        """Return the environment of this process, without importing torch.

        If torch is not loaded, its live settings (such as tf32) are left out.

        Parameters
        ----------
        host : the host program and its version, e.g. ``ComfyUI 0.3.64``
        attention : the attention backend in use, e.g. ``pytorch``
        """
        machine = survey(probes)
        further = _further_gpus(machine) | _build_facts(machine.torch) | live_settings(probes)
        if attention is not None:
            further["attention"] = _canonical("attention", backend=attention)
        if host is not None:
            further["host"] = _canonical("host", version=host)
        return cls(_components(machine, probes), further, hardware_info(probes))

    def encode(self) -> bytes:
        """Return the ENVC payload: UTF-8 JSON that holds the components only.

        Source: FORMAT.md, "ENVC"; the misspelled second key is part of the format.
        """
        rows = [
            {
                "component_id": component.component_id,
                "cononical_str": component.canonical,
                "component_sha256_digest": component.digest,
            }
            for component in self.components
        ]
        return json.dumps({"env_version": ENV_VERSION, "components": rows}, indent=2).encode()

    def diff(self, current: Environment) -> list[Drift]:
        """Return the differences between this stored environment and the current one.

        A fact that only one side has is reported only if it is a documented component. The operating system
        and the GPU are compared as hardware only if a side lacks the component, so nothing is reported twice.
        """
        before, now = _by_id(self), _by_id(current)
        drifts = list(_compare(before, now, COMPONENT_IDS))
        shared = [name for name in self.further if name in current.further]
        drifts += _compare(self.further, current.further, shared)
        compared = before.keys() & now.keys()
        return drifts + hardware_drift(self.hardware, current.hardware, skip=compared)


def environment_payload(environment: Environment) -> Payload:
    """Return the ENVC payload with the components of an environment; the rest is stored in META."""
    return Payload(ENVC, NO_FLAGS, memoryview(environment.encode()), level=LEVEL_TEXT)


def _by_id(environment: Environment) -> dict[str, str]:
    return {component.component_id: component.canonical for component in environment.components}


def _compare(stored: Mapping[str, str], current: Mapping[str, str], names: Iterable[str]) -> Iterator[Drift]:
    for name in names:
        before, now = stored.get(name), current.get(name)
        if before != now:
            kind: DriftKind = "differs"
            if now is None:
                kind = "missing here"
            elif before is None:
                kind = "missing in file"
            yield Drift(name, before, now, kind)


def _canonical(name: str, **facts: object) -> str:
    """Return the canonical string of a fact; what UTF-8 cannot encode becomes a question mark."""
    text = ";".join(f"{key}={value}" for key, value in {"name": name, **facts}.items())
    return text.encode("utf-8", "replace").decode()


def _components(machine: Machine, probes: Probes) -> tuple[Component, ...]:
    build = machine.torch
    strings = {
        "numpy": _canonical("numpy", version=probes.numpy_version()),
        "python": _canonical("python", version=probes.python_version()),
        "os": _canonical("os", version=machine.os),
    }
    if build is not None:
        # Without CUDA one says None and the other none: gen5 0.1.0 spells them so.
        strings["torch"] = _canonical("torch", version=build.release, cuda=build.cuda)
        strings["cuda"] = _canonical("cuda", version=build.cuda or "none")
    if machine.gpus:
        strings["gpu"] = _gpu_string(machine.gpus[0])
    return tuple(Component(name, strings[name]) for name in COMPONENT_IDS if name in strings)


def _gpu_string(gpu: Gpu) -> str:
    return _canonical("gpu", model=gpu.name, driver=gpu.driver or "unknown")


def _further_gpus(machine: Machine) -> dict[str, str]:
    return {f"gpu{index}": _gpu_string(gpu) for index, gpu in enumerate(machine.gpus) if index}


def _build_facts(build: TorchBuild | None) -> dict[str, str]:
    if build is None:
        return {}
    versions = {"torch_build": build.version, "hip": build.hip, "rocm": build.rocm, "xpu": build.xpu}
    return {name: _canonical(name, version=version) for name, version in versions.items() if version}


def live_settings(probes: Probes = DEFAULT) -> dict[str, str]:
    """Return the current settings of a loaded torch as canonical strings by name; empty if it is not loaded."""
    torch = probes.loaded_torch()
    if torch is None:
        return {}
    settings = torch_settings(torch, probes.getenv("CUBLAS_WORKSPACE_CONFIG"))
    return {name: _canonical(name, **facts) for name, facts in settings.items()}


def check_environment(environment: Environment) -> None:
    """Raise EncodeError, naming the invalid fact, unless environment can be read back once it is written."""
    try:
        for component in environment.components:
            if not isinstance(component, Component):
                raise MalformedChunkError(f"a component is {shorten(component)}, not a Component")
            _check_text(component.component_id, "component_id")
            _check_text(component.canonical, f"canonical of {shorten(component.component_id)}")
        if not isinstance(environment.further, Mapping):
            raise MalformedChunkError(f"further is {shorten(environment.further)}, not a mapping")
        for name, value in environment.further.items():
            _check_text(name, "the name of an environment entry")
            _check_text(value, f"environment entry {shorten(name)}")
        parse_environment(environment.encode(), chunk=ENVC, offset=None)
    except LimitError as error:
        raise EncodeError(f"environment exceeds what readers accept: store less in it ({error})") from error
    except FormatError as error:
        raise EncodeError(
            f"environment cannot be stored: {error.args[0]}; give each fact as a string that UTF-8 can encode, "
            "under a unique id"
        ) from error


def _check_text(value: object, subject: str) -> None:
    if not isinstance(value, str) or not is_utf8(value):
        raise MalformedChunkError(f"{subject} is {shorten(value)}, not a string that UTF-8 can encode")


def parse_environment(
    payload: bytes,
    *,
    chunk: str,
    offset: int | None,
    further: Mapping[str, str] | None = None,
    hardware: Mapping[str, Any] | None = None,
) -> Environment:
    """Return the environment in an ENVC payload, with every digest checked.

    gen5 0.1.0 writes every GPU as a component ``gpu``: the first remains a component, the others become
    ``gpu1``, ``gpu2`` … in ``further``. Components that the format does not document also become entries of
    ``further``, under their own ids.

    Parameters
    ----------
    chunk, offset : location that errors name
    further, hardware : META's ``environment`` and ``hardware_info``; ``further`` overrides the payload

    Raises
    ------
    MalformedChunkError
        if the payload is not strict JSON of the documented structure, or an id occurs twice.
    ChecksumError
        if a component does not match its digest.
    UnsupportedVersionError
        if ``env_version`` is not 1.

    Source: FORMAT.md, "ENVC".
    """
    text = strict_json.decode_utf8(payload, chunk=chunk, offset=offset)
    document = strict_json.loads(text, chunk=chunk, offset=offset)
    found = _parse_components(Fields(document, "", chunk=chunk, offset=offset))
    components = tuple(Component(name, found.pop(name)) for name in COMPONENT_IDS if name in found)
    return Environment(components, found | parse_further(further or {}), dict(hardware or {}))


def _parse_components(fields: Fields) -> dict[str, str]:
    """Return the canonical strings of all components by id, in stored order."""
    rows = fields.objects("components")  # checked row by row below, once the version is known
    version = fields.get("env_version", int)
    if version != ENV_VERSION:
        message = f"env_version is {shorten(version)}; this reader knows {ENV_VERSION}"
        raise fields.error(message, UnsupportedVersionError)
    found: dict[str, str] = {}
    gpus = 0
    for row in rows:
        component = _parse_component(row)
        name = component.component_id
        if name == "gpu":
            name, gpus = (f"gpu{gpus}" if gpus else "gpu"), gpus + 1
        if name in found:
            raise fields.error(f"component {shorten(name)} occurs twice")
        found[name] = component.canonical
    return found


def _parse_component(fields: Fields) -> Component:
    component = Component(fields.text("component_id"), fields.text("cononical_str"))
    digest = fields.text("component_sha256_digest")
    if digest.lower() != component.digest:
        raise fields.error(
            f"component {shorten(component.component_id)} is {shorten(component.canonical)}, whose SHA-256 is "
            f"{component.digest}, but the file says {shorten(digest)}: it was damaged or edited",
            ChecksumError,
        )
    return component


def parse_further(further: Mapping[str, Any]) -> dict[str, str]:
    """Return META's ``environment``; raise MalformedChunkError if a value is not a string."""
    fields = Fields(dict(further), "environment", chunk=META, offset=None)
    return {name: fields.text(name) for name in fields.values}

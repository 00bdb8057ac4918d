"""A GEN5 file -> one that can be given away: what it drops is said, what it keeps is equal bit for bit.

Kept are the latents, the pixels, settings, prompts, sampler passes, resources and environment. Left out
are the name of the machine, the workflow, the folders of absolute paths wherever a string holds one, and
what this version does not know of the file, its images, META, ``capture``, ``resources`` and the hardware,
since nobody can say what is in it. A signature is over the whole content, so the scrubbed file has none;
who owns it signs it again.

Source: FORMAT.md, "META", "machine_name".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..carrier.meta import KEY
from ..container import spec
from ..container.chunks import Payload
from ..environment.components import Environment, environment_payload
from ..errors import EncodeError, naming_file
from ..images.codec import image_info, image_payload
from ..images.stored import StoredImage
from ..reader import file as reader
from ..reader.file import Gen5File
from ..tensors.codec import TensorSpec, latent_payload
from ..tensors.stored import StoredTensor
from ..writer.assemble import build_further, check_suffix, write_payloads
from ..writer.model_info import HARDWARE_RULES
from .private_paths import without_private_folders
from .scrub_image import scrub_image

HARDWARE_KEPT: Final = frozenset(HARDWARE_RULES) - {"machine_name"}
GPU_KEPT: Final = frozenset(("name", "memory_gb", "driver", "cuda_version"))
_MODEL_INFO_KEPT: Final = frozenset(
    ("model_name", "version", "date", "prompt", "tags", "generation_settings", "hardware_info")
)
_META_KEPT: Final = frozenset(("gen5_metadata", "comfyui", "capture", "resources", "environment", KEY))
"""``carrier`` tells of the PNG only, whose picture becomes a chunk like any other."""
_CAPTURE_KEPT: Final = frozenset(("noise_source", "reason", "batch_index", "image_of_batch", "passes"))
_IMPORTED_KEPT: Final = frozenset(("from",))
_RESOURCE_KEPT: Final = frozenset(("kind", "name", "digest", "digest_kind", "size_bytes"))
_COMFYUI_KEPT: Final = frozenset(("prompt", "version"))
_SHOWN_CHARACTERS: Final = 120


@dataclass(frozen=True, slots=True)
class _Scrubbed:
    """A file's content as it may leave, its chunks still to be taken, one by one."""

    model_info: dict[str, Any]
    further: dict[str, Any]
    payloads: list[Callable[[], Payload]]


def scrub(path: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False) -> list[str]:
    """Write path to out without what tells of a person or a machine, and return what was dropped.

    Parameters
    ----------
    path : a file of version 1.0 or 1.1, or a PNG that carries a record; every digest is checked
    out : ends in ``.gen5``; the file there is of version 1.1
    overwrite : replace a file at out; else FileExistsError

    Returns
    -------
    one line for each thing: its place, and for a path what it was and became

    Raises
    ------
    FormatError
        if path is damaged.
    EncodeError
        if an image in it is not whole, a value is nested too deeply, or out is not named ``.gen5``.
    OSError
        as the file system gives it; out is whole or not there.

    Source: FORMAT.md, "META".
    """
    dropped: list[str] = []
    target = Path(out)
    check_suffix(target)
    with reader.open(path) as file, naming_file(path), _bounded_nesting():
        scrubbed = _scrub_file(file, dropped)
        write_payloads(
            target,
            scrubbed.payloads,
            model_info=scrubbed.model_info,
            further=scrubbed.further,
            overwrite=overwrite,
        )
    return dropped


def find_private(path: str | os.PathLike[str]) -> list[str]:
    """Return what ``scrub`` would drop, and write nothing.

    Raises
    ------
    FormatError, EncodeError, OSError
        as ``scrub``.
    """
    dropped: list[str] = []
    with reader.open(path) as file, naming_file(path), _bounded_nesting():
        _scrub_file(file, dropped)
        for index, image in enumerate(file.images):
            _image_payload(image, index, dropped)
    return dropped


def scrub_facts(facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what is about to be saved without what ``scrub`` would drop, and what that was.

    The workflow stays, its paths cleaned like all others. Images are made after this, of the cleaned ``comfyui``.

    Parameters
    ----------
    facts : arguments of ``gen5core.save``; images, latents and how to write come back as they are

    Returns
    -------
    the cleaned arguments, and one line for each thing as ``scrub`` returns them

    Raises
    ------
    EncodeError
        if a value is nested too deeply.
    """
    dropped: list[str] = []
    cleaner = Cleaner(dropped)
    with _bounded_nesting():
        cleaned = {
            name: _CLEANERS[name](value, cleaner) if name in _CLEANERS and value is not None else value
            for name, value in facts.items()
        }
    return cleaned, dropped


@contextmanager
def _bounded_nesting() -> Iterator[None]:
    """Let a RecursionError raised inside be an EncodeError."""
    try:
        yield
    except RecursionError as error:
        raise EncodeError(
            "a value (in the workflow, say) is nested too deeply to be looked through for paths: "
            "leave it out, or keep the file to yourself"
        ) from error


def _scrub_file(file: Gen5File, dropped: list[str]) -> _Scrubbed:
    cleaner = Cleaner(dropped)
    environment = _clean_environment(file.environment, cleaner)
    model_info = _clean_model_info(file, cleaner)
    further = _clean_further(file, environment, cleaner)
    for row in file.rows:
        if row.type not in (spec.LATN, spec.DATA, spec.ENVC):
            dropped.append(f"{row}: a type that is not known")
    dropped += [f"trailer {trailer.type!r}" for trailer in file.trailers if trailer.type != spec.SIGN]
    dropped += [f"the signature by {found.key_id}: what is written is unsigned" for found in file.signatures]
    payloads = [*_latent_payloads(file, cleaner), *_image_payloads(file, dropped)]
    if environment is not None:
        payloads.append(partial(environment_payload, environment))
    return _Scrubbed(model_info, further, payloads)


class Cleaner:
    """Cleans JSON values and remembers what went, one line for each."""

    def __init__(self, dropped: list[str]) -> None:
        self._dropped = dropped

    def value(self, value: Any, where: str) -> Any:
        """Return a JSON value with the folders of every path in its strings and keys left out."""
        if isinstance(value, str):
            return self.text(value, where)
        if isinstance(value, Mapping):
            return self._mapping(value, where)
        if isinstance(value, (list, tuple)):
            return [self.value(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return value

    def text(self, text: str, where: str) -> str:
        cleaned = without_private_folders(text)
        if cleaned != text:
            self._dropped.append(f"{where}: {_short(text)} is now {_short(cleaned)}")
        return cleaned

    def only(self, values: Mapping[str, Any], kept: frozenset[str], where: str) -> dict[str, Any]:
        """Return those of values that are among kept, cleaned."""
        prefix = f"{where}." if where else ""
        self._dropped += [f"{prefix}{name}" for name in values if name not in kept]
        return {name: self.value(value, f"{prefix}{name}") for name, value in values.items() if name in kept}

    def _mapping(self, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for name, value in values.items():
            key = self.text(name, f"{where}, a key")
            while key in cleaned or (key != name and key in values):
                key += "_"
            cleaned[key] = self.value(value, f"{where}.{key}")
        return cleaned


def _clean_model_info(file: Gen5File, cleaner: Cleaner) -> dict[str, Any]:
    info = file.metadata["gen5_metadata"].get("model_info", {})
    hardware = _clean_hardware(file.hardware, cleaner)
    rest = {name: value for name, value in info.items() if name != "hardware_info"}
    cleaned = cleaner.only(rest, _MODEL_INFO_KEPT, "")
    return {**cleaned, "hardware_info": hardware} if "hardware_info" in info else cleaned


def _clean_hardware(found: Mapping[str, Any], cleaner: Cleaner) -> dict[str, Any]:
    hardware = cleaner.only(found, HARDWARE_KEPT, "hardware_info")
    if isinstance(hardware.get("gpu"), list):
        hardware["gpu"] = [
            cleaner.only(gpu, GPU_KEPT, f"hardware_info.gpu[{index}]") if isinstance(gpu, dict) else gpu
            for index, gpu in enumerate(hardware["gpu"])
        ]
    return hardware


def _clean_further(file: Gen5File, environment: Environment | None, cleaner: Cleaner) -> dict[str, Any]:
    unknown = {name: None for name in file.metadata if name not in _META_KEPT}
    cleaner.only(unknown, frozenset(), "")
    return build_further(
        comfyui=cleaner.only(file.comfyui or {}, _COMFYUI_KEPT, "comfyui"),
        capture=_clean_capture(file.capture or {}, cleaner),
        resources=_clean_resources(file.resources, cleaner),
        environment=environment,
    )


def _clean_capture(found: Mapping[str, Any], cleaner: Cleaner) -> dict[str, Any]:
    """Return ``capture`` without the texts that an import brought along, which may be anything."""
    capture = dict(found)
    imported = capture.pop("imported", None)
    cleaned = cleaner.only(capture, _CAPTURE_KEPT, "capture")
    if isinstance(imported, dict):
        cleaned["imported"] = cleaner.only(imported, _IMPORTED_KEPT, "capture.imported")
    return cleaned


def _clean_resources(found: Sequence[Any], cleaner: Cleaner) -> list[Any]:
    return [
        cleaner.only(resource, _RESOURCE_KEPT, where)
        if isinstance(resource, Mapping)
        else cleaner.value(resource, where)
        for where, resource in ((f"resources[{index}]", one) for index, one in enumerate(found))
    ]


def _clean_environment(environment: Environment | None, cleaner: Cleaner) -> Environment | None:
    if environment is None:
        return None
    components = tuple(
        replace(part, canonical=cleaner.text(part.canonical, f"environment.{part.component_id}"))
        for part in environment.components
    )
    return Environment(components, cleaner.value(environment.further, "environment"))


def _latent_payloads(file: Gen5File, cleaner: Cleaner) -> Iterator[Callable[[], Payload]]:
    """Yield the latents as they are stored, in the order of their rows."""
    parts: dict[str, Iterator[StoredTensor]] = {}
    for row in file.rows:
        if row.type == spec.LATN:
            found = file.latents.describe(row)
            left = parts.setdefault(found.name, iter(file.latents[found.name].parts))
            name = cleaner.text(found.name, "the name of a latent")
            yield partial(_latent_payload, replace(found, name=name), next(left))


def _latent_payload(found: TensorSpec, part: StoredTensor) -> Payload:
    return latent_payload(found, part.array())


def _image_payloads(file: Gen5File, dropped: list[str]) -> Iterator[Callable[[], Payload]]:
    for index, image in enumerate(file.images):
        yield partial(_image_payload, image, index, dropped)


def _image_payload(image: StoredImage, index: int, dropped: list[str]) -> Payload:
    data = scrub_image(image.bytes, f"images[{index}]", Cleaner(dropped).value, dropped)
    return image_payload(data, image_info(data).extra(index))


def _clean_comfyui(found: Mapping[str, Any], cleaner: Cleaner) -> dict[str, Any]:
    """Return ``comfyui`` with its workflow, which ``scrub`` drops and a person who saves wants to have."""
    return cleaner.only(found, _COMFYUI_KEPT | {"workflow"}, "comfyui")


def _cleans(where: str) -> Callable[[Any, Cleaner], Any]:
    return lambda value, cleaner: cleaner.value(value, where)


_CLEANERS: Final[Mapping[str, Callable[[Any, Cleaner], Any]]] = {
    **{name: _cleans(name) for name in ("prompt", "model_name", "model_version", "tags")},
    "settings": _cleans("generation_settings"),
    "hardware": _clean_hardware,
    "environment": _clean_environment,
    "comfyui": _clean_comfyui,
    "capture": _clean_capture,
    "resources": _clean_resources,
}


def _short(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")

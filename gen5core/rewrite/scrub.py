"""A GEN5 file -> one without private data, to give away: it reports what it drops; values that it keeps are equal.

It keeps latents, pixels, settings, prompts, sampler passes, resources and environment. It drops the name of the
machine, the workflow, the folders of absolute paths in every string, and everything that this version does not
know in chunks, images, META, ``capture``, ``resources`` and hardware, since that could hold anything. A signature
is over the whole content, so the scrubbed file has none; its owner can sign it again.

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
from .private_paths import strip_private_folders
from .scrub_image import scrub_image

HARDWARE_KEPT: Final = frozenset(HARDWARE_RULES) - {"machine_name"}
GPU_KEPT: Final = frozenset(("name", "memory_gb", "driver", "cuda_version"))
_MODEL_INFO_KEPT: Final = frozenset(
    ("model_name", "version", "date", "prompt", "tags", "generation_settings", "hardware_info")
)
_META_KEPT: Final = frozenset(("gen5_metadata", "comfyui", "capture", "resources", "environment", KEY))
"""``carrier`` is not reported as dropped: it describes the PNG, whose picture becomes a DATA chunk."""
_CAPTURE_KEPT: Final = frozenset(
    ("noise_source", "reason", "batch_index", "image_of_batch", "latent_keys", "passes")
)
_IMPORTED_KEPT: Final = frozenset(("from",))
_RESOURCE_KEPT: Final = frozenset(("kind", "name", "digest", "digest_kind", "size_bytes", "state"))
_COMFYUI_KEPT: Final = frozenset(("prompt", "version"))
_MAX_CHARACTERS: Final = 120


@dataclass(frozen=True, slots=True)
class _Scrubbed:
    """The scrubbed content of a file; its payloads are made one by one, as they are written."""

    model_info: dict[str, Any]
    further: dict[str, Any]
    payloads: list[Callable[[], Payload]]


def scrub(path: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False) -> list[str]:
    """Write a copy of a file without what identifies a person or a machine, and return what was dropped.

    Parameters
    ----------
    path : a file of version 1.0 or 1.1, or a PNG that carries a record; every digest is checked
    out : ends in ``.gen5``; is written in version 1.1
    overwrite : replace a file at out, which otherwise raises FileExistsError

    Returns
    -------
    one line for each item that was dropped; for a path what it was and what it is now

    Raises
    ------
    FormatError
        if path is damaged.
    EncodeError
        if an image in it is damaged, a value is nested too deeply, or out does not end in ``.gen5``.
    OSError
        as raised by the file system; out is then unchanged.

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
    """Return what ``scrub`` would drop, without writing anything.

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


def scrub_arguments(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of a save without what ``scrub`` would drop, and what was dropped.

    The workflow stays, without the folders of its paths. Encode the images after this, since they hold the texts of
    ``comfyui``.

    Parameters
    ----------
    arguments : of ``gen5core.save``; images, latents and options are returned unchanged

    Returns
    -------
    the cleaned arguments, and one line for each item that was dropped, as from ``scrub``

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
            for name, value in arguments.items()
        }
    return cleaned, dropped


@contextmanager
def _bounded_nesting() -> Iterator[None]:
    """Turn a RecursionError into an EncodeError."""
    try:
        yield
    except RecursionError as error:
        raise EncodeError(
            "a value (in the workflow, for example) is nested too deeply to be searched for paths: "
            "leave it out, or do not give the file away"
        ) from error


def _scrub_file(file: Gen5File, dropped: list[str]) -> _Scrubbed:
    cleaner = Cleaner(dropped)
    environment = _clean_environment(file.environment, cleaner)
    model_info = _clean_model_info(file, cleaner)
    further = _clean_further(file, environment, cleaner)
    for row in file.rows:
        if row.type not in (spec.LATN, spec.DATA, spec.ENVC):
            dropped.append(f"{row}: a chunk of unknown type")
    dropped += [f"trailer {trailer.type!r}" for trailer in file.trailers if trailer.type != spec.SIGN]
    dropped += [
        f"the signature by {found.key_id}: the scrubbed file is unsigned" for found in file.signatures
    ]
    payloads = [*_latent_payloads(file, cleaner), *_image_payloads(file, dropped)]
    if environment is not None:
        payloads.append(partial(environment_payload, environment))
    return _Scrubbed(model_info, further, payloads)


class Cleaner:
    """Removes private data from JSON values and adds a line to ``dropped`` for each."""

    def __init__(self, dropped: list[str]) -> None:
        self._dropped = dropped

    def clean(self, value: Any, where: str) -> Any:
        """Return a JSON value without the folders of the paths in its strings and keys."""
        if isinstance(value, str):
            return self.clean_text(value, where)
        if isinstance(value, Mapping):
            return self._mapping(value, where)
        if isinstance(value, (list, tuple)):
            return [self.clean(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return value

    def clean_text(self, text: str, where: str) -> str:
        cleaned = strip_private_folders(text)
        if cleaned != text:
            self._dropped.append(f"{where}: {_abbreviate(text)} is now {_abbreviate(cleaned)}")
        return cleaned

    def select(self, values: Mapping[str, Any], kept: frozenset[str], where: str) -> dict[str, Any]:
        """Return the values whose names are in kept, cleaned, and report the others as dropped."""
        prefix = f"{where}." if where else ""
        self._dropped += [f"{prefix}{name}" for name in values if name not in kept]
        return {name: self.clean(value, f"{prefix}{name}") for name, value in values.items() if name in kept}

    def _mapping(self, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for name, value in values.items():
            key = self.clean_text(name, f"{where}, a key")
            # Two paths may become the same key, or one a key that is there already.
            while key in cleaned or (key != name and key in values):
                key += "_"
            cleaned[key] = self.clean(value, f"{where}.{key}")
        return cleaned


def _clean_model_info(file: Gen5File, cleaner: Cleaner) -> dict[str, Any]:
    info = file.metadata["gen5_metadata"].get("model_info", {})
    hardware = _clean_hardware(file.hardware, cleaner)
    rest = {name: value for name, value in info.items() if name != "hardware_info"}
    cleaned = cleaner.select(rest, _MODEL_INFO_KEPT, "")
    return {**cleaned, "hardware_info": hardware} if "hardware_info" in info else cleaned


def _clean_hardware(found: Mapping[str, Any], cleaner: Cleaner) -> dict[str, Any]:
    hardware = cleaner.select(found, HARDWARE_KEPT, "hardware_info")
    if isinstance(hardware.get("gpu"), list):
        hardware["gpu"] = [
            cleaner.select(gpu, GPU_KEPT, f"hardware_info.gpu[{index}]") if isinstance(gpu, dict) else gpu
            for index, gpu in enumerate(hardware["gpu"])
        ]
    return hardware


def _clean_further(file: Gen5File, environment: Environment | None, cleaner: Cleaner) -> dict[str, Any]:
    unknown = {name: None for name in file.metadata if name not in _META_KEPT}
    cleaner.select(unknown, frozenset(), "")
    return build_further(
        comfyui=cleaner.select(file.comfyui or {}, _COMFYUI_KEPT, "comfyui"),
        capture=_clean_capture(file.capture or {}, cleaner),
        resources=_clean_resources(file.resources, cleaner),
        environment=environment,
    )


def _clean_capture(found: Mapping[str, Any], cleaner: Cleaner) -> dict[str, Any]:
    """Return ``capture`` without the texts that an import copied, which may hold anything."""
    capture = dict(found)
    imported = capture.pop("imported", None)
    cleaned = cleaner.select(capture, _CAPTURE_KEPT, "capture")
    if isinstance(imported, dict):
        cleaned["imported"] = cleaner.select(imported, _IMPORTED_KEPT, "capture.imported")
    return cleaned


def _clean_resources(found: Sequence[Any], cleaner: Cleaner) -> list[Any]:
    return [
        cleaner.select(resource, _RESOURCE_KEPT, where)
        if isinstance(resource, Mapping)
        else cleaner.clean(resource, where)
        for where, resource in ((f"resources[{index}]", item) for index, item in enumerate(found))
    ]


def _clean_environment(environment: Environment | None, cleaner: Cleaner) -> Environment | None:
    if environment is None:
        return None
    components = tuple(
        replace(part, canonical=cleaner.clean_text(part.canonical, f"environment.{part.component_id}"))
        for part in environment.components
    )
    return Environment(components, cleaner.clean(environment.further, "environment"))


def _latent_payloads(file: Gen5File, cleaner: Cleaner) -> Iterator[Callable[[], Payload]]:
    """Yield the latents in the order of their rows, in their stored dtype."""
    parts: dict[str, Iterator[StoredTensor]] = {}
    for row in file.rows:
        if row.type == spec.LATN:
            found = file.latents.describe(row)
            left = parts.setdefault(found.name, iter(file.latents[found.name].parts))
            name = cleaner.clean_text(found.name, "the name of a latent")
            yield partial(_latent_payload, replace(found, name=name), next(left))


def _latent_payload(found: TensorSpec, part: StoredTensor) -> Payload:
    return latent_payload(found, part.array())


def _image_payloads(file: Gen5File, dropped: list[str]) -> Iterator[Callable[[], Payload]]:
    for index, image in enumerate(file.images):
        yield partial(_image_payload, image, index, dropped)


def _image_payload(image: StoredImage, index: int, dropped: list[str]) -> Payload:
    data = scrub_image(image.bytes, f"images[{index}]", Cleaner(dropped).clean, dropped)
    return image_payload(data, image_info(data).extra(index))


def _clean_comfyui(found: Mapping[str, Any], cleaner: Cleaner) -> dict[str, Any]:
    """Return ``comfyui`` with its workflow, which ``scrub`` drops but a save keeps."""
    return cleaner.select(found, _COMFYUI_KEPT | {"workflow"}, "comfyui")


def _cleaner_for(where: str) -> Callable[[Any, Cleaner], Any]:
    return lambda value, cleaner: cleaner.clean(value, where)


_CLEANERS: Final[Mapping[str, Callable[[Any, Cleaner], Any]]] = {
    **{name: _cleaner_for(name) for name in ("prompt", "model_name", "model_version", "tags")},
    "settings": _cleaner_for("generation_settings"),
    "hardware": _clean_hardware,
    "environment": _clean_environment,
    "comfyui": _clean_comfyui,
    "capture": _clean_capture,
    "resources": _clean_resources,
}


def _abbreviate(text: str) -> str:
    return ascii(text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…")

"""``save``: a caller's arguments -> payloads and META of one atomic file.

Tensors are written from their own memory. Everything that could be refused is checked before anything is encoded.

Source: FORMAT.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..carrier.meta import Original
from ..container import spec, strict_json
from ..container.chunks import Compression, Payload, check_compression
from ..environment.components import Environment, check_environment, environment_payload
from ..errors import EncodeError
from ..images import png_encode
from ..images.codec import image_info, image_payload, pixels_info
from ..signatures.key_files import load_signing_key
from ..signatures.keys import SigningKey
from ..tensors.codec import encode_tensor, payload_bytes
from .assemble import build_further, check_size, check_suffix, write_payloads
from .carrier_png import Picture, is_showable, picture_from_encoded, picture_from_pixels, write_carrier
from .model_info import as_mapping, build_model_info, check_json


class _Captured:
    def __repr__(self) -> str:
        return "<captured>"


CAPTURED: Final = _Captured()
"""Default of ``environment`` and ``hardware``: captured from this process."""
_META_RESERVE_BYTES = 2**20
_IMAGE_RESERVE_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class _Planned:
    """A chunk before it is encoded: an upper bound of its size, and the function that encodes it."""

    max_bytes: int
    encode: Callable[[], Payload]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The chunks of a file in their order, and the function that writes them as a .gen5 or into a PNG."""

    chunks: Sequence[_Planned]
    write: Callable[..., Path]


@dataclass(frozen=True, slots=True)
class _Machine:
    """What is stored of this machine; None is left out."""

    environment: Environment | None
    hardware: Mapping[str, Any] | None


def save(
    path: str | os.PathLike[str],
    *,
    latents: Mapping[str, Any] | None = None,
    images: Any = (),
    settings: Mapping[str, Any] | None = None,
    prompt: str = "",
    model_name: str = "",
    model_version: str = "",
    tags: Iterable[str] = (),
    comfyui: Mapping[str, Any] | None = None,
    capture: Mapping[str, Any] | None = None,
    resources: Iterable[Mapping[str, Any]] | None = (),
    environment: Environment | _Captured | None = CAPTURED,
    hardware: Mapping[str, Any] | _Captured | None = CAPTURED,
    compression: Compression = "auto",
    half: bool = False,
    overwrite: bool = True,
    signing_key: SigningKey | str | os.PathLike[str] | None = None,
) -> Path:
    """Write one GEN5 file of version 1.1, on its own or in a PNG, atomically.

    Parameters
    ----------
    path : ends in ``.gen5``, or in ``.png`` for a PNG that shows the first image and carries everything else;
        its folder must exist
    latents : name -> ndarray or torch tensor of any shape, float32, float16, bfloat16 or a float8,
        e.g. ``{"initial_noise": noise}``; a list or tuple of them is a nested latent
    images : encoded bytes (PNG, JPEG, WebP; kept as they are), or uint8 pixels of shape (H, W),
        (H, W, C) or (B, H, W, C), C 1, 3 or 4; or a sequence of those
    settings : ``generation_settings``: seed, steps, sampler, cfg_scale, scheduler, eta, guidance …
    comfyui : ComfyUI's prompt, workflow and version; images given as pixels get prompt and workflow as
        texts, as in ComfyUI's own PNGs
    capture : FORMAT.md, "capture": sampler passes and the source of the noise
    resources : models by name and digest
    environment : None to leave it out; ids must be unique, values strings
    hardware : None to leave it out
    compression : ``auto`` compresses a payload that shrinks by a tenth or more, ``none`` none, ``zstd`` all
    half : store float32 latents as float16
    overwrite : replace a file at path, which otherwise raises FileExistsError
    signing_key : a key, or the path of its file, that signs the root; only its public half goes into the file

    Returns
    -------
    path, as a Path

    Raises
    ------
    EncodeError
        before anything is written, naming the argument that cannot be stored, or the key that cannot be used.
    ImportError
        if signing_key is given and the package cryptography is not installed.
    OSError
        as raised by the file system; a file at path is then unchanged.

    Source: FORMAT.md.
    """
    target = Path(path)
    key = signing_key if isinstance(signing_key, (SigningKey, type(None))) else load_signing_key(signing_key)
    check_compression(compression)
    if not _is_png(target):
        check_suffix(target)
    machine = _describe_machine(environment, hardware)
    model_info = build_model_info(
        model_name=model_name,
        model_version=model_version,
        prompt=prompt,
        tags=tags,
        settings=settings,
        hardware=machine.hardware,
    )
    further = _collect_further(comfyui, capture, resources, machine.environment)
    pictures, texts = png_encode.split_batch(images), _graph_texts(further.get("comfyui", {}))
    tensors = list(_plan_latents({} if latents is None else latents, half))
    layout = _lay_out(target, tensors, pictures, texts, machine.environment, compression)
    return layout.write(
        target,
        payloads=[chunk.encode for chunk in layout.chunks],
        model_info=model_info,
        further=further,
        compression=compression,
        overwrite=overwrite,
        signing_key=key,
    )


def _plan_payload(payload: Payload) -> _Planned:
    return _Planned(payload.data.nbytes, lambda: payload)


def _is_png(target: Path) -> bool:
    return target.suffix.lower() == ".png"


def _describe_machine(
    environment: Environment | _Captured | None, hardware: Mapping[str, Any] | _Captured | None
) -> _Machine:
    """Return environment and hardware with what this process finds out in place of CAPTURED."""
    if not isinstance(environment, (Environment, _Captured, type(None))):
        raise EncodeError(f"environment is {environment!r:.80}; give an Environment, or None to leave it out")
    stored = Environment.capture() if isinstance(environment, _Captured) else environment
    if stored is not None:
        check_environment(stored)
    if not isinstance(hardware, _Captured):
        return _Machine(stored, hardware)
    known = Environment.capture() if stored is None else stored
    return _Machine(stored, known.hardware)


def _lay_out(
    target: Path,
    tensors: Sequence[_Planned],
    pictures: Sequence[bytes | np.ndarray[Any, Any]],
    texts: Mapping[str, str],
    environment: Environment | None,
    compression: Compression,
) -> _Layout:
    """Return the chunks of the file at target and its writer, after checking count and sizes."""
    images = list(_plan_images(pictures, texts))
    last = [] if environment is None else [_plan_payload(environment_payload(environment))]
    if not _is_png(target):
        chunks = [*tensors, *images, *last]
        _check_sizes(chunks)
        return _Layout(chunks, write_payloads)
    if not pictures:
        raise _no_image_error(target)
    first = pictures[0]
    if not isinstance(first, bytes) or is_showable(first):
        images = images[1:]  # the PNG itself stores this one
    chunks = [*tensors, *images, *last]
    _check_sizes(chunks, spec.MAX_CARRIED_BYTES)
    return _Layout(
        chunks, partial(write_carrier, picture=_build_picture(first, texts, len(tensors), compression))
    )


def _plan_latents(latents: Mapping[str, Any], half: bool) -> Iterator[_Planned]:
    if not isinstance(latents, Mapping):
        raise EncodeError(
            f"latents is a {type(latents).__name__}, not a mapping of names to tensors; "
            'give latents={"initial_noise": noise}'
        )
    for name, value in latents.items():
        if not isinstance(name, str) or not name:
            raise EncodeError(f"a latent is named {name!r}; a name must be a string that is not empty")
        nested = isinstance(value, (list, tuple))
        if nested and not value:
            raise EncodeError(
                f"latent {name!r} is an empty list; give a tensor, or a list of the parts of a nested one"
            )
        for part, tensor in enumerate(value if nested else [value]):
            encode = partial(encode_tensor, name, tensor, part=part if nested else None, half=half)
            yield _Planned(payload_bytes(name, tensor, half=half), encode)


def _graph_texts(comfyui: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: strict_json.dumps(comfyui[name], name)
        for name in ("prompt", "workflow")
        if comfyui.get(name) is not None
    }


def _plan_images(images: Iterable[Any], texts: Mapping[str, str]) -> Iterator[_Planned]:
    for index, image in enumerate(images):
        if isinstance(image, bytes):
            yield _plan_payload(image_payload(image, image_info(image).extra(index)))
        else:
            max_bytes = image.nbytes + image.shape[0] + _IMAGE_RESERVE_BYTES
            yield _Planned(max_bytes, partial(_encode_pixels, image, index, texts))


def _encode_pixels(pixels: np.ndarray[Any, Any], index: int, text: Mapping[str, str]) -> Payload:
    data = png_encode.encode_image(pixels, text=text)
    return image_payload(data, image_info(data).extra(index))


def _no_image_error(target: Path) -> EncodeError:
    return EncodeError(
        f"{target.name!r} would be a PNG that carries a record, but there is no image for it to show: "
        f"give one, or name the file {target.stem}.gen5"
    )


def _build_picture(
    picture: bytes | np.ndarray[Any, Any], texts: Mapping[str, str], row: int, compression: Compression
) -> Picture:
    """Return the first image as the picture of the PNG; row is that of the DATA chunk that it would be."""
    if isinstance(picture, bytes):
        return picture_from_encoded(picture, texts, Original(row, image_info(picture).extra(0), compression))
    return picture_from_pixels(picture, texts, Original(row, pixels_info(picture).extra(0), compression))


def _collect_further(
    comfyui: Mapping[str, Any] | None,
    capture: Mapping[str, Any] | None,
    resources: Iterable[Mapping[str, Any]] | None,
    environment: Environment | None,
) -> dict[str, Any]:
    """Return META's keys beside ``gen5_metadata``, checked."""
    further = build_further(
        comfyui=_without_is_changed(as_mapping(comfyui, "comfyui")) if comfyui else None,
        capture=as_mapping(capture, "capture") if capture else None,
        resources=_as_list(resources),
        environment=environment,
    )
    for name in ("capture", "resources"):
        check_json(further.get(name), name)
    return further


def _as_list(resources: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    if isinstance(resources, (str, Mapping)) or not isinstance(resources, (Iterable, type(None))):
        raise EncodeError(f"resources is a {type(resources).__name__}; give a list of mappings, or None")
    return [as_mapping(resource, "a resource") for resource in (() if resources is None else resources)]


def _without_is_changed(comfyui: Mapping[str, Any]) -> dict[str, Any]:
    """Return comfyui without ``is_changed``, the cache key that ComfyUI leaves in its prompt and that may be NaN."""
    prompt = comfyui.get("prompt")
    if not isinstance(prompt, Mapping):
        return dict(comfyui)
    nodes = {
        node_id: {name: value for name, value in node.items() if name != "is_changed"}
        if isinstance(node, Mapping)
        else node
        for node_id, node in prompt.items()
    }
    return {**comfyui, "prompt": nodes}


def _check_sizes(chunks: Sequence[_Planned], max_bytes: int = spec.MAX_FILE_BYTES) -> None:
    if len(chunks) > spec.MAX_CHUNKS:
        raise EncodeError(
            f"{len(chunks)} latents and images are more than the {spec.MAX_CHUNKS} chunks of a file: "
            "store fewer images (images_stored first or none)"
        )
    needed_bytes = sum(chunk.max_bytes + spec.FRAME_SIZE for chunk in chunks)
    check_size(needed_bytes + spec.HEADER_SIZE + _META_RESERVE_BYTES, max_bytes)

"""What a LATENT holds beside samples, mask and batch_index -> META's ``capture.latent_keys`` and latents, and back.

Nodes put there what a decoder or the next sampler asks for: ``type`` and ``sample_rate`` of audio, ``coords`` of a
3-D shape, the state of an interrupted sampling. Tensors become latents ``latent_key``, ``latent_key.1`` … and the rest
JSON.

Source: FORMAT.md, "capture".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ... import gen5core
from ...gen5core.container.fields import shorten
from ...gen5core.container.spec import META
from ...gen5core.errors import EncodeError, MalformedChunkError, naming_file
from ..tensors.latents import joined
from ..tensors.odd import keep
from .passes import latent_name, read_parts

FIELD = "latent_keys"
START_KEYS = frozenset(
    ("type", "coords", "coord_counts", "coord_resolution", "model_frame", "model_frames", "sample_rate")
)
"""Keys that describe a start as well as its result, as the core's samplers hand them on; others, such as the state of a
sampling, belong to the result alone."""
MAX_KEYS = 64
MAX_TENSORS = 64
MAX_TENSOR_BYTES = 64 * 2**20
MAX_TEXT = 2**16
"""Characters of JSON."""
_MAX_DEPTH = 8
_OWN_KEYS = frozenset(("samples", "noise_mask", "batch_index"))
_BASE_NAME = "latent_key"


@dataclass(frozen=True, slots=True)
class LatentKeys:
    """The keys as META holds them, the tensors that they refer to by name, and what is left out and why."""

    entries: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def encode_keys(latent: Mapping[Any, Any]) -> LatentKeys:
    """Return a LATENT's further keys; one that cannot be held is left out whole."""
    entries: dict[str, Any] = {}
    tensors: dict[str, torch.Tensor] = {}
    reasons: dict[str, list[str]] = {}
    for key, value in latent.items():
        if key in _OWN_KEYS:
            continue
        encoder = _Encoder(dict(tensors))
        try:
            if not isinstance(key, str) or len(entries) == MAX_KEYS:
                raise EncodeError(f"there are more than {MAX_KEYS}" if isinstance(key, str) else "no name")
            entry = {**entries, key: encoder.encode(value)}
            if len(json.dumps(entry)) > MAX_TEXT:
                raise EncodeError(f"with it they take more than {MAX_TEXT} characters")
        except Exception as error:  # an object of a pack may raise anything
            why = (
                str(error)
                if isinstance(error, EncodeError)
                else f"it cannot be read ({type(error).__name__})"
            )
            reasons.setdefault(why, []).append(f"`{key!s:.40}`")
        else:
            entries, tensors = entry, encoder.tensors
    texts = [f"the latent's {', '.join(keys[:8])} is not stored: {why}" for why, keys in reasons.items()]
    return LatentKeys(entries, tensors, tuple(texts))


def read_keys(file: gen5core.Gen5File, *, of_start: bool = False) -> dict[str, Any]:
    """Return the further keys of the stored latent, with tensors on the CPU.

    Parameters
    ----------
    of_start : only those that its start has as well

    Raises
    ------
    MalformedChunkError
        if an entry does not have one of the forms that ``encode_keys`` gives, or its latent is missing.
    """
    found = (file.capture or {}).get(FIELD) or {}
    with naming_file(file.path):
        if not isinstance(found, dict):
            raise _malformed(found)
        return {
            key: _decode(entry, file)
            for key, entry in found.items()
            if key not in _OWN_KEYS and (not of_start or key in START_KEYS)
        }


class _Encoder:
    """Encodes one value; ``tensors`` are those of earlier values, and grow."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = tensors
        self._items = 0

    def encode(self, value: Any, depth: int = 0) -> dict[str, Any]:
        """Return a value's entry.

        Raises
        ------
        EncodeError
            saying why it cannot be held.
        """
        self._items += 1
        if depth == _MAX_DEPTH:
            raise EncodeError("it is nested too deeply")
        if self._items > MAX_TEXT:  # lists may share one list, and so be endless without being large
            raise EncodeError(f"it has more than {MAX_TEXT} items")
        if getattr(value, "is_nested", False):
            return {"nested": [self._add(part) for part in value.unbind()]}
        if isinstance(value, torch.Tensor):
            return {"tensor": self._add(value)}
        if isinstance(value, np.ndarray):
            return {"array": self._add(_from_numpy(value))}
        if isinstance(value, (list, tuple)):
            items = [self.encode(item, depth + 1) for item in value]
            is_plain = isinstance(value, list) and all("json" in item for item in items)
            form = "list" if isinstance(value, list) else "tuple"
            return {"json": [item["json"] for item in items]} if is_plain else {form: items}
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        return _scalar(value.item() if isinstance(value, np.generic) else value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        if not all(isinstance(key, str) for key in value):
            raise EncodeError("it has keys that are not text")
        items = {key: self.encode(item, depth + 1) for key, item in value.items()}
        if all("json" in item for item in items.values()):
            return {"json": {key: item["json"] for key, item in items.items()}}
        return {"dict": items}

    def _add(self, value: torch.Tensor) -> str:
        """Return the name under which a tensor is stored."""
        tensor = keep(value)
        if len(self.tensors) == MAX_TENSORS:
            raise EncodeError(f"they hold more than {MAX_TENSORS} tensors")
        if sum(one.nbytes for one in self.tensors.values()) + tensor.nbytes > MAX_TENSOR_BYTES:
            raise EncodeError(f"their tensors take more than {MAX_TENSOR_BYTES >> 20} MiB")
        name = latent_name(_BASE_NAME, len(self.tensors))
        self.tensors[name] = tensor
        return name


def _scalar(value: Any) -> dict[str, Any]:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(float(value))}
    is_short = not isinstance(value, int) or value.bit_length() <= 256
    if value is None or (type(value) in (bool, int, float, str) and is_short):
        return {"json": value}
    raise EncodeError(
        f"it holds a {type(value).__name__}" if is_short else "it holds an integer that is too long"
    )


def _from_numpy(array: np.ndarray[Any, Any]) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), copy=True))
    except (TypeError, ValueError) as error:
        raise EncodeError(f"it holds an array of {array.dtype.name}") from error


def _decode(entry: Any, file: gen5core.Gen5File) -> Any:
    """Return the value of an entry; nesting is bounded by META's parser."""
    if not isinstance(entry, dict) or len(entry) != 1:
        raise _malformed(entry)
    [(form, value)] = entry.items()
    if form == "json":
        return value
    if form in ("tensor", "array"):
        tensor = _tensor(value, file)
        return tensor if form == "tensor" else tensor.numpy()
    if form in ("list", "tuple", "nested") and isinstance(value, list):
        if form == "nested":
            return joined([_tensor(name, file) for name in value])
        return (list if form == "list" else tuple)(_decode(item, file) for item in value)
    if form == "dict" and isinstance(value, dict):
        return {key: _decode(item, file) for key, item in value.items()}
    if form == "float" and value in ("nan", "inf", "-inf"):
        return float(value)
    raise _malformed(entry)


def _tensor(name: Any, file: gen5core.Gen5File) -> torch.Tensor:
    if not isinstance(name, str) or name not in file.latents:
        raise _malformed(name)
    [tensor] = read_parts(file, name)
    return tensor


def _malformed(value: Any) -> MalformedChunkError:
    return MalformedChunkError(
        f"capture's {FIELD} has {shorten(value)}, which is no value of a LATENT", chunk=META
    )

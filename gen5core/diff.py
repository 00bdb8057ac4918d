"""Two GEN5 files -> their differences: facts by name, arrays bit by bit.

Only what made the image is compared. The date, the file names, the compression, the signatures and the
workflow are not (the prompt graph is what ran), nor is the encoding of images with equal pixels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .container import spec
from .errors import MalformedChunkError
from .images.stored import StoredImage
from .reader.file import Gen5File
from .tensors.stored import StoredTensor

_BLOCK: Final = 2**20
"""Elements compared at a time: the temporary arrays of a whole latent might not fit in memory."""
_PEAK: Final = 255
_CLASS: Final = "class_type"
_INPUTS: Final = "inputs"
"""The keys of a node in ComfyUI's prompt that are compared."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two files. A side is None if the file does not have the value."""

    section: str
    name: str
    left: str | None
    right: str | None
    max_difference: float | None = None
    """L∞ of two arrays of equal shape, the largest |left - right|; None if that is not finite."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison: the differences, and the names of equal values."""

    differences: tuple[Difference, ...]
    equal: tuple[tuple[str, str], ...]
    """Section and name."""


def compare_files(left: Gen5File, right: Gen5File) -> Comparison:
    """Compare two open files. Every byte that is compared is also checked.

    Raises
    ------
    FormatError
        or a subclass, if a compared part is damaged.
    """
    differences: list[Difference] = []
    equal: list[tuple[str, str]] = []
    for section, compare in _SECTIONS.items():
        for name, difference in compare(section, left, right):
            if difference is None:
                equal.append((section, name))
            else:
                differences.append(difference)
    return Comparison(tuple(differences), tuple(equal))


Compared = Iterator[tuple[str, Difference | None]]


def _settings(section: str, left: Gen5File, right: Gen5File) -> Compared:
    return _compare_facts(section, left.settings, right.settings)


def _prompt(section: str, left: Gen5File, right: Gen5File) -> Compared:
    return _compare_facts(section, {"text": left.prompt}, {"text": right.prompt})


def _model(section: str, left: Gen5File, right: Gen5File) -> Compared:
    return _compare_facts(
        section,
        {"name": left.model_name, "version": left.model_version},
        {"name": right.model_name, "version": right.model_version},
    )


def _graph(section: str, left: Gen5File, right: Gen5File) -> Compared:
    before, now = _flat_graph(left), _flat_graph(right)
    for path in dict.fromkeys([*before, *now]):
        name = _format_path(path)
        sides = [{name: flat[path]} if path in flat else {} for flat in (before, now)]
        yield from _compare_facts(section, sides[0], sides[1])


def _resources(section: str, left: Gen5File, right: Gen5File) -> Compared:
    return _compare_facts(section, _by_name(left.resources), _by_name(right.resources))


def _environment(section: str, left: Gen5File, right: Gen5File) -> Compared:
    before, now = left.environment, right.environment
    if before is None or now is None:
        if before is not now:
            sides = ["stored" if side else None for side in (before, now)]
            yield "all", Difference(section, "all", sides[0], sides[1])
        return
    drifts = {drift.component: drift for drift in before.diff(now)}
    for name, drift in drifts.items():
        yield name, Difference(section, name, drift.stored, drift.current)
    for component in before.components:
        if component.component_id not in drifts:
            yield component.component_id, None


def _latents(section: str, left: Gen5File, right: Gen5File) -> Compared:
    left_parts, right_parts = _parts_by_name(left, right), _parts_by_name(right, left)
    for name in dict.fromkeys([*left_parts, *right_parts]):
        before, now = left_parts.get(name, ()), right_parts.get(name, ())
        for part, (one, other) in enumerate(zip_longest(before, now)):
            label = name if max(len(before), len(now)) == 1 else f"{name}.part{part}"
            yield label, _compare_tensors(section, label, one, other)


def _images(section: str, left: Gen5File, right: Gen5File) -> Compared:
    for index, (one, other) in enumerate(zip_longest(left.images, right.images)):
        yield str(index), _compare_images(section, str(index), one, other)


_SECTIONS: Final = {
    "settings": _settings,
    "prompt": _prompt,
    "model": _model,
    "latents": _latents,
    "images": _images,
    "environment": _environment,
    "resources": _resources,
    "prompt graph": _graph,
}


def _compare_facts(section: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Compared:
    for name in dict.fromkeys([*left, *right]):
        before, now = (_json(side[name]) if name in side else None for side in (left, right))
        texts = [_as_text(side[name]) if name in side else None for side in (left, right)]
        if texts[0] == texts[1]:  # JSON tells "7" from 7, plain text does not
            texts = [before, now]
        yield name, None if before == now else Difference(section, name, texts[0], texts[1])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """Return value as JSON text that is equal for equal values; 7 and 7.0 count as equal."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _flat_graph(file: Gen5File) -> dict[tuple[str, ...], Any]:
    """Return class and inputs of every node by path. Whatever does not look like a graph is kept as one value."""
    prompt = (file.comfyui or {}).get("prompt")
    if not isinstance(prompt, Mapping):
        return {} if prompt is None else {(): prompt}
    flat: dict[tuple[str, ...], Any] = {}
    for node_id, node in prompt.items():
        if not isinstance(node, Mapping):
            flat[node_id,] = node
            continue
        flat[node_id, _CLASS] = node.get(_CLASS)
        inputs = node.get(_INPUTS, {})
        if isinstance(inputs, Mapping):
            flat |= {(node_id, _INPUTS, name): value for name, value in inputs.items()}
        else:
            flat[node_id, _INPUTS] = inputs
    return flat


def _format_path(path: tuple[str, ...]) -> str:
    """Return ``3.seed`` for that input of node 3, and ``3.inputs.class_type`` if the name is also a key of a node."""
    if len(path) == 3 and path[2] not in (_CLASS, _INPUTS):
        return f"{path[0]}.{path[2]}"
    return ".".join(path) or "all"


def _parts_by_name(file: Gen5File, other: Gen5File) -> dict[str, tuple[StoredTensor, ...]]:
    """Return the latents of a file by name.

    The only latent of a version 1.0 file is the starting noise under any name, so it is returned as
    ``initial_noise`` if the other file has a latent of that name.
    """
    names = list(file.latents)
    if spec.INITIAL_NOISE in file.latents and spec.INITIAL_NOISE in other.latents and len(names) == 1:
        names = [spec.INITIAL_NOISE]
    return {name: file.latents[name].parts for name in names}


def _by_name(resources: list[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for index, resource in enumerate(resources):
        if not isinstance(resource, Mapping):
            named[str(index)] = resource
            continue
        name = f"{resource.get('kind')} {resource.get('name')}"
        while name in named:
            name += " (again)"
        named[name] = {key: value for key, value in resource.items() if not _is_no_fact(key, value)}
    return named


def _is_no_fact(key: str, value: Any) -> bool:
    """Return whether a field does not say what a model is: how sure it is that it was loaded does not."""
    return key in ("kind", "name") or (key == "state" and value != "off")


def _compare_tensors(
    section: str, name: str, left: StoredTensor | None, right: StoredTensor | None
) -> Difference | None:
    described = [None if side is None else _describe(side) for side in (left, right)]
    if left is None or right is None or described[0] != described[1]:
        return Difference(section, name, described[0], described[1])
    before, now = left.array().reshape(-1), right.array().reshape(-1)
    count, largest = _array_distance(before, now)
    if not count:
        return None
    detail = f"{count} of {before.size} values differ"
    return Difference(section, name, described[0], described[1], _finite(largest), detail)


def _describe(tensor: StoredTensor) -> str:
    return f"{tensor.orig_dtype} {list(tensor.shape)}"


def _array_distance(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> tuple[int, float]:
    """Return how many elements differ in any bit, and the largest difference, which may be NaN."""
    count, largest = 0, 0.0
    for start in range(0, left.size, _BLOCK):
        one, other = left[start : start + _BLOCK], right[start : start + _BLOCK]
        changed = _differ(one, other)
        if changed.any():
            count += int(changed.sum())
            with np.errstate(invalid="ignore", over="ignore"):
                distance = _distance(one[changed], other[changed])
            largest = float(np.maximum(largest, distance.max()))
    return count, largest


def _differ(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return for each element of two arrays whether any bit differs."""
    if left.dtype.kind != "c":
        bits = np.dtype(f"u{left.itemsize}")
        return np.asarray(left.view(bits) != right.view(bits))
    halves = [side.view(f"u{side.itemsize // 2}").reshape(-1, 2) for side in (left, right)]
    return np.asarray((halves[0] != halves[1]).any(axis=1))


def _distance(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if (
        left.dtype.kind in "iu"
    ):  # float64 would round 64-bit integers; unsigned subtraction wraps to the right one
        bits = np.dtype(f"u{left.itemsize}")
        larger, smaller = np.maximum(left, right), np.minimum(left, right)
        return np.asarray(larger.view(bits) - smaller.view(bits), np.float64)
    wide = np.complex128 if left.dtype.kind == "c" else np.float64
    return np.asarray(np.abs(left.astype(wide) - right.astype(wide)), np.float64)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _compare_images(
    section: str, name: str, left: StoredImage | None, right: StoredImage | None
) -> Difference | None:
    if left is None or right is None:
        sides = [None if side is None else f"{side.size_bytes} bytes" for side in (left, right)]
        return Difference(section, name, sides[0], sides[1])
    if left.bytes == right.bytes:
        return None
    try:
        before, now = left.array(), right.array()
    except MalformedChunkError as error:
        sides = [f"{side.size_bytes} bytes" for side in (left, right)]
        return Difference(section, name, sides[0], sides[1], detail=f"pixels not compared: {error}")
    shapes = [f"{side.shape[1]} x {side.shape[0]} x {side.shape[2]}" for side in (before, now)]
    if before.shape != now.shape:
        return Difference(section, name, shapes[0], shapes[1])
    distance = np.abs(before.astype(np.int16) - now)
    if not distance.any():
        return None
    count = np.count_nonzero(distance.any(axis=2))
    detail = f"{count} of {distance[..., 0].size} pixels differ, PSNR {_psnr(distance):.2f} dB"
    return Difference(section, name, shapes[0], shapes[1], float(distance.max()), detail)


def _psnr(distance: npt.NDArray[np.int16]) -> float:
    """Return the peak signal-to-noise ratio in dB of a difference that is not zero everywhere."""
    return 10 * math.log10(_PEAK**2 / float(np.mean(np.square(distance.astype(np.float64)))))

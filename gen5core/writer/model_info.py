"""Settings, prompt, tags and hardware -> META's ``model_info``, checked.

The rules are those of the JSON schema of ``gen5`` 0.1.0, so that tools written for it accept our files.

Source: FORMAT.md, "model_info".
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

import numpy as np

from ..container import strict_json
from ..errors import EncodeError

_Rule = tuple[type | tuple[type, ...], float | None]
"""Type and minimum of a value."""
SETTING_RULES: Mapping[str, _Rule] = {
    "seed": (numbers.Integral, 0),
    "steps": (numbers.Integral, 1),
    "sampler": (str, None),
    "cfg_scale": (numbers.Real, 0),
    "scheduler": (str, None),
    "eta": (numbers.Real, 0),
    "guidance": (str, None),
    "precision": (str, None),
    "deterministic": ((bool, np.bool_), None),
}
_MAXIMA: Mapping[str, int] = {"seed": 2**64 - 1}
HARDWARE_RULES: Mapping[str, _Rule] = {
    "os": (str, None),
    "machine_name": (str, None),
    "cpu": (str, None),
    "cpu_cores": (numbers.Integral, 1),
    "gpu": (list, None),
    "ram_gb": (numbers.Real, 0),
    "framework": (str, None),
    "compute_lib": (str, None),
}
GPU_RULES: Mapping[str, _Rule] = {
    "name": (str, None),
    "memory_gb": (numbers.Real, 0),
    "driver": (str, None),
    "cuda_version": (str, None),
}


def build_model_info(
    *,
    model_name: str,
    model_version: str,
    prompt: str,
    tags: Iterable[str],
    settings: Mapping[str, Any] | None,
    hardware: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return META's ``model_info`` with the current time as its date.

    Settings and hardware that are None or empty get no key. Names without a rule may have any JSON value.

    Raises
    ------
    EncodeError
        naming the field, its value and the rule; or the item that JSON cannot hold.
    """
    info: dict[str, Any] = {
        "model_name": _checked_string(model_name, "model_name"),
        "version": _checked_string(model_version, "model_version"),
        "date": datetime.now(timezone.utc).isoformat(),
        "prompt": _checked_string(prompt, "prompt"),
        "tags": _checked_tags(tags),
    }
    if settings is not None:
        info["generation_settings"] = _checked_fields(settings, SETTING_RULES, "settings")
    if hardware is not None:
        info["hardware_info"] = _checked_fields(hardware, HARDWARE_RULES, "hardware")
        for index, gpu in enumerate(info["hardware_info"].get("gpu", ())):
            what = f"hardware['gpu'][{index}]"
            _checked_fields({"name": None, **as_mapping(gpu, what)}, GPU_RULES, what)
    check_json(settings, "settings")
    check_json(hardware, "hardware")
    return {name: value for name, value in info.items() if value != {}}


def as_mapping(values: Any, what: str) -> dict[str, Any]:
    """Return values as a dict; raise EncodeError if they are not a mapping."""
    if not isinstance(values, Mapping):
        raise EncodeError(f"{what} is a {type(values).__name__}, not a mapping of names to values")
    return dict(values)


def check_json(value: Any, what: str) -> None:
    """Raise EncodeError if value cannot be written as JSON, naming the item at fault, e.g. ``settings['x']``."""
    try:
        strict_json.dumps(value, what)
    except EncodeError as overall_error:
        if isinstance(
            overall_error.__cause__, RecursionError
        ):  # too deep as a whole: no single item is at fault
            raise
        for name, item in _iter_items(value, what):
            try:
                strict_json.dumps(item, name)
            except EncodeError as error:
                raise EncodeError(f"{error}; {_json_remedy(item)}") from error
        raise


def _iter_items(value: Any, what: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of every item that is not a container; a key comes as ``{key: None}``.

    It does not recurse, and visits a container once, so deep nesting and cycles do it no harm.
    """
    pending, seen = [(what, value)], set[int]()
    while pending:
        name, item = pending.pop()
        if not isinstance(item, (Mapping, list, tuple)):
            yield name, item
        elif id(item) not in seen:
            seen.add(id(item))
            if isinstance(item, Mapping):
                yield from ((f"a key of {name}", {key: None}) for key in item)
                pending += [(f"{name}[{_short_key(key)}]", inner) for key, inner in item.items()]
            else:
                pending += [(f"{name}[{index}]", inner) for index, inner in enumerate(item)]


def _short_key(key: object) -> str:
    return f"{key!r:.80}" if isinstance(key, str) else f"<{type(key).__name__}>"


def _json_remedy(item: Any) -> str:
    if isinstance(item, Mapping):
        return "give a string"
    if hasattr(item, "tolist") and not isinstance(item, np.generic):
        return "give its .tolist(), or store it as one of the latents"
    return "give a string, a number that is not huge, True, False, None, or a list or mapping of those"


def _checked_fields(values: Mapping[str, Any], rules: Mapping[str, _Rule], what: str) -> dict[str, Any]:
    found = as_mapping(values, what)
    for name, (kind, minimum) in rules.items():
        if name in found:
            _check_value(name, found[name], kind, minimum, f"{what}[{name!r}]")
    return found


def is_valid_setting(name: str, value: Any) -> bool:
    """Return whether a generation setting keeps its rule; a name without a rule may have any value."""
    kind, minimum = SETTING_RULES.get(name, (object, None))
    try:
        _check_value(name, value, kind, minimum, name)
    except EncodeError:
        return False
    return True


def _check_value(name: str, value: Any, kind: Any, minimum: float | None, what: str) -> None:
    is_number = kind in (numbers.Integral, numbers.Real)
    if not isinstance(value, kind) or (is_number and isinstance(value, bool)):
        names = [part.__name__ for part in (kind if isinstance(kind, tuple) else (kind,))]
        raise EncodeError(f"{what} is {value!r:.80}, not {names[0].lower()}")
    if minimum is not None and not value >= minimum:
        raise EncodeError(f"{what} is {value!r:.80}, it must be at least {minimum}")
    if kind is numbers.Real and not math.isfinite(value):
        raise EncodeError(f"{what} is {value!r}, it must be finite")
    if name in _MAXIMA and int(value) > _MAXIMA[name]:
        raise EncodeError(f"{what} is {value!r:.80}, it must be at most {_MAXIMA[name]}")


def _checked_string(value: str, what: str) -> str:
    if not isinstance(value, str):
        raise EncodeError(f"{what} is {value!r:.80}, not a string")
    return value


def _checked_tags(tags: Iterable[str]) -> list[str]:
    if isinstance(tags, str):
        raise EncodeError(f"tags is the string {tags!r:.80}; give a list of strings")
    if not isinstance(tags, Iterable):
        raise EncodeError(f"tags is {tags!r:.80}; give a list of strings")
    return [_checked_string(tag, "a tag") for tag in tags]

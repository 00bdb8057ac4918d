"""Values that are not what a node usually gets: a tensor of any kind -> one that a file holds, a number -> JSON.

ComfyUI passes on whatever a node returns, and packs return float64, sparse or quantized tensors, tensors as seeds, and
more. One such value must not cost a picture, so each is kept as it is, or left out with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ...gen5core.container import spec
from ...gen5core.errors import EncodeError
from ...gen5core.tensors.dtypes import KNOWN
from .latents import Parts, parts_of

MAX_ITEMS = 4096
"""Numbers of a list that META holds, e.g. one seed per image."""
_MAX_BITS = 256
"""Bits of an integer that META holds as one; no generator takes more than 64."""
_MAX_TEXT = 200
Scalar = int | float | str
Plain = Scalar | tuple[Scalar, ...] | None
"""A seed or cfg as META holds it."""


def keep(value: Any) -> torch.Tensor:
    """Return a tensor as a plain one of equal values, which may share its memory.

    Raises
    ------
    EncodeError
        saying why a file cannot hold it, as the end of a sentence that begins with its name.
    """
    try:
        if (obstacle := _obstacle(value)) is not None:
            raise EncodeError(obstacle)
        plain: torch.Tensor = value.detach().as_subclass(torch.Tensor).resolve_conj().resolve_neg()
        if (plain.shape, plain.dtype) != (value.shape, value.dtype):  # e.g. packed bytes that pose as floats
            raise EncodeError(f"it is a {_type(value)}, whose values only its own code can read")
        return plain
    except EncodeError:
        raise
    except Exception as error:  # a tensor subclass of a pack may raise anything
        raise EncodeError(f"it is a {_type(value)} that cannot be read ({_text(error)})") from error


def keep_parts(samples: Any) -> Parts:
    """Return the tensors of a latent as ``keep`` does.

    Raises
    ------
    EncodeError
        as ``keep``.
    """
    try:
        parts = parts_of(samples)
    except Exception as error:  # as in keep
        raise EncodeError(f"it is a {_type(samples)} that cannot be read ({_text(error)})") from error
    if not parts:
        raise EncodeError("it has no parts")
    return [keep(part) for part in parts]


def copy_to_cpu(value: Any) -> torch.Tensor:
    """Return a copy of a tensor on the CPU, which later writes into the original do not change.

    Raises
    ------
    EncodeError
        as ``keep``.
    """
    plain = keep(value)
    try:
        return plain.to("cpu", copy=True)
    except Exception as error:  # a device of its own may raise anything, e.g. out of memory
        raise EncodeError(f"it cannot be copied to the CPU ({_text(error)})") from error


def plain_value(value: Any) -> Plain:
    """Return a seed or cfg as JSON can hold it: numbers as they are, one from a tensor or from numpy as Python's.

    A list, and a tensor of several values, become a tuple. What JSON has no number for (NaN, infinities, complex
    numbers, integers of thousands of digits) and any other object becomes a text that says what it was.
    """
    if value is None or isinstance(value, str):
        return value if value is None else value[:_MAX_TEXT]
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return _plain_array(value)
    if isinstance(value, (list, tuple)):
        if len(value) > MAX_ITEMS:
            return f"a list of {len(value)} items"
        return tuple(_plain_scalar(item) for item in value)
    return _plain_scalar(value)


def plain_indices(value: Any) -> list[int] | None:
    """Return a LATENT's ``batch_index`` as a list; None if it is not a sequence of whole numbers."""
    found = plain_value(value)
    numbers = (found,) if isinstance(found, (int, float)) else found
    if not isinstance(numbers, tuple):
        return None
    whole = [int(number) for number in numbers if isinstance(number, (int, float)) and number == int(number)]
    return whole if len(whole) == len(numbers) else None


def _obstacle(value: Any) -> str | None:
    """Return why a file cannot hold a value as a tensor; None if it can."""
    if not isinstance(value, torch.Tensor):
        return f"it is a {_type(value)}, not a tensor"
    if type(value).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return f"it is a {_type(value)}, whose values only its own code can read"
    if value.is_meta:
        return "it is a meta tensor, which has no values"
    if value.is_quantized or value.layout != torch.strided:
        kind = "quantized" if value.is_quantized else str(value.layout).removeprefix("torch.")
        return f"it is a {kind} tensor, not one of plain values"
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in KNOWN:
        return f"it is {dtype}, which a file cannot hold without loss"
    if value.is_nested or value.ndim >= spec.MAX_DIMENSIONS:
        return "it is nested" if value.is_nested else f"it has {value.ndim} dimensions"
    return None


def _plain_array(value: torch.Tensor | np.ndarray[Any, Any]) -> Plain:
    try:
        array = value if isinstance(value, np.ndarray) else keep(value).cpu()
        if math.prod(array.shape) > MAX_ITEMS:
            return f"a tensor of shape {list(array.shape)}"
        numbers = tuple(_plain_scalar(item) for item in array.reshape(-1).tolist())
        return numbers[0] if len(numbers) == 1 else numbers
    except Exception as error:  # as in keep
        return f"a {_type(value)} ({_text(error)})"[:_MAX_TEXT]


def _plain_scalar(value: Any) -> Scalar:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        found = _plain_array(value)
        return found if isinstance(found, (int, float, str)) else f"a {_type(value)}"
    if isinstance(value, int):  # a bool too: True seeds a generator as 1 does
        return int(value) if value.bit_length() <= _MAX_BITS else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return value[:_MAX_TEXT] if isinstance(value, str) else f"a {_type(value)}"


def _type(value: Any) -> str:
    return type(value).__name__


def _text(error: Exception) -> str:
    lines: Sequence[str] = str(error).strip().splitlines()
    return lines[0][:_MAX_TEXT] if lines else type(error).__name__

"""Strict JSON: any JSON parser can read what is written, and no input can exhaust the parser.

Source: RFC 8259; FORMAT.md, "META".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NoReturn

import numpy as np

from ..errors import EncodeError, LimitError, MalformedChunkError
from . import spec

_SEPARATORS = (",", ":")
_NO_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^][{}"]+')
"""What is between the brackets of a valid JSON text."""
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
_BLOCK_CHARACTERS = 2**18
_QUOTE, _VALUE = 1, 2
_MARKS = np.zeros(256, np.uint8)
"""What each byte is outside strings: the quotation mark, a mark that a value starts or follows, or neither."""
_MARKS[ord('"')] = _QUOTE
_MARKS[list(b"[{,")] = _VALUE


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


DEFAULT_LIMITS = spec.Limits()
DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""Decodes JSON without Python's extensions: NaN, Infinity, -Infinity."""
LENIENT_DECODER = json.JSONDecoder()
"""Decodes those too: version 1.0 files contain them, e.g. for a cfg_scale that is NaN."""


def dumps(value: Any, what: str) -> str:
    """Return value as compact JSON; NaN and infinities become null, as in JSON.stringify.

    Parameters
    ----------
    what : how errors name the value

    Raises
    ------
    EncodeError
        if value contains something that JSON cannot represent (a set, bytes, a cycle).
    """
    try:
        try:
            return _dumps(value)
        except ValueError:
            return _dumps(without_nan(value))
    except (TypeError, ValueError) as error:
        raise EncodeError(f"{what} cannot be written as JSON: {error}") from error
    except RecursionError as error:
        raise EncodeError(
            f"{what} cannot be written as JSON: it is nested too deeply, or contains itself"
        ) from error


def without_nan(value: Any) -> Any:
    """Return a copy of value with None in place of every NaN and infinity."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, (float, np.floating)) and not math.isfinite(value):
        return None
    return value


def loads(
    text: str,
    *,
    chunk: str,
    offset: int | None,
    decoder: json.JSONDecoder = DECODER,
    limits: spec.Limits = DEFAULT_LIMITS,
) -> Any:
    """Return the value of a JSON text; parsing is strict unless another decoder is given.

    Raises
    ------
    LimitError
        if it may contain more values than the limits allow; checked before parsing.
    MalformedChunkError
        for everything else: not JSON, NaN, numbers that are too long, nesting that is too deep.
    """
    check_values(text, limits, chunk=chunk, offset=offset)
    try:
        value = decoder.decode(text)
    except RecursionError as error:
        raise MalformedChunkError("its JSON is nested too deeply", chunk=chunk, offset=offset) from error
    except ValueError as error:
        raise MalformedChunkError(
            f"its text is not strict JSON ({error})", chunk=chunk, offset=offset
        ) from error
    if is_too_deep(text):
        raise MalformedChunkError("its JSON is nested too deeply", chunk=chunk, offset=offset)
    return value


def is_too_deep(text: str) -> bool:
    """Return whether a valid JSON text has more objects and lists inside one another than readers accept.

    Python's own limit depends on how deep the caller's stack is, and differs between its versions.
    """
    if text.count("[") + text.count("{") <= spec.MAX_JSON_DEPTH:
        return False
    brackets = _NO_BRACKETS.sub("", text)
    return max(accumulate(map(_STEPS.__getitem__, brackets))) > spec.MAX_JSON_DEPTH


def check_values(text: str, limits: spec.Limits, *, chunk: str, offset: int | None) -> None:
    """Check how many values text may contain: each value starts a list or object, or follows a comma.

    Raises
    ------
    LimitError
    """
    maximum = limits.json_values
    if may_exceed(text, maximum) and (count := count_values(text)) > maximum:
        raise LimitError(
            f"its JSON may hold {count} values, the limit is {maximum}",
            chunk=chunk,
            offset=offset,
            raisable=True,
        )


def may_exceed(text: str, maximum: int) -> bool:
    """Return whether text may hold more than maximum values, counting marks in strings too, which is cheap."""
    return len(text) > maximum and sum(map(text.count, "[{,")) > maximum


def count_values(text: str) -> int:
    """Return an upper bound for the number of values in a JSON text; marks inside its strings do not count.

    It goes through the text in blocks, since a forged text may be one of 64 MiB, or millions of strings.
    """
    count, start, is_inside = 0, 0, False
    while start < len(text):
        block = text[start : start + _BLOCK_CHARACTERS]
        if (len(block) - len(block.rstrip("\\"))) % 2:  # its last escape goes on in the next block
            block = text[start : start + _BLOCK_CHARACTERS + 1]
        start += len(block)
        # Pairs of backslashes go first, so that one before a quotation mark is the start of an escape.
        bare = block.replace("\\\\", "").replace('\\"', "").encode("utf-8", "replace")
        kinds = _MARKS[np.frombuffer(bare, np.uint8)]
        inside = np.bitwise_xor.accumulate(kinds & _QUOTE) ^ is_inside
        count += int(np.count_nonzero((kinds & _VALUE).astype(bool) & ~inside.astype(bool)))
        is_inside = bool(inside[-1]) if inside.size else is_inside
    return count


def decode_utf8(data: bytes | memoryview, *, chunk: str, offset: int | None) -> str:
    """Return data decoded as UTF-8.

    Raises
    ------
    MalformedChunkError
        if it is not UTF-8.
    """
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedChunkError(f"its text is not UTF-8 ({error})", chunk=chunk, offset=offset) from error


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=_SEPARATORS, default=_plain)


def _plain(value: Any) -> Any:
    """Return the JSON equivalent of a numpy scalar or of a Mapping that is not a dict."""
    if isinstance(value, np.generic):
        return without_nan(value.item())
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}")

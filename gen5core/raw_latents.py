"""Raw tensors <-> latents as they are stored, exact to the bit; torch only for the float8 that need it.

Source: FORMAT.md, "Tensors".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .chunks import Payload
from .errors import UnsupportedDtypeError
from .safetensors_file import RawTensor
from .stored import StoredTensor
from .tensors import FLAGS_BY_DTYPE, encode_tensor

_UPPER_HALVES: Final = {"bfloat16": (np.uint16, np.uint32, 16), "float8_e5m2": (np.uint8, np.uint16, 8)}
"""Narrow dtypes that are the upper half of the one they are stored as: bits, its bits, the shift."""


def encode_raw(raw: RawTensor) -> Payload:
    """Return a raw tensor as the payload of a latent.

    Raises
    ------
    EncodeError
        if no row of the format describes it.
    UnsupportedDtypeError
        if it is float8 and there is no torch that knows it.
    """
    if raw.dtype in FLAGS_BY_DTYPE:
        values = np.frombuffer(raw.data, np.dtype(raw.dtype).newbyteorder("<"))
        return encode_tensor(raw.name, values.reshape(raw.shape))
    if raw.dtype not in _UPPER_HALVES:
        return encode_tensor(raw.name, _as_torch(raw))
    narrow, wide, shift = _UPPER_HALVES[raw.dtype]
    bits = np.frombuffer(raw.data, np.dtype(narrow).newbyteorder("<")).astype(wide) << wide(shift)
    stored = np.asarray(bits, wide).view(np.float32 if wide is np.uint32 else np.float16)
    payload = encode_tensor(raw.name, stored.reshape(raw.shape))
    return replace(payload, extra={**payload.extra, "orig_dtype": raw.dtype})


def _as_torch(raw: RawTensor) -> Any:
    try:
        import torch

        dtype = getattr(torch, raw.dtype)
    except (ImportError, AttributeError) as error:
        raise UnsupportedDtypeError(
            f"tensor {raw.name!r} is {raw.dtype}, which takes a torch that knows it: pip install -U torch"
        ) from error
    data = torch.from_numpy(np.frombuffer(raw.data, np.uint8).copy())
    return data.view(dtype).reshape(raw.shape)


def raw_tensor(tensor: StoredTensor, name: str) -> RawTensor:
    """Return a stored latent as the bits that were handed in, in the dtype that was saved.

    Raises
    ------
    FormatError
        if the bytes do not match.
    ChunkNotFoundError
        if the latent is nested.
    ImportError
        if it is float8 and torch is not installed.
    """
    dtype = tensor.orig_dtype
    if dtype in _UPPER_HALVES:
        narrow, wide, shift = _UPPER_HALVES[dtype]
        bits: npt.NDArray[Any] = (tensor.array().reshape(-1).view(wide) >> wide(shift)).astype(narrow)
    elif dtype in FLAGS_BY_DTYPE:
        bits = tensor.array().reshape(-1)
    else:
        import torch

        bits = tensor.torch().reshape(-1).view(torch.uint8).numpy()
    little = np.ascontiguousarray(bits, bits.dtype.newbyteorder("<"))
    return RawTensor(name, dtype, tensor.shape, little.view(np.uint8).data)


def raw_tensors(tensor: StoredTensor) -> list[RawTensor]:
    """Return a latent under its name, a nested one as ``name.part0``, ``name.part1`` …

    Raises
    ------
    FormatError, ImportError
        as ``raw_tensor``.
    """
    parts = tensor.parts
    if len(parts) == 1:
        return [raw_tensor(tensor, tensor.name)]
    return [raw_tensor(part, f"{tensor.name}.part{index}") for index, part in enumerate(parts)]

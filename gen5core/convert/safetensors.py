"""Safetensors files <-> raw tensors: bytes and the name of a dtype, without an array library in between.

numpy has no bfloat16 or float8, and torch may be missing, so tensors are passed as bytes.

Source: the README of huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..container import spec, strict_json
from ..container.chunks import Payload
from ..container.source import FileSource
from ..errors import EncodeError, FormatError, UnsupportedDtypeError
from ..tensors.codec import TensorSpec, latent_payload
from ..tensors.dtypes import LAYOUTS, NATIVE, little_endian, narrow, stored_as, widen
from ..tensors.stored import StoredTensor

DTYPES: Final[Mapping[str, str]] = {
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F64": "float64",
    "C64": "complex64",
    "BOOL": "bool",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
}
"""The dtypes that a GEN5 file stores without loss: safetensors' name -> torch's name."""
_CODES: Final = {dtype: code for code, dtype in DTYPES.items()}
MAX_FILE_BYTES: Final = spec.MAX_FILE_BYTES
"""A larger file would not fit into one GEN5 file."""
_LENGTH: Final = struct.Struct("<Q")
_ALIGNMENT: Final = 8
_METADATA: Final = "__metadata__"
Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class RawTensor:
    """A tensor as its little-endian bytes in C order."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Buffer


def load_tensors(path: str | os.PathLike[str]) -> tuple[list[RawTensor], dict[str, str]]:
    """Return the tensors of a safetensors file, sorted by name, and its metadata.

    Raises
    ------
    EncodeError, UnsupportedDtypeError
        if the file is not valid, or has a tensor that a GEN5 file cannot store.
    OSError
        from the file system.
    """
    import safetensors

    data = _read_file(path)
    deserialize: Any = safetensors.deserialize  # only some versions have type annotations
    try:
        found = deserialize(data)
    except (safetensors.SafetensorError, ValueError, OverflowError) as error:
        raise EncodeError(f"is not a valid safetensors file ({error}); take another copy") from error
    tensors = [_raw_tensor(name, fields) for name, fields in sorted(found, key=lambda item: item[0])]
    return tensors, _read_metadata(data)


def encode_tensors(tensors: Iterable[RawTensor], metadata: Mapping[str, str]) -> list[bytes | memoryview]:
    """Return a safetensors file as a list of buffers, widest dtypes first, so that every tensor is aligned.

    Raises
    ------
    EncodeError
        if a name is not valid in a safetensors file or used twice, or safetensors has no such dtype.
    """
    ordered = sorted(tensors, key=lambda tensor: (-_item_bytes(tensor.dtype), tensor.name))
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    offset = 0
    for tensor in ordered:
        _check_name(tensor.name, header)
        if tensor.dtype not in _CODES:
            raise UnsupportedDtypeError(
                f"latent {tensor.name!r} is {tensor.dtype}, which safetensors does not have: extract it as .npy"
            )
        end = offset + len(tensor.data)
        header[tensor.name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % _ALIGNMENT)
    return [_LENGTH.pack(len(text)), text, *(memoryview(tensor.data) for tensor in ordered)]


def _item_bytes(dtype: str) -> int:
    return np.dtype(dtype).itemsize if dtype in NATIVE else LAYOUTS[dtype].item_bytes


def _check_name(name: str, header: Mapping[str, Any]) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EncodeError(f"latent {name!r} has half a surrogate pair in its name: rename it") from error
    if name in header or name == _METADATA:
        raise EncodeError(
            f"two latents would be named {name!r} in the safetensors file: export only one of them"
        )


def _read_file(path: str | os.PathLike[str]) -> bytes:
    source = FileSource(path)
    try:
        if source.size_bytes > MAX_FILE_BYTES:
            raise EncodeError(
                f"has {source.size_bytes} bytes, a GEN5 file has at most {MAX_FILE_BYTES}: split it first"
            )
        return source.read(0, source.size_bytes, chunk="safetensors")
    finally:
        source.close()


def _raw_tensor(name: str, fields: Mapping[str, Any]) -> RawTensor:
    code, shape = str(fields["dtype"]), tuple(fields["shape"])
    if code not in DTYPES:
        raise UnsupportedDtypeError(
            f"tensor {name!r} is {code}; a GEN5 file stores only {', '.join(DTYPES)} without loss: convert it first"
        )
    # Sizes of 0 are left out of the product: numpy checks the others for overflow all the same.
    if len(shape) > spec.MAX_DIMENSIONS or math.prod(size for size in shape if size) > spec.U32_MAX:
        raise EncodeError(f"tensor {name!r} has shape {shape!r:.200}, which a GEN5 file cannot store")
    return RawTensor(name, DTYPES[code], shape, fields["data"])


def _read_metadata(data: bytes) -> dict[str, str]:
    (size_bytes,) = _LENGTH.unpack_from(data)
    try:
        text = strict_json.decode_utf8(data[8 : 8 + size_bytes], chunk="header", offset=8)
        header = strict_json.loads(text, chunk="header", offset=8)
    except FormatError as error:
        raise EncodeError(f"is not a valid safetensors file ({error}); take another copy") from error
    metadata = header.get(_METADATA) or {}
    return {str(name): str(value) for name, value in metadata.items()}


def encode_raw(raw: RawTensor) -> Payload:
    """Return a raw tensor as the payload of a latent.

    Raises
    ------
    UnsupportedDtypeError
        as ``stored_values``.
    """
    values = stored_values(raw)
    return latent_payload(TensorSpec(raw.name, raw.shape, stored_as(raw.dtype), raw.dtype), values)


def stored_values(raw: RawTensor) -> npt.NDArray[Any]:
    """Return the values of a raw tensor without loss, in the dtype in which ``StoredTensor.array`` returns them.

    Raises
    ------
    UnsupportedDtypeError
        if it is float8 and torch is missing or too old for it.
    """
    if raw.dtype in NATIVE:
        little = np.frombuffer(raw.data, np.dtype(raw.dtype).newbyteorder("<"))
        return little.astype(raw.dtype, copy=False).reshape(raw.shape)
    width = LAYOUTS[raw.dtype].bits
    bits = np.frombuffer(raw.data, f"<{width}").astype(width, copy=False)
    try:
        return widen(bits, raw.dtype).reshape(raw.shape)
    except (ImportError, AttributeError) as error:
        raise UnsupportedDtypeError(
            f"tensor {raw.name!r} is {raw.dtype}, which needs a torch that supports it: pip install -U torch"
        ) from error


def raw_tensor(tensor: StoredTensor, name: str) -> RawTensor:
    """Return a stored latent bit for bit as it was passed to ``save``, in its original dtype.

    Raises
    ------
    FormatError
        if the bytes do not match.
    ChunkNotFoundError
        if the latent is nested.
    ImportError
        if it is float8 and torch is not installed.
    """
    array = tensor.array()
    bits = array if tensor.orig_dtype in NATIVE else narrow(array, tensor.orig_dtype)
    return RawTensor(name, tensor.orig_dtype, tensor.shape, little_endian(bits))


def raw_tensors(tensor: StoredTensor) -> list[RawTensor]:
    """Return a latent under its name, or the parts of a nested one as ``name.part0``, ``name.part1`` …

    Raises
    ------
    FormatError, ImportError
        as ``raw_tensor``.
    """
    parts = tensor.parts
    if len(parts) == 1:
        return [raw_tensor(tensor, tensor.name)]
    return [raw_tensor(part, f"{tensor.name}.part{index}") for index, part in enumerate(parts)]

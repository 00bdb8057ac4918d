"""ndarray or torch tensor <-> payload, in C order of the logical array; torch is imported only if needed.

Source: FORMAT.md, "Tensors".
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..container import spec
from ..container.chunks import Payload
from ..container.fields import Fields
from ..container.records import ChunkRow
from ..errors import EncodeError, UnsupportedDtypeError
from .dtypes import LAYOUTS, little_endian, narrow, widen

if TYPE_CHECKING:
    import torch

FLAGS_BY_DTYPE = {"float32": "F32\0", "float16": "F16\0"}
DTYPE_BY_FLAGS = {flags.rstrip("\0"): dtype for dtype, flags in FLAGS_BY_DTYPE.items()}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and dtype of a stored tensor, known without reading its values."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As stored: ``float32`` or ``float16``."""
    orig_dtype: str
    """As it was saved, e.g. ``bfloat16``; equal to dtype if nothing was widened."""
    part: int | None = None
    """Position inside a nested latent (audio + video); None for a plain one."""


def payload_bytes(name: str, tensor: Any, *, half: bool = False) -> int:
    """Return the size in bytes of the payload that ``encode_tensor`` would return; nothing is converted.

    Raises
    ------
    UnsupportedDtypeError, EncodeError
        as ``encode_tensor``, if that does not depend on the values.
    """
    dtype, shape = _describe(name, tensor)
    stored_as = "float16" if half and dtype == "float32" else LAYOUTS[dtype].stored_as
    return math.prod(shape) * LAYOUTS[stored_as].item_bytes


def encode_tensor(name: str, tensor: Any, *, part: int | None = None, half: bool = False) -> Payload:
    """Return a latent as a payload; a C-contiguous little-endian float array is not copied.

    Parameters
    ----------
    tensor : ndarray or torch tensor of any shape; float32, float16, bfloat16 or a float8
    part : position inside a nested latent
    half : store float32 as float16; the others stay lossless

    Raises
    ------
    UnsupportedDtypeError
        if the format cannot hold the dtype, or the mask of a masked array, without loss.
    EncodeError
        if half would turn a finite value into infinity, or there are too many dimensions.
    """
    orig_dtype, _ = _describe(name, tensor)
    array = _stored_array(tensor, orig_dtype)
    if half and orig_dtype == "float32":
        array, orig_dtype = _halved(name, array), "float16"
    return latent_payload(TensorSpec(name, array.shape, array.dtype.name, orig_dtype, part), array)


def latent_payload(spec_: TensorSpec, array: npt.NDArray[Any]) -> Payload:
    """Return an array of the stored dtype and of spec_'s shape as a payload, with the row that spec_ describes.

    A C-contiguous little-endian array is not copied. ``parse_tensor_spec`` of the row returns spec_ again.
    """
    extra: dict[str, Any] = {"shape": list(spec_.shape), "dtype": spec_.dtype, "key": spec_.name}
    if spec_.orig_dtype != spec_.dtype:
        extra["orig_dtype"] = spec_.orig_dtype
    if spec_.part is not None:
        extra["part"] = spec_.part
    return Payload(spec.LATN, FLAGS_BY_DTYPE[spec_.dtype], little_endian(array), extra)


def parse_tensor_spec(row: ChunkRow) -> TensorSpec:
    """Return the tensor that a LATN row describes; without a name it is ``latent_<index>``.

    Raises
    ------
    MalformedChunkError
        if flags, shape and size contradict each other, or a field has another kind of value.
    """
    fields = Fields(row.extra, "extra", chunk=row, offset=row.offset)
    dtype = DTYPE_BY_FLAGS.get(row.flags.rstrip("\0"))
    if dtype is None:
        raise fields.error(f"its flags are {row.flags!r}, those of a latent must be F32 or F16")
    shape = _parse_shape(fields)
    expected = math.prod(shape) * LAYOUTS[dtype].item_bytes
    if expected != row.uncompressed_size:
        raise fields.error(
            f"{dtype} of shape {list(shape)} takes {expected} bytes, the table says {row.uncompressed_size}"
        )
    orig_dtype = fields.get("orig_dtype", str, dtype)
    layout = LAYOUTS.get(orig_dtype)
    if layout is None or layout.stored_as != dtype:
        raise fields.invalid("orig_dtype", f"one that is stored as {dtype}")
    return TensorSpec(
        name=fields.get("key", str, f"latent_{row.index}"),
        shape=shape,
        dtype=dtype,
        orig_dtype=orig_dtype,
        part=fields.optional("part", int),
    )


def decode_array(spec_: TensorSpec, payload: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Return payload as an array of the stored dtype and shape that shares its memory."""
    return payload.view(np.dtype(spec_.dtype).newbyteorder("<")).reshape(spec_.shape).view(spec_.dtype)


def decode_torch(spec_: TensorSpec, array: npt.NDArray[Any]) -> torch.Tensor:
    """Return array as a CPU tensor of the dtype that was saved, bit for bit."""
    import torch

    bits = narrow(array, spec_.orig_dtype)
    # torch.from_numpy takes signed integers of every width, unsigned ones only of some.
    return torch.from_numpy(bits.view(f"i{bits.itemsize}")).view(getattr(torch, spec_.orig_dtype))


def is_torch_tensor(value: Any) -> bool:
    """Return whether value is a torch tensor, without importing torch."""
    torch_module = sys.modules.get("torch")
    return torch_module is not None and isinstance(value, torch_module.Tensor)


def _describe(name: str, tensor: Any) -> tuple[str, tuple[int, ...]]:
    """Return dtype and shape of tensor; raise an error if a row of the format cannot describe it."""
    if is_torch_tensor(tensor):
        if str(tensor.layout) != "torch.strided" or tensor.is_meta:
            raise UnsupportedDtypeError(
                f"latent {name!r} is a tensor without plain values ({tensor.layout} on {tensor.device}): "
                "convert it with .to_dense() first"
            )
        dtype = str(tensor.dtype).removeprefix("torch.")
    elif isinstance(tensor, np.ma.MaskedArray):
        raise UnsupportedDtypeError(
            f"latent {name!r} is a masked array, and the format has no place for its mask: "
            "give its .filled(0), or its .data to keep the values under the mask"
        )
    elif isinstance(tensor, (np.ndarray, np.generic)):
        dtype = tensor.dtype.name
    else:
        raise UnsupportedDtypeError(
            f"latent {name!r} is a {type(tensor).__name__}; give a numpy array or a torch tensor"
        )
    if dtype not in LAYOUTS:
        raise UnsupportedDtypeError(
            f"latent {name!r} is {dtype}; the format holds {', '.join(LAYOUTS)} without loss: convert it first"
        )
    if tensor.ndim > spec.MAX_DIMENSIONS:
        raise EncodeError(f"latent {name!r} has {tensor.ndim} dimensions, the limit is {spec.MAX_DIMENSIONS}")
    return dtype, tuple(tensor.shape)


def _stored_array(tensor: Any, dtype: str) -> npt.NDArray[Any]:
    """Return tensor as a float32 or float16 array that keeps every bit."""
    layout = LAYOUTS[dtype]
    if is_torch_tensor(tensor):
        return widen(_torch_bits(tensor), dtype)
    array = np.asarray(tensor)
    if layout.is_upper_half:  # a numpy array of this dtype comes from ml_dtypes
        return widen(array.view(layout.bits), dtype)
    return array.astype(layout.stored_as, copy=False)


def _torch_bits(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """Return the bits of a tensor's values as unsigned integers; those of a contiguous CPU tensor share its memory."""
    import torch

    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    signed = {1: torch.int8, 2: torch.int16, 4: torch.int32}[plain.element_size()]
    bits: npt.NDArray[Any] = plain.view(signed).numpy()
    return bits.view(f"u{bits.itemsize}")


def _halved(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    lost = np.isinf(half) & np.isfinite(array)
    if lost.any():
        worst = float(np.abs(array[lost]).max())
        raise EncodeError(
            f"latent {name!r} holds {worst:g}, the largest float16 is 65504: save it without half precision"
        )
    return half


def _parse_shape(fields: Fields) -> tuple[int, ...]:
    shape = fields.numbers("shape", spec.U32_MAX)
    if len(shape) > spec.MAX_DIMENSIONS:
        raise fields.invalid("shape", f"a list of at most {spec.MAX_DIMENSIONS} sizes, it has {len(shape)}")
    # numpy refuses an array whose other sizes overflow, even if one size is zero
    if math.prod(size for size in shape if size) > spec.U32_MAX:
        raise fields.error(f"its shape {shape} has more elements than a file can hold")
    return tuple(shape)

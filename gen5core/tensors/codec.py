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
from ..errors import EncodeError, MalformedChunkError, UnsupportedDtypeError
from .dtypes import (
    KNOWN,
    LAYOUTS,
    NATIVE,
    from_stored,
    little_endian,
    narrow,
    stored_as,
    stored_shape,
    to_stored,
    widen,
)

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
    """As it was saved, e.g. ``bfloat16`` or ``float64``; equal to dtype if it is stored as it was."""
    part: int | None = None
    """Position inside a nested latent (audio + video); None for a plain one."""

    @property
    def array_dtype(self) -> str:
        """The dtype of ``decode_array``: numpy's own where it has orig_dtype, else the stored one."""
        return self.orig_dtype if self.orig_dtype in NATIVE else self.dtype

    @property
    def stored_bytes(self) -> int:
        """The size of the payload."""
        return math.prod(stored_shape(self.shape, self.orig_dtype)) * LAYOUTS[self.dtype].item_bytes


def payload_bytes(name: str, tensor: Any, *, half: bool = False) -> int:
    """Return the size in bytes of the payload that ``encode_tensor`` would return; nothing is converted.

    Raises
    ------
    UnsupportedDtypeError, EncodeError
        as ``encode_tensor``, if that does not depend on the values.
    """
    dtype, shape = _describe(name, tensor)
    stored = "float16" if half and dtype == "float32" else stored_as(dtype)
    return TensorSpec(name, shape, stored, dtype).stored_bytes


def encode_tensor(name: str, tensor: Any, *, part: int | None = None, half: bool = False) -> Payload:
    """Return a latent as a payload; a C-contiguous little-endian float array is not copied.

    Parameters
    ----------
    tensor : ndarray or torch tensor of any shape, of a dtype in ``dtypes.KNOWN``
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
    return latent_payload(
        TensorSpec(name, array.shape, _dtype_of(array, orig_dtype), orig_dtype, part), array
    )


def latent_payload(spec_: TensorSpec, array: npt.NDArray[Any]) -> Payload:
    """Return an array as ``decode_array`` returns it as a payload, with the row that spec_ describes.

    A C-contiguous little-endian float array is not copied. ``parse_tensor_spec`` of the row returns spec_ again.
    """
    shape = list(stored_shape(spec_.shape, spec_.orig_dtype))
    extra: dict[str, Any] = {"shape": shape, "dtype": spec_.dtype, "key": spec_.name}
    if spec_.orig_dtype in NATIVE:
        extra["value_dtype"] = spec_.orig_dtype
        array = to_stored(array, spec_.orig_dtype)
    elif spec_.orig_dtype != spec_.dtype:
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
    orig_dtype = _parse_native(fields, dtype, shape) or _parse_widened(fields, dtype)
    has_words = orig_dtype in NATIVE and NATIVE[orig_dtype].words
    return TensorSpec(
        name=fields.get("key", str, f"latent_{row.index}"),
        shape=shape[:-1] if has_words else shape,
        dtype=dtype,
        orig_dtype=orig_dtype,
        part=fields.optional("part", int),
    )


def decode_array(spec_: TensorSpec, payload: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Return payload as an array of spec_'s shape and ``array_dtype``; a float array shares its memory.

    Raises
    ------
    MalformedChunkError
        if the dtype that was saved does not have one of the values.
    """
    shape = stored_shape(spec_.shape, spec_.orig_dtype)
    stored = payload.view(np.dtype(spec_.dtype).newbyteorder("<")).reshape(shape)
    if spec_.orig_dtype not in NATIVE:
        return stored.view(spec_.dtype)
    try:
        return from_stored(stored, spec_.orig_dtype)
    except ValueError as error:
        raise MalformedChunkError(f"latent {spec_.name!r:.80} {error}", chunk=spec.LATN) from error


def decode_torch(spec_: TensorSpec, array: npt.NDArray[Any]) -> torch.Tensor:
    """Return array as a CPU tensor of the dtype that was saved, bit for bit."""
    import torch

    if spec_.orig_dtype in NATIVE:
        return torch.from_numpy(array)
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
    if dtype not in KNOWN:
        raise UnsupportedDtypeError(
            f"latent {name!r} is {dtype}; the format holds {', '.join(KNOWN)} without loss: convert it first"
        )
    most = spec.MAX_DIMENSIONS - len(stored_shape((), dtype))
    if tensor.ndim > most:
        raise EncodeError(f"latent {name!r} has {tensor.ndim} dimensions, the limit is {most}")
    return dtype, tuple(tensor.shape)


def _stored_array(tensor: Any, dtype: str) -> npt.NDArray[Any]:
    """Return tensor as an array that keeps every bit: float32, float16 or of a dtype in NATIVE."""
    if dtype in NATIVE:
        return _plain(tensor).numpy() if is_torch_tensor(tensor) else np.asarray(tensor)
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

    plain = _plain(tensor)
    signed = {1: torch.int8, 2: torch.int16, 4: torch.int32}[plain.element_size()]
    bits: npt.NDArray[Any] = plain.view(signed).numpy()
    return bits.view(f"u{bits.itemsize}")


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor on the CPU whose memory holds its values in C order."""
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()


def _dtype_of(array: npt.NDArray[Any], orig_dtype: str) -> str:
    return stored_as(orig_dtype) if orig_dtype in NATIVE else array.dtype.name


def _parse_native(fields: Fields, dtype: str, shape: tuple[int, ...]) -> str | None:
    """Return the ``value_dtype`` of a LATN; None if it has none."""
    name = fields.optional("value_dtype", str)
    if name is None:
        return None
    native = NATIVE.get(name)
    if native is None or native.stored_as != dtype or fields.optional("orig_dtype", str) is not None:
        raise fields.invalid("value_dtype", f"one that is stored as {dtype}, without an orig_dtype")
    if native.words and shape[-1:] != (native.words,):
        raise fields.error(
            f"a value of {name} takes {native.words} words, so its shape cannot end otherwise: {list(shape)}"
        )
    return name


def _parse_widened(fields: Fields, dtype: str) -> str:
    name = fields.get("orig_dtype", str, dtype)
    layout = LAYOUTS.get(name)
    if layout is None or layout.stored_as != dtype:
        raise fields.invalid("orig_dtype", f"one that is stored as {dtype}")
    return name


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

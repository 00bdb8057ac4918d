"""The latents of an open file, by name: shapes and dtypes are known from META, values are read on access."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..container import spec
from ..container.payloads import ReadPayload
from ..container.records import ChunkRow
from ..errors import ChunkNotFoundError, MalformedChunkError
from ..files.threads import run_each
from .codec import TensorSpec, decode_array, decode_torch, parse_tensor_spec

if TYPE_CHECKING:
    import torch


class StoredTensor:
    """One latent; ``array()`` reads its values and checks them.

    A nested latent (audio + video) has several ``parts``; a plain one is its own and only part.
    """

    def __init__(self, name: str, pieces: Sequence[tuple[TensorSpec, ChunkRow]], read: ReadPayload) -> None:
        self.name = name
        self._pieces = tuple(pieces)
        self._read = read

    def __repr__(self) -> str:
        shapes = " + ".join(f"{spec_.orig_dtype} {list(spec_.shape)}" for spec_, _ in self._pieces)
        return f"<StoredTensor {self.name!r} {shapes}>"

    @property
    def parts(self) -> tuple[StoredTensor, ...]:
        """The tensors of a nested latent, in order."""
        if len(self._pieces) == 1:
            return (self,)
        return tuple(StoredTensor(self.name, (piece,), self._read) for piece in self._pieces)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._single()[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of ``array()``: float32 or float16, unless numpy has the one that was saved (float64, int8 …)."""
        return np.dtype(self._single()[0].array_dtype)

    @property
    def stored_dtype(self) -> str:
        """Name of the dtype in the file: ``float32`` or ``float16``."""
        return self._single()[0].dtype

    @property
    def size_bytes(self) -> int:
        """The size of the values in the file, uncompressed."""
        return self._single()[0].stored_bytes

    @property
    def orig_dtype(self) -> str:
        """Name of the dtype that was saved and that ``torch()`` returns, e.g. ``bfloat16``."""
        return self._single()[0].orig_dtype

    def array(self) -> npt.NDArray[Any]:
        """Return the values in new writable memory, checked as they are read.

        Raises
        ------
        FormatError
            in one of its kinds, if the bytes do not match.
        ChunkNotFoundError
            if the latent is nested.
        """
        spec_, row = self._single()
        return decode_array(spec_, self._read(row))

    def torch(self) -> torch.Tensor:
        """Return the values as a CPU tensor of the dtype that was saved, bit for bit.

        Raises
        ------
        FormatError, ChunkNotFoundError
            as ``array()``.
        ImportError
            if torch is not installed.
        """
        return decode_torch(self._single()[0], self.array())

    def _single(self) -> tuple[TensorSpec, ChunkRow]:
        if len(self._pieces) > 1:
            raise ChunkNotFoundError(
                f"latent {self.name!r} is nested, with {len(self._pieces)} parts: use .parts[0] and so on"
            )
        return self._pieces[0]


class Latents(Mapping[str, StoredTensor]):
    """The latents of a file by name.

    In a file of version 1.0 with a single latent, ``initial_noise`` is that latent, whatever its name.
    """

    def __init__(self, tensors: Mapping[str, StoredTensor], alias: str | None) -> None:
        self._tensors = dict(tensors)
        self._alias = alias

    def __getitem__(self, name: str) -> StoredTensor:
        key = self._alias if name == spec.INITIAL_NOISE and self._alias else name
        if key not in self._tensors:
            raise ChunkNotFoundError(f"there is no latent {name!r}; the file has {', '.join(self) or 'none'}")
        return self._tensors[key]

    def __contains__(self, name: object) -> bool:
        return name in self._tensors or bool(name == spec.INITIAL_NOISE and self._alias)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def describe(self, row: ChunkRow) -> TensorSpec:
        """Return the tensor that the row of one of these latents describes; an alias is named ``initial_noise``."""
        found = parse_tensor_spec(row)
        return replace(found, name=spec.INITIAL_NOISE) if found.name == self._alias else found

    def arrays(self, names: Iterable[str] | None = None, *, threads: int | None = None) -> dict[str, Any]:
        """Return several latents, read in parallel: name -> array, or a list of arrays for a nested latent.

        Parameters
        ----------
        names : None for all
        threads : None for one per processor, at most 4
        """
        found = {name: self[name].parts for name in (self if names is None else names)}
        read = iter(
            run_each(StoredTensor.array, [part for parts in found.values() for part in parts], threads)
        )
        arrays = {name: [next(read) for _ in parts] for name, parts in found.items()}
        return {name: values if len(values) > 1 else values[0] for name, values in arrays.items()}


def collect_latents(rows: Iterable[ChunkRow], read: ReadPayload, *, alias_single: bool) -> Latents:
    """Return the latents that rows describe, the parts of each nested latent together.

    Raises
    ------
    MalformedChunkError
        if a row does not describe a tensor, or two latents have the same name.
    """
    pieces: dict[str, list[tuple[TensorSpec, ChunkRow]]] = {}
    for row in rows:
        if row.type == spec.LATN:
            parsed = parse_tensor_spec(row)
            pieces.setdefault(parsed.name, []).append((parsed, row))
    for name, found in pieces.items():
        _check_parts(name, found)
    tensors = {name: StoredTensor(name, found, read) for name, found in pieces.items()}
    alias = next(iter(tensors)) if alias_single and len(tensors) == 1 else None
    return Latents(tensors, alias)


def _check_parts(name: str, pieces: Sequence[tuple[TensorSpec, ChunkRow]]) -> None:
    parts = [spec_.part for spec_, _ in pieces]
    if parts not in ([None], list(range(len(parts)))):
        row = pieces[-1][1]
        raise MalformedChunkError(
            f"{len(pieces)} latents are named {name!r:.80}, and their parts are {parts}",
            chunk=str(row),
            offset=row.offset,
        )

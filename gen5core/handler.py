"""The documented API of the package gen5 0.1.0, on top of this package's reader and writer.

Code written for ``from gen5 import Gen5FileHandler`` runs unchanged with ``from gen5core import
Gen5FileHandler``. The differences are intentional: latents become float16 only on request, every digest is
checked, nothing is printed, and NaN, bfloat16, torch tensors and any number of axes are accepted.

Source: the project page of gen5 0.1.0.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .container import chunk_table, spec
from .container.records import Header
from .environment.components import Environment
from .errors import EncodeError, LimitError, MalformedChunkError
from .images.codec import DECODE_ERRORS
from .images.png_encode import encode_image
from .reader import file as reader
from .writer.save import CAPTURED, save

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass
class EnvChunk:
    """The environment as gen5 0.1.0 returns it: components are dicts, each digest is 32 bytes."""

    env_version: int
    components: list[dict[str, Any]]


class Gen5FileHandler:
    """Encode and decode whole GEN5 files with the calls of gen5 0.1.0.

    Parameters
    ----------
    max_file_size, max_chunk_size : bytes; None for the limits of the format
    """

    HEADER_SIZE = spec.HEADER_SIZE

    def __init__(self, max_file_size: int | None = None, max_chunk_size: int | None = None) -> None:
        self.max_file_size = max_file_size or spec.MAX_FILE_BYTES
        self.max_chunk_size = max_chunk_size or spec.MAX_INFLATED_BYTES

    def file_encoder(
        self,
        filename: str,
        latent: Mapping[str, Any],
        chunk_records: list[dict[str, Any]],
        model_name: str,
        model_version: str,
        prompt: str,
        tags: list[str],
        img_binary: bytes | None,
        should_compress: bool = True,
        convert_float16: bool = False,
        generation_settings: dict[str, Any] | None = None,
        hardware_info: dict[str, Any] | None = None,
    ) -> dict[str, bytes | None]:
        """Write a file and return its parts as stored.

        Parameters
        ----------
        filename : ends in ``.gen5``
        latent : name -> array; see ``gen5core.save``
        chunk_records : a list, to which one row per chunk of the new file is appended
        img_binary : an encoded image, or None
        should_compress : compress the latents and the image
        convert_float16 : store float32 latents as float16; gen5 0.1.0 does so by default
        generation_settings : seed, steps, sampler …; None to leave them out
        hardware_info : None to describe this machine

        Returns
        -------
        ``header``, ``latent_chunks`` (joined), ``metadata_chunk``, ``image_chunk`` (None without an image)

        Raises
        ------
        EncodeError
            a ValueError; nothing was written.
        """
        if not str(filename).endswith(".gen5"):
            raise EncodeError("Filename must have a .gen5 extension")
        save(
            filename,
            latents=latent,
            images=() if img_binary is None else img_binary,
            settings=generation_settings,
            prompt=prompt,
            model_name=model_name,
            model_version=model_version,
            tags=tags,
            hardware=CAPTURED if hardware_info is None else hardware_info,
            compression="zstd" if should_compress else "none",
            half=convert_float16,
        )
        with reader.open(filename) as written:
            chunk_records.extend(_record(row) for row in written.rows)
            return _stored_parts(filename, written)

    def file_decoder(self, filename: str) -> dict[str, Any]:
        """Read a whole file, check every byte, and warn about each difference in the environment.

        Returns
        -------
        ``header`` (dict), ``chunks`` (``latent``: list of arrays in stored order, ``image``: bytes of the last
        image, ``env``: EnvChunk; the last two are missing if the file does not have them), ``metadata`` (dict),
        and, unlike gen5 0.1.0, ``latents``: name -> array

        Raises
        ------
        FormatError
            or a subclass; a ValueError.
        """
        limits = replace(spec.Limits(), inflated_bytes=self.max_chunk_size)
        with reader.open(filename, limits=limits) as file:
            if file.header.file_size > self.max_file_size:
                raise LimitError(
                    f"the file has {file.header.file_size} bytes, max_file_size is {self.max_file_size}"
                )
            file.verify()
            latents = file.latents.arrays()
            chunks: dict[str, Any] = {
                "latent": [array for parts in latents.values() for array in _as_list(parts)]
            }
            if file.images:
                chunks["image"] = file.images[-1].bytes
            if (environment := file.environment) is not None:
                chunks["env"] = _env_chunk(environment)
                _warn_of_drift(environment)
            return {
                "header": _header_fields(file.header),
                "chunks": chunks,
                "metadata": file.metadata,
                "latents": latents,
            }

    @staticmethod
    def png_to_bytes(png_path: str | os.PathLike[str]) -> bytes:
        """Return an image file as the bytes of an RGBA PNG.

        Raises
        ------
        EncodeError
            if it is not an image.
        OSError
            from the file system.
        """
        import numpy as np
        from PIL import Image

        data = Path(png_path).read_bytes()
        try:
            with Image.open(io.BytesIO(data)) as image:
                pixels = np.array(image.convert("RGBA"))
        except (*DECODE_ERRORS, Image.DecompressionBombError) as error:
            raise EncodeError(f"{png_path} is not an image: {error}") from error
        return encode_image(pixels, level=6)

    @staticmethod
    def bytes_to_png(img_bytes: bytes) -> Image:
        """Return encoded bytes as a Pillow image.

        Raises
        ------
        MalformedChunkError
            if they are not an image.
        """
        from PIL import Image

        try:
            return Image.open(io.BytesIO(img_bytes))
        except (*DECODE_ERRORS, Image.DecompressionBombError) as error:
            raise MalformedChunkError(f"the bytes are not an image: {error}") from error


def _record(row: Any) -> dict[str, Any]:
    record = chunk_table.encode_row(row)
    del record["index"]
    return record


def _stored_parts(filename: str, written: reader.Gen5File) -> dict[str, bytes | None]:
    def stored(kind: str) -> bytes:
        return b"".join(data[row.offset : row.end] for row in written.rows if row.type == kind)

    with open(filename, "rb") as file:
        data = file.read()
    return {
        "header": data[: spec.HEADER_SIZE],
        "latent_chunks": stored(spec.LATN),
        "metadata_chunk": data[written.header.chunk_table_offset : written.header.meta_end],
        "image_chunk": stored(spec.DATA) if written.images else None,
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _header_fields(header: Header) -> dict[str, Any]:
    return {"magic": spec.MAGIC, **asdict(header)}


def _env_chunk(environment: Environment) -> EnvChunk:
    components = [
        {
            "component_id": component.component_id,
            "cononical_str": component.canonical,
            "component_sha256_digest": bytes.fromhex(component.digest),
        }
        for component in environment.components
    ]
    return EnvChunk(env_version=1, components=components)


def _warn_of_drift(environment: Environment) -> None:
    """Warn about the components that gen5 0.1.0 compares. It does not compare hardware_info, which callers fill in."""
    current = Environment.capture()
    documented = replace(environment, further={}, hardware={})
    for drift in documented.diff(replace(current, further={}, hardware={})):
        warnings.warn(str(drift), UserWarning, stacklevel=3)

"""SaveRequest: everything that one saved file will hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from ... import gen5core
from ...gen5core.container.chunks import Compression
from ...gen5core.rewrite.scrub import scrub_arguments
from ..tensors.images import Pixels
from ..tensors.latents import Parts


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """The arguments of ``gen5core.save`` under their names there; scrubbing reports them in this order."""

    latents: Mapping[str, torch.Tensor | Parts]
    comfyui: Mapping[str, Any] | None
    capture: Mapping[str, Any]
    resources: Sequence[Mapping[str, Any]]
    tags: Sequence[str]
    compression: Compression
    signing_key: gen5core.SigningKey | None
    environment: gen5core.Environment
    hardware: Mapping[str, Any]
    settings: Mapping[str, Any] | None
    prompt: str
    model_name: str
    images: Sequence[bytes | Pixels] = ()
    """Added last: the text in an image is the scrubbed ``comfyui``."""

    def scrubbed(self) -> tuple[SaveRequest, list[str]]:
        """Return this request without private data, and one line for each thing that was dropped.

        Raises
        ------
        EncodeError
            if a value is nested too deeply to be searched for paths.
        """
        cleaned, dropped = scrub_arguments(self._arguments())
        return SaveRequest(**cleaned), dropped

    def write(self, path: Path) -> None:
        """Write the file at path.

        Raises
        ------
        EncodeError
            if something cannot be stored.
        OSError
            as the file system gives it; FileExistsError if path exists.
        """
        gen5core.save(path, overwrite=False, **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

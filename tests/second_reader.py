"""Run ``scripts/read_gen5.mjs``, a reader in JavaScript written from FORMAT.md, and compare it with this package."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import gen5core
from gen5core import ChunkNotFoundError, FormatError

ROOT = Path(gen5core.__file__).parents[1]
READER = ROOT / "scripts" / "read_gen5.mjs"
NODE_VERSION = (20, 19)
Content = dict[str, Any]
_COMMON_KEYS = (
    *("version", "root", "signed_by", "unknown_trailers", "uncovered_bytes", "unknown_chunks"),
    *("latents", "images", "model_info"),
)
_OWN_KEYS = (*_COMMON_KEYS, "picture", "environment_chunk", "environment")


def why_not() -> str:
    """Return why the reader cannot run on this machine, or an empty string if it can."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) < NODE_VERSION:
        return f"node is {version}, the reader needs {'.'.join(map(str, NODE_VERSION))}"
    if not (ROOT / "node_modules" / "zstddec").is_dir():
        return "zstddec is not installed; run npm ci"
    return ""


def run_reader(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run the reader's command."""
    return subprocess.run(["node", READER, *paths], capture_output=True, encoding="utf-8", check=False)


def read_all(paths: Iterable[Path]) -> dict[Path, Content]:
    """Return the reader's result for each file."""
    results = [json.loads(line) for line in run_reader(*paths).stdout.split("\n")[:-1]]
    return {Path(result.pop("file")): result for result in results}


def as_facts(result: Content) -> Content:
    """Return a result of the reader in the form of ``facts``: both environments merged, META's other keys apart."""
    chunk = result["environment_chunk"]
    return {
        **{name: result[name] for name in _COMMON_KEYS},
        "latents": {name: _alone(latent) for name, latent in result["latents"].items()},
        "environment": {} if chunk is None else chunk | (result.get("environment") or {}),
        "further": {name: value for name, value in result.items() if name not in _OWN_KEYS},
    }


def _alone(latent: Any) -> Any:
    """Return a nested latent of one part as ``_latent`` does: the part."""
    return latent[0] if isinstance(latent, list) and len(latent) == 1 else latent


def facts(path: Path) -> Content:
    """Return what this package reads from a file, after checking all of it.

    Raises
    ------
    FormatError
    """
    with gen5core.open(path) as file:
        file.verify(threads=1)
        environment, document = file.environment, dict(file.metadata)
        components = (
            {row.component_id: row.canonical for row in environment.components} if environment else {}
        )
        model_info = document.pop("gen5_metadata").get("model_info", {})
        document.pop("environment", None)
        return {
            "version": list(file.version),
            "root": file.root,
            "signed_by": [found.public_key for found in file.signatures if found.state == "valid"],
            "uncovered_bytes": file.uncovered_bytes,
            "unknown_trailers": [found.type for found in file.trailers if found.type != "SIGN"],
            "unknown_chunks": [row.type for row in file.rows if row.type not in ("LATN", "DATA", "ENVC")],
            "latents": {name: _latent(latent) for name, latent in file.latents.items()},
            "images": [_image(image) for image in file.images if not _is_elsewhere(image)],
            "model_info": _without_nan(model_info),
            "environment": components | dict(environment.further if environment else {}),
            "further": _without_nan({name: document[name] for name in document if name not in _OWN_KEYS}),
        }


def accepts(path: Path) -> bool:
    """Return whether this package reads all of a file."""
    try:
        facts(path)
    except FormatError:
        return False
    return True


def disagreements(folder: Path, files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Return the names of the files that both readers accept, and those that only one of them accepts."""
    paths = {folder / f"{number}.gen5": name for number, name in enumerate(files)}
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    results = read_all(paths)
    ours = {path for path in paths if accepts(path)}
    theirs = {path for path in paths if "error" not in results[path]}
    return [paths[path] for path in paths if path in ours & theirs], [
        f"{name}: {results[path].get('error', 'accepted')}"
        for path, name in paths.items()
        if path in ours ^ theirs
    ]


def _latent(latent: gen5core.StoredTensor) -> Content | list[Content]:
    found = [_tensor(part) for part in latent.parts]
    return found[0] if len(found) == 1 else found


def _tensor(tensor: gen5core.StoredTensor) -> Content:
    shape, array = list(tensor.shape), tensor.array()
    if array.dtype.kind in "bui" and array.itemsize < 4:
        array = array.astype(tensor.stored_dtype)
    elif array.dtype.kind not in "f" or array.itemsize > 4:
        array = np.frombuffer(array.tobytes(), np.float32)
    return {
        "shape": shape,
        "dtype": array.dtype.name,
        "orig_dtype": tensor.orig_dtype,
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
        "first_values": _without_nan([float(value) for value in array.ravel()[:4]]),
    }


def _is_elsewhere(image: gen5core.StoredImage) -> bool:
    """Return whether an image is a PNG that is not at hand: this is the record that it carried."""
    try:
        return image.bytes is None
    except ChunkNotFoundError:
        return True


def _image(image: gen5core.StoredImage) -> Content:
    known = {name: image.facts[name] for name in ("width", "height", "format") if name in image.facts}
    return {
        **_without_nan(known),
        "bytes": image.size_bytes,
        "sha256": hashlib.sha256(image.bytes).hexdigest(),
    }


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

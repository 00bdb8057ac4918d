"""``scripts/read_gen5.mjs``, a reader in JavaScript that was written from FORMAT.md, beside this package."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gen5core
from gen5core import FormatError

ROOT = Path(gen5core.__file__).parents[1]
READER = ROOT / "scripts" / "read_gen5.mjs"
NODE_VERSION = (20, 19)
Answer = dict[str, Any]
_SAID_ALIKE = (
    *("version", "root", "signed_by", "unknown_trailers", "unknown_chunks"),
    *("latents", "images", "model_info"),
)
_SAID_OTHERWISE = (*_SAID_ALIKE, "picture", "environment_chunk", "environment")


def why_not() -> str:
    """Return why the reader cannot run here; empty where it can."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in said.removeprefix("v").split(".")[:2]) < NODE_VERSION:
        return f"node is {said}, the reader needs {'.'.join(map(str, NODE_VERSION))}"
    if not (ROOT / "node_modules" / "zstddec").is_dir():
        return "zstddec is not installed; run npm ci"
    return ""


def run_reader(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run the reader's command."""
    return subprocess.run(["node", READER, *paths], capture_output=True, encoding="utf-8", check=False)


def read_all(paths: Iterable[Path]) -> dict[Path, Answer]:
    """Return what the reader says of each file."""
    answers = [json.loads(line) for line in run_reader(*paths).stdout.split("\n")[:-1]]
    return {Path(answer.pop("file")): answer for answer in answers}


def as_facts(answer: Answer) -> Answer:
    """Return an answer of the reader in the order of ``facts``: both environments are one, META's keys apart."""
    chunk = answer["environment_chunk"]
    return {
        **{name: answer[name] for name in _SAID_ALIKE},
        "environment": {} if chunk is None else chunk | (answer.get("environment") or {}),
        "further": {name: value for name, value in answer.items() if name not in _SAID_OTHERWISE},
    }


def facts(path: Path) -> Answer:
    """Return what this package finds in a file, all of it checked.

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
            "unknown_trailers": [found.type for found in file.trailers if found.type != "SIGN"],
            "unknown_chunks": [row.type for row in file.rows if row.type not in ("LATN", "DATA", "ENVC")],
            "latents": {name: _latent(latent) for name, latent in file.latents.items()},
            "images": [_image(image) for image in file.images],
            "model_info": _without_nan(model_info),
            "environment": components | dict(environment.further if environment else {}),
            "further": _without_nan(document),
        }


def takes(path: Path) -> bool:
    """Tell whether this package reads all of a file."""
    try:
        facts(path)
    except FormatError:
        return False
    return True


def disagreements(folder: Path, files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Return the files that both readers take, and those that one takes and the other refuses, by name."""
    paths = {folder / f"{number}.gen5": name for number, name in enumerate(files)}
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    answers = read_all(paths)
    ours = {path for path in paths if takes(path)}
    theirs = {path for path in paths if "error" not in answers[path]}
    return [paths[path] for path in paths if path in ours & theirs], [
        f"{name}: {answers[path].get('error', 'taken')}"
        for path, name in paths.items()
        if path in ours ^ theirs
    ]


def _latent(latent: gen5core.StoredTensor) -> Answer | list[Answer]:
    found = [_tensor(part) for part in latent.parts]
    return found[0] if len(found) == 1 else found


def _tensor(tensor: gen5core.StoredTensor) -> Answer:
    array = tensor.array()
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "orig_dtype": tensor.orig_dtype,
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
        "first_values": _without_nan([float(value) for value in array.ravel()[:4]]),
    }


def _image(image: gen5core.StoredImage) -> Answer:
    known = {name: image.facts[name] for name in ("width", "height", "format") if name in image.facts}
    return {**known, "bytes": image.size_bytes, "sha256": hashlib.sha256(image.bytes).hexdigest()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

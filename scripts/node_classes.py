"""List the node classes of a ComfyUI that the tables of ``gen5core.graph`` do not cover: ``node_classes.py URL|FILE…``.

Give the address of a running server, or a file with the JSON of its ``/object_info``. Only ComfyUI's own classes count,
without those that call paid services. Exits with status 1 if any is listed.

A class needs a row if it returns something that the walk follows, or decodes a latent: by its inputs' names alone such
a class is read wrong too often. One that only takes such things, to save or to train, needs none.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gen5core.graph.tables.lookup import row_of
from gen5core.graph.tables.schema import NodeClass

CORE = re.compile(r"nodes|comfy_extras\.")
"""``python_module`` of ComfyUI's own classes, at its start."""
FOLLOWED = frozenset(("MODEL", "CONDITIONING", "LATENT", "GUIDER", "SAMPLER", "SIGMAS", "NOISE"))
NAMED = frozenset(("CLIP", "VAE", "CONTROL_NET", "STYLE_MODEL", "GLIGEN", "MODEL_PATCH", "HOOKS"))
"""What the walk does not follow to a sampler, but asks for a file's name, or for the LoRAs of a hook."""
FRONTEND_INPUTS = {"CustomCombo": ("index",)}
"""Inputs that the frontend sends and a class takes unlisted, by class."""
TYPE = re.compile(r'"([A-Z][A-Z0-9_,]+)"')

Info = Mapping[str, Any]


def load(source: str) -> dict[str, Info]:
    """Return the object_info of a server, or of a file."""
    if source.startswith(("http://", "https://")):
        with urllib.request.urlopen(f"{source.rstrip('/')}/object_info") as response:
            classes: dict[str, Info] = json.load(response)
            return classes
    classes = json.loads(Path(source).read_text(encoding="utf-8"))
    return classes


def inputs_of(info: Info) -> dict[str, Any]:
    """Return a class's inputs and what each takes."""
    return _inputs(info["input"])


def _inputs(sections: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: spec for key in ("required", "optional") for name, spec in (sections.get(key) or {}).items()
    }


def names_of(inputs: Mapping[str, Any]) -> set[str]:
    """Return the names that inputs have in a prompt; those of a dynamic choice as ``choice.input``."""
    names = set(inputs)
    for name, spec in inputs.items():
        if len(spec) > 1 and isinstance(spec[0], str) and spec[0].startswith("COMFY_DYNAMICCOMBO"):
            for option in spec[1]["options"]:
                names.update(f"{name}.{each}" for each in names_of(_inputs(option["inputs"])))
    return names


def types_of(spec: Any) -> set[str]:
    """Return every type that is named in an input or output, in the templates of lists and choices too."""
    return {name for match in TYPE.findall(json.dumps(spec)) for name in match.split(",")}


def needs_row(info: Info) -> bool:
    """Whether a class is ComfyUI's own, and returns something that the walk follows or decodes a latent."""
    if not CORE.match(info.get("python_module", "")):
        return False
    taken, given = types_of(inputs_of(info)), types_of(info["output"])
    return bool(given & (FOLLOWED | NAMED)) or ({"LATENT", "VAE"} <= taken and bool(given))


def uncovered(classes: Mapping[str, Info]) -> list[str]:
    """Return the classes that need a row and have none."""
    return sorted(name for name, info in classes.items() if needs_row(info) and row_of(name) is None)


def misread(classes: Mapping[str, Info]) -> list[str]:
    """Return the roles that a row reads from inputs of which the class has none, as ``class: role``."""
    return sorted(
        f"{name}: {role}"
        for name, info in classes.items()
        if CORE.match(info.get("python_module", "")) and (known := row_of(name)) is not None
        for role in _missing_roles(known, names_of(inputs_of(info)) | {*FRONTEND_INPUTS.get(name, ())})
    )


def _missing_roles(known: NodeClass, inputs: set[str]) -> Iterator[str]:
    for role, reads in known.roles.items():
        names = [spec.lstrip("@").partition(":")[0] for spec in reads.inputs]
        if names and not any(_is_input(name, inputs) for name in names):
            yield role


def _is_input(name: str, inputs: set[str]) -> bool:
    """Whether a class has an input; ``latents.*`` stands for the rows of ``latents``."""
    prefix = name.rstrip("*").rstrip(".")
    return name in inputs or (name.endswith("*") and any(each.startswith(prefix) for each in inputs))


def report(classes: Mapping[str, Info]) -> list[str]:
    """Return one line for each class that is not covered, and for each row that does not fit its class."""
    lines = []
    for name in uncovered(classes):
        info = classes[name]
        lines.append(
            f"{name} ({info['python_module']}): {', '.join(inputs_of(info))} -> {', '.join(map(str, info['output']))}"
        )
    return [*lines, *(f"{line}: no input of the class is read for this role" for line in misread(classes))]


def main() -> int:
    """Print the report of each source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", metavar="URL|FILE")
    problems = 0
    for source in parser.parse_args().sources:
        classes = load(source)
        lines = report(classes)
        problems += len(lines)
        needing = sum(needs_row(info) for info in classes.values())
        print(f"{source}: {needing} classes need a row, {len(uncovered(classes))} have none")
        for line in lines:
            print(f"  {line}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

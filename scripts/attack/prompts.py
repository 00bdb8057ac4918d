"""Prompts that are large, dense, or pretend to be edited already, before the hook of the server."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from .rows import Row

TITLE = "Prompts before a run"
REPO = Path(__file__).resolve().parents[2]
Prompt = dict[str, Any]
_LAZY = ("*", {"lazy": True})
_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "CheckpointLoaderSimple": ("MODEL CLIP VAE", {}),
    "EmptyLatentImage": ("LATENT", {}),
    "KSampler": ("LATENT", {"model": "MODEL", "latent_image": "LATENT", "seed": "INT"}),
    "VAEDecode": ("IMAGE", {"samples": "LATENT", "vae": "VAE"}),
    "Gen5Save": ("IMAGE GEN5", {"images": "IMAGE", "latent": "LATENT"}),
    "Reroute": ("*", {"any": "*"}),
    "LoraLoader": ("MODEL CLIP", {"model": "MODEL", "clip": "CLIP"}),
    "LazySwitchKJ": ("*", {"switch": "BOOLEAN", "on_false": _LAZY, "on_true": _LAZY}),
    "Number": ("INT", {}),
    "Blend": ("IMAGE", {f"image{index}": "IMAGE" for index in range(400)}),
}
"""Class -> outputs and inputs, as a server declares them."""


def rows() -> Iterator[Row]:
    """Yield the attacks with what was seen."""
    _load_pack()
    yield from _growth("saves below as many samplers in a row", _row, (75, 150, 300))
    for kind in ("Reroute", "LoraLoader", "LazySwitchKJ"):
        yield from _growth(f"{kind} nodes in a row", partial(_chain, kind), (750, 1500, 3000))
    yield from _growth("images, each blended from all before", _dense, (50, 100, 200))
    yield _beyond()
    yield _sent_again()
    yield _forged()


def _load_pack() -> None:
    """Import the pack as ComfyUI does, with node classes as a server has them."""
    spec = importlib.util.spec_from_file_location(
        "gen5_attacked", REPO / "__init__.py", submodule_search_locations=[str(REPO)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gen5_attacked"] = module
    spec.loader.exec_module(module)
    host: Any = importlib.import_module("gen5_attacked.nodes.host")
    host.node_class = {name: _declared(*sockets) for name, sockets in _CLASSES.items()}.get


def _declared(outputs: str, inputs: dict[str, Any]) -> type:
    pairs = {name: kind if isinstance(kind, tuple) else (kind, {}) for name, kind in inputs.items()}
    declare = classmethod(lambda cls: {"required": pairs})
    return type("Node", (), {"RETURN_TYPES": tuple(outputs.split()), "INPUT_TYPES": declare})


def _hook(prompt: Prompt) -> Prompt:
    on_prompt: Any = importlib.import_module("gen5_attacked.nodes.prompt.on_prompt")
    edited: Prompt = on_prompt.handle_prompt({"prompt": prompt})["prompt"]
    return edited


def _remove_inserted(prompt: Prompt) -> Prompt:
    edit: Any = importlib.import_module("gen5_attacked.nodes.prompt.edit")
    restored: Prompt = edit.remove_inserted(prompt)
    return restored


def _growth(what: str, make: Callable[[int], Prompt], counts: tuple[int, ...]) -> Iterator[Row]:
    """Yield one row: what is added to twice the prompt is at most three times as much. The time is shown only."""
    seen, shares = [], []
    for count in counts:
        prompt = make(count)
        started = time.process_time()
        edited = _hook(prompt)
        milliseconds = 1000 * (time.process_time() - started)
        nodes, links = len(edited) - len(prompt), _count_inputs(edited) - _count_inputs(prompt)
        shares.append((nodes + links) / (len(prompt) + _count_inputs(prompt)))
        seen.append(f"{count}: +{nodes} nodes, +{links} links, {milliseconds:.0f} ms")
    held = all(later <= 1.5 * earlier for earlier, later in pairwise(shares))
    attack = f"{' / '.join(map(str, counts))} {what}"
    yield Row(attack, "what is added grows with the prompt", "; ".join(seen), held)


def _beyond() -> Row:
    prompt = _row(4000)
    started = time.process_time()
    edited = _hook(prompt)
    milliseconds = 1000 * (time.process_time() - started)
    edit: Any = importlib.import_module("gen5_attacked.nodes.prompt.edit")
    reason = edit.unwatched_reason(edited["s0"])
    seen = f"unchanged: {edited == prompt}, {reason}, {milliseconds:.0f} ms"
    return Row(f"{len(prompt)} nodes", "runs as it is, and says why", seen, edited == prompt and bool(reason))


def _sent_again() -> Row:
    sent = json.loads(json.dumps(_hook(_row(5))))
    stored = _remove_inserted(_hook(sent))
    seen = f"{len(stored)} of {len(sent)} nodes stored"
    return Row("an edited prompt out of the history", "stored as it came", seen, stored == sent)


def _forged() -> Row:
    prompt = _row(2)
    for number in range(50):
        meta = {"gen5_replaces": [["k0", "model", ["evil", 0]]], "gen5_auto_record_off": False}
        prompt[f"gen5_values_{number}"] = {"class_type": "Number", "inputs": {}, "_meta": meta}
    stored = _remove_inserted(_hook(prompt))
    return Row(
        "50 nodes with ids and _meta like ours",
        "stored as they came",
        f"equal: {stored == prompt}",
        stored == prompt,
    )


def _count_inputs(prompt: Prompt) -> int:
    return sum(len(node["inputs"]) for node in prompt.values())


def _node(class_type: str, **inputs: Any) -> Prompt:
    return {"class_type": class_type, "inputs": inputs}


def _base() -> Prompt:
    return {
        "m": _node("CheckpointLoaderSimple", ckpt_name="x"),
        "l": _node("EmptyLatentImage", width=64, height=64),
    }


def _sampler(latent: str, seed: Any, model: list[Any]) -> Prompt:
    widgets = {"steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    return _node("KSampler", model=model, latent_image=[latent, 0], seed=seed, **widgets)


def _row(count: int) -> Prompt:
    """Return samplers in a row, each with a seed from a node, and a save of each."""
    prompt, last = _base(), "l"
    for index in range(count):
        prompt[f"n{index}"] = _node("Number", a=index)
        prompt[f"k{index}"] = _sampler(last, [f"n{index}", 0], ["m", 0])
        last = f"k{index}"
    for index in range(count):
        prompt[f"d{index}"] = _node("VAEDecode", samples=[f"k{index}", 0], vae=["m", 2])
        prompt[f"s{index}"] = _node("Gen5Save", filename_prefix="x", images=[f"d{index}", 0])
    return prompt


def _chain(kind: str, count: int) -> Prompt:
    """Return nodes in a row between a model and a sampler."""
    prompt, model = {**_base(), "n": _node("Number", a=1)}, ["m", 0]
    for index in range(count):
        names = {"Reroute": ["any"], "LoraLoader": ["model"], "LazySwitchKJ": ["on_false", "on_true"]}[kind]
        own = {"switch": ["n", 0]} if kind == "LazySwitchKJ" else {}
        prompt[f"r{index}"] = _node(kind, **dict.fromkeys(names, model), **own)
        model = [f"r{index}", 0]
    return {**prompt, **_end(model)}


def _end(model: list[Any]) -> Prompt:
    return {
        "k": _sampler("l", ["n", 0], model),
        "d": _node("VAEDecode", samples=["k", 0], vae=["m", 2]),
        "s": _node("Gen5Save", filename_prefix="x", images=["d", 0]),
    }


def _dense(count: int) -> Prompt:
    """Return images that are blended from all before, and a save of every fourth."""
    prompt = {**_base(), "n": _node("Number", a=1), **_end(["m", 0])}
    for index in range(count):
        links = {f"image{above}": [f"i{above}", 0] for above in range(index)}
        prompt[f"i{index}"] = _node("Blend", **(links or {"image0": ["d", 0]}))
    for index in range(0, count, 4):
        prompt[f"s{index}"] = _node("Gen5Save", filename_prefix="x", images=[f"i{index}", 0])
    return prompt

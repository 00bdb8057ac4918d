"""Draw the pictures of the help pages: each node as a real ComfyUI shows it in the browser after a run.

Usage: ``python scripts/make_help_pictures.py [CHROMIUM]``. Needs a ComfyUI (see ``scripts/comfyui.py``),
``pip install playwright`` and a Chromium (CHROMIUM if given, or else playwright's own).
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from comfyui_install import HOW_TO_INSTALL, PACK, find_installs
from comfyui_server import Graph
from demo_comfyui import EMPTY_LATENT, MODEL, STEPS, TEXT, SkyServer, sky_graph
from PIL import Image

import gen5core

PICTURES = PACK / "web" / "docs" / "assets"
SEED, OTHER_SEED = 7, 8
SAVED, DRIFTED = "sky_00001_.gen5 [output]", "drifted.gen5 [output]"
OTHER_NUMPY = "name=numpy;version=1.26.4"
PICTURED_NODES: dict[str, tuple[str, ...]] = {
    "Gen5Save": ("12",),
    "Gen5Load": ("1",),
    "Gen5Settings": ("1", "2"),
    "Gen5Record": ("9", "10"),
    "Gen5Replay": ("1", "3", "4"),
    "Gen5Compare": ("6",),
    "Gen5Environment": ("8",),
    "Gen5Determinism": ("9",),
    "Gen5Noise": ("13",),
}
"""Node id -> the nodes of the graph that are in its picture."""
MIN_SIZES = {"Gen5Load": [320, 560], "Gen5Environment": [400, 0]}
MIN_WIDTH = 290
GAP, MARGIN = 40, 12
MAX_WIDTH, QUALITY = 900, 86
LEFT, TOP = 200, 200
"""Position of a picture, clear of the browser's bars and menus."""
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.VueNodes.Enabled": False,
    "Comfy.Locale": "en",
    "Comfy.Minimap.Visible": False,
}
VIEWPORT = {"width": 1900, "height": 1300}
STARTUP_MILLISECONDS = 60_000
SETTLE_MILLISECONDS = 2500
READY = "() => Boolean(window.app?.graph && window.LiteGraph?.registered_node_types['Gen5Save'])"
OPEN = "text => app.handleFile(new File([text], 'help.json', {type: 'application/json'}))"
RUN = """() => new Promise((resolve, reject) => {
    app.api.addEventListener('execution_success', resolve, {once: true})
    app.api.addEventListener('execution_error', ({detail}) => reject(detail.exception_message), {once: true})
    app.queuePrompt(0)
})"""
ARRANGE = """([shown, gap, left, top, minSizes, minWidth]) => {
    const nodes = app.graph.nodes
    nodes.forEach((node, number) => { node.pos = [20_000, number * 2000] })
    let x = 0
    for (const id of shown) {
        const node = app.graph.getNodeById(Number(id))
        const minSize = minSizes[node.type] ?? [minWidth, 0]
        node.setSize([0, 1].map(axis => Math.max(node.computeSize()[axis], minSize[axis])))
        node.pos = [x, 0]
        x += node.size[0] + gap
    }
    app.canvas.deselectAll()
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [left, top]
    app.canvas.setDirty(true, true)
}"""
BOUNDS = """([shown, left, top, margin]) => {
    const nodes = shown.map(id => app.graph.getNodeById(Number(id)))
    const canvas = app.canvas.canvas.getBoundingClientRect()
    const right = Math.max(...nodes.map(node => node.pos[0] + node.size[0]))
    const bottom = Math.max(...nodes.map(node => node.pos[1] + node.size[1]))
    const badge = 24, title = 30
    return {
        x: canvas.left + left - margin, y: canvas.top + top - title - badge - margin,
        width: right + 2 * margin, height: bottom + title + badge + 2 * margin,
    }
}"""


def main() -> int:
    """Write every picture; return 1 if a requirement is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("needs playwright: pip install playwright", file=sys.stderr)
        return 1
    installs = find_installs(os.environ)
    if not installs:
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, SkyServer(installs[0], Path(folder)) as server:
        save_files(server)
        server.post("/settings", SETTINGS)
        with sync_playwright() as playwright:
            executable = sys.argv[1] if len(sys.argv) > 1 else None
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            draw(browser.new_page(viewport=VIEWPORT), server.port)
            browser.close()
    return 0


def draw(page: Any, port: int) -> None:
    """Open ComfyUI, run the graph, and write every picture."""
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_function(READY, timeout=STARTUP_MILLISECONDS)
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    page.evaluate(OPEN, json.dumps(help_graph()))
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    page.evaluate(RUN)
    for node_id, shown in PICTURED_NODES.items():
        write_picture(page, node_id, list(shown))


def save_files(server: SkyServer) -> None:
    """Save a file in output/, and another one with a different environment."""
    server.run(sky_graph("sky", SEED))
    with gen5core.open(server.output / "sky_00001_.gen5") as stored:
        assert stored.environment is not None
        components = tuple(
            dataclasses.replace(one, canonical=OTHER_NUMPY) if one.component_id == "numpy" else one
            for one in stored.environment.components
        )
        latents = {name: stored.latents[name].array() for name in stored.latents}
        environment = dataclasses.replace(stored.environment, components=components)
    gen5core.save(server.output / "drifted.gen5", latents=latents, environment=environment)


def help_graph() -> Graph:
    """Return a graph with every node of the pack: it replays and compares a file, and samples and saves a new one."""
    text, sky = ["20", 0], {"class_type": "ClosedFormSky", "inputs": {}}
    sampler = {"steps": STEPS, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    prompts = {"positive": text, "negative": text}
    model, empty = ["21", MODEL[1]], ["21", EMPTY_LATENT[1]]
    nodes: list[tuple[str, str, dict[str, Any]]] = [
        ("1", "Gen5Load", {"file": SAVED, "on_drift": "warn", "batch_index": -1}),
        ("2", "Gen5Settings", {"gen5": ["1", 4], "pass_index": -1}),
        ("3", "Gen5Replay", {"model": model, "gen5": ["1", 4]}),
        (
            "4",
            "KSampler",
            {"model": ["3", 0], "seed": OTHER_SEED, **sampler, **prompts, "latent_image": ["3", 1]},
        ),
        ("5", "SkyPicture", {"samples": ["4", 0]}),
        ("6", "Gen5Compare", {"gen5": ["1", 4], "images": ["5", 0], "latent": ["4", 0], "tolerance": 0.0}),
        ("7", "Gen5Load", {"file": DRIFTED, "on_drift": "ignore", "batch_index": -1}),
        ("8", "Gen5Environment", {"gen5": ["7", 4]}),
        ("9", "Gen5Determinism", {"model": model, "enabled": True}),
        ("10", "Gen5Record", {"model": ["9", 0], "step_noise": "auto"}),
        (
            "11",
            "KSampler",
            {"model": ["10", 0], "seed": SEED, **sampler, **prompts, "latent_image": empty},
        ),
        (
            "12",
            "Gen5Save",
            {
                "images": ["14", 0],
                "latent": ["11", 0],
                "recording": ["10", 1],
                "filename_prefix": "gen5/ComfyUI",
            },
        ),
        ("13", "Gen5Noise", {"latent": empty, "seeds": "7", "convention": "comfyui"}),
        ("14", "SkyPicture", {"samples": ["11", 0]}),
        ("20", "SkyText", {"text": TEXT}),
    ]
    graph = {node_id: {"class_type": kind, "inputs": inputs} for node_id, kind, inputs in nodes}
    return {**graph, "21": sky}


def write_picture(page: Any, node_id: str, shown: list[str]) -> None:
    """Write a picture of some nodes of the page's graph, side by side."""
    page.evaluate(ARRANGE, [shown, GAP, LEFT, TOP, MIN_SIZES, MIN_WIDTH])
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    clip = page.evaluate(BOUNDS, [shown, LEFT, TOP, MARGIN])
    with Image.open(io.BytesIO(page.screenshot(clip=clip))) as shot:
        picture = shot.convert("RGB")
    if picture.width > MAX_WIDTH:
        height = round(picture.height * MAX_WIDTH / picture.width)
        picture = picture.resize((MAX_WIDTH, height), Image.Resampling.LANCZOS)
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{node_id}.webp"
    picture.save(path, quality=QUALITY, method=6)
    print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    raise SystemExit(main())

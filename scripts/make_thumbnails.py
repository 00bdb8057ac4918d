"""Draw the thumbnails of example_workflows/: each graph as a real ComfyUI shows it in the browser.

Usage: ``python scripts/make_thumbnails.py [CHROMIUM]``. Needs a ComfyUI (see ``scripts/comfyui.py``),
``pip install playwright`` and a Chromium (CHROMIUM if given, or else playwright's own).
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from comfyui_install import HOW_TO_INSTALL, PACK, find_installs
from comfyui_server import Server
from PIL import Image

EXAMPLES = PACK / "example_workflows"
CHECKPOINT = "checkpoints/v1-5-pruned-emaonly-fp16.safetensors"
"""Created as an empty file, so that the browser does not mark it as missing."""
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.VueNodes.Enabled": False, "Comfy.Locale": "en"}
WIDTH_PIXELS = 768
JPEG_QUALITY = 88
MARGIN = 24
"""Pixels of canvas around the groups."""
LEFT, TOP = 120, 160
"""Position of the graph, clear of the browser's bars and menus."""
VIEWPORT = {"width": 2700, "height": 1400}
STARTUP_MILLISECONDS = 60_000
SETTLE_MILLISECONDS = 2500
READY = "() => Boolean(window.app?.graph && window.LiteGraph?.registered_node_types['Gen5Save'])"
ARRANGE = f"""() => {{
    app.canvas.deselectAll?.()
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [{LEFT} - 40, {TOP} - 40]
    app.canvas.setDirty(true, true)
    const boxes = app.graph._groups.map(group => [...group.pos, ...group.size])
    return {{
        x: Math.min(...boxes.map(box => box[0])),
        y: Math.min(...boxes.map(box => box[1])),
        right: Math.max(...boxes.map(box => box[0] + box[2])),
        bottom: Math.max(...boxes.map(box => box[1] + box[3])),
        left: app.canvas.canvas.getBoundingClientRect().left,
        top: app.canvas.canvas.getBoundingClientRect().top,
    }}
}}"""


def main() -> int:
    """Write every thumbnail; return 1 if a requirement is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("needs playwright: pip install playwright", file=sys.stderr)
        return 1
    installs = find_installs(os.environ)
    if not installs:
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        checkpoint = Path(folder) / "models" / CHECKPOINT
        checkpoint.parent.mkdir(parents=True)
        checkpoint.touch()
        with Server(installs[0], Path(folder)) as server:
            server.post("/settings", SETTINGS)
            executable = sys.argv[1] if len(sys.argv) > 1 else None
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            page = browser.new_page(viewport=VIEWPORT)
            page.goto(f"http://127.0.0.1:{server.port}/")
            page.wait_for_function(READY, timeout=STARTUP_MILLISECONDS)
            page.wait_for_timeout(SETTLE_MILLISECONDS)
            for workflow in sorted(EXAMPLES.glob("*.json")):
                write_thumbnail(page, workflow)
            browser.close()
    return 0


def write_thumbnail(page: Any, workflow: Path) -> None:
    """Open a workflow in the page and write a picture of its groups beside it."""
    page.set_input_files("#comfy-file-input", str(workflow))
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    bounds = page.evaluate(ARRANGE)
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    clip = {
        "x": bounds["left"] + LEFT - 40 + bounds["x"] - MARGIN,
        "y": bounds["top"] + TOP - 40 + bounds["y"] - MARGIN,
        "width": bounds["right"] - bounds["x"] + 2 * MARGIN,
        "height": bounds["bottom"] - bounds["y"] + 2 * MARGIN,
    }
    with Image.open(io.BytesIO(page.screenshot(clip=clip))) as shot:
        height = round(shot.height * WIDTH_PIXELS / shot.width)
        small = shot.convert("RGB").resize((WIDTH_PIXELS, height), Image.Resampling.LANCZOS)
    path = workflow.with_suffix(".jpg")
    small.save(path, quality=JPEG_QUALITY, optimize=True)
    print(f"{path.name}: {small.width} x {small.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    raise SystemExit(main())

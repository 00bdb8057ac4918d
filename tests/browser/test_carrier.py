"""A PNG that carries a record: shown by the browser, and opened by a drop as any PNG of ComfyUI's is."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from comfyui.graph import Settings
from comfyui.graphs import txt2img

import gen5core

from .files import as_workflow
from .pages import drop_file, nodes, wait_for_node

PIXELS = np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8)
LARGE_NOISE = np.random.default_rng(2).standard_normal((1, 16, 384, 512), np.float32)
"""12 MiB: more than libpng's usual limit of 8 000 000 bytes for a chunk that it does not know."""
SHOW = """async data => {
    const picture = new Image()
    picture.src = 'data:image/png;base64,' + data
    await picture.decode()
    const canvas = document.createElement('canvas')
    canvas.width = picture.naturalWidth
    canvas.height = picture.naturalHeight
    const context = canvas.getContext('2d')
    context.drawImage(picture, 0, 0)
    return [...context.getImageData(0, 0, canvas.width, canvas.height).data].filter((_, at) => at % 4 < 3)
}"""


@pytest.fixture
def workflow(server) -> dict[str, Any]:
    """A workflow of the test pack, as the browser stores it."""
    return as_workflow(txt2img(Settings()).nodes, server.object_info())


def test_the_browser_shows_the_pixels(page, tmp_path):
    """Chromium decodes the picture to equal pixels, whatever the size of the chunk behind it."""
    path = gen5core.save(tmp_path / "cat.png", images=PIXELS, latents={"initial_noise": LARGE_NOISE})
    assert PIXELS.reshape(-1).tolist() == page.evaluate(SHOW, base64.b64encode(path.read_bytes()).decode())


def test_a_drop_opens_the_workflow(page, workflow, tmp_path):
    """Dropped on the canvas, the PNG opens its workflow by ComfyUI's own reader of PNGs."""
    path = gen5core.save(tmp_path / "cat.png", images=PIXELS, comfyui={"workflow": workflow})
    drop_file(page, path)
    wait_for_node(page, "KSampler")
    assert sorted(node["type"] for node in workflow["nodes"]) == sorted(node["type"] for node in nodes(page))

"""What a user does to a node and sees in it, the same in both renderers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import numpy as np
from playwright.sync_api import Locator, Page, expect

import gen5core

from .pages import point_on_node, wait_until

LARGEST_SEED = 2**64 - 1
PLACE = (240, 60)
"""Where a node is put on the page, top left, below ComfyUI's own bars."""

_WIDGET = """([id, name]) => {
    const widget = app.graph.getNodeById(id).widgets.find(widget => widget.name === name)
    return {y: widget.y, height: widget.computedHeight ?? 20, width: app.graph.getNodeById(id).size[0]}
}"""
_SHOW = """([id, [x, y], scale]) => {
    const node = app.graph.getNodeById(id), {ds} = app.canvas
    ds.scale = scale
    ds.offset = [x / scale - node.pos[0], y / scale - node.pos[1]]
    app.canvas.setDirty(true, true)
}"""
_CHOOSE = """([id, name, value]) => {
    const node = app.graph.getNodeById(id)
    const widget = node.widgets.find(widget => widget.name === name), {values} = widget.options
    if (Array.isArray(values) && !values.includes(value)) widget.options.values = [...values, value]
    widget.value = value
    widget.callback?.(value, app.canvas, node)
}"""


def show_node(page: Page, node_id: Any, scale: float = 1.0) -> None:
    """Move the canvas so that a node is at PLACE."""
    page.evaluate(_SHOW, [node_id, [PLACE[0], PLACE[1] + 60], scale])
    page.wait_for_timeout(300)


def set_widget(page: Page, node_id: Any, name: str, value: Any) -> None:
    """Set a widget as ComfyUI does when a user chooses a value; a new file is added to the list."""
    page.evaluate(_CHOOSE, [node_id, name, value])


def press_widget(page: Page, renderer: str, node_id: Any, name: str, label: str) -> None:
    """Click a button widget: by its position on the canvas, by its label in Nodes 2.0."""
    if renderer == "nodes2":
        page.locator(f"[data-node-id='{node_id}']").get_by_role("button", name=label).click()
        return
    where = page.evaluate(_WIDGET, [node_id, name])
    x, y = point_on_node(page, node_id, where["width"] / 2, where["y"] + where["height"] / 2)
    page.mouse.click(x, y)


def panel(page: Page, label: str) -> Locator:
    """Return the panels of that name."""
    return page.get_by_role("group", name=label, exact=True)


def stored_file(page: Page) -> Locator:
    """Return the panel of the Load Gen5."""
    return panel(page, "The stored file")


def choose_file(page: Page, node_id: Any, name: str) -> None:
    """Set a Load Gen5 to a file with a picture, and wait until that file is shown."""
    set_widget(page, node_id, "file", name)
    expect(stored_file(page).locator(f"img[src*='name={quote_plus(name)}']").first).to_be_visible()


def wait_for_picture(picture: Locator, page: Page) -> tuple[int, int]:
    """Return width and height of a picture once it is drawn."""
    size: tuple[int, int] = wait_until(
        lambda: picture.evaluate(
            "img => img.complete && img.naturalWidth && [img.naturalWidth, img.naturalHeight]"
        ),
        "the picture",
        page,
    )
    return size


def expect_text(where: Locator, *parts: str) -> None:
    """Check that a locator shows all parts."""
    for part in parts:
        expect(where).to_contain_text(part)


def write_file(folder: Path, name: str, *, pictures: int = 1, seed: int = LARGEST_SEED, **more: Any) -> Path:
    """Write a file that was not saved by ComfyUI: pictures of plain colours, noise, settings."""
    colours = [(200, 80, 40), (40, 120, 200), (60, 160, 80), (180, 160, 40)]
    images = [np.full((96, 128, 3), colours[index % 4], np.uint8) for index in range(pictures)]
    noise = np.random.default_rng(seed % 2**32).standard_normal((max(pictures, 1), 4, 12, 16), np.float32)
    settings = {"seed": seed, "steps": 20, "sampler": "dpmpp_2m", "scheduler": "karras", "cfg_scale": 7.0}
    facts = {"latents": {"initial_noise": noise}, "images": images, "settings": settings, **more}
    return gen5core.save(folder / name, **facts)


def drifted_environment(**components: str) -> gen5core.Environment:
    """Return this environment with other components, e.g. ``numpy="name=numpy;version=1.0"``."""
    current = gen5core.Environment.capture()
    others = tuple(
        dataclasses.replace(one, canonical=components.get(one.component_id, one.canonical))
        for one in current.components
    )
    return dataclasses.replace(current, components=others)


def damage(path: Path, offset: int) -> None:
    """Flip a bit of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)

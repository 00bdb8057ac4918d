"""The badge that counts drifts, and its table: by pointer, by key and by click."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .frontends import CLASSIC

DRIFTS = [
    {
        "component": "torch",
        "stored": "name=torch;version=2.5.1;cuda=12.4",
        "current": "name=torch;version=2.13.0;cuda=None",
    },
    {"component": "gpu", "stored": "name=gpu;model=NVIDIA A100;driver=535.129.01", "current": None},
    {"component": "xformers", "stored": None, "current": "0.0.28"},
]
SHOW = """async drifts => {
    const {driftBadge} = await import('/extensions/ComfyUI-Gen5/drift_table.js')
    const place = document.createElement('div')
    place.id = 'here'
    place.style = 'position: fixed; top: 300px; left: 600px; width: 120px; height: 24px; overflow: hidden; z-index: 2'
    place.append(driftBadge(drifts), document.createElement('input'))
    document.body.append(place)
}"""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_table_shows_on_hover_key_and_click(open_page, renderer, frontend, theme):
    """The table extends beyond the badge's container, and is readable in both themes."""
    if renderer != CLASSIC:
        pytest.skip("the badge is outside of the graph; one renderer will do")
    page = open_page({"Comfy.ColorPalette": theme})
    page.evaluate(SHOW, DRIFTS)
    badge, table = page.get_by_role("button", name="3 drifts"), page.locator("#here table")
    expect(table).to_be_hidden()
    badge.hover()
    expect(table).to_be_visible()
    table.get_by_text("not there").first.hover()
    page.wait_for_timeout(400)
    expect(table).to_be_visible()
    page.mouse.move(900, 900)
    expect(table).to_be_hidden()
    badge.press("Shift")
    expect(table).to_be_visible()
    page.keyboard.press("Escape")
    expect(table).to_be_hidden()
    badge.click()
    page.mouse.move(900, 900)
    page.wait_for_timeout(400)
    expect(table).to_be_visible()
    page.screenshot(path=f"build/screenshots/{frontend.version}-{renderer}/drift-{theme}.png")
    page.mouse.click(1000, 700)
    expect(table).to_be_hidden()

"""The language of the pack's texts: ComfyUI's own, or English if there is no translation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from .pages import add_node, wait_until_ready

if TYPE_CHECKING:
    from playwright.sync_api import Route

LANGUAGES = 'export const LANGUAGES = ["en", "fr"]'
FRENCH = 'export default { "load.upload": "Envoyer un fichier" }'
LABELS = "id => app.graph.getNodeById(id).widgets.map(widget => widget.label ?? widget.name)"


@pytest.fixture
def page_settings() -> dict[str, Any]:
    """ComfyUI in French, one of its languages."""
    return {"Comfy.Locale": "fr"}


def test_texts_are_in_the_language_of_comfyui(page):
    """A language's module is found by its name, once it is listed; without one, the texts are English."""
    assert "Upload a .gen5 or .png file" in page.evaluate(LABELS, add_node(page, "Gen5Load"))
    for name, body in (("languages", LANGUAGES), ("fr", FRENCH)):
        page.route(f"**/i18n/{name}.js", answer_with(body))
    page.reload()
    wait_until_ready(page)
    assert "Envoyer un fichier" in page.evaluate(LABELS, add_node(page, "Gen5Load"))


def answer_with(script: str) -> Callable[[Route], None]:
    """Return a handler that answers a request with a script."""
    return lambda route: route.fulfill(content_type="text/javascript", body=script)

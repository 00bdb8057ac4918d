"""The language of the pack's texts: ComfyUI's own, or English if there is no translation."""

from __future__ import annotations

from typing import Any

import pytest

from .pages import add_node, wait_until_ready

FRENCH = 'export default { "load.upload": "Envoyer un fichier" }'
LABELS = "id => app.graph.getNodeById(id).widgets.map(widget => widget.label ?? widget.name)"


@pytest.fixture
def page_settings() -> dict[str, Any]:
    """ComfyUI in French, one of its languages."""
    return {"Comfy.Locale": "fr"}


def test_texts_are_in_the_language_of_comfyui(page):
    """A language's module is found by its name; without one, the texts are English."""
    assert "Upload a .gen5 or .png file" in page.evaluate(LABELS, add_node(page, "Gen5Load"))
    page.route("**/i18n/fr.js", lambda route: route.fulfill(content_type="text/javascript", body=FRENCH))
    page.reload()
    wait_until_ready(page)
    assert "Envoyer un fichier" in page.evaluate(LABELS, add_node(page, "Gen5Load"))

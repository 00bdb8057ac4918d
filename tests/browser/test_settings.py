"""Settings, keys, the about badge, help pages, texts and templates, as a user finds them in ComfyUI."""

from __future__ import annotations

from comfyui.launcher import PACK
from playwright.sync_api import expect

from .files import annotated, make_gen5
from .graphs import point_in_graph
from .pages import CANVAS_POINT, add_node, empty_graph, nodes, wait_for_toast, wait_until

PAGES = {path.stem: path for path in sorted((PACK / "web" / "docs").glob("*.md"))}
TITLES = {node_id: path.read_text().partition("\n")[0].removeprefix("# ") for node_id, path in PAGES.items()}
NODE_IDS = list(PAGES)
EXAMPLES = sorted(path.stem for path in (PACK / "example_workflows").glob("*.json"))
_THUMBNAILS = """() => [...document.querySelectorAll('[role=dialog] img')].filter(image =>
    image.complete && image.naturalWidth === 768).length"""


def press_on_canvas(page, keys):
    """Press keys while only the canvas has focus."""
    page.mouse.click(*CANVAS_POINT)
    page.keyboard.press(keys)


def open_settings(page, category):
    """Open the settings and go to a category."""
    page.evaluate("() => app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    dialog = page.get_by_role("dialog").last
    dialog.get_by_text(category, exact=True).first.click()
    page.wait_for_timeout(500)
    return dialog


def test_settings_are_there(page, shot):
    """The five settings are listed under Gen5, with their names and defaults."""
    dialog = open_settings(page, "Gen5")
    for name in (
        "What a new Load Gen5 does on drift",
        "Write this machine's name into files",
        "Leave names and folders out of files",
        "Record automatically",
        "Show the library in the sidebar",
    ):
        expect(dialog.get_by_text(name, exact=True)).to_be_visible()
    shot("settings")
    defaults = page.evaluate(
        """() => ['Drift.Default', 'Privacy.MachineName', 'Privacy.Scrub', 'Recording.Automatic',
            'Library.Enabled'].map(name => app.extensionManager.setting.get(`Gen5.${name}`))"""
    )
    assert defaults == ["warn", False, False, True, True]


def test_about_badge(page, shot):
    """The About page shows the pack's version."""
    dialog = open_settings(page, "About")
    expect(dialog.get_by_text("Gen5 1.0.0")).to_be_visible()
    shot("about")


def test_new_loaders_take_the_drift_setting(page):
    """A Load Gen5 that is added after a change of the setting starts with it."""
    page.evaluate("() => app.extensionManager.setting.set('Gen5.Drift.Default', 'error')")
    empty_graph(page)
    add_node(page, "Gen5Load")
    assert nodes(page, "Gen5Load")[0]["widgets"]["on_drift"] == "error"


def test_library_by_key(page, shot):
    """g opens the library, and closes it."""
    tab = page.get_by_role("complementary").or_(page.locator(".side-bar-panel, .sidebar-content-container"))
    before = tab.count()
    press_on_canvas(page, "g")
    wait_until(lambda: page.locator(".gen5-library").is_visible(), "the library", page)
    shot("library-by-key")
    press_on_canvas(page, "g")
    wait_until(lambda: not page.locator(".gen5-library").is_visible(), "the library closed", page)
    assert before == tab.count()


def test_keys_are_letters_in_a_text(page):
    """Keys that are typed into a text widget are letters."""
    box = page.locator("textarea").first
    box.click()
    page.keyboard.type("gGV")
    assert "gGV" in box.input_value()
    assert not page.locator(".gen5-library").is_visible()


def test_verify_by_key(page, server):
    """Shift+V checks the file of the selected Load Gen5, and reports a damaged one."""
    path = make_gen5(server, prefix="settings/verify")
    empty_graph(page)
    node_id = add_node(page, "Gen5Load")
    select_file(page, node_id, annotated(server, path))
    page.keyboard.press("Shift+V")
    wait_for_toast(page, "is intact")
    damaged = path.with_name("damaged.gen5")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    select_file(page, node_id, annotated(server, damaged))
    page.keyboard.press("Shift+V")
    wait_for_toast(page, "is damaged or not readable")


def select_file(page, node_id, name):
    """Set a Load Gen5 to a file, and select it."""
    page.evaluate(
        """async ([id, name]) => {
            const {setFile} = await import('/extensions/ComfyUI-Gen5/graph.js')
            const node = app.graph.getNodeById(id)
            setFile(node, name)
            app.canvas.deselectAll()
            app.canvas.select(node)
            document.activeElement?.blur()
        }""",
        [node_id, name],
    )


def test_help_pages(page, shot):
    """Each node's help is its page, with a picture that loads."""
    for node_id in NODE_IDS:
        empty_graph(page)
        added = add_node(page, node_id)
        page.wait_for_timeout(300)  # Nodes 2.0 draws it in the next frame
        page.mouse.click(*point_in_graph(page, added, 60, -14))
        help_page = page.locator(".node-help-content")
        if not help_page.is_visible():
            page.get_by_role("button", name="Node Info").first.click()
        expect(help_page.get_by_role("heading", name=TITLES[node_id], exact=True)).to_be_visible()
        expect(help_page.get_by_role("heading", name="Messages, and what helps")).to_be_visible()
        wait_for_picture(page, help_page.locator("img").first)
        shot(f"help-{node_id}")


def wait_for_picture(page, picture):
    """Wait until a picture is loaded."""
    wait_until(lambda: picture.evaluate("image => image.complete && image.naturalWidth"), "the picture", page)


def test_texts_are_served(page, server):
    """ComfyUI sends the texts of locales/ to the browser, and the browser shows them."""
    words = server.get("/i18n")["en"]
    assert set(NODE_IDS) == set(words["nodeDefs"])
    assert words["commands"]["Gen5_OpenLibrary"]["label"] == "Gen5: Open library"
    assert words["settings"]["Gen5_Recording_Automatic"]["name"] == "Record automatically"
    empty_graph(page)
    add_node(page, "Gen5Replay")
    assert nodes(page)[0]["title"] == "Replay Sampling"


def test_templates(page, shot):
    """The example workflows are listed with their thumbnails, and open."""
    page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    dialog = page.get_by_role("dialog").last
    dialog.get_by_text("ComfyUI-Gen5", exact=True).first.click()
    for name in EXAMPLES:
        expect(dialog.get_by_text(name, exact=True).first).to_be_visible()
    wait_until(lambda: len(EXAMPLES) <= page.evaluate(_THUMBNAILS), "the thumbnails", page)
    shot("templates")
    dialog.get_by_text(EXAMPLES[0], exact=True).first.click()
    wait_until(lambda: nodes(page, "Gen5Load"), "the template's graph", page)

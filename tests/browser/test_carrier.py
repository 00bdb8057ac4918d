"""A PNG that carries a record: shown by the browser, opened by a drop, loaded by the node, listed in the library."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from comfyui.graph import Settings
from comfyui.graphs import txt2img
from PIL import Image, PngImagePlugin
from playwright.sync_api import expect

import gen5core

from .contrast import check_contrast
from .files import annotated, as_workflow, make_gen5
from .library_steps import NAME, open_details, open_library
from .node_steps import (
    choose_file,
    damage,
    expect_text,
    panel,
    press_widget,
    set_widget,
    show_node,
    stored_file,
    wait_for_picture,
    write_file,
)
from .pages import (
    add_node,
    drop_bytes,
    drop_file,
    empty_graph,
    load_graph,
    nodes,
    open_by_menu,
    point_on_node,
    run_page,
    tab_name,
    toasts,
    wait_for_node,
    wait_for_toast,
    wait_until,
)

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
WATCH_READS = """() => {
    window.gen5Reads = []
    const original = Blob.prototype.arrayBuffer
    Blob.prototype.arrayBuffer = function () { window.gen5Reads.push(this.size); return original.call(this) }
}"""
UPLOAD = "Upload a .gen5 or .png file"


@pytest.fixture
def workflow(server) -> dict[str, Any]:
    """A workflow of the test pack, as the browser stores it."""
    return as_workflow(txt2img(Settings()).nodes, server.object_info())


@pytest.fixture
def sent(page) -> list[str]:
    """URLs under which the page sends the server a part of a file."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/gen5/read" in request.url else None)
    return asked


@pytest.fixture
def loader(page):
    """A Load Gen5 on an empty graph; its id."""
    empty_graph(page)
    node = add_node(page, "Gen5Load")
    show_node(page, node)
    return node


def is_open(page, name: str, workflow: dict[str, Any]) -> bool:
    """Return whether a tab of this name is open and shows as many nodes."""
    return tab_name(page) == name and len(nodes(page)) == len(workflow["nodes"])


def plain_png(texts: dict[str, Any] | None = None) -> bytes:
    """Return a PNG that carries no record, with texts as ComfyUI writes them."""
    notes = PngImagePlugin.PngInfo()
    for name, value in (texts or {}).items():
        notes.add_text(name, json.dumps(value))
    written = io.BytesIO()
    Image.fromarray(PIXELS).save(written, "PNG", pnginfo=notes)
    return written.getvalue()


def chosen(page) -> str:
    """Return the file that the Load Gen5 is set to."""
    return str(nodes(page, "Gen5Load")[0]["widgets"]["file"])


def test_the_browser_shows_the_pixels(page, tmp_path):
    """Chromium decodes the picture to equal pixels, whatever the size of the chunk after it."""
    path = gen5core.save(tmp_path / "cat.png", images=PIXELS, latents={"initial_noise": LARGE_NOISE})
    assert PIXELS.reshape(-1).tolist() == page.evaluate(SHOW, base64.b64encode(path.read_bytes()).decode())


def test_a_drop_opens_the_workflow(page, workflow, sent, tmp_path, shot):
    """Dropped or opened by the menu, the PNG opens its record's workflow under its name, without reading its pixels."""
    path = gen5core.save(
        tmp_path / "cat v1.5.png",
        images=PIXELS,
        latents={"initial_noise": LARGE_NOISE},
        comfyui={"workflow": workflow},
    )
    page.evaluate(WATCH_READS)
    drop_file(page, path)
    wait_until(lambda: is_open(page, "cat v1.5", workflow), "the dropped PNG", page)
    reads = page.evaluate("() => window.gen5Reads")
    assert sum(reads) < 2**20, reads
    assert len(sent) == 1
    shot("carrier-dropped")
    open_by_menu(page, gen5core.save(tmp_path / "menu.png", images=PIXELS, comfyui={"workflow": workflow}))
    wait_until(lambda: is_open(page, "menu", workflow), "the PNG that was chosen in the menu", page)
    assert toasts(page) == []


def test_ordinary_pngs_open_as_before(page, workflow, sent):
    """With and without a workflow, the server gets no request; only each chunk's header is read."""
    page.evaluate(WATCH_READS)
    drop_bytes(page, "ordinary.png", plain_png({"workflow": workflow}), mime="image/png")
    wait_until(lambda: is_open(page, "ordinary", workflow), "the PNG's workflow", page)
    drop_bytes(page, "plain.png", plain_png(), mime="image/png")
    wait_for_node(page, "LoadImage")
    assert sent == []
    ours = [size for size in page.evaluate("() => window.gen5Reads") if size == 8]
    assert len(ours) <= 12


def test_a_damaged_record_leaves_the_picture(page, workflow, tmp_path, shot):
    """A message says what is wrong with the record, and ComfyUI opens the picture as any other."""
    path = gen5core.save(tmp_path / "hurt.png", images=PIXELS, comfyui={"workflow": workflow})
    damage(path, path.read_bytes().rindex(b"IEND") - 40)
    drop_file(page, path)
    text = wait_for_toast(page, "The GEN5 record in hurt.png could not be read")
    assert "META" in text
    wait_until(lambda: is_open(page, "hurt", workflow), "the picture's own workflow", page)
    shot("carrier-damaged")


def test_a_record_without_a_workflow_becomes_a_loader(page, server, tmp_path):
    """As with a .gen5 file, Load Gen5 is offered, and the PNG is copied into the input folder."""
    path = write_file(tmp_path, "no workflow.png")
    drop_file(page, path)
    assert "no workflow.png holds no workflow" in wait_for_toast(page, "no workflow.png")
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    file = wait_for_node(page, "Gen5Load")["widgets"]["file"]
    assert (server.input / file).read_bytes() == path.read_bytes()


def test_saved_opened_and_sampled_again(page, server, workflow, tmp_path):
    """Save Gen5 writes only a PNG; opened and started from, under another seed, it gives the stored picture."""
    graph = txt2img(Settings(sampler_name="euler_ancestral"))
    folder = server.output / tmp_path.name
    path = make_gen5(server, graph, prefix=f"{folder.name}/again", format="png")
    assert [path] == [*folder.iterdir()]
    drop_file(page, path)
    sampler = wait_until(lambda: tab_name(page) == path.stem and wait_for_node(page, "KSampler"), "it", page)
    page.evaluate(
        """([id, prefix]) => {
            const sampler = app.graph.getNodeById(id)
            sampler.widgets.find(widget => widget.name === 'seed').value = 99
            for (const node of app.graph.nodes.filter(node => node.type === 'Gen5Save'))
                node.widgets.find(widget => widget.name === 'filename_prefix').value = prefix
            app.canvas.selectNode(sampler)
        }""",
        [sampler["id"], f"{folder.name}/twice"],
    )
    page.evaluate("() => app.extensionManager.command.execute('Gen5.StartFromStored')")
    assert path.name in wait_for_node(page, "Gen5Load")["widgets"]["file"]
    assert wait_for_node(page, "Gen5Replay")
    run_page(page)
    [twice] = folder.glob("twice_*.png")
    with gen5core.open(path) as first, gen5core.open(twice) as second:
        assert np.array_equal(first.images[0].array(), second.images[0].array())
        assert (
            first.latents["initial_noise"].array().tolist()
            == second.latents["initial_noise"].array().tolist()
        )


def test_load_accepts_carriers_by_button_and_drop(page, server, renderer, loader, tmp_path, shot):
    """They are uploaded, chosen and shown; running the node reads every byte."""
    path = write_file(tmp_path, "by button.png", seed=3)
    with page.expect_file_chooser() as chooser:
        press_widget(page, renderer, loader, "upload_gen5", UPLOAD)
    chooser.value.set_files(path)
    wait_until(lambda: chosen(page) == "by button.png", "the file to be chosen", page)
    assert path.read_bytes() == (server.input / "by button.png").read_bytes()
    expect_text(stored_file(page), "Seed 3", "128 × 96", "In a PNG", "Sealed")
    wait_for_picture(stored_file(page).get_by_alt_text("Stored picture, 128 × 96"), page)
    shot("carrier-loaded")
    drop_file(page, write_file(tmp_path, "by drop.png", seed=4), at=point_on_node(page, loader, 60, -10))
    wait_until(lambda: chosen(page) == "by drop.png", "the dropped file to be chosen", page)
    expect_text(stored_file(page), "Seed 4")
    stored_file(page).get_by_role("button", name="Verify").click()
    expect_text(stored_file(page), "Intact", "Every byte is as it was written")


def test_each_png_of_a_batch_shows_its_own_image(page, server, loader):
    """The node loads the image's own noise; for another batch_index it says what to choose."""
    make_gen5(server, txt2img(Settings(batch_size=2)), prefix="gen5/two", format="png")
    _, second = sorted((server.output / "gen5").glob("two_*.png"))
    choose_file(page, loader, annotated(server, second))
    shown = stored_file(page)
    expect_text(shown, "image 1 of a batch of 2")
    assert "index=1" in shown.get_by_alt_text("Starting noise").get_attribute("src")
    set_widget(page, loader, "batch_index", 1)
    wait_for_picture(shown.get_by_alt_text("Stored picture"), page)
    set_widget(page, loader, "batch_index", 0)
    expect_text(shown, "batch_index is 0, this PNG shows image 1 of a batch of 2")


def test_load_refuses_ordinary_pngs(page, server, loader):
    """The node says that there is no record; nothing is uploaded, and the open workflow stays."""
    drop_bytes(page, "ordinary.png", plain_png(), mime="image/png", at=point_on_node(page, loader, 60, -10))
    assert "ordinary.png carries no GEN5 record" in wait_for_toast(page, "ordinary.png was not uploaded")
    assert not (server.input / "ordinary.png").exists()
    assert [node["type"] for node in nodes(page)] == ["Gen5Load"]


def test_other_nodes_open_pngs_as_before(page, server, workflow, tmp_path):
    """Load Image uses a carrier as a picture; a drop on a sampler opens it as on the canvas."""
    path = gen5core.save(tmp_path / "both.png", images=PIXELS, comfyui={"workflow": workflow})
    empty_graph(page)
    image = add_node(page, "LoadImage")
    show_node(page, image)
    drop_file(page, path, at=point_on_node(page, image, 60, -10))
    wait_until(lambda: "both" in nodes(page, "LoadImage")[0]["widgets"]["image"], "the picture", page)
    sampler = add_node(page, "KSampler", (300, 700))
    show_node(page, sampler)
    drop_file(page, path, at=point_on_node(page, sampler, 60, -10))
    wait_until(lambda: is_open(page, "both", workflow), "the workflow", page)


def test_the_library_lists_carriers_only(page, server, shot):
    """A PNG with a record is listed with its picture and a mark, an ordinary PNG is not listed."""
    folder = server.output / "carriers"
    folder.mkdir()
    write_file(folder, "listed.png", seed=5, prompt="a lighthouse")
    (folder / "ordinary.png").write_bytes(plain_png())
    library = open_library(page)
    library.get_by_role("searchbox").fill("carriers")
    expect(library.locator(NAME)).to_have_text(["listed.png"])
    row = library.locator("[role=option]", has_text="listed.png")
    expect(row.get_by_text("PNG", exact=True)).to_be_visible()
    expect(row.locator("img")).to_be_visible()
    shot("carrier-library")
    details = open_details(library, "listed.png")
    details.locator("summary", has_text="File").click()
    expect(details).to_contain_text("carried in a PNG")
    details.get_by_role("button", name="Verify").click()
    expect(details).to_contain_text("Intact. Every byte is as it was written")
    details.get_by_role("button", name="Add Load Gen5").click()
    assert annotated(server, folder / "listed.png") == wait_for_node(page, "Gen5Load")["widgets"]["file"]


class TestScrub:
    """Gen5.Privacy.Scrub."""

    @pytest.fixture
    def page_settings(self):
        return {"Gen5.Privacy.Scrub": True, "Gen5.Privacy.MachineName": True}

    def test_save_lists_what_it_removed(self, page, server, shot):
        """No file has anything that identifies a person or a machine, and the node lists what was removed."""
        graph = txt2img(Settings())
        graph.add("Gen5Save", images=graph.decode(), filename_prefix="gen5/scrubbed", format="png")
        load_graph(page, graph.nodes)
        node = wait_for_node(page, "Gen5Save")["id"]
        show_node(page, node)
        run_page(page)
        saved = panel(page, "The saved file")
        expect_text(saved, "scrubbed_0", ".png", "Left out for privacy: ")
        saved.locator("summary").click()
        expect(saved.locator("li").first).to_be_visible()
        expect_text(saved, "machine_name")
        page.wait_for_timeout(500)
        shot("save-scrubbed")
        [path] = (server.output / "gen5").glob("scrubbed_*.png")
        with gen5core.open(path) as file:
            assert "machine_name" not in file.hardware


def test_the_check_of_a_removed_node_is_cancelled(page, server, loader):
    """Its request is cancelled when the node is removed."""
    write_file(server.input, "checked.gen5")
    choose_file(page, loader, "checked.gen5")
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    page.route("**/gen5/verify*", hold)
    with page.expect_request("**/gen5/verify*"):
        stored_file(page).get_by_role("button", name="Verify").click()
    assert given_up == []
    page.evaluate("id => app.graph.remove(app.graph.getNodeById(id))", loader)
    wait_until(lambda: [url for url in given_up if "/gen5/verify" in url], "the check to be given up", page)


def hold(route) -> None:
    """Keep a request waiting forever."""


def test_the_command_shows_its_progress(page, server, loader, shot):
    """While Shift+V checks a file, a box shows the progress; the check can be stopped and started again."""
    write_file(server.input, "checked.gen5")
    choose_file(page, loader, "checked.gen5")
    page.evaluate(
        """id => {
            app.canvas.deselectAll()
            app.canvas.select(app.graph.getNodeById(id))
            document.activeElement?.blur()
        }""",
        loader,
    )
    page.route("**/gen5/verify*", hold)
    page.keyboard.press("Shift+V")
    box = page.locator(".gen5-progress")
    expect(box).to_contain_text("Verifying checked.gen5")
    page.wait_for_timeout(400)
    check_contrast(page, ".gen5-progress", 2)
    shot("verify-progress")
    box.get_by_role("button", name="Stop").click()
    expect(box).to_have_count(0)
    assert toasts(page) == []
    page.unroute("**/gen5/verify*")
    page.keyboard.press("Shift+V")
    wait_for_toast(page, "checked.gen5 is intact")
    expect(box).to_have_count(0)

"""Load Gen5 in the page: upload and drop, the chosen file's panel, drift, verification, reloading."""

from __future__ import annotations

import json

import pytest
from comfyui.launcher import PACK
from playwright.sync_api import expect

from .files import INVALID, VALID, annotated, make_gen5
from .node_steps import (
    LARGEST_SEED,
    choose_file,
    damage,
    drifted_environment,
    expect_text,
    press_widget,
    set_widget,
    show_node,
    stored_file,
    wait_for_picture,
    write_file,
)
from .pages import (
    CANVAS_POINT,
    add_node,
    drop_file,
    empty_graph,
    load_graph,
    nodes,
    point_on_node,
    run_page,
    wait_for_toast,
    wait_until,
)

UPLOAD = "Upload a .gen5 or .png file"
EXAMPLES = sorted((PACK / "example_workflows").glob("*.json"))


@pytest.fixture
def loader(page):
    """The id of a Load Gen5 on an empty graph, as a user adds it."""
    empty_graph(page)
    node = add_node(page, "Gen5Load")
    show_node(page, node)
    return node


def chosen(page):
    """Return the file that the first Load Gen5 is set to."""
    return nodes(page, "Gen5Load")[0]["widgets"]["file"]


def listed(page):
    """Return the files that the first Load Gen5 lists."""
    return page.evaluate(
        "() => app.graph.nodes.find(({type}) => type === 'Gen5Load')"
        ".widgets.find(({name}) => name === 'file').options.values"
    )


def test_upload_by_button(page, server, renderer, loader, tmp_path, shot):
    """The button opens a file chooser for .gen5 and .png; the file is uploaded, chosen and shown."""
    path = write_file(tmp_path, "by button.gen5")
    with page.expect_file_chooser() as chooser:
        press_widget(page, renderer, loader, "upload_gen5", UPLOAD)
    assert chooser.value.element.get_attribute("accept") == ".gen5,.png"
    chooser.value.set_files(path)
    wait_until(lambda: chosen(page) == "by button.gen5", "the file to be chosen", page)
    assert path.read_bytes() == (server.input / "by button.gen5").read_bytes()
    assert "by button.gen5" in listed(page)
    expect_text(stored_file(page), f"Seed {LARGEST_SEED}", "dpmpp_2m / karras, 20 steps, cfg 7", "128 × 96")
    wait_for_picture(stored_file(page).get_by_alt_text("Stored picture, 128 × 96"), page)
    wait_for_picture(stored_file(page).get_by_alt_text("Starting noise"), page)
    shot("load-uploaded")


def test_drop_on_the_node(page, server, loader, tmp_path):
    """A file dropped on the title, or on the picture, is uploaded into the node."""
    tabs = page.evaluate("() => app.extensionManager.workflow.openWorkflows.length")
    drop_file(page, write_file(tmp_path, "on title.gen5"), at=point_on_node(page, loader, 60, -10))
    wait_until(lambda: chosen(page) == "on title.gen5", "the file to be chosen", page)
    picture = stored_file(page).get_by_alt_text("Stored picture, 128 × 96")
    wait_for_picture(picture, page)
    box = picture.bounding_box()
    centre = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    drop_file(page, write_file(tmp_path, "on picture.gen5", seed=5), at=centre)
    wait_until(lambda: chosen(page) == "on picture.gen5", "the file to be chosen", page)
    expect_text(stored_file(page), "Seed 5")
    assert tabs == page.evaluate("() => app.extensionManager.workflow.openWorkflows.length")
    assert {"on title.gen5", "on picture.gen5"} <= set(listed(page))


def test_an_upload_that_outlives_its_node(page, server, loader, tmp_path):
    """If another workflow was opened meanwhile, the file is in the input folder and the graph is unchanged."""
    waiting: list = []
    page.route("**/upload/image", lambda route: waiting.append(route))
    drop_file(page, write_file(tmp_path, "late.gen5"), at=point_on_node(page, loader, 60, -10))
    wait_until(lambda: waiting, "the upload", page)
    latent = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
    load_graph(page, {"1": latent}, "another")
    wait_until(lambda: nodes(page, "EmptyLatentImage"), "the other workflow", page)
    before = nodes(page)
    waiting[0].continue_()
    wait_for_toast(page, "Uploaded to the input folder: late.gen5")
    assert before == nodes(page)
    assert (server.input / "late.gen5").exists()


def test_another_drop_goes_on_to_the_canvas(page, loader, tmp_path):
    """A workflow dropped on the node is opened, as anywhere on the canvas."""
    path = tmp_path / "other.json"
    path.write_text(
        json.dumps(
            {"1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}}
        )
    )
    drop_file(page, path, at=point_on_node(page, loader, 60, -10))
    wait_until(lambda: nodes(page, "EmptyLatentImage"), "the workflow", page)


def test_pictures_of_a_batch(page, server, loader, shot):
    """The first picture is shown, the others by buttons and arrow keys; batch_index shows its own."""
    write_file(server.input, "batch.gen5", pictures=3)
    choose_file(page, loader, "batch.gen5")
    panel = stored_file(page)
    expect(panel.get_by_alt_text("Stored picture 1 of 3, 128 × 96")).to_be_visible()
    expect_text(panel, "1 of 3", "3 pictures")
    panel.get_by_role("button", name="Next picture").click()
    expect(panel.get_by_alt_text("Stored picture 2 of 3, 128 × 96")).to_be_visible()
    shot("load-batch")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(panel.get_by_alt_text("Stored picture 1 of 3, 128 × 96")).to_be_visible()
    panel.get_by_role("button", name="Previous picture").focus()
    page.keyboard.press("Enter")
    expect(panel.get_by_alt_text("Stored picture 3 of 3, 128 × 96")).to_be_visible()
    assert "index=2" in panel.get_by_alt_text("Starting noise").get_attribute("src")
    set_widget(page, loader, "batch_index", 1)
    expect(panel.get_by_alt_text("Stored picture 2 of 3, 128 × 96")).to_be_visible()
    expect(panel.get_by_role("button", name="Next picture")).to_have_count(0)
    set_widget(page, loader, "batch_index", 7)
    expect_text(panel, "batch_index is 7, the file holds 3 pictures: 0 to 2, or −1 for all.")


def test_drift_on_hover_and_by_keyboard(page, server, loader, shot):
    """The badge counts what differs; hover, focus and click show the table, Escape closes it."""
    environment = drifted_environment(numpy="name=numpy;version=1.0.0")
    write_file(server.input, "drifted.gen5", environment=environment)
    choose_file(page, loader, "drifted.gen5")
    badge = stored_file(page).get_by_role("button", name="drift")
    table = page.get_by_role("region", name="Environment drift")
    badge.hover()
    expect_text(table, "numpy", "version 1.0.0")
    shot("load-drift-hover")
    page.mouse.move(10, 500)
    expect(table).to_be_hidden()
    stored_file(page).get_by_role("link").focus()
    page.keyboard.press("Tab")
    expect(badge).to_be_focused()
    expect(table).to_be_visible()
    shot("load-drift-keyboard")
    page.keyboard.press("Escape")
    expect(table).to_be_hidden()
    badge.click()
    page.mouse.move(10, 500)
    page.wait_for_timeout(400)
    expect(table).to_be_visible()
    assert [loader] == [node["id"] for node in nodes(page)]


def test_verify(page, server, loader, shot):
    """A file is sealed, and intact after every byte was read."""
    write_file(server.input, "whole.gen5")
    choose_file(page, loader, "whole.gen5")
    panel = stored_file(page)
    expect(panel.get_by_text("Sealed", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Verify").focus()
    page.keyboard.press("Enter")
    expect_text(panel, "Intact", "Every byte is as it was written")
    shot("load-verified")


def test_damaged_and_missing(page, server, loader, shot):
    """The panel says what is wrong with a file, in the server's words."""
    path = write_file(server.input, "payload.gen5")
    damage(path, 600)
    choose_file(page, loader, path.name)
    panel = stored_file(page)
    expect(panel.get_by_text("Sealed", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Verify").click()
    expect_text(panel, "Check failed", "SHA-256")
    expect(panel.get_by_text("Sealed", exact=True)).to_have_count(0)
    shot("load-damaged-payload")
    path = write_file(server.input, "meta.gen5")
    damage(path, path.stat().st_size - 20)
    set_widget(page, loader, "file", path.name)
    expect(panel.get_by_role("alert")).to_contain_text("meta.gen5")
    shot("load-damaged")
    set_widget(page, loader, "file", "gone.gen5")
    expect(panel.get_by_role("alert")).to_contain_text("gone.gen5 is not there")


def test_file_of_the_first_version(page, server, loader):
    """A file of version 1.0 has no seal; its one latent is its starting noise, whatever it is called."""
    (server.input / "old.gen5").write_bytes((VALID / "gen5-0.1.0_zstd_float32.gen5").read_bytes())
    choose_file(page, loader, "old.gen5")
    expect(stored_file(page).get_by_text("Not sealed", exact=True)).to_be_visible()
    expect_text(stored_file(page), "Starting noise: stored")
    wait_for_picture(stored_file(page).get_by_alt_text("Starting noise"), page)


def test_every_kind_of_file(page, server, loader):
    """Whatever a valid file has or lacks is shown; an invalid one gives a message."""
    for path in sorted(VALID.glob("*.gen5")):
        (server.input / path.name).write_bytes(path.read_bytes())
        set_widget(page, loader, "file", path.name)
        expect(
            page.get_by_role("link", name="Open").or_(stored_file(page).get_by_text("No picture"))
        ).to_be_visible()
        expect_text(stored_file(page), "Starting noise:")
    for path in sorted(INVALID.glob("*.gen5"))[::8]:  # in some of these only a payload is invalid
        (server.input / path.name).write_bytes(path.read_bytes())
        with page.expect_response(lambda response: "/gen5/file?" in response.url) as answer:
            set_widget(page, loader, "file", path.name)
        if answer.value.ok:
            expect_text(stored_file(page), "Starting noise:")
        else:
            expect(stored_file(page).get_by_role("alert")).to_contain_text(path.name)


def test_a_quick_change_of_mind(page, server, loader):
    """The file that was chosen last is shown, whichever response arrives last."""
    for number in range(4):
        write_file(server.input, f"quick{number}.gen5", seed=100 + number)
    page.route("**/gen5/file?name=quick1.gen5", lambda route: (page.wait_for_timeout(800), route.continue_()))
    for number in (0, 1, 2, 3):
        set_widget(page, loader, "file", f"quick{number}.gen5")
        page.wait_for_timeout(80)
    expect_text(stored_file(page), "Seed 103")
    page.wait_for_timeout(1200)
    expect_text(stored_file(page), "Seed 103")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_keep_their_values(page, example):
    """A workflow is saved as it was opened: neither button nor panel is counted in widgets_values."""
    workflow = json.loads(example.read_text())
    kept = page.evaluate(
        """async workflow => {
            await app.loadGraphData(JSON.parse(JSON.stringify(workflow)))
            return app.graph.serialize()
        }""",
        workflow,
    )
    ours = {node["id"]: node for node in workflow["nodes"] if node["type"].startswith("Gen5")}
    before = {node["id"]: node.get("widgets_values") for node in kept["nodes"] if node["id"] in ours}
    assert {key: node.get("widgets_values") for key, node in ours.items()} == before


def test_reload_keeps_file_and_panel(page, server, loader, shot):
    """After a reload of the page the node has its values and shows its file again."""
    write_file(server.input, "kept.gen5", seed=77, pictures=2)
    choose_file(page, loader, "kept.gen5")
    set_widget(page, loader, "on_drift", "ignore")
    set_widget(page, loader, "batch_index", 1)
    expect_text(stored_file(page), "Seed 77")
    graph = page.evaluate("() => app.graph.serialize()")
    [node] = graph["nodes"]
    assert node["widgets_values"] == ["kept.gen5", "ignore", 1]
    empty_graph(page)
    page.evaluate("graph => app.loadGraphData(graph)", graph)
    values = nodes(page, "Gen5Load")[0]["widgets"]
    assert tuple(values[name] for name in ("file", "on_drift", "batch_index")) == ("kept.gen5", "ignore", 1)
    show_node(page, loader)
    expect(stored_file(page).get_by_alt_text("Stored picture 2 of 2, 128 × 96")).to_be_visible()
    [again] = page.evaluate("() => app.graph.serialize()")["nodes"]
    assert {**node, "size": again["size"]} == again  # Nodes 2.0 measures it again
    expect(page.locator("[data-node-id] [aria-invalid=true]")).to_have_count(0)


def test_copy_and_paste(page, server, loader):
    """A pasted node shows the file of the copied one."""
    write_file(server.input, "pasted.gen5", seed=31)
    choose_file(page, loader, "pasted.gen5")
    expect_text(stored_file(page), "Seed 31")
    page.evaluate(
        """id => {
            app.canvas.selectItems([app.graph.getNodeById(id)])
            app.canvas.copyToClipboard()
            app.canvas.pasteFromClipboard()
        }""",
        loader,
    )
    wait_until(lambda: len(nodes(page, "Gen5Load")) == 2, "the pasted node", page)
    expect(stored_file(page).filter(has_text="Seed 31")).to_have_count(2)


def test_undo_of_a_drop(page, server, loader, tmp_path):
    """One undo after an upload restores the former file and its panel."""
    write_file(server.input, "before.gen5", seed=8)
    choose_file(page, loader, "before.gen5")
    page.mouse.click(*CANVAS_POINT)  # a click makes ComfyUI record the graph, for undo
    drop_file(page, write_file(tmp_path, "after.gen5", seed=9), at=point_on_node(page, loader, 60, -10))
    expect_text(stored_file(page), "Seed 9")
    page.mouse.click(*CANVAS_POINT)
    page.keyboard.press("Control+z")
    wait_until(lambda: chosen(page) == "before.gen5", "the former file", page)
    expect_text(stored_file(page), "Seed 8")


def test_the_other_renderer_and_a_subgraph(page, server, renderer, loader):
    """The panel is kept when the renderer changes, and in a subgraph."""
    write_file(server.input, "moved.gen5", seed=12)
    choose_file(page, loader, "moved.gen5")
    switch = "on => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)"
    for nodes2 in (renderer != "nodes2", renderer == "nodes2"):
        page.evaluate(switch, nodes2)
        page.wait_for_timeout(1000)
        show_node(page, loader)
        expect(stored_file(page)).to_be_visible()
        expect_text(stored_file(page), "Seed 12")
    page.evaluate(
        """id => {
            app.canvas.selectItems([app.graph.getNodeById(id)])
            const {subgraph, node} = app.graph.convertToSubgraph(app.canvas.selectedItems)
            app.canvas.openSubgraph(subgraph, node)
        }""",
        loader,
    )
    inside = "() => app.canvas.graph.nodes.find(node => node.type === 'Gen5Load')?.id"
    page.wait_for_function(inside)
    page.evaluate(
        """() => {
            const node = app.canvas.graph.nodes.find(node => node.type === 'Gen5Load')
            app.canvas.ds.scale = 1
            app.canvas.ds.offset = [240 - node.pos[0], 120 - node.pos[1]]
            app.canvas.setDirty(true, true)
        }"""
    )
    expect(stored_file(page)).to_be_visible()
    expect_text(stored_file(page), "Seed 12")


class TestDriftSetting:
    """Gen5.Drift.Default."""

    @pytest.fixture
    def page_settings(self):
        return {"Gen5.Drift.Default": "error"}

    def test_new_nodes_take_it(self, page, server):
        """A node that a user adds starts with it; one from a workflow keeps its own value."""
        write_file(server.input, "any.gen5")
        empty_graph(page)
        add_node(page, "Gen5Load")
        [node] = nodes(page)
        assert node["widgets"]["on_drift"] == "error"
        graph = page.evaluate("() => app.graph.serialize()")
        graph["nodes"][0]["widgets_values"][1] = "warn"
        page.evaluate("graph => app.loadGraphData(graph)", graph)
        assert nodes(page)[0]["widgets"]["on_drift"] == "warn"


def test_running_verifies(page, server, shot):
    """Load Gen5 reads every byte when it runs, and the panel says so."""
    path = make_gen5(server, prefix="gen5/verified")
    empty_graph(page)
    node = add_node(page, "Gen5Load")
    show_node(page, node)
    choose_file(page, node, annotated(server, path))
    expect(stored_file(page).get_by_text("Sealed", exact=True)).to_be_visible()
    page.evaluate(
        """id => {
            const end = LiteGraph.createNode('PreviewImage')
            end.pos = [900, 300]
            app.graph.add(end)
            app.graph.getNodeById(id).connect('image', end, 'images')
        }""",
        node,
    )
    history = run_page(page)
    assert set(history["prompt"][2][str(node)]["inputs"]) == {"file", "on_drift", "batch_index"}
    expect(stored_file(page).get_by_text("Intact", exact=True)).to_be_visible()
    expect(stored_file(page).get_by_role("button", name="Verify")).to_have_count(0)
    shot("load-run")


class TestLightTheme:
    """Comfy.ColorPalette light."""

    @pytest.fixture
    def page_settings(self):
        return {"Comfy.ColorPalette": "light"}

    def test_panel(self, page, server, loader, shot):
        """The panel's text has enough contrast on a light node."""
        environment = drifted_environment(numpy="name=numpy;version=1.0.0")
        write_file(server.input, "light.gen5", pictures=2, environment=environment)
        choose_file(page, loader, "light.gen5")
        seed = stored_file(page).get_by_text("Seed")
        expect(seed).to_be_visible()
        stored_file(page).get_by_role("button", name="drift").hover()
        page.wait_for_timeout(500)
        shot("load-light")
        colour = seed.evaluate("line => getComputedStyle(line).color")
        assert max(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")[:3]) < 110

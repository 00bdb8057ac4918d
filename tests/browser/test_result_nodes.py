"""Save Gen5, Compare With Stored and Environment Drift in the page, after runs that the page queued."""

from __future__ import annotations

import pytest
from comfyui.graph import Settings
from comfyui.graphs import tiny_model, txt2img
from playwright.sync_api import expect

from .files import annotated, make_gen5
from .node_steps import drifted_environment, expect_text, panel, show_node, stored_file, write_file
from .pages import add_node, load_graph, nodes, run_page, wait_for_node, wait_until

SIZE = {"width": 256, "height": 256}


def open_graph(page, graph, node_type):
    """Open a graph in API form, show one of its nodes, and return that node's id."""
    load_graph(page, graph.nodes)
    node = wait_for_node(page, node_type)["id"]
    show_node(page, node)
    return node


def save_graph(**save):
    """Return a graph with a Save Gen5."""
    sampler = {key: save.pop(key) for key in ("sampler_name", "seed") if key in save}
    graph = txt2img(Settings(**SIZE, **sampler))
    inputs = {"latent": graph.result, "images": graph.decode(), "filename_prefix": "gen5/shown", **save}
    graph.add("Gen5Save", **inputs)
    return graph


def compare_graph(server, path, *, flip_bit=False, tolerance=0.0, steps=4):
    """Return a graph that samples again from a file, and compares the results."""
    graph = txt2img(Settings(**SIZE, seed=99, steps=steps))
    model = tiny_model(graph, flip_bit=flip_bit)
    file = graph.add("Gen5Load", file=annotated(server, path), on_drift="warn")
    replay = graph.add("Gen5Replay", model=model, gen5=[file, 4])
    graph.set(graph.samplers[0], model=[replay, 0], latent_image=[replay, 1])
    sockets = {"gen5": [file, 4], "latent": graph.result, "images": graph.decode(), "tolerance": tolerance}
    graph.add("Gen5Compare", **sockets)
    return graph


def check_preview(page, renderer, node_id):
    """Check that a node shows its run's picture as ComfyUI's own nodes do."""
    if renderer == "nodes2":
        picture = page.locator(f"[data-node-id='{node_id}'] img[src*='/view?']").first
        expect(picture).to_be_visible()
    else:
        page.wait_for_function("id => app.graph.getNodeById(id).imgs?.[0]?.naturalWidth > 0", arg=node_id)


def test_save_shows_what_it_stored(page, server, renderer, shot):
    """The node shows preview, size, the source of the starting noise, and a stochastic sampler's step noise."""
    node = open_graph(page, save_graph(sampler_name="euler_ancestral"), "Gen5Save")
    expect(panel(page, "The saved file")).to_have_count(0)
    run_page(page)
    saved = panel(page, "The saved file")
    expect_text(saved, "shown_0", "kB", "Starting noise: recorded while sampling", "Step noise: stored")
    check_preview(page, renderer, node)
    page.wait_for_timeout(500)
    shot("save-recorded")


def test_save_shows_why_not(page, server, shot):
    """Without a recording the noise is derived; without a latent there is none; the node says which."""
    server.post("/settings", {"Gen5.Recording.Automatic": False})
    node = open_graph(page, save_graph(), "Gen5Save")
    run_page(page)
    saved = panel(page, "The saved file")
    expect_text(saved, "Starting noise: derived from the seed", "Step noise: not recorded")
    shot("save-derived")
    page.evaluate("id => app.graph.getNodeById(id).disconnectInput('latent')", node)
    run_page(page)
    expect_text(saved, "Starting noise: none: no latent is connected")
    shot("save-none")


def test_save_in_a_subgraph(page, server):
    """A node in a subgraph shows its result like any other."""
    node = open_graph(page, save_graph(), "Gen5Save")
    page.evaluate(
        """id => {
            app.canvas.selectItems([app.graph.getNodeById(id)])
            window.gen5Inner = app.graph.convertToSubgraph(app.canvas.selectedItems)
        }""",
        node,
    )
    run_page(page)
    page.evaluate(
        """() => {
            app.canvas.openSubgraph(gen5Inner.subgraph, gen5Inner.node)
            const node = gen5Inner.subgraph.nodes.find(node => node.type === 'Gen5Save')
            app.canvas.ds.scale = 1
            app.canvas.ds.offset = [240 - node.pos[0], 120 - node.pos[1]]
            app.canvas.setDirty(true, true)
        }"""
    )
    expect_text(panel(page, "The saved file"), "shown_0", "Starting noise: ")


def test_save_of_a_deterministic_sampler(page, server):
    """euler adds no noise at its steps, and the node says so."""
    open_graph(page, save_graph(), "Gen5Save")
    run_page(page)
    expect_text(panel(page, "The saved file"), "Step noise: the sampler added none")


@pytest.mark.parametrize(
    ("changes", "badge", "expected"),
    [
        ({}, "Bit-exact", ["L∞ 0: every bit is the stored one", "latent: bit-exact", "images: bit-exact"]),
        (
            {"flip_bit": True, "tolerance": 0.01},
            "Within tolerance",
            ["tolerance 0.01", "latent: within tolerance, L∞"],
        ),
        ({"steps": 3}, "Differs", ["L∞", "PSNR", "latent: DIFFERENT", "values differ"]),
    ],
    ids=["bit-exact", "within", "differs"],
)
def test_compare(page, server, renderer, shot, changes, badge, expected):
    """The verdict, L∞, and the picture of the difference."""
    path = make_gen5(server, txt2img(Settings(**SIZE)))
    node = open_graph(page, compare_graph(server, path, **changes), "Gen5Compare")
    run_page(page)
    verdict = panel(page, "The verdict")
    expect(verdict.get_by_text(badge, exact=True)).to_be_visible()
    expect_text(verdict, *expected)
    check_preview(page, renderer, node)
    page.wait_for_timeout(500)
    shot(f"compare-{badge.lower().replace(' ', '-')}")


def test_environment_drift(page, server, shot):
    """The node contains a table of the drifts."""
    path = write_file(
        server.input, "drifted.gen5", environment=drifted_environment(numpy="name=numpy;version=1.0.0")
    )
    graph = txt2img(Settings())
    graph.add("Gen5Environment", gen5=[graph.add("Gen5Load", file=path.name, on_drift="ignore"), 4])
    open_graph(page, graph, "Gen5Environment")
    run_page(page)
    drift = panel(page, "Environment drift")
    expect_text(drift, "differ", "numpy", "version 1.0.0")
    shot("environment-drift")


def test_no_drift(page, server):
    """A file of this machine: nothing differs."""
    path = make_gen5(server)
    graph = txt2img(Settings())
    graph.add(
        "Gen5Environment", gen5=[graph.add("Gen5Load", file=annotated(server, path), on_drift="ignore"), 4]
    )
    open_graph(page, graph, "Gen5Environment")
    run_page(page)
    expect_text(panel(page, "Environment drift"), "Nothing differs")


def test_results_come_back_with_the_tab(page, server, renderer, shot):
    """When the user returns to a workflow's tab, its nodes show their results again."""
    path = make_gen5(server, txt2img(Settings(**SIZE)))
    graph = compare_graph(server, path)
    graph.add("Gen5Save", latent=graph.result, images=graph.decode(), filename_prefix="gen5/tab")
    file = next(key for key, node in graph.nodes.items() if node["class_type"] == "Gen5Load")
    graph.add("Gen5Environment", gen5=[file, 4])
    open_graph(page, graph, "Gen5Compare")
    run_page(page)
    before = panel_texts(page)
    assert "Bit-exact" in before["Gen5Compare"]
    assert "Intact" in before["Gen5Load"]
    page.evaluate("() => app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    page.wait_for_function("() => !app.graph.nodes.some(node => node.type === 'Gen5Compare')")
    page.locator(".workflow-tab", has_text="test").click()
    wait_for_node(page, "Gen5Compare")
    show_node(page, nodes(page, "Gen5Load")[0]["id"])
    expect(stored_file(page).get_by_text("Intact", exact=True)).to_be_visible()
    assert before == panel_texts(page)
    expect(page.locator("[data-node-id] [aria-invalid=true]")).to_have_count(0)
    shot("tab-back")


def test_results_stay_after_an_undo(page, server):
    """An undo creates every node again, and their results and pictures are still shown."""
    node = open_graph(page, save_graph(), "Gen5Save")
    run_page(page)
    saved = panel(page, "The saved file")
    before = saved.inner_text()
    add_node(page, "Gen5Compare", (-900, -900))
    page.evaluate(
        """async () => {
            const {changeTracker} = app.extensionManager.workflow.activeWorkflow
            changeTracker.captureCanvasState()
            await changeTracker.undo()
        }"""
    )
    wait_until(lambda: not nodes(page, "Gen5Compare"), "the undo", page)
    show_node(page, node)
    expect(saved).to_be_visible()
    assert saved.inner_text() == before


def panel_texts(page):
    """Return the text of each panel, after scrolling to it."""
    labels = {
        "Gen5Compare": "The verdict",
        "Gen5Save": "The saved file",
        "Gen5Environment": "Environment drift",
        "Gen5Load": "The stored file",
    }
    expected = {}
    for node_type, label in labels.items():
        show_node(page, nodes(page, node_type)[0]["id"])
        expected[node_type] = panel(page, label).inner_text().split()
    return expected


def test_nodes_that_the_server_inserts(page, server, renderer, shot):
    """The progress of a run with inserted nodes is shown on the user's own nodes; the page raises no error."""
    page.evaluate(
        """() => {
            window.gen5Seen = {executing: [], progress: [], executed: []}
            for (const kind of Object.keys(gen5Seen))
                app.api.addEventListener(kind, ({detail}) =>
                    gen5Seen[kind].push(String(detail?.display_node ?? detail?.node ?? detail)))
            app.api.addEventListener('progress_state', ({detail}) =>
                gen5Seen.executing.push(...Object.keys(detail.nodes)))
        }"""
    )
    graph = save_graph()
    node = open_graph(page, graph, "Gen5Save")
    history = run_page(page)
    assert any(key.startswith("gen5_") for key in history["prompt"][2]), "the server put nothing in"
    seen = page.evaluate("() => gen5Seen")
    assert any(key.startswith("gen5_") for key in seen["executing"])
    assert graph.samplers[0] in seen["progress"]
    check_preview(page, renderer, node)
    assert set(graph.nodes) == {str(one["id"]) for one in nodes(page)}
    shot("spliced-run")


class TestLightTheme:
    """Comfy.ColorPalette light."""

    @pytest.fixture
    def page_settings(self):
        return {"Comfy.ColorPalette": "light"}

    def test_verdict(self, page, server, shot):
        """The verdict and the saved file on light nodes."""
        path = make_gen5(server, txt2img(Settings(**SIZE)))
        graph = compare_graph(server, path, steps=3)
        graph.add("Gen5Save", latent=graph.result, images=graph.decode(), filename_prefix="gen5/light")
        open_graph(page, graph, "Gen5Compare")
        run_page(page)
        expect(panel(page, "The verdict").get_by_text("Differs", exact=True)).to_be_visible()
        page.wait_for_timeout(500)
        shot("compare-light")
        show_node(page, nodes(page, "Gen5Save")[0]["id"])
        shot("save-light")

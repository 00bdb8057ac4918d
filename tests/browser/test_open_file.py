"""Opening .gen5 files by drop and by the Open menu: valid ones, damaged ones, and those without a workflow."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui.graph import Settings
from comfyui.graphs import txt2img
from PIL import Image, PngImagePlugin

import gen5core

from .files import INVALID, VALID, as_workflow, make_gen5
from .pages import (
    CANVAS_POINT,
    drop_bytes,
    drop_file,
    nodes,
    open_by_menu,
    tab_name,
    toasts,
    wait_for_node,
    wait_for_toast,
    wait_until,
)

DAMAGED = [
    "ChecksumError__meta_changed_under_seal",
    "ChecksumError__seal_wrong",
    "LimitError__meta_bomb",
    "LimitError__meta_declares_an_exbibyte",
    "MalformedChunkError__meta_inside_header",
    "MalformedChunkError__meta_nested_at_the_end",
    "MalformedChunkError__meta_outside_file",
    "MalformedChunkError__meta_zstd_cut",
    "TruncatedError__header_31_bytes",
    "UnsupportedVersionError__version_2",
]
OTHER_KINDS = ["NotGen5Error__png", "NotGen5Error__magic_small_letters", "NotGen5Error__empty_file"]
OLD = "gen5-0.1.0_zstd_float32.gen5"
BIG_BYTES = 200 * 2**20
HEADER = struct.Struct("<4sBBHIIIIQ")

WATCH_READS = """() => {
    window.gen5Reads = []
    for (const kind of ['arrayBuffer', 'text', 'stream', 'bytes']) {
        const original = Blob.prototype[kind]
        if (!original) continue
        Blob.prototype[kind] = function () { window.gen5Reads.push(this.size); return original.call(this) }
    }
    for (const kind of ['readAsArrayBuffer', 'readAsText', 'readAsDataURL', 'readAsBinaryString']) {
        const original = FileReader.prototype[kind]
        FileReader.prototype[kind] = function (blob) {
            window.gen5Reads.push(blob.size)
            return original.apply(this, arguments)
        }
    }
}"""
STATE = """() => ({
    graph: JSON.stringify(app.graph.serialize()),
    tabs: app.extensionManager.workflow.openWorkflows.map(tab => tab.filename),
})"""


@pytest.fixture
def workflow(server) -> dict[str, Any]:
    """A workflow of the test pack, as the browser stores it."""
    return as_workflow(txt2img(Settings()).nodes, server.object_info())


def state(page) -> Any:
    """Return what a failed open must not change: the graph and the tabs."""
    return page.evaluate(STATE)


def is_open(page, name: str, graph_nodes: int) -> bool:
    """Return whether a tab of this name is open and shows as many nodes."""
    return tab_name(page) == name and len(nodes(page)) == graph_nodes


def server_message(server, path: Path) -> str:
    """Return the server's message for a file's header and tail."""
    content = path.read_bytes()
    offset = HEADER.unpack_from(content)[4] if len(content) >= HEADER.size else len(content)
    kind = {"Content-Type": "application/octet-stream"}
    status, answer = server.request("POST", "/gen5/read", content[: HEADER.size] + content[offset:], kind)
    assert status == http.client.UNPROCESSABLE_ENTITY
    return str(json.loads(answer)["error"])


def confirm(page, agree: bool) -> None:
    """Respond to ComfyUI's dialog."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Confirm" if agree else "Cancel").click()
    dialog.wait_for(state="hidden")


def test_good_files_open_by_drop_and_by_menu(page, server, tmp_path, shot):
    """Each way opens the stored workflow in a tab of the file's name, and the suffix's case does not matter."""
    path = make_gen5(server, prefix="gen5/dropped v1.5")
    count = 8
    drop_file(page, path)
    wait_until(lambda: is_open(page, path.stem, count), "the dropped file", page)
    shot("open-dropped")
    drop_bytes(page, "By script.GEN5", path.read_bytes())
    wait_until(lambda: is_open(page, "By script", count), "the file that a script dropped", page)
    menu = shutil.copyfile(path, tmp_path / "chosen.gen5")
    open_by_menu(page, menu)
    wait_until(lambda: is_open(page, "chosen", count), "the file that was chosen in the menu", page)
    assert toasts(page) == []
    seeds = [node["widgets"]["seed"] for node in nodes(page, "KSampler")]
    assert [Settings().seed] == seeds


def test_the_open_menu_offers_the_suffix(page):
    """The menu's file dialog lists .gen5 in addition to everything that it listed before."""
    accepted = page.locator("#comfy-file-input").get_attribute("accept").split(",")
    assert ".gen5" in accepted
    assert {".json", "image/png"} <= set(accepted) or {".json", "application/json"} <= set(accepted)


def test_several_files_open_in_a_tab_each(page, workflow, tmp_path):
    """A drop of two files opens both."""
    paths = [tmp_path / "one.gen5", tmp_path / "two.gen5"]
    for path in paths:
        gen5core.save(path, comfyui={"workflow": workflow})
    drop_file(page, *paths)
    wait_until(lambda: is_open(page, "two", len(workflow["nodes"])), "the second file", page)
    assert {"one", "two"} <= set(state(page)["tabs"])


def test_a_file_with_the_api_form_alone_opens(page, tmp_path):
    """If no workflow is stored, ComfyUI lays out the graph that ran."""
    path = tmp_path / "from a script.gen5"
    gen5core.save(path, comfyui={"prompt": txt2img(Settings(seed=7)).nodes})
    drop_file(page, path)
    wait_until(lambda: nodes(page, "KSampler") and tab_name(page) == path.stem, "the graph", page)
    assert wait_for_node(page, "KSampler")["widgets"]["seed"] == 7


def test_damaged_files_are_reported_and_change_nothing(page, server, shot):
    """The message is the core's, sent by the server, without advice for programmers; the graph stays."""
    before = state(page)
    for name in DAMAGED:
        path = INVALID / f"{name}.gen5"
        drop_file(page, path)
        text = wait_for_toast(page, path.name)
        assert f"{path.name} could not be opened" in text
        assert server_message(server, path) in text
        assert "Limits" not in text
    shot("open-damaged")
    assert before == state(page)


def test_other_files_under_the_suffix_are_reported(page):
    """A file that does not begin with GEN5 is not sent at all."""
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    before = state(page)
    for name in OTHER_KINDS:
        drop_file(page, INVALID / f"{name}.gen5")
        assert "is not a GEN5 file: it does not begin with GEN5" in wait_for_toast(page, f"{name}.gen5")
    assert before == state(page)
    assert not [url for url in sent if "/gen5/read" in url]


def test_a_file_of_the_first_version_becomes_a_loader(page, server, shot):
    """A message says that it has no workflow, and offers to copy it to input/ and to set a Load Gen5 to it."""
    before = state(page)
    drop_file(page, VALID / OLD)
    assert "no workflow" in wait_for_toast(page, OLD)
    page.get_by_role("dialog").wait_for()
    shot("open-without-workflow")
    confirm(page, agree=False)
    assert before == state(page)
    drop_file(page, VALID / OLD)
    confirm(page, agree=True)
    loader = wait_for_node(page, "Gen5Load")
    assert Path(OLD).stem in loader["widgets"]["file"]
    assert (VALID / OLD).read_bytes() == (server.input / loader["widgets"]["file"]).read_bytes()
    dropped = page.evaluate(
        "([x, y]) => app.canvas.convertEventToCanvasOffset({clientX: x, clientY: y})", CANVAS_POINT
    )
    assert loader["pos"] == pytest.approx(dropped, abs=80)
    wait_for_toast(page, "Load Gen5 added")
    shot("open-without-workflow-added")


def test_a_file_saved_without_its_workflow_says_so(page, server):
    """With embed_workflow off neither form is in the file."""
    path = make_gen5(server, prefix="gen5/private", embed_workflow=False)
    drop_file(page, path)
    assert f"{path.name} holds no workflow" in wait_for_toast(page, path.name)
    confirm(page, agree=False)


def test_other_files_open_as_before(page, workflow):
    """ComfyUI itself handles a PNG and a JSON with a workflow, and an image without one."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("workflow", json.dumps(workflow))
    picture, plain = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG", pnginfo=notes)
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    count = len(workflow["nodes"])
    drop_bytes(page, "picture.png", picture.getvalue(), mime="image/png")
    wait_until(lambda: is_open(page, "picture", count), "the PNG's workflow", page)
    drop_bytes(page, "graph.json", json.dumps(workflow).encode(), mime="application/json")
    wait_until(lambda: is_open(page, "graph", count), "the JSON's workflow", page)
    drop_bytes(page, "plain.png", plain.getvalue(), mime="image/png")
    wait_for_node(page, "LoadImage")


def test_a_large_file_is_read_by_slices(page, workflow, tmp_path):
    """Of 200 MB only the header and META are read and sent."""
    path = tmp_path / "large.gen5"
    noise = np.zeros(BIG_BYTES // 4, np.float32)
    gen5core.save(path, latents={"initial_noise": noise}, comfyui={"workflow": workflow}, compression="none")
    posted: list[int] = []
    page.on("request", lambda request: posted.append(_posted_bytes(request)))
    page.evaluate(WATCH_READS)
    began = time.monotonic()
    drop_file(page, path)
    wait_until(lambda: is_open(page, "large", len(workflow["nodes"])), "the workflow", page)
    assert time.monotonic() - began < 10
    reads = page.evaluate("() => window.gen5Reads")
    assert sum(reads) < 2**20, reads
    assert 32 in reads
    assert sum(posted) < 2**20, posted


def _posted_bytes(request) -> int:
    return len(request.post_data_buffer or b"")

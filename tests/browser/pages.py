"""What tests do to an open page and read from it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

VIEWPORT = {"width": 1600, "height": 1000}
READY_MILLISECONDS = 180_000
WAIT_SECONDS = 30
POLL_SECONDS = 0.05
CANVAS_POINT = (140, 900)
"""Where ComfyUI's first workflow, and those of :func:`files.as_workflow`, leave the canvas bare."""
DRAG_MILLISECONDS = 100
"""Between events: ComfyUI notes the node under the pointer in a frame of its own."""
DROPS = 5
TOAST = ".p-toast-message, [data-testid=toast]"
"""A message in the corner, of frontends before 1.58 and since."""

_READY = """() => Boolean(
    window.app?.graph && window.LiteGraph?.registered_node_types['Gen5Save']
    && document.getElementById('comfy-file-input')?.accept.includes('.gen5')
    && app.extensionManager?.workflow?.activeWorkflow
)"""
_UNVEILED = "() => !document.querySelector('#splash-loader, .p-progressspinner')"
_NOTE_DRAGS = """() => {
    if (!window.gen5Drags)
        for (const kind of ['dragover', 'drop'])
            window.addEventListener(kind, () => window.gen5Drags.push(kind), true)
    window.gen5Drags = []
}"""
_DROP = """async ({name, bytes, type, x, y}) => {
    const content = await (await fetch(`data:;base64,${bytes}`)).arrayBuffer()
    const transfer = new DataTransfer()
    transfer.items.add(new File([content], name, {type}))
    const target = document.elementFromPoint(x, y)
    const options = {dataTransfer: transfer, clientX: x, clientY: y, bubbles: true, cancelable: true}
    for (const kind of ['dragenter', 'dragover', 'drop']) target.dispatchEvent(new DragEvent(kind, options))
}"""
_NODES = """type => app.graph.nodes.filter(node => !type || node.type === type).map(node => ({
    id: node.id, type: node.type, title: node.title, pos: [...node.pos], size: [...node.size],
    widgets: Object.fromEntries((node.widgets ?? []).map(widget => [widget.name, widget.value])),
}))"""
_POSITION = """id => {
    const node = app.graph.getNodeById(id), canvas = app.canvas
    const box = canvas.canvas.getBoundingClientRect(), {scale, offset} = canvas.ds
    return [0, 1].map(axis => (node.pos[axis] + offset[axis]) * scale + [box.left, box.top][axis])
}"""


def wait_until_ready(page: Page) -> None:
    """Wait until ComfyUI has started and every extension is set up."""
    page.wait_for_function(_READY, timeout=READY_MILLISECONDS)
    page.wait_for_function(_UNVEILED, timeout=READY_MILLISECONDS)
    page.wait_for_timeout(300)  # the first drawing of the graph


def wait_until(condition: Callable[[], Any], what: str, page: Page | None = None) -> Any:
    """Return the result of condition once it is true; with a page, its events are processed meanwhile."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        if page is None:
            time.sleep(POLL_SECONDS)
        else:
            page.wait_for_timeout(POLL_SECONDS * 1000)
    raise AssertionError(f"not within {WAIT_SECONDS} s: {what}")


def drop_file(page: Page, *paths: Path, at: tuple[float, float] = CANVAS_POINT) -> None:
    """Drop files from this machine as a person does: trusted events, through the browser's protocol.

    A busy page may answer the drag too late for the browser to take the drop as welcome: it is then done again.
    """
    page.evaluate(_NOTE_DRAGS)
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for _ in range(DROPS):
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": at[0], "y": at[1], "data": data})
            page.wait_for_timeout(DRAG_MILLISECONDS)
        if _was_dropped(page):
            break
    else:
        raise AssertionError(f"the browser took none of {DROPS} drops of {paths}")
    session.detach()


def _was_dropped(page: Page) -> bool:
    for _ in range(DROPS):
        if "drop" in page.evaluate("() => window.gen5Drags"):
            return True
        page.wait_for_timeout(2 * DRAG_MILLISECONDS)
    return False


def drop_bytes(
    page: Page, name: str, content: bytes, *, mime: str = "", at: tuple[float, float] = CANVAS_POINT
) -> None:
    """Drop a file that exists in the page alone, with events that a script makes."""
    encoded = base64.b64encode(content).decode()
    page.evaluate(_DROP, {"name": name, "bytes": encoded, "type": mime, "x": at[0], "y": at[1]})


def open_by_menu(page: Page, path: Path) -> None:
    """Choose a file as in ComfyUI's menu, Open."""
    page.set_input_files("#comfy-file-input", str(path))


def toasts(page: Page) -> list[str]:
    """Return the text of each message in the corner, summary and detail in lines."""
    texts: list[str] = page.locator(TOAST).all_inner_texts()
    return texts


def wait_for_toast(page: Page, part: str) -> str:
    """Return the text of the first message that contains part, once it is shown."""
    found: str = wait_until(
        lambda: next((text for text in toasts(page) if part in text), ""), f"a message with {part!r}", page
    )
    return found


def nodes(page: Page, node_type: str = "") -> list[dict[str, Any]]:
    """Return the nodes of the open graph (of one type): id, type, title, pos, size, widgets by name."""
    found: list[dict[str, Any]] = page.evaluate(_NODES, node_type)
    return found


def wait_for_node(page: Page, node_type: str) -> dict[str, Any]:
    """Return the first node of a type, once there is one."""
    return dict(wait_until(lambda: nodes(page, node_type), f"a node {node_type}", page)[0])


def point_on_node(page: Page, node_id: Any, x: float = 40, y: float = 12) -> tuple[float, float]:
    """Return the position on the page of a point of a node, measured from its top left below the title."""
    left, top = page.evaluate(_POSITION, node_id)
    scale = page.evaluate("() => app.canvas.ds.scale")
    return left + x * scale, top + y * scale


def load_graph(page: Page, prompt: Mapping[str, Any], name: str = "test") -> None:
    """Open a graph in API form, as if its JSON had been dropped."""
    page.evaluate(
        "async ([text, name]) => app.handleFile(new File([text], `${name}.json`, {type: 'application/json'}))",
        [json.dumps(prompt), name],
    )


def empty_graph(page: Page) -> None:
    """Take every node off the canvas."""
    page.evaluate("() => { app.graph.clear(); app.canvas.setDirty(true, true) }")


def add_node(page: Page, node_type: str, pos: tuple[float, float] = (300, 300)) -> Any:
    """Add a node and return its id."""
    return page.evaluate(
        """([type, pos]) => {
            const node = LiteGraph.createNode(type)
            node.pos = pos
            app.graph.add(node)
            return node.id
        }""",
        [node_type, list(pos)],
    )


def tab_name(page: Page) -> str:
    """Return the name of the open workflow's tab."""
    name: str = page.evaluate("() => app.extensionManager.workflow.activeWorkflow.filename")
    return name


def run_page(page: Page, seconds: float = 60) -> dict[str, Any]:
    """Queue the open graph from the page, wait for its end, and return its history."""
    page.evaluate("() => { window.gen5Ended = 0 }")
    page.evaluate(
        """() => {
            for (const kind of ['execution_success', 'execution_error', 'execution_interrupted'])
                app.api.addEventListener(kind, ({detail}) => { window.gen5Ended = detail.prompt_id }, {once: true})
            return app.queuePrompt(0)
        }"""
    )
    page.wait_for_function("() => window.gen5Ended", timeout=seconds * 1000)
    history: dict[str, Any] = page.evaluate(
        "async () => (await (await app.api.fetchApi(`/history/${window.gen5Ended}`)).json())[window.gen5Ended]"
    )
    return history

"""Workflows on the canvas: open, inspect, undo."""

from __future__ import annotations

import re
from typing import Any

from comfyui.graph import Graph
from playwright.sync_api import Page, expect

from .files import as_workflow
from .pages import CANVAS_POINT, load_graph, nodes, wait_until

SETTLE_MILLISECONDS = 600
"""Until sizes are measured and changes are noted for undo."""
_SERIALIZED = "() => JSON.parse(JSON.stringify((app.rootGraph ?? app.graph).serialize()))"
_FIT_VIEW = "() => { app.canvas.deselectAll(); app.extensionManager.command.execute('Comfy.Canvas.FitView') }"
_POINT = """([id, x, y]) => {
    const node = app.canvas.graph.getNodeById(id), {scale, offset} = app.canvas.ds
    const {left, top} = app.canvas.canvas.getBoundingClientRect()
    return [(node.pos[0] + x + offset[0]) * scale + left, (node.pos[1] + y + offset[1]) * scale + top]
}"""
_BOXES = """() => [...document.querySelectorAll('[data-node-id]')].map(one => one.getBoundingClientRect())
    .filter(box => box.width).map(box => [box.x, box.y, box.right, box.bottom])"""
_DRAWN_BOXES = """() => app.canvas.graph.nodes.map(node =>
    [node.pos[0], node.pos[1] - 30, node.pos[0] + node.size[0], node.pos[1] + node.size[1]])"""
_INNER_NODES = """type => app.canvas.graph.nodes.filter(node => !type || node.type === type).map(node => {
    const origin = slot => {
        const link = node.getInputLink(slot)
        const from = link && app.canvas.graph.getNodeById(link.origin_id)
        return link && `${from?.type ?? 'outside'}.${from?.outputs[link.origin_slot].name ?? ''}`
    }
    return {
        id: node.id, type: node.type, size: [...node.size],
        widgets: Object.fromEntries((node.widgets ?? []).map(widget => [widget.name, widget.value])),
        inputs: Object.fromEntries(node.inputs.map((input, slot) => [input.name, origin(slot)])),
    }
})"""


def open_workflow(page: Page, graph: Graph, info: dict[str, Any]) -> None:
    """Open a graph as a workflow, and fit it into the view."""
    workflow = as_workflow(graph.nodes, info)
    load_graph(page, workflow)
    wait_until(lambda: len(nodes(page)) == len(graph.nodes), "the graph on the canvas", page)
    fit_view(page)
    page.mouse.click(*CANVAS_POINT)  # a click makes ComfyUI record the measured sizes, for undo
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def fit_view(page: Page) -> None:
    """Fit the graph into the view, as the key . does if nothing is selected."""
    page.evaluate(_FIT_VIEW)
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def point_in_graph(page: Page, node_id: Any, x: float = 40, y: float = 12) -> tuple[float, float]:
    """Return the position on the page of a point of a node in the open graph, a subgraph's too."""
    left, top = page.evaluate(_POINT, [node_id, x, y])
    return left, top


def serialized(page: Page) -> dict[str, Any]:
    """Return the root graph as a workflow file holds it, without the view and the order of execution.

    ComfyUI leaves both out as well where it compares graphs for undo.
    """
    graph: dict[str, Any] = page.evaluate(_SERIALIZED)
    graph.get("extra", {}).pop("ds", None)
    for part in [graph, *graph.get("definitions", {}).get("subgraphs", [])]:
        part.get("extra", {}).pop("ds", None)
        part["nodes"] = sorted(
            ({**node, "order": 0} for node in part["nodes"]), key=lambda node: str(node["id"])
        )
    return graph


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return where two graphs differ, each path with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(name, one.get(name), other.get(name)) for name in sorted({*one, *other})]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(str(index), *both) for index, both in enumerate(zip(one, other, strict=True))]
    else:
        return [] if one == other else [f"{path}: {one!r:.200} is now {other!r:.200}"]
    return [found for name, *both in pairs for found in differences(*both, f"{path}.{name}")]


def enter_subgraph_of(page: Page, node_id: Any) -> None:
    """Convert one node into a subgraph, and open it."""
    page.evaluate(
        """id => {
            const {canvas} = app
            canvas.deselectAll()
            canvas.select(canvas.graph.getNodeById(id))
            const {subgraph, node} = canvas.graph.convertToSubgraph(canvas.selectedItems)
            canvas.openSubgraph(subgraph, node)
        }""",
        node_id,
    )
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    fit_view(page)
    page.mouse.click(*CANVAS_POINT)  # a click makes ComfyUI record the change, for undo
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def overlapping(page: Page, renderer: str) -> list[tuple[Any, Any]]:
    """Return the pairs of nodes that overlap."""
    boxes = page.evaluate(_BOXES if renderer == "nodes2" else _DRAWN_BOXES)
    pairs = [(one, other) for number, one in enumerate(boxes) for other in boxes[:number]]
    return [
        (one, other)
        for one, other in pairs
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]


def undo(page: Page) -> None:
    """Press Ctrl+Z once over the canvas; ComfyUI then reloads the previous graph, with a delay if the page is busy."""
    before = serialized(page)
    page.evaluate("() => document.activeElement?.blur()")
    page.keyboard.press("Control+z")
    wait_until(lambda: before != serialized(page), "something undone", page)
    page.wait_for_timeout(2 * SETTLE_MILLISECONDS)


def menu_entry(page: Page, text: str) -> Any:
    """Return an entry of the open menus, ComfyUI's classic one or its newer one."""
    classic = page.locator(".litemenu-entry", has_text=re.compile(f"^{re.escape(text)}$"))
    return classic.or_(page.get_by_role("menuitem").get_by_text(text, exact=True)).last


def open_node_menu(page: Page, node_id: Any, entry: str, choice: str) -> Any:
    """Right-click the title of a node, open one of its menu's submenus, and return a choice of that."""
    page.mouse.click(*point_in_graph(page, node_id, 60, -14), button="right")
    parent = menu_entry(page, entry)
    expect(parent).to_be_visible()
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    parent.hover()
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    chosen = menu_entry(page, choice)
    if not chosen.is_visible():  # the classic menu opens submenus on a click
        parent.click()
    expect(chosen).to_be_visible()
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    x, y = _middle(chosen)
    page.mouse.move(x, _middle(parent)[1], steps=10)  # a path across the entries below would close it
    page.mouse.move(x, y, steps=5)
    return chosen


def choose(page: Page, chosen: Any) -> None:
    """Click an entry of the submenu that the pointer is on."""
    page.mouse.click(*_middle(chosen))
    expect(chosen).to_be_hidden()
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def _middle(entry: Any) -> tuple[float, float]:
    box = entry.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def inner_nodes(page: Page, node_type: str = "") -> list[dict[str, Any]]:
    """Return the nodes of the visible graph, also of a subgraph: id, type, and what each input is linked to."""
    found: list[dict[str, Any]] = page.evaluate(
        _INNER_NODES,
        node_type,
    )
    return found

import { beforeEach, describe, expect, test, vi } from "vitest"
import { addPanel, nodeAt, onResult, resultHooks } from "../../web/panel.js"
import { element } from "../../web/dom.js"
import { fakeNode, storedValues } from "./fake_node.js"
import { app, resetApp } from "./stubs/app.js"

const OPTIONS = { name: "gen5_test", label: "A test" }

beforeEach(() => {
  resetApp()
  document.body.replaceChildren()
})

describe("addPanel", () => {
  test("is not saved in workflows or prompts", () => {
    const node = fakeNode("Gen5Save", [{ name: "tags", value: "cat" }])
    addPanel(node, OPTIONS)
    expect(storedValues(node)).toEqual(["cat"])
    expect(node.widgets[1].options.serialize).toBe(false)
    expect(node.widgets[1].options.getValue()).toBe("")
  })

  test("each has its own type, or Nodes 2.0 would keep the panel of a node that undo has replaced", () => {
    const types = [1, 2].map(() => {
      const node = fakeNode("Gen5Save")
      addPanel(node, OPTIONS)
      return node.widgets[0].type
    })
    expect(new Set(types).size).toBe(2)
  })

  test("has a name", () => {
    const { element: root } = addPanel(fakeNode("Gen5Save"), OPTIONS)
    expect(root.getAttribute("role")).toBe("group")
    expect(root.getAttribute("aria-label")).toBe("A test")
  })

  test("takes no space without content", () => {
    const node = fakeNode("Gen5Save")
    const panel = addPanel(node, OPTIONS)
    const { options, computeSize } = node.widgets[0]
    expect([panel.element.hidden, options.getMinHeight(), computeSize(200)]).toEqual([true, 0, [200, -4]])
    panel.show(element("p", { text: "shown" }))
    expect(panel.element.hidden).toBe(false)
    expect(options.getMinHeight()).toBeGreaterThan(0)
    panel.show()
    expect([panel.element.hidden, options.getMinHeight()]).toEqual([true, 0])
  })

  test("has a fixed height, or takes the remaining height if a child stretches", () => {
    const fixed = fakeNode("Gen5Save")
    addPanel(fixed, OPTIONS)
    expect(fixed.widgets[0].computeLayoutSize).toBeUndefined()
    const node = fakeNode("Gen5Load")
    const panel = addPanel(node, { ...OPTIONS, stretches: true })
    const { options } = node.widgets[0]
    panel.show(element("p", { text: "text" }))
    expect(options.getMaxHeight()).toBe(options.getMinHeight())
    panel.show(element("figure", { className: "gen5-stretch" }))
    expect(options.getMaxHeight()).toBeUndefined()
  })

  test("shows its status in a live region that stays in the page", () => {
    const panel = addPanel(fakeNode("Gen5Save"), OPTIONS)
    const said = panel.element.querySelector("[role=status]")
    panel.show(element("p", { text: "shown" }))
    panel.say("it failed", true)
    expect(said.isConnected).toBe(true)
    expect(said.textContent).toBe("it failed")
    expect(said.className).toContain("gen5-problem")
    panel.say("")
    expect(said.className).not.toContain("gen5-problem")
  })

  test("passes the wheel to the classic canvas, and not in Nodes 2.0", () => {
    const { element: root } = addPanel(fakeNode("Gen5Save"), OPTIONS)
    app.canvas.processMouseWheel = vi.fn()
    vi.stubGlobal("LiteGraph", { vueNodesMode: true })
    root.dispatchEvent(new WheelEvent("wheel"))
    expect(app.canvas.processMouseWheel).not.toHaveBeenCalled()
    vi.stubGlobal("LiteGraph", { vueNodesMode: false })
    root.dispatchEvent(new WheelEvent("wheel"))
    expect(app.canvas.processMouseWheel).toHaveBeenCalledOnce()
  })
})

describe("onResult", () => {
  test("calls its function with the gen5 output, after the former handler", () => {
    const calls = []
    const node = { onExecuted: (output) => calls.push(["before", output]) }
    onResult(node, (results) => calls.push(["shown", results]))
    node.onExecuted({ gen5: [1] })
    node.onExecuted({ images: [] })
    node.onExecuted(undefined)
    expect(calls.map(([name]) => name)).toEqual(["before", "shown", "before", "before"])
    expect(calls[1][1]).toEqual([1])
  })
})

describe("resultHooks", () => {
  const nodes = { 1: { comfyClass: "Gen5Save" }, 2: { comfyClass: "KSampler" }, 3: { comfyClass: "Gen5Save" } }

  beforeEach(() => {
    const inner = { getNodeById: (id) => (id === "3" ? nodes[3] : null) }
    app.rootGraph = { getNodeById: (id) => nodes[id] ?? null, subgraphs: new Map([["uuid", inner]]) }
  })

  test("find nodes of the graph and of its subgraphs", () => {
    expect(nodeAt("1")).toBe(nodes[1])
    expect(nodeAt("uuid:3")).toBe(nodes[3])
    expect(nodeAt("gone:3")).toBeNull()
    expect(nodeAt("99")).toBeNull()
  })

  test("ignore other classes, removed nodes and other outputs", () => {
    const shown = []
    const outputs = { 1: { gen5: ["a"] }, 2: { gen5: ["b"] }, 7: { gen5: ["c"] }, "uuid:3": { gen5: ["d"] }, 3: { images: [] } }
    const hooks = resultHooks(["Gen5Save"], (node, results) => shown.push([node, results]))
    hooks.onNodeOutputsUpdated(outputs)
    expect(shown).toEqual([[nodes[1], ["a"]], [nodes[3], ["d"]]])
    hooks.onNodeOutputsUpdated(undefined)
    expect(shown).toHaveLength(2)
  })

  test("show the outputs that ComfyUI keeps after a graph is configured again", () => {
    const show = vi.fn()
    const hooks = resultHooks(["Gen5Save"], show)
    hooks.afterConfigureGraph()
    expect(show).not.toHaveBeenCalled()
    app.nodeOutputs = { 1: { gen5: ["a"] } }
    hooks.afterConfigureGraph()
    expect(show).toHaveBeenCalledWith(nodes[1], ["a"])
  })
})

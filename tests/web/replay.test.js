import { beforeEach, describe, expect, test, vi } from "vitest"
import { listLibrary, upload } from "../../web/gen5_api.js"
import { startFromStored } from "../../web/graph.js"
import { lastOpened } from "../../web/open_file.js"
import { replay, startChosen } from "../../web/replay.js"
import { api } from "./stubs/api.js"
import { app, resetApp } from "./stubs/app.js"
import { FakeGraph, FakeNode } from "./fake_graph.js"

vi.mock("../../web/gen5_api.js", () => ({ listLibrary: vi.fn(), upload: vi.fn() }))
vi.mock("../../web/open_file.js", () => ({ lastOpened: vi.fn() }))
vi.mock("../../web/graph.js", async (original) => ({ ...(await original()), startFromStored: vi.fn() }))

const SCAN = { running: false }
const DROPPED = new File(["x"], "dropped.GEN5")
let sampler

beforeEach(() => {
  resetApp()
  vi.resetAllMocks()
  listLibrary.mockResolvedValue({ items: [], scan: SCAN })
  upload.mockImplementation(async (file) => `uploaded/${file.name}`)
  lastOpened.mockReturnValue(null)
  app.canvas.graph = new FakeGraph()
  app.canvas.graph.make("Model")
  sampler = app.canvas.graph.make("KSampler")
})

function choices(node = sampler) {
  const [, item] = replay.getNodeMenuItems(node)
  return item.submenu.options
}

function labels() {
  return choices().map(({ content }) => content)
}

async function listed(...items) {
  listLibrary.mockResolvedValue({ items: items.map((item) => (item.name ? item : { name: item })), scan: SCAN })
  await replay.setup()
  await vi.waitFor(() => expect(labels().length).toBeGreaterThan(1))
}

function dragged(...files) {
  return { dataTransfer: { types: files.length ? ["Files"] : ["text/plain"], files } }
}

describe("a sampler's menu", () => {
  test("offers to choose a file if none is known", () => {
    expect(labels()).toEqual(["Choose a file…"])
  })

  test("is absent from other nodes", () => {
    expect(replay.getNodeMenuItems(new FakeNode("Model"))).toEqual([])
  })

  test("offers the newest readable files of the library", async () => {
    await listed("b.gen5 [output]", { name: "bad.gen5", error: "damaged" }, "a.gen5")
    expect(labels()).toEqual(["b.gen5 [output]", "a.gen5", "Choose a file…"])
    choices()[1].callback()
    await vi.waitFor(() => expect(startFromStored).toHaveBeenCalledWith(sampler, "a.gen5"))
  })

  test("does not request the library if it is off", () => {
    app.extensionManager.setting.get = () => false
    replay.getNodeMenuItems(sampler)
    expect(listLibrary).not.toHaveBeenCalled()
  })

  test("lists files first as they are saved", async () => {
    await listed("old.gen5 [output]")
    const gen5 = [{ filename: "new.gen5", subfolder: "sub", type: "output" }]
    api.dispatchEvent(new CustomEvent("executed", { detail: { output: { gen5 } } }))
    api.dispatchEvent(new CustomEvent("executed", { detail: { output: { gen5: [{ drifts: [] }] } } }))
    api.dispatchEvent(new CustomEvent("executed", { detail: {} }))
    expect(labels().slice(0, 2)).toEqual(["sub/new.gen5 [output]", "old.gen5 [output]"])
  })

  test("escapes markup in names", async () => {
    await listed("<img src=x>.gen5")
    expect(labels()).toContain("‹img src=x›.gen5")
  })

  test("offers the file opened last, copied to the server once", async () => {
    lastOpened.mockReturnValue(DROPPED)
    const [first] = choices()
    expect(first.content).toBe("dropped.GEN5 (opened last)")
    first.callback()
    await vi.waitFor(() => expect(startFromStored).toHaveBeenCalledWith(sampler, "uploaded/dropped.GEN5"))
    choices()[0].callback()
    await vi.waitFor(() => expect(startFromStored).toHaveBeenCalledTimes(2))
    expect(upload).toHaveBeenCalledOnce()
  })

  test("says why a start failed", async () => {
    lastOpened.mockReturnValue(new File(["x"], "other.gen5"))
    upload.mockRejectedValue(new Error("disk full"))
    choices()[0].callback()
    await vi.waitFor(() => expect(app.toasts).toHaveLength(1))
    expect(app.toasts[0]).toMatchObject({ severity: "error", detail: "disk full" })
  })
})

describe("a drop on a sampler", () => {
  test("starts it from a .gen5", async () => {
    replay.nodeCreated(sampler)
    expect(sampler.onDragOver(dragged(DROPPED))).toBe(true)
    expect(await sampler.onDragDrop(dragged(new File(["x"], "a.png"), DROPPED))).toBe(true)
    expect(startFromStored).toHaveBeenCalledWith(sampler, "uploaded/dropped.GEN5")
  })

  test("is passed on if it is something else", async () => {
    const before = { onDragOver: vi.fn(() => true), onDragDrop: vi.fn(async () => true) }
    Object.assign(sampler, before)
    replay.nodeCreated(sampler)
    const event = dragged(new File(["x"], "a.png"))
    expect(await sampler.onDragDrop(event)).toBe(true)
    expect(before.onDragDrop).toHaveBeenCalledWith(event)
    expect(sampler.onDragOver(dragged())).toBe(true)
    expect(startFromStored).not.toHaveBeenCalled()
  })

  test("changes nothing if another workflow was opened during the upload", async () => {
    replay.nodeCreated(sampler)
    const dropping = sampler.onDragDrop(dragged(DROPPED))
    app.canvas.graph.nodes.splice(0)
    expect(await dropping).toBe(true)
    expect(startFromStored).not.toHaveBeenCalled()
    expect(app.toasts[0].detail).toBe("KSampler is no longer in the open workflow")
  })

  test("goes on to the canvas if no handler accepts it", async () => {
    replay.nodeCreated(sampler)
    expect(await sampler.onDragDrop(dragged(new File(["x"], "a.json")))).toBe(false)
    expect(sampler.onDragOver(dragged())).toBe(false)
  })

  test("other nodes are left alone", () => {
    const node = new FakeNode("Model")
    replay.nodeCreated(node)
    expect(node.onDragDrop).toBe(undefined)
  })
})

test("the canvas menu leaves the order of nodes as it was", () => {
  const { graph } = app.canvas
  graph.nodes.forEach((node) => (node.order = 7))
  graph.computeExecutionOrder = () => graph.nodes.map((node, order) => Object.assign(node, { order }))
  expect(replay.getCanvasMenuItems()).toHaveLength(2)
  expect(graph.nodes.map(({ order }) => order)).toEqual([7, 7])
})

describe("the command", () => {
  test("uses the file opened last and the last sampler", async () => {
    lastOpened.mockReturnValue(DROPPED)
    await startChosen()
    expect(startFromStored).toHaveBeenCalledWith(sampler, "uploaded/dropped.GEN5")
  })

  test("uses the selected sampler", async () => {
    const other = app.canvas.graph.make("KSampler")
    app.canvas.graph.nodes.reverse()
    app.canvas.selected_nodes = { 1: new FakeNode("Model"), 2: other }
    lastOpened.mockReturnValue(DROPPED)
    await startChosen()
    expect(startFromStored.mock.calls[0][0]).toBe(other)
  })

  test("asks for a file if none was opened", async () => {
    const clicked = vi.spyOn(HTMLInputElement.prototype, "click").mockImplementation(function () {
      Object.defineProperty(this, "files", { value: [DROPPED] })
      this.onchange()
    })
    await startChosen()
    expect(clicked).toHaveBeenCalledOnce()
    expect(startFromStored).toHaveBeenCalledWith(sampler, "uploaded/dropped.GEN5")
  })

  test("does nothing if the user chooses none", async () => {
    vi.spyOn(HTMLInputElement.prototype, "click").mockImplementation(function () {
      this.oncancel()
    })
    await startChosen()
    expect(startFromStored).not.toHaveBeenCalled()
    expect(app.toasts).toEqual([])
  })

  test("says so if there is no sampler", async () => {
    app.canvas.graph.nodes.pop()
    await startChosen()
    expect(app.toasts[0]).toMatchObject({ severity: "warn", summary: "No sampler here" })
  })

  test("is in the canvas menu if there is a sampler", () => {
    expect(replay.getCanvasMenuItems(app.canvas)[1].content).toBe("Gen5: Start from stored noise")
    app.canvas.graph.nodes.pop()
    expect(replay.getCanvasMenuItems(app.canvas)).toEqual([])
  })
})

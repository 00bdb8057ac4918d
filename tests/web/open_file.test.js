import { beforeEach, describe, expect, test, vi } from "vitest"
import { app } from "../../scripts/app.js"
import { Gen5Error, readFile, upload } from "../../web/gen5_api.js"
import { addLoader } from "../../web/graph.js"
import { lastOpened, openFile } from "../../web/open_file.js"
import { gen5Bytes, gen5File } from "./gen5_files.js"
import { carrierOf, chunk, pngFile } from "./png_files.js"
import { resetApp } from "./stubs/app.js"

vi.mock("../../web/graph.js", () => ({ addLoader: vi.fn() }))
vi.mock("../../web/gen5_api.js", async (original) => ({ ...(await original()), readFile: vi.fn(), upload: vi.fn() }))

let original

beforeEach(() => {
  resetApp()
  vi.clearAllMocks()
  document.body.innerHTML = '<input id="comfy-file-input" type="file" accept=".json,image/png">'
  original = vi.fn(async () => "loaded")
  app.handleFile = original
  openFile.setup()
})

async function content(call) {
  return JSON.parse(await call[0].text())
}

describe("files of other kinds", () => {
  test.each(["a.png", "a.json", "a.gen5.png", "gen5", "agen5"])("%s is passed on with all arguments", async (name) => {
    const file = new File(["x"], name)
    const options = { deferWarnings: true }
    expect(await app.handleFile(file, "file_drop", options, "later")).toBe("loaded")
    expect(original.mock.calls).toEqual([[file, "file_drop", options, "later"]])
    expect(original.mock.contexts).toEqual([app])
    expect(readFile).not.toHaveBeenCalled()
  })

  test.each(["plain.png", "http://127.0.0.1/api/view?filename=plain.png"])("an ordinary PNG, %s, is passed on too", async (name) => {
    const file = pngFile([chunk("tEXt", [1, 2]), chunk("IEND")], name)
    const options = { deferWarnings: true }
    expect(await app.handleFile(file, "file_drop", options, "later")).toBe("loaded")
    expect(original.mock.calls).toEqual([[file, "file_drop", options, "later"]])
    expect(readFile).not.toHaveBeenCalled()
    expect(app.toasts).toEqual([])
  })

  test("a PNG that cannot be read is left to ComfyUI to report", async () => {
    const file = pngFile([chunk("IEND")])
    file.slice = () => ({ arrayBuffer: async () => Promise.reject(new DOMException("gone", "NotReadableError")) })
    expect(await app.handleFile(file)).toBe("loaded")
    expect(original.mock.calls).toEqual([[file]])
    expect(app.toasts).toEqual([])
  })

  test("a call without a file is passed on too", async () => {
    await app.handleFile()
    expect(original).toHaveBeenCalledOnce()
  })
})

describe("a .gen5 file", () => {
  test.each([
    ["picture_00001_.gen5", "picture_00001_.json"],
    ["PICTURE.GEN5", "PICTURE.json"],
    ["v1.5 final.gen5", "v1.5 final.json"],
  ])("%s is handed on as %s", async (name, asJson) => {
    readFile.mockResolvedValue({ workflow: { nodes: [1] }, prompt: { 1: {} } })
    const file = gen5File({ name })
    expect(await app.handleFile(file, "file_drop", { a: 1 })).toBe("loaded")
    const [call] = original.mock.calls
    expect([call[0].name, call[0].type, call[1], call[2]]).toEqual([asJson, "application/json", "file_drop", { a: 1 }])
    expect(await content(call)).toEqual({ nodes: [1] })
    expect(app.toasts).toEqual([])
    expect(lastOpened()).toBe(file)
  })

  test("opens in API form if there is no workflow", async () => {
    readFile.mockResolvedValue({ workflow: null, prompt: { 1: { class_type: "KSampler", inputs: {} } } })
    await app.handleFile(gen5File())
    expect(await content(original.mock.calls[0])).toEqual({ 1: { class_type: "KSampler", inputs: {} } })
  })

  test("that is damaged is reported, and nothing is loaded", async () => {
    readFile.mockRejectedValue(new Gen5Error("META: the seal is wrong", 422))
    const file = gen5File()
    await app.handleFile(file)
    expect(original).not.toHaveBeenCalled()
    expect(lastOpened()).not.toBe(file)
    expect(app.toasts).toEqual([
      { severity: "error", summary: "stored.gen5 could not be opened", detail: "META: the seal is wrong", life: undefined },
    ])
  })
})

describe("a PNG that carries a record", () => {
  test("opens as its workflow, under its name, from the record alone", async () => {
    readFile.mockResolvedValue({ workflow: { nodes: [1] }, prompt: null })
    const file = carrierOf(gen5Bytes({ tail: [7] }), "Cat v1.5.PNG")
    expect(await app.handleFile(file, "file_drop", { a: 1 })).toBe("loaded")
    const [call] = original.mock.calls
    expect([call[0].name, call[0].type, ...call.slice(1)]).toEqual(["Cat v1.5.json", "application/json", "file_drop", { a: 1 }])
    expect(await content(call)).toEqual({ nodes: [1] })
    const [opened, record] = readFile.mock.calls[0]
    expect([opened, record.size]).toEqual([file, 33])
    expect(lastOpened()).toBe(file)
    expect(app.toasts).toEqual([])
  })

  test("is recognised by its type if its name is an address", async () => {
    readFile.mockResolvedValue({ workflow: { nodes: [1] }, prompt: null })
    await app.handleFile(carrierOf(gen5Bytes(), "/api/view?filename=cat.png&type=output"))
    expect(original.mock.calls[0][0].type).toBe("application/json")
  })

  test.each([
    ["that the server refuses", () => carrierOf(gen5Bytes(), "cat.png"), "META: the seal is wrong"],
    ["that is cut", () => pngFile([chunk("IHDR"), chunk("gfVE", [1], 99)], "cat.png"), "cat.png ends after 33 bytes"],
  ])("%s is reported, and ComfyUI opens the picture", async (_, make, message) => {
    readFile.mockRejectedValue(new Gen5Error("META: the seal is wrong", 422))
    const before = lastOpened()
    const file = make()
    const options = { deferWarnings: true }
    expect(await app.handleFile(file, "file_drop", options)).toBe("loaded")
    expect(original.mock.calls).toEqual([[file, "file_drop", options]])
    expect(lastOpened()).toBe(before)
    const [{ severity, summary, detail }] = app.toasts
    expect([severity, summary]).toEqual(["warn", "The GEN5 record in cat.png could not be read"])
    expect(detail).toContain(message)
    expect(detail).toContain("The picture is opened as an ordinary PNG.")
  })

  test("without a workflow becomes a Load Gen5, once confirmed", async () => {
    readFile.mockResolvedValue({ workflow: null, prompt: null })
    app.extensionManager.dialog.confirm = async () => true
    upload.mockResolvedValue("cat.png")
    await app.handleFile(carrierOf(gen5Bytes(), "cat.png"), "file_button")
    await vi.waitFor(() => expect(addLoader).toHaveBeenCalledWith("cat.png", { pos: [500, 300] }))
    expect(original).not.toHaveBeenCalled()
  })

  test("a failure to load the workflow is not reported as damage of the record", async () => {
    readFile.mockResolvedValue({ workflow: { nodes: [1] }, prompt: null })
    original.mockRejectedValue(new Error("no such node"))
    await expect(app.handleFile(carrierOf(gen5Bytes()))).rejects.toThrow("no such node")
    expect(app.toasts).toEqual([])
  })
})

describe("a file without a workflow", () => {
  beforeEach(() => readFile.mockResolvedValue({ workflow: null, prompt: null }))

  test("is reported, and the offer does not block ComfyUI", async () => {
    const confirm = vi.fn(() => new Promise(() => {}))
    app.extensionManager.dialog.confirm = confirm
    await app.handleFile(gen5File({ chunks: new Array(2000).fill(0) }), "file_drop")
    expect(original).not.toHaveBeenCalled()
    expect(app.toasts.map(({ severity, summary }) => [severity, summary])).toEqual([
      ["info", "stored.gen5 holds no workflow"],
    ])
    expect(confirm.mock.calls[0][0]).toEqual({
      title: "Add Load Gen5?",
      message:
        "stored.gen5 holds no workflow. Add a Load Gen5 with it? The file (2.0 kB) is copied into the input folder.",
    })
  })

  test("is remembered as opened: its noise can be used", async () => {
    const file = gen5File()
    await app.handleFile(file)
    expect(lastOpened()).toBe(file)
  })

  test("becomes a Load Gen5 where it was dropped, once confirmed", async () => {
    app.extensionManager.dialog.confirm = async () => true
    app.canvas.graph_mouse = [12, 34]
    upload.mockResolvedValue("stored (1).gen5")
    const file = gen5File()
    await app.handleFile(file, "file_drop")
    await vi.waitFor(() => expect(addLoader).toHaveBeenCalledWith("stored (1).gen5", { pos: [12, 34] }))
    expect(upload).toHaveBeenCalledWith(file)
    expect(app.toasts.at(-1).severity).toBe("success")
  })

  test("becomes one in the middle of the view, if opened from the menu", async () => {
    app.extensionManager.dialog.confirm = async () => true
    upload.mockResolvedValue("stored.gen5")
    await app.handleFile(gen5File(), "file_button")
    await vi.waitFor(() => expect(addLoader).toHaveBeenCalledWith("stored.gen5", { pos: [500, 300] }))
  })

  test.each([
    ["workflow", () => (app.extensionManager.workflow.activeWorkflow = { path: "b.json" })],
    ["subgraph", () => (app.canvas.graph = { nodes: [] })],
  ])("that is uploaded while another %s is opened is not put into that", async (_, change) => {
    app.extensionManager.dialog.confirm = async () => true
    app.extensionManager.workflow = { activeWorkflow: { path: "a.json" } }
    let finish
    upload.mockReturnValue(new Promise((resolve) => (finish = resolve)))
    await app.handleFile(gen5File(), "file_drop")
    await vi.waitFor(() => expect(upload).toHaveBeenCalled())
    change()
    finish("stored.gen5")
    await vi.waitFor(() => expect(app.toasts.at(-1).summary).toBe("Uploaded to the input folder: stored.gen5"))
    expect(addLoader).not.toHaveBeenCalled()
  })

  test.each([false, null])("is left alone after the answer %s", async (answer) => {
    app.extensionManager.dialog.confirm = vi.fn(async () => answer)
    await app.handleFile(gen5File())
    await vi.waitFor(() => expect(app.extensionManager.dialog.confirm).toHaveBeenCalled())
    expect(upload).not.toHaveBeenCalled()
  })

  test("that cannot be uploaded is reported", async () => {
    app.extensionManager.dialog.confirm = async () => true
    upload.mockRejectedValue(new Gen5Error("ComfyUI answered 413", 413))
    await app.handleFile(gen5File())
    await vi.waitFor(() => expect(app.toasts.at(-1).detail).toBe("ComfyUI answered 413"))
    expect(app.toasts.at(-1).severity).toBe("error")
    expect(addLoader).not.toHaveBeenCalled()
  })
})

describe("the Open menu", () => {
  test("offers .gen5 in addition", () => {
    expect(document.getElementById("comfy-file-input").accept).toBe(".json,image/png,.gen5")
  })
})

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { loadNode } from "../../web/load_node.js"
import { fakeNode, fileFacts, loaderWidgets, storedValues } from "./fake_node.js"
import { gen5Bytes, gen5File } from "./gen5_files.js"
import { carrierOf, chunk, pngFile } from "./png_files.js"
import { answerWith, api, resetApi } from "./stubs/api.js"
import { app, resetApp } from "./stubs/app.js"
import { INVALID, KEY, signed, trusted, unchecked } from "./trust_facts.js"

/** The result of a run on the file of `fileFacts`. */
const STATE = { root: "r".repeat(64), mtime: 0, size_bytes: 3_100_000 }

beforeEach(() => {
  vi.useFakeTimers()
  resetApp()
  resetApi()
  answerWith(fileFacts())
  app.canvas.setDirty = () => {}
  document.body.replaceChildren()
})

afterEach(() => vi.useRealTimers())

function loader(options) {
  const node = fakeNode("Gen5Load", loaderWidgets(options))
  loadNode.nodeCreated(node)
  return node
}

function widget(node, name) {
  return node.widgets.find((one) => one.name === name)
}

async function settle(milliseconds = 100) {
  await vi.advanceTimersByTimeAsync(milliseconds)
}

async function choose(node, name, value) {
  widget(node, name).value = value
  widget(node, name).callback(value)
  await settle()
}

function text() {
  return document.querySelector(".gen5-node-panel").textContent
}

function button(name) {
  return [...document.querySelectorAll("button")].find((one) => (one.ariaLabel ?? one.textContent) === name)
}

function dropped(...files) {
  return { dataTransfer: { files, items: files.map(() => ({ kind: "file" })) } }
}

describe("widgets", () => {
  test("button and panel are not saved in workflows", () => {
    const node = loader()
    expect(storedValues(node)).toEqual(["a.gen5", "warn", -1])
    expect(node.widgets.map(({ name }) => name)).toEqual(["file", "on_drift", "batch_index", "upload_gen5", "gen5_file"])
    expect(widget(node, "upload_gen5").options.serialize).toBe(false)
  })

  test("the former callback is called as well", async () => {
    const node = fakeNode("Gen5Load", loaderWidgets())
    const callback = (widget(node, "file").callback = vi.fn(() => "kept"))
    loadNode.nodeCreated(node)
    expect(widget(node, "file").callback("b.gen5", 1)).toBe("kept")
    expect(callback).toHaveBeenCalledWith("b.gen5", 1)
  })

  test("other nodes are left alone", () => {
    const node = fakeNode("LoadImage", [])
    loadNode.nodeCreated(node)
    expect(node.widgets).toEqual([])
  })
})

describe("Gen5.Drift.Default", () => {
  beforeEach(() => {
    app.extensionManager.setting.get = (id) => (id === "Gen5.Drift.Default" ? "error" : undefined)
  })

  test("is the initial value of a node that the user adds", () => {
    expect(widget(loader(), "on_drift").value).toBe("error")
  })

  test("does not change a node that a workflow loads", () => {
    app.configuringGraph = true
    expect(widget(loader(), "on_drift").value).toBe("warn")
  })

  test("is ignored if the node does not have that value", () => {
    app.extensionManager.setting.get = () => "explode"
    expect(widget(loader(), "on_drift").value).toBe("warn")
  })
})

describe("upload", () => {
  const file = new File(["x"], "new.gen5")

  beforeEach(() => {
    api.answer = (route) =>
      new Response(JSON.stringify(route === "/upload/image" ? { name: "new (1).gen5", subfolder: "" } : fileFacts()))
  })

  test("a dropped file is uploaded, listed and chosen", async () => {
    const node = loader()
    expect(node.onDragOver(dropped(file))).toBe(true)
    expect(node.onDragDrop(dropped(file))).toBe(true)
    await settle()
    expect(widget(node, "file").value).toBe("new (1).gen5")
    expect(widget(node, "file").options.values).toContain("new (1).gen5")
    expect(api.requests.filter(({ route }) => route === "/upload/image")).toHaveLength(1)
    expect(api.requests.at(-1).route).toBe("/gen5/file?name=new+%281%29.gen5")
  })

  test("of several files the first is chosen and all are listed", async () => {
    const names = ["one.gen5", "two.gen5"]
    api.answer = (route) =>
      new Response(JSON.stringify(route === "/upload/image" ? { name: names.shift(), subfolder: "" } : fileFacts()))
    const node = loader()
    node.onDragDrop(dropped(new File([], "one.gen5"), new File([], "two.gen5")))
    await settle()
    expect(widget(node, "file").value).toBe("one.gen5")
    expect(widget(node, "file").options.values).toEqual(expect.arrayContaining(["one.gen5", "two.gen5"]))
  })

  test("a PNG that carries a record is uploaded and chosen", async () => {
    answerUploads()
    const node = loader()
    expect(node.onDragDrop(dropped(carrierOf(gen5Bytes(), "cat.PNG")))).toBe(true)
    await settle()
    expect(widget(node, "file").value).toBe("cat.PNG")
  })

  test("a PNG without a record is reported, and the other files are uploaded", async () => {
    answerUploads()
    const node = loader()
    const plain = pngFile([chunk("IEND")], "plain.png")
    expect(node.onDragDrop(dropped(plain, gen5File({ name: "b.gen5" })))).toBe(true)
    await settle()
    expect(app.toasts).toHaveLength(1)
    expect(app.toasts[0]).toMatchObject({ severity: "error", summary: "plain.png was not uploaded" })
    expect(app.toasts[0].detail).toContain("plain.png carries no GEN5 record")
    expect(widget(node, "file").value).toBe("b.gen5")
    expect(widget(node, "file").options.values).not.toContain("plain.png")
  })

  test("the button offers both kinds", () => {
    const made = vi.spyOn(HTMLInputElement.prototype, "click").mockImplementation(function () {
      expect([this.type, this.accept]).toEqual(["file", ".gen5,.png"])
    })
    widget(loader(), "upload_gen5").callback()
    expect(made).toHaveBeenCalledOnce()
  })

  describe("while another upload is under way", () => {
    const said = () => document.querySelector(".gen5-said").textContent
    let answers

    beforeEach(() => {
      answers = {}
      api.answer = (route, { body }) =>
        route === "/upload/image"
          ? new Promise((resolve) => (answers[body.get("image").name] = resolve))
          : new Response(JSON.stringify(fileFacts()))
    })

    async function finish(name) {
      answers[name](new Response(JSON.stringify({ name, subfolder: "" })))
      await settle()
    }

    test("the last one started is chosen, and its message stays until it ends", async () => {
      const node = loader()
      node.onDragDrop(dropped(new File(["x"], "slow.gen5")))
      await settle()
      node.onDragDrop(dropped(new File(["x"], "last.gen5")))
      await settle()
      await finish("slow.gen5")
      expect(said()).toBe("Uploading last.gen5…")
      expect(widget(node, "file").value).toBe("a.gen5")
      await finish("last.gen5")
      expect([said(), widget(node, "file").value]).toEqual(["", "last.gen5"])
      expect(widget(node, "file").options.values).toEqual(["a.gen5", "b.gen5", "slow.gen5", "last.gen5"])
    })

    test("one stays chosen when an earlier, slower one ends after it", async () => {
      const node = loader()
      node.onDragDrop(dropped(new File(["x"], "slow.gen5")))
      await settle()
      node.onDragDrop(dropped(new File(["x"], "last.gen5")))
      await settle()
      await finish("last.gen5")
      await finish("slow.gen5")
      expect(widget(node, "file").value).toBe("last.gen5")
      expect(widget(node, "file").options.values).toContain("slow.gen5")
    })

    test("a file that the user chose stays", async () => {
      const node = loader()
      node.onDragDrop(dropped(new File(["x"], "slow.gen5")))
      await settle()
      await choose(node, "file", "b.gen5")
      await finish("slow.gen5")
      expect([said(), widget(node, "file").value]).toEqual(["", "b.gen5"])
      expect(widget(node, "file").options.values).toContain("slow.gen5")
    })
  })

  test("one that ends after its node is gone changes only the input folder, and says so", async () => {
    let answer
    api.answer = (route) => (route === "/upload/image" ? new Promise((resolve) => (answer = resolve)) : new Response("{}"))
    const node = loader()
    node.onDragDrop(dropped(file))
    await settle()
    node.graph.nodes = [] // another tab now uses the same graph object; LiteGraph does not reset node.graph
    answer(new Response('{"name": "new.gen5", "subfolder": ""}'))
    await settle()
    expect(widget(node, "file").value).toBe("a.gen5")
    expect(widget(node, "file").options.values).not.toContain("new.gen5")
    expect(app.toasts[0]).toMatchObject({ severity: "info", summary: "Uploaded to the input folder: new.gen5" })
  })

  function answerUploads() {
    api.answer = (route, { body }) => {
      const answer = route === "/upload/image" ? { name: body.get("image").name, subfolder: "" } : fileFacts()
      return new Response(JSON.stringify(answer))
    }
  }

  test("any other drop goes on to the canvas", () => {
    const node = loader()
    expect(node.onDragDrop(dropped(new File([], "workflow.json")))).toBe(false)
    expect(node.onDragOver({ dataTransfer: { items: [{ kind: "string" }], files: [] } })).toBe(false)
  })

  test("a drop on the panel is passed to the node", () => {
    const node = loader()
    document.querySelector(".gen5-node-panel").dispatchEvent(new Event("drop", { bubbles: true }))
    expect(app.dragOverNode).toBe(node)
  })

  test("a failure is reported, and the node keeps its file", async () => {
    api.answer = (route) =>
      route === "/upload/image" ? new Response('{"error": "the disk is full"}', { status: 507 }) : new Response("{}", { status: 404 })
    const node = loader()
    node.onDragDrop(dropped(file))
    await settle()
    expect(widget(node, "file").value).toBe("a.gen5")
    expect(app.toasts[0]).toMatchObject({ severity: "error", detail: "the disk is full" })
  })
})

describe("the panel", () => {
  test("shows seed, sampler, size, noise, seal and drift", async () => {
    loader()
    await settle()
    for (const part of ["Seed 18446744073709551615", "euler / normal, 20 steps, cfg 7", "512 × 768, 3 pictures, 3.1 MB"]) {
      expect(text()).toContain(part)
    }
    for (const part of ["recorded while sampling", "Sealed", "No drift", "1 of 3"]) expect(text()).toContain(part)
    expect(document.querySelector(".gen5-picture img").alt).toBe("Stored picture 1 of 3, 512 × 768")
    expect(document.querySelector(".gen5-noise").alt).toBe("Starting noise")
  })

  test("shows the number of drifts", async () => {
    answerWith(fileFacts({ drifts: [{ component: "numpy", stored: "1", current: "2", kind: "differs" }] }))
    loader()
    await settle()
    expect(button("1 drift")).toBeDefined()
  })

  test("a file without an environment has no drift badge", async () => {
    answerWith(fileFacts({ environment: [] }))
    loader()
    await settle()
    expect(text()).not.toContain("drift")
  })

  test("a file without pictures and noise", async () => {
    answerWith(fileFacts({ images: [], latents: [], noise_source: "none", reason: "no sampler was found" }))
    loader()
    await settle()
    expect(document.querySelector("img")).toBeNull()
    expect(text()).toContain("No picture is stored.")
    expect(text()).toContain("Starting noise: none: no sampler was found")
  })

  test("shows one picture at a time with its noise, by buttons and arrow keys", async () => {
    loader()
    await settle()
    const shown = () => document.querySelector("figcaption span").textContent
    button("Next picture").click()
    expect(shown()).toBe("2 of 3")
    expect(document.querySelector(".gen5-noise").src).toContain("index=1")
    const figure = document.querySelector("figure")
    const key = (name) => figure.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }))
    const outside = vi.fn()
    document.body.addEventListener("keydown", outside, { once: true })
    key("ArrowRight")
    key("ArrowRight")
    expect(shown()).toBe("1 of 3")
    key("ArrowLeft")
    expect(shown()).toBe("3 of 3")
    expect(outside).not.toHaveBeenCalled()
  })

  test("batch_index shows its own picture, without buttons", async () => {
    const node = loader()
    await settle()
    await choose(node, "batch_index", 2)
    expect(document.querySelector(".gen5-picture img").alt).toBe("Stored picture 3 of 3, 512 × 768")
    expect(button("Next picture")).toBeUndefined()
    await choose(node, "batch_index", 3)
    expect(text()).toContain("batch_index is 3, the file holds 3 pictures: 0 to 2, or −1 for all.")
  })

  test("shows the picture of a PNG of one image of a batch with its own noise", async () => {
    const place = { index: 1, count: 3 }
    answerWith(fileFacts({ carrier: true, images: [{ width: 512, height: 768, size_bytes: 1 }], image_of_batch: place }))
    const node = loader()
    await settle()
    expect(text()).toContain("512 × 768, image 1 of a batch of 3, 3.1 MB")
    for (const shown of [-1, 1]) {
      await choose(node, "batch_index", shown)
      expect(document.querySelector(".gen5-picture img").src).toContain("index=0")
      expect(document.querySelector(".gen5-noise").src).toContain("index=1")
    }
    await choose(node, "batch_index", 2)
    expect(text()).toContain("batch_index is 2, this PNG shows image 1 of a batch of 3: choose the PNG of the other image, or −1.")
    expect(document.querySelector(".gen5-noise").src).toContain("index=2")
  })

  test("shows text of files as text, never as markup", async () => {
    answerWith(fileFacts({ sampler: "<b>bold</b>", reason: "<i>", noise_source: "none" }))
    loader()
    await settle()
    expect(document.querySelector("b, i")).toBeNull()
  })
})

describe("the badges of trust", () => {
  const badges = () => [...document.querySelectorAll(".gen5-badge")].map((badge) => badge.textContent)

  async function show(changes) {
    answerWith(fileFacts(changes))
    loader()
    await settle()
  }

  test("are absent for an unsigned file", async () => {
    await show({})
    expect(badges()).toEqual(["Sealed", "No drift"])
  })

  test("say whether the file is signed, trusted, invalid or unchecked", async () => {
    await show({ trust: signed() })
    expect(badges()).toEqual(["Sealed", "No drift", "Signed"])
    expect(text()).toContain(`Signed by key ${KEY}. The key is not in your list.`)
    document.body.replaceChildren()
    await show({ trust: trusted("Alice") })
    expect(badges()).toEqual(["Sealed", "No drift", "Trusted"])
    document.body.replaceChildren()
    await show({ trust: { word: "invalid", signatures: [INVALID] } })
    expect(document.querySelector(".gen5-badge-error").textContent).toBe("Invalid signature")
    document.body.replaceChildren()
    await show({ trust: unchecked() })
    expect(text()).toContain("unchecked: the package cryptography is not installed")
  })

  test("show the invalid signature of a rejected file beside the server's message", async () => {
    answerWith({ error: "a.gen5: SIGN at offset 9: it was changed; take another copy", kind: "invalid_signature" }, 422)
    loader()
    await settle()
    expect(badges()).toEqual(["Invalid signature"])
    expect(document.querySelector("[role=alert]").textContent).toContain("take another copy")
  })

  test("show that a PNG carries the record", async () => {
    await show({ carrier: true })
    expect(badges()).toEqual(["Sealed", "In a PNG", "No drift"])
  })

  test("are those of the run, once the node has run", async () => {
    const node = loader()
    await settle()
    node.onExecuted({ gen5: [{ ...STATE, file: "a.gen5", drift: [], trust: trusted("Alice") }] })
    expect(badges()).toEqual(["Intact", "No drift", "Trusted"])
  })
})

describe("requests to the server", () => {
  test("are combined for changes made in one go", async () => {
    const node = loader()
    node.onConfigure({})
    widget(node, "file").callback("a.gen5")
    await settle()
    expect(api.requests.map(({ route }) => route)).toEqual(["/gen5/file?name=a.gen5"])
  })

  test("a response to an outdated request is dropped", async () => {
    const answers = {}
    api.answer = (route) => new Promise((resolve) => (answers[route] = resolve))
    const node = loader()
    await settle()
    await choose(node, "file", "b.gen5")
    answers["/gen5/file?name=b.gen5"](new Response(JSON.stringify(fileFacts({ seed: "2" }))))
    await settle()
    answers["/gen5/file?name=a.gen5"](new Response(JSON.stringify(fileFacts({ seed: "1" }))))
    await settle()
    expect(text()).toContain("Seed 2")
  })

  test("a file's error is shown with the server's message", async () => {
    answerWith({ error: "a.gen5: META at offset 9: its digest differs", kind: "damaged" }, 422)
    loader()
    await settle()
    expect(document.querySelector("[role=alert]").textContent).toBe("a.gen5: META at offset 9: its digest differs")
  })

  test("a missing file is removed from the list, a new one is added", async () => {
    const node = loader({ file: "new.gen5" })
    node.onConfigure({})
    expect(widget(node, "file").options.values).toContain("new.gen5")
    answerWith({ error: "said otherwise", kind: "not_found" }, 404)
    await settle()
    expect(widget(node, "file").options.values).not.toContain("new.gen5")
    expect(document.querySelector("[role=alert]").textContent).toBe("new.gen5 is not there")
  })

  test("are not sent without a file, nor for a linked one before a run", async () => {
    const node = loader({ file: undefined, files: [] })
    widget(node, "file").value = undefined
    await settle()
    expect(text()).toBe("No file is chosen.")
    node.inputs = [{ name: "file", link: 4 }]
    node.onConnectionsChange()
    await settle()
    expect(text()).toBe("The file is known once the node has run.")
    expect(api.requests).toEqual([])
    node.onExecuted({ gen5: [{ ...STATE, file: "linked.gen5", drift: [] }] })
    await settle()
    expect(api.requests[0].route).toBe("/gen5/file?name=linked.gen5")
    expect(text()).toContain("Intact")
  })

  test("are repeated when ComfyUI refreshes its lists of files", async () => {
    const node = loader()
    await settle()
    app.rootGraph = { nodes: [node, { comfyClass: "KSampler" }] }
    loadNode.refreshComboInNodes()
    await settle()
    expect(api.requests).toHaveLength(2)
  })
})

describe("verified", () => {
  const RAN = { ...STATE, file: "a.gen5", drift: [] }

  test("after the node has run on that file", async () => {
    const node = loader()
    await settle()
    expect(text()).not.toContain("Intact")
    node.onExecuted({ gen5: [RAN] })
    expect(text()).toContain("Intact")
    expect(button("Verify")).toBeUndefined()
  })

  test("also if the run is restored with the tab before the server has responded", async () => {
    const node = loader()
    app.rootGraph = { getNodeById: () => node }
    loadNode.onNodeOutputsUpdated({ 1: { gen5: [RAN] } })
    await settle()
    expect(text()).toContain("Intact")
  })

  test("not if another file has been chosen since", async () => {
    const node = loader()
    await settle()
    node.onExecuted({ gen5: [{ ...RAN, root: "0" }] })
    await settle()
    expect(text()).not.toContain("Intact")
    expect(api.requests).toHaveLength(2)
  })

  test("not if another file has the same root: a copy may be damaged", async () => {
    const node = loader()
    await settle()
    node.onExecuted({ gen5: [RAN] })
    await choose(node, "file", "copy of a.gen5")
    expect(text()).not.toContain("Intact")
    node.onExecuted({ gen5: [RAN] }) // which had been queued before the copy was chosen
    await settle()
    expect(text()).not.toContain("Intact")
  })

  test.each([{ mtime: 1 }, { size_bytes: 3_100_001 }, { root: "0" }])("not by the run if the file now has %o", async (changes) => {
    const node = loader()
    await settle()
    node.onExecuted({ gen5: [RAN] })
    answerWith(fileFacts(changes))
    app.rootGraph = { nodes: [node] }
    loadNode.refreshComboInNodes()
    await settle()
    expect(text()).not.toContain("Intact")
    expect(button("Verify")).toBeDefined()
    node.onExecuted({ gen5: [RAN] }) // ComfyUI repeats it after switching back to the tab
    await settle()
    expect(text()).not.toContain("Intact")
  })

  test("not if the file was written again since with the same root", async () => {
    answerVerify({ report: { checked_bytes: 1, chunk_count: 1, sealed: true } })
    const node = loader()
    await settle()
    button("Verify").click()
    await settle()
    expect(document.querySelector(".gen5-seal").textContent).toBe("Intact")
    await choose(node, "file", "a.gen5")
    expect(document.querySelector(".gen5-seal").textContent).toBe("Intact")
    answerWith(fileFacts({ mtime: 1 }))
    await choose(node, "file", "a.gen5")
    expect(document.querySelector(".gen5-seal").textContent).toBe("Sealed")
  })

  function answerVerify(...lines) {
    api.answer = (route) =>
      route.startsWith("/gen5/verify")
        ? new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
        : new Response(JSON.stringify(fileFacts()))
  }

  test("by the button, with the result", async () => {
    answerVerify({ done: 5, total: 10 }, { report: { checked_bytes: 3_100_000, chunk_count: 3, notes: ["a note"], sealed: true } })
    loader()
    await settle()
    button("Verify").click()
    await settle()
    expect(document.querySelector(".gen5-seal").textContent).toBe("Intact")
    expect(document.querySelector(".gen5-said").textContent).toBe("Intact, as far as could be checked: 3.1 MB in 3 chunks. a note.")
  })

  test("by the button, with the bytes that nothing covers", async () => {
    answerVerify({ report: { checked_bytes: 1, chunk_count: 1, notes: [], sealed: true, uncovered_bytes: 24 } })
    const node = loader()
    await settle()
    button("Verify").click()
    await settle()
    const words = "Intact, with 24 bytes that nothing covers"
    expect(document.querySelector(".gen5-seal").textContent).toBe(words)
    expect(document.querySelector(".gen5-said").textContent).toBe(`${words}: 1 byte in 1 chunk.`)
    await choose(node, "file", "a.gen5")
    expect(document.querySelector(".gen5-seal").textContent).toBe(words)
  })

  test("by the run, with the bytes that nothing covers", async () => {
    const node = loader()
    await settle()
    node.onExecuted({ gen5: [{ ...RAN, uncovered_bytes: 1 }] })
    await settle()
    expect(document.querySelector(".gen5-seal").textContent).toBe("Intact, with 1 byte that nothing covers")
  })

  test("by the button, with the current trust of the signatures", async () => {
    answerVerify({ report: { checked_bytes: 1, chunk_count: 1, notes: [], sealed: true, trust: trusted("Alice") } })
    loader()
    await settle()
    button("Verify").click()
    await settle()
    expect(document.querySelector(".gen5-signatures").textContent).toContain("Trusted: the key is in your list.")
    expect(document.querySelector(".gen5-said").textContent).toBe("Intact. Every byte is as it was written: 1 byte in 1 chunk.")
  })

  test("is cancelled with its node, and can be started again when the node comes back", async () => {
    const signals = []
    api.answer = (route, { signal }) => {
      if (!route.startsWith("/gen5/verify")) return new Response(JSON.stringify(fileFacts()))
      signals.push(signal)
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))))
    }
    const node = fakeNode("Gen5Load", loaderWidgets())
    const removed = (node.onRemoved = vi.fn())
    loadNode.nodeCreated(node)
    await settle()
    node.onRemoved() // without a check there is nothing to stop
    button("Verify").click()
    await settle()
    node.onRemoved()
    await settle()
    expect(removed).toHaveBeenCalledTimes(2)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(document.querySelector(".gen5-said").textContent).toBe("")
    expect(document.querySelector(".gen5-seal").textContent).toBe("Sealed")
    button("Verify").click()
    await settle()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
  })

  test("once at a time, even if another batch_index has redrawn the button", async () => {
    api.answer = (route) =>
      route.startsWith("/gen5/verify") ? new Promise(() => {}) : new Response(JSON.stringify(fileFacts()))
    const node = loader()
    await settle()
    button("Verify").click()
    await choose(node, "batch_index", 1)
    button("Verify").click()
    await settle()
    expect(api.requests.filter(({ route }) => route.startsWith("/gen5/verify"))).toHaveLength(1)
  })

  test("not if the file is damaged, which is reported", async () => {
    answerVerify({ error: "chunk 0: SHA-256 differs" })
    loader()
    await settle()
    button("Verify").click()
    await settle()
    expect(document.querySelector(".gen5-seal").textContent).toBe("Check failed")
    expect(document.querySelector(".gen5-said").textContent).toBe("chunk 0: SHA-256 differs")
    expect(button("Verify").getAttribute("aria-busy")).toBeNull()
  })

  test.each([
    [{ report: { checked_bytes: 1, chunk_count: 1, sealed: true } }, "Intact"],
    [{ error: "chunk 0: SHA-256 differs" }, "Check failed"],
  ])("the result stays with another batch_index: %#", async (found, expected) => {
    answerVerify(found)
    const node = loader()
    await settle()
    button("Verify").click()
    await choose(node, "batch_index", 0)
    expect(document.querySelector(".gen5-seal").textContent).toBe(expected)
    await choose(node, "batch_index", -1)
    expect(document.querySelector(".gen5-seal").textContent).toBe(expected)
  })

  test("a file of version 1.0 is not sealed", async () => {
    answerWith(fileFacts({ sealed: false, version: "1.0", noise_source: null }))
    loader()
    await settle()
    expect(document.querySelector(".gen5-seal").textContent).toBe("Not sealed")
    expect(text()).toContain("Starting noise: stored")
  })
})

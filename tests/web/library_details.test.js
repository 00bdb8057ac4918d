import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { app } from "../../scripts/app.js"
import { facts, verify, workflow } from "../../web/gen5_api.js"
import { Gen5Error } from "../../web/gen5_error.js"
import { addLoader, isSampler, startFromStored } from "../../web/graph.js"
import { createDetails } from "../../web/library/details.js"
import { toast } from "../../web/toast.js"
import { KEY, signed, trusted } from "./trust_facts.js"

vi.mock("../../web/gen5_api.js", () => ({
  facts: vi.fn(),
  workflow: vi.fn(),
  verify: vi.fn(),
  listLibrary: vi.fn(),
  imageUrl: (name, { index, size, root }) => `/image?index=${index}&size=${size ?? ""}&root=${root}`,
  noiseUrl: (name, { root }) => `/noise?root=${root}`,
}))
vi.mock("../../web/graph.js", () => ({ addLoader: vi.fn(), isSampler: vi.fn(() => true), startFromStored: vi.fn() }))
vi.mock("../../web/toast.js", () => ({ toast: vi.fn() }))

const NAME = "gen5/ComfyUI_00001_.gen5 [output]"
const SEED = "18446744073709551615"
const HOSTILE = "<img src=x onerror=\"window.hacked = true\">"

function stored(changes = {}) {
  return {
    name: NAME,
    size_bytes: 4_200_000,
    mtime: 0,
    root: "ab12",
    version: "1.1",
    sealed: true,
    carrier: false,
    trust: { word: "unsigned", signatures: [] },
    date: "2026-03-01T10:00:00Z",
    seed: SEED,
    steps: 20,
    cfg: 7,
    sampler: "euler",
    scheduler: "normal",
    denoise: 1,
    width: 512,
    height: 768,
    batch_size: 2,
    prompt: "a cat",
    negative: "a dog",
    model_name: "a.safetensors",
    tags: ["cat"],
    noise_source: "recorded",
    reason: null,
    passes: [
      { index: 0, node_id: "3", class_type: "KSampler", seed: SEED, steps: 20, sampler_name: "euler", loras: [["x.safetensors", 0.5]] },
    ],
    latents: [{ name: "initial_noise", shape: [2, 4, 96, 64], dtype: "float32", orig_dtype: "float32", size_bytes: 196_608 }],
    images: [
      { width: 512, height: 768, size_bytes: 1 },
      { width: 512, height: 768, size_bytes: 1 },
    ],
    environment: [
      { component: "python", value: "name=python;version=3.12.1" },
      { component: "torch", value: "name=torch;version=2.4.0;cuda=12.1" },
    ],
    hardware: { cpu: { model: "A CPU", cores: 8 } },
    resources: [{ kind: "checkpoint", name: "a.safetensors", sha256: "00ff" }],
    comfyui_version: "ComfyUI 0.33.0",
    has_workflow: true,
    drifts: [
      { component: "torch", stored: "name=torch;version=2.4.0;cuda=12.1", current: "name=torch;version=2.6.0;cuda=12.4" },
      { component: "gpu", stored: null, current: "a new card" },
    ],
    ...changes,
  }
}

describe("createDetails", () => {
  let onBack
  let details

  beforeEach(() => {
    vi.clearAllMocks()
    onBack = vi.fn()
    isSampler.mockReturnValue(true)
    app.canvas = { selected_nodes: {}, ds: { visible_area: [0, 0, 100, 100] }, graph: { nodes: [] } }
    app.handleFile = vi.fn()
  })

  afterEach(() => details.element.remove())

  async function open(changes) {
    facts.mockResolvedValue(stored(changes))
    await show()
  }

  async function show() {
    details = createDetails(NAME, { onBack })
    document.body.append(details.element)
    await vi.waitFor(() => expect(details.element.querySelector("[aria-busy]")).toBeNull())
  }

  function button(text) {
    return [...details.element.querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === text)
  }

  function sections() {
    return [...details.element.querySelectorAll(".gen5-library-section-title")].map((title) => title.textContent)
  }

  function sectionText(title) {
    return [...details.element.querySelectorAll("details")].find((one) => one.textContent.startsWith(title)).textContent
  }

  test("shows a section for each kind of facts", async () => {
    await open()
    expect(sections()).toEqual([
      "Settings",
      "File",
      "Passes",
      "Environment",
      "Hardware",
      "Resources",
      "Latents",
      "Changes against the open graph",
    ])
    expect(sectionText("Settings")).toContain(SEED)
    expect(sectionText("Settings")).toContain("512 × 768, 2 at once")
    expect(sectionText("Passes")).toContain("x.safetensors (0.5)")
    expect(sectionText("Latents")).toContain("2 × 4 × 96 × 64")
    expect(sectionText("Hardware")).toContain("model A CPU · cores 8")
  })

  test("addresses of pictures contain the file's mtime, and those of noise its root", async () => {
    await open()
    const addresses = [...details.element.querySelectorAll("img")].map((picture) => picture.getAttribute("src"))
    expect(addresses).toEqual(["/image?index=0&size=1024&root=0", "/noise?root=ab12"])
  })

  test("a click in the table of drifts does not close the section", async () => {
    await open()
    const panel = details.element.querySelector(".gen5-drift-panel")
    const { open: before } = panel.closest("details")
    panel.click()
    expect(panel.closest("details").open).toBe(before)
  })

  test("a drift is shown beside the stored value", async () => {
    await open()
    const values = [...details.element.querySelectorAll("dd")].map((value) => value.textContent)
    expect(values).toContain("version 3.12.1")
    expect(values).toContain("version 2.4.0 · cuda 12.1here: version 2.6.0 · cuda 12.4")
    expect(values).toContain("not storedhere: a new card")
  })

  test("missing facts have no section and no button", async () => {
    const nothing = { passes: [], latents: [], images: [], environment: [], drifts: [], hardware: {}, resources: [], has_workflow: false }
    await open(nothing)
    expect(sections()).toEqual(["Settings", "File", "Changes against the open graph"])
    expect(button("Open workflow")).toBeUndefined()
    expect(button("Start from noise")).toBeUndefined()
    expect(details.element.querySelector("img")).toBeNull()
  })

  test("pictures are shown one at a time", async () => {
    await open()
    const picture = details.element.querySelector("figure img")
    expect(picture.alt).toBe("Picture 1 of 2, 512 × 768")
    button("Next picture").click()
    expect(picture.getAttribute("src")).toContain("index=1")
    button("Next picture").click()
    expect(picture.getAttribute("src")).toContain("index=0")
  })

  test("pictures of unknown size have none, the others have theirs", async () => {
    await open({ images: [{ width: null, height: null, size_bytes: 1 }, { width: 4, height: 2, size_bytes: 1 }] })
    const picture = details.element.querySelector("figure img")
    const attributes = () => [picture.alt, picture.getAttribute("width"), picture.getAttribute("height")]
    expect(attributes()).toEqual(["Picture 1 of 2", null, null])
    button("Next picture").click()
    expect(attributes()).toEqual(["Picture 2 of 2, 4 × 2", "4", "2"])
    button("Next picture").click()
    expect(attributes()).toEqual(["Picture 1 of 2", null, null])
  })

  test("lists and texts too long for a page are shortened, with the number of omitted items", async () => {
    const many = (count, make) => Array.from({ length: count }, (_, index) => make(index))
    await open({
      prompt: "p".repeat(1_000_000),
      passes: many(60_000, (index) => ({ index, node_id: "3", class_type: "KSampler" })),
      resources: many(200, (index) => ({ name: `${index}` })),
      latents: many(300, (index) => ({ name: `latent ${index}`, shape: [1], dtype: "float32", size_bytes: 4 })),
      drifts: many(200, (index) => ({ component: `${index}`, stored: "1", current: "2" })),
      counts: { tags: 1, passes: 60_000, resources: 300_000, environment: 2, drifts: 5000 },
    })
    expect(details.element.querySelectorAll("h3")).toHaveLength(200)
    expect(sectionText("Passes")).toContain("… 59,800 more")
    expect(sectionText("Resources")).toContain("… 299,800 more")
    expect(sectionText("Latents")).toContain("… 100 more")
    expect(sectionText("Settings")).toMatch(/p… 979,900 more/)
    expect(button("5,000 drifts")).toBeDefined()
    expect(sectionText("Environment")).toContain("… 4,800 more")
  })

  test("a file's text is shown as text, never as markup", async () => {
    const drifts = [{ component: HOSTILE, stored: HOSTILE, current: HOSTILE, kind: "changed" }]
    await open({
      prompt: HOSTILE,
      negative: HOSTILE,
      tags: [HOSTILE],
      model_name: HOSTILE,
      drifts,
      hardware: { [HOSTILE]: HOSTILE },
      resources: [{ [HOSTILE]: HOSTILE }],
      images: [],
      latents: [{ name: HOSTILE, shape: [1], dtype: HOSTILE, size_bytes: 1 }],
      passes: [{ index: 0, node_id: HOSTILE, class_type: HOSTILE, positive: HOSTILE }],
    })
    expect(details.element.querySelectorAll("img")).toHaveLength(0)
    expect(sectionText("Settings")).toContain(HOSTILE)
    expect(window.hacked).toBeUndefined()
  })

  test("a damaged file shows its error, and can be verified or read again", async () => {
    facts.mockRejectedValueOnce(new Error("META is cut short at 96"))
    await show()
    expect(details.element.textContent).toContain("META is cut short at 96")
    expect(button("Verify")).toBeDefined()
    facts.mockResolvedValue(stored())
    button("Try again").click()
    await vi.waitFor(() => expect(sections()).toContain("Settings"))
  })

  test("verifying shows its progress and result", async () => {
    await open()
    let finish
    verify.mockImplementation((name, onProgress) => {
      onProgress({ done: 1_000_000, total: 4_000_000 })
      return new Promise((resolve) => (finish = resolve))
    })
    button("Verify").click()
    const bar = details.element.querySelector("progress")
    expect(bar.value).toBe(0.25)
    expect(details.element.textContent).toContain("25 % of 4.0 MB")
    button("Verify").click()
    expect(verify).toHaveBeenCalledTimes(1)
    finish({ checked_bytes: 4_000_000, chunk_count: 3, sealed: true, notes: [] })
    await vi.waitFor(() => expect(details.element.textContent).toContain("Every byte is as it was written: 4.0 MB in 3 chunks."))
    expect(bar.hidden).toBe(true)
  })

  test("verifying a damaged file shows the error", async () => {
    await open()
    verify.mockRejectedValue(new Error("chunk 1 (TENS) at 4096: digest differs"))
    button("Verify").click()
    await vi.waitFor(() => expect(details.element.querySelector(".gen5-library-wrong").textContent).toContain("digest differs"))
  })

  test("signatures are above the sections; an unsigned file has none, as its facts say", async () => {
    await open({ trust: signed() })
    expect(signatures()).toBe(`SignedSigned by key ${KEY}. The key is not in your list.`)
    expect(sectionText("File")).not.toContain("Signature")
    details.element.remove()
    await open()
    expect(signatures()).toBe("")
    expect(sectionText("File")).toContain("Signaturenone")
  })

  test("verifying updates the trust of the signatures", async () => {
    await open({ trust: signed() })
    verify.mockResolvedValue({ checked_bytes: 1, chunk_count: 1, sealed: true, notes: [], trust: trusted("Alice") })
    button("Verify").click()
    await vi.waitFor(() => expect(signatures()).toContain("Signed by Alice"))
    expect(details.element.querySelector(".gen5-library-verdict").textContent).toMatch(/^Intact\./)
    expect(details.element.querySelector(".gen5-library-verdict").textContent).not.toMatch(/trusted/i)
  })

  test("a file rejected for its signature says so", async () => {
    facts.mockRejectedValueOnce(new Gen5Error("take another copy", { kind: "invalid_signature" }))
    await show()
    expect(details.element.querySelector(".gen5-badge-error").textContent).toBe("Invalid signature")
  })

  test("a PNG that carries the record is labelled", async () => {
    await open({ carrier: true })
    expect(sectionText("File")).toContain("carried in a PNG")
  })

  function signatures() {
    return details.element.querySelector(".gen5-signatures").textContent
  }

  test("leaving cancels a running check", async () => {
    await open()
    let signalOfCheck
    verify.mockImplementation((name, onProgress, { signal }) => {
      signalOfCheck = signal
      return new Promise(() => {})
    })
    button("Verify").click()
    details.dispose()
    expect(signalOfCheck.aborted).toBe(true)
  })

  test("the workflow is passed to ComfyUI as a JSON file of the same name", async () => {
    await open()
    workflow.mockResolvedValue({ workflow: { nodes: [] }, prompt: null })
    button("Open workflow").click()
    await vi.waitFor(() => expect(app.handleFile).toHaveBeenCalled())
    const [file] = app.handleFile.mock.calls[0]
    expect([file.name, file.type]).toEqual(["ComfyUI_00001_.json", "application/json"])
  })

  test("a workflow that cannot be read is reported in a toast", async () => {
    await open()
    workflow.mockRejectedValue(new Error("the file is gone"))
    button("Open workflow").click()
    await vi.waitFor(() => expect(toast).toHaveBeenCalledWith("error", "Could not open the workflow", "the file is gone"))
    expect(app.handleFile).not.toHaveBeenCalled()
  })

  test("a loader is added in the visible part of the graph, not on top of another node", async () => {
    await open()
    app.canvas.graph.nodes.push({ pos: [50, 50] })
    button("Add Load Gen5").click()
    await vi.waitFor(() => expect(addLoader).toHaveBeenCalledWith(NAME, { pos: [80, 80] }))
  })

  test("starting from the noise needs exactly one sampler selected", async () => {
    await open()
    const start = button("Start from noise")
    start.click()
    await vi.waitFor(() => expect(toast.mock.calls[0][2]).toBe("Select a sampler in the graph first."))
    app.canvas.selected_nodes = { 3: { title: "One" }, 4: { title: "Two" } }
    start.click()
    await vi.waitFor(() => expect(toast.mock.calls[1][2]).toContain("2 samplers are selected"))
    app.canvas.selected_nodes = { 3: { title: "One" } }
    start.click()
    await vi.waitFor(() => expect(startFromStored).toHaveBeenCalledWith({ title: "One" }, NAME))
  })

  test("the workflow is compared with the open graph when its section is opened", async () => {
    await open()
    const rounded = Number(SEED)
    const node = { class_type: "KSampler", inputs: { seed: rounded, steps: 20 }, _meta: { title: HOSTILE } }
    workflow.mockResolvedValue({ workflow: null, prompt: { 3: node } })
    app.graphToPrompt = async () => ({ output: { 3: { ...node, inputs: { seed: 5, steps: 20 } } } })
    expect(workflow).not.toHaveBeenCalled()
    const section = [...details.element.querySelectorAll("details")].at(-1)
    section.open = true
    section.dispatchEvent(new Event("toggle"))
    await vi.waitFor(() => expect(section.querySelector("del")?.textContent).toBe(SEED))
    expect(section.querySelector("ins").textContent).toBe("5")
    expect(section.textContent).toContain(HOSTILE)
    expect(section.querySelector("img")).toBeNull()
  })

  test("Escape goes back", async () => {
    await open()
    button("Verify").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }))
    expect(onBack).toHaveBeenCalledTimes(1)
  })
})

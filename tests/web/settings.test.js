import { readFileSync } from "node:fs"
import { beforeEach, describe, expect, test, vi } from "vitest"
import { verify } from "../../web/gen5_api.js"
import { settings } from "../../web/settings.js"
import { VERSION } from "../../web/version.js"
import { FakeNode } from "./fake_graph.js"
import { app, resetApp } from "./stubs/app.js"
import { trusted } from "./trust_facts.js"

vi.mock("../../web/gen5_api.js", () => ({ verify: vi.fn(), listLibrary: vi.fn(), upload: vi.fn() }))

/** Keys of ComfyUI's frontends 1.27 to 1.58 (platform/keybindings/defaults.ts), and those reserved by browsers. */
const TAKEN = [
  ..."rqwnmavhp.".split(""),
  ..."Escape Delete Backspace".split(" "),
  ..."Enter s o g , b m ` a c v x z y p t w n h j d r".split(" ").map((key) => `Ctrl+${key}`),
  ..."Enter e k v n b o i j r z".split(" ").map((key) => `Ctrl+Shift+${key}`),
  ..."m µ = + - c".split(" ").map((key) => `Alt+${key}`),
  ..."m +".split(" ").map((key) => `Alt+Shift+${key}`),
]
const CONTRACT = {
  "Gen5.Drift.Default": ["combo", "warn"],
  "Gen5.Library.Enabled": ["boolean", true],
  "Gen5.Privacy.MachineName": ["boolean", false],
  "Gen5.Privacy.Scrub": ["boolean", false],
  "Gen5.Recording.Automatic": ["boolean", true],
}

function locale(name) {
  return JSON.parse(readFileSync(`locales/en/${name}.json`, "utf8"))
}

function command(id) {
  return settings.commands.find((known) => known.id === id).function
}

function key(id) {
  return id.replaceAll(".", "_")
}

beforeEach(() => {
  resetApp()
  vi.resetAllMocks()
})

describe("settings", () => {
  test("have the ids, kinds and defaults that the server reads", () => {
    const found = settings.settings.map(({ id, type, defaultValue }) => [id, [type, defaultValue]])
    expect(Object.fromEntries(found)).toEqual(CONTRACT)
  })

  test("have their texts in locales/", () => {
    const expected = settings.settings.map(({ id, name, tooltip, options }) => {
      const choices = options && { options: Object.fromEntries(options.map((option) => [option, option])) }
      return [key(id), { name, tooltip, ...choices }]
    })
    expect(locale("settings")).toEqual(Object.fromEntries(expected))
  })

  test("are in categories that locales/ names", () => {
    const named = locale("main").settingsCategories
    const used = settings.settings.flatMap(({ category }) => category.slice(0, 2))
    expect(Object.keys(named).sort()).toEqual([...new Set(used)].sort())
  })
})

describe("commands", () => {
  test("have their texts in locales/", () => {
    const expected = settings.commands.map(({ id, label }) => [key(id), { label }])
    expect(locale("commands")).toEqual(Object.fromEntries(expected))
  })

  test("have keys that are not in use", () => {
    const combos = settings.keybindings.map(({ combo }) => {
      const held = Object.entries({ Ctrl: combo.ctrl, Alt: combo.alt, Shift: combo.shift })
      return [...held.filter(([, on]) => on).map(([name]) => name), combo.key].join("+")
    })
    expect(combos.filter((combo) => TAKEN.includes(combo))).toEqual([])
    expect(new Set(combos).size).toBe(combos.length)
    expect(settings.keybindings.map(({ commandId }) => commandId)).toEqual(settings.commands.map(({ id }) => id))
  })

  test("open the library's tab", () => {
    app.extensionManager.command = { execute: vi.fn() }
    command("Gen5.OpenLibrary")()
    expect(app.extensionManager.command.execute).toHaveBeenCalledWith("Workspace.ToggleSidebarTab.gen5-library")
  })

  test("say how to turn the library on", () => {
    app.extensionManager.setting.get = () => false
    command("Gen5.OpenLibrary")()
    expect(app.toasts[0].summary).toBe("The library is off")
  })

  test("verify the file of the selected Load Gen5", async () => {
    verify.mockResolvedValue({ checked_bytes: 1_500_000, chunk_count: 4, notes: [] })
    app.canvas.selected_nodes = { 3: loader("a.gen5") }
    await command("Gen5.VerifySelected")()
    expect(verify.mock.calls[0][0]).toBe("a.gen5")
    expect(app.toasts[0]).toMatchObject({ severity: "success", summary: "a.gen5 is intact" })
    expect(app.toasts[0].detail).toBe("Intact. Every byte is as it was written: 1.5 MB in 4 chunks.")
  })

  test("report what a check could not cover, and leave time to read it", async () => {
    verify.mockResolvedValue({ checked_bytes: 1, chunk_count: 1, notes: ["9 bytes follow the end of the PNG"] })
    app.canvas.selected_nodes = { 3: loader("a.png") }
    await command("Gen5.VerifySelected")()
    expect(app.toasts[0]).toMatchObject({ severity: "warn", summary: "a.png is intact" })
    expect(app.toasts[0].detail).toContain("9 bytes follow the end of the PNG.")
  })

  test("never say only that a file is intact if it has bytes that nothing covers", async () => {
    verify.mockResolvedValue({ checked_bytes: 1, chunk_count: 1, notes: [], uncovered_bytes: 24 })
    app.canvas.selected_nodes = { 3: loader("a.png") }
    await command("Gen5.VerifySelected")()
    const summary = "a.png is intact, with 24 bytes that nothing covers"
    expect(app.toasts[0]).toMatchObject({ severity: "warn", summary })
  })

  test.each([undefined, ""])("ask for a file if none is chosen: %j", async (name) => {
    app.canvas.selected_nodes = { 3: loader(name) }
    await command("Gen5.VerifySelected")()
    expect([verify.mock.calls, app.toasts[0].summary]).toEqual([[], "No file is chosen"])
  })

  test("report who signed the file", async () => {
    verify.mockResolvedValue({ checked_bytes: 1, chunk_count: 1, notes: [], trust: trusted("Alice") })
    app.canvas.selected_nodes = { 3: loader("a.gen5") }
    await command("Gen5.VerifySelected")()
    expect(app.toasts[0].detail).toContain("Signed by Alice, key")
    expect(app.toasts[0].detail).toContain("Trusted")
  })

  test("show a check's progress, run one check per file at a time, and clean up", async () => {
    let finish
    verify.mockImplementation(() => new Promise((resolve) => (finish = resolve)))
    app.canvas.selected_nodes = { 3: loader("a.gen5") }
    const done = command("Gen5.VerifySelected")()
    const [, step] = verify.mock.calls[0]
    expect(box().textContent).toContain("Verifying a.gen5…")
    step({ done: 1, total: 4 })
    expect(box().querySelector("progress").value).toBe(0.25)
    expect(box().querySelector("[role=status]").textContent).toBe("Verifying a.gen5: 25 %")
    command("Gen5.VerifySelected")()
    expect(verify).toHaveBeenCalledOnce()
    finish({ checked_bytes: 1, chunk_count: 1, notes: [] })
    await done
    expect(box()).toBeNull()
  })

  test("stop a check on request, without a message", async () => {
    verify.mockImplementation(
      (_name, _step, { signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")))),
    )
    app.canvas.selected_nodes = { 3: loader("a.gen5") }
    const done = command("Gen5.VerifySelected")()
    box().querySelector("button").click()
    await done
    expect([box(), app.toasts]).toEqual([null, []])
  })

  test("do not verify the widget's file if the input is linked", async () => {
    const node = loader("a.gen5")
    node.inputs.push({ name: "file", type: "COMBO", link: 1 })
    node.graph = { links: new Map([[1, { origin_id: 9, origin_slot: 0 }]]), getNodeById: () => null }
    app.canvas.selected_nodes = { 3: node }
    await command("Gen5.VerifySelected")()
    expect([verify.mock.calls, app.toasts[0].summary]).toEqual([[], "Its file comes by a link"])
  })

  test("report damage", async () => {
    verify.mockRejectedValue(new Error("chunk 2 is not what was written"))
    app.canvas.selected_nodes = { 3: loader("a.gen5") }
    await command("Gen5.VerifySelected")()
    expect(app.toasts[0]).toMatchObject({ severity: "error", detail: "chunk 2 is not what was written" })
  })

  test.each([[{}], [{ 1: new FakeNode("KSampler") }], [{ 1: loader("a"), 2: loader("b") }]])(
    "ask for one Load Gen5 to be selected: %#",
    async (selected) => {
      app.canvas.selected_nodes = selected
      await command("Gen5.VerifySelected")()
      expect([verify.mock.calls, app.toasts[0].summary]).toEqual([[], "Select one Load Gen5"])
    },
  )
})

test("the about badge has name and version", () => {
  const [badge] = settings.aboutPageBadges
  expect(badge.label).toBe(`Gen5 ${VERSION}`)
  expect(badge.url).toMatch(/docs\/Gen5Save\.md$/)
})

function box() {
  return document.querySelector(".gen5-progress")
}

function loader(name) {
  const node = new FakeNode("Gen5Load")
  node.widgets[0].value = name
  return node
}

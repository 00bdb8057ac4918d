import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { listLibrary } from "../../web/gen5_api.js"
import { addLoader } from "../../web/graph.js"
import { LibraryView } from "../../web/library/view.js"

vi.mock("../../web/gen5_api.js", () => ({
  listLibrary: vi.fn(),
  facts: vi.fn(() => new Promise(() => {})),
  workflow: vi.fn(),
  verify: vi.fn(),
  imageUrl: (name) => `/image?name=${name}`,
  noiseUrl: (name) => `/noise?name=${name}`,
}))
vi.mock("../../web/graph.js", () => ({ addLoader: vi.fn(), isSampler: vi.fn(), startFromStored: vi.fn() }))

function item(name) {
  return { name: `${name}.gen5 [output]`, mtime: 0, seed: "1", tags: [], images: 1, latents: 1, drift_count: 0, error: null }
}

describe("LibraryView", () => {
  let library
  let view

  beforeEach(async () => {
    vi.useFakeTimers()
    vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(520)
    library = { names: Array.from({ length: 200 }, (_, index) => `file${index}`), scan: { running: false, done: 0, total: 0 } }
    listLibrary.mockReset()
    listLibrary.mockImplementation(async ({ query, offset, limit }) => {
      const found = library.names.filter((name) => name.includes(query))
      return {
        total: found.length,
        files: library.names.length,
        offset,
        items: found.slice(offset, offset + limit).map(item),
        scan: library.scan,
      }
    })
    view = new LibraryView()
    document.body.append(view.element)
  })

  afterEach(() => {
    view.pause()
    view.element.remove()
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  async function settle(milliseconds = 250) {
    await vi.advanceTimersByTimeAsync(milliseconds)
  }

  async function open() {
    view.resume()
    await settle()
  }

  function find(selector) {
    return view.element.querySelector(selector)
  }

  function search(text) {
    find("input").value = text
    find("input").dispatchEvent(new Event("input"))
  }

  function requested() {
    return listLibrary.mock.calls.map(([options]) => options)
  }

  function button(label) {
    return [...view.element.querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === label)
  }

  test("opening requests the first page and one scan for new files", async () => {
    await open()
    expect(requested()[0]).toMatchObject({ query: "", offset: 0, limit: 60, refresh: true })
    expect(requested().filter(({ refresh }) => refresh)).toHaveLength(1)
    expect(find('[role="status"]').textContent).toBe("200 files")
    expect(view.element.querySelectorAll('[role="option"]').length).toBeLessThan(20)
  })

  test("opening again shows the cards at once in their old position, and looks for new files", async () => {
    await open()
    view.pause()
    view.element.remove()
    document.body.append(view.element)
    view.resume()
    expect(view.element.querySelectorAll('[role="option"]').length).toBeGreaterThan(0)
    await settle()
    expect(requested().filter(({ refresh }) => refresh)).toHaveLength(2)
  })

  test("typing searches after a pause", async () => {
    await open()
    for (const text of ["f", "fi", "file1", "file19"]) {
      search(text)
      await settle(100)
    }
    await settle()
    expect(requested().map(({ query }) => query).filter(Boolean)).toEqual(["file19"])
    expect(find('[role="status"]').textContent).toBe("11 of 200 files")
  })

  test("Enter searches at once, Escape clears", async () => {
    await open()
    search("file19")
    find("input").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }))
    await settle(10)
    expect(find('[role="status"]').textContent).toBe("11 of 200 files")
    find("input").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }))
    await settle(10)
    expect(find("input").value).toBe("")
    expect(find('[role="status"]').textContent).toBe("200 files")
  })

  test("a search without matches says so and offers to clear it", async () => {
    await open()
    search("no such file")
    await settle()
    expect(find(".gen5-library-empty").textContent).toContain("No file has all of: no such file")
    button("Clear the search").click()
    await settle()
    expect(find(".gen5-library-empty")).toBeNull()
    expect(find('[role="option"]')).not.toBeNull()
  })

  test("an empty library says how to make a file", async () => {
    library.names = []
    await open()
    expect(find(".gen5-library-empty").textContent).toContain("Save Gen5")
  })

  test("a scan is polled until it ends, and its files are shown", async () => {
    library.scan = { running: true, done: 10, total: 400 }
    await open()
    expect(find("progress").hidden).toBe(false)
    library.scan = { running: true, done: 300, total: 400 }
    await settle(700)
    expect(find("progress").value).toBe(300)
    library.names.unshift("brand-new")
    library.scan = { running: false, done: 400, total: 400 }
    await settle(1500)
    expect(find("progress").hidden).toBe(true)
    expect(find('[role="option"]').textContent).toContain("brand-new")
    const calls = requested().length
    await settle(5000)
    expect(requested().length).toBe(calls)
  })

  test("a closed tab sends no requests", async () => {
    library.scan = { running: true, done: 10, total: 400 }
    await open()
    view.pause()
    view.element.remove()
    const calls = requested().length
    view.rescan()
    await settle(5000)
    expect(requested().length).toBe(calls)
  })

  test("an error is shown, with a button to try again", async () => {
    listLibrary.mockRejectedValueOnce(new Error("ComfyUI does not answer"))
    await open()
    expect(find(".gen5-library-empty").textContent).toContain("ComfyUI does not answer")
    button("Try again").click()
    await settle()
    expect(find(".gen5-library-empty")).toBeNull()
    expect(requested().at(-1).refresh || requested().at(-2).refresh).toBe(true)
    expect(find('[role="status"]').textContent).toBe("200 files")
  })

  test("an error keeps the cards that are shown already", async () => {
    await open()
    listLibrary.mockRejectedValueOnce(new Error("ComfyUI does not answer"))
    view.rescan()
    await settle()
    expect(find(".gen5-library-empty").textContent).toContain("ComfyUI does not answer")
    expect(find('[role="option"]')).not.toBeNull()
  })

  test("details replace the list; going back returns to the row", async () => {
    await open()
    find('[role="listbox"]').focus()
    find('[role="listbox"]').dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }))
    find('[role="listbox"]').dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }))
    expect(find("article").getAttribute("aria-label")).toBe("file1.gen5")
    expect(document.activeElement).toBe(button("Back to the library"))
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }))
    expect(find("article")).toBeNull()
    expect(document.activeElement).toBe(find('[role="listbox"]'))
    const active = document.getElementById(find('[role="listbox"]').getAttribute("aria-activedescendant"))
    expect(active.textContent).toContain("file1")
  })

  describe("the bar of a row's actions", () => {
    const bar = () => find('[role="toolbar"]')
    const row = (name) => [...view.element.querySelectorAll('[role="option"]')].find((one) => one.textContent.includes(name))
    const hover = (name) => row(name).dispatchEvent(new Event("pointerover", { bubbles: true }))

    async function change(names) {
      library.names = names
      view.rescan()
      await settle(2000)
    }

    test("stays with its file if a newer one is added above, while it has the focus", async () => {
      await open()
      hover("file1")
      const top = parseFloat(bar().style.top)
      button("Add Load Gen5").focus()
      await change(["newer", ...library.names])
      expect(bar().hidden).toBe(false)
      expect(parseFloat(bar().style.top) - top).toBe(104)
      button("Add Load Gen5").click()
      expect(addLoader.mock.calls.at(-1)[0]).toBe("file1.gen5 [output]")
      expect(bar().getAttribute("aria-label")).toBe("Actions for file1.gen5")
    })

    test("is hidden and focuses the list if its file is gone", async () => {
      await open()
      hover("file1")
      button("Add Load Gen5").focus()
      await change(library.names.filter((name) => name !== "file1"))
      expect(bar().hidden).toBe(true)
      expect(document.activeElement).toBe(find('[role="listbox"]'))
    })

    test("is hidden if rows move while it has no focus", async () => {
      await open()
      hover("file1")
      expect(bar().hidden).toBe(false)
      await change(["newer", ...library.names])
      expect(bar().hidden).toBe(true)
    })
  })

  test("every control has a name", async () => {
    await open()
    find('[role="listbox"]').focus()
    for (const control of view.element.querySelectorAll("button, input, progress, [role]")) {
      const name = control.getAttribute("aria-label") ?? control.textContent
      expect(name || control.getAttribute("role"), control.outerHTML).toBeTruthy()
    }
  })
})

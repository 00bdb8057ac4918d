import { beforeEach, describe, expect, test, vi } from "vitest"

const rescan = vi.fn()
const resume = vi.fn()
const pause = vi.fn()

vi.mock("../../web/toast.js", () => ({ toast: vi.fn() }))
vi.mock("../../web/library/view.js", () => ({
  LibraryView: class {
    element = document.createElement("section")
    rescan = rescan
    resume = resume
    pause = pause
  },
}))

describe("library", () => {
  let app
  let api
  let toast
  let enabled
  let manager

  beforeEach(async () => {
    vi.resetModules()
    ;({ app } = await import("../../scripts/app.js"))
    ;({ api } = await import("../../scripts/api.js"))
    ;({ toast } = await import("../../web/toast.js"))
    vi.clearAllMocks()
    enabled = true
    manager = {
      setting: { get: () => enabled },
      registerSidebarTab: vi.fn(),
      unregisterSidebarTab: vi.fn(),
    }
    app.extensionManager = manager
    app.ui = { settings: new EventTarget() }
  })

  async function setup() {
    const { library } = await import("../../web/library/sidebar.js")
    library.setup()
    return manager.registerSidebarTab.mock.calls[0]?.[0]
  }

  function change(value) {
    app.ui.settings.dispatchEvent(new CustomEvent("Gen5.Library.Enabled.change", { detail: { value } }))
  }

  test("the tab is registered unless the setting is off", async () => {
    expect(await setup()).toMatchObject({ id: "gen5-library", type: "custom", icon: "pi pi-images" })
  })

  test("turning the setting on adds the tab", async () => {
    enabled = false
    expect(await setup()).toBeUndefined()
    change(true)
    expect(manager.registerSidebarTab).toHaveBeenCalledTimes(1)
  })

  test("turning the setting off removes the tab at once, once", async () => {
    await setup()
    change(false)
    change(false)
    expect(manager.unregisterSidebarTab.mock.calls).toEqual([["gen5-library"]])
  })

  test("a tab that cannot be removed is reported to go later", async () => {
    await setup()
    delete manager.unregisterSidebarTab
    change(false)
    expect(toast.mock.calls[0][2]).toBe("The tab goes once the page is loaded again.")
  })

  test("drawing the sidebar again with the same element does nothing", async () => {
    const tab = await setup()
    const place = document.createElement("div")
    tab.render(place)
    tab.render(place)
    expect(resume).toHaveBeenCalledTimes(1)
    expect(place.children).toHaveLength(1)
  })

  test("the library leaves an element that another tab uses", async () => {
    const tab = await setup()
    const place = document.createElement("div")
    tab.render(place)
    place.append(document.createElement("p"))
    await vi.waitFor(() => expect(place.children).toHaveLength(1))
    expect(place.firstChild.tagName).toBe("P")
    expect(pause).toHaveBeenCalled()
    tab.render(place)
    await Promise.resolve()
    expect(place.firstChild.tagName).toBe("SECTION")
  })

  test("a run of Save Gen5 causes one scan, a run of a loader does not", async () => {
    vi.useFakeTimers()
    const tab = await setup()
    tab.render(document.createElement("div"))
    const executed = (gen5) => api.dispatchEvent(new CustomEvent("executed", { detail: { output: { gen5 } } }))
    executed([{ file: "a.gen5", root: "", drift: [] }])
    await vi.advanceTimersByTimeAsync(5000)
    expect(rescan).not.toHaveBeenCalled()
    for (let count = 0; count < 5; count++) executed([{ filename: `${count}.gen5`, subfolder: "", type: "output" }])
    await vi.advanceTimersByTimeAsync(5000)
    expect(rescan).toHaveBeenCalledTimes(1)
    vi.useRealTimers()
  })
})

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { PagedList } from "../../web/library/list.js"

const ROW = 100
const ROOM = 500

function names(count) {
  return Array.from({ length: count }, (_, index) => `file${index}`)
}

describe("PagedList", () => {
  let all
  let list
  let opened
  let pictures
  let requested

  let layOut

  beforeEach(async () => {
    vi.useFakeTimers()
    class Observer {
      constructor(callback) {
        layOut = callback
      }

      observe() {}
    }
    vi.stubGlobal("ResizeObserver", Observer)
    vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(ROOM)
    all = names(10_000)
    opened = []
    pictures = []
    requested = []
    list = new PagedList({
      label: "Files",
      rowHeight: ROW,
      fetchPage: async (offset, limit) => {
        requested.push(offset)
        return { total: all.length, items: all.slice(offset, offset + limit).map((name) => ({ name })) }
      },
      createRow: (item) => {
        const element = document.createElement("div")
        element.textContent = item?.name ?? "…"
        return { element, showPicture: () => pictures.push(item?.name) }
      },
      onOpen: (item) => opened.push(item.name),
    })
    document.body.append(list.element)
    list.reset()
    await settle()
  })

  afterEach(() => {
    list.element.remove()
    vi.useRealTimers()
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
  })

  async function settle() {
    await vi.advanceTimersByTimeAsync(200)
  }

  async function scrollTo(top) {
    list.element.scrollTop = top
    list.element.dispatchEvent(new Event("scroll"))
    await settle()
  }

  function texts() {
    return [...list.box.children].map((row) => row.textContent)
  }

  function press(key, options = {}) {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options })
    list.box.dispatchEvent(event)
    return event
  }

  function activeText() {
    return document.getElementById(list.box.getAttribute("aria-activedescendant"))?.textContent
  }

  test("keeps its scroll position if it is put back into the page before it is laid out", async () => {
    await scrollTo(200_000)
    const height = vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(0)
    list.element.remove()
    document.body.append(list.element)
    list.restore()
    list.element.scrollTop = 0 // a browser reports 0 for an element that is not laid out
    height.mockReturnValue(ROOM)
    layOut()
    expect(list.element.scrollTop).toBe(200_000)
    expect(texts()).toContain("file2000")
  })

  test("keeps its scroll position even if no observer reports its layout", async () => {
    await scrollTo(200_000)
    const height = vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(0)
    list.element.remove()
    document.body.append(list.element)
    list.restore()
    list.element.scrollTop = 0
    height.mockReturnValue(ROOM)
    await vi.advanceTimersByTimeAsync(20)
    expect(list.element.scrollTop).toBe(200_000)
    expect(texts().length).toBeGreaterThan(9)
  })

  test("only the visible rows and a few around them are in the page", async () => {
    expect(texts()).toEqual(names(9))
    expect(list.box.style.height).toBe("1000000px")
    await scrollTo(500_000)
    expect(texts()).toEqual(all.slice(4996, 5009))
  })

  test("each row has its position in the whole list", async () => {
    await scrollTo(500_000)
    const row = [...list.box.children].find((one) => one.textContent === "file5000")
    expect(row.getAttribute("aria-posinset")).toBe("5001")
    expect(row.getAttribute("aria-setsize")).toBe("10000")
    expect(row.style.transform).toBe("translateY(500000px)")
  })

  test("rows stay in the order of the list after scrolling either way", async () => {
    for (const top of [40_000, 39_700, 39_900, 39_500]) await scrollTo(top)
    expect(texts()).toEqual(all.slice(391, 404))
  })

  test("a fast scroll requests the pages where it ends, not those it passes", async () => {
    requested.length = 0
    for (let top = 0; top < 900_000; top += 10_000) {
      list.element.scrollTop = top
      list.element.dispatchEvent(new Event("scroll"))
    }
    await settle()
    expect(requested).toEqual([8880])
  })

  test("pictures are requested once scrolling pauses", async () => {
    pictures.length = 0
    for (let top = 0; top < 90_000; top += 10_000) {
      list.element.scrollTop = top
      list.element.dispatchEvent(new Event("scroll"))
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(pictures).toEqual([])
    await settle()
    expect(new Set(pictures)).toEqual(new Set(all.slice(796, 809)))
  })

  test("keys move by one row, by a page and to the ends", async () => {
    list.focus()
    expect(activeText()).toBe("file0")
    press("ArrowDown")
    press("ArrowDown")
    press("ArrowUp")
    expect(activeText()).toBe("file1")
    press("PageDown")
    expect(activeText()).toBe("file5")
    press("PageUp")
    expect(activeText()).toBe("file1")
    press("End")
    await settle()
    expect(activeText()).toBe("file9999")
    expect(list.element.scrollTop).toBe(10_000 * ROW - ROOM)
    press("Home")
    await settle()
    expect(activeText()).toBe("file0")
    expect(list.element.scrollTop).toBe(0)
  })

  test("keys stop at both ends", async () => {
    list.focus()
    press("ArrowUp")
    expect(activeText()).toBe("file0")
    press("End")
    await settle()
    press("ArrowDown")
    expect(activeText()).toBe("file9999")
  })

  test("Enter, Space and a click open a file", () => {
    list.focus()
    press("ArrowDown")
    press("Enter")
    press(" ")
    list.box.children[3].dispatchEvent(new MouseEvent("click", { bubbles: true }))
    expect(opened).toEqual(["file1", "file1", "file3"])
  })

  test("keys that ComfyUI uses are passed on", () => {
    list.focus()
    expect(press("Enter", { ctrlKey: true }).defaultPrevented).toBe(false)
    expect(press("r").defaultPrevented).toBe(false)
    expect(press("ArrowDown").defaultPrevented).toBe(true)
  })

  test("exactly the active row is selected", () => {
    list.focus()
    press("ArrowDown")
    const selected = [...list.box.children].filter((row) => row.getAttribute("aria-selected") === "true")
    expect(selected.map((row) => row.textContent)).toEqual(["file1"])
  })

  test("new files above do not move the top row", async () => {
    await scrollTo(300_050)
    list.activate(3001)
    all.unshift("new0", "new1", "new2")
    const refreshed = list.refresh()
    await settle()
    await refreshed
    await settle()
    expect(list.element.scrollTop).toBe(300_350)
    expect(texts()).toContain("file3000")
    expect(activeText()).toBe("file3001")
    expect(list.total).toBe(10_003)
  })

  test("the active row stays the same file if newer ones are added above it, even at the top of the list", async () => {
    list.focus()
    for (const key of ["ArrowDown", "ArrowDown"]) press(key)
    all.unshift("new0", "new1")
    await Promise.all([list.refresh(), settle()])
    expect(list.element.scrollTop).toBe(0)
    expect(activeText()).toBe("file2")
    press("Enter")
    all.unshift(...Array.from({ length: 70 }, (_, index) => `newer${index}`)) // which moves it to another page
    await Promise.all([list.refresh(), settle()])
    press("Enter")
    press("ArrowDown")
    press("Enter")
    expect(opened).toEqual(["file2", "file2", "file3"])
  })

  test("if the active file is gone, the one in its position becomes and stays active", async () => {
    list.activate(4)
    all.splice(4, 1)
    await Promise.all([list.refresh(), settle()])
    expect(activeText()).toBe("file5")
    all.unshift("new")
    await Promise.all([list.refresh(), settle()])
    expect(activeText()).toBe("file5")
  })

  test("a pointer press focuses the list and moves nothing", async () => {
    await scrollTo(250)
    vi.spyOn(list.box, "matches").mockReturnValue(false) // :focus-visible does not match focus by pointer
    list.focus()
    expect([list.active, list.element.scrollTop]).toEqual([-1, 250])
    press("ArrowDown")
    expect(activeText()).toBe("file2")
  })

  test("new files are shown if the list is at the very top", async () => {
    all.unshift("new")
    list.refresh()
    await settle()
    expect(texts()[0]).toBe("new")
    expect(list.element.scrollTop).toBe(0)
  })

  test("a list that shrinks while scrolled has no rows beyond its end", async () => {
    await scrollTo(900_000)
    all.length = 3
    list.refresh()
    await settle()
    await scrollTo(0)
    expect(texts()).toEqual(["file0", "file1", "file2"])
  })

  test("a reset starts at the top with no active row", async () => {
    await scrollTo(300_000)
    list.activate(3000)
    list.reset()
    await settle()
    expect(list.element.scrollTop).toBe(0)
    expect(activeText()).toBeUndefined()
    expect(texts()).toEqual(names(9))
  })
})

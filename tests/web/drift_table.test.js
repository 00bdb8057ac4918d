import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { driftBadge, driftTable } from "../../web/drift_table.js"

const DRIFTS = [
  { component: "torch", stored: "name=torch;version=2.5.1;cuda=12.4", current: "name=torch;version=2.13.0;cuda=None" },
  { component: "gpu", stored: null, current: "<b>a</b>" },
]

let badge, button, panel

beforeEach(() => {
  vi.useFakeTimers()
  badge = driftBadge(DRIFTS)
  document.body.replaceChildren(badge, document.createElement("main"))
  button = badge.querySelector("button")
  panel = badge.querySelector(".gen5-drift-panel")
})

afterEach(() => vi.useRealTimers())

function isOpen() {
  expect(button.getAttribute("aria-expanded")).toBe(String(!panel.hidden))
  return !panel.hidden
}

function press(key) {
  button.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))
}

describe("driftTable", () => {
  test("has a row for each component, with its stored and current value", () => {
    const rows = [...driftTable(DRIFTS).rows].map((row) => [...row.cells].map((cell) => cell.textContent))
    expect(rows).toEqual([
      ["Component", "Stored", "Here"],
      ["torch", "version 2.5.1 · cuda 12.4", "version 2.13.0 · cuda None"],
      ["gpu", "not there", "<b>a</b>"],
    ])
  })

  test("marks header cells", () => {
    const scopes = [...driftTable(DRIFTS).querySelectorAll("th")].map((cell) => cell.scope)
    expect(scopes).toEqual(["col", "col", "col", "row", "row"])
  })
})

describe("driftBadge", () => {
  test("shows the number of drifts", () => {
    expect(button.textContent).toBe("2 drifts")
    expect(driftBadge(DRIFTS.slice(1)).querySelector("button").textContent).toBe("1 drift")
  })

  test("says that nothing differs, with nothing to open", () => {
    const none = driftBadge([])
    expect(none.textContent).toBe("No drift")
    expect(none.querySelector("button")).toBeNull()
  })

  test("the button refers to its panel", () => {
    expect(button.getAttribute("aria-controls")).toBe(panel.id)
    expect(driftBadge(DRIFTS).querySelector("[id]").id).not.toBe(panel.id)
    expect(isOpen()).toBe(false)
  })

  test("opens on hover and closes a moment after the pointer has left", () => {
    badge.dispatchEvent(new Event("pointerenter"))
    expect(isOpen()).toBe(true)
    badge.dispatchEvent(new Event("pointerleave"))
    expect(isOpen()).toBe(true)
    vi.runAllTimers()
    expect(isOpen()).toBe(false)
  })

  test("stays open while the pointer goes on to the table", () => {
    badge.dispatchEvent(new Event("pointerenter"))
    badge.dispatchEvent(new Event("pointerleave"))
    badge.dispatchEvent(new Event("pointerenter"))
    vi.runAllTimers()
    expect(isOpen()).toBe(true)
  })

  test("opens on keyboard focus, and closes when the focus leaves", () => {
    vi.spyOn(button, "matches").mockReturnValue(true)
    button.focus()
    expect(isOpen()).toBe(true)
    button.blur()
    vi.runAllTimers()
    expect(isOpen()).toBe(false)
  })

  test("stays open after a click until the next", () => {
    button.click()
    badge.dispatchEvent(new Event("pointerleave"))
    vi.runAllTimers()
    expect(isOpen()).toBe(true)
    button.click()
    expect(isOpen()).toBe(false)
  })

  test("stays open on a click on itself and closes on one elsewhere", () => {
    button.click()
    panel.dispatchEvent(new Event("pointerdown", { bubbles: true }))
    expect(isOpen()).toBe(true)
    document.querySelector("main").dispatchEvent(new Event("pointerdown", { bubbles: true }))
    expect(isOpen()).toBe(false)
  })

  test("closes on Escape, and stops the key only then", () => {
    const others = vi.fn()
    document.body.addEventListener("keydown", others, { once: true })
    button.click()
    press("Escape")
    expect(isOpen()).toBe(false)
    expect(others).not.toHaveBeenCalled()
    press("Escape")
    expect(others).toHaveBeenCalledOnce()
  })
})

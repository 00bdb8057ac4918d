import { beforeEach, describe, expect, test, vi } from "vitest"
import { element, loadStyles } from "../../web/dom.js"

describe("element", () => {
  test("takes any number of children", () => {
    const many = Array.from({ length: 70_000 }, (_, index) => String(index))
    expect(element("div", {}, ...many).childNodes).toHaveLength(70_000)
  })

  test("sets properties, attributes, data and style", () => {
    const made = element("button", {
      className: "gen5-button",
      title: "why",
      type: "button",
      attributes: { "aria-label": "Close", "aria-hidden": null, tabindex: 0 },
      dataset: { name: "a" },
      style: { width: "10px", "--gen5-x": "1" },
    })
    expect(made.outerHTML).toBe(
      '<button aria-label="Close" tabindex="0" style="width: 10px; --gen5-x: 1;" data-name="a" class="gen5-button" ' +
        'title="why" type="button"></button>',
    )
  })

  test("sets text as text, never as HTML", () => {
    const made = element("p", { text: "<img src=x onerror=alert(1)>" }, "<b>")
    expect(made.children.length).toBe(0)
    expect(made.textContent).toBe("<img src=x onerror=alert(1)><b>")
  })

  test("skips empty children", () => {
    expect(element("p", {}, null, undefined, false, "", "a", element("i")).childNodes.length).toBe(2)
  })

  test("calls its onclick function", () => {
    const onclick = vi.fn()
    element("button", { onclick }).click()
    expect(onclick).toHaveBeenCalledOnce()
  })

  test("skips undefined properties", () => {
    expect(element("p", { title: undefined, text: undefined }).outerHTML).toBe("<p></p>")
  })
})

describe("loadStyles", () => {
  beforeEach(() => document.head.replaceChildren())

  test("adds each style sheet once", () => {
    loadStyles()
    loadStyles()
    const sheets = [...document.head.querySelectorAll("link[rel=stylesheet]")].map((link) => link.href)
    expect(sheets.map((href) => href.split("/web/")[1])).toEqual(["gen5.css", "nodes.css", "library/library.css"])
  })
})

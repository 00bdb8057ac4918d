import { beforeEach, describe, expect, test } from "vitest"
import { compareNode } from "../../web/compare_node.js"
import { fakeNode } from "./fake_node.js"
import { app, resetApp } from "./stubs/app.js"

const EXACT = {
  identical: true,
  max_difference: 0,
  psnr: null,
  report: "latent: bit-exact\nimages: bit-exact",
  tolerance: 0,
  verdict: "bit-exact",
}
const DIFFERS = {
  identical: false,
  max_difference: 0.012345,
  psnr: 41.234,
  report: "images: DIFFERENT, L∞ 0.012345",
  tolerance: 0.001,
  verdict: "differs",
}

beforeEach(() => {
  resetApp()
  document.body.replaceChildren()
})

function made(comfyClass) {
  const node = fakeNode(comfyClass)
  compareNode.nodeCreated(node)
  return node
}

describe("Compare With Stored", () => {
  test.each([
    [EXACT, "Bit-exact", "gen5-badge-ok"],
    [{ ...DIFFERS, verdict: "within tolerance" }, "Within tolerance", "gen5-badge-warn"],
    [DIFFERS, "Differs", "gen5-badge-error"],
  ])("shows the verdict in a live region", (result, words, className) => {
    made("Gen5Compare").onExecuted({ gen5: [result] })
    const badge = document.querySelector("strong")
    expect(badge.textContent).toBe(words)
    expect(badge.className).toContain(className)
    expect(badge.closest("[role=status]")).not.toBeNull()
  })

  test("shows the figures", () => {
    made("Gen5Compare").onExecuted({ gen5: [DIFFERS] })
    expect(document.body.textContent).toContain("L∞ 0.01235, tolerance 0.001, PSNR 41.23 dB")
  })

  test("shows an infinite figure", () => {
    made("Gen5Compare").onExecuted({ gen5: [{ ...DIFFERS, max_difference: null, psnr: null, tolerance: 0 }] })
    expect(document.body.textContent).toContain("L∞ infinite, PSNR infinite")
  })

  test("shows each line of the report", () => {
    made("Gen5Compare").onExecuted({ gen5: [EXACT] })
    const lines = [...document.querySelectorAll("li")].map((line) => line.textContent)
    expect(lines).toEqual(["latent: bit-exact", "images: bit-exact"])
  })

  test("shows its verdict again after switching back to the tab", () => {
    const node = made("Gen5Compare")
    app.rootGraph = { getNodeById: () => node }
    compareNode.onNodeOutputsUpdated({ 1: { gen5: [EXACT] } })
    expect(document.querySelector("strong").textContent).toBe("Bit-exact")
  })
})

describe("Environment Drift", () => {
  test("is wide enough for its table", () => {
    expect(made("Gen5Environment").size).toEqual([340, 100])
  })

  test("shows a table of the differences", () => {
    const drifts = [{ component: "numpy", stored: "1.0", current: "2.0", kind: "differs" }]
    made("Gen5Environment").onExecuted({ gen5: [{ drifts }] })
    expect(document.querySelector("strong").textContent).toBe("1 thing differs")
    expect(document.querySelector("tbody").textContent).toBe("numpy1.02.0")
    expect(document.querySelector("[tabindex='0']").querySelector("table")).not.toBeNull()
  })

  test("says that nothing differs", () => {
    made("Gen5Environment").onExecuted({ gen5: [{ drifts: [] }] })
    expect(document.querySelector("strong").textContent).toBe("Nothing differs")
    expect(document.querySelector("table")).toBeNull()
  })
})

test("other nodes are left alone", () => {
  expect(made("KSampler").widgets).toEqual([])
})

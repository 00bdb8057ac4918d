import { beforeEach, describe, expect, test } from "vitest"
import { startingNoise, stepNoise } from "../../web/noise_words.js"
import { saveNode } from "../../web/save_node.js"
import { fakeNode } from "./fake_node.js"
import { app, resetApp } from "./stubs/app.js"
import { KEY } from "./trust_facts.js"

const SAVED = {
  filename: "ComfyUI_00001_.gen5",
  subfolder: "gen5",
  type: "output",
  size_bytes: 3_100_000,
  noise_source: "recorded",
  reason: null,
  step_noise: [{ pass: 0, stored: false, reason: null }],
  root: "0",
}

beforeEach(() => {
  resetApp()
  document.body.replaceChildren()
})

function saver() {
  const node = fakeNode("Gen5Save")
  saveNode.nodeCreated(node)
  return node
}

describe("Save Gen5", () => {
  test("shows nothing before it has run", () => {
    saver()
    expect(document.querySelector(".gen5-node-panel").hidden).toBe(true)
  })

  test("shows file, size and noise", () => {
    saver().onExecuted({ gen5: [SAVED] })
    const { textContent } = document.body
    for (const part of ["ComfyUI_00001_.gen5, 3.1 MB", "recorded while sampling", "the sampler added none"]) {
      expect(textContent).toContain(part)
    }
    expect(document.querySelector("strong").title).toBe("output/gen5/ComfyUI_00001_.gen5")
  })

  test("shows each of several files", () => {
    saver().onExecuted({ gen5: [SAVED, { ...SAVED, filename: "other.gen5" }] })
    expect(document.querySelectorAll(".gen5-saved")).toHaveLength(2)
  })

  test("marks missing noise, with the reason", () => {
    saver().onExecuted({ gen5: [{ ...SAVED, noise_source: "none", reason: "no sampler was found" }] })
    expect(document.querySelector(".gen5-lacking").textContent).toBe("Starting noise: none: no sampler was found")
  })

  test("has its own text for a reason of a known kind", () => {
    expect(startingNoise({ noise_source: "none", reason: "said otherwise", reason_kind: "no_sampler" })).toBe(
      "Starting noise: none: no sampler was found above this node",
    )
  })

  test("shows a reason beside stored noise, once", () => {
    saver().onExecuted({ gen5: [{ ...SAVED, reason: "no recorded run was found for node 3" }] })
    expect(document.body.textContent.split("no recorded run was found for node 3")).toHaveLength(2)
  })

  test("shows the key that signed the file, and no key otherwise", () => {
    const node = saver()
    node.onExecuted({ gen5: [{ ...SAVED, signed_by: KEY }] })
    expect(document.body.textContent).toContain(`Signed by key ${KEY}`)
    node.onExecuted({ gen5: [{ ...SAVED, signed_by: null }] })
    expect(document.body.textContent).not.toContain("Signed")
  })

  test("lists what was left out, each thing once", () => {
    saver().onExecuted({ gen5: [{ ...SAVED, scrubbed: ["machine_name", "path <b>/home/x</b> became y"] }] })
    const part = document.querySelector("details")
    expect(part.querySelector("summary").textContent).toBe("Left out for privacy: 2 things")
    expect([...part.querySelectorAll("li")].map((line) => line.textContent)).toEqual([
      "machine_name",
      "path <b>/home/x</b> became y",
    ])
  })

  test.each([[undefined], [[]]])("lists nothing if nothing was left out: %j", (scrubbed) => {
    saver().onExecuted({ gen5: [{ ...SAVED, scrubbed }] })
    expect(document.querySelector("details")).toBeNull()
  })

  test("shows text as text, never as markup", () => {
    saver().onExecuted({ gen5: [{ ...SAVED, filename: "<img src=x>", reason: "<b>" }] })
    expect(document.querySelector("img, b")).toBeNull()
  })

  test("shows its result again after switching back to the tab", () => {
    const node = saver()
    app.rootGraph = { getNodeById: () => node }
    saveNode.onNodeOutputsUpdated({ 1: { gen5: [SAVED] } })
    expect(document.body.textContent).toContain("ComfyUI_00001_.gen5")
  })

  test("leaves other nodes alone", () => {
    const node = fakeNode("SaveImage")
    saveNode.nodeCreated(node)
    expect(node.widgets).toEqual([])
    expect(node.onExecuted).toBeUndefined()
  })
})

describe("startingNoise", () => {
  test.each([
    ["recorded", "Starting noise: recorded while sampling"],
    ["provided", "Starting noise: provided at the noise input"],
    ["derived", "Starting noise: derived from the seed"],
    ["none", "Starting noise: none"],
  ])("%s", (source, words) => expect(startingNoise({ noise_source: source })).toBe(words))

  test("of a file that does not record its source", () => {
    expect(startingNoise({ noise_source: null }, true)).toBe("Starting noise: stored")
    expect(startingNoise({ noise_source: null }, false)).toBe("Starting noise: none")
  })
})

describe("stepNoise", () => {
  const recorded = (...passes) => ({
    noise_source: "recorded",
    step_noise: passes.map(([stored, reason], pass) => ({ pass, stored, reason: reason ?? null })),
  })

  test("stored, for all or for some passes", () => {
    expect(stepNoise(recorded([true], [true]))).toBe("Step noise: stored")
    expect(stepNoise(recorded([true], [false]))).toBe("Step noise: stored for 1 of 2 passes")
    expect(stepNoise(recorded([true, "part was unseen"]))).toBe("Step noise: stored; but part was unseen")
    expect(stepNoise(recorded([true], [false, "too large"]))).toBe("Step noise: stored for 1 of 2 passes; else not: too large")
  })

  test("not stored, each reason once", () => {
    expect(stepNoise(recorded([false, "never"], [false, "never"]))).toBe("Step noise: not stored: never")
  })

  test("none added, or nothing recorded", () => {
    expect(stepNoise(recorded([false]))).toBe("Step noise: the sampler added none")
    expect(stepNoise({ noise_source: "derived", step_noise: [{ pass: 0, stored: false, reason: null }] })).toBe(
      "Step noise: not recorded",
    )
    expect(stepNoise({ noise_source: "none" })).toBe("Step noise: not recorded")
  })
})

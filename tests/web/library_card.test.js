import { beforeEach, describe, expect, test, vi } from "vitest"
import { createCard } from "../../web/library/card.js"

const HOSTILE = "<img src=x onerror=\"window.hacked = true\"><script>window.hacked = true</script>"

function item(changes = {}) {
  return {
    name: "gen5/ComfyUI_00001_.gen5 [output]",
    size_bytes: 1000,
    mtime: Date.now() / 1000 - 7200,
    date: null,
    seed: "18446744073709551615",
    steps: 20,
    cfg: 7,
    sampler: "euler",
    scheduler: "normal",
    width: 512,
    height: 512,
    prompt: "a cat",
    model_name: "a.safetensors",
    tags: ["cat", "night"],
    noise_source: "recorded",
    images: 1,
    latents: 2,
    sealed: true,
    drift_count: 0,
    error: null,
    ...changes,
  }
}

describe("createCard", () => {
  beforeEach(() => document.body.replaceChildren())

  test("shows name, age, prompt, seed, sampler, model and tags", () => {
    const text = createCard(item()).element.textContent
    for (const part of ["ComfyUI_00001_.gen5", "2 hours ago", "a cat", "seed 18446744073709551615", "euler", "a.safetensors", "night"]) {
      expect(text).toContain(part)
    }
  })

  test("shows the folder of a file in input/, but not output/", () => {
    expect(createCard(item()).element.textContent).not.toContain("output")
    expect(createCard(item({ name: "a.gen5" })).element.textContent).toContain("input")
  })

  test("shows the number of drifts", () => {
    expect(createCard(item({ drift_count: 3 })).element.textContent).toContain("3 drifts")
    expect(createCard(item({ drift_count: 1 })).element.textContent).toContain("1 drift")
    expect(createCard(item({ drift_count: null })).element.textContent).not.toContain("drift")
  })

  test("shows the error of a damaged file", () => {
    const damaged = createCard(item({ error: "META is cut short", kind: "truncated", prompt: null, seed: null }))
    expect(damaged.element.textContent).toContain("damaged")
    expect(damaged.element.textContent).toContain("META is cut short")
    damaged.showPicture()
    expect(damaged.element.querySelector("img")).toBeNull()
  })

  test.each([
    ["newer_version", "newer version", "pi-arrow-circle-up"],
    ["no_access", "not readable", "pi-lock"],
  ])("a file that is not damaged is not called so: %s", (kind, text, icon) => {
    const card = createCard(item({ error: "said otherwise", kind })).element
    expect(card.textContent).toContain(text)
    expect(card.textContent).not.toContain("damaged")
    expect(card.querySelectorAll(`.${icon}`)).toHaveLength(2)
  })

  test("shows a file without facts", () => {
    const bare = { prompt: null, seed: null, sampler: null, model_name: null, tags: null, images: 0, latents: 0 }
    expect(createCard(item(bare)).element.textContent).toContain("No prompt")
  })

  test("shows a file's text as text, never as markup", () => {
    const hostile = item({ name: `${HOSTILE}.gen5`, prompt: HOSTILE, tags: [HOSTILE], model_name: HOSTILE, sampler: HOSTILE })
    const card = createCard(hostile)
    document.body.append(card.element)
    expect(card.element.querySelectorAll("img, script")).toHaveLength(0)
    expect(card.element.textContent).toContain(HOSTILE)
    const damaged = createCard(item({ error: HOSTILE }))
    expect(damaged.element.querySelectorAll("img, script")).toHaveLength(0)
    expect(window.hacked).toBeUndefined()
  })

  test("requests a new picture for another file of the same name", () => {
    const requested = vi.spyOn(HTMLImageElement.prototype, "src", "set")
    for (const mtime of [1, 2]) createCard(item({ mtime })).showPicture()
    const [[first], [second]] = requested.mock.calls
    requested.mockRestore()
    expect(first).not.toBe(second)
  })

  test.each([
    ["signed", "signed"],
    ["trusted", "trusted"],
    ["invalid", "invalid signature"],
    ["unchecked", "signature unchecked"],
  ])("a %s file says so", (trust, words) => {
    const badges = [...createCard(item({ trust })).element.querySelectorAll(".gen5-library-badge")]
    expect(badges.map((badge) => badge.textContent)).toContain(words)
  })

  test.each(["unsigned", null, undefined])("has no badge of trust for a file that is %s", (trust) => {
    expect(createCard(item({ trust })).element.textContent).not.toMatch(/sign|trust/)
  })

  test("labels tags, so that none looks like a badge of trust", () => {
    const badges = createCard(item({ trust: "unsigned", tags: ["trusted", "signed"] })).element.querySelectorAll(".gen5-library-badge")
    expect([...badges].map((badge) => badge.textContent)).toEqual(["tag trusted", "tag signed"])
  })

  test("shows an invalid signature in the error colour, and not as damage", () => {
    const card = createCard(item({ trust: "invalid", error: "the signature does not fit" })).element
    expect(card.querySelector(".gen5-badge-error").textContent).toBe("invalid signature")
    expect(card.textContent).not.toContain("damaged")
  })

  test("marks a PNG that carries the record", () => {
    const words = (carrier) => createCard(item({ carrier, tags: [] })).element.textContent
    expect(words(true)).toContain("PNG")
    expect(words(false)).not.toContain("PNG")
  })

  test("is a grey row if the item is not loaded yet", () => {
    expect(createCard(undefined).element.getAttribute("aria-label")).toBe("Loading")
  })
})

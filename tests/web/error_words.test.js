import { describe, expect, test } from "vitest"
import { errorBadge, errorText } from "../../web/error_words.js"

describe("errorText", () => {
  test("has its own text for some kinds, with the file's name", () => {
    expect(errorText({ error: "said otherwise", kind: "not_found" }, "a.gen5")).toBe("a.gen5 is not there")
    expect(errorText({ error: "", kind: "stripped" }, "a.png")).toMatch(/^a\.png carries no GEN5 record.*original file/)
  })

  test("adds a remedy after the server's message", () => {
    const text = errorText({ error: "META: takes 9 bytes, the limit is 8", kind: "over_limit" })
    expect(text).toMatch(/^META: takes 9 bytes, the limit is 8; .*take another copy/)
  })

  test("is the server's message for other kinds", () => {
    expect(errorText({ error: "META: the seal is wrong", kind: "damaged" })).toBe("META: the seal is wrong")
    expect(errorText({ error: "odd" })).toBe("odd")
  })

  test("depends on the kind alone, not on the message", () => {
    expect(errorText({ error: "a.gen5 is not there", kind: "damaged" }, "b.gen5")).toBe("a.gen5 is not there")
  })
})

test("errorBadge distinguishes damage from what this version cannot read", () => {
  expect(["damaged", "truncated", "newer_version", "over_limit"].map((kind) => errorBadge(kind).text)).toEqual([
    "damaged",
    "damaged",
    "newer version",
    "too large",
  ])
  expect(errorBadge("no_access").text).toBe("not readable")
})

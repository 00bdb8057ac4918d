import { describe, expect, test } from "vitest"
import { ago, fileSize, samplerLine, verdict } from "../../web/text.js"

describe("fileSize", () => {
  test.each([
    [0, "0 bytes"],
    [1, "1 byte"],
    [999, "999 bytes"],
    [1000, "1.0 kB"],
    [9_949, "9.9 kB"],
    [9_950, "10 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [3_141_592, "3.1 MB"],
    [4_294_967_295, "4.3 GB"],
    [5e15, "5000 TB"],
  ])("formats %d bytes as %s", (bytes, expected) => {
    expect(fileSize(bytes)).toBe(expected)
  })
})

describe("samplerLine", () => {
  test("keeps every digit of a seed", () => {
    const facts = { sampler: "euler", scheduler: "normal", steps: 20, cfg: 7, denoise: 1, seed: "18446744073709551615" }
    expect(samplerLine(facts)).toBe("euler / normal, 20 steps, cfg 7, seed 18446744073709551615")
  })

  test("omits unknown settings", () => {
    const facts = { sampler: "ddim", scheduler: null, steps: 1, cfg: null, denoise: null, seed: null }
    expect(samplerLine(facts)).toBe("ddim, 1 step")
    expect(samplerLine({})).toBe("")
  })

  test("includes a denoise other than 1, and seed 0", () => {
    expect(samplerLine({ denoise: 0.6, seed: "0" })).toBe("denoise 0.6, seed 0")
  })

  test("rounds a 32-bit float to the number that was meant", () => {
    expect(samplerLine({ cfg: 5.300000190734863 })).toBe("cfg 5.3")
  })
})

describe("ago", () => {
  const NOW = 1_700_000_000
  test.each([
    [0, "just now"],
    [59, "just now"],
    [60, "1 minute ago"],
    [7_199, "1 hour ago"],
    [86_400 * 6, "6 days ago"],
    [86_400 * 13, "1 week ago"],
    [86_400 * 364, "12 months ago"],
    [86_400 * 365 * 2, "2 years ago"],
    [-30, "just now"],
  ])("formats %d seconds ago as %s", (passed, expected) => {
    expect(ago(NOW - passed, NOW)).toBe(expected)
  })
})

describe("verdict", () => {
  test("says that every byte is as it was written if all was checked", () => {
    const report = { checked_bytes: 3_141_592, chunk_count: 3, notes: [] }
    expect(verdict(report)).toBe("Intact. Every byte is as it was written: 3.1 MB in 3 chunks.")
  })

  test("does not say so if something could not be checked", () => {
    const notes = ["9 bytes follow the end of the PNG and are not checked", "another note"]
    expect(verdict({ checked_bytes: 1, chunk_count: 1, notes })).toBe(
      "Intact, as far as could be checked: 1 byte in 1 chunk. " +
        "9 bytes follow the end of the PNG and are not checked. another note.",
    )
  })

  test.each([
    [1, "Intact, with 1 byte that nothing covers: 1 byte in 1 chunk. a note."],
    [24, "Intact, with 24 bytes that nothing covers: 1 byte in 1 chunk. a note."],
  ])("counts the bytes that nothing covers: %i", (count, words) => {
    expect(verdict({ checked_bytes: 1, chunk_count: 1, notes: ["a note"], uncovered_bytes: count })).toBe(words)
  })
})

import { describe, expect, test, vi } from "vitest"
import { Gen5Error } from "../../web/gen5_error.js"
import { CHUNKS_MAX, carriedRecord, requireRecord } from "../../web/png_carrier.js"
import { gen5Bytes, gen5File } from "./gen5_files.js"
import { SIGNATURE, carrierOf, chunk, pngFile } from "./png_files.js"

const HEADER = chunk("IHDR", new Array(13).fill(0))
const PIXELS = chunk("IDAT", new Array(5000).fill(7))
const RECORD = chunk("gfVE", [5, 6, 7])
const END = chunk("IEND")

async function bytesOf(blob) {
  return [...new Uint8Array(await blob.arrayBuffer())]
}

describe("carriedRecord", () => {
  test.each([
    ["before IEND", [HEADER, PIXELS, RECORD, END]],
    ["before the pixels", [HEADER, RECORD, PIXELS, END]],
    ["with chunks after it", [HEADER, RECORD, chunk("tEXt", [1]), PIXELS, END]],
    ["with bytes after IEND", [HEADER, RECORD, END, [1, 2, 3]]],
    ["beside empty and unknown chunks", [HEADER, chunk("aaAA"), chunk("ZZzz", [9]), RECORD, END]],
  ])("is the data of the chunk, at any position: %s", async (_, chunks) => {
    expect(await bytesOf(await carriedRecord(pngFile(chunks)))).toEqual([5, 6, 7])
  })

  test("may be empty: the server reports that", async () => {
    expect(await bytesOf(await carriedRecord(pngFile([HEADER, chunk("gfVE"), END])))).toEqual([])
  })

  test("is null if the letters differ in case", async () => {
    const others = ["gfve", "GFVE", "gfvE", "gFVE"].map((type) => chunk(type, [1]))
    expect(await carriedRecord(pngFile([HEADER, ...others, END]))).toBeNull()
  })

  test("is null if another chunk's data or text has its letters", async () => {
    expect(await carriedRecord(pngFile([HEADER, chunk("tEXt", RECORD), END]))).toBeNull()
  })

  test.each([
    ["cut before its pixels", [], 0],
    ["cut within its pixels", [PIXELS], 40],
    ["damaged", [chunk("ID@T", [1]), RECORD, END], 0],
  ])("is refused if a PNG with the marker is %s, and null for any other", async (_, rest, less) => {
    const marker = chunk("tEXt", [...new TextEncoder().encode("Gen5\0record in gfVE")])
    const other = chunk("tEXt", [...new TextEncoder().encode("Gen5\0record in gfVe")])
    const cut = (first) => pngFile([[HEADER, first, ...rest].flat().slice(0, less ? -less : undefined)])
    await expect(carriedRecord(cut(marker))).rejects.toThrow(Gen5Error)
    expect(await carriedRecord(cut(other))).toBeNull()
    expect(await carriedRecord(pngFile([HEADER, marker, PIXELS, END]))).toBeNull()
  })

  test("does not depend on the name", async () => {
    expect(await carriedRecord(carrierOf(gen5Bytes(), "cat.dat"))).not.toBeNull()
  })

  test("reads slices of 8 bytes and no pixels", async () => {
    const file = pngFile([HEADER, PIXELS, PIXELS, RECORD, END])
    const slice = vi.spyOn(file, "slice")
    const whole = vi.spyOn(file, "arrayBuffer")
    const record = await carriedRecord(file)
    expect(record.size).toBe(3)
    expect(slice.mock.calls.every(([start, end]) => end - start === 8 || (start === 10065 && end === 10068))).toBe(true)
    expect(whole).not.toHaveBeenCalled()
  })

  test.each([1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 772])("is found after %d chunks of pixels of equal length", async (count) => {
    const pixels = new Array(count).fill(chunk("IDAT", [1, 2]))
    const last = chunk("IDAT", [1])
    for (const rest of [[RECORD, END], [last, RECORD, END], [last, RECORD, chunk("tEXt", [1]), END]]) {
      expect(await bytesOf(await carriedRecord(pngFile([HEADER, ...pixels, ...rest])))).toEqual([5, 6, 7])
    }
  })

  test.each(["IDAT", "fdAT"])("is found to be missing with few slices, for any number of chunks of %s", async (type) => {
    const pixels = new Array(3000).fill(chunk(type, [1, 2]))
    const file = pngFile([HEADER, chunk("tEXt", [1]), ...pixels, chunk(type, [1]), END])
    const slice = vi.spyOn(file, "slice")
    expect(await carriedRecord(file)).toBeNull()
    expect(slice.mock.calls.length).toBeLessThan(50)
  })

  test("is null if a skip, but no reading chunk by chunk, finds one", async () => {
    const pixels = chunk("IDAT", [1, 2])
    const trap = chunk("tEXt", [0, 0, 0, 0, 0, 0, ...pixels, ...RECORD])
    const file = pngFile([HEADER, pixels, pixels, trap, END])
    const slice = vi.spyOn(file, "slice")
    expect(await carriedRecord(file)).toBeNull()
    expect(slice.mock.calls.filter(([start]) => start === 89).length).toBeGreaterThan(1) // the offset where the skip met RECORD
  })

  test("is found if a skip over chunks of pixels ends in a PNG inside the record", async () => {
    const pixels = chunk("IDAT", [1, 2])
    const data = [0, 0, 0, 0, 0, 0, ...pixels, ...new Array(20).fill(0)]
    const file = pngFile([HEADER, pixels, pixels, chunk("gfVE", data), END])
    const slice = vi.spyOn(file, "slice")
    expect(await bytesOf(await carriedRecord(file))).toEqual(data)
    expect(slice.mock.calls.map(([start]) => start)).toContain(89) // the end of that skip
  })

  test("reads 8 bytes of a file that is not a PNG", async () => {
    const file = new File([new Uint8Array(100)], "x.png")
    const slice = vi.spyOn(file, "slice")
    expect(await carriedRecord(file)).toBeNull()
    expect(slice.mock.calls).toEqual([[0, 8]])
  })

  test.each([
    ["no byte", new File([], "x.png")],
    ["7 bytes", new File([new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a])], "x.png")],
    ["a GEN5 file", gen5File()],
    ["the signature alone", pngFile([])],
    ["no IEND", pngFile([HEADER, PIXELS])],
    ["a header that is cut", pngFile([HEADER, [0, 0, 0, 1, 0x67]])],
    ["data that is cut", pngFile([HEADER, chunk("IDAT", [1], 900)])],
    ["a length above 2 GiB", pngFile([HEADER, chunk("IDAT", [1], 0xffffffff), RECORD, END])],
    ["a type that is no letters", pngFile([HEADER, chunk("ID4T", [1]), RECORD, END])],
    ["a record after IEND", pngFile([HEADER, END, RECORD])],
    ["a PNG of Apple's kind, whose first chunk is CgBI", pngFile([chunk("CgBI", [1]), HEADER, RECORD, END])],
  ])("is null, without an error, for %s", async (_, file) => {
    expect(await carriedRecord(file)).toBeNull()
  })

  test.each([
    ["its data is cut", [HEADER, chunk("gfVE", [1, 2], 900)], "picture.png ends after 47 bytes, within its gfVE of 900 bytes: it was cut"],
    ["it is the first chunk", [RECORD, HEADER, PIXELS, END], "picture.png starts with gfVE, a PNG with its IHDR"],
    ["its CRC is cut", [HEADER, RECORD.slice(0, -1)], "within its gfVE of 3 bytes"],
    ["its length is huge", [HEADER, chunk("gfVE", [1], 0xffffffff), END], "picture.png is damaged at offset 33"],
    ["no IEND follows", [HEADER, RECORD], "picture.png ends after 48 bytes, before its IEND: it was cut"],
    ["a chunk after it is cut", [HEADER, RECORD, chunk("IDAT", [1], 900)], "within its IDAT of 900 bytes"],
    ["no chunk follows", [HEADER, RECORD, [0, 0, 0, 0, 0, 0, 0, 0]], "picture.png is damaged at offset 48"],
    ["there are two", [HEADER, RECORD, RECORD, END], "picture.png carries two records, a PNG carries one"],
  ])("is an error if %s", async (_, chunks, message) => {
    const error = await carriedRecord(pngFile(chunks)).catch((caught) => caught)
    expect(error).toBeInstanceOf(Gen5Error)
    expect(error.message).toContain(message)
  })

  test("gives up after the limit of chunks", async () => {
    const file = endless()
    const slice = vi.spyOn(file, "slice")
    expect(await carriedRecord(file)).toBeNull()
    expect(slice.mock.calls.length).toBe(3 * CHUNKS_MAX)
  }, 60_000)
})

describe("requireRecord", () => {
  test("accepts carriers and files of other kinds", async () => {
    await requireRecord(carrierOf(gen5Bytes()))
    await requireRecord(gen5File())
    await requireRecord(new File([], "empty"))
    await requireRecord(gen5File({ name: "renamed.png" }))
  })

  test.each(["cat.png", "CAT.PNG"])("rejects a file that is a PNG only by its name: %s", async (name) => {
    await expect(requireRecord(new File(["RIFF....WEBP"], name))).rejects.toThrow(`${name} carries no GEN5 record`)
  })

  test("rejects a plain PNG, with a remedy", async () => {
    await expect(requireRecord(pngFile([HEADER, END], "cat.png"))).rejects.toThrow(
      /^cat\.png carries no GEN5 record: .* Choose the original file, or the \.gen5 beside it\.$/,
    )
  })
})

/** An endless PNG of pixels, each chunk of another length than the one before, generated so that it takes no memory. */
function endless() {
  const first = { 0: SIGNATURE, 8: chunk("IHDR") }
  const bytesAt = (from) => first[from] ?? chunk("IDAT", [], from % 2 ? 3 : 1)
  const slice = (from) => ({ arrayBuffer: async () => new Uint8Array(bytesAt(from).slice(0, 8)).buffer })
  return { name: "endless.png", size: 2 ** 40, slice }
}

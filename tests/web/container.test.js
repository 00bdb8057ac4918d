import { describe, expect, test, vi } from "vitest"
import { HEADER_BYTES, TAIL_BYTES_MAX, readHeadAndTail } from "../../web/container.js"
import { gen5File } from "./gen5_files.js"

describe("readHeadAndTail", () => {
  test("returns the header and everything from META on, back to back", async () => {
    const sent = await readHeadAndTail(gen5File({ chunks: [1, 2, 3], tail: [7, 8, 9] }))
    expect([...sent.slice(0, 4)]).toEqual([0x47, 0x45, 0x4e, 0x35])
    expect([...sent.slice(HEADER_BYTES)]).toEqual([7, 8, 9])
  })

  test("reads only these two slices", async () => {
    const file = gen5File({ chunks: new Array(5000).fill(1), tail: [7, 8] })
    const slice = vi.spyOn(file, "slice")
    const whole = vi.spyOn(file, "arrayBuffer")
    await readHeadAndTail(file)
    expect(slice.mock.calls).toEqual([[0, 32], [5032, 5034]])
    expect(whole).not.toHaveBeenCalled()
  })

  test("reads a META offset above 2 GiB as an unsigned number", async () => {
    const file = gen5File({ offset: 0xfffffff0 })
    Object.defineProperty(file, "size", { value: 0xfffffff4 })
    const slice = vi.spyOn(file, "slice")
    await readHeadAndTail(file)
    expect(slice).toHaveBeenLastCalledWith(0xfffffff0, 0xfffffff4)
  })

  test("rejects a file of another kind, with its name", async () => {
    const file = new File([new Uint8Array(64)], "picture.gen5")
    await expect(readHeadAndTail(file)).rejects.toThrow("picture.gen5 is not a GEN5 file: it does not begin with GEN5")
  })

  test("rejects an empty file", async () => {
    await expect(readHeadAndTail(new File([], "empty.gen5"))).rejects.toThrow("empty.gen5 is not a GEN5 file")
  })

  test("sends a truncated header, so that the server reports it", async () => {
    const sent = await readHeadAndTail(new File(["GEN5", new Uint8Array(10)], "cut.gen5"))
    expect(sent.length).toBe(14)
  })

  test("sends only the header if the offset of META is beyond the end", async () => {
    const sent = await readHeadAndTail(gen5File({ offset: 1_000_000 }))
    expect(sent.length).toBe(HEADER_BYTES)
  })

  test("does not send a META above the limit", async () => {
    const file = gen5File({ offset: 100 })
    Object.defineProperty(file, "size", { value: 101 + TAIL_BYTES_MAX })
    await expect(readHeadAndTail(file)).rejects.toThrow(
      "META and what follows it, from offset 100 on, take 17825793 bytes, at most 17825792 are read: " +
        "stored.gen5 is damaged, or its trailer is too large",
    )
  })
})

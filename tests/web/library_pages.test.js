import { beforeEach, describe, expect, test, vi } from "vitest"
import { Pages } from "../../web/library/pages.js"

/** A library whose items are named by their position, newest first. */
function fakeServer(total) {
  const server = { names: Array.from({ length: total }, (_, index) => `file${index}`), requested: [], aborted: [], waiting: [] }
  server.fetchPage = (offset, limit, signal) => {
    server.requested.push(offset)
    signal.addEventListener("abort", () => server.aborted.push(offset))
    return new Promise((resolve, reject) => {
      const answer = () =>
        resolve({ total: server.names.length, items: server.names.slice(offset, offset + limit).map((name) => ({ name })) })
      server.waiting.push({ offset, answer, fail: (message) => reject(new Error(message)) })
    })
  }
  server.answerAll = async () => {
    for (const { answer } of server.waiting.splice(0)) answer()
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
  }
  return server
}

describe("Pages", () => {
  let server
  let pages
  let clock
  let errors

  beforeEach(async () => {
    clock = 0
    errors = []
    server = fakeServer(1000)
    pages = new Pages(server.fetchPage, { size: 60, now: () => clock, onError: (error) => errors.push(error.message) })
    pages.want(0, 0)
    await server.answerAll()
  })

  test("the first response has the number of items", () => {
    expect(pages.total).toBe(1000)
    expect(pages.get(59)).toEqual({ name: "file59" })
    expect(pages.get(60)).toBeUndefined()
  })

  test("a page is requested once, and kept", async () => {
    pages.want(0, 70)
    pages.want(0, 70)
    expect(server.requested).toEqual([0, 60])
    await server.answerAll()
    pages.want(0, 119)
    expect(server.requested).toEqual([0, 60])
    expect(pages.get(119)).toEqual({ name: "file119" })
  })

  test("the request for a page that was scrolled past is cancelled", async () => {
    for (let first = 0; first < 900; first += 100) pages.want(first, first + 10)
    await server.answerAll()
    expect(server.requested).toEqual([0, 60, 180, 300, 360, 480, 600, 660, 780])
    expect(server.aborted).toEqual([60, 180, 300, 360, 480, 600, 660])
    expect(pages.get(800)).toEqual({ name: "file800" })
    expect(pages.get(300)).toBeUndefined()
  })

  test("a response to a cancelled request changes nothing", async () => {
    pages.want(100, 110)
    const late = server.waiting.pop()
    pages.reset()
    late.answer()
    await server.answerAll()
    expect(pages.total).toBeNull()
    expect(pages.get(100)).toBeUndefined()
  })

  test("a failed page is reported, and not requested again automatically", async () => {
    pages.want(100, 110)
    server.waiting.pop().fail("the server is gone")
    await vi.waitFor(() => expect(errors).toEqual(["the server is gone"]))
    pages.want(100, 110)
    expect(server.requested).toEqual([0, 60])
    pages.expire()
    pages.want(100, 110)
    expect(server.requested).toEqual([0, 60, 60])
  })

  test("a failed page is requested again once the server has sent another", async () => {
    pages.want(100, 110)
    server.waiting.pop().fail("the server was busy")
    await vi.waitFor(() => expect(errors).toEqual(["the server was busy"]))
    pages.want(200, 210)
    await server.answerAll()
    pages.want(100, 110)
    await server.answerAll()
    expect(server.requested).toEqual([0, 60, 180, 60])
    expect(pages.get(100)).toEqual({ name: "file100" })
  })

  test("known items stay until the new response arrives", async () => {
    server.names.unshift("new")
    pages.expire()
    pages.want(0, 10)
    expect(pages.get(0)).toEqual({ name: "file0" })
    await server.answerAll()
    expect(pages.get(0)).toEqual({ name: "new" })
    expect(pages.total).toBe(1001)
  })

  test("another total makes the other pages stale, a second later", async () => {
    server.names.unshift("new")
    pages.want(60, 70)
    await server.answerAll()
    expect(pages.get(60)).toEqual({ name: "file59" })
    server.requested.length = 0
    pages.want(0, 70)
    expect(server.requested).toEqual([])
    clock = 1000
    pages.want(0, 70)
    expect(server.requested).toEqual([0])
  })

  test("an item is found after newer ones were added above it", async () => {
    pages.want(500, 510)
    await server.answerAll()
    server.names.unshift(...Array.from({ length: 130 }, (_, index) => `new${index}`))
    pages.expire()
    const found = pages.find("file505", 505)
    await server.answerAll()
    await server.answerAll()
    expect(await found).toBe(635)
  })

  test("a removed item is not found", async () => {
    server.names.splice(20, 1)
    pages.expire()
    const found = pages.find("file20", 20)
    await server.answerAll()
    expect(await found).toBe(-1)
  })
})

import { beforeEach, describe, expect, test, vi } from "vitest"
import { api } from "../../scripts/api.js"
import {
  Gen5Error,
  facts,
  imageUrl,
  listLibrary,
  noiseUrl,
  readFile,
  upload,
  verify,
  workflow,
} from "../../web/gen5_api.js"
import { gen5Bytes, gen5File } from "./gen5_files.js"
import { carrierOf, chunk, pngFile } from "./png_files.js"
import { answerWith, resetApi } from "./stubs/api.js"

const NAME = "sub/a b&c.gen5 [output]"
const QUERY = "name=sub%2Fa+b%26c.gen5+%5Boutput%5D"

beforeEach(resetApi)

async function errorOf(promise) {
  const error = await promise.catch((caught) => caught)
  expect(error).toBeInstanceOf(Gen5Error)
  return [error.status, error.message]
}

function streamOf(...parts) {
  const encoder = new TextEncoder()
  const body = new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === "string" ? encoder.encode(part) : part)
      controller.close()
    },
  })
  api.answer = () => new Response(body)
}

describe("readFile", () => {
  test("posts header and tail as bytes and returns the answer", async () => {
    answerWith({ root: "ab", workflow: null })
    expect(await readFile(gen5File({ chunks: [1, 2], tail: [5, 6] }))).toEqual({ root: "ab", workflow: null })
    const [request] = api.requests
    expect(request.route).toBe("/gen5/read")
    expect(request.method).toBe("POST")
    expect(request.headers).toEqual({ "Content-Type": "application/octet-stream" })
    expect([...request.body.slice(32)]).toEqual([5, 6])
  })

  test("posts header and tail of the record that a PNG carries", async () => {
    answerWith({ root: "ab" })
    await readFile(carrierOf(gen5Bytes({ chunks: [1, 2], tail: [5, 6] })))
    expect([...api.requests[0].body.slice(0, 4)]).toEqual([0x47, 0x45, 0x4e, 0x35])
    expect([...api.requests[0].body.slice(32)]).toEqual([5, 6])
  })

  test("names the PNG if its record is not a GEN5 file", async () => {
    const file = carrierOf(new Array(40).fill(0), "cat.png")
    expect(await errorOf(readFile(file))).toEqual([0, "cat.png is not a GEN5 file: it does not begin with GEN5"])
  })

  test("posts nothing of a file of another kind", async () => {
    expect(await errorOf(readFile(new File(["PNG"], "x.gen5")))).toEqual([
      0,
      "x.gen5 is not a GEN5 file: it does not begin with GEN5",
    ])
    expect(api.requests).toEqual([])
  })
})

describe("errors", () => {
  test("have the server's message, status and kind", async () => {
    answerWith({ error: "META: seal is wrong", kind: "damaged" }, 422)
    await expect(facts(NAME)).rejects.toMatchObject({ status: 422, kind: "damaged", message: "META: seal is wrong" })
    streamOf(JSON.stringify({ error: "chunk 2: sha256 differs", kind: "damaged" }))
    await expect(verify(NAME)).rejects.toMatchObject({ status: 200, kind: "damaged" })
    answerWith({ error: "said otherwise", kind: "not_found" }, 404)
    expect(await errorOf(facts(NAME))).toEqual([404, `${NAME} is not there`])
  })

  test("have the browser's remedy for their kind: in a request, in a check, and in the library", async () => {
    const answer = { error: "META: takes 9 bytes, the limit is 8", kind: "over_limit" }
    answerWith(answer, 422)
    const [, message] = await errorOf(facts(NAME))
    expect(message).toMatch(/^META: takes 9 bytes, the limit is 8; .*take another copy/)
    streamOf(JSON.stringify(answer))
    expect(await errorOf(verify(NAME))).toEqual([200, message])
    answerWith({ items: [answer, { error: null }] })
    expect((await listLibrary()).items).toEqual([{ ...answer, error: message }, { error: null }])
  })

  test("have the status if the response is not the extension's", async () => {
    api.answer = () => new Response("<h1>502</h1>", { status: 502, statusText: "Bad Gateway" })
    expect(await errorOf(facts(NAME))).toEqual([502, "ComfyUI answered 502 Bad Gateway"])
  })

  test("say that there was no response", async () => {
    api.answer = () => {
      throw new TypeError("Failed to fetch")
    }
    expect(await errorOf(facts(NAME))).toEqual([0, "ComfyUI does not answer: Failed to fetch"])
  })

  test("say that a response is not JSON", async () => {
    api.answer = () => new Response("ok")
    const [status, message] = await errorOf(facts(NAME))
    expect(status).toBe(200)
    expect(message).toMatch(/^ComfyUI's answer is not JSON: /)
  })
})

test("an upload that is too large says what to do", async () => {
  api.answer = () => new Response("Maximum request body size 104857600 exceeded", { status: 413, statusText: "Request Entity Too Large" })
  const [status, message] = await errorOf(upload(gen5File()))
  expect(status).toBe(413)
  expect(message).toContain("Copy it into the input folder and press R")
  expect(message).toContain("--max-upload-size")
})

describe("addresses", () => {
  test("name the file as Load Gen5 does", async () => {
    answerWith({})
    await facts(NAME)
    await workflow(NAME)
    expect(api.requests.map(({ route }) => route)).toEqual([`/gen5/file?${QUERY}`, `/gen5/workflow?${QUERY}`])
    expect(imageUrl(NAME)).toBe(`/api/gen5/image?${QUERY}&index=0`)
    expect(imageUrl(NAME, { index: 2, size: 256, root: "ab" })).toBe(`/api/gen5/image?${QUERY}&index=2&size=256&root=ab`)
    expect(noiseUrl(NAME, { latent: "initial_noise.1", size: 128 })).toBe(
      `/api/gen5/noise?${QUERY}&latent=initial_noise.1&index=0&size=128`,
    )
  })

  test("request one page of the library", async () => {
    answerWith({ total: 0 })
    await listLibrary({ query: "a lighthouse", offset: 60, refresh: true })
    await listLibrary()
    expect(api.requests.map(({ route }) => route)).toEqual([
      "/gen5/library?query=a+lighthouse&offset=60&limit=60&refresh=1",
      "/gen5/library?query=&offset=0&limit=60&refresh=0",
    ])
  })
})

describe("verify", () => {
  const REPORT = { checked_bytes: 9, chunk_count: 2, notes: [], sealed: true }

  test("reports progress and returns the report, however the lines are split", async () => {
    const text = new TextEncoder().encode(`{"done":1,"total":9}\n{"done":9,"total":9}\n{"report":${JSON.stringify(REPORT)}}\n`)
    streamOf(text.slice(0, 7), text.slice(7, 30), text.slice(30))
    const steps = vi.fn()
    expect(await verify(NAME, steps)).toEqual(REPORT)
    expect(steps.mock.calls).toEqual([[{ done: 1, total: 9 }], [{ done: 9, total: 9 }]])
  })

  test("reads a last line without a line break", async () => {
    streamOf(`{"report":${JSON.stringify(REPORT)}}`)
    expect(await verify(NAME)).toEqual(REPORT)
  })

  test("throws the server's message for a damaged file", async () => {
    streamOf('{"done":1,"total":9}\n', '{"error":"chunk 2: sha256 differs"}\n')
    expect(await errorOf(verify(NAME))).toEqual([200, "chunk 2: sha256 differs"])
  })

  test("throws if the response is incomplete", async () => {
    streamOf('{"done":1,"total":9}\n')
    expect(await errorOf(verify(NAME))).toEqual([0, `The check of ${NAME} ended before its report`])
  })

  test("passes on an abort", async () => {
    const signal = AbortSignal.abort()
    api.answer = () => {
      throw new DOMException("aborted", "AbortError")
    }
    await expect(verify(NAME, undefined, { signal })).rejects.toThrow("aborted")
    expect(api.requests[0].signal).toBe(signal)
  })
})

describe("upload", () => {
  test("sends the file as ComfyUI's own upload does and returns its name there", async () => {
    answerWith({ name: "a (1).gen5", subfolder: "", type: "input" })
    expect(await upload(new File(["x"], "a.gen5"))).toBe("a (1).gen5")
    const [{ route, method, body }] = api.requests
    expect([route, method, body.get("type"), body.get("image").name]).toEqual(["/upload/image", "POST", "input", "a.gen5"])
  })

  test("sends a PNG only if it carries a record", async () => {
    answerWith({ name: "cat.png", subfolder: "" })
    expect(await upload(carrierOf(gen5Bytes(), "cat.png"))).toBe("cat.png")
    const [, message] = await errorOf(upload(pngFile([chunk("IEND")], "plain.png")))
    expect(message).toMatch(/^plain\.png carries no GEN5 record/)
    expect(api.requests).toHaveLength(1)
  })

  test("includes the file's folder", async () => {
    answerWith({ name: "a.gen5", subfolder: "in/here", type: "input" })
    expect(await upload(new File(["x"], "a.gen5"))).toBe("in/here/a.gen5")
  })
})

/**
 * Answers for one file after another whether the two readers in JavaScript accept it: `read_gen5.mjs`, and the browser's.
 *
 *     node scripts/read_gen5/serve.mjs
 *
 * stdin: the length of a file (u32, little-endian) and its bytes, again and again. stdout: one line of JSON for each,
 * `error` (null if it is accepted), `content`, and `web`: the place of the record and the header and tail that the browser
 * would send to the server in base64, or `error`.
 */
import { register } from "node:module"
import { readGen5 } from "../read_gen5.mjs"
import { FormatError } from "./check.mjs"
import { writeJson } from "./json.mjs"

const NO_COMFYUI = `export function resolve(name, context, next) {
  return name.endsWith("/scripts/app.js")
    ? { url: "data:text/javascript,export const app = {}", shortCircuit: true } : next(name, context)
}`
register(`data:text/javascript,${encodeURIComponent(NO_COMFYUI)}`)
const { carriedRecord } = await import("../../web/png_carrier.js")
const { readHeadAndTail } = await import("../../web/container.js")
const { Gen5Error } = await import("../../web/gen5_error.js")

/** A Blob of bytes that remembers where in the file it is. */
class Part {
  constructor(bytes, start = 0) {
    this.bytes = bytes
    this.start = start
    this.size = bytes.length
    this.name = "file"
  }

  slice(start, end) {
    return new Part(this.bytes.subarray(start, end), this.start + start)
  }

  async arrayBuffer() {
    return Uint8Array.from(this.bytes).buffer
  }
}

async function answer(bytes) {
  return { ...await read(bytes), web: await open(new Part(bytes)) }
}

async function read(bytes) {
  try {
    return { error: null, content: readGen5(bytes) }
  } catch (error) {
    if (error instanceof FormatError) return { error: error.message }
    return { error: null, crash: error.stack }
  }
}

/** Open a file as the browser does on a drop: a PNG without a record is an ordinary picture, so `start` is null. */
async function open(file) {
  try {
    const record = await carriedRecord(file)
    const tail = await readHeadAndTail(record ?? file)
    return { start: record && record.start, size: record && record.size, sent: Buffer.from(tail).toString("base64") }
  } catch (error) {
    if (error instanceof Gen5Error) return { error: error.message }
    return { crash: error.stack }
  }
}

let pending = Buffer.alloc(0)
for await (const block of process.stdin) {
  pending = Buffer.concat([pending, block])
  while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32LE(0)) {
    const end = 4 + pending.readUInt32LE(0)
    const found = await answer(pending.subarray(4, end))
    process.stdout.write(`${writeJson(found)}\n`)
    pending = pending.subarray(end)
  }
}

/** The GEN5 file that a PNG carries in one chunk, found by the headers of its chunks: no pixel is read. */
import { errorText } from "./error_words.js"
import { Gen5Error } from "./gen5_error.js"
import { t } from "./i18n/index.js"

/**
 * @typedef {{key: "error.png.count"|"error.png.end"|"error.png.damaged"|"error.png.first"|"error.png.within", kind: string,
 *   params: Record<string, string|number>}} Fault what is wrong, as a text's key, and the error's kind
 * @typedef {{type: string, start: number, end: number, fault?: Fault|false}} Chunk where its data lies
 */

/** Chunks that are stepped over: an encoder that writes 8 KiB at a time needs them for 800 MB of pixels. */
export const CHUNKS_MAX = 100_000

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const GEN5 = [0x47, 0x45, 0x4e, 0x35]
const PNG_NAME = /\.png$/i
const CARRIER = "gfVE"
const FIRST = "IHDR"
const PIXELS = ["IDAT", "fdAT"]
const END = "IEND"
const CUT = "truncated" // kinds of errors, as the server's
const DAMAGED = "damaged"
const LETTERS = /^[A-Za-z]{4}$/
/** Of a chunk that is none. */
const BROKEN = { type: "", start: 0, end: 0 }
const HEAD_BYTES = 8 // length and type
const CRC_BYTES = 4
const LENGTH_MAX = 2 ** 31 - 1

/**
 * Return the part of a PNG that is a GEN5 file; whether that one is whole is not looked at.
 *
 * @param {Blob & {name?: string}} file of any kind
 * @returns {Promise<Blob|null>} null where it is no PNG, or one without a record, damaged ones included
 * @throws {Gen5Error} if the PNG has a record and is cut or damaged, or has two
 *
 * Source: FORMAT.md, "PNG carrier"; PNG third edition, 5.3.
 */
export async function carriedRecord(file) {
  if (!(await isPng(file)) || !(await mayCarry(file))) return null
  const name = file.name ?? t("file.unnamedPng")
  let record = null
  for await (const { type, start, end, fault } of chunksOf(file)) {
    const isCarrier = type === CARRIER
    if (fault && (isCarrier || record)) throw new Gen5Error(t(fault.key, { ...fault.params, name }), { kind: fault.kind })
    if (isCarrier && record) throw new Gen5Error(t("error.png.two", { name }), { kind: DAMAGED })
    if (isCarrier) record = file.slice(start, end)
  }
  return record
}

/**
 * Refuse a PNG that carries no record, and what is a PNG by its name alone. Files of other kinds are not looked at.
 *
 * @param {Blob & {name?: string}} file
 * @throws {Gen5Error}
 */
export async function requireRecord(file) {
  if ((await isOfOtherKind(file)) || (await carriedRecord(file))) return
  throw new Gen5Error(errorText({ kind: "stripped" }, file.name ?? t("file.unnamedPng")), { kind: "stripped" })
}

/**
 * A GEN5 file is one under any name.
 *
 * @param {Blob & {name?: string}} file
 */
async function isOfOtherKind(file) {
  if (PNG_NAME.test(file.name ?? "")) return startsWith(file, GEN5)
  return !(await isPng(file))
}

/** @param {Blob} file */
function isPng(file) {
  return startsWith(file, SIGNATURE)
}

/**
 * @param {Blob} file
 * @param {number[]} bytes
 */
async function startsWith(file, bytes) {
  const found = await bytesOf(file, 0, bytes.length)
  return bytes.every((byte, index) => found[index] === byte)
}

/**
 * Tell whether a walk from chunk to chunk may come to a record. Encoders write pixels in hundreds of chunks of one
 * length, also those of an animation's frames, and each slice takes most of a millisecond: such runs are leapt over,
 * so that ordinary pictures open at once.
 * No other chunk may stand among those of pixels (PNG, 5.6). A leap into a record that holds a PNG of its own may end at
 * what is no chunk: then the walk decides.
 *
 * @param {Blob} file
 */
async function mayCarry(file) {
  for await (const { type, fault } of chunksOf(file, endOfRun)) if (type === CARRIER || fault) return true
  return false
}

/**
 * Yield where the chunks of a PNG lie, IEND last, or the one at which it breaks off, with its fault.
 *
 * @param {Blob} file
 * @param {(file: Blob, chunk: Chunk) => Promise<number>} [next] where the next chunk begins
 * @returns {AsyncGenerator<Chunk>}
 */
async function* chunksOf(file, next = async (_, { end }) => end + CRC_BYTES) {
  let offset = SIGNATURE.length
  for (let count = 0; count < CHUNKS_MAX; count++) {
    const chunk = await chunkAt(file, offset)
    yield chunk
    if (chunk.fault || chunk.type === END) return
    offset = await next(file, chunk)
  }
  yield { ...BROKEN, fault: { key: "error.png.count", kind: DAMAGED, params: { most: CHUNKS_MAX } } }
}

/**
 * Return where the first chunk behind this one begins that is not alike: leaps grow while they meet its like, then shrink.
 *
 * @param {Blob} file
 * @param {Chunk} chunk
 */
async function endOfRun(file, { type, start, end }) {
  if (!PIXELS.includes(type)) return end + CRC_BYTES
  const first = start - HEAD_BYTES
  const step = end + CRC_BYTES - first
  let alike = 1
  for (let leap = 1, grows = true; leap >= 1; leap = grows ? leap * 2 : Math.floor(leap / 2)) {
    const found = await chunkAt(file, first + (alike + leap - 1) * step)
    const isAlike = !found.fault && found.type === type && found.end - found.start === end - start
    if (isAlike) alike += leap
    else grows = false
  }
  return first + alike * step
}

/**
 * @param {Blob} file
 * @param {number} offset
 * @returns {Promise<Chunk>}
 */
async function chunkAt(file, offset) {
  const head = await bytesOf(file, offset, offset + HEAD_BYTES)
  if (head.length < HEAD_BYTES) return { ...BROKEN, fault: { key: "error.png.end", kind: CUT, params: { size: file.size, chunk: END } } }
  const length = new DataView(head.buffer).getUint32(0)
  const type = String.fromCharCode(...head.slice(4))
  if (!LETTERS.test(type) || length > LENGTH_MAX) {
    return { ...BROKEN, type, fault: { key: "error.png.damaged", kind: DAMAGED, params: { offset } } }
  }
  const start = offset + HEAD_BYTES
  const end = start + length
  return { type, start, end, fault: faultOf(file, offset, { type, length, end }) }
}

/**
 * @param {Blob} file
 * @param {number} offset
 * @param {{type: string, length: number, end: number}} given
 * @returns {Fault|false}
 */
function faultOf(file, offset, { type, length, end }) {
  if (offset === SIGNATURE.length && type !== FIRST) {
    return { key: "error.png.first", kind: DAMAGED, params: { chunk: type } }
  }
  const isCut = end + CRC_BYTES > file.size
  return isCut && { key: "error.png.within", kind: CUT, params: { size: file.size, chunk: type, length } }
}

/**
 * @param {Blob} file
 * @param {number} start
 * @param {number} end
 */
async function bytesOf(file, start, end) {
  return new Uint8Array(await file.slice(start, end).arrayBuffer())
}

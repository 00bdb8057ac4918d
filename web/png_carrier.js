/** Finds the GEN5 file that a PNG carries in one chunk, by reading only the chunks' headers. */
import { errorText } from "./error_words.js"
import { Gen5Error } from "./gen5_error.js"
import { t } from "./i18n/index.js"

/**
 * @typedef {{key: "error.png.count"|"error.png.end"|"error.png.damaged"|"error.png.first"|"error.png.within", kind: string,
 *   params: Record<string, string|number>}} Fault the text's key, its parameters, and the error's kind
 * @typedef {{type: string, start: number, end: number, fault?: Fault|false}} Chunk the range of its data
 */

/** The most chunks read: enough for 800 MB of pixels from an encoder that writes 8 KiB per chunk. */
export const CHUNKS_MAX = 100_000

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const GEN5 = [0x47, 0x45, 0x4e, 0x35]
const PNG_NAME = /\.png$/i
const CARRIER = "gfVE"
/** Type and data of the chunk at the start of a PNG that says that a record is at its end. */
const MARKER = { type: "tEXt", data: [..."Gen5\0record in gfVE"].map((letter) => letter.charCodeAt(0)) }
const FIRST = "IHDR"
const PIXELS = ["IDAT", "fdAT"]
const END = "IEND"
const TRUNCATED = "truncated" // the server's kinds of errors
const DAMAGED = "damaged"
const LETTERS = /^[A-Za-z]{4}$/
/** In place of a chunk that cannot be read. */
const BROKEN = { type: "", start: 0, end: 0 }
const HEAD_BYTES = 8 // length and type
const CRC_BYTES = 4
const LENGTH_MAX = 2 ** 31 - 1

/**
 * Return the part of a PNG that is a GEN5 file, without checking that part.
 *
 * @param {Blob & {name?: string}} file of any kind
 * @returns {Promise<Blob|null>} null if it is not a PNG, or has no record, even if it is damaged
 * @throws {Gen5Error} if the PNG has a record, or a marker that says so, and is truncated or damaged, or has two records
 *
 * Source: FORMAT.md, "PNG carrier"; PNG third edition, 5.3.
 */
export async function carriedRecord(file) {
  if (!(await isPng(file)) || !(await mayCarry(file))) return null
  const name = file.name ?? t("file.unnamedPng")
  let record = null
  let isMarked = false
  for await (const { type, start, end, fault } of chunksOf(file)) {
    const isCarrier = type === CARRIER
    if (fault && (isCarrier || record || isMarked)) throw new Gen5Error(t(fault.key, { ...fault.params, name }), { kind: fault.kind })
    if (isCarrier && record) throw new Gen5Error(t("error.png.two", { name }), { kind: DAMAGED })
    if (isCarrier) record = file.slice(start, end)
    isMarked ||= !fault && (await isMarker(file, { type, start, end }))
  }
  return record
}

/**
 * @param {Blob} file
 * @param {Chunk} chunk
 */
async function isMarker(file, { type, start, end }) {
  if (type !== MARKER.type || end - start !== MARKER.data.length) return false
  return startsWith(file.slice(start, end), MARKER.data)
}

/**
 * Reject a PNG without a record, and a file that is a PNG only by its name. Other kinds of files are not checked.
 *
 * @param {Blob & {name?: string}} file
 * @throws {Gen5Error}
 */
export async function requireRecord(file) {
  if ((await isOtherKind(file)) || (await carriedRecord(file))) return
  throw new Gen5Error(errorText({ kind: "stripped" }, file.name ?? t("file.unnamedPng")), { kind: "stripped" })
}

/**
 * Return whether a file is not a PNG, by content or name. A GEN5 file is one whatever its name.
 *
 * @param {Blob & {name?: string}} file
 */
async function isOtherKind(file) {
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
 * Return whether a PNG may have a record; false is certain. Encoders write pixels, and frames of an animation, in hundreds
 * of chunks of equal length, and each slice takes most of a millisecond, so such runs are skipped to open ordinary
 * pictures at once. Chunks of pixels are contiguous (PNG, 5.6). A skip into a record that contains a PNG may end at an
 * invalid chunk: the file is then read chunk by chunk.
 *
 * @param {Blob} file
 */
async function mayCarry(file) {
  for await (const { type, fault } of chunksOf(file, endOfRun)) if (type === CARRIER || fault) return true
  return false
}

/**
 * Yield the chunks of a PNG up to IEND, or up to the first faulty one, with its fault.
 *
 * @param {Blob} file
 * @param {(file: Blob, chunk: Chunk) => Promise<number>} [next] returns the offset of the next chunk
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
 * Return the offset of the next chunk that differs in type or length. Steps double while chunks are alike, then halve.
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
  if (head.length < HEAD_BYTES) return { ...BROKEN, fault: { key: "error.png.end", kind: TRUNCATED, params: { size: file.size, chunk: END } } }
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
  return isCut && { key: "error.png.within", kind: TRUNCATED, params: { size: file.size, chunk: type, length } }
}

/**
 * @param {Blob} file
 * @param {number} start
 * @param {number} end
 */
async function bytesOf(file, start, end) {
  return new Uint8Array(await file.slice(start, end).arrayBuffer())
}

import { Gen5Error } from "./gen5_error.js"
import { t } from "./i18n/index.js"

export const HEADER_BYTES = 32
/** The server's limit for META and what follows it; a graph of 10 000 nodes stays under 2 MiB. */
export const TAIL_BYTES_MAX = 17 * 2 ** 20

const MAGIC = "GEN5"
const META_OFFSET = 8

/**
 * Return the parts of a file that describe its content: its header, and everything from META to its end.
 * Only these two slices are read, however large the file is. The server reports damage, unless it makes the
 * slices too large to send.
 *
 * @param {Blob & {name?: string}} file a GEN5 file, or the part of a PNG that is one
 * @param {string} [name] the file's name in messages
 * @returns {Promise<Uint8Array<ArrayBuffer>>} header and tail, back to back
 * @throws {Gen5Error} if it is not a GEN5 file, or its META and trailer are too large to read
 *
 * Source: FORMAT.md, "Header".
 */
export async function readHeadAndTail(file, name = file.name ?? t("file.unnamed")) {
  const head = await bytesOf(file, 0, HEADER_BYTES)
  checkMagic(head, name)
  if (head.length < HEADER_BYTES) return head
  const offset = new DataView(head.buffer).getUint32(META_OFFSET, true)
  checkTail(file.size, offset, name)
  return concatenate(head, await bytesOf(file, offset, file.size))
}

/**
 * @param {Uint8Array} head
 * @param {string} name
 */
function checkMagic(head, name) {
  const found = String.fromCharCode(...head.slice(0, MAGIC.length))
  if (found !== MAGIC) throw new Gen5Error(t("error.not_gen5", { name }), { kind: "not_gen5" })
}

/**
 * @param {number} sizeBytes
 * @param {number} offset
 * @param {string} name
 */
function checkTail(sizeBytes, offset, name) {
  const tail = Math.max(0, sizeBytes - offset)
  if (tail <= TAIL_BYTES_MAX) return
  throw new Gen5Error(t("error.tail", { offset, tail, most: TAIL_BYTES_MAX, name }), { kind: "damaged" })
}

/**
 * @param {Blob} file
 * @param {number} start
 * @param {number} end
 */
async function bytesOf(file, start, end) {
  return new Uint8Array(await file.slice(start, end).arrayBuffer())
}

/**
 * @param {Uint8Array} first
 * @param {Uint8Array} second
 */
function concatenate(first, second) {
  const all = new Uint8Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}

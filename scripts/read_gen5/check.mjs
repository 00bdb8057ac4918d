import { createHash } from "node:crypto"

export const LIMITS = {
  metaStored: 2 ** 24, metaDecoded: 2 ** 26, jsonValues: 2 ** 18, inflated: 2 ** 30, window: 2 ** 27,
  chunks: 1000, trailers: 1000, signatures: 2 ** 16, pngChunks: 100_000,
}

/** A file that must be refused; the message gives the place and the fault. */
export class FormatError extends Error {}

export function must(condition, message) {
  if (!condition) throw new FormatError(message)
}

export function sha256(...parts) {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value)
export const isCount = (value) => typeof value === "bigint" && value >= 0n
export const isText = (value) => typeof value === "string"
export const isAscii = (value) => isText(value) && [...value].every((character) => character < "\x80")
export const isDigest = (value) => isText(value) && value.length === 64 && /^[0-9a-f]*$/.test(value)

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export function decodeUtf8(bytes, where) {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    throw new FormatError(`${where}: is not UTF-8`)
  }
}

export const FRAME_BYTES = 12

/** Return the payload after a frame header, which must have the expected type, flags and size. */
export function unframe(bytes, type, flags, where) {
  const isExpected = bytes.length >= FRAME_BYTES && bytes.toString("latin1", 0, 8) === type + flags.padEnd(4, "\0")
    && bytes.readUInt32LE(8) === bytes.length - FRAME_BYTES
  must(isExpected, `${where}: its frame header is ${JSON.stringify(bytes.toString("latin1", 0, FRAME_BYTES))}`)
  return bytes.subarray(FRAME_BYTES)
}

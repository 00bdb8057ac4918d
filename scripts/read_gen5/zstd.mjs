import { ZSTDDecoder } from "zstddec"
import { LIMITS, must } from "./check.mjs"

const MAGIC = 0xFD2FB528n

const decoder = new ZSTDDecoder()
await decoder.init()

/** Decompress exactly one zstd frame of at most `limit` bytes, or of `expected` bytes if the table gives the size. */
export function inflate(stored, where, { limit, expected = null }) {
  const { contentBytes, windowBytes, dictionary, end } = readFrame(stored, where)
  const size = contentBytes ?? BigInt(expected ?? limit)
  must(dictionary === 0n, `${where}: its zstd frame needs dictionary ${dictionary}; the format has none`)
  must(windowBytes <= LIMITS.window, `${where}: needs a window of ${windowBytes} bytes, the limit is ${LIMITS.window}`)
  must(expected === null || size === BigInt(expected),
    `${where}: its zstd frame holds ${size} bytes, the table says ${expected}`)
  must(contentBytes === null || size <= limit, `${where}: inflates to ${size} bytes, the limit is ${limit}`)
  must(end === stored.length, `${where}: its zstd frame ends after ${end} of ${stored.length} bytes`)
  const content = decoder.decode(stored, Number(size))
  const isSizeUnknown = contentBytes === null && expected === null
  must(content.length > 0 && (isSizeUnknown || BigInt(content.length) === size), `${where}: is not exactly one complete zstd frame`)
  return Buffer.from(content.buffer, content.byteOffset, content.length)
}

/** Parse a frame's header and find the end of its last block. Source: RFC 8878, 3.1.1. */
function readFrame(stored, where) {
  let at = 0
  const skip = (bytes) => {
    must(at + bytes <= stored.length, `${where}: its zstd frame is incomplete`)
    at += bytes
  }
  const take = (bytes) => {
    skip(bytes)
    return stored.subarray(at - bytes, at).reduceRight((value, byte) => value << 8n | BigInt(byte), 0n)
  }

  must(stored.length >= 4 && take(4) === MAGIC, `${where}: is not a zstd frame`)
  const descriptor = Number(take(1))
  const isSingleSegment = (descriptor & 0x20) !== 0
  const windowByte = isSingleSegment ? null : take(1)
  const dictionary = take([0, 1, 2, 4][descriptor & 3])
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]
  const contentBytes = sizeBytes === 0 ? null : take(sizeBytes) + (sizeBytes === 2 ? 256n : 0n)
  for (let isLast = false; !isLast;) {
    const block = Number(take(3))
    isLast = (block & 1) === 1
    const isRun = (block >> 1 & 3) === 1
    skip(isRun ? 1 : block >> 3)
  }
  if (descriptor & 4) skip(4) // the checksum, which the decoder verifies
  return { contentBytes, windowBytes: isSingleSegment ? contentBytes : windowOf(windowByte), dictionary, end: at }
}

function windowOf(byte) {
  const base = 1n << 10n + (byte >> 3n)
  return base + base / 8n * (byte & 7n)
}

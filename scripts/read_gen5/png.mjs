import { crc32 } from "node:zlib"
import { FormatError, LIMITS, isCount, isDigest, isObject, isText, must, sha256 } from "./check.mjs"

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1")
const FRAME_BYTES = 12
const MAX_DATA_BYTES = 2 ** 31 - 1
const MAX_TRAILER_BYTES = 65_548
const CARRIER = "gfVE"
const ANIMATION = ["acTL", "fcTL", "fdAT"]
const SINGLE = ["IHDR", "PLTE", "tRNS"]

export const isPng = (file) => file.subarray(0, SIGNATURE.length).equals(SIGNATURE)

/** Return the GEN5 file that a PNG carries, and size, digest and chunk types of the PNG without it. */
export function openPng(png) {
  const chunks = Array.from(readChunks(png))
  const [found, second] = chunks.filter(({ type }) => type === CARRIER)
  must(chunks[0].type === "IHDR", `the PNG starts with ${chunks[0].type}`)
  must(found, `is a plain PNG, without the chunk ${CARRIER}`)
  must(!second, `the PNG carries a second ${CARRIER}`)
  const rest = [png.subarray(0, found.start), png.subarray(found.end, chunks.at(-1).end)]
  const bytes = rest[0].length + rest[1].length
  must(bytes <= LIMITS.inflated, `the PNG takes ${bytes} bytes, the limit is ${LIMITS.inflated}`)
  return {
    record: png.subarray(found.start + 8, found.end - 4),
    picture: { trailingBytes: png.length - chunks.at(-1).end, bytes, sha256: sha256(...rest).toString("hex"), types: chunks.map(({ type }) => type) },
  }
}

function* readChunks(png) {
  let start = SIGNATURE.length
  for (let count = 0; count < LIMITS.pngChunks; count += 1) {
    must(start + FRAME_BYTES <= png.length, "the PNG ends before its IEND")
    const dataBytes = png.readUInt32BE(start)
    const type = png.toString("latin1", start + 4, start + 8)
    const end = start + FRAME_BYTES + dataBytes
    must(/^[A-Za-z]{4}$/.test(type) && dataBytes <= MAX_DATA_BYTES, `the PNG has no chunk at ${start}`)
    must(end <= png.length, `the PNG ends within its ${type}`)
    must(png.readUInt32BE(end - 4) === crc32(png.subarray(start + 4, end - 4)), `${type} at ${start}: its CRC is wrong`)
    yield { type, start, end }
    if (type === "IEND") return
    start = end
  }
  throw new FormatError(`the PNG has more than ${LIMITS.pngChunks} chunks`)
}

/**
 * Check META's facts about the PNG, and return whether the PNG is as it was written.
 *
 * The pixels are not decoded. If the PNG is as it was written, they match `pixels_sha256`. A changed PNG may show
 * anything; it is refused only if its chunks break a rule.
 */
export function checkCarrier(carrier, picture, table) {
  must(isObject(carrier), "META: has no carrier")
  checkFacts(carrier, table)
  const isAsWritten = picture.sha256 === carrier.png_sha256 && BigInt(picture.bytes) === carrier.png_bytes
  if (!isAsWritten) checkOnePicture(picture.types.filter((type) => type !== CARRIER))
  return isAsWritten
}

/** Check META's `carrier` by itself, as in a file that was taken out of its PNG. */
export function checkFacts(carrier, table) {
  const { index, shape, pixels_sha256, png_sha256, png_bytes, original, trailer = "" } = carrier
  must(Array.isArray(shape) && shape.length === 3 && shape.every((size) => isUpTo(size, 2n ** 32n - 1n) && size > 0n),
    "META: carrier.shape is not height, width and channels")
  must([pixels_sha256, png_sha256].every(isDigest), "META: carrier has no SHA-256 of pixels or PNG")
  must(isUpTo(png_bytes, 2n ** 63n), "META: carrier.png_bytes is not a size")
  must(isTrailer(trailer), `META: carrier.trailer is not base64 of at most ${MAX_TRAILER_BYTES} bytes`)
  checkIndex(index, original, table)
}

const isUpTo = (value, maximum) => isCount(value) && value <= maximum

function isTrailer(text) {
  const bytes = isText(text) ? Buffer.from(text, "base64") : null
  return bytes !== null && bytes.toString("base64") === text && bytes.length <= MAX_TRAILER_BYTES
}

function checkIndex(index, original, table) {
  const images = table.map(({ type }) => type === "DATA")
  must(isCount(index), `META: carrier.index is ${index}`)
  if (original === undefined) {
    must(index < images.filter(Boolean).length, `META: carrier.index is ${index}, the file has no such image`)
    return
  }
  must(isObject(original), "META: carrier.original is not an object")
  const { row, extra, compression, added_texts, deflated, sha256: digest } = original
  must(isCount(row) && row <= table.length, `META: carrier.original.row is ${row}`)
  must(isObject(extra) && ["auto", "none", "zstd"].includes(compression) && isUpTo(added_texts, 2n ** 31n)
    && typeof deflated === "boolean" && (digest === undefined || isDigest(digest)),
  "META: carrier.original does not say how the image was stored")
  const before = images.slice(0, Number(row)).filter(Boolean).length
  must(index === BigInt(before), `META: carrier.index is ${index}, its row gives ${before}`)
}

/** All viewers show the same picture only if a PNG has a single one, with its pixels in one run of IDAT. */
function checkOnePicture(types) {
  const repeated = types.filter((type, index) => SINGLE.includes(type) && types.indexOf(type) !== index)
  const odd = [...types.filter((type) => ANIMATION.includes(type)), ...repeated]
  must(odd.length === 0, `the PNG was changed and has ${odd}: viewers may show another picture`)
  const run = types.slice(types.indexOf("IDAT"), types.lastIndexOf("IDAT") + 1)
  must(run.every((type) => type === "IDAT"), "the PNG was changed and its IDAT do not follow each other")
}

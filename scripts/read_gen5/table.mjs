import { FRAME_BYTES, isAscii, isCount, isDigest, isObject, must } from "./check.mjs"

const HEADER_BYTES = 32
const U32 = 2n ** 32n
const DTYPES = { F32: { dtype: "float32", bytes: 4n }, F16: { dtype: "float16", bytes: 2n } }
const STORED_AS = {
  float32: ["float32", "bfloat16", "float8_e8m0fnu"],
  float16: ["float16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"],
}
/** The words that a value is cut into, 0 where it is stored by its value. */
const WORDS = {
  float32: { int16: 0, uint16: 0, int32: 1, uint32: 1, int64: 2, uint64: 2, float64: 2, complex64: 2, complex128: 4 },
  float16: { bool: 0, int8: 0, uint8: 0 },
}

/** Return the rows of the chunk table after checking them against each other and the header. */
export function readTable(rows, { minor, metaOffset, chunkCount }) {
  must(rows.length === chunkCount, `META: lists ${rows.length} chunks, the header counts ${chunkCount}`)
  const table = rows.map((row, index) => readRow(row, index, minor))
  checkOffsets(table, minor, metaOffset)
  must(table.filter(({ type }) => type === "ENVC").length <= 1, "META: lists a second environment")
  checkParts(table)
  return table
}

function readRow(row, index, minor) {
  const where = `chunk ${index}`
  must(isObject(row), `${where}: its row is not an object`)
  const { type, flags, offset, compressed_size: stored, uncompressed_size: payload, hash, extra = {}, compressed } = row
  must(row.index === BigInt(index), `${where}: has index ${row.index}`)
  must(isAscii(type) && type.length === 4, `${where}: its type is not of four ASCII characters`)
  must(isAscii(flags) && flags.length <= 4, `${where}: its flags are not of four ASCII characters`)
  must([offset, stored, payload].every(isSize), `${where}: its offset or a size is not a u32`)
  must(isDigest(hash), `${where}: its hash is not a SHA-256`)
  must(isObject(extra), `${where}: extra is not an object`)
  must(typeof compressed === "boolean", `${where}: compressed is neither true nor false`)
  must(compressed || stored === payload + BigInt(FRAME_BYTES), `${where}: a raw chunk of ${payload} + 12 bytes in ${stored}`)
  must(!compressed || minor === 0 || isDigest(extra.stored_sha256), `${where}: its stored_sha256 is not a SHA-256`)
  const found = { where, type, flags: flags.replace(/\0+$/, ""), offset: Number(offset), storedBytes: Number(stored),
    payloadBytes: Number(payload), hash, extra, compressed }
  return type === "LATN" ? { ...found, ...readTensor(found, index) } : found
}

const isSize = (value) => isCount(value) && value < U32

function readTensor({ where, flags, extra, payloadBytes }, index) {
  must(Object.hasOwn(DTYPES, flags), `${where}: its flags are ${flags}, a latent has F32 or F16`)
  const { dtype, bytes } = DTYPES[flags]
  const { shape, key = `latent_${index}`, orig_dtype: widened = dtype } = extra
  // Beside a value_dtype, null is as good as no orig_dtype; alone it is a dtype that nobody knows.
  const original = widened === null && (extra.value_dtype ?? null) !== null ? dtype : widened
  const part = extra.part ?? null
  must(Array.isArray(shape) && shape.length <= 32, `${where}: its shape is not a list of at most 32 sizes`)
  must(shape.every(isSize), `${where}: its shape has a value that is not a size`)
  const product = (sizes) => sizes.reduce((elements, size) => elements * size, 1n)
  must(product(shape.filter(Boolean)) < U32, `${where}: its shape has more elements than a file can hold`)
  must(product(shape) * bytes === BigInt(payloadBytes), `${where}: ${dtype} of shape [${shape}] in ${payloadBytes} bytes`)
  must(typeof key === "string", `${where}: its key is not a string`)
  must(part === null || typeof part === "bigint", `${where}: its part is not an integer`)
  must(STORED_AS[dtype].includes(original), `${where}: its orig_dtype is not one that is stored as ${dtype}`)
  return { shape, dtype, original, key, part, ...readValueDtype(where, dtype, extra) }
}

/** Return the dtype of a latent that was neither float nor bfloat16, and its shape without the axis of words. */
function readValueDtype(where, dtype, { shape, value_dtype: name, orig_dtype: widened }) {
  if (name === undefined || name === null) return {}
  must(Object.hasOwn(WORDS[dtype], name), `${where}: its value_dtype is not one that is stored as ${dtype}`)
  must(widened === undefined || widened === null, `${where}: it has both a value_dtype and an orig_dtype`)
  const words = WORDS[dtype][name]
  must(!words || shape.at(-1) === BigInt(words), `${where}: its last axis is not the ${words} words of a ${name}`)
  return { shape: words ? shape.slice(0, -1) : shape, original: name }
}

/** Chunks must not overlap; from version 1.1 on they must follow each other in order, without gaps. */
function checkOffsets(table, minor, metaOffset) {
  const isGapless = minor > 0
  let end = HEADER_BYTES
  for (const { where, offset, storedBytes } of isGapless ? table : table.toSorted(byOffset)) {
    must(offset >= end, `${where}: overlaps what ends at ${end}`)
    must(offset === end || !isGapless, `${where}: leaves a gap after ${end}`)
    end = offset + storedBytes
  }
  must(isGapless ? end === metaOffset : end <= metaOffset, `META: starts at ${metaOffset}, the last chunk ends at ${end}`)
}

const byOffset = (a, b) => a.offset - b.offset || a.storedBytes - b.storedBytes

/** Latents with the same name are the parts of one latent, numbered in order from 0. */
function checkParts(table) {
  const partsByName = new Map()
  for (const { type, key, part } of table) {
    if (type === "LATN") partsByName.set(key, [...partsByName.get(key) ?? [], part])
  }
  for (const [name, parts] of partsByName) {
    const isPlain = parts.length === 1 && parts[0] === null
    must(isPlain || parts.every((part, position) => part === BigInt(position)),
      `${parts.length} latents are named ${name} and their parts are ${parts.map(String)}`)
  }
}

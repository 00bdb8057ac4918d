import { FRAME_BYTES, LIMITS, decodeUtf8, isObject, isText, must, sha256, unframe } from "./check.mjs"
import { parseJson } from "./json.mjs"
import { inflate } from "./zstd.mjs"

const LISTED_VALUES = 4
const BYTES = { float16: 2, float32: 4 }
const RANGES = { bool: [0, 1], int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767], uint16: [0, 65535] }

/** Return a chunk's payload. Its stored bytes are checked before they are decompressed. */
export function readChunk(file, { where, type, flags, offset, storedBytes, payloadBytes, hash, extra, compressed }) {
  const stored = file.subarray(offset, offset + storedBytes)
  must(type !== "ENVC" || payloadBytes <= LIMITS.metaDecoded, `${where}: is JSON of ${payloadBytes} bytes`)
  const expected = extra.stored_sha256
  must(!compressed || expected === undefined || hex(stored) === expected, `${where}: its stored bytes have another SHA-256`)
  const framed = compressed
    ? inflate(stored, where, { limit: LIMITS.inflated, expected: payloadBytes + FRAME_BYTES })
    : stored
  const payload = unframe(framed, type, flags, where)
  must(hex(payload) === hash, `${where}: its payload has another SHA-256`)
  return payload
}

const hex = (bytes) => sha256(bytes).toString("hex")

/** Return shape, dtype and first values of each latent by name; a list for a nested latent. */
export function readLatents(chunks) {
  const latents = new Map()
  for (const { where, key, part, shape, dtype, original, payload, hash } of chunks.filter(({ type }) => type === "LATN")) {
    checkValues(payload, dtype, original, where)
    const latent = { shape, dtype, orig_dtype: original, sha256: hash, first_values: firstValues(payload, dtype) }
    latents.set(key, part === null ? latent : [...latents.get(key) ?? [], latent])
  }
  return Object.fromEntries(latents)
}

function firstValues(payload, dtype) {
  const count = Math.min(LISTED_VALUES, payload.length / BYTES[dtype])
  return Array.from({ length: count }, (_, index) => valueAt(payload, dtype, index))
}

function valueAt(payload, dtype, index) {
  return dtype === "float16" ? halfToNumber(payload.readUInt16LE(2 * index)) : payload.readFloatLE(4 * index)
}

/** Integers and booleans that are stored by value must be values of their dtype. */
function checkValues(payload, dtype, original, where) {
  if (!Object.hasOwn(RANGES, original)) return
  const [least, most] = RANGES[original]
  for (let index = 0; index < payload.length / BYTES[dtype]; index += 1) {
    const value = valueAt(payload, dtype, index)
    must(Number.isInteger(value) && value >= least && value <= most, `${where}: holds ${value}, which no ${original} is`)
  }
}

/** Return the value of an IEEE 754 binary16 from its 16 bits. */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1
  const [exponent, fraction] = [bits >> 10 & 31, (bits & 1023) / 1024]
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return exponent ? sign * (1 + fraction) * 2 ** (exponent - 15) : sign * fraction * 2 ** -14
}

/** Return the encoded images; `picture`, the PNG that carries the file, is one of them if the carrier says so. */
export function readImages(chunks, carrier, picture) {
  const describe = ({ width, height, format }, bytes, digest) => ({ width, height, format, bytes, sha256: digest })
  const images = chunks.filter(({ type }) => type === "DATA")
    .map(({ extra, payloadBytes, hash }) => describe(extra, payloadBytes, hash))
  if (carrier?.original && picture) {
    images.splice(Number(carrier.index), 0, describe(carrier.original.extra, picture.bytes, picture.sha256))
  }
  return images
}

/** Return the canonical strings of the environment by component; null if none is stored. */
export function readEnvironment(chunks) {
  const chunk = chunks.find(({ type }) => type === "ENVC")
  if (!chunk) return null
  const { where, payload } = chunk
  const document = parseJson(decodeUtf8(payload, where), where)
  must(isObject(document) && Array.isArray(document.components), `${where}: has no list of components`)
  must(document.env_version === 1n, `${where}: env_version is ${document.env_version}, this reader knows 1`)
  const found = new Map()
  let gpus = 0
  for (const component of document.components) {
    const [name, text] = readComponent(component, where)
    const key = name === "gpu" && (gpus += 1) > 1 ? `gpu${gpus - 1}` : name
    must(!found.has(key), `${where}: component ${name} occurs twice`)
    found.set(key, text)
  }
  return Object.fromEntries(found)
}

function readComponent(component, where) {
  must(isObject(component), `${where}: a component is not an object`)
  const { component_id: name, cononical_str: text, component_sha256_digest: digest } = component
  must([name, text, digest].every((value) => isText(value) && value.isWellFormed()), `${where}: a component is not text`)
  must(hex(text) === digest.toLowerCase(), `${where}: component ${name} has another SHA-256`)
  return [name, text]
}

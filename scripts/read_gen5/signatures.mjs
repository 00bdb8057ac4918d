import { createPublicKey, verify } from "node:crypto"
import { FormatError, decodeUtf8, isObject, isText, must } from "./check.mjs"

const PAYLOAD_TYPE = "application/vnd.gen5.root.v1"
const KEY_WORD = "gen5-ed25519 "
const SIGNATURE_BYTES = 64
const KEY_BYTES = 32
const P = 2n ** 255n - 19n
const ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n
const SMALL_ORDER = [ // the coordinates of all points of order 1, 2, 4 and 8
  0n, 1n, P - 1n, ORDER_8, P - ORDER_8,
]
const SPKI = Buffer.from("302a300506032b6570032100", "hex") // the prefix of a key's bytes in RFC 8410

/** Return the keys that signed `root`. A malformed envelope or an invalid signature is refused. */
export function readSignatures(bytes, root, where) {
  const { payload, payloadType, signatures } = parseEnvelope(decodeUtf8(bytes, where), where)
  must(payloadType === PAYLOAD_TYPE, `${where}: its payload type is ${payloadType}`)
  must(signatures.length > 0, `${where}: has no signature`)
  const signed = decodeBase64(payload, where)
  const message = Buffer.concat([
    Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${signed.length} `), signed])
  let last = ""
  for (const { keyid, sig } of signatures) {
    must(keyid > last, `${where}: its signatures are out of order, or two are by one key`)
    last = keyid
    checkSignature(keyid, decodeBase64(sig, where), message, where)
  }
  must(signed.equals(root), `${where}: covers another root`)
  return signatures.map(({ keyid }) => keyid)
}

function checkSignature(keyid, signature, message, where) {
  must(signature.length === SIGNATURE_BYTES, `${where}: has a signature of ${signature.length} bytes`)
  must(verify(null, message, readKey(keyid, where), signature), `${where}: the signature by ${keyid} is not valid`)
}

/** Return the content of an envelope, which must be in canonical form: writing it again gives the same text. */
function parseEnvelope(text, where) {
  const { payload, payloadType, signatures } = parseObject(text)
  const entries = Array.isArray(signatures) && signatures.every(isObject)
    ? signatures.map(({ keyid, sig }) => ({ keyid, sig })) : []
  must([payload, payloadType, ...entries.flatMap(Object.values)].every(isText)
    && JSON.stringify({ payload, payloadType, signatures: entries }) === text,
  `${where}: is not in the canonical form of an envelope`)
  return { payload, payloadType, signatures: entries }
}

function parseObject(text) {
  try {
    const value = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

function decodeBase64(text, where) {
  const bytes = Buffer.from(text, "base64")
  must(bytes.toString("base64") === text, `${where}: has base64 that is not canonical`)
  return bytes
}

function readKey(keyid, where) {
  must(keyid.startsWith(KEY_WORD), `${where}: names a key of another kind`)
  const key = decodeBase64(keyid.slice(KEY_WORD.length), where)
  must(key.length === KEY_BYTES, `${where}: names a key of ${key.length} bytes`)
  const coordinate = BigInt(`0x${Buffer.from(key).reverse().toString("hex")}`) & (2n ** 255n - 1n)
  must(coordinate < P && !SMALL_ORDER.includes(coordinate), `${where}: names an invalid key`)
  try {
    return createPublicKey({ key: Buffer.concat([SPKI, key]), format: "der", type: "spki" })
  } catch {
    throw new FormatError(`${where}: names an invalid key`)
  }
}
